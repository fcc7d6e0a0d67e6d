"""MTJ parameters from measurements: R_P, TMR and V_h from I-V curves, V_c0 and Delta from switching counts.

Both fits are maximum-likelihood fits in the logarithms x of the (positive) parameters; F is the Fisher information at the
solution, the covariance of x its inverse, and that of the parameters diag(value) F^-1 diag(value), to first order.

Conduction: currents with independent Gaussian errors, so least squares,  F = J^T J,  J = d(I / sigma)/dx.

Switching: k of n pulses of height v and width t switch the junction, binomial with

    P = 1 - exp(-h),  h(i, t, Delta) = -ln(1 - P),  i = |I(v)| / I_c0,  V_c0 the voltage at which |I| = I_c0,
    F = sum over points of  n h^2 / (e^h - 1) (d ln h/dx)(d ln h/dx)^T                                                (3)

and P from the Fokker-Planck equation (crossbar.mtj.table), for pulses of any width and any 0 <= i <= 6, or from a closed rate
h = t r(i), thermal activation without memory or return:

    exponent 2:  r = tau_D^-1 sqrt(Delta/pi) (1 - i^2)(1 - i) exp(-Delta (1 - i)^2)                                   (1)
    exponent 1:  r = tau_0^-1 exp(-Delta (1 - i)),  tau_0 = 1 ns                                                      (2)

(1): Brown, Phys. Rev. 130, 1677 (1963), for a uniaxial perpendicular macrospin, valid for t >> 100 tau_D and barriers
Delta (1 - i)^2 of several kT. Points below a barrier of 2 at the solution do not enter ((1) has its maximum near 1, above which
it is no law); those little above, and the 5 to 9 tau_D that the way over the barrier takes, bias V_c0 and Delta while the
deviance stays good: widths of 10, 100 and 1e4 tau_D that switch 3 to 97 % at Delta 45 give V_c0 14, 4 and 1.5 % high, Delta
20, 10 and 2 % low.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import scipy

from crossbar import memory
from crossbar.checks import real_array
from crossbar.errors import CrossbarWarning, DataError
from crossbar.mtj.arguments import LONGEST, one_of
from crossbar.mtj.conduction import as_state, current
from crossbar.mtj.likelihood import LEAST_BARRIER, Tabulated, Thermal, solve, solve_tabulated
from crossbar.mtj.parameters import MTJParams
from crossbar.mtj.presets import Params, as_params
from crossbar.mtj.switching import TAU_0, Method
from crossbar.summaries import short_repr

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# What determines each parameter of conduction.
_MISSING = {"r_p": "currents in the P state", "tmr": "currents in the AP state, and in the P state or at voltages well above v_h",
            "v_h": "currents in the AP state at several voltages up to about v_h"}
MISSING_PULSES = "pulses at more voltages, some of which switch now and then"  #: what V_c0 and Delta need
_NOTHING = MTJParams(r_p=1.0, thickness=None, k_i=None, m_s=None, alpha=None)  # what is known of a junction without p


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """Fitted parameters with their uncertainties."""

    __repr__ = short_repr

    params: MTJParams              # the junction with the fitted values
    names: tuple[str, ...]         # of the fitted parameters, in the order of `covariance`
    values: Mapping[str, float]    # name -> value, in the unit of the field of MTJParams
    sigma: Mapping[str, float]     # name -> standard uncertainty (1 sigma)
    covariance: Array              # (parameters, parameters)
    deviance: float                # chi^2 [1]; [A^2], the sum of squared residuals, of a fit of conduction without sigma
    dof: int                       # degrees of freedom: points used less parameters
    used: Mask                     # (points,), of the broadcast and flattened data: those that entered


def fit(v: npt.ArrayLike, i: npt.ArrayLike, state: npt.ArrayLike, *, p: Params | None = None,
        sigma: npt.ArrayLike | None = None, free: Sequence[str] = ("r_p", "tmr", "v_h")) -> MTJParams:
    """The junction whose I-V curves were measured: `fit_conduction(...).params`."""
    return fit_conduction(v, i, state, p=p, sigma=sigma, free=free).params


def fit_conduction(v: npt.ArrayLike, i: npt.ArrayLike, state: npt.ArrayLike, *, p: Params | None = None,
                   sigma: npt.ArrayLike | None = None, free: Sequence[str] = ("r_p", "tmr", "v_h")) -> Fit:
    """R_P, TMR and V_h from measured currents of one junction, by least squares.

    v, i, state : arrays that broadcast against each other. Voltage, free minus fixed [V]; current [A]; P or AP as
        `as_state` takes them. P data alone tell R_P and nothing else.
    p : what is known of the junction: temperature, barrier, and the values of the parameters not in `free`. None: unknown.
    sigma : standard uncertainty of i [A], broadcasting. None: the same for all points, taken from the residuals.
    free : the parameters to fit. Those left out are held at p's: free=("r_p", "tmr") for data at one voltage.
    The TMR is that at 300 K, as everywhere; where p has RA and diameter, RA stands for R_P.
    Raises DataError for malformed data, and where they leave a parameter undetermined (1 sigma above half its value),
    saying what is missing.
    """
    p = None if p is None else as_params(p)
    base, names = _NOTHING if p is None else p, _free(p, free)
    v, i, state, sigma = _curves(v, i, state, sigma)
    if v.size < len(names) + (sigma is None):
        raise DataError(f"{v.size} points of a curve do not determine {', '.join(names)}"
                        f"{' and their uncertainty' * (sigma is None)}: measure more")
    if not np.any(state < 0) and set(names) - {"r_p"}:
        raise DataError(f"P data alone do not determine {' or '.join(n for n in names if n != 'r_p')}: add currents in the AP "
                        'state, or fit free=("r_p",)')
    scale = np.sqrt(np.mean(i ** 2)) if sigma is None else sigma  # of the residuals

    def residual(x: Array) -> Array:
        return (current(v, _conducting(base, names, _values(base, names, x)), state)[0] - i) / scale

    start = _start(base, names, v, i, state)
    span = np.array([{"r_p": 7.0, "tmr": 10.0, "v_h": 14.0}[name] for name in names])
    result = scipy.optimize.least_squares(residual, start, jac="3-point", bounds=(start - span, start + span), xtol=1e-12,
                                          ftol=1e-15, gtol=None)
    values = dict(zip(names, _values(base, names, result.x).tolist(), strict=True))
    jacobian = result.jac @ _slopes(base, values)
    jacobian[:, result.active_mask != 0] = 0  # ran away: not determined
    unit, variance = (1.0, 1.0) if sigma is not None else (float(scale ** 2), 2 * result.cost / (v.size - len(names)))
    covariance = covariance_of_logarithms(jacobian.T @ jacobian, variance, names, _MISSING)
    used = np.ones(v.size, dtype=bool)
    return fit_of(_conducting(base, names, np.array(list(values.values()))), values, covariance, 2 * result.cost * unit, used)


def _free(p: MTJParams | None, free: Sequence[str]) -> tuple[str, ...]:
    if p is not None:
        as_params(p)
    if not isinstance(free, list | tuple) or not all(isinstance(name, str) for name in free):
        raise DataError(f"free parameters of a conduction fit are names, got {free!r:.80}")
    names = tuple(name for name in _MISSING if name in free)
    if not names or len(names) != len(tuple(free)):
        raise DataError(f"free parameters of a conduction fit are some of {', '.join(_MISSING)}, got {free!r}")
    if p is None and "r_p" not in names:
        raise DataError("a conduction fit that holds r_p needs p, which says where")
    if p is not None and p.shape:
        raise DataError(f"a fit describes one junction, but p has shape {p.shape}: take one element with p.select")
    return names


def _curves(v: npt.ArrayLike, i: npt.ArrayLike, state: npt.ArrayLike,
            sigma: npt.ArrayLike | None) -> tuple[Array, Array, Array, Array | None]:
    """Data of an I-V curve, broadcast against each other and checked."""
    data = [real_array(v, "voltages [V]"), real_array(i, "currents [A]"), as_state(state).astype(float)]
    if sigma is not None:
        data.append(real_array(sigma, "uncertainties of the current [A]"))
    volts, amperes, states, *errors = _joined(data, "v, i, state and sigma")
    if np.abs(volts).max(initial=0) > 1e3 or np.abs(amperes).max(initial=0) > 1e6:
        raise DataError("voltages of a junction's I-V curve are at most 1000 V, currents at most 1e6 A")
    if not np.any(np.abs(volts) > 1e-100) or not np.any(np.abs(amperes) > 1e-100):
        raise DataError("an I-V curve needs voltages and currents other than 0")
    if errors and not np.all(errors[0] > 1e-100):
        raise DataError("uncertainties of the current [A] must be positive (above 1e-100); leave sigma out if they are unknown")
    return volts, amperes, states, errors[0] if errors else None


def _joined(data: Sequence[Array], what: str) -> list[Array]:
    """Finite numbers, broadcast against each other and flattened: (points,) each."""
    try:
        memory.require("a fit", 400.0 * np.prod(np.broadcast_shapes(*(d.shape for d in data)), dtype=float))
    except ValueError:
        raise DataError(f"{what} have shapes that do not fit: {', '.join(str(d.shape) for d in data)}") from None
    if not all(np.all(np.isfinite(d)) for d in data):
        raise DataError(f"{what} must be finite: leave missing points out")
    return [d.ravel() for d in np.broadcast_arrays(*data)]


def _conducting(base: MTJParams, names: tuple[str, ...], values: Array) -> MTJParams:
    """The junction with fitted values; RA instead of R_P where it has a geometry, so that its area still scales R_P."""
    changes = dict(zip(names, values.tolist(), strict=True))
    if "r_p" in changes and base.ra is not None and base.diameter is not None:
        changes["ra"] = changes.pop("r_p") * float(base.area)
    return base.replace(**changes)


def _start(base: MTJParams, names: tuple[str, ...], v: Array, i: Array, state: Array) -> Array:
    """x to begin with, from the mean conductances of the two states."""
    def conductance(which: Mask) -> float:
        norm = np.sum(v[which] ** 2)
        return float(np.sum(v[which] * i[which]) / norm) if norm else 0.0
    g_p, g_ap = conductance(state > 0), conductance(state < 0)
    if max(g_p, g_ap) <= 0:
        raise DataError("the currents oppose their voltages: at v > 0, i > 0 flows from the free to the fixed layer")
    tmr = g_p / g_ap - 1 if 0 < g_ap < g_p else 1.0
    guess = {"r_p": np.log(1 / g_ap if g_ap > 0 else (1 + tmr) / g_p), "tmr": np.log(tmr), "v_h": -np.log(np.max(v ** 2))}
    return np.array([guess[name] for name in names])


def _values(base: MTJParams, names: tuple[str, ...], x: Array) -> Array:
    """The parameters `names` of coordinates x in which the valley of least squares is straight: logarithms of R_AP for R_P,
    of the TMR, and of the curvature TMR / ((1 + TMR) V_h^2) of G_AP for V_h."""
    part = dict(zip(names, np.exp(x).tolist(), strict=True))
    tmr = part.get("tmr", base.tmr)
    values = {"r_p": lambda r_ap: r_ap / (1 + tmr), "tmr": float, "v_h": lambda bend: np.sqrt(tmr / (1 + tmr) / bend)}
    return np.array([values[name](part[name]) for name in names])


def _slopes(base: MTJParams, values: Mapping[str, float]) -> Array:
    """dx / d(logarithms of the values)."""
    tmr = values.get("tmr", base.tmr)
    full = np.array([[1, tmr / (1 + tmr), 0], [0, 1, 0], [0, 1 / (1 + tmr), -2]])
    free = [name in values for name in ("r_p", "tmr", "v_h")]
    return full[free][:, free]


def fit_of(params: MTJParams, values: Mapping[str, float], covariance: Array, deviance: float, used: Mask) -> Fit:
    """`covariance` is that of the logarithms of the values."""
    names, x = tuple(values), np.array(list(values.values()))
    covariance = covariance * np.outer(x, x)
    sigma = dict(zip(names, np.sqrt(np.diag(covariance)).tolist(), strict=True))
    return Fit(params=params, names=names, values=MappingProxyType(dict(values)), sigma=MappingProxyType(sigma),
               covariance=covariance, deviance=float(deviance), dof=int(np.count_nonzero(used)) - len(names), used=used)


def covariance_of_logarithms(information: Array, variance: float, names: Sequence[str], missing: Mapping[str, str]) -> Array:
    """Covariance of the logarithms. Raises DataError where one of them is not determined to within 0.5."""
    scale = np.sqrt(np.diag(information))
    undetermined = [name for name, s in zip(names, scale, strict=True) if s == 0]
    if not undetermined:
        share, axes = np.linalg.eigh(information / np.outer(scale, scale))
        if share[0] < 1e-10:  # the direction that changes nothing, and the parameters in it
            undetermined = [name for name, part in zip(names, axes[:, 0], strict=True) if abs(part) > 0.1]
        else:
            covariance = variance * (axes / share) @ axes.T / np.outer(scale, scale)
            undetermined = [name for name, x in zip(names, np.diag(covariance), strict=True) if x > 0.25]
    if undetermined:
        wanted = "; ".join(f"{name} needs {missing[name]}" for name in undetermined)
        raise DataError(f"the data do not determine {' and '.join(undetermined)}: {wanted}")
    return covariance


# Switching


def fit_switching(v: npt.ArrayLike, width: npt.ArrayLike, switched: npt.ArrayLike, trials: npt.ArrayLike, p: Params,
                  state: npt.ArrayLike, *, exponent: int = 2, method: Method | None = None) -> Fit:
    """V_c0 and Delta of one junction from how often pulses switched it, by maximum likelihood.

    v, width, switched, trials : arrays that broadcast against each other. Pulse height, free minus fixed [V], of the sign
        that switches (v <= 0 out of P, v >= 0 out of AP); pulse width [s]; how many of `trials` pulses switched. At least two
        voltages at which some but not all pulses did.
    p : the junction: conduction and, for exponent 2, tau_d, at which it is held (so alpha follows where the magnetism of p
        is known). state : the state before the pulses.
    method : "fokker-planck" (default of exponent 2): all points enter, Delta is sought within `table.DELTA` and I_c0 above
        1 / `table.I_MAX` of the highest current. "formula": (1) or, with exponent=1, (2), whose default it is; for pulses
        far longer than 100 tau_D over barriers of several kT, else biased.
    Returns a Fit of v_c0_p or v_c0_ap [V] and delta. `fit_both_directions` finds the barrier that both directions share.
    Of a formula, points whose barrier at the solution is below LEAST_BARRIER are left out, with a CrossbarWarning: `used` says
    which ones entered. A deviance far above dof means that the law does not hold.
    Raises DataError for malformed data, data that do not determine both (1 sigma above half the value), an unknown tau_d,
    exponent 1 with "fokker-planck", and a p with xi (unsupported).
    """
    p = as_params(p)
    start_state, tau = single_junction(p, state, exponent)
    data = switching_counts(v, width, switched, trials, p, start_state, tau, exponent, method)
    if isinstance(data, Thermal):
        x, used = solve(data)
    else:
        x, used = solve_tabulated(data), np.ones(data.s.size, dtype=bool)
    kept = data.where(used)
    warn_of_points_left_out(used, exponent)
    i_c0, delta = np.exp(x)
    name, v_c0, slope = threshold(p, start_state, float(i_c0))
    to_v = np.diag([1 / slope, 1.0])
    missing = {name: MISSING_PULSES, "delta": MISSING_PULSES}
    covariance = to_v @ covariance_of_logarithms(kept.information(x), 1.0, (name, "delta"), missing) @ to_v
    values = {name: v_c0, "delta": float(delta)}
    return fit_of(with_switching(p, values), values, covariance, kept.deviance(x), used)


def threshold(p: MTJParams, state: int, i_c0: float) -> tuple[str, float, float]:
    """Name and value [V] of the critical voltage of leaving `state` at the current i_c0 [A], and d ln I / d ln V there."""
    v_c0 = float(p.replace(i_c0_p=i_c0, i_c0_ap=i_c0).v_c0(state))
    slope = float(current(-state * v_c0, p, state)[1]) * v_c0 / i_c0
    return ("v_c0_p" if state > 0 else "v_c0_ap"), v_c0, slope


def with_switching(p: MTJParams, values: Mapping[str, float]) -> MTJParams:
    """The junction with fitted thresholds and barrier, at its own tau_d."""
    return p.replace(**(dict(values) if p.tau_d is None else {**values, "tau_d": p.tau_d}))


def switching_counts(v: npt.ArrayLike, width: npt.ArrayLike, switched: npt.ArrayLike, trials: npt.ArrayLike, p: MTJParams,
                     state: int, tau: float, exponent: int, method: Method | None) -> Thermal | Tabulated:
    """Counts of one direction and the law that they obey; arguments as `fit_switching`, tau the attempt time [s]."""
    if method is not None:
        one_of(method, ("fokker-planck", "formula"), "the method of a fit of switching is")
    if (method == "fokker-planck" and exponent == 1):
        raise DataError(f"a fit of switching has the methods 'fokker-planck', of exponent 2 only, and 'formula'; got {method!r} "
                        f"with exponent {exponent}")
    volts, widths, numbers, totals = _counts(v, width, switched, trials)
    if np.any(volts * state > 0):
        raise DataError(f"v has the sign that holds {'P' if state > 0 else 'AP'}: v < 0 switches P -> AP and v > 0 AP -> P")
    amperes = np.abs(current(volts, p, state)[0])
    if exponent == 1 or method == "formula":
        return Thermal(amperes=amperes, s=widths / tau, switched=numbers, trials=totals, exponent=exponent)
    return Tabulated(amperes=amperes, s=widths / tau, switched=numbers, trials=totals)


def warn_of_points_left_out(used: Mask, exponent: int) -> None:
    """A CrossbarWarning in the caller's caller where not all points are thermally activated."""
    if not used.all():
        warnings.warn(f"{np.count_nonzero(~used)} of {used.size} points are left out: their barrier Delta (1 - i)^{exponent} is "
                      f"below {LEAST_BARRIER:g}, beyond thermal activation", CrossbarWarning, stacklevel=3)


