"""The line solver alone: its kernels against dense algebra with every wire current as an unknown."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import solve_banded

from crossbar.errors import ConvergenceError
from crossbar.solvers import balance, kernels
from crossbar.solvers.lines import Law, Plane, solve_planes

SEED = 1_630_558_291
WIDTH = 128  # lines per block: some cases have several, some a part of one


def generator(*key):
    return np.random.default_rng([SEED, *key])


def ladder(r, d, f, near=0.0, far=0.0):
    """Voltages (n,) and segment currents (n+1,) of one line; r (n+1,) in [0, inf], loads d (n,), injected f
    (n,).

    Unknowns x and i:  x_{s-1} - x_s = r_s i_s, or i_s = 0 where r_s is infinite;
    i_j + f_j = i_{j+1} + d_j x_j.
    """
    n = d.size
    if not r.any():  # from terminal to terminal: any current may flow
        return np.full(n, near), np.full(n + 1, np.nan)
    matrix, rhs = np.zeros((2 * n + 1, 2 * n + 1)), np.zeros(2 * n + 1)
    for s in range(n + 1):
        if np.isinf(r[s]):
            matrix[s, n + s] = 1
            continue
        matrix[s, n + s] = -r[s]
        for node, sign in ((s - 1, 1), (s, -1)):
            if 0 <= node < n:
                matrix[s, node] = sign
        rhs[s] = (far if s == n else 0.0) - (near if s == 0 else 0.0)
    for j in range(n):
        row = n + 1 + j
        matrix[row, [n + j, n + j + 1, j]] = 1, -1, -d[j]
        rhs[row] = -f[j]
    x = np.linalg.solve(matrix, rhs)
    return x[:n], x[n:]


def swept(r, d, f):
    """x (B, n, L) by the float64 solve of the second plane."""
    count, width = kernels.panels(f.shape[2])
    x, inside = np.empty_like(f), np.zeros((len(f), count, f.shape[1], width))
    kernels.in_panels(f, inside)
    kernels.finish_second(r, d, inside, np.zeros(len(f)), np.zeros_like(inside), np.ones(len(f)), True, np.empty_like(inside), x)
    return x


def misfit(r, x, load):
    """KCL misfit (B, n, L), near and far currents (B, L) by the kernel."""
    rho = np.empty_like(x)
    near, far = np.empty((len(x), x.shape[2])), np.empty((len(x), x.shape[2]))
    sums = np.empty((len(x), kernels.blocks(x.shape[2], WIDTH), 3))
    balance.kcl(r, x, np.empty((0, 0, 0)), load, 1.0, rho, near, far, sums, WIDTH)
    assert_allclose(sums[..., 0].sum(axis=1), np.abs(rho).sum(axis=(1, 2)), rtol=1e-12)
    assert_allclose(sums[..., 1].max(axis=1), np.abs(rho).max(axis=(1, 2)), rtol=0)
    assert_allclose(sums[..., 2].sum(axis=1), np.abs(load).sum(axis=(1, 2)), rtol=1e-12)
    return rho, near, far


def random_lines(rng, batch, n, lines, kind):
    r = 10 ** rng.uniform(-2, 2, (n + 1, lines))
    if "zeros" in kind:
        r[rng.random(r.shape) < 0.3] = 0
    if "openings" in kind:
        r[rng.random(r.shape) < 0.2] = np.inf
    return r, 10 ** rng.uniform(-5, -2, (batch, n, lines)), rng.normal(size=(batch, n, lines))


@pytest.mark.parametrize("shared", [True, False], ids=["shared slopes", "own slopes"])
@pytest.mark.parametrize(
    ("n", "lines"), [(1, 1), (2, 3), (17, 300), (40, WIDTH), (5, WIDTH + 1)]
)
def test_sweep_solves_the_tridiagonal_systems(n, lines, shared):
    rng = generator(n, lines)
    r, d, f = random_lines(rng, 1 if shared else 3, n, lines, "finite")
    f = rng.normal(size=(3, n, lines))
    x = swept(r, d, f)
    for b, line in [(0, 0), (1, lines - 1), (2, lines // 2)]:
        band = np.zeros((3, n))
        band[1] = d[0 if shared else b, :, line] + 1 / r[:-1, line] + 1 / r[1:, line]
        band[0, 1:] = band[2, :-1] = -1 / r[1:-1, line]
        assert_allclose(x[b, :, line], solve_banded((1, 1), band, f[b, :, line]), rtol=1e-9)


@pytest.mark.parametrize("kind", ["finite", "zeros", "openings", "zeros and openings"])
@pytest.mark.parametrize("n", [1, 2, 6, 13])
def test_sweep_from_zero_to_infinite_segments(n, kind):
    rng = generator(n, len(kind))
    r, d, f = random_lines(rng, 2, n, 40, kind)
    x = swept(r, d, f)
    for b, line in np.ndindex(2, 40):
        expected, _ = ladder(r[:, line], d[b, :, line], f[b, :, line])
        assert_allclose(x[b, :, line], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("exponent", [-9, -6, 6, 12])
def test_sweep_keeps_its_digits_for_any_wire(exponent):
    """Against rational arithmetic: the recursion adds and multiplies positive numbers only."""
    from fractions import Fraction

    rng = generator(2, exponent + 20)
    r = rng.uniform(1, 2, (6, 1)) * 10.0**exponent
    d, f = rng.uniform(1e-4, 2e-4, (1, 5, 1)), rng.uniform(0.1, 1, (1, 5, 1))
    got = swept(r, d, f)[0, :, 0]
    wires, cells, given = ([Fraction(float(x)) for x in array.ravel()] for array in (r, d, f))
    seen, norton = [Fraction(0)] * 6, [Fraction(0)] * 6
    for j in range(4, -1, -1):
        through = 1 + wires[j + 1] * seen[j + 1] if j < 4 else 1
        seen[j] = cells[j] + (seen[j + 1] / through if j < 4 else 1 / wires[5])
        norton[j] = given[j] + (norton[j + 1] / through if j < 4 else 0)
    x = Fraction(0)
    for j in range(5):
        x = (x + wires[j] * norton[j]) / (1 + wires[j] * seen[j])
        assert abs(got[j] - float(x)) <= 1e-14 * abs(float(x))


def test_lines_without_cells_divide_the_voltage():
    rng = generator(3)
    n, lines = 7, 60
    r = random_lines(rng, 1, n, lines, "zeros and openings")[0]
    near, far = rng.normal(size=(2, lines)), rng.normal(size=(2, lines))
    shorted = r.sum(axis=0) == 0
    far[:, shorted] = near[:, shorted]
    out = np.empty((2, n, lines))
    balance.lines_alone(r, near, far, out)
    for b, line in np.ndindex(2, lines):
        held = np.array(
            [np.isfinite(r[:j + 1, line]).all() or np.isfinite(r[j + 1:, line]).all() for j in range(n)]
        )
        assert (out[b, ~held, line] == 0).all()
        if shorted[line]:
            assert_array_equal(out[b, :, line], near[b, line])
            continue
        free = np.where(
            held, 0.0, 1.0
        )  # a load holds what no terminal does, so that the oracle is not singular
        assert_allclose(
            out[b, :, line],
            ladder(r[:, line], free, np.zeros(n), near[b, line], far[b, line])[0],
            rtol=1e-12,
            atol=1e-12,
        )


@pytest.mark.parametrize("kind", ["finite", "zeros", "openings", "zeros and openings"])
def test_kirchhoff_holds_at_the_solution_and_nowhere_else(kind):
    rng = generator(4, len(kind))
    n, lines = 8, 50
    r, d, f = random_lines(rng, 1, n, lines, kind)
    r[:, r.sum(axis=0) == 0] = 1.0
    x = np.empty_like(f)
    current = np.empty((n + 1, lines))
    for line in range(lines):
        x[0, :, line], current[:, line] = ladder(r[:, line], d[0, :, line], f[0, :, line])
    load = d * x - f
    rho, near, far = misfit(r, x, load)
    scale = np.abs(f).max()
    assert_allclose(rho, 0, atol=1e-10 * scale)
    assert_allclose(near[0], current[0], rtol=0, atol=1e-10 * scale)
    assert_allclose(far[0], current[-1], rtol=0, atol=1e-10 * scale)
    # a voltage moved by e leaves e / r of every finite wire at its node; nodes tied by 0 ohm have no voltage
    # of their own
    for j in range(n):
        moved = x.copy()
        moved[0, j] += 1e-3
        beside = np.stack((r[j], r[j + 1]))
        free = (beside > 0).all(axis=0) & np.isfinite(beside).any(axis=0)
        raised = np.abs(misfit(r, moved, load)[0]).sum(axis=(0, 1))
        assert (raised[free] >= 0.99e-3 * (1 / beside[:, free]).max(axis=0) - 1e-10 * scale).all()


@pytest.mark.parametrize("kind", ["finite", "zeros", "openings", "zeros and openings"])
def test_what_enters_a_line_leaves_it_or_is_missing(kind):
    """near - far - sum of loads = sum of misfits, whatever the voltages: no current is invented."""
    rng = generator(5, len(kind))
    r, load, x = random_lines(rng, 2, 9, 50, kind)
    opened = np.isinf(r[1:-1]).any(axis=0)  # there the near and far currents are sums of loads of two pieces
    rho, near, far = misfit(r, x, load)
    gap = near - far - load.sum(axis=1) - rho.sum(axis=1)
    assert_allclose(gap[:, ~opened & (np.isfinite(r[0]) & np.isfinite(r[-1]))], 0, atol=1e-9)


def random_planes(rng, m, n, batch, *, r=(1.0, 10.0), open_ends=True):
    r_word, r_bit = rng.uniform(*r, (n + 1, m)), rng.uniform(*r, (m + 1, n))
    if open_ends:
        r_word[-1], r_bit[0] = np.inf, np.inf
    volts = [rng.uniform(-1, 1, (batch, k)) for k in (m, m, n, n)]
    return Plane(r_word, volts[0], volts[1]), Plane(r_bit, volts[2], volts[3])


def dense(word, bit, g):
    """u, v (B, M, N) of linear cells g (M, N) by a dense nodal matrix."""
    m, n = g.shape
    number = np.arange(2 * m * n).reshape(2, m, n)
    y, rhs = np.zeros((2 * m * n,) * 2), np.zeros((len(word.near), 2 * m * n))
    for k in range(m * n):
        for a, b in ((k, k + m * n), (k + m * n, k)):
            y[a, a] += g.flat[k]
            y[a, b] -= g.flat[k]
    for plane, at in ((word, number[0]), (bit, number[1].T)):  # at[line, node]
        for line, s in np.ndindex(at.shape[0], at.shape[1] + 1):
            conductance = 1 / plane.r[s, line]
            ends = [at[line, j] if 0 <= j < at.shape[1] else None for j in (s - 1, s)]
            for a, b in (ends, ends[::-1]):
                if a is not None:
                    y[a, a] += conductance
                    if b is not None:
                        y[a, b] -= conductance
                    else:
                        rhs[:, a] += conductance * (plane.near if s == 0 else plane.far)[:, line]
    x = np.linalg.solve(y, rhs.T).T.reshape(-1, 2, m, n)
    return x[:, 0], x[:, 1]


def law_of(current):
    """The law of two-terminal cells from current(v) -> i, slope."""
    def both(v, _):
        i, slope = current(v)
        return i, slope, slope
    return Law(current=both)


def ohmic(g):
    return Law(g[None])


@pytest.mark.parametrize("open_ends", [True, False], ids=["two open sides", "four driven sides"])
@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (3, 11), (12, 7)], ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("ratio", [1e-5, 1e-2, 1.0, 30.0])
def test_planes_against_dense_nodal_analysis(shape, ratio, open_ends):
    rng = generator(6, *shape)
    word, bit = random_planes(rng, *shape, 3, open_ends=open_ends)
    g = rng.uniform(0.1, 1.0, shape) * ratio / 5
    s = solve_planes(word, bit, ohmic(g), rtol=1e-12)
    u, v = dense(word, bit, g)
    assert_allclose(s.nodes[0], u, rtol=0, atol=1e-9)
    assert_allclose(s.nodes[1], v, rtol=0, atol=1e-9)
    bottom = (v[:, -1] - bit.far) / bit.r[-1]
    left = (u[:, :, 0] - word.near) / word.r[0]
    scale = np.abs(g * (u - v)).sum()
    assert_allclose(s.out[3], bottom, rtol=0, atol=1e-9 * scale)
    assert_allclose(s.out[0], left, rtol=0, atol=1e-9 * scale)
    assert (s.relative_residual <= 1e-12).all() and s.iterations > 0


@settings(max_examples=60)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1), st.floats(-6, 1))
def test_property_residual_is_that_of_the_voltages(m, n, seed, decade):
    """The reported residual is what the returned voltages give, recomputed by hand."""
    rng = np.random.default_rng(seed)
    word, bit = random_planes(rng, m, n, 2, open_ends=False)
    g = 10 ** rng.uniform(decade - 1, decade, (m, n))
    for rtol in (1e-3, 1e-10):
        s = solve_planes(word, bit, ohmic(g), rtol=rtol)
        u, v = s.nodes[0], s.nodes[1]
        kcl = np.zeros(2)
        for plane, x, cells in (
            (word, u, g * (u - v)),
            (bit, v.transpose(0, 2, 1), -(g * (u - v)).transpose(0, 2, 1)),
        ):
            whole = np.concatenate((plane.near[..., None], x, plane.far[..., None]), axis=2)
            current = -np.diff(whole, axis=2) / plane.r.T
            kcl += np.abs(-np.diff(current, axis=2) - cells).sum(axis=(1, 2))
        carried = np.abs(g * (u - v)).sum(axis=(1, 2))
        rounding = 1e-15 * 4 * m * n  # of voltages of 1 V over 1 ohm
        assert (np.abs(kcl - s.relative_residual * carried) <= rounding + 1e-9 * carried * rtol).all()
        assert (s.relative_residual <= rtol).all()


@pytest.mark.parametrize("law", ["cubic", "sinh", "saturating"])
def test_newton_on_nonlinear_cells(law):
    """Kirchhoff's law by hand for laws far from linear at the applied voltages."""
    rng = generator(7)
    m, n = 6, 9
    g = rng.uniform(1e-3, 3e-3, (m, n))
    current = {
        "cubic": lambda v: (g * (v + 5 * v**3), g * (1 + 15 * v**2)),
        "sinh": lambda v: (g * 0.1 * np.sinh(v / 0.1), g * np.cosh(v / 0.1)),
        "saturating": lambda v: (g * 0.1 * np.arctan(v / 0.1), g / (1 + (v / 0.1) ** 2)),
    }[law]
    word, bit = random_planes(rng, m, n, 4, r=(5.0, 50.0), open_ends=False)
    s = solve_planes(word, bit, law_of(current), rtol=1e-11)
    u, v = s.nodes[0], s.nodes[1]
    i = current(u - v)[0]
    whole = np.concatenate((word.near[..., None], u, word.far[..., None]), axis=2)
    wires = -np.diff(whole, axis=2) / word.r.T
    kcl = np.abs(-np.diff(wires, axis=2) - i).sum(axis=(1, 2))
    assert (kcl <= 1e-10 * np.abs(i).sum(axis=(1, 2))).all()
    residuals = [worst for _, worst in s.trace]
    assert len(residuals) > 2 and residuals[-1] <= 1e-11
    assert min(b / a for a, b in zip(residuals, residuals[1:], strict=False)) < 1e-3  # Newton's method takes long steps


