"""Circuits and arrays whose sources pass through 0 V are solved, whatever they are started from, on every path.

Expected numbers: without sources nothing flows and every voltage is 0, exactly; a linear circuit is proportional to its sources.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import crossbar as xb
from crossbar.circuit import Circuit
from crossbar.elements.cells import Cells
from crossbar.elements.linear import CurrentSources, VoltageSources

FOLDER = Path(__file__).parents[1] / "netlists"
LARGE = ("array_1024x1024", )  # blocks only
DOWN = (1.0, 0.5, 0.0, -0.5, -1.0)
BACK_AND_FORTH = (1.0, 0.0, 1e-17, 0.0, -1.0, 1e-17, 1.0, 0.0, 0.0)
RNG_SEED = 20_261_201


class Scaled:
    """A circuit as a function of s, a factor on all its sources."""

    def __init__(self, circuit: Circuit) -> None:
        sources = [b for b in circuit.batches if isinstance(b, VoltageSources | CurrentSources)]
        self.circuit = circuit
        self.values = {name: float(value) for b in sources for name, value in zip(b.names, b.value, strict=True)}

    def vary(self, values: Mapping[str, float]) -> Circuit:
        """The circuit at s."""
        return self.circuit.vary({name: values["s"] * value for name, value in self.values.items() if value})


def sweep_through_zero(circuit: Circuit, points: tuple[float, ...], method: str) -> xb.Sweep:
    """All sources times each of the points; where that is 0, every voltage must be."""
    sweep = xb.dc_sweep(Scaled(circuit), {"s": points}, method=method)  # type: ignore[arg-type]
    without_sources = np.equal(points, 0)
    for node in circuit.nodes[1:]:
        assert (sweep[f"v({node})"][without_sources] == 0).all(), node
    return sweep


def must_be_proportional(sweep: xb.Sweep, points: tuple[float, ...]) -> None:
    """A linear circuit follows its sources, those of 1e-17 V too."""
    driven = np.flatnonzero(points)
    for node in sweep.circuit.nodes[1:]:
        volts = sweep[f"v({node})"]
        assert_allclose(volts[driven], np.take(points, driven) * volts[0] / points[0], rtol=1e-8)


@pytest.mark.parametrize("limits", [".dc V1 0 1 0.5 Rtop 1k 2k 1k", ".dc V1 1 0 -0.5 Rtop 1k 2k 1k",
                                    ".dc Rtop 1k 2k 1k V1 1 0 -1"])
def test_a_divider_comes_back_to_zero(limits: str) -> None:
    """Closed form: v(out) = v1 2k / (rtop + 2k)."""
    run = xb.run(xb.parse_netlist(f"divider\nV1 in 0 DC 1\nRtop in out 1k\nR2 out 0 2k\n{limits}\n.end\n"))
    assert_allclose(run.dc["v(out)"], run.dc["v1"] * 2e3 / (run.dc["rtop"] + 2e3), rtol=1e-12)


@pytest.mark.parametrize("points", [DOWN, DOWN[::-1], BACK_AND_FORTH], ids=["down", "up", "back and forth"])
@pytest.mark.parametrize("method", ["auto", "lines", "general"])
@pytest.mark.parametrize("deck", [p.stem for p in sorted(FOLDER.glob("*.cir")) if p.stem not in LARGE])
def test_decks_through_zero(deck: str, method: str, points: tuple[float, ...]) -> None:
    circuit = xb.read_netlist(FOLDER / f"{deck}.cir").circuit
    if method == "lines" and not circuit.arrays:
        pytest.skip("no array to be solved as a block")
    sweep = sweep_through_zero(circuit, points, method)
    if deck in ("divider", "sneak_path"):
        must_be_proportional(sweep, points)


@pytest.mark.slow
def test_a_large_deck_through_zero() -> None:
    circuit = xb.read_netlist(FOLDER / f"{LARGE[0]}.cir").circuit
    sweep_through_zero(circuit, (1.0, 0.0, -1.0), "auto")


SUPPLIES = {
    "own": "V[0:4] wl[0:4] 0 DC 0.3",
    "drivers": "V[0:4] in[0:4] 0 DC 0.3\nRd[0:4] in[0:4] wl[0:4] 500",
    "shared": "V0 in 0 DC 0.3\nRs in sup 300\n" + "\n".join(f"Rd{k} sup wl[{k}] {10 + k}" for k in range(5)),
    "currents": "\n".join(f"I{k} 0 wl[{k}] DC {k + 1}u" for k in range(5)),
    "behavioural": "V0 in 0 DC 0.3\nBx sup 0 V={tanh(v(in))}\n" + "\n".join(f"Rd{k} sup wl[{k}] {10 + k}" for k in range(5)),
}
SENSES = {
    "grounded": "Vb[0:3] bl[0:3] 0 DC 0",
    "resistors": "Rb[0:3] bl[0:3] 0 100",
    "a second array": ".model next xbar (rows=4 cols=3 mtj=cell r_wl=2 r_bl=2)\nYXBAR x2 bl[0:3] o[0:2] next state=P\n"
                      "Ro[0:2] o[0:2] 0 1k",
}


@pytest.mark.parametrize("method", ["lines", "general"])
@pytest.mark.parametrize("v_h", ["inf", "0.5"])
@pytest.mark.parametrize("sense", SENSES)
@pytest.mark.parametrize("supply", SUPPLIES)
def test_arrays_in_circuits_through_zero(supply: str, sense: str, v_h: str, method: str) -> None:
    text = "\n".join(["arrays", f".model cell mtj (preset=daffodil vh={v_h})",
                      ".model array xbar (rows=5 cols=4 mtj=cell r_wl=2 r_bl=2)", SUPPLIES[supply], SENSES[sense],
                      "YXBAR x1 wl[0:4] bl[0:3] array state=random", ".options seed=7", ".op", ".end"])
    sweep = sweep_through_zero(xb.parse_netlist(text).circuit, BACK_AND_FORTH, method)
    if v_h == "inf" and supply != "behavioural":
        must_be_proportional(sweep, BACK_AND_FORTH)


@pytest.mark.parametrize("method", ["lines", "general"])
@pytest.mark.parametrize("r_sense", [0.0, 100.0])
def test_flat_crossbars_through_zero(r_sense: float, method: str) -> None:
    rng = np.random.default_rng(RNG_SEED)
    m, n = 9, 10
    builder = xb.CircuitBuilder()
    for i in range(m):
        builder.add_one(VoltageSources, f"v{i}", (f"in{i}", "0"), value=0.1 * (i + 1))
        along = [f"in{i}", *(f"w{i}_{j}" for j in range(n))]
        for k, (a, b) in enumerate(zip(along, along[1:], strict=False)):
            builder.resistor(f"rw{i}_{k}", a, b, 2.0)
    for j in range(n):
        along = [*(f"b{i}_{j}" for i in range(m)), f"end{j}"]
        for k, (a, b) in enumerate(zip(along, along[1:], strict=False)):
            builder.resistor(f"rb{k}_{j}", a, b, 3.0)
        builder.resistor(f"rs{j}", f"end{j}", "0", r_sense)
    for i in range(m):
        for j in range(n):
            builder.resistor(f"rc{i}_{j}", f"w{i}_{j}", f"b{i}_{j}", rng.uniform(5e3, 2e4))
    circuit = builder.build()
    assert (xb.operating_point(circuit, method=method).method == "lines") == (method == "lines")  # type: ignore[arg-type]
    must_be_proportional(sweep_through_zero(circuit, BACK_AND_FORTH, method), BACK_AND_FORTH)


SHAPE = (5, 4)


def cells_of(law: str, rng: np.random.Generator) -> Cells:
    g = 1e-4 * 10 ** rng.uniform(-1, 1, SHAPE)
    if law == "linear":
        return xb.LinearCells(g=g)
    if law == "junctions":
        return xb.MTJCells(xb.MTJParams(r_p=5e3, tmr=1.0, v_h=0.5), rng.choice([-1, 1], SHAPE))
    if law == "tables":
        v = np.linspace(-1, 1, 6)  # 0 V is no point of the table
        return xb.TabulatedCells(v, 1e-4 * v ** 3 + 1e-5 * v, shape=SHAPE)
    return xb.SelectorCells(cells=xb.LinearCells(g=g), selector=xb.SinhSelector(i_s=1e-7, v_0=0.1))


def must_rest(solution: Any, level: float) -> None:
    """Nothing flows, and every node that some terminal reaches is at the level."""
    assert all((np.asarray(i) == 0).all() for i in solution.terminal_current.values())
    assert (solution.cell_current == 0).all()
    assert np.max(solution.relative_residual) == 0
    for volts in solution.nodes:
        assert np.isin(volts[~np.isnan(volts)], level).all()


@pytest.mark.parametrize("method", ["lines", "general"])
@pytest.mark.parametrize("wires", [2.0, 1e-3, 0.0])
@pytest.mark.parametrize("law", ["linear", "junctions", "tables", "selectors"])
def test_inputs_without_a_voltage_in_a_batch(law: str, wires: float, method: str) -> None:
    """Beside others, and from the solution of others; each is what it is without a start."""
    rng = np.random.default_rng(RNG_SEED)
    array = xb.PassiveArray(cells_of(law, rng), r_word=wires, r_bit=wires)
    volts = rng.uniform(0.1, 1, (4, SHAPE[0]))
    before = array.solve(word_left=volts)
    volts[1] = 0.0
    volts[2] = 1e-17
    after = array.solve(word_left=volts, start=before, method=method)  # type: ignore[arg-type]
    plain = array.solve(word_left=volts)
    for k in range(4):
        largest = np.abs(plain.cell_current[k]).max()
        assert_allclose(after.cell_current[k], plain.cell_current[k], rtol=0, atol=1e-9 * largest)
    assert (after.cell_current[1] == 0).all() and (after.bit_current[1] == 0).all()


@pytest.mark.parametrize("level", [0.0, 0.3])
@pytest.mark.parametrize("wires", [2.0, 1e-3, 0.0])
@pytest.mark.parametrize("law", ["linear", "junctions", "tables", "selectors"])
def test_arrays_at_rest_from_anywhere(law: str, wires: float, level: float) -> None:
    """All terminals at one voltage, most lines floating, begun at another solution or at random voltages."""
    rng = np.random.default_rng(RNG_SEED)
    array = xb.PassiveArray(cells_of(law, rng), r_word=wires, r_bit=wires)
    driven = array.solve(word_left=xb.only(SHAPE[0], 1, 1.0), bit_bottom=xb.only(SHAPE[1], 2, 0.0))
    drives = {"word_left": xb.only(SHAPE[0], 1, level), "bit_bottom": xb.only(SHAPE[1], 2, level)}
    must_rest(array.solve(**drives, start=driven), level)
    must_rest(array.solve(**drives, guess=rng.uniform(-1, 1, SHAPE)), level)


@pytest.mark.parametrize("level", [0.0, 0.3])
@pytest.mark.parametrize("source_lines", ["parallel", "orthogonal"])
@pytest.mark.parametrize("model", ["level1", "ekv"])
def test_transistor_arrays_at_rest_from_anywhere(model: Any, source_lines: Any, level: float) -> None:
    rng = np.random.default_rng(RNG_SEED)
    nmos = xb.NMOS(kp=2e-4, w=2e-6, l=1e-7, vto=0.4, model=model)
    array = xb.OneTransistorArray(cells_of("junctions", rng), transistor=nmos, source_lines=source_lines)
    source = array.sides[0]
    driven = array.solve(1.2, bit_top=xb.only(SHAPE[1], [0, 2], 0.5), **{source: 0.0})  # type: ignore[arg-type]
    drives: dict[str, Any] = {"bit_top": xb.only(SHAPE[1], [0, 2], level), source: level}
    must_rest(array.solve(1.2, **drives, start=driven), level)
    must_rest(array.solve(1.2, **drives, guess=driven.cell_voltage), level)


def test_a_hint_that_leads_nowhere_is_left() -> None:
    """Open cells between lines that carry a current from end to end: nothing but the lines' own voltages is right."""
    array = xb.PassiveArray(np.zeros(SHAPE), r_word=2.0, r_bit=2.0)
    drives = {"word_left": 1.0, "word_right": 0.5, "bit_bottom": 0.0}
    other = array.solve(word_left=0.2, word_right=-0.7, bit_bottom=0.3)
    again = array.solve(**drives, start=other)
    segments = SHAPE[1] + 1
    expected = 1.0 - 0.5 * np.arange(1, segments) / segments  # a voltage divider of equal segments
    assert_allclose(again.word_voltage, np.broadcast_to(expected, SHAPE), rtol=1e-14)


