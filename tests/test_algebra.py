"""Derivatives by Tellegen's theorem: against finite differences, against the transfer matrix, by superposition.

F = w @ currents of one side. A difference quotient of order four with steps of one per cent carries an error of about 1e-8
of the largest term, and the solver's 1e-12 of all cell currents divided by the step.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.ma as ma
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_arrays import cases

from crossbar.arrays import PassiveArray, only, sensitivity
from crossbar.elements.cells import Cells, MTJCells
from crossbar.elements.xbar import SIDES, lines_of
from crossbar.errors import DataError, SizeError
from crossbar.mtj import MTJParams, presets

SEED = 1_402_775_639
RTOL = 1e-12
STEP = 0.01


def generator(*key):
    return np.random.default_rng([SEED, *key])


def small(rng, shape=(4, 5), law="linear"):
    g = rng.uniform(5e-5, 2e-4, shape)
    cells = g if law == "linear" else MTJCells(presets["daffodil"], g > g.mean())
    return PassiveArray(cells, r_word=20.0, r_bit=30.0, r_driver=40.0)


def differences(value, parameter):
    """d value / d ln parameter for every entry of an array, order 4; value(changed parameter) -> number."""
    out = np.zeros(parameter.shape)
    for k in np.ndindex(parameter.shape):
        at = []
        for step in (-2, -1, 1, 2):
            changed = parameter.copy()
            changed[k] *= 1 + step * STEP
            at.append(value(changed))
        out[k] = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * STEP)
    return out


def close(derivative, expected, solution, weights):
    """To 1e-6, or to what a difference of solved currents resolves; 1e-19 A is rounding where no current flows."""
    resolved = 20 * RTOL / STEP * np.abs(solution.cell_current).sum() + 1e-19 / STEP
    assert_allclose(derivative, expected, rtol=1e-6, atol=resolved * np.abs(weights).max())


def output(case, side, weights):
    """F of a changed array with the case's drives."""
    return lambda array: weights @ array.solve(**case.drives, rtol=RTOL).terminal_current[side]


def weighted(case):
    """A connected side at random, and weights."""
    side = ("word_left", "bit_bottom")[int(case.rng.integers(2))]
    return side, case.rng.normal(size=lines_of(side, case.array.shape))


# Against finite differences


@settings(max_examples=40)
@given(cases(largest=6))
def test_property_conductances_of_linear_cells(case):
    side, w = weighted(case)
    found = case.array.sensitivity(**case.drives, output=side, weights=w, rtol=RTOL)
    f = output(case, side, w)
    g = case.array.cells.g
    expected = differences(lambda x: f(case.array.with_cells(x)), g)
    close(found.scale, expected, found.solution, w)
    assert_allclose(found.scale, g * found.conductance, rtol=1e-9, atol=1e-300)
    assert np.isfinite(found.conductance).all()


@settings(max_examples=25)
@given(cases(junctions=st.just(True), largest=5))
def test_property_junctions(case):
    """The common factor of a junction's current is 1 / R_P; m_z is its angle's cosine."""
    side, w = weighted(case)
    found = case.array.sensitivity(**case.drives, output=side, weights=w, rtol=RTOL)
    f, cells = output(case, side, w), case.array.cells

    def scaled(s):
        params = MTJParams(r_p=cells.params.r_p / s, tmr=cells.params.tmr, v_h=cells.params.v_h)
        return f(case.array.with_cells(MTJCells(params, m_z=cells.m_z)))
    close(found.scale, differences(scaled, np.ones(cells.shape)), found.solution, w)

    def turned(x):  # x = 1 + m_z / 4, so that steps stay within [-1, 1] (m_z itself may be 0)
        return f(case.array.with_cells(MTJCells(cells.params, m_z=4 * (x - 1))))
    m_z = np.clip(cells.m_z, -0.9, 0.9)
    moved = replace(case, array=case.array.with_cells(MTJCells(cells.params, m_z=m_z)))
    by_angle = moved.array.gradient(**case.drives, output=side, weights=w, by="m_z", rtol=RTOL)
    x = 1 + m_z / 4
    h = STEP / 4
    expected = np.zeros(cells.shape)
    for k in np.ndindex(*cells.shape):
        at = [turned(np.where(np.arange(x.size).reshape(x.shape) == np.ravel_multi_index(k, x.shape), x + n * h, x))
              for n in (-2, -1, 1, 2)]
        expected[k] = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * STEP)
    close(by_angle, expected, found.solution, w)


