"""Writes from decks and from the command line: the same report as from Python, whoever works on it; mistakes at their place."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import crossbar as xb
from crossbar import plots, session, writing
from crossbar.cli import main
from crossbar.io.writes import MAPS, write_report_csv

FOLDER = Path(__file__).parents[1] / "netlists"
TARGET = np.arange(20).reshape(4, 5) % 3 > 0
DECK = """Write
.param v=0.6
.model cell mtj (preset=mtj-60kT)
.model arr xbar (rows=4 cols=5 mtj=cell r_wl=2 r_bl=3 r_driver=10)
Vw[0:3] wl[0:3] 0 DC 0.1
Vb[0:4] bl[0:4] 0 DC 0
YXBAR x1 wl[0:3] bl[0:4] arr state=AP
{card}
.op
.end
"""
CARD = ".write x1 target=target.csv scheme=v/3 amplitude_p={v-0.1} amplitude_ap=0.6 width=8n verify=3 seed=11"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.savetxt(tmp_path / "target.csv", TARGET, fmt="%d", delimiter=",")
    (tmp_path / "deck.cir").write_text(DECK.replace("{card}", CARD))
    return tmp_path


def by_hand(repeats: int | None = None) -> xb.WriteReport:
    cells = xb.MTJCells(xb.mtj.presets["mtj-60kT"], -np.ones((4, 5)))
    array = xb.PassiveArray(cells, r_word=2.0, r_bit=3.0, r_driver=10.0)
    return xb.program(array, TARGET, pulse=xb.Pulse((0.5, 0.6), 8e-9), scheme="v/3", verify=xb.Verify(3), repeats=repeats,
                      rng=np.random.default_rng(11))


def same(a: Any, b: Any) -> None:
    for name, value in a.as_dict().items():
        if name != "energy":
            np.testing.assert_allclose(np.asarray(value, float), np.asarray(b.as_dict()[name], float), rtol=1e-9, err_msg=name)


def test_a_deck_s_report_is_python_s(folder: Path) -> None:
    run = xb.run(folder / "deck.cir")
    same(run.write, by_hand())
    assert run.op["state(x1[0,1])"] == run.write.states[0, 1] and list(run.writes) == ["write"]
    reports = [session.write(run.deck, run.deck.analyses["write"]) for _ in range(2)]
    assert reports[0].as_dict() == reports[1].as_dict()


@pytest.mark.parametrize("workers", [1, 2])
def test_the_command_s_report_is_python_s(folder: Path, workers: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["write", str(folder / "deck.cir"), "--json", "--repeats", "6", "--workers", str(workers)]) == 0
    found, wanted = json.loads(capsys.readouterr().out)["write"], by_hand(6).as_dict()
    for name in ("states", "disturbs", "pulses", "gave_up", "phases", "solves"):
        assert found[name] == wanted[name], name
    np.testing.assert_allclose(found["expected_error"], wanted["expected_error"], rtol=1e-9)


def test_listing_csv_and_pictures(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(folder / "deck.cir"), "--csv", str(folder / "out"), "--plot", str(folder / "out")]) == 0
    text = capsys.readouterr()
    assert "write errors: 0" in text.out and "KCL residual" in text.out
    names = {p.name for p in (folder / "out").iterdir()}
    assert {f"write_{q}.csv" for q in MAPS} <= names and {"write.png", "op.csv", "op_x1.png"} <= names
    assert (xb.read_states(folder / "out" / "write_states.csv", (4, 5)) == np.where(TARGET, 1, -1)).all()
    log = folder / "log.txt"
    assert main(["write", str(folder / "deck.cir"), "-o", str(log)]) == 0
    assert "wrote 20 of 4 x 5 cells" in log.read_text() and "KCL residual" not in log.read_text()


def test_what_follows_a_write_sees_its_states(folder: Path) -> None:
    text = DECK.replace("{card}", ".op\n" + CARD + "\n.dc v 0.1 0.2 0.1\n.write x1 target=AP amplitude=0.7 width=9n seed=3")
    run = xb.run(xb.parse_netlist(text, path=str(folder / "deck.cir")))
    first, last = run.analyses["op1"], run.analyses["op2"]
    assert first["state(x1[0,1])"] == last["state(x1[0,1])"] == -1 and list(run.writes) == ["write1", "write2"]
    swept = run.dc["i(vb[1])"][0]
    array = xb.PassiveArray(xb.MTJCells(xb.mtj.presets["mtj-60kT"], run.writes["write1"].states), r_word=2.0, r_bit=3.0,
                            r_driver=10.0)
    assert np.isclose(swept, array.solve(word_left=0.1).bit_current[1], rtol=1e-8)
    with pytest.raises(xb.DataError, match="no single .write"):
        run.write  # noqa: B018


def refused(command: str, folder: Path, card: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command says of a deck with a card that is wrong."""
    (folder / "deck.cir").write_text(DECK.replace("{card}", card))
    assert main([command, str(folder / "deck.cir")]) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("card, message", [
    (".write", ".write takes one array"), (".write x2 target=P amplitude=1 width=1n seed=1", "there is no array x2"),
    (".write x1 amplitude=1 width=1n seed=1", "needs target="),
    (".write x1 target=none.csv amplitude=1 width=1n seed=1", "none.csv"),
    (".write x1 target=P width=1n seed=1", "needs amplitude="),
    (".write x1 target=P amplitude=-1 width=1n seed=1", "must be positive"),
    (".write x1 target=P amplitude_p=1 width=1n seed=1", "needs amplitude="),
    (".write x1 target=P amplitude=1 width=1n", "needs seed="),
    (".write x1 target=P amplitude=1 width=1n seed=1.5", "no whole number"),
    (".write x1 target=P amplitude=1 width=1n seed=1 verify=0", "verify = 0 is no whole number of at least 1"),
    (".write x1 target=P amplitude=1 width=1n seed=1 colour=red", "knows no colour"),
    (".write x1 target=P amplitude={q} width=1n seed=1", "q"),
])
def test_mistakes_are_told_at_their_place(folder: Path, card: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    error = refused("write", folder, card, capsys)
    assert message in error and "deck.cir:8" in error and "Traceback" not in error


@pytest.mark.parametrize("card, message", [
    (".write x1 target=P amplitude=0.6 width=9n seed=1 scheme=1t1r", "for 1T1R arrays"),
    (".write x1 target=P amplitude=0.6 width=9n seed=1 scheme=v/4", "no bias scheme"),
    (".write x1 target=P amplitude=2 width=9n seed=1", "breakdown limit"),
    (".write x1 target=P amplitude=0.6 width=9n seed=1 order=columns", "order is"),
])
def test_what_cannot_be_written(folder: Path, card: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("write", "run"):
        error = refused(command, folder, card, capsys)
        assert message in error and "deck.cir:8: .write x1" in error


def test_nothing_to_write_and_bad_usage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["write", str(FOLDER / "divider.cir")]) == 2 and "nothing to write" in capsys.readouterr().err
    assert main(["write", str(folder / "none.cir")]) == 3
    assert main(["write", str(folder / "deck.cir"), "--workers", "0"]) == 3
    (folder / "deck.cir").write_text(DECK.replace("{card}", CARD).replace("state=AP", "g=g.csv"))
    np.savetxt(folder / "g.csv", np.full((4, 5), 1e-4), delimiter=",")
    assert main(["write", str(folder / "deck.cir")]) == 2 and "only MTJCells" in capsys.readouterr().err


def test_finished_writes_are_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "deck.cir").write_text(DECK.replace("{card}", CARD + "\n.write x1 target=P amplitude=2 width=9n seed=1"))
    assert main(["write", str(folder / "deck.cir"), "--csv", str(folder / "out")]) == 2
    text = capsys.readouterr()
    assert "write1 finished before the error and kept" in text.err and "wrote 20 of 4 x 5 cells" in text.out
    assert (folder / "out" / "write1_states.csv").exists()


