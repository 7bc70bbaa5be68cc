"""A sheet of known colours and photos of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from recon3d.core.camera import PinholeCamera, pixel_rays
from recon3d.core.scene import PosedPhotos, PosedScene, SparsePoints, View
from recon3d.core.surface import Mesh, TexturedMesh
from recon3d.core.transform import Rigid
from recon3d.run.task import CancelToken, Task, silent
from recon3d.surface.colour import TextureColour
from recon3d.texture.texture import TextureConfig, read_texture, texture_mesh

SMALL = TextureConfig(size_px=512)
CAMERA = PinholeCamera.centred(160, 120, 150.0)


def grid(side: int, height: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Mesh:
    """A square sheet 2 wide whose front looks to -z, where the cameras stand."""
    x, y = np.meshgrid(*[np.linspace(-1, 1, side)] * 2)
    vertices = np.stack([x, y, height(x, y)], -1).reshape(-1, 3).astype(np.float32)
    number = np.arange(side * side).reshape(side, side)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]
    faces = np.concatenate([np.stack(f, -1).reshape(-1, 3) for f in ((a, d, b), (b, d, c))])
    return Mesh(vertices, faces.astype(np.int32))


def paint(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The true colours of the sheet: smooth, all different, far from black and white."""
    return np.stack([120 + 50 * x, 120 + 50 * y, 120 + 40 * np.sin(3 * x + 2 * y)], -1)


def photographed(
    mesh: Mesh, centres: list[tuple[float, float, float]], exposures: list[float]
) -> PosedPhotos:
    """Photos of the painted sheet z = 0 from camera centres that look along +z."""
    views, pictures = [], {}
    for number, (centre, exposure) in enumerate(zip(centres, exposures, strict=True)):
        name = f"{number}.png"
        cam_from_world = Rigid(np.eye(3), -np.array(centre))
        rays = pixel_rays(CAMERA)
        xy = np.array(centre)[:2] + rays[..., :2] * -centre[2]
        colour = paint(xy[..., 0], xy[..., 1])
        colour[(np.abs(xy) > 1).any(-1)] = 0
        pictures[name] = np.rint(np.clip(colour * exposure, 0, 255)).astype(np.uint8)
        views.append(View(name, CAMERA, cam_from_world))
    scene = PosedScene(tuple(views), SparsePoints.empty(), "scene")
    return PosedPhotos(scene, pictures, {}, {}, ())


def textured(
    folder: Path, mesh: Mesh, posed: PosedPhotos, config: TextureConfig | None = None
) -> TexturedMesh:
    texture_mesh(posed, mesh, config or SMALL, folder, quiet())
    return read_texture(folder)


def quiet() -> Task:
    return Task("texture", silent, CancelToken())


def colours_of_faces(model: TexturedMesh) -> tuple[np.ndarray, np.ndarray]:
    """(found, true) at the middles of all faces."""
    thirds = np.full((len(model.mesh.faces), 3), 1 / 3, np.float32)
    found = TextureColour(model).at(np.arange(len(thirds)), thirds)
    middle = model.mesh.vertices[model.mesh.faces].mean(1)
    return found, paint(middle[:, 0], middle[:, 1])


FLAT = grid(25, lambda x, y: 0 * x)
AROUND = [(-0.4, -0.3, -3.0), (0.4, -0.3, -2.8), (0.0, 0.4, -2.6)]
