"""Analyses of a circuit: operating point and nested DC sweeps.

    circuit -> Plan (pattern, once) -> System (values) -> solver -> OperatingPoint / Sweep, each with its certificate
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import numpy.typing as npt

from crossbar import memory, topology
from crossbar.circuit import Circuit, parse_output
from crossbar.elements.base import Array
from crossbar.elements.solution import ArraySolution
from crossbar.elements.xbar import SIDES
from crossbar.errors import ConvergenceError, CrossbarError, DataError, SizeError
from crossbar.folded import Folded, fold
from crossbar.mna import Kirchhoff, Plan, System, Tolerances, analyse
from crossbar.recognise import LEAST
from crossbar.solvers.newton import Ladder, Root, Solver

if TYPE_CHECKING:
    from crossbar.coupled import Coupled  # and with it numba, where there are arrays

log = logging.getLogger(__name__)

_LARGE_FLAT = 16_000  # cells of a flat crossbar from which on it is looked for: there blocks outweigh loading their kernels
_LARGE = 2000  # inner nodes from which on blocks are faster than the general path
_HOPELESS = 300_000  # nodes beyond which the general path takes minutes
_BYTES_A_CELL = 30 * 8  # of an array solved as a block
_BYTES_AN_UNKNOWN = 3000  # pattern, values and LU factors of a planar-like network, from measurement


@dataclass(frozen=True, eq=False)
class OperatingPoint(ABC):
    """A solved circuit. Voltages and currents by name: `v("out")`, `v("a", "b")`, `i("v1")`, `i("x1[3,7]")`."""

    circuit: Circuit
    certificate: Kirchhoff

    @property
    def residual(self) -> float:
        """Largest |KCL| of a node [A]."""
        return self.certificate.residual

    @property
    def relative_residual(self) -> float:
        """Largest |KCL| of a node over the currents that meet there; of an array solved as a block, the sums over its nodes and
        cells."""
        return self.certificate.relative_residual

    @property
    @abstractmethod
    def iterations(self) -> int:
        """Newton steps, or solutions of the arrays."""

    @property
    @abstractmethod
    def method(self) -> str:
        """Which solver found the point."""

    @property
    @abstractmethod
    def trace(self) -> tuple[float, ...]:
        """How far off every step was."""

    @cached_property
    @abstractmethod
    def voltages(self) -> Array:
        """(nodes,) voltages [V] in the order of the circuit's nodes, ground first, inner nodes of arrays last; NaN for
        a node inside an array that no terminal reaches."""

    @cached_property
    @abstractmethod
    def currents(self) -> list[Array]:
        """(n,) currents [A] into the first terminals of the elements of each of `circuit.batches`."""

    @abstractmethod
    def _inner_current(self, name: str) -> float:
        """Current of an element inside an array [A]."""

    @abstractmethod
    def _array(self, k: int) -> ArraySolution:
        """The circuit's array k."""

    def v(self, node: str, reference: str = "0") -> float:
        """Voltage of a node, against another if given [V]."""
        a, b = self.circuit.node(node), self.circuit.node(reference)
        return float(self.voltages[a] - self.voltages[b])

    def i(self, element: str) -> float:
        """Current into an element's first terminal [A]."""
        place = self.circuit.place(element)
        return self._inner_current(element) if place is None else float(self.currents[place[0]][place[1]])

    def __getitem__(self, output: str) -> float:
        """By the name of an output: "v(out)", "v(a,b)", "i(v1)", "state(x1[3,7])"."""
        kind, names = parse_output(output)
        if kind == "v":
            return self.v(*names)
        return self.i(*names) if kind == "i" else self.circuit.state(*names)

    def values(self, outputs: Sequence[str]) -> Array:
        """(outputs,) Several outputs by their names, in lower case; voltages of named nodes all at once."""
        numbers = self.circuit.voltage_outputs
        at = np.array([numbers.get(name, -1) for name in outputs], dtype=np.intp)
        out = self.voltages[at]
        for k in np.flatnonzero(at < 0).tolist():
            out[k] = self[outputs[k]]
        return out

    def array(self, name: str) -> ArraySolution:
        """The solved state of an array of the circuit."""
        for k, xbar in enumerate(self.circuit.arrays):
            if xbar.name == name.lower():
                return self._array(k)
        raise DataError(f"there is no array {name!r}")


