"""Passive arrays: cells between word and bit lines, no access devices.

    array = PassiveArray(cells, r_word=2.0, r_bit=2.0)
    solution = array.solve(word_left=v)                # bit_bottom at 0 V, the other ends open

Two paths, one result type: `lines` (conjugate gradients on the two planes of lines, solvers/lines.py) and `general` (the same
array as a circuit, modified nodal analysis, mna.py), which is slow, exact and there to check the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from crossbar import doubts, memory
from crossbar.analysis import operating_point, point_from_voltages
from crossbar.arrays.algebra import ArrayAlgebra
from crossbar.arrays.blocks import Hints, gather, in_states, replaced
from crossbar.arrays.conductances import as_cells
from crossbar.arrays.drives import Drive, Drives, add_sources, applied_volts, pieces
from crossbar.attached import cell_law
from crossbar.checks import OHMS, all_between, choice, instance, out_of_range, real_array, tolerance
from crossbar.circuit import Circuit, CircuitBuilder
from crossbar.elements.base import Array
from crossbar.elements.cells import Cells, LinearCells
from crossbar.elements.solution import ArraySolution
from crossbar.elements.xbar import (SIDES, Xbar, driver_resistance, isolated_nodes, lines_of, wire_resistance,
                                    with_leads)
from crossbar.errors import ConvergenceError, DataError
from crossbar.solvers.coarse import MOST
from crossbar.solvers.lines import Plane, solve_planes
from crossbar.summaries import block, spread

_BYTES_A_CELL = 30 * 8  # what the line solver holds for one input, linear or not
_BYTES_A_HAT = 24  # and node along a line, of the coarse grid
_BLOCK_CELLS = 2 ** 19  # inputs x cells solved side by side: few enough for the cache


@dataclass(frozen=True, eq=False, init=False)
class PassiveArray(ArrayAlgebra):
    """An immutable M x N array.

    cells : (M, N) conductances [S] (0: open), or Cells such as MTJCells.
    r_word, r_bit : wire segment resistance [ohm], scalar, or (M, N+1) and (M+1, N) with the leads; 0 exact, inf open.
    r_driver : resistance [ohm] in series with every connected lead: scalar, or {side: scalar or (lines,)}.
    Raises DataError for a negative, NaN or misshapen value, and for magnitudes with which nothing can be computed (`checks`: up
    to 1e100 S and V, wires from 1e-100 ohm on); SizeError if the array cannot fit in memory.
    Warns of linear cells that conduct 1 S or more: they are probably resistances.
    """

    cells: Cells
    r_word: Array                 # (M, N+1) [ohm]
    r_bit: Array                  # (M+1, N) [ohm]
    r_driver: Mapping[str, Array]  # {side: (lines,)} [ohm]

    def __init__(self, cells: Cells | npt.ArrayLike, *, r_word: npt.ArrayLike = 2.0, r_bit: npt.ArrayLike = 2.0,
                 r_driver: npt.ArrayLike | Mapping[str, npt.ArrayLike] = 0.0) -> None:
        m, n = cells.shape if isinstance(cells, Cells) else _shape(cells)
        if isinstance(cells, Cells) and cells.stacked:
            raise DataError("an array's cells are in one state; give others to solve(states=...)")
        memory.require(f"an array of {m} x {n} cells", _BYTES_A_CELL * m * n)
        checked = {"r_word": wire_resistance(r_word, (m, n + 1), "r_word"),
                   "r_bit": wire_resistance(r_bit, (m + 1, n), "r_bit"),
                   "r_driver": driver_resistance(r_driver, (m, n)),
                   "cells": as_cells(cells)}
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_resistance(cls, resistance: npt.ArrayLike, **options: npt.ArrayLike) -> "PassiveArray":
        """An array of linear cells given by resistances (M, N) [ohm]; inf is an open cell. Warns of
        cells of 1 ohm or less, which are probably conductances."""
        r = real_array(resistance, "cell resistances [ohm]")
        if not all_between(r, *OHMS):
            if not (r > 0).all():
                raise DataError("cell resistances must be positive [ohm] (inf: open)")
            bad = out_of_range(r, OHMS)
            if bad.any():
                raise DataError(f"cell resistances must be between {OHMS[0]:g} and {OHMS[1]:g} ohm (or inf: open), got "
                                f"{r[bad].flat[0]:g}")
        with doubts.remaking():
            array = cls(1 / r, **options)
        doubts.warn(doubts.of_resistances(r), "conductances [S] are taken by PassiveArray itself")
        return array

    @classmethod
    def from_xbar(cls, xbar: Xbar) -> "PassiveArray":
        """The array of a circuit or deck (`deck.arrays["x1"]`), without what is attached to it."""
        instance(xbar, Xbar, 'from_xbar: an array of a circuit, deck.arrays["x1"],')
        with doubts.remaking():
            return cls(xbar.cells, r_word=xbar.r_word, r_bit=xbar.r_bit, r_driver=xbar.r_driver)

    def __repr__(self) -> str:
        m, n = self.shape
        drivers = np.concatenate([r.ravel() for r in self.r_driver.values()])
        return block(
            f"PassiveArray of {m} x {n} cells", self.cells.kinds,
            f"conductance at 0 V {spread(self.cells.conductance, 'S')}",
            f"r_word {spread(self.r_word, 'ohm')}, r_bit {spread(self.r_bit, 'ohm')}, r_driver "
            f"{spread(drivers, 'ohm')}")

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.cells.shape

    def with_cells(self, cells: Cells | npt.ArrayLike) -> "PassiveArray":
        """The same wires around other cells."""
        if isinstance(cells, Cells) and cells.shape == self.shape and not cells.stacked:
            return replaced(self, cells=cells)
        return PassiveArray(cells, r_word=self.r_word, r_bit=self.r_bit, r_driver=self.r_driver)

    def solve(self, word_left: Drive = None, word_right: Drive = None, bit_top: Drive = None,
              bit_bottom: Drive = 0.0, *, states: npt.ArrayLike | None = None, rtol: float = 1e-10,
              keep: Literal["nodes", "terminals"] = "nodes", method: Literal["lines", "general"] = "lines",
              start: ArraySolution | None = None, guess: npt.ArrayLike | None = None) -> ArraySolution:
        """Voltages and currents for terminal voltages [V]: scalars, (lines,) or (batch, lines) for each side.

        None leaves a side open; masked entries (numpy.ma) leave those lines' ends open.
        A line of exactly 0 ohm, drivers too, between two ends at one voltage shares its current by the lever rule, the limit of
        equal segments: of the current of node j of n the share (n - j) / (n + 1) comes from the near (left or top) end.
        states : (batch, M, N) cos(theta) of the junctions for each input, in place of the array's own.
        start : a solution under nearly the same drives, to begin with. guess : cell voltages (batch, M, N) or (M, N) [V], about,
        of nonlinear cells: another way to begin. Both methods take them, and find the same solution without.
        Raises DataError for NaN, a wrong shape, or if no end is driven; TopologyError where 0 ohm joins two voltages;
        ConvergenceError if sum |KCL| stays above rtol (at most 0.01) times sum |cell current|.
        """
        drives, junctions = Drives.of((word_left, word_right, bit_top, bit_bottom), self.shape), in_states(self.cells, states)
        if junctions.stacked:
            drives = drives.repeated(len(np.asarray(states)))
        choice(method, ("lines", "general"), "method")
        choice(keep, ("nodes", "terminals"), "keep")
        rtol = tolerance(rtol, "rtol")
        batch, cells = drives.batch, self.shape[0] * self.shape[1]
        held = (batch * cells * 16 if keep == "nodes" else 0) + sum(_BYTES_A_HAT * min(k, MOST) * k for k in self.shape)
        memory.require(f"{batch} inputs on {self.shape[0]} x {self.shape[1]} cells",
                       held + _BYTES_A_CELL * min(batch * cells, max(cells, _BLOCK_CELLS)))
        parts, hints = [], Hints.of(start, guess, (batch, *self.shape), ArraySolution)
        for group in drives.groups():
            solve = self._lines_solver(drives.take(group)) if method == "lines" else self._solve_general
            parts += [(which, solve(drives.take(which), junctions.of_input(which), hints.take(which), rtol, keep == "nodes"))
                      for which in pieces(group, max(1, _BLOCK_CELLS // cells))]
        return replace(gather(parts, drives.single), cells=junctions)

    def transfer(self, source: str, sink: str, **others: Drive) -> Array:
        """Transfer conductances T (lines of source, lines of sink) [S] of linear cells: sink current = v_source @ T.

        source, sink : sides; the outputs are held at 0 V. others: further sides held at 0 V (side=0.0); unnamed ends are open.
        By reciprocity the side with fewer lines is driven, one line at a time. Raises DataError for nonlinear cells.
        """
        if not self.cells.linear:
            raise DataError("a transfer matrix exists for linear cells only; use solve, or params with v_h=inf")
        choice(source, SIDES, "transfer's source")
        choice(sink, SIDES, "transfer's sink")
        if source == sink:
            raise DataError(f"transfer joins two different sides of {', '.join(SIDES)}")
        if wrong := others.keys() - (set(SIDES) - {source, sink}):
            raise DataError(f"transfer: no further sides: {', '.join(sorted(wrong))}; there are {', '.join(SIDES)}")
        held = [applied_volts(side, v) for side, v in others.items() if v is not None]
        if any(volts.any() for volts in held):
            raise DataError("sides other than the source are held at 0 V or left open in a transfer matrix")
        n_source, n_sink = lines_of(source, self.shape), lines_of(sink, self.shape)
        driven, read = (source, sink) if n_source <= n_sink else (sink, source)
        drives = {"bit_bottom": None} | others | {driven: np.eye(min(n_source, n_sink)), read: 0.0}
        out = self.solve(**drives, keep="terminals").terminal_current[read]  # type: ignore[arg-type]
        return out if driven == source else out.T

    def to_circuit(self, word_left: Drive = None, word_right: Drive = None, bit_top: Drive = None,
                   bit_bottom: Drive = 0.0) -> Circuit:
        """The array `x` with a source `v_<side>[k]` at node `<side>[k]` for every connected end; no batch of drives."""
        drives = Drives.of((word_left, word_right, bit_top, bit_bottom), self.shape)
        if drives.batch != 1:
            raise DataError("a circuit holds one input; drives are scalars or (lines,)")
        return self._circuit(drives, self.cells)

    def _circuit(self, drives: Drives, cells: Cells) -> Circuit:
        builder = CircuitBuilder(title=f"{self.shape[0]} x {self.shape[1]} passive array")
        terminals = {side: add_sources(builder, side, drives.volts[side][0], on)
                     for side, on in drives.connected.items() if on.any()}
        builder.add_array(Xbar(name="x", cells=cells, r_word=self.r_word, r_bit=self.r_bit,
                               r_driver=self.r_driver, terminals=terminals))
        return builder.build()

    def _solve_general(self, drives: Drives, cells: Cells, hints: Hints, rtol: float, nodes: bool) -> ArraySolution:
        parts = []
        for k in range(drives.batch):
            one, which = cells.of_input(k), np.array([k])
            circuit = self._circuit(drives.take(which), one)
            start = self._start_of_circuit(circuit, drives.take(which), one, hints.take(which), rtol)
            point = point_from_voltages(circuit, start, reltol=rtol)
            solution = point.array("x")
            if solution.relative_residual > rtol:
                raise ConvergenceError(f"general path: relative KCL residual {solution.relative_residual:.2e}, wanted "
                                       f"{rtol:.1e}", point.trace)
            parts.append((np.array([k]), _as_batch(solution if nodes else replace(solution, nodes=None))))
        return gather(parts, single=False)

    def _start_of_circuit(self, circuit: Circuit, drives: Drives, cells: Cells, hints: Hints, rtol: float) -> Array:
        """Node voltages (nodes,) [V] of the circuit to begin with: those of a start, or of cells that conduct as they do at a
        guess of their voltages; else 0."""
        volts = np.zeros(circuit.node_count)
        if hints.start is not None:
            xbar = circuit.arrays[0]
            for side, nodes in xbar.terminals.items():
                volts[nodes[nodes >= 0]] = drives.volts[side][0, nodes >= 0]
            for nodes, x in zip(xbar.numbers(circuit.first_inner[0]), hints.start, strict=True):
                volts[nodes] = x[0]
        elif hints.guess is not None and not cells.linear:
            secants = LinearCells(g=_secants(cells, hints.guess[0]))
            volts = operating_point(self._circuit(drives, secants), reltol=rtol, method="general").voltages
        return volts

    def _lines_solver(self, drives: Drives) -> Callable[[Drives, Cells, Hints, float, bool], ArraySolution]:
        """What solves blocks of the inputs by lines; made once for all of them."""
        on = drives.connected
        r_word, r_bit = with_leads(self.r_word, self.r_bit, self.r_driver, on)
        drives.check_shorts(r_word, r_bit.T)
        isolated = isolated_nodes(r_word, r_bit.T, lambda: self.cells.conducts)
        volts = [drives.volts[side] for side in SIDES]
        words, bits = Plane.of(r_word.T, *volts[:2]), Plane.of(r_bit, *volts[2:])
        common = cell_law(self.cells, isolated)

        def solve(block: Drives, cells: Cells, hints: Hints, rtol: float, nodes: bool) -> ArraySolution:
            left, right, top, bottom = (block.volts[side] for side in SIDES)
            law = cell_law(cells, isolated) if cells.stacked else common
            done = solve_planes(words.between(left, right), bits.between(top, bottom), law, rtol=rtol, nodes=nodes,
                                start=hints.start, guess=hints.guess)
            if isolated is not None and done.nodes is not None:
                for x, lost in zip(done.nodes, isolated, strict=True):
                    x[:, lost] = np.nan
            return ArraySolution(
                cells=cells, r_word=self.r_word, r_bit=self.r_bit, r_driver=self.r_driver,
                terminal_voltage={side: np.where(on[side], block.volts[side], np.nan) for side in SIDES},
                terminal_current=dict(zip(SIDES, done.out, strict=True)), nodes=done.nodes,
                residual=done.residual, relative_residual=done.relative_residual, iterations=done.iterations,
                method="lines")
        return solve


def _shape(conductances: npt.ArrayLike) -> tuple[int, int]:
    """Shape (M, N) of what should be a matrix; DataError if it is none."""
    try:
        m, n = np.shape(conductances)
    except (TypeError, ValueError):
        raise DataError("cells must be an (M, N) array of conductances [S], or Cells such as MTJCells") from None
    return m, n


def _secants(cells: Cells, v: Array) -> Array:
    """Conductances (M, N) [S] through the origin and the currents at cell voltages v (M, N) [V]; the slopes where v is 0."""
    current, slope = cells.current(v)
    g = np.divide(current, v, out=np.array(np.broadcast_to(slope, v.shape)), where=v != 0)
    return np.maximum(np.nan_to_num(g), 0.0)


def _as_batch(s: ArraySolution) -> ArraySolution:
    """The solution of one input as a batch of one."""
    return replace(s, residual=np.atleast_1d(s.residual), relative_residual=np.atleast_1d(s.relative_residual),
                   terminal_voltage={side: v[None] for side, v in s.terminal_voltage.items()},
                   terminal_current={side: i[None] for side, i in s.terminal_current.items()},
                   nodes=None if s.nodes is None else (s.nodes[0][None], s.nodes[1][None]))
