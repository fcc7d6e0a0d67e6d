"""Writing an array: pulses whose cell voltages come from the solved array, cells that flip by chance.

    target -> phases (row, direction) -> lines' voltages (schemes) -> solved array, with the states as they are
           -> every cell's own current and voltage -> probability to flip (crossbar.mtj) -> new states
           -> [reads through the array -> further pulses] -> report

Every phase is solved anew, all cells in it: selected, half-selected and unselected ones may flip. Many writes (repeats) are
solved and drawn side by side; they are split into blocks whose size depends on the array alone, each with its own stream of
random numbers, so that a seed gives the same bits whoever works on the blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from crossbar import doubts, memory, mtj
from crossbar.arrays import PassiveArray
from crossbar.checks import choice, count, generator, mask, positive_number, tolerance
from crossbar.elements.base import Array, Mask
from crossbar.errors import CrossbarError, DataError
from crossbar.mtj.switching import Method
from crossbar.solvers.lines import threads
from crossbar.writing.junctions import Junctions, Solution, States
from crossbar.writing.ledger import Ledger, Live
from crossbar.writing.pulses import DIRECTIONS, Pulse
from crossbar.writing.recall import Recall
from crossbar.writing.report import WriteEnergy, WriteReport
from crossbar.writing.schemes import Selection, WritableArray, WriteScheme, as_write_scheme
from crossbar.writing.stepping import Moments, Stepping
from crossbar.writing.verify import Verify, sensed

Order = Literal["rows", "cells"]

BREAKDOWN = 1.5       # [V] of a tunnel barrier of 1 nm under short pulses, about; our assumption
_BLOCK_CELLS = 2 ** 19  # repeats x cells written side by side
_BYTES_A_CELL = 60 * 8  # that a block holds


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A write that was checked."""

    array: WritableArray
    only: Mask  # (M, N)
    pulse: Pulse
    scheme: WriteScheme
    verify: Verify | None
    order: Order
    stepping: Stepping | None
    breakdown: float
    method: Method
    exponent: int
    rtol: float


