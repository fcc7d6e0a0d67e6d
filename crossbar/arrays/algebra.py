"""Linear algebra of arrays for users: derivatives of currents, what a tester sees, sneak paths, sense margins.

The methods are here, on a base class of the arrays; their mathematics is in `sensitivity` and `reading`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from crossbar.arrays import reading
from crossbar.arrays.drives import Drive, applied_volts
from crossbar.arrays.reading import ReadBreakdown, SenseMargin
from crossbar.arrays.schemes import Scheme, as_scheme, check_sides
from crossbar.arrays.sensitivity import QUANTITIES, Sensitivity, sensitivity
from crossbar.checks import choice, voltages, whole_numbers
from crossbar.elements.base import Array
from crossbar.elements.cells import Cells
from crossbar.elements.solution import ArraySolution
from crossbar.elements.xbar import SIDES, lines_of
from crossbar.errors import DataError

By = Literal["conductance", "scale", "m_z"]
_READ_SIDES = ("word_left", "bit_bottom")


class ArrayAlgebra(ABC):
    """What follows from being able to solve an array."""

    cells: Cells
    r_word: Array
    r_bit: Array
    r_driver: Mapping[str, Array]

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""

    @abstractmethod
    def solve(self, word_left: Drive = None, word_right: Drive = None, bit_top: Drive = None,
              bit_bottom: Drive = 0.0, *, rtol: float = 1e-10, keep: Literal["nodes", "terminals"] = "nodes",
              ) -> ArraySolution:
        """Voltages and currents for terminal voltages."""

    @abstractmethod
    def with_cells(self, cells: Cells | npt.ArrayLike) -> "ArrayAlgebra":
        """The same wires around other cells."""

    def sensitivity(self, word_left: Drive = None, word_right: Drive = None, bit_top: Drive = None,
                    bit_bottom: Drive = 0.0, *, output: str = "bit_bottom", weights: npt.ArrayLike = 1.0,
                    rtol: float = 1e-10) -> Sensitivity:
        """All derivatives of F = sum_k w_k I_k, I_k the currents out of the array at the terminals of `output`: with respect
        to cells, terminal voltages, wires and drivers. One more solve, of the adjoint; see `Sensitivity`.

        Drives are those of `solve`. weights : scalar or (..., lines of output); leading axes broadcast against the inputs'.
        Raises DataError for an open output side, weights that do not fit, or a cell of negative slope; else as `solve`.
        """
        drives = dict(zip(SIDES, (word_left, word_right, bit_top, bit_bottom), strict=True))
        return sensitivity(self, drives, output, weights, rtol)

    def gradient(self, word_left: Drive = None, word_right: Drive = None, bit_top: Drive = None,
                 bit_bottom: Drive = 0.0, *, output: str = "bit_bottom", weights: npt.ArrayLike = 1.0,
                 by: By = "conductance", rtol: float = 1e-10) -> Array:
        """Derivative (..., M, N) of F = sum_k w_k I_k with respect to a value of every cell: a vector-Jacobian product.

        by : "conductance", dF/dg [V], of any law: g is added beside the cell; "scale", dF/ds [A], the cell's current is
            s i(v) at s = 1, for ohmic cells dF/dln g; "m_z", dF/dm_z [A], junctions only, 0 where
            they are short, open or stuck.
        For back-propagation through a batch give w = dLoss/dI (batch, lines). Else as `sensitivity`.
        """
        choice(by, QUANTITIES, "by")
        found = self.sensitivity(word_left, word_right, bit_top, bit_bottom, output=output, weights=weights, rtol=rtol)
        return getattr(found, by)

    def jacobian(self, word_left: Drive = None, word_right: Drive = None, bit_top: Drive = None,
                 bit_bottom: Drive = 0.0, *, output: str = "bit_bottom", lines: Sequence[int] | None = None,
                 by: By = "conductance", rtol: float = 1e-10) -> Array:
        """Derivatives (..., K, M, N) of the currents of K lines of `output` (all by default), else as `gradient`.

        Linear cells with the same ends open for every input take K adjoint solves in all, others K an input. Raises SizeError
        where the result would not fit in memory: ask for fewer lines.
        """
        choice(output, SIDES, "output")
        count = lines_of(output, self.shape)
        wanted = f"lines of {output}, from 0 to {count - 1}"
        k = np.arange(count) if lines is None else whole_numbers(lines, wanted)
        if k.ndim != 1 or not k.size or not ((0 <= k) & (k < count)).all():
            raise DataError(f"lines of {output} are a list of numbers from 0 to {count - 1}, not {lines!r}")
        weights = np.eye(count)[k]
        drives = (word_left, word_right, bit_top, bit_bottom)
        batched = any(applied_volts("drives", d).ndim == 2 for d in drives if d is not None)
        out = self.gradient(*drives, output=output, weights=weights[:, None] if batched else weights, by=by, rtol=rtol)
        return np.swapaxes(out, 0, 1) if batched else out

    def terminal_conductance(self, *sides: str, rtol: float = 1e-10) -> Array:
        """Conductances G (T, T) [S] between the T terminals of `sides` ("word_left" and "bit_bottom" by default), their lines
        one side after the other: currents into the array = G @ voltages, no other end connected. Linear cells.

        Symmetric, positive semidefinite, rows sum to 0. T right-hand sides. Raises DataError for nonlinear cells or wrong
        sides, TopologyError where 0 ohm joins two terminals.
        """
        return reading.terminal_conductance(self, sides or _READ_SIDES, rtol)

    def effective_conductance(self, scheme: str | Scheme = "floating", *, at: Literal["sense", "source"] = "sense",
                              sides: Sequence[str] = _READ_SIDES, rtol: float = 1e-10) -> Array:
        """Conductance (M, N) [S] that a tester sees who selects each cell in turn: its current per volt between word line i
        and bit line j, through the cell, around it and through the wires. Linear cells; M + N right-hand sides.

        scheme : what the other lines do meanwhile; "floating": both ends of the tester see the same current, 1 / the resistance
            distance between the two terminals. "grounded": the sensed current is that of the transfer matrix, the source also
            feeds all other columns. Or any `Scheme` or its name.
        at : where the tester measures the current: "sense", out of the selected bit line, or "source", into the word line.
        sides : the ends of word and bit lines that are used; the others are open.
        0 where no path joins the two lines. Raises DataError for nonlinear cells or a wrong argument.
        """
        return reading.effective_conductance(self, as_scheme(scheme), at, check_sides(sides), rtol)

    def read_breakdown(self, row: npt.ArrayLike | None = None, column: npt.ArrayLike | None = None, *,
                       scheme: str | Scheme = "floating", voltage: float = 0.1, sides: Sequence[str] = _READ_SIDES,
                       rtol: float = 1e-10) -> ReadBreakdown:
        """Reads of cell (row, column), of several (lists of equal length) or by default of every cell, each by itself: the
        sense current, and how much of it went through the selected cell and around it.

        Every cell of a linear array takes 2 (M + N) right-hand sides, else each read is solved. scheme, sides : as in
        `effective_conductance`. voltage : applied [V]. Raises DataError for a cell that is not there or a wrong argument.
        """
        return reading.read_breakdown(self, row, column, as_scheme(scheme), _volts(voltage), check_sides(sides), rtol)

    def sense_margin(self, row: npt.ArrayLike | None = None, column: npt.ArrayLike | None = None, *,
                     scheme: str | Scheme = "floating", voltage: float = 0.1,
                     states: tuple[npt.ArrayLike, npt.ArrayLike] | None = None, sides: Sequence[str] = _READ_SIDES,
                     rtol: float = 1e-10) -> SenseMargin:
        """Sense current of each cell in P and in AP, all other cells as they are, and the difference.
        A cell that is short, open or stuck stays what it is: its margin is 0.

        Cells as in `read_breakdown`; every cell of a linear array takes 2 (M + N) right-hand sides and a block elimination of
        O(max(M, N) min(M, N)^3) operations and max(M, N) min(M, N)^2 numbers, else each read is solved twice.
        states : (g_p, g_ap) [S], scalars or (M, N), for linear cells; junctions know theirs. Raises DataError for a wrong
        argument, SizeError if it would not fit in memory.
        """
        return reading.sense_margin(self, row, column, as_scheme(scheme), _volts(voltage), states, check_sides(sides), rtol)


def _volts(voltage: float) -> float:
    v = voltages(voltage, "the applied voltage [V]")
    if v.ndim or v == 0:
        raise DataError("the applied voltage [V] is one finite number, not 0")
    return float(v)
