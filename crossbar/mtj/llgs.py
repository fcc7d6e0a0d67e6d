"""Stochastic Landau-Lifshitz-Gilbert-Slonczewski equation of macrospins, many trajectories at a time.

    dm/dt = -gamma m x B + alpha m x dm/dt - gamma sum_k a_k m x (m x p_k) - gamma sum_k b_k m x p_k               (1)

B = C m + b + thermal field; a_k, b_k of `macrospin` (2). Solved for dm/dt, with H = B + sum b_k p_k + m x sum a_k p_k:

    dm/dt = -gamma / (1 + alpha^2) [m x H + alpha m x (m x H)]                                               (2)

Thermal field: white, sigma_B = sqrt(2 alpha k_B T / (gamma M_s V dt)) per axis and step (Brown, Phys. Rev. 130, 1677 (1963)).
Scheme: Heun's, with the same thermal field in predictor and corrector, the drive at both ends of the step and m renormalised,
which converges to the Stratonovich solution (Garcia-Palacios, Lazaro, Phys. Rev. B 58, 14937 (1998)).

A current may depend on the moment: I_k(t) = I0_k(t) + I1_k(t) m.p_k. At constant voltage a junction's conductance is linear
in cos(theta) = m.p, so this is exact.

Trajectories are the lanes of vector registers: blocks of LANES of them are integrated by one thread, structure of arrays, each
with its own random stream (`streams`). The same seed gives the same bits for any number of threads, and the first
trajectories of a larger run are those of a smaller one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from crossbar import memory
from crossbar.checks import generator, real_array
from crossbar.errors import DataError
from crossbar.mtj import conduction
from crossbar.mtj.heun import ADDED, DRIVES, SIDE, STATES, TILE, advance
from crossbar.mtj.macrospin import Macrospin, Polarizer, boltzmann, unit_vectors
from crossbar.mtj.parameters import GAMMA
from crossbar.mtj.presets import Params, as_params
from crossbar.mtj.streams import LANES, make_streams
from crossbar.mtj.waveforms import Array, Value, Waveform, affordable, count, number, packed, sample, unpacked
from crossbar.summaries import short_repr
from crossbar.units import E_CHARGE, HBAR, MU_0

Channels = Callable[[Array], Array]  # times (k,) [s] -> a drive's rows, (k or 1, DRIVES, n or 1)

BETTER, WORST = 0.02, 0.1  # gamma B dt: by default, and at most
CHUNK = 1 << 24  # trajectory-steps between two looks at the clock and the keyboard


@dataclass(frozen=True, kw_only=True, eq=False)
class Drive:
    """What acts on a macrospin from outside; each a number, an array (n,), or a function t [s] -> number or (n,) array.

    currents: I0 of each polarizer [A]. slopes: I1 of each, in I = I0 + I1 m.p [A]. anisotropy: added to c_z [T].
    """

    currents: tuple[Waveform, ...] = ()
    slopes: tuple[Waveform, ...] = ()
    anisotropy: Waveform = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Trajectories:
    """n trajectories, seen at k times.

    switched: the latch, a Schmitt trigger on m.p_1 that sees every step, ended on the other side than it began.
    """

    __repr__ = short_repr

    time: Array            # (k,) [s], from 0 to the duration
    m: Array               # (k, n, 3)
    switched: npt.NDArray[np.bool_]  # (n,)
    switching_time: Array  # (n,) of the first flip [s]; NaN: never
    flips: npt.NDArray[np.int64]     # (n,) times that the latch flipped
    dt: float              # step taken [s]

    @property
    def m_z(self) -> Array:
        """(k, n)"""
        return self.m[..., 2]

    @property
    def final(self) -> Array:
        """(n, 3) at the end."""
        return self.m[-1]


def integrate(spin: Macrospin, drive: Waveform | Drive, duration: float, n: int, rng: np.random.Generator, *,
              dt: float | None = None, state: npt.ArrayLike = 1, m0: npt.ArrayLike | None = None, frames: int = 1,
              threshold: float = 0.5, progress: bool = True) -> Trajectories:
    """n trajectories of (1) over `duration` [s].

    drive : Drive, or the current through the first polarizer [A]: a number, an array (n,), or a function of t [s].
    dt : largest step [s], such that gamma B dt <= 0.1; by default gamma B dt <= 0.02 with the largest field that occurs. The
        step taken divides the duration into an even number of steps per frame.
    m0 : (3,) or (n, 3). By default in thermal equilibrium around state * p_1, or state * z without polarizer; state is +1 or
        -1, a number or an array (n,).
    frames : how many times m is kept after the start, evenly spaced.
    threshold : of the latch, |m.p_1| in [0, 1).
    progress : show a bar for runs of more than a few seconds, on a terminal.
    Raises DataError for bad values and shapes or too large a dt, SizeError if the frames would not fit in memory.
    """
    if not isinstance(spin, Macrospin):
        raise DataError(f"spin must be an xb.mtj.Macrospin, not {type(spin).__name__}")
    if not isinstance(drive, Drive):
        drive = Drive(currents=(drive,))
    given = (drive.currents, drive.slopes)
    if max(map(len, given)) > len(spin.polarizers):
        raise DataError(f"the drive has {max(map(len, given))} currents, the macrospin {len(spin.polarizers)} polarizers; "
                        "Drive() is none")
    waves: list[Waveform] = [entry[k] if k < len(entry) else 0.0 for k in range(2) for entry in given] + [drive.anisotropy]
    names = ("current of polarizer 1", "current slope of polarizer 1", "current of polarizer 2",
             "current slope of polarizer 2", "added anisotropy")

    def channels(times: Array) -> Array:
        rows = [sample(wave, times, n, name) for wave, name in zip(waves, names, strict=True)]
        return np.stack(np.broadcast_arrays(*rows), axis=1)

    return _run(spin, channels, any(map(callable, waves)), duration, n, rng, dt=dt, state=state, m0=m0, frames=frames,
                threshold=threshold, progress=progress)


def simulate_llgs(p: Params, voltage: Waveform | None, duration: float, n: int, rng: np.random.Generator, *,
                  current: Waveform | None = None, state: npt.ArrayLike = 1, dt: float | None = None,
                  m0: npt.ArrayLike | None = None, b_ext: npt.ArrayLike = (0.0, 0.0, 0.0), field_like: Value = 0.0,
                  frames: int = 1, threshold: float = 0.5, progress: bool = True) -> Trajectories:
    """n trajectories of a junction's free layer under a voltage (free minus fixed [V]) or, with voltage None, a current [A].

    p : one junction, or n of them: fields are numbers or arrays (n,). The free layer has p's temperature.
    voltage, current : a number, an array (n,), or a function t [s] -> either. Positive drives AP -> P.
    state : where to start, +1 parallel or -1 antiparallel, a number or an array (n,).
    b_ext : external field (3,) [T]. field_like : b / a.
    Under a voltage the current follows the conductance, linear in cos(theta), and the anisotropy follows p.xi.
    The other arguments, the result and the errors are those of `integrate`; DataError also where p lacks a field.
    """
    p = as_params(p)
    spin = junction_macrospin(p, b_ext=b_ext, field_like=field_like)
    if voltage is None and current is not None:
        if np.any(p.xi):
            raise DataError("voltage-controlled anisotropy (xi) needs a voltage drive: give voltage [V] instead of current")
        return integrate(spin, current, duration, n, rng, dt=dt, state=state, m0=m0, frames=frames, threshold=threshold,
                         progress=progress)
    if voltage is None or current is not None:
        raise DataError("simulate_llgs takes either a voltage [V] or, with voltage None, a current [A]")
    wave = voltage
    softening = -2 * np.asarray(p.xi) / (p.t_ox * np.asarray(p.thickness) * p.magnetization)  # of c_z [T/V]

    def channels(times: Array) -> Array:
        v = sample(wave, times, n, "voltage")
        if np.abs(v).max() > 1e3:
            raise DataError(f"a voltage of {np.abs(v).max():.3g} V is not meant for a junction")
        parallel, antiparallel = (conduction.current(v, p, s)[0] for s in (1, -1))
        zero = np.zeros(1)
        rows = ((parallel + antiparallel) / 2, (parallel - antiparallel) / 2, zero, zero, softening * v)
        return np.stack(np.broadcast_arrays(*rows), axis=1)

    return _run(spin, channels, callable(voltage), duration, n, rng, dt=dt, state=state, m0=m0, frames=frames,
                threshold=threshold, progress=progress)


def junction_macrospin(p: Params, *, b_ext: npt.ArrayLike = (0.0, 0.0, 0.0), field_like: Value = 0.0) -> Macrospin:
    """The free layer of a junction, its polarizer along +z. Raises DataError if p lacks a field or has more than one axis.

    a = hbar eta(z) I / (2 e M_s V) with 1/eta linear in z, as in `parameters`; I > 0, free to fixed, favours P.
    """
    p = as_params(p)
    p.need("diameter", "thickness", "m_s", "k_i", "alpha", "eta_p", "eta_ap", what="s-LLGS")
    if len(p.shape) > 1:
        raise DataError(f"s-LLGS takes one junction or a row of n, got parameters of shape {p.shape}; use p.select or reshape")
    field = real_array(b_ext, "the external field [T]")
    if field.shape != (3,):
        raise DataError(f"the external field b_ext has three components [T], got shape {field.shape}")
    if not np.all(np.abs(real_array(field_like, "the field-like torque, field_like,")) <= 1e3):
        raise DataError("the field-like torque of a junction, field_like = b / a, must lie between -1000 and 1000")
    demag = MU_0 * p.magnetization
    axial = 2 * p.interface_anisotropy / (np.asarray(p.thickness) * p.magnetization) - demag * p.n_z
    at_p, at_ap = 1 / np.asarray(p.eta_p), 1 / np.asarray(p.eta_ap)
    polarizer = Polarizer(torque=HBAR / (E_CHARGE * p.magnetization * p.volume * (at_p + at_ap)),
                          asymmetry=(at_p - at_ap) / (at_p + at_ap), field_like=field_like)
    return Macrospin(alpha=np.asarray(p.alpha, dtype=float), magnetization=p.magnetization, volume=p.volume,
                     temperature=p.temperature, anisotropy=(-demag * p.n_x, -demag * p.n_y, axial),
                     field=(field[0], field[1], field[2]), polarizers=(polarizer,))


def _run(spin: Macrospin, channels: Channels, varying: bool, duration: float, n: int, rng: np.random.Generator, *,
         dt: float | None, state: npt.ArrayLike, m0: npt.ArrayLike | None, frames: int, threshold: float,
         progress: bool) -> Trajectories:
    _check(spin, duration, n, state, frames, threshold)
    blocks = -(-n // LANES)
    memory.require(f"{n} trajectories at {frames + 1} times", 24.0 * n * (frames + 1) + 8.0 * 60 * blocks * LANES)
    probe = np.linspace(0, duration, 257) if varying else np.zeros(1)
    limit = WORST / (GAMMA * max(_largest_field(spin, channels(probe[k:k + 1])) for k in range(probe.size)))
    steps = _steps(spin, limit, duration, dt, frames, n)
    dt = duration / steps
    words = make_streams(n, generator(rng))
    axis = np.array(spin.polarizers[0].direction if spin.polarizers else (0.0, 0.0, 1.0))
    start = boltzmann(spin, np.asarray(state)[..., None] * axis, n, words) if m0 is None else _start(m0, n)
    m = np.empty((frames + 1, n, 3))
    m[0] = start
    block = packed(np.stack([*start.T, np.sign(start @ axis), np.zeros(n), np.full(n, -1.0)])[None], blocks)[0]
    tables, wave = _tables(spin, dt, blocks), packed(channels(np.zeros(1)), blocks)
    noisy = bool(np.any(spin.thermal_field))
    chunk, per_frame = _chunk(n, wave.shape[1], varying), steps // frames
    with tqdm(total=steps * n, unit="step", unit_scale=True, delay=3, disable=None if progress else True) as bar:
        for first in _chunks(steps, per_frame, chunk):
            last = first + min(chunk, per_frame - first % per_frame)
            if varying:
                wave = packed(_checked(spin, channels, dt, first, last), blocks)
            advance(block, words, *tables, wave, last - first, first, float(threshold), noisy)
            bar.update((last - first) * n)
            if last % per_frame == 0:
                m[last // per_frame] = unpacked(block, 0, 3, n)
    _, flips, when = unpacked(block, SIDE, STATES, n).T
    return Trajectories(time=np.linspace(0, duration, frames + 1), m=m, switched=flips % 2 == 1, flips=flips.astype(np.int64),
                        switching_time=np.where(when < 0, np.nan, when * dt), dt=dt)


def _chunks(steps: int, per_frame: int, chunk: int) -> Iterator[int]:
    """First steps of the kernel's calls: no call goes beyond a frame."""
    for frame in range(0, steps, per_frame):
        yield from range(frame, frame + per_frame, chunk)


