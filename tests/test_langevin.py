"""Axial Langevin equation against the Boltzmann density, its Fokker-Planck equation, and its own order of convergence."""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp
from scipy import stats
from scipy.integrate import quad
from scipy.linalg import expm
from scipy.sparse.linalg import splu

from crossbar.errors import DataError
from crossbar.mtj.langevin import COARSEST, STEP, AxialCells, _drift, _turn

Array = npt.NDArray[np.float64]
NS = 1e-9


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def boltzmann_cdf(z: Array, delta: float, i: float, low: float) -> Array:
    """Of exp(delta (z^2 - 2 i z)) on [low, 1]."""
    def density(x: float) -> float:
        return float(np.exp(delta * (x * x - 2 * i * x - max(1 - 2 * i, 1 + 2 * i))))
    parts = [quad(density, a, b)[0] for a, b in zip(np.r_[low, z], np.r_[z, 1.0], strict=True)]
    return np.cumsum(parts)[:-1] / np.sum(parts)


def chi_square(z: Array, delta: float, i: float, low: float) -> float:
    """p-value of samples against the Boltzmann density, in 40 bins of some 1/40 each."""
    fine = np.linspace(low, 1, 2001)[1:-1]
    edges = np.unique(np.interp(np.arange(1, 40) / 40, boltzmann_cdf(fine, delta, i, low), fine))
    cdf = np.r_[0, boltzmann_cdf(edges, delta, i, low), 1]
    return float(stats.chisquare(np.histogram(z, np.r_[-1.1, edges, 1.1])[0], z.size * np.diff(cdf)).pvalue)


def write_error(delta: float, i: float, s: float) -> float:
    """P(z > 0) after s of the Fokker-Planck equation, from equilibrium at z > 0: 1200 volumes uniform in theta with
    Scharfetter-Gummel fluxes, 2000 Crank-Nicolson steps after four implicit half-steps (Rannacher)."""
    cells, steps = 1200, 2000
    z = np.cos(np.linspace(0, np.pi, cells + 1))
    middle, width = (z[1:] + z[:-1]) / 2, z[:-1] - z[1:]
    rise = np.diff(-delta * (middle ** 2 - 2 * i * middle))
    conductance = (1 - z[1:-1] ** 2) / (2 * delta) / (middle[:-1] - middle[1:])
    down, up = (conductance * x / np.expm1(x) for x in (rise, -rise))
    down, up = down / width[:-1], up / width[1:]
    a = sp.diags([-np.r_[down, 0] - np.r_[0, up], up, down], [0, 1, -1], format="csc")
    one, h = sp.identity(cells, format="csc"), s / steps
    p = np.where(middle > 0, np.exp(delta * (middle ** 2 - 1)) * width, 0.0)
    p /= p.sum()
    implicit, half, explicit = splu((one - a * (h / 4)).tocsc()), splu((one - a * (h / 2)).tocsc()), one + a * (h / 2)
    for _ in range(4):
        p = implicit.solve(p)
    for _ in range(steps - 1):
        p = half.solve(explicit @ p)
    return float(p[middle > 0].sum())


@pytest.mark.parametrize("delta", [0.3, 5.0, 60.0])
def test_starts_in_equilibrium(delta: float) -> None:
    """Chi-square of 200 000 cells: p > 1e-4; both sides alike."""
    z = AxialCells(delta, NS, 200_000, rng(67), state=-1).z
    assert chi_square(-z, delta, 0.0, 0.0) > 1e-4


@pytest.mark.parametrize(("delta", "i", "s"), [
    (2.0, 0.0, 12.0), (2.0, 0.4, 60.0), (6.0, 0.0, 6.0), (40.0, -0.5, 8.0), (0.2, 0.5, 3.0)])
def test_relaxes_to_equilibrium(delta: float, i: float, s: float) -> None:
    """Chi-square of 200 000 cells, in equilibrium with no current before, at the default step: p > 1e-4. Both wells where the
    barrier is low or symmetric; else the well z > 0, which is not left."""
    n, low = 200_000, -1.0 if delta < 10 else 0.0
    state = np.where(np.arange(n) % 2, 1, -1) if low < 0 else np.ones(n)
    z = AxialCells(delta, NS, n, rng(83), state=state).advance(i, s * NS)
    assert chi_square(z, delta, i, low) > 1e-4


@pytest.mark.parametrize(("delta", "i", "s"), [
    (40.0, 2.0, 2.5), (60.0, 3.0, 1.2), (20.0, 1.2, 4.0), (40.0, 1.5, 8.0), (10.0, 0.5, 5.0)])
def test_write_errors_are_those_of_fokker_planck(delta: float, i: float, s: float) -> None:
    """Four binomial sigma of 400 000 cells at the default step, plus the 0.3 % that its bias may be."""
    n, exact = 400_000, write_error(delta, i, s)
    found = np.mean(AxialCells(delta, NS, n, rng(97)).advance(i, s * NS) > 0)
    assert abs(found - exact) < 4 * np.sqrt(exact * (1 - exact) / n) + 3e-3 * exact