@dataclass(frozen=True, eq=False)
class Shunted(Cells):
    """Cells with ohmic conductances (M, N) beside them; for the line solver only."""

    inner: Cells
    g: np.ndarray

    @property
    def shape(self):
        return self.inner.shape

    @property
    def linear(self):
        return self.inner.linear

    def current(self, v):
        i, slope = self.inner.current(v)
        return i + self.g * v, slope + self.g

    def batch(self, names, nodes, which):
        raise NotImplementedError


def test_conductance_beside_a_junction():
    rng = generator(1)
    array = small(rng, law="junctions")
    v, w = rng.uniform(-0.8, 0.8, 4), rng.normal(size=5)
    beside = rng.uniform(1e-5, 5e-5, array.shape)

    def f(g):
        return w @ array.with_cells(Shunted(array.cells, g)).solve(word_left=v, rtol=RTOL).bit_current
    shunted = array.with_cells(Shunted(array.cells, beside))
    found = shunted.sensitivity(word_left=v, weights=w, rtol=RTOL)
    close(beside * found.conductance, differences(f, beside), found.solution, w)


@pytest.mark.slow
@settings(max_examples=20)
@given(cases(junctions=st.booleans(), largest=4))
def test_property_wires_drivers_and_voltages(case):
    side, w = weighted(case)
    array, f = case.array, output(case, side, w)
    found = array.sensitivity(**case.drives, output=side, weights=w, rtol=RTOL)
    parts = {"r_word": array.r_word, "r_bit": array.r_bit, "r_driver": array.r_driver}

    def changed(**part):
        return f(PassiveArray(array.cells, **(parts | part)))
    for name in ("r_word", "r_bit"):
        r = parts[name]
        finite = np.where(np.isfinite(r), r, 0.0)
        expected = differences(lambda x: changed(**{name: np.where(np.isfinite(r), x, np.inf)}), finite)  # noqa: B023
        close(finite * getattr(found, name), expected, found.solution, w)
    for end in SIDES:
        r = array.r_driver[end]
        expected = differences(lambda x: changed(r_driver=array.r_driver | {end: x}), r)  # noqa: B023
        close(r * found.r_driver[end], expected, found.solution, w)
        on = ~ma.getmaskarray(case.drives[end])
        volts = np.where(on, case.drives[end].filled(0.0), 0.0)

        def driven(v):
            drives = case.drives | {end: ma.array(v, mask=~on)}  # noqa: B023
            return w @ array.solve(**drives, rtol=RTOL).terminal_current[side]
        close(volts * found.voltage[end], differences(driven, volts), found.solution, w)
        assert (found.voltage[end][~on] == 0).all()


def test_an_open_cell_can_be_made_to_conduct():
    """The derivative at g = 0, one-sided: what a small conductance there does."""
    rng = generator(2)
    g = rng.uniform(5e-5, 2e-4, (4, 5))
    g[1, 2] = g[3, 0] = 0
    array, v = PassiveArray(g, r_word=20.0, r_bit=30.0), rng.uniform(0.1, 1.0, 4)
    gradient = array.gradient(word_left=v, rtol=1e-13)
    for k in ((1, 2), (3, 0)):
        at = []
        for step in (0.0, 1e-7, 2e-7):
            changed = g.copy()
            changed[k] = step
            at.append(array.with_cells(changed).solve(word_left=v, rtol=1e-13).bit_current.sum())
        assert_allclose(gradient[k], (-3 * at[0] + 4 * at[1] - at[2]) / 2e-7, rtol=1e-5)


# Against the transfer matrix and exact limits


@pytest.mark.parametrize("side", SIDES)
def test_voltage_derivative_is_the_transfer_matrix(side):
    rng = generator(3)
    array = small(rng)
    drives = {s: rng.uniform(-1, 1, lines_of(s, array.shape)) for s in SIDES}
    w = rng.normal(size=lines_of(side, array.shape))
    found = array.sensitivity(**drives, output=side, weights=w).voltage
    for source in SIDES:
        if source != side:
            held = {s: 0.0 for s in SIDES if s not in (source, side)}
            expected = array.transfer(source, side, **held) @ w
            assert_allclose(found[source], expected, rtol=0, atol=1e-9 * np.abs(expected).max(), err_msg=source)


def test_without_wires_the_gradient_is_the_outer_product():
    rng = generator(4)
    v, w = rng.uniform(-1, 1, 4), rng.normal(size=5)
    array = PassiveArray(rng.uniform(5e-5, 2e-4, (4, 5)), r_word=0.0, r_bit=0.0)
    assert_allclose(array.gradient(word_left=v, weights=w), np.outer(v, w), rtol=1e-12)


