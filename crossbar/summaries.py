"""Objects with large arrays as a few lines for people: what `repr` shows of them.

`__repr__ = short_repr` in a dataclass shows its fields, of arrays their shape and range; what has a
certificate to show writes lines of its own, with `spread` and `block`.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from crossbar.units import format_si

WIDTH = 100
LINES = 4
_FEW = 6  # entries or items that are shown one by one


def spread(values: npt.ArrayLike, unit: str) -> str:
    """Least and largest of some numbers, "1.2 uA to 3 uA", NaN left out; without unit no prefixes."""
    numbers = np.asarray(values, dtype=float)
    numbers = numbers[~np.isnan(numbers)]
    if not numbers.size:
        return "none"
    ends = (float(numbers.min()), float(numbers.max()))
    texts = [format_si(x, unit) if unit else f"{x:.4g}" for x in ends]
    return " to ".join(dict.fromkeys(texts))


def block(head: str, *rows: str) -> str:
    """A head and indented rows, each cut to one line."""
    return "\n".join([_cut(head, WIDTH), *(_cut("  " + row, WIDTH) for row in rows)])


def short_repr(thing: Any) -> str:
    """A dataclass as Name(field=..., ...), in a few lines."""
    shown = (f"{f.name}={brief(getattr(thing, f.name))}" for f in fields(thing) if f.repr)
    text = f"{type(thing).__name__}({', '.join(shown)})"
    wrapped = textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    if len(wrapped) > LINES:
        wrapped[LINES - 1:] = [_cut(wrapped[LINES - 1] + " ...", WIDTH)]
    return "\n".join(wrapped)


def brief(value: Any) -> str:
    """Any value in a few words."""
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        shown = ", ".join(f"{key}: {brief(x)}" for key, x in list(value.items())[:_FEW])
        return f"{{{shown}{', ...' * (len(value) > _FEW)}}}"
    if isinstance(value, list | tuple):
        if len(value) > _FEW:
            return f"<{len(value)} items>"
        return f"({', '.join(map(brief, value))})"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"<{len(value)} items>"
    if is_dataclass(value) and not isinstance(value, type):
        shape = getattr(value, "shape", None)
        return f"<{type(value).__name__}{f' {shape}' if shape else ''}>"
    return _cut(repr(value), 60)


def _array(x: npt.NDArray[Any]) -> str:
    if x.size <= _FEW:
        return np.array2string(x, precision=6, separator=", ").replace("\n", "")
    if x.dtype.kind == "b":
        return f"<{x.shape}, {np.count_nonzero(x)} true>"
    if x.dtype.kind not in "iuf":
        return f"<{x.shape} {x.dtype}>"
    return f"<{x.shape}, {spread(x, '')}>"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[:width - 3] + "..."
