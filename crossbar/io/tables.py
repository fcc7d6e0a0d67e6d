"""Results as text: CSV files and `.print` listings; and the columns that every writer takes its numbers from.

    run.analyses = {"op": OperatingPoint, "dc": Sweep, ...}
    run.outputs(name) -> what to keep of one analysis, None: the default

Numbers in CSV files have as many digits as tell two floats apart, so reading them back gives the same bits.
"""

from __future__ import annotations

import codecs
import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import numpy as np

from crossbar.analysis import Sweep
from crossbar.circuit import Circuit
from crossbar.elements.base import Array
from crossbar.elements.linear import CurrentSources, IdealLines, Resistors, VoltageSources, Wires
from crossbar.errors import DataError
from crossbar.io import replacing
from crossbar.points import OperatingPoint

Analysis = OperatingPoint | Sweep

UNITS = {"v": "V", "i": "A"}
CELL_FIELDS = {"cell_voltage": "V", "cell_current": "A"}


class Run(Protocol):
    """What the writers ask of a run; it may also have `outputs(name) -> Sequence[str] | None`."""

    @property
    def title(self) -> str:
        """Title of the deck."""

    @property
    def analyses(self) -> Mapping[str, Analysis]:
        """Results by name, in the order they were made."""


@dataclass(frozen=True, eq=False)
class Column:
    """One quantity at every point of an analysis."""

    name: str      # "v(out)", "i(v1)", or the name of what is swept
    unit: str      # "V", "A", "ohm", "degC" or "" for a parameter
    values: Array  # (points,), the outermost axis slowest


def kept_outputs(run: Run, name: str) -> Sequence[str] | None:
    """The outputs that the run wants of one analysis, or None for the default."""
    outputs = getattr(run, "outputs", None)
    return None if outputs is None else outputs(name)


def default_outputs(circuit: Circuit) -> list[str]:
    """What ngspice keeps: voltages of all named nodes, and the currents that are unknowns (V, E, H and such).

    Resistors so small that they are solved in branch form are resistors all the same and are left out.
    """
    branches = (n for b in circuit.batches if b.has_branch and not isinstance(b, Wires | IdealLines) for n in b.names)
    return [*circuit.voltage_outputs, *(f"i({n})" for n in branches)]


def columns(analysis: Analysis, outputs: Sequence[str] | None = None) -> list[Column]:
    """The outputs of an analysis, each once, in the order given (None: `default_outputs`).

    Raises DataError where there is no such output, or no such kind of analysis.
    """
    if not isinstance(analysis, OperatingPoint | Sweep):
        raise DataError(f"a result of type {type(analysis).__name__} has no columns to write")
    if outputs is None:
        outputs = default_outputs(analysis.circuit)
    names = list(dict.fromkeys("".join(o.lower().split()) for o in outputs))
    if isinstance(analysis, OperatingPoint):
        values = analysis.values(names)
        return [Column(n, UNITS.get(n.partition("(")[0], ""), values[k:k + 1]) for k, n in enumerate(names)]
    return [Column(n, UNITS.get(n.partition("(")[0], ""), np.reshape(analysis[n], -1)) for n in names]


def swept_columns(analysis: Analysis) -> list[Column]:
    """The swept quantities of a sweep, outermost first, at every point; none for an operating point."""
    if isinstance(analysis, OperatingPoint):
        return []
    return [Column(name, swept_unit(analysis, name), analysis[name].reshape(-1)) for name in analysis.axes]


def blocks(every: Sequence[Column], points: int = 4096) -> Iterator[Array]:
    """The columns as arrays (at most `points`, columns), so that a long sweep is never copied as a whole."""
    length = len(every[0].values) if every else 0
    for k in range(0, length, points):
        yield np.concatenate([c.values[k:k + points] for c in every]).reshape(len(every), -1).T


