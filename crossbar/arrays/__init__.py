"""Array façades: drives in, solved currents and voltages out."""

from crossbar.arrays.drives import only
from crossbar.arrays.one_transistor import OneTransistorArray
from crossbar.arrays.passive import PassiveArray
from crossbar.arrays.wires import METALS, Metal, Wire

__all__ = ["METALS", "Metal", "OneTransistorArray", "PassiveArray", "Wire", "only"]
