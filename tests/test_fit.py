"""Parameters from measurements: recovery, pulls of mean 0 and variance 1, refusals that say what data is missing.

Bounds: a pull is (fitted - true) / (stated sigma). Of N pulls the mean has the error 1/sqrt(N) and the variance sqrt(2/N).
"""

import warnings
from functools import partial
from math import sqrt

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from crossbar import mtj
from crossbar.errors import DataError
from crossbar.mtj import MTJParams, current, presets, simulate_llgs, switching_probability, table
from crossbar.mtj.fitting import LEAST_BARRIER, fit, fit_conduction, fit_switching
from crossbar.mtj.likelihood import Tabulated, Thermal
from crossbar.mtj.switching import TAU_0, thermal_rate

SEED = 190_447_318
REPEATS = 250
P = presets["mtj-60kT"]
DAFFODIL = presets["daffodil"].replace(delta=45.0, tau_d=1e-9)
BOTH = np.array([[1], [-1]])
VOLTS = np.r_[np.linspace(-0.6, -0.02, 20), np.linspace(0.02, 0.6, 20)]
CONDUCTION = ("r_p", "tmr", "v_h")


def generator(offset=0):
    return np.random.default_rng(SEED + offset)


def check_pulls(pulls):
    """Mean 0 and variance 1, each within 4 sigma."""
    n = len(pulls)
    assert np.abs(np.mean(pulls, axis=0)).max() < 4 / sqrt(n)
    assert np.abs(np.var(pulls, axis=0) - 1).max() < 4 * sqrt(2 / n)


# Conduction


@pytest.mark.parametrize(("state", "known"), [(BOTH, True), (BOTH, False), (-1, True)], ids=["both", "both-estimated", "AP"])
def test_pulls_of_conduction(state, known):
    """From AP alone R_P and TMR go together: errors ten times smaller keep the covariance, a first order, good there."""
    rng, error = generator(known), 2e-8 if np.ndim(state) == 0 else 2e-7
    exact = current(VOLTS, P, state)[0]
    fits = [fit_conduction(VOLTS, exact + error * rng.standard_normal(exact.shape), state, sigma=error if known else None)
            for _ in range(REPEATS)]
    errors = np.array([[f.values[n] - getattr(P, n) for n in CONDUCTION] for f in fits])
    check_pulls([z / [f.sigma[n] for n in CONDUCTION] for z, f in zip(errors, fits)])
    squares = [z @ np.linalg.solve(f.covariance, z) for z, f in zip(errors, fits)]  # chi-squared, three degrees of freedom
    assert abs(np.mean(squares) - 3) < 4 * sqrt(6 / REPEATS)
    assert_allclose(np.sqrt(np.diag(fits[0].covariance)), list(fits[0].sigma.values()), rtol=1e-12)
    scale = 1 if known else error**2
    chi2 = np.array([f.deviance for f in fits]) / scale
    dof = exact.size - 3
    assert {f.dof for f in fits} == {dof}
    assert abs(chi2.mean() / dof - 1) < 4 * sqrt(2 / dof / REPEATS)


@settings(max_examples=25)
@given(st.floats(1e2, 1e7), st.floats(0.1, 5), st.floats(0.1, 1.0))
def test_exact_curves_give_exact_parameters(r_p, tmr, v_h):
    p = MTJParams(r_p=r_p, tmr=tmr, v_h=v_h)
    for state in (BOTH, -1):
        got = fit(VOLTS, current(VOLTS, p, state)[0], state)
        assert_allclose([got.r_p, got.tmr, got.v_h], [r_p, tmr, v_h], rtol=1e-5)


def test_measured_curves():
    """Different errors at every point, both states in one flat list, words for states: within 4 sigma."""
    rng = generator(3)
    v = rng.uniform(-0.8, 0.8, 60)
    state = np.where(rng.random(60) < 0.5, "P", "AP")
    error = 1e-7 * rng.uniform(0.5, 5, 60)
    i = current(v, DAFFODIL, np.where(state == "P", 1, -1))[0] + error * rng.standard_normal(60)
    f = fit_conduction(v, i, state, sigma=error)
    for name in CONDUCTION:
        assert abs(f.values[name] - getattr(DAFFODIL, name)) < 4 * f.sigma[name]
        assert getattr(f.params, name) == pytest.approx(f.values[name], rel=1e-12)
        assert f.sigma[name] < 0.05 * f.values[name]
    assert f.names == CONDUCTION and f.used.shape == (60,) and f.used.all()
    assert f.params.delta is None and f.params.k_i is None  # I-V curves tell nothing of the magnetism


