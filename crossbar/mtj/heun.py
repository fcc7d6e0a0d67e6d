"""Heun's method for blocks of macrospins (numba): the inner loop of `llgs`, which has the equations.

A block is LANES trajectories; its tables are flat, row r of lane c at r LANES + c, so that LLVM sees constant distances
between rows, needs no checks for overlap and keeps a vector register of trajectories in flight. Only whole blocks are
computed, by one code path without remainder: the same bits whatever the number of trajectories and threads.
"""

import math

import numpy as np

from crossbar.kernel import njit, prange
from crossbar.mtj.streams import LANES, fill_normals  # noqa: E402

TILE = 16  # steps whose noise is drawn at once, even; it stays in the L1 cache

# Rows of a block's parameters.
RATE, DAMPING, ANISOTROPY, FIELD, SIGMA = 0, 1, 2, 5, 8
# Rows of a polarizer's parameters: direction (3), ...
TORQUE, ASYMMETRY, RATIO = 3, 4, 5
# Rows of a block's drive: I0_1, I1_1, I0_2, I1_2 [A], and what is added to c_z [T].
ADDED, DRIVES = 4, 5
# Rows of a block's state: m (3), side of the latch, number of flips, step of the first (-1: none).
SIDE, FLIPS, WHEN, STATES = 3, 4, 5, 6


@njit(cache=True, error_model="numpy", fastmath={"contract"}, forceinline=True)
def _torques(polarizer, wave, row, c, x, y, z):  # type: ignore[no-untyped-def]
    """a p of a polarizer that is driven by rows `row` and `row` + 1 of wave, and its field-like ratio."""
    px, py, pz = polarizer[c], polarizer[LANES + c], polarizer[2 * LANES + c]
    along = x * px + y * py + z * pz
    current = wave[row * LANES + c] + wave[(row + 1) * LANES + c] * along
    a = polarizer[TORQUE * LANES + c] * current / (1.0 + polarizer[ASYMMETRY * LANES + c] * along)
    return a * px, a * py, a * pz, polarizer[RATIO * LANES + c]


@njit(cache=True, error_model="numpy", fastmath={"contract"}, forceinline=True)
def _increment(par, one, two, wave, c, x, y, z, bx, by, bz):  # type: ignore[no-untyped-def]
    """dt dm/dt of lane c at m = (x, y, z), in the field b, external and thermal, and the drive `wave`."""
    sx, sy, sz, ratio = _torques(one, wave, 0, c, x, y, z)
    hx = bx + par[ANISOTROPY * LANES + c] * x + ratio * sx
    hy = by + par[(ANISOTROPY + 1) * LANES + c] * y + ratio * sy
    hz = bz + (par[(ANISOTROPY + 2) * LANES + c] + wave[ADDED * LANES + c]) * z + ratio * sz
    if two is not None:
        tx, ty, tz, ratio = _torques(two, wave, 2, c, x, y, z)
        hx, hy, hz = hx + ratio * tx, hy + ratio * ty, hz + ratio * tz
        sx, sy, sz = sx + tx, sy + ty, sz + tz
    hx, hy, hz = hx + (y * sz - z * sy), hy + (z * sx - x * sz), hz + (x * sy - y * sx)
    cx, cy, cz = y * hz - z * hy, z * hx - x * hz, x * hy - y * hx
    alpha, rate = par[DAMPING * LANES + c], -par[RATE * LANES + c]
    return (rate * (cx + alpha * (y * cz - z * cy)), rate * (cy + alpha * (z * cx - x * cz)),
            rate * (cz + alpha * (x * cy - y * cx)))


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def heun_step(state, par, one, two, noise, before, after):  # type: ignore[no-untyped-def]
    """One step of a block, in place.

    state (STATES LANES,), par (9 LANES,), polarizers one, two (6 LANES,), noise (3 LANES,) standard normals; before, after
    (DRIVES LANES,): the drive at both ends of the step. two may be None: numba compiles a kernel without it.
    """
    for c in range(LANES):
        x, y, z = state[c], state[LANES + c], state[2 * LANES + c]
        sigma = par[SIGMA * LANES + c]
        bx = par[FIELD * LANES + c] + sigma * noise[c]
        by = par[(FIELD + 1) * LANES + c] + sigma * noise[LANES + c]
        bz = par[(FIELD + 2) * LANES + c] + sigma * noise[2 * LANES + c]
        dx, dy, dz = _increment(par, one, two, before, c, x, y, z, bx, by, bz)
        ex, ey, ez = _increment(par, one, two, after, c, x + dx, y + dy, z + dz, bx, by, bz)
        x, y, z = x + 0.5 * (dx + ex), y + 0.5 * (dy + ey), z + 0.5 * (dz + ez)
        scale = 1.0 / math.sqrt(x * x + y * y + z * z)
        state[c], state[LANES + c], state[2 * LANES + c] = x * scale, y * scale, z * scale


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _latch(state, one, threshold, step):  # type: ignore[no-untyped-def]
    """Schmitt trigger on m.p_1: it flips where m.p_1 passes the threshold of the other side."""
    for c in range(LANES):
        along = state[c] * one[c]
        along += state[LANES + c] * one[LANES + c]
        along += state[2 * LANES + c] * one[2 * LANES + c]
        old, when = state[SIDE * LANES + c], state[WHEN * LANES + c]
        side = old if abs(along) <= threshold else math.copysign(1.0, along)
        flip = 1.0 if side * old < 0.0 else 0.0
        state[SIDE * LANES + c] = side
        state[FLIPS * LANES + c] += flip
        state[WHEN * LANES + c] = step if flip > 0.0 and when < 0.0 else when


@njit(parallel=True, cache=True, error_model="numpy", fastmath={"contract"})
def advance(state, words, par, one, two, wave, steps, first, threshold, noisy):  # type: ignore[no-untyped-def]
    """`steps` steps, an even number, of all blocks, in place; `first` is the number of steps before.

    state (blocks, STATES LANES), words (blocks, 4 LANES), par, one and two (if not None) (blocks or 1, rows LANES).
    wave (steps + 1 or 1, blocks or 1, DRIVES LANES): the drive at the nodes of the steps, or a constant.
    """
    onward = 1 if wave.shape[0] > 1 else 0
    for index in prange(state.shape[0]):
        b = np.intp(index)  # signed, as all that it meets
        own, row, column = state[b], b if par.shape[0] > 1 else 0, b if wave.shape[1] > 1 else 0
        second = None if two is None else two[row]
        noise = np.zeros(3 * TILE * LANES)
        for tile in range(0, steps, TILE):
            count = min(TILE, steps - tile)
            if noisy:
                fill_normals(words[b], noise[:3 * count * LANES])
            for k in range(count):
                node = onward * (tile + k)
                heun_step(own, par[row], one[row], second, noise[3 * k * LANES:3 * (k + 1) * LANES], wave[node, column],
                          wave[node + onward, column])
                _latch(own, one[row], threshold, first + tile + k + 1.0)
