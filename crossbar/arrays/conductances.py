"""Cells as users give them: a cell law, or a matrix of conductances."""

import numpy.typing as npt

from crossbar import doubts
from crossbar.checks import real_array
from crossbar.elements.cells import Cells, LinearCells


def as_cells(cells: Cells | npt.ArrayLike) -> Cells:
    """Cells as they are, or linear ones of conductances (M, N) [S].

    Raises DataError for what is neither. Warns of sound linear cells that conduct as much as only
    resistances do by their numbers.
    """
    if not isinstance(cells, Cells):
        cells = LinearCells(g=real_array(cells, "cells [S]"))
    if isinstance(cells, LinearCells):
        sound = cells.g if cells.broken is None else cells.g * ~cells.broken
        doubts.warn(doubts.of_conductances(sound), "resistances [ohm] are taken by "
                    "PassiveArray.from_resistance")
    return cells
