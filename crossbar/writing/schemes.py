"""Bias schemes for writing: what every line is at while some cells of one row are written in one direction.

    scheme      selected row   selected columns   other rows   other columns   unselected cells see
    v/2         V              0                  V/2          V/2             V/2 on the selected lines, else 0
    v/3         V              0                  V/3          2V/3            V/3 on the selected lines, else -V/3
    floating    V              0                  open         open            what sneaks through them
    grounded    V              0                  0            0               V on the row, 0 else
    1t1r        gate on; V between bit and source lines of the selected columns; all else at 0 V and off

V > 0 writes P, V < 0 AP. The transistor of a 1T1R cell has its source at 0 V while P is written; while AP is written the current
comes from the source line, the junction lifts the transistor's source, and less of V reaches it (source degeneration).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.ma as ma
import numpy.typing as npt

from crossbar.arrays import SCHEMES, OneTransistorArray, PassiveArray, Scheme
from crossbar.arrays.drives import Drive
from crossbar.checks import finite_number, instance
from crossbar.elements.base import Array, Mask
from crossbar.elements.xbar import SIDES
from crossbar.errors import DataError
from crossbar.writing.pulses import HIGHEST, TO_P

WritableArray = PassiveArray | OneTransistorArray


@dataclass(frozen=True, eq=False)
class Selection:
    """What one phase writes: cells of one row, in one direction, for every input of a batch."""

    row: int
    columns: Mask   # (batch, N), at least one of each input
    direction: int  # TO_P or TO_AP
    volts: Array    # (N,) amplitude at each column [V]

    @property
    def signed(self) -> Array:
        """(N,) voltage between the selected lines [V]."""
        return self.direction * self.volts

    @property
    def reference(self) -> Array:
        """(batch, 1) the largest amplitude of the selected columns with its sign [V], at which common lines are."""
        return self.direction * np.where(self.columns, self.volts, 0.0).max(axis=1, keepdims=True)


class WriteScheme(ABC):
    """Who gets which voltage. A scheme of your own says it in `drives`, how to read in `read`, what it cannot do in `check`."""

    name: str

    @abstractmethod
    def drives(self, array: WritableArray, selection: Selection) -> dict[str, Drive]:
        """Arguments of `array.solve`, each (batch, lines)."""

    def check(self, array: WritableArray) -> None:
        """Raise DataError for an array that this scheme is not made for."""

    def read(self, array: WritableArray, row: int, volts: float) -> tuple[dict[str, Drive], Sequence[str]]:
        """Drives that read every cell of a row at once, and the sides whose currents, added up, tell. For 1T1R arrays and other
        ways say it in a scheme of your own."""
        if not isinstance(array, PassiveArray):
            raise DataError(f"the scheme {self.name!r} does not say how to read this array (read), as write-verify does")
        lines = np.arange(array.shape[0]) == row
        return {"word_left": volts * lines, "bit_bottom": 0.0}, ("bit_bottom",)


@dataclass(frozen=True)
class LineScheme(WriteScheme):
    """Passive arrays: levels of the lines, as in `xb.Scheme`, in units of what lies between the selected ones.

    sides : ends that are driven, some of word_left, word_right, bit_top, bit_bottom, of word and bit lines at least one each.
    Columns whose amplitude is below that of their neighbours are lifted by the difference.
    """

    levels: Scheme
    sides: Sequence[str] = ("word_left", "bit_bottom")

    def __post_init__(self) -> None:
        instance(self.levels, Scheme, "levels of the lines: an xb.Scheme")
        if self.levels.selected_row == self.levels.selected_column:
            raise DataError(f"scheme {self.levels.name!r} applies no voltage between the selected lines")
        named = isinstance(self.sides, tuple | list) and all(
            isinstance(side, str) for side in self.sides
        )
        if (
            not named
            or not set(self.sides) <= set(SIDES)
            or {side[:3] for side in self.sides} != {"wor", "bit"}
        ):
            raise DataError(
                f"sides are some of {', '.join(SIDES)}, of either kind of line at least one, not {self.sides!r:.80}"
            )

    @property
    def name(self) -> str:  # type: ignore[override]
        """That of the levels."""
        return self.levels.name

    def check(self, array: WritableArray) -> None:
        if not isinstance(array, PassiveArray):
            raise DataError(f"the bias scheme {self.name!r} is for passive arrays; a 1T1R array is written with scheme "
                            '"1t1r", or a WriteScheme of your own')

    def drives(self, array: WritableArray, selection: Selection) -> dict[str, Drive]:
        levels, signed = self.levels, selection.signed
        v = selection.reference / (levels.selected_row - levels.selected_column)
        row = np.broadcast_to(np.arange(array.shape[0]) == selection.row, (len(v), array.shape[0]))
        words = _lines(row, levels.selected_row * v, None if levels.rows is None else levels.rows * v)
        others = None if levels.columns is None else levels.columns * v
        bits = _lines(selection.columns, levels.selected_row * v - signed, others)
        out: dict[str, Drive] = dict.fromkeys(SIDES)
        return out | {side: words if side.startswith("word") else bits for side in self.sides}

    def read(self, array: WritableArray, row: int, volts: float) -> tuple[dict[str, Drive], Sequence[str]]:
        lines, bits = np.arange(array.shape[0]) == row, [side for side in self.sides if side.startswith("bit")]
        out: dict[str, Drive] = dict.fromkeys(SIDES)
        return out | {side: 0.0 if side in bits else volts * lines for side in self.sides}, bits


@dataclass(frozen=True, kw_only=True)
class GatedScheme(WriteScheme):
    """1T1R arrays: the row's gates open, a voltage between bit and source lines of the selected columns.

    gate, gate_off : gate voltages of the selected row and of the others [V].
    """

    gate: float = 1.2
    gate_off: float = 0.0
    name: str = "1t1r"

    def __post_init__(self) -> None:
        for gate in ("gate", "gate_off"):
            volts = finite_number(getattr(self, gate), f"a scheme's {gate} [V]")
            if abs(volts) > HIGHEST:
                raise DataError(f"a scheme's {gate} [V] is at most {HIGHEST:g}, got {volts:g}")
            object.__setattr__(self, gate, volts)
        instance(self.name, str, "a name of the scheme")

    def check(self, array: WritableArray) -> None:
        highest = float(np.max(self._fitting(array).cells.transistor.vto))
        if not self.gate > highest:
            raise DataError(f"a gate voltage of {self.gate:g} V does not open transistors of V_TO = {highest:g} V: give "
                            "GatedScheme(gate=...)")

    def _fitting(self, array: WritableArray) -> OneTransistorArray:
        if isinstance(array, OneTransistorArray):
            return array
        raise DataError(f"the bias scheme {self.name!r} is for 1T1R arrays (xb.OneTransistorArray); passive ones are written "
                        f"with {', '.join(n for n, s in WRITE_SCHEMES.items() if isinstance(s, LineScheme))}")

    def drives(self, array: WritableArray, selection: Selection) -> dict[str, Drive]:
        array = self._fitting(array)
        row = np.broadcast_to(np.arange(array.shape[0]) == selection.row, (len(selection.columns), array.shape[0]))
        volts = np.where(selection.columns, selection.volts, 0.0)
        return {"gate": np.where(row, self.gate, self.gate_off)} | gated_lines(array, row, volts, selection.direction,
                                                                               np.abs(selection.reference))

    def read(self, array: WritableArray, row: int, volts: float) -> tuple[dict[str, Drive], Sequence[str]]:
        array, gate = self._fitting(array), np.where(np.arange(array.shape[0]) == row, self.gate, self.gate_off)
        return {"gate": gate} | gated_lines(array, gate > self.gate_off, volts, TO_P, volts), ("bit_top",)


WRITE_SCHEMES: dict[str, WriteScheme] = {
    **{name: LineScheme(SCHEMES[name]) for name in ("v/2", "v/3", "floating", "grounded")}, "1t1r": GatedScheme()}


def as_write_scheme(scheme: Any, array: WritableArray) -> WriteScheme:
    """A scheme by its name, by the levels of its lines, or itself. Raises DataError for others, or one not fit for the array."""
    if isinstance(scheme, Scheme):
        scheme = LineScheme(scheme)
    elif isinstance(scheme, str) and scheme.lower() in WRITE_SCHEMES:
        scheme = WRITE_SCHEMES[scheme.lower()]
    if not isinstance(scheme, WriteScheme):
        raise DataError(f"no bias scheme {scheme!r}; there are {', '.join(WRITE_SCHEMES)}, an xb.Scheme of line levels, or a "
                        "WriteScheme of your own")
    scheme.check(array)
    return scheme


def gated_lines(array: OneTransistorArray, rows: Mask, volts: npt.ArrayLike, direction: int, common: npt.ArrayLike,
                ) -> dict[str, Drive]:
    """Bit lines at the top and source lines at the bottom, or left, with volts (..., N) between them [V], 0 where nothing is
    written. Source lines that run along the rows have one voltage for all columns: 0 V to P; to AP it is `common` (..., 1), in
    the rows (..., M) that are on, and bit lines of other columns follow it."""
    source, bit = array.sides[1] if array.parallel else array.sides[0], "bit_top"
    if direction > 0:
        return {bit: volts, source: 0.0}
    if array.parallel:
        return {bit: 0.0, source: volts}
    return {bit: common - np.asarray(volts), source: np.where(rows, common, 0.0)}


def _lines(chosen: Mask, selected: Array, others: Array | None) -> Array:
    """(batch, lines) [V], masked where a line floats."""
    if others is None:
        return ma.array(np.where(chosen, selected, 0.0), mask=~chosen)
    return np.where(chosen, selected, others)
