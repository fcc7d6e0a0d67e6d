"""The two-polarizer neuron: the macrospin equation against closed forms, noise and variation against theory, activations."""

from dataclasses import replace
from math import pi, sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from crossbar.errors import DataError
from crossbar.mtj.activations import LOGISTIC, TANH, ExactActivation, TabulatedActivation
from crossbar.mtj.llgs import integrate
from crossbar.mtj.parameters import GAMMA
from crossbar.mtj.polarizers import (TransferCurve, TwoPolarizerNeuron, pulse_curves, sample_neurons, static_curves,
                                     thermal_curves, transfer)
from crossbar.units import E_CHARGE, HBAR, K_BOLTZMANN

SEED = 604_118_297
NEURON = TwoPolarizerNeuron()
CURRENTS = np.linspace(-4e-4, 4e-4, 41)  # u = -5.3 ... 5.3
STATIC = TwoPolarizerNeuron(alpha=0.3, eta_1=5e-4, beta_1=80.0, field=(5e-3, 0.0, 0.0), duration=6e-8)
BISTABLE = TwoPolarizerNeuron(alpha=0.5, anisotropy=(0.0, 0.0, 20e-3), diameter=33e-9, temperature=300.0, duration=4e-8)


def generator(offset=0):
    return np.random.default_rng(SEED + offset)


def read(neuron, currents=CURRENTS, offset=0, **how):
    return transfer(neuron, currents, generator(offset), progress=False, **how)


def drawn(curves, u=np.linspace(-12, 12, 961)):
    """A curve of closed forms, as a neuron without noise and with u = I would give it."""
    sigmoid, bell = curves(u)
    zero = np.zeros_like(sigmoid)
    return TransferCurve(neuron=NEURON, currents=u, sigmoid=sigmoid, bell=bell, sd_sigmoid=zero, sd_bell=zero)


# The macrospin equation against closed forms


@pytest.mark.parametrize("alpha, beta", [(0.01, 0.0), (0.1, 0.0), (0.1, 0.1), (0.3, -0.4), (0.05, 2.0)])
def test_pulse(alpha, beta):
    """tanh u and sech u cos phi, damping and field-like torque included."""
    neuron = replace(NEURON, alpha=alpha, beta_1=beta)
    a = HBAR * 0.6 * CURRENTS / (2 * E_CHARGE * 1.2e6 * pi / 4 * 50e-9 ** 2 * 1.1e-9)
    u = GAMMA * a * 1e-9 * (1 + alpha * beta) / (1 + alpha ** 2)
    assert_allclose(neuron.reduced(CURRENTS), u, rtol=1e-12)
    curve = read(neuron)
    assert_allclose(curve.sigmoid, np.tanh(u), atol=1e-4)
    assert_allclose(curve.bell, np.cos((beta - alpha) / (1 + alpha * beta) * u) / np.cosh(u), atol=1e-4)
    assert_allclose((curve.sigmoid, curve.bell), neuron.ideal(CURRENTS), atol=1e-4)


@pytest.mark.parametrize("alpha, beta", [(0.1, 0.0), (0.1, 0.1), (0.1, 0.5)])
def test_the_turn_about_the_first_polarizer(alpha, beta):
    """phi = u (beta - alpha) / (1 + alpha beta), its sign too; beta = alpha has none, and its pulse u = gamma a T."""
    neuron = replace(NEURON, alpha=alpha, beta_1=beta)
    m = integrate(neuron.macrospin(), CURRENTS, 1e-9, 41, generator(), m0=(1, 0, 0), progress=False).final
    u = neuron.reduced(CURRENTS)
    assert_allclose(m[:, 1], np.sin(u * (beta - alpha) / (1 + alpha * beta)) / np.cosh(u), atol=1e-4)
    if alpha == beta:
        assert_allclose(u, (1 + alpha ** 2) * replace(neuron, beta_1=0.0).reduced(CURRENTS), rtol=1e-12)


def test_what_the_turn_takes_from_the_bell():
    u = np.linspace(-6, 6, 2401)
    alpha = 0.03
    assert_allclose(np.max(pulse_curves(u)[1] - pulse_curves(u, -alpha)[1]), 0.53 * alpha ** 2, rtol=0.01)


