"""Decks and files made to keep a reader busy: refused by their kind, their length, or a count that is known before."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import crossbar as xb
from crossbar.netlist.census import flat_count
from crossbar.netlist.sources import MAX_LINE

GRID = (".model c mtj", ".model g xbar (rows=1 cols=1 mtj=c)", "v1 a 0 1")


def parse(*lines: str, path: str = "<string>") -> xb.Deck:
    return xb.parse_netlist("\n".join(["title", *lines]), path=path)


@pytest.fixture(autouse=True)
def soon() -> Iterator[None]:
    """Everything here takes a fraction of a second; a reader that is kept busy takes minutes."""
    begin = time.perf_counter()
    yield
    assert time.perf_counter() - begin < 10


@pytest.fixture(params=["pipe", "socket", "zero", "folder"])
def no_file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """What can be opened or named but is no regular file."""
    path = tmp_path / "x.csv"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "folder":
        path.mkdir()
    elif request.param == "zero":
        path.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            yield path
        return
    yield path


def test_only_regular_files_are_read(no_file: Path, tmp_path: Path) -> None:
    """As deck, .include, states, conductances, target, matrix and rawfile."""
    with pytest.raises((xb.DataError, IsADirectoryError)):
        xb.read_netlist(no_file)
    deck = str(tmp_path / "deck.cir")
    cards = [".include x.csv", "yxbar x a 0 g state=x.csv", "yxbar x a 0 g g=x.csv", "yxbar x a 0 g r=x.csv"]
    for card in cards:
        with pytest.raises(xb.NetlistError, match=":5: .*x.csv is not a regular file: it is a "):
            parse(*GRID, card, path=deck)
    with pytest.raises(xb.NetlistError, match=":6: .*x.csv is not a regular file: it is a "):
        parse(*GRID, "yxbar x a 0 g state=P", ".write x target=x.csv amplitude=1 width=1n seed=1", path=deck)
    readers: list[Callable[[Path], object]] = [xb.read_matrix, xb.read_states, xb.read_raw]
    for read in readers:
        with pytest.raises(xb.DataError, match="is not a regular file: it is a "):
            read(no_file)


@pytest.mark.parametrize("command", [["run"], ["check"], ["export"], ["write"], ["study", "wine", "--solutions"]])
def test_a_pipe_on_the_command_line_does_not_block(command: list[str], tmp_path: Path,
                                                   capfd: pytest.CaptureFixture[str]) -> None:
    from crossbar.cli import main
    os.mkfifo(tmp_path / "pipe")
    assert main([*command, str(tmp_path / "pipe")]) == 2
    assert "is not a regular file: it is a pipe" in capfd.readouterr().err


def test_a_pipe_that_the_shell_hands_over_is_read() -> None:
    code = "import crossbar as xb; print(xb.read_netlist('/dev/stdin').title)"
    environment = os.environ | {"PYTHONPATH": str(Path(xb.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], input="Through a pipe\nv1 a 0 1\nr1 a 0 1\n", capture_output=True,
                          text=True, env=environment, timeout=60)
    assert done.stdout == "Through a pipe\n"


def test_files_of_unknown_size_are_read() -> None:
    """A file of /proc says that it has 0 bytes; the first line of this one is the title."""
    with pytest.raises(xb.NetlistError, match="/proc/self/status:2: "):
        xb.read_netlist("/proc/self/status")


def test_fan_out_of_includes_is_counted_before_it_is_read(tmp_path: Path) -> None:
    """8^12 lines in 13 files of eight lines; a tenth of a million lines from six of them is a deck."""
    for k in range(13):
        (tmp_path / f"{k}.inc").write_text(f".include {k + 1}.inc\n" * 8)
    (tmp_path / "13.inc").write_text(".param p=1\n")
    with pytest.raises(xb.SizeError, match="6.87e.10 lines") as caught:
        parse(".include 1.inc", *GRID, path=str(tmp_path / "deck.cir"))
    assert caught.value.estimate == 8 ** 12 + 3 and caught.value.limit == 1e7
    (tmp_path / "13.inc").write_text("* nothing\n")
    assert parse(".include 1.inc", "v1 a 0 1", "r1 a 0 1", path=str(tmp_path / "deck.cir")).circuit.nodes == ("0", "a")


def test_a_file_included_twice_means_the_same_twice(tmp_path: Path) -> None:
    """Read once; what it includes is looked for beside it, also through a link from another folder."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a/part.inc").write_text(".include value.inc\n")
    (tmp_path / "b/part.inc").symlink_to(tmp_path / "a/part.inc")
    (tmp_path / "a/value.inc").write_text("r1 a 0 1k\n")
    (tmp_path / "b/value.inc").write_text("r2 a 0 2k\n")
    deck = parse("v1 a 0 1", ".include a/part.inc", ".include b/part.inc", path=str(tmp_path / "deck.cir"))
    assert xb.operating_point(deck.circuit).i("v1") == pytest.approx(-1.5e-3)
    with pytest.raises(xb.NetlistError, match="two elements are named r1"):
        parse("v1 a 0 1", ".include a/part.inc", ".include a/part.inc", path=str(tmp_path / "deck.cir"))


