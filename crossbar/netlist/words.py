"""Small grammar shared by all cards: assignments, groups, buses, outputs."""

import bisect
import re
from collections.abc import Iterable, Sequence

from crossbar.netlist.lexer import Problems, Token, tokenize, unquoted

MAX_BUS = 1_000_000  # bits of one bus

_BUS = re.compile(r"(.*)\[\s*(\d+)\s*:\s*(\d+)\s*\](.*)", re.DOTALL)
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
    """Names of a bus a[0:3] -> a[0], a[1], a[2], a[3] (or downwards); None where the text is no bus."""
    found = _BUS.fullmatch(text)
    if not found:
        return None
    huge = max(len(found[2]), len(found[3])) > 12
    first, last = (0, MAX_BUS) if huge else (int(found[2]), int(found[3]))
    if abs(last - first) >= MAX_BUS:
        raise BadCard(f"bus {text} has more than {MAX_BUS} bits")
    step = 1 if last >= first else -1
    return [f"{found[1]}[{k}]{found[4]}" for k in range(first, last + step, step)]


def expression_text(token: Token) -> str:
    """The text of a value without the braces or quotes that mark an expression."""
    text = unquoted(token.text.strip())
    if len(text) > 1 and text[0] == "{" and text.find("}") == len(text) - 1:
        return text[1:-1]
    return text.replace("{", "(").replace("}", ")")  # as in v(a)*{k}
