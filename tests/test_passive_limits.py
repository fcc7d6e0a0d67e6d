"""Laws of passive arrays that need no second simulator: limits, reciprocity, conservation, symmetry.

Then, as properties over random arrays, the line solver against the general path, which shares no solver code
with it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.ma as ma
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from crossbar.arrays import PassiveArray, only
from crossbar.elements.cells import MTJCells
from crossbar.elements.xbar import SIDES
from crossbar.errors import ConvergenceError, TopologyError
from crossbar.mtj import MTJParams, presets

SEED = 2_090_114_837
METHODS = ["lines", "general"]
PAIRS = [(a, b) for a in SIDES for b in SIDES if a != b]


def generator(*key):
    return np.random.default_rng([SEED, *key])


def cells(shape, rng, low=5e3, high=20e3):
    """Random conductances [S] between those of two resistances."""
    return 1 / rng.uniform(low, high, shape)


def lines_at(side, shape):
    return shape[0] if side.startswith("word") else shape[1]


def near(a, b, tolerance=1e-9):
    """Terminal and cell currents of two solutions agree to `tolerance` of the largest of them."""
    largest = max(np.abs(b.cell_current).max(), *(np.abs(i).max() for i in b.terminal_current.values()))
    for side in SIDES:
        assert_allclose(
            a.terminal_current[side], b.terminal_current[side], rtol=0, atol=tolerance * largest, err_msg=side
        )
    assert_allclose(a.cell_current, b.cell_current, rtol=0, atol=tolerance * largest)


def out_of_array(s):
    return np.concatenate([s.terminal_current[side] for side in SIDES], axis=-1)


# Wires from 0 to infinity


def test_deviation_from_the_matrix_product_is_linear_in_wire_resistance():
    """First-order perturbation theory: I(r) = v G + r I_1 + O(r^2), so halving r halves the deviation."""
    rng = generator(1)
    g, v = cells((15, 15), rng), rng.uniform(0.1, 1.0, 15)
    r = 0.08 / 2.0 ** np.arange(6)
    deviation = [
        np.abs(
            PassiveArray(g, r_word=x, r_bit=2 * x).solve(word_left=v, rtol=1e-13).bit_current - v @ g
        ).max()
        for x in r
    ]
    order = -np.diff(np.log2(deviation))
    assert_allclose(order, 1.0, atol=0.01)
    assert abs(order[-1] - 1) < 0.6 * abs(order[0] - 1)  # what is left of it is the next order


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (6, 9), (64, 48)])
def test_no_wire_resistance_is_the_matrix_product(shape, method):
    rng = generator(2, *shape)
    g, v = cells(shape, rng), rng.uniform(-1.0, 1.0, shape[0])
    got = PassiveArray(g, r_word=0.0, r_bit=0.0).solve(word_left=v, method=method).bit_current
    assert (np.abs(got - v @ g) <= 1e-14 * (np.abs(v) @ g)).all()


@pytest.mark.parametrize("driven", ["left", "floating", "both sides"])
@pytest.mark.parametrize("resistance", [(5e3, 20e3), (1e6, 2e6)], ids=["kohm", "Mohm"])
@pytest.mark.parametrize("r", [1e-6, 1e-4, 1e-2, 1.0, 1e2, 1e3])
def test_wires_from_micro_to_kilo_ohm(r, resistance, driven):
    rng = generator(3, int(1e6 * r))
    m, n = shape = (24, 20)
    array = PassiveArray(cells(shape, rng, *resistance), r_word=r, r_bit=2 * r)
    v = rng.uniform(0.1, 1.0, m)
    applied = {
        "left": {"word_left": v},
        "both sides": {"word_left": v, "word_right": v, "bit_top": 0.0},
        "floating": {"word_left": only(m, 3, 0.7), "bit_bottom": only(n, 5)},
    }[driven]
    lines, general = array.solve(**applied), array.solve(**applied, method="general")
    assert_allclose(lines.bit_current, general.bit_current, rtol=1e-9, atol=0)
    near(lines, general)


@pytest.mark.parametrize("r_driver", [50.0, 1e3, 1e5])
@pytest.mark.parametrize("r", [1e-6, 1e-3, 1.0])
def test_drivers_much_larger_than_wires(r, r_driver):
    """The common voltage of a line behind its driver must not swallow the differences along its wires."""
    rng = generator(4)
    array = PassiveArray(cells((15, 12), rng), r_word=r, r_bit=r, r_driver=r_driver)
    v = rng.uniform(0.1, 1.0, 15)
    near(array.solve(word_left=v), array.solve(word_left=v, method="general"))


def test_infinite_segment_is_the_limit_of_large_ones():
    rng = generator(5)
    g, v = cells((5, 6), rng), rng.uniform(0.1, 1.0, 5)

    def bit_current(opening):
        r_word, r_bit = np.full((5, 7), 2.0), np.full((6, 6), 3.0)
        r_word[1, 3] = r_word[4, 0] = r_bit[2, 2] = opening
        return PassiveArray(g, r_word=r_word, r_bit=r_bit).solve(word_left=v).bit_current

    assert_allclose(bit_current(1e15), bit_current(np.inf), rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_isolated_fragment_is_listed_and_disturbs_nobody(method):
    """A fragment of word line with open cells only: NaN there; elsewhere as if its cells and the break were
    not there."""
    rng = generator(6)
    g, v = cells((4, 5), rng), rng.uniform(0.1, 1.0, 4)
    g[1, 2:] = 0
    r_word = np.full((4, 6), 2.0)
    r_word[1, 2] = np.inf
    s = PassiveArray(g, r_word=r_word).solve(word_left=v, method=method)
    whole = PassiveArray(g).solve(word_left=v, method=method)
    assert s.isolated == ("wl[1,2]", "wl[1,3]", "wl[1,4]")
    lost = np.zeros((4, 5), bool)
    lost[1, 2:] = True
    assert_array_equal(np.isnan(s.word_voltage), lost)
    assert not np.isnan(s.bit_voltage).any()
    assert (s.cell_current[lost] == 0).all()
    near(s, whole, 1e-12)
    assert whole.isolated == ()


@pytest.mark.parametrize("method", METHODS)
def test_fragment_with_conducting_cells_floats_to_their_mean(method):
    """A word line cut off from its terminal carries no net current: its voltage is the weighted mean of the
    bit lines'."""
    g = np.array([[2e-4, 1e-4, 3e-4], [1e-4, 1e-4, 1e-4]])
    r_word = np.zeros((2, 4))
    r_word[0, 0] = np.inf
    bits = np.array([0.3, -0.2, 0.1])
    s = PassiveArray(g, r_word=r_word, r_bit=0.0).solve(word_left=1.0, bit_bottom=bits, method=method)
    assert_allclose(s.word_voltage[0], g[0] @ bits / g[0].sum(), rtol=1e-12)
    assert s.isolated == ()


