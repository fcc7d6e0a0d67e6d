"""Cells of measured current: points, slopes and monotony of the curves; both paths; files; refusals."""

import numpy as np
import numpy.ma as ma
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.interpolate import PchipInterpolator

from crossbar.arrays import PassiveArray, only
from crossbar.elements.cells import LinearCells, MTJCells
from crossbar.elements.tables import TabulatedCells
from crossbar.errors import ConvergenceError, DataError, SizeError
from crossbar.mtj import current, presets

SEED = 1_902_447_311
P = presets["ut-50nm"]
V = np.array([-1.0, -0.6, -0.35, -0.1, 0.0, 0.05, 0.3, 0.7, 1.0])
KINDS = ["pchip", "linear"]


def generator(*key):
    return np.random.default_rng([SEED, *key])


def rising(rng, v=V, shape=()):
    """Random increasing curves through the origin [A]."""
    i = np.cumsum(10 ** rng.uniform(-7, -4, (*shape, v.size)), axis=-1)
    return i - i[..., v == 0]


def at(cells, v):
    """Current and slope of the cell [0,0] at voltages of any shape."""
    x = np.asarray(v, dtype=float)
    i, g = cells.current(np.broadcast_to(x[..., None, None], (*x.shape, *cells.shape)))
    return i[..., 0, 0], g[..., 0, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_points_of_the_table(kind):
    i = rising(generator(1))
    assert_allclose(at(TabulatedCells(V, i, shape=(2, 3), kind=kind), V)[0], i, rtol=1e-14, atol=1e-19)


def test_between_the_points_as_scipy():
    i, x = rising(generator(2)), np.linspace(-1, 1, 301)
    inner = x[(V[1] <= x) & (x <= V[-2])]
    got, slope = at(TabulatedCells(V, i, shape=(1, 1)), inner)
    cubic = PchipInterpolator(V, i)
    assert_allclose(got, cubic(inner), rtol=1e-12, atol=1e-19)
    assert_allclose(slope, cubic.derivative()(inner), rtol=1e-10, atol=1e-16)
    straight = at(TabulatedCells(V, i, shape=(1, 1), kind="linear"), x)[0]
    assert_allclose(straight, np.interp(x, V, i), rtol=1e-12, atol=1e-19)


def test_a_curve_that_bends_away_goes_on_rising():
    """scipy ends such a curve flat: then no voltage would carry a larger current. Where it does not, the ends are scipy's."""
    v = np.array([-1.0, -0.9, 0.0, 0.9, 1.0])
    for i in (np.array([-1.0, -0.99, 0.0, 0.9, 1.0]), np.array([-1.0, -0.9, 0.0, 0.99, 1.0])) * np.array(1e-4):
        flat = PchipInterpolator(v, i).derivative()(v[[0, -1]])
        slopes = at(TabulatedCells(v, i, shape=(1, 1)), v[[0, -1]])[1]
        last = np.diff(i)[[0, -1]] / np.diff(v)[[0, -1]]
        assert_allclose(slopes, np.where(flat < 0.1 * last, 0.1 * last, flat), rtol=1e-9)
        assert (flat < 0.1 * last).any()
    falling = at(TabulatedCells([0.0, 0.9, 1.0, 1.1], [0.0, 1.0, 0.2, 0.19], shape=(1, 1)), [1.1, 2.0])[1]
    assert_allclose(falling, falling[0], rtol=1e-12)
    assert falling[0] <= -0.1 * 0.1 * (1 - 1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_beyond_the_table_its_end_slope(kind):
    i = rising(generator(3))
    cells = TabulatedCells(V, i, shape=(1, 1), kind=kind)
    for end, beyond in ((V[-1], np.array([1.0, 1.3, 5.0])), (V[0], np.array([-1.0, -1.5, -9.0]))):
        at_end, slope = at(cells, end)
        got, slopes = at(cells, beyond)
        assert_allclose(slopes, slope, rtol=1e-12)
        assert_allclose(got, at_end + slope * (beyond - end), rtol=1e-12)
        assert_allclose(at(cells, end * (1 - 1e-9))[0], at_end, rtol=1e-6)


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.sampled_from(KINDS))
def test_property_rising_tables_rise(seed, kind):
    """Monotone between the points, slopes nowhere negative, slopes as differences; over 8 decades of current."""
    rng = np.random.default_rng(seed)
    v = np.sort(rng.uniform(-1, 1, 12))
    v[6] = 0
    v.sort()
    steps = 10 ** rng.uniform(-12, -4, v.size) * (rng.random(v.size) > 0.2)
    i = np.cumsum(steps)
    cells = TabulatedCells(v, i - i[v == 0], shape=(1, 1), kind=kind)
    x = np.linspace(-1.1, 1.1, 997)
    got, slope = at(cells, x)
    size = np.ptp(i) + 1e-30
    assert (np.diff(got) >= -1e-14 * size).all()
    assert (slope >= -1e-12 * slope.max()).all()
    inside = np.abs(x[:, None] - v).min(axis=1) > 2e-6  # away from the kinks of straight lines
    h = 1e-6
    numeric = (at(cells, x + h)[0] - at(cells, x - h)[0]) / (2 * h)
    assert_allclose(slope[inside], numeric[inside], rtol=1e-5, atol=1e-6 * slope.max())


def test_classes_and_curves_of_single_cells():
    rng = generator(4)
    i, which = rising(rng, shape=(3,)), rng.integers(0, 3, (4, 5))
    v = rng.uniform(-1.2, 1.2, (2, 4, 5))
    classes, single = TabulatedCells(V, i, which), TabulatedCells(V, i[which])
    assert classes.shape == single.shape == (4, 5)
    for a, b in zip(classes.current(v), single.current(v), strict=True):
        assert_array_equal(a, b)
    for j, k in np.ndindex(4, 5):
        assert_allclose(classes.current(v)[0][:, j, k], at(TabulatedCells(V, i[which[j, k]], shape=(1, 1)), v[:, j, k])[0],
                        rtol=1e-13)


@pytest.mark.parametrize("method", ["lines", "general"])
def test_a_straight_table_is_a_resistor(method):
    v = np.array([-1.0, 0.0, 2.0])
    which = generator(5).integers(0, 2, (5, 6))
    g = np.array([1e-4, 3e-4])
    applied = {"word_left": generator(6).uniform(-1, 1, 5), "bit_top": 0.1}
    for kind in KINDS:
        tables = PassiveArray(TabulatedCells(v, g[:, None] * v, which, kind=kind)).solve(**applied, method=method)
        plain = PassiveArray(LinearCells(g=g[which])).solve(**applied)
        assert_allclose(tables.bit_current, plain.bit_current, rtol=0, atol=1e-9 * np.abs(plain.cell_current).max())


def test_a_fine_table_of_a_junction_is_the_junction():
    """PCHIP is second order at least: a four times finer table is at least ten times closer."""
    state = generator(7).integers(0, 2, (4, 4))
    applied = {"word_left": np.array([0.2, 0.4, 0.6, 0.8])}
    exact = PassiveArray(MTJCells(P, state)).solve(**applied).bit_current
    errors = []
    for count in (41, 161):
        v = np.linspace(-1, 1, count)
        tables = TabulatedCells(v, np.stack([current(v, P, -1)[0], current(v, P, 1)[0]]), state)
        errors.append(np.abs(PassiveArray(tables).solve(**applied).bit_current / exact - 1).max())
    assert errors[0] < 1e-3 and errors[1] < 0.1 * errors[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 8), (9, 6)], ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("driven", ["left", "floating"])
