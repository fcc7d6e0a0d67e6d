"""Two planes of resistive lines joined by cells, solved in O(cells) by Newton's method with matrix-free linear steps.

    rho = KCL misfit of the true cell currents,   A delta = rho,   x += delta

For linear cells the same loop is iterative refinement. A linear step is `schur.Schur` where the planes cross (word and bit lines)
and `ladders.Ladders` where they run alongside each other (bit and source lines of a column).

Unknowns are deviations from `lines_alone`, the voltages of the lines without cells, whose wire currents are known exactly: with a
wire of 1 uohm a node voltage of 1 V resolves 1e-10 A, a deviation resolves its own current to rounding.

The second plane is kept as v[b, i, j] (sweeps along i). The first lies transposed where it crosses, u[b, j, i] (sweeps along j).
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numba
import numpy as np
import numpy.typing as npt

from crossbar.errors import ConvergenceError
from crossbar.solvers import balance, blas, kernels, room, warm_start
from crossbar.solvers.ladders import Ladders
from crossbar.solvers.schur import Schur

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Trace = list[tuple[int, float]]  # (iterations so far, worst relative residual) a step

_MAX_STEPS = 60       # Newton or refinement steps
_MARGIN = 0.2        # the inner solve aims this far below the tolerance of the KCL misfit
_GUESS = 0.01        # relative misfit of the linear cells with which nonlinear ones begin,
_INFORMED = 1e-4     # and where their voltages are known, about
_MOST_SLOPE = 1e150   # [S] of all cells together
_HIDDEN = 1e-12       # of the cells' current; rounding of node voltages beyond it is kept
_SLIGHT = 1e-6        # [V] below which cells conduct as without a voltage
_CLOSE = 1e-8         # relative misfit from which on the rounding of deviations matters
_SERIAL = 100_000      # cells times inputs below which one thread does it
_HALVINGS = 30        # of a Newton step
_REACH = 0.25         # of the range of voltages: most that a step of a transient may move a node
_MAX_TRANSIENT_STEPS = 400
_NOTHING = np.empty((0, 0, 0))
_FAINT = 0.01         # of what a segment could carry; noise beyond it hides currents, and their absence
_NOISE = 8 * np.finfo(float).eps  # of a cell current's misfit, relative to slope times voltage


@dataclass(eq=False)
class Law:
    """What the cells carry: conductances, or current(cell, foot) -> i, di/du, -di/dv.

    With u, v the node voltages of the first and second plane: cell (B, M, N) is u - v [V], which may be overwritten; foot() gives
    v (B, M, N) [V]. Conductances or slopes (1, M, N) mean the same for every input; where a law is `symmetric`, as that of
    two-terminal cells is, both slopes are one array.
    """

    ohmic: Array | None = None  # (1 or B, M, N) [S]; between the same crossing lines these are factorised once, for all calls
    current: Callable[[Array, Callable[[], Array]], tuple[Array, Array, Array]] | None = None
    symmetric: bool = True
    idle: list[Schur] = field(default_factory=list)  # if ohmic, the last step of crossing planes, while nobody uses it

    @property
    def linear(self) -> bool:
        """Whether currents are proportional to voltages."""
        return self.ohmic is not None


@dataclass(frozen=True, eq=False)
class Plane:
    """Lines of one plane: L lines of n nodes."""

    r: Array     # (n + 1, L), or (n + 1, 1) if all are alike: segments with leads and drivers [ohm]; inf: open
    near: Array  # (B, L) terminal voltages before segment 0 [V]; unused where r[0] is inf
    far: Array   # (B, L) terminal voltages behind segment n [V]

    @classmethod
    def of(cls, r: Array, near: Array, far: Array) -> "Plane":
        """From r (n + 1, L) in any layout; lines that a broadcast made alike are kept once."""
        return cls(np.ascontiguousarray(r[:, :1] if r.strides[1] == 0 else r), near, far)

    def between(self, near: Array, far: Array) -> "Plane":
        """The same lines between other terminal voltages (B, L) [V]."""
        return replace(self, near=near, far=far)

    def lowered(self, level: Array) -> "Plane":
        """The same lines between terminals lower by level (B,) [V]."""
        return replace(self, near=self.near - level[:, None], far=self.far - level[:, None]) if level.any() else self

    @property
    def shape(self) -> tuple[int, int, int]:
        """(B, n, L)."""
        return len(self.near), len(self.r) - 1, self.near.shape[1]

    def alone(self) -> Array:
        """Node voltages (B, n, L) without cells [V]."""
        out = room.empty(self.shape)
        balance.lines_alone(self.r, self.near, self.far, out)
        return out

    def through(self) -> Array:
        """Current (B, L) from the near to the far terminal without cells [A]."""
        total = self.r.sum(axis=0)
        return np.where(total > 0, self.near - self.far, 0.0) / np.where(total > 0, total, 1.0)

    @cached_property
    def least(self) -> Array:
        """(L or 1,) least resistance of a line's segments that is not 0, inf if there is none [ohm]."""
        return np.asarray(np.where(self.r > 0, self.r, np.inf).min(axis=0))


