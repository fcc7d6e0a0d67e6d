"""The junctions of an array, passive or 1T1R: what a solved array does to them, and what becomes of them."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from crossbar import mtj
from crossbar.arrays import OneTransistorArray, PassiveArray
from crossbar.checks import instance
from crossbar.elements.base import Array, IntArray, Mask
from crossbar.elements.cells import MTJCells
from crossbar.elements.solution import ArraySolution, TransistorSolution
from crossbar.errors import DataError
from crossbar.mtj.switching import Method
from crossbar.writing import turning_kernels
from crossbar.writing.schemes import WritableArray
from crossbar.writing.turning import Turning

States = npt.NDArray[np.int8]
Solution = ArraySolution | TransistorSolution

_REST = 1e-6  # of V_c0: a voltage below changes the probability of a flip by less than 2 Delta of that
_NEVER = 1e-18  # probability to flip in a phase below which a state is taken to stay
_FEW = 4096  # cells: arrays of so many are looked at whole
_LEAST = 1e-300
_KEPT = 4  # widths whose probabilities at rest are kept


@dataclass(frozen=True, eq=False)
class Flips:
    """Probabilities of a phase of k writes; valid until those of the next are asked for.

    cells : (n + m,) flat indices into (k, M, N): n of those that may flip, then m of those that
    might were they in their other states. A cell in neither list is at rest; one in a single list
    stays where it is in the other state.
    """

    cells: IntArray
    starts: IntArray  # (2, k M + 1) where in each list a row begins
    flips: Array      # (n + m,) probability to flip
    stays: Array      # and to stay
    rest: Array  # (2, 2, M or 1, N or 1) to flip and to stay, in P and in AP, without a voltage


class Junctions:
    """What writing needs to know of the cells. Raises DataError for cells that are no MTJs, or whose dynamics are unknown."""

    def __init__(self, array: WritableArray, method: Method = "fokker-planck", exponent: int = 2) -> None:
        instance(
            array,
            (PassiveArray, OneTransistorArray),
            "an array to write: xb.PassiveArray or xb.OneTransistorArray",
        )
        cells = array.cells.cells if isinstance(array, OneTransistorArray) else array.cells
        if not isinstance(cells, MTJCells):
            raise DataError(f"only MTJCells have states to write, not {type(cells).__name__}")
        cells.params.need("delta", "tau_d", "i_c0_p", "i_c0_ap", what="writing")
        self.cells, self.p, self.shape = cells, cells.params, cells.shape
        self.method, self.exponent = method, exponent
        self.fixed: Mask | None = None if cells.defects is None else np.broadcast_to(cells.defects.mask, cells.shape)
        self._resting: dict[float, tuple[Array, tuple[float, float]]] = {}
        self._turning = Turning(cells)
        self._uniform = cells.params.shape == ()
        self._arrays: dict[str, npt.NDArray[Any]] = {}

    @property
    def states(self) -> States:
        """(M, N) as the array has them. Raises DataError for partly switched cells."""
        if self.cells.state is None:
            raise DataError("writing starts from states P and AP; these cells have m_z: give MTJCells(params, state)")
        return np.array(self.cells.state, dtype=np.int8)

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
        junctions that were at rest, in the states that they have and in the other ones.

        In large arrays only those states are looked at that flip with more than _NEVER; in small
        ones, and where junctions flip more often at rest, all that cells are in.
        """
        volts = np.ascontiguousarray(self.volts(solution))
        amperes = np.ascontiguousarray(solution.cell_current)
        now = np.ascontiguousarray(states)
        rest, (low, harmless) = self._at_rest(width)
        either = harmless == low
        stress = low, harmless, either or now[0].size <= _FEW, either

        most = 2 * volts.size
        cells, sides = self._scratch("cells", most, np.intp), self._scratch("sides", most, np.int8)
        seen, driven = self._scratch("seen", most), self._scratch("driven", most)
        starts = turning_kernels.list_stressed(
            volts, amperes, now, self._fixed_mask, stress, cells, seen, driven, sides
        )
        present, size = int(starts[0, -1]), int(starts[:, -1].sum())
        cells, sides, seen, driven = (x[:size] for x in (cells, sides, seen, driven))
        if present < size:
            seen[present:], driven[present:] = self._turning.turned(
                solution, volts, now, cells[present:]
            )
        flips, stays = self._pulsed_cells(driven, seen, width, sides, cells)
        return Flips(cells=cells, starts=starts, flips=flips, stays=stays, rest=rest)

    def _scratch(self, name: str, size: int, kind: npt.DTypeLike = float) -> npt.NDArray[Any]:
        """(size,) to be written over in every phase: fresh memory costs more than what is done with it."""
        if name not in self._arrays or self._arrays[name].size < size:
            self._arrays[name] = np.empty(size, kind)
        return self._arrays[name][:size]

    def switched(
        self, solution: Solution, width: npt.ArrayLike, states: States
    ) -> tuple[Array, Array]:
        """Probabilities (B, M, N) that pulses, of the voltages of a solution (B, M, N), flip
        junctions that were at rest, and that they don't; widths broadcast to the cells [s]."""
        flips, stays = self._pulsed(
            solution.cell_current, self.volts(solution), width, self.p, states
        )
        if self.fixed is not None:
            flips[:, self.fixed], stays[:, self.fixed] = 0.0, 1.0
        return flips, stays

    def turned(self, solution: Solution, width: npt.ArrayLike, states: States,
               which: IntArray) -> tuple[Array, Array]:
        """As `switched`, of some cells (n,), flat indices into (B, M, N), were they in the other
        states."""
        if not which.size:
            return np.empty(0), np.empty(0)
        volts, amperes = self._turning.turned(solution, self.volts(solution), states, which)
        return self._pulsed_cells(amperes, volts, width, -states.ravel()[which], which)

    def _pulsed_cells(self, amperes: Array, volts: Array, width: npt.ArrayLike, states: States,
                      which: IntArray) -> tuple[Array, Array]:
        """`_pulsed` for cells (n,), flat indices into (B, M, N)."""
        if not which.size:
            return np.empty(0), np.empty(0)
        widths: Array = np.asarray(width, dtype=float)
        p = self.p
        if not self._uniform:
            p = p.select(self.shape, which % (self.shape[0] * self.shape[1]))
        if widths.ndim:
            widths = np.broadcast_to(widths, self.shape).ravel()[
                which % (self.shape[0] * self.shape[1])
            ]
        return self._pulsed(amperes, volts, widths, p, states)

    def _pulsed(self, amperes: Array, volts: Array, width: npt.ArrayLike, p: mtj.MTJParams,
                states: States) -> tuple[Array, Array]:
        return mtj.switched_by(amperes, volts, np.asarray(width), p, states, self.method, exponent=self.exponent)

    def _at_rest(self, width: float) -> tuple[Array, tuple[float, float]]:
        """(2, 2, M or 1, N or 1) probabilities to flip and to stay, in P and in AP, without
        voltage; and `_stress`."""
        if width not in self._resting:
            if len(self._resting) >= _KEPT:
                self._resting.clear()
            none: Array = np.zeros(np.broadcast_shapes(self.p.shape, (1, 1)))
            rest = np.array(
                [
                    self._pulsed(none, none, width, self.p, np.full(none.shape, state, np.int8))
                    for state in (1, -1)
                ]
            )
            stress = self._stress(float(rest[:, 0].max()))
            if self.fixed is not None:
                rest = np.array(np.broadcast_to(rest, (2, 2, *self.shape)))
                rest[:, 0, self.fixed], rest[:, 1, self.fixed] = 0.0, 1.0
            self._resting[width] = rest, stress
        return self._resting[width]

    def _stress(self, at_rest: float) -> tuple[float, float]:
        """Two voltages [V]: up to the first junctions flip as they do without one; up to the
        second, with less than _NEVER.

        With a probability `at_rest` at 0 V, an overdrive i = I / I_c0 makes it at most
        exp(2 Delta i) times as much, and i is at most V / V_c0. Both are the first where that does
        not help.
        """
        low, harmless = _REST * self._v_c0, 0.0
        if not np.any(self.p.xi) and at_rest < _NEVER:
            harmless = (
                self._v_c0
                * np.log(_NEVER / max(at_rest, _LEAST))
                / (2 * float(np.max(np.asarray(self.p.delta))))
            )
        return low, max(low, harmless)

    @cached_property
    def _fixed_mask(self) -> Mask:
        """(M, N)"""
        return np.zeros(self.shape, bool) if self.fixed is None else np.array(self.fixed)

    @cached_property
    def _v_c0(self) -> float:
        """The least critical voltage [V]."""
        return float(min(self.p.v_c0(1).min(), self.p.v_c0(-1).min()))

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
