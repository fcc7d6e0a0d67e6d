"""Figures: what they show is the solution in other units, nothing overlaps, and no backend is touched."""

import subprocess
import sys
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from crossbar.analysis import dc_sweep, operating_point
from crossbar.arrays import OneTransistorArray, PassiveArray, only
from crossbar.circuit import Circuit, CircuitBuilder
from crossbar.elements.cells import LinearCells
from crossbar.elements.linear import CurrentSources, VoltageSources
from crossbar.elements.solution import ArraySolution
from crossbar.elements.transistor import NMOS
from crossbar.errors import DataError
from crossbar.plots import (FORMATS, QUANTITIES, arrays, cell_map, line_profile, margin_map, save_run, sweep_map,
                            sweep_plot)
from crossbar.plots.sweeps import MOST_CURVES, sweep_figure
from crossbar.points import OperatingPoint

Array = npt.NDArray[np.float64]
FACTORS = {"n": 1e-9, "µ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}
SHAPES = [(15, 15), (64, 48), (1, 7), (7, 1), (1, 1), (20, 44), (3, 60), (60, 3)]


def array_of(shape: tuple[int, int], wire: float = 2.0) -> PassiveArray:
    g = np.random.default_rng(1999).uniform(1e-5, 2e-4, shape)
    return PassiveArray.from_resistance(1 / g, r_word=wire, r_bit=wire, r_driver=5.0 * wire)


def solution_of(shape: tuple[int, int] = (5, 6), **drives: object) -> ArraySolution:
    drives = drives or {"word_left": np.random.default_rng(8128).uniform(0.1, 0.2, shape[0])}
    return array_of(shape).solve(**drives)  # type: ignore[arg-type]


def point_of(shape: tuple[int, int]) -> OperatingPoint:
    return operating_point(array_of(shape).to_circuit(word_left=np.linspace(-0.05, 0.2, shape[0])))


def network() -> Circuit:
    b = CircuitBuilder("two sources")
    b.add_one(VoltageSources, "v1", ["in", "0"], value=1.0)
    b.add_one(CurrentSources, "i1", ["0", "out"], value=0.0)
    b.resistor("r1", "in", "out", 1e3)
    b.resistor("r2", "out", "0", 2e3)
    return b.build()


def bar_of(ax: Axes) -> tuple[Axes, str]:
    """The colour bar of a map and its unit."""
    (bar,) = ax.child_axes
    assert isinstance(bar, Axes)
    return bar, bar.get_ylabel() or bar.get_xlabel()


def shown(ax: Axes) -> Array:
    """What a map shows, back in SI units, NaN where it is grey."""
    (image,) = ax.images
    data = image.get_array()
    assert data is not None
    unit = bar_of(ax)[1]
    return np.ma.filled(np.ma.asarray(data, dtype=float), np.nan) * FACTORS[unit[:-1]]


# -- maps

@pytest.mark.parametrize("shape", SHAPES)
def test_a_map_shows_the_solution(shape: tuple[int, int]) -> None:
    s = solution_of(shape)
    for quantity in ("cell_voltage", "cell_current"):
        ax = cell_map(s, quantity)
        np.testing.assert_allclose(shown(ax), getattr(s, quantity), rtol=1e-12)
        assert bar_of(ax)[1].endswith(QUANTITIES[quantity][1])
        assert (ax.get_aspect() == 1) == (0.4 <= shape[1] / shape[0] <= 2.5)
        assert ax.get_xlim() == (-0.5, shape[1] - 0.5) and ax.get_ylim() == (shape[0] - 0.5, -0.5)
        for ticks, lines in ((ax.get_xticks(), shape[1]), (ax.get_yticks(), shape[0])):
            inside = [t for t in ticks if -0.5 < t < lines - 0.5]
            assert inside and all(t == round(t) for t in inside)


def test_terminal_to_terminal_the_drops_make_up_for_the_cell_voltage() -> None:
    s = solution_of()
    total = shown(cell_map(s, "word_drop")) + s.cell_voltage + shown(cell_map(s, "bit_drop"))
    np.testing.assert_allclose(total.T, np.tile(s.terminal_voltage["word_left"], (6, 1)), rtol=1e-12)
    assert (np.diff(shown(cell_map(s, "word_drop")), axis=1) > 0).all()
    assert (np.diff(shown(cell_map(s, "bit_drop")), axis=0) < 0).all()


def test_without_wires_nothing_drops_and_rounding_gets_no_colours() -> None:
    s = array_of((5, 6), wire=0.0).solve(word_left=np.linspace(0.1, 0.2, 5))
    for quantity in ("word_drop", "bit_drop"):
        ax = cell_map(s, quantity)
        assert np.abs(shown(ax)).max() < 1e-12
        low, high = ax.images[0].get_clim()
        assert (high - low) * FACTORS[bar_of(ax)[1][:-1]] > 1e-3


def test_a_constant_map_has_one_colour_and_one_tick() -> None:
    """0 V and the drive itself: without wires every cell sees it."""
    for volts in (0.0, 0.2, -0.8):
        s = array_of((5, 6), wire=0.0).solve(word_left=volts)
        ax = cell_map(s, "cell_voltage")
        bar, unit = bar_of(ax)
        assert isinstance(ax.figure, Figure)
        ax.figure.draw_without_rendering()
        tick, = [label.get_text().replace("−", "-") for label in bar.get_yticklabels()]
        assert float(tick) * FACTORS[unit[:-1]] == pytest.approx(volts, abs=1e-12)
        low, high = bar.get_ylim()
        assert (high - low) < 0.01 * (ax.images[0].get_clim()[1] - ax.images[0].get_clim()[0])


@pytest.mark.parametrize("volts", [0.2, np.linspace(-0.2, 0.3, 5)])
def test_drops_along_word_and_bit_lines_have_one_kind_of_colours(volts: Array | float) -> None:
    s = solution_of(word_left=volts)
    word, bit = (cell_map(s, quantity).images[0] for quantity in ("word_drop", "bit_drop"))
    assert word.get_cmap().name == bit.get_cmap().name
    expected = "RdBu_r" if np.ndim(volts) else "viridis"
    assert word.get_cmap().name == expected


def test_with_two_ends_the_drop_is_from_the_driving_one() -> None:
    s = solution_of(word_left=-0.3, word_right=np.array([-0.1, -0.5, 0.0, -0.2, 0.1]), bit_top=0.1)
    ends = np.array([-0.3, -0.5, -0.3, -0.3, -0.3])
    np.testing.assert_allclose(shown(cell_map(s, "word_drop")), ends[:, None] - s.word_voltage, atol=1e-15)
    np.testing.assert_allclose(shown(cell_map(s, "bit_drop")), s.bit_voltage, rtol=1e-12)


def test_a_line_with_open_ends_is_compared_with_its_mean() -> None:
    s = solution_of(word_left=only(5, 2, 0.2))
    drop = shown(cell_map(s, "word_drop"))
    np.testing.assert_allclose(drop[[0, 1, 3, 4]].mean(axis=1), 0.0, atol=1e-16)
    np.testing.assert_allclose(drop[2], 0.2 - s.word_voltage[2], rtol=1e-12)


def test_what_no_terminal_reaches_is_grey() -> None:
    g, r = np.full((3, 4), 1e-4), np.full((3, 5), 2.0)
    g[1], r[1, 0] = 0.0, np.inf
    s = PassiveArray(LinearCells(g=g), r_word=r).solve(word_left=0.1)
    for quantity in ("cell_voltage", "cell_current", "word_drop"):
        ax = cell_map(s, quantity)
        np.testing.assert_array_equal(np.isnan(shown(ax)), g == 0)
        assert ax.get_title().endswith("(grey: isolated)")
        red, green, blue, alpha = ax.images[0].to_rgba(np.ma.masked_all((1, 1)))[0, 0]
        assert red == green == blue and 0.4 < red < 0.8 and alpha == 1


def test_a_map_of_sense_margins() -> None:
    array = array_of((5, 6))
    margin = array.sense_margin(scheme="v/2", states=(2e-4, 1e-4))
    np.testing.assert_allclose(shown(margin_map(margin)), margin.margin, rtol=1e-12)
    ax = margin_map(margin, relative=True)
    np.testing.assert_allclose(np.asarray(ax.images[0].get_array()), margin.relative, rtol=1e-12)
    assert ax.get_title() == "Relative sense margin, v/2" and bar_of(ax)[1] == ""
    with pytest.raises(DataError, match="every cell"):
        margin_map(array.sense_margin(1, 2, states=(2e-4, 1e-4)))


def test_the_sign_chooses_the_colours() -> None:
    for volts, colours in ((0.2, "viridis"), (-0.2, "viridis"), (np.linspace(-0.2, 0.3, 5), "RdBu_r")):
        ax = cell_map(solution_of(word_left=volts), "cell_voltage")
        low, high = ax.images[0].get_clim()
        assert ax.images[0].get_cmap().name == colours
        assert (low == -high) == (colours == "RdBu_r")
        bar, unit = bar_of(ax)
        limits = np.array(bar.get_ylim()) * FACTORS[unit[:-1]]
        assert limits == pytest.approx([shown(ax).min(), shown(ax).max()])


def test_an_input_of_a_batch_must_be_chosen() -> None:
    array, volts = array_of((5, 6)), np.random.default_rng(5).uniform(0, 0.2, (3, 5))
    batch = array.solve(word_left=volts)
    for quantity in QUANTITIES:
        with pytest.raises(DataError, match="3 inputs.*item="):
            cell_map(batch, quantity)
        np.testing.assert_allclose(shown(cell_map(batch, quantity, item=1)),
                                   shown(cell_map(array.solve(word_left=volts[1]), quantity)), rtol=1e-6)
    with pytest.raises(DataError, match="inputs 0 to 2"):
        line_profile(batch, item=3)
    with pytest.raises(DataError, match="no item"):
        cell_map(solution_of(), "cell_voltage", item=0)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(DataError, match="quantity is one of cell_voltage"):
        cell_map(solution_of(), "power")
    with pytest.raises(DataError, match="only terminal currents were kept"):
        cell_map(array_of((2, 2)).solve(word_left=0.1, keep="terminals"), "cell_voltage")


def test_of_an_array_with_transistors_cells_are_drawn_and_lines_refused() -> None:
    array = OneTransistorArray(np.full((3, 4), 1e-4), transistor=NMOS())
    s = array.solve(gate=1.5, bit_top=0.1, source_bottom=0.0)
    assert cell_map(s, "cell_voltage").images  # type: ignore[arg-type]
    for draw in (lambda: cell_map(s, "word_drop"), lambda: line_profile(s)):  # type: ignore[arg-type]
        with pytest.raises(DataError, match="passive array"):
            draw()


# -- profiles

@pytest.mark.parametrize("line", ["word", "bit"])
def test_a_profile_shows_nodes_and_terminals(line: str) -> None:
    s = solution_of((5, 6), word_left=np.linspace(0.1, 0.2, 5), bit_top=0.01)
    ax = line_profile(s, line, k=[3, 1])  # type: ignore[arg-type]
    unit = FACTORS[ax.get_ylabel().split("[")[1][:-2]]
    nodes = s.word_voltage if line == "word" else s.bit_voltage.T
    ends = np.column_stack([s.terminal_voltage[f"{line}_{end}"] for end in (
        ("left", "right") if line == "word" else ("top", "bottom"))])
    for k, (curve, squares) in zip((3, 1), zip(ax.lines[::2], ax.lines[1::2], strict=True), strict=True):
        np.testing.assert_allclose(np.asarray(curve.get_ydata(), float) * unit, nodes[k], rtol=1e-12)
        np.testing.assert_allclose(np.asarray(squares.get_ydata(), float) * unit, ends[k], rtol=1e-12)
        assert np.asarray(squares.get_xdata()).tolist() == [-1, nodes.shape[1]]


def test_a_profile_of_many_lines_has_graded_colours_and_a_bar() -> None:
    ax = line_profile(solution_of((12, 3)), k=range(12))
    assert ax.get_legend() is None and bar_of(ax)[1] == "word line"
    assert len({mpl.colors.to_rgba(curve.get_color()) for curve in ax.lines[::2]}) == 12


def test_a_profile_of_no_line_is_refused() -> None:
    nowhere: list[int | list[int]] = [5, -1, []]
    for k in nowhere:
        with pytest.raises(DataError, match="word lines 0 to 4"):
            line_profile(solution_of(), k=k)
    with pytest.raises(DataError, match="'row'"):
        line_profile(solution_of(), "row")  # type: ignore[arg-type]
    assert len(line_profile(solution_of((1, 4))).lines) == 2


# -- sweeps

def test_a_sweep_is_a_curve() -> None:
    sweep = dc_sweep(network(), {"v1": np.linspace(0, 0.5, 11)})
    ax = sweep_plot(sweep, "V(out)")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("v1 [mV]", "v(out) [mV]")
    np.testing.assert_allclose(np.asarray(ax.lines[0].get_xydata(), float),
                               1e3 * np.column_stack([sweep["v1"], sweep["v(out)"]]), rtol=1e-12)
    assert ax.get_legend() is None


def test_a_nested_sweep_is_a_family() -> None:
    sweep = dc_sweep(network(), {"r2": [500.0, 2e3], "i1": [0.0, 2e-5], "v1": [0.0, 0.5, 1.0]})
    ax = sweep_plot(sweep, ["v(out)", "v(in)"])
    assert len(ax.lines) == 8
    for k, name in enumerate(["v(out)", "v(in)"]):
        drawn = [curve.get_ydata() for curve in ax.lines[4 * k:4 * k + 4]]
        np.testing.assert_allclose(np.array(drawn, dtype=float), sweep[name].reshape(4, 3), rtol=1e-12)
    legend = ax.get_legend()
    assert legend is not None
    outer = [f"r2 = {r}, i1 = {i}" for r in ("500 Ω", "2 kΩ") for i in ("0 A", "20 µA")]
    assert [t.get_text() for t in legend.get_texts()] == ["v(out)", "v(in)", *outer]


def test_many_outer_values_have_graded_colours_and_a_bar() -> None:
    """The bar tells every value; a legend of some would leave the others to guesses."""
    currents = np.linspace(0, 1e-3, 40)
    ax = sweep_plot(dc_sweep(network(), {"i1": currents, "v1": [0.0, 1.0]}), "v(out)")
    assert ax.get_legend() is None
    bar, title = bar_of(ax)
    assert title == "i1 [mA]" and bar.get_ylim() == pytest.approx((0.0, 1.0))
    colours = [mpl.colors.to_rgba(curve.get_color()) for curve in ax.lines]
    assert len(set(colours)) == 40


def test_combinations_beyond_the_colours_are_refused() -> None:
    sweep = dc_sweep(network(), {"r2": [1e3, 2e3, 3e3], "i1": [0.0, 1e-4, 2e-4, 3e-4], "v1": [0.0, 1.0]})
    with pytest.raises(DataError, match="10 combinations of r2, i1, here are 12"):
        sweep_plot(sweep, "v(out)")


def test_sweeps_that_cannot_be_drawn_are_refused() -> None:
    sweep = dc_sweep(network(), {"i1": [0.0, 1e-3], "v1": [0.0, 1.0]})
    for outputs, message in (([], "at least one"), (["v(out)", "i(v1)"], "apart"), ("v(x)", "no v"),
                             (["v(in)", "v(out)", "v(in,out)", "v(out,in)", "v(0)"], "at most 4")):
        with pytest.raises(DataError, match=message):
            sweep_plot(sweep, outputs)


# -- many outputs

def ladder(nodes: int) -> Circuit:
    """A source at n0 and a chain of resistors from node to node, to ground at last."""
    b = CircuitBuilder("ladder")
    b.add_one(VoltageSources, "v1", ["n0", "0"], value=1.0)
    for k in range(nodes):
        b.resistor(f"r{k}", f"n{k}", f"n{k + 1}" if k < nodes - 1 else "0", 1e3)
    return b.build()


def names_and_curves(figure: Figure) -> dict[str, Array]:
    """Values [V] of every curve under the name that the legend of its panel gives to its style."""
    found = {}
    for ax in figure.axes:
        legend = ax.get_legend()
        if legend is None:
            continue
        styles = {(h.get_color(), h.get_linestyle()): t.get_text()  # type: ignore[union-attr]
                  for h, t in zip(legend.legend_handles, legend.get_texts(), strict=True)}
        assert len(styles) == len(legend.get_texts())
        factor = FACTORS[ax.get_ylabel().split("[")[1][:-2]]
        for curve in ax.lines:
            name = styles[curve.get_color(), curve.get_linestyle()]
            found[name] = factor * np.asarray(curve.get_ydata(), float)
    return found


@pytest.mark.parametrize("nodes", [2, 11, MOST_CURVES])
def test_every_curve_has_a_style_of_its_own_and_its_name(nodes: int) -> None:
    """Node k of a chain of n equal resistors is at (1 - k / n) times the source."""
    volts = np.linspace(0, 1, 5)
    sweep = dc_sweep(ladder(nodes), {"v1": volts})
    figure = sweep_figure(SimpleNamespace(title="t", analyses={}), "dc", sweep)
    assert figure is not None
    curves = names_and_curves(figure)
    assert list(curves) == [f"v(n{k})" for k in range(nodes)]
    for k, values in enumerate(curves.values()):
        np.testing.assert_allclose(values, (1 - k / nodes) * volts, rtol=1e-9, atol=1e-15)
    assert_tidy(figure)


def test_one_plot_of_many_outputs_names_them_all() -> None:
    sweep = dc_sweep(ladder(MOST_CURVES), {"v1": [0.0, 1.0]})
    ax = sweep_plot(sweep, [f"v(n{k})" for k in range(MOST_CURVES)])
    assert isinstance(ax.figure, Figure)
    assert len(names_and_curves(ax.figure)) == MOST_CURVES


def test_outputs_beyond_the_styles_are_a_map() -> None:
    volts = np.linspace(0, 1, 5)
    sweep = dc_sweep(ladder(64), {"v1": volts})
    figure = sweep_figure(SimpleNamespace(title="t", analyses={}), "dc", sweep)
    assert figure is not None
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == [f"v(n{k})" for k in range(64)]
    (mesh,) = ax.collections
    expected = (1 - np.arange(64)[:, None] / 64) * volts
    np.testing.assert_allclose(np.asarray(mesh.get_array()), expected, rtol=1e-9, atol=1e-15)
    assert bar_of(ax)[1] == "voltage [V]"
    assert_tidy(figure)
    with pytest.raises(DataError, match="at most 40 outputs, here are 64; sweep_map"):
        sweep_plot(sweep, [f"v(n{k})" for k in range(64)])


def test_maps_of_one_point_and_of_many_outputs_are_drawn() -> None:
    ax = sweep_map(dc_sweep(ladder(150), {"v1": [1.0]}), [f"v(n{k})" for k in range(150)])
    assert len(ax.get_yticklabels()) == 100
    nested = dc_sweep(network(), {"i1": [0.0, 1e-3], "v1": [0.0, 1.0]})
    with pytest.raises(DataError, match="one swept quantity"):
        sweep_map(nested, ["v(out)"])


@pytest.mark.parametrize(("saved", "printed", "drawn"), [
    (None, ["v(n3)", "i(v1)"], ["v(n3)", "i(v1)"]), (["v(n1)"], ["v(n3)"], ["v(n1)", "v(n3)"]),
    (["v(n2)"], [], ["v(n2)"])])
def test_what_print_and_save_ask_for_is_drawn(saved: list[str] | None, printed: list[str],
                                              drawn: list[str]) -> None:
    run = SimpleNamespace(title="t", analyses={}, outputs=lambda name: saved, printed=lambda name: printed)
    figure = sweep_figure(run, "dc", dc_sweep(ladder(6), {"v1": [0.0, 1.0]}))
    assert figure is not None
    labels = [text.get_text() for ax in figure.axes for text in getattr(ax.get_legend(), "texts", [])]
    single = [ax.get_ylabel().split(" [")[0] for ax in figure.axes if ax.get_legend() is None]
    assert [*labels, *single] == drawn


# -- figures

def boxes(figure: Figure) -> list[tuple[float, float, float, float]]:
    """Extent (x0, y0, x1, y1) of every panel with all that belongs to it, and of the title [inch]."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    found = [ax.get_tightbbox(canvas.get_renderer()) for ax in figure.axes]
    title = figure._suptitle  # type: ignore[attr-defined]
    found += [title.get_window_extent(canvas.get_renderer())] if title is not None else []
    return [(box.x0 / figure.dpi, box.y0 / figure.dpi, box.x1 / figure.dpi, box.y1 / figure.dpi)
            for box in found if box is not None]


def assert_tidy(figure: Figure) -> None:
    width, height = figure.get_size_inches()
    found = boxes(figure)
    for x0, y0, x1, y1 in found:
        assert x0 >= -0.02 and y0 >= -0.02 and x1 <= width + 0.02 and y1 <= height + 0.02
    for a, b in combinations(found, 2):
        assert min(a[2], b[2]) <= max(a[0], b[0]) + 0.02 or min(a[3], b[3]) <= max(a[1], b[1]) + 0.02


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_overlaps_in_the_maps_of_an_array(shape: tuple[int, int]) -> None:
    figure = arrays.array_figure(point_of(shape).array("x"), "An array with a title of usual length — op, x")
    assert len(boxes(figure)) == 5
    assert_tidy(figure)


def test_nothing_overlaps_in_the_figure_of_a_sweep() -> None:
    circuit = network()
    run = SimpleNamespace(title="t", analyses={})
    for axes in ({"v1": np.linspace(0, 1, 40)}, {"i1": np.linspace(0, 1, 40), "v1": np.array([0.0, 1.0])}):
        figure = sweep_figure(run, "dc", dc_sweep(circuit, axes))
        assert figure is not None
        assert_tidy(figure)


@pytest.mark.parametrize("shape", [(15, 15), (3, 60), (60, 3)])
def test_a_long_title_is_wrapped(shape: tuple[int, int]) -> None:
    title = "A deck whose first line tells all about it, " * 3 + "and its end — op, x"
    figure = arrays.array_figure(point_of(shape).array("x"), title)
    assert " ".join(figure.get_suptitle().split()) == title
    assert_tidy(figure)
    endless = arrays.array_figure(point_of((2, 2)).array("x"), title * 20)
    assert endless.get_suptitle().endswith("…")
    assert_tidy(endless)


def test_the_check_for_overlaps_sees_them() -> None:
    figure = Figure(figsize=(4, 4))
    figure.add_axes((0.2, 0.2, 0.5, 0.5)).set_title("one")
    figure.add_axes((0.2, 0.72, 0.5, 0.2)).set_title("two")
    with pytest.raises(AssertionError):
        assert_tidy(figure)


def test_a_run_becomes_pictures(tmp_path: Path) -> None:
    circuit = network()
    volts = np.linspace(0, 1, 11)
    analyses = {"op": point_of((4, 5)), "op2": operating_point(circuit),
                "dc": dc_sweep(circuit, {"v1": volts}),
                "dc2": dc_sweep(circuit, {"i1": [0, 1e-3], "v1": volts})}
    run = SimpleNamespace(title="Costs $5 and $6_\n{x", analyses=analyses,
                          outputs=lambda name: ["v(out)"] if name == "dc2" else None)
    before = dict(mpl.rcParams)
    files = save_run(run, tmp_path / "figures")
    assert [f.name for f in files] == ["op_x.png", "dc.png", "dc2.png"]
    assert sorted(files) == sorted((tmp_path / "figures").iterdir())
    for file in files:
        picture = imread(file)
        assert picture.ndim == 3 and min(picture.shape[:2]) > 200 and picture[..., :3].std() > 0.05
    assert dict(mpl.rcParams) == before


def test_many_outputs_of_a_nested_sweep_are_cut_and_the_title_says_so() -> None:
    b = CircuitBuilder()
    b.add_one(VoltageSources, "v1", ["n0", "0"], value=1.0)
    b.add_one(VoltageSources, "v2", ["m", "0"], value=1.0)
    for k in range(30):
        b.resistor(f"r{k}", f"n{k}", f"n{k + 1}" if k < 29 else "m", 1.0)
    sweep = dc_sweep(b.build(), {"v2": [0.0, 1.0], "v1": [0.0, 1.0]})
    figure = sweep_figure(SimpleNamespace(title="t", analyses={}), "dc", sweep)
    assert figure is not None and len(figure.axes) == 24
    assert "24 of 33 outputs" in figure.get_suptitle()
    nothing = SimpleNamespace(title="t", analyses={}, outputs=lambda name: [])
    assert sweep_figure(nothing, "dc", sweep) is None


def test_every_format_is_written(tmp_path: Path) -> None:
    run = SimpleNamespace(title="t", analyses={"op": point_of((2, 3))})
    files = save_run(run, tmp_path, FORMATS)
    assert [file.name for file in files] == ["op_x.png", "op_x.svg", "op_x.pdf"]
    begins = [file.read_bytes()[:5] for file in files]
    assert begins == [b"\x89PNG\r", b"<?xml", b"%PDF-"]
    bad_formats: list[list[str]] = [["gif"], ["png", "bmp"], []]
    for formats in bad_formats:
        with pytest.raises(DataError, match="png, svg, pdf"):
            save_run(run, tmp_path, formats)


def test_a_given_axes_is_used() -> None:
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert cell_map(solution_of(), "cell_voltage", left) is left
    assert sweep_plot(dc_sweep(network(), {"v1": [0.0, 1.0]}), "v(out)", ax=right) is right
    assert line_profile(solution_of(), ax=right) is right


def test_pyplot_is_never_imported() -> None:
    code = ("import io, sys, numpy as np, crossbar.plots as p\n"
            "from crossbar.arrays import PassiveArray as A\n"
            "ax = p.cell_map(A(np.ones((2, 2))).solve(word_left=1.0), 'cell_voltage')\n"
            "ax.figure.savefig(io.BytesIO(), format='png')\n"
            "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, cwd=Path(__file__).parents[1])
