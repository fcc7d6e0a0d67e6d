"""What a start has to be before planes are solved from it.

Through 0 ohm any current may flow, so that Kirchhoff's current law says nothing about the voltage of a node that is tied to a
terminal: a start has to be right there, and equal along every stretch of 0 ohm. And no node of passive cells leaves the range
of the terminals: a start that does, such as a solution under larger drives, would only cost digits.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def along_shorts(r: Array, near: Array, far: Array, volts: Array) -> Array:
    """Node voltages (B or 1, n, L) of lines with those that segments of exactly 0 ohm tie to a terminal at its voltage, and
    those that they tie to each other equal.

    r (n + 1, L or 1) segments [ohm]; near, far (B, L) terminal voltages [V].
    """
    shorted = r == 0
    if not shorted.any():
        return volts
    count = len(r) - 1
    volts = np.array(np.broadcast_to(volts, (len(near), count, near.shape[1])))
    before = near
    for j in range(count):
        volts[:, j] = np.where(shorted[j], before, volts[:, j])
        before = volts[:, j]
    to_far_end = np.ones_like(shorted[0])
    for j in range(count - 1, -1, -1):
        to_far_end = to_far_end & shorted[j + 1]
        if not to_far_end.any():
            break
        volts[:, j] = np.where(to_far_end, far, volts[:, j])
    return volts


def within(lowest: Array, highest: Array, volts: Array) -> Array:
    """Voltages (B or 1, n, L) within those of the terminals, lowest and highest (B,); 0 V in the place of NaN."""
    return np.clip(np.nan_to_num(volts), lowest[:, None, None], highest[:, None, None])
