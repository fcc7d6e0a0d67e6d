"""Modified nodal analysis against closed forms, and the solvers of nonlinear circuits against each other."""

import numpy as np
import pytest
from building import circuit
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import brentq
from scipy.sparse import csc_array

from crossbar import mtj
from crossbar.analysis import dc_sweep, operating_point
from crossbar.arrays import PassiveArray
from crossbar.circuit import CircuitBuilder
from crossbar.elements.cells import MTJCells
from crossbar.errors import ConvergenceError, CrossbarError, DataError, TopologyError
from crossbar.mna import System, Tolerances, analyse
from crossbar.solvers.linear import factorise
from crossbar.solvers.newton import GminStepping, Ladder, Newton, SourceStepping

SEED = 1_316_640_027


DIVIDER = [("v1", "in", "0", 10.0), ("r1", "in", "out", 3e3), ("r2", "out", "0", 1e3)]


def test_divider():
    point = operating_point(circuit(*DIVIDER))
    assert_allclose(point.v("out"), 2.5, rtol=1e-14)
    assert_allclose(point.v("in", "out"), 7.5, rtol=1e-14)
    assert_allclose(point.i("r2"), 2.5e-3, rtol=1e-14)
    assert point["v(in,out)"] == point.v("in", "out") and point["i(r1)"] == point.i("r1")
    assert point.v("GND") == point.v("0") == 0.0
    assert point.relative_residual <= 1e-10


def test_sign_of_branch_currents():
    """Positive current enters + and leaves -: a source that delivers power carries a negative one."""
    point = operating_point(circuit(*DIVIDER))
    assert_allclose(point.i("v1"), -2.5e-3, rtol=1e-14)
    point = operating_point(circuit(("i1", "0", "a", 2e-3), ("r1", "a", "0", 1e3)))
    assert_allclose(point.v("a"), 2.0, rtol=1e-14)  # driven from ground through the source into a
    assert_allclose(point.i("i1"), 2e-3, rtol=1e-14)
    assert_allclose(
        operating_point(circuit(("v1", "a", "0", 1.0), ("v2", "a", "b", 0.4), ("r1", "b", "0", 3.0))).i("v2"),
        0.2,
        rtol=1e-14,
    )


ohms = st.floats(-1.0, 5.0).map(lambda decade: 10.0**decade)


@given(st.tuples(ohms, ohms, ohms, ohms, ohms))
def test_wheatstone_bridge(r):
    """Current through the detector r5 by Kirchhoff's closed form, with its sign."""
    r1, r2, r3, r4, r5 = r
    point = operating_point(
        circuit(
            ("v1", "t", "0", 5.0),
            ("r1", "t", "l", r1),
            ("r2", "l", "0", r2),
            ("r3", "t", "r", r3),
            ("r4", "r", "0", r4),
            ("r5", "l", "r", r5),
        )
    )
    thevenin = r1 * r2 / (r1 + r2) + r3 * r4 / (r3 + r4)
    open_volts = 5.0 * (r2 / (r1 + r2) - r4 / (r3 + r4))
    assert_allclose(point.i("r5"), open_volts / (thevenin + r5), rtol=1e-9, atol=1e-13 * 5.0 / min(r))


@given(st.tuples(ohms, ohms, ohms, ohms))
def test_bridge_with_a_shorted_detector(r):
    """0 ohm is exact: both arms at one voltage to rounding, the current as for an ideal ammeter."""
    r1, r2, r3, r4 = r
    point = operating_point(
        circuit(
            ("v1", "t", "0", 5.0),
            ("r1", "t", "l", r1),
            ("r2", "l", "0", r2),
            ("r3", "t", "r", r3),
            ("r4", "r", "0", r4),
            ("r5", "l", "r", 0.0),
        )
    )
    upper, lower = r1 * r3 / (r1 + r3), r2 * r4 / (r2 + r4)
    middle = 5.0 * lower / (upper + lower)
    assert_allclose(point.v("l"), middle, rtol=1e-12)
    assert abs(point.v("l") - point.v("r")) <= 1e-14 * abs(middle)
    assert_allclose(point.i("r5"), (5.0 - middle) / r1 - middle / r2, rtol=1e-9, atol=1e-13 * 5.0 / min(r))


