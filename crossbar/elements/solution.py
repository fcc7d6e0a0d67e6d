"""The solved state of one array: one result type, whichever solver made it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from crossbar.elements.access import TransistorCells
from crossbar.elements.base import Array, Mask
from crossbar.elements.cells import Cells
from crossbar.errors import DataError
from crossbar.summaries import block, spread


class Lines(NamedTuple):
    """The lines of one plane as a solution sees them."""

    near: str     # the sides at their ends
    far: str
    r: Array      # (L, n+1) [ohm], wires only
    rows: bool    # whether they run along the rows of (M, N)
    drawn: float  # +1 where a positive cell current leaves the line, -1 where it enters


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PlanesState(ABC):
    """Currents and voltages of two planes of lines with cells between them; (...) is () or (batch,), as the drives were.

    Fields over the cells are derived when asked for; with keep="terminals" asking raises DataError.
    """

    cells: Cells | TransistorCells
    r_driver: Mapping[str, Array]        # {side: (lines,)} [ohm]
    terminal_voltage: Mapping[str, Array]  # {side: (..., lines)} [V], NaN where a line's end is open
    terminal_current: Mapping[str, Array]  # {side: (..., lines)} [A], out of the array; 0 where open
    nodes: tuple[Array, Array] | None    # node voltages (..., M, N) of both planes [V], or None if not kept
    residual: Array | float              # (...) largest |KCL| of a node [A]
    relative_residual: Array | float     # (...) sum |KCL| / sum |cell current|
    iterations: int
    method: str

    @property
    @abstractmethod
    def lines(self) -> tuple[Lines, Lines]:
        """Both planes, in the order of `nodes`."""

    @property
    @abstractmethod
    def node_names(self) -> tuple[str, str]:
        """What the nodes of both planes are called."""

    @property
    @abstractmethod
    def cell_voltage(self) -> Array:
        """(..., M, N) across the cell [V]."""

    @property
    @abstractmethod
    def cell_current(self) -> Array:
        """(..., M, N) through the cell [A]."""

    def __repr__(self) -> str:
        """Shape, currents, certificate; nothing inside the array is derived for it."""
        m, n = self.cells.shape
        single = np.ndim(self.residual) == 0
        inputs = "one input" if single else f"{np.size(self.residual)} inputs"
        driven = [s for s, volts in self.terminal_voltage.items() if not np.isnan(volts).all()]
        currents = [f"{s} {spread(self.terminal_current[s], 'A')}" for s in driven]
        return block(
            f"{type(self).__name__} of {m} x {n} cells ({self.cells.kinds}), {inputs}",
            "current out of " + ", ".join(currents),
            f"sources deliver {spread(self.source_power, 'W')}",
            f"{self.method}: {self.iterations} iterations, sum |KCL| / sum |cell current| "
            f"{np.max(self.relative_residual):.1e}, largest |KCL| {np.max(self.residual):.1e} A")

    @property
    def bit_current(self) -> Array:
        """(..., N) current into the bottom terminals [A]: the sum of each line's cell currents if its top is open."""
        return self.terminal_current["bit_bottom"]

    @property
    def bit_voltage(self) -> Array:
        """(..., M, N) bit node voltages [V]; NaN where no terminal reaches."""
        return self._kept()[1]

    def _kept(self) -> tuple[Array, Array]:
        if self.nodes is None:
            raise DataError('only terminal currents were kept; solve with keep="nodes" to see inside the array')
        return self.nodes

    @cached_property
    def isolated(self) -> tuple[str, ...]:
        """Nodes that no terminal reaches (of a batch: for some input), as wl[i,j] and bl[i,j]."""
        return tuple(f"{plane}[{i},{j}]" for plane, x in zip(self.node_names, self._kept(), strict=True)
                     for i, j in np.argwhere(np.isnan(x).reshape(-1, *x.shape[-2:]).any(axis=0)))

    @cached_property
    def segment_current(self) -> tuple[Array, Array]:
        """Currents in the wire segments of both planes [A]: (..., M, N+1) to the right on lines along the rows,
        (..., M+1, N) downwards on lines down the columns.

        Each is the lead's current less the cell currents before it; on a line with an open segment, whatever is behind that
        segment is counted from its other end, so that the open segment carries exactly none.
        """
        out = []
        for near, far, r, rows, drawn in self.lines:
            load = self.cell_current if rows else np.swapaxes(self.cell_current, -1, -2)
            current = _along(-self.terminal_current[near], self.terminal_current[far], drawn * load, np.isinf(r))
            out.append(current if rows else np.swapaxes(current, -1, -2))
        return out[0], out[1]

    @cached_property
    def power(self) -> dict[str, Array]:
        """Power (...) [W]: delivered by the sources, dissipated in cells, wires and drivers."""
        return {
            "sources": self.source_power,
            "cells": self.cell_power.sum(axis=(-1, -2)),
            "wires": sum((watts.sum(axis=-1) for watts in self.line_power), np.zeros(())),
            "drivers": sum((watts.sum(axis=-1) for watts in self.driver_power.values()), np.zeros(())),
        }

    @property
    def source_power(self) -> Array:
        """(...) delivered by all sources [W]."""
        return -sum(((np.nan_to_num(self.terminal_voltage[s]) * i).sum(axis=-1) for s, i in self.terminal_current.items()),
                    np.zeros(()))

    @property
    def driver_power(self) -> dict[str, Array]:
        """{side: (..., lines)} dissipated in every driver [W]."""
        return {side: np.where(i == 0, 0.0, self.r_driver[side]) * i ** 2 for side, i in self.terminal_current.items()}

    @cached_property
    def cell_power(self) -> Array:
        """(..., M, N) dissipated in every cell [W]; 0 in isolated ones."""
        return np.nan_to_num(self.cell_voltage * self.cell_current, copy=False)

    @cached_property
    def line_power(self) -> tuple[Array, Array]:
        """(..., lines) dissipated in the wires of every line of both planes [W], drivers not counted."""
        from crossbar.elements import line_code  # numba takes longer to load than a small deck to solve
        drawn = self.cell_current.reshape(-1, *self.cell_current.shape[-2:])
        out = []
        for near, _, r, rows, sign in self.lines:
            first = -self.terminal_current[near]
            r, walk = (r, line_code.along_rows) if rows else (r.T, line_code.down_columns)
            watts = walk(np.ascontiguousarray(r), np.ascontiguousarray(first).reshape(len(drawn), -1), drawn, sign)
            out.append(watts.reshape(first.shape))
        return out[0], out[1]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ArraySolution(PlanesState):
    """A solved passive array."""

    cells: Cells
    r_word: Array  # (M, N+1) [ohm], wires only
    r_bit: Array   # (M+1, N) [ohm]

    @property
    def lines(self) -> tuple[Lines, Lines]:
        """Word lines, bit lines."""
        return (Lines("word_left", "word_right", self.r_word, True, 1.0),
                Lines("bit_top", "bit_bottom", self.r_bit.T, False, -1.0))

    @property
    def node_names(self) -> tuple[str, str]:
        """Word and bit nodes."""
        return "wl", "bl"

    @property
    def word_voltage(self) -> Array:
        """(..., M, N) word node voltages [V]; NaN where no terminal reaches."""
        return self._kept()[0]

    @cached_property
    def cell_voltage(self) -> Array:
        """(..., M, N) word minus bit node voltage [V]."""
        return self.word_voltage - self.bit_voltage

    @cached_property
    def cell_current(self) -> Array:
        """(..., M, N) current from word to bit line [A]; 0 in an isolated cell."""
        return np.nan_to_num(self.cells.current(self.cell_voltage)[0], copy=False)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TransistorSolution(PlanesState):
    """A solved 1T1R array. Cell voltages and currents count from bit to source line; gates carry no current."""

    cells: TransistorCells
    parallel: bool   # whether the source lines run along the bit lines
    r_source: Array  # (M+1, N), or (M, N+1) of orthogonal source lines [ohm], wires only
    r_bit: Array     # (M+1, N) [ohm]
    gate: Array      # (..., M) gate voltages [V]
    share: Array | None  # (..., M, N) part of the cell voltage that falls across the junction, or None if not kept

    @property
    def lines(self) -> tuple[Lines, Lines]:
        """Source lines, bit lines."""
        source = (Lines("source_top", "source_bottom", self.r_source.T, False, -1.0) if self.parallel else
                  Lines("source_left", "source_right", self.r_source, True, -1.0))
        return source, Lines("bit_top", "bit_bottom", self.r_bit.T, False, 1.0)

    @property
    def node_names(self) -> tuple[str, str]:
        """Source and bit nodes."""
        return "sl", "bl"

    @property
    def source_voltage(self) -> Array:
        """(..., M, N) source node voltages [V]; NaN where no terminal reaches."""
        return self._kept()[0]

    @cached_property
    def cell_voltage(self) -> Array:
        """(..., M, N) bit minus source node voltage [V]."""
        return self.bit_voltage - self.source_voltage

    @cached_property
    def mtj_voltage(self) -> Array:
        """(..., M, N) across the junction, free minus fixed side [V]."""
        voltage = self.cell_voltage
        assert self.share is not None  # kept with the nodes
        return self.share * voltage

    @property
    def inner(self) -> Array:
        """(..., M, N) node voltages between junction and transistor [V]."""
        return self.bit_voltage - self.mtj_voltage

    @cached_property
    def cell_current(self) -> Array:
        """(..., M, N) current from bit to source line [A]; 0 in an isolated cell."""
        source, bit = self._kept()
        return np.nan_to_num(self.cells.current(bit, source, self.gate[..., None], share=np.array(self.share))[0], copy=False)


def _along(first: Array, last: Array, drawn: Array, openings: Mask) -> Array:
    """Segment currents (..., L, n+1) of lines whose nodes draw currents (..., L, n); openings (L, n+1).

    Counted from the near end up to the first open segment, from the far end down to the last one; pieces between two open
    segments from their own start.
    """
    start = np.zeros((*drawn.shape[:-1], 1))
    spent = np.concatenate((start, np.cumsum(drawn, axis=-1)), axis=-1)
    forward = first[..., None] - spent
    if not openings[:, 1:-1].any():
        return np.where(openings, 0.0, forward)
    backward = last[..., None] + (spent[..., -1:] - spent)
    seen = np.cumsum(openings, axis=-1)
    # within a piece, the current is minus what its nodes have drawn since the open segment that begins it
    at = np.maximum.accumulate(np.where(openings, np.arange(openings.shape[-1]), 0), axis=-1)
    origin = np.take_along_axis(spent, np.broadcast_to(at, spent.shape), axis=-1)
    middle = origin - spent
    out = np.where(seen == 0, forward, np.where(seen == seen[:, -1:], backward, middle))
    return np.where(openings, 0.0, out)
