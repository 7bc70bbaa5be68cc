"""Memory that threads share, and that goes back to the system."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from recon3d.core.errors import not_enough_memory


def return_freed_memory() -> None:
    """Hand back what lies free between things in use; takes some milliseconds.

    Pictures of many megabytes come and go, and small things stay between them. glibc keeps such
    gaps unless it is asked; other systems do this by themselves.
    """
    if sys.platform != "linux":
        return
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # another C library
        return
    trim(ctypes.c_size_t(0))


class SharedMemory:
    """A fixed amount of memory; who would take more than is left waits for the others."""

    def __init__(self, total_bytes: int) -> None:
        self._total_bytes = total_bytes
        self._left_bytes = total_bytes
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, needed_bytes: int, doing: str) -> Iterator[None]:
        """Hold so much of it in the block.

        doing: what it is for, as in "decode photo.jpg".

        Raises:
            NotEnoughMemoryError: it is more than there is in all.
        """
        if needed_bytes > self._total_bytes:
            raise not_enough_memory(doing, needed_bytes)
        with self._changed:
            self._changed.wait_for(lambda: self._left_bytes >= needed_bytes)
            self._left_bytes -= needed_bytes
        try:
            yield
        finally:
            with self._changed:
                self._left_bytes += needed_bytes
                self._changed.notify_all()
