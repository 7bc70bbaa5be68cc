"""Detail of a fine mesh as pictures for a light one: normal map and ambient occlusion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

from recon3d.core.ranges import Range, check_ranges
from recon3d.core.surface import Mesh, TexturedMesh, median_edge, normals_of
from recon3d.core.tangents import corner_tangents
from recon3d.photos.pictures import read_upright
from recon3d.run.files import FileSequence
from recon3d.run.stage import Stage
from recon3d.run.task import Task
from recon3d.surface.colour import interpolated
from recon3d.surface.rays import MeshRays
from recon3d.texture.baking import blocks, fill_uncovered, write_page

_RAYS = 96
"""Of each vertex; a hundredth of occlusion is one of them."""
_VERTICES_AT_ONCE = 4096
_LIFT_EDGES = 0.25
"""Edges by which rays start above the surface, so that its roughness does not shade itself."""
_TEXELS_AT_ONCE = 1 << 18
_CAGE_PERCENTILE, _CAGE_SLACK = 99.0, 2.0
"""How far the light mesh lies from the fine one tells how far rays look for it."""
_NORMALS, _OCCLUSION = "normals", "occlusion"


@dataclass(frozen=True, kw_only=True)
class BakeConfig:
    """Maps that let a light mesh (--faces) look like a fine one, beside its texture."""

    normal: bool = False
    """Make a normal map: lights then show relief that the triangles are too large for (GLB and
    OBJ)."""

    ao: bool = False
    """Make a map of ambient occlusion: light from all around reaches corners and folds less."""

    detail_faces: Annotated[int, Range(least=0)] = 300_000
    """Triangles of the fine mesh, from which the light one is decimated; 0 takes all. Raise it for
    finer relief."""

    reach: Annotated[float, Range(least=0.001, most=10)] = 0.1
    """How far away a surface may be and still occlude, in shares of the model's diagonal."""

    @property
    def is_wanted(self) -> bool:
        """Whether there is any map to make."""
        return self.normal or self.ao

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        check_ranges(self, "bake")


@dataclass(frozen=True, eq=False)
class Maps:
    """A page of each kind for every page of the texture; none where a kind was not wanted."""

    normals: Sequence[UInt8[np.ndarray, "h w 3"]]
    occlusion: Sequence[UInt8[np.ndarray, "h w 3"]]


def bake_maps(
    textured: TexturedMesh, fine: Mesh, config: BakeConfig, folder: Path, task: Task
) -> None:
    """Write the maps into `folder`, a PNG for each page and kind.

    Every texel of the light mesh looks along its normal for the nearest front of the fine one.
    Where there is none the maps are neutral.
    """
    # Late, because numba takes a second to import.
    from recon3d.texture.raster import Raster

    detail = _Detail(textured.mesh, fine, config, task)
    surface = _Tangents(textured)
    wanted = [kind for kind, is_on in ((_NORMALS, config.normal), (_OCCLUSION, config.ao)) if is_on]
    pages = len(textured.pages)
    for page in range(pages):
        size = textured.pages[page].shape[0]
        pictures = {kind: np.zeros((size, size, 3), np.uint8) for kind in wanted}
        covered = np.zeros((size, size), bool)
        raster = Raster(textured.uv, textured.page_of_face, page, size)
        parts = blocks(size)
        for done, (rows, columns) in enumerate(parts):
            share = (page + done / len(parts)) / pages
            task.step(50 + round(50 * share), 100, "painting")
            face, weights, inside = raster.texels(rows, columns)
            covered[rows, columns] = inside
            found = _baked(surface, detail, face, weights, task.check)
            for kind in wanted:
                pictures[kind][rows, columns][inside] = found[kind]
        for kind, picture in pictures.items():
            fill_uncovered(picture, covered)
            write_page(_path(folder, kind, page), picture)
    task.step(100, 100)


