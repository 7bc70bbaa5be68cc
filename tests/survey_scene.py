"""Surveyed points before placed cameras: where photos show them is exact, or wrong as asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from marker_scene import CAMERA, around
from scipy.spatial.transform import Rotation

from recon3d.core.camera import Intrinsics, project
from recon3d.core.scene import (
    CameraEstimate,
    Exif,
    ImageSet,
    Photo,
    PosedPhotos,
    PosedScene,
    SparsePoints,
    View,
)
from recon3d.core.transform import Similarity

UTM = np.array([391390.0, 5817855.0, 40.0])
ENH_FROM_SCENE = Similarity(10.0, Rotation.from_euler("z", 70, degrees=True).as_matrix(), UTM)
"""The scene of `marker_scene`, 20 m wide, somewhere in Berlin."""
WORLD_FROM_SCENE = Similarity(
    2.7, Rotation.from_euler("xyz", [40, -25, 70], degrees=True).as_matrix(), np.array([3.0, 1, -2])
)
"""SfM's world: tilted, elsewhere, and of any size."""
ENH_FROM_WORLD = ENH_FROM_SCENE @ WORLD_FROM_SCENE.inverse()


def placed_cameras(count: int = 5) -> tuple[PosedPhotos, ImageSet]:
    """Cameras that look down on the scene from around."""
    views = tuple(
        replace(view, cam_from_world=WORLD_FROM_SCENE.move_camera(view.cam_from_world))
        for view in around(count, 2.2, 1.6)
    )
    lens = {"one": CameraEstimate(Intrinsics(CAMERA), "given")}
    scene = PosedScene(views, SparsePoints.empty(), "scene", lens)
    photos = tuple(Photo(v.photo_id, "", 640, 480, Exif(), "", "one") for v in views)
    return PosedPhotos(scene, {}, {}, {}, ()), ImageSet(photos, (), False, {}, {}, {})


def scattered(count: int, rng: np.random.Generator, height: float = 0.4) -> np.ndarray:
    """Points that all cameras see, in the scene."""
    return rng.uniform([-0.6, -0.6, 0], [0.6, 0.6, height], (count, 3))


def mark(view: View, point_scene: np.ndarray) -> np.ndarray:
    """Column and row as a viewer counts them."""
    seen = view.cam_from_world @ (WORLD_FROM_SCENE @ point_scene)
    return np.asarray(project(seen[None], view.camera)[0][0] - 0.5)


def write_survey(
    folder: Path,
    posed: PosedPhotos,
    points_scene: np.ndarray,
    *,
    names: list[str] | None = None,
    enh_noise_m: np.ndarray | float = 0.0,
    mark_noise_px: dict[tuple[str, str], np.ndarray] | None = None,
    header: str = "name,E,N,H",
) -> tuple[Path, Path]:
    """Files of points and marks, named P1, P2 and so on unless told."""
    names = names or [f"P{n}" for n in range(1, len(points_scene) + 1)]
    enh = ENH_FROM_SCENE @ points_scene + enh_noise_m
    points, marks = folder / "points.csv", folder / "marks.csv"
    rows = [f"{name},{e:.5f},{n:.5f},{h:.5f}" for name, (e, n, h) in zip(names, enh, strict=True)]
    points.write_text("\n".join([header, *rows]) + "\n")
    lines = ["name,photo,x,y"]
    for name, point in zip(names, points_scene, strict=True):
        for view in posed.scene.views:
            column, row = mark(view, point) + (mark_noise_px or {}).get((name, view.photo_id), 0.0)
            lines.append(f"{name},{view.photo_id},{column:.4f},{row:.4f}")
    marks.write_text("\n".join(lines) + "\n")
    return points, marks
