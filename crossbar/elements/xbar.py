"""Geometry of a crossbar: wires, leads, terminals and the numbering of its nodes. Nothing here solves anything.

Word line i:  left terminal - driver - segment 0 - node (i, 0) - segment 1 - ... - node (i, N-1) - segment N - driver
- right terminal.  Bit line j the same from top to bottom.  Cell (i, j) joins word node (i, j) and bit node (i, j).

Nodes of an expanded array, from its first number on: word nodes row by row, then bit nodes row by row; `name.wl[i,j]`,
`name.bl[i,j]`; the cells are `name[i,j]`, the wire segments `name.rwl[i,s]` and `name.rbl[s,j]`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from crossbar.checks import OHMS, out_of_range, real_array
from crossbar.elements.base import Array, Batch, IntArray, Mask
from crossbar.elements.cells import Cells, MTJCells
from crossbar.elements.linear import IdealLines, Resistors, Wires, lever_shares
from crossbar.errors import DataError
from crossbar.summaries import short_repr

#: The four sides of a passive array, in the order used everywhere: near and far end of the first, then of the second plane.
SIDES = ("word_left", "word_right", "bit_top", "bit_bottom")

_ELEMENT = re.compile(r"(.+?)(?:\.(rwl|rbl))?\[\s*([0-9]{1,9})\s*,\s*([0-9]{1,9})\s*\]")


def lines_of(side: str, shape: tuple[int, int]) -> int:
    """Number of lines that end at a side of an array of this shape."""
    return shape[0] if side.endswith(("left", "right")) else shape[1]


def wire_resistance(value: npt.ArrayLike, shape: tuple[int, ...], name: str) -> Array:
    """A scalar or per-segment resistance [ohm] as an array of the given shape; DataError for NaN, < 0 or a misfit."""
    r = real_array(value, f"{name} [ohm]")
    if r.ndim and r.shape != shape:
        raise DataError(f"{name} must be a number or have shape {shape} (one entry a segment, leads included), "
                        f"got {r.shape}")
    if not (r >= 0).all():
        raise DataError(f"{name} must be at least 0 ohm (0: exact short, inf: open) and not NaN")
    bad = out_of_range(r, OHMS)
    if bad.any():
        raise DataError(f"{name} holds {r[bad].flat[0]:g} ohm; it must be 0 (exact short), inf (open) or between {OHMS[0]:g} and "
                        f"{OHMS[1]:g} ohm")
    return np.broadcast_to(r.copy(), shape)


def driver_resistance(value: npt.ArrayLike | Mapping[str, npt.ArrayLike], shape: tuple[int, int],
                      sides: Sequence[str] = SIDES) -> dict[str, Array]:
    """Series resistance [ohm] of every lead, {side: (lines,)}, from a scalar or {side: scalar or (lines,)}."""
    given = value if isinstance(value, Mapping) else dict.fromkeys(sides, value)
    unknown = set(given) - set(sides)
    if unknown:
        raise DataError(f"r_driver names unknown sides {sorted(unknown)}; sides are {', '.join(sides)}")
    return {side: wire_resistance(given.get(side, 0.0), (lines_of(side, shape),), f"r_driver of {side}")
            for side in sides}


def with_leads(r_word: Array, r_bit: Array, r_driver: Mapping[str, Array],
               connected: Mapping[str, Mask]) -> tuple[Array, Array]:
    """Segment resistances (M, N+1) and (M+1, N) with the drivers in the leads, and inf where an end is open.

    connected : {side: (lines,) bool}; a missing side is open.
    """
    left, right, top, bottom = (np.where(connected.get(side, False), r_driver[side], np.inf) for side in SIDES)
    return leaded(r_word, left, right), leaded(r_bit.T, top, bottom).T


def leaded(r: Array, near: Array, far: Array) -> Array:
    """Lines r (L, n+1) with near and far (L,) added in their leads; lines that are all alike stay one, broadcast."""
    alike = r.strides[0] == 0 and (near == near[0]).all() and (far == far[0]).all()
    out = (r[:1] if alike else r).copy(order="K")
    out[:, 0] += near[:len(out)]
    out[:, -1] += far[:len(out)]
    return np.broadcast_to(out, r.shape)


def distinct(r: Array) -> Array:
    """r (L, n+1), or (1, n+1) of it if a broadcast made all lines alike."""
    return r[:1] if r.strides[0] == 0 else r


def every_piece_is_held(first: Array, second: Array) -> bool:
    """Whether no piece of any line r (L, n+1) is without a terminal: one opening leaves one to both pieces."""
    return all(np.isinf(distinct(r)).sum(axis=1).max() <= 1 for r in (first, second))


def isolated_nodes(first: Array, second: Array, cells: Callable[[], Mask], *,
                   alongside: bool = False) -> tuple[Mask, Mask] | None:
    """Nodes (M, N) of both planes that no terminal reaches, or None if there is none.

    first, second : resistances (L, n+1) of the lines with their leads; the second plane's run down the columns, the first's along
    the rows, or `alongside` the second's. cells : which cells (M, N) conduct, asked only if some piece of line has no terminal.
    """
    if every_piece_is_held(first, second):
        return None
    word, word_held = _pieces(np.isinf(first))
    bit_t, bit_held = _pieces(np.isinf(second))
    word, conducting = word.T if alongside else word, cells()
    bit = bit_t.T + word_held.size
    held = np.flatnonzero(np.concatenate((word_held, bit_held)))
    terminal = word_held.size + bit_held.size
    a = np.concatenate((word[conducting], held))
    b = np.concatenate((bit[conducting], np.full(held.size, terminal)))
    graph = coo_array((np.ones(a.size, np.int8), (a, b)), shape=(terminal + 1, terminal + 1))
    label = connected_components(graph, directed=False)[1]
    lost = label != label[terminal]
    return (lost[word], lost[bit]) if lost.any() else None


def connected_parts(r_word: Array, r_bit: Array, conducting: Mask) -> tuple[IntArray, IntArray]:
    """Labels (M, N) of word and of bit nodes, equal where wires and conducting cells join them; terminals join nothing."""
    word, word_held = _pieces(np.isinf(r_word))
    bit_t, bit_held = _pieces(np.isinf(r_bit.T))
    bit = bit_t.T + word_held.size
    count = word_held.size + bit_held.size
    edges = (np.ones(int(conducting.sum()), np.int8), (word[conducting], bit[conducting]))
    label = connected_components(coo_array(edges, shape=(count, count)), directed=False)[1].astype(np.intp)
    return label[word], label[bit]


def _pieces(openings: Mask) -> tuple[IntArray, Mask]:
    """Numbers (L, n) of the pieces into which openings (L, n+1) cut the lines, and which pieces keep a terminal."""
    cuts = np.cumsum(openings[:, 1:-1], axis=1)
    within: IntArray = np.concatenate((np.zeros((len(openings), 1), np.intp), cuts), axis=1)
    first = np.concatenate(([0], np.cumsum(within[:, -1] + 1)))
    held = np.zeros(first[-1], bool)
    held[first[:-1][~openings[:, 0]]] = True
    held[first[1:][~openings[:, -1]] - 1] = True
    return np.add(within, first[:-1, None]), held


@dataclass(frozen=True, kw_only=True, eq=False)
class Xbar:
    """A passive array in a circuit: cells, wires, and the circuit nodes at its terminals."""

    __repr__ = short_repr

    name: str
    cells: Cells
    r_word: Array                   # (M, N+1) [ohm]
    r_bit: Array                    # (M+1, N) [ohm]
    r_driver: Mapping[str, Array]   # {side: (lines,)} [ohm]
    terminals: Mapping[str, IntArray]  # {side: (lines,)} node indices, -1 where a line's end is open

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.cells.shape

    def with_states(self, states: npt.ArrayLike) -> "Xbar":
        """The array with its junctions in other states (M, N). Raises DataError for cells of another kind."""
        if not isinstance(self.cells, MTJCells):
            raise DataError(f"the cells of {self.name} are no junctions and have no states")
        return replace(self, cells=self.cells.with_state(states))

    @property
    def node_count(self) -> int:
        """Number of inner nodes."""
        return 2 * self.shape[0] * self.shape[1]

    @cached_property
    def leads(self) -> tuple[Array, Array]:
        """Segment resistances of both planes, see `with_leads`."""
        connected = {side: nodes >= 0 for side, nodes in self.terminals.items()}
        return with_leads(self.r_word, self.r_bit, self.r_driver, connected)

    @cached_property
    def isolated(self) -> tuple[Mask, Mask] | None:
        """Nodes that no terminal reaches, see `isolated_nodes`."""
        word, bit = self.leads
        return isolated_nodes(word, bit.T, lambda: self.cells.conducts)

    @cached_property
    def conducts(self) -> Mask:
        """(M, N) Which cells can carry a current: not open, not isolated."""
        isolated = self.isolated
        return self.cells.conducts if isolated is None else self.cells.conducts & ~isolated[0] & ~isolated[1]

    @cached_property
    def pieces(self) -> tuple[IntArray, IntArray]:
        """Numbers (M, N) of the pieces of line, cut by open segments, to which word and bit nodes belong; those of the bit lines
        follow those of the word lines."""
        word, bit = self.leads
        rows, held = _pieces(np.isinf(word))
        columns, _ = _pieces(np.isinf(bit.T))
        return rows, columns.T + held.size

    def find(self, name: str) -> tuple[str, int, int] | None:
        """The inner element of a name: "" (cells), "rwl" or "rbl", and its place; None if there is none, or it is open."""
        part, i, j = self._indices(name)
        if part is None:
            return None
        if part == "":
            there = i < self.shape[0] and j < self.shape[1] and self.conducts[i, j]
        else:
            r = self.leads[part == "rbl"]
            there = i < r.shape[0] and j < r.shape[1] and np.isfinite(r[i, j]) and not self._lost(part, i, j)
        return (part, i, j) if there else None

    def missing(self, name: str) -> str:
        """Why there is no such inner element, and what there is."""
        rows, cols = self.shape
        part, *bounds = self._indices(name)
        if part is None:
            return (f"of an array there are its cells {self.name}[i,j], i = 0 ... {rows - 1}, j = 0 ... {cols - 1}, and its wire "
                    f"segments {self.name}.rwl[i,s], s = 0 ... {cols}, and {self.name}.rbl[s,j], s = 0 ... {rows}")
        limits = {"": (rows, cols), "rwl": (rows, cols + 1), "rbl": (rows + 1, cols)}[part]
        if all(index < limit for index, limit in zip(bounds, limits, strict=True)):
            return "it is open, or no terminal reaches it"
        what = "cells" if part == "" else "segments"
        return (f"{self.name} has {limits[0]} x {limits[1]} such {what}, {'.'.join(filter(None, (self.name, part)))}[0,0] to "
                f"[{limits[0] - 1},{limits[1] - 1}]")

    def _indices(self, name: str) -> tuple[str | None, int, int]:
        """Part and indices of the name of an inner element; None where it is no such name."""
        match = _ELEMENT.fullmatch(name)
        if not match or match[1] != self.name:
            return None, 0, 0
        return match[2] or "", int(match[3]), int(match[4])

    def _lost(self, part: str, i: int, j: int) -> bool:
        """Whether a segment joins isolated nodes."""
        if self.isolated is None:
            return False
        lost = self.isolated[part == "rbl"]
        return bool(lost[min(i, lost.shape[0] - 1), min(j, lost.shape[1] - 1)])

    def terminal_voltage(self, voltages: Array) -> dict[str, Array]:
        """{side: (lines,)} [V] from those of the circuit's nodes, ground first; NaN where a line's end is open."""
        nodes = {side: self.ends(side) for side in SIDES}
        return {side: np.where(n >= 0, voltages[n], np.nan) for side, n in nodes.items()}

    def numbers(self, first: int) -> tuple[IntArray, IntArray]:
        """Node numbers (M, N) of the word and of the bit plane."""
        word = (first + np.arange(self.node_count // 2)).reshape(self.shape)
        return word, word + word.size

    @cached_property
    def shorts(self) -> tuple[IntArray, IntArray]:
        """Word and bit lines of exactly 0 ohm from one terminal to the other."""
        word, bit = ((distinct(r) == 0).all(axis=1) for r in (self.leads[0], self.leads[1].T))
        return (np.flatnonzero(np.broadcast_to(word, self.shape[0])),
                np.flatnonzero(np.broadcast_to(bit, self.shape[1])))

    def ends(self, side: str) -> IntArray:
        """(lines,) Circuit nodes at a side, -1 where a line's end is open."""
        return self.terminals.get(side, np.full(lines_of(side, self.shape), -1))

    def ideal_batch(self, first: int, plane: int, lines: IntArray) -> IdealLines:
        """Some of the `shorts` of the word (plane 0) or bit lines (1), which share their current by the lever rule."""
        nodes = self.numbers(first)[plane]
        along = nodes[lines] if plane == 0 else nodes[:, lines].T
        near, far = (self.ends(side)[lines] for side in SIDES[2 * plane:2 * plane + 2])
        which = (along - nodes[0, 0]).ravel()
        names = GridNames(f"{self.name}.{('wl', 'bl')[plane]}", self.shape, which)
        return ideal_batch(names, near, along, far)

    def expand(self, first: int, ideal: tuple[IntArray, IntArray] | None = None) -> tuple[Wires, Wires, Batch]:
        """Word segments, bit segments and cells as element batches; inner nodes are numbered from `first` on.
        ideal : word and bit lines that are left to `ideal_batch`.

        Nothing is attached to isolated nodes.
        """
        word, bit = self.numbers(first)
        if self.isolated is not None:
            word[self.isolated[0]] = bit[self.isolated[1]] = -1
        r_word, r_bit = self.leads
        if ideal is not None:
            r_word, r_bit = r_word.copy(), r_bit.copy()
            r_word[ideal[0]] = r_bit[:, ideal[1]] = np.inf
        left, right, top, bottom = (self.ends(side) for side in SIDES)
        along_word = np.column_stack((left, word, right))
        along_bit = np.vstack((top, bit, bottom))
        cells = np.flatnonzero(self.cells.conducts & (word >= 0) & (bit >= 0))
        ends, names = np.column_stack((word.ravel()[cells], bit.ravel()[cells])), GridNames(self.name, self.shape, cells)
        return (segments(self.name + ".rwl", r_word, along_word[:, :-1], along_word[:, 1:]),
                segments(self.name + ".rbl", r_bit, along_bit[:-1], along_bit[1:]),
                self.cells.batch(names, ends, cells) if cells.size else Resistors(names=names, nodes=ends, g=np.empty(0)))

    def segment_currents(self, word: Array, bit: Array,
                         ideal: tuple[IntArray, IntArray] | None = None) -> tuple[Array, Array]:
        """Currents (M, N+1), (M+1, N) [A] of all segments from those of the expanded ones; 0 in the others."""
        out = []
        for wires, i in zip(self.expand(1, ideal)[:2], (word, bit), strict=True):
            assert isinstance(wires.names, GridNames)
            full = np.zeros(wires.names.shape)
            full.ravel()[wires.names.which] = i
            out.append(full)
        return out[0], out[1]


