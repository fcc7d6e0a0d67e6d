"""Newton's method for two planes of lines, with a line search, and a transient for where it fails.

For linear cells the same loop is iterative refinement.
"""

import numpy as np

from crossbar.errors import ConvergenceError
from crossbar.solvers.ladders import Ladders
from crossbar.solvers.line_state import LineState
from crossbar.solvers.planes import Array, Mask
from crossbar.solvers.schur import Schur

_MAX_STEPS = 60      # Newton or refinement steps
_MARGIN = 0.2        # the inner solve aims this far below the tolerance of the KCL misfit
_HALVINGS = 30       # of a Newton step
_REACH = 0.25        # of the range of voltages: most that a step of a transient may move a node
_MAX_TRANSIENT_STEPS = 400
_ROUNDING = 4 * np.finfo(float).eps  # of a step, at every node
_SLACK = 1.01        # a step of a transient may raise the misfit so much: on a plateau it says nothing
_PATIENCE = 20       # steps in a row, each four times shorter than the last, that may be taken back


def newton(state: LineState, rtol: float) -> LineState:
    """The state, changed until it meets rtol. Raises ConvergenceError where no step helps, or too many would be needed."""
    step: Schur | Ladders | None = None
    before = None
    for _ in range(_MAX_STEPS):
        state.trace.append((state.iterations, float(state.relative().max())))
        if state.solved(rtol).all():
            state.give_back(step)
            return state
        if before is not None and state.needs_digits(rtol):
            state.fold()
        if step is None or not state.law.linear:
            step = None  # gives its memory back first
            step = state.step()
        goal = _goal(state, before, rtol)
        du, dv, taken = step(state.rho_u, state.rho_v, state.largest, goal)
        state.iterations += taken
        before = state.misfit
        if not _advance(state, du, dv, rtol)[~state.solved(rtol)].all():
            raise _stuck(state)
    raise ConvergenceError(f"line solver: relative KCL residual {state.relative().max():.2e} after {state.iterations} "
                           f"iterations, wanted {rtol:.1e}; a looser rtol or the general path may do", state.trace)


def follow_transient(state: LineState, rtol: float) -> LineState:
    """The solution as the end of a transient with a capacitance across every cell, in implicit steps that grow as it settles:
    pseudo-transient continuation (Kelley, Keyes, SIAM J. Numer. Anal. 35, 508 (1998)).

    Where transistors are off or saturated, a floating line sees no slope, and Newton's method does not know how far to go. The
    currents that decide may be far below what rounding of a long step drives through wires, which the next step mends.
    """
    wires = state.first.conductance + state.second.conductance
    reach = _REACH * np.maximum(state.voltage_range(), 1e-290)
    capacitance = state.largest / reach
    rejected = 0  # steps in a row
    for _ in range(_MAX_TRANSIENT_STEPS):
        state.trace.append((state.iterations, float(state.relative().max())))
        if state.solved(rtol).all():
            return state
        before = state.misfit
        state.fold()
        step = state.damped_step(capacitance)
        du, dv, taken = step(state.rho_u, state.rho_v, state.largest, _goal(state, None, rtol))
        state.iterations += taken
        largest = np.maximum(np.abs(du).max(axis=(1, 2)), np.abs(dv).max(axis=(1, 2)))
        scale = np.minimum(1.0, reach / np.maximum(largest, 1e-300))
        state.move(du, dv, scale)
        rounding = _ROUNDING * scale * largest * wires
        worse = ~((state.misfit <= _SLACK * before + rounding) | state.solved(rtol))
        if worse.any():
            state.move(du, dv, np.where(worse, -scale, 0.0))
        rejected = rejected + 1 if worse[~state.solved(rtol)].all() else 0
        if rejected > _PATIENCE:
            break
        capacitance = np.where(worse, 4 * capacitance, capacitance / 4)
    raise _stuck(state)


def _goal(state: LineState, before: Array | None, rtol: float) -> Array:
    """Misfit (B,) down to which the linear step is worth solving."""
    goal = _MARGIN * rtol * state.carried
    if state.law.linear:
        return goal
    if before is None:
        return np.maximum(goal, 0.01 * state.misfit)
    # Eisenstat, Walker, SIAM J. Sci. Comput. 17, 16 (1996), choice 2
    forcing = np.clip(0.9 * (state.misfit / np.where(before > 0, before, 1)) ** 2, 0, 0.1)
    return np.maximum(goal, forcing * state.misfit)


def _advance(state: LineState, du: Array, dv: Array, rtol: float) -> Mask:
    """A full step, shortened for those inputs where it goes too far; returns which inputs it helped.

    It does not go too far where the misfit falls or, for cells with two terminals, where the misfit still points along the step:
    it is minus the gradient of an energy (Millar's content, Phil. Mag. 42, 1150 (1951)), convex where slopes are positive,
    whose minimum along the step then lies ahead. So every monotone law is solved, kinks or not. A refinement step that does
    not help is rounding error and is taken back; but the first step of linear cells stands: rounding of whole voltages, that
    the next one mends, may be worth more current in wires of next to no resistance than all cells carry.
    """
    before, part = state.misfit, np.ones(len(dv))
    state.move(du, dv, part)
    for _ in range(_HALVINGS):
        worse = ~((state.misfit <= before) | state.solved(rtol))
        if worse.any() and not (np.isfinite(du).all() and np.isfinite(dv).all()):
            raise _stuck(state)
        if worse.any() and state.law.linear:
            if len(state.trace) == 1:
                return np.ones_like(worse)
            state.move(du, dv, np.where(worse, -1.0, 0.0))
            return ~worse
        if worse.any() and state.law.symmetric:
            worse &= np.einsum("bij,bij->b", state.rho_u, du) + np.einsum("bij,bij->b", state.rho_v, dv) < 0
        if not worse.any():
            return ~worse
        part = part / 2
        state.move(du, dv, np.where(worse, -part, 0.0))
    raise _stuck(state)


def _stuck(state: LineState) -> ConvergenceError:
    reached = float(state.relative().max())
    return ConvergenceError(f"line solver: no step lowers the KCL residual below {reached:.2e} of the cell currents, be it "
                            "for rounding error or for lack of a solution; a looser rtol or the general path may do",
                            state.trace)