def test_the_gradient_of_a_pulse_is_the_square_of_its_bell():
    """d m_z/du = 1 - m_z^2 = |m_perp|^2, on curves from the macrospin equation."""
    neuron = replace(NEURON, alpha=0.1, beta_1=0.1)
    currents = np.linspace(-3e-4, 3e-4, 301)
    curve, u = read(neuron, currents), neuron.reduced(currents)
    slope = np.gradient(curve.sigmoid, u)[1:-1]
    assert_allclose(slope, (1 - curve.sigmoid ** 2)[1:-1], atol=5e-4)  # h^2/6 of the difference: 1e-4
    assert_allclose(slope, (curve.bell ** 2)[1:-1], atol=5e-4)


@pytest.mark.parametrize("eta, beta", [(5e-4, 80.0), (0.05, 0.8), (0.05, 3.0)])
def test_static(eta, beta):
    """Rest against the bias field, without and with the damping-like torque that comes along."""
    neuron = replace(STATIC, eta_1=eta, beta_1=beta)
    currents = np.linspace(-4, 4, 33) / (neuron.reduced(1.0, "static"))
    curve, u = read(neuron, currents), np.linspace(-4, 4, 33)
    assert_allclose(neuron.reduced(currents, "static"), u, atol=1e-12)
    assert_allclose((curve.sigmoid, curve.bell), static_curves(u, 1 / beta), atol=1e-4)
    assert_allclose((curve.sigmoid, curve.bell), neuron.ideal(currents, "static"), atol=1e-4)
    if beta > 10:
        assert_allclose(curve.sigmoid, u / np.sqrt(1 + u ** 2), atol=5e-4)
        assert_allclose(curve.bell, 1 / np.sqrt(1 + u ** 2), atol=5e-4)


def test_the_static_gradient_is_the_cube_of_its_bell():
    u = np.linspace(-5, 5, 4001)
    sigmoid, bell = static_curves(u)
    assert_allclose(np.gradient(sigmoid, u)[1:-1], bell[1:-1] ** 3, atol=1e-5)
    assert_allclose(sigmoid ** 2 + bell ** 2, 1)


def test_static_curves_are_where_the_torques_balance():
    u, ratio = np.linspace(-3, 3, 13), 0.7
    m_z, m_x = static_curves(u, ratio)
    m = np.stack([m_x, -np.sign(u * ratio) * np.sqrt(np.maximum(1 - m_x ** 2 - m_z ** 2, 0)), m_z], axis=-1)
    field = np.stack([np.ones_like(u), np.zeros_like(u), u], axis=-1)
    torque = np.cross(m, field + (ratio * u)[:, None] * np.cross(m, [0, 0, 1]))
    assert_allclose(torque, 0, atol=1e-7)


def test_other_axes_are_as_good():
    """p_1 = x, p_2 = y, given at any length, read the same curves."""
    turned = replace(NEURON, alpha=0.1, p_1=(2.0, 0.0, 0.0), p_2=(0.0, 3.0, 0.0))
    curve, usual = read(turned), read(replace(NEURON, alpha=0.1))
    assert_allclose(curve.sigmoid, usual.sigmoid, atol=1e-9)
    assert_allclose(curve.bell, usual.bell, atol=1e-9)


def test_conductances():
    """G_k = G_0 (1 + P^2 m.p_k)."""
    curve = read(replace(NEURON, g_0=2e-4, polarization=0.5))
    assert_allclose(curve.conductances, (2e-4 * (1 + 0.25 * curve.sigmoid), 2e-4 * (1 + 0.25 * curve.bell)))


def test_a_current_through_the_second_polarizer_disturbs():
    """It drives m towards p_2: nothing changes at I = 0, else the sigmoid is lower, the bell higher; beta_2 turns m about p_2."""
    plain, disturbed = read(NEURON), read(replace(NEURON, current_2=5e-5))
    turned = read(replace(NEURON, current_2=5e-5, beta_2=1.0))
    middle = CURRENTS.size // 2
    assert disturbed.sigmoid[middle] == 0 and disturbed.bell[middle] == 1
    up = slice(middle + 2, middle + 12)
    assert np.all(disturbed.sigmoid[up] < plain.sigmoid[up] - 1e-3) and np.all(disturbed.bell[up] > plain.bell[up] + 1e-3)
    assert np.max(np.abs(turned.sigmoid - disturbed.sigmoid)) > 0.01
    weaker = read(replace(NEURON, current_2=1e-4, eta_2=NEURON.eta_2 / 2))  # the torque goes as eta_2 I_2
    assert_allclose(weaker.sigmoid, disturbed.sigmoid, atol=1e-9)


