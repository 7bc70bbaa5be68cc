"""Calibration and pose files of many programs -> core types."""

from __future__ import annotations

from pathlib import Path

from recon3d.core.scene import Album, GivenCameras


def read_given_cameras(
    album: Album, intrinsics: Path | None, poses: Path | None
) -> GivenCameras:
    """Read what the user knows of the cameras and fit it to the album's photos."""
    raise NotImplementedError
