"""Fokker-Planck switching probabilities tabulated once, for millions of junctions at a time.

Under a constant overdrive the probability to be switched relaxes to its equilibrium value P_eq. Written as

    P(s) = P_eq {1 - exp[-(1 + R) H(s)]},   P_eq = 1 / (1 + R),   R = equilibrium odds of z > 0 against z < 0   (1)

the cumulative hazard H is positive, grows like lambda s at last, and ln H varies smoothly over hundreds of decades of P: it is
what is interpolated, by cubics through four neighbours along each of asinh(i - 1), Delta^(1/4) and ln(s). Before the first
tabulated time H ~ s; beyond the last it continues with the slope lambda, exact for an exponential. Above I_MAX the axes are 1 / i
and ln(i s), and end at the limit of infinite overdrive (crossbar.mtj.table_axes). H rises with i and s between the nodes as it
does at them (crossbar.mtj.table_kernels), so P never falls as a voltage or a width rises.

For a current that stabilises, ln[P(-|i|, s) / P(0, s)] is tabulated along asinh(4 i) up to the time s_1 = 8 when the well is
at rest; then P relaxes to the equilibrium of detailed balance,

    P(-i, s) = P(-i, s_1) q + R / (1 + R) (1 - q),   q = exp[-(1 + R) lambda (s - s_1)],   R and lambda at i > 0            (2)

Below I_MIN the P of I_MIN is an upper bound.

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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from crossbar import storage
from crossbar.mtj import table_kernels
from crossbar.mtj.fokker_planck import Evolution, cumulative_hazard, evolve
from crossbar.mtj.table_axes import (BACK, BACK_TIMES, DELTA, I_MAX, I_MIN, LEAST, S, STEP, STRONG, WEAK, back_nodes,
                                     log_hazard_of_the_flow, nodes)
from crossbar.mtj.table_kernels import LINE

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
Job = Callable[[], None]

VERSION = 3               # of the numbers: raised when equation or scheme change
CELLS, PECLET = 600, 0.8  # at least, Delta i pi / cells at most, of the finest grid; the others have a half and a quarter
PACE, FRONT = 2.0, 1.1     # time steps that much longer where i is below FRONT, where no steep front must be followed
FLOOR = 1e-35             # error probabilities below are continued, not computed


def _none() -> Array:
    """ln of a ratio that is 1."""
    return np.zeros((back_nodes().size, nodes()[1].size, BACK_TIMES))


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """ln H (ni, nd, ns), ln R and ln lambda (ni, nd), over the axes of `nodes`; ln[P(-|i|) / P(0)] (nb, nd, n1), 0 unless given.

    Above I_MAX ln R stands divided by i / I_MAX, which has a limit.
    """

    log_hazard: Array
    log_odds: Array
    log_rate: Array
    log_against: Array = field(default_factory=_none)

    def probabilities(self, i: npt.ArrayLike, s: npt.ArrayLike, delta: npt.ArrayLike, *,
                      quick: bool = False) -> tuple[Array, Array]:
        """Probabilities to be switched and not to be, of the broadcast shape; delta within DELTA, s >= 0.

        quick : tabulate once more along i where many equal junctions see one pulse, right to some 1e-4 of the others' values.
        """
        shape = np.broadcast_shapes(np.shape(i), np.shape(s), np.shape(delta))
        if quick and np.size(s) == np.size(delta) == 1 and np.size(i) > LINE:
            return self._at(float(np.ravel(s)[0]), float(np.ravel(delta)[0]), np.broadcast_to(np.asarray(i, dtype=float), shape))
        flat = [np.ascontiguousarray(np.broadcast_to(np.asarray(x, dtype=float), shape)).ravel() for x in (i, s, delta)]
        switched, error = np.empty((2, flat[0].size))
        kernel = table_kernels.interpolate_parallel if flat[0].size >= 20_000 else table_kernels.interpolate
        kernel(flat[0], flat[1], flat[2], self.log_hazard, self.log_odds, self.log_rate, self.log_against, switched, error)
        return switched.reshape(shape), error.reshape(shape)

    def _at(self, s: float, delta: float, i: Array) -> tuple[Array, Array]:
        """The same for many overdrives under one pulse on equal junctions."""
        switched, error = np.empty((2, i.size))
        kernel = table_kernels.interpolate_along
        if i.size >= 20_000:
            kernel = table_kernels.interpolate_along_parallel
        overdrives = np.ascontiguousarray(i).ravel()
        kernel(overdrives, _logs(self, s, delta), switched, error)
        strong = np.flatnonzero(overdrives > I_MAX)  # beyond those nodes
        if strong.size:
            some = np.full((2, strong.size), [[s], [delta]])
            switched[strong], error[strong] = self.probabilities(overdrives[strong], *some)
        return switched.reshape(i.shape), error.reshape(i.shape)


@functools.cache
def load() -> Table:
    """The table: from the cache folder, or computed and put there; a folder that cannot be written is no error, see `storage`."""
    axes = repr((VERSION, I_MAX, I_MIN, DELTA, S, WEAK, STRONG, STEP, BACK, BACK_TIMES, CELLS, PECLET, PACE, FRONT, FLOOR, LEAST))
    name = f"fokker-planck-{hashlib.sha256(axes.encode()).hexdigest()[:16]}.npz"
    return storage.recall(storage.folder() / name, "the table of switching probabilities", read=read, make=build, write=write)


def read(path: Path) -> Table:
    """A table from its file. Raises an Exception of some kind if it is not one of these axes, or damaged."""
    sizes = tuple(axis.size for axis in nodes())
    against = (back_nodes().size, sizes[1], BACK_TIMES)
    wanted = {"log_hazard": sizes, "log_odds": sizes[:2], "log_rate": sizes[:2], "log_against": against}
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
                     log_against=table.log_against)
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(part)
        raise


def build() -> Table:
    """Solve the Fokker-Planck equation at every node of the axes."""
    i, delta, s = nodes()
    back = back_nodes()
    hazard = np.empty((i.size, delta.size, s.size))
    odds, rate = np.empty((2, i.size, delta.size))
    against = _none()

    def weak(rows: Rows, columns: Rows) -> None:
        part = np.ix_(rows, columns)
        hazard[part], odds[part], rate[part] = _hazards(i[rows], delta[columns], s)

    def strong(rows: Rows, columns: Rows) -> None:
        part = np.ix_(rows, columns)
        scale = i[rows[0]] / I_MAX
        hazard[part], odds[part], rate[part] = _hazards(i[rows], delta[columns], s / scale)
        odds[part] /= scale

    def opposed(rows: Rows, columns: Rows) -> None:
        against[np.ix_(rows, columns)] = _log_against(back[rows], delta[columns], s[:BACK_TIMES])

    columns = _parts(np.arange(delta.size), 4)[::-1]
    overdrives = _parts(np.arange(WEAK), 8)[::-1]  # of 32 junctions, as `evolve` likes
    jobs: list[Job] = [partial(strong, np.array([row]), part)
                       for part in _parts(np.arange(delta.size), 8)[::-1] for row in range(WEAK, i.size - 1)]
    jobs += [partial(weak, rows, part) for rows in overdrives for part in columns]
    jobs += [partial(opposed, rows, part) for rows in _parts(np.arange(1, back.size), 8)[::-1] for part in columns]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()) as pool:
        running = pool.map(lambda job: job(), jobs)
        for _ in tqdm(running, total=len(jobs), desc="Fokker-Planck table, once", delay=1, disable=None):
            pass
    hazard[-1] = log_hazard_of_the_flow(delta, I_MAX * s)
    odds[-1] = -2 * delta * I_MAX
    rate[-1] = rate[-2]
    # Far below what anybody looks at the limits of the grids may cross.
    hazard[:WEAK] = np.maximum.accumulate(np.maximum.accumulate(hazard[:WEAK], axis=0), axis=2)
    against[0] = np.log(-np.expm1(-2 * np.exp(hazard[0, :, :BACK_TIMES])) / 2)
    against = np.minimum.accumulate(against, axis=0) - against[0]
    return Table(log_hazard=hazard, log_odds=odds, log_rate=rate, log_against=against)


def _parts(indices: Rows, size: int) -> list[Rows]:
    return np.array_split(indices, -(-indices.size // size))


def _levels(i: Array, delta: Array, s: Array) -> tuple[Array, list[Evolution]]:
    """Overdrives of the junctions (ni nd), and their evolutions on three grids."""
    over, stability = (x.ravel() for x in np.meshgrid(i, delta, indexing="ij"))
    least = max(CELLS, np.pi / PECLET * i.max() * delta.max())
    pace = PACE if i.max() < FRONT else 1.0
    return over, [evolve(over, stability, s, cells=2 * int(np.ceil(least / 8)) * 2 ** k, step=pace) for k in range(3)]


def _richardson(logs: list[Array]) -> Array:
    """The limit of three grids, where errors of second and fourth order cancel, moved by no more than a factor of exp(3)."""
    coarse, middle, fine = logs
    return fine + np.clip((64 * fine - 20 * middle + coarse) / 45 - fine, -3.0, 3.0)


def _from_above(logs: list[Array], log_s: Array) -> Array:
    """The limit (ns, n) of what rises; as long as nothing has arrived, a power of s."""
    limit = _richardson(logs)
    lost = np.min(logs, axis=0) <= np.log(LEAST)
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


def _log_against(back: Array, delta: Array, s: Array) -> Array:
    """ln P (nb, nd, ns) at -|i|, at least LEAST."""
    _, levels = _levels(-back, delta, s)
    limit = np.maximum(_richardson([np.log(np.maximum(e.switched, LEAST)) for e in levels]), np.log(LEAST))
    return limit.T.reshape(back.size, delta.size, s.size)


def _log_hazard(switched: Array, error: Array, odds: Array) -> Array:
    """ln H of (1), at least LEAST; NaN where it has drowned: the error nearly at its equilibrium value, or below FLOOR."""
    ratio, rest = switched * (1 + odds), error - odds * switched
    alive = (rest > 1e-5 * error) & (error > FLOOR)
    h = cumulative_hazard(ratio, rest)
    return np.where(alive, np.log(np.maximum(h / (1 + odds), LEAST)), np.nan)


@functools.lru_cache(maxsize=8)
def _logs(table: Table, s: float, delta: float) -> Array:
    """ln P and ln(1 - P), (2, 2, LINE): at nodes in i from I_MIN to 0 and from 0 to I_MAX, for (2) meets (1) with a kink."""
    i = np.concatenate((np.linspace(I_MIN, -1e-12, LINE), np.linspace(0.0, I_MAX, LINE)))
    both = table.probabilities(i, np.full(i.shape, s), np.full(i.shape, delta))
    return np.log(np.maximum(both, 1e-300)).reshape(2, 2, LINE)
