"""Everything that can go wrong, one class each: the message says what, where and what to do.

The command line maps the classes to exit codes (1: simulation failed; 2: netlist, data file or size; 3: usage).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any


class CrossbarError(Exception):
    """Base of every error that crossbar raises on purpose. `partial` is the work finished before it, or None."""

    partial: object = None


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One mistake in a deck, at its place."""

    file: str
    line: int
    text: str       # what is wrong
    hint: str = ""  # what to do about it

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}: {self.text}{hint}"


class NetlistError(CrossbarError):
    """A deck cannot be understood; `problems` lists every mistake found, in the order of the text."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = f"{count} error{'s' if count != 1 else ''} in the netlist"
        super().__init__("\n".join([head, *(str(p) for p in self.problems)]))


class TopologyError(CrossbarError):
    """The circuit has no unique solution whatever its values: a floating part, a loop of voltage sources."""


class ConvergenceError(CrossbarError):
    """A solver missed its tolerance. `trace` holds one entry an iteration (what the solver could measure)."""

    def __init__(self, message: str, trace: Iterable[object] = ()) -> None:
        self.trace = tuple(trace)
        super().__init__(message)


class SizeError(CrossbarError):
    """A request that would not fit in memory, refused before anything is allocated."""

    def __init__(self, what: str, *, estimate: float, limit: float) -> None:
        self.estimate = estimate  # [byte]
        self.limit = limit        # [byte]
        self._what = what
        super().__init__(f"{what} would need about {estimate / 2**30:.3g} GiB; {limit / 2**30:.3g} GiB are "
                         "available. Use a smaller array or batch, or a machine with more memory")

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(SizeError, estimate=self.estimate, limit=self.limit), (self._what,), self.__dict__  # from other processes


class DataError(CrossbarError):
    """A value, array or data file that does not mean what it should."""


class CrossbarWarning(UserWarning):
    """Something that can be computed but is probably not what was meant: `warnings.warn` shows it, the computation goes on.

    `warnings.simplefilter("error", xb.CrossbarWarning)` makes errors of all of them.
    """