def test_weights_matter():
    """A point with a large error counts little: one gross outlier, said to be uncertain, moves nothing."""
    i = current(VOLTS, P, BOTH)[0]
    error = np.full(i.shape, 1e-8)
    i[1, 3], error[1, 3] = 1e-3, 1.0
    f = fit_conduction(VOLTS, i, BOTH, sigma=error)
    assert_allclose([f.values[n] for n in CONDUCTION], [P.r_p, P.tmr, P.v_h], rtol=1e-5)


def test_uncertainty_scales_with_the_error():
    i = current(VOLTS, P, BOTH)[0]
    one, ten = (fit_conduction(VOLTS, i, BOTH, sigma=s) for s in (1e-8, 1e-7))
    for name in CONDUCTION:
        assert_allclose(ten.sigma[name], 10 * one.sigma[name], rtol=1e-4)
    half = fit_conduction(VOLTS, i, BOTH, sigma=1e-8, free=("r_p", "tmr"), p=P)
    assert half.sigma["tmr"] < one.sigma["tmr"]  # V_h known helps


def test_what_is_known_is_kept():
    """A barrier and a temperature belong to the law; RA stands for R_P where the area is known."""
    p = P.replace(barrier=0.4, asymmetry=0.1, temperature=350.0, tmr=1.5, ra=12e-12, v_h=0.4)
    wrong = p.replace(tmr=1.0, ra=9e-12, v_h=0.6)
    got = fit(VOLTS, current(VOLTS, p, BOTH)[0], BOTH, p=wrong)
    for name in ("r_p", "ra", "tmr", "v_h", "barrier", "temperature", "delta", "diameter"):
        assert_allclose(getattr(got, name), getattr(p, name), rtol=1e-6, err_msg=name)
    assert_allclose(got.replace(diameter=25e-9).r_p, 4 * p.r_p, rtol=1e-6)


@pytest.mark.parametrize(("state", "free"), [(1, ("r_p",)), (BOTH, ("r_p", "tmr")), (-1, ("tmr",)), (-1, ("v_h",)),
                                             (BOTH, ("v_h", "r_p")), (-1, ("tmr", "v_h"))])
def test_some_parameters_held(state, free):
    start = {"r_p": 4e3, "tmr": 1.0, "v_h": 0.7}
    p = MTJParams(**start | {n: x for n, x in {"r_p": 5e3, "tmr": 1.3, "v_h": 0.5}.items() if n in free})
    f = fit_conduction(VOLTS, current(VOLTS, p, state)[0], state, p=MTJParams(**start), free=free)
    assert set(f.names) == set(free) and f.covariance.shape == (len(free),) * 2
    assert_allclose([f.params.r_p, f.params.tmr, f.params.v_h], [p.r_p, p.tmr, p.v_h], rtol=1e-6)


def test_one_voltage_gives_two_resistances():
    v, i, state = [0.1, 0.1, -0.1, -0.1], [1e-5, 5e-6, -1.001e-5, -5.001e-6], ["P", "AP", "P", "AP"]
    f = fit_conduction(v, i, state, p=MTJParams(r_p=1.0, v_h=np.inf), free=("r_p", "tmr"))
    assert_allclose([f.values["r_p"], f.values["tmr"]], [1e4, 1.0], rtol=2e-3)
    with pytest.raises(DataError, match="v_h needs currents in the AP state at several voltages"):
        fit_conduction(v, i, state)


