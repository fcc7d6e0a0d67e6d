"""Write-verify: read what was written through the array, pulse again what reads wrong, give up in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from crossbar import doubts
from crossbar.checks import count, finite_number, positive_number, real_array
from crossbar.elements.base import Array
from crossbar.elements.cells import MTJCells
from crossbar.errors import DataError
from crossbar.summaries import short_repr
from crossbar.writing.junctions import Junctions, Solution
from crossbar.writing.pulses import HIGHEST, LONGEST, MOST, Pulse
from crossbar.writing.schemes import WritableArray, WriteScheme


@dataclass(frozen=True, eq=False)
class Verify:
    """How a write is verified.

    max_pulses : that a cell gets; one that still reads wrong after them is given up and reported.
    read : voltage of the reads [V], positive. read_width : their duration [s]; they may disturb, too.
    reference : current [A] above which a cell reads P, a number or (M, N); by default what each cell would deliver if all were
        half-way between P and AP. A row is read at once, so that in large arrays of resistive wires the data themselves may
        move a current across it: cells given up that are right tell so.
    amplitude_step : [V] by which every further round of pulses is higher. width_factor : by which it is longer.
    Raises DataError for what is out of range.
    """

    __repr__ = short_repr

    max_pulses: int = 8
    read: float = 0.1
    read_width: float = 10e-9
    reference: npt.ArrayLike | None = None
    amplitude_step: float = 0.0
    width_factor: float = 1.0

    def __post_init__(self) -> None:
        pulses = count(
            self.max_pulses,
            "write-verify takes max_pulses of at least 1 (verify=None writes without reading): it",
            most=MOST,
        )
        values = {
            "max_pulses": pulses,
            "read": positive_number(self.read, "write-verify's read [V]", most=HIGHEST),
            "read_width": positive_number(
                self.read_width, "write-verify's read_width [s]", most=LONGEST
            ),
            "amplitude_step": finite_number(
                self.amplitude_step, "write-verify's amplitude_step [V]"
            ),
            "width_factor": positive_number(self.width_factor, "write-verify's width_factor"),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        doubts.warn(doubts.of_width(self.read_width))
        if (pulses - 1) * np.log(self.width_factor) > 20:
            raise DataError(
                f"write-verify would lengthen pulses {self.width_factor:g}^{pulses - 1} times"
            )

    def pulse(self, pulse: Pulse, round_: int) -> Pulse:
        """The pulse of a round, 0 the first; the last allowed one is the strongest."""
        k = min(round_, self.max_pulses - 1)
        return pulse.changed(k * self.amplitude_step, self.width_factor ** k) if k else pulse

    def references(self, array: WritableArray, scheme: WriteScheme) -> Array:
        """(M, N) [A]. Raises DataError for a reference that is not positive or does not fit."""
        if self.reference is None:
            return _halfway(array, scheme, self.read)
        value = real_array(self.reference, "reference current [A]")
        if not (np.isfinite(value) & (value > 0)).all():
            raise DataError("the reference current [A] must be positive and finite")
        try:
            return np.broadcast_to(value, array.shape)
        except ValueError:
            raise DataError(f"reference currents of shape {value.shape} do not fit {array.shape[0]} x {array.shape[1]} "
                            "cells") from None


def _halfway(array: WritableArray, scheme: WriteScheme, volts: float) -> Array:
    """(M, N) What every cell would deliver if all were half-way between P and AP, G = (G_P + G_AP) / 2, wires and drivers as they
    are: what data that are half P take from a line is then accounted for."""
    middle = np.zeros((1, *array.shape))
    sound = array.with_cells(MTJCells(Junctions(array).p, np.ones(array.shape, np.int8)))
    out = np.empty(array.shape)
    for row in tqdm(range(array.shape[0]), desc="reference", unit="row", delay=3, disable=None, leave=False):
        drives, sides = scheme.read(array, row, volts)
        out[row] = sensed(sound.solve(**drives, states=middle), sides)[0]  # type: ignore[arg-type]
    return out


def sensed(solution: Solution, sides: Sequence[str]) -> Array:
    """(batch, N) current of every column [A]."""
    return np.abs(np.sum([solution.terminal_current[side] for side in sides], axis=0))
