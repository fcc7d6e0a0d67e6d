"""Switching under pulses: closed forms, the table against the equation it was made from, polarities, inverses, refusals."""

import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp

import crossbar.mtj as mtj
from crossbar.errors import DataError
from crossbar.mtj import MTJParams, evolve, presets, switching_probability, thermal_rate, write_error_rate
from crossbar.mtj import table

DEFAULT = presets["mtj-60kT"]


def voltage(i, p, state):
    """Voltage at which a junction carries i times its critical current, of the sign that opposes its state."""
    return np.interp(i, mtj.overdrive(-state * np.linspace(0, 2.5, 20001), p, state), np.linspace(0, 2.5, 20001)) * -state


# Closed forms


def test_half_selected_junctions():
    """Disturb probability of a 10 ns pulse at tau_D = 1.89 ns, from the rates of both exponents."""
    width = 10 / 1.89
    assert_allclose(thermal_rate([0.4, 0.6, 0.6], [60, 60, 40]) * width, [5e-9, 4e-4, 8e-3], rtol=0.05)
    assert_allclose(thermal_rate([0.4, 0.6, 0.6], [60, 60, 40], 1, tau_d=1.89e-9) * width, [2e-15, 4e-10, 1e-6], rtol=0.2)


@pytest.mark.parametrize("state", [1, -1])
def test_voltage_pulses_against_macrospins(state):
    """Constant voltage, TMR independent of bias, default efficiencies: write errors within 4 sigma of 20 000 trajectories."""
    p = MTJParams(v_h=np.inf)
    for factor, width in ((0.8, 10e-9), (1.3, 8e-9), (1.8, 3e-9)):
        v = -state * p.v_c0(state) * factor
        run = mtj.simulate_llgs(p, v, width, 20_000, np.random.default_rng(8_123_477), state=state)
        error = float(write_error_rate(v, width, p, state))
        assert 0.01 < error < 0.99
        assert abs(np.mean(run.m_z[-1] * state > 0) - error) < 4 * np.sqrt(error * (1 - error) / 20_000)


@pytest.mark.parametrize("state", [1, -1])
def test_voltage_controlled_anisotropy_against_macrospins(state):
    """The density starts at rest, where the anisotropy is whole: 4 sigma of 20 000 trajectories and 1 %."""
    p = MTJParams(v_h=np.inf, xi=6e-14)
    v = -state * 2 * p.v_c0(state)
    width = mtj.pulse_width(0.5, v, p, state)
    run = mtj.simulate_llgs(p, v, float(width), 20_000, np.random.default_rng(99_223_311), state=state)
    assert abs(np.mean(run.m_z[-1] * state > 0) - 0.5) < 4 * 0.5 / np.sqrt(20_000) + 0.01


def test_axial_drive():
    """The sign of z, not of the state; AxialCells then switch as often as the table says."""
    v = np.array([-1.5, 1.5]) * [DEFAULT.v_c0(1), DEFAULT.v_c0(-1)]
    i = mtj.axial_drive(v, DEFAULT)
    assert i[0] == mtj.overdrive(v[0], DEFAULT, 1) and i[1] == -mtj.overdrive(v[1], DEFAULT, -1)
    n = 20_000
    for drive, volts, state in zip(i, v, (1, -1), strict=True):
        cells = mtj.AxialCells(DEFAULT.delta, DEFAULT.tau_d, n, np.random.default_rng(70_771), state=state)
        seen = np.mean(cells.advance(float(drive), 4e-9) * state < 0)
        p = float(switching_probability(volts, 4e-9, DEFAULT, state))
        assert abs(seen - p) < 4 * np.sqrt(p * (1 - p) / n)