@pytest.mark.parametrize(
    ("v", "i", "state", "options", "message"),
    [
        (VOLTS, 1e-4 * VOLTS, 1, {}, "P data alone do not determine tmr or v_h"),
        (VOLTS, 1e-4 * VOLTS, -1, {}, "do not determine"),  # ohmic: neither TMR nor V_h
        ([0.1, 0.2], [1e-5, 2e-5], -1, {}, "2 points"),
        ([0.1, 0.2, 0.3], [1e-5, 2e-5, 3e-5], -1, {}, "measure more"),
        ([0.1, 0.2], [1e-5, np.nan], 1, {"free": ("r_p",)}, "finite"),
        ([0.1, 0.2], [1e-5, 2e-5, 3e-5], 1, {"free": ("r_p",)}, "shapes"),
        ([0.1, 0.2], [-1e-5, -2e-5], 1, {"free": ("r_p",)}, "oppose"),
        ([0.0, 0.0], [1e-5, 2e-5], 1, {"free": ("r_p",)}, "other than 0"),
        ([0.1, 0.2], [0.0, 0.0], 1, {"free": ("r_p",)}, "other than 0"),
        ([0.1, 0.2], [1e-5, 2e-5], 1, {"free": ("r_p",), "sigma": 0.0}, "positive"),
        ([0.1, 0.2], [1e-5, 2e-5], 1, {"free": ("r_p",), "sigma": [1e-7, np.inf]}, "finite"),
        ([0.1, 0.2], [1e-5, 2e-5], 2, {"free": ("r_p",)}, "states"),
        ([0.1, 0.2], ["1", "2"], 1, {"free": ("r_p",)}, "currents"),
        ([0.1, 0.2], [1e-5, 2e-5], 1, {"free": ("ra",)}, "free parameters"),
        ([0.1, 0.2], [1e-5, 2e-5], 1, {"free": ()}, "free parameters"),
        ([0.1, 0.2], [1e-5, 2e-5], -1, {"free": ("tmr",)}, "needs p"),
        ([0.1, 0.2], [1e-5, 2e-5], 1, {"p": MTJParams(r_p=[1.0, 2.0])}, "one junction"),
    ],
)
def test_curves_that_tell_too_little(v, i, state, options, message):
    with pytest.raises(DataError, match=message):
        fit_conduction(v, i, state, **options)


def test_noise_that_hides_the_bias_dependence():
    """V_h out of reach of the voltages: refused, not a number with a hollow error bar."""
    p = MTJParams(r_p=5e3, tmr=1.0, v_h=5.0)
    v = np.linspace(-0.2, 0.2, 21)
    i = current(v, p, BOTH)[0]
    with pytest.raises(DataError, match="do not determine v_h: v_h needs currents in the AP state at several voltages"):
        fit_conduction(v, i, BOTH, sigma=1e-7)
    assert_allclose(fit_conduction(v, i, BOTH, sigma=1e-10).values["v_h"], 5, rtol=1e-3)
    i = i + 1e-7 * generator(4).standard_normal((2, 21))
    f = fit_conduction(v, i, BOTH, sigma=1e-7, p=p, free=("r_p", "tmr"))
    assert abs(f.values["tmr"] - 1) < 4 * f.sigma["tmr"]


# Switching


fit_formula = partial(fit_switching, method="formula")  # on counts drawn from the rate itself


def name_of(state):
    return "v_c0_p" if state > 0 else "v_c0_ap"


def switching(v, width, p, state, exponent=2):
    """Probability from the rate of switching.py, without any return."""
    i = np.abs(current(v, p, state)[0]) / p.i_c0(state)
    tau = TAU_0 if exponent == 1 else p.tau_d
    return -np.expm1(-thermal_rate(i, p.delta, exponent, tau_d=tau) * width / tau)


def pulls_of_switching(v, width, trials, p, state, exponent=2, repeats=REPEATS, seed=10):
    share = switching(v, width, p, state, exponent)
    assert np.count_nonzero((share > 0.05) & (share < 0.95)) >= 4
    fits = [fit_formula(v, width, k, trials, p, state, exponent=exponent)
            for k in generator(seed).binomial(trials, share, (repeats, *share.shape))]
    truth = {name_of(state): float(p.v_c0(state)), "delta": p.delta}
    return [[(f.values[n] - x) / f.sigma[n] for n, x in truth.items()] for f in fits], fits


@pytest.mark.parametrize("exponent", [1, 2])
@pytest.mark.parametrize(("p", "state"), [(DAFFODIL, 1), (DAFFODIL, -1), (P, -1)], ids=["daffodil-P", "daffodil-AP", "60kT-AP"])
def test_pulls_of_switching(p, state, exponent):
    """Voltage and width both varied; bias-dependent TMR out of AP; enough pulses for the errors to be small."""
    v = -state * p.v_c0(state) * (np.linspace(0.45, 0.7, 10) if exponent == 2 else np.linspace(0.7, 0.88, 10))
    width = np.array([[1e-7], [1e-6]]) * {DAFFODIL: 1, P: 10}[p] * {1: 1_000, 2: 1}[exponent]
    pulls, fits = pulls_of_switching(v, width, 3_000, p, state, exponent)
    check_pulls(pulls)
    assert np.mean([f.used.all() for f in fits]) == 1
    assert max(f.sigma["delta"] / f.values["delta"] for f in fits) < 0.05