@settings(max_examples=30)
@given(cases())
def test_property_currents_are_homogeneous_in_all_conductances(case):
    """Euler: F is of degree one in all conductances of cells, wires and drivers together."""
    side, w = weighted(case)
    s = case.array.sensitivity(**case.drives, output=side, weights=w, rtol=RTOL)
    f = w @ s.solution.terminal_current[side]
    r_word, r_bit = (np.where(np.isfinite(r), r, 0.0) for r in (case.array.r_word, case.array.r_bit))
    ohms = (r_word * s.r_word).sum() + (r_bit * s.r_bit).sum() + sum(
        (case.array.r_driver[side] * s.r_driver[side]).sum() for side in SIDES)
    currents = [s.solution.cell_current, *s.solution.terminal_current.values()]
    assert abs(s.scale.sum() - ohms - f) <= 1e-9 * np.abs(w).max() * max(np.abs(i).sum() for i in currents)


def test_nothing_depends_on_an_isolated_cell():
    g, r = np.full((3, 4), 1e-4), np.full((3, 5), 2.0)
    g[1, 2:] = 0
    r[1, 2] = np.inf
    found = PassiveArray(g, r_word=r).sensitivity(word_left=0.4)
    assert len(found.solution.isolated) == 2
    assert (found.conductance[1, 2:] == 0).all() and (found.conductance[0] != 0).all()


# Batches


@pytest.mark.parametrize("law", ["linear", "junctions"])
@pytest.mark.parametrize("ends", ["same", "different"])
@pytest.mark.parametrize("by", ["conductance", "scale"])
def test_batch_is_a_loop_of_singles(law, ends, by, monkeypatch):
    monkeypatch.setattr(sensitivity, "_TOGETHER", 60)  # three inputs at once
    rng = generator(5)
    array = small(rng, law=law)
    left, w = ma.array(rng.uniform(0.1, 0.9, (8, 4))), rng.normal(size=(8, 5))
    if ends == "different":
        left[::3, 1] = ma.masked
    batch = array.gradient(word_left=left, bit_top=0.02, weights=w, by=by, rtol=RTOL)
    assert batch.shape == (8, 4, 5)
    for k in range(8):
        one = array.gradient(word_left=left[k], bit_top=0.02, weights=w[k], by=by, rtol=RTOL)
        assert_allclose(batch[k], one, rtol=0, atol=1e-10 * np.abs(one).max())


@pytest.mark.parametrize("law", ["linear", "junctions"])
@pytest.mark.parametrize("batch", [None, 3])
def test_jacobian_is_a_stack_of_gradients(law, batch):
    rng = generator(6)
    array = small(rng, law=law)
    v = rng.uniform(0.1, 0.9, 4 if batch is None else (batch, 4))
    whole = array.jacobian(word_left=v, by="scale")
    assert whole.shape == ((5, 4, 5) if batch is None else (batch, 5, 4, 5))
    assert_array_equal(array.jacobian(word_left=v, by="scale", lines=[3, 1]).shape[-3:], (2, 4, 5))
    some = array.jacobian(word_left=v, by="scale", lines=[3, 1])
    assert_allclose(some, whole[..., [3, 1], :, :], rtol=0, atol=1e-9 * np.abs(whole).max())
    for k in range(5):
        one = array.gradient(word_left=v, weights=np.eye(5)[k], by="scale")
        assert_allclose(whole[..., k, :, :], one, rtol=0, atol=1e-9 * np.abs(whole).max())
    assert_allclose(array.jacobian(word_left=v, output="word_left", lines=[2])[..., 0, :, :],
                    array.gradient(word_left=v, output="word_left", weights=np.eye(4)[2]), rtol=0,
                    atol=1e-9 * np.abs(v).max())


def test_weights_broadcast_against_inputs():
    rng = generator(7)
    array = small(rng)
    v, w = rng.uniform(0.1, 0.9, (3, 4)), rng.normal(size=(2, 1, 5))
    both = array.gradient(word_left=v, weights=w)
    assert both.shape == (2, 3, 4, 5)
    assert_allclose(both[1, 2], array.gradient(word_left=v[2], weights=w[1, 0]), rtol=1e-8)
    one = array.sensitivity(word_left=v)
    assert one.conductance.shape == (3, 4, 5) and one.adjoint.cell_voltage.shape == (4, 5)  # one adjoint serves all inputs
    assert_allclose(one.conductance, array.gradient(word_left=v, weights=np.ones(5)), rtol=1e-12)


