"""Threads that share memory never hold more than there is, and what is freed goes back."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from recon3d.core.errors import NotEnoughMemoryError
from recon3d.run.memory import SharedMemory, return_freed_memory


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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="others need no asking")
def test_memory_between_things_in_use_goes_back_to_the_system() -> None:
    # Below the size that glibc maps by itself.
    pictures, between = [], []
    for _ in range(2000):
        pictures.append(bytearray(100_000))
        between.append(bytearray(2000))
    pictures.clear()
    before = psutil.Process().memory_info().rss
    return_freed_memory()
    assert before - psutil.Process().memory_info().rss > 100_000_000
    assert len(between) == 2000
