"""A wall with a mirror, photographed along a line; depth maps tell the room that it mirrors."""

from __future__ import annotations

import numpy as np

from recon3d.core.camera import PinholeCamera, pixel_rays
from recon3d.core.depth import SceneDepth
from recon3d.core.scene import PosedPhotos, PosedScene, SparsePoints, View
from recon3d.core.surface import Mesh
from recon3d.core.transform import Rigid

WALL_Z, IMAGE_Z = 2.0, 4.0
"""Cameras look from z = 0 along z. What the mirror shows lies as far behind it as the cameras'
own wall lies before it."""
HALF_MIRROR = 0.6
_HALF_WALL = 1.6
_STEP = 0.04


def mirror_photos() -> tuple[PosedPhotos, dict[str, SceneDepth], Mesh]:
    """Four photos, what they agree on, and the surface that is fused of that."""
    camera = PinholeCamera(160, 160, 120.0, 120.0, 80.0, 80.0)
    rays = pixel_rays(camera)
    views, maps, rgb = [], {}, {}
    for index, x in enumerate((-0.6, -0.2, 0.2, 0.6)):
        centre, photo_id = np.array([x, 0.1 * index, 0.0]), f"{index}.jpg"
        on_wall = centre + WALL_Z * rays
        in_mirror = (np.abs(on_wall[..., :2]) < HALF_MIRROR).all(axis=-1)
        within = (np.abs(on_wall[..., :2]) < _HALF_WALL).all(axis=-1)
        depth_z = np.where(in_mirror, IMAGE_Z, WALL_Z * within).astype(np.float32)
        views.append(View(photo_id, camera, Rigid(np.eye(3), -centre)))
        maps[photo_id] = SceneDepth(depth_z, np.full((160, 160), 3, np.float32), camera, photo_id)
        rgb[photo_id] = np.random.default_rng(index).integers(0, 255, (160, 160, 3), np.uint8)
    scene = PosedScene(tuple(views), SparsePoints.empty(), "scene")
    wall = _sheet(WALL_Z, _HALF_WALL, hole=HALF_MIRROR)
    image = _sheet(IMAGE_Z, 2 * HALF_MIRROR, hole=0.0)
    faces = np.concatenate([wall.faces, image.faces + len(wall.vertices)])
    surface = Mesh(np.concatenate([wall.vertices, image.vertices]), faces.astype(np.int32))
    return PosedPhotos(scene, rgb, {}, {}, ()), maps, surface


def _sheet(z: float, half: float, hole: float) -> Mesh:
    """A square that faces the cameras, without the square in its middle."""
    count = round(2 * half / _STEP)
    x, y = np.meshgrid(*(np.linspace(-half, half, count + 1),) * 2)
    number = np.arange(x.size).reshape(x.shape)
    a, b, c, d = (number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1])
    faces = np.stack([a, c, b, a, d, c], -1).reshape(-1, 3)
    vertices = np.stack([x, y, np.full_like(x, z)], -1).reshape(-1, 3)
    middle = np.abs(vertices[faces].mean(axis=1)[:, :2])
    faces = faces[(middle > hole).any(axis=1)]
    used, numbers = np.unique(faces, return_inverse=True)
    return Mesh(vertices[used].astype(np.float32), numbers.reshape(-1, 3).astype(np.int32))