def test_half_selected_junctions_by_pulse():
    """The same through voltages and currents; the Fokker-Planck equation, from rest, lags behind the rate by some tau_D."""
    p = MTJParams(delta=60, tau_d=1.89e-9)
    v = voltage(0.6, p, 1)
    formula = [switching_probability(v, 10e-9, p, 1, "formula", exponent=n) for n in (2, 1)]
    assert_allclose(formula, [4e-4, 4e-10], rtol=0.06)
    exact = switching_probability(v, 10e-9, p, 1)
    assert 0.005 < exact / formula[0] < 0.02
    long = [switching_probability(v, 10e-6, p, 1, method) for method in ("fokker-planck", "formula")]
    assert_allclose(long[0] / long[1], 0.93, atol=0.02)  # 1 - exp(-0.89 r s) over 1 - exp(-r s)


@pytest.mark.parametrize(("i", "flow", "butler"), [(5.0, 0.99, 0.83), (3.0, 1.005, 1.07), (2.0, 1.1, 1.7), (1.5, 1.6, 4.1)])
def test_precessional_formulas_against_fokker_planck(i, flow, butler):
    """Ratios of the write-error tail at 1e-3, Delta 40. At i = 1.5 it grows towards deeper tails, whose decay is faster."""
    s = np.log(40e3) / (2 * (i - 1))
    exact = evolve(i, 40.0, [s], cells=1200).error[0, 0]
    assert_allclose(mtj.precessional_error(i, s, 40.0) / exact, flow, rtol=0.02)
    assert_allclose(mtj.precessional_error(i, s, 40.0, "butler") / exact, butler, rtol=0.02)


@pytest.mark.parametrize(("delta", "i", "error"), [
    (20, 0.0, 0.07), (20, 0.2, 0.08), (30, 0.2, 0.07), (20, 0.5, 0.2), (30, 0.7, 0.21), (60, 0.2, 0.03), (60, 0.7, 0.2)])
def test_thermal_rate_against_the_decay_of_fokker_planck(delta, i, error):
    e = evolve(i, delta, [150.0, 300.0])
    odds = np.exp(e.log_odds)
    hazard = -np.log1p(-e.switched * (1 + odds))[:, 0]
    rate = (hazard[1] - hazard[0]) / 150
    assert_allclose(rate, thermal_rate(i, delta) + thermal_rate(-i, delta), rtol=error)


@pytest.mark.parametrize("i", [1.2, 2.0, 5.0])
def test_constant_of_the_flow(i):
    """C is the exact time from a small angle to the equator: integrate the flow itself."""
    x, delta = 1e-7, 1e-3

    def equator(s, z):
        return z[0]

    equator.terminal = True
    flow = solve_ivp(lambda s, z: (1 - z ** 2) * (z - i), (0, 500), [1 - x], rtol=1e-11, atol=1e-14, method="DOP853",
                     events=equator)
    s = flow.t_events[0][0]
    # for exp(2 (i - 1) s) >> 1 the exponent of the formula is 2 Delta x_c at the time in which x_c reaches the equator
    share = -np.log1p(-mtj.precessional_error(i, s, delta))
    assert_allclose(share * i / (i - 1) / (2 * delta), x, rtol=1e-4)


def test_mean_switching_time():
    i = np.array([3.0, 5.0])
    assert_allclose(mtj.mean_switching_time(i, 40.0), mtj.mean_time(i, 40.0), rtol=0.12)


# The table


def extrapolated(i, delta, s):
    """Fokker-Planck on three grids, other than those of the table, carried to the limit: log10 of P and of 1 - P."""
    levels = [evolve(i, delta, s, cells=cells) for cells in (900, 1800, 3600)]
    with np.errstate(invalid="ignore", divide="ignore"):  # beyond rounding; not compared
        logs = [[np.log10(getattr(level, name)) for level in levels] for name in ("switched", "error")]
        return [(64 * fine - 20 * middle + coarse) / 45 for coarse, middle, fine in logs]


