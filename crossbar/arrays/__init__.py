"""Array façades: drives in, solved currents and voltages out."""

from crossbar.arrays.drives import only
from crossbar.arrays.one_transistor import OneTransistorArray
from crossbar.arrays.passive import PassiveArray

__all__ = ["OneTransistorArray", "PassiveArray", "only"]
