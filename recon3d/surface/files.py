"""Meshes and clouds in a stage's folder: plain arrays that load without any library."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np

from recon3d.core.surface import Mesh, PointCloud
from recon3d.run.files import atomic_path


def save_mesh(target: Path, mesh: Mesh) -> None:
    """Write every array that is there."""
    _save(target, vars(mesh))


def load_mesh(path: Path) -> Mesh:
    """Read what `save_mesh` wrote; arrays that earlier versions called otherwise are left out."""
    known = {field.name for field in fields(Mesh)}
    return Mesh(**{name: array for name, array in _load(path).items() if name in known})


def save_cloud(target: Path, cloud: PointCloud) -> None:
    """Write every array."""
    _save(target, vars(cloud))


def load_cloud(path: Path) -> PointCloud:
    """Read what `save_cloud` wrote."""
    return PointCloud(**_load(path))


def _save(target: Path, arrays: dict[str, np.ndarray | None]) -> None:
    with atomic_path(target) as part, part.open("wb") as stream:
        np.savez(stream, **{name: array for name, array in arrays.items() if array is not None})  # type: ignore[arg-type]


def _load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)
