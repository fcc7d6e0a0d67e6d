"""An array as a block in the graph of a circuit: what its terminals, wires and cells join, without expanding it.

Nodes of a skeleton are the pieces into which open segments cut the lines, those of the word lines first (`Xbar.pieces`).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from crossbar.elements.base import IntArray
from crossbar.elements.xbar import SIDES, Xbar


class Skeleton(NamedTuple):
    """Direct-current paths through an array."""

    pieces: int         # how many there are
    terminal: IntArray  # (T,) circuit nodes of the terminals whose lead conducts
    end: IntArray       # (T,) pieces that they reach
    cells: IntArray     # (n, 2) pieces that cells join


def skeleton(array: Xbar) -> Skeleton:
    """The skeleton of an array. Where all cells conduct and no line is cut, as few of them are named as join all lines."""
    (word, bit), (rows, columns) = array.leads, array.pieces
    nodes, ends = [np.empty(0, np.intp)], [np.empty(0, np.intp)]
    for side, r, piece in zip(SIDES, (word[:, 0], word[:, -1], bit[0], bit[-1]),
                              (rows[:, 0], rows[:, -1], columns[0], columns[-1]), strict=True):
        if side in array.terminals:
            nodes.append(array.terminals[side][np.isfinite(r)])
            ends.append(piece[np.isfinite(r)])
    whole = (rows[:, 0] == rows[:, -1]).all() and (columns[0] == columns[-1]).all()
    if whole and array.conducts.all():
        i, j = np.zeros((2, sum(array.shape)), np.intp)
        i[:array.shape[0]], j[array.shape[0]:] = np.arange(array.shape[0]), np.arange(array.shape[1])
        cells = np.column_stack((rows[i, j], columns[i, j]))
    else:
        cells = np.column_stack((rows[array.conducts], columns[array.conducts]))
    return Skeleton(int(columns.max()) + 1, np.concatenate(nodes), np.concatenate(ends), cells)


def piece_name(array: Xbar, piece: int) -> str:
    """A piece of line by its nodes, as x1.wl[3,0:7]."""
    rows, columns = array.pieces
    plane, found = ("wl", rows) if piece <= rows.max() else ("bl", columns)
    i, j = (np.unique(x) for x in np.nonzero(found == piece))
    return f"{array.name}.{plane}[{_span(i[0], i[-1])},{_span(j[0], j[-1])}]"


class RigidLine(NamedTuple):
    """A line of exactly 0 ohm from one terminal to the other: a short to the circuit around it."""

    near: int   # circuit nodes
    far: int
    lead: str   # its first segment
    nodes: str
    rest: str   # its other segments


def rigid_lines(array: Xbar, ideal: tuple[IntArray, IntArray] | None = None) -> Iterator[RigidLine]:
    """Lines that are shorts between two terminals, but for those that share their current by the lever rule."""
    none = np.empty(0, np.intp)
    shared = (none, none) if ideal is None else ideal
    planes = zip((SIDES[:2], SIDES[2:]), array.shorts, shared, (array.shape[1], array.shape[0]), ("wl", "bl"), strict=True)
    for (near, far), shorts, some, count, plane in planes:
        for k in np.setdiff1d(shorts, some).tolist():
            def name(part: str, first: int, last: int, k: int = k, plane: str = plane) -> str:
                at = (k, _span(first, last))
                return "{}.{}[{},{}]".format(array.name, part, *(at if plane == "wl" else at[::-1]))
            yield RigidLine(int(array.terminals[near][k]), int(array.terminals[far][k]), name("r" + plane, 0, 0),
                            name(plane, 0, count - 1), name("r" + plane, 1, count))


def _span(first: int, last: int) -> str:
    return f"{first}:{last}" if last > first else f"{first}"