def nested(levels: int, fan_out: int) -> list[str]:
    """Subcircuits s0 in s1 in s2 ..., each so many times; s0 is a resistor."""
    lines = [".subckt s0 p", "r1 p 0 1", ".ends"]
    for k in range(1, levels):
        lines += [f".subckt s{k} p", *(f"x{j} p s{k - 1}" for j in range(fan_out)), ".ends"]
    return [*lines, "v1 a 0 1", f"x1 a s{levels - 1}"]


def test_nested_subcircuits_are_counted_before_they_are_made() -> None:
    with pytest.raises(xb.SizeError, match="elements"):
        parse(*nested(9, 10))
    deck = parse(*nested(4, 3))
    instances = 1 + 3 + 9 + 27
    assert flat_count(deck.parsed.scope) == 27 + instances + 1  # resistors, X cards, the source
    assert xb.operating_point(deck.circuit).i("v1") == pytest.approx(-27)


def test_buses_of_instances_and_parameters_count() -> None:
    deck = parse(".subckt s p q=1", ".param w=2", "r[0:4] p 0 1", ".ends", "x[0:9] a s", "v1 a 0 1")
    assert flat_count(deck.parsed.scope) == 10 + 10 * (5 + 2) + 1


def test_local_subcircuits_hide_outer_ones_in_the_count() -> None:
    deck = parse(".subckt s p", "r[0:99] p 0 1", ".ends", ".subckt t p", ".subckt s p", "r1 p 0 1", ".ends", "x1 p s", ".ends",
                 "x1 a t", "v1 a 0 1")
    assert flat_count(deck.parsed.scope) == 1 + (1 + 1) + 1


def test_subcircuits_that_all_contain_each_other_are_looked_at_once() -> None:
    """Of twelve that are all inside each other there are 12! chains without a repetition."""
    lines = ["v1 a 0 1", "x1 a s0"]
    for k in range(12):
        lines += [f".subckt s{k} p", *(f"x{j} p s{j}" for j in range(12)), ".ends"]
    with pytest.raises(xb.NetlistError, match="contains itself"):
        parse(*lines)


@pytest.mark.parametrize("text", ["r1 a 0 " + "1" * (2 * MAX_LINE), "r1 a\n" + f"+ {'0' * 100}\n" * (MAX_LINE // 50),
                                  ".include " + "a" * (2 * MAX_LINE), "+" * (2 * MAX_LINE), "'" + "x" * (2 * MAX_LINE)])
def test_lines_that_are_too_long_are_refused_before_they_are_understood(text: str) -> None:
    with pytest.raises(xb.NetlistError) as caught:
        parse(text, "v1 a 0 1", "r2 a 0 {zz}")
    last = caught.value.problems[-1]
    assert "zz" in last.text, "what follows is still looked at"
    assert len(caught.value.problems) == 2 and caught.value.problems[0].line == 2


def test_buses_are_counted_before_they_are_expanded() -> None:
    with pytest.raises(xb.SizeError, match="1e.09 names"):
        parse("v1 a 0 1", "r1 a 0 1", *[".print op v(a[0:999999])"] * 1000)
    with pytest.raises(xb.NetlistError, match="bits"):
        parse("v1 a 0 1", "r1 a 0 1", ".print op v(a[0:999999,0:999999999])")


def test_what_is_no_netlist_gives_twenty_lines_and_a_count() -> None:
    text = Path(__file__).read_text()
    with pytest.raises(xb.NetlistError) as caught:
        xb.parse_netlist(text)
    error = caught.value
    lines = str(error).splitlines()
    assert len(lines) == 22 and len(error.problems) == error.count > 50
    assert lines[0] == f"{error.count} errors in the netlist" and lines[-1] == f"... and {error.count - 20} more"
    many = "\n".join(f"zener{k} a 0" for k in range(100_000))
    with pytest.raises(xb.NetlistError, match="^100000 errors") as caught:
        parse(many)
    assert len(caught.value.problems) == 1000, "their memory is bounded"


def test_errors_survive_the_way_from_another_process() -> None:
    import pickle
    size = xb.SizeError("a deck", estimate=1e9, limit=1e7, unit="names")
    netlist = xb.NetlistError([xb.Problem(file="a", line=2, text="wrong")], 30, ["a:1: odd"])
    for error in (size, netlist):
        copy = pickle.loads(pickle.dumps(error))
        assert str(copy) == str(error) and vars(copy) == vars(error)
