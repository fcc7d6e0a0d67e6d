"""What a write did, as matrices: states, errors, probabilities, pulses, energy."""

import os
from pathlib import Path
from typing import Literal

import numpy as np

from crossbar.checks import choice
from crossbar.elements.base import Array
from crossbar.io.tables import file_name, write_matrix
from crossbar.writing import WriteReport

Numbers = Literal["-1/1", "01"]

#: What is written of a report: title and unit. Of many writes, means.
MAPS = {"states": ("states, +1 parallel, -1 antiparallel", "1"), "errors": ("write errors", "1"),
        "expected_error": ("expected write error", "1"), "disturbs": ("flips while not selected", "1"),
        "expected_disturb": ("expected disturb", "1"), "pulses": ("pulses", "1"), "gave_up": ("given up", "1"),
        "energy": ("energy", "J")}


#: Of states as 0 and 1; the mean of many writes is the share that ended in P.
_ZERO_ONE = ("states, 1 parallel, 0 antiparallel", "1")


def write_map(report: WriteReport, quantity: str, states: Numbers = "-1/1") -> Array | None:
    """(M, N) of a quantity of `MAPS`, the mean of many writes; None where the write has none.
    states : "-1/1" or "01", how states are written."""
    if quantity == "energy":
        value = report.energy.cells
    elif quantity == "states":
        value = report.states_as(states)
    else:
        value = getattr(report, quantity)
    if value is None:
        return None
    values = np.asarray(value, dtype=float)
    return values if values.ndim == 2 else values.mean(axis=0)


def write_report_csv(report: WriteReport, folder: str | os.PathLike[str], name: str = "write", *,
                     states: Numbers = "-1/1") -> list[Path]:
    """The maps of a report as <name>_<quantity>.csv in `folder`; returns the files.

    states : "-1/1" or "01", how states are written; `read_states` takes those of one write back, in
        either form.
    Raises DataError for another form, OSError.
    """
    choice(states, ("-1/1", "01"), "states")
    maps = MAPS if states == "-1/1" else MAPS | {"states": _ZERO_ONE}
    written = []
    for quantity, (title, unit) in maps.items():
        values = write_map(report, quantity, states)
        if values is not None:
            path = Path(folder) / f"{file_name(name)}_{quantity}.csv"
            write_matrix(path, values, f"{name}: {title} [{unit}]; rows: word lines, columns: bit lines")
            written.append(path)
    return written
