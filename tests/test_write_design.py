"""Choosing pulses, and updating a whole array by an outer product: what was asked for is what the solved array gives."""

import warnings
from typing import Any

import numpy as np
import pytest

import crossbar as xb
from crossbar import writing
from crossbar.writing import GatedScheme

P = xb.mtj.presets["mtj-60kT"]
M, N = 12, 8
NMOS = xb.NMOS(kp=3e-4, w=2e-6, l=1e-7, vto=0.4, gamma=0.4, lambda_=0.05)

# Tests ask for many pulses of 10 ns at V/2, of which half-selected cells see too much.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*flips a cell that is not selected:crossbar.CrossbarWarning"
)

WEAK = xb.OneTransistorArray(xb.MTJCells(P, np.ones((3, 3))), transistor=xb.NMOS(kp=3e-5, w=1e-7, l=1e-7, vto=0.4))


def passive(shape: tuple[int, int] = (15, 15), state: Any = -1, r: float = 5.0) -> xb.PassiveArray:
    return xb.PassiveArray(xb.MTJCells(P, np.full(shape, state) if np.ndim(state) == 0 else state), r_word=r, r_bit=r)


def gated(state: Any, lines: Any = "parallel", r: float = 2.0) -> xb.OneTransistorArray:
    return xb.OneTransistorArray(xb.MTJCells(P, state), transistor=NMOS, source_lines=lines, r_bit=r, r_source=r)


@pytest.mark.parametrize("array, scheme", [(passive(), "v/2"), (passive(), "v/3"),
                                           (gated(-np.ones((9, 7))), GatedScheme(gate=1.8)),
                                           (gated(-np.ones((9, 7)), "orthogonal"), GatedScheme(gate=1.8))],
                         ids=["v/2", "v/3", "parallel", "orthogonal"])
