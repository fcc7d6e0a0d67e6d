"""Decks that are right: what their text means, by Ohm's and Kirchhoff's laws.

Comparisons with ngspice are in test_decks.py, decks that are wrong in test_netlist_errors.py.
"""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crossbar as xb


def deck(*lines: str, title: str = "title") -> xb.Deck:
    return xb.parse_netlist("\n".join([title, *lines]) + "\n")


def near(wanted: object) -> object:
    """Equal but for the rounding of a linear solution."""
    return pytest.approx(wanted, rel=1e-9, abs=1e-12)


def op(*lines: str, title: str = "title") -> xb.OperatingPoint:
    return xb.run(deck(*lines, title=title)).op


def amps(*lines: str) -> float:
    """Current that a 1 V source `vx` drives from node a to ground through what the lines describe."""
    return -op("vx a 0 1", *lines).i("vx")


def files(folder: Path, **texts: str) -> None:
    """Text files; in a name, __ stands for a dot and _ for a slash."""
    for name, text in texts.items():
        path = folder / name.replace("__", ".").replace("_", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


# --- lines and words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("title",
                         ["R1 a 0 not a number", "it's never { closed (", ".include nothing", "+ 1k", "* x",
                          ""])
def test_line_1_is_the_title_whatever_it_says(title: str) -> None:
    run = xb.run(deck("v1 a 0 1", "r1 a 0 2", title=title))
    assert run.title == title
    assert run.op.i("r1") == near(0.5)


def test_title_card_replaces_the_title() -> None:
    assert deck(".title Another One", "v1 a 0 1", "r1 a 0 1").title == "Another One"


EVERYTHING = """Every kind of element and card
.param Vin=2 Half={Vin/2} Quoted='Half + 1'
.func Twice(X) {2*X}
.options RelTol=1e-4 Seed=11
.global Rail
.model Junction mtj (R_P=5k Tmr=1 Vh=0.5)
.model Grid xbar (Rows=2 Cols=3 Mtj=Junction R_wl=1 R_bl=2 R_driver=10)
.subckt Sub P[0:1] Q R=1k
.param Local={R*2}
Ra P[0] Q {Local} Tc1=1m M=2
Rb P[1] Rail {Twice(R)}
Vs Q 0 0
F1 0 Z Vs 2
Rz Z 0 1
.ends Sub
Vr Rail 0 DC 1
V[0:1] W[0:1] 0 DC {Quoted}
X1 W[0:1] N Sub R=2K
E1 E 0 W[0] 0 2
G1 0 G W[0] 0 1M
H1 H 0 Vr 3
Re E 0 1
Rg G 0 1K
Rh H 0 1
B1 BB 0 V={V(E)*2+I(V[0])}
Rbb BB 0 1MEG
I1 0 G 1u
Ymtj J1 W[0] 0 Junction State=AP
Yxbar XA W[0:1] D[0:2] Grid State=Random
Rd[0:2] D[0:2] 0 {Half}
.op
.dc V[0] 0 1 0.5 Vin 1 2 1
.print op V(X1.Z) I(X1.Ra) V(XA.WL[0,1]) I(XA[1,2]) State(J1)
.print dc V(E) I(V[0:1])
.end
"""


@pytest.mark.parametrize("change", [str.upper, str.lower, str.swapcase])
def test_case_means_nothing(change: Callable[[str], str]) -> None:
    plain, changed = (xb.run(xb.parse_netlist(text)) for text in (EVERYTHING, change(EVERYTHING)))
    assert list(changed.analyses) == ["op", "dc"]
    for name in plain.analyses:
        outputs = plain.printed(name)
        assert outputs == list(changed.printed(name))
        for output in outputs:
            assert np.array_equal(plain.analyses[name][output], changed.analyses[name][output]), output
    assert changed.op.v("BB") == changed.op.v("bb") == changed.op["V(Bb)"] != 0


def test_ground_has_two_names() -> None:
    point = op("v1 GND a -1", "r1 a gnd 1", "r2 b 0 1", "i1 Gnd b 2")
    assert (point.v("a"), point.v("b"), point.v("gnd"), point.v("0")) == near((1, 2, 0, 0))


def test_names_that_look_like_ground_are_not() -> None:
    point = op("v1 00 0 1", "v2 gnd1 0 2", "r1 00 gnd1 1")
    assert (point.v("00"), point.v("gnd1"), point.i("r1")) == near((1, 2, -1))


@pytest.mark.parametrize("line", [
    "r1 a 0 2", "   r1 a 0 2", "\tr1\ta\t0\t2", "r1 a 0 2 ; ohm ( { '", "r1 a 0 2;ohm",
    "r1 a 0 2 $ ohm ) } \"", "r1,a,0,2",
    "r1 (a 0) 2", "r1 (a, 0) (2)", "r1 a 0 r=2", "r1 a 0 r = 2", "r1 a 0 r= 2", "r1 a 0 resistance ={2}",
    "r1 a 0 {1 + 1}",
    "r1 a 0 '1 + 1'", 'r1 a 0 "1 + 1"', "r1 a 0 2ohm", "r1 a 0 2e0", "r1 a 0 0.002k", "r1 a 0 {max(1, 2)}",
    "r1 a 0 r={ 2 }",
    "r1 a 0 (1+1)", "r1 a 0 2 m=1", "r1 a 0 4 m = {1+1}"])
def test_ways_to_write_one_resistor(line: str) -> None:
    assert amps(line) == pytest.approx(0.5, rel=1e-12)


