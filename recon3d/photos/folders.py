"""Folders as the user gave them: which files lie below them, and how these are called."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from recon3d.core.errors import InputError
from recon3d.core.natural_order import natural_key
from recon3d.photos.naming import as_id


def common_folder(photos: Path | Sequence[Path]) -> Path | None:
    """The folder below which `list_photos` names the photos; None for files of several drives."""
    folders = [path if path.is_dir() else path.parent for path in absolute(photos)]
    try:
        return Path(os.path.commonpath(folders)) if folders else None
    except ValueError:  # on Windows: files of several drives
        return None


def id_below(folder: Path | None, file: Path) -> str:
    """What `list_photos` calls a file: its path below a folder, or below what both lie in."""
    if folder is not None and not file.is_relative_to(folder):
        folder = common_folder([folder, file])
    if folder is None:
        return as_id(file.as_posix().replace(":", ""))
    return as_id(Path(os.path.relpath(file, folder)).as_posix())


def absolute(photos: Path | Sequence[Path]) -> list[Path]:
    """The paths that were given, each once."""
    given = [photos] if isinstance(photos, PurePath) else photos
    return list(dict.fromkeys(path.absolute() for path in given))


def files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file with its posix path below the folder, in natural order, without hidden ones."""
    found: list[tuple[str, Path]] = []
    walked: set[tuple[int, int]] = set()

    def refuse(error: OSError) -> None:
        raise InputError(f"The folder {error.filename} cannot be read: {error.strerror}.")

    waiting, home = [folder], folder.resolve()
    for start in waiting:  # links join behind, so that a file is named by its own folder
        for parent, folders, names in os.walk(start, onerror=refuse):
            status = Path(parent).stat()
            if (status.st_dev, status.st_ino) in walked:
                folders[:] = []
                continue
            walked.add((status.st_dev, status.st_ino))
            shown = [f for f in folders if not f.startswith(".") and not f.endswith(".recon3d")]
            links = [path for name in shown if (path := Path(parent, name)).is_symlink()]
            # A link to a folder around this one would bring in what was never meant.
            waiting += [link for link in links if not home.is_relative_to(link.resolve())]
            folders[:] = shown
            paths = (Path(parent, name) for name in names if not name.startswith("."))
            found += ((path.relative_to(folder).as_posix(), path) for path in paths)
    return iter(sorted(found, key=lambda pair: natural_key(pair[0])))
