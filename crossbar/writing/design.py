"""Choosing a pulse: amplitude or width for a wanted error rate, the cheapest one, compensation of wires, the write window.

Everything is asked of the solved array, cells written one at a time. The hardest to write are taken to be at its corners or in
its middle, farthest from whatever drives the lines, all others conducting best (P); the easiest to disturb are those in the
state that what they see opposes.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq, minimize_scalar
from tqdm import tqdm

from crossbar import doubts, mtj
from crossbar.checks import choice, finite_number, instance, positive_number, real_array
from crossbar.elements.base import Array, Mask
from crossbar.errors import ConvergenceError, DataError
from crossbar.mtj.fokker_planck import cumulative_hazard
from crossbar.writing.junctions import Junctions, Solution, States
from crossbar.writing.programming import BREAKDOWN
from crossbar.writing.pulses import DIRECTIONS, HIGHEST, LONGEST, Pulse
from crossbar.writing.schemes import Selection, WritableArray, WriteScheme, as_write_scheme

DISTURB = 1e-3  # probability to flip a cell that is not selected that pulses are chosen by

_CLOSE = 1e-3   # relative misfit of a compensated voltage
_ROUNDS = 30    # of compensation
_LEAST = 1e-300  # error rates below are as good
_NEVER = 1e3     # energy [J] that stands for what cannot be done
_FAR = 20.0      # breakdown voltages beyond which no amplitude is tried
_FINE = 1e-3    # of ln(width)
_WORDS = {1: "P", -1: "AP"}
_TOGETHER = 2 ** 22  # cells times inputs solved at once


@dataclass(frozen=True, kw_only=True, eq=False)
class WriteWindow:
    """Error of the hardest cell to write and disturbance of the easiest to disturb against the amplitude; two columns, pulses to
    P and to AP."""

    scheme: str
    width: float
    amplitude: Array       # (A,) [V]
    error: Array           # (A, 2) probability that the pulse fails
    disturb: Array         # (A, 2) probability that one pulse flips the cell that is most in danger
    hazard: Array          # (A, 2) of the cell most in danger while all others are written, one after the other

    @property
    def disturb_of_write(self) -> Array:
        """(A, 2) probability that a cell is flipped while all others are written one after the other: M + N - 2 times it shares a
        line with the selected one, (M - 1)(N - 1) times it shares none."""
        return -np.expm1(-self.hazard)


@dataclass(frozen=True, kw_only=True, eq=False)
class CheapestPulse:
    """The pulse of least energy at an error rate; pairs are (to P, to AP)."""

    pulse: Pulse
    energy: tuple[float, float]   # [J] of one write
    error: float                  # probability that it fails on the worst cell
    disturb: tuple[float, float]  # and that it flips the unselected cell that is most in danger


def write_error_map(array: WritableArray, pulse: Pulse, direction: int, *, scheme: str | WriteScheme | Any = "v/2") -> Array:
    """Probability (M, N) that one pulse fails on each cell, written alone in the array as it is (the cell itself in the state
    that it should leave); 1 where it is stuck, open or short. direction : 1 to P, -1 to AP. M N inputs."""
    if not isinstance(direction, int | np.integer) or direction not in DIRECTIONS:
        raise DataError(f"direction is 1 (to P) or -1 (to AP), not {direction!r:.80}")
    instance(pulse, Pulse, "pulse: xb.Pulse(amplitude, width)")
    bench = _Bench(array, scheme)
    volts, widths = pulse.amplitudes(direction, array.shape), pulse.widths(direction, array.shape)
    m, n = array.shape
    out, at = np.empty(array.shape), np.arange(n)
    for row in tqdm(range(m), desc="error map", unit="row", delay=3, disable=None, leave=False):
        for some in np.array_split(at, -(-m * n * n // _TOGETHER)):
            rows = np.full(some.size, row)
            solution, states = bench.alone(rows, some, direction, volts[row, some], bench.states)
            out[row, some] = bench.error(solution, states, rows, some, widths[row, some])
    return out if bench.junctions.fixed is None else np.where(bench.junctions.fixed, 1.0, out)


def pulse_for_error(array: WritableArray, error: float, *, width: Any = None, amplitude: Any = None,
                    scheme: str | WriteScheme | Any = "v/2", breakdown: float = BREAKDOWN,
                    disturb: float = DISTURB) -> Pulse:
    """The pulse that fails on the worst of five cells with probability `error`, for either direction, at a given width [s] or
    amplitude [V]: a number, or a tuple (to P, to AP).

    The cells are those at the corners and in the middle of the array (the next sound ones), each written alone, all others in
    P. Cells written together, a row at a time, take more of each other's voltage: see `compensated`. Raises DataError unless
    one of width and amplitude is given, or where no voltage up to `breakdown` [V] on a junction does it. Warns, with the
    number, of a pulse that flips the unselected cell most in danger with a probability above `disturb`.
    """
    if (width is None) == (amplitude is None):
        raise DataError("give the width [s] of the pulse, or its amplitude [V]: the other one is found")
    error, bench, limit = _probability(error), _Bench(array, scheme), _breakdown(breakdown)
    bound = _disturb_bound(disturb)
    if width is not None:
        widths = Pulse(1.0, width)
        _scalars(widths.width, "width [s]")
        volts = tuple(bench.amplitude(d, float(widths.width[d < 0]), error, limit) for d in DIRECTIONS)
        pulse = widths.with_values(amplitude=volts)
    else:
        amplitudes = Pulse(amplitude, 1e-9)
        _scalars(amplitudes.amplitude, "amplitude [V]")
        seconds = tuple(bench.width(d, float(amplitudes.amplitude[d < 0]), error, limit) for d in DIRECTIONS)
        pulse = amplitudes.with_values(width=seconds)
    _warn_of_disturb(bench, pulse, bound)
    return pulse


def cheapest_pulse(array: WritableArray, error: float, *, widths: tuple[float, float] = (1e-9, 100e-9),
                   scheme: str | WriteScheme | Any = "v/2", breakdown: float = BREAKDOWN,
                   disturb: float = DISTURB) -> CheapestPulse:
    """Of all pulses with this error rate, widths between two limits [s], that with which one write takes the least energy.

    disturb : probability with which it may flip the cell that is most in danger of those that are not selected. Short
        pulses need much voltage, of which half-selected cells see a share; 1: they may all flip.

    Short pulses need much current, long ones much time; between is a minimum. Errors as `pulse_for_error`; DataError where
    all pulses disturb more, with the least that one does.
    """
    error, bench, limit = _probability(error), _Bench(array, scheme), _breakdown(breakdown)
    low, high = _limits(widths)
    bound = _disturb_bound(disturb)
    pulses = [bench.cheapest(direction, error, (low, high), limit, bound) for direction in DIRECTIONS]
    return CheapestPulse(pulse=Pulse(tuple(p.volts for p in pulses), tuple(p.width for p in pulses)),
                         energy=(pulses[0].energy, pulses[1].energy), error=error,
                         disturb=(pulses[0].disturb, pulses[1].disturb))


def compensated(array: WritableArray, target: npt.ArrayLike, pulse: Pulse, *, scheme: str | WriteScheme | Any = "v/2",
                order: str = "rows") -> Pulse:
    """The pulse whose amplitudes, by cell, make up for the wires: every selected junction then sees the given amplitude.

    target, order : of the write that is to come, for what is selected together shares the wires' drop; its cells in the states
    that they should leave, all others as they are. Cells that are stuck, open or short keep the given amplitude. Raises
    ConvergenceError where a cell is beyond reach, as behind a transistor that saturates.
    """
    instance(pulse, Pulse, "pulse: xb.Pulse(amplitude, width)")
    bench, wanted = _Bench(array, scheme), mtj.as_state(target)
    if wanted.shape != array.shape:
        raise DataError(f"the target has shape {wanted.shape}, the array {array.shape[0]} x {array.shape[1]} cells")
    choice(order, ("rows", "cells"), "order")
    aim = np.where(wanted > 0, *(pulse.amplitudes(d, array.shape) for d in DIRECTIONS))
    out = aim.copy()
    for row in tqdm(range(array.shape[0]), desc="compensate", unit="row", delay=3, disable=None, leave=False):
        for direction in DIRECTIONS:
            columns = np.flatnonzero((wanted[row] == direction) & bench.sound[row])
            groups = [columns] if order == "rows" else list(columns[:, None])
            for group in groups:
                if group.size:
                    out[row, group] = bench.lifted(row, group, direction, aim[row, group])
    return pulse.with_values(amplitude=(out, out))


def write_window(array: WritableArray, amplitudes: npt.ArrayLike, width: float, *,
                 scheme: str | WriteScheme | Any = "v/2") -> WriteWindow:
    """Write errors and disturbance over amplitudes (A,) [V] at one width [s]: the window is where both are low enough."""
    volts = real_array(amplitudes, "amplitudes [V]")
    if volts.ndim != 1 or not volts.size or not (volts > 0).all():
        raise DataError("amplitudes are a list of positive voltages [V]")
    if volts.max() > HIGHEST:
        raise DataError(f"amplitudes of up to {volts.max():.3g} V: {HIGHEST:g} V at most")
    bench = _Bench(array, scheme)
    durations = Pulse(1.0, width).width
    _scalars(durations, "width [s]")
    if durations[0] != durations[1]:
        raise DataError("a window is that of one width [s] for both directions")
    duration = float(durations[0])
    error, disturb, hazard = np.empty((3, volts.size, 2))
    for k, amplitude in enumerate(volts):
        for which, direction in enumerate(DIRECTIONS):
            solution, states = bench.corners(direction, amplitude)
            error[k, which] = bench.error(solution, states, bench.rows, bench.columns, duration).max()
            found = [bench.disturb(direction, amplitude, duration, state) for state in DIRECTIONS]
            disturb[k, which], hazard[k, which] = (max(x) for x in zip(*found, strict=True))
    return WriteWindow(scheme=bench.scheme.name, width=duration, amplitude=volts, error=error, disturb=disturb, hazard=hazard)


class _Trial(NamedTuple):
    """A pulse of one direction."""

    volts: float
    width: float
    energy: float   # [J]
    disturb: float


class _Bench:
    """An array on which cells are tried one at a time."""

    def __init__(self, array: WritableArray, scheme: Any) -> None:
        self.array, self.scheme, self.junctions = array, as_write_scheme(scheme, array), Junctions(array)
        m, n = array.shape
        fixed = self.junctions.fixed
        self.sound = np.ones((m, n), bool) if fixed is None else ~fixed
        if not self.sound.any():
            raise DataError("no cell of this array can be written: all are stuck, open or short")
        sound = np.argwhere(self.sound)
        places = ((0, 0), (0, n - 1), (m - 1, 0), (m - 1, n - 1), (m // 2, n // 2))
        self.rows, self.columns = np.unique([sound[np.abs(sound - place).sum(axis=1).argmin()] for place in places], axis=0).T

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

    def corners(self, direction: int, volts: float, around: int = 1) -> tuple[Solution, States]:
        """The cells at corners and in the middle, one at a time, all else in one state."""
        return self.alone(self.rows, self.columns, direction, np.full(self.rows.size, volts),
                          np.full(self.array.shape, around, np.int8))

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
        def trial(volts: float) -> tuple[float, float]:
            """ln of the worst error over the wanted one, and the highest voltage on a junction [V]."""
            solution, states = self.corners(direction, volts)
            worst = float(self.error(solution, states, self.rows, self.columns, width).max())
            return float(np.log(max(worst, _LEAST) / error)), float(np.abs(self.volts(solution, self.rows, self.columns)).max())
        low = high = float(np.max(self.junctions.p.v_c0(-direction)))
        while trial(low)[0] < 0:
            low *= 0.7
            if low < 1e-4:
                raise DataError(f"within {width:.3g} s these junctions switch by themselves more often than {1 - error:.3g}")
        while (found := trial(high))[0] > 0 and found[1] < breakdown and high < _FAR * breakdown:
            low, high = high, 1.2 * high
        if found[1] > breakdown:
            if trial(0.5 * low)[1] > breakdown:
                raise DataError(f"the breakdown limit of {breakdown:g} V is far below what writes the corners in {width:.3g} s "
                                f"with an error of {error:.3g}")
            high = float(brentq(lambda volts: trial(volts)[1] - breakdown, 0.5 * low, high, xtol=1e-5))
            found = trial(high)
            if found[0] > 0:
                raise DataError(f"no voltage below the breakdown limit of {breakdown:g} V writes the corners in {width:.3g} s "
                                f"with an error of {error:.3g}; a longer pulse may")
            low = min(low, high)
        if found[0] > 0:
            raise DataError(f"an amplitude of {high:.3g} V does not write the corners in {width:.3g} s with an error of "
                            f"{error:.3g}: the voltage does not reach them; look at wires, drivers, transistors")
        return high if found[0] == 0 else float(brentq(lambda volts: trial(volts)[0], low, high, xtol=1e-5))

    def width(self, direction: int, volts: float, error: float, breakdown: float) -> float:
        """Width [s] with which this amplitude [V] fails on the worst corner with this probability. Raises DataError where
        there is none."""
        if error < 1e-15:
            raise DataError(f"an error rate of {error:.3g} is found by amplitude only: give width")
        solution, _ = self.corners(direction, volts)
        seen = self.volts(solution, self.rows, self.columns)
        if np.abs(seen).max() > breakdown:
            raise DataError(f"a junction would see {np.abs(seen).max():.4g} V, beyond the breakdown limit of {breakdown:g} V")
        return float(np.max(mtj.pulse_width(1 - error, seen, self.of(self.rows, self.columns), -direction)))

    def cheapest(self, direction: int, error: float, widths: tuple[float, float], breakdown: float,
                 bound: float) -> _Trial:
        """The pulse of least energy that fails with `error` and disturbs with no more than `bound`."""
        def spend(log_width: float) -> tuple[float, float]:
            """Amplitude [V] and energy [J]; _NEVER where a pulse is too short for what a junction bears."""
            width = float(np.exp(log_width))
            try:
                volts = self.amplitude(direction, width, error, breakdown)
            except DataError:
                return np.nan, _NEVER
            return volts, float(self.corners(direction, volts)[0].power["sources"].mean()) * width

        def trial(log_width: float) -> _Trial | None:
            (volts, energy), width = spend(log_width), float(np.exp(log_width))
            if energy == _NEVER:
                return None
            return _Trial(volts, width, energy, self.worst_disturb(direction, volts, width))

        low, high = np.log(widths)
        longest = trial(high)
        if longest is None:
            raise DataError(f"no pulse of {widths[0]:.3g} to {widths[1]:.3g} s writes with an error of {error:.3g} below "
                            f"the breakdown limit of {breakdown:g} V")
        if longest.disturb > bound:
            raise DataError(f"all pulses of {widths[0]:.3g} to {widths[1]:.3g} s that write {_WORDS[direction]} with an "
                            f"error of {error:.3g} disturb: that of {longest.width:.3g} s flips a cell that is not selected "
                            f"with a probability of {longest.disturb:.3g}, more than disturb={bound:g}; allow longer "
                            "pulses, more errors or more disturb, or take another scheme")

        def allowed(log_width: float) -> bool:
            pulse = trial(log_width)
            return pulse is not None and pulse.disturb <= bound

        # At one error rate the longer pulse has the lower voltage, and disturbs less: the shortest one allowed.
        if not allowed(low):
            forbidden, low = low, high
            while low - forbidden > _FINE:
                middle = (forbidden + low) / 2
                forbidden, low = (forbidden, middle) if allowed(middle) else (middle, low)
        grid = np.linspace(low, high, 9)
        best = int(np.argmin([spend(x)[1] for x in grid]))
        places = [grid[best]]
        if high - low > _FINE:
            ends = grid[max(best - 1, 0)], grid[min(best + 1, 8)]
            places.append(minimize_scalar(lambda x: spend(x)[1], bounds=ends, method="bounded",
                                          options={"xatol": _FINE}).x)
        pulses = [pulse for pulse in map(trial, places) if pulse is not None]
        return min(pulses, key=lambda pulse: pulse.energy)

    def worst_disturb(self, direction: int, volts: float, width: float) -> float:
        """Largest probability that a pulse flips a cell that is not selected, whatever state it is in."""
        return max(self.disturb(direction, volts, width, state)[0] for state in DIRECTIONS)

    def disturb(self, direction: int, volts: float, width: float, state: int) -> tuple[float, float]:
        """Largest probability that a cell flips while one of the corners is written, all cells in one state; and the hazard of
        the cell most in danger, by those that share a line with the selected one and those that don't, over a whole write."""
        solution, states = self.corners(direction, volts, state)
        flips, stays = self.junctions.switched(solution, width, states)
        hazard, (m, n) = cumulative_hazard(flips, stays), self.array.shape
        row, column = (np.arange(k) == at[:, None] for k, at in ((m, self.rows), (n, self.columns)))
        both = row[:, :, None] & column[:, None, :]
        shared = (row[:, :, None] | column[:, None, :]) & ~both
        worst = [float(hazard.max(where=mask, initial=0.0)) for mask in (shared, ~shared & ~both)]
        return float(flips.max(where=~both, initial=0.0)), (m + n - 2) * worst[0] + (m - 1) * (n - 1) * worst[1]

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
            volts[columns] *= np.clip(aim / np.maximum(seen, 1e-9), 0.5, 2.0)
        worst = int(np.abs(seen - aim).argmax())
        raise ConvergenceError(f"cell [{row},{columns[worst]}] sees {seen[worst]:.4g} V of the {aim[worst]:.4g} V wanted at an "
                               f"amplitude of {volts[columns[worst]]:.4g} V, and no more: it is beyond reach")


