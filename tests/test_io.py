"""Rawfiles, CSV tables and listings: they hold what the analyses hold, and other programs read them."""

import csv
import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossbar import memory
from crossbar.analysis import Sweep, dc_sweep, operating_point
from crossbar.arrays import PassiveArray
from crossbar.circuit import Circuit, CircuitBuilder
from crossbar.elements.linear import CCVS, VCVS, CurrentSources, VoltageSources
from crossbar.errors import DataError, SizeError
from crossbar.io import replacing
from crossbar.io.rawfile import read_raw, write_raw
from crossbar.io.tables import columns, default_outputs, listing, write_csv
from crossbar.points import OperatingPoint

NETLIST = """divider and friends
v1 in 0 dc 1
i1 0 b 1m
r1 in out 1k
r2 out 0 2k
r3 b 0 1k
r4 b c 3
r5 c 0 700
e1 ee 0 out 0 2
re ee 0 1k
h1 hh 0 v1 100
rh hh 0 1k
"""


def network(title: str = "divider and friends") -> Circuit:
    """NETLIST as a circuit."""
    b = CircuitBuilder(title)
    b.add_one(VoltageSources, "v1", ["in", "0"], value=1.0)
    b.add_one(CurrentSources, "i1", ["0", "b"], value=1e-3)
    for name, plus, minus, ohms in (
            ("r1", "in", "out", 1e3), ("r2", "out", "0", 2e3), ("r3", "b", "0", 1e3), ("r4", "b", "c", 3.0),
            ("r5", "c", "0", 700.0), ("re", "ee", "0", 1e3), ("rh", "hh", "0", 1e3)):
        b.resistor(name, plus, minus, ohms)
    b.add_one(VCVS, "e1", ["ee", "0", "out", "0"], gain=2.0)
    b.add_one(CCVS, "h1", ["hh", "0"], gain=100.0, control="v1")
    return b.build()


def array_point(shape: tuple[int, int] = (4, 5)) -> OperatingPoint:
    rng = np.random.default_rng(2718)
    array = PassiveArray.from_resistance(rng.uniform(1e4, 1e5, shape), r_word=3.0, r_bit=2.0)
    return operating_point(array.to_circuit(word_left=rng.uniform(-0.2, 0.2, shape[0])))


@dataclass
class Run:
    """A title, analyses, and outputs to keep of some of them."""

    title: str
    analyses: Mapping[str, OperatingPoint | Sweep]
    kept: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def outputs(self, name: str) -> Sequence[str] | None:
        return self.kept.get(name)


class Divider:
    """A deck-like thing whose parameters are `load` [ohm] and `temp`."""

    def vary(self, values: Mapping[str, float]) -> Circuit:
        return network().vary({"r2": values["load"] + values.get("temp", 0.0)})


@pytest.fixture(scope="module")
def run() -> Run:
    """Operating points and sweeps of every kind; one keeps quantities inside an array."""
    circuit = network()
    analyses: dict[str, OperatingPoint | Sweep] = {
        "op": operating_point(circuit),
        "dc": dc_sweep(circuit, {"v1": np.linspace(0, 1, 7)}),
        "dc2": dc_sweep(circuit, {"v1": [0.0, 0.1, 2.0], "i1": [0.0, 1e-3]}),
        "dc3": dc_sweep(circuit, {"r1": [1e3, 3e3]}),
        "dc4": dc_sweep(Divider(), {"load": [1e3, 3e3], "temp": [0.0, 25.0, 50.0]}),
        "dc5": dc_sweep(Divider(), {"load": [1e3, 3e3]}),
        "op2": array_point(),
    }
    inside = ["V(X.WL[3, 2])", "i(x[0,1])", "v(x.wl[1,1],x.bl[1,1])", "i(x[0,1])"]
    return Run(circuit.title, analyses, {"op2": inside})


