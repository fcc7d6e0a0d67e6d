"""Work arrays of the solvers: they begin at cache lines, and small ones come back for the next solve.

A fresh page of memory costs more than the sweeps through it in arrays of up to some hundred lines, and a vector that straddles
two cache lines is two reads. An array made here gives its memory back when the last view of it is gone, whoever holds it.
"""

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_LINE = 64            # bytes of a cache line
_LEAST, _MOST = 2 ** 14, 2 ** 22  # bytes of a block worth keeping; the system gives larger ones out in large pages
_KEPT = 2 ** 26       # bytes kept altogether


class _Lease:
    """Memory that is kept for others when no array uses it any more."""

    free: ClassVar[dict[int, list[npt.NDArray[np.uint8]]]] = {}

    def __init__(self, size: int) -> None:
        try:
            self.block = self.free[size].pop()
        except (KeyError, IndexError):
            self.block = np.empty(size, np.uint8)
        self.__array_interface__ = self.block.__array_interface__

    def __del__(self, most: int = _KEPT) -> None:
        size, free = self.block.size, self.free
        if size + sum(key * len(blocks) for key, blocks in list(free.items())) > most:
            free.clear()
        free.setdefault(size, []).append(self.block)


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike = float) -> Array:
    """Like numpy.empty, the data at a cache line."""
    return _made(shape, np.dtype(dtype), np.empty)


def zeros(shape: tuple[int, ...], dtype: npt.DTypeLike = float) -> Array:
    """Like numpy.zeros, the data at a cache line."""
    return _made(shape, np.dtype(dtype), np.zeros)


def _made(shape: tuple[int, ...], dtype: np.dtype[Any], fresh: Callable[..., npt.NDArray[np.uint8]]) -> Array:
    size = math.prod(shape) * dtype.itemsize
    kept = _LEAST <= size <= _MOST
    block = np.asarray(_Lease(size + _LINE)) if kept else fresh(size + _LINE, np.uint8)
    start = -block.ctypes.data % _LINE
    out = block[start:start + size].view(dtype).reshape(shape)
    if kept and fresh is np.zeros:
        out.fill(0)
    return out
