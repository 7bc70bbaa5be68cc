"""Photo files, videos, masks and depth images <-> arrays; hostile files end in a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recon3d.run.task import Task


@dataclass(frozen=True)
class FoundFiles:
    """The user's files by photo id, not yet opened, with a digest of all their contents."""

    paths: Mapping[str, Path]
    """Every candidate photo or the single video, by id (posix path below the input folder)."""
    sha256: Mapping[str, str]
    masks: Mapping[str, Path] = field(default_factory=dict)
    sensor_depth: Mapping[str, Path] = field(default_factory=dict)
    digest: str = ""


def find_files(
    photos: Path | Sequence[Path], masks: Path | None, sensor_depth: Path | None, task: Task
) -> FoundFiles:
    """List and hash the user's files."""
    raise NotImplementedError
