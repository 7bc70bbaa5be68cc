"""Folders of a workspace that no run needs any more."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recon3d.core.errors import InputError
from recon3d.run.manifest import DamagedManifestError, files_in, is_claimed, read_manifest
from recon3d.run.notes import check_workspace, latest_keys

_STAGE_FOLDER = re.compile(r"[0-9a-f]{16}(\.part)?")
_BY_SYSTEM = {".DS_Store", "Thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class Unused:
    """What may be deleted, and what only looks like it."""

    folders: tuple[Path, ...]
    strange: tuple[Path, ...]
    """Named like the folders of stages, but no manifest of ours says what they hold, or more is
    in them than that."""


def unused_folders(root: Path, *, everything: bool = False) -> Unused:
    """Stage folders that the latest finished run does not use, half-finished ones included.

    Only what lies in root itself and what a manifest of ours marks; links are never followed.

    everything: those that it uses too; a note of the run then stands in for a damaged manifest.

    Raises:
        InputError: root is not a workspace, or it is not known what the latest run uses.
    """
    check_workspace(root)
    try:
        latest = latest_keys(root)
    except InputError:
        if not everything:
            raise
        latest = {}
    folders: list[Path] = []
    strange: list[Path] = []
    for folder in _stage_folders(root):
        used = folder.name in latest.get(folder.parent.name, ())
        if used and not everything:
            continue
        (folders if _is_all_ours(folder, used) else strange).append(folder)
    return Unused(tuple(folders), tuple(strange))


def _stage_folders(root: Path) -> Iterator[Path]:
    for stage in _own_folders(root):
        yield from (path for path in _own_folders(stage) if _STAGE_FOLDER.fullmatch(path.name))


def _own_folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return sorted(Path(entry) for entry in entries if _is_own_folder(entry))


def _is_own_folder(entry: os.DirEntry[str]) -> bool:
    # On Windows a junction is a link that calls itself a folder.
    is_junction = getattr(entry, "is_junction", lambda: False)()
    return entry.is_dir(follow_symlinks=False) and not is_junction


def _is_all_ours(folder: Path, noted: bool) -> bool:
    try:
        listed = read_manifest(folder).files
    except (FileNotFoundError, DamagedManifestError):
        return noted or is_claimed(folder)
    more = files_in(folder) - listed.keys()
    return all(Path(name).name in _BY_SYSTEM for name in more)