def test_an_expression_may_begin_and_end_with_parentheses_that_do_not_belong_together() -> None:
    assert amps("r1 a 0 {(1+2)*(3)}") == near(1 / 9)
    assert op("v1 a 0 2", "b1 b 0 v=(v(a)+1)*(v(a)-1)", "r1 b 0 1").v("b") == near(3)


@pytest.mark.parametrize("lines", [
    ("r1", "+ a 0", "+2"),
    ("r1 a", "* a comment", "+ 0", "", "   * another ( {", "  + 2"),
    ("r1 a 0 ; half of it", "+ 2 ; the other"),
    ("r1 a 0 $ half of it", "+ 2"),
    ("r1 a 0", "+", "+ 2")])
def test_a_card_goes_on_after_plus(lines: tuple[str, ...]) -> None:
    assert amps(*lines) == near(0.5)


@pytest.mark.parametrize("lines", [
    (".param p={1", "+ + 1}", "r1 a 0 {p}"),
    ("r1 a 0 {max(1,", "+ 2)}"),
    (".subckt s (x", "+ y)", "r1 x y 2", ".ends", "x1 a 0 s"),
    (".model m mtj (r_p=2", "* a comment", "+ tmr=1", "+ vh=inf)", "ymtj j a 0 m")])
def test_what_is_opened_on_one_line_may_be_closed_on_the_next(lines: tuple[str, ...]) -> None:
    assert amps(*lines) == near(0.5)


def test_dollar_and_brackets_inside_names() -> None:
    point = op("v1 a$b 0 1", "r1 a$b bus[3] 1", "r2 bus[3] 0 3")
    assert (point.v("a$b"), point.v("bus[3]")) == near((1, 0.75))


def test_end_ends() -> None:
    assert op("v1 a 0 1", "r1 a 0 1", ".END", "this is no element").i("r1") == near(1)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings_and_byte_order_mark(ending: str, tmp_path: Path) -> None:
    path = tmp_path / "deck.cir"
    path.write_bytes(b"\xef\xbb\xbf" + ending.join(["title", "v1 a 0 1", "r1 a 0", "+ 2"]).encode())
    run = xb.run(path)
    assert run.title == "title" and run.op.i("r1") == near(0.5)


# --- elements and their signs -------------------------------------------------------------------------------


def test_signs_of_sources() -> None:
    """A positive current enters the + terminal; I and G drive it from + through themselves to -."""
    point = op("v1 a 0 dc 2", "r1 a 0 1", "i1 0 b dc=3", "r2 b 0 1", "v0 c 0", "r3 a c 4",
               "g1 0 d a 0 5", "rd d 0 1", "e1 e 0 0 a 6", "re e 0 1",
               "f1 0 f v0 7", "rf f 0 1", "h1 h 0 v0 8", "rh h 0 1")
    assert point.i("v1") == pytest.approx(-2.5)
    assert point.i("v0") == pytest.approx(0.5)
    wanted = {"b": 3, "d": 10, "e": -12, "f": 3.5, "h": 4}
    assert {n: point.v(n) for n in wanted} == pytest.approx(wanted)


@pytest.mark.parametrize("line", [
    "b1 b 0 v={2*v(a)+i(v1)}", "b1 b 0 V = '2 * v(a) + i(v1)'", "e1 b 0 value={2*v(a)+i(v1)}",
    "e1 b 0 VALUE {2*v(a)+i(v1)}",
    "e1 b 0 vol='2*v(a)+i(v1)'", "b1 0 b i={2*v(a)+i(v1)}", "g1 0 b value={2*v(a)+i(v1)}",
    "g1 0 b cur='2*v(a)+i(v1)'",
    "g1 0 b VALUE = {2*v(a,0)+i(V1)}"])
def test_expression_sources(line: str) -> None:
    assert op("v1 a 0 3", "r1 a 0 3", line, "rb b 0 1").v("b") == pytest.approx(5, rel=1e-9)


@pytest.mark.parametrize("expression, wanted", [
    ("1/v(a)", 0.25), ("v(a)/v(b)", 2), ("sqrt(v(a))", 2), ("ln(v(b))", np.log(2)), ("v(a)**0.5", 2),
    ("exp(-v(a))", np.exp(-4))])
def test_expressions_that_have_no_value_at_zero_volts(expression: str, wanted: float) -> None:
    """The nodes they read are held by sources: there is one solution, and it is plain."""
    point = op("v1 a 0 4", "v2 b 0 2", f"b1 c 0 v={{{expression}}}", "rc c 0 1")
    assert point.v("c") == pytest.approx(wanted, rel=1e-6)


def test_multiplier_and_temperature_coefficients() -> None:
    lines = ("r1 a 0 1k tc1=0.01 tc2=1e-4 m=4", ".param unused=0")
    assert amps(*lines) == pytest.approx(4e-3)
    for card in (".temp 77", ".options temp=77", ".options temp=50 tnom=0"):
        assert amps(*lines, card) == pytest.approx(4e-3 / (1 + 0.01 * 50 + 1e-4 * 50 ** 2))


def test_temper_is_the_temperature() -> None:
    assert op("v1 a 0 {temper}", "r1 a 0 1").v("a") == near(27)
    point = op("v1 a 0 1", "b1 b 0 v={temper*v(a)}", "r1 b 0 {100+temper}", ".temp -40")
    assert point.v("b") == pytest.approx(-40) and point.i("r1") == pytest.approx(-40 / 60)


def test_a_resistance_of_zero_is_an_exact_short_with_a_warning() -> None:
    run = xb.run(deck("v1 a 0 1", "r1 a b 0", "r2 b 0 2"))
    assert run.op.v("a", "b") == 0 and run.op.i("r1") == near(0.5)
    warning, = run.warnings
    assert warning.startswith("<string>:3: r1 ") and "short" in warning


