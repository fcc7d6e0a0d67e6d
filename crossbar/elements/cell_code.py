"""Laws of single devices and of two in series (numba), and loops over the cells of an array; plain arrays in and out.

A parameter of many cells is a matrix (1 or M, 1 or N), a voltage an array (1 or B, 1 or M, 1 or N): where a length is 1 the entry
serves all, so nothing is repeated in memory. A parameter that differs from input to input has the rows of all, (B M, N).

Series: a junction (voltage u, slope g_j) and a second device (voltage d = w - u, slope g_d) carry the same current,

    f(u) = I_j(u) - I_d(w - u) = 0,   u between 0 and w;   f increases with u                                      (1)

solved by Newton's method within a bracket. The unknown is u, not the voltage of the inner node: a device that is nearly off
leaves u tiny, and only so it keeps its digits. Where |I_d| is much the larger the step is Newton's on ln |I_j| - ln |I_d|, which
an exponential law makes a straight line. At the end the current is corrected by one more step, to first order:

    I = (g_d I_j + g_j I_d) / (g_j + g_d),                                                                          (2)

whose error is of second order in f, and in which rounding of d weighs no more than rounding of u.
"""

import math

import numpy as np

from crossbar.elements.cell_kernels import DIODE, EKV, LEVEL1, SINH
from crossbar.kernel import njit, prange

STEPS = 200        # at most; six are many
ENOUGH = 1e-9      # relative misfit of (1) at which (2) is exact to rounding
NOISE = 1e-15      # relative, of d
NOTHING = 1e-35    # misfit [A] that nobody sees: an electron in 500 million years
SLIGHT = 0.05      # of drain and source in EKV's units, below which digits would cancel
ABREAST = 64       # cells side by side
QUICK = 10         # Newton steps of theirs
# Lanes of `_abreast`: junctions, transistors, what `_pinched` makes of these, then one lane each
J, D, S, U, W, GATE, BODY, SLOPE, MET, ON, RESULT = (k * ABREAST for k in (0, 6, 12, 18, 19, 20, 21, 22, 23, 24, 25))
LANES = 29
STEEP = 80.0       # exponents go on as straight lines from here: no iterate overflows


@njit(cache=True, error_model="numpy", fastmath={"contract"}, inline="always")
def _junction(p, v):  # type: ignore[no-untyped-def]
    """i, di/dv of crossbar.mtj.conduction.  p = (G_P, (1 - m_z)/2 TMR_0, 1 + TMR_0, 1/V_h, b, c)."""
    w = (v * p[3]) * (v * p[3])
    share = 1.0 / (p[2] + w)
    ratio = p[1] * share
    g = p[0] * (1.0 - ratio)
    barrier = 1.0 + v * (p[5] * v * (1.0 / 3.0) - 0.5 * p[4])
    slope = (1.0 + v * (p[5] * v - p[4])) * g + barrier * (p[0] * ratio) * (2.0 * w * share)
    return v * barrier * g, slope


@njit(cache=True, error_model="numpy", fastmath={"contract"}, inline="always")
def _overdrive(p, v_g, v_b):  # type: ignore[no-untyped-def]
    """Level 1: gate voltage above the threshold, and its slope in the body voltage; both against the source."""
    if p[2] == 0.0:
        return v_g - p[1], 0.0
    root = math.sqrt(p[3])
    if v_b <= 0.0:
        depletion = math.sqrt(p[3] - v_b)
        body = 0.5 * p[2] / depletion
    else:
        depletion = root - 0.5 * v_b / root
        body = 0.5 * p[2] / root
        if depletion <= 0.0:
            depletion, body = 0.0, 0.0
    return v_g - p[1] - p[2] * (depletion - root), body


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _level1(p, at_source, d, v_gs, v_bs):  # type: ignore[no-untyped-def]
    """i, di/dv_d, -di/dv_s, di/dv_g of crossbar.elements.transistor, level 1.

    p = (beta, V_TO, gamma, phi, lambda, _); at_source: `_at_source` of the same p, v_gs and v_bs.
    """
    v, excess, body = abs(d), at_source[0], at_source[1]
    if d < 0.0:  # the drain acts as source
        excess, body = _overdrive(p, v_gs - d, v_bs - d)
    if excess <= 0.0:
        return 0.0, 0.0, 0.0, 0.0
    longer = 1.0 + p[4] * v
    if excess <= v:
        alone, g_m, g_d = 0.5 * p[0] * excess * excess, p[0] * longer * excess, 0.0
    else:
        alone, g_m, g_d = p[0] * v * (excess - 0.5 * v), p[0] * longer * v, p[0] * longer * (excess - v)
    g_d += p[4] * alone
    g_s = g_d + g_m * (1.0 + body)
    if d < 0.0:
        return -longer * alone, g_s, g_d, -g_m
    return longer * alone, g_d, g_s, g_m