def call_ngspice(ngspice: str, deck: str, folder: Path) -> str:
    (folder / "deck.cir").write_text(deck)
    done = subprocess.run([ngspice, "-b", "deck.cir"], cwd=folder, capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


# -- rawfiles

SCALES = {"dc": ("v(v-sweep)", "voltage"), "dc2": ("i(i-sweep)", "current"),
          "dc3": ("res-sweep", "res-sweep"), "dc4": ("temp-sweep", "temp-sweep"), "dc5": ("load", "notype")}


@pytest.mark.parametrize("binary", [True, False])
def test_a_rawfile_reads_back_to_the_bit(run: Run, tmp_path: Path, binary: bool) -> None:
    write_raw(run, tmp_path / "out.raw", binary=binary)
    plots = read_raw(tmp_path / "out.raw")
    assert len(plots) == len(run.analyses)
    for plot, (name, analysis) in zip(plots, run.analyses.items(), strict=True):
        kept = columns(analysis, run.outputs(name))
        names, kinds = [c.name for c in kept], [{"v": "voltage", "i": "current"}[c.name[0]] for c in kept]
        values = [c.values for c in kept]
        if isinstance(analysis, Sweep):
            names, kinds = [SCALES[name][0], *names], [SCALES[name][1], *kinds]
            inner = list(analysis.axes)[-1]
            values.insert(0, analysis[inner].ravel())
        assert plot.title == run.title
        assert plot.plotname == ("Operating Point" if name.startswith("op") else "DC transfer characteristic")
        assert list(plot.variables) == names and list(plot.kinds) == kinds
        np.testing.assert_array_equal(plot.data, np.column_stack(values), strict=True)
        np.testing.assert_array_equal(plot[names[-1].upper()], plot.data[:, -1])


def test_outputs_inside_an_array_are_kept_once_by_their_usual_names(run: Run, tmp_path: Path) -> None:
    write_raw(run, tmp_path / "out.raw")
    plot, point = read_raw(tmp_path / "out.raw")[-1], run.analyses["op2"]
    assert isinstance(point, OperatingPoint)
    assert plot.variables == ("v(x.wl[3,2])", "i(x[0,1])", "v(x.wl[1,1],x.bl[1,1])")
    s = point.array("x")
    assert plot.data[0].tolist() == [s.word_voltage[3, 2], s.cell_current[0, 1], s.cell_voltage[1, 1]]


@pytest.mark.parametrize("binary", [True, False])
def test_spicelib_reads_every_plot(run: Run, tmp_path: Path, binary: bool) -> None:
    from spicelib import RawRead
    write_raw(run, tmp_path / "out.raw", binary=binary)
    theirs, ours = RawRead(tmp_path / "out.raw"), read_raw(tmp_path / "out.raw")
    assert theirs.get_plot_names() == [p.plotname for p in ours]
    for plot, mine in zip(theirs.plots, ours, strict=True):
        assert tuple(plot.get_trace_names()) == mine.variables
        for name in mine.variables:
            np.testing.assert_array_equal(plot.get_wave(name), mine[name])


@pytest.mark.parametrize("binary", [True, False])
def test_ngspice_loads_every_plot(run: Run, tmp_path: Path, ngspice: str, binary: bool) -> None:
    write_raw(run, tmp_path / "out.raw", binary=binary)
    head = "load\nr1 a 0 1\n.control\nset numdgt=14\nset width=4000\nload out.raw\n"
    tail = "quit 0\n.endc\n.end\n"
    text = call_ngspice(ngspice, f"{head}echo listed\nsetplot\n{tail}", tmp_path)
    newest_first = re.findall(r"^(?:Current)?\s*((?:op|dc)\d+)\t", text.split("\nlisted\n")[1], re.MULTILINE)
    prints = "".join(f"setplot {name}\necho plot\nprint all\n" for name in reversed(newest_first))
    text = call_ngspice(ngspice, f"{head}{prints}{tail}", tmp_path)
    assert not re.search("error|warning|no such", text, re.IGNORECASE), text
    for plot, part in zip(read_raw(tmp_path / "out.raw"), text.split("\nplot\n")[1:], strict=True):
        if len(plot.data) == 1:
            found = {n: [float(x)] for n, x in re.findall(r"^(\S+) = (\S+)$", part, re.MULTILINE)}
        else:
            index = re.search(r"^Index\s+(.*)$", part, re.MULTILINE)
            rows = [row.split()[1:] for row in re.findall(r"^\d+\t.*$", part, re.MULTILINE)]
            assert index is not None
            table = zip(index[1].split(), *rows, strict=True)
            found = {name: [float(x) for x in column] for name, *column in table}
        assert found == {n: pytest.approx(plot[n].tolist(), rel=1e-13) for n in plot.variables}


CARDS: dict[str, Callable[[Circuit], OperatingPoint | Sweep]] = {
    ".op": operating_point,
    ".dc v1 0 1 0.5": lambda c: dc_sweep(c, {"v1": [0, 0.5, 1]}),
    ".dc i1 0 1m 0.5m v1 0 2 1": lambda c: dc_sweep(c, {"v1": [0, 1, 2], "i1": [0, 5e-4, 1e-3]}),
    ".dc r1 1k 3k 1k": lambda c: dc_sweep(c, {"r1": [1e3, 2e3, 3e3]}),
}


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("filetype", ["ascii", "binary"])
def test_ngspice_writes_the_same_file(tmp_path: Path, ngspice: str, card: str, filetype: str) -> None:
    deck = f"{NETLIST}.control\nset filetype={filetype}\n{card[1:]}\nwrite theirs.raw\nquit 0\n.endc\n.end\n"
    call_ngspice(ngspice, deck, tmp_path)
    write_raw(Run("divider and friends", {"a": CARDS[card](network())}), tmp_path / "ours.raw")
    (theirs,), (ours,) = read_raw(tmp_path / "theirs.raw"), read_raw(tmp_path / "ours.raw")
    assert (theirs.title, theirs.plotname) == (ours.title, ours.plotname)
    kinds = [dict(zip(p.variables, p.kinds, strict=True)) for p in (theirs, ours)]
    assert kinds[0] == kinds[1]
    if card != ".op":
        assert theirs.variables[0] == ours.variables[0]
    for name in ours.variables:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-9, atol=1e-12)


