"""Depth maps get planes where photos are plain, once other views have confirmed what is around."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from recon3d.core.depth import PredictedDepth, SceneDepth
from recon3d.core.scene import PosedPhotos
from recon3d.depth.consistency import (
    BYTES_PER_PIXEL,
    RefineConfig,
    confirm,
    judges_of,
    most_pixels,
)
from recon3d.depth.estimate import read_predictions
from recon3d.depth.files import depth_file_paths, write_prediction
from recon3d.depth.per_view import write_per_view
from recon3d.depth.region_planes import fit_plane, plain_regions
from recon3d.run.stage import Stage
from recon3d.run.task import Task

_OWN = 0.03
"""Confirmed depth stays unless it is farther behind the plane than this share: relief is more
than a plane, but a mirror image is no hole in a wall."""


def is_needed(posed: PosedPhotos, config: RefineConfig) -> bool:
    """Whether there is anything to complete; what a depth camera has not seen stays unknown."""
    return config.plain_regions and not posed.sensor_depth


def complete_plain_regions(
    posed: PosedPhotos,
    predictions: Mapping[str, PredictedDepth],
    config: RefineConfig,
    folder: Path,
    task: Task,
) -> None:
    """Write every prediction into `folder`, with planes in its plain regions; finished ones stay.

    predictions: in scene units.
    """
    views = {view.photo_id: view for view in posed.scene.views if view.photo_id in predictions}
    judges = judges_of(posed, predictions)

    def complete_one(photo_id: str, path: Path) -> None:
        prediction, view = predictions[photo_id], views[photo_id]
        confirmed = confirm(view, prediction, judges[photo_id], predictions, config, task)
        rgb, mask = posed.rgb[photo_id], posed.masks.get(photo_id)
        write_prediction(path, with_planes(prediction, confirmed, rgb, mask, task))

    pixels = most_pixels(views.values())
    paths = depth_file_paths(folder, list(views))
    write_per_view(paths, complete_one, BYTES_PER_PIXEL * pixels, task)


def with_planes(
    prediction: PredictedDepth,
    confirmed: SceneDepth,
    rgb: UInt8[np.ndarray, "H W 3"],
    mask: Bool[np.ndarray, "H W"] | None,
    task: Task,
) -> PredictedDepth:
    """The prediction with planes in the plain regions of its photo, as sure as their support.

    Confirmed depth stays, but what would be seen through a wall.
    """
    import cv2

    size = (prediction.camera.width_px, prediction.camera.height_px)
    values, confidence = prediction.values.copy(), prediction.confidence.copy()
    for region in plain_regions(np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))):
        task.check()
        plane = fit_plane(region, confirmed.depth_z)
        if plane is None:
            continue
        known = confirmed.depth_z > 0
        free = ~known | (confirmed.depth_z > (1 + _OWN) * plane.depth_z)
        placed = free & (plane.depth_z > 0)
        values[placed], confidence[placed] = plane.depth_z[placed], plane.support
    if mask is not None:
        inside = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        values, confidence = values * inside, confidence * inside
    return replace(prediction, values=values, confidence=confidence)


COMPLETE_PLAIN_REGIONS = Stage(
    name="planes",
    result="aligned",
    version=1,
    run=complete_plain_regions,
    read=read_predictions,
    libraries=("numpy", "opencv", "scipy"),
)
