"""Writing with numbers and types that nobody means: a CrossbarError that names the argument, or a
result; nothing foreign.

Warnings are errors here, so that a RuntimeWarning of numpy fails a test as well.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import crossbar as xb
from crossbar import writing

P = xb.mtj.presets["mtj-60kT"]
NMOS = xb.NMOS(kp=3e-4, w=2e-6, l=1e-7, vto=0.4)
START = np.array([[-1, 1], [1, -1]])
PASSIVE = xb.PassiveArray(xb.MTJCells(P, START), r_word=2.0, r_bit=2.0)
GATED = xb.OneTransistorArray(xb.MTJCells(P, START), transistor=NMOS)
HOSTILE = [
    np.nan,
    np.inf,
    -np.inf,
    1e308,
    -1e308,
    1e155,
    1e30,
    1e-200,
    1e-320,
    0.0,
    -1.0,
    True,
    10**400,
    None,
    "a",
    b"x",
    1j,
    [],
    {},
    [1, [2]],
    (1e-320, 1e308),
    np.array([]),
    np.ones((2, 2)),
    np.full((2, 2), np.nan),
    np.full((2, 2), 1e308),
    np.ones((1, 1, 1)),
    np.array([1.0, None], dtype=object),
    np.array([1e308, 1e-320]),
    np.datetime64("2020-01-01"),
    object(),
]


def program(array: Any = PASSIVE, target: Any = START, **options: Any) -> Any:
    scheme = "1t1r" if array is GATED else "v/2"
    defaults = {"pulse": xb.Pulse(0.5, 5e-9), "scheme": scheme, "rng": np.random.default_rng(27182)}
    return xb.program(array, target, **(defaults | options))


def update(array: Any = PASSIVE, **options: Any) -> Any:
    defaults = {
        "x": [0.5, -1.0],
        "delta": [1.0, 0.2],
        "eta": 0.1,
        "rng": np.random.default_rng(31415),
    }
    return writing.outer_product_update(array, **(defaults | options))


def pulse_for_error(**options: Any) -> Any:
    defaults = {"error": 1e-5} | ({} if "amplitude" in options else {"width": 20e-9})
    return writing.pulse_for_error(PASSIVE, **(defaults | options))


def cheapest_pulse(**options: Any) -> Any:
    return writing.cheapest_pulse(PASSIVE, **({"error": 1e-5, "widths": (30e-9, 40e-9)} | options))


def compensated(**options: Any) -> Any:
    return writing.compensated(
        PASSIVE, **({"target": START, "pulse": xb.Pulse(0.5, 1e-9)} | options)
    )


def write_window(**options: Any) -> Any:
    return writing.write_window(PASSIVE, **({"amplitudes": [0.5], "width": 1e-9} | options))


def write_error_map(**options: Any) -> Any:
    return writing.write_error_map(
        PASSIVE, **({"pulse": xb.Pulse(0.5, 1e-9), "direction": 1} | options)
    )


def pulsed(**options: Any) -> Any:
    stepping = writing.Stepping(look=2.0) if {"rise", "fall"} & set(options) else None
    pulse = xb.Pulse(**({"amplitude": 0.5, "width": 5e-9, "gap": 100e-9} | options))
    return program(pulse=pulse, stepping=stepping, breakdown=np.inf)


def verified(**options: Any) -> Any:
    verify = xb.Verify(**({"max_pulses": 2} | options))
    return program(verify=verify), program(GATED, verify=verify)


def stepped(**options: Any) -> Any:
    return writing.Stepping(**options)


def gated(**options: Any) -> Any:
    return program(GATED, scheme=writing.GatedScheme(**options))


def lines(**options: Any) -> Any:
    return program(scheme=writing.LineScheme(**({"levels": xb.SCHEMES["v/2"]} | options)))


ARGUMENTS: dict[Callable[..., Any], str] = {
    program: "array target pulse scheme verify order only repeats stepping breakdown method exponent rtol rng",
    pulsed: "amplitude width rise fall count gap",
    verified: "max_pulses read read_width reference amplitude_step width_factor",
    stepped: "tolerance look",
    gated: "gate gate_off name",
    lines: "levels sides",
    update: "array x delta eta dw duration gate repeats breakdown rtol rng",
    pulse_for_error: "error width amplitude scheme breakdown disturb",
    cheapest_pulse: "error widths scheme breakdown disturb",
    compensated: "target pulse scheme order",
    write_window: "amplitudes width scheme",
    write_error_map: "pulse direction scheme",
}


@pytest.mark.filterwarnings("ignore::crossbar.CrossbarWarning")
@pytest.mark.parametrize(
    "call, argument",
    [(call, name) for call, names in ARGUMENTS.items() for name in names.split()],
    ids=lambda x: x if isinstance(x, str) else x.__name__,
)
def test_nothing_foreign_comes_out(call: Callable[..., Any], argument: str) -> None:
    refused = 0
    for value in HOSTILE:
        try:
            call(**{argument: value})
        except xb.CrossbarError:
            refused += 1
    assert refused > 8


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: verified(read=1e308), r"read \[V\] is one finite number above 0, at most 1000"),
        (
            lambda: program(verify=xb.Verify(read=2.0)),
            "reads of 2 V are beyond the breakdown limit of 1.5 V",
        ),
        (lambda: xb.Pulse(1e308, 1e-9), r"pulse amplitude \[V\] is at most 1000"),
        (lambda: xb.Pulse(0.5, 1e300), r"pulse width \[s\] is at most"),
        (lambda: xb.Pulse(0.5, 1e-9, count=10**400), "count is a whole number"),
        (lambda: xb.Verify(10**400), "max_pulses"),
        (lambda: writing.GatedScheme(gate="high"), "gate"),  # type: ignore[arg-type]
        (
            lambda: program(pulse=xb.Pulse(0.5, 1e-9, rise=1e-2), stepping=writing.Stepping()),
            "looks",
        ),
        (lambda: program(3.0), "an array to write"),
        (lambda: update(gate=1e308), r"gate \[V\]"),
        (lambda: pulse_for_error(breakdown=1e-320), "breakdown limit"),
        (lambda: program(rtol="small"), "rtol"),
        (lambda: writing.LineScheme("v/2"), "xb.Scheme is wanted"),  # type: ignore[arg-type]
        (lambda: program(repeats=10**400), "repeats"),
    ],
)
def test_messages_name_the_argument(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(xb.DataError, match=message):
        call()


# --- nothing applied


class Silent(writing.WriteScheme):
    """A scheme whose lines, and gates, are all at 0 V while some rows are written."""

    name = "silent"

    def __init__(self, base: writing.WriteScheme, rows: set[int]) -> None:
        self.base, self.rows = base, rows

    def drives(self, array: Any, selection: writing.Selection) -> dict[str, Any]:
        sides = self.base.drives(array, selection)
        if selection.row not in self.rows:
            return sides
        return {side: None if volts is None else 0.0 * volts for side, volts in sides.items()}

    def read(self, array: Any, row: int, volts: float) -> Any:
        return self.base.read(array, row, volts)


@pytest.mark.parametrize("rows", [{0, 1, 2}, {1}, {0}], ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"order": "cells"},
        {"verify": xb.Verify(2)},
        {"repeats": 3},
        {"stepping": writing.Stepping(look=1.0)},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "array, scheme",
    [("passive", "v/2"), ("passive", "floating"), ("parallel", "1t1r"), ("orthogonal", "1t1r")],
)
def test_phases_without_a_voltage(
    array: str, scheme: str, options: dict[str, Any], rows: set[int]
) -> None:
    """Nothing is written in them and no energy spent, whatever the phases before and after were."""
    start = np.random.default_rng(5772).choice([-1, 1], (3, 3))
    cells = xb.MTJCells(P, start)
    made: Any = (
        xb.PassiveArray(cells, r_word=2.0, r_bit=2.0)
        if array == "passive"
        else xb.OneTransistorArray(cells, transistor=NMOS, source_lines=array)
    )  # type: ignore[arg-type]
    report = xb.program(
        made,
        -start,
        pulse=xb.Pulse((0.45, 0.55), 5e-9),
        scheme=Silent(writing.WRITE_SCHEMES[scheme], rows),
        rng=np.random.default_rng(6174),
        **options
    )
    if report.expected_error is not None:
        assert (report.expected_error[..., sorted(rows), :] > 0.5).all()
    if rows == {0, 1, 2} and "verify" not in options:
        assert not report.energy.sources.any() and (report.states == start).all()
