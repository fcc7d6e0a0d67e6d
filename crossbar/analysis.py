"""Analyses of a circuit: operating point and nested DC sweeps.

    circuit -> Plan (pattern, once) -> System (values) -> solver -> OperatingPoint / Sweep, each with its certificate
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Protocol

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from crossbar import memory, topology
from crossbar.circuit import Circuit, parse_output
from crossbar.elements.base import Array
from crossbar.elements.solution import ArraySolution
from crossbar.elements.xbar import SIDES, Xbar, lines_of
from crossbar.errors import CrossbarError, DataError
from crossbar.mna import Kirchhoff, Plan, System, Tolerances, analyse
from crossbar.solvers.newton import Ladder, Root, Solver

log = logging.getLogger(__name__)

_BYTES_AN_UNKNOWN = 3000  # pattern, values and LU factors of a planar-like network, from measurement


@dataclass(frozen=True, eq=False)
class OperatingPoint:
    """A solved circuit. Voltages and currents by name: `v("out")`, `v("a", "b")`, `i("v1")`, `i("x1[3,7]")`."""

    circuit: Circuit
    x: Array            # unknowns, in the order of crossbar.mna
    root: Root
    certificate: Kirchhoff
    _system: System
    plan: Plan

    @property
    def residual(self) -> float:
        """Largest |KCL| of a node [A]."""
        return self.certificate.residual

    @property
    def relative_residual(self) -> float:
        """Largest |KCL| of a node over the currents that meet there."""
        return self.certificate.relative_residual

    @property
    def iterations(self) -> int:
        """Newton steps."""
        return self.root.steps

    @property
    def method(self) -> str:
        """Which solver found the point."""
        return self.root.method

    @cached_property
    def terminal_forces(self) -> list[Array]:
        """What every batch of `circuit.flat` contributes to its equations: terminal currents [A] first."""
        return [f for f, _ in self._system.forces(self.x)]

    @cached_property
    def voltages(self) -> Array:
        """(nodes,) voltages [V] in the order of the circuit's nodes, ground first, inner nodes of arrays last; NaN for
        a node inside an array that no terminal reaches."""
        out = np.concatenate(([0.0], self.x[:self.circuit.node_count - 1]))
        out[self.plan.dead] = np.nan
        return out

    def v(self, node: str, reference: str = "0") -> float:
        """Voltage of a node, against another if given [V]."""
        a, b = self.circuit.node(node), self.circuit.node(reference)
        return float(self.voltages[a] - self.voltages[b])

    def i(self, element: str) -> float:
        """Current into an element's first terminal [A]."""
        k, at = self.circuit.element(element)
        return float(self.terminal_forces[k][at, 0])

    def __getitem__(self, output: str) -> float:
        """By the name of an output: "v(out)", "v(a,b)", "i(v1)", "state(x1[3,7])"."""
        kind, names = parse_output(output)
        if kind == "v":
            return self.v(*names)
        return self.i(*names) if kind == "i" else self.circuit.state(*names)

    def array(self, name: str) -> ArraySolution:
        """The solved state of an array of the circuit."""
        for k, xbar in enumerate(self.circuit.arrays):
            if xbar.name == name.lower():
                return self._array(k, xbar)
        raise DataError(f"there is no array {name!r}")

    def _array(self, k: int, xbar: Xbar) -> ArraySolution:
        first, at = self.circuit.first_inner[k], len(self.circuit.batches) + 3 * k
        word, bit = (self.voltages[n] for n in xbar.numbers(first))
        volts = {}
        for side in SIDES:
            nodes = xbar.terminals.get(side, np.full(lines_of(side, xbar.shape), -1))
            volts[side] = np.where(nodes >= 0, self.voltages[nodes], np.nan)
        along_word, along_bit = xbar.segment_currents(self.terminal_forces[at][:, 0], self.terminal_forces[at + 1][:, 0])
        out = (-along_word[:, 0], along_word[:, -1], -along_bit[0], along_bit[-1])
        misfit = self._system.balance(self.terminal_forces)[0]
        return ArraySolution(
            cells=xbar.cells, r_word=xbar.r_word, r_bit=xbar.r_bit, r_driver=xbar.r_driver,
            terminal_voltage=volts, terminal_current=dict(zip(SIDES, out, strict=True)), nodes=(word, bit),
            residual=float(np.abs(misfit[first - 1:first - 1 + xbar.node_count]).max()),
            relative_residual=self._system.array_residuals(self.x, misfit, self._system.forces(self.x))[k],
            iterations=self.root.steps, method="general")


def operating_point(circuit: Circuit, *, solver: Solver | None = None, reltol: float = 1e-3, abstol: float = 1e-12,
                    vntol: float = 1e-6, plan: Plan | None = None, start: Array | None = None) -> OperatingPoint:
    """Solve for the direct-current operating point.

    solver : Newton, gmin stepping, then source stepping by default. reltol, abstol [A], vntol [V] : SPICE's tolerances; linear
    circuits are held to 1e-10. plan : of a circuit with the same topology, to skip the analysis. start : unknowns to start from.
    Raises TopologyError where no unique solution can exist, ConvergenceError where none was found, SizeError for a circuit
    too large for the direct solver.
    """
    if not circuit.flat:
        raise DataError("the circuit holds no element")
    if plan is None:
        unknowns = circuit.node_count + sum(a.node_count for a in circuit.arrays)  # a wire current for each inner node
        memory.require(f"a circuit of {unknowns} unknowns on the general path", _BYTES_AN_UNKNOWN * unknowns)
        topology.check(circuit)
        plan = analyse(circuit)
    system = System(circuit, plan, Tolerances(reltol=reltol, abstol=abstol, vntol=vntol))
    if start is None:
        start = np.zeros(system.size)
    root = (solver or Ladder())(system, start)
    forces = [f for f, _ in system.forces(root.x)]
    point = OperatingPoint(circuit, root.x, root, system.certificate(root.x, forces), system, plan)
    log.info("operating point: %d unknowns, %d steps (%s), KCL residual %.2e A", system.size, root.steps, root.method,
             point.residual)
    return point


