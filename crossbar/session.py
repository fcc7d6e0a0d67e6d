"""Run a deck: every analysis and write, in order, each result under its name; what follows a write sees the states it left."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from crossbar import doubts
from crossbar.analysis import Sweep, dc_sweep, operating_point
from crossbar.checks import instance
from crossbar.errors import CrossbarError, DataError
from crossbar.io.tables import default_outputs
from crossbar.netlist import Deck, read_netlist
from crossbar.netlist.deck import ALL, DcAnalysis, OpAnalysis, WriteAnalysis
from crossbar.points import OperatingPoint
from crossbar.solvers.newton import Displaced, GminStepping, Ladder, Newton, Solver, SourceStepping

if TYPE_CHECKING:
    from crossbar.writing import WriteReport

log = logging.getLogger(__name__)

_TOLERANCES = ("reltol", "abstol", "vntol")


@dataclass(frozen=True, eq=False)
class Run:
    """What a deck gave: `run.op`, `run.dc`, `run.write`, or `run.analyses["op2"]`, `run.writes["write2"]` where a deck has
    several of a kind."""

    deck: Deck
    analyses: dict[str, OperatingPoint | Sweep]
    writes: dict[str, "WriteReport"] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Four lines: the deck, what there is of operating points and sweeps, of writes, and how many warnings."""
        results = []
        for name, result in self.analyses.items():
            size = " x ".join(map(str, result.shape)) + " points" if isinstance(result, Sweep) else result.method
            results.append(f"{name} ({size})")
        return "\n".join((f"run of {self.title[:60]!r} ({self.deck.path[-100:]})",
                          f"  analyses: {_few(results)}",
                          f"  writes: {_few(self.writes)}",
                          f"  warnings: {len(self.warnings)}"))

    def add(self, name: str, result: "OperatingPoint | Sweep | WriteReport") -> None:
        """Take in what an analysis or a write gave."""
        if isinstance(result, OperatingPoint | Sweep):
            self.analyses[name] = result
        else:
            self.writes[name] = result

    def add_partial(self, error: CrossbarError) -> None:
        """Take in what was finished before an error, as "unfinished"."""
        if error.partial is not None:
            self.add("unfinished", error.partial)  # type: ignore[arg-type]

    @property
    def finished(self) -> tuple[str, ...]:
        """Names of everything that is there."""
        return (*self.analyses, *self.writes)

    @property
    def title(self) -> str:
        """Title of the deck."""
        return self.deck.title

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the deck's author should look at, as file:line: text."""
        return self.deck.warnings

    @property
    def op(self) -> OperatingPoint:
        """The deck's only operating point."""
        found = self._only("op")
        assert isinstance(found, OperatingPoint)
        return found

    @property
    def dc(self) -> Sweep:
        """The deck's only DC sweep."""
        found = self._only("dc")
        assert isinstance(found, Sweep)
        return found

    @property
    def write(self) -> "WriteReport":
        """The report of the deck's only .write."""
        if "write" not in self.writes:
            raise DataError(f"the deck has no single .write; its writes are {', '.join(self.writes) or 'none'}")
        return self.writes["write"]

    def _only(self, kind: str) -> OperatingPoint | Sweep:
        if kind not in self.analyses:
            raise DataError(f"the deck has no single .{kind}; its analyses are {', '.join(self.analyses) or 'none'}")
        return self.analyses[kind]

    def outputs(self, analysis: str) -> Sequence[str] | None:
        """Outputs of an analysis to write: those of .save, or the usual ones where there is none or it says `all`; then those of
        .print. None: the usual ones and no others."""
        printed = self.printed(analysis)
        saved = self.deck.saved
        if saved and not self.deck.saves_all:
            return list(dict.fromkeys([*saved, *printed]))
        if not saved and not printed:
            return None
        return list(dict.fromkeys([*self._usual(analysis), *saved, *printed]))

    def printed(self, analysis: str) -> Sequence[str]:
        """Outputs of an analysis that .print asks for."""
        outputs: list[str] = []
        for output in self.deck.printed(analysis):
            outputs += self._usual(analysis) if output == ALL else [output]
        return outputs

    def _usual(self, analysis: str) -> list[str]:
        return default_outputs(self.analyses[analysis].circuit)


def _few(names: Iterable[str]) -> str:
    """Names in a row, the first ten of many."""
    every = list(names)
    more = f" and {len(every) - 10} more" if len(every) > 10 else ""
    return (", ".join(every[:10]) or "none") + more


def analyses(deck: Deck) -> "Iterator[tuple[str, OperatingPoint | Sweep | WriteReport]]":
    """Name and result of every analysis and write of a deck, one after the other; a deck without any is given an .op.

    Raises what `operating_point`, `dc_sweep` and `program` raise; what was yielded before stays good.
    """
    options: dict[str, Any] = {name: value for name, value in deck.options.items() if name in _TOLERANCES}
    newton = Newton(int(deck.options.get("itl1", 100)))
    solver: Solver = Ladder((newton, GminStepping(newton), SourceStepping(newton), Displaced(newton)))
    wanted = deck.analyses or {"op": OpAnalysis()}
    for name, analysis in wanted.items():
        log.info("analysis %s of %s", name, deck.path)
        if isinstance(analysis, DcAnalysis):
            extra = dict.fromkeys(o for o in (*deck.saved, *deck.printed(name)) if o != ALL)
            yield name, dc_sweep(deck, analysis.axes, outputs=list(extra), solver=solver, **options)
        elif isinstance(analysis, WriteAnalysis):
            report = write(deck, analysis)
            deck = deck.after_write(analysis.array, report.states)
            yield name, report
        else:
            yield name, operating_point(deck.circuit, solver=solver, **options)


def write(deck: Deck, card: WriteAnalysis, *, repeats: int | None = None, map: Callable[..., Any] = map) -> "WriteReport":
    """What a .write card does to its array: `program` on the array by itself, its lines driven at the left and at the bottom
    through its own drivers, whatever else the deck attaches to them. repeats, map : as of `program`.

    Raises DataError, with the card's place, and what `program` raises.
    """
    from crossbar.arrays import PassiveArray  # with numba, which takes longer to load than a small deck to solve
    from crossbar.writing import Pulse, Verify, program
    array = PassiveArray.from_xbar(deck.arrays[card.array])
    try:
        with doubts.remaking():  # the deck has warned of what is doubtful, with the card's place
            pulse = Pulse(card.amplitude, card.width)
        return program(array, card.target, pulse=pulse, scheme=card.scheme,
                       order=card.order,  # type: ignore[arg-type]
                       verify=None if card.verify is None else Verify(card.verify), repeats=repeats, map=map,
                       rng=np.random.default_rng(card.seed))
    except DataError as error:
        found = DataError(f"{card.place}: .write {card.array}: {error}")
        found.partial = error.partial
        raise found from None


def run(deck: Deck | str | Path) -> Run:
    """Every analysis of a deck, or of the deck in a file.

    Raises what `read_netlist` and `analyses` raise; `partial` of the error is then a Run of what was finished.
    """
    if not isinstance(deck, Deck):
        instance(deck, (str, os.PathLike), "run: a Deck, or the path of one,")
        deck = read_netlist(deck)
    done = Run(deck, {})
    try:
        for name, result in analyses(deck):
            done.add(name, result)
    except CrossbarError as error:
        done.add_partial(error)
        error.partial = done if done.finished else None
        raise
    return done
