"""Results out (rawfile, tables), data in (matrices).

Nothing is imported here: the netlist reader needs `matrices` alone, and must not pull in the analyses with
it.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary stream whose content becomes the file `path` at the end, all of it or nothing.

    It is written beside `path` and renamed, so that neither an exception nor a power cut leaves half a file
    where a good one was. Missing folders are made. Devices and pipes (/dev/stdout) are written directly.
    Raises OSError.
    """
    target = Path(os.path.realpath(path))  # a link stays a link
    if target.exists() and not target.is_file():
        with target.open("wb") as stream:
            yield stream
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists():
            shutil.copymode(target, part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