def _stacked(drives: list[dict[str, Any]]) -> dict[str, Any]:
    """Drives of single inputs as those of a batch."""
    def along(values: list[Any]) -> Any:
        return values[0] if values[0] is None or np.ndim(values[0]) == 0 else np.ma.concatenate(
            [np.ma.atleast_2d(v) for v in values])
    return {side: along([d[side] for d in drives]) for side in drives[0]}


def _scalars(pair: tuple[Array, Array], what: str) -> None:
    """Refuse values by cell: one pulse for the whole array is looked for."""
    if any(x.ndim for x in pair):
        raise DataError(f"the {what} is a number here, or a tuple (to P, to AP), not one by cell")


def _warn_of_disturb(bench: _Bench, pulse: Pulse, bound: float) -> None:
    """Say so where a pulse disturbs more than it may."""
    found = [bench.worst_disturb(d, float(pulse.amplitude[d < 0]), float(pulse.width[d < 0])) for d in DIRECTIONS]
    worst = int(np.argmax(found))
    if found[worst] > bound:
        direction = DIRECTIONS[worst]
        doubts.warn(f"a pulse to {_WORDS[direction]} of {float(pulse.amplitude[worst]):.3g} V and "
                    f"{float(pulse.width[worst]):.3g} s flips a cell that is not selected with a probability of "
                    f"{found[worst]:.3g}, above disturb={bound:g}", "take longer pulses, or another scheme")


def _breakdown(value: Any) -> float:
    return positive_number(value, "breakdown [V]", finite=False)


def _disturb_bound(value: Any) -> float:
    bound = finite_number(value, "disturb, a probability,")
    if not 0 < bound <= 1:
        raise DataError(f"disturb is a probability above 0 and at most 1, got {value!r}")
    return bound


def _limits(widths: Any) -> tuple[float, float]:
    """Two widths [s]."""
    limits = real_array(widths, "widths [s]")
    if limits.shape != (2,) or not 0 < limits[0] < limits[1] <= LONGEST:
        raise DataError(f"widths are two limits [s], the lower one first, got {widths!r:.80}")
    return float(limits[0]), float(limits[1])


def _probability(error: float) -> float:
    value = real_array(error, "error rate")
    if value.ndim or not 0 < value < 1:
        raise DataError(f"an error rate lies between 0 and 1, both excluded, got {error!r}")
    return float(value)
