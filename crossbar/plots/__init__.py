"""Results as figures: of arrays (crossbar.plots.arrays), of sweeps (crossbar.plots.sweeps), of single junctions
(crossbar.plots.devices), of writes (crossbar.plots.writes).

`ax=None` makes a new matplotlib.figure.Figure, reached as `ax.figure`; pyplot and its backends are never touched.
"""

from crossbar.plots.arrays import QUANTITIES, cell_map, line_profile, margin_map, save_run
from crossbar.plots.devices import (DeviceFigures, disturb_map, error_voltage_plot, error_width_plot, resistance_plot,
                                    save_device, tmr_plot)
from crossbar.plots.style import FORMATS
from crossbar.plots.sweeps import sweep_map, sweep_plot
from crossbar.plots.writes import report_map, save_report, window_plot

__all__ = [
    "DeviceFigures", "FORMATS", "QUANTITIES", "cell_map", "disturb_map", "error_voltage_plot",
    "error_width_plot", "line_profile", "margin_map", "report_map", "resistance_plot",
    "save_device", "save_report", "save_run", "sweep_map", "sweep_plot", "tmr_plot", "window_plot",
]
