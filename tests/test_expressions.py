"""Expressions: grammar and values against ngspice, derivatives against complex steps, errors, bounds."""

import cmath
import math
import operator
import pickle
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crossbar.errors import CrossbarError
from crossbar.expressions import (CONSTANTS, FUNCTIONS, MAX_DEPTH, MAX_LENGTH, OPERATORS, Expression,
                                  ExpressionError, Function, Probe, Scope, parse, reached_probes)

A, B = Probe("v", ("a",)), Probe("v", ("b",))
AT = {A: 2.0, B: -3.0, Probe("v", ("a", "b")): 5.0}


def value(text: str, **values: float) -> float:
    return parse(text).evaluate(Scope(values=values), AT)


# Checked with ngspice 39 (see the test below): as a B source with v(a) = 2 and v(b) = -3, or as a parameter.
SOURCES = {
    "1+2*3": 7, "2*3+4*5": 26, "2-3-4": -5, "10/4/5": 0.5, "6/2*3": 9, "2*(3+4)*5": 70, "5-2+1": 4,
    "-2**2": -4, "-2^2": -4, "(-2)**2": 4, "2**3**2": 64, "2^3^2": 64, "2**-1": 0.5, "-2**-2": -0.25,
    "2**-3**2": 2 ** -9, "2*-3**2": -18, "2**2**-1": 0.25, "4/2**2": 1, "2**2*3": 12, "2**0.5": 2 ** 0.5,
    "0**0": 1, "2*-3": -6, "-2*-3": 6, "2--3": 5, "--2": 2, "2*+3": 6, "+3": 3, "!0": 1, "!2": 0,
    "!0+1": 2, "!-1": 0, "-!0": -1, "2*!0": 2, "!0*2": 2, "!2==1": 0, "!2**0": 0, "!1||1": 1, "1+2==3": 1,
    "1==1==1": 1, "3>2>1": 0, "2<3==1": 1, "5==2<3": 0, "1!=1<2": 0, "2!=2==0": 1, "1<>2": 1, "2<=2": 1,
    "3>=4": 0, "1>=1<=0": 0, "1||0&&0": 1, "0&&0||1": 1, "1||1&&0": 1, "1&&2": 1, "!(1>2)&&3": 1,
    "1?2:3": 2, "-1?2:3": 2, "0?1:0?2:3": 3, "1?0?5:6:7": 6, "0?2:3+1": 4, "1<2?3:4": 3, "(1?2:3)+1": 3,
    "1?2:0?3:4": 2, "0?2:1?3:4": 3, "0||0?5:6": 6, "1-1?2:3": 3, "1&&0?3:4": 4, "1?-2:3": -2,
    "0?1:2&&0": 0, "(-2)**3": 8, "(-2)^3": 8, "(-2)**0.5": 2 ** 0.5, "v(b)**1": 3, "v(b)^3": 27,
    "v(b)**2": 9, "v(b)**2.5": 3 ** 2.5, "v(b)**v(a)": 9, "v(a)**v(b)": 0.125, "-v(a)**2": -4,
    "-v(a)**-v(a)": -0.25, "pow(v(b),3)": 27, "pow(v(b),2)": 9, "pwr(v(b),3)": -27, "pwr(v(b),2)": -9,
    "pwr(2,0.5)": 2 ** 0.5, "v(A,b)": 5, "V( a , B )": 5, "v(a)*-v(b)": 6, "v(a)>1&&v(b)<0": 1, "!v(b)": 0,
    "v(a)?1:2": 1, "v(b)==-3": 1, "sgn(v(b))": -1, "sgn(0)": 0, "abs(v(b))": 3, "u(0)": 0.5, "u(v(a))": 1,
    "u(v(b))": 0, "uramp(v(b))": 0, "uramp(2)": 2, "nint(2.5)": 2, "nint(-2.5)": -2, "nint(3.5)": 4,
    "nint(0.5)": 0, "floor(-2.5)": -3, "ceil(-2.5)": -2, "min(v(a),1)": 1, "max(v(a),1)": 2,
    "log(10)": math.log(10), "ln(10)": math.log(10), "log10(100)": 2, "exp(1)": math.e, "sqrt(4)": 2,
    "sin(1)": math.sin(1), "cos(1)": math.cos(1), "tan(1)": math.tan(1), "asin(0.5)": math.asin(0.5),
    "acos(0.5)": math.acos(0.5), "atan(1)": math.pi / 4, "sinh(1)": math.sinh(1), "cosh(1)": math.cosh(1),
    "tanh(1)": math.tanh(1), "pi": math.pi, "e": math.e, "temper": 27, "10kohm+1meg": 1.01e6, "1e-3*1k": 1,
    "3e-1k": 300, "1e+2": 100, "1e +2": 3, "2e": 2, "5V+3m": 5.003, "PI*SIN(0)": 0,
}
PARAMETERS = {
    "7%3": 1, "-7%3": -1, "7%-3": 1, "7.5%2": 1.5, "2*3%4": 2, "2+3%2": 3, "3%4*2": 6, "7%4%2": 1,
    "2**3%5": 3, "pow(-2,3)": -8, "pow(-2,2)": 4, "int(-2.7)": -2, "int(2.7)": 2, "(-2)**3": 8,
    "-2**2": -4, "2**3**2": 64,
}


