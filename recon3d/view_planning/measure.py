"""Which photos see each vertex of a mesh: how many, from how far, how squarely, how wide apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int8

from recon3d.core.camera import in_picture, project
from recon3d.core.depth import SceneDepth
from recon3d.core.scene import View
from recon3d.core.surface import Mesh, face_areas, median_edge, vertex_normals
from recon3d.run.task import Task
from recon3d.surface.rays import MeshRays

ENOUGH_PHOTOS = 3
"""That see a place squarely: one to measure it, two to confirm it."""
MATCHING_NOISE_PX = 0.48
"""One standard deviation of a line of sight, in pixels of the depth maps: the example's mesh lies
so far from the true one (docs/COVERAGE.md)."""
_SQUARE_DEG, _GRAZING_DEG = 50.0, 80.0
"""Up to the first angle to the normal a photo counts in full, from the second on not at all."""
_NARROW_DEG = 6.0
_AT_A_TIME = 200_000
_FULL = [0, 1, 2, 1, 3, 4, 2, 4, 5]
"""Of a symmetric matrix: where in its upper triangle each of its nine numbers stands."""
_LEAST_EIGENVALUE = float(np.sin(np.radians(1.0) / 2) ** 2 / 2)
"""Of a matrix whose trace is 1."""
_FAR = 2.0
"""Times the usual ground sampling distance."""


class Weakness(IntEnum):
    """What is wrong with a place, the worst first."""

    UNSEEN = 0
    ONE_PHOTO = 1
    TWO_PHOTOS = 2
    INFERRED = 3
    OBLIQUE = 4
    NARROW = 5
    FAR = 6
    NONE = 7


@dataclass(frozen=True, eq=False)
class Coverage:
    """How well photos cover each vertex of a mesh.

    A photo sees a vertex that lies inside its picture and mask, in front of it, turned towards it
    and unhidden.
    """

    photos: Int[np.ndarray, "v"]
    """How many see it."""
    gsd: Float32[np.ndarray, "v"]
    """Ground sampling distance: scene units that a pixel of the nearest of them covers, square to
    the line of sight. Infinite without a photo."""
    angle_deg: Float32[np.ndarray, "v"]
    """Between the normal and the line of sight of the one that looks most squarely; 90 without."""
    parallax_deg: Float32[np.ndarray, "v"]
    """Between the two lines of sight that are widest apart; 0 with fewer than two."""
    sights: Float32[np.ndarray, "v"]
    """The photos again, each counted by how squarely it looks: 1 up to 50 degrees, 0 from 80 on."""
    sigma: Float32[np.ndarray, "v"]
    """One standard deviation along the normal that can be expected, in scene units; infinite where
    fewer than two photos look squarely enough to measure it."""
    inferred: Bool[np.ndarray, "v"]
    """Most of its area was guessed, as of the faces that close a hole."""
    area: Float[np.ndarray, "v"]
    """Its share of the faces around it, in squared scene units."""

    @property
    def usual_gsd(self) -> float:
        """Of the median vertex that any photo sees; infinite where none does."""
        seen = self.gsd[self.photos > 0]
        return float(np.median(seen)) if len(seen) else float("inf")

    @property
    def usual_sigma(self) -> float:
        """Of the median vertex that was measured; infinite where none was."""
        known = self.sigma[np.isfinite(self.sigma) & ~self.inferred]
        return float(np.median(known)) if len(known) else float("inf")

    @property
    def mean_photos(self) -> float:
        """How many photos see a place, on average over the area."""
        return float(self.photos @ self.area) / max(float(self.area.sum()), 1e-30)

    @property
    def weakness(self) -> Int8[np.ndarray, "v"]:
        """The worst that is wrong with each vertex, as `Weakness`."""
        found = np.full(len(self.photos), Weakness.NONE, np.int8)
        for kind, holds in (
            (Weakness.FAR, self.gsd > _FAR * self.usual_gsd),
            (Weakness.NARROW, self.parallax_deg < _NARROW_DEG),
            (Weakness.OBLIQUE, self.sights < ENOUGH_PHOTOS / 2),
            (Weakness.INFERRED, self.inferred),
            (Weakness.TWO_PHOTOS, self.photos == 2),
            (Weakness.ONE_PHOTO, self.photos == 1),
            (Weakness.UNSEEN, self.photos == 0),
        ):
            found[holds] = kind
        return found

    @property
    def shares(self) -> dict[Weakness, float]:
        """Of the area, 0 to 1."""
        areas = np.bincount(self.weakness, self.area, len(Weakness))
        whole = max(float(areas.sum()), 1e-30)
        return {kind: float(areas[kind]) / whole for kind in Weakness}


def matched_px(depth: Mapping[str, SceneDepth]) -> int | None:
    """Longer side of the depth maps that a model is made of; None without any."""
    first = next(iter(depth.values()), None)
    return max(first.camera.width_px, first.camera.height_px) if first else None


def measure_coverage(
    mesh: Mesh,
    views: Sequence[View],
    masks: Mapping[str, Bool[np.ndarray, "h w"]],
    task: Task,
    depth_px: int | None = None,
) -> Coverage:
    """Ask every photo for every vertex; needs at least one face.

    A photo tells where a vertex lies across its line of sight, within MATCHING_NOISE_PX of what a
    pixel of its depth map covers there, and nothing along it; all that see it together tell more
    the more of them there are, the nearer they are and the wider apart. `sigma` is what is left
    along the normal: the root of n' (sum w (I - d d') / (noise gsd)^2)^-1 n, with the unit
    directions d towards the cameras and w by how squarely they look (triangulation's covariance,
    Hartley, Zisserman 2004, chapter 12).

    depth_px: longer side of the depth maps (`matched_px`); None: as fine as the photos.

    The widest angle is that of a pair which every further photo may widen, so it may fall short
    of the true one where photos surround a place.
    """
    count = len(mesh.vertices)
    normals = vertex_normals(mesh)
    sight = Sight(mesh)
    photos, sights = np.zeros(count, np.int64), np.zeros(count, np.float32)
    gsd = np.full(count, np.inf, np.float32)
    cosine = np.zeros(count, np.float32)
    widest = np.ones(count, np.float32)
    # The lines of sight that are widest apart so far.
    pair = np.zeros((2, count, 3), np.float32)
    told = np.zeros((count, 6), np.float32)
    for view in task.each(views, len(views), lambda view: f"coverage: {view.photo_id}"):
        seen, toward, own_gsd = sight.look(view, mesh.vertices, normals, masks.get(view.photo_id))
        own = np.einsum("ij,ij->i", normals[seen], toward)
        gsd[seen] = np.minimum(gsd[seen], own_gsd)
        cosine[seen] = np.maximum(cosine[seen], own)
        weight = squareness(own)
        sights[seen] += weight
        longest = max(view.camera.width_px, view.camera.height_px)
        pixel = own_gsd * np.float32(max(1.0, longest / depth_px) if depth_px else 1.0)
        told[seen] += _across(toward) * (weight / pixel**2)[:, None]
        is_first = photos[seen] == 0
        pair[:, seen[is_first]] = toward[is_first]
        again, toward = seen[~is_first], toward[~is_first]
        # In place of whichever of the pair is nearer to it.
        between = np.einsum("pij,ij->pi", pair[:, again], toward)
        wider = np.flatnonzero(between.min(0) < widest[again])
        kept = between[:, wider].argmin(0)
        pair[1 - kept, again[wider]] = toward[wider]
        widest[again[wider]] = between[kept, wider]
        photos[seen] += 1
    shares = face_areas(mesh) / 3
    area = _of_vertices(mesh, shares)
    guessed = np.zeros(count)
    if mesh.inferred is not None:
        guessed = _of_vertices(mesh, shares * mesh.inferred)
    inferred = (guessed > area / 2) & (area > 0)
    return Coverage(
        photos, gsd, _degrees(cosine), _degrees(widest), sights, _sigma(told, normals), inferred,
        area,
    )  # fmt: skip


def _across(toward: Float32[np.ndarray, "k 3"]) -> Float32[np.ndarray, "k 6"]:
    """The upper triangle of I - d d': all that lies across a direction."""
    x, y, z = toward.T
    return np.stack([1 - x * x, -x * y, -x * z, 1 - y * y, -y * z, 1 - z * z], axis=1)


