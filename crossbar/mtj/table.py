"""Fokker-Planck switching probabilities tabulated once, for millions of junctions at a time.

Under a constant overdrive the probability to be switched relaxes to its equilibrium value P_eq. Written as

    P(s) = P_eq {1 - exp[-(1 + R) H(s)]},   P_eq = 1 / (1 + R),   R = equilibrium odds of z > 0 against z < 0   (1)

the cumulative hazard H is positive, grows like lambda s at last, and ln H varies smoothly over hundreds of decades of P: it is
what is interpolated, by cubics through four neighbours along each of asinh(i - 1), Delta^(1/4) and ln(s). Before the first
tabulated time H ~ s; beyond the last it continues with the slope lambda, exact for an exponential. A current that stabilises
has detailed balance, and of the initial density what lies nearer to the saddle than under the current it would:

    P(-i) = P(i) R(i) + E(i),   i > 0                                                                                (2)

The excess E > 0 soon reaches a maximum, then a level, and leaves with exp[-(1 + R) lambda s] at last. ln(E / i) is tabulated
in the same way, along asinh(4 i). Below I_MIN the P of I_MIN is an upper bound.

ln H is the limit of three grids by Richardson's extrapolation: the scheme's numerical diffusion would otherwise show in the
far tail of short, strong pulses. The table is built once, in some seconds, and kept in the user's cache folder under a name
that holds everything it depends on; a file that is missing or damaged is made anew and moved into place whole, so that
several processes may do so at the same time.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from crossbar import storage
from crossbar.kernel import njit, prange
from crossbar.mtj.fokker_planck import Evolution, cumulative_hazard, evolve

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

VERSION = 2               # of the numbers: raised when equation or scheme change
I_MAX, I_MIN = 6.0, -2.0  # the axes: overdrive, below I_MIN that of I_MIN,
DELTA = (1.0, 400.0)      # thermal stability,
S = (0.01, 300.0)         # time / tau_D,
STEP = (0.043, 0.151, 0.1)  # with these distances of asinh(i - 1), Delta^(1/4), ln(s),
BACK = (4.0, 0.14)        # and for the excess of asinh(4 |i|)
NEAR = 3e-3               # |i| that stands for 0 there
CELLS, PECLET = 600, 0.8  # at least, Delta i pi / cells at most, of the finest grid; the others have a half and a quarter
PACE, STRONG = 2.0, 1.1    # time steps that much longer where i is below STRONG, where no steep front must be followed
FLOOR = 1e-35             # error probabilities below are continued, not computed
LINE = 4096               # nodes along either sign of i for equal junctions under one pulse
LEAST = 1e-200            # and a smaller cumulative hazard, or excess over |i|, is none
_FIRST = (float(np.arcsinh(-1.0)), DELTA[0] ** 0.25, float(np.log(S[0])))  # nodes 0


def _axes() -> tuple[Array, Array, Array]:
    """Nodes in i >= 0, Delta and s, at distances of STEP; they reach at least to the ends of the ranges."""
    ends = (np.arcsinh([-1.0, I_MAX - 1]), np.power(DELTA, 0.25), np.log(S))
    x, root, log_s = (low + h * np.arange(int(np.ceil((high - low) / h - 1e-9)) + 1)
                      for (low, high), h in zip(ends, STEP, strict=True))
    return 1 + np.sinh(x), root ** 4, np.exp(log_s)


def _back() -> Array:
    """Nodes in |i| of the excess."""
    last = int(np.ceil(np.arcsinh(-BACK[0] * I_MIN) / BACK[1] - 1e-9))
    return np.sinh(BACK[1] * np.arange(last + 1)) / BACK[0]


def _none() -> Array:
    """ln of no excess."""
    return np.full((_back().size, *(axis.size for axis in _axes()[1:])), np.log(LEAST))


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """ln H (ni, nd, ns), ln R and ln lambda (ni, nd), over the axes of `_axes`; ln(E / |i|) (nb, nd, ns), none unless given."""

    log_hazard: Array
    log_odds: Array
    log_rate: Array
    log_excess: Array = field(default_factory=_none)

    def probabilities(self, i: npt.ArrayLike, s: npt.ArrayLike, delta: npt.ArrayLike, *,
                      quick: bool = False) -> tuple[Array, Array]:
        """Probabilities to be switched and not to be, of the broadcast shape; i <= I_MAX, delta within DELTA, s >= 0.

        quick : tabulate once more along i where many equal junctions see one pulse, right to some 1e-4 of the others' values.
        """
        shape = np.broadcast_shapes(np.shape(i), np.shape(s), np.shape(delta))
        if quick and np.size(s) == np.size(delta) == 1 and np.size(i) > LINE:
            return self._at(float(np.ravel(s)[0]), float(np.ravel(delta)[0]), np.broadcast_to(np.asarray(i, dtype=float), shape))
        flat = [np.ascontiguousarray(np.broadcast_to(np.asarray(x, dtype=float), shape)).ravel() for x in (i, s, delta)]
        switched, error = np.empty((2, flat[0].size))
        kernel = _interpolate_parallel if flat[0].size >= 20_000 else _interpolate
        kernel(flat[0], flat[1], flat[2], self.log_hazard, self.log_odds, self.log_rate, self.log_excess, switched, error)
        return switched.reshape(shape), error.reshape(shape)

    def _at(self, s: float, delta: float, i: Array) -> tuple[Array, Array]:
        """The same for many overdrives under one pulse on equal junctions."""
        switched, error = np.empty((2, i.size))
        kernel = _along_parallel if i.size >= 20_000 else _along
        kernel(np.ascontiguousarray(i).ravel(), _logs(self, s, delta), switched, error)
        return switched.reshape(i.shape), error.reshape(i.shape)


@functools.cache
def load() -> Table:
    """The table: from the cache folder, or computed and put there; a folder that cannot be written is no error, see `storage`."""
    axes = repr((VERSION, I_MAX, I_MIN, DELTA, S, STEP, BACK, NEAR, CELLS, PECLET, PACE, STRONG, FLOOR, LEAST))
    name = f"fokker-planck-{hashlib.sha256(axes.encode()).hexdigest()[:16]}.npz"
    return storage.recall(storage.folder() / name, "the table of switching probabilities", read=read, make=build, write=write)


def read(path: Path) -> Table:
    """A table from its file. Raises an Exception of some kind if it is not one of these axes, or damaged."""
    sizes = tuple(axis.size for axis in _axes())
    wanted = {"log_hazard": sizes, "log_odds": sizes[:2], "log_rate": sizes[:2], "log_excess": (_back().size, *sizes[1:])}
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
        fields = {key: np.ascontiguousarray(data[key], dtype=float) for key in wanted}
    if not all(fields[key].shape == shape and np.isfinite(fields[key]).all() for key, shape in wanted.items()):
        raise ValueError(f"{path} holds no table of these axes")
    return Table(**fields)


def write(path: Path, table: Table) -> None:
    """Write a table so that others see no file or the whole of it. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            np.savez(stream, log_hazard=table.log_hazard, log_odds=table.log_odds, log_rate=table.log_rate,
                     log_excess=table.log_excess)
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(part)
        raise


