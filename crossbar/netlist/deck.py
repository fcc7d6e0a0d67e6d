"""A deck: text understood, ready to become a circuit for any values of its parameters."""

import errno
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from os import PathLike
from pathlib import Path

import numpy as np

from crossbar import doubts
from crossbar.checks import instance
from crossbar.circuit import Circuit
from crossbar.elements.xbar import Xbar
from crossbar.errors import DataError, NetlistError
from crossbar.expressions import ExpressionError, parse
from crossbar.expressions import Scope as Values
from crossbar.netlist.census import require_few_elements, require_few_names
from crossbar.netlist.devices import DEVICES, states_of
from crossbar.netlist.elaborate import Broken, Elaboration
from crossbar.netlist.lexer import Problems, Token
from crossbar.netlist.parser import Dc, Op, Parsed, Scope, Write, parse_lines
from crossbar.netlist.sources import logical_lines, read_text
from crossbar.netlist.titles import swallowed_card
from crossbar.netlist.words import BadCard, bus, expression_text

MAX_POINTS = 10 ** 7  # of one sweep
MOST_WRITE = 1e9      # amplitude [V] and width [s], about thirty years
ALL = "all"           # on .save and .print: the usual outputs

_WORDS = ("method", "solver")  # options that are no numbers


@dataclass(frozen=True, eq=False)
class DcAnalysis:
    """.dc with its values: {name: points}, outermost first."""

    axes: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class OpAnalysis:
    """.op"""


@dataclass(frozen=True, eq=False)
class WriteAnalysis:
    """.write with its values: states for an array, pulses (to P, to AP) in [V] and [s]."""

    place: str            # file:line
    array: str
    target: np.ndarray    # (M, N) states
    scheme: str
    amplitude: tuple[float, float]
    width: tuple[float, float]
    verify: int | None    # pulses for a cell at most; None: no reads
    order: str
    seed: int | tuple[int, int]  # (seed, number of the card) where it is the deck's


