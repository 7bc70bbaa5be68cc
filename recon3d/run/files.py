"""Writes that are whole or not there at all, and errors a person can act on."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar, overload

import psutil

from recon3d.core.errors import Cancelled, OutputError, ReconError, is_lack_of_memory

T = TypeVar("T")

_MAY_NOT = "Choose another place, change its permissions, or close the program that has it open."
_FREE_SPACE = "Free some space or choose another place, then run again; what is finished is kept."
_CAUSES = {
    errno.EDQUOT: ("your disk quota is used up", _FREE_SPACE),
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
_FULL_BYTES = 1 << 20
"""With less than this left a disk is full: the write that failed was of a block or more."""
_LONGEST_STEM = 200
"""Bytes of a name that its temporary twin repeats as they are; most disks take 255 in all."""


@contextmanager
def explain_write_errors(target: Path) -> Iterator[None]:
    """Turn what writing can end in into an OutputError that says what to do.

    Errors about files elsewhere, such as a photo that may not be read, pass through. Libraries
    tell of a full disk in errors of their own kinds; where one is full, any error is taken for
    that.

    Raises:
        OutputError: the disk is full, the place is read-only, and the like.
    """
    try:
        yield
    except (ReconError, Cancelled):
        raise
    except Exception as error:
        told = _in_words(error, target)
        if not told:
            raise
        raise told from error


def _in_words(error: Exception, target: Path) -> OutputError | None:
    number = error.errno if isinstance(error, OSError) and _concerns(error, target) else None
    if number in _CAUSES:
        cause, hint = _CAUSES[number]
        if number == errno.ENAMETOOLONG and isinstance(error, OSError):  # a file beside it, perhaps
            target = Path(os.fsdecode(error.filename2 or error.filename or target))
        return OutputError(f"Cannot write {target}: {cause}.", hint=hint)
    return lack_of_space(error, target)


def lack_of_space(error: Exception, target: Path) -> OutputError | None:
    """The error for a person, if anything failed for a full disk while target was written."""
    if is_lack_of_memory(error):
        return None
    full = full_place(target)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC and _concerns(error, target):
        # Not a byte over, or as much as was asked for and given back since, or no more names.
        full = full or target
    return no_space(full) if full else None


def full_place(target: Path) -> Path | None:
    """Target or the system's temporary folder, if its disk is full."""
    places = (target, Path(tempfile.gettempdir()))
    return next((place for place in places if free_bytes(place) < _FULL_BYTES), None)


def no_space(place: Path, needed_bytes: int = 0) -> OutputError:
    """The error for a person.

    needed_bytes: About how much the work takes; 0 = unknown.
    """
    needed = f"; about {needed_bytes / 1e6:,.0f} MB are needed" if needed_bytes else ""
    return OutputError(f"Cannot write {place}: the disk is full{needed}.", hint=_FREE_SPACE)


def require_space(place: Path, needed_bytes: int) -> None:
    """Refuse work whose files would not fit, before a library fails in the middle of it.

    Raises:
        OutputError: less than that is free.
    """
    if free_bytes(place) < needed_bytes + _FULL_BYTES:
        raise no_space(place, needed_bytes)


def free_bytes(place: Path) -> float:
    """What a disk still takes; infinite where the system does not say."""
    for folder in (place.absolute(), *place.absolute().parents):
        with suppress(OSError):
            usage = shutil.disk_usage(folder)
            # Places without a disk, such as /sys, have no size.
            return usage.free if usage.total else math.inf
    return math.inf


def _concerns(error: OSError, target: Path) -> bool:
    # A full disk names no file; the error comes from write(), which knows none.
    if not isinstance(error.filename, str | bytes):
        return True
    place = Path(os.fsdecode(error.filename)).absolute()
    folder = target.absolute().parent
    return place.is_relative_to(folder) or folder.is_relative_to(place)


def remove_tree(path: Path) -> None:
    """Delete a file, a link or a folder with all below it, and nothing that links lead to.

    Raises:
        OSError: something cannot be deleted.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_below(folder: Path, name: str) -> None:
    """Delete what lies under a name below a folder; a link on the way there goes in its place.

    Raises:
        OSError: it cannot be deleted.
    """
    path = folder
    for step in Path(name).parts:
        path /= step
        if path.is_symlink() or not path.is_dir():
            break
    remove_tree(path)


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside target; when the block ends well, it becomes target.

    The temporary name keeps target's suffix, because writers choose the format by it. An existing
    target stays as it is until the new one is on the disk.

    Raises:
        OutputError: the place cannot be written.
    """
    part = _part_of(target, target.stem, target.suffix)
    try:
        with explain_write_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(part)
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
    part = _part_of(home / folder.name, folder.name, "")
    try:
        with explain_write_errors(folder):
            _remove_abandoned(part)
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


def _part_of(target: Path, stem: str, suffix: str) -> Path:
    name = os.fsencode(stem)
    if len(name) > _LONGEST_STEM:
        stem = hashlib.sha256(name).hexdigest()
    return target.with_name(f".{stem}.{os.getpid()}.part{suffix}")


def _remove_abandoned(part: Path) -> None:
    """Delete what killed programs have left of earlier tries to write the same target."""
    start, end = part.name.rsplit(f".{os.getpid()}.part", 1)
    twin = re.compile(rf"{re.escape(start)}\.(\d+)\.part{re.escape(end)}")
    with suppress(OSError), os.scandir(part.parent) as entries:
        for entry in entries:
            written_by = twin.fullmatch(entry.name)
            if written_by and not _is_at_work(int(written_by[1]), entry):
                with suppress(OSError):
                    remove_tree(Path(entry))


def _is_at_work(pid: int, entry: os.DirEntry[str]) -> bool:
    """Whether the process that wrote an entry still runs: the number may be another's by now."""
    if pid == os.getpid():
        return False
    try:
        started = psutil.Process(pid).create_time()
        return started <= entry.stat(follow_symlinks=False).st_mtime
    except psutil.AccessDenied:
        return True
    except (psutil.Error, OverflowError, OSError):
        return False


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
