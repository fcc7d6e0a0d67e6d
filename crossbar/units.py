"""Numbers as people write them, and the physical constants.

    number = [sign] digits [. digits] [(e | d) [sign] digits] [suffix] [letters]

Suffixes, in either case: T 1e12, G 1e9, MEG or X 1e6, K 1e3, M 1e-3 (milli, also as a capital), MIL 25.4e-6,
U 1e-6, N 1e-9, P 1e-12, F 1e-15, A 1e-18.  The longest suffix wins; letters after it, or after no suffix, are
a unit and are ignored: 10kohm, 5V.  An exponent letter without digits counts as e0, so 1ek is 1000, as in
ngspice.  ngspice 39 ignores A and X (1a = 1x = 1) and reads 4k7 as 4000; here 4k7 is refused.
"""

import math
import re
from string import ascii_letters

from scipy import constants

E_CHARGE: float = constants.elementary_charge                                  # [C]
HBAR: float = constants.hbar                                                   # [J s]
K_BOLTZMANN: float = constants.Boltzmann                                       # [J/K]
MU_0: float = constants.mu_0                                                   # [T m/A]
BOHR_MAGNETON: float = constants.physical_constants["Bohr magneton"][0]        # [J/T]

# Power of ten and name of each suffix; MIL is no power of ten and stands apart.
_SUFFIXES = {"t": (12, "tera"), "g": (9, "giga"), "meg": (6, "mega"), "x": (6, "mega"), "k": (3, "kilo"),
             "m": (-3, "milli"), "u": (-6, "micro"), "n": (-9, "nano"), "p": (-12, "pico"),
             "f": (-15, "femto"), "a": (-18, "atto"), "mil": (0, "a thousandth of an inch"), "": (0, "")}
_MIL = 25.4e-6  # [m]

_FLAGS = re.IGNORECASE | re.ASCII
_NUMBER = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[ed]([+-]?[0-9]+)?)?([a-z]*)", _FLAGS)
_SUFFIX = re.compile(r"meg|mil|[tgxkmunpfa]", _FLAGS)

# What a person most likely meant by the letters after a number, first match wins: (letters, meaning, what to
# write after the digits). Lower-case scale letters alone (3m, 2.5f) are never suspected, except `a`, as few
# write atto; nor are all-capital units (5MV), which belong to decks written in capitals throughout.
_TRAPS = (
    (re.compile(r"milli.*", _FLAGS), "milli", "m"),
    (re.compile(r"micro.*|mu.?", _FLAGS), "micro", "u"),
    (re.compile(r"met(er|re)s?", _FLAGS), "metres", ""),
    (re.compile(r"M(?!eg|il)([a-z].*)?|M(?i:ohms?)|(?i:mhz)"), "mega", "MEG"),
    (re.compile(r"F|(?i:farads?)"), "farad", ""),
    (re.compile(r"a|amps?|amperes?", _FLAGS), "ampere", ""),
    (re.compile(r"kelvins?", _FLAGS), "kelvin", ""),
    (re.compile(r"teslas?", _FLAGS), "tesla", ""),
    (re.compile(r"gauss", _FLAGS), "gauss", ""),
    (re.compile(r"pi", _FLAGS), "a multiple of pi", "*pi"),
    (re.compile(r"percent", _FLAGS), "per cent", "/100"),
    (re.compile(r"ppm", _FLAGS), "parts per million", "u"),
)

_PREFIXES = {12: "T", 9: "G", 6: "M", 3: "k", 0: "", -3: "m", -6: "u", -9: "n", -12: "p", -15: "f"}


def parse_number(text: str) -> float:
    """Value of a SPICE number, in the unit it was written in. ValueError, with a hint, if `text` is none.

    >>> parse_number("4.7kohm"), parse_number("3Mohm"), parse_number("2MEG")
    (4700.0, 0.003, 2000000.0)
    """
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a number: {_complaint(text.strip())}")
    digits, exponent, letters = match.groups()
    suffix = _suffix(letters)
    # The power of ten joins the exponent in the text, so that 3.3n is exactly 3.3e-9: one rounding, not two.
    power = _SUFFIXES[suffix][0]
    if exponent is not None and len(exponent) > 6:
        raise ValueError(f"{text[:40]!r}: the exponent is out of range")
    value = float(f"{digits}e{int(exponent or 0) + power}") * (_MIL if suffix == "mil" else 1.0)
    if math.isinf(value):
        raise ValueError(f"{text[:40]!r} is too large: the limit is about 1.8e308")
    return value


def suffix_trap(text: str) -> str | None:
    """Warning for a number whose suffix SPICE reads otherwise than most people mean it; None if all is well.

    >>> print(suffix_trap("3Mohm"))
    '3Mohm' reads as 0.003 (the suffix M is milli): for mega write 3MEG
    >>> suffix_trap("3m") is suffix_trap("10kohm") is None
    True
    """
    text = text.strip()
    if text[-1:] not in ascii_letters:
        return None
    try:
        value = parse_number(text)
    except ValueError:
        return None
    letters = text[len(text.rstrip(ascii_letters)):]
    suffix = _suffix(letters)
    number = text.removesuffix(letters)
    for pattern, meaning, write in _TRAPS if suffix else ():
        if pattern.fullmatch(letters):
            return (f"{text!r} reads as {value:g} (the suffix {letters[:len(suffix)]} is "
                    f"{_SUFFIXES[suffix][1]}): for {meaning} write {number}{write}")
    return None


def format_si(value: float, unit: str = "", *, digits: int = 4) -> str:
    """`value` with `digits` significant digits and a prefix T G M k m u n p f, for people to read.

    M is mega here, as in print and unlike in a deck.  Beyond the prefixes the exponent is written out.

    >>> format_si(4700, "ohm"), format_si(2.5e-15, "F"), format_si(0.99999)
    ('4.7 kohm', '2.5 fF', '1')
    """
    value = abs(value) if value == 0 else value  # no "-0"
    if not math.isfinite(value):
        return f"{value:g} {unit}".rstrip()
    # Rounded to a decimal text first, so that 999.96 becomes 1 k and not 1000.
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = 3 * (int(exponent) // 3)
    if power not in _PREFIXES:
        return f"{value:.{digits}g} {unit}".rstrip()
    scaled = float(f"{mantissa}e{int(exponent) - power}")
    return f"{scaled:.{max(digits, 3)}g} {_PREFIXES[power]}{unit}".rstrip()


def _suffix(letters: str) -> str:
    match = _SUFFIX.match(letters) if letters else None
    return match[0].lower() if match else ""


def _complaint(text: str) -> str:
    """What is wrong with a text that is not a number, and what to write instead."""
    infix = re.fullmatch(r"([+-]?[0-9]+)(meg|[tgkmunp])([0-9]+)", text, _FLAGS)
    if infix:
        whole, letters, fraction = infix.groups()
        return f"digits after a suffix; if a decimal point was meant, write {whole}.{fraction}{letters}"
    if any(sign in text for sign in "\u00b5\u03bc\u2126\u03a9"):
        return "write u for micro, and no ohm sign"
    if text.endswith("%"):
        return "write a fraction instead of per cent"
    return "expected digits, then an exponent, a suffix T G MEG K M U N P F or a unit, as in 4.7k, 1e-3 or 5V"
