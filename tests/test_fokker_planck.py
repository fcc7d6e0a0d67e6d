"""The Fokker-Planck solver: conservation, equilibrium, convergence, and a Legendre expansion as an oracle."""

import numpy as np
import pytest
from numpy.polynomial import legendre
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.linalg import eigvals, expm

from crossbar.errors import DataError
from crossbar.mtj import evolve, mean_time, thermal_rate
from crossbar.mtj.fokker_planck import TOLERANCE

#: (i, Delta, width at which the write error is about 1e-12)
DEEP = [(1.2, 40.0, 55.0), (1.5, 40.0, 29.5), (2.0, 40.0, 15.0), (3.0, 40.0, 8.0), (1.5, 60.0, 31.0), (2.0, 60.0, 15.7),
        (3.0, 60.0, 8.0), (5.0, 60.0, 4.1)]


def legendre_operator(i, delta, modes):
    """d a_m / ds for p = sum_n a_n P_n(z): (m + 1/2) times the flux against P_m', by exact Gauss quadrature."""
    z, w = legendre.leggauss(2 * modes)
    p = np.stack([legendre.legval(z, np.eye(modes)[n]) for n in range(modes)])
    dp = np.stack([legendre.legval(z, legendre.legder(np.eye(modes)[n])) for n in range(modes)])
    flux = (1 - z ** 2) * ((z - i) * p - dp / (2 * delta))
    return (np.arange(modes)[:, None] + 0.5) * ((dp * w) @ flux.T)


def legendre_start(delta, modes):
    """Coefficients of the Boltzmann density of the well z > 0."""
    x, w = legendre.leggauss(4 * modes)
    z, w = (x + 1) / 2, w / 2
    density = np.exp(delta * (z ** 2 - 1))
    density /= w @ density
    return np.array([(n + 0.5) * (w * density) @ legendre.legval(z, np.eye(modes)[n]) for n in range(modes)])


def legendre_error(i, delta, s, modes=160):
    """Probability of z > 0 after a pulse of width s."""
    a = expm(s * legendre_operator(i, delta, modes)) @ legendre_start(delta, modes)
    half = [quad(lambda z, n=n: legendre.legval(z, np.eye(n + 1)[n]), 0, 1)[0] if n < 2 else
            (legendre.legval(0, np.eye(n)[n - 1]) - legendre.legval(0, np.eye(n + 2)[n + 1])) / (2 * n + 1) for n in range(modes)]
    return a @ np.array(half)


@pytest.mark.parametrize(("i", "delta", "s"), [(2.0, 40.0, 1.0), (2.0, 40.0, 4.0), (1.0, 40.0, 10.0), (0.7, 20.0, 10.0),
                                               (0.3, 10.0, 50.0), (0.0, 6.0, 200.0), (-0.2, 6.0, 100.0), (5.0, 30.0, 0.8)])
def test_against_a_legendre_expansion(i, delta, s):
    """Another discretisation in space, an exact exponential in time; both tails, while they are above its rounding."""
    wanted = legendre_error(i, delta, s)
    e = evolve(i, delta, [s], cells=4800)
    assert_allclose(e.error[0, 0], wanted, rtol=5e-4, atol=1e-10)
    assert_allclose(e.switched[0, 0], 1 - wanted, rtol=5e-4, atol=1e-10)


def test_write_errors_of_the_literature_values():
    """Delta 60, i = 2: 1.00, 0.60, 0.11 at 1, 2, 3 tau_D."""
    assert_allclose(evolve(2.0, 60.0, [1, 2, 3]).error[:, 0], [1.00, 0.60, 0.11], atol=0.01)


@pytest.mark.parametrize(("i", "delta", "s"), DEEP)
def test_write_error_of_1e_12_does_not_depend_on_grid_or_step(i, delta, s):
    e = evolve(i, delta, [s])
    assert -13 < np.log10(e.error[0, 0]) < -11
    for finer in (evolve(i, delta, [s], cells=1200), evolve(i, delta, [s], step=0.5)):
        assert abs(np.log10(finer.error[0, 0] / e.error[0, 0])) < 0.01


def test_probability_is_conserved():
    i, delta, s = (np.array(x) for x in zip(*DEEP, strict=True))
    e = evolve(i, delta, [0.1, 1, 10, 80])
    assert np.abs(e.mass.sum(axis=0) - 1).max() < 1e-12
    assert np.abs(e.switched + e.error - 1).max() < 1e-12
    assert np.abs(evolve(0.0, 20.0, [1e12]).mass.sum() - 1) < 1e-12


@pytest.mark.parametrize("i", [1.5, 2.0])
def test_order_in_time_and_space(i):
    """Third order in time, second in space, of ln(error)."""
    def log_error(cells=600, **options):
        return np.log(evolve(i, 40.0, [10.0], cells=cells, **options).error[0, 0])

    fine = log_error(step=0.125)
    in_time = np.log2((log_error(step=1.0) - fine) / (log_error(step=0.5) - fine))
    finest = log_error(cells=4800)
    in_space = np.log2((log_error(cells=300) - finest) / (log_error(cells=600) - finest))
    assert 2.6 < in_time < 3.6
    assert 1.8 < in_space < 2.2


