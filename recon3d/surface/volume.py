"""Open3D's sparse voxel grid: depth maps in, surface out.

The grid's hash table hands out vertices and points in another order every time, but the same ones:
`core/canonical_order.py` gives them one order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Float32, UInt8

from recon3d.core.camera import PinholeCamera
from recon3d.core.canonical_order import cloud_in_order, in_order
from recon3d.core.surface import Mesh, PointCloud
from recon3d.core.transform import Rigid
from recon3d.run.device import Device

BLOCK_VOXELS = 16
"""Edge of a block; Open3D allocates space by blocks that a depth map touches."""
BLOCK_BYTES = BLOCK_VOXELS**3 * (4 + 2 + 3 * 2)
"""tsdf float32, weight and three colours uint16."""


class Volume:
    """A truncated signed distance field (Curless and Levoy 1996) with colour."""

    def __init__(
        self, voxel_size: float, truncation_voxels: float, blocks: int, device: Device
    ) -> None:
        import open3d as o3d

        wants_gpu = device != "cpu" and o3d.core.cuda.is_available()
        self._device = o3d.core.Device("CUDA:0" if wants_gpu else "CPU:0")
        self._truncation_voxels = truncation_voxels
        self._grid = o3d.t.geometry.VoxelBlockGrid(
            attr_names=("tsdf", "weight", "color"),
            attr_dtypes=(o3d.core.float32, o3d.core.uint16, o3d.core.uint16),
            attr_channels=[o3d.core.SizeVector([n]) for n in (1, 1, 3)],
            voxel_size=voxel_size,
            block_resolution=BLOCK_VOXELS,
            block_count=blocks,
            device=self._device,
        )

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

        farthest = float(depth_z.max())
        if farthest <= 0:
            return
        tensor = o3d.core.Tensor.from_numpy
        depth = o3d.t.geometry.Image(tensor(depth_z.astype(np.float32)).to(self._device))
        colour = o3d.t.geometry.Image(tensor(rgb).to(self._device))
        intrinsic = tensor(camera.matrix)
        extrinsic = tensor(cam_from_world.matrix())
        limits = (1.0, farthest * 1.001, self._truncation_voxels)
        blocks = self._grid.compute_unique_block_coordinates(depth, intrinsic, extrinsic, *limits)
        self._grid.integrate(blocks, depth, colour, intrinsic, intrinsic, extrinsic, *limits)

    @property
    def empty(self) -> bool:
        """Whether nothing was integrated; Open3D raises when asked for an empty surface."""
        return int(self._grid.hashmap().size()) == 0

    def mesh(self, min_weight: float) -> Mesh:
        """The zero level set (marching cubes) where at least min_weight depth maps saw it.

        The same depth maps, integrated in the same order, give the same bytes.
        """
        surface: Any = self._grid.extract_triangle_mesh(weight_threshold=min_weight).cpu()
        if "positions" not in surface.vertex or "indices" not in surface.triangle:
            return Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
        found = Mesh(
            surface.vertex.positions.numpy().astype(np.float32),
            surface.triangle.indices.numpy().astype(np.int32),
            rgb=_rgb(surface.vertex.colors.numpy()),
        )
        return in_order(found)

    def cloud(self, min_weight: float) -> PointCloud:
        """Points where the voxel grid's edges cross the surface, as repeatable as `mesh`."""
        surface: Any = self._grid.extract_point_cloud(weight_threshold=min_weight).cpu()
        found = PointCloud(
            surface.point.positions.numpy().astype(np.float32),
            _rgb(surface.point.colors.numpy()),
            surface.point.normals.numpy().astype(np.float32),
        )
        return cloud_in_order(found)


def _rgb(values: np.ndarray) -> UInt8[np.ndarray, "n 3"]:
    # They come out in the range in which they went in, 0 to 255.
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)