def test_deviance_is_chi_squared():
    """Where no count is small. Mean dof and variance 2 dof, to 4 sigma (and 5 % for the counts not being Gaussian)."""
    v = -0.75 * np.linspace(0.54, 0.64, 8)
    _, fits = pulls_of_switching(v, 1e-6, 2_000, DAFFODIL, 1, seed=11)
    deviance = np.array([f.deviance for f in fits])
    assert {f.dof for f in fits} == {6} and deviance.min() > 0
    assert abs(deviance.mean() / 6 - 1) < 0.05 + 4 * sqrt(2 / 6 / REPEATS)


@settings(max_examples=25)
@given(st.floats(20, 80), st.floats(0.2, 1.2), st.sampled_from([1, -1]), st.sampled_from([1, 2]))
def test_expected_counts_give_the_truth(delta, v_c0, state, exponent):
    p = DAFFODIL.replace(delta=delta, v_c0_p=v_c0, v_c0_ap=v_c0)
    v = -state * v_c0 * np.linspace(0.2, 0.8, 13)
    width = np.array([[1e-8], [1e-6], [1e-4], [1e-2]])
    share = switching(v, width, p, state, exponent)
    i = np.abs(current(v, p, state)[0]) / p.i_c0(state)
    valid = np.broadcast_to(delta * (1 - i) ** exponent > LEAST_BARRIER + 0.2, share.shape)
    assume(len(np.unique(np.nonzero((share > 0.01) & (share < 0.99) & valid)[1])) > 2)
    trials = 10**9
    v, width = np.broadcast_arrays(v, width)
    f = fit_formula(v[valid], width[valid], np.round(trials * share[valid]), trials, p, state, exponent=exponent)
    assert_allclose([f.values[name_of(state)], f.values["delta"]], [v_c0, delta], rtol=1e-4)


def test_fitted_junction_switches_as_measured():
    """The parameters returned are whole: their own I_c0, Delta and tau_D give the probabilities back."""
    for p, state in ((DAFFODIL, 1), (P, -1), (P, 1)):
        v, width = -state * p.v_c0(state) * np.linspace(0.45, 0.65, 9), 1e-5
        share = switching(v, width, p, state)
        off = p.replace(delta=0.9 * p.delta, tau_d=p.tau_d, **{name_of(state): 1.1 * p.v_c0(state)})
        f = fit_formula(v, width, np.round(10**8 * share), 10**8, off, state)
        assert f.params.tau_d == pytest.approx(p.tau_d)
        assert_allclose(switching(v, width, f.params, state), share, rtol=1e-3, atol=1e-6)
        assert_allclose(f.params.v_c0(state), f.values[name_of(state)], rtol=1e-9)
        assert_allclose(f.params.v_c0(-state), off.v_c0(-state), rtol=1e-3)  # of which the data tell nothing


def test_points_beyond_thermal_activation_are_left_out():
    """Pulses up to 1.4 V_c0 switch for sure: they neither enter nor spoil the fit, and the user hears of it."""
    v = -0.75 * np.linspace(0.5, 1.4, 37)
    share = np.where(np.abs(v) < 0.69, switching(v, 1e-6, DAFFODIL, 1), 1.0)
    k = generator(12).binomial(2_000, share)
    with pytest.warns(UserWarning, match=r"\d+ of 37 points are left out"):
        f = fit_formula(v, 1e-6, k, 2_000, DAFFODIL, 1)
    for name, truth in (("v_c0_p", 0.75), ("delta", 45)):
        assert abs(f.values[name] - truth) < 4 * f.sigma[name]
    i = np.abs(v) / f.values["v_c0_p"]
    assert_array_equal(f.used, (i < 1) & (f.values["delta"] * (1 - i) ** 2 >= LEAST_BARRIER))
    assert f.dof == np.count_nonzero(f.used) - 2
    inner = fit_formula(v[f.used], 1e-6, k[f.used], 2_000, DAFFODIL, 1)
    assert_allclose(list(inner.values.values()), list(f.values.values()), rtol=1e-6)


