"""Recent projects as a start page lists them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class Recent:
    """A line of the list."""

    path: Path
    changed_at: datetime | None
    """Local time; None: it is gone, or its disk is not connected."""

    @property
    def name(self) -> str:
        """What people call it."""
        return self.path.stem

    @property
    def missing(self) -> bool:
        """Whether it can be opened now."""
        return self.changed_at is None


def look_up(paths: Sequence[Path]) -> list[Recent]:
    """See which are there. Asks disks, network drives too: not for the main thread."""
    return [Recent(path, _changed_at(path)) for path in paths]


def _changed_at(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime).astimezone()
    except (OSError, ValueError, OverflowError):
        return None
