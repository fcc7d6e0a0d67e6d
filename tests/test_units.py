"""Numbers of a deck: suffixes, units, traps; numbers for people."""

import math
import re
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import constants

from crossbar import units
from crossbar.units import format_si, parse_number, suffix_trap

SCALES = {"": 0, "t": 12, "g": 9, "meg": 6, "x": 6, "k": 3, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15,
          "a": -18}

# Number, and its value by ngspice 39 as the DC value of a source. Not here: 1a and 1x (ngspice ignores these
# two suffixes) and 4k7 (ngspice reads 4000; refused here).
AS_NGSPICE = {
    "1": 1, "-5": -5, "+5": 5, ".5": 0.5, "5.": 5, "5.k": 5e3, "1e-3": 1e-3, "1.5E+3": 1500, "1d3": 1e3,
    "1t": 1e12, "1G": 1e9, "1meg": 1e6, "2MEGohm": 2e6, "1mega": 1e6, "10kohm": 1e4, "1kk": 1e3,
    "1M": 1e-3, "3Mohm": 3e-3, "1m": 1e-3, "1mil": 25.4e-6, "1milli": 25.4e-6, "1mi": 1e-3, "1u": 1e-6,
    "1n": 1e-9, "1p": 1e-12, "1F": 1e-15, "1farad": 1e-15, "5V": 5, "10deg": 10, "1e3k": 1e6,
    "1e-3m": 1e-6, "1e": 1, "1ek": 1e3, "1eV": 1, "1dB": 1, "2pi": 2e-12, "1emu": 1e-3,
}


@pytest.mark.parametrize("text", AS_NGSPICE)
def test_value_is_that_of_ngspice(text: str) -> None:
    assert parse_number(text) == pytest.approx(AS_NGSPICE[text], rel=1e-15)


def test_ngspice_agrees_with_the_table(ngspice: str, tmp_path: Path) -> None:
    sources = [f"v{k} n{k} 0 {text}\nr{k} n{k} 0 1meg" for k, text in enumerate(AS_NGSPICE)]
    prints = [f"print v(n{k})" for k in range(len(AS_NGSPICE))]
    control = [".op", ".control", "set numdgt=15", "run", *prints, "quit 0", ".endc", ".end"]
    deck = ["numbers", *sources, *control]
    (tmp_path / "numbers.cir").write_text("\n".join(deck) + "\n")
    run = subprocess.run([ngspice, "-b", "numbers.cir"], cwd=tmp_path, capture_output=True, text=True,
                         timeout=60)
    found = {int(k): float(v) for k, v in re.findall(r"^v\(n(\d+)\) = (\S+)", run.stdout, re.MULTILINE)}
    assert found == {k: pytest.approx(v, rel=1e-9) for k, v in enumerate(AS_NGSPICE.values())}


@given(digits=st.from_regex(r"[0-9]{1,6}(\.[0-9]{0,6})?", fullmatch=True), exponent=st.integers(-30, 30),
       suffix=st.sampled_from(sorted(SCALES)), unit=st.sampled_from(["", "ohm", "V", "s", "Hz"]),
       upper=st.booleans())
def test_a_suffix_is_an_exact_power_of_ten(digits: str, exponent: int, suffix: str, unit: str,
                                           upper: bool) -> None:
    text = f"{digits}e{exponent}{suffix}{unit}"
    exact = Fraction(digits.rstrip(".")) * Fraction(10) ** (exponent + SCALES[suffix])
    assert parse_number(text.upper() if upper else text) == float(exact)
    assert parse_number(f" -{text} ") == -float(exact)


@pytest.mark.parametrize("text", [
    "", "k", ".", "-", "--5", "nan", "inf", "0x10", "1_000", "1.2.3", "1e3.5", "1e-", "1 k", "1,5",
    "\u0663", "5\u00b5", "10\u2126", "1e400", "-1e400", "1e9999999999", "9" * 400, "2.5m3m",
])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number|too large|out of range"):
        parse_number(text)


@pytest.mark.parametrize(("text", "advice"), [
    ("4k7", "write 4.7k"), ("-2meg2", "write -2.2meg"), ("1m5", "write 1.5m"), ("5\u00b5", "write u"),
    ("5%", "fraction"),
])
def test_the_error_says_what_to_write(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match=re.escape(advice)):
        parse_number(text)


