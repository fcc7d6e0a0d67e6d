"""Newton's method for F(x) = 0 with a sparse Jacobian, and wrappers that lead it to a solution from afar.

A problem says itself when it is solved: `misfit` is its largest residual over tolerance, `change` its largest step over
tolerance; both must reach 1. A wrapper changes the problem, never the method:

    GminStepping    F(x) + g x at the nodes, g falling to 0
    SourceStepping  F(x) - (1 - s) F(0), s rising to 1: at x = 0 passive elements carry nothing, so F(0) is the sources
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, diags_array

from crossbar.errors import ConvergenceError
from crossbar.solvers.linear import Factors, factorise

Array = npt.NDArray[np.float64]

_ROUNDED = 1e-12  # of the largest unknown so far: what rounding may leave of an x that comes down to 0


@dataclass(frozen=True, eq=False)
class Evaluation:
    """F and its Jacobian at some x, and how far F is from 0."""

    residual: Array
    jacobian: csc_array
    misfit: float  # <= 1: within tolerance
    worst: int     # equation with the largest residual over tolerance


class Problem(Protocol):
    """What Newton needs to know."""

    @property
    def size(self) -> int:
        """Number of unknowns."""
    @property
    def linear(self) -> bool:
        """Whether the Jacobian is constant."""
    @property
    def nodes(self) -> slice:
        """Unknowns that a small conductance to ground may hold."""

    def evaluate(self, x: Array) -> Evaluation:
        """F, Jacobian and misfit at x."""

    def change(self, new: Array, old: Array) -> float:
        """Largest change of an unknown over its tolerance."""

    def name(self, equation: int) -> str:
        """Name of an equation, for messages."""


@dataclass(frozen=True, eq=False)
class Root:
    """A solution x, the Newton steps it took, the misfit after each, and who found it."""

    x: Array
    steps: int
    trace: tuple[float, ...]
    method: str


class Solver(Protocol):
    """Finds a root from a starting point or raises ConvergenceError."""

    def __call__(self, problem: Problem, start: Array) -> Root:
        """A root of the problem."""


@dataclass(frozen=True)
class Newton:
    """Full steps; a linear problem is factorised once and refined.

    A linear problem begins at 0 unless the start is closer: one step solves it from anywhere, and what rounding leaves of a start
    that is large beside the solution is no part of the solution. A nonlinear one that has come down to that rounding ends at 0 if
    F(0) is exactly 0, as it is wherever the sources of passive elements are 0.
    """

    max_steps: int = 100

    def __call__(self, problem: Problem, start: Array) -> Root:
        x = start
        trace: list[float] = []
        at = problem.evaluate(x)
        if problem.linear and x.any():
            origin = problem.evaluate(np.zeros_like(x))
            if not np.abs(at.residual).sum() < np.abs(origin.residual).sum():  # or no number at all
                x, at = np.zeros_like(x), origin
        factors: Factors | None = None
        largest = np.abs(x).max(initial=0.0)
        for step in range(self.max_steps):
            if factors is None or not problem.linear:
                factors = factorise(at.jacobian, problem.nodes)
            new = x - factors.solve(at.residual)
            if not np.isfinite(new).all():
                raise ConvergenceError(f"Newton step {step + 1} is not finite near {problem.name(at.worst)}", trace)
            change = 0.0 if problem.linear else problem.change(new, x)
            x, at = new, problem.evaluate(new)
            trace.append(at.misfit)
            size = np.abs(x).max(initial=0.0)
            if not problem.linear and 0 < size <= _ROUNDED * largest and _rests(problem, x):
                return Root(np.zeros_like(x), step + 1, tuple(trace), "newton")
            largest = max(largest, size)
            refine = problem.linear and at.misfit > 1e-3 and (len(trace) < 2 or trace[-1] < 0.1 * trace[-2])
            if at.misfit <= 1 and change <= 1 and not refine:  # a step more costs little and ends the guessing
                return Root(x, step + 1, tuple(trace), "newton")
            if problem.linear and step > 3 and trace[-1] > 0.5 * trace[-3]:
                break  # refinement has reached rounding error
        raise ConvergenceError(f"residual {trace[-1]:.2e} times its tolerance after {len(trace)} Newton steps, worst at "
                               f"{problem.name(at.worst)}", trace)


@dataclass(frozen=True)
class _Changed:
    """A problem with another F."""

    problem: Problem
    change_of: Callable[[Array, Evaluation], Evaluation]

    def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
        return getattr(self.problem, name)

    def evaluate(self, x: Array) -> Evaluation:
        return self.change_of(x, self.problem.evaluate(x))


@dataclass(frozen=True)
class GminStepping:
    """Newton with a conductance to ground at every node that falls from `start` tenfold a stage, then goes."""

    inner: Newton = field(default_factory=Newton)
    start: float = 1e-2   # [S]
    stop: float = 1e-13   # [S]

    def __call__(self, problem: Problem, start: Array) -> Root:
        x, steps, g = np.zeros_like(start), 0, self.start
        on = np.zeros(problem.size)
        on[problem.nodes] = 1.0
        while g > self.stop:
            def shunted(x: Array, at: Evaluation, g: float = g) -> Evaluation:
                return _moved(at, g * on * x, at.jacobian + diags_array(g * on, format="csc"))
            root = self.inner(_Changed(problem, shunted), x)  # type: ignore[arg-type]
            x, steps, g = root.x, steps + root.steps, g / 10
        root = self.inner(problem, x)
        return Root(root.x, steps + root.steps, root.trace, "gmin stepping")


@dataclass(frozen=True)
class SourceStepping:
    """Newton while the sources rise from nothing; a failed rise is halved."""

    inner: Newton = field(default_factory=Newton)
    smallest: float = 1e-4

    def __call__(self, problem: Problem, start: Array) -> Root:
        x, steps, done, rise = np.zeros_like(start), 0, 0.0, 0.25
        sources = problem.evaluate(x).residual
        while done < 1:
            target = min(1.0, done + rise)

            def scaled(x: Array, at: Evaluation, s: float = target) -> Evaluation:
                return _moved(at, -(1 - s) * sources, at.jacobian)
            try:
                root = self.inner(problem if target == 1 else _Changed(problem, scaled), x)  # type: ignore[arg-type]
            except ConvergenceError:
                rise /= 2
                if rise < self.smallest:
                    raise
                continue
            x, steps, done, rise = root.x, steps + root.steps, target, 1.5 * rise
        return Root(x, steps, root.trace, "source stepping")


@dataclass(frozen=True)
class Displaced:
    """Newton from node voltages spread over 0.1 ... 1 V: where all are 0, expressions such as 1/v(a) have no value."""

    inner: Newton = field(default_factory=Newton)

    def __call__(self, problem: Problem, start: Array) -> Root:
        x = start.copy()
        count = x[problem.nodes].size
        x[problem.nodes] = 0.1 + 0.9 * (np.arange(1, count + 1) * 0.6180339887498949 % 1)  # golden ratio: no two alike
        root = self.inner(problem, x)
        return Root(root.x, root.steps, root.trace, "newton, displaced start")


@dataclass(frozen=True)
class Ladder:
    """One solver after another until one succeeds; the failure of all names each."""

    rungs: tuple[Solver, ...] = (Newton(), GminStepping(), SourceStepping(), Displaced())

    def __call__(self, problem: Problem, start: Array) -> Root:
        failures: list[tuple[str, ConvergenceError]] = []
        for rung in self.rungs:
            try:
                return rung(problem, start)
            except ConvergenceError as error:
                failures.append((type(rung).__name__, error))
                if problem.linear:
                    raise
        tried = "; ".join(f"{name}: {error}" for name, error in failures)
        raise ConvergenceError(f"no solution found ({tried}). Try a larger reltol, smoother expressions, "
                               "or sources that start from smaller values", failures[-1][1].trace)


def _rests(problem: Problem, x: Array) -> bool:
    """Whether F(0) is exactly 0."""
    try:
        return not problem.evaluate(np.zeros_like(x)).residual.any()
    except ConvergenceError:  # an expression has no value there
        return False


def _moved(at: Evaluation, by: Array, jacobian: csc_array) -> Evaluation:
    """The evaluation with its residual moved; the misfit follows in proportion (a stage need not be exact)."""
    residual = at.residual + by
    before, after = np.abs(at.residual).max(initial=0.0), np.abs(residual).max(initial=0.0)
    with np.errstate(over="ignore"):
        misfit = at.misfit * after / before if before > 0 else (0.0 if after == 0 else np.inf)
    return Evaluation(residual, jacobian, misfit, at.worst)
