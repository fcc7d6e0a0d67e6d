"""One linear step of two planes that run alongside each other: line j of both is a ladder of its own, solved directly.

    [ R + D1    -D2   ] [du]   [rho_u]      R, C: wires of both planes, tridiagonal along the same lines
    [  -D1    C + D2  ] [dv] = [rho_v]      D1, D2: slopes di/du and -di/dv of the cell currents i

Gaussian elimination of a grounded ladder with 2 x 2 blocks, from the far end. What node pair j sees towards it is written as

    Y = [ y1 + c1    -c2   ]        y: admittance to the terminals, c: coupling of the two lines, all >= 0
        [  -c1     y2 + c2 ]

and seen through the segments r1, r2 before it, with det = y1 y2 + y1 c2 + c1 y2 and
delta = 1 + r1 (y1 + c1) + r2 (y2 + c2) + r1 r2 det:

    y1 -> (y1 + r2 det) / delta,  y2 -> (y2 + r1 det) / delta,  c -> c / delta

a sum, product or quotient of numbers >= 0 throughout: accurate to rounding for wires from 0 to inf.
"""

import numpy as np
import numpy.typing as npt

from crossbar.kernel import njit, prange

Array = npt.NDArray[np.float64]

_WIDTH = 16        # lines per block: six numbers a node stay in cache
_NONE, _ALL = 1e-60, 1e60  # 0 and inf ohm where they are divided by or multiplied


class Ladders:
    """Both planes with their slopes (B or 1, M, N); r (M+1, N or 1) of each."""

    def __init__(self, r_first: Array, r_second: Array, slope_first: Array, slope_second: Array) -> None:
        self.r = np.minimum(r_first, _ALL), np.minimum(r_second, _ALL)
        self.slopes = slope_first, slope_second

    def __call__(self, rho_u: Array, rho_v: Array, *_: Array) -> tuple[Array, Array, int]:
        """du and dv (B, M, N), and 1 for the one step it takes."""
        du, dv = np.empty_like(rho_u), np.empty_like(rho_v)
        _solve(*self.r, *self.slopes, rho_u, rho_v, du, dv)
        return du, dv, 1


@njit(parallel=True, cache=True, error_model="numpy")
def _solve(r1, r2, d1, d2, f1, f2, x1, x2):  # type: ignore[no-untyped-def]
    batch, n, lines = f1.shape
    parts = (lines + _WIDTH - 1) // _WIDTH
    for task in prange(batch * parts):
        b, lo = task // parts, (task % parts) * _WIDTH
        hi = min(lo + _WIDTH, lines)
        k, width = b if d1.shape[0] > 1 else 0, hi - lo
        y1, y2, c1, c2 = np.empty((n, width)), np.empty((n, width)), np.empty((n, width)), np.empty((n, width))
        j1, j2 = np.empty((n, width)), np.empty((n, width))
        w1, w2 = np.empty(width), np.empty(width)
        p1, p2, q1, q2 = np.zeros(width), np.zeros(width), np.zeros(width), np.zeros(width)  # seen through a segment
        i1, i2 = np.zeros(width), np.zeros(width)
        for c in range(width):
            p1[c] = 1.0 / max(r1[n, 0 if r1.shape[1] == 1 else lo + c], _NONE)
            p2[c] = 1.0 / max(r2[n, 0 if r2.shape[1] == 1 else lo + c], _NONE)
        for j in range(n - 1, -1, -1):
            if r1.shape[1] == 1:
                w1[:] = r1[j, 0]
            else:
                w1[:] = r1[j, lo:hi]
            if r2.shape[1] == 1:
                w2[:] = r2[j, 0]
            else:
                w2[:] = r2[j, lo:hi]
            d1_j, d2_j, f1_j, f2_j = d1[k, j, lo:hi], d2[k, j, lo:hi], f1[b, j, lo:hi], f2[b, j, lo:hi]
            y1_j, y2_j, c1_j, c2_j, j1_j, j2_j = y1[j], y2[j], c1[j], c2[j], j1[j], j2[j]
            for c in range(width):
                a1, a2, e1, e2 = p1[c], p2[c], q1[c] + d1_j[c], q2[c] + d2_j[c]
                s1, s2 = i1[c] + f1_j[c], i2[c] + f2_j[c]
                y1_j[c], y2_j[c], c1_j[c], c2_j[c], j1_j[c], j2_j[c] = a1, a2, e1, e2, s1, s2
                det = a1 * a2 + a1 * e2 + e1 * a2
                t1, t2 = 1.0 + w1[c] * (a1 + e1), 1.0 + w2[c] * (a2 + e2)
                inverse = 1.0 / (1.0 + w1[c] * (a1 + e1) + w2[c] * (a2 + e2) + w1[c] * w2[c] * det)
                p1[c], p2[c] = (a1 + w2[c] * det) * inverse, (a2 + w1[c] * det) * inverse
                q1[c], q2[c] = e1 * inverse, e2 * inverse
                i1[c] = (t2 * s1 + e2 * w2[c] * s2) * inverse
                i2[c] = (e1 * w1[c] * s1 + t1 * s2) * inverse
        p1[:], p2[:] = 0.0, 0.0  # from here on the voltages of the node pair before
        for j in range(n):
            if r1.shape[1] == 1:
                w1[:] = r1[j, 0]
            else:
                w1[:] = r1[j, lo:hi]
            if r2.shape[1] == 1:
                w2[:] = r2[j, 0]
            else:
                w2[:] = r2[j, lo:hi]
            y1_j, y2_j, c1_j, c2_j, j1_j, j2_j = y1[j], y2[j], c1[j], c2[j], j1[j], j2[j]
            x1_j, x2_j = x1[b, j, lo:hi], x2[b, j, lo:hi]
            for c in range(width):
                a1, a2, e1, e2 = y1_j[c], y2_j[c], c1_j[c], c2_j[c]
                det = a1 * a2 + a1 * e2 + e1 * a2
                inverse = 1.0 / (1.0 + w1[c] * (a1 + e1) + w2[c] * (a2 + e2) + w1[c] * w2[c] * det)
                v1, v2 = p1[c] + w1[c] * j1_j[c], p2[c] + w2[c] * j2_j[c]
                p1[c] = ((1.0 + w2[c] * (a2 + e2)) * v1 + w1[c] * e2 * v2) * inverse
                p2[c] = (w2[c] * e1 * v1 + (1.0 + w1[c] * (a1 + e1)) * v2) * inverse
                x1_j[c], x2_j[c] = p1[c], p2[c]
