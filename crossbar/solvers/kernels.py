"""Sweeps over batches of lines (numba), plain arrays in and out.

A plane is an array x[b, j, l]: input b, node j along a line, line l. Every kernel runs along the slow index j with the lines
l side by side, so that the inner loop is contiguous; blocks of WIDTH lines stay in cache and are shared among threads.
Reductions are made per block and added in a fixed order: the same bits whatever the number of threads.

Segment j of a line joins node j - 1 and node j; segment 0 is the near lead and segment n the far lead. Resistances are
r[j, l] in [0, inf]: everything is written in r and admittances, without 1/r where r may be 0 and without differences,
so each sweep is accurate to rounding for wires from 0 to inf.  A sweep is Gaussian elimination of a grounded ladder:

    Y_j  = d_j + Y_{j+1} / (1 + r_{j+1} Y_{j+1})      admittance seen at node j, looking to the far end
    J_j  = f_j + J_{j+1} / (1 + r_{j+1} Y_{j+1})      Norton current of the same
    x_j  = (x_{j-1} + r_j J_j) / (1 + r_j Y_j)        x_{-1} = 0: the near terminal
"""

import numpy as np
from numba import njit, prange

WIDTH = 128  # lines per block
TILE = 8    # rows and columns of the square tiles in which planes are transposed: a cache line each way


@njit(parallel=True, cache=True, error_model="numpy")
def factor(r, d, a, h):  # type: ignore[no-untyped-def]
    """a = 1 / (1 + r Y) and h = r / (1 + r Y) of every segment.  r (n+1, L), d (B, n, L) cell conductances [S].

    A node tied to the far terminal by exactly 0 ohm has Y = inf, hence a = h = 0: its voltage is the terminal's. A node
    that nothing reaches has Y = 0 and r = inf; h = 0 leaves it at 0.
    """
    batch, n, lines = d.shape
    blocks = (lines + WIDTH - 1) // WIDTH
    for task in prange(batch * blocks):
        b, lo = task // blocks, (task % blocks) * WIDTH
        hi = min(lo + WIDTH, lines)
        y = np.empty(WIDTH)
        for l in range(lo, hi):
            y[l - lo] = d[b, n - 1, l] + 1.0 / r[n, l]
        for j in range(n - 1, -1, -1):
            for l in range(lo, hi):
                seen, wire = y[l - lo], r[j, l]
                if np.isinf(seen):
                    a[b, j, l], h[b, j, l], through = 0.0, 0.0, 1.0 / wire
                elif np.isinf(wire):
                    a[b, j, l], h[b, j, l], through = 0.0, 1.0 / seen if seen > 0.0 else 0.0, 0.0
                else:
                    a[b, j, l] = 1.0 / (1.0 + wire * seen)
                    h[b, j, l] = wire * a[b, j, l]
                    through = a[b, j, l] * seen
                if j > 0:
                    y[l - lo] = d[b, j - 1, l] + through


@njit(parallel=True, cache=True, error_model="numpy")
def sweep(a, h, f, x, dots):  # type: ignore[no-untyped-def]
    """Solve (wires + cells) x = f along every line, terminals at 0 V; x may be f itself.

    a, h of `factor`, with a batch of 1 or of f's. dots (B, blocks) receives the parts of f . x = sum h J^2, since h holds
    the inverse pivots of the elimination and J what it makes of f.
    """
    batch, n, lines = f.shape
    blocks = (lines + WIDTH - 1) // WIDTH
    for task in prange(batch * blocks):
        b, lo = task // blocks, (task % blocks) * WIDTH
        hi = min(lo + WIDTH, lines)
        k = b if a.shape[0] > 1 else 0
        norton = np.empty((n, WIDTH))  # contiguous: rows of x a power of two apart would evict each other
        above, dot = np.zeros(WIDTH), np.zeros(WIDTH)
        norton[n - 1, :hi - lo] = f[b, n - 1, lo:hi]
        for j in range(n - 2, -1, -1):  # rows as slices: only loops from 0 over plain indices become SIMD
            f_j, a_j, own, behind = f[b, j, lo:hi], a[k, j + 1, lo:hi], norton[j], norton[j + 1]
            for c in range(hi - lo):
                own[c] = f_j[c] + a_j[c] * behind[c]
        for j in range(n):
            x_j, a_j, h_j, own = x[b, j, lo:hi], a[k, j, lo:hi], h[k, j, lo:hi], norton[j]
            for c in range(hi - lo):
                alone = h_j[c] * own[c]
                dot[c] += alone * own[c]
                above[c] = a_j[c] * above[c] + alone
                x_j[c] = above[c]
        dots[b, task % blocks] = dot.sum()


