"""What an element is: a batch of alike devices, each adding a small local block to F(x) = 0 and to its Jacobian.

Local unknowns of one device, in this order:  node voltages [V] | its own branch current [A], if it has one | branch
currents of sensed elements [A].  Local equations: currents that leave each node into the device [A] | its branch equation.
A batch returns value AND slope: f (n, equations) and the Jacobian entries named by `stencil`, (n, entries).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch(ABC):
    """n devices of one kind, structure of arrays."""

    names: Sequence[str]  # (n,) lower case, unique in the circuit
    nodes: IntArray       # (n, terminals), indices into Circuit.nodes; 0 is ground

    terminals: ClassVar[int] = 2
    has_branch: ClassVar[bool] = False  # carries its own branch current as an unknown
    linear: ClassVar[bool] = True
    stencil: ClassVar[Array]            # (equations, local unknowns), non-zero where the Jacobian may be

    @abstractmethod
    def evaluate(self, x: Array) -> tuple[Array, Array]:
        """f (n, equations) and its slopes (n, entries of the stencil) at the local unknowns x (n, local unknowns)."""

    @property
    def rigid(self) -> Mask:
        """(n,) Which devices fix the voltage between their first two nodes whatever current flows."""
        return np.full(len(self.nodes), self.has_branch)

    @property
    def conducts(self) -> Mask:
        """(n,) Which devices give a direct current a path between their first two nodes."""
        return np.ones(len(self.nodes), bool)

    @property
    def senses(self) -> Sequence[str]:
        """Names (n,) of the elements whose branch current each device reads; empty if none is read."""
        return ()


def repeat(entries: Sequence[float], n: int) -> Array:
    """The same Jacobian entries for each of n devices, without a copy."""
    row = np.asarray(entries, dtype=float)
    return np.broadcast_to(row, (n, row.size))