@njit(cache=True, error_model="numpy", fastmath={"contract"}, inline="always")
def _log1p(f):  # type: ignore[no-untyped-def]
    """ln(1 + f) for f from sqrt(1/2) - 1 to sqrt(2) - 1: 2 atanh(s), the series of s = f / (2 + f)."""
    s = f / (2.0 + f)
    t = s * s
    tail = 1.0 / 15.0 + t * (1.0 / 17.0 + t * (1.0 / 19.0 + t * (1.0 / 21.0 + t * (1.0 / 23.0))))
    return 2.0 * s * (1.0 + t * (1.0 / 3.0 + t * (1.0 / 5.0 + t * (1.0 / 7.0 + t * (1.0 / 9.0 + t * (1.0 / 11.0 + t * (
        1.0 / 13.0 + t * tail)))))))


@njit(cache=True, error_model="numpy", fastmath={"contract"}, inline="always")
def _decay(x):  # type: ignore[no-untyped-def]
    """e^-x for x >= 0: 2^-n times the series of the rest, which is at most ln(2) / 2."""
    x = min(x, 700.0)
    whole = np.float64(x * 1.4426950408889634 + 6755399441055744.0)  # 1.5 * 2^52 leaves no fraction: n in the last bits
    n = whole - 6755399441055744.0
    r = (n * 0.6931471803691238 - x) + n * 1.9082149292705877e-10  # ln 2 in two parts: the first times n is exact
    tail = 1 / 40320.0 + r * (1 / 362880.0 + r * (1 / 3628800.0 + r * (1 / 39916800.0 + r * (
        1 / 479001600.0 + r * (1 / 6227020800.0)))))
    series = 1.0 + r * (1.0 + r * (0.5 + r * (1 / 6.0 + r * (1 / 24.0 + r * (1 / 120.0 + r * (1 / 720.0 + r * (
        1 / 5040.0 + r * tail)))))))
    return series * np.int64((np.int64(1023) - whole.view(np.int64)) << np.int64(52)).view(np.float64)


@njit(cache=True, error_model="numpy", fastmath={"contract"}, inline="always")
def _soft(x):  # type: ignore[no-untyped-def]
    """ln(1 + e^x) and its slope 1 / (1 + e^-x), without a branch or a call: side by side these become SIMD."""
    e = _decay(abs(x))
    upper = e > 0.41421356237309503
    low = _log1p(0.5 * (e - 1.0) if upper else e)
    return max(x, 0.0) + (low + (0.6931471805599453 if upper else 0.0)), (1.0 if x > 0.0 else e) / (1.0 + e)


@njit(cache=True, error_model="numpy", fastmath={"contract"}, inline="always")
def _pinched(p, v_gs, v_bs):  # type: ignore[no-untyped-def]
    """EKV, whatever the drain does: 2 n beta U_T^2, x = (v_p - v_s) / (2 U_T), ln(1 + e^x), its slope, dv_p/dv_g, d ln n/dv_g."""
    gamma, phi, u_t = p[2], p[3], p[5]
    gate = v_gs - v_bs - p[1] + phi + gamma * math.sqrt(phi)
    root = math.sqrt(max(gate, 0.0) + 0.25 * gamma * gamma)
    q = root - 0.5 * gamma if gate > 0.0 else 0.0  # sqrt(v_p + phi)
    dq = 0.5 / root if gate > 0.0 else 0.0         # its slope in the gate voltage
    pinch = gate - phi - gamma * q if gate > 0.0 else -phi
    wide = q * q + 4.0 * u_t
    half = 0.5 * gamma / math.sqrt(wide)
    n = 1.0 + half
    a = (pinch + v_bs) / (2.0 * u_t)
    soft, slope = _soft(a)
    return 2.0 * n * p[0] * u_t * u_t, a, soft, slope, 2.0 * q * dq, -half * q * dq / wide / n


