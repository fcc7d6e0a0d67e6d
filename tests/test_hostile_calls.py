"""Hostile arguments to arrays and circuits: everything ends in a result or a CrossbarError, soon and in little memory, and no
warning escapes (pytest makes them errors).

A table of calls, and for every argument the values that replace it: what is no number, numbers at the edges of what there is,
wrong types, arrays of other shapes, layouts and kinds. A draw of some hundreds always, all of them in the slow tests.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hostile_values import Call, all_must_end_well, hostile_cases, must_end_well

import crossbar as xb
from crossbar.circuit import CircuitBuilder
from crossbar.elements.linear import VoltageSources

SHAPE = M, N = 3, 4

pytestmark = pytest.mark.filterwarnings("ignore::crossbar.CrossbarWarning")  # values that look like slips

RNG = np.random.default_rng(160_497)
G = 1e-4 * 10 ** RNG.uniform(-1, 1, SHAPE)
STATES = RNG.choice([-1, 1], SHAPE)
WORD, BIT, GATE = np.array([0.1, 0.2, 0.3]), np.array([0.1, 0.0, 0.2, 0.0]), np.array([1.2, 0.0, 1.2])
R_WORD, R_BIT = np.full((M, N + 1), 2.0), np.full((M + 1, N), 2.0)
JUNCTION = xb.MTJParams(r_p=5e3, tmr=1.0, v_h=0.5)
NMOS = xb.NMOS(kp=2e-4, w=2e-6, l=1e-7, vto=0.4)
LINEAR, JUNCTIONS = xb.PassiveArray(G), xb.PassiveArray(xb.MTJCells(JUNCTION, STATES))
PARALLEL = xb.OneTransistorArray(G, transistor=NMOS)
ORTHOGONAL = xb.OneTransistorArray(xb.MTJCells(JUNCTION, STATES), transistor=NMOS, source_lines="orthogonal")
SOLUTION, OTHER = LINEAR.solve(WORD), PARALLEL.solve(1.2, bit_top=BIT, source_bottom=0.0)
DIVIDER = xb.parse_netlist("divider\nV1 in 0 1\nR1 in out 1k\nR2 out 0 2k\n.end\n").circuit
TABLE = np.linspace(-1, 1, 5)
NONE_BROKEN = xb.mtj.Defects(**{kind: np.zeros(SHAPE, bool) for kind in ("short", "open", "stuck_p", "stuck_ap")})


def in_array(cells: Any) -> object:
    return xb.PassiveArray(cells).solve(WORD)


def with_selector(selector: Any) -> object:
    return in_array(xb.SelectorCells(cells=xb.LinearCells(g=G), selector=selector))


def one_transistor(cells: Any, **options: Any) -> object:
    return xb.OneTransistorArray(cells, **options).solve(1.2, bit_top=BIT, source_bottom=0.0)


def two_elements(node: Any, ohms: Any, volts: Any) -> object:
    builder = CircuitBuilder()
    builder.resistor("r1", node, "0", ohms)
    builder.add_one(VoltageSources, "v1", (node, "0"), value=volts)
    return xb.operating_point(builder.build())


WIRES: dict[str, Any] = {"r_word": R_WORD, "r_bit": R_BIT, "r_driver": 5.0}
DRIVES: dict[str, Any] = {"word_left": WORD, "bit_bottom": BIT}
HINTS: dict[str, Any] = {"rtol": 1e-10, "keep": "nodes", "guess": 0 * G + 0.1}
FET: dict[str, Any] = {"kp": 2e-4, "w": 2e-6, "l": 1e-7, "vto": 0.4, "gamma": 0.3, "phi": 0.7, "lambda_": 0.05,
                       "temperature": 300.0}
CELL: dict[str, Any] = {"row": np.array([1]), "column": np.array([2]), "scheme": "floating", "voltage": 0.1,
                        "sides": ("word_left", "bit_bottom"), "rtol": 1e-10}
CALLS: dict[str, Call] = {
    "PassiveArray": (lambda cells, **k: xb.PassiveArray(cells, **k).solve(WORD), {"cells": G, **WIRES}),
    "PassiveArray, general": (lambda cells, **k: xb.PassiveArray(cells, **k).solve(WORD, method="general"),
                              {"cells": G, **WIRES}),
    "from_resistance": (lambda r: xb.PassiveArray.from_resistance(r).solve(WORD), {"r": 1 / G}),
    "with_cells": (lambda cells: LINEAR.with_cells(cells).solve(WORD), {"cells": G}),
    "solve": (LINEAR.solve, {**DRIVES, **HINTS, "word_right": WORD, "bit_top": BIT, "method": "lines", "start": SOLUTION}),
    "solve junctions": (JUNCTIONS.solve, {**DRIVES, **HINTS, "start": JUNCTIONS.solve(WORD)}),
    "solve states": (lambda states: JUNCTIONS.solve(WORD, states=states), {"states": np.ones((2, *SHAPE))}),
    "solve, general": (lambda **k: JUNCTIONS.solve(method="general", **k), {**DRIVES, **HINTS, "start": JUNCTIONS.solve(WORD)}),
    "1T1R solve": (PARALLEL.solve, {"gate": GATE, "bit_top": BIT, "source_top": BIT, "start": OTHER, **HINTS}),
    "1T1R solve, orthogonal": (ORTHOGONAL.solve, {"gate": GATE, "bit_top": BIT, "source_left": WORD, **HINTS}),
    "1T1R circuit": (lambda **k: xb.operating_point(ORTHOGONAL.to_circuit(**k)),
                     {"gate": GATE, "bit_top": BIT, "source_left": WORD}),
    "OneTransistorArray": (one_transistor, {"cells": G, "transistor": NMOS, "v_bulk": 0.0, "r_bit": R_BIT, "r_source": R_BIT,
                                            "source_lines": "parallel", "r_driver": 5.0}),
    "NMOS": (lambda **k: one_transistor(G, transistor=xb.NMOS(**k)), {**FET, "model": "level1"}),
    "NMOS, ekv": (lambda **k: one_transistor(G, transistor=xb.NMOS(model="ekv", **k)), FET),
    "to_circuit": (lambda **k: xb.operating_point(LINEAR.to_circuit(**k)), {**DRIVES, "word_right": WORD}),
    "transfer": (LINEAR.transfer, {"source": "word_left", "sink": "bit_bottom", "word_right": 0.0}),
    "sensitivity": (lambda **k: LINEAR.sensitivity(**k).conductance,
                    {**DRIVES, "output": "bit_bottom", "weights": BIT, "rtol": 1e-10}),
    "gradient": (JUNCTIONS.gradient, {**DRIVES, "output": "bit_bottom", "weights": BIT, "by": "m_z", "rtol": 1e-10}),
    "jacobian": (LINEAR.jacobian, {**DRIVES, "output": "bit_bottom", "lines": np.array([1, 2]), "by": "scale", "rtol": 1e-10}),
    "terminal_conductance": (lambda side, rtol: LINEAR.terminal_conductance(side, rtol=rtol),
                             {"side": "word_left", "rtol": 1e-10}),
    "effective_conductance": (LINEAR.effective_conductance, {"scheme": "floating", "at": "sense", "sides": CELL["sides"],
                                                             "rtol": 1e-10}),
    "read_breakdown": (LINEAR.read_breakdown, CELL),
    "sense_margin": (LINEAR.sense_margin, {**CELL, "states": (1e-4, 2e-4)}),
    "only": (lambda **k: LINEAR.solve(xb.only(**k)), {"lines": M, "k": 1, "volts": 0.3}),
    "MTJCells": (lambda **k: in_array(xb.MTJCells(**k)), {"params": JUNCTION, "state": STATES, "defects": NONE_BROKEN,
                                                          "g_short": np.full(SHAPE, 1e-2)}),
    "MTJCells of m_z": (lambda m_z: in_array(xb.MTJCells(JUNCTION, m_z=m_z)), {"m_z": 0.5 * STATES}),
    "MTJParams": (lambda **k: in_array(xb.MTJCells(xb.MTJParams(**k), STATES)), {"r_p": 5e3, "tmr": 1.0, "v_h": 0.5}),
    "DiodeSelector": (lambda **k: with_selector(xb.DiodeSelector(**k)), {"i_s": 1e-9, "n": 1.0, "temperature": 300.0}),
    "SinhSelector": (lambda **k: with_selector(xb.SinhSelector(**k)), {"i_s": 1e-9, "v_0": 0.1}),
    "ThresholdSelector": (lambda **k: with_selector(xb.ThresholdSelector(**k)),
                          {"g_off": 1e-9, "g_on": 1e-4, "v_th": 0.2, "width": 0.02}),
    "SelectorCells": (lambda **k: in_array(xb.SelectorCells(**k)),
                      {"cells": xb.LinearCells(g=G), "selector": xb.SinhSelector(i_s=1e-9, v_0=0.1)}),
    "TabulatedCells": (lambda **k: in_array(xb.TabulatedCells(**k)),
                       {"v": TABLE, "i": 1e-4 * TABLE ** 3, "shape": np.array(SHAPE), "kind": "pchip"}),
    "TabulatedCells of two": (lambda **k: in_array(xb.TabulatedCells(**k)),
                              {"v": TABLE, "i": np.stack((1e-4 * TABLE, 1e-5 * TABLE)), "which": (STATES > 0).astype(int)}),
    "operating_point": (xb.operating_point, {"circuit": DIVIDER, "reltol": 1e-3, "abstol": 1e-12, "vntol": 1e-6, "near": None,
                                             "method": "auto"}),
    "dc_sweep": (lambda source, values, outputs: xb.dc_sweep(source, {"v1": values}, outputs=outputs),
                 {"source": DIVIDER, "values": np.array([0.0, 1.0]), "outputs": ["v(out)"]}),
    "with_value": (lambda **k: xb.operating_point(DIVIDER.with_value(**k)), {"name": "r1", "value": 1e3}),
    "source value": (lambda value: xb.operating_point(DIVIDER.with_value("v1", value)), {"value": 1.0}),
    "voltage": (xb.operating_point(DIVIDER).v, {"node": "out", "reference": "0"}),
    "current": (xb.operating_point(DIVIDER).i, {"element": "v1"}),
    "CircuitBuilder": (two_elements, {"node": "a", "ohms": 1e3, "volts": 1.0}),
}

OBJECTS = (SOLUTION, OTHER, LINEAR, PARALLEL, DIVIDER, G)
CASES = hostile_cases(CALLS, OBJECTS)
SOME = [CASES[k] for k in np.random.default_rng(31_337).choice(len(CASES), 600, replace=False)]


def test_the_calls_are_good_as_they_are() -> None:
    """Else a hostile value would not be what is refused."""
    for call, arguments in CALLS.values():
        call(**arguments)


def test_some_hostile_calls_end_well() -> None:
    for name, argument, k in SOME:
        must_end_well(CALLS, OBJECTS, name, argument, k)


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_all_hostile_calls_end_well(name: str) -> None:
    """Some 9500 in all; the limit of memory is that of the machine's record of this process."""
    all_must_end_well(CALLS, OBJECTS, name)


