"""1T1R arrays against the same array as a circuit of wires, junctions and transistors (general MNA)."""

import numpy as np
import numpy.ma as ma
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import crossbar as xb
from crossbar.errors import DataError

KINDS = ["parallel", "orthogonal"]
TRANSISTOR = {"kp": 2e-4, "w": 2e-6, "l": 1e-7, "vto": 0.4, "gamma": 0.3, "phi": 0.7, "lambda_": 0.05}


def junctions(rng, shape, kind="mtj"):
    if kind == "linear":
        return xb.LinearCells(g=10 ** rng.uniform(-5, -3.5, shape))
    return xb.MTJCells(xb.MTJParams(r_p=5e3, tmr=1.2, v_h=0.5), rng.choice([-1, 1], shape))


def exactly(array, gate, **sides):
    """Node voltages and terminal currents by modified nodal analysis."""
    point = xb.operating_point(array.to_circuit(gate, **sides), reltol=1e-12, abstol=1e-18, vntol=1e-13)
    m, n = array.shape

    def plane(name):
        return np.array([[point.v(f"{name}[{i},{j}]") for j in range(n)] for i in range(m)])
    return point, plane


def assert_agrees(array, gate, sides):
    s = array.solve(gate, **sides, rtol=1e-11)
    point, plane = exactly(array, gate, **sides)
    volts = max(np.abs(plane(name)).max() for name in ("sl", "bl"))
    for name, x in (("sl", s.source_voltage), ("bl", s.bit_voltage), ("in", s.bit_voltage - s.mtj_voltage)):
        assert_allclose(x, plane(name), rtol=0, atol=1e-9 * volts)
    largest = max(np.abs(i).max() for i in s.terminal_current.values())
    carried = np.abs(s.cell_current).sum()
    for side, current in s.terminal_current.items():
        for k, i in enumerate(current):
            if not np.isnan(s.terminal_voltage[side][k]):
                assert abs(i - point.i(f"v_{side}[{k}]")) <= 1e-9 * max(largest, carried)
    assert s.relative_residual <= 1e-11
    return s


def sides_of(kind, rng, shape):
    m, n = shape
    source = ("source_top", "source_bottom") if kind == "parallel" else ("source_left", "source_right")
    return {"bit_top": rng.uniform(0, 1, n), source[rng.integers(2)]: rng.uniform(0, 0.2, n if kind == "parallel" else m)}


@pytest.mark.parametrize("cells", ["linear", "mtj"])
@pytest.mark.parametrize("model", ["level1", "ekv"])
@pytest.mark.parametrize("kind", KINDS)
def test_against_modified_nodal_analysis(kind, model, cells):
    rng = np.random.default_rng(1)
    shape = (5, 7)
    array = xb.OneTransistorArray(junctions(rng, shape, cells), transistor=xb.NMOS(**TRANSISTOR, model=model), r_bit=3.0,
                                  r_source=5.0, source_lines=kind, r_driver=20.0)
    gate = rng.choice([0.0, 0.45, 1.2], shape[0])
    s = assert_agrees(array, gate, sides_of(kind, rng, shape))
    assert (s.cell_voltage == s.bit_voltage - s.source_voltage).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2 ** 32 - 1), m=st.integers(1, 6), n=st.integers(1, 6), kind=st.sampled_from(KINDS),
       model=st.sampled_from(["level1", "ekv"]), decade=st.floats(-4, 3))
def test_property_against_modified_nodal_analysis(seed, m, n, kind, model, decade):
    """Random sizes, wires, terminals with open ends, transistors that differ, both current directions."""
    rng = np.random.default_rng(seed)
    vto = rng.uniform(0.3, 0.6, (m, n))
    array = xb.OneTransistorArray(
        junctions(rng, (m, n)), transistor=xb.NMOS(**TRANSISTOR | {"vto": vto}, model=model), source_lines=kind,
        r_bit=10 ** decade * rng.uniform(0.5, 2, (m + 1, n)), r_driver=rng.uniform(0, 50),
        r_source=10 ** decade * rng.uniform(0.5, 2, (m + 1, n) if kind == "parallel" else (m, n + 1)))
    sides = {}
    for side in array.sides:
        lines = m if side.endswith(("left", "right")) else n
        sides[side] = ma.array(rng.uniform(-0.2, 1.2, lines), mask=rng.random(lines) < 0.3)
    for side in array.sides[::2]:  # one end of each line is held, so that no line floats behind transistors that are off
        sides[side].mask = False
    assert_agrees(array, rng.uniform(-0.2, 1.5, m), sides)


@pytest.mark.parametrize("kind", KINDS)
def test_floating_bit_lines(kind):
    """A line that floats takes the voltage at which its cells' currents cancel."""
    rng = np.random.default_rng(2)
    array = xb.OneTransistorArray(junctions(rng, (4, 5)), transistor=xb.NMOS(**TRANSISTOR, model="ekv"), source_lines=kind)
    top = ma.array(np.linspace(0.2, 0.8, 5), mask=[False, True, False, True, False])
    s = assert_agrees(array, 1.1, {"bit_top": top, array.sides[0]: np.linspace(0, 0.3, 4 if kind == "orthogonal" else 5)})
    floating = s.cell_current.sum(axis=0)[[1, 3]]
    assert (np.abs(floating) <= 1e-9 * np.abs(s.cell_current).sum()).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", ["level1", "ekv"])