def test_table_against_the_equation():
    """log10 P and log10(1 - P) within 0.02 down to 1e-12, for 64 junctions off the nodes, from 0.05 to 290 tau_D."""
    rng = np.random.default_rng(20_261_124)
    i = np.concatenate((rng.uniform(0.02, 1.6, 32), rng.uniform(1.0, 4.0, 24), rng.uniform(4, 6, 8)))
    delta = np.concatenate((rng.uniform(20, 90, 32), rng.uniform(4.5, 190, 24), rng.uniform(20, 90, 8)))
    s = np.geomspace(0.05, 290, 14) * rng.uniform(0.99, 1.0)
    wanted = extrapolated(i, delta, s)
    for got, log in zip(table.load().probabilities(i, s[:, None], delta), wanted, strict=True):
        seen = np.nan_to_num(log, nan=-99) > -12
        assert seen.sum() > 300
        assert np.abs(np.log10(got[seen]) - log[seen]).max() < 0.02


def test_beyond_the_last_time_it_decays_exponentially():
    for i, delta in ((0.3, 20.0), (0.8, 60.0), (0.0, 10.0)):
        s = np.array([1e3, 1e4, 1e5])
        exact = evolve(i, delta, s, cells=2400)
        switched, error = table.load().probabilities(i, s, delta)
        keep = exact.error[:, 0] > 1e-12
        assert_allclose(switched, exact.switched[:, 0], rtol=0.01)
        assert_allclose(np.log10(error[keep]), np.log10(exact.error[keep, 0]), atol=0.02)