@njit(cache=True, error_model="numpy", inline="always")
def _at_source(kind, p, v_gs, v_bs):  # type: ignore[no-untyped-def]
    """What a transistor's law makes of gate and body, whatever the drain does: six numbers, `_overdrive` first, or `_pinched`."""
    if kind == LEVEL1:
        excess, body = _overdrive(p, v_gs, v_bs)
        return excess, body, 0.0, 0.0, 0.0, 0.0
    if kind == EKV:
        return _pinched(p, v_gs, v_bs)
    return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0


@njit(cache=True, error_model="numpy", fastmath={"contract"}, inline="always")
def _ekv(p, at_source, d):  # type: ignore[no-untyped-def]
    """As `_level1`, the smooth law.  p = (beta, V_TO, gamma, phi, lambda, U_T)."""
    unit, a, l_s, s_s, dpinch, dn = at_source
    x = d / (2.0 * p[5])
    l_d, s_d = _soft(a - x)
    near = min(max(x, -SLIGHT), SLIGHT)  # there the difference of both without cancellation, ln(1 + s_d (e^x - 1))
    rise = near * (1.0 + near * (1 / 2.0 + near * (1 / 6.0 + near * (1 / 24.0 + near * (1 / 120.0 + near * (
        1 / 720.0 + near * (1 / 5040.0 + near * (1 / 40320.0))))))))
    apart = _log1p(s_d * rise) if abs(x) < SLIGHT else l_s - l_d
    longer = 1.0 + p[4] * abs(d)
    alone = unit * apart * (l_s + l_d)
    forward, reverse = unit * l_s * s_s / p[5] * longer, unit * l_d * s_d / p[5] * longer
    extra = p[4] * abs(alone)
    return longer * alone, reverse + extra, forward + extra, (forward - reverse) * dpinch + alone * longer * dn


@njit(cache=True, error_model="numpy", inline="always")
def _exp(x):  # type: ignore[no-untyped-def]
    """e^x and its slope, a straight line from STEEP on."""
    e = math.exp(min(x, STEEP))
    return e * (1.0 + max(x - STEEP, 0.0)), e


@njit(cache=True, error_model="numpy")
def _selector(kind, p, d):  # type: ignore[no-untyped-def]
    """i, di/dd of the laws of crossbar.elements.selector."""
    if kind == DIODE:
        x = d / p[1]
        value, slope = _exp(x)
        return p[0] * (math.expm1(x) if x < STEEP else value - 1.0), p[0] * slope / p[1]
    if kind == SINH:
        x = abs(d) / p[1]
        value, slope = _exp(x)
        down = math.exp(-x)
        i = p[0] * (math.sinh(x) if x < STEEP else 0.5 * value)
        return math.copysign(i, d), 0.5 * p[0] * (slope + down) / p[1]
    x = (abs(d) - p[2]) / p[3]
    e = math.exp(-abs(x))
    on = (1.0 if x > 0.0 else e) / (1.0 + e)
    g = p[0] + (p[1] - p[0]) * on
    return g * d, g + (p[1] - p[0]) * abs(d) * e / ((1.0 + e) * (1.0 + e)) / p[3]


@njit(cache=True, error_model="numpy")
def _device(kind, p, at_source, d, v_gs, v_bs):  # type: ignore[no-untyped-def]
    """i, di/dv_d, -di/dv_s of the second device."""
    if kind == LEVEL1:
        i, g_d, g_s, _ = _level1(p, at_source, d, v_gs, v_bs)
        return i, g_d, g_s
    if kind == EKV:
        i, g_d, g_s, _ = _ekv(p, at_source, d)
        return i, g_d, g_s
    i, g_d = _selector(kind, p, d)
    return i, g_d, g_d


@njit(cache=True, error_model="numpy")
def _start(kind, junction, device, at_source, w, v_gs, v_bs):  # type: ignore[no-untyped-def]
    """A first u: an exponential law carries what the junction alone would; other devices divide w as at zero bias."""
    if kind == SINH or (kind == DIODE and w > 0.0):
        x = abs(_junction(junction, w)[0]) / device[0]
        d = device[1] * (math.asinh(x) if kind == SINH else math.log1p(x))
        return w - math.copysign(min(d, 0.5 * abs(w)), w)
    g_j, g_d = _junction(junction, 0.0)[1], _device(kind, device, at_source, 0.0, v_gs, v_bs)[1]
    return w * (g_d / (g_j + g_d)) if g_d > 0.0 else 0.0


