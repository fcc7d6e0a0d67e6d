"""Linear arrays at the edge of double precision, and their terminal currents without any cancellation.

Star-mesh elimination (Rosen, J. IEE 62, 916 (1924)) removes an inner node k of a network of conductances,

    g_ij -> g_ij + g_ik g_kj / sum_m g_km

by sums, products and quotients of positive numbers only, so what is left between the terminals is exact to rounding whatever
the range of the conductances. Voltages enter as differences of the terminals' own.
"""

from dataclasses import dataclass

import numpy as np
import numpy.ma as ma
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from crossbar.arrays import PassiveArray
from crossbar.elements.xbar import SIDES, lines_of

KINDS = ("even wires", "uneven wires", "broken wires", "floating read")


@dataclass(frozen=True)
class ExtremeCase:
    """A linear array and its drives {side: (lines,) masked array} [V]."""

    array: PassiveArray
    drives: dict


def extreme_case(kind: str, rng: np.random.Generator, largest: int = 8) -> ExtremeCase:
    """Wires of 1e-7 to 1e3 ohm, cells over six decades about 1e-9 to 1e-3 S, ends that float.

    even wires : one resistance a plane. uneven wires : each segment its own. broken wires : these with exact shorts, open
    segments and open cells. floating read : one word line and one bit line held, 0 ohm possible in either plane.
    """
    shape = tuple(rng.integers(1, largest + 1, 2).tolist())
    g = 10 ** rng.uniform(-9, -3) * 10 ** rng.uniform(-3, 3, shape)
    sizes = (shape[0], shape[1] + 1), (shape[0] + 1, shape[1])
    if kind in ("even wires", "floating read"):
        wires = [np.full(size, 10 ** rng.uniform(-7, 3)) for size in sizes]
    else:
        wires = [10 ** rng.uniform(-7, 3, size) for size in sizes]
    if kind == "broken wires":
        g[rng.random(shape) < 0.2] = 0.0
        for r in wires:
            r[rng.random(r.shape) < 0.2] = 0.0
            r[rng.random(r.shape) < 0.1] = np.inf
    if kind == "floating read" and rng.random() < 0.5:
        wires[rng.integers(2)][:] = 0.0

    drives = {}
    for side in SIDES:
        lines = lines_of(side, shape)
        share = rng.choice((0.0, 0.5, 1.0))
        drives[side] = ma.array(rng.uniform(-1, 1, lines), mask=rng.random(lines) >= share)
    drives["word_left"][0] = 0.7
    drives["bit_bottom"][0] = 0.0
    if kind == "floating read":
        for side in SIDES:
            drives[side].mask = True
        drives["word_left"][rng.integers(shape[0])] = 0.1
        drives["bit_bottom"][rng.integers(shape[1])] = 0.0
    # a driver everywhere, so that no two voltages meet through 0 ohm
    drivers = {side: 10 ** rng.uniform(-7, 3, lines_of(side, shape)) for side in SIDES}
    if rng.random() < 0.5:
        drivers = dict.fromkeys(SIDES, 1e-7)
    return ExtremeCase(PassiveArray(g, r_word=wires[0], r_bit=wires[1], r_driver=drivers), drives)


def terminal_currents(case: ExtremeCase) -> dict:
    """{side: (lines,)} currents [A] out of the array."""
    first, second, resistance = _edges(case)
    m, n = case.array.shape
    inner = 2 * m * n
    ends = sum(lines_of(side, (m, n)) for side in SIDES)

    short = resistance == 0
    graph = coo_array((np.ones(short.sum()), (first[short], second[short])), shape=(inner + ends,) * 2)
    label = connected_components(graph, directed=False)[1]
    volts, connected = _terminals(case)
    terminals = inner + np.flatnonzero(connected)
    held = label[terminals]
    assert len(set(held.tolist())) == len(held), "two terminals through 0 ohm"

    finite = ~short & np.isfinite(resistance)
    g = np.zeros((label.max() + 1,) * 2)
    np.add.at(g, (label[first[finite]], label[second[finite]]), 1 / resistance[finite])
    g = g + g.T
    np.fill_diagonal(g, 0)
    for k in np.setdiff1d(np.arange(len(g)), held):
        neighbours = np.flatnonzero(g[k])
        if neighbours.size:
            row = g[k, neighbours]
            g[np.ix_(neighbours, neighbours)] += np.outer(row, row / row.sum())
        g[k] = 0
        g[:, k] = 0
        np.fill_diagonal(g, 0)
    between = g[np.ix_(held, held)]
    v = volts[connected]
    out = np.zeros(ends)
    out[connected] = (between * (v[None, :] - v[:, None])).sum(axis=1)
    cuts = np.cumsum([lines_of(side, (m, n)) for side in SIDES])[:-1]
    return dict(zip(SIDES, np.split(out, cuts), strict=True))


def _terminals(case):
    """Voltages of all ends, in the order of SIDES, and which are connected."""
    drives = [case.drives[side] for side in SIDES]
    return (np.concatenate([v.filled(0.0) for v in drives]),
            np.concatenate([~ma.getmaskarray(v) for v in drives]))


def _edges(case):
    """Ends and resistances of all cells and segments; ends that are not connected have none."""
    array = case.array
    m, n = array.shape
    word = np.arange(m * n).reshape(m, n)
    bit = word + m * n
    left, right, top, bottom = np.split(2 * m * n + np.arange(2 * (m + n)), np.cumsum([m, m, n]))
    along_word = np.column_stack((left, word, right))
    along_bit = np.vstack((top, bit, bottom))
    _, connected = _terminals(case)
    on_left, on_right, on_top, on_bottom = np.split(connected, np.cumsum([m, m, n]))
    r_word, r_bit = array.r_word.copy(), array.r_bit.copy()
    r_word[:, 0] += np.where(on_left, array.r_driver["word_left"], np.inf)
    r_word[:, -1] += np.where(on_right, array.r_driver["word_right"], np.inf)
    r_bit[0] += np.where(on_top, array.r_driver["bit_top"], np.inf)
    r_bit[-1] += np.where(on_bottom, array.r_driver["bit_bottom"], np.inf)
    with np.errstate(divide="ignore"):
        cells = 1 / array.cells.conductance
    first = np.concatenate((word.ravel(), along_word[:, :-1].ravel(), along_bit[:-1].ravel()))
    second = np.concatenate((bit.ravel(), along_word[:, 1:].ravel(), along_bit[1:].ravel()))
    return first, second, np.concatenate((cells.ravel(), r_word.ravel(), r_bit.ravel()))
