"""Sweeps along batches of lines (numba), plain arrays in and out: what one iteration of `schur.Schur` consists of.

A plane is an array x[b, j, l]: input b, node j along a line, line l. Every kernel runs along the slow index j with the lines
l side by side, so that the inner loop is contiguous; blocks of lines stay in cache and are shared among threads.
Reductions are made per block and added in a fixed order: the same bits whatever the number of threads.

Segment j of a line joins node j - 1 and node j; segment 0 is the near lead and segment n the far lead. Resistances are
r[j, l] in [0, inf], or r (n+1, 1) where all lines are alike: everything is written in r and admittances, without 1/r where r
may be 0 and without differences, so each sweep is accurate to rounding for wires from 0 to inf. A sweep is Gaussian
elimination of a grounded ladder:

    Y_j  = d_j + Y_{j+1} / (1 + r_{j+1} Y_{j+1})      admittance seen at node j, looking to the far end
    J_j  = f_j + J_{j+1} / (1 + r_{j+1} Y_{j+1})      Norton current of the same
    x_j  = (x_{j-1} + r_j J_j) / (1 + r_j Y_j)        x_{-1} = 0: the near terminal

The second plane runs along the rows of (B, M, N) arrays; the first lies transposed, (B, N, M), so that both sweeps are the same
contiguous loop. Cell arrays, such as slopes, have a batch of 1 where all inputs share them. All kernels take float32 or float64.
"""

import numpy as np
from numba import njit, prange

ACROSS = 64  # lines per block of the first plane, which are transposed in cache
EXACT = 32   # of both in the float64 solves, which keep three numbers a node in cache
ROWS, COLUMNS = 4, 64  # of the tiles in which a block is transposed


def blocks(lines: int, width: int) -> int:
    """Number of blocks, each with its own partial sum."""
    return (lines + width - 1) // width