# Thermal noise


@pytest.mark.parametrize("temperature, diameter", [(30.0, 50e-9), (30.0, 100e-9), (7.5, 50e-9)])
def test_noise_of_a_pulse(temperature, diameter):
    """Linearised in the noise: var m_z = D sech^4 u (T + sinh(2u) T / 2u), D = alpha gamma kT / ((1 + alpha^2) M_s V)."""
    neuron = replace(NEURON, temperature=temperature, diameter=diameter)
    u, n = np.array([0.0, 0.7, 1.5]), 4000
    curve = read(neuron, u / neuron.reduced(1.0), offset=1, repeats=n)
    spread = neuron.alpha * GAMMA * K_BOLTZMANN * temperature / ((1 + neuron.alpha ** 2) * neuron.moment)
    growth = np.where(u == 0, 1, np.sinh(2 * u) / np.where(u == 0, 1, 2 * u))
    want = np.sqrt(spread * neuron.duration * (1 + growth)) / np.cosh(u) ** 2
    assert_allclose(curve.sd_sigmoid, want, rtol=4 / sqrt(2 * n) + 0.01)  # 4 sigma, and 1 % for what is not linear
    assert np.all(np.abs(curve.sigmoid - np.tanh(u)) < 4 * want / sqrt(n) + want ** 2)


def test_noise_at_rest():
    """Equipartition: var m_z = m_x^2 kT / (M_s V |B|) around the total field |B| = B_x / m_x."""
    neuron, n = replace(STATIC, temperature=3.0), 3000
    u = np.array([0.0, 1.0, 2.0])
    curve = read(neuron, u / neuron.reduced(1.0, "static"), offset=2, repeats=n)
    m_x = static_curves(u)[1]
    want = np.sqrt(m_x ** 3 * K_BOLTZMANN * 3.0 / (neuron.moment * 5e-3))
    assert_allclose(curve.sd_sigmoid, want, rtol=4 / sqrt(2 * n) + 0.015)


def test_means_of_repeats_scatter_by_the_root_of_their_number():
    neuron, groups, repeats = replace(NEURON, temperature=300.0), 400, 25
    curve = read(replace(neuron, alpha=np.full(groups, 0.03)), np.array([1e-4]), offset=3, repeats=repeats)
    one = sqrt(np.mean(curve.sd_sigmoid ** 2))
    assert abs(curve.sigmoid.std() / (one / sqrt(repeats)) - 1) < 4 / sqrt(2 * groups) + 4 / sqrt(2 * groups * repeats)
    pairs = read(replace(neuron, alpha=np.full(groups, 0.03)), np.array([1e-4]), offset=16, repeats=2)  # not biased by their few
    assert abs(sqrt(np.mean(pairs.sd_sigmoid ** 2)) / one - 1) < 4 / sqrt(2 * groups) + 4 / sqrt(2 * groups * repeats)


def test_no_temperature_no_noise():
    curve = read(NEURON, repeats=3)
    assert_allclose((curve.sd_sigmoid, curve.sd_bell), 0, atol=1e-14)
    assert not read(replace(NEURON, temperature=300.0), repeats=1).sd_bell.any()


@pytest.mark.parametrize("delta", [0.0, 2.7, 40.0, np.inf])
def test_fluctuation_and_response(delta):
    """d<m>/dh is the variance, whatever the barrier."""
    h = np.linspace(-4, 4, 1601)
    mean, variance = thermal_curves(h, delta)
    assert_allclose(np.gradient(mean, h)[1:-1], variance[1:-1], atol=2e-5)


def test_the_ising_limit():
    """tanh h and 1 - tanh^2 h as Delta grows, with an error that falls as 1 / Delta; Langevin's function without barrier."""
    h = np.linspace(-3, 3, 13)
    errors = [np.abs(thermal_curves(h, d)[0] - np.tanh(h)).max() for d in (25.0, 50.0, 100.0)]
    assert errors[2] < 0.01 and 1.9 < errors[0] / errors[1] < 2.3 and 1.9 < errors[1] / errors[2] < 2.2
    assert_allclose(thermal_curves(h), (np.tanh(h), 1 - np.tanh(h) ** 2), atol=1e-12)
    h = h[h != 0]
    h = np.append(h, [-1000.0, 1000.0])
    assert_allclose(thermal_curves(h, 0.0)[0], 1 / np.tanh(h) - 1 / h, atol=1e-9)


