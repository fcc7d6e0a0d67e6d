"""The NMOS law: against ngspice, complex steps, its limits and symmetries; as an element of circuits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from peers import run_ngspice
from scipy.optimize import brentq

import crossbar as xb
from crossbar.circuit import CircuitBuilder
from crossbar.elements import cell_kernels
from crossbar.elements.linear import VoltageSources
from crossbar.elements.transistor import NMOSes
from crossbar.errors import DataError

SEED = 727_301_554

volts = st.floats(-1.5, 2.0)
transistors = st.builds(
    xb.NMOS, kp=st.floats(1e-6, 1e-2), w=st.floats(1e-7, 1e-5), l=st.floats(1e-7, 1e-6), vto=st.floats(-0.5, 1.0),
    gamma=st.just(0.0) | st.floats(1e-3, 1.5), phi=st.floats(0.3, 1.0), lambda_=st.just(0.0) | st.floats(1e-3, 0.5),
    temperature=st.floats(200.0, 420.0), model=st.sampled_from(["level1", "ekv"]),
)  # fmt: skip
TYPICAL = xb.NMOS(kp=3e-4, w=2e-7, l=1e-7, vto=0.4, gamma=0.5, phi=0.7, lambda_=0.1)
SMOOTH = xb.NMOS(kp=3e-4, w=2e-7, l=1e-7, vto=0.4, gamma=0.5, phi=0.7, lambda_=0.1, model="ekv")


def level1(t, v_d, v_g, v_s, v_b):
    """The documented law, written out for complex voltages (decisions by the real parts)."""
    if np.real(v_d) < np.real(v_s):
        return -level1(t, v_s, v_g, v_d, v_b)
    v_ds, v_bs = v_d - v_s, v_b - v_s
    if np.real(v_bs) <= 0:
        root = np.sqrt(t.phi - v_bs + 0j)
    else:
        root = np.sqrt(t.phi) - v_bs / (2 * np.sqrt(t.phi))
        root = root if np.real(root) > 0 else 0.0
    x = v_g - v_s - t.vto - t.gamma * (root - np.sqrt(t.phi))
    if np.real(x) <= 0:
        return 0.0 * x
    beta = t.beta * (1 + t.lambda_ * v_ds)
    return beta * x**2 / 2 if np.real(x) <= np.real(v_ds) else beta * v_ds * (x - v_ds / 2)


def ekv(t, v_d, v_g, v_s, v_b):
    """The same for the smooth law."""
    soft = lambda x: x + np.log1p(np.exp(-x)) if np.real(x) > 0 else np.log1p(np.exp(x))  # noqa: E731
    v_d, v_g, v_s = v_d - v_b, v_g - v_b, v_s - v_b
    v = v_g - t.vto + t.phi + t.gamma * np.sqrt(t.phi)
    v_p = v - t.phi - t.gamma * (np.sqrt(v + t.gamma**2 / 4 + 0j) - t.gamma / 2) if np.real(v) > 0 else -t.phi
    n = 1 + t.gamma / (2 * np.sqrt(t.phi + v_p + 4 * t.u_t))
    f = [soft((v_p - x) / (2 * t.u_t)) ** 2 for x in (v_s, v_d)]
    v_ds = v_d - v_s
    return 2 * n * t.beta * t.u_t**2 * (f[0] - f[1]) * (1 + t.lambda_ * (v_ds if np.real(v_ds) > 0 else -v_ds))


def law(t, *v):
    return (level1 if t.model == "level1" else ekv)(t, *v)


@given(transistors, st.tuples(volts, volts, volts, st.floats(-1.0, 0.5)))
def test_current_and_slopes_against_complex_steps_of_the_documented_law(t, v):
    i, *slopes = t.current(*v)
    assert_allclose(i, np.real(law(t, *v)), rtol=1e-9, atol=1e-13 * t.beta)  # near the threshold x is a difference
    if v[0] == v[2]:
        return  # |v_ds| has no complex step there; see the test of differences
    scale = max(map(abs, slopes)) + 1e-9 * t.beta
    for k, slope in enumerate(slopes):
        step = [x + (1e-30j if j == k else 0) for j, x in enumerate(v)]
        assert_allclose(slope, np.imag(law(t, *step)) / 1e-30, rtol=1e-8, atol=1e-9 * scale)


@pytest.mark.parametrize("t", [TYPICAL, SMOOTH], ids=["level1", "ekv"])
@pytest.mark.parametrize("v", [(0.3, 1.0, 0.3, 0.0), (0.8, 1.0, 0.1, 0.0), (0.1, 1.0, 0.8, -0.2), (0.2, 0.3, 0.0, 0.0)])
def test_slopes_against_central_differences_of_the_current_itself(t, v):
    slopes = t.current(*v)[1:]
    h = 1e-6  # at v_ds = 0 the slope has a kink, which differences see to first order in h
    for k in range(3):
        up, down = (t.current(*(x + s * (j == k) for j, x in enumerate(v)))[0] for s in (h, -h))
        assert_allclose(slopes[k], (up - down) / (2 * h), rtol=3e-6, atol=1e-9 * max(map(abs, slopes)))


@given(transistors, volts, volts, volts, volts, st.floats(-1.0, 0.5))
def test_current_rises_with_the_drain_and_falls_with_the_source(t, v_d, more, v_g, v_s, v_b):
    low, high = sorted((v_d, more))
    i, by_drain, _, by_source = t.current([low, high], v_g, v_s, v_b)
    assert i[1] >= i[0] - 1e-12 * abs(i[0])
    assert (by_drain >= 0).all() and (by_source <= 0).all()
    i = t.current(v_d, v_g, [low, high], v_b)[0]
    assert i[1] <= i[0] + 1e-12 * abs(i[0])


@given(transistors, volts, volts, volts, st.floats(-1.0, 0.5))
def test_drain_and_source_change_places(t, v_d, v_g, v_s, v_b):
    i, by_drain, by_gate, by_source = t.current(v_d, v_g, v_s, v_b)
    back = t.current(v_s, v_g, v_d, v_b)
    scale = max(abs(by_drain), abs(by_source)) + 1e-12 * t.beta
    assert_allclose(back, [-i, -by_source, -by_gate, -by_drain], rtol=1e-9, atol=1e-12 * scale)


@given(transistors, volts, volts, volts, st.floats(-1.0, 0.5), st.floats(-3.0, 3.0))
def test_only_voltage_differences_count(t, v_d, v_g, v_s, v_b, shift):
    one, other = t.current(v_d, v_g, v_s, v_b), t.current(v_d + shift, v_g + shift, v_s + shift, v_b + shift)
    assert_allclose(other, one, rtol=1e-6, atol=1e-12 * t.beta)


@given(transistors, volts, volts, st.floats(-1.0, 0.5))
def test_no_voltage_no_current(t, v, v_g, v_b):
    assert t.current(v, v_g, v, v_b)[0] == 0


def test_long_channel_formulas():
    """Textbook numbers: beta = 1 mA/V^2, 0.5 V above the threshold."""
    t = xb.NMOS(kp=1e-4, w=1e-5, l=1e-6, vto=0.7)
    assert_allclose(t.current(2.0, 1.2, 0.0)[0], 1e-3 * 0.5**2 / 2, rtol=1e-12)
    assert_allclose(t.current(0.1, 1.2, 0.0)[0], 1e-3 * 0.1 * (0.5 - 0.05), rtol=1e-12)
    assert_allclose(t.current(0.0, 1.2, 0.0)[1], 1e-3 * 0.5, rtol=1e-12)
    assert_array_equal(t.current(1.0, 0.7, 0.0), [0, 0, 0, 0])
    body = xb.NMOS(kp=1e-3, w=1e-6, l=1e-6, vto=0.7, gamma=0.4, phi=0.6)
    x = 0.5 - 0.4 * (np.sqrt(1.6) - np.sqrt(0.6))
    assert_allclose(body.current(2.0, 1.2, 0.0, -1.0)[0], 1e-3 * x**2 / 2, rtol=1e-12)


def test_smooth_law_becomes_level_1_in_the_cold():
    """Without body effect n = 1, and U_T -> 0 leaves the square law; its error is of the order of U_T / x, exponentially small
    in the triode and saturation regions themselves."""
    same = {"kp": 1e-3, "w": 1e-6, "l": 1e-6, "vto": 0.4, "lambda_": 0.05}
    v_d, v_g = np.meshgrid(np.linspace(-1, 1.5, 26), np.linspace(0.0, 1.8, 19))
    cold = xb.NMOS(**same, model="ekv", temperature=1e-3).current(v_d, v_g, 0.0)[0]
    assert_allclose(cold, xb.NMOS(**same).current(v_d, v_g, 0.0)[0], rtol=1e-9, atol=1e-13)


def test_strong_inversion_of_the_smooth_law():
    """i -> n beta (v_p - (v_d + v_s)/2) v_ds with body effect."""
    v_p = 1.6 - 0.4 + 0.7 + 0.5 * np.sqrt(0.7)
    v_p = v_p - 0.7 - 0.5 * (np.sqrt(v_p + 0.5**2 / 4) - 0.25)
    n = 1 + 0.5 / (2 * np.sqrt(0.7 + v_p + 4 * SMOOTH.u_t))
    assert_allclose(SMOOTH.current(0.2, 1.6, 0.1)[0], n * SMOOTH.beta * (v_p - 0.15) * 0.1 * 1.01, rtol=1e-6)


def test_subthreshold_slope():
    """Weak inversion: a decade of current for n U_T ln 10 of gate voltage, 60 mV at 300 K where n = 1; saturation in 4 U_T."""
    for gamma in (0.0, 0.5):
        t = xb.NMOS(kp=3e-4, vto=0.5, gamma=gamma, phi=0.7, model="ekv", temperature=300.0)
        i, _, by_gate, _ = t.current(0.5, np.array([0.1, 0.15]), 0.0)
        swing = np.log(10) * i / by_gate
        n = np.log(10) * 0.05 / np.log(i[1] / i[0]) / (t.u_t * np.log(10))
        assert_allclose(swing[0], n * t.u_t * np.log(10), rtol=0.03)
        assert (n == pytest.approx(1.0, rel=1e-2)) if gamma == 0 else 1.2 < n < 1.6
        assert_allclose(t.current(0.5, 0.1, 0.0)[0] / t.current(4 * t.u_t, 0.1, 0.0)[0], 1 / (1 - np.exp(-4)), rtol=1e-3)


@given(st.sampled_from([TYPICAL, SMOOTH]), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_far_iterates_are_finite(t, v_d, v_g, v_s):
    assert np.isfinite(t.current(v_d, v_g, v_s)).all()


@pytest.mark.parametrize("model", ["level1", "ekv"])
def test_fields_and_voltages_broadcast(model):
    rng = np.random.default_rng(SEED)
    t = xb.NMOS(kp=rng.uniform(1e-4, 1e-3, (3, 1)), vto=rng.normal(0.4, 0.1, (1, 4)), gamma=0.4, model=model)
    assert t.shape == (3, 4)
    v_d, v_g = rng.uniform(-1, 1, (2, 1, 4)), rng.uniform(0, 2, (3, 1))
    together = t.current(v_d, v_g, 0.1, -0.2)
    assert all(x.shape == (2, 3, 4) for x in together)
    for b, j, k in np.ndindex(2, 3, 4):
        one = t.select((3, 4), np.array([4 * j + k]))
        assert one.shape == (1,)
        single = one.current(v_d[b, 0, k], v_g[j, 0], 0.1, -0.2)
        assert_array_equal([x[b, j, k] for x in together], np.ravel(single))


@pytest.mark.parametrize("field", ["kp", "w", "l", "vto", "gamma", "phi", "lambda_", "temperature"])
@pytest.mark.parametrize("value", [np.nan, np.inf, [1.0, -np.inf], "large", [], None, [[1.0], [1.0, 2.0]]], ids=str)
def test_parameters_that_are_none(field, value):
    with pytest.raises(DataError, match=field):
        xb.NMOS(**{field: value})


@pytest.mark.parametrize("field", ["kp", "w", "l", "phi", "temperature"])
def test_parameters_that_must_be_positive(field):
    for value in (0.0, -1.0, np.array([1.0, 0.0])):
        with pytest.raises(DataError, match=f"{field} .*above 0"):
            xb.NMOS(**{field: value})


def test_other_refusals():
    for field in ("gamma", "lambda_"):
        assert getattr(xb.NMOS(**{field: 0.0}), field) == 0
        with pytest.raises(DataError, match=f"{field} .*at least 0"):
            xb.NMOS(**{field: -0.1})
    with pytest.raises(DataError, match="level1"):
        xb.NMOS(model="bsim4")
    with pytest.raises(DataError, match="broadcast"):
        xb.NMOS(kp=np.ones(2), w=np.ones(3))


# Circuits


def follower(t, v_dd, v_gate, ohms, v_body=0.0):
    """Drain at v_dd, source on a resistor to ground: body effect, and in reverse the drain as source."""
    builder = CircuitBuilder()
    for name, node, value in (("vd", "d", v_dd), ("vg", "g", v_gate), ("vb", "b", v_body)):
        builder.add_one(VoltageSources, name, (node, "0"), value=value)
    builder.resistor("r1", "s", "0", ohms)
    nodes = np.array([builder.node_list(["d", "s", "g", "b"])])
    builder.add(NMOSes(names=["m1"], nodes=nodes, transistor=t))
    return xb.operating_point(builder.build(), reltol=1e-12, vntol=1e-14, abstol=1e-20)


@pytest.mark.parametrize("t", [TYPICAL, SMOOTH], ids=["level1", "ekv"])
@pytest.mark.parametrize("v_dd", [1.2, 0.1, -0.8])
def test_source_follower_against_a_scalar_root(t, v_dd):
    ends = sorted((0.0, v_dd))
    v_s = brentq(lambda v: t.current(v_dd, 1.5, v, -0.3)[0] - v / 2e4, *ends, xtol=1e-16, rtol=1e-15)
    point = follower(t, v_dd, 1.5, 2e4, -0.3)
    assert_allclose(point.v("s"), v_s, rtol=1e-9)
    assert_allclose(point.i("vd"), -v_s / 2e4, rtol=1e-9)
    assert_allclose(point.i("vg"), 0.0, atol=1e-18)


def test_level_1_against_ngspice(ngspice, tmp_path):
    """Single transistors at many bias points: body effect, reverse operation and forward-biased bodies included."""
    rng = np.random.default_rng(SEED)
    n = 200
    t = xb.NMOS(kp=10 ** rng.uniform(-5, -3, n), w=rng.uniform(0.5e-6, 5e-6, n), l=rng.uniform(0.2e-6, 2e-6, n),
                vto=rng.uniform(-0.3, 0.9, n), gamma=rng.choice([0.0, 0.3, 0.8], n), phi=rng.uniform(0.4, 0.9, n),
                lambda_=rng.choice([0.0, 0.05, 0.2], n))  # fmt: skip
    v_d, v_g, v_s, v_b = rng.uniform(-1, 2, n), rng.uniform(-0.5, 2, n), rng.uniform(-1, 2, n), rng.uniform(-2, 0.3, n)
    lines = ["transistors"]
    for k in range(n):
        lines += [
            *(f"V{x}{k} {x}{k} 0 {v[k]:.17g}" for x, v in zip("dgsb", (v_d, v_g, v_s, v_b), strict=True)),
            f"M{k} d{k} g{k} s{k} b{k} n{k} w={t.w[k]:.17g} l={t.l[k]:.17g}",
            f".model n{k} nmos level=1 kp={t.kp[k]:.17g} vto={t.vto[k]:.17g} gamma={t.gamma[k]:.17g} phi={t.phi[k]:.17g} "
            f"lambda={t.lambda_[k]:.17g} is=1e-45",
        ]  # fmt: skip
    values = run_ngspice(tmp_path, [*lines, ".options gmin=1e-25 abstol=1e-20 reltol=1e-10 temp=27 tnom=27", ".op", ".end"])
    theirs = np.array([-values[f"i(vd{k})"] for k in range(n)])
    ours = t.current(v_d, v_g, v_s, v_b)[0]
    off = ours == 0
    assert 20 < off.sum() < n / 2 and (ours < 0).sum() > 20
    assert_allclose(theirs[~off], ours[~off], rtol=1e-9)
    assert_allclose(theirs[off], 0.0, atol=1e-18)


def test_followers_against_ngspice(ngspice, tmp_path):
    """The source node is an unknown here: forward and reverse, the whole way through both simulators."""
    lines = ["followers"]
    drains = (1.2, 0.3, -0.8)
    for k, v in enumerate(drains):
        lines += [f"VD{k} d{k} 0 {v}", f"M{k} d{k} g s{k} b n w=2e-7 l=1e-7", f"R{k} s{k} 0 2e4"]
    lines += ["VG g 0 1.5", "VB b 0 -1.2", ".model n nmos level=1 kp=3e-4 vto=0.4 gamma=0.5 phi=0.7 lambda=0.1 is=1e-45",
              ".options gmin=1e-25 abstol=1e-20 reltol=1e-12 vntol=1e-14", ".op", ".end"]  # fmt: skip
    values = run_ngspice(tmp_path, lines)
    for k, v in enumerate(drains):
        assert_allclose(values[f"v(s{k})"], follower(TYPICAL, v, 1.5, 2e4, -1.2).v("s"), rtol=1e-9)


def test_softplus_of_the_kernels_is_good_to_two_last_digits():
    x = np.concatenate([np.linspace(-690, 690, 4001), np.linspace(-3, 3, 4001), [0.0, 0.881373587019543, -0.881373587019543]])
    value, slope = np.array([cell_kernels._soft(one) for one in x]).T
    assert_allclose(value, np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), rtol=6e-16)
    assert_allclose(slope, np.where(x > 0, 1, np.exp(-np.abs(x))) / (1 + np.exp(-np.abs(x))), rtol=6e-16)
