"""The rawfile of Berkeley SPICE and ngspice: one plot an analysis, header in text, numbers in binary or text.

    Title: / Date: / Plotname: / Command: / Flags: real / No. Variables: n / No. Points: p / Variables:
    <tab> index <tab> name <tab> type     n lines; the innermost swept quantity first
    Binary:   p x n doubles, little-endian, point by point     or
    Values:   a point: " index <tab> x", then "<tab> x" for each further variable, an empty line

A nested sweep is the concatenation of its inner sweeps, as in ngspice. What is swept has ngspice 39's names:
v(v-sweep), i(i-sweep), res-sweep, temp-sweep; a parameter, which ngspice cannot sweep, has its own.

`Command:` is there because spicelib reads no file whose header lacks the word ngspice. ngspice executes that
line when it loads the file, so it is a comment; and that is why nothing with a line break may get into a
header.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from crossbar import memory
from crossbar.elements.base import Array
from crossbar.errors import DataError
from crossbar.files import open_regular
from crossbar.io import replacing
from crossbar.io.tables import Analysis, Column, Run, blocks, columns, kept_outputs, swept_columns
from crossbar.points import OperatingPoint

_COMMAND = "* ngspice rawfile format, written by crossbar"
_LINE = 500        # longest header line [byte]; ngspice reads 511 and takes the rest for the next line
_TYPES = {"V": "voltage", "A": "current"}
_SWEPT = {"V": ("v(v-sweep)", "voltage"), "A": ("i(i-sweep)", "current"), "ohm": ("res-sweep", "res-sweep"),
          "degC": ("temp-sweep", "temp-sweep")}
_READ_LINE = 2 ** 16       # longest line read [byte]
_READ_VARIABLES = 2 ** 24  # most variables of a plot read


@dataclass(frozen=True, eq=False)
class RawPlot:
    """One plot of a rawfile."""

    title: str
    plotname: str                # "Operating Point", "DC transfer characteristic", ...
    variables: tuple[str, ...]   # names, "v(out)"; of a sweep, the swept quantity first
    kinds: tuple[str, ...]       # their types, "voltage", "current", "temp-sweep", ...
    data: Array                  # (points, variables)

    def __repr__(self) -> str:
        points, variables = self.data.shape
        return f"<plot {self.plotname[:60]!r} of {self.title[:60]!r}: {points} points of {variables} variables>"

    def __getitem__(self, name: str) -> Array:
        """(points,) values of a variable; DataError if there is none of that name."""
        try:
            return self.data[:, [v.lower() for v in self.variables].index(name.lower())]
        except ValueError:
            raise DataError(f"the plot {self.plotname!r} has no variable {name!r}") from None


def write_raw(run: Run, path: str | os.PathLike[str], *, binary: bool = True) -> None:
    """All analyses of a run in one rawfile, which replaces `path` once it is complete.

    Of each analysis `run.outputs(name)` is kept if the run has such a method and it returns names, else what
    ngspice keeps, see `default_outputs`. In text, too, numbers keep all their digits. Raises DataError for a
    run without analyses or an unknown output, OSError.
    """
    plots = [(result, columns(result, kept_outputs(run, name))) for name, result in run.analyses.items()]
    if not plots:
        raise DataError("the run holds no analysis, so there is nothing to write")
    with replacing(path) as stream:
        for analysis, outputs in plots:
            _write_plot(stream, run.title, analysis, outputs, binary)


def _write_plot(stream: BinaryIO, title: str, analysis: Analysis, outputs: Sequence[Column],
                binary: bool) -> None:
    scale = swept_columns(analysis)[-1:]
    named = [_SWEPT.get(c.unit, (c.name, "notype")) for c in scale]
    named += [(c.name, _TYPES.get(c.unit, "notype")) for c in outputs]
    every = [*scale, *outputs]
    if not every:
        raise DataError("an analysis without outputs cannot be put in a rawfile")
    operating_point = isinstance(analysis, OperatingPoint)
    lines = [f"Title: {_header_text(title)}", f"Date: {time.asctime()}",
             f"Plotname: {'Operating Point' if operating_point else 'DC transfer characteristic'}",
             f"Command: {_COMMAND}", "Flags: real", f"No. Variables: {len(every)}",
             f"No. Points: {len(every[0].values)}", "Variables:",
             *(f"\t{k}\t{_header_text(name)}\t{kind}" for k, (name, kind) in enumerate(named)),
             "Binary:" if binary else "Values:"]
    stream.write(("\n".join(lines) + "\n").encode())
    if binary:
        for block in blocks(every):
            stream.write(block.astype("<f8").tobytes())
    else:
        rows = (row for block in blocks(every) for row in block.tolist())
        for k, row in enumerate(rows):
            stream.write((f" {k}\t" + "\n\t".join(f"{x:.16e}" for x in row) + "\n\n").encode())


def _header_text(text: str) -> str:
    """A text that stays on its header line: no line breaks or other control characters, not too long."""
    if len(text) < 100 and text.isprintable() and " " not in text:
        return text  # most names
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return clean.encode(errors="replace")[:_LINE - 60].decode(errors="ignore")


def read_raw(path: str | os.PathLike[str]) -> list[RawPlot]:
    """The plots of a rawfile, binary or text, real numbers.

    Raises DataError, naming the place, where the file is damaged, truncated, complex or no rawfile; SizeError
    where it would not fit in memory; OSError where it cannot be opened.
    """
    path = Path(path)
    with open_regular(path) as (stream, size):
        memory.require(f"the rawfile {path}", 4 * size)  # text has at least two bytes a number
        reader = _Reader(stream, str(path), size)
        plots = list(reader.plots())
    if not plots:
        raise DataError(f"{path} is empty")
    return plots


@dataclass(eq=False)
class _Reader:
    stream: BinaryIO
    path: str
    size: int  # of the file [byte]

    def plots(self) -> Iterator[RawPlot]:
        """One plot after the other up to the end of the file."""
        while True:
            line = self.line()
            if not line:
                return
            if line.strip():
                yield self.plot(line)

    def line(self) -> str:
        """The next line, with its end; "" at the end of the file."""
        raw = self.stream.readline(_READ_LINE)
        if len(raw) == _READ_LINE and not raw.endswith(b"\n"):
            raise self.damage(f"a line of more than {_READ_LINE} bytes")
        return raw.decode(errors="replace")

    def damage(self, what: str) -> DataError:
        """The error that something is wrong just before the present position."""
        at = f"near byte {self.stream.tell()} of {self.size}"
        return DataError(f"{self.path} is no intact rawfile: {what}, {at}")

    def plot(self, line: str) -> RawPlot:
        """The plot whose header begins with `line`."""
        header: dict[str, str] = {}
        while not line.lower().startswith("variables:"):
            key, colon, value = line.partition(":")
            if not line or not colon:
                raise self.damage(f"a header line was expected, not {line[:40]!r}")
            header[key.strip().lower()] = value.strip()
            line = self.line()
        if "complex" in header.get("flags", "real").lower():
            raise DataError(f"{self.path}: complex plots ({header.get('plotname')!r}) are not read")
        count, points = self.count(header, "no. variables"), self.count(header, "no. points")
        if count > min(_READ_VARIABLES, self.size):
            raise self.damage(f"{count} variables are too many")
        memory.require(f"{count} variables of the rawfile {self.path}", 300 * count)
        names, kinds = self.variables(count, line.partition(":")[2])
        data = self.data(points, count)
        return RawPlot(header.get("title", ""), header.get("plotname", ""), names, kinds, data)

    def count(self, header: dict[str, str], key: str) -> int:
        """A number of variables or points."""
        if not re.fullmatch(r"[0-9]{1,15}", header.get(key, ""), re.ASCII) or int(header[key]) == 0:
            raise self.damage(f"{key!r} is {header.get(key)!r}")
        return int(header[key])

    def variables(self, count: int, rest: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names and types of `count` variables; `rest` is what stands on the "Variables:" line itself."""
        found = []
        for k in range(count):
            fields = (rest if k == 0 and rest.strip() else self.line()).split()
            if len(fields) < 3 or fields[0] != str(k):
                raise self.damage(f"the line of variable {k} reads {' '.join(fields)[:40]!r}")
            found.append((fields[1], fields[2]))
        names, kinds = zip(*found, strict=True)
        return names, kinds

    def data(self, points: int, count: int) -> Array:
        """(points, count) numbers of the section that begins here."""
        section, values = self.line().strip().lower(), points * count
        left = self.size - self.stream.tell()
        if section == "binary:":
            if 8 * values > left:
                raise self.damage(f"{8 * values} bytes of data announced, {left} left")
            return np.fromfile(self.stream, "<f8", values).astype(float, copy=False).reshape(points, count)
        if section != "values:":
            raise self.damage(f"'Binary:' or 'Values:' was expected, not {section[:40]!r}")
        if 2 * values > left:
            raise self.damage(f"{values} numbers announced, {left} bytes left")
        data = np.empty((points, count))
        for k in range(points):
            data[k] = self.point(k, count)
        return data

    def point(self, k: int, count: int) -> list[float]:
        """The `count` numbers of point k in text, headed by its index."""
        words: list[str] = []
        while len(words) <= count:
            line = self.line()
            if not line:
                raise self.damage(f"the file ends within point {k}")
            words += line.split()
        if words[0] != str(k) or len(words) > count + 1:
            found = f"{words[0][:40]!r} with {len(words) - 1}"
            raise self.damage(f"point {k} with {count} numbers expected, not {found}")
        try:
            return [float(word) for word in words[1:]]
        except ValueError as error:
            raise self.damage(f"at point {k}: {error}") from None