def wide(lines: int, batch: int) -> int:
    """Lines per block where nothing is transposed: long rows, yet blocks for several threads where there are few inputs."""
    return max(128, min(512, lines if batch > 3 else lines // 2))


@njit(cache=True)
def _turned(d, b, lo, hi, out):  # type: ignore[no-untyped-def]
    """out[j, i - lo] = d[b, i, j] for the rows lo to hi, in tiles."""
    columns = d.shape[2]
    for top in range(0, hi - lo, ROWS):
        for left in range(0, columns, COLUMNS):
            right = min(left + COLUMNS, columns)
            part = out[left:right]
            for i in range(top, min(top + ROWS, hi - lo)):
                d_i = d[b, lo + i, left:right]
                for j in range(right - left):
                    part[j, i] = d_i[j]


@njit(cache=True, error_model="numpy")
def _pivots(r, lo, d, a, h, b, at):  # type: ignore[no-untyped-def]
    """a = 1 / (1 + r Y) and h = r / (1 + r Y) of the lines from lo on, in float64, into a[b, :, at:] and h.

    d (n, lines of the block), C-contiguous. A node tied to the far terminal by exactly 0 ohm has Y = inf, hence a = h = 0: its
    voltage is the terminal's. A node that nothing reaches has Y = 0 and r = inf; h = 0 leaves it at 0.
    """
    n, lines = d.shape
    alike = r.shape[1] == 1
    wire, seen = np.empty(lines), np.empty(lines)
    for c in range(lines):
        seen[c] = d[n - 1, c] + 1.0 / r[n, 0 if alike else lo + c]
    for j in range(n - 1, -1, -1):
        if alike:
            wire[:] = r[j, 0]
        else:
            wire[:] = r[j, lo:lo + lines]
        a_j, h_j, next_d = a[b, j, at:at + lines], h[b, j, at:at + lines], d[max(j - 1, 0)]
        extreme = 0.0
        for c in range(lines):
            extreme = max(extreme, max(seen[c], wire[c]))
        if extreme < np.inf:
            for c in range(lines):
                share = 1.0 / (1.0 + wire[c] * seen[c])
                a_j[c] = share
                h_j[c] = wire[c] * share
                seen[c] = next_d[c] + share * seen[c]
            continue
        for c in range(lines):
            y, w = seen[c], wire[c]
            if np.isinf(y):
                a_j[c], h_j[c], through = 0.0, 0.0, 1.0 / w
            elif np.isinf(w):
                a_j[c], h_j[c], through = 0.0, 1.0 / y if y > 0.0 else 0.0, 0.0
            else:
                a_j[c] = 1.0 / (1.0 + w * y)
                h_j[c] = w * a_j[c]
                through = a_j[c] * y
            seen[c] = next_d[c] + through


@njit(parallel=True, cache=True, error_model="numpy")
def factor(r, d, a, h, across):  # type: ignore[no-untyped-def]
    """a and h of `_pivots` for the slopes d (B, M, N) [S] on the second plane, or with `across` on the first: a, h (B, N, M)."""
    batch, n, lines = a.shape
    parts = (lines + ACROSS - 1) // ACROSS
    for task in prange(batch * parts):
        b, lo = task // parts, (task % parts) * ACROSS
        hi = min(lo + ACROSS, lines)
        own = np.empty((n, hi - lo))
        if across:
            _turned(d, b, lo, hi, own)
        else:
            for j in range(n):
                own[j] = d[b, j, lo:hi]
        _pivots(r, lo, own, a, h, b, lo)


@njit(cache=True)
def _substitute(a, h, b, lo, x):  # type: ignore[no-untyped-def]
    """Solve the ladders of a[b, :, lo:] in place, x (n, lines of the block) being f before and x after.

    Whole arrays and indices: only rows of contiguous arrays, and only loops from 0 over plain indices, become SIMD.
    """
    n, lines = x.shape
    carry = np.zeros(lines, x.dtype)
    for j in range(n - 2, -1, -1):
        a_j, x_j, behind = a[b, j + 1, lo:lo + lines], x[j], x[j + 1]
        for c in range(lines):
            x_j[c] += a_j[c] * behind[c]
    for j in range(n):
        a_j, h_j, x_j = a[b, j, lo:lo + lines], h[b, j, lo:lo + lines], x[j]
        for c in range(lines):
            carry[c] = a_j[c] * carry[c] + h_j[c] * x_j[c]
            x_j[c] = carry[c]


@njit(parallel=True, cache=True)
def start(a, h, g, rho_u, rho_v, scale, residual, norms):  # type: ignore[no-untyped-def]
    """residual = scale (rho_v + g W^-1 rho_u), a, h and W of the first plane; rho_u (B, N, M), scale (B,).

    norms (B, blocks) receives the parts of its 1-norm.
    """
    batch, rows, columns = residual.shape
    parts = (rows + ACROSS - 1) // ACROSS
    for task in prange(batch * parts):
        b, lo = task // parts, (task % parts) * ACROSS
        hi = min(lo + ACROSS, rows)
        k, m = b if g.shape[0] > 1 else 0, b if a.shape[0] > 1 else 0
        q = np.empty((columns, hi - lo), residual.dtype)
        norm = np.zeros(COLUMNS, residual.dtype)
        factor_b = scale[b]
        for j in range(columns):
            q_j, rho_j = q[j], rho_u[b, j, lo:hi]
            for i in range(hi - lo):
                q_j[i] = factor_b * rho_j[i]
        _substitute(a, h, m, lo, q)
        for top in range(0, hi - lo, ROWS):
            for left in range(0, columns, COLUMNS):
                right = min(left + COLUMNS, columns)
                q_t = q[left:right]
                for i in range(top, min(top + ROWS, hi - lo)):
                    g_i, rho_i, out_i = g[k, lo + i, left:right], rho_v[b, lo + i, left:right], residual[b, lo + i, left:right]
                    for j in range(right - left):
                        out_i[j] = factor_b * rho_i[j] + g_i[j] * q_t[j, i]
                        norm[j] += abs(out_i[j])
        norms[b, task % parts] = norm.sum()


@njit(parallel=True, cache=True)
def restrict(a, h, g, alpha, t, residual, knot, share, coarse, dots, norms, block):  # type: ignore[no-untyped-def]
    """residual -= alpha t; z = A^-1 residual (a, h of the second plane), which is not kept; coarse = P' g z down the columns.

    Node j of a column belongs to hat knot[j] with 1 - share[j] and to the next with share[j]; coarse (B, hats + 1, N).
    dots (B, blocks) receives the parts of residual . z = sum h J^2, since h holds the inverse pivots of the elimination and J
    what it makes of f; norms (B, blocks) those of the 1-norm of residual.
    """
    batch, n, lines = residual.shape
    parts = (lines + block - 1) // block
    for task in prange(batch * parts):
        b, lo = task // parts, (task % parts) * block
        hi = min(lo + block, lines)
        width = hi - lo
        k, m = b if g.shape[0] > 1 else 0, b if a.shape[0] > 1 else 0
        norton = np.empty((n, width), residual.dtype)  # contiguous: rows a power of two apart would evict each other
        z, dot, norm = (np.zeros(width, residual.dtype), np.zeros(width, residual.dtype), np.zeros(width, residual.dtype))
        lower, upper = np.zeros(width, residual.dtype), np.zeros(width, residual.dtype)
        step = alpha[b]
        for j in range(n - 1, -1, -1):
            res_j, t_j, own = residual[b, j, lo:hi], t[b, j, lo:hi], norton[j]
            for c in range(width):
                res_j[c] -= step * t_j[c]
                own[c] = res_j[c]
                norm[c] += abs(res_j[c])
            if j < n - 1:
                a_j, behind = a[m, j + 1, lo:hi], norton[j + 1]
                for c in range(width):
                    own[c] += a_j[c] * behind[c]
        for j in range(n):
            if j > 0 and knot[j] != knot[j - 1]:
                coarse[b, knot[j - 1], lo:hi] = lower
                lower[:] = upper
                upper[:] = 0
            a_j, h_j, g_j, own = a[m, j, lo:hi], h[m, j, lo:hi], g[k, j, lo:hi], norton[j]
            part = share[j]
            for c in range(width):
                alone = h_j[c] * own[c]
                dot[c] += alone * own[c]
                z[c] = a_j[c] * z[c] + alone
                load = g_j[c] * z[c]
                lower[c] += load
                upper[c] += part * load
                lower[c] -= part * load
        coarse[b, knot[n - 1], lo:hi] = lower
        coarse[b, knot[n - 1] + 1, lo:hi] = upper
        dots[b, task % parts] = dot.sum()
        norms[b, task % parts] = norm.sum()


@njit(parallel=True, cache=True)
def prolong(a, h, g, residual, knot, share, coarse, alpha, beta, p, s, y, fresh, block):  # type: ignore[no-untyped-def]
    """f = residual + g P coarse, z = A^-1 f; y += alpha s; s = f + beta s; p = z + beta p (so that s = A p; alpha, beta (B,)).
    `fresh` : y, s and p begin here, from 0."""
    batch, n, lines = residual.shape
    parts = (lines + block - 1) // block
    for task in prange(batch * parts):
        b, lo = task // parts, (task % parts) * block
        hi = min(lo + block, lines)
        width = hi - lo
        k, m = b if g.shape[0] > 1 else 0, b if a.shape[0] > 1 else 0
        norton, z = np.empty((n, width), residual.dtype), np.zeros(width, residual.dtype)
        step, turn = alpha[b], beta[b]
        for j in range(n - 1, -1, -1):
            res_j, g_j, own = residual[b, j, lo:hi], g[k, j, lo:hi], norton[j]
            s_j, y_j = s[b, j, lo:hi], y[b, j, lo:hi]
            lower, upper = coarse[b, knot[j], lo:hi], coarse[b, knot[j] + 1, lo:hi]
            part = share[j]
            for c in range(width):
                own[c] = res_j[c] + g_j[c] * (lower[c] + part * (upper[c] - lower[c]))
            if fresh:
                for c in range(width):
                    y_j[c] = 0
                    s_j[c] = own[c]
            else:
                for c in range(width):
                    y_j[c] += step * s_j[c]
                    s_j[c] = own[c] + turn * s_j[c]
            if j < n - 1:
                a_j, behind = a[m, j + 1, lo:hi], norton[j + 1]
                for c in range(width):
                    own[c] += a_j[c] * behind[c]
        for j in range(n):
            a_j, h_j, own, p_j = a[m, j, lo:hi], h[m, j, lo:hi], norton[j], p[b, j, lo:hi]
            for c in range(width):
                z[c] = a_j[c] * z[c] + h_j[c] * own[c]
            if fresh:
                for c in range(width):
                    p_j[c] = z[c]
            else:
                for c in range(width):
                    p_j[c] = z[c] + turn * p_j[c]


@njit(parallel=True, cache=True)
def eliminate(a, h, g_in, g_out, s, p, out, dots):  # type: ignore[no-untyped-def]
    """out = s - g_out W^-1 (g_in p), ACROSS lines of the first plane at a time, so that it never leaves the cache.

    a, h of the first plane; dots (B, blocks) receives the parts of p . out.
    """
    batch, rows, columns = p.shape
    parts = (rows + ACROSS - 1) // ACROSS
    for task in prange(batch * parts):
        b, lo = task // parts, (task % parts) * ACROSS
        hi = min(lo + ACROSS, rows)
        k, m = b if g_in.shape[0] > 1 else 0, b if a.shape[0] > 1 else 0
        q, dot = np.empty((columns, hi - lo), p.dtype), np.zeros(COLUMNS, p.dtype)
        for top in range(0, hi - lo, ROWS):
            for left in range(0, columns, COLUMNS):
                right = min(left + COLUMNS, columns)
                q_t = q[left:right]
                for i in range(top, min(top + ROWS, hi - lo)):
                    g_i, p_i = g_in[k, lo + i, left:right], p[b, lo + i, left:right]
                    for j in range(right - left):
                        q_t[j, i] = g_i[j] * p_i[j]
        _substitute(a, h, m, lo, q)
        for top in range(0, hi - lo, ROWS):
            for left in range(0, columns, COLUMNS):
                right = min(left + COLUMNS, columns)
                q_t = q[left:right]
                for i in range(top, min(top + ROWS, hi - lo)):
                    g_i, p_i = g_out[k, lo + i, left:right], p[b, lo + i, left:right]
                    s_i, out_i = s[b, lo + i, left:right], out[b, lo + i, left:right]
                    for j in range(right - left):
                        out_i[j] = s_i[j] - g_i[j] * q_t[j, i]
                        dot[j] += p_i[j] * out_i[j]
        dots[b, task % parts] = dot.sum()


_SHARING = 16  # inputs solved with one elimination where they share their slopes


@njit(parallel=True, cache=True, error_model="numpy")
def finish_second(r, d, y, alpha, s, scale, fresh, currents, v, block):  # type: ignore[no-untyped-def]
    """currents += (y + alpha s) / scale, or = if `fresh`; v = (C + D)^-1 currents, both in float64.

    Wires r, slopes d; y, s, currents and v (B, M, N); alpha and scale (B,).
    """
    batch, n, lines = v.shape
    parts = (lines + block - 1) // block
    together = _SHARING if d.shape[0] == 1 else 1
    groups = (batch + together - 1) // together
    for task in prange(groups * parts):
        begin, lo = task // parts * together, (task % parts) * block
        width = min(lo + block, lines) - lo
        own, a, h = np.empty((n, width)), np.empty((1, n, width)), np.empty((1, n, width))
        for j in range(n):
            own[j] = d[begin if together == 1 else 0, j, lo:lo + width]
        _pivots(r, lo, own, a, h, 0, 0)
        for b in range(begin, min(begin + together, batch)):
            back, share = 1.0 / scale[b], alpha[b]
            for j in range(n):
                own_j, y_j, s_j, i_j = own[j], y[b, j, lo:lo + width], s[b, j, lo:lo + width], currents[b, j, lo:lo + width]
                if fresh:
                    for c in range(width):
                        i_j[c] = back * (y_j[c] + share * s_j[c])
                        own_j[c] = i_j[c]
                else:
                    for c in range(width):
                        i_j[c] += back * (y_j[c] + share * s_j[c])
                        own_j[c] = i_j[c]
            _substitute(a, h, 0, 0, own)
            for j in range(n):
                v[b, j, lo:lo + width] = own[j]


@njit(parallel=True, cache=True, error_model="numpy")
def finish_first(r, d, d_in, v, rho_u, u, rho_v, currents, scale, residual, norms):  # type: ignore[no-untyped-def]
    """u = (R + D)^-1 (rho_u + d_in v) and what is left, residual = scale (rho_v - currents + d u), both in float64.

    Wires r, slopes d and d_in; v, rho_v, currents and residual (B, M, N), rho_u and u (B, N, M), scale (B,). norms (B, blocks of
    EXACT lines) receives the parts of the 1-norm of residual.
    """
    batch, n, lines = u.shape
    parts = (lines + EXACT - 1) // EXACT
    together = _SHARING if d.shape[0] == 1 else 1
    groups = (batch + together - 1) // together
    for task in prange(groups * parts):
        begin, lo = task // parts * together, (task % parts) * EXACT
        width = min(lo + EXACT, lines) - lo
        own, a, h, norm = np.empty((n, width)), np.empty((1, n, width)), np.empty((1, n, width)), np.zeros(COLUMNS)
        k = begin if together == 1 else 0
        _turned(d, k, lo, lo + width, own)
        _pivots(r, lo, own, a, h, 0, 0)
        for b in range(begin, min(begin + together, batch)):
            for top in range(0, width, ROWS):
                for left in range(0, n, COLUMNS):
                    right = min(left + COLUMNS, n)
                    part = own[left:right]
                    for i in range(top, min(top + ROWS, width)):
                        d_i, v_i = d_in[k, lo + i, left:right], v[b, lo + i, left:right]
                        for j in range(right - left):
                            part[j, i] = d_i[j] * v_i[j]
            for j in range(n):
                own_j, rho_j = own[j], rho_u[b, j, lo:lo + width]
                for c in range(width):
                    own_j[c] += rho_j[c]
            _substitute(a, h, 0, 0, own)
            for j in range(n):
                u[b, j, lo:lo + width] = own[j]
            norm[:], size = 0.0, scale[b]
            for top in range(0, width, ROWS):
                for left in range(0, n, COLUMNS):
                    right = min(left + COLUMNS, n)
                    part = own[left:right]
                    for i in range(top, min(top + ROWS, width)):
                        d_i, rho_i, i_i = d[k, lo + i, left:right], rho_v[b, lo + i, left:right], currents[b, lo + i, left:right]
                        out_i = residual[b, lo + i, left:right]
                        for j in range(right - left):
                            rest = size * (rho_i[j] - i_i[j] + d_i[j] * part[j, i])
                            norm[j] += abs(rest)
                            out_i[j] = rest
            norms[b, task % parts] = norm.sum()