def test_the_thermal_neuron():
    """Over repeats the macrospin has the mean and the variance of the Boltzmann density, the torque taken as a field."""
    n, h = 4000, np.array([-1.5, 0.0, 0.8])
    neuron = replace(BISTABLE, beta_1=0.3)
    currents = h / neuron.reduced(1.0, "thermal")
    curve = read(neuron, currents, offset=4, repeats=n)
    mean, variance = neuron.ideal(currents, "thermal")
    assert abs(neuron.anisotropy[2] * neuron.moment / (2 * K_BOLTZMANN * 300) - 2.73) < 0.01  # a low barrier
    assert np.all(np.abs(curve.sigmoid - mean) < 4 * np.sqrt(variance / n))
    assert_allclose(curve.sd_sigmoid ** 2, variance, rtol=4 * sqrt(2 / n))  # no heavier tails than the normal law's
    assert np.all(np.abs(curve.bell) < 4 / sqrt(n))  # p_2 reads nothing


def test_the_bias_field_counts_among_the_thermal_neurons_arguments():
    neuron = replace(BISTABLE, field=(0.0, 0.0, 1e-3))
    assert_allclose(neuron.reduced(0.0, "thermal"), neuron.moment * 1e-3 / (K_BOLTZMANN * 300))


# Device variation


def test_volume_scales_the_argument():
    """Every device follows its own closed form: u goes as 1 / diameter^2, G_0 as diameter^2."""
    neurons = sample_neurons(NEURON, 30, generator(5), diameter=0.1)
    factor = neurons.diameter / 50e-9
    assert_allclose(neurons.reduced(CURRENTS), NEURON.reduced(CURRENTS) / factor[:, None] ** 2)
    assert_allclose(neurons.g_0, NEURON.g_0 * factor ** 2)
    curve = read(neurons)
    assert curve.sigmoid.shape == curve.bell.shape == curve.sd_bell.shape == (30, 41)
    assert_allclose((curve.sigmoid, curve.bell), neurons.ideal(CURRENTS), atol=2e-4)
    assert curve.sigmoid.std(axis=0)[25] > 0.03


def test_how_far_the_curves_spread():
    """sigma(u)/u = sqrt(4 sigma_d^2 + sigma_eta^2 + sigma_t^2); sigma(m_z) = u sech^2 u times it, to first order."""
    n, parts = 4000, {"diameter": 0.01, "eta": 0.02, "thickness": 0.015}
    neurons = sample_neurons(NEURON, n, generator(6), **parts)
    u = neurons.reduced(1.0)[:, 0]
    share = sqrt(4 * 0.01 ** 2 + 0.02 ** 2 + 0.015 ** 2)
    assert abs(u.std() / u.mean() / share - 1) < 4 / sqrt(2 * n) + 2 * share ** 2
    curve = read(neurons, np.array([1e-4]))
    nominal = NEURON.reduced(1e-4)[0]
    assert abs(curve.sigmoid.std() / (share * nominal / np.cosh(nominal) ** 2) - 1) < 4 / sqrt(2 * n) + 0.02


def test_laws_and_draws():
    """The causes' laws; one sigma changed leaves the other causes' draws."""
    n = 20_000
    alone = sample_neurons(STATIC, n, generator(7), alpha=0.1)
    both = sample_neurons(STATIC, n, generator(7), alpha=0.1, ra=0.2, field=0.05, polarization=0.03, distribution="normal")
    assert_array_equal(alone.alpha, both.alpha)
    for value, nominal, sigma in ((both.alpha, 0.3, 0.1), (STATIC.g_0 / both.g_0, 1, 0.2), (both.field[0], 5e-3, 0.05),
                                  (both.polarization, 0.6, 0.03)):
        assert abs(np.mean(value) / nominal - 1) < 4 * sigma / sqrt(n)
        assert abs(np.std(value) / nominal / sigma - 1) < 4 / sqrt(2 * n)
    skewed = sample_neurons(STATIC, n, generator(8), eta=0.5, distribution="lognormal")
    ratio = skewed.eta_1 / STATIC.eta_1
    assert abs(np.mean(ratio > 1) - 0.5) < 2 / sqrt(n)
    assert_allclose(np.log(ratio).std(), sqrt(np.log1p(0.25)), rtol=4 / sqrt(2 * n))
    assert_allclose(skewed.eta_2 / STATIC.eta_2, ratio)


