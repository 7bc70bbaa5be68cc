"""All depth maps become one surface: a truncated signed distance field, or Poisson."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from recon3d.core.camera import backproject, in_picture, project
from recon3d.core.canonical_order import in_order, joined_clouds, joined_meshes
from recon3d.core.depth import SceneDepth
from recon3d.core.errors import TooLittleDepthError
from recon3d.core.ranges import Range, check_ranges
from recon3d.core.scene import PosedPhotos
from recon3d.core.surface import Mesh, PointCloud
from recon3d.depth.covisibility import rank_neighbours
from recon3d.run.stage import Stage
from recon3d.run.task import Task
from recon3d.surface.exposure import exposure_gains
from recon3d.surface.files import load_cloud, load_mesh, save_cloud, save_mesh

logger = logging.getLogger(__name__)

_TRUNCATION_VOXELS = (4.0, 12.0)
_NOISE_DEVIATIONS = 8.0
"""The surface must lie inside the band of every depth map for noise to average out; eight,
because depth has heavy tails and distant views differ more than the neighbours measured."""
_SAME_SURFACE = 0.05
"""Depths of two views that differ by more than this share belong to different surfaces."""
_MANY_MAPS, _WEIGHT_OF_MANY = 30, 3
_GRID_SHARE, _SMALLEST_GRID_GIB = 0.5, 0.125
"""Of the budget: the raw mesh, its cleaning and the libraries take about as much as the grid."""
_SUPPORTED_VOXELS = 2.0
"""What Poisson puts farther from every point, no depth map has shown."""
_MESH, _CLOUD = "mesh.npz", "cloud.npz"
_NOISE_STEP_PX = 16
_FAR_PERCENTILE, _FAR_MARGIN = 97, 1.05
"""Rare far depths of a view are mismatches, and would cost the most voxels."""


SurfaceKind = Literal["auto", "seen", "tsdf", "poisson"]


@dataclass(frozen=True, kw_only=True)
class FuseConfig:
    """How depth maps become a surface."""

    surface: SurfaceKind = "auto"
    """auto keeps what was seen and closes holes that no camera looked through, as far as mesh.reach
    says; tsdf closes only what mesh.hole_size says; seen closes none, so that no face is inferred;
    poisson closes everything."""

    voxel_pixels: Annotated[float, Range(above=0)] = 2.2
    """Voxel edge in units of a depth pixel's footprint at the median distance. Larger is
    smoother, lighter and faster."""

    voxel_size: Annotated[float, Range(least=0)] = 0.0
    """Voxel edge in scene units (metres where the scene has metres); 0 takes voxel_pixels."""

    truncation_voxels: Annotated[float, Range(least=1, besides=0)] = 0.0
    """How far around a surface space is touched, in voxels; 0 measures how much the depth maps
    disagree and takes 4 to 12. Raise it for noisy depth, lower it for thin walls."""

    min_weight: Annotated[int, Range(least=0)] = 0
    """Depth maps that must have seen a voxel; 0 takes 1 for fewer than 30 depth maps and 3 from
    30 on, so that one photo more can leave out what only one or two photos saw."""

    max_distance: Annotated[float, Range(above=0)] = 2.0
    """Depth beyond this many times the scene's median is left out: few voxels per photo pixel
    there, much noise. Raise it for long streets; a depth camera's maps are never cut."""

    memory_gib: Annotated[float, Range(above=0)] = 4.0
    """Most memory for the voxels of the whole scene, fused part by part; they grow when the
    scene would need more."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        check_ranges(self, "fuse")


def within_budget(config: FuseConfig, budget_bytes: int) -> FuseConfig:
    """The same settings with a voxel grid that leaves room for what is made of it.

    In powers of two, because whoever gets another grid gets another surface, stored apart: a few
    megabytes that something else has taken must not compute it anew.
    """
    share_gib = budget_bytes / 2**30 * _GRID_SHARE
    steps = math.floor(math.log2(max(share_gib, _SMALLEST_GRID_GIB) / config.memory_gib))
    return config if steps >= 0 else replace(config, memory_gib=config.memory_gib * 2.0**steps)


def fuse_depth(
    posed: PosedPhotos,
    depth: Mapping[str, SceneDepth],
    config: FuseConfig,
    folder: Path,
    task: Task,
) -> None:
    """Fuse every depth map into a surface and a point cloud in `folder`.

    Raises:
        TooLittleDepthError: the depth maps leave no surface.
    """
    from recon3d.surface.fused_parts import MapsToFuse, fused_parts, within_memory

    max_distance = np.inf if posed.sensor_depth else config.max_distance
    footprint, farthest = _survey(depth, max_distance, task)
    wanted = config.voxel_size or config.voxel_pixels * footprint
    truncation = config.truncation_voxels or float(
        np.clip(_NOISE_DEVIATIONS * depth_noise(posed, depth, task) / wanted, *_TRUNCATION_VOXELS)
    )
    maps = MapsToFuse(posed, depth, farthest, exposure_gains(posed, depth, task))
    voxel_size, touched = within_memory(wanted, truncation, maps, config.memory_gib, task)
    # Views of a panorama show each spot once, so places count.
    one_place = posed.scene.one_place
    places = len({one_place.get(photo_id, photo_id) for photo_id in depth})
    min_weight = config.min_weight or (1 if places < _MANY_MAPS else _WEIGHT_OF_MANY)
    poisson = config.surface == "poisson"
    meshes, clouds = fused_parts(
        maps, touched, voxel_size, truncation, min_weight, task, with_meshes=not poisson
    )
    # Each of these is as large as a large scene's surface.
    del touched
    cloud = joined_clouds(clouds)
    del clouds
    save_cloud(folder / _CLOUD, cloud)
    mesh = _poisson(cloud, voxel_size) if poisson else joined_meshes(meshes)
    if len(mesh.faces) == 0:
        raise TooLittleDepthError(
            "The depth maps leave no surface.",
            hint="Look at the depth previews in the report; take more photos, closer together.",
        )
    logger.info(
        "fused %d depth maps to %d faces, voxels of %.4g, each seen by %d maps or more%s",
        len(farthest), len(mesh.faces), voxel_size, min_weight,
        "" if config.min_weight else f" ({_WEIGHT_OF_MANY} from {_MANY_MAPS} maps on, else 1)",
    )  # fmt: skip
    save_mesh(folder / _MESH, mesh)


def read_surface(folder: Path) -> tuple[Mesh, PointCloud]:
    """Read what `fuse_depth` wrote."""
    return load_mesh(folder / _MESH), load_cloud(folder / _CLOUD)


def _survey(
    depth: Mapping[str, SceneDepth], max_distance: float, task: Task
) -> tuple[float, dict[str, float]]:
    """Median width of a pixel on the surface, and per photo the depth up to which it is believed.

    Raises:
        TooLittleDepthError: every depth map is empty.
    """
    footprints, medians, farthest = [], [], {}
    for photo_id, scene_depth in depth.items():
        task.check()
        known = scene_depth.depth_z[scene_depth.depth_z > 0]
        if known.size:
            medians.append(float(np.median(known)))
            footprints.append(medians[-1] / scene_depth.camera.fx_px)
            farthest[photo_id] = float(np.percentile(known, _FAR_PERCENTILE)) * _FAR_MARGIN
    if not footprints:
        raise TooLittleDepthError("All depth maps are empty: there is nothing to fuse.")
    limit = max_distance * float(np.median(medians))
    believed = {photo_id: min(far, limit) for photo_id, far in farthest.items()}
    return float(np.median(footprints)), believed


def depth_noise(posed: PosedPhotos, depth: Mapping[str, SceneDepth], task: Task) -> float:
    """Standard deviation of depth in scene units: how much one view differs from the next.

    It holds errors of the poses too. Robust: from the median, over points on the same surface.
    """
    ids = [view.photo_id for view in posed.scene.views]
    differences = [np.zeros(0)]
    for index, others in enumerate(rank_neighbours(posed.scene, 1)):
        if not (others and ids[index] in depth and ids[others[0]] in depth):
            continue
        task.check()
        mine, theirs = depth[ids[index]], depth[ids[others[0]]]
        camera, other_from_world = theirs.camera, posed.scene.views[others[0]].cam_from_world
        other_from_mine = other_from_world @ posed.scene.views[index].cam_from_world.inverse()
        points = backproject(mine.depth_z, mine.camera)[::_NOISE_STEP_PX, ::_NOISE_STEP_PX]
        points = points[np.isfinite(points[..., 2])]
        uv_px, expected_z = project(other_from_mine @ points, camera)
        inside = in_picture(uv_px, camera)
        u, v = uv_px[inside].astype(np.int64).T
        found_z = theirs.depth_z[v, u]
        difference = np.abs(found_z - expected_z[inside])
        differences.append(difference[difference < _SAME_SURFACE * expected_z[inside]])
    # Of two views' difference to one view's deviation, by the median of a normal distribution.
    every = np.concatenate(differences)
    return float(1.4826 * np.median(every) / np.sqrt(2)) if len(every) else 0.0


def _poisson(cloud: PointCloud, voxel_size: float) -> Mesh:
    """Watertight surface through the cloud (Kazhdan and Hoppe 2013), guesses marked."""
    import open3d as o3d
    from scipy.spatial import cKDTree

    from recon3d.surface.open3d_mesh import from_open3d

    if len(cloud.points) == 0:
        return Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    points = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(cloud.points.astype(np.float64)))
    points.normals = o3d.utility.Vector3dVector(cloud.normals.astype(np.float64))
    points.colors = o3d.utility.Vector3dVector(cloud.rgb / 255.0)
    # Two voxels a cell: Poisson's own interpolation makes up for the factor. One thread: with more,
    # the order of its sums, and with it the surface, would differ between runs.
    surface, _ = o3d.geometry.TriangleMesh.create_from_point_cloud_poisson(
        points, width=2 * voxel_size, n_threads=1
    )
    mesh = from_open3d(surface)
    middles = mesh.vertices[mesh.faces].mean(axis=1)
    distance, _ = cKDTree(cloud.points).query(middles)
    return in_order(replace(mesh, inferred=distance > _SUPPORTED_VOXELS * voxel_size))


FUSE = Stage(
    name="fuse",
    result="surface",
    version=4,
    run=fuse_depth,
    read=read_surface,
    libraries=("open3d",),
)