def program(array: WritableArray, target: npt.ArrayLike, *, pulse: Pulse, scheme: str | WriteScheme | Any = "v/2",
            verify: Verify | None = None, order: Order = "rows", only: npt.ArrayLike | None = None, repeats: int | None = None,
            stepping: Stepping | None = None, breakdown: float = BREAKDOWN, method: Method = "fokker-planck",
            exponent: int = 2, rtol: float = 1e-9, rng: np.random.Generator,
            map: Callable[..., Any] = map) -> WriteReport:
    """Write states into an array of MTJs.

    array : PassiveArray or OneTransistorArray of MTJCells(params, state); it stays as it is, the report holds the new one.
    target : (M, N) states, whatever `crossbar.mtj.as_state` accepts; or (repeats, M, N), a write each.
        The report gives +1 (P) and -1 (AP) also where 1 and 0 were given: see `WriteReport.states_as`.
    scheme : "v/2", "v/3", "floating", "grounded", "1t1r", an xb.Scheme of line levels, or a WriteScheme.
    verify : reads and further pulses; None: every cell gets its pulse, right or wrong.
    order : "rows": all cells of a row that get the same state at once; "cells": one after the other.
    only : (M, N) mask of the cells to write; all by default, whether they differ from their target or not.
    repeats : so many independent writes of the same target, side by side.
    stepping : follow every junction through the pulse; None: probabilities of a pulse from rest at the voltages at its beginning,
        by `method` and `exponent` as in `mtj.switching_probability`.
    breakdown : voltage [V] that no junction may see, nor a pulse on a passive array have everywhere.
    rtol : of the solves, sum |KCL| / sum |cell current|.
    map : of the blocks of repeats: that of an executor, for several processes (started by "spawn": threads of kernels do not
        survive a fork); the result is the same.
    Raises DataError for a target, pulse or scheme that does not fit, or a voltage beyond breakdown; SizeError; what `solve`
    raises. `partial` of an error that comes on the way is the report of what was done (of its block of repeats).
    """
    choice(method, ("fokker-planck", "formula"), "method")
    choice(order, ("rows", "cells"), "order")
    junctions = Junctions(array, method, count(exponent, "exponent", most=2))
    states = _target(target, array.shape, repeats)
    plan = Plan(
        array=array,
        only=_mask(only, array.shape),
        pulse=pulse,
        scheme=as_write_scheme(scheme, array),
        verify=verify,
        order=order,
        stepping=stepping,
        breakdown=positive_number(
            breakdown, "breakdown is a positive voltage [V]: it", finite=False
        ),
        method=method,
        exponent=exponent,
        rtol=tolerance(rtol, "rtol"),
    )
    _check(plan, junctions)
    batch = 1 if states.ndim == 2 else len(states)
    cells = array.shape[0] * array.shape[1]
    size = max(1, _BLOCK_CELLS // cells)
    memory.require(f"{batch} writes of {array.shape[0]} x {array.shape[1]} cells",
                   _BYTES_A_CELL * cells * min(size, batch) + 100.0 * states.size)
    targets = [states.reshape(batch, *array.shape)[first:first + size] for first in range(0, batch, size)]
    try:
        parts = list(map(_block, [plan] * len(targets), targets, generator(rng).spawn(len(targets))))
    except CrossbarError as error:
        if isinstance(error.partial, WriteReport) and states.ndim == 2:
            error.partial = _joined([error.partial], single=True)
        raise
    return _joined(parts, single=states.ndim == 2)


def _block(plan: Plan, target: States, rng: np.random.Generator) -> WriteReport:
    """Some of the repeats."""
    with threads(target.size):
        return _Write(plan, target, rng).run()


class _Write:
    """Writes of a block under way: states (B, M, N) and accounts."""

    def __init__(self, plan: Plan, target: States, rng: np.random.Generator) -> None:
        self.plan, self.array, self.target, self.rng = plan, plan.array, target, rng
        self.junctions = Junctions(plan.array, plan.method, plan.exponent)
        self.states = np.array(np.broadcast_to(self.junctions.states, target.shape))
        self.ledger = Ledger(len(target), plan.array.shape, target, self.states)
        self.recall = {direction: Recall() for direction in DIRECTIONS}
        self.uniforms = np.empty(target.shape)
        self.unread: Array | None = None  # expected errors before the first read
        self.gave_up = np.zeros(target.shape, bool)
        self.moments = None if plan.stepping is None else Moments(self.junctions, self.states, plan.stepping, rng)

    def run(self) -> WriteReport:
        try:
            self.write(np.broadcast_to(self.plan.only, self.target.shape), self.plan.pulse)
            if self.plan.verify is not None:
                self.unread = self.ledger.error.copy()
                self.repair(self.plan.verify)
        except CrossbarError as error:
            error.partial = self.report()
            raise
        return self.report()

    def repair(self, verify: Verify) -> None:
        """Reads and further pulses until all is well, or no more are allowed."""
        references = verify.references(self.array, self.plan.scheme)
        active, round_ = np.ones(len(self.target), bool), 0
        while active.any():
            wrong = (self.read(verify, references, active) != self.target) & self.plan.only
            self.ledger.read(_live(active), self.states)
            due = wrong & (self.ledger.pulses + self.plan.pulse.count <= verify.max_pulses) & active[:, None, None]
            self.gave_up[active] = (wrong & ~due)[active]
            active, round_ = due.any(axis=(1, 2)), round_ + 1
            self.write(due, verify.pulse(self.plan.pulse, round_))

    def write(self, due: Mask, pulse: Pulse) -> None:
        """One pass: a pulse on every cell that is due (B, M, N)."""
        volts = {d: pulse.amplitudes(d, self.array.shape) for d in DIRECTIONS}
        widths = {d: pulse.widths(d, self.array.shape) for d in DIRECTIONS}
        for row, direction, columns in tqdm(self._phases(due), total=self._count(due), desc="write", unit="phase", delay=3,
                                            disable=None, leave=False):
            live = _live(columns.any(axis=1))
            selection = Selection(row, columns[live], direction, volts[direction][row])
            width = _common(widths[direction][row], selection.columns, row)
            recall = self.recall[direction] if isinstance(live, slice) and self.moments is None else None
            guess = None if recall is None else recall.guess(row, selection.columns)
            for _ in range(pulse.count):
                solution = self.operate(live, partial(self._biased, selection), pulse, width, row, selection.columns, guess)
                self.ledger.time[live] += pulse.rise + width + pulse.fall + pulse.gap
            if recall is not None:
                recall.keep(solution.cell_voltage, row, selection.columns)
            self.ledger.phases += 1

    def _biased(self, selection: Selection, share: float) -> dict[str, Any]:
        """Voltages of the lines at a share of the amplitude."""
        return self.plan.scheme.drives(self.array, replace(selection, volts=share * selection.volts))

    def _count(self, due: Mask) -> int:
        """Number of phases."""
        over = (0, 2) if self.plan.order == "rows" else 0
        return sum(int((due & (self.target == direction)).any(axis=over).sum()) for direction in DIRECTIONS)

    def _phases(self, due: Mask) -> Iterator[tuple[int, int, Mask]]:
        """Row, direction and columns (B, N)."""
        for row in np.flatnonzero(due.any(axis=(0, 2))):
            for direction in DIRECTIONS:
                columns = due[:, row] & (self.target[:, row] == direction)
                if self.plan.order == "rows":
                    if columns.any():
                        yield int(row), direction, columns
                    continue
                for column in np.flatnonzero(columns.any(axis=0)):
                    one = np.zeros_like(columns)
                    one[:, column] = columns[:, column]
                    yield int(row), direction, one

    def read(self, verify: Verify, references: Array, active: Mask) -> States:
        """States (B, M, N) as they read, row by row; those of writes that are not active are not looked at."""
        live, found = _live(active), np.array(self.target)
        nothing = np.zeros(self.states[live, 0].shape, bool)
        with doubts.remaking():
            pulse = Pulse(verify.read, verify.read_width)
        for row in tqdm(range(self.array.shape[0]), desc="read", unit="row", delay=3, disable=None, leave=False):
            drives, sides = self.plan.scheme.read(self.array, row, verify.read)
            solution = self.operate(live, partial(_constant, drives), pulse, verify.read_width, row, nothing)
            found[live, row] = np.where(sensed(solution, sides) > references[row], 1, -1)
            self.ledger.time[live] += verify.read_width
            self.ledger.phases += 1
        return found

    def operate(self, live: Live, drives: Callable[[float], dict[str, Any]], pulse: Pulse, width: float, row: int,
                columns: Mask, guess: Array | None = None) -> Solution:
        """One pulse on the array, drives(share of the amplitude), selected columns (k, N) of a row: solved, drawn and accounted
        for. guess : of the cell voltages. The solution at its start."""
        before = self.states[live]
        if self.moments is None:
            solution = self.solve(drives(1.0), before, guess=guess)
            flips = self.junctions.flips(solution, width, before)
            self.ledger.spend(live, solution, width)
            self.ledger.draw(live, row, columns, self.states, flips, self._uniforms(len(before)))
        else:
            solution, flipped = self._follow(self.moments, live, drives, pulse, width, before)
            self.ledger.flipped(live, row, columns, flipped)
            self.states[live] = np.where(flipped, -before, before)
        self.ledger.pulse(live, row, columns)
        return solution

    def _uniforms(self, writes: int) -> Array:
        """(writes, M, N) random numbers in [0, 1), in place of the last ones."""
        return self.rng.random(out=self.uniforms[:writes])

    def _follow(self, moments: Moments, live: Live, drives: Callable[[float], dict[str, Any]], pulse: Pulse, width: float,
                before: States) -> tuple[Solution, Mask]:
        """Every junction through the pulse; writes that take no part rest meanwhile."""
        first = moments.follow(live, pulse, width, lambda share, z, start: self.solve(drives(share), z, start),
                               lambda solution, time: self.ledger.spend(live, solution, time))
        flipped = moments.states[live] != before
        if self.junctions.fixed is not None:
            flipped &= ~self.junctions.fixed
        return first, flipped

    def solve(self, drives: dict[str, Any], z: npt.ArrayLike, start: Solution | None = None,
              guess: Array | None = None) -> Solution:
        """The array under bias. Raises DataError where a junction sees more than it bears."""
        solution = self.array.solve(**drives, states=z, start=start, guess=guess, rtol=self.plan.rtol)  # type: ignore[arg-type]
        self.ledger.solves += 1
        self.junctions.must_bear(solution, self.plan.breakdown)
        return solution

    def report(self) -> WriteReport:
        ledger, exact = self.ledger, self.moments is None
        expected = np.where(
            self.plan.only, ledger.error if self.unread is None else self.unread, 0.0
        )
        return WriteReport(
            source=self.array, states=self.states, target=self.target, written=self.plan.only, disturbs=ledger.disturbs,
            pulses=ledger.pulses, gave_up=self.gave_up, expected_disturb=ledger.disturb if exact else None,
            expected_error=expected if exact else None, energy=ledger.energy, time=ledger.time,
            verified=self.plan.verify is not None, phases=ledger.phases, solves=ledger.solves, residual=ledger.residual)


def _constant(drives: dict[str, Any], share: float) -> dict[str, Any]:
    """Those of a read, which has no edges."""
    return drives


def _live(mask: Mask) -> Live:
    """Numbers of the writes that take part."""
    return slice(None) if mask.all() else np.flatnonzero(mask)


def _common(widths: Array, columns: Mask, row: int) -> float:
    """Width of the pulses of the selected columns."""
    used = widths[columns.any(axis=0)]
    if (used != used[0]).any():
        raise DataError(f"the cells of row {row} are written at once, yet their pulse widths differ: give one width a row, or "
                        'write with order="cells"')
    return float(used[0])


def _target(target: npt.ArrayLike, shape: tuple[int, int], repeats: int | None) -> States:
    states = mtj.as_state(target)
    if states.shape[-2:] != shape or states.ndim not in (2, 3) or states.size == 0:
        raise DataError(f"the target has shape {states.shape}, the array {shape[0]} x {shape[1]} cells")
    if repeats is None:
        return states
    if states.ndim == 3:
        raise DataError(
            f"repeats is for writes of one target (M, N), not for targets of shape {states.shape}"
        )
    repeats = count(repeats, "repeats is a number of writes: it")
    memory.require(f"{repeats} writes", 100.0 * states.size * repeats)
    return np.broadcast_to(states, (repeats, *shape))


def _mask(only: npt.ArrayLike | None, shape: tuple[int, int]) -> Mask:
    return np.ones(shape, bool) if only is None else mask(only, shape, "only")


def _check(plan: Plan, junctions: Junctions) -> None:
    """What can be refused before anything is done."""
    junctions.states  # noqa: B018 - refuses partly switched cells
    if not isinstance(plan.pulse, Pulse):
        raise DataError(f"pulse is xb.Pulse(amplitude, width), not {type(plan.pulse).__name__}")
    if not isinstance(plan.verify, Verify | None):
        raise DataError(f"verify is xb.Verify(max_pulses), or None, not {plan.verify!r:.80}")
    if not isinstance(plan.stepping, Stepping | None):
        raise DataError(f"stepping is xb.writing.Stepping(...), or None, not {plan.stepping!r:.80}")
    if (
        plan.verify is not None
        and isinstance(plan.array, PassiveArray)
        and plan.verify.read > plan.breakdown
    ):
        raise DataError(
            f"reads of {plan.verify.read:g} V are beyond the breakdown limit of "
            f"{plan.breakdown:g} V; lower write-verify's read, or give breakdown="
        )
    pulses = [plan.pulse] if plan.verify is None else [plan.pulse, plan.verify.pulse(plan.pulse, plan.verify.max_pulses)]
    for pulse in pulses:
        for direction in DIRECTIONS:
            pulse.amplitudes(direction, plan.array.shape)
            pulse.widths(direction, plan.array.shape)
        if isinstance(plan.array, PassiveArray) and pulse.lowest > plan.breakdown:
            raise DataError(f"a pulse of {pulse.lowest:g} V is beyond the breakdown limit of {plan.breakdown:g} V; lower it, "
                            "or give breakdown=")
    if plan.stepping is None:
        if plan.pulse.rise or plan.pulse.fall:
            raise DataError("the edges of a pulse (rise, fall) take stepping=xb.writing.Stepping(): closed formulas know "
                            "rectangles only")
        rest = 5 * float(np.max(np.asarray(junctions.p.tau_d)))
        if plan.pulse.count > 1 and plan.pulse.gap < rest:
            raise DataError(f"the pulses of a train begin from rest: give a gap of at least 5 tau_D = {rest:.3g} s, or "
                            "stepping=xb.writing.Stepping()")


def _joined(parts: list[WriteReport], single: bool) -> WriteReport:
    """One report of all blocks."""
    def along(values: list[Any]) -> Any:
        if values[0] is None:
            return None
        whole = values[0] if len(values) == 1 else np.concatenate(values)
        return whole[0] if single else whole
    energy = WriteEnergy.joined([p.energy for p in parts])
    if single:
        energy = energy.each(lambda x: x[0])
    by_write = ("states", "target", "disturbs", "pulses", "gave_up", "expected_disturb", "expected_error", "time")
    return replace(parts[0], energy=energy, phases=max(p.phases for p in parts), solves=sum(p.solves for p in parts),
                   residual=max(p.residual for p in parts),
                   **{name: along([getattr(p, name) for p in parts]) for name in by_write})