@njit(cache=True, error_model="numpy")
def _in_series(kind, junction, device, w, v_gs, v_bs, u):  # type: ignore[no-untyped-def]
    """u, i, di/dw at the junction's end, -di/dv at the other, and whether (1) was met; u on entry: start, NaN for none."""
    low, high = min(w, 0.0), max(w, 0.0)
    if not low <= high:
        return w, w, w, w, True  # NaN
    if junction[0] == 0.0:
        return w, 0.0, 0.0, 0.0, True
    at_source = _at_source(kind, device, v_gs, v_bs)
    if kind == LEVEL1 and at_source[0] <= 0.0 and (w > 0.0 or _overdrive(device, v_gs - w, v_bs - w)[0] <= 0.0):
        return 0.0, 0.0, 0.0, 0.0, True  # off, as most of an array is
    if w == 0.0:
        g_j, (_, g_d, g_s) = _junction(junction, 0.0)[1], _device(kind, device, at_source, 0.0, v_gs, v_bs)
        total = g_j + g_d if g_d > 0.0 else 1.0
        return 0.0, 0.0, g_j * g_d / total, g_j * g_s / total, True
    if math.isnan(u):
        u = _start(kind, junction, device, at_source, w, v_gs, v_bs)
    u = min(max(u, low), high)
    before = np.inf
    for _ in range(STEPS):
        d = w - u
        i_j, g_j = _junction(junction, u)
        i_d, g_d, g_s = _device(kind, device, at_source, d, v_gs, v_bs)
        if i_d == 0.0 and d != 0.0 and _device(kind, device, at_source, w, v_gs, v_bs)[0] == 0.0:
            total = g_j + g_d
            return 0.0, 0.0, g_j * g_d / total, g_j * g_s / total, True  # off up to w, or w is next to nothing
        f, total = i_j - i_d, g_j + g_d
        misfit = abs(f)
        if misfit <= ENOUGH * min(abs(i_j), abs(i_d)) + NOISE * (abs(w) + abs(v_gs)) * g_d + NOTHING or \
                high - low <= 4e-16 * max(abs(low), abs(high)):
            if not total > 0.0:
                return u, i_j, 0.0, 0.0, True
            return u - f / total, i_j - g_j * (f / total), g_j * g_d / total, g_j * g_s / total, True
        if f > 0.0:
            high = u
        else:
            low = u
        if misfit > 0.5 * before:  # no progress
            u, before = 0.5 * (low + high), np.inf
            continue
        before = misfit
        if i_j * i_d > 0.0 and abs(i_d) > 2.0 * abs(i_j):
            u -= math.log(i_j / i_d) / (g_j / i_j + g_d / i_d)
        else:
            u -= f / total
        if not low < u < high:
            u = 0.5 * (low + high)
    return u, i_j, 0.0, 0.0, False


@njit(cache=True, inline="always")
def _at(x, i, j):  # type: ignore[no-untyped-def]
    return x[i * (x.shape[0] > 1), j * (x.shape[1] > 1)]


@njit(cache=True, inline="always")
def _rows(p, task):  # type: ignore[no-untyped-def]
    """Row `task` = b M + m of each of six parameters (1 or M or B M, 1 or N)."""
    return (p[0][task % p[0].shape[0]], p[1][task % p[1].shape[0]], p[2][task % p[2].shape[0]],
            p[3][task % p[3].shape[0]], p[4][task % p[4].shape[0]], p[5][task % p[5].shape[0]])


@njit(cache=True, inline="always")
def _six(row, n):  # type: ignore[no-untyped-def]
    """The six parameters of cell n of a row."""
    return (row[0][n * (row[0].size > 1)], row[1][n * (row[1].size > 1)], row[2][n * (row[2].size > 1)],
            row[3][n * (row[3].size > 1)], row[4][n * (row[4].size > 1)], row[5][n * (row[5].size > 1)])


@njit(cache=True, inline="always")
def _plane(x, b):  # type: ignore[no-untyped-def]
    return x[b * (x.shape[0] > 1)]


