"""What `dir` and `help` tell of the package: all its names, in signatures that can be read."""

import inspect
import pydoc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import crossbar as xb
import crossbar.plots

PACKAGES = [xb, xb.mtj, xb.nn, crossbar.plots, xb.writing]
LONGEST = 100  # characters of an annotation: a line


def name_of(package: ModuleType) -> str:
    return package.__name__


def functions(name: str, value: object) -> Iterator[tuple[str, Any]]:
    """A function, or the public methods of a class and what makes it."""
    if inspect.isfunction(value):
        yield name, value
    if not inspect.isclass(value):
        return
    for attribute in dir(value):
        if attribute.startswith("_") and attribute != "__init__":
            continue
        method = inspect.getattr_static(value, attribute)
        if isinstance(method, classmethod | staticmethod):
            method = method.__func__
        if inspect.isfunction(method):
            yield f"{name}.{attribute}", method


@pytest.mark.parametrize("package", PACKAGES, ids=name_of)
def test_dir_lists_every_public_name(package: ModuleType) -> None:
    assert set(package.__all__) <= set(dir(package))
    assert "__doc__" in dir(package)


def test_dir_loads_nothing() -> None:
    code = ("import sys, crossbar; names = dir(crossbar), dir(crossbar.mtj); "
            "print('PassiveArray' in names[0], 'plots' in names[0], 'fit_switching' in names[1], "
            "'numba' in sys.modules, 'matplotlib' in sys.modules)")
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                              timeout=120, cwd=Path(__file__).parents[1], check=True)
    assert finished.stdout.split() == ["True", "True", "True", "False", "False"]


@pytest.mark.parametrize("package", PACKAGES, ids=name_of)
def test_help_speaks_of_every_public_name(package: ModuleType) -> None:
    text = pydoc.plain(pydoc.render_doc(package))
    missing = [name for name in package.__all__ if name not in text]
    assert not missing


@pytest.mark.parametrize("package", PACKAGES, ids=name_of)
def test_signatures_name_types_and_do_not_spell_them_out(package: ModuleType) -> None:
    for name in package.__all__:
        for called, function in functions(name, getattr(package, name)):
            signature = inspect.signature(function)
            annotations = [p.annotation for p in signature.parameters.values()]
            for annotation in (*annotations, signature.return_annotation):
                text = inspect.formatannotation(annotation)
                assert "numpy._typing" not in text and len(text) <= LONGEST, (called, text)


def test_help_of_an_array_says_array_like() -> None:
    text = pydoc.plain(pydoc.render_doc(xb.PassiveArray))
    line = next(line for line in text.splitlines() if "PassiveArray(cells" in line)
    assert "r_word: 'npt.ArrayLike' = 2.0" in line and len(line) < 250
