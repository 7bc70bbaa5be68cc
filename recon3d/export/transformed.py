"""Results moved from the world into the frame that they leave in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Float32

from recon3d.core.scene import PosedScene
from recon3d.core.surface import Mesh, PointCloud, TexturedMesh, as_vertices, is_far
from recon3d.core.target_frame import TargetFrame
from recon3d.core.transform import Similarity
from recon3d.export.meshes import PRINT_SUFFIXES, WIDE_SUFFIXES, Y_UP_SUFFIXES

MILLIMETRES_PER_METRE = Similarity(1000.0, np.eye(3), np.zeros(3))
Y_UP_FROM_Z_UP = Similarity(1.0, np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]), np.zeros(3))


def moved_scene(scene: PosedScene, frame: TargetFrame, *, y_up: bool = False) -> PosedScene:
    """The cameras and points in the frame's axes and unit, or turned as y-up files have them."""
    moved = Y_UP_FROM_Z_UP @ frame.target_from_world if y_up else frame.target_from_world
    views = tuple(
        replace(view, cam_from_world=moved.move_camera(view.cam_from_world)) for view in scene.views
    )
    points = replace(scene.points, xyz_world=moved @ scene.points.xyz_world)
    return replace(scene, views=views, points=points, unit=frame.unit)


def file_from_world(suffix: str, frame: TargetFrame, near: Similarity) -> Similarity:
    """How models stand in files of a format: in its axes, its unit, and where its digits suffice.

    near: the frame as `near_origin` gives it.
    """
    moved = frame.target_from_world if suffix in WIDE_SUFFIXES else near
    if suffix in PRINT_SUFFIXES and frame.unit == "metre":
        moved = MILLIMETRES_PER_METRE @ moved
    return Y_UP_FROM_Z_UP @ moved if suffix in Y_UP_SUFFIXES else moved


def moved_model(model: Mesh | TexturedMesh, moved: Similarity) -> Mesh | TexturedMesh:
    """The mesh with or without its texture."""
    if isinstance(model, TexturedMesh):
        return replace(model, mesh=_moved_mesh(model.mesh, moved))
    return _moved_mesh(model, moved)


def _moved_mesh(mesh: Mesh, moved: Similarity) -> Mesh:
    normals = None if mesh.normals is None else _turned(mesh.normals, moved)
    sigma = None if mesh.sigma is None else (mesh.sigma * moved.scale).astype(np.float32)
    return replace(mesh, vertices=_moved(mesh.vertices, moved), normals=normals, sigma=sigma)


def moved_cloud(cloud: PointCloud, target_from_world: Similarity) -> PointCloud:
    """The cloud in the target's axes."""
    return replace(
        cloud,
        points=_moved(cloud.points, target_from_world),
        normals=_turned(cloud.normals, target_from_world),
    )


def near_origin(
    target_from_world: Similarity, points_world: Float[np.ndarray, "n 3"]
) -> tuple[Similarity, Float[np.ndarray, "3"]]:
    """For formats of seven digits: the same, about whole numbers near the model where it is far.

    Returns also where the new origin lies in the target frame, which is where it was if not far.
    """
    target = target_from_world @ points_world.astype(np.float64)
    if not is_far(target):
        return target_from_world, np.zeros(3)
    origin = np.round(np.median(target, axis=0))
    translation = target_from_world.translation - origin
    return Similarity(target_from_world.scale, target_from_world.rotation, translation), origin


def _moved(
    points: Float[np.ndarray, "n 3"], target_from_world: Similarity
) -> Float[np.ndarray, "n 3"]:
    return as_vertices(target_from_world @ points.astype(np.float64))


def _turned(
    normals: Float32[np.ndarray, "n 3"], target_from_world: Similarity
) -> Float32[np.ndarray, "n 3"]:
    turned: np.ndarray = normals @ target_from_world.rotation.T
    return turned.astype(np.float32)
