"""Parameters of a junction in a file: TOML, a key for each field of `MTJParams`.

    preset = "mtj-60kT"      # what to begin with; without it the defaults of MTJParams
    diameter = 45e-9         # [m]: SI units, as in MTJParams
    v_h = inf
"""

import difflib
import os
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from crossbar.errors import DataError
from crossbar.files import open_regular
from crossbar.mtj.parameters import MTJParams
from crossbar.mtj.presets import PRESETS

LARGEST = 1_000_000  # [byte] a file of parameters has a page at most


def read_parameters(path: str | os.PathLike[str]) -> MTJParams:
    """The junction that a TOML file describes.

    Keys are the fields of `MTJParams`, with numbers or lists of numbers in their units; `preset` names a set to begin with.
    Raises DataError with the file, and the key where it is one's fault; OSError where there is no such file.
    """
    if not isinstance(path, str | os.PathLike):
        raise DataError(f"the path of a file of parameters is a text or a path, not {type(path).__name__}")
    file = Path(path)
    values = _read_toml(file)
    preset = values.pop("preset", None)
    known = {entry.name for entry in fields(MTJParams)}
    for key, value in values.items():
        if key not in known:
            raise DataError(f"{file}: {key} is no parameter of a junction{_meant(key, known)}")
        _check_numbers(file, key, value)
    if preset is not None and (not isinstance(preset, str) or preset not in PRESETS):
        raise DataError(f"{file}: preset = {preset!r} is none of {', '.join(PRESETS)}")
    try:
        return MTJParams(**values) if preset is None else PRESETS[preset].replace(**values)
    except DataError as error:  # says which
        raise DataError(f"{file}: {error}") from None


def _read_toml(file: Path) -> dict[str, Any]:
    """What a regular file of reasonable size says. Raises DataError, OSError."""
    with open_regular(file) as (stream, _):
        text = stream.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise DataError(f"{file}: too long for a file of parameters")
    try:
        return tomllib.loads(text.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise DataError(f"{file}: not TOML: {error}") from None


def _check_numbers(file: Path, key: str, value: Any) -> None:
    """A number, or a list of numbers; tables, texts, dates and truth values are not."""
    entries = value if isinstance(value, list) else [value]
    for entry in entries:
        if isinstance(entry, list):
            _check_numbers(file, key, entry)
        elif isinstance(entry, bool) or not isinstance(entry, int | float):
            raise DataError(f"{file}: {key} must be a number or a list of numbers, got {entry!r}")


def _meant(key: str, known: set[str]) -> str:
    """A hint at the key that was probably meant."""
    close = difflib.get_close_matches(key.lower(), known, 1)
    return f"; {close[0]} is" if close else f"; there are {', '.join(sorted(known))}"
