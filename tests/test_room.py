"""Work arrays: at cache lines, given back when nobody looks at them, never sooner, and never too many."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from crossbar.arrays.passive import PassiveArray
from crossbar.solvers import room


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(room._Lease, "free", {})


def kept():
    return sum(size * len(blocks) for size, blocks in room._Lease.free.items())


@pytest.mark.parametrize("shape", [(3,), (1, 40, 60), (2, 300, 300), (1, 1000, 1000)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_begin_at_cache_lines(shape, dtype):
    for make in (room.empty, room.zeros):
        x = make(shape, dtype)
        assert x.shape == shape and x.dtype == dtype and x.flags.c_contiguous and x.flags.writeable
        assert x.ctypes.data % 64 == 0
    assert not x.any()


def test_memory_comes_back_with_the_last_view_and_not_before():
    first = room.empty((100, 100))
    place, view = first.ctypes.data, first[3:, 2:].T
    del first
    view[:] = 7.0
    other = room.zeros((100, 100))
    assert other.ctypes.data != place and not other.any() and (view == 7.0).all()
    del view
    again = room.zeros((100, 100))
    assert again.ctypes.data == place and not again.any()


def test_no_more_is_kept_than_was_said(monkeypatch):
    monkeypatch.setattr(room._Lease.__del__, "__defaults__", (10 ** 6,))
    for rows in range(30, 400):
        room.empty((rows, 100))
        assert kept() <= 10 ** 6
    assert kept() > 0
    small = kept()
    room.empty((2000, 2000))  # large: the system's
    room.empty((3, 3))
    assert kept() == small


def test_a_later_solve_leaves_the_results_of_an_earlier_one_alone():
    rng = np.random.default_rng(5)
    array = PassiveArray(rng.uniform(5e-5, 2e-4, (90, 70)), r_word=2.0, r_bit=2.0)
    first = array.solve(word_left=0.3)
    before = [x.copy() for x in (first.word_voltage, first.bit_voltage, first.bit_current)]
    for volts in (0.1, 0.7, -0.2):
        array.solve(word_left=volts)
    for now, then in zip((first.word_voltage, first.bit_voltage, first.bit_current), before, strict=True):
        assert_array_equal(now, then)
    assert_array_equal(array.solve(word_left=0.3).bit_current, first.bit_current)
