"""Entries on the diagonal of the inverse of a sparse matrix, many with each solution.

Unknowns of parts of the system that do not influence each other are probed together: with b = 1 at one equation of every part the
solution of A x = b holds one diagonal entry of A^-1 for each. Parts are what remains connected after taking away

    what is held:   an unknown alone in an equation that is never probed does not answer to any probe
    what follows:   an unknown in a single equation, not asked for, influences nothing

so that the many lines hanging on one ideal source, whose node is held and whose current follows, are parts of their own.
"""

import numpy as np
import numpy.typing as npt
from scipy.sparse import bmat, csc_array
from scipy.sparse.csgraph import connected_components

from crossbar.solvers.linear import Factors

Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

_PEELS = 20    # rounds of taking away: depth of sources on sources that is seen through
_PROBES = 64   # of the largest part; beyond that the diagonal of A is a guess good enough


def inverse_diagonal(matrix: csc_array, factors: Factors, at: IntArray) -> Array:
    """(A^-1)_kk for the distinct unknowns k in `at`, equation k being the one with the diagonal entry; exact where a part holds
    at most 64 of them, 1 / A_kk in larger ones."""
    rows, columns = _left(matrix, at)
    label = _parts(matrix, rows, columns)[at]
    out = np.zeros(at.size)
    asked = np.flatnonzero(rows[at] & columns[at])  # a held unknown does not answer, and to an equation taken away nothing does
    order = asked[np.argsort(label[asked], kind="stable")]
    sizes = np.unique(label[order], return_counts=True)[1]
    turn = np.arange(order.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    large = np.repeat(sizes > _PROBES, sizes)
    own = matrix.diagonal()[at[order[large]]]
    out[order[large]] = np.divide(1.0, own, out=np.zeros_like(own), where=own != 0)
    for k in range(int(turn[~large].max(initial=-1)) + 1):
        probed = order[~large & (turn == k)]
        b = np.zeros(matrix.shape[0])
        b[at[probed]] = 1.0
        out[probed] = factors.solve(b)[at[probed]]
    return out


def _left(matrix: csc_array, at: IntArray) -> tuple[Mask, Mask]:
    """Equations and unknowns that remain when the held ones and those that follow are taken away."""
    n = matrix.shape[0]
    entries = matrix.tocoo()
    row, column = entries.coords if hasattr(entries, "coords") else (entries.row, entries.col)
    rows, columns, asked = np.ones(n, bool), np.ones(n, bool), np.zeros(n, bool)
    asked[at] = True
    for _ in range(_PEELS):
        live = rows[row] & columns[column] & (entries.data != 0)
        r, c = row[live], column[live]
        held = (np.bincount(r, minlength=n)[r] == 1) & ~asked[r]
        follows = (np.bincount(c, minlength=n)[c] == 1) & ~asked[c] & ~held
        gone = held | follows
        if not gone.any():
            break
        rows[r[gone]] = columns[c[gone]] = False
    return rows, columns


def _parts(matrix: csc_array, rows: Mask, columns: Mask) -> IntArray:
    """Label (n,) of the part to which each unknown belongs; unknowns that are taken away are parts by themselves."""
    n = matrix.shape[0]
    entries = matrix.tocoo()
    row, column = entries.coords if hasattr(entries, "coords") else (entries.row, entries.col)
    live = rows[row] & columns[column] & (entries.data != 0)
    joined = csc_array((np.ones(int(live.sum()), np.int8), (row[live], column[live])), shape=(n, n))
    graph = bmat([[None, joined], [joined.T, None]], format="csr")
    return connected_components(graph, directed=False)[1][n:].astype(np.intp)
