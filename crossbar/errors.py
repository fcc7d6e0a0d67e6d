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
    """A deck cannot be understood; `problems` lists every mistake found, in the order of the text.

    The message shows the first 20. Of a text that is no netlist `problems` holds only the first 1000 that were found;
    `count` is the number of all. `warnings` are those of the deck, as file:line: text: they may say where the mistakes
    come from.
    """

    SHOWN = 20

    def __init__(self, problems: Iterable[Problem], count: int | None = None, warnings: Iterable[str] = ()) -> None:
        self.problems = tuple(problems)
        self.count = len(self.problems) if count is None else count
        self.warnings = tuple(warnings)
        lines = [f"{self.count} error{'s' if self.count != 1 else ''} in the netlist"]
        lines += [str(problem) for problem in self.problems[:self.SHOWN]]
        if self.count > self.SHOWN:
            lines.append(f"... and {self.count - self.SHOWN} more")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[Any, ...]:
        return NetlistError, (self.problems, self.count, self.warnings), self.__dict__  # from other processes


class TopologyError(CrossbarError):
    """The circuit has no unique solution whatever its values: a floating part, a loop of voltage sources."""


class ConvergenceError(CrossbarError):
    """A solver missed its tolerance. `trace` holds one entry an iteration (what the solver could measure)."""

    def __init__(self, message: str, trace: Iterable[object] = ()) -> None:
        self.trace = tuple(trace)
        super().__init__(message)


class SizeError(CrossbarError):
    """A request that would not fit in memory, or whose parts are too many, refused before anything is allocated."""

    def __init__(self, what: str, *, estimate: float, limit: float, unit: str = "byte") -> None:
        self.estimate = estimate  # [unit]
        self.limit = limit        # [unit]
        self.unit = unit          # "byte", or what is counted
        self._what = what
        if unit == "byte":
            message = (f"{what} would need about {estimate / 2**30:.3g} GiB; {limit / 2**30:.3g} GiB are available. Use a "
                       "smaller array or batch, or a machine with more memory")
        else:
            message = f"{what} would have {estimate:.3g} {unit}; at most {limit:.3g} are taken"
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        make = partial(SizeError, estimate=self.estimate, limit=self.limit, unit=self.unit)
        return make, (self._what,), self.__dict__  # from other processes


class DataError(CrossbarError):
    """A value, array or data file that does not mean what it should."""


class CrossbarWarning(UserWarning):
    """Something that can be computed but is probably not what was meant: `warnings.warn` shows it, the computation goes on.

    `warnings.simplefilter("error", xb.CrossbarWarning)` makes errors of all of them.
    """
