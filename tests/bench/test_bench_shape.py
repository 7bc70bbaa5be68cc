"""What a person sees of a mesh: coverage, holes and ripple against analytic truths."""

from __future__ import annotations

import numpy as np
import pytest

from recon3d.bench.shape import border_lengths, ripple_deg, shape_scores
from recon3d.core.camera import PinholeCamera
from recon3d.core.scene import View
from recon3d.core.surface import Mesh
from recon3d.core.transform import Rigid

CAMERA = PinholeCamera(96, 96, 48.0, 48.0, 48.0, 48.0)
"""Sees 90 degrees."""


def box(missing: str = "") -> Mesh:
    """A cube from -1 to 1 with outward normals, perhaps without the side at z = 1."""
    corners = np.array([[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], np.float32)
    quads = {
        "back": (0, 2, 3, 1), "front": (4, 5, 7, 6), "left": (0, 4, 6, 2),
        "right": (1, 3, 7, 5), "low": (0, 1, 5, 4), "high": (2, 6, 7, 3),
    }  # fmt: skip
    faces = [t for side, (a, b, c, d) in quads.items() if side != missing
             for t in ((a, b, c), (a, c, d))]  # fmt: skip
    return Mesh(corners, np.array(faces, np.int32))


def inside(turn_deg: float = 0.0) -> View:
    """From the cube's middle towards +z, turned about y."""
    angle = np.radians(turn_deg)
    rotation = np.array([[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0],
                         [np.sin(angle), 0, np.cos(angle)]])  # fmt: skip
    return View(f"{turn_deg}", CAMERA, Rigid(rotation, np.zeros(3)))


def test_a_box_without_a_side_has_one_hole_of_that_sides_perimeter() -> None:
    assert border_lengths(box()) == (0, 0.0)
    count, longest = border_lengths(box(missing="front"))
    assert count == 1
    assert longest == pytest.approx(8 / np.sqrt(12), rel=1e-6)


def test_rays_through_the_missing_side_meet_nothing() -> None:
    assert shape_scores(box(), [inside()], {}).covered == 1
    # Straight ahead the missing side fills the picture of 90 degrees; behind there is none of it.
    open_box = box(missing="front")
    assert shape_scores(open_box, [inside()], {}).covered == 0
    assert shape_scores(open_box, [inside(), inside(180)], {}).covered == 0.5


def test_a_camera_turned_by_half_its_angle_sees_half_wall_half_hole() -> None:
    # Ray by ray: a direction leaves through z = 1 where z is its largest component.
    covered = shape_scores(box(missing="front"), [inside(45)], {}).covered
    u, v = np.meshgrid((np.arange(96) + 0.5 - 48) / 48, (np.arange(96) + 0.5 - 48) / 48)
    root = np.sqrt(0.5)
    x, z = root * (u + 1), root * (1 - u)
    missed = (z > np.abs(x)) & (z > np.abs(v))
    assert covered == pytest.approx(1 - missed.mean(), abs=0.02)  # the rim: 96 of 9216 pixels


def test_masked_pixels_are_not_asked_for() -> None:
    view = inside(45)
    left = np.zeros((192, 192), bool)
    left[:, :96] = True
    scores = [shape_scores(box("front"), [view], {view.photo_id: mask}) for mask in (left, ~left)]
    assert sorted(score.covered == 1 for score in scores) == [False, True]


def test_an_empty_mesh_covers_nothing() -> None:
    empty = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    scores = shape_scores(empty, [inside()], {})
    assert (scores.covered, scores.holes, scores.ripple_deg) == (0, 0, 0)


def grid(cells: int) -> Mesh:
    """A plane of right-angled triangles, not sharing vertices so that each may tilt alone."""
    y, x = np.mgrid[:cells, :cells].reshape(2, -1).astype(float)
    flat = np.zeros_like(x)
    a, b = np.stack([x, y, flat], 1), np.stack([x + 1, y, flat], 1)
    c, d = np.stack([x + 1, y + 1, flat], 1), np.stack([x, y + 1, flat], 1)
    corners = np.stack([a, b, c, a, c, d], 1).reshape(-1, 3).astype(np.float32)
    return Mesh(corners, np.arange(len(corners), dtype=np.int32).reshape(-1, 3))


def test_a_flat_plane_has_no_ripple() -> None:
    plane = grid(40)
    assert ripple_deg(plane, np.arange(len(plane.faces))) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("noise_deg", [1.0, 5.0])
def test_tilted_faces_give_ripple_of_the_size_of_their_tilt(noise_deg: float) -> None:
    plane = grid(60)
    corners = plane.vertices[plane.faces].astype(np.float64)
    # Each face leans by its own two slopes around its middle.
    slopes = np.tan(np.radians(noise_deg)) * np.random.default_rng(1).normal(
        size=(len(corners), 2)
    ) / np.sqrt(2)  # fmt: skip
    away = corners - corners.mean(1, keepdims=True)
    corners[..., 2] = np.einsum("fcd,fd->fc", away[..., :2], slopes)
    leaning = Mesh(corners.reshape(-1, 3).astype(np.float32), plane.faces)
    # The mean over some 50 faces keeps 1 % of the noise, and 7200 samples are known to 1 %.
    found = ripple_deg(leaning, np.arange(len(plane.faces)))
    assert found == pytest.approx(noise_deg, rel=0.05)
