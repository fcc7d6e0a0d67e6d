"""Likelihood of switching counts and its maximum, for `crossbar.mtj.fitting.fit_switching`; the laws are described there.

`Thermal` counts obey a closed rate, in the region where it holds, which depends on the solution. `Tabulated` counts take their
probability from the Fokker-Planck table, whose piecewise cubics have small jumps of slope: the maximum may be a cusp, where no
gradient vanishes. Hence Fisher scoring from the best point of a coarse scan and, where that does not settle, a simplex.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import scipy

from crossbar.errors import DataError
from crossbar.mtj import table
from crossbar.mtj.fokker_planck import cumulative_hazard
from crossbar.mtj.switching import thermal_rate

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

LEAST_BARRIER = 2.0  #: Delta (1 - i)^e of points that enter a fit of a closed rate [1]
LEAST_OVERDRIVE = 0.02  #: of the highest pulse, in a fit with the table
MARGIN = 1e-3  #: of ln I_c0 and ln Delta from the ends of the table
STEP = 1e-4  #: of ln I_c0 and ln Delta, in slopes from the table
SETTLED = 1e-4  #: squared distance from the maximum [sigma^2]


class Likelihood(Protocol):
    """What its maximum is sought with."""

    @property
    def trials(self) -> Array: ...

    def loss(self, x: Array) -> float: ...

    def gradient(self, x: Array) -> Array: ...

    def information(self, x: Array) -> Array: ...

    def distance(self, x: Array) -> float: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Counts(ABC):
    """Switching counts and their likelihood as a function of x = (ln I_c0, ln Delta)."""

    amperes: Array   # |I(v)| [A]
    s: Array         # width / attempt time
    switched: Array
    trials: Array

    def where(self, used: Mask) -> Self:
        return replace(self, amperes=self.amperes[used], s=self.s[used], switched=self.switched[used], trials=self.trials[used])

    @abstractmethod
    def inside(self, x: Array) -> bool:
        """Whether the law holds there: elsewhere the loss is infinite."""

    @abstractmethod
    def hazard(self, x: Array) -> tuple[Array, Array]:
        """h and d ln h/dx (2, points); finite for any x."""

    def loss(self, x: Array) -> float:
        """- ln likelihood per pulse."""
        return float(self._loss(self.hazard(x)[0])) if self.inside(x) else np.inf

    def _loss(self, h: Array) -> Array:
        loss = (self.trials - self.switched) * h - scipy.special.xlogy(self.switched, -np.expm1(-h))
        return np.asarray(np.sum(loss, axis=-1) / np.sum(self.trials))

    def gradient(self, x: Array) -> Array:
        h, slopes = self.hazard(x)
        odds = -np.exp(-h) / np.expm1(-h)  # 1 / (e^h - 1) without overflow
        return slopes @ (h * (self.trials - self.switched - self.switched * odds)) / np.sum(self.trials)

    def information(self, x: Array) -> Array:
        """Fisher information, (3) of `fit`."""
        h, slopes = self.hazard(x)
        return np.asarray((slopes * (self.trials * h ** 2 * -np.exp(-h) / np.expm1(-h))) @ slopes.T, dtype=float)

    def distance(self, x: Array) -> float:
        """Square of the distance from the maximum, as the Fisher information has it [sigma^2]."""
        gradient = self.gradient(x) * np.sum(self.trials)
        return float(gradient @ np.linalg.lstsq(self.information(x), gradient, rcond=None)[0])

    def deviance(self, x: Array) -> float:
        share, xlogy = self.switched / self.trials, scipy.special.xlogy
        saturated = -np.sum(xlogy(self.switched, share) + xlogy(self.trials - self.switched, 1 - share))
        return float(2 * (self.loss(x) * np.sum(self.trials) - saturated))


# The closed rates


@dataclass(frozen=True, kw_only=True, eq=False)
class Thermal(Counts):
    """Counts that obey `thermal_rate`."""

    exponent: int

    def barrier(self, x: Array) -> Array:
        """Delta (1 - i)^e; -inf where i >= 1."""
        rest = 1 - self.amperes / np.exp(x[0])
        return np.where(rest > 0, np.exp(x[1]) * rest ** self.exponent, -np.inf)

    def inside(self, x: Array) -> bool:
        return bool(np.all(self.amperes < np.exp(x[0])) and abs(x[1]) <= 14)

    def hazard(self, x: Array) -> tuple[Array, Array]:
        i, delta = np.minimum(self.amperes / np.exp(max(x[0], -700)), 1 - 1e-9), float(np.exp(np.clip(x[1], -14, 14)))
        rest = 1 - i
        if self.exponent == 1:
            by_i, by_delta = np.full_like(i, delta), -delta * rest
        else:
            by_i, by_delta = 2 * delta * rest - 2 * i / (1 - i * i) - 1 / rest, 0.5 - delta * rest ** 2
        return np.clip(self.s * thermal_rate(i, delta, self.exponent), 1e-300, 1e300), np.array([-i * by_i, by_delta])


def solve(data: Thermal) -> tuple[Array, Mask]:
    """The likeliest x, and the points that are thermally activated there, from which it comes."""
    _require_two_voltages(data)
    x = _line(data)
    used = data.barrier(x) >= LEAST_BARRIER
    for attempt in range(40):
        kept = data.where(used)
        _require_two_voltages(kept)
        x = _maximise(kept, x)
        valid = data.barrier(x) >= LEAST_BARRIER
        if attempt >= 5:
            valid &= used  # points on the edge that come and go stay out
        if np.array_equal(valid, used):
            return x, used
        used = valid
    raise DataError("no set of points is thermally activated: measure longer pulses at lower voltages")


def _require_two_voltages(data: Counts) -> None:
    """The likelihood has a maximum if at two voltages some but not all pulses switched."""
    levels, which = np.unique(data.amperes, return_inverse=True)
    switched, trials = (np.bincount(which, weights=n, minlength=levels.size) for n in (data.switched, data.trials))
    between = np.count_nonzero((switched > 0) & (switched < trials))
    if between < 2:
        raise DataError(f"V_c0 and Delta need two voltages or more, among the points that enter, at which some but not all "
                        f"pulses switched; there {'is' if between == 1 else 'are'} {between} (of {levels.size}). Other pulse "
                        "widths alone do not help: long pulses all measure one rate")


def _line(data: Thermal) -> Array:
    """x to begin with: the barrier to the power 1/e is linear in the current, but for the prefactor of (1)."""
    partly = (data.switched > 0) & (data.switched < data.trials)
    if np.unique(data.amperes[partly]).size > 1:  # the others only bound the rate
        data = data.where(partly)
    h = -np.log1p(-(data.switched + 0.5) / (data.trials + 1))
    height = np.maximum(np.log(data.s) - np.log(h), 0) ** (1 / data.exponent)
    weight = np.sqrt(data.trials * h ** 2 / np.expm1(h)) * height ** (data.exponent - 1)
    slope, intercept = np.polyfit(data.amperes, height, 1, w=weight) if np.count_nonzero(weight) > 1 else (0.0, 0.0)
    if not intercept > 0 > slope:
        raise DataError("the share of switched pulses does not grow with the voltage as in thermal activation; look at the "
                        "signs, at tau_d and at the pulse widths")
    return np.log([-intercept / slope, intercept ** data.exponent])


def _maximise(data: Thermal, x: Array) -> Array:
    """The likeliest x: a trust region with the Fisher information for a Hessian."""
    total = np.sum(data.trials)
    result = scipy.optimize.minimize(data.loss, x, jac=data.gradient, hess=lambda x: data.information(x) / total,
                                     method="trust-exact", options={"gtol": 1e-10, "maxiter": 200})
    if not data.distance(result.x) < SETTLED + 1e-13 * total:  # a minimiser's flag at rounding error means nothing
        raise DataError("the likelihood of these switching counts has no maximum within thermal activation; look at the signs, "
                        "at tau_d and at the pulse widths")
    return np.asarray(result.x)


# The table


@dataclass(frozen=True, kw_only=True, eq=False)
class Tabulated(Counts):
    """Counts that obey the Fokker-Planck equation."""

    def box(self) -> tuple[Array, Array]:
        """Lowest and highest x."""
        top = np.log(self.amperes.max() / [table.I_MAX, LEAST_OVERDRIVE])
        low, high = np.stack([top, np.log(table.DELTA)], axis=1)
        return low + MARGIN, high - MARGIN

    def inside(self, x: Array) -> bool:
        low, high = self.box()
        return bool(np.all(x >= low) and np.all(x <= high))

    def cumulative(self, x: Array) -> Array:
        """h (..., points) at x (2, ...)."""
        low, high = self.box()
        i_c0, delta = (np.exp(np.clip(part, a - MARGIN, b + MARGIN))[..., None]
                       for part, a, b in zip(x, low, high, strict=True))
        switched, error = table.load().probabilities(self.amperes / i_c0, self.s, delta)
        return np.maximum(cumulative_hazard(switched, error), 1e-300)

    def loss(self, x: Array) -> float:
        return float(self._loss(self.cumulative(x))) if self.inside(x) else np.inf

    def hazard(self, x: Array) -> tuple[Array, Array]:
        h = self.cumulative(x[:, None] + STEP * np.array([[0, 1, -1, 0, 0], [0, 0, 0, 1, -1]]))
        log_h = np.log(h)
        return h[0], (log_h[1::2] - log_h[2::2]) / (2 * STEP)

    def scan(self) -> Array:
        """The likeliest x of a grid."""
        grid = np.stack([a.ravel() for a in np.meshgrid(*(np.linspace(low, high, n) for low, high, n in
                                                          zip(*self.box(), (45, 12), strict=True)))])
        best = [(self._loss(self.cumulative(some)), some) for some in np.array_split(grid, -(-self.s.size // 30), axis=1)]
        return min(((loss.min(), some[:, loss.argmin()]) for loss, some in best), key=lambda pair: float(pair[0]))[1]


def solve_tabulated(data: Tabulated) -> Array:
    """The likeliest x. Raises DataError where the likelihood grows up to the ends of the table."""
    _require_two_voltages(data)
    x, settled = _score(data, data.scan())
    if not settled:
        x, settled = _polish(data, x)
    low, high = data.box()
    if not settled or np.min(np.minimum(x - low, high - x)) < MARGIN:
        ends = f"Delta from {table.DELTA[0]:g} to {table.DELTA[1]:g}, currents up to {table.I_MAX:g} I_c0"
        raise DataError(f"these switching counts do not determine V_c0 and Delta: their likelihood grows up to the ends of the "
                        f"table ({ends}). Measure pulses of more voltages, some of which switch now and then; if the share of "
                        "switched pulses does not grow with the voltage, look at the signs, at tau_d and at the pulse widths")
    return x


def maximise(data: Likelihood, x: Array) -> Array:
    """The maximum that lies near x, of any number of coordinates. Raises DataError where there is none."""
    x, settled = _score(data, x)
    if not settled:
        x, settled = _polish(data, x)
    if not settled or not np.isfinite(data.loss(x)):
        raise DataError("the likelihood of these switching counts has no maximum where the law holds; look at the signs, at "
                        "tau_d and at the pulse widths")
    return x


def _score(data: Likelihood, x: Array) -> tuple[Array, bool]:
    """Fisher's scoring, damped where it does not lower the loss; and whether it settled."""
    loss, damping, total = data.loss(x), 1e-3, np.sum(data.trials)
    for _ in range(100):
        gradient, information = -data.gradient(x) * total, data.information(x)
        if gradient @ np.linalg.lstsq(information, gradient, rcond=None)[0] < 1e-2 * SETTLED:
            return x, True
        while damping < 1e8:
            step = np.linalg.lstsq(information + damping * np.diag(np.diag(information)), gradient, rcond=None)[0]
            if (new := data.loss(x + step)) < loss:
                break
            damping *= 10
        else:
            break
        x, loss, damping = x + step, new, damping / 10
    return x, data.distance(x) < SETTLED


def _polish(data: Likelihood, x: Array) -> tuple[Array, bool]:
    """The minimum of the loss by Nelder and Mead's simplex, in units of sigma; and whether it settled."""
    scale, total = np.sqrt(np.diag(data.information(x))) + 1e-6, np.sum(data.trials)
    share, axes = np.linalg.eigh(data.information(x) / np.outer(scale, scale))
    unit = (axes / np.sqrt(np.maximum(share, 1e-6))) / scale[:, None]
    base = data.loss(x)
    simplex = np.vstack((np.zeros(x.size), np.eye(x.size)))
    result = scipy.optimize.minimize(lambda z: total * (data.loss(x + unit @ z) - base), np.zeros(x.size), method="Nelder-Mead",
                                     options={"xatol": SETTLED ** 0.5 / 2, "fatol": SETTLED, "maxiter": 300 * x.size,
                                              "initial_simplex": simplex})
    return x + unit @ result.x, bool(result.success)
