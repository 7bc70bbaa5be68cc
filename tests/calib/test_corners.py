"""Corners to a fraction of a pixel."""

from __future__ import annotations

import numpy as np
import pytest
from recon3d_calib.seen import sharpened


@pytest.mark.parametrize(("blur_px", "noise"), [(0.8, 3), (2.5, 8)])
def test_noise_does_not_hold_corners_to_where_the_search_put_them(
    blur_px: float, noise: float
) -> None:
    # Without a blur of the window the second case misses by 0.17 px.
    rng = np.random.default_rng(0)
    misses = []
    for _ in range(20):
        corner = np.array([60, 60]) + rng.uniform(-0.5, 0.5, 2)
        grey = np.clip(_saddle(corner, blur_px) + rng.normal(0, noise, (120, 120)), 0, 255)
        begun = (corner + rng.uniform(-1.5, 1.5, 2))[None]
        misses.append(sharpened(grey.astype(np.uint8), begun, 60)[0] - corner)
    assert np.sqrt((np.square(misses).sum(axis=1)).mean()) < 0.12


def test_corners_beside_the_border_are_found_where_they_are() -> None:
    corner = np.array([9.3, 111.6])
    grey = _saddle(corner, 0.8).astype(np.uint8)
    np.testing.assert_allclose(sharpened(grey, corner[None] + 0.7, 60)[0], corner, atol=0.05)


def _saddle(corner: np.ndarray, blur_px: float) -> np.ndarray:
    """120x120 pixels around the corner of four squares, soft as a lens makes it."""
    from scipy.special import erf

    x, y = (erf((np.arange(120) - place) / (np.sqrt(2) * blur_px)) for place in corner)
    return np.asarray(120 - 80 * y[:, None] * x[None])
