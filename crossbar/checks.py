"""What every input must be before anything is computed from it: real numbers in a regular array that fits in memory."""

from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from crossbar import memory
from crossbar.errors import DataError

Kind = TypeVar("Kind")


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


def finite_number(value: Any, what: str) -> float:
    """One finite number. Raises DataError for anything else."""
    number = real_array(value, what)
    if number.ndim or not np.isfinite(number):
        raise DataError(f"{what} is one finite number, not {_shown(value)}")
    return float(number)


def whole_numbers(value: Any, what: str) -> npt.NDArray[np.intp]:
    """Whole numbers of any shape. Raises DataError for other types, ragged or empty lists, and
    beyond 64 bits."""
    try:
        numbers = np.asarray(value)
    except ValueError:
        raise DataError(f"{what}: not a regular array") from None
    if numbers.dtype.kind not in "iu":
        raise DataError(f"{what}: whole numbers are wanted, not {_shown(value)}")
    return numbers.astype(np.intp)


def count(value: Any, what: str, least: int = 1) -> int:
    """One whole number of at least `least`. Raises DataError for anything else."""
    number = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
    whole = isinstance(number, int | np.integer) and not isinstance(number, bool)
    if whole and number >= least:
        return int(number)
    raise DataError(f"{what} is a whole number of at least {least}, not {_shown(value)}")


def choice(value: Any, options: Iterable[str], what: str) -> str:
    """One of some words. Raises DataError for anything else."""
    if not isinstance(value, str) or value not in options:
        raise DataError(f"{what} is one of {', '.join(options)}, not {_shown(value)}")
    return value


def instance(value: Any, kind: type[Kind] | tuple[type[Kind], ...], what: str) -> Kind:
    """`value` itself. Raises DataError unless it is of a kind; `what` says what is wanted."""
    if not isinstance(value, kind):
        raise DataError(f"{what} is wanted, not {type(value).__name__}")
    return value


def _shown(value: Any) -> str:
    """A value in a message, shortened."""
    text = repr(value)
    return text if len(text) <= 60 else f"{type(value).__name__} {text[:40]}..."
