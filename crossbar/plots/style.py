"""What all figures share: units, numbers and names in labels, colours, legends, colour bars, PNG files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation, blended_transform_factory

from crossbar.io import replacing
from crossbar.units import format_si

Colour = str | tuple[float, float, float, float]

SEQUENTIAL = "viridis"
_PREFIXES = {12: "T", 9: "G", 6: "M", 3: "k", 0: "", -3: "m", -6: "µ", -9: "n", -12: "p", -15: "f"}
_SIGNS = {"ohm": "Ω", "degC": "°C"}
_LEGEND = 10           # most curves named in a legend
_DPI = 130


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG file, whole or not at all; missing folders are made. Raises OSError."""
    with replacing(path) as stream:
        figure.savefig(stream, format="png", dpi=_DPI)
    return path


def unit_of(unit: str, largest: float) -> tuple[float, str]:
    """Factor and label of the unit in which `largest` reads best: (1e-3, "mV"); no prefix for parameters."""
    if unit in ("", "degC") or not largest > 0:
        return 1.0, _SIGNS.get(unit, unit)
    power = int(np.clip(3 * np.floor(np.log10(largest) / 3 + 1e-9), min(_PREFIXES), max(_PREFIXES)))
    return 10.0 ** power, _PREFIXES[power] + _SIGNS.get(unit, unit)


def number(value: float, unit: str) -> str:
    """A value for a legend."""
    if unit == "degC":
        return f"{value:g} °C"
    text = format_si(value, unit).replace(" u", " µ")
    return text.removesuffix("ohm") + "Ω" if unit == "ohm" else text


def plain(text: str) -> str:
    """A text on one line in which matplotlib finds no mathematics, nor the wish to be left out of legends."""
    line = " ".join(text.split()).replace("$", r"\$")
    return f" {line}" if line.startswith("_") else line


def short(title: str) -> str:
    """The beginning of a long title."""
    return title if len(title) <= 60 else title[:59] + "…"


def new_axes() -> Axes:
    """Axes of a new figure, without pyplot."""
    return Figure(figsize=(6.4, 4.8), layout="constrained").subplots()


def spread(n: int) -> list[Colour]:
    """n colours: matplotlib's own while they last, then along a colour map."""
    if n <= 10:
        return [f"C{k}" for k in range(n)]
    return [(r, g, b, a) for r, g, b, a in colormaps["viridis"](np.linspace(0, 0.95, n)).tolist()]


def bar_axes(ax: Axes, below: bool) -> Axes:
    """Axes for a colour bar as long as the map, however small that becomes; width and gap are in inches."""
    corner = ScaledTranslation(0 if below else 1, 0, ax.transAxes)  # type: ignore[arg-type]
    inches = ax.figure.dpi_scale_trans + corner
    if below:
        return ax.inset_axes((0, -0.75, 1, 0.13), transform=blended_transform_factory(ax.transAxes, inches))
    return ax.inset_axes((0.1, 0, 0.13, 1), transform=blended_transform_factory(inches, ax.transAxes))


def finish(ax: Axes, curves: Sequence[Line2D], first: Sequence[Line2D] = ()) -> None:
    """Grid, and a legend beside the axes: `first`, then at most `_LEGEND` of the curves, evenly chosen."""
    ax.grid(alpha=0.3)
    shown = np.unique(np.linspace(0, len(curves) - 1, min(len(curves), _LEGEND)).round().astype(int))
    handles = [*first, *(curves[k] for k in shown)]
    if len(handles) > 1:
        title = f"{len(shown)} of {len(curves)} curves" if len(curves) > len(shown) else None
        ax.legend(handles=handles, title=title, fontsize="small", title_fontsize="small", loc="upper left",
                  bbox_to_anchor=(1.0, 1.0))