def read_maps(folder: Path) -> Maps:
    """Read what `bake_maps` wrote, one page when asked."""

    def pages(kind: str) -> Sequence[UInt8[np.ndarray, "h w 3"]]:
        numbers = range(len([*folder.glob(f"{kind}_*.png")]))
        return FileSequence([_path(folder, kind, number) for number in numbers], read_upright)

    return Maps(pages(_NORMALS), pages(_OCCLUSION))


def _path(folder: Path, kind: str, page: int) -> Path:
    return folder / f"{kind}_{page}.png"


class _Tangents:
    """The light mesh with the axes of its normal map."""

    def __init__(self, textured: TexturedMesh) -> None:
        self.mesh = textured.mesh
        self.normals = normals_of(textured.mesh)
        self.tangents, self.sign = corner_tangents(textured.mesh, textured.uv)


class _Detail:
    """The fine mesh, asked for its normal and its openness beside points of the light one."""

    def __init__(self, light: Mesh, fine: Mesh, config: BakeConfig, task: Task) -> None:
        self._mesh = fine
        self._rays = MeshRays(fine)
        self._normals = normals_of(fine)
        away = MeshRays(light).distance(fine.vertices)
        cage = _CAGE_SLACK * float(np.percentile(away, _CAGE_PERCENTILE))
        self._cage = max(cage, 1e-3 * median_edge(fine))
        self._open = np.ones(len(fine.vertices), np.float32)
        if config.ao:
            reach = config.reach * float(np.linalg.norm(np.ptp(fine.vertices, axis=0)))
            self._open = openness(fine, self._normals, self._rays, reach, task)

    def at(
        self, points: Float32[np.ndarray, "n 3"], normals: Float32[np.ndarray, "n 3"]
    ) -> tuple[Float32[np.ndarray, "n 3"], Float32[np.ndarray, "n"]]:
        """Unit normals and shares of light; the given normals and 1 where there is no detail."""
        out, light = normals.copy(), np.ones(len(points), np.float32)
        cage = np.float32(self._cage)
        starts, ends = points + cage * normals, points - cage * normals
        share, face = self._rays.first_fronts(starts, ends)
        hit = np.flatnonzero(face >= 0)
        at = starts[hit] + share[hit, None] * (ends[hit] - starts[hit])
        corners = self._mesh.faces[face[hit]]
        weights = _barycentric(self._mesh.vertices[corners], at)
        # At its own border a fine mesh is met by no ray, though it lies beside.
        lost = np.flatnonzero(face < 0)
        near, near_weights = self._rays.nearest(points[lost])
        near_corners = self._mesh.faces[near]
        there = np.einsum("nk,nkd->nd", near_weights, self._mesh.vertices[near_corners])
        close = np.linalg.norm(there - points[lost], axis=1) < cage
        rows = np.concatenate([hit, lost[close]])
        corners = np.concatenate([corners, near_corners[close]])
        weights = np.concatenate([weights, near_weights[close]])
        found = _unit(interpolated(self._normals, corners, weights))
        agrees = np.einsum("nd,nd->n", found, normals[rows]) > 0
        out[rows[agrees]] = found[agrees]
        light[rows[agrees]] = interpolated(self._open[:, None], corners, weights)[agrees, 0]
        return out, light


def openness(
    mesh: Mesh,
    normals: Float32[np.ndarray, "v 3"],
    rays: MeshRays,
    reach: float,
    task: Task,
) -> Float32[np.ndarray, "v"]:
    """The share of evenly bright light from all around that reaches each vertex, 0 to 1.

    Rays in directions that count by their cosine: Hammersley's points of a disk, lifted onto the
    hemisphere (Malley). The same for every vertex, so that neighbours differ by shape alone.
    """
    across = np.arange(_RAYS)
    bits = across[:, None] >> np.arange(16) & 1
    angle = 2 * np.pi * (bits * 0.5 ** np.arange(1, 17)).sum(1)
    square = (across + 0.5) / _RAYS
    disk = np.sqrt(square)
    local = np.stack([disk * np.cos(angle), disk * np.sin(angle), np.sqrt(1 - square)], axis=1)
    lift = np.float32(_LIFT_EDGES * median_edge(mesh))
    out = np.ones(len(mesh.vertices), np.float32)
    for first in range(0, len(out), _VERTICES_AT_ONCE):
        task.step(round(50 * first / len(out)), 100, "looking around")
        rows = slice(first, first + _VERTICES_AT_ONCE)
        ways = np.einsum("kd,nde->nke", local, _frames(normals[rows])).astype(np.float32)
        starts = np.repeat(mesh.vertices[rows] + lift * normals[rows], _RAYS, axis=0)
        blocked = rays.blocked(starts, starts + np.float32(reach) * ways.reshape(-1, 3))
        out[rows] = 1 - blocked.reshape(-1, _RAYS).mean(1)
    return out