@njit(parallel=True, cache=True, error_model="numpy")
def lines_alone(r, near, far, out):  # type: ignore[no-untyped-def]
    """Node voltages out (B, n, L) of the lines without any cell; near, far (B, L) terminal voltages [V].

    Between two terminals the voltage divides in proportion to resistance; a piece with one terminal takes its voltage,
    a piece with none is put at 0 V.
    """
    batch, n, lines = out.shape
    blocks = (lines + WIDTH - 1) // WIDTH
    for task in prange(batch * blocks):
        b, lo = task // blocks, (task % blocks) * WIDTH
        hi = min(lo + WIDTH, lines)
        before = np.zeros((n, WIDTH))  # resistance from the near terminal to each node
        behind = np.zeros(WIDTH)       # and from there to the far terminal
        for j in range(n):
            for l in range(lo, hi):
                before[j, l - lo] = r[j, l] + (before[j - 1, l - lo] if j else 0.0)
        for j in range(n - 1, -1, -1):
            for l in range(lo, hi):
                c = l - lo
                behind[c] += r[j + 1, l]
                if np.isinf(behind[c]):
                    out[b, j, l] = 0.0 if np.isinf(before[j, c]) else near[b, l]
                elif np.isinf(before[j, c]) or behind[c] == 0.0:
                    out[b, j, l] = far[b, l]
                else:
                    share = before[j, c] / (before[j, c] + behind[c])
                    out[b, j, l] = near[b, l] + (far[b, l] - near[b, l]) * share


@njit(parallel=True, cache=True, error_model="numpy")
def kcl(r, x, shift, load, rho, near, far):  # type: ignore[no-untyped-def]
    """Kirchhoff's current law at every node, and the terminal currents.

    x + shift (B, n, L): voltages with the terminals at 0 V; shift is constant between weak segments, so that no digit of x
    is spent on it.  load (B, n, L): current that the cells draw from each node [A].
    rho (B, n, L): current that arrives at the node and does not leave it [A]. near (B, L): current from the near terminal
    into the line; far (B, L): from the line into the far terminal. A line, or a piece of one, with a single terminal
    takes the sum of its loads; through 0 ohm the current is what the law demands, so the misfit of a short gathers at its last
    node. A line of 0 ohm from terminal to terminal shares its loads by the lever rule, the limit of equal segments.
    """
    batch, n, lines = x.shape
    blocks = (lines + WIDTH - 1) // WIDTH
    for task in prange(batch * blocks):
        b, lo = task // blocks, (task % blocks) * WIDTH
        hi = min(lo + WIDTH, lines)
        current = np.empty(WIDTH)           # in the segment before node j
        unknown = np.empty(WIDTH, np.bool_)  # that current: everything so far is tied to the near terminal by 0 ohm
        piece = np.zeros(WIDTH)             # sum of loads since the start or the last open segment
        lever = np.zeros(WIDTH)
        broken = np.zeros(WIDTH, np.bool_)
        for l in range(lo, hi):
            c = l - lo
            unknown[c] = r[0, l] == 0.0
            current[c] = 0.0 if unknown[c] else -(x[b, 0, l] + shift[b, 0, l]) / r[0, l]
            near[b, l] = current[c]
            broken[c] = np.isinf(r[0, l])
        for j in range(n):
            for l in range(lo, hi):
                c = l - lo
                wire, drawn = r[j + 1, l], load[b, j, l]
                piece[c] += drawn
                lever[c] += drawn * (n - j)
                if wire == 0.0:
                    rho[b, j, l] = 0.0
                    current[c] -= drawn
                    continue
                if j + 1 < n:
                    onward = ((x[b, j, l] - x[b, j + 1, l]) + (shift[b, j, l] - shift[b, j + 1, l])) / wire
                else:
                    onward = (x[b, j, l] + shift[b, j, l]) / wire
                if unknown[c]:
                    near[b, l] = onward + piece[c]
                    unknown[c] = False
                    rho[b, j, l] = 0.0
                else:
                    rho[b, j, l] = current[c] - onward - drawn
                current[c] = onward
                if np.isinf(wire):
                    if not broken[c]:
                        near[b, l] = piece[c]
                    broken[c] = True
                    if j + 1 < n:
                        piece[c] = 0.0
        for l in range(lo, hi):
            c = l - lo
            if unknown[c]:
                near[b, l] = lever[c] / (n + 1)
                far[b, l] = near[b, l] - piece[c]
            elif np.isinf(r[n, l]):
                far[b, l] = 0.0
            else:
                far[b, l] = -piece[c] if broken[c] else current[c]


