"""Inputs that differ in the cells' states: a batch equals one array after another."""

import numpy as np
import pytest

import crossbar as xb

P = xb.mtj.presets["mtj-60kT"]
B, M, N = 5, 9, 12
RNG = np.random.default_rng(835217)
STATES = RNG.choice([-1, 1], (B, M, N))
DRIVE = RNG.random((B, M)) * 0.7
KIND = RNG.random((M, N))
DEFECTS = xb.mtj.Defects(short=KIND < 0.05, open=KIND > 0.95, stuck_ap=abs(KIND - 0.5) < 0.05)


@pytest.mark.parametrize("method", ["lines", "general"])
@pytest.mark.parametrize("v_h", [0.5, np.inf])
@pytest.mark.parametrize("defects", [None, DEFECTS], ids=["sound", "defective"])
def test_passive_batch_is_one_after_another(method: str, v_h: float, defects: xb.mtj.Defects | None) -> None:
    def array(state: np.ndarray) -> xb.PassiveArray:
        return xb.PassiveArray(xb.MTJCells(P.replace(v_h=v_h), state, defects), r_word=3.0)
    batch = array(STATES[0]).solve(word_left=DRIVE, states=STATES, method=method)  # type: ignore[arg-type]
    for k in range(B):
        one = array(STATES[k]).solve(word_left=DRIVE[k])
        np.testing.assert_allclose(batch.bit_current[k], one.bit_current, rtol=1e-9)
        np.testing.assert_allclose(batch.cell_current[k], one.cell_current, rtol=1e-8, atol=1e-14)
        for name, power in one.power.items():
            np.testing.assert_allclose(batch.power[name][k], power, rtol=1e-8, err_msg=name)


@pytest.mark.parametrize("model", ["level1", "ekv"])
@pytest.mark.parametrize("lines", ["parallel", "orthogonal"])
def test_transistor_batch_is_one_after_another(model: str, lines: str) -> None:
    nmos = xb.NMOS(kp=3e-4, w=2e-6, l=1e-7, vto=0.4, gamma=0.4, lambda_=0.05, model=model)  # type: ignore[arg-type]

    def array(state: np.ndarray) -> xb.OneTransistorArray:
        return xb.OneTransistorArray(xb.MTJCells(P, state, DEFECTS), transistor=nmos,
                                     source_lines=lines)  # type: ignore[arg-type]
    drives = {"gate": np.where(np.arange(M) == 2, 1.2, 0.0), "bit_top": 0.8,
              "source_bottom" if lines == "parallel" else "source_left": 0.0}
    batch = array(STATES[0]).solve(**drives, states=STATES)
    for k in range(B):
        one = array(STATES[k]).solve(**drives)
        np.testing.assert_allclose(batch.terminal_current["bit_top"][k], one.terminal_current["bit_top"], rtol=1e-9)
        np.testing.assert_allclose(batch.mtj_voltage[k], one.mtj_voltage, rtol=1e-7, atol=1e-9)


def test_start_saves_the_way() -> None:
    array = xb.PassiveArray(xb.MTJCells(P, STATES[0]), r_word=3.0)
    cold = array.solve(word_left=DRIVE, states=STATES)
    again = array.solve(word_left=DRIVE, states=STATES, start=cold)
    near = array.solve(word_left=DRIVE * (1 + 1e-4), states=STATES, start=cold)
    assert cold.iterations > near.iterations > again.iterations == 0
    np.testing.assert_allclose(near.bit_current, array.solve(word_left=DRIVE * (1 + 1e-4), states=STATES).bit_current, rtol=1e-9)


def test_refusals() -> None:
    array = xb.PassiveArray(xb.MTJCells(P, STATES[0]))
    with pytest.raises(xb.DataError, match=r"shape \(batch, 9, 12\)"):
        array.solve(word_left=0.1, states=STATES[0])
    with pytest.raises(xb.DataError, match="5 inputs do not fit 4 states"):
        array.solve(word_left=DRIVE, states=STATES[:4])
    with pytest.raises(xb.DataError, match="states are those of MTJCells"):
        xb.PassiveArray(np.full((M, N), 1e-4)).solve(word_left=0.1, states=STATES)
    with pytest.raises(xb.DataError, match="in one state"):
        xb.PassiveArray(xb.MTJCells(P, STATES))
    with pytest.raises(xb.DataError, match="start is a solution"):
        array.solve(word_left=DRIVE, start=xb.PassiveArray(xb.MTJCells(P, STATES[0].T)).solve(word_left=0.1))