def test_the_wrong_exponent_shows():
    """Legacy law on data of Brown's: a far smaller Delta. Widths and voltages over decades: a deviance far above dof."""
    v, width = -0.75 * np.linspace(0.3, 0.65, 15), np.array([[1e-7], [1e-5], [1e-3]])
    k = generator(13).binomial(10_000, switching(v, width, DAFFODIL, 1))
    right = fit_formula(v, width, k, 10_000, DAFFODIL, 1)
    wrong = fit_formula(v, width, k, 10_000, DAFFODIL, 1, exponent=1)
    assert right.deviance < 2 * right.dof < 10 * wrong.dof < wrong.deviance
    assert wrong.values["delta"] < 0.8 * 45


def test_slopes():
    """d ln h/dx of the closed rates, analytic, against differences; h is that of switching.py."""
    amperes, s, none = np.linspace(0, 0.95, 20), np.full(20, 3.0), np.zeros(20)
    for delta in (20.0, 60.0):
        for exponent in (1, 2):
            data = Thermal(amperes=amperes, s=s, switched=none, trials=none + 1, exponent=exponent)
            x, h = np.array([0, np.log(delta)]), 1e-6
            hazard, slopes = data.hazard(x)
            assert_allclose(hazard, 3 * thermal_rate(amperes, delta, exponent), rtol=1e-12)
            for k, got in enumerate(slopes):
                up, down = (np.log(data.hazard(x + sign * h * np.eye(2)[k])[0]) for sign in (1, -1))
                assert_allclose(got, (up - down) / (2 * h), rtol=1e-5, atol=1e-6)


# Switching, by the Fokker-Planck equation


def pulls_of_table(v, width, trials, p, state, repeats=REPEATS, seed=20, **options):
    """v, width as fit_switching's; counts drawn from switching_probability."""
    share = switching_probability(v, width, p, state)
    fits = [fit_switching(v, width, k, trials, p, state, **options)
            for k in generator(seed).binomial(trials, share, (repeats, *share.shape))]
    truth = {name_of(state): float(p.v_c0(state)), "delta": p.delta}
    return np.array([[(f.values[n] - x) / f.sigma[n] for n, x in truth.items()] for f in fits]), fits


@pytest.mark.parametrize(("p", "state"), [(DAFFODIL, 1), (P, -1)], ids=["daffodil-P", "60kT-AP"])
@pytest.mark.parametrize("width", [1e-8, 1e-7, 1e-5, np.array([[1e-8], [1e-7], [1e-5]])], ids=["10ns", "100ns", "10us", "all"])
def test_pulls_of_the_table(p, state, width):
    """From half to twice V_c0, subcritical and supercritical: no point is left out."""
    v = -state * p.v_c0(state) * np.linspace(0.5, 2, 31)
    pulls, fits = pulls_of_table(v, width, 2_000, p, state)
    check_pulls(pulls)
    assert all(f.used.all() and f.dof == f.used.size - 2 for f in fits)
    assert max(f.sigma["delta"] / f.values["delta"] for f in fits) < 0.06


def test_deviance_of_the_table_is_chi_squared():
    v = -0.75 * np.linspace(0.64, 0.76, 8)  # 10 % to 90 %
    _, fits = pulls_of_table(v, 1e-7, 2_000, DAFFODIL, 1)
    assert abs(np.mean([f.deviance for f in fits]) / 6 - 1) < 0.05 + 4 * sqrt(2 / 6 / REPEATS)


def test_bias_of_the_formula():
    """At 100 ns V_c0 comes out 3 to 5 % high and Delta 7 to 12 % low, 7 sigma and 4 sigma here, with a deviance that hides it."""
    v = -0.75 * np.linspace(0.6, 0.78, 10)
    pulls, fits = pulls_of_table(v, 1e-7, 2_000, DAFFODIL, 1, repeats=50, method="formula")
    assert np.mean(pulls, axis=0)[0] > 7 and np.mean(pulls, axis=0)[1] < -4
    assert 1.03 < np.mean([f.values["v_c0_p"] for f in fits]) / 0.75 < 1.05
    assert 0.88 < np.mean([f.values["delta"] for f in fits]) / 45 < 0.93
    assert np.mean([f.deviance / f.dof for f in fits]) < 1.3
    assert np.abs(np.mean(pulls_of_table(v, 1e-7, 2_000, DAFFODIL, 1, repeats=50)[0], axis=0)).max() < 4 / sqrt(50)


