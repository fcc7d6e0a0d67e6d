"""Bias schemes, effective conductances, sneak paths, sense margins: all cells at once against each read solved by itself."""

import numpy as np
import numpy.ma as ma
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_arrays import cases

import crossbar as xb
from crossbar.arrays import SCHEMES, PassiveArray, Scheme, only, reading
from crossbar.elements.cells import Cells, MTJCells
from crossbar.elements.xbar import connected_parts, isolated_nodes
from crossbar.errors import DataError, SizeError
from crossbar.mtj import MTJParams, conductance, presets
from crossbar.solvers.green import cell_resistance

SEED = 880_412_093
OWN = Scheme(name="own", rows=0.2, columns=None, selected_row=0.9, selected_column=-0.1)
OTHER = Scheme(name="other", rows=None, columns=0.4)
ALL = [*SCHEMES, OWN, OTHER]
#: An array as an experimenter might have it.
SHAPE = (6, 5)


def generator(*key):
    return np.random.default_rng([SEED, *key])


def plain(rng, shape=SHAPE, **wires):
    return PassiveArray(rng.uniform(5e-5, 2e-4, shape), **({"r_word": 20.0, "r_bit": 30.0, "r_driver": 40.0} | wires))


def every(shape):
    return (k.ravel() for k in np.indices(shape))


def drives_of(scheme, shape, i, j, voltage):
    """A scheme's drives for one cell, written out."""
    out = {}
    for side, k, lines, chosen, others in (("word_left", i, shape[0], scheme.selected_row, scheme.rows),
                                           ("bit_bottom", j, shape[1], scheme.selected_column, scheme.columns)):
        volts = only(lines, k, chosen * voltage)
        if others is not None:
            volts = ma.array(np.full(lines, others * voltage))
            volts[k] = chosen * voltage
        out[side] = volts
    return out


# Schemes


@pytest.mark.parametrize("scheme, seen", [
    ("grounded", {"selected": 1, "row": 1, "column": 0, "rest": 0}),
    ("v/2", {"selected": 1, "row": 1 / 2, "column": 1 / 2, "rest": 0}),
    ("v/3", {"selected": 1, "row": 1 / 3, "column": 1 / 3, "rest": -1 / 3}),
])
def test_what_cells_see_without_wires(scheme, seen):
    array = PassiveArray(np.full((4, 5), 1e-4), r_word=0.0, r_bit=0.0)
    s = array.solve(**SCHEMES[scheme].drives((4, 5), 2, 3, 0.6))
    expected = np.full((4, 5), float(seen["rest"]))
    expected[2], expected[:, 3], expected[2, 3] = seen["row"], seen["column"], seen["selected"]
    assert_allclose(s.cell_voltage, 0.6 * expected, rtol=0, atol=1e-15)


def test_a_batch_of_selections():
    drives = SCHEMES["floating"].drives((3, 4), [0, 2], [1, 3], [0.5, -0.2], sides=("word_right", "bit_top"))
    assert drives["word_left"] is drives["bit_bottom"] is None
    assert_array_equal(drives["word_right"].filled(9.0), [[0.5, 9, 9], [9, 9, -0.2]])
    assert_array_equal(drives["bit_top"].filled(9.0), [[9, 0, 9, 9], [9, 9, 9, 0]])
    for scheme in ALL:
        one = reading.Scheme.drives(SCHEMES.get(scheme, scheme), (3, 4), 1, 2, 0.3)
        for side, expected in drives_of(SCHEMES.get(scheme, scheme), (3, 4), 1, 2, 0.3).items():
            assert_array_equal(ma.getmaskarray(one[side]), ma.getmaskarray(expected))
            assert_array_equal(one[side].filled(0), expected.filled(0))


@pytest.mark.parametrize("make, message", [
    (lambda: Scheme(name="bad", rows=np.nan, columns=0.0), "rows, a fraction .* is one finite"),
    (lambda: Scheme(name="bad", rows=0.0, columns="half"), "columns, a fraction"),
    (lambda: Scheme(name="bad", rows=0.0, columns=0.0, selected_row=None), "selected_row, a fraction"),
    (lambda: OWN.drives((3, 4), 3, 0), "selected row: 3"),
    (lambda: OWN.drives((3, 4), 0, -1), "selected column: -1"),
    (lambda: OWN.drives((3, 4), 0.5, 0), "selected row"),
    (lambda: OWN.drives((3, 4), [], []), "selected row|no cell"),
    (lambda: OWN.drives((3, 4), [0, 1], [0, 1, 2]), "do not pair"),
    (lambda: OWN.drives((3, 4), [0, 1], [0, 1], [1.0, 2.0, 3.0]), "do not fit"),
    (lambda: OWN.drives((3, 4), 0, 0, np.inf), "finite"),
    (lambda: OWN.drives((3, 4), 0, 0, sides=("bit_top", "word_left")), "sides are one of"),
])
def test_wrong_schemes(make, message):
    with pytest.raises(DataError, match=message):
        make()


