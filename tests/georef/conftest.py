"""A table and the cameras around it, in SfM's world."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from marker_scene import around
from tilted_table import WORLD_FROM_TRUTH, in_world

from recon3d.core.scene import View
from recon3d.core.surface import Mesh


@pytest.fixture
def views() -> list[View]:
    return [in_world(view) for view in around(7, 2.2, 1.3)]


@pytest.fixture(scope="module")
def table() -> Mesh:
    """A table of 2 x 2 m at z = 0 with a box of 0.3 x 0.3 x 0.4 m on it."""
    top = trimesh.creation.box((2, 2, 0.02))
    top.apply_translation([0, 0, -0.01])
    box = trimesh.creation.box((0.3, 0.3, 0.4))
    box.apply_translation([0, 0, 0.2])
    whole = trimesh.util.concatenate([top, box])
    for _ in range(3):
        whole = whole.subdivide()
    vertices = (WORLD_FROM_TRUTH @ whole.vertices).astype(np.float32)
    return Mesh(vertices, np.asarray(whole.faces, np.int32))
