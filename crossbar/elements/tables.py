"""Cells and elements whose current is measured: i(v) through the points of a table.

Between the points a monotone piecewise cubic (PCHIP: Fritsch, Butland, SIAM J. Sci. Stat. Comput. 5, 300 (1984)), which rises
wherever the table rises and has a continuous slope, or straight lines; beyond the table the straight line of its end slope,
at least a tenth of the last interval's: PCHIP ends a curve that bends away flat, and on a flat curve a line finds no voltage.

    i(v) = c_0 + c_1 s + c_2 s^2 + c_3 s^3,   s = v - origin,   one row of coefficients for every piece and curve
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicHermiteSpline, PchipInterpolator

from crossbar import matrices, memory
from crossbar.checks import choice, out_of_range, real_array
from crossbar.elements.base import Array, Batch, IntArray, Mask
from crossbar.elements.cells import Cells
from crossbar.errors import DataError
from crossbar.kernel import njit, prange
from crossbar.summaries import short_repr

Kind = Literal["pchip", "linear"]

_RANGE = (1e-60, 1e6)  # [V] and [A], of what is not 0

_ZERO_ERROR = 1e-3  # largest |i(0)| over the largest |i| that counts as the instrument's, not as a source


@dataclass(frozen=True, eq=False)
class Curves:
    """C functions i(v) on common pieces; piece k lies between point k - 1 and point k, the first and the last are open."""

    __repr__ = short_repr

    points: Array        # (K,) [V], ascending
    origin: Array        # (K + 1,) [V], of each piece
    coefficients: Array  # (C, K + 1, 4) [A / V^power], constant first

    @classmethod
    def through(cls, v: Array, i: Array, kind: Kind) -> "Curves":
        """Through the points v (K,) [V], i (C, K) [A]."""
        k = v.size
        c = np.zeros((len(i), k + 1, 4))
        step = np.diff(v)
        c[:, 1:k, 0], c[:, k, 0] = i[:, :-1], i[:, -1]
        if kind == "linear":
            c[:, 1:k, 1] = np.diff(i, axis=1) / step
            c[:, k, 1] = c[:, k - 1, 1]
        else:
            slopes = PchipInterpolator(v, i, axis=1).derivative()(v)
            for end, last in ((0, (i[:, 1] - i[:, 0]) / step[0]), (-1, (i[:, -1] - i[:, -2]) / step[-1])):
                slopes[:, end] = np.where(np.abs(slopes[:, end]) < 0.1 * np.abs(last), 0.1 * last, slopes[:, end])
            cubic = CubicHermiteSpline(v, i, slopes, axis=1)
            c[:, 1:k, 1:] = np.moveaxis(cubic.c[2::-1], (0, 1, 2), (2, 1, 0))
            c[:, k, 1] = slopes[:, -1]
        c[:, 0, :2] = c[:, 1, :2]
        return cls(v, np.concatenate((v[:1], v)), c)

    def __call__(self, v: Array, which: IntArray) -> tuple[Array, Array]:
        """Currents [A] and slopes [S] at v (..., n) [V], curve which (n,) for the last axis."""
        v = np.ascontiguousarray(v, dtype=float)
        i, g = np.empty_like(v), np.empty_like(v)
        rows = (-1, which.size)
        _evaluate(self.points, self.origin, self.coefficients, which, v.reshape(rows), i.reshape(rows), g.reshape(rows))
        return i, g


@njit(parallel=True, cache=True, error_model="numpy")
def _evaluate(points, origin, coefficients, which, v, i, g):  # type: ignore[no-untyped-def]
    for b in range(v.shape[0]):
        for n in prange(v.shape[1]):
            low, high, x = 0, points.size, v[b, n]
            while low < high:
                middle = (low + high) // 2
                if x < points[middle]:
                    high = middle
                else:
                    low = middle + 1
            s, c = x - origin[low], coefficients[which[n], low]
            i[b, n] = c[0] + s * (c[1] + s * (c[2] + s * c[3]))
            g[b, n] = c[1] + s * (2 * c[2] + s * (3 * c[3]))


@dataclass(frozen=True, kw_only=True, eq=False)
class Tables(Batch):
    """Devices with tabulated curves, current from the first node to the second."""

    __repr__ = short_repr

    curves: Curves
    which: IntArray  # (n,) the curve of each
    linear: ClassVar[bool] = False
    stencil: ClassVar[Array] = np.ones((2, 2))

    def evaluate(self, x: Array) -> tuple[Array, Array]:
        i, g = self.curves(x[:, 0] - x[:, 1], self.which)
        return np.column_stack((i, -i)), g[:, None] * np.array([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True, eq=False, init=False)
class TabulatedCells(Cells):
    """Cells of measured current, through the points of a table.

    v : (K,) voltages, word minus bit line [V], ascending, at least two; the table must reach 0 V.
    i : currents [A]: (K,) one curve; (C, K) one for each class of cells; (M, N, K) one for each cell.
    which : (M, N) integers, the curve of each cell: 0 ... C - 1 (with two curves, AP and P, the states in {0, 1}).
    shape : (M, N) instead of `which` where all cells share one curve.
    kind : "pchip", or "linear" for straight lines between the points.

    A current i(0) other than 0 makes a cell a source. Up to a thousandth of its curve's largest |i| it is taken for the zero
    error of the instrument and subtracted; more is refused. Beyond the table the curve goes on straight. Where a
    table falls, the cell has a negative differential conductance: that is data, but a solver may refuse it.
    Raises DataError for what is not finite, not ascending, of no fitting shape or refused as said, SizeError.
    """

    __repr__ = short_repr

    v: Array         # (K,) [V]
    i: Array         # (C, K) [A], without the zero error
    which: IntArray  # (M, N)
    kind: Kind
    curves: Curves

    def __init__(self, v: npt.ArrayLike, i: npt.ArrayLike, which: npt.ArrayLike | None = None, *,
                 shape: tuple[int, int] | None = None, kind: Kind = "pchip") -> None:
        volts, currents = real_array(v, "table voltages [V]"), real_array(i, "table currents [A]")
        _check(volts, currents, kind)
        flat = currents.reshape(-1, volts.size)
        index = _index(currents.shape[:-1], which, shape)
        memory.require(f"tables of {len(flat)} curves with {volts.size} points", 120.0 * flat.size)
        flat = _without_zero_error(volts, flat, kind)
        for name, value in {"v": volts, "i": flat, "which": index, "kind": kind,
                            "curves": Curves.through(volts, flat, kind)}.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_csv(cls, path: str | os.PathLike[str], which: npt.ArrayLike | None = None, *,
                 shape: tuple[int, int] | None = None, kind: Kind = "pchip") -> "TabulatedCells":
        """From a file with a row for every point: voltage [V], then the current [A] of every curve.

        Text, .npy or .npz, as `xb.read_matrix` reads them; header lines begin with #. Raises as the class does, and as
        `read_matrix` for what is no table of numbers.
        """
        rows = matrices.read_values(path)
        if rows.shape[1] < 2:
            raise DataError(f"{path} has one column; a table of currents has voltage [V] and at least one current [A] in a row")
        curves = rows[:, 1:].T
        try:
            return cls(rows[:, 0], curves[0] if len(curves) == 1 else curves, which, shape=shape, kind=kind)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None

    @property
    def shape(self) -> tuple[int, int]:
        return self.which.shape[0], self.which.shape[1]

    @property
    def linear(self) -> bool:
        return False

    @property
    def conducts(self) -> Mask:
        return np.asarray(self.i.any(axis=1))[self.which]

    def current(self, v: Array) -> tuple[Array, Array]:
        i, g = self.curves(v.reshape(*v.shape[:-2], -1), self.which.ravel())
        return i.reshape(v.shape), g.reshape(v.shape)

    def batch(self, names: Sequence[str], nodes: IntArray, which: IntArray) -> Batch:
        return Tables(names=names, nodes=nodes, curves=self.curves, which=self.which.ravel()[which])


def _check(v: Array, i: Array, kind: str) -> None:
    choice(kind, ("pchip", "linear"), "kind of a table")
    if v.ndim != 1 or v.size < 2:
        raise DataError(f"table voltages must have shape (K,) with K at least 2, got {v.shape}")
    if i.ndim not in (1, 2, 3) or i.shape[-1] != v.size or i.size == 0:
        raise DataError(f"table currents must have shape (K,), (C, K) or (M, N, K) with K = {v.size} as the voltages, got "
                        f"{i.shape}")
    for x, what in ((v, "voltage [V]"), (i, "current [A]")):
        if not np.isfinite(x).all():
            place = ",".join(map(str, np.argwhere(~np.isfinite(x))[0]))
            raise DataError(f"entry [{place}] of the table's {what} is not finite")
    for x, unit in ((v, "V"), (i, "A")):
        bad = out_of_range(x, _RANGE)
        if bad.any():
            raise DataError(f"the table holds {x[bad].flat[0]:g} {unit}; entries are 0 or between {_RANGE[0]:g} and "
                            f"{_RANGE[1]:g} {unit}")
    if not (np.diff(v) > 0).all():
        at = int(np.argmin(np.diff(v) > 0))
        raise DataError(f"table voltages must ascend, but {v[at + 1]:g} V follows {v[at]:g} V (entry {at + 1}); sort the table, "
                        "and split a loop into its branches")
    if not v[0] <= 0 <= v[-1]:
        raise DataError(f"the table goes from {v[0]:g} V to {v[-1]:g} V and must reach 0 V; add the point 0 V, 0 A")


def _index(curves: tuple[int, ...], which: npt.ArrayLike | None, shape: tuple[int, int] | None) -> IntArray:
    """The curve of each cell (M, N), from the axes of the currents before the last."""
    if len(curves) == 2:
        if which is not None or shape is not None:
            raise DataError("currents (M, N, K) give every cell its own curve; which and shape go with (C, K) or (K,)")
        return np.arange(curves[0] * curves[1], dtype=np.intp).reshape(curves)
    count = curves[0] if curves else 1
    if (which is None) == (shape is None) or shape is not None and count > 1:
        raise DataError("which cell has which curve? Give which (M, N), or shape (M, N) where all share one curve, or currents "
                        "(M, N, K)")
    try:
        index = np.asarray(np.broadcast_to(np.int8(0), shape) if which is None else which)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise DataError("which and shape of tabulated cells are (M, N)") from None
    if index.ndim != 2 or index.size == 0 or index.dtype.kind not in "biu":
        raise DataError(f"which must be integers of shape (M, N), both at least 1, got {index.dtype} of shape {index.shape}")
    memory.require(f"tabulated cells of shape {index.shape}", 9.0 * index.size)
    if not ((0 <= index) & (index < count)).all():
        raise DataError(f"which names curves {index.min()} to {index.max()}, but there are 0 to {count - 1}")
    return index.astype(np.intp)


def _without_zero_error(v: Array, i: Array, kind: Kind) -> Array:
    zero = Curves.through(v, i, kind)(np.zeros(len(i)), np.arange(len(i)))[0]
    largest = np.abs(i).max(axis=1)
    bad = np.abs(zero) > _ZERO_ERROR * largest
    if bad.any():
        k = int(np.argmax(bad))
        raise DataError(f"curve {k} of the table carries {zero[k]:.3g} A at 0 V, more than a thousandth of its largest current: "
                        "it would be a source. Subtract the offset, or add the point 0 V, 0 A")
    return i - zero[:, None]
