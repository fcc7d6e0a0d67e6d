"""Sweeps along batches of lines (numba), plain arrays in and out: what one iteration of `schur.Schur` consists of.

A plane is an array x[b, j, l]: input b, node j along a line, line l; what only the iteration needs lies in panels of some lines,
x[b, q, j, c] with l = q * width + c, so that a sweep reads memory from end to end (its second pass finds much of it in cache)
and a row of a panel is whole cache lines. Lanes beyond the last line hold zeros throughout.

Every kernel runs along the slow index j with the lines side by side, so that the inner loop is contiguous; panels are shared
among threads. Reductions are made per panel and added in a fixed order: the same bits whatever the number of threads.

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

from crossbar.kernel import njit, prange
from crossbar.solvers.balance import turn

WIDEST = 64  # lines of a panel
EXACT = 32   # lines per block in the float64 solves, which keep three numbers a node in cache


def blocks(lines: int, width: int) -> int:
    """Number of blocks, each with its own partial sum."""
    return (lines + width - 1) // width


def panels(lines: int) -> tuple[int, int]:
    """Number of panels and their width for so many lines: up to WIDEST, whole cache lines of float64."""
    count = blocks(lines, WIDEST)
    return count, 8 * blocks(blocks(lines, count), 8)


@njit(cache=True, error_model="numpy")
def _pivots(r, lo, d, a, h):  # type: ignore[no-untyped-def]
    """a = 1 / (1 + r Y) and h = r / (1 + r Y) of the lines from lo on, in float64, into the first lanes of a and h (n, width).

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
        a_j, h_j, next_d = a[j], h[j], d[max(j - 1, 0)]
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
    """a and h of `_pivots`, panels of the second plane, or with `across` of the first, for the slopes d (B, M, N) [S]."""
    batch, parts, n, width = a.shape
    lines = d.shape[1] if across else d.shape[2]
    for task in prange(batch * parts):
        b, q = task // parts, task % parts
        lo, hi = q * width, min(q * width + width, lines)
        own = np.empty((n, hi - lo))
        if across:
            turn(d, b, 0, n, lo, hi - lo, own)
        else:
            for j in range(n):
                own[j] = d[b, j, lo:hi]
        _pivots(r, lo, own, a[b, q], h[b, q])


@njit(parallel=True, cache=True)
def in_panels(x, out):  # type: ignore[no-untyped-def]
    """x (B, M, N) as panels of the second plane."""
    batch, parts, n, width = out.shape
    for task in prange(batch * parts):
        b, q = task // parts, task % parts
        lo, hi = q * width, min(q * width + width, x.shape[2])
        for j in range(n):
            x_j, out_j = x[b, j, lo:hi], out[b, q, j]
            for c in range(hi - lo):
                out_j[c] = x_j[c]


@njit(cache=True)
def _substitute(a, h, x):  # type: ignore[no-untyped-def]
    """Solve the ladders of a and h (n, at least width) in place, x (n, width) being f before and x after.

    Whole arrays and indices: only rows of contiguous arrays, and only loops from 0 over plain indices, become SIMD.
    """
    n, width = x.shape
    carry = np.zeros(width, x.dtype)
    for j in range(n - 2, -1, -1):
        a_j, x_j, behind = a[j + 1], x[j], x[j + 1]
        for c in range(width):
            x_j[c] += a_j[c] * behind[c]
    for j in range(n):
        a_j, h_j, x_j = a[j], h[j], x[j]
        for c in range(width):
            carry[c] = a_j[c] * carry[c] + h_j[c] * x_j[c]
            x_j[c] = carry[c]


@njit(cache=True)
def _column_products(g, p, lo, count, x):  # type: ignore[no-untyped-def]
    """x[j, i] = g[lo + i, j] p[lo + i, j] for `count` rows, four at a time."""
    whole = count - count % 4
    for i in range(0, whole, 4):
        g_0, g_1, g_2, g_3 = g[lo + i], g[lo + i + 1], g[lo + i + 2], g[lo + i + 3]
        p_0, p_1, p_2, p_3 = p[lo + i], p[lo + i + 1], p[lo + i + 2], p[lo + i + 3]
        for j in range(len(x)):
            x_j = x[j]
            x_j[i], x_j[i + 1], x_j[i + 2], x_j[i + 3] = g_0[j] * p_0[j], g_1[j] * p_1[j], g_2[j] * p_2[j], g_3[j] * p_3[j]
    for i in range(whole, count):
        for j in range(len(x)):
            x[j, i] = g[lo + i, j] * p[lo + i, j]


