"""Modified nodal analysis: a circuit as F(x) = 0 with a sparse Jacobian (Ho, Ruehli, Brennan 1975).

Unknowns x, in this order: voltages of the named nodes without ground, of the arrays' inner nodes, branch currents batch by
batch.  Equations likewise: KCL of each node (sum of the currents that leave it), branch equations.
F is summed from the elements' own currents, not from matrix times vector: what is checked is Kirchhoff's law itself.

`analyse` finds the sparsity pattern once and where each element's slopes go in it; a System of that plan refills the values.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array

from crossbar.checks import tolerance
from crossbar.circuit import Circuit
from crossbar.elements.base import Array, Batch, IntArray
from crossbar.errors import ConvergenceError, DataError
from crossbar.solvers.newton import Evaluation


@dataclass(frozen=True, eq=False)
class Plan:
    """Numbering and sparsity pattern of a circuit; index 0 stands for ground throughout and is cut off at the end."""

    kinds: tuple[type[Batch], ...]
    nodes: tuple[IntArray, ...]
    unknowns: tuple[IntArray, ...]   # (n, local unknowns) of each batch
    equations: tuple[IntArray, ...]  # (n, local equations) of each batch
    branches: tuple[int, ...]        # first branch unknown of each batch, 0 where it has none
    node_count: int
    size: int                        # unknowns with ground
    dead: IntArray                   # unknowns that no element touches (isolated nodes of arrays); they are held at 0
    slots: IntArray                  # where each Jacobian entry goes in the data; the last slot takes what belongs to ground
    indices: npt.NDArray[np.int32]
    indptr: npt.NDArray[np.int32]

    def fits(self, circuit: Circuit) -> bool:
        """Whether another circuit has the same elements on the same nodes, so that this plan serves it."""
        return (circuit.node_count == self.node_count
                and tuple(type(b) for b in circuit.flat) == self.kinds
                and all(np.array_equal(b.nodes, n) and b.has_branch == (first > 0)
                        and np.array_equal(_sensed(circuit, b, self.branches), u[:, n.shape[1] + b.has_branch:])
                        for b, n, u, first in zip(circuit.flat, self.nodes, self.unknowns, self.branches, strict=True)))


def analyse(circuit: Circuit) -> Plan:
    """Number the unknowns and find the pattern; raises DataError for an empty circuit, or where a sensed element has no
    branch current."""
    if not circuit.flat:
        raise DataError("the circuit holds no element")
    branches, size = [], circuit.node_count
    for batch in circuit.flat:
        branches.append(size if batch.has_branch else 0)
        size += len(batch.nodes) if batch.has_branch else 0
    unknowns, equations, rows, columns = [], [], [], []
    for batch, first in zip(circuit.flat, branches, strict=True):
        own = np.arange(first, first + len(batch.nodes))[:, None] if batch.has_branch \
            else np.empty((len(batch.nodes), 0), np.intp)
        sensed = _sensed(circuit, batch, branches)
        unknowns.append(np.hstack((batch.nodes, own, sensed)))
        equations.append(np.hstack((batch.nodes, own)))
        row, column = np.nonzero(batch.stencil)
        rows.append(equations[-1][:, row].ravel())
        columns.append(unknowns[-1][:, column].ravel())
    touched = np.zeros(size, bool)
    touched[np.concatenate([u.ravel() for u in unknowns])] = True
    dead = np.flatnonzero(~touched[1:]) + 1
    r, c = np.concatenate((*rows, dead)), np.concatenate((*columns, dead))
    live = (r > 0) & (c > 0)
    keys, where = np.unique((c[live] - 1) * size + (r[live] - 1), return_inverse=True)
    slots = np.full(r.size, keys.size)
    slots[live] = where
    indptr = np.searchsorted(keys, np.arange(size) * size).astype(np.int32)
    return Plan(tuple(type(b) for b in circuit.flat), tuple(b.nodes for b in circuit.flat), tuple(unknowns),
                tuple(equations), tuple(branches), circuit.node_count, size, dead, slots,
                (keys % size).astype(np.int32), indptr)


def _sensed(circuit: Circuit, batch: Batch, branches: Sequence[int]) -> IntArray:
    """Unknowns (n, sensed) of the branch currents that a batch reads."""
    found = []
    for name in batch.senses:
        k, at = circuit.element(name)
        if not circuit.flat[k].has_branch:
            raise DataError(f"{batch.names[0]} reads the current of {name}, which is no voltage source; put a 0 V source "
                            "in series with it and read that")
        found.append(branches[k] + at)
    if not found:
        return np.empty((len(batch.nodes), 0), np.intp)
    return np.array(found, dtype=np.intp).reshape(len(batch.nodes), -1)


@dataclass(frozen=True, kw_only=True)
class Tolerances:
    """When an operating point counts as solved. Circuits of linear elements are held to `linear` whatever reltol says.

    Raises DataError for a reltol, vntol or abstol that is no number, not positive or too large, see `checks.MOST`.
    """

    reltol: float = 1e-3   # of an unknown's size, and of the currents that meet at a node
    vntol: float = 1e-6    # [V]
    abstol: float = 1e-12  # [A]
    linear: float = 1e-10
    array: float = 1e-10   # sum |KCL| / sum |cell current| of every array

    def __post_init__(self) -> None:
        for name in ("reltol", "vntol", "abstol"):
            object.__setattr__(self, name, tolerance(getattr(self, name), name))


@dataclass(frozen=True, eq=False)
class Kirchhoff:
    """The certificate of a solution: how well Kirchhoff's current law holds."""

    residual: float           # largest |KCL| of a node [A]
    relative_residual: float  # the same over the |currents| that meet there + abstol / reltol; accepted up to reltol
    node: str                 # where the residual is largest


