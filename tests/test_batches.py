"""Every input of a batch is what it is alone: currents, voltages, isolated nodes and derivatives, whatever stands beside it.

Random arrays of all kinds: cells, open segments, mixed open ends, gates that differ, states of the junctions by input.
"""

from typing import Any

import numpy as np
import numpy.ma as ma
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import crossbar as xb
from crossbar.elements.cells import Cells

LAWS = ("linear", "junctions", "tables", "selectors")
BATCH = 4


def some_cells(law: str, shape: tuple[int, int], rng: np.random.Generator) -> Cells:
    """A fifth of the cells are open."""
    opened = rng.random(shape) < 0.2
    g = np.where(opened, 0.0, 1e-4 * 10 ** rng.uniform(-1, 1, shape))
    if law == "linear":
        return xb.LinearCells(g=g)
    if law == "junctions":
        return xb.MTJCells(xb.MTJParams(r_p=5e3, tmr=1.0, v_h=0.5), rng.choice([-1, 1], shape), xb.mtj.Defects(
            short=np.zeros(shape, bool), open=opened, stuck_p=np.zeros(shape, bool), stuck_ap=np.zeros(shape, bool)))
    if law == "tables":
        v = np.linspace(-1.5, 1.5, 7)
        return xb.TabulatedCells(v, g[..., None] * (v + 0.3 * v ** 3))
    return xb.SelectorCells(cells=xb.LinearCells(g=g), selector=xb.SinhSelector(i_s=1e-6, v_0=0.2))


def wires(shape: tuple[int, int], broken: bool, rng: np.random.Generator) -> np.ndarray:
    r = rng.uniform(0.5, 5, shape)
    if broken:
        r[rng.random(shape) < 0.15] = np.inf
    return r


def batch_of_drives(lines: int, driven: float, mixed: bool, rng: np.random.Generator) -> ma.MaskedArray:
    """(BATCH, lines); a share of the ends is `driven`, the same for all inputs or not."""
    mask = rng.random((BATCH if mixed else 1, lines)) >= driven
    return ma.array(rng.uniform(-1, 1, (BATCH, lines)), mask=np.array(np.broadcast_to(mask, (BATCH, lines))))


def must_be_alone(whole: Any, k: int, alone: Any) -> None:
    """Input k of a batch and the same input by itself, to what two solves with rtol = 1e-9 may differ, or rounding of 1 V at
    cells of at most 1e-3 S where nothing flows."""
    carried = np.abs(alone.cell_current).sum() + sum(np.abs(i).sum() for i in alone.terminal_current.values())
    bound = 1e-7 * carried + 8 * np.finfo(float).eps * 1e-3 * alone.cell_current.size
    for side, current in alone.terminal_current.items():
        assert_allclose(whole.terminal_current[side][k], current, rtol=0, atol=bound)
    assert_allclose(whole.cell_current[k], alone.cell_current, rtol=0, atol=bound)
    for nodes, own in zip(whole.nodes, alone.nodes, strict=True):
        assert (np.isnan(nodes[k]) == np.isnan(own)).all()


@settings(max_examples=120)
@given(law=st.sampled_from(LAWS), seed=st.integers(0, 2 ** 32 - 1), m=st.integers(1, 5), n=st.integers(1, 5),
       broken=st.booleans(), mixed=st.booleans(), driven=st.sampled_from((0.3, 0.7, 1.0)),
       method=st.sampled_from(("lines", "lines", "general")))
def test_property_passive_inputs_are_what_they_are_alone(law: str, seed: int, m: int, n: int, broken: bool, mixed: bool,
                                                         driven: float, method: Any) -> None:
    rng = np.random.default_rng(seed)
    array = xb.PassiveArray(some_cells(law, (m, n), rng), r_word=wires((m, n + 1), broken, rng),
                            r_bit=wires((m + 1, n), broken, rng), r_driver=10.0)
    drives = {side: batch_of_drives(m if side.startswith("word") else n, driven, mixed, rng)
              for side in ("word_left", "word_right", "bit_top", "bit_bottom")}
    drives["word_left"].mask[:, 0] = False
    states = {"states": rng.uniform(-1, 1, (BATCH, m, n))} if law == "junctions" else {}
    whole = array.solve(**drives, **states, method=method)
    for k in range(BATCH):
        one = {"states": states["states"][k:k + 1]} if states else {}
        alone = array.solve(**{side: v[k:k + 1] for side, v in drives.items()}, **one, method=method)
        must_be_alone(whole, k, _first(alone))


def _first(solution: Any) -> Any:
    """The only input of a batch of one, as a solution without a batch axis."""
    from dataclasses import replace
    fields: dict[str, Any] = {
        "terminal_voltage": {side: v[0] for side, v in solution.terminal_voltage.items()},
        "terminal_current": {side: i[0] for side, i in solution.terminal_current.items()},
        "nodes": tuple(x[0] for x in solution.nodes), "residual": solution.residual[0],
        "relative_residual": solution.relative_residual[0]}
    if hasattr(solution, "gate"):
        fields |= {"gate": solution.gate[0], "share": solution.share[0]}
        if solution.cells.cells.stacked:
            fields["cells"] = replace(solution.cells, cells=solution.cells.cells.of_input(0))
    elif solution.cells.stacked:
        fields["cells"] = solution.cells.of_input(0)
    return replace(solution, **fields)


