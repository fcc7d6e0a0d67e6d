"""Sweeps as figures: curves whose style tells which output they are, or a map of many outputs.

A curve of an output has a colour and line style of its own and stands in the legend. Of a nested
sweep the outer values have colours, graded beside a bar where there are many, and the outputs line
styles.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from crossbar.analysis import Sweep
from crossbar.errors import DataError
from crossbar.io.tables import Column, Run, columns, default_outputs, kept_outputs, swept_unit
from crossbar.plots.maps import linear_scale
from crossbar.plots.style import (CURVES, LINES, Array, bar_axes, curve_styles, elided, finish, graded, new_axes,
                                  number, plain, set_title, unit_of)

MOST_CURVES = CURVES * len(LINES)  #: of one plot: so many styles can be told apart
_PANELS = 24       # most panels of a figure
_MARKED = 30       # points up to which each is marked
_LABELS = 100      # outputs of a map that are all named
_ROW = 0.16        # height of a named output in a map [inch]
_WHAT = {"V": "voltage", "A": "current"}


def sweep_plot(sweep: Sweep, outputs: str | Sequence[str], ax: Axes | None = None) -> Axes:
    """Outputs against the innermost swept quantity; for nested sweeps families of curves.

    In a family outer values have colours and outputs line styles, of which there are four. Raises
    DataError for unknown outputs, for none or more than can be told apart (`sweep_map` takes any
    number), or for outputs of different units.
    """
    kept = _of_one_unit(sweep, outputs)
    *outer, inner = sweep.axes
    if not outer and len(kept) > MOST_CURVES:
        raise DataError(f"one plot takes at most {MOST_CURVES} outputs, here are {len(kept)}; "
                        "sweep_map takes any number")
    if outer and len(kept) > len(LINES):
        raise DataError(f"one plot of a nested sweep takes at most {len(LINES)} outputs")
    ax = new_axes() if ax is None else ax
    factor, label = unit_of(kept[0].unit, max(_largest(c.values) for c in kept))
    what = elided(kept[0].name) if len(kept) == 1 else _WHAT.get(kept[0].unit, "")
    ax.set_ylabel(_labelled(what, label))
    (_family_curves if outer else _curves)(ax, sweep, kept, factor)
    return ax


def sweep_map(sweep: Sweep, outputs: Sequence[str], ax: Axes | None = None) -> Axes:
    """Outputs, one below the other, against the swept quantity, as colours.

    Raises DataError for unknown outputs, none, outputs of different units, or a nested sweep.
    """
    kept = _of_one_unit(sweep, outputs)
    if len(sweep.axes) != 1:
        raise DataError("a map shows one swept quantity; here are " + ", ".join(sweep.axes))
    inner, = sweep.axes
    x, x_label = _scaled_axis(sweep, inner)
    values = np.array([column.values for column in kept])
    scale = linear_scale(values, kept[0].unit)
    ax = new_axes() if ax is None else ax

    image = ax.pcolormesh(_edges(x), np.arange(len(kept) + 1) - 0.5, values / scale.factor, norm=scale.norm,
                          cmap=colormaps[scale.cmap], rasterized=True)
    ax.invert_yaxis()
    shown = np.unique(np.linspace(0, len(kept) - 1, min(len(kept), _LABELS)).round().astype(int))
    ax.set_yticks(shown, [plain(elided(kept[k].name)) for k in shown], fontsize="x-small")
    ax.set_xlabel(x_label)
    what = _WHAT.get(kept[0].unit, "value")
    bar = ax.figure.colorbar(image, cax=bar_axes(ax, False), ticks=scale.ticks, format=scale.labels,
                             label=_labelled(what, scale.title))
    bar.ax.set_ylim(*scale.shown)
    return ax


def sweep_figure(run: Run, name: str, sweep: Sweep) -> Figure | None:
    """What .save and .print name of a sweep, or else the usual outputs, in panels; None for no outputs.

    Of a nested sweep a panel for each output; else panels of at most ten curves of one unit, or a map
    where there are more outputs than styles.
    """
    found = columns(sweep, _asked_for(run, name, sweep))
    if not found:
        return None
    title = f"{run.title} — {name}"
    panels = _panels(found, nested=len(sweep.axes) > 1)
    if len(panels) > _PANELS:
        title += f" (the first {_PANELS} of {len(panels)} outputs; .save or .print chooses)"
        panels = panels[:_PANELS]

    across = 1 if len(panels) <= 2 else 2
    rows = [panels[k:k + across] for k in range(0, len(panels), across)]
    heights = [max(_height(panel) for panel in row) for row in rows]
    figure = Figure(figsize=(8.0 * across, 0.6 + sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(rows), across, height_ratios=heights)
    for line, row in enumerate(rows):
        for column, panel in enumerate(row):
            draw = sweep_map if len(panel) > CURVES else sweep_plot
            draw(sweep, panel, figure.add_subplot(grid[line, column]))
    set_title(figure, title)
    return figure


def _asked_for(run: Run, name: str, sweep: Sweep) -> Sequence[str]:
    printed = getattr(run, "printed", None)
    kept = kept_outputs(run, name)
    prints = () if printed is None else printed(name)
    if kept is None and not prints:
        return default_outputs(sweep.circuit)
    return [*(kept or ()), *prints]


def _panels(found: Sequence[Column], nested: bool) -> list[list[str]]:
    """Names of the outputs of each panel."""
    if nested:
        return [[column.name] for column in found]
    panels = []
    for unit in dict.fromkeys(column.unit for column in found):
        names = [column.name for column in found if column.unit == unit]
        if len(names) > MOST_CURVES:
            panels.append(names)
            continue
        count = -(-len(names) // CURVES)
        panels += [part.tolist() for part in np.array_split(np.array(names, dtype=object), count)]
    return panels


def _height(panel: Sequence[str]) -> float:
    """Of a panel [inch]."""
    return max(3.4, 0.8 + _ROW * min(len(panel), _LABELS)) if len(panel) > CURVES else 3.4


def _of_one_unit(sweep: Sweep, outputs: str | Sequence[str]) -> list[Column]:
    kept = columns(sweep, [outputs] if isinstance(outputs, str) else outputs)
    if len({c.unit for c in kept}) != 1:
        raise DataError("one plot takes outputs of one unit, at least one; plot voltages and currents apart")
    return kept


def _curves(ax: Axes, sweep: Sweep, kept: Sequence[Column], factor: float) -> None:
    """A curve for each output of a sweep of one quantity."""
    inner, = sweep.axes
    x, x_label = _scaled_axis(sweep, inner)
    ax.set_xlabel(x_label)
    curves = []
    for column, style in zip(kept, curve_styles(len(kept)), strict=True):
        curves += ax.plot(x, column.values / factor, marker=_marker(x), label=plain(elided(column.name)),
                          **style)  # type: ignore[arg-type]
    finish(ax, curves)


def _family_curves(ax: Axes, sweep: Sweep, kept: Sequence[Column], factor: float) -> None:
    """Curves for each output at each combination of outer values."""
    *outer, inner = sweep.axes
    x, x_label = _scaled_axis(sweep, inner)
    ax.set_xlabel(x_label)
    combinations = list(product(*(sweep.axes[name] for name in outer)))
    styles: list[Any] = [{"color": style["color"]} for style in curve_styles(len(combinations))]
    proxies = [Line2D([], [], label=plain(_family(sweep, outer, values)), **style)
               for style, values in zip(styles, combinations, strict=True)]
    if len(combinations) > CURVES:
        if len(outer) > 1:
            raise DataError(f"one plot takes {CURVES} combinations of {', '.join(outer)}, here are "
                            f"{len(combinations)}")
        outer_values, title = _scaled_axis(sweep, outer[0])
        styles = [{"color": colour} for colour in graded(ax, outer_values, title)]
        proxies = []
    for column, line in zip(kept, LINES, strict=False):
        for values, style in zip(column.values.reshape(len(combinations), -1), styles, strict=True):
            ax.plot(x, values / factor, line, marker=_marker(x), **style)
    names = [Line2D([], [], color="0.3", ls=line, label=plain(elided(column.name)))
             for column, line in zip(kept, LINES, strict=False)]
    finish(ax, [*(names if len(kept) > 1 else ()), *proxies])


def _family(sweep: Sweep, outer: Sequence[str], values: Sequence[float]) -> str:
    """"r2 = 2 kΩ, i1 = 0 A"."""
    return ", ".join(f"{name} = {number(value, swept_unit(sweep, name))}"
                     for name, value in zip(outer, values, strict=True))


def _scaled_axis(sweep: Sweep, name: str) -> tuple[Array, str]:
    """Values of what is swept in the unit of its label, and the label."""
    factor, unit = unit_of(swept_unit(sweep, name), _largest(sweep.axes[name]))
    return np.asarray(sweep.axes[name]) / factor, _labelled(name, unit)


def _labelled(what: str, unit: str) -> str:
    return plain(f"{what} [{unit}]" if unit else what)


def _marker(x: Array) -> str:
    return "." if x.size <= _MARKED else ""


def _edges(x: Array) -> Array:
    """Edges (n + 1,) of cells around the points x (n,)."""
    if x.size == 1:
        return np.array([x[0] - 0.5, x[0] + 0.5])
    middles = (x[1:] + x[:-1]) / 2
    return np.concatenate(([2 * x[0] - middles[0]], middles, [2 * x[-1] - middles[-1]]))


def _largest(x: Array) -> float:
    """Largest magnitude, 0 if there is none but NaN."""
    return float(np.nan_to_num(np.abs(x)).max(initial=0.0))
