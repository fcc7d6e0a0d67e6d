"""Write pulses: what is applied between the selected lines, in either direction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from crossbar import doubts
from crossbar.checks import count, finite_number, real_array
from crossbar.elements.base import Array
from crossbar.errors import DataError
from crossbar.summaries import short_repr

TO_P, TO_AP = 1, -1  # directions: the state that is written
DIRECTIONS = (TO_P, TO_AP)

HIGHEST = 1e3   # [V] that switching laws know
MOST = 10 ** 6  # pulses that a cell gets
LONGEST = 1e12  # [s] of a pulse, and of what belongs to it


@dataclass(frozen=True, eq=False)
class Pulse:
    """A pulse, or a train of them.

    amplitude : [V] applied between the two selected lines, positive: one for both directions, or a tuple (to P, to AP); each a
        number or an array that broadcasts to the cells' shape: (M, 1) by row, (N,) by column, (M, N).
    width : [s] at full amplitude, likewise; the same for all cells that are written at once.
    rise, fall : [s] duration of the edges, which are straight. They take Stepping: closed formulas know rectangles only.
    count, gap : pulses in a row, and the idle time after each [s]. Every pulse begins from rest: let the gap be some tau_D.
    Raises DataError for what is not positive or has a wrong shape. Warns of durations of 0.1 s or
    more, which are probably nanoseconds.
    """

    __repr__ = short_repr

    amplitude: Any
    width: Any
    rise: float = 0.0
    fall: float = 0.0
    count: int = 1
    gap: float = 0.0

    def __post_init__(self) -> None:
        for name, what, most in (
            ("amplitude", "pulse amplitude [V]", HIGHEST),
            ("width", "pulse width [s]", LONGEST),
        ):
            object.__setattr__(self, name, _directions(getattr(self, name), what, most))
        for name in ("rise", "fall", "gap"):
            seconds = finite_number(getattr(self, name), f"pulse {name} [s]")
            if not 0 <= seconds <= LONGEST:
                raise DataError(
                    f"pulse {name} is a time of at least 0 s and at most {LONGEST:g} s, got {seconds:g}"
                )
            object.__setattr__(self, name, seconds)
        object.__setattr__(
            self, "count", count(self.count, "a train has at least 1 pulse: count", most=MOST)
        )
        doubts.warn(self.doubtful)

    @property
    def doubtful(self) -> str | None:
        """What is said of a duration that is probably a slip of units; see `crossbar.doubts`."""
        return doubts.of_width(max(*(w.max() for w in self.width), self.rise, self.fall, self.gap))

    def amplitudes(self, direction: int, shape: tuple[int, int]) -> Array:
        """(M, N) [V] for a direction, TO_P or TO_AP. Raises DataError where it doesn't fit the cells."""
        return _fitting(self.amplitude[direction < 0], shape, "amplitude")

    def widths(self, direction: int, shape: tuple[int, int]) -> Array:
        """(M, N) [s], likewise."""
        return _fitting(self.width[direction < 0], shape, "width")

    def changed(self, volts: float, factor: float) -> "Pulse":
        """The same pulse higher by `volts` [V] and longer by a factor."""
        return self.with_values(amplitude=tuple(a + volts for a in self.amplitude),
                                width=tuple(w * factor for w in self.width))

    def with_values(self, **changes: Any) -> "Pulse":
        """The same pulse with some fields changed."""
        with doubts.remaking():
            return replace(self, **changes)

    @property
    def lowest(self) -> float:
        """Of the direction that has more, the least amplitude [V]."""
        return float(max(a.min() for a in self.amplitude))


def _directions(value: Any, what: str, most: float) -> tuple[Array, Array]:
    if isinstance(value, tuple | list):
        if len(value) != 2:
            raise DataError(f"{what}: one value for both directions, or a tuple (to P, to AP); arrays over the cells are numpy's")
        return _positive(value[0], what, most), _positive(value[1], what, most)
    both = _positive(value, what, most)
    return both, both


def _positive(value: npt.ArrayLike, what: str, most: float) -> Array:
    array = real_array(value, what)
    if array.ndim > 2 or array.size == 0 or not (np.isfinite(array) & (array > 0)).all():
        raise DataError(f"{what} must be positive and finite, a number or an array over the cells; its sign follows from the "
                        "state that is written")
    if array.max() > most:
        raise DataError(f"{what} is at most {most:g}, got {array.max():g}")
    return array


def _fitting(value: Array, shape: tuple[int, int], what: str) -> Array:
    try:
        return np.broadcast_to(value, shape)
    except ValueError:
        raise DataError(f"pulse {what} of shape {value.shape} does not fit {shape[0]} x {shape[1]} cells") from None
