"""Arrays and the circuit around them, solved together without expanding the arrays: two exact solvers, joined at the terminals.

The array sees terminal k as a voltage e_k behind a resistance r_k (attached.py). The circuit around it sees the array as what
it carried at the voltages it had, (i_k, v_k), and about the conductance g_k for any difference:

    i'_k = i_k + g_k (v'_k - v_k)                  flows out of the circuit's node, whose voltage is then v'_k
    e_k  = v'_k + r_k i'_k                         for the next solution of the array:  v_k = e_k - r_k i_k

Where v' = v both agree on voltage and current. Nothing is infinite: g > 0 holds nodes that only an array touches, r limits the
current of sources. (Optimised Schwarz iteration with Robin conditions: Gander, SIAM J. Numer. Anal. 44, 699 (2006).)

r_k is the resistance that the terminal sees, all others being loaded by their g. Where terminals do not influence each other
through the circuit (a driver, a sense resistor, an ideal source each, or one ideal source for many), e does not depend on i, and
one solution of the array is exact. What is left (a shared supply with resistance, arrays in cascade, nonlinear elements) is
Newton's method for e: the correction d solves

    (1 - K) d = (v' - v) + r (i' - i),      K d = dv' + r di'  of the arrays' and the circuit's linear responses to de = d

by GMRES (solvers/krylov.py), each product with K costing one linear solution of the arrays. K is small wherever r or g is about
right, and its large part has few dimensions (a supply shared by all lines: one).

Certificate: KCL at every node of the circuit with the arrays' own currents, KCL inside the arrays, v' against v.
"""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from crossbar.attached import Attached, Solved
from crossbar.circuit import Circuit
from crossbar.elements.base import Array, IntArray, Mask
from crossbar.elements.linear import CurrentSources, Resistors, lever_shares
from crossbar.elements.solution import ArraySolution
from crossbar.elements.xbar import SIDES
from crossbar.errors import ConvergenceError
from crossbar.mna import NOISE, Kirchhoff, Plan, System, Tolerances, analyse
from crossbar.solvers.krylov import gmres
from crossbar.solvers.linear import Factors, factorise
from crossbar.solvers.newton import Solver
from crossbar.solvers.probing import inverse_diagonal

log = logging.getLogger(__name__)

_MAX_STEPS = 40   # Newton steps at the terminals
_MAX_SPACE = 80   # GMRES iterations in each
_AIM = 1e-12      # of the difference between v' and v, relative to the largest
_ROUNDED = 1e-12  # of the largest voltage so far: what rounding may leave of voltages that come down to 0
_PLAIN = 1e-3     # reduction in one step that shows that the terminals do not influence each other
_CLOSER = 0.01    # of the arrays' tolerance, for those of at most
_SMALL = 2000     # nodes; rounding grows with their number
_EASY = 1e-3      # KCL misfit over tolerance that needs no care
_PLANE_SIDES = (SIDES[:2], SIDES[2:])  # near and far ends of word lines, of bit lines
_WIDE = 1e3       # r g of terminals whose current is given


@dataclass(frozen=True, eq=False)
class Coupled:
    """A circuit with arrays, solved."""

    circuit: Circuit
    x: Array                    # unknowns of the circuit around the arrays, in the order of crossbar.mna
    plan: Plan                  # of the same
    certificate: Kirchhoff
    solves: int                 # solutions of all arrays
    trace: tuple[float, ...]    # largest |v' - v| after each step, relative to the largest voltage
    currents: list[Array]       # (n,) into the first terminals of every batch of the circuit [A]
    plain: bool                 # whether the terminals proved not to influence each other
    blocks: list[Attached]
    solved: list[Solved]

    @cached_property
    def voltages(self) -> Array:
        """(named nodes,) [V], ground first; NaN where nothing touches a node."""
        out = np.concatenate(([0.0], self.x[:len(self.circuit.nodes) - 1]))
        out[self.plan.dead] = np.nan
        return out

    @cached_property
    def arrays(self) -> list[ArraySolution]:
        """The arrays, in the circuit's order."""
        solutions = [block.solution(at, self.voltages) for block, at in zip(self.blocks, self.solved, strict=True)]
        looped = _looped_lines(self.circuit)
        return [_shared_by_lever(solution, lines) for solution, lines in zip(solutions, looped, strict=True)]


