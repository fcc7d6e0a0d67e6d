"""Interpolation in the Fokker-Planck table, one junction at a time.

Along each axis runs the cubic through four neighbours. Along time, and along i up to I_MAX, where what is tabulated rises, its
slopes at both ends of an interval are limited to three times the mean slope, so that it rises too (Fritsch and Carlson, SIAM J.
Numer. Anal. 17, 238 (1980)); where the nodes resolve the curve that changes nothing.
"""

import numpy as np

from crossbar.kernel import njit, prange
from crossbar.mtj.table_axes import BACK, FIRST, I_MAX, I_MIN, S, STEP, STRONG, WEAK, last_back_time

LINE = 4096    # nodes along either sign of i for equal junctions under one pulse
LAST = last_back_time()
RARE = 1e-100  # where P is below under a current that stabilises, it stands for P


@njit(cache=True, error_model="numpy", inline="always")
def _stencil(x, n):  # type: ignore[no-untyped-def]
    """First of the four nodes around x (in steps from node 0, of n), and x from there."""
    k = min(max(int(np.floor(x)) - 1, 0), n - 4)
    return k, x - k


@njit(cache=True, error_model="numpy", inline="always")
def _weights(f):  # type: ignore[no-untyped-def]
    """Weights of the four nodes in the cubic through them, f steps after the first."""
    a, b, c = f - 1.0, f - 2.0, f - 3.0
    return -a * b * c / 6.0, f * b * c / 2.0, -f * a * c / 2.0, f * a * b / 6.0


@njit(cache=True, error_model="numpy", inline="always")
def _rising(y, f):  # type: ignore[no-untyped-def]
    """The cubic through four nodes, f steps after the first, limited so that it does not fall between two that rise."""
    y0, y1, y2, y3 = y
    if f < 1.0:
        start, end, t = y0, y1, f
        before = (-11.0 * y0 + 18.0 * y1 - 9.0 * y2 + 2.0 * y3) / 6.0
        after = (-2.0 * y0 - 3.0 * y1 + 6.0 * y2 - y3) / 6.0
    elif f < 2.0:
        start, end, t = y1, y2, f - 1.0
        before = (-2.0 * y0 - 3.0 * y1 + 6.0 * y2 - y3) / 6.0
        after = (y0 - 6.0 * y1 + 3.0 * y2 + 2.0 * y3) / 6.0
    else:
        start, end, t = y2, y3, f - 2.0
        before = (y0 - 6.0 * y1 + 3.0 * y2 + 2.0 * y3) / 6.0
        after = (-2.0 * y0 + 9.0 * y1 - 18.0 * y2 + 11.0 * y3) / 6.0
    rise = end - start
    most = 3.0 * max(rise, 0.0)
    before = min(max(before, 0.0), most)
    after = min(max(after, 0.0), most)
    return start + t * (before + t * (3.0 * rise - 2.0 * before - after + t * (before + after - 2.0 * rise)))


@njit(cache=True, error_model="numpy", inline="always")
def _log_time(s, n):  # type: ignore[no-untyped-def]
    """Stencil of n nodes around ln(s)."""
    return _stencil((np.log(min(max(s, S[0]), S[1])) - FIRST[2]) / STEP[2], n)


@njit(cache=True, error_model="numpy", inline="always")
def _along_time(table, row, kd, b, ks):  # type: ignore[no-untyped-def]
    """The four values around a time of one row in i, interpolated in Delta."""
    y0, y1, y2, y3 = 0.0, 0.0, 0.0, 0.0
    for n in range(4):
        nodes = table[row, kd + n]
        y0 += b[n] * nodes[ks]
        y1 += b[n] * nodes[ks + 1]
        y2 += b[n] * nodes[ks + 2]
        y3 += b[n] * nodes[ks + 3]
    return y0, y1, y2, y3


@njit(cache=True, error_model="numpy", inline="always")
def _of_junction(table, ki, a, kd, b):  # type: ignore[no-untyped-def]
    """What does not depend on time, interpolated in i and Delta."""
    value = 0.0
    for m in range(4):
        for n in range(4):
            value += a[m] * b[n] * table[ki + m, kd + n]
    return value


