"""What every input must be before anything is computed from it: real numbers in a regular array that fits in memory."""

from typing import Any

import numpy as np
import numpy.typing as npt

from crossbar import memory
from crossbar.errors import DataError


def generator(rng: Any) -> np.random.Generator:
    """`rng` itself. Raises DataError unless it is a numpy.random.Generator."""
    if not isinstance(rng, np.random.Generator):
        raise DataError(f"rng is a numpy.random.Generator, as numpy.random.default_rng(seed) makes one, not {type(rng).__name__}")
    return rng


def real_array(value: Any, what: str) -> npt.NDArray[np.float64]:
    """A float copy of numbers of any real type. Raises DataError for text, complex, ragged or other input; SizeError where
    the copy would not fit in memory. `what` begins the message."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise DataError(f"{what}: not a regular array") from None
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what}: real numbers are wanted, got {array.dtype}")
    memory.require(what, 8 * float(array.size))
    return array.astype(float)
