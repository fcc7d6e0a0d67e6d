"""Values that replace the good arguments of calls: what is no number, numbers at the edges of what there is, wrong types, arrays
of other values, shapes, layouts and kinds."""

import resource
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.ma as ma

import crossbar as xb

Call = tuple[Callable[..., object], dict[str, Any]]
Case = tuple[str, str, int]  # name of a call, argument, number of the replacement

SECONDS, BYTES = 10, 2 ** 30

NUMBERS = (np.nan, np.inf, -np.inf, 1e308, -1e308, 1e-320, 5e-324, 1e155, -1e155, 1e200, 1e-200, 0, -1, True, 2 ** 63,
           10 ** 400, np.float32(1e30), np.longdouble("1e4000"), 1j)
THINGS = (None, "x", "1", "floating", b"1", [], {}, (), [[]], [None], [1, [2]], object(), len, slice(1), ma.masked,
          np.array("1"), np.array(None), np.array([1, 2], dtype=object), np.datetime64("2020-01-01"), xb)
FILLS = (np.nan, np.inf, 1e308, 1e-320, 1e155, 1e-200, 1e300, -1.0)


def arrays_like(good: np.ndarray) -> Iterator[Any]:
    """Arrays in place of a good one: other numbers, all or the first; other layouts, kinds and shapes of the same."""
    for number in FILLS:
        whole, first = np.full(good.shape, number), np.array(good, dtype=float)
        first.flat[0] = number
        yield from (whole, first)
    read_only = good.copy()
    read_only.setflags(write=False)
    apart = np.zeros(tuple(2 * length for length in good.shape), good.dtype)
    every_other = apart[tuple(slice(None, None, 2) for _ in good.shape)]
    every_other[...] = good
    with np.errstate(all="ignore"):
        kinds = [good.astype(kind) for kind in (object, int, np.float16, np.longdouble, complex, str)]
    yield from (read_only, every_other, np.asfortranarray(good), good[..., ::-1], *kinds, good[:0], np.zeros((0, 0)), good.T,
                good[None], good[None, None], good.tolist(), ma.array(good, mask=True), ma.array(good, mask=good > good.mean()))


def replacements(good: Any, objects: Sequence[Any]) -> Iterator[Any]:
    """Everything that takes the place of a good argument; `objects`: of the package, and arrays."""
    yield from (*NUMBERS, *THINGS, *objects)
    if isinstance(good, np.ndarray):
        yield from arrays_like(good)
    else:
        yield from ([good], [good, good])


def hostile_cases(calls: dict[str, Call], objects: Sequence[Any]) -> list[Case]:
    """One case for every argument of every call and every replacement."""
    return [(name, argument, k) for name, (_, arguments) in calls.items() for argument, good in arguments.items()
            for k in range(len(list(replacements(good, objects))))]


def all_must_end_well(calls: dict[str, Call], objects: Sequence[Any], name: str) -> None:
    """Every case of one call, in less than BYTES more than this process has had so far."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for case in hostile_cases({name: calls[name]}, objects):
        must_end_well(calls, objects, *case)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < BYTES


def must_end_well(calls: dict[str, Call], objects: Sequence[Any], name: str, argument: str, k: int) -> None:
    """The call with one hostile argument gives a result or a CrossbarError, soon."""
    call, arguments = calls[name]
    value = list(replacements(arguments[argument], objects))[k]
    begun = time.monotonic()
    try:
        call(**{**arguments, argument: value})
    except xb.CrossbarError as error:
        assert str(error)
    except BaseException as error:
        error.add_note(f"{name}({argument}={str(value)[:200]})")
        raise
    assert time.monotonic() - begun < SECONDS, (name, argument, value)