def single_junction(p: MTJParams, state: npt.ArrayLike, exponent: int) -> tuple[int, float]:
    """State and attempt time [s] of one junction."""
    one_of(exponent, (2, 1), "the exponent of thermal activation is")
    states = np.unique(as_state(state))
    if p.shape or states.size != 1:
        raise DataError("a fit of switching describes one junction in one state: p must hold single numbers, and state be 'P' "
                        "or 'AP'")
    if np.any(p.xi):
        raise DataError("a fit of switching does not know voltage-controlled anisotropy: set xi = 0")
    if exponent == 1:
        return int(states[0]), TAU_0
    p.need("tau_d", what="a fit of switching with exponent 2")
    tau = float(np.asarray(p.tau_d))
    if not 0 < tau < np.inf:
        raise DataError(f"a fit of switching needs a stable junction, but tau_d = {tau:.4g} s (K_eff <= 0)")
    return int(states[0]), tau


def _counts(*data: npt.ArrayLike) -> list[Array]:
    names = ("voltages [V]", "pulse widths [s]", "numbers of pulses that switched", "numbers of trials")
    v, width, switched, trials = _joined([real_array(d, name) for d, name in zip(data, names, strict=True)],
                                         "v, width, switched and trials")
    if not np.any(np.abs(v) > 1e-100) or np.abs(v).max() > 1e3:
        raise DataError("a fit of switching needs voltages other than 0, of at most 1000 V")
    if not np.all((width > 0) & (width <= LONGEST)):
        raise DataError(f"pulse widths [s] must be positive and at most {LONGEST:g}")
    if np.any(trials > 1e15):
        raise DataError("numbers of trials must be at most 1e15")
    if not np.all((switched >= 0) & (switched <= trials) & (trials >= 1) & (switched % 1 == 0) & (trials % 1 == 0)):
        raise DataError("switched and trials must be whole numbers with 0 <= switched <= trials and trials >= 1 (numbers of "
                        "pulses, not shares)")
    if not np.any(switched) or np.all(switched == trials):
        raise DataError(f"{'no pulse' if not np.any(switched) else 'every pulse'} switched: that bounds V_c0 and Delta but does "
                        "not determine them; measure voltages and widths at which some pulses switch")
    return [v, width, switched, trials]
