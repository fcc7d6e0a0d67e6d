"""Voltages of the lines without cells, and Kirchhoff's current law with them (numba), in float64.

The conventions of `kernels`: planes x[b, j, l], the slow index j along the line; resistances r (n+1, L) in [0, inf], or (n+1, 1)
where all lines are alike; blocks of lines are shared among threads.
"""

import numpy as np

from crossbar.kernel import njit, prange

STRIP, TILE = 64, 32  # lines and nodes that are transposed at once: long reads, and two such tiles stay in the fastest cache


@njit(parallel=True, cache=True, error_model="numpy")
def lines_alone(r, near, far, out):  # type: ignore[no-untyped-def]
    """Node voltages out (B, n, L) of the lines without any cell; near, far (B, L) terminal voltages [V].

    Between two terminals the voltage divides in proportion to resistance; a piece with one terminal takes its voltage,
    a piece with none is put at 0 V.
    """
    batch, n, lines = out.shape
    parts = (lines + STRIP - 1) // STRIP
    for task in prange(parts):
        lo = task * STRIP
        width = min(lo + STRIP, lines) - lo
        share = np.zeros((n, width))    # of the far terminal; first the resistance from the near terminal to each node
        reached = np.ones((n, width))   # by any terminal
        behind = np.zeros(width)        # resistance from a node to the far terminal
        for j in range(n):
            for c in range(width):
                share[j, c] = r[j, 0 if r.shape[1] == 1 else lo + c] + (share[j - 1, c] if j else 0.0)
        for j in range(n - 1, -1, -1):
            for c in range(width):
                behind[c] += r[j + 1, 0 if r.shape[1] == 1 else lo + c]
                first, second = share[j, c], behind[c]
                cut_off, all_far = np.isinf(first), np.isinf(first) or second == 0.0
                if np.isinf(second):
                    share[j, c], reached[j, c] = 0.0, 0.0 if cut_off else 1.0
                else:
                    share[j, c] = 1.0 if all_far else first / (first + second)
        for b in range(batch):
            near_b, far_b = near[b, lo:lo + width], far[b, lo:lo + width]
            for j in range(n):
                out_j, share_j, reached_j = out[b, j, lo:lo + width], share[j], reached[j]
                for c in range(width):
                    between = near_b[c] + (far_b[c] - near_b[c]) * share_j[c]
                    out_j[c] = reached_j[c] * (far_b[c] if share_j[c] == 1.0 else between)


