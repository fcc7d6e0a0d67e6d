"""Switching of a junction by a rectangular voltage pulse from rest.

The overdrive i = I(v) / I_c0 counts the current that opposes the state, of the junction's own conduction law; s = t / tau_D.

Thermally activated, i < 1 (Brown, Phys. Rev. 130, 1677 (1963); uniaxial, high barrier), with the way back:

    r(i) = sqrt(Delta / pi) (1 - i^2) (1 - i) exp[-Delta (1 - i)^2],   P = r(i) / r {1 - exp(-r s)},  r = r(i) + r(-i)     (1)

The widespread r = (tau_D / tau_0) exp[-Delta (1 - i)], tau_0 = 1 ns, is `exponent=1`; the Fokker-Planck equation supports
exponent 2, and half-selected junctions tell the two apart by orders of magnitude.

Precessional, i > 1 (Butler et al., IEEE Trans. Magn. 48, 4684 (2012)), the initial angle and the noise near the pole being
Gaussian and the rest of the way deterministic:

    1 - P = 1 - exp{-Delta C (i - 1) / (i exp[2 (i - 1) s] - 1)}                                                        (2)

with Butler's C = pi^2 / 4, or ("flow") C = 2 x exp[2 (i - 1) s], where x = 1 - z is the start from which the flow dz/ds =
(1 - z^2)(z - i) just reaches the equator:  2 (i-1) s = ln(1/x) + (i-1)/(i+1) ln(2-x) - 2/(i+1) ln(i/(i-1+x)). For pulses that
are not short, C = 2^(2i/(i+1)) ((i-1)/i)^(2/(i+1)).
Mean switching time of (2) for large i (Sun, Phys. Rev. B 62, 570 (2000)): <s> = [gamma_E + ln(pi^2 Delta / 4)] / [2 (i - 1)].

Neither holds near i = 1, nor (1) for pulses of a few tau_D, whose way over the barrier takes as long. The default,
`method="fokker-planck"` (crossbar.mtj.table), is smooth and right throughout. `method="formula"` bridges
|i - 1| < 2 / sqrt(Delta) by interpolating ln(-ln(1 - P)) linearly in i: continuous, but there a rough guess. Neither falls
as a voltage or a width rises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from crossbar import memory
from crossbar.checks import real_array
from crossbar.errors import DataError
from crossbar.mtj import table
from crossbar.mtj.arguments import LONGEST, one_of, within
from crossbar.mtj.conduction import as_state, current
from crossbar.mtj.fokker_planck import cumulative_hazard
from crossbar.mtj.parameters import MTJParams
from crossbar.mtj.presets import Params, as_params

Array = npt.NDArray[np.float64]
Method = Literal["fokker-planck", "formula"]
Constant = Literal["flow", "butler"]

TAU_0 = 1e-9  # attempt time of exponent 1 [s]


def overdrive(v: npt.ArrayLike, p: Params, state: npt.ArrayLike) -> Array:
    """i = I / I_c0 of the current that opposes `state`, negative where it stabilises, of the broadcast shape.

    v : voltage, free minus fixed [V]: v < 0 drives P -> AP, v > 0 AP -> P. state : what `as_state` accepts.
    Raises DataError for NaN, and where parameters lack I_c0 or a barrier (K_eff <= 0 under the voltage).
    """
    return _reduced(v, 0.0, p, state)[0]


def axial_drive(v: npt.ArrayLike, p: Params) -> Array:
    """The i of `AxialCells`, whose z = +1 is P whatever the state: towards AP for v < 0 (over I_c0 out of P), towards P for v > 0
    (over I_c0 out of AP). Raises DataError as `overdrive`."""
    volts = real_array(v, "voltage v [V]")
    return np.where(volts < 0, overdrive(volts, p, 1), -overdrive(volts, p, -1))


def thermal_rate(i: npt.ArrayLike, delta: npt.ArrayLike, exponent: int = 2, *, tau_d: npt.ArrayLike = TAU_0) -> Array:
    """Escape rate in units of 1 / tau_D, (1); 0 at |i| >= 1. exponent 1 needs `tau_d` [s], as its attempt time is fixed."""
    i, delta = within(i, "overdrive i", -1e300, 1e300), within(delta, "Delta", 0, 1e9)
    one_of(exponent, (2, 1), "the exponent of the energy barrier is")
    attempt = within(tau_d, "tau_d [s]", 0, 1e9)
    _fitting(i=i, delta=delta, tau_d=attempt)
    if exponent == 1:
        return attempt / TAU_0 * np.exp(-delta * (1 - np.minimum(i, 1)))
    inside = np.clip(i, -1, 1)
    return np.sqrt(delta / np.pi) * (1 - inside ** 2) * (1 - inside) * np.exp(-delta * (1 - inside) ** 2)


def precessional_error(i: npt.ArrayLike, s: npt.ArrayLike, delta: npt.ArrayLike, constant: Constant = "flow") -> Array:
    """Write-error rate 1 - P of (2) for i > 1, pulse width s = t / tau_D. Raises DataError elsewhere."""
    one_of(constant, ("flow", "butler"), "the constant is")
    i, s, delta = within(i, "overdrive i", -1e9, 1e9), within(s, "width s", 0, 1e30), within(delta, "Delta", 0, 1e9)
    _fitting(i=i, s=s, delta=delta)
    return -np.expm1(-_poles_share(i, s, delta, constant))


def mean_switching_time(i: npt.ArrayLike, delta: npt.ArrayLike) -> Array:
    """Mean switching time in units of tau_D for i > 1 (Sun): up to 10 % long at i >= 3, 27 % at 2, twofold at 1.2.

    Raises DataError elsewhere; `mean_time` solves the Fokker-Planck equation for any i >= 0.
    """
    i, delta = within(i, "overdrive i", -1e300, 1e300), within(delta, "Delta", 0, 1e9, above=True)
    _fitting(i=i, delta=delta)
    if not np.all(i > 1):
        raise DataError("the mean switching time of Sun's formula is for i > 1; mean_time has the others")
    return (np.euler_gamma + np.log(np.pi ** 2 / 4 * delta)) / 2 / (i - 1)


def switching_probability(v: npt.ArrayLike, width: npt.ArrayLike, p: Params, state: npt.ArrayLike,
                          method: Method = "fokker-planck", *, exponent: int = 2, constant: Constant = "flow") -> Array:
    """Probability that a rectangular pulse switches junctions which were at rest in `state`.

    v : voltage, free minus fixed [V]. width : [s]. v, width, state and the fields of p broadcast.
    method : "fokker-planck", from a table, log10 P and log10(1 - P) within 0.02 of the equation (0.05 below 1e-8 at Delta > 30)
        for constant torque, which a TMR that falls with bias makes an approximation, see `fokker_planck`; or "formula", for
        which `exponent` and `constant` choose among (1) and (2).
    Raises DataError for NaN, negative widths, unknown parameters.
    """
    return _probabilities(v, width, p, state, method, exponent, constant)[0]


def write_error_rate(v: npt.ArrayLike, width: npt.ArrayLike, p: Params, state: npt.ArrayLike,
                     method: Method = "fokker-planck", *, exponent: int = 2, constant: Constant = "flow") -> Array:
    """Probability not to switch, accurate also where it is 1e-30; arguments as `switching_probability`."""
    return _probabilities(v, width, p, state, method, exponent, constant)[1]


def pulse_width(probability: npt.ArrayLike, v: npt.ArrayLike, p: Params, state: npt.ArrayLike,
                method: Method = "fokker-planck", *, exponent: int = 2, constant: Constant = "flow") -> Array:
    """Width [s] at which a pulse of voltage v switches with the given probability.

    Raises DataError where no width does: a stabilising current, or a probability above that of equilibrium.
    """
    p = as_params(p)
    p.need("tau_d", what="switching")
    tau_d, volts, states = np.asarray(p.tau_d), real_array(v, "voltage v [V]"), as_state(state)
    log_width = _solve(lambda x: _probabilities(volts, np.exp(x) * tau_d, p, states, method, exponent, constant), probability,
                       69.0, 1.5, "pulse width", v=volts, state=states, parameters=_blank(p))
    return np.asarray(np.exp(log_width) * tau_d)


def pulse_amplitude(probability: npt.ArrayLike, width: npt.ArrayLike, p: Params, state: npt.ArrayLike,
                    method: Method = "fokker-planck", *, exponent: int = 2, constant: Constant = "flow") -> Array:
    """Magnitude of the voltage [V] at which a pulse of the given width switches with the given probability.

    The sign is that which opposes the state. Raises DataError where less than 1e-6 or more than 1000 V_c0 would be needed, or
    more than the anisotropy bears (xi).
    """
    p = as_params(p)
    states, widths = as_state(state), real_array(width, "pulse width [s]")
    unit = p.v_c0(states)
    log_factor = _solve(lambda x: _probabilities(-states * unit * np.exp(x), widths, p, states, method, exponent, constant),
                        probability, 6.9, 1.0, "pulse amplitude", width=widths, state=states, parameters=_blank(p))
    return np.exp(log_factor) * unit


def read_disturb(v: npt.ArrayLike, width: npt.ArrayLike, p: Params, state: npt.ArrayLike, reads: npt.ArrayLike = 1,
                 method: Method = "fokker-planck", *, exponent: int = 2) -> Array:
    """Probability that `reads` read pulses, each from rest, flip a junction at least once."""
    reads = real_array(reads, "number of reads")
    if not (np.isfinite(reads) & (reads >= 0)).all():
        raise DataError("the number of reads must be finite and at least 0")
    switched, error = _probabilities(v, width, p, state, method, exponent, "flow")
    hazard = cumulative_hazard(switched, error)
    _fitting(reads=reads, others=hazard)
    return -np.expm1(-reads * hazard)


def retention_time(p: Params, failure: npt.ArrayLike = 1e-9) -> Array:
    """Time [s] after which an unbiased junction has flipped with probability `failure` < 1/2, by (1) at i = 0.

    A rate law, for times well above tau_D. Raises DataError for other probabilities, unknown delta or tau_d, K_eff <= 0.
    """
    p = as_params(p)
    p.need("delta", "tau_d", what="retention")
    failure = real_array(failure, "failure probability")
    if not ((failure > 0) & (failure < 0.5)).all():
        raise DataError("the failure probability must lie between 0 and 1/2, where an unbiased junction ends")
    rate = 2 * thermal_rate(0.0, _stable(np.asarray(p.delta)))
    with np.errstate(divide="ignore"):  # a barrier beyond all rates: kept for ever
        return -np.log1p(-2 * failure) / rate * np.asarray(p.tau_d)


def _reduced(v: npt.ArrayLike, width: npt.ArrayLike, p: Params, state: npt.ArrayLike) -> tuple[Array, Array, Array]:
    """Overdrive i, width s = t / tau_D and Delta under the voltage, of shapes that broadcast."""
    p = as_params(p)
    volts, width, state = real_array(v, "voltage v [V]"), real_array(width, "pulse width [s]"), as_state(state)
    p.need_switching(state)
    shape = _fitting(v=volts, width=width, state=state, parameters=_blank(p))
    memory.require("switching of junctions", 100.0 * np.prod(shape, dtype=float))
    if not (np.abs(volts) <= 1e3).all():
        raise DataError("voltage v must be a number of volts, at most 1000; cells that no terminal reaches have NaN")
    if not ((width >= 0) & (width <= LONGEST)).all():
        raise DataError(f"pulse width must be finite, at least 0 and at most {LONGEST:g} [s]")
    return _under(current(volts, p, state)[0], volts, width, p, state)


def _under(amperes: Array, volts: Array, width: Array, p: MTJParams, state: npt.NDArray[Any]) -> tuple[Array, Array, Array]:
    """`_reduced` where the current is known; states are +1 and -1."""
    left = 1 - p.vcma * volts if np.any(p.xi) else np.ones(())  # of the anisotropy, under the voltage
    if not np.all(left > 0):
        raise DataError(f"voltages up to {np.abs(volts).max():.3g} V take all of the anisotropy (xi), no barrier is left; use "
                        "simulate_llgs")
    i = -state * amperes / (p._critical_current(state) * left)
    rest = _stable(np.asarray(p.delta))
    delta = rest * left
    if np.any(p.xi):  # the density starts at rest, not under the voltage: the Delta that gives the variance of both together
        delta = np.where(i > 1, i / ((np.maximum(i, 1) - 1) / rest + 1 / delta), delta)
    return i, width / np.asarray(p.tau_d) * left, delta


def _stable(delta: Array) -> Array:
    if not np.all(delta > 0):
        raise DataError(f"{np.count_nonzero(~(delta > 0))} of {delta.size} junctions have K_eff <= 0, hence no barrier")
    return delta


def _probabilities(v: npt.ArrayLike, width: npt.ArrayLike, p: Params, state: npt.ArrayLike, method: Method, exponent: int,
                   constant: Constant) -> tuple[Array, Array]:
    """(P, 1 - P)."""
    p = as_params(p)
    return _switched(*_reduced(v, width, p, state), p, method, exponent, constant)


def switched_by(amperes: Array, volts: Array, width: Array, p: MTJParams, state: npt.NDArray[Any],
                method: Method = "fokker-planck", *, exponent: int = 2) -> tuple[Array, Array]:
    """`switching_probability` and `write_error_rate` of junctions whose currents [A] are known with their voltages, as in a
    solved array: nothing is worked out twice, and nothing checked. state : +1 or -1."""
    return _switched(*_under(amperes, volts, width, p, state), p, method, exponent, "flow", quick=True)


def _switched(i: Array, s: Array, delta: Array, p: MTJParams, method: Method, exponent: int, constant: Constant,
              quick: bool = False) -> tuple[Array, Array]:
    one_of(method, ("fokker-planck", "formula"), "method is")
    one_of(exponent, (2, 1), "the exponent of the energy barrier is")
    one_of(constant, ("flow", "butler"), "the constant is")
    if method == "fokker-planck" and (exponent, constant) != (2, "flow"):
        raise DataError("exponent and constant choose among the closed formulas: they need method='formula'")
    if method == "formula":
        return _formula(i, s, delta, exponent, constant, np.asarray(p.tau_d))
    low, high = table.DELTA
    if not np.all(np.isfinite(i)):
        raise DataError("the overdrives I / I_c0 must be finite: look at r_p, i_c0 and the voltages")
    if not np.all((delta >= low) & (delta <= high)):
        raise DataError(f"the table reaches from Delta {low:g} to {high:g}, these junctions from {delta.min():.3g} to "
                        f"{delta.max():.3g} under their voltages; use crossbar.mtj.evolve, or method='formula'")
    return table.load().probabilities(i, s, delta, quick=quick)


def _formula(i: Array, s: Array, delta: Array, exponent: int, constant: Constant, tau_d: Array) -> tuple[Array, Array]:
    """(P, 1 - P) of (1), (2) and the join between them; P falls neither with i nor with s.

    (1) holds where its rate still rises with i, and not up to the edge of either well. A short pulse has not come over the
    barrier, which (1) does not know: what (2) says above bounds it.
    """
    half = np.minimum(2 / np.sqrt(delta), 0.5)
    below = np.maximum(half, np.minimum(np.sqrt(5 / (6 * delta)), 4 / 3))  # 2 Delta h^2 (2 - h) > 4 - 3 h
    first, last = 1 - below, 1 + half
    bottom = -first if exponent == 2 else -np.inf
    low = np.clip(i, np.minimum(bottom, first), first)
    hazard = _precessional_hazard(np.maximum(i, last), s, delta, constant)
    at_last = _precessional_hazard(last, s, delta, constant)
    thermal = np.minimum(_thermal_hazard(low, s, delta, exponent, tau_d), at_last)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # where one of the three does not apply
        share = (i - first) / (last - first)
        between = np.exp((1 - share) * np.log(thermal) + share * np.log(at_last))
    hazard = np.where(i <= first, thermal, np.where(i >= last, hazard, between))
    hazard = np.where(s > 0, hazard, 0.0)
    return -np.expm1(-hazard), np.exp(-hazard)


def _thermal_hazard(i: Array, s: Array, delta: Array, exponent: int, tau_d: Array) -> Array:
    """-ln(1 - P) of (1)."""
    there = thermal_rate(i, delta, exponent, tau_d=tau_d)
    back = thermal_rate(-i, delta, exponent, tau_d=tau_d)
    rate = np.maximum(there + back, np.finfo(float).tiny)
    with np.errstate(over="ignore"):
        passed = rate * s
    switched = -np.expm1(-passed) * there / rate
    error = (back + there * np.exp(-passed)) / rate
    return _hazard(switched, error)


def _precessional_hazard(i: Array, s: Array, delta: Array, constant: Constant) -> Array:
    """-ln(1 - P) of (2), less what (2) says of a pulse of no width."""
    share = _poles_share(i, s, delta, constant)
    whole = _poles_share(i, np.zeros(()), delta, constant)
    norm = -np.expm1(-whole)
    switched = np.exp(-share) * -np.expm1(np.minimum(share - whole, 0.0)) / norm
    return _hazard(switched, np.minimum(-np.expm1(-share) / norm, 1.0))


def _hazard(switched: Array, error: Array) -> Array:
    """-ln(1 - P) from the smaller of the two, infinite where the error is 0."""
    with np.errstate(divide="ignore"):
        return np.where(switched < 0.5, -np.log1p(-np.minimum(switched, 0.5)), -np.log(error))


def _poles_share(i: npt.ArrayLike, s: npt.ArrayLike, delta: npt.ArrayLike, constant: Constant) -> Array:
    """The exponent of (2)."""
    i, s = np.asarray(i, dtype=float), np.asarray(s, dtype=float)
    if not np.all(i > 1):
        raise DataError("the precessional formula holds for i > 1")
    growth = np.minimum(2 * (i - 1) * s, 800.0)  # beyond, nothing is left
    if constant == "flow":
        initial = _initial_share(i, growth)
    elif constant == "butler":
        initial = np.pi ** 2 / 8 * np.exp(-growth)
    else:
        raise DataError(f"the constant is 'flow' or 'butler', not {constant!r}")
    return 2 * np.asarray(delta) * initial * (i - 1) / (i - np.exp(-growth))


def _initial_share(i: Array, growth: Array) -> Array:
    """x = 1 - z of the start that just reaches the equator, given 2 (i - 1) s: Newton's method for ln x."""
    ratio = (i - 1) / (i + 1)
    log_x = np.minimum(ratio * np.log(2) + 2 / (i + 1) * np.log1p(-1 / i) - growth, 0.0)
    for _ in range(30):
        x = np.exp(log_x)
        miss = log_x + growth - ratio * np.log(2 - x) + 2 / (i + 1) * np.log(i / (i - 1 + x))
        slope = 1 + ratio * x / (2 - x) - 2 / (i + 1) * x / (i - 1 + x)
        step = miss / slope
        log_x = np.minimum(log_x - step, 0.0)
        if np.all(np.abs(step) < 1e-14 * (1 + np.abs(log_x))):
            break
    return np.exp(log_x)