@njit(parallel=True, cache=True, error_model="numpy")
def rebase(r, weak, drives, base, shift, x):  # type: ignore[no-untyped-def]
    """Move the common part of x to the base on every stretch of line between segments of at least weak (L,) ohm, so that
    differences of x keep their digits however small the wire resistance; and to the shift, if it `drives` current."""
    batch, n, lines = x.shape
    for b in prange(batch):
        for l in range(lines):
            start = -1
            for j in range(n):
                if r[j, l] >= weak[l]:
                    start = j
                if start >= 0 and r[j + 1, l] >= weak[l]:
                    common = x[b, start, l]
                    for k in range(start, j + 1):
                        x[b, k, l] -= common
                        base[b, k, l] += common
                        if drives:
                            shift[b, k, l] += common
                    start = -1


@njit(parallel=True, cache=True)
def cell_voltages(base_u, u, base_v, v, out):  # type: ignore[no-untyped-def]
    """out (B, M, N) = word minus bit voltage; the word plane comes transposed, (B, N, M)."""
    batch, rows, columns = out.shape
    strips = (rows + TILE - 1) // TILE
    for task in prange(batch * strips):
        b, lo = task // strips, (task % strips) * TILE
        hi = min(lo + TILE, rows)
        for left in range(0, columns, TILE):
            for i in range(lo, hi):
                for j in range(left, min(left + TILE, columns)):
                    out[b, i, j] = (base_u[b, j, i] - base_v[b, i, j]) + (u[b, j, i] - v[b, i, j])


@njit(parallel=True, cache=True)
def transpose(x, out):  # type: ignore[no-untyped-def]
    """out[b, j, i] = x[b, i, j]."""
    batch, rows, columns = x.shape
    strips = (rows + TILE - 1) // TILE
    for task in prange(batch * strips):
        b, lo = task // strips, (task % strips) * TILE
        hi = min(lo + TILE, rows)
        for left in range(0, columns, TILE):
            for i in range(lo, hi):
                for j in range(left, min(left + TILE, columns)):
                    out[b, j, i] = x[b, i, j]


@njit(parallel=True, cache=True)
def multiply_transpose(g, p, out):  # type: ignore[no-untyped-def]
    """out[b, j, i] = g[b, i, j] p[b, i, j]; g has a batch of 1 or of p's."""
    batch, rows, columns = p.shape
    strips = (rows + TILE - 1) // TILE
    for task in prange(batch * strips):
        b, lo = task // strips, (task % strips) * TILE
        hi = min(lo + TILE, rows)
        k = b if g.shape[0] > 1 else 0
        for left in range(0, columns, TILE):
            for i in range(lo, hi):
                for j in range(left, min(left + TILE, columns)):
                    out[b, j, i] = g[k, i, j] * p[b, i, j]