@dataclass(frozen=True, eq=False)
class _Expanded(OperatingPoint):
    """Found on the general path: every array as its wires and cells."""

    x: Array            # unknowns, in the order of crossbar.mna
    root: Root
    _system: System
    plan: Plan

    @property
    def iterations(self) -> int:
        return self.root.steps

    @property
    def method(self) -> str:
        return self.root.method

    @property
    def trace(self) -> tuple[float, ...]:
        return self.root.trace

    @cached_property
    def _forces(self) -> list[Array]:
        """What every batch of `circuit.flat` contributes to its equations: terminal currents [A] first."""
        return [f for f, _ in self._system.forces(self.x)]

    @cached_property
    def voltages(self) -> Array:
        out = np.concatenate(([0.0], self.x[:self.circuit.node_count - 1]))
        out[self.plan.dead] = np.nan
        return out

    @cached_property
    def currents(self) -> list[Array]:
        return [f[:, 0] for f in self._forces[:len(self.circuit.batches)]]

    def _inner_current(self, name: str) -> float:
        k, at = self.circuit.element(name)
        return float(self._forces[k][at, 0])

    def _array(self, k: int) -> ArraySolution:
        xbar = self.circuit.arrays[k]
        first, at = self.circuit.first_inner[k], len(self.circuit.batches) + 3 * k
        word, bit = (self.voltages[n] for n in xbar.numbers(first))
        along_word, along_bit = xbar.segment_currents(self._forces[at][:, 0], self._forces[at + 1][:, 0])
        out = (-along_word[:, 0], along_word[:, -1], -along_bit[0], along_bit[-1])
        misfit = self._system.balance(self._forces)[0]
        return ArraySolution(
            cells=xbar.cells, r_word=xbar.r_word, r_bit=xbar.r_bit, r_driver=xbar.r_driver,
            terminal_voltage=xbar.terminal_voltage(self.voltages), terminal_current=dict(zip(SIDES, out, strict=True)),
            nodes=(word, bit), residual=float(np.abs(misfit[first - 1:first - 1 + xbar.node_count]).max()),
            relative_residual=self._system.array_residuals(self.x, misfit, self._system.forces(self.x))[k],
            iterations=self.root.steps, method="general")


@dataclass(frozen=True, eq=False)
class _Joined(OperatingPoint):
    """Found with the arrays as blocks, see crossbar.coupled."""

    solution: "Coupled"

    @property
    def iterations(self) -> int:
        return self.solution.solves

    @property
    def method(self) -> str:
        return "lines"

    @property
    def trace(self) -> tuple[float, ...]:
        return self.solution.trace

    @cached_property
    def voltages(self) -> Array:
        inner = [x.ravel() for a in self.solution.arrays for x in (a.word_voltage, a.bit_voltage)]
        return np.concatenate([self.solution.voltages, *inner])

    @property
    def currents(self) -> list[Array]:  # type: ignore[override]
        return self.solution.currents

    def _inner_current(self, name: str) -> float:
        found = self.circuit.inner(name)
        if found is None:
            raise DataError(f"there is no element {name!r}")
        k, part, i, j = found
        array = self.solution.arrays[k]
        values = array.segment_current[part == "rbl"] if part else array.cell_current
        return float(values[i, j])

    def _array(self, k: int) -> ArraySolution:
        return self.solution.arrays[k]


@dataclass(frozen=True, eq=False)
class _Unfolded(OperatingPoint):
    """Found with crossbars among the resistors folded into arrays, see crossbar.folded."""

    folded: Folded
    point: _Joined  # of the folded circuit

    @property
    def iterations(self) -> int:
        return self.point.iterations

    @property
    def method(self) -> str:
        return self.point.method

    @property
    def trace(self) -> tuple[float, ...]:
        return self.point.trace

    @cached_property
    def voltages(self) -> Array:
        solution = self.point.solution
        return self.folded.voltages(solution.voltages, solution.arrays)

    @cached_property
    def currents(self) -> list[Array]:
        return self.folded.currents(self.point.currents, self.point.solution.arrays)

    def _inner_current(self, name: str) -> float:
        raise DataError(f"there is no element {name!r}")

    def _array(self, k: int) -> ArraySolution:
        raise IndexError(k)  # a flat circuit has no arrays


