"""Writes that are whole or not there at all, and errors a person can act on."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar, overload

from recon3d.core.errors import OutputError

T = TypeVar("T")

_MAY_NOT = "Choose another place, change its permissions, or close the program that has it open."
_CAUSES = {
    errno.ENOSPC: ("the disk is full", "Free some space or choose another place, then run again."),
    errno.EDQUOT: ("your disk quota is used up", "Free some space, then run again."),
    errno.EROFS: ("the place is read-only", "Choose another place for the output."),
    errno.EFBIG: ("the file is too large for this disk", "Choose a place on another disk."),
    errno.EIO: ("the disk reports an error", "Check the disk, or choose a place on another one."),
    errno.EACCES: ("you may not write there", _MAY_NOT),
    errno.EPERM: ("you may not write there", _MAY_NOT),
    errno.ENOTDIR: ("a part of the path is a file", "Choose another place for the output."),
    errno.EEXIST: ("a file of that name is in the way", "Choose another place for the output."),
    errno.EISDIR: ("it is a folder", "Name a file, for example scene.ply."),
    errno.ENAMETOOLONG: ("the name is too long", "Choose a shorter name."),
}


@contextmanager
def explain_write_errors(target: Path) -> Iterator[None]:
    """Turn an OSError that writing can end in into an OutputError that says what to do.

    Errors about files elsewhere, such as a photo that may not be read, pass through.

    Raises:
        OutputError: the disk is full, the place is read-only, and the like.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _CAUSES or not _concerns(error, target):
            raise
        cause, hint = _CAUSES[error.errno]
        raise OutputError(f"Cannot write {target}: {cause}.", hint=hint) from error


def _concerns(error: OSError, target: Path) -> bool:
    # A full disk names no file; the error comes from write(), which knows none.
    if not isinstance(error.filename, str | bytes):
        return True
    place = Path(os.fsdecode(error.filename)).absolute()
    folder = target.absolute().parent
    return place.is_relative_to(folder) or folder.is_relative_to(place)


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside target; when the block ends well, it becomes target.

    The temporary name keeps target's suffix, because writers choose the format by it. An existing
    target stays as it is until the new one is on the disk.

    Raises:
        OutputError: the place cannot be written.
    """
    part = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
    try:
        with explain_write_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield part
            with part.open("rb+") as stream:
                os.fsync(stream.fileno())
            part.replace(target)
    finally:
        # Where the place itself is at fault, removing fails too and must not hide why.
        with suppress(OSError):
            part.unlink()


@contextmanager
def atomic_files(folder: Path) -> Iterator[Path]:
    """Yield an empty folder; when the block ends well, its files move into `folder`.

    Whatever else lies there stays: it may be the user's. Files of the same names are replaced
    only when all new ones are on the disk.

    Raises:
        OutputError: the place cannot be written.
    """
    folder = folder.absolute()
    # On the same disk; a folder that is there may be one of its own.
    home = folder if folder.is_dir() else folder.parent
    part = home / f".{folder.name}.{os.getpid()}.part"
    # In a container the next run often has the number of the one that was killed.
    shutil.rmtree(part, ignore_errors=True)
    try:
        with explain_write_errors(folder):
            part.mkdir(parents=True)
            yield part
            files = sorted(path for path in part.rglob("*") if path.is_file())
            for file in files:
                with file.open("rb+") as stream:
                    os.fsync(stream.fileno())
            for file in files:
                place = folder / file.relative_to(part)
                place.parent.mkdir(parents=True, exist_ok=True)
                file.replace(place)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_json(target: Path, content: Mapping[str, object]) -> None:
    """Write JSON atomically, sorted and indented, so that two runs can be compared."""
    with atomic_path(target) as part:
        text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        # Paths may be no UTF-8; what Python keeps of such bytes becomes JSON's own escapes.
        part.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


class FileSequence(Sequence[T]):
    """A sequence that reads one file each time it is asked; nothing is kept in memory."""

    def __init__(self, paths: Sequence[Path], read: Callable[[Path], T]) -> None:
        self.paths = tuple(paths)
        self._read = read

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> FileSequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | FileSequence[T]:
        if isinstance(index, slice):
            return FileSequence(self.paths[index], self._read)
        return self._read(self.paths[index])

    def __len__(self) -> int:
        return len(self.paths)


class FileMapping(Mapping[str, T]):
    """A mapping that reads one file each time it is asked; nothing is kept in memory."""

    def __init__(self, paths: Mapping[str, Path], read: Callable[[Path], T]) -> None:
        self.paths = dict(paths)
        self._read = read

    def __getitem__(self, key: str) -> T:
        return self._read(self.paths[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)

    def __len__(self) -> int:
        return len(self.paths)
