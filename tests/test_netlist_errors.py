"""Decks that are wrong: every mistake is reported once, at its file and line, in the order of the text.

Each case lists the lines of a deck below its title (so the first is line 2) and all the problems that must be
found, as (line, words of the message): no mistake may be missed, none may cause a second complaint elsewhere.
"""

import random
import re
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import crossbar as xb
from crossbar.errors import CrossbarError

DECKS = [p for p in sorted((Path(__file__).parents[1] / "netlists").glob("*.cir"))
         if p.stem != "array_1024x1024"]  # hundreds of mutations of that one would take minutes
SOURCE = ("v9 a 0 1", "r9 a 0 1")  # so that every deck below has a circuit


def problems(*lines: str, path: str = "<string>") -> list[xb.Problem]:
    """What is wrong with a deck of these lines below a title; [] if nothing is."""
    try:
        xb.parse_netlist("\n".join(["title", *lines]), path=path)
    except xb.NetlistError as error:
        return list(error.problems)
    return []


def check(lines: tuple[str, ...], wanted: list[tuple[int, str]], path: str = "<string>") -> list[xb.Problem]:
    found = problems(*lines, path=path)
    listed = "\n".join(map(str, found))
    assert [p.line for p in found] == [line for line, _ in wanted], listed
    for problem, (_, words) in zip(found, wanted, strict=True):
        assert re.search(words, f"{problem.text} ({problem.hint})",
                         re.IGNORECASE), f"{words!r} not in:\n{listed}"
        assert problem.file == path
        assert len(str(problem)) < 1000
    return found


