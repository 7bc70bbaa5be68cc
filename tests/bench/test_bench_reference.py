"""Meshes against what stands for the truth: a sensor's own surface, and another program's."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from recon3d.bench.reference import DepthSight, fuse_sensor, observed, within_reach
from recon3d.bench.surface import Reference, surface_errors
from recon3d.core.camera import PinholeCamera
from recon3d.core.scene import View
from recon3d.core.surface import Mesh
from recon3d.core.transform import Rigid

CAMERA = PinholeCamera(200, 200, 200.0, 200.0, 100.0, 100.0)
VIEWS = [View(str(x), CAMERA, Rigid(np.eye(3), np.array([-x, 0.0, 0.0]))) for x in (-0.1, 0.1)]
DEPTH = 1.2


def plate(z: float, half: float) -> Mesh:
    corners = np.array([[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]])
    return Mesh(corners.astype(np.float32), np.array([[0, 2, 1], [0, 3, 2]], np.int32))


def both(a: Mesh, b: Mesh) -> Mesh:
    vertices = np.concatenate([a.vertices, b.vertices])
    return Mesh(vertices, np.concatenate([a.faces, b.faces + len(a.vertices)]).astype(np.int32))


def wall_maps() -> list[DepthSight]:
    """A wall at DEPTH; the sensor is blind in the left tenth of each picture."""
    depth_z = np.full((200, 200), DEPTH)
    depth_z[:, :20] = 0
    return [DepthSight(depth_z, view) for view in VIEWS]


def test_the_sensors_surface_lies_where_its_maps_say() -> None:
    wall = fuse_sensor(wall_maps())
    # 1.2 m over 200 px of 200 px focal: 6 mm a pixel; a flat wall is met to float32 and its uint
    # weights, far within half a voxel.
    assert wall.vertices[:, 2] == pytest.approx(DEPTH, abs=0.002)
    assert np.ptp(wall.vertices[:, 1]) == pytest.approx(1.2, abs=0.05)


def test_places_that_no_map_looked_at_are_unknown() -> None:
    points = np.array([
        [0, 0, 0.6],  # before the wall
        [0, 0, DEPTH + 0.09],  # just behind it
        [0, 0, DEPTH + 0.2],  # far behind it
        [0, 0, -1.0],  # behind the cameras
        [5, 0, DEPTH],  # outside the pictures
        [-0.69, 0, DEPTH],  # where one map is blind and the other sees nothing
    ])  # fmt: skip
    assert observed(points, wall_maps(), 0.1).tolist() == [True, True, False, False, False, False]


def test_surface_in_unseen_places_costs_no_precision_but_surface_in_the_air_does() -> None:
    maps = wall_maps()
    judged = partial(observed, maps=maps, behind=0.1)
    reference = Reference(fuse_sensor(maps), VIEWS, "a sensor", (0.02, 0.05), judged)
    wall = plate(DEPTH, 0.5)
    behind = surface_errors(both(wall, plate(2.0, 0.5)), reference)
    assert [score.accuracy for score in behind.scores] == pytest.approx([1, 1], abs=0.001)
    # A second plate of the same size in the air before the wall: half of the result is wrong.
    floating = surface_errors(both(wall, plate(DEPTH - 0.2, 0.4)), reference)
    assert floating.scores[1].accuracy == pytest.approx(1 / (1 + 0.8**2), abs=0.01)
    assert [floating.label(score.threshold) for score in floating.scores] == ["2 cm", "5 cm"]


def test_only_surface_within_reach_of_a_camera_takes_part() -> None:
    near, far = plate(4.0, 1.0), plate(40.0, 100.0)
    reach = partial(within_reach, views=VIEWS, reach=14.0)
    peer = Reference(near, VIEWS, "a peer", (0.01,), reach, reach)
    assert surface_errors(both(near, far), peer).scores[0].f_score == pytest.approx(1, abs=0.001)
    everything = Reference(near, VIEWS, "a peer", (0.01,))
    assert surface_errors(both(near, far), everything).scores[0].accuracy < 0.01


def test_an_empty_result_is_neither_right_nor_complete() -> None:
    empty = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    errors = surface_errors(empty, Reference(plate(4.0, 1.0), VIEWS, "a peer", (0.01,)))
    assert (errors.scores[0].accuracy, errors.scores[0].completeness) == (0, 0)
