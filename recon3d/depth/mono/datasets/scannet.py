"""Scenes as ScanNet's exporter writes them: color/, depth/, intrinsic/ (and pose/, not needed).

Depth is in millimetres and registered to the colour camera; both pictures show the same, colour
with more pixels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recon3d.core.camera import PinholeCamera
from recon3d.depth.mono.datasets.files import (
    frame_of,
    photos_in,
    read_depth,
    read_matrix,
    read_rgb,
)
from recon3d.depth.mono.frames import Frame, FrameSet
from recon3d.photos.naming import match_by_name


def find_scannet(folder: Path) -> FrameSet | None:
    """The frames of one scene; None where it is not one.

    Raises:
        InputError: the camera file is broken.
    """
    matrix = folder / "intrinsic" / "intrinsic_depth.txt"
    photos, depths = photos_in(folder / "color"), photos_in(folder / "depth")
    pairs = match_by_name(photos, depths)
    if not pairs or not matrix.is_file():
        return None
    intrinsics = read_matrix(matrix)
    # Files are numbered without leading zeros.
    names = tuple(sorted(pairs, key=lambda name: (len(name), name)))

    def read(position: int) -> Frame:
        name = names[position]
        depth_z = read_depth(depths[pairs[name]])
        height, width = depth_z.shape
        camera = PinholeCamera(width, height, *intrinsics)
        return frame_of(str(photos[name]), np.asarray(read_rgb(photos[name])), depth_z, camera)

    return FrameSet("scannet", names, read)
