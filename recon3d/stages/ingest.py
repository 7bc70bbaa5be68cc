"""The user's files become upright photos, or get a verdict that says why not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from recon3d.core.scene import Album
from recon3d.io.photos import FoundFiles
from recon3d.run.device import Runtime
from recon3d.run.task import Task

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class IngestConfig:
    """Which files become photos."""

    blur_limit: float = 0.25
    """Leave out a photo whose sharpness is below this share of the album's median.
    0 keeps everything; raise it to be stricter."""

    video_frames: int = 150
    """At most this many frames are picked from a video, sharp ones that overlap well.
    More frames cost time in every later stage."""


def ingest(files: FoundFiles, config: IngestConfig, folder: Path, task: Task, runtime: Runtime) -> None:
    """Decode, judge and normalise every file into `folder`."""
    raise NotImplementedError


def read_album(folder: Path) -> Album:
    """Read what `ingest` wrote."""
    raise NotImplementedError