@pytest.mark.parametrize("method", METHODS)
def test_everything_cut_off(method):
    s = PassiveArray(np.full((2, 3), 1e-4), r_word=np.inf, r_bit=np.inf).solve(word_left=1.0, method=method)
    assert len(s.isolated) == 12
    assert (out_of_array(s) == 0).all() and (s.cell_current == 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_array_of_open_cells(method):
    s = PassiveArray(np.zeros((3, 2))).solve(word_left=only(3, 1, 0.5), method=method)
    assert s.isolated == tuple(f"wl[{i},{j}]" for i in (0, 2) for j in range(2))
    assert (out_of_array(s) == 0).all()
    assert_allclose(s.word_voltage[1], 0.5, rtol=1e-15)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("law", ["linear", "junctions"])
def test_equilibrium_carries_no_current(law, method):
    """All connected ends at one voltage, floating lines among them: everything settles there and nothing
    flows."""
    g = cells((4, 3), generator(7))
    array = PassiveArray(g if law == "linear" else MTJCells(presets["daffodil"], g > g.mean()))
    s = array.solve(word_left=only(4, [0, 2], 0.3), bit_bottom=only(3, 1, 0.3), method=method)
    assert_allclose(s.word_voltage, 0.3, rtol=1e-12)
    assert_allclose(s.bit_voltage, 0.3, rtol=1e-12)
    assert np.abs(out_of_array(s)).max() <= 1e-14 * 0.3 * g.sum()


def test_one_idle_input_does_not_spoil_a_batch():
    array = PassiveArray(cells((4, 3), generator(8)))
    volts = np.array([[0.3, 0.1, 0.2, 0.5], [0.3, 0.3, 0.3, 0.3], [0.0, 0.0, 0.0, 0.0]])
    s = array.solve(
        word_left=volts, bit_bottom=ma.array(np.full((3, 3), 0.3), mask=np.tile([0, 1, 0], (3, 1)))
    )
    assert np.abs(s.bit_current[1]).max() <= 1e-14 * 0.3 * array.cells.g.sum()
    alone = array.solve(word_left=volts[0], bit_bottom=ma.array([0.3, 0.3, 0.3], mask=[0, 1, 0]))
    assert_allclose(s.bit_current[0], alone.bit_current, rtol=1e-9, atol=1e-15)


# Exact shorts


def test_both_ends_on_leads_of_zero_ohm():
    """With r_bit = 0 and both ends at 0 V the column currents are v G, whatever share each end takes."""
    rng = generator(9)
    g, v = cells((6, 5), rng), rng.uniform(-1.0, 1.0, 6)
    s = PassiveArray(g, r_word=0.0, r_bit=0.0).solve(word_left=v, word_right=v, bit_top=0.0)
    assert_allclose(s.terminal_current["bit_top"] + s.bit_current, v @ g, rtol=1e-13)
    assert_allclose(
        s.terminal_current["word_left"] + s.terminal_current["word_right"], -v * g.sum(axis=1), rtol=1e-13
    )


def test_share_of_two_ends_through_zero_ohm_is_the_limit_of_equal_segments():
    rng = generator(10)
    g, v = cells((6, 5), rng), rng.uniform(0.1, 1.0, 6)
    exact, tiny = (
        PassiveArray(g, r_word=r, r_bit=r).solve(word_left=v, word_right=v, bit_top=0.0) for r in (0.0, 1e-7)
    )
    for side in SIDES:
        assert_allclose(exact.terminal_current[side], tiny.terminal_current[side], rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sides", [("word_left", "word_right"), ("bit_top", "bit_bottom")])
def test_two_voltages_through_exactly_zero_ohm(sides, method):
    array = PassiveArray(np.full((3, 4), 1e-4), r_word=0.0, r_bit=0.0)
    volts = {side: np.full(lines_at(side, (3, 4)), 0.2) for side in sides}
    volts[sides[1]][2] = 0.3
    with pytest.raises(TopologyError) as error:
        array.solve(**{"bit_bottom": None} | volts, method=method)
    assert all(side in str(error.value) for side in sides)
    if (
        method == "lines"
    ):  # the general path refuses any loop of shorts, equal voltages or not, and names the first
        assert f"{sides[0]}[2]" in str(error.value)


def test_driver_takes_the_short_apart():
    """The same two voltages through a driver are two sources on one line: all of the line at the driverless
    one's."""
    array = PassiveArray(np.full((3, 4), 1e-4), r_word=0.0, r_bit=0.0, r_driver={"word_right": 10.0})
    s = array.solve(word_left=0.2, word_right=0.3)
    assert_allclose(s.word_voltage, 0.2, rtol=1e-15)
    assert_allclose(s.terminal_current["word_right"], -0.1 / 10.0, rtol=1e-12)


# Reciprocity and the transfer matrix


def by_solving(array, source, sink, **others):
    """The transfer matrix column by column, without reciprocity."""
    volts = np.eye(lines_at(source, array.shape))
    return array.solve(
        **{"bit_bottom": None} | others | {source: volts, sink: 0.0}, rtol=1e-12
    ).terminal_current[sink]


@pytest.mark.parametrize("shape", [(1, 1), (3, 8), (8, 3), (12, 12)], ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize(("source", "sink"), PAIRS)
def test_reciprocity(shape, source, sink):
    rng = generator(11, *shape)
    array = PassiveArray(
        cells(shape, rng, 1e3, 9e3),
        r_word=rng.uniform(1, 50, (shape[0], shape[1] + 1)),
        r_bit=rng.uniform(1, 50, (shape[0] + 1, shape[1])),
        r_driver=3.0,
    )
    there, back = by_solving(array, source, sink), by_solving(array, sink, source)
    largest = np.abs(there).max()
    assert_allclose(there, back.T, rtol=0, atol=1e-10 * largest)
    assert_allclose(array.transfer(source, sink), there, rtol=0, atol=1e-9 * largest)
    assert_allclose(array.transfer(source, sink), array.transfer(sink, source).T, rtol=0, atol=1e-9 * largest)


@pytest.mark.parametrize(("source", "sink"), PAIRS)
def test_transfer_with_other_sides_grounded(source, sink):
    rng = generator(12)
    array = PassiveArray(cells((5, 7), rng, 1e3, 9e3), r_word=20.0, r_bit=30.0)
    others = {side: 0.0 for side in SIDES if side not in (source, sink)}
    expected = by_solving(array, source, sink, **others)
    assert_allclose(
        array.transfer(source, sink, **others), expected, rtol=0, atol=1e-9 * np.abs(expected).max()
    )
    alone = array.transfer(source, sink)
    assert np.abs(alone - expected).max() > 1e-3 * np.abs(expected).max()  # the grounds take their share


def test_transfer_predicts_bit_currents():
    rng = generator(13)
    array = PassiveArray(cells((9, 6), rng), r_word=5.0, r_bit=7.0)
    v = rng.uniform(-1.0, 1.0, (4, 9))
    got = array.solve(word_left=v).bit_current
    assert_allclose(v @ array.transfer("word_left", "bit_bottom"), got, rtol=0, atol=1e-9 * np.abs(got).max())


def test_transfer_of_junctions_without_bias_dependence():
    state = generator(14).integers(0, 2, (4, 6))
    ohmic = PassiveArray(MTJCells(presets["daffodil"].replace(v_h=np.inf), state))
    plain = PassiveArray(np.where(state == 1, 233e-6, 133e-6))
    assert_allclose(
        ohmic.transfer("word_left", "bit_bottom"), plain.transfer("word_left", "bit_bottom"), rtol=1e-9
    )


# Superposition, scaling, symmetry


def test_superposition():
    rng = generator(15)
    array = PassiveArray(cells((7, 5), rng, 500, 5e3), r_word=10.0, r_bit=20.0, r_driver=4.0)
    applied = {side: rng.uniform(-1.0, 1.0, (2, lines_at(side, (7, 5)))) for side in SIDES}
    one, two = (array.solve(**{s: v[k] for s, v in applied.items()}, rtol=1e-12) for k in (0, 1))
    both = array.solve(**{s: 0.7 * v[0] - 1.9 * v[1] for s, v in applied.items()}, rtol=1e-12)
    expected = 0.7 * out_of_array(one) - 1.9 * out_of_array(two)
    assert_allclose(out_of_array(both), expected, rtol=0, atol=1e-10 * np.abs(expected).max())
    assert_allclose(both.cell_voltage, 0.7 * one.cell_voltage - 1.9 * two.cell_voltage, rtol=0, atol=1e-10)


def test_impedance_scaling():
    """All conductances k times, all resistances 1/k: the same voltages, k times the currents."""
    rng = generator(16)
    g, v, k = cells((6, 8), rng), rng.uniform(-1, 1, 6), 37.0
    one = PassiveArray(g, r_word=2.0, r_bit=3.0, r_driver=5.0).solve(word_left=v)
    two = PassiveArray(k * g, r_word=2.0 / k, r_bit=3.0 / k, r_driver=5.0 / k).solve(word_left=v)
    assert_allclose(two.bit_current, k * one.bit_current, rtol=1e-9)
    assert_allclose(two.word_voltage, one.word_voltage, rtol=1e-9)


def mirrored(array, how):
    """The array seen from elsewhere, and where each of its sides went."""
    g, r_word, r_bit, r_driver = array.cells.g, array.r_word, array.r_bit, array.r_driver
    if how == "transposed":
        names = dict(zip(SIDES, ("bit_top", "bit_bottom", "word_left", "word_right"), strict=True))
        built = PassiveArray(
            g.T, r_word=r_bit.T, r_bit=r_word.T, r_driver={names[s]: x for s, x in r_driver.items()}
        )
    elif how == "left for right":
        names = dict(zip(SIDES, ("word_right", "word_left", "bit_top", "bit_bottom"), strict=True))
        built = PassiveArray(
            g[:, ::-1],
            r_word=r_word[:, ::-1],
            r_bit=r_bit[:, ::-1],
            r_driver={names[s]: x[::-1] if s.startswith("bit") else x for s, x in r_driver.items()},
        )
    else:
        names = dict(zip(SIDES, ("word_left", "word_right", "bit_bottom", "bit_top"), strict=True))
        built = PassiveArray(
            g[::-1],
            r_word=r_word[::-1],
            r_bit=r_bit[::-1],
            r_driver={names[s]: x if s.startswith("bit") else x[::-1] for s, x in r_driver.items()},
        )
    return built, names


@pytest.mark.parametrize("how", ["transposed", "left for right", "upside down"])
def test_the_world_seen_in_a_mirror(how):
    rng = generator(17)
    shape = (5, 8)
    array = PassiveArray(
        cells(shape, rng, 500, 5e3),
        r_word=rng.uniform(1, 20, (5, 9)),
        r_bit=rng.uniform(1, 20, (6, 8)),
        r_driver={side: rng.uniform(1, 9, lines_at(side, shape)) for side in SIDES},
    )
    applied = {side: rng.uniform(-1.0, 1.0, lines_at(side, shape)) for side in SIDES}
    image, names = mirrored(array, how)

    def seen(side, x):
        flips = {"left for right": "bit", "upside down": "word"}.get(how, "-")
        return x[::-1] if side.startswith(flips) else x

    s = array.solve(**applied, rtol=1e-12)
    t = image.solve(**{names[side]: seen(side, v) for side, v in applied.items()}, rtol=1e-12)
    largest = np.abs(out_of_array(s)).max()
    for side in SIDES:
        assert_allclose(
            t.terminal_current[names[side]],
            seen(side, s.terminal_current[side]),
            rtol=0,
            atol=1e-10 * largest,
            err_msg=side,
        )


def test_reversed_voltages_reverse_the_currents_of_junctions():
    rng = generator(18)
    array = PassiveArray(MTJCells(presets["ut-50nm"], rng.integers(0, 2, (6, 5))), r_word=20.0, r_bit=20.0)
    v = rng.uniform(0.2, 1.0, 6)
    plus, minus = array.solve(word_left=v, rtol=1e-12), array.solve(word_left=-v, rtol=1e-12)
    assert_allclose(minus.bit_current, -plus.bit_current, rtol=1e-10)


def test_rayleigh_monotonicity():
    """Raising any wire resistance cannot raise the power that fixed sources deliver into a resistive
    network."""
    rng = generator(19)
    g, r_word, r_bit = cells((4, 4), rng, 200, 900), rng.uniform(1, 9, (4, 5)), rng.uniform(1, 9, (5, 4))
    applied = {"word_left": only(4, 1, 0.8), "bit_bottom": only(4, 2)}

    def power(a, b):
        return PassiveArray(g, r_word=a, r_bit=b).solve(**applied, rtol=1e-13).power["sources"]

    start, changes = power(r_word, r_bit), []
    for plane, k in [(p, k) for p, r in enumerate((r_word, r_bit)) for k in np.ndindex(r.shape)]:
        raised = [r_word.copy(), r_bit.copy()]
        raised[plane][k] *= 3
        changes.append(power(*raised) / start - 1)
    assert max(changes) < 1e-12
    assert min(changes) < -1e-3  # some segments do carry the current


# Batches


def test_batch_is_a_loop_of_singles():
    rng = generator(20)
    array = PassiveArray(cells((8, 6), rng), r_word=9.0, r_bit=4.0)
    volts, top = rng.uniform(-1, 1, (5, 8)), rng.uniform(-0.1, 0.1, 6)
    batch = array.solve(word_left=volts, bit_top=top, rtol=1e-12)
    for k, v in enumerate(volts):
        one = array.solve(word_left=v, bit_top=top, rtol=1e-12)
        for name in ("word_voltage", "bit_voltage", "cell_voltage", "cell_current", "bit_current"):
            assert_allclose(
                getattr(batch, name)[k],
                getattr(one, name),
                rtol=0,
                err_msg=name,
                atol=1e-11 * np.abs(getattr(one, name)).max(),
            )
        for kind, watts in one.power.items():
            assert_allclose(batch.power[kind][k], watts, rtol=1e-9, atol=1e-20, err_msg=kind)
    assert batch.relative_residual.shape == batch.residual.shape == (5,)


@pytest.mark.parametrize("law", ["linear", "junctions"])
@pytest.mark.parametrize("method", METHODS)
def test_batch_with_different_open_ends(method, law):
    """Each input has ends of its own open; the answers come back in the order of the inputs."""
    rng = generator(21)
    m, n = 5, 4
    g = cells((m, n), rng)
    array = PassiveArray(
        g if law == "linear" else MTJCells(presets["daffodil"], g > g.mean()), r_word=9.0, r_bit=4.0
    )
    left = ma.array(rng.uniform(0.2, 1, (7, m)), mask=rng.random((7, m)) < 0.4)
    bottom = ma.array(np.zeros((7, n)), mask=rng.random((7, n)) < 0.4)
    left[:, 0], bottom[:, 0] = 0.9, 0.0  # somebody drives, somebody reads
    left[3], bottom[3] = left[0], bottom[0]  # a pattern that comes twice, not in a row
    left[3] *= 2
    batch = array.solve(word_left=left, bit_bottom=bottom, rtol=1e-12, method=method)
    for k in range(7):
        one = array.solve(word_left=left[k], bit_bottom=bottom[k], rtol=1e-12, method=method)
        for side in SIDES:
            assert_allclose(batch.terminal_current[side][k], one.terminal_current[side], rtol=0, atol=1e-14)
            assert_array_equal(
                np.isnan(batch.terminal_voltage[side][k]), np.isnan(one.terminal_voltage[side])
            )
        assert_allclose(batch.cell_voltage[k], one.cell_voltage, rtol=0, atol=1e-10)


def test_scalars_vectors_and_batches_broadcast():
    array = PassiveArray(cells((3, 4), generator(22)))
    one = array.solve(word_left=0.5)
    assert one.bit_current.shape == (4,) and one.cell_voltage.shape == (3, 4)
    assert_array_equal(
        array.solve(word_left=np.full(3, 0.5), bit_bottom=np.zeros(4)).bit_current, one.bit_current
    )
    batch = array.solve(word_left=np.full((2, 3), 0.5))
    assert batch.bit_current.shape == (2, 4) and batch.cell_voltage.shape == (2, 3, 4)
    for row in batch.bit_current:
        assert_allclose(row, one.bit_current, rtol=1e-12)


def test_kept_terminals_are_those_of_kept_nodes():
    array = PassiveArray(cells((6, 4), generator(23)), r_word=9.0)
    v = generator(24).uniform(0, 1, (3, 6))
    assert_array_equal(
        array.solve(word_left=v, keep="terminals").bit_current, array.solve(word_left=v).bit_current
    )


# Drivers


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("method", METHODS)
def test_driver_is_a_longer_lead(side, method):
    rng = generator(25)
    shape = (5, 4)
    g, extra = cells(shape, rng, 500, 5e3), rng.uniform(5.0, 50.0, lines_at(side, shape))
    r_word, r_bit = np.full((5, 5), 3.0), np.full((6, 4), 4.0)
    applied = {s: rng.uniform(-1.0, 1.0, lines_at(s, shape)) for s in SIDES}
    driver = PassiveArray(g, r_word=r_word, r_bit=r_bit, r_driver={side: extra}).solve(
        **applied, method=method
    )
    lead = {
        "word_left": r_word[:, 0],
        "word_right": r_word[:, -1],
        "bit_top": r_bit[0],
        "bit_bottom": r_bit[-1],
    }[side]
    lead += extra
    longer = PassiveArray(g, r_word=r_word, r_bit=r_bit).solve(**applied, method=method)
    near(driver, longer, 1e-12)
    assert_allclose(driver.power["drivers"], (extra * driver.terminal_current[side] ** 2).sum(), rtol=1e-12)
    assert_allclose(driver.power["drivers"] + driver.power["wires"], longer.power["wires"], rtol=1e-9)


def test_driver_of_an_open_end_does_nothing():
    g = cells((4, 4), generator(26))
    one, two = (
        PassiveArray(g, r_driver=r).solve(word_left=0.4)
        for r in (0.0, {"word_right": 7.0, "bit_top": np.inf})
    )
    near(one, two, 1e-13)


# What a solution says of itself


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("law", ["linear", "junctions"])
def test_certificate_against_kirchhoff_by_hand(law, method):
    """KCL at every node from the reported voltages alone (with 5 ohm wires their rounding is below the
    tolerance)."""
    rng = generator(27)
    m, n = 8, 6
    g = cells((m, n), rng)
    array = PassiveArray(
        g if law == "linear" else MTJCells(presets["daffodil"], g > g.mean()), r_word=5.0, r_bit=5.0
    )
    v = rng.uniform(0.1, 1.0, m)
    s = array.solve(word_left=v, bit_top=0.03, method=method)
    along_word = np.diff(np.column_stack((v, s.word_voltage)), axis=1) / -5.0
    along_bit = np.diff(np.vstack((np.full(n, 0.03), s.bit_voltage, np.zeros(n))), axis=0) / -5.0
    onward = np.column_stack((along_word[:, 1:], np.zeros(m)))
    kcl = (
        np.abs(along_word - onward - s.cell_current).sum()
        + np.abs(-np.diff(along_bit, axis=0) + s.cell_current).sum()
    )
    carried = np.abs(s.cell_current).sum()
    assert kcl <= 1.1e-10 * carried
    assert s.relative_residual <= 1e-10
    assert_allclose(s.terminal_current["word_left"], -along_word[:, 0], rtol=1e-9)
    assert_allclose(s.bit_current, along_bit[-1], rtol=0, atol=1e-9 * carried)


@pytest.mark.parametrize("law", ["linear", "junctions"])
@pytest.mark.parametrize("method", METHODS)
def test_an_unreachable_tolerance_is_an_error(method, law):
    rng = generator(28)
    g = cells((6, 5), rng)
    array = PassiveArray(g if law == "linear" else MTJCells(presets["daffodil"], g > g.mean()))
    with pytest.raises(ConvergenceError) as error:
        array.solve(word_left=rng.uniform(0.1, 1, 6), rtol=1e-30, method=method)
    assert error.value.trace


@pytest.mark.parametrize("rtol", [1e-4, 1e-8, 1e-12])
@pytest.mark.parametrize("law", ["linear", "junctions"])
@pytest.mark.parametrize("method", METHODS)
def test_the_tolerance_asked_for_is_kept(method, law, rtol):
    rng = generator(29)
    g = cells((20, 30), rng, 1e3, 2e3)
    array = PassiveArray(
        g if law == "linear" else MTJCells(presets["daffodil"], g > g.mean()), r_word=20.0, r_bit=20.0
    )
    applied = {"word_left": only(20, 3, 0.8), "bit_bottom": only(30, 7)}
    s, best = array.solve(**applied, rtol=rtol, method=method), array.solve(**applied, rtol=1e-13)
    assert s.relative_residual <= rtol
    # an output current cannot be off by more than what Kirchhoff's law misses in all (conductances are
    # positive)
    assert abs(s.bit_current[7] - best.bit_current[7]) <= (rtol + 1e-11) * np.abs(best.cell_current).sum()


def test_array_does_not_change_with_the_data_it_was_made_of():
    """Arrays are immutable: neither the caller's array nor another solve moves them."""
    g = np.full((3, 3), 1e-4)
    r = np.full((3, 4), 2.0)
    array = PassiveArray(g, r_word=r)
    before = array.solve(word_left=0.5).bit_current
    g[:], r[:] = 9e-4, 99.0
    assert_array_equal(array.solve(word_left=0.5).bit_current, before)


# Properties


@dataclass(frozen=True)
class Case:
    array: PassiveArray
    applied: dict


_WIRES = ("finite", "zeros", "openings", "zeros and openings", "no resistance")


@st.composite
def cases(
    draw,
    junctions=st.booleans(),
    wires=st.sampled_from(_WIRES),
    ends=st.sampled_from(("none", "some", "all")),
):
    """Random arrays: sizes 1 to 9, open cells, segments of 0 and infinite ohm, drivers, floating ends."""
    m, n = shape = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    decades = draw(st.floats(0.0, 4.0))
    g = 10 ** rng.uniform(-5 - decades / 2, -5 + decades / 2, shape)
    g[rng.random(shape) < draw(st.sampled_from((0.0, 0.2, 0.5)))] = 0
    law = g
    if draw(junctions):
        law = MTJCells(
            MTJParams(r_p=1 / np.where(g > 0, g, 1e-5), v_h=rng.uniform(0.2, 1)),
            m_z=rng.uniform(-1, 1, shape),
        )

    def segments(kind, size):
        r = 10 ** rng.uniform(-1, 2.5, size)
        if "zeros" in kind or kind == "no resistance":
            r[rng.random(size) < (2.0 if kind == "no resistance" else 0.3)] = 0
        if "openings" in kind:
            r[rng.random(size) < 0.15] = np.inf
        return r

    applied, drivers = {}, {}
    for side in SIDES:
        lines = lines_at(side, shape)
        share = {"none": 0.0, "some": 0.5, "all": 1.0}[draw(ends)]
        applied[side] = ma.array(rng.uniform(-1, 1, lines), mask=rng.random(lines) >= share)
        # a short between two sources is an error of its own: one of them gets a resistance
        drivers[side] = rng.uniform(1, 300, lines) if side in SIDES[1::2] else 0.0
    return Case(
        PassiveArray(
            law,
            r_word=segments(draw(wires), (m, n + 1)),
            r_bit=segments(draw(wires), (m + 1, n)),
            r_driver=drivers,
        ),
        applied,
    )


def flows(case):
    """Whether some current must flow: two ends at different voltages are joined (independently of the code's
    own check)."""
    array, (m, n) = case.array, case.array.shape
    word, bit = np.arange(m * n).reshape(m, n), np.arange(m * n, 2 * m * n).reshape(m, n)
    edges = [np.column_stack((word[g := array.cells.conductance > 0], bit[g]))]
    for nodes, r in ((word, array.r_word), (bit.T, array.r_bit.T)):
        inner = np.isfinite(r[:, 1:-1])
        edges.append(np.column_stack((nodes[:, :-1][inner], nodes[:, 1:][inner])))
    a, b = np.concatenate(edges).T
    part = connected_components(coo_array((np.ones(a.size), (a, b)), shape=(2 * m * n,) * 2), directed=False)[
        1
    ]
    voltages: dict[int, set] = {}
    leads = (
        (word[:, 0], array.r_word[:, 0]),
        (word[:, -1], array.r_word[:, -1]),
        (bit[0], array.r_bit[0]),
        (bit[-1], array.r_bit[-1]),
    )
    for (nodes, r), side in zip(leads, SIDES, strict=True):
        for node, ohm, v in zip(nodes, r, case.applied[side], strict=True):
            if v is not ma.masked and np.isfinite(ohm):
                voltages.setdefault(int(part[node]), set()).add(float(v))
    return any(len(v) > 1 for v in voltages.values())


@settings(max_examples=150)
@given(cases())
def test_property_lines_equal_general(case):
    assume(flows(case))
    s, general = (case.array.solve(**case.applied, method=method) for method in METHODS)
    near(s, general)
    assert s.isolated == general.isolated
    assert max(s.relative_residual, general.relative_residual) <= 1e-10


@settings(max_examples=100)
@given(cases())
def test_property_charge_and_energy(case):
    """No current is lost between the sides, no power between sources and resistances."""
    assume(flows(case))
    s = case.array.solve(**case.applied, rtol=1e-12)
    current = out_of_array(s)
    assert abs(current.sum()) <= 1e-10 * np.abs(current).sum()
    power = s.power
    dissipated = power["cells"] + power["wires"] + power["drivers"]
    assert min(power["cells"], power["wires"], power["drivers"]) >= 0
    assert abs(power["sources"] - dissipated) <= 1e-10 * dissipated
    for i, r in zip(s.segment_current, (case.array.r_word, case.array.r_bit), strict=True):
        assert (i[np.isinf(r)] == 0).all()


@settings(max_examples=60)
@given(cases(junctions=st.just(False)), st.floats(-3, 3), st.floats(-3, 3))
def test_property_superposition(case, a, b):
    assume(flows(case))
    other = {side: v[::-1].copy() for side, v in case.applied.items()}
    for side, v in case.applied.items():  # other voltages at the same ends
        other[side] = ma.array(other[side].data, mask=ma.getmaskarray(v))
    mixed = {side: a * v + b * other[side] for side, v in case.applied.items()}
    assume(flows(Case(case.array, other)) and flows(Case(case.array, mixed)))
    one, two, both = (case.array.solve(**volts, rtol=1e-12) for volts in (case.applied, other, mixed))
    expected = a * one.cell_current + b * two.cell_current
    largest = np.abs(a * one.cell_current).max() + np.abs(b * two.cell_current).max()
    assert_allclose(both.cell_current, expected, rtol=0, atol=1e-9 * largest)


@settings(max_examples=40)
@given(cases(wires=st.just("finite"), ends=st.sampled_from(("some", "all"))), st.integers(0, 2**32 - 1))
def test_property_batch_of_patterns(case, seed):
    """A batch whose inputs differ in their open ends is the loop over its inputs."""
    rng = np.random.default_rng(seed)
    inputs = [
        {
            side: ma.array(rng.uniform(-1, 1, v.size), mask=ma.getmaskarray(v) ^ (rng.random(v.size) < 0.2))
            for side, v in case.applied.items()
        }
        for _ in range(4)
    ]
    assume(all(flows(Case(case.array, one)) for one in inputs))
    batch = case.array.solve(**{side: ma.stack([one[side] for one in inputs]) for side in SIDES}, rtol=1e-12)
    for k, volts in enumerate(inputs):
        one = case.array.solve(**volts, rtol=1e-12)
        largest = np.abs(out_of_array(one)).max()
        assert_allclose(out_of_array(batch)[k], out_of_array(one), rtol=0, atol=1e-10 * largest)


@pytest.mark.parametrize("difference", [1e-6, 1e-11, 1e-14])
def test_a_common_voltage_changes_no_current(difference):
    """Terminals near 1 V whose differences are tiny: the currents of these differences, to all their digits."""
    rng = np.random.default_rng(21)
    array = PassiveArray(rng.uniform(1e-5, 1e-4, (7, 9)))
    left = 1.0 + difference * np.arange(1.0, 8.0)
    near_one = array.solve(word_left=left, bit_bottom=1.0)
    alone = array.solve(word_left=left - 1.0, bit_bottom=0.0)
    assert_allclose(near_one.bit_current, alone.bit_current, rtol=1e-9)
    assert_allclose(near_one.word_voltage, 1.0 + alone.word_voltage, rtol=1e-15)
