"""Earlier projects as a start page lists them: saved ones and such as never were."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from recon3d.core.errors import ReconError
from recon3d_gui.project.autosave import abandoned_projects
from recon3d_gui.project.file import SUFFIX, read_project
from recon3d_gui.project.opening import WORKSPACE_SUFFIX, title_of


@dataclass(frozen=True)
class Recent:
    """A line of the list."""

    path: Path
    changed_at: datetime | None
    """Local time; None: it is gone, or its disk is not connected."""
    title: str = ""
    """Of a project without a file of its own."""
    workspace: Path | None = None
    """The same."""

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
            project = read_project(path).project
            found.append(Recent(path, _changed_at(path), title_of(project), project.workspace))
    return found


def look_up_earlier(paths: Sequence[Path]) -> tuple[list[Recent], list[Recent]]:
    """Unsaved projects, and the recent ones among `paths` that are there and none of those.

    A workspace or mesh that was opened is recent, and unsaved as soon as it is left.
    """
    unsaved = look_up_unsaved()
    worked_on = {each.workspace for each in unsaved}
    recent = [
        each
        for each in look_up(paths)
        if not each.missing
        and (each.path.suffix == SUFFIX or each.path.with_suffix(WORKSPACE_SUFFIX) not in worked_on)
    ]
    return unsaved, recent


def _changed_at(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime).astimezone()
    except (OSError, ValueError, OverflowError):
        return None
