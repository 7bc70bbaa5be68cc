"""Polygons of OBJ files, with and without notches."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recon3d.core.surface import Mesh, face_areas
from recon3d.surface.foreign_meshes import read_foreign_mesh
from recon3d.surface.obj_polygons import triangles_of, with_triangles

# An L of area 3, its notch at the fifth corner.
NOTCHED = np.array([[0, 0], [2, 0], [2, 1], [1, 1], [1, 2], [0, 2]], float)


def in_space(flat: np.ndarray) -> np.ndarray:
    return np.column_stack([flat[:, 0], 0.5 * flat[:, 0], flat[:, 1]])


def area_of(points: np.ndarray, triangles: object) -> tuple[float, bool]:
    """All triangles' areas, and whether they look one way."""
    corners = points[np.array(triangles)]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
    return float(np.linalg.norm(normals, axis=1).sum()), bool((normals @ normals[0] > 0).all())


def test_a_polygon_with_notches_is_covered_once_from_every_first_corner_and_side() -> None:
    for first in range(6):
        for outline in (NOTCHED, NOTCHED[::-1]):
            points = in_space(np.roll(outline, first, axis=0))
            triangles = triangles_of(points)
            assert len(triangles) == 4
            area, one_way = area_of(points, triangles)
            assert one_way
            assert abs(area - 3 * np.sqrt(1.25)) < 1e-9
    dart = np.array([[0, 0, 0], [1, 1, 0], [2, 0, 0], [1, 3, 0]], float)
    for first in range(4):
        points = np.roll(dart, first, axis=0)
        area, one_way = area_of(points, triangles_of(points))
        assert one_way
        assert abs(area - 2) < 1e-9


def test_a_polygon_that_crosses_itself_or_has_no_area_still_becomes_triangles() -> None:
    bow = np.array([[0, 0, 0], [1, 1, 0], [1, 0, 0], [0, 1, 0]], float)
    assert len(triangles_of(bow)) == 2
    assert len(triangles_of(np.zeros((5, 3)))) == 3


def test_polygons_of_every_kind_are_read(tmp_path: Path) -> None:
    points = in_space(NOTCHED)
    lines = ["v 9 9 9"]  # no face has it
    lines += [f"v {x} {y} {z}" for x, y, z in points]
    lines += [f"vt {u / 2} {v / 2}" for u, v in NOTCHED]
    lines += ["f 2/1 3/2 4/3 5/4 \\", "6/5 7/6"]
    lines += [f"v {x} {y} {z + 5}" for x, y, z in points]
    # From here back, a trapezium and a triangle above it.
    lines += ["f -6/-6 -5/-5 -4/-4 -3/-3", "f -6/-6 -3/-3 -2/-2"]
    (tmp_path / "a.obj").write_text("\r\n".join(lines))
    found = read_foreign_mesh(tmp_path / "a.obj")
    assert len(found.faces) == 4 + 2 + 1
    areas = face_areas(Mesh(found.vertices, found.faces.astype(np.int32)))
    np.testing.assert_allclose(areas[:4].sum(), 3 * np.sqrt(1.25))
    np.testing.assert_allclose(areas[4:].sum(), 2 * np.sqrt(1.25))
    # Each corner keeps its place in the picture.
    at = found.vertices[found.faces]
    np.testing.assert_allclose(found.uv[found.faces][..., 0], at[..., 0] / 2, atol=1e-6)


def test_faces_that_name_no_vertex_are_left_to_the_reader() -> None:
    text = "v 0 0 0\nf 1 2 3 4\nf a b c d\nf -9 1 1 1\n"
    assert with_triangles(text) == text
