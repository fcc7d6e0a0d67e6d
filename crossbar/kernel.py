"""Compilation of kernels: numba's `njit` with a cache on disk that may be missing, full or damaged.

    from crossbar.kernel import njit, prange

What cannot be read is compiled anew, what cannot be written is said once and kept for the process.
"""

import logging
from collections.abc import Callable
from typing import Any

import numba
from numba import prange
from numba.core import sigutils
from numba.core.caching import FunctionCache, NullCache
from numba.core.dispatcher import Dispatcher

from crossbar import launching

__all__ = ["njit", "prange"]

_log = logging.getLogger("crossbar")
_said: set[str] = set()


def njit(*, cache: bool, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit(**options)`.

    cache : whether machine code is kept on disk, where that is possible.
    """
    def compiled(function: Callable[..., Any]) -> Any:
        kernel = numba.njit(**options)(function)
        if isinstance(kernel, Dispatcher):  # else NUMBA_DISABLE_JIT is set
            kernel._cache = _Store(function, cache)  # type: ignore[attr-defined]
        return kernel
    return compiled


class _Store(NullCache):  # type: ignore[misc]
    """Machine code of one kernel on disk, asked for before it is first loaded or compiled."""

    def __init__(self, function: Callable[..., Any], cache: bool) -> None:
        self._function = function
        self._wanted = cache
        self._files: Any = None

    @property
    def cache_path(self) -> str | None:
        """The folder, None before the first call and where there is none."""
        return None if self._files is None else self._files.cache_path

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The kernel for these types of arguments, None if it has to be compiled."""
        launching.install()
        self._open()
        if self._files is None:
            return None
        try:
            kernel = self._files.load_overload(sig, target_context)
        except Exception:  # cut off, of zeros, another version's: whatever unpickling makes of it
            self._clear()
            return None
        # two processes that stored kernels at the same moment may have taken one name for both
        arguments, _ = sigutils.normalize_signature(sig)
        if kernel is None or tuple(kernel.signature.args) != tuple(arguments):
            return None
        return kernel

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store a kernel, if possible."""
        if self._files is None:
            return
        try:
            self._files.save_overload(sig, data)
        except OSError as error:
            _say_once(f"they cannot be stored in {self.cache_path} ({error.strerror or error})")

    def flush(self) -> None:
        """Forget what is on disk."""
        self._open()
        if self._files is not None:
            self._clear()

    def _open(self) -> None:
        """Find the folder, when it is first needed."""
        if not self._wanted:
            return
        self._wanted = False
        try:
            self._files = FunctionCache(self._function)
        except (RuntimeError, OSError):
            _say_once("no folder for them can be written")

    def _clear(self) -> None:
        """Begin a new index in the place of a damaged one."""
        try:
            self._files.flush()
        except OSError as error:
            self._files = None
            _say_once(f"those stored cannot be replaced ({error.strerror or error})")


def _say_once(why: str) -> None:
    """A line on stderr, unless the user's logging has it elsewhere."""
    if not _said:
        _log.warning("kernels are compiled anew in every process: %s; "
                     "NUMBA_CACHE_DIR may name a folder", why)
    _said.add(why)
