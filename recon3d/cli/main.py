"""What `recon3d` runs first: parse, then work here or in a process that can be stopped."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from functools import partial

from recon3d.cli.commands import parse
from recon3d.cli.display import reader_left, tell_cancelled, tell_error
from recon3d.cli.options import Command
from recon3d.cli.perform import CANCELLED, DONE, FAILED, USAGE, perform
from recon3d.cli.supervisor import Ending, run_apart
from recon3d.core.errors import ReconError
from recon3d.core.version import program_version
from recon3d.run.task import CancelToken


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns its exit code.

    0 done, 1 the photos, files or settings do not allow it, 2 wrong usage, 130 cancelled.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if arguments == ["--version"]:
            sys.stdout.write(f"recon3d {program_version()}\n")
            return DONE
        command = parse(arguments or ["--help"])
    except ReconError as error:
        tell_error("json" if "--json" in arguments else "normal", error)
        return FAILED
    except SystemExit as end:  # tyro has printed help or what is wrong
        return int(end.code or DONE)
    except BrokenPipeError:
        reader_left()
        return FAILED
    if command.supervised:
        work = partial(_perform_line, arguments)
        return _conclude(command, run_apart(work, command.grace_seconds, command.environment))
    try:
        return perform(command, CancelToken())
    except KeyboardInterrupt:
        return CANCELLED


def _perform_line(arguments: list[str], cancel: CancelToken) -> int:
    return perform(parse(arguments), cancel)


def _conclude(command: Command, ending: Ending) -> int:
    """Say how a run ended where it cannot say so itself; the exit code."""
    if ending.exitcode in (DONE, FAILED, USAGE):
        return ending.exitcode
    if ending.asked:
        tell_cancelled(command.style, killed=ending.exitcode != CANCELLED)
        return CANCELLED
    if ending.exitcode == -getattr(signal, "SIGKILL", 9):
        error = ReconError(
            "The operating system ended the run, most likely because memory ran out.",
            hint="Close other programs, or use --preset draft or a smaller --memory-gib. What was "
            "finished is kept; the same command goes on from there.",
        )
    else:
        error = ReconError(
            f"A library crashed (exit code {ending.exitcode}).",
            hint="Run the same command again: it goes on from where it was. If it crashes again, "
            "please report it together with what `recon3d doctor` says.",
        )
    tell_error(command.style, error)
    return FAILED
