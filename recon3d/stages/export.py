"""Results leave the workspace: upright, in the target's axes, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float

from recon3d.core.depth import SceneDepth
from recon3d.core.scene import PosedPhotos
from recon3d.core.surface import Mesh, PointCloud
from recon3d.run.task import Task


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """How results are written."""

    up: Literal["auto", "none"] = "auto"
    """auto turns the model upright (from how the cameras were held) and puts the origin on the
    ground below it; none keeps the frame of the cameras."""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What the user wants written, and where."""

    meshes: tuple[Path, ...] = ()
    """.ply, .obj, .glb or .stl; the extension decides."""
    cloud: Path | None = None
    """.ply point cloud."""
    depth_maps: Path | None = None
    """Folder for 16-bit PNG and float TIFF or NPY depth maps."""
    colmap: Path | None = None
    """Folder for a COLMAP model of the undistorted cameras and points."""
    transforms: Path | None = None
    """nerfstudio transforms.json."""
    report: Path | None = None
    """report.html; report.json is written beside it."""


def check_outputs(outputs: Outputs) -> None:
    """Fail in the first second, not after an hour: unknown extension, unwritable place.

    Raises:
        OutputError: a target cannot be written, with what to do.
    """
    raise NotImplementedError


def export(
    posed: PosedPhotos,
    mesh: Mesh,
    cloud: PointCloud,
    depth: Mapping[str, SceneDepth],
    outputs: Outputs,
    config: ExportConfig,
    task: Task,
) -> tuple[Path, ...]:
    """Write every output and return their paths."""
    raise NotImplementedError


def upright_from_world(
    posed: PosedPhotos, mesh_vertices: Float[np.ndarray, "v 3"]
) -> Float[np.ndarray, "4 4"]:
    """Rigid 4x4 that turns the y-down SfM world to z-up with its origin on the ground."""
    raise NotImplementedError
