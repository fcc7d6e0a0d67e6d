"""1T1R arrays most of whose rows are switched off: wires of idle rows in series, nothing else to solve.

A transistor without a channel (level 1) carries exactly nothing, whatever its drain and source are at between the voltages
applied. Where whole rows are off, the segments of a line between two busy nodes carry one current: one resistance. The busy
rows are solved as an array of their own, and the nodes between follow from

    v_m = v_a + (v_b - v_a) R_am / R_ab                                                             (voltage divider)
"""

from dataclasses import dataclass

import numpy as np

from crossbar.arrays.drives import Drives
from crossbar.elements.access import TransistorCells
from crossbar.elements.base import Array, IntArray
from crossbar.elements.cell_kernels import LEVEL1
from crossbar.solvers import room
from crossbar.solvers.lines import Plane, PlanesSolution


def busy_rows(cells: TransistorCells, source: Array, bit: Array, lowest: float, gate: Array) -> IntArray | None:
    """Rows in which a transistor may conduct at voltages above `lowest` [V], at gate voltages (batch, M) [V]; None where they are
    not few, or where lines with openings or without terminals need a closer look."""
    transistor, (m, _) = cells.transistor, cells.shape
    if transistor.kind != LEVEL1 or not all(
            np.isfinite(r[:, 1:-1]).all() and np.isfinite(r[:, [0, -1]]).any(axis=1).all() for r in (source, bit)):
        return None
    slope = transistor.current(lowest, gate.max(axis=0)[:, None], lowest, cells.v_bulk)[1]
    rows = np.flatnonzero(np.broadcast_to(slope > 0, (m, slope.shape[-1])).any(axis=1))
    return rows if 0 < 2 * rows.size <= m else None


@dataclass(frozen=True, eq=False)
class Folded:
    """Lines (L, n+1) [ohm], with leads, whose nodes are kept at `rows`, or lines across of which `rows` are kept."""

    r: Array
    rows: IntArray
    along: bool  # whether the lines run down the columns, through all rows

    def plane(self, near: Array, far: Array) -> Plane:
        """What is left, between terminal voltages (B, lines) [V]."""
        if not self.along:
            return Plane.of(self.r[self.rows].T, near[:, self.rows], far[:, self.rows])
        return Plane.of(np.add.reduceat(self.r, np.r_[0, self.rows + 1], axis=1).T, near, far)

    def whole(self, kept: Array, near: Array, far: Array) -> Array:
        """Node voltages (B, M, N) of all rows from those (B, K, N) of the kept ones."""
        from crossbar.elements import line_code
        batch, _, columns = kept.shape
        if self.along:
            out = room.empty((batch, self.r.shape[1] - 1, columns))
            line_code.stretch(np.ascontiguousarray(self.r.T), self.rows, kept, near, far, out)
            return out
        out = np.ascontiguousarray(np.swapaxes(Plane.of(self.r.T, near, far).alone(), 1, 2))
        out[:, self.rows] = kept
        return out

    def ends(self, kept: tuple[Array, Array], near: Array, far: Array) -> tuple[Array, Array]:
        """Currents out of both terminals of all lines from those of the kept ones."""
        if self.along:
            return kept
        through = Plane.of(self.r.T, near, far).through()
        out = -through, through
        for all_, some in zip(out, kept, strict=True):
            all_[:, self.rows] = some
        return out


def busy_part(drives: Drives, sides: tuple[str, str, str, str], source: Array, bit: Array, rows: IntArray,
              parallel: bool) -> tuple[tuple[Folded, Array, Array], tuple[Folded, Array, Array]]:
    """Both planes with their terminal voltages."""
    near, far, top, bottom = (drives.volts[side] for side in sides)
    return (Folded(source, rows, parallel), near, far), (Folded(bit, rows, True), top, bottom)


def unfolded(done: PlanesSolution, planes: tuple[tuple[Folded, Array, Array], tuple[Folded, Array, Array]]) -> PlanesSolution:
    """The solution of the whole array."""
    nodes = None if done.nodes is None else tuple(
        folded.whole(kept, near, far) for kept, (folded, near, far) in zip(done.nodes, planes, strict=True))
    out = [i for (folded, near, far), kept in zip(planes, (done.out[:2], done.out[2:]), strict=True)
           for i in folded.ends(kept, near, far)]
    return PlanesSolution(nodes, tuple(out), done.residual, done.relative_residual, done.iterations, done.trace)  # type: ignore
