"""A neuron device's two curves as an activation function: forward from the sigmoid, derivative from the bell.

The curves are normalised to the logistic, 1 / (1 + exp(-x)), or to tanh x, once for all devices; what they then differ by,
from the exact function, from each other and between sigmoid and bell, is what training on such devices has to live with.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy

from crossbar.checks import real_array
from crossbar.errors import DataError
from crossbar.mtj.polarizers import TransferCurve, TwoPolarizerNeuron, column

Array = npt.NDArray[np.float64]
Like = Literal["logistic", "tanh"]


@dataclass(frozen=True)
class ExactActivation:
    """The functions that devices stand in for, 1 / (1 + exp(-x)) or tanh x, with the methods of TabulatedActivation."""

    like: Like = "logistic"

    def __post_init__(self) -> None:
        if not isinstance(self.like, str) or self.like not in ("logistic", "tanh"):
            raise DataError(f"an activation is like 'logistic' or 'tanh', got {self.like!r}")

    def forward(self, x: npt.ArrayLike, rng: np.random.Generator | None = None) -> Array:
        return np.asarray(np.tanh(x) if self.like == "tanh" else (1 + np.tanh(np.asarray(x) / 2)) / 2)

    def derivative(self, x: npt.ArrayLike, rng: np.random.Generator | None = None) -> Array:
        y = self.forward(x)
        return np.asarray(1 - y * y if self.like == "tanh" else y * (1 - y))


LOGISTIC, TANH = ExactActivation("logistic"), ExactActivation("tanh")


@dataclass(frozen=True, kw_only=True, eq=False)
class Mismatch:
    """Largest deviations, () or (n,)."""

    forward: Array   # of forward(w x) from the exact function, with the best w
    bell: Array      # of derivative(w x), scaled to the peak of the exact derivative, from that, with its own best w
    gradient: Array  # of `derivative` from d forward/dx: what training meets


@dataclass(frozen=True, kw_only=True, eq=False)
class TabulatedActivation:
    """A device's curves as an activation: monotone cubics; beyond the ends the values there, as of a driver at its limit.

    dy comes from the bell and not from y: that the two do not quite belong together is the point.
    Raises DataError unless x increases, all is finite and the shapes agree; calls do for x that does not fit n devices.
    """

    x: Array                # (k,)
    y: Array                # (k,) or (n, k); the reference's readings lie in [0, 1] or, like tanh, in [-1, 1]
    dy: Array               # of y's shape
    sd_y: Array             # of one reading, of y's shape; a pair of readings is taken as independent
    sd_dy: Array
    like: Like = "logistic"
    bell_gain: float = 1.0  # the bell is read at bell_gain x
    unit: float = math.nan  # current of x = 1 [A]

    def __post_init__(self) -> None:
        for name in ("x", "y", "dy", "sd_y", "sd_dy"):
            object.__setattr__(self, name, table := real_array(getattr(self, name), f"an activation's {name}"))
            if not np.all(np.isfinite(table)) or table.shape != (self.x.shape if name == "x" else np.shape(self.y)):
                raise DataError(f"an activation's {name} must be finite, and y, dy, sd_y and sd_dy of one shape")
        if self.x.ndim != 1 or self.x.size < 4 or not np.all(np.diff(self.x) > 0) or self.y.shape not in (
                self.x.shape, (*self.y.shape[:1], *self.x.shape)):
            raise DataError(f"an activation takes increasing x (k,), k > 3, y (k,) or (n, k): got {self.x.shape}, {self.y.shape}")

    @classmethod
    def from_curve(cls, curve: TransferCurve, *, like: Like = "logistic", reference: TransferCurve | None = None,
                   bell_gain: float | None = 1.0) -> "TabulatedActivation":
        """A curve's readings in the calibration of a reference curve (of n devices: their mean); None: in its own.

        With the reference's G_0 and P, (1) gives m.p; y is (1 + m.p_1) / 2 or, like tanh, m.p_1. Least squares over its currents
        fit x = I / unit, so that y is closest to the exact function, and the factor that makes the bell dy/dx. Devices keep what
        they differ by. bell_gain: the bell is read at that times the current, in a second pulse (1: in the same); None: fitted.
        Raises DataError where the currents do not increase, or the bell does not follow the slope at all.
        """
        base = curve if reference is None else reference
        mean_1, mean_2 = (np.atleast_2d(x).mean(axis=0) for x in _readings(base, base.neuron)[:2])
        if mean_1.size < 4 or not np.all(np.diff(base.currents) > 0):
            raise DataError("an activation needs at least 4 currents, increasing")
        exact, scale, weight = ExactActivation(like), 1.0 if like == "tanh" else 0.5, np.gradient(base.currents)
        y, peak = 1 - scale + scale * mean_1, np.abs(base.currents).max()
        unit = _golden(lambda w: np.square(exact.forward(base.currents / w[:, None]) - y) @ weight, peak / 1e3, peak * 10)[0]
        x = base.currents / unit
        slope, cubics = np.gradient(y, x) * weight, scipy.interpolate.PchipInterpolator(x, mean_2).c

        def scaled(gain: Array) -> tuple[Array, Array]:  # the best factor of the bell read at gain x; less is better
            bell = _read(x, cubics, gain[:, None] * x)
            factor = bell @ slope / np.maximum(np.square(bell) @ weight, 1e-300)
            return factor, -factor * (bell @ slope)

        gain = float(_golden(lambda w: scaled(w)[1], 0.25, 4.0)[0] if bell_gain is None else bell_gain)
        if not (factor := float(scaled(np.array([gain]))[0][0])) > 0:
            raise DataError("the bell does not follow the slope of the sigmoid: look at p_2 and the range of the currents")
        first, bell, sd_1, sd_2 = _readings(curve, base.neuron)
        return cls(x=curve.currents / unit, y=1 - scale + scale * first, dy=factor * bell, sd_y=scale * sd_1, sd_dy=factor * sd_2,
                   like=like, bell_gain=gain, unit=float(unit))

    @cached_property
    def _cubics(self) -> tuple[Array, ...]:
        tables = (self.y, self.dy, self.sd_y, self.sd_dy)
        return tuple(scipy.interpolate.PchipInterpolator(self.x, table, axis=-1).c for table in tables)

    def forward(self, x: npt.ArrayLike, rng: np.random.Generator | None = None) -> Array:
        """y at x (...), or (..., n or 1) for n devices: (..., n). With rng: one noisy reading of each, not the mean."""
        return self._reading(0, x, rng)

    def derivative(self, x: npt.ArrayLike, rng: np.random.Generator | None = None) -> Array:
        """The bell's dy at x, as `forward`."""
        return self._reading(1, self.bell_gain * np.asarray(x, dtype=float), rng)

    def _reading(self, which: int, x: npt.ArrayLike, rng: np.random.Generator | None) -> Array:
        mean = _read(self.x, self._cubics[which], x)
        return mean if rng is None else mean + _read(self.x, self._cubics[2 + which], x) * rng.standard_normal(mean.shape)

    def mismatch(self) -> Mismatch:
        """How far the curves are from the exact ones, within the table and |x| <= 12."""
        exact = ExactActivation(self.like)
        x = np.linspace(max(self.x[0], -12.0), min(self.x[-1], 12.0), 1601)[:, None]
        y, dy, own = exact.forward(x), exact.derivative(x), self.derivative(x)
        peak = dy.max() / own.max(axis=0)
        gap = np.abs(own - np.gradient(self.forward(x), x[:, 0], axis=0)).max(axis=0)

        def least(error: Callable[[Array], Array]) -> Array:
            return error(_golden(error, 0.1, 10.0, gap.size)).reshape(self.y.shape[:-1])

        return Mismatch(forward=least(lambda w: np.abs(self.forward(w * x) - y).max(axis=0)),
                        bell=least(lambda w: np.abs(peak * self.derivative(w * x) - dy).max(axis=0)),
                        gradient=gap.reshape(self.y.shape[:-1]))


