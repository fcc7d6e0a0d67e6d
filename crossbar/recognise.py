"""Crossbars in flat netlists: resistors that make up an array are found by topology alone, whatever their names and values.

    circuit -> network of resistors -> wires and cells (crossbar.lattice) -> lines -> grid -> Xbar, checked edge by edge

What touches anything but resistors, or more than three of them, is taken for a terminal: a line runs from terminal to terminal,
or ends open. The first and the last resistor of a line are its leads. Nodes with two resistors and a source are also tried as
nodes of lines, whose leads then have 0 ohm; what gives the larger arrays counts.

A wrong answer is impossible: what was found is compared with the netlist, every resistor at every node of the array.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from crossbar.circuit import Circuit
from crossbar.elements.base import Array, IntArray, Mask
from crossbar.elements.cells import LinearCells
from crossbar.elements.linear import Resistors, Wires
from crossbar.elements.xbar import SIDES, Xbar, lines_of
from crossbar.lattice import CELL, WIRE, Graph, Paths, across, kinds_of, parts, planes

LEAST = 64  # cells of an array that is worth finding

_TERMINAL = 4  # resistors at a node from which on it is no node of a line
_ROUNDS = 4    # of looking for nodes between terminals


@dataclass(frozen=True, eq=False)
class Recognised:
    """An array found in a circuit; -1 stands for an open cell, segment or terminal.

    Resistors are counted in the order of the circuit's batches of Resistors and Wires.
    """

    xbar: Xbar               # terminals are nodes of the circuit
    word: IntArray           # (M, N) nodes of the circuit
    bit: IntArray            # (M, N)
    cells: IntArray          # (M, N) resistors
    word_segments: IntArray  # (M, N+1) resistors
    bit_segments: IntArray   # (M+1, N)

    @property
    def resistors(self) -> IntArray:
        """All resistors of the array."""
        every = np.concatenate([x.ravel() for x in (self.cells, self.word_segments, self.bit_segments)])
        return every[every >= 0]


@dataclass(frozen=True, eq=False)
class Network:
    """The resistors of a circuit, and the nodes that anything else touches."""

    ends: IntArray   # (resistors, 2)
    r: Array         # (resistors,) [ohm]
    outer: Mask      # (nodes,) ground, or touched by something else than resistors
    degree: IntArray  # (nodes,) ends of resistors at each

    @classmethod
    def of(cls, circuit: Circuit) -> "Network":
        """Of the circuit's batches."""
        found = [b for b in circuit.batches if isinstance(b, Resistors | Wires)]
        ends = np.concatenate([np.empty((0, 2), np.intp), *(b.nodes for b in found)])
        with np.errstate(divide="ignore"):  # a resistor of inf ohm
            r = np.concatenate([np.empty(0), *(b.r if isinstance(b, Wires) else 1 / b.g for b in found)])
        outer = np.zeros(len(circuit.nodes), bool)
        outer[0] = True
        for batch in circuit.batches:
            if not isinstance(batch, Resistors | Wires):
                outer[batch.nodes] = True
            for name in batch.senses:
                k, at = circuit.element(name)
                outer[circuit.batches[k].nodes[at]] = True
        for array in circuit.arrays:
            for nodes in array.terminals.values():
                outer[nodes[nodes >= 0]] = True
        return cls(ends, r, outer, np.bincount(ends.ravel(), minlength=outer.size))


def find_crossbars(circuit: Circuit, least: int = LEAST) -> tuple[Recognised, ...]:
    """The arrays of at least `least` cells among the resistors of a circuit, largest first; time grows as n log n."""
    network = Network.of(circuit)
    if len(network.ends) < 2 * least:
        return ()
    taps = network.outer & (network.degree == 2)
    taps[0] = False
    found = _arrays(network, _terminals(network, network.outer), least)
    if taps.any():
        tapped = _arrays(network, _terminals(network, network.outer & ~taps), least)
        found = max(found, tapped, key=lambda arrays: sum(f.cells.size for f in arrays))
    return found


def _terminals(network: Network, outer: Mask) -> Mask:
    """(nodes,) Nodes that belong to no line."""
    ends = network.ends
    outer = outer | (network.degree >= _TERMINAL)
    low, high = np.minimum(*ends.T), np.maximum(*ends.T)
    key = low * outer.size + high
    sorted_key = np.sort(key)
    side_by_side = np.isin(key, sorted_key[1:][sorted_key[1:] == sorted_key[:-1]])
    outer[ends[side_by_side | (low == high)]] = True
    for _ in range(_ROUNDS):  # a node with two terminals beside it is none of a line's either
        beside = np.bincount(ends[outer[ends[:, ::-1]]], minlength=outer.size)
        between = ~outer & (beside >= 2)
        if not between.any():
            break
        outer |= between
    return outer


