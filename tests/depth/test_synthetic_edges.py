"""Scenes full of depth edges: exact against ray casting, thin things whole, solids closed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch

from recon3d.depth.synthetic.cameras import draw_viewpoint
from recon3d.depth.synthetic.gaps import before_far, solids, thin
from recon3d.depth.synthetic.indoors import floating_room
from recon3d.depth.synthetic.lofts import loft
from recon3d.depth.synthetic.rasteriser import hits_at, nearest, sample_grid, screen_triangles
from recon3d.depth.synthetic.scene import Scene
from recon3d.depth.synthetic.thin import fence, hanging_cable

WIDTH_PX, HEIGHT_PX = 64, 48
KINDS = (solids, thin, before_far, floating_room)
Draw = Callable[[np.random.Generator], Scene]


def cast(corners: np.ndarray, eye: np.ndarray, ray: np.ndarray) -> float:
    """The nearest crossing of one ray with all triangles, as a factor on the ray; inf for none.

    Möller and Trumbore 1997, in float64: shares nothing with the rasteriser.
    """
    a, b, c = corners.swapaxes(0, 1)
    p = np.cross(ray, c - a)
    determinant = ((b - a) * p).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        u = ((eye - a) * p).sum(-1) / determinant
        q = np.cross(eye - a, b - a)
        v = (q @ ray) / determinant
        t = ((c - a) * q).sum(-1) / determinant
    hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)
    return float(t[hit].min(initial=np.inf))


def rendered(corners: np.ndarray, cam_from_world: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    at = torch.from_numpy(corners @ cam_from_world[:3, :3].T + cam_from_world[:3, 3])
    seen = screen_triangles(at, torch.from_numpy(matrix), WIDTH_PX, HEIGHT_PX)
    grid = sample_grid(HEIGHT_PX, WIDTH_PX, 0.5, at.device)
    return hits_at(seen, nearest(seen), grid).depth_z.numpy()


@pytest.mark.parametrize("draw", KINDS)
def test_depth_is_what_a_ray_meets_first(draw: Draw) -> None:
    rng = np.random.default_rng(3)
    scene = draw(rng)
    shot = draw_viewpoint(rng, scene.stage, WIDTH_PX, HEIGHT_PX).shot()
    depth_z = rendered(scene.shape.corners, shot.cam_from_world, shot.matrix)
    rotation = shot.cam_from_world[:3, :3]
    eye = -rotation.T @ shot.cam_from_world[:3, 3]
    off = 0
    for row, column in zip(rng.integers(0, HEIGHT_PX, 25), rng.integers(0, WIDTH_PX, 25),
                           strict=True):  # fmt: skip
        ray = rotation.T @ np.linalg.solve(shot.matrix, [column + 0.5, row + 0.5, 1])
        true_z = cast(scene.shape.corners, eye, ray)
        found = float(depth_z[row, column]) or np.inf
        off += not (found == true_z or abs(found / true_z - 1) < 1e-5)
    # A ray through the very edge of a triangle may fall on either side of it.
    assert off <= 1


@pytest.mark.parametrize("draw", KINDS)
def test_the_same_seed_draws_the_same_scene(draw: Draw) -> None:
    one, two = (draw(np.random.default_rng(8)) for _ in range(2))
    assert np.array_equal(one.shape.corners, two.shape.corners)
    assert np.array_equal(one.material, two.material)
    assert one.materials == two.materials
    assert np.isfinite(one.shape.corners).all()
    assert np.isfinite(one.shape.normals).all()
    assert np.isfinite(one.shape.uv).all()


def test_a_solid_is_closed_and_about_one_large() -> None:
    for seed in range(8):
        shape = loft(np.random.default_rng(seed))
        corners = shape.corners.reshape(-1, 3)
        assert 0.9 < np.ptp(corners, axis=0).max() < 1.6
        # Sharp outlines and seams repeat their corners: the same place is the same corner.
        _, corner = np.unique(np.round(corners * 1e7), axis=0, return_inverse=True)
        sides = np.stack([corner.reshape(-1, 3), np.roll(corner.reshape(-1, 3), -1, 1)], -1)
        shared = Counter(map(tuple, np.sort(sides.reshape(-1, 2), -1).tolist()))
        open_sides = sum(count % 2 for (a, b), count in shared.items() if a != b)
        assert open_sides == 0, f"seed {seed}: {open_sides} sides of triangles lie open"


def test_a_cable_of_two_pixels_is_never_interrupted() -> None:
    # Looks along world y at what hangs at y = 1, world z up.
    camera = np.eye(4)
    camera[:3, :3] = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    for seed in range(10):
        rng = np.random.default_rng(seed)
        cable = hanging_cable(rng, np.array([-2.0, 1, 0.3]), np.array([2.0, 1, 0.1]))
        x, y, z = cable.corners.reshape(-1, 3).T
        focal_px = 2.0 / np.ptp(y)
        middle = z[np.abs(x) < 0.1].mean()
        matrix = np.array(
            [[focal_px, 0, WIDTH_PX / 2], [0, focal_px, HEIGHT_PX / 2 + focal_px * middle],
             [0, 0, 1]]
        )  # fmt: skip
        depth_z = rendered(cable.corners, camera, matrix)
        assert (depth_z > 0).any(0).all()
        # Two pixels of cable, three where it lies across rows.
        assert (depth_z > 0).sum(0).max() <= 4


def test_a_fence_reaches_its_frame_and_not_beyond() -> None:
    for seed in range(10):
        shape = fence(np.random.default_rng(seed))
        x, z = shape.corners[..., 0], shape.corners[..., 2]
        assert -0.06 < z.min() < 0.02
        assert 0.98 < z.max() < 1.06
        assert abs(x.min() + x.max()) < 0.02


def test_gaps_behind_things_reach_from_hands_to_streets() -> None:
    away = []
    for seed in range(24):
        scene = before_far(np.random.default_rng(seed))
        heights = scene.shape.corners[..., 2]
        # The backdrop is the tallest panel; where there is none, the sky begins.
        wall = scene.shape.corners[(np.ptp(heights, axis=1) > 10)]
        if len(wall):
            away.append(float(wall[..., 1].min()))
    assert 10 < len(away) < 22
    assert min(away) < 2.0
    assert max(away) > 30.0
