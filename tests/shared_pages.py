"""A box with known sides and cameras, shared as a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from textured_box import textured_box

from recon3d.core.camera import PinholeCamera
from recon3d.core.scene import PosedScene, SparsePoints, View
from recon3d.core.surface import Mesh, TexturedMesh
from recon3d.core.target_frame import TargetFrame
from recon3d.core.transform import Rigid, Similarity
from recon3d.export.meshes import write_mesh
from recon3d.export.share import write_page
from recon3d.export.transformed import Y_UP_FROM_Z_UP, moved_model, moved_scene

CAMERA = PinholeCamera(64, 48, 60.0, 60.0, 33.0, 22.0)
HEIGHT, DISTANCE = 1.5, 6.0
"""Of the cameras' centres above the ground and from the z axis."""
STAYS = Similarity(1.0, np.eye(3), np.zeros(3))


def box_scene(count: int = 5, distance: float = DISTANCE) -> PosedScene:
    """Cameras around the z axis, in metres and z-up; the first one looks along +y."""
    views = []
    for number in range(count):
        angle = 2 * np.pi * number / count
        forward = np.array([-np.sin(angle), np.cos(angle), 0])
        right = np.array([np.cos(angle), np.sin(angle), 0])
        rotation = np.stack([right, [0, 0, -1], forward])
        centre = -distance * forward + [0, 0, HEIGHT]
        views.append(View(f"photo {number}.jpg", CAMERA, Rigid(rotation, -rotation @ centre)))
    return PosedScene(tuple(views), SparsePoints.empty(), "metre")


def plain_pictures(scene: PosedScene) -> dict[str, np.ndarray]:
    """One colour each, the first one green."""
    colours = np.array([[30, 200, 60], [200, 30, 30], [30, 30, 200]], np.uint8)
    return {
        view.photo_id: np.full((48, 64, 3), colours[number % 3], np.uint8)
        for number, view in enumerate(scene.views)
    }


def share_box(
    target: Path,
    scene: PosedScene | None = None,
    pictures: Mapping[str, np.ndarray] | None = None,
    model: Mesh | TexturedMesh | None = None,
    write_model: Callable[[Path], object] | None = None,
    check: Callable[[], None] = lambda: None,
) -> Path:
    """The page of textured_box(), or of another model, with its cameras; returns where it is."""
    scene = scene or box_scene()
    model = moved_model(model or textured_box(), Y_UP_FROM_Z_UP)
    y_up = moved_scene(scene, TargetFrame(STAYS, scene.unit), y_up=True)
    pictures = plain_pictures(scene) if pictures is None else pictures
    write_model = write_model or (lambda glb: write_mesh(glb, model))
    write_page(target, y_up, pictures, write_model, lambda note: None, check)
    return target