def test_a_pulse_of_no_width_switches_nothing():
    assert switching_probability(-0.8, 0.0, DEFAULT, 1) == 0
    assert write_error_rate(-0.8, 0.0, DEFAULT, 1, "formula") == 1


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder and a table that costs little."""
    monkeypatch.setenv("CROSSBAR_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(table, "build", lambda: table_of_ones())
    return tmp_path / "cache"


def table_of_ones():
    sizes = tuple(axis.size for axis in table.nodes())
    table_of_ones.calls = getattr(table_of_ones, "calls", 0) + 1
    return table.Table(log_hazard=np.ones(sizes), log_odds=np.ones(sizes[:2]), log_rate=np.ones(sizes[:2]))


def test_table_is_kept_and_read_again(cache):
    before = getattr(table_of_ones, "calls", 0)
    first, second = table.load.__wrapped__(), table.load.__wrapped__()
    assert table_of_ones.calls == before + 1
    assert np.array_equal(first.log_hazard, second.log_hazard)
    assert [p.suffix for p in cache.iterdir()] == [".npz"]


@pytest.mark.parametrize("damage", ["cut", "bit", "text", "shape", "nan", "empty"])
def test_a_damaged_file_is_made_anew(cache, damage):
    table.load.__wrapped__()
    path, = cache.iterdir()
    data = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(data[:len(data) // 2])
    elif damage == "bit":
        data[len(data) // 3] ^= 1
        path.write_bytes(data)
    elif damage == "text":
        path.write_text("not a table")
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        ones = table_of_ones()
        hazard = ones.log_hazard[1:] if damage == "shape" else np.where(ones.log_hazard > 0, np.nan, 0)
        np.savez(path, log_hazard=hazard, log_odds=ones.log_odds, log_rate=ones.log_rate)
    before = table_of_ones.calls
    assert (table.load.__wrapped__().log_hazard == 1).all()
    assert table_of_ones.calls == before + 1
    assert zipfile.ZipFile(path).testzip() is None


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CROSSBAR_CACHE_DIR", str(tmp_path / "file" / "folder"))
    monkeypatch.setattr(table, "build", table_of_ones)
    assert (table.load.__wrapped__().log_hazard == 1).all()


def test_processes_may_make_it_at_the_same_time(tmp_path):
    code = ("import sys; from pathlib import Path; import numpy as np; from crossbar.mtj import table\n"
            "sizes = tuple(a.size for a in table.nodes())\n"
            "ones = table.Table(log_hazard=np.ones(sizes), log_odds=np.ones(sizes[:2]), log_rate=np.ones(sizes[:2]))\n"
            "path = Path(sys.argv[1]) / 'table.npz'\n"
            "for _ in range(30):\n    table.write(path, ones); assert (table.read(path).log_hazard == 1).all()\n")
    running = [subprocess.Popen([sys.executable, "-W", "error", "-c", code, str(tmp_path)], stderr=subprocess.PIPE, text=True)
               for _ in range(3)]
    for process in running:
        _, complaint = process.communicate(timeout=120)
        assert process.returncode == 0, complaint
    assert [p.name for p in tmp_path.iterdir()] == ["table.npz"]


# Pulses


@pytest.mark.parametrize("method", ["fokker-planck", "formula"])
def test_polarity(method):
    """v < 0 switches P to AP, v > 0 AP to P, and neither the other way."""
    v = np.array([-0.9, 0.9])
    assert (switching_probability(v, 10e-9, DEFAULT, 1, method) > 0.99).tolist() == [True, False]
    assert (switching_probability(v, 10e-9, DEFAULT, -1, method) > 0.99).tolist() == [False, True]
    assert switching_probability(0.9, 10e-9, DEFAULT, "P", method) < 1e-12
    assert switching_probability(-0.9, 10e-9, DEFAULT, "AP", method) < 1e-12


def test_overdrive_is_one_at_the_critical_voltage():
    for state in (1, -1):
        assert_allclose(mtj.overdrive(-state * DEFAULT.v_c0(state), DEFAULT, state), 1, rtol=1e-9)
        assert_allclose(mtj.overdrive(state * DEFAULT.v_c0(state), DEFAULT, state), -1, rtol=1e-9)


@pytest.mark.parametrize("method", ["fokker-planck", "formula"])
@pytest.mark.parametrize("state", [1, -1])
def test_smooth_and_rising_through_the_critical_voltage(method, state):
    v = -state * DEFAULT.v_c0(state) * np.linspace(0.3, 3, 4001)
    p = switching_probability(v, 20e-9, DEFAULT, state, method)
    w = write_error_rate(v, 20e-9, DEFAULT, state, method)
    logit = np.log(p) - np.log(w)
    seen = w > 1e-200
    steps = np.diff(logit[seen])
    assert (steps > 0).all()
    assert steps.max() < 0.7  # the table resolves what a formula with a gap at i = 1 would jump over
    widths = np.geomspace(1e-11, 1e-7, 500)
    for factor in (0.5, 0.97, 1.0, 1.03, 1.5, 4.0, 8.0):
        p = switching_probability(-state * DEFAULT.v_c0(state) * factor, widths, DEFAULT, state, method)
        assert (np.diff(p) >= 0).all()


def test_formula_joins_its_two_halves_within_a_decade_of_the_equation():
    """Widths of ten tau_D and more, where the lag of the way over the barrier matters little."""
    i = np.linspace(0.75, 1.3, 23)
    v = voltage(i, DEFAULT, 1)
    for width in (20e-9, 50e-9):
        exact, formula = (switching_probability(v, width, DEFAULT, 1, m) for m in ("fokker-planck", "formula"))
        assert np.abs(np.log10(exact / formula)).max() < 0.5


def test_write_errors_go_on_where_the_axes_change():
    v = voltage(np.array([5.99, 6.01]), DEFAULT.replace(v_h=np.inf), 1)
    p = DEFAULT.replace(v_h=np.inf)
    error = write_error_rate(v, 1.2e-9, p, 1)
    assert_allclose(np.diff(np.log10(error)), [0], atol=0.15)


def test_array_fields_broadcast():
    rng = np.random.default_rng(555_111)
    p = MTJParams(diameter=rng.normal(50e-9, 1e-9, (3, 4)), tmr=rng.uniform(1.0, 1.4, (3, 1)))
    v, state = rng.uniform(-1, 1, (5, 3, 4)), rng.choice([-1, 1], (3, 4))
    got = switching_probability(v, 5e-9, p, state)
    assert got.shape == (5, 3, 4)
    for b, j, k in [(0, 0, 0), (4, 2, 3), (2, 1, 2)]:
        one = MTJParams(diameter=p.diameter[j, k], tmr=p.tmr[j, 0])
        assert_allclose(got[b, j, k], switching_probability(v[b, j, k], 5e-9, one, state[j, k]), rtol=1e-9)


def test_many_junctions_give_the_same_as_few():
    rng = np.random.default_rng(31_337_007)
    v = rng.uniform(-1, 1, 50_000)
    assert np.array_equal(switching_probability(v, 5e-9, DEFAULT, 1)[:500], switching_probability(v[:500], 5e-9, DEFAULT, 1))


def test_measured_arrays_need_what_they_lack():
    with pytest.raises(DataError, match="delta"):
        switching_probability(-0.8, 1e-8, presets["daffodil"], 1)
    with pytest.raises(DataError, match="tau_d"):
        switching_probability(-0.8, 1e-8, presets["daffodil"].replace(delta=60), 1)
    assumed = presets["daffodil"].replace(delta=60, tau_d=1e-9)
    assert switching_probability(-0.9, 5e-8, assumed, 1) > 0.99 > 0.01 > switching_probability(-0.4, 5e-8, assumed, 1)


def test_voltage_controlled_anisotropy():
    """xi > 0: a positive voltage lowers the barrier, so AP -> P becomes easier and P -> AP harder."""
    controlled = DEFAULT.replace(xi=30e-15)
    assert switching_probability(0.35, 1e-8, controlled, -1) > switching_probability(0.35, 1e-8, DEFAULT, -1)
    assert switching_probability(-0.45, 1e-8, controlled, 1) < switching_probability(-0.45, 1e-8, DEFAULT, 1)
    v = 0.35  # below the threshold the barrier under the voltage decides
    lowered = DEFAULT.replace(k_i=DEFAULT.k_i - 30e-15 * v / 1e-9)
    assert_allclose(switching_probability(v, 1e-8, controlled, -1), switching_probability(v, 1e-8, lowered, -1), rtol=1e-9)
    with pytest.raises(DataError, match="anisotropy"):
        switching_probability(2.0, 1e-8, DEFAULT.replace(xi=100e-15), -1)


# Inverses


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-9, 1 - 1e-9), st.floats(0.3, 4), st.sampled_from([1, -1]), st.sampled_from(["fokker-planck", "formula"]))
def test_pulse_width_inverts(probability, factor, state, method):
    v = -state * DEFAULT.v_c0(state) * factor
    width = mtj.pulse_width(probability, v, DEFAULT, state, method)
    assert_allclose(switching_probability(v, width, DEFAULT, state, method), probability, rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-9, 1 - 1e-9), st.floats(3e-10, 1e-6), st.sampled_from([1, -1]), st.sampled_from(["fokker-planck", "formula"]))
def test_pulse_amplitude_inverts(probability, width, state, method):
    v = mtj.pulse_amplitude(probability, width, DEFAULT, state, method)
    assert v > 0
    assert_allclose(switching_probability(-state * v, width, DEFAULT, state, method), probability, rtol=1e-6)


def test_inverses_of_arrays():
    p = MTJParams(diameter=np.array([45e-9, 50e-9, 55e-9]))
    v = mtj.pulse_amplitude(np.array([[0.5], [1 - 1e-9]]), 1e-8, p, [1, -1, 1])
    assert v.shape == (2, 3)
    assert_allclose(write_error_rate(v * [-1, 1, -1], 1e-8, p, [1, -1, 1]), [[0.5] * 3, [1e-9] * 3], rtol=1e-5)


@pytest.mark.parametrize("method", ["fokker-planck", "formula"])
@pytest.mark.parametrize("state", [1, -1])
def test_pulse_amplitude_under_voltage_controlled_anisotropy(state, method):
    p = DEFAULT.replace(xi=20e-15)
    v = mtj.pulse_amplitude(0.5, 1e-8, p, state, method)
    assert_allclose(switching_probability(-state * v, 1e-8, p, state, method), 0.5, rtol=1e-6)


def test_what_cannot_be_reached_is_said():
    with pytest.raises(DataError, match="pulse width"):
        mtj.pulse_width(0.9, 0.5, DEFAULT, 1)
    with pytest.raises(DataError, match="between 0 and 1"):
        mtj.pulse_width(1.0, -0.8, DEFAULT, 1)


def test_read_disturb_of_many_reads():
    once = mtj.read_disturb(-0.35, 10e-9, DEFAULT, 1)
    assert_allclose(mtj.read_disturb(-0.35, 10e-9, DEFAULT, 1, reads=1000), 1 - (1 - once) ** 1000, rtol=1e-6)
    assert mtj.read_disturb(0.35, 10e-9, DEFAULT, 1) < 1e-20
    rare = mtj.read_disturb(-0.05, 10e-9, DEFAULT, 1)
    assert_allclose(mtj.read_disturb(-0.05, 10e-9, DEFAULT, 1, reads=1e9), 1e9 * rare, rtol=1e-6)


def test_retention():
    """ut-50nm forgets within a second; the default keeps for years; both as the equation says."""
    assert 0.1 < mtj.retention_time(presets["ut-50nm"], 0.3) < 1
    assert mtj.retention_time(DEFAULT, 1e-9) > 0.5 * 365 * 86400
    assert np.isinf(mtj.retention_time(DEFAULT.replace(temperature=4.0)))
    short = MTJParams(delta=15.0)
    t = mtj.retention_time(short, 0.01)
    assert_allclose(switching_probability(0.0, t, short, 1), 0.01, rtol=0.08)
    assert_allclose(switching_probability(0.0, t, short, 1, "formula"), 0.01, rtol=1e-6)
    with pytest.raises(DataError, match="1/2"):
        mtj.retention_time(DEFAULT, 0.5)


# Refusals


@pytest.mark.parametrize(("change", "message"), [
    ({"v": np.nan}, "voltage"), ({"v": "high"}, "voltage"), ({"width": -1e-9}, "width"), ({"width": np.inf}, "width"),
    ({"state": 3}, "states"), ({"v": np.ones(3), "width": np.ones(2)}, "broadcast"), ({"method": "guess"}, "method"),
    ({"p": MTJParams(delta=500.0)}, "table reaches"), ({"p": MTJParams(k_i=0.5e-3)}, "K_eff"),
    ({"v": 1e30}, "volts"), ({"exponent": 1}, "method='formula'"), ({"constant": "butler"}, "method='formula'"),
    ({"method": "formula", "exponent": 3}, "exponent"), ({"method": "formula", "constant": "pi", "v": -1.0}, "constant")])
def test_refusals(change, message):
    given_ = {"v": -0.8, "width": 1e-8, "p": DEFAULT, "state": 1} | change
    with pytest.raises(DataError, match=message):
        switching_probability(**given_)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: mtj.read_disturb(-0.3, 1e-8, DEFAULT, 1, reads=-5), "reads"),
    (lambda: mtj.read_disturb([-0.3] * 3, 1e-8, DEFAULT, 1, reads=[1, 2]), "broadcast"),
    (lambda: mtj.pulse_width([0.1, 0.5, 0.3], [-0.6, -0.7], DEFAULT, 1), "broadcast"),
    (lambda: mtj.pulse_amplitude([0.1, 0.5, 0.3], [1e-8, 1e-9], DEFAULT, 1), "broadcast"),
    (lambda: mtj.mean_switching_time(0.5, 60), "i > 1"), (lambda: mtj.mean_time(-0.1, 60), "i >= 0")])
def test_refusals_of_the_others(call, message):
    with pytest.raises(DataError, match=message):
        call()


def test_precessional_formula_is_for_strong_currents_only():
    with pytest.raises(DataError, match="i > 1"):
        mtj.precessional_error(0.9, 5.0, 40.0)