@pytest.mark.parametrize("text", [*SOURCES, *PARAMETERS])
def test_value_is_that_of_ngspice(text: str) -> None:
    assert value(text) == pytest.approx({**SOURCES, **PARAMETERS}[text], rel=1e-14, abs=1e-300)


def test_ngspice_agrees_with_the_table(ngspice: str, tmp_path: Path) -> None:
    wanted = [*SOURCES.values(), *PARAMETERS.values()]
    lines = [f"b{k} n{k} 0 v={text}" for k, text in enumerate(SOURCES)]
    for k, text in enumerate(PARAMETERS, start=len(SOURCES)):
        lines += [f".param p{k}={{{text}}}", f"vp{k} n{k} 0 {{p{k}}}"]
    loads = [f"r{k} n{k} 0 1meg" for k in range(len(wanted))]
    prints = [f"print v(n{k})" for k in range(len(wanted))]
    deck = ["expressions", "va a 0 2", "vb b 0 -3", *lines, *loads,
            ".op", ".control", "set numdgt=15", "run", *prints, "quit 0", ".endc", ".end"]
    (tmp_path / "expressions.cir").write_text("\n".join(deck) + "\n")
    run = subprocess.run([ngspice, "-b", "expressions.cir"], cwd=tmp_path, capture_output=True, text=True,
                         timeout=60)
    found = {int(k): float(v) for k, v in re.findall(r"^v\(n(\d+)\) = (\S+)", run.stdout, re.MULTILINE)}
    assert found == {k: pytest.approx(v, rel=1e-9, abs=1e-9) for k, v in enumerate(wanted)}


def test_functions_that_ngspice_lacks_or_means_otherwise() -> None:
    assert value("atan2(1,-1)") == pytest.approx(3 * math.pi / 4)
    assert [value(text) for text in ("max(5,1,2)", "max(1,5,2)", "max(1,2,5,3)")] == [5, 5, 5]
    assert [value(text) for text in ("min(3,1,2)", "min(1,3,2,4)")] == [1, 1]
    assert [value(f"limit({x},-1,2)") for x in (-5, -1, 0.5, 2, 7)] == [-1, -1, 0.5, 2, 2]
    assert value("if(2>1,3,4)") == 3
    assert value("pwr(-2,3)") == -8  # 8 in a parameter of ngspice, -8 in its B sources


# --- derivatives: an independent evaluation of random expressions at a complex point ---

Smooth = tuple[str, Callable[[complex, complex], complex]]


def _unary(make: str, function: Callable[[complex], complex]) -> Callable[[Smooth], Smooth]:
    return lambda inner: (make.format(inner[0]), lambda a, b: function(inner[1](a, b)))


