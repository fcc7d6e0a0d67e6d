"""The kernels of crossbar.elements.cell_code, compiled by numba when the first is asked for: to load numba takes longer than
to read and solve a small deck."""

from importlib import import_module
from typing import Any

LEVEL1, EKV, SINH, DIODE, THRESHOLD = range(5)  # kinds of the second device


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(import_module("crossbar.elements.cell_code"), name)
