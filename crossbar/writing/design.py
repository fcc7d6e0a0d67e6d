"""Choosing a pulse: amplitude or width for a wanted error rate, the cheapest one, compensation of wires, the write window.

Everything is asked of the solved array. The hardest cells to write are at its corners, farthest from the drivers, when all others
conduct best (P); the easiest to disturb are those in the state that the pulse opposes.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq, minimize_scalar
from tqdm import tqdm

from crossbar import mtj
from crossbar.checks import real_array
from crossbar.elements.base import Array, Mask
from crossbar.errors import ConvergenceError, DataError
from crossbar.writing.junctions import Junctions, Solution, States
from crossbar.writing.programming import BREAKDOWN
from crossbar.writing.pulses import DIRECTIONS, Pulse
from crossbar.writing.schemes import Selection, WritableArray, WriteScheme, as_write_scheme

_CLOSE = 1e-3   # relative misfit of a compensated voltage
_ROUNDS = 30    # of compensation
_LEAST = 1e-300  # error rates below are as good


@dataclass(frozen=True, kw_only=True, eq=False)
class WriteWindow:
    """Error of the hardest cell to write and disturbance of the easiest to disturb against the amplitude; two columns, to P and
    to AP."""

    scheme: str
    width: float
    amplitude: Array       # (A,) [V]
    error: Array           # (A, 2) probability that the pulse fails
    disturb: Array         # (A, 2) probability that one pulse flips the cell that is most in danger
    events: int            # times that a cell shares a line with the selected one while the array is written cell by cell

    @property
    def disturb_of_write(self) -> Array:
        """(A, 2) probability that it is flipped while all others on its lines are written."""
        return -np.expm1(self.events * np.log1p(-self.disturb))


@dataclass(frozen=True, kw_only=True, eq=False)
class CheapestPulse:
    """The pulse of least energy at an error rate: pulse, energy of both directions [J] (to P, to AP) and its error rate."""

    pulse: Pulse
    energy: tuple[float, float]
    error: float


def write_error_map(array: WritableArray, pulse: Pulse, direction: int, *, scheme: str | WriteScheme | Any = "v/2") -> Array:
    """Probability (M, N) that the pulse fails on each cell, written alone in the array as it is (the cell itself in the state
    that it should leave). direction : 1 to P, -1 to AP. M solves of N inputs."""
    if direction not in DIRECTIONS:
        raise DataError(f"direction is 1 (to P) or -1 (to AP), not {direction!r}")
    bench = _Bench(array, scheme)
    volts, widths = pulse.amplitudes(direction, array.shape), pulse.widths(direction, array.shape)
    out, n = np.empty(array.shape), np.arange(array.shape[1])
    for row in tqdm(range(array.shape[0]), desc="error map", unit="row", delay=3, disable=None, leave=False):
        solution, states = bench.alone(np.full(n.size, row), n, direction, volts[row], bench.states)
        out[row] = bench.error(solution, states, np.full(n.size, row), n, widths[row])
    return out


def pulse_for_error(array: WritableArray, error: float, *, width: Any = None, amplitude: Any = None,
                    scheme: str | WriteScheme | Any = "v/2", breakdown: float = BREAKDOWN) -> Pulse:
    """The pulse with which no cell fails more often than `error`, for either direction, at a given width [s] or amplitude [V],
    each as `Pulse` takes it.

    Judged at the four corners of the array, all other cells in P. Raises DataError unless one of width and amplitude is given,
    or where no voltage up to `breakdown` [V] on a junction does it.
    """
    if (width is None) == (amplitude is None):
        raise DataError("give the width [s] of the pulse, or its amplitude [V]: the other one is found")
    error, bench = _probability(error), _Bench(array, scheme)
    if width is not None:
        given = Pulse(1.0, width)
        found = [bench.amplitude(d, float(given.width[d < 0]), error, breakdown) for d in DIRECTIONS]
        return replace(given, amplitude=tuple(found))
    given = Pulse(amplitude, 1e-9)
    found = []
    for direction in DIRECTIONS:
        solution, states = bench.corners(direction, given.amplitudes(direction, array.shape)[bench.rows, bench.columns])
        volts = bench.volts(solution, bench.rows, bench.columns)
        found.append(float(np.max(mtj.pulse_width(1 - error, volts, bench.of(bench.rows, bench.columns), -direction))))
    return replace(given, width=tuple(found))


def cheapest_pulse(array: WritableArray, error: float, *, widths: tuple[float, float] = (1e-9, 100e-9),
                   scheme: str | WriteScheme | Any = "v/2", breakdown: float = BREAKDOWN) -> CheapestPulse:
    """Of all pulses with this error rate, widths between two limits [s], that with which one write takes the least energy.

    Short pulses need much current, long ones much time; between is a minimum. Errors as `pulse_for_error`.
    """
    error, bench = _probability(error), _Bench(array, scheme)
    low, high = (float(w) for w in widths)
    if not 0 < low < high < np.inf:
        raise DataError(f"widths are two limits [s], the lower one first, got {widths!r}")
    best = []
    for direction in DIRECTIONS:
        def energy(log_width: float, direction: int = direction) -> float:
            try:
                volts = bench.amplitude(direction, float(np.exp(log_width)), error, breakdown)
            except DataError:
                return np.inf  # too short for what a junction bears
            return float(bench.corners(direction, np.full(4, volts))[0].power["sources"].mean() * np.exp(log_width))
        grid = np.linspace(np.log(low), np.log(high), 9)
        at = int(np.argmin([energy(x) for x in grid]))
        found = minimize_scalar(energy, bounds=(grid[max(at - 1, 0)], grid[min(at + 1, 8)]), method="bounded",
                                options={"xatol": 1e-3})
        if not np.isfinite(found.fun):
            raise DataError(f"no pulse of {low:.3g} to {high:.3g} s writes with an error of {error:.3g} below the breakdown "
                            f"limit of {breakdown:g} V")
        width = float(np.exp(found.x))
        best.append((bench.amplitude(direction, width, error, breakdown), width, float(found.fun)))
    amplitude, width_, spent = zip(*best, strict=True)
    return CheapestPulse(pulse=Pulse(amplitude, width_), energy=spent, error=error)


def compensated(array: WritableArray, target: npt.ArrayLike, pulse: Pulse, *, scheme: str | WriteScheme | Any = "v/2",
                order: str = "rows") -> Pulse:
    """The pulse whose amplitudes, by cell, make up for the wires: every selected junction then sees the given amplitude.

    target, order : of the write that is to come, for what is selected together shares the wires' drop; its cells in the states
    that they should leave, all others as they are. Raises ConvergenceError where a cell is beyond reach, as behind a
    transistor that saturates.
    """
    bench, wanted = _Bench(array, scheme), mtj.as_state(target)
    if wanted.shape != array.shape:
        raise DataError(f"the target has shape {wanted.shape}, the array {array.shape[0]} x {array.shape[1]} cells")
    if order not in ("rows", "cells"):
        raise DataError(f'order is "rows" or "cells", not {order!r}')
    aim = np.where(wanted > 0, *(pulse.amplitudes(d, array.shape) for d in DIRECTIONS))
    out = aim.copy()
    for row in tqdm(range(array.shape[0]), desc="compensate", unit="row", delay=3, disable=None, leave=False):
        for direction in DIRECTIONS:
            columns = np.flatnonzero(wanted[row] == direction)
            groups = [columns] if order == "rows" else list(columns[:, None])
            for group in groups:
                if group.size:
                    out[row, group] = bench.lifted(row, group, direction, aim[row, group])
    return replace(pulse, amplitude=(out, out), width=pulse.width)


def write_window(array: WritableArray, amplitudes: npt.ArrayLike, width: float, *,
                 scheme: str | WriteScheme | Any = "v/2") -> WriteWindow:
    """Write errors and disturbance over amplitudes (A,) [V] at one width [s]: the window is where both are low enough."""
    volts = real_array(amplitudes, "amplitudes [V]")
    if volts.ndim != 1 or not volts.size or not (volts > 0).all():
        raise DataError("amplitudes are a list of positive voltages [V]")
    bench = _Bench(array, scheme)
    duration = float(Pulse(1.0, width).width[0])
    error, disturb = np.empty((volts.size, 2)), np.empty((volts.size, 2))
    for k, amplitude in enumerate(volts):
        for which, direction in enumerate(DIRECTIONS):
            solution, states = bench.corners(direction, np.full(4, amplitude))
            error[k, which] = bench.error(solution, states, bench.rows, bench.columns, duration).max()
            disturb[k, which] = max(bench.disturb(direction, amplitude, duration, state) for state in DIRECTIONS)
    return WriteWindow(scheme=bench.scheme.name, width=duration, amplitude=volts, error=error, disturb=disturb,
                       events=sum(array.shape) - 2)


class _Bench:
    """An array on which cells are tried one at a time."""

    def __init__(self, array: WritableArray, scheme: Any) -> None:
        self.array, self.scheme, self.junctions = array, as_write_scheme(scheme, array), Junctions(array)
        m, n = array.shape
        self.rows, self.columns = np.array([0, 0, m - 1, m - 1]), np.array([0, n - 1, 0, n - 1])

    @property
    def states(self) -> States:
        return self.junctions.states

    def of(self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> mtj.MTJParams:
        """Parameters (k,) of some junctions."""
        return self.junctions.p.select(self.array.shape, rows * self.array.shape[1] + columns)

    def alone(self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], direction: int, volts: Array,
              around: States) -> tuple[Solution, States]:
        """k arrays, cell (rows, columns) of each selected at volts (k,), in the state it should leave; the others as `around`."""
        k, drives = np.arange(rows.size), []
        states = np.array(np.broadcast_to(around, (rows.size, *self.array.shape)))
        states[k, rows, columns] = -direction
        for at in k:
            chosen = np.zeros((1, self.array.shape[1]), bool)
            chosen[0, columns[at]] = True
            drives.append(self.scheme.drives(self.array, Selection(
                int(rows[at]), chosen, direction, np.full(self.array.shape[1], volts[at]))))
        return self.array.solve(**_stacked(drives), states=states), states  # type: ignore[arg-type]

    def corners(self, direction: int, volts: Array) -> tuple[Solution, States]:
        """The four corners, one at a time, at volts (4,), all else in P."""
        return self.alone(self.rows, self.columns, direction, volts, np.ones(self.array.shape, np.int8))

    def volts(self, solution: Solution, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> Array:
        """Voltages (k,) across the selected junctions."""
        return self.junctions.volts(solution)[np.arange(rows.size), rows, columns]

    def error(self, solution: Solution, states: States, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp],
              width: npt.ArrayLike) -> Array:
        """Write-error rates (k,) of the selected junctions."""
        return mtj.write_error_rate(self.volts(solution, rows, columns), width, self.of(rows, columns),
                                    states[np.arange(rows.size), rows, columns])

    def amplitude(self, direction: int, width: float, error: float, breakdown: float) -> float:
        """Amplitude [V] at which the worst corner fails with this probability. Raises DataError where there is none."""
        def excess(volts: float) -> float:
            solution, states = self.corners(direction, np.full(4, volts))
            if np.abs(self.volts(solution, self.rows, self.columns)).max() > breakdown:
                raise DataError(f"no voltage below the breakdown limit of {breakdown:g} V writes the corners in {width:.3g} s "
                                f"with an error of {error:.3g}; a longer pulse may")
            worst = float(self.error(solution, states, self.rows, self.columns, width).max())
            return float(np.log(max(worst, _LEAST)) - np.log(error))
        low = high = float(np.max(self.junctions.p.v_c0(-direction)))
        while excess(low) < 0:
            low *= 0.7
        for _ in range(40):
            if excess(high) < 0:
                return float(brentq(excess, low, high, xtol=1e-5))
            low, high = high, 1.2 * high
        raise DataError(f"an amplitude of {high:.3g} V does not write the corners in {width:.3g} s with an error of {error:.3g}: "
                        "the voltage does not reach them; look at wires, drivers, transistors")

    def disturb(self, direction: int, volts: float, width: float, state: int) -> float:
        """Largest probability that a cell flips while a corner is written, the cells in one state."""
        around = np.full(self.array.shape, state, np.int8)
        solution, states = self.alone(self.rows, self.columns, direction, np.full(4, volts), around)
        flips, _ = self.junctions.switched(solution, width, states)
        flips[np.arange(4), self.rows, self.columns] = 0.0
        return float(flips.max())

    def lifted(self, row: int, columns: npt.NDArray[np.intp], direction: int, aim: Array) -> Array:
        """Amplitudes (k,) with which the junctions of these columns, selected together, see `aim` (k,) [V]."""
        chosen: Mask = np.zeros((1, self.array.shape[1]), bool)
        chosen[0, columns] = True
        states, last = self.states[None], None
        states[0, row, columns] = -direction
        volts = np.full(self.array.shape[1], aim[0])
        volts[columns] = aim
        for _ in range(_ROUNDS):
            drives = self.scheme.drives(self.array, Selection(row, chosen, direction, volts))
            last = self.array.solve(**drives, states=states, start=last)  # type: ignore[arg-type]
            seen = np.abs(self.junctions.volts(last)[0, row, columns])
            if not (np.abs(seen - aim) > _CLOSE * aim).any():
                return volts[columns]
            volts[columns] += np.minimum(aim - seen, aim)
        worst = int(np.abs(seen - aim).argmax())
        raise ConvergenceError(f"cell [{row},{columns[worst]}] sees {seen[worst]:.4g} V of the {aim[worst]:.4g} V wanted at an "
                               f"amplitude of {volts[columns[worst]]:.4g} V, and no more: it is beyond reach")


def _stacked(drives: list[dict[str, Any]]) -> dict[str, Any]:
    """Drives of single inputs as those of a batch."""
    def along(values: list[Any]) -> Any:
        return values[0] if values[0] is None or np.ndim(values[0]) == 0 else np.ma.concatenate(
            [np.ma.atleast_2d(v) for v in values])
    return {side: along([d[side] for d in drives]) for side in drives[0]}


def _probability(error: float) -> float:
    value = real_array(error, "error rate")
    if value.ndim or not 0 < value < 1:
        raise DataError(f"an error rate lies between 0 and 1, both excluded, got {error!r}")
    return float(value)
