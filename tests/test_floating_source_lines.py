"""1T1R arrays with source lines that nothing holds: transistors that are off or saturated leave them without a slope."""

import numpy as np
import pytest
from scipy.optimize import brentq

from crossbar import NMOS, ConvergenceError, OneTransistorArray, operating_point

SEED = 3_170_442_951


def generator(*key):
    return np.random.default_rng([SEED, *key])


def floating_source_line(bit_top, gate, vto=0.4, cells=1e-4, model="level1"):
    """1 x 2 cells on a source line that nothing holds, and how they are driven."""
    transistor = NMOS(vto=vto, kp=2e-4, w=10.0, l=1.0, model=model)
    array = OneTransistorArray(np.full((1, 2), cells), transistor=transistor, r_bit=1.0, r_source=1.0,
                               source_lines="orthogonal")
    return array, {"gate": gate, "bit_top": np.array(bit_top)}


def test_a_floating_source_line_between_a_saturated_and_an_open_transistor():
    """Saturated from 1 V, with overdrive o = -v - 0.4 V on a source line at v: I = beta o^2 / 2; in its triode region behind
    the junction to -1 V. Wires of 1 ohm change the current by some 1e-4 of it."""
    beta = 2e-3

    def surplus(v):
        current = beta / 2 * (-v - 0.4) ** 2
        inner = -1.0 + current / 1e-4
        return current - beta * ((-inner - 0.4) * (v - inner) - (v - inner) ** 2 / 2)
    v = brentq(surplus, -0.65, -0.5)
    array, drives = floating_source_line((-1.0, 1.0), 0.0)
    s = array.solve(**drives)
    assert v == pytest.approx(-0.584, abs=1e-3)
    np.testing.assert_allclose(s.source_voltage, v, rtol=0, atol=1e-4)
    np.testing.assert_allclose(s.terminal_current["bit_top"], beta / 2 * (v + 0.4) ** 2 * np.array([1, -1]), rtol=1e-3)


@pytest.mark.parametrize("model", ["level1", "ekv"])
@pytest.mark.parametrize("gate", [0.0, 0.3])
@pytest.mark.parametrize("bit_top", [(-1, 1), (-1, 0.5), (-2, 1), (-0.5, 1), (-1, 2), (-3, 3), (1, -1), (-1, -0.2)])
def test_floating_source_lines_against_the_general_path(bit_top, gate, model):
    array, drives = floating_source_line(bit_top, gate, model=model)
    s = array.solve(**drives)
    point = operating_point(array.to_circuit(**drives), reltol=1e-9, abstol=1e-18)
    expected = [point.i("v_bit_top[0]"), point.i("v_bit_top[1]")]
    np.testing.assert_allclose(s.terminal_current["bit_top"], expected, rtol=1e-6, atol=1e-15)


def test_stale_starts_and_wild_guesses_change_nothing():
    rng = generator(1)
    for bit_top in ((-1, 1), (0.5, -1), (2, -2)):
        array, drives = floating_source_line(bit_top, 0.3)
        alone = array.solve(**drives)
        stale = array.solve(gate=2.0, bit_top=np.array([-5.0, 4.0]))
        hints = [{"start": stale}] + [{"guess": rng.normal(scale=10.0, size=(1, 2))} for _ in range(5)]
        for hint in hints:
            again = array.solve(**drives, **hint)
            np.testing.assert_allclose(again.terminal_current["bit_top"], alone.terminal_current["bit_top"], rtol=1e-7)


def test_random_arrays_with_floating_source_lines_are_solved():
    """Whatever the transistors are, the drives between -1.5 and 1.5 V; currents of 1e-15 A and more meet the tolerance."""
    for k in range(150):
        rng = generator(2, k)
        shape = tuple(rng.integers(1, 5, 2))
        transistor = NMOS(vto=rng.uniform(-0.3, 0.6), kp=2e-4, w=10.0, l=1.0, lambda_=rng.choice([0, 0.05]),
                          gamma=rng.choice([0, 0.4]), model="level1")
        wire = 10 ** rng.uniform(-2, 2)
        array = OneTransistorArray(10 ** rng.uniform(-5, -3, shape), transistor=transistor, r_bit=wire, r_source=wire,
                                   source_lines=("parallel", "orthogonal")[k % 2])
        gate = rng.choice([0.0, 0.5, 1.2], shape[0])
        s = array.solve(gate=gate, bit_top=rng.uniform(-1.5, 1.5, shape[1]))
        assert s.relative_residual <= 1e-10


@pytest.mark.parametrize("r_driver", [0.0, 10.0])
@pytest.mark.parametrize("source_left", [(1.0, 0.5), (1.0, 0.0), (0.7, 0.6)])
@pytest.mark.parametrize("vto, gate", [(0.4, 0.0), (0.4, 0.2), (0.4, 0.3), (0.2, 0.0), (0.2, 0.3)])
def test_a_floating_bit_line_over_transistors_that_are_off(vto, gate, source_left, r_driver):
    """Between two saturated leakages nothing says where the line is until it has come near the lower source line."""
    transistor = NMOS(kp=2e-4, w=2e-6, l=1e-7, vto=vto, model="ekv")
    array = OneTransistorArray([[5e-5], [2e-5]], transistor=transistor, source_lines="orthogonal", r_driver=r_driver)
    drives = {"gate": [gate, gate], "source_left": np.array(source_left)}
    s = array.solve(**drives)
    point = operating_point(array.to_circuit(**drives), reltol=1e-9, abstol=1e-18)
    np.testing.assert_allclose(s.bit_voltage[0, 0], point.v("bl[0,0]"), rtol=0, atol=1e-6)


def test_voltages_beyond_all_bounds_are_no_operating_point():
    """A bit line whose broken end hangs on leakage: 0.8 V everywhere, as only one terminal is driven, or an error."""
    transistor = NMOS(kp=2e-4, w=2e-6, l=1e-7, vto=0.4, model="ekv")
    array = OneTransistorArray([[2e-6], [1.4e-6], [2.7e-5]], transistor=transistor,
                               r_bit=np.array([[1.0], [1.0], [np.inf], [1.0]]), r_source=1.0)
    gate = [1.2, -0.3, 0.0]
    np.testing.assert_allclose(array.solve(gate, bit_top=0.8).bit_voltage, 0.8, rtol=1e-9)
    try:
        point = operating_point(array.to_circuit(gate, bit_top=0.8))
    except ConvergenceError:
        return
    assert abs(point.v("bl[0,0]") - 0.8) < 1e-6 and abs(point.i("v_bit_top[0]")) < 1e-9
