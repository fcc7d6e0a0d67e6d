"""Fokker-Planck switching probabilities tabulated once, for millions of junctions at a time.

Under a constant overdrive the probability to be switched relaxes to its equilibrium value P_eq. Written as

    P(s) = P_eq {1 - exp[-(1 + R) H(s)]},   P_eq = 1 / (1 + R),   R = equilibrium odds of z > 0 against z < 0   (1)

the cumulative hazard H is positive, grows like lambda s at last, and ln H varies smoothly over hundreds of decades of P: it is
what is interpolated, by cubics through four neighbours along each of asinh(i - 1), sqrt(Delta) and ln(s). Before the first
tabulated time H ~ s; beyond the last it continues with the slope lambda, exact for an exponential. For i < 0, where nothing
switches but by a long wait near i = 0, detailed balance gives P(-i) = P(i) R(i), once the initial density has adapted.

ln H is the limit of three grids by Richardson's extrapolation: the scheme's numerical diffusion would otherwise show in the
far tail of short, strong pulses. The table is built once, in some seconds, and kept in the user's cache folder under a name
that holds everything it depends on; a file that is missing or damaged is made anew and moved into place whole, so that
several processes may do so at the same time.
"""

import contextlib
import functools
import hashlib
import os
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import platformdirs
from numba import njit, prange
from tqdm import tqdm

from crossbar.mtj.fokker_planck import evolve

Array = npt.NDArray[np.float64]

VERSION = 1               # of the numbers: raised when equation or scheme change
I_MAX = 6.0               # the axes: overdrive from 0 to I_MAX,
DELTA = (4.0, 196.0)      # thermal stability,
S = (0.01, 300.0)         # time / tau_D,
STEP = (0.06, 1.0, 0.1)  # with these distances of asinh(i - 1), sqrt(Delta), ln(s)
CELLS = (1200, 2400)      # of the finest grid, below and above STRONG; the others have a half and a quarter
STRONG = 1.5              # overdrive
FLOOR = 1e-35             # error probabilities below are continued, not computed
LEAST = 1e-120            # and a smaller cumulative hazard is none
_FIRST = (float(np.arcsinh(-1.0)), DELTA[0] ** 0.5, float(np.log(S[0])))  # nodes 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """ln H (ni, nd, ns), and of the last time: ln R and ln lambda (ni, nd), over the axes that `_axes` gives."""

    log_hazard: Array
    log_odds: Array
    log_rate: Array

    def probabilities(self, i: npt.ArrayLike, s: npt.ArrayLike, delta: npt.ArrayLike) -> tuple[Array, Array]:
        """Probabilities to be switched and not to be, of the broadcast shape; i <= I_MAX, delta within DELTA, s >= 0."""
        shape = np.broadcast_shapes(np.shape(i), np.shape(s), np.shape(delta))
        flat = [np.ascontiguousarray(np.broadcast_to(np.asarray(x, dtype=float), shape)).ravel() for x in (i, s, delta)]
        switched, error = np.empty((2, flat[0].size))
        kernel = _interpolate_parallel if flat[0].size >= 20_000 else _interpolate
        kernel(flat[0], flat[1], flat[2], self.log_hazard, self.log_odds, self.log_rate, switched, error)
        return switched.reshape(shape), error.reshape(shape)


def _axes() -> tuple[Array, Array, Array]:
    """Nodes in asinh(i - 1), sqrt(Delta), ln(s), at distances of STEP; they reach at least to the ends of the ranges."""
    ends = (np.arcsinh([-1.0, I_MAX - 1]), np.sqrt(DELTA), np.log(S))
    first, second, third = (low + h * np.arange(int(np.ceil((high - low) / h - 1e-9)) + 1)
                            for (low, high), h in zip(ends, STEP, strict=True))
    return first, second, third


@functools.cache
def load() -> Table:
    """The table: from the cache folder, or computed and put there (a folder that cannot be written is no error)."""
    axes = repr((VERSION, I_MAX, DELTA, S, STEP, CELLS, STRONG, FLOOR, LEAST))
    name = f"fokker-planck-{hashlib.sha256(axes.encode()).hexdigest()[:16]}.npz"
    path = Path(platformdirs.user_cache_dir("crossbar", appauthor=False)) / name
    with contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return read(path)
    table = build()
    with contextlib.suppress(OSError):
        write(path, table)
    return table


def read(path: Path) -> Table:
    """A table from its file. Raises OSError, ValueError, KeyError or BadZipFile if it is not one of these axes, or damaged."""
    sizes = tuple(axis.size for axis in _axes())
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
        fields = {key: np.ascontiguousarray(data[key], dtype=float) for key in ("log_hazard", "log_odds", "log_rate")}
    shapes = [x.shape for x in fields.values()]
    if shapes != [sizes, sizes[:2], sizes[:2]] or not all(np.isfinite(x).all() for x in fields.values()):
        raise ValueError(f"{path} holds no table of these axes")
    return Table(**fields)


