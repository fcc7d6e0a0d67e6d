"""Cells of two devices in series, the node between them eliminated: arrays of any shape around `cell_kernels.series`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crossbar.elements import cell_kernels
from crossbar.elements.base import Array
from crossbar.elements.cells import Cells, LinearCells, MTJCells
from crossbar.elements.fields import writable
from crossbar.errors import ConvergenceError, DataError
from crossbar.summaries import short_repr


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """Junctions, and behind each another device: two kinds of cells and what `cell_kernels` takes of them.

    kind : number of the second device's law; junction, device : six matrices (1 or M, 1 or N) each; shape (M, N).
    """

    __repr__ = short_repr

    kind: int
    junction: tuple[Array, ...]
    device: tuple[Array, ...]
    shape: tuple[int, int]

    def current(self, v: npt.ArrayLike, v_b: npt.ArrayLike, gate: npt.ArrayLike = 0.0, bulk: float = 0.0, *,
                share: Array | None = None, out: Sequence[Array] | None = None) -> tuple[Array, Array, Array]:
        """Currents i from end a to end b [A] and the slopes di/dv_a, -di/dv_b [S], each (..., M, N).

        v : v_a - v_b, given as such since it may be far smaller than the voltages of both ends, and then has more digits than
        their difference. v, v_b, gate : voltages [V] that broadcast to (..., M, N).
        share : (..., M, N) part of v that falls across the first device: the start (NaN where there is none), replaced
        by the result. It changes less than any voltage while an array is solved.
        out : three arrays (..., M, N) for the results, which are new ones otherwise.
        Raises DataError where a shape does not fit, ConvergenceError where an inner node is not found.
        """
        volts = [np.asarray(x, dtype=float) for x in (v, v_b, gate)]
        try:
            shape = np.broadcast_shapes(self.shape, *(x.shape for x in volts))
        except ValueError:
            shape = ()
        if shape[-2:] != self.shape:
            shapes = ", ".join(str(x.shape) for x in volts)
            raise DataError(f"node voltages of shapes {shapes} do not fit cells of shape {self.shape}")
        i, g_a, g_b = (np.empty(shape) for _ in range(3)) if out is None else (writable(x, shape, "out") for x in out)
        start = np.full((1, 1, 1), np.nan) if share is None else _stacked(writable(share, shape, "share"), shape)
        failed = np.empty(i.size // self.shape[1], np.intp)
        stacks = [_stacked(x, shape) for x in volts]
        results = [x.reshape(-1, *self.shape) for x in (i, g_a, g_b)]
        cell_kernels.series(self.kind, self.junction, self.device, float(bulk), *stacks, start, share is not None,
                            *results, failed)
        if failed.any():
            row = int(np.argmax(failed > 0)) % self.shape[0]
            raise ConvergenceError(f"the voltage between the two devices of {failed.sum()} cells was not found, first in row "
                                   f"{row}; look for devices whose current falls with their voltage")
        return i, g_a, g_b


def junction_matrices(cells: Cells) -> tuple[Array, ...]:
    """Parameters of the first device. Raises DataError for cells that are neither linear nor MTJs."""
    if not isinstance(cells, LinearCells | MTJCells):
        raise DataError(f"only LinearCells and MTJCells can stand in series with another device, not {type(cells).__name__}")
    return cells.matrices


def _stacked(x: Array, shape: tuple[int, ...]) -> Array:
    """x as (1 or B, 1 or M, 1 or N), C-contiguous; a view of what is so already."""
    lead = shape[:-2]
    x = x.reshape((1,) * (len(shape) - x.ndim) + x.shape)
    if x.shape[:-2] not in (lead, (1,) * len(lead)):
        x = np.broadcast_to(x, (*lead, *x.shape[-2:]))
    return np.require(x.reshape(-1, *x.shape[-2:]), float, ["C", "W"])
