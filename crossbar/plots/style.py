"""What all figures share: units, numbers and names in labels, colours, legends, bars, files."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation, blended_transform_factory

from crossbar.errors import DataError
from crossbar.io import replacing
from crossbar.units import format_si

Array = npt.NDArray[np.float64]
Colour = tuple[float, float, float, float]

SEQUENTIAL = "viridis"
FORMATS = ("png", "svg", "pdf")  #: of files
CURVES = 10            # that have a colour of their own
LINES = ("-", "--", ":", "-.")
_PREFIXES = {12: "T", 9: "G", 6: "M", 3: "k", 0: "", -3: "m", -6: "µ", -9: "n", -12: "p", -15: "f"}
_SIGNS = {"ohm": "Ω", "degC": "°C"}
_COLUMN = 20           # names below each other in a legend
_DPI = 130
_PALEST = 0.9          # where the colours of curves end: yellow is hard to see on white
_DECADES = 100.0       # ratio of values from which on colours follow their logarithms
_PITCH = 9.0           # characters of a title in an inch
_TITLE_LINES = 3       # of a title
_NAME = 36             # characters of a name in a legend or on an axis


def save(figure: Figure, path: Path, formats: Sequence[str] = FORMATS[:1]) -> list[Path]:
    """Write a figure as <path>.<format> for each format, each file whole or not at all.

    Missing folders are made. Raises DataError for an unknown format, OSError.
    """
    check_formats(formats)
    files = []
    for name in dict.fromkeys(formats):
        file = path.with_name(f"{path.name}.{name}")
        with replacing(file) as stream:
            figure.savefig(stream, format=name, dpi=_DPI)
        files.append(file)
    return files


def check_formats(formats: Sequence[str]) -> None:
    """Raise DataError for a format that is none of `FORMATS`, or for none at all."""
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats or isinstance(formats, str):
        raise DataError(f"formats of figures are {', '.join(FORMATS)}, several in a list; "
                        f"not {', '.join(map(repr, unknown)) or repr(formats)}")


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


def set_title(figure: Figure, title: str) -> None:
    """A title above the panels, on as many lines as it needs, up to `_TITLE_LINES`."""
    width = int(_PITCH * figure.get_size_inches()[0])
    lines = textwrap.wrap(title, width, max_lines=_TITLE_LINES, placeholder=" …")
    figure.suptitle("\n".join(plain(line) for line in lines))


def elided(name: str) -> str:
    """A name without its middle, where it is long: beginning and end tell more."""
    if len(name) <= _NAME:
        return name
    half = _NAME // 2
    return f"{name[:half]}…{name[-half:]}"


def new_axes() -> Axes:
    """Axes of a new figure, without pyplot."""
    return Figure(figsize=(6.4, 4.8), layout="constrained").subplots()


def curve_styles(n: int) -> list[dict[str, str]]:
    """Colour and line style of n curves, no two alike up to `CURVES` times as many as `LINES`."""
    return [{"color": f"C{k % CURVES}", "linestyle": LINES[k // CURVES % len(LINES)]}
            for k in range(n)]


def bar_axes(ax: Axes, below: bool) -> Axes:
    """Axes for a colour bar as long as the map, however small that becomes; width and gap are in inches."""
    corner = ScaledTranslation(0 if below else 1, 0, ax.transAxes)  # type: ignore[arg-type]
    inches = ax.figure.dpi_scale_trans + corner
    if below:
        return ax.inset_axes((0, -0.75, 1, 0.13), transform=blended_transform_factory(ax.transAxes, inches))
    return ax.inset_axes((0.1, 0, 0.13, 1), transform=blended_transform_factory(inches, ax.transAxes))


def finish(ax: Axes, curves: Sequence[Line2D]) -> None:
    """Grid, and a legend beside the axes where there is more than one curve."""
    ax.grid(alpha=0.3)
    if len(curves) > 1:
        ax.legend(handles=list(curves), fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0),
                  ncols=-(-len(curves) // _COLUMN))


def graded(ax: Axes, values: Array, title: str, *, whole: bool = False) -> list[Colour]:
    """Colours of curves that belong to rising or falling `values` (n,), and a bar that tells which.

    whole : whether the values are whole numbers.
    """
    low, high = float(values.min()), float(values.max())
    norm = LogNorm(low, high) if low > 0 and high > _DECADES * low else Normalize(low, high)
    cmap = colormaps[SEQUENTIAL]
    shades = ListedColormap(cmap(np.linspace(0, _PALEST, 256)))
    bar = ax.figure.colorbar(ScalarMappable(norm, shades), cax=bar_axes(ax, False), label=plain(title))
    if whole:
        bar.locator = MaxNLocator(5, integer=True)
        bar.update_ticks()
    return [(r, g, b, a) for r, g, b, a in shades(norm(values)).tolist()]
