"""What every input must be before anything is computed from it: real numbers in a regular array that fits in memory."""

from collections.abc import Sequence
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


#: Largest tolerances that make sense: beyond them what counts as solved says nothing about the circuit.
MOST = {"rtol": 1e-2, "reltol": 0.1, "abstol": 1e-3, "vntol": 0.1}  # [1], [1], [A], [V]


def number(value: Any, what: str) -> float:
    """`value` as a float. Raises DataError unless it is one real number; `what` begins the message."""
    array = real_array(value, what)
    if array.ndim:
        raise DataError(f"{what}: one number is wanted, got an array of shape {array.shape}")
    return float(array)


def tolerance(value: Any, name: str) -> float:
    """A tolerance, `name` being a key of MOST. Raises DataError unless it is one number, positive and at most that."""
    size = number(value, name)
    if not 0 < size <= MOST[name]:
        raise DataError(f"{name} must be positive and at most {MOST[name]:g}, got {size:g}")
    return size


def choice(value: Any, allowed: Sequence[str], name: str) -> str:
    """One of several words. Raises DataError for anything else."""
    if not (isinstance(value, str) and value in allowed):
        words = [f'"{word}"' for word in allowed]
        raise DataError(f"{name} is {', '.join(words[:-1])} or {words[-1]}, not {str(value)[:40]!r}")
    return value