# Effective conductance


@pytest.mark.parametrize("scheme", ALL, ids=str)
def test_effective_conductance_is_what_a_tester_measures(scheme):
    rng = generator(1)
    array = plain(rng)
    s = SCHEMES.get(scheme, scheme)
    volts = s.selected_row - s.selected_column
    sense, source = np.empty(SHAPE), np.empty(SHAPE)
    for i, j in np.ndindex(SHAPE):
        solved = array.solve(**drives_of(s, SHAPE, i, j, 0.3), rtol=1e-12)
        sense[i, j] = solved.bit_current[j] / (0.3 * volts)
        source[i, j] = -solved.terminal_current["word_left"][i] / (0.3 * volts)
    for at, expected in (("sense", sense), ("source", source)):
        found = array.effective_conductance(scheme, at=at)
        assert_allclose(found, expected, rtol=0, atol=1e-9 * np.abs(source).max(), err_msg=at)


def test_grounded_sense_is_the_transfer_matrix():
    array = plain(generator(2))
    expected = array.transfer("word_right", "bit_top")
    found = array.effective_conductance("grounded", sides=("word_right", "bit_top"))
    assert_allclose(found, expected, rtol=0, atol=1e-9 * expected.max())


def test_effective_conductance_without_wires_by_hand():
    """2 x 2 ohmic cells, no wires, others floating: the cell beside the three others in series."""
    g = np.array([[1e-4, 2e-4], [3e-4, 5e-4]])
    found = PassiveArray(g, r_word=0.0, r_bit=0.0).effective_conductance()
    for i, j in np.ndindex(2, 2):
        around = 1 / (1 / g[i, 1 - j] + 1 / g[1 - i, 1 - j] + 1 / g[1 - i, j])
        assert_allclose(found[i, j], g[i, j] + around, rtol=1e-10)


def test_equal_cells_without_wires_in_closed_form():
    """All cells g: g (M N) / (M + N - 1), from the resistance distance in the complete bipartite graph K_MN."""
    m, n, g = 7, 4, 1e-4
    found = PassiveArray(np.full((m, n), g), r_word=0.0, r_bit=0.0).effective_conductance()
    assert_allclose(found, g * m * n / (m + n - 1), rtol=1e-10)


def test_foster():
    """Foster's theorem: over all resistors of a network g R sums to the nodes less the parts (here without wires: M + N - 1)."""
    g = generator(3).uniform(5e-5, 2e-4, SHAPE)
    found = PassiveArray(g, r_word=0.0, r_bit=0.0).effective_conductance()
    assert_allclose((g / found).sum(), sum(SHAPE) - 1, rtol=1e-10)


def test_lines_that_nothing_joins():
    """Two blocks of cells with nothing between them, a line without cells and one whose lead is open."""
    g = np.zeros((5, 6))
    g[:2, :3] = g[2:4, 3:5] = 1e-4
    r_word = np.full((5, 7), 2.0)
    r_word[1, 0] = np.inf
    array = PassiveArray(g, r_word=r_word)
    found = array.effective_conductance()
    joined = np.zeros((5, 6), bool)
    joined[:1, :3] = joined[2:4, 3:5] = True
    assert (found[~joined] == 0).all() and (found[joined] > 1e-4).all()
    alone = PassiveArray(g[2:4, 3:5], r_word=np.full((2, 3), 2.0) + [6.0, 0, 0], r_bit=np.full((3, 2), 2.0) + [[0], [0], [2.0]])
    assert_allclose(found[2:4, 3:5], alone.effective_conductance(), rtol=1e-9)
    for scheme in ALL:  # nothing raises, nothing is NaN
        assert np.isfinite(array.effective_conductance(scheme)).all()
        assert np.isfinite(array.effective_conductance(scheme, at="source")).all()


# Every read at once against reads solved one by one