def test_same_seed_same_bits():
    def run():
        rng = generator(9)
        neurons = sample_neurons(replace(NEURON, temperature=300.0), 3, rng, diameter=0.05)
        curve = transfer(neurons, CURRENTS[::8], rng, repeats=4, progress=False)
        table = TabulatedActivation.from_curve(curve)
        return curve.sigmoid, curve.sd_bell, table.forward(np.ones((5, 3)), rng)
    for first, second in zip(run(), run(), strict=True):
        assert_array_equal(first, second)
    assert not np.array_equal(run()[0], read(replace(NEURON, temperature=300.0), CURRENTS[::8], offset=10, repeats=4).sigmoid)


# Activations


@pytest.mark.parametrize("curves, forward, bell", [(pulse_curves, 0.000, 0.006), (static_curves, 0.022, 0.035)])
def test_mismatch(curves, forward, bell):
    """tanh is the logistic and its bell off by 0.006; the algebraic curve is off by 0.022, its bell by 0.035."""
    table = TabulatedActivation.from_curve(drawn(curves))
    found = table.mismatch()
    assert abs(found.forward - forward) < 5e-4 and abs(found.bell - bell) < 5e-4
    again = TabulatedActivation.from_curve(drawn(curves), like="tanh").mismatch()  # of twice the height, four times the slope
    assert_allclose(again.forward, 2 * found.forward, atol=2e-5)
    assert_allclose(again.bell, 4 * found.bell, atol=2e-4)
    assert_allclose(again.gradient, 4 * found.gradient, rtol=2e-3)


def test_mismatch_of_a_simulated_neuron():
    found = TabulatedActivation.from_curve(read(NEURON, np.linspace(-9e-4, 9e-4, 181))).mismatch()
    assert found.forward < 5e-4 and abs(found.bell - 0.006) < 5e-4


def test_one_pulse_or_two():
    """Read with the sigmoid, the sech bell has half the width it should, u = x/2: scaled by pi/16 it is off by 1/4 - pi/16. A
    second pulse with the best current is off by 0.006 only."""
    one, two = (TabulatedActivation.from_curve(drawn(pulse_curves), bell_gain=gain) for gain in (1.0, None))
    assert_allclose(one.unit, 0.5, rtol=1e-5)
    assert_allclose(one.dy.max(), pi / 16, rtol=5e-4)
    assert_allclose(one.mismatch().gradient, 1 / 4 - pi / 16, rtol=1e-3)
    assert two.mismatch().gradient < 0.007 and 1.5 < two.bell_gain < 1.6
    u = np.linspace(-10, 10, 101)
    assert_allclose(two.derivative(u), two.dy.max() / np.cosh(two.bell_gain * u / 2), atol=1e-4)


@pytest.mark.parametrize("like, exact", [("logistic", LOGISTIC), ("tanh", TANH)])
def test_the_exact_function_and_its_table(like, exact):
    """A tanh device is the exact function; the exact derivative is its finite difference."""
    table = TabulatedActivation.from_curve(drawn(pulse_curves), like=like)
    x = np.linspace(-8, 8, 3001)
    assert_allclose(table.forward(x), exact.forward(x), atol=5e-6)
    assert_allclose(exact.derivative(x)[1:-1], np.gradient(exact.forward(x), x)[1:-1], atol=2e-5)
    assert_allclose(LOGISTIC.forward(x), 1 / (1 + np.exp(-x)))
    assert TANH.forward(0.3) == np.tanh(0.3)
    assert_array_equal(exact.forward(x, generator()), exact.forward(x))


@pytest.mark.parametrize("curves", [pulse_curves, static_curves])
@pytest.mark.parametrize("gain", [1.0, None])
def test_the_bell_is_the_slope_within_the_mismatch(curves, gain):
    """And not closer than that: it is the device's bell, not the derivative of the table."""
    table = TabulatedActivation.from_curve(drawn(curves), bell_gain=gain)
    x = np.linspace(-10, 10, 801)
    slope = (table.forward(x + 1e-4) - table.forward(x - 1e-4)) / 2e-4
    error, bound = np.abs(table.derivative(x) - slope).max(), table.mismatch().gradient
    assert error < bound + 1e-4 and error > 0.9 * bound > 0.004