@pytest.mark.parametrize("load", [1.0, 1e6, 1e12])
@pytest.mark.parametrize("small", [0.0, 1e-12, 1e-6, 1e-3, 0.05, 1.0, 50.0])
def test_small_resistance_in_series_with_a_large_one(small, load):
    """The current of the small one must not drown in the rounding of 1 V over its resistance."""
    point = operating_point(
        circuit(
            ("v1", "a", "0", 1.0),
            ("r1", "a", "b", small),
            ("r2", "b", "c", load),
            ("r3", "c", "0", 0.7 * load),
        )
    )
    assert_allclose(point.i("r2"), 1.0 / (1.7 * load + small), rtol=1e-12)
    assert_allclose(point.i("r1"), 1.0 / (1.7 * load + small), rtol=1e-9)


def test_voltage_controlled_voltage_source():
    """Inverting amplifier with an operational amplifier of finite gain A."""
    gain = 1e5
    point = operating_point(
        circuit(
            ("v1", "in", "0", 0.2),
            ("r1", "in", "x", 1e3),
            ("r2", "x", "out", 1e4),
            ("e1", "out", "0", "0", "x", gain),
            ("r3", "out", "0", 50.0),
        )
    )
    out = -0.2 * 10.0 / (1 + 11.0 / gain)
    assert_allclose(point.v("out"), out, rtol=1e-10)
    assert_allclose(point.v("x"), -out / gain, rtol=1e-8)
    assert_allclose(point.i("e1"), (point.v("x") - out) / 1e4 - out / 50.0, rtol=1e-10)


def test_voltage_controlled_current_source():
    """A transconductance stage with a resistor at its source: gain -g R_L / (1 + g R_S)."""
    g, load, degeneration = 5e-3, 2e3, 300.0
    point = operating_point(
        circuit(
            ("v1", "gate", "0", 0.1),
            ("g1", "drain", "s", "gate", "s", g),
            ("r1", "s", "0", degeneration),
            ("r2", "drain", "0", load),
        )
    )
    assert_allclose(point.v("drain"), -0.1 * g * load / (1 + g * degeneration), rtol=1e-12)
    assert_allclose(point.i("g1"), 0.1 * g / (1 + g * degeneration), rtol=1e-12)


def test_gyrator_of_two_current_sources():
    """Terminated by R it shows 1 / (g^2 R); the resistors make its nodes reach ground."""
    g, r = 2e-3, 700.0
    point = operating_point(
        circuit(
            ("i1", "0", "a", 1e-3),
            ("g1", "a", "0", "b", "0", g),
            ("g2", "b", "0", "a", "0", -g),
            ("r1", "b", "0", r),
            ("r2", "a", "0", 1e12),
        )
    )
    assert_allclose(point.v("a"), 1e-3 / (g * g * r + 1e-12), rtol=1e-12)


def test_current_controlled_current_source():
    """A mirror: beta times the current of a 0 V ammeter, in the ammeter's sense."""
    point = operating_point(
        circuit(
            ("v1", "a", "0", 2.0),
            ("r1", "a", "b", 500.0),
            ("v2", "b", "0", 0.0),
            ("f1", "out", "0", "v2", 30.0),
            ("r2", "out", "0", 10.0),
        )
    )
    assert_allclose(point.i("v2"), 4e-3, rtol=1e-13)
    assert_allclose(point.v("out"), -30.0 * 4e-3 * 10.0, rtol=1e-13)
    assert_allclose(point.i("f1"), 0.12, rtol=1e-13)


def test_current_controlled_voltage_source():
    """Transresistance, and one that senses itself, which is a resistor."""
    point = operating_point(
        circuit(
            ("v1", "a", "0", 2.0),
            ("r1", "a", "b", 500.0),
            ("v2", "b", "0", 0.0),
            ("h1", "out", "0", "v2", 250.0),
            ("r2", "out", "0", 10.0),
        )
    )
    assert_allclose(point.v("out"), 1.0, rtol=1e-13)
    assert_allclose(point.i("h1"), -0.1, rtol=1e-13)
    point = operating_point(circuit(("i1", "0", "a", 3e-3), ("h1", "a", "0", "h1", 40.0)))
    assert_allclose(point.v("a"), 0.12, rtol=1e-13)


