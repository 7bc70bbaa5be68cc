"""Who is compared with whom where no sparse point says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import plane_scene
import pytest
import torch

from recon3d.core.camera import PinholeCamera
from recon3d.core.scene import PosedPhotos, PosedScene, SparsePoints, View
from recon3d.core.transform import Rigid
from recon3d.depth.contrast import visible
from recon3d.depth.covisibility import depth_range, overlap_range, rank_neighbours
from recon3d.depth.estimate import depth_requests

RADIUS = 0.2
CAMERA = PinholeCamera(128, 102, 332.0, 332.0, 64.0, 51.0)


def ring(count: int = 12) -> PosedScene:
    """Cameras around an object, all looking at it; no points."""
    views = []
    for number in range(count):
        angle = 2 * np.pi * number / count
        c, s = np.cos(angle), np.sin(angle)
        turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        views.append(View(f"{number}.png", CAMERA, Rigid(turn, np.array([0.0, 0.0, RADIUS]))))
    return PosedScene(tuple(views), SparsePoints.empty(), "metre")


def test_around_an_object_the_cameras_beside_come_first() -> None:
    for index, others in enumerate(rank_neighbours(ring(), 4)):
        steps = [min((index - other) % 12, (other - index) % 12) for other in others]
        assert steps == [1, 1, 2, 2]


def test_the_depth_range_holds_the_object_that_the_cameras_circle() -> None:
    scene = ring()
    neighbours = rank_neighbours(scene, 4)[0]
    assert depth_range(scene, 0, neighbours) is None
    span = overlap_range(scene, 0, neighbours)
    assert span is not None
    # Frusta of 22 degrees that meet under 30 overlap up to some 0.08 before and 0.3 behind.
    assert 0.05 < span[0] < RADIUS - 0.03
    assert RADIUS + 0.03 < span[1] < 0.7


def test_cameras_that_look_away_or_only_turn_are_no_neighbours() -> None:
    there = View("there.png", CAMERA, Rigid(np.eye(3), np.zeros(3)))
    turned = replace(there, photo_id="turned.png")
    back = np.diag([-1.0, 1.0, -1.0])
    behind = View("behind.png", CAMERA, Rigid(back, np.array([0.0, 0.0, -0.1])))
    scene = PosedScene((there, turned, behind), SparsePoints.empty(), "scene")
    assert rank_neighbours(scene, 3) == [[], [], []]
    assert overlap_range(scene, 0, [1, 2]) is None


def test_views_with_points_are_ranked_by_them_alone() -> None:
    scene = ring()
    xyz = np.random.default_rng(0).uniform(-0.01, 0.01, (3000, 3))
    seen = np.array([(point, view) for point in range(3000) for view in (0, 2)])
    points = SparsePoints(xyz, np.zeros((3000, 3), np.uint8), np.zeros(3000), seen)
    ranked = rank_neighbours(replace(scene, points=points), 2)
    assert ranked[0] == [2]
    assert sorted(ranked[1]) == [0, 2]


def without_points(dark: float = 1.0) -> PosedPhotos:
    """Photos of the slanted plane with poses only."""
    centres = ((0.0, 0.0, 0.0), (0.4, 0.0, 0.0), (-0.4, 0.0, 0.0), (0.0, 0.35, 0.0))
    frames = [plane_scene.frame(f"{n}.jpg", centre) for n, centre in enumerate(centres)]
    views = tuple(View(f.view_id, f.camera, f.cam_from_world) for f in frames)
    rgb = {f.view_id: (f.rgb * dark).astype(np.uint8) for f in frames}
    return PosedPhotos(PosedScene(views, SparsePoints.empty(), "scene"), rgb, {}, {}, ())


@pytest.mark.parametrize("dark", [1.0, 0.2])
def test_without_points_the_photos_themselves_tell_the_depth_range(dark: float) -> None:
    torch.manual_seed(0)
    posed = without_points(dark)
    view = posed.scene.views[0]
    truth = plane_scene.depth_of_plane(view.camera, view.cam_from_world)
    request = next(iter(depth_requests(posed, 160, 3)))
    near, far = request.depth_range
    assert 0.5 * truth.min() < near < truth.min()
    assert truth.max() < far < 2.5 * truth.max()


def test_dark_photos_are_brightened_and_others_left_alone() -> None:
    photo = plane_scene.frame("a.jpg", (0, 0, 0)).rgb
    assert visible(photo) is photo
    dark = (photo * 0.2).astype(np.uint8)
    bright = visible(dark)
    assert 200 < np.percentile(bright, 95) < 240
    # Gain only: a fifth holds fifty greys, so that each is right to within five.
    ratio = np.percentile(bright, 95) / np.percentile(photo, 95)
    assert np.abs(bright - ratio * photo)[bright < 250].max() < 8
    black = np.zeros_like(photo)
    assert visible(black) is black


def test_views_of_one_panorama_are_no_neighbours_of_each_other() -> None:
    scene = ring()
    ids = [view.photo_id for view in scene.views]
    every = rank_neighbours(scene, 11)
    assert 1 in every[0]
    together = replace(scene, one_place={ids[0]: "a", ids[1]: "a"})
    apart = rank_neighbours(together, 11)
    assert 1 not in apart[0]
    assert 0 not in apart[1]
    assert apart[0] == [index for index in every[0] if index != 1]
