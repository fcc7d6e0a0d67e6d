"""Matrix and state files: what is written reads back to the bit; all else is refused by name and place."""

import ast
import io
import pickle
import re
import zipfile
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from crossbar import memory
from crossbar.analysis import operating_point
from crossbar.arrays import PassiveArray
from crossbar.elements.cells import LinearCells
from crossbar.errors import DataError, SizeError
from crossbar import matrices
from crossbar.matrices import read_matrix, read_states, read_values
from crossbar.io.tables import write_csv

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=6)
CONDUCTANCES = hnp.arrays(float, SHAPES, elements=st.floats(0, 1e300))
STATES = hnp.arrays(np.int8, SHAPES, elements=st.sampled_from([-1, 1]))
same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


Matrix = npt.NDArray[np.float64]
same = partial(np.testing.assert_array_equal, strict=True)


def save_text(path: Path, values: Matrix, delimiter: str = ",", end: str = "\n") -> Path:
    path.write_bytes(end.join(delimiter.join(map(repr, row)) for row in values.tolist()).encode())
    return path


# -- round trips

@same_folder
@given(g=CONDUCTANCES, delimiter=st.sampled_from([",", ";", "\t", " ", "   ", ", ", " ; "]),
       end=st.sampled_from(["\n", "\r\n", "\r", "\n\n"]))
def test_text_reads_back_to_the_bit(tmp_path: Path, g: Matrix, delimiter: str, end: str) -> None:
    same(read_matrix(save_text(tmp_path / "g.csv", g, delimiter, end)), g)


@same_folder
@given(g=CONDUCTANCES, order=st.sampled_from("CF"), big=st.booleans())
def test_numpy_files_read_back_to_the_bit(tmp_path: Path, g: Matrix, order: str, big: bool) -> None:
    stored = np.array(g, dtype=">f8" if big else "<f8", order=order)  # type: ignore[call-overload]
    np.save(tmp_path / "g.npy", stored)
    np.savez(tmp_path / "plain.npz", stored)
    np.savez_compressed(tmp_path / "named.npz", other=np.arange(3), conductance=stored)
    for name in ("g.npy", "plain.npz", "named.npz"):
        same(read_matrix(tmp_path / name), g)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, np.uint8, np.longdouble])
def test_any_real_type_is_read_as_float(tmp_path: Path, dtype: type) -> None:
    np.save(tmp_path / "g.npy", np.array([[1, 2], [0, 7]], dtype=dtype))
    same(read_matrix(tmp_path / "g.npy"), np.array([[1.0, 2.0], [0.0, 7.0]]))


@same_folder
@given(values=hnp.arrays(float, SHAPES))
def test_any_number_reads_back(tmp_path: Path, values: Matrix) -> None:
    same(read_values(save_text(tmp_path / "v.csv", values)), values)


def test_comments_blank_lines_and_a_byte_order_mark_are_skipped(tmp_path: Path) -> None:
    text = "\ufeff# Leitwert in \u00b5S\n\n1,2\n  # more\n3, 4 \n\n"
    (tmp_path / "g.csv").write_text(text, encoding="utf-8")
    same(read_matrix(tmp_path / "g.csv", unit="uS"), np.array([[1e-6, 2e-6], [3e-6, 4e-6]]))


# -- what `write_csv` writes of arrays

def test_matrices_of_an_array_read_back_to_the_bit(tmp_path: Path) -> None:
    g = np.random.default_rng(2718).uniform(1e-5, 1e-4, (4, 5))
    point = operating_point(PassiveArray(LinearCells(g=g)).to_circuit(word_left=np.linspace(-0.1, 0.2, 4)))
    files = write_csv(SimpleNamespace(title="t", analyses={"op": point}), tmp_path)
    assert [f.name for f in files] == ["op.csv", "op_x_cell_voltage.csv", "op_x_cell_current.csv"]
    for file, quantity in zip(files[1:], ("cell_voltage", "cell_current"), strict=True):
        np.testing.assert_array_equal(read_values(file), getattr(point.array("x"), quantity), strict=True)
    assert files[2].read_text().startswith("# x cell current [A]; rows: word lines, columns: bit lines\n")


def test_isolated_cells_are_nan_volt_and_zero_ampere(tmp_path: Path) -> None:
    g, r = np.full((3, 4), 1e-4), np.full((3, 5), 2.0)
    g[1], r[1, 0] = 0.0, np.inf
    point = operating_point(PassiveArray(LinearCells(g=g), r_word=r).to_circuit(word_left=0.1))
    write_csv(SimpleNamespace(title="t", analyses={"op": point}), tmp_path)
    volts, amperes = (read_values(tmp_path / f"op_x_cell_{q}.csv") for q in ("voltage", "current"))
    np.testing.assert_array_equal(np.isnan(volts), g == 0)
    np.testing.assert_array_equal(amperes == 0, g == 0)


