"""Large triangles cut into smaller ones."""

from __future__ import annotations

import numpy as np
from solids import is_closed, sphere

from recon3d.core.surface import Mesh, face_areas, median_edge
from recon3d.surface.subdivision import cut_large_faces, subdivide


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


def test_large_faces_are_cut_with_their_colours_and_marks() -> None:
    # A square of 20 by 20 small ones, and a large one beside it in two faces.
    x, y = np.meshgrid(np.arange(21.0), np.arange(21.0))
    number = np.arange(441).reshape(21, 21)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]
    small = np.stack([a, b, c, a, c, d], -1).reshape(-1, 3)
    vertices = np.stack([x, y, 0 * x], -1).reshape(-1, 3)
    vertices = np.concatenate([vertices, [[30, 0, 0], [30, 20, 0]]]).astype(np.float32)
    large = np.array([[20, 441, 442], [20, 442, 440]])
    rgb = np.column_stack([8 * vertices[:, 0], 8 * vertices[:, 1], 0 * vertices[:, 0]])
    mesh = Mesh(
        vertices,
        np.concatenate([small, large]).astype(np.int32),
        rgb=rgb.astype(np.uint8),
        inferred=np.arange(802) >= 800,
    )
    cut = cut_large_faces(mesh, 4.0)
    edges = cut.vertices[cut.faces]
    assert np.linalg.norm(edges - np.roll(edges, 1, axis=1), axis=2).max() <= 4 * median_edge(mesh)
    assert cut.inferred is not None
    assert cut.rgb is not None
    areas = face_areas(cut)
    np.testing.assert_allclose([areas.sum(), areas[cut.inferred].sum()], [600, 200], rtol=1e-5)
    off = np.abs(cut.rgb[:, :2] - 8.0 * cut.vertices[:, :2])
    assert off.max() <= 1


def test_it_ends_where_there_would_be_too_many_faces() -> None:
    ball = sphere(1)
    assert len(subdivide(ball, 1e-6, 1000).mesh.faces) <= 1000
    assert len(subdivide(ball, 10.0, 1000).mesh.faces) == len(ball.faces)
