"""From a command line to its exit code: work here, or in a process that can be stopped."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from recon3d.cli.commands import parse
from recon3d.cli.display import reader_left, tell_cancelled, tell_error
from recon3d.cli.exit_codes import CANCELLED, DONE, FAILED, USAGE
from recon3d.cli.options import Command
from recon3d.cli.perform import perform
from recon3d.cli.supervisor import Ending, run_apart, why_it_died
from recon3d.core.errors import ReconError
from recon3d.core.version import program_version
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
        code = perform(command, CancelToken())
        if code == CANCELLED:
            tell_cancelled(command.style, killed=False)
        return code
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
    tell_error(command.style, why_it_died(ending, command.log_folder or Path.cwd()))
    return FAILED
