"""Lines of exactly 0 ohm between two ends at one voltage: the lever rule, the limit of equal segments, on every path.

Expected numbers: segments of r each carry currents i_s with r (i_0 + ... + i_n) = 0, whatever r, so that of what node j of n
draws the share (n - j) / (n + 1) comes from the near end. Cell currents of ideal lines are v @ G.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from peers import run_ngspice

import crossbar as xb
from crossbar.elements.xbar import SIDES

M, N = 4, 3
RNG = np.random.default_rng(44_012)
G = 1e-4 * 10 ** RNG.uniform(-1, 1, (M, N))
WORD, BIT = RNG.uniform(0.1, 1, M), RNG.uniform(-0.3, 0.3, N)
JUNCTION = xb.MTJParams(r_p=5e3, tmr=1.0, v_h=0.5)
CELLS = {"linear": xb.LinearCells(g=G), "junctions": xb.MTJCells(JUNCTION, RNG.choice([-1, 1], (M, N)))}
BOTH_ENDS = dict(zip(SIDES, (WORD, WORD, BIT, BIT), strict=True))


def near_share(count: int) -> np.ndarray:
    return np.arange(count, 0, -1) / (count + 1)


def lever(current: np.ndarray) -> dict[str, np.ndarray]:
    """Currents out of the array at its sides from cell currents (M, N), all wires ideal."""
    return {"word_left": -current @ near_share(N), "word_right": -current @ (1 - near_share(N)),
            "bit_top": near_share(M) @ current, "bit_bottom": (1 - near_share(M)) @ current}


@pytest.mark.parametrize("method", ["lines", "general"])
@pytest.mark.parametrize("law", CELLS)
def test_both_ends_of_ideal_lines_share_by_the_lever_rule(law: str, method: Any) -> None:
    s = xb.PassiveArray(CELLS[law], r_word=0.0, r_bit=0.0).solve(**BOTH_ENDS, method=method)
    volts = np.subtract.outer(WORD, BIT)
    assert_allclose(s.cell_voltage, volts, rtol=1e-14)
    for side, current in lever(CELLS[law].current(volts)[0]).items():
        assert_allclose(s.terminal_current[side], current, rtol=1e-12)


WIRES = {"words": (0.0, 2.0), "bits": (2.0, 0.0), "both": (0.0, 0.0), "one line": None}


def wires_of(name: str) -> dict[str, Any]:
    """`one line`: word line 2 alone."""
    if WIRES[name] is not None:
        return dict(zip(("r_word", "r_bit"), WIRES[name], strict=True))  # type: ignore[arg-type]
    r_word = np.full((M, N + 1), 2.0)
    r_word[2] = 0.0
    return {"r_word": r_word, "r_bit": 3.0}


@pytest.mark.parametrize("law", CELLS)
@pytest.mark.parametrize("wires", WIRES)
def test_every_path_agrees(wires: str, law: str) -> None:
    """Line solver, general path, and the circuit of the array on both; segments inside the lines too."""
    array = xb.PassiveArray(CELLS[law], **wires_of(wires))
    lines, general = (array.solve(**BOTH_ENDS, method=method) for method in ("lines", "general"))  # type: ignore[arg-type]
    circuit = array.to_circuit(**BOTH_ENDS)
    points = [xb.operating_point(circuit, method=method, reltol=1e-10) for method in ("lines", "general")]  # type: ignore
    assert [p.method == "lines" for p in points] == [True, False]
    bound = 1e-9 * np.abs(lines.cell_current).sum()
    for s in (general, *(p.array("x") for p in points)):
        for side in SIDES:
            assert_allclose(s.terminal_current[side], lines.terminal_current[side], rtol=0, atol=bound)
        for ours, theirs in zip(s.segment_current, lines.segment_current, strict=True):
            assert_allclose(ours, theirs, rtol=0, atol=bound)
        assert s.relative_residual <= 1e-10
    for p in points:
        assert_allclose(p.i("x.rwl[2,1]"), lines.segment_current[0][2, 1], rtol=0, atol=bound)
        assert_allclose([p.i(f"v_word_right[{k}]") for k in range(M)], lines.terminal_current["word_right"], rtol=0, atol=bound)


@pytest.mark.parametrize("method", ["lines", "general"])
def test_a_batch_with_other_ends_open(method: Any) -> None:
    """The second input is driven from the left alone, which then carries all."""
    right = np.ma.array(np.stack((WORD, WORD)), mask=[[False] * M, [True] * M])
    s = xb.PassiveArray(G, r_word=0.0, r_bit=0.0).solve(np.stack((WORD, WORD)), right, bit_bottom=0.0, method=method)
    current = WORD[:, None] * G
    assert_allclose(s.terminal_current["word_left"], [-current @ near_share(N), -current.sum(axis=1)], rtol=1e-12)


@pytest.mark.parametrize("method", ["lines", "general"])
def test_two_voltages_are_an_error_still(method: Any) -> None:
    array = xb.PassiveArray(G, r_word=0.0)
    with pytest.raises(xb.TopologyError, match="word_left"):
        array.solve(WORD, WORD + 0.1, method=method)
    with pytest.raises(xb.TopologyError, match="word_left"):
        xb.operating_point(array.to_circuit(WORD, WORD + 0.1), method=method)


DECK = """both ends
.model cell mtj (r_p=5k tmr=1.2 vh={vh})
.model array xbar (rows=4 cols=3 mtj=cell r_wl=0 r_bl=2)
{ends}
YXBAR x1 wl[0:3] bl[0:2] wr=wr[0:3] array state=random
Rb[0:2] bl[0:2] 0 50
.options seed=5 reltol=1e-9
.op
.end
"""
ENDS = {
    "two sources a line": "Va[0:3] wl[0:3] 0 0.3\nVb[0:3] wr[0:3] 0 0.3",
    "an ammeter": "Va[0:3] wl[0:3] 0 0.3\nVb[0:3] wl[0:3] wr[0:3] 0",
    "a controlled source": "Va[0:3] wl[0:3] 0 0.3\nEb[0:3] wr[0:3] 0 wl[0:3] 0 1",
    "a mirrored current": "Va[0:3] wl[0:3] 0 0.3\nVb[0:3] wr[0:3] 0 0.3\nF1 0 out vb[1] 2\nRo out 0 1k",
}


@pytest.mark.parametrize("vh", ["inf", "0.4"])
@pytest.mark.parametrize("ends", ENDS)
def test_decks_on_both_paths(ends: str, vh: str) -> None:
    circuit = xb.parse_netlist(DECK.format(ends=ENDS[ends], vh=vh)).circuit
    lines, general = (xb.operating_point(circuit, method=m, reltol=1e-9) for m in ("lines", "general"))  # type: ignore[arg-type]
    current = general.array("x1").cell_current
    right = -current @ (1 - near_share(N))
    for p in (lines, general):
        assert_allclose(p.array("x1").terminal_current["word_right"], right, rtol=1e-8)
        if ends != "a controlled source":
            sign = -1 if ends == "an ammeter" else 1
            assert_allclose([p.i(f"vb[{k}]") for k in range(M)], sign * right, rtol=1e-8)
        if ends == "a mirrored current":
            assert_allclose(p.v("out"), 1e3 * 2 * right[1], rtol=1e-8)


@pytest.mark.parametrize("method", ["lines", "general"])
@pytest.mark.parametrize("vh", ["inf", "0.4"])
def test_both_ends_on_one_driver(vh: str, method: Any) -> None:
    """The node behind a driver; what it supplies is the sum, and the line's halves follow the lever rule."""
    text = DECK.format(ends="V[0:3] in[0:3] 0 0.3\nRd[0:3] in[0:3] wl[0:3] 100", vh=vh).replace("wr=wr", "wr=wl")
    s = xb.operating_point(xb.parse_netlist(text).circuit, reltol=1e-9, method=method)
    array = s.array("x1")
    assert s.method == "lines" or method == "general"
    assert_allclose(array.terminal_current["word_right"], -array.cell_current @ (1 - near_share(N)), rtol=1e-8)
    assert_allclose([s.i(f"rd[{k}]") for k in range(M)], array.cell_current.sum(axis=1), rtol=1e-8)


