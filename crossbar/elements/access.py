"""Cells with three terminals: a junction in series with its access transistor (1T1R).

    bit line - junction (free layer first) - inner node - drain, transistor, source - source line;  gate on the word line

The inner node is eliminated: the cell is a law i(v_bit, v_source, gate), and

    di/dv_bit = g_j g_d / (g_j + g_d),   -di/dv_source = g_j g_s / (g_j + g_d),

with the slopes g_j of the junction, g_d = di/dv_d and g_s = -di/dv_s of the transistor, all at least 0. (Schur complement of the
inner node.) g_s > g_d where the transistor saturates, so the cell is no two-terminal element.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from crossbar.checks import finite_number, instance, voltages
from crossbar.elements.base import Array, Batch, IntArray
from crossbar.elements.cells import Cells
from crossbar.elements.fields import matrices, pick_rows
from crossbar.elements.series import Series, junction_matrices
from crossbar.elements.transistor import NMOS, NMOSes
from crossbar.summaries import short_repr


@dataclass(frozen=True, kw_only=True, eq=False)
class TransistorCells:
    """M x N cells.

    cells : the junctions, LinearCells or MTJCells; transistor : fields that broadcast to (M, N); v_bulk : body voltage [V].
    Raises DataError where shapes do not fit.
    """

    __repr__ = short_repr

    cells: Cells
    transistor: NMOS
    v_bulk: float = 0.0

    def __post_init__(self) -> None:
        junction_matrices(self.cells)
        instance(self.transistor, NMOS, "transistor: an NMOS").must_fit(self.cells.shape)
        bulk = voltages(finite_number(self.v_bulk, "v_bulk [V]"), "v_bulk [V]")
        object.__setattr__(self, "v_bulk", float(bulk))

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.cells.shape

    @property
    def kinds(self) -> str:
        """What the cells are, in a few words."""
        return f"{self.cells.kinds}; NMOS {self.transistor.model}"

    def of_rows(self, rows: IntArray) -> "TransistorCells":
        """Those of some rows."""
        return replace(self, cells=self.cells.of_rows(rows), transistor=pick_rows(self.transistor, self.shape, rows))

    @cached_property
    def open_junctions(self) -> tuple[IntArray, IntArray]:
        """Rows and columns of the junctions that are open: the whole voltage of the cell is across them."""
        rows, columns = np.nonzero(~self.cells.conducts)
        return rows, columns

    @cached_property
    def _series(self) -> Series:
        return Series(kind=self.transistor.kind, junction=junction_matrices(self.cells),
                      device=matrices(*self.transistor.values), shape=self.shape)

    def current(self, v_bit: npt.ArrayLike, v_source: npt.ArrayLike, gate: npt.ArrayLike, *, share: Array | None = None,
                v_cell: npt.ArrayLike | None = None, out: Sequence[Array] | None = None) -> tuple[Array, Array, Array]:
        """Currents i from bit to source line [A], di/dv_bit and -di/dv_source [S], both at least 0; each (..., M, N).

        v_bit, v_source, gate : node voltages [V] that broadcast to (..., M, N); gate (M, 1) drives row by row. A cell whose
        transistor is off (level 1) carries exactly 0 with slopes 0. NaN at the bit or source node gives NaN.
        v_cell : v_bit - v_source [V] where it is known to more digits than that difference has.
        share, out : see `Series.current`; share (v_bit - v_source) is the voltage of the junction.
        """
        if v_cell is None:
            v_cell = np.subtract(v_bit, v_source)
        return self._series.current(v_cell, v_source, gate, self.v_bulk, share=share, out=out)

    def batches(self, names: Sequence[str], transistor_names: Sequence[str], nodes: IntArray,
                which: IntArray) -> tuple[Batch, NMOSes]:
        """Junctions and transistors of the cells with flat indices `which` as circuit elements.

        nodes : (len(which), 5): bit, inner, source, gate and body node of each cell.
        """
        bit, inner, source, gate, body = nodes.T
        return (self.cells.batch(names, np.column_stack((bit, inner)), which),
                NMOSes(names=transistor_names, nodes=np.column_stack((inner, source, gate, body)),
                       transistor=self.transistor.select(self.shape, which)))
