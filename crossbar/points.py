"""Operating points: one result, whichever path found it.

    Expanded   the general path: every array as its wires and cells
    Joined     arrays as blocks
    Unfolded   crossbars among the resistors of a flat circuit as blocks
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from crossbar.circuit import Circuit, parse_output
from crossbar.elements.base import Array
from crossbar.elements.solution import ArraySolution
from crossbar.elements.xbar import SIDES
from crossbar.errors import DataError
from crossbar.folded import Folded
from crossbar.mna import Kirchhoff, Plan, System
from crossbar.solvers.newton import Root
from crossbar.summaries import block, spread

if TYPE_CHECKING:
    from crossbar.coupled import Coupled  # and with it numba, where there are arrays


@dataclass(frozen=True, eq=False, repr=False)
class OperatingPoint(ABC):
    """A solved circuit. Voltages and currents by name: `v("out")`, `v("a", "b")`, `i("v1")`, `i("x1[3,7]")`."""

    circuit: Circuit
    certificate: Kirchhoff

    def __repr__(self) -> str:
        """Title, size, voltages, certificate."""
        named = len(self.circuit.nodes)
        arrays = len(self.circuit.arrays)
        return block(
            f"OperatingPoint of {self.circuit.title!r}: {named - 1} nodes besides ground, {arrays} "
            "arrays",
            f"node voltages {spread(self.voltages[1:named], 'V')}",
            f"{self.method}: {self.iterations} iterations, largest |KCL| {self.residual:.1e} A, of "
            f"the currents at a node {self.relative_residual:.1e}")

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


@dataclass(frozen=True, eq=False, repr=False)
class Expanded(OperatingPoint):
    """Found on the general path: every array as its wires and cells."""

    x: Array            # unknowns, in the order of crossbar.mna
    root: Root
    system: System
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
        return [f for f, _ in self.system.forces(self.x)]

    @cached_property
    def voltages(self) -> Array:
        out = np.concatenate(([0.0], self.x[:self.circuit.node_count - 1]))
        out[self.plan.dead] = np.nan
        return out

    @cached_property
    def currents(self) -> list[Array]:
        return [f[:, 0] for f in self._forces[:len(self.circuit.batches)]]

    def _inner_current(self, name: str) -> float:
        found = self.circuit.inner(name)
        if found is not None and found[1] and self.circuit.ideal_lines[found[0]] is not None:
            k, part, i, j = found
            return float(self._segment_currents(k)[part == "rbl"][i, j])
        k, at = self.circuit.element(name)
        return float(self._forces[k][at, 0])

    def _segment_currents(self, k: int) -> tuple[Array, Array]:
        """Of array k (M, N+1), (M+1, N) [A]."""
        circuit, at = self.circuit, len(self.circuit.batches) + 3 * k
        along = circuit.arrays[k].segment_currents(self._forces[at][:, 0], self._forces[at + 1][:, 0], circuit.ideal_lines[k])
        first_ideal = len(circuit.batches) + 3 * len(circuit.arrays)
        for position, (array, plane) in enumerate(circuit.ideal_batches):
            if array != k:
                continue
            ideal = circuit.ideal_lines[k]
            assert ideal is not None  # there are such batches
            forces = self._forces[first_ideal + position]
            lines = ideal[plane]
            from_near, drawn = (f.reshape(lines.size, -1) for f in (forces[:, 0], -forces[:, 1]))
            spent = np.cumsum(drawn, axis=1)
            current = from_near.sum(axis=1, keepdims=True) - np.column_stack((np.zeros(lines.size), spent))
            if plane == 0:
                along[0][lines] = current
            else:
                along[1][:, lines] = current.T
        return along

    def _array(self, k: int) -> ArraySolution:
        xbar = self.circuit.arrays[k]
        first = self.circuit.first_inner[k]
        word, bit = (self.voltages[n] for n in xbar.numbers(first))
        along_word, along_bit = self._segment_currents(k)
        out = (-along_word[:, 0], along_word[:, -1], -along_bit[0], along_bit[-1])
        misfit = self.system.balance(self._forces)[0]
        return ArraySolution(
            cells=xbar.cells, r_word=xbar.r_word, r_bit=xbar.r_bit, r_driver=xbar.r_driver,
            terminal_voltage=xbar.terminal_voltage(self.voltages), terminal_current=dict(zip(SIDES, out, strict=True)),
            nodes=(word, bit), residual=float(np.abs(misfit[first - 1:first - 1 + xbar.node_count]).max()),
            relative_residual=self.system.array_residuals(self.x, misfit, self.system.forces(self.x))[k],
            iterations=self.root.steps, method="general")


@dataclass(frozen=True, eq=False, repr=False)
class Joined(OperatingPoint):
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
            raise DataError(self.circuit.no_element(name))
        k, part, i, j = found
        array = self.solution.arrays[k]
        values = array.segment_current[part == "rbl"] if part else array.cell_current
        return float(values[i, j])

    def _array(self, k: int) -> ArraySolution:
        return self.solution.arrays[k]


@dataclass(frozen=True, eq=False, repr=False)
class Unfolded(OperatingPoint):
    """Found with crossbars among the resistors folded into arrays, see crossbar.folded."""

    folded: Folded
    point: Joined  # of the folded circuit

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
        raise DataError(self.circuit.no_element(name))

    def _array(self, k: int) -> ArraySolution:
        raise IndexError(k)  # a flat circuit has no arrays
