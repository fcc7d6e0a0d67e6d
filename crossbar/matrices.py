"""Matrices from files: conductances, resistances and MTJ states, rows = word lines, columns = bit lines.

Text: one row a line, numbers apart by commas, semicolons, tabs or blanks; `#` begins a comment line. Nothing
but numbers is read: a header or a column of labels is refused, not guessed at. NumPy: one array in .npy or
.npz, never pickled objects. Whatever is refused is named with file and line, or file and entry. Sizes are
checked before anything is loaded.
"""

from __future__ import annotations

import io
import os
import zipfile
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from crossbar import memory
from crossbar.errors import CrossbarError, DataError
from crossbar.files import open_regular
from crossbar.mtj import as_state

Array = npt.NDArray[np.float64]
FileName = str | os.PathLike[str]

_LINE = 2 ** 25  # longest line of text [character]
_KEYS = {"S": ("g", "conductance"), "uS": ("g", "conductance"), "ohm": ("r", "resistance")}
_STATE_KEYS = ("state", "states")


def read_matrix(path: FileName, unit: Literal["S", "uS", "ohm"] = "S") -> Array:
    """Conductances (M, N) [S] from a text, .npy or .npz file that holds them in `unit`.

    0 S is an open cell, and so is inf ohm. An .npz holds one array, or names one g or conductance (unit S,
    uS), r or resistance (ohm). Raises DataError, naming file and place, for entries that are NaN, negative,
    infinite (S), 0 (ohm) or no numbers, for ragged rows, headers, pickled objects and damaged files;
    SizeError; OSError where the file cannot be opened.
    """
    if unit not in _KEYS:
        raise DataError(f'unit is "S", "uS" or "ohm", not {unit!r}')
    values, place = _load(Path(path), _float, _KEYS[unit], "fiu")
    values = values.astype(float)
    if unit == "ohm":
        _refuse(values <= 0, values, place, "a resistance must be positive [ohm] (inf: open cell)")
    else:
        _refuse(values < 0, values, place, f"a conductance must be at least 0 [{unit}] (0: open cell)")
        _refuse(np.isinf(values), values, place, f"a conductance must be finite [{unit}]")
    _refuse(np.isnan(values), values, place, "every cell needs a number")
    if unit == "S":
        return values
    with np.errstate(over="ignore"):  # not times 1e-6: 1e6 is exact, so 233 uS become 233e-6 S to the bit
        g = 1 / values if unit == "ohm" else values / 1e6
    _refuse(np.isinf(g), values, place, "its conductance is beyond the range of numbers")
    return g


def read_states(path: FileName, shape: tuple[int, int] | None = None) -> npt.NDArray[np.int8]:
    """MTJ states (M, N), +1 P and -1 AP, from a text, .npy or .npz file of 0 / 1, -1 / 1 or the words P / AP.

    shape : what (M, N) must be. An .npz holds one array, or names one state or states. Raises as
    `read_matrix` does, and DataError where 0 and -1 are mixed or the shape is another one.
    """
    values, place = _load(Path(path), _state, _STATE_KEYS, "fiubUS")
    if values.dtype.kind in "fiu":
        _refuse(~np.isin(values, (-1, 0, 1)), values, place, "an MTJ state is 0 or 1, -1 or 1, P or AP")
    try:
        states = as_state(values)
    except (DataError, ValueError) as error:
        raise DataError(f"{path}: {error}") from None
    if shape is not None and states.shape != tuple(shape):
        turned = "; it may be transposed" if states.T.shape == tuple(shape) else ""
        raise DataError(f"{path} has states of shape {states.shape}, the array needs {tuple(shape)} "
                        f"(word lines, bit lines){turned}")
    return states


def read_values(path: FileName) -> Array:
    """Any numbers (M, N), NaN and inf too, from a text, .npy or .npz file: also what `write_csv` wrote."""
    return _load(Path(path), _float, (), "fiu")[0].astype(float)


def _float(text: str) -> float:
    """A plain number; ValueError for what only Python takes for one, such as 1_000."""
    if "_" in text or not text.isascii():
        raise ValueError
    return float(text)


def _state(text: str) -> float:
    """+1 for P, -1 for AP, else the number."""
    word = {"P": 1.0, "AP": -1.0}.get(text.upper())
    return _float(text) if word is None else word


Place = Callable[[int, int], str]  # row and column -> where that is in the file


def _refuse(bad: npt.NDArray[np.bool_], values: npt.NDArray[Any], place: Place, why: str) -> None:
    if bad.any():
        i, j = np.unravel_index(int(np.argmax(bad)), bad.shape)
        raise DataError(f"{place(int(i), int(j))} is {values[i, j]:.6g}: {why}")


def _load(path: Path, convert: Callable[[str], float], keys: Sequence[str],
          kinds: str) -> tuple[npt.NDArray[Any], Place]:
    """The (M, N) array of a file, of one of the dtype `kinds`, and how to name the place of an entry."""
    with open_regular(path) as (stream, size):
        ending = path.suffix.lower()
        if ending not in (".npy", ".npz"):
            return _read_text(stream, path, size, convert)
        where = str(path)
        try:
            if ending == ".npy":
                values = _read_npy(stream, where, size, kinds)
            else:
                with zipfile.ZipFile(stream) as archive:
                    name = _choose(archive.namelist(), keys, where)
                    where += f" ({name.removesuffix('.npy')})"
                    with archive.open(name) as member:
                        values = _read_npy(member, where, archive.getinfo(name).file_size, kinds)
        except (CrossbarError, PermissionError, MemoryError):
            raise
        except Exception as error:  # numpy's header parser and zipfile raise all sorts: TokenError, zlib.error
            raise DataError(f"{path} is no intact {path.suffix} file: {error}") from None
    return values, lambda i, j: f"{where}: entry [{i},{j}]"


