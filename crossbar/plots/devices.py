"""One junction: resistance and TMR against bias, write errors, and what half-selected or read cells lose.

A direction is called by the state it leaves: +1 (parallel) for P -> AP, which V < 0 drives, -1 for AP -> P and V > 0; voltages
on the axes are magnitudes. Solid curves are the Fokker-Planck equation, dashed ones the closed formulas, where both are drawn.
Measurements are given as `data`, in V, s, ohm and shares: the axes have units of their own, which laying them over by hand
misses.
All numbers are those of crossbar.mtj; a figure that needs what the junction's parameters lack raises its DataError.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from crossbar import mtj
from crossbar.checks import real_array
from crossbar.errors import DataError
from crossbar.mtj.parameters import MTJParams
from crossbar.mtj.presets import Params
from crossbar.plots.style import SEQUENTIAL, bar_axes, check_formats, finish, new_axes, number, save, set_title, unit_of

Array = npt.NDArray[np.float64]
Data = tuple[npt.ArrayLike, npt.ArrayLike]

LEVELS = (1e-12, 1e-9, 1e-6, 1e-3)       #: contour lines of `disturb_map`
_FACTORS = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0)  # voltages of `error_width_plot`, in V_c0
_WIDTHS = (2, 5, 10, 20, 50, 100)        # pulse widths of `error_voltage_plot`, in the decade of tau_D
_LEAST = 1e-12                           # end of the axis of write-error rates
_FAINTEST = 1e-15                        # probability at which the colours of the map end
_ARROW = {1: "P → AP", -1: "AP → P"}
_SIGN = {1: "V < 0", -1: "V > 0"}
_STATE = {1: ("P", "C0"), -1: ("AP", "C3")}
_LIGHT = 0.75                            # where the colours of curves end: yellow is hard to see on white


@dataclass(frozen=True, kw_only=True)
class DeviceFigures:
    """What `save_device` wrote, and the names of what it could not draw with the reason."""

    files: tuple[Path, ...]
    left_out: Mapping[str, str]


def resistance_plot(p: Params, ax: Axes | None = None, *, voltages: npt.ArrayLike | None = None,
                    data: Data | None = None) -> Axes:
    """R = V / I of both states against V, with the thresholds V_c0 of both directions where they are known.

    voltages : (n,) free minus fixed layer [V]; by default a little beyond the thresholds. data : (v, r), measured voltages [V]
    and resistances [ohm], drawn over the curves. Raises DataError for many junctions and for data that are no such pair.
    """
    p = mtj.as_params(p)
    measured = _measured(data, "voltages [V]", "resistances [ohm]")
    v = _biases(p, voltages, measured)
    thresholds = _thresholds(p)
    curves = {state: _resistance(p, v, state) for state in _STATE}
    factor, label = unit_of("ohm", max(float(r.max()) for r in curves.values()))
    v_factor, v_label = unit_of("V", float(np.abs(v).max()))
    ax = new_axes() if ax is None else ax
    handles: list[Line2D] = []
    for state, r in curves.items():
        name, colour = _STATE[state]
        handles += ax.plot(v / v_factor, r / factor, color=colour, lw=1.8, label=name)
    for state, v_c0 in thresholds.items():
        ends = np.array([_resistance(p, np.array([v_c0]), s)[0] for s in (state, -state)])
        ax.plot([v_c0 / v_factor] * 2, ends / factor, ":", color="0.35", lw=1.2)
        handles += ax.plot(v_c0 / v_factor, ends[0] / factor, "^" if state > 0 else "v", color=_STATE[state][1], ms=7, ls="",
                           label=f"{_ARROW[state]}: $V_{{c0}}$ = {_volts(v_c0)}")
    handles += _draw_measured(ax, measured, v_factor, factor)
    ax.set(title="Resistance against bias", xlabel=f"voltage, free − fixed layer [{v_label}]",
           ylabel=f"resistance V / I [{label}]")
    ax.set_ylim(bottom=0)
    ax.margins(x=0)
    finish(ax, handles)
    return ax


def tmr_plot(p: Params, ax: Axes | None = None, *, voltages: npt.ArrayLike | None = None, data: Data | None = None) -> Axes:
    """TMR = R_AP / R_P - 1 against V; arguments as `resistance_plot`. data : (v, tmr), voltages [V] and ratios (1.2, not 120)."""
    p = mtj.as_params(p)
    measured = _measured(data, "voltages [V]", "ratios TMR [1]")
    v = _biases(p, voltages, measured)
    ratio = _resistance(p, v, -1) / _resistance(p, v, 1) - 1
    v_factor, v_label = unit_of("V", float(np.abs(v).max()))
    ax = new_axes() if ax is None else ax
    handles = ax.plot(v / v_factor, 100 * ratio, color="C0", lw=1.8, label="TMR")
    v_h = float(np.asarray(p.v_h))
    if v_h < np.abs(v).max():
        half = [50 * float(np.asarray(p.tmr_0))] * 2
        handles += ax.plot(np.array([-v_h, v_h]) / v_factor, half, "o", color="C0", mfc="white", ms=6,
                           label=f"half, at $V_h$ = ±{_volts(v_h)}")
    handles += _draw_measured(ax, measured, v_factor, 0.01)
    ax.set(title="Tunnel magnetoresistance against bias", xlabel=f"voltage, free − fixed layer [{v_label}]",
           ylabel="TMR = (R$_{AP}$ − R$_P$) / R$_P$ [%]")
    ax.set_ylim(bottom=0)
    ax.margins(x=0)
    finish(ax, handles)
    return ax


def error_width_plot(p: Params, state: int, ax: Axes | None = None, *, voltages: npt.ArrayLike | None = None,
                     widths: npt.ArrayLike | None = None, data: Data | None = None) -> Axes:
    """Write-error rate against pulse width, a curve for each voltage; both axes logarithmic, down to 1e-12.

    state : the one to be left. voltages : (n,) magnitudes [V], by default 1 to 3 V_c0. widths : (m,) [s], by default 0.3 to 200
    tau_D. data : (width, rate), measured pulse widths [s] and shares of pulses that failed; what is below the axis stands on it.
    Raises DataError for many junctions, for impossible values, and where parameters lack what switching needs.
    """
    p = mtj.as_params(p)
    measured = _measured(data, "pulse widths [s]", "error rates [1]", share=True)
    direction, v_c0, tau_d = _direction(p, state)
    v = np.abs(_list(np.array(_FACTORS) * v_c0 if voltages is None else voltages, "voltages [V]"))
    t = _list(np.geomspace(0.3, 200, 400) * tau_d if widths is None else widths, "pulse widths [s]", 0)
    factor, label = unit_of("s", float(t.max()))
    ax = new_axes() if ax is None else ax
    names = [f"{_volts(x)} = {x / v_c0:.3g} $V_{{c0}}$" for x in v]
    curves = _error_curves(ax, t / factor, p, direction, v[:, None], t, names)
    _finish_errors(ax, curves + _draw_measured(ax, measured, factor, 1.0, _LEAST))
    ax.set(title=f"Write errors, {_ARROW[direction]} ({_SIGN[direction]})", xscale="log", xlabel=f"pulse width [{label}]")
    ax.margins(x=0)
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    return ax


def error_voltage_plot(p: Params, state: int, ax: Axes | None = None, *, widths: npt.ArrayLike | None = None,
                       voltages: npt.ArrayLike | None = None, data: Data | None = None) -> Axes:
    """Write-error rate against voltage, a curve for each pulse width, and V_c0; arguments as `error_width_plot`.

    data : (v, rate), measured voltages [V], of any sign, and shares of pulses that failed.
    """
    p = mtj.as_params(p)
    measured = _measured(data, "voltages [V]", "error rates [1]", share=True)
    direction, v_c0, tau_d = _direction(p, state)
    t = _list(np.array(_WIDTHS) * 10.0 ** round(np.log10(tau_d)) if widths is None else widths, "pulse widths [s]", 0)
    v = np.abs(_list(np.linspace(0.5, 3, 400) * v_c0 if voltages is None else voltages, "voltages [V]"))
    factor, label = unit_of("V", float(v.max()))
    ax = new_axes() if ax is None else ax
    names = [number(float(f"{x:.3g}"), "s") for x in t]
    curves = _error_curves(ax, v / factor, p, direction, v, t[:, None], names)
    curves.append(ax.axvline(v_c0 / factor, ls=":", color="0.35", lw=1.2, label=f"$V_{{c0}}$ = {_volts(v_c0)}"))
    if measured is not None:
        measured = np.abs(measured[0]), measured[1]
    _finish_errors(ax, curves + _draw_measured(ax, measured, factor, 1.0, _LEAST))
    ax.set(title=f"Write errors, {_ARROW[direction]} ({_SIGN[direction]})", xlabel=f"voltage |V| [{label}]")
    ax.margins(x=0)
    return ax


def disturb_map(p: Params, state: int, ax: Axes | None = None, *, voltages: npt.ArrayLike | None = None,
                widths: npt.ArrayLike | None = None, write_error: float = 1e-6, write_width: float = 10e-9,
                data: Data | None = None) -> Axes:
    """Probability that a pulse switches, over voltage and pulse width, with contour lines at `LEVELS`.

    Two marks show what cells see that a write pulse half-selects, at V/2 and V/3: one of `write_width` [s] that fails with the
    probability `write_error`. state : the one to be lost. voltages : (n,) rising magnitudes [V]. widths : (m,) rising [s].
    data : (v, width), measured pulses [V], of any sign, and [s], say those of which every second one switches.
    Raises DataError as `error_width_plot`.
    """
    p = mtj.as_params(p)
    measured = _measured(data, "voltages [V]", "pulse widths [s]")
    direction, v_c0, tau_d = _direction(p, state)
    write = float(mtj.pulse_amplitude(1 - write_error, write_width, p, direction))
    v = np.abs(_list(np.linspace(0, max(1.25 * v_c0, 0.6 * write), 241) if voltages is None else voltages, "voltages [V]"))
    start = 10.0 ** round(np.log10(tau_d))
    t = _list(np.geomspace(start, 1e6 * start, 181) if widths is None else widths, "pulse widths [s]", 0)
    if v.size < 2 or t.size < 2 or not ((np.diff(v) > 0).all() and (np.diff(t) > 0).all()):
        raise DataError("a map needs two rising voltages and two rising pulse widths at least")
    probability = mtj.switching_probability(-direction * v, t[:, None], p, direction)
    factor, label = unit_of("V", float(v.max()))
    ax = new_axes() if ax is None else ax
    cmap = colormaps[SEQUENTIAL].with_extremes(bad=colormaps[SEQUENTIAL](0.0))
    image = ax.pcolormesh(v / factor, t, probability, norm=LogNorm(_FAINTEST, 1.0), cmap=cmap, shading="gouraud",
                          rasterized=True)
    for share, marker in ((2, "o"), (3, "s")):
        ax.plot(write / share / factor, write_width, marker, color="C1", mec="black", ms=7, ls="",
                label=f"half-selected, V/{share}")
    if measured is not None:
        _draw_measured(ax, (np.abs(measured[0]), measured[1]), factor, 1.0)
    ax.set(title=f"Switching probability, {_ARROW[direction]} ({_SIGN[direction]})", xlabel=f"voltage |V| [{label}]",
           ylabel="pulse width [s]", yscale="log", xlim=(v[0] / factor, v[-1] / factor), ylim=(t[0], t[-1]))
    bar = ax.figure.colorbar(image, cax=bar_axes(ax, False), extend="min", label="switching probability",
                             ticks=[_FAINTEST, *LEVELS, 1.0])
    if levels := [level for level in LEVELS if probability.min() < level < probability.max()]:
        # between the points of the grid the logarithm is nearly linear, the probability is not
        lines = ax.contour(v / factor, t, np.log10(np.maximum(probability, 1e-300)), levels=np.log10(levels), colors="white",
                           linestyles="solid", linewidths=1.0)
        bar.add_lines(levels, lines.get_edgecolor(), lines.get_linewidth())
    error = f"{write_error:.3g}".replace("e-0", "e-")
    pulse = f"write pulse V = {_volts(write)}, {number(write_width, 's')},\nfor an error rate of {error}"
    ax.legend(loc="upper right", title=pulse, fontsize="small", title_fontsize="small")
    return ax


def save_device(p: Params, folder: str | os.PathLike[str], title: str, *, write_error: float = 1e-6,
                write_width: float = 10e-9, formats: Sequence[str] = ("png",)) -> DeviceFigures:
    """Every figure of a junction that its parameters allow, as files in `folder`, one for each format (png, svg, pdf).

    resistance, tmr: one panel; error_width, error_voltage, disturb: a panel for each direction. `write_error`, `write_width`: see
    `disturb_map`. Raises DataError for many junctions and for an unknown format, OSError.
    """
    check_formats(formats)
    p = mtj.as_params(p)
    _single(p)
    panels: dict[str, list[Callable[[Axes], Axes]]] = {
        "resistance": [partial(resistance_plot, p)], "tmr": [partial(tmr_plot, p)],
        "error_width": [partial(error_width_plot, p, state) for state in _ARROW],
        "error_voltage": [partial(error_voltage_plot, p, state) for state in _ARROW],
        "disturb": [partial(disturb_map, p, state, write_error=write_error, write_width=write_width) for state in _ARROW]}
    files, left_out = [], {}
    for name, draw in panels.items():
        figure = Figure(figsize=(6.6 * len(draw), 4.4), layout="constrained")
        try:
            for one, ax in zip(draw, figure.subplots(1, len(draw), squeeze=False).flat, strict=True):
                one(ax)
        except DataError as error:
            left_out[name] = str(error)
            continue
        set_title(figure, title)
        files += save(figure, Path(folder) / name, formats)
    return DeviceFigures(files=tuple(files), left_out=left_out)


def _single(p: MTJParams) -> None:
    if p.shape != ():
        raise DataError(f"these figures show one junction, not an array of {p.shape}; p.select takes one out")


def _list(x: npt.ArrayLike, what: str, low: float = -np.inf) -> Array:
    """(n,) finite numbers above `low`."""
    array = np.atleast_1d(real_array(x, what))
    if array.ndim != 1 or not array.size or not (np.isfinite(array) & (array > low)).all():
        raise DataError(f"{what} must be a list of finite numbers" + (" above 0" if low == 0 else ""))
    return array


def _direction(p: MTJParams, state: int) -> tuple[int, float, float]:
    """State as +1 or -1, V_c0 of leaving it [V], tau_D [s]; DataError for what cannot be drawn."""
    _single(p)
    states = mtj.as_state(state)
    if states.ndim:
        raise DataError("a panel shows one direction: state is +1 (P -> AP) or -1 (AP -> P)")
    p.need_switching(states)
    return int(states), float(p.v_c0(states)), float(np.asarray(p.tau_d))


def _thresholds(p: MTJParams) -> dict[int, float]:
    """V_c0 with its sign [V] of each direction, where there is one."""
    thresholds = {}
    for state in _ARROW:
        with contextlib.suppress(DataError):
            thresholds[state] = -state * float(p.v_c0(state))
    return thresholds


def _biases(p: MTJParams, voltages: npt.ArrayLike | None, measured: tuple[Array, Array] | None) -> Array:
    """Voltages of the curves [V]: by default to the thresholds, and as far as there are measurements."""
    _single(p)
    if voltages is not None:
        return _list(voltages, "voltages [V]")
    reach = 1.25 * max(map(abs, _thresholds(p).values()), default=0.8)
    if measured is not None:
        reach = max(reach, 1.05 * float(np.abs(measured[0]).max()))
    return np.linspace(-reach, reach, 301)


def _measured(data: Data | None, x_name: str, y_name: str, *, share: bool = False) -> tuple[Array, Array] | None:
    """Two lists of one length; `share`: the second between 0 and 1. Raises DataError."""
    if data is None:
        return None
    if not isinstance(data, list | tuple) or len(data) != 2:
        raise DataError(f"data are a pair: {x_name} and {y_name}")
    x, y = _list(data[0], f"measured {x_name}"), _list(data[1], f"measured {y_name}")
    if x.size != y.size:
        raise DataError(f"{x.size} measured {x_name} do not fit {y.size} {y_name}")
    if share and not ((y >= 0) & (y <= 1)).all():
        raise DataError(f"measured {y_name} must lie between 0 and 1")
    return x, y


def _draw_measured(ax: Axes, measured: tuple[Array, Array] | None, x_factor: float, y_factor: float,
                   least: float = -np.inf) -> list[Line2D]:
    """Measurements in the units of the axes, those below `least` at it, as a curve for the legend."""
    if measured is None:
        return []
    x, y = measured[0] / x_factor, measured[1] / y_factor
    return list(ax.plot(x, np.maximum(y, least), "o", color="black", mfc="none", ms=4.5, ls="", label="measured", zorder=4,
                        clip_on=not np.isfinite(least)))


def _resistance(p: MTJParams, v: Array, state: int) -> Array:
    """V / I, at 0 V its limit."""
    i, slope = mtj.current(v, p, state)
    return 1 / np.where(v == 0, slope, i / np.where(v == 0, 1.0, v))


def _error_curves(ax: Axes, x: Array, p: MTJParams, direction: int, v: Array, t: Array, names: list[str]) -> list[Line2D]:
    """Write-error rates over x, a row of the broadcast of v and t for each name: solid curves, returned, and dashed ones."""
    solid = mtj.write_error_rate(-direction * v, t, p, direction)
    dashed = mtj.write_error_rate(-direction * v, t, p, direction, "formula")
    curves: list[Line2D] = []
    for k, colour in enumerate(colormaps[SEQUENTIAL](np.linspace(0, _LIGHT, len(names)))):
        curves += ax.plot(x, solid[k], color=colour, lw=2.6, alpha=0.6, label=names[k])
        ax.plot(x, dashed[k], "--", color=colour, lw=1.1)
    return curves


def _finish_errors(ax: Axes, curves: list[Line2D]) -> None:
    """Logarithmic y axis down to `_LEAST`, and the legend."""
    ax.set(yscale="log", ylim=(_LEAST, 2.0), ylabel="write-error rate")
    ax.yaxis.set_major_locator(LogLocator(1000.0))
    ax.yaxis.set_minor_locator(LogLocator(10.0, numticks=99))
    ax.yaxis.set_minor_formatter(NullFormatter())
    styles = [Line2D([], [], color="0.3", lw=2.6, label="Fokker–Planck", alpha=0.6),
              Line2D([], [], color="0.3", lw=1.1, ls="--", label="closed formulas,\njoined near $V_{c0}$")]
    finish(ax, [*styles, *curves])


def _volts(v: float) -> str:
    return number(float(f"{abs(v):.3g}"), "V")
