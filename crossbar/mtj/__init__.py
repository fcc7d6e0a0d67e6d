"""Physics of the magnetic tunnel junction; numpy, scipy and numba only, no circuits."""

from crossbar.mtj.conduction import as_state, conductance, current
from crossbar.mtj.fokker_planck import Evolution, evolve, mean_time
from crossbar.mtj.parameters import T_REF, MTJParams
from crossbar.mtj.presets import PRESETS as presets
from crossbar.mtj.presets import summary
from crossbar.mtj.switching import (mean_switching_time, overdrive, precessional_error, pulse_amplitude, pulse_width,
                                    read_disturb, retention_time, switching_probability, thermal_rate, write_error_rate)

__all__ = [
    "Evolution", "MTJParams", "T_REF", "as_state", "conductance", "current", "evolve", "mean_switching_time", "mean_time",
    "overdrive", "precessional_error", "presets", "pulse_amplitude", "pulse_width", "read_disturb", "retention_time",
    "summary", "switching_probability", "thermal_rate", "write_error_rate",
]
