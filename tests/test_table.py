"""The table of switching probabilities against the equation it is made from, over its whole range; its seams and its file."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from crossbar.mtj import table
from crossbar.mtj.fokker_planck import evolve

TIMES = np.r_[np.geomspace(0.02, 290, 24), 1e3, 1e5, 1e6]
#          of i       of Delta      allowed in log10 P, log10(1 - P)
REGIONS = [((-1.9, -0.8), (1.5, 14), 0.05), ((-0.8, 0), (1.5, 28), 0.05),
           ((0, 1.6), (1.5, 30), 0.02), ((0, 1.6), (30, 200), 0.04), ((1, 2.5), (200, 390), 0.06), ((1, 6), (1.5, 30), 0.02),
           ((1, 6), (30, 200), 0.04), ((4, 6), (200, 390), 0.06)]


def extrapolated(i, delta, s):
    """log10 of P and of 1 - P on three grids carried to the limit, NaN where one has drowned."""
    cells = 8 * int(np.ceil(max(1000, np.pi / 0.6 * (np.abs(i) * delta).max()) / 8))
    levels = [evolve(i, delta, s, cells=cells // 4 * 2 ** k) for k in range(3)]
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = [np.log10([level.switched, level.error]) for level in levels]
        return (64 * logs[2] - 20 * logs[1] + logs[0]) / 45


@pytest.mark.parametrize("overdrives, stabilities, allowed", [
    pytest.param(*region, marks=[pytest.mark.slow] * (k in (4, 6, 7))) for k, region in enumerate(REGIONS)])
def test_random_points_against_the_equation(overdrives, stabilities, allowed):
    rng = np.random.default_rng(20_261_125)
    i, delta = np.sort(rng.uniform(*overdrives, 32)), np.exp(rng.uniform(*np.log(stabilities), 32))
    wanted = extrapolated(i, delta, TIMES)
    got = np.log10(np.maximum(table.load().probabilities(i, TIMES[:, None], delta), 1e-300))
    seen = np.isfinite(wanted) & (wanted > -12)
    assert seen.sum() > 500
    assert np.abs(got - wanted)[seen].max() < allowed


def test_a_current_that_stabilises_soon_after_the_start():
    """Where detailed balance alone gives 2e-15."""
    assert_allclose(table.load().probabilities(-0.3, 3.4, 20.0)[0], evolve(-0.3, 20.0, 3.4, cells=2400).switched[0, 0], rtol=0.02)


def test_no_step_at_zero_current_nor_at_the_ends_of_time():
    delta, s = np.array([1.0, 3.0, 12.0, 60.0]), np.geomspace(0.005, 1e5, 30)[:, None]
    left, right = (table.load().probabilities(i, s, delta) for i in (-1e-9, 1e-9))
    assert_allclose(left, right, rtol=1e-6)
    for i in (-0.4, 0.4):
        for end in table.S:
            before, after = (table.load().probabilities(i, end * x, delta) for x in (1 - 1e-9, 1 + 1e-9))
            assert_allclose(before, after, rtol=1e-6)


def test_clipped_below_the_least_overdrive():
    s, delta = np.geomspace(0.02, 1e4, 20)[:, None], np.array([1.2, 5.0, 15.0, 300.0])
    t = table.load()
    assert_array_equal(t.probabilities(-7.0, s, delta), t.probabilities(table.I_MIN, s, delta))
    exact = evolve(-3.0, delta[:3], s.ravel(), cells=1200).switched
    assert np.all(exact < 1.02 * t.probabilities(-3.0, s, delta[:3])[0] + 1e-14)


def test_probabilities_are_probabilities():
    rng = np.random.default_rng(5)
    n = 100_000
    i, delta, s = rng.uniform(-3, 6, n), rng.uniform(1, 20, n) ** 2, np.exp(rng.uniform(-6, 20, n))
    switched, error = table.load().probabilities(i, s, delta)
    assert np.all((switched >= 0) & (switched <= 1) & (error >= 0) & (error <= 1))
    assert_allclose(switched + error, 1, rtol=1e-9)


def test_a_part_of_the_build_without_warnings():
    s = table.nodes()[2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for i, delta in ((np.array([0.0, 1.0]), np.array([1.0, 400.0])), (np.array([5.9, 6.0]), np.array([1.0, 30.0]))):
            assert all(np.isfinite(x).all() for x in table._hazards(i, delta, s))
        assert np.isfinite(table._log_against(np.array([0.1, 1.9]), np.array([1.0, 400.0]), s)).all()


@pytest.mark.parametrize("kind", ["folder", "unreadable", "array", "pickle"])
def test_what_is_no_table_costs_a_rebuild(tmp_path, monkeypatch, kind):
    sizes = tuple(axis.size for axis in table.nodes())
    ones = table.Table(log_hazard=np.ones(sizes), log_odds=np.ones(sizes[:2]), log_rate=np.ones(sizes[:2]))
    monkeypatch.setenv("CROSSBAR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(table, "build", lambda: ones)
    table.load.__wrapped__()
    path, = tmp_path.iterdir()
    assert_array_equal(table.read(path).log_against, ones.log_against)
    if kind == "unreadable":
        path.chmod(0)
    else:
        path.unlink()
        if kind == "folder":
            (path / "inside").mkdir(parents=True)
        elif kind == "array":
            with path.open("wb") as stream:
                np.save(stream, np.ones(3))
        else:
            path.write_bytes(b"\x80\x04N.")
    assert_array_equal(table.load.__wrapped__().log_hazard, ones.log_hazard)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("s", [0.003, 4.0, 700.0])
def test_equal_junctions_are_the_general_case(s: float) -> None:
    i = np.concatenate((np.linspace(-3, 6, 9000), [0.0, 1.0, -1e-9]))
    together = table.load().probabilities(i, s, 57.0, quick=True)
    apart = table.load().probabilities(i, np.full(i.shape, s), np.full(i.shape, 57.0))
    for a, b in zip(together, apart, strict=True):
        seen = b > 1e-60
        np.testing.assert_allclose(a[seen], b[seen], rtol=1e-3)  # the table itself is right to 5 %
        np.testing.assert_allclose(a[b > 1e-9], b[b > 1e-9], rtol=2e-4)