@njit(parallel=True, cache=True, error_model="numpy", fastmath={"contract"})
def junctions(p, v, i, g):  # type: ignore[no-untyped-def]
    """i, g (B, M, N) of junctions at v (B, M, N); p: six matrices, see `_junction`."""
    batch, rows, columns = v.shape
    for task in prange(batch * rows):
        b, m, row = task // rows, task % rows, _rows(p, task)
        for n in range(columns):
            i[b, m, n], g[b, m, n] = _junction(_six(row, n), v[b, m, n])


@njit(cache=True, error_model="numpy")
def transistors(kind, p, d, v_gs, v_bs, out):  # type: ignore[no-untyped-def]
    """out (4, n): i, di/dv_d, -di/dv_s, di/dv_g of transistors at d, v_gs, v_bs (n,); p: six vectors (1 or n,)."""
    for k in range(d.size):
        q = (p[0][k * (p[0].size > 1)], p[1][k * (p[1].size > 1)], p[2][k * (p[2].size > 1)],
             p[3][k * (p[3].size > 1)], p[4][k * (p[4].size > 1)], p[5][k * (p[5].size > 1)])
        at_source = _at_source(kind, q, v_gs[k], v_bs[k])
        law = _ekv(q, at_source, d[k]) if kind == EKV else _level1(q, at_source, d[k], v_gs[k], v_bs[k])
        out[0, k], out[1, k], out[2, k], out[3, k] = law


@njit(cache=True, error_model="numpy")
def selectors(kind, p, d, i, g):  # type: ignore[no-untyped-def]
    """i, g (M, N) of selectors at d (M, N); p: six matrices."""
    for m in range(d.shape[0]):
        row = _rows(p, m)
        for n in range(d.shape[1]):
            i[m, n], g[m, n] = _selector(kind, _six(row, n), d[m, n])


@njit(cache=True, inline="always")
def _laid(x, at, matrix, m, left):  # type: ignore[no-untyped-def]
    """x[at], x[at + 1], ...: row m, or the only one, of a matrix from column `left` on; past its end the last once more."""
    row = matrix[m % matrix.shape[0], left * (matrix.shape[1] > 1):]
    if row.size >= ABREAST:
        for c in range(ABREAST):
            x[at + c] = row[c]
    else:
        for c in range(ABREAST):
            x[at + c] = row[min(c, row.size - 1)]


@njit(cache=True, inline="always")
def _lane(x, at, c):  # type: ignore[no-untyped-def]
    """Six numbers of lane c."""
    return (x[at + c], x[at + ABREAST + c], x[at + 2 * ABREAST + c], x[at + 3 * ABREAST + c], x[at + 4 * ABREAST + c],
            x[at + 5 * ABREAST + c])


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _abreast(x):  # type: ignore[no-untyped-def]
    """(1) by plain Newton steps on ABREAST cells with EKV transistors, which become SIMD: a lane whose step leaves 0 to w, or
    that takes long, is not met and left to `_in_series`. x: lanes of numbers in one array, so that none may alias."""
    for c in range(ABREAST):
        x[S + c], x[S + ABREAST + c], x[S + 2 * ABREAST + c], x[S + 3 * ABREAST + c], x[S + 4 * ABREAST + c], \
            x[S + 5 * ABREAST + c] = _pinched(_lane(x, D, c), x[GATE + c], x[BODY + c])
    for c in range(ABREAST):
        g_j, g_d = _junction(_lane(x, J, c), 0.0)[1], _ekv(_lane(x, D, c), _lane(x, S, c), 0.0)[1]
        u, w, x[SLOPE + c] = x[U + c], x[W + c], g_j
        u = u if u == u else w * (g_d / (g_j + g_d))  # NaN: none yet
        x[U + c] = min(max(u, min(w, 0.0)), max(w, 0.0))
    for _ in range(QUICK):
        for c in range(ABREAST):
            u, w = x[U + c], x[W + c]
            i_j, g_j = _junction(_lane(x, J, c), u)
            i_d, g_d, g_s, _ = _ekv(_lane(x, D, c), _lane(x, S, c), w - u)
            f, total = i_j - i_d, g_j + g_d
            met = abs(f) <= ENOUGH * min(abs(i_j), abs(i_d)) + NOISE * (abs(w) + abs(x[GATE + c])) * g_d + NOTHING
            step = f / total
            after = u - step
            on = (1.0 if after >= min(w, 0.0) else 0.0) * (1.0 if after <= max(w, 0.0) else 0.0) * (0.0 if met else 1.0)
            x[MET + c] = 1.0 if met else 0.0
            x[RESULT + c] = after
            x[RESULT + ABREAST + c] = i_j - g_j * step
            x[RESULT + 2 * ABREAST + c] = g_j * g_d / total
            x[RESULT + 3 * ABREAST + c] = g_j * g_s / total
            x[ON + c] = on
            x[U + c] = after if on > 0.0 else u
        missing = 0.0
        for c in range(ABREAST):
            missing += x[ON + c]
        if missing == 0.0:
            break