def test_a_nonlinear_circuit_does_not_leave_the_branch_it_is_on() -> None:
    """A latch v = tanh(20 v + drive) whose equations hold at 0 V as well: as the drive goes to 0 the latch stays set, at
    1 - 2 exp(-40), and 0 is no refuge from a solution next to the start."""
    text = "latch\nV1 drive 0 DC 1\nB1 out 0 V={tanh(20*v(out) + v(drive))}\nR1 out 0 1k\n.end\n"
    circuit = xb.parse_netlist(text).circuit
    set_latch = xb.operating_point(circuit.with_value("v1", 25.0))
    assert_allclose(set_latch.v("out"), 1.0, rtol=1e-6)
    assert_allclose(xb.operating_point(circuit.with_value("v1", 0.0), near=set_latch).v("out"), 1.0, rtol=1e-6)


@pytest.mark.parametrize("wires", [(0.0, 0.0), (0.0, 2.0), (2.0, 0.0), "some"])
def test_a_start_does_not_hold_lines_of_0_ohm_where_they_were(wires: Any) -> None:
    """Half the voltages are half the currents; Kirchhoff's law does not see a voltage behind 0 ohm."""
    rng = np.random.default_rng(RNG_SEED)
    m, n = SHAPE
    if wires == "some":
        wires = np.where(rng.random((m, n + 1)) < 0.5, 0.0, 2.0), np.where(rng.random((m + 1, n)) < 0.5, 0.0, 2.0)
    volts = {"word_left": rng.uniform(0.1, 1, (3, m)), "bit_bottom": rng.uniform(-1, 0, (3, n))}
    halves = {side: 0.5 * v for side, v in volts.items()}
    array = xb.PassiveArray(cells_of("linear", rng), r_word=wires[0], r_bit=wires[1])
    before = array.solve(**volts)
    largest = np.abs(before.cell_current).max()
    for start in (before, array.with_cells(np.full(SHAPE, 1e-3)).solve(word_left=0.7, bit_top=-3.0, bit_bottom=None)):
        after = array.solve(**halves, start=start)
        assert_allclose(after.cell_current, before.cell_current / 2, rtol=0, atol=1e-9 * largest)


