"""crossbar: the SPICE for magnetic-tunnel-junction crossbars.

    import crossbar as xb
    run = xb.run("netlists/divider.cir")                     # netlists
    array = xb.PassiveArray(conductances, r_word=2.0)        # arrays
    current = array.solve(word_left=voltages).bit_current
"""

from crossbar import threads  # noqa: F401, I001: before anything that starts threads
from crossbar import mtj, nn
from crossbar.analysis import OperatingPoint, Sweep, dc_sweep, operating_point
from crossbar.arrays import SCHEMES, OneTransistorArray, PassiveArray, Scheme, Wire, only
from crossbar.circuit import Circuit, CircuitBuilder
from crossbar.elements.access import TransistorCells
from crossbar.elements.cells import LinearCells, MTJCells
from crossbar.elements.selector import DiodeSelector, SelectorCells, SinhSelector, ThresholdSelector
from crossbar.elements.solution import ArraySolution, TransistorSolution
from crossbar.elements.tables import TabulatedCells
from crossbar.elements.transistor import NMOS
from crossbar.errors import (ConvergenceError, CrossbarError, DataError, NetlistError, Problem, SizeError,
                             TopologyError)
from crossbar.expressions import ExpressionError
from crossbar.io.rawfile import read_raw, write_raw
from crossbar.io.tables import write_csv
from crossbar.matrices import read_matrix, read_states
from crossbar.mtj import MTJParams
from crossbar.netlist import Deck, parse_netlist, read_netlist, to_spice
from crossbar.nn import vmm
from crossbar.session import Run, run
from crossbar.solvers.newton import GminStepping, Ladder, Newton, SourceStepping

__version__ = "0.1.0"

__all__ = [
    "ArraySolution", "Circuit", "CircuitBuilder", "ConvergenceError", "CrossbarError", "DataError", "Deck",
    "DiodeSelector", "ExpressionError", "GminStepping", "Ladder", "LinearCells", "MTJCells", "MTJParams", "NMOS",
    "NetlistError", "Newton", "OneTransistorArray", "OperatingPoint", "PassiveArray", "Problem", "Run", "SCHEMES",
    "Scheme", "SelectorCells", "SinhSelector", "SizeError", "SourceStepping", "Sweep", "TabulatedCells",
    "ThresholdSelector", "TopologyError", "TransistorCells", "TransistorSolution", "Wire", "dc_sweep", "mtj", "nn",
    "only", "operating_point", "parse_netlist", "read_matrix", "read_netlist", "read_raw", "read_states", "run",
    "to_spice", "vmm", "write_csv", "write_raw",
]
