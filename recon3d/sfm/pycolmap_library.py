"""pycolmap, imported once and tamed; nothing else in recon3d imports it."""

from __future__ import annotations

# pycolmap before zlib, Pillow or OpenCV corrupts later PNG writing (free(): invalid pointer).
# isort: off
import zlib

import PIL.Image
import cv2

# isort: on
import ctypes
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

from recon3d.run.task import Task

T = TypeVar("T")

Progress = Callable[[], tuple[int, int, str]]
"""(done, total, note) of the work that is going on."""

_FIRST = (zlib, PIL.Image, cv2)


@contextmanager
def _kept_sigterm() -> Iterator[None]:
    """Undo the SIGTERM handler that the import installs; it prints a C++ stack and goes on.

    Through the C library, because Python may set signals in its main thread only.
    """
    if sys.platform == "win32":
        yield
        return
    sigaction = ctypes.CDLL(None).sigaction
    kept = ctypes.create_string_buffer(1024)  # struct sigaction is 152 bytes on Linux
    sigaction(int(signal.SIGTERM), None, kept)
    try:
        yield
    finally:
        sigaction(int(signal.SIGTERM), kept, None)


with _kept_sigterm():
    import pycolmap

# What COLMAP prints is for its developers; what users need to know is counted after every step.
pycolmap.logging.minloglevel = 3


def run_cancellable(
    task: Task, progress: Progress, work: Callable[[pycolmap.CancellationToken], T]
) -> T:
    """Run a pycolmap call in a thread, so that progress, signals and cancel get their turn.

    Raises:
        Cancelled: the user asked to stop; the call has ended.
    """
    token = pycolmap.CancellationToken()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work, token)
        try:
            while not wait([future], timeout=0.2).done:
                task.step(*progress())
        except BaseException:
            token.cancel()
            raise
        return future.result()


__all__ = ["Progress", "pycolmap", "run_cancellable"]
