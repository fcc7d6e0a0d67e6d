"""The solved state of one array: one result type, whichever solver made it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crossbar.elements.base import Array, Mask
from crossbar.elements.cells import Cells
from crossbar.elements.xbar import SIDES
from crossbar.errors import DataError


@dataclass(frozen=True, kw_only=True, eq=False)
class ArraySolution:
    """Currents and voltages of a solved array; (...) is () or (batch,), as the drives were.

    Fields over the cells are derived when asked for; with keep="terminals" asking raises DataError.
    """

    cells: Cells
    r_word: Array                        # (M, N+1) [ohm], wires only
    r_bit: Array                         # (M+1, N) [ohm]
    r_driver: Mapping[str, Array]        # {side: (lines,)} [ohm]
    terminal_voltage: Mapping[str, Array]  # {side: (..., lines)} [V], NaN where a line's end is open
    terminal_current: Mapping[str, Array]  # {side: (..., lines)} [A], out of the array; 0 where open
    nodes: tuple[Array, Array] | None    # word and bit node voltages (..., M, N) [V], or None if not kept
    residual: Array | float              # (...) largest |KCL| of a node [A]
    relative_residual: Array | float     # (...) sum |KCL| / sum |cell current|
    iterations: int
    method: str

    @property
    def bit_current(self) -> Array:
        """(..., N) current into the bottom terminals [A]: the sum of each line's cell currents if its top is open."""
        return self.terminal_current["bit_bottom"]

    def _kept(self) -> tuple[Array, Array]:
        if self.nodes is None:
            raise DataError('only terminal currents were kept; solve with keep="nodes" to see inside the array')
        return self.nodes

    @property
    def word_voltage(self) -> Array:
        """(..., M, N) word node voltages [V]; NaN where no terminal reaches."""
        return self._kept()[0]

    @property
    def bit_voltage(self) -> Array:
        """(..., M, N) bit node voltages [V]; NaN where no terminal reaches."""
        return self._kept()[1]

    @cached_property
    def cell_voltage(self) -> Array:
        """(..., M, N) word minus bit node voltage [V]."""
        return self.word_voltage - self.bit_voltage

    @cached_property
    def cell_current(self) -> Array:
        """(..., M, N) current from word to bit line [A]; 0 in an isolated cell."""
        return np.nan_to_num(self.cells.current(self.cell_voltage)[0], copy=False)

    @cached_property
    def isolated(self) -> tuple[str, ...]:
        """Nodes that no terminal reaches (of a batch: for some input), as wl[i,j] and bl[i,j]."""
        return tuple(f"{plane}[{i},{j}]" for plane, x in zip(("wl", "bl"), self._kept(), strict=True)
                     for i, j in np.argwhere(np.isnan(x).reshape(-1, *self.cells.shape).any(axis=0)))

    @cached_property
    def segment_current(self) -> tuple[Array, Array]:
        """Currents (..., M, N+1) to the right and (..., M+1, N) downwards in the wire segments [A].

        Each is the lead's current less the cell currents before it; on a line with an open segment, whatever is behind that
        segment is counted from its other end, so that the open segment carries exactly none.
        """
        word = _along(-self.terminal_current["word_left"], self.terminal_current["word_right"],
                      self.cell_current, np.isinf(self.r_word))
        flipped = np.swapaxes(self.cell_current, -1, -2)
        bit = _along(-self.terminal_current["bit_top"], self.terminal_current["bit_bottom"],
                     -flipped, np.isinf(self.r_bit.T))
        return word, np.swapaxes(bit, -1, -2)

    @cached_property
    def power(self) -> dict[str, Array]:
        """Power (...) [W]: delivered by the sources, dissipated in cells, wires and drivers."""
        def total(x: Array) -> Array:
            return np.nansum(x, axis=(-1, -2))
        terminal = [(np.nan_to_num(self.terminal_voltage[s]), self.terminal_current[s], self.r_driver[s])
                    for s in SIDES]
        wires = [total(np.where(np.isinf(r), 0.0, r) * i ** 2)
                 for r, i in zip((self.r_word, self.r_bit), self.segment_current, strict=True)]
        return {
            "sources": -sum(((v * i).sum(axis=-1) for v, i, _ in terminal), np.zeros(())),
            "cells": total(self.cell_voltage * self.cell_current),
            "wires": sum(wires, np.zeros(())),
            "drivers": sum(((np.where(i == 0, 0.0, r) * i ** 2).sum(axis=-1) for _, i, r in terminal), np.zeros(())),
        }


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
