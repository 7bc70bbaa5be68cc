"""One command from start to exit code: the only place where any exception ends."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from recon3d.cli.display import Display, make_display, reader_left, tell_error
from recon3d.cli.exit_codes import CANCELLED, DONE, FAILED
from recon3d.core.errors import Cancelled, OutputError, ReconError
from recon3d.run.faults import fault_of_the_machine
from recon3d.run.files import atomic_path
from recon3d.run.task import CancelToken

if TYPE_CHECKING:
    from recon3d.cli.options import Command


def perform(command: Command, cancel: CancelToken) -> int:
    """Run a command and return its exit code; nothing is raised."""
    try:
        with make_display(command.style) as display, logging_to(display):
            command.run(display, cancel)
    except Cancelled:
        return CANCELLED
    except BrokenPipeError:
        reader_left()
        return FAILED
    except Exception as error:
        tell_error(command.style, told(error, command.log_folder))
        if command.style == "verbose" and not isinstance(error, ReconError):
            traceback.print_exc()
        return FAILED
    return DONE


def told(error: Exception, folder: Path | None) -> ReconError:
    """Any error as one for a person.

    folder: where the work was writing; a log of what nobody has foreseen goes there.
    """
    if isinstance(error, ReconError):
        return error
    return fault_of_the_machine(error, folder or Path.cwd()) or _unexpected(error, folder)


def _unexpected(error: Exception, folder: Path | None) -> ReconError:
    hint = "This is a mistake in recon3d. Please report it; --verbose shows where it happened."
    with contextlib.suppress(OSError, OutputError):
        # A folder of its own: in that of the system others could lay a link in the way.
        if not (folder and folder.is_dir()):
            folder = Path(tempfile.mkdtemp(prefix="recon3d-"))
        log = folder / "recon3d-error.log"
        with atomic_path(log) as part:
            part.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        hint = f"This is a mistake in recon3d. Please report it with the file {log}."
    return ReconError(f"Unexpected {type(error).__name__}: {error}", hint=hint)


@contextlib.contextmanager
def logging_to(display: Display) -> Iterator[None]:
    """Show what our rooms log, and warnings of libraries; theirs in full with --verbose only."""
    handler = _DisplayHandler(display)
    ours, root = logging.getLogger("recon3d"), logging.getLogger()
    # Other libraries' loggers are for debugging; a handler on the root keeps them off stderr.
    elsewhere = handler if display.verbose else logging.NullHandler()
    logging.captureWarnings(True)
    ours.setLevel(logging.DEBUG if display.verbose else logging.INFO)
    ours.propagate = False
    ours.addHandler(handler)
    root.addHandler(elsewhere)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        ours.removeHandler(handler)
        root.removeHandler(elsewhere)
        ours.propagate = True


class _DisplayHandler(logging.Handler):
    def __init__(self, display: Display) -> None:
        super().__init__()
        self._display = display

    def emit(self, record: logging.LogRecord) -> None:
        self._display.log(record.levelname.lower(), record.getMessage())
