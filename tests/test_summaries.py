"""What `repr` shows: four lines, however large the arrays: shape, kind, main numbers, certificate."""

import numpy as np
import pytest

import crossbar as xb
from crossbar import mtj, writing
from crossbar.summaries import LINES, WIDTH, brief, spread

SEED = 1_990_412_377
SHAPE = (40, 30)
RNG = np.random.default_rng(SEED)
DEFECTS = mtj.Defects(short=np.arange(1200).reshape(SHAPE) == 7,
                      stuck_ap=np.arange(1200).reshape(SHAPE) % 100 == 50)
PARAMS = mtj.sample("mtj-60kT", mtj.Variation(ra=0.05, diameter=0.01), SHAPE, RNG)
CELLS = xb.MTJCells(PARAMS, RNG.integers(0, 2, SHAPE), DEFECTS)
ARRAY = xb.PassiveArray(CELLS, r_word=2.0, r_bit=RNG.uniform(1, 2, (41, 30)))
GATED = xb.OneTransistorArray(xb.MTJCells("mtj-60kT", np.ones(SHAPE, int)),
                              transistor=xb.NMOS(vto=0.4, kp=2e-4), source_lines="orthogonal")

SWEPT = "a divider\nv1 in 0 1\nr1 in out 1k\nr2 out 0 1k\n.op\n"


def solution():
    return ARRAY.solve(word_left=RNG.uniform(0, 0.2, (7, 40)), keep="terminals")


def gated_solution():
    return GATED.solve(gate=xb.only(40, 3, 1.2).filled(0.0), bit_top=0.3, source_left=0.0)


def report():
    array = xb.PassiveArray(xb.MTJCells("mtj-60kT", np.ones((6, 5), int)))
    target = np.zeros((6, 5), int)
    return xb.program(array, target, pulse=xb.Pulse(0.8, 1e-8), rng=RNG, repeats=3)


def update():
    array = xb.PassiveArray(xb.MTJCells("mtj-60kT", np.ones((9, 8), int)))
    return writing.outer_product_update(array, np.ones(9), np.ones(8), eta=0.3, rng=RNG)


MADE = {
    "parameters": (lambda: PARAMS, ["shape (40, 30)", f"r_p {spread(PARAMS.r_p, 'ohm')}",
                                    f"diameter {spread(PARAMS.diameter, 'm')}"]),
    "one junction": (xb.MTJParams, ["one junction", "tmr 1.2,", "delta 59.82"]),
    "of unknown magnetism": (lambda: mtj.presets["daffodil"], ["r_p 4.292 kohm", "i_c0_p"]),
    "cells": (lambda: CELLS, ["MTJCells(", "(40, 30)"]),
    "array": (lambda: ARRAY, ["PassiveArray of 40 x 30 cells", " AP", "1 short", "12 stuck_ap",
                              "to 10 mS", "r_word 2 ohm, r_bit 1"]),
    "1T1R array": (lambda: GATED, ["40 x 30", "along the rows", "1200 P", "NMOS level1"]),
    "solution": (solution, ["ArraySolution of 40 x 30", "7 inputs", "bit_bottom", "word_left",
                            "sources deliver", "lines: ", "sum |KCL| / sum |cell current|"]),
    "1T1R solution": (gated_solution, ["TransistorSolution of 40 x 30", "one input",
                                       "source_left"]),
    "write report": (report, ["WriteReport: wrote 30 of 6 x 5 cells, 3 times", "write errors",
                              "energy", "sum |KCL|"]),
    "update report": (update, ["UpdateReport(", "(9, 8)"]),
    "circuit": (lambda: ARRAY.to_circuit(word_left=0.1), ["40 x 30 passive array", "70 nodes",
                                                          "70 VoltageSources", "x of 40 x 30"]),
    "its cells": (lambda: ARRAY.to_circuit(word_left=0.1).flat[-1], ["MTJs(names=<1200 items>"]),
    "its wires": (lambda: ARRAY.to_circuit(word_left=0.1).flat[-2], ["Wires(names=<1200 items>"]),
    "array in a circuit": (lambda: ARRAY.to_circuit(word_left=0.1).arrays[0], ["Xbar(name='x'"]),
    "operating point": (lambda: xb.operating_point(ARRAY.to_circuit(word_left=0.1)),
                        ["70 nodes besides ground, 1 arrays", "node voltages 0 V to 100 mV",
                         "largest |KCL|"]),
    "sweep": (lambda: xb.dc_sweep(xb.parse_netlist(SWEPT).circuit, {"v1": np.linspace(0, 1, 400)}),
              ["Sweep of 'a divider': v1 400 points 0 to 1", "largest |KCL|"]),
    "defects": (lambda: DEFECTS, ["short=<(40, 30), 1 true>"]),
    "margins": (lambda: xb.PassiveArray(np.full((9, 9), 1e-4)).sense_margin(states=(1e-4, 5e-5)),
                ["SenseMargin(", "(9, 9)"]),
    "derivatives": (lambda: ARRAY.sensitivity(word_left=0.1), ["Sensitivity("]),
    "network": (lambda: xb.nn.Perceptron.from_weights([(np.ones((20, 20)), 0.0)] * 9), ["9 items"]),
    "pulse by cell": (lambda: xb.Pulse(np.full(SHAPE, 0.5), 1e-8), ["<(40, 30), 0.5>"]),
}


@pytest.mark.parametrize("make, parts", MADE.values(), ids=MADE)
def test_a_summary_of_few_lines(make, parts):
    text = repr(make())
    lines = text.splitlines()
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= WIDTH
    for part in parts:
        assert part in " ".join(line.strip() for line in lines)


def test_the_certificate_is_the_largest_of_all_inputs():
    s = solution()
    assert f"{s.relative_residual.max():.1e}" in repr(s) and f"{s.residual.max():.1e} A" in repr(s)
    assert f"{s.iterations} iterations" in repr(s)


def test_open_ends_are_not_shown():
    text = repr(ARRAY.solve(word_left=0.1))
    assert "bit_top" not in text and "word_right" not in text


def test_ranges():
    assert spread([1.2e-6, 3e-5, np.nan], "A") == "1.2 uA to 30 uA"
    assert spread([0.75, 0.75], "") == "0.75"
    assert spread([np.nan], "A") == "none"
    assert brief(np.zeros((50, 2), bool)) == "<(50, 2), 0 true>"
    assert brief(np.full(9, np.nan)) == "<(9,), none>"
    assert brief({k: k for k in range(9)}) == "{0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 5, ...}"
    assert brief("x" * 200).endswith("...") and len(brief("x" * 200)) == 60
