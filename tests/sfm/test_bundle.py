"""Least squares over a lens, photos and points: what is free is found, what is known stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recon3d.core.lens import LENSES, project
from recon3d.core.transform import rotations_from_axis_angle
from recon3d.run.task import CancelToken, Task, silent
from recon3d.sfm.bundle import Bundle, Prior, Tracks, adjust_bundle, bundle_covariance

LENS = LENSES["radial1"]
VALUES = np.array([800.0, 800, 500, 400, -0.04])
OPEN = Prior(np.zeros(5), np.full(5, np.inf))
FOCAL = np.array([[1.0], [1], [0], [0], [0]])
NOTHING = np.zeros((5, 0))


def truth(photos: int = 5, points: int = 60) -> tuple[Bundle, Tracks]:
    """Photos in a row before a heap of points, all of which they all see exactly."""
    rng = np.random.default_rng(0)
    turns = rotations_from_axis_angle(rng.normal(0, 0.05, (photos, 3)))
    shifts = np.column_stack([np.linspace(-2, 2, photos), rng.normal(0, 0.3, (photos, 2))])
    spots = rng.normal(0, 1, (points, 3)) + np.array([0.0, 0.0, 8.0])
    bundle = Bundle(LENS, VALUES, turns, shifts, spots).in_first_photo()
    photo, point = np.divmod(np.arange(photos * points), points)
    tracks = Tracks(photo, point, np.zeros((photos * points, 2)))
    shown = project(LENS, VALUES, bundle.points_cam(tracks))
    return bundle, replace(tracks, points_px=shown)


def shaken(bundle: Bundle) -> Bundle:
    rng = np.random.default_rng(1)
    moved = rng.normal(0, 0.01, bundle.translations.shape)
    moved[0] = 0
    return replace(
        bundle,
        translations=bundle.translations + moved,
        points_world=bundle.points_world + rng.normal(0, 0.02, bundle.points_world.shape),
    )


def task() -> Task:
    return Task("pose", silent, CancelToken())


def test_a_known_lens_stays_to_the_last_digit_and_the_rest_is_found() -> None:
    bundle, tracks = truth()
    found = adjust_bundle(shaken(bundle), tracks, NOTHING, OPEN, task())
    assert (found.values == VALUES).all()
    assert np.abs(found.residuals_px(tracks)).max() < 1e-3


def test_a_focal_length_comes_back_and_its_error_bar_grows_with_the_noise() -> None:
    bundle, tracks = truth()
    off = replace(shaken(bundle), values=VALUES * [1.01, 1.01, 1, 1, 1])
    found = adjust_bundle(off, tracks, FOCAL, OPEN, task())
    assert found.values == pytest.approx(VALUES, abs=0.01)
    bars = []
    for noise_px in (0.2, 0.6):
        noise = np.random.default_rng(2).normal(0, noise_px, tracks.points_px.shape)
        noisy = replace(tracks, points_px=tracks.points_px + noise)
        found = adjust_bundle(bundle, noisy, FOCAL, OPEN, task())
        bars.append(np.sqrt(bundle_covariance(found, noisy, FOCAL, OPEN)[0, 0]))
        assert abs(found.values[0] - 800) < 3 * bars[-1]
    assert bars[1] == pytest.approx(3 * bars[0], rel=0.2)


def test_the_order_of_observations_changes_nothing_that_matters() -> None:
    bundle, tracks = truth()
    order = np.random.default_rng(3).permutation(len(tracks.photo))
    mixed = Tracks(tracks.photo[order], tracks.point[order], tracks.points_px[order])
    one = adjust_bundle(shaken(bundle), tracks, FOCAL, OPEN, task())
    two = adjust_bundle(shaken(bundle), mixed, FOCAL, OPEN, task())
    assert one.values == pytest.approx(two.values, abs=1e-6)