def test_maps_of_many_writes_are_means(tmp_path: Path) -> None:
    report = by_hand(6)
    write_report_csv(report, tmp_path, "many")
    with (tmp_path / "many_pulses.csv").open() as stream:
        rows = list(csv.reader(stream))[1:]
    np.testing.assert_allclose(np.array(rows, float), report.pulses.mean(axis=0))


def test_figures(tmp_path: Path) -> None:
    report = by_hand()
    for quantity in MAPS:
        ax = plots.report_map(report, quantity)
        (image,) = ax.images
        assert image.get_array().shape == (4, 5)
    shown = plots.report_map(report, "expected_error").images[0].get_array()
    np.testing.assert_allclose(np.asarray(shown), np.maximum(report.expected_error, 1e-15))
    file, = plots.save_report(report, tmp_path, title="t")
    assert file.name == "write.png" and file.stat().st_size > 10_000
    with pytest.raises(xb.DataError, match="quantity is one of"):
        plots.report_map(report, "colour")
    stepped = xb.program(report.array, TARGET, pulse=xb.Pulse(0.5, 1e-9), stepping=writing.Stepping(),
                         rng=np.random.default_rng(2))
    with pytest.raises(xb.DataError, match="followed through the pulses"):
        plots.report_map(stepped)
    window = writing.write_window(report.array, [0.4, 0.5, 0.6], 8e-9)
    ax = plots.window_plot(window)
    assert len(ax.lines) == 4 and ax.get_yscale() == "log" and "v/2" in ax.get_title()
    np.testing.assert_allclose(ax.lines[0].get_ydata(), np.maximum(window.error[:, 0], 1e-18))
