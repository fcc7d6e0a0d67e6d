"""Node voltages of two planes while they are being solved, and the KCL misfits that they imply.

Cells see base + low + x, wires see shift + x beside the lines alone: base begins as the lines alone and takes over x, but for its
rounding error, which goes to low; shift takes over the same, but for its rounding error, which stays in x. So what is still to
come is never rounded to the last digit of a whole voltage, which may be worth more current than is missing: with a wire of
1 uohm a node voltage of 1 V resolves 1e-10 A, a deviation resolves its own current to rounding.
"""

import contextlib
from dataclasses import dataclass, field

import numpy as np

from crossbar.errors import ConvergenceError
from crossbar.solvers import balance, kernels, room, warm_start
from crossbar.solvers.ladders import Ladders
from crossbar.solvers.planes import Array, Law, Mask, Plane, PlanesSolution, Trace, extreme_voltages
from crossbar.solvers.schur import Schur

_GUESS = 0.01         # relative misfit of the linear cells with which nonlinear ones begin,
_INFORMED = 1e-4      # and where their voltages are known, about
_MOST_SLOPE = 1e150   # [S] of all cells together
_WORTH = 0.01         # of the misfit that may be left
_HIDDEN = 1e-12       # of the cells' current; rounding of node voltages beyond it is kept
_SLIGHT = 1e-6        # [V] below which cells conduct as without a voltage
_FAINT = 0.01         # of what a segment could carry; noise beyond it hides currents, and their absence
_NOISE = 8 * np.finfo(float).eps  # of a cell current's misfit, relative to slope times voltage
_NOTHING = np.empty((0, 0, 0))


@dataclass(eq=False)
class LineState:
    """Voltages base + deviation of both planes, changed in place, and what they imply."""

    first: Plane
    second: Plane
    law: Law
    crossed: bool
    base_u: Array
    base_v: Array
    u: Array
    v: Array
    shift_u: Array = field(default_factory=lambda: _NOTHING)  # what base has taken over from u, beside the lines alone;
    shift_v: Array = field(default_factory=lambda: _NOTHING)  # empty: nothing yet
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
              guess: Array | None) -> "LineState":
        """At a start, else where a guess of the cells' voltages leads, else with the lines alone."""
        state = cls(first, second, law, crossed, first.alone(), second.alone(), room.zeros(first.shape), room.zeros(second.shape))
        state.rho_u, state.rho_v = room.empty(first.shape), room.empty(second.shape)
        lowest, highest = extreme_voltages(first, second)
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
        """Let base and shift take over the deviations but for the rounding errors of doing so."""
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

    def needs_digits(self, rtol: float) -> bool:
        """Whether rounding of the deviations may drive as much current as is worth looking at, through wires or cells."""
        segments = sum(plane.shape[1] * plane.shape[2] / float(plane.least.min()) for plane in (self.first, self.second))
        rounding = _NOISE * self.voltage_range() * segments
        return bool((rounding > _WORTH * rtol * self.carried).any()) or self._cells_need_digits()

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
        """Note the cells' slopes, and the misfit that rounding of the node voltages leaves under them."""
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
        lowest, highest = extreme_voltages(self.first, self.second)
        return highest - lowest

    def solved(self, rtol: float) -> Mask:
        """(B,) whether KCL holds to rtol of the cell currents, or both are but rounding."""
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


def _wide(lines: int, batch: int) -> int:
    """Lines per block of `balance.kcl`: long rows, yet blocks for several threads where there are few inputs."""
    return max(128, min(512, lines if batch > 3 else lines // 2))