def fits(circuit: Circuit) -> bool:
    """Whether the circuit's arrays can be solved as blocks: there are some, nothing senses a current inside them, and lines of 0
    ohm that share their current between two nodes hang on ideal sources."""
    names = {n for b in circuit.batches for n in b.senses}
    return (bool(circuit.arrays) and len(circuit.nodes) > 1 and all(circuit.inner(n) is None for n in names)
            and _all_held(circuit, _shared_ends(circuit)))


def _all_held(circuit: Circuit, nodes: IntArray) -> bool:
    """Whether the voltages of nodes do not depend on what is drawn from them."""
    if not nodes.size:
        return True
    part = circuit.rigid_parts
    return bool((part[nodes] == part[0]).all())


def _shared_ends(circuit: Circuit) -> IntArray:
    """Nodes at the ends of lines that share their current between two of them by the lever rule."""
    nodes = [np.empty(0, np.intp)]
    for array, ideal in zip(circuit.arrays, circuit.ideal_lines, strict=True):
        for (near, far), lines in zip(_PLANE_SIDES, ideal or (), strict=False):
            ends = array.ends(near)[lines], array.ends(far)[lines]
            nodes += [end[ends[0] != ends[1]] for end in ends]
    return np.concatenate(nodes)


def _looped_lines(circuit: Circuit) -> list[tuple[IntArray, ...]]:
    """Word and bit lines of each array that lead through 0 ohm from a node back to it: what the rest of the circuit sees does not
    depend on how their two ends share the current."""
    out = []
    for array, ideal in zip(circuit.arrays, circuit.ideal_lines, strict=True):
        sides = zip(_PLANE_SIDES, ideal or (), strict=False)
        out.append(tuple(lines[array.ends(near)[lines] == array.ends(far)[lines]] for (near, far), lines in sides))
    return out


def _shared_by_lever(solution: ArraySolution, planes: tuple[IntArray, ...]) -> ArraySolution:
    """The solution with the currents of some word and bit lines shared between their ends by the lever rule."""
    if not any(lines.size for lines in planes):
        return solution
    out = {side: current.copy() for side, current in solution.terminal_current.items()}
    drawn = -solution.cell_current, solution.cell_current.T  # out of the array by word lines, by bit lines: (lines, nodes)
    for (near, far), lines, current in zip(_PLANE_SIDES, planes, drawn, strict=True):
        total = out[near][lines] + out[far][lines]
        out[near][lines] = current[lines] @ lever_shares(current.shape[1])
        out[far][lines] = total - out[near][lines]
    return replace(solution, terminal_current=out)


def solve(circuit: Circuit, solver: Solver, tolerances: Tolerances, near: Coupled | None = None) -> Coupled:
    """Operating point of a circuit that `fits`; near : a solution of a similar circuit to start from.

    Raises ConvergenceError where either side finds no solution, they do not agree, or the certificate misses its tolerances.
    """
    blocks = [Attached.of(a) for a in circuit.arrays]
    around = _Around(circuit, blocks, solver, tolerances)
    alike = near is not None and near.x.size == around.plan.size - 1 and len(near.blocks) == len(blocks) and all(
        old.xbar.shape == new.xbar.shape and old.node.size == new.node.size for old, new in zip(near.blocks, blocks, strict=True))
    return _Iteration(around, blocks, near if alike else None).run()


