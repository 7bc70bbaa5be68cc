"""A texture against the true colours, and how much its seams stand out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from recon3d.core.surface import Mesh, TexturedMesh, face_areas
from recon3d.core.transform import Similarity
from recon3d.surface.colour import SurfaceColour, TextureColour
from recon3d.surface.rays import ray_scene
from recon3d.surface.topology import face_neighbours

_NEAR = 0.005
"""Share of the truth's diagonal that a true point may lie from the surface to be compared: beyond,
the shape is wrong, not the colour."""
_SEAM_SAMPLES = 100_000


@dataclass(frozen=True)
class TextureScores:
    """What a texture is worth."""

    page_px: int
    pages: int
    texels_per_unit: float
    """Square root of the texels per area, median face by area."""
    seen: float
    """Share of the area that a photo coloured."""
    photo_seams: float | None
    """Mean step of colour across seams between photos, over that beside them; 1 = invisible."""
    chart_seams: float | None
    """The same between charts of the atlas."""
    colour_error: float | None = None
    """Mean absolute difference to the true colours in steps of 255; None where nobody knows."""
    compared: float | None = None
    """Share of the true points that lie near enough to the surface to be compared."""


@dataclass(frozen=True, eq=False)
class TrueTexture:
    """Points of the true surface that photos see, and their colours."""

    points: Float[np.ndarray, "n 3"]
    rgb: np.ndarray

    @staticmethod
    def read(path: Path) -> TrueTexture:
        """Read the arrays "points" and "rgb" of an .npz."""
        with np.load(path, allow_pickle=False) as arrays:
            return TrueTexture(arrays["points"], arrays["rgb"])


def texture_scores(textured: TexturedMesh, photo_of_face: Int[np.ndarray, "f"]) -> TextureScores:
    """Judge what needs no truth."""
    colour = TextureColour(textured)
    area = face_areas(textured.mesh)
    page_px = textured.pages[0].shape[0]
    one, two = (textured.uv[:, corner] - textured.uv[:, 0] for corner in (1, 2))
    texels = np.abs(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]) / 2 * page_px**2
    order = np.argsort(texels / np.maximum(area, 1e-30))
    middle = order[np.searchsorted(np.cumsum(area[order]), area.sum() / 2)]
    density = float(np.sqrt(texels[middle] / max(area[middle], 1e-30)))
    neighbours = face_neighbours(textured.mesh.faces)
    differs = photo_of_face[:, None] != photo_of_face[neighbours]
    differs &= (photo_of_face >= 0)[:, None] & (photo_of_face[neighbours] >= 0)
    texel = np.sqrt(area / np.maximum(texels, 1e-30))
    photos = _seam_contrast(textured.mesh, colour, neighbours, differs, texel)
    parts = _parting(textured, neighbours) & ~differs
    charts = _seam_contrast(textured.mesh, colour, neighbours, parts, texel)
    return TextureScores(
        page_px, len(textured.pages), density,
        float(area[textured.seen].sum() / area.sum()), photos, charts,
    )  # fmt: skip


def colour_error(
    textured: TexturedMesh, truth: TrueTexture, truth_from_world: Similarity
) -> tuple[float, float]:
    """(mean absolute difference to the true colours, share of the true points compared)."""
    vertices = truth_from_world @ textured.mesh.vertices.astype(np.float64)
    scene, tensor = ray_scene(vertices, textured.mesh.faces)
    nearest = scene.compute_closest_points(tensor(truth.points.astype(np.float32)))
    away = np.linalg.norm(nearest["points"].numpy() - truth.points, axis=1)
    near = away < _NEAR * np.linalg.norm(np.ptp(truth.points, axis=0))
    face = nearest["primitive_ids"].numpy().astype(np.int64)[near]
    uv = nearest["primitive_uvs"].numpy()[near]
    weights = np.column_stack([1 - uv.sum(1), uv]).astype(np.float32)
    found = TextureColour(textured).at(face, weights)
    return float(np.abs(found - truth.rgb[near]).mean()), float(near.mean())


def _parting(textured: TexturedMesh, neighbours: Int[np.ndarray, "f 3"]) -> Bool[np.ndarray, "f 3"]:
    """Edges whose two faces lie in different places of the atlas."""
    faces, uv = textured.mesh.faces, textured.uv
    out = np.zeros(neighbours.shape, bool)
    for side in range(3):
        rows = np.flatnonzero(neighbours[:, side] >= 0)
        other = neighbours[rows, side]
        shared = faces[other] == faces[rows, side, None]
        theirs = uv[other, shared.argmax(1)]
        out[rows, side] = (np.abs(theirs - uv[rows, side]).max(1) > 1e-5) | (
            textured.page_of_face[other] != textured.page_of_face[rows]
        )
    return out


def _seam_contrast(
    mesh: Mesh,
    colour: SurfaceColour,
    neighbours: Int[np.ndarray, "f 3"],
    seam: Bool[np.ndarray, "f 3"],
    texel_of_face: Float[np.ndarray, "f"],
) -> float | None:
    """Step across over step beside, both between points a texel and a half apart.

    The texels of two charts may differ in size; the larger one counts.

    Only edges between faces that are large enough to hold the points; None without any.
    """
    face, side = np.nonzero(seam & (neighbours >= 0))
    corners = mesh.vertices.astype(np.float64)[mesh.faces]
    start, end = corners[face, side], corners[face, (side + 1) % 3]
    length = np.maximum(np.linalg.norm(end - start, axis=1), 1e-30)
    height = 2 * face_areas(mesh)
    other = neighbours[face, side]
    texel = np.maximum(texel_of_face[face], texel_of_face[other])
    roomy = (np.minimum(height[face], height[other]) / length > 2.6 * texel) & (face < other)
    kept = np.flatnonzero(roomy)
    kept = kept[:: max(1, len(kept) // _SEAM_SAMPLES)]
    face, side, other, texel = face[kept], side[kept], other[kept], texel[kept]
    if len(face) == 0:
        return None
    back = (neighbours[other] == face[:, None]).argmax(1)
    near, far = 0.75 * texel, 2.25 * texel
    here = colour.at(face, _inward(corners, face, side, near))
    there = colour.at(other, _inward(corners, other, back, near))
    beside = [
        np.abs(step - colour.at(which, _inward(corners, which, edge, far)))
        for which, edge, step in ((face, side, here), (other, back, there))
    ]
    across = np.abs(here - there)
    return float(across.mean() / max(float(np.mean(beside)), 1e-9))


def _inward(
    corners: Float[np.ndarray, "f 3 3"],
    face: Int[np.ndarray, "n"],
    side: Int[np.ndarray, "n"],
    distance: Float[np.ndarray, "n"],
) -> np.ndarray:
    """Weights of the point this far from the middle of an edge, towards the opposite corner."""
    rows = np.arange(len(face))
    one, two, apex = (corners[face, (side + step) % 3] for step in range(3))
    edge = two - one
    normal = np.linalg.norm(np.cross(edge, apex - one), axis=1)
    height = normal / np.maximum(np.linalg.norm(edge, axis=1), 1e-30)
    share = np.clip(distance / np.maximum(height, 1e-30), 0, 1)
    weights = np.zeros((len(face), 3), np.float32)
    weights[rows, side] = weights[rows, (side + 1) % 3] = (1 - share) / 2
    weights[rows, (side + 2) % 3] = share
    return weights
