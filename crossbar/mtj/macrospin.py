"""One magnetic moment that moves as a whole: its fields, torques and thermal equilibrium.

Energy, per moment M_s V [T], of the unit vector m in the diagonal anisotropy c and the external field b:

    E(m) = -1/2 m.C m - b.m,   C = diag(c),   B = -dE/dm = C m + b                                          (1)

Each polarizer p, crossed by a current I, adds the torques -gamma a m x (m x p) - gamma b m x p with

    a = torque I / (1 + asymmetry m.p),   b = field_like a    [T]                                           (2)

(Slonczewski, J. Magn. Magn. Mater. 159, L1 (1996), and Phys. Rev. B 71, 024411 (2005)); a > 0 drives m towards +p.

Equilibrium around a minimum e, C e + b = l e: with the chord d = m - e, |d|^2 = 2 (1 - m.e) = 2 w, (1) is exactly

    E(m) - E(e) = 1/2 d.(l - C) d >= q w,   q = least d.(l - C) d / |d|^2 over the hemisphere w <= 1              (3)

so candidates with w exponential of rate M_s V q / kT and the angle around e uniform, accepted with probability
exp(-M_s V (E(m) - E(e) - q w) / kT), have the Boltzmann distribution of that hemisphere exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crossbar import memory
from crossbar.checks import real_array
from crossbar.errors import DataError
from crossbar.kernel import njit, prange
from crossbar.mtj.streams import LANES, direction, exponential, next_word
from crossbar.units import K_BOLTZMANN

Array = npt.NDArray[np.float64]
Value = float | Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Polarizer:
    """A fixed layer that a current passes, (2). Numbers, or arrays (n,) with one value per trajectory.

    Raises DataError unless direction is a finite vector that is not 0 (it is normalised), and |asymmetry| < 1.
    """

    direction: tuple[float, float, float] = (0.0, 0.0, 1.0)
    torque: Value = 0.0      # [T/A]
    asymmetry: Value = 0.0   # lambda of (2)
    field_like: Value = 0.0  # b / a

    def __post_init__(self) -> None:
        object.__setattr__(self, "direction", tuple(unit_vectors(self.direction, "the direction of a polarizer").tolist()))
        for name in ("torque", "asymmetry", "field_like"):
            object.__setattr__(self, name, _values(getattr(self, name), f"polarizer's {name}"))
        if not np.all(np.abs(self.asymmetry) < 1):
            raise DataError("a polarizer's asymmetry must lie between -1 and 1")
        if not np.all(np.abs(self.field_like) <= 1e12):
            raise DataError("a polarizer's field_like = b / a must lie between -1e12 and 1e12")


@dataclass(frozen=True, kw_only=True, eq=False)
class Macrospin:
    """What the s-LLGS equation needs to know of a free layer. Numbers, or arrays (n,) with one value per trajectory.

    anisotropy: the diagonal c of (1) [T]; of a perpendicular layer c_z = 2 K_i / (t M_s) - mu_0 M_s N_z, c_x = -mu_0 M_s N_x.
    field: external b [T]. polarizers: at most two.
    Raises DataError for values that are not finite or out of range, and shapes that disagree.
    """

    alpha: Value             # Gilbert damping
    magnetization: Value     # M_s [A/m]
    volume: Value            # [m^3]
    temperature: Value       # [K], 0 for none of the thermal field
    anisotropy: tuple[Value, Value, Value] = (0.0, 0.0, 0.0)  # [T]
    field: tuple[Value, Value, Value] = (0.0, 0.0, 0.0)       # [T]
    polarizers: tuple[Polarizer, ...] = ()

    def __post_init__(self) -> None:
        for name in ("alpha", "magnetization", "volume", "temperature"):
            value = _values(getattr(self, name), f"macrospin's {name}")
            object.__setattr__(self, name, value)
            if not (np.all(np.asarray(value) > 0) or (name in ("temperature", "alpha") and np.all(np.asarray(value) >= 0))):
                raise DataError(f"a macrospin's {name} must be positive, got {np.min(value):.6g}")
        for name in ("anisotropy", "field"):
            vector = getattr(self, name)
            if not isinstance(vector, (tuple, list)) or len(vector) != 3:
                raise DataError(f"a macrospin's {name} has three components, each a number or one value per trajectory [T]")
            object.__setattr__(self, name, tuple(_values(x, f"macrospin's {name} [T]") for x in vector))
        if not isinstance(self.polarizers, tuple | list) or not all(isinstance(p, Polarizer) for p in self.polarizers):
            raise DataError("a macrospin's polarizers are a tuple of xb.mtj.Polarizer(...)")
        if len(self.polarizers) > 2:
            raise DataError(f"a macrospin has at most two polarizers, got {len(self.polarizers)}")
        sizes = {np.size(x) for x in self._everything() if np.ndim(x)}
        if len(sizes) > 1:
            raise DataError(f"a macrospin's arrays hold one value per trajectory; their lengths {sorted(sizes)} disagree")

    def _everything(self) -> list[Value]:
        return [self.alpha, self.magnetization, self.volume, self.temperature, *self.anisotropy, *self.field,
                *(x for p in self.polarizers for x in (p.torque, p.asymmetry, p.field_like))]

    @property
    def size(self) -> int | None:
        """Number of trajectories that the arrays among the fields describe; None if all are numbers."""
        return next((np.size(x) for x in self._everything() if np.ndim(x)), None)

    @property
    def thermal_field(self) -> Array:
        """kT / (M_s V) [T]: fields below it are lost in thermal motion."""
        return np.asarray(K_BOLTZMANN * self.temperature / (self.magnetization * np.asarray(self.volume)))


def unit_vectors(value: npt.ArrayLike, what: str) -> Array:
    """Vectors (..., 3) made unit vectors. Raises DataError where they are not finite or 0; `what` begins the message."""
    vectors = real_array(value, what)
    if vectors.shape[-1:] != (3,):
        raise DataError(f"{what}: three components are wanted in the last axis, got shape {vectors.shape}")
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if not (np.all(np.isfinite(length)) and np.all(length > 0)):
        raise DataError(f"{what}: vectors must be finite and not 0")
    return vectors / length


def boltzmann(spin: Macrospin, start: npt.ArrayLike, n: int, words: npt.NDArray[np.uint64]) -> Array:
    """Moments (n, 3) in thermal equilibrium, without current, around the minimum of energy next to `start`.

    start : (3,) or (n, 3) unit vectors. words : the n streams, of `make_streams`; they move on.
    Raises DataError where there is no such minimum, or it is so shallow that its hemisphere holds a lower energy.
    """
    width = n if spin.size or np.ndim(start) > 1 else 1
    memory.require(f"equilibrium of {n} macrospins", 8.0 * (40 * width + 3 * n))
    c, b = (np.stack([np.broadcast_to(x, width) for x in vector], axis=-1) for vector in (spin.anisotropy, spin.field))
    e = _minimum(c, b, np.broadcast_to(start, (width, 3)))
    tangents = _tangents(e)
    scale = np.max(np.abs(c), axis=-1) + np.linalg.norm(b, axis=-1)
    stiff = np.sum((c * e + b) * e, axis=-1)[:, None] - c  # the diagonal of l - C in (3)
    bound = _least_curvature(stiff, b, e, tangents)
    if np.any(bound < -1e-9 * scale):
        raise DataError(f"{np.count_nonzero(bound < -1e-9 * scale)} of {width} macrospins have no well of energy around the "
                        "start state, hence no equilibrium to start from: give m0, or another state, field or anisotropy")
    hot = np.broadcast_to(spin.thermal_field, width)
    with np.errstate(divide="ignore"):
        beta = 1 / hot
    out = np.empty((n, 3))
    _draw(words, e, tangents, np.ascontiguousarray(stiff), np.maximum(bound, 0.0), beta, out)
    return out


def _minimum(c: Array, b: Array, start: Array) -> Array:
    """Unit vectors e (w, 3) with C e + b parallel to e, found by following the field from `start`."""
    e = start / np.linalg.norm(start, axis=-1, keepdims=True)
    c = c - c.min(axis=-1, keepdims=True)
    scale = np.maximum(c.max(axis=-1, keepdims=True) + np.linalg.norm(b, axis=-1, keepdims=True), 1e-300)
    for _ in range(20_000):
        pull = (c * e + b) / scale
        across = pull - np.sum(pull * e, axis=-1, keepdims=True) * e
        if np.all(np.abs(across) < 1e-13):
            return e
        e = e + pull
        e /= np.linalg.norm(e, axis=-1, keepdims=True)
    raise DataError("no minimum of energy was found from the start state: the field nearly balances the anisotropy; give m0")


def _tangents(e: Array) -> Array:
    """Two unit vectors (w, 2, 3) normal to e (w, 3) and to each other."""
    helper = np.where(np.abs(e[:, :1]) < 0.8, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    first = np.cross(helper, e)
    first /= np.linalg.norm(first, axis=-1, keepdims=True)
    return np.stack([first, np.cross(e, first)], axis=1)


def _least_curvature(stiff: Array, b: Array, e: Array, tangents: Array) -> Array:
    """Lower bound (w,) [T] of q in (3).

    d / |d| = cos(psi/2) t - sin(psi/2) e with a tangent t and psi in [0, pi/2], the angle between m and e. Since
    t.(l - C) e = t.b, the form is at least (A + B cos psi) - H sin psi with A, B of its values in e and t and H = |b across e|.
    """
    form = np.einsum("wik,wk,wjk->wij", tangents, stiff, tangents)
    middle, half = (form[:, 0, 0] + form[:, 1, 1]) / 2, (form[:, 0, 0] - form[:, 1, 1]) / 2
    flat = middle - np.hypot(half, form[:, 0, 1])  # least eigenvalue among tangents
    along = np.sum(stiff * e * e, axis=-1)
    a, b_cos = (flat + along) / 2, (flat - along) / 2
    h = np.linalg.norm(np.einsum("wik,wk->wi", tangents, b), axis=-1)
    return np.asarray(np.where(b_cos < 0, a - np.hypot(b_cos, h), np.minimum(flat, a - h)))


@njit(parallel=True, cache=True, error_model="numpy")
def _draw(words, e, tangents, stiff, bound, beta, out):  # type: ignore[no-untyped-def]
    """Rejection from (3), each trajectory with its own stream; an infinite beta (no temperature) gives e itself."""
    for index in prange(out.shape[0]):
        i = np.intp(index)  # signed, as all that it meets
        k = i if e.shape[0] > 1 else 0
        own, lane = words[i // LANES], i % LANES
        rate = beta[k] * bound[k]
        while True:
            if np.isinf(beta[k]):
                out[i] = e[k]
                break
            first, angle, last = next_word(own, lane), next_word(own, lane), next_word(own, lane)
            w = exponential(first)
            if rate > 1.0:
                w /= rate
            else:  # nearly flat: uniform in the hemisphere
                w, rate = math.exp(-w), 0.0
            if w > 1.0:
                continue
            cosine, sine = direction(angle)
            across, energy = math.sqrt(w * (2.0 - w)), 0.0
            for axis in range(3):
                d = across * (cosine * tangents[k, 0, axis] + sine * tangents[k, 1, axis]) - w * e[k, axis]
                out[i, axis] = e[k, axis] + d
                energy += 0.5 * stiff[k, axis] * d * d
            if exponential(last) >= beta[k] * energy - rate * w:
                break


def _values(value: Value, what: str) -> Value:
    """A finite number, or an array (n,) of them."""
    array = real_array(value, f"a {what}")
    if array.ndim > 1 or array.size == 0 or not np.all(np.isfinite(array)):
        raise DataError(f"a {what} must be a finite number or an array of one per trajectory")
    return float(array) if array.ndim == 0 else array
