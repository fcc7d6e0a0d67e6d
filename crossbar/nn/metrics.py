"""How good a classifier is.  accuracy = (samples whose class is right) / (samples)"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crossbar.errors import DataError

IntArray = npt.NDArray[np.intp]


def labels(y: npt.ArrayLike) -> IntArray:
    """Class numbers (n,) from class numbers (n,) or one-hot rows (n, classes); DataError for others."""
    array = np.asarray(y)
    if array.size == 0 or array.dtype.kind not in "biuf":
        raise DataError("classes must be numbers (n,) or one-hot rows (n, classes), at least one")
    if array.ndim == 1:
        if not (np.isfinite(array).all() and (array >= 0).all() and (array == np.floor(array)).all()):
            raise DataError("class numbers must be integers, 0 or more")
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