@njit(cache=True, error_model="numpy")
def _row_abreast(junction, device, bulk, v, b, gate, share, keep, m, task, i, g_a, g_b, x):  # type: ignore[no-untyped-def]
    """Row m of an input of `series` with EKV transistors, as far as it is quick: i (N,) is NaN where it is not."""
    for left in range(0, i.size, ABREAST):
        for k in range(6):
            _laid(x, J + k * ABREAST, junction[k], task, left)
            _laid(x, D + k * ABREAST, device[k], task, left)
        for at, matrix in ((W, v), (BODY, b), (GATE, gate), (U, share)):
            _laid(x, at, matrix, m, left)
        for c in range(ABREAST):
            bottom = x[BODY + c]
            x[U + c] *= x[W + c]
            x[GATE + c] -= bottom
            x[BODY + c] = bulk - bottom
        _abreast(x)
        for c in range(min(ABREAST, i.size - left)):
            n = left + c
            i[n] = x[RESULT + ABREAST + c] if x[MET + c] > 0.0 and x[J + c] > 0.0 else np.nan
            g_a[n], g_b[n] = x[RESULT + 2 * ABREAST + c], x[RESULT + 3 * ABREAST + c]
        if keep:
            for c in range(min(ABREAST, i.size - left)):
                w = x[W + c]
                if i[left + c] == i[left + c]:
                    share[m, left + c] = x[RESULT + c] / w if w != 0.0 else x[RESULT + 2 * ABREAST + c] / x[SLOPE + c]


@njit(parallel=True, cache=True, error_model="numpy", fastmath={"contract"})
def series(kind, junction, device, bulk, v, v_b, gate, share, keep, i, g_a, g_b, failed):  # type: ignore[no-untyped-def]
    """Junctions from v_b + v to the inner node, second devices from there to v_b.

    junction, device : six parameters each. bulk [V], v, v_b, gate (1 or B, 1 or M, 1 or N) [V].
    share : u / v, NaN where there is no start; replaced by the result if `keep`.
    i, g_a and g_b, its slopes against both ends (B, M, N); failed (B M,): cells of each row in which (1) was not met.
    """
    batch, rows, columns = i.shape
    for task in prange(batch * rows):
        b, m = task // rows, task % rows
        w_b, b_b, gate_b, share_b = _plane(v, b), _plane(v_b, b), _plane(gate, b), _plane(share, b)
        if kind == EKV:
            _row_abreast(junction, device, bulk, w_b, b_b, gate_b, share_b, keep, m, task, i[b, m], g_a[b, m], g_b[b, m],
                         np.empty(LANES * ABREAST))
        row, row_device = _rows(junction, task), _rows(device, task)
        bad = 0
        for n in range(columns):
            if kind == EKV and i[b, m, n] == i[b, m, n]:
                continue
            w, bottom = _at(w_b, m, n), _at(b_b, m, n)
            mtj = _six(row, n)
            u, current, to_a, to_b, met = _in_series(kind, mtj, _six(row_device, n), w, _at(gate_b, m, n) - bottom, bulk - bottom,
                                                     _at(share_b, m, n) * w)
            i[b, m, n], g_a[b, m, n], g_b[b, m, n] = current, to_a, to_b
            if keep:
                g_0 = _junction(mtj, 0.0)[1]
                share_b[m, n] = u / w if w != 0.0 else to_a / g_0 if g_0 > 0.0 else 1.0
            if not met:
                bad += 1
        failed[task] = bad