def test_pulse_for_error(array: Any, scheme: Any) -> None:
    """Written with it, the worst corner fails as often as wanted, the others less; width and amplitude say the same."""
    wanted, (m, n) = 1e-5, array.shape
    pulse = writing.pulse_for_error(array, wanted, width=10e-9, scheme=scheme)
    for direction in (1, -1):
        hard = array.with_cells(xb.MTJCells(P, np.ones((m, n))))
        error = writing.write_error_map(hard, pulse, direction, scheme=scheme)[[0, 0, -1, -1, m // 2], [0, -1, 0, -1, n // 2]]
        assert np.isclose(error.max(), wanted, rtol=0.01)
    again = writing.pulse_for_error(array, wanted, amplitude=pulse.amplitude, scheme=scheme)
    np.testing.assert_allclose(again.width, 10e-9, rtol=1e-3)


def test_write_error_map_is_what_writing_expects() -> None:
    array, pulse = passive((5, 6), r=20.0), xb.Pulse(0.55, 12e-9)
    errors = writing.write_error_map(array, pulse, 1)
    for i, j in ((0, 0), (0, 5), (3, 2)):
        only = np.zeros((5, 6), bool)
        only[i, j] = True
        report = xb.program(array, np.ones((5, 6)), pulse=pulse, only=only, rng=np.random.default_rng(1))
        assert np.isclose(report.expected_error[i, j], errors[i, j], rtol=1e-6)
    assert np.unravel_index(errors.argmax(), errors.shape) == (0, 5)


def test_compensation_flattens_the_map_cell_by_cell() -> None:
    array, pulse = passive(r=5.0), xb.Pulse(0.52, 12e-9)
    lifted = writing.compensated(array, np.ones((15, 15)), pulse, order="cells")
    plain, flat = (writing.write_error_map(array, p, 1) for p in (pulse, lifted))
    assert plain.max() / plain.min() > 5 and flat.max() / flat.min() < 1.06
    assert lifted.amplitude[0][0, 14] > lifted.amplitude[0][14, 0] > 0.52
    np.testing.assert_allclose(flat, xb.mtj.write_error_rate(0.52, 12e-9, P, -1), rtol=0.05)


def test_compensation_flattens_the_map_row_by_row() -> None:
    """What a row's cells take from each other is made up for, too."""
    array, target, pulse = passive(r=5.0), np.ones((15, 15)), xb.Pulse(0.52, 12e-9)
    only = np.zeros((15, 15), bool)
    only[4] = True  # one row: what is written later sees other states
    spread = []
    for p in (pulse, writing.compensated(array, target, pulse)):
        report = xb.program(array, target, pulse=p, only=only, rng=np.random.default_rng(2))
        spread.append(report.expected_error[4].max() / report.expected_error[4].min())
    assert spread[0] > 5 and spread[1] < 1.06


def test_compensation_says_what_is_out_of_reach() -> None:
    with pytest.raises(xb.ConvergenceError, match="beyond reach"):
        writing.compensated(WEAK, -np.ones((3, 3)), xb.Pulse(0.6, 10e-9), scheme="1t1r")


@pytest.mark.parametrize("above", [1.005, 1.05, 1.1])
def test_just_below_breakdown(above: float) -> None:
    free = writing.pulse_for_error(passive(r=0.0), 1e-6, width=10e-9)
    limit = above * float(free.amplitude[1])
    near = writing.pulse_for_error(passive(r=0.0), 1e-6, width=10e-9, breakdown=limit)
    np.testing.assert_allclose(near.amplitude, free.amplitude, rtol=1e-4)
    with pytest.raises(xb.DataError, match="breakdown limit"):
        writing.pulse_for_error(passive(r=0.0), 1e-6, width=10e-9, breakdown=limit / above / 1.01)


def test_defective_corners_are_passed_over() -> None:
    short = np.zeros((8, 8), bool)
    short[0, 7] = True
    arrays = [xb.PassiveArray(xb.MTJCells(P, -np.ones((8, 8)), d), r_word=2.0, r_bit=2.0)
              for d in (None, xb.mtj.Defects(short=short))]
    sound, broken = (writing.pulse_for_error(a, 1e-4, width=10e-9, scheme="v/3").amplitude for a in arrays)
    np.testing.assert_allclose(sound, broken, rtol=0.05)
    lifted = writing.compensated(arrays[1], np.ones((8, 8)), xb.Pulse(0.5, 10e-9))
    assert lifted.amplitude[0][0, 7] == 0.5 and lifted.amplitude[0][0, 6] < 0.6
    assert writing.write_error_map(arrays[1], xb.Pulse(0.5, 10e-9), 1)[0, 7] == 1


def test_cheapest_pulse_is_the_cheapest() -> None:
    array = passive((9, 9), r=2.0)
    best = writing.cheapest_pulse(array, 1e-4, widths=(2e-9, 60e-9), scheme="v/3")
    corners = np.ones((9, 9))
    for which, direction in enumerate((1, -1)):
        spent = []
        for width in float(best.pulse.width[which]) * np.array([0.8, 1.0, 1.25]):
            widths = tuple(width if d == direction else float(w) for d, w in zip((1, -1), best.pulse.width, strict=True))
            pulse = writing.pulse_for_error(array, 1e-4, width=widths, scheme="v/3")
            states = corners.copy()
            states[0, 0] = -direction
            only = np.zeros((9, 9), bool)
            only[0, 0] = True
            report = xb.program(passive(state=states, r=2.0), direction * corners, pulse=pulse, scheme="v/3", only=only,
                                rng=np.random.default_rng(3))
            spent.append(float(report.energy.sources))
        assert spent[1] < min(spent[0], spent[2]) and np.isclose(spent[1], best.energy[which], rtol=0.02)


@pytest.mark.parametrize("scheme, disturb", [("v/2", 1e-3), ("v/2", 3e-4), ("v/3", 1e-6)])
def test_cheapest_pulse_spares_what_is_not_selected(scheme: str, disturb: float) -> None:
    """At V/2 an error of 1e-9 in some nanoseconds flips every second half-selected cell: the pulse
    is longer. What a write with it does to them is what the general path and the switching law
    give."""
    array = passive((7, 7), r=2.0)
    free = writing.cheapest_pulse(array, 1e-9, scheme=scheme, breakdown=3.0, disturb=1.0)
    best = writing.cheapest_pulse(array, 1e-9, scheme=scheme, breakdown=3.0, disturb=disturb)
    assert max(free.disturb) > 0.1 if scheme == "v/2" else max(free.disturb) > 10 * disturb
    assert max(best.disturb) <= disturb and sum(best.energy) > sum(free.energy)
    share, other = (1 / 2, 1 / 2) if scheme == "v/2" else (1 / 3, 2 / 3)
    for which, direction in enumerate((1, -1)):
        volts, width = direction * float(best.pulse.amplitude[which]), float(
            best.pulse.width[which]
        )
        worst = []
        for state in (1, -1):
            cells = np.full((7, 7), state)
            cells[3, 3] = -direction
            words, bits = np.full(7, share * volts), np.full(7, other * volts)
            words[3], bits[3] = volts, 0.0
            seen = array.with_cells(xb.MTJCells(P, cells)).solve(
                word_left=words, bit_bottom=bits, method="general"
            )
            p = xb.mtj.switching_probability(seen.cell_voltage, width, P, cells)
            p[3, 3] = 0.0
            worst.append(p.max())
        assert (
            0.5 * best.disturb[which] < max(worst) <= 1.001 * best.disturb[which]
        )  # of five cells the worst


def test_the_default_bound_on_disturb() -> None:
    """One in a thousand a pulse, unless said otherwise."""
    best = writing.cheapest_pulse(passive((7, 7), r=2.0), 1e-9, breakdown=3.0)
    assert 0.5e-3 < max(best.disturb) <= 1e-3


@pytest.mark.parametrize("given", [{"width": 10e-9}, {"amplitude": 0.8}])
def test_pulses_that_disturb_are_warned_of(given: dict[str, float]) -> None:
    with pytest.warns(
        xb.CrossbarWarning,
        match="a pulse to A?P of .* flips a cell that is not selected with a probability of 0",
    ):
        writing.pulse_for_error(passive(r=2.0), 1e-9, **given)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        writing.pulse_for_error(passive(r=2.0), 1e-9, **given, disturb=1.0)
        writing.pulse_for_error(
            gated(-np.ones((5, 4))), 1e-9, width=20e-9, scheme=GatedScheme(gate=1.8)
        )


def test_window() -> None:
    window = writing.write_window(passive(r=2.0), [0.5, 0.6, 0.7], 10e-9)
    assert (np.diff(window.error, axis=0) < 0).all() and (np.diff(window.disturb, axis=0) > 0).all()
    third = writing.write_window(passive(r=2.0), [0.5, 0.6, 0.7], 10e-9, scheme="v/3")
    assert (third.disturb < window.disturb).all() and (window.disturb_of_write > window.disturb).all()


@pytest.mark.parametrize("scheme", ["v/2", "v/3"])
@pytest.mark.parametrize("direction", [1, -1])
def test_window_bounds_what_a_write_disturbs(scheme: str, direction: int) -> None:
    """All others written one after the other, whatever state the cell is in: it is disturbed no more than the window says."""
    array = passive(state=-direction, r=0.0)
    window = writing.write_window(array, [0.5], 10e-9, scheme=scheme)
    only = np.ones((15, 15), bool)
    only[7, 7] = False
    for state in (1, -1):
        report = xb.program(passive(state=state, r=0.0), np.full((15, 15), direction), pulse=xb.Pulse(0.5, 10e-9), scheme=scheme,
                            order="cells", only=only, rng=np.random.default_rng(9))
        found = report.expected_disturb[7, 7]
        assert found < window.disturb_of_write[0, 0 if direction > 0 else 1] * 1.001


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: writing.pulse_for_error(passive(), 1e-5), "give the width"),
        (lambda: writing.pulse_for_error(passive(), 2.0, width=1e-9), "between 0 and 1"),
        (lambda: writing.pulse_for_error(passive(), 1e-12, width=0.3e-9), "breakdown limit"),
        (lambda: writing.pulse_for_error(WEAK, 1e-9, width=1e-9, scheme="1t1r"), "does not reach"),
        (lambda: writing.cheapest_pulse(passive(), 1e-5, widths=(1e-9, 1e-9)), "two limits"),
        (
            lambda: writing.cheapest_pulse(passive(), 1e-9, breakdown=3.0, disturb=1e-12),
            "all pulses of .* disturb",
        ),
        (lambda: writing.cheapest_pulse(passive(), 1e-9, disturb=0.0), "disturb is a probability"),
        (lambda: writing.cheapest_pulse(passive(), 1e-12, widths=(1e-10, 2e-10)), "no pulse of"),
        (
            lambda: writing.pulse_for_error(passive(), 1e-6, width=np.full((4, 1), 1e-8)),
            "is a number here",
        ),
        (lambda: writing.pulse_for_error(passive(), 1e-6, amplitude=3.0), "breakdown limit"),
        (
            lambda: writing.pulse_for_error(passive(), 1e-17, amplitude=0.8),
            "found by amplitude only",
        ),
        (
            lambda: writing.pulse_for_error(
                xb.PassiveArray(xb.MTJCells(P.replace(delta=2.0), -np.ones((2, 2)))),
                0.7,
                width=1e-6,
            ),
            "switch by themselves",
        ),
        (lambda: xb.Verify(2000, width_factor=1.5), "would lengthen"),
        (lambda: writing.write_window(passive(), [0.0], 1e-9), "positive voltages"),
        (
            lambda: writing.compensated(passive(), np.ones((3, 3)), xb.Pulse(0.5, 1e-9)),
            "target has shape",
        ),
        (lambda: writing.write_error_map(passive(), xb.Pulse(0.5, 1e-9), 0), "direction is"),
    ],
)
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(xb.DataError, match=message):
        call()


