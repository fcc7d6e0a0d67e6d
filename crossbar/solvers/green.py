"""Resistance between the two nodes of every cell of two planes of lines, b' A^-1 b with b = e_u - e_v, by block elimination.

Rows of cells are the blocks. Seen from the bit nodes of row i, the cells and their word line are an N x N admittance

    Y_i = D - D W D,   W = (R_i + D)^-1  (tridiagonal)

and the second plane joins rows by diagonal resistances r. An admittance U seen through r is (U^-1 + r)^-1 = (1 + U r)^-1 U,
which needs no inverse of r: 0 ohm is exact. What is above row i and what is below it follow row by row, and

    S_i = (Y_i + above + below)^-1 = the diagonal block of the inverse,   rho = diag(W) + diag((1 - W D) S_i (1 - W D)')

as u = W D v in row i. All terms are positive: nothing cancels. O(M N^3) operations for M rows of N, on dense blocks.
References: Meurant, SIAM J. Matrix Anal. Appl. 13, 707 (1992), for the inverse of (block) tridiagonal matrices.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_SHORT = 1e-13  # resistance of a lead of 0 ohm, in units of the least cell resistance: pins its line within rounding
_TINY = 1e-14   # what keeps blocks behind open segments regular, relative to their diagonal


def cell_resistance(r_word: Array, r_bit: Array, g: Array, leaks: tuple[Array, Array]) -> Array:
    """Resistance (M, N) [ohm] between the nodes of each cell, the cell itself included, all terminals at 0 V.

    r_word, r_bit : (M, N+1), (M+1, N) segments with leads [ohm]; inf: open. g : (M, N) cells [S].
    leaks : (M, N) conductances from word and from bit nodes to ground [S]; every part of the network needs a terminal or a
        leak. Between its nodes a leak changes nothing where it is a part's only way to ground.
    """
    if g.shape[1] > g.shape[0]:  # the smaller blocks
        return _Rows(r_bit.T, r_word.T, g.T, (leaks[1].T, leaks[0].T)).resistance().T
    return _Rows(r_word, r_bit, g, leaks).resistance()


class _Rows:
    """The rows of one network, by what they are from the bit nodes."""

    def __init__(self, r_word: Array, r_bit: Array, g: Array, leaks: tuple[Array, Array]) -> None:
        short = _SHORT / max(float(g.max(initial=0.0)), 1e-300)
        self.g, self.leak = g, leaks[1]
        self.r_word, self.r_bit = r_word.copy(), r_bit
        self.r_word[:, [0, -1]] = np.maximum(r_word[:, [0, -1]], short)
        self.ends = 1 / np.maximum(r_bit[[0, -1]], short)
        self.diagonal, self.ratio = _line_inverse(self.r_word, g + leaks[0])

    def inverse(self, i: int) -> Array:
        """W (N, N) of row i: positive products of voltage ratios, W_jk = W_jj ratio_j ... ratio_(k-1)."""
        n = self.g.shape[1]
        ratio = np.concatenate(([1.0], self.ratio[i]))
        above = np.triu(np.cumprod(np.where(np.tri(n, dtype=bool), 1.0, ratio), axis=1)) * self.diagonal[i][:, None]
        return above + np.triu(above, 1).T

    def admittance(self, i: int, w: Array) -> Array:
        """Y (N, N) of row i with its leaks."""
        g = self.g[i]
        return np.diag(g + self.leak[i]) - g[:, None] * w * g

    def resistance(self) -> Array:
        """rho (M, N)."""
        m, n = self.g.shape
        above = np.empty((m, n, n))
        above[0] = np.diag(self.ends[0])
        for i in range(m - 1):
            above[i + 1] = _through(self.admittance(i, self.inverse(i)) + above[i], self.r_bit[i + 1])
        below = np.diag(self.ends[1])
        out = np.empty_like(self.g)
        for i in range(m - 1, -1, -1):
            w = self.inverse(i)
            own = self.admittance(i, w)
            block = np.linalg.inv(own + above[i] + below)
            drop = np.eye(n) - w * self.g[i]
            out[i] = self.diagonal[i] + ((drop @ block) * drop).sum(axis=1)
            if i:
                below = _through(own + below, self.r_bit[i])
        return out


def _through(u: Array, r: Array) -> Array:
    """The admittance u (N, N) seen through a resistance r (N,) at each port; inf: the port is open."""
    out = np.zeros_like(u)
    joined = np.isfinite(r)
    if not joined.all():
        k, o = np.flatnonzero(joined), np.flatnonzero(~joined)
        inner = u[np.ix_(o, o)]
        inner = inner + np.diag(np.where(np.diag(inner) > 0, _TINY * np.diag(inner), 1.0))
        u = u[np.ix_(k, k)] - u[np.ix_(k, o)] @ np.linalg.solve(inner, u[np.ix_(o, k)])
        r = r[k]
    seen = np.linalg.solve(np.eye(len(r)) + u * r, u)
    out[np.ix_(joined, joined)] = (seen + seen.T) / 2
    return out


def _line_inverse(r: Array, d: Array) -> tuple[Array, Array]:
    """Diagonal (L, n) of the inverse of each line's matrix, and voltage (L, n-1) of node k+1 per voltage of node k when the
    line is driven at k or before it; r (L, n+1) segments, d (L, n) shunts. Only sums and products of positive numbers."""
    n = d.shape[1]
    left, right = np.zeros_like(d), np.zeros_like(d)
    left[:, 0], right[:, -1] = 1 / r[:, 0], 1 / r[:, -1]
    ratio = np.zeros((len(d), n - 1))
    for k in range(1, n):
        y = d[:, k - 1] + left[:, k - 1]
        left[:, k] = y * _divider(r[:, k], y)
    for k in range(n - 2, -1, -1):
        y = d[:, k + 1] + right[:, k + 1]
        ratio[:, k] = _divider(r[:, k + 1], y)
        right[:, k] = y * ratio[:, k]
    total = left + d + right
    return np.where(total > 0, 1 / np.where(total > 0, total, 1.0), 0.0), ratio


def _divider(r: Array, y: Array) -> Array:
    """Voltage behind a resistance r that feeds an admittance y, per volt: 1 / (1 + r y); 0 behind an open one."""
    opened = np.isinf(r)
    return np.where(opened, 0.0, 1 / (1 + np.where(opened, 0.0, r) * y))