def test_the_message_names_the_argument() -> None:
    """The fault of each of these was once a foreign exception, or none."""
    cases: list[tuple[str, Callable[[], object]]] = [
        ("guess", lambda: JUNCTIONS.solve(WORD, guess=np.full(SHAPE, np.inf))),
        ("guess", lambda: JUNCTIONS.solve(WORD, guess=np.full(SHAPE, 1e200))),
        ("word_left", lambda: LINEAR.solve(1e155)),
        ("gate", lambda: PARALLEL.solve(1e155, bit_top=0.1, source_bottom=0.0)),
        ("i_s", lambda: xb.DiodeSelector(i_s=1e308)),
        ("v_0", lambda: xb.SinhSelector(i_s=1e-7, v_0=1e-320)),
        ("table", lambda: xb.TabulatedCells([-1, 0, 1], [-1e308, 0, 1e308], shape=SHAPE)),
        ("conductance", lambda: xb.PassiveArray(np.full(SHAPE, 1e308))),
        ("r_word", lambda: xb.PassiveArray(G, r_word=1e-320)),
        ("r_driver", lambda: xb.PassiveArray(G, r_driver="5")),
        ("start", lambda: LINEAR.solve(WORD, start=OTHER)),  # type: ignore[arg-type]
        ("start", lambda: LINEAR.solve(WORD, start=G)),  # type: ignore[arg-type]
        ("rtol", lambda: LINEAR.solve(WORD, rtol="x")),  # type: ignore[arg-type]
        ("keep", lambda: LINEAR.solve(WORD, keep=3)),  # type: ignore[arg-type]
        ("method", lambda: LINEAR.solve(WORD, method=None)),  # type: ignore[arg-type]
        ("v_bulk", lambda: xb.OneTransistorArray(G, transistor=NMOS, v_bulk="x")),  # type: ignore[arg-type]
        ("only", lambda: xb.only(3, "x"))]  # type: ignore[arg-type]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for word, call in cases:
            with pytest.raises(xb.DataError, match=word):
                call()
