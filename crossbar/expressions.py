"""Expressions: text -> syntax tree -> value and derivative, for parameters, B / E / G elements and .meas.

Binding, loosest first; letters in either case:

    c ? a : b    ||    &&    == != <>    < <= > >=    + -    * / %    unary - + !    ** ^    primary
    primary = number | name | "(" expression ")" | function "(" expression {"," expression} ")"
            | "v(" node ["," node] ")" | "i(" source ")"

Every binary operator groups to the left (2**3**2 = 64), ?: to the right; -a**2 = -(a**2) and 2**-3**2 =
2**(-(3**2)).  So do the B sources of ngspice 39; % is that of its parameters, with the sign of the dividend.
A condition holds if it is not 0; comparisons and ! && || give 1 or 0.  && || ?: and if(c, a, b) evaluate only
what they need.  A negative base follows ngspice too: x**y = |x|**y, so (-2)**3 = 8; pow(x, y) is the true
power, but |x|**y in an expression with probes; pwr(x, y) = sign(x) |x|**y.  nint rounds halves to even,
u(0) = 1/2, limit(x, lo, hi) = min(max(x, lo), hi).

Derivatives are exact, by dual numbers, forward mode.  At a corner the slope is that of one side: abs, uramp
and |x|**1 at 0 from the right, min and max at a tie that of the first argument, limit at a bound that of the
inside.  Steps (sgn, u, int, nint, floor, ceil, comparisons, conditions) have slope 0.  An infinite slope
(sqrt at 0) is an error: with a huge one Newton's method stops at a wrong solution, as ngspice's does.

A value that is not finite is an error too.  Length, nesting and the work of functions that call each
other are bounded, so that no deck exhausts the stack or runs forever.
"""

import difflib
import math
import operator as op
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from operator import methodcaller
from typing import NamedTuple

import numpy as np

from crossbar.errors import CrossbarError
from crossbar.units import parse_number

MAX_LENGTH = 100_000  # characters of a text
MAX_DEPTH = 80        # operators, parentheses and calls inside each other in a text
MAX_LEVELS = 150      # the same, summed over functions that call each other
MAX_WORK = 1_000_000  # characters of function bodies in one evaluation
CONSTANTS = frozenset({"pi", "e", "temper"})  # names that a parameter of the same name hides


class ExpressionError(CrossbarError):
    """A text that is no expression, or one without a finite value. `position` counts characters from 0."""

    def __init__(self, text: str, position: int, message: str, hint: str = "") -> None:
        super().__init__(text, position, message, hint)
        self.text, self.position, self.message, self.hint = text, position, message, hint

    def __str__(self) -> str:
        first, last = max(0, self.position - 40), self.position + 40
        shown = ("..." if first else "") + self.text[first:last] + ("..." if self.text[last:] else "")
        where = f"{self.message} at character {self.position + 1} of {shown!r}"
        return f"{where} ({self.hint})" if self.hint else where


class Probe(NamedTuple):
    """What an expression reads from the circuit; ("v", ("a", "b")) is the voltage of a minus that of b."""
    kind: str              # "v" [V] or "i" [A]
    args: tuple[str, ...]  # one or two nodes, or one source, in lower case

    def __str__(self) -> str:
        return f"{self.kind}({','.join(self.args)})"


