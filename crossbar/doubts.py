"""Values that can be computed with but are probably a slip of units: from which on, what is said.

What is said once, of what a user gave, is not said again of objects that are made from it inside:
`remaking`.
"""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import numpy.typing as npt

from crossbar.errors import CrossbarWarning

Array = npt.NDArray[np.float64]

#: Conductance of a cell [S] from which on it looks like a resistance; junctions have 1 uS to 10 mS.
LARGE_CONDUCTANCE = 1.0
#: TMR ratio from which on it looks like percent: nearly twice the largest ever measured, 11.4 at 5 K
#: (Ikeda et al., Appl. Phys. Lett. 93, 082508 (2008)), and the least that is given in percent.
LARGE_TMR = 20.0
#: Pulse width [s] from which on it looks like a number of nanoseconds, which are 0.1 or more; the
#: pulses of slow boards are shorter.
LONG_PULSE = 0.1

_REMAKING: ContextVar[bool] = ContextVar("remaking", default=False)


@contextmanager
def remaking() -> Iterator[None]:
    """Nothing is said of objects made inside: of what they are made from it has been."""
    token = _REMAKING.set(True)
    try:
        yield
    finally:
        _REMAKING.reset(token)


def warn(text: str | None, cure: str = "") -> None:
    """`text`, if there is any, and what to do, as a CrossbarWarning at the line outside of crossbar
    that led to it."""
    if text is None or _REMAKING.get():
        return
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _inside(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
        level += 1
    warnings.warn(f"{text}; {cure}" if cure else text, CrossbarWarning, stacklevel=level)


def of_conductances(g: Array) -> str | None:
    """Of cells (M, N) [S]."""
    if not g.size or g.max() < LARGE_CONDUCTANCE:
        return None
    large = np.count_nonzero(g >= LARGE_CONDUCTANCE)
    return (f"{large} of {g.size} cells conduct {LARGE_CONDUCTANCE:g} S or more, up to "
            f"{g.max():.3g} S, as if they were resistances")


def of_resistances(r: Array) -> str | None:
    """Of cells (M, N) [ohm]."""
    if not r.size or r.min() > 1 / LARGE_CONDUCTANCE:
        return None
    small = np.count_nonzero(r <= 1 / LARGE_CONDUCTANCE)
    return (f"{small} of {r.size} cells have {1 / LARGE_CONDUCTANCE:g} ohm or less, down to "
            f"{r.min():.3g} ohm, as if they were conductances")


def of_tmr(tmr: npt.ArrayLike) -> str | None:
    """Of a TMR ratio."""
    largest = np.max(tmr)
    if largest < LARGE_TMR:
        return None
    return (f"a TMR of {largest:.4g} is {100 * largest:.6g} %, more than any junction has: tmr is "
            f"the ratio (R_AP - R_P) / R_P, {largest / 100:.4g} for {largest:.4g} %")


def of_parallel_resistance(r_p: npt.ArrayLike) -> str | None:
    """Of junctions [ohm]."""
    least = np.min(r_p)
    if least >= 1 / LARGE_CONDUCTANCE:
        return None
    return f"a junction of r_p = {least:.3g} ohm, as if this were its conductance"


def of_width(seconds: npt.ArrayLike) -> str | None:
    """Of a pulse [s]."""
    longest = np.max(seconds)
    if longest < LONG_PULSE:
        return None
    return (f"a pulse of {longest:.4g} s: durations are in seconds, {longest * 1e-9:.4g} for "
            f"{longest:.4g} ns")


def _inside(module: str) -> bool:
    return module == "crossbar" or module.startswith("crossbar.")
