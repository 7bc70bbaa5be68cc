"""Whatever the surface, the solid is closed and manifold, and no larger than it should be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import manifold3d
import numpy as np
import pytest
from solids import joined, sheet, sphere

from recon3d.core.errors import ConfigError, NotSolidError
from recon3d.core.surface import Mesh, face_areas
from recon3d.core.target_frame import TargetFrame
from recon3d.core.transform import Similarity
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Task, silent
from recon3d.surface.cleaning.pieces import count_pieces, keep_faces
from recon3d.surface.cleaning.survey import survey
from recon3d.surface.foreign_meshes import ForeignMesh
from recon3d.surface.mesh import read_effects
from recon3d.surface.solid.lattice import TooFineError, cross
from recon3d.surface.solid.solid import SOLID, SolidConfig
from recon3d.surface.solid.winding import Winding, winding_numbers
from recon3d.surface.topology import edge_uses, half_edges


def solid_of(folder: Path, mesh: Mesh, *, ground: float = 0.0, **settings: Any) -> Mesh:
    """What the stage makes, its closedness vouched for by two judges."""
    up = Similarity(1.0, np.eye(3), np.array([0.0, 0.0, -ground]))
    frame = TargetFrame(up, "scene", {"ground": "lowest points"})
    config = SolidConfig(watertight=True, **settings)
    task = Task("solid", silent, CancelToken(), Runtime(device="cpu", workers=1))
    folder.mkdir(exist_ok=True)
    SOLID.run((mesh, {"links": []}), frame, config, folder, task)
    solid = SOLID.read(folder)
    faces = np.ascontiguousarray(solid.faces, np.uint32)
    body = manifold3d.Manifold(manifold3d.Mesh(solid.vertices, faces))
    assert body.status() == manifold3d.Error.NoError
    assert body.volume() == pytest.approx(read_effects(folder)["solid"]["volume"], rel=1e-6)
    points, nowhere = solid.vertices.astype(float), np.full((len(solid.vertices), 2), np.nan)
    pages, materials = np.full(len(faces), -1), np.zeros(len(faces), int)
    found = ForeignMesh(
        points, solid.faces, np.full(points.shape, np.nan), nowhere, pages, materials, [], None
    )
    numbers = survey(found)
    assert numbers.watertight
    assert numbers.consistently_oriented
    assert numbers.vertex_manifold
    # Cutting at a base adds a few.
    assert len(solid.faces) <= 1.1 * max(len(mesh.faces), 500)
    return solid


def volume_of(folder: Path) -> float:
    return float(read_effects(folder)["solid"]["volume"])


def without_cap(ball: Mesh, height: float) -> Mesh:
    return keep_faces(ball, ball.vertices[ball.faces].mean(axis=1)[:, 2] < height)


def cap_volume(height: float) -> float:
    """Of the unit ball, above a plane."""
    return float(np.pi * (1 - height) ** 2 * (2 + height) / 3)


def rim_height(mesh: Mesh) -> float:
    ends = half_edges(mesh.faces)[edge_uses(mesh.faces).borders]
    return float(mesh.vertices[ends[:, 0], 2].mean())


def lowered(mesh: Mesh, height: float) -> Mesh:
    return replace(mesh, vertices=mesh.vertices - np.float32([0, 0, height]))


def mesh_volume(mesh: Mesh) -> float:
    a, b, c = np.moveaxis(mesh.vertices.astype(float)[mesh.faces], 1, 0)
    return float(np.einsum("ni,ni->", a, np.cross(b, c)) / 6)


def test_far_clusters_count_as_their_triangles_do() -> None:
    open_ball = without_cap(sphere(3), 0.3)
    points = np.random.default_rng(0).uniform(-2, 2, (300, 3))
    fast, slow = Winding(open_ball).of(points, 2), winding_numbers(open_ball, points)
    # A hundredth moves no guess by more than a hundredth of the hole.
    np.testing.assert_allclose(fast, slow, atol=0.02)
    inside = np.linalg.norm(points, axis=1) < 0.9
    whole = winding_numbers(sphere(3), points)
    np.testing.assert_allclose(whole[inside], 1, atol=1e-6)
    np.testing.assert_allclose(whole[np.linalg.norm(points, axis=1) > 1], 0, atol=1e-6)


def test_a_missing_cap_is_closed_flat_and_what_was_measured_stays(tmp_path: Path) -> None:
    open_ball = without_cap(sphere(3), 0.6)
    rim = rim_height(open_ball)
    solid = solid_of(tmp_path, open_ball)
    # From a point in the lid, what closes it has no volume. Along the rim half a cell is cut off.
    expected = mesh_volume(lowered(open_ball, rim))
    assert volume_of(tmp_path) == pytest.approx(expected, rel=0.02)
    assert solid.inferred is not None
    middles = solid.vertices[solid.faces].mean(axis=1)
    # An edge of the lattice is a tenth of the radius, and the rim is as ragged.
    assert np.abs(middles[solid.inferred][:, 2] - rim).max() < 0.15
    measured = np.linalg.norm(middles[~solid.inferred & (middles[:, 2] < rim - 0.15)], axis=1)
    np.testing.assert_allclose(measured, 1, atol=0.02)
    assert solid.rgb is not None
    assert (solid.rgb == 77).all()
    assert not SOLID.warnings(tmp_path)


def test_bodies_that_cross_become_one_without_walls_inside(tmp_path: Path) -> None:
    ball = sphere(3)
    other = replace(ball, vertices=ball.vertices + np.float32([1, 0, 0]))
    solid_of(tmp_path, joined(ball, other))
    # Two unit balls, their middles one apart, share two caps.
    expected = 2 * mesh_volume(ball) - 2 * cap_volume(0.5)
    assert volume_of(tmp_path) == pytest.approx(expected, rel=0.01)


def test_bodies_apart_stay_apart_and_crumbs_go(tmp_path: Path) -> None:
    ball = sphere(3)
    far = replace(ball, vertices=0.6 * ball.vertices + np.float32([3, 0, 0]))
    speck = sphere(1)
    speck = replace(speck, vertices=0.06 * speck.vertices + np.float32([0, 3, 0]))
    solid = solid_of(tmp_path, joined(ball, far, speck))
    assert count_pieces(solid) == 2
    assert volume_of(tmp_path) == pytest.approx(mesh_volume(ball) * 1.216, rel=0.01)


def test_a_single_sheet_becomes_a_wall_and_that_is_said(tmp_path: Path) -> None:
    flat = sheet(30)
    solid_of(tmp_path, flat, wall=0.06)
    thickness = read_effects(tmp_path)["solid"]["wall"]
    assert thickness == pytest.approx(0.06 * np.hypot(29, 29))
    area, rim = 29.0**2, 4 * 29.0
    # Beside the border a quarter of a disc at most belongs to the wall.
    assert area * thickness * 0.97 < volume_of(tmp_path)
    assert volume_of(tmp_path) < 1.03 * (area * thickness + rim * thickness**2)
    (warning,) = SOLID.warnings(tmp_path)
    assert "100% of the surface encloses nothing" in warning


def test_a_room_seen_from_within_keeps_its_hollow(tmp_path: Path) -> None:
    ball = sphere(3)
    room = replace(ball, faces=ball.faces[:, ::-1].copy())
    solid_of(tmp_path, room, wall=0.05)
    thickness = read_effects(tmp_path)["solid"]["wall"]
    shell = 4 / 3 * np.pi * ((1 + thickness) ** 3 - 1)
    # Half of the 1280 triangles are its outside now, whose chords cut through the wall.
    assert volume_of(tmp_path) == pytest.approx(shell, rel=0.12)


def test_a_triangle_becomes_a_slab_and_nothing_is_an_error(tmp_path: Path) -> None:
    corner = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    one = Mesh(corner, np.int32([[0, 1, 2]]))
    solid_of(tmp_path / "one", one, wall=0.1)
    assert volume_of(tmp_path / "one") > 0
    for number, faces in enumerate([np.zeros((0, 3), np.int32), np.int32([[0, 1, 1]])]):
        with pytest.raises(NotSolidError, match="no area"):
            solid_of(tmp_path / str(number), Mesh(corner, faces))


def test_a_base_stands_flat_on_the_ground(tmp_path: Path) -> None:
    # The lower part of a ball was not seen; it hovers above the ground by a tenth of its radius.
    ball = sphere(3)
    heights = ball.vertices[ball.faces].mean(axis=1)[:, 2]
    bell = keep_faces(ball, heights > -0.4)
    rim = rim_height(bell)
    solid = solid_of(tmp_path, bell, ground=rim - 0.1, base="ground")
    low = solid.vertices[:, 2] < rim - 0.1 + 1e-4
    assert solid.vertices[:, 2].min() == pytest.approx(rim - 0.1, abs=1e-4)
    assert solid.inferred is not None
    on_base = low[solid.faces].all(axis=1)
    assert solid.inferred[on_base].all()
    # Down from the rim about a cylinder.
    disc = np.pi * (1 - rim**2)
    assert face_areas(solid)[on_base].sum() == pytest.approx(disc, rel=0.08)
    expected = mesh_volume(lowered(bell, rim)) + 0.1 * disc
    assert volume_of(tmp_path) == pytest.approx(expected, rel=0.02)


def test_a_base_cuts_through_what_goes_on_below_it(tmp_path: Path) -> None:
    ball = sphere(3)
    solid_of(tmp_path / "half", ball, ground=0.2, base="ground")
    assert volume_of(tmp_path / "half") == pytest.approx(cap_volume(0.2), rel=0.04)
    with pytest.raises(NotSolidError, match="above its base"):
        solid_of(tmp_path / "none", ball, ground=2.0, base="ground")


def test_a_plate_lies_below_the_lowest_point(tmp_path: Path) -> None:
    y, x = np.mgrid[:30, :30]
    hills = sheet(30, np.sin(x / 4) + np.cos(y / 5))
    solid = solid_of(tmp_path, hills, base="plate", wall=0.05)
    lowest = float(hills.vertices[:, 2].min()) - read_effects(tmp_path)["solid"]["wall"]
    assert solid.vertices[:, 2].min() == pytest.approx(lowest, abs=1e-3)
    below = (hills.vertices[hills.faces].mean(axis=1)[:, 2] - lowest).mean() * 29**2
    assert volume_of(tmp_path) == pytest.approx(below, rel=0.05)


def test_the_same_surface_gives_the_same_solid(tmp_path: Path) -> None:
    open_ball = without_cap(sphere(3), 0.5)
    one, two = (solid_of(tmp_path / name, open_ball) for name in "ab")
    assert one.vertices.tobytes() == two.vertices.tobytes()
    assert one.faces.tobytes() == two.faces.tobytes()


def test_any_field_has_a_closed_surface_that_is_followed_everywhere() -> None:
    # A wavy tube through many blocks, found from one end; its lattice has all kinds of cells.
    def field(points: np.ndarray) -> np.ndarray:
        x, y, z = points.T
        tube = 3 - np.hypot(y - 4 * np.sin(x / 5), z - 3 * np.cos(x / 4))
        rough = np.sin(2.1 * x) * np.cos(1.7 * y) * np.sin(1.9 * z)
        return np.minimum(tube + rough, 30 - np.abs(x)).astype(np.float32)

    found = cross(field, np.array([[30.0, 0.0, 0.0]]), 0.7, 10_000, lambda: None)
    vertices = found.vertices(found.by_value)
    assert vertices[:, 0].min() < -29
    body = manifold3d.Manifold(manifold3d.Mesh(vertices, found.faces.astype(np.uint32)))
    assert body.status() == manifold3d.Error.NoError
    rng = np.random.default_rng(1)
    box = np.array([60.0, 18.0, 16.0])
    share = (field(rng.uniform(-0.5, 0.5, (200_000, 3)) * box) > 0).mean()
    assert body.volume() == pytest.approx(share * box.prod(), rel=0.02)
    with pytest.raises(TooFineError):
        cross(field, np.array([[30.0, 0.0, 0.0]]), 0.7, 20, lambda: None)


def test_impossible_walls_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"solid\.wall"):
        SolidConfig(wall=0.0)