def test_saturation():
    """Beyond the table both readings stay what they are at its end."""
    table = TabulatedActivation.from_curve(drawn(pulse_curves, np.linspace(-2, 3, 101)))
    low, high = table.x[[0, -1]]
    assert_array_equal(table.forward([low - 1, low - 1e9, -np.inf]), table.forward(low))
    assert_array_equal(table.derivative([high + 1, np.inf]), table.derivative(high))
    assert_allclose(table.forward(high), table.y[-1], rtol=1e-12)
    assert np.isnan(table.forward(np.nan))


def test_interpolation_is_monotone_and_meets_the_nodes():
    table = TabulatedActivation.from_curve(drawn(static_curves, np.linspace(-6, 6, 9)))
    assert np.all(np.diff(table.forward(np.linspace(-20, 20, 5001))) >= 0)
    assert_allclose(table.forward(table.x), table.y, atol=1e-14)
    assert_allclose(table.derivative(table.x), table.dy, atol=1e-14)


def test_arrays_of_neurons_are_their_neurons():
    """n tables at once give what each gives by itself, for any leading axes of x, and broadcast one x to all."""
    neurons = sample_neurons(NEURON, 5, generator(11), diameter=0.05, ra=0.05)
    nominal, curve = read(NEURON), read(neurons)
    table = TabulatedActivation.from_curve(curve, reference=nominal)
    x = generator(12).normal(0, 3, (4, 7, 5))
    y, dy = table.forward(x), table.derivative(x)
    assert y.shape == dy.shape == (4, 7, 5)
    for k in range(5):
        one = replace(table, **{name: getattr(table, name)[k] for name in ("y", "dy", "sd_y", "sd_dy")})
        assert_array_equal(one.forward(x[..., k]), y[..., k])
        assert_array_equal(one.derivative(x[..., k]), dy[..., k])
        assert_allclose(one.mismatch().gradient, table.mismatch().gradient[k])
    assert_array_equal(table.forward(1.5), table.forward(np.full((1, 5), 1.5))[0])
    assert_array_equal(table.forward(x[..., :1]), table.forward(np.repeat(x[..., :1], 5, axis=-1)))
    assert table.mismatch().forward.shape == (5,)


def test_devices_keep_their_errors_in_a_common_calibration():
    """A device of other G_0 and P reads G = g G_0 (1 + q P^2 m) as m.p = (g - 1) / P^2 + g q m; a wider one is wider in x."""
    nominal = read(NEURON)
    other = read(replace(NEURON, g_0=1.1 * NEURON.g_0, polarization=0.9 * NEURON.polarization))
    reference = TabulatedActivation.from_curve(nominal)
    table = TabulatedActivation.from_curve(other, reference=nominal)
    shift = 0.1 / NEURON.polarization ** 2
    assert_allclose(table.y, 0.5 + (shift + 1.1 * 0.81 * (2 * reference.y - 1)) / 2)
    assert (table.unit, table.bell_gain) == (reference.unit, reference.bell_gain)
    wide = TabulatedActivation.from_curve(read(replace(NEURON, diameter=55e-9)), reference=nominal)
    x = np.linspace(-5, 5, 41)
    assert_allclose(wide.forward(1.21 * x), reference.forward(x), atol=2e-3)  # coarse tables: 8 nodes a unit of u
    own = TabulatedActivation.from_curve(read(replace(NEURON, diameter=55e-9)))
    assert_allclose(own.unit, 1.21 * reference.unit, rtol=1e-3)
    assert_allclose(own.forward(x), reference.forward(x), atol=2e-3)


def test_noisy_reads_of_an_activation():
    """Mean and standard deviation of the tables, a new draw for every element."""
    curve = read(replace(NEURON, temperature=300.0), offset=13, repeats=200)
    table = TabulatedActivation.from_curve(curve)
    k, n = 23, 20_000
    for reading, mean, sigma in ((table.forward, table.y[k], curve.sd_sigmoid[k] / 2),
                                 (table.derivative, table.dy[k], table.sd_dy[k])):
        noisy = reading(np.full(n, table.x[k]), generator(14))
        assert abs(noisy.mean() - mean) < 4 * sigma / sqrt(n)
        assert abs(noisy.std() / sigma - 1) < 4 / sqrt(2 * n)
    assert_allclose(table.sd_dy / curve.sd_bell, table.dy / curve.bell)