# -- units

@same_folder
@given(whole=st.integers(0, 2 ** 53))
def test_whole_microsiemens_are_the_nearest_siemens(tmp_path: Path, whole: int) -> None:
    (tmp_path / "g.csv").write_text(str(whole))
    assert read_matrix(tmp_path / "g.csv", unit="uS")[0, 0] == float(f"{whole}e-6")


def test_ohms_are_inverted_and_inf_is_an_open_cell(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("4.3e3, inf\n1e4, 5")
    same(read_matrix(tmp_path / "r.csv", unit="ohm"), np.array([[1 / 4.3e3, 0.0], [1e-4, 0.2]]))


def test_the_name_in_an_npz_must_suit_the_unit(tmp_path: Path) -> None:
    np.savez(tmp_path / "both.npz", g=[[1e-4]], r=[[2e4]])
    assert read_matrix(tmp_path / "both.npz") == 1e-4
    assert read_matrix(tmp_path / "both.npz", unit="ohm") == 1 / 2e4
    np.savez(tmp_path / "r.npz", resistance=[[2e4]])
    with pytest.raises(DataError, match="unit='ohm'"):
        read_matrix(tmp_path / "r.npz")


def test_an_unknown_unit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not 'mS'"):
        read_matrix(save_text(tmp_path / "g.csv", np.ones((1, 1))), unit="mS")  # type: ignore[arg-type]


# -- refusals in text, with file and line

@pytest.mark.parametrize(("text", "unit", "message"), [
    ("bl0,bl1\n1,2", "S", r"m\.csv:1: entry 1 is 'bl0', not a number: a header"),
    ("wl0,1\nwl1,2", "S", r"m\.csv:1: entry 1 is 'wl0'.*row labels"),
    ("1,2\nwl1,2", "S", r"m\.csv:2: entry 1 is 'wl1'.*row labels"),
    (",0,1\n0,2,3", "S", r"m\.csv:1: entry 1 is empty"),
    ("1,2\n\n3,4,\n", "S", r"m\.csv:3: entry 3 is empty"),
    ("1\t\t2", "S", r"m\.csv:1: entry 2 is empty"),
    ("1,2\n# c\n3\n", "S", r"m\.csv:3: this row has 1 entries, the one in line 1 has 2"),
    ("1 2\n3 4 5", "S", r"m\.csv:2: this row has 3 entries"),
    ("1,2\n3,4k", "S", r"m\.csv:2: entry 2 is '4k'.*4\.7e3"),
    ("1,5;2,5", "S", r"m\.csv:1: entry 1 is '1,5'.*decimal points"),
    ("1;2\n3,4", "S", r"m\.csv:2: entry 1 is '3,4'"),
    ("1_000", "S", r"m\.csv:1: entry 1 is '1_000'"),
    ("\u0663", "S", r"m\.csv:1: entry 1"),
    ("1,nan", "S", r"m\.csv:1: entry 2 \(cell \[0,1\]\) is nan"),
    ("1,2\n# c\n3,NaN", "ohm", r"m\.csv:3: entry 2 \(cell \[1,1\]\) is nan"),
    ("1,inf", "S", r"m\.csv:1: entry 2 \(cell \[0,1\]\) is inf: a conductance must be finite \[S\]"),
    ("-inf", "ohm", r"m\.csv:1: entry 1 \(cell \[0,0\]\) is -inf"),
    ("1,2\n3,-4", "uS", r"m\.csv:2: entry 2 \(cell \[1,1\]\) is -4: .*at least 0 \[uS\]"),
    ("1,0", "ohm", r"m\.csv:1: entry 2 \(cell \[0,1\]\) is 0: a resistance must be positive"),
    ("-0.0", "ohm", r"m\.csv:1: entry 1 \(cell \[0,0\]\)"),
    ("5e-324", "ohm", r"m\.csv:1: entry 1 \(cell \[0,0\]\).*beyond"),
    ("", "S", "holds no numbers"),
    ("# only a comment\n", "S", "holds no numbers"),
    ("1,2\0", "S", r"m\.csv:1: this is not text"),
])
def test_text_is_refused_with_its_place(tmp_path: Path, text: str, unit: str, message: str) -> None:
    (tmp_path / "m.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_matrix(tmp_path / "m.csv", unit=unit)  # type: ignore[arg-type]


@pytest.mark.parametrize("data", ["1,2".encode("utf-16"), b"\x80\x04\x95", b"\x93NUMPY\x01\x00",
                                  b"PK\x03\x04\xff\xfe"])
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m.csv").write_bytes(data)
    with pytest.raises(DataError, match=r"m\.csv.*not"):
        read_matrix(tmp_path / "m.csv")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a regular file"):
        read_matrix(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_matrix(tmp_path / "absent.csv")


# -- refusals in NumPy files

class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_pickles_are_refused_and_never_run(tmp_path: Path) -> None:
    trap = tmp_path / "pickle was run"
    np.save(tmp_path / "object.npy", np.array([[Touch(trap)]], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "object.npz", np.array([[Touch(trap)]], dtype=object))
    (tmp_path / "raw.npy").write_bytes(pickle.dumps(Touch(trap)))
    for name in ("object.npy", "object.npz", "raw.npy"):
        for read in (read_matrix, read_states, read_values):
            with pytest.raises(DataError, match="pickled"):
                read(tmp_path / name)  # type: ignore[operator]
    assert not trap.exists()
    np.load(tmp_path / "object.npy", allow_pickle=True)
    assert trap.exists()  # so the trap was a real one


@pytest.mark.parametrize(("array", "message"), [
    (np.ones((2, 2), complex), "complex128"), (np.array([["a"]]), "U1"), (np.ones((2, 2), bool), "bool"),
    (np.ones(3), r"shape \(3,\)"), (np.ones((2, 2, 2)), r"shape \(2, 2, 2\)"), (np.float64(1), r"shape \(\)"),
    (np.ones((0, 3)), r"shape \(0, 3\)"), (np.ones((1, 1), [("g", float)]), "real numbers"),
    (np.array([[1, np.nan]]), r"entry \[0,1\] is nan"), (np.array([[1], [-2]]), r"entry \[1,0\] is -2"),
    (np.array([[np.inf]]), r"entry \[0,0\] is inf"),
    (np.full((1, 1), np.longdouble("1e4000")), r"entry \[0,0\] is inf"),
])
def test_arrays_are_refused_with_the_entry(tmp_path: Path, array: Matrix, message: str) -> None:
    np.save(tmp_path / "m.npy", array)
    np.savez(tmp_path / "m.npz", g=array)
    with pytest.raises(DataError, match=r"m\.npy.*" + message):
        read_matrix(tmp_path / "m.npy")
    with pytest.raises(DataError, match=r"m\.npz \(g\).*" + message):
        read_matrix(tmp_path / "m.npz")


def test_an_npz_must_say_which_array_is_meant(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", a=np.ones((1, 1)), b=np.ones((1, 1)))
    with pytest.raises(DataError, match=r"holds 2 arrays \(a, b\).*g or conductance"):
        read_matrix(tmp_path / "two.npz")
    np.savez(tmp_path / "none.npz")
    with pytest.raises(DataError, match="holds 0 arrays"):
        read_matrix(tmp_path / "none.npz")


def npy_bytes(array: Matrix) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize("cut", [0, 3, 7, 50, 128, 130, -1])
def test_truncated_files_are_refused(tmp_path: Path, cut: int) -> None:
    data = npy_bytes(np.ones((3, 4)))
    (tmp_path / "m.npy").write_bytes(data[:cut])
    with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
        archive.writestr("g.npy", data[:cut])
    for name in ("m.npy", "m.npz"):
        with pytest.raises(DataError, match=re.escape(name)):
            read_matrix(tmp_path / name)


def test_a_header_that_promises_too_much_is_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    header = npy_bytes(np.ones((2, 2))).replace(b"(2, 2), } ", b"(99999999, 99999999), }", 1)[:128]
    (tmp_path / "m.npy").write_bytes(header)
    with pytest.raises(DataError, match="truncated"):
        read_matrix(tmp_path / "m.npy")
    empty = npy_bytes(np.full((2, 2), "", "U1"))  # as U0 it has no bytes an entry, so any shape fits the file
    (tmp_path / "s.npy").write_bytes(empty.replace(b"<U1", b"<U0").replace(b"(2, 2)", b"(9999999, 9999999)"))
    with pytest.raises((SizeError, DataError)):
        read_states(tmp_path / "s.npy")


def test_a_matrix_beyond_the_memory_is_a_size_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    g = np.ones((40, 50))
    save_text(tmp_path / "g.csv", g)
    np.save(tmp_path / "g.npy", g)
    np.savez_compressed(tmp_path / "g.npz", g)
    for limit, refused in ((g.nbytes, True), (1e9, False)):
        monkeypatch.setattr(memory, "available", lambda limit=limit: limit)
        for name in ("g.csv", "g.npy", "g.npz"):
            if refused:
                with pytest.raises(SizeError, match=r"g\.np|g\.csv"):
                    read_matrix(tmp_path / name)
            else:
                same(read_matrix(tmp_path / name), g)


# -- states

WORDS = {1: "P", -1: "AP"}


@same_folder
@given(state=STATES, zero=st.booleans(), lower=st.booleans())
def test_states_read_back_in_every_spelling(tmp_path: Path, state: npt.NDArray[np.int8], zero: bool,
                                            lower: bool) -> None:
    numbers = np.where(state < 0, 0, 1) if zero else state
    words = [[WORDS[int(x)].lower() if lower else WORDS[int(x)] for x in row] for row in state]
    (tmp_path / "words.csv").write_text("\n".join(", ".join(row) for row in words))
    save_text(tmp_path / "numbers.csv", numbers.astype(float), ";")
    np.save(tmp_path / "words.npy", np.array(words))
    np.save(tmp_path / "numbers.npy", numbers)
    np.save(tmp_path / "bool.npy", state > 0)
    np.savez(tmp_path / "named.npz", g=np.ones(3), state=numbers)
    for name in ("words.csv", "numbers.csv", "words.npy", "numbers.npy", "bool.npy", "named.npz"):
        same(read_states(tmp_path / name, state.shape), state)


@pytest.mark.parametrize(("text", "message"), [
    ("P,AP\nP,X", r"m\.csv:2: entry 2 is 'X'"), ("0,-1", r"m\.csv: .*mix 0 and -1"), ("nan", "is nan"),
    ("0,1\n0,2", r"m\.csv:2: entry 2 \(cell \[1,1\]\) is 2: an MTJ state is"),
    ("0.5", r"m\.csv:1: entry 1 \(cell \[0,0\]\) is 0\.5"),
    ("0,AP", "mix 0 and -1"), ("bl0,bl1\nP,P", r"m\.csv:1: entry 1 is 'bl0'.*header"),
    ("P AP\nP", r"m\.csv:2: this row has 1 entries"),
])
def test_bad_states_are_refused_with_their_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_states(tmp_path / "m.csv")


def test_a_wrong_shape_names_both(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("P AP P\nP P P")
    with pytest.raises(DataError, match=r"shape \(2, 3\), the array needs \(2, 4\) \(word lines"):
        read_states(tmp_path / "m.csv", (2, 4))
    with pytest.raises(DataError, match=r"needs \(3, 2\).*transposed"):
        read_states(tmp_path / "m.csv", (3, 2))


def test_state_words_in_numpy_files_are_checked(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", np.array([["P", "Q"]]))
    with pytest.raises(DataError, match=r"m\.npy: .*'Q'"):
        read_states(tmp_path / "m.npy")


# -- any damage

def check_any(path: Path) -> None:
    laws = ((read_matrix, lambda g: (g >= 0) & (g < np.inf)), (read_states, lambda s: abs(s) == 1))
    for read, good in laws:
        try:
            values = read(path)
        except (DataError, SizeError) as error:
            assert path.name in str(error)
        else:
            assert values.ndim == 2 and values.size and good(values).all()


@same_folder
@given(text=st.binary(max_size=60) | st.text("01-.eE,;\t\n #nainfPA", max_size=40).map(str.encode))
def test_any_text_gives_a_matrix_or_a_data_error(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "m.csv").write_bytes(text)
    check_any(tmp_path / "m.csv")


@same_folder
@given(data=st.data(), suffix=st.sampled_from([".npy", ".npz"]))
def test_any_damage_to_a_numpy_file_gives_a_matrix_or_a_data_error(tmp_path: Path, data: st.DataObject,
                                                                   suffix: str) -> None:
    raw = bytearray(npy_bytes(np.ones((2, 3))))
    if suffix == ".npz":
        stream = io.BytesIO()
        np.savez_compressed(stream, g=np.ones((2, 3)))
        raw = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at:at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    (tmp_path / f"m{suffix}").write_bytes(raw)
    check_any(tmp_path / f"m{suffix}")


def test_the_module_stands_before_the_analyses() -> None:
    found = set()
    for node in ast.walk(ast.parse(Path(matrices.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("crossbar"):
            found |= {f"crossbar.{a.name}" if node.module == "crossbar" else node.module for a in node.names}
    assert found == {"crossbar.memory", "crossbar.errors", "crossbar.files", "crossbar.mtj"}
