"""Two planes of resistive lines, the cells between them, and what is known when they are solved.

The second plane is kept as v[b, i, j] (its lines run along i). The first lies transposed where it crosses, u[b, j, i].
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from crossbar.solvers import balance, room
from crossbar.solvers.schur import Schur

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Trace = list[tuple[int, float]]  # (iterations so far, worst relative residual) a step


@dataclass(eq=False)
class Law:
    """What the cells carry: conductances, or current(cell, foot) -> i, di/du, -di/dv.

    With u, v the node voltages of the first and second plane: cell (B, M, N) is u - v [V], which may be overwritten; foot() gives
    v (B, M, N) [V]. Conductances or slopes (1, M, N) mean the same for every input; where a law is `symmetric`, as that of
    two-terminal cells is, both slopes are one array.
    """

    ohmic: Array | None = None  # (1 or B, M, N) [S]; between the same crossing lines these are factorised once, for all calls
    current: Callable[[Array, Callable[[], Array]], tuple[Array, Array, Array]] | None = None
    symmetric: bool = True
    idle: list[Schur] = field(default_factory=list)  # if ohmic, the last step of crossing planes, while nobody uses it

    @property
    def linear(self) -> bool:
        """Whether currents are proportional to voltages."""
        return self.ohmic is not None


@dataclass(frozen=True, eq=False)
class Plane:
    """Lines of one plane: L lines of n nodes."""

    r: Array     # (n + 1, L), or (n + 1, 1) if all are alike: segments with leads and drivers [ohm]; inf: open
    near: Array  # (B, L) terminal voltages before segment 0 [V]; unused where r[0] is inf
    far: Array   # (B, L) terminal voltages behind segment n [V]

    @classmethod
    def of(cls, r: Array, near: Array, far: Array) -> "Plane":
        """From r (n + 1, L) in any layout; lines that a broadcast made alike are kept once."""
        return cls(np.ascontiguousarray(r[:, :1] if r.strides[1] == 0 else r), near, far)

    def between(self, near: Array, far: Array) -> "Plane":
        """The same lines between other terminal voltages (B, L) [V]."""
        return replace(self, near=near, far=far)

    def lowered(self, level: Array) -> "Plane":
        """The same lines between terminals lower by level (B,) [V]."""
        return replace(self, near=self.near - level[:, None], far=self.far - level[:, None]) if level.any() else self

    @property
    def shape(self) -> tuple[int, int, int]:
        """(B, n, L)."""
        return len(self.near), len(self.r) - 1, self.near.shape[1]

    def alone(self) -> Array:
        """Node voltages (B, n, L) without cells [V]."""
        out = room.empty(self.shape)
        balance.lines_alone(self.r, self.near, self.far, out)
        return out

    def through(self) -> Array:
        """Current (B, L) from the near to the far terminal without cells [A]."""
        total = self.r.sum(axis=0)
        return np.where(total > 0, self.near - self.far, 0.0) / np.where(total > 0, total, 1.0)

    @cached_property
    def conductance(self) -> float:
        """Sum over all segments of all lines that are neither 0 ohm nor open [S]."""
        finite = np.isfinite(self.r) & (self.r > 0)
        lines = self.near.shape[1] if self.r.shape[1] == 1 else 1
        return lines * float((1 / self.r[finite]).sum())

    @cached_property
    def least(self) -> Array:
        """(L or 1,) least resistance of a line's segments that is not 0, inf if there is none [ohm]."""
        return np.asarray(np.where(self.r > 0, self.r, np.inf).min(axis=0))


@dataclass(frozen=True, eq=False)
class PlanesSolution:
    """Terminal currents and node voltages of both planes; near and far currents (B, L) flow out of the array."""

    nodes: tuple[Array, Array] | None       # (B, M, N) [V], first and second plane, if asked for
    out: tuple[Array, Array, Array, Array]  # first near, first far, second near, second far [A]
    residual: Array           # (B,) largest |KCL misfit| of a node [A]
    relative_residual: Array  # (B,) sum |KCL misfit| / sum |cell current|
    iterations: int           # inner iterations, all steps together
    trace: tuple[tuple[int, float], ...]


def extreme_voltages(first: Plane, second: Plane) -> tuple[Array, Array]:
    """(B,) lowest and highest voltage of all terminals [V]; an open end has none."""
    lowest = np.full(len(first.near), np.inf)
    highest = -lowest
    for plane in (first, second):
        for end, r in ((plane.near, plane.r[0]), (plane.far, plane.r[-1])):
            held = np.broadcast_to(np.isfinite(r), end.shape)
            lowest = np.minimum(lowest, end.min(axis=1, where=held, initial=np.inf))
            highest = np.maximum(highest, end.max(axis=1, where=held, initial=-np.inf))
    return lowest, highest