def test_shorts_are_no_outputs_by_default() -> None:
    outputs = default_outputs(network().with_value("r4", 0.0))
    assert outputs == default_outputs(network()) and "v(c)" in outputs and "i(e1)" in outputs


SHELL = "Command: shell touch trap"


@pytest.mark.parametrize("title", [f"a\n{SHELL}", f"a\r\n\f{SHELL}", "x" * 505 + SHELL, "x" * 504 + SHELL,
                                   "x" * 438 + "\u00b5" * 100 + SHELL, "", "\ud800 lone", "caf\u00e9"])
def test_no_title_breaks_out_of_its_line(tmp_path: Path, ngspice: str, title: str) -> None:
    run = SimpleNamespace(title=title, analyses={"op": operating_point(network())})  # no outputs()
    write_raw(run, tmp_path / "out.raw")
    (plot,) = read_raw(tmp_path / "out.raw")
    assert len(plot.title.encode()) < 500 and plot.variables == tuple(default_outputs(network()))
    if title.isprintable():
        assert title.startswith(plot.title)
    deck = "load\nr1 a 0 1\n.control\nload out.raw\nprint v(out)\nquit 0\n.endc\n.end\n"
    text = call_ngspice(ngspice, deck, tmp_path)
    assert not (tmp_path / "trap").exists()
    assert "v(out) = 6.66" in text


