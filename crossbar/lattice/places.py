"""Where the nodes of crossing lines are: the lines of one plane are met by those of the other in one and the same order.

    place[other] = sign[line] position + offset[line]   at every cell                                            (1)

fixes the order of the other plane's lines, and with it the column of every node on a word line, its row on a bit line. Where
holes leave open what an edge is, the places of what surrounds it tell.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crossbar.elements.base import IntArray, Mask
from crossbar.lattice.graph import Graph, Paths, planes

UNKNOWN, WIRE, CELL = 0, 1, 2  # what an edge is

_LEAST = 16  # cells of a part from which on places are looked for

Kinds = npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class _Order:
    """(1), as far as it is told."""

    place: IntArray   # (others,)
    known: Mask       # (others,)
    sign: IntArray    # (lines,) 0: not known
    offset: IntArray  # (lines,)

    @classmethod
    def of(cls, line: IntArray, position: IntArray, other: IntArray, lines: int, others: int) -> "_Order | None":
        """From the line with most cells on, to those that share two lines of the other plane with it, and so on; None where the
        cells contradict each other."""
        place, known = np.zeros(others, np.intp), np.zeros(others, bool)
        first = line == np.bincount(line, minlength=lines).argmax()
        place[other[first]], known[other[first]] = position[first], True
        while True:
            use = known[other]
            n, p, c, pc = (np.bincount(line[use], weights=w, minlength=lines) for w in (
                np.ones(int(use.sum())), position[use], place[other[use]], position[use] * place[other[use]]))
            sign = np.sign(n * pc - p * c).astype(np.intp)
            offset = np.rint((c - sign * p) / np.maximum(n, 1)).astype(np.intp)
            new = (sign[line] != 0) & ~use
            if not new.any():
                break
            place[other[new]], known[other[new]] = (sign[line] * position + offset[line])[new], True
        alone = n == 1  # met once: either way round will do
        sign[alone], offset[alone] = 1, (c - p)[alone]
        told = known[other] & (sign[line] != 0)
        if (place[other] != sign[line] * position + offset[line])[told].any():
            return None
        return cls(place, known, sign, offset)


def across(line: IntArray, position: IntArray, other: IntArray, lines: int, others: int
           ) -> tuple[IntArray, IntArray, IntArray] | None:
    """place (others,), a permutation of 0, 1, ..., sign and offset (lines,) of (1); None where there are none, or where the cells
    do not tell them all.

    line, position, other (cells,): where each cell is on the lines of this plane, and which line of the other plane it meets.
    """
    order = _Order.of(line, position, other, lines, others)
    if order is None or not order.known.all() or not order.sign.all():
        return None
    lowest = order.place.min()
    if (np.sort(order.place) != lowest + np.arange(others)).any():
        return None
    return order.place - lowest, order.sign, order.offset - lowest


def fill(graph: Graph, kinds: Kinds) -> bool:
    """Tell unknown edges, in `kinds` (edges + 1,), by the places of the nodes around them; whether any was told."""
    before = int((kinds == UNKNOWN).sum())
    ends = graph.ends
    pieces = Paths.of(ends[kinds[:-1] == WIRE], graph.size)
    cells = ends[kinds[:-1] == CELL]
    if pieces is None or not len(cells):
        return False
    plane, part = planes(pieces.line[cells], pieces.count)
    sizes = np.bincount(part[pieces.line[cells[:, 0]]], minlength=part.max() + 1)
    at = np.full((graph.size, 4), -1)  # part, plane, row and column of every node; part -1: not known
    for k in np.flatnonzero(sizes >= _LEAST):
        if (plane[part == k] >= 0).all():
            at = _place(at, pieces, plane, part == k, cells[part[pieces.line[cells[:, 0]]] == k])
    unknown = np.flatnonzero(kinds[:-1] == UNKNOWN)
    a, b = at[ends[unknown, 0]], at[ends[unknown, 1]]
    kinds[unknown[_beside(a, b)]] = WIRE
    kinds[unknown[_facing(a, b)]] = CELL
    if (at[:, 0] >= 0).any():
        _extend(graph, kinds, at)
    return int((kinds == UNKNOWN).sum()) < before


def _place(at: IntArray, pieces: Paths, plane: IntArray, mine: Mask, cells: IntArray) -> IntArray:
    """The nodes of one part placed, as far as its cells tell."""
    word, bit = mine & (plane == 0), mine & (plane == 1)
    number = np.where(word, np.cumsum(word), np.cumsum(bit)) - 1
    cells = np.where(word[pieces.line[cells[:, :1]]], cells, cells[:, ::-1])
    (i, j), (p, q) = number[pieces.line[cells]].T, pieces.position[cells].T
    shape = int(word.sum()), int(bit.sum())
    columns, rows = _Order.of(i, p, j, *shape), _Order.of(j, q, i, *shape[::-1])
    if columns is None or rows is None:
        return at
    length = np.bincount(pieces.line)
    part = int(np.flatnonzero(mine)[0])
    for which, own, along, line_axis in ((word, rows, columns, 2), (bit, columns, rows, 3)):
        crossings = np.bincount((i if line_axis == 2 else j), minlength=shape[line_axis - 2])
        nodes = np.flatnonzero(which[pieces.line])
        line = number[pieces.line[nodes]]
        sure = own.known[line] & (along.sign[line] != 0) & ((crossings[line] > 1) | (length[pieces.line[nodes]] == 1))
        nodes, line = nodes[sure], line[sure]
        at[nodes, :2] = part, line_axis - 2
        at[nodes, line_axis] = own.place[line]
        at[nodes, 5 - line_axis] = along.sign[line] * pieces.position[nodes] + along.offset[line]
    return at


def _beside(a: IntArray, b: IntArray) -> Mask:
    """Whether nodes at a (..., 4) and b are neighbours on one line."""
    row, column = np.abs(a[..., 2] - b[..., 2]), np.abs(a[..., 3] - b[..., 3])
    step = np.where(a[..., 1] == 0, (row == 0) & (column == 1), (column == 0) & (row == 1))
    return step & (a[..., 0] >= 0) & (a[..., :2] == b[..., :2]).all(axis=-1)


def _facing(a: IntArray, b: IntArray) -> Mask:
    """Whether nodes at a (..., 4) and b are the two ends of a cell."""
    return (a[..., 0] >= 0) & (a[..., 1] != b[..., 1]) & (a[..., (0, 2, 3)] == b[..., (0, 2, 3)]).all(axis=-1)


def _extend(graph: Graph, kinds: Kinds, at: IntArray) -> None:
    """Edges from a node that has a place to one that has none: across the cell, one step on or one step back, whichever single
    place is not taken. Beyond the outermost lines of the other plane no node has three edges."""
    edges = graph.edge[:-1]
    step = np.flatnonzero((kinds[edges] == UNKNOWN) & (np.repeat(at[:, 0], 3) >= 0) & (at[graph.head[:-1], 0] < 0))
    here, head = at[step // 3], graph.head[step]
    over, onward, back = here.copy(), here.copy(), here.copy()
    over[:, 1] = 1 - here[:, 1]
    each, axis = np.arange(step.size), 3 - here[:, 1]
    onward[each, axis] += 1
    back[each, axis] -= 1
    options = np.stack((over, onward, back), axis=1)
    taken = np.isin(_key(options), _key(at[at[:, 0] >= 0]))
    low, high = at[at[:, 0] >= 0, 2:].min(axis=0), at[at[:, 0] >= 0, 2:].max(axis=0)
    outside = ((options[..., 2:] < low) | (options[..., 2:] > high)).any(axis=-1)
    free = ~taken & ~(outside & (graph.degree[head] == 3)[:, None])
    sure = free.sum(axis=1) == 1
    kinds[edges[step[sure]]] = np.where(free[sure, 0], CELL, WIRE)


def _key(at: IntArray) -> IntArray:
    """One number for each place (..., 4)."""
    wide = 2 ** 20  # more than lines of any array, which may also begin below 0
    key: IntArray = ((at[..., 0] * 2 + at[..., 1]) * wide + at[..., 2] + wide // 2) * wide + at[..., 3] + wide // 2
    return key
