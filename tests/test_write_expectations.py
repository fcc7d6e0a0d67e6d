"""Expected errors and disturbs of whole writes against what many writes did.

Every write gives two numbers: the cells that are wrong (or were disturbed), and how many it
expected. Both have the same mean if the expectation is right; their difference, a mean over
independent writes, lies within SIGMA standard deviations of 0.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import crossbar as xb
from crossbar import writing
from crossbar.writing import turning

P = xb.mtj.presets["mtj-60kT"]
NMOS = xb.NMOS(kp=3e-4, w=2e-6, l=1e-7, vto=0.4, gamma=0.4, lambda_=0.05)
SIGMA = 4.5  # 7e-6 false alarms a test


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng([20261201, seed])


def passive(r_driver: float = 0.0, r: float = 2.0) -> Callable[[xb.MTJCells], Any]:
    return lambda cells: xb.PassiveArray(cells, r_word=r, r_bit=r, r_driver=r_driver)


def gated(lines: Any) -> Callable[[xb.MTJCells], Any]:
    return lambda cells: xb.OneTransistorArray(
        cells, transistor=NMOS, source_lines=lines, r_bit=50.0, r_source=50.0
    )


def deviation(counts: np.ndarray, expected: np.ndarray) -> float:
    """Mean of the difference of the numbers (repeats, M, N) of cells, in units of its standard
    deviation."""
    difference = (counts.astype(float) - expected).sum(axis=(1, 2))
    return float(abs(difference.mean()) / (difference.std() / np.sqrt(difference.size)))


CASES = {
    "8 x 8 V/2": (8, 40.0, passive(), {"pulse": xb.Pulse((0.36, 0.45), 50e-9), "repeats": 3000}),
    "3 x 3 V/2": (3, 22.0, passive(), {"pulse": xb.Pulse((0.35, 0.45), 20e-9), "repeats": 6000}),
    "V/3": (
        4,
        22.0,
        passive(),
        {"pulse": xb.Pulse((0.40, 0.50), 20e-9), "scheme": "v/3", "repeats": 3000},
    ),
    "V/3, cell by cell": (
        4,
        22.0,
        passive(),
        {
            "pulse": xb.Pulse((0.40, 0.50), 20e-9),
            "scheme": "v/3",
            "order": "cells",
            "repeats": 1500,
        },
    ),
    "floating": (
        4,
        22.0,
        passive(),
        {"pulse": xb.Pulse((0.45, 0.55), 20e-9), "scheme": "floating", "repeats": 3000},
    ),
    "drivers of 500 ohm": (
        3,
        22.0,
        passive(500.0),
        {"pulse": xb.Pulse((0.45, 0.55), 20e-9), "repeats": 4000},
    ),
    "drivers of 4000 ohm": (
        3,
        22.0,
        passive(4e3),
        {"pulse": xb.Pulse((0.8, 1.0), 20e-9), "scheme": "v/3", "repeats": 4000},
    ),
    "train": (
        4,
        22.0,
        passive(2e3),
        {"pulse": xb.Pulse((0.55, 0.7), 8e-9, count=3, gap=200e-9), "repeats": 3000},
    ),
    "1T1R": (
        4,
        22.0,
        gated("parallel"),
        {
            "pulse": xb.Pulse((0.27, 0.36), 8e-9, count=3, gap=200e-9),
            "scheme": "1t1r",
            "repeats": 4000,
        },
    ),
    "1T1R, orthogonal": (
        4,
        22.0,
        gated("orthogonal"),
        {
            "pulse": xb.Pulse((0.27, 0.36), 8e-9, count=3, gap=200e-9),
            "scheme": "1t1r",
            "repeats": 4000,
        },
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_expectations_are_the_means(case: str) -> None:
    """Disturbs that follow each other, pulses that fail, cells that change what their neighbours
    and they themselves see."""
    n, delta, make, options = CASES[case]
    start, target = rng(1).choice([-1, 1], (2, n, n))
    report = xb.program(
        make(xb.MTJCells(P.replace(delta=delta), start)), target, rng=rng(2), **options
    )
    assert report.errors.sum() > 100  # else little was tested
    assert deviation(report.errors, report.expected_error) < SIGMA
    if not case.startswith("1T1R"):
        assert report.disturbed.sum() > 100
        assert deviation(report.disturbed, report.expected_disturb) < SIGMA


def test_expectations_of_some_cells_alone() -> None:
    """Those that are not to be written are no errors, whatever they are; but they may be
    disturbed."""
    start, only = rng(3).choice([-1, 1], (4, 4)), rng(4).random((4, 4)) < 0.5
    report = xb.program(
        passive()(xb.MTJCells(P.replace(delta=22.0), start)),
        -start,
        only=only,
        repeats=3000,
        rng=rng(5),
        pulse=xb.Pulse((0.35, 0.45), 20e-9),
    )
    assert not report.expected_error[:, ~only].any()
    assert deviation(report.errors, report.expected_error) < SIGMA
    assert deviation(report.disturbed, report.expected_disturb) < SIGMA


@pytest.mark.parametrize(
    "make",
    [passive(300.0), gated("parallel"), gated("orthogonal")],
    ids=["passive", "parallel", "orthogonal"],
)
def test_probability_of_an_update_is_the_share_that_changes(
    make: Callable[[xb.MTJCells], Any],
) -> None:
    """Whether any phase flipped a cell: without a way back, that is whether it changed; P of all
    cells, one quadrant a cell, the other three may disturb."""
    x, delta, start = rng(6).normal(size=4), rng(7).normal(size=4), rng(8).choice([-1, 1], (4, 4))
    array = make(xb.MTJCells(P.replace(delta=30.0), start))
    report = writing.outer_product_update(
        array, x, delta, eta=0.2, duration=100e-9, repeats=4000, rng=rng(9)
    )
    back = (
        2 * (report.probability**2).sum(axis=(1, 2)).mean()
    )  # a bound of how many flip twice, and are back
    moved = (report.change != 0).sum(axis=(1, 2))
    difference = moved - report.probability.sum(axis=(1, 2))
    assert (
        -SIGMA * difference.std() / np.sqrt(4000) - back
        < difference.mean()
        < SIGMA * difference.std() / np.sqrt(4000)
    )
    assert moved.sum() > 400


# --- defects


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("kind", ["stuck_p", "stuck_ap", "short", "open"])
@pytest.mark.parametrize(
    "make, scheme", [(passive(), "v/2"), (gated("parallel"), "1t1r")], ids=["passive", "1t1r"]
)
def test_defective_cells_stay_what_they_are(
    make: Callable[[xb.MTJCells], Any], scheme: str, kind: str, count: int
) -> None:
    """A cell that cannot flip is wrong for certain where its state is not the target, and right for
    certain where it is."""
    mask = np.zeros((4, 4), bool)
    mask[1, 2] = mask[2, 0] = True
    start = np.where(mask, 1 if kind == "stuck_p" else -1, rng(10).choice([-1, 1], (4, 4)))
    target = -start
    target[2, 0] = start[2, 0]
    array = make(xb.MTJCells(P, start, xb.mtj.Defects(**{kind: mask})))
    report = xb.program(
        array,
        target,
        pulse=xb.Pulse((0.45, 0.55), 10e-9, count=count, gap=50e-9),
        scheme=scheme,
        rng=rng(11),
    )
    assert report.expected_error[1, 2] == 1 and report.errors[1, 2]
    assert report.expected_error[2, 0] == 0 and not report.errors[2, 0]
    assert not report.expected_disturb[mask].any()
    assert (report.expected_disturb[~mask] > 0).any() and (report.expected_error[~mask] < 1).all()


def test_defective_cells_after_reads() -> None:
    """Likewise with write-verify, whose expected errors are those before the first read."""
    mask = np.zeros((4, 4), bool)
    mask[1, 2] = True
    array = passive()(xb.MTJCells(P, np.ones((4, 4)), xb.mtj.Defects(stuck_p=mask)))
    report = xb.program(
        array,
        -np.ones((4, 4)),
        pulse=xb.Pulse((0.5, 0.6), 10e-9, count=2, gap=50e-9),
        scheme="v/3",
        verify=xb.Verify(4),
        rng=rng(12),
    )
    assert report.expected_error[1, 2] == 1 and report.gave_up[1, 2] and report.errors.sum() == 1
    assert report.expected_disturb[1, 2] == 0


# --- what a junction sees, turned


@pytest.mark.parametrize(
    "make, scheme, row",
    [(passive(800.0), "v/3", 2), (gated("parallel"), "1t1r", 2)],
    ids=["passive", "1t1r"],
)
def test_turned_junctions_see_what_the_solved_array_gives_them(
    make: Callable[[xb.MTJCells], Any], scheme: str, row: int
) -> None:
    """Against the array solved anew with that one cell turned. Lines are taken to hold their
    voltages but for the cell's two: exact (but for the last Newton step) for one cell on its lines
    (1T1R), and within a tenth of the change between drivers of 800 ohm.
    """
    start = rng(13).choice([-1, 1], (4, 4))
    array = make(xb.MTJCells(P, start))
    bias = writing.schemes.as_write_scheme(scheme, array)
    chosen = np.array([[True, False, True, True]])
    drives = bias.drives(array, writing.Selection(row, chosen, 1, np.full(4, 0.5)))
    solution = array.solve(**drives, states=start[None])
    for column in range(4):
        cell = row * 4 + column
        volts = writing.junctions.Junctions(array).volts(solution)
        seen, _ = turning.Turning(xb.MTJCells(P, start)).turned(
            solution, volts, start[None].astype(np.int8), np.array([cell])
        )
        other = start.copy()
        other[row, column] *= -1
        anew = writing.junctions.Junctions(array).volts(array.solve(**drives, states=other[None]))[
            0, row, column
        ]
        change = anew - volts[0, row, column]
        assert abs(seen[0] - anew) <= (1e-4 if scheme == "1t1r" else 0.1) * abs(change) + 1e-9
