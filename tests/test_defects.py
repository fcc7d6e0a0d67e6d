"""Cells with defects: what each defect does, structured and general path, refusals."""

import numpy as np
import peers
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from crossbar.analysis import operating_point
from crossbar.arrays import PassiveArray
from crossbar.elements.cells import LinearCells, MTJCells
from crossbar.errors import DataError
from crossbar.mtj import Defects, conductance, current, presets, sample_defects
from crossbar.netlist import to_spice

SEED = 1_340_228_917
P = presets["ut-50nm"]
OHMIC = presets["daffodil"].replace(v_h=np.inf)


def generator(*key):
    return np.random.default_rng([SEED, *key])


def broken(shape=(6, 7), rng=None, **rates):
    return sample_defects(shape, rng or generator(0), **({"short": 0.1, "open": 0.1, "stuck_p": 0.1, "stuck_ap": 0.1} | rates))


def one_of_each():
    """P, AP, short, open, stuck P, stuck AP in a row; all of them written P, then all AP."""
    k = np.arange(6)
    return Defects(short=k == 2, open=k == 3, stuck_p=k == 4, stuck_ap=k == 5)


def test_what_each_defect_does():
    v = np.array([[0.3, -0.2, 0.4, 0.5, 0.1, 0.6], [-0.3, 0.2, -0.4, 0.5, -0.1, 0.6]])
    state = np.array([[1, -1, 1, 1, -1, 1], [1, -1, -1, -1, -1, 1]])
    i, g = MTJCells(P, state, one_of_each(), g_short=5e-3).current(v)
    junction, slope = current(v, P, np.array([1, -1, 1, 1, 1, -1]))
    whole = [0, 1, 4, 5]
    assert_array_equal(i[:, whole], junction[:, whole])
    assert_array_equal(g[:, whole], slope[:, whole])
    assert_array_equal(i[:, 2], 5e-3 * v[:, 2])
    assert_array_equal(g[:, 2], 5e-3)
    assert_array_equal(i[:, 3], 0)
    assert_array_equal(g[:, 3], 0)


def test_stuck_cells_show_the_state_they_are_stuck_in():
    cells = MTJCells(P, [["P"] * 6, ["AP"] * 6], one_of_each())
    assert_array_equal(cells.state, [[1, 1, 1, 1, 1, -1], [-1, -1, -1, -1, 1, -1]])
    partly = MTJCells(P, m_z=np.full((2, 6), 0.25), defects=one_of_each())
    assert_array_equal(partly.m_z, [[0.25] * 4 + [1, -1]] * 2)


def test_conductances_are_those_of_the_defects():
    defects, state = broken(), generator(1).integers(0, 2, (6, 7))
    g_short = generator(2).uniform(1e-3, 1e-2, (6, 7))
    for p in (P, OHMIC):
        expected = defects.conductance(conductance(p, defects.states(state)), g_short)
        assert_allclose(MTJCells(p, state, defects, g_short=g_short).conductance, expected, rtol=1e-14)
    g = generator(3).uniform(1e-5, 1e-4, (6, 7))
    torn = broken(stuck_p=0.0, stuck_ap=0.0)
    assert torn.short.any() and torn.open.any()
    assert_array_equal(LinearCells(g=g).with_defects(torn, g_short).g, torn.conductance(g, g_short))


def test_a_batch_of_voltages_and_slopes_by_differences():
    cells = MTJCells(P, generator(4).integers(0, 2, (6, 7)), broken())
    v = generator(5).uniform(-1, 1, (3, 6, 7))
    i, g = cells.current(v)
    h = 1e-5
    assert_allclose((cells.current(v + h)[0] - cells.current(v - h)[0]) / (2 * h), g, rtol=1e-7, atol=1e-14)
    for k in range(3):
        assert_array_equal(cells.current(v[k])[0], i[k])


def test_no_defects_are_no_change():
    state, v = generator(6).integers(0, 2, (4, 5)), generator(7).uniform(-1, 1, (4, 5))
    for p in (P, OHMIC):
        for defects in (Defects(), broken((4, 5), short=0.0, open=0.0, stuck_p=0.0, stuck_ap=0.0)):
            for got, expected in zip(MTJCells(p, state, defects).current(v), MTJCells(p, state).current(v), strict=True):
                assert_array_equal(got, expected)
            assert MTJCells(p, state, defects).linear == MTJCells(p, state).linear