def _frames(normals: Float32[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3 3"]:
    """Two directions across each normal, and itself (Duff et al. 2017)."""
    x, y, z = normals.astype(np.float64).T
    sign = np.where(z < 0, -1.0, 1.0)
    a = -1 / (sign + z)
    b = x * y * a
    one = np.stack([1 + sign * x * x * a, sign * b, -sign * x], axis=1)
    two = np.stack([b, sign + y * y * a, -y], axis=1)
    return np.stack([one, two, normals], axis=1)


def _baked(
    surface: _Tangents,
    detail: _Detail,
    face: Int[np.ndarray, "n"],
    weights: Float32[np.ndarray, "n 3"],
    check: Callable[[], None],
) -> dict[str, UInt8[np.ndarray, "n 3"]]:
    """The maps' values at points of the light mesh."""
    colour = np.empty((len(face), 3), np.uint8)
    grey = np.empty((len(face), 3), np.uint8)
    for first in range(0, len(face), _TEXELS_AT_ONCE):
        check()
        rows = slice(first, first + _TEXELS_AT_ONCE)
        corners, share = surface.mesh.faces[face[rows]], weights[rows]
        points = interpolated(surface.mesh.vertices, corners, share)
        normal = _unit(interpolated(surface.normals, corners, share))
        found, light = detail.at(points, normal)
        tangent = _unit(np.einsum("nk,nkd->nd", share, surface.tangents[face[rows]]))
        bitangent = surface.sign[face[rows], None] * np.cross(normal, tangent)
        axes = _in_axes(found, tangent, bitangent, normal)
        colour[rows] = np.rint((axes + 1) * 127.5)
        grey[rows] = np.rint(255 * light)[:, None]
    return {_NORMALS: colour, _OCCLUSION: grey}


def _in_axes(
    vector: np.ndarray, tangent: np.ndarray, bitangent: np.ndarray, normal: np.ndarray
) -> Float[np.ndarray, "n 3"]:
    """The unit vector of which shaders make this direction again.

    Between vertices, tangent and normal are not quite perpendicular; they use them as they are.
    """
    along, up = (np.einsum("nd,nd->n", vector, axis) for axis in (tangent, normal))
    lean = np.einsum("nd,nd->n", tangent, normal)
    rest = np.maximum(1 - lean**2, 1e-6)
    across = np.einsum("nd,nd->n", vector, bitangent) / rest
    found = np.stack([(along - lean * up) / rest, across, (up - lean * along) / rest], axis=1)
    return _unit(found)


def _barycentric(
    corners: Float32[np.ndarray, "n 3 3"], points: Float32[np.ndarray, "n 3"]
) -> Float32[np.ndarray, "n 3"]:
    """The weights of a triangle's corners at points on it."""
    opposite = [
        np.cross(corners[:, (k + 1) % 3] - points, corners[:, (k + 2) % 3] - points)
        for k in range(3)
    ]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.stack([np.einsum("nd,nd->n", part, normal) for part in opposite], axis=1)
    areas = np.maximum(areas, 0)
    weights: np.ndarray = areas / np.maximum(areas.sum(1, keepdims=True), 1e-30)
    return weights.astype(np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1))


BAKE = Stage(
    name="bake",
    result="maps",
    version=2,
    run=bake_maps,
    read=read_maps,
    libraries=("open3d", "numba"),
)
