"""nerfstudio's transforms.json."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from recon3d.core.scene import PosedScene
from recon3d.run.files import write_json

# Its cameras look along -z with y up, ours along +z with y down.
_OURS_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


def write_transforms(
    target: Path,
    scene: PosedScene,
    file_paths: Mapping[str, str],
    points: str | None,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Write the cameras without distortion, one set of intrinsics per frame.

    file_paths: by photo id, the undistorted picture relative to target's folder.
    points: a .ply in the frame of the cameras, relative to target's folder; splats start from it.
    notes: by photo id, words for people, which other programs pass over.

    Raises:
        OutputError: the place cannot be written.
    """
    frames = [
        {
            "file_path": file_paths[view.photo_id],
            "transform_matrix": (
                view.cam_from_world.inverse().matrix() @ _OURS_FROM_OPENGL
            ).tolist(),
            "w": view.camera.width_px,
            "h": view.camera.height_px,
            "fl_x": view.camera.fx_px,
            "fl_y": view.camera.fy_px,
            "cx": view.camera.cx_px,
            "cy": view.camera.cy_px,
            **({"note": notes[view.photo_id]} if notes else {}),
        }
        for view in scene.views
    ]
    content = {
        "camera_model": "OPENCV",
        **dict.fromkeys(("k1", "k2", "p1", "p2"), 0.0),
        # Cameras and points are in one frame, which is upright: nothing was applied to either,
        # and nothing should be guessed from the cameras.
        "applied_transform": np.eye(4)[:3].tolist(),
        "orientation_override": "none",
        "frames": frames,
    }
    write_json(target, content | ({"ply_file_path": points} if points else {}))
