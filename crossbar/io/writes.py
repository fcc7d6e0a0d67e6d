"""What a write did, as matrices: states, errors, probabilities, pulses, energy."""

import os
from pathlib import Path

import numpy as np

from crossbar.elements.base import Array
from crossbar.io.tables import file_name, write_matrix
from crossbar.writing import WriteReport

#: What is written of a report: title and unit. Of many writes, means.
MAPS = {"states": ("states, +1 parallel, -1 antiparallel", "1"), "errors": ("write errors", "1"),
        "expected_error": ("expected write error", "1"), "disturbs": ("flips while not selected", "1"),
        "expected_disturb": ("expected disturb", "1"), "pulses": ("pulses", "1"), "gave_up": ("given up", "1"),
        "energy": ("energy", "J")}


def write_map(report: WriteReport, quantity: str) -> Array | None:
    """(M, N) of a quantity of `MAPS`, the mean of many writes; None where the write has none."""
    value = report.energy.cells if quantity == "energy" else getattr(report, quantity)
    if value is None:
        return None
    values = np.asarray(value, dtype=float)
    return values if values.ndim == 2 else values.mean(axis=0)


def write_report_csv(report: WriteReport, folder: str | os.PathLike[str], name: str = "write") -> list[Path]:
    """The maps of a report as <name>_<quantity>.csv in `folder`; returns the files. `read_states` takes the states of one write
    back. Raises OSError."""
    written = []
    for quantity, (title, unit) in MAPS.items():
        values = write_map(report, quantity)
        if values is not None:
            path = Path(folder) / f"{file_name(name)}_{quantity}.csv"
            write_matrix(path, values, f"{name}: {title} [{unit}]; rows: word lines, columns: bit lines")
            written.append(path)
    return written