@njit(cache=True, error_model="numpy")
def _one(i, s, delta, log_hazard, log_odds, log_rate, log_against):  # type: ignore[no-untyped-def]
    """(P, 1 - P) of one junction, (1) or (2) of `crossbar.mtj.table`."""
    kd, fd = _stencil((np.sqrt(np.sqrt(delta)) - FIRST[1]) / STEP[1], log_hazard.shape[1])
    b = _weights(fd)
    if i < 0.0:
        switched = _against(max(i, I_MIN), s, kd, b, log_hazard, log_odds, log_rate, log_against)
        return switched, 1.0 - switched
    if i > I_MAX:
        h, r = _strong(min(i, 1e300) / I_MAX, s, kd, b, log_hazard, log_odds)
    else:
        h, r = _weak(i, s, kd, b, log_hazard, log_odds, log_rate)
    h *= 1.0 + r
    return -np.expm1(-h) / (1.0 + r), (r + np.exp(-h)) / (1.0 + r)


@njit(cache=True, error_model="numpy", inline="always")
def _weak(i, s, kd, b, log_hazard, log_odds, log_rate):  # type: ignore[no-untyped-def]
    """H and R at 0 <= i <= I_MAX."""
    ki, fi = _stencil((np.arcsinh(i - 1.0) - FIRST[0]) / STEP[0], WEAK)
    a = _weights(fi)
    ks, fs = _log_time(s, log_hazard.shape[2])
    # Far below what anybody looks at nodes in order may lose it where they are interpolated.
    y0 = _rising(_along_time(log_hazard, ki, kd, b, ks), fs)
    y1 = max(_rising(_along_time(log_hazard, ki + 1, kd, b, ks), fs), y0)
    y2 = max(_rising(_along_time(log_hazard, ki + 2, kd, b, ks), fs), y1)
    y3 = max(_rising(_along_time(log_hazard, ki + 3, kd, b, ks), fs), y2)
    h = np.exp(_rising((y0, y1, y2, y3), fi))
    if s > S[1]:
        h += np.exp(_of_junction(log_rate, ki, a, kd, b)) * (s - S[1])
    elif s < S[0]:
        h *= s / S[0]
    return h, np.exp(_of_junction(log_odds, ki, a, kd, b))


@njit(cache=True, error_model="numpy", inline="always")
def _strong(scale, s, kd, b, log_hazard, log_odds):  # type: ignore[no-untyped-def]
    """H and R at i = scale I_MAX, scale >= 1."""
    ki, fi = _stencil((1.0 - 1.0 / scale) * (STRONG - 1.0), STRONG)
    ki += WEAK - 1
    a = _weights(fi)
    s *= scale
    ks, fs = _log_time(s, log_hazard.shape[2])
    y = 0.0
    for m in range(4):
        y += a[m] * _rising(_along_time(log_hazard, ki + m, kd, b, ks), fs)
    h = np.exp(y)
    if s < S[0]:
        h *= s / S[0]
    return h, np.exp(scale * _of_junction(log_odds, ki, a, kd, b))