@dataclass(frozen=True, eq=False)
class Deck:
    """An understood deck; made by `read_netlist` and `parse_netlist`, which report all mistakes together."""

    parsed: Parsed
    path: str
    warnings: tuple[str, ...] = ()
    written: Mapping[str, np.ndarray] = field(default_factory=dict)  # states (M, N) of arrays in place of the deck's

    def __repr__(self) -> str:
        circuit = self.circuit
        elements = sum(len(batch.nodes) for batch in circuit.batches)
        arrays = ", ".join(f"{a.name} {a.shape[0]} x {a.shape[1]}" for a in circuit.arrays[:5])
        more = " ..." if len(circuit.arrays) > 5 else ""
        return (f"<deck {self.title[:60]!r} ({self.path[-100:]}): {elements} elements, {len(circuit.nodes) - 1} named nodes, "
                f"arrays: {arrays or 'none'}{more}; {', '.join(list(self.analyses)[:10]) or 'no analysis'}; "
                f"{len(self.warnings)} warnings>")

    @property
    def title(self) -> str:
        """The deck's first line."""
        return self.parsed.title

    @cached_property
    def options(self) -> dict[str, float]:
        """Numbers given on .options and .temp."""
        return {name: parse(expression_text(t)).evaluate(Values()) for name, t in self.parsed.options.items()
                if name not in _WORDS}

    def elaborate(self, params: Mapping[str, float] = {}, rng: np.random.Generator | None = None,
                  *, temp: float | None = None) -> Circuit:
        """The flat circuit, with some top-level parameters set to other values.

        rng : draws of gauss() and the like and of state=random; without it the former are nominal, the latter from
        .options seed=. temp : temperature [degree Celsius]. Raises NetlistError, DataError for an unknown parameter.
        """
        problems = Problems()
        for name in params:
            if name.lower() not in self.parsed.scope.params:
                raise DataError(f"the deck has no parameter {name!r} to set")
        circuit = self._elaboration(problems, params, rng, temp).circuit()
        if problems.found:
            raise NetlistError(problems.found, problems.count)
        return circuit.with_states(self.written)

    def after_write(self, array: str, states: np.ndarray) -> "Deck":
        """The deck with an array in other states (M, N), whatever its card says."""
        deck = replace(self, written={**self.written, array: states})
        vars(deck).update(circuit=self.circuit.with_states({array: states}), places=self.places)  # not elaborated again
        return deck

    def _elaboration(self, problems: Problems, params: Mapping[str, float], rng: np.random.Generator | None,
                     temp: float | None, ohms: Mapping[str, float] = {}) -> Elaboration:
        seed = self.options.get("seed")
        temper = self.options.get("temp", 27.0) if temp is None else temp
        return Elaboration(self.parsed, problems, {k.lower(): v for k, v in params.items()}, ohms, temper,
                           self.options.get("tnom", 27.0), rng, None if seed is None else int(seed), DEVICES)

    def vary(self, values: Mapping[str, float]) -> Circuit:
        """The circuit with sources, resistors, parameters or temp set; what is swept by .dc."""
        sources = {n: v for n, v in values.items() if self.kind(n) == "source"}
        params = {n: v for n, v in values.items() if self.kind(n) == "parameter"}
        ohms = {n: v for n, v in values.items() if self.kind(n) == "resistor"}
        problems = Problems()
        circuit = self.circuit
        if params or ohms or "temp" in values:
            circuit = self._elaboration(problems, params, None, values.get("temp"), ohms).circuit().with_states(self.written)
        if problems.found:
            raise NetlistError(problems.found, problems.count)
        return circuit.vary(sources)

    def kind(self, name: str) -> str:
        """What a swept name means: temp, then a source or resistor, then a parameter."""
        if name == "temp":
            return "temp"
        if name in self.places:
            return "resistor" if self.places[name].low.startswith("r") else "source"
        return "parameter"

    @cached_property
    def places(self) -> Mapping[str, Token]:
        """Where each element of the deck stands, by its full name."""
        elaboration = self._elaboration(Problems(), {}, None, None)
        elaboration.circuit()
        return elaboration.places

    @cached_property
    def circuit(self) -> Circuit:
        """The circuit at the deck's own values."""
        return self.elaborate()

    @property
    def arrays(self) -> dict[str, Xbar]:
        """The deck's arrays by name, with the nodes they are attached to; PassiveArray.from_xbar solves one by itself."""
        return {a.name: a for a in self.circuit.arrays}

    @cached_property
    def analyses(self) -> dict[str, OpAnalysis | DcAnalysis | WriteAnalysis]:
        """What the deck asks for, in order, as op, dc, write, or op1, op2, ... where there are several of a kind."""
        kinds = [("op", OpAnalysis()) if isinstance(a, Op) else ("dc", self._dc(a)) if isinstance(a, Dc) else
                 ("write", self._write(a)) for a in self.parsed.analyses]
        names = [k for k, _ in kinds]
        return {k if names.count(k) == 1 else f"{k}{names[:n + 1].count(k)}": a for n, (k, a) in enumerate(kinds)}

    def _dc(self, card: Dc) -> DcAnalysis:
        elaboration = self._elaboration(Problems(), {}, None, None)
        env = elaboration.top()
        axes = {}
        for name, *limits in reversed(card.loops):
            start, stop, step = (elaboration.number(env, t) for t in limits)
            ratio = (stop - start) / step if step else -1.0
            if ratio < 0:
                raise BadCard(f".dc {name.low}: steps of {step:g} never lead from {start:g} to {stop:g}", "", card.at)
            if not ratio < MAX_POINTS:
                raise BadCard(f".dc {name.low} has {ratio:.3g} points, more than {MAX_POINTS}", "", card.at)
            count = int(ratio * (1 + 1e-12) + 1e-9) + 1
            if count > MAX_POINTS:
                raise BadCard(f".dc {name.low} has {count} points, more than {MAX_POINTS}", "", card.at)
            axes[name.low] = start + step * np.arange(count)
        if np.prod([float(len(a)) for a in axes.values()]) > MAX_POINTS:
            raise BadCard(f".dc has more than {MAX_POINTS} points in all", "", card.at)
        return DcAnalysis(axes)

    def _write(self, card: Write) -> WriteAnalysis:
        elaboration = self._elaboration(Problems(), {}, None, None)
        env, given, xbar = elaboration.top(), card.given, self.arrays.get(card.array.low)
        if xbar is None:
            raise BadCard(f".write: there is no array {card.array.text}", "", card.array)

        def pair(name: str) -> tuple[float, float]:
            tokens = [given.get(f"{name}_{end}", given.get(name)) for end in ("p", "ap")]
            if None in tokens:
                raise BadCard(f".write needs {name}=, or {name}_p= and {name}_ap=", "", card.at)
            values = [elaboration.number(env, t) for t in tokens if t is not None]
            if not all(0 < v < np.inf for v in values):
                raise BadCard(f".write: {name} must be positive, its sign follows from the state that is written", "", tokens[0])
            if max(values) > MOST_WRITE:
                raise BadCard(f".write: {name} = {max(values):g} is out of range", f"at most {MOST_WRITE:g}", tokens[0])
            return values[0], values[1]

        def whole(name: str, least: int) -> int | None:
            value = elaboration.number(env, given[name]) if name in given else self.options.get(name)
            if value is not None and (value != int(value) or value < least):
                raise BadCard(f".write: {name} = {value:g} is no whole number of at least {least}", "", given.get(name))
            return None if value is None else int(value)
        if "target" not in given:
            raise BadCard(".write needs target=<file of states>, P or AP", "", card.at)
        number = whole("seed", 0)
        if number is None:
            raise BadCard(".write needs seed=<whole number>", "or .options seed=", card.at)
        return WriteAnalysis(
            place=f"{card.at.file}:{card.at.line}", array=card.array.low, target=states_of(given["target"], xbar.shape),
            scheme=given["scheme"].low if "scheme" in given else "v/2", amplitude=pair("amplitude"), width=pair("width"),
            verify=whole("verify", 1), order=given["order"].low if "order" in given else "rows",
            seed=number if "seed" in given else (number, self.parsed.analyses.index(card)))

    def printed(self, analysis: str) -> list[str]:
        """Outputs that .print asks for in an analysis."""
        kind = analysis.rstrip("0123456789")
        return [one for on, tokens in self.parsed.prints if on in ("", kind) for one in _outputs(tokens)]

    @property
    def saved(self) -> list[str]:
        """Outputs named by .save, `all` left out."""
        return [one for one in _outputs(self.parsed.saves) if one != ALL]

    @property
    def saves_all(self) -> bool:
        """Whether .save asks for the usual outputs too."""
        return ALL in _outputs(self.parsed.saves)


