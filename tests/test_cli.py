"""The command line: exit codes, what is written where, and no traceback whatever a deck holds.

Processes are started for every exit code and every option; the many bad inputs go through `main`, where an
exception that would be a traceback fails the test.
"""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from spicelib import RawRead

import crossbar as xb
from crossbar.cli import FORMATS, main

FOLDER = Path(__file__).parents[1] / "netlists"
DECKS = sorted(FOLDER.glob("*.cir"))
LARGE = ("array_1024x1024",)  # too large to be written out flat
GOOD = ("A good deck\nv1 a 0 2\nr1 a b 1k\nr2 b 0 3k\n.op\n.dc v1 0 2 1 r1 1k 3k 2k\n.print op v(b) i(v1)\n"
        ".print dc v(b)\n")
HALF = "t\n.param p=1\nv1 a 0 {p}\nb1 b 0 v={sqrt(v(a)+1)}\nr1 b 0 1\n%s.dc p 0 -4 -1\n"  # fails below -1 V


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.cir"
    path.write_text(GOOD)
    return path


def process(*command: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A command with the package that is tested importable, wherever it starts."""
    path = os.pathsep.join(filter(None,
                                  [str(Path(xb.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, timeout=120,
                          env=os.environ | {"PYTHONPATH": path})
    assert "Traceback" not in done.stderr
    return done


def crossbar(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return process(sys.executable, "-m", "crossbar", *arguments, cwd=cwd)


# --- one process for each exit code and option --------------------------------------------------------------


def test_version() -> None:
    done = crossbar("--version")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, f"crossbar {xb.__version__}", "")


@pytest.mark.parametrize("arguments",
                         [(), ("frobnicate",), ("run",), ("run", "deck.cir", "--frobnicate"), ("study",),
                          ("run", "deck.cir", "-r")])
def test_wrong_usage_is_3_and_shows_the_usage(arguments: tuple[str, ...],
                                              capfd: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 3
    out, err = capfd.readouterr()
    assert out == "" and err.startswith("usage: crossbar") and len(err.splitlines()) <= 6


def test_wrong_usage_in_a_process() -> None:
    done = crossbar("run")
    assert done.returncode == 3 and "usage:" in done.stderr and done.stdout == ""


def test_help_is_no_mistake(capfd: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["run", "--help"], ["export", "-h"]):
        assert main(arguments) == 0
        out, err = capfd.readouterr()
        assert out.startswith("usage:") and err == ""


def test_a_missing_deck_is_3(tmp_path: Path) -> None:
    done = crossbar("run", "no such deck.cir", cwd=tmp_path)
    assert done.returncode == 3
    assert "no such deck.cir" in done.stderr and "No such file" in done.stderr and done.stdout == ""


def test_mistakes_in_a_deck_are_2_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "bad.cir").write_text("title\nv1 a 0 1\nr1 a 0 {zz}\n.foo\nq1 a b c\n.print op v(q)\n"
                                      ".options relto=1\n")
    done = crossbar("run", "bad.cir", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert [int(n) for n in re.findall(r"^bad.cir:(\d+): ", done.stderr, re.MULTILINE)] == [3, 4, 5, 6, 7]
    assert "5 errors" in done.stderr


def test_no_solution_is_1(tmp_path: Path) -> None:
    (tmp_path / "bad.cir").write_text("title\nv1 a 0 1\nb1 b 0 v={v(b)+1}\nr1 b 0 1\n")
    done = crossbar("run", "bad.cir", cwd=tmp_path)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("crossbar: ")


def test_a_good_deck_is_0_and_prints_its_numbers(good: Path) -> None:
    done = crossbar("run", good)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("A good deck\n")
    values = dict(re.findall(r"^(\S+\(\S+\))\s+=\s+(\S+) [VA]$", done.stdout, re.MULTILINE))
    assert {k: float(v) for k, v in values.items()} == pytest.approx({"v(b)": 1.5, "i(v1)": -0.5e-3})
    table = [[float(x) for x in row.split()]
             for row in re.findall(r"^(?: +-?\d\.\d+e[+-]\d+){3}$", done.stdout, re.MULTILINE)]
    assert table == pytest.approx(np.array([(r, v, v * 3e3 / (3e3 + r)) for r in (1e3, 3e3)
                                            for v in (0, 1, 2)]))


def test_flags_of_ngspice_in_any_order(good: Path) -> None:
    done = crossbar("run", "-b", "-r", "out.raw", "-o", "out.log", "good.cir", cwd=good.parent)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (good.parent / "out.log").read_text().startswith("A good deck\n")
    raw = RawRead(str(good.parent / "out.raw"), dialect="ngspice", verbose=False)
    assert {name.lower() for name in raw.get_trace_names()} >= {"v(a)", "v(b)", "i(v1)"}
    assert [p.plotname for p in xb.read_raw(good.parent / "out.raw")] == ["Operating Point",
                                                                          "DC transfer characteristic"]


def test_a_large_source_makes_no_noise(tmp_path: Path) -> None:
    """Five volts are not out of range for anything."""
    (tmp_path / "five.cir").write_text("title\nv1 a 0 5\nr1 a 0 1k\ni1 0 a 3\n")
    assert crossbar("run", "five.cir", cwd=tmp_path).stderr == ""


def test_a_closed_pipe_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "long.cir").write_text("title\nv1 a 0 1\nr1 a 0 1\n.dc v1 0 1 0.0005\n")
    done = process("sh", "-c", '"$0" -m crossbar run long.cir | head -n 1', sys.executable, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("title\n", "")


def test_a_full_disk_is_3(good: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    done = process("sh", "-c", '"$0" -m crossbar run good.cir > /dev/full', sys.executable, cwd=good.parent)
    assert done.returncode == 3 and "No space" in done.stderr


# --- what is written ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["--binary", "--ascii"])
def test_rawfiles(flag: str, good: Path, tmp_path: Path) -> None:
    path = tmp_path / "folder/that/is/not/there/out.raw"
    assert main(["run", str(good), "-r", str(path), *[flag] * (flag == "--ascii")]) == 0
    assert (b"Values:" in path.read_bytes()) == (flag == "--ascii")
    run = xb.run(good)
    point, sweep = xb.read_raw(path)
    assert point["v(b)"] == run.op.v("b") and point["i(v1)"] == run.op.i("v1")
    assert np.array_equal(sweep["v(b)"], run.dc["v(b)"].ravel())


def test_json(good: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(good), "--json"]) == 0
    out, err = capfd.readouterr()
    data, run = json.loads(out, parse_constant=pytest.fail), xb.run(good)
    assert list(data) == ["op", "dc"] and err == ""
    assert data["op"]["outputs"] == {"v(b)": run.op.v("b"), "i(v1)": run.op.i("v1")}
    assert data["dc"]["axes"] == {"r1": [1e3, 3e3], "v1": [0, 1, 2]} and list(data["dc"]["axes"]) == ["r1",
                                                                                                      "v1"]
    assert data["dc"]["outputs"]["v(b)"] == run.dc["v(b)"].tolist()
    assert data["op"]["relative_residual"] <= 1e-9


def test_json_of_what_has_no_value(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What was finished before an error is still JSON: NaN, which JSON has not, becomes null."""
    (tmp_path / "d.cir").write_text(HALF % "")
    assert main(["run", str(tmp_path / "d.cir"), "--json"]) == 1
    data = json.loads(capfd.readouterr().out, parse_constant=pytest.fail)
    values, = (a["outputs"]["v(b)"] for a in data.values())
    assert values[0] == pytest.approx(1) and values[-1] is None


def test_csv(good: Path, tmp_path: Path) -> None:
    assert main(["run", str(good), "--csv", str(tmp_path / "a/b")]) == 0
    with (tmp_path / "a/b/op.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {r["name"]: float(r["value"]) for r in rows}["v(b)"] == pytest.approx(1.5)
    with (tmp_path / "a/b/dc.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(float(r["r1"]), float(r["v1"])) for r in rows] == [(r, v) for r in (1e3, 3e3) for v in (0, 1, 2)]
    assert [float(r["v(b)"])
            for r in rows] == pytest.approx([float(r["v1"]) * 3e3 / (3e3 + float(r["r1"])) for r in rows])


def test_log_takes_the_listing(good: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(good)]) == 0
    listing = capfd.readouterr().out
    assert main(["run", str(good), "-o", str(tmp_path / "log")]) == 0
    assert capfd.readouterr().out == "" and (tmp_path / "log").read_text() == listing


def test_warnings_go_to_stderr_with_their_place(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "d.cir"
    path.write_text("title\nv1 a 0 1\nr1 a b 0\nr2 b 0 3Mohm\n")
    for command in ("run", "check"):
        assert main([command, str(path)]) == 0
        out, err = capfd.readouterr()
        assert f"warning: {path}:3: " in err and f"warning: {path}:4: " in err
        assert "warning:" not in out


@pytest.mark.parametrize("path", DECKS, ids=lambda p: p.stem)
def test_shipped_decks_run_check_and_export(path: Path, tmp_path: Path,
                                            capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(path), "-r", str(tmp_path / "o.raw"), "--csv", str(tmp_path)]) == 0
    assert capfd.readouterr().err == ""
    assert main(["check", str(path)]) == 0
    out, err = capfd.readouterr()
    assert "no mistakes" in out and err == ""
    if path.stem not in LARGE:
        assert main(["export", str(path)]) == 0
        out, err = capfd.readouterr()
        assert out.endswith(".end\n") and err == ""


def test_a_deck_from_a_pipe() -> None:
    text = "title\nv1 a 0 2\nr1 a 0 1\n.print op i(r1)\n"
    done = process("sh", "-c", 'printf "%s" "$1" | "$0" -m crossbar run /dev/stdin', sys.executable, text)
    assert done.returncode == 0 and re.search(r"i\(r1\) += +2\.0+e\+00 A", done.stdout)


def test_check_solves_nothing_and_finds_what_run_would(tmp_path: Path,
                                                       capfd: pytest.CaptureFixture[str]) -> None:
    decks = {"r1 a 0 zz": 2, "i1 0 a 1": 1, "v1 a 0 1\nv2 a 0 2": 1, "v1 a 0 1\nr1 a 0 1\nf1 0 a r1 1": 2,
             "": 2}
    for body, code in decks.items():
        (tmp_path / "d.cir").write_text(f"title\n{body}\n")
        codes = [main([command, str(tmp_path / "d.cir")]) for command in ("check", "run")]
        assert codes == [code, code], body
        assert "no mistakes" not in capfd.readouterr().out


def test_a_run_that_fails_half_way_delivers_what_it_has(tmp_path: Path,
                                                        capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "d.cir").write_text(HALF % ".op\n")
    assert main(["run", str(tmp_path / "d.cir"), "-r", str(tmp_path / "o.raw")]) == 1
    out, err = capfd.readouterr()
    assert "p = -" in err and "v(b)" in out
    plots = xb.read_raw(tmp_path / "o.raw")
    assert plots[0]["v(b)"] == pytest.approx(np.sqrt(2)) and len(plots) == 2
    assert np.isnan(plots[1]["v(b)"][-1]) and plots[1]["v(b)"][0] == pytest.approx(1)


@pytest.mark.parametrize("option", ["-r", "-o", "--csv"])
def test_what_cannot_be_written_is_3(option: str, good: Path, tmp_path: Path,
                                     capfd: pytest.CaptureFixture[str]) -> None:
    target = tmp_path if option != "--csv" else good
    assert main(["run", str(good), option, str(target)]) == 3
    assert str(target) in capfd.readouterr().err


# --- devices ------------------------------------------------------------------------------------------------


def rows_of(out: str) -> dict[str, list[str]]:
    """The table of directions: name -> what stands in its columns."""
    lines = out.split("switching ")[1].splitlines()[1:]
    return {cells[0]: cells[1:] for cells in (re.split(r"  +", line) for line in lines)}


def si(text: str) -> float:
    """A printed quantity, back in SI units."""
    value, unit = text.split()
    scale = {"years": 365.25 * 86400, "days": 86400.0}.get(unit)
    return float(value) * (scale or (1.0 if len(unit) == 1 else 1e-3 if unit[0] == "m" else 1e-12 if unit[0] == "p" else 1e-6))


@pytest.mark.parametrize("name", ["mtj-60kT", "ut-50nm"])
def test_device_prints_what_the_physics_says(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    xb.mtj.table.load()
    p, leave = xb.mtj.presets[name], np.array([1, -1])
    assert main(["device", name]) == 0
    out, err = capfd.readouterr()
    assert err == "" and out.startswith(f"{name}\n") and xb.mtj.summary(p) in out
    rows = rows_of(out)
    assert [k.split(",")[0] for k in rows] == ["V_c0", "write V: WER 1e-6 in 10 ns", "disturb at V/2", "disturb at V/3",
                                               "retention"]
    v_c0, write, half, third, retention = rows.values()
    assert [si(x) for x in v_c0] == pytest.approx(p.v_c0(leave), rel=1e-3)
    volts = xb.mtj.pulse_amplitude(1 - 1e-6, 10e-9, p, leave)
    assert [si(x) for x in write] == pytest.approx(volts, rel=1e-3)
    assert xb.mtj.write_error_rate(-leave * volts, 10e-9, p, leave) == pytest.approx(1e-6, rel=1e-3)
    for share, cells in ((2, half), (3, third)):
        disturbed = xb.mtj.switching_probability(-leave * volts / share, 10e-9, p, leave)
        assert [float(x) for x in cells] == pytest.approx(disturbed, rel=0.06)
    assert [si(x) for x in retention] == pytest.approx([float(xb.mtj.retention_time(p, 1e-9))] * 2, rel=0.01)


def test_device_says_what_is_unknown(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["device", "daffodil"]) == 0
    out, err = capfd.readouterr()
    v_c0, *others = rows_of(out).values()
    assert err == "" and v_c0 == ["750 mV", "750 mV"]
    assert others == [["unknown: needs delta, tau_d"]] * 4


def test_the_temperature_of_a_device(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["device", "mtj-60kT", "--temperature", "350"]) == 0
    out = capfd.readouterr().out
    hot = xb.mtj.presets["mtj-60kT"].replace(temperature=350.0)
    assert xb.mtj.summary(hot) in out
    assert [si(x) for x in rows_of(out)["V_c0"]] == pytest.approx(hot.v_c0([1, -1]), rel=1e-3)
    assert main(["device", "mtj-60kT", "--temperature", "4"]) == 0  # Delta 4544, where no table reaches
    out, err = capfd.readouterr()
    rows = rows_of(out)
    assert err == "" and "Delta" in " ".join(rows["write V: WER 1e-6 in 10 ns"]) and "unlimited" in out
    assert rows["disturb at V/2, per 10 ns"] == ["none: as above"]


@pytest.mark.parametrize("name", ["mtj-60kT", "daffodil"])
def test_device_draws_what_it_knows(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    xb.mtj.table.load()
    assert main(["device", name, "--plot", str(tmp_path / "a/b")]) == 0
    drawn = {path.stem for path in (tmp_path / "a/b").iterdir() if path.read_bytes().startswith(b"\x89PNG")}
    err = capfd.readouterr().err
    assert set(re.findall(r"^drew .*/(\w+).png$", err, re.MULTILINE)) == drawn
    switching = {"error_width", "error_voltage", "disturb"}
    if name == "daffodil":
        assert drawn == {"resistance", "tmr"}
        assert re.findall(r"^left out (.*): switching needs delta.*give delta", err, re.MULTILINE) == [
            "error_width, error_voltage, disturb"]
    else:
        assert drawn == {"resistance", "tmr"} | switching and "left out" not in err


@pytest.mark.parametrize(("arguments", "words"), [
    (("mtj-60KT",), "invalid choice.*mtj-60kT.*ut-50nm.*daffodil"), ((), "PRESET"),
    (("daffodil", "--temperature", "-5"), "--temperature.*above"), (("daffodil", "--temperature", "0"), "--temperature"),
    (("daffodil", "--temperature", "nan"), "--temperature"), (("daffodil", "--temperature", "1e4"), "--temperature.*1350"),
    (("daffodil", "--temperature", "warm"), "--temperature.*warm"), (("daffodil", "--plot"), "--plot")])
def test_wrong_usage_of_device_is_3(arguments: tuple[str, ...], words: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["device", *arguments]) == 3
    out, err = capfd.readouterr()
    assert out == "" and re.search(words, err) and len(err.splitlines()) <= 4


def test_figures_have_the_formats_that_are_asked_for(good: Path, tmp_path: Path,
                                                     capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["device", "daffodil", "--plot", str(tmp_path / "device"), "--format", "svg,pdf"]) == 0
    assert main(["run", str(good), "--plot", str(tmp_path / "run"), "--format", "SVG"]) == 0
    assert main(["device", "daffodil", "--plot", str(tmp_path / "usual")]) == 0
    device = {path.name for path in (tmp_path / "device").iterdir()}
    assert device == {"resistance.svg", "resistance.pdf", "tmr.svg", "tmr.pdf"}
    assert {path.suffix for path in (tmp_path / "run").iterdir()} == {".svg"}
    assert {path.suffix for path in (tmp_path / "usual").iterdir()} == {".png"}
    capfd.readouterr()


@pytest.mark.parametrize("options", [("--plot", "x", "--format", "gif"), ("--plot", "x", "--format", "png,"),
                                     ("--format", "png")])
@pytest.mark.parametrize("command", ["run", "write", "device"])
def test_a_wrong_format_is_3(command: str, options: tuple[str, ...], good: Path, tmp_path: Path,
                             monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    subject = "daffodil" if command == "device" else str(good)
    assert main([command, subject, *options]) == 3
    out, err = capfd.readouterr()
    assert out == "" and ("png, svg, pdf" in err or "--plot DIR" in err)
    assert not (tmp_path / "x").exists()


def test_the_formats_of_the_command_line_are_those_of_plots() -> None:
    assert FORMATS == xb.plots.FORMATS


def test_a_device_in_a_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Alone, and as changes of a preset; the same as MTJParams of those values."""
    file = tmp_path / "junction.toml"
    for text, p in (("diameter = 40e-9\nv_h = inf\n", xb.MTJParams(diameter=40e-9, v_h=np.inf)),
                    ('preset = "ut-50nm"\nk_i = 1.05e-3\n', xb.mtj.presets["ut-50nm"].replace(k_i=1.05e-3)),
                    ('preset = "daffodil"\nr_p = 5000\ndelta = 45\ntau_d = 1e-9', xb.mtj.presets["daffodil"].replace(
                        r_p=5000.0, delta=45.0, tau_d=1e-9))):
        file.write_text(text)
        assert main(["device", str(file)]) == 0
        out, err = capfd.readouterr()
        assert err == "" and out.startswith(f"{file}\n") and xb.mtj.summary(p) in out
        assert [si(x) for x in rows_of(out)["V_c0"]] == pytest.approx(p.v_c0([1, -1]), rel=1e-3)


def test_a_device_of_which_one_direction_is_known(tmp_path: Path, capfd: pytest.CaptureFixture[str],
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    """The row of the other says what it lacks."""
    known = xb.MTJParams(r_p=5e3, v_c0_p=0.5, delta=45.0, tau_d=1e-9, thickness=None, k_i=None, m_s=None, alpha=None)
    monkeypatch.setattr("crossbar.mtj.read_parameters", lambda path: known)
    assert main(["device", str(tmp_path)]) == 0
    rows = rows_of(capfd.readouterr().out)
    assert rows["V_c0"] == ["500 mV", "unknown: needs i_c0_ap"]
    volts = float(xb.mtj.pulse_amplitude(1 - 1e-6, 10e-9, known, 1))
    write = rows["write V: WER 1e-6 in 10 ns"]
    assert si(write[0]) == pytest.approx(volts, rel=1e-3) and write[1] == "unknown: needs i_c0_ap"


@pytest.mark.parametrize(("text", "words"), [
    ("diametr = 4e-8", "diametr is no parameter.*diameter is"), ("diameter = -1", "diameter.*positive"),
    ('diameter = "wide"', "diameter must be a number"), ("tmr = true", "tmr must be a number"),
    ("[a]\nb = 1", "a is no parameter"), ('preset = "mtj-60KT"', "preset = .*mtj-60kT"), ("preset = 3", "preset = 3"),
    ("r_p 5", "not TOML"), ("r_p = nan", "r_p.*finite"),
    ("r_p = [1, [2, 3]]", "r_p.*regular"), ("r_p = 1" + 400 * "0", "r_p"), ("delta = []", "delta is empty"),
    ("v_c0_p = 0.4\ni_c0_p = 1e-5", "i_c0_p"), ("tmr = [1.0, 1.2]", "one junction|single")])
def test_a_wrong_file_of_a_device_is_2(text: str, words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "junction.toml"
    file.write_text(text)
    assert main(["device", str(file)]) == 2
    out, err = capfd.readouterr()
    assert out == "" and str(file) in err and re.search(words, err) and len(err.splitlines()) == 1


def test_what_is_no_file_of_a_device(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\x00")
    os.mkfifo(tmp_path / "pipe.toml")
    for path in (tmp_path, binary, tmp_path / "pipe.toml"):
        assert main(["device", str(path)]) == 2
        assert str(path) in capfd.readouterr().err


def test_a_folder_for_figures_that_cannot_be_made_is_3(good: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["device", "daffodil", "--plot", str(good)]) == 3
    assert str(good) in capfd.readouterr().err


def test_device_in_a_process(tmp_path: Path) -> None:
    done = crossbar("device", "daffodil", "--plot", "figures", cwd=tmp_path)
    assert done.returncode == 0 and "unknown: needs delta" in done.stdout and "left out" in done.stderr
    assert "Warning" not in done.stderr and len(list((tmp_path / "figures").glob("*.png"))) == 2


# --- bad input ----------------------------------------------------------------------------------------------

ARRAY = "v1 w 0 1\nv2 b 0 0\n.model c mtj\n.model g xbar (rows=2 cols=2 mtj=c)\n"
RC = "v1 a 0 1\nr1 a 0 1\n"
BAD: dict[str, tuple[int, str | bytes, str]] = {  # exit code, deck (text: below a title), words on stderr
    "empty": (2, b"", "element|empty"), "title only": (2, b"title\n", "element|empty"),
    "binary": (2, b"t\n\0\1\2", "no text"),
    "elf": (2, b"\x7fELF\x02\x01\x00\x00", "no text"),
    "utf-16": (2, "title\nr1 a 0 1\n".encode("utf-16"), "no text"),
    "latin-1": (2, "t\nr1 a 0 1 ; \u00e9t\u00e9".encode("latin-1"), "no text.*UTF-8"),
    "unknown element": (2, "z1 a 0 1", ":2: unknown element 'z1'"),
    "unknown model": (2, RC + "ymtj j a 0 m", ":4: .*no model"),
    "nodes": (2, RC + "r2 a 0 b 1", ":4: r2"), "parameter": (2, RC + "r2 a 0 {p}", ":4: .*'p'"),
    "division": (2, RC + "r2 a 0 {1/0}", ":4: 1 / 0"),
    "include": (2, RC + ".include deck.cir", ":4: .*itself"),
    "missing include": (2, RC + ".include nothing.inc", ":4: cannot include .*nothing.inc.*No such file"),
    "subckt": (2, RC + ".subckt s p\nx1 p s\n.ends\nx1 a s", ":5: .*itself"),
    "names": (2, RC + "R1 a 0 2", ":4: .*named r1"),
    "negative": (2, RC + "r2 a 0 -1", ":4: r2"), "nan": (2, RC + "r2 a 0 nan", ":4: .*nan"),
    "negative conductance": (2, ARRAY + "yxbar x w b g g=neg.csv", ":6: .*neg.csv:2.*at least 0"),
    "nan conductance": (2, ARRAY + "yxbar x w b g g=nan.csv", ":6: .*nan.csv:1.*nan"),
    "nan state": (2, ARRAY + "yxbar x w b g state=nan.csv", ":6: .*nan.csv:1"),
    "shape": (2, ARRAY + "yxbar x w b g state=shape.csv", r":6: .*\(2, 3\).*\(2, 2\)"),
    "pickle": (2, ARRAY + "yxbar x w b g state=pickle.npy", ":6: .*pickled"),
    "size": (2, ARRAY + ".model h xbar (rows=1e6 cols=1e6 mtj=c)\nyxbar x w b h", "x.*GiB.*available"),
    "size beyond all": (2, ARRAY + ".model h xbar (rows=1e300 cols=1e300 mtj=c)\nyxbar x w b h",
                        "x.*available"),
    "floating": (1, ARRAY + "yxbar x f[0:1] h g state=P", r"path to ground.*f\[0\], f\[1\].*"),
    "loop": (1, RC + "v2 a 0 2", "loop of voltage sources.*v1.*v2"),
    "no solution": (1, RC + "b1 b 0 v={v(b)+1}\nr2 b 0 1", ""),
    "no finite value": (1, RC + "b1 b 0 v={sqrt(-1-v(a))}\nr2 b 0 1", "b1.*sqrt"),
    "circle": (2, RC + ".param p={q} q={p}", ":4: .*circle"),
    "deep": (2, RC + ".param p={" + "(" * 9999 + "1" + ")" * 9999 + "}", ":4: .*deep"),
    "long line": (2, RC + "r2 a 0 {" + "1+" * 500_000 + "1}", ":4: .*long"),
    "bus": (2, RC + "r[0:1] a[0:2] 0 1", ":4: .*2 bits.*3"),
    "gigantic bus": (2, RC + "r[0:999999999] a 0 1", ":4: .*bits"),
    "gigantic output": (2, RC + ".print op v(a[0:999999999])", ":4: .*bits"),
    "zero step": (2, RC + ".dc v1 0 1 0", ":4: .*steps"),
    "wrong sign": (2, RC + ".dc v1 0 1 -1", ":4: .*steps"),
    "points": (2, RC + ".dc v1 0 1 1e-12", ":4: .*points"),
    "tiny step": (2, RC + ".dc v1 0 1 1e-320", ":4: .*points"),
    "option": (2, RC + ".options foo=1", ":4: .*foo"),
    "no iterations": (2, RC + ".options itl1=0", ":4: .*itl1"),
    "output": (2, RC + ".print op v(q)", ":4: .*'q'"), "no value": (2, RC + ".param p", ":4: .*p"),
    "unclosed": (2, RC + "r2 a 0 {1", ":4: '.' is never closed"),
    "quote": (2, RC + "r2 a 0 '1", ":4: .* is never closed"),
    "plus": (2, "+ r1 a 0 1", ":2: .*continues nothing"), "ends": (2, RC + ".ends", ":4: .*without .subckt"),
    "subckt without ends": (2, RC + ".subckt s p", ":4: .*never ended"),
    "name=": (2, RC + "r2 a 0 r=", ":4: r = has no value"),
    "twice": (2, RC + "r2 a 0 r=1 r=2", ":4: r is given twice"), "assignment": (2, RC + "r = 5", ":4: "),
    "func": (2, RC + ".func", ":4: "),
    "huge temperature": (2, RC + "r2 a 0 1 tc2=1\n.temp 1e200", "r2|temp"),
    "seed": (2, ARRAY + "yxbar x w b g state=random\n.options seed=-1", "seed")}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("command", ["run", "check", "export"])
def test_bad_input(name: str, command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, deck, words = BAD[name]
    path = tmp_path / "deck.cir"
    path.write_bytes(deck if isinstance(deck, bytes) else b"title\n" + deck.encode())
    (tmp_path / "neg.csv").write_text("1e-3,1e-3\n1e-3,-1e-3\n")
    (tmp_path / "nan.csv").write_text("1,nan\n1,1\n")
    (tmp_path / "shape.csv").write_text("0,1,1\n1,0,0\n")
    np.save(tmp_path / "pickle.npy", np.array([[1, None], ["x", 2.0]], dtype=object), allow_pickle=True)
    got = main([command, str(path)])
    out, err = capfd.readouterr()
    if code == 1 and command != "run" and not (command == "check" and name in ("floating", "loop")):
        assert (got, err) == (0, "")  # nothing is solved, and export does not look at the topology
        return
    assert got == code, err
    assert out == "" and err.startswith("crossbar: ") and "Traceback" not in err
    assert re.search(words, err, re.DOTALL), err
    assert max(map(len, err.splitlines())) < 2000


@pytest.mark.parametrize("command", ["run", "check", "export"])
def test_a_folder_is_no_deck(command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([command, str(tmp_path)]) in (2, 3)
    out, err = capfd.readouterr()
    assert out == "" and str(tmp_path) in err


def test_an_endless_device_is_no_deck() -> None:
    """Read without a limit it would fill the memory; here it has four gigabytes."""
    done = process("sh", "-c", 'ulimit -v 4000000; "$0" -m crossbar run /dev/zero', sys.executable)
    assert done.returncode in (2, 3) and "/dev/zero" in done.stderr