@pytest.mark.parametrize("ohms", ["1n", "1u", "1m", "1", "1g"])
def test_small_and_large_resistances_keep_their_digits(ohms: str) -> None:
    point = op("v1 a 0 1", f"r1 a b {ohms}", f"r2 b 0 {ohms}")
    assert point.v("b") == pytest.approx(0.5, rel=1e-9)
    assert point.i("r1") == pytest.approx(point.i("r2"), rel=1e-9)


@pytest.mark.parametrize("volts", [1e-12, 1e-3, 5, 48, 1e6])
def test_the_scale_of_a_linear_circuit_does_not_matter(volts: float) -> None:
    assert op(f"v1 a 0 {volts}", "r1 a b 1k", "r2 b 0 3k").v("b") == pytest.approx(0.75 * volts, rel=1e-9)


# --- parameters and functions -------------------------------------------------------------------------------

PARAMS = ("a=2", "b={a*3}", "c='b + d'", "d = 4", "e=a+b*c")  # a 2, d 4, b 6, c 10, e 62


@pytest.mark.parametrize("order", list(itertools.permutations(range(5)))[::7])
def test_parameters_need_no_order(order: tuple[int, ...]) -> None:
    cards = [f".param {PARAMS[k]}" for k in order]
    for lines in ([*cards, "v1 x 0 {e}", "r1 x 0 {c}"], ["v1 x 0 {e}", "r1 x 0 {c}", *cards],
                  [".param " + " ".join(PARAMS[k] for k in order), "v1 x 0 {e}", "r1 x 0 {c}"]):
        assert op(*lines).i("r1") == pytest.approx(6.2)


@pytest.mark.parametrize("card", [
    ".func f(x, y) {x + 2*y}", ".func f(x,y)='x+2*y'", ".func f(x,y) = {x+2*y}", ".FUNC F (X,Y) {X+2*Y}",
    ".func f(y,x) {y+2*x}", ".func f(x,y) {g(x)+2*y}\n.func g(z) {z}",
    ".func f(p,q) {p + q*two}\n.param two=2"])
def test_functions(card: str) -> None:
    assert op(card, "v1 a 0 {f(1, 3)}", "r1 a 0 1").v("a") == near(7)
    assert op(card, "v1 a 0 1", "b1 b 0 v={f(v(a), i(v1))}", "r1 a 0 1",
              "r2 b 0 1").v("b") == pytest.approx(-1)


def test_a_function_argument_hides_a_parameter() -> None:
    assert op(".param x=100", ".func f(x) {x+1}", "v1 a 0 {f(2)+x}", "r1 a 0 1").v("a") == near(103)


def test_a_parameter_hides_a_constant() -> None:
    assert op(".param pi=3", "v1 a 0 {pi}", "r1 a 0 1").v("a") == near(3)


def test_parameters_from_outside_take_the_place_of_the_decks() -> None:
    d = deck(".param p=1 q={2*p}", "v1 a 0 {q}", "r1 a 0 1")
    given_values: list[dict[str, float]] = [{}, {"p": 3}, {"P": 3, "q": 5}, {"q": 5}]
    assert [xb.operating_point(d.elaborate(v)).v("a") for v in given_values] == near([2, 6, 5, 5])
    assert xb.operating_point(d.circuit).v("a") == near(2)
    with pytest.raises(xb.DataError, match="'nope'"):
        d.elaborate({"nope": 1.0})


