"""What drives a simulation in time: a number, an array with one value per trajectory, or a function of time that gives either."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from crossbar.checks import real_array
from crossbar.errors import DataError
from crossbar.mtj.arguments import MOST
from crossbar.mtj.streams import LANES

Array = npt.NDArray[np.float64]
Value = float | Array
MOST_MOVES = 1e11    #: steps times moments: an hour or so
Waveform = float | Array | Callable[[float], Value]  # a number, (n,) values, or either as a function of t [s]


def number(value: object, what: str, low: float = 0.0) -> float:
    """A finite number above `low`; `what` begins the message of the DataError that says it is none."""
    array = real_array(value, f"the {what}")
    if array.ndim or not (np.isfinite(array) and array > low):
        raise DataError(f"the {what} must be a finite number above {low:g}, got {value!r:.80}")
    return float(array)


def count(value: object, what: str) -> int:
    """A whole number of at least 1; `what` begins the message of the DataError that says it is none."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or not 1 <= value <= MOST:
        raise DataError(f"the {what} must be a whole number of at least 1 and at most {MOST:g}, got {value!r:.80}")
    return int(value)


def affordable(steps: float, each: int) -> float:
    """The number of steps that `each` moments take. Raises DataError where they would take days."""
    if not steps * each <= MOST_MOVES:
        raise DataError(f"this duration takes {steps:.3g} steps of each of {each}; at most {MOST_MOVES:g} together are taken: "
                        "shorten it, or take the Fokker-Planck equation")
    return steps


def sample(wave: Waveform, times: Array, n: int, what: str) -> Array:
    """Values (k or 1, n or 1) of a waveform at times (k,) [s]; `what` begins the messages.

    Raises DataError where they are not finite numbers or of another shape than () or (n,).
    """
    values = [wave(t) for t in times.tolist()] if callable(wave) else [wave]
    rows = []
    for t, value in zip(times.tolist(), values, strict=False):
        where = f"the {what}" + (f" at t = {t:.4g} s" if callable(wave) else "")
        row = np.atleast_1d(real_array(value, where))
        if row.shape not in ((1,), (n,)):
            raise DataError(f"{where} has shape {np.shape(value)}: a number or one value per trajectory, ({n},), is wanted")
        if not np.all(np.isfinite(row)):
            raise DataError(f"{where} is not finite")
        rows.append(row)
    return np.stack(np.broadcast_arrays(*rows))


def packed(values: Array, blocks: int) -> Array:
    """(k, rows, n or 1) -> (k, blocks or 1, rows LANES), as kernels want it; the last trajectory fills the last block."""
    k, rows, width = values.shape
    lanes = np.minimum(np.arange(LANES * (blocks if width > 1 else 1)), width - 1)
    return np.ascontiguousarray(values[:, :, lanes].reshape(k, rows, -1, LANES).swapaxes(1, 2)).reshape(k, -1, rows * LANES)


def unpacked(block: Array, first: int, last: int, n: int) -> Array:
    """Rows first ... last - 1 of (blocks, rows LANES), as (n, last - first)."""
    rows = block.reshape(block.shape[0], -1, LANES)[:, first:last]
    return rows.transpose(0, 2, 1).reshape(-1, last - first)[:n]
