"""A graph whose nodes have at most three edges, its connected parts and its paths; whole arrays at once."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from crossbar.elements.base import IntArray, Mask

Indices = npt.NDArray[np.int32]  # half the memory traffic of IntArray


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph whose nodes have at most three edges. Slot k of node x is directed edge 3 x + k, from x outwards; 3 n stands for
    none."""

    ends: IntArray    # (edges, 2) nodes
    edge: Indices     # (3 n + 1,) edge in each slot; `edges` where the slot is empty
    head: Indices     # (3 n + 1,) node that a directed edge leads to; -1 for none
    onward: Indices   # (3 n + 1, 2) directed edges that follow one without turning back
    led: Mask         # (n,) nodes with an edge, a wire, that leads out of the graph

    @classmethod
    def of(cls, ends: IntArray, led: Mask) -> "Graph":
        """From edges (edges, 2), none twice, none a loop, at most three at each of led.size nodes."""
        n, count = led.size, len(ends)
        tails = ends.ravel()
        slot = _slots(tails, n)
        edge = np.full(3 * n + 1, count, np.int32)
        edge[slot] = np.repeat(np.arange(count), 2)
        head = np.full(3 * n + 1, -1, np.int32)
        head[slot] = ends[:, ::-1].ravel()
        back = slot.reshape(-1, 2)[:, ::-1].ravel()  # the slot at the head that leads back
        onward = np.full((3 * n + 1, 2), 3 * n, np.int32)
        for k in (1, 2):
            turned = back - back % 3 + (back + k) % 3
            onward[slot, k - 1] = np.where(head[turned] >= 0, turned, 3 * n)
        return cls(ends, edge, head, onward, led)

    @property
    def size(self) -> int:
        """Number of nodes."""
        return self.led.size

    @property
    def slots(self) -> Indices:
        """(n, 3) The edges of each node."""
        return self.edge[:-1].reshape(-1, 3)

    @cached_property
    def degree(self) -> IntArray:
        """(n,) How many."""
        degree: IntArray = np.bincount(self.ends.ravel(), minlength=self.size)
        return degree


def _slots(tails: IntArray, n: int) -> Indices:
    """A slot for each directed edge, given its tail; the last one to claim a slot gets it, the others claim the next."""
    slot = np.empty(tails.size, np.int32)
    claim = np.empty(n, np.int32)
    left = np.arange(tails.size, dtype=np.int32)
    for k in range(3):
        at = tails[left]
        claim[at] = left
        won = claim[at] == left
        slot[left[won]] = 3 * at[won] + k
        left = left[~won]
    return slot


def parts(edges: IntArray, n: int) -> IntArray:
    """(n,) Number of the connected part of each node."""
    graph = coo_array((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), shape=(n, n))
    return connected_components(graph, directed=False)[1]


def planes(crossings: IntArray, lines: int) -> tuple[IntArray, IntArray]:
    """(lines,) Plane 0 or 1 of each line, such that every crossing (k, 2) joins both, -1 where that is impossible; and the number
    of the connected part, since only within one can planes be compared."""
    a, b = crossings.T
    twice = parts(np.concatenate((np.column_stack((a, b + lines)), np.column_stack((a + lines, b)))), 2 * lines)
    one, other = twice[:lines], twice[lines:]
    return np.where(one == other, -1, (one > other).astype(np.intp)), np.minimum(one, other)


@dataclass(frozen=True, eq=False)
class Paths:
    """Lines as paths: for every node its line, its position from the line's first node on."""

    line: IntArray      # (n,)
    position: IntArray  # (n,)
    count: int          # of lines

    @classmethod
    def of(cls, wires: IntArray, n: int) -> "Paths | None":
        """From wires (k, 2) between n nodes; None if they make anything but paths."""
        degree = np.bincount(wires.ravel(), minlength=n)
        line = parts(wires, n)
        count = int(line.max(initial=-1)) + 1
        if degree.max(initial=0) > 2 or len(wires) != n - count:
            return None
        beside = np.full((n + 1, 2), n)
        order = np.argsort(wires.ravel(), kind="stable")
        tails, heads = wires.ravel()[order], wires[:, ::-1].ravel()[order]
        second = np.concatenate(([0], tails[1:] == tails[:-1]))
        beside[tails, second] = heads
        end = np.flatnonzero(degree < 2)[::-1]
        at = np.empty(count, np.intp)
        at[line[end]] = end  # the end with the lower number is written last
        before, position = np.full(count, n), np.zeros(n + 1, np.intp)
        for step in range(1, n + 1):
            at, before = np.where(beside[at, 0] != before, beside[at, 0], beside[at, 1]), at
            if (at == n).all():
                break
            position[at] = step
        return cls(line, position[:n], count)
