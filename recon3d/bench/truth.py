"""What is known of a photo set: cameras, depth and surface, read from their publishers' files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from recon3d.core.camera import PinholeCamera
from recon3d.core.natural_order import natural_key
from recon3d.core.transform import Rigid
from recon3d.photos.naming import PHOTO_SUFFIXES
from recon3d.sfm.pose_formats.registry import read_pose_file

CamerasByPhoto = Mapping[str, Rigid]
"""cam_from_world by photo id."""


def read_pose_truth(folder: Path, name: str) -> CamerasByPhoto:
    """Any pose file that recon3d itself reads."""
    return read_pose_file(folder / name, (), (1, 1)).cam_from_world


def read_surveyed_cameras(folder: Path, name: str) -> CamerasByPhoto:
    """Rotation and camera centre by photo, as a total station measured them."""
    content = json.loads((folder / name).read_text(encoding="utf-8"))
    cameras = {}
    for photo, fields in content.items():
        rotation = np.array(fields["cam_from_world_rotation"], np.float64)
        centre = np.array(fields["camera_centre_m"], np.float64)
        cameras[photo] = Rigid.from_matrix(np.column_stack([rotation, -rotation @ centre]))
    return cameras


def read_llff_cameras(folder: Path, name: str, photos: str) -> CamerasByPhoto:
    """LLFF's poses_bounds.npy: camera-to-world with axes down, right, back, as people count."""
    rows = np.load(folder / name)[:, :15].reshape(-1, 3, 5)
    names = (p.name for p in (folder / photos).iterdir() if p.suffix.lower() in PHOTO_SUFFIXES)
    ids = sorted(names, key=natural_key)
    cameras = {}
    for photo, matrix in zip(ids, rows, strict=True):
        down, right, back, centre = matrix[:, :4].T
        world_from_cam = np.column_stack([right, down, -back, centre])
        cameras[photo] = Rigid.from_matrix(world_from_cam).inverse()
    return cameras


def at_camera(
    truth_z: Float[np.ndarray, "th tw"], true_camera: PinholeCamera, camera: PinholeCamera
) -> Float[np.ndarray, "h w"]:
    """True depth at the pixels of another camera in the same place and direction.

    Nearest pixel, because a mean across an edge is a depth that nobody measured; 0 outside.
    """
    columns = (np.arange(camera.width_px) + 0.5 - camera.cx_px) / camera.fx_px
    rows = (np.arange(camera.height_px) + 0.5 - camera.cy_px) / camera.fy_px
    x = np.floor(columns * true_camera.fx_px + true_camera.cx_px).astype(int)
    y = np.floor(rows * true_camera.fy_px + true_camera.cy_px).astype(int)
    inside_x, inside_y = (x >= 0) & (x < truth_z.shape[1]), (y >= 0) & (y < truth_z.shape[0])
    out = np.zeros((camera.height_px, camera.width_px))
    out[np.ix_(inside_y, inside_x)] = truth_z[np.ix_(y[inside_y], x[inside_x])]
    return out
