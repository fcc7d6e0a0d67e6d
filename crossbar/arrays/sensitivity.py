"""Derivatives of an array's currents by Tellegen's theorem: one solve of the array, one of its adjoint.

F = sum_k w_k I_k, I_k the currents out of the array at the terminals of one side. The adjoint is the same array with every
cell replaced by its slope di/dv at the solution, driven with w_k volts at those terminals and 0 V at all other connected
ends; resistive networks are their own transpose. With v, i of the array and v', i' of the adjoint

    a change di_c of the law i_c(v) of cell c at its voltage     dF = -v'_c di_c(v_c)
      conductance added to the cell, for an ohmic cell its own   dF/dg_c = -v'_c v_c
      common factor on the cell's current                        dF/dln s_c = -v'_c i_c
    a resistance in a wire or driver                             dF/dr = i i'
    a terminal's voltage                                         dF/dV = i', out of the array

Director, Rohrer, IEEE Trans. Circuit Theory 16, 318 (1969). Nothing is differenced: the relative error of a derivative
is that of the two solutions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
import numpy.ma as ma
import numpy.typing as npt

from crossbar import memory, mtj
from crossbar.arrays.blocks import gather
from crossbar.arrays.drives import Drive, Drives
from crossbar.checks import choice, real_array
from crossbar.elements.base import Array, Batch, IntArray
from crossbar.elements.cells import Cells, LinearCells, MTJCells
from crossbar.elements.solution import ArraySolution
from crossbar.elements.xbar import SIDES, lines_of
from crossbar.errors import DataError

_TOGETHER = 2 ** 16  # adjoints x cells solved in one call where each input has slopes of its own

#: What a gradient can be taken to: derivative with respect to a value of each cell.
QUANTITIES = ("conductance", "scale", "m_z")


class Solvable(Protocol):
    """What linear algebra needs of an array."""

    @property
    def cells(self) -> Cells: ...
    @property
    def r_word(self) -> Array: ...
    @property
    def r_bit(self) -> Array: ...
    @property
    def r_driver(self) -> Mapping[str, Array]: ...
    @property
    def shape(self) -> tuple[int, int]: ...

    def solve(self, word_left: Drive = None, word_right: Drive = None, bit_top: Drive = None, bit_bottom: Drive = 0.0, *,
              rtol: float = 1e-10, keep: Literal["nodes", "terminals"] = "nodes") -> ArraySolution: ...

    def with_cells(self, cells: Cells) -> "Solvable": ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Sensitivity:
    """Derivatives of F = sum_k w_k I_k [A]; (...) is the batch of weights against that of the inputs, broadcast.

    Derivatives are 0 where no terminal reaches. Each is made when asked for.
    """

    solution: ArraySolution  # the array
    adjoint: ArraySolution   # its linearised twin, driven at the outputs; voltages are per volt of weight

    def to(self, current_change: npt.ArrayLike) -> Array:
        """dF/dp (..., M, N) for any parameter p of the cells, from di/dp at each cell's voltage (..., M, N) [A per p]."""
        change, across = np.asarray(current_change, dtype=float), self.adjoint.cell_voltage
        shape = np.broadcast_shapes(change.shape, across.shape)
        memory.require(f"derivatives of shape {shape}", 16.0 * np.prod(shape, dtype=float))
        return _dead(-across * change)

    @cached_property
    def conductance(self) -> Array:
        """(..., M, N) [V]: dF/dg of an ohmic conductance beside each cell; of a linear cell, its own."""
        return self.to(self.solution.cell_voltage)

    @cached_property
    def scale(self) -> Array:
        """(..., M, N) [A]: dF/ds where each cell's current is s i(v), at s = 1; of a linear cell g dF/dg."""
        return self.to(self.solution.cell_current)

    @cached_property
    def m_z(self) -> Array:
        """(..., M, N) [A]: dF/dm_z of junctions, m_z = cos(theta), in which the current is linear. Raises DataError for
        cells that are not junctions."""
        cells = self.solution.cells
        if not isinstance(cells, MTJCells):
            raise DataError('a derivative with respect to m_z needs MTJCells; take by="conductance" or "scale"')
        v = self.solution.cell_voltage
        parallel, antiparallel = (mtj.current(v, cells.params, m_z)[0] for m_z in (1.0, -1.0))
        return self.to((parallel - antiparallel) / 2)

    @cached_property
    def voltage(self) -> Mapping[str, Array]:
        """{side: (..., lines)} [S]: dF/dV of the terminal voltages, 0 at open ends."""
        return self.adjoint.terminal_current

    @cached_property
    def r_word(self) -> Array:
        """(..., M, N+1) [A/ohm]: dF/dr of the word-line segments; 0 in an open one."""
        return self.solution.segment_current[0] * self.adjoint.segment_current[0]

    @cached_property
    def r_bit(self) -> Array:
        """(..., M+1, N) [A/ohm]: dF/dr of the bit-line segments."""
        return self.solution.segment_current[1] * self.adjoint.segment_current[1]

    @cached_property
    def r_driver(self) -> Mapping[str, Array]:
        """{side: (..., lines)} [A/ohm]: dF/dr of the drivers."""
        return {side: self.solution.terminal_current[side] * self.adjoint.terminal_current[side] for side in SIDES}


