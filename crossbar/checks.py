"""What every input must be before anything is computed from it: real numbers in a regular array that fits in memory."""

from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from crossbar import memory
from crossbar.errors import DataError

Kind = TypeVar("Kind")

MOST_COUNTED = 10 ** 300  # what a float holds: whether so many fit in memory can be asked

#: Magnitudes between which products and squares of a solve keep within the range of numbers, far beyond what can be built.
VOLTS = 1e100                   # [V], the most
SIEMENS = (1e-200, 1e100)       # [S], of what is not 0
OHMS = (1e-100, 1e200)          # [ohm], of what is neither 0 nor inf
#: Largest tolerances that make sense: beyond them what counts as solved says nothing about the circuit.
MOST = {"rtol": 1e-2, "reltol": 0.1, "abstol": 1e-3, "vntol": 0.1}  # [1], [1], [A], [V]


def generator(rng: Any) -> np.random.Generator:
    """`rng` itself. Raises DataError unless it is a numpy.random.Generator."""
    if not isinstance(rng, np.random.Generator):
        raise DataError(f"rng is a numpy.random.Generator, as numpy.random.default_rng(seed) makes one, not {type(rng).__name__}")
    return rng


def real_array(value: Any, what: str) -> npt.NDArray[np.float64]:
    """A float copy of numbers of any real type. Raises DataError for text, complex, ragged or other input; SizeError where
    the copy would not fit in memory. `what` begins the message."""
    array = _regular_array(value, what)
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what}: real numbers are wanted, got {array.dtype}")
    memory.require(what, 8 * float(array.size))
    with np.errstate(over="ignore"):  # wider floats may become inf, which the bounds see
        return array.astype(float)


def number(value: Any, what: str) -> float:
    """`value` as a float. Raises DataError unless it is one real number; `what` begins the message."""
    if type(value) is float:  # as most are: a small array is solved in less time than numpy takes for many questions
        return value
    array = real_array(value, what)
    if array.ndim:
        raise DataError(f"{what}: one number is wanted, got an array of shape {array.shape}")
    return float(array)


def finite_number(value: Any, what: str) -> float:
    """One finite number. Raises DataError for anything else."""
    array = real_array(value, what)
    if array.ndim or not np.isfinite(array):
        raise DataError(f"{what} is one finite number, not {_shown(value)}")
    return float(array)


def positive_number(value: Any, what: str, *, finite: bool = True, most: float = np.inf) -> float:
    """One number above 0, at most `most`; infinite only if not `finite`. Raises DataError for anything else."""
    array = real_array(value, what)
    in_range = array.ndim == 0 and 0 < array <= most
    if not in_range or (finite and np.isinf(array)):
        limit = "" if np.isinf(most) else f", at most {most:g}"
        kind = "finite number" if finite else "number"
        raise DataError(f"{what} is one {kind} above 0{limit}, not {_shown(value)}")
    return float(array)


def whole_numbers(value: Any, what: str) -> npt.NDArray[np.intp]:
    """Whole numbers of any shape. Raises DataError for other types, ragged or empty lists, and
    beyond 64 bits."""
    numbers = _regular_array(value, what)
    if numbers.dtype.kind not in "iu":
        raise DataError(f"{what}: whole numbers are wanted, not {_shown(value)}")
    if numbers.dtype.kind == "u" and (numbers > np.iinfo(np.intp).max).any():
        raise DataError(f"{what}: {numbers.max()} is too large")
    return numbers.astype(np.intp)


def count(value: Any, what: str, least: int = 1, most: int = MOST_COUNTED) -> int:
    """One whole number from `least` to `most`. Raises DataError for anything else."""
    number = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
    whole = isinstance(number, int | np.integer) and not isinstance(number, bool)
    if whole and least <= number <= most:
        return int(number)
    limit = "" if most == MOST_COUNTED else f" and at most {most}"
    raise DataError(f"{what} is a whole number of at least {least}{limit}, not {_shown(value)}")


def mask(value: Any, shape: tuple[int, ...], what: str) -> npt.NDArray[np.bool_]:
    """A mask (bool) of a shape. Raises DataError for anything else."""
    try:
        flags = np.asarray(value)
    except ValueError:
        raise DataError(f"{what}: not a regular array") from None
    if flags.dtype != bool or flags.shape != shape:
        raise DataError(
            f"{what} is a mask (bool) of shape {shape}, got {flags.dtype} of shape {flags.shape}"
        )
    return flags


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


def voltages(value: Any, what: str, *, nan: bool = False) -> npt.NDArray[np.float64]:
    """Voltages [V], as `real_array`. Raises DataError beyond VOLTS, and for NaN unless `nan` allows it."""
    volts = real_array(value, what)
    bad = np.abs(volts) > VOLTS
    if not nan:
        bad |= np.isnan(volts)
    if bad.any():
        raise DataError(f"{what} holds {volts[bad].flat[0]:g}; it must be finite and at most {VOLTS:g}")
    return volts


def all_between(values: npt.NDArray[np.float64], low: float, high: float) -> bool:
    """Whether all values lie within two bounds; NaN does not. Two passes over the values and no array: for millions of them."""
    return values.size == 0 or bool(low <= values.min() and values.max() <= high)


def out_of_range(values: npt.NDArray[np.float64], bounds: tuple[float, float]) -> npt.NDArray[np.bool_]:
    """Which values are not 0, finite, and smaller or larger than the bounds."""
    size = np.abs(values)
    return np.isfinite(size) & (size > 0) & ((size < bounds[0]) | (size > bounds[1]))


def tolerance(value: Any, key: str) -> float:
    """A tolerance, `key` of MOST. Raises DataError unless it is one number, positive and at most that."""
    size = number(value, key)
    if not 0 < size <= MOST[key]:
        raise DataError(f"{key} must be positive and at most {MOST[key]:g}, got {size:g}")
    return size


def name(value: Any, what: str) -> str:
    """A name in lower case. Raises DataError for what is no text."""
    if not isinstance(value, str):
        raise DataError(f"{what} is text, not {type(value).__name__}")
    return value.lower()


def _regular_array(value: Any, what: str) -> npt.NDArray[Any]:
    """An array of any type. Raises DataError for ragged lists, and what fits in none."""
    try:
        return np.asarray(value)
    except (TypeError, ValueError):
        raise DataError(f"{what}: not a regular array") from None


def _shown(value: Any) -> str:
    """A value in a message, shortened."""
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits
        return type(value).__name__
    return text if len(text) <= 60 else f"{type(value).__name__} {text[:40]}..."
