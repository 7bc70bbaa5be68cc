"""The cut between free space and matter, block by block, here or on machines of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int32

from recon3d.run.items import compute_items
from recon3d.run.task import Task
from recon3d.surface.closing.blocks import Block, blocks
from recon3d.surface.closing.cut import free_cells
from recon3d.surface.closing.sightings import Sightings
from recon3d.surface.closing.tetrahedra import Votes, facet_badness, surface_of, tetrahedra, vote

_BOX = 8
"""Corners of the box around all points and cameras."""
_BADNESS = 0.3
_AT_CAMERA = 1e4
_POINT_BYTES = 8000
"""Of memory that a block takes for each of its points."""


def cut_in_blocks(
    points: Float64[np.ndarray, "p 3"],
    corners: Float64[np.ndarray, "c 3"],
    rays: Sightings,
    margin: float,
    sigma: float,
    folder: Path,
    task: Task,
) -> Int32[np.ndarray, "f 3"]:
    """Faces between free space and matter.

    Args:
        points: Which are parted into blocks.
        corners: Of tetrahedra: the points, the box's corners, and cameras.
        rays: Which cameras see which points.
        margin: As `blocks` takes it.
        sigma: Noise of points along the rays.
        folder: Of the stage.
        task: Of the stage.
    """
    parts = {
        f"{task.stage} ({number + 1})": block for number, block in enumerate(blocks(points, margin))
    }

    def step(done: int) -> None:
        task.step(1 + done, 2 + len(parts))

    cut = _Cut(parts, corners, len(points), rays, sigma)
    item_bytes = _POINT_BYTES * max(len(block.points) for block in parts.values())
    with closing(compute_items(cut, [*parts], item_bytes, folder, task, step)) as found:
        faces = np.concatenate([faces for (faces,) in found])
    step(len(parts))
    return faces


@dataclass(frozen=True, eq=False)
class _Cut:
    """Work on any block; can be pickled."""

    blocks: Mapping[str, Block]
    corners: Float64[np.ndarray, "c 3"]
    points: int
    rays: Sightings
    sigma: float

    def __call__(self, name: str, task: Task) -> tuple[Int32[np.ndarray, "f 3"]]:
        block, rays = self.blocks[name], self.rays
        taking_part = np.concatenate([block.points, np.arange(self.points, len(self.corners))])
        number = np.full(len(self.corners), -1, np.int32)
        number[taking_part] = np.arange(len(taking_part))
        used = number[rays.point] >= 0
        point, camera = number[rays.point[used]], number[self.points + _BOX + rays.view[used]]
        cells = tetrahedra(self.corners[taking_part])
        task.check()
        weight = rays.weight[used] * block.weight[point]
        found = vote(cells, point, camera, weight, np.full(len(taking_part), self.sigma))
        at_camera = (cells.cells >= len(block.points) + _BOX).any(axis=1)
        votes = Votes(
            found.facets + _BADNESS * facet_badness(cells),
            found.free + _AT_CAMERA * at_camera,
            found.solid,
        )
        task.check()
        faces = taking_part[surface_of(cells, free_cells(cells, votes))]
        inside = block.holds(self.corners[faces].mean(axis=1))
        return (faces[inside].astype(np.int32),)
