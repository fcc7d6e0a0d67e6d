"""V_c0 of both directions and the one barrier that they share, from switching counts of both.

The likelihood is the product of those of the two directions, each with its own I_c0, at one Delta; the laws and the theory of
the covariance are those of `crossbar.mtj.fitting`. Coordinates: x = (ln I_c0 out of AP, ln I_c0 out of P, ln Delta).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from crossbar.errors import DataError
from crossbar.mtj import table
from crossbar.mtj.fitting import (MISSING_PULSES, Fit, covariance_of_logarithms, fit_of, single_junction, switching_counts,
                                  threshold, warn_of_points_left_out, with_switching)
from crossbar.mtj.likelihood import LEAST_BARRIER, MARGIN, Mask, Tabulated, Thermal, maximise, solve, solve_tabulated
from crossbar.mtj.presets import Params, as_params
from crossbar.mtj.switching import Method

Array = npt.NDArray[np.float64]
Law = Thermal | Tabulated
Pulses = Sequence[npt.ArrayLike]

STATES = (-1, 1)     #: the states that are left, in the order of x
ROUNDS = 20          #: of leaving out points that are not thermally activated


def fit_both_directions(to_p: Pulses, to_ap: Pulses, p: Params, *, exponent: int = 2, method: Method | None = None) -> Fit:
    """V_c0 of both directions and Delta of one junction from how often pulses switched it, by maximum likelihood.

    Two fits of one direction each, `fit_switching`, would give two values of the one Delta. Here it follows from all counts,
    and a direction that was measured at one voltage only is determined by what the other says of the barrier.

    Parameters
    ----------
    to_p : (v, width, switched, trials) of pulses out of AP, v >= 0; arrays as in `fit_switching`.
    to_ap : the same of pulses out of P, v <= 0.
    p : the junction: conduction and, for exponent 2, tau_d.
    exponent, method : the law, as in `fit_switching`.

    Returns
    -------
    Fit of v_c0_ap [V], v_c0_p [V] and delta, in this order; `used` has the points of to_p, then those of to_ap.

    Raises DataError as `fit_switching`. Where the deviance is far above dof while those of both directions alone are not, the
    directions do not share a barrier (a stray field shifts one against the other).

    >>> from crossbar import mtj
    >>> p, width, trials = mtj.MTJParams(v_h=float("inf"), diameter=40e-9), 1e-7, 10_000
    >>> def counts(state, shares):
    ...     v = -state * mtj.pulse_amplitude(shares, width, p, state)
    ...     return v, width, np.round(trials * np.array(shares)), trials
    >>> fit = mtj.fit_both_directions(counts(-1, [0.1, 0.5, 0.9]), counts(1, [0.4]), p)
    >>> print(f"{fit.values['delta'] / p.delta:.2f}, {fit.values['v_c0_p'] / float(p.v_c0(1)):.2f}")
    1.00, 1.00
    """
    p = as_params(p)
    data: list[Law] = []
    for pulses, state in zip((to_p, to_ap), STATES, strict=True):
        if not isinstance(pulses, list | tuple) or len(pulses) != 4:
            raise DataError("to_p and to_ap are each (v, width, switched, trials)")
        v, width, switched, trials = pulses
        _, tau = single_junction(p, state, exponent)
        data.append(switching_counts(v, width, switched, trials, p, state, tau, exponent, method))
    x, used = _likeliest(data)
    warn_of_points_left_out(np.concatenate(used), exponent)
    # Covariance of (ln V_c0, ln V_c0, ln Delta).
    kept = Joint(laws=tuple(law.where(part) for law, part in zip(data, used, strict=True)))
    thresholds = [threshold(p, state, float(i_c0)) for state, i_c0 in zip(STATES, np.exp(x[:2]), strict=True)]
    values = {name: v_c0 for name, v_c0, _ in thresholds} | {"delta": float(np.exp(x[2]))}
    to_v = np.diag([1 / slope for _, _, slope in thresholds] + [1.0])
    information = kept.information(x)
    covariance = to_v @ covariance_of_logarithms(information, 1.0, tuple(values), dict.fromkeys(values, MISSING_PULSES)) @ to_v
    return fit_of(with_switching(p, values), values, covariance, kept.deviance(x), np.concatenate(used))


@dataclass(frozen=True, kw_only=True, eq=False)
class Joint:
    """Likelihood of the counts of both directions; see `Counts` for what its methods mean."""

    laws: tuple[Law, ...]

    @property
    def trials(self) -> Array:
        return np.concatenate([law.trials for law in self.laws])

    def loss(self, x: Array) -> float:
        return sum(law.loss(x[rows]) * self._share(law) for law, rows in self._parts())

    def gradient(self, x: Array) -> Array:
        gradient = np.zeros(3)
        for law, rows in self._parts():
            gradient[rows] += law.gradient(x[rows]) * self._share(law)
        return gradient

    def information(self, x: Array) -> Array:
        information = np.zeros((3, 3))
        for law, rows in self._parts():
            information[np.ix_(rows, rows)] += law.information(x[rows])
        return information

    def distance(self, x: Array) -> float:
        gradient = self.gradient(x) * np.sum(self.trials)
        return float(gradient @ np.linalg.lstsq(self.information(x), gradient, rcond=None)[0])

    def deviance(self, x: Array) -> float:
        return sum(law.deviance(x[rows]) for law, rows in self._parts())

    def _parts(self) -> list[tuple[Law, list[int]]]:
        """Each direction's law and the places of its coordinates in x."""
        return [(law, [k, 2]) for k, law in enumerate(self.laws)]

    def _share(self, law: Law) -> float:
        """Of all pulses."""
        return float(np.sum(law.trials) / np.sum(self.trials))


