"""A tolerance is one number, positive and small enough to mean something; everything else is refused by name, everywhere."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import crossbar as xb
from crossbar.checks import MOST

SHAPE = (3, 2)
ARRAY = xb.PassiveArray(np.full(SHAPE, 1e-4))
ONE_TRANSISTOR = xb.OneTransistorArray(np.full(SHAPE, 1e-4), transistor=xb.NMOS(kp=2e-4, w=2e-6, l=1e-7, vto=0.4))
CIRCUIT = xb.parse_netlist("divider\nV1 in 0 1\nR1 in out 1k\nR2 out 0 1k\n").circuit
JUNCTIONS = xb.PassiveArray(xb.MTJCells(xb.mtj.presets["mtj-60kT"], np.ones(SHAPE, int)))


def program(rtol: Any) -> object:
    return xb.program(JUNCTIONS, -np.ones(SHAPE, int), pulse=xb.Pulse(0.6, 1e-8), rtol=rtol, rng=np.random.default_rng(7))


RELATIVE: dict[str, Callable[[Any], object]] = {
    "solve": lambda rtol: ARRAY.solve(0.1, rtol=rtol),
    "solve, general": lambda rtol: ARRAY.solve(0.1, rtol=rtol, method="general"),
    "solve, 1T1R": lambda rtol: ONE_TRANSISTOR.solve(1.2, bit_top=0.1, source_bottom=0.0, rtol=rtol),
    "sensitivity": lambda rtol: ARRAY.sensitivity(0.1, rtol=rtol),
    "gradient": lambda rtol: ARRAY.gradient(0.1, rtol=rtol),
    "jacobian": lambda rtol: ARRAY.jacobian(0.1, rtol=rtol),
    "terminal_conductance": lambda rtol: ARRAY.terminal_conductance(rtol=rtol),
    "effective_conductance": lambda rtol: ARRAY.effective_conductance(rtol=rtol),
    "read_breakdown": lambda rtol: ARRAY.read_breakdown(rtol=rtol),
    "read_breakdown of one cell": lambda rtol: ARRAY.read_breakdown(1, 1, rtol=rtol),
    "sense_margin": lambda rtol: ARRAY.sense_margin(states=(2e-4, 1e-4), rtol=rtol),
    "sense_margin of junctions": lambda rtol: JUNCTIONS.sense_margin(0, 0, rtol=rtol),
    "program": program,
}
BAD = (np.inf, np.nan, 0.0, -1e-9, 0.02, "1e-9", None, [1e-9, 1e-9], 1j, True)


@pytest.mark.parametrize("value", BAD, ids=repr)
@pytest.mark.parametrize("name", RELATIVE)
def test_no_rtol_that_means_nothing(name: str, value: Any) -> None:
    with pytest.raises(xb.DataError, match="rtol"):
        RELATIVE[name](value)


@pytest.mark.parametrize("name", RELATIVE)
def test_the_largest_rtol_is_taken(name: str) -> None:
    RELATIVE[name](MOST["rtol"])


@pytest.mark.parametrize("value", [x for x in BAD if x is not True and x != 0.02] + [1.0], ids=repr)
@pytest.mark.parametrize("name", ["reltol", "abstol", "vntol"])
def test_no_tolerance_of_a_circuit_that_means_nothing(name: str, value: Any) -> None:
    with pytest.raises(xb.DataError, match=name):
        xb.operating_point(CIRCUIT, **{name: value})
    with pytest.raises(xb.DataError, match=name):
        xb.dc_sweep(CIRCUIT, {"v1": [1.0]}, **{name: value})


@pytest.mark.parametrize(("name", "value"), [("reltol", "0.2"), ("abstol", "1"), ("vntol", "1"), ("abstol", "1e308")])
def test_the_deck_says_where_a_tolerance_is_too_large(name: str, value: str) -> None:
    with pytest.raises(xb.NetlistError) as caught:
        xb.parse_netlist(f"divider\nV1 in 0 1\nR1 in 0 1k\n.options {name}={value}\n")
    assert [(p.line, name in p.text) for p in caught.value.problems] == [(4, True)]