def test_structured_and_general(shape, kind, driven):
    rng = generator(8, *shape)
    m, n = shape
    i = rising(rng, shape=(4,))
    array = PassiveArray(TabulatedCells(V, i, rng.integers(0, 4, shape), kind=kind), r_word=5.0, r_bit=7.0)
    applied = {"word_left": rng.uniform(0.1, 0.9, m)} if driven == "left" else \
        {"word_left": only(m, m // 2, 0.8), "bit_bottom": only(n, n // 3)}
    lines, general = array.solve(**applied), array.solve(**applied, method="general")
    largest = np.abs(general.cell_current).max()
    assert_allclose(lines.cell_current, general.cell_current, rtol=0, atol=1e-9 * largest)
    assert_allclose(lines.bit_current, general.bit_current, rtol=0, atol=1e-9 * largest)
    assert lines.relative_residual <= 1e-10


@pytest.mark.parametrize("method", ["lines", "general"])
def test_cells_that_are_blind_at_zero_bias_are_no_open_cells(method):
    """A diode towards a floating bit line and one away from it have no slope at 0 V, yet the line gets a voltage."""
    v, rise = np.array([-1.0, -0.2, 0.0, 0.2, 1.0]), np.array([0.0, 0.0, 0.0, 1e-6, 1e-4])
    cells = TabulatedCells(v, np.stack([rise, -rise[::-1], 0 * rise]), np.array([[0, 0, 2], [1, 1, 2]]))
    assert (cells.conductance == 0).all()
    assert_array_equal(cells.conducts, np.array([[1, 1, 0], [1, 1, 0]], bool))
    floating = ma.array(np.zeros(3), mask=[0, 1, 1])
    s = PassiveArray(cells).solve(word_left=[0.8, -0.8], bit_bottom=floating, method=method)
    assert s.isolated == ("bl[0,2]", "bl[1,2]")
    assert_allclose(s.bit_voltage[:, 1], 0, atol=1e-3)
    assert_allclose(s.cell_current[:, 1], [6e-5, -6e-5], rtol=0.1)


def test_a_falling_table_is_data_and_reported_where_it_falls():
    v = np.array([-0.5, 0.0, 0.3, 0.6, 1.0])
    array = PassiveArray(TabulatedCells(v, np.array([-1e-4, 0.0, 1e-4, 4e-5, 2e-4]), shape=(3, 4)), r_word=1.0, r_bit=1.0)
    below = array.solve(word_left=0.2)
    assert_allclose(below.bit_current, array.solve(word_left=0.2, method="general").bit_current, rtol=1e-9)
    with pytest.raises(ConvergenceError, match="slope"):
        array.solve(word_left=0.45)


# The origin


def test_a_small_offset_is_the_instruments():
    i = rising(generator(9))
    offset = 9e-4 * np.abs(i).max()
    for kind in KINDS:
        cells = TabulatedCells(V, np.stack([i, i + offset]), np.array([[0, 1]]), kind=kind)
        assert_allclose(cells.i[1], i, rtol=1e-12, atol=1e-18)
        assert (cells.current(np.zeros((1, 2)))[0] == 0).all()
    with pytest.raises(DataError, match="curve 1 .* 0 V"):
        TabulatedCells(V, np.stack([i, i - 1.3 * offset]), np.array([[0, 1]]))


def test_the_origin_between_two_points():
    v = np.array([-1.0, -0.3, 0.4, 1.0])
    for kind in KINDS:
        cells = TabulatedCells(v, 1e-4 * v + 1e-8, shape=(1, 1), kind=kind)
        assert abs(at(cells, 0.0)[0]) < 1e-19
        assert_allclose(at(cells, v)[0], 1e-4 * v, rtol=1e-9)


def test_tables_do_not_change_with_the_data_they_were_made_of():
    v, i, which = V.copy(), rising(generator(10), shape=(2,)), np.zeros((2, 2), int)
    cells = TabulatedCells(v, i, which)
    before = cells.current(np.full((2, 2), 0.3))[0]
    v[:], i[:], which[:] = 0, 0, 1
    assert_array_equal(cells.current(np.full((2, 2), 0.3))[0], before)


# Files


def test_files(tmp_path):
    i = rising(generator(11), shape=(2,))
    path, one = tmp_path / "curves.csv", tmp_path / "one.npy"
    np.savetxt(path, np.column_stack((V, i.T)), delimiter=",", header="V, AP, P", fmt="%.17g")
    which = np.array([[0, 1, 1], [1, 0, 0]])
    assert_array_equal(TabulatedCells.from_csv(path, which).i, TabulatedCells(V, i, which).i)
    np.save(one, np.column_stack((V, i[0])))
    cells = TabulatedCells.from_csv(one, shape=(2, 2), kind="linear")
    assert cells.shape == (2, 2) and cells.kind == "linear"
    assert_array_equal(cells.i, i[:1])


@pytest.mark.parametrize(("text", "match"), [("V,I\n0,0\n1,1\n", "header"), ("0\n1\n", "one column"), ("0,0\n1\n", "2"),
                                             ("0,0\n-1,1e-3\n", "bad.csv: .*ascend"), ("0,0\n1,nan\n", r"\[1\] .* finite")])
def test_bad_files(tmp_path, text, match):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=match):
        TabulatedCells.from_csv(path, shape=(2, 2))


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        TabulatedCells.from_csv(tmp_path / "none.csv", shape=(2, 2))


# Refusals

I = 1e-4 * V


@pytest.mark.parametrize(
    "arguments",
    [
        {"v": V[::-1], "i": I},
        {"v": np.where(V == 0.05, 0.0, V), "i": I},
        {"v": np.where(V == 0.05, np.nan, V), "i": I},
        {"v": V, "i": np.where(V == 0.05, np.nan, I)},
        {"v": V, "i": np.where(V == 0.05, np.inf, I)},
        {"v": V, "i": I[:-1]},
        {"v": V + 2, "i": I},
        {"v": V - 2, "i": I},
        {"v": [0.0], "i": [0.0]},
        {"v": V[None], "i": I},
        {"v": "V", "i": I},
        {"v": V, "i": 1j * I},
        {"v": V, "i": np.empty((0, V.size))},
        {"v": V, "i": I + 1e-5},
        {"kind": "spline"},
        {"shape": None},
        {"shape": (2,)},
        {"shape": (0, 2)},
        {"shape": (-1, 2)},
        {"shape": "ab"},
        {"which": np.zeros((2, 2), int)},
        {"shape": None, "which": np.zeros((2, 2))},
        {"shape": None, "which": np.zeros(2, int)},
        {"shape": None, "which": np.ones((2, 2), int)},
        {"shape": None, "which": -np.ones((2, 2), int)},
        {"shape": None, "which": [[0], [0, 0]]},
        {"i": np.stack([I, I])},
        {"i": np.stack([I, I])[None]},
        {"shape": None, "i": np.stack([I, I])[None], "which": np.zeros((1, 2), int)},
    ],
    ids=lambda a: ", ".join(a),
)
def test_refusals(arguments):
    with pytest.raises(DataError):
        TabulatedCells(**{"v": V, "i": I, "shape": (2, 2)} | arguments)


def test_monstrous_tables():
    huge = (10**7, 10**7)
    for make in (lambda: TabulatedCells(V, I, shape=huge),
                 lambda: TabulatedCells(V, I, np.broadcast_to(np.int8(0), huge)),
                 lambda: TabulatedCells(V, np.broadcast_to(I, (*huge, V.size)))):
        with pytest.raises(SizeError) as error:
            make()
        assert error.value.estimate > error.value.limit > 0
