"""What an array refuses, and that it says so as a DataError or SizeError before doing anything."""

import tracemalloc

import numpy as np
import numpy.ma as ma
import pytest

from crossbar import memory
from crossbar.analysis import operating_point
from crossbar.arrays import PassiveArray, only
from crossbar.elements.cells import LinearCells, MTJCells
from crossbar.errors import ConvergenceError, CrossbarError, DataError, SizeError, TopologyError
from crossbar.mtj import Defects, presets
from crossbar.netlist import parse_netlist
from crossbar.solvers.newton import Newton

G = np.full((3, 4), 1e-4)


@pytest.mark.parametrize(
    "cells",
    [
        -G,
        np.where(np.eye(3, 4) > 0, np.nan, G),
        np.where(np.eye(3, 4) > 0, np.inf, G),
        G[0],
        G[None],
        np.empty((0, 4)),
        np.empty((3, 0)),
        1e-4,
        "large",
        [["a", "b"]],
        [[1e-4, 1e-4], [1e-4]],
        None,
        [[None, 1e-4]],
        G + 0j,
        [[{}]],
    ],
    ids=[
        "negative",
        "NaN",
        "infinite",
        "1-D",
        "3-D",
        "no rows",
        "no columns",
        "scalar",
        "text",
        "texts",
        "ragged",
        "None",
        "None inside",
        "complex",
        "objects",
    ],
)
def test_cells(cells):
    with pytest.raises(DataError):
        PassiveArray(cells)


@pytest.mark.parametrize(
    "resistance",
    [[[0.0]], [[-1.0]], [[np.nan]], [1.0], [["a"]], np.empty((0, 2)), [[1.0], [1.0, 2.0]]],
    ids=str,
)
def test_resistances(resistance):
    with pytest.raises(DataError):
        PassiveArray.from_resistance(resistance)


def test_a_bad_cell_is_named():
    g = G.copy()
    g[1, 2] = -1.0
    with pytest.raises(DataError, match=r"\[1,2\]"):
        PassiveArray(g)


@pytest.mark.parametrize(
    "value",
    [-1.0, np.nan, np.full((3, 4), 1.0), np.full(5, 1.0), "thin", None, 1j, [[1.0], [1.0, 2.0]], {}],
    ids=["negative", "NaN", "shape of the cells", "1-D", "text", "None", "complex", "ragged", "dict"],
)
@pytest.mark.parametrize("name", ["r_word", "r_bit"])
def test_wires(name, value):
    with pytest.raises(DataError, match=name):
        PassiveArray(G, **{name: value})


def test_wires_of_the_other_plane():
    """(M, N+1) for word lines and (M+1, N) for bit lines cannot be taken for each other."""
    assert PassiveArray(G, r_word=np.ones((3, 5)), r_bit=np.ones((4, 4))).shape == (3, 4)
    for swapped in ({"r_word": np.ones((4, 4))}, {"r_bit": np.ones((3, 5))}):
        with pytest.raises(DataError):
            PassiveArray(G, **swapped)


@pytest.mark.parametrize(
    "value",
    [
        -1.0,
        np.nan,
        "strong",
        [1.0, 2.0],
        {"word": 1.0},
        {"word_left": -1.0},
        {"word_left": np.ones(4)},
        {"bit_top": np.ones(3)},
        {"bit_top": "x"},
        None,
        1j,
    ],
    ids=str,
)
def test_drivers(value):
    with pytest.raises(DataError):
        PassiveArray(G, r_driver=value)


@pytest.mark.parametrize("side", ["word_left", "word_right", "bit_top", "bit_bottom"])
@pytest.mark.parametrize(
    "value",
    [
        np.nan,
        np.inf,
        np.ones(5),
        np.ones((2, 5)),
        np.ones((1, 1, 3)),
        np.empty((0, 3)),
        [],
        "high",
        1j,
        [[1.0], [1.0, 2.0]],
        {},
        [None, 1.0, 1.0],
    ],
    ids=str,
)
def test_drives(side, value):
    with pytest.raises(DataError):
        PassiveArray(np.full((3, 3), 1e-4)).solve(**{"word_left": 0.5} | {side: value})