@settings(max_examples=80)
@given(cases(largest=5), st.sampled_from(ALL))
def test_property_reads_and_margins(case, scheme):
    """Breakdown and margin of every cell from O(lines) solves: to 1e-9 of the currents at work, also for cells that a
    state opens (g = 0) or that are the only path."""
    array, rng = case.array, case.rng
    p, ap = rng.uniform(1e-4, 1e-3, array.shape), rng.uniform(0, 5e-5, array.shape)
    ap[rng.random(array.shape) < 0.1] = 0
    at_once = array.read_breakdown(scheme=scheme, voltage=0.3)
    one_by_one = array.read_breakdown(*every(array.shape), scheme=scheme, voltage=0.3, rtol=3e-11)
    # what a read is made of: in v/2 half of the array may carry current that the sense terminal hardly sees
    carried = 0.3 * max(array.cells.g.sum(), 1e-12)
    for name in ("sense_current", "source_current", "selected_current"):
        assert_allclose(getattr(at_once, name).ravel(), getattr(one_by_one, name), rtol=1e-9, atol=1e-9 * carried, err_msg=name)
    found = array.sense_margin(scheme=scheme, voltage=0.3, states=(p, ap))
    solved = array.sense_margin(*every(array.shape), scheme=scheme, voltage=0.3, states=(p, ap), rtol=3e-11)
    carried += 0.3 * p.max()
    for name in ("current_p", "current_ap", "margin"):
        assert_allclose(getattr(found, name).ravel(), getattr(solved, name), rtol=1e-9, atol=1e-9 * carried, err_msg=name)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("r", [0.0, 1e-6, 1.0, 100.0])
def test_margins_keep_their_digits(scheme, r):
    """Relative to the margins themselves, over wires from none to a hundredth of a cell."""
    rng = generator(4)
    array = plain(rng, r_word=r, r_bit=2 * r, r_driver=0.0)
    found = array.sense_margin(scheme=scheme, states=(2e-4, 1e-4), rtol=1e-12)
    solved = array.sense_margin(*every(SHAPE), scheme=scheme, states=(2e-4, 1e-4), rtol=1e-12)
    assert_allclose(found.margin.ravel(), solved.margin, rtol=1e-8)
    assert_allclose(found.relative.ravel(), solved.relative, rtol=1e-8)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("sides", [("word_right", "bit_top"), ("word_left", "bit_top")])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (6, 1), (9, 3), (3, 9)])
def test_other_sides_and_shapes(scheme, sides, shape):
    array = plain(generator(5, *shape), shape)
    how = {"scheme": scheme, "sides": sides, "states": (3e-4, 1e-4)}
    found, solved = array.sense_margin(**how), array.sense_margin(*every(shape), **how)
    assert_allclose(found.current_p.ravel(), solved.current_p, rtol=1e-8)
    assert_allclose(found.current_ap.ravel(), solved.current_ap, rtol=1e-8)


def test_blocks_do_not_show(monkeypatch):
    array = plain(generator(6))
    whole = array.read_breakdown(scheme="v/3")
    monkeypatch.setattr(reading, "_TOGETHER", 4 * array.cells.g.size)
    parts = array.read_breakdown(scheme="v/3")
    assert_allclose(parts.selected_current, whole.selected_current, rtol=1e-8)
    singles = array.read_breakdown(*every(SHAPE), scheme="v/3")
    assert_allclose(singles.selected_current, whole.selected_current.ravel(), rtol=1e-8)


def test_ohmic_junctions_know_their_states():
    rng = generator(7)
    params = MTJParams(r_p=rng.uniform(4e3, 8e3, SHAPE), tmr=1.2, v_h=np.inf)
    array = PassiveArray(MTJCells(params, rng.integers(0, 2, SHAPE)), r_word=20.0, r_bit=20.0)
    states = conductance(params, 1.0), conductance(params, -1.0)
    found = array.sense_margin(scheme="floating")
    ohmic = array.with_cells(array.cells.conductance).sense_margin(scheme="floating", states=states)
    assert_allclose(found.margin, ohmic.margin, rtol=1e-9)
    assert (0 < found.relative).all() and (found.relative < 1.2).all()
    some = array.sense_margin([2, 0], [1, 4], scheme="floating")
    assert_allclose(some.margin, found.margin[[2, 0], [1, 4]], rtol=1e-8)


def test_ideal_array_keeps_the_whole_tmr_where_others_are_grounded():
    cells = MTJCells(MTJParams(r_p=5e3, tmr=1.2, v_h=np.inf), generator(8).integers(0, 2, SHAPE))
    array = PassiveArray(cells, r_word=0.0, r_bit=0.0)
    grounded, floating = (array.sense_margin(scheme=s) for s in ("grounded", "floating"))
    assert_allclose(grounded.relative, 1.2, rtol=1e-9)
    assert (floating.relative < 0.5).all()  # sneak paths


