"""Junctions between two lines, turned into their other states (numba): see `turning`."""

import numpy as np
from numba import njit, prange

from crossbar.elements.cell_code import _junction

_STEPS = 20   # of Newton's method
_ISOLATED = 1e-30  # [S] that stands for 0
_SMALL = 0.01  # share of the voltage that a last step may take: what it misses is of second order


@njit(cache=True, error_model="numpy", parallel=True)
def count_opposed(volts, states, rows, fixed, least):  # type: ignore[no-untyped-def]
    """(k R + 1,) places of the first cell of every row among those whose other state flips: cells (k, M, N) of
    rows (R,), not fixed (M, N), under more than `least` [V] against the other state."""
    writes, columns = volts.shape[0], volts.shape[2]
    starts = np.zeros(writes * rows.size + 1, np.intp)
    for task in prange(writes * rows.size):
        k, m = task // rows.size, rows[task % rows.size]
        for c in range(columns):
            if volts[k, m, c] * states[k, m, c] > least and not fixed[m, c]:
                starts[task + 1] += 1
    for task in range(writes * rows.size):
        starts[task + 1] += starts[task]
    return starts


@njit(cache=True, error_model="numpy", parallel=True)
def find_opposed(volts, states, rows, fixed, least, starts, cells):  # type: ignore[no-untyped-def]
    """Flat indices of those cells, into `cells` (starts[-1],)."""
    writes, m_all, columns = volts.shape
    for task in prange(writes * rows.size):
        k, m = task // rows.size, rows[task % rows.size]
        place = starts[task]
        for c in range(columns):
            if volts[k, m, c] * states[k, m, c] > least and not fixed[m, c]:
                cells[place] = (k * m_all + m) * columns + c
                place += 1


@njit(cache=True, error_model="numpy", parallel=True)
def line_loads(states, g_p, g_ap):  # type: ignore[no-untyped-def]
    """Sums (k, M) and (k, N) along rows and columns of conductances g_p and g_ap (M, N) [S], by state."""
    writes, rows, columns = states.shape
    along, down = np.zeros((writes, rows)), np.zeros((writes, columns))
    for k in prange(writes):
        for m in range(rows):
            for c in range(columns):
                g = g_p[m, c] if states[k, m, c] > 0 else g_ap[m, c]
                along[k, m] += g
                down[k, c] += g
    return along, down


@njit(cache=True, error_model="numpy", inline="always")
def _resistance(to_ends, load):  # type: ignore[no-untyped-def]
    """(1) of `turning` [ohm]; rounding may leave a load below 0, an isolated line has none."""
    return 1.0 / max(to_ends + max(load, 0.0), _ISOLATED)


@njit(cache=True, error_model="numpy", inline="always")
def _entry(matrix, m, c):  # type: ignore[no-untyped-def]
    return matrix[m * (matrix.shape[0] > 1), c * (matrix.shape[1] > 1)]


@njit(cache=True, error_model="numpy", parallel=True)
def turn(cells, volts, amperes, states, laws, g_p, g_ap, along, down, first, second,  # type: ignore[no-untyped-def]
         turned_volts, turned_amperes):
    """(2) of `turning` for cells (n,), flat indices into (k, M, N); first, second (k or 1, M, N): conductances to the
    ends of their lines [S]; laws: `cell_kernels` parameters of the junctions in AP."""
    _, rows, columns = volts.shape
    for place in prange(cells.size):
        task, c = cells[place] // columns, cells[place] % columns
        k, m = task // rows, task % rows
        state, v, i = states[k, m, c], volts[k, m, c], amperes[k, m, c]
        own = g_p[m, c] if state > 0 else g_ap[m, c]
        r = (_resistance(first[k * (first.shape[0] > 1), m, c], along[k, m] - own)
             + _resistance(second[k * (second.shape[0] > 1), m, c], down[k, c] - own))
        tmr = _entry(laws[1], m, c) if state > 0 else 0.0
        law = (_entry(laws[0], m, c), tmr, _entry(laws[2], m, c), _entry(laws[3], m, c), _entry(laws[4], m, c),
               _entry(laws[5], m, c))
        x = v
        for _ in range(_STEPS):
            current, slope = _junction(law, x)
            step = (x - v + r * (current - i)) / (1.0 + r * slope)
            x -= step
            current -= slope * step
            if not abs(step) > _SMALL * abs(v):
                break
        turned_volts[place], turned_amperes[place] = x, current
