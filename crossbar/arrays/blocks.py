"""Solutions of blocks of inputs put together."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np

from crossbar.elements.base import IntArray
from crossbar.elements.solution import PlanesState

Solution = TypeVar("Solution", bound=PlanesState)

_BY_INPUT = ("residual", "relative_residual", "terminal_voltage", "terminal_current", "nodes", "gate", "share")


def gather(parts: list[tuple[IntArray, Solution]], single: bool) -> Solution:
    """One solution from those of blocks of inputs, in the order of the inputs; without the batch axis if `single`."""
    order = np.argsort(np.concatenate([which for which, _ in parts]))
    solutions = [s for _, s in parts]

    def joined(values: list[Any]) -> Any:
        if values[0] is None:
            return None
        if isinstance(values[0], Mapping):
            return {side: joined([v[side] for v in values]) for side in values[0]}
        if isinstance(values[0], tuple):
            return tuple(joined([v[k] for v in values]) for k in range(len(values[0])))
        whole = np.asarray(values[0]) if len(values) == 1 else np.concatenate(values)[order]
        return whole[0] if single else whole
    names = {f.name for f in fields(solutions[0])} & set(_BY_INPUT)
    return replace(solutions[0], iterations=sum(s.iterations for s in solutions),
                   **{name: joined([getattr(s, name) for s in solutions]) for name in names})