def test_weak_order_two() -> None:
    """E z and E z^2 after s = 2 as functions of the start, the steps' expectations taken by quadrature, against the exponential
    of the generator (both in Chebyshev polynomials): no sampling error."""
    delta, i, s, size = 5.0, 1.5, 2.0, 60
    chebyshev = np.polynomial.chebyshev
    z = np.cos(np.pi * (np.arange(size) + 0.5) / size)
    inverse = np.linalg.inv(chebyshev.chebvander(z, size - 1))
    slopes = [np.stack([chebyshev.chebval(z, chebyshev.chebder(row, k)) for row in np.eye(size)], axis=1) @ inverse
              for k in (1, 2)]
    generator = ((1 - z * z) * (z - i) - z / delta)[:, None] * slopes[0] + ((1 - z * z) / (2 * delta))[:, None] * slopes[1]
    drift, turn = np.vectorize(_drift), np.vectorize(_turn)
    t, weight = np.polynomial.laguerre.laggauss(30)
    cosine = np.cos(np.pi * (np.arange(48) + 0.5) / 48)
    for power in (1, 2):
        exact, errors = expm(generator * s) @ z ** power, []
        for steps in (8, 16, 32):
            h = s / steps
            end = drift(turn(drift(z, i, h / 2)[:, None, None], t[:, None] * h / delta, cosine), i, h / 2)
            mean = np.einsum("ztck,t->zk", chebyshev.chebvander(end, size - 1), weight) / cosine.size @ inverse
            errors.append(np.abs(np.linalg.matrix_power(mean, steps) @ z ** power - exact).max())
        order = np.log2(np.array(errors[:-1]) / errors[1:])
        assert np.all((order > 1.7) & (order < 2.3))


def test_without_noise_it_is_the_drift() -> None:
    """Delta = 1e12 follows dz/ds = (1 - z^2)(z - i): s = int dz / ((1 - z^2)(z - i)) to 1e-3."""
    start, i = 0.9, 1.5
    z = AxialCells(1e12, NS, 1, rng(5), z0=start).advance(i, 2 * NS)[0]
    assert quad(lambda x: 1 / ((1 - x * x) * (x - i)), start, z)[0] == pytest.approx(2.0, abs=2e-3)


@pytest.mark.parametrize("delta", [0.05, 1.0, 50.0])
def test_stays_in_its_interval(delta: float) -> None:
    for i in (-30.0, 0.0, 30.0):
        for z0 in (-1.0, 1.0):
            cells = AxialCells(delta, NS, 64, rng(3), z0=z0)
            for _ in range(5):
                z = cells.advance(i, 0.5 * NS)
                assert np.all(np.abs(z) <= 1 + 1e-15) and np.all(np.isfinite(z))


# Bookkeeping

def test_two_halves_are_the_whole() -> None:
    unit = 2.0 ** -30  # [s], so that times add up exactly

    def ramp(t: float) -> float:
        return 2.0 * t / unit

    for i in (1.7, np.linspace(0, 2, 50), ramp):
        whole, halves = (AxialCells(30.0, unit, 50, rng(71)) for _ in range(2))
        whole.advance(i, 2 * unit, steps=64)
        halves.advance(i, unit, steps=32)
        halves.advance(i, unit, steps=32)
        assert np.array_equal(whole.z, halves.z) and whole.time == halves.time == 2 * unit


def test_cells_do_not_depend_on_their_number_or_company() -> None:
    delta, tau, i = np.linspace(20, 60, 90), np.linspace(0.5, 2, 90) * NS, np.linspace(0, 3, 90)
    many = AxialCells(delta, tau, 90, rng(31)).advance(i, NS, steps=100)
    assert np.array_equal(AxialCells(delta[:7], tau[:7], 7, rng(31)).advance(i[:7], NS, steps=100), many[:7])
    alone = AxialCells(delta[55], tau[55], 90, rng(31)).advance(i[55], NS, steps=100)
    assert alone[55] == many[55]
    assert np.array_equal(AxialCells(delta, tau, 90, rng(31)).advance(lambda t: i, NS, steps=100), many)


@pytest.mark.skipif(numba.get_num_threads() < 2, reason="needs two threads")
def test_same_bits_for_any_number_of_threads() -> None:
    ends = []
    for threads in (1, 2):
        numba.set_num_threads(threads)
        ends.append(AxialCells(40.0, NS, 1000, rng(59)).advance(1.5, NS))
    assert np.array_equal(ends[0], ends[1])


def test_default_steps_follow_the_fastest_cell() -> None:
    """A pulse seen as its mean by too few steps would not switch; the default resolves it."""
    cells = AxialCells(40.0, NS, 500, rng(13))
    z = cells.advance(lambda t: 40.0 if t < 0.2 * NS else 0.0, NS)
    assert np.mean(z < 0) > 0.95
    with pytest.raises(DataError, match=f"give at least {int(41.025 / COARSEST) + 1}, better {int(41.025 / STEP) + 1}"):
        cells.advance(40.0, NS, steps=3)


@pytest.mark.parametrize(("changes", "message"), [
    ({"delta": 0.0}, "delta .* positive"), ({"tau_d": -NS}, "tau_d .* positive"), ({"delta": np.zeros(2) + 9}, "shape"),
    ({"delta": np.nan}, "finite"), ({"n": 0}, "at least 1"), ({"n": 1.5}, "whole"), ({"state": 0}, "state"),
    ({"state": np.ones(2)}, "shape"), ({"z0": 1.01}, "between"), ({"z0": np.nan}, "finite")])
def test_refuses_cells(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        AxialCells(**(dict(delta=40.0, tau_d=NS, n=3, rng=rng(1)) | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(("i", "duration", "steps", "message"), [
    (0.0, 0.0, None, "duration"), (0.0, np.inf, None, "duration"), (np.nan, NS, None, "finite"), (np.zeros(2), NS, None, "shape"),
    (lambda t: np.nan, NS, None, "t = 0 s is not finite"), (0.0, NS, 0, "steps"), (0.0, NS, 1.5, "steps")])
def test_refuses_drives(i: Any, duration: float, steps: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        AxialCells(40.0, NS, 3, rng(1)).advance(i, duration, steps=steps)