# Bias-dependent cells


def test_junctions_are_solved_one_by_one():
    rng = generator(9)
    shape = (3, 4)
    params = MTJParams(r_p=5e3, tmr=1.2, v_h=0.4)
    array = PassiveArray(MTJCells(params, rng.integers(0, 2, shape)), r_word=50.0, r_bit=50.0)
    margins = array.sense_margin(scheme="v/2", voltage=0.6)
    reads = array.read_breakdown(scheme="v/2", voltage=0.6)
    assert margins.margin.shape == reads.sense_current.shape == shape
    for i, j in np.ndindex(shape):
        drives = drives_of(SCHEMES["v/2"], shape, i, j, 0.6)
        for state, current in ((1, margins.current_p), (-1, margins.current_ap)):
            states = array.cells.state.copy()
            states[i, j] = state
            solved = array.with_cells(MTJCells(params, states)).solve(**drives)
            assert_allclose(current[i, j], solved.bit_current[j], rtol=1e-9)
        solved = array.solve(**drives)
        assert_allclose(reads.selected_current[i, j], solved.cell_current[i, j], rtol=1e-9)
        assert_allclose(reads.source_current[i, j], -solved.terminal_current["word_left"][i], rtol=1e-9)


# What the breakdown says


def test_shares_add_up_to_the_sense_current():
    array = plain(generator(10))
    for scheme in ALL:
        reads = array.read_breakdown(scheme=scheme, voltage=0.2)
        assert_allclose(reads.selected_current + reads.around_current, reads.sense_current, rtol=1e-12)
        assert_allclose(reads.selected_share + reads.sneak_share, 1, rtol=1e-9)
    one = array.read_breakdown(2, 3, scheme="floating", voltage=0.2)
    solved = array.solve(word_left=only(SHAPE[0], 2, 0.2), bit_bottom=only(SHAPE[1], 3))
    assert one.sense_current.shape == ()
    others = np.delete(solved.cell_current[:, 3], 2).sum()
    assert_allclose(one.around_current, others, rtol=1e-8)  # what came around came through the line's other cells
    assert_allclose(one.selected_share, solved.cell_current[2, 3] / solved.bit_current[3], rtol=1e-9)


def test_nothing_sneaks_without_wires_into_a_virtual_ground():
    array = plain(generator(11), r_word=0.0, r_bit=0.0, r_driver=0.0)
    reads = array.read_breakdown(scheme="grounded")
    assert_allclose(reads.sneak_share, 0, atol=1e-9)
    half = array.read_breakdown(scheme="v/2")
    g = array.cells.g
    assert_allclose(half.sneak_share, (g.sum(axis=0) - g) / (g.sum(axis=0) + g), rtol=1e-9)


def test_no_current_no_share():
    reads = PassiveArray(np.array([[0.0, 1e-4]]), r_word=0.0, r_bit=0.0).read_breakdown(scheme="floating")
    assert np.isnan(reads.selected_share[0, 0]) and reads.sense_current[0, 0] == 0
    assert_allclose(reads.selected_share[0, 1], 1)


# Resistance between the nodes of each cell


def dense(r_word, r_bit, g, leaks):
    """b' A^-1 b from the inverse of the whole nodal matrix."""
    m, n = g.shape
    word = np.arange(m * n).reshape(m, n)
    bit = word + m * n
    a = np.diag(np.concatenate((leaks[0].ravel(), leaks[1].ravel())))

    def join(p, q, c):
        p, q, c = (np.ravel(x) for x in (p, q, c))
        np.add.at(a, (np.r_[p, q, p, q], np.r_[p, q, q, p]), np.r_[c, c, -c, -c])
    join(word, bit, g)
    join(word[:, :-1], word[:, 1:], 1 / r_word[:, 1:-1])
    join(bit[:-1], bit[1:], 1 / r_bit[1:-1])
    for nodes, r in ((word[:, 0], r_word[:, 0]), (word[:, -1], r_word[:, -1]), (bit[0], r_bit[0]), (bit[-1], r_bit[-1])):
        a[nodes, nodes] += 1 / r
    x = np.linalg.inv(a)
    return x[word, word] + x[bit, bit] - 2 * x[word, bit]