def _binary(make: str, function: Callable[[complex, complex], complex]) -> Callable[[Smooth, Smooth], Smooth]:
    return lambda x, y: (make.format(x[0], y[0]), lambda a, b: function(x[1](a, b), y[1](a, b)))


LEAVES: list[Smooth] = [
    ("v(a)", lambda a, b: a), ("v(b)", lambda a, b: b), ("v(a,b)", lambda a, b: a - b),
    ("p", lambda a, b: 0.7), ("1.5", lambda a, b: 1.5), ("300m", lambda a, b: 0.3),
    ("pi", lambda a, b: math.pi),
]
UNARY = [_unary(*row) for row in (
    ("sin({})", cmath.sin), ("cos({})", cmath.cos), ("tanh({})", cmath.tanh), ("atan({})", cmath.atan),
    ("(-{})", operator.neg), ("exp(-({})**2)", lambda z: cmath.exp(-z * z)),
    ("sqrt(1+({})**2)", lambda z: cmath.sqrt(1 + z * z)),
    ("ln(2+sin({}))", lambda z: cmath.log(2 + cmath.sin(z))),
    ("log10(2+cos({}))", lambda z: cmath.log10(2 + cmath.cos(z))),
    ("asin(0.9*tanh({}))", lambda z: cmath.asin(0.9 * cmath.tanh(z))),
    ("acos(0.9*sin({}))", lambda z: cmath.acos(0.9 * cmath.sin(z))),
    ("sinh(tanh({}))", lambda z: cmath.sinh(cmath.tanh(z))),
    ("cosh(cos({}))", lambda z: cmath.cosh(cmath.cos(z))),
    ("tan(sin({}))", lambda z: cmath.tan(cmath.sin(z))), ("square({})", lambda z: z * z),
)]
BINARY = [_binary(*row) for row in (
    ("({}+{})", operator.add), ("({}-{})", operator.sub), ("({}*{})", operator.mul),
    ("{}/(2+({})**2)", lambda x, y: x / (2 + y * y)),
    ("(2+sin({}))**tanh({})", lambda x, y: (2 + cmath.sin(x)) ** cmath.tanh(y)),
    ("pow(2+cos({}),sin({}))", lambda x, y: (2 + cmath.cos(x)) ** cmath.sin(y)),
    ("pwr(1+({})^2,sin({}))", lambda x, y: (1 + x * x) ** cmath.sin(y)),
    ("atan2({},2+cos({}))", lambda x, y: cmath.atan(x / (2 + cmath.cos(y)))),
)]
smooth = st.recursive(st.sampled_from(LEAVES), lambda inner: st.one_of(
    st.builds(lambda f, x: f(x), st.sampled_from(UNARY), inner),
    st.builds(lambda f, x, y: f(x, y), st.sampled_from(BINARY), inner, inner)), max_leaves=12)
SMOOTH_SCOPE = Scope(values={"p": 0.7}, functions={"square": Function(("x",), parse("x*x"))})


@settings(deadline=None)
@given(case=smooth, a=st.floats(-2, 2), b=st.floats(-2, 2))
def test_value_and_derivative_are_those_of_a_complex_step(case: Smooth, a: float, b: float) -> None:
    text, function = case
    h = 1e-40
    by_step = {A: function(complex(a, h), b).imag / h, B: function(a, complex(b, h)).imag / h}
    readings = {A: a, B: b, Probe("v", ("a", "b")): a - b}
    result, slopes = parse(text).gradient(SMOOTH_SCOPE, readings)
    across = slopes.get(Probe("v", ("a", "b")), 0.0)
    by_dual = {A: slopes.get(A, 0.0) + across, B: slopes.get(B, 0.0) - across}
    assume(max(map(abs, by_step.values())) < 1e6)
    assert result == pytest.approx(complex(function(a, b)).real, rel=1e-9, abs=1e-9)
    assert by_dual == pytest.approx(by_step, rel=1e-7, abs=1e-9)
    assert result == parse(text).evaluate(SMOOTH_SCOPE, readings)


