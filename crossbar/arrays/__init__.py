"""Array façades: drives in, solved currents and voltages out."""

from crossbar.arrays.drives import only
from crossbar.arrays.passive import PassiveArray
from crossbar.arrays.reading import ReadBreakdown, SenseMargin
from crossbar.arrays.schemes import SCHEMES, Scheme
from crossbar.arrays.sensitivity import Sensitivity

__all__ = ["PassiveArray", "ReadBreakdown", "SCHEMES", "Scheme", "SenseMargin", "Sensitivity", "only"]