class Variable(Protocol):
    """A circuit, or a deck that elaborates to one, as a function of named values."""

    def vary(self, values: Mapping[str, float]) -> Circuit:
        """The circuit with some sources, resistors or parameters set."""


@dataclass(frozen=True, eq=False)
class Sweep:
    """Operating points over a grid. `sweep["v(out)"]` has one axis for each swept quantity, outermost first."""

    axes: dict[str, Array]       # swept name -> values, outermost first
    circuit: Circuit             # of the first point
    residual: Array              # largest |KCL| of a node at each point [A]
    relative_residual: Array     # the same over the currents that meet there
    iterations: int
    _columns: dict[str, int]
    _data: Array                 # (points, columns)

    @property
    def shape(self) -> tuple[int, ...]:
        """Points along each axis."""
        return tuple(len(v) for v in self.axes.values())

    def __getitem__(self, output: str) -> Array:
        """Values on the grid of "v(node)", "v(a,b)", "i(element)", or of a swept name."""
        if output.lower() in self.axes:
            grid = np.meshgrid(*self.axes.values(), indexing="ij")
            return grid[list(self.axes).index(output.lower())]
        kind, names = parse_output(output)
        whole = f"{kind}({','.join(names)})"
        if whole in self._columns:
            return self._data[:, self._columns[whole]].reshape(self.shape)
        if kind == "v" and len(names) == 2:
            return self[f"v({names[0]})"] - self[f"v({names[1]})"]
        if whole in ("v(0)", "v(gnd)"):
            return np.zeros(self.shape)
        raise DataError(f"the sweep kept no {whole}; quantities inside an array must be named in `outputs` (.save)")


def dc_sweep(source: Variable, axes: Mapping[str, npt.ArrayLike], *, outputs: Sequence[str] = (),
             solver: Solver | None = None, **tolerances: float) -> Sweep:
    """Operating points over the grid of `axes`, {name: values}, outermost first.

    source : a Circuit (names are sources and resistors) or a Deck (parameters and temp too). All named nodes and elements are
    kept; `outputs` adds quantities inside arrays. Each point starts from the one before it, on the same plan while the
    topology stays. Raises as `operating_point` does, naming the point; `partial` of the error is then the Sweep with NaN
    from that point on.
    """
    grid = {name.lower(): np.atleast_1d(np.asarray(v, dtype=float)) for name, v in axes.items()}
    shape = tuple(len(v) for v in grid.values())
    points = int(np.prod(shape))
    if not points:
        raise DataError("a sweep needs at least one point on every axis")
    rows, marks, steps = np.empty((points, 0)), np.full((points, 2), np.nan), 0
    last: OperatingPoint | None = None

    def so_far() -> Sweep:
        return Sweep(grid, circuit, marks[:, 0].reshape(shape), marks[:, 1].reshape(shape), steps,
                     {name: k for k, name in enumerate(columns)}, rows)
    for k, values in enumerate(tqdm(product(*grid.values()), total=points, desc="dc sweep", disable=None, delay=2)):
        at = dict(zip(grid, map(float, values), strict=True))
        try:
            last = _next_point(source.vary(at), last, solver, tolerances)
        except CrossbarError as error:
            error.partial = so_far() if k else None
            where = ", ".join(f"{n} = {v:g}" for n, v in at.items())
            error.args = (f"at {where}: {error}", *error.args[1:])
            raise
        if not k:
            circuit = last.circuit
            usual, extra = _kept(circuit, outputs)
            columns = usual + extra
            memory.require(f"a sweep of {points} points with {len(columns)} outputs", 8 * points * len(columns))
            rows = np.full((points, len(columns)), np.nan)
        rows[k] = _row(last, [n for b in circuit.batches for n in b.names], extra)
        marks[k] = last.residual, last.relative_residual
        steps += last.iterations
    return so_far()


def _next_point(circuit: Circuit, last: OperatingPoint | None, solver: Solver | None,
                tolerances: Mapping[str, float]) -> OperatingPoint:
    if last is None or not last.plan.fits(circuit):
        return operating_point(circuit, solver=solver, **tolerances)  # type: ignore[arg-type]
    return operating_point(circuit, solver=solver, plan=last.plan, start=last.x, **tolerances)  # type: ignore[arg-type]


def _kept(circuit: Circuit, outputs: Sequence[str]) -> tuple[list[str], list[str]]:
    """What every point of a sweep keeps: named nodes and elements, and the outputs that are not among them."""
    usual = [*(f"v({n})" for n in circuit.nodes[1:]), *(f"i({n})" for b in circuit.batches for n in b.names)]
    named = (f"{kind}({','.join(which)})" for kind, which in map(parse_output, outputs))
    known = set(usual)
    return usual, [name for name in dict.fromkeys(named) if name not in known]


def _row(point: OperatingPoint, names: Sequence[str], extra: Sequence[str]) -> Array:
    """Voltages of the named nodes, currents of the elements `names` (their order changes with their form), extra outputs."""
    elements = {name: i for batch, f in zip(point.circuit.batches, point.terminal_forces, strict=False)
                for name, i in zip(batch.names, f[:, 0], strict=True)}
    return np.concatenate((point.voltages[1:len(point.circuit.nodes)], [elements[n] for n in names],
                           [point[o] for o in extra]))