CASES: dict[str, tuple[tuple[str, ...], list[tuple[int, str]]]] = {
    # elements
    "unknown element": (("zener a 0 1",), [(2, "unknown element 'zener'")]),
    "number instead of an element": (("1 a 0 1",), [(2, "unknown element '1'")]),
    "no element": (("= 3",), [(2, "'='")]),
    "assignment instead of an element": (("r = 5",), [(2, "r")]),
    "long name of a key instead of an element": (("resistance=5",), [(2, "r")]),
    "element of a later version": (("c1 a 0 1p", "l1 a 0 1n", "d1 a 0 m", "m1 a b c d m", "s1 a 0 b 0 m"),
                                   [(2, "capacitor"), (3, "inductor"), (4, "diode"), (5, "transistor"),
                                    (6, "switch")]),
    "element of no version": (tuple(f"{x}1 a 0 b 0" for x in "kjqtoua"),
                              [(k, "not supported") for k in range(2, 9)]),
    "unknown extension device": (("yfoo y1 a 0 m",), [(2, "unknown extension device 'yfoo'.*YMTJ")]),
    "too few nodes": (("r1 a", "v1", "i1 a", "e1 a 0 b 2", "g1 a 0 b", "f1 a 0", "h1 a", "b1 a v=1", "x1",
                       "ymtj j a 0",
                       "yxbar x w b"),
                      [(2, "r1"), (3, "v1"), (4, "i1"), (5, "e1"), (6, "g1"), (7, "f1"), (8, "h1"),
                       (9, "b1"), (10, "x takes"), (11, "ymtj"), (12, "yxbar")]),
    "too many nodes": (("r1 a b c 1", "v1 a 0 b 1", "e1 a 0 b 0 c 2", "f1 a 0 v9 b 2", "b1 a 0 b v=1",
                        "ymtj j a 0 b m"),
                       [(2, "r1"), (3, "v1"), (4, "e1"), (5, "f1"), (6, "b1"), (7, "ymtj")]),
    "no value": (("r1 a 0", "r2 a 0 r=", "v1 b 0 dc", "r3 a 0 tc1= 3 tc2=", "b1 a 0"),
                 [(2, "resistance"), (3, "r = has no value"), (4, "DC needs a value"),
                  (5, "tc2 = has no value"),
                  (6, "b1 needs v=.* or i=")]),
    "value given twice": (("r1 a 0 r=1 r=2", "r2 a 0 1 r=2", "v1 b 0 1 dc=2", "b1 b 0 v=1 v=2",
                           "b2 b 0 v=1 i=1",
                           "e1 c 0 value={1} vol={2}"),
                          [(2, "r is given twice"), (3, "one resistance"), (4, "v1"), (5, "v is given twice"),
                           (6, "b2"),
                           (7, "e1|value|vol")]),
    "unknown parameter of an element": (("r1 a 0 1 tc3=1", "v1 b 0 dc=1 ac=2", "e1 b 0 a 0 gain=2",
                                         "b1 b 0 v=1 x=2"),
                                        [(2, "no parameter 'tc3'.*tc1"), (3, "'ac'"), (4, "'gain'"),
                                         (5, "'x'")]),
    "source functions of a later version": (("v1 b 0 pulse(0 1 0 1n 1n 5n 10n)", "i1 0 b sin(0 1 1k)"),
                                            [(2, "pulse is not supported"), (3, "sin is not supported")]),
    "poly and table": (("e1 b 0 poly(1) a 0 0 1", "g1 b 0 table {v(a)} = (0,0) (1,1)"),
                       [(2, "poly"), (3, "table|controlled source")]),
    "two elements of a name": (("r1 a 0 1", "R1 a 0 2"), [(3, "two elements are named r1.*<string>:2")]),
    "X and Y of a name": ((".subckt s p", "r1 p 0 1", ".ends", ".model m mtj", "x1 a s", "ymtj X1 a 0 m"),
                          [(7, "two elements are named x1")]),
    "array with the name of a subcircuit": ((".model c mtj", ".model g xbar (rows=1 cols=1 mtj=c)",
                                             "yxbar x1 a b g",
                                             "ymtj x1 a 0 c"), [(5, "two elements are named x1")]),
    "negative resistance": (("r1 a 0 -1", ".param p=-2k", "r2 a 0 {p}", "r3 a 0 1 m=0", "r4 a 0 1 m=-1"),
                            [(2, "r1 .*-1 ohm"), (4, "r2 .*-2000"), (5, "r3 .*m = 0"), (6, "r4 .*m = -1")]),
    "resistance that is no number": (("r1 a 0 nan", "r2 a 0 1x2", "r3 a 0 1..2", "r4 a 0 {}", "r5 a 0 4k7"),
                                     [(2, "nan"), (3, "1x2"), (4, "1..2"), (5, "value|expression"),
                                      (6, "4k7.*4.7k")]),
    "resistance beyond all numbers": (("r1 a 0 1e400", "r2 a 0 {1e308*10}"),
                                      [(2, "too large|range"), (3, "finite")]),
    "temperature coefficient beyond all numbers": (("r1 a 0 1 tc2=1", ".temp 1e200"),
                                                   [(2, "r1|temp|range|finite")]),
    "sensed element that is not there": (("f1 0 b vx 1", "r1 b 0 1", "h1 c 0 vy 1", "b1 d 0 v={i(vz)}"),
                                         [(2, "no element vx"), (4, "no element vy"), (5, "no element vz")]),
    "sensed element without a branch current": (("f1 0 b r9 1", "r1 b 0 1"), [(2, "r9.*(voltage|source)")]),
    # expressions
    "undefined parameter": (("r1 a 0 {rr}", "v1 b 0 {2*volt}", "b1 c 0 v={v(a)*gain}"),
                            [(2, "'rr'"), (3, "'volt'"),
                             (4, "'gain'")]),
    "parameter with a typing error": ((".param resistance=1k", "r1 a 0 {resistence}"),
                                      [(3, "'resistence'.*resistance")]),
    "undefined function": ((".param p={sqr(2)}", "r1 a 0 {foo(1)}", "b1 c 0 v={bar(v(a))}"),
                           [(2, "'sqr'.*sqrt"), (3, "'foo'"), (4, "'bar'")]),
    "undefined parameter in a function": ((".func f(x) {x*zz}", "b1 c 0 v={f(v(a))}"), [(3, "'zz'")]),
    "wrong number of arguments": ((".func f(x) {x}", "r1 a 0 {f(1,2)}", "b1 c 0 v={sin(v(a),2)}"),
                                  [(3, "1 argument"), (4, "1 argument")]),
    "division by zero": ((".param p={1/0}", "r1 a 0 {1/(2-2)}", "v1 b 0 {ln(0)}", "r2 b 0 {sqrt(-1)}"),
                         [(2, "parameter p: 1 / 0"), (3, "1 / 0"), (4, "ln"), (5, "sqrt")]),
    "probe in a parameter": ((".param p={v(a)}",), [(2, "cannot read the circuit")]),
    "bad grammar": ((".param p={1+}", "r1 a 0 {2*(3}", "r2 a 0 {(1}", "v1 b 0 '1 2'", "r3 a 0 {a=b}"),
                    [(2, "expected a value"), (3, r"[(){}]"), (4, r"[(){}]"), (5, "expected"),
                     (6, "==|operator")]),
    "deep parentheses": ((".param p={" + "(" * 3000 + "1" + ")" * 3000 + "}",), [(2, "deep")]),
    # brackets, quotes, continuation
    "unclosed": ((".param p={1+2", ".param q='3", "r1 a 0 (2", "v1 a[0 0 1", '.include "x'),
                 [(2, r"'\{' is never closed"), (3, "\"'\" is never closed"), (4, r"'\(' is never closed"),
                  (5, r"'\[' is never closed"), (6, "is never closed")]),
    "closes nothing": (("r1 a 0 2)", ".param p=1}", "v1 a] 0 1"),
                       [(2, r"'\)' closes nothing"), (3, r"'}' closes nothing"), (4, r"']' closes nothing")]),
    "closed by another": (("r1 a 0 (2}",), [(2, "closes nothing|never closed")]),
    "continues nothing": (("+ r1 a 0 1",), [(2, "continues nothing")]),
    "continues nothing, after comments": (("* comment", "", "+", "r1 a 0 1"), [(4, "continues nothing")]),
    # parameters
    "parameter without a value": ((".param p", ".param q=", ".param", ".param r= s=1", ".param =1"),
                                  [(2, "name = value|no value"), (3, "q = has no value"), (4, "name = value"),
                                   (5, "r = has no value"), (6, "without a name")]),
    "use of a parameter that has no value": ((".param p=", "r1 a 0 {p}", "r2 a 0 {2*p}", ".param q={p}",
                                              "r3 a 0 {q}"),
                                             [(2, "p = has no value")]),
    "use of a parameter that is no expression": ((".param p={1+}", "r1 a 0 {p}", ".param q={p*2}",
                                                  "b1 b 0 v={q*v(a)}",
                                                  "r2 b 0 1", ".dc p 0 1 1", ".dc v9 0 {q} 1"),
                                                 [(2, "expected a value")]),
    "parameter given twice": ((".param p=1 p=2", ".param q=1", ".param Q=2"),
                              [(2, "p is given twice"), (4, "q.*twice")]),
    "parameters in a circle": ((".param p={q} q={r+1} r={2*p}", "r1 a 0 {p}"), [(2, "circle: ")]),
    "parameter that needs itself": ((".param p={p+1}", "r1 a 0 {p}"), [(2, "circle: p -> p")]),
    "circle through a function": ((".func f(x) {x*p}", ".param p={f(1)}", "r1 a 0 {p}"), [(3, "circle")]),
    "circle in a subcircuit": ((".subckt s p", ".param u={w}", ".param w={u}", "r1 p 0 {u}", ".ends",
                                "x1 a s", "x2 a s"),
                               [(3, "circle")]),
    "functions": ((".func", ".func f", ".func f(x)", ".func g x", ".func h(x) {x", ".func k(x) {x+}",
                   ".func l(x) {x} {y}"),
                  [(2, "func takes"), (3, "func takes"), (4, "func takes"), (5, "func takes"),
                   (6, "never closed"),
                   (7, "expected a value"), (8, "func takes")]),
    "use of a function that is none": ((".func f(x) {x+}", "r1 a 0 {f(1)}", ".func g(x) {f(x)}",
                                        ".param p={g(2)}"),
                                       [(2, "expected a value")]),
    "function that calls itself": ((".func f(x) {f(x)+1}", "r1 a 0 {f(1)}"), [(3, "too many calls")]),
    # subcircuits
    "no such subcircuit": (("x1 a s", ".subckt t p", "r1 p 0 1", ".ends"),
                           [(2, "no subcircuit 's'.*known are t")]),
    "wrong number of ports": ((".subckt s p q", "r1 p q 1", ".ends", "x1 a s", "x2 a 0 0 s"),
                              [(5, "1 nodes.*2 ports.*p q"), (6, "3 nodes.*2 ports")]),
    "subcircuit inside itself": ((".subckt s p", "r1 p 0 1", "x1 p s", ".ends", "x1 a s"),
                                 [(4, "itself: s -> s")]),
    "subcircuits inside each other": ((".subckt s p", "x1 p t", ".ends", ".subckt t p", "x1 p s", ".ends",
                                       "x1 a s",
                                       "x2 a s"), [(6, "itself: s -> t -> s")]),
    "ends without subckt": ((".ends",), [(2, ".ends without .subckt")]),
    "subckt without ends": ((".subckt s p", "r1 p 0 1"), [(2, "never ended.*add .ends")]),
    "name of .ends": ((".subckt s p", "r1 p 0 1", ".ends t", "x1 a s"), [(4, "t.*s|s.*t")]),
    "subckt without a name": ((".subckt", "r1 p 0 1", ".ends"), [(2, "needs a name")]),
    "two ports of a name": ((".subckt s p p", "r1 p 0 1", ".ends", "x1 a a s"), [(2, "two ports")]),
    "subcircuit given twice": ((".subckt s p", "r1 p 0 1", ".ends", ".subckt S p", "r1 p 0 1", ".ends",
                                "x1 a s"),
                               [(5, "twice")]),
    "subckt with a bad parameter": ((".subckt s p r=", "r1 p 0 {r}", ".ends", "x1 a s", "x2 a s r=3"),
                                    [(2, "r = has no value")]),
    "unknown parameter of a subcircuit": ((".subckt s p r=1", "r1 p 0 {r}", ".ends", "x1 a s rr=2"),
                                          [(5, "no parameter 'rr'.*known are r")]),
    "mistake in a subcircuit counts once": ((".subckt s p", "r1 p 0 {zz}", "r2 p 0 -1", "ymtj j p 0 none",
                                             ".ends",
                                             "x1 a s", "x2 a s", "x[3:5] a s"),
                                            [(3, "'zz'"), (4, "r2"), (5, "no model 'none'")]),
    "names in a subcircuit count once": ((".subckt s p", "r1 p 0 1", "r1 p 0 2", "f1 p 0 vx 1", ".ends",
                                          "x1 a s", "x2 a s"),
                                         [(4, "two elements are named"), (5, "no element")]),
    "mistake in an unused subcircuit's text": ((".subckt s p", ".param q={1+}", ".foo", ".ends"),
                                               [(3, "expected a value"), (4, "unknown card .foo")]),
    # models
    "no such model": ((".model m1 mtj", "ymtj j a 0 m2", "yxbar x w b m3"),
                      [(3, "'m2'.*m1"), (4, "'m3'.*m1")]),
    "model of another kind": ((".model m mtj", ".model g xbar (rows=1 cols=1 mtj=g)", "ymtj j a 0 g",
                               "yxbar x a b m",
                               "yxbar x2 a b g"),
                              [(3, "kind 'xbar'"), (4, "kind 'xbar'"), (5, "kind 'mtj'")]),
    "model without a kind": ((".model m", ".model"), [(2, ".model takes"), (3, ".model takes")]),
    "model given twice": ((".model m mtj", ".model M mtj", "ymtj j a 0 m"), [(3, "model m.*twice")]),
    "unknown parameter of a model": ((".model m mtj (rp=1k foo=2)", "ymtj j a 0 m", "ymtj k a 0 m"),
                                     [(2, "no parameter 'foo'.*tmr")]),
    "word in a model": ((".model m mtj (rp=1k foo)", "ymtj j a 0 m", "ymtj k a 0 m"), [(2, "'foo'")]),
    "undefined parameter in a model": ((".model m mtj (rp={zz})", "ymtj j a 0 m", "ymtj k a 0 m"),
                                       [(2, "'zz'")]),
    "model without a value": ((".model m mtj (rp=)", "ymtj j a 0 m", "ymtj k a 0 m"),
                              [(2, "rp = has no value")]),
    "model never closed": ((".model m mtj (rp=1k", "ymtj j a 0 m"), [(2, "never closed")]),
    "value of a model out of range": ((".model m mtj (tmr=-2)", "ymtj j a 0 m", "ymtj k a 0 m"),
                                      [(2, "tmr")]),
    "parameter of a model under two names": ((".model m mtj (rp=1k r_p=2k)", "ymtj j a 0 m"), [(2, "r_?p")]),
    "geometry without area": ((".model m mtj (ra=1e-12 diameter=1e-200)", "ymtj j a 0 m"),
                              [(2, "diameter|r_p|area")]),
    "resistance that contradicts the geometry": ((".model m mtj (rp=1 ra=1e-12 diameter=50n)",
                                                  "ymtj j a 0 m"),
                                                 [(2, "contradicts")]),
    "no such preset": ((".model m mtj (preset=foo)", "ymtj j a 0 m"), [(2, "no MTJ preset 'foo'.*daffodil")]),
    "state of a junction": ((".model m mtj", "ymtj j a 0 m state=2", "ymtj k a 0 m foo=1"),
                            [(3, "P or AP"), (4, "'foo'")]),
    # buses
    "widths of buses": (("v[0:1] b[0:2] 0 1", "r[0:3] b[0:1] c[0:1] 1"),
                        [(2, "2 bits.*3"), (3, "4 bits.*2")]),
    "bus without one in the name": (("r1 b[0:1] 0 1",), [(2, "r1 is one element on a bus.*r1")]),
    "gigantic bus of elements": (("r[0:999999999] a 0 1",), [(2, "bits")]),
    "gigantic bus of nodes": (("r1 b[0:999999999] 0 1",), [(2, "bits")]),
    "gigantic bus of outputs": ((".print op v(a[0:999999999])", ".save v(a[999999999:0])"),
                                [(2, "bits"), (3, "bits")]),
    "gigantic bus of ports": ((".subckt s p[0:999999999]", "r1 p[0] 0 1", ".ends"), [(2, "bits")]),
    "gigantic global bus": ((".global g[0:999999999]",), [(2, "bits")]),
    "index of a bus with too many digits": (("r1 b[0:" + "9" * 5000 + "] 0 1",), [(2, "bits|digits|large")]),
    # arrays
    "array without a size": ((".model c mtj", ".model g xbar (cols=2 mtj=c)", "yxbar x a b g",
                              "yxbar y a b g"),
                             [(3, "needs rows=")]),
    "size of an array": ((".model c mtj", ".model g xbar (rows=0 cols=2 mtj=c)",
                          ".model h xbar (rows=2 cols=1.5 mtj=c)",
                          "yxbar x a b g", "yxbar y a b h"), [(3, "rows = 0"), (4, "cols = 1.5")]),
    "width of an array's bus": ((".model c mtj", ".model g xbar (rows=2 cols=2 mtj=c)", "yxbar x w[0:2] b g",
                                 "yxbar y w b g wr=w[0:3]", "yxbar z w b g bt=b[5:7]"),
                                [(4, "3 nodes.*2 lines"), (5, "4 nodes.*2 lines"), (6, "3 nodes.*2 lines")]),
    "array without cells": ((".model g xbar (rows=2 cols=2)", "yxbar x w b g"), [(3, "mtj=|g=")]),
    "array with a model that is none": ((".model g xbar (rows=2 cols=2 mtj=zz)", "yxbar x w b g",
                                         "yxbar y w b g"),
                                        [(2, "no model 'zz'")]),
    "unknown parameter of an array": ((".model c mtj", ".model g xbar (rows=2 cols=2 mtj=c r_w=1)",
                                       "yxbar x w b g",
                                       "yxbar y w b g"), [(3, "'r_w'.*r_wl")]),
    "1t1r cells": ((".model c mtj", ".model g xbar (rows=2 cols=2 mtj=c cell=1t1r)", "yxbar x w b g"),
                   [(3, "1t1r is not supported")]),
    "negative wire": ((".model c mtj", ".model g xbar (rows=2 cols=2 mtj=c r_wl=-1)", "yxbar x w b g",
                       "yxbar y w b g"),
                      [(3, "r_wl")]),
    "random states without a seed": ((".model c mtj", ".model g xbar (rows=2 cols=2 mtj=c)",
                                      "yxbar x w b g state=random"),
                                     [(4, "seed")]),
    "two sources of cells": ((".model c mtj", ".model g xbar (rows=2 cols=2 mtj=c)",
                              "yxbar x w b g state=P g=f.csv"),
                             [(4, "one of")]),
    "state file that is not there": ((".model c mtj", ".model g xbar (rows=2 cols=2 mtj=c)",
                                      "yxbar x w b g state=no_such_file.csv"),
                                     [(4, "no_such_file.csv.*No such file")]),
    # cards
    "unknown card": ((".foo", ".else", "."),
                     [(2, "unknown card .foo.*.param"), (3, "card .else"), (4, "card .")]),
    "cards of a later version": ((".tran 1n 1u", ".ac dec 1 1 2", ".ic v(a)=1", ".lib x",
                                  ".meas op x param=1", ".step p 1 2 1",
                                  ".if (1)", ".mc 3"),
                                 [(k, "not supported yet") for k in range(2, 10)]),
    "cards of no version": ((".noise v(a) v9 dec 1 1 2", ".control", ".four 1 v(a)"),
                            [(k, "not supported") for k in (2, 3, 4)]),
    "dc without values": ((".dc", ".dc v9", ".dc v9 0 1", ".dc v9 0 1 1 r9"),
                          [(k, ".dc takes") for k in (2, 3, 4, 5)]),
    "dc of what is not there": ((".dc vx 0 1 1", ".dc p 0 1 1"), [(2, "'vx'"), (3, "'p'")]),
    "dc of what cannot be swept": (("e1 b 0 a 0 1", "r1 b 0 1", ".dc e1 0 1 1"),
                                   [(4, "e1.*no source or resistor")]),
    "dc of a cell": ((".model c mtj", ".model g xbar (rows=1 cols=1 mtj=c)", "yxbar x a 0 g",
                      ".dc x[0,0] 1 2 1"),
                     [(5, "inside an array|no source or resistor")]),
    "dc that goes nowhere": ((".dc v9 0 1 0", ".dc v9 0 1 -1", ".dc v9 1 0 0.1"),
                             [(k, "steps of") for k in (2, 3, 4)]),
    "dc of too many points": ((".dc v9 0 1 1e-12", ".dc v9 0 1 1e-5 r9 1 2 1e-5", ".dc v9 0 1 1e-320"),
                              [(2, "points"), (3, "points"), (4, "points")]),
    "dc beyond all numbers": ((".dc v9 -1e308 1e308 1e307",), [(2, "dc|points|range|finite")]),
    "dc of a quantity in itself": ((".dc v9 0 1 1 V9 0 1 1",), [(2, "twice")]),
    "dc of negative resistance": ((".dc r9 1 -1 -1",), [(2, "r9|resistance")]),
    "print of what is not there": ((".print op v(x) i(y)", ".print a", ".print", ".save v(z)"),
                                   [(2, "no node 'x'"), (2, "no element 'y'"), (3, "'a' is no output"),
                                    (4, "names no output"), (5, "no node 'z'")]),
    "state of what has none": ((".print dc state(r9)",), [(2, "'r9' is no MTJ")]),
    "print of what is no output": ((".print v(a,0,a)", ".print 2*v(a)", ".print v()", ".save p(r9)"),
                                   [(2, r"'v\(a,0,a\)'"), (3, r"2\*v\(a\)"), (4, r"v\(\)"), (5, r"p\(r9\)")]),
    "print of what a mistake removed": (("r1 a b zz", "r2 b 0 1", ".print op v(b) i(r1)"), [(2, "'zz'")]),
    "unknown option": ((".options relto=1", ".options noacct2", ".option reltol", ".options reltol="),
                       [(2, "relto.*reltol"), (3, "noacct2"), (4, "reltol needs a value"),
                        (5, "reltol = has no value")]),
    "option that is no number": ((".options reltol=foo", ".temp {1/0}", ".options abstol={v(a)}"),
                                 [(2, "'?foo"), (3, "1 / 0"), (4, r"v\(a\)")]),
    "option out of range": ((".options reltol=-1", ".options abstol=-1", ".options vntol=-1",
                             ".options itl1=0"),
                            [(2, "reltol"), (3, "abstol"), (4, "vntol"), (5, "itl1")]),
    "option far out of range": ((".options reltol=1e300 itl1=-3",), [(2, "reltol|itl1")]),
    "seed that is none": ((".options seed=-1",), [(2, "seed")]),
    "seed that is no whole number": ((".options seed=1.5",), [(2, "seed")]),
    "method that is none": ((".options method=foo",), [(2, "foo")]),
    "temp": ((".temp", ".temp 1 2", ".temp foo"), [(2, ".temp takes"), (3, ".temp takes"), (4, "foo")]),
    "op with an argument": ((".op v(a)",), [(2, ".op takes nothing")]),
}


