"""What takes long to compute, kept in the user's cache folder from process to process."""

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

VARIABLE = "CROSSBAR_CACHE_DIR"  # of the environment: another folder

Kept = TypeVar("Kept")

_log = logging.getLogger("crossbar")
_turns = [threading.Lock()]      # one computes at a time; a forked child puts a new lock here
_unstored: dict[Path, Any] = {}  # what no file could be made of


def folder() -> Path:
    """The folder, which need not exist. It begins with ~ where nobody knows a home folder."""
    try:
        name = os.environ.get(VARIABLE) or platformdirs.user_cache_dir("crossbar", appauthor=False)
    except RuntimeError:  # how newer versions of platformdirs say so
        name = "~"
    return Path(os.path.expanduser(name))


def recall(path: Path, what: str, *, read: Callable[[Path], Kept], make: Callable[[], Kept],
           write: Callable[[Path, Kept], None]) -> Kept:
    """What `path` holds, or else what `make` returns, which is then written there if possible.

    One thread makes it, while others wait for it. That it is made, and that it could not be
    written, is said in the log, each in one line.

    what : its name, in messages. read : may raise any Exception for a file that is missing or
    damaged, of which there are many ways. write : may raise OSError.
    """
    with _turns[0]:
        if path in _unstored:
            return _unstored[path]  # type: ignore[no-any-return]
        with contextlib.suppress(Exception):
            return read(path)
        _log.warning("%s is computed, which takes a minute or more, once", what)
        made = make()
        try:
            if path.parts[0] == "~":
                raise OSError("there is no home folder")
            write(path, made)
        except OSError as error:
            _unstored[path] = made
            _log.warning("%s cannot be kept in %s (%s) and is lost with this process; "
                         "%s may name another folder", what, path.parent,
                         error.strerror or error, VARIABLE)
        return made


def _forget_turns() -> None:
    """In a forked child nobody computes anything, whoever did at the fork."""
    _turns[0] = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_turns)
