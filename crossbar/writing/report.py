"""What a write did: states, errors, disturbed cells, pulses, energy, and the probabilities behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from crossbar.elements.base import Array, IntArray, Mask
from crossbar.errors import DataError
from crossbar.mtj.conduction import StateForm, states_as
from crossbar.summaries import block, short_repr, spread
from crossbar.units import format_si
from crossbar.writing.junctions import Junctions, States
from crossbar.writing.schemes import WritableArray


@dataclass(frozen=True, kw_only=True, eq=False)
class WriteEnergy:
    """Energy of all phases and reads [J]; (...) is () or (repeats,). The sources' is the sum of what the others dissipate."""

    __repr__ = short_repr

    sources: Array             # (...)
    cells: Array               # (..., M, N), transistors included
    lines: Mapping[str, Array]  # {"wl" or "sl", and "bl": (..., lines)}: wires of word or source lines, and of bit lines
    ends: Mapping[str, Array]   # {side: (..., lines)}: drivers

    @property
    def wires(self) -> Array:
        """(...) all wires [J]."""
        return sum((x.sum(axis=-1) for x in self.lines.values()), np.zeros(()))

    @property
    def drivers(self) -> Array:
        """(...) all drivers [J]."""
        return sum((x.sum(axis=-1) for x in self.ends.values()), np.zeros(()))

    def each(self, change: Callable[[Array], Array]) -> "WriteEnergy":
        """What `change` makes of every entry."""
        return WriteEnergy(sources=change(self.sources), cells=change(self.cells),
                           lines={name: change(x) for name, x in self.lines.items()},
                           ends={side: change(x) for side, x in self.ends.items()})

    @staticmethod
    def joined(parts: Sequence["WriteEnergy"]) -> "WriteEnergy":
        """Of several blocks of repeats, one after the other."""
        return WriteEnergy(sources=np.concatenate([p.sources for p in parts]), cells=np.concatenate([p.cells for p in parts]),
                           lines={name: np.concatenate([p.lines[name] for p in parts]) for name in parts[0].lines},
                           ends={side: np.concatenate([p.ends[side] for p in parts]) for side in parts[0].ends})

    @property
    def dissipated(self) -> Array:
        """(...) by cells, wires and drivers together [J]."""
        return self.cells.sum(axis=(-1, -2)) + self.wires + self.drivers


