"""Names of a package that are looked up where they are defined when somebody asks for them.

A command that reads and solves a small deck would else spend most of its time on loading what it
doesn't need. This is what PEP 562 is for; SPEC 1 of the Scientific Python ecosystem does the same.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

#: `__getattr__`, `__dir__` and `__all__` of a package.
Names = tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]


def names(package: str, homes: Mapping[str, str], here: str = "", parts: str = "") -> Names:
    """What a package needs in order to have names that are defined in modules below it.

    homes : {module below the package: "its name its name ..."}. here : names that the package has
    itself. parts : modules that `dir` lists besides. Other modules below the package are found, too.
    """
    home = {name: module for module, defined in homes.items() for name in defined.split()}
    exported = sorted([*home, *here.split()])

    def look_up(name: str) -> Any:
        if name not in home and (name.startswith("_") or find_spec(f"{package}.{name}") is None):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(f"{package}.{home.get(name, name)}")
        value = module if home.get(name, name) == name else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    def listed() -> list[str]:
        own = [name for name in vars(sys.modules[package]) if name.startswith("__")]
        return sorted({*exported, *parts.split(), *own})

    return look_up, listed, exported
