"""Published sets of parameters, and any set as a table for people."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from crossbar.errors import DataError
from crossbar.mtj.parameters import MTJParams, Value
from crossbar.units import format_si

#: Published parameter sets. ut-50nm: UT Austin's 50 nm junction (d 50 nm, t 1.1 nm, K_i 1.006 mJ/m^2, M_s 1.2 MA/m, alpha
#: 0.03, RA 9.8 ohm um^2, TMR 120 %, N as listed there). mtj-60kT: the same with K_i = 1.090 mJ/m^2, an assumption of this
#: package, which makes a memory of it. daffodil: G_AP = 133 uS, G_P = 233 uS and the 0.75 V from which they switch, of the
#: driver code published with NIST's 20 000-MTJ boards; its geometry and magnetism are unknown. V_h = 0.5 V is SPINLIB's.
PRESETS: Mapping[str, MTJParams] = MappingProxyType({
    "mtj-60kT": MTJParams(ra=9.8e-12, diameter=50e-9, tmr=1.2, k_i=1.090e-3),
    "ut-50nm": MTJParams(ra=9.8e-12, diameter=50e-9, tmr=1.2, k_i=1.006e-3),
    "daffodil": MTJParams(r_p=1 / 233e-6, tmr=233 / 133 - 1, v_c0_p=0.75, v_c0_ap=0.75, thickness=None, k_i=None, m_s=None,
                          alpha=None),
})


def summary(p: MTJParams) -> str:
    """Table of what is known and derived of a junction, for people; ranges where fields are arrays."""
    if not isinstance(p, MTJParams):
        raise DataError(f"a summary is of MTJParams, not of {type(p).__name__}")
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
