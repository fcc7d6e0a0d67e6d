"""What junctions would see were they in the other state, all other cells as they are.

A cell's two lines answer a change of its current, each with a resistance R,

    1 / R = 1 / R_near + 1 / R_far + sum of the conductances of the other cells on the line       (1)

(wires and driver from the cell to either end of its line that is driven; the other lines are taken
to hold their voltages). Between them the junction, turned, and what is in series with it carry i'
at the voltage v',

    v' = v - (R_first + R_second) (i' - i)                                                        (2)

with v and i as they are. Exact where a line has one cell that conducts, as in 1T1R arrays whose
source lines run along the bit lines.
"""

from dataclasses import replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from crossbar.elements.base import Array, IntArray, Mask
from crossbar.elements.cells import MTJCells
from crossbar.elements.solution import ArraySolution, Lines, TransistorSolution
from crossbar.writing import turning_kernels

States = npt.NDArray[np.int8]
Solution = ArraySolution | TransistorSolution

_STEPS = 20  # of Newton's method
_KEPT = 4  # patterns of driven ends whose conductances are kept
_CLOSE = 1e-4  # share of a current that its last step may take


class Turning:
    """Junctions of an array; what its lines and they conduct is kept from one phase to the next.

    Cells (n,) are flat indices into (B, M, N), in ascending order.
    """

    def __init__(self, cells: MTJCells) -> None:
        self.cells = cells
        self._to_ends: dict[bytes, Array] = {}

    def turned(
        self, solution: Solution, volts: Array, states: States, cells: IntArray
    ) -> tuple[Array, Array]:
        """Voltages (n,) [V] and currents [A] of junctions, turned; volts, states (B, M, N): as they
        are."""
        if isinstance(solution, TransistorSolution):
            return self._behind_transistors(solution, states, cells)
        return self._between_lines(solution, volts, states, cells)

    def _between_lines(
        self, solution: ArraySolution, volts: Array, states: States, cells: IntArray
    ) -> tuple[Array, Array]:
        """(2) for junctions alone."""
        (law, g_p, g_ap), (words, bits) = self._laws, self._line_conductances(solution)
        states = np.ascontiguousarray(states)
        turned_volts, turned_amperes = np.empty((2, cells.size))
        turning_kernels.turn(
            cells,
            np.ascontiguousarray(volts),
            np.ascontiguousarray(solution.cell_current),
            states,
            law,
            g_p,
            g_ap,
            words,
            bits,
            turned_volts,
            turned_amperes,
        )
        return turned_volts, turned_amperes

    def _behind_transistors(
        self, solution: TransistorSolution, states: States, cells: IntArray
    ) -> tuple[Array, Array]:
        """(2) for junctions with transistors, for all cells of the rows at once."""
        batch, row, column = np.unravel_index(cells, states.shape)
        rows = np.unique(row)
        assert solution.share is not None  # kept with the nodes
        bit, source = solution.bit_voltage[:, rows], solution.source_voltage[:, rows]
        gate = np.broadcast_to(solution.gate, states.shape[:2])[:, rows, None]
        share = np.ascontiguousarray(solution.share[:, rows])
        junctions = self.cells.of_rows(rows)
        present = replace(solution.cells.of_rows(rows), cells=junctions.in_state(states[:, rows]))
        turned = replace(present, cells=junctions.in_state(-states[:, rows]))
        amperes, g_bit, g_source = present.current(bit, source, gate, share=share.copy())

        # What the lines' ends and the other cells of these rows conduct; all others are off.
        source_ends, bit_ends = (x[:, rows] for x in self._line_conductances(solution))
        along = 1 if solution.parallel else 2
        r_bit = _inverse(bit_ends + np.nansum(g_bit, axis=1, keepdims=True) - g_bit)
        r_source = _inverse(source_ends + np.nansum(g_source, axis=along, keepdims=True) - g_source)

        change = np.zeros(bit.shape)  # i' - i [A]
        for _ in range(_STEPS):
            v_bit, v_source = bit - r_bit * change, source + r_source * change
            i, g_b, g_s = turned.current(v_bit, v_source, gate, share=share)
            step = (amperes + change - i) / (1 + r_bit * g_b + r_source * g_s)
            change = change - step
            if not (np.abs(step) > _CLOSE * np.abs(amperes)).any():
                break
        places = batch, np.searchsorted(rows, row), column
        return np.nan_to_num((share * (v_bit - v_source))[places]), np.nan_to_num(i[places])

    @cached_property
    def _laws(self) -> tuple[tuple[Array, ...], Array, Array]:
        """Parameters of the junctions in AP; conductances (M, N) of all cells in P and in AP,
        without a voltage [S]."""
        everything = np.ones(self.cells.shape)
        parallel, antiparallel = (self.cells.in_state(m_z * everything) for m_z in (1, -1))
        g_p, g_ap = (
            np.array(np.broadcast_to(cells.conductance, cells.shape))
            for cells in (parallel, antiparallel)
        )
        return antiparallel.matrices, g_p, g_ap

    def _line_conductances(self, solution: Solution) -> tuple[Array, Array]:
        """(B or 1, M, N) from cells to the driven ends of their lines, of the first and of the
        second plane [S]."""
        first, second = solution.lines
        return self._ends(first, solution), self._ends(second, solution)

    def _ends(self, plane: Lines, solution: Solution) -> Array:
        driven = np.array(
            [~np.isnan(np.atleast_2d(solution.terminal_voltage[side])) for side in plane[:2]]
        )
        if (driven == driven[:, :1]).all():
            driven = driven[:, :1]
        key = plane.near.encode() + driven.tobytes()
        if key not in self._to_ends:
            if len(self._to_ends) >= _KEPT:
                self._to_ends.clear()
            self._to_ends[key] = _to_ends(plane, solution, driven)
        return self._to_ends[key]


def _to_ends(plane: Lines, solution: Solution, driven: Mask) -> Array:
    """(B or 1, M, N) conductances of wires and drivers from every node of a plane's lines to their
    ends [S] that are driven (2, B or 1, L)."""
    near = solution.r_driver[plane.near][:, None] + np.cumsum(plane.r[:, :-1], axis=1)
    far = solution.r_driver[plane.far][:, None] + np.cumsum(plane.r[:, :0:-1], axis=1)[:, ::-1]
    total = np.where(driven[0, :, :, None], _inverse(near), 0.0) + np.where(
        driven[1, :, :, None], _inverse(far), 0.0
    )
    return np.ascontiguousarray(total if plane.rows else np.swapaxes(total, 1, 2))


def _inverse(x: Array) -> Array:
    """1 / x of what is at least 0 but for rounding, infinite at 0."""
    with np.errstate(divide="ignore", over="ignore"):
        return 1 / np.maximum(x, 0.0)