def test_drive_of_the_other_plane():
    with pytest.raises(DataError, match="word_left"):
        PassiveArray(G).solve(word_left=np.ones(4))
    with pytest.raises(DataError, match="bit_top"):
        PassiveArray(G).solve(bit_top=np.ones(3))


def test_unequal_batches():
    with pytest.raises(DataError, match="word_left 2"):
        PassiveArray(G).solve(word_left=np.ones((2, 3)), bit_top=np.zeros((3, 4)))


def test_nothing_driven():
    """Every end open is an error that says so, and of a batch which input it is."""
    array = PassiveArray(G)
    with pytest.raises(DataError, match="nothing is driven: every end"):
        array.solve(bit_bottom=None)
    volts = ma.array(np.full((4, 3), 0.1), mask=[[0, 0, 0], [0, 1, 1], [1, 1, 1], [0, 0, 0]])
    with pytest.raises(DataError, match="nothing is driven for input 2 of 4"):
        array.solve(word_left=volts, bit_bottom=None)


@pytest.mark.parametrize("method", ["lines", "general"])
def test_lines_without_a_path_to_a_terminal_are_named(method):
    """Driven is enough, even if nothing else is reached: what is not has no voltage, carries nothing and is listed."""
    r_word = np.full((3, 5), 1.0)
    r_word[:, 1] = np.inf  # the word lines end behind their first cell
    g = G.copy()
    g[2, 0] = 0
    s = PassiveArray(g, r_word=r_word).solve(word_left=only(3, [0, 2], 0.3), bit_bottom=None, method=method)
    reached = {"wl[0,0]", "wl[1,0]", "wl[2,0]", "bl[0,0]", "bl[1,0]", "bl[2,0]"}
    assert set(s.isolated) == {f"{p}[{i},{j}]" for p in ("wl", "bl") for i in range(3) for j in range(4)} - reached
    assert np.isnan(s.word_voltage[:, 1:]).all() and np.isnan(s.bit_voltage[:, 1:]).all()
    assert np.abs(s.cell_current).max() <= 1e-18 and (s.cell_current[:, 1:] == 0).all()


@pytest.mark.parametrize("method", ["lines", "general"])
def test_islands_of_one_input_of_a_batch(method):
    """A bit line of open cells is an island only for the input that leaves its end open."""
    g = G.copy()
    g[:, 1] = 0
    bottom = ma.array(np.zeros((2, 4)), mask=[[0, 0, 0, 0], [0, 1, 0, 0]])
    s = PassiveArray(g).solve(word_left=0.3, bit_bottom=bottom, method=method)
    assert s.isolated == ("bl[0,1]", "bl[1,1]", "bl[2,1]")
    assert np.isfinite(s.bit_voltage[0]).all() and np.isnan(s.bit_voltage[1, :, 1]).all()
    assert np.isfinite(np.delete(s.bit_voltage[1], 1, axis=1)).all()


def test_an_array_of_a_deck_without_a_path_to_ground():
    deck = parse_netlist(".title t\nI1 0 wl[0] 1u\nYXBAR x1 wl[0:1] bl[0:1] a state=P\n.model a xbar(rows=2 cols=2 mtj=m)\n"
                         ".model m mtj(preset=daffodil)\n.op\n.end\n")
    with pytest.raises(TopologyError, match=r"no DC path to ground from nodes wl\[0\], .*x1"):
        operating_point(deck.circuit)


def test_a_masked_nan_is_an_open_end():
    v = np.array([0.1, np.nan, 0.3])
    got = PassiveArray(G).solve(word_left=ma.masked_invalid(v))
    assert np.isnan(got.terminal_voltage["word_left"][1]) and got.terminal_current["word_left"][1] == 0
    assert np.isfinite(got.bit_current).all()


