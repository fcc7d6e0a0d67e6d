"""Variation, defects and read noise: laws between the sampled parameters, statistics within 4 sigma, refusals."""

import re
import warnings
from math import log1p, sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from crossbar.errors import DataError, SizeError
from crossbar.mtj import MTJParams, conductance, current, presets
from crossbar.mtj.variation import Defects, Variation, read_noise, sample, sample_defects

SEED = 771_840_263
P = presets["mtj-60kT"]
DAFFODIL = presets["daffodil"].replace(delta=60.0, tau_d=1e-9)
EVERYTHING = Variation(diameter=0.04, ra=0.05, tmr=0.06, k_i=0.004, alpha=0.07)
CAUSES = ("diameter", "ra", "tmr", "k_i", "alpha")


def generator(offset=0):
    return np.random.default_rng(SEED + offset)


# The two laws


@pytest.mark.parametrize("cause", CAUSES)
def test_normal_law(cause):
    """Mean at the nominal value and relative sigma as stated, each within 4 sigma of its own error."""
    n, sigma = 40_000, 0.004 if cause == "k_i" else 0.1
    x = getattr(sample(P, Variation(**{cause: sigma}), n, generator()), cause) / getattr(P, cause)
    assert abs(x.mean() - 1) < 4 * sigma / sqrt(n)
    assert abs(x.std() / sigma - 1) < 4 / sqrt(2 * n)
    assert stats.kstest((x - 1) / sigma, "norm").pvalue > 6e-5  # 4 sigma


@pytest.mark.parametrize("cause", CAUSES)
def test_lognormal_law(cause):
    """Median at the nominal value; the standard deviation is sigma times the mean."""
    n, sigma = 40_000, 0.01 if cause == "k_i" else 0.3
    law = Variation(**{cause: sigma}, distribution="lognormal")
    p = P.replace(k_i=1.3e-3)  # stable for whatever comes out here
    x = getattr(sample(p, law, n, generator(1)), cause) / getattr(p, cause)
    s = sqrt(log1p(sigma**2))
    assert stats.kstest(np.log(x) / s, "norm").pvalue > 6e-5
    assert abs(np.mean(x > 1) - 0.5) < 4 * 0.5 / sqrt(n)
    assert abs(x.std() / x.mean() / sigma - 1) < 2 * 4 / sqrt(2 * n)  # a kurtosis below 6 less than doubles the error


def test_causes_are_independent():
    n = 40_000
    q = sample(P, EVERYTHING, n, generator(2))
    r = np.corrcoef([getattr(q, cause) for cause in CAUSES])
    assert np.abs(r[~np.eye(5, dtype=bool)]).max() < 4.5 / sqrt(n)  # ten pairs
    shuffled = q.diameter.reshape(200, 200)
    assert abs(np.corrcoef(shuffled[:, 1:].ravel(), shuffled[:, :-1].ravel())[0, 1]) < 4 / sqrt(n)


# What follows from the causes


def test_diameter_moves_everything_by_the_area():
    q = sample(P, Variation(diameter=0.1), (30, 20), generator(3))
    area = (q.diameter / P.diameter) ** 2
    assert q.shape == q.r_p.shape == q.delta.shape == (30, 20)
    for name, power in (("r_p", -1), ("delta", 1), ("i_c0_p", 1), ("i_c0_ap", 1), ("tau_d", 0), ("k_i", 0)):
        assert_allclose(getattr(q, name), getattr(P, name) * area**power, rtol=1e-9, err_msg=name)
    for state in (1, -1):
        assert_allclose(q.v_c0(state), P.v_c0(state), rtol=1e-9)


def test_ra_moves_resistance_but_not_critical_current():
    q = sample(P, Variation(ra=0.1), 50, generator(4))
    ra = q.ra / P.ra
    assert_allclose(q.r_p, P.r_p * ra, rtol=1e-12)
    assert_allclose(q.i_c0([1, -1] * 25), P.i_c0([1, -1] * 25), rtol=1e-12)
    assert_allclose(q.v_c0(1), P.v_c0(1) * ra, rtol=1e-9)


