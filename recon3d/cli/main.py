"""What `recon3d` runs first: parse, then work here or in a process that can be stopped."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from recon3d.cli.commands import parse
from recon3d.cli.display import reader_left, tell_error
from recon3d.cli.perform import CANCELLED, DONE, FAILED, perform
from recon3d.cli.supervisor import supervise
from recon3d.core.errors import ReconError
from recon3d.run.task import CancelToken


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns its exit code.

    0 done, 1 the photos, files or settings do not allow it, 2 wrong usage, 130 cancelled.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments == ["--version"]:
        sys.stdout.write(f"recon3d {installed_version()}\n")
        return DONE
    try:
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
        return supervise(command, arguments)
    try:
        return perform(command, CancelToken())
    except KeyboardInterrupt:
        return CANCELLED


def installed_version() -> str:
    """The version of the installed package, or "unknown" for a bare source tree."""
    try:
        return version("recon3d")
    except PackageNotFoundError:
        return "unknown"
