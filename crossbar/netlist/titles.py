"""Titles that look like a card: the first line of a deck is its title, whatever stands there."""

import re
from collections.abc import Collection

from crossbar.netlist.lexer import Problems, Token, tokenize
from crossbar.netlist.parser import CARDS
from crossbar.netlist.words import MAX_BUS, BadCard, bus, bus_width

_ELEMENTS = "abcdefghijklmoqrstuvwxyz"
_VALUE = re.compile(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?[a-z]*|\{.*\}|'.*'|p|ap", re.IGNORECASE)


def swallowed_card(title: str, nodes: Collection[str]) -> str | None:
    """A warning where the title reads like an element on these nodes of the deck, or like another card; else None."""
    words = tokenize([(1, title)], "", Problems())
    if not words:
        return None
    first = words[0].low
    if first in CARDS or first in (".subckt", ".include", ".inc"):
        return f"the first line is the title, so {first} is not read; put a title above it"
    if first[0] in _ELEMENTS and _reads_like_an_element(words, set(nodes)):
        return f"the first line is the title, so the element {words[0].text} is not read; put a title above it"
    return None


def _reads_like_an_element(words: list[Token], nodes: set[str]) -> bool:
    """Whether both its first nodes are nodes of the deck, or one is and a value stands last."""
    ends = words[2:4] if words[0].low in ("ymtj", "yxbar") else words[1:3]
    if len(ends) < 2 or len(words) < 4:
        return False
    known = [_names(end) <= nodes | {"gnd"} for end in ends]
    grounded = all(_names(end) <= {"0", "gnd"} for end in ends)
    return all(known) and not grounded or any(known) and _VALUE.fullmatch(words[-1].text) is not None


def _names(word: Token) -> set[str]:
    try:
        return set(bus(word.low) or [word.low]) if bus_width(word.low) <= MAX_BUS else {word.low}
    except BadCard:
        return {word.low}