def test_random_parameters_are_nominal_without_a_generator() -> None:
    d = deck(".param r={agauss(1k, 100, 1)}", "v1 a 0 1", "r1 a 0 {r}")
    assert xb.operating_point(d.circuit).i("r1") == pytest.approx(1e-3)
    drawn = [xb.operating_point(d.elaborate(rng=np.random.default_rng(seed))).i("r1")
             for seed in (731, 731, 732)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != pytest.approx(drawn[2], rel=1e-9)
    assert 1 / drawn[0] != pytest.approx(1e3, rel=1e-9)


# --- subcircuits and scopes ---------------------------------------------------------------------------------


def test_instances_have_their_own_nodes_and_share_ground() -> None:
    point = op(".subckt half in out", "r1 in mid 1", "r2 mid out 1", "r3 mid 0 1", ".ends half",
               "v1 a 0 3", "x1 a b half", "x2 a 0 half", "rb b 0 1e12")
    assert point.v("x1.mid") == pytest.approx(1.5, rel=1e-9)
    assert point.v("x2.mid") == pytest.approx(1)
    assert point.i("x2.r3") == pytest.approx(1) and point.i("X1.R2") == pytest.approx(0, abs=1e-9)


def test_an_instance_may_come_before_its_definition() -> None:
    assert amps("x1 a s", ".subckt s p", "r1 p 0 4", ".ends") == near(0.25)


@pytest.mark.parametrize("head",
                         [".subckt s p r=1k rr={2*r}", ".subckt s p PARAMS: r=1k rr={2*r}",
                          ".subckt s p r = 1k rr = '2*r'",
                          ".subckt s (p) rr={2*r} r=1k"])
@pytest.mark.parametrize("given, ohms", [("", 2e3), ("r=5k", 10e3), ("PARAMS: r = 5k", 10e3), ("rr=3k", 3e3),
                                         ("r=5k rr=7k", 7e3), ("rr={r}", 50), ("r={r} ", 100)])
def test_parameters_of_subcircuits(head: str, given: str, ohms: float) -> None:
    """Defaults may use each other; what an instance gives is evaluated where it stands (there r = 50)."""
    assert 1 / amps(".param r=50", head, "r1 p 0 {rr}", ".ends", f"x1 a s {given}") == pytest.approx(ohms)


def test_a_default_may_be_the_outer_parameter_of_the_same_name() -> None:
    """As in ngspice, see test_decks.py."""
    assert 1 / amps(".param r=3k", ".subckt s p r={r}", "r1 p 0 {r}", ".ends", "x1 a s") == pytest.approx(3e3)


def test_local_parameters_hide_global_ones_only_inside() -> None:
    lines = (".param r=1k k=2", ".subckt s p", ".param q={r*k}", ".param r=3k", "r1 p 0 {q}", ".ends",
             "x1 a s", "r9 a 0 {r}")
    point = op("v1 a 0 6", *lines)
    assert point.i("x1.r1") == pytest.approx(1e-3)
    assert point.i("r9") == pytest.approx(6e-3)


def test_an_instance_sets_local_parameters_too() -> None:
    assert 1 / amps(".subckt s p", ".param r=2k", "r1 p 0 {r}", ".ends", "x1 a s r=3k") == pytest.approx(3e3)


def test_each_instance_has_its_own_values() -> None:
    point = op(".subckt s p r=1", "r1 p 0 {r}", ".ends", "v1 a 0 6", *(f"x{k} a s r={k}" for k in (1, 2, 3)))
    assert [point.i(f"x{k}.r1") for k in (1, 2, 3)] == near([6, 3, 2])


def test_nested_definitions_hide_outer_ones_only_inside() -> None:
    lines = (".subckt in p", "r1 p 0 1", ".ends",
             ".subckt out p", ".subckt in p", "r1 p 0 2", ".ends in", "x1 p in", ".ends out", "v1 a 0 2",
             "x1 a out", "x2 a in")
    point = op(*lines)
    assert (point.i("x1.x1.r1"), point.i("x2.r1")) == near((1, 2))


def test_a_nested_definition_may_have_the_name_of_one_around_it() -> None:
    assert amps(".subckt s p", ".subckt s p", "r1 p 0 4", ".ends", "x1 p s", ".ends", "x1 a s") == near(0.25)


def test_a_nested_definition_sees_the_parameters_around_it() -> None:
    lines = (".param g=1", ".subckt out p k=2", ".subckt in p k2={3*k}", "r1 p 0 {k2+g}", ".ends", "x1 p in",
             ".ends")
    assert amps(*lines, "x1 a out") == pytest.approx(1 / 7)
    assert amps(*lines, "x1 a out k=4") == pytest.approx(1 / 13)


def test_models_and_functions_are_local() -> None:
    lines = (".model m mtj (r_p=1 vh=inf)", ".func f(x) {x}", ".subckt s p", ".model m mtj (r_p=2 vh=inf)",
             ".func f(x) {4*x}",
             "ymtj j p 0 m", "r1 p 0 {f(1)}", ".ends", "v1 a 0 4", "x1 a s", "ymtj j a 0 m", "r1 a 0 {f(1)}")
    point = op(*lines)
    assert [point.i(n) for n in ("x1.j", "j", "x1.r1", "r1")] == pytest.approx([2, 4, 1, 4])


def test_a_model_sees_the_parameters_of_its_own_level() -> None:
    lines = (".param r=2", ".model m mtj (r_p={r} vh=inf)", ".subckt s p r=5", "ymtj j p 0 m", ".ends")
    assert amps(*lines, "x1 a s r=7") == near(0.5)


def test_global_nodes_are_the_same_everywhere() -> None:
    point = op(".subckt s p", "r1 p rail 1", "r2 p other 1", "r3 other 0 1", ".ends", ".global rail bus[0:1]",
               "v1 rail 0 3", "v2 other 0 100", "x1 b s", "x2 c s", "r9 bus[0] bus[1] 1", "v3 bus[1] 0 1")
    assert (point.v("b"), point.v("c")) == near((2, 2))
    assert point.v("bus[0]") == near(1)


def test_currents_are_sensed_inside_subcircuits() -> None:
    point = op(".subckt s p out", "vs p q 0", "r1 q 0 2", "f1 0 out vs 10", "h1 h 0 vs 3", "rh h 0 1",
               "b1 bb 0 v={4*i(vs)+v(q)}", "rb bb 0 1", "e1 e 0 q 0 2", "re e 0 1", ".ends",
               "vs a 0 1", "x1 a o1 s", "v2 c 0 2", "x2 c o2 s", "r1 o1 0 1", "r2 o2 0 1", "h9 z 0 x2.vs 1",
               "rz z 0 1")
    wanted = {"o1": 5, "o2": 10, "x1.h": 1.5, "x2.h": 3, "x1.bb": 3, "x2.bb": 6, "x2.e": 4, "z": 1}
    assert {n: point.v(n) for n in wanted} == pytest.approx(wanted)


def test_forty_levels_of_subcircuits() -> None:
    levels = [line for k in range(40) for line in (f".subckt s{k} p", f"x1 p s{k + 1}", "r1 p 0 40", ".ends")]
    assert amps(*levels, ".subckt s40 p", ".ends", "x1 a s0") == pytest.approx(1)


# --- buses --------------------------------------------------------------------------------------------------


def test_a_bus_in_the_name_makes_one_element_a_bit() -> None:
    point = op("v[0:3] w[0:3] 0 dc {2}", "r[3:0] w[3:0] sum 4", "r9 sum 0 1")
    assert point.v("sum") == pytest.approx(1)
    assert [point.i(f"r[{k}]") for k in range(4)] == pytest.approx([0.25] * 4)


def test_buses_are_matched_bit_by_bit_in_their_own_order() -> None:
    point = op(*(f"v{k} a[{k}] 0 {k}" for k in range(3)), "r[0:2] a[2:0] b[5:7] 1", "rb[0:2] b[5:7] 0 1")
    assert [point.v(f"b[{k}]") for k in (5, 6, 7)] == pytest.approx([1, 0.5, 0])


def test_names_go_on_after_the_bus() -> None:
    point = op("va[0:1]x p[0:1]q 0 1", "r[0:1] p[0:1]q 0 2")
    assert (point.v("p[1]q"), point.i("va[0]x")) == near((1, -0.5))


def test_controlled_and_expression_sources_on_buses() -> None:
    point = op("v[0:1] a[0:1] 0 1", "v2 a[2] 0 3", "r[0:2] a[0:2] 0 1", "e[0:2] e[0:2] 0 a[0:2] 0 2",
               "re[0:2] e[0:2] 0 1",
               "f[0:1] 0 f[0:1] v[0:1] 5", "rf[0:1] f[0:1] 0 1", "b[0:1] b[0:1] 0 v={v(a[2])}",
               "rb[0:1] b[0:1] 0 1")
    wanted = {"e[0]": 2, "e[2]": 6, "f[0]": -5, "f[1]": -5, "b[0]": 3, "b[1]": 3}
    assert {n: point.v(n) for n in wanted} == pytest.approx(wanted)


def test_buses_of_subcircuits() -> None:
    lines = (".subckt pair p[0:1] q", "r[0:1] p[0:1] q 1", ".ends", "v[0:1] a[0:1] 0 2")
    assert op(*lines, "x1 a[0:1] b pair", "r9 b 0 1").v("b") == pytest.approx(4 / 3)
    assert op(*lines, "x1 a[1] a[0] b pair", "r9 b 0 1").i("x1.r[0]") == pytest.approx(2 / 3)
    many = op(".subckt s p", "r1 p 0 2", ".ends", "v[0:2] a[0:2] 0 1", "x[0:2] a[0:2] s")
    assert [many.i(f"x[{k}].r1") for k in range(3)] == near([0.5] * 3)


def test_outputs_on_buses() -> None:
    d = deck("v[0:2] a[0:2] 0 1", "r[0:2] a[0:2] 0 1", ".op", ".print op v(a[0:2]) i(r[1:0])",
             ".save v(a[1:2])")
    assert d.printed("op") == ["v(a[0])", "v(a[1])", "v(a[2])", "i(r[1])", "i(r[0])"]
    assert d.saved == ["v(a[1])", "v(a[2])"]


# --- included files -----------------------------------------------------------------------------------------


def test_files_are_looked_for_beside_the_file_that_names_them(tmp_path: Path,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    files(tmp_path, top__cir="title\n.include 'parts/one.inc'\nv1 a 0 1\n.op\n",
          parts_one__inc="r1 a b 1\n.include deeper/two.inc\n.inc \"deeper/with blank.inc\"\n",
          parts_deeper_two__inc="R2 b 0 3\n.end\nnever read\n", parts_two__inc="wrong file\n")
    (tmp_path / "parts/deeper/with blank.inc").write_text("r3 b 0 {r}\n.param r=1.5\n")
    monkeypatch.chdir(tmp_path / "parts")
    assert xb.run(tmp_path / "top.cir").op.v("b") == pytest.approx(0.5)
    assert xb.run("../top.cir").op.v("b") == pytest.approx(0.5)


def test_a_file_may_be_included_twice_in_different_scopes(tmp_path: Path) -> None:
    files(tmp_path, r__inc="r1 p 0 {r}\n")
    (tmp_path / "top.cir").write_text("title\n.subckt s p r=1\n.include r.inc\n.ends\n.subckt t p r=4\n"
                                      ".include r.inc\n.ends\n"
                                      "v1 a 0 1\nx1 a s\nx2 a t\n")
    point = xb.run(tmp_path / "top.cir").op
    assert (point.i("x1.r1"), point.i("x2.r1")) == near((1, 0.25))


def test_a_text_with_a_path_includes_from_there(tmp_path: Path) -> None:
    files(tmp_path, r__inc="r1 a 0 2\n")
    text = "title\n.include r.inc\nv1 a 0 1\n"
    assert xb.run(xb.parse_netlist(text, path=str(tmp_path / "no such deck.cir"))).op.i("r1") == near(0.5)


# --- junctions and arrays -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [
    (".model m mtj (r_p=1k tmr=1 vh=inf)", "ymtj j a 0 m state=ap"),
    (".model m mtj(rp=1k,tmr=1,v_h=inf)", "YMTJ j a 0 m STATE = AP"),
    (".model m mtj rp=1k tmr=1 vh=inf", "ymtj j (a 0) m state=ap"),
    (".model m mtj (preset=mtj-60kT rp=1k tmr={0.5*2} vh=inf)", "ymtj j a 0 m state=ap"),
    (".model m mtj (rp=5 tmr=7)", "ymtj j a 0 m state=ap r_p=1k tmr=1 vh=inf"),
    (".param p=1k t=1", ".model m mtj (rp={p} tmr={t} vh=inf)", "ymtj j a 0 m state=ap"),
    (".model m mtj (ra=1e-12 diameter={sqrt(4e-15/pi)} tmr=1 vh=inf)", "ymtj j a 0 m state=ap")])
