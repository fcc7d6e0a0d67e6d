"""Results of arrays: maps over the cells, profiles along the lines; and all figures of a run.

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
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from crossbar.arrays.reading import SenseMargin
from crossbar.elements.base import Array
from crossbar.elements.solution import ArraySolution
from crossbar.errors import DataError
from crossbar.io.tables import Run, file_name
from crossbar.plots.maps import WIDE, draw_map, has_both_signs, linear_scale
from crossbar.plots.style import (CURVES, check_formats, curve_styles, finish, graded, new_axes, save,
                                  set_title, unit_of)
from crossbar.plots.sweeps import sweep_figure
from crossbar.points import OperatingPoint

#: What `cell_map` draws: title and unit.
QUANTITIES = {"cell_voltage": ("Cell voltage", "V"), "cell_current": ("Cell current", "A"),
              "word_drop": ("IR drop along the word lines", "V"),
              "bit_drop": ("IR drop along the bit lines", "V")}

_DROPS = ("word_drop", "bit_drop")  # whose maps have one kind of colours


def cell_map(solution: ArraySolution, quantity: str, ax: Axes | None = None, *,
             item: int | None = None) -> Axes:
    """Map of one quantity over the cells, see `QUANTITIES`; grey where no terminal reaches.

    item : which input of a batch. Colours diverge from zero where both signs occur, for the drops along
    the lines where they do so along word or bit lines. Raises DataError for an unknown quantity, for a
    batch without `item`, or where the solution kept no node voltages.
    """
    if quantity not in QUANTITIES:
        raise DataError(f"quantity is one of {', '.join(QUANTITIES)}, not {quantity!r}")
    if quantity in _DROPS:
        _need_word_lines(solution)
    title, unit = QUANTITIES[quantity]
    values = _cell_values(solution, quantity, item)
    diverging = None
    drive = 0.0
    if unit == "V":
        drive = max(_largest(v) for v in solution.terminal_voltage.values())
    if quantity in _DROPS:
        drops = [_cell_values(solution, name, item) for name in _DROPS]
        diverging = has_both_signs(*drops, drive=drive)
    return draw_map(values, title, linear_scale(values, unit, drive, diverging), ax, "isolated")


def margin_map(margin: SenseMargin, ax: Axes | None = None, *, relative: bool = False) -> Axes:
    """Map over the cells of the sense margin [A], or of (I_P - I_AP) / I_AP, grey where no current flows.

    Raises DataError unless the margin is that of every cell.
    """
    values = margin.relative if relative else margin.margin
    if np.ndim(values) != 2:
        raise DataError("a map needs the margins of every cell: sense_margin() without row and column")
    title = "Relative sense margin" if relative else "Sense margin"
    scale = linear_scale(values, "" if relative else "A")
    return draw_map(values, f"{title}, {margin.scheme.name}", scale, ax, "no current")


def line_profile(solution: ArraySolution, line: Literal["word", "bit"] = "word",
                 k: int | Sequence[int] | None = None, ax: Axes | None = None, *,
                 item: int | None = None) -> Axes:
    """Node voltages along word or bit lines, squares at the connected ends.

    k : a line or several; the first, middle and last by default; many have graded colours and a bar.
    item : which input of a batch. Raises DataError for a line that is not there, else as `cell_map` does.
    """
    if line not in ("word", "bit"):
        raise DataError(f'line is "word" or "bit", not {line!r}')
    _need_word_lines(solution)
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
    colours: list[Any] = [style["color"] for style in curve_styles(len(wanted))]
    if len(wanted) > CURVES:
        colours = graded(ax, np.array(wanted, dtype=float), f"{line} line", whole=True)
    for n, colour in zip(wanted, colours, strict=True):
        style = ".-" if length <= 30 else "-"
        curves += ax.plot(range(length), nodes[n] / factor, style, color=colour, label=f"{line} line {n}")
        ax.plot([-1, length], ends[n] / factor, "s", color=colour, mfc="white", clip_on=False)
    which = f"line {wanted[0]}" if len(wanted) == 1 else "lines"
    across = "bit" if line == "word" else "word"
    ax.set(title=f"Voltage along {line} {which}", ylabel=f"node voltage [{label}]",
           xlabel=f"{across} line (squares: terminals)", xlim=(-1.5, length + 0.5))
    ticks = MaxNLocator(nbins=10, integer=True, min_n_ticks=1).tick_values(0, length - 1)
    ax.set_xticks([t for t in ticks if 0 <= t < length])
    finish(ax, curves if len(wanted) <= CURVES else ())
    return ax


def save_run(run: Run, folder: str | os.PathLike[str], formats: Sequence[str] = ("png",)) -> list[Path]:
    """Figures of a run as files in `folder`, one for each format (png, svg, pdf); returns them.

    Each array of an operating point: <analysis>_<array>, maps of cell voltage, cell current and both IR
    drops. Each sweep: <analysis>, the outputs it was asked for. Raises DataError for an unknown output or
    format, OSError.
    """
    check_formats(formats)
    written = []
    for name, analysis in run.analyses.items():
        if isinstance(analysis, OperatingPoint):
            for xbar in analysis.circuit.arrays:
                title = f"{run.title} — {name}, {xbar.name}"
                figure = array_figure(analysis.array(xbar.name), title)
                path = Path(folder) / f"{file_name(name)}_{file_name(xbar.name)}"
                written += save(figure, path, formats)
            continue
        curves = sweep_figure(run, name, analysis)
        if curves is not None:
            written += save(curves, Path(folder) / file_name(name), formats)
    return written


def array_figure(solution: ArraySolution, title: str) -> Figure:
    """The four maps of an array: side by side where it is tall, one below the other where it is wide."""
    rows, columns = solution.cells.shape
    ratio = columns / rows
    edge = (1.9, 0.9)  # labels and the colour bar [inch]
    if ratio > WIDE:
        grid, width, height = (4, 1), 6.0, max(6.0 / ratio, 0.9)
        edge = (1.0, 1.5)
    elif ratio < 1 / WIDE:
        grid, width, height = (1, 4), max(4.0 * ratio, 0.9), 4.0
    else:
        grid, width, height = (2, 2), 3.6 * min(1.0, ratio), 3.6 * min(1.0, 1 / ratio)
    size = (grid[1] * (width + edge[0]), grid[0] * (height + edge[1]) + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    for ax, quantity in zip(figure.subplots(*grid, squeeze=False).flat, QUANTITIES, strict=True):
        cell_map(solution, quantity, ax)
        ax.set_title(ax.get_title(), fontsize="medium")
    set_title(figure, title)
    return figure


def _need_word_lines(solution: ArraySolution) -> None:
    """Raise DataError for an array with transistors, between bit and source lines."""
    if not isinstance(solution, ArraySolution):
        raise DataError(f"voltages along word and bit lines are those of a passive array, not of a "
                        f"{type(solution).__name__}; of it cell_voltage and cell_current can be drawn")


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


def _largest(x: Array) -> float:
    """Largest magnitude, 0 if there is none but NaN."""
    return float(np.nan_to_num(np.abs(x)).max(initial=0.0))
