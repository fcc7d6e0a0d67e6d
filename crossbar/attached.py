"""An array seen from the circuit around it: voltages behind resistances in, currents and node voltages out.

Terminal k is driven by e_k behind r_k, which the line solver (solvers/lines.py) takes into the lead exactly:

    i_k = Y_k(e; r),   v_k = e_k - r_k i_k          i_k flows into the array; r_k = inf leaves the terminal open

Only terminals whose lead conducts count; a side's lines are in their order, the sides in that of SIDES.
"""

from dataclasses import dataclass

import numpy as np

from crossbar.elements.base import Array, IntArray, Mask
from crossbar.elements.cells import Cells
from crossbar.elements.solution import ArraySolution
from crossbar.elements.xbar import SIDES, Xbar, leaded, lines_of
from crossbar.solvers.lines import Law, Plane, PlanesSolution, solve_planes
from crossbar.solvers.warm_start import solve_from


def cell_law(cells: Cells, isolated: tuple[Mask, Mask] | None) -> Law:
    """The cells' law as the line solver takes it: slopes with a batch axis, isolated cells dead."""
    alive = None if isolated is None else ~(isolated[0] | isolated[1])

    def current(v: Array, _: object) -> tuple[Array, Array, Array]:
        i, g = cells.current(v)
        g = g.reshape(-1, *cells.shape)
        if alive is not None:
            i, g = i * alive, g * alive
        return i, g, g

    if not cells.linear:
        return Law(current=current)
    slope = cells.current(np.zeros(cells.shape))[1].reshape(-1, *cells.shape)
    return Law(np.ascontiguousarray(slope) if alive is None else slope * alive)


@dataclass(frozen=True, eq=False)
class Solved:
    """An array for some e and r: currents (T,) into its terminals, voltages (T,) at them, and what the line solver said."""

    i: Array
    v: Array
    nodes: tuple[Array, Array]  # (1, M, N) [V]; 0 where isolated
    planes: PlanesSolution


@dataclass(frozen=True, eq=False)
class Attached:
    """An array with T terminals."""

    xbar: Xbar
    lines: tuple[IntArray, ...]  # of each side: lines whose lead conducts
    node: IntArray               # (T,) circuit nodes
    load: Array                  # (T,) about the conductance to ground that a terminal offers, positive [S]

    @classmethod
    def of(cls, xbar: Xbar) -> "Attached":
        """The array of a circuit, with what its terminals are attached to."""
        word, bit = xbar.leads
        lines, nodes, loads = [], [], []
        conductance = xbar.cells.conductance
        for side, r, g in zip(SIDES, (word, word[:, ::-1], bit.T, bit.T[:, ::-1]),
                              (conductance.sum(axis=1),) * 2 + (conductance.sum(axis=0),) * 2, strict=True):
            which = np.flatnonzero(np.isfinite(r[:, 0]))
            lines.append(which)
            nodes.append(xbar.terminals.get(side, np.empty(0, np.intp))[which] if which.size else np.empty(0, np.intp))
            loads.append(_line_conductance(r[which], g[which]))
        load = np.concatenate(loads)
        return cls(xbar, tuple(lines), np.concatenate(nodes), np.maximum(load, 1e-6 * load.max(initial=1e-6)))

    def solve(self, e: Array, r: Array, rtol: float, start: tuple[Array, Array] | None) -> Solved:
        """The array driven by e (T,) [V] behind r (T,) [ohm]; start : node voltages (1, M, N) to begin with.

        Raises ConvergenceError as `solve_planes` does.
        """
        done = solve_from(*self._planes(e, r), cell_law(self.xbar.cells, self.xbar.isolated), rtol=rtol, start=start)
        assert done.nodes is not None
        i, end = self._currents(done), self._ends(done.nodes)
        opened = np.isinf(r)
        return Solved(i, np.where(opened, end, e - np.where(opened, 0.0, r) * i), done.nodes, done)

    def respond(self, at: Solved, de: Array, r: Array, rtol: float) -> Array:
        """Change (T,) of the currents with small changes de (T,) [V], to first order about a solution."""
        slope = self.xbar.cells.current(at.nodes[0][0] - at.nodes[1][0])[1].reshape(1, *self.xbar.shape)
        if self.xbar.isolated is not None:
            slope = slope * ~(self.xbar.isolated[0] | self.xbar.isolated[1])
        return self._currents(solve_planes(*self._planes(de, r), Law(np.ascontiguousarray(slope)), rtol=rtol, nodes=False))

    def solution(self, at: Solved, voltages: Array) -> ArraySolution:
        """The result for users; voltages (nodes,) of the circuit's named nodes, ground first [V]."""
        xbar = self.xbar
        nodes = tuple(x[0] for x in at.nodes)
        if xbar.isolated is not None:
            nodes = tuple(np.where(lost, np.nan, x) for x, lost in zip(nodes, xbar.isolated, strict=True))
        done = at.planes
        return ArraySolution(
            cells=xbar.cells, r_word=xbar.r_word, r_bit=xbar.r_bit, r_driver=xbar.r_driver,
            terminal_voltage=xbar.terminal_voltage(voltages),
            terminal_current={side: out[0] for side, out in zip(SIDES, done.out, strict=True)},
            nodes=(nodes[0], nodes[1]), residual=float(done.residual[0]), relative_residual=float(done.relative_residual[0]),
            iterations=done.iterations, method="lines")

    def _planes(self, e: Array, r: Array) -> tuple[Plane, Plane]:
        word, bit = self.xbar.leads
        volts, series = self._sides(e), self._sides(r)
        return (Plane.of(leaded(word, series[0], series[1]).T, volts[0][None], volts[1][None]),
                Plane.of(leaded(bit.T, series[2], series[3]).T, volts[2][None], volts[3][None]))

    def _sides(self, x: Array) -> list[Array]:
        """What belongs to the terminals (T,), by side and line, 0 where there is none."""
        out, parts = [], np.split(x, np.cumsum([w.size for w in self.lines])[:-1])
        for side, which, part in zip(SIDES, self.lines, parts, strict=True):
            whole = np.zeros(lines_of(side, self.xbar.shape))
            whole[which] = part
            out.append(whole)
        return out

    def _currents(self, done: PlanesSolution) -> Array:
        return -np.concatenate([out[0, which] for out, which in zip(done.out, self.lines, strict=True)])

    def _ends(self, nodes: tuple[Array, Array]) -> Array:
        """Voltages (T,) of the nodes at the ends of the lines."""
        (u,), (v,) = nodes
        return np.concatenate([x[which] for x, which in zip((u[:, 0], u[:, -1], v[0], v[-1]), self.lines, strict=True)])


def _line_conductance(r: Array, g: Array) -> Array:
    """Conductance to ground (L,) of lines with segments r (L, n+1) and cells g (L,) in all, the other plane and their far ends at
    0 V: a ladder taken as continuous, sqrt(g / r) tanh sqrt(g r), behind its lead, and the line itself, of at least 1 ohm."""
    inner = np.where(np.isfinite(r[:, 1:-1]), r[:, 1:-1], 0.0).sum(axis=1)
    x = np.sqrt(inner * g)
    seen = g * np.divide(np.tanh(x), x, out=np.ones_like(x), where=x > 1e-8)
    return seen / (1 + r[:, 0] * seen) + 1 / np.maximum(r.sum(axis=1), 1.0)
