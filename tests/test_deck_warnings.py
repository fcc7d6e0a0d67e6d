"""What a deck's author should look at: said once, with file and line, in run.warnings and on stderr; the results stand."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import crossbar as xb
from crossbar.cli import main

GRID = (".model c mtj (rp=1k tmr=1)", ".model g xbar (rows=1 cols=2 mtj=c)", "v1 a 0 1", "r1 a b 1k", "r2 b 0 1k")
FIRST = 7  # line of what stands below a title and GRID


def warnings(*lines: str, title: str = "title") -> list[str]:
    """Warnings of a deck of these lines below GRID, without their file."""
    deck = xb.parse_netlist("\n".join([title, *GRID, *lines]))
    return [w.removeprefix("<string>:") for w in deck.warnings]


@pytest.mark.parametrize("name, value", [("gmin", "1e-9"), ("itl2", "3"), ("itl4", "3"), ("trtol", "1"), ("method", "gear"),
                                         ("maxord", "2"), ("solver", "klu")])
def test_options_without_effect_say_so(name: str, value: str) -> None:
    assert warnings(f".options reltol=1e-4 {name}={value}") == [f"{FIRST}: option {name} has no effect yet"]


def test_options_of_a_listing_are_taken() -> None:
    told = warnings(".options noacct list node numdgt=7")
    assert [w.split(" has")[0] for w in told] == [f"{FIRST}: option {n}" for n in ("noacct", "list", "node", "numdgt")]
    with pytest.raises(xb.NetlistError, match="reltol needs a value"):
        warnings(".options noacct reltol")


@pytest.mark.parametrize("line, says", [
    ("r3 b 0 1k w=1u", "w= of r3 has no effect"), ("r3 b 0 r=1k l=1u", "l= of r3 has no effect"),
    ("r3 b 0 1k ac=2k", "ac= of r3 has no effect"), ("r3 b 0 1k noisy=0", "noisy= of r3 has no effect"),
    ("ymtj m1 b 0 c", "m1 has no state=: it is parallel"),
    ("ymtj m1 b 0 c state=ap delta=40 vc0=0.3", "delta, vc0 have no effect yet on YMTJ"),
    ("yxbar x1 a 0 g", "x1 has no state=: all junctions are parallel"),
    (".print tran v(b)", ".print tran has no effect: the deck has no .tran"),
    (".print dc v(b)", ".print dc has no effect: the deck has no .dc"),
    (".end\n* fine\nr3 b 0 1k", "nothing below .end is read")])
def test_what_has_no_effect_or_is_assumed_is_said(line: str, says: str) -> None:
    warning, = warnings(line)
    place, text = warning.split(": ", 1)
    assert text.startswith(says) and int(place) == FIRST + line.count("\n")


def test_models_of_junctions_that_never_switch() -> None:
    told = warnings("ymtj m1 b 0 d state=p", "ymtj m2 b 0 d state=ap", ".model d mtj (rp=1k alpha=0.01 delta=40)")
    assert told == [f"{FIRST + 2}: alpha, delta have no effect yet on YMTJ elements: they keep their state"]


def test_a_model_of_junctions_beside_a_file_of_conductances(tmp_path: Path) -> None:
    (tmp_path / "g.csv").write_text("1e-3,2e-3\n")
    text = "\n".join(["title", *GRID, "yxbar x1 a 0 g g=g.csv"])
    warning, = xb.parse_netlist(text, path=str(tmp_path / "d.cir")).warnings
    assert warning.startswith(f"{tmp_path / 'd.cir'}:{FIRST}: mtj= of model g has no effect on x1")


def test_amplitudes_that_are_overruled() -> None:
    write = ".write x1 target=ap amplitude=1 amplitude_p=0.5 amplitude_ap=0.6 width=1n seed=1"
    warning, = warnings("yxbar x1 a 0 g state=p", write)
    assert "amplitude has no effect beside amplitude_p and amplitude_ap" in warning


def test_pulses_of_seconds() -> None:
    warning, = warnings("yxbar x1 a 0 g state=p", ".write x1 target=ap amplitude=1 width=10 seed=1")
    assert warning.startswith(f"{FIRST + 1}: .write x1: a pulse of 10 s")


@pytest.mark.parametrize("title", ["R3 b 0 1k", "V2 c b DC 1", "vq[0:1] b 0 1", "x7 a b amplifier", ".param p=1", ".op",
                                   ".include models.inc", "YMTJ m1 a b c state=AP", "B1 a 0 v={v(b)}", "c1 b 0 1p",
                                   "M1 a b 0 0 nm"])
def test_a_title_that_reads_like_a_card(title: str) -> None:
    warning, = warnings(title=title)
    assert warning.startswith("1: the first line is the title, so ")


@pytest.mark.parametrize("title", ["", "A divider", "Resistive divider with a parameter", "Read of a 1024 x 1024 array",
                                   "* R3 b 0 1k",
                                   "R3", "Resistor test circuit 1", "Voltage in b", "Figure 3", "a b c d e", ". op", "1k"])
def test_titles(title: str) -> None:
    assert warnings(title=title) == []


def test_a_swallowed_element_is_told_with_the_mistakes_that_come_of_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "d.cir"
    path.write_text("V1 a 0 1\nR1 a 0 1k\n.dc V1 0 1 0.1\n")
    assert main(["run", str(path)]) == 2
    error = capfd.readouterr().err
    assert f"warning: {path}:1: the first line is the title" in error and f"{path}:3: there is no element 'v1'" in error


def test_warnings_reach_the_run_and_the_screen_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "d.cir"
    lines = ["title", ".model c mtj (preset=mtj-60kT)", *GRID[1:], ".options gmin=1", "yxbar x1 a 0 g", ".op",
             ".write x1 target=p amplitude=0.1 width=10 seed=1"]
    path.write_text("\n".join(lines))
    run = xb.run(path)
    assert [int(w.split(":")[1]) for w in run.warnings] == [7, 8, 10]
    for command in ("run", "check", "write"):
        assert main([command, str(path)]) == 0
        assert [line for line in capfd.readouterr().err.splitlines() if "warning" in line.lower()] == [
            f"warning: {w}" for w in run.warnings]


def test_many_warnings_are_counted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "d.cir"
    path.write_text("\n".join(["title", "v1 a 0 1", *(f"r{k} a b{k} 0" for k in range(100))]))
    assert main(["check", str(path)]) == 0
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 21 and lines[-1] == "warning: ... and 80 more warnings"


LANGUAGES = "Brücke → 电阻\nv1 é 0 1\nr1 é 0 1k\nyxbar x1 é 0 g state=Å.csv\n.model c mtj\n.model g xbar (rows=1 cols=1 mtj=c)\n" \
            ".include 'ß.inc'\n.op\n.dc v1 0 1 1\n.print v(é)\n.options gmin=1\n"


@pytest.fixture(params=["C", "C.UTF-8"])
def locale(request: pytest.FixtureRequest) -> dict[str, str]:
    """Environment of a locale that knows ASCII only, and of one that knows everything."""
    path = {"PYTHONPATH": str(Path(xb.__file__).parents[1])}
    return os.environ | path | {"LC_ALL": request.param, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_titles_nodes_and_files_in_any_language(locale: dict[str, str], tmp_path: Path) -> None:
    """Nothing that is written fails; files are UTF-8 whatever the locale, and hold the names as they are."""
    (tmp_path / "dück.cir").write_text(LANGUAGES, encoding="utf-8")
    (tmp_path / "Å.csv").write_text("1\n")
    (tmp_path / "ß.inc").write_text("r2 é 0 1k\n", encoding="utf-8")
    everything = ["run", "--csv", "tables", "-r", "o.raw", "-o", "log.txt", "dück.cir"]
    for arguments in (["run", "dück.cir"], ["run", "--json", "dück.cir"], ["check", "dück.cir"], ["export", "dück.cir"],
                      everything):
        done = subprocess.run([sys.executable, "-m", "crossbar", *arguments], cwd=tmp_path, env=locale, capture_output=True,
                              timeout=60)
        assert done.returncode == 0 and b"gmin has no effect" in done.stderr, done.stderr
    assert (tmp_path / "log.txt").read_text(encoding="utf-8").startswith("Brücke → 电阻\n")
    assert xb.read_raw(tmp_path / "o.raw")[0]["v(é)"] == 1
    assert "v(é)" in (tmp_path / "tables/op.csv").read_text(encoding="utf-8")
    (tmp_path / "dück.cir").write_text(LANGUAGES + "r1 ü 0 zzü\n", encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", "crossbar", "run", "dück.cir"], cwd=tmp_path, env=locale, capture_output=True,
                          timeout=60)
    assert done.returncode == 2 and b"cir:12: two elements are named r1" in done.stderr


def test_shipped_decks_have_no_warnings() -> None:
    for path in (Path(__file__).parents[1] / "netlists").glob("*.cir"):
        if path.stem != "array_1024x1024":
            assert xb.read_netlist(path).warnings == (), path


# --- decks that other programs extract ---------------------------------------------------------------------------------------

EXTRACTED = r"""extracted
V1 \wl[0\] 0 DC 1
R1 \wl[0\] net$3 1k
R2 net$3 a_94904_123356# 1k $[rmod] $SUB=GND
R3 a_94904_123356# vdd! 1k w=1u l=2u
R4 vdd! wl<0> 1k // a comment
R5 wl<0> x1/n2 1k,$ another
R6 x1/n2 n:3 1k $x
R7 n:3 n|4 1k
R8 n|4 n~5 1k
R9 n~5 n@6 1k
R10 n@6 n-7 1k
R11 n-7 n%9&1.2^3 1k
R12 n%9&1.2^3 0 1k
.op
"""


def test_names_and_comments_of_extracted_netlists() -> None:
    """Twelve resistors in a row: the voltages are twelfths. Expected: Ohm's law."""
    run = xb.run(xb.parse_netlist(EXTRACTED + r".print op v(\wl[0\]) v(net$3) v(a_94904_123356#,vdd!)" + "\n"))
    nodes = [r"\wl[0\]", "net$3", "a_94904_123356#", "vdd!", "wl<0>", "x1/n2", "n:3", "n|4", "n~5", "n@6", "n-7", "n%9&1.2^3"]
    for k, node in enumerate(nodes):
        assert run.op.v(node) == pytest.approx(1 - k / 12, rel=1e-9)
    assert [run.op[o] for o in run.printed("op")] == pytest.approx([1, 11 / 12, 1 / 12])
    assert len(run.warnings) == 2 and all(":5: " in w for w in run.warnings), "w= and l="


@pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")
def test_ngspice_takes_extracted_netlists_for_the_same(tmp_path: Path) -> None:
    (tmp_path / "d.cir").write_text(EXTRACTED + ".end\n")
    subprocess.run(["ngspice", "-b", "-r", "d.raw", "d.cir"], cwd=tmp_path, capture_output=True, timeout=60)
    plot, = xb.read_raw(tmp_path / "d.raw")
    point = xb.run(tmp_path / "d.cir").op
    for name, value in zip(plot.variables, plot.data[0], strict=True):
        if name.startswith("v("):
            assert point[name] == pytest.approx(value, rel=1e-6), name


def test_probes_of_such_names_in_expressions() -> None:
    deck = xb.parse_netlist(EXTRACTED + r"B1 c 0 v = v(net$3) + v(\wl[0\], wl<0>) + v(x1/n2)" + "\nR99 c 0 1k\n")
    assert xb.operating_point(deck.circuit).v("c") == pytest.approx(11 / 12 + 4 / 12 + 7 / 12)


def test_a_control_block_is_one_mistake() -> None:
    text = "title\nv1 a 0 1\nr1 a 0 1\n.control\nrun\nlet x = (a\nplot 'v(a)\nop\n.endc\n.foo\n"
    with pytest.raises(xb.NetlistError) as caught:
        xb.parse_netlist(text)
    assert [p.line for p in caught.value.problems] == [4, 10]
    assert "control" in caught.value.problems[0].text