def test_ways_to_write_one_junction(lines: tuple[str, ...]) -> None:
    assert amps(*lines) == pytest.approx(0.5e-3)


def test_bias_halves_the_tmr_at_vh() -> None:
    lines = (".model m mtj (r_p=1k tmr=1 vh=1)", "ymtj p a 0 m", "ymtj ap 0 a m state=AP")
    point = op("v1 a 0 1", *lines)
    assert point.i("p") == pytest.approx(1e-3)
    assert point.i("ap") == pytest.approx(-1e-3 / 1.5)


def junction(*lines: str) -> xb.MTJParams:
    """Parameters of the one junction of a deck."""
    batch, = (b for b in deck("v1 a 0 0.3", *lines).circuit.batches if hasattr(b, "params"))
    return batch.params  # type: ignore[no-any-return]


def test_a_junction_takes_the_parameters_of_the_python_interface() -> None:
    p = junction(".model m mtj (preset=mtj-60kT delta=50 tau_d=2n vc0=0.4 xi=20f barrier=0.4)",
                 "ymtj j a 0 m state=ap diameter=40n")
    wanted = xb.mtj.presets["mtj-60kT"].replace(delta=50, tau_d=2e-9, v_c0_p=0.4, v_c0_ap=0.4, xi=20e-15, barrier=0.4,
                                                diameter=40e-9)
    for name in ("r_p", "delta", "tau_d", "xi", "barrier", "diameter", "i_c0_p", "i_c0_ap"):
        assert getattr(p, name) == pytest.approx(getattr(wanted, name), rel=1e-9)
    with pytest.raises(xb.NetlistError, match="second time"):
        junction(".model m mtj (vh=0.4 v_h=0.5)", "ymtj j a 0 m")
    with pytest.raises(xb.NetlistError, match="no parameter"):
        junction(".model m mtj (volume=3)", "ymtj j a 0 m")
    with pytest.raises(xb.NetlistError, match="diameter must be positive"):
        junction(".model m mtj (diameter=50)", "ymtj j a 0 m")