@dataclass(frozen=True)
class Function:
    """A function of the user's (.func): the names of its arguments, in lower case, and its body."""
    args: tuple[str, ...]
    body: "Expression"


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What the names in an expression mean; all keys in lower case. Arguments of a function hide `values`,
    these hide pi, e and temper; `functions` hide the built-in ones."""
    values: Mapping[str, float] = field(default_factory=dict)
    functions: Mapping[str, Function] = field(default_factory=dict)
    rng: np.random.Generator | None = None  # None: gauss and its kin give the nominal value
    temper: float = 27.0  # temperature [degree Celsius]


@dataclass(frozen=True)
class Expression:
    """A parsed text; equal texts are equal expressions."""
    text: str
    names: frozenset[str] = field(compare=False)      # parameters, and pi, e, temper where they are used
    probes: tuple[Probe, ...] = field(compare=False)  # of the text itself, in order; see `reached_probes`
    functions: frozenset[str] = field(compare=False)  # called by name, built in or not; `if` is none
    depth: int = field(compare=False, repr=False)     # of nesting
    root: "Node" = field(compare=False, repr=False)   # syntax tree

    def evaluate(self, scope: Scope, probes: Mapping[Probe, float] = {}) -> float:
        """Value, given those of the probes. Raises ExpressionError."""
        return _run(self, scope, probes, gradient=False).value

    def gradient(self, scope: Scope, probes: Mapping[Probe, float] = {}) -> tuple[float, dict[Probe, float]]:
        """Value, and its derivative by every one of `reached_probes`. Raises ExpressionError."""
        value, slopes = _run(self, scope, probes, gradient=True)
        return value, dict.fromkeys(reached_probes(self, scope.functions), 0.0) | dict(slopes)


def parse(text: str) -> Expression:
    """The expression that `text` spells. Raises ExpressionError."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(text, 0, f"{len(text)} characters are too long", f"at most {MAX_LENGTH}")
    parser = _Parser(text)
    root = parser.expression(0)
    parser.expect("")
    return Expression(text, frozenset(parser.names), tuple(dict.fromkeys(parser.probes)),
                      frozenset(parser.functions), parser.deepest, root)


def reached_probes(expression: Expression, functions: Mapping[str, Function]) -> tuple[Probe, ...]:
    """Probes of the expression and of all user functions that it can call, each once."""
    reached = {expression: None}
    for name in (names := sorted(expression.functions)):  # grows on the way
        if name in functions and functions[name].body not in reached:
            reached[functions[name].body] = None
            names += sorted(functions[name].body.functions)
    return tuple(dict.fromkeys(probe for body in reached for probe in body.probes))


class Dual(NamedTuple):
    """A value and its derivatives by the probes it depends on."""
    value: float
    slopes: Mapping[Probe, float]


class Law(NamedTuple):
    """A function of numbers: its value and, argument by argument, its partial derivatives."""
    value: Callable[..., float]
    slopes: tuple[Callable[..., float] | float, ...]
    draw: Callable[..., float] | None = None  # from a generator, a last argument; then there is no slope
    variadic: bool = False                    # f(a, b, c) = f(f(a, b), c)


def _side(x: float) -> float:
    return 1.0 if x >= 0 else -1.0


def _power_dx(x: float, y: float) -> float:
    return y * math.pow(abs(x), y - 1) if y else 0.0


def _power_dy(x: float, y: float) -> float:
    return 0.0 if x == 0 < y else math.pow(abs(x), y) * math.log(abs(x))


def _step(function: Callable[..., float], arguments: int = 1) -> Law:
    return Law(lambda *args: float(function(*args)), (0.0,) * arguments)


