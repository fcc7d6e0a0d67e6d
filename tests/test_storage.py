"""What is computed once is read the next time, or said to be lost with the process."""

import errno
import os
import threading
import time
from pathlib import Path

import pytest

from crossbar import storage


class Number:
    """Something to be kept: 42, and how often it was computed."""

    made = 0

    def make(self) -> int:
        self.made += 1
        return 42

    def recall(self, path: Path) -> int:
        return storage.recall(path, "the number", read=self.read, make=self.make, write=self.write)

    def read(self, path: Path) -> int:
        return int(path.read_text())

    def write(self, path: Path, number: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(number))


def test_it_is_computed_once_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    number = Number()
    assert [number.recall(tmp_path / "folder" / "number") for _ in range(3)] == [42] * 3
    assert number.made == 1
    line, = caplog.messages
    assert line.startswith("the number is computed")


def test_where_it_cannot_be_written_it_is_kept_for_the_process_and_said_once(
        tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    number = Number()
    (tmp_path / "file").write_text("")
    assert [number.recall(tmp_path / "file" / "number") for _ in range(3)] == [42] * 3
    assert number.made == 1
    _, lost = caplog.messages
    assert str(tmp_path / "file") in lost and "CROSSBAR_CACHE_DIR" in lost


def test_a_full_disk_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture,
                                 monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    number = Number()
    monkeypatch.setattr(number, "write", full)
    assert [number.recall(tmp_path / "number") for _ in range(2)] == [42] * 2
    assert number.made == 1 and os.strerror(errno.ENOSPC) in caplog.messages[-1]


def test_threads_wait_for_the_one_that_computes(tmp_path: Path,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    number = Number()

    def slowly() -> int:
        time.sleep(0.1)
        return Number.make(number)
    monkeypatch.setattr(number, "make", slowly)
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "number"
    threads = [threading.Thread(target=number.recall, args=(path,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert number.made == 1


def test_the_folder_is_the_users_or_that_of_the_variable(tmp_path: Path,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSBAR_CACHE_DIR", str(tmp_path))
    assert storage.folder() == tmp_path
    monkeypatch.setenv("CROSSBAR_CACHE_DIR", "~/here")
    assert storage.folder() == Path.home() / "here"
    monkeypatch.delenv("CROSSBAR_CACHE_DIR")
    assert storage.folder().name == "crossbar"


def test_without_a_home_no_folder_is_made_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                               caplog: pytest.LogCaptureFixture) -> None:
    """HOME not set, and a user whom the system does not know, as in containers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.delenv("CROSSBAR_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert Number().recall(storage.folder() / "number") == 42
    assert "no home folder" in caplog.messages[-1] and not list(tmp_path.iterdir())