@pytest.mark.parametrize("name", CASES)
def test_every_mistake_once_at_its_place(name: str) -> None:
    lines, wanted = CASES[name]
    check((*lines, *SOURCE), wanted)


def test_five_mistakes_five_errors_in_the_order_of_the_text() -> None:
    lines = (".model m1 mtj (rp=1k tmt=2)", "ymtj j1 a 0 m1", "r1 a b {rtop}", ".param rtop2=1k",
             "x1 b 0 filter",
             "ymtj j2 a 0 m1", ".dc vin 0 1 0.1", "r2 b 0 1k", ".option reltoll=1e-4")
    check((*lines, *SOURCE),
          [(2, "'tmt'.*known are.*tmr"), (4, "'rtop'.*mean rtop2"), (6, "no subcircuit 'filter'"),
           (8, "'vin'"), (10, "reltoll.*reltol")])
    with pytest.raises(xb.NetlistError, match="^5 errors in the netlist\n<string>:2: .*\n<string>:4: "):
        xb.parse_netlist("\n".join(["title", *lines, *SOURCE]))


@pytest.mark.parametrize("seed", range(20261, 20271))
def test_mistakes_add_up(seed: int) -> None:
    """Some mistakes, one below the other, are reported as each is alone."""
    alone = {line: check((line, *SOURCE), [(2, words)])[0].text for line, words in (
        ("z1 a 0 1", "unknown element"), ("r77 a 0 {zz}", "zz"), ("r78 a 0 -5", "r78"),
        (".foo", "unknown card"),
        ("x5 a nosuch", "nosuch"), ("i5 b 0 1 2", "i5"), (".options foo=1", "foo"),
        ("f5 b 0 vnone 1", "vnone"),
        ("ymtj y5 a 0 nomodel", "nomodel"), (".param p5={2*}", "value"), ("r79 c[0:1] 0 1", "bus"))}
    rng = random.Random(seed)
    wrong = rng.sample(list(alone), 5)
    lines = list(wrong)
    for k in range(30):
        lines.insert(rng.randint(0, len(lines)), f"rr{k} a 0 {k + 1}")
    found = problems(*SOURCE, *lines)
    at = [4 + lines.index(line) for line in wrong]
    assert [(p.line, p.text) for p in found] == sorted(zip(at, (alone[line] for line in wrong), strict=True))


