"""Rays against a mesh: what hides what, what lies nearest, what crosses what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32

from recon3d.core.surface import Mesh

_RAYS_AT_ONCE = 1 << 18


def ray_scene(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]
) -> tuple[Any, Callable[[np.ndarray], Any]]:
    """Open3D's RaycastingScene of some triangles, and what turns arrays into its tensors."""
    import open3d as o3d

    tensor: Callable[[np.ndarray], Any] = o3d.core.Tensor.from_numpy
    scene = o3d.t.geometry.RaycastingScene()
    # It takes float32 and uint32 only, and refuses to add nothing.
    if len(faces):
        scene.add_triangles(
            tensor(np.ascontiguousarray(vertices, np.float32)),
            tensor(np.ascontiguousarray(faces, np.uint32)),
        )
    return scene, tensor


class MeshRays:
    """Holds a mesh ready for rays; works in float32, in slices that bound the memory."""

    def __init__(self, mesh: Mesh) -> None:
        """Needs at least one face."""
        self._scene, self._tensor = ray_scene(mesh.vertices, mesh.faces)

    def hidden(
        self,
        origin: Float[np.ndarray, "3"],
        points: Float32[np.ndarray, "n 3"],
        tolerance: float,
    ) -> Bool[np.ndarray, "n"]:
        """Whether the mesh stands between origin and points, more than tolerance before them."""
        blocked = np.zeros(len(points), bool)
        for rows in _slices(len(points)):
            direction = points[rows] - origin.astype(np.float32)
            distance = np.linalg.norm(direction, axis=1, keepdims=True)
            unit = direction / np.where(distance > 0, distance, 1)
            # From the point towards the camera, so that each ray ends where it may.
            start = points[rows] - tolerance * unit
            reach = np.maximum(distance - tolerance, 0)
            rays = np.hstack([start, -unit * reach]).astype(np.float32)
            blocked[rows] = self._scene.test_occlusions(self._tensor(rays), tfar=1.0).numpy()
        return blocked

    def blocked(
        self, starts: Float32[np.ndarray, "n 3"], ends: Float32[np.ndarray, "n 3"]
    ) -> Bool[np.ndarray, "n"]:
        """Whether the mesh stands between two points."""
        found = np.zeros(len(starts), bool)
        for rows in _slices(len(starts)):
            rays = np.hstack([starts[rows], ends[rows] - starts[rows]])
            found[rows] = self._scene.test_occlusions(self._tensor(rays), tfar=1.0).numpy()
        return found

    def distances(
        self, origin: Float[np.ndarray, "3"], directions: Float[np.ndarray, "n 3"]
    ) -> Float32[np.ndarray, "n"]:
        """How far along each unit direction the mesh is first met; infinite where it is not."""
        distance = np.zeros(len(directions), np.float32)
        for rows in _slices(len(directions)):
            starts = np.broadcast_to(origin, directions[rows].shape)
            rays = np.hstack([starts, directions[rows]]).astype(np.float32)
            distance[rows] = self._scene.cast_rays(self._tensor(rays))["t_hit"].numpy()
        return distance

    def first_fronts(
        self, starts: Float32[np.ndarray, "n 3"], ends: Float32[np.ndarray, "n 3"]
    ) -> tuple[Float32[np.ndarray, "n"], Int[np.ndarray, "n"]]:
        """Where segments first meet the mesh, by its front: shares of their length, and the faces.

        Infinite and -1 where they meet nothing, or a back first.
        """
        share, face = np.full(len(starts), np.inf, np.float32), np.full(len(starts), -1)
        for rows in _slices(len(starts)):
            way = ends[rows] - starts[rows]
            met = self._scene.cast_rays(self._tensor(np.hstack([starts[rows], way])))
            along = met["t_hit"].numpy()
            facing = np.einsum("ni,ni->n", met["primitive_normals"].numpy(), way) < 0
            found = (along <= 1) & facing
            share[rows] = np.where(found, along, np.inf)
            face[rows] = np.where(found, met["primitive_ids"].numpy().astype(np.int64), -1)
        return share, face

    def first_hits(
        self,
        origins: Float[np.ndarray, "3"] | Float[np.ndarray, "n 3"],
        directions: Float[np.ndarray, "n 3"],
    ) -> tuple[Float32[np.ndarray, "n"], Int32[np.ndarray, "n"], Float32[np.ndarray, "n 2"]]:
        """What rays from one place, or each from its own, meet first.

        Returns:
            How often the direction goes into the distance (infinite where nothing is met), the
            face (-1), and the weights of its second and third corner there.
        """
        times = np.full(len(directions), np.inf, np.float32)
        face = np.full(len(directions), -1, np.int32)
        weights = np.zeros((len(directions), 2), np.float32)
        starts = np.broadcast_to(origins, directions.shape)
        for rows in _slices(len(directions)):
            rays = np.hstack([starts[rows], directions[rows]]).astype(np.float32)
            found = self._scene.cast_rays(self._tensor(rays))
            times[rows] = found["t_hit"].numpy()
            met = np.isfinite(times[rows])
            face[rows] = np.where(met, found["primitive_ids"].numpy().astype(np.int64), -1)
            weights[rows] = np.where(met[:, None], found["primitive_uvs"].numpy(), 0)
        return times, face, weights

    def nearest(
        self, points: Float32[np.ndarray, "n 3"]
    ) -> tuple[Int[np.ndarray, "n"], Float32[np.ndarray, "n 3"]]:
        """The face nearest to each point, and the weights of its corners there."""
        face = np.zeros(len(points), np.int64)
        weights = np.zeros((len(points), 3), np.float32)
        for rows in _slices(len(points)):
            found = self._scene.compute_closest_points(
                self._tensor(np.ascontiguousarray(points[rows]))
            )
            uv = found["primitive_uvs"].numpy()
            face[rows] = found["primitive_ids"].numpy()
            weights[rows] = np.column_stack([1 - uv.sum(1), uv])
        return face, weights

    def distance(self, points: Float32[np.ndarray, "n 3"]) -> Float32[np.ndarray, "n"]:
        """From each point to the mesh."""
        found = np.zeros(len(points), np.float32)
        for rows in _slices(len(points)):
            tensor = self._tensor(np.ascontiguousarray(points[rows]))
            found[rows] = self._scene.compute_distance(tensor).numpy()
        return found

    def crossings(
        self, starts: Float32[np.ndarray, "n 3"], ends: Float32[np.ndarray, "n 3"]
    ) -> tuple[Int[np.ndarray, "k"], Int[np.ndarray, "k"]]:
        """The faces that segments pass through: (index of the segment, index of the face).

        Within a ten-thousandth of its ends a segment meets nothing, as faces that share a vertex
        with it would be met there.
        """
        segments, faces = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for rows in _slices(len(starts)):
            rays = np.hstack([starts[rows], ends[rows] - starts[rows]])
            met: dict[str, Any] = self._scene.list_intersections(self._tensor(rays))
            share = met["t_hit"].numpy()
            inner = (share > 1e-4) & (share < 1 - 1e-4)
            segments.append(met["ray_ids"].numpy()[inner].astype(np.int64) + rows.start)
            faces.append(met["primitive_ids"].numpy()[inner].astype(np.int64))
        return np.concatenate(segments), np.concatenate(faces)


def _slices(count: int) -> Iterator[slice]:
    for start in range(0, count, _RAYS_AT_ONCE):
        yield slice(start, min(count, start + _RAYS_AT_ONCE))
