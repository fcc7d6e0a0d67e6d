"""Pulses followed from within: every junction carries z = cos(theta) by the axial Langevin equation, conducts G(z), and is driven
by its share of the solved array.

    dz = Langevin(z; i),  i = I(v, z) / I_c0(z),  I_c0(z) = (1 + z)/2 I_c0(P) + (1 - z)/2 I_c0(AP)          (mtj/langevin.py)

Between two looks the overdrives are those of the middle of the step, as they went on before. At a look the currents are taken
anew at the voltages that were; where they have moved by more than a tolerance, so may the voltages have, and the array is solved
again, from where it was. Closed formulas know one voltage from rest to the end; a cell that switches early changes those of its
neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from crossbar import mtj
from crossbar.checks import positive_number
from crossbar.elements.base import Array
from crossbar.errors import DataError
from crossbar.writing.junctions import Junctions, Solution, States
from crossbar.writing.ledger import Live
from crossbar.writing.pulses import Pulse

_MOST_LOOKS = 1e6  # at a pulse
_SLICES = 8  # of an edge, each at the voltage of its middle

Solve = Callable[[float, Array, Solution | None], Solution]  # share of the amplitude, z, where to begin
Spend = Callable[[Solution, float], None]


@dataclass(frozen=True, kw_only=True)
class Stepping:
    """How closely pulses are followed.

    tolerance : change of a junction's current, relative to the largest, after which the array is solved again.
    look : longest time between two looks at the currents, in units of tau_D / (1 + |i| + 1 / Delta) of the fastest cell.
    Raises DataError for what is not positive.
    """

    tolerance: float = 0.05
    look: float = 0.2

    def __post_init__(self) -> None:
        for name in ("tolerance", "look"):
            value = positive_number(
                getattr(self, name), f"stepping's {name}: it must be positive; it"
            )
            object.__setattr__(self, name, value)


class Moments:
    """z of all junctions of a batch of arrays, which go on through all phases; in those that a write takes no part in, at rest.
    Raises DataError for junctions whose anisotropy the voltage changes (xi)."""

    def __init__(self, junctions: Junctions, states: States, stepping: Stepping, rng: np.random.Generator) -> None:
        p = junctions.p
        if np.any(p.xi):
            raise DataError("stepping takes junctions whose anisotropy does not depend on the voltage: xi = 0")
        shape, whole = junctions.shape, states.shape

        def each(value: object) -> Array:
            return np.broadcast_to(np.asarray(value, dtype=float), whole).ravel()
        self.junctions, self.stepping, self.shape = junctions, stepping, whole
        self.fixed = np.zeros(shape, bool) if junctions.fixed is None else junctions.fixed
        delta, tau_d = each(p.delta), each(p.tau_d)
        self.cells = mtj.AxialCells(delta, tau_d, states.size, rng, state=states.ravel())
        self.idle, self.tau_d = 1 + 1 / delta.reshape(whole), tau_d.reshape(whole)

    @property
    def z(self) -> Array:
        """(B, M, N)"""
        return self.cells.z.reshape(self.shape)

    @property
    def states(self) -> States:
        """The side of the equator that every moment is on."""
        return np.where(self.cells.z.reshape(self.shape) >= 0, 1, -1).astype(np.int8)

    def follow(self, live: Live, pulse: Pulse, width: float, solve: Solve, spend: Spend) -> Solution:
        """Through one pulse, edges and gap included; the first solution. Writes that are not live rest meanwhile."""
        duration = pulse.rise + width + pulse.fall + pulse.gap
        looks = duration / (self.stepping.look * float(self.tau_d.min()))
        if looks > _MOST_LOOKS:
            raise DataError(
                f"stepping through a pulse of {duration:.3g} s, its edges and gap included, takes "
                f"{looks:.2g} looks or more; {_MOST_LOOKS:g} are the most: take shorter ones, or "
                "stepping=None"
            )
        first = last = None
        for share, duration in waveform(pulse, width):
            start = solve(share, self.z[live], last)
            first = first or start
            last = self._hold(live, duration, start, partial(solve, share), spend)
        if pulse.gap:
            self.cells.advance(0.0, pulse.gap)
        assert first is not None  # a waveform has at least one piece
        return first

    def _hold(self, live: Live, duration: float, solution: Solution, solve: Callable[[Array, Solution], Solution],
              spend: Spend) -> Solution:
        """At constant voltages of the lines; the last solution."""
        z, left, i, before, last = self.z[live], duration, np.zeros(self.shape), None, 0.0
        while left > 1e-12 * duration:
            amperes = self.junctions.conducting(solution, z)
            if self._moved(amperes, solution.cell_current):
                solution = solve(z, solution)
                amperes = solution.cell_current
            i[live] = np.where(self.fixed, 0.0, self.junctions.axial_drive(amperes, z))
            step = min(left, self.stepping.look / float(((self.idle + np.abs(i)) / self.tau_d).max()))
            middle = i if before is None else i + (0.5 * step / last) * (i - before)
            before, last = i.copy(), step
            z = self.cells.advance(middle.ravel(), step).reshape(self.shape)[live]
            spend(solution, step)
            left -= step
        return solution

    def _moved(self, now: Array, before: Array) -> bool:
        free = ~self.fixed
        largest = np.abs(before).max(axis=(1, 2), where=free, initial=0.0)
        return bool((np.abs(now - before).max(axis=(1, 2), where=free, initial=0.0) > self.stepping.tolerance * largest).any())


def waveform(pulse: Pulse, width: float) -> Iterator[tuple[float, float]]:
    """Share of the amplitude and duration [s] of pieces of a pulse, one after the other."""
    middles = (np.arange(_SLICES) + 0.5) / _SLICES
    if pulse.rise:
        yield from ((float(x), pulse.rise / _SLICES) for x in middles)
    yield 1.0, width
    if pulse.fall:
        yield from ((float(x), pulse.fall / _SLICES) for x in middles[::-1])
