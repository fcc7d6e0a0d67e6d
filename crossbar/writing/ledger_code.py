"""Probabilities of a phase entered into the accounts (numba), in one pass over an array."""

import math

from crossbar.kernel import njit, prange


@njit(cache=True, error_model="numpy", parallel=True)
def account(flips, stays, fails, states, target, row, columns, hazard, error):  # type: ignore[no-untyped-def]
    """hazard and error (B, M, N) of `ledger`, in place: flips, stays (B, M, N), fails (B, N) probabilities; columns (B, N) of a
    row are selected."""
    batch, rows, n = flips.shape
    for task in prange(batch * rows):
        b, m = task // rows, task % rows
        for c in range(n):
            p, wrong, e = flips[b, m, c], states[b, m, c] != target[b, m, c], error[b, m, c]
            if m == row and columns[b, c]:
                error[b, m, c] = e * fails[b, c] + (0.0 if wrong else (1.0 - e) * p)
                continue
            if p < 1e-8:
                hazard[b, m, c] += p
            elif p < 0.5:
                hazard[b, m, c] -= math.log1p(-p)
            else:
                hazard[b, m, c] -= math.log(max(stays[b, m, c], 1e-300))
            if not wrong:
                error[b, m, c] = e + (1.0 - e) * p
