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
from pathlib import Path
from typing import TypeVar

from recon3d.run.files import require_space
from recon3d.run.task import Task

T = TypeVar("T")

Progress = Callable[[], tuple[int, int, str]]
"""(done, total, note) of the work that is going on."""

_RESERVE_BYTES = 32 << 20
"""What must stay free while COLMAP works: on a full disk its database ends the whole program, and
this is more than it writes between two looks."""

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


def open_database(path: Path) -> pycolmap.Database:
    """A connection to a database, which is made where there is none.

    Raises:
        OutputError: the disk is almost full.
    """
    require_space(path, _RESERVE_BYTES)
    return pycolmap.Database.open(path)


def run_cancellable(
    task: Task,
    folder: Path,
    progress: Progress,
    work: Callable[[pycolmap.CancellationToken], T],
) -> T:
    """Run a pycolmap call in a thread, so that progress, signals and cancel get their turn.

    folder: Where it writes.

    Raises:
        Cancelled: the user asked to stop; the call has ended.
        OutputError: the disk is almost full; the call has ended.
    """
    token = pycolmap.CancellationToken()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work, token)
        try:
            while not wait([future], timeout=0.2).done:
                require_space(folder, _RESERVE_BYTES)
                task.step(*progress())
        except BaseException:
            token.cancel()
            raise
        return future.result()


__all__ = ["Progress", "open_database", "pycolmap", "run_cancellable"]