_NORMAL, _UNIFORM = np.random.Generator.standard_normal, partial(np.random.Generator.uniform, low=-1, high=1)
_POWER = Law(lambda x, y: math.pow(abs(x), y), (lambda x, y: _side(x) * _power_dx(x, y), _power_dy))
_LOG = Law(math.log, (lambda x: 1 / x,))
OPERATORS: dict[str, Law] = {
    "+": Law(op.add, (1.0, 1.0)), "-": Law(op.sub, (1.0, -1.0)),
    "*": Law(op.mul, (lambda x, y: y, lambda x, y: x)),
    "/": Law(op.truediv, (lambda x, y: 1 / y, lambda x, y: -(x / y) / y)),
    "%": Law(math.fmod, (1.0, lambda x, y: -float(math.trunc(x / y)))),
    "**": _POWER, "^": _POWER,
    "==": _step(op.eq, 2), "!=": _step(op.ne, 2), "<>": _step(op.ne, 2),
    "<": _step(op.lt, 2), "<=": _step(op.le, 2), ">": _step(op.gt, 2), ">=": _step(op.ge, 2),
}
FUNCTIONS: dict[str, Law] = {
    "sin": Law(math.sin, (math.cos,)), "cos": Law(math.cos, (lambda x: -math.sin(x),)),
    "tan": Law(math.tan, (lambda x: 1 + math.tan(x) ** 2,)),
    "atan": Law(math.atan, (lambda x: 1 / (1 + x * x),)),
    "asin": Law(math.asin, (lambda x: 1 / math.sqrt((1 - x) * (1 + x)),)),
    "acos": Law(math.acos, (lambda x: -1 / math.sqrt((1 - x) * (1 + x)),)),
    "atan2": Law(math.atan2, (lambda y, x: x / (x * x + y * y), lambda y, x: -y / (x * x + y * y))),
    "sinh": Law(math.sinh, (math.cosh,)), "cosh": Law(math.cosh, (math.sinh,)),
    "tanh": Law(math.tanh, (lambda x: 1 - math.tanh(x) ** 2,)),
    "exp": Law(math.exp, (math.exp,)), "sqrt": Law(math.sqrt, (lambda x: 0.5 / math.sqrt(x),)),
    "ln": _LOG, "log": _LOG, "log10": Law(math.log10, (lambda x: 1 / (x * math.log(10)),)),
    "abs": Law(abs, (_side,)), "uramp": Law(lambda x: max(x, 0.0), (lambda x: float(x >= 0),)),
    "min": Law(min, (lambda x, y: float(x <= y), lambda x, y: float(y < x)), variadic=True),
    "max": Law(max, (lambda x, y: float(x >= y), lambda x, y: float(y > x)), variadic=True),
    "pow": Law(math.pow, _POWER.slopes),  # where nothing varies; _POWER itself in an expression with probes
    "pwr": Law(lambda x, y: _side(x) * math.pow(abs(x), y),
               (_power_dx, lambda x, y: _side(x) * _power_dy(x, y))),
    "sgn": _step(lambda x: (x > 0) - (x < 0)), "u": _step(lambda x: ((x > 0) + (x >= 0)) / 2),
    "int": _step(math.trunc), "nint": _step(round), "floor": _step(math.floor), "ceil": _step(math.ceil),
    "limit": Law(lambda x, lo, hi: min(max(x, lo), hi), (lambda x, lo, hi: float(lo <= x <= hi),
                 lambda x, lo, hi: float(x < lo <= hi), lambda x, lo, hi: float(max(x, lo) > hi))),
    "gauss": Law(lambda nom, rel, sigma, z: nom + nom * rel / sigma * z, (math.nan,) * 3, _NORMAL),
    "agauss": Law(lambda nom, dev, sigma, z: nom + dev / sigma * z, (math.nan,) * 3, _NORMAL),
    "unif": Law(lambda nom, rel, z: nom + nom * rel * z, (math.nan,) * 2, _UNIFORM),
    "aunif": Law(lambda nom, dev, z: nom + dev * z, (math.nan,) * 2, _UNIFORM),
}


# A node of the syntax tree is a call, yet without its object, of one of the public methods of this class.
Node = Callable[["_Run"], "Dual"]


