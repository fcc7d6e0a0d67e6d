"""Linear elements: resistors, independent and controlled sources (stamps: Ho, Ruehli, Brennan, IEEE Trans. Circuits
Syst. 22, 504 (1975)).

A positive branch current enters the + terminal (SPICE).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crossbar.elements.base import Array, Batch, IntArray, Mask, repeat
from crossbar.errors import DataError
from crossbar.summaries import short_repr


@dataclass(frozen=True, kw_only=True, eq=False)
class Resistors(Batch):
    """i = g (v_a - v_b): nodal form, no extra unknown."""

    __repr__ = short_repr

    g: Array  # (n,) conductance [S]
    stencil: ClassVar[Array] = np.ones((2, 2))

    def evaluate(self, x: Array) -> tuple[Array, Array]:
        i = self.g * (x[:, 0] - x[:, 1])
        return np.column_stack((i, -i)), self.g[:, None] * np.array([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Wires(Batch):
    """v_a - v_b = r i: branch form. The current is an unknown, so r = 0 is an exact short, and a tiny r costs no digits
    (in nodal form the current of 1 uohm is rounding error: 1e-16 V / 1e-6 ohm = 1e-10 A)."""

    __repr__ = short_repr

    r: Array  # (n,) resistance [ohm]
    has_branch: ClassVar[bool] = True
    stencil: ClassVar[Array] = np.array([[0, 0, 1], [0, 0, 1], [1, 1, 1]])

    def evaluate(self, x: Array) -> tuple[Array, Array]:
        a, b, i = x.T
        slopes = repeat([1, -1, 1, -1, 0], len(x)).copy()
        slopes[:, 4] = -self.r
        return np.column_stack((i, -i, a - b - self.r * i)), slopes

    @property
    def rigid(self) -> Mask:
        return self.r == 0


@dataclass(frozen=True, kw_only=True, eq=False)
class IdealLines(Batch):
    """Nodes of lines of exactly 0 ohm between two ends at one voltage; nodes are near end, node of the line, far end.

    Any division of the current between the ends obeys Kirchhoff's laws. Taken is that of segments of equal resistance r, in the
    limit r -> 0: a node's current i comes from the near end by the share of the line that lies beyond the node (lever rule).
    """

    share: Array  # (n,) of the node's current that comes from the near end [1]
    terminals: ClassVar[int] = 3
    has_branch: ClassVar[bool] = True
    stencil: ClassVar[Array] = np.array([[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1], [1, 1, 1, 0]])

    def evaluate(self, x: Array) -> tuple[Array, Array]:
        near, node, far, i = x.T
        rest, one = 1 - self.share, np.ones_like(i)
        f = np.column_stack((self.share * i, -i, rest * i, self.share * near + rest * far - node))
        return f, np.column_stack((self.share, -one, rest, self.share, -one, rest))


def lever_shares(count: int) -> Array:
    """(count,) What comes from the near end of the currents of a line's nodes, see `IdealLines`."""
    return np.arange(count, 0, -1) / (count + 1)


R_BRANCH = 1e-3  # below this, or a millionth of the largest, a resistor takes the branch form [ohm]


def resistors(names: Sequence[str], nodes: IntArray, r: Array) -> list[Batch]:
    """Resistors of r (n,) ohm, at least 0, between nodes (n, 2): nodal form where r allows it, else branch form."""
    bad = ~(r >= 0)
    if bad.any():
        raise DataError(f"{names[int(np.argmax(bad))]} has resistance {r[bad][0]} ohm; it must be at least 0")
    finite = r[np.isfinite(r)]
    small = r < np.maximum(R_BRANCH, 1e-6 * finite.max(initial=0.0))
    out: list[Batch] = []
    if not small.all():
        out.append(Resistors(names=[n for n, k in zip(names, small, strict=True) if not k], nodes=nodes[~small],
                             g=1 / r[~small]))
    if small.any():
        out.append(Wires(names=[n for n, k in zip(names, small, strict=True) if k], nodes=nodes[small], r=r[small]))
    return out


