"""One phase of a write drawn and entered into the accounts (numba), in one pass over the arrays."""

from numba import njit, prange

RIGHT, WRONG = 0, 1  # places in the last axis of an occupation; plus 2 once disturbed


@njit(cache=True, error_model="numpy", inline="always")
def _select(cell, f_right, s_right, f_wrong, s_wrong):  # type: ignore[no-untyped-def]
    """Occupation (4,) of a selected cell, in place: it may flip, which does not disturb it."""
    for k in (0, 2):
        right, wrong = cell[k], cell[k + 1]
        cell[k] = right * s_right + wrong * f_wrong
        cell[k + 1] = wrong * s_wrong + right * f_right


@njit(cache=True, error_model="numpy", inline="always")
def _disturb(cell, f_right, s_right, f_wrong, s_wrong):  # type: ignore[no-untyped-def]
    """Occupation (4,) of a cell that is not selected, in place: whatever flips is disturbed."""
    right, wrong = cell[0] + cell[2], cell[1] + cell[3]
    cell[0] *= s_right
    cell[1] *= s_wrong
    cell[2] = cell[2] * s_right + wrong * f_wrong
    cell[3] = cell[3] * s_wrong + right * f_right


@njit(cache=True, error_model="numpy", parallel=True)
def draw(uniforms, states, target, live, row, columns, place, flips, stays, starts, opposed,  # type: ignore[no-untyped-def]
         other_flips, other_stays, rest, occupation, disturbs):
    """States (B, M, N), occupation (B, M, N, 4) and disturbs (B, M, N) after a phase, in place.

    uniforms (k, M, N) in [0, 1), for the writes live (k,); columns (k, N) of a row are selected. The others: `Flips`.
    """
    drawn, rows, n = uniforms.shape
    rest_rows, rest_columns = rest.shape[2], rest.shape[3]
    under_voltage = flips.shape[1]
    for task in prange(drawn * rows):
        k, m = task // rows, task % rows
        b, r = live[k], place[m]
        next_one, last = 0, 0
        if r >= 0:
            next_one, last = starts[k * under_voltage + r], starts[k * under_voltage + r + 1]
        for c in range(n):
            state = states[b, m, c]
            f_other, s_other = 0.0, 1.0
            if r >= 0:
                f, s = flips[k, r, c], stays[k, r, c]
                if next_one < last and opposed[next_one] == task * n + c:
                    f_other, s_other = other_flips[next_one], other_stays[next_one]
                    next_one += 1
            else:
                i, j = min(m, rest_rows - 1), min(c, rest_columns - 1)
                now = 0 if state > 0 else 1
                f, s = rest[now, 0, i, j], rest[now, 1, i, j]
                f_other, s_other = rest[1 - now, 0, i, j], rest[1 - now, 1, i, j]
            if state == target[b, m, c]:
                f_right, s_right, f_wrong, s_wrong = f, s, f_other, s_other
            else:
                f_right, s_right, f_wrong, s_wrong = f_other, s_other, f, s
            selected = m == row and columns[k, c]
            if selected:
                _select(occupation[b, m, c], f_right, s_right, f_wrong, s_wrong)
            else:
                _disturb(occupation[b, m, c], f_right, s_right, f_wrong, s_wrong)
            if uniforms[k, m, c] < f:
                states[b, m, c] = -state
                if not selected:
                    disturbs[b, m, c] += 1
