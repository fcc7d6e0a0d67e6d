"""Parameters of a magnetic tunnel junction: what is given, and what follows from it.

A round junction of diameter d, free-layer thickness t and magnetisation M_s, with interface anisotropy K_i:

    R_P    = RA / area,  area = pi d^2 / 4,  volume = area t
    K_eff  = K_i / t - mu_0 (N_z - N_x) M_s^2 / 2,     mu_0 H_k = 2 K_eff / M_s                              (1)
    Delta  = K_eff volume / (k_B T)                                                                        (2)
    tau_D  = (1 + alpha^2) / (alpha gamma mu_0 H_k)                                                         (3)
    I_c0   = (4 e / hbar) (alpha / eta) Delta k_B T,   eta(theta) = P / (1 + P^2 cos theta)                   (4)
    V_c0   = the voltage at which the junction carries I_c0 in the state it is to leave                         (5)

cos(theta) = +1 is parallel. (1), (2): Sato et al., Appl. Phys. Lett. 105, 062403 (2014); (3), (4): Sun, Phys. Rev. B 62, 570
(2000), with Slonczewski's torque for elastic tunnelling (Phys. Rev. B 71, 024411 (2005)); P from TMR = 2 P^2 / (1 - P^2)
(Julliere, Phys. Lett. A 54, 225 (1975)). 1/eta is linear in cos(theta), so two numbers hold it: eta_p at theta = 0, which sets
the threshold of P -> AP, and eta_ap at theta = pi, for AP -> P. Equal numbers make a torque that does not depend on the angle.

Temperature: the values given hold at 300 K and are scaled by f(T) / f(300 K), with f of M_s: (1 - T / 1420 K)^0.4, of P:
1 - 2e-5 (T / K)^1.5 (University of Minnesota's model, Kim et al., CICC 2015), and K_i ~ M_s^1.8 (UT Austin's).

Voltage: K_i(v) = K_i - xi v / t_ox, v = free minus fixed layer (voltage-controlled magnetic anisotropy).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from crossbar import doubts
from crossbar.checks import real_array
from crossbar.errors import DataError
from crossbar.mtj.brief import junctions
from crossbar.mtj.conduction import as_state, brinkman, current
from crossbar.units import E_CHARGE, HBAR, K_BOLTZMANN, MU_0

Array = npt.NDArray[np.float64]
Value = float | Array

GAMMA = 1.76e11  #: gyromagnetic ratio of the free layer [rad/(s T)]
T_REF = 300.0    #: temperature at which the parameters are given [K]
LEAST = 1e-100   #: of any positive parameter, in its unit
T_CURIE = 1420.0  #: of the free layer [K], in the scaling of M_s


def _entry(default: float | None, unit: str, low: float, high: float, *, closed: bool = False, infinite: bool = False) -> Any:
    """A field with its unit and open range; `closed`: low itself is allowed; `infinite`: so is infinity."""
    return field(default=default, metadata={"unit": unit, "low": low, "high": high, "closed": closed, "infinite": infinite})


@dataclass(frozen=True, kw_only=True, eq=False)
class MTJParams:
    """One junction, or many: every field is a number or an array that broadcasts to the cells' shape.

    None means unknown: what needs it raises DataError and says so (`need`). With neither `r_p` nor a geometry the default
    geometry is taken (RA 9.8 ohm um^2, diameter 50 nm); with a diameter alone the default RA. Given values win: `delta` sets
    `k_i`, `tau_d` sets `alpha`, and `i_c0_*` or `v_c0_*` set `eta_*` of a junction whose geometry is known; where it is
    unknown they stand for themselves.
    Raises DataError where a value is not finite or out of range, or where `r_p` contradicts RA / area.
    Warns of a TMR of 20 or more, probably in percent, and of an r_p below 1 ohm, probably in siemens.
    """

    r_p: Value | None = _entry(None, "ohm", 0, 1e15)            # parallel resistance at zero bias; ra / area
    tmr: Value = _entry(1.2, "1", 0, np.inf, closed=True)        # (R_AP - R_P) / R_P at zero bias and 300 K
    v_h: Value = _entry(0.5, "V", 0, np.inf, infinite=True)      # bias that halves the TMR; inf: independent of bias
    ra: Value | None = _entry(None, "ohm m^2", 0, 1e-6)         # resistance-area product, parallel
    diameter: Value | None = _entry(None, "m", 0, 1e-5)
    thickness: Value | None = _entry(1.1e-9, "m", 0, 1e-7)      # of the free layer
    k_i: Value | None = _entry(1.090e-3, "J/m^2", 0, 0.1, closed=True)   # interface anisotropy at 300 K
    m_s: Value | None = _entry(1.2e6, "A/m", 1e3, 1e7)          # saturation magnetisation at 300 K
    alpha: Value | None = _entry(0.03, "1", 0, 1)               # Gilbert damping
    n_x: Value = _entry(0.0106, "1", 0, 1, closed=True)          # demagnetisation factors
    n_y: Value = _entry(0.0106, "1", 0, 1, closed=True)
    n_z: Value = _entry(0.979, "1", 0, 1.001, closed=True)
    eta_p: Value | None = _entry(None, "1", 0, 100)             # spin-torque efficiency at theta = 0; P / (1 + P^2)
    eta_ap: Value | None = _entry(None, "1", 0, 100)            # and at theta = pi; P / (1 - P^2)
    temperature: Value = _entry(T_REF, "K", 1e-9, 1350)
    t_ox: Value = _entry(1e-9, "m", 0, 1e-8)                    # barrier thickness, for xi and barrier
    xi: Value = _entry(0.0, "J/(V m)", -1e-9, 1e-9)              # anisotropy lost per field: K_i - xi v / t_ox
    barrier: Value = _entry(np.inf, "eV", 0, np.inf, infinite=True)  # Brinkman's mean barrier height; inf: G_P is ohmic
    asymmetry: Value = _entry(0.0, "eV", -10, 10)                # Brinkman's difference of barrier heights
    delta: Value | None = _entry(None, "1", 0, 1e9)             # thermal stability at `temperature`
    tau_d: Value | None = _entry(None, "s", 0, 1e9)             # relaxation time of the free layer
    i_c0_p: Value | None = _entry(None, "A", 0, np.inf)         # critical current out of P
    i_c0_ap: Value | None = _entry(None, "A", 0, np.inf)        # critical current out of AP
    v_c0_p: Value | None = _entry(None, "V", 0, 100)            # given instead of i_c0_p; solved for by v_c0(state)
    v_c0_ap: Value | None = _entry(None, "V", 0, 100)           # given instead of i_c0_ap

    _given: ClassVar[frozenset[str]] = frozenset()  # of an instance: the fields that define it; the others follow

    __repr__ = junctions

    def __post_init__(self) -> None:
        for entry in fields(self):
            _check(self, entry.name, entry.metadata)
        for name in ("p", "ap"):
            if getattr(self, f"i_c0_{name}") is not None and getattr(self, f"v_c0_{name}") is not None:
                raise DataError(f"give one of i_c0_{name} [A] and v_c0_{name} [V]: the other follows")
        given = {e.name for e in fields(self) if getattr(self, e.name) is not None}
        try:
            with np.errstate(all="ignore"):  # what is beyond the range of numbers is refused below
                self._complete(given)
        except ValueError:
            raise DataError("the fields of MTJ parameters have shapes that do not broadcast") from None
        self._require_numbers()
        object.__setattr__(self, "_given", frozenset(given))
        for text in self.doubtful.values():
            doubts.warn(text)

    def _complete(self, given: set[str]) -> None:
        """Everything that follows from the fields that are given."""
        np.broadcast_shapes(self.shape)
        if not np.all(np.abs(np.asarray(self.n_x) + self.n_y + self.n_z - 1) < 0.02):
            raise DataError("the demagnetisation factors n_x + n_y + n_z must add up to 1")
        self._resistance(given)
        if not np.all(np.asarray(self.polarization) < 1):
            raise DataError(f"a TMR of {np.max(self.tmr):.3g} at {T_REF:g} K means a spin polarisation above 1 at "
                            f"{np.min(self.temperature):g} K")
        self._magnetism(given)

    def _require_numbers(self) -> None:
        """Refuse parameters from which something follows that is no number. Without anisotropy tau_d is infinite, without TMR
        the critical currents are."""
        for name in ("k_i", "alpha", "delta", "tau_d", "eta_p", "eta_ap", "i_c0_p", "i_c0_ap"):
            value = getattr(self, name)
            if value is None:
                continue
            bad = ~np.isfinite(value)
            if name in ("tau_d", "i_c0_p", "i_c0_ap"):  # that currents and times are divided by
                bad = np.isnan(value) | (np.abs(value) < _LEAST) & (np.asarray(value) != 0)
            if np.any(bad):
                raise DataError(f"from these MTJ parameters follows {name} = {np.asarray(value)[bad].flat[0]}: some are too "
                                "large or too small")
        with np.errstate(all="ignore"):
            laws = {"1 / r_p": 1 / np.asarray(self.r_p)}
            if not np.all(np.isinf(self.barrier)):
                laws |= dict(zip(("b", "c"), brinkman(self), strict=True))
        for name, law in laws.items():
            if not np.all(np.isfinite(law)):
                raise DataError(f"from these MTJ parameters follows a conduction without numbers ({name}): r_p, barrier or t_ox "
                                "is too large or too small")

    @property
    def doubtful(self) -> dict[str, str]:
        """What is said of values that are probably a slip of units, by field; see `crossbar.doubts`."""
        said = {"tmr": doubts.of_tmr(self.tmr),
                "r_p": doubts.of_parallel_resistance(np.asarray(self.r_p))}
        return {name: text for name, text in said.items() if text is not None}

    def _set(self, name: str, value: npt.ArrayLike) -> None:
        array = np.asarray(value, dtype=float)
        object.__setattr__(self, name, float(array) if array.ndim == 0 else array)

    def _derived(self, name: str, source: str) -> None:
        """Refuse what follows from a given value and is out of range, so that `replace` can take it up again."""
        try:
            _check(self, name, type(self).__dataclass_fields__[name].metadata)
        except DataError as error:
            raise DataError(f"from {source} (or V_c0) and the geometry follows: {error}") from None

    def _resistance(self, given: set[str]) -> None:
        """R_P from the geometry, or the check that both agree."""
        if self.r_p is None and self.ra is None:
            self._set("ra", 9.8e-12)
            if self.diameter is None:
                self._set("diameter", 50e-9)
            given |= {"ra", "diameter"}
        if self.diameter is None and self.ra is not None and self.r_p is not None:
            self._set("diameter", np.sqrt(4 / np.pi * np.asarray(self.ra) / self.r_p))
            return
        if self.ra is None or self.diameter is None:
            if self.r_p is None:
                raise DataError("an MTJ needs r_p [ohm], or ra [ohm m^2] and diameter [m]")
            return
        with np.errstate(all="ignore"):
            geometric = np.asarray(self.ra) / self.area
        if self.r_p is None:
            self._set("r_p", geometric)
            _check(self, "r_p", type(self).__dataclass_fields__["r_p"].metadata)
        elif not np.allclose(self.r_p, geometric, rtol=1e-6, atol=0):
            raise DataError(f"r_p = {np.mean(self.r_p):.6g} ohm contradicts ra / area = {np.mean(geometric):.6g} "
                            "ohm; give one of the two")

    def _magnetism(self, given: set[str]) -> None:
        """Equations (1) to (4), where the geometry is known; what is given beyond it is first carried backwards."""
        if self.diameter is None or self.thickness is None or self.m_s is None or (self.k_i is None and self.delta is None):
            self._currents()
            return
        kt = K_BOLTZMANN * np.asarray(self.temperature)
        if self.delta is not None:
            k_eff = self.delta * kt / self.volume
            self._set("k_i", self.thickness * (k_eff + self._shape_anisotropy) / _magnetisation(self.temperature) ** 1.8)
            self._derived("k_i", "delta")
            given.remove("delta")
            given.add("k_i")
        delta = self.k_eff * self.volume / kt
        self._set("delta", delta)
        self._currents()
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = GAMMA * self.b_k
            if self.tau_d is not None:
                self._set("alpha", _damping(self.tau_d, rate))
                given.remove("tau_d")
                given.add("alpha")
            if self.alpha is None:
                return
            self._set("tau_d", (1 + np.square(self.alpha)) / (self.alpha * rate))
            self._thresholds(4 * E_CHARGE / HBAR * self.alpha * delta * kt, given)

    def _currents(self) -> None:
        """I_c0 from given V_c0, (5)."""
        for name, state, sign in (("p", 1, -1), ("ap", -1, 1)):
            if (v := getattr(self, f"v_c0_{name}")) is not None:
                i = np.abs(current(sign * np.asarray(v), self, state)[0])
                left = 1 - sign * self.vcma * v
                if not np.all(left > 0):
                    raise DataError(f"xi takes all of the anisotropy before v_c0_{name} = {np.max(v):.3g} V")
                self._set(f"i_c0_{name}", i / left)

    def _thresholds(self, at_unit_efficiency: Array, given: set[str]) -> None:
        """I_c0 from the efficiencies, or the efficiencies from given I_c0."""
        p = self.polarization
        for name, elastic in (("p", p / (1 + p ** 2)), ("ap", p / (1 - p ** 2))):
            threshold, efficiency = f"i_c0_{name}", f"eta_{name}"
            if getattr(self, threshold) is not None:
                self._set(efficiency, at_unit_efficiency / getattr(self, threshold))
                self._derived(efficiency, threshold)
                given -= {threshold, f"v_c0_{name}"}
                given.add(efficiency)
            elif getattr(self, efficiency) is None:
                self._set(efficiency, elastic)
            self._set(threshold, at_unit_efficiency / getattr(self, efficiency))

    def _known(self, name: str, what: str) -> Array:
        self.need(name, what=what)
        return np.asarray(getattr(self, name))

    def need(self, *names: str, what: str = "this") -> None:
        """Raise DataError if one of the named fields is unknown; `what` begins the message."""
        follows = "or alpha and what delta follows from"
        cures = {"delta": "delta, or diameter [m], thickness [m], m_s [A/m] and k_i [J/m^2]",
                 "tau_d": f"tau_d [s], {follows}",
                 "i_c0_p": f"i_c0_p [A] or v_c0_p [V], {follows}",
                 "i_c0_ap": f"i_c0_ap [A] or v_c0_ap [V], {follows}"}
        for name in names:
            if getattr(self, name) is None:
                unit = type(self).__dataclass_fields__[name].metadata["unit"]
                cure = cures.get(name, f"{name} [{unit}]")
                raise DataError(f"{what} needs {name}, which these MTJ parameters lack; give {cure}")

    @property
    def g_p(self) -> Value:
        """Parallel conductance at zero bias [S]."""
        assert self.r_p is not None  # __post_init__ saw to it
        return 1 / self.r_p

    @property
    def g_ap(self) -> Value:
        """Antiparallel conductance at zero bias [S]."""
        return self.g_p / (1 + self.tmr_0)

    @property
    def tmr_0(self) -> Value:
        """TMR at zero bias and `temperature`."""
        if np.ndim(self.temperature) == 0 and self.temperature == T_REF:
            return self.tmr
        squared = np.square(self.polarization)
        return 2 * squared / (1 - squared)

    @property
    def polarization(self) -> Array:
        """Spin polarisation P at `temperature`, from the TMR at 300 K."""
        tmr = np.asarray(self.tmr)
        return np.sqrt(tmr / (tmr + 2)) * (_spin_polarisation(self.temperature) / _spin_polarisation(T_REF))

    @property
    def area(self) -> Array:
        """Of the junction [m^2]. Raises DataError if the diameter is unknown."""
        return np.pi * np.square(self._known("diameter", "the area")) / 4

    @property
    def volume(self) -> Array:
        """Of the free layer [m^3]. Raises DataError if diameter or thickness is unknown."""
        return self.area * self._known("thickness", "the volume")

    @property
    def magnetization(self) -> Array:
        """Saturation magnetisation at `temperature` [A/m]. Raises DataError if m_s is unknown."""
        return self._known("m_s", "the magnetisation") * _magnetisation(self.temperature)

    @property
    def interface_anisotropy(self) -> Array:
        """K_i at `temperature` and zero bias [J/m^2]. Raises DataError if k_i is unknown."""
        return self._known("k_i", "the anisotropy") * _magnetisation(self.temperature) ** 1.8

    @property
    def _shape_anisotropy(self) -> Array:
        return MU_0 * (np.asarray(self.n_z) - self.n_x) * np.square(self.magnetization) / 2

    @property
    def k_eff(self) -> Array:
        """Effective perpendicular anisotropy at zero bias [J/m^3], (1); negative in an easy plane."""
        return self.interface_anisotropy / self._known("thickness", "the anisotropy") - self._shape_anisotropy

    @property
    def b_k(self) -> Array:
        """Anisotropy field mu_0 H_k at zero bias [T], (1)."""
        return 2 * self.k_eff / self.magnetization

    @property
    def vcma(self) -> Array:
        """Relative loss of K_eff, hence of Delta and I_c0, per volt [1/V]: xi / (t_ox t K_eff); 0 without xi."""
        if not np.any(self.xi):
            return np.zeros(())
        thickness = self._known("thickness", "voltage-controlled anisotropy")
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.xi / (self.t_ox * thickness * self.k_eff)

    @property
    def shape(self) -> tuple[int, ...]:
        """Common shape of the fields; () for a single junction."""
        return np.broadcast_shapes(*(np.shape(getattr(self, e.name)) for e in fields(self)))

    def i_c0(self, state: npt.ArrayLike) -> Array:
        """Critical current [A] that a junction in `state`, what `as_state` accepts, must carry to leave it; broadcast shape.

        Raises DataError where that of a state which occurs is unknown.
        """
        states = as_state(state)
        self.need(*_thresholds_out_of(states), what="a critical current")
        return self._critical_current(states)

    def _critical_current(self, states: npt.NDArray[Any]) -> Array:
        """I_c0 [A] of states +1 and -1, NaN where it is unknown."""
        out_of_p, out_of_ap = (np.nan if x is None else np.asarray(x) for x in (self.i_c0_p, self.i_c0_ap))
        return np.where(states > 0, out_of_p, out_of_ap)

    def need_switching(self, state: npt.ArrayLike, *, what: str = "switching") -> None:
        """Raise DataError where delta, tau_d or the I_c0 of leaving `state` is unknown; `what` begins the message."""
        self.need("delta", "tau_d", *_thresholds_out_of(as_state(state)), what=what)

    def v_c0(self, state: npt.ArrayLike) -> Array:
        """Critical voltage [V], (5): its magnitude, of the broadcast shape; V < 0 switches P -> AP and V > 0 AP -> P.

        Solves |I(V)| = I_c0 (1 - vcma V) by Newton's method. Raises DataError where I_c0 is unknown or no voltage carries it.
        """
        state = as_state(state)
        target = self.i_c0(state)
        if not np.all(target > 0):
            unstable = np.count_nonzero(~(target > 0))
            raise DataError(f"{unstable} of {target.size} junctions have K_eff <= 0, hence no critical voltage")
        sign = -state.astype(float)
        v = target / np.asarray(self.g_p)
        for _ in range(60):
            i, slope = current(sign * v, self, state)
            step = (np.abs(i) - target * (1 - sign * self.vcma * v)) / (slope + sign * self.vcma * target)
            v = v - step
            if np.all(np.abs(step) <= 1e-13 * np.abs(v)):
                break
        if not np.all((v > 0) & (np.abs(step) <= 1e-9 * v)):
            raise DataError("no voltage makes these junctions carry their critical current; look at i_c0, xi and the barrier")
        return v

    def replace(self, **changes: Any) -> "MTJParams":
        """A copy with some fields changed; what had been derived is derived anew.

        A changed `r_p` supersedes a given RA, a changed `ra` or `diameter` an r_p that came with RA, `k_i` a delta, `alpha` a
        tau_d, `eta_*` an I_c0.
        """
        superseded = {"r_p": ("ra",), "k_i": ("delta",), "alpha": ("tau_d",),
                      **{f"{a}_{s}": tuple(f"{b}_{s}" for b in ("eta", "i_c0", "v_c0") if b != a)
                         for a in ("eta", "i_c0", "v_c0") for s in ("p", "ap")}}
        values = self._defining()
        for name in changes:
            values |= dict.fromkeys(superseded.get(name, ()))
        if values["ra"] is not None and ("diameter" in changes or "ra" in changes and values["diameter"] is not None):
            values["r_p"] = None
        with doubts.remaking():
            changed = type(self)(**(values | changes))
        for name, text in changed.doubtful.items():
            if name not in self.doubtful:
                doubts.warn(text)
        return changed

    def _defining(self) -> dict[str, Any]:
        """Every field, those that follow from others as None."""
        return {e.name: getattr(self, e.name) if e.name in self._given else None for e in fields(self)}

    def select(self, shape: tuple[int, ...], which: npt.NDArray[np.intp]) -> "MTJParams":
        """Parameters of some junctions of an array: `which` are flat indices into `shape`, to which the fields broadcast."""
        def pick(value: Any) -> Any:
            return value if np.ndim(value) == 0 else np.broadcast_to(value, shape).ravel()[which]
        with doubts.remaking():
            return type(self)(**{name: pick(value) for name, value in self._defining().items()})

    @classmethod
    def stack(cls, junctions: Sequence["MTJParams"]) -> "MTJParams":
        """One set of parameters (n,) for n single junctions. A field that some of them lack is unknown of all."""
        joined: dict[str, Any] = {"v_c0_p": None, "v_c0_ap": None}  # i_c0 stands for them
        for name in (e.name for e in fields(cls) if e.name not in joined):
            values = [getattr(p, name) for p in junctions]
            joined[name] = None if None in values else values[0] if len(set(values)) == 1 else np.array(values)
        if all(joined[name] is not None for name in ("diameter", "thickness", "m_s", "k_i")):  # what follows is derived anew
            joined["delta"] = None
            if joined["alpha"] is not None:
                joined |= dict.fromkeys(("tau_d", "i_c0_p", "i_c0_ap"))
                joined |= {eta: None for eta in ("eta_p", "eta_ap") if not any(eta in p._given for p in junctions)}
        with doubts.remaking():
            return cls(**joined)


def _thresholds_out_of(states: npt.NDArray[Any]) -> list[str]:
    """Names of the critical currents that junctions in these states, +1 and -1, must carry to leave them."""
    return [name for name, present in (("i_c0_p", states > 0), ("i_c0_ap", states < 0)) if np.any(present)]


def _damping(tau_d: Value, rate: Array) -> Array:
    """alpha < 1 of alpha + 1/alpha = tau_d gamma mu_0 H_k, (3)."""
    product = tau_d * rate
    if not np.all(product >= 2):
        raise DataError(f"tau_d = {np.min(tau_d):.3g} s is too short: whatever its damping, a macrospin needs "
                        f"2 / (gamma mu_0 H_k) = {np.max(2 / rate):.3g} s")
    return np.asarray(2 / (product + np.sqrt(product ** 2 - 4)))


def _magnetisation(temperature: Value) -> Array:
    """M_s(T) / M_s(300 K)."""
    return ((1 - np.asarray(temperature) / T_CURIE) / (1 - T_REF / T_CURIE)) ** 0.4


def _spin_polarisation(temperature: Value) -> Array:
    """P(T) / P(0)."""
    return 1 - 2e-5 * np.asarray(temperature) ** 1.5


def _check(params: MTJParams, name: str, bounds: Mapping[str, Any]) -> None:
    """The field as a float or an array of floats within its bounds."""
    value = getattr(params, name)
    if value is None and type(params).__dataclass_fields__[name].default is None:
        return
    if value is None and name in _OPTIONAL:
        return
    array = real_array(value, f"MTJ parameter {name} [{bounds['unit']}]")
    if array.size == 0:
        raise DataError(f"MTJ parameter {name} is empty")
    low, high = bounds["low"], bounds["high"]
    if low == 0 and not bounds["closed"] and np.any((array > 0) & (array < LEAST)):
        raise DataError(f"MTJ parameter {name} must be positive, at least {LEAST:g} [{bounds['unit']}]")
    good = (array >= low if bounds["closed"] else array > low) & (np.isfinite(array) | (bounds["infinite"] & (array == np.inf)))
    good &= array <= high
    if not good.all():
        allowed = f"at least {low:g}" if bounds["closed"] else "positive" if low == 0 else f"above {low:g}"
        if np.isfinite(high):
            allowed += f" and at most {high:g}"
        raise DataError(f"MTJ parameter {name} must be {allowed} and finite [{bounds['unit']}], got {array[~good].flat[0]:.6g}")
    object.__setattr__(params, name, float(array) if array.ndim == 0 else array)


_LEAST = 1e-100  # [A], [s] of critical currents and relaxation times: of less the reciprocal may be beyond all numbers

#: Fields that have a default and may yet be unknown.
_OPTIONAL = frozenset({"thickness", "k_i", "m_s", "alpha"})
