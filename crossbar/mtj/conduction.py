"""MTJ conduction with bias-dependent TMR.

    I(v) = u G(v),  G(v) = G_AP(v) + (1 + m_z)/2 [G_P - G_AP(v)],  G_AP(v) = G_P / (1 + TMR(v)),
    TMR(v) = TMR_0 / (1 + (v / V_h)^2),
    u = v, or with a barrier of finite height phi and asymmetry dphi   u = v - b v^2 / 2 + c v^3 / 3,
    b = A_0 e dphi / (16 phi^1.5),  c = 9 A_0^2 e^2 / (128 phi),  A_0 = 4 sqrt(2 m_e) t_ox / (3 hbar)

m_z = cos(theta) = +1 parallel, -1 antiparallel: conductance, not resistance, is linear in m_z (Slonczewski, Phys. Rev.
B 39, 6995 (1989); Julliere, Phys. Lett. A 54, 225 (1975)). The Lorentzian decay of the TMR with bias is the one of
SPINLIB (Zhang et al., IEEE Trans. Electron Devices 59, 819 (2012)); G_P is independent of bias unless the barrier is
given (Brinkman, Dynes, Rowell, J. Appl. Phys. 41, 1915 (1970), eq. 13 integrated).
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from scipy.constants import electron_mass

from crossbar import memory
from crossbar.checks import choice
from crossbar.errors import DataError
from crossbar.units import E_CHARGE, HBAR

Array = npt.NDArray[np.float64]
Value = float | Array
StateForm = Literal["01", "-1/1", "bool", "words"]

STATE_FORMS = ("01", "-1/1", "bool", "words")


class Conductor(Protocol):
    """What conduction needs to know of MTJParams."""

    @property
    def v_h(self) -> Value: ...

    @property
    def t_ox(self) -> Value: ...

    @property
    def barrier(self) -> Value: ...

    @property
    def asymmetry(self) -> Value: ...

    @property
    def g_p(self) -> Value: ...

    @property
    def tmr_0(self) -> Value: ...


def current(v: npt.ArrayLike, p: Conductor, state: npt.ArrayLike) -> tuple[Array, Array]:
    """Current and differential conductance of junctions.

    v : array. Voltage, free minus fixed layer [V].
    p : MTJParams.
    state : array, broadcasts against v. Numbers are cos(theta) of the free layer: +1 parallel, -1 antiparallel, 0 the
        equator; bool (true: parallel) and "P" / "AP" as in `as_state`.
    Returns i [A] and di/dv [S], each of the broadcast shape of v, state and the fields of p.
    """
    if not hasattr(p, "tmr_0"):
        raise DataError(f"p must be MTJParams, not {type(p).__name__}")
    volts, m_z = _numbers(v, "voltage v [V]"), _numbers(state, "state", words=True)
    try:
        with np.errstate(over="raise", invalid="raise"):  # NaN, of cells that nothing reaches, passes
            return _current(volts, p, m_z)
    except FloatingPointError:
        raise DataError("voltage v [V] and state must be finite, and within what a junction's law can tell: got voltages up to "
                        f"{np.abs(volts).max():.3g} V") from None
    except ValueError:
        raise DataError(f"shapes do not broadcast: v {volts.shape}, state {m_z.shape}, and the parameters") from None


def _numbers(value: npt.ArrayLike, what: str, *, words: bool = False) -> Array:
    """Floats, without a copy where they are. Raises DataError. `words`: truth values and texts are states."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise DataError(f"{what}: not a regular array") from None
    if words and array.dtype.kind in "bUS":
        array = as_state(array)
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what}: real numbers are wanted, got {array.dtype}")
    return np.asarray(array, dtype=float)


def _current(v: Array, p: Conductor, m_z: Array) -> tuple[Array, Array]:
    """`current` of numbers."""
    g_p = p.g_p
    antiparallel = (1 - m_z) / 2
    # G = G_P [1 - a TMR(v) / (1 + TMR(v))] with a = (1 - m_z)/2 and TMR/(1 + TMR) = TMR_0 / (1 + TMR_0 + w)
    w = (v / p.v_h) ** 2
    rest = 1 + p.tmr_0 + w
    ratio = antiparallel * p.tmr_0 / rest
    g = g_p * (1 - ratio)
    if np.all(np.isinf(p.barrier)):
        return v * g, g + g_p * ratio * (2 * w / rest)
    b, c = brinkman(p)
    u, du = v * (1 - b * v / 2 + c * v ** 2 / 3), 1 - b * v + c * v ** 2
    return u * g, du * g + (u / np.where(v == 0, 1, v)) * g_p * ratio * (2 * w / rest)


def brinkman(p: Conductor) -> tuple[Array, Array]:
    """Coefficients b [1/V] and c [1/V^2] of the barrier: dI/dV ~ 1 - b v + c v^2, positive where b^2 < 4 c."""
    phi = np.asarray(p.barrier) * E_CHARGE
    a_0 = 4 * np.sqrt(2 * electron_mass) * np.asarray(p.t_ox) / (3 * HBAR)
    return a_0 * E_CHARGE * (np.asarray(p.asymmetry) * E_CHARGE) / (16 * phi ** 1.5), 9 * (a_0 * E_CHARGE) ** 2 / (128 * phi)


def conductance(p: Conductor, state: npt.ArrayLike) -> Array:
    """Conductance at zero bias [S]: the small-signal read-out, shape as `current` at v = 0."""
    return current(0.0, p, state)[1]


def as_state(value: npt.ArrayLike) -> npt.NDArray[np.int8]:
    """States +1 (P) and -1 (AP) as int8 from bool, {0, 1}, {-1, 1} or "P" / "AP"; the shape is kept.

    States may be given in any of these forms; whatever comes out of cells, arrays and reports is +1
    and -1, also where 1 and 0 were given. `states_as` turns them into another form.
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


def states_as(state: npt.ArrayLike, form: StateForm = "01") -> npt.NDArray[Any]:
    """States, in whatever form `as_state` takes, in one of its forms; the shape is kept.

    form : "01" (1 parallel, 0 antiparallel) or "-1/1", both int8; "bool" (true: parallel); "words"
        ("P" and "AP").
    Raises DataError for another form, and for what are no states.

    >>> states_as([1, -1, -1]), states_as([1, 0], "words")
    (array([1, 0, 0], dtype=int8), array(['P', 'AP'], dtype='<U2'))
    """
    choice(form, STATE_FORMS, "the form of states")
    states = as_state(state)
    if form == "-1/1":
        return states
    parallel = states > 0
    if form == "words":
        return np.where(parallel, "P", "AP")
    return parallel if form == "bool" else parallel.astype(np.int8)