def test_tmr_moves_the_antiparallel_state_and_the_torque():
    q = sample(P, Variation(tmr=0.1), 50, generator(5))
    assert_allclose(conductance(q, 1), P.g_p, rtol=1e-12)
    assert_allclose(conductance(q, -1), P.g_p / (1 + q.tmr), rtol=1e-12)
    assert_allclose(q.delta, P.delta, rtol=1e-12)
    polarization = np.sqrt(q.tmr / (q.tmr + 2))
    assert_allclose(q.i_c0_ap / q.i_c0_p, (1 - polarization**2) / (1 + polarization**2), rtol=1e-9)


def test_one_per_cent_of_k_i_is_nine_of_delta():
    """Delta - Delta_0 = 8.6 Delta_0 (K_i / K_i0 - 1), exactly linear; so its relative sigma is 8.6 that of K_i."""
    n, sigma = 20_000, 0.005
    q = sample(P, Variation(k_i=sigma), n, generator(6))
    gain = (q.delta / P.delta - 1) / (q.k_i / P.k_i - 1)
    assert_allclose(gain, gain.flat[0], rtol=1e-6)
    assert_allclose(gain.flat[0], 8.6, atol=0.05)
    assert abs(q.delta.std() / P.delta / (8.6 * sigma) - 1) < 0.006 + 4 / sqrt(2 * n)
    assert_allclose(q.i_c0_p / q.delta, P.i_c0_p / P.delta, rtol=1e-9)
    assert_allclose(q.tau_d * q.delta, P.tau_d * P.delta, rtol=1e-9)


def test_alpha_moves_times_and_critical_currents():
    q = sample(P, Variation(alpha=0.1), 50, generator(7))
    assert_allclose(q.i_c0_p / q.alpha, P.i_c0_p / P.alpha, rtol=1e-12)
    assert_allclose(q.tau_d * q.alpha / (1 + q.alpha**2), P.tau_d * P.alpha / (1 + P.alpha**2), rtol=1e-12)
    assert_allclose(q.delta, P.delta, rtol=1e-12)


def test_devices_are_what_their_causes_make_them():
    q = sample(P, EVERYTHING, (3, 4), generator(8))
    v = np.linspace(-0.4, 0.4, 12).reshape(3, 4)
    i = current(v, q, -1)[0]
    for j, k in np.ndindex(3, 4):
        one = P.replace(**{cause: getattr(q, cause)[j, k] for cause in CAUSES})
        for name in ("r_p", "delta", "tau_d", "i_c0_p", "i_c0_ap"):
            assert_allclose(getattr(q, name)[j, k], getattr(one, name), rtol=1e-9)
        assert_allclose(i[j, k], current(v[j, k], one, -1)[0], rtol=1e-12)


def test_correlations_come_out_of_the_area():
    """With RA and diameter at 5 %: r_p = RA / area has d ln r_p = e_RA - 2 e_d, Delta 2 e_d: rho = -2 / sqrt(5)."""
    n = 40_000
    q = sample(P, Variation(diameter=0.02, ra=0.02), n, generator(9))
    rho = np.corrcoef(np.log(q.r_p), np.log(q.delta))[0, 1]
    assert abs(rho + 2 / sqrt(5)) < 4 * (1 - 4 / 5) / sqrt(n) + 1e-3


# Junctions of which less is known


def test_unknown_geometry():
    """The factors of RA and area are told apart by Delta, which only the area scales; a given V_c0 follows RA."""
    q = sample(DAFFODIL, Variation(diameter=0.05, ra=0.05), (40, 5), generator(10))
    assert q.diameter is None and q.ra is None
    assert q.r_p.shape == q.delta.shape == (40, 5)
    area = q.delta / 60
    ra = q.r_p / DAFFODIL.r_p * area
    assert 0.07 < area.std() < 0.13 and 0.035 < ra.std() < 0.065  # 0.1 and 0.05; 200 devices, 4 sigma are 20 %
    assert abs(np.corrcoef(area.ravel(), ra.ravel())[0, 1]) < 4 / sqrt(200)
    for state in (1, -1):
        assert_allclose(q.v_c0(state), 0.75 * ra, rtol=1e-9)
        assert_allclose(q.i_c0(state), np.abs(current(-0.75 * state * ra, q, state)[0]), rtol=1e-9)
    assert_array_equal(q.tau_d, 1e-9)