def test_controlled_sources_at_two_voltages() -> None:
    """Seen only once the circuit is solved."""
    text = DECK.format(ends="Va[0:3] wl[0:3] 0 0.3\nEb[0:3] wr[0:3] 0 wl[0:3] 0 1.001", vh="inf")
    for method in ("lines", "general"):
        with pytest.raises(xb.TopologyError, match="exactly 0 ohm"):
            xb.operating_point(xb.parse_netlist(text).circuit, method=method)  # type: ignore[arg-type]


def test_a_loop_outside_of_arrays_is_an_error_as_in_spice() -> None:
    circuit = xb.parse_netlist("loop\nV1 a 0 1\nR1 a b 0\nV2 b 0 1\n").circuit
    with pytest.raises(xb.TopologyError, match="loop of voltage sources"):
        xb.operating_point(circuit)


def test_ngspice_shares_as_we_do(ngspice: str, tmp_path: Path) -> None:
    """The exported deck: every node tied to one end, what the other has to carry sent over there."""
    deck = xb.parse_netlist(DECK.format(ends=ENDS["two sources a line"], vh="inf"))
    values = run_ngspice(tmp_path, xb.to_spice(deck).splitlines())
    point = xb.operating_point(deck.circuit)
    for k in range(M):
        for name in (f"va[{k}]", f"vb[{k}]"):
            assert_allclose(values[f"i({name.replace('[', '_').rstrip(']')})"], point.i(name), rtol=1e-8)


