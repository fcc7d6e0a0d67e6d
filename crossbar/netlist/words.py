"""Small grammar shared by all cards: assignments, groups, buses, outputs."""

import bisect
import re
from collections.abc import Iterable, Sequence
from itertools import product
from math import prod

from crossbar.netlist.lexer import Problems, Token, tokenize, unquoted

MAX_BUS = 1_000_000  # bits of one bus

_ENTRY = r"\s*[0-9]+\s*(?::\s*[0-9]+\s*)?"
_BUS = re.compile(rf"\[(?=[^\]]*:)({_ENTRY}(?:,{_ENTRY})*)\]")
_CALL = re.compile(r"([^\s()]+)\s*\((.*)\)", re.DOTALL)


class BadCard(Exception):
    """A card that cannot be understood: message and hint; whoever reads the card adds its place."""

    def __init__(self, text: str, hint: str = "", at: Token | None = None) -> None:
        super().__init__(text)
        self.text, self.hint, self.at = text, hint, at


def split_call(token: Token) -> tuple[str, str] | None:
    """("f", "x, y") for a token f(x, y); None for anything else."""
    found = _CALL.fullmatch(token.text)
    return (found[1].lower(), found[2]) if found else None


def words_of(text: str, at: Token) -> list[Token]:
    """Tokens of a text that stood inside one token."""
    from_text = Problems()
    tokens = tokenize([(at.line, text)], at.file, from_text)
    if from_text.found:
        raise BadCard(from_text.found[0].text, at=at)
    return tokens


def flattened(tokens: Iterable[Token]) -> list[Token]:
    """Tokens with bare groups (a b) opened, since ( ) are only delimiters on element and model cards."""
    out: list[Token] = []
    for token in tokens:
        if token.text.startswith("(") and _encloses(token.text):
            out += words_of(token.text[1:-1], token)
        else:
            out.append(token)
    return out


def _encloses(text: str) -> bool:
    """Whether the first parenthesis is closed by the last character."""
    depth = 0
    for k, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if not depth:
            return k == len(text) - 1
    return False


def assignments(tokens: Sequence[Token], *, long: bool = False) -> tuple[list[Token], dict[str, Token]]:
    """Bare tokens, and the values of `name = value`; with `long` a value runs on to the next name (as on .param).

    Raises BadCard for a name given twice, a missing name or value.
    """
    bare: list[Token] = []
    given: dict[str, Token] = {}
    names = [k - 1 for k, t in enumerate(tokens) if t.text == "="]
    starts = set(names)
    first = names[0] if names else len(tokens)
    if first < 0:
        raise BadCard("'=' without a name before it", at=tokens[0])
    k = 0
    while k < len(tokens):
        if k not in starts:
            bare.append(tokens[k])
            k += 1
            continue
        stop = k + 3
        if long:
            after = bisect.bisect_right(names, k)
            stop = names[after] if after < len(names) else len(tokens)
        value = tokens[k + 2:stop]
        name = tokens[k].low
        if not value or value[0].text == "=" or k + 2 in starts:
            raise BadCard(f"{name} = has no value", at=tokens[k])
        if name in given:
            raise BadCard(f"{name} is given twice", at=tokens[k])
        given[name] = value[0].with_text(" ".join(t.text for t in value))
        k = stop
    return bare, given


def bus(text: str) -> list[str] | None:
    """Names of a bus: a[0:3] -> a[0], a[1], a[2], a[3] (or downwards), x[5,0:1] -> x[5,0], x[5,1]; None where the text is none.

    Of several indices in one bracket the last runs fastest; several brackets run together, v(a[0:1],b[3:2]) -> v(a[0],b[3]),
    v(a[1],b[2]), and must have the same width. Raises BadCard for other widths and more than MAX_BUS names.
    """
    if ":" not in text or not _BUS.search(text):
        return None
    width = bus_width(text)
    if width > MAX_BUS:
        raise BadCard(f"bus {text} has more than {MAX_BUS} bits")
    names = [""] * width
    end = 0
    for bracket in _BUS.finditer(text):
        bits = _bits(bracket[1])
        if len(bits) != width:
            raise BadCard(f"{text} has {len(bits)} bits in {bracket[0]} and {width} elsewhere", "widths must match")
        between = text[end:bracket.start()]
        names = [f"{name}{between}[{bit}]" for name, bit in zip(names, bits, strict=True)]
        end = bracket.end()
    return [name + text[end:] for name in names]


def bus_width(text: str) -> int:
    """Number of names that a text stands for, 1 where it is no bus; nothing is expanded."""
    if ":" not in text:
        return 1
    widths = [prod(len(bits) for bits in _index_ranges(bracket[1])) for bracket in _BUS.finditer(text)]
    return max(widths, default=1)


def _index_ranges(indices: str) -> list[range]:
    """Of "5,0:3" the indices that each entry runs through; a bound of very many digits counts as MAX_BUS."""
    ranges = []
    for entry in indices.split(","):
        bounds = [int(word) if len(word.strip()) <= 12 else MAX_BUS for word in entry.split(":")]
        step = 1 if bounds[-1] >= bounds[0] else -1
        ranges.append(range(bounds[0], bounds[-1] + step, step))
    return ranges


def _bits(indices: str) -> list[str]:
    """Of "5,0:3" the names "5,0", "5,1", "5,2", "5,3"."""
    return [",".join(map(str, index)) for index in product(*_index_ranges(indices))]


def expression_text(token: Token) -> str:
    """The text of a value without the braces or quotes that mark an expression."""
    text = unquoted(token.text.strip())
    if len(text) > 1 and text[0] == "{" and text.find("}") == len(text) - 1:
        return text[1:-1]
    return text.replace("{", "(").replace("}", ")")  # as in v(a)*{k}
