"""Rows that are switched off left out of the solve: the same solution as with all rows in it."""

from typing import Any

import numpy as np
import pytest

import crossbar as xb
from crossbar.arrays import one_transistor

P = xb.mtj.presets["mtj-60kT"]
M, N, B = 9, 7, 3
RNG = np.random.default_rng(60221)
STATES = RNG.choice([-1, 1], (B, M, N))
KIND = RNG.random((M, N))


def array(lines: Any, kind: str) -> xb.OneTransistorArray:
    fields: dict[str, Any] = {"kp": 3e-4, "w": 2e-6, "l": 1e-7, "vto": 0.4, "gamma": 0.4, "lambda_": 0.05}
    options: dict[str, Any] = {"r_bit": 2.0, "r_source": 3.0, "r_driver": 20.0}
    params, defects = P, None
    if kind == "varied":
        fields["vto"] = 0.4 + 0.05 * RNG.random((M, N))
        params = P.replace(diameter=RNG.uniform(45e-9, 55e-9, (M, N)))
        defects = xb.mtj.Defects(short=KIND < 0.1, open=KIND > 0.9, stuck_p=abs(KIND - 0.5) < 0.05)
        options = {"r_bit": RNG.uniform(0.1, 5, (M + 1, N)), "r_driver": RNG.uniform(1, 50, 1)[0],
                   "r_source": RNG.uniform(0.1, 5, (M + 1, N) if lines == "parallel" else (M, N + 1))}
    elif kind == "no wires":
        options = {"r_bit": 0.0, "r_source": 0.0}
    return xb.OneTransistorArray(xb.MTJCells(params, STATES[0], defects), transistor=xb.NMOS(**fields), source_lines=lines,
                                 **options)


@pytest.mark.parametrize("lines", ["parallel", "orthogonal"])
@pytest.mark.parametrize("kind", ["plain", "varied", "no wires"])
@pytest.mark.parametrize("rows", [[4], [0], [8], [1, 2, 6]])
@pytest.mark.parametrize("ends", ["one", "both"])
def test_busy_rows_are_the_whole_array(lines: str, kind: str, rows: list[int], ends: str,
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    a = array(lines, kind)
    source = ("source_bottom", "source_top") if lines == "parallel" else ("source_left", "source_right")
    drives: dict[str, Any] = {"gate": np.where(np.isin(np.arange(M), rows), 1.3, 0.0), "bit_top": RNG.uniform(0.1, 0.7, (B, N)),
                              source[0]: RNG.uniform(0.0, 0.2, (B, N if lines == "parallel" else M))}
    if ends == "both":
        drives |= {"bit_bottom": drives["bit_top"], source[1]: drives[source[0]]} if kind == "no wires" else \
            {"bit_bottom": RNG.uniform(0.1, 0.7, N), source[1]: 0.1}
    seen = []
    find = one_transistor.busy_rows
    monkeypatch.setattr(one_transistor, "busy_rows", lambda *x: seen.append(find(*x)) or seen[-1])
    some = a.solve(**drives, states=STATES)
    assert list(seen[0]) == rows
    again = a.solve(**drives, states=STATES, start=some, guess=some.cell_voltage)
    monkeypatch.setattr(one_transistor, "busy_rows", lambda *_: None)
    whole = a.solve(**drives, states=STATES)
    scale = np.abs(whole.cell_current).max()
    for s in (some, again):
        np.testing.assert_allclose(s.bit_voltage, whole.bit_voltage, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(s.source_voltage, whole.source_voltage, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(s.mtj_voltage, whole.mtj_voltage, rtol=1e-6, atol=1e-9)
        for side in a.sides:
            i, j = (x.terminal_current[side] for x in (s, whole))
            np.testing.assert_allclose(i, j, rtol=1e-7, atol=1e-8 * scale, err_msg=side)
        power = s.power
        np.testing.assert_allclose(power["cells"] + power["wires"] + power["drivers"], power["sources"], rtol=1e-8)
    assert again.iterations <= some.iterations


@pytest.mark.parametrize("change", ["ekv", "leaking", "opening", "floating", "many"])
def test_what_needs_a_closer_look_gets_it(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    r_bit, gate = np.full((M + 1, N), 2.0), np.where(np.arange(M) == 3, 1.2, 0.0)
    if change == "opening":
        r_bit[4, 2] = np.inf
    if change == "many":
        gate = np.full(M, 1.2)
    nmos = xb.NMOS(kp=3e-4, w=2e-6, l=1e-7, vto=-0.1 if change == "leaking" else 0.4,
                   model="ekv" if change == "ekv" else "level1")
    a = xb.OneTransistorArray(xb.MTJCells(P, STATES[0]), transistor=nmos, r_bit=r_bit)
    found: list[Any] = []
    find = one_transistor.busy_rows
    monkeypatch.setattr(one_transistor, "busy_rows", lambda *x: found.append(find(*x)) or found[-1])
    a.solve(gate=gate, bit_top=xb.only(N, [1, 3], 0.5) if change == "floating" else 0.5, source_bottom=0.0)
    assert found[0] is None