@dataclass(frozen=True, kw_only=True, eq=False)
class VoltageSources(Batch):
    """v_+ - v_- = value."""

    __repr__ = short_repr

    value: Array  # (n,) [V]
    has_branch: ClassVar[bool] = True
    stencil: ClassVar[Array] = np.array([[0, 0, 1], [0, 0, 1], [1, 1, 0]])

    def evaluate(self, x: Array) -> tuple[Array, Array]:
        plus, minus, i = x.T
        return np.column_stack((i, -i, plus - minus - self.value)), repeat([1, -1, 1, -1], len(x))


@dataclass(frozen=True, kw_only=True, eq=False)
class CurrentSources(Batch):
    """A current `value` flows from the + node through the source to the - node."""

    __repr__ = short_repr

    value: Array  # (n,) [A]
    stencil: ClassVar[Array] = np.zeros((2, 2))

    def evaluate(self, x: Array) -> tuple[Array, Array]:
        return np.column_stack((self.value, -self.value)), np.empty((len(x), 0))

    @property
    def conducts(self) -> Mask:
        return np.zeros(len(self.nodes), bool)


@dataclass(frozen=True, kw_only=True, eq=False)
class VCVS(Batch):
    """E element: v_+ - v_- = gain (v_c+ - v_c-); nodes are +, -, c+, c-."""

    __repr__ = short_repr

    gain: Array  # (n,) [1]
    terminals: ClassVar[int] = 4
    has_branch: ClassVar[bool] = True
    stencil: ClassVar[Array] = np.array(
        [[0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 0]])

    def evaluate(self, x: Array) -> tuple[Array, Array]:
        plus, minus, c_plus, c_minus, i = x.T
        zero = np.zeros_like(i)
        one = np.ones_like(i)
        f = np.column_stack((i, -i, zero, zero, plus - minus - self.gain * (c_plus - c_minus)))
        return f, np.column_stack((one, -one, one, -one, -self.gain, self.gain))


@dataclass(frozen=True, kw_only=True, eq=False)
class VCCS(Batch):
    """G element: gain (v_c+ - v_c-) flows from + through the source to -; nodes are +, -, c+, c-."""

    __repr__ = short_repr

    gain: Array  # (n,) [S]
    terminals: ClassVar[int] = 4
    stencil: ClassVar[Array] = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]])

    def evaluate(self, x: Array) -> tuple[Array, Array]:
        i = self.gain * (x[:, 2] - x[:, 3])
        zero = np.zeros_like(i)
        return np.column_stack((i, -i, zero, zero)), self.gain[:, None] * np.array([1.0, -1.0, -1.0, 1.0])

    @property
    def conducts(self) -> Mask:  # where it reads its own voltage it is a conductance
        return (self.nodes[:, :2] == self.nodes[:, 2:]).all(axis=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class CCCS(Batch):
    """F element: gain times the branch current of another element flows from + through the source to -."""

    __repr__ = short_repr

    gain: Array             # (n,) [1]
    control: Sequence[str]  # (n,) names of the sensed elements
    stencil: ClassVar[Array] = np.array([[0, 0, 1], [0, 0, 1]])

    @property
    def senses(self) -> Sequence[str]:
        return self.control

    def evaluate(self, x: Array) -> tuple[Array, Array]:
        i = self.gain * x[:, 2]
        return np.column_stack((i, -i)), self.gain[:, None] * np.array([1.0, -1.0])

    @property
    def conducts(self) -> Mask:
        return np.zeros(len(self.nodes), bool)


@dataclass(frozen=True, kw_only=True, eq=False)
class CCVS(Batch):
    """H element: v_+ - v_- = gain times the branch current of another element."""

    __repr__ = short_repr

    gain: Array             # (n,) [ohm]
    control: Sequence[str]  # (n,) names of the sensed elements
    has_branch: ClassVar[bool] = True
    stencil: ClassVar[Array] = np.array([[0, 0, 1, 0], [0, 0, 1, 0], [1, 1, 0, 1]])

    @property
    def senses(self) -> Sequence[str]:
        return self.control

    def evaluate(self, x: Array) -> tuple[Array, Array]:
        plus, minus, i, sensed = x.T
        slopes = repeat([1, -1, 1, -1, 0], len(x)).copy()
        slopes[:, 4] = -self.gain
        return np.column_stack((i, -i, plus - minus - self.gain * sensed)), slopes