@pytest.mark.parametrize("k", [3, -4, 1.0, "a", None], ids=str)
def test_only_a_line_that_exists(k):
    with pytest.raises((DataError, IndexError, TypeError)):
        only(3, k)


@pytest.mark.parametrize("options", [{"method": "magic"}, {"keep": "everything"}, {"method": None}], ids=str)
def test_options(options):
    with pytest.raises(DataError):
        PassiveArray(G).solve(word_left=0.5, **options)


@pytest.mark.parametrize("method", ["lines", "general"])
@pytest.mark.parametrize("rtol", [np.nan, -1e-9, 0.0])
@pytest.mark.parametrize("law", ["linear", "junctions"])
def test_tolerance_that_nothing_can_meet(law, rtol, method):
    array = PassiveArray(G if law == "linear" else MTJCells(presets["daffodil"], G > 0))
    with pytest.raises(CrossbarError):
        array.solve(word_left=[0.1, 0.5, 0.7], rtol=rtol, method=method)


@pytest.mark.parametrize("law", ["linear", "junctions"])
def test_a_missed_tolerance_tells_its_history(law):
    """The trace of the line solver: how many iterations so far, and how large the relative residual was."""
    array = PassiveArray(G if law == "linear" else MTJCells(presets["daffodil"], G > 0), r_word=20.0, r_bit=20.0)
    with pytest.raises(ConvergenceError, match="residual") as error:
        array.solve(word_left=[0.1, 0.5, 0.7], rtol=1e-25)
    iterations, residuals = np.array(error.value.trace).T
    first, large = (0, 1e-3) if law == "linear" else (1, 1e-8)  # junctions begin from the solution of linear cells
    assert iterations[0] == first and residuals[0] > large
    assert len(iterations) > 2 and (np.diff(iterations) >= 0).all() and iterations[-1] > 0
    assert residuals.min() < 1e-10 and (residuals > 0).all()


def test_the_iteration_limit_of_the_general_path_tells_its_history():
    circuit = PassiveArray(MTJCells(presets["ut-50nm"], G < 0), r_word=500.0).to_circuit(word_left=[0.1, 0.5, 0.9])
    assert operating_point(circuit, reltol=1e-10).iterations > 2
    with pytest.raises(ConvergenceError, match="after 2 Newton steps, worst at") as error:
        operating_point(circuit, solver=Newton(max_steps=2), reltol=1e-10)
    assert len(error.value.trace) == 2 and error.value.trace[1] < error.value.trace[0]


def test_keeping_terminals_keeps_nothing_else():
    s = PassiveArray(G).solve(word_left=0.5, keep="terminals")
    for name in (
        "word_voltage",
        "bit_voltage",
        "cell_voltage",
        "cell_current",
        "isolated",
        "power",
        "segment_current",
    ):
        with pytest.raises(DataError, match="keep"):
            getattr(s, name)


@pytest.mark.parametrize(
    "arguments", [("word_left", "word_left"), ("word", "bit_bottom"), ("word_left", None)], ids=str
)
def test_transfer_between_sides(arguments):
    with pytest.raises(DataError):
        PassiveArray(G).transfer(*arguments)


def test_transfer_needs_linear_cells_and_grounded_others():
    with pytest.raises(DataError, match="linear"):
        PassiveArray(MTJCells(presets["daffodil"], G > 0)).transfer("word_left", "bit_bottom")
    with pytest.raises(DataError, match="0 V"):
        PassiveArray(G).transfer("word_left", "bit_bottom", word_right=0.1)


def test_circuit_of_a_batch():
    with pytest.raises(DataError, match="one input"):
        PassiveArray(G).to_circuit(word_left=np.ones((2, 3)))


# Sizes. Views of one number: nothing is allocated until the code under test does it


HUGE = (10**7, 10**7)


def refused(make):
    with pytest.raises(SizeError) as error:
        make()
    assert error.value.estimate > error.value.limit > 0


def test_monstrous_array_of_conductances():
    refused(lambda: PassiveArray(np.broadcast_to(1e-4, HUGE)))


