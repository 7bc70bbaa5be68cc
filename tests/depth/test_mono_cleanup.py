"""Flying pixels go, surfaces stay."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from recon3d.core.camera import PinholeCamera, pixel_rays
from recon3d.depth.cleanup import smoothed, without_flying_pixels, without_specks

CAMERA = PinholeCamera(80, 60, 70.0, 70.0, 40.0, 30.0)


def step_with_ramp(near: float = 2.0, far: float = 4.0) -> np.ndarray:
    """A near square before a far wall, the edge blurred over about six pixels."""
    depth = np.full((60, 80), far, np.float32)
    depth[15:45, 25:55] = near
    return cv2.GaussianBlur(depth, (9, 9), 1.5)


def test_the_ramp_between_object_and_wall_is_cut_and_both_stay() -> None:
    depth = step_with_ramp()
    clean = without_flying_pixels(depth, CAMERA)
    ramp = (depth > 2.5) & (depth < 3.5)
    assert ramp.sum() > 100
    assert (clean[ramp] == 0).mean() > 0.98
    plateau = (np.abs(depth - 2) < 0.02) | (np.abs(depth - 4) < 0.02)
    assert (clean[plateau] == depth[plateau]).all()


def test_a_floor_up_to_its_horizon_is_a_surface_not_an_edge() -> None:
    down = pixel_rays(CAMERA)[..., 1]
    floor = np.where(down > 0.01, 1.5 / np.maximum(down, 0.01), 0).astype(np.float32)
    slope = np.abs(np.diff(np.log(np.maximum(floor, 1e-3)), axis=0))[32:]
    assert slope.max() > np.tan(np.radians(84)) / 70  # so steep that slope alone would cut it
    np.testing.assert_array_equal(without_flying_pixels(floor, CAMERA), floor)


def test_pixels_beside_holes_are_no_edges() -> None:
    depth = np.full((60, 80), 3.0, np.float32)
    depth[20:30, 20:30] = 0
    np.testing.assert_array_equal(without_flying_pixels(depth, CAMERA), depth)


def test_specks_take_the_median_around_them() -> None:
    depth = np.full((60, 80), 3.0, np.float32)
    depth[30, 40], depth[10, 10] = 9.0, 0.0
    clean = without_specks(depth)
    assert clean[30, 40] == 3.0
    assert clean[10, 10] == 0.0


def test_noise_shrinks_while_a_step_stays() -> None:
    rng = np.random.default_rng(0)
    truth = np.where(np.arange(80) < 40, 2.0, 3.0) * np.ones((60, 1))
    noisy = (truth * np.exp(rng.normal(0, 0.01, truth.shape))).astype(np.float32)
    error_before, error_after = (np.std(np.log(z / truth)) for z in (noisy, smoothed(noisy)))
    # Around 30 neighbours within the tolerance: their mean has under a third of the noise.
    assert error_after < error_before / 3
    assert smoothed(noisy)[:, 39].max() == pytest.approx(2.0, rel=0.02)
    assert smoothed(noisy)[:, 40].min() == pytest.approx(3.0, rel=0.02)


def test_a_map_without_any_depth_stays_empty() -> None:
    empty = np.zeros((60, 80), np.float32)
    for cleaned in (without_flying_pixels(empty, CAMERA), without_specks(empty), smoothed(empty)):
        assert not cleaned.any()
