"""Pulses followed from within against macrospins (s-LLGS) in a 2 x 2 array whose cells pull at each other's voltage.

Every line hangs on a driver of the order of a junction, so that a cell which switches early to P, or to AP, takes or leaves its
neighbours much of their voltage. The oracle is a network of four conductances, solved densely, and four macrospins a write.
"""

from dataclasses import dataclass

import numpy as np
import pytest

import crossbar as xb
from crossbar.writing import LineScheme, Stepping

P = xb.mtj.presets["mtj-60kT"]
R = 4e3          # of every driver [ohm]
CHUNK = 10e-12   # for which the oracle's voltages stand still [s]
SIGMA = 4.0


@dataclass(frozen=True)
class Case:
    state: int       # of all cells at the beginning
    volts: float     # amplitude
    width: float
    stepping: Stepping = Stepping()

    @property
    def array(self) -> xb.PassiveArray:
        return xb.PassiveArray(xb.MTJCells(P, np.full((2, 2), self.state)), r_word=0.0, r_bit=0.0, r_driver=R)


#: with the overdrive of the cells of row 0 at the beginning of the pulse
ABOVE = Case(state=-1, volts=1.3, width=4e-9)    # i = 1.48
BELOW = Case(state=-1, volts=0.78, width=25e-9)  # 0.83
AWAY = Case(state=1, volts=2.1, width=5e-9)      # 1.29


def programmed(case: Case, repeats: int, seed: int, stepping: Stepping | None) -> xb.WriteReport:
    """Row 0 written at once, row 1 grounded."""
    only = np.array([[True, True], [False, False]])
    return xb.program(case.array, np.full((2, 2), -case.state), pulse=xb.Pulse(case.volts, case.width), scheme="grounded",
                      only=only, repeats=repeats, stepping=stepping, breakdown=5.0, rng=np.random.default_rng([4711, seed]))


def macrospins(case: Case, n: int, seed: int) -> np.ndarray:
    """Which cells of row 0 (n, 2) are on the other side at the end."""
    rng = np.random.default_rng([815, seed])
    sign = -case.state
    m = None
    z, volts = np.full((n, 2, 2), float(case.state)), np.full((n, 2, 2), 0.1 * sign)
    for _ in range(round(case.width / CHUNK)):
        g = xb.mtj.current(volts, P, z)[0] / volts
        a = np.zeros((n, 4, 4))
        a[:, :2, :2] = np.eye(2) / R + g.sum(axis=2)[:, :, None] * np.eye(2)
        a[:, 2:, 2:] = np.eye(2) / R + g.sum(axis=1)[:, :, None] * np.eye(2)
        a[:, :2, 2:], a[:, 2:, :2] = -g, -np.swapaxes(g, 1, 2)
        x = np.linalg.solve(a, np.broadcast_to(np.array([sign * case.volts / R, 0, 0, 0])[:, None], (n, 4, 1)))[..., 0]
        volts = x[:, :2, None] - x[:, None, 2:]
        end = xb.mtj.simulate_llgs(P, volts.ravel(), CHUNK, 4 * n, rng, state=case.state, m0=m, progress=False)
        m = end.final
        z = m[:, 2].reshape(n, 2, 2)
    return (z[:, 0] * case.state) < 0


def differ(a: np.ndarray, b: np.ndarray) -> float:
    """Difference of two shares in units of its standard deviation."""
    p = (a.sum() + b.sum()) / (a.size + b.size)
    return float(abs(a.mean() - b.mean()) / np.sqrt(p * (1 - p) * (1 / a.size + 1 / b.size)))


@pytest.mark.parametrize("case", [ABOVE, BELOW, AWAY], ids=["above i = 1", "below i = 1", "P to AP"])
def test_stepping_is_the_macrospins(case: Case) -> None:
    """Shares of writes in which none, one or both cells of the row flipped, within SIGMA; the one-shot formula is off."""
    n = 1500
    spins = macrospins(case, n, 1).sum(axis=1)
    stepped = (programmed(case, 2 * n, 2, case.stepping).states[:, 0] != case.state).sum(axis=1)
    at_once = (programmed(case, 2 * n, 3, None).states[:, 0] != case.state).sum(axis=1)
    print([np.bincount(x, minlength=3) / x.size for x in (spins, stepped, at_once)])
    for k in range(3):
        assert differ(spins == k, stepped == k) < SIGMA
    assert max(differ(spins == k, at_once == k) for k in range(3)) > 2 * SIGMA


def test_lone_cell_is_fokker_planck() -> None:
    """Without coupling there is nothing to follow."""
    array = xb.PassiveArray(xb.MTJCells(P.replace(v_h=np.inf), [[-1]]), r_word=0.0, r_bit=0.0)
    report = xb.program(array, [[1]], pulse=xb.Pulse(0.6, 5e-9), stepping=Stepping(), repeats=4000, rng=np.random.default_rng(91))
    p = xb.mtj.write_error_rate(0.6, 5e-9, P.replace(v_h=np.inf), -1)
    assert abs(report.error_rate - p) < SIGMA * np.sqrt(p * (1 - p) / 4000) and 0.05 < p < 0.95


def test_finer_steps_say_the_same() -> None:
    n = 3000
    usual, fine = (programmed(ABOVE, n, 4, s).errors[:, 0] for s in (Stepping(), Stepping(tolerance=0.005, look=0.05)))
    assert differ(usual, fine) < SIGMA


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


def test_refuses_voltage_controlled_anisotropy() -> None:
    array = xb.PassiveArray(xb.MTJCells(P.replace(xi=30e-15), -np.ones((2, 2))))
    with pytest.raises(xb.DataError, match="xi = 0"):
        xb.program(array, np.ones((2, 2)), pulse=xb.Pulse(0.5, 3e-9), stepping=Stepping(), rng=np.random.default_rng(1))