_RUNAWAY = 1e25  # [V] at a node of a nonlinear circuit, that are no solution
NOISE = 8 * np.finfo(float).eps  # of F, relative to |Jacobian| |x|: what rounding of x may leave


class System:
    """F(x) of one circuit on a plan; the problem that `solvers.newton` takes. noise (size,) or 0: what rounding elsewhere, of
    currents that sources stand for, leaves of F."""

    def __init__(self, circuit: Circuit, plan: Plan, tolerances: Tolerances, noise: Array | float = 0.0) -> None:
        self.circuit, self.plan, self.tolerances, self.noise = circuit, plan, tolerances, noise
        self.linear = all(b.linear for b in circuit.flat)
        self.size = plan.size - 1
        self.nodes = slice(0, plan.node_count - 1)

    @np.errstate(all="ignore")  # far from the solution they may be beyond all numbers
    def forces(self, x: Array) -> list[tuple[Array, Array]]:
        """What every batch evaluates to at x (size,): local f and slopes."""
        full = np.concatenate(([0.0], x))
        with np.errstate(all="ignore"):  # far from the solution it may be beyond all numbers
            return [b.evaluate(full[u]) for b, u in zip(self.circuit.flat, self.plan.unknowns, strict=True)]

    def evaluate(self, x: Array) -> Evaluation:
        """F and its Jacobian at x (size,). Raises ConvergenceError where either is beyond the range of numbers."""
        with np.errstate(all="ignore"):
            at = self._evaluation(x)
        if not (np.isfinite(at.residual).all() and np.isfinite(at.jacobian.data).all()):
            worst = int(np.argmin(np.isfinite(at.residual)))
            raise ConvergenceError(f"currents or conductances beyond the range of numbers near {self.name(worst)}")
        return at

    def _evaluation(self, x: Array) -> Evaluation:
        values = self.forces(x)
        forces = [f for f, _ in values]
        residual, scale = self.balance(forces)
        slopes = np.concatenate([*(s.ravel() for _, s in values), np.ones(self.plan.dead.size)])
        data = np.bincount(self.plan.slots, weights=slopes, minlength=self.plan.indices.size + 1)
        jacobian = csc_array((data[:self.plan.indices.size], self.plan.indices, self.plan.indptr),
                             shape=(self.size, self.size))
        over = np.abs(residual) / self._tolerance(x, scale, NOISE * (abs(jacobian) @ np.abs(x)) + self.noise)
        worst = int(np.argmax(over)) if over.size else 0
        misfit = max(float(over[worst]) if over.size else 0.0, self._array_misfit(x, residual, values))
        if not self.linear and np.abs(x[self.nodes]).max(initial=0.0) > _RUNAWAY:
            misfit = np.inf  # what rounding leaves there would hide any current
        return Evaluation(residual, jacobian, misfit, worst)

    @np.errstate(all="ignore")
    def balance(self, forces: list[Array]) -> tuple[Array, Array]:
        """F (size,) and the sum of |contributions| to each equation, from the local f of every batch."""
        at = np.concatenate([e.ravel() for e in self.plan.equations])
        f = np.concatenate([f.ravel() for f in forces])
        total, size = (np.bincount(at, weights=w, minlength=self.plan.size)[1:] for w in (f, np.abs(f)))
        return total, size  # type: ignore[return-value]  # weights make them floats

    @property
    def _reltol(self) -> float:
        t = self.tolerances
        return min(t.linear, t.reltol) if self.linear else t.reltol

    def _tolerance(self, x: Array, scale: Array, noise: Array | float = 0.0) -> Array:
        """Largest |F| that counts as solved, per equation [A] or [V]; noise is what rounding leaves of F."""
        t, relative = self.tolerances, self._reltol
        currents, volts = scale[self.nodes], np.abs(x[self.nodes]).max(initial=0.0)
        # the current that rounding alone leaves at a node is set by the largest in the circuit
        floor = min(t.abstol, relative * currents.max(initial=0.0)) if self.linear else t.abstol
        branch = max(relative * volts, 4 * np.finfo(float).eps * volts)
        tiny = 1e-290  # |F| / tiny does not overflow
        return noise + np.concatenate((relative * currents + floor + tiny,
                                       np.full(self.size - currents.size, branch + (0 if self.linear else t.vntol) + tiny)))

    def _array_misfit(self, x: Array, residual: Array, values: list[tuple[Array, Array]]) -> float:
        return max(self.array_residuals(x, residual, values), default=0.0) / self.tolerances.array

    @np.errstate(all="ignore")
    def array_residuals(self, x: Array, residual: Array, values: list[tuple[Array, Array]]) -> list[float]:
        """sum |KCL| over the inner nodes / sum |cell current| of every array; 0 where both are but rounding."""
        out = []
        circuit = self.circuit
        for k, array in enumerate(circuit.arrays):
            first = circuit.first_inner[k] - 1
            misfit = np.abs(residual[first:first + array.node_count]).sum()
            current, slopes = values[len(circuit.batches) + 3 * k + 2]
            carried = np.abs(current[:, 0]).sum()
            noise = NOISE * np.abs(slopes).sum() * np.abs(x[self.nodes]).max(initial=0.0)
            still = carried <= noise and misfit <= noise
            out.append(0.0 if still else float(misfit / carried) if carried > 0 else np.inf)
        return out

    def change(self, new: Array, old: Array) -> float:
        t = self.tolerances
        floor = np.full(self.size, t.abstol)
        floor[self.nodes] = t.vntol
        bound = t.reltol * np.maximum(np.abs(new), np.abs(old)) + floor
        return float((np.abs(new - old) / bound).max(initial=0.0))

    def name(self, equation: int) -> str:
        number = equation + 1
        if number < self.plan.node_count:
            return f"node {self.circuit.node_name(number)}"
        for batch, first in zip(self.circuit.flat, self.plan.branches, strict=True):
            if batch.has_branch and first <= number < first + len(batch.nodes):
                return f"element {batch.names[number - first]}"
        return f"equation {equation}"

    def certificate(self, x: Array, forces: list[Array]) -> Kirchhoff:
        """How well KCL holds."""
        residual, scale = self.balance(forces)
        misfit = np.abs(residual[self.nodes])
        if misfit.size == 0:
            return Kirchhoff(0.0, 0.0, "0")
        worst = int(np.argmax(misfit))
        relative = (misfit / self._tolerance(x, scale)[self.nodes]).max() * self._reltol
        return Kirchhoff(float(misfit[worst]), float(relative), self.circuit.node_name(worst + 1))