def swept_unit(sweep: Sweep, name: str) -> str:
    """Unit of a swept quantity: that of a source or a resistor, "degC" for temp, "" for a parameter."""
    if name == "temp":
        return "degC"
    batch = next((b for b in sweep.circuit.batches if name in b.names), None)
    units = ((VoltageSources, "V"), (CurrentSources, "A"), (Resistors, "ohm"), (Wires, "ohm"))
    return next((unit for kind, unit in units if isinstance(batch, kind)), "")


def write_csv(run: Run, folder: str | os.PathLike[str]) -> list[Path]:
    """Every analysis of a run as CSV in `folder`; returns the files.

    op.csv holds rows name,value,unit; dc.csv one row a point: what is swept, outermost first, then the
    outputs. Each array of an operating point adds op_<array>_cell_voltage.csv [V] and
    op_<array>_cell_current.csv [A], (word lines, bit lines) below one comment line, as `crossbar.matrices`
    reads them. Raises DataError for an unknown output, OSError.
    """
    folder, written = Path(folder), []
    for name, analysis in run.analyses.items():
        path = folder / f"{file_name(name)}.csv"
        outputs = columns(analysis, kept_outputs(run, name))
        if isinstance(analysis, OperatingPoint):
            rows: Iterable[Sequence[object]] = ((c.name, float(c.values[0]), c.unit) for c in outputs)
            _write_rows(path, ("name", "value", "unit"), rows)
        else:
            every = [*swept_columns(analysis), *outputs]
            rows = (row for block in blocks(every) for row in block.tolist())
            _write_rows(path, [c.name for c in every], rows)
        written.append(path)
        if isinstance(analysis, OperatingPoint):
            written += _write_cells(analysis, folder, name)
    return written


def _write_cells(point: OperatingPoint, folder: Path, name: str) -> list[Path]:
    written = []
    for xbar in point.circuit.arrays:
        solution = point.array(xbar.name)
        for quantity, unit in CELL_FIELDS.items():
            path = folder / f"{file_name(name)}_{file_name(xbar.name)}_{quantity}.csv"
            title = f"{xbar.name} {quantity.replace('_', ' ')} [{unit}]"
            write_matrix(path, getattr(solution, quantity), f"{title}; rows: word lines, columns: bit lines")
            written.append(path)
    return written


def write_matrix(path: str | os.PathLike[str], values: Array, comment: str) -> None:
    """An (M, N) array as CSV below a comment line; `read_values` gets it back to the bit. Raises OSError."""
    with replacing(path) as stream:
        stream.write(f"# {_one_line(comment)}\n".encode())
        for row in np.asarray(values, dtype=float):
            stream.write((",".join(map(repr, row.tolist())) + "\n").encode())


def listing(analysis: Analysis, outputs: Sequence[str]) -> str:
    """A `.print` listing as text.

    Operating point: one line `name = value unit` an output. Sweep: a table with a line of names, a line of
    units and a line a point, the outermost swept quantity first. Raises DataError for an unknown output.
    """
    kept = columns(analysis, outputs)
    if isinstance(analysis, OperatingPoint):
        width = max((len(c.name) for c in kept), default=0)
        return "".join(f"{c.name:<{width}} = {c.values[0]: .9e} {c.unit}".rstrip() + "\n" for c in kept)
    every = [*swept_columns(analysis), *kept]
    widths = [max(16, len(c.name)) for c in every]
    head = ([c.name for c in every], [f"[{c.unit}]" if c.unit else "[-]" for c in every])
    lines = ["  ".join(f"{text:>{w}}" for text, w in zip(texts, widths, strict=True)) for texts in head]
    lines += ("  ".join(f"{x:>{w}.9e}" for x, w in zip(row, widths, strict=True))
              for block in blocks(every) for row in block.tolist())
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def file_name(name: str) -> str:
    """A name as part of a file name; what file systems object to is quoted, so two names stay two files."""
    return quote(name, safe="[]")


def _write_rows(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with replacing(path) as stream:
        writer = csv.writer(codecs.getwriter("utf-8")(stream), lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)
