"""Cell laws of an array: current and slope at the cell voltage (word minus bit line), all cells at once.

    law.current(v) -> i [A], di/dv [S];  v (..., M, N) [V];  a linear law returns the same slopes for every input
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from crossbar import mtj
from crossbar.checks import SIEMENS, all_between, out_of_range, real_array
from crossbar.elements import cell_kernels
from crossbar.elements.base import Array, Batch, IntArray, Mask
from crossbar.elements.fields import matrices, pick_rows, writable
from crossbar.elements.linear import Resistors
from crossbar.elements.nonlinear import MTJs
from crossbar.errors import DataError
from crossbar.mtj.conduction import brinkman
from crossbar.mtj.variation import G_SHORT
from crossbar.summaries import short_repr


DEFECTS = ("short", "open", "stuck_p", "stuck_ap")  #: kinds of defects, the masks of mtj.Defects


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells(ABC):
    """M x N two-terminal cells."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""

    @property
    @abstractmethod
    def linear(self) -> bool:
        """Whether the current is proportional to the voltage."""

    @abstractmethod
    def current(self, v: Array) -> tuple[Array, Array]:
        """Currents (..., M, N) [A] and slopes (..., M, N) or (M, N) [S] at cell voltages v (..., M, N) [V]."""

    @abstractmethod
    def batch(self, names: Sequence[str], nodes: IntArray, which: IntArray) -> Batch:
        """The cells with flat indices `which` as circuit elements between `nodes` (len(which), 2)."""

    @property
    def kinds(self) -> str:
        """What the cells are, in a few words."""
        return type(self).__name__

    @property
    def stacked(self) -> bool:
        """Whether there is more than one state of the cells."""
        return False

    def of_input(self, which: IntArray | int) -> "Cells":
        """The cells of some inputs of a solve, or of one."""
        return self

    def of_rows(self, rows: IntArray) -> "Cells":
        """The cells of some rows. Raises DataError for cells that cannot stand in series with another device."""
        raise DataError(f"{type(self).__name__} are not taken apart by rows")

    def in_state(self, m_z: npt.ArrayLike) -> "Cells":
        """The same cells with cos(theta) = m_z (..., M, N). Raises DataError for cells that are no
        junctions."""
        raise DataError(f"{type(self).__name__} have no states P and AP")

    def with_cell(self, i: int, j: int, other: "Cells") -> "Cells":
        """The same cells but for cell (i, j), which is as in `other`, cells of the same kind and
        shape. Raises DataError for cells of a kind that is not changed one by one."""
        raise DataError(f"{type(self).__name__} are not changed one by one")

    def slope_by_state(self, v: Array) -> Array:
        """di/dm_z (..., M, N) [A] at cell voltages v (..., M, N) [V], m_z = cos(theta). Raises
        DataError for cells that are no junctions."""
        raise DataError("a derivative with respect to m_z needs MTJCells; take "
                        'by="conductance" or "scale"')

    @property
    def conductance(self) -> Array:
        """Slopes (M, N) at zero bias [S]; 0 where a cell is open."""
        return self.current(np.zeros(self.shape))[1]

    @property
    def conducts(self) -> Mask:
        """(M, N) Which cells carry a current at some voltage; the others are open."""
        return self.conductance.reshape(-1, *self.shape)[0] > 0  # whatever their states


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearCells(Cells):
    """Ohmic cells of conductance g (M, N) [S], 0 for an open cell.

    broken : (M, N) cells that `with_defects` made short or open: the same in whatever state.
    Raises DataError if g is negative or not finite.
    """

    __repr__ = short_repr

    g: Array
    broken: Mask | None = None

    def __post_init__(self) -> None:
        g = real_array(self.g, "cell conductances [S]")
        if g.ndim != 2 or g.size == 0:
            raise DataError(f"cell conductances must have shape (M, N), both at least 1, got {g.shape}")
        if not all_between(g, 0.0, np.finfo(float).max):
            i, j = np.argwhere(~(np.isfinite(g) & (g >= 0)))[0]
            raise DataError(f"cell [{i},{j}] has conductance {g[i, j]} S; it must be finite and at least 0 (0: open)")
        _must_be_in_range(g)
        object.__setattr__(self, "g", g)

    @property
    def shape(self) -> tuple[int, int]:
        return self.g.shape[0], self.g.shape[1]

    @property
    def linear(self) -> bool:
        return True

    def current(self, v: Array) -> tuple[Array, Array]:
        return self.g * v, self.g

    @property
    def conductance(self) -> Array:
        return self.g

    def of_rows(self, rows: IntArray) -> "LinearCells":
        broken = None if self.broken is None else self.broken[rows]
        return LinearCells(g=self.g[rows], broken=broken)

    def with_conductance(self, g: npt.ArrayLike) -> "LinearCells":
        """The cells with other conductances g [S], a number or (M, N), but for the broken ones.
        Raises ValueError for another shape."""
        g = np.broadcast_to(np.asarray(g, dtype=float), self.shape)
        if self.broken is not None:
            g = np.where(self.broken, self.g, g)
        return LinearCells(g=g, broken=self.broken)

    def with_cell(self, i: int, j: int, other: Cells) -> "LinearCells":
        g = self.g.copy()
        g[i, j] = other.conductance[i, j]
        return LinearCells(g=g, broken=self.broken)

    @cached_property
    def matrices(self) -> tuple[Array, ...]:
        """Parameters of the law in `cell_kernels`: those of a junction without magnetoresistance."""
        return matrices(self.g, 0.0, 1.0)

    def batch(self, names: Sequence[str], nodes: IntArray, which: IntArray) -> Batch:
        return Resistors(names=names, nodes=nodes, g=self.g.ravel()[which])

    def with_defects(self, defects: mtj.Defects, g_short: npt.ArrayLike = G_SHORT) -> "LinearCells":
        """The cells with some open (0 S) and some short (g_short [S], a number or (M, N)).

        Raises DataError for masks that do not fit the cells, a g_short that is not positive and finite, and stuck cells:
        of a bare conductance nobody knows which state it is.
        """
        g = _with_ohmic(self.g, defects, g_short)
        if (defects.stuck_p | defects.stuck_ap).any():
            raise DataError("cells stuck in P or AP need states: use MTJCells(params, state, defects)")
        broken = np.broadcast_to(defects.mask, self.shape)
        return LinearCells(g=g, broken=broken if self.broken is None else broken | self.broken)