def test_counts_of_the_whole_equation():
    """Counts of s-LLGS, pulses of 3 and 5 ns at 1.2 to 2 V_c0: within 4 sigma."""
    p, trials = P.replace(v_h=np.inf), 2_000
    v_c0 = float(p.v_c0(1))
    volts, widths = v_c0 * np.array([1.2, 1.4, 1.6, 2.0]), (3e-9, 5e-9)
    drive = -np.repeat(volts, trials)
    counts = [np.sum(simulate_llgs(p, drive, t, drive.size, generator(30), progress=False).final[:, 2].reshape(4, -1) < 0, axis=1)
              for t in widths]
    f = fit_switching(-volts, np.array(widths)[:, None], counts, trials, p, "P")
    assert np.count_nonzero((np.array(counts) > 20) & (np.array(counts) < 1_980)) >= 4
    for name, truth in (("v_c0_p", v_c0), ("delta", p.delta)):
        assert abs(f.values[name] - truth) < 4 * f.sigma[name]
        assert f.sigma[name] < 0.1 * truth


@settings(max_examples=8, deadline=None)
@given(st.floats(8, 150), st.floats(0.2, 1.2), st.sampled_from([1, -1]), st.sampled_from([[3e-9], [1e-8, 1e-6], [1e-3]]))
def test_expected_counts_of_the_table_give_the_truth(delta, v_c0, state, widths):
    """1e9 pulses each: the table's kinks do not hinder."""
    p = DAFFODIL.replace(delta=delta, v_c0_p=v_c0, v_c0_ap=v_c0)
    v, width, trials = -state * v_c0 * np.linspace(0.1, 3.5, 50), np.array(widths)[:, None], 10**9
    share = switching_probability(v, width, p, state)
    assume(np.count_nonzero((share > 0.01) & (share < 0.99)) > 2)
    f = fit_switching(v, width, np.round(trials * share), trials, p, state)
    assert_allclose([f.values[name_of(state)], f.values["delta"]], [v_c0, delta], rtol=1e-4)


def test_slopes_of_the_table():
    """By differences: those of P itself, where it is smooth."""
    data = Tabulated(amperes=np.array([0.5, 1.0, 1.5]), s=np.array([50.0, 8.0, 2.0]), switched=np.zeros(3), trials=np.ones(3))
    x = np.log([1.03, 41.0])
    h, slopes = data.hazard(x)
    assert_allclose(-np.expm1(-h), table.load().probabilities(data.amperes / 1.03, data.s, 41.0)[0], rtol=1e-9)
    for k, got in enumerate(slopes):
        up, down = (np.log(data.cumulative(x + sign * 2e-3 * np.eye(2)[k])) for sign in (1, -1))
        assert_allclose(got, (up - down) / 4e-3, rtol=0.01)


def test_delta_outside_the_table():
    p = DAFFODIL.replace(delta=1.4 * table.DELTA[1])
    v = -0.75 * np.linspace(0.7, 0.9, 60)
    counts = np.round(10**6 * switching(v, 1e-6, p, 1))
    with pytest.raises(DataError, match="ends of the table"):
        fit_switching(v, 1e-6, counts, 10**6, p, 1)


def test_methods():
    """Each exponent has its default."""
    v = -0.75 * np.linspace(0.5, 0.7, 9)
    k = np.round(10**4 * switching(v, 1e-6, DAFFODIL, 1))
    for exponent, default in ((1, "formula"), (2, "fokker-planck")):
        f, g = (fit_switching(v, 1e-6, k, 10**4, DAFFODIL, 1, exponent=exponent, **o) for o in ({}, {"method": default}))
        assert f.values == g.values
    assert f.values != fit_formula(v, 1e-6, k, 10**4, DAFFODIL, 1).values
    for options in ({"exponent": 1, "method": "fokker-planck"}, {"method": "brown"}):
        with pytest.raises(DataError, match="method"):
            fit_switching(v, 1e-6, k, 10**4, DAFFODIL, 1, **options)


# Both


V2 = [-0.4, -0.45]