@njit(parallel=True, cache=True, error_model="numpy")
def kcl(r, x, shift, load, sign, rho, near, far, sums, block):  # type: ignore[no-untyped-def]
    """Kirchhoff's current law at every node, and the terminal currents.

    x + shift (B, n, L): voltages with the terminals at 0 V; x has the digits that their sum would lose; an empty shift stands
    for zeros.  sign x load (B, n, L): current that the cells draw from each node [A].
    rho (B, n, L), which may be load itself: current that arrives at the node and does not leave it [A]. near (B, L): current
    from the near terminal into the line; far (B, L): from the line into the far terminal. sums (B, blocks, 3): parts of
    sum |rho|, largest |rho|, sum |load|.

    A line, or a piece of one, with a single terminal takes the sum of its loads; through 0 ohm the current is what the law
    demands, so the misfit of a short gathers at its last node. A line of 0 ohm from terminal to terminal shares its loads by the
    lever rule, the limit of equal segments. Written without branches in the inner loops, so that they become SIMD.
    """
    batch, n, lines = x.shape
    parts = (lines + block - 1) // block
    shifted = shift.size > 0
    for task in prange(batch * parts):
        b, lo = task // parts, (task % parts) * block
        hi = min(lo + block, lines)
        width = hi - lo
        wire, drop = np.empty(width), np.empty(width)
        current = np.empty(width)  # in the segment before node j
        unknown = np.empty(width)  # 1 where that current is not: everything so far is tied to the near terminal by 0 ohm
        piece = np.zeros(width)    # sum of loads since the start or the last open segment
        lever, broken, start = np.zeros(width), np.zeros(width), np.empty(width)
        misfit, largest, carried = np.zeros(width), np.zeros(width), np.zeros(width)
        for c in range(width):
            w = r[0, 0 if r.shape[1] == 1 else lo + c]
            level = x[b, 0, lo + c] + (shift[b, 0, lo + c] if shifted else 0.0)
            unknown[c] = 1.0 if w == 0.0 else 0.0
            current[c] = 0.0 if w == 0.0 else -level / w
            start[c] = current[c]
            broken[c] = 1.0 if np.isinf(w) else 0.0
        for j in range(n):
            after = min(j + 1, n - 1)
            inner, arm = 1.0 if j + 1 < n else 0.0, float(n - j)
            x_j, x_next, load_j, rho_j = x[b, j, lo:hi], x[b, after, lo:hi], load[b, j, lo:hi], rho[b, j, lo:hi]
            if r.shape[1] == 1:
                wire[:] = r[j + 1, 0]
            else:
                wire[:] = r[j + 1, lo:hi]
            for c in range(width):
                drop[c] = x_j[c] - inner * x_next[c]
            if shifted:
                shift_j, shift_next = shift[b, j, lo:hi], shift[b, after, lo:hi]
                for c in range(width):
                    drop[c] += shift_j[c] - inner * shift_next[c]
            least, most = np.inf, 0.0
            for c in range(width):
                least, most = min(least, wire[c]), max(most, max(wire[c], unknown[c] * np.inf if unknown[c] > 0.0 else 0.0))
            if least > 0.0 and most < np.inf:  # nothing tied, nothing cut: the usual row
                for c in range(width):
                    drawn, onward = sign * load_j[c], drop[c] / wire[c]
                    missing = current[c] - onward - drawn
                    piece[c] += drawn
                    current[c] = onward
                    rho_j[c] = missing
                    misfit[c] += abs(missing)
                    largest[c] = max(largest[c], abs(missing))
                    carried[c] += abs(drawn)
                continue
            for c in range(width):
                w, drawn, hidden = wire[c], sign * load_j[c], unknown[c] > 0.0
                short, cut = w == 0.0, np.isinf(w)
                piece[c] += drawn
                lever[c] += drawn * arm  # only wanted where every segment is 0 ohm
                onward = current[c] - drawn if short else drop[c] / w
                missing = 0.0 if short or hidden else current[c] - onward - drawn
                first = onward + piece[c] if hidden and not short else start[c]
                start[c] = piece[c] if cut and broken[c] == 0.0 else first
                unknown[c] = 1.0 if hidden and short else 0.0
                broken[c] = 1.0 if cut else broken[c]
                piece[c] = 0.0 if cut and inner > 0.0 else piece[c]
                current[c] = onward
                rho_j[c] = missing
                misfit[c] += abs(missing)
                largest[c] = max(largest[c], abs(missing))
                carried[c] += abs(drawn)
        for c in range(width):
            w = r[n, 0 if r.shape[1] == 1 else lo + c]
            near[b, lo + c] = lever[c] / (n + 1) if unknown[c] > 0.0 else start[c]
            if unknown[c] > 0.0:
                far[b, lo + c] = near[b, lo + c] - piece[c]
            elif np.isinf(w):
                far[b, lo + c] = 0.0
            else:
                far[b, lo + c] = -piece[c] if broken[c] > 0.0 else current[c]
        part = sums[b, task % parts]
        part[0], part[1], part[2] = misfit.sum(), largest.max(), carried.sum()


@njit(cache=True, inline="always")
def _two_sum(a, b):  # type: ignore[no-untyped-def]
    """a + b and its rounding error (Knuth, The Art of Computer Programming 2, section 4.2.2)."""
    total = a + b
    moved = total - a
    return total, (a - (total - moved)) + (b - moved)


@njit(parallel=True, cache=True)
def fold(base, low, shift, x):  # type: ignore[no-untyped-def]
    """shift + x without its rounding error, which stays in x; base moves by as much as shift, its own rounding error is added to
    low, unless that is empty."""
    batch, n, lines = x.shape
    for task in prange(batch * n):
        b, j = task // n, task % n
        base_j, shift_j, x_j = base[b, j], shift[b, j], x[b, j]
        if low.size > 0:
            low_j = low[b, j]
            for c in range(lines):
                total, error = _two_sum(shift_j[c], x_j[c])
                base_j[c], rounding = _two_sum(base_j[c], total - shift_j[c])
                low_j[c] += rounding
                shift_j[c], x_j[c] = total, error
            continue
        for c in range(lines):
            total, error = _two_sum(shift_j[c], x_j[c])
            base_j[c] += total - shift_j[c]
            shift_j[c], x_j[c] = total, error


