"""Arrays at the edge of double precision: whatever can be solved is solved, at the default tolerance."""

import numpy as np
import numpy.ma as ma
import pytest
from extreme_arrays import KINDS, ExtremeCase, extreme_case, terminal_currents

import crossbar as xb
from crossbar.arrays import PassiveArray
from crossbar.elements.xbar import SIDES

SEED = 2_044_719_663
ROUNDING = 1e-13  # of a current, in star-mesh elimination and in the sums of a line


def generator(*key):
    return np.random.default_rng([SEED, *key])


def assert_solved(case):
    """Terminal currents agree with star-mesh elimination: what KCL misses, 1e-10 of the cell currents, may leave by any
    terminal; a current that rounding of 1 V over all cells may drive counts as none."""
    solution = case.array.solve(**case.drives)
    assert solution.relative_residual <= 1e-10
    none = 1e-14 * case.array.cells.conductance.sum()
    carried = np.abs(solution.cell_current).sum()
    for side, expected in terminal_currents(case).items():
        allowed = 2e-10 * carried + none + ROUNDING * np.abs(expected)
        assert (np.abs(solution.terminal_current[side] - expected) <= allowed).all()


@pytest.mark.parametrize("kind", KINDS)
def test_extreme_arrays_against_star_mesh_elimination(kind):
    for k in range(50):
        assert_solved(extreme_case(kind, generator(1, KINDS.index(kind), k)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_extreme_arrays_of_all_sizes_against_star_mesh_elimination(kind):
    for k in range(500):
        rng = generator(2, KINDS.index(kind), k)
        assert_solved(extreme_case(kind, rng, largest=int(rng.choice((2, 8, 25), p=(0.3, 0.6, 0.1)))))


@pytest.mark.parametrize("wire", [1e-9, 1e-12])
def test_wires_of_next_to_no_resistance_are_as_good_as_none(wire):
    """A wire of 1e-9 ohm changes currents by some 1e-9 ohm x 0.1 S."""
    for k in range(20):
        case = extreme_case("floating read", generator(3, k))
        g = case.array.cells.conductance
        solved = []
        for r in (wire, 0.0):
            array = PassiveArray(g, r_word=r, r_bit=r, r_driver=1.0)
            solved.append(array.solve(**case.drives).terminal_current)
        for side in SIDES:
            scale = np.abs(solved[1][side]).max()
            np.testing.assert_allclose(solved[0][side], solved[1][side], rtol=0, atol=1e-8 * scale)


@pytest.mark.parametrize("kind", KINDS)
def test_extreme_junctions_meet_the_tolerance(kind):
    for k in range(20):
        rng = generator(4, KINDS.index(kind), k)
        case = extreme_case(kind, rng)
        r_p = 1 / np.maximum(case.array.cells.conductance, 1e-12)
        params = xb.MTJParams(r_p=r_p, tmr=1.0, v_h=0.4)
        junctions = xb.MTJCells(params, rng.choice((-1, 1), r_p.shape))
        solution = case.array.with_cells(junctions).solve(**case.drives)
        assert solution.relative_residual <= 1e-10


@pytest.mark.filterwarnings("ignore:.* of 9 cells conduct 1 S or more:crossbar.CrossbarWarning")
@pytest.mark.parametrize("g", [1e3, 1e6, 1e9, 1e12])
def test_a_cell_as_good_as_a_short(g):
    """Its current is the difference of two voltages that agree in nearly all their digits."""
    cells = np.full((3, 3), 1e-5)
    cells[0, 0] = g
    open_side = ma.masked_all(3)
    drives = {"word_left": ma.array([0.3, 0.2, 0.1]), "word_right": open_side, "bit_top": open_side,
              "bit_bottom": ma.zeros(3)}
    assert_solved(ExtremeCase(PassiveArray(cells), drives))


@pytest.mark.parametrize("r_bit", [0.0, 1e-12])
def test_floating_reads_through_bit_lines_without_resistance(r_bit):
    """6 x 3 cells over six decades, word lines of 1e-6 ohm a segment, one word and one bit line held."""
    for k in range(100):
        rng = generator(5, k)
        cells = 10 ** rng.uniform(-7, -1, (6, 3))
        drives = {"word_left": xb.only(6, int(rng.integers(6)), 0.1), "word_right": ma.masked_all(6),
                  "bit_top": ma.masked_all(3), "bit_bottom": xb.only(3, int(rng.integers(3)))}
        assert_solved(ExtremeCase(PassiveArray(cells, r_word=1e-6, r_bit=r_bit), drives))


def test_an_input_without_voltages_is_solved_from_any_start():
    """All terminals at one voltage: no current, whatever the solution begins from; with linear cells and with junctions."""
    rng = generator(6)
    junctions = xb.MTJCells(xb.MTJParams(r_p=5e3, tmr=1.0, v_h=0.5), rng.choice((-1, 1), (4, 5)))
    for cells in (10 ** rng.uniform(-6, -3, (4, 5)), junctions):
        array = PassiveArray(cells)
        start = array.solve(word_left=rng.uniform(0.1, 1.0, (3, 4)))
        scale = np.array([0.0, 1e-9, -1.0])[:, None]
        again = array.solve(word_left=scale * np.ones(4), start=start)
        assert (again.bit_current[0] == 0).all()
        alone = array.solve(word_left=scale * np.ones(4))
        np.testing.assert_allclose(again.bit_current, alone.bit_current, rtol=1e-8)
