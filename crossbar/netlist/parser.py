"""Cards -> a tree of scopes. Nothing is evaluated here; what a card means for the circuit is decided when it is elaborated."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from crossbar.checks import MOST
from crossbar.expressions import Expression, ExpressionError, Function, parse
from crossbar.expressions import Scope as Values
from crossbar.netlist.lexer import Problems, Token
from crossbar.netlist.words import BadCard, assignments, bus, expression_text, flattened, split_call, words_of

OPTIONS = frozenset("reltol abstol vntol gmin itl1 itl2 itl4 trtol method maxord temp tnom seed solver".split())
IDLE = frozenset("gmin itl2 itl4 trtol method maxord solver".split())  # options that nothing here heeds yet
#: Options of ngspice that only concern what it lists.
LISTING = frozenset("acct noacct init noinit list nolist mod nomod node nonode opts noopts page nopage refvalue norefvalue "
                    "ingold numdgt".split())
_LATER = frozenset(".lib .tran .ac .ic .nodeset .meas .measure .step .if .mc".split())
WRITE_FIELDS = frozenset("target scheme amplitude amplitude_p amplitude_ap width width_p width_ap verify order seed".split())
_NEVER = frozenset(".noise .pz .sens .four .disto .control .tf .csparam".split())


@dataclass(frozen=True)
class Model:
    """.model name kind (parameters)."""

    at: Token
    kind: str
    given: dict[str, Token]


@dataclass(frozen=True)
class Dc:
    """.dc: swept name, start, stop, step of each loop, the innermost first."""

    at: Token
    loops: tuple[tuple[Token, Token, Token, Token], ...]


@dataclass(frozen=True)
class Op:
    """.op"""

    at: Token


@dataclass(frozen=True)
class Write:
    """.write array name=value ..."""

    at: Token
    array: Token
    given: dict[str, Token]


@dataclass(eq=False)
class Scope:
    """What one level of the deck defines: the deck itself, or a .subckt. A value None marks a definition that failed."""

    at: Token
    name: str = ""
    ports: list[str] = field(default_factory=list)
    defaults: dict[str, Token] = field(default_factory=dict)  # parameters of a subcircuit
    params: dict[str, tuple[Token, Expression] | None] = field(default_factory=dict)
    functions: dict[str, Function | None] = field(default_factory=dict)
    models: dict[str, Model | None] = field(default_factory=dict)
    subckts: dict[str, "Scope | None"] = field(default_factory=dict)
    elements: list[list[Token]] = field(default_factory=list)


@dataclass(eq=False)
class Parsed:
    """A whole deck, read but not evaluated."""

    title: str
    scope: Scope
    globals: set[str] = field(default_factory=set)
    analyses: list[Op | Dc | Write] = field(default_factory=list)
    prints: list[tuple[str, list[Token]]] = field(default_factory=list)  # (analysis kind or "", outputs)
    saves: list[Token] = field(default_factory=list)
    options: dict[str, Token] = field(default_factory=dict)
    doubts: list[tuple[Token, str]] = field(default_factory=list)  # warnings, with their places


def parse_lines(title: str, lines: list[list[Token]], file: str, problems: Problems) -> Parsed:
    """Sort the cards of a deck into scopes; every mistake is added to `problems` and reading goes on."""
    top = Scope(Token("", file, 1))
    deck = Parsed(title, top)
    stack = [top]
    for tokens in lines:
        at, word = tokens[0], tokens[0].low
        try:
            if at.bad and word != ".subckt":
                _lost(stack[-1], tokens)
            elif word == ".subckt":
                scope = Scope(at)
                scopes = stack[-1]
                stack.append(scope)
                if len(tokens) > 1:
                    scopes.subckts.setdefault(tokens[1].low, None)
                if at.bad:
                    continue
                _subckt(scope, scopes, tokens)
            elif word == ".ends":
                if len(stack) == 1:
                    raise BadCard(".ends without .subckt")
                ended = stack.pop().name
                if len(tokens) > 1 and ended and tokens[1].low != ended:
                    raise BadCard(f".ends {tokens[1].text} ends the subcircuit {ended}")
            elif word.startswith("."):
                _card(deck, stack[-1], tokens)
            else:
                stack[-1].elements.append(tokens)
        except BadCard as error:
            _lost(stack[-1], tokens)
            problems.add(error.at or at, error.text, error.hint)
        except ExpressionError as error:
            problems.add(at, error.message + f" in {error.text[:100]!r}", error.hint)
    for scope in stack[1:]:
        problems.add(scope.at, ".subckt is never ended", "add .ends")
    for token, text in deck.doubts:
        problems.warn(token, text)
    return deck


def _card(deck: Parsed, scope: Scope, tokens: list[Token]) -> None:
    word = tokens[0].low
    if word in CARDS:
        CARDS[word](deck, scope, tokens)
    elif word in _LATER:
        raise BadCard(f"{word} is not supported yet", "this version knows " + " ".join(sorted(_KNOWN)))
    elif word in _NEVER:
        raise BadCard(f"{word} is not supported", "this version knows " + " ".join(sorted(_KNOWN)))
    else:
        raise BadCard(f"unknown card {word}", "this version knows " + " ".join(sorted(_KNOWN)))


def _define(table: dict, name: str, what: str, make: Callable[[], object]) -> None:
    """table[name] = make(); a name defined before is an error, a failed definition leaves None."""
    if name in table:
        raise BadCard(f"{what} {name} is defined twice")
    table[name] = None
    table[name] = make()


def _lost(scope: Scope, tokens: list[Token]) -> None:
    """Remember what a line that cannot be read would have defined."""
    word = tokens[0].low
    if word == ".param":
        for k, t in enumerate(tokens):
            if t.text == "=" and k > 1 or k == 1:
                scope.params.setdefault(tokens[k - (t.text == "=")].low, None)
    elif word in (".model", ".func") and len(tokens) > 1:
        name = tokens[1].low.partition("(")[0]
        (scope.models if word == ".model" else scope.functions).setdefault(name, None)


def _subckt(scope: Scope, parent: Scope, tokens: list[Token]) -> None:
    bare, given = assignments([t for t in flattened(tokens[1:]) if t.low != "params:"])
    if not bare:
        raise BadCard(".subckt needs a name")
    scope.ports = [name for t in bare[1:] for name in bus(t.low) or [t.low]]
    scope.defaults = given
    name = bare[0].low
    if parent.subckts.get(name) is not None:
        raise BadCard(f"subcircuit {name} is defined twice")
    if len(set(scope.ports)) < len(scope.ports):
        raise BadCard(f"subcircuit {name} has two ports of the same name")
    parent.subckts[name] = scope
    scope.name = name


def _param(deck: Parsed, scope: Scope, tokens: list[Token]) -> None:
    bare, given = assignments(tokens[1:], long=True)
    if bare or not given:
        raise BadCard(".param takes name = value", f"what is {bare[0].text!r}?" if bare else "")
    for name, value in given.items():
        _define(scope.params, name, "parameter", partial(_valued, value))


def _valued(value: Token) -> tuple[Token, Expression]:
    return value, parse(expression_text(value))


def _func(deck: Parsed, scope: Scope, tokens: list[Token]) -> None:
    head, *rest = [t for t in tokens[1:] if t.text != "="] or [tokens[0]]
    if rest and rest[0].text.startswith("("):
        head, rest = head.with_text(head.text + rest[0].text), rest[1:]
    call = split_call(head)
    if call is None or len(rest) != 1:
        raise BadCard(".func takes name(arguments) {expression}")
    name, arguments = call[0], tuple(t.low for t in words_of(call[1], head))
    _define(scope.functions, name, "function", lambda: Function(arguments, parse(expression_text(rest[0]))))


def _model(deck: Parsed, scope: Scope, tokens: list[Token]) -> None:
    if len(tokens) < 3:
        raise BadCard(".model takes a name, a kind and parameters")
    kind, rest = tokens[2], tokens[3:]
    call = split_call(kind)
    if call:
        rest = words_of(call[1], kind) + rest
    bare, given = assignments(flattened(rest))
    _define(scope.models, tokens[1].low, "model", lambda: _model_of(tokens[1], call[0] if call else kind.low,
                                                                    bare, given))


def _model_of(at: Token, kind: str, bare: list[Token], given: dict[str, Token]) -> Model:
    if bare:
        raise BadCard(f"model {at.low}: {bare[0].text!r} is no name = value")
    return Model(at, kind, given)


def _global(deck: Parsed, scope: Scope, tokens: list[Token]) -> None:
    deck.globals |= {name for t in tokens[1:] for name in bus(t.low) or [t.low]}


def _op(deck: Parsed, scope: Scope, tokens: list[Token]) -> None:
    if len(tokens) > 1:
        raise BadCard(".op takes nothing", f"what is {tokens[1].text!r}?")
    deck.analyses.append(Op(tokens[0]))


def _dc(deck: Parsed, scope: Scope, tokens: list[Token]) -> None:
    words = tokens[1:]
    if not words or len(words) % 4:
        raise BadCard(".dc takes name start stop step, once or nested (innermost first)")
    loops = tuple((a, b, c, d) for a, b, c, d in zip(*[iter(words)] * 4, strict=True))
    if len({loop[0].low for loop in loops}) < len(loops):
        raise BadCard(".dc sweeps the same quantity twice")
    deck.analyses.append(Dc(tokens[0], loops))


def _write(deck: Parsed, scope: Scope, tokens: list[Token]) -> None:
    bare, given = assignments(tokens[1:])
    if len(bare) != 1:
        raise BadCard(".write takes one array, then target=<file> scheme= amplitude= width= [verify=] [order=] seed=")
    for name, token in given.items():
        if name not in WRITE_FIELDS:
            raise BadCard(f".write knows no {name}", "it knows " + " ".join(sorted(WRITE_FIELDS)), token)
    for name in ("amplitude", "width"):
        if {name, f"{name}_p", f"{name}_ap"} <= given.keys():
            deck.doubts.append((given[name], f".write: {name} has no effect beside {name}_p and {name}_ap"))
    deck.analyses.append(Write(tokens[0], bare[0], given))


def _print(deck: Parsed, scope: Scope, tokens: list[Token]) -> None:
    words = tokens[1:]
    kind = words[0].low if words and words[0].low in ("op", "dc", "tran", "ac") else ""
    outputs = words[bool(kind):]
    if not outputs:
        raise BadCard(f"{tokens[0].low} names no output", "such as v(out) or i(v1)")
    deck.prints.append((kind, outputs))


def _save(deck: Parsed, scope: Scope, tokens: list[Token]) -> None:
    deck.saves += tokens[1:]


def _options(deck: Parsed, scope: Scope, tokens: list[Token]) -> None:
    flags, values = assignments(tokens[1:])
    for name in [t.low for t in flags] + list(values):
        if name not in OPTIONS | LISTING:
            raise BadCard(f"unknown option {name}", "known are " + " ".join(sorted(OPTIONS)))
        if name in IDLE:
            deck.doubts.append((tokens[0], f"option {name} has no effect yet"))
        if name in LISTING:
            deck.doubts.append((tokens[0], f"option {name} has no effect: it is about ngspice's listing"))
    if "method" in values and values["method"].low not in ("trap", "gear"):
        raise BadCard(f"method={values['method'].text}: there are trap and gear")
    settings = {name: token for name, token in values.items() if name not in LISTING}
    for name, token in settings.items():
        _in_range(name, token)
    unset = [t.low for t in flags if t.low not in LISTING]
    if unset:
        raise BadCard(f"option {unset[0]} needs a value")
    deck.options |= settings


def _in_range(name: str, token: Token) -> None:
    if name in ("method", "solver"):
        return
    value = parse(expression_text(token)).evaluate(Values())
    if name in ("reltol", "abstol", "vntol"):
        good = 0 < value <= MOST[name]
    else:
        good = {"seed": value >= 0 and value == int(value), "itl1": value >= 1}.get(name, True)
    if not good:
        raise BadCard(f"{name} = {value:g} is out of range")


def _temp(deck: Parsed, scope: Scope, tokens: list[Token]) -> None:
    if len(tokens) != 2:
        raise BadCard(".temp takes one temperature [degree Celsius]")
    _in_range("temp", tokens[1])
    deck.options["temp"] = tokens[1]


def _title(deck: Parsed, scope: Scope, tokens: list[Token]) -> None:
    deck.title = " ".join(t.text for t in tokens[1:])


CARDS: dict[str, Callable[[Parsed, Scope, list[Token]], None]] = {
    ".param": _param, ".func": _func, ".model": _model, ".global": _global, ".op": _op, ".dc": _dc,
    ".write": _write, ".print": _print,
    ".plot": _print, ".probe": _print, ".save": _save, ".options": _options, ".option": _options, ".opt": _options,
    ".temp": _temp, ".title": _title}
_KNOWN = frozenset(CARDS) - {".option", ".opt", ".plot", ".probe"} | {".subckt", ".ends", ".include", ".end"}