@dataclass(frozen=True, eq=False)
class GridNames(Sequence[str]):
    """Names prefix[i,j] of some entries of a grid, made when asked for: a million strings are never stored."""

    __repr__ = short_repr

    prefix: str
    shape: tuple[int, int]
    which: IntArray  # flat indices, ascending

    def __len__(self) -> int:
        return len(self.which)

    def __getitem__(self, k):  # type: ignore[no-untyped-def]
        if isinstance(k, slice):
            return GridNames(self.prefix, self.shape, self.which[k])
        i, j = divmod(int(self.which[k]), self.shape[1])
        return f"{self.prefix}[{i},{j}]"

    def find(self, name: str) -> int | None:
        """Position of a name, or None."""
        found = re.fullmatch(r"(.*)\[\s*([0-9]{1,9})\s*,\s*([0-9]{1,9})\s*\]", name)
        if not found or found[1] != self.prefix:
            return None
        i, j = int(found[2]), int(found[3])
        if i >= self.shape[0] or j >= self.shape[1]:
            return None
        flat = i * self.shape[1] + j
        at = int(np.searchsorted(self.which, flat))
        return at if at < len(self.which) and self.which[at] == flat else None


def ideal_batch(names: Sequence[str], near: IntArray, along: IntArray, far: IntArray) -> IdealLines:
    """Lines of 0 ohm between circuit nodes near and far (L,), with nodes along (L, n)."""
    count = along.shape[1]
    nodes = np.column_stack((np.repeat(near, count), along.ravel(), np.repeat(far, count)))
    return IdealLines(names=names, nodes=nodes, share=np.tile(lever_shares(count), len(along)))


def segments(prefix: str, r: Array, before: IntArray, after: IntArray) -> Wires:
    """The finite segments of resistances r as elements prefix[i,j] between nodes; an open end or isolated node is -1."""
    live = np.isfinite(r) & (before >= 0) & (after >= 0)
    which = np.flatnonzero(live)
    return Wires(names=GridNames(prefix, r.shape, which), r=r.ravel()[which],  # type: ignore[arg-type]
                 nodes=np.column_stack((before.ravel()[which], after.ravel()[which])))
