"""What a user applies to an array's terminals, checked and brought to one shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.ma as ma
import numpy.typing as npt

from crossbar import memory
from crossbar.checks import VOLTS, count, finite_number, real_array, whole_numbers
from crossbar.circuit import CircuitBuilder
from crossbar.elements.base import Array, IntArray, Mask
from crossbar.elements.linear import VoltageSources
from crossbar.elements.xbar import SIDES, distinct, lines_of
from crossbar.errors import DataError, TopologyError

Drive = npt.ArrayLike | None


def only(lines: int, k: int | Sequence[int], volts: float = 0.0) -> "ma.MaskedArray":
    """A drive (lines,) that holds line k (or each of several) at `volts` [V] and leaves the ends of
    the others open.

    Raises DataError where lines is no count, k no line and volts no finite number.
    """
    lines = count(lines, "only: the number of lines")
    memory.require(f"a drive of {lines} lines", 9.0 * lines)
    driven_lines = whole_numbers(k, "only: the driven line, or lines,")
    if not driven_lines.size or not ((-lines <= driven_lines) & (driven_lines < lines)).all():
        raise DataError(f"only: {k!r} is no line, or lines, of {lines}")
    volts = finite_number(volts, "only: the voltage [V]")
    driven = np.zeros(lines, bool)
    driven[driven_lines] = True
    return ma.array(np.full(lines, volts), mask=~driven)


@dataclass(frozen=True, eq=False)
class Drives:
    """Terminal voltages {side: (batch, lines)} [V], 0 where open; which ends are connected; one input or a batch."""

    volts: dict[str, Array]
    on: dict[str, Mask]
    single: bool

    @classmethod
    def of(cls, values: Sequence[Drive], shape: tuple[int, int], sides: Sequence[str] = SIDES) -> "Drives":
        """From one value a side, in the order of `sides`; raises DataError for what is no voltage or has a wrong shape."""
        given = {side: _one_side(side, value, lines_of(side, shape))
                 for side, value in zip(sides, values, strict=True)}
        sizes = {side: len(v) for side, (v, _) in given.items() if v.ndim == 2}
        if len(set(sizes.values())) > 1:
            raise DataError("drives come as batches of different lengths: "
                            + ", ".join(f"{side} {size}" for side, size in sizes.items()))
        batch = max(sizes.values(), default=1)
        memory.require(f"drives for {batch} inputs", 9.0 * batch * 2 * sum(shape))
        volts = {s: np.array(np.broadcast_to(v, (batch, v.shape[-1])), dtype=float) for s, (v, _) in given.items()}
        on = {s: np.array(np.broadcast_to(m, (batch, m.shape[-1])), dtype=bool) for s, (_, m) in given.items()}
        drives = cls(volts, on, not sizes)
        driven = np.logical_or.reduce([m.any(axis=1) for m in drives.on.values()])
        if not driven.all():
            which = f" for input {int(np.argmin(driven))} of {batch}" if sizes else ""
            raise DataError(f"nothing is driven{which}: every end of every line is open")
        return drives

    @property
    def batch(self) -> int:
        """Number of inputs."""
        return len(next(iter(self.volts.values())))

    @property
    def connected(self) -> dict[str, Mask]:
        """{side: (lines,)} of the first input; after `groups`, of all."""
        return {side: mask[0] for side, mask in self.on.items()}

    def take(self, which: IntArray) -> "Drives":
        """Some of the inputs."""
        return replace(self, volts={s: v[which] for s, v in self.volts.items()},
                       on={s: m[which] for s, m in self.on.items()})

    def repeated(self, batch: int) -> "Drives":
        """The same input so many times; raises DataError for another number of inputs."""
        if self.batch not in (1, batch):
            raise DataError(f"{self.batch} inputs do not fit {batch} states of the cells")
        return replace(self.take(np.zeros(batch, np.intp)) if self.batch == 1 else self, single=False)

    def groups(self) -> list[IntArray]:
        """Indices of inputs with the same ends open."""
        pattern = np.concatenate(list(self.on.values()), axis=1)
        if (pattern == pattern[0]).all():
            return [np.arange(self.batch)]
        label = np.unique(pattern, axis=0, return_inverse=True)[1].ravel()
        return [np.flatnonzero(label == k) for k in range(label.max() + 1)]

    def blocks(self, size: int) -> Iterator[IntArray]:
        """Indices of inputs with the same ends open, at most `size` at a time."""
        for group in self.groups():
            yield from pieces(group, size)

    def check_shorts(self, first: Array, second: Array) -> None:
        """Raise TopologyError where a line of exactly 0 ohm joins two voltages; resistances (L, n+1) of both planes' lines,
        with their leads."""
        ends = list(self.volts)
        for a, b, r in ((ends[0], ends[1], first), (ends[2], ends[3], second)):
            clash = (distinct(r) == 0).all(axis=1) & (self.volts[a] != self.volts[b])
            if clash.any():
                k, line = np.argwhere(clash)[0]
                raise TopologyError(f"{a}[{line}] at {self.volts[a][k, line]:g} V and {b}[{line}] at "
                                    f"{self.volts[b][k, line]:g} V are joined through exactly 0 ohm")


def pieces(which: IntArray, size: int) -> Iterator[IntArray]:
    """At most `size` at a time."""
    for start in range(0, len(which), size):
        yield which[start:start + size]


def add_sources(builder: CircuitBuilder, side: str, volts: Array, on: Mask) -> IntArray:
    """A voltage source at every connected end; node numbers (lines,), -1 where open."""
    lines = np.flatnonzero(on)
    nodes = np.full(on.size, -1)
    if lines.size:
        nodes[lines] = [builder.node(f"{side}[{k}]") for k in lines]
        builder.add(VoltageSources(names=[f"v_{side}[{k}]" for k in lines], value=volts[lines],
                                   nodes=np.column_stack((nodes[lines], np.zeros_like(lines)))))
    return nodes


def applied_volts(side: str, value: Any) -> Array:
    """Voltages of a side [V] as numbers, 0 where masked. Raises DataError for what are none."""
    if isinstance(value, ma.MaskedArray) and value.dtype.kind in "biuf":
        value = value.filled(0)
    return real_array(value, f"{side} [V]")


def _one_side(side: str, value: Drive, lines: int) -> tuple[Array, Mask]:
    if value is None:
        return np.zeros(lines), np.zeros(lines, bool)
    volts = applied_volts(side, value)
    if volts.ndim > 2 or (volts.ndim and volts.shape[-1] != lines) or volts.size == 0:
        raise DataError(f"{side} must be a scalar, ({lines},) or (batch, {lines}) [V], got shape {volts.shape}")
    if not (np.abs(volts) <= VOLTS).all():  # or NaN
        raise DataError(f"{side} holds a voltage that is not finite, or beyond {VOLTS:g} V; mask an entry (numpy.ma) to leave "
                        "its end open")
    if volts.ndim == 0:
        volts = np.full(lines, float(volts))
    return volts, ~np.broadcast_to(ma.getmask(value), volts.shape)
