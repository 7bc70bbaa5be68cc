"""The raw surface becomes a clean mesh."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from recon3d.core.surface import Mesh
from recon3d.run.task import Task

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class MeshConfig:
    """How the surface is cleaned."""

    faces: int = 300_000
    """Decimate to at most this many triangles; 0 keeps all."""

    min_component: float = 0.005
    """Drop pieces smaller than this share of the largest one's area."""

    smoothing: int = 0
    """Passes of edge-preserving smoothing; -1 chooses by the measured noise."""

    hole_size: float = 0.02
    """Close holes whose outline is shorter than this share of the model's diagonal."""


def clean_mesh(raw: Mesh, config: MeshConfig, folder: Path, task: Task) -> None:
    """Write the cleaned mesh into `folder`."""
    raise NotImplementedError


def read_mesh(folder: Path) -> Mesh:
    """Read what `clean_mesh` wrote."""
    raise NotImplementedError
