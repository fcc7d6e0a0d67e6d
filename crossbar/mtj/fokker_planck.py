"""Fokker-Planck equation of the axial macrospin: switching probabilities from 1 down to 1e-300, without sampling.

The density p(z, s) of z = cos(theta), measured from the state to be left (z = 1), in time s = t / tau_D under the constant
overdrive i = I / I_c0 (i > 0 drives towards z = -1):

    dp/ds = -d/dz { (1 - z^2) [ (z - i) p - (1 / 2 Delta) dp/dz ] }                                          (1)

with the equilibrium p ~ exp(-U), U = -Delta (z^2 - 2 i z), and a barrier Delta (1 - i)^2 at z = i (Brown, Phys. Rev. 130,
1677 (1963); Butler et al., IEEE Trans. Magn. 48, 4684 (2012)). It starts from the Boltzmann density of the well z > 0 at rest;
the junction has switched if z < 0 when the pulse ends. i does not change with z: at constant voltage a junction's current
~ 1 + P^2 z and its torque per current ~ 1 / (1 + P^2 z) compensate each other, exactly if the TMR does not fall with bias. Where
it does, the torque grows towards the equator on the way out of P (15 % at 1.2 V_c0 of the default junction) and falls on the way
out of AP (18 %): write errors of 1e-2 are then 0.7 to 0.8 and 1.5 to 1.9 times those of (1) (`benchmarks/write_error_rate.py`).
`simulate_llgs` has the whole law.

Space: finite volumes, uniform in theta so that both wells are resolved; the flux between cells k and k + 1 is the exact one
for a linear potential (Scharfetter and Gummel, IEEE Trans. Electron Devices 16, 64 (1969)), which conserves probability and
keeps the Boltzmann density exactly. Time: m <- R(h L) m with Norsett's third-order rational approximation of the exponential,
whose only pole 1 / GAMMA_3 makes it L-stable and each step three solves with the same tridiagonal matrix. That matrix is
eliminated without subtraction (Grassmann, Taksar, Heyman, Oper. Res. 33, 1107 (1985)), so that small
probabilities keep their digits: an error of 1e-30 is as good as one of 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from crossbar import memory
from crossbar.checks import real_array
from crossbar.errors import ConvergenceError, DataError
from crossbar.kernel import njit

Array = npt.NDArray[np.float64]

CELLS = 600          # volumes between theta = 0 and pi, at least
MOST_CELLS = 40_000  # and at most, where their number is not given
TOLERANCE = 0.01     # of log10 of a probability ...
FOLLOWED = 1e-30     # ... above this
FOLLOWED_BY_MEAN = 1e-3  # ... and in a mean time
LANES = 32           # junctions side by side in the innermost loop
RELATIVE = 0.02      # time step relative to the time passed ...
CHANGE = 0.1         # ... and greatest change of ln(error) in a step, or twice this of ln(switched)
DEAD = 1e-40         # an error that nobody follows
NEVER = 1e-250       # and a probability to be switched: a step too long now leaves its traces for long
POLE = 0.43586652150845967  # root of 6 g^3 - 18 g^2 + 9 g - 1
_A, _B = (1 - 3 * POLE) / POLE, (0.5 - 3 * POLE + 3 * POLE ** 2) / POLE ** 2
WEIGHTS = (_B, -_A - 2 * _B, 1 + _A + _B)  # R(x) = sum_j WEIGHTS[j] w^(j + 1), w = 1 / (1 - POLE x)


@dataclass(frozen=True, kw_only=True, eq=False)
class Evolution:
    """Switching of n junctions at k times.

    s : (k,) pulse widths in units of tau_D.
    switched, error : (k, n) probability of z < 0 and of z > 0, each summed by itself: neither is 1 minus the other.
    mass : (cells, n) probabilities of the cells at the last time; z : (cells + 1,) their faces, falling from 1 to -1.
    log_odds : (n,) ln of the equilibrium probability of z > 0 over that of z < 0, under the current.
    """

    s: Array
    switched: Array
    error: Array
    mass: Array
    z: Array
    log_odds: Array


def evolve(i: npt.ArrayLike, delta: npt.ArrayLike, s: npt.ArrayLike, *, cells: int | None = None,
           step: float = 1.0) -> Evolution:
    """Solve (1) for junctions of overdrive `i` and stability `delta`, which broadcast to (n,), up to the times `s`.

    Parameters
    ----------
    i : number or (n,). Overdrive, from -1e6 to 1e6 [1].
    delta : number or (n,). Thermal stability, from 1e-6 to 1e6 [1].
    s : (k,) increasing, in units of tau_D, from 1e-15 to 1e15.
    cells : even number of volumes. None: CELLS, and more until log10 of every probability above FOLLOWED is right to
        TOLERANCE.
    step : scales the time steps, from 0.01 to 100, for studies of convergence.

    Takes O(n cells log(s)) time. Raises DataError for bad values, SizeError if the cells' masses would not fit in memory, and
    ConvergenceError where MOST_CELLS are too few.

    >>> e = evolve(5.0, 40.0, [0.1, 1.0])   # a pulse five times the critical current
    >>> print(f"log10 P = {np.log10(e.switched[0, 0]):.1f}, log10(1 - P) = {np.log10(e.error[1, 0]):.1f}")
    log10 P = -13.1, log10(1 - P) = -1.5
    """
    over, stability, times = _checked(i, delta, s)
    step = _scale(step)
    if cells is None:
        return _refined(over, stability, times, step, FOLLOWED)
    return _evolve(over, stability, times, _even(cells), step)


def _refined(over: Array, stability: Array, times: Array, step: float, followed: float) -> Evolution:
    """The evolution on as many cells as the tolerance of probabilities above `followed` takes.

    The scheme is of second order, so that the difference of two grids tells the error of the finer one.
    """
    widths = 2 * int(np.ceil(3 * np.pi * np.sqrt(stability.max())))  # six cells within 1 / sqrt(Delta), the width of a well
    cells = max(CELLS, widths)
    coarse = _logs(_evolve(over, stability, times, 2 * (cells // 4), step), followed)
    ratio = cells / (2 * (cells // 4))
    trace = []
    while True:
        evolution = _evolve(over, stability, times, cells, step)
        fine = _logs(evolution, followed)
        off = float(np.abs(fine - coarse).max() / (ratio ** 2 - 1))
        trace.append((cells, off))
        if off <= TOLERANCE:
            return evolution
        if cells == MOST_CELLS:
            raise ConvergenceError(
                f"Fokker-Planck: {cells} cells leave log10 of a probability uncertain by {off:.2g} (overdrives from "
                f"{over.min():.4g} to {over.max():.4g}, Delta up to {stability.max():.4g}); switching_probability has a "
                "table for such pulses, or give cells", trace)
        wanted = np.clip(1.1 * np.sqrt(off / TOLERANCE), 2.0, 4.0) * cells
        finer = min(2 * int(np.ceil(wanted / 2)), MOST_CELLS)
        ratio = finer / cells
        cells, coarse = finer, fine


def _logs(evolution: Evolution, least: float) -> Array:
    """log10 of both probabilities, those below `least` as if they were that."""
    return np.log10(np.maximum([evolution.switched, evolution.error], least))


def _evolve(over: Array, stability: Array, times: Array, cells: int, step: float) -> Evolution:
    """`evolve` on a grid of so many cells."""
    width = min(LANES, 8 * -(-over.size // 8))
    blocks = -(-over.size // width)
    memory.require(f"Fokker-Planck, {over.size} junctions of {cells} cells,", 8.0 * 8 * cells * width * blocks)
    order = np.argsort(over, kind="stable")  # junctions of a block share their time steps
    lanes = np.resize(order, (blocks, width))
    z, down, up, mass, log_odds = _discretised(over[lanes], stability[lanes], cells)
    switched, error = np.empty((2, blocks, times.size, width))
    first = min(1e-3 / (1 + np.abs(over).max()), times[0])
    nodes = np.union1d(np.geomspace(first, times[-1], 2 + int(25 * np.log(times[-1] / first))), times)
    wanted = np.isin(nodes, times)
    for b in range(blocks):
        _march(mass[b], down[b], up[b], nodes, wanted, step * RELATIVE, step * CHANGE, switched[b], error[b])
    place = np.empty(over.size, dtype=np.intp)
    place[order] = np.arange(over.size)

    def per_junction(x: Array) -> Array:  # (blocks, rows, LANES) -> (rows, n)
        return x.transpose(1, 0, 2).reshape(x.shape[1], -1)[:, place]

    return Evolution(s=times, switched=np.maximum(per_junction(switched), 0.0), error=per_junction(error),
                     mass=per_junction(mass), z=z, log_odds=log_odds.ravel()[place])


def cumulative_hazard(switched: Array, error: Array) -> Array:
    """-ln(error) of complementary probabilities, from the smaller of the two, so that neither tail loses digits."""
    return np.where(switched < 0.5, -np.log1p(-np.minimum(switched, 0.5)), -np.log(np.maximum(error, 1e-300)))


def mean_time(i: npt.ArrayLike, delta: npt.ArrayLike) -> Array:
    """Mean time (n,) [tau_D] to be found switched, the integral of 1 - P(s) / P(infinity) over s, for i >= 0 and delta (n,).

    Raises DataError as `evolve`, and for i < 0.
    """
    if np.any(real_array(i, "overdrive i") < 0):
        raise DataError("a mean switching time needs i >= 0: a current that stabilises the state holds it")
    s = np.geomspace(1e-3, 300, 500)
    e = _refined(*_checked(i, delta, s), 1.0, FOLLOWED_BY_MEAN)
    done, left = e.switched * (1 + np.exp(e.log_odds)), e.error - np.exp(e.log_odds) * e.switched  # P / P(infinity), 1 - that
    left = np.maximum(left, 0)
    last = cumulative_hazard(done[-2:], left[-2:])
    with np.errstate(divide="ignore", invalid="ignore"):  # nothing left: no tail
        tail = np.where(left[-1] > DEAD, left[-1] * (s[-1] - s[-2]) / (last[1] - last[0]), 0.0)
    return s[0] + scipy.integrate.simpson(left, x=s, axis=0) + tail


def _checked(i: npt.ArrayLike, delta: npt.ArrayLike, s: npt.ArrayLike) -> tuple[Array, Array, Array]:
    over, stability, times = real_array(i, "overdrive i"), real_array(delta, "Delta"), real_array(s, "times s").ravel()
    try:
        over, stability = (np.atleast_1d(x) for x in np.broadcast_arrays(over, stability))
    except ValueError:
        raise DataError(f"overdrive of shape {over.shape} does not fit Delta of shape {stability.shape}") from None
    good = np.isfinite(over) & np.isfinite(stability) & (stability > 0)
    if over.ndim != 1 or over.size == 0 or not good.all():
        raise DataError("overdrive must be finite, Delta finite and positive; numbers or (n,)")
    if np.abs(over).max() > 1e6 or stability.min() < 1e-6 or stability.max() > 1e6:
        raise DataError("overdrive i must lie between -1e6 and 1e6, Delta between 1e-6 and 1e6")
    if times.size == 0 or not np.isfinite(times).all() or times[0] <= 0 or (np.diff(times) <= 0).any():
        raise DataError("the times s must be finite, positive and increasing")
    if times[0] < 1e-15 or times[-1] > 1e15:
        raise DataError("the times s must lie between 1e-15 and 1e15, in units of tau_D")
    return over, stability, times


def _even(cells: int) -> int:
    """A number of cells. Raises DataError."""
    if not isinstance(cells, int | np.integer) or isinstance(cells, bool) or not 16 <= cells <= 10 ** 7 or cells % 2:
        raise DataError(f"the number of cells must be even, at least 16 and at most 1e7, got {cells!r:.80}")
    return int(cells)


def _scale(step: float) -> float:
    """A factor of the time steps. Raises DataError."""
    scale = real_array(step, "the scale of the time steps, step,")
    if scale.ndim or not 0.01 <= scale <= 100:
        raise DataError(f"the scale of the time steps, step, must be a number between 0.01 and 100, got {step!r}")
    return float(scale)


def _discretised(i: Array, delta: Array, cells: int) -> tuple[Array, Array, Array, Array, Array]:
    """Faces, rates to the next and to the previous cell, initial masses and log_odds, for i and delta (blocks, LANES).

    Rates and masses have shape (blocks, cells, LANES). A cell of width w loses (1 - z_f^2) B(dU) / (2 Delta h w) per time
    through the face z_f to a neighbour at distance h, with B(x) = x / (exp(x) - 1) and dU = U(neighbour) - U.
    """
    theta = np.linspace(0, np.pi, 2 * cells + 1)[:, None]
    face, z = np.cos(theta[::2]), np.cos(theta[1::2])
    face[cells // 2] = 0.0
    width, h = -np.diff(face, axis=0), -np.diff(z, axis=0)
    i, delta = i[:, None, :], delta[:, None, :]
    u = -delta * (z ** 2 - 2 * i * z)
    rise = np.diff(u, axis=1)
    through = (1 - face[1:-1] ** 2) / (2 * delta * h)
    down, up = np.zeros(u.shape), np.zeros(u.shape)
    down[:, :-1] = through * _bernoulli(rise) / width[:-1]
    up[:, 1:] = through * _bernoulli(-rise) / width[1:]
    rest = np.where(z > 0, width * np.exp(delta * (z ** 2 - 1)), 0.0)
    logs, half = np.log(width) - u, cells // 2
    log_odds = scipy.special.logsumexp(logs[:, :half], axis=1) - scipy.special.logsumexp(logs[:, half:], axis=1)
    return face.ravel(), down, up, rest / rest.sum(axis=1, keepdims=True), log_odds


def _bernoulli(x: Array) -> Array:
    """x / (exp(x) - 1)."""
    small = np.abs(x) < 1e-8
    safe = np.clip(np.where(small, 1.0, x), None, 700.0)
    return np.where(small, 1 - x / 2, safe / np.expm1(safe))


@njit(cache=True, error_model="numpy", nogil=True)
def _march(mass, down, up, nodes, wanted, relative, change, switched, error):  # type: ignore[no-untyped-def]
    """Carry masses (cells, LANES) through the nodes in time, by equal steps from one to the next; keep the wanted ones."""
    cells, lanes = mass.shape
    half = cells // 2
    out, back, inverse = np.empty((cells, lanes)), np.empty((cells, lanes)), np.empty((cells, lanes))
    x, stayed, gone = np.empty((cells, lanes)), np.ones(lanes), np.zeros(lanes)
    now, rate, kept = 0.0, 0.0, 0
    for n in range(nodes.size):
        span = nodes[n] - now
        steps = 1 + int(span / min(relative * nodes[n], change / rate if rate > 0.0 else np.inf))
        _factor(down, up, POLE * span / steps, out, back, inverse)
        for _ in range(steps):
            _step(mass, out, back, inverse, x)
        now, rate = nodes[n], 0.0
        for l in range(lanes):
            before, after = 0.0, 0.0
            for c in range(half):
                before += mass[c, l]
                after += mass[half + c, l]
            if before > DEAD:
                rate = max(rate, np.log(stayed[l] / before) / span)
            if after > gone[l] > NEVER:
                rate = max(rate, 0.5 * np.log(after / gone[l]) / span)
            stayed[l], gone[l] = before, after
        if wanted[n]:
            switched[kept], error[kept] = gone, stayed
            kept += 1


@njit(cache=True, error_model="numpy")
def _factor(down, up, h, out, back, inverse):  # type: ignore[no-untyped-def]
    """LU of I - h L: every pivot is what leaves downwards plus what stays, a sum of positive terms."""
    cells, lanes = down.shape
    stays = np.ones(lanes)
    for c in range(cells):
        for l in range(lanes):
            leaves = h * down[c, l]
            inverse[c, l] = 1.0 / (leaves + stays[l])
            out[c, l] = leaves * inverse[c, l]
            if c + 1 < cells:
                back[c, l] = h * up[c + 1, l] * inverse[c, l]
                stays[l] = 1.0 + back[c, l] * stays[l]


@njit(cache=True, error_model="numpy")
def _step(mass, out, back, inverse, x):  # type: ignore[no-untyped-def]
    """mass <- sum_j WEIGHTS[j] (I - POLE h L)^-(j + 1) mass, in place."""
    cells, lanes = mass.shape
    for c in range(cells):
        for l in range(lanes):
            x[c, l], mass[c, l] = mass[c, l], 0.0
    for weight in WEIGHTS:
        for c in range(1, cells):
            for l in range(lanes):
                x[c, l] += out[c - 1, l] * x[c - 1, l]
        for l in range(lanes):
            x[cells - 1, l] *= inverse[cells - 1, l]
            mass[cells - 1, l] += weight * x[cells - 1, l]
        for c in range(cells - 2, -1, -1):
            for l in range(lanes):
                x[c, l] = x[c, l] * inverse[c, l] + back[c, l] * x[c + 1, l]
                mass[c, l] += weight * x[c, l]
