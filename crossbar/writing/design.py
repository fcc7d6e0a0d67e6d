"""Choosing a pulse: amplitude or width for a wanted error rate, the cheapest one, compensation of wires, the write window.

Everything is asked of the solved array, cells written one at a time. The hardest to write are taken to be at its corners or in
its middle, farthest from whatever drives the lines, all others conducting best (P); the easiest to disturb are those in the
state that what they see opposes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from crossbar import doubts, mtj
from crossbar.checks import choice, finite_number, instance, positive_number, real_array
from crossbar.elements.base import Array
from crossbar.errors import DataError
from crossbar.summaries import short_repr
from crossbar.writing.bench import STATE_NAMES, Bench
from crossbar.writing.programming import BREAKDOWN
from crossbar.writing.pulses import DIRECTIONS, HIGHEST, LONGEST, Pulse
from crossbar.writing.schemes import WritableArray, WriteScheme

DISTURB = 1e-3  # probability to flip a cell that is not selected that pulses are chosen by

_TOGETHER = 2 ** 22  # cells times inputs solved at once


@dataclass(frozen=True, kw_only=True, eq=False)
class WriteWindow:
    """Error of the hardest cell to write and disturbance of the easiest to disturb against the amplitude; two columns, pulses to
    P and to AP."""

    __repr__ = short_repr

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
    bench = Bench(array, scheme)
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

    The cells are those at the corners and in the middle of the array (the next sound ones), each
    written alone, all others in P. Cells written together, a row at a time, take more of each
    other's voltage: see `compensated`. Raises DataError unless one of width and amplitude is given,
    or where no voltage up to `breakdown` [V] on a junction does it. Warns, with the number, of a
    pulse that flips the unselected cell most in danger with a probability above `disturb`.
    """
    if (width is None) == (amplitude is None):
        raise DataError("give the width [s] of the pulse, or its amplitude [V]: the other one is found")
    error, bench, limit = _probability(error), Bench(array, scheme), _breakdown(breakdown)
    bound = _disturb_bound(disturb)
    if width is not None:
        widths = Pulse(1.0, width)
        _scalars(widths.width, "width [s]")
        volts = tuple(
            bench.amplitude(d, float(widths.width[d < 0]), error, limit) for d in DIRECTIONS
        )
        pulse = widths.with_values(amplitude=volts)
    else:
        amplitudes = Pulse(amplitude, 1e-9)
        _scalars(amplitudes.amplitude, "amplitude [V]")
        seconds = tuple(
            bench.width(d, float(amplitudes.amplitude[d < 0]), error, limit) for d in DIRECTIONS
        )
        pulse = amplitudes.with_values(width=seconds)
    _warn_of_disturb(bench, pulse, bound)
    return pulse


def cheapest_pulse(array: WritableArray, error: float, *, widths: tuple[float, float] = (1e-9, 100e-9),
                   scheme: str | WriteScheme | Any = "v/2", breakdown: float = BREAKDOWN,
                   disturb: float = DISTURB) -> CheapestPulse:
    """Of all pulses with this error rate, widths between two limits [s], that with which one write takes the least energy.

    disturb : probability with which it may flip the cell that is most in danger of those that are
        not selected. Short pulses need much voltage, of which half-selected cells see a share; 1:
        they may all flip.

    Short pulses need much current, long ones much time; between is a minimum. Errors as
    `pulse_for_error`; DataError where all pulses disturb more, with the least that one does.
    """
    error, bench, limit = _probability(error), Bench(array, scheme), _breakdown(breakdown)
    low, high = _limits(widths)
    bound = _disturb_bound(disturb)
    pulses = [
        bench.cheapest(direction, error, (low, high), limit, bound) for direction in DIRECTIONS
    ]
    return CheapestPulse(
        pulse=Pulse(tuple(p.volts for p in pulses), tuple(p.width for p in pulses)),
        energy=(pulses[0].energy, pulses[1].energy),
        error=error,
        disturb=(pulses[0].disturb, pulses[1].disturb),
    )


def compensated(array: WritableArray, target: npt.ArrayLike, pulse: Pulse, *, scheme: str | WriteScheme | Any = "v/2",
                order: str = "rows") -> Pulse:
    """The pulse whose amplitudes, by cell, make up for the wires: every selected junction then sees the given amplitude.

    target, order : of the write that is to come, for what is selected together shares the wires' drop; its cells in the states
    that they should leave, all others as they are. Cells that are stuck, open or short keep the given amplitude. Raises
    ConvergenceError where a cell is beyond reach, as behind a transistor that saturates.
    """
    instance(pulse, Pulse, "pulse: xb.Pulse(amplitude, width)")
    bench, wanted = Bench(array, scheme), mtj.as_state(target)
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
    bench = Bench(array, scheme)
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


def _scalars(pair: tuple[Array, Array], what: str) -> None:
    """Refuse values by cell: one pulse for the whole array is looked for."""
    if any(x.ndim for x in pair):
        raise DataError(f"the {what} is a number here, or a tuple (to P, to AP), not one by cell")


def _warn_of_disturb(bench: Bench, pulse: Pulse, bound: float) -> None:
    """Say so where a pulse disturbs more than it may."""
    found = [
        bench.worst_disturb(d, float(pulse.amplitude[d < 0]), float(pulse.width[d < 0]))
        for d in DIRECTIONS
    ]
    worst = int(np.argmax(found))
    if found[worst] > bound:
        direction = DIRECTIONS[worst]
        doubts.warn(
            f"a pulse to {STATE_NAMES[direction]} of {float(pulse.amplitude[worst]):.3g} V and "
            f"{float(pulse.width[worst]):.3g} s flips a cell that is not selected with a "
            f"probability of {found[worst]:.3g}, above disturb={bound:g}",
            "take longer pulses, or another scheme",
        )


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