def test_sensed_elements():
    """A source reads the current of any element that has one of its own: E, H, a short; never a plain
    resistor's."""
    base = [("v1", "a", "0", 2.0), ("r1", "a", "b", 500.0), ("r2", "out", "0", 10.0)]
    point = operating_point(circuit(*base, ("e1", "b", "0", "a", "0", 0.25), ("f1", "0", "out", "e1", 2.0)))
    assert_allclose(point.v("out"), 2.0 * (1.5 / 500.0) * 10.0, rtol=1e-13)
    point = operating_point(circuit(*base, ("r3", "b", "0", 0.0), ("f1", "0", "out", "r3", 2.0)))
    assert_allclose(point.v("out"), 2.0 * (2.0 / 500.0) * 10.0, rtol=1e-13)
    with pytest.raises(DataError, match="r1"):
        operating_point(circuit(*base, ("r3", "b", "0", 7.0), ("f1", "0", "out", "r1", 2.0)))
    with pytest.raises(DataError, match="nobody"):
        operating_point(circuit(*base, ("r3", "b", "0", 7.0), ("f1", "0", "out", "nobody", 2.0)))


@settings(max_examples=60)
@given(st.integers(2, 9), st.integers(0, 2**32 - 1))
def test_property_random_network(nodes, seed):
    """Resistors on a random connected graph with current sources: the grounded Laplacian; and Tellegen's
    theorem."""
    rng = np.random.default_rng(seed)
    edges = [(k, int(rng.integers(0, k))) for k in range(1, nodes + 1)]
    edges += [tuple(int(x) for x in rng.choice(nodes + 1, 2, replace=False)) for _ in range(nodes)]
    r = 10 ** rng.uniform(0, 5, len(edges))
    injected = rng.normal(size=nodes) * 1e-3
    elements = [(f"r{k}", f"{a}", f"{b}", x) for k, ((a, b), x) in enumerate(zip(edges, r, strict=True))]
    elements += [(f"i{k}", "0", f"{k + 1}", x) for k, x in enumerate(injected)]
    point = operating_point(circuit(*elements))
    laplacian = np.zeros((nodes + 1,) * 2)
    for (a, b), x in zip(edges, r, strict=True):
        laplacian[[a, b, a, b], [a, b, b, a]] += np.array([1, 1, -1, -1]) / x
    volts = np.concatenate(([0.0], np.linalg.solve(laplacian[1:, 1:], injected)))
    got = np.array([point.v(str(k)) for k in range(nodes + 1)])
    assert_allclose(got, volts, rtol=0, atol=1e-9 * np.abs(volts).max())
    power = [point.v(e[1], e[2]) * point.i(e[0]) for e in elements]
    assert abs(sum(power)) <= 1e-10 * np.abs(power).sum()


# Values and plans


def test_with_value():
    c = circuit(*DIVIDER, ("i1", "0", "out", 0.0))
    assert_allclose(operating_point(c.with_value("V1", 4.0)).v("out"), 1.0, rtol=1e-13)
    assert_allclose(operating_point(c.with_value("r2", 9e3)).v("out"), 7.5, rtol=1e-13)
    assert_allclose(operating_point(c.with_value("i1", 4e-3)).v("out"), 2.5 + 4e-3 * 750, rtol=1e-13)
    assert_allclose(operating_point(c.vary({"v1": 4.0, "r2": 9e3})).v("out"), 3.0, rtol=1e-13)
    assert_allclose(operating_point(c).v("out"), 2.5, rtol=1e-13)  # the circuit itself has not changed
    with pytest.raises(DataError, match="r9"):
        c.with_value("r9", 1.0)


@pytest.mark.parametrize("path", [(1e3, 0.0, 1e3), (1e3, 1e-6, 0.0, 2.0), (0.0, 5.0), (1e-4, 1e-2)])
@pytest.mark.parametrize(
    "company",
    [[], [("r8", "in", "0", 4.0)], [("r8", "in", "0", 4.0), ("r9", "in", "x", 0.0)]],
    ids=["alone", "with a resistor", "with a short too"],
)
def test_resistance_to_and_from_an_exact_short(path, company):
    """A resistor may become a short and back, alone of its form or not."""
    source = [("v1", "in", "0", 1.0), *company] if company else [("r0", "in", "0", 7.0)]
    c = circuit(("i1", "in", "out", 0.5), ("rload", "out", "in", path[0]), *source)
    for value in path:
        c = c.with_value("rload", value)
        point = operating_point(c)
        assert_allclose(point.v("out", "in"), 0.5 * value, rtol=1e-10, atol=1e-15)
        assert_allclose(point.i("rload"), 0.5, rtol=1e-10)


