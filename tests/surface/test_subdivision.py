"""Large triangles cut into smaller ones."""

from __future__ import annotations

import numpy as np
from solids import is_closed, sphere

from recon3d.core.surface import Mesh, face_areas
from recon3d.surface.subdivision import subdivide


def test_no_edge_stays_longer_and_nothing_moves_or_comes_apart() -> None:
    ball = sphere(1)
    stretched = Mesh(ball.vertices * np.float32([5, 1, 1]), ball.faces)
    fine = subdivide(stretched, 0.5, 100_000)
    ends = fine.mesh.vertices[fine.mesh.faces]
    lengths = np.linalg.norm(ends - ends[:, [1, 2, 0]], axis=2)
    assert lengths.max() <= 0.5
    assert is_closed(fine.mesh.faces)
    coarse = face_areas(stretched)
    np.testing.assert_allclose(np.bincount(fine.parent, face_areas(fine.mesh)), coarse, rtol=1e-5)
    corners = stretched.vertices[stretched.faces]
    np.testing.assert_allclose(fine.spread(corners), ends, atol=1e-5)
    np.testing.assert_array_equal(fine.gather(fine.spread(corners)), corners)
    normal = np.cross(ends[:, 1] - ends[:, 0], ends[:, 2] - ends[:, 0])
    first = corners[fine.parent]
    outer = np.cross(first[:, 1] - first[:, 0], first[:, 2] - first[:, 0])
    assert (np.einsum("ij,ij->i", normal, outer) > 0).all()


def test_it_ends_where_there_would_be_too_many_faces() -> None:
    ball = sphere(1)
    assert len(subdivide(ball, 1e-6, 1000).mesh.faces) <= 1000
    assert len(subdivide(ball, 10.0, 1000).mesh.faces) == len(ball.faces)