@pytest.mark.parametrize(
    ("v", "width", "switched", "trials", "options", "message"),
    [
        (-0.4, 1e-6, 30, 100, {}, "two voltages or more.*there is 1"),
        (-0.4, [1e-7, 1e-6, 1e-5], [3, 30, 95], 100, {}, "widths alone do not help"),
        ([-0.4, -0.45, -0.5], 1e-6, [0, 30, 100], 100, {}, "there is 1 .of 3."),
        (V2, 1e-6, [0, 100], 100, {}, "there are 0"),
        ([0.0, 0.0], [1e-6, 1e-5], [20, 60], 100, {}, "other than 0"),
        (V2, 1e-6, [0, 0], 100, {}, "no pulse switched"),
        (V2, 1e-6, [100, 100], 100, {}, "every pulse switched"),
        (V2, 1e-6, [60, 20], 100, {}, "does not grow with the voltage|ends of the table"),
        ([0.4, 0.45], 1e-6, [20, 60], 100, {}, "sign that holds P"),
        ([-0.4, -0.45], 1e-6, [20, 60], 100, {"state": "AP"}, "sign that holds AP"),
        (V2, 0.0, [20, 60], 100, {}, "widths"),
        (V2, [1e-6, np.inf], [20, 60], 100, {}, "finite"),
        ([-0.4, np.nan], 1e-6, [20, 60], 100, {}, "finite"),
        (V2, 1e-6, [0.2, 0.6], 1, {}, "whole numbers"),
        (V2, 1e-6, [20, 160], 100, {}, "switched <= trials"),
        (V2, 1e-6, [-1, 60], 100, {}, "whole numbers"),
        (V2, 1e-6, [0, 0], 0, {}, "trials >= 1"),
        (V2, [1e-6] * 3, [20, 60], 100, {}, "shapes"),
        (V2, 1e-6, ["20", "60"], 100, {}, "switched"),
        (V2, 1e-6, [20, 60], 100, {"exponent": 3}, "exponent"),
        (V2, 1e-6, [20, 60], 100, {"p": presets["daffodil"]}, "needs tau_d"),
        (V2, 1e-6, [20, 60], 100, {"p": P.replace(k_i=0.9e-3)}, "K_eff <= 0"),
        (V2, 1e-6, [20, 60], 100, {"p": P.replace(xi=50e-15)}, "xi"),
        (V2, 1e-6, [20, 60], 100, {"p": P.replace(tmr=[1.0, 1.2])}, "one junction"),
        (V2, 1e-6, [20, 60], 100, {"state": [1, -1]}, "one state"),
    ],
)
@pytest.mark.parametrize("method", ["fokker-planck", "formula"])
def test_counts_that_tell_too_little(v, width, switched, trials, options, message, method):
    options = {"p": DAFFODIL, "state": 1, "method": method} | options
    with pytest.raises(DataError, match=message):
        fit_switching(v, width, switched, trials, **options)


def test_few_pulses_do_not_determine_delta():
    """Two voltages side by side, ten pulses each: refused, as Delta is not known to within half its size."""
    with pytest.raises(DataError, match="[dD]elta"):
        fit_switching([-0.44, -0.4405], 1e-6, [5, 6], 10, DAFFODIL, 1)


