"""Reads, margins, derivatives of arrays with defects: a broken cell is the same in every state."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from crossbar.arrays import SCHEMES, PassiveArray
from crossbar.elements.cells import LinearCells, MTJCells
from crossbar.mtj import Defects, MTJParams, conductance, sample_defects

SEED = 1_791_220_463
WIRE = 2.0
VOLTS = 0.1
SHORT = 1e-2
CORNER = np.array([[False, False], [False, True]])


def generator(*key):
    return np.random.default_rng([SEED, *key])


def one_of_each(rng, shape):
    """Each kind of defect in one cell or two."""
    cell = rng.permutation(np.prod(shape)).reshape(shape)
    return Defects(short=cell == 0, open=cell == 1, stuck_p=cell == 2, stuck_ap=cell // 2 == 2)


def two_by_two(v_h, **masks):
    params = MTJParams(r_p=1e4, tmr=1.0, v_h=v_h)
    cells = MTJCells(params, np.ones((2, 2), int), Defects(**masks), g_short=SHORT)
    return PassiveArray(cells, r_word=WIRE, r_bit=WIRE)


def law(v, v_h, antiparallel, ohmic):
    """Current and slope of cells of 1e4 ohm and TMR 1 at voltages v, written out; of conductance
    `ohmic` [S] where that is not NaN."""
    w = (v / v_h) ** 2
    ratio = antiparallel / (2 + w)
    g = 1e-4 * (1 - ratio)
    slope = g + 1e-4 * ratio * 2 * w / (2 + w)
    return np.where(np.isnan(ohmic), g * v, ohmic * v), np.where(np.isnan(ohmic), slope, ohmic)


def floating_read(row, column, v_h, antiparallel, ohmic):
    """Sense current [A] of a cell of a 2 x 2 array: dense nodal analysis, Newton's method."""
    word, bit = np.arange(4).reshape(2, 2), np.arange(4, 8).reshape(2, 2)
    wires = np.zeros((8, 8))
    for a, b in (*word, *bit.T):
        wires[[a, b], [a, b]] += 1 / WIRE
        wires[[a, b], [b, a]] -= 1 / WIRE
    source, sense = word[row, 0], bit[1, column]
    wires[source, source] += 1 / WIRE
    wires[sense, sense] += 1 / WIRE
    fed = np.zeros(8)
    fed[source] = VOLTS / WIRE
    across = np.hstack((np.eye(4), -np.eye(4)))  # node voltages -> cell voltages
    x = np.zeros(8)
    for _ in range(50):
        i, g = law(across @ x, v_h, antiparallel.ravel(), ohmic.ravel())
        residual = wires @ x + across.T @ i - fed
        x = x - np.linalg.solve(wires + across.T @ (g[:, None] * across), residual)
    return x[sense] / WIRE


def dense_margin(row, column, v_h, kind):
    """Sense currents in P and in AP, cell (1, 1) defective of a kind."""
    ohmic = np.full((2, 2), np.nan)
    if kind in ("short", "open"):
        ohmic[1, 1] = SHORT if kind == "short" else 0.0
    currents = []
    for state in (0.0, 1.0):
        antiparallel = np.zeros((2, 2))
        antiparallel[row, column] = state
        if kind.startswith("stuck"):
            antiparallel[1, 1] = kind == "stuck_ap"
        currents.append(floating_read(row, column, v_h, antiparallel, ohmic))
    return currents


@pytest.mark.parametrize("v_h", [0.5, np.inf])
@pytest.mark.parametrize("kind", ["short", "open", "stuck_p", "stuck_ap"])
def test_margins_beside_and_at_a_defect(v_h, kind):
    """Every cell against dense nodal analysis; at the defect itself both states read alike."""
    array = two_by_two(v_h, **{kind: CORNER})
    at_once = array.sense_margin(voltage=VOLTS)
    one_by_one = array.sense_margin(*(k.ravel() for k in np.indices((2, 2))), voltage=VOLTS)
    for found in (at_once, one_by_one):
        p, ap = found.current_p.reshape(2, 2), found.current_ap.reshape(2, 2)
        for row, column in np.ndindex(2, 2):
            expected = dense_margin(row, column, v_h, kind)
            assert_allclose((p[row, column], ap[row, column]), expected, rtol=1e-8)
        assert p[1, 1] == ap[1, 1]
        assert (p > ap).sum() == 3


