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
from recon3d.core.errors import Cancelled, ReconError, is_lack_of_memory, not_enough_memory
from recon3d.run.task import CancelToken

if TYPE_CHECKING:
    from recon3d.cli.options import Command

DONE, FAILED, USAGE, CANCELLED = 0, 1, 2, 130


def perform(command: Command, cancel: CancelToken) -> int:
    """Run a command and return its exit code; nothing is raised."""
    try:
        with make_display(command.style) as display, _logging_to(display):
            command.run(display, cancel)
    except Cancelled:
        return CANCELLED
    except ReconError as error:
        tell_error(command.style, error)
        return FAILED
    except BrokenPipeError:
        reader_left()
        return FAILED
    except Exception as error:
        short = not_enough_memory("go on") if is_lack_of_memory(error) else None
        tell_error(command.style, short or _unexpected(error, command.log_folder))
        if command.style == "verbose":
            traceback.print_exc()
        return FAILED
    return DONE


def _unexpected(error: Exception, folder: Path | None) -> ReconError:
    if folder is None or not folder.is_dir():
        folder = Path(tempfile.gettempdir())
    log = folder / "recon3d-error.log"
    hint = "This is a mistake in recon3d. Please report it"
    try:
        log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        hint += f" with the file {log}."
    except OSError:
        hint += "; --verbose shows where it happened."
    return ReconError(f"Unexpected {type(error).__name__}: {error}", hint=hint)


@contextlib.contextmanager
def _logging_to(display: Display) -> Iterator[None]:
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
