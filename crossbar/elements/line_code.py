"""What wires dissipate (numba), in one pass over an array, and voltages along them.

No contraction to fused multiply-adds: the compiler may choose them anew in another process, and workers would differ in a bit.
"""

import numpy as np

from crossbar.kernel import njit, prange


@njit(cache=True, error_model="numpy", parallel=True)
def along_rows(r, first, drawn, sign):  # type: ignore[no-untyped-def]
    """Power (B, L) of lines along the rows [W]: segments r (L, n+1) [ohm], currents first (B, L) into them and sign times drawn
    (B, L, n) out of their nodes [A]. Behind an open segment the current begins anew."""
    batch, lines, n = drawn.shape
    out = np.empty((batch, lines))
    for task in prange(batch * lines):
        b, k = task // lines, task % lines
        i, total = first[b, k], 0.0
        for m in range(n + 1):
            if np.isinf(r[k, m]):
                i = 0.0
            else:
                total += r[k, m] * i * i
            if m < n:
                i -= sign * drawn[b, k, m]
        out[b, k] = total
    return out


@njit(cache=True, error_model="numpy", parallel=True)
def down_columns(r, first, drawn, sign):  # type: ignore[no-untyped-def]
    """The same (B, L) of lines down the columns: r (n+1, L), drawn (B, n, L)."""
    batch, n, lines = drawn.shape
    blocks = (lines + 127) // 128
    out = np.zeros((batch, lines))
    for task in prange(batch * blocks):
        b, left = task // blocks, 128 * (task % blocks)
        right = min(left + 128, lines)
        i = first[b, left:right].copy()
        total = out[b, left:right]
        for m in range(n + 1):
            for c in range(right - left):
                x = r[m, left + c]
                now = 0.0 if np.isinf(x) else i[c]
                total[c] += (0.0 if np.isinf(x) else x) * now * now
                i[c] = now - (sign * drawn[b, m, left + c] if m < n else 0.0)
    return out


@njit(cache=True, error_model="numpy", parallel=True)
def stretch(r, rows, kept, near, far, out):  # type: ignore[no-untyped-def]
    """out (B, n, L): node voltages of lines down the columns, r (n+1, L) with leads, that draw current at `rows` alone, where
    they are kept (B, K, L), between terminals near and far (B, L). An open lead carries nothing."""
    batch, n, lines = out.shape
    blocks = (lines + 127) // 128
    for task in prange(batch * blocks):
        b, left = task // blocks, 128 * (task % blocks)
        right = min(left + 128, lines)
        per = np.empty(right - left)   # volts an ohm
        v = np.empty(right - left)
        for g in range(rows.size + 1):
            first = rows[g - 1] + 1 if g > 0 else 0
            last = rows[g] if g < rows.size else n
            for c in range(left, right):
                a = kept[b, g - 1, c] if g > 0 else near[b, c]
                z = kept[b, g, c] if g < rows.size else far[b, c]
                total = 0.0
                for m in range(first, last + 1):
                    total += r[m, c]
                if g == 0 and np.isinf(r[0, c]):
                    a = z
                if g == rows.size and np.isinf(r[n, c]):
                    z = a
                v[c - left] = a
                per[c - left] = (z - a) / total if total > 0.0 and not np.isinf(total) else 0.0
            for m in range(first, last):
                for c in range(left, right):
                    if not np.isinf(r[m, c]):
                        v[c - left] += per[c - left] * r[m, c]
                    out[b, m, c] = v[c - left]
            if g < rows.size:
                for c in range(left, right):
                    out[b, last, c] = kept[b, g, c]
