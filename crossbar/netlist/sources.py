"""Files -> the logical lines of a deck.

`*` begins a comment line, `+` continues the last line (also across comments), `.end` ends a file. Line 1 of a deck is its title.
`.include FILE` is replaced by the file's lines, paths being relative to the file that names them. Each file is read once, however
often it is included, and how many lines that makes is known before any is repeated. A `.control` block is one mistake.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crossbar import memory
from crossbar.errors import DataError, SizeError
from crossbar.files import file_path, open_handed_over, open_regular, read_up_to_memory
from crossbar.netlist.lexer import Problems, Token, line_tokens, unquoted

MAX_INCLUDES = 20      # files inside each other
MAX_LINE = 2 ** 22     # characters of a logical line
MAX_LINES = 10 ** 7    # logical lines, those of included files counted as often as they are included
_BYTES_A_BYTE = 60     # of tokens for a byte of text
_INCLUDE = (".include", ".inc")
_END = re.compile(r"\s*\.end(?!\w)", re.IGNORECASE)


def read_text(path: Path, *, handed_over: bool = False) -> str:
    """The text of a file; `handed_over`: or of a pipe that this process was given, such as /dev/stdin.

    Raises OSError where it cannot be read, DataError where it is no text or no regular file, SizeError if too large.
    """
    opened = open_handed_over if handed_over else open_regular
    with opened(path) as (stream, size):
        memory.require(f"the netlist {path}", size * _BYTES_A_BYTE)
        raw = read_up_to_memory(stream, f"the netlist {path}", _BYTES_A_BYTE)
    if b"\0" in raw:
        raise DataError(f"{path} is no text file: it holds zero bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text file: byte {error.start} is not UTF-8") from None


def logical_lines(text: str, file: str, problems: Problems) -> tuple[str, list[list[Token]]]:
    """Title and token lines of a deck, includes replaced. Raises SizeError where these would be too many lines."""
    memory.require(f"the netlist {file}", len(text) * _BYTES_A_BYTE)
    lines = text.splitlines()
    title = lines[0].strip() if lines else ""
    reader = _Reader(problems)
    source = reader.read(file, enumerate(lines[1:], 2), (os.path.realpath(file),))
    if source.count > MAX_LINES:
        raise SizeError(f"{file} with the files it includes", estimate=source.count, limit=MAX_LINES, unit="lines")
    return title, list(source.expanded())


@dataclass(eq=False)
class _Source:
    """A file: its logical lines, in the place of an .include card the file that it names."""

    parts: "list[list[Token] | _Source]" = field(default_factory=list)
    count: int = 0   # logical lines with all includes replaced
    height: int = 1  # files inside each other from here on

    def include(self, source: "_Source") -> None:
        """Add the lines of another file, if it has any: files without lines may fan out as well."""
        if source.count:
            self.parts.append(source)
        self.count += source.count
        self.height = max(self.height, 1 + source.height)

    def expanded(self) -> Iterator[list[Token]]:
        """All logical lines."""
        for part in self.parts:
            if isinstance(part, _Source):
                yield from part.expanded()
            else:
                yield part


@dataclass(eq=False)
class _Reader:
    problems: Problems
    sources: dict[tuple[str, str], _Source] = field(default_factory=dict)  # by file, and folder that its own includes start from

    def read(self, file: str, numbered: Iterable[tuple[int, str]], inside: tuple[str, ...]) -> _Source:
        """A file of these lines; `inside` are the files being read, itself the last."""
        source = _Source()
        lines = _without_control(_up_to_end(numbered, file, self.problems), file, self.problems)
        for tokens in _token_lines(lines, file, self.problems):
            if tokens[0].low not in _INCLUDE:
                source.parts.append(tokens)
                source.count += 1
            elif not tokens[0].bad:
                included = self._included(tokens, inside)
                if included is not None:
                    source.include(included)
        return source

    def _included(self, tokens: Sequence[Token], inside: tuple[str, ...]) -> _Source | None:
        """The file that an .include card names; None where there is a problem with it."""
        at = tokens[0]
        if len(tokens) != 2:
            self.problems.add(at, f"{at.low} takes one file name", "quote a name with blanks")
            return None
        path = Path(at.file).parent / file_path(unquoted(tokens[1].text))
        if "\0" in str(path):
            self.problems.add(at, "cannot include a file with a zero byte in its name")
            return None
        real = os.path.realpath(path)
        if real in inside:
            chain = " -> ".join(Path(p).name for p in (*inside, real))
            self.problems.add(at, f"{path} includes itself", chain)
            return None
        key = (real, os.path.realpath(path.parent))
        if key not in self.sources:
            if len(inside) >= MAX_INCLUDES:
                self.problems.add(at, f"more than {MAX_INCLUDES} files include each other")
                return None
            try:
                text = read_text(path)
            except (OSError, DataError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                self.problems.add(at, f"cannot include {path}: {reason}")
                return None
            self.sources[key] = self.read(str(path), enumerate(text.splitlines(), 1), (*inside, real))
        source = self.sources[key]
        if len(inside) + source.height > MAX_INCLUDES:
            self.problems.add(at, f"more than {MAX_INCLUDES} files include each other")
            return None
        return source


def _up_to_end(lines: Iterable[tuple[int, str]], file: str, problems: Problems) -> Iterator[tuple[int, str]]:
    """Numbered lines above .end; what stands below it is worth a warning."""
    lines = iter(lines)
    for number, line in lines:
        if line.lstrip().startswith(".") and _END.match(line):
            break
        yield number, line
    for number, line in lines:
        if line.strip() and not line.lstrip().startswith("*"):
            problems.warn(Token(line, file, number), "nothing below .end is read")
            return


def _without_control(lines: Iterable[tuple[int, str]], file: str, problems: Problems) -> Iterator[tuple[int, str]]:
    """Numbered lines without those of .control blocks, each of which is one mistake. One that is never ended is its first line
    alone."""
    waiting: list[tuple[int, str]] = []  # lines since .control
    for number, raw in lines:
        if not waiting and not raw.lstrip().startswith("."):
            yield number, raw
            continue
        card = raw.split(maxsplit=1)[0].lower() if raw.strip() else ""
        if waiting and card == ".endc":
            begin, end = waiting[0][0], number
            problems.add(Token(".control", file, begin), f".control blocks are not supported (to line {end})",
                         "write .op, .dc and .print cards instead")
            waiting = []
        elif waiting or card == ".control":
            waiting.append((number, raw))
        else:
            yield number, raw
    yield from waiting


def _token_lines(numbered: Iterable[tuple[int, str]], file: str, problems: Problems) -> Iterator[list[Token]]:
    """Logical lines: what + continues is read as one, so a bracket may be closed on a later line."""
    for pieces in _joined(numbered, file, problems):
        tokens = line_tokens(pieces, file, problems)
        if tokens:
            yield tokens


def _joined(numbered: Iterable[tuple[int, str]], file: str, problems: Problems) -> Iterator[list[tuple[int, str]]]:
    """Physical lines that belong together, without comment lines and the + at their beginning. Of a line that is too long
    nothing is kept."""
    pieces: list[tuple[int, str]] = []
    first = 0   # number of the first physical line
    length = 0  # characters so far
    for number, raw in numbered:
        line = raw.strip()
        if not line or line.startswith("*"):
            continue
        if not line.startswith("+"):
            if pieces:
                yield pieces
            pieces = []
            first = number
            length = 0
        elif not first:
            problems.add(Token("+", file, number), "'+' continues nothing")
            continue
        before = length
        length += len(line)
        if length <= MAX_LINE:
            pieces.append((number, line.removeprefix("+")))
        elif before <= MAX_LINE:
            pieces = []
            problems.add(Token("", file, first), f"a line of more than {MAX_LINE} characters",
                         "longer ones are not read, with what continues them")
    if pieces:
        yield pieces
