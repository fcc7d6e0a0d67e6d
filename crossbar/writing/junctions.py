"""The junctions of an array, passive or 1T1R: what a solved array does to them, and what becomes of them."""

from dataclasses import replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from crossbar import mtj
from crossbar.arrays import OneTransistorArray
from crossbar.elements.base import Array, Mask
from crossbar.elements.cells import MTJCells
from crossbar.elements.fields import pick_rows
from crossbar.elements.solution import ArraySolution, TransistorSolution
from crossbar.errors import DataError
from crossbar.mtj.switching import Method
from crossbar.writing.schemes import WritableArray

States = npt.NDArray[np.int8]
Solution = ArraySolution | TransistorSolution

_REST = 1e-6  # of V_c0: a voltage below changes the probability of a flip by less than 2 Delta of that


class Junctions:
    """What writing needs to know of the cells. Raises DataError for cells that are no MTJs, or whose dynamics are unknown."""

    def __init__(self, array: WritableArray, method: Method = "fokker-planck", exponent: int = 2) -> None:
        cells = array.cells.cells if isinstance(array, OneTransistorArray) else array.cells
        if not isinstance(cells, MTJCells):
            raise DataError(f"only MTJCells have states to write, not {type(cells).__name__}")
        cells.params.need("delta", "tau_d", "i_c0_p", "i_c0_ap", what="writing")
        self.cells, self.p, self.shape = cells, cells.params, cells.shape
        self.method, self.exponent = method, exponent
        self.fixed: Mask | None = None if cells.defects is None else np.broadcast_to(cells.defects.mask, cells.shape)
        self._resting: dict[float, tuple[Array, Array, Array, Array]] = {}
        self._rows: dict[bytes, mtj.MTJParams] = {}

    @property
    def states(self) -> States:
        """(M, N) as the array has them. Raises DataError for partly switched cells."""
        if self.cells.state is None:
            raise DataError("writing starts from states P and AP; these cells have m_z: give MTJCells(params, state)")
        return np.array(self.cells.state, dtype=np.int8)

    @cached_property
    def low(self) -> float:
        """Voltage below which a junction is as good as at rest [V]."""
        return _REST * float(min(self.p.v_c0(1).min(), self.p.v_c0(-1).min()))

    def volts(self, solution: Solution) -> Array:
        """(..., M, N) across the junctions, free minus fixed [V]; 0 where no terminal reaches."""
        v = solution.mtj_voltage if isinstance(solution, TransistorSolution) else solution.cell_voltage
        return np.nan_to_num(v) if self.fixed is not None or np.isnan(v).any() else v

    def must_bear(self, solution: Solution, breakdown: float) -> None:
        """Raise DataError where a junction sees more than `breakdown` [V]."""
        highest = np.abs(self.volts(solution))
        if self.fixed is not None:
            highest = np.where(self.fixed, 0.0, highest)
        if not highest.max() <= breakdown:
            i, j = np.unravel_index(int(highest.argmax()), highest.shape)[-2:]
            raise DataError(f"the junction of cell [{i},{j}] would see {highest.max():.4g} V, beyond the breakdown limit of "
                            f"{breakdown:g} V; lower the amplitude (a longer pulse needs less), or give breakdown=")

    def switched(self, solution: Solution, width: float, states: States) -> tuple[Array, Array]:
        """Probabilities (B, M, N) that a pulse of this width, of the voltages of a solution (B, M, N), flips junctions that were
        at rest, and that it doesn't."""
        volts, amperes = self.volts(solution), solution.cell_current
        rows = np.flatnonzero(np.abs(volts).max(axis=(0, 2)) > self.low)
        if 2 * rows.size > self.shape[0]:
            flips, stays = self._pulsed(amperes, volts, width, self.p, states)
        else:
            flips, stays = (np.where(states > 0, x, y) for x, y in self._at_rest(width))
            if rows.size:
                flips[:, rows], stays[:, rows] = self._pulsed(amperes[:, rows], volts[:, rows], width, self._of_rows(rows),
                                                              states[:, rows])
        if self.fixed is not None:
            flips[:, self.fixed], stays[:, self.fixed] = 0.0, 1.0
        return flips, stays

    def fails(self, solution: Solution, width: float, row: int, target: States) -> Array:
        """Probabilities (B, N) that a pulse leaves cells of a row on the other side than their target (B, N), were they there, at
        the voltages of a solution."""
        v = self.volts(solution)[:, row]
        p = self._of_rows(np.array([row]))
        return self._pulsed(mtj.current(v, p, -target)[0], v, width, p, -target)[1]

    def _pulsed(self, amperes: Array, volts: Array, width: float, p: mtj.MTJParams, states: States) -> tuple[Array, Array]:
        return mtj.switched_by(amperes, volts, np.asarray(width), p, states, self.method, exponent=self.exponent)

    def _at_rest(self, width: float) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Probabilities of a flip in P and in AP, and of none, without voltage."""
        if width not in self._resting:
            none = np.zeros(self.p.shape)
            both = [self._pulsed(none, none, width, self.p, np.full(self.p.shape, s, np.int8)) for s in (1, -1)]
            self._resting = {width: (both[0][0], both[1][0], both[0][1], both[1][1])}
        p_flips, ap_flips, p_stays, ap_stays = self._resting[width]
        return (p_flips, ap_flips), (p_stays, ap_stays)

    def _of_rows(self, rows: npt.NDArray[np.intp]) -> mtj.MTJParams:
        """Parameters of the junctions of some rows; those of the last rows asked for are kept."""
        if rows.tobytes() not in self._rows:
            self._rows = {rows.tobytes(): pick_rows(self.p, self.shape, rows)}
        return self._rows[rows.tobytes()]

    def conducting(self, solution: Solution, z: Array) -> Array:
        """(B, M, N) cell currents [A] at the voltages of a solution, had the junctions turned to cos(theta) = z."""
        junctions = self.cells.in_state(z)
        if isinstance(solution, TransistorSolution):
            return replace(solution, cells=replace(solution.cells, cells=junctions)).cell_current
        return replace(solution, cells=junctions).cell_current

    def axial_drive(self, amperes: Array, z: Array) -> Array:
        """Overdrive of `mtj.AxialCells` (B, M, N): the critical current is linear in z, as the inverse of the torque's efficiency
        is; positive currents drive to z = +1 (P)."""
        critical = (1 + z) / 2 * np.asarray(self.p.i_c0_p) + (1 - z) / 2 * np.asarray(self.p.i_c0_ap)
        return -amperes / critical

    def array(self, array: WritableArray, states: States) -> WritableArray:
        """The array with its junctions in these states."""
        return array.with_cells(self.cells.with_state(states))
