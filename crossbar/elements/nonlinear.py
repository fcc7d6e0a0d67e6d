"""Two-terminal devices whose current is a nonlinear function of their voltage.

MTJs follow crossbar.mtj.conduction. Behavioural sources (B, and E / G with VALUE) take an expression of other voltages
and currents; each has its own number of unknowns, so a batch of them holds one device.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crossbar import mtj
from crossbar.elements.base import Array, Batch, IntArray, Mask
from crossbar.errors import ConvergenceError
from crossbar.expressions import Expression, ExpressionError, Probe, Scope
from crossbar.summaries import short_repr


@dataclass(frozen=True, kw_only=True, eq=False)
class MTJs(Batch):
    """Junctions from the free layer (first node) to the fixed layer (second node)."""

    __repr__ = short_repr

    params: mtj.MTJParams  # fields are scalars or (n,)
    state: Array           # (n,) cos(theta): +1 P, -1 AP
    ohmic: Array | None = None  # (n,) conductance [S] of those that are short; NaN of the others
    linear: ClassVar[bool] = False
    stencil: ClassVar[Array] = np.ones((2, 2))

    def evaluate(self, x: Array) -> tuple[Array, Array]:
        v = x[:, 0] - x[:, 1]
        i, g = mtj.current(v, self.params, self.state)
        if self.ohmic is not None:
            junction = np.isnan(self.ohmic)
            i, g = np.where(junction, i, self.ohmic * v), np.where(junction, g, self.ohmic)
        return np.column_stack((i, -i)), g[:, None] * np.array([1.0, -1.0, -1.0, 1.0])


def join_mtjs(*, names: Sequence[str], nodes: IntArray, params: Sequence[mtj.MTJParams],
              state: Sequence[float]) -> MTJs:
    """One batch of single junctions."""
    return MTJs(names=names, nodes=nodes, params=mtj.MTJParams.stack(params), state=np.array(state, dtype=float))


@dataclass(frozen=True, kw_only=True, eq=False)
class Behavioural(Batch):
    """One B source. Current form: i = e(...) flows + to -; voltage form (`voltage`): v_+ - v_- = e(...).

    nodes : (1, 2 + 2p): +, - and both nodes of each of the p voltages the expression reads.
    """

    __repr__ = short_repr

    expression: Expression
    scope: Scope
    voltage: bool
    volts: tuple[Probe, ...]   # voltages that the expression reads, under the names it uses
    amps: tuple[Probe, ...]    # branch currents that it reads
    control: Sequence[str]     # the elements that carry them
    linear: ClassVar[bool] = False

    @property
    def has_branch(self) -> bool:  # type: ignore[override]
        return self.voltage

    @property
    def conducts(self) -> Mask:  # where it reads one of its own nodes the current depends on its voltage
        own, read = self.nodes[0, :2], self.nodes[0, 2:]
        return np.array([self.voltage or bool((np.isin(own, read) & (own > 0)).any())])

    @property
    def senses(self) -> Sequence[str]:
        return self.control

    @property
    def stencil(self) -> Array:  # type: ignore[override]
        reads, tail = np.ones(2 * len(self.volts)), np.ones(len(self.amps))
        if not self.voltage:
            row = np.concatenate(([0, 0], reads, tail))
            return np.vstack((row, row, np.zeros((reads.size, row.size))))
        kcl = np.concatenate(([0, 0], 0 * reads, [1], 0 * tail))
        branch = np.concatenate(([1, 1], reads, [0], tail))
        return np.vstack((kcl, kcl, np.zeros((reads.size, kcl.size)), branch))

    def evaluate(self, x: Array) -> tuple[Array, Array]:
        reads = 2 * len(self.volts)
        volts = x[0, 2:2 + reads:2] - x[0, 3:2 + reads:2]
        amps = x[0, 2 + reads + self.voltage:]
        probes = dict(zip((*self.volts, *self.amps), map(float, (*volts, *amps)), strict=True))
        try:
            value, slope = self.expression.gradient(self.scope, probes)
        except ExpressionError as error:  # the iterate may have strayed to where the expression has no value
            raise ConvergenceError(f"{self.names[0]}: {error}") from error
        d_volts = np.array([slope[p] for p in self.volts])
        d = np.concatenate((np.column_stack((d_volts, -d_volts)).ravel(), [slope[p] for p in self.amps]))
        none = np.zeros(reads)
        if not self.voltage:
            return np.concatenate(([value, -value], none))[None], np.concatenate((d, -d))[None]
        i = x[0, 2 + reads]
        f = np.concatenate(([i, -i], none, [x[0, 0] - x[0, 1] - value]))
        return f[None], np.concatenate(([1, -1, 1, -1], -d))[None]


def behavioural(name: str, nodes: Sequence[int], expression: Expression, scope: Scope, voltage: bool,
                probes: Mapping[Probe, Probe]) -> Behavioural:
    """A B source. probes : what the expression reads -> the same under the circuit's names; nodes : +, -, then both
    nodes of every voltage read."""
    inner = {kind: tuple(p for p in probes if p.kind == kind) for kind in "vi"}
    return Behavioural(names=[name], nodes=np.array([nodes], dtype=np.intp), expression=expression, scope=scope,
                       voltage=voltage, volts=inner["v"], amps=inner["i"],
                       control=[probes[p].args[0] for p in inner["i"]])
