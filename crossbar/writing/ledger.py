"""The accounts of a write: flips, probabilities, energy, one array operation after the other.

    disturb   1 - prod_k (1 - p_k) over the phases k in which a cell is not selected, p_k its probability to flip in the state it
              is in, under its own voltage of the solved array
    error     the probability e that a cell is not where it should be, from its first pulse on: e <- e q + (1 - e) p, where a
              pulse fails with q in a cell that is wrong, and p flips away one that is right; without a pulse on it q = 1
"""

import numpy as np

from crossbar.elements.base import Array, IntArray, Mask
from crossbar.writing import ledger_code
from crossbar.writing.junctions import Solution, States
from crossbar.writing.report import WriteEnergy

Live = IntArray | slice


class Ledger:
    """Accounts of `batch` writes of M x N cells; every entry is for the writes `live` that took part in a phase: k numbers, or
    all of them as a slice, which copies nothing. What a phase selects are columns (k, N) of one row; a read selects none."""

    def __init__(self, batch: int, shape: tuple[int, int], target: States) -> None:
        self.target = np.ascontiguousarray(target)
        whole = (batch, *shape)
        self.pulses, self.disturbs = np.zeros(whole, np.intp), np.zeros(whole, np.intp)
        self.hazard, self.error, self.cells = np.zeros(whole), np.zeros(whole), np.zeros(whole)
        self.sources, self.time = np.zeros(batch), np.zeros(batch)
        self.lines: dict[str, Array] = {}
        self.ends: dict[str, Array] = {}
        self.phases = self.solves = 0
        self.residual = 0.0

    def pulse(self, live: Live, row: int, columns: Mask, states: States) -> None:
        """A pulse on the selected cells, in the states (k, M, N) before."""
        first = columns & (self.pulses[live, row] == 0)
        wrong = states[:, row] != self.target[live, row]
        self.error[live, row] = np.where(first, wrong.astype(float), self.error[live, row])
        self.pulses[live, row] += columns

    def probabilities(self, live: Live, row: int, columns: Mask, states: States, flips: Array, stays: Array,
                      fails: Array) -> None:
        """Probabilities (k, M, N) of a phase that flips cells, or doesn't, in the states that they had, and fails (k, N), that it
        does not bring those of the row to their target if they are not there."""
        hazard, error = self.hazard[live], self.error[live]
        ledger_code.account(flips, stays, fails, states, self.target[live], row, columns, hazard, error)
        if not isinstance(live, slice):
            self.hazard[live], self.error[live] = hazard, error

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
        """(batch, M, N) probability to be flipped while not selected."""
        return -np.expm1(-self.hazard)

    @property
    def energy(self) -> WriteEnergy:
        """So far."""
        return WriteEnergy(sources=self.sources, cells=self.cells, lines=self.lines, ends=self.ends)
