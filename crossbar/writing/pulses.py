"""Write pulses: what is applied between the selected lines, in either direction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from crossbar import doubts
from crossbar.checks import real_array
from crossbar.elements.base import Array
from crossbar.errors import DataError
from crossbar.summaries import short_repr

TO_P, TO_AP = 1, -1  # directions: the state that is written
DIRECTIONS = (TO_P, TO_AP)


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
        for name, what in (("amplitude", "pulse amplitude [V]"), ("width", "pulse width [s]")):
            object.__setattr__(self, name, _directions(getattr(self, name), what))
        for name in ("rise", "fall", "gap"):
            value = real_array(getattr(self, name), f"pulse {name} [s]")
            if value.ndim or not (np.isfinite(value) and value >= 0):
                raise DataError(f"pulse {name} is a finite time of at least 0 s, got {getattr(self, name)!r}")
            object.__setattr__(self, name, float(value))
        if isinstance(self.count, bool) or not isinstance(self.count, int | np.integer) or self.count < 1:
            raise DataError(f"a train has at least 1 pulse, got count={self.count!r}")
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


def _directions(value: Any, what: str) -> tuple[Array, Array]:
    if isinstance(value, tuple | list):
        if len(value) != 2:
            raise DataError(f"{what}: one value for both directions, or a tuple (to P, to AP); arrays over the cells are numpy's")
        return _positive(value[0], what), _positive(value[1], what)
    both = _positive(value, what)
    return both, both


def _positive(value: npt.ArrayLike, what: str) -> Array:
    array = real_array(value, what)
    if array.ndim > 2 or array.size == 0 or not (np.isfinite(array) & (array > 0)).all():
        raise DataError(f"{what} must be positive and finite, a number or an array over the cells; its sign follows from the "
                        "state that is written")
    return array


def _fitting(value: Array, shape: tuple[int, int], what: str) -> Array:
    try:
        return np.broadcast_to(value, shape)
    except ValueError:
        raise DataError(f"pulse {what} of shape {value.shape} does not fit {shape[0]} x {shape[1]} cells") from None
