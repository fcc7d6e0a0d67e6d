"""Refuse what would not fit, before it is allocated."""

import time
from pathlib import Path

import psutil

from crossbar.errors import SizeError

SMALL = 2 ** 12  # [byte] not worth the question
_CGROUP_FILES = (  # limit and use in bytes, cgroup v2 then v1
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
_FRESH = 0.02  # [s] for which an answer of the system holds: a small array is solved in less time than it takes to ask
_answer = (-_FRESH, 0)  # when, and what


def available() -> int:
    """Memory [byte] this process may still take: the machine's, or its control group's where that is less."""
    global _answer
    now = time.monotonic()
    if now - _answer[0] > _FRESH:
        _answer = now, _ask()
    return _answer[1]


def _ask() -> int:
    free = int(psutil.virtual_memory().available)
    for limit_file, use_file in _CGROUP_FILES:
        try:
            limit = int(Path(limit_file).read_text())
            used = int(Path(use_file).read_text())
        except (OSError, ValueError):  # absent, or "max": no limit here
            continue
        free = min(free, max(limit - used, 0))
    return free


def require(what: str, estimate: float) -> None:
    """Raise SizeError if `estimate` [byte] exceeds the available memory; `what` begins the message."""
    if estimate < SMALL:
        return
    limit = available()
    if estimate > limit:
        raise SizeError(what, estimate=estimate, limit=limit)