@given(st.text() | st.from_regex(r"[-+]?[0-9.]{0,4}[ed]?[-+]?[0-9]{0,4}[a-zA-Z]{0,6}", fullmatch=True))
def test_any_text_gives_a_finite_number_or_a_value_error(text: str) -> None:
    try:
        assert math.isfinite(parse_number(text))
    except ValueError:
        assert suffix_trap(text) is None
    else:
        assert suffix_trap(text) is None or text.strip() in str(suffix_trap(text))


@pytest.mark.parametrize(("text", "meant"), [
    ("3Mohm", 3e6), ("3MOhm", 3e6), ("3MOHM", 3e6), ("1M", 1e6), ("2.5MHz", 2.5e6), ("2.5mhz", 2.5e6),
    ("1e2M", 1e8), ("1F", 1), ("1Farad", 1), ("1farad", 1), ("2A", 2), ("2a", 2), ("-2Amps", -2),
    ("3ampere", 3), ("5micro", 5e-6), ("5mus", 5e-6), ("7milliohm", 7e-3), ("300kelvin", 300),
    ("1tesla", 1), ("20gauss", 20), ("10metres", 10), ("4ppm", 4e-6),
])
def test_a_trap_is_explained_and_its_cure_is_right(text: str, meant: float) -> None:
    warning = suffix_trap(text)
    assert warning is not None
    assert f"{text!r} reads as {parse_number(text):g} " in warning
    assert parse_number(text) != pytest.approx(meant, rel=1e-6)
    assert parse_number(warning.split(" write ")[1]) == pytest.approx(meant, rel=1e-12)


@pytest.mark.parametrize(("text", "cure"), [("2pi", "2*pi"), ("5percent", "5/100")])
def test_a_trap_whose_cure_is_an_expression(text: str, cure: str) -> None:
    assert str(suffix_trap(text)).endswith(f"write {cure}")


@pytest.mark.parametrize("text", [
    "3m", "10k", "1u", "100n", "2.5f", "4p", "1g", "1t", "3mohm", "5mV", "5MV", "5MS", "1ms", "2meg",
    "2MEG", "2Meg", "2MegOhm", "1x", "1fF", "1aF", "10fs", "1mil", "5V", "300K", "1T", "1e-3", "42",
    "10kohm", "3uA", "3MA", "abc", "", "1e400F",
])
def test_no_false_alarm(text: str) -> None:
    assert suffix_trap(text) is None


PREFIXES = {"T": 12, "G": 9, "M": 6, "k": 3, "": 0, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15}


@given(magnitude=st.floats(1e-15, 9e14), sign=st.sampled_from([-1, 1]), digits=st.integers(1, 12))
def test_format_si_rounds_to_the_digits_asked_for(magnitude: float, sign: int, digits: int) -> None:
    number, unit = format_si(sign * magnitude, "Wb", digits=digits).split(" ")
    assert 1 <= abs(float(number)) < 1000
    value = float(f"{number}e{PREFIXES[unit.removesuffix('Wb')]}")
    ulp = 10.0 ** (math.floor(math.log10(magnitude)) - digits + 1)
    assert abs(value - sign * magnitude) <= 0.5001 * ulp
    assert len(number.lstrip("-").replace(".", "").strip("0")) <= digits


@pytest.mark.parametrize(("value", "text"), [
    (4700, "4.7 kohm"), (999.96, "1 kohm"), (999.94, "999.9 ohm"), (0.0, "0 ohm"), (-0.0, "0 ohm"),
    (-25e-6, "-25 uohm"), (1e15, "1e+15 ohm"), (1e-18, "1e-18 ohm"), (math.nan, "nan ohm"),
    (-math.inf, "-inf ohm"),
])
def test_format_si_spells(value: float, text: str) -> None:
    assert format_si(value, "ohm") == text
    assert format_si(value) == text.removesuffix("ohm").strip()


def test_constants_obey_the_relations_between_them() -> None:
    gas_constant, flux_quantum = 8.314462618, 2.067833848e-15  # [J/(mol K)], [Wb]
    assert units.BOHR_MAGNETON == pytest.approx(units.E_CHARGE * units.HBAR / (2 * constants.m_e), rel=1e-9)
    assert units.K_BOLTZMANN * constants.N_A == pytest.approx(gas_constant, rel=1e-9)
    assert units.MU_0 * constants.epsilon_0 * constants.c ** 2 == pytest.approx(1, rel=1e-9)
    assert math.pi * units.HBAR / units.E_CHARGE == pytest.approx(flux_quantum, rel=1e-9)
