"""Expressions: text -> syntax tree -> value and derivative, for parameters, B / E / G elements and .meas.

Binding, loosest first; letters in either case:

    c ? a : b    ||    &&    == != <>    < <= > >=    + -    * / %    unary - + !    ** ^    primary
    primary = number | name | "(" expression ")" | function "(" [expression {"," expression}] ")"
            | "v(" node ["," node] ")" | "i(" source ")"

Every binary operator groups to the left (2**3**2 = 64), ?: to the right; -a**2 = -(a**2) and 2**-3**2 =
2**(-(3**2)).  So do the B sources of ngspice 39; % is that of its parameters, with the sign of the dividend.
A condition holds if it is not 0; comparisons and ! && || give 1 or 0.  && || ?: and if(c, a, b) evaluate only
what they need.

A negative base follows ngspice too: x**y = |x|**y, so (-2)**3 = 8.  pow(x, y) is the true power x**y, but |x|**y
in an expression with probes; pwr(x, y) = sign(x) |x|**y.  nint rounds halves to even, u(0) = 1/2, and
limit(x, lo, hi) = min(max(x, lo), hi).

Derivatives are exact, by dual numbers, forward mode.  At a corner the slope is that of one side: abs, uramp and
|x|**1 at 0 from the right, min and max at a tie that of the first argument, limit at a bound that of the inside.
Jumps and steps (sgn, u, int, nint, floor, ceil, comparisons, conditions) have slope 0.  An infinite slope (sqrt
at 0) is an error: with a large finite substitute Newton's method stops at a wrong solution that looks converged.

A value that is not finite is an error too.  The length of a text, its nesting and the number of function calls
are bounded, so that no deck exhausts the stack or runs forever.
"""

import difflib
import functools
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np

from .errors import CrossbarError
from .units import parse_number

MAX_LENGTH = 100_000  # characters of a text
MAX_DEPTH = 80        # operators, parentheses and calls inside each other in a text
MAX_LEVELS = 150      # the same, summed over the functions that call each other
MAX_CALLS = 10_000    # of user functions in one evaluation
CONSTANTS = frozenset({"pi", "e", "temper"})  # names with a value unless a parameter of the same name hides it


class ExpressionError(CrossbarError):
    """A text that is no expression, or an expression without a finite value.

    `position` characters of `text` stand before the mistake; `hint` says what to do, if that is known.
    """

    def __init__(self, text: str, position: int, message: str, hint: str = "") -> None:
        self.text, self.position, self.message, self.hint = text, position, message, hint
        first, last = max(0, position - 40), position + 40
        shown = ("..." if first else "") + text[first:last] + ("..." if text[last:] else "")
        super().__init__(f"{message} at character {position + 1} of {shown!r}" + (f" ({hint})" if hint else ""))

    def __reduce__(self) -> tuple[type, tuple[str, int, str, str]]:
        return type(self), (self.text, self.position, self.message, self.hint)


class Probe(NamedTuple):
    """What an expression reads from the circuit; ("v", ("a", "b")) is the voltage of node a minus that of b."""

    kind: str              # "v" [V] or "i" [A]
    args: tuple[str, ...]  # one or two nodes, or one source, in lower case

    def __str__(self) -> str:
        return f"{self.kind}({','.join(self.args)})"


@dataclass(frozen=True)
class Expression:
    """A parsed text; equal texts are equal expressions."""

    text: str
    names: frozenset[str] = field(compare=False)      # parameters, and pi, e, temper where they are used
    probes: tuple[Probe, ...] = field(compare=False)  # of the text itself, in order; see `reached_probes`
    functions: frozenset[str] = field(compare=False)  # called by name, built in or not; `if` is no function
    depth: int = field(compare=False, repr=False)     # of nesting
    root: "Node" = field(compare=False, repr=False)

    def evaluate(self, scope: "Scope", probes: Mapping[Probe, float] = MappingProxyType({})) -> float:
        """Value, given those of the probes. Raises ExpressionError."""
        return _run(self, scope, probes, gradient=False).value

    def gradient(self, scope: "Scope", probes: Mapping[Probe, float] = MappingProxyType({})
                 ) -> tuple[float, dict[Probe, float]]:
        """Value, and its derivative by every one of `reached_probes`. Raises ExpressionError."""
        value, slopes = _run(self, scope, probes, gradient=True)
        return value, dict.fromkeys(reached_probes(self, scope.functions), 0.0) | dict(slopes)