def _likeliest(data: Sequence[Law]) -> tuple[Array, list[Mask]]:
    """The maximum, and the points of each direction that enter."""
    alone, used = _alone(data)
    laws = tuple(law.where(part) for law, part in zip(data, used, strict=True))
    log_delta = _shared_barrier(laws, alone)
    x = np.array([_threshold_at(law, log_delta) for law in laws] + [log_delta])
    for attempt in range(ROUNDS):
        joint = Joint(laws=tuple(law.where(part) for law, part in zip(data, used, strict=True)))
        x = maximise(joint, x)
        valid = [_valid(law, x[[k, 2]]) for k, law in enumerate(data)]
        if attempt >= 5:
            valid = [new & old for new, old in zip(valid, used, strict=True)]  # what comes and goes stays out
        if all(np.array_equal(new, old) for new, old in zip(valid, used, strict=True)):
            return x, used
        used = valid
        if not all(part.any() for part in used):
            break
    raise DataError("no set of points is thermally activated in both directions: measure longer pulses at lower voltages")


def _alone(data: Sequence[Law]) -> tuple[list[Array | None], list[Mask]]:
    """x of each direction by itself, None where it is not determined, and the points that enter. Raises DataError if neither
    is."""
    alone: list[Array | None] = []
    used: list[Mask] = []
    reasons = []
    for law in data:
        try:
            if isinstance(law, Thermal):
                x, part = solve(law)
            else:
                x, part = solve_tabulated(law), np.ones(law.s.size, dtype=bool)
        except DataError as error:
            x, part = None, np.ones(law.s.size, dtype=bool)
            reasons.append(str(error))
        alone.append(x)
        used.append(part)
    if len(reasons) == len(data):
        raise DataError(f"neither direction determines the barrier: {reasons[0]}")
    return alone, used


def _shared_barrier(laws: Sequence[Law], alone: Sequence[Array | None]) -> float:
    """ln Delta to begin with: the mean of those known, weighted by what each direction knows of it."""
    known = [(x[1], law.information(x)) for law, x in zip(laws, alone, strict=True) if x is not None]
    weights = [max(f[1, 1] - f[0, 1] ** 2 / f[0, 0], 1e-300) for _, f in known]
    return float(np.average([log_delta for log_delta, _ in known], weights=weights))


def _threshold_at(law: Law, log_delta: float) -> float:
    """ln I_c0 of one direction that is likeliest at a given Delta."""
    top = float(np.log(law.amperes.max()))
    low, high = top - np.log(table.I_MAX) + 2 * MARGIN, top + np.log(50.0) - 2 * MARGIN
    if isinstance(law, Thermal):
        low = top + 1e-9
    grid = np.linspace(low, high, 200)
    losses = np.array([law.loss(np.array([log_i, log_delta])) for log_i in grid])
    best = int(np.argmin(losses))
    ends = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
    if not np.isfinite(losses[best]):
        raise DataError("no critical current explains the counts of one direction at the barrier of the other")
    result = scipy.optimize.minimize_scalar(lambda log_i: law.loss(np.array([log_i, log_delta])), bounds=ends, method="bounded")
    return float(result.x if result.fun < losses[best] else grid[best])


def _valid(law: Law, x: Array) -> Mask:
    """Points at which the law holds."""
    if isinstance(law, Thermal):
        return np.asarray(law.barrier(x) >= LEAST_BARRIER)
    return np.ones(law.s.size, dtype=bool)
