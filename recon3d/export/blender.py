"""The files of a folder that Blender opens as one scene."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from recon3d.core.scene import PosedScene
from recon3d.run.files import write_json

SCRIPT = Path(__file__).with_name("import_into_blender.py")
"""Runs inside Blender, with Blender's Python: nothing here imports it."""


def write_blender_files(
    folder: Path,
    scene: PosedScene,
    pictures: Mapping[str, str],
    *,
    model: str | None,
    points: str | None,
) -> None:
    """Write cameras.json, whose fields docs/BLENDER.md explains, and the script that reads it.

    Args:
        folder: That the names below are relative to.
        scene: Z-up.
        pictures: By photo id, the undistorted picture.
        model: A .glb of the same scene.
        points: A .ply of the same scene.

    Raises:
        OutputError: the folder cannot be written.
    """
    cameras = [
        {
            "name": view.photo_id,
            "picture": pictures[view.photo_id],
            **asdict(view.camera),
            "cam_from_world": view.cam_from_world.matrix().tolist(),
        }
        for view in scene.views
    ]
    content = {
        "format": "recon3d cameras 1",
        "unit": scene.unit,
        "model": model,
        "points": points,
        "cameras": cameras,
    }
    write_json(folder / "cameras.json", content)
    shutil.copyfile(SCRIPT, folder / SCRIPT.name)
