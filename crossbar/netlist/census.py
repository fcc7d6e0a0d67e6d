"""How many elements a deck has once its subcircuits are flat: known before any is made.

    count(level) = parameters + sum over its cards of  width (1 + nodes + count(subcircuit, if it is an X card))

A subcircuit within itself counts nothing there, it is refused when it is met.
"""

from collections.abc import Iterable, Iterator, Mapping

from crossbar import memory
from crossbar.errors import SizeError
from crossbar.netlist.lexer import Plain, Token
from crossbar.netlist.parser import Scope
from crossbar.netlist.words import MAX_BUS, BadCard, assignments, bus_width, flattened

MAX_ELEMENTS = 10 ** 7   # of a flat deck
_BYTES_AN_ELEMENT = 600  # while a deck is made flat, from measurement


def require_few_names(lines: Iterable[list[Token]]) -> None:
    """Raise SizeError where the buses on the lines of a deck stand for too many names."""
    count = sum(_width(t.text) for tokens in lines if not isinstance(tokens, Plain) for t in tokens)
    if count > MAX_ELEMENTS:
        raise SizeError("the deck, its buses expanded,", estimate=count, limit=MAX_ELEMENTS, unit="names")


def require_few_elements(deck: Scope) -> None:
    """Raise SizeError where a deck, flat, would have too many elements or not fit in memory."""
    count = flat_count(deck)
    if count > MAX_ELEMENTS:
        raise SizeError("the deck, its subcircuits flat,", estimate=count, limit=MAX_ELEMENTS, unit="elements and parameters")
    memory.require(f"the deck, its subcircuits flat, of {count:.3g} elements", count * _BYTES_AN_ELEMENT)


def flat_count(deck: Scope) -> float:
    """Elements, parameters and buses of nodes of a deck, those of subcircuits as often as they are instantiated."""
    around = _enclosing(deck)
    calls = {key: list(_calls(scope, around)) for key, (scope, _) in around.items()}
    counts: dict[int, float] = {}
    for scope in _innermost_first(deck, calls):
        own = float(len(scope.params) + len(scope.defaults))
        own += sum(_weight(tokens) for tokens in scope.elements)
        counts[id(scope)] = own + sum(width * counts.get(id(inner), 0.0) for inner, width in calls[id(scope)])
    return counts[id(deck)]


def _enclosing(deck: Scope) -> Mapping[int, tuple[Scope, Scope | None]]:
    """Every level by its id, with the level around its definition."""
    around: dict[int, tuple[Scope, Scope | None]] = {id(deck): (deck, None)}
    levels = [deck]
    while levels:
        scope = levels.pop()
        for inner in scope.subckts.values():
            if inner is not None:
                around[id(inner)] = (inner, scope)
                levels.append(inner)
    return around


def _calls(scope: Scope, around: Mapping[int, tuple[Scope, Scope | None]]) -> Iterator[tuple[Scope, int]]:
    """Subcircuits that a level instantiates, and how often."""
    for tokens in scope.elements:
        if not tokens[0].low.startswith("x"):
            continue
        kind = _kind(tokens)
        level: Scope | None = scope
        while level is not None and kind not in level.subckts:
            level = around[id(level)][1]
        definition = level.subckts[kind] if level is not None else None
        if definition is not None:
            yield definition, _width(tokens[0].text)


def _kind(tokens: list[Token]) -> str:
    """Name of the subcircuit on an X card; "" where it cannot be read."""
    if isinstance(tokens, Plain):
        return tokens[-1].low
    try:
        bare, _ = assignments([t for t in flattened(tokens) if t.low != "params:"])
    except BadCard:
        return ""
    return bare[-1].low if bare else ""


def _width(text: str) -> int:
    """Names that a text stands for; one that is too wide is refused where it stands, and is one name until then."""
    width = bus_width(text)
    return width if width <= MAX_BUS else 1


def _weight(tokens: list[Token]) -> int:
    """Elements on a card, or nodes of its widest bus."""
    if isinstance(tokens, Plain):
        return 1
    return max(_width(token.text) for token in tokens)


def _innermost_first(deck: Scope, calls: Mapping[int, list[tuple[Scope, int]]]) -> Iterator[Scope]:
    """Every level that the deck reaches, after those that it instantiates. Without recursion: chains may be long."""
    opened: set[int] = set()
    closed: set[int] = set()
    stack = [deck]
    while stack:
        scope = stack[-1]
        if id(scope) not in opened:
            opened.add(id(scope))
            stack += [inner for inner, _ in calls[id(scope)] if id(inner) not in opened]
            continue
        stack.pop()
        if id(scope) not in closed:
            closed.add(id(scope))
            yield scope
