"""Merging triangles, on shapes whose every property is known."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from recon3d.core.surface import Mesh, face_areas
from recon3d.surface.cleaning.repair import count_faulty_edges
from recon3d.surface.edge_collapse import collapse


def wavy_plate(cells: int, height: float = 0.0) -> Mesh:
    """[0, 1]^2, two triangles a cell."""
    x, y = np.meshgrid(*[np.linspace(0, 1, cells + 1)] * 2)
    z = height * np.sin(6 * x) * np.cos(5 * y)
    corner = np.arange((cells + 1) ** 2).reshape(cells + 1, -1)[:-1, :-1].ravel()
    right, down = corner + 1, corner + cells + 1
    faces = np.concatenate(
        [np.stack([corner, right, down], 1), np.stack([right, down + 1, down], 1)]
    )
    return Mesh(np.stack([x, y, z], -1).reshape(-1, 3), faces.astype(np.int32))


def collapsed(mesh: Mesh, most: int) -> Mesh:
    vertices, faces, _ = collapse(mesh.vertices.astype(np.float64), mesh.faces, most)
    return Mesh(vertices, faces)


def ball(subdivisions: int) -> Mesh:
    made = trimesh.creation.icosphere(subdivisions)
    return Mesh(np.array(made.vertices), np.array(made.faces, np.int32))


def test_a_flat_plate_keeps_its_outline_and_becomes_even() -> None:
    small = collapsed(wavy_plate(40), 200)
    assert 190 < len(small.faces) <= 200
    assert np.abs(small.vertices[:, 2]).max() < 1e-9
    areas = face_areas(small)
    assert areas.sum() == pytest.approx(1, abs=1e-3)
    # Of a mesh without a pull to the middles, the largest is hundreds of times the median.
    assert areas.max() < 12 * np.median(areas)


def test_a_closed_body_stays_closed_and_near_to_itself() -> None:
    before = ball(5)
    after = collapsed(before, 500)
    body = trimesh.Trimesh(after.vertices, after.faces, process=False)
    assert len(after.faces) <= 500
    assert body.is_watertight
    assert body.euler_number == 2
    assert body.volume == pytest.approx(4 / 3 * np.pi, rel=0.02)
    radius = np.linalg.norm(after.vertices, axis=1)
    assert np.abs(radius - 1).max() < 0.01


@pytest.mark.parametrize("most", [3000, 300, 30, 1])
def test_a_manifold_stays_one_however_few_faces_are_asked(most: int) -> None:
    ring = trimesh.creation.torus(1, 0.3, 80, 40)
    small = collapsed(Mesh(np.array(ring.vertices), np.array(ring.faces, np.int32)), most)
    assert count_faulty_edges(small) == 0
    body = trimesh.Trimesh(small.vertices, small.faces, process=False)
    assert body.is_watertight
    # What has a hole keeps it, and needs some faces for that.
    assert body.euler_number == 0
    assert len(small.faces) <= max(most, 40)


def test_relief_gets_the_triangles() -> None:
    plate = wavy_plate(60, 0.1)
    flat = plate.vertices[:, 0] < 0.5
    vertices = plate.vertices.copy()
    vertices[flat, 2] = 0
    small = collapsed(Mesh(vertices, plate.faces), 600)
    middles = small.vertices[small.faces].mean(axis=1)
    assert (middles[:, 0] > 0.48).mean() > 0.75


def test_every_old_vertex_knows_where_it_went() -> None:
    plate = wavy_plate(30, 0.05)
    vertices, faces, became = collapse(plate.vertices.astype(np.float64), plate.faces, 300)
    assert set(became.tolist()) == set(range(len(vertices)))
    away = np.linalg.norm(vertices[became] - plate.vertices, axis=1)
    assert away.max() < 0.25
    assert (np.unique(faces) == np.arange(len(vertices))).all()


def test_fixed_vertices_stay_where_they_are() -> None:
    plate = wavy_plate(30, 0.05)
    fixed = np.abs(plate.vertices[:, 0] - 0.5) < 1e-6
    vertices, faces, became = collapse(plate.vertices.astype(np.float64), plate.faces, 200, fixed)
    assert len(faces) <= 200
    assert (became[fixed] >= 0).all()
    assert np.allclose(vertices[became[fixed]], plate.vertices[fixed], atol=1e-12)
    assert np.bincount(became)[became[fixed]].max() == 1


def test_what_is_small_enough_stays() -> None:
    before = ball(1)
    after = collapsed(before, len(before.faces))
    assert np.allclose(after.vertices, before.vertices, atol=1e-12)
    assert (after.faces == before.faces).all()


@pytest.mark.parametrize(
    "faces",
    [
        [[0, 1, 2]],
        [[0, 1, 2], [0, 1, 2]],
        [[0, 1, 2], [1, 0, 3], [0, 1, 4]],
        [[0, 0, 1], [1, 2, 3]],
        [[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]],
    ],
    ids=["one", "doubled", "three at an edge", "no area", "a tetrahedron"],
)
def test_what_cannot_get_smaller_is_handed_back_whole(faces: list[list[int]]) -> None:
    vertices = np.random.default_rng(0).normal(size=(5, 3))
    _, left, _ = collapse(vertices, np.array(faces, np.int32), 1)
    assert 1 <= len(left) <= len(faces)


def test_far_from_the_origin_it_is_the_same() -> None:
    plate = wavy_plate(20, 0.1)
    near, _, _ = collapse(plate.vertices.astype(np.float64), plate.faces, 100)
    far, _, _ = collapse(plate.vertices + 1e6, plate.faces, 100)
    assert np.allclose(near, far - 1e6, atol=1e-6)
