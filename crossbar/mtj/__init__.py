"""Physics of the magnetic tunnel junction; numpy, scipy and numba only, no circuits."""

from crossbar.mtj.conduction import as_state, conductance, current
from crossbar.mtj.parameters import PRESETS as presets
from crossbar.mtj.parameters import MTJParams, summary

__all__ = ["MTJParams", "as_state", "conductance", "current", "presets", "summary"]