def test_wide_spread_of_inputs_in_one_batch():
    """Inputs of very different size are solved each to its own tolerance."""
    rng = generator(8)
    word, bit = random_planes(rng, 8, 6, 4, open_ends=False)
    scale = np.array([1.0, 1e-6, 1e-12, 0.0])[:, None]
    scaled = [Plane(p.r, p.near[:1] * scale, p.far[:1] * scale) for p in (word, bit)]
    g = rng.uniform(1e-4, 1e-3, (8, 6))
    s = solve_planes(*scaled, ohmic(g))
    u, v = dense(*scaled, g)
    for k in range(3):
        assert_allclose(s.nodes[1][k], v[k], rtol=0, atol=1e-9 * scale[k, 0])
        assert_allclose(s.nodes[0][k], u[k], rtol=0, atol=1e-9 * scale[k, 0])
    assert (s.nodes[1][3] == 0).all()


def test_negative_slope_is_refused():
    rng = generator(9)
    word, bit = random_planes(rng, 3, 4, 1)
    with pytest.raises(ConvergenceError, match="negative slope"):
        solve_planes(word, bit, law_of(lambda v: (-1e-3 * v, np.full((1, 3, 4), -1e-3))))


def test_wrong_slopes_do_not_give_a_wrong_answer():
    """Newton with slopes off by half either arrives (the currents are right) or says so."""
    rng = generator(10)
    word, bit = random_planes(rng, 5, 4, 1)
    g = rng.uniform(1e-3, 2e-3, (5, 4))
    s = solve_planes(word, bit, law_of(lambda v: (g * v, 1.5 * g[None])))
    assert_allclose(s.nodes[1], dense(word, bit, g)[1], rtol=0, atol=1e-9)


