"""All depth maps become one surface: a truncated signed distance field, or Poisson."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recon3d.core.depth import SceneDepth
from recon3d.core.scene import PosedPhotos
from recon3d.core.surface import Mesh, PointCloud
from recon3d.run.device import Runtime
from recon3d.run.task import Task

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class FuseConfig:
    """How depth maps become a surface."""

    surface: Literal["tsdf", "poisson"] = "tsdf"
    """tsdf keeps what was seen and leaves the rest open; poisson closes everything."""

    voxel_pixels: float = 1.5
    """Voxel edge in units of a depth pixel's footprint at the median distance. Larger is
    smoother, lighter and faster."""

    voxel_size: float = 0.0
    """Voxel edge in scene units (metres where the scene has metres); 0 takes voxel_pixels."""

    truncation_voxels: float = 4.0
    """How far behind a surface space is touched, in voxels. Raise it for noisy depth."""

    min_weight: int = 0
    """Depth maps that must have seen a voxel; 0 chooses by the number of photos."""


def fuse_depth(
    posed: PosedPhotos,
    depth: Mapping[str, SceneDepth],
    config: FuseConfig,
    folder: Path,
    task: Task,
    runtime: Runtime,
) -> None:
    """Fuse every depth map into a surface and a point cloud in `folder`."""
    raise NotImplementedError


def read_surface(folder: Path) -> tuple[Mesh, PointCloud]:
    """Read what `fuse_depth` wrote."""
    raise NotImplementedError