def test_hints_are_given() -> None:
    for line in ("r1 a 0 {r8}", "ymtj j a 0 m", "x1 a s", ".foo", ".options foo=1", "r1 b[0:1] 0 1",
                 "q1 a b c"):
        found, = problems(".param r88=1", ".model m2 mtj", ".subckt s2 p", "r1 p 0 1", ".ends", *SOURCE, line)
        assert found.hint or "not supported" in found.text, line
        assert found.hint in str(found)


# --- included files -----------------------------------------------------------------------------------------


def test_mistakes_in_included_files_have_their_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.inc").write_text("r1 a 0 1\nr2 a 0 {zz}\n.include b.inc\n.include c.inc\n")
    (tmp_path / "in/b.inc").write_text("\n\n.foo\n")
    top = tmp_path / "top.cir"
    top.write_text("title\nv1 a 0 1\n.include in/a.inc\nr1 a 0 2\nr3 a 0 {yy}\n")
    with pytest.raises(xb.NetlistError) as caught:
        xb.read_netlist(top)
    places = {(Path(p.file).relative_to(tmp_path).as_posix(), p.line): str(p) for p in caught.value.problems}
    assert places.keys() == {("in/a.inc", 2), ("in/b.inc", 3), ("in/a.inc", 4), ("top.cir", 4),
                             ("top.cir", 5)}
    assert "c.inc: No such file" in places["in/a.inc", 4]
    assert "a.inc:1" in places["top.cir", 4]