@pytest.mark.parametrize("rtol", [1e-30, 0.0])
def test_unreachable_tolerance(rtol):
    rng = generator(11)
    word, bit = random_planes(rng, 6, 5, 2)
    with pytest.raises(ConvergenceError) as error:
        solve_planes(word, bit, ohmic(rng.uniform(1e-4, 2e-4, (6, 5))), rtol=rtol)
    assert len(error.value.trace) > 1


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one core: nothing to compare")
@pytest.mark.parametrize("linear", [True, False], ids=["linear", "nonlinear"])
def test_same_bits_for_one_and_two_threads(linear):
    """Large enough for several blocks and for the solver to use its threads."""
    rng = generator(12)
    m, n = 2 * WIDTH + 31, WIDTH + 7
    word, bit = random_planes(rng, m, n, 2)
    g = rng.uniform(1e-5, 1e-4, (m, n))
    law = ohmic(g) if linear else law_of(lambda v: (g * (v + v**3), g * (1 + 3 * v**2)))
    usual, solved = numba.get_num_threads(), []
    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            solved.append(solve_planes(word, bit, law))
    finally:
        numba.set_num_threads(usual)
    one, two = solved
    assert one.iterations == two.iterations and one.trace == two.trace
    for a, b in zip(
        (*one.nodes, one.residual, *one.out), (*two.nodes, two.residual, *two.out), strict=True
    ):
        assert_array_equal(a, b)