def test_a_noisy_calibration_is_close_to_the_exact_one():
    curve = read(replace(NEURON, temperature=300.0), offset=15, repeats=400)
    noisy, exact = TabulatedActivation.from_curve(curve), TabulatedActivation.from_curve(read(NEURON))
    assert_allclose(noisy.unit, exact.unit, rtol=0.05)  # thermal motion widens the curve a little, too
    x = np.linspace(-5, 5, 21)
    assert_allclose(noisy.forward(x), exact.forward(x), atol=0.03)


# Refusals


@pytest.mark.parametrize("wrong, words", [
    ({"alpha": 0.0}, "alpha"), ({"diameter": -1e-9}, "diameter"), ({"eta_1": np.nan}, "eta_1"), ({"temperature": -1.0}, "0 K"),
    ({"polarization": 1.2}, "polarization"), ({"duration": 0.0}, "duration"), ({"p_2": (0, 0, 1)}, "right angles"),
    ({"p_1": (0, 0, 0)}, "not 0"), ({"field": 1e-3}, "three components"), ({"field": (0, np.inf, 0)}, "finite"),
    ({"alpha": [0.1, 0.2], "eta_1": [0.1, 0.2, 0.3]}, "one length"), ({"duration": [1e-9, 2e-9]}, "one number"),
    ({"g_0": "much"}, "real numbers"), ({"alpha": np.ones((2, 2))}, "row"), ({"m_s": []}, "row")])
def test_neurons_refused(wrong, words):
    with pytest.raises(DataError, match=words):
        TwoPolarizerNeuron(**wrong)


def test_transfers_refused():
    for currents in ([np.nan], [[1e-4]], [], "all", [1j]):
        with pytest.raises(DataError, match="input currents"):
            read(NEURON, currents)
    for repeats in (0, 1.5, -3):
        with pytest.raises(DataError, match="repeats"):
            read(NEURON, repeats=repeats)


def test_modes_refused():
    with pytest.raises(DataError, match="wanted is"):
        NEURON.ideal(CURRENTS, "static")  # no bias field
    with pytest.raises(DataError, match="wanted is"):
        replace(STATIC, beta_1=0.0).reduced(CURRENTS, "static")
    with pytest.raises(DataError, match="wanted is"):
        NEURON.ideal(CURRENTS, "thermal")  # no temperature
    with pytest.raises(DataError, match="wanted is"):
        NEURON.ideal(CURRENTS, "plus")


def test_samples_refused():
    for wrong, words in (({"eta": -0.1}, "between 0 and 1"), ({"ra": 1.1}, "between"), ({"ra": np.nan}, "finite"),
                         ({"ra": [0.1, 0.1]}, "one number"), ({"distribution": "flat"}, "normal"), ({"eta": 0.9}, "eta <= 0"),
                         ({"polarization": 0.9, "distribution": "lognormal"}, "polarization")):
        with pytest.raises(DataError, match=words):
            sample_neurons(NEURON, 50, generator(), **wrong)
    for n in (0, 2.5, 4):
        with pytest.raises(DataError, match="cannot be drawn"):
            sample_neurons(replace(NEURON, alpha=np.full(3, 0.1)), n, generator())


def test_activations_refused():
    curve = drawn(pulse_curves)
    table = TabulatedActivation.from_curve(curve)
    for wrong, words in (({"x": table.x[::-1]}, "increasing"), ({"y": table.y[:-1]}, "shape"), ({"dy": table.dy[:-1]}, "shape"),
                         ({"y": np.full(961, np.nan)}, "finite"), ({"sd_y": 0.0}, "one shape")):
        with pytest.raises(DataError, match=words):
            replace(table, **wrong)
    with pytest.raises(DataError, match="increasing"):
        TabulatedActivation.from_curve(replace(curve, currents=-curve.currents))
    with pytest.raises(DataError, match="increasing"):
        TabulatedActivation.from_curve(drawn(pulse_curves, np.array([-1.0, 0.0, 1.0])))
    for bell in (np.zeros(961), -curve.bell):
        with pytest.raises(DataError, match="does not follow"):
            TabulatedActivation.from_curve(replace(curve, bell=bell))
    with pytest.raises(DataError, match="like"):
        TabulatedActivation.from_curve(curve, like="relu")
    with pytest.raises(DataError, match="like"):
        ExactActivation("softmax")
    devices = replace(table, **{name: np.tile(getattr(table, name), (3, 1)) for name in ("y", "dy", "sd_y", "sd_dy")})
    with pytest.raises(DataError, match="3 devices"):
        devices.forward(np.zeros((4, 2)))
