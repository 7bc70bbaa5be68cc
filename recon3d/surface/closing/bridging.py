"""Which faces that no camera sees are kept, because without them what is seen falls to pieces."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from recon3d.surface.closing.cut import minimal_cut
from recon3d.surface.topology import edge_uses, half_edges

_STEPS_PER_UNIT = 100_000
"""Costs in whole numbers; the unit is the square of the width."""
_ALWAYS = 1 << 40


def bridged(
    vertices: Float64[np.ndarray, "p 3"],
    own: Int32[np.ndarray, "f 3"],
    faces: Int32[np.ndarray, "g 3"],
    seen: Bool[np.ndarray, "g"],
    barred: Bool[np.ndarray, "g"],
    weightless: Bool[np.ndarray, "g"],
    width: float,
) -> Bool[np.ndarray, "g"]:
    """Which of some faces beside a mesh to keep: the seen ones, and what bridges gaps between them.

    Of all choices with the seen and without the barred ones that for which the area of the others
    that are kept, plus `width` times the length of the border that stays open, is least: a minimal
    cut. A long gap is bridged where it is narrower than about four widths.

    Args:
        vertices: Of all faces.
        own: The mesh that stays as it is.
        faces: Those to choose from.
        seen: Kept.
        barred: Left out.
        weightless: Neither, and kept wherever the border gets shorter by it.
        width: In scene units.
    """
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    # What it costs to keep a face and to leave it out.
    area = np.linalg.norm(normals, axis=1) / 2
    keeping, leaving = np.where(weightless, 0, area), np.zeros(len(faces))
    every = np.concatenate([own, faces])
    ends = vertices[half_edges(every)]
    border = width * np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
    uses = edge_uses(every)

    def add(costs: Float64[np.ndarray, "g"], halves: Int64[np.ndarray, "n"]) -> None:
        np.add.at(costs, halves // 3 - len(own), border[halves])

    # Faces of the mesh come first, also in the pairs.
    is_choice = uses.pairs >= 3 * len(own)
    add(keeping, uses.borders[uses.borders >= 3 * len(own)])
    add(leaving, uses.pairs[~is_choice[:, 0] & is_choice[:, 1], 1])
    between = uses.pairs[is_choice[:, 0]]
    one, other = (between // 3 - len(own)).T
    shared = _steps(border[between[:, 0]], width)
    both = np.minimum(keeping, leaving)
    return minimal_cut(
        np.concatenate([one, other]),
        np.concatenate([other, one]),
        np.concatenate([shared, shared]),
        np.where(seen, _ALWAYS, _steps(leaving - both, width)),
        np.where(barred, _ALWAYS, _steps(keeping - both, width)),
    )


def _steps(costs: Float64[np.ndarray, "n"], width: float) -> Int64[np.ndarray, "n"]:
    return np.minimum(np.rint(costs / width**2 * _STEPS_PER_UNIT), _ALWAYS).astype(np.int64)