@dataclass(frozen=True, eq=False)
class MTJCells(Cells):
    """Junctions, free layer on the word line.

    params : fields are scalars or broadcast to (M, N); or the name of a preset.
    state : (M, N), whatever `crossbar.mtj.as_state` accepts, 1 and 0 as well; kept as +1 parallel,
        -1 antiparallel (`crossbar.mtj.states_as` gives other forms).
    defects : masks (M, N). A short is a resistor of g_short [S] (a number or (M, N)), an open cell carries
        nothing, a stuck one is in the state it is stuck in, whatever `state` says.
    m_z : (M, N) in [-1, 1], instead of state: cos(theta), for partly switched cells (a mean over domains or devices).
    state and m_z may have leading axes (..., M, N): the same cells in many states, one for each input of a solve.
    Raises DataError for a state or m_z out of range, and for shapes that do not fit.
    """

    __repr__ = short_repr

    params: mtj.MTJParams  # or str, which becomes them
    state: npt.ArrayLike | None = None
    defects: mtj.Defects | None = None
    g_short: npt.ArrayLike = field(default=G_SHORT, kw_only=True)
    m_z: Array | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "params", mtj.as_params(self.params))
        if (self.state is None) == (self.m_z is None):
            raise DataError("MTJ cells need state (M, N), or m_z (M, N) in [-1, 1], not both")
        m_z = real_array(self.m_z, "m_z") if self.state is None else mtj.as_state(self.state).astype(float)
        if m_z.ndim < 2 or m_z.size == 0:
            raise DataError(f"MTJ states must have shape (M, N), both at least 1, got {m_z.shape}")
        if not (np.abs(m_z) <= 1).all():
            raise DataError("m_z = cos(theta) must lie in [-1, 1]")
        try:
            fits = np.broadcast_shapes(self.params.shape, m_z.shape[-2:]) == m_z.shape[-2:]
        except ValueError:
            fits = False
        if not fits:
            raise DataError(f"MTJ parameters of shape {self.params.shape} do not fit states of shape {m_z.shape}")
        if self.defects is not None:
            _with_ohmic(np.broadcast_to(0.0, m_z.shape[-2:]), self.defects, self.g_short)  # refuses what does not fit
            m_z = np.where(self.defects.stuck_p, 1.0, np.where(self.defects.stuck_ap, -1.0, m_z))
        object.__setattr__(self, "m_z", m_z)
        with np.errstate(all="ignore"):
            law = (self.params.g_p, self.params.tmr_0, 1 / np.asarray(self.params.v_h), *brinkman(self.params))
        if not all((np.abs(x) <= SIEMENS[1]).all() for x in map(np.asarray, law)) or np.any(np.less(self.params.g_p, SIEMENS[0])):
            raise DataError("MTJ parameters out of range: conductances, ratios and reciprocal voltages are at most "
                            f"{SIEMENS[1]:g}, conductances at least {SIEMENS[0]:g} S")
        if self.state is not None:
            object.__setattr__(self, "state", m_z.astype(np.int8))

    @property
    def kinds(self) -> str:
        if self.stacked:
            return f"MTJCells in {self._m_z.size // np.prod(self.shape)} sets of states"
        counts = {"P": self._m_z == 1, "AP": self._m_z == -1, "in between": np.abs(self._m_z) < 1}
        if self.defects is not None:
            sound = ~self.defects.mask
            counts = {name: mask & sound for name, mask in counts.items()}
            counts |= {name: getattr(self.defects, name) for name in DEFECTS}
        numbers = {name: np.count_nonzero(mask) for name, mask in counts.items()}
        return "MTJCells: " + ", ".join(f"{k} {name}" for name, k in numbers.items() if k)

    @property
    def _m_z(self) -> Array:
        assert self.m_z is not None  # __post_init__ saw to it
        return self.m_z

    @property
    def shape(self) -> tuple[int, int]:
        return self._m_z.shape[-2], self._m_z.shape[-1]

    @property
    def stacked(self) -> bool:
        return self._m_z.ndim > 2

    def of_input(self, which: IntArray | int) -> "MTJCells":
        everything = np.size(which) == len(self._m_z) and np.ndim(which) > 0 and bool((np.diff(which) > 0).all())
        return self if everything or not self.stacked else self.in_state(self._m_z[which])

    def of_rows(self, rows: IntArray) -> "MTJCells":
        def some(x: npt.ArrayLike) -> npt.NDArray[Any]:
            return np.broadcast_to(np.asarray(x), self.shape)[rows]
        params = pick_rows(self.params, self.shape, rows)
        defects = None
        if self.defects is not None:
            defects = mtj.Defects(**{k: some(getattr(self.defects, k)) for k in DEFECTS})
        g_short = self.g_short if np.ndim(self.g_short) == 0 else some(self.g_short)
        return MTJCells(params, defects=defects, g_short=g_short, m_z=self._m_z[..., rows, :])

    def with_state(self, state: npt.ArrayLike) -> "MTJCells":
        """The same cells in states (M, N), whatever `crossbar.mtj.as_state` accepts, but for those that are stuck."""
        return MTJCells(self.params, state, self.defects, g_short=self.g_short)

    def in_state(self, m_z: npt.ArrayLike) -> "MTJCells":
        """The same cells with cos(theta) = m_z (..., M, N), but for those that are stuck."""
        return MTJCells(self.params, defects=self.defects, g_short=self.g_short, m_z=real_array(m_z, "states"))

    def with_cell(self, i: int, j: int, other: Cells) -> "MTJCells":
        """The same cells but for the state of cell (i, j), which is that in `other`: defects stay
        as they are."""
        if not isinstance(other, MTJCells):
            raise DataError(f"a cell of MTJCells is not replaced by one of {type(other).__name__}")
        m_z = self._m_z.copy()
        m_z[..., i, j] = other._m_z[..., i, j]
        return self.in_state(m_z)

    def slope_by_state(self, v: Array) -> Array:
        """di/dm_z (..., M, N) [A] at cell voltages v (..., M, N) [V]: the current is linear in m_z;
        0 in cells that are short or open, which have no state, and stuck, whose state is fixed."""
        parallel = mtj.current(v, self.params, 1.0)[0]
        antiparallel = mtj.current(v, self.params, -1.0)[0]
        slope = (parallel - antiparallel) / 2
        return slope if self.defects is None else np.where(self.defects.mask, 0.0, slope)

    @property
    def linear(self) -> bool:
        return bool(np.isinf(self.params.v_h).all() and np.isinf(self.params.barrier).all())

    @cached_property
    def _ohmic(self) -> tuple[IntArray, IntArray, Array]:
        """Rows, columns and conductances (k,) [S] of the cells that are no junctions: short, or open (0)."""
        if self.defects is None:
            none = np.empty(0, np.intp)
            return none, none, np.empty(0)
        short, opened = (np.broadcast_to(mask, self.shape) for mask in (self.defects.short, self.defects.open))
        rows, columns = np.nonzero(short | opened)
        g = np.broadcast_to(np.asarray(self.g_short, dtype=float), self.shape)
        return rows, columns, np.where(short, g, 0.0)[rows, columns]

    @property
    def conducts(self) -> Mask:
        rows, columns, g_ohmic = self._ohmic
        conducting = np.ones(self.shape, bool)
        conducting[rows, columns] = g_ohmic > 0
        return conducting

    @cached_property
    def matrices(self) -> tuple[Array, ...]:
        """Parameters of the law in `cell_kernels`; of shorts and openings, those of a junction without magnetoresistance."""
        p, antiparallel = self.params, (1 - self._m_z) / 2
        b, c = brinkman(p)
        junction = p.g_p, antiparallel * p.tmr_0, 1 + p.tmr_0, 1 / p.v_h, b, c
        rows, columns, g = self._ohmic
        if not rows.size:
            return matrices(*junction)
        whole = [np.array(np.broadcast_to(x, (*np.shape(x)[:-2], *self.shape))) for x in junction]
        for x, value in zip(whole, matrices(g, 0.0, 1.0), strict=True):
            x[..., rows, columns] = value
        return matrices(*whole)

    def current(self, v: Array, out: tuple[Array, Array] | None = None) -> tuple[Array, Array]:
        """As of all cells: what `mtj.current` gives, to rounding, in one pass. out : two contiguous arrays (..., M, N) for the
        results of nonlinear cells, which are new ones otherwise."""
        if self.linear:
            g = mtj.conductance(self.params, self._m_z)
            rows, columns, g_ohmic = self._ohmic
            g[..., rows, columns] = g_ohmic
            return g * v, g
        v = np.asarray(v, dtype=float)
        shape = np.broadcast_shapes(v.shape, self._m_z.shape)
        v = np.require(np.broadcast_to(v, shape).reshape(-1, *self.shape), float, ["C", "W"])
        i, g = (np.empty(shape), np.empty(shape)) if out is None else (writable(x, shape, "out") for x in out)
        cell_kernels.junctions(self.matrices, v, i.reshape(v.shape), g.reshape(v.shape))
        return i, g

    def batch(self, names: Sequence[str], nodes: IntArray, which: IntArray) -> Batch:
        rows, columns, g_ohmic = self._ohmic
        g = np.full(self.shape, np.nan)
        g[rows, columns] = g_ohmic
        return MTJs(names=names, nodes=nodes, params=self.params.select(self.shape, which), state=self._m_z.ravel()[which],
                    ohmic=g.ravel()[which] if rows.size else None)


def _must_be_in_range(g: Array) -> None:
    """Raise DataError for conductances (M, N) [S] with which no current could be computed."""
    if all_between(g, *SIEMENS):
        return
    bad = out_of_range(g, SIEMENS)
    if bad.any():
        i, j = np.argwhere(bad)[0]
        raise DataError(f"cell [{i},{j}] has conductance {g[i, j]:g} S; it must be 0 (open) or between {SIEMENS[0]:g} and "
                        f"{SIEMENS[1]:g} S")


def _with_ohmic(g: Array, defects: mtj.Defects, g_short: npt.ArrayLike) -> Array:
    """Conductances g (M, N) with those of short and open cells; DataError where the shapes do not fit."""
    if not isinstance(defects, mtj.Defects):
        raise DataError(f"defects are xb.mtj.Defects(short=mask, ...), not {type(defects).__name__}")
    changed = defects.conductance(g, real_array(g_short, "g_short [S]"))
    if changed.shape != g.shape:
        raise DataError(f"defects of shape {defects.shape} with g_short of shape {np.shape(g_short)} do not fit cells of shape "
                        f"{g.shape}")
    _must_be_in_range(changed)
    return changed
