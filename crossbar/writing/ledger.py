"""The accounts of a write: flips, probabilities, energy, one array operation after the other.

Every cell is a chain of two states, right (r, its target) and wrong (w), undisturbed or disturbed
(r*, w*): flipped at least once while it was not selected. A phase flips it with p_r or p_w, the
probabilities of either state under the cell's own voltage of the solved array,

    selected       r <- r (1 - p_r) + w p_w,   w <- w (1 - p_w) + r p_r,   r*, w* likewise
    not selected   r <- r (1 - p_r),           w <- w (1 - p_w),
                   r* <- r* (1 - p_r) + (w + w*) p_w,   w* <- w* (1 - p_w) + (r + r*) p_r

from r = 1 or w = 1. Then error = w + w*, disturb = r* + w*. Nothing is subtracted, so that 1e-30
keeps its digits.
"""

import numpy as np

from crossbar.elements.base import Array, IntArray, Mask
from crossbar.writing import occupation_kernels
from crossbar.writing.junctions import Flips, Solution, States
from crossbar.writing.occupation_kernels import RIGHT, WRONG
from crossbar.writing.report import WriteEnergy

Live = IntArray | slice


class Ledger:
    """Accounts of `batch` writes of M x N cells; every entry is for the writes `live` that took part in a phase: k numbers, or
    all of them as a slice, which copies nothing. What a phase selects are columns (k, N) of one row; a read selects none."""

    def __init__(self, batch: int, shape: tuple[int, int], target: States, states: States) -> None:
        self.target = np.ascontiguousarray(target)
        whole = (batch, *shape)
        self.pulses, self.disturbs = np.zeros(whole, np.intp), np.zeros(whole, np.intp)
        self.cells = np.zeros(whole)
        self.occupation = np.zeros((*whole, 4))
        self.occupation[..., RIGHT] = states == target
        self.occupation[..., WRONG] = states != target
        self.sources, self.time = np.zeros(batch), np.zeros(batch)
        self.lines: dict[str, Array] = {}
        self.ends: dict[str, Array] = {}
        self.phases = self.solves = 0
        self.residual = 0.0

    def pulse(self, live: Live, row: int, columns: Mask) -> None:
        """A pulse on the selected cells."""
        self.pulses[live, row] += columns

    def draw(
        self, live: Live, row: int, columns: Mask, states: States, flips: Flips, uniforms: Array
    ) -> None:
        """Cells flip, by uniforms (k, M, N) in [0, 1): states (batch, M, N) are changed in
        place."""
        occupation_kernels.draw(
            uniforms,
            states,
            self.target,
            np.arange(len(states))[live],
            row,
            columns,
            flips.cells,
            flips.starts,
            flips.flips,
            flips.stays,
            flips.rest,
            self.occupation,
            self.disturbs,
        )

    def read(self, live: Live, states: States) -> None:
        """Reads tell the states (batch, M, N): from here on the chances are those of cells in
        them."""
        occupation = self.occupation[live].reshape(-1, *self.target.shape[1:], 2, 2)
        wrong = (states != self.target)[live]
        share = occupation.sum(axis=-1)
        occupation[..., RIGHT] = np.where(wrong[..., None], 0.0, share)
        occupation[..., WRONG] = np.where(wrong[..., None], share, 0.0)
        self.occupation[live] = occupation.reshape(*wrong.shape, 4)

    def flipped(self, live: Live, row: int, columns: Mask, flips: Mask) -> None:
        """Cells (k, M, N) that a phase did flip."""
        if flips.any():
            disturbed = flips.copy()
            disturbed[:, row] &= ~columns
            self.disturbs[live] += disturbed

    def spend(self, live: Live, solution: Solution, duration: float) -> None:
        """The power of a solution (k, ...), for a time [s]."""
        self.sources[live] += solution.source_power * duration
        self.cells[live] += solution.cell_power * duration
        for accounts, watts in ((self.lines, dict(zip(solution.node_names, solution.line_power, strict=True))),
                                (self.ends, solution.driver_power)):
            for name, x in watts.items():
                accounts.setdefault(name, np.zeros((self.sources.size, x.shape[-1])))[live] += x * duration
        self.residual = max(self.residual, float(np.max(solution.relative_residual)))

    @property
    def disturb(self) -> Array:
        """(batch, M, N) probability to have been flipped while not selected."""
        return self.occupation[..., 2 + RIGHT] + self.occupation[..., 2 + WRONG]

    @property
    def error(self) -> Array:
        """(batch, M, N) probability not to be in the target state."""
        return self.occupation[..., WRONG] + self.occupation[..., 2 + WRONG]

    @property
    def energy(self) -> WriteEnergy:
        """So far."""
        return WriteEnergy(sources=self.sources, cells=self.cells, lines=self.lines, ends=self.ends)
