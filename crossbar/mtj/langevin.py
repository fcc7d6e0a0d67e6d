"""Axial Langevin equation: the stochastic twin of the Fokker-Planck equation, one number z = cos(theta) per cell.

With s = t / tau_D and the overdrive i = I / I_c0 (i > 0 drives towards z = -1), in the sense of Ito,

    dz = [(1 - z^2) (z - i) - z / Delta] ds + sqrt((1 - z^2) / Delta) dW                                        (1)

(Brown, Phys. Rev. 130, 1677 (1963)); its density obeys `fokker_planck` (1), and exp(Delta (z^2 - 2 i z)) is stationary.
(1) is the height of a unit vector that drifts by dz = (1 - z^2)(z - i) ds and diffuses isotropically on the sphere. A step of
h composes maps of [-1, 1] into itself, so no boundary needs a rule (clipping or reflecting z would pile up density there):

    D(h/2):  z <- boost(z, x_1) with x_1 = h/2 [boost(z, h/4 (z - i)) - i],  boost(z, x) = (z + tanh x) / (1 + z tanh x)
    B(h):    z <- z cos(psi) + sqrt(1 - z^2) sin(psi) cos(chi),  cos(psi) = 1 / (1 + q),  q = t + 3/4 t^2         (2)
    D(h/2)

boost is the exact flow of dz = (1 - z^2) c ds over x = c s; frozen at the middle, c = z - i is right to second order. In B the
direction chi is uniform and t = r^2 / 2 of a Gaussian step r in the tangent plane, of mean h / Delta: exponential. The mean
harmonics of diffusion on the sphere, <P_l> = exp(-l (l + 1) h / (2 Delta)), are met through h^2 for l = 1 and 2, hence
for every l, whose expansion to second order these two fix. A symmetric composition of second-order maps has weak order two.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from crossbar import memory
from crossbar.checks import generator, real_array
from crossbar.errors import DataError
from crossbar.kernel import njit, prange
from crossbar.mtj.streams import LANES, direction, exponential, make_streams, next_word
from crossbar.mtj.waveforms import Array, Value, Waveform, affordable, count, number, packed, sample, unpacked

STEP = 0.1      # largest (1 + |i| + 1 / Delta) h: write errors are then right to a per cent of themselves
COARSEST = 1.0  # and what is refused
CHUNK = 1 << 22  # numbers of a time-dependent drive held at once


class AxialCells:
    """n cells whose z follows (1), advanced as a circuit goes along; each has its own random stream.

    delta, tau_d : numbers or arrays (n,), thermal stability and relaxation time [s].
    state : where cells start, +1 or -1, a number or (n,): in thermal equilibrium on that side, unless z0, a number or (n,), says
    where. Cell k sees the same random numbers whatever n and the number of threads.
    Raises DataError for bad values and shapes, SizeError if n cells would not fit in memory.
    """

    def __init__(self, delta: Value, tau_d: Value, n: int, rng: np.random.Generator, *, state: npt.ArrayLike = 1,
                 z0: npt.ArrayLike | None = None) -> None:
        self.n, self.time = count(n, "number of cells n"), 0.0  # time since the start [s]
        memory.require(f"{n} Langevin cells", 300.0 * n)
        self.delta, self.tau_d = self._positive(delta, "delta"), self._positive(tau_d, "tau_d [s]")
        self._words = make_streams(self.n, generator(rng))
        blocks = self._words.shape[0]
        self._z = np.empty((blocks, LANES))
        if z0 is not None:
            given = self._row(z0, "start z0")
            if not np.all(np.abs(given) <= 1):
                raise DataError("the start z0 = cos(theta) lies between -1 and 1")
            self._z[:] = packed(np.broadcast_to(given, (1, 1, self.n)), blocks)[0]
            return
        side = self._row(state, "start state")
        if not np.all(np.abs(side) == 1):
            raise DataError("the start state of a cell is +1 (parallel) or -1 (antiparallel)")
        rows = [np.broadcast_to(x, self.n) for x in (self.delta, side)]
        _rest(self._words, packed(np.stack(rows)[None], blocks)[0], self._z)

    def _row(self, value: npt.ArrayLike, what: str) -> Array:
        return sample(real_array(value, f"the {what}"), np.zeros(1), self.n, what)[0]

    def _positive(self, value: Value, what: str) -> Array:
        row = self._row(value, what)
        if not np.all(row > 0):
            raise DataError(f"{what} of a Langevin cell must be positive, got {row.min():.6g}")
        return row

    @property
    def z(self) -> Array:
        """A copy of cos(theta) (n,)."""
        return unpacked(self._z, 0, 1, self.n)[:, 0].copy()

    def advance(self, i: Waveform, duration: float, *, steps: int | None = None) -> Array:
        """Move all cells on by `duration` [s] under the overdrive i, and return the new z (n,).

        i : a number, an array (n,), or a function of the time since the start of the cells [s] that gives either; it is taken at
        the middle of each step. i > 0 drives towards z = -1.
        steps : equal steps to take; by default as many as keep (1 + |i| + 1/Delta) h below STEP for every cell.
        Raises DataError for a bad drive or duration, and for steps so few that the product exceeds COARSEST.
        """
        duration = number(duration, "duration [s]")
        probe = sample(i, self.time + duration * np.linspace(0.0, 1.0, 65 if callable(i) else 1), self.n, "overdrive i")
        turns = duration * self._rate(probe)
        if steps is None:
            steps = max(math.ceil(affordable(turns / STEP, self.n)), 1)
        steps = count(steps, "number of steps")
        h = duration / (steps * self.tau_d)
        blocks = self._z.shape[0]
        table = packed(np.stack(np.broadcast_arrays(h, h / self.delta))[None], blocks)[0]
        chunk = max(CHUNK // probe.shape[1], 1) if callable(i) else steps
        for first in range(0, steps, chunk):
            middles = np.arange(first, min(first + chunk, steps), dtype=float) + 0.5
            drive = sample(i, self.time + middles * (duration / steps), self.n, "overdrive i")
            if (turns := duration * self._rate(drive)) > steps * COARSEST:
                raise DataError(f"{steps} steps are too few for {duration:.3g} s under an overdrive of up to "
                                f"{np.abs(drive).max():.3g}: give at least {math.ceil(turns / COARSEST)}, better "
                                f"{math.ceil(turns / STEP)}")
            _march(self._words, table, packed(drive[:, None], blocks), middles.size, self._z)
        self.time += duration
        return self.z

    def _rate(self, i: Array) -> float:
        """Largest (1 + |i| + 1 / Delta) / tau_D [1/s]."""
        return float(np.max((1 + np.abs(i).max(axis=0) + 1 / self.delta) / self.tau_d))


@njit(cache=True, error_model="numpy", fastmath={"contract"}, forceinline=True)
def _boost(z, x):  # type: ignore[no-untyped-def]
    """(z + tanh x) / (1 + z tanh x), tanh by its Pade approximant, below 1 for x < 2.3 and exact to 1e-9 at x = 0.1."""
    above, below = x * (15.0 + x * x), 15.0 + 6.0 * (x * x)
    return (z * below + above) / (below + z * above)


@njit(cache=True, error_model="numpy", fastmath={"contract"}, forceinline=True)
def _drift(z, i, h):  # type: ignore[no-untyped-def]
    return _boost(z, h * (_boost(z, 0.5 * h * (z - i)) - i))


@njit(cache=True, error_model="numpy", fastmath={"contract"}, forceinline=True)
def _turn(z, t, cosine):  # type: ignore[no-untyped-def]
    """B of (2): by the angle psi(t) in the direction chi; sin(psi) = sqrt(q (2 + q)) cos(psi)."""
    q = t + 0.75 * (t * t)
    across = max((1.0 - z) * (1.0 + z), 0.0)  # rounding may leave |z| an ulp above 1
    return (z + math.sqrt(across * q * (2.0 + q)) * cosine) / (1.0 + q)


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _step(words, table, i, z):  # type: ignore[no-untyped-def]
    """(2) for a block: i, z (LANES,); table (2 LANES,) holds h and h / Delta."""
    for c in range(LANES):
        half = 0.5 * table[c]
        t = table[LANES + c] * exponential(next_word(words, c))
        cosine, _ = direction(next_word(words, c))
        z[c] = _drift(_turn(_drift(z[c], i[c], half), t, cosine), i[c], half)


@njit(parallel=True, cache=True, error_model="numpy", fastmath={"contract"})
def _march(words, table, drive, steps, z):  # type: ignore[no-untyped-def]
    """`steps` steps of all blocks, in place. table (blocks or 1, 2 LANES); drive (steps or 1, blocks or 1, LANES)."""
    onward = 1 if drive.shape[0] > 1 else 0
    for index in prange(z.shape[0]):
        b = np.intp(index)  # signed, as all that it meets
        row, column = b if table.shape[0] > 1 else 0, b if drive.shape[1] > 1 else 0
        for k in range(steps):
            _step(words[b], table[row], drive[onward * k, column], z[b])


@njit(parallel=True, cache=True, error_model="numpy")
def _rest(words, table, z):  # type: ignore[no-untyped-def]
    """Equilibrium exp(Delta z^2) on one side; table (blocks, 2 LANES) holds Delta and the side.

    Rejection: w = 1 - |z| exponential of rate Delta, or uniform where Delta is small, accepted with probability
    exp(-Delta w (1 - w)) or exp(-Delta w (2 - w)).
    """
    for index in prange(z.shape[0]):
        b = np.intp(index)
        for c in range(LANES):
            delta = table[b, c]
            rate = delta if delta > 1.0 else 0.0
            while True:
                e = exponential(next_word(words[b], c))
                w = e / rate if rate > 0.0 else math.exp(-e)
                if w <= 1.0 and exponential(next_word(words[b], c)) >= delta * w * (2.0 - w) - rate * w:
                    break
            z[b, c] = table[b, LANES + c] * (1.0 - w)
