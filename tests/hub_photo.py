"""A photo for networks of the hub, and what they say of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recon3d.core.camera import PinholeCamera, backproject
from recon3d.core.depth import DepthEstimator, DepthFrame, DepthRequest, PredictedDepth
from recon3d.core.transform import Rigid
from recon3d.depth.registry import make_estimator
from recon3d.run.device import Runtime


def photo(width: int = 120, height: int = 80, *, points: int = 200) -> DepthRequest:
    """A smooth coloured picture, and points on a slanted plane before it."""
    camera = PinholeCamera(width, height, 100.0, 100.0, width / 2, height / 2)
    y, x = np.indices((height, width)) / height
    waves = [np.sin(6 * x + 2), np.cos(7 * y), np.sin(5 * (x - y))]
    rgb = (127 + 120 * np.stack(waves, axis=-1)).astype(np.uint8)
    depth_z = (3 + x + 0.5 * y).astype(np.float32)
    chosen = np.random.default_rng(0).choice(depth_z.size, points, replace=False)
    points_world = backproject(depth_z, camera).reshape(-1, 3)[chosen]
    frame = DepthFrame("photo", rgb, camera, Rigid(np.eye(3), np.zeros(3)))
    return DepthRequest(frame, (), points_world, (0.0, np.inf))


def predict(
    folder: Path | str, request: DepthRequest | None = None, **settings: object
) -> PredictedDepth:
    estimator = make_estimator(str(folder), settings, Runtime(device="cpu", workers=1))
    assert isinstance(estimator, DepthEstimator)
    (prediction,) = estimator.predict([request or photo()], lambda: None)
    return prediction
