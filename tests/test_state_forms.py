"""States go in as 0 / 1, -1 / +1, true / false or words and come out as -1 / +1, or as asked for."""

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import crossbar as xb
from crossbar import mtj, writing
from crossbar.io.tables import write_matrix
from crossbar.io.writes import write_report_csv

SEED = 305_771_964
SHAPE = (4, 5)


def generator(*key):
    return np.random.default_rng([SEED, *key])


def report(repeats=None):
    """Half-selected cells flip now and then, so that both states are there at the end."""
    rng = generator(1)
    array = xb.PassiveArray(xb.MTJCells("mtj-60kT", rng.integers(0, 2, SHAPE)))
    target = rng.integers(0, 2, SHAPE)
    return xb.program(array, target, pulse=xb.Pulse(0.9, 2e-8), repeats=repeats, rng=rng), target


@pytest.mark.parametrize("form, kind", [("01", "i"), ("-1/1", "i"), ("bool", "b"), ("words", "U")])
def test_there_and_back(form, kind):
    states = generator(2).choice(np.array([-1, 1], np.int8), (2, 3, 4))
    shown = mtj.states_as(states, form)
    assert shown.dtype.kind == kind and shown.shape == states.shape
    assert_array_equal(mtj.as_state(shown), states)
    assert_array_equal(mtj.states_as(shown, "-1/1"), states)


def test_what_each_form_looks_like():
    states = [1, -1]
    assert mtj.states_as(states).tolist() == mtj.states_as(states, "01").tolist() == [1, 0]
    assert mtj.states_as(states, "-1/1").tolist() == [1, -1]
    assert mtj.states_as(states, "bool").tolist() == [True, False]
    assert mtj.states_as(states, "words").tolist() == ["P", "AP"]
    for form in ("10", None, ["01"]):
        with pytest.raises(xb.DataError, match="the form of states is one of 01, -1/1, bool, "):
            mtj.states_as(states, form)


def test_a_report_gives_either():
    written, target = report()
    assert set(np.unique(written.states)) == {-1, 1}
    assert_array_equal(written.states_as(), (written.states + 1) // 2)
    assert_array_equal(written.states_as() != target, written.errors)  # 0 and 1, as they were given
    assert_array_equal(written.states_as("words") == "P", written.states > 0)
    plain, as_asked = written.as_dict(), written.as_dict(states="01")
    assert_array_equal(plain["states"], written.states)
    assert_array_equal(as_asked["states"], written.states_as())
    assert_array_equal(as_asked["target"], target)
    assert {k: v for k, v in plain.items() if k not in ("states", "target")} == {
        k: v for k, v in as_asked.items() if k not in ("states", "target")}
    assert json.loads(json.dumps(written.as_dict(states="words")))["states"][0][0] in ("P", "AP")


def test_an_update_gives_either():
    array = xb.PassiveArray(xb.MTJCells("mtj-60kT", np.ones(SHAPE, int)))
    x, delta = np.ones(SHAPE[0]), np.ones(SHAPE[1])
    updated = writing.outer_product_update(array, x, delta, eta=0.3, rng=generator(3))
    assert_array_equal(updated.states_as("bool"), updated.states > 0)


@pytest.mark.parametrize("states, numbers, head", [("-1/1", {-1.0, 1.0}, "-1 antiparallel"),
                                                   ("01", {0.0, 1.0}, "0 antiparallel")])
def test_files_hold_either_and_are_read_back(tmp_path, states, numbers, head):
    written, _ = report()
    write_report_csv(written, tmp_path, states=states)
    file = tmp_path / "write_states.csv"
    assert set(np.loadtxt(file, delimiter=",").ravel()) == numbers
    assert head in file.read_text().splitlines()[0]
    assert_array_equal(xb.read_states(file, SHAPE), written.states)


def test_of_many_writes_the_share_in_p(tmp_path):
    written, _ = report(repeats=8)
    write_report_csv(written, tmp_path, states="01")
    share = np.loadtxt(tmp_path / "write_states.csv", delimiter=",")
    assert_array_equal(share, (written.states > 0).mean(axis=0))


def test_no_other_form_in_files(tmp_path):
    written, _ = report()
    with pytest.raises(xb.DataError, match="states is one of -1/1, 01"):
        write_report_csv(written, tmp_path, states="words")
    assert not list(tmp_path.iterdir())


def test_states_of_any_form_can_be_written_and_read(tmp_path):
    states = generator(4).choice([-1, 1], SHAPE)
    write_matrix(tmp_path / "s.csv", mtj.states_as(states, "01"), "states")
    assert_array_equal(xb.read_states(tmp_path / "s.csv"), states)