def _checked(spin: Macrospin, channels: Channels, dt: float, first: int, last: int) -> Array:
    """The drive at the nodes of some steps. Raises DataError where it is too strong for the step."""
    values = channels(np.arange(first, last + 1, dtype=float) * dt)
    if (limit := WORST / (GAMMA * _largest_field(spin, values))) < dt * (1 - 1e-9):
        raise DataError(f"dt = {dt:.3g} s is too large for the drive after t = {first * dt:.3g} s: give dt of at most "
                        f"{limit:.3g} s, better {limit * BETTER / WORST:.3g} s")
    return values


def _check(spin: Macrospin, duration: float, n: int, state: npt.ArrayLike, frames: int, threshold: float) -> None:
    count(n, "number of trajectories n")
    count(frames, "number of frames")
    number(duration, "duration [s]")
    states = real_array(state, "the start state, +1 or -1")
    if states.shape not in ((), (n,)) or not np.all(np.isin(states, (1, -1))):
        raise DataError("the start state is +1 (parallel) or -1 (antiparallel), one number or one per trajectory, got "
                        f"{state!r:.80}")
    if number(threshold, "latch's threshold", -np.finfo(float).tiny) >= 1:
        raise DataError(f"the latch's threshold must be at least 0 and below 1, got {threshold!r}")
    if spin.size not in (None, n):
        raise DataError(f"the parameters describe {spin.size} trajectories, n = {n} are wanted")