def _sigma(
    told: Float32[np.ndarray, "v 6"], normals: Float32[np.ndarray, "v 3"]
) -> Float32[np.ndarray, "v"]:
    """In parts: the matrices of all vertices would take nine doubles each."""
    sigma = np.full(len(told), np.inf, np.float32)
    for start in range(0, len(told), _AT_A_TIME):
        part = slice(start, start + _AT_A_TIME)
        flat, normal = told[part].astype(np.float64), normals[part].astype(np.float64)
        whole = flat[:, [0, 3, 5]].sum(1)
        known = np.flatnonzero((whole > 0) & (normal**2).any(1))
        matrices = flat[known][:, _FULL].reshape(-1, 3, 3) / whole[known, None, None]
        # One photo alone says nothing along its line of sight.
        known, matrices = _well_posed(known, matrices)
        solved = np.linalg.solve(matrices, normal[known][..., None])[..., 0]
        variance = np.einsum("ij,ij->i", normal[known], solved) / whole[known]
        sigma[start + known] = MATCHING_NOISE_PX * np.sqrt(np.maximum(variance, 0))
    return sigma


def _well_posed(
    rows: Int[np.ndarray, "k"], matrices: Float[np.ndarray, "k 3 3"]
) -> tuple[Int[np.ndarray, "n"], Float[np.ndarray, "n 3 3"]]:
    """Those whose least eigenvalue is that of two lines of sight a degree apart, or more."""
    kept = np.linalg.eigvalsh(matrices)[:, 0] > _LEAST_EIGENVALUE
    return rows[kept], matrices[kept]