def sensitivity(array: Solvable, drives: Mapping[str, Drive], output: str, weights: npt.ArrayLike,
                rtol: float) -> Sensitivity:
    """Solve the array and its adjoint; see `ArrayAlgebra.sensitivity`."""
    choice(output, SIDES, "output")
    if drives.get(output) is None:
        raise DataError(f"output {output} is open: connect it, {output}=0.0, to sense its current")
    solution = array.solve(**drives, rtol=rtol)  # type: ignore[arg-type]
    lines = lines_of(output, array.shape)
    w = real_array(weights, f"weights of {output}")
    if w.ndim and w.shape[-1] != lines:
        raise DataError(f"weights must be a scalar or (..., {lines}), one for each line of {output}, got shape {w.shape}")
    if not np.isfinite(w).all():
        raise DataError("weights must be finite")
    w = np.broadcast_to(w, (*w.shape[:-1], lines))
    return Sensitivity(solution=solution, adjoint=_adjoint(array, solution, output, w, rtol))


def _adjoint(array: Solvable, solution: ArraySolution, output: str, w: Array, rtol: float) -> ArraySolution:
    """The adjoint with the leading axes of w, broadcast against those of the inputs where it depends on them."""
    on = {side: ~np.isnan(v) for side, v in solution.terminal_voltage.items()}
    inputs = on[output].shape[:-1]
    first = {side: m.reshape(-1, m.shape[-1])[0] for side, m in on.items()}
    shared = array.cells.linear and all((m == first[side]).all() for side, m in on.items())
    try:
        whole = np.broadcast_shapes(w.shape[:-1], inputs)
    except ValueError:
        raise DataError(f"weights {w.shape} do not fit a batch of {inputs[0]} inputs") from None
    lead, on = (w.shape[:-1], first) if shared else (whole, on)
    count = int(np.prod(lead))
    memory.require(f"{count} adjoints of {array.shape[0]} x {array.shape[1]} cells",
                   8.0 * (4 if array.cells.linear else 6) * count * array.shape[0] * array.shape[1])

    def flat(x: npt.NDArray) -> npt.NDArray:
        return np.broadcast_to(x, (*lead, x.shape[-1])).reshape(count, -1)
    drives: dict[str, Drive] = {
        side: ma.array(flat(w if side == output else np.zeros(m.shape[-1])), mask=flat(~m)) for side, m in on.items()}
    if array.cells.linear:
        adjoint = array.solve(**drives, rtol=rtol)  # type: ignore[arg-type]
    else:
        slopes = np.broadcast_to(_slopes(solution), (*lead, *array.shape)).reshape(count, *array.shape)
        adjoint = _solve_tangents(array, slopes, drives, rtol)
    return _shaped(adjoint, lead)


def _slopes(solution: ArraySolution) -> Array:
    """di/dv (..., M, N) at the solution [S], 0 in isolated cells."""
    g = _dead(solution.cells.current(solution.cell_voltage)[1])
    if g.min(initial=0.0) < 0:
        *_, i, j = np.argwhere(g < 0)[0]
        raise DataError(f"cell [{i},{j}] has the negative slope {g.min():.3g} S at the solution; its adjoint is not solved")
    return g


def _solve_tangents(array: Solvable, slopes: Array, drives: Mapping[str, Drive], rtol: float) -> ArraySolution:
    """The adjoints of inputs that each have slopes (count, M, N) of their own."""
    every = Drives.of([drives[side] for side in SIDES], array.shape)
    size = max(1, _TOGETHER // (array.shape[0] * array.shape[1]))
    parts = []
    for which in every.blocks(size):
        some = every.take(which)
        masked: dict[str, Drive] = {s: ma.array(some.volts[s], mask=~some.on[s]) for s in SIDES}
        parts.append((which, array.with_cells(_Tangents(g=slopes[which])).solve(**masked, rtol=rtol)))  # type: ignore[arg-type]
    return replace(gather(parts, single=False), cells=_Tangents(g=slopes))


def _shaped(s: ArraySolution, lead: tuple[int, ...]) -> ArraySolution:
    """A solution of a flat batch with other leading axes."""
    def shaped(x: Array | float) -> Array:
        x = np.asarray(x)
        return x.reshape((*lead, *x.shape[1:]))
    cells = replace(s.cells, g=shaped(s.cells.g)) if isinstance(s.cells, _Tangents) else s.cells
    return replace(s, cells=cells, nodes=(shaped(s.word_voltage), shaped(s.bit_voltage)), residual=shaped(s.residual),
                   relative_residual=shaped(s.relative_residual),
                   terminal_voltage={side: shaped(v) for side, v in s.terminal_voltage.items()},
                   terminal_current={side: shaped(i) for side, i in s.terminal_current.items()})


def _dead(x: Array) -> Array:
    """0 where there is no voltage (NaN): no terminal reaches."""
    return np.where(np.isnan(x), 0.0, x)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Tangents(Cells):
    """Linear cells whose conductances g (..., M, N) [S] differ from input to input."""

    g: Array

    @property
    def shape(self) -> tuple[int, int]:
        return self.g.shape[-2], self.g.shape[-1]

    @property
    def linear(self) -> bool:
        return True

    @property
    def conductance(self) -> Array:
        return self.g.reshape(-1, *self.shape).max(axis=0)

    def current(self, v: Array) -> tuple[Array, Array]:
        return self.g * v, self.g

    def batch(self, names: "list[str]", nodes: IntArray, which: IntArray) -> Batch:  # type: ignore[override]
        return LinearCells(g=self.g.reshape(self.shape)).batch(names, nodes, which)