@dataclass(frozen=True)
class Function:
    """A function of the user's (.func): the names of its arguments, in lower case, and its body."""

    args: tuple[str, ...]
    body: Expression


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What the names in an expression mean; all keys are in lower case.

    Arguments of a function hide `values`, these hide pi, e and temper; `functions` hide the built-in ones.
    Without `rng` the random functions give their nominal value; with it every evaluation draws anew.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    functions: Mapping[str, Function] = field(default_factory=dict)
    rng: np.random.Generator | None = None
    temper: float = 27.0  # temperature [degree Celsius]


def parse(text: str) -> Expression:
    """The expression that `text` spells. Raises ExpressionError."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(text, 0, f"{len(text)} characters are too long", f"at most {MAX_LENGTH}")
    parser = _Parser(text)
    root = parser.expression(0)
    if parser.token:
        raise parser.unexpected()
    return Expression(text, frozenset(parser.names), tuple(dict.fromkeys(parser.probes)),
                      frozenset(parser.functions), parser.deepest, root)


def reached_probes(expression: Expression, functions: Mapping[str, Function]) -> tuple[Probe, ...]:
    """Probes of the expression and of all user functions that it can call, each once."""
    found = dict.fromkeys(expression.probes)
    seen: set[str] = set()
    todo = sorted(expression.functions & functions.keys())
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            body = functions[name].body
            found.update(dict.fromkeys(body.probes))
            todo += sorted(body.functions & functions.keys())
    return tuple(found)


# --- Functions of numbers ------------------------------------------------------------------------------------

class Dual(NamedTuple):
    """A value and its derivatives by the probes it depends on."""

    value: float
    slopes: Mapping[Probe, float]


class Law(NamedTuple):
    """A function: its value and, argument by argument, its partial derivatives."""

    value: Callable[..., float]
    slopes: tuple[Callable[..., float], ...]
    draw: Callable[[np.random.Generator], float] | None = None  # a random number, appended to the arguments
    chain: bool = False                                         # f(a, b, c) = f(f(a, b), c)


def _flat(*_: float) -> float:
    return 0.0


def _one(*_: float) -> float:
    return 1.0


def _step(function: Callable[..., float], arguments: int = 1) -> Law:
    return Law(lambda *args: float(function(*args)), (_flat,) * arguments)


def _power_dx(x: float, y: float) -> float:
    return y * math.pow(x, y - 1) if y else 0.0


def _power_dy(x: float, y: float) -> float:
    return 0.0 if x == 0 < y else math.pow(x, y) * math.log(x)


def _side(x: float) -> int:
    return 1 if x >= 0 else -1


_POWER = Law(lambda x, y: math.pow(abs(x), y),
             (lambda x, y: _side(x) * _power_dx(abs(x), y), lambda x, y: _power_dy(abs(x), y)))
_LOG = Law(math.log, (lambda x: 1 / x,))

OPERATORS: dict[str, Law] = {
    "+": Law(operator.add, (_one, _one)),
    "-": Law(operator.sub, (_one, lambda x, y: -1.0)),
    "*": Law(operator.mul, (lambda x, y: y, lambda x, y: x)),
    "/": Law(operator.truediv, (lambda x, y: 1 / y, lambda x, y: -(x / y) / y)),
    "%": Law(math.fmod, (_one, lambda x, y: -float(math.trunc(x / y)))),
    "**": _POWER, "^": _POWER,
    "==": _step(operator.eq, 2), "!=": _step(operator.ne, 2), "<>": _step(operator.ne, 2),
    "<": _step(operator.lt, 2), "<=": _step(operator.le, 2),
    ">": _step(operator.gt, 2), ">=": _step(operator.ge, 2),
}
PREFIXES: dict[str, Law] = {
    "-": Law(operator.neg, (lambda x: -1.0,)),
    "+": Law(operator.pos, (_one,)),
    "!": _step(operator.not_),
}
FUNCTIONS: dict[str, Law] = {
    "sin": Law(math.sin, (math.cos,)),
    "cos": Law(math.cos, (lambda x: -math.sin(x),)),
    "tan": Law(math.tan, (lambda x: 1 + math.tan(x) ** 2,)),
    "asin": Law(math.asin, (lambda x: 1 / math.sqrt((1 - x) * (1 + x)),)),
    "acos": Law(math.acos, (lambda x: -1 / math.sqrt((1 - x) * (1 + x)),)),
    "atan": Law(math.atan, (lambda x: 1 / (1 + x * x),)),
    "atan2": Law(math.atan2, (lambda y, x: x / math.hypot(x, y) / math.hypot(x, y),
                              lambda y, x: -y / math.hypot(x, y) / math.hypot(x, y))),
    "sinh": Law(math.sinh, (math.cosh,)),
    "cosh": Law(math.cosh, (math.sinh,)),
    "tanh": Law(math.tanh, (lambda x: 1 - math.tanh(x) ** 2,)),
    "asinh": Law(math.asinh, (lambda x: 1 / math.hypot(1, x),)),
    "acosh": Law(math.acosh, (lambda x: 1 / math.sqrt(x - 1) / math.sqrt(x + 1),)),
    "atanh": Law(math.atanh, (lambda x: 1 / ((1 - x) * (1 + x)),)),
    "exp": Law(math.exp, (math.exp,)),
    "ln": _LOG, "log": _LOG,
    "log10": Law(math.log10, (lambda x: 1 / (x * math.log(10)),)),
    "sqrt": Law(math.sqrt, (lambda x: 0.5 / math.sqrt(x),)),
    "abs": Law(abs, (_side,)),
    "min": Law(min, (lambda x, y: float(x <= y), lambda x, y: float(y < x)), chain=True),
    "max": Law(max, (lambda x, y: float(x >= y), lambda x, y: float(y > x)), chain=True),
    "pow": Law(math.pow, (_power_dx, _power_dy)),
    "pwr": Law(lambda x, y: _side(x) * math.pow(abs(x), y),
               (lambda x, y: _power_dx(abs(x), y), lambda x, y: _side(x) * _power_dy(abs(x), y))),
    "sgn": _step(lambda x: (x > 0) - (x < 0)),
    "int": _step(math.trunc), "nint": _step(round), "floor": _step(math.floor), "ceil": _step(math.ceil),
    "limit": Law(lambda x, lo, hi: min(max(x, lo), hi),
                 (lambda x, lo, hi: float(lo <= x <= hi), lambda x, lo, hi: float(x < lo <= hi),
                  lambda x, lo, hi: float(max(x, lo) > hi))),
    "u": _step(lambda x: ((x > 0) + (x >= 0)) / 2),
    "uramp": Law(lambda x: max(x, 0.0), (lambda x: float(x >= 0),)),
    "gauss": Law(lambda nominal, relative, sigma, z: nominal + nominal * relative / sigma * z,
                 (lambda n, r, s, z: 1 + r / s * z, lambda n, r, s, z: n / s * z,
                  lambda n, r, s, z: -n * r / s / s * z), draw=lambda rng: rng.standard_normal()),
    "agauss": Law(lambda nominal, absolute, sigma, z: nominal + absolute / sigma * z,
                  (_one, lambda n, a, s, z: z / s, lambda n, a, s, z: -a / s / s * z),
                  draw=lambda rng: rng.standard_normal()),
    "unif": Law(lambda nominal, relative, z: nominal + nominal * relative * z,
                (lambda n, r, z: 1 + r * z, lambda n, r, z: n * z), draw=lambda rng: rng.uniform(-1, 1)),
    "aunif": Law(lambda nominal, absolute, z: nominal + absolute * z,
                 (_one, lambda n, a, z: z), draw=lambda rng: rng.uniform(-1, 1)),
}


# --- The syntax tree -----------------------------------------------------------------------------------------

@dataclass(frozen=True, slots=True)
class _Run:
    """One evaluation of one text."""

    text: str
    scope: Scope
    probes: Mapping[Probe, float]
    gradient: bool
    laws: Mapping[str, Law]
    args: Mapping[str, Dual]  # of the function whose body this is
    level: int                # nesting of the texts evaluated around this one
    calls: list[str]          # user functions called so far, one list for the whole evaluation

    def error(self, at: int, message: str, hint: str = "") -> ExpressionError:
        return ExpressionError(self.text, at, message, hint)

    def apply(self, at: int, name: str, law: Law, args: Sequence[Dual]) -> Dual:
        """The chain rule; a partial derivative is taken only where its argument varies."""
        values = [arg.value for arg in args]
        value = _finite_or_nan(law.value, values)
        if math.isnan(value):
            raise self.error(at, f"{_shown(name, values)} is not a finite number")
        slopes: dict[Probe, float] = {}
        for arg, slope in zip(args, law.slopes):
            if arg.slopes:
                factor = _finite_or_nan(slope, values)
                for probe, inner in arg.slopes.items():
                    slopes[probe] = slopes.get(probe, 0.0) + factor * inner
        if not all(map(math.isfinite, slopes.values())):
            raise self.error(at, f"the slope of {_shown(name, values)} is not a finite number")
        return Dual(value, slopes)


class Node(Protocol):
    """A node of the syntax tree."""

    def value(self, run: _Run) -> Dual: ...


class _Number(NamedTuple):
    number: float

    def value(self, run: _Run) -> Dual:
        return Dual(self.number, {})


class _Name(NamedTuple):
    at: int
    name: str

    def value(self, run: _Run) -> Dual:
        if self.name in run.args:
            return run.args[self.name]
        constants = {"pi": math.pi, "e": math.e, "temper": run.scope.temper}
        value = run.scope.values.get(self.name, constants.get(self.name))
        if value is None:
            hint = _nearest(self.name, [*run.args, *run.scope.values, *constants])
            raise run.error(self.at, f"undefined parameter {self.name!r}", hint)
        if not math.isfinite(value):
            raise run.error(self.at, f"parameter {self.name!r} is {value}")
        return Dual(float(value), {})


class _Reading(NamedTuple):
    at: int
    probe: Probe

    def value(self, run: _Run) -> Dual:
        if self.probe not in run.probes:
            raise run.error(self.at, f"{self.probe} has no value here", "parameters cannot depend on the circuit")
        value = float(run.probes[self.probe])
        if not math.isfinite(value):
            raise run.error(self.at, f"{self.probe} is {value}")
        return Dual(value, {self.probe: 1.0} if run.gradient else {})


class _Prefix(NamedTuple):
    at: int
    sign: str
    operand: Node

    def value(self, run: _Run) -> Dual:
        return run.apply(self.at, self.sign, PREFIXES[self.sign], [self.operand.value(run)])


class _Chain(NamedTuple):
    """((first op operand) op operand) ...; flat, so that a sum of thousands of terms does not nest."""

    first: Node
    links: tuple[tuple[int, str, Node], ...]

    def value(self, run: _Run) -> Dual:
        result = self.first.value(run)
        for at, sign, operand in self.links:
            if sign in OPERATORS:
                result = run.apply(at, sign, OPERATORS[sign], [result, operand.value(run)])
            else:  # && is decided by a 0, || by anything else
                holds = result.value != 0
                decided = holds == (sign == "||")
                result = Dual(float(holds if decided else operand.value(run).value != 0), {})
        return result


class _Choice(NamedTuple):
    condition: Node
    yes: Node
    no: Node

    def value(self, run: _Run) -> Dual:
        return (self.yes if self.condition.value(run).value else self.no).value(run)


class _Call(NamedTuple):
    at: int
    name: str
    args: tuple[Node, ...]

    def value(self, run: _Run) -> Dual:
        args = [arg.value(run) for arg in self.args]
        if self.name in run.scope.functions:
            return self._user(run, run.scope.functions[self.name], args)
        if self.name not in run.laws:
            hint = _nearest(self.name, [*run.scope.functions, *FUNCTIONS, "if"])
            raise run.error(self.at, f"unknown function {self.name!r}", hint)
        law = run.laws[self.name]
        if not (len(args) > 2 if law.chain else False):
            self._count(run, len(law.slopes))
        if law.draw:
            args.append(Dual(law.draw(run.scope.rng) if run.scope.rng else 0.0, {}))
        if law.chain:
            return functools.reduce(lambda a, b: run.apply(self.at, self.name, law, [a, b]), args)
        return run.apply(self.at, self.name, law, args)
