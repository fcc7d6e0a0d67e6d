"""Weights as pairs of junctions: a matrix product on a passive array.

    w (G_P - G_AP) = G+ - G-        output k on the bit lines 2k (+) and 2k+1 (-)
    v = x v_read                    at the left ends of the word lines; the bit lines grounded at the bottom
    x @ W = s (I+ - I-) / ((G_P - G_AP) v_read)

s is the largest |weight|: the junctions hold w = W / s in [-1, 1]. Weights of -1, 0, +1 alone become states:
+1 is P / AP, -1 is AP / P, 0 is AP / AP. Others become partly switched cells (means over domains or devices)
of cos(theta) = +w / -w, as conductance is linear in cos(theta).

The equations are exact for wires of 0 ohm and bias-independent cells (`v_h` = inf); otherwise the
solved currents differ, which is what there is to see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from crossbar import memory, mtj
from crossbar.arrays.passive import PassiveArray
from crossbar.checks import all_between, real_array
from crossbar.elements.base import Array
from crossbar.elements.cells import Cells, MTJCells
from crossbar.elements.solution import ArraySolution
from crossbar.errors import DataError
from crossbar.summaries import short_repr

#: Wire segment resistance [ohm]: of both planes, or (word, bit).
Wire = float | tuple[npt.ArrayLike, npt.ArrayLike]
#: Resistance in series with the leads [ohm]: scalar, or {side: scalar or (lines,)}.
Driver = float | Mapping[str, npt.ArrayLike]
Shape = tuple[int, int] | None

LARGEST = 1e100  # weight, bias or input


@dataclass(frozen=True, eq=False)
class DifferentialPairs:
    """How weights become junctions.

    params : junctions, or the name of a preset; fields are scalars or broadcast to the array's shape.
    unit : conductance [S] of weight 1, by which the digital side divides; None: the mean of G_P - G_AP.
    Raises DataError for an unknown preset, or where P and AP conduct alike.
    """

    __repr__ = short_repr

    params: mtj.MTJParams = "daffodil"  # type: ignore[assignment]
    unit: float = None                  # type: ignore[assignment]

    def __post_init__(self) -> None:
        params = mtj.as_params(self.params)
        object.__setattr__(self, "params", params)
        unit = np.mean(params.g_p - np.asarray(params.g_ap)) if self.unit is None else self.unit
        object.__setattr__(self, "unit", positive(unit, "the conductance G_P - G_AP of weight 1 [S]"))

    def encode(self, weights: npt.ArrayLike) -> tuple[Array, float]:
        """cos(theta) (inputs, 2 outputs) of the junctions, and the factor s that restores `weights`.

        weights : (inputs, outputs), any real numbers. Raises DataError for another shape, NaN or infinity.
        """
        weights = matrix(weights, "weights (inputs, outputs)")
        scale = float(np.abs(weights).max()) or 1.0
        w = weights / scale
        m_z = np.stack((w, -w), axis=-1)
        if np.isin(w, (-1, 0, 1)).all():
            m_z[w == 0] = -1
        return m_z.reshape(len(w), -1), scale

    def from_weights(self, weights: npt.ArrayLike, *, r_wire: Wire = 2.0, r_driver: Driver = 0.0,
                     v_read: float = 0.1, shape: Shape = None) -> "PairArray":
        """The array that multiplies by `weights` (inputs, outputs); see `PairArray` for the rest."""
        m_z, scale = self.encode(weights)
        return self._array(m_z, scale, r_wire, r_driver, v_read, shape)

    def from_states(self, states: npt.ArrayLike, *, r_wire: Wire = 2.0, r_driver: Driver = 0.0,
                    v_read: float = 0.1, shape: Shape = None) -> "PairArray":
        """The array of devices in states (inputs, 2 outputs), as `mtj.as_state` takes them; 1: parallel."""
        return self._array(pair_states(states).astype(float), 1.0, r_wire, r_driver, v_read, shape)

    def _array(self, m_z: Array, scale: float, r_wire: Wire, r_driver: Driver, v_read: float,
               shape: Shape) -> "PairArray":
        inputs, columns = m_z.shape
        r_word, r_bit = r_wire if isinstance(r_wire, (tuple, list)) and len(r_wire) == 2 else (r_wire, r_wire)
        wires: dict[str, Any] = {"r_word": r_word, "r_bit": r_bit, "r_driver": r_driver}
        return PairArray(array=PassiveArray(self.cells(embedded(m_z, shape)), **wires), inputs=inputs,
                         outputs=columns // 2, unit=self.unit, scale=scale, v_read=v_read)

    def cells(self, m_z: Array) -> MTJCells:
        """Junctions with cos(theta) = m_z (rows, columns); states where all are fully switched."""
        if (np.abs(m_z) == 1).all():
            return MTJCells(self.params, m_z.astype(np.int8))
        return MTJCells(self.params, m_z=m_z)


@dataclass(frozen=True, kw_only=True, eq=False)
class PairArray:
    """A passive array read as a matrix: word lines driven at the left, bit lines grounded at the bottom.

    The matrix takes the first `inputs` rows and 2 `outputs` columns. Other lines of a larger array are idle,
    at 0 V at the same ends; their cells carry what the voltage drops along the wires let through.
    Raises DataError where the array is too small for the matrix or v_read is not positive.
    """

    __repr__ = short_repr

    array: PassiveArray
    inputs: int
    outputs: int
    unit: float          # conductance of weight 1 [S]
    scale: float = 1.0   # digital factor: the matrix is scale (G+ - G-) / unit
    v_read: float = 0.1  # word-line voltage of input 1 [V]

    def __post_init__(self) -> None:
        if self.inputs < 1 or self.outputs < 1:
            raise DataError("a matrix has at least one input and one output")
        rows, columns = self.array.shape
        if rows < self.inputs or columns < 2 * self.outputs:
            raise DataError(f"{self.inputs} x {self.outputs} pairs do not fit {rows} x {columns} cells")
        for name in ("unit", "scale", "v_read"):
            object.__setattr__(self, name, positive(getattr(self, name), name))

    @cached_property
    def transfer(self) -> Array:
        """(inputs, 2 outputs) [S], bit-line current per word-line voltage, solved once; linear cells only."""
        return self.array.transfer("word_left", "bit_bottom")[:self.inputs, :2 * self.outputs]

    def drive(self, x: npt.ArrayLike) -> Array:
        """Word-line voltages (..., rows) [V] of inputs x (inputs,) or (batch, inputs); idle lines 0 V.

        |x| > 1 is allowed and read at more than v_read. Raises DataError for another shape, NaN or infinity.
        """
        x = vectors(x, self.inputs)
        volts = np.zeros((*x.shape[:-1], self.array.shape[0]))
        volts[..., :self.inputs] = x * self.v_read
        return volts

    def solve(self, x: npt.ArrayLike, keep: Literal["nodes", "terminals"] = "nodes") -> ArraySolution:
        """The solved array for inputs x (inputs,) or (batch, inputs), with its certificate."""
        return self.array.solve(word_left=self.drive(x), bit_bottom=0.0, keep=keep)

    def currents(self, x: npt.ArrayLike) -> Array:
        """Bit-line currents (..., 2 outputs) [A] for inputs x (inputs,) or (batch, inputs), + and - lines."""
        if self.array.cells.linear:
            return self.drive(x)[..., :self.inputs] @ self.transfer
        return self.solve(x, keep="terminals").bit_current[..., :2 * self.outputs]

    def decode(self, currents: Array) -> Array:
        """The product (..., outputs) that bit-line currents (..., 2 outputs or more) [A] stand for."""
        used = currents[..., :2 * self.outputs]
        return self.scale * (used[..., 0::2] - used[..., 1::2]) / (self.unit * self.v_read)

    def product(self, x: npt.ArrayLike) -> Array:
        """x @ W (..., outputs) as the array computes it, x (inputs,) or (batch, inputs)."""
        return self.decode(self.currents(x))

    def with_cells(self, cells: Cells | npt.ArrayLike) -> "PairArray":
        """The same lines and read-out around other cells (rows, columns): written, defective, measured."""
        return replace(self, array=self.array.with_cells(cells))


def vmm(weights: npt.ArrayLike, x: npt.ArrayLike, *,
        device: DifferentialPairs | mtj.MTJParams | str = "daffodil",
        r_wire: Wire = 2.0, r_driver: Driver = 0.0, v_read: float = 0.1, shape: Shape = None) -> Array:
    """The product x @ weights (..., outputs) that an array of junction pairs gives.

    weights : (inputs, outputs), any real numbers.  x : (inputs,) or (batch, inputs), 1 is read at v_read [V].
    device : junctions or a preset's name.  r_wire : segment resistance [ohm], 0 exact, or (word, bit).
    Equal to `x @ weights` for r_wire=0 and junctions of v_h=inf. Raises DataError for misshapen or NaN data.

    >>> ideal = mtj.presets["daffodil"].replace(v_h=np.inf)
    >>> vmm([[1, -1], [0.5, 0]], [1, 1], device=ideal, r_wire=0).round(9)
    array([ 1.5, -1. ])
    """
    pairs = as_pairs(device)
    mapped = pairs.from_weights(weights, r_wire=r_wire, r_driver=r_driver, v_read=v_read, shape=shape)
    return mapped.product(x)


def as_pairs(device: DifferentialPairs | mtj.MTJParams | str) -> DifferentialPairs:
    """Pairs of the given junctions; pairs are returned as they are."""
    if isinstance(device, DifferentialPairs):
        return device
    return DifferentialPairs(device)  # type: ignore[arg-type]


def pair_states(states: npt.ArrayLike) -> npt.NDArray[np.int8]:
    """States +1 / -1 (inputs, 2 outputs) of pairs; DataError for an odd number of columns or no states."""
    array = mtj.as_state(states)
    if array.ndim != 2 or array.size == 0 or array.shape[1] % 2:
        raise DataError(f"states of pairs must have shape (inputs, 2 outputs), got {array.shape}")
    return array


def embedded(m_z: Array, shape: Shape) -> Array:
    """m_z in the first rows and columns of an array of `shape`, the rest AP (-1); DataError if too small."""
    if shape is None:
        return m_z
    if len(shape) != 2 or not all(isinstance(size, (int, np.integer)) for size in shape):
        raise DataError(f"the shape of an array is (rows, columns), got {shape!r}")
    if shape[0] < m_z.shape[0] or shape[1] < m_z.shape[1]:
        raise DataError(f"{m_z.shape[0]} x {m_z.shape[1]} junctions do not fit an array of {tuple(shape)}")
    memory.require(f"an array of {shape[0]} x {shape[1]} cells", 8 * int(shape[0]) * int(shape[1]))
    out = np.full(shape, -1.0)
    out[:m_z.shape[0], :m_z.shape[1]] = m_z
    return out


def matrix(value: npt.ArrayLike, what: str) -> Array:
    """A finite, non-empty two-dimensional array of floats, or DataError."""
    array = floats(value, what)
    if array.ndim != 2 or array.size == 0:
        raise DataError(f"{what} must be two-dimensional and not empty, got shape {array.shape}")
    return array


def vectors(x: npt.ArrayLike, length: int) -> Array:
    """Finite inputs (length,) or (batch, length), or DataError."""
    array = floats(x, f"inputs ({length},) or (batch, {length})")
    if array.ndim not in (1, 2) or array.shape[-1] != length or array.size == 0:
        raise DataError(f"inputs must have shape ({length},) or (batch, {length}), not {array.shape}")
    return array


def positive(value: npt.ArrayLike, what: str) -> float:
    """A finite number above 0, or DataError."""
    array = floats(value, what)
    if array.ndim or array <= 0:
        raise DataError(f"{what} must be one positive number, got {value!r}")
    return float(array)


def floats(value: npt.ArrayLike, what: str) -> Array:
    """Numbers of any shape, finite and so small that their products are, or DataError."""
    array = real_array(value, what)
    if not np.isfinite(array).all():
        raise DataError(f"{what} must be finite; NaN or infinity found")
    if not all_between(array, -LARGEST, LARGEST):
        raise DataError(f"{what} must be at most {LARGEST:g} in size")
    return array