# Arguments away from corners, a row per function and operator.
POINTS: dict[str, list[tuple[float, ...]]] = {
    "+": [(1, 2)], "-": [(1, 2)], "*": [(-3, 2)], "/": [(3, -2)], "%": [(7.2, 3), (-7.2, 3), (7.2, -3)],
    "**": [(2, 3), (-2, 3), (-2, 2), (-2, -1.5), (0.5, 0)], "^": [(-2, 3)], "==": [(1, 2)], "!=": [(1, 2)],
    "<>": [(1, 2)], "<": [(1, 2)], "<=": [(1, 2)], ">": [(1, 2)], ">=": [(1, 2)], "sin": [(1,)],
    "cos": [(1,)], "tan": [(1,), (2,)], "asin": [(0.6,)], "acos": [(-0.6,)], "atan": [(-3,)],
    "atan2": [(1, 2), (-1, -2), (1, -2)], "sinh": [(-1,)], "cosh": [(-1,)], "tanh": [(0.5,)],
    "exp": [(-2,)], "ln": [(3,)], "log": [(0.3,)], "log10": [(3,)], "sqrt": [(2,)], "abs": [(2,), (-2,)],
    "uramp": [(2,), (-2,)], "min": [(1, 2), (2, 1), (3, 1, 2)], "max": [(1, 2), (2, 1), (1, 3, 2)],
    "pow": [(2, 3), (2, -0.5)], "pwr": [(2, 3), (-2, 3), (-2, 0.5), (-2, 0)], "sgn": [(2,), (-2,)],
    "u": [(2,), (-2,)], "int": [(2.4,), (-2.4,)], "nint": [(2.4,)], "floor": [(-2.4,)], "ceil": [(2.4,)],
    "limit": [(0, -1, 2), (-5, -1, 2), (5, -1, 2), (0, 2, -1), (-5, 2, -1)],
}
RANDOM = {"gauss", "agauss", "unif", "aunif"}


def _applied(name: str, count: int) -> Expression:
    args = [f"i(x{k})" for k in range(count)]
    return parse(name.join(args) if name in OPERATORS else f"{name}({','.join(args)})")


@pytest.mark.parametrize("name", [*OPERATORS, *sorted(set(FUNCTIONS) - RANDOM)])
def test_every_partial_derivative_is_a_difference_quotient(name: str) -> None:
    for point in POINTS[name]:
        expression = _applied(name, len(point))
        readings = dict(zip(expression.probes, map(float, point), strict=True))
        _, slopes = expression.gradient(Scope(), readings)
        for probe, x in readings.items():
            up, down = (expression.evaluate(Scope(), {**readings, probe: x + h}) for h in (1e-6, -1e-6))
            assert slopes[probe] == pytest.approx((up - down) / 2e-6, rel=1e-7, abs=1e-8), (point, probe)


# Text in x = v(a), the corner, its slope there and the side that has it.
CORNERS = [
    ("abs(v(a))", 0, 1, +1), ("uramp(v(a))", 0, 1, +1), ("v(a)**1", 0, 1, +1), ("min(v(a),1)", 1, 1, -1),
    ("min(1,v(a))", 1, 0, +1), ("max(v(a),1)", 1, 1, +1), ("max(1,v(a))", 1, 0, -1),
    ("limit(v(a),-1,2)", -1, 1, +1), ("limit(v(a),-1,2)", 2, 1, -1), ("abs(-v(a))", 0, -1, -1),
]


@pytest.mark.parametrize(("text", "corner", "slope", "side"), CORNERS)
def test_at_a_corner_the_slope_is_that_of_one_side(text: str, corner: float, slope: float, side: int) -> None:
    expression = parse(text)
    here, slopes = expression.gradient(Scope(), {A: float(corner)})
    there, other = (expression.evaluate(Scope(), {A: corner + s * 1e-6}) for s in (side, -side))
    assert slopes == {A: slope}
    assert (there - here) / (side * 1e-6) == pytest.approx(slope, abs=1e-9)
    assert (other - here) / (-side * 1e-6) != pytest.approx(slope, abs=1e-3)


