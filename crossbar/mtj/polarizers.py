"""The two-polarizer neuron: a free layer whose first fixed layer p_1 reads a sigmoid of the input current I, while the second,
p_2, at right angles to it, reads a bell, which stands for the sigmoid's gradient.

    G_k = G_0 (1 + P^2 m.p_k)                                                                               (1)
    a = hbar eta_1 I / (2 e M_s V),  b = beta_1 a           [T], of p_1, as in `macrospin` (2)               (2)

m starts at p_2; I flows for a time T; then both are read. Three ways to use it, with p_1 = z and p_2 = x:

pulse    No field, no anisotropy. The torques raise m_z and turn m about z, exactly
             m_z = tanh u,  (m_x, m_y) = sech u (cos phi, sin phi),  d m_z/du = 1 - m_z^2 = |m_perp|^2
             u = gamma a T (1 + alpha beta) / (1 + alpha^2),  phi = u (beta - alpha) / (1 + alpha beta)      (3)
         p_2 reads sech u cos phi: at beta = 0 the turn takes 0.53 alpha^2 from |m_perp| at most, at beta = alpha there is none.
static   T is long; m comes to rest against a bias field B along x. With u = b/B, r = a/b = 1/beta, q = r u:
             m_z = u / l,  m_x = l / (l^2 + q^2),  2 l^2 = 1 + u^2 - q^2 + [(1 + u^2 - q^2)^2 + 4 u^2 q^2]^(1/2)     (4)
         For r -> 0, a field-like torque alone: m_z = u (1 + u^2)^(-1/2), m_x = (1 + u^2)^(-1/2), d m_z/du = m_x^3.
thermal  T is long and c_z makes two wells between which m jumps by itself. Around z a torque acts like a field, so that m_z has
         the density exp(Delta m_z^2 + h m_z) (Brown, Phys. Rev. 130, 1677 (1963)), hence d<m_z>/dh = <m_z^2> - <m_z>^2,
             h = M_s V (b + a/alpha + B_z) / kT,  Delta = M_s V (c_z - c_x) / 2kT                               (5)
         <m_z> = tanh h as Delta -> inf. The bell is the variance of p_1's reading (over repeats); p_2 reads 0 on average.

Currents are imposed: twice the volume, half the u. The device is that of "A design of magnetic tunnel junctions for the
deployment of neuromorphic hardware for edge computing"; (3)-(5) and the defaults are this package's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy

from crossbar import memory
from crossbar.checks import generator, real_array
from crossbar.errors import DataError
from crossbar.mtj.arguments import MOST
from crossbar.mtj.llgs import Drive, integrate
from crossbar.mtj.macrospin import Macrospin, Polarizer, unit_vectors
from crossbar.mtj.parameters import GAMMA
from crossbar.mtj.variation import Law, check_law, scattered
from crossbar.mtj.waveforms import count
from crossbar.units import E_CHARGE, HBAR

Array = npt.NDArray[np.float64]
Value = float | Array
Mode = Literal["pulse", "static", "thermal"]


def pulse_curves(u: npt.ArrayLike, twist: npt.ArrayLike = 0.0) -> tuple[Array, Array]:
    """m.p_1 and m.p_2 after a pulse, (3): tanh u and sech u cos(twist u), twist = phi / u. Shapes broadcast."""
    u = np.asarray(u, dtype=float)
    decay = np.exp(-np.abs(u))
    return np.tanh(u), np.cos(twist * u) * 2 * decay / (1 + decay ** 2)


def static_curves(u: npt.ArrayLike, ratio: npt.ArrayLike = 0.0) -> tuple[Array, Array]:
    """m.p_1 and m.p_2 at rest, (4); ratio is r = a/b >= 0. Shapes broadcast."""
    u = np.asarray(u, dtype=float)
    q = np.asarray(ratio) * u
    half = (1 + u ** 2 - q ** 2) / 2
    square = half + np.hypot(half, u * q)  # of l
    return u / np.sqrt(square), np.sqrt(square) / (square + q ** 2)


def thermal_curves(h: npt.ArrayLike, delta: npt.ArrayLike = np.inf) -> tuple[Array, Array]:
    """Mean and variance of m.p_1 in equilibrium, (5): tanh h, sech^2 h at delta = inf, else by quadrature. Shapes broadcast."""
    h, delta = np.broadcast_arrays(np.asarray(h, dtype=float)[..., None], np.asarray(delta, dtype=float)[..., None])
    z, weight = scipy.special.roots_legendre(400)
    exponent = np.where(np.isinf(delta), 0.0, delta) * z ** 2 + h * z
    density = weight * np.exp(exponent - exponent.max(axis=-1, keepdims=True))
    density /= density.sum(axis=-1, keepdims=True)
    mean = np.sum(density * z, axis=-1, keepdims=True)
    spread = np.sum(density * np.square(z - mean), axis=-1)
    ising, (tanh, sech) = np.isinf(delta[..., 0]), pulse_curves(h[..., 0])
    return np.where(ising, tanh, mean[..., 0]), np.where(ising, sech ** 2, spread)


@dataclass(frozen=True, kw_only=True, eq=False)
class TwoPolarizerNeuron:
    """A neuron, or n of them: where (n,) is noted, numbers or arrays with one value per device. Raises DataError for values out
    of range, arrays of different lengths, and p_1 and p_2 that are not at right angles."""

    alpha: Value = 0.03           # Gilbert damping (n,)
    m_s: Value = 1.2e6            # magnetisation [A/m] (n,)
    thickness: Value = 1.1e-9     # of the free layer [m] (n,)
    diameter: Value = 50e-9       # [m] (n,)
    temperature: Value = 0.0      # [K] (n,); 0: no thermal noise
    anisotropy: tuple[Value, Value, Value] = (0.0, 0.0, 0.0)  # diagonal c, of `macrospin` (1) [T] (n,) each
    field: tuple[Value, Value, Value] = (0.0, 0.0, 0.0)       # B [T] (n,) each
    p_1: tuple[float, float, float] = (0.0, 0.0, 1.0)
    p_2: tuple[float, float, float] = (1.0, 0.0, 0.0)
    eta_1: Value = 0.6            # torque efficiency (n,)
    eta_2: Value = 0.6            # (n,)
    beta_1: Value = 0.0           # field-like ratio b/a (n,)
    beta_2: Value = 0.0           # (n,)
    current_2: float = 0.0        # through the second polarizer while I flows: a read that disturbs [A]
    g_0: Value = 1.5e-4           # mean conductance [S] (n,)
    polarization: Value = 0.6     # P (n,)
    duration: float = 1e-9        # T [s]

    def __post_init__(self) -> None:
        for name in _NUMBERS:
            object.__setattr__(self, name, value := finite(getattr(self, name), f"a neuron's {name}"))
            if name in _POSITIVE and not np.all(np.asarray(value) > 0):
                raise DataError(f"a neuron's {name} must be above 0, got {np.min(value):.6g}")
        for name in ("anisotropy", "field"):
            vector = getattr(self, name)
            if not isinstance(vector, tuple | list | np.ndarray) or np.size(vector[:1]) == 0 or len(vector) != 3:
                raise DataError(f"a neuron's {name} has three components, each a number or one value per device [T]")
            object.__setattr__(self, name, tuple(finite(x, f"a neuron's {name} [T]") for x in vector))
        for name in ("p_1", "p_2"):
            object.__setattr__(self, name, tuple(unit_vectors(getattr(self, name), f"a neuron's {name}").tolist()))
        if np.shape(self.p_1) != (3,) or np.shape(self.p_2) != (3,):
            raise DataError("a neuron's p_1 and p_2 are directions of three components")
        if abs(np.dot(self.p_1, self.p_2)) > 1e-9:
            raise DataError("p_2 reads the bell only at right angles to p_1")
        if np.any(np.asarray(self.polarization) > 1) or np.any(np.asarray(self.temperature) < 0):
            raise DataError("a neuron's polarization is at most 1, its temperature at least 0 K")
        if len(self.shape) > 1 or np.ndim(self.current_2) or np.ndim(self.duration):
            raise DataError("a neuron's arrays have one length; current_2 [A] and duration [s] are one number for all devices")

    @property
    def shape(self) -> tuple[int, ...]:
        """() of a single neuron, (n,) of n."""
        values = (*(getattr(self, name) for name in _NUMBERS), *self.anisotropy, *self.field)
        return tuple({np.size(x) for x in values if np.ndim(x)})

    @property
    def moment(self) -> Value:
        """M_s V [A m^2]."""
        return self.m_s * np.pi / 4 * np.square(self.diameter) * self.thickness

    def reduced(self, currents: npt.ArrayLike, mode: Mode = "pulse") -> Array:
        """u of (3) or (4), or h of (5), at currents (k,) [A]: (*shape, k). DataError where the neuron lacks what they need."""
        a = column(HBAR * self.eta_1 / (2 * E_CHARGE * self.moment)) * finite(currents, "input currents [A]")
        alpha, beta = column(self.alpha), column(self.beta_1)
        bias = column(sum(b * p for b, p in zip(self.field, self.p_2 if mode == "static" else self.p_1, strict=True)))
        if mode == "pulse":
            return np.asarray(GAMMA * self.duration * a * (1 + alpha * beta) / (1 + alpha ** 2))
        if mode == "static" and np.all(bias > 0) and np.all(beta > 0):
            return np.asarray(beta * a / bias)
        if mode == "thermal" and np.all(np.asarray(self.temperature) > 0):
            return np.asarray((a * (beta + 1 / alpha) + bias) / column(self.macrospin().thermal_field))
        raise DataError(f"mode {mode!r}: wanted is 'pulse', 'static' (with a field along p_2, beta_1 > 0), 'thermal' (with heat)")

    def ideal(self, currents: npt.ArrayLike, mode: Mode = "pulse") -> tuple[Array, Array]:
        """Sigmoid and bell (*shape, k) at currents (k,) [A] by (3), (4) or (5), which leave out whatever they do not mention."""
        u, alpha, beta = self.reduced(currents, mode), column(self.alpha), column(self.beta_1)
        if mode == "pulse":
            return pulse_curves(u, (beta - alpha) / (1 + alpha * beta))
        if mode == "static":
            return static_curves(u, 1 / beta)
        well = sum(c * (p * p - q * q) for c, p, q in zip(self.anisotropy, self.p_1, self.p_2, strict=True))  # c_z - c_x
        return thermal_curves(u, column(well / (2 * self.macrospin().thermal_field)))

    def macrospin(self, copies: int = 1) -> Macrospin:
        """The free layer with its polarizers, for `copies` trajectories of each neuron, side by side."""
        def spread(value: Value) -> Value:
            return np.repeat(value, copies) if np.ndim(value) else value

        torque = HBAR / (2 * E_CHARGE * self.moment)
        both = tuple(Polarizer(direction=p, torque=spread(torque * eta), field_like=spread(beta))
                     for p, eta, beta in ((self.p_1, self.eta_1, self.beta_1), (self.p_2, self.eta_2, self.beta_2)))
        (c_x, c_y, c_z), (b_x, b_y, b_z) = (map(spread, vector) for vector in (self.anisotropy, self.field))
        return Macrospin(alpha=spread(self.alpha), magnetization=spread(self.m_s), volume=spread(self.moment / self.m_s),
                         temperature=spread(self.temperature), anisotropy=(c_x, c_y, c_z), field=(b_x, b_y, b_z),
                         polarizers=both if self.current_2 else both[:1])


_POSITIVE = ("alpha", "m_s", "thickness", "diameter", "eta_1", "eta_2", "g_0", "polarization", "duration")
_NUMBERS = (*_POSITIVE, "temperature", "beta_1", "beta_2", "current_2")


def sample_neurons(neuron: TwoPolarizerNeuron, n: int, rng: np.random.Generator, *, diameter: float = 0.0, thickness: float = 0.0,
                   alpha: float = 0.0, eta: float = 0.0, field: float = 0.0, ra: float = 0.0, polarization: float = 0.0,
                   distribution: Law = "normal") -> TwoPolarizerNeuron:
    """n neurons around nominal ones (a single one, or n): relative standard deviations (0.05 is 5 %), laws as in `variation`.

    The diameter moves the volume and, by the area, G_0; ra moves G_0 alone, eta both efficiencies, field the whole vector.
    All causes are drawn, so that none moves another's draws.
    Raises DataError for a sigma beyond [0, 1], P above 1, and where the normal law gives 0 or less (the lognormal cannot).
    """
    _neuron(neuron)
    if not isinstance(n, int | np.integer) or isinstance(n, bool) or not 1 <= n <= MOST or neuron.shape not in ((), (n,)):
        raise DataError(f"{n!r} neurons cannot be drawn around nominal ones of shape {neuron.shape}")
    check_law(distribution)
    memory.require(f"{n} neurons", 200.0 * n)
    f = {}
    for cause, sigma in {"diameter": diameter, "thickness": thickness, "alpha": alpha, "eta": eta, "field": field, "ra": ra,
                         "polarization": polarization}.items():
        if np.ndim(finite(sigma, f"the variation of {cause}")) or not 0 <= sigma <= 1:
            raise DataError(f"the variation of {cause} must be one number between 0 and 1 (0.05 is 5 %), got {sigma!r}")
        z = generator(rng).standard_normal(n)
        f[cause] = scattered(z, sigma, distribution)
        if np.any(f[cause] <= 0):
            raise DataError(f"{np.count_nonzero(f[cause] <= 0)} of {n} neurons came out with {cause} <= 0: reduce the variation "
                            "or take the lognormal law")
    x, y, z = (b * f["field"] for b in neuron.field)
    same = {name: getattr(neuron, name) * f[name] for name in ("diameter", "thickness", "alpha", "polarization")}
    return replace(neuron, **same, eta_1=neuron.eta_1 * f["eta"], eta_2=neuron.eta_2 * f["eta"], field=(x, y, z),
                   g_0=neuron.g_0 * np.square(f["diameter"]) / f["ra"])


@dataclass(frozen=True, kw_only=True, eq=False)
class TransferCurve:
    """What the polarizers of a neuron, or of n, read at k input currents; all but the currents are (*neuron.shape, k)."""

    neuron: TwoPolarizerNeuron
    currents: Array    # (k,) [A]
    sigmoid: Array     # m.p_1, mean over the repeats
    bell: Array        # m.p_2, mean over the repeats
    sd_sigmoid: Array  # standard deviation of one reading, from the repeats; 0 where there is only one
    sd_bell: Array

    @property
    def conductances(self) -> tuple[Array, Array]:
        """Mean G_1 and G_2 [S]."""
        g_0, gain = column(self.neuron.g_0), column(np.square(self.neuron.polarization))
        return g_0 * (1 + gain * self.sigmoid), g_0 * (1 + gain * self.bell)


def transfer(neuron: TwoPolarizerNeuron, currents: npt.ArrayLike, rng: np.random.Generator, *, repeats: int = 1,
             dt: float | None = None, progress: bool = True) -> TransferCurve:
    """The readings at input currents (k,) [A]: one trajectory of `llgs` (1) per neuron, current and repeat.

    Devices that differ: transfer(sample_neurons(...), ...). dt [s] and progress are those of `integrate`. Raises DataError
    for bad currents or repeats, SizeError if the trajectories would not fit in memory.
    """
    _neuron(neuron)
    currents = np.atleast_1d(finite(currents, "input currents [A]"))
    if np.abs(currents).max() > 1e6:
        raise DataError(f"input currents are at most 1e6 A, got {np.abs(currents).max():.3g}")
    repeats = count(repeats, "number of repeats")
    shape = (*neuron.shape, currents.size, int(repeats))
    memory.require("reads of neurons", 300.0 * math.prod(shape))
    spin = neuron.macrospin(currents.size * int(repeats))
    flows = (np.broadcast_to(currents[:, None], shape).ravel(), neuron.current_2)[:len(spin.polarizers)]
    run = integrate(spin, Drive(currents=flows), neuron.duration, math.prod(shape), rng, m0=neuron.p_2, dt=dt, progress=progress)
    first, second = ((run.final @ np.array(p)).reshape(shape) for p in (neuron.p_1, neuron.p_2))
    sd_1, sd_2 = (x.std(axis=-1, ddof=1) if repeats > 1 else np.zeros(shape[:-1]) for x in (first, second))
    return TransferCurve(neuron=neuron, currents=currents, sigmoid=first.mean(axis=-1), bell=second.mean(axis=-1),
                         sd_sigmoid=sd_1, sd_bell=sd_2)


def finite(value: npt.ArrayLike, what: str) -> Value:
    """A finite number, or (n,) array of them."""
    array = real_array(value, what)
    if array.ndim > 1 or array.size == 0 or not np.all(np.isfinite(array)):
        raise DataError(f"{what} must be a finite number, or a row of them, got shape {array.shape}")
    return float(array) if array.ndim == 0 else array


def _neuron(neuron: Any) -> None:
    """Raise DataError for what is no neuron."""
    if not isinstance(neuron, TwoPolarizerNeuron):
        raise DataError(f"neuron must be an xb.mtj.TwoPolarizerNeuron, not {type(neuron).__name__}")


def column(value: npt.ArrayLike) -> Array:
    """() or (n,) made (1,) or (n, 1), to stand before the axis of the currents."""
    return np.asarray(value, dtype=float)[..., None]
