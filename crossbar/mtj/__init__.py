"""Physics of the magnetic tunnel junction; numpy, scipy and numba only, no circuits."""

from typing import TYPE_CHECKING

from crossbar import lazy
from crossbar.mtj.presets import PRESETS as presets  # at once: the module of that name would be found in its place
from crossbar.mtj.presets import Params, as_params, conductance, current, summary

if TYPE_CHECKING:
    from crossbar.mtj.activations import LOGISTIC, TANH, ExactActivation, TabulatedActivation
    from crossbar.mtj.conduction import as_state, states_as
    from crossbar.mtj.fitting import Fit, fit, fit_conduction, fit_switching
    from crossbar.mtj.joint import fit_both_directions
    from crossbar.mtj.fokker_planck import Evolution, evolve, mean_time
    from crossbar.mtj.langevin import AxialCells
    from crossbar.mtj.llgs import Drive, Trajectories, integrate, simulate_llgs
    from crossbar.mtj.macrospin import Macrospin, Polarizer
    from crossbar.mtj.parameter_files import read_parameters
    from crossbar.mtj.parameters import T_REF, MTJParams
    from crossbar.mtj.polarizers import TransferCurve, TwoPolarizerNeuron, sample_neurons, transfer
    from crossbar.mtj.switching import (axial_drive, mean_switching_time, overdrive, precessional_error, pulse_amplitude,
                                        pulse_width, read_disturb, retention_time, switched_by, switching_probability,
                                        thermal_rate, write_error_rate)
    from crossbar.mtj.variation import Defects, Variation, read_noise, sample, sample_defects

__getattr__, __dir__, __all__ = lazy.names(__name__, {  # once more, loaded when asked for
    "activations": "ExactActivation LOGISTIC TANH TabulatedActivation",
    "conduction": "as_state states_as",
    "fitting": "Fit fit fit_conduction fit_switching",
    "fokker_planck": "Evolution evolve mean_time",
    "joint": "fit_both_directions",
    "langevin": "AxialCells",
    "llgs": "Drive Trajectories integrate simulate_llgs",
    "macrospin": "Macrospin Polarizer",
    "parameter_files": "read_parameters",
    "parameters": "MTJParams T_REF",
    "polarizers": "TransferCurve TwoPolarizerNeuron sample_neurons transfer",
    "switching": "axial_drive mean_switching_time overdrive precessional_error pulse_amplitude pulse_width read_disturb "
                 "retention_time switched_by switching_probability thermal_rate write_error_rate",
    "variation": "Defects Variation read_noise sample sample_defects",
}, here="Params as_params conductance current presets summary")
