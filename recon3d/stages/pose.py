"""Where every photo was taken: structure from motion, or the poses the user gave."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recon3d.core.scene import Album, GivenCameras, PosedPhotos
from recon3d.run.device import Runtime
from recon3d.run.task import Task

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class PoseConfig:
    """How photos are placed in space."""

    feature_px: int = 1600
    """Longest side, in pixels, at which features are found. Higher finds more in sharp
    photos and costs time with its square."""

    features: int = 8000
    """At most this many features per photo. More help weakly overlapping photos."""

    matching: Literal["auto", "exhaustive", "sequential", "retrieval"] = "auto"
    """Which pairs of photos are compared. auto: every pair below about 80 photos, neighbours
    for a video, similar photos otherwise."""

    neighbours: int = 20
    """Photos that each one is compared with when not all pairs are. More is slower and safer."""

    attempts: int = 2
    """How often placing is tried, each time with looser thresholds, before giving up."""

    seed: int = 0
    """Same photos and same seed give the same cameras."""


def place_photos(
    album: Album,
    given: GivenCameras,
    config: PoseConfig,
    folder: Path,
    task: Task,
    runtime: Runtime,
) -> None:
    """Place and undistort the album's photos into `folder`."""
    raise NotImplementedError


def read_posed_photos(folder: Path) -> PosedPhotos:
    """Read what `place_photos` wrote."""
    raise NotImplementedError