def operating_point(circuit: Circuit, *, solver: Solver | None = None, reltol: float = 1e-3, abstol: float = 1e-12,
                    vntol: float = 1e-6, near: OperatingPoint | None = None,
                    method: Literal["auto", "lines", "general"] = "auto") -> OperatingPoint:
    """Solve for the direct-current operating point.

    solver : Newton, gmin stepping, then source stepping by default. reltol, abstol [A], vntol [V] : SPICE's tolerances; linear
    circuits and arrays are held to 1e-10. near : a point of a similar circuit to start from. method : arrays solved as blocks
    ("lines", see crossbar.coupled) or as their wires and cells ("general"); "auto" takes blocks for large arrays, and the
    general path where they fail and it fits in memory.
    Raises TopologyError where no unique solution can exist, ConvergenceError where none was found, SizeError for a circuit
    too large for the direct solver.
    """
    if not circuit.batches and not circuit.arrays:
        raise DataError("the circuit holds no element")
    if method not in ("auto", "lines", "general"):
        raise DataError('method is "auto", "lines" or "general"')
    tolerances, ladder = Tolerances(reltol=reltol, abstol=abstol, vntol=vntol), solver or Ladder()
    large = sum(a.node_count for a in circuit.arrays) >= _LARGE
    if method != "general" and not circuit.arrays:
        point = _unfolded(circuit, ladder, tolerances, near, LEAST if method == "lines" else _LARGE_FLAT)
        if point is not None:
            return point
    if method == "general" or not _fits(circuit) or (method == "auto" and not large):
        if method == "lines":
            raise DataError("the circuit has no array that could be solved as a block")
        return _expanded(circuit, ladder, tolerances, near)
    topology.check(circuit)
    try:
        return _joined(circuit, ladder, tolerances, near)
    except ConvergenceError as error:
        if method == "lines":
            raise
        if circuit.node_count > _HOPELESS:
            raise ConvergenceError(f"{error}. The general path might do (method='general'), but takes very long for a circuit of "
                                   f"{circuit.node_count} nodes", error.trace) from error
        log.info("arrays as blocks: %s; trying the general path", error)
        try:
            return _expanded(circuit, ladder, tolerances, None)
        except SizeError as size:
            raise ConvergenceError(f"{error}. The general path might do, but {size}", error.trace) from error


def _unfolded(circuit: Circuit, solver: Solver, tolerances: Tolerances, near: OperatingPoint | None, least: int
              ) -> OperatingPoint | None:
    """Crossbars of at least `least` cells among the resistors solved as blocks; None where there are none, or they cannot be."""
    before = near if isinstance(near, _Unfolded) else None
    folded = fold(circuit, least, before.folded if before else None)
    if folded is None:
        return None
    topology.check(circuit)  # of the flat circuit: its nodes are the user's
    try:
        point = _joined(folded.circuit, solver, tolerances, before.point if before else None)
    except ConvergenceError as error:
        log.info("crossbars among the resistors as blocks: %s; trying the general path", error)
        return None
    return _Unfolded(circuit, point.certificate, folded, point)


def _fits(circuit: Circuit) -> bool:
    if not circuit.arrays:
        return False
    from crossbar import coupled
    return coupled.fits(circuit)


def _joined(circuit: Circuit, solver: Solver, tolerances: Tolerances, near: OperatingPoint | None) -> "_Joined":
    from crossbar import coupled
    cells = sum(a.node_count for a in circuit.arrays) // 2
    memory.require(f"arrays of {cells} cells in all", _BYTES_A_CELL * cells)
    found = coupled.solve(circuit, solver, tolerances, near.solution if isinstance(near, _Joined) else None)
    point = _Joined(circuit, found.certificate, found)
    log.info("operating point: %d arrays as blocks, solved %d times, KCL residual %.2e A", len(circuit.arrays), found.solves,
             point.residual)
    return point


def _expanded(circuit: Circuit, solver: Solver, tolerances: Tolerances, near: OperatingPoint | None) -> OperatingPoint:
    unknowns = circuit.node_count + sum(a.node_count for a in circuit.arrays)  # a wire current for each inner node
    memory.require(f"a circuit of {unknowns} unknowns on the general path", _BYTES_AN_UNKNOWN * unknowns)
    if isinstance(near, _Expanded) and near.plan.fits(circuit):
        plan, start = near.plan, near.x
    else:
        topology.check(circuit)
        plan = analyse(circuit)
        start = np.zeros(plan.size - 1)
    system = System(circuit, plan, tolerances)
    root = solver(system, start)
    forces = [f for f, _ in system.forces(root.x)]
    point = _Expanded(circuit, system.certificate(root.x, forces), root.x, root, system, plan)
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
    from tqdm import tqdm
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
            last = operating_point(source.vary(at), solver=solver, near=last, **tolerances)  # type: ignore[arg-type]
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


def _kept(circuit: Circuit, outputs: Sequence[str]) -> tuple[list[str], list[str]]:
    """What every point of a sweep keeps: named nodes and elements, and the outputs that are not among them."""
    usual = [*(f"v({n})" for n in circuit.nodes[1:]), *(f"i({n})" for b in circuit.batches for n in b.names)]
    named = (f"{kind}({','.join(which)})" for kind, which in map(parse_output, outputs))
    known = set(usual)
    return usual, [name for name in dict.fromkeys(named) if name not in known]


def _row(point: OperatingPoint, names: Sequence[str], extra: Sequence[str]) -> Array:
    """Voltages of the named nodes, currents of the elements `names` (their order changes with their form), extra outputs."""
    elements = {name: i for batch, currents in zip(point.circuit.batches, point.currents, strict=True)
                for name, i in zip(batch.names, currents, strict=True)}
    return np.concatenate((point.voltages[1:len(point.circuit.nodes)], [elements[n] for n in names],
                           [point[o] for o in extra]))