@settings(max_examples=60)
@given(st.integers(1, 8), st.integers(1, 8), st.floats(-4, 0), st.booleans(), st.integers(0, 2**32 - 1))
def test_property_cell_resistances(m, n, decade, openings, seed):
    rng = np.random.default_rng(seed)
    g = 1e-4 * rng.uniform(0.5, 2, (m, n)) * (rng.random((m, n)) > 0.2)
    r_word, r_bit = (1e4 * 10 ** decade * rng.uniform(0.3, 3, size) for size in ((m, n + 1), (m + 1, n)))
    if openings:
        for r in (r_word, r_bit):
            r[rng.random(r.shape) < 0.2] = np.inf
    leaks = rng.uniform(1e-6, 1e-4, (m, n)), rng.uniform(1e-6, 1e-4, (m, n))
    assert_allclose(cell_resistance(r_word, r_bit, g, leaks), dense(r_word, r_bit, g, leaks), rtol=1e-9)


def test_connected_parts_are_isolated_where_no_terminal_reaches():
    rng = generator(12)
    for _ in range(20):
        g = rng.random((5, 6)) < 0.2
        r_word, r_bit = (np.where(rng.random(size) < 0.3, np.inf, 2.0) for size in ((5, 7), (6, 6)))
        word, bit = connected_parts(r_word, r_bit, g)
        held = np.concatenate([part[np.isfinite(r)] for part, r in (
            (word[:, 0], r_word[:, 0]), (word[:, -1], r_word[:, -1]), (bit[0], r_bit[0]), (bit[-1], r_bit[-1]))])
        lost = isolated_nodes(r_word, r_bit.T, lambda g=g: g)
        expected = (np.zeros((5, 6), bool),) * 2 if lost is None else lost
        assert_array_equal(~np.isin(word, held), expected[0])
        assert_array_equal(~np.isin(bit, held), expected[1])
        assert (word[g] == bit[g]).all()


# What is refused


class Strange(Cells):
    """Cells of a kind that has no states."""

    shape, linear = (2, 2), True

    def current(self, v):
        return 1e-4 * v, np.full((2, 2), 1e-4)

    def batch(self, names, nodes, which):
        raise NotImplementedError


ARRAY = plain(generator(13))
JUNCTIONS = PassiveArray(MTJCells(presets["daffodil"], np.ones(SHAPE)))


@pytest.mark.parametrize("call, message", [
    (lambda: ARRAY.effective_conductance("half"), "no bias scheme 'half'; there are floating"),
    (lambda: ARRAY.effective_conductance(2), "no bias scheme"),
    (lambda: ARRAY.effective_conductance(at="row"), '"sense"'),
    (lambda: ARRAY.effective_conductance(sides=("word_left", "word_right")), "sides are one of"),
    (lambda: ARRAY.effective_conductance(Scheme(name="off", rows=0.0, columns=0.0, selected_row=0.0)), "applies no voltage"),
    (lambda: JUNCTIONS.effective_conductance(), "linear cells only"),
    (lambda: ARRAY.read_breakdown(1), "a row and a column"),
    (lambda: ARRAY.read_breakdown(6, 0), "from 0 to 5"),
    (lambda: ARRAY.read_breakdown(voltage=0.0), "not 0"),
    (lambda: ARRAY.read_breakdown(voltage=[0.1, 0.2]), "one finite number"),
    (lambda: ARRAY.sense_margin(), "states="),
    (lambda: ARRAY.sense_margin(states=(1e-4, -1e-4)), "at least 0"),
    (lambda: ARRAY.sense_margin(states=(1e-4, np.ones(3))), r"shape \(6, 5\)"),
    (lambda: JUNCTIONS.sense_margin(states=(1e-4, 2e-4)), "know their states"),
    (lambda: PassiveArray(Strange()).sense_margin(), "no sense margin for Strange"),
])
def test_wrong_arguments(call, message):
    with pytest.raises(DataError, match=message):
        call()


def test_what_does_not_fit_is_refused_before_it_is_solved(monkeypatch):
    array = PassiveArray(np.full((200, 200), 1e-4))
    monkeypatch.setattr("crossbar.memory.available", lambda: 60_000_000)
    monkeypatch.setattr(PassiveArray, "solve", None)
    with pytest.raises(SizeError, match="block elimination of 200 x 200"):
        array.sense_margin(states=(2e-4, 1e-4))


def test_public_names():
    assert xb.SCHEMES["v/2"] == Scheme(name="v/2", rows=0.5, columns=0.5) and xb.Scheme is Scheme
