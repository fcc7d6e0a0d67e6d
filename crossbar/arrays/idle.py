"""1T1R arrays most of whose rows are switched off: wires of idle rows in series, nothing else to solve.

A transistor without a channel (level 1) carries exactly nothing, whatever its drain and source are at between the voltages
applied. Where whole rows are off, the segments of a line between two busy nodes carry one current: one resistance. The busy
rows are solved as an array of their own, and the nodes between follow from

    v_m = v_a + (v_b - v_a) R_am / R_ab                                                             (voltage divider)
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crossbar.elements.access import TransistorCells
from crossbar.elements.base import Array, IntArray, Mask
from crossbar.elements.cell_kernels import LEVEL1
from crossbar.elements.linear import lever_shares
from crossbar.elements.xbar import distinct
from crossbar.solvers import room
from crossbar.solvers.lines import Plane


def busy_rows(cells: TransistorCells, source: Array, bit: Array, lowest: Array, gate: Array) -> IntArray | None:
    """Rows in which a transistor may conduct for some input, at voltages above its `lowest` (batch,) [V] and gate voltages
    (batch, M) [V]; None where they are not few, or where lines with openings or without terminals need a closer look."""
    transistor, (m, _) = cells.transistor, cells.shape
    if transistor.kind != LEVEL1 or not all(
            np.isfinite(r[:, 1:-1]).all() and np.isfinite(r[:, [0, -1]]).any(axis=1).all() for r in (source, bit)):
        return None
    least = float(lowest.min())  # the rows that are left out are off for every input; those kept may be off for some
    slope = transistor.current(least, gate.max(axis=0)[:, None], least, cells.v_bulk)[1]
    rows = np.flatnonzero(np.broadcast_to(slope > 0, (m, slope.shape[-1])).any(axis=1))
    return rows if 0 < 2 * rows.size <= m else None


@dataclass(frozen=True, eq=False)
class Folded:
    """Lines r (L, n+1) [ohm], with leads, between terminal voltages near and far (B, L) [V]; nodes in `rows` are kept, if the
    lines run down the columns, through all rows (`along`), else the lines of these rows."""

    r: Array
    near: Array
    far: Array
    rows: IntArray
    along: bool

    @property
    def kept(self) -> Plane:
        """What is left."""
        if self.along:
            return Plane.of(np.add.reduceat(self.r, np.r_[0, self.rows + 1], axis=1).T, self.near, self.far)
        return Plane.of(self.r[self.rows].T, self.near[:, self.rows], self.far[:, self.rows])

    @property
    def _all(self) -> Plane:
        return Plane.of(self.r.T, self.near, self.far)

    def whole(self, kept: Array) -> Array:
        """Node voltages (B, M, N) of all rows from those (B, K, N) of the kept ones."""
        if self.along:
            from crossbar.elements import line_code
            out = room.empty((len(kept), self.r.shape[1] - 1, kept.shape[2]))
            line_code.stretch(np.ascontiguousarray(self.r.T), self.rows, kept, self.near, self.far, out)
            return out
        out = np.ascontiguousarray(np.swapaxes(self._all.alone(), 1, 2))
        out[:, self.rows] = kept
        return out

    @cached_property
    def ideal(self) -> Mask:
        """(L,) Lines through all rows that are 0 ohm from one terminal to the other: idle nodes count as the others do when these
        share the current by the lever rule."""
        zero = (distinct(self.r) == 0).all(axis=1) & self.along
        return np.broadcast_to(zero, len(self.r))

    def ends(self, near: Array, far: Array, drawn: Array | None) -> tuple[Array, Array]:
        """Currents out of both terminals of all lines from those of the kept ones [A]; drawn (B, K, N) by the cells from the
        nodes of the kept rows, wanted where there are `ideal` lines."""
        if self.along and drawn is not None:
            share = lever_shares(self.r.shape[1] - 1)[self.rows]
            from_near, from_far = np.einsum("bkn,k->bn", drawn, share), np.einsum("bkn,k->bn", drawn, 1 - share)
            return np.where(self.ideal, -from_near, near), np.where(self.ideal, -from_far, far)
        if self.along:
            return near, far
        through = self._all.through()
        out = -through, through
        out[0][:, self.rows], out[1][:, self.rows] = near, far
        return out
