"""Writes as figures: maps of a report over the array, the window between write errors and disturbed cells."""

from __future__ import annotations

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from crossbar.errors import DataError
from crossbar.io.tables import file_name
from crossbar.io.writes import MAPS, write_map
from crossbar.plots.maps import FLOOR, count_scale, draw_map, linear_scale, probability_scale
from crossbar.plots.style import check_formats, finish, new_axes, number, save, set_title
from crossbar.writing import WriteReport
from crossbar.writing.design import WriteWindow

_SHOWN = ("expected_error", "expected_disturb", "errors", "disturbs", "pulses", "energy")
_LEAST = 1e-18  # probability at the bottom of a window


def report_map(report: WriteReport, quantity: str = "expected_error", ax: Axes | None = None) -> Axes:
    """Map over the cells of a quantity of a write, see `crossbar.io.writes.MAPS`; of many writes the mean.

    Probabilities have logarithmic colours down to `crossbar.plots.maps.FLOOR`; all below are one colour.
    Raises DataError for an unknown quantity, or one that the write has not.
    """
    if quantity not in MAPS:
        raise DataError(f"quantity is one of {', '.join(MAPS)}, not {quantity!r}")
    values, (title, unit) = write_map(report, quantity), MAPS[quantity]
    if values is None:
        raise DataError(f"this write has no {quantity}: its cells were followed through the pulses")
    if quantity.startswith("expected"):
        scale = probability_scale(values)
        values = np.maximum(values, FLOOR)
    elif unit == "1":
        scale = count_scale(values)
    else:
        scale = linear_scale(values, unit)
    title = title[0].upper() + title[1:]
    if report.repeats is not None:
        title += f", mean of {report.repeats} writes"
    return draw_map(values, title, scale, ax)


def window_plot(window: WriteWindow, ax: Axes | None = None) -> Axes:
    """Write error of the hardest cell (solid) and disturbance of the cell most in danger while all others are written (dashed)
    against the amplitude, for both directions."""
    ax = new_axes() if ax is None else ax
    curves = []
    for which, (name, colour) in enumerate((("AP → P", "C0"), ("P → AP", "C3"))):
        curves += ax.plot(window.amplitude, np.maximum(window.error[:, which], _LEAST), color=colour,
                          label=f"{name}: write error")
        curves += ax.plot(window.amplitude, np.maximum(window.disturb_of_write[:, which], _LEAST), "--", color=colour,
                          label=f"{name}: disturbed in a\nwhole write")
    ax.set(yscale="log", ylim=(_LEAST, 3.0), xlabel="amplitude [V]", ylabel="probability",
           title=f"{window.scheme}, pulses of {number(window.width, 's')}")
    ax.yaxis.set_major_locator(LogLocator(1000.0))
    finish(ax, curves)
    return ax


def save_report(report: WriteReport, folder: str | os.PathLike[str], name: str = "write", title: str = "",
                formats: Sequence[str] = ("png",)) -> list[Path]:
    """Maps of a report as <name> in `folder`, a file for each format (png, svg, pdf); returns them.

    Raises DataError for an unknown format, OSError.
    """
    check_formats(formats)
    shown = [q for q in _SHOWN if write_map(report, q) is not None]
    rows = -(-len(shown) // 2)
    figure = Figure(figsize=(11.0, 0.6 + 3.6 * rows), layout="constrained")
    for k, quantity in enumerate(shown):
        report_map(report, quantity, figure.add_subplot(rows, 2, k + 1))
    set_title(figure, f"{title} — {name}" if title else name)
    return save(figure, Path(folder) / file_name(name), formats)