# --- outputs -----------------------------------------------------------------------------------------------------------------

ARRAY = ["title", "v[0:3] w[0:3] 0 0.1", "vb[0:3] b[0:3] 0 0", ".model c mtj (rp=1k tmr=1)",
         ".model g xbar (rows=4 cols=4 mtj=c)", "yxbar x1 w[0:3] b[0:3] g state=P"]
USUAL = [f"{kind}({name}[{k}])" for kind, names in (("v", "wb"), ("i", ("v", "vb"))) for name in names for k in range(4)]


def run_array(*lines: str) -> xb.Run:
    return xb.run(xb.parse_netlist("\n".join([*ARRAY, *lines])))


def test_save_all_keeps_all(tmp_path: Path) -> None:
    run = run_array(".op", ".dc v[0] 0 1 1", ".save all i(x1[1,2])", ".print dc i(x1[0,0]) state(x1[0,0])")
    assert run.outputs("op") == [*USUAL, "i(x1[1,2])"]
    assert run.outputs("dc") == [*USUAL, "i(x1[1,2])", "i(x1[0,0])", "state(x1[0,0])"]
    xb.write_raw(run, tmp_path / "o.raw")
    point, sweep = xb.read_raw(tmp_path / "o.raw")
    assert point.variables == (*USUAL, "i(x1[1,2])")
    assert sweep.variables[1:] == (*USUAL, "i(x1[1,2])", "i(x1[0,0])", "state(x1[0,0])")
    assert point["i(x1[1,2])"] == pytest.approx(1e-4) and sweep["i(x1[0,0])"] == pytest.approx([0, 1e-3])


