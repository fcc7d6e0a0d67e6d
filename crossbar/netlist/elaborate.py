"""A parsed deck, with parameters bound and subcircuits flat, becomes a Circuit.

Names inside an instance x1 are x1.r1 and x1.node; ports, global nodes and ground keep their outer names. Every mistake is
collected at its place and the rest of the deck is still looked at.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter

import numpy as np

from crossbar.circuit import Circuit, CircuitBuilder
from crossbar.errors import DataError
from crossbar.expressions import (CONSTANTS, FUNCTIONS, Expression, ExpressionError, Function, Probe, parse,
                                  reached_probes)
from crossbar.expressions import Scope as Values
from crossbar.netlist.lexer import Plain, Problems, Token
from crossbar.netlist.parser import Model, Parsed, Scope
from crossbar.netlist.words import BadCard, assignments, bus, expression_text, flattened
from crossbar.units import parse_number, suffix_trap

_INSIDE = re.compile(r".+\.[wb]l\[[^]]*\]")  # the name of a node inside an array

MAX_DEPTH = 50  # subcircuits inside each other


class Broken(Exception):
    """What is asked for was defined by a card that has been complained about already."""


@dataclass(frozen=True, eq=False)
class Env:
    """What names mean at one level of the hierarchy."""

    scope: Scope
    values: Values
    broken: frozenset[str]                        # parameters and functions whose definition failed
    models: Mapping[str, "tuple[Model, Env] | None"]
    subckts: Mapping[str, "tuple[Scope, Env] | None"]
    prefix: str = ""
    ports: Mapping[str, str] = field(default_factory=dict)
    inside: tuple[str, ...] = ()                  # names of the subcircuits around
    around: frozenset[int] = frozenset()          # ids of their definitions

    def name(self, element: str) -> str:
        """Full name of an element of this level."""
        return self.prefix + element


@dataclass(eq=False)
class Elaboration:
    """One pass over a deck; `circuit()` is the result, `problems` and `warnings` what was seen on the way."""

    parsed: Parsed
    problems: Problems
    params: Mapping[str, float]        # set from outside
    ohms: Mapping[str, float]          # resistors whose value is set from outside [ohm]
    temper: float                      # [degree Celsius]
    tnom: float                        # [degree Celsius]
    rng: np.random.Generator | None    # for gauss() and the like; None: nominal values
    seed: int | None                   # for random states where rng is None
    devices: Mapping[str, Callable[["Elaboration", Env, list[Token]], None]]  # by first letter
    builder: CircuitBuilder = field(default_factory=CircuitBuilder)
    here: Token = field(init=False)                                 # the card being read
    inner: list[tuple[Token, str]] = field(default_factory=list)    # nodes named as if inside an array
    clashes: set[tuple[Token, Token]] = field(default_factory=set)
    places: dict[str, Token] = field(default_factory=dict)          # element -> where it stands
    senses: list[tuple[Token, str]] = field(default_factory=list)   # elements whose current is read
    endless: bool = False                                           # a subcircuit contains itself: each is looked at once
    walked: set[int] = field(default_factory=set)                   # ids of subcircuits that were looked at
    _parsed: dict[str, Expression] = field(default_factory=dict)
    _numbers: dict[str, tuple[float, str | None] | None] = field(default_factory=dict)

    def circuit(self) -> Circuit:
        """The flat circuit; what could not be understood is left out and is in `problems`."""
        self.builder.title = self.parsed.title
        top = self.top()
        with self.at(self.parsed.scope.at):
            self.walk(top)
        arrays = {name for name, token in self.places.items() if name in self.builder.array_names}
        for token, name in self.inner:
            if name.rpartition(".")[0] in arrays:
                self.problems.add(token, f"{name} is inside an array, where nothing can be attached",
                                  "attach to the ends of its lines, by its buses")
        told: set[Token] = set()
        for token, name in self.senses:
            if name not in self.places and token not in told:
                told.add(token)
                self.problems.add(token, f"there is no element {name} whose current could be read")
            elif name in self.places and token not in told and name.rpartition(".")[2][0] in "rigf":
                told.add(token)
                self.problems.add(token, f"{name} is no voltage source; put a 0 V source in series and read that")
        return self.builder.build()

    def top(self) -> Env:
        """The outermost level, with the parameters given from outside in place of the deck's."""
        scope = self.parsed.scope
        for name in self.params:
            if name not in scope.params:
                raise DataError(f"the deck has no parameter {name!r} to set")
        return self._level(scope, Values(rng=self.rng, temper=self.temper), {}, {}, frozenset(), dict(self.params), "",
                           {}, ())

    def _level(self, scope: Scope, outer: Values, models: Mapping, subckts: Mapping, broken: frozenset[str],
               fixed: dict[str, float], prefix: str, ports: Mapping[str, str], inside: tuple[str, ...]) -> Env:
        functions = {**outer.functions, **{n: f for n, f in scope.functions.items() if f is not None}}
        local = {n: p for n, p in scope.params.items() if n not in fixed}
        lost = (broken - scope.params.keys() - scope.functions.keys() - fixed.keys()) \
            | {n for n, f in scope.functions.items() if f is None}
        values = replace(outer, values={**outer.values, **fixed}, functions=functions)
        values, lost = self._bind(local, values, frozenset(lost))
        env = Env(scope, values, lost, {}, {}, prefix, ports, inside)
        own_models = {n: m and (m, env) for n, m in scope.models.items()}
        own_subckts = {n: s and (s, env) for n, s in scope.subckts.items()}
        object.__setattr__(env, "models", {**models, **own_models} if own_models else models)
        object.__setattr__(env, "subckts", {**subckts, **own_subckts} if own_subckts else subckts)
        return env

    def _bind(self, params: Mapping[str, tuple[Token, Expression] | None], values: Values, broken: frozenset[str]
              ) -> tuple[Values, frozenset[str]]:
        """Evaluate parameters in the order in which they need each other."""
        needs = {n: {m for m in _names(p[1], values.functions) & params.keys() if m != n or n not in values.values}
                 if p else set() for n, p in params.items()}
        try:
            order = list(TopologicalSorter(needs).static_order())
        except CycleError as error:
            cycle = error.args[1]
            first = params[cycle[0]]
            self.problems.add(first[0] if first else self.parsed.scope.at,
                              "parameters need each other in a circle: " + " -> ".join(cycle))
            return values, broken | params.keys()
        bound, lost = dict(values.values), set(broken)
        for name in order:
            item = params[name]
            try:
                if item is None or _names(item[1], values.functions) & lost:
                    raise Broken
                bound[name] = item[1].evaluate(replace(values, values=bound))
                trap = suffix_trap(item[1].text)
                if trap:
                    self.warn(item[0], trap)
            except Broken:
                lost.add(name)
            except ExpressionError as error:
                assert item is not None
                lost.add(name)
                self.problems.add(item[0], f"parameter {name}: {error.message} in {error.text!r}", error.hint)
        return replace(values, values=bound), frozenset(lost)

    def walk(self, env: Env) -> None:
        """Add every element of a level."""
        for tokens in env.scope.elements:
            with self.at(tokens[0]):
                letter = tokens[0].low[0]
                if len(tokens) > 1 and tokens[1].text == "=":
                    raise BadCard(f"unknown element {tokens[0].text!r}", "an assignment needs .param before it")
                if letter not in self.devices:
                    raise BadCard(f"unknown element {tokens[0].text!r}",
                                  "elements begin with " + " ".join(sorted(self.devices)).upper())
                self.devices[letter](self, env, tokens if isinstance(tokens, Plain) else flattened(tokens))

    def at(self, token: Token) -> "_At":
        """A context in which mistakes are collected, at `token` unless they say where."""
        self.here = token
        return _At(self.problems, token)

    # --- what the element cards need -------------------------------------------------------------------------

    def claim(self, token: Token, name: str) -> None:
        """Register an element's full name; BadCard if it is taken."""
        if name in self.places:
            first = self.places[name]
            if (token, first) in self.clashes:
                raise Broken
            self.clashes.add((token, first))
            raise BadCard(f"two elements are named {name}", f"the other is at {first.file}:{first.line}", token)
        self.places[name] = token

    def node(self, env: Env, name: str) -> str:
        """The circuit's name of a node of a level."""
        if name in ("0", "gnd"):
            return "0"
        if name in self.parsed.globals:
            return name
        if name.endswith("]") and _INSIDE.fullmatch(name):
            self.inner.append((self.here, env.prefix + name))
        return env.ports.get(name, env.prefix + name)

    def number(self, env: Env, token: Token) -> float:
        """Value of a number or expression; BadCard with the reason."""
        known = self._number(token.text)
        if known is not None:
            if known[1]:
                self.warn(token, known[1])
            return known[0]
        expression = self.expression(token)
        if _names(expression, env.values.functions) & env.broken:
            raise Broken
        try:
            value = expression.evaluate(env.values)
        except ExpressionError as error:
            raise BadCard(f"{error.message} in {error.text!r}", error.hint, token) from None
        trap = suffix_trap(expression_text(token))
        if trap:
            self.warn(token, trap)
        return value

    def _number(self, text: str) -> tuple[float, str | None] | None:
        """Value and warning of a text that is a number and no expression, each text read once; else None."""
        if text not in self._numbers:
            try:
                self._numbers[text] = parse_number(text), suffix_trap(text)
            except ValueError:
                self._numbers[text] = None
        return self._numbers[text]

    def check(self, env: Env, expression: Expression, token: Token) -> None:
        """BadCard where an expression names an undefined parameter."""
        names = _names(expression, env.values.functions)
        if names & env.broken:
            raise Broken
        for name in sorted(names - CONSTANTS - env.values.values.keys() - env.values.functions.keys() - FUNCTIONS.keys()):
            what = "function" if name in expression.functions else "parameter"
            raise BadCard(f"undefined {what} {name!r} in {expression.text!r}", "", token)
        probes = {p: 0.4 for p in reached_probes(expression, env.values.functions)}
        try:
            expression.evaluate(env.values, probes)
        except ExpressionError as error:
            if "argument" in error.message or "unknown" in error.message:
                raise BadCard(f"{error.message} in {error.text!r}", error.hint, token) from None

    def generator(self) -> np.random.Generator:
        """The deck's random numbers: the caller's, or those of .options seed=."""
        if self.rng is None:
            self.rng = np.random.default_rng(self.seed)
        return self.rng

    def expression(self, token: Token) -> Expression:
        """The parsed expression of a value."""
        text = expression_text(token)
        if text not in self._parsed:
            try:
                self._parsed[text] = parse(text)
            except ExpressionError as error:
                raise BadCard(f"{error.message} in {error.text!r}", error.hint, token) from None
        return self._parsed[text]

    def warn(self, token: Token, text: str) -> None:
        """A warning at a place, once."""
        self.problems.warn(token, text)

    def probe(self, env: Env, probe: Probe) -> Probe:
        """A probe with the circuit's names."""
        if probe.kind == "i":
            return Probe("i", (env.name(probe.args[0]),))
        return Probe("v", tuple(self.node(env, n) for n in probe.args))

    def model(self, env: Env, token: Token, kinds: tuple[str, ...]) -> tuple[Model, Env]:
        """A model of one of some kinds and the level whose parameters it sees."""
        if token.low not in env.models:
            raise BadCard(f"there is no model {token.low!r}", f"known are {', '.join(sorted(env.models)) or 'none'}", token)
        found = env.models[token.low]
        if found is None:
            raise Broken
        if found[0].kind not in kinds:
            raise BadCard(f"model {token.low!r} is of kind {found[0].kind!r}, wanted {' or '.join(kinds)}", "", token)
        return found

    def instance(self, env: Env, tokens: list[Token]) -> None:
        """X card: one subcircuit, or one a bit if its name is a bus."""
        bare, given = assignments([t for t in tokens if t.low != "params:"])
        if len(bare) < 2:
            raise BadCard("X takes nodes and the name of a subcircuit")
        name, kind = bare[0], bare[-1]
        found = self._subckt(env, kind)
        definition, home = found
        for one, nodes in instances(name, bare[1:-1], inline=True):
            if len(nodes) != len(definition.ports):
                raise BadCard(f"{one} has {len(nodes)} nodes, subcircuit {kind.low} has {len(definition.ports)} ports "
                              f"({' '.join(definition.ports)})")
            self.claim(name, env.name(one))
            self._enter(env, home, definition, kind, env.name(one), nodes, given)

    def _subckt(self, env: Env, kind: Token) -> tuple[Scope, Env]:
        if kind.low not in env.subckts:
            raise BadCard(f"there is no subcircuit {kind.low!r}",
                          f"known are {', '.join(sorted(env.subckts)) or 'none'}", kind)
        found = env.subckts[kind.low]
        if found is None:
            raise Broken
        if id(found[0]) in env.around:
            self.endless = True
            raise BadCard(f"subcircuit {kind.low} contains itself: " + " -> ".join((*env.inside, kind.low)), "", kind)
        if len(env.inside) >= MAX_DEPTH:
            raise BadCard(f"more than {MAX_DEPTH} subcircuits inside each other")
        return found

    def _enter(self, env: Env, home: Env, definition: Scope, kind: Token, full: str, nodes: list[str],
               given: Mapping[str, Token]) -> None:
        if self.endless and id(definition) in self.walked:
            return
        self.walked.add(id(definition))
        known = definition.defaults.keys() | definition.params.keys()
        for name, token in given.items():
            if name not in known:
                raise BadCard(f"subcircuit {kind.low} has no parameter {name!r}",
                              f"known are {', '.join(sorted(known)) or 'none'}", token)
        fixed = {name: self.number(env, token) for name, token in given.items()}
        defaults = {n: (t, self.expression(t)) for n, t in definition.defaults.items() if n not in fixed}
        scope = replace(definition, params={**defaults, **definition.params})
        ports = dict(zip(definition.ports, (self.node(env, n) for n in nodes), strict=True))
        level = self._level(scope, home.values, home.models, home.subckts, home.broken, fixed, full + ".", ports,
                            (*env.inside, kind.low))
        object.__setattr__(level, "around", env.around | {id(definition)})
        self.walk(level)


