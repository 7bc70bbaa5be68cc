"""Gains that make photos agree."""

from __future__ import annotations

import numpy as np

from recon3d.core.exposure import solve_gains


def test_gains_of_a_chain_of_photos_are_found_despite_outliers() -> None:
    rng = np.random.default_rng(1)
    true = np.exp(rng.uniform(-0.2, 0.2, (6, 3)))
    view = np.full((6000, 3), -1)
    view[:, 0] = np.arange(6000) % 5
    view[:, 1] = view[:, 0] + 1
    colour = rng.uniform(60, 160, (6000, 1, 3))
    seen = np.rint(colour / true[view] + rng.normal(0, 2, (6000, 3, 3)))
    rgb = np.where(view[..., None] >= 0, seen, 0).astype(np.uint8)
    rgb[::7, 0] = 200
    gains = solve_gains(view, rgb, 6)
    ratio = gains / true
    assert np.std(ratio / ratio.mean(0), axis=0).max() < 0.05
