"""Analyses of a circuit: operating point and nested DC sweeps.

    circuit -> Plan (pattern, once) -> System (values) -> solver -> OperatingPoint / Sweep, each with its certificate
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from crossbar import memory, topology
from crossbar.checks import choice, instance, name, real_array
from crossbar.circuit import Circuit, parse_output
from crossbar.elements.base import Array
from crossbar.errors import ConvergenceError, CrossbarError, DataError, SizeError
from crossbar.folded import fold
from crossbar.mna import System, Tolerances, analyse
from crossbar.points import Expanded, Joined, OperatingPoint, Unfolded
from crossbar.recognise import LEAST
from crossbar.solvers.newton import Ladder, Solver
from crossbar.summaries import block, spread

log = logging.getLogger(__name__)

_LARGE_FLAT = 16_000  # cells of a flat crossbar from which on it is looked for: there blocks outweigh loading their kernels
_LARGE = 2000  # inner nodes from which on blocks are faster than the general path
_HOPELESS = 300_000  # nodes beyond which the general path takes minutes
_BYTES_A_CELL = 30 * 8  # of an array solved as a block
_BYTES_AN_UNKNOWN = 3000  # pattern, values and LU factors of a planar-like network, from measurement


@np.errstate(all="ignore")  # what goes beyond the range of numbers ends in a ConvergenceError
def operating_point(circuit: Circuit, *, solver: Solver | None = None, reltol: float = 1e-3, abstol: float = 1e-12,
                    vntol: float = 1e-6, near: OperatingPoint | None = None,
                    method: Literal["auto", "lines", "general"] = "auto") -> OperatingPoint:
    """Solve for the direct-current operating point.

    solver : Newton, gmin stepping, then source stepping by default. reltol, abstol [A], vntol [V] : SPICE's tolerances, at most
    0.1, 1e-3 and 0.1; linear circuits and arrays are held to 1e-10. near : a point of a similar circuit to start from.
    method : arrays solved as blocks ("lines", see crossbar.coupled) or as their wires and cells ("general"); "auto" takes blocks
    for large arrays, and the general path where they fail and it fits in memory.
    Raises TopologyError where no unique solution can exist, ConvergenceError where none was found, SizeError for a circuit
    too large for the direct solver.
    """
    instance(circuit, Circuit, "a Circuit, as deck.circuit or array.to_circuit(...) gives one,")
    instance(near, (OperatingPoint, type(None)), "near: an OperatingPoint to start from, or None,")
    if not (solver is None or callable(solver)):
        raise DataError(f"solver is one such as Newton() or GminStepping(), not {type(solver).__name__}")
    if not circuit.batches and not circuit.arrays:
        raise DataError("the circuit holds no element")
    choice(method, ("auto", "lines", "general"), "method")
    tolerances, ladder = Tolerances(reltol=reltol, abstol=abstol, vntol=vntol), Ladder() if solver is None else solver
    large = sum(a.node_count for a in circuit.arrays) >= _LARGE
    if method != "general" and not circuit.arrays:
        point = _unfolded(circuit, ladder, tolerances, near, LEAST if method == "lines" else _LARGE_FLAT)
        if point is not None:
            return point
    if method == "general" or not _fits(circuit) or (method == "auto" and not large):
        if method == "lines":
            raise DataError("the circuit has no array that could be solved as a block, or one with lines of 0 ohm between "
                            "two ends on a supply with resistance")
        return _expanded(circuit, ladder, tolerances, near)
    topology.check(circuit)
    try:
        return _joined(circuit, ladder, tolerances, near)
    except ConvergenceError as error:
        if method == "lines":
            raise
        _worth_expanding(circuit, error)
        try:
            return _expanded(circuit, ladder, tolerances, None)
        except SizeError as size:
            raise ConvergenceError(f"{error}. The general path might do, but {size}", error.trace) from error


def _worth_expanding(circuit: Circuit, error: ConvergenceError) -> None:
    """Raise the error of the blocks, and say what might be done, where the general path would take minutes or more."""
    if circuit.node_count > _HOPELESS:
        raise ConvergenceError(f"{error}. The general path might do (method='general'), but takes very long for a circuit of "
                               f"{circuit.node_count} nodes", error.trace) from error
    log.info("arrays as blocks: %s; trying the general path", error)


def _unfolded(circuit: Circuit, solver: Solver, tolerances: Tolerances, near: OperatingPoint | None, least: int
              ) -> OperatingPoint | None:
    """Crossbars of at least `least` cells among the resistors solved as blocks; None where there are none, or they cannot be."""
    before = near if isinstance(near, Unfolded) else None
    folded = fold(circuit, least, before.folded if before else None)
    if folded is None:
        return None
    topology.check(circuit)  # of the flat circuit: its nodes are the user's
    try:
        point = _joined(folded.circuit, solver, tolerances, before.point if before else None)
    except ConvergenceError as error:
        _worth_expanding(circuit, error)
        return None
    return Unfolded(circuit, point.certificate, folded, point)


def _fits(circuit: Circuit) -> bool:
    if not circuit.arrays:
        return False
    from crossbar import coupled
    return coupled.fits(circuit)


def _joined(circuit: Circuit, solver: Solver, tolerances: Tolerances, near: OperatingPoint | None) -> Joined:
    from crossbar import coupled
    cells = sum(a.node_count for a in circuit.arrays) // 2
    memory.require(f"arrays of {cells} cells in all", _BYTES_A_CELL * cells)
    found = coupled.solve(circuit, solver, tolerances, near.solution if isinstance(near, Joined) else None)
    point = Joined(circuit, found.certificate, found)
    topology.check_ideal_lines(circuit, point.solution.voltages)
    log.info("operating point: %d arrays as blocks, solved %d times, KCL residual %.2e A", len(circuit.arrays), found.solves,
             point.residual)
    return point


def point_from_voltages(circuit: Circuit, voltages: Array, *, reltol: float) -> OperatingPoint:
    """`operating_point` on the general path, begun at node voltages [V] in the order of `OperatingPoint.voltages`; NaN counts as
    0."""
    return _expanded(circuit, Ladder(), Tolerances(reltol=reltol), voltages)


def _expanded(circuit: Circuit, solver: Solver, tolerances: Tolerances, near: OperatingPoint | Array | None) -> OperatingPoint:
    unknowns = circuit.node_count + sum(a.node_count for a in circuit.arrays)  # a wire current for each inner node
    memory.require(f"a circuit of {unknowns} unknowns on the general path", _BYTES_AN_UNKNOWN * unknowns)
    if isinstance(near, Expanded) and near.plan.fits(circuit):
        plan, start = near.plan, near.x
    else:
        topology.check(circuit)
        plan = analyse(circuit)
        start = np.zeros(plan.size - 1)
        if isinstance(near, np.ndarray):
            start[:circuit.node_count - 1] = np.nan_to_num(near[1:])  # branch currents follow with the first step
    system = System(circuit, plan, tolerances)
    root = solver(system, start)
    forces = [f for f, _ in system.forces(root.x)]
    point = Expanded(circuit, system.certificate(root.x, forces), root.x, root, system, plan)
    topology.check_ideal_lines(circuit, point.voltages)
    log.info("operating point: %d unknowns, %d steps (%s), KCL residual %.2e A", system.size, root.steps, root.method,
             point.residual)
    return point


class Variable(Protocol):
    """A circuit, or a deck that elaborates to one, as a function of named values."""

    def vary(self, values: Mapping[str, float]) -> Circuit:
        """The circuit with some sources, resistors or parameters set."""


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """Operating points over a grid. `sweep["v(out)"]` has one axis for each swept quantity, outermost first."""

    axes: dict[str, Array]       # swept name -> values, outermost first
    circuit: Circuit             # of the first point
    residual: Array              # largest |KCL| of a node at each point [A]
    relative_residual: Array     # the same over the currents that meet there
    iterations: int
    _columns: dict[str, int]
    _data: Array                 # (points, columns)

    def __repr__(self) -> str:
        """Title, what is swept, what is kept, certificate."""
        axes = ", ".join(f"{name} {len(values)} points {spread(values, '')}"
                         for name, values in self.axes.items())
        unsolved = np.isnan(self.residual)
        if unsolved.all():
            certificate = "no point solved"
        else:
            certificate = (f"{self.iterations} iterations, largest |KCL| {np.nanmax(self.residual):.1e} A, of the "
                           f"currents at a node {np.nanmax(self.relative_residual):.1e}")
        if unsolved.any():
            certificate += f"; {np.count_nonzero(unsolved)} points unsolved"
        return block(f"Sweep of {self.circuit.title!r}: {axes}", f"{len(self._columns)} outputs kept", certificate)

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
    if not callable(getattr(source, "vary", None)):
        raise DataError(f"a Circuit or a Deck is wanted, not {type(source).__name__}")
    instance(axes, Mapping, "axes: {name: values}")
    instance(outputs, (list, tuple), "outputs: a list of names, such as v(out),")
    grid = {name(key, "a swept name"): _axis(key, values) for key, values in axes.items()}
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


def _axis(key: str, values: npt.ArrayLike) -> Array:
    """The points of a swept quantity."""
    points = np.atleast_1d(real_array(values, f"values of {key}"))
    if points.ndim > 1:
        raise DataError(f"values of {key} are a number or a list of numbers, not an array of shape {points.shape}")
    return points


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