@njit(cache=True)
def turn(x, b, top, height, left, width, out):  # type: ignore[no-untyped-def]
    """out[i, j] = x[b, left + j, top + i], four rows of x at a time."""
    whole = width - width % 4
    for j in range(0, whole, 4):
        x_0, x_1 = x[b, left + j, top:top + height], x[b, left + j + 1, top:top + height]
        x_2, x_3 = x[b, left + j + 2, top:top + height], x[b, left + j + 3, top:top + height]
        for i in range(height):
            out_i = out[i]
            out_i[j], out_i[j + 1], out_i[j + 2], out_i[j + 3] = x_0[i], x_1[i], x_2[i], x_3[i]
    for j in range(whole, width):
        for i in range(height):
            out[i, j] = x[b, left + j, top + i]


@njit(cache=True)
def _turn_back(tile, height, width, out, b, top, left):  # type: ignore[no-untyped-def]
    """out[b, left + j, top + i] = tile[i, j], four rows of the tile at a time."""
    whole = height - height % 4
    for i in range(0, whole, 4):
        row_0, row_1, row_2, row_3 = tile[i], tile[i + 1], tile[i + 2], tile[i + 3]
        for j in range(width):
            out_j = out[b, left + j, top + i:top + i + 4]
            out_j[0], out_j[1], out_j[2], out_j[3] = row_0[j], row_1[j], row_2[j], row_3[j]
    for i in range(whole, height):
        for j in range(width):
            out[b, left + j, top + i] = tile[i, j]


@njit(parallel=True, cache=True)
def across_cells(base_u, u, base_v, v, g, out, turned):  # type: ignore[no-untyped-def]
    """out (B, M, N) = first minus second plane, the first coming transposed, (B, N, M): cell voltages; or, unless
    g (1 or B, M, N) is empty, the currents g times these, and turned (B, N, M) the same transposed. u and v may be empty: 0."""
    batch, rows, columns = out.shape
    strips = (rows + TILE - 1) // TILE
    moved, ohmic = u.size > 0, g.size > 0
    for task in prange(batch * strips):
        b, lo = task // strips, (task % strips) * TILE
        height = min(lo + TILE, rows) - lo
        base, level = np.empty((TILE, STRIP)), np.empty((TILE, STRIP))
        for left in range(0, columns, STRIP):
            width = min(STRIP, columns - left)
            turn(base_u, b, lo, height, left, width, base)
            if moved:
                turn(u, b, lo, height, left, width, level)
            for i in range(height):
                out_i, base_i, level_i = out[b, lo + i, left:left + width], base[i], level[i]
                base_v_i = base_v[b, lo + i, left:left + width]
                for j in range(width):
                    base_i[j] -= base_v_i[j]
                if moved:
                    v_i = v[b, lo + i, left:left + width]
                    for j in range(width):
                        base_i[j] += level_i[j] - v_i[j]
                if ohmic:
                    g_i = g[b if g.shape[0] > 1 else 0, lo + i, left:left + width]
                    for j in range(width):
                        base_i[j] *= g_i[j]
                for j in range(width):
                    out_i[j] = base_i[j]
            if ohmic:
                _turn_back(base, height, width, turned, b, lo, left)


@njit(parallel=True, cache=True)
def transpose(x, out):  # type: ignore[no-untyped-def]
    """out[b, j, i] = x[b, i, j]."""
    batch, rows, columns = x.shape
    strips = (rows + STRIP - 1) // STRIP
    for task in prange(batch * strips):
        b, lo = task // strips, (task % strips) * STRIP
        width = min(lo + STRIP, rows) - lo
        tile = np.empty((STRIP, STRIP))
        for top in range(0, columns, STRIP):
            height = min(STRIP, columns - top)
            turn(x, b, top, height, lo, width, tile)
            for i in range(height):
                out[b, top + i, lo:lo + width] = tile[i, :width]


@njit(parallel=True, cache=True)
def add(x, scale, delta):  # type: ignore[no-untyped-def]
    """x += scale (B,) times delta."""
    batch, n, lines = x.shape
    for task in prange(batch * n):
        b, j = task // n, task % n
        x_j, delta_j, part = x[b, j], delta[b, j], scale[b]
        for c in range(lines):
            x_j[c] += part * delta_j[c]