# --- outer products

X, DELTA = (np.random.default_rng(815).normal(size=k) for k in (M, N))
AGAINST = np.sign(np.outer(X, DELTA)).astype(int)  # states that every cell can leave: delta x > 0 lowers the weight


@pytest.mark.parametrize("array", [
    pytest.param(passive(state=AGAINST, r=0.0), id="passive"), pytest.param(gated(AGAINST, r=0.0), id="parallel"),
    pytest.param(gated(AGAINST, "orthogonal", r=0.0), id="orthogonal", marks=pytest.mark.slow)])
def test_update_moves_weights_by_the_outer_product(array: Any) -> None:
    """10000 draws on an ideal array; every cell's rate inside its interval (1e-4 false alarms for all)."""
    eta, dw, draws = 0.08, 1.0, 10_000
    report = writing.outer_product_update(array, X, DELTA, eta=eta, dw=dw, repeats=draws, rng=np.random.default_rng(4))
    moved, wanted = dw * report.change.mean(axis=0), -eta * np.outer(X, DELTA)
    assert np.corrcoef(moved.ravel(), wanted.ravel())[0, 1] > 0.99
    assert np.isclose((moved * wanted).sum() / (wanted ** 2).sum(), 1.0, atol=0.05)
    p = report.probability.mean(axis=0)
    assert (np.abs(np.abs(report.change).mean(axis=0) - p) < 5 * np.sqrt(p * (1 - p) / draws) + 1e-6).all()
    np.testing.assert_allclose(report.wanted, wanted, rtol=1e-12)
    np.testing.assert_allclose(report.energy.dissipated, report.energy.sources, rtol=1e-9)