def test_energy_balance(kind, model):
    rng = np.random.default_rng(3)
    array = xb.OneTransistorArray(junctions(rng, (12, 9)), transistor=xb.NMOS(**TRANSISTOR, model=model), r_bit=20.0,
                                  r_source=30.0, source_lines=kind, r_driver=100.0)
    sides = sides_of(kind, rng, (12, 9))
    batch = {side: np.stack((v, 0.5 * v, -v)) for side, v in sides.items()}
    power = array.solve(rng.uniform(0.5, 1.5, 12), **batch).power
    assert_allclose(power["sources"], power["cells"] + power["wires"] + power["drivers"], rtol=1e-9)
    assert (power["wires"] > 0).all() and (power["drivers"] > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_single_solves_and_nothing_is_kept_unasked(kind):
    rng = np.random.default_rng(4)
    array = xb.OneTransistorArray(junctions(rng, (6, 8)), transistor=xb.NMOS(**TRANSISTOR), source_lines=kind)
    bit, gate = rng.uniform(0, 1, (5, 8)), rng.choice([0.0, 1.2], (5, 6))
    source = {array.sides[0]: 0.0}
    whole = array.solve(gate, bit_top=bit, **source)
    few = array.solve(gate, bit_top=bit, **source, keep="terminals")
    for k in range(5):
        one = array.solve(gate[k], bit_top=bit[k], **source)
        for name in ("cell_current", "mtj_voltage", "source_voltage"):
            assert_allclose(getattr(whole, name)[k], getattr(one, name), rtol=1e-7, atol=1e-13)
        assert_allclose(few.terminal_current["bit_top"][k], one.terminal_current["bit_top"], rtol=1e-8, atol=1e-14)
    assert few.nodes is None and few.share is None
    with pytest.raises(DataError, match="keep"):
        few.mtj_voltage


def test_unselected_rows_leak_by_the_model():
    """With its gate at 0 V the transistor is off in level 1, and in weak inversion in the EKV model."""
    leak = {}
    for model in ("level1", "ekv"):
        array = xb.OneTransistorArray(np.full((3, 4), 1e-4), transistor=xb.NMOS(**TRANSISTOR, model=model), r_bit=1.0,
                                      r_source=1.0)
        leak[model] = array.solve([0.0, 1.2, 0.0], bit_top=0.5, source_bottom=0.0).cell_current
    assert (leak["level1"][[0, 2]] == 0).all() and (leak["level1"][1] > 1e-5).all()
    assert (leak["ekv"][[0, 2]] > 0).all() and (leak["ekv"][[0, 2]] < 1e-7).all()


def test_lines_that_no_current_reaches_are_isolated():
    """A bit line that is open at both ends behind transistors that are off has no voltage."""
    array = xb.OneTransistorArray(np.full((3, 4), 1e-4), transistor=xb.NMOS(**TRANSISTOR))
    s = array.solve(0.0, bit_top=ma.array(np.full(4, 0.5), mask=[False, True, False, False]), source_bottom=0.0)
    assert s.isolated == ("bl[0,1]", "bl[1,1]", "bl[2,1]")
    assert np.isnan(s.bit_voltage[:, 1]).all() and (s.cell_current == 0).all()


@pytest.mark.parametrize(("change", "words"), [
    ({"source_lines": "diagonal"}, "orthogonal"), ({"transistor": None}, "NMOS"), ({"r_bit": -1.0}, "at least 0"),
    ({"r_source": np.ones((4, 5))}, "shape"), ({"r_driver": {"word_left": 1.0}}, "unknown sides"),
])
def test_bad_arrays_are_refused(change, words):
    options = {"transistor": xb.NMOS(**TRANSISTOR)} | change
    with pytest.raises(DataError, match=words):
        xb.OneTransistorArray(np.full((4, 4), 1e-4), **options)


@pytest.mark.parametrize(("drive", "words"), [
    ({"gate": 1.0}, "nothing is driven"), ({"gate": 1.0, "source_left": 0.0}, "source_left"),
    ({"gate": None, "bit_top": 1.0}, "gate"),
    ({"gate": [1.0, 2.0], "bit_top": 1.0}, "gate"), ({"gate": np.nan, "bit_top": 1.0}, "not finite"),
    ({"gate": 1.0, "bit_top": 1.0, "keep": "all"}, "keep"), ({"gate": 1.0, "bit_top": 1.0, "rtol": 0.0}, "rtol"),
])
def test_bad_drives_are_refused(drive, words):
    with pytest.raises(DataError, match=words):
        xb.OneTransistorArray(np.full((4, 4), 1e-4), transistor=xb.NMOS(**TRANSISTOR)).solve(**drive)
