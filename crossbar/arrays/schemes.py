"""Bias schemes: what every line is at while one cell is selected.

    scheme       selected row   selected column   other rows   other columns     cells that share a line see
    floating     V              0                 open         open              what sneaks through them
    grounded     V              0                 0            0                 V (row), 0 (column)
    v/2          V              0                 V/2          V/2               V/2; all others 0
    v/3          V              0                 V/3          2V/3              V/3; all others -V/3

Chen, J. Comput. Electron. 12, 318 (2013), discusses them for reading and writing. A scheme of your own is a `Scheme`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.ma as ma
import numpy.typing as npt

from crossbar.checks import finite_number, real_array, whole_numbers
from crossbar.elements.base import IntArray
from crossbar.elements.xbar import SIDES, lines_of
from crossbar.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """Voltages of the lines as fractions of the applied voltage V; None: the others of that kind float.

    Raises DataError for a fraction that is no finite number.
    """

    name: str
    rows: float | None             # word lines that are not selected
    columns: float | None          # bit lines that are not selected
    selected_row: float = 1.0
    selected_column: float = 0.0

    def __post_init__(self) -> None:
        for field in ("rows", "columns", "selected_row", "selected_column"):
            value = getattr(self, field)
            if value is None and field in ("rows", "columns"):
                continue
            finite_number(value, f"scheme {self.name!r}: {field}, a fraction of the applied voltage,")

    def drives(self, shape: tuple[int, int], row: npt.ArrayLike, column: npt.ArrayLike, voltage: npt.ArrayLike = 1.0, *,
               sides: Sequence[str] = ("word_left", "bit_bottom")) -> dict[str, "ma.MaskedArray | None"]:
        """Drives {side: (..., lines)} [V] for `PassiveArray.solve`, masked where a line floats; further sides are open.

        row, column : the selected cell, or (batch,) of each, one selection an input. voltage : V [V], scalar or (batch,).
        sides : where word and bit lines are driven. Raises DataError for a cell that is not there, or what is no voltage.
        """
        word, bit = check_sides(sides)
        rows, columns = selection(shape, row, column)
        v = real_array(voltage, "the applied voltage [V]")
        if v.ndim > 1 or not np.isfinite(v).all():
            raise DataError("the applied voltage [V] is a finite number, or one for each selected cell")
        try:
            rows, columns, v = np.broadcast_arrays(rows, columns, v)
        except ValueError:
            raise DataError(f"voltages {v.shape} do not fit the selected cells {rows.shape}") from None
        ends = ((word, rows, self.selected_row, self.rows), (bit, columns, self.selected_column, self.columns))
        out: dict[str, ma.MaskedArray | None] = dict.fromkeys(SIDES)
        for side, k, selected, others in ends:
            chosen = np.arange(lines_of(side, shape)) == k[..., None]
            fraction = np.where(chosen, selected, 0.0 if others is None else others)
            out[side] = ma.array(v[..., None] * fraction, mask=~chosen & (others is None))
        return out


SCHEMES = {s.name: s for s in (
    Scheme(name="floating", rows=None, columns=None), Scheme(name="grounded", rows=0.0, columns=0.0),
    Scheme(name="v/2", rows=1 / 2, columns=1 / 2), Scheme(name="v/3", rows=1 / 3, columns=2 / 3))}


def as_scheme(scheme: str | Scheme) -> Scheme:
    """A scheme by its name. Raises DataError for a name that is not in SCHEMES."""
    if isinstance(scheme, Scheme):
        return scheme
    if not isinstance(scheme, str) or scheme.lower() not in SCHEMES:
        raise DataError(f"no bias scheme {scheme!r}; there are {', '.join(SCHEMES)}, or a Scheme of your own")
    return SCHEMES[scheme.lower()]


def check_sides(sides: Sequence[str]) -> tuple[str, str]:
    """A side of the word lines and one of the bit lines. Raises DataError if `sides` is anything else."""
    if not (isinstance(sides, list | tuple) and len(sides) == 2 and all(isinstance(side, str) for side in sides)
            and sides[0] in SIDES[:2] and sides[1] in SIDES[2:]):
        raise DataError(f"sides are one of {', '.join(SIDES[:2])} and one of {', '.join(SIDES[2:])}, not {sides!r}")
    return sides[0], sides[1]


def selection(shape: tuple[int, int], row: npt.ArrayLike, column: npt.ArrayLike) -> tuple[IntArray, IntArray]:
    """Rows and columns () or (batch,) of the selected cells. Raises DataError for cells that are not there."""
    rows = whole_numbers(row, "selected row")
    columns = whole_numbers(column, "selected column")
    for what, k, lines in (("row", rows, shape[0]), ("column", columns, shape[1])):
        if k.ndim > 1 or not ((0 <= k) & (k < lines)).all():
            raise DataError(f"selected {what}: {k.tolist()!r} is no number, or list of numbers, from 0 to {lines - 1}")
    try:
        rows, columns = np.broadcast_arrays(rows, columns)
    except ValueError:
        raise DataError(f"{rows.size} selected rows do not pair with {columns.size} columns") from None
    if rows.size == 0:
        raise DataError("no cell is selected")
    return rows, columns