@dataclass(frozen=True, slots=True)
class _Run:
    """One evaluation of one text."""
    text: str
    scope: Scope
    probes: Mapping[Probe, float]
    gradient: bool
    power: Law                # what pow means
    level: int                # nesting of this text and of those that called it
    args: Mapping[str, Dual]  # of the function whose body this text is
    work: list[int]           # [characters of function bodies evaluated so far], one for all texts

    def number(self, value: float) -> Dual:
        return Dual(value, {})

    def name(self, at: int, name: str) -> Dual:
        if name in self.args:
            return self.args[name]
        constants = {"pi": math.pi, "e": math.e, "temper": self.scope.temper}
        value = self.scope.values.get(name, constants.get(name))
        if value is None:
            raise self._unknown(at, "parameter", name, [*self.args, *self.scope.values, *constants])
        return self._leaf(at, f"parameter {name!r}", value, {})

    def probe(self, at: int, probe: Probe) -> Dual:
        if probe not in self.probes:
            raise self._error(at, f"{probe} has no value here", "a parameter cannot read the circuit")
        return self._leaf(at, str(probe), self.probes[probe], {probe: 1.0} if self.gradient else {})

    def choice(self, condition: Node, yes: Node, no: Node) -> Dual:
        return (yes if condition(self).value else no)(self)

    def chain(self, first: Node, links: Sequence[tuple[int, str, Node]]) -> Dual:
        """((first sign operand) sign operand) ...; flat, so a sum of thousands of terms does not nest."""
        result = first(self)
        for at, sign, operand in links:
            if sign in OPERATORS:
                result = self._apply(at, sign, OPERATORS[sign], [result, operand(self)])
            else:  # && is decided by 0, || by anything else
                holds = result.value != 0
                decided = holds == (sign == "||")
                result = Dual(float(holds if decided else operand(self).value != 0), {})
        return result

    def call(self, at: int, name: str, nodes: Sequence[Node]) -> Dual:
        law = self.scope.functions.get(name) or (self.power if name == "pow" else FUNCTIONS.get(name))
        if law is None:
            raise self._unknown(at, "function", name, [*self.scope.functions, *FUNCTIONS, "if"])
        args = [node(self) for node in nodes]
        wanted = len(law.args if isinstance(law, Function) else law.slopes)
        variadic = isinstance(law, Law) and law.variadic
        if len(args) < wanted or len(args) > wanted and not variadic:
            raise self._error(at, f"{name} takes {wanted} arguments, not {len(args)}")
        if isinstance(law, Function):
            self.work[0] += len(law.body.text)
            body, level = law.body, self.level + law.body.depth
            if level > MAX_LEVELS or self.work[0] > MAX_WORK:
                raise self._error(at, f"too many calls of functions at {name!r}", "does it call itself?")
            return body.root(replace(self, text=body.text, args=dict(zip(law.args, args)), level=level))
        if law.draw:
            args.append(Dual(law.draw(self.scope.rng) if self.scope.rng else 0.0, {}))
        step = partial(self._apply, at, name, law)
        return reduce(lambda x, y: step([x, y]), args) if variadic else step(args)

    def _apply(self, at: int, name: str, law: Law, args: Sequence[Dual]) -> Dual:
        """The chain rule; a partial derivative is taken only where its argument varies."""
        values = [arg.value for arg in args]
        value = _finite_or_nan(law.value, values)
        slopes: dict[Probe, float] = {}
        for arg, slope in zip(args, law.slopes):
            if any(arg.slopes.values()):
                factor = slope if isinstance(slope, float) else _finite_or_nan(slope, values)
                for probe, inner in arg.slopes.items():
                    slopes[probe] = slopes.get(probe, 0.0) + factor * inner
        if math.isfinite(value) and all(map(math.isfinite, slopes.values())):
            return Dual(value, slopes)
        numbers = [f"{x:g}" for x, _ in zip(values, law.slopes)]
        shown = f" {name} ".join(numbers) if name in OPERATORS else f"{name}({', '.join(numbers)})"
        what = shown if math.isnan(value) else f"the slope of {shown}"
        raise self._error(at, f"{what} is not a finite number")

    def _leaf(self, at: int, what: str, value: float, slopes: Mapping[Probe, float]) -> Dual:
        if not math.isfinite(value):
            raise self._error(at, f"{what} is {value}")
        return Dual(float(value), slopes)

    def _unknown(self, at: int, kind: str, name: str, known: Sequence[str]) -> ExpressionError:
        close = " or ".join(difflib.get_close_matches(name, known))
        return self._error(at, f"unknown {kind} {name!r}", f"did you mean {close}?" if close else "")

    def _error(self, at: int, message: str, hint: str = "") -> ExpressionError:
        return ExpressionError(self.text, at, message, hint)


def _run(expression: Expression, scope: Scope, probes: Mapping[Probe, float], gradient: bool) -> Dual:
    power = _POWER if reached_probes(expression, scope.functions) else FUNCTIONS["pow"]
    return expression.root(_Run(expression.text, scope, probes, gradient, power, expression.depth, {}, [0]))


def _finite_or_nan(function: Callable[..., float], values: Sequence[float]) -> float:
    try:
        result = function(*values)
    except (ValueError, OverflowError, ZeroDivisionError):
        return math.nan
    return result if math.isfinite(result) else math.nan


