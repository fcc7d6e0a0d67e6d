"""A logical line -> tokens; every token knows its file and line.

`;` anywhere ends a line's text, and so do `$` and `//` at the beginning of a word (as in ngspice 39, where `//` does so within
words too; here that is a mistake). Blanks and commas separate tokens, `=` is one; what stands in () [] {} '' "" is never split.
Names may hold any other character: \\wl[0\\], net$3, a_94#, x1/n2, wl<0>, vdd!.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from crossbar.errors import Problem

MAX_PROBLEMS = 1000  # that are kept; of a file that is no netlist there may be millions

_OPEN, _CLOSE = "([{", {")": "(", "]": "[", "}": "{"}
_END_COMMENT = re.compile(r";|(?<![^\s,])(?:\$|//)")

# Words between blanks; brackets only around the index of a name.
_PLAIN = re.compile(r"(?:[^][(){}'\"=,;$/]|(?<=\S)\$|/(?!/)|\[[\w,]*\])*")


class Token(NamedTuple):
    """A word of a deck and its place."""

    text: str
    file: str
    line: int
    bad: bool = False

    @property
    def low(self) -> str:
        """The word in lower case: names and keywords are case-insensitive, file names are not."""
        return self.text.lower()

    def broken(self) -> "Token":
        """The first word of a line that has been complained about."""
        return Token(self.text, self.file, self.line, True)

    def with_text(self, text: str) -> "Token":
        """Another word at the same place."""
        return Token(text, self.file, self.line)


class Plain(list[Token]):
    """Tokens of a line that is nothing but words between blanks: no group, quote, assignment, expression or bus."""


@dataclass(eq=False)
class Problems:
    """Collects the mistakes of a deck, so that all are reported together, and the warnings."""

    found: list[Problem] = field(default_factory=list)      # at most MAX_PROBLEMS
    count: int = 0                                          # of all
    warnings: list[str] = field(default_factory=list)       # file:line: text
    _seen: set[Problem] = field(default_factory=set)
    _warned: set[str] = field(default_factory=set)

    def add(self, at: Token, text: str, hint: str = "") -> None:
        """One mistake at a token; the same mistake at the same place counts once."""
        problem = Problem(file=at.file, line=at.line, text=_short(text), hint=_short(hint))
        if problem in self._seen:
            return
        self.count += 1
        if len(self.found) < MAX_PROBLEMS:
            self._seen.add(problem)
            self.found.append(problem)

    def warn(self, at: Token, text: str) -> None:
        """One warning at a token, once."""
        line = f"{at.file}:{at.line}: {_short(text)}"
        if line not in self._warned:
            self._warned.add(line)
            self.warnings.append(line)


def _short(text: str) -> str:
    return text if len(text) < 400 else f"{text[:200]} ... {text[-100:]}"


def line_tokens(pieces: list[tuple[int, str]], file: str, problems: Problems) -> list[Token]:
    """Tokens of the physical lines (number, text) of one logical line; the first is marked bad where something was wrong."""
    if len(pieces) == 1:  # most lines of a large deck
        (number, line), = pieces
        if _PLAIN.fullmatch(line):
            return Plain([Token(word, file, number) for word in line.split()])
    before = problems.count
    tokens = tokenize(pieces, file, problems)
    if tokens and problems.count > before:
        return [tokens[0].broken(), *tokens[1:]]
    return tokens


def tokenize(pieces: list[tuple[int, str]], file: str, problems: Problems) -> list[Token]:
    """Tokens of the physical lines of one logical line."""
    out: list[Token] = []
    opened: list[str] = []
    quote, word, began = "", "", 0
    for number, line in pieces:
        ends = {m.start() for m in _END_COMMENT.finditer(line)}
        start = 0 if word else -1
        for at, char in enumerate(line):
            if quote:
                quote = "" if char == quote else quote
                continue
            if at in ends and not opened:
                if start >= 0:
                    out.append(Token(word + line[start:at], file, began))
                start, word = -1, ""
                break
            if not opened and (char.isspace() or char == "," or _assigns(line, at)):
                if start >= 0:
                    out.append(Token(word + line[start:at], file, began))
                start, word = -1, ""
                if char == "=":
                    out.append(Token("=", file, number))
                continue
            if start < 0:
                start, began = at, number
            if char in "'\"":
                quote = char
            elif char in _OPEN:
                opened.append(char)
            elif char in _CLOSE and (not opened or opened.pop() != _CLOSE[char]):
                problems.add(Token(char, file, number), f"{char!r} closes nothing in {line.strip()!r}")
                return out
        else:
            if start >= 0:
                word += line[start:] + " "
                if not quote and not opened:
                    out.append(Token(word[:-1], file, began))
                    word = ""
    if quote or opened:
        problems.add(Token("", file, pieces[0][0]), f"{(quote or opened[-1])!r} is never closed in {pieces[0][1].strip()!r}")
    return out + [Token(word[:-1], file, began)] * bool(word)


def _assigns(line: str, at: int) -> bool:
    """Whether the character is the = of an assignment, not of a comparison."""
    return line[at] == "=" and line[at - 1:at] not in ("=", "<", ">", "!") and line[at + 1:at + 2] != "="


def unquoted(text: str) -> str:
    """The text without one pair of quotes around it."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text
