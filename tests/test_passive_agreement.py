"""Passive arrays: line solver, general path (modified nodal analysis), ngspice and badcrossbar agree."""

import numpy as np
import peers
import pytest
from numpy.testing import assert_allclose

from crossbar.arrays import PassiveArray, only
from crossbar.elements.cells import MTJCells
from crossbar.elements.xbar import SIDES
from crossbar.mtj import MTJParams

SHAPES = [(1, 1), (1, 7), (7, 1), (5, 4), (15, 15), (64, 48)]
SEED = 771_204_563


def generator(*key):
    return np.random.default_rng([SEED, *key])


def drives(kind, shape, rng):
    """Terminal voltages by side. All of one sign, so that no bit current is a small difference of large
    ones."""
    m, n = shape
    v = rng.uniform(0.1, 1.0, m)
    return {
        "left": {"word_left": v, "bit_bottom": np.zeros(n)},
        "both sides": {
            "word_left": v,
            "word_right": v + rng.uniform(0.0, 0.1, m),
            "bit_top": np.full(n, 0.02),
            "bit_bottom": np.zeros(n),
        },
        # one word line driven, one bit line read, all others floating: most of the current sneaks
        "floating": {"word_left": only(m, m // 2, 0.8), "bit_bottom": only(n, n // 3)},
    }[kind]


def segments(array):
    return array.r_word, array.r_bit


@pytest.mark.parametrize("kind", ["left", "both sides", "floating"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"{s[0]}x{s[1]}")
def test_linear_arrays_three_ways(shape, kind, tmp_path):
    rng = generator(*shape, len(kind))
    array = PassiveArray(
        1 / rng.uniform(5e3, 20e3, shape), r_word=rng.uniform(0.5, 2.0), r_bit=rng.uniform(3.0, 5.0)
    )
    applied = drives(kind, shape, rng)
    lines, general = array.solve(**applied), array.solve(**applied, method="general")
    assert (lines.method, general.method) == ("lines", "general")
    assert_allclose(lines.bit_current, general.bit_current, rtol=1e-9, atol=0)
    current, word, bit = peers.ngspice_array(tmp_path, applied, *segments(array), g=array.cells.g)
    assert_allclose(lines.bit_current, current["bit_bottom"], rtol=1e-9, atol=0)
    assert_allclose(general.bit_current, current["bit_bottom"], rtol=1e-9, atol=0)
    for s in (lines, general):
        for side in SIDES:
            largest = np.abs(current[side]).max()
            assert_allclose(
                s.terminal_current[side], current[side], rtol=0, atol=1e-9 * largest, err_msg=side
            )
        assert_allclose(s.word_voltage, word, rtol=0, atol=1e-9)
        assert_allclose(s.bit_voltage, bit, rtol=0, atol=1e-9)


@pytest.mark.parametrize("shape", [(1, 7), (7, 1), (9, 6)], ids=lambda s: f"{s[0]}x{s[1]}")
def test_segments_and_drivers_of_their_own_resistance(shape, tmp_path):
    """Each segment and each driver stands where the documentation puts it: an independent deck knows no
    conventions."""
    m, n = shape
    rng = generator(*shape)
    r_driver = {side: rng.uniform(1.0, 50.0, m if side.startswith("word") else n) for side in SIDES}
    array = PassiveArray(
        1 / rng.uniform(5e3, 20e3, shape),
        r_word=rng.uniform(0.5, 5.0, (m, n + 1)),
        r_bit=rng.uniform(0.5, 5.0, (m + 1, n)),
        r_driver=r_driver,
    )
    applied = {side: rng.uniform(-1.0, 1.0, m if side.startswith("word") else n) for side in SIDES}
    current, word, bit = peers.ngspice_array(
        tmp_path, applied, *segments(array), g=array.cells.g, r_driver=r_driver
    )
    for method in ("lines", "general"):
        s = array.solve(**applied, method=method)
        for side in SIDES:
            assert_allclose(
                s.terminal_current[side],
                current[side],
                rtol=0,
                atol=1e-9 * np.abs(current[side]).max(),
                err_msg=f"{method} {side}",
            )
        assert_allclose(s.word_voltage, word, rtol=0, atol=1e-9)
        assert_allclose(s.bit_voltage, bit, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", ["left", "both sides", "floating"])
@pytest.mark.parametrize("shape", [(1, 1), (5, 4), (15, 15)], ids=lambda s: f"{s[0]}x{s[1]}")
def test_junctions_three_ways(shape, kind, tmp_path):
    """Every junction with parameters of its own, some partly switched, at biases where the TMR has halved."""
    rng = generator(*shape, len(kind), 1)
    fields = {
        "r_p": rng.uniform(3e3, 7e3, shape),
        "tmr": rng.uniform(0.8, 2.0, shape),
        "v_h": rng.uniform(0.3, 0.6, shape),
    }
    m_z = np.where(rng.random(shape) < 0.3, rng.uniform(-1, 1, shape), rng.choice([-1.0, 1.0], shape))
    array = PassiveArray(
        MTJCells(MTJParams(**fields), m_z=m_z), r_word=rng.uniform(0.5, 2.0), r_bit=rng.uniform(3.0, 5.0)
    )
    applied = drives(kind, shape, rng)
    lines, general = array.solve(**applied), array.solve(**applied, method="general")
    assert_allclose(lines.bit_current, general.bit_current, rtol=1e-9, atol=0)
    current, _, _ = peers.ngspice_array(tmp_path, applied, *segments(array), mtj=fields | {"m_z": m_z})
    assert_allclose(lines.bit_current, current["bit_bottom"], rtol=1e-6, atol=0)


def test_junction_bias_matters_in_the_comparison():
    """The comparison above would be blind to the bias law if the junctions were nearly ohmic at these
    voltages."""
    m_z = -np.ones((5, 4))
    law, ohmic = (
        PassiveArray(MTJCells(MTJParams(r_p=5e3, tmr=1.2, v_h=v_h), m_z=m_z)).solve(word_left=0.8).bit_current
        for v_h in (0.5, np.inf)
    )
    assert (law > 1.2 * ohmic).all()


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (15, 15), (24, 32)], ids=lambda s: f"{s[0]}x{s[1]}")
def test_badcrossbar(shape, tmp_path):
    """badcrossbar's only arrangement: word lines driven at the left, bit lines grounded at the bottom; a
    batch of inputs."""
    rng = generator(*shape, 2)
    resistance, volts = rng.uniform(5e3, 20e3, shape), rng.uniform(0.1, 1.0, (3, shape[0]))
    expected = peers.badcrossbar_array(tmp_path, volts, resistance, r_word=0.7, r_bit=3.1)
    got = PassiveArray.from_resistance(resistance, r_word=0.7, r_bit=3.1).solve(word_left=volts).bit_current
    assert got.shape == expected.shape == (3, shape[1])
    assert_allclose(got, expected, rtol=1e-9, atol=0)
