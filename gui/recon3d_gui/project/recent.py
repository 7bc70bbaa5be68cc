"""Earlier projects as a start page lists them: saved ones and such as never were."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from recon3d.core.errors import ReconError
from recon3d_gui.project.autosave import abandoned_projects
from recon3d_gui.project.file import read_project


@dataclass(frozen=True)
class Recent:
    """A line of the list."""

    path: Path
    changed_at: datetime | None
    """Local time; None: it is gone, or its disk is not connected."""
    title: str = ""
    """Of a project without a file of its own."""

    @property
    def name(self) -> str:
        """What people call it."""
        return self.title or self.path.stem

    @property
    def missing(self) -> bool:
        """Whether it can be opened now."""
        return self.changed_at is None


def look_up(paths: Sequence[Path]) -> list[Recent]:
    """See which are there. Asks disks, network drives too: not for the main thread."""
    return [Recent(path, _changed_at(path)) for path in paths]


def look_up_unsaved() -> list[Recent]:
    """Projects that were never saved and that nobody works on, latest first. Reads files."""
    found = []
    for path in abandoned_projects():
        with suppress(ReconError):
            title = read_project(path).project.workspace.stem
            found.append(Recent(path, _changed_at(path), title))
    return found


def _changed_at(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime).astimezone()
    except (OSError, ValueError, OverflowError):
        return None