@settings(max_examples=120)
@given(law=st.sampled_from(("linear", "junctions")), seed=st.integers(0, 2 ** 32 - 1), m=st.integers(1, 5), n=st.integers(1, 5),
       broken=st.booleans(), mixed=st.booleans(), driven=st.sampled_from((0.3, 0.7, 1.0)),
       model=st.sampled_from(("level1", "ekv")), source_lines=st.sampled_from(("parallel", "orthogonal")))
def test_property_transistor_inputs_are_what_they_are_alone(law: str, seed: int, m: int, n: int, broken: bool, mixed: bool,
                                                            driven: float, model: Any, source_lines: Any) -> None:
    """Gates on, off and between, so that lines float for some inputs and not for others."""
    rng = np.random.default_rng(seed)
    nmos = xb.NMOS(kp=2e-4, w=2e-6, l=1e-7, vto=0.4, gamma=0.3, model=model)
    crossed = source_lines == "orthogonal"
    array = xb.OneTransistorArray(
        some_cells(law, (m, n), rng), transistor=nmos, source_lines=source_lines, r_bit=wires((m + 1, n), broken, rng),
        r_source=wires((m, n + 1) if crossed else (m + 1, n), broken, rng), r_driver=10.0)
    sides = {side: batch_of_drives(m if side.endswith(("left", "right")) else n, driven, mixed, rng) for side in array.sides}
    for k, side in enumerate(array.sides):  # voltages at which what is on stays on
        sides[side] = ma.array(0.1 * sides[side].data + 0.3 * (k > 1), mask=ma.getmaskarray(sides[side]).copy())
    sides[array.sides[0]].mask[:, 0] = False
    gate = rng.choice([0.0, 1.2], (BATCH, m))
    states = {"states": rng.uniform(-1, 1, (BATCH, m, n))} if law == "junctions" else {}

    def input_alone(k: int) -> Any:
        one = {"states": states["states"][k:k + 1]} if states else {}
        return _first(array.solve(gate[k:k + 1], **{side: v[k:k + 1] for side, v in sides.items()}, **one, rtol=1e-9))
    try:
        alone = [input_alone(k) for k in range(BATCH)]
    except xb.ConvergenceError:  # lines that hang on leakage alone may be beyond double precision; a batch needs all inputs
        reject()
    whole = array.solve(gate, **sides, **states, rtol=1e-9)
    for k in range(BATCH):
        must_be_alone(whole, k, alone[k])
        if model == "level1":  # lines that float on leakage have voltages that few of the currents depend on
            assert_allclose(whole.mtj_voltage[k], alone[k].mtj_voltage, rtol=0, atol=1e-6)


@pytest.mark.parametrize("source_lines", ["parallel", "orthogonal"])
@pytest.mark.parametrize("gates", [(1.2, 0.0, 0.0), (0.0, 1.2, 0.0), (0.0, 0.0, 0.0)])
def test_a_floating_line_knows_its_own_gate_only(gates: tuple[float, ...], source_lines: Any) -> None:
    """1 x 1, source driven, bit line floating: behind a transistor that is off it has no voltage, behind one that is on that of
    the source."""
    array = xb.OneTransistorArray([[1e-4]], transistor=xb.NMOS(kp=2e-4, w=2e-6, l=1e-7, vto=0.4), source_lines=source_lines)
    s = array.solve(np.reshape(gates, (3, 1)), **{array.sides[0]: 0.1})  # type: ignore[arg-type]
    assert_allclose(s.bit_voltage.ravel(), np.where(np.greater(gates, 0.5), 0.1, np.nan), rtol=1e-12)
    circuits = [array.to_circuit(gate, **{array.sides[0]: 0.1}) for gate in gates]
    assert [("bl[0,0]" in c.nodes and bool(c.batches[-1].nodes.size)) for c in circuits] == list(np.greater(gates, 0.5))


def test_a_level_of_the_batch_does_not_switch_a_transistor_on() -> None:
    """Gate 0.2 V, threshold 0.4 V: on for the input at -1 V, off for the one at 0 V, whose bit line is isolated."""
    array = xb.OneTransistorArray([[1e-4]], transistor=xb.NMOS(kp=2e-4, w=2e-6, l=1e-7, vto=0.4))
    s = array.solve(0.2, source_top=np.array([[-1.0], [0.0]]))
    assert_allclose(s.bit_voltage.ravel(), [-1.0, np.nan], rtol=1e-12)


@settings(max_examples=60)
@given(law=st.sampled_from(("linear", "junctions", "tables")), seed=st.integers(0, 2 ** 32 - 1), mixed=st.booleans())
def test_property_derivatives_are_what_they_are_alone(law: str, seed: int, mixed: bool) -> None:
    rng = np.random.default_rng(seed)
    m, n = 4, 3
    array = xb.PassiveArray(some_cells(law, (m, n), rng), r_word=wires((m, n + 1), True, rng),
                            r_bit=wires((m + 1, n), True, rng), r_driver=10.0)
    drives = {"word_left": batch_of_drives(m, 0.6, mixed, rng), "bit_bottom": batch_of_drives(n, 0.6, mixed, rng)}
    drives["word_left"].mask[:, 0] = False
    drives["bit_bottom"].mask[:, 0] = False
    whole = array.sensitivity(**drives, weights=np.arange(1.0, n + 1))
    for k in range(BATCH):
        alone = array.sensitivity(**{side: v[k:k + 1] for side, v in drives.items()}, weights=np.arange(1.0, n + 1))
        largest = np.abs(alone.conductance).max() + 1e-300
        assert_allclose(whole.conductance[k], alone.conductance[0], rtol=0, atol=1e-7 * largest + 1e-12)
