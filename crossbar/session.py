"""Run a deck: every analysis, in order, each result under its name."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossbar.analysis import Sweep, dc_sweep, operating_point
from crossbar.errors import CrossbarError, DataError
from crossbar.netlist import Deck, read_netlist
from crossbar.netlist.deck import DcAnalysis, OpAnalysis
from crossbar.points import OperatingPoint
from crossbar.solvers.newton import Displaced, GminStepping, Ladder, Newton, Solver, SourceStepping

log = logging.getLogger(__name__)

_TOLERANCES = ("reltol", "abstol", "vntol")


@dataclass(frozen=True, eq=False)
class Run:
    """What a deck gave: `run.op`, `run.dc`, or `run.analyses["op2"]` where a deck has several of a kind."""

    deck: Deck
    analyses: dict[str, OperatingPoint | Sweep]

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

    def _only(self, kind: str) -> OperatingPoint | Sweep:
        if kind not in self.analyses:
            raise DataError(f"the deck has no single .{kind}; its analyses are {', '.join(self.analyses) or 'none'}")
        return self.analyses[kind]

    def outputs(self, analysis: str) -> Sequence[str] | None:
        """Outputs of an analysis to write: those of .save, then those of .print; None: the usual ones."""
        return self.deck.saved or None

    def printed(self, analysis: str) -> Sequence[str]:
        """Outputs of an analysis that .print asks for."""
        return self.deck.printed(analysis)


def analyses(deck: Deck) -> Iterator[tuple[str, OperatingPoint | Sweep]]:
    """Name and result of every analysis of a deck, one after the other; a deck without any is given an .op.

    Raises what `operating_point` and `dc_sweep` raise; what was yielded before stays good.
    """
    options: dict[str, Any] = {name: value for name, value in deck.options.items() if name in _TOLERANCES}
    newton = Newton(int(deck.options.get("itl1", 100)))
    solver: Solver = Ladder((newton, GminStepping(newton), SourceStepping(newton), Displaced(newton)))
    wanted = deck.analyses or {"op": OpAnalysis()}
    for name, analysis in wanted.items():
        log.info("analysis %s of %s", name, deck.path)
        if isinstance(analysis, DcAnalysis):
            extra = dict.fromkeys([*deck.saved, *deck.printed(name)])
            yield name, dc_sweep(deck, analysis.axes, outputs=list(extra), solver=solver, **options)
        else:
            yield name, operating_point(deck.circuit, solver=solver, **options)


def run(deck: Deck | str | Path) -> Run:
    """Every analysis of a deck, or of the deck in a file.

    Raises what `read_netlist` and `analyses` raise; `partial` of the error is then a Run of what was finished.
    """
    if not isinstance(deck, Deck):
        deck = read_netlist(deck)
    done: dict[str, OperatingPoint | Sweep] = {}
    try:
        for name, result in analyses(deck):
            done[name] = result
    except CrossbarError as error:
        if isinstance(error.partial, Sweep):
            done["unfinished"] = error.partial
        error.partial = Run(deck, done) if done else None
        raise
    return Run(deck, done)
