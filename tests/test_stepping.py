"""Pulses followed from within against macrospins (s-LLGS) in a 2 x 2 array whose cells pull at each other's voltage.

Every line hangs on a driver of the order of a junction, so that a cell which switches early to P, or to AP, takes or leaves its
neighbours much of their voltage. The oracle is a network of four conductances, solved densely, and four macrospins a write.
"""

import numpy as np
import pytest
from write_physics import ABOVE, BELOW, CASES, Case, macrospins, programmed

import crossbar as xb
from crossbar.writing import LineScheme, Stepping

P = xb.mtj.presets["mtj-60kT"]
SIGMA = 4.0


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng([4711, seed])


def differ(a: np.ndarray, b: np.ndarray) -> float:
    """Difference of two shares in units of its standard deviation."""
    p = (a.sum() + b.sum()) / (a.size + b.size)
    return float(abs(a.mean() - b.mean()) / np.sqrt(p * (1 - p) * (1 / a.size + 1 / b.size)))


@pytest.mark.parametrize("case", [pytest.param(c, id=c.name, marks=[pytest.mark.slow] * (c is BELOW)) for c in CASES])
def test_stepping_is_the_macrospins(case: Case) -> None:
    """Shares of writes in which none, one or both cells of the row flipped, within SIGMA; the one-shot formula is off."""
    n = 1500
    spins = macrospins(case, n, rng(1))
    stepped, at_once = (programmed(case, 2 * n, rng(2), stepping) for stepping in (Stepping(), None))
    for k in range(3):
        assert differ(spins == k, stepped == k) < SIGMA
    assert max(differ(spins == k, at_once == k) for k in range(3)) > 2 * SIGMA


def test_lone_cell_is_fokker_planck() -> None:
    """Without coupling there is nothing to follow."""
    array = xb.PassiveArray(xb.MTJCells(P.replace(v_h=np.inf), [[-1]]), r_word=0.0, r_bit=0.0)
    report = xb.program(array, [[1]], pulse=xb.Pulse(0.6, 5e-9), stepping=Stepping(), repeats=4000, rng=np.random.default_rng(91))
    p = xb.mtj.write_error_rate(0.6, 5e-9, P.replace(v_h=np.inf), -1)
    assert abs(report.error_rate - p) < SIGMA * np.sqrt(p * (1 - p) / 4000) and 0.05 < p < 0.95


@pytest.mark.slow
def test_finer_steps_say_the_same() -> None:
    usual, fine = (programmed(ABOVE, 3000, rng(4), s) for s in (Stepping(), Stepping(tolerance=0.005, look=0.05)))
    for k in range(3):
        assert differ(usual == k, fine == k) < SIGMA


def test_edges_and_gaps() -> None:
    """Edges add to the pulse: it errs less; the moments go on through a gap."""
    array = xb.PassiveArray(xb.MTJCells(P, -np.ones((2, 2))))
    rates = []
    for pulse in (xb.Pulse(0.55, 4e-9), xb.Pulse(0.55, 4e-9, rise=3e-9, fall=3e-9), xb.Pulse(0.55, 4e-9, count=2, gap=0.2e-9)):
        report = xb.program(array, np.ones((2, 2)), pulse=pulse, scheme=LineScheme(xb.SCHEMES["v/3"]), stepping=Stepping(),
                            repeats=1000, rng=np.random.default_rng(92))
        rates.append(report.error_rate)
        assert np.isclose(report.time[0], 2 * pulse.count * (4e-9 + pulse.rise + pulse.fall + pulse.gap))
        np.testing.assert_allclose(report.energy.dissipated, report.energy.sources, rtol=1e-9)
    assert 0.9 > rates[0] > 2 * rates[1] and rates[0] > 2 * rates[2] and report.expected_error is None


def test_a_short_hides_nothing() -> None:
    """Its current is the largest, and its overdrive means nothing."""
    found = []
    for short in (False, True):
        defects = xb.mtj.Defects(short=np.array([[False, False, False], [False, False, short]]))
        driver = {"word_left": np.array([4e3, 0.0]), "bit_bottom": np.array([4e3, 4e3, 0.0])}
        array = xb.PassiveArray(xb.MTJCells(P, -np.ones((2, 3)), defects), r_word=0.0, r_bit=0.0, r_driver=driver)
        only = np.array([[True, True, False], [False, False, False]])
        report = xb.program(array, np.ones((2, 3)), pulse=xb.Pulse(1.3, 4e-9), scheme="v/3", only=only, stepping=Stepping(),
                            repeats=1500, breakdown=5.0, rng=rng(5))
        found.append((report.states[:, 0, :2] > 0).sum(axis=1))
        assert report.solves > 10
    assert all(differ(found[0] == k, found[1] == k) < SIGMA for k in range(3))


def test_refuses_voltage_controlled_anisotropy() -> None:
    array = xb.PassiveArray(xb.MTJCells(P.replace(xi=30e-15), -np.ones((2, 2))))
    with pytest.raises(xb.DataError, match="xi = 0"):
        xb.program(array, np.ones((2, 2)), pulse=xb.Pulse(0.5, 3e-9), stepping=Stepping(), rng=np.random.default_rng(1))
