"""crossbar: the SPICE for magnetic-tunnel-junction crossbars.

    import crossbar as xb
    run = xb.run("netlists/divider.cir")                     # netlists
    array = xb.PassiveArray(conductances, r_word=2.0)        # arrays
    current = array.solve(word_left=voltages).bit_current
"""

from typing import TYPE_CHECKING

from crossbar import threads  # before anything that starts threads
from crossbar import lazy

if TYPE_CHECKING:
    from crossbar import mtj, nn, writing
    from crossbar.analysis import Sweep, dc_sweep, operating_point
    from crossbar.arrays import SCHEMES, OneTransistorArray, PassiveArray, Scheme, Wire, only
    from crossbar.circuit import Circuit, CircuitBuilder
    from crossbar.elements.access import TransistorCells
    from crossbar.elements.cells import LinearCells, MTJCells
    from crossbar.elements.selector import DiodeSelector, SelectorCells, SinhSelector, ThresholdSelector
    from crossbar.elements.solution import ArraySolution, TransistorSolution
    from crossbar.elements.tables import TabulatedCells
    from crossbar.elements.transistor import NMOS
    from crossbar.errors import (ConvergenceError, CrossbarError, CrossbarWarning, DataError, NetlistError, Problem, SizeError,
                                 TopologyError)
    from crossbar.expressions import ExpressionError
    from crossbar.io.rawfile import read_raw, write_raw
    from crossbar.io.tables import write_csv
    from crossbar.matrices import read_matrix, read_states
    from crossbar.mtj import MTJParams
    from crossbar.netlist import Deck, parse_netlist, read_netlist, to_spice
    from crossbar.nn import vmm
    from crossbar.points import OperatingPoint
    from crossbar.session import Run, run
    from crossbar.solvers.newton import GminStepping, Ladder, Newton, SourceStepping
    from crossbar.writing import Pulse, Verify, WriteReport, program

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy.names(__name__, {  # once more, loaded when asked for
    "mtj": "mtj MTJParams",
    "nn": "nn vmm",
    "analysis": "Sweep dc_sweep operating_point",
    "arrays": "OneTransistorArray PassiveArray SCHEMES Scheme Wire only",
    "circuit": "Circuit CircuitBuilder",
    "elements.access": "TransistorCells",
    "elements.cells": "LinearCells MTJCells",
    "elements.selector": "DiodeSelector SelectorCells SinhSelector ThresholdSelector",
    "elements.solution": "ArraySolution TransistorSolution",
    "elements.tables": "TabulatedCells",
    "elements.transistor": "NMOS",
    "errors": "ConvergenceError CrossbarError CrossbarWarning DataError NetlistError Problem SizeError TopologyError",
    "expressions": "ExpressionError",
    "io.rawfile": "read_raw write_raw",
    "io.tables": "write_csv",
    "matrices": "read_matrix read_states",
    "netlist": "Deck parse_netlist read_netlist to_spice",
    "points": "OperatingPoint",
    "session": "Run run",
    "solvers.newton": "GminStepping Ladder Newton SourceStepping",
    "writing": "Pulse Verify WriteReport program writing",
}, parts="plots studies")
