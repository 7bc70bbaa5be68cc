"""Every metric against cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from recon3d.bench.metrics import (
    align_cameras,
    camera_errors,
    confirmations,
    surface_scores,
)
from recon3d.core.camera import PinholeCamera, pixel_rays
from recon3d.core.errors import ShapeMismatchError
from recon3d.core.transform import Rigid, Similarity

CAMERA = PinholeCamera(40, 30, 50.0, 50.0, 20.0, 15.0)


def turn_z(angle_deg: float) -> np.ndarray:
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def camera_at(centre: tuple[float, float, float], rotation: np.ndarray | None = None) -> Rigid:
    rotation = np.eye(3) if rotation is None else rotation
    return Rigid(rotation, -rotation @ np.array(centre, np.float64))


def square_of_cameras() -> dict[str, Rigid]:
    corners = [(0.0, 0, 0), (2.0, 0, 0), (2.0, 2, 0), (0.0, 2, 0)]
    return {f"{i}.jpg": camera_at(c, turn_z(20 * i)) for i, c in enumerate(corners)}


def test_cameras_in_another_frame_and_scale_have_no_error() -> None:
    truth = square_of_cameras()
    world_from_truth = Similarity(7.0, turn_z(33), np.array([5.0, -2, 1]))
    moved = {name: world_from_truth.move_camera(camera) for name, camera in truth.items()}
    errors = camera_errors(moved, truth)
    # float64 through one alignment of numbers below 100
    assert errors.mean_position == pytest.approx(0, abs=1e-12)
    assert errors.mean_rotation_deg == pytest.approx(0, abs=1e-6)
    assert align_cameras(moved, truth).scale == pytest.approx(1 / 7)
    assert errors.common == 4


def test_one_camera_turned_by_four_degrees_gives_a_mean_of_one_and_a_median_of_zero() -> None:
    truth = square_of_cameras()
    centre = tuple(truth["2.jpg"].inverse().translation)
    found = {**truth, "2.jpg": camera_at(centre, turn_z(40 + 4))}
    errors = camera_errors(found, truth)
    assert errors.mean_rotation_deg == pytest.approx(1.0)
    assert errors.median_rotation_deg == pytest.approx(0.0, abs=1e-9)
    assert errors.mean_position == pytest.approx(0.0, abs=1e-12)


def test_positions_off_by_a_saddle_keep_that_error_after_alignment() -> None:
    # Corners of a square lifted alternately by +-0.1: no similarity takes any of it away, because
    # the offsets sum to zero, are orthogonal to the square's plane and to every rotation of it.
    truth = square_of_cameras()
    found = {
        name: camera_at(
            tuple(camera.inverse().translation + np.array([0, 0, 0.1 * (-1) ** i])),
            camera.rotation,
        )
        for i, (name, camera) in enumerate(truth.items())
    }
    errors = camera_errors(found, truth)
    # The least-squares scale s = 8 / 8.04 shrinks the square by 0.5 %: sqrt(0.007^2 + 0.0995^2).
    scale = 8 / 8.04
    expected = np.hypot(np.sqrt(2) * (1 - scale), 0.1 * scale)
    assert errors.mean_position == pytest.approx(expected, rel=1e-9)
    assert errors.median_position == pytest.approx(expected, rel=1e-9)


def test_photos_on_one_side_only_are_not_measured() -> None:
    truth = square_of_cameras()
    found = {**truth, "stranger.jpg": camera_at((9, 9, 9))}
    del found["0.jpg"]
    assert camera_errors(found, truth).common == 3


def test_two_common_cameras_are_too_few_to_align() -> None:
    truth = dict(list(square_of_cameras().items())[:2])
    with pytest.raises(ValueError, match="3 or more"):
        camera_errors(truth, truth)


def test_f_score_is_the_harmonic_mean_of_accuracy_and_completeness() -> None:
    scores = surface_scores(np.array([0.0, 0.5, 1.0, 3.0]), np.array([0.2, 0.9, 2.0, np.inf]), 1.0)
    assert scores.accuracy == 0.5  # 1.0 is not below 1.0
    assert scores.completeness == 0.5
    assert scores.f_score == 0.5
    lopsided = surface_scores(np.array([0.0]), np.array([0.0, 9.0, 9.0]), 1.0)
    assert lopsided.f_score == pytest.approx(2 * 1 * (1 / 3) / (1 + 1 / 3))


def test_an_empty_result_scores_zero() -> None:
    assert surface_scores(np.zeros(0), np.full(3, np.inf), 1.0).f_score == 0


def plane_depth(cam_from_world: Rigid, factor: float = 1.0) -> np.ndarray:
    """True depth of the slanted plane z = 4 + 0.3 x, seen by one camera, times factor."""
    normal, offset = np.array([-0.3, 0, 1.0]), 4.0
    world_from_cam = cam_from_world.inverse()
    slope = pixel_rays(CAMERA) @ world_from_cam.rotation.T @ normal
    return factor * (offset - normal @ world_from_cam.translation) / slope


def views_of_plane(*factors: float) -> list[tuple[np.ndarray, PinholeCamera, Rigid]]:
    poses = [camera_at((0.2 * i, 0.05 * i, 0.1 * i)) for i in range(len(factors))]
    return [(plane_depth(p, f), CAMERA, p) for p, f in zip(poses, factors, strict=True)]


def test_views_of_one_plane_confirm_each_other_wherever_they_overlap() -> None:
    reference, *others = views_of_plane(1, 1, 1)
    counts = confirmations(*reference, others)
    assert (counts[10:20, 15:25] == 2).all()
    assert counts.max() == 2


def test_a_view_that_is_two_percent_off_does_not_confirm() -> None:
    reference, *others = views_of_plane(1, 1, 1.02)
    assert (confirmations(*reference, others)[10:20, 15:25] == 1).all()
    loose = confirmations(*reference, others, max_error_px=2.0, max_depth_error=0.03)
    assert (loose[10:20, 15:25] == 2).all()


def test_unknown_pixels_are_never_confirmed_and_never_confirm() -> None:
    reference, *others = views_of_plane(1, 1)
    reference[0][12, 18] = 0
    others[0][0][:] = 0
    assert not confirmations(*reference, others).any()


def test_a_depth_map_of_another_size_than_its_camera_is_refused() -> None:
    reference, other = views_of_plane(1, 1)
    with pytest.raises(ShapeMismatchError):
        confirmations(*reference, [(other[0][:-1], *other[1:])])
