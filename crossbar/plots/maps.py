"""Values over the cells of an array as colours: a scale for each kind of value, and a bar beside the map.

Word lines run downwards on y, bit lines to the right on x, as an array is drawn; cell [0,0] is top
left. A bar shows no colours that do not occur; that of a map of one value has one tick.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.ticker import (FixedLocator, Formatter, FuncFormatter, Locator, LogFormatterSciNotation,
                               MaxNLocator, ScalarFormatter)

from crossbar.elements.base import Array
from crossbar.plots.style import SEQUENTIAL, bar_axes, new_axes, unit_of

DIVERGING = "RdBu_r"
WIDE = 2.5      # a map whose sides differ more is stretched; a wide one has its colour bar below
FLOOR = 1e-15   # probabilities below are all one colour: an array is not written as often
_GREY = "0.6"   # of cells without a value
_NOISE = 1e-9   # differences below this, relative to the largest value or drive, are rounding
_SIGN = 1e-3    # share of the largest value from which on the other sign gets colours of its own
_TICKS = 8      # at most along a side, and where the map is stretched flat:
_FEW_TICKS = 4


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How values become colours, and what the bar shows of it."""

    cmap: str
    norm: Normalize            # of values / factor
    shown: tuple[float, float]  # range of the bar
    ticks: Locator
    labels: Formatter
    factor: float = 1.0
    title: str = ""            # of the bar: unit, or what the values are
    open_below: bool = False   # whether the last colour stands for all that is less


def draw_map(values: Array, title: str, scale: Scale, ax: Axes | None, grey: str = "none") -> Axes:
    """Values (M, N) as a map with a colour bar, grey where they are NaN; the title says what that means."""
    rows, columns = values.shape
    ratio = columns / rows
    ax = new_axes() if ax is None else ax
    if np.isnan(values).any():
        title = f"{title} (grey: {grey})"
    image = ax.imshow(values / scale.factor, norm=scale.norm, origin="upper",
                      cmap=colormaps[scale.cmap].with_extremes(bad=_GREY),
                      aspect="equal" if 1 / WIDE <= ratio <= WIDE else "auto")
    ax.set(title=title, xlabel="bit line", ylabel="word line")
    for axis, lines, flat in ((ax.xaxis, columns, ratio < 1 / WIDE), (ax.yaxis, rows, ratio > WIDE)):
        most = min(lines, _FEW_TICKS if flat else _TICKS)
        axis.set_major_locator(MaxNLocator(nbins=most, integer=True, min_n_ticks=1))

    below = ratio > WIDE
    bar = ax.figure.colorbar(image, cax=bar_axes(ax, below), label=scale.title, ticks=scale.ticks,
                             format=scale.labels, extend="min" if scale.open_below else "neither",
                             orientation="horizontal" if below else "vertical")
    bar.outline.set_linewidth(0.5)  # type: ignore[operator]
    bar.minorticks_off()
    (bar.ax.set_xlim if below else bar.ax.set_ylim)(*scale.shown)
    return ax


def linear_scale(values: Array, unit: str, drive: float = 0.0, diverging: bool | None = None) -> Scale:
    """Of voltages, currents and such.

    drive : voltage [V] whose rounding errors get no colours. diverging : whether colours diverge from
    zero; None: where both signs matter.
    """
    low, high = _range(values)
    size = max(abs(low), abs(high))
    if diverging is None:
        diverging = has_both_signs(values)
    cmap = DIVERGING if diverging else SEQUENTIAL
    if size <= _NOISE * drive or size == 0:
        return _of_one_value(0.0, 0.01 * drive or 1.0, unit, cmap)
    if high - low <= _NOISE * max(size, drive):
        return _of_one_value((low + high) / 2, size, unit, cmap)

    factor, label = unit_of(unit, size)
    ends = (-size, size) if diverging else (low, high)
    decimals = ScalarFormatter(useOffset=False)
    decimals.set_scientific(False)
    return Scale(cmap=cmap, factor=factor, title=label,
                 norm=Normalize(ends[0] / factor, ends[1] / factor),
                 shown=(low / factor, high / factor), ticks=MaxNLocator(5), labels=decimals)


def count_scale(values: Array) -> Scale:
    """Of how often something happened; ticks are whole numbers where the values are."""
    low, high = _range(values)
    if low == high:
        return _of_one_value(low, max(abs(low), 1.0), "")
    whole = bool((values == np.round(values))[np.isfinite(values)].all())
    return Scale(cmap=SEQUENTIAL, norm=Normalize(low, high), shown=(low, high),
                 ticks=MaxNLocator(5, integer=whole), labels=FuncFormatter(_short))


def probability_scale(values: Array) -> Scale:
    """Of probabilities, logarithmic down to `FLOOR`, below which all are one colour."""
    least, most = _range(values)
    low, high = max(least, FLOOR), max(most, FLOOR)
    clipped = least < FLOOR
    title = f"probability (lowest: {FLOOR:g} or less)" if clipped else "probability"
    if high <= low * (1 + _NOISE):
        return Scale(cmap=SEQUENTIAL, norm=LogNorm(low / 10, high * 10), ticks=FixedLocator([low]),
                     shown=(low / 1.001, high * 1.001), labels=FuncFormatter(_short), title=title)
    ticks = _decades(low, high)
    labels: Formatter = LogFormatterSciNotation(labelOnlyBase=False)
    if len(ticks) < 2:
        ticks = [low, high]
        labels = FuncFormatter(_short)
    return Scale(cmap=SEQUENTIAL, norm=LogNorm(low, high, clip=True), shown=(low, high), title=title,
                 ticks=FixedLocator(ticks), labels=labels, open_below=clipped)


def has_both_signs(*maps: Array, drive: float = 0.0) -> bool:
    """Whether both signs matter in any of the maps; rounding errors of `drive` don't."""
    for values in maps:
        low, high = _range(values)
        if min(-low, high) > max(_SIGN * max(-low, high), _NOISE * drive):
            return True
    return False


def _of_one_value(value: float, margin: float, unit: str, cmap: str = SEQUENTIAL) -> Scale:
    """One colour and one tick; `margin` is how far another value would be from it in colour."""
    factor, label = unit_of(unit, abs(value) or margin)
    middle, margin = value / factor, margin / factor
    return Scale(cmap=cmap, norm=Normalize(middle - margin, middle + margin), factor=factor,
                 shown=(middle - 1e-3 * margin, middle + 1e-3 * margin), title=label,
                 ticks=FixedLocator([middle]), labels=FuncFormatter(_short))


def _range(values: Array) -> tuple[float, float]:
    """Least and largest of what is finite, 0 where nothing is."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 0.0
    return float(finite.min()), float(finite.max())


def _decades(low: float, high: float) -> Sequence[float]:
    """Powers of ten from low to high, at most six or so."""
    first, last = int(np.ceil(np.log10(low) - _NOISE)), int(np.floor(np.log10(high) + _NOISE))
    step = max(1, -(-(last - first) // 5))
    return [10.0 ** k for k in range(last, first - 1, -step)]


def _short(value: float, _position: int | None = None) -> str:
    """A number for a tick that stands alone."""
    return f"{value:.4g}".replace("-", "−").replace("e−0", "e−")