@njit(parallel=True, cache=True)
def start(a, h, g, rho_u, rho_v, scale, residual, norms):  # type: ignore[no-untyped-def]
    """residual = scale (rho_v + g W^-1 rho_u), a, h and W of the first plane; rho_u (B, N, M), rho_v (B, M, N), scale (B,).

    norms (B, panels of the first plane) receives the parts of its 1-norm.
    """
    batch, rows, columns = rho_v.shape
    parts, height, width = a.shape[1], a.shape[3], residual.shape[3]
    for task in prange(batch * parts):
        b, block = task // parts, task % parts
        lo, hi = block * height, min(block * height + height, rows)
        k, m = b if g.shape[0] > 1 else 0, b if a.shape[0] > 1 else 0
        x = np.empty((columns, hi - lo), residual.dtype)
        norm = np.zeros(width, residual.dtype)
        factor_b = scale[b]
        for j in range(columns):
            x_j, rho_j = x[j], rho_u[b, j, lo:hi]
            for i in range(hi - lo):
                x_j[i] = factor_b * rho_j[i]
        _substitute(a[m, block], h[m, block], x)
        for q in range(residual.shape[1]):
            left, right = q * width, min(q * width + width, columns)
            x_q = x[left:right]
            for i in range(hi - lo):
                g_i, rho_i, out_i = g[k, q, lo + i], rho_v[b, lo + i, left:right], residual[b, q, lo + i]
                for j in range(right - left):
                    out_i[j] = factor_b * rho_i[j] + g_i[j] * x_q[j, i]
                    norm[j] += abs(out_i[j])
        norms[b, block] = norm.sum()


@njit(parallel=True, cache=True)
def restrict(a, h, g, alpha, t, residual, knot, share, coarse, dots, norms):  # type: ignore[no-untyped-def]
    """residual -= alpha t; z = A^-1 residual (a, h of the second plane), which is not kept; coarse = P' g z down the columns.

    Node j of a column belongs to hat knot[j] with 1 - share[j] and to the next with share[j]; coarse (B, hats + 1, panels,
    width). dots (B, panels) receives the parts of residual . z = sum h J^2, since h holds the inverse pivots of the elimination
    and J what it makes of f; norms (B, panels) those of the 1-norm of residual.
    """
    batch, parts, n, width = residual.shape
    for task in prange(batch * parts):
        q, b = task // batch, task % batch
        k, m = b if g.shape[0] > 1 else 0, b if a.shape[0] > 1 else 0
        norton = np.empty((n, width), residual.dtype)
        z, dot, norm = (np.zeros(width, residual.dtype), np.zeros(width, residual.dtype), np.zeros(width, residual.dtype))
        lower, upper = np.zeros(width, residual.dtype), np.zeros(width, residual.dtype)
        step = alpha[b]
        for j in range(n - 1, -1, -1):
            res_j, t_j, own = residual[b, q, j], t[b, q, j], norton[j]
            for c in range(width):
                res_j[c] -= step * t_j[c]
                own[c] = res_j[c]
                norm[c] += abs(res_j[c])
            if j < n - 1:
                a_j, behind = a[m, q, j + 1], norton[j + 1]
                for c in range(width):
                    own[c] += a_j[c] * behind[c]
        for j in range(n):
            if j > 0 and knot[j] != knot[j - 1]:
                coarse[b, knot[j - 1], q] = lower
                lower[:] = upper
                upper[:] = 0
            a_j, h_j, g_j, own = a[m, q, j], h[m, q, j], g[k, q, j], norton[j]
            part = share[j]
            for c in range(width):
                alone = h_j[c] * own[c]
                dot[c] += alone * own[c]
                z[c] = a_j[c] * z[c] + alone
                load = g_j[c] * z[c]
                high = part * load
                lower[c] += load - high
                upper[c] += high
        coarse[b, knot[n - 1], q] = lower
        coarse[b, knot[n - 1] + 1, q] = upper
        dots[b, q] = dot.sum()
        norms[b, q] = norm.sum()