def test_given_critical_currents_scale_with_the_area():
    p = MTJParams(r_p=5e3, delta=50.0, i_c0_p=80e-6, v_c0_ap=0.4, thickness=None)
    q = sample(p, Variation(diameter=0.05, tmr=0.05), 30, generator(11))
    assert_allclose(q.r_p * q.delta, 5e3 * 50, rtol=1e-12)
    assert_allclose(q.i_c0_p / q.delta, 80e-6 / 50, rtol=1e-12)
    assert_allclose(q.v_c0(-1), 0.4, rtol=1e-9)
    assert np.ptp(q.delta) > 0


def test_given_resistance_with_a_known_diameter():
    p = MTJParams(r_p=5e3, diameter=50e-9)
    q = sample(p, Variation(diameter=0.05), 30, generator(12))
    assert_allclose(q.r_p * q.diameter**2, 5e3 * 50e-9**2, rtol=1e-12)
    assert_allclose(q.delta / q.diameter**2, p.delta / p.diameter**2, rtol=1e-9)


def test_given_critical_current_without_damping_follows_delta():
    p = MTJParams(i_c0_p=1e-4, i_c0_ap=5e-5, alpha=None)
    q = sample(p, Variation(diameter=0.05, k_i=0.003), 30, generator(13))
    assert_allclose(q.i_c0_p / q.delta, p.i_c0_p / p.delta, rtol=1e-9)
    assert_allclose(q.i_c0_ap / q.i_c0_p, 0.5, rtol=1e-9)


@pytest.mark.parametrize(
    ("p", "cause", "missing"),
    [
        (DAFFODIL, "k_i", "diameter"),
        (DAFFODIL, "alpha", "alpha"),
        (P.replace(alpha=None), "alpha", "alpha"),
        (P.replace(m_s=None), "k_i", "m_s"),
        (MTJParams(r_p=5e3, delta=50.0, tau_d=1e-9), "alpha", "diameter"),
    ],
)
def test_what_is_missing_is_named(p, cause, missing):
    with pytest.raises(DataError, match=rf"variation of {cause} needs {missing}\b"):
        sample(p, Variation(**{cause: 0.005}), 10, generator())


# Unusable devices


def unstable_share(sigma):
    """Of the normal law: K_eff <= 0 where K_i / K_i0 <= 1 - K_eff t / K_i0."""
    return stats.norm.cdf(-(P.k_eff * P.thickness / P.k_i) / sigma)


def test_unstable_devices_are_an_error_that_counts_them():
    n, share = 20_000, unstable_share(0.05)
    with pytest.raises(DataError, match="K_eff <= 0") as error:
        sample(P, Variation(k_i=0.05), n, generator(14))
    count = int(re.match(r"(\d+) of 20000 devices", str(error.value))[1])
    assert abs(count - n * share) < 4 * sqrt(n * share)
    assert "max_unstable" in str(error.value)
    with pytest.raises(DataError, match="max_unstable"):
        sample(P, Variation(k_i=0.05), n, generator(14), max_unstable=0.5 * share)


def test_unstable_devices_are_drawn_again_and_said_so():
    """Not clipped: what remains is the normal law truncated at K_eff = 0, its mean within 4 sigma."""
    n, sigma = 20_000, 0.05
    with pytest.warns(UserWarning, match=r"\d+ of 20000 devices came out unusable .* drawn again"):
        q = sample(P, Variation(k_i=sigma), n, generator(15), max_unstable=2 * unstable_share(sigma))
    assert np.all(q.k_eff > 0) and np.all(q.i_c0_p > 0) and np.all(q.tau_d > 0)
    edge = -(P.k_eff * P.thickness / P.k_i) / sigma
    law = stats.truncnorm(edge, np.inf)
    z = (q.k_i / P.k_i - 1) / sigma
    assert z.min() > edge
    assert abs(z.mean() - law.mean()) < 4 * law.std() / sqrt(n)
    assert stats.kstest(z, law.cdf).pvalue > 6e-5


