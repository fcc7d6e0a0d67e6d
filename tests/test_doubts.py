"""Slips of units are warned of: once, at the line of whoever made them, with its place in decks."""

import warnings

import numpy as np
import pytest

import crossbar as xb
from crossbar import mtj
from crossbar.elements.cells import LinearCells

SEED = 1_106_483_911
NMOS = xb.NMOS(vto=0.4, kp=2e-4, w=10e-6, l=1e-6)
OHMS = np.full((8, 8), 1e4)


def said(act):
    """The warnings of ours that an action gives, all of them, and what it returns."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = act()
    assert all(w.category is xb.CrossbarWarning for w in caught)
    return caught, result


SLIPS = {
    "resistances in an array": (
        lambda: xb.PassiveArray(OHMS), "64 of 64 cells conduct 1 S or more, up to 1e.04 S"),
    "in cells of their own": (lambda: xb.PassiveArray(LinearCells(g=OHMS)), "64 of 64 cells"),
    "one of them": (lambda: xb.PassiveArray([[1e-4, 1.0]]), "1 of 2 cells"),
    "on the same wires": (lambda: xb.PassiveArray(1 / OHMS).with_cells(OHMS), "from_resistance"),
    "behind transistors": (lambda: xb.OneTransistorArray(OHMS, transistor=NMOS), "64 of 64 cells"),
    "conductances for resistances": (
        lambda: xb.PassiveArray.from_resistance(1 / OHMS), "1 ohm or less, down to 0.0001"),
    "TMR in percent": (lambda: xb.MTJParams(tmr=150), "a TMR of 150 is 15000 %.*1.5 for 150 %"),
    "in one junction of many": (lambda: xb.MTJParams(tmr=np.array([1.5, 150])), "a TMR of 150"),
    "replaced": (lambda: xb.MTJParams(tmr=1.5).replace(tmr=150), "a TMR of 150"),
    "r_p in siemens": (lambda: xb.MTJParams(r_p=233e-6), "r_p = 0.000233 ohm"),
    "pulse in nanoseconds": (lambda: xb.Pulse(.5, 10), "a pulse of 10 s.*1e-08 for 10 ns"),
    "to P or to AP": (lambda: xb.Pulse(.5, (1e-8, 10)), "a pulse of 10 s"),
    "its edges": (lambda: xb.Pulse(.5, 1e-8, rise=1), "a pulse of 1 s"),
    "reads of a verified write": (lambda: xb.Verify(3, read_width=10), "a pulse of 10 s"),
}


@pytest.mark.parametrize("act, text", SLIPS.values(), ids=SLIPS)
def test_a_slip_is_said_once_where_it_was_made(act, text):
    caught, _ = said(act)
    assert len(caught) == 1
    with pytest.warns(xb.CrossbarWarning, match=text):
        act()
    assert caught[0].filename == __file__


@pytest.mark.parametrize("act", [
    lambda: xb.PassiveArray(np.full((2, 2), 0.99)),
    lambda: xb.PassiveArray.from_resistance([[1.01, np.inf]]),
    lambda: xb.PassiveArray(LinearCells(g=np.full((2, 2), 1e-4)).with_defects(
        mtj.Defects(short=np.eye(2) > 0), g_short=10.0)),  # named as shorts
    lambda: xb.MTJParams(tmr=19.9),
    lambda: xb.Pulse(.5, 0.099),
])
def test_what_may_be_meant_is_not_commented(act):
    assert said(act)[0] == []


def test_an_array_of_doubtful_cells_is_not_commented_again():
    """Whatever is asked of it: other cells, reads, derivatives."""
    _, array = said(lambda: xb.PassiveArray([[2.0, 1.0], [3.0, 1.0]], r_word=1.0, r_bit=1.0))

    def everything():
        array.with_cells(array.cells)
        array.solve(word_left=1e-3)
        array.transfer("word_left", "bit_bottom")
        array.gradient(word_left=1e-3)
        array.sense_margin(states=(2.0, 1.0))
        array.sense_margin(0, 1, states=(2.0, 1.0))
        array.to_circuit(word_left=1e-3)
        return array.read_breakdown(0, 1)
    assert said(everything)[0] == []


def test_doubtful_junctions_are_not_commented_again():
    _, p = said(lambda: xb.MTJParams(tmr=150))

    def everything():
        rng = np.random.default_rng(SEED)
        other = p.replace(temperature=310.0)
        many = mtj.sample(other, mtj.Variation(tmr=0.05, ra=0.05), (3, 4), rng)
        many.select((3, 4), np.array([2, 5]))
        array = xb.PassiveArray(xb.MTJCells(many, np.ones((3, 4), int)))
        return array.solve(word_left=0.1)
    assert said(everything)[0] == []


def test_a_doubtful_pulse_is_not_commented_again():
    _, pulse = said(lambda: xb.Pulse(0.8, 10))
    rng = np.random.default_rng(SEED)
    array = xb.PassiveArray(xb.MTJCells("mtj-60kT", np.ones((2, 3), int)), r_word=0.0, r_bit=0.0)
    verify = xb.Verify(3, amplitude_step=0.05, width_factor=1.5)
    target = np.zeros((2, 3), int)
    assert said(lambda: xb.program(array, target, pulse=pulse, verify=verify, rng=rng))[0] == []


def test_every_line_says_its_own():
    """Python shows a warning once a line of code; both lines are the user's, not ours."""
    caught, _ = said(lambda: [xb.MTJParams(tmr=150),
                              xb.MTJParams(tmr=150)])
    assert len({w.lineno for w in caught}) == 2


def test_they_can_be_made_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error", xb.CrossbarWarning)
        with pytest.raises(xb.CrossbarWarning, match="TMR"):
            xb.MTJParams(tmr=150)


DECK = """percent
.model junction mtj (tmr=150)
.model ohmic xbar (rows=2 cols=2)
.model array xbar (rows=2 cols=2 mtj=junction)
v1 in 0 0.1
yxbar x1 in 0 array state=p
yxbar x2 in 0 ohmic g=ohms.csv
ymtj m1 in 0 junction state=p tmr=200
.op
.write x1 target=ap amplitude=1 width=10 seed=3
"""


def test_in_decks_with_their_place(tmp_path):
    (tmp_path / "ohms.csv").write_text("5e3,6e3\n4e3,7e3\n")
    deck = tmp_path / "slips.cir"
    deck.write_text(DECK)
    caught, found = said(lambda: xb.read_netlist(deck))
    assert caught == []
    tmr, ohms, instance, pulse = found.warnings
    assert tmr.startswith(f"{deck}:2: a TMR of 150")
    assert ohms.startswith(f"{deck}:7: ohms.csv: 4 of 4 cells conduct 1 S or more")
    assert instance.startswith(f"{deck}:8: a TMR of 200")
    assert pulse.startswith(f"{deck}:10: .write x1: a pulse of 10 s")
    caught, run = said(lambda: xb.run(found))
    assert caught == [] and run.warnings == found.warnings