def test_a_run_without_analyses_or_with_unknown_outputs_is_refused(run: Run, tmp_path: Path) -> None:
    unknown = Run("t", {"op": object()})  # type: ignore[dict-item]
    wrong: list[dict[str, list[str]]] = [{"op": ["v(nowhere)"]}, {"op": []}, {"dc": ["i(nothing)"]}]
    bad = [unknown, Run("t", {}), *(Run("t", run.analyses, kept) for kept in wrong)]
    for each in bad:
        with pytest.raises(DataError):
            write_raw(each, tmp_path / "out.raw")
    assert list(tmp_path.iterdir()) == []


# -- writing never loses what was there

def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        with replacing(tmp_path / "out") as stream:
            stream.write(b"half")
            raise KeyboardInterrupt
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_bytes() == b"old"


def test_the_new_file_is_a_plain_one_in_a_folder_that_is_made(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        with replacing(tmp_path / "a" / "b" / "out") as stream:
            stream.write(b"new")
    finally:
        os.umask(mask)
    assert (tmp_path / "a" / "b" / "out").stat().st_mode & 0o777 == 0o640
    assert [p.name for p in (tmp_path / "a" / "b").iterdir()] == ["out"]


def test_links_modes_and_devices_survive(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.touch(0o604)
    link.symlink_to(target)
    with replacing(link) as stream:
        stream.write(b"new")
    assert link.is_symlink() and target.read_bytes() == b"new" and target.stat().st_mode & 0o777 == 0o604
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with replacing(pipe) as stream:
        stream.write(b"through")
    assert os.read(reader, 100) == b"through" and not pipe.is_file()
    os.close(reader)


# -- damaged rawfiles

@pytest.mark.parametrize(("old", "new", "message"), [
    (b"No. Points: 7", b"No. Points: 8", "bytes of data announced"),
    (b"No. Points: 7", b"No. Points: -7", "'no. points' is '-7'"),
    (b"No. Points: 7", b"No. Points: 999999999999", "bytes of data announced"),
    (b"No. Points: 7", b"No. Points: 0", "is '0'"),
    (b"No. Points: 7\n", b"", "'no. points' is None"),
    (b"No. Variables: 10", b"No. Variables: 11", "line of variable 10"),
    (b"No. Variables: 10", b"No. Variables: 99999999", "too many"),
    (b"Flags: real", b"Flags: complex", "complex plots"),
    (b"Binary:", b"Binarx:", "'Binary:' or 'Values:' was expected"),
    (b"\t3\tv(out)\tvoltage\n", b"\t3\tv(out)\n", "line of variable 3"),
    (b"Flags: real\n", b"Flags real\n", "a header line was expected"),
    (b"Flags: real\n", b"Flags: " + b"r" * 70000 + b"\n", "a line of more than"),
])
def test_damage_is_named(run: Run, tmp_path: Path, old: bytes, new: bytes, message: str) -> None:
    write_raw(Run("t", {"dc": run.analyses["dc"]}), tmp_path / "out.raw")
    data = (tmp_path / "out.raw").read_bytes()
    assert old in data
    (tmp_path / "out.raw").write_bytes(data.replace(old, new, 1))
    with pytest.raises(DataError, match=rf"out\.raw.*{message}"):
        read_raw(tmp_path / "out.raw")


@pytest.mark.parametrize(("old", "new", "message"), [
    ("\n 3\t", "\n 4\t", "point 3 .* expected, not '4'"), ("\n 3\t", "\n 3\tx", "'x"),
    ("\n 3\t", "\n 3\t1 ", "expected"),
    ("No. Points: 7", "No. Points: 8", "the file ends within point 7|bytes left"),
])
def test_damage_to_a_text_file_is_named(run: Run, tmp_path: Path, old: str, new: str, message: str) -> None:
    write_raw(Run("t", {"dc": run.analyses["dc"]}), tmp_path / "out.raw", binary=False)
    text = (tmp_path / "out.raw").read_text()
    (tmp_path / "out.raw").write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=message):
        read_raw(tmp_path / "out.raw")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), binary=st.booleans())
