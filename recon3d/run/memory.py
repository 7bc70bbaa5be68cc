"""Memory that threads share: each says beforehand what it will take."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from recon3d.core.errors import not_enough_memory


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
