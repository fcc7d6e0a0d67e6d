"""Conduction of single junctions: laws of current, slope and states, parameters and their refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from crossbar import mtj
from crossbar.elements.cells import MTJCells
from crossbar.errors import CrossbarError, DataError
from crossbar.mtj import MTJParams, as_state, conductance, current, presets

SEED = 1_942_203_375

junctions = st.builds(MTJParams, r_p=st.floats(1.0, 1e7), tmr=st.floats(0.0, 10.0), v_h=st.floats(0.05, 5.0))
volts = st.floats(-3.0, 3.0)
cosines = st.floats(-1.0, 1.0)


def law(v, p, m_z):
    """The documented law, written out for complex v: G = G_AP + (1 + m_z)/2 (G_P - G_AP), TMR(v) = TMR/(1 +
    (v/V_h)^2)."""
    tmr = p.tmr / (1 + (v / p.v_h) ** 2)
    g_p = 1 / p.r_p
    g_ap = g_p / (1 + tmr)
    return v * (g_ap + (1 + m_z) / 2 * (g_p - g_ap))


@given(volts, junctions, cosines)
def test_current_and_slope_against_complex_step(v, p, m_z):
    i, slope = current(v, p, m_z)
    assert_allclose(i, law(v, p, m_z), rtol=1e-12, atol=1e-300)
    assert_allclose(slope, law(v + 1e-30j, p, m_z).imag / 1e-30, rtol=1e-10)


@given(st.floats(0.01, 2.0), junctions)
def test_slope_against_central_differences_of_the_current_itself(v, p):
    h = 1e-5
    difference = (current(v + h, p, -1)[0] - current(v - h, p, -1)[0]) / (2 * h)
    assert_allclose(current(v, p, -1)[1], difference, rtol=1e-4)


@given(volts, junctions, cosines)
def test_current_is_odd_and_slope_even(v, p, m_z):
    (i, g), (back, g_back) = current(v, p, m_z), current(-v, p, m_z)
    assert back == -i and g_back == g


@given(volts, junctions, cosines)
def test_slope_is_positive(v, p, m_z):
    """The solvers rely on it: no region of negative differential conductance for any parameters."""
    assert current(v, p, m_z)[1] > 0


@given(st.floats(0.01, 3.0), junctions)
def test_tmr_from_the_ratio_of_currents(v, p):
    tmr = current(v, p, 1)[0] / current(v, p, -1)[0] - 1
    assert_allclose(tmr, p.tmr / (1 + (v / p.v_h) ** 2), rtol=1e-9, atol=1e-14)


@given(junctions)
def test_tmr_is_halved_at_v_h(p):
    assert_allclose(current(p.v_h, p, 1)[0] / current(p.v_h, p, -1)[0] - 1, p.tmr / 2, rtol=1e-9, atol=1e-14)


@given(volts, junctions, cosines, cosines, st.floats(0.0, 1.0))
def test_conductance_is_linear_in_the_cosine(v, p, a, b, share):
    """Linear in conductance, not in resistance."""
    between = current(v, p, share * a + (1 - share) * b)
    for k in (0, 1):
        ends = share * current(v, p, a)[k] + (1 - share) * current(v, p, b)[k]
        assert_allclose(between[k], ends, rtol=1e-12, atol=1e-300)


@given(volts, junctions)
def test_parallel_state_is_ohmic(v, p):
    i, g = current(v, p, 1)
    assert_allclose([i, g], [v / p.r_p, 1 / p.r_p], rtol=1e-14)


@given(volts, junctions, cosines)
def test_infinite_v_h_is_ohmic(v, p, m_z):
    ohmic = p.replace(v_h=np.inf)
    i, g = current(v, ohmic, m_z)
    assert_allclose(i, v * g, rtol=1e-14)
    assert_allclose(g, conductance(p, m_z), rtol=1e-14)


@given(junctions)
def test_conductances_at_zero_bias(p):
    assert_allclose([conductance(p, 1), conductance(p, -1)], [p.g_p, p.g_ap], rtol=1e-14)
    assert_allclose(conductance(p, 0), (p.g_p + p.g_ap) / 2, rtol=1e-14)
    assert_allclose(p.g_p / p.g_ap, 1 + p.tmr, rtol=1e-14)


def test_arrays_broadcast_like_single_junctions():
    rng = np.random.default_rng(SEED)
    p = MTJParams(r_p=rng.uniform(1e3, 2e3, (3, 1)), tmr=rng.uniform(0.5, 2, (1, 4)), v_h=0.4)
    assert p.shape == (3, 4)
    v, state = rng.normal(size=(5, 3, 4)), rng.choice([-1, 1], (3, 4))
    i, g = current(v, p, state)
    assert i.shape == g.shape == (5, 3, 4)
    for b, j, k in np.ndindex(5, 3, 4):
        one = MTJParams(r_p=p.r_p[j, 0], tmr=p.tmr[0, k], v_h=0.4)
        assert_allclose([i[b, j, k], g[b, j, k]], current(v[b, j, k], one, state[j, k]), rtol=1e-14)


# Published numbers


def test_ut_junction():
    """RA 9.8 ohm um^2 on a 50 nm disc: R_P = 4.99 kohm; TMR 120 %."""
    p = presets["ut-50nm"]
    assert_allclose(p.r_p, 4.99e3, rtol=5e-4)
    assert_allclose(p.r_p, 9.8e-12 / (np.pi * 25e-9**2), rtol=1e-12)
    assert p.tmr == 1.2
    assert_allclose(1 / p.g_ap, 2.2 * p.r_p, rtol=1e-12)


def test_daffodil_junction():
    """Conductances in the driver code published with the boards: 233 and 133 uS."""
    p = presets["daffodil"]
    assert_allclose([p.g_p, p.g_ap], [233e-6, 133e-6], rtol=1e-12)
    assert_allclose(p.tmr, 0.75, atol=0.003)


def test_default_junction_conducts_like_the_ut_junction():
    for p in (MTJParams(), presets["mtj-60kT"]):
        assert_allclose([p.r_p, p.tmr, p.v_h], [presets["ut-50nm"].r_p, 1.2, 0.5], rtol=1e-12)


def test_presets_are_constant():
    with pytest.raises(TypeError):
        presets["new"] = MTJParams()
    with pytest.raises(AttributeError):
        presets["daffodil"].r_p = 1.0


# Parameters


def test_geometry_gives_the_resistance():
    p = MTJParams(ra=5e-12, diameter=40e-9)
    assert_allclose(p.r_p, 5e-12 / (np.pi * 20e-9**2), rtol=1e-12)
    assert_allclose(p.replace(diameter=80e-9).r_p, p.r_p / 4, rtol=1e-12)
    assert_allclose(p.replace(ra=10e-12).r_p, 2 * p.r_p, rtol=1e-12)
    assert_allclose(p.replace(tmr=0.7).r_p, p.r_p, rtol=1e-12)
    assert p.replace(r_p=1e4).r_p == 1e4
    many = MTJParams(ra=5e-12, diameter=np.array([40e-9, 50e-9, 60e-9]))
    assert_allclose(many.r_p[0] / many.r_p, [1, (5 / 4) ** 2, (6 / 4) ** 2], rtol=1e-12)


def test_resistance_and_geometry_must_agree():
    right = 5e-12 / (np.pi * 20e-9**2)
    assert MTJParams(r_p=right, ra=5e-12, diameter=40e-9).r_p == right
    for wrong in (1.01 * right, np.array([right, 1.01 * right])):
        with pytest.raises(DataError, match="contradicts"):
            MTJParams(r_p=wrong, ra=5e-12, diameter=40e-9)


@pytest.mark.parametrize(
    "value",
    [-1.0, np.nan, -np.inf, [1.0, np.nan], [1.0, -1.0], "large", [], 1 + 1j, [[1.0], [1.0, 2.0]]],
    ids=str,
)
@pytest.mark.parametrize("field", ["r_p", "tmr", "v_h", "ra", "diameter"])
def test_parameters_out_of_range(field, value):
    whole = {"ra": 1e-12, "diameter": 5e-8} if field in ("ra", "diameter") else {}
    with pytest.raises(DataError, match=field):
        MTJParams(**whole | {field: value})


@pytest.mark.parametrize("field", ["tmr", "v_h"])
def test_parameters_that_must_be_given(field):
    with pytest.raises(DataError, match=field):
        MTJParams(**{field: None})


@pytest.mark.parametrize("field", ["r_p", "v_h", "ra", "diameter"])
def test_zero_is_no_resistance_voltage_or_length(field):
    whole = {"ra": 1e-12, "diameter": 5e-8} if field in ("ra", "diameter") else {}
    with pytest.raises(DataError, match=field):
        MTJParams(**whole | {field: 0.0})


@pytest.mark.parametrize("field", ["r_p", "tmr", "ra", "diameter"])
def test_only_v_h_may_be_infinite(field):
    whole = {"ra": 1e-12, "diameter": 5e-8} if field in ("ra", "diameter") else {}
    with pytest.raises(DataError, match=field):
        MTJParams(**whole | {field: np.inf})


def test_half_a_geometry_is_none():
    for half in ({"ra": 1e-12}, {"r_p": None, "ra": 1e-12, "diameter": None}):
        with pytest.raises(DataError):
            MTJParams(**half)


@pytest.mark.parametrize(
    "fields",
    [
        {"r_p": [1.0, 2.0], "tmr": [1.0, 2.0, 3.0]},
        {"ra": [1e-12] * 2, "diameter": [5e-8] * 3},
        {"r_p": [1e3, 2e3], "ra": [1e-12] * 3, "diameter": 5e-8},
    ],
)
def test_fields_that_do_not_broadcast(fields):
    """Refused where they are given, not somewhere inside a solver."""
    with pytest.raises(CrossbarError):
        MTJParams(**{name: np.array(x) for name, x in fields.items()})


# States


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([True, False], [1, -1]),
        ([0, 1], [-1, 1]),
        ([-1, 1], [-1, 1]),
        ([1, 1], [1, 1]),
        ([0, 0], [-1, -1]),
        ([-1, -1], [-1, -1]),
        (["P", "AP"], [1, -1]),
        ([" p", "ap "], [1, -1]),
        ([0.0, 1.0], [-1, 1]),
        (np.array([0, 1], np.uint8), [-1, 1]),
        (1, 1),
        ("AP", -1),
    ],
)
def test_states(given, expected):
    state = as_state(given)
    assert state.dtype == np.int8
    assert_array_equal(state, expected)
    assert_array_equal(as_state(state), state)


@pytest.mark.parametrize(
    "given",
    [
        [0, -1],
        [1, 0, -1],
        [2],
        [0.5],
        [np.nan],
        ["X"],
        ["P", "1"],
        [None],
        [1j],
        [[1], [1, 0]],
        [{}],
        [np.inf],
        ["P", True],
    ],
    ids=str,
)
def test_states_that_are_none(given):
    with pytest.raises(DataError):
        as_state(given)


def test_bool_is_no_cosine():
    """As a cosine False would be 0, half parallel: `current` takes it for a state, or refuses it."""
    state = np.array([True, False])
    try:
        i, _ = current(0.1, presets["daffodil"], state)
    except DataError:
        return
    assert_array_equal(i, current(0.1, presets["daffodil"], as_state(state))[0])


# Cells


def test_cells_of_states_and_of_cosines_are_one():
    state = np.array([[1, -1, 1], [-1, -1, 1]])
    one, two = MTJCells(presets["daffodil"], state), MTJCells(presets["daffodil"], m_z=state.astype(float))
    v = np.linspace(-1, 1, 6).reshape(2, 3)
    assert_array_equal(one.current(v), two.current(v))
    assert (
        one.shape == (2, 3)
        and not one.linear
        and MTJCells(presets["daffodil"].replace(v_h=np.inf), state).linear
    )
    assert_allclose(one.conductance, np.where(state == 1, 233e-6, 133e-6), rtol=1e-12)
    with_zeros = MTJCells(presets["daffodil"], np.where(state == 1, 1, 0))
    assert_array_equal(with_zeros.conductance, one.conductance)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"state": [[1]], "m_z": [[1.0]]},
        {"state": [1, -1]},
        {"state": "P"},
        {"state": np.empty((0, 3))},
        {"state": [[0, -1]]},
        {"m_z": [[1.1]]},
        {"m_z": [[np.nan]]},
        {"m_z": [0.5]},
        {"m_z": [["a"]]},
        {"m_z": [[0.5], [0.5, 0.1]]},
        {"m_z": np.empty((2, 0))},
    ],
    ids=str,
)
def test_cells_that_are_none(arguments):
    with pytest.raises(DataError):
        MTJCells(presets["daffodil"], **arguments)


def test_parameters_must_fit_the_cells():
    with pytest.raises(DataError, match="do not fit"):
        MTJCells(MTJParams(r_p=np.full((3, 2), 1e3)), np.ones((2, 3)))
    with pytest.raises(DataError, match="do not fit"):
        MTJCells(MTJParams(r_p=np.full((4, 2, 3), 1e3)), np.ones((2, 3)))
    assert MTJCells(MTJParams(r_p=np.full((1, 3), 1e3)), np.ones((2, 3))).shape == (2, 3)


def test_names_of_the_package():
    assert mtj.MTJParams is MTJParams and set(presets) >= {"mtj-60kT", "ut-50nm", "daffodil"}