def _arrays(network: Network, outer: Mask, least: int) -> tuple[Recognised, ...]:
    nodes = np.flatnonzero(~outer)
    number = np.full(outer.size, -1)
    number[nodes] = np.arange(nodes.size)
    a, b = outer[network.ends].T
    inside, lead = np.flatnonzero(~(a | b)), np.flatnonzero(a != b)
    if inside.size < 2 * least:
        return ()
    edges = number[network.ends[inside]]
    led = np.zeros(nodes.size, bool)
    led[number[network.ends[lead]].max(axis=1)] = True
    kinds = kinds_of(Graph.of(edges, led))
    part = parts(edges, nodes.size)[edges[:, 0]]
    sizes = np.bincount(part[kinds == CELL])
    order = np.argsort(-sizes, kind="stable")
    found = (_array(network, inside[part == k], kinds[part == k], lead) for k in order[sizes[order] >= least])
    return tuple(x for x in found if x is not None)


@dataclass(frozen=True, eq=False)
class _Plane:
    """Lines of one plane as a grid, nodes along the second axis; either plane is looked at as that of the word lines."""

    nodes: IntArray     # (L, n) nodes of the circuit
    segments: IntArray  # (L, n+1) resistors, -1: none
    ends: tuple[IntArray, IntArray]  # (L,) terminals before the first and behind the last segment, -1: open

    @classmethod
    def of(cls, network: Network, row: IntArray, column: IntArray, wires: IntArray, leads: IntArray, shape: tuple[int, int]
           ) -> "_Plane | None":
        """From the place of every node of the circuit, row -1: on no line, column outside of the shape: beyond the line's end."""
        inside = (row >= 0) & (column >= 0) & (column < shape[1])
        nodes = np.full(shape, -1)
        nodes[row[inside], column[inside]] = np.flatnonzero(inside)
        if (nodes < 0).any():
            return None
        segments = np.full((shape[0], shape[1] + 1), -1)
        near, far = np.full(shape[0], -1), np.full(shape[0], -1)
        between = wires[inside[network.ends[wires, 0]] & inside[network.ends[wires, 1]]]
        a, b = network.ends[between].T
        segments[row[a], np.maximum(column[a], column[b])] = between
        last = np.concatenate((leads, wires))
        last = last[inside[network.ends[last, 0]] != inside[network.ends[last, 1]]]
        swap = inside[network.ends[last, 1]]
        here = np.where(swap, network.ends[last, 1], network.ends[last, 0])
        there = np.where(swap, network.ends[last, 0], network.ends[last, 1])
        if not np.isin(column[here], (0, shape[1] - 1)).all():
            return None
        first = column[here] == 0
        for terminal, at, side in ((near, 0, first), (far, -1, ~first)):
            terminal[row[here[side]]] = there[side]
            segments[row[here[side]], at] = last[side]
            tap = network.outer[nodes[:, at]]  # the terminal is the node itself
            terminal[tap] = nodes[tap, at]
        return cls(nodes, segments, (near, far))


def _array(network: Network, resistors: IntArray, kinds: IntArray, leads: IntArray) -> Recognised | None:
    """The array made of some resistors, cells and wires, and of leads; None if they are none."""
    touched = np.zeros(network.outer.size, bool)
    touched[network.ends[resistors]] = True
    nodes, ends = np.flatnonzero(touched), (np.cumsum(touched) - 1)[network.ends[resistors]]
    paths = Paths.of(ends[kinds == WIRE], nodes.size)
    if paths is None:
        return None
    crossing = ends[kinds == CELL]
    plane = planes(paths.line[crossing], paths.count)[0]
    if plane.min() < 0:
        return None
    first = plane[paths.line[0]]  # the lowest node is on a word line
    of_word = plane == first
    crossing = np.where(of_word[paths.line[crossing[:, :1]]], crossing, crossing[:, ::-1])
    number = np.where(of_word, np.cumsum(of_word), np.cumsum(~of_word)) - 1  # of each line in its plane
    shape = int(of_word.sum()), int((~of_word).sum())
    (i, j), (p, q) = number[paths.line[crossing]].T, paths.position[crossing].T
    columns, rows = across(i, p, j, *shape), across(j, q, i, *shape[::-1])
    if columns is None or rows is None:
        return None
    (column, *along_word), (row, *along_bit) = columns, rows

    def planar(which: Mask, place: IntArray, along: list[IntArray], shape: tuple[int, int]) -> _Plane | None:
        on = which[paths.line]
        at, sign, offset = number[paths.line[on]], *along
        placed = np.full((2, network.outer.size), -1)
        placed[:, nodes[on]] = place[at], sign[at] * paths.position[on] + offset[at]
        return _Plane.of(network, placed[0], placed[1], resistors[kinds == WIRE], leads, shape)
    word, bit = planar(of_word, row, along_word, shape), planar(~of_word, column, along_bit, shape[::-1])
    if word is None or bit is None:
        return None
    cells = np.full(shape, -1)
    cells[row[i], column[j]] = resistors[kinds == CELL]
    found = _recognised(network, word, bit, cells)
    return found if found is not None and _same(network, found) else None