@pytest.mark.parametrize("p", [P, OHMIC], ids=["junctions", "linear"])
@pytest.mark.parametrize("shape", [(1, 1), (6, 7), (12, 5)], ids=lambda s: f"{s[0]}x{s[1]}")
def test_structured_and_general(p, shape):
    rng = generator(8, *shape)
    cells = MTJCells(p, rng.integers(0, 2, shape), broken(shape, rng), g_short=rng.uniform(1e-3, 1e-2, shape))
    array = PassiveArray(cells, r_word=rng.uniform(1, 9), r_bit=rng.uniform(1, 9))
    v = rng.uniform(0.1, 0.9, shape[0])
    lines, general = array.solve(word_left=v), array.solve(word_left=v, method="general")
    largest = np.abs(general.cell_current).max()
    assert_allclose(lines.cell_current, general.cell_current, rtol=0, atol=1e-9 * largest)
    assert_allclose(lines.bit_current, general.bit_current, rtol=0, atol=1e-9 * largest)
    dissipated = sum(lines.power[kind] for kind in ("cells", "wires", "drivers"))
    assert_allclose(lines.power["sources"], dissipated, rtol=1e-9, atol=1e-20)


def test_linear_junctions_with_defects_are_linear_cells_with_defects():
    rng = generator(9)
    state, defects = rng.integers(0, 2, (6, 7)), broken(stuck_p=0.0, stuck_ap=0.0)
    junctions = PassiveArray(MTJCells(OHMIC, state, defects))
    plain = PassiveArray(LinearCells(g=conductance(OHMIC, state * 2 - 1)).with_defects(defects))
    assert_allclose(junctions.transfer("word_left", "bit_bottom"), plain.transfer("word_left", "bit_bottom"), rtol=1e-9)


def test_ngspice_agrees(tmp_path, ngspice):
    """The exported deck, in which a short is an R element and an open cell is absent."""
    rng = generator(10)
    cells = MTJCells(P, rng.integers(0, 2, (6, 7)), broken())
    circuit = PassiveArray(cells, r_word=3.0, r_bit=5.0).to_circuit(word_left=rng.uniform(0.2, 0.8, 6))
    ours, text = operating_point(circuit, reltol=1e-10), to_spice(circuit)
    assert text.count("crossbar_mtj rp=") == 42 - (cells.defects.open | cells.defects.short).sum()
    theirs = peers.run_ngspice(tmp_path, text.splitlines())
    for k in range(7):
        assert_allclose(theirs[f"i(v_bit_bottom_{k})"], ours.i(f"v_bit_bottom[{k}]"), rtol=1e-6)


def test_a_column_of_open_cells_carries_nothing():
    column = np.broadcast_to(np.arange(4) == 2, (3, 4))
    cells = MTJCells(P, np.ones((3, 4), int), Defects(open=column))
    for method in ("lines", "general"):
        s = PassiveArray(cells).solve(word_left=0.3, method=method)
        assert s.bit_current[2] == 0 and (s.bit_current[[0, 1, 3]] > 0).all()
        lost = PassiveArray(cells).solve(word_left=0.3, bit_bottom=np.ma.array(np.zeros(4), mask=np.arange(4) == 2),
                                         method=method)
        assert lost.isolated == ("bl[0,2]", "bl[1,2]", "bl[2,2]")


@pytest.mark.parametrize("defects", [Defects(short=np.eye(3, 4) > 0), Defects(open=np.zeros((2, 6, 7), bool)),
                                     Defects(open=np.zeros((6, 1), bool)), {"short": np.eye(6, 7) > 0}, np.eye(6, 7) > 0],
                         ids=["shape", "batch", "column", "dictionary", "mask"])
def test_defects_that_do_not_fit(defects):
    for make in (lambda: MTJCells(P, np.ones((6, 7), int), defects),
                 lambda: LinearCells(g=np.ones((6, 7))).with_defects(defects)):
        with pytest.raises(DataError, match="defects"):
            make()


@pytest.mark.parametrize("g_short", [0.0, -1.0, np.inf, np.nan, "x", np.ones((2, 6, 7)), np.ones(6)], ids=str)
def test_a_short_has_a_positive_resistance(g_short):
    for make in (lambda: MTJCells(P, np.ones((6, 7), int), broken(), g_short=g_short),
                 lambda: LinearCells(g=np.ones((6, 7))).with_defects(broken(stuck_p=0.0, stuck_ap=0.0), g_short)):
        with pytest.raises(DataError, match="g_short"):
            make()


def test_conductances_cannot_be_stuck():
    with pytest.raises(DataError, match="MTJCells"):
        LinearCells(g=np.ones((6, 7))).with_defects(broken())