def test_only_unstable_devices_change_when_drawn_again():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        many, few = (sample(P, Variation(k_i=s, diameter=0.01), 3_000, generator(16), max_unstable=1) for s in (0.06, 0.01))
    stable = np.isclose((many.k_i / P.k_i - 1) / 6, few.k_i / P.k_i - 1, rtol=1e-9)
    assert_array_equal(many.diameter[stable], few.diameter[stable])
    assert 0.9 < stable.mean() < 1


def test_negative_lengths_are_drawn_again_too():
    with pytest.raises(DataError, match="diameter <= 0"):
        sample(P, Variation(diameter=0.5), 2_000, generator(17))
    with pytest.warns(UserWarning, match="diameter <= 0"):
        q = sample(P, Variation(diameter=0.5), 2_000, generator(17), max_unstable=0.1)
    assert q.diameter.min() > 0
    assert sample(P, Variation(diameter=0.5, distribution="lognormal"), 2_000, generator(17)).diameter.min() > 0


def test_unstable_nominal_junction():
    with pytest.raises(DataError, match="nominal junction has K_eff"):
        sample(P.replace(k_i=0.9e-3), Variation(), 5, generator(), max_unstable=1)


def test_stability_is_judged_at_the_temperature_and_per_device():
    """Nominal values may differ from device to device: only the weak half loses devices."""
    k_i = np.where(np.arange(4_000) % 2, 1.3e-3, 1.0e-3)
    with pytest.warns(UserWarning, match="K_eff <= 0"):
        q = sample(P.replace(k_i=k_i, temperature=330.0), Variation(k_i=0.02), 4_000, generator(18), max_unstable=0.5)
    assert np.all(q.k_eff > 0) and np.all(q.delta > 0)
    strong = q.k_i[1::2] / 1.3e-3
    assert abs(strong.std() / 0.02 - 1) < 4 / sqrt(2 * 2_000)


# Draws


def test_the_same_seed_gives_the_same_bits():
    one, two, other = (sample(P, EVERYTHING, (7, 5), generator(k)) for k in (20, 20, 21))
    for name in (*CAUSES, "r_p", "delta"):
        assert_array_equal(getattr(one, name), getattr(two, name))
        assert not np.any(getattr(one, name) == getattr(other, name))


def test_one_sigma_leaves_the_other_draws_alone():
    few, many = (sample(P, v, (6, 5), generator(22)) for v in (Variation(alpha=0.07), EVERYTHING))
    assert_array_equal(few.alpha, many.alpha)
    assert few.diameter == P.diameter and np.ptp(many.diameter) > 0


def test_no_variation_is_the_nominal_junction():
    q = sample(P, Variation(), (3, 2), generator())
    assert q.shape == (3, 2)
    for name in ("r_p", "tmr", "delta", "tau_d", "i_c0_p"):
        assert_allclose(getattr(q, name), getattr(P, name), rtol=1e-12)


@pytest.mark.parametrize(("shape", "expected"), [(5, (5,)), ((), ()), ((2, 3, 4), (2, 3, 4)), ([2, 3], (2, 3))])
def test_shapes(shape, expected):
    q = sample(P, EVERYTHING, shape, generator(23))
    assert q.shape == expected and np.shape(q.r_p) == expected