def test_the_only_resistor_becomes_a_short():
    c = circuit(("i1", "0", "out", 0.5), ("r1", "out", "0", 3.0))
    for value in (0.0, 2.0, 1e-6, 0.0):
        c = c.with_value("r1", value)
        assert_allclose(operating_point(c).v("out"), 0.5 * value, rtol=1e-13)


@pytest.mark.parametrize("value", [-1.0, np.nan])
def test_resistance_must_be_a_resistance(value):
    with pytest.raises(DataError, match="r2"):
        circuit(*DIVIDER[:2], ("r2", "out", "0", value))
    with pytest.raises(DataError, match="r2"):
        circuit(*DIVIDER).with_value("r2", value)


def test_plan_is_reused_where_the_topology_is_the_same():
    c = circuit(*DIVIDER)
    point = operating_point(c)
    plan = point.plan
    other = c.vary({"v1": 3.0, "r1": 500.0})
    assert plan.fits(other)
    near = operating_point(other, near=point)
    assert near.plan is plan
    assert_allclose(near.v("out"), 2.0, rtol=1e-13)
    assert not plan.fits(circuit(*DIVIDER, ("r3", "out", "0", 1.0)))
    assert not plan.fits(circuit(*DIVIDER[:2], ("r2", "in", "0", 1e3), ("r3", "out", "0", 1.0)))
    assert not plan.fits(c.with_value("r2", 0.0))


def test_plan_does_not_fit_another_sensed_element():
    """Same elements, same nodes, but f1 reads another current: the old plan would silently answer for the
    old one."""
    parts = [
        ("v1", "a", "0", 1.0),
        ("v2", "b", "0", 2.0),
        ("r1", "a", "0", 10.0),
        ("r2", "b", "0", 10.0),
        ("r3", "out", "0", 1.0),
    ]
    one, two = (circuit(*parts, ("f1", "0", "out", sensed, 3.0)) for sensed in ("v1", "v2"))
    assert_allclose(operating_point(two).v("out"), -0.6, rtol=1e-13)
    assert not operating_point(one).plan.fits(two)


def test_plan_does_not_fit_another_form_of_a_behavioural_source():
    current, voltage = (
        circuit(
            ("v1", "in", "0", 1.0),
            ("r1", "in", "a", 2.0),
            ("r2", "a", "0", 5.0),
            ("b1", "a", "0", form, "0.1*v(in)"),
        )
        for form in "iv"
    )
    assert not operating_point(current).plan.fits(voltage)


def test_nested_sweep():
    v, r = np.array([1.0, 2.0, 5.0]), np.array([500.0, 1e3])
    sweep = dc_sweep(circuit(*DIVIDER), {"R2": r, "v1": v})
    assert sweep.shape == (2, 3) and list(sweep.axes) == ["r2", "v1"]
    expected = v * (r / (r + 3e3))[:, None]
    assert_allclose(sweep["V(out)"], expected, rtol=1e-12)
    assert_allclose(sweep["v(in,out)"], v - expected, rtol=1e-12)
    assert_allclose(sweep["i(v1)"], -v / (r + 3e3)[:, None], rtol=1e-12)
    assert_allclose(sweep["r2"], np.broadcast_to(r[:, None], (2, 3)))
    assert_allclose(sweep["v1"], np.broadcast_to(v, (2, 3)))
    assert sweep.residual.shape == sweep.relative_residual.shape == (2, 3)
    assert (sweep.relative_residual <= 1e-10).all()
    with pytest.raises(DataError, match="nowhere"):
        sweep["v(nowhere)"]


