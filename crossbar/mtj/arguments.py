"""What arguments of the junction's functions must be; each raises DataError that names the argument."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from crossbar.checks import real_array
from crossbar.errors import DataError

LONGEST = 1e30    #: pulse [s]
MOST = 10 ** 15   #: cells or trajectories that anything is asked for


def one_of(value: Any, choices: Sequence[str | int], what: str) -> None:
    """Refuse what is none of the choices; `what` begins the message."""
    if isinstance(value, bool) or not isinstance(value, str | int | np.integer) or value not in choices:
        names = " or ".join(repr(choice) for choice in choices)
        raise DataError(f"{what} {names}, not {value!r:.80}")


def within(value: npt.ArrayLike, what: str, low: float, high: float, *, above: bool = False) -> npt.NDArray[np.float64]:
    """Numbers from `low`, or `above` it, to `high`, of any shape."""
    array = real_array(value, what)
    good = (array > low if above else array >= low) & (array <= high)
    if not good.all():
        least = f"above {low:g}" if above else f"at least {low:g}"
        raise DataError(f"{what} must be {least} and at most {high:g}, got {array[~good].flat[0]:.6g}")
    return array
