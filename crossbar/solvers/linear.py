"""Sparse direct solution: factorise once, solve for many right-hand sides."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array
from scipy.sparse.linalg import SuperLU, splu

from crossbar.errors import ConvergenceError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Factors:
    """L and U of a matrix."""

    lu: SuperLU

    def solve(self, b: Array) -> Array:
        """x with A x = b; b (n,) or (n, right-hand sides)."""
        return self.lu.solve(b)


def is_symmetric(matrix: csc_array) -> bool:
    """Whether the matrix equals its transpose exactly."""
    return (matrix - matrix.T).count_nonzero() == 0


def factorise(matrix: csc_array, *, symmetric: bool) -> Factors:
    """LU factors (SuperLU); raises ConvergenceError if the matrix is exactly singular.

    A symmetric matrix gets a symmetric minimum-degree ordering and pivots on the diagonal where they are not much smaller
    than the rest of their column; any other the column ordering COLAMD with partial pivoting.
    """
    options = {"permc_spec": "MMD_AT_PLUS_A", "diag_pivot_thresh": 1e-3, "options": {"SymmetricMode": True}} \
        if symmetric else {"permc_spec": "COLAMD"}
    try:
        return Factors(splu(matrix, **options))
    except RuntimeError as error:
        raise ConvergenceError(f"the matrix of {matrix.shape[0]} unknowns is singular ({error})") from None
