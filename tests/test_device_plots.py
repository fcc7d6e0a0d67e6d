"""Figures of a junction: every point is a number of crossbar.mtj in other units, axes have units, nothing overlaps."""

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.lines import Line2D

from crossbar import mtj
from crossbar.errors import DataError
from crossbar.mtj.parameters import MTJParams
from crossbar.mtj.switching import Method
from crossbar.plots import (DeviceFigures, disturb_map, error_voltage_plot, error_width_plot, resistance_plot, save_device,
                            tmr_plot)
from crossbar.plots.devices import LEVELS

Array = npt.NDArray[np.float64]
FACTORS = {"p": 1e-12, "n": 1e-9, "µ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}
JUNCTION = mtj.presets["mtj-60kT"]
DAFFODIL = mtj.presets["daffodil"]
BOTH = pytest.mark.parametrize("state", [1, -1])
METHODS: dict[str, Method] = {"-": "fokker-planck", "--": "formula"}  # of the styles of lines
DIRECTIONS: list[Callable[..., Axes]] = [error_width_plot, error_voltage_plot, disturb_map]


def unit(label: str) -> float:
    """Factor of the unit that ends an axis label: "voltage [mV]" -> 1e-3."""
    inside = label[label.rindex("[") + 1:label.rindex("]")]
    return 1e-2 if inside == "%" else FACTORS[inside[:-1]]


def points(line: Line2D, ax: Axes) -> tuple[Array, Array]:
    """A curve in SI units; a label without a unit is that of a pure number."""
    x, y = np.asarray(line.get_xydata(), dtype=float).T
    return x * unit(ax.get_xlabel()), y * (unit(ax.get_ylabel()) if "[" in ax.get_ylabel() else 1.0)


def legend(ax: Axes) -> list[str]:
    found = ax.get_legend()
    assert found is not None
    return [t.get_text() for t in found.get_texts()]


def curves(ax: Axes, style: str) -> list[Line2D]:
    """Curves of a style, without the verticals of thresholds."""
    return [line for line in ax.lines if line.get_linestyle() == style and np.size(line.get_xdata()) > 2]


def assert_tidy(figure: Figure) -> None:
    """Every text is inside the figure, and no panel, legend or title lies over another; nor do tick labels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    width, height = figure.bbox.width, figure.bbox.height
    groups = [[ax.get_tightbbox(renderer) for ax in figure.axes]]
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
            groups.append([text.get_window_extent(renderer) for at, text in ticks if low <= at <= high and text.get_text()])
        groups.append([ax.title.get_window_extent(renderer), ax.xaxis.label.get_window_extent(renderer),
                       ax.yaxis.label.get_window_extent(renderer)])
    for group in groups:
        boxes = [box for box in group if box is not None]
        for box in boxes:
            assert box.x0 >= -2 and box.y0 >= -2 and box.x1 <= width + 2 and box.y1 <= height + 2
        for a, b in combinations(boxes, 2):
            assert min(a.x1, b.x1) <= max(a.x0, b.x0) + 1 or min(a.y1, b.y1) <= max(a.y0, b.y0) + 1


# -- conduction

@pytest.mark.parametrize("p", [JUNCTION, DAFFODIL, JUNCTION.replace(barrier=0.4, asymmetry=0.1), MTJParams(r_p=5e3)])
def test_resistances_are_those_of_the_conduction_law(p: MTJParams) -> None:
    ax = resistance_plot(p)
    for line, state in zip(curves(ax, "-"), (1, -1), strict=True):
        v, r = points(line, ax)
        i, slope = mtj.current(v, p, state)
        away = np.abs(v) > 1e-6
        assert v.min() == -v.max() and (~away).sum() == 1
        np.testing.assert_allclose(r[away] * i[away], v[away], rtol=1e-12)
        np.testing.assert_allclose(r[~away] * slope[~away], 1, rtol=1e-12)
        assert r.max() == pytest.approx(1 / float(mtj.conductance(p, state)), rel=0.05)
    assert legend(ax)[:2] == ["P", "AP"] and ax.get_ylabel().endswith("[kΩ]")


def test_thresholds_stand_on_the_curve_that_is_left() -> None:
    ax = resistance_plot(JUNCTION)
    marks = [line for line in ax.lines if line.get_marker() in ("^", "v")]
    for line, state in zip(marks, (1, -1), strict=True):
        (v,), (r,) = points(line, ax)
        assert v == pytest.approx(-state * float(JUNCTION.v_c0(state)))
        assert v / r == pytest.approx(float(mtj.current(v, JUNCTION, state)[0]))
    assert ["506 mV" in legend(ax)[2], "399 mV" in legend(ax)[3]] == [True, True]
    assert len(legend(resistance_plot(MTJParams(r_p=5e3, alpha=None)))) == 2  # no threshold is known, none is shown


@pytest.mark.parametrize("p", [JUNCTION, DAFFODIL, JUNCTION.replace(temperature=400.0)])
def test_the_tmr_halves_at_v_h(p: MTJParams) -> None:
    ax = tmr_plot(p, voltages=np.linspace(-1, 1, 201))
    v, ratio = points(ax.lines[0], ax)
    p_current, ap_current = (mtj.current(v, p, state)[0] for state in (1, -1))
    away = np.abs(v) > 1e-6
    np.testing.assert_allclose(ratio[away], p_current[away] / ap_current[away] - 1, rtol=1e-9)
    ends, halves = points(ax.lines[1], ax)
    assert ends == pytest.approx([-0.5, 0.5]) and halves == pytest.approx(np.interp(ends, v, ratio))
    assert ratio.max() == pytest.approx(2 * halves[0]) == pytest.approx(float(p.tmr_0))
    assert "%" in ax.get_ylabel() and ax.get_ylim()[0] == 0


# -- switching

@BOTH
def test_errors_against_width(state: int) -> None:
    volts, widths = np.array([0.5, 0.7, 1.0]), np.geomspace(1e-9, 1e-7, 50)
    ax = error_width_plot(JUNCTION, state, voltages=volts, widths=widths)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log") and ax.get_ylim()[0] == 1e-12
    for style, method in METHODS.items():
        for line, v in zip(curves(ax, style), volts, strict=True):
            t, error = points(line, ax)
            np.testing.assert_allclose(t, widths, rtol=1e-12)
            np.testing.assert_allclose(error, mtj.write_error_rate(-state * v, widths, JUNCTION, state, method), rtol=1e-12)
            assert (np.diff(error) <= 0).all()
    assert legend(ax)[0] == "Fokker–Planck" and [t.split(" = ")[0] for t in legend(ax)[2:]] == ["500 mV", "700 mV", "1 V"]
    assert ("P → AP" in ax.get_title()) == (state == 1) and ax.get_xlabel() == "pulse width [ns]"


@BOTH
def test_errors_against_voltage(state: int) -> None:
    volts, widths = np.linspace(0, 1.5, 50), np.array([5e-9, 5e-8])
    ax = error_voltage_plot(JUNCTION, state, voltages=volts, widths=widths)
    for style, method in METHODS.items():
        for line, t in zip(curves(ax, style), widths, strict=True):
            v, error = points(line, ax)
            np.testing.assert_allclose(v, volts, rtol=1e-12)
            np.testing.assert_allclose(error, mtj.write_error_rate(-state * volts, t, JUNCTION, state, method), rtol=1e-12)
    assert legend(ax)[2:] == ["5 ns", "50 ns", f"$V_{{c0}}$ = {1e3 * float(JUNCTION.v_c0(state)):.0f} mV"]
    (vertical,) = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert np.asarray(vertical.get_xdata())[0] * unit(ax.get_xlabel()) == pytest.approx(float(JUNCTION.v_c0(state)))


@BOTH
def test_the_map_shows_the_switching_probability(state: int) -> None:
    volts, widths = np.linspace(0, 0.6, 161), np.geomspace(1e-9, 1e-3, 121)
    ax = disturb_map(JUNCTION, state, voltages=volts, widths=widths)
    (mesh,) = [c for c in ax.collections if isinstance(c, QuadMesh)]
    expected = mtj.switching_probability(-state * volts, widths[:, None], JUNCTION, state)
    np.testing.assert_allclose(np.asarray(mesh.get_array()).reshape(121, 161), expected, rtol=1e-12)
    (lines,) = [c for c in ax.collections if hasattr(c, "levels")]
    np.testing.assert_allclose(10.0 ** lines.levels, LEVELS, rtol=1e-9)
    for level, path in zip(LEVELS, lines.get_paths(), strict=True):  # on a line the probability is its level
        v, t = path.vertices.T  # type: ignore[union-attr]
        there = mtj.switching_probability(-state * v * unit(ax.get_xlabel()), t, JUNCTION, state)
        assert np.abs(np.log10(there / level)).max() < 0.05
    assert ax.get_ylabel() == "pulse width [s]" and ax.child_axes[0].get_ylabel() == "switching probability"


@BOTH
def test_the_marks_of_the_map_are_the_half_selected_cells(state: int) -> None:
    ax = disturb_map(JUNCTION, state, write_error=1e-3, write_width=2e-8)
    for line, share in zip(ax.lines, (2, 3), strict=True):
        (v,), (t,) = points(line, ax)
        assert t == pytest.approx(2e-8)
        assert mtj.write_error_rate(-state * share * v, t, JUNCTION, state) == pytest.approx(1e-3, rel=1e-6)
    found = ax.get_legend()
    assert found is not None and "20 ns" in found.get_title().get_text() and "0.001" in found.get_title().get_text()


def test_a_map_without_contours_is_still_a_map() -> None:
    ax = disturb_map(JUNCTION, 1, voltages=[0.0, 0.01], widths=[1e-9, 2e-9])
    assert not [c for c in ax.collections if hasattr(c, "levels")]


@pytest.mark.parametrize("draw", DIRECTIONS)
def test_states_may_have_other_names(draw: Callable[..., Axes]) -> None:
    assert draw(JUNCTION, "AP").get_title() == draw(JUNCTION, -1).get_title()
    assert "V > 0" in draw(JUNCTION, "AP").get_title()


# -- what cannot be drawn

MANY = JUNCTION.replace(diameter=np.array([40e-9, 50e-9]))


@pytest.mark.parametrize("draw", DIRECTIONS)
@pytest.mark.parametrize(("p", "state", "words"), [
    (MANY, 1, "one junction"), (DAFFODIL, 1, "switching needs delta"), (JUNCTION, 2, "MTJ states"),
    (JUNCTION, [1, -1], "one dir"), (JUNCTION.replace(k_i=0.9e-3), 1, "K_eff <= 0"),
    (JUNCTION.replace(temperature=4.0), 1, "table reaches")])
def test_what_the_physics_lacks_is_refused(draw: Callable[..., Axes], p: MTJParams, state: int, words: str) -> None:
    with pytest.raises(DataError, match=words):
        draw(p, state)


def test_what_is_no_range_is_refused(tmp_path: Path) -> None:
    for draw in (resistance_plot, tmr_plot):
        with pytest.raises(DataError, match="one junction"):
            draw(MANY)
        with pytest.raises(DataError, match="voltages"):
            draw(JUNCTION, voltages=[0.1, np.nan])
    with pytest.raises(DataError, match="one junction"):
        save_device(MANY, tmp_path, "many")
    for switching in DIRECTIONS:
        for name, values in (("widths", [0.0, 1e-9]), ("widths", []), ("voltages", [np.inf, 1]), ("voltages", [[0.1], [0.2]])):
            with pytest.raises(DataError, match="must be a list"):
                switching(JUNCTION, 1, **{name: values})
    for voltages, widths in (([0.1], None), ([0.2, 0.1], None), (None, [1e-8, 1e-9])):
        with pytest.raises(DataError, match="rising"):
            disturb_map(JUNCTION, 1, voltages=voltages, widths=widths)


# -- figures

@pytest.mark.parametrize("name", list(mtj.presets))
def test_files_of_a_device(name: str, tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    p = mtj.presets[name]
    done = save_device(p, tmp_path / "figures", "Costs $5 and $6_\n{x")
    assert isinstance(done, DeviceFigures) and sorted(done.files) == sorted((tmp_path / "figures").iterdir())
    assert {f.stem for f in done.files} | set(done.left_out) == {"resistance", "tmr", "error_width", "error_voltage", "disturb"}
    known = p.delta is not None
    assert len(done.files) == (5 if known else 2) and all("delta" in why for why in done.left_out.values())
    for file in done.files:
        picture = imread(file)
        assert picture.ndim == 3 and min(picture.shape[:2]) > 400 and picture[..., :3].std() > 0.05
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("p", [JUNCTION, mtj.presets["ut-50nm"], JUNCTION.replace(diameter=30e-9, temperature=400.0)])
def test_nothing_overlaps(p: MTJParams) -> None:
    for draw in (resistance_plot, tmr_plot):
        figure = draw(p).figure
        assert isinstance(figure, Figure)
        assert_tidy(figure)
    for switching in DIRECTIONS:
        figure = Figure(figsize=(13.2, 4.4), layout="constrained")
        for state, ax in zip((1, -1), figure.subplots(1, 2), strict=True):
            assert switching(p, state, ax) is ax
        figure.suptitle("a junction")
        assert_tidy(figure)


def test_a_single_point_is_drawn() -> None:
    for switching in (error_width_plot, error_voltage_plot):
        figure = switching(JUNCTION, 1, voltages=0.7, widths=1e-8).figure
        assert isinstance(figure, Figure)
        assert_tidy(figure)


# Measurements


def measured(ax: Axes) -> tuple[Array, Array]:
    """The measurements of a figure, in SI units."""
    line, = (line for line in ax.lines if line.get_label() == "measured")
    assert ax.get_legend() is None or "measured" in legend(ax)
    return points(line, ax)


@pytest.mark.parametrize(("draw", "x", "y"), [
    (resistance_plot, [-0.7, 0.1, 1.4], [5e3, 1.1e4, 4.8e3]), (tmr_plot, [-0.3, 0.02, 0.9], [0.8, 1.2, 0.3]),
    (error_width_plot, [1e-9, 3e-9, 2e-8], [0.9, 1e-3, 1e-7]), (error_voltage_plot, [0.4, 0.7, 1.1], [1.0, 1e-2, 1e-9]),
    (disturb_map, [0.1, 0.2, 0.3], [1e-8, 1e-6, 1e-5])])
def test_measurements_stand_where_they_were_measured(draw: Callable[..., Axes], x: list[float], y: list[float]) -> None:
    """In the units of the axes, and inside them."""
    state = () if draw in (resistance_plot, tmr_plot) else (1,)
    ax = draw(JUNCTION, *state, data=(x, y))
    assert np.allclose(measured(ax), [x, y], rtol=1e-9)
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    scale = unit(ax.get_xlabel())
    assert left * scale <= min(x) and max(x) <= right * scale
    line, = (line for line in ax.lines if line.get_label() == "measured")
    heights = np.asarray(line.get_ydata(), dtype=float)
    assert low <= heights.min() and heights.max() <= high


@BOTH
def test_no_failure_at_all_stands_on_the_axis(state: int) -> None:
    ax = error_width_plot(JUNCTION, state, data=([5e-9], [0.0]))
    assert measured(ax)[1] == ax.get_ylim()[0]


def test_voltages_of_either_sign_are_magnitudes_on_axes_of_magnitudes() -> None:
    ax = error_voltage_plot(JUNCTION, 1, data=([-0.7], [0.1]))
    assert np.allclose(measured(ax)[0], 0.7)


@pytest.mark.parametrize(("data", "message"), [
    (([1.0], [1.0, 2.0]), "do not fit"), ([1.0, 2.0, 3.0], "pair"), (3.0, "pair"), (([np.nan], [1.0]), "finite"),
    ((["a"], [1.0]), "real numbers"), (([], []), "list")])
def test_data_that_are_no_pair(data: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        resistance_plot(JUNCTION, data=data)  # type: ignore[arg-type]


def test_error_rates_are_shares() -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        error_width_plot(JUNCTION, 1, data=([1e-9], [50.0]))


def test_a_threshold_of_one_direction_is_drawn() -> None:
    ax = resistance_plot(DAFFODIL.replace(v_c0_ap=None, i_c0_ap=None))
    assert any("V_{c0}" in text for text in legend(ax))
