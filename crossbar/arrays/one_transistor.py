"""1T1R arrays: a junction in series with its access transistor at every crossing of a gate line with a bit line.

    array = OneTransistorArray(cells, transistor=NMOS(...), r_bit=2.0, r_source=2.0, source_lines="parallel")
    solution = array.solve(gate=only_row(m, 3, 1.2), bit_top=0.3, source_bottom=0.0)

Gate lines run along the rows and carry no current; rows whose gate is low leak as the transistor's law says. Source lines run
along the bit lines ("parallel", the usual STT-MRAM: columns decouple into ladders, solved directly) or along the rows
("orthogonal": two crossing planes).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from crossbar import memory
from crossbar.arrays.blocks import Hints, gather, in_states, of_batch, replaced, stack
from crossbar.arrays.conductances import as_cells
from crossbar.arrays.drives import Drive, Drives, add_sources, pieces
from crossbar.arrays.floating import Isolated, by_isolation
from crossbar.arrays.idle import Folded, busy_rows
from crossbar.checks import choice, tolerance
from crossbar.circuit import Circuit, CircuitBuilder
from crossbar.elements.access import TransistorCells
from crossbar.elements.base import Array, Batch, IntArray, Mask
from crossbar.elements.cells import Cells
from crossbar.elements.solution import TransistorSolution
from crossbar.elements.transistor import NMOS
from crossbar.elements.xbar import GridNames, driver_resistance, ideal_batch, leaded, segments, wire_resistance
from crossbar.errors import DataError
from crossbar.solvers import room
from crossbar.solvers.lines import Law, Plane, PlanesSolution, solve_planes
from crossbar.summaries import block, spread

_BYTES_A_CELL = 40 * 8  # what the line solver holds for one input
_BLOCK_CELLS = 2 ** 21  # inputs x cells solved side by side
_BYTES_A_NODE = 4000    # of the general path
_GATE = "gate_left"     # the gate lines among the sides of a drive: they run along the rows


@dataclass(frozen=True, eq=False, init=False)
class OneTransistorArray:
    """An immutable M x N array.

    cells : (M, N) junction conductances [S] (0: open), or Cells such as MTJCells; the free side is on the bit line.
    transistor : NMOS with its drain at the junction and its source on the source line; fields broadcast to (M, N). v_bulk: its
    body voltage [V].
    source_lines : "parallel" to the bit lines or "orthogonal" to them.
    r_bit, r_source : wire segment resistance [ohm], scalar, or (M+1, N) with the leads; orthogonal r_source (M, N+1).
    r_driver : resistance [ohm] in series with every connected lead: scalar, or {side: scalar or (lines,)}.
    Raises DataError for a negative, NaN or misshapen value, SizeError if the array cannot fit in memory.
    Warns of linear cells that conduct 1 S or more: they are probably resistances.
    """

    cells: TransistorCells
    parallel: bool
    r_source: Array
    r_bit: Array
    r_driver: Mapping[str, Array]

    def __init__(self, cells: Cells | TransistorCells | npt.ArrayLike, *, transistor: NMOS | None = None, v_bulk: float = 0.0,
                 r_bit: npt.ArrayLike = 2.0, r_source: npt.ArrayLike = 2.0,
                 source_lines: Literal["parallel", "orthogonal"] = "parallel",
                 r_driver: npt.ArrayLike | Mapping[str, npt.ArrayLike] = 0.0) -> None:
        choice(source_lines, ("parallel", "orthogonal"), "source_lines")
        pairs = _pairs(cells, transistor, v_bulk)
        m, n = pairs.shape
        if pairs.cells.stacked:
            raise DataError("an array's cells are in one state; give others to solve(states=...)")
        memory.require(f"an array of {m} x {n} cells", _BYTES_A_CELL * m * n)
        parallel = source_lines == "parallel"
        checked = {"cells": pairs, "parallel": parallel,
                   "r_source": wire_resistance(r_source, (m + 1, n) if parallel else (m, n + 1), "r_source"),
                   "r_bit": wire_resistance(r_bit, (m + 1, n), "r_bit"),
                   "r_driver": driver_resistance(r_driver, (m, n), _sides(parallel))}
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        m, n = self.shape
        lines = "parallel to the bit lines" if self.parallel else "along the rows"
        drivers = np.concatenate([r.ravel() for r in self.r_driver.values()])
        return block(
            f"OneTransistorArray of {m} x {n} cells, source lines {lines}", self.cells.kinds,
            f"conductance at 0 V {spread(self.cells.cells.conductance, 'S')} (junctions)",
            f"r_source {spread(self.r_source, 'ohm')}, r_bit {spread(self.r_bit, 'ohm')}, r_driver "
            f"{spread(drivers, 'ohm')}")

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.cells.shape

    @property
    def sides(self) -> tuple[str, str, str, str]:
        """Names of the sides: ends of the source lines, ends of the bit lines."""
        return _sides(self.parallel)

    def with_cells(self, cells: Cells | npt.ArrayLike) -> "OneTransistorArray":
        """The same wires and transistors around other junctions."""
        junctions = cells if isinstance(cells, Cells) else as_cells(cells)
        if junctions.shape == self.shape and not junctions.stacked:
            return replaced(self, cells=replace(self.cells, cells=junctions))
        return OneTransistorArray(replace(self.cells, cells=junctions), r_bit=self.r_bit, r_source=self.r_source,
                                  source_lines="parallel" if self.parallel else "orthogonal", r_driver=self.r_driver)

    def solve(self, gate: npt.ArrayLike, bit_top: Drive = None, bit_bottom: Drive = None, source_top: Drive = None,
              source_bottom: Drive = None, source_left: Drive = None, source_right: Drive = None, *,
              states: npt.ArrayLike | None = None, rtol: float = 1e-10, keep: Literal["nodes", "terminals"] = "nodes",
              start: TransistorSolution | None = None, guess: npt.ArrayLike | None = None) -> TransistorSolution:
        """Voltages and currents for terminal voltages [V]: scalars, (lines,) or (batch, lines) for each side.

        gate : gate line voltages [V], scalar, (M,) or (batch, M). None leaves a side open, as masked entries (numpy.ma) do a
        line's end. states, start, guess : as of `PassiveArray.solve`; so is what both ends of a line of 0 ohm share.
        Raises DataError for NaN, a wrong shape, a side this array has not, or if no end is driven; ConvergenceError if
        sum |KCL| stays above rtol times sum |cell current|.
        """
        given = {"bit_top": bit_top, "bit_bottom": bit_bottom, "source_top": source_top, "source_bottom": source_bottom,
                 "source_left": source_left, "source_right": source_right}
        drives, junctions = self._drives(gate, given), in_states(self.cells.cells, states)
        if junctions.stacked:
            drives = drives.repeated(len(np.asarray(states)))
        choice(keep, ("nodes", "terminals"), "keep")
        rtol = tolerance(rtol, "rtol")
        cells = self.shape[0] * self.shape[1]
        held = drives.batch * cells * 24 if keep == "nodes" else 0
        memory.require(f"{drives.batch} inputs on {self.shape[0]} x {self.shape[1]} cells",
                       held + _BYTES_A_CELL * min(drives.batch * cells, max(cells, _BLOCK_CELLS)))
        pairs = replace(self.cells, cells=junctions) if junctions.stacked else self.cells
        hints = Hints.of(start, guess, (drives.batch, *self.shape), TransistorSolution)
        share = None if start is None or start.share is None else stack(start.share)
        parts = []
        for group in drives.groups():
            source, bit = self._wires(drives.take(group[:1]))
            for inputs, isolated in self._by_isolation(source, bit, drives, group):
                for which in pieces(inputs, max(1, _BLOCK_CELLS // cells)):
                    some = replace(pairs, cells=junctions.of_input(which)) if junctions.stacked else pairs
                    shared = None if share is None else of_batch(share, which)
                    parts.append((which, self._solve(drives.take(which), some, source, bit, isolated, hints.take(which),
                                                     shared, rtol, keep == "nodes")))
        return replace(gather(parts, drives.single), cells=pairs)

    def to_circuit(self, gate: npt.ArrayLike, **sides: Drive) -> Circuit:
        """The array as elements, with a source `v_<side>[k]` at node `<side>[k]` for every connected end and `v_gate[i]`; its
        nodes are sl[i,j], bl[i,j] and in[i,j]. No batch of drives; SizeError where it would not fit."""
        drives = self._drives(gate, sides)
        if drives.batch != 1:
            raise DataError("a circuit holds one input; drives are scalars or (lines,)")
        return self._circuit(drives)

    def _drives(self, gate: npt.ArrayLike, given: Mapping[str, Drive]) -> Drives:
        wrong = [side for side, value in given.items() if value is not None and side not in self.sides]
        if wrong:
            raise DataError(f"{', '.join(wrong)}: an array with {'parallel' if self.parallel else 'orthogonal'} source lines has "
                            f"the sides {', '.join(self.sides)}")
        if gate is None or np.ma.is_masked(gate):
            raise DataError("every gate line needs a voltage: an open gate has none")
        drives = Drives.of((*(given.get(side) for side in self.sides), gate), self.shape, (*self.sides, _GATE))
        driven = np.concatenate([drives.on[side] for side in self.sides], axis=1).any(axis=1)
        if not driven.all():
            which = "" if drives.single else f" for input {int(np.argmin(driven))} of {drives.batch}"
            raise DataError(f"nothing is driven{which}: every end of every bit and source line is open")
        return drives

    def _wires(self, drives: Drives) -> tuple[Array, Array]:
        """Resistances (L, n+1) of source and bit lines with their leads."""
        near, far, top, bottom = (np.where(drives.connected[s], self.r_driver[s], np.inf) for s in self.sides)
        source = self.r_source.T if self.parallel else self.r_source
        return leaded(source, near, far), leaded(self.r_bit.T, top, bottom)

    def _by_isolation(self, source: Array, bit: Array, drives: Drives, inputs: IntArray) -> list[tuple[IntArray, Isolated]]:
        """Some of the inputs by their source and bit nodes (M, N) that no terminal reaches; a transistor counts as open if it is
        off at the lowest of the voltages applied."""
        lowest, gate = _lowest(drives, self.sides), drives.volts[_GATE]

        def conducting(some: IntArray) -> Mask:
            at = np.broadcast_to(lowest[some, None, None], (len(some), *self.shape))
            return np.asarray(self.cells.current(at, at, gate[some, :, None])[1] > 0)
        return by_isolation(source, bit, inputs, conducting, self.shape[0] * self.shape[1], alongside=self.parallel)

    def _solve(self, drives: Drives, cells: TransistorCells, source: Array, bit: Array, isolated: Isolated, hints: Hints,
               shared: Array | None, rtol: float, nodes: bool) -> TransistorSolution:
        drives.check_shorts(source, bit)
        share = room.empty((drives.batch, *self.shape))
        share[:] = np.nan if shared is None else shared
        if hints.guess is not None:
            hints = hints._replace(guess=-hints.guess)  # the solver counts from source to bit line
        rows = busy_rows(cells, source, bit, _lowest(drives, self.sides), drives.volts[_GATE])
        if rows is None:
            done = self._solve_all(drives, cells, source, bit, isolated, hints, share, rtol, nodes)
        else:
            done = self._solve_rows(rows, drives, cells, source, bit, hints, share, rtol, nodes)
        opened = self.cells.open_junctions  # in series with a transistor that is off nothing else says where the voltage is
        share[:, opened[0], opened[1]] = 1.0
        return TransistorSolution(
            cells=cells, parallel=self.parallel, r_source=self.r_source, r_bit=self.r_bit, r_driver=self.r_driver,
            terminal_voltage={s: np.where(drives.connected[s], drives.volts[s], np.nan) for s in self.sides},
            terminal_current=dict(zip(self.sides, done.out, strict=True)), nodes=done.nodes, gate=drives.volts[_GATE],
            share=share if nodes else None, residual=done.residual, relative_residual=done.relative_residual,
            iterations=done.iterations, method="lines")

    def _solve_rows(self, rows: IntArray, drives: Drives, cells: TransistorCells, source: Array, bit: Array,
                    hints: Hints, share: Array, rtol: float, nodes: bool) -> PlanesSolution:
        """Some rows, all others being off."""
        near, far, top, bottom = (drives.volts[side] for side in self.sides)
        sources, bits = Folded(source, near, far, rows, self.parallel), Folded(bit, top, bottom, rows, True)
        some, few = np.ascontiguousarray(share[:, rows]), hints.rows(rows)
        kept, gate = cells.of_rows(rows), drives.volts[_GATE][:, rows]
        ideal = bool(sources.ideal.any() or bits.ideal.any())
        done = solve_planes(sources.kept, bits.kept, Law(current=_law(kept, gate, None, some), symmetric=False),
                            crossed=not self.parallel, rtol=rtol, nodes=nodes or ideal, start=few.start, guess=few.guess)
        current = None
        if ideal and done.nodes is not None:
            current = kept.current(done.nodes[1], done.nodes[0], gate[:, :, None], share=some.copy())[0]
        share.fill(0.0)
        share[:, rows] = some
        source_ends = sources.ends(*done.out[:2], None if current is None else -current)
        bit_ends = bits.ends(*done.out[2:], current)
        whole = None
        if nodes and done.nodes is not None:
            whole = sources.whole(done.nodes[0]), bits.whole(done.nodes[1])
        return replace(done, out=(*source_ends, *bit_ends), nodes=whole)

    def _solve_all(self, drives: Drives, cells: TransistorCells, source: Array, bit: Array, isolated: Isolated, hints: Hints,
                   share: Array, rtol: float, nodes: bool) -> PlanesSolution:
        near, far, top, bottom = (drives.volts[side] for side in self.sides)
        done = solve_planes(Plane.of(source.T, near, far), Plane.of(bit.T, top, bottom),
                            Law(current=_law(cells, drives.volts[_GATE], isolated, share), symmetric=False),
                            crossed=not self.parallel, rtol=rtol, nodes=nodes, start=hints.start, guess=hints.guess)
        if isolated is not None and done.nodes is not None:
            for x, lost in zip(done.nodes, isolated, strict=True):
                x[:, lost] = np.nan
        return done

    def _circuit(self, drives: Drives) -> Circuit:
        m, n = self.shape
        memory.require(f"{m} x {n} cells as a circuit", 3 * m * n * _BYTES_A_NODE)
        builder = CircuitBuilder(title=f"{m} x {n} 1T1R array")
        ends = {side: add_sources(builder, side, drives.volts[side][0], drives.connected[side]) for side in self.sides}
        gates = add_sources(builder, "gate", drives.volts[_GATE][0], np.ones(m, bool))
        plane = {p: np.array([builder.node(f"{p}[{i},{j}]") for i in range(m) for j in range(n)]).reshape(m, n)
                 for p in ("sl", "bl", "in")}
        lines = self._wires(drives)
        drives.check_shorts(*lines)
        (_, isolated), = self._by_isolation(*lines, drives, np.arange(1))
        if isolated is not None:
            plane["sl"][isolated[0]] = plane["bl"][isolated[1]] = -1
        planes = (("sl", plane["sl"].T if self.parallel else plane["sl"], self.sides[:2]), ("bl", plane["bl"].T, self.sides[2:]))
        for r, (name, line, (near, far)) in zip(lines, planes, strict=True):
            for batch in _line_elements(name, r, ends[near], line, ends[far]):
                builder.add(batch)
        which = np.flatnonzero((plane["sl"] >= 0) & (plane["bl"] >= 0))
        bulk = add_sources(builder, "bulk", np.array([self.cells.v_bulk]), np.ones(1, bool))
        nodes = (plane["bl"], plane["in"], plane["sl"], np.repeat(gates, n), np.repeat(bulk, m * n))
        for batch in self.cells.batches(GridNames("x", self.shape, which), GridNames("m", self.shape, which),
                                        np.column_stack([x.ravel()[which] for x in nodes]), which):
            builder.add(batch)
        return builder.build()


def _line_elements(name: str, r: Array, near: IntArray, along: IntArray, far: IntArray) -> list[Batch]:
    """Lines r (L, n+1) between circuit nodes near and far (L,) through the nodes along (L, n): their segments, and those lines
    that are shorts between two sources."""
    shorts = np.flatnonzero((r == 0).all(axis=1))
    whole = np.column_stack((near, along, far))
    wires = segments(f"r{name}", np.where(np.isin(np.arange(len(r)), shorts)[:, None], np.inf, r), whole[:, :-1], whole[:, 1:])
    out: list[Batch] = [wires] if len(wires.nodes) else []
    if shorts.size:
        count = along.shape[1]
        which = (shorts[:, None] * count + np.arange(count)).ravel()
        out.append(ideal_batch(GridNames(name, along.shape, which), near[shorts], along[shorts], far[shorts]))
    return out


def _lowest(drives: Drives, sides: Sequence[str]) -> Array:
    """(B,) The lowest of the voltages applied to the ends of bit and source lines [V]."""
    ends = [np.where(drives.on[side], drives.volts[side], np.inf) for side in sides]
    return np.concatenate(ends, axis=1).min(axis=1)


def _law(cells: TransistorCells, gates: Array, isolated: Isolated,
         share: Array) -> Callable[[Array, Callable[[], Array]], tuple[Array, Array, Array]]:
    """Current from source to bit node, as the solver's planes are ordered; voltages are shared as before, to begin with."""
    alive = None if isolated is None else ~(isolated[0] | isolated[1])
    gate = gates[:, :, None]
    results = [room.empty(share.shape) for _ in range(3)]

    def current(cell: Array, foot: Callable[[], Array]) -> tuple[Array, Array, Array]:
        v_bit = foot()
        v_source = v_bit + cell
        np.negative(cell, out=cell)
        i, d_bit, d_source = cells.current(v_bit, v_source, gate, v_cell=cell, share=share, out=results)
        np.negative(i, out=i)
        if alive is not None:
            for x in (i, d_bit, d_source):
                x *= alive
        return i, d_source, d_bit
    return current


def _sides(parallel: bool) -> tuple[str, str, str, str]:
    source = ("source_top", "source_bottom") if parallel else ("source_left", "source_right")
    return (*source, "bit_top", "bit_bottom")


def _pairs(cells: Cells | TransistorCells | npt.ArrayLike, transistor: NMOS | None, v_bulk: float) -> TransistorCells:
    """Junctions and transistors from what the user gave."""
    if isinstance(cells, TransistorCells):
        if transistor is not None:
            raise DataError("TransistorCells have their transistors already; leave transistor out")
        return cells
    if transistor is None:
        raise DataError("a 1T1R array needs transistor=NMOS(...)")
    return TransistorCells(cells=as_cells(cells), transistor=transistor, v_bulk=v_bulk)