@dataclass(frozen=True, kw_only=True, eq=False)
class WriteReport:
    """A finished write; (...) is () for one write and (repeats,) for many of them at once.

    Errors and disturbed cells are those of this write's random numbers. The expected ones are
    probabilities: of either state, and of having been disturbed, carried through all phases for
    every cell, however small they are (in arrays of more than 4096 cells a phase that flips a state
    with less than 1e-18 is taken to leave it, or as rest). Their means over writes are those of the
    drawn ones, but for what remains approximate:

    - The voltages of a cell are those that the states of all others gave it in this write; in the
      state that it was not in it sees what its two lines let it, the others holding their voltages
      (`writing.turning`). Where unselected lines float, cells share their fate: trains of pulses that
      flip most of 2 x 2 or 3 x 3 cells of Delta 22 are expected with 4 to 6 per cent too many errors
      and up to 3 per cent too many disturbed cells.
    - Reads tell the states, on which further pulses depend: with Verify, `expected_disturb` goes on
      from the states that the cells were read in. Where most cells are disturbed it is some per
      cent off.

    None where cells were followed through the pulse (Stepping), which has no closed form.
    """

    source: WritableArray  # the array as it was
    states: States         # (..., M, N) at the end, +1 P, -1 AP; `states_as` gives other forms
    target: States         # (..., M, N), likewise
    written: Mask          # (M, N) cells that were to be written
    disturbs: IntArray     # (..., M, N) flips of a cell while it was not selected
    pulses: IntArray       # (..., M, N) a cell was selected for
    gave_up: Mask          # (..., M, N) cells that read wrong after the last pulse allowed; with Verify only
    expected_disturb: Array | None  # (..., M, N) probability that at least one phase flips a cell that is not selected
    expected_error: Array | None    # (..., M, N) that a cell that is to be written ends wrong; with Verify, before the first
    #                                 read; 0 for the other cells
    energy: WriteEnergy
    time: Array            # (...) [s]
    verified: bool         # whether reads were made
    phases: int            # array operations, reads included
    solves: int            # of the array, each for all repeats that took part
    residual: float        # largest sum |KCL| / sum |cell current| of all solves

    def states_as(self, form: StateForm = "01") -> npt.NDArray[Any]:
        """(..., M, N) states at the end in a form of `crossbar.mtj.states_as`: "01", "-1/1", "bool"
        or "words". Raises DataError for another."""
        return states_as(self.states, form)

    @property
    def errors(self) -> Mask:
        """(..., M, N) cells that should have been written and are not in the state wanted."""
        return (self.states != self.target) & self.written

    @property
    def disturbed(self) -> Mask:
        """(..., M, N) cells that flipped while not selected, whatever became of them later."""
        return self.disturbs > 0

    @property
    def repeats(self) -> int | None:
        """How many writes these are; None: one."""
        return len(self.states) if self.states.ndim == 3 else None

    @property
    def array(self) -> WritableArray:
        """The array in its new states. Raises DataError where there are many: see `array_of`."""
        if self.repeats is not None:
            raise DataError(f"{self.repeats} writes leave as many arrays: report.array_of(k)")
        return _with_states(self.source, self.states)

    def array_of(self, k: int) -> WritableArray:
        """The array that write k of many left."""
        if self.repeats is None or not -self.repeats <= k < self.repeats:
            raise DataError(f"there is no write {k!r} among {self.repeats or 'a single one: report.array'}")
        return _with_states(self.source, self.states[k])

    @property
    def error_rate(self) -> float:
        """Share of the cells to be written, over all repeats, that are wrong."""
        return float(self.errors.sum() / max(self.written.sum() * (self.repeats or 1), 1))

    def summary(self) -> str:
        """A few lines for people."""
        m, n = self.written.shape
        many = "" if self.repeats is None else f", {self.repeats} times"
        per = "" if self.repeats is None else " a write"
        share = self.repeats or 1

        def mean(mask: npt.NDArray[Any]) -> str:
            return f"{mask.sum() / share:g}"
        lines = [f"wrote {int(self.written.sum())} of {m} x {n} cells{many}",
                 f"write errors{per}: {mean(self.errors)}   ({self.error_rate:.3g} of the cells written)",
                 f"cells disturbed{per}: {mean(self.disturbed)}",
                 f"pulses{per}: {mean(self.pulses)}, at most {int(self.pulses.max())} for a cell; given up: {mean(self.gave_up)}"]
        if self.expected_error is not None and self.expected_disturb is not None:
            wrong = self.expected_error[..., self.written]
            when = " before the first read" if self.verified else ""
            lines.append(f"expected{per}: {wrong.sum() / share:.4g} errors{when} (worst cell {wrong.max(initial=0.0):.3g}), "
                         f"{self.expected_disturb.sum() / share:.4g} disturbed (worst cell {self.expected_disturb.max():.3g})")
        e = {name: format_si(float(np.mean(value)), "J") for name, value in (
            ("sources", self.energy.sources), ("cells", self.energy.cells.sum(axis=(-1, -2))), ("wires", self.energy.wires),
            ("drivers", self.energy.drivers))}
        lines += [f"energy{per} of sources {e['sources']} = cells {e['cells']} + wires {e['wires']} + drivers {e['drivers']}",
                  f"time{per}: {format_si(float(np.mean(self.time)), 's')} in {self.phases} phases, {self.solves} solves, "
                  f"sum |KCL| / sum |cell current| {self.residual:.1e} at worst"]
        return "\n".join(lines)

    def __repr__(self) -> str:
        """The head of `summary`, energy and certificate."""
        written, errors, disturbed, *_ = self.summary().splitlines()
        return block(
            f"WriteReport: {written}", f"{errors}; {disturbed}",
            f"energy {spread(self.energy.sources, 'J')}, time {spread(self.time, 's')}",
            f"{self.phases} phases, {self.solves} solves, sum |KCL| / sum |cell current| "
            f"{self.residual:.1e} at worst")

    def as_dict(self, states: StateForm = "-1/1") -> dict[str, Any]:
        """Everything as numbers and lists, for JSON; states and target in a form of `states_as`."""
        def plain(x: Any) -> Any:
            return None if x is None else np.asarray(x).tolist()
        as_asked = {"states": plain(states_as(self.states, states)),
                    "target": plain(states_as(self.target, states))}
        names = ("written", "errors", "disturbs", "pulses", "gave_up", "expected_disturb", "expected_error",
                 "time")
        e = self.energy
        energy = {name: plain(getattr(e, name)) for name in ("sources", "cells", "wires", "drivers")} | {
            name: {key: plain(x) for key, x in getattr(e, name).items()} for name in ("lines", "ends")}
        return as_asked | {name: plain(getattr(self, name)) for name in names} | {
            "energy": energy, "phases": self.phases, "solves": self.solves, "residual": self.residual}


def _with_states(array: WritableArray, states: States) -> WritableArray:
    return Junctions(array).array(array, states)