@pytest.mark.parametrize("busy", [[0, 1, 2, 3, 4, 5, 6, 7], [1, 2], [7]])
@pytest.mark.parametrize("wires", ["words", "bits", "both"])
@pytest.mark.parametrize("source_lines", ["parallel", "orthogonal"])
def test_transistor_arrays_on_both_paths(source_lines: Any, wires: str, busy: list[int]) -> None:
    """Rows that are switched off are left out of the solve, and are nodes of the lines all the same."""
    rows, columns = 8, 3
    r_source, r_bit = WIRES[wires]  # type: ignore[misc]
    array = xb.OneTransistorArray(1e-4 * 10 ** RNG.uniform(-1, 1, (rows, columns)), source_lines=source_lines, r_bit=r_bit,
                                  r_source=r_source, transistor=xb.NMOS(kp=2e-4, w=2e-6, l=1e-7, vto=0.4))
    source = RNG.uniform(0, 0.1, columns if source_lines == "parallel" else rows)
    bit = RNG.uniform(0.2, 0.3, columns)
    gate = np.where(np.isin(np.arange(rows), busy), 1.2, 0.0)
    sides = dict(zip(array.sides, (source, source, bit, bit), strict=True))
    point = xb.operating_point(array.to_circuit(gate, **sides), reltol=1e-10)
    for keep in ("nodes", "terminals"):
        s = array.solve(gate, **sides, keep=keep)  # type: ignore[arg-type]
        for side, current in s.terminal_current.items():
            expected = [point.i(f"v_{side}[{k}]") for k in range(current.size)]
            assert_allclose(current, expected, rtol=0, atol=1e-9 * np.abs(current).sum() + 1e-15)
    with pytest.raises(xb.TopologyError, match="0 ohm"):
        xb.operating_point(array.to_circuit(gate, **sides | {array.sides[1]: source + 0.1, array.sides[3]: bit - 0.1}))