def write(path: Path, table: Table) -> None:
    """Write a table so that others see no file or the whole of it. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            np.savez(stream, log_hazard=table.log_hazard, log_odds=table.log_odds, log_rate=table.log_rate)
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(part)
        raise


def build() -> Table:
    """Solve the Fokker-Planck equation at every node of the axes."""
    x, root, log_s = _axes()
    i, delta, s = 1 + np.sinh(x), root ** 2, np.exp(log_s)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()) as pool:
        some = np.array_split(i, i.size // 4)
        done = pool.map(lambda few: _hazards(few, delta, s), some)
        parts = list(tqdm(done, total=len(some), desc="Fokker-Planck table, once", delay=1, disable=None))
    log_hazard, log_odds, log_rate = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Table(log_hazard=np.ascontiguousarray(log_hazard), log_odds=log_odds, log_rate=log_rate)


def _hazards(i: Array, delta: Array, s: Array) -> tuple[Array, Array, Array]:
    """ln H (ni, nd, ns), ln R and ln lambda (ni, nd)."""
    over, stability = (x.ravel() for x in np.meshgrid(i, delta, indexing="ij"))
    finest = CELLS[int(i.max() > STRONG)]
    levels = [evolve(over, stability, s, cells=finest // 4 * 2 ** k) for k in range(3)]
    coarse, middle, fine = (_log_hazard(e.switched, e.error, np.exp(e.log_odds)) for e in levels)
    log_h = (64 * fine - 20 * middle + coarse) / 45  # errors of second and fourth order cancel
    known = np.isfinite(log_h).cumprod(axis=0)
    last, column = known.sum(axis=0) - 1, np.arange(over.size)
    h = np.exp(np.where(known, log_h, 0.0))
    rate = (h[last, column] - h[last - 1, column]) / (s[last] - s[last - 1])
    log_h = np.where(known, log_h, np.log(h[last, column] + rate * np.maximum(s[:, None] - s[last], 0.0)))
    shape = (i.size, delta.size)
    return log_h.T.reshape(*shape, s.size), levels[-1].log_odds.reshape(shape), np.log(np.maximum(rate, LEAST)).reshape(shape)


def _log_hazard(switched: Array, error: Array, odds: Array) -> Array:
    """ln H of (1), at least LEAST; NaN where it has drowned: the error nearly at its equilibrium value, or below FLOOR."""
    ratio, rest = switched * (1 + odds), error - odds * switched
    alive = (rest > 1e-5 * error) & (error > FLOOR)
    h = np.where(ratio < 0.5, -np.log1p(-np.minimum(ratio, 0.5)), -np.log(np.where(alive, rest, 0.5)))
    return np.where(alive, np.log(np.maximum(h / (1 + odds), LEAST)), np.nan)


@njit(cache=True, error_model="numpy", inline="always")
def _stencil(x, n):  # type: ignore[no-untyped-def]
    """First of the four nodes around x (in steps from node 0, of n) and their weights in the cubic through them."""
    k = min(max(int(np.floor(x)) - 1, 0), n - 4)
    f = x - k
    a, b, c = f - 1.0, f - 2.0, f - 3.0
    return k, -a * b * c / 6.0, f * b * c / 2.0, -f * a * c / 2.0, f * a * b / 6.0


@njit(cache=True, error_model="numpy", inline="always")
def _one(i, s, delta, log_hazard, log_odds, log_rate):  # type: ignore[no-untyped-def]
    """(P, 1 - P) of one junction, (1)."""
    ni, nd, ns = log_hazard.shape
    ki, a0, a1, a2, a3 = _stencil((np.arcsinh(abs(i) - 1.0) - _FIRST[0]) / STEP[0], ni)
    kd, b0, b1, b2, b3 = _stencil((np.sqrt(delta) - _FIRST[1]) / STEP[1], nd)
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
    h, r = np.exp(y), np.exp(odds)
    if s > S[1]:
        h += np.exp(rate) * (s - S[1])
    elif s < S[0]:
        h *= s / S[0]
    h *= 1.0 + r
    switched = -np.expm1(-h) / (1.0 + r)
    if i >= 0.0:
        return switched, (r + np.exp(-h)) / (1.0 + r)
    return switched * r, 1.0 - switched * r


@njit(cache=True, error_model="numpy")
def _interpolate(i, s, delta, log_hazard, log_odds, log_rate, switched, error):  # type: ignore[no-untyped-def]
    for k in range(i.size):
        switched[k], error[k] = _one(i[k], s[k], delta[k], log_hazard, log_odds, log_rate)


@njit(cache=True, error_model="numpy", parallel=True)
def _interpolate_parallel(i, s, delta, log_hazard, log_odds, log_rate, switched, error):  # type: ignore[no-untyped-def]
    for k in prange(i.size):
        switched[k], error[k] = _one(i[k], s[k], delta[k], log_hazard, log_odds, log_rate)