@njit(cache=True, error_model="numpy", inline="always")
def _against(i, s, kd, b, log_hazard, log_odds, log_rate, log_against):  # type: ignore[no-untyped-def]
    """P at I_MIN <= i < 0."""
    now = min(s, LAST)
    ks, fs = _log_time(now, log_hazard.shape[2])
    h = np.exp(_rising(_along_time(log_hazard, 0, kd, b, ks), fs))
    if now < S[0]:
        h *= now / S[0]
    at_rest = -np.expm1(-2.0 * h) / 2.0
    ks, fs = _log_time(now, log_against.shape[2])
    ki, fi = _stencil(np.arcsinh(-BACK[0] * i) / BACK[1], log_against.shape[0])
    c = _weights(fs)
    # The same; here the order is the other way round.
    y0 = -_cubic(c, _along_time(log_against, ki, kd, b, ks))
    y1 = max(-_cubic(c, _along_time(log_against, ki + 1, kd, b, ks)), y0)
    y2 = max(-_cubic(c, _along_time(log_against, ki + 2, kd, b, ks)), y1)
    y3 = max(-_cubic(c, _along_time(log_against, ki + 3, kd, b, ks)), y2)
    switched = max(at_rest * np.exp(-_rising((y0, y1, y2, y3), fi)), min(at_rest, RARE))
    if s <= LAST:
        return switched
    # From here on it relaxes to its equilibrium. At i = 0 that would be P within 1e-3: the ratio joins both sides of 0.
    ki, fi = _stencil((np.arcsinh(-i - 1.0) - FIRST[0]) / STEP[0], WEAK)
    a = _weights(fi)
    r = np.exp(_of_junction(log_odds, ki, a, kd, b))
    passed = (1.0 + r) * np.exp(_of_junction(log_rate, ki, a, kd, b)) * (s - LAST)
    relaxed = switched * np.exp(-passed) - r / (1.0 + r) * np.expm1(-passed)
    rate = np.exp(_of_junction(log_rate, 0, (1.0, 0.0, 0.0, 0.0), kd, b))
    passed = 2.0 * rate * (s - LAST)
    relaxed_at_rest = at_rest * np.exp(-passed) - 0.5 * np.expm1(-passed)
    ks, fs = _log_time(s, log_hazard.shape[2])
    h = np.exp(_rising(_along_time(log_hazard, 0, kd, b, ks), fs))
    if s > S[1]:
        h += rate * (s - S[1])
    return relaxed * (-np.expm1(-2.0 * h) / 2.0 / relaxed_at_rest)


@njit(cache=True, error_model="numpy", inline="always")
def _cubic(c, values):  # type: ignore[no-untyped-def]
    """Between the four values of `_along_time`, with weights c."""
    return c[0] * values[0] + c[1] * values[1] + c[2] * values[2] + c[3] * values[3]


@njit(cache=True, error_model="numpy")
def interpolate(i, s, delta, log_hazard, log_odds, log_rate, log_against, switched, error):  # type: ignore[no-untyped-def]
    """P and 1 - P of junctions (n,), in place."""
    for k in range(i.size):
        switched[k], error[k] = _one(i[k], s[k], delta[k], log_hazard, log_odds, log_rate, log_against)


@njit(cache=True, error_model="numpy", parallel=True)
def interpolate_parallel(i, s, delta, log_hazard, log_odds, log_rate, log_against, switched, error):  # type: ignore
    """`interpolate` on all threads."""
    for k in prange(i.size):
        switched[k], error[k] = _one(i[k], s[k], delta[k], log_hazard, log_odds, log_rate, log_against)


@njit(cache=True, error_model="numpy", inline="always")
def _one_along(i, logs):  # type: ignore[no-untyped-def]
    """(P, 1 - P) between nodes along i; logs (2, 2, LINE) of P and 1 - P, below and above 0. The smaller is interpolated."""
    side = 1 if i >= 0.0 else 0
    place = i * ((LINE - 1) / I_MAX) if side else (max(i, I_MIN) - I_MIN) * ((LINE - 1) / -I_MIN)
    k, f = _stencil(min(place, LINE - 1.0), LINE)
    if logs[0, side, k + 1] < logs[1, side, k + 1]:
        row = logs[0, side]
        smaller = np.exp(_rising((row[k], row[k + 1], row[k + 2], row[k + 3]), f))
        return smaller, 1.0 - smaller
    row = logs[1, side]
    smaller = np.exp(-_rising((-row[k], -row[k + 1], -row[k + 2], -row[k + 3]), f))
    return 1.0 - smaller, smaller


@njit(cache=True, error_model="numpy")
def interpolate_along(i, logs, switched, error):  # type: ignore[no-untyped-def]
    """P and 1 - P of equal junctions (n,) under one pulse, i <= I_MAX, in place."""
    for k in range(i.size):
        switched[k], error[k] = _one_along(i[k], logs)


@njit(cache=True, error_model="numpy", parallel=True)
def interpolate_along_parallel(i, logs, switched, error):  # type: ignore[no-untyped-def]
    """`interpolate_along` on all threads."""
    for k in prange(i.size):
        switched[k], error[k] = _one_along(i[k], logs)
