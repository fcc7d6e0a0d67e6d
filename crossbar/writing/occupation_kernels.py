"""One phase of a write drawn and entered into the accounts (numba), in one pass over the arrays."""

from crossbar.kernel import njit, prange

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
def draw(  # type: ignore[no-untyped-def]
    uniforms,
    states,
    target,
    live,
    row,
    columns,
    cells,
    starts,
    flips,
    stays,
    rest,
    occupation,
    disturbs,
):
    """States (B, M, N), occupation (B, M, N, 4) and disturbs (B, M, N) after a phase, in place.

    uniforms (k, M, N) in [0, 1), for the writes live (k,); columns (k, N) of a row are selected.
    The others: `Flips`.
    """
    drawn, rows, n = uniforms.shape
    rest_rows, rest_columns = rest.shape[2], rest.shape[3]
    behind = starts[0, -1]
    for task in prange(drawn * rows):
        k, m = task // rows, task % rows
        b, i = live[k], min(m, rest_rows - 1)
        now, end = starts[0, task], starts[0, task + 1]
        other, other_end = behind + starts[1, task], behind + starts[1, task + 1]
        for c in range(n):
            state = states[b, m, c]
            stressed = now < end and cells[now] == task * n + c
            other_stressed = other < other_end and cells[other] == task * n + c
            f, s, f_other, s_other = 0.0, 1.0, 0.0, 1.0
            if stressed:
                f, s = flips[now], stays[now]
                now += 1
            if other_stressed:
                f_other, s_other = flips[other], stays[other]
                other += 1
            if not (stressed or other_stressed):
                j, side = min(c, rest_columns - 1), 0 if state > 0 else 1
                f, s = rest[side, 0, i, j], rest[side, 1, i, j]
                f_other, s_other = rest[1 - side, 0, i, j], rest[1 - side, 1, i, j]
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
