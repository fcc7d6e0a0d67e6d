"""What is of a wrong type is refused as a DataError that names the argument."""

import numpy as np
import pytest

import crossbar as xb
from crossbar import checks

NMOS = xb.NMOS(vto=0.4, kp=2e-4)
G = np.full((3, 4), 1e-4)
ARRAY = xb.PassiveArray(G)
JUNCTIONS = xb.PassiveArray(xb.MTJCells("daffodil", np.ones((3, 4), int)))
RAGGED = [[1], [2, 3]]

#: Neither numbers nor words, nor whole numbers.
NOTHING = [None, b"y", 1j, {}, RAGGED, object(), np.array(None), np.zeros((0,)), len,
           np.ma.array([1.0, 2.0], mask=[True, False]), np.datetime64("2020"), ARRAY]

ARGUMENTS = {
    "number of lines": lambda x: xb.only(x, 0),
    "driven line": lambda x: xb.only(4, x),
    "voltage": lambda x: xb.only(4, 1, x),
    "v_bulk": lambda x: xb.OneTransistorArray(G, transistor=NMOS, v_bulk=x),
    "source_lines": lambda x: xb.OneTransistorArray(G, transistor=NMOS, source_lines=x),
    "transistor": lambda x: xb.OneTransistorArray(G, transistor=x),
    "selector": lambda x: xb.SelectorCells(cells=xb.LinearCells(g=G), selector=x),
    "from_xbar": xb.PassiveArray.from_xbar,
    "text of a deck": xb.parse_netlist,
    "path of a deck": lambda x: xb.parse_netlist("title\n.end\n", x),
    "read_netlist": xb.read_netlist,
    "run": xb.run,
    "transfer's source": lambda x: ARRAY.transfer(x, "bit_bottom"),
    "transfer's sink": lambda x: ARRAY.transfer("word_left", x),
    "a side": ARRAY.terminal_conductance,
    "method": lambda x: ARRAY.solve(word_left=0.1, method=x),
    "keep": lambda x: ARRAY.solve(word_left=0.1, keep=x),
    "output": lambda x: ARRAY.jacobian(word_left=0.1, output=x),
    "by": lambda x: ARRAY.gradient(word_left=0.1, by=x),
    "at is": lambda x: ARRAY.effective_conductance(at=x),
    "selected row": lambda x: ARRAY.read_breakdown([] if x is None else x, 0),
    "selected column": lambda x: ARRAY.read_breakdown(0, [] if x is None else x),
    "rows": lambda x: xb.Scheme(name="own", rows=[] if x is None else x, columns=0.0),
}


@pytest.mark.parametrize("call", ARGUMENTS.values(), ids=ARGUMENTS)
@pytest.mark.parametrize("value", NOTHING, ids=lambda x: type(x).__name__)
def test_the_argument_is_named(call, value):
    name = next(name for name, each in ARGUMENTS.items() if each is call)
    with pytest.raises(xb.DataError, match=name):
        call(value)


@pytest.mark.parametrize("call, message", [
    (lambda: xb.only(3.0, 0), "number of lines is a whole number of at least 1, not 3.0"),
    (lambda: xb.only(0, 0), "at least 1, not 0"),
    (lambda: xb.only(-2, 0), "at least 1, not -2"),
    (lambda: xb.only(True, 0), "at least 1, not True"),
    (lambda: xb.only(4, []), r"driven line, .* whole numbers are wanted, not \[\]"),
    (lambda: xb.only(4, 4), "4 is no line, or lines, of 4"),
    (lambda: xb.only(4, "1"), "whole numbers are wanted, not '1'"),
    (lambda: xb.only(4, 1, np.nan), "voltage .* is one finite number, not nan"),
    (lambda: xb.only(4, 1, [0.1]), "is one finite number"),
    (lambda: xb.parse_netlist(b"title"), "the text of a deck, a str, is wanted, not bytes"),
    (lambda: ARRAY.jacobian(word_left=0.1, lines=RAGGED), "lines of bit_bottom, .*: not a regular"),
    (lambda: ARRAY.transfer("word_left", "bit_bottom", word_right=RAGGED), "word_right"),
    (lambda: JUNCTIONS.solve(word_left=0.1, states=RAGGED), "states of the inputs: not a regular"),
    (lambda: xb.OneTransistorArray(G, transistor=NMOS, v_bulk=np.inf), "v_bulk .* one finite"),
])
def test_values(call, message):
    with pytest.raises(xb.DataError, match=message):
        call()


def test_a_drive_that_does_not_fit_in_memory(monkeypatch):
    monkeypatch.setattr("crossbar.memory.available", lambda: 10 ** 6)
    for lines in (10 ** 6, 10 ** 30):
        with pytest.raises(xb.SizeError, match="a drive of 1000000"):
            xb.only(lines, 0)


def test_whatever_numpy_takes_for_a_number_is_one():
    assert xb.OneTransistorArray(G, transistor=NMOS, v_bulk=np.float32(-0.5)).cells.v_bulk == -0.5
    driven = xb.only(np.int64(4), np.array([0, -1]), np.float64(0.3))
    assert driven.mask.tolist() == [False, True, True, False]
    assert driven[0] == driven[3] == 0.3


def test_validators():
    assert checks.count(np.uint8(3), "n") == 3
    assert checks.count(0, "n", least=0) == 0
    assert checks.finite_number(3, "x") == 3.0
    assert checks.choice("a", ("a", "b"), "letter") == "a"
    with pytest.raises(xb.DataError, match="^letter is one of a, b, not 'c'$"):
        checks.choice("c", ("a", "b"), "letter")
    with pytest.raises(xb.DataError, match=r"^x is one finite number, not ndarray array"):
        checks.finite_number(np.zeros(1000), "x")