def test_powers_at_zero() -> None:
    zero = {A: 0.0}
    assert parse("v(a)**2").gradient(Scope(), zero) == (0, {A: 0})
    assert parse("v(a)**0").gradient(Scope(), zero) == (1, {A: 0})
    assert parse("pwr(v(a),3)").gradient(Scope(), zero) == (0, {A: 0})
    assert parse("0**v(b)").gradient(Scope(), {B: 2.0}) == (0, {B: 0})


@pytest.mark.parametrize("text", ["sqrt(v(a))", "v(a)**0.5", "asin(1+v(a))", "acos(v(a)-1)", "0**v(a)",
                                  "atan2(v(a),v(a))", "1e300*(1e300*v(a))"])
def test_an_infinite_slope_is_refused(text: str) -> None:
    assert math.isfinite(parse(text).evaluate(Scope(), {A: 0.0}))
    with pytest.raises(ExpressionError, match="is not a finite number"):
        parse(text).gradient(Scope(), {A: 0.0})


def test_the_value_at_an_infinite_slope_is_given_and_constants_do_not_matter() -> None:
    assert parse("sqrt(v(a))").evaluate(Scope(), {A: 0.0}) == 0
    assert parse("sqrt(0)*v(a)+sqrt(floor(v(a)))").gradient(Scope(), {A: 0.0}) == (0, {A: 0})


def test_gradient_names_every_probe_even_of_branches_not_taken() -> None:
    scope = Scope(functions={"f": Function(("x",), parse("x*i(vs)"))})
    expression = parse("v(a) > 0 ? v(a) : f(v(b))")
    assert expression.probes == (A, B)
    assert reached_probes(expression, scope.functions) == (A, B, Probe("i", ("vs",)))
    assert expression.gradient(scope, AT) == (2, {A: 1, B: 0, Probe("i", ("vs",)): 0})
    assert expression.gradient(scope, {A: -1.0, B: 5.0, Probe("i", ("vs",)): 7.0})[1] == {
        A: 0, B: 7, Probe("i", ("vs",)): 5}


def test_probes_are_found_through_functions_that_call_functions() -> None:
    functions = {"f": Function(("x",), parse("x*g(x)")), "g": Function(("x",), parse("v(b)+f(0)*0")),
                 "h": Function((), parse("i(unused)"))}
    assert reached_probes(parse("f(v(a))"), functions) == (A, B)
    assert reached_probes(parse("sin(1)"), functions) == ()


# --- names, probes, functions ---

@pytest.mark.parametrize(("text", "probe"), [
    ("v(x1.wl[3,7])", Probe("v", ("x1.wl[3,7]",))),
    ("V(X1.WL[3,7], bl[ 2 , 1 ])", Probe("v", ("x1.wl[3,7]", "bl[2,1]"))),
    ("v(in+)", Probe("v", ("in+",))), ("i(V1)", Probe("i", ("v1",))),
    ("i(x1[3,7])", Probe("i", ("x1[3,7]",))), ("v ( 0 )", Probe("v", ("0",))),
    ("v(a-b,c*d)", Probe("v", ("a-b", "c*d"))),
])
def test_a_probe_takes_the_text_of_its_nodes(text: str, probe: Probe) -> None:
    expression = parse(f"2*{text}+1")
    assert expression.probes == (probe,)
    assert expression.names == frozenset()
    assert expression.evaluate(Scope(), {probe: 4.0}) == 9
    assert parse(str(probe)).probes == (probe,)


@pytest.mark.parametrize("text", ["v()", "v(a,)", "v(,a)", "v(a,b,c)", "i(a,b)", "v(a b)", "v(a", "v((a))",
                                  "v(a[1)", "v(a]1)"])
def test_a_malformed_probe_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


def test_an_expression_lists_what_it_uses() -> None:
    expression = parse("R0*(1+Tc*(temper-27)) + SQRT(v(b)) + f(v(a))*v(b) + if(x,1,pi)")
    assert expression.names == {"r0", "tc", "temper", "x", "pi"}
    assert expression.names & CONSTANTS == {"temper", "pi"}
    assert expression.functions == {"sqrt", "f"}
    assert expression.probes == (B, A)


