"""Tails of switching probabilities: what the equation says, on both sides of every edge of the table; never less for more."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from legendre_tails import switched
from numpy.testing import assert_allclose

import crossbar.mtj as mtj
from crossbar.errors import ConvergenceError
from crossbar.mtj import evolve, fokker_planck, table
from crossbar.mtj.parameters import MTJParams
from crossbar.mtj.table_kernels import RARE

#: i, Delta, s, and P of `legendre_tails.switched` (200 modes and 60 digits give the same nine)
TAILS = [(5.0, 40.0, 0.1, 7.3434659e-14), (4.0, 60.0, 0.2, 7.3850524e-15), (6.0, 40.0, 0.15, 5.6410353e-9),
         (6.0, 40.0, 0.1, 1.2274878e-12), (6.0, 60.0, 0.3, 6.3335031e-4)]


def log10_off(p, exact):
    return np.abs(np.log10(p / exact))


@pytest.mark.parametrize(("i", "delta", "s", "exact"), TAILS[:3])
def test_the_oracle(i, delta, s, exact):
    assert_allclose(switched(i, delta, s), exact, rtol=1e-7)


@pytest.mark.parametrize(("i", "delta", "s", "exact"), TAILS)
def test_short_strong_pulses(i, delta, s, exact):
    """The solver at its default within its tolerance; the table, a limit of grids, closer."""
    assert log10_off(evolve(i, delta, [s]).switched[0, 0], exact) < fokker_planck.TOLERANCE
    assert log10_off(table.load().probabilities(i, s, delta)[0], exact) < 0.003


@pytest.mark.parametrize(("i", "delta", "s"), [(6.001, 40.0, 0.15), (6.001, 60.0, 0.3), (7.3, 40.0, 0.1), (9.0, 60.0, 0.12),
                                               (12.0, 25.0, 0.07), (20.0, 40.0, 0.04), (50.0, 30.0, 0.02), (50.0, 60.0, 0.03),
                                               (1000.0, 40.0, 0.001)])
def test_above_the_last_node(i, delta, s):
    """Against the oracle; 0.02 as in the rest of the table."""
    assert log10_off(table.load().probabilities(i, s, delta)[0], switched(i, delta, s)) < 0.02


def test_errors_above_the_last_node():
    """The other tail against the equation, refined to 0.01, down to 1e-12, for i = 6 to 50."""
    for i, delta in ((6.5, 40.0), (10.0, 60.0), (25.0, 20.0), (50.0, 40.0)):
        s = np.log(4 * delta / np.array([1e-2, 1e-6, 1e-12])) / (2 * (i - 1))
        exact = evolve(i, delta, s).error[:, 0]
        assert (exact < 0.05).all()
        assert log10_off(table.load().probabilities(i, s, delta)[1], exact).max() < 0.02


def test_no_step_where_the_axes_change():
    """Both probabilities at i = 6, off the nodes of the others."""
    delta, s = np.array([1.0, 7.7, 40.0, 170.0, 400.0]), np.geomspace(1e-3, 1e3, 41)[:, None]
    below, above = (table.load().probabilities(i, s, delta) for i in (table.I_MAX, np.nextafter(table.I_MAX, 7)))
    assert_allclose(np.log(np.maximum(below, 1e-300)), np.log(np.maximum(above, 1e-300)), rtol=1e-12, atol=1e-12)


def test_the_limit_of_infinite_overdrive():
    """i s = 0.9 at i = 1e9: the Boltzmann share of z < tanh(0.9), by quadrature."""
    z, weight = np.polynomial.legendre.leggauss(400)
    end, delta = np.tanh(0.9), 40.0
    inside, whole = (length / 2 * weight @ np.exp(delta * ((length * (z + 1) / 2) ** 2 - 1)) for length in (end, 1.0))
    assert_allclose(table.load().probabilities(1e9, 0.9e-9, delta)[0], inside / whole, rtol=1e-3)


# Never less for more


def falls(values):
    """The greatest relative fall from one value to the next."""
    step = np.diff(values)
    return float(np.max(-step / np.maximum(np.abs(values[1:]), 1e-300)))


EDGES = np.array([-2.0, 0.0, 1.0, 6.0, 9.0, 18.0])
OVERDRIVES = np.unique(np.concatenate((np.linspace(-3, 7, 1001), np.geomspace(6, 1e6, 400), EDGES, np.nextafter(EDGES, 99),
                                       np.nextafter(EDGES, -99), EDGES - 1e-9, EDGES + 1e-9)))
WIDTHS = np.unique(np.concatenate((np.geomspace(1e-6, 1e6, 800), table.S, np.nextafter(table.S, 0), np.nextafter(table.S, 1e9))))


@settings(max_examples=60, deadline=None)
@given(st.floats(1, 400), st.floats(-10, 12))
@example(1.0, float(np.log(table.S[0])))
@example(400.0, float(np.log(table.S[1])))
@example(40.0, float(np.log(0.1)))
def test_table_rises_with_the_overdrive(delta, log_s):
    """To rounding, across every edge, from RARE on."""
    p, error = table.load().probabilities(OVERDRIVES, np.exp(log_s), delta)
    assert falls(np.maximum(p, RARE)) < 1e-9
    assert falls(-error) < 1e-9


@settings(max_examples=60, deadline=None)
@given(st.floats(1, 400), st.floats(0, 50))
@example(40.0, 6.0)
@example(400.0, 6.0)
def test_table_rises_with_the_width(delta, i):
    p, error = table.load().probabilities(i, WIDTHS, delta)
    assert falls(np.maximum(p, RARE)) < 1e-9
    assert falls(-error) < 1e-9


@settings(max_examples=30, deadline=None)
@given(st.floats(1, 400), st.floats(-8, 8))
def test_quick_probabilities_rise_with_the_overdrive(delta, log_s):
    """Those of writes; 1 - P and P both, where the smaller changes."""
    i = np.sort(np.resize(OVERDRIVES, 5000))
    p, error = table.load().probabilities(i, np.exp(log_s), delta, quick=True)
    assert falls(np.maximum(p, RARE)) < 1e-9
    assert falls(-np.maximum(error, RARE)) < 1e-9


@settings(max_examples=40, deadline=None)
@given(st.floats(0.01, 1e4), st.floats(-12, 14), st.sampled_from([1, 2]), st.sampled_from(["flow", "butler"]))
@example(60.0, float(np.log(0.1)), 2, "flow")
@example(2.0, 8.0, 2, "flow")
def test_formula_rises_with_voltage_and_width(delta, log_s, exponent, constant):
    p = MTJParams(delta=max(delta, 1.0), tau_d=1e-9, r_p=5e3, v_h=np.inf, i_c0_p=1e-6, i_c0_ap=1e-6, thickness=None, k_i=None,
                  m_s=None, alpha=None)
    options = {"method": "formula", "exponent": exponent, "constant": constant}
    v, width = -5e-3 * OVERDRIVES[OVERDRIVES < 1e4], np.exp(log_s) * 1e-9
    assert falls(mtj.switching_probability(v, width, p, 1, **options)) < 1e-9
    assert falls(-mtj.write_error_rate(v, width, p, 1, **options)) < 1e-9
    for i in (-0.5, 0.3, 0.9, 1.1, 2.0, 30.0):
        assert falls(mtj.switching_probability(-5e-3 * i, 1e-9 * WIDTHS, p, 1, **options)) < 1e-9
        assert falls(-mtj.write_error_rate(-5e-3 * i, 1e-9 * WIDTHS, p, 1, **options)) < 1e-9
    assert mtj.switching_probability(-1e-2, 0.0, p, 1, **options) == 0


def test_formula_keeps_the_tail_of_long_thermal_pulses():
    """exp(-r s) with r s = 100: one minus it is 1 in double precision."""
    p = MTJParams(delta=100.0, tau_d=1e-9)  # so that less than exp(-170) comes back
    v = -mtj.pulse_amplitude(0.5, 1e-3, p, 1, "formula", exponent=1)
    i = float(mtj.overdrive(v, p, 1))
    rate = float(mtj.thermal_rate(i, 100.0, 1, tau_d=1e-9)) / 1e-9
    assert_allclose(mtj.write_error_rate(v, 100 / rate, p, 1, "formula", exponent=1), np.exp(-100), rtol=1e-6)


# Refinement


def test_refused_where_no_grid_is_fine_enough(monkeypatch):
    monkeypatch.setattr(fokker_planck, "MOST_CELLS", 1200)
    with pytest.raises(ConvergenceError, match="switching_probability") as caught:
        evolve(6.0, 60.0, [0.1])
    assert [cells for cells, _ in caught.value.trace] == [600, 1200]


def test_many_probabilities_below_what_is_followed_cost_nothing():
    assert evolve(0.0, 400.0, [1e-3]).mass.shape[0] == fokker_planck.CELLS
