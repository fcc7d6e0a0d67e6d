"""The junctions of an array, passive or 1T1R: what a solved array does to them, and what becomes of them."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from crossbar import mtj
from crossbar.arrays import OneTransistorArray
from crossbar.elements.base import Array, IntArray, Mask
from crossbar.elements.cells import MTJCells
from crossbar.elements.fields import pick_rows
from crossbar.elements.solution import ArraySolution, TransistorSolution
from crossbar.errors import DataError
from crossbar.mtj.switching import Method
from crossbar.writing.schemes import WritableArray
from crossbar.writing.turning import Turning

States = npt.NDArray[np.int8]
Solution = ArraySolution | TransistorSolution

_REST = 1e-6  # of V_c0: a voltage below changes the probability of a flip by less than 2 Delta of that
_NEVER = 1e-18  # probability in a phase below which a state that a cell is not in is taken to stay
_LEAST = 1e-300
_KEPT = 4  # widths whose probabilities at rest are kept


@dataclass(frozen=True, eq=False)
class Flips:
    """Probabilities of a phase of k writes to flip, and to stay."""

    place: IntArray      # (M,) where a row stands among the R under voltage; -1: at rest
    flips: Array         # (k, R, N) in the states that the cells have
    stays: Array
    opposed: IntArray    # (n,) flat indices into (k, M, N) of cells under voltage that would flip in the other state
    starts: IntArray     # (k R + 1,) where in `opposed` a row begins
    other_flips: Array   # (n,) of these in the other state; all others under voltage stay in theirs
    other_stays: Array
    rest: Array          # (2, 2, M or 1, N or 1) to flip and to stay, in P and in AP, without a voltage


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
        self._resting: dict[float, tuple[Array, float]] = {}
        self._rows: dict[bytes, mtj.MTJParams] = {}
        self._turning = Turning(cells)

    @property
    def states(self) -> States:
        """(M, N) as the array has them. Raises DataError for partly switched cells."""
        if self.cells.state is None:
            raise DataError("writing starts from states P and AP; these cells have m_z: give MTJCells(params, state)")
        return np.array(self.cells.state, dtype=np.int8)

    @cached_property
    def low(self) -> float:
        """Voltage below which a junction is as good as at rest [V]."""
        return _REST * self._v_c0

    @cached_property
    def _v_c0(self) -> float:
        """The least critical voltage [V]."""
        return float(min(self.p.v_c0(1).min(), self.p.v_c0(-1).min()))

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

    def flips(self, solution: Solution, width: float, states: States) -> Flips:
        """Probabilities that a pulse of this width, of the voltages of a solution (B, M, N), flips
        junctions that were at rest, in the states that they have and in the other ones."""
        volts = self.volts(solution)
        place, rows = self._under_voltage(volts)
        everywhere = rows.size == self.shape[0]
        some = slice(None) if everywhere else rows
        flips, stays = np.empty((2, len(volts), rows.size, self.shape[1]))
        if rows.size:
            p = self.p if everywhere else self._of_rows(rows)
            flips, stays = self._pulsed(solution.cell_current[:, some], volts[:, some], width, p, states[:, some])
        if self.fixed is not None:
            flips[:, self.fixed[some]], stays[:, self.fixed[some]] = 0.0, 1.0
        rest, harmless = self._at_rest(width)
        opposed, starts = self._turning.opposed(volts, states, rows, harmless)
        other_flips, other_stays = self.turned(solution, width, states, opposed)
        return Flips(place=place, flips=flips, stays=stays, opposed=opposed, starts=starts, other_flips=other_flips,
                     other_stays=other_stays, rest=rest)

    def _under_voltage(self, volts: Array) -> tuple[IntArray, IntArray]:
        """Where the rows (M,) stand among those under voltage, -1 for the others; and these. Where they
        are more than half, all: copying some costs as much."""
        rows = np.flatnonzero(np.abs(volts).max(axis=(0, 2)) > self.low)
        if 2 * rows.size > self.shape[0]:
            rows = np.arange(self.shape[0])
        place = np.full(self.shape[0], -1)
        place[rows] = np.arange(rows.size)
        return place, rows

    def switched(self, solution: Solution, width: npt.ArrayLike, states: States) -> tuple[Array, Array]:
        """Probabilities (B, M, N) that pulses, of the voltages of a solution (B, M, N), flip junctions
        that were at rest, and that they don't; widths broadcast to the cells [s]."""
        flips, stays = self._pulsed(solution.cell_current, self.volts(solution), width, self.p, states)
        if self.fixed is not None:
            flips[:, self.fixed], stays[:, self.fixed] = 0.0, 1.0
        return flips, stays

    def turned(self, solution: Solution, width: npt.ArrayLike, states: States, which: IntArray) -> tuple[Array, Array]:
        """As `switched`, of some cells (n,), flat indices into (B, M, N), were they in the other states."""
        if not which.size:
            return np.empty(0), np.empty(0)
        volts, amperes = self._turning.turned(solution, self.volts(solution), states, which)
        cells, widths, p = which % (self.shape[0] * self.shape[1]), np.asarray(width), self.p
        if p.shape:
            p = p.select(self.shape, cells)
        if widths.ndim:
            widths = np.broadcast_to(widths, self.shape).ravel()[cells]
        return self._pulsed(amperes, volts, widths, p, -states.ravel()[which])

    def _pulsed(self, amperes: Array, volts: Array, width: npt.ArrayLike, p: mtj.MTJParams,
                states: States) -> tuple[Array, Array]:
        return mtj.switched_by(amperes, volts, np.asarray(width), p, states, self.method, exponent=self.exponent)

    def _at_rest(self, width: float) -> tuple[Array, float]:
        """(2, 2, M or 1, N or 1) probabilities to flip and to stay, in P and in AP, without voltage; and the
        voltage against a state [V] up to which it flips with less than _NEVER."""
        if width not in self._resting:
            if len(self._resting) >= _KEPT:
                self._resting.clear()
            none = np.zeros(np.broadcast_shapes(self.p.shape, (1, 1)))
            rest = np.array([self._pulsed(none, none, width, self.p, np.full(none.shape, state, np.int8))
                             for state in (1, -1)])
            if self.fixed is not None:
                rest = np.array(np.broadcast_to(rest, (2, 2, *self.shape)))
                rest[:, 0, self.fixed], rest[:, 1, self.fixed] = 0.0, 1.0
            self._resting[width] = rest, self._harmless(float(rest[:, 0].max()))
        return self._resting[width]

    def _harmless(self, at_rest: float) -> float:
        """Voltage [V] up to which junctions that flip with a probability `at_rest` without one flip with less
        than _NEVER: an overdrive i = I / I_c0 makes it at most exp(2 Delta i) times as much, and is at most
        V / V_c0."""
        if np.any(self.p.xi) or at_rest >= _NEVER:
            return -np.inf
        return np.log(_NEVER / max(at_rest, _LEAST)) / (2 * float(np.max(self.p.delta))) * self._v_c0

    def _of_rows(self, rows: IntArray) -> mtj.MTJParams:
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