def test_any_damage_gives_plots_or_a_data_error(run: Run, tmp_path: Path, data: st.DataObject,
                                                binary: bool) -> None:
    path = tmp_path / "out.raw"
    write_raw(Run("t", {k: run.analyses[k] for k in ("op", "dc2")}), path, binary=binary)
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at:at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=3))
    path.write_bytes(raw)
    try:
        plots = read_raw(path)
    except DataError as error:
        assert str(path) in str(error)
    else:
        assert plots and all(p.data.shape[1] == len(p.variables) for p in plots)


def test_a_file_beyond_the_memory_or_no_file_is_refused(run: Run, tmp_path: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    write_raw(run, tmp_path / "out.raw")
    with pytest.raises(DataError, match="not a regular file"):
        read_raw(tmp_path)
    (tmp_path / "empty.raw").touch()
    with pytest.raises(DataError, match="empty"):
        read_raw(tmp_path / "empty.raw")
    monkeypatch.setattr(memory, "available", lambda: 1000)
    with pytest.raises(SizeError, match="rawfile"):
        read_raw(tmp_path / "out.raw")


# -- CSV

def test_tables_read_back_to_the_bit(run: Run, tmp_path: Path) -> None:
    files = write_csv(run, tmp_path / "new")
    assert sorted(files) == sorted((tmp_path / "new").iterdir())
    for name, analysis in run.analyses.items():
        head, *rows = csv.reader((tmp_path / "new" / f"{name}.csv").read_text().splitlines())
        kept = columns(analysis, run.outputs(name))
        if isinstance(analysis, OperatingPoint):
            assert head == ["name", "value", "unit"]
            assert [(r[0], float(r[1]), r[2]) for r in rows] == [(c.name, c.values[0], c.unit) for c in kept]
        else:
            assert head == [*analysis.axes, *(c.name for c in kept)]
            grid = np.meshgrid(*analysis.axes.values(), indexing="ij")
            expected = np.column_stack([*(g.ravel() for g in grid), *(c.values for c in kept)])
            np.testing.assert_array_equal(np.array(rows, dtype=float), expected)


def test_odd_names_stay_in_the_folder(tmp_path: Path) -> None:
    point = operating_point(network())
    files = write_csv(Run("t", {"../op": point, "a/b": point, "a%2Fb": point, "..": point}), tmp_path / "out")
    assert len(set(files)) == 4 and sorted(files) == sorted((tmp_path / "out").iterdir())


# -- listings

def test_a_listing_of_an_operating_point(run: Run) -> None:
    point = run.analyses["op"]
    text = listing(point, ["v(out)", "I(V1)", "v(in,out)"])
    found = re.findall(r"^(\S+) += +(\S+) (\S+)$", text, re.MULTILINE)
    assert [(n, u) for n, _, u in found] == [("v(out)", "V"), ("i(v1)", "A"), ("v(in,out)", "V")]
    assert [float(x) for _, x, _ in found] == pytest.approx([2 / 3, -1 / 3e3, 1 / 3], rel=1e-9)
    assert len(text.splitlines()) == 3


@pytest.mark.parametrize("name", ["dc", "dc2", "dc3", "dc4", "dc5"])
def test_a_listing_of_a_sweep_is_a_table(run: Run, name: str) -> None:
    sweep = run.analyses[name]
    assert isinstance(sweep, Sweep)
    head, units, *rows = (line.split() for line in listing(sweep, ["v(out)", "i(v1)"]).splitlines())
    assert head == [*sweep.axes, "v(out)", "i(v1)"]
    assert units == [{"v1": "[V]", "i1": "[A]", "r1": "[ohm]", "temp": "[degC]", "load": "[-]"}[a]
                     for a in sweep.axes] + ["[V]", "[A]"]
    expected = np.column_stack([sweep[n].ravel() for n in head])
    np.testing.assert_allclose(np.array(rows, dtype=float), expected, rtol=1e-9)
    with pytest.raises(DataError, match="nowhere"):
        listing(sweep, ["v(nowhere)"])