def test_nearer_definitions_hide_farther_ones() -> None:
    double = Function(("x", "e"), parse("2*x*e+k"))
    scope = Scope(values={"x": 10.0, "k": 1.0, "pi": 3.0}, functions={"sin": double, "f": double},
                  temper=85.0)
    assert parse("f(3,4)+x").evaluate(scope) == 35
    assert parse("sin(3,4)").evaluate(scope) == 25
    assert parse("pi").evaluate(scope) == 3
    assert parse("Temper+X").evaluate(scope) == 95


def test_only_the_branch_taken_is_evaluated() -> None:
    for text in (
            "1 ? 2 : 1/0", "0 ? nothing : 2", "if(1, 2, log(-1))", "1 ? 2 : unknown(3)", "(0 && 1/0) + 2",
            "(1 || v(nowhere)) + 1",
    ):
        assert value(text) == 2
    with pytest.raises(ExpressionError):
        value("1 && 1/0")
    with pytest.raises(ExpressionError):
        value("0 || 1/0")


def test_pow_means_the_same_in_a_function_as_in_the_text_that_calls_it() -> None:
    scope = Scope(functions={"cube": Function(("x",), parse("pow(x,3)"))})
    assert parse("cube(-2)").evaluate(scope) == -8
    assert parse("cube(v(b))").evaluate(scope, AT) == 27


# --- random functions ---

@pytest.mark.parametrize(("text", "mean", "sigma", "reach"), [
    ("gauss(10,0.1,2)", 10, 0.5, math.inf), ("agauss(10,1,4)", 10, 0.25, math.inf),
    ("unif(10,0.1)", 10, 1 / math.sqrt(3), 1.0), ("aunif(10,0.3)", 10, 0.3 / math.sqrt(3), 0.3)])
def test_draws_have_the_moments_of_their_law(text: str, mean: float, sigma: float, reach: float) -> None:
    n, expression = 4000, parse(text)
    assert expression.evaluate(Scope()) == mean
    scope = Scope(rng=np.random.default_rng(np.random.SeedSequence(8461903)))
    x = np.array([expression.evaluate(scope) for _ in range(n)])
    assert abs(x.mean() - mean) < 5 * sigma / math.sqrt(n)
    assert abs(x.std() / sigma - 1) < 5 / math.sqrt(n)  # sigma(std) / std is at most 1 / sqrt(2 n)
    assert np.abs(x - mean).max() <= reach


def test_equal_generators_draw_equal_numbers_and_a_draw_has_no_slope() -> None:
    both = parse("gauss(1,1,1)+unif(1,1)")
    assert both.evaluate(Scope(rng=np.random.default_rng(713))) == both.evaluate(
        Scope(rng=np.random.default_rng(713)))
    first_draw = parse("gauss(1,1,1)").evaluate(Scope(rng=np.random.default_rng(713)))
    assert parse("v(a)*gauss(1,1,1)").gradient(Scope(rng=np.random.default_rng(713)), AT)[1][A] == first_draw
    with pytest.raises(ExpressionError, match=r"slope of gauss\(2, 1, 1\)"):
        parse("gauss(v(a),1,1)").gradient(Scope(), AT)


# --- errors ---

