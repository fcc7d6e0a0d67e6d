"""One linear step of two crossing planes:  A delta = rho  by iteration on the Schur complement of the second plane.

    [ R + D1    -D2   ] [du]   [rho_u]      R, C: wires of the first and second plane, tridiagonal along their lines
    [  -D1    C + D2  ] [dv] = [rho_v]      D1, D2: slopes di/du and -di/dv of the cell currents i, diagonal

Eliminating du leaves  S dv = (C + D2) dv - D1 (R + D1)^-1 D2 dv.  Where D1 = D2, as in every two-terminal cell, S is symmetric
positive definite: conjugate gradients; else (a transistor's overdrive depends on one line's voltage) GMRES (Saad,
Schultz, SIAM J. Sci. Stat. Comput. 7, 856 (1986)) on the same kernels. Both are preconditioned by the lines of the second plane
and a coarse grid, M^-1 = A^-1 + A^-1 D1 P T^-1 P' D2 A^-1 (`coarse`), one sweep along the first plane and two along the second an
iteration. A z = f + D1 P e is known for z = M^-1 f, so C is never multiplied: no current is ever formed as wire conductance
times voltage difference.

The iteration runs in float32: half the memory traffic. What it hands over is not dv but the currents y = A dv, from which dv
and du follow by sweeps in float64, so that the voltages carry currents exact to float64 however small the wires.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from crossbar.solvers import kernels, room
from crossbar.solvers.coarse import Coarse

Array = npt.NDArray[Any]  # float32 inside, float64 at both ends

_FLOOR = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 1e-13}  # relative reduction that one solve can reach
_STALLED = 0.1    # reduction by a solve in float32 beyond which it is not enough
_NEAR = 3        # a solve that ends within so many times its goal is not repeated
_REPEATS = 8      # solves for what the last one left
_LEAST = 1e-20    # mean slope [S] from which on float32 holds what is computed of it
_MOST_BASIS = 30  # vectors that GMRES keeps


class Schur:
    """Both planes factorised for one set of slopes (B or 1, M, N)."""

    def __init__(self, r_first: Array, r_second: Array, slope_first: Array, slope_second: Array,
                 dtype: npt.DTypeLike = np.float32) -> None:
        self.r = r_first, r_second
        self.slopes = slope_first, slope_second
        fits = _LEAST < float(slope_first.mean()) < 1 / _LEAST
        self.dtype = np.dtype(dtype if fits else np.float64)
        self.symmetric = slope_first is slope_second
        batch, m, n = slope_first.shape
        self.shorts = bool((r_second == 0).any())  # of the second plane
        self.columns, down, across = n, kernels.panels(n), kernels.panels(m)
        self.make = room.empty if down[0] * down[1] == n and across[0] * across[1] == m else room.zeros  # lanes beyond: zeros
        self.g_first = self.make((batch, down[0], m, down[1]), self.dtype)
        kernels.in_panels(slope_first, self.g_first)
        self.g_second = self.g_first
        if not self.symmetric:
            self.g_second = self.make(self.g_first.shape, self.dtype)
            kernels.in_panels(slope_second, self.g_second)
        rows, columns = (batch, across[0], n, across[1]), self.g_first.shape
        self.first = self.make(rows, self.dtype), self.make(rows, self.dtype)
        self.second = self.make(columns, self.dtype), self.make(columns, self.dtype)
        kernels.factor(r_first, slope_first, *self.first, True)
        kernels.factor(r_second, slope_second, *self.second, False)
        means = [np.asarray(s.mean(axis=(1, 2))) for s in ((slope_first,) if self.symmetric else self.slopes)]
        self.coarse = Coarse(r_first, r_second, means[0], means[-1], self.dtype)
        self.space: dict[str, Array] = {}
        self.exact: Schur | None = None

    def __call__(self, rho_u: Array, rho_v: Array, largest: Array, goal: Array) -> tuple[Array, Array, int]:
        """du (B, N, M), dv (B, M, N) and the iterations taken until sum |rho_v - currents| (B,) is about `goal`.

        largest (B,): the largest of |rho_u| and |rho_v|. In float32 a solve is repeated for what it left, in float64, and
        where that does not help the whole, and every later one, is done in float64.
        """
        if self.exact is not None:
            return self.exact(rho_u, rho_v, largest, goal)
        with np.errstate(over="ignore", invalid="ignore"):  # seen in what is left, which is then no number
            return self._solve(rho_u, rho_v, largest, goal)

    def _solve(self, rho_u: Array, rho_v: Array, largest: Array, goal: Array) -> tuple[Array, Array, int]:
        scale = 1 / np.where(largest > 1e-290, largest, 1.0)
        b, m, _ = rho_v.shape
        inside = (b, *self.g_first.shape[1:])
        residual, currents = self._room("residual", inside), self._room("currents", inside, dtype=float)
        dv, du = self._room("dv", rho_v.shape, dtype=float), self._room("du", rho_u.shape, dtype=float)
        norms = np.empty((b, self.first[0].shape[1]), self.dtype)
        left = np.empty((b, kernels.blocks(m, kernels.EXACT)))
        kernels.start(*self.first, self.g_first, rho_u, rho_v, scale, residual, norms)
        norm = self._gathered(residual, norms.sum(axis=1)) / scale
        iterations = 0
        for attempt in range(_REPEATS):
            wanted = np.maximum(goal * scale, _FLOOR[self.dtype] * norm * scale)
            count, alpha = self.gradients(residual, wanted) if self.symmetric else self.gmres(residual, wanted)
            iterations += count
            kernels.finish_second(self.r[1], self.slopes[1], self._room("y", inside), alpha, self._room("s", inside), scale,
                                  attempt == 0, currents, dv)
            after = scale * np.clip(norm * scale / np.where(wanted > 0, wanted, 1), 1, 1e6)  # numbers as large as before
            kernels.finish_first(self.r[0], *self.slopes, dv, rho_u, du, rho_v, currents, after, residual, left)
            before = norm
            norm = self._gathered(residual, left.sum(axis=1)) / after
            scale = after
            if (norm <= _NEAR * goal).all():
                break
            if self.dtype == np.float32 and not (norm <= np.maximum(goal, _STALLED * before)).all():  # or NaN
                self.exact = Schur(*self.r, *self.slopes, np.float64)
                du, dv, count = self.exact(rho_u, rho_v, largest, goal)
                return du, dv, iterations + count
        return du, dv, iterations

    def _gathered(self, currents: Array, norm: Array) -> Array:
        """The 1-norms (B,) of currents into the nodes of the second plane, which are gathered where 0 ohm joins nodes: conjugate
        gradients see only their sum there, and would let differences grow that mean nothing."""
        if not self.shorts:
            return norm
        norms = np.empty(currents.shape[:2])
        kernels.gather(self.r[1], currents, norms)
        return np.asarray(norms.sum(axis=1))

    def _room(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike | None = None) -> Array:
        """A work array that is kept from call to call; t, which is first used times 0, begins with 0."""
        if name not in self.space or self.space[name].shape != shape:
            self.space[name] = (room.zeros if name == "t" else self.make)(shape, dtype or self.dtype)
        return self.space[name]

    def gradients(self, residual: Array, goal: Array) -> tuple[int, Array]:
        """Leave y + alpha s = A x of the x that brings the 1-norms of residual - S x down to goal (B,); residual is overwritten.

        Returns the iterations taken and alpha (B,).
        """
        b, panels, m, width = residual.shape
        t, p, s, y = (self._room(name, residual.shape) for name in "tpsy")
        c, down = self.coarse.buffer(b, panels, width), self.coarse.down
        dots, norms = (np.empty((b, panels), self.dtype) for _ in range(2))
        row_dots = np.empty((b, self.first[0].shape[1]), self.dtype)
        alpha, rz, active, last = np.zeros(b, self.dtype), np.zeros(b), np.ones(b, bool), np.full(b, np.inf)
        count, limit = 0, 5 * (m + self.columns) + 200
        while count < limit:
            kernels.restrict(*self.second, self.g_second, alpha, t, residual, down.knot, self.coarse.share, c, dots, norms)
            norm = norms.sum(axis=1)
            active &= norm > goal
            if not active.any():
                break
            ahead = norm * np.minimum(norm / last, 1) if count else norm  # what another step like the last would leave
            last = np.where(norm > 0, norm, np.inf)
            new = self.coarse.correct(c).astype(float) + dots.sum(axis=1)
            beta = np.divide(new, rz, out=np.zeros(b), where=active & (rz > 0)).astype(self.dtype)
            kernels.prolong(*self.second, self.g_first, residual, down.knot, self.coarse.share, c, alpha, beta, p, s,
                            y, count == 0)
            kernels.eliminate(*self.first, self.g_second, self.g_first, s, p, t, row_dots, self.columns)
            self._gathered(t, norm)
            curvature = row_dots.sum(axis=1)
            active &= (curvature > 0) & (new > 0)
            alpha = np.divide(new, curvature, out=np.zeros(b), where=active).astype(self.dtype)
            rz = new
            count += 1
            if not (active & (ahead > goal)).any():
                break
        if count == 0:
            y[:], s[:] = 0, 0
        return count, alpha

    def gmres(self, residual: Array, goal: Array) -> tuple[int, Array]:
        """The same for S that is not symmetric; it may stop short, at _MOST_BASIS vectors, for the caller to go on."""
        b, panels, _, width = residual.shape
        t, p, s, y = (self._room(name, residual.shape) for name in "tpsy")
        down, still = self.coarse.down, np.zeros(b, self.dtype)
        c, share = self.coarse.buffer(b, panels, width), self.coarse.share
        dots, norms = (np.empty((b, panels), self.dtype) for _ in range(2))
        row_dots = np.empty((b, self.first[0].shape[1]), self.dtype)
        size = np.sqrt(np.einsum("bqij,bqij->b", residual, residual, dtype=float))
        first = np.abs(residual).sum(axis=(1, 2, 3))
        wanted = size * np.divide(goal, first, out=np.ones(b), where=first > 0)  # 2-norm of as much reduction
        basis: list[Array] = [residual / np.where(size > 0, size, 1)[:, None, None, None].astype(self.dtype)]
        corrections: list[Array] = []
        h, x = np.zeros((b, _MOST_BASIS + 1, _MOST_BASIS)), np.zeros((b, 0))
        left = size
        while len(corrections) < _MOST_BASIS and (left > wanted).any():
            k = len(corrections)
            kernels.restrict(*self.second, self.g_second, still, t, basis[k], down.knot, share, c, dots, norms)
            self.coarse.correct(c)
            corrections.append(c.copy())
            kernels.prolong(*self.second, self.g_first, basis[k], down.knot, share, c, still, still, p, s, y, True)
            w = self.make(residual.shape, self.dtype)
            kernels.eliminate(*self.first, self.g_second, self.g_first, s, p, w, row_dots, self.columns)
            self._gathered(w, left)
            for _ in range(2):  # twice is enough (Giraud, Langou, Rozloznik, Comput. Math. Appl. 50, 1069 (2005))
                for j, v in enumerate(basis):
                    part = np.einsum("bqij,bqij->b", v, w)
                    h[:, j, k] += part
                    w -= part[:, None, None, None] * v
            length = np.sqrt(np.einsum("bqij,bqij->b", w, w, dtype=float))
            h[:, k + 1, k] = length
            basis.append(w / np.where(length > 0, length, 1)[:, None, None, None].astype(self.dtype))
            hessenberg = h[:, :k + 2, :k + 1]
            x = np.linalg.pinv(hessenberg)[:, :, 0] * size[:, None]
            misfit = -np.einsum("bij,bj->bi", hessenberg, x)
            misfit[:, 0] += size
            left = np.linalg.norm(misfit, axis=1)
        total = np.zeros_like(residual)
        c[:] = 0
        for weight, v, correction in zip(x.T.astype(self.dtype)[:, :, None, None, None], basis, corrections, strict=False):
            total += weight * v
            c += weight * correction
        kernels.prolong(*self.second, self.g_first, total, down.knot, share, c, still, still, p, s, y, True)
        return len(corrections), np.ones(b, self.dtype)
