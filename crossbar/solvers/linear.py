"""Sparse direct solution: factorise once, solve for many right-hand sides, refine to rounding.

A circuit of resistors and sources gives a symmetric matrix [G A; A' -R] with G, R diagonally dominant and semidefinite. Were both
definite it would be quasidefinite, and every symmetric ordering could pivot on the diagonal (Vanderbei, SIAM J. Optim. 5, 100
(1995)): no zero pivot, no fill but that of the ordering. So a little is added to the diagonal, as in interior-point codes, and
iterative refinement with the true matrix takes it out again. Where that fails, and for unsymmetric matrices, columns are ordered
by COLAMD with partial pivoting.

The check is the componentwise backward error max |b - A x| / (|A| |x| + |b|) (Oettli, Prager, Numer. Math. 6, 405 (1964)).
"""

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, diags_array
from scipy.sparse.linalg import SuperLU, splu

from crossbar.errors import ConvergenceError

Array = npt.NDArray[np.float64]

_SHUNT = 1e-14    # added to the diagonal of node equations [S]
_SERIES = 1e-7    # subtracted from that of branch equations [ohm]
_EXACT = 1e-15    # backward error that needs no further refinement
_GOOD = 1e-12     # backward error that is good enough after it
_REFINEMENTS = 12


class Factors:
    """Factors of one matrix; `solve` refines, and falls back to partial pivoting if refinement does not converge."""

    def __init__(self, matrix: csc_array, lu: SuperLU, *, pivoted: bool) -> None:
        self._matrix, self._lu, self._pivoted = matrix, lu, pivoted
        self._magnitude = abs(matrix)

    def solve(self, b: Array) -> Array:
        """x (n,) with A x = b (n,). Raises ConvergenceError if the matrix is singular."""
        x, error = self._refined(b)
        if not error <= _GOOD and not self._pivoted:
            self._lu, self._pivoted = _pivoting(self._matrix), True
            x, error = self._refined(b)
        return x

    def _refined(self, b: Array) -> tuple[Array, float]:
        with np.errstate(all="ignore"):  # what is beyond all numbers is seen by whoever asked
            return self._refined_in_range(b)

    def _refined_in_range(self, b: Array) -> tuple[Array, float]:
        best, least = self._lu.solve(b), np.inf
        x = best
        for _ in range(_REFINEMENTS):
            residual = b - self._matrix @ x
            scale = self._magnitude @ np.abs(x) + np.abs(b)
            error = float(np.max(np.abs(residual) / np.where(scale > 0, scale, 1.0), initial=0.0))
            if not error < least:
                break
            best, gained, least = x, error < 0.5 * least, error
            if error <= _EXACT or not gained:
                break
            x = x + self._lu.solve(residual)
        return best, least


def factorise(matrix: csc_array, nodes: slice) -> Factors:
    """Factors (SuperLU) of a matrix whose rows `nodes` are node equations, the others branch equations.

    Raises ConvergenceError if the matrix is exactly singular.
    """
    if not _is_symmetric(matrix):
        return Factors(matrix, _pivoting(matrix), pivoted=True)
    shift = np.full(matrix.shape[0], -_SERIES)
    shift[nodes] = _SHUNT
    try:
        lu = splu((matrix + diags_array(shift, format="csc")).tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0,
                  options={"SymmetricMode": True})
    except RuntimeError:
        return Factors(matrix, _pivoting(matrix), pivoted=True)
    return Factors(matrix, lu, pivoted=False)


def _is_symmetric(matrix: csc_array) -> bool:
    return (matrix - matrix.T).count_nonzero() == 0


def _pivoting(matrix: csc_array) -> SuperLU:
    try:
        return splu(matrix, permc_spec="COLAMD")
    except RuntimeError as error:
        raise ConvergenceError(f"the matrix of {matrix.shape[0]} unknowns is singular ({error})") from None
