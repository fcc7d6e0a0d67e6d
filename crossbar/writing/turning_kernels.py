"""Junctions between two lines, turned into their other states (numba): see `turning`."""

import numpy as np

from crossbar.elements.cell_code import _junction
from crossbar.kernel import njit, prange

_CHUNK = 1024  # cells at a time
_STEPS = 20  # of Newton's method
_ISOLATED = 1e-30  # [S] that stands for 0
_SMALL = 0.01  # share of the voltage that a last step may take: what it misses is of second order


@njit(cache=True, error_model="numpy", inline="always")
def _stressed(v, state, fixed, stress):  # type: ignore[no-untyped-def]
    """Whether the state that a cell has may flip at v, and whether the other one may.

    stress : voltages up to which both flip as at rest, and up to which neither flips; whether the
    first counts, whatever the sign, for states that cells have, and for the other ones."""
    low, harmless, every, either = stress
    size, opposed = abs(v), v * state < 0.0
    present = (size > low) if every else (size > harmless) & opposed
    other = (size > low) if either else (size > harmless) & (not opposed)
    return present & (not fixed), other & (not fixed)


@njit(cache=True, error_model="numpy", parallel=True)
def list_stressed(  # type: ignore[no-untyped-def]
    volts, amperes, states, fixed, stress, cells, seen, driven, now
):
    """Flat indices `cells` of those cells (k, M, N), not fixed (M, N), that may flip: in the states
    that they have, and behind them in the other ones. `now`: these states; seen, driven: voltages
    and currents of the first. Where in each list a row begins (2, k M + 1)."""
    writes, rows, columns = volts.shape
    starts = np.zeros((2, writes * rows + 1), np.intp)
    for task in prange(writes * rows):
        k, m = task // rows, task % rows
        present, other = 0, 0
        for c in range(columns):
            a, b = _stressed(volts[k, m, c], states[k, m, c], fixed[m, c], stress)
            present += a
            other += b
        starts[0, task + 1], starts[1, task + 1] = present, other
    for task in range(writes * rows):
        starts[0, task + 1] += starts[0, task]
        starts[1, task + 1] += starts[1, task]

    behind = starts[0, -1]
    for task in prange(writes * rows):
        k, m = task // rows, task % rows
        place, place_other = starts[0, task], behind + starts[1, task]
        last = max(starts[0, task + 1] - place, behind + starts[1, task + 1] - place_other)
        for c in range(columns if last > 0 else 0):
            v = volts[k, m, c]
            a, b = _stressed(v, states[k, m, c], fixed[m, c], stress)
            if a:
                cells[place] = task * columns + c
                seen[place], driven[place], now[place] = v, amperes[k, m, c], states[k, m, c]
                place += 1
            if b:
                cells[place_other] = task * columns + c
                now[place_other] = -states[k, m, c]
                place_other += 1
    return starts


@njit(cache=True, error_model="numpy", parallel=True, fastmath={"reassoc", "contract"})
def _line_loads(states, g_p, g_ap):  # type: ignore[no-untyped-def]
    """Sums (k, M) and (k, N) along rows and columns of conductances g_p and g_ap (M, N) [S], by
    state."""
    writes, rows, columns = states.shape
    along, down = np.zeros((writes, rows)), np.zeros((writes, columns))
    for k in prange(writes):
        for m in range(rows):
            total = 0.0
            for c in range(columns):
                g = g_p[m, c] if states[k, m, c] > 0 else g_ap[m, c]
                total += g
                down[k, c] += g
            along[k, m] = total
    return along, down


@njit(cache=True, error_model="numpy", inline="always")
def _resistance(to_ends, load):  # type: ignore[no-untyped-def]
    """(1) of `turning` [ohm]; rounding may leave a load below 0, an isolated line has none."""
    return 1.0 / max(to_ends + max(load, 0.0), _ISOLATED)


@njit(cache=True, error_model="numpy", inline="always")
def _entry(matrix, m, c):  # type: ignore[no-untyped-def]
    return matrix[m * (matrix.shape[0] > 1), c * (matrix.shape[1] > 1)]


@njit(cache=True, error_model="numpy", inline="always")
def _operating_point(law, v, i, r):  # type: ignore[no-untyped-def]
    """Voltage and current of a junction between lines of r [ohm] that give i at v."""
    x = v
    for _ in range(_STEPS):
        current, slope = _junction(law, x)
        step = (x - v + r * (current - i)) / (1.0 + r * slope)
        x -= step
        current -= slope * step
        if not abs(step) > _SMALL * abs(v):
            break
    return x, current


@njit(cache=True, error_model="numpy", parallel=True)
def turn(  # type: ignore[no-untyped-def]
    cells,
    volts,
    amperes,
    states,
    laws,
    g_p,
    g_ap,
    first,
    second,
    turned_volts,
    turned_amperes,
):
    """(2) of `turning` for cells (n,), flat indices into (k, M, N) in ascending order.

    first, second (k or 1, M, N) : conductances to the ends of their lines [S]; g_p, g_ap (M, N) of
    all cells by state; laws : `cell_kernels` parameters of the junctions in AP.
    """
    _, rows, columns = volts.shape
    along, down = _line_loads(states, g_p, g_ap)
    for chunk in prange((cells.size + _CHUNK - 1) // _CHUNK):
        begin = chunk * _CHUNK
        row_end = 0  # flat index behind the row of the last cell
        k, m = 0, 0
        for place in range(begin, min(begin + _CHUNK, cells.size)):
            if cells[place] >= row_end:
                task = cells[place] // columns
                row_end = (task + 1) * columns
                k, m = task // rows, task % rows
            c = cells[place] - row_end + columns
            state, v, i = states[k, m, c], volts[k, m, c], amperes[k, m, c]
            own = g_p[m, c] if state > 0 else g_ap[m, c]
            r_first = _resistance(first[k * (first.shape[0] > 1), m, c], along[k, m] - own)
            r_second = _resistance(second[k * (second.shape[0] > 1), m, c], down[k, c] - own)
            law = (
                _entry(laws[0], m, c),
                _entry(laws[1], m, c) if state > 0 else 0.0,
                _entry(laws[2], m, c),
                _entry(laws[3], m, c),
                _entry(laws[4], m, c),
                _entry(laws[5], m, c),
            )
            turned_volts[place], turned_amperes[place] = _operating_point(law, v, i, r_first + r_second)