def _blank(p: MTJParams) -> Array:
    """An array of p's shape that takes no memory."""
    return np.broadcast_to(0.0, p.shape)


def _fitting(**arrays: npt.NDArray[Any]) -> tuple[int, ...]:
    """The broadcast shape. Raises DataError that names the shapes."""
    try:
        return np.broadcast_shapes(*(x.shape for x in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {x.shape}" for name, x in arrays.items())
        raise DataError(f"shapes do not broadcast: {shapes}") from None


def _solve(both: Callable[[Array], tuple[Array, Array]], probability: npt.ArrayLike, limit: float, growth: float, what: str,
           **arrays: npt.NDArray[Any]) -> Array:
    """x within +-limit where the switching probability, which rises with x, is as wanted: bracketed from 0, then bisected.

    Compared by odds, so both tails count. The bracket's steps grow by `growth`; `arrays` have the other shapes.
    """
    wanted = real_array(probability, "switching probability")
    if not ((wanted > 0) & (wanted < 1)).all():
        raise DataError("the wanted probability must lie between 0 and 1, both excluded")
    target, shape = np.log(wanted) - np.log1p(-wanted), _fitting(probability=wanted, **arrays)

    def above(x: Array) -> npt.NDArray[np.bool_]:
        switched, error = both(x)
        with np.errstate(divide="ignore"):
            return np.broadcast_to(np.log(switched) - np.log(error) > target, shape)

    step, a, b = 0.3, np.zeros(shape), np.zeros(shape)
    if not a.size:
        return a
    while (short := ~above(b) & (b < limit)).any() | (far := above(a) & (a > -limit)).any():
        a, b = np.where(far, np.maximum(a - step, -limit), a), np.where(short, np.minimum(b + step, limit), b)
        step *= growth
    missed = (a <= -limit) | (b >= limit)
    if missed.any():
        raise DataError(f"no {what} gives the wanted probability for {np.count_nonzero(missed)} of {missed.size} junctions")
    while (b - a).max() > 1e-12:
        middle = (a + b) / 2
        over = above(middle)
        a, b = np.where(over, a, middle), np.where(over, middle, b)
    return (a + b) / 2