def _steps(spin: Macrospin, limit: float, duration: float, dt: float | None, frames: int, n: int) -> int:
    """Number of steps: even per frame, for they draw their noise in pairs. `limit`: largest dt that is allowed [s]."""
    alpha = np.asarray(spin.alpha)
    diffusion = 2 * GAMMA * np.max(alpha * spin.thermal_field)  # mean square angle per time and axis [1/s]
    with np.errstate(divide="ignore"):
        best = min(limit * BETTER / WORST, 0.01 / diffusion if diffusion > 0 else np.inf, duration / 2)
    if dt is None:
        dt = best
    elif number(dt, "time step dt [s]") > limit:
        raise DataError(f"dt = {dt:.3g} s is too large: gamma B dt <= {WORST} allows at most {limit:.3g} s; {best:.3g} s is "
                        "recommended")
    with np.errstate(over="ignore"):
        pairs = np.float64(duration) / (2 * frames * dt)
    return 2 * frames * math.ceil(affordable(float(pairs), 2 * frames * n) * (1 - 1e-12))


def _start(m0: npt.ArrayLike, n: int) -> Array:
    start = unit_vectors(m0, "the start m0")
    if start.shape not in ((3,), (n, 3)):
        raise DataError(f"the start m0 has shape {start.shape}; (3,) or ({n}, 3) is wanted")
    return np.broadcast_to(start, (n, 3))


