"""Writes as figures: maps of a report over the array, the window between write errors and disturbed cells."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from crossbar.errors import DataError
from crossbar.io.writes import MAPS, write_map
from crossbar.plots.arrays import draw_map
from crossbar.plots.style import finish, new_axes, number, plain, save, short
from crossbar.writing import WriteReport
from crossbar.writing.design import WriteWindow

_SHOWN = ("expected_error", "expected_disturb", "errors", "disturbs", "pulses", "energy")
_LEAST = 1e-18  # probability at the bottom of a window


def report_map(report: WriteReport, quantity: str = "expected_error", ax: Axes | None = None) -> Axes:
    """Map over the cells of a quantity of a write, see `crossbar.io.writes.MAPS`; of probabilities their decimal logarithm, grey
    where they are 0. Of many writes the mean. Raises DataError for an unknown quantity, or one that the write has not."""
    if quantity not in MAPS:
        raise DataError(f"quantity is one of {', '.join(MAPS)}, not {quantity!r}")
    values, (title, unit) = write_map(report, quantity), MAPS[quantity]
    if values is None:
        raise DataError(f"this write has no {quantity}: its cells were followed through the pulses")
    if quantity.startswith("expected"):
        with np.errstate(divide="ignore"):
            values = np.where(values > 0, np.log10(np.maximum(values, 1e-300)), np.nan)
        title = f"log10 of {title.removeprefix('expected ')}, expected"
    return draw_map(values, title[0].upper() + title[1:], "" if unit == "1" else unit, 0.0, ax)


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


def save_report(report: WriteReport, folder: str | os.PathLike[str], name: str = "write", title: str = "") -> Path:
    """Maps of a report as <name>.png in `folder`. Raises OSError."""
    shown = [q for q in _SHOWN if write_map(report, q) is not None]
    figure = Figure(figsize=(11.0, 0.6 + 3.6 * -(-len(shown) // 2)), layout="constrained")
    for k, quantity in enumerate(shown):
        report_map(report, quantity, figure.add_subplot(-(-len(shown) // 2), 2, k + 1))
    figure.suptitle(plain(f"{short(title)} — {name}" if title else name))
    return save(figure, Path(folder) / f"{name}.png")
