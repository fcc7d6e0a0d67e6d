"""What cells saw when their lines were last at the same voltages: where to begin the next phase.

Phases of one direction differ in which columns are selected, and in the row. So two pictures of the cell voltages are kept, of
columns while selected and while not, in which the row that was written is like its neighbour, and that row by itself. Put
together as the next phase needs them they tell how the cells will conduct, and the array so linearised is solved first. (Node
voltages put together that way would be as near, but their differences drive the wires: a millivolt at an ohm is a milliampere.)
"""

import numpy as np

from crossbar.elements.base import Array, Mask


class Recall:
    """Pictures of one direction, for a batch of writes of which all take part."""

    def __init__(self) -> None:
        self.others: dict[bool, Array] = {}  # of columns that were selected, or not: (B, M, N) [V]
        self.row: dict[bool, Array] = {}     # (B, N) in the row that was written

    def keep(self, volts: Array, row: int, columns: Mask) -> None:
        """Remember the cell voltages (B, M, N) of a phase in which columns (B, N) of a row were selected."""
        near = row - 1 if row else min(1, volts.shape[1] - 1)
        for selected in (True, False):
            now = columns == selected
            others = self.others.setdefault(selected, volts.copy())
            np.copyto(others, volts, where=now[:, None, :])
            others[:, row] = others[:, near]
            np.copyto(self.row.setdefault(selected, volts[:, row].copy()), volts[:, row], where=now)

    def guess(self, row: int, columns: Mask) -> Array | None:
        """Cell voltages (B, M, N) to be expected; None: nothing is known yet."""
        if not self.others:
            return None
        out = np.where(columns[:, None, :], self.others[True], self.others[False])
        out[:, row] = np.where(columns, self.row[True], self.row[False])
        return out