def test_junctions_follow_the_temperature_of_the_deck() -> None:
    """27 degrees are the 300 K of the parameters; a model with a temperature of its own keeps it."""
    model = ".model m mtj (preset=mtj-60kT)"
    assert junction(model, "ymtj j a 0 m").temperature == 300
    assert junction(model, "ymtj j a 0 m", ".temp 87").temperature == pytest.approx(360)
    assert junction(".model m mtj (temperature=250)", "ymtj j a 0 m", ".temp 87").temperature == 250
    hot = junction(".model m mtj (delta=50)", "ymtj j a 0 m", ".temp 87")
    assert hot.delta == pytest.approx(xb.MTJParams(delta=50).replace(temperature=360).delta)
    assert hot.delta < 45
    sweep = xb.run(deck("v1 a 0 0.1", model, "ymtj j a 0 m state=ap", ".dc temp 27 87 60")).dc["i(v1)"]
    assert sweep == pytest.approx([-xb.mtj.current(0.1, xb.MTJParams(temperature=t), -1)[0] for t in (300, 360)])


def test_junctions_of_different_models_share_a_batch() -> None:
    """A given resistance beside a geometry, a barrier beside none."""
    lines = (".model a mtj (r_p=1k vh=inf)", ".model b mtj (preset=mtj-60kT barrier=0.4)", "ymtj j1 a 0 a",
             "ymtj j2 a 0 b state=ap")
    point = op("v1 a 0 0.3", *lines)
    assert point.i("j1") == pytest.approx(0.3e-3)
    assert point.i("j2") == pytest.approx(xb.mtj.current(0.3, xb.MTJParams(barrier=0.4), -1)[0], rel=1e-9)


CELL = (".model cell mtj (r_p=10k tmr=1.5 vh=inf)", ".model grid xbar (rows=3 cols=2 mtj=cell)")
DRIVEN = tuple(f"vw{k} w[{k}] 0 {0.1 * (k + 1)}" for k in range(3)) + ("vb[0:1] b[0:1] 0 0",)


def bit_currents(*lines: str) -> list[float]:
    point = op(*DRIVEN, *lines)
    return [point.i("vb[0]"), point.i("vb[1]")]


def test_an_array_with_ideal_wires_multiplies(tmp_path: Path) -> None:
    states = np.array([[1, 0], [0, 1], [1, 1]])
    np.savetxt(tmp_path / "s.csv", states, fmt="%d", delimiter=",")
    np.save(tmp_path / "s.npy", states)
    np.savetxt(tmp_path / "g.csv", np.where(states, 1e-4, 4e-5), delimiter=",")
    np.savez(tmp_path / "r.npz", r=np.where(states, 10e3, 25e3))
    wanted = np.array([0.1, 0.2, 0.3]) @ np.where(states, 1e-4, 4e-5)
    for cells in ("state=s.csv", 'state="s.npy"', "g=g.csv", "r='r.npz'"):
        text = "\n".join(["title", *DRIVEN, *CELL, f"YXBAR x1 w[0:2] b[0:1] grid {cells}"])
        point = xb.run(xb.parse_netlist(text, path=str(tmp_path / "deck.cir"))).op
        assert [point.i("vb[0]"), point.i("vb[1]")] == pytest.approx(wanted), cells
        assert point.i("x1[2,1]") == pytest.approx(0.3e-4) and point.v("x1.wl[2,1]") == pytest.approx(0.3)