@dataclass(frozen=True, eq=False)
class PlanesSolution:
    """Terminal currents and node voltages of both planes; near and far currents (B, L) flow out of the array."""

    nodes: tuple[Array, Array] | None       # (B, M, N) [V], first and second plane, if asked for
    out: tuple[Array, Array, Array, Array]  # first near, first far, second near, second far [A]
    residual: Array           # (B,) largest |KCL misfit| of a node [A]
    relative_residual: Array  # (B,) sum |KCL misfit| / sum |cell current|
    iterations: int           # inner iterations, all steps together
    trace: tuple[tuple[int, float], ...]


def solve_planes(first: Plane, second: Plane, law: Law, *, crossed: bool = True, rtol: float = 1e-10, nodes: bool = True,
                 start: tuple[Array, Array] | None = None, guess: Array | None = None) -> PlanesSolution:
    """Solve both planes to sum |KCL| <= rtol sum |cell current|, for every input of the batch.

    crossed : whether line i of the first plane meets line j of the second at cell (i, j); else both have N lines of M nodes.
    nodes : whether node voltages are wanted. start : node voltages (B or 1, M, N) of both planes to begin with. guess : voltages
    (B or 1, M, N) of nonlinear cells, about: node voltages may be near and their differences, that drive the wires, far off.
    Raises ConvergenceError, with its trace, where the tolerance is missed or a cell has a negative slope.
    """
    level = _common(first, second) if law.symmetric else np.zeros(len(first.near))
    first, second = first.lowered(level), second.lowered(level)
    with threads(first.near.shape[0] * second.near.shape[1] * (len(second.r) - 1)):
        if start is not None:
            start = start[0] - level[:, None, None], start[1] - level[:, None, None]
        state = _solve(first, second, law, crossed, start, guess, rtol)
        return state.solution(level if nodes else None)


def _solve(first: Plane, second: Plane, law: Law, crossed: bool, start: tuple[Array, Array] | None, guess: Array | None,
           rtol: float) -> "_State":
    """Newton's method; where it fails, once more without hints, then in small steps."""
    hinted = start is not None or guess is not None
    try:
        return _newton(_State.begin(first, second, law, crossed, start, guess), rtol)
    except ConvergenceError:
        if law.linear and not hinted:
            raise
    if hinted:
        return _solve(first, second, law, crossed, None, None, rtol)
    return _follow_transient(_State.begin(first, second, law, crossed, None, None), rtol)


def _common(first: Plane, second: Plane) -> Array:
    """(B,) A voltage that all terminals have in common, beside which their differences are small, or 0 [V]."""
    lowest, highest = _extreme_voltages(first, second)
    return np.where(highest - lowest < 0.5 * np.maximum(-lowest, highest), lowest, 0.0)


def _extreme_voltages(first: Plane, second: Plane) -> tuple[Array, Array]:
    """(B,) lowest and highest voltage of all terminals [V]; an open end has none."""
    lowest = np.full(len(first.near), np.inf)
    highest = -lowest
    for plane in (first, second):
        for end, r in ((plane.near, plane.r[0]), (plane.far, plane.r[-1])):
            held = np.broadcast_to(np.isfinite(r), end.shape)
            lowest = np.minimum(lowest, end.min(axis=1, where=held, initial=np.inf))
            highest = np.maximum(highest, end.max(axis=1, where=held, initial=-np.inf))
    return lowest, highest


