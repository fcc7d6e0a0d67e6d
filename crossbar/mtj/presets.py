"""Published sets of parameters, whose names stand for them; any set as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from crossbar.errors import DataError
from crossbar.mtj import conduction
from crossbar.mtj.parameters import MTJParams, Value
from crossbar.units import format_si

Params = MTJParams | str  #: parameters of junctions, or the name of a preset
Array = npt.NDArray[np.float64]


class UnknownPreset(DataError, KeyError):
    """There is no preset of that name."""

    def __str__(self) -> str:  # a KeyError would show it in quotes
        return str(self.args[0])


class Presets(Mapping[str, MTJParams]):
    """Parameter sets by name, read only. Another name raises UnknownPreset, which says what there is."""

    def __init__(self, sets: Mapping[str, MTJParams]) -> None:
        self._sets = dict(sets)

    def __getitem__(self, name: str) -> MTJParams:
        try:
            return self._sets[name]
        except (KeyError, TypeError):
            raise UnknownPreset(f"no preset {name!r}; there are {', '.join(self._sets)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._sets)

    def __len__(self) -> int:
        return len(self._sets)

    def __repr__(self) -> str:
        return f"<presets {', '.join(self._sets)}>"


#: Published parameter sets. ut-50nm: UT Austin's 50 nm junction (d 50 nm, t 1.1 nm, K_i 1.006 mJ/m^2, M_s 1.2 MA/m, alpha
#: 0.03, RA 9.8 ohm um^2, TMR 120 %, N as listed there). mtj-60kT: the same with K_i = 1.090 mJ/m^2, an assumption of this
#: package, which makes a memory of it. daffodil: G_AP = 133 uS, G_P = 233 uS and the 0.75 V from which they switch, of the
#: driver code published with NIST's 20 000-MTJ boards; its geometry and magnetism are unknown. V_h = 0.5 V is SPINLIB's.
PRESETS = Presets({
    "mtj-60kT": MTJParams(ra=9.8e-12, diameter=50e-9, tmr=1.2, k_i=1.090e-3),
    "ut-50nm": MTJParams(ra=9.8e-12, diameter=50e-9, tmr=1.2, k_i=1.006e-3),
    "daffodil": MTJParams(r_p=1 / 233e-6, tmr=233 / 133 - 1, v_c0_p=0.75, v_c0_ap=0.75, thickness=None, k_i=None, m_s=None,
                          alpha=None),
})


def as_params(p: Params) -> MTJParams:
    """Parameters as they are, or those of the preset of that name. Raises DataError for others."""
    if isinstance(p, MTJParams):
        return p
    if isinstance(p, str):
        return PRESETS[p]
    raise DataError(f"p must be MTJParams, or the name of a preset, not {type(p).__name__}; "
                    f"there are {', '.join(PRESETS)}")


def current(v: npt.ArrayLike, p: Params, state: npt.ArrayLike) -> tuple[Array, Array]:
    """Current and differential conductance of junctions, by the law of `conduction.current`.

    v : array. Voltage, free minus fixed layer [V].
    p : MTJParams, or the name of a preset.
    state : array, broadcasts against v. Numbers are cos(theta) of the free layer: +1 parallel, -1
        antiparallel, 0 the equator; bool (true: parallel) and "P" / "AP" as in `as_state`.
    Returns i [A] and di/dv [S], each of the broadcast shape of v, state and the fields of p.
    """
    return conduction.current(v, as_params(p), state)


def conductance(p: Params, state: npt.ArrayLike) -> Array:
    """Conductance at zero bias [S]: the small-signal read-out, shape as `current` at v = 0."""
    return conduction.conductance(as_params(p), state)


def summary(p: Params) -> str:
    """Table of what is known and derived of a junction, for people; ranges where fields are arrays."""
    p = as_params(p)
    rows = [("R_P", p.r_p, "ohm"), ("R_AP at 0 V", 1 / np.asarray(p.g_ap), "ohm"), ("TMR at 0 V", 100 * np.asarray(p.tmr_0), "%"),
            ("diameter", p.diameter, "m"), ("temperature", p.temperature, "K")]
    if p.diameter is not None and p.thickness is not None and p.m_s is not None:
        rows += [("M_s", p.magnetization, "A/m"), ("K_eff", p.k_eff, "J/m^3"), ("mu_0 H_k", p.b_k, "T")]
    rows += [("Delta", p.delta, "1"), ("tau_D", p.tau_d, "s"), ("alpha", p.alpha, "1")]
    for arrow, i_c0, state in (("P -> AP", p.i_c0_p, 1), ("AP -> P", p.i_c0_ap, -1)):
        rows.append((f"I_c0 {arrow}", i_c0, "A"))
        known = i_c0 is not None and np.all(np.asarray(i_c0) > 0)
        rows.append((f"V_c0 {arrow}", p.v_c0(state) if known else None, "V"))
    return "\n".join(f"{name:<14} {_range(value, unit)}" for name, value, unit in rows)


def _range(value: Value | None, unit: str) -> str:
    if value is None:
        return "unknown"
    ends = [f"{x:.4g}" if unit in ("1", "%") else format_si(x, unit) for x in (float(np.min(value)), float(np.max(value)))]
    return " to ".join(dict.fromkeys(ends)) + (" %" if unit == "%" else "")
