"""Names of a package that are looked up where they are defined when somebody asks for them.

A command that reads and solves a small deck would else spend most of its time on loading what it doesn't need. This is what
PEP 562 is for; SPEC 1 of the Scientific Python ecosystem does the same.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def names(package: str, homes: Mapping[str, str], here: str = "") -> tuple[Callable[[str], Any], list[str]]:
    """`__getattr__` and `__all__` of a package: {module below the package: "its name its name ..."}; here: names that the package
    has itself. Modules below the package are found, too."""
    home = {name: module for module, found in homes.items() for name in found.split()}

    def look_up(name: str) -> Any:
        if name not in home and (name.startswith("_") or find_spec(f"{package}.{name}") is None):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(f"{package}.{home.get(name, name)}")
        value = module if home.get(name, name) == name else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value
    return look_up, sorted([*home, *here.split()])
