"""Parameters of a magnetic tunnel junction, and published sets of them.

    R_P = RA / (pi d^2 / 4)        resistance-area product over the junction's area
    TMR = (R_AP - R_P) / R_P       at zero bias

A junction is given either by its resistance `r_p`, or by its geometry (`ra`, `diameter`), or by both if they agree.
"""

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from crossbar.checks import real_array
from crossbar.errors import DataError

Value = float | npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class MTJParams:
    """One junction, or many: every field is a number or an array that broadcasts to the cells' shape.

    With neither `r_p` nor a geometry the default geometry (RA 9.8 ohm um^2, diameter 50 nm) is taken.
    Raises DataError where a value is not finite or out of range, or where `r_p` contradicts RA / area.
    """

    r_p: Value | None = None       # parallel resistance at zero bias [ohm]
    tmr: Value = 1.2               # tunnel magnetoresistance at zero bias, (R_AP - R_P) / R_P [1]
    v_h: Value = 0.5               # bias at which the TMR is halved [V]; inf: independent of bias
    ra: Value | None = None        # resistance-area product, parallel [ohm m^2]
    diameter: Value | None = None  # of the round junction [m]

    def __post_init__(self) -> None:
        if self.r_p is None and self.ra is None and self.diameter is None:
            object.__setattr__(self, "ra", 9.8e-12)
            object.__setattr__(self, "diameter", 50e-9)
        for name in ("r_p", "tmr", "v_h", "ra", "diameter"):
            _check_field(self, name)
        try:
            np.broadcast_shapes(*(np.shape(getattr(self, f)) for f in ("r_p", "tmr", "v_h", "ra", "diameter")))
        except ValueError:
            raise DataError("the fields of MTJ parameters have shapes that do not broadcast") from None
        if self.ra is None or self.diameter is None:
            if self.r_p is None:
                raise DataError("an MTJ needs r_p [ohm], or both ra [ohm m^2] and diameter [m]")
            return
        with np.errstate(all="ignore"):
            geometric = np.asarray(self.ra) / (np.pi * np.asarray(self.diameter) ** 2 / 4)
        if self.r_p is None:
            object.__setattr__(self, "r_p", _scalar_or_array(geometric))
            _check_field(self, "r_p")
        elif not np.allclose(self.r_p, geometric, rtol=1e-6, atol=0):
            raise DataError(f"r_p = {np.mean(self.r_p):.6g} ohm contradicts ra / area = {np.mean(geometric):.6g} "
                            "ohm; give one of the two")

    @property
    def g_p(self) -> Value:
        """Parallel conductance at zero bias [S]."""
        assert self.r_p is not None  # __post_init__ saw to it
        return 1 / self.r_p

    @property
    def g_ap(self) -> Value:
        """Antiparallel conductance at zero bias [S]."""
        return self.g_p / (1 + self.tmr)

    @property
    def shape(self) -> tuple[int, ...]:
        """Common shape of the fields; () for a single junction."""
        return np.broadcast_shapes(*(np.shape(getattr(self, f)) for f in ("r_p", "tmr", "v_h")))

    def replace(self, **changes: Any) -> "MTJParams":
        """A copy with some fields changed; a new geometry drops the resistance derived from the old one."""
        if ("ra" in changes or "diameter" in changes) and "r_p" not in changes and self.ra is not None:
            changes["r_p"] = None
        elif "r_p" in changes:
            changes = {"ra": None, "diameter": None} | changes
        return replace(self, **changes)


def _scalar_or_array(x: npt.NDArray[np.float64]) -> Value:
    return float(x) if x.ndim == 0 else x


def _check_field(params: MTJParams, name: str) -> None:
    value = getattr(params, name)
    if value is None and name not in ("tmr", "v_h"):
        return
    array = real_array(value, f"MTJ parameter {name}")
    if array.size == 0:
        raise DataError(f"MTJ parameter {name} is empty")
    low = array >= 0 if name == "tmr" else array > 0
    finite = low if name == "v_h" else np.isfinite(array)
    if not (low & finite).all():
        bound = "at least 0" if name == "tmr" else "positive"
        raise DataError(f"MTJ parameter {name} must be {bound} and finite, got {array[~(low & finite)].flat[0]:.6g}")
    object.__setattr__(params, name, _scalar_or_array(array))


#: Published parameter sets. ut-50nm: UT Austin's 50 nm junction (RA 9.8 ohm um^2, TMR 120 %). mtj-60kT: the same
#: junction with a stronger interface anisotropy (an assumption of this package; conduction is alike).
#: daffodil: G_AP = 133 uS, G_P = 233 uS, from the driver code published with NIST's 20 000-MTJ boards.
#: V_h = 0.5 V is SPINLIB's default, an assumption for all three.
PRESETS = MappingProxyType({
    "mtj-60kT": MTJParams(ra=9.8e-12, diameter=50e-9, tmr=1.2),
    "ut-50nm": MTJParams(ra=9.8e-12, diameter=50e-9, tmr=1.2),
    "daffodil": MTJParams(r_p=1 / 233e-6, tmr=233 / 133 - 1),
})
