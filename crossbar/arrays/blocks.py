"""Blocks of inputs: what belongs to each, and their solutions put together."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from crossbar.checks import real_array, voltages
from crossbar.elements.base import Array, IntArray
from crossbar.elements.cells import Cells, MTJCells
from crossbar.elements.solution import PlanesState
from crossbar.errors import DataError

Solution = TypeVar("Solution", bound=PlanesState)
Whole = TypeVar("Whole")

_BY_INPUT = ("residual", "relative_residual", "terminal_voltage", "terminal_current", "nodes", "gate", "share")


def in_states(cells: Cells, states: npt.ArrayLike | None) -> Cells:
    """The cells, stacked if there are states (batch, M, N), one for each input. Raises DataError for what are none."""
    if states is None:
        return cells
    if not isinstance(cells, MTJCells):
        raise DataError(f"states are those of MTJCells; these are {type(cells).__name__}")
    m_z = real_array(states, "states of the inputs")
    if m_z.ndim != 3 or m_z.shape[1:] != cells.shape or not len(m_z):
        m, n = cells.shape
        raise DataError(f"states of the inputs must have shape (batch, {m}, {n}), got {m_z.shape}")
    return cells.in_state(m_z)


class Hints(NamedTuple):
    """Where to begin the solve of some inputs: node voltages of both planes, or cell voltages, (B or 1, M, N) [V]."""

    start: tuple[Array, Array] | None = None
    guess: Array | None = None

    @classmethod
    def of(cls, start: PlanesState | None, guess: npt.ArrayLike | None, shape: tuple[int, ...],
           kind: type[PlanesState]) -> "Hints":
        """What a user gave for (batch, M, N) inputs; kind : what a start is. Raises DataError where it does not fit."""
        if start is not None and not isinstance(start, kind):
            raise DataError(f"start is the solution of such an array, {kind.__name__}, not {type(start).__name__}")
        if start is not None and (start.nodes is None or start.nodes[0].shape not in (shape, shape[1:])):
            raise DataError(f"start is a solution with its node voltages, of {shape[0]} inputs or one, on {shape[1]} x "
                            f"{shape[2]} cells")
        volts = None if guess is None else np.nan_to_num(voltages(guess, "guess of the cell voltages [V]", nan=True))
        if volts is not None and volts.shape not in (shape, shape[1:]):
            raise DataError(f"a guess of the cell voltages has shape {shape} or {shape[1:]}, not {volts.shape}")
        nodes = None if start is None or start.nodes is None else (stack(start.nodes[0]), stack(start.nodes[1]))
        return cls(nodes, None if volts is None else stack(volts))

    def take(self, which: IntArray) -> "Hints":
        """Those of some inputs."""
        return Hints(self.start and (of_batch(self.start[0], which), of_batch(self.start[1], which)),
                     None if self.guess is None else of_batch(self.guess, which))

    def rows(self, rows: IntArray) -> "Hints":
        """Those of some rows of cells."""
        start, guess = self
        return Hints(start and (np.ascontiguousarray(start[0][:, rows]), np.ascontiguousarray(start[1][:, rows])),
                     None if guess is None else np.ascontiguousarray(guess[:, rows]))


def stack(x: Array) -> Array:
    """(M, N) or (B, M, N) as (B or 1, M, N)."""
    return x.reshape(-1, *x.shape[-2:])


def of_batch(x: Array, which: IntArray) -> Array:
    """What belongs to some inputs; (1, M, N) to all."""
    return x if len(x) == 1 else x[which]


def replaced(array: Whole, **changes: Any) -> Whole:
    """A checked array with some fields changed, the others as they are: wires that a broadcast made alike are kept once, which
    the solver sees."""
    new = copy.copy(array)
    for name, value in changes.items():
        object.__setattr__(new, name, value)
    return new


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