def _largest_field(spin: Macrospin, drive: Array) -> float:
    """Largest |B| [T] that turns m: the spread of the anisotropy, the external field and the torques."""
    def spread(added: Array) -> Array:
        c = np.broadcast_arrays(*spin.anisotropy[:2], spin.anisotropy[2] + added)
        return np.asarray(np.max(c, axis=0) - np.min(c, axis=0))

    total = np.maximum(spread(drive[:, ADDED].min(axis=0)), spread(drive[:, ADDED].max(axis=0)))
    total = total + np.sqrt(np.sum([np.square(b) for b in np.broadcast_arrays(*spin.field)], axis=0))
    peak = np.abs(drive).max(axis=0)
    for k, p in enumerate(spin.polarizers):
        a = np.abs(p.torque) * (peak[2 * k] + peak[2 * k + 1]) / (1 - np.abs(p.asymmetry))
        total = total + a * (1 + np.abs(p.field_like))
    return max(float(np.max(total)), 1e-12)


def _chunk(n: int, drive_blocks: int, varying: bool) -> int:
    """Steps per call of the kernel: even, few enough for a varying drive to fit in some 64 MB."""
    steps = max(CHUNK // n, 2 * TILE)
    if varying:
        steps = min(steps, 4096, (1 << 26) // (8 * DRIVES * LANES * drive_blocks))
    return max(2 * (steps // 2), 2)


def _tables(spin: Macrospin, dt: float, blocks: int) -> tuple[Array, Array, Array | None]:
    """The kernel's parameters, first polarizer and, if there is one, second."""
    rate = GAMMA * dt / (1 + np.square(spin.alpha))
    sigma = np.sqrt(2 * np.asarray(spin.alpha) * spin.thermal_field / (GAMMA * dt))
    width = spin.size or 1

    def table(*rows: Value) -> Array:
        return packed(np.stack([np.broadcast_to(row, width) for row in rows])[None], blocks)[0]

    one, *two = (table(*p.direction, p.torque, p.asymmetry, p.field_like) for p in spin.polarizers or (Polarizer(),))
    return table(rate, spin.alpha, *spin.anisotropy, *spin.field, sigma), one, two[0] if two else None