def _outputs(tokens: list[Token]) -> list[str]:
    return [one.replace(" ", "") for t in tokens for one in bus(t.low) or [t.low]]


def read_netlist(path: str | Path) -> Deck:
    """Read a deck. Raises OSError where there is no file, DataError if it is no text, NetlistError with every mistake."""
    instance(path, (str, PathLike), "read_netlist: the path of a deck")
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return parse_netlist(read_text(path, handed_over=True), path=str(path))


def parse_netlist(text: str, path: str = "<string>") -> Deck:
    """Understand the text of a deck. Raises NetlistError listing every mistake at once; `path` names the text in messages and
    is where relative file names start from."""
    instance(text, str, "parse_netlist: the text of a deck, a str,")
    instance(path, str, "parse_netlist: the path of a deck, a str,")
    problems = Problems()
    title, lines = logical_lines(text, path, problems)
    require_few_names(lines)
    deck = Deck(parse_lines(title, lines, path, problems), path)
    require_few_elements(deck.parsed.scope)
    try:
        deck.options  # noqa: B018 - evaluated here so that its mistakes are found
    except ExpressionError as error:
        problems.add(deck.parsed.scope.at, f".options: {error}")
        deck.parsed.options.clear()
    elaboration = deck._elaboration(problems, {}, None, None)
    circuit = elaboration.circuit()
    vars(deck).update(circuit=circuit, places=elaboration.places)  # cached properties: a large deck is elaborated once
    _check_requests(deck, circuit, problems)
    doubt = swallowed_card(title, circuit.nodes)
    if doubt is not None:
        problems.warn(deck.parsed.scope.at, doubt)
    if not problems.found and not circuit.batches and not circuit.arrays:
        problems.add(deck.parsed.scope.at, "the deck holds no element")
    if problems.found:
        in_order = sorted(problems.found, key=lambda p: (p.file != path, p.file, p.line))
        raise NetlistError(in_order, problems.count, problems.warnings)
    return _with_warnings(deck, problems.warnings)