class _Around:
    """The circuit without its arrays; at every node with terminals, a current source and a conductance to ground."""

    def __init__(self, circuit: Circuit, blocks: list[Attached], solver: Solver, tolerances: Tolerances) -> None:
        self.circuit, self.solver, self.tolerances = circuit, solver, tolerances
        self.tight = replace(tolerances, reltol=min(tolerances.reltol, tolerances.array))
        self.node = np.concatenate([b.node for b in blocks])
        self.load = np.concatenate([b.load for b in blocks])
        self.at, where = np.unique(self.node, return_inverse=True)
        self.where: IntArray = where.reshape(-1)
        self.plan = analyse(self._with(np.zeros(self.at.size), np.zeros(self.at.size)))
        self.linear = all(b.linear for b in circuit.batches)

    def _with(self, current: Array, conductance: Array) -> Circuit:
        """With currents [A] out of the nodes `at` and conductances [S] from them to ground."""
        nodes = np.column_stack((self.at, np.zeros_like(self.at)))
        names = [f"arrays at {self.circuit.nodes[n]}" for n in self.at]
        ports = CurrentSources(names=names, nodes=nodes, value=current), Resistors(names=names, nodes=nodes, g=conductance)
        return replace(self.circuit, batches=(*self.circuit.batches, *ports), arrays=())

    def _by_node(self, x: Array) -> Array:
        total: Array = np.bincount(self.where, weights=x, minlength=self.at.size).astype(float)
        return total

    def system(self, i: Array, v: Array, load: Array) -> System:
        """Equations with the arrays' currents i (T,) at v (T,), and load (T,) [S] for what differs."""
        return System(self._with(self._by_node(i - load * v), self._by_node(load)), self.plan, self.tight)

    def exactly(self, i: Array, v: Array) -> System:
        """Equations with the arrays' currents i (T,) and no loads; rounding of v (T,) is allowed for."""
        noise = np.zeros(self.plan.size)
        noise[self.at] = NOISE * np.abs(v).max(initial=0.0) * self._by_node(self.load)
        circuit = self._with(self._by_node(i), np.zeros(self.at.size))
        return System(circuit, self.plan, self.tolerances, noise[1:])

    def without_sources(self) -> bool:
        """Whether all equations hold exactly where nothing flows and every voltage is 0."""
        nothing = np.zeros(self.node.size)
        system = self.system(nothing, nothing, self.load)
        try:
            return not system.evaluate(np.zeros(system.size)).residual.any()
        except ConvergenceError:  # an expression has no value there
            return False

    def at_terminals(self, x: Array) -> Array:
        """Voltages (T,), or changes of them."""
        return np.concatenate(([0.0], x[:len(self.circuit.nodes) - 1]))[self.node]

    def spread(self, i: Array) -> Array:
        """Right-hand side of the node equations for currents i (T,) out of the nodes of the terminals."""
        whole = np.zeros(self.plan.size)
        whole[self.at] = self._by_node(i)
        return -whole[1:]

    def dangling(self) -> Mask:
        """(T,) Whether the terminal is all that carries current at its node."""
        count = np.bincount(self.node, minlength=len(self.circuit.nodes))
        for batch in self.circuit.batches:
            count[np.unique(batch.nodes[:, :2])] += 2
        return (count[self.node] == 1) & (self.node > 0)

    def seen(self, system: System, x: Array, open_ends: Mask) -> "_Seen":
        """The circuit's linear response at x, from `open_ends` none."""
        jacobian = system.evaluate(x).jacobian
        factors = factorise(jacobian, system.nodes)
        inner = self.at > 0
        seen = np.zeros(self.at.size)  # with all loads, the terminal's own too
        seen[inner] = inverse_diagonal(jacobian, factors, self.at[inner] - 1)
        z = seen[self.where]
        with np.errstate(divide="ignore"):
            others = np.where(z == 0, np.inf, 1 / z) - self.load
        r = np.where(others > self.load / _WIDE, 1 / np.where(others > 0, others, 1.0), _WIDE / self.load)
        r[np.isin(self.node, _shared_ends(self.circuit))] = 0.0  # a resistance that is but rounding would share the current
        return _Seen(factors, np.where(open_ends, np.inf, r), np.where(open_ends, 0.0, r))


