"""Devices whose parameters are numbers or arrays over the cells: checked once, cells picked, laid out for the kernels."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from crossbar.checks import out_of_range, real_array
from crossbar.elements.base import Array, IntArray
from crossbar.errors import DataError

Value = float | Array
REQUIRED = object()


def entry(unit: str, default: Any = REQUIRED, *, low: float = 0.0, closed: bool = False, least: float = 0.0,
          high: float = np.inf) -> Any:
    """A parameter with its unit and lower bound; `closed`: the bound itself is allowed. least, high : magnitudes between which
    the law can be computed, far beyond what can be built."""
    metadata = {"unit": unit, "low": low, "closed": closed, "least": least, "high": high}
    return field(metadata=metadata) if default is REQUIRED else field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True, eq=False)
class Device:
    """One device, or many. Raises DataError where a parameter is not finite or out of range, or where shapes do not broadcast."""

    def __post_init__(self) -> None:
        for name, bounds in self._entries():
            what = f"{type(self).__name__} {name} [{bounds['unit']}]"
            array, low = real_array(getattr(self, name), what), bounds["low"]
            good = np.isfinite(array) & ((array >= low) if bounds["closed"] else (array > low))
            if array.size == 0 or not good.all():
                allowed = "" if np.isinf(low) else f" and at least {low:g}" if bounds["closed"] else f" and above {low:g}"
                got = "an empty array" if array.size == 0 else f"{array[~good].flat[0]:.6g}"
                raise DataError(f"{what} must be finite{allowed}, got {got}")
            bad = out_of_range(array, (bounds["least"], bounds["high"]))
            if bad.any():
                raise DataError(f"{what} must lie between {bounds['least']:g} and {bounds['high']:g} in size, got "
                                f"{array[bad].flat[0]:.6g}")
            object.__setattr__(self, name, float(array) if array.ndim == 0 else array)
        try:
            np.broadcast_shapes(self.shape)
        except ValueError:
            raise DataError(f"the parameters of {type(self).__name__} have shapes that do not broadcast") from None

    @classmethod
    def _entries(cls) -> list[tuple[str, Any]]:
        return [(e.name, e.metadata) for e in fields(cls) if e.metadata]

    @property
    def shape(self) -> tuple[int, ...]:
        """Common shape of the parameters; () for a single device."""
        return np.broadcast_shapes(*(np.shape(getattr(self, name)) for name, _ in self._entries()))

    def select(self, shape: tuple[int, ...], which: IntArray) -> Self:
        """Some devices of an array: `which` are flat indices into `shape`, to which the parameters broadcast."""
        picked = {name: np.broadcast_to(value, shape).ravel()[which] for name, _ in self._entries()
                  if np.ndim(value := getattr(self, name))}
        return replace(self, **picked)

    def must_fit(self, shape: tuple[int, int]) -> None:
        """Raise DataError unless the parameters broadcast to the cells' shape."""
        try:
            fits = np.broadcast_shapes(self.shape, shape) == shape
        except ValueError:
            fits = False
        if not fits:
            raise DataError(f"{type(self).__name__} parameters of shape {self.shape} do not fit cells of shape {shape}")


def matrices(*values: npt.ArrayLike) -> tuple[Array, ...]:
    """Six parameters as `cell_kernels` takes them, (1 or M, 1 or N) each, without repeating anything; missing ones are 0.

    One that differs from input to input is given as (B, M, N).
    """
    given = [np.require(np.reshape(x, (-1, np.shape(x)[-1])) if np.ndim(x) > 2 else np.atleast_2d(x), float, ["C", "W"])
             for x in values]
    return (*given, *(np.zeros((1, 1)) for _ in range(6 - len(given))))


class Selectable(Protocol):
    """Devices whose fields are numbers or arrays: `Device`, MTJParams."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def select(self, shape: tuple[int, ...], which: IntArray) -> Self: ...


Devices = TypeVar("Devices", bound=Selectable)


def pick_rows(devices: Devices, shape: tuple[int, int], rows: IntArray) -> Devices:
    """Devices of some rows of an array, fields (K, N); a single device serves any."""
    if devices.shape == ():
        return devices
    return devices.select(shape, rows[:, None] * shape[1] + np.arange(shape[1]))


def pick(values: tuple[Array, ...], shape: tuple[int, int], which: IntArray) -> tuple[Array, ...]:
    """Parameters (1 or M, 1 or N) of some cells of an array, as one row (1, n); `which` are flat indices."""
    return tuple(x if x.size == 1 else np.broadcast_to(x, shape).ravel()[which][None] for x in values)


def writable(x: Array, shape: tuple[int, ...], name: str) -> Array:
    """x itself. Raises DataError unless results can be written into it as an array of this shape."""
    if not (isinstance(x, np.ndarray) and x.dtype == float and x.shape == shape and x.flags.c_contiguous and x.flags.writeable):
        raise DataError(f"{name} must be a writable, contiguous float array of shape {shape}")
    return x
