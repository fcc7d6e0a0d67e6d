"""Cells of two devices in series: the inner node against bracketing roots and the general path, slopes, limits, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import brentq

import crossbar as xb
from crossbar import mtj
from crossbar.circuit import CircuitBuilder
from crossbar.elements import cell_kernels
from crossbar.elements.cells import Cells
from crossbar.elements.linear import VoltageSources
from crossbar.errors import DataError

SEED = 1_168_903_427
EPS = np.finfo(float).eps
BARRIER = {"r_p": 4e3, "barrier": 0.4, "asymmetry": 0.05, "t_ox": 1.1e-9}

volts = st.floats(-1.2, 1.2)
junctions = st.one_of(
    st.builds(lambda decade: xb.LinearCells(g=np.full((1, 1), 10.0**decade)), st.floats(-9, -2)),
    st.builds(lambda r, tmr, v_h, m_z: xb.MTJCells(xb.MTJParams(r_p=r, tmr=tmr, v_h=v_h), m_z=np.full((1, 1), m_z)),
              st.floats(1e2, 1e6), st.floats(0.0, 3.0), st.floats(0.1, 2.0), st.floats(-1.0, 1.0)),
    st.just(xb.MTJCells(xb.MTJParams(**BARRIER), [[-1]])))  # fmt: skip
transistors = st.builds(
    xb.NMOS, kp=st.floats(-6.0, -1.0).map(lambda decade: 10.0**decade), vto=st.floats(-0.3, 0.8),
    gamma=st.just(0.0) | st.floats(1e-3, 1.0), phi=st.floats(0.4, 0.9), lambda_=st.just(0.0) | st.floats(1e-3, 0.3),
    model=st.sampled_from(["level1", "ekv"]))  # fmt: skip
selectors = st.one_of(
    st.builds(xb.DiodeSelector, i_s=st.floats(-15.0, -6.0).map(lambda d: 10.0**d), n=st.floats(1.0, 2.0)),
    st.builds(xb.SinhSelector, i_s=st.floats(-15.0, -6.0).map(lambda d: 10.0**d), v_0=st.floats(0.01, 0.2)),
    st.builds(xb.ThresholdSelector, g_off=st.floats(-12.0, -7.0).map(lambda d: 10.0**d), g_on=st.floats(1e-4, 1e-2),
              v_th=st.floats(0.05, 0.8), width=st.floats(0.005, 0.1)))  # fmt: skip
TYPICAL = xb.NMOS(kp=3e-4, w=2e-7, l=1e-7, vto=0.4, gamma=0.5, phi=0.7, lambda_=0.1)
MODELS = pytest.mark.parametrize("model", ["level1", "ekv"])


def series_root(first, second, w):
    """(voltage of the first device, current) where first(u) = second(w - u), by a bracketing root finder in u."""
    if w == 0:
        return 0.0, 0.0
    u = brentq(lambda u: first(u) - second(w - u), min(w, 0.0), max(w, 0.0), xtol=1e-300, rtol=4 * EPS, maxiter=1000)
    return u, second(w - u)


def random_cells(shape, model="level1", barrier=False):
    rng = np.random.default_rng(SEED)
    p = xb.MTJParams(r_p=rng.uniform(2e3, 8e3, shape), tmr=1.2, **({"barrier": 0.4, "asymmetry": 0.1} if barrier else {}))
    t = xb.NMOS(kp=3e-4, w=rng.uniform(1e-7, 4e-7, (shape[0], 1)), l=1e-7, vto=rng.normal(0.4, 0.05, shape), gamma=0.4,
                phi=0.7, lambda_=0.1, model=model)  # fmt: skip
    return xb.TransistorCells(cells=xb.MTJCells(p, rng.choice([-1, 1], shape)), transistor=t), rng


# Junctions alone: the compiled twin


@pytest.mark.parametrize("p", [xb.MTJParams(), xb.MTJParams(**BARRIER), xb.MTJParams(v_h=np.array([[0.3], [np.inf], [0.6]])),
                               xb.MTJParams(r_p=np.array([1e3, 2e3, 3e3, 4e3]), tmr=0.0, temperature=350.0)])  # fmt: skip
def test_compiled_junctions_equal_the_law(p):
    rng = np.random.default_rng(SEED)
    cells = xb.MTJCells(p, m_z=rng.uniform(-1, 1, (3, 4)))
    v = np.concatenate((rng.uniform(-2, 2, (5, 3, 4)), np.zeros((1, 3, 4))))
    i, g = cells.current(v)
    i_law, g_law = mtj.current(v, p, cells.m_z)
    assert_allclose(i, i_law, rtol=8 * EPS)
    assert_allclose(g, g_law, rtol=16 * EPS)
    assert_array_equal(cells.current(v[2]), (i[2], g[2]))
    out = np.empty((2, 6, 3, 4))
    assert cells.current(v, out=(out[0], out[1]))[0] is not i
    assert_array_equal(out, (i, g))
    with pytest.raises(DataError, match="out"):
        cells.current(v, out=(np.empty((3, 4)), out[1]))


# Transistor cells


@given(junctions, transistors, volts, volts, st.floats(-0.5, 2.0), st.floats(-1.0, 0.3))
def test_transistor_cell_against_a_bracketing_root(cells, t, v_bit, v_source, gate, v_bulk):
    whole = xb.TransistorCells(cells=cells, transistor=t, v_bulk=v_bulk)
    i = whole.current([[v_bit]], [[v_source]], gate)[0].item()
    channel = lambda d: t.current(v_source + d, gate, v_source, v_bulk)[0].item()  # noqa: E731
    _, expected = series_root(lambda u: cells.current(np.full((1, 1), u))[0].item(), channel, v_bit - v_source)
    # near the threshold the law itself amplifies rounding of its voltages: by i's slopes
    noise = 1e-35 + 8 * EPS * sum(map(abs, t.current(v_bit, gate, v_source, v_bulk)[1:]))
    assert_allclose(i, expected, rtol=2e-13, atol=noise)


@MODELS
def test_inner_node_balances_the_currents_to_rounding(model):
    cells, rng = random_cells((40, 30), model)
    t = cells.transistor
    v_bit, v_source, gate = rng.uniform(-1, 1, (40, 30)), rng.uniform(-1, 1, (40, 30)), rng.uniform(0, 2, (40, 1))
    share = np.full((40, 30), np.nan)
    i, d_bit, d_source = cells.current(v_bit, v_source, gate, share=share)
    inner = v_bit - share * (v_bit - v_source)
    i_j, g_j = cells.cells.current(v_bit - inner)
    i_t, g_d, _, g_s = t.current(inner, gate, v_source)
    seen = EPS * (np.abs(v_bit) + np.abs(v_source) + gate)  # what rounding of the inner voltage does
    assert (np.abs(i_j - i_t) <= 1e-14 * np.abs(i) + (g_j + g_d) * seen).all()
    assert (np.abs(i - i_t) <= 1e-14 * np.abs(i) + (g_j + g_d) * seen).all()
    on = i != 0
    assert on.mean() > 0.5
    assert_allclose(d_bit[on], (g_j * g_d / (g_j + g_d))[on], rtol=1e-6, atol=1e-15)
    assert_allclose(d_source[on], (-g_j * g_s / (g_j + g_d))[on], rtol=1e-6, atol=1e-15)


@MODELS
def test_slopes_against_differences(model):
    cells, rng = random_cells((20, 20), model, barrier=True)
    v_bit, v_source, gate = rng.uniform(-1, 1, (20, 20)), rng.uniform(-0.5, 0.5, (20, 20)), rng.uniform(0.8, 2, (20, 1))
    _, d_bit, d_source = cells.current(v_bit, v_source, gate)
    h, size = 1e-6, np.maximum(d_bit, d_source)
    up, down = (cells.current(v_bit + s, v_source, gate)[0] for s in (h, -h))
    assert (np.abs(d_bit - (up - down) / (2 * h)) <= 1e-5 * size + 1e-12).all()
    up, down = (cells.current(v_bit, v_source + s, gate)[0] for s in (h, -h))
    assert (np.abs(d_source + (up - down) / (2 * h)) <= 1e-5 * size + 1e-12).all()


@given(junctions, transistors, volts, volts, volts, st.floats(-0.5, 2.0))
def test_cell_current_rises_with_the_bit_line_and_falls_with_the_source_line(cells, t, a, b, other, gate):
    whole = xb.TransistorCells(cells=cells, transistor=t)
    low, high = sorted((a, b))
    v = np.array([low, high])[:, None, None]
    i, d_bit, d_source = whole.current(v, other, gate)
    slack = 1e-12 * np.abs(i).max() + 1e-16 * t.beta
    assert i[1, 0, 0] >= i[0, 0, 0] - slack and (d_bit >= 0).all() and (d_source >= 0).all()
    i = whole.current(other, v, gate)[0]
    assert i[1, 0, 0] <= i[0, 0, 0] + slack


@MODELS
def test_warm_start_finds_the_same_current_from_anywhere(model):
    cells, rng = random_cells((15, 20), model)
    v_bit, v_source, gate = rng.uniform(-1, 1, (3, 15, 20)), rng.uniform(-1, 1, (15, 20)), rng.uniform(0.6, 1.5, (15, 1))
    cold = np.full((3, 15, 20), np.nan)
    i, d_bit, d_source = cells.current(v_bit, v_source, gate, share=cold)
    assert np.isfinite(cold).all()
    for start in (cold.copy(), np.zeros_like(cold), rng.uniform(-2, 2, cold.shape), np.full_like(cold, 1e300)):
        again = cells.current(v_bit, v_source, gate, share=start)
        assert_allclose(again[0], i, rtol=1e-12, atol=1e-18)
        assert_allclose(again[1:], (d_bit, d_source), rtol=1e-6, atol=1e-13)
        assert_allclose(start, cold, rtol=0, atol=1e-14)
    assert_allclose(cells.current(v_bit, v_source, gate)[0], i, rtol=1e-15)
    out = np.empty((3, 3, 15, 20))
    cells.current(v_bit, v_source, gate, out=tuple(out))
    assert_array_equal(out, cells.current(v_bit, v_source, gate))


def test_transistor_off_carries_exactly_nothing():
    cells, rng = random_cells((5, 6))
    v_bit, v_source = rng.uniform(-0.3, 1, (5, 6)), rng.uniform(-0.3, 1, (5, 6))
    share = np.full((5, 6), np.nan)
    i, d_bit, d_source = cells.current(v_bit, v_source, np.full((5, 1), -1.0), share=share)
    assert_array_equal((i, d_bit, d_source), np.zeros((3, 5, 6)))
    assert_array_equal(share, np.zeros((5, 6)))  # no voltage on the junction
    smooth = random_cells((5, 6), "ekv")[0].current(v_bit, v_source, -0.5)
    assert (np.abs(smooth[0]) < 1e-8).all() and (np.abs(smooth[0][v_bit != v_source]) > 0).all()


def test_an_open_junction_carries_nothing():
    cells = xb.TransistorCells(cells=xb.LinearCells(g=np.array([[0.0, 1e-4]])), transistor=TYPICAL)
    i, d_bit, d_source = cells.current(0.5, 0.0, 1.5)
    assert i[0, 0] == d_bit[0, 0] == d_source[0, 0] == 0 and i[0, 1] > 0


@MODELS
def test_a_high_gate_leaves_the_junction_alone(model):
    """With the gate at 1e6 V the channel is a resistance of about 1 / (beta 1e6): a correction of 1e-3, then of first order."""
    cells, rng = random_cells((4, 5), model)
    v = rng.uniform(-0.6, 0.6, (4, 5))
    i, d_bit, d_source = cells.current(v, 0.0, 1e6)
    inner = v - i / (cells.transistor.beta * 1e6)
    alone, slope = cells.cells.current(inner)
    assert_allclose(i, alone, rtol=1e-3)
    i_junction, slope = cells.cells.current(v)
    assert_allclose(i, i_junction, rtol=1e-2)
    assert_allclose(d_bit, slope, rtol=2e-2)
    assert_allclose(d_source, slope, rtol=2e-2)


def test_a_conducting_junction_leaves_the_transistor_alone():
    cells = xb.TransistorCells(cells=xb.LinearCells(g=np.full((1, 4), 1e6)), transistor=TYPICAL)
    v_bit = np.array([[-0.7, 0.05, 0.5, 1.5]])
    i, d_bit, d_source = cells.current(v_bit, 0.1, 1.3)
    law, by_drain, _, by_source = TYPICAL.current(v_bit, 1.3, 0.1)
    assert_allclose((i, d_bit, d_source), (law, by_drain, -by_source), rtol=1e-6)


@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4), st.floats(-100, 100), st.sampled_from(["level1", "ekv"]))
def test_far_iterates_are_finite(v_bit, v_source, gate, model):
    cells, _ = random_cells((1, 1), model)
    assert np.isfinite(cells.current(v_bit, v_source, gate)).all()


def test_isolated_nodes_stay_nan():
    cells, _ = random_cells((1, 3))
    i, d_bit, _ = cells.current([[0.5, np.nan, 0.5]], [[0.0, 0.0, np.nan]], 1.2)
    assert np.isfinite(i[0, 0]) and np.isnan(i[0, 1:]).all() and np.isnan(d_bit[0, 1:]).all()


def test_shapes_broadcast_and_parameters_of_each_cell_are_its_own():
    cells, rng = random_cells((3, 4))
    v_bit, v_source, gate = rng.uniform(0, 1, (2, 3, 4)), rng.uniform(0, 0.2, (1, 4)), rng.uniform(1, 2, (2, 3, 1))
    together = cells.current(v_bit, v_source, gate)
    assert all(x.shape == (2, 3, 4) for x in together)
    for b, j, k in np.ndindex(2, 3, 4):
        which = np.array([4 * j + k])
        one = xb.TransistorCells(cells=xb.MTJCells(cells.cells.params.select((3, 4), which), cells.cells.state[[j], k][None]),
                                 transistor=cells.transistor.select((3, 4), which))  # fmt: skip
        assert_array_equal(np.ravel(one.current(v_bit[b, j, k], v_source[0, k], gate[b, j, 0])), [x[b, j, k] for x in together])


@MODELS
def test_transistor_cell_against_the_general_path(model):
    """The same cells as junctions and transistors of a circuit that keeps the inner nodes."""
    cells, rng = random_cells((2, 5), model)
    v_bit, v_source, gate = rng.uniform(-1, 1, 10), rng.uniform(-0.2, 0.2, 10), rng.uniform(0.8, 1.5, (2, 1))
    builder = CircuitBuilder()
    columns = []
    for k in range(10):
        for name, value in (("b", v_bit[k]), ("s", v_source[k]), ("g", gate[k // 5, 0])):
            builder.add_one(VoltageSources, f"v{name}{k}", (f"{name}{k}", "0"), value=value)
        columns.append(builder.node_list([f"b{k}", f"x{k}", f"s{k}", f"g{k}", "0"]))
    for batch in cells.batches([f"j{k}" for k in range(10)], [f"m{k}" for k in range(10)], np.array(columns), np.arange(10)):
        builder.add(batch)
    point = xb.operating_point(builder.build(), reltol=1e-13, vntol=1e-15, abstol=1e-20)
    share = np.full((2, 5), np.nan)
    i, _, _ = cells.current(v_bit.reshape(2, 5), v_source.reshape(2, 5), gate, share=share)
    inner = (v_bit - share.ravel() * (v_bit - v_source)).reshape(2, 5)
    assert_allclose([point.v(f"x{k}") for k in range(10)], inner.ravel(), rtol=0, atol=1e-11)
    assert_allclose([-point.i(f"vb{k}") for k in range(10)], i.ravel(), rtol=1e-9)
    assert_allclose([point.i(f"vs{k}") for k in range(10)], i.ravel(), rtol=1e-9)


def test_transistor_cells_that_are_none():
    cells = xb.LinearCells(g=np.full((2, 3), 1e-4))
    with pytest.raises(DataError, match="do not fit"):
        xb.TransistorCells(cells=cells, transistor=xb.NMOS(vto=np.zeros((3, 2))))
    with pytest.raises(DataError, match="SelectorCells"):
        xb.TransistorCells(cells=xb.SelectorCells(cells=cells, selector=xb.SinhSelector(i_s=1e-9, v_0=0.1)), transistor=TYPICAL)
    for bulk in (np.nan, np.zeros(2)):
        with pytest.raises(DataError, match="v_bulk"):
            xb.TransistorCells(cells=cells, transistor=TYPICAL, v_bulk=bulk)
    good = xb.TransistorCells(cells=cells, transistor=TYPICAL)
    with pytest.raises(DataError, match="do not fit"):
        good.current(np.zeros((3, 2)), 0.0, 1.0)
    for share in (np.zeros((3, 2)), np.zeros((2, 3), np.float32), np.zeros((3, 2)).T, [[0.0] * 3] * 2):
        with pytest.raises(DataError, match="share"):
            good.current(np.zeros((2, 3)), 0.0, 1.0, share=share)
    with pytest.raises(DataError, match="out"):
        good.current(np.zeros((2, 3)), 0.0, 1.0, out=tuple(np.zeros((3, 1, 3))))


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4])
def test_every_cell_is_solved_whatever_its_parameters(kind):
    """50 000 cells far beyond what is built, cold and from a wrong start: an unsolved one raises."""
    rng = np.random.default_rng([SEED, kind])
    shape = (100, 500)

    def u(low, high):
        return rng.uniform(low, high, shape)

    junctions = xb.MTJCells(xb.MTJParams(r_p=10 ** u(1, 9), tmr=u(0, 5), v_h=10 ** u(-1.3, 0.5)), m_z=u(-1, 1))
    v_a, v_b, start = u(-3, 3), u(-3, 3), u(-3, 3)
    if kind < 2:
        t = xb.NMOS(kp=10 ** u(-8, 1), vto=u(-1, 1), gamma=np.maximum(u(-0.5, 1.5), 0), phi=u(0.2, 1),
                    lambda_=np.maximum(u(-0.2, 0.5), 0), temperature=u(50, 400), model=["level1", "ekv"][kind])  # fmt: skip
        cells = xb.TransistorCells(cells=junctions, transistor=t)
        gate = u(-2, 4)
        cold, warm = (cells.current(v_a, v_b, gate, share=x) for x in (None, start))
    else:
        i_s, g_off, g_on, width = 10 ** u(-20, -4), 10 ** u(-15, -6), 10 ** u(-6, 2), 10 ** u(-3.5, -0.5)
        selector = [xb.DiodeSelector(i_s=i_s, n=u(0.5, 3)), xb.SinhSelector(i_s=i_s, v_0=10 ** u(-3, 0)),
                    xb.ThresholdSelector(g_off=g_off, g_on=g_on, v_th=u(0.01, 2), width=width)]  # fmt: skip
        cells = xb.SelectorCells(cells=junctions, selector=selector[kind - 2])
        cold, warm = (cells.current(v_a - v_b, share=x) for x in (None, start))
    assert all((g >= 0).all() for g in cold[1:])
    assert (cold[0] * (v_a - v_b) >= 0).all()
    close = np.abs(warm[0] - cold[0]) <= 1e-10 * np.abs(cold[0]) + 1e-34
    assert close.mean() > 0.999  # the rest: reverse currents at the very threshold, where rounding of v_g is amplified
    assert_allclose(warm[0], cold[0], rtol=1e-6, atol=1e-20)


# Selectors


@given(selectors, st.floats(-2.0, 2.0))
def test_selector_slope_against_complex_step(selector, v):
    def law(v):
        p = selector.values
        if isinstance(selector, xb.DiodeSelector):
            return p[0] * (np.exp(v / p[1]) - 1)
        if isinstance(selector, xb.SinhSelector):
            return p[0] * np.sinh(v / p[1])
        magnitude = v if v.real >= 0 else -v
        return v * (p[0] + (p[1] - p[0]) / (1 + np.exp((p[2] - magnitude) / p[3])))

    i, g = selector.current(v)
    if isinstance(selector, xb.ThresholdSelector) or abs(v) < 79 * selector.values[1]:
        assert_allclose(i, law(complex(v)).real, rtol=1e-10, atol=4 * EPS * selector.values[0])
        assert_allclose(g, law(v + 1e-30j).imag / 1e-30, rtol=1e-9)
    difference = np.diff(selector.current([v, v + 1e-3])[0])
    assert difference >= 0 and (difference > 0 or isinstance(selector, xb.DiodeSelector)) and g >= 0


def test_selectors_in_numbers():
    diode = xb.DiodeSelector(i_s=1e-12, n=2.0, temperature=300.0)
    assert_allclose(diode.current(0.6)[0], 1e-12 * np.expm1(0.6 / (2 * 0.025852)), rtol=1e-3)
    assert_allclose(diode.current(-2.0)[0], -1e-12, rtol=1e-12)
    i = xb.SinhSelector(i_s=1e-9, v_0=0.1).current([0.1, -0.1, 1.0])[0]
    assert_allclose(i, [1.1752e-9, -1.1752e-9, 1.1013e-5], rtol=1e-4)
    switch = xb.ThresholdSelector(g_off=1e-9, g_on=1e-3, v_th=0.3, width=0.01)
    assert_allclose(switch.current([0.1, -0.1, 0.3, 0.5, -0.5])[0] / [0.1, -0.1, 0.3, 0.5, -0.5],
                    [1e-9 + 1e-3 * np.exp(-20), 1e-9 + 1e-3 * np.exp(-20), 5e-4, 1e-3, 1e-3], rtol=1e-5)  # fmt: skip


@given(selectors, st.floats(-1e8, 1e8))
def test_selectors_far_out_are_finite(selector, v):
    i, g = selector.current(v)
    assert np.isfinite(i) and np.isfinite(g) and i * v >= 0


@given(junctions, selectors, st.floats(-3.0, 3.0))
def test_selector_cell_against_a_bracketing_root(cells, selector, w):
    whole = xb.SelectorCells(cells=cells, selector=selector)
    share = np.full((1, 1), np.nan)
    i, g = whole.current(np.full((1, 1), w), share=share)
    inner = w - share * w
    junction = lambda u: cells.current(np.full((1, 1), u))[0].item()  # noqa: E731
    u, expected = series_root(junction, lambda d: selector.current(d)[0].item(), w)
    assert_allclose(i.item(), junction(u) if abs(u) > abs(w - u) else expected, rtol=1e-11, atol=1e-35)
    assert_allclose(share.item() * w, u, rtol=1e-12, atol=4 * EPS * abs(w) + 1e-25)
    g_j, g_d = cells.current(w - inner)[1], selector.current(inner)[1]
    assert_allclose(g, g_j * g_d / (g_j + g_d), rtol=1e-4, atol=1e-15 * g_j.item())


def random_selector_cells():
    rng = np.random.default_rng(SEED)
    selector = xb.SinhSelector(i_s=10 ** rng.uniform(-9, -7, (6, 1)), v_0=rng.uniform(0.05, 0.1, (1, 7)))
    return xb.SelectorCells(cells=xb.MTJCells(xb.MTJParams(), rng.choice([-1, 1], (6, 7))), selector=selector), rng


def test_slopes_and_limits_of_selector_cells():
    cells, rng = random_selector_cells()
    v = rng.uniform(-1, 1, (4, 6, 7))
    i, g = cells.current(v)
    h = 1e-6
    assert_allclose(g, (cells.current(v + h)[0] - cells.current(v - h)[0]) / (2 * h), rtol=1e-5)
    assert_allclose(cells.current(-v)[0], -i, rtol=1e-12)
    g_j, g_s = cells.cells.conductance, cells.selector.current(np.zeros((6, 7)))[1]
    assert_allclose(cells.conductance, g_j * g_s / (g_j + g_s), rtol=1e-12)
    assert cells.shape == (6, 7) and not cells.linear
    on = xb.SelectorCells(cells=cells.cells, selector=xb.ThresholdSelector(g_off=1e3, g_on=1e3, v_th=1.0, width=0.1))
    assert_allclose(on.current(v)[0], cells.cells.current(v)[0], rtol=1e-6)


def test_passive_array_of_selector_cells_against_the_general_path():
    cells, rng = random_selector_cells()
    array = xb.PassiveArray(cells, r_word=5.0, r_bit=3.0)
    drive = rng.uniform(0.3, 0.9, 6)
    lines, general = (array.solve(word_left=drive, method=m) for m in ("lines", "general"))
    assert_allclose(lines.bit_current, general.bit_current, rtol=1e-9)
    assert_allclose(lines.cell_voltage, general.cell_voltage, rtol=1e-9)


def test_half_selected_cells_leak_by_the_law():
    """What a selector is for: at V/2 a cell carries far less than half the current, as the law says."""
    cells, _ = random_selector_cells()
    full, half = (cells.current(np.full((6, 7), v))[0] for v in (1.0, 0.5))
    bare = [cells.cells.current(np.full((6, 7), v))[0] for v in (1.0, 0.5)]
    assert (full / half > 1.5 * bare[0] / bare[1]).all()


@pytest.mark.parametrize("selector", [xb.SinhSelector(i_s=1e-8, v_0=0.07), xb.DiodeSelector(i_s=1e-10, n=1.3),
                                      xb.ThresholdSelector(g_off=1e-8, g_on=1e-3, v_th=0.2, width=0.02)])  # fmt: skip
def test_selector_cells_as_elements_of_a_circuit(selector):
    """Elements on chosen nodes carry what the cells do."""
    cells = xb.SelectorCells(cells=xb.MTJCells(xb.MTJParams(), [[1, -1, 1], [-1, 1, -1]]), selector=selector)
    which = np.array([1, 3, 5])
    batch = cells.batch(["a", "b", "c"], np.array([[1, 0], [2, 0], [3, 1]]), which)
    x = np.array([[0.6, 0.1], [-0.4, 0.2], [0.9, 0.0]])
    f, slopes = batch.evaluate(x)
    v = np.zeros(6)
    v[which] = x[:, 0] - x[:, 1]
    i, g = (y.ravel()[which] for y in cells.current(v.reshape(2, 3)))
    assert_array_equal(f, np.column_stack((i, -i)))
    assert_array_equal(slopes, np.column_stack((g, -g, -g, g)))


def test_selectors_that_are_none():
    with pytest.raises(DataError, match="i_s"):
        xb.DiodeSelector(i_s=0.0)
    with pytest.raises(DataError, match="v_0"):
        xb.SinhSelector(i_s=1e-9, v_0=-1.0)
    with pytest.raises(DataError, match="g_on"):
        xb.ThresholdSelector(g_off=1e-3, g_on=1e-4, v_th=0.3, width=0.01)
    with pytest.raises(DataError, match="do not fit"):
        xb.SelectorCells(cells=xb.LinearCells(g=np.ones((2, 3))), selector=xb.DiodeSelector(i_s=np.full(2, 1e-9)))
    other = type("Other", (Cells,), dict.fromkeys(("shape", "linear", "current", "batch")))()
    with pytest.raises(DataError, match="Other"):
        xb.SelectorCells(cells=other, selector=xb.DiodeSelector(i_s=1e-9))


def test_a_junction_of_falling_current_is_still_met_or_refused():
    """Brinkman's law with a strong asymmetry falls where b^2 > 4 c: a root within the bracket is found all the same."""
    p = xb.MTJParams(r_p=1e3, barrier=0.2, asymmetry=2.0, t_ox=0.5e-9)
    b, c = mtj.conduction.brinkman(p)
    assert b**2 > 4 * c
    cells = xb.SelectorCells(cells=xb.MTJCells(p, [[1]]), selector=xb.SinhSelector(i_s=1e-6, v_0=0.1))
    v = np.linspace(-1, 1, 41)[:, None, None]
    share = np.full_like(v, np.nan)
    i = cells.current(v, share=share)[0]
    inner = v - share * v
    assert_allclose(i, cells.cells.current(v - inner)[0], rtol=1e-9, atol=1e-18)
    assert_allclose(i, cells.selector.current(inner)[0], rtol=1e-9, atol=1e-18)


def test_numbers_of_laws_are_distinct():
    kinds = [xb.NMOS().kind, xb.NMOS(model="ekv").kind, xb.DiodeSelector.kind, xb.SinhSelector.kind, xb.ThresholdSelector.kind]
    assert sorted(kinds) == list(range(5)) and cell_kernels.LEVEL1 == kinds[0]
