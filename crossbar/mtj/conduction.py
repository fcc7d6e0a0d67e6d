"""MTJ conduction with bias-dependent TMR.

    I(v) = v G(v),  G(v) = G_AP(v) + (1 + m_z)/2 [G_P - G_AP(v)],  G_AP(v) = G_P / (1 + TMR(v)),
    TMR(v) = TMR_0 / (1 + (v / V_h)^2)

m_z = cos(theta) = +1 parallel, -1 antiparallel: conductance, not resistance, is linear in m_z (Slonczewski, Phys. Rev.
B 39, 6995 (1989); Julliere, Phys. Lett. A 54, 225 (1975)). The Lorentzian decay of the TMR with bias is the one of
SPINLIB (Zhang et al., IEEE Trans. Electron Devices 59, 819 (2012)); G_P is taken as independent of bias.
"""

import numpy as np
import numpy.typing as npt

from crossbar import memory
from crossbar.errors import DataError
from crossbar.mtj.parameters import MTJParams

Array = npt.NDArray[np.float64]


def current(v: npt.ArrayLike, p: MTJParams, state: npt.ArrayLike) -> tuple[Array, Array]:
    """Current and differential conductance of junctions.

    v : array. Voltage, free minus fixed layer [V].
    state : array, broadcasts against v. +1 parallel, -1 antiparallel; in between: cos(theta) of the free layer.
    Returns i [A] and di/dv [S], each of the broadcast shape of v, state and the fields of p.
    """
    v = np.asarray(v, dtype=float)
    if np.asarray(state).dtype.kind == "b":
        state = as_state(state)
    g_p = p.g_p
    antiparallel = (1 - np.asarray(state, dtype=float)) / 2
    # G = G_P [1 - a TMR(v) / (1 + TMR(v))] with a = (1 - m_z)/2 and TMR/(1 + TMR) = TMR_0 / (1 + TMR_0 + w)
    w = (v / p.v_h) ** 2
    rest = 1 + p.tmr + w
    ratio = antiparallel * p.tmr / rest
    g = g_p * (1 - ratio)
    return v * g, g + g_p * ratio * (2 * w / rest)


def conductance(p: MTJParams, state: npt.ArrayLike) -> Array:
    """Conductance at zero bias [S]: the small-signal read-out, shape as `current` at v = 0."""
    return current(0.0, p, state)[1]


def as_state(value: npt.ArrayLike) -> npt.NDArray[np.int8]:
    """States +1 (P) and -1 (AP) as int8 from bool, {0, 1}, {-1, 1} or "P" / "AP"; the shape is kept.

    Raises DataError for anything else, and for a mix of 0 and -1 (then nobody knows which convention it is).
    """
    try:
        array = np.asarray(value)
    except ValueError:
        raise DataError("MTJ states must form a rectangular array") from None
    memory.require("MTJ states", 16.0 * array.size)
    if array.dtype.kind in "US":
        text = np.char.upper(np.char.strip(array.astype(str)))
        if not np.isin(text, ("P", "AP")).all():
            raise DataError(f"MTJ states in words are 'P' or 'AP', got {text[~np.isin(text, ('P', 'AP'))].flat[0]!r}")
        return np.where(text == "P", 1, -1).astype(np.int8)
    if array.dtype.kind not in "biuf" or not np.isin(array, (-1, 0, 1)).all():
        raise DataError("MTJ states are bool, {0, 1}, {-1, 1} or 'P' / 'AP' (1: parallel)")
    if (array == 0).any() and (array == -1).any():
        raise DataError("MTJ states mix 0 and -1: give either {0, 1} or {-1, 1}")
    return np.where(array > 0, 1, -1).astype(np.int8)