def _recognised(network: Network, word: _Plane, bit: _Plane, cells: IntArray) -> Recognised | None:
    if (network.r[cells[cells >= 0]] == 0).any():
        return None  # an exact short is no conductance
    terminals = dict(zip(SIDES, (*word.ends, *bit.ends), strict=True))
    xbar = _xbar(network.r, terminals, cells, word.segments, bit.segments.T)
    return Recognised(xbar, word.nodes, bit.nodes.T, cells, word.segments, bit.segments.T)


def _xbar(r: Array, terminals: Mapping[str, IntArray], cells: IntArray, word: IntArray, bit: IntArray) -> Xbar:
    """The array with the values of resistors r [ohm]."""
    r = np.append(r, 0.0)  # behind the last: no resistor
    g = np.divide(1, r[cells], out=np.zeros(cells.shape), where=cells >= 0)
    return Xbar(name="", cells=LinearCells(g=g), r_word=r[word], r_bit=r[bit], terminals=terminals,
                r_driver={side: np.zeros(lines_of(side, g.shape)) for side in SIDES})


def with_values(found: Iterable[Recognised], r: Array) -> tuple[Recognised, ...]:
    """The same arrays with other resistors r [ohm]; none if a cell became an exact short."""
    found = tuple(found)
    if any((r[f.cells[f.cells >= 0]] == 0).any() for f in found):
        return ()
    return tuple(replace(f, xbar=_xbar(r, f.xbar.terminals, f.cells, f.word_segments, f.bit_segments)) for f in found)


def _same(network: Network, found: Recognised) -> bool:
    """Whether the array is what the netlist has at its nodes: every resistor between the right nodes, and nothing else there."""
    terminals = found.xbar.terminals
    word = np.column_stack((terminals["word_left"], found.word, terminals["word_right"]))
    bit = np.vstack((terminals["bit_top"], found.bit, terminals["bit_bottom"]))
    for which, a, b in ((found.cells, found.word, found.bit), (found.word_segments, word[:, :-1], word[:, 1:]),
                        (found.bit_segments, bit[:-1], bit[1:])):
        there = which >= 0
        (x, y), a, b = network.ends[which[there]].T, a[there], b[there]
        if not ((x == a) & (y == b) | (x == b) & (y == a)).all():
            return False
    own = np.concatenate((found.word.ravel(), found.bit.ravel()))
    owned, tapped = np.zeros((2, network.outer.size), bool)
    owned[own] = True
    for side, nodes, segments in zip(SIDES, (found.word[:, 0], found.word[:, -1], found.bit[0], found.bit[-1]),
                                     (found.word_segments[:, 0], found.word_segments[:, -1], found.bit_segments[0],
                                      found.bit_segments[-1]), strict=True):
        terminal = terminals[side]
        tap = terminal == nodes  # a lead of no resistor
        if ((segments < 0) != (tap | (terminal < 0))).any() or owned[terminal[(terminal >= 0) & ~tap]].any():
            return False
        tapped[nodes[tap]] = True
    used = np.bincount(network.ends[found.resistors].ravel(), minlength=owned.size)
    return bool((found.word_segments[:, 1:-1] >= 0).all() and (found.bit_segments[1:-1] >= 0).all()
                and owned.sum() == own.size and np.bincount(found.resistors).max() == 1
                and (used == network.degree)[own].all() and (tapped == network.outer)[own].all())