def _read(x: Array, cubics: Array, at: npt.ArrayLike) -> Array:
    """Piecewise cubics (4, k - 1) or (4, k - 1, n) with the nodes x (k,) at `at` (...), or (..., n or 1): (..., n)."""
    where = np.clip(np.asarray(at, dtype=float), x[0], x[-1])
    if cubics.ndim == 3 and where.shape[-1:] not in ((), (1,), cubics.shape[2:]):
        raise DataError(f"inputs of shape {where.shape} do not fit {cubics.shape[2]} devices, the last axis")
    i = np.clip(np.searchsorted(x, where, side="right") - 1, 0, x.size - 2)
    t = where - x[i]
    c = cubics[:, i] if cubics.ndim == 2 else cubics[:, i, np.arange(cubics.shape[2])]
    return np.asarray(((c[0] * t + c[1]) * t + c[2]) * t + c[3])


def _golden(error: Callable[[Array], Array], low: float, high: float, size: int = 1) -> Array:
    """Where each of `size` functions, error of (size,), is least between low and high: golden section in the logarithm."""
    a, b, ratio = np.full(size, math.log(low)), np.full(size, math.log(high)), (math.sqrt(5) - 1) / 2
    for _ in range(50):
        c, d = b - ratio * (b - a), a + ratio * (b - a)
        left = error(np.exp(c)) < error(np.exp(d))
        a, b = np.where(left, a, c), np.where(left, d, b)
    return np.exp((a + b) / 2)


def _readings(curve: TransferCurve, reference: TwoPolarizerNeuron) -> tuple[Array, Array, Array, Array]:
    """Both readings of m and their standard deviations, computed from G_k with the reference's mean G_0 and P."""
    g_0, gain = np.mean(reference.g_0), np.mean(np.square(reference.polarization))
    ratio = column(curve.neuron.g_0 * np.square(curve.neuron.polarization)) / (g_0 * gain)
    first, second = ((g / g_0 - 1) / gain for g in curve.conductances)
    return first, second, ratio * curve.sd_sigmoid, ratio * curve.sd_bell
