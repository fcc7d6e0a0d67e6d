"""Hints of a solve: used on every path, right whatever they are, refused by name where they cannot be used."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import crossbar as xb

SHAPE = (5, 4)
RNG = np.random.default_rng(918_273)
G = 1e-4 * 10 ** RNG.uniform(-1, 1, SHAPE)
STATES = RNG.choice([-1, 1], SHAPE)
VOLTS = RNG.uniform(0.2, 1.0, (3, SHAPE[0]))
ARRAYS = {
    "junctions": xb.PassiveArray(xb.MTJCells(xb.MTJParams(r_p=5e3, tmr=1.0, v_h=0.5), STATES), r_word=200.0, r_bit=200.0),
    "selectors": xb.PassiveArray(xb.SelectorCells(cells=xb.LinearCells(g=G), selector=xb.SinhSelector(i_s=1e-7, v_0=0.1)),
                                 r_word=200.0, r_bit=200.0),
}
LINEAR = xb.PassiveArray(G, r_word=200.0, r_bit=200.0)


@pytest.mark.parametrize("name", ARRAYS)
def test_the_general_path_takes_fewer_steps_from_a_hint(name: str) -> None:
    """From the solution Newton's method needs a step, and one to confirm it; from a solution at drives a thousandth lower
    fewer than from 0 V."""
    array, inputs = ARRAYS[name], len(VOLTS)
    cold = array.solve(VOLTS, method="general")
    nearby = array.solve(0.999 * VOLTS)
    cases: list[tuple[dict[str, Any], int]] = [
        ({"start": cold}, 2 * inputs), ({"guess": cold.cell_voltage}, 2 * inputs),
        ({"start": nearby}, cold.iterations - 1), ({"guess": nearby.cell_voltage}, cold.iterations - 1)]
    for hint, most in cases:
        warm = array.solve(VOLTS, method="general", **hint)
        assert warm.iterations <= most
        assert_allclose(warm.bit_current, cold.bit_current, rtol=1e-9)


@pytest.mark.parametrize("method", ["lines", "general"])
@pytest.mark.parametrize("name", [*ARRAYS, "linear"])
def test_a_wild_hint_changes_nothing(name: str, method: Any) -> None:
    array = ARRAYS.get(name, LINEAR)
    expected = array.solve(VOLTS).bit_current
    wild = RNG.uniform(-5, 5, (3, *SHAPE))
    for hint in ({"start": array.solve(-VOLTS)}, {"start": LINEAR.solve(100 * VOLTS[0])}, {"guess": wild}, {"guess": 0 * wild},
                 {"guess": np.nan * wild}):
        s = array.solve(VOLTS, method=method, **hint)  # type: ignore[arg-type]
        assert_allclose(s.bit_current, expected, rtol=1e-8)