def test_two_points_are_solved_exactly():
    v = -0.75 * np.array([0.55, 0.6])
    k = np.round(10**6 * switching(v, 1e-6, DAFFODIL, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f = fit_formula(v, 1e-6, k, 10**6, DAFFODIL, 1)
    assert f.dof == 0 and abs(f.deviance) < 1e-4
    assert_allclose([f.values["v_c0_p"], f.values["delta"]], [0.75, 45], rtol=0.02)


def test_legacy_exponent_needs_no_relaxation_time():
    p = presets["daffodil"].replace(delta=45.0)
    v = -0.75 * np.linspace(0.75, 0.85, 6)
    k = np.round(10**8 * switching(v, 1e-6, p, 1, exponent=1))
    f = fit_switching(v, 1e-6, k, 10**8, presets["daffodil"], "P", exponent=1)
    assert_allclose([f.values["v_c0_p"], f.values["delta"]], [0.75, 45], rtol=1e-3)
    assert f.params.tau_d is None and f.params.delta == f.values["delta"]


# Both directions


def counts_of(p, state, volts, widths, rng, trials=4000):
    """Pulses of magnitudes `volts` out of `state` as `fit_both_directions` takes them,
    counts drawn from `switching_probability`."""
    v, width = (x.ravel() for x in np.meshgrid(-state * np.asarray(volts), widths))
    share = switching_probability(v, width, p, state)
    return v, width, rng.binomial(trials, share), np.full(v.size, trials)


SHARED = MTJParams(diameter=40e-9, v_h=np.inf)


@pytest.mark.parametrize("method", [None, "formula"])
def test_both_directions_share_one_barrier(method):
    """Within 4 sigma of the junction that made the counts, and sigma of Delta below that of either direction alone.

    The formula is a law for long pulses over a barrier: its counts are drawn from it.
    """
    rng = np.random.default_rng(77_120_345)
    p = SHARED
    data = []
    for state in (-1, 1):
        width = np.full(3, 2e-6)
        v = -state * mtj.pulse_amplitude([0.1, 0.5, 0.9], 2e-6, p, state, method or "fokker-planck")
        share = switching_probability(v, width, p, state, method or "fokker-planck")
        data.append((v, width, rng.binomial(4000, share), np.full(3, 4000)))
    both = mtj.fit_both_directions(*data, p, method=method)
    alone = [mtj.fit_switching(*pulses, p, state, method=method) for pulses, state in zip(data, (-1, 1), strict=True)]
    truth = {"v_c0_ap": float(p.v_c0(-1)), "v_c0_p": float(p.v_c0(1)), "delta": p.delta}
    assert both.names == tuple(truth)
    for name, value in truth.items():
        assert abs(both.values[name] - value) < 4 * both.sigma[name]
    assert both.sigma["delta"] < min(fit.sigma["delta"] for fit in alone)
    assert both.dof == 6 - 3 and both.deviance < 30  # chi^2 of 3 degrees is below 30 but in 1.4e-6 of cases
    assert both.params.delta == pytest.approx(both.values["delta"], rel=1e-9)
    for state, name in ((1, "v_c0_p"), (-1, "v_c0_ap")):
        assert float(both.params.v_c0(state)) == pytest.approx(both.values[name], rel=1e-6)


def test_one_voltage_is_enough_where_the_other_direction_knows_the_barrier():
    rng = np.random.default_rng(5_512_903)
    rich = counts_of(SHARED, -1, mtj.pulse_amplitude([0.1, 0.5, 0.9], 1e-7, SHARED, -1), [1e-7], rng)
    poor = counts_of(SHARED, 1, [mtj.pulse_amplitude(0.4, 1e-7, SHARED, 1)], [1e-7], rng)
    with pytest.raises(DataError, match="two voltages"):
        mtj.fit_switching(*poor, SHARED, 1)
    both = mtj.fit_both_directions(rich, poor, SHARED)
    assert abs(both.values["v_c0_p"] - float(SHARED.v_c0(1))) < 4 * both.sigma["v_c0_p"]
    with pytest.raises(DataError, match="neither direction"):
        mtj.fit_both_directions(tuple(x[:1] for x in rich), poor, SHARED)


@pytest.mark.parametrize(("to_p", "to_ap", "message"), [
    ((0.2, 1e-7, 5), (-0.4, 1e-7, 5, 10), "trials"), (None, (-0.4, 1e-7, 5, 10), "trials"),
    ((-0.2, 1e-7, 5, 10), (-0.4, 1e-7, 5, 10), "sign"), ((0.2, 1e-7, 5, 10), (-0.4, 1e-7, 50, 10), "whole numbers")])
def test_both_directions_refuse(to_p, to_ap, message):
    with pytest.raises(DataError, match=message):
        mtj.fit_both_directions(to_p, to_ap, SHARED)


def test_one_fitted_direction_is_known():
    """Of a junction without geometry: its threshold in the summary, in V_c0 and in probabilities; the other is still unknown."""
    p = MTJParams(r_p=5e3, v_h=np.inf, tau_d=1e-9, thickness=None, k_i=None, m_s=None, alpha=None)
    true = p.replace(delta=40.0, v_c0_p=0.5, v_c0_ap=0.4)
    counts = counts_of(true, 1, [0.36, 0.4, 0.44], [1e-7], np.random.default_rng(90_807))
    fitted = mtj.fit_switching(*counts, p, "P").params
    lines = {line[:14].strip(): line[15:] for line in mtj.summary(fitted).splitlines()}
    assert lines["V_c0 P -> AP"].endswith("mV") and lines["V_c0 AP -> P"] == "unknown"
    v_c0 = float(fitted.v_c0("P"))
    assert 0 < switching_probability(-v_c0, 1e-8, fitted, 1) < 1
    assert mtj.pulse_amplitude(0.5, 1e-8, fitted, 1) > 0
    for use in (fitted.v_c0, lambda state: switching_probability(0.4, 1e-8, fitted, state)):
        with pytest.raises(DataError, match="i_c0_ap"):
            use("AP")
    with pytest.raises(DataError, match="i_c0_ap"):
        fitted.i_c0([1, -1])
