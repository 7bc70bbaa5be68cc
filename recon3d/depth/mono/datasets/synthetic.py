"""Scenes that recon3d renders itself: kept as .npz files, or rendered when asked for.

Their scale is arbitrary, so a network learns relative depth from them.
"""

from __future__ import annotations

import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from recon3d.core.camera import PinholeCamera
from recon3d.core.errors import InputError
from recon3d.depth.mono.datasets.files import frame_of
from recon3d.depth.mono.frames import Frame, FrameSet

_ARRAYS = ("rgb", "depth_z", "matrices")


def find_synthetic(folder: Path) -> FrameSet | None:
    """Every view of the scenes in a folder of a SceneBank; None where there is no .npz file.

    All scenes have as many views as the first.

    Raises:
        InputError: the first file holds no scene.
    """
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        return None
    views = len(_read_scene(paths[0])[0])
    names = tuple(f"{path.stem}/{view}" for path in paths for view in range(views))

    def read(position: int) -> Frame:
        path, view = paths[position // views], position % views
        rgb, depth_z, matrices = _read_scene(path)
        if view >= len(rgb):
            raise InputError(f"{path} has {len(rgb)} views, not {views} like the others.")
        height, width = depth_z.shape[1:]
        fx, fy, cx, cy = (float(matrices[view][at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2)))
        depth = depth_z[view].astype(np.float32)
        known = np.isfinite(depth) & (depth > 0)
        return frame_of(
            f"{path}, view {view}",
            np.ascontiguousarray(rgb[view].transpose(1, 2, 0)),
            np.where(known, depth, np.float32(0)),
            PinholeCamera(width, height, fx, fy, cx, cy),
        )

    return FrameSet("synthetic", names, read, unit="scene")


# Neighbouring frames are views of one scene.
@lru_cache(maxsize=2)
def _read_scene(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as content:
            rgb, depth_z, matrices = (content[name] for name in _ARRAYS)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is broken or holds no rendered scene: {error}.") from error
    views, _, height, width = rgb.shape if rgb.ndim == 4 else (0, 0, 0, 0)
    expected = (views, 3, height, width), (views, height, width), (views, 3, 3)
    if views == 0 or (rgb.shape, depth_z.shape, matrices.shape) != expected:
        raise InputError(
            f"{path}: rgb {rgb.shape}, depth_z {depth_z.shape} and matrices {matrices.shape} "
            "do not fit together."
        )
    return rgb, depth_z, matrices
