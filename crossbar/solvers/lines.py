"""Two planes of resistive lines joined by cells, solved in O(cells) by conjugate gradients.

    [ R + D   -D   ] [u]   [f_u]     R, C: wires of the first and second plane (tridiagonal along their lines)
    [  -D    C + D ] [v] = [f_v]     D: slopes of the cell currents i(u - v), diagonal

Eliminating u leaves S v = (C + D) v - D (R + D)^-1 D v, solved by conjugate gradients preconditioned with (C + D)^-1: one
sweep along the lines of each plane an iteration. Since s = (C + D) p obeys the same recurrence as p (s = residual + beta s),
C is never multiplied: no current is ever formed as wire conductance times voltage difference.

Unknowns are deviations from `lines_alone`, the voltages of the lines without cells, whose wire currents are known exactly: with a
wire of 1 uohm a node voltage of 1 V resolves 1e-10 A, a deviation resolves its own current to rounding. Newton's method
and iterative refinement are the same loop:  rho = KCL misfit of the true cell currents, A delta = rho, x += delta.

The second plane is kept as v[b, i, j] (sweeps along i), the first transposed, u[b, j, i] (sweeps along j).
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np
import numpy.typing as npt

from crossbar.errors import ConvergenceError
from crossbar.solvers import kernels

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Cell voltages (B, M, N) -> currents [A] and slopes [S]; slopes of batch 1 mean the same for every input.
Law = Callable[[Array], tuple[Array, Array]]

_MAX_STEPS = 60       # Newton or refinement steps
_MARGIN = 0.03        # the inner solve aims this far below the tolerance of the KCL misfit
_SERIAL = 20_000      # cells times inputs below which one thread does it
_FLOOR = 1e-13        # relative reduction that one inner solve can reach
_WEAK = 1e3           # a segment so many times the least of its line separates stretches
_NOISE = 8 * np.finfo(float).eps  # of a cell current's misfit, relative to slope times voltage


@dataclass(frozen=True, eq=False)
class Plane:
    """Lines of one plane: L lines of n nodes."""

    r: Array     # (n + 1, L) segment resistances with leads and drivers [ohm]; inf: open
    near: Array  # (B, L) terminal voltages before segment 0 [V]; unused where r[0] is inf
    far: Array   # (B, L) terminal voltages behind segment n [V]

    def alone(self) -> Array:
        """Node voltages (B, n, L) without cells [V]."""
        out = np.empty((len(self.near), len(self.r) - 1, self.r.shape[1]))
        kernels.lines_alone(self.r, self.near, self.far, out)
        return out

    def through(self) -> Array:
        """Current (B, L) from the near to the far terminal without cells [A]."""
        total = self.r.sum(axis=0)
        return np.where(total > 0, self.near - self.far, 0.0) / np.where(total > 0, total, 1.0)

    @cached_property
    def weak(self) -> Array:
        """(L,) resistance from which on a segment separates stretches of line that get a voltage of their own [ohm]."""
        return _WEAK * np.where(self.r > 0, self.r, np.inf).min(axis=0)

    def parts(self, limit: Array) -> bool:
        """Whether some stretch of line hangs on segments of at least `limit` (L,) ohm only."""
        return bool(((self.r >= limit).sum(axis=0) > 1).any())


@dataclass(frozen=True, eq=False)
class PlanesSolution:
    """Node voltages and terminal currents of both planes; near and far currents (B, L) flow out of the array."""

    u: Array            # (B, M, N) [V], first plane
    v: Array            # (B, M, N) [V]
    out: tuple[Array, Array, Array, Array]  # u near, u far, v near, v far [A]
    residual: Array           # (B,) largest |KCL misfit| of a node [A]
    relative_residual: Array  # (B,) sum |KCL misfit| / sum |cell current|
    iterations: int           # conjugate-gradient iterations, all steps together
    trace: tuple[tuple[int, float], ...]  # (iterations so far, worst relative residual) a step


@dataclass(eq=False)
class _State:
    """Where a Newton step stands: base + deviation of both planes, and what they imply."""

    base_u: Array
    base_v: Array
    shift_u: Array  # the part of base that drives current through weak segments
    shift_v: Array
    u: Array
    v: Array
    rho_u: Array
    rho_v: Array
    slopes: Array
    ends: tuple[Array, Array, Array, Array]
    misfit: Array  # (B,) sum |KCL|
    carried: Array  # (B,) sum |cell current|
    noise: Array    # (B,) misfit that rounding of the node voltages leaves


def solve_planes(word: Plane, bit: Plane, law: Law, *, linear: bool, rtol: float = 1e-10) -> PlanesSolution:
    """Solve both planes to sum |KCL| <= rtol sum |cell current|, for every input of the batch.

    Raises ConvergenceError where that is missed, or where a cell has a negative slope.
    """
    with _threads(word.near.shape[0] * word.r.shape[1] * bit.r.shape[1]):
        return _newton(word, bit, law, linear, rtol)


@contextlib.contextmanager
def _threads(cells: int) -> Iterator[None]:
    """One thread for a small array: starting several costs more than they save, much more on a busy machine."""
    usual = numba.get_num_threads()
    numba.set_num_threads(1 if cells < _SERIAL else usual)
    try:
        yield
    finally:
        numba.set_num_threads(usual)


def _newton(word: Plane, bit: Plane, law: Law, linear: bool, rtol: float) -> PlanesSolution:
    base_u, base_v = word.alone(), bit.alone()
    state = _evaluate(word, bit, law, base_u, base_v, np.zeros_like(base_u), np.zeros_like(base_v), np.zeros_like(base_u),
                      np.zeros_like(base_v))
    solve: _Linear | None = None
    iterations, trace, before = 0, [], state.misfit
    for _ in range(_MAX_STEPS):
        trace.append((iterations, _worst(state)))
        if _solved(state, rtol).all():
            return _solution(word, bit, state, iterations, tuple(trace))
        if solve is None or not linear:
            solve = _Linear(word.r, bit.r, state.slopes)
        with np.errstate(divide="ignore", invalid="ignore"):
            goal = np.maximum(_MARGIN * rtol * state.carried, _FLOOR * state.misfit)
            if not linear:  # Eisenstat, Walker, SIAM J. Sci. Comput. 17, 16 (1996), choice 2
                forcing = np.clip(0.9 * np.nan_to_num(state.misfit / before) ** 2, 0, 0.1) if len(trace) > 1 else 0.01
                goal = np.maximum(goal, forcing * state.misfit)
        du, dv, count = solve(state.rho_u, state.rho_v, goal)
        iterations += count
        before = state.misfit
        state = _advance(word, bit, law, state, du, dv, rtol, tuple(trace))
    raise ConvergenceError(f"line solver: relative KCL residual {_worst(state):.2e} after {iterations} iterations, "
                           f"wanted {rtol:.1e}; a looser rtol or the general path may do", trace)


def _worst(state: _State) -> float:
    return float(_relative(state).max())


def _relative(state: _State) -> Array:
    """sum |KCL| / sum |cell current|, 0 where both are but rounding: no current flows."""
    beyond = np.where(state.misfit <= state.noise, 0.0, np.inf)
    share = state.misfit / np.where(state.carried > 0, state.carried, 1.0)
    return np.where(state.carried > state.noise, share, beyond)


def _solved(state: _State, rtol: float) -> Mask:
    return (state.misfit <= rtol * state.carried) | ((state.misfit <= state.noise) & (state.carried <= state.noise))


def _evaluate(word: Plane, bit: Plane, law: Law, base_u: Array, base_v: Array, shift_u: Array, shift_v: Array,
              u: Array, v: Array) -> _State:
    """Cell currents, slopes and KCL misfits at given voltages."""
    cell = np.empty_like(v)
    kernels.cell_voltages(base_u, u, base_v, v, cell)
    current, slopes = law(cell)
    if slopes.min(initial=0.0) < 0:
        raise ConvergenceError(f"a cell has the negative slope {slopes.min():.3g} S; use the general path")
    batch, n_rows, n_columns = v.shape
    volts = np.maximum(np.abs(base_u).max(axis=(1, 2)), np.abs(base_v).max(axis=(1, 2)))
    noise = _NOISE * volts * slopes.sum(axis=(1, 2))
    rho_u, rho_v = np.empty_like(u), cell  # the cell voltages are done with
    ends = tuple(np.empty((batch, lines)) for lines in (n_rows, n_rows, n_columns, n_columns))
    kernels.kcl(word.r, u, shift_u, _transposed(current), rho_u, ends[0], ends[1])
    kernels.kcl(bit.r, v, shift_v, -current, rho_v, ends[2], ends[3])
    return _State(base_u, base_v, shift_u, shift_v, u, v, rho_u, rho_v, slopes, ends,  # type: ignore[arg-type]
                  _norm1(rho_u) + _norm1(rho_v), _norm1(current), noise)


def _transposed(x: Array) -> Array:
    out = np.empty((len(x), x.shape[2], x.shape[1]))
    kernels.transpose(x, out)
    return out


def _norm1(x: Array) -> Array:
    return np.abs(x).sum(axis=(1, 2))


def _advance(word: Plane, bit: Plane, law: Law, state: _State, du: Array, dv: Array,
             rtol: float, trace: tuple[tuple[int, float], ...]) -> _State:
    """The next state: a full step, halved for those inputs whose misfit would grow."""
    fraction = np.ones(len(dv))
    for _ in range(30):
        scale = fraction[:, None, None]
        u, v = state.u + scale * du, state.v + scale * dv
        base_u, shift_u = _rebased(word, state.base_u, state.shift_u, u)
        base_v, shift_v = _rebased(bit, state.base_v, state.shift_v, v)
        new = _evaluate(word, bit, law, base_u, base_v, shift_u, shift_v, u, v)
        worse = ~((new.misfit <= state.misfit) | _solved(new, rtol))
        if not worse.any():
            return new
        fraction[worse] /= 2
    raise ConvergenceError(f"line solver: no step lowers the KCL residual below {_worst(state):.2e} of the cell "
                           "currents, which is rounding error; a looser rtol is needed", trace)


def _rebased(plane: Plane, base: Array, shift: Array, x: Array) -> tuple[Array, Array]:
    """The base and the shift that take over the common part of x (changed in place) on stretches behind weak segments;
    on pieces without a terminal it drives no current."""
    opened = np.full(plane.r.shape[1], np.inf)
    for limit, drives in ((opened, False), (plane.weak, True)):
        if plane.parts(limit):
            base, shift = base.copy(), shift.copy()
            kernels.rebase(plane.r, limit, drives, base, shift, x)
    return base, shift


def _solution(word: Plane, bit: Plane, state: _State, iterations: int,
              trace: tuple[tuple[int, float], ...]) -> PlanesSolution:
    word_through, bit_through = word.through(), bit.through()
    u_near, u_far, v_near, v_far = state.ends
    out = (-(u_near + word_through), u_far + word_through, -(v_near + bit_through), v_far + bit_through)
    largest = np.maximum(np.abs(state.rho_u).max(axis=(1, 2)), np.abs(state.rho_v).max(axis=(1, 2)))
    relative = _relative(state)
    return PlanesSolution(_transposed(state.base_u + state.u), state.base_v + state.v, out, largest, relative, iterations,
                          trace)


class _Linear:
    """A delta = rho for one set of slopes: both planes factorised, conjugate gradients on the second."""

    def __init__(self, r_word: Array, r_bit: Array, slopes: Array) -> None:
        self.slopes = np.ascontiguousarray(slopes)
        self.word = _factor(r_word, _transposed(self.slopes))
        self.bit = _factor(r_bit, self.slopes)

    def __call__(self, rho_u: Array, rho_v: Array, goal: Array) -> tuple[Array, Array, int]:
        """du, dv and the iterations taken until the 1-norm of the misfit is at most `goal` (B,)."""
        b, m, n = rho_v.shape
        row_dots = np.empty((b, _blocks(m, kernels.WIDTH)))
        dots = np.empty((b, _blocks(n, kernels.WIDTH)))
        strip_dots, norms = np.empty((b, _blocks(m, kernels.TILE))), np.empty((b, m))
        q, t = np.empty_like(rho_u), np.empty_like(rho_v)

        kernels.sweep(*self.word, rho_u, q, row_dots)
        residual = np.empty_like(rho_v)
        kernels.schur_product(rho_v, -self.slopes, q, rho_v, residual, strip_dots)  # rho_v + D (R + D)^-1 rho_u
        x, z = np.zeros_like(rho_v), np.empty_like(rho_v)
        kernels.sweep(*self.bit, residual, z, dots)
        rz = dots.sum(axis=1)
        enough = 1e-30 * rz  # beyond this the rest is rounding, whatever stays on nodes tied by 0 ohm
        p, s = z.copy(), residual.copy()
        active = (_norm1(residual) > goal) & (rz > 0)
        count, limit = 0, 5 * (m + n) + 200
        while active.any() and count < limit:
            kernels.eliminate(*self.word, self.slopes, s, p, t, row_dots)
            curvature = row_dots.sum(axis=1)
            active &= curvature > 0
            alpha = np.divide(rz, curvature, out=np.zeros(b), where=active)
            kernels.step(alpha, p, t, x, residual, norms)
            kernels.sweep(*self.bit, residual, z, dots)
            new = dots.sum(axis=1)
            beta = np.divide(new, rz, out=np.zeros(b), where=active & (rz > 0))
            rz = new
            active &= (norms.sum(axis=1) > goal) & (rz > enough)
            kernels.turn(beta, z, residual, p, s)
            count += 1
        kernels.multiply_transpose(self.slopes, x, q)
        q += rho_u
        kernels.sweep(*self.word, q, q, row_dots)
        return q, x, count


def _blocks(count: int, width: int) -> int:
    return (count + width - 1) // width


def _factor(r: Array, slopes: Array) -> tuple[Array, Array]:
    a, h = np.empty_like(slopes), np.empty_like(slopes)
    kernels.factor(r, slopes, a, h)
    return a, h