@njit(parallel=True, cache=True)
def prolong(a, h, g, residual, knot, share, coarse, alpha, beta, p, s, y, fresh):  # type: ignore[no-untyped-def]
    """f = residual + g P coarse, z = A^-1 f; y += alpha s; s = f + beta s; p = z + beta p (so that s = A p; alpha, beta (B,)).
    `fresh` : y, s and p begin here, from 0."""
    batch, parts, n, width = residual.shape
    for task in prange(batch * parts):
        q, b = task // batch, task % batch
        k, m = b if g.shape[0] > 1 else 0, b if a.shape[0] > 1 else 0
        norton, z = np.empty((n, width), residual.dtype), np.zeros(width, residual.dtype)
        step, turn = alpha[b], beta[b]
        for j in range(n - 1, -1, -1):
            res_j, g_j, own = residual[b, q, j], g[k, q, j], norton[j]
            s_j, y_j = s[b, q, j], y[b, q, j]
            lower, upper = coarse[b, knot[j], q], coarse[b, knot[j] + 1, q]
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
                a_j, behind = a[m, q, j + 1], norton[j + 1]
                for c in range(width):
                    own[c] += a_j[c] * behind[c]
        for j in range(n):
            a_j, h_j, own, p_j = a[m, q, j], h[m, q, j], norton[j], p[b, q, j]
            for c in range(width):
                z[c] = a_j[c] * z[c] + h_j[c] * own[c]
            if fresh:
                for c in range(width):
                    p_j[c] = z[c]
            else:
                for c in range(width):
                    p_j[c] = z[c] + turn * p_j[c]


@njit(parallel=True, cache=True)
def eliminate(a, h, g_in, g_out, s, p, out, dots, columns):  # type: ignore[no-untyped-def]
    """out = s - g_out W^-1 (g_in p), one panel of the first plane at a time, which is transposed in cache.

    a, h of the first plane; dots (B, its panels) receives the parts of p . out; columns: N.
    """
    batch, across, rows, width = p.shape
    parts, height = a.shape[1], a.shape[3]
    for task in prange(batch * parts):
        block, b = task // batch, task % batch
        lo, hi = block * height, min(block * height + height, rows)
        k, m = b if g_in.shape[0] > 1 else 0, b if a.shape[0] > 1 else 0
        x, dot = np.empty((columns, hi - lo), p.dtype), np.zeros(width, p.dtype)
        for q in range(across):
            left, right = q * width, min(q * width + width, columns)
            _column_products(g_in[k, q], p[b, q], lo, hi - lo, x[left:right])
        _substitute(a[m, block], h[m, block], x)
        for q in range(across):
            left, right = q * width, min(q * width + width, columns)
            x_q = x[left:right]
            for i in range(hi - lo):
                g_i, p_i, s_i, out_i = g_out[k, q, lo + i], p[b, q, lo + i], s[b, q, lo + i], out[b, q, lo + i]
                for j in range(right - left):
                    out_i[j] = s_i[j] - g_i[j] * x_q[j, i]
                    dot[j] += p_i[j] * out_i[j]
        dots[b, block] = dot.sum()


@njit(parallel=True, cache=True)
def gather(r, x, norms):  # type: ignore[no-untyped-def]
    """Currents x into the nodes of the second plane, those of nodes joined by exactly 0 ohm all at the last of them, those of
    nodes tied to a terminal dropped: which of such nodes a current enters makes no difference.

    r (n+1, L or 1); norms (B, panels) receives the parts of the 1-norm of x.
    """
    batch, parts, n, width = x.shape
    for task in prange(batch * parts):
        b, q = task // parts, task % parts
        norm = 0.0
        for c in range(width):
            line = 0 if r.shape[1] == 1 else min(q * width + c, r.shape[1] - 1)
            tied = r[0, line] == 0.0
            for j in range(n):
                joined = r[j + 1, line] == 0.0
                if tied or (joined and j == n - 1):
                    x[b, q, j, c] = 0
                elif joined:
                    x[b, q, j + 1, c] += x[b, q, j, c]
                    x[b, q, j, c] = 0
                norm += abs(x[b, q, j, c])
                tied = tied and joined
        norms[b, q] = norm