def test_a_descent_with_gradients_finds_conductances():
    """Through wires and drivers: conductances that give wanted currents, from Newton steps on the Jacobian."""
    rng = generator(8)
    array, v = small(rng), rng.uniform(0.2, 0.9, 4)
    wanted = small(generator(9)).solve(word_left=v).bit_current
    g = array.cells.g.copy()
    for _ in range(6):
        now = array.with_cells(g)
        misfit = wanted - now.solve(word_left=v).bit_current
        jacobian = now.jacobian(word_left=v).reshape(5, -1)
        g += (np.linalg.pinv(jacobian) @ misfit).reshape(g.shape)
    assert_allclose(array.with_cells(g).solve(word_left=v).bit_current, wanted, rtol=1e-9)


# The transfer matrix


@settings(max_examples=30)
@given(cases())
def test_property_transfer_is_a_batch_of_solves(case):
    array, m = case.array, case.array.shape[0]
    t = array.transfer("word_left", "bit_bottom")
    every = array.solve(word_left=np.eye(m), rtol=RTOL)
    tolerance = 1e-9 * np.abs(every.cell_current).sum(axis=(1, 2)).max()
    assert_allclose(t, every.bit_current, rtol=0, atol=tolerance)
    assert_allclose(t, array.transfer("bit_bottom", "word_left").T, rtol=0, atol=tolerance)
    conductance = array.terminal_conductance()
    assert_allclose(conductance[:m, m:], -t, rtol=0, atol=tolerance)
    assert_array_equal(conductance, conductance.T)
    assert_allclose(conductance.sum(axis=1), 0, atol=tolerance)
    assert np.linalg.eigvalsh(conductance).min() >= -10 * tolerance


def test_terminal_conductance_gives_every_current():
    rng = generator(10)
    array = small(rng)
    drives = {s: rng.uniform(-1, 1, lines_of(s, array.shape)) for s in SIDES}
    s = array.solve(**drives)
    into = -np.concatenate([s.terminal_current[side] for side in SIDES])
    assert_allclose(array.terminal_conductance(*SIDES) @ np.concatenate(list(drives.values())), into, rtol=0,
                    atol=1e-9 * np.abs(into).max())


# What is refused


LINEAR, JUNCTIONS = small(generator(11)), small(generator(11), law="junctions")


@pytest.mark.parametrize("call, message", [
    (lambda: LINEAR.gradient(word_left=0.1, output="bit"), "output is one of"),
    (lambda: LINEAR.gradient(word_left=0.1, output="bit_top"), "bit_top is open"),
    (lambda: LINEAR.gradient(word_left=0.1, weights=np.ones(4)), r"weights must be a scalar or \(..., 5\)"),
    (lambda: LINEAR.gradient(word_left=0.1, weights=np.nan), "finite"),
    (lambda: LINEAR.gradient(word_left=np.ones((3, 4)), weights=np.ones((2, 5))), "do not fit a batch of 3"),
    (lambda: LINEAR.gradient(word_left=0.1, by="resistance"), "by is one of"),
    (lambda: LINEAR.gradient(word_left=0.1, by="m_z"), "needs MTJCells"),
    (lambda: LINEAR.jacobian(word_left=0.1, lines=[5]), "from 0 to 4"),
    (lambda: LINEAR.jacobian(word_left=0.1, lines=[]), "from 0 to 4"),
    (lambda: LINEAR.jacobian(word_left=0.1, lines=[0.5]), "from 0 to 4"),
    (lambda: LINEAR.jacobian(word_left=0.1, output="gate"), "output is one of"),
    (lambda: JUNCTIONS.terminal_conductance(), "linear cells only"),
    (lambda: LINEAR.terminal_conductance("word_left", "word_left"), "each once"),
    (lambda: LINEAR.transfer("word_left", "bit_bottom", gate=0.0), "gate"),
    (lambda: LINEAR.transfer("word_left", "bit_bottom", bit_bottom=0.0), "bit_bottom"),
])
def test_wrong_arguments(call, message):
    with pytest.raises(DataError, match=message):
        call()


def test_what_does_not_fit_is_refused_before_it_is_solved(monkeypatch):
    array = PassiveArray(np.full((300, 300), 1e-4))
    monkeypatch.setattr("crossbar.memory.available", lambda: 50 * 8 * 300 * 300)
    array.gradient(word_left=only(300, 7, 0.1))
    with pytest.raises(SizeError, match="300 adjoints of 300 x 300"):
        array.jacobian(word_left=0.1)
    monkeypatch.setattr("crossbar.memory.available", lambda: 10**12)
    found = array.sensitivity(word_left=np.full((20, 300), 0.1))
    monkeypatch.setattr("crossbar.memory.available", lambda: 15 * 16 * 300 * 300)
    with pytest.raises(SizeError, match=r"derivatives of shape \(20, 300, 300\)"):
        found.conductance
