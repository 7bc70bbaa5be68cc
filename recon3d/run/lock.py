"""One run at a time in a workspace, whatever becomes of the file that says so."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from recon3d.core.errors import OutputError, WorkspaceBusyError
from recon3d.run.files import explain_write_errors

LOCK = ".lock"

_logger = logging.getLogger(__name__)


class Place:
    """A folder that is locked for us, as it was when it was locked."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._identity = _identity(root)

    def check(self) -> None:
        """Make sure that what is written below the path still arrives in the locked folder.

        Raises:
            OutputError: somebody moved, deleted or replaced it.
        """
        found = None
        with suppress(OSError):
            found = _identity(self.root)
        if found != self._identity:
            raise OutputError(
                f"{self.root} was moved, deleted or replaced while recon3d worked in it.",
                hint="Run again, and leave the folder in its place until the run is done.",
            )


@contextmanager
def locked(root: Path) -> Iterator[Place]:
    """Lock a folder, making it where it is missing.

    The locks belong to the operating system, so a killed program leaves none behind. The folder
    itself is locked where the system can do that, and a file in it, for network drives and for
    Windows: whoever deletes the file lets nobody in. Where a file system has no locks the run
    goes on without.

    Raises:
        WorkspaceBusyError: another program works there.
        OutputError: the folder cannot be made or written.
    """
    with ExitStack() as held:
        with explain_write_errors(root):
            root.mkdir(parents=True, exist_ok=True)
            on_folder = os.name != "nt" and _lock_folder(root, held)
            _, on_file = _lock_file(root / LOCK, held)
        if not (on_folder or on_file):
            _logger.warning("%s cannot be locked; do not run twice in it", root)
        yield Place(root)


def hold(file: Path) -> IO[str] | None:
    """Lock a file, making it where it is missing; None: another program holds it.

    It is free again when what is returned is closed, or the program ends.

    Raises:
        OSError: it cannot be made.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        try:
            stream, _ = _lock_file(file, held)
        except WorkspaceBusyError:
            return None
        held.pop_all()
        return stream


def _lock_folder(root: Path, held: ExitStack) -> bool:
    number = os.open(root, os.O_RDONLY)
    held.callback(os.close, number)
    return _lock(number, root)


def _lock_file(file: Path, held: ExitStack) -> tuple[IO[str], bool]:
    """The open file, and whether its file system has locks."""
    while True:
        stream = held.enter_context(file.open("a+"))
        done = _lock(stream.fileno(), file.parent)
        # Between opening and locking somebody may have deleted it, and others use a new one.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(stream.fileno()), file.stat()):
                return stream, done


def _lock(number: int, root: Path) -> bool:
    """Lock an open file or folder; False where the file system has no locks."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EAGAIN):
            return False
        raise WorkspaceBusyError(
            f"Another recon3d is working in {root}.",
            hint="Wait until it is done, or choose another --workspace.",
        ) from error
    return True


def _identity(root: Path) -> tuple[int, int]:
    found = root.stat()
    return found.st_dev, found.st_ino