_SHARING = 16  # inputs solved with one elimination where they share their slopes


@njit(parallel=True, cache=True, error_model="numpy")
def finish_second(r, d, y, alpha, s, scale, fresh, currents, v):  # type: ignore[no-untyped-def]
    """currents += (y + alpha s) / scale, or = if `fresh`; v = (C + D)^-1 currents, both in float64.

    Wires r, slopes d and v (B, M, N); y, s and currents in panels; alpha and scale (B,).
    """
    batch, parts, n, width = y.shape
    lines, half = v.shape[2], width // 2  # half a panel at a time, to stay in cache
    together = _SHARING if d.shape[0] == 1 else 1
    groups = (batch + together - 1) // together
    for task in prange(groups * parts * 2):
        begin, q, at = task // (2 * parts) * together, task // 2 % parts, task % 2 * half
        lo = q * width + at
        count = max(0, min(half, lines - lo))
        own, a, h = np.empty((n, count)), np.empty((n, count)), np.empty((n, count))
        if count == 0:
            continue
        for j in range(n):
            own[j] = d[begin if together == 1 else 0, j, lo:lo + count]
        _pivots(r, lo, own, a, h)
        for b in range(begin, min(begin + together, batch)):
            back, share = 1.0 / scale[b], alpha[b]
            for j in range(n):
                own_j, y_j, s_j = own[j], y[b, q, j, at:at + count], s[b, q, j, at:at + count]
                i_j = currents[b, q, j, at:at + count]
                if fresh:
                    for c in range(count):
                        i_j[c] = back * (y_j[c] + share * s_j[c])
                        own_j[c] = i_j[c]
                else:
                    for c in range(count):
                        i_j[c] += back * (y_j[c] + share * s_j[c])
                        own_j[c] = i_j[c]
            _substitute(a, h, own)
            for j in range(n):
                v[b, j, lo:lo + count] = own[j]


@njit(parallel=True, cache=True, error_model="numpy")
def finish_first(r, d, d_in, v, rho_u, u, rho_v, currents, scale, residual, norms):  # type: ignore[no-untyped-def]
    """u = (R + D)^-1 (rho_u + d_in v) and what is left, residual = scale (rho_v - currents + d u), both in float64.

    Wires r, slopes d and d_in; v and rho_v (B, M, N), rho_u and u (B, N, M), scale (B,); currents and residual in panels. norms
    (B, blocks of EXACT lines) receives the parts of the 1-norm of residual.
    """
    batch, n, lines = u.shape
    parts, width = (lines + EXACT - 1) // EXACT, residual.shape[3]
    together = _SHARING if d.shape[0] == 1 else 1
    groups = (batch + together - 1) // together
    for task in prange(groups * parts):
        begin, lo = task // parts * together, (task % parts) * EXACT
        count = min(lo + EXACT, lines) - lo
        own, a, h, norm = np.empty((n, count)), np.empty((n, count)), np.empty((n, count)), np.zeros(width)
        k = begin if together == 1 else 0
        turn(d, k, 0, n, lo, count, own)
        _pivots(r, lo, own, a, h)
        for b in range(begin, min(begin + together, batch)):
            for left in range(0, n, width):
                right = min(left + width, n)
                _column_products(d_in[k, :, left:right], v[b, :, left:right], lo, count, own[left:right])
            for j in range(n):
                own_j, rho_j = own[j], rho_u[b, j, lo:lo + count]
                for c in range(count):
                    own_j[c] += rho_j[c]
            _substitute(a, h, own)
            for j in range(n):
                u[b, j, lo:lo + count] = own[j]
            norm[:], size = 0.0, scale[b]
            for q in range(residual.shape[1]):
                left, right = q * width, min(q * width + width, n)
                part = own[left:right]
                for i in range(count):
                    d_i, rho_i = d[k, lo + i, left:right], rho_v[b, lo + i, left:right]
                    i_i, out_i = currents[b, q, lo + i], residual[b, q, lo + i]
                    for j in range(right - left):
                        rest = size * (rho_i[j] - i_i[j] + d_i[j] * part[j, i])
                        norm[j] += abs(rest)
                        out_i[j] = rest
            norms[b, task % parts] = norm.sum()
