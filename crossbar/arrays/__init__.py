"""Array façades: drives in, solved currents and voltages out."""

from crossbar.arrays.drives import only
from crossbar.arrays.one_transistor import OneTransistorArray
from crossbar.arrays.passive import PassiveArray
from crossbar.arrays.reading import ReadBreakdown, SenseMargin
from crossbar.arrays.schemes import SCHEMES, Scheme
from crossbar.arrays.sensitivity import Sensitivity
from crossbar.arrays.wires import METALS, Metal, Wire

__all__ = ["METALS", "Metal", "OneTransistorArray", "PassiveArray", "ReadBreakdown", "SCHEMES", "Scheme", "SenseMargin",
           "Sensitivity", "Wire", "only"]
