"""The sky and backdrops get no depth."""

from __future__ import annotations

import numpy as np
import pytest

from recon3d.core.camera import PinholeCamera
from recon3d.core.depth import SceneDepth
from recon3d.depth.background import background, without_background

CAMERA = PinholeCamera.centred(320, 240, 300.0)
SKY = (140, 170, 215)


def ball_before_a_sky(noise: float, fringe_px: int) -> tuple[np.ndarray, np.ndarray, SceneDepth]:
    """A ball of grain before an even sky, where it is, and its depth, carried past its outline."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:240, :320] + 0.5
    away = np.hypot(x - 160, y - 120)
    # Brighter towards the horizon, as skies are.
    rgb = np.array(SKY) + np.array([20, 15, 5]) * (y / 240)[..., None]
    ball = away < 70
    rgb[ball] = rng.uniform(30, 120, (int(ball.sum()), 3))
    rgb = np.clip(rgb + rng.normal(0, noise, rgb.shape), 0, 255).astype(np.uint8)
    depth_z = np.where(away < 70 + fringe_px, 4.0, 0.0).astype(np.float32)
    return rgb, ball, SceneDepth(depth_z, np.where(depth_z > 0, 3.0, 0.0), CAMERA, "a.jpg")


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_depth_past_an_outline_goes_and_that_of_the_thing_stays(noise: float) -> None:
    rgb, ball, depth = ball_before_a_sky(noise, 6)
    found = without_background(rgb, depth, None)
    assert not (found.depth_z[~ball] > 0).mean() > 0.001
    # Grain may have the sky's colour at the outline by chance.
    assert (found.depth_z[ball] > 0).mean() > 0.995
    np.testing.assert_array_equal(found.agreeing_views > 0, found.depth_z > 0)


@pytest.mark.parametrize("brightness", [1.0, 0.15], ids=["bright", "dark"])
def test_a_small_thing_of_nearly_the_colour_around_it_keeps_its_depth(brightness: float) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:240, :320] + 0.5
    egg = np.hypot(x - 160, y - 120) < 22
    rgb = np.full((240, 320, 3), 225.0)
    rgb[egg] += rng.normal(0, 3, (int(egg.sum()), 3))
    depth_z = np.where(egg, np.float32(2), np.float32(0))
    depth = SceneDepth(depth_z, np.where(egg, 3.0, 0.0), CAMERA, "a.jpg")
    seen = np.clip(brightness * rgb, 0, 255).astype(np.uint8)
    # An even part with it, of which its depth is less than the share that ends background.
    assert background(seen, depth, None).mean() > 0.9
    np.testing.assert_array_equal(without_background(seen, depth, None).depth_z, depth_z)


def test_a_mask_outranks_colour() -> None:
    rgb, ball, depth = ball_before_a_sky(0.0, 6)
    rgb[100:140, 80:100] = rgb[120, 40]  # on the ball's rim, as the sky
    keep = np.hypot(*(np.mgrid[:240, :320] + 0.5 - np.array([120, 160])[:, None, None])) < 76
    masked = without_background(rgb, depth, keep)
    np.testing.assert_array_equal(masked.depth_z[ball], depth.depth_z[ball])
    # A mask of passers-by leaves the sky in, which is background as before.
    people = np.ones((240, 320), bool)
    people[200:, :40] = False
    cut = without_background(rgb, depth, people)
    assert (cut.depth_z[~ball & (depth.depth_z > 0)] > 0).mean() < 0.05


def test_the_photo_may_be_larger_than_its_depth_map() -> None:
    rgb, _, depth = ball_before_a_sky(0.0, 6)
    larger = np.repeat(np.repeat(rgb, 3, axis=0), 3, axis=1)
    np.testing.assert_array_equal(background(larger, depth, None), background(rgb, depth, None))


def test_an_even_wall_with_depth_is_no_background() -> None:
    rgb, _, depth = ball_before_a_sky(0.0, 6)
    y, x = np.mgrid[:240, :320]
    some = (y % 4 == 0) & (x % 4 == 0)
    known = SceneDepth(
        np.where(some, np.float32(6), depth.depth_z), depth.agreeing_views, CAMERA, "a.jpg"
    )
    assert not background(rgb, known, None).any()
    assert without_background(rgb, known, None).depth_z.tobytes() == known.depth_z.tobytes()
