"""Files that a deck or a command line names: opened so that nothing blocks, and refused unless they are regular.

A pipe without a writer, a socket, a terminal or /dev/zero would be read for ever. They are known by their kind before they are
opened, and by that of what was opened (it may have been exchanged meanwhile); files of /proc, whose size is unknown before, are
read as far as memory goes.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from crossbar import memory
from crossbar.errors import DataError

_CHUNK = 2 ** 20  # [byte]
_KINDS = ((stat.S_ISDIR, "a directory"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"),
          (stat.S_ISBLK, "a device"))
_NEVER_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_OWN = re.compile(r"/dev/stdin|/(?:dev|proc/self)/fd/\d{1,9}")  # what a shell hands over: a pipe, or <(command)


def file_path(name: str) -> Path:
    """The path that a name in a UTF-8 text stands for, whatever the encoding of file names in this locale."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return Path(os.fsdecode(name.encode(errors="surrogateescape")))
    return Path(name)


@contextmanager
def open_regular(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """A binary stream of a regular file, and its size [byte]. Raises DataError for any other kind of file, OSError."""
    _require_regular(path, path.stat().st_mode)
    descriptor = os.open(path, os.O_RDONLY | _NEVER_WAIT)
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        _require_regular(path, status.st_mode)
        yield stream, status.st_size


@contextmanager
def open_handed_over(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """As `open_regular`, and the pipes that this process was given by name: /dev/stdin, /dev/fd/N."""
    if not _OWN.fullmatch(str(path)) or not stat.S_ISFIFO(path.stat().st_mode):
        with open_regular(path) as opened:
            yield opened
        return
    with path.open("rb") as stream:
        yield stream, 0


def _require_regular(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "of a kind of its own")
        raise DataError(f"{path} is not a regular file: it is {kind}")


def read_up_to_memory(stream: BinaryIO, what: str, held: float) -> bytes:
    """All bytes of a stream. Raises SizeError as soon as `held` bytes of memory for each would not fit; `what` begins the
    message."""
    chunks: list[bytes] = []
    size = 0
    while chunk := stream.read(_CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        memory.require(what, held * size)
    return b"".join(chunks)
