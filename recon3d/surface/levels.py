"""The same mesh with fewer and fewer faces, for engines that show far things coarsely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from recon3d.core.ranges import Range, check_ranges
from recon3d.core.surface import Mesh, vertex_normals
from recon3d.run.files import FileSequence
from recon3d.run.stage import Stage
from recon3d.run.task import Task
from recon3d.surface.cleaning.decimation import decimate
from recon3d.surface.cleaning.repair import make_manifold
from recon3d.surface.files import load_mesh, save_mesh

_SHARE = 4
_MIN_FACES = 64
"""Fewer say nothing of any shape."""


@dataclass(frozen=True, kw_only=True)
class LevelsConfig:
    """Levels of detail."""

    count: Annotated[int, Range(least=1, most=8)] = 1
    """How many meshes to make: the first is the mesh itself, each further one has a quarter of
    the faces of the one before."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        check_ranges(self, "levels")


def make_levels(mesh: Mesh, config: LevelsConfig, folder: Path, task: Task) -> None:
    """Write the coarser levels of a mesh into `folder`; fewer where too few faces would be left."""
    coarser = mesh
    for done in range(1, config.count):
        faces = len(coarser.faces) // _SHARE
        if faces < _MIN_FACES:
            task.warn(f"Only {done} levels of detail: the next would have {faces} faces.")
            break
        coarser = make_manifold(decimate(coarser, faces))
        coarser = replace(coarser, normals=vertex_normals(coarser))
        save_mesh(folder / f"{done}.npz", coarser)
        task.step(done, config.count - 1, f"level {done}: {len(coarser.faces):,} faces")


def read_levels(folder: Path) -> Sequence[Mesh]:
    """The coarser levels, finest first, each read when asked."""
    return FileSequence(sorted(folder.glob("*.npz")), load_mesh)


LEVELS = Stage(name="levels", result="levels", version=2, run=make_levels, read=read_levels)
