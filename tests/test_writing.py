"""Writes: every probability from an independently solved voltage, every count inside its interval, every joule accounted for."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest
from scipy import stats

import crossbar as xb
from crossbar.writing import GatedScheme, LineScheme, Stepping, programming

P = xb.mtj.presets["mtj-60kT"]
N = 15
SHAPE = (N, N)
NMOS = xb.NMOS(kp=3e-4, w=2e-6, l=1e-7, vto=0.4, gamma=0.4, lambda_=0.05)
ALARM = 1e-4  # of a statistical test, per run


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng([20261125, seed])


def states(seed: int, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    return rng(seed).choice([-1, 1], shape)


def passive(state: Any, r: float = 2.0, **options: Any) -> xb.PassiveArray:
    cells = xb.MTJCells(options.pop("params", P), state, options.pop("defects", None))
    return xb.PassiveArray(cells, r_word=r, r_bit=r, **options)


def gated(state: Any, lines: Any = "parallel", **options: Any) -> xb.OneTransistorArray:
    return xb.OneTransistorArray(xb.MTJCells(options.pop("params", P), state, options.pop("defects", None)), transistor=NMOS,
                                 source_lines=lines, **options)


def inside(counts: np.ndarray, n: int, p: np.ndarray) -> np.ndarray:
    """Whether each count lies in the binomial interval that leaves ALARM false alarms for all cells together."""
    tail = ALARM / p.size / 2
    return (counts >= stats.binom.ppf(tail, n, p)) & (counts <= stats.binom.ppf(1 - tail, n, p))


# --- statistics

def test_flip_rates_of_every_cell_passive() -> None:
    """One phase, 3000 times, against voltages of the general path."""
    start, row, repeats = states(1), 6, 3000
    array, target, only = passive(start), np.array(start), np.zeros(SHAPE, bool)
    only[row, ::2], target[row] = True, 1
    report = xb.program(array, target, pulse=xb.Pulse(0.6, 30e-9), only=only, repeats=repeats, rng=rng(2))
    word, bit = np.full(N, 0.3), np.full(N, 0.3)
    word[row], bit[::2] = 0.6, 0.0
    volts = array.solve(word_left=word, bit_bottom=bit, method="general").cell_voltage
    p = xb.mtj.switching_probability(volts, 30e-9, P, start)
    flips = (report.states != start).sum(axis=0)
    assert inside(flips, repeats, p).all()
    assert ((p > 0.01) & (p < 0.99)).sum() > 10  # else nothing was tested
    np.testing.assert_allclose(report.expected_disturb[0][~only], p[~only], rtol=1e-5)
    assert (report.disturbs.sum(axis=0)[~only] == flips[~only]).all() and not report.disturbs[:, only].any()


@pytest.mark.parametrize("lines", ["parallel", "orthogonal"])
@pytest.mark.parametrize("direction", [1, -1])
def test_flip_rates_of_every_cell_with_transistors(lines: str, direction: int) -> None:
    start, row, repeats = states(3), 4, 3000
    start[row, :12] = -direction
    array, target, only = gated(start, lines), np.array(start), np.zeros(SHAPE, bool)
    only[row, ::2], target[row] = True, direction
    amplitude = 0.42 if direction > 0 else 0.55
    report = xb.program(array, target, pulse=xb.Pulse(amplitude, 10e-9), scheme="1t1r", only=only, repeats=repeats, rng=rng(4))
    gate, on = np.where(np.arange(N) == row, 1.2, 0.0), np.where(np.arange(N) % 2 == 0, amplitude, 0.0)
    side = "source_bottom" if lines == "parallel" else "source_left"
    if direction > 0:
        drives: dict[str, Any] = {"bit_top": on, side: 0.0}
    elif lines == "parallel":
        drives = {"bit_top": 0.0, side: on}
    else:
        drives = {"bit_top": amplitude - on, side: np.where(np.arange(N) == row, amplitude, 0.0)}
    point = xb.operating_point(array.to_circuit(gate, **drives), reltol=1e-10)
    volts = np.array([[point.v(f"bl[{i},{j}]") - point.v(f"in[{i},{j}]") for j in range(N)] for i in range(N)])
    p = xb.mtj.switching_probability(volts, 10e-9, P, start)
    assert inside((report.states != start).sum(axis=0), repeats, p).all()
    assert ((p > 0.01) & (p < 0.99)).sum() > 2


@pytest.mark.parametrize("scheme, order", [("v/2", "rows"), ("v/3", "cells")])
def test_totals_are_what_was_expected(scheme: str, order: Any) -> None:
    """Flips of whole writes: every phase's are a sum of independent trials, so the sum over phases less its expectation is a
    martingale, of variance below that expectation. 5 sigma."""
    report = xb.program(passive(states(5)), states(6), pulse=xb.Pulse((0.58, 0.72), 15e-9), scheme=scheme, order=order,
                        repeats=40, rng=rng(7))
    expected = -np.log1p(-report.expected_disturb).sum()  # sum of p to first order: p is small
    assert report.expected_disturb.max() < 0.5
    assert abs(report.disturbs.sum() - expected) < 5 * np.sqrt(expected) + 0.1 * expected * report.expected_disturb.max()
    errors, wanted = report.errors.sum(), report.expected_error.sum()
    assert abs(errors - wanted) < 5 * np.sqrt(wanted) + 1


@pytest.mark.parametrize("scheme, shared, other", [("v/2", 1 / 2, 0.0), ("v/3", 1 / 3, -1 / 3)])
def test_expected_disturb_is_the_hand_product(scheme: str, shared: float, other: float) -> None:
    """Cell by cell, no wires: 28 half-selections at V/2; 28 at +V/3 and 196 at -V/3.

    Both states of every cell are carried along by hand, undisturbed ones and all; pulses that fail
    are some per cent.
    """
    start, target, width = states(8), states(9), 20e-9
    amplitude = {1: 0.40, -1: 0.50} if scheme == "v/2" else {1: 0.52, -1: 0.66}
    report = xb.program(passive(start, r=0.0), target, pulse=xb.Pulse((amplitude[1], amplitude[-1]), width), scheme=scheme,
                        order="cells", rng=rng(10))
    everywhere = {s: (start == s).astype(float) for s in (1, -1)}  # probability of a state
    undisturbed = {
        s: x.copy() for s, x in everywhere.items()
    }  # and of never having been disturbed as well
    stressed = np.zeros((2, *SHAPE), int)
    for a in range(N):
        for d in (1, -1):
            for b in np.flatnonzero(target[a] == d):
                share = np.full(SHAPE, other)
                share[a, :] = share[:, b] = shared
                share[a, b] = 1.0
                p = {
                    s: xb.mtj.switching_probability(d * amplitude[d] * share, width, P, s)
                    for s in (1, -1)
                }
                for chances in (everywhere, undisturbed):
                    gain = {s: chances[-s] * p[-s] for s in (1, -1)}
                    if chances is undisturbed:
                        gain = {s: np.where(share == 1.0, x, 0.0) for s, x in gain.items()}
                    for s in (1, -1):
                        chances[s] = chances[s] * (1 - p[s]) + gain[s]
                stressed += (share == shared), (share == other) & (other < 0)
    wrong = np.where(target > 0, everywhere[-1], everywhere[1])
    np.testing.assert_allclose(report.expected_error, wrong, rtol=1e-5, atol=1e-14)
    disturb = 1 - undisturbed[1] - undisturbed[-1]
    np.testing.assert_allclose(report.expected_disturb, disturb, rtol=1e-5, atol=1e-14)
    assert report.expected_disturb.max() > 1e-6 and wrong.max() > 1e-4
    assert (stressed[0] == 28).all() and (stressed[1] == (0 if scheme == "v/2" else 196)).all()


def test_only_the_opposing_polarity_disturbs() -> None:
    """All P, one more P written: half-selected cells are pushed to where they are; writing an AP disturbs them."""
    only = np.zeros(SHAPE, bool)
    only[3, 3] = True
    found = {}
    for direction in (1, -1):
        report = xb.program(passive(np.ones(SHAPE)), np.full(SHAPE, direction), pulse=xb.Pulse(0.7, 10e-9), only=only,
                            rng=rng(11))
        found[direction] = report.expected_disturb[3, 5]
    assert found[1] < 1e-30 < 1e-6 < found[-1]


# --- physics

def test_no_wires_is_the_uniform_voltage() -> None:
    start, target = states(12), states(13)
    report = xb.program(passive(start, r=0.0), target, pulse=xb.Pulse((0.5, 0.65), 8e-9), scheme="v/3", rng=rng(14))
    opposed = start != target
    expected = xb.mtj.write_error_rate(np.where(target > 0, 0.5, -0.65), 8e-9, P, start)
    assert not report.disturbs.any()
    settled = 1 - (1 - expected) * 1  # of those that started wrong; disturbs add next to nothing
    np.testing.assert_allclose(report.expected_error[opposed], settled[opposed], rtol=1e-3)
    small = xb.program(passive(start, r=1e-6), target, pulse=xb.Pulse((0.5, 0.65), 8e-9), scheme="v/3", rng=rng(14))
    np.testing.assert_allclose(small.expected_error, report.expected_error, rtol=1e-4, atol=1e-15)


def test_the_far_corner_errs_most() -> None:
    """Word lines driven at the left, bit lines at the bottom: cell (0, N-1) has the longest way."""
    only = np.zeros(SHAPE, bool)
    only[::7, ::7] = True
    report = xb.program(passive(-np.ones(SHAPE), r=10.0), np.ones(SHAPE), pulse=xb.Pulse(0.55, 12e-9), order="cells", only=only,
                        rng=rng(15))
    error = np.where(only, report.expected_error, 0.0)
    assert np.unravel_index(error.argmax(), SHAPE) == (0, N - 1)
    assert error[0, N - 1] > 10 * error[N - 1, 0]


def test_verify_repairs_what_single_pulses_leave() -> None:
    array, target, pulse = passive(states(16)), states(17), xb.Pulse((0.52, 0.66), 8e-9)
    single = xb.program(array, target, pulse=pulse, scheme="v/3", rng=rng(18))
    assert single.error_rate > 0.01
    verified = xb.program(array, target, pulse=pulse, scheme="v/3", verify=xb.Verify(20), rng=rng(18))
    assert not verified.errors.any() and not verified.gave_up.any()
    assert verified.pulses.max() > 1 and (verified.pulses >= 1).all()
    assert verified.time > single.time and verified.energy.sources > single.energy.sources
    read = verified.array.solve(word_left=0.1 * np.eye(N)).bit_current  # what is left reads as it should
    assert ((read > xb.mtj.current(0.1, P, [1, -1])[0].mean()) == (target > 0)).all()


@pytest.mark.parametrize("ramp", [{"amplitude_step": 0.03}, {"width_factor": 1.5}])
def test_ramps_need_fewer_pulses(ramp: dict[str, float]) -> None:
    array, target, pulse = passive(-np.ones(SHAPE)), np.ones(SHAPE), xb.Pulse(0.45, 8e-9)
    plain, ramped = (xb.program(array, target, pulse=pulse, scheme="v/3", verify=xb.Verify(30, **r), rng=rng(19))
                     for r in ({}, ramp))
    assert not ramped.errors.any() and not plain.errors.any()
    assert ramped.pulses.sum() < plain.pulses.sum()


def test_verify_gives_up_stuck_cells() -> None:
    kind = rng(20).random(SHAPE)
    defects = xb.mtj.Defects(stuck_p=kind < 0.03, stuck_ap=kind > 0.97, open=abs(kind - 0.5) < 0.01, short=abs(kind - 0.3) < 0.01)
    array, target = passive(states(21), defects=defects), states(22)
    report = xb.program(array, target, pulse=xb.Pulse((0.6, 0.72), 20e-9), scheme="v/3", verify=xb.Verify(4), rng=rng(23))
    fixed = defects.stuck_p | defects.stuck_ap | defects.open | defects.short
    reads = np.where(defects.stuck_p | defects.short, 1, -1)
    assert fixed.sum() > 5
    assert (report.gave_up == (fixed & (reads != target))).all()
    assert (report.pulses[report.gave_up] == 4).all() and not (report.errors & ~fixed).any()
    assert report.phases < 30 + 4 * (30 + N)


def test_reads_in_a_large_array_with_wires() -> None:
    """What the data take from a line is in the reference: 64 x 64 at 2 ohm, where a far P cell reads like a near AP one."""
    start = states(40, (64, 64))
    report = xb.program(passive(start), start, pulse=xb.Pulse(0.4, 1e-9), scheme="v/3", verify=xb.Verify(2), rng=rng(41))
    assert report.gave_up.sum() < 0.01 * start.size and not report.disturbs.any()


def test_expected_errors_before_the_first_read() -> None:
    array, target, pulse = passive(states(42)), states(43), xb.Pulse((0.46, 0.58), 8e-9)
    plain, checked = (xb.program(array, target, pulse=pulse, scheme="v/3", verify=v, repeats=50, rng=rng(44))
                      for v in (None, xb.Verify(30)))
    assert not checked.errors.any() and plain.errors.any() and "before the first read" in checked.summary()
    np.testing.assert_allclose(checked.expected_error.mean(), plain.expected_error.mean(), rtol=0.05)


@pytest.mark.parametrize("levels", [xb.Scheme(name="reversed", rows=2 / 3, columns=1 / 3, selected_row=0.0, selected_column=1.0),
                                    xb.Scheme(name="half", rows=0.75, columns=0.75, selected_row=1.0, selected_column=0.5)])
def test_the_amplitude_lies_between_the_selected_lines(levels: xb.Scheme) -> None:
    array, target = passive(-np.ones(SHAPE), r=0.0), np.ones(SHAPE)
    report = xb.program(array, target, pulse=xb.Pulse(0.5, 8e-9), scheme=levels, order="cells", only=np.eye(N) > 0, rng=rng(45))
    p = xb.mtj.write_error_rate(0.5, 8e-9, P, -1)
    np.testing.assert_allclose(np.diag(report.expected_error), p, rtol=1e-3)


def test_other_sides() -> None:
    """Left and bottom leads open: written and read from the right and the top."""
    r_word, r_bit = np.full((6, 8), 2.0), np.full((7, 7), 2.0)
    r_word[:, 0] = r_bit[-1] = np.inf
    array = xb.PassiveArray(xb.MTJCells(P, states(46, (6, 7))), r_word=r_word, r_bit=r_bit)
    report = xb.program(array, states(47, (6, 7)), pulse=xb.Pulse((0.6, 0.72), 20e-9), verify=xb.Verify(4), rng=rng(48),
                        scheme=LineScheme(xb.SCHEMES["v/3"], sides=("word_right", "bit_top")))
    assert not report.errors.any() and not report.gave_up.any()


def test_compensating_amplitudes_reach_their_lines() -> None:
    """Amplitudes by cell arrive at the cells: no wires, so exactly."""
    volts = rng(24).uniform(0.4, 0.55, SHAPE)
    report = xb.program(passive(-np.ones(SHAPE), r=0.0), np.ones(SHAPE), pulse=xb.Pulse(volts, 8e-9), scheme="v/3", rng=rng(25))
    expected = xb.mtj.write_error_rate(volts, 8e-9, P, -1)
    np.testing.assert_allclose(report.expected_error, expected, rtol=1e-4)


# --- energy, order, workers

@pytest.mark.parametrize("array, scheme", [
    (passive(states(26), r_driver=50.0), "v/2"), (passive(states(26), r_driver=50.0), "floating"),
    (gated(states(26), r_driver=50.0), "1t1r"), (gated(states(26), "orthogonal", r_driver=50.0), "1t1r")],
    ids=["v/2", "floating", "parallel", "orthogonal"])
@pytest.mark.parametrize("stepping", [None, Stepping(tolerance=0.2, look=1.0)], ids=["at once", "stepped"])
def test_sources_deliver_what_is_dissipated(array: Any, scheme: str, stepping: Stepping | None) -> None:
    target = np.array(states(27))
    only = np.arange(N)[:, None] < np.full(N, 3)
    report = xb.program(array, target, pulse=xb.Pulse((0.6, 0.7), 3e-9), scheme=scheme, only=only, stepping=stepping, rng=rng(28))
    np.testing.assert_allclose(report.energy.dissipated, report.energy.sources, rtol=1e-9)
    assert min(report.energy.wires, report.energy.drivers, report.energy.cells.min() + 1e-30) > 0
    first, second = report.energy.lines.values()
    assert first.shape == second.shape == (N,) and set(report.energy.lines) == {"bl", "wl" if scheme != "1t1r" else "sl"}
    assert {len(x) for x in report.energy.ends.values()} == {N}


def test_workers_and_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programming, "_BLOCK_CELLS", 4 * N * N)
    arguments: dict[str, Any] = {"pulse": xb.Pulse((0.55, 0.7), 10e-9), "verify": xb.Verify(3), "repeats": 10}
    array, target = passive(states(29)), states(30)
    alone = xb.program(array, target, rng=rng(31), **arguments)
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        shared = xb.program(array, target, rng=rng(31), map=pool.map, **arguments)
    assert alone.as_dict() == shared.as_dict()
    assert alone.repeats == 10 and alone.phases > 30


def test_one_of_many_is_one_alone() -> None:
    array, target, pulse = passive(states(32)), states(33), xb.Pulse((0.55, 0.7), 10e-9)
    one = xb.program(array, target, pulse=pulse, rng=rng(34))
    many = xb.program(array, target[None], pulse=pulse, rng=rng(34))
    np.testing.assert_array_equal(one.states, many.states[0])
    np.testing.assert_array_equal(many.array_of(0).cells.state, one.array.cells.state)
    np.testing.assert_array_equal(array.cells.state, states(32))  # the old one is as it was


def test_trains_and_many_targets() -> None:
    """Three pulses fail together with the product of their probabilities; each repeat has its own target."""
    target = np.stack([np.ones(SHAPE), -np.ones(SHAPE)])
    pulse = xb.Pulse((0.42, 0.52), 8e-9, count=3, gap=20e-9)
    report = xb.program(passive(states(35), r=0.0), target, pulse=pulse, scheme="v/3", rng=rng(36))
    e = xb.mtj.write_error_rate([[0.42], [-0.52]], 8e-9, P, [[-1], [1]])
    assert (report.pulses == 3).all() and np.isclose(report.time[0], N * 3 * 28e-9)
    opposed = (report.target != states(35)) & (report.disturbs == 0)
    assert (report.errors & opposed).any() and not (report.errors & opposed).all()
    np.testing.assert_allclose(report.expected_error[opposed], np.where(report.target[opposed] > 0, *(e[:, 0] ** 3)), rtol=1e-2)
    many = xb.program(passive(states(35)), target[0], pulse=pulse, scheme="v/3", repeats=200, rng=rng(39))
    wrong, wanted = many.errors.sum(), many.expected_error.sum()
    assert abs(wrong - wanted) < 5 * np.sqrt(wanted) and wanted > 100


# --- refusals

@pytest.mark.parametrize("changes, message", [
    ({"target": np.ones((3, 4))}, "target has shape"), ({"target": np.full(SHAPE, 2)}, "states are"),
    ({"scheme": "1t1r"}, "for 1T1R arrays"), ({"scheme": "v/4"}, "no bias scheme"), ({"scheme": 3}, "no bias scheme"),
    ({"pulse": xb.Pulse(1.6, 1e-9)}, "beyond the breakdown limit of 1.5 V"),
    ({"pulse": xb.Pulse(0.8, 1e-9), "breakdown": 0.7}, "beyond the breakdown limit of 0.7 V"),
    ({"pulse": xb.Pulse(0.5, 1e-9), "verify": xb.Verify(8, amplitude_step=0.2)}, "beyond the breakdown limit"),
    ({"pulse": xb.Pulse(np.ones((3, 3)), 1e-9)}, "does not fit"), ({"pulse": 0.8}, "pulse is xb.Pulse"),
    ({"pulse": xb.Pulse(0.8, np.linspace(1e-9, 2e-9, N))}, "pulse widths differ"),
    ({"pulse": xb.Pulse(0.8, 1e-9, rise=1e-9)}, "take stepping"), ({"pulse": xb.Pulse(0.8, 1e-9, count=2)}, "a gap of at least"),
    ({"verify": 8}, "verify is xb.Verify"), ({"order": "columns"}, 'order is one of rows, cells'),
    ({"only": np.ones(SHAPE)}, "mask"), ({"repeats": 0}, "repeats is a number"), ({"breakdown": 0.0}, "breakdown is"),
    ({"rng": 3}, "rng is a numpy.random.Generator"),
    ({"array": xb.PassiveArray(np.full(SHAPE, 1e-4))}, "only MTJCells"),
    ({"array": xb.PassiveArray(xb.MTJCells(P, m_z=np.zeros(SHAPE)))}, "states P and AP"),
    ({"array": passive(states(1), params=xb.mtj.presets["daffodil"])}, "needs delta"),
    ({"array": gated(states(1))}, "for passive arrays"),
    ({"array": gated(states(1)), "scheme": GatedScheme(gate=0.3)}, "does not open"),
    ({"array": gated(states(1)), "scheme": GatedScheme(gate=5.0), "pulse": xb.Pulse(2.0, 1e-9)}, "would see"),
    ({"stepping": 1}, "stepping is"),
])
def test_refusals(changes: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"array": passive(states(1)), "target": states(2), "pulse": xb.Pulse(0.8, 1e-9), "rng": rng(1)}
    arguments |= changes
    with pytest.raises(xb.DataError, match=message):
        xb.program(arguments.pop("array"), arguments.pop("target"), **arguments)


@pytest.mark.parametrize("call, message", [
    (lambda: xb.Pulse(-0.8, 1e-9), "must be positive"), (lambda: xb.Pulse((0.8, 0.7, 0.6), 1e-9), "tuple"),
    (lambda: xb.Pulse(0.8, np.nan), "must be positive"), (lambda: xb.Pulse(0.8, 1e-9, count=0), "at least 1 pulse"),
    (lambda: xb.Pulse(0.8, 1e-9, gap=-1.0), "at least 0 s"), (lambda: xb.Verify(0), "max_pulses of at least 1"),
    (lambda: xb.Verify(2.5), "max_pulses of at least 1"), (lambda: xb.Verify(3, read=0.0), "above 0"),  # type: ignore[arg-type]
    (lambda: Stepping(look=0.0), "must be positive"), (lambda: LineScheme(xb.SCHEMES["v/2"], sides=("word_left",)), "sides are"),
    (lambda: xb.Verify(3, reference=-1.0).references(passive(states(1)), LineScheme(xb.SCHEMES["v/2"])), "positive and finite"),
])
def test_refusals_of_parts(call: Any, message: str) -> None:
    with pytest.raises(xb.DataError, match=message):
        call()


def test_an_error_on_the_way_keeps_the_work() -> None:
    array = gated(states(37), r_driver=0.0)
    with pytest.raises(xb.DataError, match="beyond the breakdown") as caught:
        xb.program(array, np.ones(SHAPE), pulse=xb.Pulse(0.7, 10e-9), scheme=GatedScheme(gate=2.5), breakdown=0.6,
                   verify=xb.Verify(8, amplitude_step=0.05), rng=rng(38))
    assert isinstance(caught.value.partial, xb.WriteReport)
