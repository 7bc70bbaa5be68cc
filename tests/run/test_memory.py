"""Threads that share memory never hold more than there is."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from recon3d.core.errors import NotEnoughMemoryError
from recon3d.run.memory import SharedMemory


def test_together_threads_hold_no_more_than_there_is() -> None:
    memory, lock = SharedMemory(100), threading.Lock()
    held, most = 0, 0

    def work(needed_bytes: int) -> None:
        nonlocal held, most
        with memory.taken(needed_bytes, "test"):
            with lock:
                held += needed_bytes
                most = max(most, held)
            threading.Event().wait(0.001)
            with lock:
                held -= needed_bytes

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [60, 30, 100, 10, 45, 45, 20, 70] * 10))
    assert (held, most) == (0, 100)


def test_what_can_never_fit_is_refused_at_once() -> None:
    memory = SharedMemory(100)
    with (
        pytest.raises(NotEnoughMemoryError, match=r"decode a\.jpg"),
        memory.taken(101, "decode a.jpg"),
    ):
        pytest.fail("it was let in")


def test_what_fails_gives_its_memory_back() -> None:
    memory = SharedMemory(100)
    with pytest.raises(ValueError, match="broken"), memory.taken(100, "test"):
        raise ValueError("broken")
    with memory.taken(100, "test"):
        pass
