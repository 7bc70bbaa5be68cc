"""nerfstudio's transforms.json."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from recon3d.core.scene import PosedScene
from recon3d.run.files import write_json

# Its cameras look along -z with y up, ours along +z with y down.
_OURS_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


def write_transforms(target: Path, scene: PosedScene, file_paths: Mapping[str, str]) -> None:
    """Write the cameras without distortion, one set of intrinsics per frame.

    file_paths: by photo id, the undistorted picture relative to target's folder.

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
        }
        for view in scene.views
    ]
    no_distortion = dict.fromkeys(("k1", "k2", "p1", "p2"), 0.0)
    write_json(target, {"camera_model": "OPENCV", **no_distortion, "frames": frames})
