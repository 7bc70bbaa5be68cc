"""Ctrl-C that always works: the run lives in its own process, this one listens for signals.

Some library calls (Poisson, decimation) hold Python's lock for seconds; inside one process nothing
could react to Ctrl-C meanwhile. A separate process can be ended at any moment, which is harmless
because the workspace survives it, and a crash of a library or a kill for lack of memory becomes a
message instead of a vanished program.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from types import FrameType

from recon3d.cli.commands import Command, parse
from recon3d.cli.display import tell_cancelled, tell_error
from recon3d.cli.perform import CANCELLED, DONE, FAILED, USAGE, perform
from recon3d.core.errors import ReconError
from recon3d.run.task import CancelToken

GRACE_SECONDS = 1.0
"""Time between the first Ctrl-C and the end of a run that does not stop by itself."""


def supervise(command: Command, arguments: Sequence[str]) -> int:
    """Run the command in its own process until it ends or is stopped; returns the exit code.

    The first SIGINT or SIGTERM asks the run to stop and ends it GRACE_SECONDS later at the latest,
    the second ends it at once.
    """
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_work, args=(list(arguments), theirs), name="recon3d")
    # A terminal sends Ctrl-C to both processes; the child inherits that it ignores it.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked = False

    def stop(signum: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            process.kill()
            return
        asked = True
        with suppress(OSError):
            ours.send("stop")
        end = threading.Timer(GRACE_SECONDS, process.kill)
        end.daemon = True
        end.start()

    restore = [(signal.SIGINT, before)]
    try:
        process.start()
        theirs.close()
        signal.signal(signal.SIGINT, stop)
        restore.append((signal.SIGTERM, signal.signal(signal.SIGTERM, stop)))
        while process.is_alive():
            # Windows runs signal handlers between waits only.
            process.join(0.2)
    finally:
        for signum, handler in restore:
            signal.signal(signum, handler)
    return _conclude(command, process.exitcode, asked)


def _conclude(command: Command, exitcode: int | None, asked: bool) -> int:
    if asked and exitcode != DONE:
        tell_cancelled(command.style, killed=exitcode != CANCELLED)
        return CANCELLED
    if exitcode in (DONE, FAILED, USAGE, CANCELLED):
        return exitcode
    if exitcode == -getattr(signal, "SIGKILL", 9):
        error = ReconError(
            "The operating system ended the run, most likely because memory ran out.",
            hint="Close other programs, or use --preset draft or a smaller --memory-gib. What was "
            "finished is kept; the same command goes on from there.",
        )
    else:
        error = ReconError(
            f"A library crashed (exit code {exitcode}).",
            hint="Run the same command again: it goes on from where it was. If it crashes again, "
            "please report it together with what `recon3d doctor` says.",
        )
    tell_error(command.style, error)
    return FAILED


def _work(arguments: list[str], supervisor: Connection) -> None:
    """The run's own process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cancel = CancelToken()
    listener = threading.Thread(target=_listen, args=(supervisor, cancel.cancel), daemon=True)
    listener.start()
    sys.exit(perform(parse(arguments), cancel))


def _listen(supervisor: Connection, cancel: Callable[[], None]) -> None:
    try:
        supervisor.recv()
    except (EOFError, OSError):
        # The supervisor was killed; a run that nobody can stop must not go on.
        os._exit(CANCELLED)
    cancel()
