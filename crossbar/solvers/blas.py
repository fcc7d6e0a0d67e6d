"""One thread for BLAS while lines are solved.

Its products are small there, and its waiting threads would keep the sweeps' from their cores.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController


class _Blas:
    """The threads of BLAS, which all threads of Python have in common."""

    def __init__(self) -> None:
        self.libraries: Any = None
        self.forget()

    def forget(self) -> None:
        """Nobody wants one thread."""
        self.lock = threading.Lock()
        self.users = 0
        self.usual: list[tuple[Any, int]] = []  # libraries, and their threads before the first user

    @contextmanager
    def limited(self) -> Iterator[None]:
        """One thread, until the last user has left.

        Of threads that come and go crosswise, each would restore what it met: the limit of another.
        Some versions of threadpoolctl obey the first thread alone. So the last one sees to it that
        all is as before the first.
        """
        with self.lock:
            if self.libraries is None:
                self.libraries = ThreadpoolController().select(user_api="blas")
            if self.users == 0:
                libraries = self.libraries.lib_controllers
                self.usual = [(library, library.num_threads) for library in libraries]
            self.users += 1
        try:
            with self.libraries.limit(limits=1):
                yield
        finally:
            with self.lock:
                self.users -= 1
                if self.users == 0:
                    self._restore()

    def _restore(self) -> None:
        for library, usual in self.usual:
            if library.num_threads != usual:
                library.set_num_threads(usual)


_blas = _Blas()
one_thread = _blas.limited

if hasattr(os, "register_at_fork"):
    # a lock that another thread held at the fork would never be released in the child
    os.register_at_fork(after_in_child=_blas.forget)