@dataclass(frozen=True)
class _At:
    problems: Problems
    token: Token

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, BadCard):
            self.problems.add(error.at or self.token, error.text, error.hint)
        elif isinstance(error, DataError) and not isinstance(error, BadCard):
            self.problems.add(self.token, str(error))
        return isinstance(error, BadCard | DataError | Broken)


def _names(expression: Expression, functions: Mapping[str, Function]) -> set[str]:
    """Parameters that an expression needs, through the functions it calls too, and the names of those functions."""
    names, todo, seen = set(expression.names), set(expression.functions), set()
    while todo:
        name = todo.pop()
        seen.add(name)
        names.add(name)
        if name in functions:
            body = functions[name].body
            names |= body.names - set(functions[name].args)
            todo |= body.functions - seen
    return names


def instances(name: Token, nodes: list[Token], *, inline: bool = False) -> Iterator[tuple[str, list[str]]]:
    """Name and node names of every bit of a card; a bus in the name asks for buses of its width, or single nodes.

    inline : without a bus in the name, buses among the nodes stand for their nodes in a row (subcircuits).
    """
    names = bus(name.low)
    buses = [bus(n.low) for n in nodes]
    if names is None:
        if inline:
            yield name.low, [one for n, b in zip(nodes, buses, strict=True) for one in b or [n.low]]
            return
        if any(buses):
            raise BadCard(f"{name.text} is one element on a bus", "give it a bus in its name, such as "
                          f"{name.text}[0:{max(len(b) for b in buses if b) - 1}]", name)
        yield name.low, [n.low for n in nodes]
        return
    for n, b in zip(nodes, buses, strict=True):
        if b and len(b) != len(names):
            raise BadCard(f"{name.text} has {len(names)} bits, {n.text} has {len(b)}", "widths must match or be 1", n)
    for k, one in enumerate(names):
        yield one, [b[k] if b else n.low for n, b in zip(nodes, buses, strict=True)]