@pytest.mark.parametrize(("text", "position", "message", "hint"), [
    ("rlaod*2", 0, "unknown parameter 'rlaod'", "rload"),
    ("1+sinn(2)", 2, "unknown function 'sinn'", "sin"), ("1 = 2", 2, "not =", "=="),
    ("1 & 2", 2, "not &", "&&"), ("1 | 2", 2, "not |", "||"), ("2*{x}", 2, "not {", "braces"),
    ("(1", 2, "expected )", ""), ("1)", 1, "not )", ""), ("", 0, "expected a value", ""),
    ("1 2", 2, "expected an operator", ""), ("3 == == 4", 5, "not ==", ""), ("1 ? 2", 5, "expected :", ""),
    ("4k7+1", 0, "write 4.7k", ""), ("1+1e999", 2, "too large", ""),
    ("sin(1,2)", 0, "sin takes 1 arguments, not 2", ""), ("max(1)", 0, "takes 2", ""),
    ("if(1,2)", 0, "takes 3", ""), ("limit(1,2)", 0, "takes 3", ""), ("f(1)", 0, "takes 2", ""),
    ("2+v(nowhere)", 2, "v(nowhere) has no value", "parameter"), ("2*v(bad)", 2, "v(bad) is nan", ""),
    ("1+worse", 2, "parameter 'worse' is inf", ""), ("1 # 2", 2, "not #", ""),
    ("3/(1-1)", 1, "3 / 0 is not a finite number", ""), ("1%0", 1, "1 % 0 is not", ""),
    ("log(0)", 0, "log(0) is not", ""), ("1+sqrt(-4)", 2, "sqrt(-4) is not", ""),
    ("exp(1e3)", 0, "exp(1000) is not", ""), ("acos(2)", 0, "acos(2) is not", ""),
    ("1e300*1e300", 5, "1e+300 * 1e+300 is not", ""), ("10**400", 2, "10 ** 400 is not", ""),
    ("0**-1", 1, "0 ** -1 is not", ""), ("pow(-8,1/3)", 0, "pow(-8, 0.333333) is not", ""),
    ("gauss(1,1,0)", 0, "gauss(1, 1, 0) is not", ""),
])
def test_an_error_says_what_and_where(text: str, position: int, message: str, hint: str) -> None:
    scope = Scope(values={"rload": 1.0, "worse": math.inf}, functions={"f": Function(("x", "y"), parse("x"))})
    with pytest.raises(ExpressionError) as caught:
        parse(text).evaluate(scope, {Probe("v", ("bad",)): math.nan})
    error = caught.value
    assert isinstance(error, CrossbarError)
    assert (error.text, error.position) == (text, position)
    assert message in error.message
    assert hint in error.hint
    assert error.message in str(error) and error.hint in str(error) and repr(text) in str(error)
    assert f"character {position + 1} " in str(error)


def test_an_error_inside_a_function_shows_its_body() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("1+f(0)").evaluate(Scope(functions={"f": Function(("x",), parse("3 / x"))}))
    assert (caught.value.text, caught.value.position) == ("3 / x", 2)


def test_a_long_text_is_shown_in_part() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("1+" * 500 + "*" + "+1" * 500)
    assert caught.value.position == 1000
    assert len(str(caught.value)) < 200


TOKENS = st.sampled_from([
    "1", "2.5k", "1e400", "x", "v(a)", "v(b)", "i(q)", "v(", "sin", "max", "if", "f", "(", ")", ",", "+",
    "-", "*", "/", "%", "**", "^", "==", "<", ">=", "&&", "||", "!", "?", ":", " ", "=", "[", "]"])
ONE_ARGUMENT = ["-", "!", *(name for name, law in FUNCTIONS.items() if len(law.slopes) == 1)]
TWO_ARGUMENTS = ["pow", "pwr", "atan2", "min", "max", "unif", "f"]
well_formed = st.recursive(
    st.sampled_from(["1", "0", "-2.5k", "x", "v(a)", "1e300", "f(2,0)"]),
    lambda inner: st.one_of(
        st.builds("({}){}({})".format, inner, st.sampled_from([*OPERATORS, "&&", "||"]), inner),
        st.builds("{}({})".format, st.sampled_from(ONE_ARGUMENT), inner),
        st.builds("({})?({}):({})".format, inner, inner, inner),
        st.builds("{}({},{})".format, st.sampled_from(TWO_ARGUMENTS), inner, inner)),
    max_leaves=20)


