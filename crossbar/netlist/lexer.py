"""Text -> logical lines of tokens; every token knows its file and line.

`*` begins a comment line, `;` and ` $ ` end a line's text, `+` continues the last line (also across comments). Blanks and commas
separate tokens, `=` is one; what stands in () [] {} '' "" is never split. Line 1 of a deck is its title. `.include FILE` is
replaced by the file's lines, paths being relative to the file that names them.
"""

import os
import stat
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from crossbar import memory
from crossbar.errors import DataError, Problem

MAX_INCLUDES = 20   # files inside each other
_BYTES_A_BYTE = 60  # of tokens for a byte of text

_OPEN, _CLOSE = "([{", {")": "(", "]": "[", "}": "{"}
_END_COMMENT = re.compile(r";|(?:(?<=\s)|^)\$(?=\s|$)")


_PLAIN = re.compile(r"(?:[^][(){}'\"=,;$]|\[[\w,]*\])*")  # words between blanks; brackets only around the index of a name


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
    """Collects the mistakes of a deck, so that all are reported together."""

    found: list[Problem] = field(default_factory=list)
    seen: set[Problem] = field(default_factory=set)

    def add(self, at: Token, text: str, hint: str = "") -> None:
        """One mistake at a token; the same mistake at the same place counts once."""
        problem = Problem(file=at.file, line=at.line, text=_short(text), hint=_short(hint))
        if problem not in self.seen:
            self.seen.add(problem)
            self.found.append(problem)


def _short(text: str) -> str:
    return text if len(text) < 400 else f"{text[:200]} ... {text[-100:]}"


def read_text(path: Path) -> str:
    """The text of a file. Raises OSError where it cannot be read, DataError where it is no text, SizeError if too large."""
    status = path.stat()
    memory.require(f"the netlist {path}", status.st_size * _BYTES_A_BYTE)
    if stat.S_ISCHR(status.st_mode):
        raise DataError(f"{path} is no text file: it is a device")
    raw = path.read_bytes()
    if b"\0" in raw:
        raise DataError(f"{path} is no text file: it holds zero bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text file: byte {error.start} is not UTF-8") from None


def logical_lines(text: str, file: str, problems: Problems, *, title: bool) -> tuple[str, list[list[Token]]]:
    """Title and token lines of a deck (`title`), or of an included file; .include is followed, .end ends."""
    lines = text.splitlines()
    head = lines[0].strip() if title and lines else ""
    body = list(_lines(enumerate(lines[title:], 1 + title), file, problems, (_real(file),)))
    return head, body


def _real(file: str) -> str:
    return os.path.realpath(file)


def _lines(numbered: Iterable[tuple[int, str]], file: str, problems: Problems, inside: tuple[str, ...]
           ) -> Iterator[list[Token]]:
    """Logical lines with includes replaced; `inside` are the files being read."""
    for tokens in _joined(numbered, file, problems):
        word = tokens[0].low
        if tokens[0].bad and word in (".include", ".inc"):
            continue
        if word == ".end":
            return
        if word in (".include", ".inc"):
            yield from _included(tokens, problems, inside)
        else:
            yield tokens


def _joined(numbered: Iterable[tuple[int, str]], file: str, problems: Problems) -> Iterator[list[Token]]:
    """Logical lines: what + continues is read as one, so a bracket may be closed on a later line."""
    pieces: list[tuple[int, str]] = []
    for number, raw in numbered:
        line = raw.strip()
        if not line or line.startswith("*"):
            continue
        if not line.startswith("+"):
            yield from _tokens(pieces, file, problems)
            pieces = [(number, line)]
        elif not pieces:
            problems.add(Token("+", file, number), "'+' continues nothing")
        else:
            pieces.append((number, line[1:]))
    yield from _tokens(pieces, file, problems)


def _tokens(pieces: list[tuple[int, str]], file: str, problems: Problems) -> Iterator[list[Token]]:
    if len(pieces) == 1:  # most lines of a large deck
        (number, line), = pieces
        if _PLAIN.fullmatch(line):
            yield Plain([Token(word, file, number) for word in line.split()])
            return
    before = len(problems.found)
    tokens = tokenize(pieces, file, problems)
    if tokens:
        yield [tokens[0].broken() if len(problems.found) > before else tokens[0], *tokens[1:]]


def _included(tokens: list[Token], problems: Problems, inside: tuple[str, ...]) -> Iterator[list[Token]]:
    at = tokens[0]
    if len(tokens) != 2:
        problems.add(at, f"{at.low} takes one file name", "quote a name with blanks")
        return
    path = Path(at.file).parent / unquoted(tokens[1].text)
    if "\0" in str(path):
        problems.add(at, "cannot include a file with a zero byte in its name")
        return
    if _real(str(path)) in inside:
        problems.add(at, f"{path} includes itself", " -> ".join(Path(p).name for p in (*inside, _real(str(path)))))
    elif len(inside) >= MAX_INCLUDES:
        problems.add(at, f"more than {MAX_INCLUDES} files include each other")
    else:
        try:
            text = read_text(path)
        except (OSError, DataError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            problems.add(at, f"cannot include {path}: {reason}")
            return
        yield from _lines(enumerate(text.splitlines(), 1), str(path), problems, (*inside, _real(str(path))))


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