@njit(parallel=True, cache=True)
def schur_product(s, g, q, p, out, dots):  # type: ignore[no-untyped-def]
    """out = s - g q' with q (B, N, M) of the transposed plane; dots (B, strips) receives the parts of p . out."""
    batch, rows, columns = p.shape
    strips = (rows + TILE - 1) // TILE
    for task in prange(batch * strips):
        b, lo = task // strips, (task % strips) * TILE
        hi = min(lo + TILE, rows)
        k = b if g.shape[0] > 1 else 0
        dot = 0.0
        for left in range(0, columns, TILE):
            for i in range(lo, hi):
                for j in range(left, min(left + TILE, columns)):
                    out[b, i, j] = s[b, i, j] - g[k, i, j] * q[b, j, i]
                    dot += p[b, i, j] * out[b, i, j]
        dots[b, task % strips] = dot


@njit(parallel=True, cache=True)
def step(alpha, p, t, x, residual, norms):  # type: ignore[no-untyped-def]
    """x += alpha p and residual -= alpha t, alpha (B,); norms (B, M) receives the 1-norms of the residual's rows."""
    batch, rows, columns = p.shape
    for task in prange(batch * rows):
        b, i = task // rows, task % rows
        norm = 0.0
        for j in range(columns):
            x[b, i, j] += alpha[b] * p[b, i, j]
            residual[b, i, j] -= alpha[b] * t[b, i, j]
            norm += abs(residual[b, i, j])
        norms[b, i] = norm


@njit(parallel=True, cache=True)
def turn(beta, z, residual, p, s):  # type: ignore[no-untyped-def]
    """p = z + beta p and s = residual + beta s, beta (B,)."""
    batch, rows, columns = p.shape
    for task in prange(batch * rows):
        b, i = task // rows, task % rows
        for j in range(columns):
            p[b, i, j] = z[b, i, j] + beta[b] * p[b, i, j]
            s[b, i, j] = residual[b, i, j] + beta[b] * s[b, i, j]


@njit(parallel=True, cache=True)
def eliminate(a, h, g, s, p, out, dots):  # type: ignore[no-untyped-def]
    """out = s - g W^-1 (g p): multiply_transpose, sweep and schur_product in one, WIDTH word lines at a time, so that
    the transposed plane never leaves the cache.  a, h of the word plane; dots (B, blocks) receives the parts of p . out."""
    batch, rows, columns = p.shape
    blocks = (rows + WIDTH - 1) // WIDTH
    tile = 32
    for task in prange(batch * blocks):
        b, lo = task // blocks, (task % blocks) * WIDTH
        hi = min(lo + WIDTH, rows)
        k, m = b if g.shape[0] > 1 else 0, b if a.shape[0] > 1 else 0
        q, carry, dot = np.empty((columns, WIDTH)), np.zeros(WIDTH), np.zeros(tile)
        for left in range(0, columns, tile):
            right = min(left + tile, columns)
            q_t = q[left:right]
            for i in range(hi - lo):
                g_i, p_i = g[k, lo + i, left:right], p[b, lo + i, left:right]
                for j in range(right - left):
                    q_t[j, i] = g_i[j] * p_i[j]
        for j in range(columns - 2, -1, -1):
            a_j, q_j, after = a[m, j + 1, lo:hi], q[j], q[j + 1]
            for i in range(hi - lo):
                q_j[i] += a_j[i] * after[i]
        for j in range(columns):
            a_j, h_j, q_j = a[m, j, lo:hi], h[m, j, lo:hi], q[j]
            for i in range(hi - lo):
                carry[i] = a_j[i] * carry[i] + h_j[i] * q_j[i]
                q_j[i] = carry[i]
        for left in range(0, columns, tile):
            right = min(left + tile, columns)
            q_t = q[left:right]
            for i in range(hi - lo):
                g_i, p_i = g[k, lo + i, left:right], p[b, lo + i, left:right]
                s_i, out_i = s[b, lo + i, left:right], out[b, lo + i, left:right]
                for j in range(right - left):
                    out_i[j] = s_i[j] - g_i[j] * q_t[j, i]
                    dot[j] += p_i[j] * out_i[j]
        dots[b, task % blocks] = dot.sum()
