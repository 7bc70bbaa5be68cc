"""A scene is fused part by part, so that memory does not grow with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int32, UInt8

from recon3d.core.camera import PinholeCamera
from recon3d.core.depth import SceneDepth
from recon3d.core.scene import PosedPhotos
from recon3d.core.surface import Mesh, PointCloud
from recon3d.core.transform import Rigid
from recon3d.run.task import Task
from recon3d.surface.volume import BLOCK_BYTES, EXTRACTION_BYTES, Volume, parts_of

_PART_BYTES, _LEAST_PART_BYTES = 1 << 30, 1 << 27
"""For the voxels of a part and what is read from them. Smaller parts would have every photo read
again and again where memory is short."""


@dataclass(frozen=True, eq=False)
class MapsToFuse:
    """The depth maps as they are fused."""

    posed: PosedPhotos
    depth: Mapping[str, SceneDepth]
    farthest: Mapping[str, float]
    """Up to where each is believed; those that are not here say nothing."""
    gains: Mapping[str, Float[np.ndarray, "3"]]

    def depth_z(self, photo_id: str) -> Float32[np.ndarray, "h w"]:
        """As far as it is believed, 0 elsewhere."""
        depth_z = self.depth[photo_id].depth_z
        return np.where(depth_z < self.farthest[photo_id], depth_z, 0).astype(np.float32)

    def rgb(self, photo_id: str) -> Float32[np.ndarray, "h w 3"]:
        """The photo at the depth map's size, its exposure evened out; 0 to 255."""
        photo = _resized(self.posed.rgb[photo_id], self.depth[photo_id])
        return np.clip(photo * self.gains[photo_id], 0, 255).astype(np.float32)

    def camera(self, photo_id: str) -> tuple[PinholeCamera, Rigid]:
        """Of the depth map, and where it stood."""
        return self.depth[photo_id].camera, self.posed.scene.view(photo_id).cam_from_world


def within_memory(
    wanted: float, truncation: float, maps: MapsToFuse, memory_gib: float, task: Task
) -> tuple[float, dict[str, Int32[np.ndarray, "n 3"]]]:
    """Voxel edge that fits, and by photo the blocks of voxels that its depth map touches."""

    def touched(voxel_size: float) -> dict[str, Int32[np.ndarray, "n 3"]]:
        volume = Volume(voxel_size, truncation, 1, task.runtime.device)
        found = {}
        # Sorted: voxels hold rounded means, so that the order of photos leaves its traces.
        for photo_id in sorted(maps.farthest):
            task.check()
            found[photo_id] = volume.touched(maps.depth_z(photo_id), *maps.camera(photo_id))
        return found

    found, most = touched(wanted), int(memory_gib * 2**30 / BLOCK_BYTES)
    blocks = len(_all_blocks(found))
    if blocks <= most:
        return wanted, found
    # A surface's blocks go with the square.
    voxel_size = wanted * float(np.sqrt(blocks / most))
    task.warn(
        f"Voxels were enlarged from {wanted:.4g} to {voxel_size:.4g} to stay within "
        f"{memory_gib:g} GiB; raise --memory-gib and --fuse.memory-gib for finer detail."
    )
    return voxel_size, touched(voxel_size)


def _all_blocks(touched: Mapping[str, Int32[np.ndarray, "n 3"]]) -> Int32[np.ndarray, "m 3"]:
    """Of all depth maps together, each once."""
    every = np.unique(np.concatenate(list(touched.values())), axis=0)
    return np.asarray(every, np.int32)


def fused_parts(
    maps: MapsToFuse,
    touched: Mapping[str, Int32[np.ndarray, "n 3"]],
    voxel_size: float,
    truncation: float,
    min_weight: int,
    task: Task,
    *,
    with_meshes: bool = True,
) -> tuple[list[Mesh], list[PointCloud]]:
    """The surfaces and the points of the parts of space, where so many maps saw them.

    Args:
        maps: What is fused.
        touched: By photo: the blocks of voxels that its depth map touches.
        voxel_size: In scene units.
        truncation: In voxels.
        min_weight: Depth maps that must have seen a voxel.
        task: To report to.
        with_meshes: Whether surfaces are asked for, too.
    """
    part_bytes = max(_LEAST_PART_BYTES, min(_PART_BYTES, task.runtime.room_bytes // 2))
    blocks = _all_blocks(touched)
    parts = parts_of(blocks, part_bytes // (BLOCK_BYTES + EXTRACTION_BYTES))
    around = [part.with_margin for part in parts]
    seen_by = [
        [photo_id for photo_id, theirs in touched.items() if box.holds(theirs).any()]
        for box in around
    ]
    done, total = 0, sum(len(photo_ids) for photo_ids in seen_by)
    task.step(0, total)
    meshes, clouds = [], []
    for part, box, photo_ids in zip(parts, around, seen_by, strict=True):
        count = max(1, int(box.holds(blocks).sum()))
        volume = Volume(voxel_size, truncation, count, task.runtime.device, part)
        for photo_id in photo_ids:
            volume.integrate(maps.depth_z(photo_id), maps.rgb(photo_id), *maps.camera(photo_id))
            done += 1
            task.step(done, total, photo_id)
        # Open3D keeps what has more than the threshold.
        clouds.append(volume.cloud(min_weight - 0.5))
        if with_meshes:
            meshes.append(volume.mesh(min_weight - 0.5))
        # Before the next one is made.
        del volume
    return meshes, clouds


def _resized(rgb: UInt8[np.ndarray, "h w 3"], like: SceneDepth) -> UInt8[np.ndarray, "h2 w2 3"]:
    import cv2

    size = (like.camera.width_px, like.camera.height_px)
    if rgb.shape[1::-1] == size:
        return rgb
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
