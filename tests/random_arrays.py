"""Random passive arrays and drives for property tests."""

from dataclasses import dataclass

import numpy as np
import numpy.ma as ma
from hypothesis import strategies as st

from crossbar.arrays import PassiveArray
from crossbar.elements.cells import MTJCells
from crossbar.elements.xbar import SIDES, lines_of
from crossbar.mtj import MTJParams


@dataclass(frozen=True)
class Case:
    """An array and its drives {side: (lines,) masked}; word_left[0] at 0.7 V and bit_bottom[0] at 0 V are always there."""

    array: PassiveArray
    drives: dict
    rng: np.random.Generator


@st.composite
def cases(draw, junctions=st.just(False), openings=st.booleans(), largest=7):
    """Sizes 1 to `largest`, cells spread over decades with some open, wires of r/R 1e-7 to 1 with some of 0 ohm or open,
    drivers, floating ends."""
    shape = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    broken = draw(openings)
    decades = draw(st.sampled_from((0.3, 2.0) if broken else (0.3, 2.0, 6.0)))
    g = 1e-4 * 10 ** rng.uniform(-decades / 2, decades / 2, shape)
    g[rng.random(shape) < draw(st.sampled_from((0.0, 0.3)))] = 0
    cells = g
    if draw(junctions):
        fields = {"r_p": rng.uniform(3e3, 2e4, shape), "tmr": rng.uniform(0.5, 2.0, shape), "v_h": rng.uniform(0.3, 1, shape)}
        cells = MTJCells(MTJParams(**fields), m_z=rng.uniform(-1, 1, shape))

    def segments(size):
        r = 1e4 * 10 ** draw(st.floats(-7, 0)) * rng.uniform(0.3, 3.0, size)
        r[rng.random(size) < draw(st.sampled_from((0.0, 0.3)))] = 0
        if broken:
            r[rng.random(size) < 0.1] = np.inf
        return r
    drivers = {side: rng.uniform(1, 300, lines_of(side, shape)) for side in SIDES}  # no two voltages meet through 0 ohm
    applied = {}
    for side in SIDES:
        lines = lines_of(side, shape)
        share = draw(st.sampled_from((0.0, 0.6, 1.0)))
        applied[side] = ma.array(rng.uniform(-1, 1, lines), mask=rng.random(lines) >= share)
    applied["word_left"][0], applied["bit_bottom"][0] = 0.7, 0.0
    array = PassiveArray(cells, r_word=segments((shape[0], shape[1] + 1)), r_bit=segments((shape[0] + 1, shape[1])),
                         r_driver=drivers)
    return Case(array, applied, rng)