def _of_vertices(mesh: Mesh, of_faces: Float[np.ndarray, "f"]) -> Float[np.ndarray, "v"]:
    return np.bincount(mesh.faces.ravel(), np.repeat(of_faces, 3), len(mesh.vertices))


def squareness(cosine: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """How much a photo counts that looks at a surface at an angle of this cosine: 0 to 1."""
    angle = _degrees(cosine)
    return np.clip((_GRAZING_DEG - angle) / (_GRAZING_DEG - _SQUARE_DEG), 0, 1)


def _degrees(cosine: Float[np.ndarray, "n"]) -> Float32[np.ndarray, "n"]:
    return np.degrees(np.arccos(np.clip(cosine, -1, 1))).astype(np.float32)


class Sight:
    """A mesh ready to be asked which points a camera sees."""

    def __init__(self, mesh: Mesh) -> None:
        self.rays = MeshRays(mesh)
        self._mesh = mesh
        # About a voxel: the surface itself must not hide the points on it.
        self._tolerance = median_edge(mesh)

    def look(
        self,
        view: View,
        points: Float[np.ndarray, "n 3"],
        normals: Float32[np.ndarray, "n 3"] | None = None,
        mask: Bool[np.ndarray, "h w"] | None = None,
    ) -> tuple[Int[np.ndarray, "k"], Float32[np.ndarray, "k 3"], Float32[np.ndarray, "k"]]:
        """The points that a camera sees; with normals only those that are turned towards it.

        Returns:
            Their indices, the unit directions from them to the camera, and what a pixel covers
            there, in scene units.
        """
        uv_px, depth_z = project(view.cam_from_world @ points, view.camera)
        rows = np.flatnonzero((depth_z > 0) & in_picture(uv_px, view.camera))
        if mask is not None:
            column, row = np.floor(uv_px[rows]).astype(np.int64).T
            rows = rows[mask[row, column]]
        toward = self._toward(view, points[rows])
        if normals is not None:
            facing = np.einsum("ij,ij->i", normals[rows], toward) > 0
            rows, toward = rows[facing], toward[facing]
        centre = view.centre_world
        open_ = ~self.rays.hidden(centre, points[rows].astype(np.float32), self._tolerance)
        rows, toward = rows[open_], toward[open_]
        return rows, toward, (depth_z[rows] / view.camera.fx_px).astype(np.float32)

    def is_front(
        self, face: Int[np.ndarray, "n"], directions: Float[np.ndarray, "n 3"]
    ) -> Bool[np.ndarray, "n"]:
        """Whether rays that meet these faces come from outside."""
        corners = self._mesh.vertices[self._mesh.faces[face]]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        front: np.ndarray = np.einsum("ij,ij->i", normals, directions) < 0
        return front

    @staticmethod
    def _toward(view: View, points: Float[np.ndarray, "n 3"]) -> Float32[np.ndarray, "n 3"]:
        way = view.centre_world - points
        return (way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-30)).astype(
            np.float32
        )