@pytest.mark.parametrize("ohms", [[5.0, 1e-4, 0.0, 5.0], [0.0, 1e-4, 5.0]], ids=["down", "up"])
def test_sweep_of_a_resistance_through_a_short(ohms):
    """Every current stays under its own name while r2 changes its form, to a short and back."""
    sweep = dc_sweep(
        circuit(
            ("v1", "a", "0", 1.0), ("r1", "a", "b", 2.0), ("r2", "b", "0", ohms[0]), ("r3", "b", "0", 7.0)
        ),
        {"r2": ohms},
    )
    r2 = np.array(ohms)
    out = 7 * r2 / (7 + r2) / (2 + 7 * r2 / (7 + r2))
    assert_allclose(sweep["v(b)"], out, rtol=1e-12, atol=1e-15)
    assert_allclose(sweep["i(r1)"], (1 - out) / 2, rtol=1e-12)
    assert_allclose(sweep["i(r3)"], out / 7, rtol=1e-12, atol=1e-15)
    assert_allclose(sweep["i(r2)"], (1 - out) / 2 - out / 7, rtol=1e-10)


def test_failing_point_of_a_sweep_is_named():
    with pytest.raises(TopologyError, match="r2 = 0"):
        dc_sweep(
            circuit(("v1", "a", "0", 1.0), ("r2", "a", "0", 1.0), ("r3", "a", "0", 2.0)), {"r2": [1.0, 0.0]}
        )
    for axes in ({"v1": []}, {"nobody": [1.0]}):
        with pytest.raises(DataError):
            dc_sweep(circuit(*DIVIDER), axes)


def test_sweep_reaches_into_an_array():
    array = PassiveArray(np.full((2, 3), 1e-4), r_word=3.0)
    sweep = dc_sweep(
        array.to_circuit(word_left=0.0), {"v_word_left[1]": [0.2, 0.4]}, outputs=["i(x[1,2])", "v(x.wl[1,2])"]
    )
    solved = array.solve(word_left=[[0.0, 0.2], [0.0, 0.4]])
    assert_allclose(sweep["i(x[1,2])"], solved.cell_current[:, 1, 2], rtol=1e-9)
    assert_allclose(sweep["v(x.wl[1,2])"], solved.word_voltage[:, 1, 2], rtol=1e-9)
    assert_allclose(sweep["i(v_bit_bottom[2])"], solved.bit_current[:, 2], rtol=1e-9)


# Nonlinear circuits

JUNCTION = mtj.MTJParams(r_p=5e3, tmr=1.5, v_h=0.4)


def junction_divider(volts, state, series=6e3):
    return circuit(("v1", "in", "0", volts), ("r1", "in", "out", series), ("m1", "out", "0", JUNCTION, state))


@pytest.mark.parametrize(
    "solver", [Newton(), GminStepping(), SourceStepping(), Ladder()], ids=lambda s: type(s).__name__
)
@pytest.mark.parametrize("state", [1, -1, 0.3])
@pytest.mark.parametrize("volts", [-2.0, 0.3, 1.1])
def test_junction_divider_against_bisection(volts, state, solver):
    point = operating_point(
        junction_divider(volts, state), solver=solver, reltol=1e-10, abstol=1e-16, vntol=1e-12
    )
    root = brentq(
        lambda v: (volts - v) / 6e3 - mtj.current(v, JUNCTION, state)[0], -3.0, 3.0, xtol=1e-15, rtol=1e-14
    )
    assert_allclose(point.v("out"), root, rtol=1e-9)
    assert_allclose(point.i("m1"), (volts - root) / 6e3, rtol=1e-9)


@pytest.mark.parametrize("solver", [GminStepping(), SourceStepping()], ids=lambda s: type(s).__name__)
def test_wrappers_of_newton_find_its_point(solver):
    c = circuit(
        ("v1", "a", "0", 1.5),
        ("r1", "a", "b", 2e3),
        ("m1", "b", "c", JUNCTION, -1),
        ("m2", "c", "0", JUNCTION, 1),
        ("m3", "b", "d", JUNCTION, 1),
        ("r2", "d", "0", 1e3),
        ("i1", "0", "c", 1e-4),
        ("b1", "d", "0", "i", "1e-4*v(c)**2"),
    )
    tight = {"reltol": 1e-10, "abstol": 1e-16, "vntol": 1e-12}
    newton, other = operating_point(c, solver=Newton(), **tight), operating_point(c, solver=solver, **tight)
    assert newton.method == "newton" and other.method != "newton"
    assert_allclose(other.voltages, newton.voltages, rtol=1e-9)


