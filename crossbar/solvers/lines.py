"""Two planes of resistive lines joined by cells, solved in O(cells) by Newton's method with matrix-free linear steps.

    rho = KCL misfit of the true cell currents,   A delta = rho,   x += delta

For linear cells the same loop is iterative refinement. A linear step is `schur.Schur` where the planes cross (word and bit lines)
and `ladders.Ladders` where they run alongside each other (bit and source lines of a column).

    planes        lines, cells, solution
    line_state    node voltages so far, as deviations from the lines alone, and their misfits
    line_newton   steps, line search
"""

import contextlib
from collections.abc import Iterator

import numba
import numpy as np

from crossbar.errors import ConvergenceError
from crossbar.solvers import blas
from crossbar.solvers.line_newton import follow_transient, newton
from crossbar.solvers.line_state import LineState
from crossbar.solvers.planes import Array, Law, Plane, PlanesSolution, extreme_voltages

__all__ = ["Law", "Plane", "PlanesSolution", "solve_planes", "threads"]

_SERIAL = 100_000      # cells times inputs below which one thread does it


def solve_planes(first: Plane, second: Plane, law: Law, *, crossed: bool = True, rtol: float = 1e-10, nodes: bool = True,
                 start: tuple[Array, Array] | None = None, guess: Array | None = None) -> PlanesSolution:
    """Solve both planes to sum |KCL| <= rtol sum |cell current|, for every input of the batch.

    crossed : whether line i of the first plane meets line j of the second at cell (i, j); else both have N lines of M nodes.
    nodes : whether node voltages are wanted. start : node voltages (B or 1, M, N) of both planes to begin with. guess : voltages
    (B or 1, M, N) of nonlinear cells, about: node voltages may be near and their differences, that drive the wires, far off.
    Raises ConvergenceError, with its trace, where the tolerance is missed or a cell has a negative slope.
    """
    level = _common(first, second) if law.symmetric else np.zeros(len(first.near))
    first, second = first.lowered(level), second.lowered(level)
    with threads(first.near.shape[0] * second.near.shape[1] * (len(second.r) - 1)):
        if start is not None:
            start = start[0] - level[:, None, None], start[1] - level[:, None, None]
        state = _solve(first, second, law, crossed, start, guess, rtol)
        return state.solution(level if nodes else None)


def _solve(first: Plane, second: Plane, law: Law, crossed: bool, start: tuple[Array, Array] | None, guess: Array | None,
           rtol: float) -> "LineState":
    """Newton's method; where it fails, once more without hints, then, for transistors, in small steps. (Of cells with two
    terminals the line search finds every solution that arithmetic can tell.)"""
    hinted = start is not None or guess is not None
    try:
        return newton(LineState.begin(first, second, law, crossed, start, guess), rtol)
    except ConvergenceError:
        if law.symmetric and not hinted:
            raise
    if hinted:
        return _solve(first, second, law, crossed, None, None, rtol)
    return follow_transient(LineState.begin(first, second, law, crossed, None, None), rtol)


def _common(first: Plane, second: Plane) -> Array:
    """(B,) A voltage that all terminals have in common, beside which their differences are small, or 0 [V]."""
    lowest, highest = extreme_voltages(first, second)
    return np.where(highest - lowest < 0.5 * np.maximum(-lowest, highest), lowest, 0.0)


@contextlib.contextmanager
def threads(cells: int) -> Iterator[None]:
    """One thread for a small array: starting several costs more than they save, much more on a busy machine. One thread
    for BLAS: its products are small, and its waiting threads would keep the sweeps' from their cores."""
    usual = numba.get_num_threads()
    numba.set_num_threads(1 if cells < _SERIAL else usual)
    try:
        with blas.one_thread():
            yield
    finally:
        numba.set_num_threads(usual)