def test_uniform_states_and_the_default() -> None:
    total = np.array([0.6e-4, 0.6e-4])
    assert bit_currents(*CELL, "yxbar x1 w[0:2] b[0:1] grid") == pytest.approx(total)
    assert bit_currents(*CELL, "yxbar x1 w[0:2] b[0:1] grid state=p") == pytest.approx(total)
    assert bit_currents(*CELL, "yxbar x1 w[0:2] b[0:1] grid state=AP") == pytest.approx(total / 2.5)


def test_buses_of_an_array_run_in_their_own_order_and_a_node_serves_all_lines() -> None:
    point = op(*DRIVEN, *CELL, "yxbar x1 w[2:0] b[1:0] grid", "yxbar x2 w[1] common grid", "vc common 0 0")
    assert point.v("x1.wl[0,0]") == pytest.approx(0.3) and point.v("x1.wl[2,0]") == pytest.approx(0.1)
    assert point.i("vc") == pytest.approx(6 * 0.2e-4)


def test_far_ends_are_connected_by_wr_and_bt() -> None:
    """A word line driven from both ends feeds each cell through half the wire."""
    line = (".model m mtj (r_p=1k vh=inf)", ".model x xbar (rows=1 cols=1 mtj=m r_wl=100 r_bl=200)",
            "vw w 0 1")
    assert op(*line, "yxbar x1 w b x", "vb b 0 0").i("vb") == pytest.approx(1 / 1300)
    assert op(*line, "yxbar x1 w b x wr=w bt=b", "vb b 0 0").i("vb") == pytest.approx(1 / 1150)


def test_an_array_in_a_deck_is_an_array_in_python(tmp_path: Path) -> None:
    rng = np.random.default_rng(20261)
    g = rng.uniform(1e-5, 2e-4, (3, 2))
    np.savetxt(tmp_path / "g.csv", g, delimiter=",")
    text = "\n".join(["t", *DRIVEN, ".model grid xbar (rows=3 cols=2 r_wl=50 r_bl={2*40} r_driver=300)",
                      "yxbar x1 w[0:2] b[0:1] grid g=g.csv"])
    point = xb.run(xb.parse_netlist(text, path=str(tmp_path / "d.cir"))).op
    array = xb.PassiveArray(xb.LinearCells(g=g), r_word=50.0, r_bit=80.0, r_driver=300.0)
    assert point.array("X1").bit_current == pytest.approx(array.solve(word_left=[0.1, 0.2, 0.3]).bit_current,
                                                          rel=1e-9)


def test_random_states_are_those_of_the_seed() -> None:
    lines = (*DRIVEN, ".model c mtj", ".model big xbar (rows=3 cols=2 mtj=c)",
             "yxbar x1 w[0:2] b[0:1] big state=random")

    def states(seed: int) -> list[float]:
        d = deck(*lines, f".options seed={seed}")
        return [d.circuit.state(f"x1[{i},{j}]") for i in range(3) for j in range(2)]
    drawn = [states(seed) for seed in range(20, 30)]
    assert drawn[0] == states(20)
    assert len({tuple(s) for s in drawn}) > 1
    assert set(np.ravel(drawn)) == {-1.0, 1.0}


def test_arrays_inside_subcircuits() -> None:
    lines = (*CELL, ".subckt tile w[0:2] b[0:1]", "yxbar core w[0:2] b[0:1] grid", ".ends",
             "xt w[0:2] b[0:1] tile")
    point = op(*DRIVEN, *lines)
    assert point.i("xt.core[1,0]") == pytest.approx(0.2e-4)
    assert point.v("xt.core.wl[1,0]") == pytest.approx(0.2)
    assert point.array("xt.core").bit_current == pytest.approx([0.6e-4, 0.6e-4])


def test_nodes_inside_an_array_are_attached_to_or_refused_but_never_silently_others() -> None:
    """x1.wl[0,0] carries 0.1 V; a 1 mA source into a node of that name either moves it or is an error."""
    lines = (*DRIVEN, *CELL, "yxbar x1 w[0:2] b[0:1] grid", "rx x1.wl[0,0] 0 1k")
    try:
        point = op(*lines)
    except xb.CrossbarError:
        return
    assert point.v("x1.wl[0,0]") == pytest.approx(0.1)
    assert point.i("rx") == pytest.approx(0.1e-3)


def test_wires_all_open_carry_nothing() -> None:
    """No word line is connected to its cells; what remains is the bit lines, at their source's voltage."""
    point = op(".model c mtj", ".model x xbar (rows=2 cols=2 mtj=c r_wl=inf)", "vw w 0 1", "vb b 0 0.5",
               "yxbar x1 w b x")
    assert (point.i("vb"), point.i("vw")) == near((0, 0))
    assert point.v("x1.bl[1,1]") == pytest.approx(0.5)


# --- analyses -----------------------------------------------------------------------------------------------


def test_a_deck_without_analyses_gets_an_operating_point() -> None:
    assert list(xb.run(deck("v1 a 0 1", "r1 a 0 1")).analyses) == ["op"]


def test_analyses_are_numbered_where_there_are_several_of_a_kind() -> None:
    run = xb.run(deck("v1 a 0 1", "r1 a 0 1", ".dc v1 0 1 1", ".op", ".dc v1 2 4 2", ".print dc v(a)"))
    assert list(run.analyses) == ["dc1", "op", "dc2"]
    assert list(run.analyses["dc2"]["v(a)"]) == near([2, 4])
    with pytest.raises(xb.DataError, match="dc1, op, dc2"):
        run.dc