def test_monstrous_array_of_resistances():
    refused(lambda: PassiveArray.from_resistance(np.broadcast_to(1e4, HUGE)))


@pytest.mark.parametrize("how", ["state", "m_z"])
def test_monstrous_array_of_junctions(how):
    one = np.int8(1) if how == "state" else 1.0
    refused(lambda: PassiveArray(MTJCells(presets["daffodil"], **{how: np.broadcast_to(one, HUGE)})))


@pytest.mark.parametrize("name", ["r_word", "r_bit"])
def test_monstrous_wires(name):
    refused(lambda: PassiveArray(G, **{name: np.broadcast_to(1.0, HUGE)}))


def test_monstrous_defects():
    mask = np.broadcast_to(False, HUGE)
    refused(lambda: MTJCells(presets["daffodil"], np.ones((3, 4), int), Defects(open=mask)))
    refused(lambda: LinearCells(g=G).with_defects(Defects(short=mask)))


def test_a_million_by_a_million():
    """The message says what was asked for, what it would take and what there is."""
    with pytest.raises(SizeError, match=r"array of 1000000 x 1000000 cells would need about .* GiB; .* GiB are available"):
        PassiveArray(np.broadcast_to(1e-4, (10**6, 10**6)))


@pytest.mark.parametrize(
    "ask",
    [
        lambda a: a.solve(word_left=0.1),
        lambda a: a.solve(word_left=0.1, keep="terminals"),
        lambda a: a.solve(word_left=0.1, method="general"),
        lambda a: a.solve(word_left=np.full((20, 200), 0.1)),
        lambda a: a.transfer("word_left", "bit_bottom"),
        lambda a: a.with_cells(np.full((200, 200), 1e-4)),
    ],
    ids=["one input", "terminals", "general", "batch", "transfer", "other cells"],
)
def test_what_no_longer_fits(monkeypatch, ask):
    """An array that once fitted, on a machine that has 2 MB left: refused before the 9 MB of a solution are taken."""
    array = PassiveArray(np.full((200, 200), 1e-4))
    monkeypatch.setattr(memory, "available", lambda: 2 * 10**6)
    tracemalloc.start()
    try:
        refused(lambda: ask(array))
        assert tracemalloc.get_traced_memory()[1] < 3 * 10**6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("keep", ["nodes", "terminals"])
def test_monstrous_batch(keep):
    refused(lambda: PassiveArray(G).solve(word_left=np.broadcast_to(0.5, (10**12, 3)), keep=keep))


def test_large_array_on_the_general_path():
    """16 million unknowns would fill any machine's memory with LU factors, not with the array itself."""
    array = PassiveArray(np.broadcast_to(1e-4, (2000, 4000)))
    if memory.available() > 2 * array.shape[0] * array.shape[1] * 3000:
        pytest.skip("this machine has room for it")
    refused(lambda: array.solve(word_left=0.5, method="general"))


@pytest.mark.parametrize("wire", [1e37, 1e39, 1e200])
def test_a_wire_beyond_float32_is_as_good_as_open(wire):
    cells = np.full((3, 3), 1e-4)
    cells[-1], cells[:, -1] = 0, 0
    r_word = np.full((3, 4), 2.0)
    solved = []
    for r_word[-1] in (wire, np.inf):
        solved.append(PassiveArray(cells, r_word=r_word).solve(word_left=0.3).bit_current)
    np.testing.assert_allclose(solved[0], solved[1], rtol=1e-9)


@pytest.mark.filterwarnings("ignore:1 of 9 cells conduct:crossbar.CrossbarWarning")
@pytest.mark.parametrize("g", [1e14, 1e20])
def test_a_cell_whose_current_drowns_in_rounding_is_no_solution(g):
    cells = np.full((3, 3), 1e-5)
    cells[0, 0] = g
    with pytest.raises(ConvergenceError, match="rounding"):
        PassiveArray(cells).solve(word_left=0.3)