_LEVELS = ("?", "||", "&&", "== != <>", "< <= > >=", "+ -", "* / %", "** ^")
_BINDING = {sign: level for level, signs in enumerate(_LEVELS) for sign in signs.split()}
_PREFIXES = {"-": ("*", -1.0), "+": ("*", 1.0), "!": ("==", 0.0)}  # -x as x * -1, !x as x == 0
_NODE = r"\s*(?:\[[^][]*\]|[^][(),\s])+\s*"  # blanks, commas and parentheses only inside brackets
_TOKEN = re.compile(rf"(?P<probe>v\s*\({_NODE}(?:,{_NODE})?\)|i\s*\({_NODE}\))|(?P<name>[a-z_]\w*)"
                    r"|(?P<number>[0-9.]+(?:[ed][+-]?[0-9]+)?[\w.]*)|\*\*|\|\||&&|[=!<>]=|<>|\S",
                    re.IGNORECASE | re.ASCII)
_HINTS = {"=": "write == to compare", "&": "write &&", "|": "write ||", "{": "braces go around the whole"}


class _Parser:
    """Precedence climbing over `tokens`, (position, text, kind) in reverse; an empty text is the end."""

    def __init__(self, text: str) -> None:
        self.text = text
        tokens = [(match.start(), match[0], match.lastgroup) for match in _TOKEN.finditer(text)]
        self.tokens = [*tokens, (len(text), "", None)][::-1]
        self.names, self.functions, self.probes = set[str](), set[str](), list[Probe]()
        self.depth = self.deepest = 0

    def error(self, at: int, message: str) -> ExpressionError:
        token = _TOKEN.match(self.text, at)
        return ExpressionError(self.text, at, message, _HINTS.get(token[0], "") if token else "")

    def expect(self, wanted: str) -> None:
        at, token, _ = self.tokens.pop()
        if token != wanted:
            raise self.error(at, f"expected {wanted or 'an operator'}, not {token or 'the end'}")

    def expression(self, loosest: int) -> Node:
        """An operand, and what follows it while it binds at least as tightly as `loosest`."""
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        if self.depth > MAX_DEPTH:
            raise self.error(self.tokens[-1][0], f"nested more than {MAX_DEPTH} deep")
        first, links = self.operand(), list[tuple[int, str, Node]]()
        while _BINDING.get(self.tokens[-1][1], -1) >= loosest:
            at, sign, _ = self.tokens.pop()
            if sign == "?":
                condition, yes = methodcaller("chain", first, links), self.expression(0)
                self.expect(":")
                first, links = methodcaller("choice", condition, yes, self.expression(0)), []
            else:
                links.append((at, sign, self.expression(_BINDING[sign] + 1)))
        self.depth -= 1
        return methodcaller("chain", first, links) if links else first

    def operand(self) -> Node:
        at, token, kind = self.tokens[-1]
        if not (kind or token in _PREFIXES or token == "("):
            raise self.error(at, f"expected a value, not {token or 'the end'}")
        self.tokens.pop()
        if kind:
            return getattr(self, kind)(at, token.lower())
        if token == "(":
            inner = self.expression(0)
            self.expect(")")
            return inner
        sign, number = _PREFIXES[token]
        inner = self.expression(_BINDING["**"])
        return methodcaller("chain", inner, [(at, sign, methodcaller("number", number))])

    def number(self, at: int, token: str) -> Node:
        try:
            return methodcaller("number", parse_number(token))
        except ValueError as error:
            raise self.error(at, str(error)) from None

    def probe(self, at: int, token: str) -> Node:
        kind, _, inside = re.sub(r"\s", "", token[:-1]).partition("(")
        self.probes.append(Probe(kind, tuple(re.findall(r"(?:\[[^]]*\]|[^,[])+", inside))))
        return methodcaller("probe", at, self.probes[-1])

    def name(self, at: int, token: str) -> Node:
        if self.tokens[-1][1] != "(":
            self.names.add(token)
            return methodcaller("name", at, token)
        if token in ("v", "i"):
            raise self.error(at, "expected v(node), v(node, node) or i(source)")
        args: list[Node] = []
        while self.tokens[-1][1] == ("," if args else "("):
            self.tokens.pop()
            args.append(self.expression(0))
        self.expect(")")
        if token != "if":
            self.functions.add(token)
            return methodcaller("call", at, token, args)
        if len(args) != 3:
            raise self.error(at, f"if takes 3 arguments, not {len(args)}")
        return methodcaller("choice", *args)