def test_nominal_arrays_broadcast():
    p = P.replace(diameter=np.array([40e-9, 50e-9, 60e-9]))
    q = sample(p, Variation(diameter=0.01), (2_000, 3), generator(24))
    assert_allclose(q.diameter.mean(axis=0), p.diameter, rtol=4 * 0.01 / sqrt(2_000))
    for shape in ((3, 4), (2, 2), 4):
        with pytest.raises(DataError, match="do not fit"):
            sample(p, Variation(), shape, generator())
    with pytest.raises(DataError, match="do not fit"):
        sample(P.replace(tmr=np.ones((2, 3))), Variation(), 3, generator())


def test_samples_of_samples():
    """Die to die, then device to device: the variances add."""
    dies = sample(P, Variation(diameter=0.03), (400, 1), generator(25))
    q = sample(dies, Variation(diameter=0.04), (400, 100), generator(26))
    assert_allclose(np.log(q.diameter).std(), 0.05, rtol=4 / sqrt(2 * 400))


@pytest.mark.parametrize("value", [-0.01, 1.01, 5, np.nan, np.inf, "5 %", None, [0.1, 0.2], 1j])
def test_sigmas_out_of_range(value):
    for cause in CAUSES:
        with pytest.raises(DataError, match=f"variation of {cause}"):
            Variation(**{cause: value})
    with pytest.raises(DataError, match="max_unstable"):
        sample(P, Variation(), 3, generator(), max_unstable=value)


def test_other_refusals():
    with pytest.raises(DataError, match="'normal' or 'lognormal'"):
        Variation(distribution="gauss")
    for shape in (-1, (3, 0), 2.5, "ab", (2, None), np.nan):
        with pytest.raises(DataError, match="shape"):
            sample(P, Variation(), shape, generator())
        with pytest.raises(DataError, match="shape"):
            sample_defects(shape, generator())
    for refused in (lambda s: sample(P, Variation(), s, generator()), lambda s: sample_defects(s, generator())):
        with pytest.raises(SizeError):
            refused((10**7, 10**7))
    with pytest.raises(AttributeError):
        Variation().ra = 0.1


# Defects


def test_defect_rates():
    """Each within 4 sigma of its binomial law; no cell has two."""
    rates = {"short": 0.01, "open": 0.02, "stuck_p": 0.03, "stuck_ap": 0.04}
    n = 200 * 300
    defects = sample_defects((200, 300), generator(30), **rates)
    for kind, rate in rates.items():
        assert abs(getattr(defects, kind).sum() - n * rate) < 4 * sqrt(n * rate * (1 - rate)), kind
    total = sum(getattr(defects, kind).astype(int) for kind in rates)
    assert total.max() == 1
    assert defects.shape == (200, 300) and defects.any and defects.count == total.sum()
    assert_array_equal(defects.mask, total > 0)


def test_defect_rates_at_their_limits():
    none = sample_defects((4, 5), generator(31))
    assert not none.any and none.count == 0 and none.shape == (4, 5)
    assert sample_defects(1_000, generator(31), stuck_ap=1.0).stuck_ap.all()
    parts = sample_defects(20_000, generator(31), short=0.3, open=0.3, stuck_p=0.4)
    assert parts.count == 20_000 and abs(parts.open.mean() - 0.3) < 4 * sqrt(0.21 / 20_000)
    again = sample_defects(20_000, generator(31), short=0.3, open=0.3, stuck_p=0.4)
    assert_array_equal(parts.short, again.short)


@pytest.mark.parametrize("rates", [{"short": -0.1}, {"open": 1.1}, {"stuck_p": np.nan}, {"stuck_ap": "1"},
                                   {"short": 0.6, "open": 0.5}])
def test_rates_that_are_none(rates):
    with pytest.raises(DataError, match=next(iter(rates)) if len(rates) == 1 else "add up to 1.1"):
        sample_defects((2, 2), generator(), **rates)


def broken():
    """P, AP, short, open, stuck P, stuck AP."""
    row = np.arange(6)
    return Defects(short=row == 2, open=row == 3, stuck_p=row == 4, stuck_ap=row == 5)


