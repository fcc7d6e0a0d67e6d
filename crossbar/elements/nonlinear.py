"""Two-terminal devices whose current is a nonlinear function of their voltage.

MTJs follow crossbar.mtj.conduction. Behavioural sources (B, and E / G with VALUE) take an expression of other voltages
and currents; each has its own number of unknowns, so a batch of them holds one device.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crossbar import mtj
from crossbar.elements.base import Array, Batch, IntArray, Mask
from crossbar.expressions import Expression, Probe, Scope


@dataclass(frozen=True, kw_only=True, eq=False)
class MTJs(Batch):
    """Junctions from the free layer (first node) to the fixed layer (second node)."""

    params: mtj.MTJParams  # fields are scalars or (n,)
    state: Array           # (n,) cos(theta): +1 P, -1 AP
    linear: ClassVar[bool] = False
    stencil: ClassVar[Array] = np.ones((2, 2))

    def evaluate(self, x: Array) -> tuple[Array, Array]:
        i, g = mtj.current(x[:, 0] - x[:, 1], self.params, self.state)
        return np.column_stack((i, -i)), g[:, None] * np.array([1.0, -1.0, -1.0, 1.0])


def join_mtjs(*, names: Sequence[str], nodes: IntArray, params: Sequence[mtj.MTJParams],
              state: Sequence[float]) -> MTJs:
    """One batch of single junctions."""
    fields = {f: np.array([getattr(p, f) for p in params]) for f in ("r_p", "tmr", "v_h")}
    return MTJs(names=names, nodes=nodes, params=mtj.MTJParams(**fields), state=np.array(state, dtype=float))


@dataclass(frozen=True, kw_only=True, eq=False)
class Behavioural(Batch):
    """One B source. Current form: i = e(...) flows + to -; voltage form (`voltage`): v_+ - v_- = e(...).

    nodes : (1, 2 + p): +, - and the p nodes the expression reads (`probes` of kind v, in pairs, ground for v(a)).
    """

    expression: Expression
    scope: Scope
    voltage: bool
    probes: tuple[Probe, ...]
    control: Sequence[str] = ()  # elements whose current the expression reads
    linear: ClassVar[bool] = False

    @property
    def has_branch(self) -> bool:  # type: ignore[override]
        return self.voltage

    @property
    def conducts(self) -> Mask:  # where it reads one of its own nodes the current depends on its voltage
        return np.array([self.voltage or bool(np.isin(self.nodes[0, :2], self.nodes[0, 2:]).any())])

    @property
    def senses(self) -> Sequence[str]:
        return self.control

    @property
    def stencil(self) -> Array:  # type: ignore[override]
        reads = np.ones(self.nodes.shape[1] - 2)
        tail = np.ones(len(self.control))
        if not self.voltage:
            row = np.concatenate(([0, 0], reads, tail))
            return np.vstack((row, row, np.zeros((reads.size, row.size))))
        kcl = np.concatenate(([0, 0], 0 * reads, [1], 0 * tail))
        branch = np.concatenate(([1, 1], reads, [0], tail))
        return np.vstack((kcl, kcl, np.zeros((reads.size, kcl.size)), branch))

    def evaluate(self, x: Array) -> tuple[Array, Array]:
        read = self.nodes.shape[1] - 2
        pairs = x[0, 2:2 + read].reshape(-1, 2)
        sensed = iter(x[0, 2 + read + self.voltage:])
        volts = iter(pairs[:, 0] - pairs[:, 1])
        values = {p: float(next(volts) if p.kind == "v" else next(sensed)) for p in self.probes}
        value, slope = self.expression.gradient(self.scope, values)
        d_v = np.array([slope.get(p, 0.0) for p in self.probes if p.kind == "v"])
        d_i = np.array([slope.get(p, 0.0) for p in self.probes if p.kind == "i"])
        d = np.concatenate((np.column_stack((d_v, -d_v)).ravel(), d_i))
        zeros = np.zeros(read)
        if not self.voltage:
            return np.concatenate(([value, -value], zeros))[None], np.concatenate((d, -d))[None]
        i = x[0, 2 + read]
        f = np.concatenate(([i, -i], zeros, [x[0, 0] - x[0, 1] - value]))
        return f[None], np.concatenate(([1, -1, 1, -1], -d))[None]