def test_values_worked_out_elsewhere():
    """Dense nodal analysis in long double of another author."""
    short, opened = two_by_two(0.5, short=CORNER), two_by_two(0.5, open=CORNER)
    for array, p, ap in ((short, 1.49627e-5, 1.00670e-5), (opened, 9.99400e-6, 5.09642e-6)):
        sound = array.sense_margin(0, 0, voltage=VOLTS)
        assert_allclose((sound.current_p, sound.current_ap), (p, ap), rtol=5e-6)
    for kind, expected in (("short", 9.46482e-4), ("open", 3.33222e-6)):
        defective = two_by_two(np.inf, **{kind: CORNER}).sense_margin(voltage=VOLTS)
        for current in (defective.current_p, defective.current_ap):
            assert_allclose(current[1, 1], expected, rtol=5e-6)
        assert defective.margin[1, 1] == defective.relative[1, 1] == 0


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("v_h", [0.4, np.inf])
def test_random_defects_against_the_general_path(scheme, v_h):
    """Cells built anew for every read, with all defects named, solved as a circuit."""
    rng = generator(1)
    shape = (4, 3)
    defects = one_of_each(rng, shape)
    params = MTJParams(r_p=rng.uniform(4e3, 9e3, shape), tmr=1.2, v_h=v_h)
    g_short, states = rng.uniform(1e-3, 1e-2, shape), rng.choice([-1, 1], shape)
    cells = MTJCells(params, states, defects, g_short=g_short)
    array = PassiveArray(cells, r_word=20.0, r_bit=30.0)
    found = array.sense_margin(scheme=scheme, voltage=0.3)
    for i, j in np.ndindex(shape):
        drives = SCHEMES[scheme].drives(shape, i, j, 0.3)
        for state, current in ((1, found.current_p), (-1, found.current_ap)):
            other = states.copy()
            other[i, j] = state
            cells = MTJCells(params, other, defects, g_short=g_short)
            anew = PassiveArray(cells, r_word=20.0, r_bit=30.0)
            solved = anew.solve(**drives, method="general")
            assert_allclose(current[i, j], solved.bit_current[j], rtol=1e-7, atol=1e-9 * 0.3 / 4e3)
    assert (found.margin[defects.mask] == 0).all()


def test_broken_conductances_have_no_states():
    """Conductances with defects, given both states, are as ohmic junctions with these defects."""
    rng = generator(2)
    shape = (4, 3)
    defects = sample_defects(shape, rng, short=0.2, open=0.2)
    params, states = MTJParams(r_p=5e3, tmr=1.2, v_h=np.inf), rng.choice([-1, 1], shape)
    cells = LinearCells(g=conductance(params, states)).with_defects(defects)
    found = PassiveArray(cells).sense_margin(states=(1 / 5e3, 1 / 11e3))
    junctions = PassiveArray(MTJCells(params, states, defects)).sense_margin()
    assert_allclose(found.current_p, junctions.current_p, rtol=1e-9)
    assert_allclose(found.current_ap, junctions.current_ap, rtol=1e-9)
    assert (found.margin[defects.mask] == 0).all() and (found.margin[~defects.mask] > 0).all()
    some = cells.of_rows(np.array([3, 1]))
    assert_array_equal(some.broken, defects.mask[[3, 1]])


def moved(array, i, j, step):
    """The array with m_z of one cell moved, defects as they are."""
    cells = array.cells
    m_z = cells.m_z.copy()
    m_z[i, j] = np.clip(m_z[i, j] + step, -1, 1)  # of stuck cells
    return array.with_cells(MTJCells(cells.params, m_z=m_z, defects=cells.defects))


@pytest.mark.parametrize("v_h", [0.4, np.inf])
def test_nothing_depends_on_the_state_of_a_broken_cell(v_h):
    """Against central differences of solved currents; at broken cells exactly 0."""
    rng = generator(3)
    shape = (3, 4)
    defects = one_of_each(rng, shape)
    params = MTJParams(r_p=5e3, tmr=1.2, v_h=v_h)
    cells = MTJCells(params, m_z=rng.uniform(-0.9, 0.9, shape), defects=defects)
    array = PassiveArray(cells, r_word=20.0, r_bit=30.0)
    drives = {"word_left": rng.uniform(0.1, 0.4, (2, 3))}
    weights = rng.normal(size=4)
    gradient = array.gradient(**drives, weights=weights, by="m_z", rtol=1e-12)
    jacobian = array.jacobian(**drives, by="m_z", rtol=1e-12)
    assert_array_equal(array.sensitivity(**drives, weights=weights, rtol=1e-12).m_z, gradient)
    h = 1e-3
    for i, j in np.ndindex(shape):
        up, down = (moved(array, i, j, step).solve(**drives, rtol=1e-12).bit_current
                    for step in (h, -h))
        slope = (up - down) / (2 * h)
        # third derivative h^2 / 6: (TMR / 2)^3 of the current, and what rtol leaves of a difference
        current = np.abs(up).sum()
        allowed = current * (h ** 2 / 6 + 1e-12 / h)
        assert_allclose(jacobian[..., i, j], slope, rtol=0, atol=allowed)
        allowed *= np.abs(weights).sum()
        assert_allclose(gradient[..., i, j], slope @ weights, rtol=0, atol=allowed)
    assert (gradient[:, defects.mask] == 0).all() and (jacobian[..., defects.mask] == 0).all()
    assert (gradient[:, ~defects.mask] != 0).all()
