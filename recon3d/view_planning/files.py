"""The coverage as a coloured mesh, and suggested views as cameras of transforms.json."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from recon3d.core.scene import PosedScene, SparsePoints
from recon3d.core.surface import Mesh
from recon3d.core.target_frame import TargetFrame
from recon3d.export.meshes import write_mesh
from recon3d.export.nerfstudio import write_transforms
from recon3d.export.transformed import file_from_world, moved_model, moved_scene, near_origin
from recon3d.run.files import atomic_files, atomic_path
from recon3d.view_planning.advice import Advice

_FRUSTUM_RGB = (30, 110, 210)
_FRUSTUM_SHARE = 0.06
"""Depth of a drawn camera, as a share of the model's diagonal."""


def write_coverage(target: Path, advice: Advice, frame: TargetFrame) -> None:
    """Write the mesh in the colours of its coverage, suggested cameras as blue pyramids beside it.

    Raises:
        OutputError: unknown extension, or the place cannot be written.
    """
    near, _ = near_origin(frame.target_from_world, advice.mesh.vertices)
    there = file_from_world(target.suffix.lower(), frame, near)
    write_mesh(target, moved_model(_with_cameras(advice), there))


def _with_cameras(advice: Advice) -> Mesh:
    mesh = advice.coloured
    assert mesh.rgb is not None
    depth = _FRUSTUM_SHARE * float(np.linalg.norm(np.ptp(mesh.vertices, axis=0)))
    vertices, faces, count = [mesh.vertices], [mesh.faces], len(mesh.vertices)
    for suggestion in advice.suggestions:
        camera = suggestion.view.camera
        corners_px = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * [
            camera.width_px,
            camera.height_px,
        ]
        rays = (corners_px - [camera.cx_px, camera.cy_px]) / [camera.fx_px, camera.fy_px]
        ends = np.vstack([np.zeros(3), depth * np.column_stack([rays, np.ones(4)])])
        world = suggestion.view.cam_from_world.inverse() @ ends
        vertices.append(world.astype(mesh.vertices.dtype))
        sides = [[0, 2, 1], [0, 3, 2], [0, 4, 3], [0, 1, 4], [1, 2, 3], [1, 3, 4]]
        faces.append((np.array(sides) + count).astype(np.int32))
        count += len(world)
    added = count - len(mesh.vertices)
    rgb = np.concatenate([mesh.rgb, np.tile(np.array(_FRUSTUM_RGB, np.uint8), (added, 1))])
    return Mesh(np.concatenate(vertices), np.concatenate(faces), rgb=rgb)


def write_suggestions(
    target: Path,
    advice: Advice,
    pictures: Sequence[UInt8[np.ndarray, "h w 3"]],
    frame: TargetFrame,
) -> None:
    """Write the suggested views as transforms.json, and beside it what each would show.

    pictures: one for each suggestion.

    Raises:
        OutputError: the place cannot be written.
    """
    from PIL import Image

    folder = target.with_name(f"{target.stem}_images")
    views = tuple(suggestion.view for suggestion in advice.suggestions)
    with atomic_files(folder) as part:
        for view, picture in zip(views, pictures, strict=True):
            with atomic_path(part / view.photo_id) as place:
                Image.fromarray(picture).save(place, quality=88)
    scene = moved_scene(PosedScene(views, SparsePoints.empty(), frame.unit), frame)
    paths = {view.photo_id: f"{folder.name}/{view.photo_id}" for view in views}
    notes = {view.photo_id: said for view, said in zip(views, advice.sentences, strict=True)}
    write_transforms(target, scene, paths, None, notes)
