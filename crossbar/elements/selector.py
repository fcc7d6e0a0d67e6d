"""Two-terminal selectors, and cells with one in series (1S1R).

    DiodeSelector      i = i_s (exp(v / (n k T / e)) - 1)                                    one way
    SinhSelector       i = i_s sinh(v / v_0)                                                both ways
    ThresholdSelector  i = g v,  g = g_off + (g_on - g_off) / (1 + exp((v_th - |v|) / width))

The first is Shockley's diode, the second the symmetric exponential of mixed ionic-electronic and tunnelling selectors, the third
a threshold switch without snapback: its current rises with the voltage, so that a cell has one state (devices: Burr et al.,
J. Vac. Sci. Technol. B 32, 040802 (2014)). From an exponent of 80 on, exponentials go on along their tangent.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from crossbar.checks import instance
from crossbar.elements import cell_kernels
from crossbar.elements.base import Array, Batch, IntArray
from crossbar.elements.cells import Cells
from crossbar.elements.fields import Device, Value, entry, matrices, pick
from crossbar.elements.series import Series, junction_matrices
from crossbar.errors import DataError
from crossbar.summaries import short_repr
from crossbar.units import E_CHARGE, K_BOLTZMANN


@dataclass(frozen=True, kw_only=True, eq=False)
class Selector(Device):
    """One selector, or many: every field is a number or an array that broadcasts to the cells' shape."""

    kind: ClassVar[int]  # number of the law in `cell_kernels`

    @property
    @abstractmethod
    def values(self) -> tuple[Value, ...]:
        """The parameters that `cell_kernels` takes."""

    def current(self, v: npt.ArrayLike) -> tuple[Array, Array]:
        """Current [A] and slope di/dv [S] at voltages v [V], of the broadcast shape of v and the fields."""
        v = np.asarray(v, dtype=float)
        shape = np.broadcast_shapes(v.shape, self.shape)
        values = matrices(*(x if np.ndim(x) == 0 else np.broadcast_to(x, shape).ravel() for x in self.values))
        i, g = np.empty((1, int(np.prod(shape)))), np.empty((1, int(np.prod(shape))))
        cell_kernels.selectors(self.kind, values, np.require(np.broadcast_to(v, shape).reshape(1, -1), float, ["C", "W"]), i, g)
        return i.reshape(shape), g.reshape(shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class DiodeSelector(Selector):
    """Conducts from the junction's side to the other."""

    __repr__ = short_repr

    i_s: Value = entry("A", least=1e-100, high=1e3)  # saturation current
    n: Value = entry("1", 1.0, least=1e-2, high=1e4)                 # ideality factor
    temperature: Value = entry("K", 300.15, least=1e-4, high=1e5)
    kind: ClassVar[int] = cell_kernels.DIODE

    @property
    def values(self) -> tuple[Value, ...]:
        return self.i_s, self.n * self.temperature * (K_BOLTZMANN / E_CHARGE)


@dataclass(frozen=True, kw_only=True, eq=False)
class SinhSelector(Selector):
    """Conducts both ways."""

    __repr__ = short_repr

    i_s: Value = entry("A", least=1e-100, high=1e3)  # current at v_0 is 1.18 i_s
    v_0: Value = entry("V", least=1e-7, high=1e6)  # at large voltages the current grows e-fold in v_0
    kind: ClassVar[int] = cell_kernels.SINH

    @property
    def values(self) -> tuple[Value, ...]:
        return self.i_s, self.v_0


@dataclass(frozen=True, kw_only=True, eq=False)
class ThresholdSelector(Selector):
    """Switches both ways at v_th. Raises DataError where g_on is below g_off."""

    __repr__ = short_repr

    g_off: Value = entry("S", least=1e-100, high=1e6)    # conductance below the threshold
    g_on: Value = entry("S", least=1e-100, high=1e6)     # and above it
    v_th: Value = entry("V", high=1e6)
    width: Value = entry("V", least=1e-7, high=1e6)    # of the transition: 12 % to 88 % of the way in 4 widths
    kind: ClassVar[int] = cell_kernels.THRESHOLD

    def __post_init__(self) -> None:
        super().__post_init__()
        if not np.all(np.asarray(self.g_on) >= self.g_off):
            raise DataError("ThresholdSelector needs g_on at least g_off [S]")

    @property
    def values(self) -> tuple[Value, ...]:
        return self.g_off, self.g_on, self.v_th, self.width


@dataclass(frozen=True, kw_only=True, eq=False)
class SelectorCells(Cells):
    """M x N cells: junctions (LinearCells or MTJCells) on the word line, selectors behind them on the bit line.

    Raises DataError where the selectors' fields do not broadcast to (M, N).
    """

    __repr__ = short_repr

    cells: Cells
    selector: Selector

    def __post_init__(self) -> None:
        junction_matrices(self.cells)
        instance(self.selector, Selector, "selector: a Selector").must_fit(self.cells.shape)

    @property
    def shape(self) -> tuple[int, int]:
        return self.cells.shape

    @property
    def kinds(self) -> str:
        return f"{self.cells.kinds}; {type(self.selector).__name__}"

    @property
    def linear(self) -> bool:
        return False

    @cached_property
    def _series(self) -> Series:
        return Series(kind=self.selector.kind, junction=junction_matrices(self.cells), device=matrices(*self.selector.values),
                      shape=self.shape)

    def current(self, v: Array, *, share: Array | None = None) -> tuple[Array, Array]:
        """As of all cells; share : see `Series.current`; share v is the voltage of the junction."""
        i, g, _ = self._series.current(v, 0.0, share=share)
        return i, g

    def batch(self, names: Sequence[str], nodes: IntArray, which: IntArray) -> Batch:
        whole = self._series
        return SeriesPairs(names=names, nodes=nodes, series=Series(
            kind=whole.kind, junction=pick(whole.junction, self.shape, which), device=pick(whole.device, self.shape, which),
            shape=(1, len(which))))


@dataclass(frozen=True, kw_only=True, eq=False)
class SeriesPairs(Batch):
    """Junctions in series with selectors, from the first node to the second; the nodes between them are eliminated."""

    __repr__ = short_repr

    series: Series  # of shape (1, n)
    linear: ClassVar[bool] = False
    stencil: ClassVar[Array] = np.ones((2, 2))

    def evaluate(self, x: Array) -> tuple[Array, Array]:
        i, g, _ = self.series.current((x[:, 0] - x[:, 1])[None], 0.0)
        return np.column_stack((i[0], -i[0])), g[0][:, None] * np.array([1.0, -1.0, -1.0, 1.0])