@pytest.mark.parametrize("target", ["top.cir", "./top.cir", "../{}/top.cir", "a.inc"])
def test_files_that_include_themselves(target: str, tmp_path: Path) -> None:
    (tmp_path / "a.inc").write_text(f".include {target.format(tmp_path.name)}\n")
    top = tmp_path / "top.cir"
    top.write_text("title\nv1 a 0 1\nr1 a 0 1\n.include a.inc\n")
    with pytest.raises(xb.NetlistError, match="includes itself") as caught:
        xb.read_netlist(top)
    assert len(caught.value.problems) == 1


def test_what_cannot_be_included(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(b"\x00\x01\x02")
    (tmp_path / "latin1").write_bytes("v1 a 0 1 ; \u00e9t\u00e9\n".encode("latin-1"))
    (tmp_path / "loop1").symlink_to("loop2")
    (tmp_path / "loop2").symlink_to("loop1")
    lines = (".include folder", ".include binary", ".include latin1", ".include nothing", ".include",
             ".include a b",
             ".include " + "x" * 5000, ".include loop1")
    wanted = ["directory", "no text", "no text", "No such file", "one file name", "one file name", "too long",
              "symbolic"]
    found = problems(*lines, *SOURCE, path=str(tmp_path / "deck.cir"))
    assert [p.line for p in found] == list(range(2, 10))
    for problem, words in zip(found, wanted, strict=True):
        assert re.search(words, str(problem)), problem


def test_file_names_with_a_zero_byte() -> None:
    grid = (".model c mtj", ".model g xbar (rows=1 cols=1 mtj=c)", *SOURCE)
    for line in ('.include "a\0b"', "yxbar x a 0 g state='a\0b'"):
        found, = problems(*grid, line)
        assert found.line == 6


def test_a_deep_chain_of_files(tmp_path: Path) -> None:
    for k in range(200):
        (tmp_path / f"{k}.inc").write_text(f".include {k + 1}.inc\n")
    with pytest.raises(xb.NetlistError, match="more than [0-9]+ files"):
        xb.parse_netlist("t\n.include 0.inc\nv1 a 0 1\nr1 a 0 1\n", path=str(tmp_path / "t.cir"))


@pytest.mark.parametrize("content",
                         [b"\x7fELF\x02\x01\x01\x00\x00", "caf\u00e9 5\u00b5\nr1 a 0 1\n".encode("latin-1"),
                          b"\xff\xfet\x00\n\x00"])
def test_a_deck_that_is_no_text(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "deck.cir"
    path.write_bytes(content)
    with pytest.raises(xb.DataError, match="deck.cir is no text"):
        xb.read_netlist(path)


def test_a_deck_that_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        xb.read_netlist(tmp_path / "nothing.cir")
    with pytest.raises(OSError):
        xb.read_netlist(tmp_path)


@pytest.mark.parametrize("text",
                         ["", "\n", "title", "title\n", "title\n.end\n", "t\n* nothing\n\n; at all\n",
                          "t\n.op\n"])
def test_a_deck_without_elements(text: str) -> None:
    with pytest.raises(CrossbarError, match="no element|empty"):
        xb.run(xb.parse_netlist(text))


# --- state and conductance files ----------------------------------------------------------------------------

GRID = (".model c mtj (rp=1k tmr=1)", ".model g xbar (rows=2 cols=3 mtj=c)", "v1 w 0 1", "v2 b 0 0")


@pytest.mark.parametrize("given, content, words", [
    ("state", "0,1,1\n1,0,nan\n", "data.csv:2|entry"), ("state", "0,1\n1,0\n", r"\(2, 2\).*\(2, 3\)"),
    ("state", "0,1\n1,0\n1,1\n", "transposed"), ("state", "0,1,2\n1,0,1\n", "state"),
    ("state", "0,1,-1\n1,0,1\n", "mix"),
    ("state", "0,1,1\n1,0\n", "data.csv:2.*2 entries"), ("state", "a,b,c\n0,1,1\n1,0,1\n", "header"),
    ("state", "", "no numbers"), ("g", "1e-3,1e-3,-1e-3\n0,0,0\n", "at least 0"),
    ("g", "1e-3,nan,1e-3\n0,0,0\n", "nan"),
    ("g", "1e-3,inf,1e-3\n0,0,0\n", "finite"), ("g", "1e-3,1e-3\n1,1\n", "2 x 2.*2 x 3"),
    ("r", "1,1,0\n1,1,1\n", "positive"),
    ("r", "1,1,-1\n1,1,1\n", "positive"), ("r", "1k,1,1\n1,1,1\n", "1k"),
    ("g", "1;2;3\n1,5;2;3\n", "decimal|number")])
def test_files_of_cells_that_are_refused(given: str, content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(content)
    found, = problems(*GRID, f"yxbar x1 w b g {given}=data.csv", path=str(tmp_path / "deck.cir"))
    assert found.line == 6 and "data.csv" in found.text and re.search(words, found.text), found


def test_pickled_states_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", np.array([[1, None], ["x", 2.0]], dtype=object), allow_pickle=True)
    (tmp_path / "p.npy").write_bytes(b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.")
    for name in ("s.npy", "p.npy"):
        found, = problems(*GRID, f"yxbar x1 w b g state={name}", path=str(tmp_path / "deck.cir"))
        assert found.line == 6 and "pickled" in found.text


# --- size ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["1e6", "1e9", "1e150", "1e308"])
def test_an_array_too_large_for_memory_is_refused_before_it_is_made(size: str) -> None:
    lines = (".model c mtj", f".model g xbar (rows={size} cols={size} mtj=c)", "yxbar x1 w[0:3] b g", *SOURCE)
    start = time.process_time()
    with pytest.raises(xb.SizeError, match="x1.*GiB") as caught:
        xb.parse_netlist("\n".join(["title", *lines]))
    assert float(size) > 1e150 or caught.value.estimate > float(size) ** 2
    assert caught.value.limit < caught.value.estimate
    assert time.process_time() - start < 2


LONG = 1_000_000
LONG_LINES = {
    "comment": "*" + "x" * LONG, "number": "r1 a 0 " + "1" * LONG,
    "sum": "r1 a 0 {" + "1+" * (LONG // 2) + "1}",
    "nodes": "r1 " + "a " * (LONG // 2),
    "parameters": ".param " + " ".join(f"p{k}={k}" for k in range(LONG // 12)),
    "open": "r1 a 0 " + "(" * LONG, "braces": "r1 a 0 " + "{" * (LONG // 2) + "1" + "}" * (LONG // 2),
    "brackets": "r1 a" + "[0:1]" * (LONG // 5) + " 0 1",
    "open brackets": "r1 a" + "[1" * (LONG // 2) + " 0 1",
    "equals": ".model m mtj " + "=" * LONG, "quotes": ".param p=" + "'" * (LONG + 1),
    "name": "r" + "x" * LONG + " a 0 1",
    "outputs": ".print op " + "v(a) " * (LONG // 5), "blanks": "r1 a 0 1" + " " * LONG,
    "dollars": "r1 a 0 1 " + "$" * LONG,
    "plus": "r1 a 0 1\n+" + "+" * LONG, "card": "." + "x" * LONG,
    "function": ".func f(" + "x," * (LONG // 2) + "y) {y}",
    "ports": ".subckt s " + " ".join(f"p{k}" for k in range(LONG // 8)) + "\n.ends",
    "model": ".model m mtj (" + " ".join(f"p{k}=1" for k in range(LONG // 12)) + ")\nymtj j a 0 m"}


@pytest.mark.parametrize("name", LONG_LINES)
def test_a_line_of_a_million_characters(name: str) -> None:
    """Read or refused, in a time that a person would wait, and without repeating the line in a message."""
    start = time.process_time()
    found = problems(*SOURCE, LONG_LINES[name])
    assert time.process_time() - start < 30
    assert all(len(str(p)) < 2000 for p in found)


def test_many_mistakes_do_not_take_for_ever() -> None:
    start = time.process_time()
    found = problems(*(f"z{k} what is this" for k in range(20_000)))
    assert time.process_time() - start < 30
    assert found[0].line == 2


# --- no unique solution -------------------------------------------------------------------------------------


@pytest.mark.parametrize("lines, words", [
    (("i1 0 a 1",), "path to ground from node a .*i1"),
    (("v1 a 0 1", "r1 a 0 1", "r2 b c 1"), "path to ground from nodes b, c .*r2"),
    (("v1 a b 1", "r1 a b 1"), "path to ground"),
    (("v1 a 0 1", "r1 a 0 1", "e1 b 0 zz 0 1", "r2 b 0 1"), "node zz"),
    (("v1 a 0 1", "r1 a 0 1", "b1 b 0 v={v(typo)}", "r2 b 0 1"), "node typo"),
    (("v1 a 0 1", "v2 a 0 2", "r1 a 0 1"), "loop of voltage sources.*v1.*v2"),
    (("v1 a 0 1", "r1 a b 0", "v2 b 0 1"), "loop.*(r1.*v|v.*r1)"), (("v1 a a 1", "r1 a 0 1"), "loop.*v1"),
    (("v1 a 0 1", "e1 a 0 b 0 2", "r1 b 0 1"), "loop.*e1"), (("v1 0 gnd 1", "r1 a 0 1"), "loop.*v1")])
def test_topology_without_a_unique_solution(lines: tuple[str, ...], words: str) -> None:
    with pytest.raises(xb.TopologyError) as caught:
        xb.run(xb.parse_netlist("\n".join(["title", *lines])))
    assert re.search(words, str(caught.value), re.DOTALL), caught.value


def test_an_array_whose_ends_all_float_says_which_lines() -> None:
    lines = (*GRID[:2], "v1 q 0 1", "r1 q 0 1", "yxbar x1 w[0:1] b[0:2] g")
    with pytest.raises(xb.TopologyError, match=r"w\[0\].*w\[1\]"):
        xb.run(xb.parse_netlist("\n".join(["title", *lines])))


@pytest.mark.parametrize("lines", [
    ("b1 a 0 v={v(a)+1}", "r1 a 0 1"), ("b1 a 0 i={v(a)**2+1}",), ("i1 a 0 1", "b1 a 0 i={exp(v(a))}"),
    ("i1 0 a 1", "g1 0 a a 0 1", "r1 a 0 1")])
def test_what_has_no_solution_does_not_converge(lines: tuple[str, ...]) -> None:
    """v = v + 1; v**2 + 1 = 0; exp(v) = -1; 1 - v + v = 0: nothing satisfies these."""
    with pytest.raises(xb.ConvergenceError):
        xb.run(xb.parse_netlist("\n".join(["title", *lines])))


def test_a_sweep_that_fails_half_way_keeps_what_it_has() -> None:
    text = "title\n.param p=1\nv1 a 0 {p}\nb1 b 0 v={sqrt(v(a)+1)}\nr1 b 0 1\n.dc p 0 -4 -1\n"
    with pytest.raises(xb.ConvergenceError, match="p = -[1-4]") as caught:
        xb.run(xb.parse_netlist(text))
    done = caught.value.partial.analyses["unfinished"]
    assert done["v(b)"][0] == pytest.approx(1) and np.isnan(done["v(b)"][-1])


def test_a_sweep_into_a_mistake_names_the_point() -> None:
    """A parameter may make the deck wrong on the way; what was finished is kept all the same."""
    text = "title\n.param p=1\nv1 a 0 1\nr1 a 0 {p}\n.op\n.dc p 2 -1 -3\n"
    with pytest.raises(CrossbarError) as caught:
        xb.run(xb.parse_netlist(text))
    assert re.search("p = -1", str(caught.value)), caught.value
    assert caught.value.partial is not None and "op" in caught.value.partial.analyses


# --- mutations ----------------------------------------------------------------------------------------------

SEEDS = [path.read_text() for path in DECKS] + ["""every card
.param a=1 b={a*2} c='b+1'
.func f(x,y) {x*y+a}
.options reltol=1e-4 seed=7 temp=27 itl1=50
.temp 30
.global vdd
.model m1 mtj (rp=5k tmr=1 vh=0.5)
.model x1 xbar (rows=2 cols=3 mtj=m1 r_wl=1 r_bl=2 r_driver=10)
.subckt s p[0:1] q r=1k PARAMS: k=2
.param loc={r*k}
.model m1 mtj (preset=daffodil vh=inf)
.subckt t a b
R1 a b {loc}
.ends
R1 p[0] q {f(loc,1)} tc1=1m tc2=1u m=2
X1 p[1] q t
Vs q 0 0
F1 0 z Vs 2
H1 y 0 Vs 3
Rz z 0 1
Ry y 0 1
.ends s
Vdd vdd 0 DC 1
V[0:1] w[0:1] 0 DC {c}
X1 w[0:1] n s r=2k
E1 e 0 w[0] 0 2
G1 0 g w[0] 0 1m
Re e 0 1
Rg g 0 1k
B1 bb 0 V={v(e)*2+i(v[0])}
Rb bb 0 1
YMTJ j1 w[0] 0 m1 state=AP tmr=2
YXBAR xa w[0:1] d[0:2] x1 state=random wr=vdd
R[0:2] d[0:2] 0 {b}
E2 e2 0 VALUE={v(e)>1?1:2}
Re2 e2 0 1
I1 0 e2 1u
.op
.dc V[0] 0 1 0.5 a 1 2 1
.print dc v(e) i(v[0:1]) v(xa.wl[0,1])
.save v(e) state(xa[0,0])
.end
"""]
CHARACTERS = "0123456789abcdefghirvxy.,;$=+-*/(){}[]'\" \t\n\r\0!?:<>&|^%~#@\\_\u00e9\u2028\x0c\ud800"
HOSTILE = ("1e308 -1e308 1e-320 1e200 -1 0 inf nan 1e400 1e9999999 0x10 1_000 a[0:99999999] a[0:3] a[3:0] "
           "[0:1] { } "
           "{1/0} {1e308*10} {-1} = , ( ) () {} [] '' gnd .subckt .ends .func .param .global .dc .print "
           ".save .options "
           ".temp .include .model .op .end YMTJ YXBAR X1 R r=5 = ={} state= state=random state=P {a} "
           "{gauss(1,1,1)} "
           "{v(a)} -0 1.5 2.5k temp v(e) i(v1) + * ; $ \x00 /dev/null .").split(" ")


def mutated(text: str, rng: random.Random) -> str:
    """The text with some characters or words deleted, doubled or replaced, lines moved or spliced."""
    for _ in range(rng.choice([1, 1, 1, 2, 3, 6])):
        lines = text.split("\n")
        j, k, at = rng.randrange(len(lines)), rng.randrange(len(lines)), rng.randint(0, len(text))
        words = lines[j].split(" ")
        w = rng.randrange(len(words))
        match rng.randrange(11):
            case 0:
                text = text[:at] + text[at + 1:]
                continue
            case 1:
                text = text[:at] + text[at:at + 1] + text[at:]
                continue
            case 2 | 3:
                text = text[:at] + rng.choice(CHARACTERS) + text[at + rng.randrange(2):]
                continue
            case 4:
                words.pop(w)
            case 5:
                words.insert(w, rng.choice(words))
            case 6:
                words[w] = rng.choice(text.split() or ["x"])
            case 7 | 8:
                name, sign, _ = words[w].partition("=")
                words[w] = name + sign + rng.choice(HOSTILE) if sign else rng.choice(HOSTILE)
            case 9:
                lines[j], lines[k] = lines[k], lines[j]
                text = "\n".join(lines)
                continue
            case _:
                words = [lines[j][:rng.randint(0, len(lines[j]))] + lines[k][rng.randint(0, len(lines[k])):]]
        lines[j] = " ".join(words)
        text = "\n".join(lines)
    return text


@given(st.sampled_from(range(len(SEEDS))), st.integers(0, 2 ** 32))
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
def test_mutated_decks_raise_nothing_but_errors_on_purpose(which: int, seed: int) -> None:
    text = mutated(SEEDS[which], random.Random(seed))
    try:
        deck = xb.parse_netlist(text, path=str(DECKS[0].with_name("mutated.cir")))
        assert deck.circuit.node_count >= 1
        deck.analyses
        for name in deck.analyses:
            deck.printed(name)
    except xb.NetlistError as error:
        assert error.problems and all(p.line >= 1 and p.text for p in error.problems)
    except (CrossbarError, OSError):
        pass


@given(st.text(alphabet=st.sampled_from("rvibex.yd a0123\n+={}()[]:'\",$;*-/") | st.characters(),
               max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_deck_or_an_error_on_purpose(text: str) -> None:
    try:
        xb.parse_netlist("title\n" + text)
    except (CrossbarError, OSError):
        pass