def test_wrappers_help_where_newton_fails():
    """Arc tangent characteristics: full Newton steps from 0 oscillate, a ladder of solvers arrives."""
    c = circuit(
        ("v1", "in", "0", 100.0),
        ("r1", "in", "a", 1.0),
        ("b1", "a", "0", "v", "50*atan(20*(3-v(b)))"),
        ("r2", "a", "b", 1.0),
        ("r3", "b", "0", 1.0),
    )
    with pytest.raises(ConvergenceError) as error:
        operating_point(c, solver=Newton(max_steps=40))
    assert len(error.value.trace) > 1
    point = operating_point(c)
    assert point.method != "newton"
    b = brentq(lambda v: 25 * np.arctan(20 * (3 - v)) - v, -100, 100, xtol=1e-14)
    assert_allclose(point.v("b"), b, rtol=2e-3)


def test_no_solution_is_an_error_that_names_what_was_tried():
    """v^2 + v + 1 = 0 has no real root."""
    c = circuit(("r1", "a", "0", 1.0), ("b1", "a", "0", "i", "1+v(a)*v(a)"))
    with pytest.raises(ConvergenceError) as error:
        operating_point(c)
    for name in ("Newton", "GminStepping", "SourceStepping"):
        assert name in str(error.value)


def every_kind():
    """A circuit with each kind of element."""
    array = PassiveArray(
        np.array([[1e-4, 2e-4], [0.0, 3e-4]]), r_word=2.0, r_bit=[[0, 1], [2, 3], [np.inf, 4]]
    )
    flat = array.to_circuit(word_left=[0.3, 0.4])
    loose = circuit(
        ("v1", "a", "0", 1.5),
        ("r1", "a", "b", 2e3),
        ("m1", "b", "c", JUNCTION, -0.4),
        ("r0", "c", "d", 0.0),
        ("e1", "e", "0", "b", "c", 3.0),
        ("r2", "e", "d", 1e3),
        ("g1", "d", "0", "a", "b", 1e-4),
        ("f1", "0", "d", "v1", 0.3),
        ("h1", "h", "0", "e1", 70.0),
        ("r3", "h", "d", 300.0),
        ("r4", "d", "0", 500.0),
        ("i1", "0", "d", 1e-3),
        ("b1", "d", "0", "i", "1e-4*v(b)**3+2*i(v1)*v(e,h)"),
        ("b2", "k", "0", "v", "sin(3*v(d))*exp(v(b,c))+100*i(h1)"),
        ("r5", "k", "0", 40.0),
    )
    return [flat, loose]


@pytest.mark.parametrize("which", [0, 1], ids=["array", "circuit"])
def test_jacobian_against_differences(which):
    """The assembled Jacobian of every kind of element is the derivative of the assembled residual."""
    c = every_kind()[which]
    system = System(c, analyse(c), Tolerances())
    x = np.random.default_rng([SEED, which]).normal(size=system.size) * 0.3
    jacobian = system.evaluate(x).jacobian.toarray()
    for k in range(system.size):
        step = np.zeros(system.size)
        step[k] = 1e-5
        difference = (system.evaluate(x + step).residual - system.evaluate(x - step).residual) / 2e-5
        assert_allclose(jacobian[:, k], difference, rtol=0, atol=1e-8 * max(1.0, np.abs(difference).max()))


def test_behavioural_source_value():
    """Current and voltage form against a hand calculation; the current form flows from + to -."""
    point = operating_point(
        circuit(
            ("v1", "a", "0", 2.0),
            ("r1", "b", "0", 10.0),
            ("b1", "0", "b", "i", "0.1*v(a)**2+i(v1)"),
            ("r2", "a", "0", 4.0),
        )
    )
    assert_allclose(point.v("b"), 10 * (0.4 - 0.5), rtol=1e-9)
    point = operating_point(
        circuit(("v1", "a", "0", 2.0), ("r1", "b", "0", 10.0), ("b1", "b", "0", "v", "v(a)*3-1"))
    )
    assert_allclose([point.v("b"), point.i("b1")], [5.0, -0.5], rtol=1e-9)