@pytest.mark.parametrize("make", [lambda s: passive(state=s), gated], ids=["passive", "1t1r"])
def test_operations_do_not_grow_with_the_array(make: Any) -> None:
    found = set()
    for m, n in ((6, 4), (40, 30)):
        rng = np.random.default_rng(5)
        report = writing.outer_product_update(make(np.ones((m, n))), rng.normal(size=m), rng.normal(size=n), eta=0.02, rng=rng)
        found.add((report.phases, report.solves))
        assert report.array.cells is not None and report.time == 4 * 50e-9
    assert len(found) == 1 and found.pop()[0] == 4


def test_update_of_junctions_with_a_low_barrier() -> None:
    """What flips as often without a voltage is left alone."""
    array = xb.PassiveArray(xb.MTJCells(xb.mtj.presets["ut-50nm"], AGAINST))
    delta = DELTA.copy()
    delta[1] = 1e-7
    report = writing.outer_product_update(array, X, delta, eta=0.1, repeats=200, rng=np.random.default_rng(10))
    assert report.change[..., 0].any() and report.change[..., 1].mean() < 0.01


def test_update_spares_what_takes_no_part() -> None:
    """x = 0 or delta = 0 moves nothing; a weight at its end stays there."""
    x, delta = X.copy(), DELTA.copy()
    x[3], delta[2] = 0.0, 0.0
    report = writing.outer_product_update(gated(AGAINST), x, delta, eta=0.1, repeats=300, rng=np.random.default_rng(6))
    assert not report.change[:, 3].any() and not report.change[..., 2].any() and report.change.any()
    settled = writing.outer_product_update(gated(-AGAINST), X, DELTA, eta=0.1, repeats=300, rng=np.random.default_rng(7))
    assert not settled.change.any()


@pytest.mark.parametrize("changes, message", [
    ({"x": np.ones(3)}, "x must have shape"), ({"delta": np.full(N, np.nan)}, "delta must have shape"),
    ({"eta": 0.0}, "eta must be"), ({"duration": -1.0}, "duration"),
    ({"array": xb.PassiveArray(np.full((M, N), 1e-4))}, "only MTJCells"),
    ({"gate": 0.1}, "opens no transistor"), ({"breakdown": 0.1}, "breakdown limit"), ({"rng": 1}, "rng is"),
    ({"array": xb.OneTransistorArray(xb.MTJCells(P, AGAINST), transistor=xb.NMOS(kp=1e-6, vto=0.4))}, "no junction sees"),
])
def test_update_refusals(changes: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"array": gated(AGAINST), "x": X, "delta": DELTA, "eta": 0.1, "rng": np.random.default_rng(8)}
    arguments |= changes
    with pytest.raises(xb.DataError, match=message):
        writing.outer_product_update(arguments.pop("array"), arguments.pop("x"), arguments.pop("delta"), **arguments)
