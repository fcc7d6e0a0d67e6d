"""Passive arrays at random: the structured path against the general one, and conservation of charge and energy.

Sizes, driven ends, floating lines, segments of 0 and infinite ohm, drivers, defects, cells that spread over six decades, wires
from 1e-7 of the cells to as large; linear cells, junctions and tables. The two paths share no solver code.
"""

from dataclasses import dataclass

import numpy as np
import numpy.ma as ma
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from test_passive_limits import flows

from crossbar.arrays import PassiveArray, only
from crossbar.elements.cells import LinearCells, MTJCells
from crossbar.elements.tables import TabulatedCells
from crossbar.elements.xbar import SIDES
from crossbar.mtj import MTJParams, sample_defects

LAWS = ("linear", "junctions", "tables")
WIRES = ("equal", "finite", "zeros", "openings", "zeros and openings")
ENDS = ("none", "one", "some", "all")
R_CELL = 1e5  # geometric mean of the cells [ohm]


@dataclass(frozen=True)
class Case:
    """An array and the voltages at its terminals. Everything follows from a few numbers, so that a failure is a line."""

    shape: tuple[int, int]
    law: str
    decades: float         # of the cells' resistances
    ratio: float           # wire segment / cell resistance
    wires: tuple[str, str]
    ends: tuple[str, str, str, str]
    defects: bool
    driver: float          # driver / cell resistance; at least 1e-3 at word_right and bit_bottom
    seed: int

    @property
    def applied(self):
        """Both ends of a line are driven to voltages so close that what flows along it is of the size of a cell current: the
        general path knows no cell current below the rounding of the largest current in the circuit."""
        rng, out = np.random.default_rng([self.seed, 1]), {}
        for side, ends in zip(SIDES, self.ends, strict=True):
            lines = self.shape[0] if side.startswith("word") else self.shape[1]
            if side in SIDES[::2]:
                volts = rng.uniform(-1, 1, lines)
            else:
                volts = volts + min(1.0, self.driver + 1e-3) * rng.uniform(-1, 1, lines)
            if ends == "one":
                k = int(rng.integers(lines))
                out[side] = only(lines, k, volts[k])
            else:
                out[side] = ma.array(volts, mask=rng.random(lines) >= {"none": 0.0, "some": 0.5, "all": 1.0}[ends])
        return out

    @property
    def array(self):
        rng = np.random.default_rng([self.seed, 2])
        m, n = self.shape
        r = R_CELL * 10 ** rng.uniform(-self.decades / 2, self.decades / 2, self.shape)
        rates = dict.fromkeys(("short", "open", "stuck_p", "stuck_ap"), 0.1 if self.defects else 0.0)
        if self.law == "linear":
            rates |= {"stuck_p": 0.0, "stuck_ap": 0.0}
        # shorts within the spread, of a kilohm where there is none
        g_short = 1 / (R_CELL * 10 ** -max(self.decades / 2, 2))
        cells = {"linear": self._linear, "junctions": self._junctions, "tables": self._tables}[self.law](
            r, sample_defects(self.shape, rng, **rates), g_short, rng)
        # a short between two sources is an error of its own: one of them gets a resistance
        drivers = {side: R_CELL * self.driver * rng.uniform(0.5, 1, m if side.startswith("word") else n)
                   for side in SIDES}
        for side in SIDES[1::2]:
            drivers[side] = drivers[side] + 1e-3 * R_CELL
        return PassiveArray(cells, r_word=self._segments(self.wires[0], (m, n + 1), rng),
                            r_bit=self._segments(self.wires[1], (m + 1, n), rng), r_driver=drivers)

    def _segments(self, kind, size, rng):
        r = R_CELL * self.ratio * (np.ones(size) if kind == "equal" else 10 ** rng.uniform(-1, 1, size))
        if "zeros" in kind:
            r[rng.random(size) < 0.3] = 0
        if "openings" in kind:
            r[rng.random(size) < 0.12] = np.inf
        return r

    @staticmethod
    def _linear(r, defects, g_short, rng):
        return LinearCells(g=1 / r).with_defects(defects, g_short)

    @staticmethod
    def _junctions(r, defects, g_short, rng):
        p = MTJParams(r_p=r, tmr=rng.uniform(0.5, 3, r.shape), v_h=rng.uniform(0.2, 1, r.shape))
        return MTJCells(p, m_z=np.where(rng.random(r.shape) < 0.3, rng.uniform(-1, 1, r.shape), rng.choice([-1, 1], r.shape)),
                        defects=defects, g_short=g_short)

    @staticmethod
    def _tables(r, defects, g_short, rng):
        """Odd curves that bend upwards or downwards, each cell its own."""
        v = np.linspace(-1.5, 1.5, 7)
        bend = rng.uniform(-0.2, 1, r.shape)[..., None]
        return TabulatedCells(v, (v + bend * v ** 3) / r[..., None] * ~defects.open[..., None])


@st.composite
def cases(draw, laws=LAWS, wires=WIRES):
    case = Case(shape=(draw(st.integers(1, 12)), draw(st.integers(1, 12))), law=draw(st.sampled_from(laws)),
                decades=draw(st.sampled_from((0.0, 1.0, 3.0, 6.0))), ratio=10 ** draw(st.sampled_from((-7, -5, -3, -2, -1, 0))),
                wires=(draw(st.sampled_from(wires)), draw(st.sampled_from(wires))),
                ends=tuple(draw(st.sampled_from(ENDS)) for _ in SIDES), defects=draw(st.booleans()),
                driver=draw(st.sampled_from((0.0, 1e-4, 1e-2, 1.0))), seed=draw(st.integers(0, 2**32 - 1)))
    assume(any(ends != "none" for ends in case.ends) and any(not ma.getmaskarray(v).all() for v in case.applied.values()))
    return case