@pytest.mark.parametrize(("i", "delta"), [(0.0, 8.0), (0.15, 10.0), (-0.1, 12.0)])
def test_it_ends_in_equilibrium(i, delta):
    e = evolve(i, delta, [1e9])
    up, down = (quad(lambda z: np.exp(delta * (z ** 2 - 2 * i * z - 1)), *ends, epsabs=0, epsrel=1e-12)[0]
                for ends in ((0, 1), (-1, 0)))
    assert_allclose(e.error[0, 0] / e.switched[0, 0], up / down, rtol=1e-4)
    assert_allclose(np.exp(e.log_odds[0]), e.error[0, 0] / e.switched[0, 0], rtol=1e-9)
    theta = (np.arange(600) + 0.5) * np.pi / 600
    density = np.exp(delta * (np.cos(theta) ** 2 - 2 * i * np.cos(theta) - 1)) * -np.diff(e.z)
    assert_allclose(e.mass[:, 0], density / density.sum(), rtol=1e-6)


def test_junctions_do_not_disturb_each_other():
    """Lanes and blocks are only a matter of order: any order and company gives the same numbers to the time steps' accuracy."""
    rng = np.random.default_rng(918_273)
    i, delta = rng.uniform(0.3, 3, 70), rng.uniform(20, 70, 70)
    together = evolve(i, delta, [1.0, 4.0], cells=600)
    refined = evolve(i, delta, [1.0, 4.0])
    for k in rng.integers(0, 70, 5):
        alone = evolve(i[k], delta[k], [1.0, 4.0], cells=600)
        assert_allclose(together.error[:, k], alone.error[:, 0], rtol=5e-3)
        assert_allclose(together.switched[:, k], alone.switched[:, 0], rtol=5e-3)
        alone = evolve(i[k], delta[k], [1.0, 4.0])  # on as many cells as this one needs: each within the tolerance
        assert_allclose(np.log10(refined.error[:, k]), np.log10(alone.error[:, 0]), atol=2 * TOLERANCE)
        assert_allclose(np.log10(refined.switched[:, k]), np.log10(alone.switched[:, 0]), atol=2 * TOLERANCE)


def test_what_is_wanted_in_between_does_not_matter():
    many = evolve(1.5, 40.0, np.linspace(0.5, 10, 20))
    assert_allclose(np.log(many.error[-1]), np.log(evolve(1.5, 40.0, [10.0]).error[0]), rtol=1e-4)


@pytest.mark.parametrize(("i", "delta"), [(0.2, 20.0), (0.4, 15.0), (0.1, 12.0)])
def test_mean_time_against_the_slowest_eigenvalue(i, delta):
    slowest = np.sort(-eigvals(legendre_operator(i, delta, 120)).real)[1]
    assert_allclose(mean_time(i, delta)[0], 1 / slowest, rtol=1e-4, atol=8)  # the way over the barrier takes a few tau_D


def test_mean_time_behind_a_high_barrier():
    """Where nearly nothing has switched by the last computed time."""
    i, delta = np.array([0.0, 0.1, 0.2, 0.0]), np.array([60.0, 60.0, 60.0, 100.0])
    assert_allclose(mean_time(i, delta) * (thermal_rate(i, delta) + thermal_rate(-i, delta)), 1, atol=0.03)


def test_mean_time_is_the_integral_of_the_error():
    s = np.linspace(1e-3, 40, 4001)
    assert_allclose(mean_time(1.5, 40.0)[0], np.trapezoid(evolve(1.5, 40.0, s, cells=600).error[:, 0], s) + 1e-3, rtol=1e-4)


def test_it_supports_the_barrier_of_exponent_two():
    """d ln(rate / prefactor) / di = 2 Delta (1 - i) within 2 %; exponent 1 would be Delta throughout."""
    i, delta = np.array([0.1, 0.2, 0.3, 0.4, 0.5]), 60.0
    s = np.array([150.0, 300.0])
    e = evolve(i, delta, s)
    rate = np.diff(e.switched, axis=0)[0] / 150
    prefactor = (1 - i ** 2) * (1 - i)
    slope = np.diff(np.log(rate / prefactor)) / 0.1
    assert_allclose(slope, 2 * delta * (1 - (i[1:] + i[:-1]) / 2), rtol=0.02)
    assert_allclose(rate[:2], thermal_rate(i[:2], delta), rtol=0.07)


@pytest.mark.parametrize(("arguments", "message"), [
    ((np.nan, 40.0, [1.0]), "finite"), ((1.0, -1.0, [1.0]), "positive"), ((1.0, np.inf, [1.0]), "finite"),
    ((1.0, 40.0, []), "times"), ((1.0, 40.0, [2.0, 1.0]), "increasing"), ((1.0, 40.0, [0.0]), "positive"),
    (([1.0, 2.0], [40.0] * 3, [1.0]), "shape"), ((np.ones((2, 2)), 40.0, [1.0]), "numbers"),
    (("a", 40.0, [1.0]), "real numbers"), (([], [], [1.0]), "numbers")])
def test_refusals(arguments, message):
    with pytest.raises(DataError, match=message):
        evolve(*arguments)


@pytest.mark.parametrize("cells", [7, 15, 601])
def test_an_odd_or_coarse_grid_is_refused(cells):
    with pytest.raises(DataError, match="even"):
        evolve(1.0, 40.0, [1.0], cells=cells)
