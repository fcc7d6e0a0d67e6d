"""Physics of the magnetic tunnel junction; numpy, scipy and numba only, no circuits."""

from crossbar.mtj.activations import LOGISTIC, TANH, ExactActivation, TabulatedActivation
from crossbar.mtj.conduction import as_state, conductance, current
from crossbar.mtj.fit import Fit, fit, fit_conduction, fit_switching
from crossbar.mtj.fokker_planck import Evolution, evolve, mean_time
from crossbar.mtj.langevin import AxialCells
from crossbar.mtj.llgs import Drive, Trajectories, integrate, simulate_llgs
from crossbar.mtj.macrospin import Macrospin, Polarizer
from crossbar.mtj.parameters import T_REF, MTJParams
from crossbar.mtj.polarizers import TransferCurve, TwoPolarizerNeuron, sample_neurons, transfer
from crossbar.mtj.presets import PRESETS as presets
from crossbar.mtj.presets import summary
from crossbar.mtj.switching import (axial_drive, mean_switching_time, overdrive, precessional_error, pulse_amplitude, pulse_width,
                                    read_disturb, retention_time, switching_probability, thermal_rate, write_error_rate)
from crossbar.mtj.variation import Defects, Variation, read_noise, sample, sample_defects

__all__ = [
    "AxialCells", "Defects", "Drive", "Evolution", "ExactActivation", "Fit", "LOGISTIC", "MTJParams", "Macrospin",
    "Polarizer", "TANH", "T_REF", "TabulatedActivation", "Trajectories", "TransferCurve", "TwoPolarizerNeuron",
    "Variation", "as_state", "axial_drive", "conductance", "current", "evolve", "fit", "fit_conduction",
    "fit_switching", "integrate", "mean_switching_time", "mean_time", "overdrive", "precessional_error", "presets",
    "pulse_amplitude", "pulse_width", "read_disturb", "read_noise", "retention_time", "sample", "sample_defects",
    "sample_neurons", "simulate_llgs", "summary", "switching_probability", "thermal_rate", "transfer",
    "write_error_rate",
]