def build() -> Table:
    """Solve the Fokker-Planck equation at every node of the axes."""
    i, delta, s = _axes()
    back = _back()
    hazard, odds, rate = np.empty((i.size, delta.size, s.size)), np.empty((i.size, delta.size)), np.empty((i.size, delta.size))
    excess = _none()

    def solve(part: tuple[bool, Rows, Rows]) -> None:
        forward, rows, columns = part
        at = np.ix_(rows, columns)
        if forward:
            hazard[at], odds[at], rate[at] = _hazards(i[rows], delta[columns], s)
        else:
            excess[at] = _excess(back[rows], delta[columns], s)

    parts = [(forward, rows, columns) for forward, n in ((True, i.size), (False, back.size))  # of 32 junctions, as `evolve` likes
             for rows in _parts(n, 8 if forward else 4)[::-1] for columns in _parts(delta.size, 4)[::-1]]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()) as pool:
        for _ in tqdm(pool.map(solve, parts), total=len(parts), desc="Fokker-Planck table, once", delay=1, disable=None):
            pass
    return Table(log_hazard=hazard, log_odds=odds, log_rate=rate, log_excess=excess)


def _parts(n: int, size: int) -> list[Rows]:
    return np.array_split(np.arange(n), -(-n // size))


def _levels(i: Array, delta: Array, s: Array) -> tuple[Array, list[Evolution]]:
    """Overdrives of the junctions (ni nd), and their evolutions on three grids."""
    over, stability = (x.ravel() for x in np.meshgrid(i, delta, indexing="ij"))
    least = max(CELLS, np.pi / PECLET * i.max() * delta.max())
    pace = PACE if i.max() < STRONG else 1.0
    return over, [evolve(over, stability, s, cells=2 * int(np.ceil(least / 8)) * 2 ** k, step=pace) for k in range(3)]


def _from_above(logs: list[Array], log_s: Array) -> Array:
    """The limit (ns, n) by Richardson, where errors of second and fourth order cancel; before the three agree, a power of s.

    The first are the times when less than rounding has arrived, far below what anybody looks at.
    """
    coarse, middle, fine = logs
    limit = (64 * fine - 20 * middle + coarse) / 45
    lost = (np.minimum(np.minimum(coarse, middle), fine) <= np.log(LEAST)) | (np.abs(limit - fine) > 3)
    start = np.where(lost.any(axis=0), lost.shape[0] - lost[::-1].argmax(axis=0), 0)  # after the last
    first, column = np.minimum(start, log_s.size - 2), np.arange(limit.shape[1])
    power = (limit[first + 1, column] - limit[first, column]) / (log_s[first + 1] - log_s[first])
    early = limit[first, column] + np.where(power > 0, power, 0.0) * (log_s[:, None] - log_s[first])
    early = np.where(start > first, np.log(LEAST), np.maximum(early, np.log(LEAST)))
    return np.where(np.arange(log_s.size)[:, None] < first, early, limit)


def _hazards(i: Array, delta: Array, s: Array) -> tuple[Array, Array, Array]:
    """ln H (ni, nd, ns), ln R and ln lambda (ni, nd)."""
    over, levels = _levels(i, delta, s)
    log_h = _from_above([_log_hazard(e.switched, e.error, np.exp(e.log_odds)) for e in levels], np.log(s))
    known = np.isfinite(log_h).cumprod(axis=0)
    last, column = known.sum(axis=0) - 1, np.arange(over.size)
    h = np.exp(np.where(known, log_h, 0.0))
    rate = (h[last, column] - h[last - 1, column]) / (s[last] - s[last - 1])
    log_h = np.where(known, log_h, np.log(h[last, column] + rate * np.maximum(s[:, None] - s[last], 0.0)))
    shape = (i.size, delta.size)
    return log_h.T.reshape(*shape, s.size), levels[-1].log_odds.reshape(shape), np.log(np.maximum(rate, LEAST)).reshape(shape)


def _excess(back: Array, delta: Array, s: Array) -> Array:
    """ln(E / |i|) (nb, nd, ns) of (2)."""
    size = np.maximum(back, NEAR)
    _, levels = _levels(np.concatenate((-size, size)), delta, s)
    log_odds = levels[-1].log_odds[size.size * delta.size:]
    limit = _from_above([np.log(np.maximum(e.switched, LEAST)) for e in levels], np.log(s))
    against, along = np.split(limit, 2, axis=1)
    share = -np.expm1(np.minimum(along + log_odds - against, 0.0))  # of the excess in P
    known = (share > 2e-4).cumprod(axis=0)
    last, column = np.maximum(known.sum(axis=0) - 1, 1), np.arange(log_odds.size)
    log_e = against + np.log(np.maximum(share, 1e-4))
    slope = np.minimum(log_e[last, column] - log_e[last - 1, column], 0.0) / (s[last] - s[last - 1])
    log_e = np.where(np.arange(s.size)[:, None] <= last, log_e, log_e[last, column] + slope * (s[:, None] - s[last]))
    log_e = np.maximum(log_e, against - 16.0)  # which nobody sees, and smooth
    log_e -= np.log(np.repeat(size, delta.size)) + np.where(np.repeat(back, delta.size) < NEAR, log_odds / 2, 0.0)  # even in i
    return np.maximum(log_e, np.log(LEAST)).T.reshape(back.size, delta.size, s.size)


def _log_hazard(switched: Array, error: Array, odds: Array) -> Array:
    """ln H of (1), at least LEAST; NaN where it has drowned: the error nearly at its equilibrium value, or below FLOOR."""
    ratio, rest = switched * (1 + odds), error - odds * switched
    alive = (rest > 1e-5 * error) & (error > FLOOR)
    h = cumulative_hazard(ratio, rest)
    return np.where(alive, np.log(np.maximum(h / (1 + odds), LEAST)), np.nan)


@njit(cache=True, error_model="numpy", inline="always")
def _stencil(x, n):  # type: ignore[no-untyped-def]
    """First of the four nodes around x (in steps from node 0, of n) and their weights in the cubic through them."""
    k = min(max(int(np.floor(x)) - 1, 0), n - 4)
    f = x - k
    a, b, c = f - 1.0, f - 2.0, f - 3.0
    return k, -a * b * c / 6.0, f * b * c / 2.0, -f * a * c / 2.0, f * a * b / 6.0


@njit(cache=True, error_model="numpy", inline="always")
def _one(i, s, delta, log_hazard, log_odds, log_rate, log_excess):  # type: ignore[no-untyped-def]
    """(P, 1 - P) of one junction, (1) or (2)."""
    ni, nd, ns = log_hazard.shape
    i = max(i, I_MIN)
    ki, a0, a1, a2, a3 = _stencil((np.arcsinh(abs(i) - 1.0) - _FIRST[0]) / STEP[0], ni)
    kd, b0, b1, b2, b3 = _stencil((np.sqrt(np.sqrt(delta)) - _FIRST[1]) / STEP[1], nd)
    inside = min(max(s, S[0]), S[1])
    ks, c0, c1, c2, c3 = _stencil((np.log(inside) - _FIRST[2]) / STEP[2], ns)
    y, odds, rate = 0.0, 0.0, 0.0
    for m in range(4):
        a = a0 if m == 0 else a1 if m == 1 else a2 if m == 2 else a3
        for n in range(4):
            w = a * (b0 if n == 0 else b1 if n == 1 else b2 if n == 2 else b3)
            row = log_hazard[ki + m, kd + n]
            y += w * (c0 * row[ks] + c1 * row[ks + 1] + c2 * row[ks + 2] + c3 * row[ks + 3])
            odds += w * log_odds[ki + m, kd + n]
            if s > S[1]:
                rate += w * log_rate[ki + m, kd + n]
    h, r, more = np.exp(y), np.exp(odds), 0.0
    if s > S[1]:
        more = np.exp(rate) * (s - S[1])
        h += more
    elif s < S[0]:
        h *= s / S[0]
    h *= 1.0 + r
    switched = -np.expm1(-h) / (1.0 + r)
    if i >= 0.0:
        return switched, (r + np.exp(-h)) / (1.0 + r)
    log_e = _log_excess(-i, kd, b0, b1, b2, b3, ks, c0, c1, c2, c3, log_excess)
    switched = r * switched - i * np.exp(log_e - (1.0 + r) * more) * min(s / S[0], 1.0)
    return switched, 1.0 - switched


@njit(cache=True, error_model="numpy")
def _log_excess(i, kd, b0, b1, b2, b3, ks, c0, c1, c2, c3, log_excess):  # type: ignore[no-untyped-def]
    """ln(E / |i|) of (2), given the stencils in Delta and s."""
    k, a0, a1, a2, a3 = _stencil(np.arcsinh(BACK[0] * i) / BACK[1], log_excess.shape[0])
    y = 0.0
    for m in range(4):
        a = a0 if m == 0 else a1 if m == 1 else a2 if m == 2 else a3
        for n in range(4):
            row = log_excess[k + m, kd + n]
            w = a * (b0 if n == 0 else b1 if n == 1 else b2 if n == 2 else b3)
            y += w * (c0 * row[ks] + c1 * row[ks + 1] + c2 * row[ks + 2] + c3 * row[ks + 3])
    return y


@njit(cache=True, error_model="numpy")
def _interpolate(i, s, delta, log_hazard, log_odds, log_rate, log_excess, switched, error):  # type: ignore[no-untyped-def]
    for k in range(i.size):
        switched[k], error[k] = _one(i[k], s[k], delta[k], log_hazard, log_odds, log_rate, log_excess)


@njit(cache=True, error_model="numpy", parallel=True)
def _interpolate_parallel(i, s, delta, log_hazard, log_odds, log_rate, log_excess, switched, error):  # type: ignore
    for k in prange(i.size):
        switched[k], error[k] = _one(i[k], s[k], delta[k], log_hazard, log_odds, log_rate, log_excess)


@functools.lru_cache(maxsize=8)
def _logs(table: Table, s: float, delta: float) -> Array:
    """ln P and ln(1 - P), (2, 2, LINE): at nodes in i from I_MIN to 0 and from 0 to I_MAX, for (2) meets (1) with a kink."""
    i = np.concatenate((np.linspace(I_MIN, -1e-12, LINE), np.linspace(0.0, I_MAX, LINE)))
    both = table.probabilities(i, np.full(i.shape, s), np.full(i.shape, delta))
    return np.log(np.maximum(both, 1e-300)).reshape(2, 2, LINE)


@njit(cache=True, error_model="numpy", inline="always")
def _one_along(i, logs):  # type: ignore[no-untyped-def]
    """(P, 1 - P) by cubics through the nodes of `_logs`; the smaller of the two is interpolated."""
    side = 1 if i >= 0.0 else 0
    place = i * ((LINE - 1) / I_MAX) if side else (max(i, I_MIN) - I_MIN) * ((LINE - 1) / -I_MIN)
    k, a0, a1, a2, a3 = _stencil(min(place, LINE - 1.0), LINE)
    which = 0 if logs[0, side, k + 1] < logs[1, side, k + 1] else 1
    row = logs[which, side]
    smaller = np.exp(a0 * row[k] + a1 * row[k + 1] + a2 * row[k + 2] + a3 * row[k + 3])
    if which == 0:
        return smaller, 1.0 - smaller
    return 1.0 - smaller, smaller


@njit(cache=True, error_model="numpy")
def _along(i, logs, switched, error):  # type: ignore[no-untyped-def]
    for k in range(i.size):
        switched[k], error[k] = _one_along(i[k], logs)


@njit(cache=True, error_model="numpy", parallel=True)
def _along_parallel(i, logs, switched, error):  # type: ignore[no-untyped-def]
    for k in prange(i.size):
        switched[k], error[k] = _one_along(i[k], logs)
