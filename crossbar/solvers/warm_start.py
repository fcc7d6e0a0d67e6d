"""Planes solved from a hint, which may shorten the way and must not decide whether there is one.

A hint does harm in three ways. Through 0 ohm any current may flow, so that Kirchhoff's current law says nothing about the
voltage of a node that is tied to a terminal: a start has to be right there, and equal along every stretch of 0 ohm. Where
all terminals of an input are at one voltage nothing flows, and the currents that are left of another solution are
infinitely many times the right ones, however far they have come down: such an input begins where it ends, with every node at
that voltage. And a stale or wild hint may lie where Newton's method finds no way out: then the solve begins again without it.
"""

import logging

import numpy as np
import numpy.typing as npt

from crossbar.errors import ConvergenceError
from crossbar.solvers.lines import Law, Plane, PlanesSolution, solve_planes

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

log = logging.getLogger(__name__)


def solve_from(first: Plane, second: Plane, law: Law, *, start: tuple[Array, Array] | None = None, guess: Array | None = None,
               crossed: bool = True, rtol: float = 1e-10, nodes: bool = True) -> PlanesSolution:
    """`solve_planes` of cells that carry nothing without a voltage, begun at `start` or `guess` where these help.

    Raises ConvergenceError where the tolerance is missed without any hint, too.
    """
    if start is None and guess is None:
        return solve_planes(first, second, law, crossed=crossed, rtol=rtol, nodes=nodes)
    if start is not None:
        start = _along_shorts(first, start[0], turned=crossed), _along_shorts(second, start[1], turned=False)
    level, resting = resting_inputs(first, second)
    if resting.any():
        start, guess = _at_rest(start, guess, level, resting)
    try:
        return solve_planes(first, second, law, crossed=crossed, rtol=rtol, nodes=nodes, start=start, guess=guess)
    except ConvergenceError as error:
        log.info("from the hint: %s; beginning without it", error)
        return solve_planes(first, second, law, crossed=crossed, rtol=rtol, nodes=nodes)


def resting_inputs(first: Plane, second: Plane) -> tuple[Array, Mask]:
    """(B,) the voltage of all terminals [V], and (B,) which inputs have but one, so that nothing flows."""
    batch = len(first.near)
    lowest, highest = np.full(batch, np.inf), np.full(batch, -np.inf)
    for plane in (first, second):
        for end, r in ((plane.near, plane.r[0]), (plane.far, plane.r[-1])):
            held = np.broadcast_to(np.isfinite(r), end.shape)
            lowest = np.minimum(lowest, end.min(axis=1, where=held, initial=np.inf))
            highest = np.maximum(highest, end.max(axis=1, where=held, initial=-np.inf))
    resting = lowest == highest
    return np.where(resting, lowest, 0.0), resting


def _along_shorts(plane: Plane, nodes: Array, *, turned: bool) -> Array:
    """Node voltages (B or 1, M, N) with those that segments of exactly 0 ohm tie to a terminal at its voltage, and those
    that they tie to each other equal. turned : whether the lines run along the rows."""
    shorted = plane.r == 0
    if not shorted.any():
        return nodes
    batch, count, lines = plane.shape
    along = np.swapaxes(nodes, 1, 2) if turned else nodes  # (B or 1, nodes of a line, lines)
    volts = np.array(np.broadcast_to(along, (batch, count, lines)))
    before = plane.near
    for j in range(count):
        volts[:, j] = np.where(shorted[j], before, volts[:, j])
        before = volts[:, j]
    to_far_end = np.ones_like(shorted[0])
    for j in range(count - 1, -1, -1):
        to_far_end = to_far_end & shorted[j + 1]
        if not to_far_end.any():
            break
        volts[:, j] = np.where(to_far_end, plane.far, volts[:, j])
    return np.swapaxes(volts, 1, 2) if turned else volts


def _at_rest(start: tuple[Array, Array] | None, guess: Array | None, level: Array,
             resting: Mask) -> tuple[tuple[Array, Array] | None, Array | None]:
    """The hints with those of resting inputs replaced by their solution: all nodes at level (B,), no voltage across a cell."""
    still = resting[:, None, None]
    if start is not None:
        volts = level[:, None, None]
        start = np.where(still, volts, start[0]), np.where(still, volts, start[1])
    if guess is not None:
        guess = np.where(still, 0.0, guess)
    return start, guess
