"""How good a classifier is.  accuracy = (samples whose class is right) / (samples)"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crossbar.checks import all_between, real_array
from crossbar.errors import DataError

MOST = 2 ** 53  # class number that a float holds exactly
IntArray = npt.NDArray[np.intp]


def labels(y: npt.ArrayLike) -> IntArray:
    """Class numbers (n,) from class numbers (n,) or one-hot rows (n, classes); DataError for others."""
    array = real_array(y, "classes: numbers (n,) or one-hot rows (n, classes)")
    if array.size == 0:
        raise DataError("classes must be numbers (n,) or one-hot rows (n, classes), at least one")
    if array.ndim == 1:
        if not (all_between(array, 0, MOST) and (array == np.floor(array)).all()):
            raise DataError(f"class numbers must be integers, 0 or more, at most {MOST}")
        return array.astype(np.intp)
    if array.ndim != 2 or not (np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all()):
        raise DataError(f"classes are numbers (n,) or one-hot rows with a single 1; got shape {array.shape}")
    return np.asarray(array.argmax(axis=1), dtype=np.intp)


def accuracy(predicted: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Share in [0, 1] of samples whose predicted class (n,) is that of y, as `labels` takes it.

    Raises DataError if the numbers of samples differ.
    """
    guess, truth = labels(predicted), labels(y)
    if guess.shape != truth.shape:
        raise DataError(f"{len(guess)} predictions for {len(truth)} classes")
    return float((guess == truth).mean())
