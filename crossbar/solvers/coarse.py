"""The coarse grid of the preconditioner: bilinear hats whose operator is inverted by two small eigenproblems.

Block elimination the other way round gives S^-1 = A^-1 + A^-1 D1 T^-1 D2 A^-1, with A = C + D2 the lines of the second plane
and T = R + D1 - D2 A^-1 D1 what the first plane sees. Modes that vary slowly along both directions are the ones that A^-1
alone misses; on them T is inverted with the mean wire of each segment position and the mean slope d of the cells:

    T ~ lambda + d1 mu / (mu + d2),     lambda, mu: eigenvalues of R and C on hats along the rows and down the columns

which is separable, whence  V (V' c U / symbol) U'. It is positive, so the preconditioner stays symmetric positive definite
whatever the terminals, and where the mean hides much (lines that float one by one) it costs iterations, never accuracy.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh

Array = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.intp]

_PER_LENGTH = 3.0  # hats a healing length
_CLOSEST = 2.0     # nodes from hat to hat
MOST = 384        # hats along one direction
_LEAST = 1e-280  # slope [S] below which 1 / slope overflows
_RANGE = 1e8       # wire conductances count up to so many times the mean slope


@dataclass(frozen=True, eq=False)
class Hats:
    """Linear hats on n nodes: node j belongs to hat knot[j] with 1 - share[j] and to the next with share[j]."""

    knot: IntArray
    share: Array
    count: int

    @classmethod
    def spread(cls, n: int, count: int) -> "Hats":
        """`count` hats at equal distances, from the first node to the last."""
        at = np.linspace(0, count - 1, n)
        knot = np.clip(at.astype(np.intp), 0, max(count - 2, 0))
        return cls(knot, at - knot, count)

    def matrix(self) -> Array:
        """(n, count)."""
        out = np.zeros((self.knot.size, self.count + 1))
        nodes = np.arange(self.knot.size)
        out[nodes, self.knot], out[nodes, self.knot + 1] = 1 - self.share, self.share
        return out[:, :-1]


class Coarse:
    """P T^-1 P' between the planes of one array, for one set of slopes."""

    def __init__(self, r_first: Array, r_second: Array, slope_first: Array, slope_second: Array, dtype: npt.DTypeLike) -> None:
        """r_first (N+1, M or 1), r_second (M+1, N or 1) [ohm]; mean slopes (B,) [S] as seen by either plane."""
        n, m = len(r_first) - 1, len(r_second) - 1
        typical = max(float(slope_first.mean()), _LEAST)
        along, down = _mean_wire(r_first, typical), _mean_wire(r_second, typical)
        across, self.down = Hats.spread(n, _count(along, typical)), Hats.spread(m, _count(down, typical))
        lam, modes = _modes(n, across.count, along.tobytes())
        mu, self.v = _modes(m, self.down.count, down.tobytes())
        d1, d2 = slope_first[:, None, None], slope_second[:, None, None]
        column = mu[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            symbol = lam + np.where(d2 + column > 0, d1 * column / (column + d2), 0.0)
        self.inverse = np.where(symbol > 0, 1 / np.maximum(symbol, 1e-14 * typical), 0.0).astype(dtype)
        self.v, self.share = self.v.astype(dtype), self.down.share.astype(dtype)
        self.u = np.ascontiguousarray(across.matrix() @ modes, dtype=dtype)  # hats and modes in one

    def buffer(self, batch: int, panels: int, width: int) -> Array:
        """Room (B, hats + 1, panels, width) for what the sweeps restrict to."""
        return np.zeros((batch, self.down.count + 1, panels, width), self.u.dtype)

    def correct(self, c: Array) -> Array:
        """Replace what the sweeps restricted to c by the hats' part of the correction; returns c . T^-1 c (B,)."""
        lines = c.reshape(*c.shape[:2], -1)[:, :-1, :len(self.u)]
        load = self.v.T @ (lines @ self.u)
        answer = self.inverse * load
        lines[:] = (self.v @ answer) @ self.u.T
        return np.einsum("bij,bij->b", load, answer)


def _mean_wire(r: Array, slope: float) -> Array:
    """Mean conductance (n + 1,) of the lines' segments [S]; 0 ohm counts as _RANGE slopes."""
    least = 1 / (_RANGE * slope)
    return (1 / np.maximum(r, least)).mean(axis=1)


def _count(wire: Array, slope: float) -> int:
    """Number of hats: a few per healing length sqrt(wire / slope), at least 2 if there are two nodes."""
    n = wire.size - 1
    inner = wire[1:-1]
    length = np.sqrt(inner.mean() / slope) if inner.size and inner.any() else 1.0
    return int(min(n, MOST, np.ceil(n / max(length / _PER_LENGTH, _CLOSEST)) + 2))


@lru_cache(maxsize=8)
def _modes(n: int, count: int, mean_wire: bytes) -> tuple[Array, Array]:
    """Eigenvalues (count,) and modes (count, count), orthonormal in the Gram matrix of hats on n nodes, of a line's wires: the
    same at every Newton step, and for all inputs and states of an array."""
    p, wire = Hats.spread(n, count).matrix(), np.frombuffer(mean_wire)
    drops = np.diff(p, axis=0, prepend=0.0, append=0.0)
    values, vectors = eigh(drops.T @ (wire[:, None] * drops), p.T @ p)
    return np.maximum(values, 0.0), vectors