def _with_warnings(deck: Deck, warnings: Sequence[str]) -> Deck:
    """The deck, not elaborated again."""
    complete = replace(deck, warnings=tuple(warnings))
    vars(complete).update(circuit=deck.circuit, places=deck.places)
    return complete


def _check_requests(deck: Deck, circuit: Circuit, problems: Problems) -> None:
    """What is swept, printed and saved must exist; if the deck has other mistakes, at least be spelled somewhere in it."""
    spelled = _words(deck.parsed.scope) if problems.found else set()
    for card in deck.parsed.analyses:
        try:
            if isinstance(card, Write) and (not problems.found or card.array.low in circuit.array_names):
                pulse = deck._write(card)
                doubt = doubts.of_width(pulse.width)
                if doubt is not None:
                    problems.warn(card.at, f".write {card.array.low}: {doubt}")
            if isinstance(card, Dc):
                for swept, points in deck._dc(card).axes.items():
                    if swept in deck.places and deck.kind(swept) == "resistor" and points.min() < 0:
                        raise BadCard(f".dc {swept}: a resistance is at least 0", "", card.at)
        except BadCard as error:
            problems.add(error.at or card.at, error.text, error.hint)
        except Broken:
            pass
    for card in deck.parsed.analyses:
        for name, *_ in card.loops if isinstance(card, Dc) else ():
            if name.low not in {"temp", *deck.parsed.scope.params, *spelled}:
                _complain(problems, card.at, lambda name=name: circuit.with_value(name.low, 1.0))
    kinds = {type(card).__name__.lower() for card in deck.parsed.analyses} or {"op"}
    for kind, tokens in deck.parsed.prints:
        if kind and kind not in kinds:
            problems.warn(tokens[0], f".print {kind} has no effect: the deck has no .{kind}")
    for token in [t for _, tokens in deck.parsed.prints for t in tokens] + deck.parsed.saves:
        try:
            outputs = _outputs([token])
        except BadCard as bad:
            problems.add(token, bad.text, bad.hint)
            continue
        for output in outputs:
            if output != ALL and not _named(output) & spelled:
                _complain(problems, token, lambda output=output: circuit.check_output(output))


def _named(output: str) -> set[str]:
    """Nodes and elements that an output names, and the arrays that they are in."""
    names = re.findall(r"[^(),]+", output)[1:]
    return {*names, *(re.split(r"\.[wb]l\[|\[", name)[0] for name in names)}


def _words(scope: Scope) -> set[str]:
    """Every word on the element cards of a level, buses expanded."""
    return {one for tokens in scope.elements for t in tokens for one in _bits(t)}


def _bits(token: Token) -> list[str]:
    try:
        return bus(token.low) or [token.low]
    except BadCard:
        return []


def _complain(problems: Problems, at: Token, action: object) -> None:
    try:
        action()  # type: ignore[operator]
    except (DataError, BadCard) as error:
        problems.add(at, str(error))