def test_save_alone_keeps_what_it_names_and_what_is_printed(tmp_path: Path) -> None:
    run = run_array(".op", ".save v(w[0])", ".print op i(x1[0,0])")
    assert run.outputs("op") == ["v(w[0])", "i(x1[0,0])"]
    xb.write_csv(run, tmp_path)
    assert [line.split(",")[0] for line in (tmp_path / "op.csv").read_text().splitlines()] == ["name", "v(w[0])", '"i(x1[0']


def test_print_all_prints_all() -> None:
    assert run_array(".op", ".print op all i(x1[0,0])").printed("op") == [*USUAL, "i(x1[0,0])"]


def test_buses_inside_arrays() -> None:
    run = run_array(".op", ".print op i(x1[1,0:3]) i(x1[2:1,0:1]) v(x1.wl[0:1,3]) v(w[0:1],b[1:0])")
    assert run.printed("op") == ["i(x1[1,0])", "i(x1[1,1])", "i(x1[1,2])", "i(x1[1,3])", "i(x1[2,0])", "i(x1[2,1])", "i(x1[1,0])",
                                 "i(x1[1,1])", "v(x1.wl[0,3])", "v(x1.wl[1,3])", "v(w[0],b[1])", "v(w[1],b[0])"]


@pytest.mark.parametrize("output, says", [
    ("i(x1[4,4])", r"x1 has 4 x 4 such cells, x1\[0,0\] to \[3,3\]"), ("i(x1[0,4:5])", r"x1 has 4 x 4"),
    ("i(x1)", r"its cells x1\[i,j\], i = 0 ... 3, j = 0 ... 3"), ("state(x1)", r"its cells x1\[i,j\]"),
    ("v(x1.wl[4,0])", "x1 has 4 x 4 nodes a plane"), ("v(x1)", r"there are x1.wl\[i,j\] and x1.bl\[i,j\]"),
    ("i(x1.rwl[0,9])", r"4 x 5 such segments, x1.rwl\[0,0\] to \[3,4\]"), ("i(x1[" + "9" * 5000 + ",0])", "wire segments")])
def test_what_may_be_asked_of_an_array(output: str, says: str) -> None:
    with pytest.raises(xb.NetlistError, match=says):
        run_array(".op", f".print op {output}")


def test_cells_that_carry_nothing_are_said_to_be_open(tmp_path: Path) -> None:
    (tmp_path / "g.csv").write_text("0,1e-3\n")
    text = "title\nv1 a 0 1\n.model g xbar (rows=1 cols=2)\nyxbar x1 a 0 g g=g.csv\n.print op i(x1[0,0])\n"
    with pytest.raises(xb.NetlistError, match="it is open"):
        xb.parse_netlist(text, path=str(tmp_path / "d.cir"))


# --- summaries ---------------------------------------------------------------------------------------------------------------


def test_a_run_is_summed_up_in_four_lines() -> None:
    run = run_array(".op", ".op", ".dc v[0] 0 1 0.5 v[1] 0 1 1", ".options gmin=1e-9")
    assert repr(run).splitlines() == ["run of 'title' (<string>)", "  analyses: op1 (newton), op2 (newton), dc (2 x 3 points)",
                                      "  writes: none", "  warnings: 1"]
    for thing in (run, run.deck, run.dc, run.analyses["op1"]):
        assert len(repr(thing)) < 400
        assert "title" in repr(thing)
    assert "8 named nodes" in repr(run.deck) and "x1 4 x 4" in repr(run.deck)
    assert "v[1] 2 points 0 to 1, v[0] 3 points 0 to 1" in repr(run.dc)
