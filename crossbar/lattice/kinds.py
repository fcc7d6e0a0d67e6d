"""Wires and cells told apart in a bare graph: two planes of crossing lines, found by topology alone.

Node (i, j) of a word line and node (i, j) of a bit line are joined by a cell. The shortest cycles of such a graph are its
meshes, of length 8: two words, two bits, four cells, wires and cells by turns. A mesh that passes a node on a line passes its
cell and one of the two wires beside it, so if c(e) counts the meshes through edge e, then at every node

    c(cell) = c(wire on one side) + c(wire on the other)                                                        (1)

and where both terms are positive the cell is the edge with the largest count. This holds for any subset of the meshes, hence
with missing cells too. What (1) leaves open, near ends and holes, follows from the neighbours: a node has at most one cell.
"""

import numpy as np

from crossbar.elements.base import IntArray, Mask
from crossbar.lattice.graph import Graph, parts, planes
from crossbar.lattice.places import CELL, UNKNOWN, WIRE, Kinds, fill

_SHARE = 8     # of the nodes, one in so many is a start when meshes are first looked for
_ROUNDS = 100  # of conclusions from neighbour to neighbour; a hole in the array takes as many as it is wide


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
        if not (_colour(graph, kinds) or fill(graph, kinds)):
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