def _wide(lines: int, batch: int) -> int:
    """Lines per block of `balance.kcl`: long rows, yet blocks for several threads where there are few inputs."""
    return max(128, min(512, lines if batch > 3 else lines // 2))


@contextlib.contextmanager
def threads(cells: int) -> Iterator[None]:
    """One thread for a small array: starting several costs more than they save, much more on a busy machine. One thread
    for BLAS: its products are small, and its waiting threads would keep the sweeps' from their cores."""
    usual = numba.get_num_threads()
    numba.set_num_threads(1 if cells < _SERIAL else usual)
    try:
        with blas.one_thread():
            yield
    finally:
        numba.set_num_threads(usual)


@dataclass(eq=False)
class _State:
    """Voltages base + deviation of both planes, changed in place, and what they imply."""

    first: Plane
    second: Plane
    law: Law
    crossed: bool
    base_u: Array
    base_v: Array
    u: Array
    v: Array
    shift_u: Array = field(default_factory=lambda: _NOTHING)  # part of base that drives current through weak segments;
    shift_v: Array = field(default_factory=lambda: _NOTHING)  # empty: none
    low_u: Array = field(default_factory=lambda: _NOTHING)  # rounding errors of base, where cells need those digits;
    low_v: Array = field(default_factory=lambda: _NOTHING)  # empty: not kept
    rho_u: Array = field(init=False)
    rho_v: Array = field(init=False)
    slopes: tuple[Array, Array] = field(init=False)
    ends: list[Array] = field(init=False)
    misfit: Array = field(init=False)   # (B,) sum |KCL|
    largest: Array = field(init=False)  # (B,) largest |KCL|
    carried: Array = field(init=False)  # (B,) sum |cell current|
    noise: Array = field(init=False)    # (B,) misfit that rounding of the node voltages leaves
    moved: bool = False  # whether any deviation is not 0
    iterations: int = 0
    trace: Trace = field(default_factory=list)

    @classmethod
    def begin(cls, first: Plane, second: Plane, law: Law, crossed: bool, start: tuple[Array, Array] | None,
              guess: Array | None) -> "_State":
        state = cls(first, second, law, crossed, first.alone(), second.alone(), room.zeros(first.shape), room.zeros(second.shape))
        state.rho_u, state.rho_v = room.empty(first.shape), room.empty(second.shape)
        lowest, highest = _extreme_voltages(first, second)
        at_rest = lowest == highest  # nothing flows, and floating lines are at that voltage too
        for base in (state.base_u, state.base_v):
            base[at_rest] = lowest[at_rest, None, None]
        if start is not None:
            u = np.swapaxes(start[0], 1, 2) if crossed else start[0]
            for plane, volts, base, x in ((first, u, state.base_u, state.u), (second, start[1], state.base_v, state.v)):
                volts = warm_start.within(lowest, highest, volts)
                x[:] = warm_start.along_shorts(plane.r, plane.near, plane.far, volts) - base
            state.moved = True
            state.fold()
        elif not law.linear:
            state.guess(guess)
        state.evaluate()
        return state

    def guess(self, at: Array | None) -> None:
        """Begin where cells that conduct as they do at about their voltages, or at none, would put the nodes: without any current
        most cells of a large array see far more than they will, where their law has another slope."""
        assert self.law.current is not None
        volts = room.zeros(self.second.shape)
        if at is not None:
            volts[:] = at
        current, slope, _ = self.law.current(volts, lambda: self.base_v)
        if at is not None:
            slope = np.divide(current, at, out=np.array(np.broadcast_to(slope, current.shape)), where=np.abs(at) > _SLIGHT)
        total = float(slope.sum())
        if slope.min() < 0 or not 0 < total < _MOST_SLOPE:
            return
        law, self.law = self.law, Law(ohmic=slope)
        self.evaluate()
        du, dv, taken = self.step()(self.rho_u, self.rho_v, self.largest, (_GUESS if at is None else _INFORMED) * self.misfit)
        self.law, self.iterations = law, taken
        del self.slopes
        self.shift(du, dv, np.ones(len(dv)))

    def move(self, du: Array, dv: Array, scale: Array) -> None:
        """x += scale (B,) times delta, and all that follows from it."""
        self.shift(du, dv, scale)
        self.evaluate()

    def shift(self, du: Array, dv: Array, scale: Array) -> None:
        """x += scale (B,) times delta, alone."""
        balance.add(self.u, scale, du)
        balance.add(self.v, scale, dv)
        self.moved = True

    def fold(self) -> None:
        """Let base and shift take over the deviations but for the rounding error of doing so: what is still to come is then not
        rounded to the last digit of a deviation, which may be worth more current than is missing."""
        if self.low_u.size == 0 and self._cells_need_digits():
            self.low_u, self.low_v = np.zeros_like(self.u), np.zeros_like(self.v)
        for plane in ("u", "v"):
            base, shift, x = (getattr(self, name + plane) for name in ("base_", "shift_", ""))
            if shift.size == 0:
                shift = np.zeros_like(x)
                setattr(self, f"shift_{plane}", shift)
            balance.fold(base, getattr(self, f"low_{plane}"), shift, x)
        if self.low_u.size:
            self.evaluate()  # what cells carry has more digits now

    def _cells_need_digits(self) -> bool:
        """Whether rounding of whole node voltages is worth more current in the cells than may be missing."""
        return hasattr(self, "noise") and bool((self.noise > _HIDDEN * self.carried).any())

    def evaluate(self) -> None:
        """Cell currents, slopes and KCL misfits at the present voltages."""
        drawn_u, drawn_v = self._currents()
        self.ends, sums = [], []
        for plane, x, shift, drawn, sign, rho in ((self.first, self.u, self.shift_u, drawn_u, 1.0, self.rho_u),
                                                  (self.second, self.v, self.shift_v, drawn_v, -1.0, self.rho_v)):
            batch, _, lines = plane.shape
            near, far, block = np.empty((batch, lines)), np.empty((batch, lines)), _wide(lines, batch)
            parts = np.empty((batch, kernels.blocks(lines, block), 3))
            balance.kcl(plane.r, x, shift, drawn, sign, rho, near, far, parts, block)
            self.ends += [near, far]
            sums.append(parts)
        both = np.concatenate(sums, axis=1)
        self.misfit, self.largest = both[..., 0].sum(axis=1), both[..., 1].max(axis=1)
        self.carried = sums[1][..., 2].sum(axis=1)

    def _currents(self) -> tuple[Array, Array]:
        """Cell currents as either plane keeps them, in rho_u and rho_v or elsewhere; slopes are noted."""
        if self.low_u.size:
            planes = self.base_u, self.u + self.low_u, self.base_v, self.v + self.low_v
        elif self.moved:
            planes = self.base_u, self.u, self.base_v, self.v
        else:
            planes = self.base_u, _NOTHING, self.base_v, _NOTHING
        if self.law.ohmic is not None and not hasattr(self, "slopes"):
            self._take(self.law.ohmic, self.law.ohmic)
        if self.law.ohmic is not None and self.crossed:
            balance.across_cells(*planes, self.law.ohmic, self.rho_v, self.rho_u)
            return self.rho_u, self.rho_v
        if self.crossed:
            balance.across_cells(*planes, _NOTHING, self.rho_v, _NOTHING)
        else:
            np.subtract(self.base_u, self.base_v, out=self.rho_v)
            if self.moved:
                self.rho_v += planes[1]
                self.rho_v -= planes[3]
        if self.law.ohmic is not None:
            self.rho_v *= self.law.ohmic
            return self.rho_v, self.rho_v
        assert self.law.current is not None
        current, *slopes = self.law.current(self.rho_v, lambda: self.base_v + self.v)
        self._take(slopes[0], slopes[1])
        if not self.crossed:
            return current, current
        balance.transpose(current, self.rho_u)
        return self.rho_u, current

    def _take(self, slope_u: Array, slope_v: Array) -> None:
        for slope in (slope_u,) if self.law.symmetric else (slope_u, slope_v):
            if not float(slope.sum()) < _MOST_SLOPE:
                raise ConvergenceError(f"the cells' slopes add up to {slope.sum():.3g} S at their voltages; they must be numbers "
                                       f"below {_MOST_SLOPE:.0e} S in all", self.trace)
            if slope.min(initial=0.0) < 0:
                i, j = np.unravel_index(int(slope.argmin()), slope.shape)[1:]
                raise ConvergenceError(f"cell [{i},{j}] has the negative slope {slope.min():.3g} S at its voltage: negative "
                                       "differential conductance has no unique solution here; use the general path", self.trace)
        self.slopes = slope_u, slope_u if self.law.symmetric else slope_v
        volts = np.max([np.abs(end).max(axis=1) for p in (self.first, self.second) for end in (p.near, p.far)], axis=0)
        self.noise = _NOISE * volts * np.maximum(slope_u.sum(axis=(1, 2)), self.slopes[1].sum(axis=(1, 2)))
        most = volts / min(float(plane.least.min()) for plane in (self.first, self.second))
        self.noise = np.where(self.noise < _FAINT * most, self.noise, 0.0)

    def damped_step(self, capacitance: Array) -> Schur | Ladders:
        """The linear step with a capacitance over time step (B,) [S] across every cell."""
        added = capacitance[:, None, None]
        slope_u = self.slopes[0] + added
        slope_v = slope_u if self.law.symmetric else self.slopes[1] + added
        make = Schur if self.crossed else Ladders
        return make(self.first.r, self.second.r, slope_u, slope_v)

    def step(self) -> Schur | Ladders:
        """The linear step at the present slopes."""
        lines = self.first.r, self.second.r
        if not self.crossed:
            return Ladders(*lines, *self.slopes)
        with contextlib.suppress(IndexError):
            last = self.law.idle.pop()
            if last.r[0] is lines[0] and last.r[1] is lines[1]:
                return last
        return Schur(*lines, *self.slopes)

    def give_back(self, step: Schur | Ladders | None) -> None:
        """Keep the step of linear cells for the next solve; another thread may then take it, with its work arrays."""
        if self.law.linear and isinstance(step, Schur):
            self.law.idle[:] = [step]

    def voltage_range(self) -> Array:
        """(B,) largest difference between terminal voltages [V]."""
        lowest, highest = _extreme_voltages(self.first, self.second)
        return highest - lowest

    def solved(self, rtol: float) -> Mask:
        return (self.misfit <= rtol * self.carried) | ((self.misfit <= self.noise) & (self.carried <= self.noise))

    def relative(self) -> Array:
        """sum |KCL| / sum |cell current|, 0 where both are but rounding: no current flows."""
        beyond = np.where(self.misfit <= self.noise, 0.0, np.inf)
        share = self.misfit / np.where(self.carried > 0, self.carried, 1.0)
        return np.where(self.carried > self.noise, share, beyond)

    def solution(self, level: Array | None) -> PlanesSolution:
        """What the user gets, its voltages, unless level is None, raised by level (B,) [V]."""
        through = self.first.through(), self.second.through()
        out = tuple(sign * (end + through[k // 2]) for k, (sign, end) in enumerate(zip((-1, 1, -1, 1), self.ends, strict=True)))
        kept = None
        if level is not None:
            self.base_u += self.u
            self.base_v += self.v
            if level.any():
                self.base_u += level[:, None, None]
                self.base_v += level[:, None, None]
            u = self.base_u
            if self.crossed:
                u = room.empty(self.second.shape)
                balance.transpose(self.base_u, u)
            kept = u, self.base_v
        return PlanesSolution(kept, out, self.largest, self.relative(), self.iterations,  # type: ignore[arg-type]
                              tuple(self.trace))


def _newton(state: _State, rtol: float) -> _State:
    step: Schur | Ladders | None = None
    before = None
    for _ in range(_MAX_STEPS):
        state.trace.append((state.iterations, float(state.relative().max())))
        if state.solved(rtol).all():
            state.give_back(step)
            return state
        if before is not None:
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


def _follow_transient(state: _State, rtol: float) -> _State:
    """The solution as the end of a transient with a capacitance across every cell, in implicit steps that grow as it settles:
    pseudo-transient continuation (Kelley, Keyes, SIAM J. Numer. Anal. 35, 508 (1998)).

    Where transistors are off or saturated, a floating line sees no slope, and Newton's method does not know how far to go.
    """
    reach = _REACH * np.maximum(state.voltage_range(), 1e-290)
    capacitance = state.largest / reach
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
        worse = ~((state.misfit <= before) | state.solved(rtol))
        if worse.any():
            state.move(du, dv, np.where(worse, -scale, 0.0))
        capacitance = np.where(worse, 4 * capacitance, capacitance / 4)
    raise _stuck(state)


def _goal(state: _State, before: Array | None, rtol: float) -> Array:
    """Misfit (B,) down to which the linear step is worth solving."""
    goal = _MARGIN * rtol * state.carried
    if state.law.linear:
        return goal
    if before is None:
        return np.maximum(goal, 0.01 * state.misfit)
    # Eisenstat, Walker, SIAM J. Sci. Comput. 17, 16 (1996), choice 2
    forcing = np.clip(0.9 * (state.misfit / np.where(before > 0, before, 1)) ** 2, 0, 0.1)
    return np.maximum(goal, forcing * state.misfit)


def _advance(state: _State, du: Array, dv: Array, rtol: float) -> Mask:
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


def _stuck(state: _State) -> ConvergenceError:
    reached = float(state.relative().max())
    return ConvergenceError(f"line solver: no step lowers the KCL residual below {reached:.2e} of the cell currents, be it "
                            "for rounding error or for lack of a solution; a looser rtol or the general path may do",
                            state.trace)
