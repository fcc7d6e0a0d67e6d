"""Results of arrays and circuits: maps of an array, profiles along its lines, curves of a sweep.

Word lines run downwards on y, bit lines to the right on x, as an array is drawn; cell [0,0] is top left.
Nothing is computed here but the scaling of units and the voltage lost along the lines:

    word_drop = V(terminal) - V(word node)        bit_drop = V(bit node) - V(terminal)

The terminal is the line's end outside its driver; where both ends are connected, of a word line the one with
the larger |V| (it drives), of a bit line the one with the smaller |V| (it sinks). A line with two open ends
is compared with its own mean.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from crossbar.analysis import Sweep
from crossbar.arrays.reading import SenseMargin
from crossbar.elements.base import Array
from crossbar.elements.solution import ArraySolution
from crossbar.errors import DataError
from crossbar.io.tables import Run, columns, default_outputs, file_name, kept_outputs, swept_unit
from crossbar.plots.style import SEQUENTIAL, bar_axes, finish, new_axes, number, plain, save, short, spread, unit_of
from crossbar.points import OperatingPoint

#: What `cell_map` draws: title and unit.
QUANTITIES = {"cell_voltage": ("Cell voltage", "V"), "cell_current": ("Cell current", "A"),
              "word_drop": ("IR drop along the word lines", "V"),
              "bit_drop": ("IR drop along the bit lines", "V")}

_DIVERGING = "RdBu_r"
_WIDE = 2.5            # a map whose sides differ more is stretched; a wide one has its colour bar below
_ISOLATED = "0.6"      # grey of nodes that no terminal reaches
_NOISE = 1e-9          # differences below this, relative to the drives, are rounding and get no colours
_PANELS = 24           # most panels of a figure
_STYLES = ("-", "--", ":", "-.")


def cell_map(solution: ArraySolution, quantity: str, ax: Axes | None = None, *,
             item: int | None = None) -> Axes:
    """Map of one quantity over the cells, see `QUANTITIES`; grey where no terminal reaches.

    item : which input of a batch. Colours diverge from zero where both signs occur. Raises DataError for an
    unknown quantity, for a batch without `item`, or where the solution kept no node voltages.
    """
    if quantity not in QUANTITIES:
        raise DataError(f"quantity is one of {', '.join(QUANTITIES)}, not {quantity!r}")
    title, unit = QUANTITIES[quantity]
    values = _cell_values(solution, quantity, item)
    drive = max(_largest(v) for v in solution.terminal_voltage.values()) if unit == "V" else 0.0
    return draw_map(values, title, unit, drive, ax)


def margin_map(margin: SenseMargin, ax: Axes | None = None, *, relative: bool = False) -> Axes:
    """Map over the cells of the sense margin [A], or of (I_P - I_AP) / I_AP, grey where no current flows.

    Raises DataError unless the margin is that of every cell.
    """
    values = margin.relative if relative else margin.margin
    if np.ndim(values) != 2:
        raise DataError("a map needs the margins of every cell: sense_margin() without row and column")
    title = "Relative sense margin" if relative else "Sense margin"
    return draw_map(values, f"{title}, {margin.scheme.name}", "" if relative else "A", 0.0, ax)


def draw_map(values: Array, title: str, unit: str, drive: float, ax: Axes | None) -> Axes:
    """Values (M, N) as a map with a colour bar; voltages below rounding of `drive` [V] get no colours."""
    rows, columns_ = values.shape
    cmap, low, high = _colours(values, drive)
    size = max(abs(low), abs(high))
    factor, label = unit_of(unit, size)
    ax = new_axes() if ax is None else ax
    ratio = columns_ / rows
    ends = (-size, size) if cmap == _DIVERGING else (low, high)
    image = ax.imshow(values / factor, cmap=colormaps[cmap].with_extremes(bad=_ISOLATED), origin="upper",
                      vmin=ends[0] / factor, vmax=ends[1] / factor,
                      aspect="equal" if 1 / _WIDE <= ratio <= _WIDE else "auto")
    ax.set(title=title, xlabel="bit line", ylabel="word line")
    for axis, lines in ((ax.xaxis, columns_), (ax.yaxis, rows)):
        axis.set_major_locator(MaxNLocator(nbins=min(lines, 8), integer=True, min_n_ticks=1))
    decimals = ScalarFormatter(useOffset=False)
    decimals.set_scientific(False)
    below = ratio > _WIDE
    bar = ax.figure.colorbar(image, cax=bar_axes(ax, below), format=decimals, label=label,
                             ticks=MaxNLocator(5), orientation="horizontal" if below else "vertical")
    bar.outline.set_linewidth(0.5)  # type: ignore[operator]
    # show no colours that do not occur
    (bar.ax.set_xlim if below else bar.ax.set_ylim)(low / factor, high / factor)
    return ax


def line_profile(solution: ArraySolution, line: Literal["word", "bit"] = "word",
                 k: int | Sequence[int] | None = None, ax: Axes | None = None, *,
                 item: int | None = None) -> Axes:
    """Node voltages along word or bit lines, squares at the connected ends.

    k : a line or several; the first, middle and last by default. item : which input of a batch. Raises
    DataError for a line that is not there, else as `cell_map` does.
    """
    if line not in ("word", "bit"):
        raise DataError(f'line is "word" or "bit", not {line!r}')
    nodes = _pick(solution.word_voltage if line == "word" else solution.bit_voltage, item, 2)
    nodes = nodes if line == "word" else nodes.T
    ends = np.column_stack([_pick(solution.terminal_voltage[side], item, 1) for side in _sides(line)])
    count, length = nodes.shape
    wanted = [0, count // 2, count - 1] if k is None else [k] if isinstance(k, int | np.integer) else list(k)
    if not wanted or not all(0 <= n < count for n in wanted):
        raise DataError(f"there are {line} lines 0 to {count - 1}, asked for {k!r}")
    wanted = list(dict.fromkeys(wanted))
    factor, label = unit_of("V", max(_largest(nodes[wanted]), _largest(ends[wanted])))
    curves: list[Line2D] = []
    ax = new_axes() if ax is None else ax
    for n, colour in zip(wanted, spread(len(wanted)), strict=True):
        style = ".-" if length <= 30 else "-"
        curves += ax.plot(range(length), nodes[n] / factor, style, color=colour, label=f"{line} line {n}")
        ax.plot([-1, length], ends[n] / factor, "s", color=colour, mfc="white", clip_on=False)
    which = f"line {wanted[0]}" if len(wanted) == 1 else "lines"
    across = "bit" if line == "word" else "word"
    ax.set(title=f"Voltage along {line} {which}", ylabel=f"node voltage [{label}]",
           xlabel=f"{across} line (squares: terminals)", xlim=(-1.5, length + 0.5))
    ticks = MaxNLocator(nbins=10, integer=True, min_n_ticks=1).tick_values(0, length - 1)
    ax.set_xticks([t for t in ticks if 0 <= t < length])
    finish(ax, curves)
    return ax


def sweep_plot(sweep: Sweep, outputs: str | Sequence[str], ax: Axes | None = None) -> Axes:
    """Outputs against the innermost swept quantity; for nested sweeps families of curves.

    In a family outer values have colours and outputs line styles, of which there are four. Raises DataError
    for unknown outputs, for none or too many, or for outputs of different units.
    """
    kept = columns(sweep, [outputs] if isinstance(outputs, str) else outputs)
    if len({c.unit for c in kept}) != 1:
        raise DataError("one plot takes outputs of one unit, at least one; plot voltages and currents apart")
    *outer, inner = sweep.axes
    if outer and len(kept) > len(_STYLES):
        raise DataError(f"one plot of a nested sweep takes at most {len(_STYLES)} outputs")
    x_factor, x_label = unit_of(swept_unit(sweep, inner), _largest(sweep.axes[inner]))
    factor, label = unit_of(kept[0].unit, max(_largest(c.values) for c in kept))
    families = [", ".join(f"{n} = {number(v, swept_unit(sweep, n))}" for n, v in zip(outer, at, strict=True))
                for at in product(*(sweep.axes[n] for n in outer))]
    colours = spread(len(families) if outer else len(kept))
    ax = new_axes() if ax is None else ax
    for (k, column), (f, family) in product(enumerate(kept), enumerate(families)):
        values = column.values.reshape(len(families), -1)[f]
        ax.plot(sweep.axes[inner] / x_factor, values / factor, _STYLES[k if outer else 0],
                marker="." if values.size <= 30 else "", color=colours[f if outer else k],
                label=plain(f"{column.name}, {family}" if outer else column.name))
    what = kept[0].name if len(kept) == 1 else {"V": "voltage", "A": "current"}.get(kept[0].unit, "")
    ax.set_ylabel(plain(f"{what} [{label}]" if label else what))
    ax.set_xlabel(plain(f"{inner} [{x_label}]" if x_label else inner))
    if outer:
        proxies = [Line2D([], [], color=c, label=plain(f)) for c, f in zip(colours, families, strict=True)]
        styles = [Line2D([], [], color="0.3", ls=ls, label=plain(c.name)) for c, ls in zip(kept, _STYLES)]
        finish(ax, proxies, styles if len(kept) > 1 else ())
    else:
        finish(ax, ax.lines[-len(kept):])
    return ax


def save_run(run: Run, folder: str | os.PathLike[str]) -> list[Path]:
    """Figures of a run as PNG files in `folder`; returns them.

    Each array of an operating point: <analysis>_<array>.png, maps of cell voltage, cell current and both IR
    drops. Each sweep: <analysis>.png, the outputs it keeps. Raises DataError for an unknown output, OSError.
    """
    written = []
    for name, analysis in run.analyses.items():
        if isinstance(analysis, OperatingPoint):
            for xbar in analysis.circuit.arrays:
                title = f"{short(run.title)} — {name}, {xbar.name}"
                figure = _array_figure(analysis.array(xbar.name), title)
                written.append(save(figure, Path(folder) / f"{file_name(name)}_{file_name(xbar.name)}.png"))
        elif (sweep_figure := _sweep_figure(run, name, analysis)) is not None:
            written.append(save(sweep_figure, Path(folder) / f"{file_name(name)}.png"))
    return written


def _array_figure(solution: ArraySolution, title: str) -> Figure:
    """The four maps of an array: side by side where it is tall, one below the other where it is wide."""
    rows, columns_ = solution.cells.shape
    ratio = columns_ / rows
    if ratio > _WIDE:
        grid, width, height = (4, 1), 6.0, max(6.0 / ratio, 0.6)
    elif ratio < 1 / _WIDE:
        grid, width, height = (1, 4), max(4.0 * ratio, 0.6), 4.0
    else:
        grid, width, height = (2, 2), 3.6 * min(1.0, ratio), 3.6 * min(1.0, 1 / ratio)
    edge = (1.0, 1.5) if ratio > _WIDE else (1.9, 0.9)  # labels and the colour bar [inch]
    size = (grid[1] * (width + edge[0]), grid[0] * (height + edge[1]) + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    for ax, quantity in zip(figure.subplots(*grid, squeeze=False).flat, QUANTITIES, strict=True):
        cell_map(solution, quantity, ax)
        ax.set_title(ax.get_title(), fontsize="medium")
    figure.suptitle(plain(title))
    return figure


def _sweep_figure(run: Run, name: str, sweep: Sweep) -> Figure | None:
    """A panel for each unit among the kept outputs, in nested sweeps for each output; None for no outputs."""
    kept = kept_outputs(run, name)
    found = columns(sweep, default_outputs(sweep.circuit) if kept is None else kept)
    panels = [[c.name] for c in found]
    if len(sweep.axes) == 1:
        panels = [[c.name for c in found if c.unit == unit] for unit in dict.fromkeys(c.unit for c in found)]
    if not panels:
        return None
    title = f"{short(run.title)} — {name}"
    if len(panels) > _PANELS:
        title += f" (the first {_PANELS} of {len(panels)} outputs; .save or .print chooses)"
    across = 1 if len(panels) <= 2 else 2
    down = -(-min(len(panels), _PANELS) // across)
    figure = Figure(figsize=(8.0 * across, 0.5 + 3.4 * down), layout="constrained")
    for k, panel in enumerate(panels[:_PANELS]):
        sweep_plot(sweep, panel, figure.add_subplot(down, across, k + 1))
    figure.suptitle(plain(title))
    return figure


def _sides(line: str) -> tuple[str, str]:
    return ("word_left", "word_right") if line == "word" else ("bit_top", "bit_bottom")


def _pick(x: Array, item: int | None, ndim: int) -> Array:
    """The entry of one input: x has `ndim` axes for one input, one more for a batch."""
    if (x.ndim > ndim) != (item is not None):
        raise DataError("a solution of one input has no item" if item is not None else
                        f"the solution holds {len(x)} inputs; choose one with item=")
    if item is not None and not -len(x) <= item < len(x):
        raise DataError(f"the solution holds inputs 0 to {len(x) - 1}, asked for {item}")
    return x if item is None else x[item]


def _cell_values(solution: ArraySolution, quantity: str, item: int | None) -> Array:
    """(M, N) of a quantity, NaN where isolated."""
    if quantity == "cell_voltage":
        return _pick(solution.cell_voltage, item, 2)
    if quantity == "cell_current":
        current, voltage = _pick(solution.cell_current, item, 2), _pick(solution.cell_voltage, item, 2)
        return np.where(np.isnan(voltage), np.nan, current)
    line = "word" if quantity == "word_drop" else "bit"
    nodes = _pick(solution.word_voltage if line == "word" else solution.bit_voltage, item, 2)
    ends = np.stack([_pick(solution.terminal_voltage[side], item, 1) for side in _sides(line)])
    if line == "word":
        which = np.where(np.isnan(ends), -1.0, np.abs(ends)).argmax(axis=0)
    else:
        which = np.where(np.isnan(ends), np.inf, np.abs(ends)).argmin(axis=0)
    terminal = np.take_along_axis(ends, which[None], axis=0)[0]
    mean = np.ma.masked_invalid(nodes).mean(axis=1 if line == "word" else 0).filled(np.nan)
    terminal = np.where(np.isnan(terminal), mean, terminal)
    return terminal[:, None] - nodes if line == "word" else nodes - terminal


def _colours(values: Array, drive: float) -> tuple[str, float, float]:
    """Colour map and range of values: diverging where both signs matter; too wide to show rounding errors."""
    seen = values[np.isfinite(values)]
    if not seen.size:
        return SEQUENTIAL, 0.0, 1.0
    low, high = float(seen.min()), float(seen.max())
    size = max(abs(low), abs(high))
    if size <= _NOISE * drive or size == 0:
        margin = 0.01 * drive or 1.0
        return SEQUENTIAL, -margin, margin
    if high - low <= _NOISE * max(size, drive):
        return SEQUENTIAL, min(low, 0.0), max(high, 0.0)
    if min(-low, high) > 1e-3 * size:
        return _DIVERGING, low, high
    return SEQUENTIAL, low, high


def _largest(x: Array) -> float:
    """Largest magnitude, 0 if there is none but NaN."""
    return float(np.nan_to_num(np.abs(x)).max(initial=0.0))