@pytest.mark.parametrize("limits, points", [
    ("0 1 0.25", [0, 0.25, 0.5, 0.75, 1]), ("0 1 0.3", [0, 0.3, 0.6, 0.9]), ("1 0 -0.5", [1, 0.5, 0]),
    ("2 2 1", [2]),
    ("-1 1 {hop}", [-1, 0, 1]), ("0 0.3 0.1", [0, 0.1, 0.2, 0.3]), ("0 1 5", [0]),
    ("0 1m 250u", [0, 2.5e-4, 5e-4, 7.5e-4, 1e-3])])
def test_points_of_a_sweep(limits: str, points: list[float]) -> None:
    sweep = xb.run(deck(".param hop=1", "v1 a 0 7", "r1 a 0 1", f".dc v1 {limits}")).dc
    assert sweep.axes["v1"] == pytest.approx(points, abs=1e-15)
    assert sweep["v(a)"] == pytest.approx(points, abs=1e-12)


@given(st.integers(1, 2000), st.integers(-12, 6), st.sampled_from([1, 2, 3, 7, 13]))
@settings(max_examples=60, deadline=None)
def test_the_last_point_of_a_sweep_is_not_lost_to_rounding(steps: int, exponent: int, first: int) -> None:
    step = first * 10.0 ** exponent
    d = deck("v1 a 0 1", "r1 a 0 1", f".dc v1 0 {steps * step!r} {step!r}")
    assert len(d.analyses["dc"].axes["v1"]) == steps + 1


def test_nested_sweeps_have_the_outer_axis_first() -> None:
    sweep = xb.run(deck("v1 a 0 1", "r1 a b 1k", "r2 b 0 1k", ".dc v1 1 2 1 r2 1k 3k 1k")).dc
    assert list(sweep.axes) == ["r2", "v1"] and sweep.shape == (3, 2)
    r2, v1 = np.meshgrid([1e3, 2e3, 3e3], [1.0, 2.0], indexing="ij")
    assert np.allclose(sweep["v(b)"], v1 * r2 / (1e3 + r2), rtol=1e-9, atol=0)


def test_a_parameter_is_swept_as_if_the_deck_had_been_written_so() -> None:
    text = ".param p={value}\n.param q={{p**2}}\nv1 a 0 {{q}}\nr1 a b {{p}}\nr2 b 0 1\n"
    sweep = xb.run(deck(text.format(value=1), ".dc p 1 4 1")).dc
    single = [op(text.format(value=p)).v("b") for p in (1, 2, 3, 4)]
    assert sweep["v(b)"] == pytest.approx(single, rel=1e-12)
    assert list(sweep["p"]) == [1, 2, 3, 4]


def test_temperature_is_swept() -> None:
    sweep = xb.run(deck("v1 a 0 1", "r1 a 0 1k tc1=1m", ".dc TEMP -73 127 100")).dc
    assert sweep["i(r1)"] == pytest.approx([1e-3 / 0.9, 1e-3, 1e-3 / 1.1])


def test_sweeps_reach_inside_arrays_where_asked() -> None:
    lines = (*DRIVEN, *CELL, "yxbar x1 w[0:2] b[0:1] grid", ".dc vw0 0 1 0.5", ".print dc i(x1[0,1])",
             ".save v(x1.wl[0,1])")
    sweep = xb.run(deck(*lines)).dc
    assert sweep["i(x1[0,1])"] == pytest.approx([0, 0.5e-4, 1e-4], abs=1e-15)
    assert sweep["v(x1.wl[0,1])"] == pytest.approx([0, 0.5, 1], abs=1e-12)


def test_tolerances_of_the_deck_are_used() -> None:
    """x + x**3 = 1 has the root 0.6823278038280193; looser tolerances take no more steps."""
    lines = ("v1 a 0 1", "r1 a b 1", "b1 b 0 i={v(b)**3}")
    root = 0.6823278038280193
    assert op(*lines, ".options reltol=1e-12 vntol=1e-15 abstol=1e-15").v("b") == pytest.approx(root,
                                                                                                rel=1e-12)
    assert op(*lines).iterations <= op(*lines, ".options reltol=1e-12 vntol=1e-15").iterations


def test_a_limit_of_iterations_is_kept() -> None:
    lines = ("v1 a 0 1", "r1 a b 1", "b1 b 0 i={v(b)**3}")
    with pytest.raises(xb.ConvergenceError):
        op(*lines, ".options itl1=1")
    assert op(*lines, ".options itl1=30").v("b") == pytest.approx(0.6823278, rel=1e-3)


# --- warnings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line, says", [
    ("r2 a 0 3Mohm", "3MEG"), ("r2 a 0 {3Mohm}", "3MEG"), (".param r=3Mohm", "3MEG"),
    ("v2 b 0 DC 1F", "femto"),
    (".subckt s p r=3Mohm\nr1 p 0 {r}\n.ends\nx1 a s", "3MEG")])
def test_suffix_traps_are_warned_of_with_their_place(line: str, says: str) -> None:
    warnings = [w for w in deck("v1 a 0 1", "r1 a 0 1", "r9 b 0 1", line).warnings]
    assert len(warnings) == 1
    assert warnings[0].startswith("<string>:5: ") and says in warnings[0]


def test_warnings_name_the_file_they_come_from(tmp_path: Path) -> None:
    files(tmp_path, top__cir="title\nv1 a 0 1\n.include parts/p.inc\n",
          parts_p__inc="* comment\n\nr1 a 0 2Mohm\n")
    warning, = xb.read_netlist(tmp_path / "top.cir").warnings
    assert warning.startswith(f"{tmp_path / 'parts/p.inc'}:3: ")


def test_plain_decks_have_no_warnings() -> None:
    assert deck("v1 a 0 5V", "r1 a 0 10kohm", "r2 a 0 3meg", "r3 a 0 1m").warnings == ()