def currents(s):
    """Terminal currents of all sides [A]."""
    return np.concatenate([s.terminal_current[side] for side in SIDES], axis=-1)


@dataclass(frozen=True)
class Given:
    array: PassiveArray
    applied: dict


def solved(case, given=assume):
    """Array, drives and the general path's solution.

    Left to other tests (`given` says no) are cases in which no current flows through cells, but at most along lines, and those
    whose cell currents, all together, are lost in the rounding of slope times voltage: no solver can certify them to 1e-10.
    """
    array, applied = case.array, case.applied
    level = dict(applied)
    for near, far in (SIDES[:2], SIDES[2:]):
        both = ~ma.getmaskarray(applied[near]) & ~ma.getmaskarray(applied[far])
        level[far] = ma.array(np.where(both, applied[near].data, applied[far].data), mask=ma.getmaskarray(applied[far]))
    given(flows(Given(array, level)))
    general = array.solve(**applied, method="general")
    slopes = array.cells.current(np.nan_to_num(general.cell_voltage))[1]
    volts = max(np.nanmax(np.abs(x)) for x in (general.word_voltage, general.bit_voltage))
    given(8 * np.finfo(float).eps * volts * slopes.sum() < 1e-10 * np.abs(general.cell_current).sum())
    return array, applied, general


def certain(condition):
    assert condition


def agree(lines, general):
    """Terminal and cell currents to 1e-9 of the largest, the same isolated nodes, both certified."""
    largest = max(np.abs(general.cell_current).max(), np.abs(currents(general)).max())
    assert_allclose(currents(lines), currents(general), rtol=0, atol=1e-9 * largest)
    assert_allclose(lines.cell_current, general.cell_current, rtol=0, atol=1e-9 * largest)
    assert lines.isolated == general.isolated
    assert max(lines.relative_residual, general.relative_residual) <= 1e-10


def balanced(array, s):
    """What the sources give is what cells, wires and drivers take; no current is lost; nothing passive delivers.

    To 1e-9 of all |v i| at the terminals: sources at nearly the same voltage exchange more than they give.
    """
    carried = np.abs(s.cell_current).sum() + np.abs(currents(s)).sum()
    assert abs(currents(s).sum()) <= 1e-9 * carried
    power, exchanged = s.power, sum(np.nansum(np.abs(s.terminal_voltage[side] * s.terminal_current[side])) for side in SIDES)
    taken = [power[kind] for kind in ("cells", "wires", "drivers")]
    assert min(taken) >= 0 and (s.cell_current * np.nan_to_num(s.cell_voltage) >= 0).all()
    assert abs(power["sources"] - sum(taken)) <= 1e-9 * exchanged
    for i, r in zip(s.segment_current, (array.r_word, array.r_bit), strict=True):
        assert (i[np.isinf(r)] == 0).all()


@pytest.mark.parametrize("law", LAWS)
@settings(max_examples=150)
@given(data=st.data())
def test_property_structured_is_general(law, data):
    array, applied, general = solved(data.draw(cases(laws=(law,))))
    lines = array.solve(**applied)
    agree(lines, general)
    balanced(array, lines)


# Found by the search above, when tables ended flat: floating lines beyond their cells' tables
@pytest.mark.parametrize(
    "case",
    [
        Case((6, 1), "tables", 0.0, 0.1, ("openings", "zeros and openings"), ("some", "one", "some", "one"), False, 1e-2, 6),
        Case((8, 11), "tables", 0.0, 1e-7, ("equal", "openings"), ("one", "none", "none", "one"), False, 0.0, 1_605_846),
        Case((6, 6), "tables", 1.0, 1e-5, ("equal", "zeros and openings"), ("all", "all", "some", "one"), True, 1e-2,
             30_336_298),
        Case((12, 9), "tables", 6.0, 0.1, ("openings", "zeros"), ("none", "all", "all", "all"), True, 1.0, 27_760_503),
    ],
    ids=lambda case: f"{case.shape[0]}x{case.shape[1]}",
)
def test_lines_that_float_beyond_the_tables(case):
    array, applied, general = solved(case, certain)
    lines = array.solve(**applied)
    agree(lines, general)
    balanced(array, lines)


@settings(max_examples=60)
@given(cases(laws=("linear", "junctions")))
def test_property_batch_is_a_loop(case):
    """Inputs with the same open ends, solved side by side, are the inputs solved one by one."""
    array, applied, _ = solved(case)
    factors = np.array([1.0, -0.4, 0.0, 0.01])
    batch = {side: ma.array(np.outer(factors, v.filled(0.0)), mask=np.tile(ma.getmaskarray(v), (4, 1)))
             for side, v in applied.items()}
    together = currents(array.solve(**batch))
    for k, factor in enumerate(factors):
        alone = currents(array.solve(**{side: v * factor for side, v in applied.items()}))
        assert_allclose(together[k], alone, rtol=0, atol=2e-9 * np.abs(alone).max() + 1e-25)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("ratio", [1e-7, 1e-4, 1e-2, 1.0])
@pytest.mark.parametrize("decades", [0.0, 6.0])
def test_a_larger_array(law, ratio, decades):
    """48 x 40 with defects, floating lines on both planes."""
    case = Case((48, 40), law, decades, ratio, ("finite", "finite"), ("some", "none", "none", "some"), True, 1e-2, 913_402_771)
    array, applied, general = solved(case, certain)
    lines = array.solve(**applied)
    agree(lines, general)
    balanced(array, lines)