@pytest.mark.parametrize("source_lines", ["parallel", "orthogonal"])
def test_a_start_does_not_hold_lines_of_transistors_either(source_lines: Any) -> None:
    """The voltages of ideal lines are those of their terminals."""
    rng = np.random.default_rng(RNG_SEED)
    nmos = xb.NMOS(kp=2e-4, w=2e-6, l=1e-7, vto=0.4)
    array = xb.OneTransistorArray(cells_of("junctions", rng), transistor=nmos, source_lines=source_lines, r_bit=0.0, r_source=0.0)
    source = array.sides[0]
    before = array.solve(1.2, bit_top=0.5, **{source: 0.1})  # type: ignore[arg-type]
    after = array.solve(1.2, bit_top=0.2, **{source: 0.0}, start=before)  # type: ignore[arg-type]
    assert (after.bit_voltage == 0.2).all() and (after.source_voltage == 0.0).all()


def test_blocks_between_ideal_wires_follow_a_sweep() -> None:
    """Every point begins at the one before it; a word line without resistance is at its source's voltage."""
    text = ("sweep\n.param s=1\n.model cell mtj (preset=mtj-60kT vh=0.5)\n"
            ".model array xbar (rows=3 cols=3 mtj=cell r_wl=0 r_bl=0)\nV[0:2] wl[0:2] 0 DC {s}\nRb[0:2] bl[0:2] 0 100\n"
            "YXBAR x1 wl[0:2] bl[0:2] array state=P\n.op\n.end\n")
    sweep = xb.dc_sweep(xb.parse_netlist(text), {"s": [0.4, 0.1]}, outputs=["v(x1.wl[1,1])"],
                        method="lines")  # type: ignore[arg-type]
    assert_allclose(sweep["v(x1.wl[1,1])"], [0.4, 0.1], rtol=1e-12)
