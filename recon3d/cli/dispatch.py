"""From a command line to its exit code: work here, or in a process that can be stopped."""

from __future__ import annotations

import signal
import sys
from functools import partial
from pathlib import Path

from recon3d.cli.commands import parse
from recon3d.cli.display import reader_left, tell_cancelled, tell_error
from recon3d.cli.exit_codes import CANCELLED, DONE, FAILED, USAGE
from recon3d.cli.options import Command
from recon3d.cli.perform import perform
from recon3d.cli.supervisor import Ending, run_apart
from recon3d.core.errors import ReconError, not_enough_memory
from recon3d.core.version import program_version
from recon3d.run.device import is_address_space_limited
from recon3d.run.files import full_place, no_space
from recon3d.run.task import CancelToken


def dispatch(arguments: list[str]) -> int:
    """Run one command line; returns its exit code.

    Raises:
        KeyboardInterrupt: the user stopped a command that has no process of its own.
    """
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
    if not command.supervised:
        return perform(command, CancelToken())
    work = partial(_perform_line, arguments)
    return _conclude(command, run_apart(work, command.grace_seconds, command.environment))


def _perform_line(arguments: list[str], cancel: CancelToken) -> int:
    return perform(parse(arguments), cancel)


def _conclude(command: Command, ending: Ending) -> int:
    """Say how a run ended where it cannot say so itself; the exit code."""
    if ending.exitcode in (DONE, FAILED, USAGE):
        return ending.exitcode
    if ending.asked:
        tell_cancelled(command.style, killed=ending.exitcode != CANCELLED)
        return CANCELLED
    tell_error(command.style, why_it_died(command, ending))
    return FAILED


def why_it_died(command: Command, ending: Ending) -> ReconError:
    """The error for a person, of work that ended without a word."""
    full = full_place(command.log_folder or Path.cwd())
    if full:  # libraries that cannot write end the process
        return no_space(full)
    if ending.exitcode == -getattr(signal, "SIGKILL", 9):
        return ReconError(
            "The operating system ended the run, most likely because memory ran out.",
            hint="Close other programs, or use --preset draft or a smaller --memory-gib. What was "
            "finished is kept; the same command goes on from there.",
        )
    if is_address_space_limited():
        return not_enough_memory("go on")
    return ReconError(
        f"A library crashed (exit code {ending.exitcode}).",
        hint="Run the same command again: it goes on from where it was. If it crashes again, "
        "please report it together with what `recon3d doctor` says.",
    )
