"""Ctrl-C that always works: the run lives in its own process, this one listens for signals.

Some library calls (Poisson, decimation) hold Python's lock for seconds; inside one process nothing
could react to Ctrl-C meanwhile. A separate process can be ended at any moment, which is harmless
because the workspace survives it, and a crash of a library or a kill for lack of memory becomes a
message instead of a vanished program.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType, MappingProxyType

import psutil

from recon3d.core.errors import ReconError, not_enough_memory
from recon3d.language import word
from recon3d.run.device import is_address_space_limited
from recon3d.run.files import full_place, no_space
from recon3d.run.task import CancelToken

GRACE_SECONDS = 1.0
"""Time between the first Ctrl-C and the end of work that does not stop by itself."""
REUSE_MEMORY = {
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
}
"""Environment for training on Linux: without it glibc gives every large tensor back to the system
and two threads spend more time on page faults than on learning (measured: 1.7 times slower than
one; with it, 1.7 times faster)."""

Work = Callable[[CancelToken], int]


@dataclass(frozen=True)
class Ending:
    """How a process ended."""

    exitcode: int
    """Negative where a signal ended it."""
    asked: bool
    """The user had asked it to stop."""


def run_apart(
    work: Work,
    grace_seconds: float = GRACE_SECONDS,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Ending:
    """Run work(cancel) in its own process until it ends or is stopped.

    The first SIGINT or SIGTERM sets the token and ends the process grace_seconds later at the
    latest, the second ends it at once. Call it from the main thread; work is sent by pickle.
    environment: variables that the process gets unless they are set already.
    """
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_work_apart, args=(work, theirs), name="recon3d")
    end_at = math.inf

    def stop(signum: int, frame: FrameType | None) -> None:
        nonlocal end_at
        asked_before, end_at = end_at < math.inf, time.monotonic() + grace_seconds
        if asked_before:
            end_at = 0.0
        with suppress(OSError):  # read as soon as the process has started
            ours.send("stop")

    with _handling_signals(stop):
        # A library reads its variables when the process starts; a child inherits them from here.
        with _environment(environment), _ctrl_c_held_back():
            process.start()
        theirs.close()
        while process.exitcode is None:
            # Windows runs signal handlers between waits only.
            process.join(0.1)
            if time.monotonic() > end_at:
                _kill(process.pid)
    return Ending(process.exitcode, end_at < math.inf)


def why_it_died(ending: Ending, place: Path) -> ReconError:
    """The error for a person, of work that ended without a word.

    place: where it was writing.
    """
    full = full_place(place)
    if full:  # libraries that cannot write end the process
        return no_space(full)
    if ending.exitcode == -getattr(signal, "SIGKILL", 9):
        return ReconError(
            "The operating system ended the run, most likely because memory ran out.",
            hint="Close other programs, or use --preset draft or a smaller --memory-gib. What was "
            "finished is kept; the same command goes on from there.",
        )
    if is_address_space_limited():
        return not_enough_memory(word("go on"))
    return ReconError(
        f"A library crashed (exit code {ending.exitcode}).",
        hint="Run the same command again: it goes on from where it was. If it crashes again, "
        "please report it together with what `recon3d doctor` says.",
    )


@contextmanager
def cancelling(cancel: CancelToken) -> Iterator[None]:
    """Set the token at SIGINT or SIGTERM, for light work that looks at it often."""

    def stop(signum: int, frame: FrameType | None) -> None:
        cancel.cancel()

    with _handling_signals(stop):
        yield


@contextmanager
def _handling_signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, each in before.items():
            signal.signal(number, each)


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """Let a Ctrl-C wait until the block ends; a process that starts in it holds it back for good.

    A terminal sends it to both processes, and in the new one nobody could answer yet.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Started with a process, it would open the gate again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    new = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            del os.environ[name]


def _kill(pid: int | None) -> None:
    """End a process and everything that it has started."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in (*process.children(recursive=True), process):
            with suppress(psutil.Error):
                each.kill()


def _work_apart(work: Work, supervisor: Connection) -> None:
    # Only the supervisor decides; what came while this process started is forgotten.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    cancel = CancelToken()
    threading.Thread(target=_listen, args=(supervisor, cancel), daemon=True).start()
    sys.exit(work(cancel))


def _listen(supervisor: Connection, cancel: CancelToken) -> None:
    try:
        supervisor.recv()
    except (EOFError, OSError):
        # The supervisor was killed; work that nobody can stop must not go on.
        os._exit(1)
    cancel.cancel()
