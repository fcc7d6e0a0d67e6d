"""Stochastic update of a whole array by an outer product, in four phases.

Binary weights w (P high, AP low, dw apart) are to move by -eta delta_j x_i on the average. Each cell is to flip with probability

    P_ij = min(1, eta |delta_j x_i| / dw),  towards P where delta_j x_i < 0, towards AP where it is > 0                (1)

which is a product of what row i and column j know: the sign quadrants are four phases, in each of which row i is on for a time
t_i and column j at a voltage V_j, with P(V, t) the probability that the junction's own dynamics give (crossbar.mtj),

    P(V_j, T) = min(1, eta |delta_j| max|x| / dw),      P(V_ref, t_i) / P(V_ref, T) = |x_i| / max|x| in ln(1 - P)      (2)

Where P is not small, (2) makes it 1 - (1 - P_j)^(|x_i| / max|x|), and 1 is 0.999: let eta be such that few P exceed one half.
Where rates do not depend on the duration this is t_i = T |x_i| / max|x| and V_j by inverting the rate; a pulse from rest takes
some tau_D over the barrier, and (2) adds them.

1T1R: row i's gate is open for t_i, V_j lies between bit and source lines; the voltage applied makes up for a transistor.
Transistorless: row i is at V_r for t_i, column j at -(V_j - V_r) for T; the two add up on the cells of the quadrant, all others
of these lines see one of them, and may be disturbed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from crossbar import doubts, memory, mtj
from crossbar.arrays import OneTransistorArray
from crossbar.checks import count, generator, positive_number, real_array, tolerance
from crossbar.elements.base import Array, IntArray, Mask
from crossbar.elements.cells import MTJCells
from crossbar.errors import DataError
from crossbar.mtj.conduction import StateForm, states_as
from crossbar.solvers.lines import threads
from crossbar.summaries import short_repr
from crossbar.writing.junctions import Junctions, Solution, States
from crossbar.writing.ledger import Ledger
from crossbar.writing.programming import BREAKDOWN
from crossbar.writing.pulses import HIGHEST, LONGEST
from crossbar.writing.report import WriteEnergy
from crossbar.writing.schemes import WritableArray, gated_lines

Drives = Callable[[Mask], dict[str, Any]]  # of the rows (M,) that are on

_MOST = 0.999  # probability that stands for 1
_LEAST = 1e-9  # and what is asked of no pulse
_BYTES_A_CELL = 40 * 8


@dataclass(frozen=True, kw_only=True, eq=False)
class UpdateReport:
    """A finished update; (...) is () or (repeats,)."""

    __repr__ = short_repr

    source: WritableArray
    states: States        # (..., M, N) after it, +1 P, -1 AP; `states_as` gives other forms
    change: IntArray      # (..., M, N) +1: AP -> P, -1: P -> AP, 0: none
    wanted: Array         # (M, N) probability (1), with the sign of the weight's change
    probability: Array  # (..., M, N) that a phase flips the cell, at the voltages as drawn
    energy: WriteEnergy
    time: float           # [s]
    phases: int           # array operations: 4, fewer where a quadrant is empty
    solves: int

    def states_as(self, form: StateForm = "01") -> npt.NDArray[Any]:
        """(..., M, N) states in a form of `crossbar.mtj.states_as`. Raises DataError for another."""
        return states_as(self.states, form)

    @property
    def array(self) -> WritableArray:
        """The array after the update. Raises DataError where there are many."""
        if self.states.ndim > 2:
            raise DataError(f"{len(self.states)} updates leave as many arrays; take their states")
        return Junctions(self.source).array(self.source, self.states)


def outer_product_update(array: WritableArray, x: npt.ArrayLike, delta: npt.ArrayLike, *, eta: float, dw: float = 1.0,
                         duration: float = 50e-9, gate: float = 1.8, repeats: int | None = None, breakdown: float = BREAKDOWN,
                         rtol: float = 1e-9, rng: np.random.Generator) -> UpdateReport:
    """One stochastic step w <- w - eta delta_j x_i of all weights at once.

    array : PassiveArray or OneTransistorArray of MTJCells; cell (i, j) joins input i to output j. x : (M,) inputs. delta : (N,)
    errors. eta : learning rate. dw : difference of the two weights.
    duration : T of (2) [s], many tau_D. gate : of the transistors of rows that are on [V].
    repeats : so many independent updates of the same array. breakdown : voltage [V] that no junction may see.
    The drop along wires is not made up for. Voltages are those of the array at the beginning of a phase, in the present states;
    energy is counted as if every row were on for the whole of its slot, the quarter of T in which it ends.
    Raises DataError for what does not fit, and where the pulses wanted are out of reach of a transistor, SizeError, and what
    `solve` raises.
    """
    junctions, inputs, errors = Junctions(array), *_vectors(array, x, delta)
    rate, step = positive_number(eta, "eta must be above 0: it"), positive_number(
        dw, "dw must be above 0: it"
    )
    total = positive_number(duration, "duration [s]", most=LONGEST)
    limit = positive_number(breakdown, "breakdown [V]", finite=False)
    doubts.warn(doubts.of_width(total))
    batch = 1 if repeats is None else count(repeats, "repeats is a number of updates: it")
    with np.errstate(over="ignore", under="ignore"):  # what is too much is 1, too little 0
        product = np.outer(inputs, errors)
        wanted = -np.sign(product) * np.minimum(rate * np.abs(product) / step, 1.0)
    memory.require(f"{batch} updates of {array.shape[0]} x {array.shape[1]} cells", _BYTES_A_CELL * batch * product.size)
    with threads(batch * wanted.size):
        work = _Update(
            array,
            junctions,
            batch,
            total,
            positive_number(gate, "gate [V]", most=HIGHEST),
            limit,
            tolerance(rtol, "rtol"),
            generator(rng),
        )
        for sign_x in (1, -1):
            for sign_d in (1, -1):
                rows, columns = np.sign(inputs) == sign_x, np.sign(errors) == sign_d
                if rows.any() and columns.any():
                    largest = np.abs(inputs[rows]).max()
                    share = np.where(rows, np.abs(inputs), 0.0) / largest
                    with np.errstate(over="ignore", under="ignore"):
                        strength = np.minimum(rate * np.abs(errors) * largest / step, _MOST)
                    work.quadrant(rows, columns, -sign_x * sign_d, share, strength)
        return work.report(wanted, single=repeats is None)


class _Update:
    """An update under way: states (B, M, N)."""

    def __init__(self, array: WritableArray, junctions: Junctions, batch: int, total: float, gate: float, breakdown: float,
                 rtol: float, rng: np.random.Generator) -> None:
        self.array, self.junctions, self.total, self.rng = array, junctions, total, rng
        self.gate, self.breakdown, self.rtol = gate, breakdown, rtol
        self.before = np.array(np.broadcast_to(junctions.states, (batch, *array.shape)))
        self.states = self.before.copy()
        self.ledger = Ledger(batch, array.shape, self.before, self.before)
        self.keeps = np.ones(self.states.shape)  # probability that no phase did anything
        self.which = np.array([_typical(junctions)])
        self.nominal = junctions.p.select(array.shape, self.which)

    def quadrant(self, rows: Mask, columns: Mask, direction: int, share: Array, strength: Array) -> None:
        """One phase: rows (M,), columns (N,) written in a direction; share (M,) of x, strength (N,): P(V_j, T) of (2)."""
        rest = float(np.max(mtj.switching_probability(0.0, self.total, self.nominal, -direction)))
        columns = columns & (strength > max(_LEAST, 1.01 * rest))  # others flip as often without a voltage
        if not columns.any():
            return
        volts = np.zeros(columns.size)
        volts[columns] = mtj.pulse_amplitude(strength[columns], self.total, self.nominal, -direction)
        times = self._times(np.where(rows, share, 0.0), float(np.median(strength[columns])), direction)
        if isinstance(self.array, OneTransistorArray):
            drives = self._gated(self.array, rows, columns, direction, volts)
            first = self._solve(drives(times > 0))
            flips, leaves = self._flips(first, times)
        else:
            drives = self._coincident(columns, direction, volts)
            first = self._solve(drives(times > 0))
            together = self._flips(first, np.where(times > 0, times, self.total))
            after = np.where(times > 0, self.total - times, 0.0)
            alone = self._flips(self._solve(drives(np.zeros_like(rows))), after)
            flips, leaves = (1 - (1 - a) * (1 - b) for a, b in zip(together, alone, strict=True))
        drawn = np.where(self.rng.random(flips.shape) < flips, -self.states, self.states)
        self._spend(times, drives, first)
        self.states, self.keeps = drawn, self.keeps * (1 - leaves)
        self.ledger.phases += 1
        self.ledger.time += self.total

    def _times(self, share: Array, strength: float, direction: int) -> Array:
        """t_i (M,) of (2) [s], 0 where the row takes no part."""
        out, on = np.zeros(share.size), -np.log1p(-strength) * share > _LEAST
        volts = direction * mtj.pulse_amplitude(strength, self.total, self.nominal, -direction)
        out[on] = mtj.pulse_width(-np.expm1(np.log1p(-strength) * share[on]), volts, self.nominal, -direction)
        return np.minimum(out, self.total)

    def _gated(self, array: OneTransistorArray, rows: Mask, columns: Mask, direction: int, volts: Array) -> Drives:
        """Drives for the rows (M,) that are on."""
        applied, level = _through_transistor(array, self.which, volts, columns, direction, self.gate, self.nominal)
        lines = gated_lines(array, rows, applied, direction, level)
        return lambda on: lines | {"gate": np.where(on, self.gate, 0.0)}

    def _coincident(self, columns: Mask, direction: int, volts: Array) -> Drives:
        """Likewise, rows and columns half of the voltage each."""
        row = float(np.median(volts[columns])) / 2
        bits = np.where(columns, -direction * (volts - row), 0.0)
        return lambda on: {"word_left": np.where(on, direction * row, 0.0), "bit_bottom": bits}

    def _flips(self, solution: Solution, widths: Array) -> tuple[Array, Array]:
        """Probabilities (B, M, N) to flip in pulses of widths (M,) [s] by row, at the voltages of a
        solution: in the states that the cells have, and in those with which they began."""
        self.junctions.must_bear(solution, self.breakdown)
        flips, _ = self.junctions.switched(solution, widths[:, None], self.states)
        leaves = flips.copy()
        moved = np.flatnonzero(self.states != self.before)
        leaves.ravel()[moved], _ = self.junctions.turned(
            solution, widths[:, None], self.states, moved
        )
        return flips, leaves

    def _solve(self, drives: dict[str, Any]) -> Solution:
        self.ledger.solves += 1
        return self.array.solve(**drives, states=self.states, rtol=self.rtol)  # type: ignore[arg-type]

    def _spend(self, times: Array, drives: Drives, first: Solution) -> None:
        """Energy of the four quarters of T, every row on until the end of that in which it ends; `first`: all of them on."""
        for k in range(4):
            solution = self._solve(drives(times > k * self.total / 4)) if k else first
            self.ledger.spend(slice(None), solution, self.total / 4)

    def report(self, wanted: Array, single: bool) -> UpdateReport:
        one: Any = 0 if single else slice(None)
        return UpdateReport(
            source=self.array, states=self.states[one], change=((self.states - self.before) // 2)[one].astype(np.intp),
            wanted=wanted, probability=(1 - self.keeps)[one], energy=self.ledger.energy.each(lambda x: x[one]),
            time=float(self.ledger.time[0]), phases=self.ledger.phases, solves=self.ledger.solves)


def _typical(junctions: Junctions) -> int:
    """Flat index of a junction whose parallel resistance is the median one."""
    r = np.broadcast_to(np.asarray(junctions.p.r_p, dtype=float), junctions.shape).ravel()
    return int(np.argsort(r)[r.size // 2])


def _through_transistor(array: OneTransistorArray, which: IntArray, volts: Array, columns: Mask, direction: int, gate: float,
                        nominal: mtj.MTJParams) -> tuple[Array, float]:
    """Voltages (N,) to apply so that junctions behind a transistor see `volts` (N,), and the highest: bisected."""
    if not gate > float(np.max(array.cells.transistor.vto)):
        raise DataError(f"a gate voltage of {gate:g} V opens no transistor: give gate=")
    cells = replace(array.cells, cells=MTJCells(nominal, np.array([[-direction]])),
                    transistor=array.cells.transistor.select(array.shape, which))

    def seen(v_bit: Array, v_source: Array) -> Array:
        share = np.full((v_bit.size, 1, 1), np.nan)
        cells.current(v_bit[:, None, None], v_source[:, None, None], gate, share=share)
        return np.abs(share[:, 0, 0] * (v_bit - v_source))

    def applied(level: float) -> Array:
        low, high = volts[columns], volts[columns] + 3 * gate if level == 0 else np.full(columns.sum(), level)
        for _ in range(60):
            middle = (low + high) / 2
            bit, source = (middle, 0 * middle) if direction > 0 else (0 * middle, middle) if level == 0 else \
                (level - middle, 0 * middle + level)
            enough = seen(bit, source) >= volts[columns]
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        return high
    found = applied(0.0)
    level = float(found.max())
    if level > 2.5 * gate + volts.max():
        raise DataError(f"behind a transistor at a gate voltage of {gate:g} V no junction sees {volts.max():.3g} V: raise the "
                        "gate or the duration, or take wider transistors")
    if direction < 0 and not array.parallel:
        found = applied(level)
    out = np.zeros(columns.size)
    out[columns] = found
    return out, level


def _vectors(array: WritableArray, x: npt.ArrayLike, delta: npt.ArrayLike) -> tuple[Array, Array]:
    out = []
    for value, what, lines in ((x, "x", array.shape[0]), (delta, "delta", array.shape[1])):
        vector = real_array(value, what)
        if vector.shape != (lines,) or not np.isfinite(vector).all():
            raise DataError(f"{what} must have shape ({lines},) and be finite, got shape {vector.shape}")
        out.append(vector)
    return out[0], out[1]