def test_stuck_cells_are_where_they_are():
    defects = broken()
    assert_array_equal(defects.states([1, -1, 1, -1, -1, 1]), [1, -1, 1, -1, 1, -1])
    assert_array_equal(defects.states([True] * 6), [1, 1, 1, 1, 1, -1])
    assert_array_equal(defects.states("AP"), [-1, -1, -1, -1, 1, -1])
    assert defects.states("AP").dtype == np.int8
    batch = np.ones((3, 6), dtype=int)
    assert defects.states(batch).shape == (3, 6)
    with pytest.raises(DataError, match="do not fit"):
        defects.states(np.ones((6, 3)))


def test_open_and_short_conductances():
    defects = broken()
    g = conductance(P, defects.states("P"))
    assert_allclose(defects.conductance(g), [P.g_p, P.g_p, 1e-2, 0, P.g_p, P.g_ap], rtol=1e-12)
    assert defects.conductance(np.tile(g, (2, 1)), g_short=5e-3).shape == (2, 6)
    assert defects.conductance(g, g_short=np.full(6, 5e-3))[2] == 5e-3
    assert Defects().conductance(g).shape == (6,)
    for g_short in (0.0, -1.0, np.inf, np.nan, "x"):
        with pytest.raises(DataError, match="g_short"):
            defects.conductance(g, g_short=g_short)
    for bad in (np.ones(5), np.ones((6, 2))):
        with pytest.raises(DataError, match="do not fit"):
            defects.conductance(bad)
    with pytest.raises(DataError, match="do not fit"):
        defects.conductance(g, g_short=np.ones(5))


def test_masks_of_defects():
    mask = np.array([True, False])
    with pytest.raises(DataError, match="1 cells have two defects"):
        Defects(short=mask, open=mask)
    with pytest.raises(DataError, match="boolean"):
        Defects(short=np.array([0, 1]))
    with pytest.raises(DataError, match="do not fit"):
        Defects(short=mask, open=np.array([False] * 3))
    defects = Defects(short=mask)
    assert defects.open.shape == defects.shape == (2,) and defects.count == 1
    mask[1] = True
    assert defects.count == 1
    with pytest.raises(ValueError):
        defects.short[1] = True


# Read noise


def test_read_noise():
    """Relative, Gaussian, independent per read; the two moments within 4 sigma."""
    i = np.array([1e-6, -2e-5, 0.0])
    n, sigma = 40_000, 0.03
    reads = read_noise(np.broadcast_to(i, (n, 3)), sigma, generator(40))
    assert_array_equal(reads[:, 2], 0)
    x = reads[:, :2] / i[:2] - 1
    assert np.abs(x.mean(axis=0)).max() < 4 * sigma / sqrt(n)
    assert np.abs(x.std(axis=0) / sigma - 1).max() < 4 / sqrt(2 * n)
    assert abs(np.corrcoef(x.T)[0, 1]) < 4 / sqrt(n)
    assert abs(np.corrcoef(x[1:, 0], x[:-1, 0])[0, 1]) < 4 / sqrt(n)
    assert_array_equal(reads, read_noise(np.broadcast_to(i, (n, 3)), sigma, generator(40)))
    assert_array_equal(read_noise(i, 0.0, generator(40)), i)


def test_refusals_of_read_noise():
    for sigma in (-0.1, 1.5, np.nan, [0.1]):
        with pytest.raises(DataError, match="read noise"):
            read_noise([1e-6], sigma, generator())
    for i in ([np.nan], [np.inf], ["a"], [1j]):
        with pytest.raises(DataError, match="read currents"):
            read_noise(i, 0.1, generator())


@pytest.mark.parametrize("rng", [0, None, np.random.RandomState(7)], ids=lambda rng: type(rng).__name__)
def test_no_generator(rng):
    for call in (lambda: sample(P, Variation(ra=0.1), 3, rng), lambda: sample_defects(3, rng, open=0.1),
                 lambda: read_noise(1.0, 0.1, rng)):
        with pytest.raises(DataError, match="default_rng"):
            call()


def test_a_dictionary_is_no_variation():
    with pytest.raises(DataError, match="Variation"):
        sample(P, {"ra": 0.1}, 3, generator(3))
