"""Wires and cells told apart in a bare graph: two planes of crossing lines, found by topology alone.

Node (i, j) of a word line and node (i, j) of a bit line are joined by a cell. The shortest cycles of such a graph are its
meshes, of length 8: two words, two bits, four cells, wires and cells by turns. A mesh that passes a node on a line passes its
cell and one of the two wires beside it, so if c(e) counts the meshes through edge e, then at every node

    c(cell) = c(wire on one side) + c(wire on the other)                                                        (1)

and where both terms are positive the cell is the edge with the largest count. This holds for any subset of the meshes, hence
with missing cells too. What (1) leaves open, near ends and holes, follows from the neighbours: a node has at most one cell.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from crossbar.elements.base import IntArray, Mask

UNKNOWN, WIRE, CELL = 0, 1, 2  # what an edge is
_SHARE = 8     # of the nodes, one in so many is a start when meshes are first looked for
_ROUNDS = 100  # of conclusions from neighbour to neighbour; a hole in the array takes as many as it is wide

Kinds = npt.NDArray[np.int8]
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


def mesh_counts(graph: Graph, starts: IntArray) -> IntArray:
    """(edges + 1,) How many of the meshes through some nodes pass each edge, up to a common factor; 0 behind the last edge.

    A mesh is two paths of four edges with common ends: all paths from the nodes are listed as start, end, turns, and sorted.
    """
    onward, n = graph.onward, graph.size
    path = 3 * starts.astype(np.int32)[:, None] + np.arange(3, dtype=np.int32)
    for _ in range(3):
        path = onward[path.ravel()]
    end = graph.head[path.ravel()]
    keys = (np.repeat(starts, 24) * n + end) * 32 + np.tile(np.arange(24), starts.size)
    keys = keys[end >= 0]
    keys.sort()
    pair = keys >> 5
    meets = np.flatnonzero(pair[1:] == pair[:-1])
    passed = []
    for key in (keys[meets], keys[meets + 1]):
        turns = key & 31
        step = 3 * ((key >> 5) // n) + (turns >> 3)
        passed.append(graph.edge[step])
        for bit in (2, 1, 0):
            step = onward[step, (turns >> bit) & 1]
            passed.append(graph.edge[step])
    return np.bincount(np.concatenate(passed), minlength=len(graph.ends) + 1)


def kinds_of(graph: Graph) -> Kinds:
    """(edges,) What each edge is, if the graph is made of arrays; anything where it is not."""
    spread = (np.arange(graph.size) * 2654435761 >> 16) % _SHARE == 0  # whatever order the nodes have
    counts = mesh_counts(graph, np.flatnonzero(spread))
    kinds = _told(graph, counts)
    missed = np.flatnonzero(_unsure(graph, kinds) & ~spread)
    if missed.size:
        counts += mesh_counts(graph, missed)
        kinds = _told(graph, counts)
    for _ in range(_ROUNDS):
        if not _colour(graph, kinds):
            break
        _follow(graph, kinds, counts)
    kinds[kinds == UNKNOWN] = WIRE
    return kinds[:-1]


def _unsure(graph: Graph, kinds: Kinds) -> Mask:
    """(n,) Nodes with an edge of unknown kind."""
    unknown = kinds[graph.edge[:-1]] == UNKNOWN
    return unknown[::3] | unknown[1::3] | unknown[2::3]


def _told(graph: Graph, counts: IntArray) -> Kinds:
    """(edges + 1,) Kinds as (1) tells them, and what follows; WIRE behind the last edge."""
    slots = graph.slots
    kinds = np.zeros(len(graph.ends) + 1, np.int8)
    full = slots[graph.degree == 3]
    c = [counts[full[:, k]] for k in range(3)]
    total = c[0] + c[1] + c[2]
    whole = (2 * np.maximum(np.maximum(c[0], c[1]), c[2]) == total) & (total > 0)
    broken = (c[0] == 0) | (c[1] == 0) | (c[2] == 0)  # the meshes on one side
    for k in range(3):
        kinds[full[whole & (~broken | (c[k] == 0)), k]] = WIRE
    for k in range(3):
        kinds[full[whole & ~broken & (2 * c[k] == total), k]] = CELL
    kinds[slots[graph.degree == 1]] = WIRE
    kinds[-1] = WIRE
    _follow(graph, kinds, counts)
    return kinds


def _follow(graph: Graph, kinds: Kinds, counts: IntArray) -> None:
    """Conclusions from node to node: one cell at most, and exactly one where three wires would meet or a mesh turns."""
    slots, degree = graph.slots, graph.degree
    unsure = np.flatnonzero(_unsure(graph, kinds))
    has_cell = (degree == 3) | (degree == 2) & graph.led
    has_cell[unsure] |= (degree[unsure] == 2) & (counts[slots[unsure]].max(axis=1) > 0)
    for _ in range(_ROUNDS):
        around = kinds[slots[unsure]]
        unknown = around == UNKNOWN
        rest = (around == CELL).any(axis=1)
        last = ~rest & has_cell[unsure] & (unknown.sum(axis=1) == 1)
        if not (rest | last).any():
            break
        kinds[slots[unsure[rest]][unknown[rest]]] = WIRE
        kinds[slots[unsure[last]][unknown[last]]] = CELL
        unsure = unsure[(kinds[slots[unsure]] == UNKNOWN).any(axis=1)]


def _colour(graph: Graph, kinds: Kinds) -> bool:
    """Unknown edges told by the planes of the lines that known ones make up, a wire within a plane, a cell between planes;
    whether any was told."""
    unknown = np.flatnonzero(kinds[:-1] == UNKNOWN)
    if not unknown.size:
        return False
    piece = parts(graph.ends[kinds[:-1] == WIRE], graph.size)
    plane, part = (x[piece] for x in planes(piece[graph.ends[kinds[:-1] == CELL]], piece.max() + 1))
    a, b = graph.ends[unknown].T
    told = (part[a] == part[b]) & (plane[a] >= 0)
    kinds[unknown[told]] = np.where(plane[a] != plane[b], CELL, WIRE)[told]
    agreed = _agreeing(graph, kinds, plane, part)
    kinds[agreed] = WIRE
    return bool(told.any() or agreed.size)


def _agreeing(graph: Graph, kinds: Kinds, plane: IntArray, part: IntArray) -> IntArray:
    """Unknown edges that lead from a node to two neighbours of one plane: wires, since a node has but one cell."""
    nodes = np.flatnonzero(_unsure(graph, kinds))
    heads = graph.head[3 * nodes[:, None] + np.arange(3)]
    colour = np.where((heads >= 0) & (plane[heads] >= 0), 2 * part[heads] + plane[heads], -1 - np.arange(3))
    alike = [(colour == np.roll(colour, k, axis=1)) for k in (1, 2)]
    edges = graph.slots[nodes][alike[0] | alike[1]]
    return edges[kinds[edges] == UNKNOWN]


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


def across(line: IntArray, position: IntArray, other: IntArray, lines: int, others: int
           ) -> tuple[IntArray, IntArray, IntArray] | None:
    """Places of the lines of one plane along those of the other: place (others,), a permutation of 0, 1, ..., and sign and offset
    (lines,) such that at every cell  place[other] = sign[line] position + offset[line].  None where that is impossible or not
    told by the cells.

    line, position, other (cells,): where each cell is on the lines of this plane, and which line of the other plane it meets.
    """
    place = np.zeros(others, np.intp)
    known = np.zeros(others, bool)
    sign, offset = np.zeros(lines, np.intp), np.zeros(lines, np.intp)
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
    alone = (sign == 0) & (n > 0)  # met once: either way round will do
    sign[alone] = 1
    offset[alone] = (c - p)[alone]
    lowest = place.min()
    if (not known.all() or (np.sort(place) != lowest + np.arange(others)).any()
            or (place[other] != sign[line] * position + offset[line]).any()):
        return None
    return place - lowest, sign, offset - lowest
