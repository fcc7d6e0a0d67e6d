"""What follows from the parameters of a junction: published numbers, laws of scaling, refusals that name field and unit."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import constants

from crossbar.errors import CrossbarError, DataError
from crossbar.mtj import MTJParams, as_state, conductance, current, presets, summary
from crossbar.mtj.conduction import brinkman

SEED = 602_118_847
P = presets["mtj-60kT"]
UT = presets["ut-50nm"]
DAFFODIL = presets["daffodil"]
GAMMA = 1.76e11
K_B, E, HBAR, MU_0 = constants.k, constants.e, constants.hbar, constants.mu_0
DERIVED = ("r_p", "delta", "tau_d", "i_c0_p", "i_c0_ap")
EVERY = ("r_p", "tmr", "v_h", "ra", "diameter", "thickness", "k_i", "m_s", "alpha", "eta_p", "eta_ap", "temperature", "xi",
         "delta", "tau_d", "i_c0_p", "i_c0_ap")


def assert_same(p, q, names=EVERY, rtol=1e-9, where=()):
    """Equal to rounding; element `where` of p."""
    for name in names:
        x, y = getattr(p, name), getattr(q, name)
        assert (x is None) == (y is None), name
        if x is not None:
            assert_allclose(x[where] if np.ndim(x) else x, y, rtol=rtol, err_msg=name)


# Published numbers


@pytest.mark.parametrize(
    ("p", "delta", "b_k", "tau_d", "i_c0", "v_c0"),
    [(UT, 20.0, 64e-3, 2.96e-9, (33.9e-6, 15.4e-6), (0.169, 0.161)),
     (P, 59.8, 0.191, 0.991e-9, (101.4e-6, 46.1e-6), (0.506, 0.399))],
    ids=["ut-50nm", "mtj-60kT"],
)
def test_presets_of_known_geometry(p, delta, b_k, tau_d, i_c0, v_c0):
    """To half a unit of the last digit listed; tau_D to one, as the list may have rounded gamma otherwise."""
    assert_allclose(p.r_p, 4.99e3, rtol=0, atol=5)
    assert_allclose(p.delta, delta, rtol=0, atol=0.05)
    assert_allclose(p.b_k, b_k, rtol=0, atol=0.5e-3)
    assert_allclose(p.tau_d, tau_d, rtol=0, atol=10e-12 if p is UT else 1e-12)
    assert_allclose(p.i_c0([1, -1]), i_c0, rtol=0, atol=0.05e-6)
    assert_allclose(p.v_c0([1, -1]), v_c0, rtol=0, atol=0.5e-3)
    assert_allclose([p.n_x, p.n_y, p.n_z, p.alpha, p.tmr, p.v_h, p.temperature], [0.0106, 0.0106, 0.979, 0.03, 1.2, 0.5, 300])


def test_diameters_of_the_default_junction():
    q = P.replace(diameter=np.array([40e-9, 60e-9]))
    assert_allclose(q.delta, [38.3, 86.1], rtol=0, atol=0.05)
    area = np.array([0.64, 1.44])
    assert_allclose(q.r_p, P.r_p / area, rtol=1e-12)
    for state in (1, -1):
        assert_allclose(q.i_c0(state), P.i_c0(state) * area, rtol=1e-12)
        assert_allclose(q.v_c0(state), P.v_c0(state), rtol=1e-9)
    assert_allclose([q.b_k, q.tau_d], [P.b_k, P.tau_d], rtol=1e-12)


def test_one_per_cent_of_k_i_moves_delta_by_nine():
    assert_allclose(P.replace(k_i=1.01 * P.k_i).delta / P.delta - 1, 0.086, rtol=0, atol=5e-4)
    assert_allclose(P.replace(k_i=0.99 * P.k_i).delta / P.delta - 1, -0.086, rtol=0, atol=5e-4)


def test_default_is_the_60_kt_junction():
    assert_same(MTJParams(), P)


def test_equations_written_out():
    """(1) to (4) from the material, term by term."""
    p = MTJParams(diameter=70e-9, thickness=1.3e-9, k_i=1.5e-3, m_s=1.1e6, alpha=0.02, tmr=1.6, ra=5e-12, n_x=0.02, n_y=0.02,
                  n_z=0.96)
    area = np.pi * 35e-9**2
    k_eff = 1.5e-3 / 1.3e-9 - MU_0 * 0.94 * 1.1e6**2 / 2
    kt = K_B * 300
    delta = k_eff * area * 1.3e-9 / kt
    polarization = np.sqrt(1.6 / 3.6)
    assert_allclose(1.6, 2 * polarization**2 / (1 - polarization**2), rtol=1e-12)
    at_p, at_ap = (polarization / (1 + s * polarization**2) for s in (1, -1))
    assert_allclose([p.area, p.volume, p.k_eff, p.b_k], [area, area * 1.3e-9, k_eff, 2 * k_eff / 1.1e6], rtol=1e-12)
    assert_allclose([p.r_p, p.delta, p.polarization], [5e-12 / area, delta, polarization], rtol=1e-12)
    assert_allclose(p.tau_d, (1 + 0.02**2) / (0.02 * GAMMA * 2 * k_eff / 1.1e6), rtol=1e-12)
    assert_allclose([p.eta_p, p.eta_ap], [at_p, at_ap], rtol=1e-12)
    assert_allclose(p.i_c0([1, -1]), [4 * E / HBAR * 0.02 / eta * delta * kt for eta in (at_p, at_ap)], rtol=1e-12)


def test_constant_efficiency_overrides_the_angular_one():
    q = P.replace(eta_p=0.6, eta_ap=0.6)
    assert_allclose(q.i_c0_p, q.i_c0_ap, rtol=1e-12)
    assert_allclose(q.i_c0_p, 4 * E / HBAR * q.alpha / 0.6 * q.delta * K_B * 300, rtol=1e-12)
    assert_allclose(q.replace(tmr=0.5).i_c0_p, q.i_c0_p, rtol=1e-12)
    assert P.replace(tmr=0.5).i_c0_p > 1.1 * P.i_c0_p


# What is unknown


@pytest.mark.parametrize(
    ("what", "name"),
    [(lambda p: p.need("delta"), r"delta,.* give delta, or diameter \[m\]"),
     (lambda p: p.need("tau_d", what="switching"), r"^switching needs tau_d,.* give tau_d \[s\]"),
     (lambda p: p.area, r"diameter.*give diameter \[m\]"),
     (lambda p: p.volume, "diameter"),
     (lambda p: p.replace(diameter=50e-9).volume, r"thickness \[m\]"),
     (lambda p: p.magnetization, r"m_s \[A/m\]"),
     (lambda p: p.interface_anisotropy, r"k_i \[J/m\^2\]"),
     (lambda p: p.k_eff, "k_i"),
     (lambda p: p.b_k, "k_i"),
     (lambda p: p.replace(xi=1e-14), "thickness"),
     (lambda p: p.need("delta", "tau_d"), "delta"),
     (lambda p: p.replace(v_c0_p=None).i_c0(1), "i_c0_p"),
     (lambda p: p.replace(v_c0_ap=None).v_c0(-1), "i_c0_ap")],
)
def test_what_daffodil_lacks_is_named(what, name):
    with pytest.raises(DataError, match=name):
        what(DAFFODIL)


def test_daffodil_with_assumed_magnetism():
    p = DAFFODIL.replace(delta=60, tau_d=1e-9)
    p.need("delta", "tau_d", "i_c0_p", "i_c0_ap")
    assert (p.delta, p.tau_d, p.r_p) == (60, 1e-9, DAFFODIL.r_p)
    assert_allclose(p.v_c0([1, -1]), 0.75, rtol=1e-12)
    assert_allclose(p.i_c0(1), 0.75 * 233e-6, rtol=1e-12)
    assert_allclose(p.i_c0(-1), current(0.75, p, -1)[0], rtol=1e-12)
    for name in ("diameter", "k_i", "m_s", "alpha", "thickness", "eta_p"):
        assert getattr(p, name) is None, name


def test_the_geometry_may_come_later():
    p = DAFFODIL.replace(diameter=50e-9, thickness=1.1e-9, m_s=1.2e6, delta=60, tau_d=1e-9)
    assert_allclose([p.delta, p.tau_d], [60, 1e-9], rtol=1e-12)
    assert_allclose(p.v_c0([1, -1]), 0.75, rtol=1e-9)
    assert 0 < p.alpha < 1 and p.k_i > 0 and p.eta_p > 0
    assert p.r_p == DAFFODIL.r_p and p.ra is None


def test_summary_tells_what_is_known():
    assert "unknown" not in summary(P) and "59.8" in summary(P)
    text = summary(DAFFODIL)
    assert "Delta          unknown" in text and "750 mV" in text
    ranged = summary(P.replace(diameter=[40e-9, 60e-9]))
    assert "38.29 to 86.14" in ranged and "40 nm to 60 nm" in ranged
    assert "unknown" in summary(UT.replace(k_i=0.9e-3))  # no threshold of an unstable junction


# Temperature


def test_reference_is_exact_at_300_k():
    q = P.replace(temperature=300.0)
    assert q.tmr_0 == P.tmr and q.magnetization == P.m_s and q.interface_anisotropy == P.k_i
    assert_same(q, P, rtol=0)
    assert_allclose(P.replace(temperature=np.array([300.0, 350.0])).tmr_0[0], 1.2, rtol=1e-14)


def test_laws_of_temperature():
    t = np.array([4.0, 200.0, 300.0, 400.0, 500.0])
    q = P.replace(temperature=t)
    m = ((1 - t / 1420) / (1 - 300 / 1420)) ** 0.4
    spin = (1 - 2e-5 * t**1.5) / (1 - 2e-5 * 300**1.5)
    polarization = np.sqrt(1.2 / 3.2) * spin
    assert_allclose(q.magnetization, 1.2e6 * m, rtol=1e-12)
    assert_allclose(q.interface_anisotropy, 1.09e-3 * m**1.8, rtol=1e-12)
    assert_allclose(q.polarization, polarization, rtol=1e-12)
    assert_allclose(q.tmr_0, 2 * polarization**2 / (1 - polarization**2), rtol=1e-12)
    k_eff = 1.09e-3 * m**1.8 / 1.1e-9 - MU_0 * 0.9684 * (1.2e6 * m) ** 2 / 2
    assert_allclose(q.delta, k_eff * q.volume / (K_B * t), rtol=1e-9)
    assert_allclose(q.eta_ap, polarization / (1 - polarization**2), rtol=1e-12)
    assert np.all(np.diff(q.delta) < 0) and np.all(np.diff(q.tmr_0) < 0)
    assert_allclose(conductance(q, 1), P.g_p, rtol=1e-14)
    assert_allclose(conductance(q, -1), P.g_p / (1 + q.tmr_0), rtol=1e-12)


def test_given_delta_holds_at_the_temperature_given():
    hot = MTJParams(delta=50.0, tau_d=2e-9, temperature=400.0)
    assert_allclose([hot.delta, hot.tau_d], [50, 2e-9], rtol=1e-12)
    cold = hot.replace(temperature=300.0)
    assert cold.delta > 1.3 * 50  # kT alone gives 4/3
    assert_same(cold.replace(temperature=400.0), hot)
    assert_allclose(cold.alpha, hot.alpha, rtol=1e-12)


def test_too_high_a_polarization():
    with pytest.raises(DataError, match="TMR of 20 .* above 1 at 4 K"):
        MTJParams(tmr=20.0, temperature=4.0)
    for t in (0.0, -1.0, 1400.0, np.nan):
        with pytest.raises(DataError, match=r"temperature must be .* at most 1350 .*\[K\]"):
            MTJParams(temperature=t)


# Critical voltages


@settings(max_examples=60)
@given(st.floats(1e2, 1e6), st.floats(0, 19), st.floats(0.02, 5), st.floats(0.01, 3), st.sampled_from([1, -1]))
def test_critical_voltage_carries_the_critical_current(r_p, tmr, v_h, v, state):
    i_c0 = v / r_p
    p = MTJParams(r_p=r_p, tmr=tmr, v_h=v_h, i_c0_p=i_c0, i_c0_ap=i_c0)
    v_c0 = p.v_c0(state)
    assert_allclose(np.abs(current(-state * v_c0, p, state)[0]), i_c0, rtol=1e-9)
    assert v_c0 >= v * (1 - 1e-9)
    if state > 0:
        assert_allclose(v_c0, v, rtol=1e-12)


def test_residuals_of_random_arrays():
    rng = np.random.default_rng(SEED)
    n = 20_000
    p = MTJParams(ra=rng.uniform(3e-12, 2e-11, n), diameter=rng.uniform(30e-9, 80e-9, n), tmr=rng.uniform(0.3, 3, n),
                  k_i=rng.uniform(1.0e-3, 1.3e-3, n), alpha=rng.uniform(0.005, 0.1, n), v_h=rng.uniform(0.2, 1, n),
                  xi=rng.uniform(-10e-15, 10e-15, n), barrier=rng.uniform(0.3, 3, n), asymmetry=rng.uniform(-0.05, 0.05, n))
    state = rng.choice([-1, 1], n)
    v = p.v_c0(state)
    i = np.abs(current(-state * v, p, state)[0])
    assert v.shape == (n,) and np.all(v > 0)
    assert_allclose(i, p.i_c0(state) * (1 + state * p.vcma * v), rtol=1e-9)
    few = p.select((n,), np.array([3, 999, 3]))
    assert_allclose(few.v_c0(state[[3, 999, 3]]), v[[3, 999, 3]], rtol=1e-9)


@pytest.mark.parametrize("xi", [30e-15, -30e-15])
def test_voltage_controlled_anisotropy(xi):
    """K_i(v) = K_i - xi v / t_ox: v > 0 lowers the barrier of both states, and so only the threshold of AP -> P."""
    p = P.replace(xi=xi)
    assert_allclose(p.vcma, xi / (1e-9 * 1.1e-9 * P.k_eff), rtol=1e-12)
    assert_allclose(p.i_c0([1, -1]), P.i_c0([1, -1]), rtol=1e-12)  # at zero bias
    for state in (1, -1):
        v = p.v_c0(state)
        signed = -state * v
        k_i = P.k_i - xi * signed / 1e-9
        assert_allclose(P.replace(k_i=k_i).i_c0(state), np.abs(current(signed, p, state)[0]), rtol=1e-9)
        assert (v < P.v_c0(state)) == (xi * signed > 0)
        given = P.replace(xi=xi, **{f"v_c0_{'p' if state > 0 else 'ap'}": v})
        assert_allclose(given.i_c0(state), p.i_c0(state), rtol=1e-9)
        assert_allclose(given.v_c0(state), v, rtol=1e-9)
    assert P.vcma == 0


def test_no_voltage_reaches_the_critical_current():
    """The barrier that the voltage raises grows faster than the current."""
    p = P.replace(ra=60e-12, xi=100e-15)
    assert p.vcma * p.i_c0_p * p.r_p > 1
    with pytest.raises(DataError, match="no voltage"):
        p.v_c0(1)
    assert p.v_c0(-1) > 0


def test_unstable_junctions_have_no_critical_voltage():
    p = P.replace(k_i=np.array([1.09e-3, 0.9e-3, 0.8e-3]))
    assert np.all((p.delta > 0) == [True, False, False])
    with pytest.raises(DataError, match="2 of 3 junctions have K_eff <= 0"):
        p.v_c0(1)


# Brinkman


@given(st.floats(-1.0, 1.0), st.floats(0.3, 4.0), st.floats(-0.3, 0.3), st.floats(0.6e-9, 2e-9), st.floats(-1, 1))
def test_slope_of_the_barrier_against_complex_step(v, phi, dphi, t_ox, m_z):
    p = MTJParams(r_p=4e3, tmr=1.1, v_h=0.45, barrier=phi, asymmetry=dphi, t_ox=t_ox)
    a_0 = 4 * np.sqrt(2 * constants.m_e) * t_ox / (3 * HBAR)
    b = a_0 * E * dphi * E / (16 * (phi * E) ** 1.5)
    c = 9 * a_0**2 * E**2 / (128 * phi * E)
    assert_allclose(brinkman(p), (b, c), rtol=1e-10, atol=1e-300)

    def law(v):
        tmr = 1.1 / (1 + (v / 0.45) ** 2)
        return (v - b * v**2 / 2 + c * v**3 / 3) / 4e3 * (1 + (1 + m_z) / 2 * tmr) / (1 + tmr)

    i, slope = current(v, p, m_z)
    assert_allclose(i, law(v), rtol=1e-10, atol=1e-18)
    assert_allclose(slope, law(v + 1e-30j).imag / 1e-30, rtol=1e-9, atol=1e-15)


def test_parallel_slope_is_brinkmans_law():
    """dI/dV = G_0 (1 - b V + c V^2): its minimum at b / (2 c), and the published 9/128 and 1/16 at phi = 0.4 eV."""
    p = MTJParams(r_p=1e3, barrier=0.4, asymmetry=0.05)
    b, c = brinkman(p)
    v = np.linspace(-0.5, 0.5, 1001)
    slope = current(v, p, 1)[1]
    assert_allclose(slope, 1e-3 * (1 - b * v + c * v**2), rtol=1e-12)
    assert_allclose(v[np.argmin(slope)], b / (2 * c), atol=1e-3)
    assert_allclose([current(0.0, p, 1)[1], current(0.0, p, -1)[1]], [p.g_p, p.g_ap], rtol=1e-14)


def test_barriers_of_an_array():
    """Ohmic and finite barriers side by side, each as alone."""
    phi, dphi, t_ox = np.array([np.inf, 0.4, 1.0]), np.array([0.2, 0.0, -0.1]), np.array([1e-9, 1e-9, 1.4e-9])
    p = MTJParams(r_p=5e3, barrier=phi, asymmetry=dphi, t_ox=t_ox)
    v = np.linspace(-0.6, 0.6, 7)[:, None]
    i, slope = current(v, p, -1)
    assert i.shape == slope.shape == (7, 3)
    for k in range(3):
        one = MTJParams(r_p=5e3, barrier=phi[k], asymmetry=dphi[k], t_ox=t_ox[k])
        assert_allclose([i[:, k], slope[:, k]], np.array(current(v[:, 0], one, -1)), rtol=1e-13)
    ohmic = MTJParams(r_p=5e3)
    assert_allclose(i[:, 0], current(v[:, 0], ohmic, -1)[0], rtol=1e-14)
    assert_allclose(current(0.5, MTJParams(r_p=5e3, barrier=1e12), -1), np.array(current(0.5, ohmic, -1)), rtol=1e-10)


# Changing parameters


def test_given_values_are_carried_backwards():
    p = P.replace(delta=40.0)
    assert p.delta == pytest.approx(40, rel=1e-12) and p.k_i < P.k_i
    assert_allclose(MTJParams(k_i=p.k_i).delta, 40, rtol=1e-9)
    p = P.replace(tau_d=2e-9)
    assert_allclose((1 + p.alpha**2) / (p.alpha * GAMMA * p.b_k), 2e-9, rtol=1e-12)
    assert_allclose(p.i_c0_p / P.i_c0_p, p.alpha / P.alpha, rtol=1e-12)
    p = P.replace(i_c0_p=50e-6)
    assert_allclose([p.i_c0_p, p.eta_p * 50e-6, p.i_c0_ap], [50e-6, P.eta_p * P.i_c0_p, P.i_c0_ap], rtol=1e-12)
    p = P.replace(v_c0_ap=0.3)
    assert_allclose([p.v_c0(-1), p.i_c0_ap, p.i_c0_p], [0.3, current(0.3, P, -1)[0], P.i_c0_p], rtol=1e-9)
    everything = P.replace(delta=40.0, tau_d=2e-9, i_c0_p=50e-6, v_c0_ap=0.3)
    got = [everything.delta, everything.tau_d, everything.i_c0_p, everything.v_c0(-1)]
    assert_allclose(got, [40, 2e-9, 50e-6, 0.3], rtol=1e-9)


def test_the_area_scales_what_was_given():
    """Delta, I_c0 and V_c0 of a junction of known geometry are those of its diameter, not of every diameter."""
    p = P.replace(delta=40.0, tau_d=2e-9, i_c0_p=50e-6, v_c0_ap=0.3).replace(diameter=100e-9)
    assert_allclose([p.delta, p.tau_d, p.i_c0_p, p.v_c0(-1)], [160, 2e-9, 200e-6, 0.3], rtol=1e-9)
    assert_allclose(p.r_p, P.r_p / 4, rtol=1e-12)


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [({"delta": 40.0}, {"k_i": 1.09e-3}, {"delta": P.delta}),
     ({"tau_d": 2e-9}, {"alpha": 0.03}, {"tau_d": P.tau_d}),
     ({"i_c0_p": 5e-5}, {"eta_p": P.eta_p}, {"i_c0_p": P.i_c0_p}),
     ({"v_c0_p": 0.3}, {"i_c0_p": 1e-5}, {"i_c0_p": 1e-5}),
     ({"i_c0_ap": 5e-5}, {"v_c0_ap": 0.2}, {"i_c0_ap": float(current(0.2, P, -1)[0])}),
     ({"r_p": 1e4}, {"tmr": 1.2}, {"r_p": 1e4}),
     ({"r_p": 1e4}, {"ra": 9.8e-12, "r_p": None}, {"r_p": P.r_p}),
     ({"diameter": 100e-9}, {"diameter": 50e-9}, {"delta": P.delta, "r_p": P.r_p})],
    ids=str,
)
def test_the_later_word_wins(first, then, expected):
    p = P.replace(**first).replace(**then)
    for name, value in expected.items():
        assert_allclose(getattr(p, name), value, rtol=1e-9, err_msg=name)


sets = st.fixed_dictionaries({}, optional={
    "diameter": st.floats(20e-9, 100e-9), "tmr": st.floats(0.2, 3), "thickness": st.floats(0.9e-9, 1.1e-9),
    "k_i": st.floats(1.1e-3, 2e-3), "alpha": st.floats(0.005, 0.05), "delta": st.floats(20, 100), "tau_d": st.floats(2e-9, 2e-8),
    "i_c0_p": st.floats(2e-5, 2e-4), "v_c0_ap": st.floats(0.1, 1), "eta_p": st.floats(0.3, 1), "temperature": st.floats(250, 400),
    "v_h": st.floats(0.2, 1), "barrier": st.floats(0.4, 2)})


@given(sets)
def test_round_trips(given):
    """Replacing nothing, replacing by itself, selecting and stacking leave every derived number where it was."""
    try:
        p = MTJParams(**given)
    except DataError as error:
        assert "too short" in str(error)
        assume(False)
    assert_same(p.replace(), p)
    assert_same(p.replace(v_h=p.v_h), p)
    assert_same(p.replace(delta=p.delta, tau_d=p.tau_d, i_c0_p=p.i_c0_p, i_c0_ap=p.i_c0_ap), p)
    assert_same(p.select((3,), np.array([2])), p)
    other = P.replace(v_h=3.0)
    stacked = MTJParams.stack([p, other, p])
    assert stacked.shape == (3,)
    for k, one in enumerate((p, other, p)):
        assert_same(stacked.select((3,), np.array([k])), one, where=0)
        assert_allclose(stacked.v_c0(1)[k], one.v_c0(1), rtol=1e-9)
    assert_allclose(p.replace(diameter=2 * p.diameter).delta, 4 * p.delta, rtol=1e-9)
    assert_allclose(p.replace(diameter=2 * p.diameter).i_c0_p, 4 * p.i_c0_p, rtol=1e-9)


def test_select_of_fields_that_broadcast():
    p = P.replace(diameter=np.array([[40e-9], [60e-9]]), tmr=np.array([1.0, 1.1, 1.2]))
    which = np.array([[0, 5], [4, 2]])
    q = p.select((2, 3), which)
    assert q.shape == (2, 2)
    for index, flat in np.ndenumerate(which):
        j, k = divmod(flat, 3)
        assert_same(q, P.replace(diameter=p.diameter[j, 0], tmr=p.tmr[k]), where=index)
    assert q.ra == P.ra  # numbers stay numbers


def test_stack_of_what_is_known_of_all():
    q = MTJParams.stack([P, UT, DAFFODIL])
    assert_allclose(q.r_p, [P.r_p, UT.r_p, DAFFODIL.r_p], rtol=1e-12)
    assert q.diameter is None and q.delta is None and q.k_i is None
    assert_allclose(q.v_c0(1), [P.v_c0(1), UT.v_c0(1), 0.75], rtol=1e-9)
    with pytest.raises(DataError, match="delta"):
        q.need("delta")
    one = MTJParams.stack([P, UT])
    assert one.tmr == 1.2 and one.diameter == 50e-9  # the same in both
    with pytest.raises(DataError):
        MTJParams.stack([])


def test_arrays_are_as_their_elements():
    rng = np.random.default_rng(SEED)
    fields = {"diameter": rng.uniform(40e-9, 60e-9, (3, 1)), "k_i": rng.uniform(1.05e-3, 1.2e-3, 4), "temperature": 320.0,
              "tmr": rng.uniform(0.5, 2, (3, 4)), "xi": 5e-15}
    p = MTJParams(**fields)
    assert p.shape == (3, 4)
    full = {name: np.broadcast_to(x, (3, 4)) for name, x in fields.items()}
    v_c0 = p.v_c0(-1)
    for index in np.ndindex(3, 4):
        one = MTJParams(**{name: x[index] for name, x in full.items()})
        for name in DERIVED:
            assert_allclose(np.broadcast_to(getattr(p, name), (3, 4))[index], getattr(one, name), rtol=1e-12)
        assert_allclose(v_c0[index], one.v_c0(-1), rtol=1e-9)


def test_parameters_do_not_follow_the_array_they_came_from():
    d = np.array([40e-9, 50e-9])
    p = P.replace(diameter=d)
    d[:] = 1.0
    assert_allclose(p.diameter, [40e-9, 50e-9])


# Refusals


@pytest.mark.parametrize(
    ("field", "value", "unit"),
    [("diameter", 50, "m"), ("diameter", 0.0, "m"), ("thickness", 1.1, "m"), ("ra", 9.8, r"ohm m\^2"), ("k_i", 1.09, r"J/m\^2"),
     ("k_i", -1e-3, r"J/m\^2"), ("m_s", 1.2e9, "A/m"), ("m_s", 0, "A/m"), ("alpha", 0.0, "1"), ("alpha", 1.5, "1"),
     ("n_z", 1.5, "1"), ("eta_p", 0, "1"), ("eta_ap", 1e3, "1"), ("temperature", -20, "K"), ("t_ox", 1.0, "m"),
     ("xi", 100, r"J/\(V m\)"), ("barrier", 0, "eV"), ("asymmetry", 100, "eV"), ("delta", 0, "1"), ("delta", -5, "1"),
     ("tau_d", 0, "s"), ("i_c0_p", -1e-5, "A"), ("i_c0_ap", 0, "A"), ("v_c0_p", -0.5, "V"), ("v_c0_ap", 500, "V"),
     ("tmr", -0.1, "1"), ("v_h", 0, "V"), ("r_p", 1e16, "ohm")],
)
def test_out_of_range(field, value, unit):
    """A message with the field, its unit, what is allowed and what was given; single numbers and arrays alike."""
    message = rf"parameter {field} must be .*\[{unit}\], got {value:.6g}$".replace("+", r"\+")
    for wrong in (value, np.array([value, value])):
        with pytest.raises(DataError, match=message):
            MTJParams(**{field: wrong})
    if field in ("diameter", "thickness", "t_ox"):
        with pytest.raises(DataError, match=message):
            MTJParams(**{field: [1e-9, value]})


NO_NUMBERS = [np.nan, [np.nan], -np.inf, "1", 1j, [[1.0], [1.0, 2.0]], {}, [], [None], object()]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: f"{type(value).__name__} {str(value)[:8]}")
@pytest.mark.parametrize("field", ["thickness", "k_i", "m_s", "alpha", "n_x", "eta_p", "temperature", "t_ox", "xi", "barrier",
                                   "asymmetry", "delta", "tau_d", "i_c0_p", "v_c0_ap"])
def test_no_numbers(field, value):
    with pytest.raises(DataError, match=rf"MTJ parameter {field}\b"):
        MTJParams(**{field: value})


@pytest.mark.parametrize("field", ["tmr", "v_h", "n_x", "temperature", "t_ox", "xi", "barrier"])
def test_what_must_be_known(field):
    with pytest.raises(DataError, match=field):
        MTJParams(**{field: None})


def test_contradictions():
    with pytest.raises(DataError, match=r"one of i_c0_p \[A\] and v_c0_p \[V\]"):
        MTJParams(i_c0_p=1e-5, v_c0_p=0.5)
    with pytest.raises(DataError, match=r"one of i_c0_ap \[A\] and v_c0_ap \[V\]"):
        P.replace(i_c0_ap=1e-5, v_c0_ap=0.5)
    with pytest.raises(DataError, match=r"r_p = 5000 ohm contradicts ra / area = 4991\.1 ohm"):
        MTJParams(r_p=5000.0, ra=9.8e-12, diameter=50e-9)
    with pytest.raises(DataError, match="contradicts"):
        DAFFODIL.replace(ra=10e-12, diameter=50e-9)
    assert_allclose(DAFFODIL.replace(ra=10e-12, diameter=50e-9, r_p=None).r_p, 10e-12 / P.area, rtol=1e-12)
    with pytest.raises(DataError, match="demagnetisation factors n_x . n_y . n_z must add up to 1"):
        MTJParams(n_z=0.93)
    with pytest.raises(DataError, match="demagnetisation"):
        MTJParams(n_z=np.array([0.979, 0.9]))
    with pytest.raises(DataError, match=r"tau_d = 1e-12 s is too short.* needs .* s"):
        P.replace(tau_d=1e-12)
    with pytest.raises(DataError, match=r"needs r_p \[ohm\], or ra"):
        MTJParams(ra=9.8e-12)
    with pytest.raises(DataError, match="do not broadcast"):
        MTJParams(tmr=np.ones(3), k_i=np.full(2, 1.1e-3))
    with pytest.raises(AttributeError):
        P.delta = 60


def test_unknown_names_are_refused():
    for attempt in (lambda: MTJParams(diametre=1e-8), lambda: P.replace(diametre=1e-8)):
        with pytest.raises((TypeError, CrossbarError), match="diametre"):
            attempt()
    with pytest.raises(TypeError):
        MTJParams(5e3)


numbers = st.builds(lambda sign, power: sign * 10**power, st.sampled_from([1, -1]), st.floats(-30, 30))


@pytest.mark.filterwarnings("ignore::crossbar.CrossbarWarning")  # of a TMR or a resistance that nothing has
@given(st.sampled_from(EVERY), numbers | st.sampled_from([0.0, np.nan, np.inf, -np.inf]))
def test_any_number_is_taken_or_refused(field, value):
    """A junction of finite numbers that conducts, or DataError. Beyond 1e+-150 products overflow."""
    try:
        p = MTJParams(**{field: value})
    except DataError:
        return
    assert np.isfinite(p.r_p) and p.r_p > 0 and p.g_p >= p.g_ap > 0
    assert p.delta is None or np.isfinite(p.delta)
    assert np.all(np.isfinite(current([-0.5, 0.0, 0.5], p, as_state([1, 0, 1]))))


# Corners


def test_demagnetisation_factors_that_do_not_broadcast():
    with pytest.raises(DataError, match="broadcast"):
        MTJParams(n_x=np.full(2, 0.0106), n_y=np.full(3, 0.0106))


def test_no_tmr_at_another_temperature():
    assert MTJParams(r_p=5e3, tmr=0.0, temperature=350.0).tmr_0 == 0


def test_stack_of_an_unstable_junction():
    assert_allclose(MTJParams.stack([P, P.replace(k_i=0.9e-3)]).delta, [P.delta, P.replace(k_i=0.9e-3).delta])


def test_stack_of_a_junction_without_tmr():
    assert_allclose(MTJParams.stack([P, P.replace(tmr=0.0)]).tmr, [1.2, 0])


@pytest.mark.parametrize("given", [{"i_c0_p": 1e-9}, {"delta": 1e5}, {"i_c0_p": 5e-5, "k_i": 0.9e-3}], ids=str)
def test_what_is_taken_may_be_changed(given):
    """A derived eta or k_i out of its range must be refused at once, not by the next replace or select."""
    try:
        p = MTJParams(**given)
    except DataError:
        return
    assert_allclose(p.replace(v_h=0.4).delta, p.delta, rtol=1e-9)


@pytest.mark.parametrize("given", [{"v_c0_p": 0.5, "xi": -400e-15}, {"v_c0_ap": 0.5, "xi": 400e-15}], ids=str)
def test_critical_voltage_beyond_the_end_of_the_anisotropy(given):
    """v_c0 where xi has already taken all of K_eff: DataError, not a negative critical current."""
    with pytest.raises(DataError):
        MTJParams(**given)


@pytest.mark.parametrize("given", [{"tau_d": 1e150}, {"delta": 1e300}, {"m_s": 1e-300}, {"temperature": 1e-300}], ids=str)
def test_absurd_numbers(given):
    """Refused as out of range, not a RuntimeWarning from inside."""
    with pytest.raises(DataError):
        MTJParams(**given)


def test_magnetisation_in_the_wrong_unit():
    """m_s = 1.2 meaning MA/m: every other field of this junction refuses such a mistake."""
    with pytest.raises(DataError, match=r"m_s.*\[A/m\]"):
        MTJParams(m_s=1.2)


@pytest.mark.parametrize("states", [[1, 0], [True, False], ["P", "AP"], [1, -1]], ids=str)
def test_critical_values_take_states_as_everything_does(states):
    assert_allclose(P.v_c0(states), [P.v_c0(1), P.v_c0(-1)], rtol=1e-12)
    assert_allclose(P.i_c0(states), [P.i_c0_p, P.i_c0_ap], rtol=1e-12)


def test_resistance_and_ra_give_the_diameter():
    p = MTJParams(r_p=5e3, ra=9.8e-12)
    assert_allclose(p.diameter, np.sqrt(4 / np.pi * 9.8e-12 / 5e3), rtol=1e-12)
    assert_allclose(p.replace(ra=2 * 9.8e-12).diameter, p.diameter * np.sqrt(2), rtol=1e-12)
    assert presets["daffodil"].replace(ra=5e-12).diameter > 0