@dataclass(frozen=True, eq=False)
class _Seen:
    """The circuit around the arrays as their terminals see it, to first order."""

    factors: Factors
    r: Array        # (T,) [ohm], inf where the terminal is open
    through: Array  # the same, 0 there


class _Iteration:
    """Newton's method at the terminals."""

    def __init__(self, around: _Around, blocks: list[Attached], near: Coupled | None) -> None:
        self.around, self.blocks = around, blocks
        self.cuts = np.cumsum([b.node.size for b in blocks])[:-1]
        self.open = around.dangling()
        self.x = np.zeros(around.plan.size - 1) if near is None else near.x
        self.solved = [] if near is None else near.solved
        self.plain = near is None or near.plain  # no influence between terminals seen so far
        self.largest = self._size()  # of all voltages so far [V]
        self.solves = 0
        self.trace: list[float] = []

    @property
    def i(self) -> Array:
        """(T,) Currents into the arrays [A]."""
        return np.concatenate([s.i for s in self.solved]) if self.solved else np.zeros(self.around.node.size)

    @property
    def v(self) -> Array:
        """(T,) Voltages at the arrays' terminals [V]."""
        return np.concatenate([s.v for s in self.solved]) if self.solved else np.zeros(self.around.node.size)

    def run(self) -> Coupled:
        """The solution, or ConvergenceError."""
        around, seen = self.around, None
        for step in range(_MAX_STEPS):
            system = around.system(self.i, self.v, around.load)
            self.x = around.solver(system, self.x).x
            if self._came_to_rest():
                self.x, self.solved = np.zeros_like(self.x), []
            if seen is None or not around.linear:
                seen = around.seen(system, self.x, self.open)
            gap = around.at_terminals(self.x) - self.v
            if step and self.solved and self._agrees(gap) and (result := self._result(seen)) is not None:
                return result
            misfit = gap * (1 + seen.through * around.load)
            apart = self._apart(gap)
            plain = self.plain or not self.solved or (step == 0 and apart <= _AIM)
            correction = misfit if plain else self._newton(misfit, seen, apart)
            self._solve(self.v + seen.through * self.i + correction, seen.r)
        raise ConvergenceError(f"arrays and the circuit around them disagree by {self.trace[-1]:.2e} of the largest voltage "
                               f"after {_MAX_STEPS} steps", self.trace)

    def _size(self) -> float:
        """Largest voltage anywhere outside the arrays [V]."""
        return float(np.abs(np.append(self.v, self.x[:len(self.around.circuit.nodes) - 1])).max(initial=0.0))

    def _came_to_rest(self) -> bool:
        """Whether all voltages have come down to the rounding of what they were, and are exactly 0 in truth: then they are only
        compared with each other from here on, and would never agree."""
        size = self._size()
        self.largest = max(self.largest, size)
        return 0 < size <= _ROUNDED * self.largest and self.around.without_sources()

    def _apart(self, gap: Array) -> float:
        """Largest difference between v' and v, relative to the largest voltage anywhere outside the arrays."""
        largest = self._size()
        return float(np.abs(gap).max(initial=0.0)) / (largest if largest > 0 else 1.0)

    def _agrees(self, gap: Array) -> bool:
        """Whether v' is v as closely as the tolerances ask and arithmetic allows."""
        apart, before = self._apart(gap), self.trace[-1] if self.trace else np.inf
        self.trace.append(apart)
        if not np.isfinite(apart):
            raise ConvergenceError("voltages at the terminals of the arrays grow beyond all bounds", self.trace)
        self.plain = self.plain and apart <= _PLAIN * min(before, 1.0)
        return apart <= _AIM or (apart <= self.around.tolerances.array and apart > 0.5 * before)

    def _solve(self, e: Array, r: Array) -> None:
        starts = [s.nodes for s in self.solved] if self.solved else [None] * len(self.blocks)
        self.solved = [self._one(block, e_k, r_k, start) for block, e_k, r_k, start in
                       zip(self.blocks, self._split(e), self._split(r), starts, strict=True)]
        self.solves += 1

    def _one(self, block: Attached, e: Array, r: Array, start: tuple[Array, Array] | None) -> Solved:
        """An array solved more closely than it need be if rounding allows: its misfit is an error of the currents that the
        circuit is given."""
        rtol = self.around.tolerances.array
        if (closer := _CLOSER * max(1.0, block.xbar.node_count / _SMALL)) < 1:
            with contextlib.suppress(ConvergenceError):
                return block.solve(e, r, closer * rtol, start)
        return block.solve(e, r, rtol, start)

    def _split(self, x: Array) -> list[Array]:
        return np.split(x, self.cuts)

    def _newton(self, misfit: Array, seen: _Seen, apart: float) -> Array:
        """The correction of e (T,), in which terminals influence each other."""
        linear = self.around.linear and all(b.xbar.cells.linear for b in self.blocks)
        rtol = min(1e-2, max(0.1 * _AIM / max(apart, _AIM), 1e-8 if linear else min(1e-3, apart)))
        scale = np.sqrt(seen.through + 1 / self.around.load)  # waves of power
        apply = self._operator(seen, max(0.1 * rtol, self.around.tolerances.array))
        y, left = gmres(lambda y: apply(scale * y) / scale, misfit / scale, rtol=rtol, limit=_MAX_SPACE)
        log.debug("terminals: GMRES left %.1e of %.1e", left, apart)
        return scale * y

    def _operator(self, seen: _Seen, rtol: float) -> Callable[[Array], Array]:
        """d -> (1 - K) d."""
        around, load, through = self.around, self.around.load, seen.through

        def apply(d: Array) -> Array:
            parts = zip(self.blocks, self.solved, self._split(d), self._split(seen.r), strict=True)
            di = np.concatenate([block.respond(at, d_k, r_k, rtol) for block, at, d_k, r_k in parts])
            self.solves += 1
            dv = d - through * di
            gap = around.at_terminals(seen.factors.solve(around.spread(di - load * dv))) - dv
            return np.where(self.open, d, d - dv - gap - through * (di + load * gap))
        return apply

    def _result(self, seen: _Seen) -> Coupled | None:
        """The solution with its certificate, or None if another step may improve KCL.

        The loads carry what is left of v' - v. Where that is too much beside the node's other currents, they are taken away from
        nodes that the circuit itself holds.
        """
        around = self.around
        system = around.exactly(self.i, self.v)
        misfit = system.evaluate(self.x).misfit
        if misfit > _EASY:
            kept = np.where(seen.through * around.load < 0.5, 0.0, around.load)
            with contextlib.suppress(ConvergenceError):
                x = around.solver(around.system(self.i, self.v, kept), self.x).x
                if self._apart(around.at_terminals(x) - self.v) <= around.tolerances.array and (
                        less := system.evaluate(x).misfit) < misfit:
                    self.x, misfit = x, less
        if not misfit <= 1:
            if len(self.trace) > 1 and self.trace[-1] > 0.5 * self.trace[-2]:
                raise ConvergenceError(f"KCL residual {misfit:.2e} times its tolerance at "
                                       f"{system.name(system.evaluate(self.x).worst)} with the arrays' currents", self.trace)
            return None
        forces = [f for f, _ in system.forces(self.x)]
        own, inside = system.certificate(self.x, forces), [s.planes for s in self.solved]
        certificate = replace(
            own, residual=max([own.residual, *(float(p.residual[0]) for p in inside)]),
            relative_residual=max([own.relative_residual, *(float(p.relative_residual[0]) for p in inside)]))
        currents = [f[:, 0] for f in forces[:len(around.circuit.batches)]]
        return Coupled(around.circuit, self.x, around.plan, certificate, self.solves, tuple(self.trace), currents, self.plain,
                       self.blocks, self.solved)