@settings(deadline=None)
@given(text=st.text() | st.lists(TOKENS, max_size=30).map("".join) | well_formed)
def test_any_text_gives_finite_numbers_or_an_expression_error(text: str) -> None:
    ratio = Function(("p", "q"), parse("p/q"))
    scope = Scope(values={"x": 0.0}, functions={"f": ratio}, rng=np.random.default_rng(9377))
    try:
        result, slopes = parse(text).gradient(scope, AT)
    except ExpressionError as error:
        assert 0 <= error.position <= len(error.text)
        assert str(error)
    else:
        assert all(type(x) is float and math.isfinite(x) for x in (result, *slopes.values()))


# --- bounds ---

NESTED = {
    "parentheses": ("(", "1", ")"), "calls": ("abs(", "1", ")"), "signs": ("-", "1", ""),
    "nots": ("!", "1", ""), "yes": ("1?", "1", ":1"), "no": ("0?1:", "1", ""),
    "mixed": ("-abs(1+(", "1", "))"), "powers": ("2**-", "1", ""),
}


@pytest.mark.parametrize("name", NESTED)
@pytest.mark.parametrize("count", [MAX_DEPTH, 1000, 9000])
def test_deep_nesting_is_refused(name: str, count: int) -> None:
    head, middle, tail = NESTED[name]
    with pytest.raises(ExpressionError, match="nested more than"):
        parse(head * count + middle + tail * count)


@pytest.mark.parametrize("name", NESTED)
def test_reasonable_nesting_is_not(name: str) -> None:
    head, middle, tail = NESTED[name]
    assert math.isfinite(value(head * 19 + middle + tail * 19))


def test_a_long_sum_is_not_nested() -> None:
    readings = {Probe("v", (f"n{k}",)): float(k) for k in range(500)}
    result, slopes = parse("+".join(map(str, readings))).gradient(Scope(), readings)
    assert result == 499 * 250
    assert set(slopes.values()) == {1.0}
    assert value("-".join(["1"] * 40_000)) == -39_998
    assert value("&&".join(["2"] * 30_000)) == 1


def test_a_text_too_long_is_refused() -> None:
    assert value(" " * (MAX_LENGTH - 1) + "7") == 7
    with pytest.raises(ExpressionError, match="too long"):
        parse(" " * MAX_LENGTH + "7")


@pytest.mark.parametrize("body", ["f(x)", "f(x-1)+1", "x < 0 ? 0 : f(x-1)+f(x-1)", "g(x)", "abs(f(-x))"])
def test_functions_without_end_are_refused(body: str) -> None:
    scope = Scope(functions={"f": Function(("x",), parse(body)), "g": Function(("y",), parse("f(y)"))})
    with pytest.raises(ExpressionError, match="too many calls"):
        parse("f(1e3)").gradient(scope)


def test_functions_that_double_the_work_at_every_level_are_refused_soon() -> None:
    functions = {f"f{k}": Function(("x",), parse(f"f{k - 1}(x)+f{k - 1}(x)")) for k in range(1, 41)}
    scope = Scope(functions={"f0": Function(("x",), parse("x")), **functions})
    assert parse("f10(1)").evaluate(scope) == 1024
    start = time.perf_counter()
    with pytest.raises(ExpressionError, match="too many calls"):
        parse("f40(1)").evaluate(scope)
    assert time.perf_counter() - start < 20


def test_a_recursion_that_ends_is_a_value() -> None:
    scope = Scope(functions={"fact": Function(("n",), parse("n < 1 ? 1 : n*fact(n-1)"))})
    assert parse("fact(10)").evaluate(scope) == math.factorial(10)


# --- the syntax tree ---

def test_expressions_travel_between_processes() -> None:
    expression = parse("v(a) > 1 ? max(k, -v(b)) : !k**2")
    copy = pickle.loads(pickle.dumps(expression))
    assert copy == expression and hash(copy) == hash(expression)
    assert copy.gradient(Scope(values={"k": 1.0}), AT) == expression.gradient(Scope(values={"k": 1.0}), AT)
    error = ExpressionError("1+", 2, "expected a value", "add one")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_equal_texts_are_equal_expressions() -> None:
    assert parse("1+x") == parse("1+x") != parse("1+y")
