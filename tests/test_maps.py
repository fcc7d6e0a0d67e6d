"""Scales of maps: what a colour bar says of probabilities, counts and constants."""

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crossbar.plots.maps import FLOOR, Scale, count_scale, draw_map, linear_scale, probability_scale

Array = npt.NDArray[np.float64]


def ticks(values: Array, scale: Scale) -> list[str]:
    """Labels of the bar of a map, as drawn."""
    ax = draw_map(values, "title", scale, None)
    assert isinstance(ax.figure, Figure)
    ax.figure.draw_without_rendering()
    (bar,) = ax.child_axes
    assert isinstance(bar, Axes)
    low, high = sorted(bar.get_ylim() if values.shape[1] < 3 * values.shape[0] else bar.get_xlim())
    axis = bar.yaxis if values.shape[1] < 3 * values.shape[0] else bar.xaxis
    return [tick.label1.get_text() or tick.label2.get_text() for tick in axis.get_major_ticks()
            if low * (1 - 1e-9) <= tick.get_loc() <= high * (1 + 1e-9)]


def test_a_probability_of_1e_95_does_not_hide_the_others() -> None:
    """4e-2 and 1e-6 are log10(4e4) = 4.6 of the 13.6 decades above the floor apart."""
    values = np.array([[4e-2, 1e-6], [1e-95, 0.0]])
    scale = probability_scale(values)
    shades = scale.norm(np.maximum(values, FLOOR))
    assert shades[0, 0] - shades[0, 1] == pytest.approx(np.log10(4e4) / np.log10(4e-2 / FLOOR))
    assert shades[1, 0] == shades[1, 1] == 0
    assert scale.open_below and "1e-15 or less" in scale.title


def test_probabilities_above_the_floor_have_no_clipped_end() -> None:
    scale = probability_scale(np.array([[4e-2, 1e-6]]))
    assert not scale.open_below and scale.title == "probability"


@pytest.mark.parametrize(("values", "wanted"), [
    ([[0.0, 1e-40]], ["1e−15"]), ([[0.25, 0.25]], ["0.25"]), ([[0.2, 0.5]], ["0.2", "0.5"])])
def test_probabilities_within_a_decade_have_ticks(values: list[list[float]], wanted: list[str]) -> None:
    array = np.maximum(np.array(values), FLOOR).T
    assert ticks(array, probability_scale(np.array(values))) == wanted


@pytest.mark.parametrize("most", [1, 2, 3, 7, 40])
def test_counts_have_whole_ticks(most: int) -> None:
    values = np.linspace(0, most, 12).round().reshape(3, 4)
    labels = ticks(values, count_scale(values))
    assert len(labels) >= 2 and all(float(label) == int(label) for label in labels)


def test_means_of_counts_may_have_fractions() -> None:
    values = np.array([[0.0, 0.05], [0.1, 0.2]])
    assert any("." in label for label in ticks(values, count_scale(values)))


def test_a_constant_count_has_one_tick() -> None:
    for count in (0.0, 1.0, 8.0):
        values = np.full((2, 3), count)
        assert ticks(values, count_scale(values)) == [f"{count:g}"]


@pytest.mark.parametrize("scale", [linear_scale, count_scale, probability_scale])
def test_a_map_of_nothing_is_drawn(scale: object) -> None:
    values = np.full((2, 3), np.nan)
    made = linear_scale(values, "V") if scale is linear_scale else scale(values)  # type: ignore[operator]
    ax = draw_map(values, "title", made, None, "isolated")
    assert isinstance(ax.figure, Figure)
    ax.figure.draw_without_rendering()
    assert ax.get_title() == "title (grey: isolated)"
