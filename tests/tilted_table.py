"""A table in a world that is tilted, elsewhere and of another size, and the frame found for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from marker_scene import CAMERA
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
from recon3d.core.surface import Mesh
from recon3d.core.target_frame import TargetFrame
from recon3d.core.transform import Similarity
from recon3d.georef.control.bars import SceneBars
from recon3d.georef.control.stage import NoControl
from recon3d.georef.frame import FrameConfig, find_frame, read_frame
from recon3d.run.task import CancelToken, Task, silent

# SfM's world: tilted, elsewhere, and of any size.
METRES_PER_UNIT = 0.37
WORLD_FROM_TRUTH = Similarity(
    1 / METRES_PER_UNIT,
    Rotation.from_euler("xyz", [40, -25, 70], degrees=True).as_matrix(),
    np.array([3.0, 1, -2]),
)
SPOTS = {"corner": np.array([-0.5, -0.5, 0.0]), "other": np.array([0.5, -0.5, 0]),
         "roof": np.array([0.15, 0.15, 0.4])}  # fmt: skip


def in_world(view: View) -> View:
    return replace(view, cam_from_world=WORLD_FROM_TRUTH.move_camera(view.cam_from_world))


def posed_of(views: list[View], intrinsics: Intrinsics | None = None) -> PosedPhotos:
    estimate = CameraEstimate(intrinsics or Intrinsics(CAMERA), "given")
    scene = PosedScene(tuple(views), SparsePoints.empty(), "scene", {"one": estimate})
    return PosedPhotos(scene, {}, {}, {}, ())


def image_set_of(views: list[View], exif: list[Exif] | None = None) -> ImageSet:
    photos = tuple(
        Photo(view.photo_id, "", 640, 480, exif[n] if exif else Exif(), "", "one")
        for n, view in enumerate(views)
    )
    return ImageSet(photos, (), False, {}, {}, {})


def pixel(view: View, point: np.ndarray) -> str:
    """As a viewer shows it."""
    ((u, v),) = project(view.cam_from_world @ (WORLD_FROM_TRUTH @ point)[None], view.camera)[0]
    return f"{view.photo_id}:{u - 0.5:.2f},{v - 0.5:.2f}"


def frame_of(
    folder: Path,
    posed: PosedPhotos,
    image_set: ImageSet,
    mesh: Mesh,
    config: FrameConfig | None = None,
) -> TargetFrame:
    find_frame(
        posed,
        image_set,
        mesh,
        NoControl(),
        SceneBars(),
        config or FrameConfig(),
        folder,
        Task("frame", silent, CancelToken()),
    )
    return read_frame(folder)
