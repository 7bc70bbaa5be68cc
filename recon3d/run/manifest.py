"""The manifest of a stage's folder: whose it is, what it holds to the byte, and what it took."""

from __future__ import annotations

import dataclasses
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recon3d.run.cost import Cost
from recon3d.run.digests import file_digest
from recon3d.run.documents import parse_json
from recon3d.run.files import write_json

MANIFEST = "manifest.json"
_CLAIM = "claim.json"
PART = ".part"


class DamagedManifestError(ValueError):
    """A manifest that cannot be relied on; the message says why."""


@dataclass(frozen=True)
class FileMark:
    """What a file must be to count as whole."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a finished folder holds."""

    cost: Cost
    files: Mapping[str, FileMark]
    """By path below the folder."""

    def lost_files(
        self, folder: Path, check: Callable[[], None], *, contents: bool = True
    ) -> list[str]:
        """Files that are missing or not what they were, by path below the folder.

        check: called before each file; may raise to stop.
        contents: read every file; without it only sizes are compared.
        """
        lost = []
        for name in self.files:
            check()
            if not self.is_whole(folder, name, contents=contents):
                lost.append(name)
        return lost

    def is_whole(self, folder: Path, name: str, *, contents: bool = True) -> bool:
        """Whether one of the files is there as it was; by its size only, without contents."""
        path, mark = folder / name, self.files[name]
        with suppress(OSError):  # a disk that cannot give a file back has lost it
            found = path.lstat()
            if stat.S_ISREG(found.st_mode) and found.st_size == mark.size_bytes:
                return not contents or _mark(path) == mark
        return False


def claim(part: Path, stage: str, key: str, files: Iterable[str] = ()) -> None:
    """Mark a folder that a stage works in as ours.

    files: what it will hold when it is done, where that is known.
    """
    write_json(part / _CLAIM, {"stage": stage, "key": key, "files": sorted(files)})


def claimed_files(part: Path) -> set[str]:
    """What a folder will hold, as it was claimed; empty where that is not known."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return set(_content(part / _CLAIM)["files"])
    return set()


def complete(part: Path, stage: str, key: str, cost: Cost) -> None:
    """Write the manifest of a folder whose files are all there."""
    files = {name: dataclasses.asdict(_mark(part / name)) for name in sorted(files_in(part))}
    content = {"stage": stage, "key": key, "cost": dataclasses.asdict(cost), "files": files}
    write_json(part / MANIFEST, content)
    (part / _CLAIM).unlink(missing_ok=True)


def read_manifest(folder: Path) -> Manifest:
    """What a finished folder must hold.

    Raises:
        FileNotFoundError: the stage has not finished there.
        DamagedManifestError: it is cut short, no manifest, or names files elsewhere.
    """
    path = folder / MANIFEST
    try:
        content = _content(path)
        files = {name: FileMark(**mark) for name, mark in content["files"].items()}
        cost = Cost(**content["cost"])
        if content["stage"] != folder.parent.name or content["key"] != folder.name:
            raise DamagedManifestError(f"{path} belongs to another folder")
        if any(not _stays_below(name) for name in files):
            raise DamagedManifestError(f"{path} names files elsewhere")
    except (FileNotFoundError, DamagedManifestError):
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedManifestError(f"{path} is damaged, or of an earlier version") from error
    return Manifest(cost, files)


def is_claimed(folder: Path) -> bool:
    """Whether we have marked a folder, finished or not, as that of a stage."""
    for path in (folder / MANIFEST, folder / _CLAIM):
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            content = _content(path)
            if content["stage"] == folder.parent.name:
                return bool(content.get("key", _key(folder)) == _key(folder))
    return False


def files_in(folder: Path) -> set[str]:
    """Paths below a stage's folder of all it holds, except what marks it as ours."""
    found = {path.relative_to(folder).as_posix() for path in _walk(folder)}
    return found - {MANIFEST, _CLAIM}


def torn_files(part: Path) -> list[str]:
    """Files of an unfinished folder, which have no digests yet, that are evidently cut short."""
    return sorted(name for name in files_in(part) if _is_torn(part / name))


def _is_torn(path: Path) -> bool:
    try:
        match path.suffix:
            case ".json":
                parse_json(path.read_text(encoding="utf-8"))
            case ".npz":
                return not zipfile.is_zipfile(path)
            case ".npy" | ".png" | ".jpg":
                return path.stat().st_size == 0
    except (OSError, ValueError):
        return True
    return False


def _walk(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            yield from _walk(entry)
        else:
            yield entry


def _key(folder: Path) -> str:
    return folder.name.removesuffix(PART)


def _content(path: Path) -> Any:
    return parse_json(path.read_text(encoding="utf-8"))


def _stays_below(name: str) -> bool:
    path = Path(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _mark(path: Path) -> FileMark:
    return FileMark(path.stat().st_size, file_digest(path))