def _choose(members: Sequence[str], keys: Sequence[str], where: str) -> str:
    """The member of an .npz to read: the one with a known name, else the only one if its name is neutral."""
    names = {m: m.removesuffix(".npy").lower() for m in members}
    known = [m for m, name in names.items() if name in keys]
    others = {k for ks in _KEYS.values() for k in ks}.union(_STATE_KEYS).difference(keys)
    if len(known) == 1:
        return known[0]
    if len(members) != 1:
        hint = f"one named {' or '.join(keys)}" if keys else "only one"
        raise DataError(f"{where} holds {len(members)} arrays ({', '.join(sorted(names.values()))[:200]}); "
                        f"there must be {hint}")
    if keys and names[members[0]] in others:
        name = names[members[0]]
        hint = "; for resistances give unit='ohm'" if name in _KEYS["ohm"] and "g" in keys else ""
        raise DataError(f"{where} holds {name!r} where {' or '.join(keys)} is wanted{hint}")
    return members[0]


def _read_npy(stream: IO[bytes], where: str, size: int, kinds: str) -> npt.NDArray[Any]:
    """The array of a .npy stream of `size` bytes, refused by its header before anything is allocated."""
    if stream.read(6) != b"\x93NUMPY":
        raise DataError(f"{where} is not in .npy format (pickled data is never loaded)")
    stream.seek(0)
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise DataError(f"{where}: .npy format version {version} is not read; plain arrays have 1.0 or 2.0")
    fmt = np.lib.format
    read_header = fmt.read_array_header_1_0 if version == (1, 0) else fmt.read_array_header_2_0
    shape, _, dtype = read_header(stream)
    if dtype.hasobject:
        raise DataError(f"{where} holds pickled Python objects, which are never loaded (they can run code); "
                        "save an array of numbers")
    if dtype.kind not in kinds or dtype.names is not None:
        raise DataError(f"{where} holds entries of type {dtype}, not "
                        + ("states" if "U" in kinds else "real numbers"))
    if len(shape) != 2 or min(shape) < 1:
        raise DataError(f"{where} has shape {shape}; a matrix has (word lines, bit lines), both at least 1")
    held = stream.tell() + shape[0] * shape[1] * dtype.itemsize
    if held > size:
        raise DataError(f"{where} is truncated: {held} bytes announced, {size} there")
    memory.require(f"the matrix {where} of {shape[0]} x {shape[1]} entries",
                   shape[0] * shape[1] * (4 * dtype.itemsize + 32))
    stream.seek(0)
    with np.errstate(all="ignore"):  # wider floats may overflow to inf, which `read_matrix` refuses
        values = np.lib.format.read_array(stream, allow_pickle=False)
        return values.astype(float) if values.dtype.kind == "f" else values


def _read_text(stream: BinaryIO, path: Path, size: int, convert: Callable[[str], float]) -> tuple[Array, Place]:
    """The numbers of a text file, row by row."""
    # at least two characters an entry; of one line the words are held too
    memory.require(f"the matrix {path}", 16 * size + 60 * min(size, _LINE))
    values, lines = array("d"), array("q")
    delimiter, width = None, 0
    for number, text in _data_lines(stream, path):
        if not lines:
            delimiter = next((d for d in (";", ",", "\t") if d in text), None)
        words = [w.strip() for w in text.split(delimiter)]
        row = _row(words, convert, f"{path}:{number}", first=not lines)
        if lines and len(row) != width:
            raise DataError(f"{path}:{number}: this row has {len(row)} entries, "
                            f"the one in line {lines[0]} has {width}")
        width = len(row)
        values.extend(row)
        lines.append(number)
    if not lines:
        raise DataError(f"{path} holds no numbers")
    return (np.frombuffer(values).reshape(-1, width),
            lambda i, j: f"{path}:{lines[i]}: entry {j + 1} (cell [{i},{j}])")


def _data_lines(raw: BinaryIO, path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of every line that is neither blank nor a comment."""
    number = 0
    try:
        with io.TextIOWrapper(raw, encoding="utf-8-sig") as stream:
            while text := stream.readline(_LINE):
                number += 1
                if len(text) == _LINE:
                    raise DataError(f"{path}:{number}: a line of more than {_LINE} characters")
                if "\0" in text:
                    raise DataError(f"{path}:{number}: this is not text; binary matrices end in .npy or .npz")
                text = text.strip(" \r\n")
                if text.strip() and not text.lstrip().startswith("#"):
                    yield number, text
    except UnicodeDecodeError:
        raise DataError(f"{path}: this is not UTF-8 text; binary matrices end in .npy or .npz") from None


def _row(words: Sequence[str], convert: Callable[[str], float], where: str, *, first: bool) -> list[float]:
    """One row of numbers; DataError names the entry that is none."""
    row = []
    for k, word in enumerate(words):
        try:
            row.append(convert(word))
        except ValueError:
            raise DataError(f"{where}: entry {k + 1} {_complaint(word, k, first)}") from None
    return row


def _complaint(word: str, column: int, first: bool) -> str:
    """What is wrong with an entry that is no number."""
    shown = repr(word[:40])
    if not word:
        return "is empty; every cell needs a number"
    if "," in word:
        return f"is {shown}, not a number: write decimal points, and one delimiter throughout"
    if word[0].isdigit():
        return f"is {shown}, not a number: write plain numbers, 4.7e3 and not 4.7k"
    if first:
        return f"is {shown}, not a number: a header row or row labels must go, or begin the line with #"
    return f"is {shown}, not a number" + (": row labels are not read" if column == 0 else "")
