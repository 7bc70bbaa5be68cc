"""Open3D's sparse voxel grid: depth maps in, surface out.

The grid's hash table hands out vertices and points in another order every time, but the same ones:
`core/canonical_order.py` gives them one order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32, UInt8

from recon3d.core.camera import PinholeCamera
from recon3d.core.canonical_order import cloud_in_order, in_order
from recon3d.core.surface import Mesh, PointCloud
from recon3d.core.transform import Rigid
from recon3d.run.device import Device

BLOCK_VOXELS = 16
"""Edge of a block; Open3D allocates space by blocks that a depth map touches."""
BLOCK_BYTES = BLOCK_VOXELS**3 * (4 + 2 + 3 * 2)
"""tsdf float32, weight and three colours uint16."""
EXTRACTION_BYTES = BLOCK_VOXELS**3 * 4 * 4
"""What a block takes besides while the surface is read out: four numbers a voxel."""
_MARGIN = 1
"""Blocks beyond a part's own that its surface and normals ask."""


@dataclass(frozen=True, eq=False)
class BlockBox:
    """Part of space, in blocks: from low to below high. Boxes beside each other share no block."""

    low: Int[np.ndarray, "3"]
    high: Int[np.ndarray, "3"]

    def holds(self, blocks: Int[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
        """Which blocks lie in it."""
        return np.asarray(((blocks >= self.low) & (blocks < self.high)).all(axis=1))

    @property
    def with_margin(self) -> BlockBox:
        """And what its surface asks around it."""
        return BlockBox(self.low - _MARGIN, self.high + _MARGIN)


_FAR = 2**30
EVERYWHERE = BlockBox(np.full(3, -_FAR), np.full(3, _FAR))


def parts_of(blocks: Int[np.ndarray, "n 3"], most: int) -> list[BlockBox]:
    """Boxes that fill all space, each with so many of the blocks at most, margins not counted."""

    def divided(box: BlockBox, held: Int[np.ndarray, "m 3"]) -> list[BlockBox]:
        extent = np.ptp(held, axis=0) if len(held) else np.zeros(3)
        if len(held) <= most or not extent.any():
            return [box]
        axis = int(extent.argmax())
        # Never the lowest, or nothing would be below.
        cut = max(int(np.median(held[:, axis])), int(held[:, axis].min()) + 1)
        unit = np.arange(3) == axis
        below = held[:, axis] < cut
        lower = BlockBox(box.low, np.where(unit, cut, box.high))
        upper = BlockBox(np.where(unit, cut, box.low), box.high)
        return [*divided(lower, held[below]), *divided(upper, held[~below])]

    return divided(EVERYWHERE, blocks)


class Volume:
    """A truncated signed distance field (Curless and Levoy 1996) with colour.

    A part of space is fused as if it were the whole: its surface is the whole's, to the byte.
    """

    def __init__(
        self,
        voxel_size: float,
        truncation_voxels: float,
        blocks: int,
        device: Device,
        part: BlockBox = EVERYWHERE,
    ) -> None:
        import open3d as o3d

        wants_gpu = device != "cpu" and o3d.core.cuda.is_available()
        self._device = o3d.core.Device("CUDA:0" if wants_gpu else "CPU:0")
        self._truncation_voxels = truncation_voxels
        self._block_size = voxel_size * BLOCK_VOXELS
        self._part = part
        self._grid = o3d.t.geometry.VoxelBlockGrid(
            attr_names=("tsdf", "weight", "color"),
            attr_dtypes=(o3d.core.float32, o3d.core.uint16, o3d.core.uint16),
            attr_channels=[o3d.core.SizeVector([n]) for n in (1, 1, 3)],
            voxel_size=voxel_size,
            block_resolution=BLOCK_VOXELS,
            block_count=blocks,
            device=self._device,
        )

    def touched(
        self, depth_z: Float[np.ndarray, "h w"], camera: PinholeCamera, cam_from_world: Rigid
    ) -> Int32[np.ndarray, "n 3"]:
        """The blocks of all space that a depth map says something of; 0 = unknown."""
        farthest = float(depth_z.max())
        if farthest <= 0:
            return np.zeros((0, 3), np.int32)
        _, blocks, _ = self._touched(depth_z, camera, cam_from_world)
        return np.asarray(blocks.cpu().numpy(), np.int32)

    def integrate(
        self,
        depth_z: Float[np.ndarray, "h w"],
        rgb: Float32[np.ndarray, "h w 3"],
        camera: PinholeCamera,
        cam_from_world: Rigid,
    ) -> None:
        """Add one depth map; 0 = unknown. Colours are 0 to 255.

        Open3D's tensor pipeline truncates projections to pixel indices, so cameras whose first
        pixel centre is (0.5, 0.5) go in as they are.
        """
        import open3d as o3d

        if float(depth_z.max()) <= 0:
            return
        depth, blocks, (intrinsic, extrinsic, limits) = self._touched(
            depth_z, camera, cam_from_world
        )
        if self._part is not EVERYWHERE:
            found = blocks.cpu().numpy()
            found = found[self._part.with_margin.holds(found)]
            if not len(found):
                return
            blocks = o3d.core.Tensor.from_numpy(np.ascontiguousarray(found)).to(self._device)
        colour = o3d.t.geometry.Image(o3d.core.Tensor.from_numpy(rgb).to(self._device))
        self._grid.integrate(blocks, depth, colour, intrinsic, intrinsic, extrinsic, *limits)

    def _touched(
        self, depth_z: Float[np.ndarray, "h w"], camera: PinholeCamera, cam_from_world: Rigid
    ) -> tuple[Any, Any, tuple[Any, Any, tuple[float, float, float]]]:
        """A depth map, its blocks, and its camera and limits, all as Open3D takes them."""
        import open3d as o3d

        tensor = o3d.core.Tensor.from_numpy
        depth = o3d.t.geometry.Image(tensor(depth_z.astype(np.float32)).to(self._device))
        intrinsic, extrinsic = tensor(camera.matrix), tensor(cam_from_world.matrix())
        limits = (1.0, float(depth_z.max()) * 1.001, self._truncation_voxels)
        blocks = self._grid.compute_unique_block_coordinates(depth, intrinsic, extrinsic, *limits)
        return depth, blocks, (intrinsic, extrinsic, limits)

    def mesh(self, min_weight: float) -> Mesh:
        """The zero level set (marching cubes) where at least min_weight depth maps saw it.

        The same depth maps, integrated in the same order, give the same bytes.
        """
        if self._is_empty:
            return Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
        surface: Any = self._grid.extract_triangle_mesh(weight_threshold=min_weight).cpu()
        if "positions" not in surface.vertex or "indices" not in surface.triangle:
            return Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
        vertices = surface.vertex.positions.numpy().astype(np.float32)
        faces = surface.triangle.indices.numpy().astype(np.int32)
        rgb = _rgb(surface.vertex.colors.numpy())
        if self._part is not EVERYWHERE:
            # Each lies in one cell of the grid.
            middles = vertices[faces].mean(axis=1, dtype=np.float64)
            used, numbers = np.unique(faces[self._owns(middles)], return_inverse=True)
            vertices, rgb = vertices[used], rgb[used]
            faces = numbers.reshape(-1, 3).astype(np.int32)
        return in_order(Mesh(vertices, faces, rgb=rgb))

    def cloud(self, min_weight: float) -> PointCloud:
        """Points where the voxel grid's edges cross the surface, as repeatable as `mesh`."""
        if self._is_empty:
            none = np.zeros((0, 3), np.float32)
            return PointCloud(none, none.astype(np.uint8), none)
        surface: Any = self._grid.extract_point_cloud(weight_threshold=min_weight).cpu()
        points = surface.point.positions.numpy().astype(np.float32)
        rgb = _rgb(surface.point.colors.numpy())
        normals = surface.point.normals.numpy().astype(np.float32)
        if self._part is not EVERYWHERE:
            own = self._owns(points)
            points, rgb, normals = points[own], rgb[own], normals[own]
        return cloud_in_order(PointCloud(points, rgb, normals))

    @property
    def _is_empty(self) -> bool:
        # Open3D raises when asked for an empty surface.
        return int(self._grid.hashmap().size()) == 0

    def _owns(self, points: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
        return self._part.holds(np.floor(points / self._block_size).astype(np.int64))


def _rgb(values: np.ndarray) -> UInt8[np.ndarray, "n 3"]:
    # They come out in the range in which they went in, 0 to 255.
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)
