"""A box of 2 x 1 x 3 on the ground, z-up, its six sides in known colours on two pages."""

from __future__ import annotations

import numpy as np
import trimesh

from recon3d.core.surface import Mesh, TexturedMesh

PAGE_PX = 64
# Of each side the colour of its lower left quarter on the page, and of the rest.
CORNERS = np.array(
    [[250, 20, 20], [20, 250, 20], [20, 20, 250], [250, 250, 20], [250, 20, 250], [20, 250, 250]],
    np.uint8,
)
RESTS = (CORNERS // 2 + 20).astype(np.uint8)


def textured_box() -> TexturedMesh:
    """Sides 0 to 2 lie on page 0, 3 to 5 on page 1, each in its own quarter of the page."""
    box = trimesh.creation.box((2, 1, 3))
    vertices = np.add(box.vertices, (0, 0, 1.5)).astype(np.float32)
    faces = np.asarray(box.faces, np.int32)
    normals = np.cross(
        vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]]
    )
    axis = np.abs(normals).argmax(1)
    side = 2 * axis + (np.take_along_axis(normals, axis[:, None], 1)[:, 0] > 0)
    uv = np.empty((len(faces), 3, 2), np.float32)
    for n, (a, s) in enumerate(zip(axis, side, strict=True)):
        across = np.delete(vertices, a, axis=1)
        within = (across - across.min(0)) / np.ptp(across, axis=0)
        cell = np.array([s % 3 % 2, s % 3 // 2])
        # Two pixels of margin; nothing bleeds over by JPEG or interpolation.
        uv[n] = (cell + (2 + within[faces[n]] * (PAGE_PX / 2 - 4)) / (PAGE_PX / 2)) / 2
    pages = [_page(range(3)), _page(range(3, 6))]
    mesh = Mesh(vertices, faces, None, np.full((len(vertices), 3), 128, np.uint8))
    return TexturedMesh(mesh, uv, (side // 3).astype(np.int32), pages, np.ones(len(faces), bool))


def one_page_box() -> TexturedMesh:
    """The same box, every side in the colours of page 0."""
    box = textured_box()
    return TexturedMesh(box.mesh, box.uv, np.zeros_like(box.page_of_face), box.pages[:1], box.seen)


def sample(model: TexturedMesh, face: int, weights: np.ndarray) -> np.ndarray:
    """The colour at barycentric weights on a face."""
    u, v = weights @ model.uv[face]
    page = model.pages[model.page_of_face[face]]
    return page[int((1 - v) * PAGE_PX), int(u * PAGE_PX)]


def _page(sides: range) -> np.ndarray:
    page = np.full((PAGE_PX, PAGE_PX, 3), 255, np.uint8)
    half, quarter = PAGE_PX // 2, PAGE_PX // 4
    for n, side in enumerate(sides):
        left, bottom = half * (n % 2), PAGE_PX - half * (n // 2)
        page[bottom - half : bottom, left : left + half] = RESTS[side]
        page[bottom - quarter : bottom, left : left + quarter] = CORNERS[side]
    return page