# The certificate


@pytest.mark.parametrize("junctions", [False, True], ids=["linear", "junctions"])
def test_corrupted_voltage_raises_the_reported_residual(junctions):
    rng = np.random.default_rng([SEED, 5])
    g = rng.uniform(1e-4, 2e-4, (4, 5))
    array = PassiveArray(MTJCells(JUNCTION, g > 1.5e-4) if junctions else g, r_word=3.0, r_bit=3.0)
    c = array.to_circuit(word_left=rng.uniform(0.1, 1.0, 4))
    point = operating_point(c, reltol=1e-10)
    system = System(c, analyse(c), Tolerances(reltol=1e-10))
    assert system.evaluate(point.x).misfit <= 1
    for node in ("x.wl[2,3]", "x.bl[0,4]"):
        bad = point.x.copy()
        bad[c.node(node) - 1] += 1e-6
        at = system.evaluate(bad)
        # 1 uV leaves at least the slope of the cell there times 1 uV unbalanced, in the wires still more
        assert np.abs(at.residual).max() >= 1e-10
        assert at.misfit > 100


def test_corrupted_branch_current_raises_the_misfit():
    c = circuit(*DIVIDER)
    system = System(c, analyse(c), Tolerances())
    x = operating_point(c).x
    for k in range(x.size):
        bad = x.copy()
        bad[k] *= 1 + 1e-8
        assert system.evaluate(bad).misfit > 1, system.name(k)


def test_tolerance_below_rounding():
    """Refused, or met as well as double precision can."""
    try:
        c = circuit(*DIVIDER, ("r3", "in", "out", 0.7e3))
        point = operating_point(c, reltol=1e-30, abstol=1e-30, vntol=1e-30)
    except CrossbarError:
        return
    bridged = 1 / (1 / 3e3 + 1 / 0.7e3)
    assert_allclose(point.v("out"), 10.0 * 1e3 / (1e3 + bridged), rtol=1e-15)


# Factorisation


@pytest.mark.parametrize("kind", ["symmetric", "unsymmetric", "zero pivots"])
def test_factors_solve_to_rounding(kind):
    """Quasidefinite [G A; A' -R], R partly 0; the same made unsymmetric; one that no diagonal pivot can
    start."""
    rng = np.random.default_rng([SEED, len(kind)])
    nodes, branches = 30, 12
    g = np.diag(rng.uniform(1, 2, nodes)) * 1e-4
    a = np.zeros((nodes, branches))
    a[rng.permutation(nodes)[:branches], np.arange(branches)] = 1
    r = np.diag(np.where(rng.random(branches) < 0.5, 0.0, 1e-3))
    matrix = np.block([[g, a], [a.T, -r]])
    if kind == "unsymmetric":
        matrix[3, 7] += 1e-4
    elif kind == "zero pivots":
        matrix = rng.normal(size=matrix.shape) * (rng.random(matrix.shape) < 0.3)
        np.fill_diagonal(matrix, 0)
    b = rng.normal(size=nodes + branches)
    expected = np.linalg.solve(matrix, b)
    x = factorise(csc_array(matrix), slice(0, nodes)).solve(b)
    backward = np.abs(matrix @ x - b) / (np.abs(matrix) @ np.abs(x) + np.abs(b))
    assert backward.max() <= 1e-12
    assert_allclose(x, expected, rtol=0, atol=1e-8 * np.abs(expected).max())


def test_singular_matrix():
    matrix = csc_array(np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 0.0], [0.0, 0.0, 1.0]]))
    with pytest.raises(ConvergenceError, match="singular"):
        factorise(matrix, slice(0, 3)).solve(np.ones(3))


# Refusals


def test_empty_circuit():
    with pytest.raises(DataError):
        operating_point(CircuitBuilder().build())


def test_two_elements_of_one_name():
    with pytest.raises(DataError, match="r1"):
        circuit(("r1", "a", "0", 1.0), ("R1".lower(), "b", "0", 1.0))


@pytest.mark.parametrize("output", ["v()", "v(a,b,c)", "w(a)", "i(r1,r2)", "out"])
def test_output_that_is_none(output):
    with pytest.raises(DataError):
        operating_point(circuit(*DIVIDER))[output]
