"""Kernels work where their cache cannot be written or read, which is said once."""

import errno
import importlib.util
import itertools
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numba
import pytest
from numba.core import caching

from crossbar import kernel

Load = Callable[[], ModuleType]
ROOT = Path(__file__).parents[1]
SOURCE = """
from crossbar.kernel import njit, prange

@njit(cache=True)
def double(x):
    return x + x

@njit(cache=True)
def square(x):
    return x * x
"""
_numbers = itertools.count()


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Imports tmp_path/package/kernels.py, anew at every call as a new process would."""
    package = tmp_path / "package"
    package.mkdir()
    path = package / "kernels.py"
    path.write_text(SOURCE, encoding="utf-8")
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(kernel, "_said", set())

    def loaded() -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"kernels_{next(_numbers)}", path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    return loaded


def files(tmp_path: Path, ending: str, name: str = "double") -> list[Path]:
    return sorted((tmp_path / "package" / "__pycache__").glob(f"kernels.{name}*.{ending}"))


def hits(module: ModuleType) -> int:
    return sum(module.double.stats.cache_hits.values())


def test_a_stored_kernel_is_used_again(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    first, second = load(), load()
    assert (first.double(3), first.double(0.5), hits(first)) == (6, 1.0, 0)
    assert (second.double(3), second.double(0.5), hits(second)) == (6, 1.0, 2)
    assert not caplog.records


def test_without_a_folder_kernels_are_compiled_and_that_is_said_once(
        load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture) -> None:
    """NUMBA_CACHE_DIR, the folder beside the source and the user's cache are files."""
    (tmp_path / "package" / "__pycache__").write_text("")
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    module = load()
    assert (module.double(3), module.square(3), module.double(0.5)) == (6, 9, 1.0)
    line, = caplog.messages
    assert "compiled anew in every process" in line and "NUMBA_CACHE_DIR" in line
    assert caplog.records[0].levelno == logging.WARNING


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", ["cut", "zeros", "empty", "text"])
def test_a_damaged_file_is_made_anew(load: Load, tmp_path: Path, ending: str, damage: str,
                                     caplog: pytest.LogCaptureFixture) -> None:
    assert load().double(3) == 6
    path, = files(tmp_path, ending)
    content = path.read_bytes()
    damaged_contents = {"cut": content[:-20], "zeros": bytes(len(content)), "empty": b"",
                        "text": b"no pickle"}
    path.write_bytes(damaged_contents[damage])
    damaged, healed = load(), load()
    assert (damaged.double(3), hits(damaged)) == (6, 0)
    assert (healed.double(3), hits(healed)) == (6, 1)
    assert not caplog.records


def test_a_folder_in_the_place_of_a_file_is_said(load: Load, tmp_path: Path,
                                                 caplog: pytest.LogCaptureFixture) -> None:
    assert load().double(3) == 6
    path, = files(tmp_path, "nbi")
    path.unlink()
    (path / "inside").mkdir(parents=True)
    assert load().double(3) == 6
    assert len(caplog.messages) == 1


def test_a_full_disk_is_said_once(load: Load, monkeypatch: pytest.MonkeyPatch,
                                  caplog: pytest.LogCaptureFixture) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(caching.IndexDataCacheFile, "_save_data", full)
    module = load()
    assert (module.double(3), module.square(3)) == (6, 9)
    line, = caplog.messages
    assert os.strerror(errno.ENOSPC) in line


def test_the_kernel_of_other_arguments_is_not_taken(load: Load, tmp_path: Path) -> None:
    """Two processes that store their first kernels at the same moment give both the same name;
    the index of one stays."""
    module = load()
    assert (module.double(3), module.double(0.5)) == (6, 1.0)
    whole, real = files(tmp_path, "nbc")
    shutil.copy(real, whole)
    assert (load().double(3), load().double(0.5)) == (6, 1.0)


def test_several_processes_may_store_at_once(load: Load, tmp_path: Path) -> None:
    package = tmp_path / "package"
    code = (f"import sys; sys.path.insert(0, {str(package)!r}); import kernels\n"
            "print(kernels.double(3), sum(kernels.double.stats.cache_hits.values()))")

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, cwd=ROOT)

    for process in [start() for _ in range(3)]:
        out, complaint = process.communicate(timeout=120)
        assert (out[:2], complaint, process.returncode) == ("6 ", "", 0)
    assert start().communicate(timeout=120) == ("6 1\n", "")
    assert not list((package / "__pycache__").glob("*.tmp.*"))


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run", "check"])
def test_a_deck_of_an_array_runs_from_a_folder_that_cannot_be_written(tmp_path: Path,
                                                                      command: str) -> None:
    """Every kernel of a solve is compiled without a cache."""
    package = tmp_path / "crossbar"
    shutil.copytree(ROOT / "crossbar", package, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [package, *(path for path in package.rglob("*") if path.is_dir())]:
        (folder / "__pycache__").write_text("")

    file = tmp_path / "file"
    file.write_text("")
    folders = ("HOME", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "CROSSBAR_CACHE_DIR")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)} | dict.fromkeys(folders, str(file))
    deck = ROOT / "netlists" / "sneak_path.cir"
    finished = subprocess.run([sys.executable, "-m", "crossbar", command, str(deck)], check=False,
                              env=environment, capture_output=True, text=True, timeout=600,
                              cwd=tmp_path)
    assert finished.returncode == 0
    assert finished.stderr.count("\n") == (command == "run")
