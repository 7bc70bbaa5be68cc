"""A square mesh for tests of drawing."""

from __future__ import annotations

import numpy as np

from recon3d.core.surface import Mesh

RED = (230, 40, 30)


def sheet(count: int = 2, rgb: tuple[int, int, int] | None = RED) -> Mesh:
    """A square from -1 to 1 in x and z that faces -y, where the camera is."""
    steps = np.linspace(-1, 1, count)
    x, z = np.meshgrid(steps, steps)
    vertices = np.stack([x, np.zeros_like(x), z], -1).reshape(-1, 3).astype(np.float32)
    index = np.arange(count * count).reshape(count, count)
    a, b, c, d = (
        each.reshape(-1)
        for each in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1])
    )
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32)
    colours = None if rgb is None else np.tile(np.array(rgb, np.uint8), (len(vertices), 1))
    return Mesh(vertices, faces, rgb=colours)
