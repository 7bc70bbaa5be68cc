"""Depth maps get planes where photos are plain, once other views have confirmed what is around."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8

from recon3d.core.camera import PinholeCamera, in_picture, pixel_rays, project
from recon3d.core.depth import PredictedDepth, SceneDepth
from recon3d.core.scene import PosedPhotos, View
from recon3d.depth.consistency import (
    JudgedMaps,
    RefineConfig,
    confirm,
    maps_of,
)
from recon3d.depth.contrast import visible
from recon3d.depth.estimate import read_predictions
from recon3d.depth.files import write_prediction
from recon3d.depth.region_planes import fit_planes, plain_regions
from recon3d.run.stage import Stage
from recon3d.run.task import Task

_OWN = 0.03
"""Confirmed depth stays unless it is farther behind the plane than this share: relief is more
than a plane, but a mirror image is no hole in a wall."""

_SURE = 0.5
"""Confidence from which on another view may refute a plane."""
_LOOKS = 1500
"""About as many pixels of a plane as are looked up in other views."""
_TOLERANCE_PX = 6.0
"""A point is on a plane when that moves it by no more in a typical other view. Without, bodies
seen from afar, whose whole relief is a small share of the depth, would be planes."""


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
    complete = _Completion(**maps_of(posed, predictions), config=config)
    complete.write_all(COMPLETE_PLAIN_REGIONS, posed, folder, task)


class _Completion(JudgedMaps):
    """Putting planes into plain regions."""

    def __call__(self, photo_id: str, path: Path, task: Task) -> None:
        prediction, view = self.predictions[photo_id], self.views[photo_id]
        others = self.judges[photo_id]
        confirmed = confirm(view, prediction, others, self.predictions, self.config, task)
        rgb, mask = visible(self.rgb[photo_id]), self.masks.get(photo_id)
        seen = [(other, self.predictions[other.photo_id]) for other in others]
        write_prediction(path, with_planes(view, prediction, confirmed, rgb, mask, seen, task))


def with_planes(
    view: View,
    prediction: PredictedDepth,
    confirmed: SceneDepth,
    rgb: UInt8[np.ndarray, "H W 3"],
    mask: Bool[np.ndarray, "H W"] | None,
    others: Sequence[tuple[View, PredictedDepth]],
    task: Task,
) -> PredictedDepth:
    """The prediction with planes in the plain regions of its photo, as sure as their support.

    Confirmed depth stays, but what would be seen through a wall. Planes that the others see
    through are none.
    """
    import cv2

    camera = prediction.camera
    size = (camera.width_px, camera.height_px)
    values, confidence = prediction.values.copy(), prediction.confidence.copy()
    tolerance = _TOLERANCE_PX / _parallax_px(view, camera, [other for other, _ in others])
    for region in plain_regions(np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))):
        task.check()
        planes = fit_planes(region, confirmed.depth_z, tolerance)
        solid = (p for p in planes if not _is_seen_through(p.depth_z, view, camera, others))
        plane = next(solid, None)
        if plane is None:
            continue
        unknown = confirmed.depth_z == 0
        free = unknown | (confirmed.depth_z > (1 + _OWN) * plane.depth_z)
        placed = free & (plane.depth_z > 0)
        values[placed], confidence[placed] = plane.depth_z[placed], plane.support
    if mask is not None:
        inside = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        values, confidence = values * inside, confidence * inside
    return replace(prediction, values=values, confidence=confidence)


def _is_seen_through(
    depth_z: Float[np.ndarray, "h w"],
    view: View,
    camera: PinholeCamera,
    others: Sequence[tuple[View, PredictedDepth]],
) -> bool:
    """Whether other views, where they are sure, see more behind a surface than on it.

    So it is with a plane through the outlines of things that stand before a wall: from the side,
    the wall's own edges appear behind it.
    """
    rows, columns = np.nonzero(depth_z)
    chosen = slice(None, None, max(1, len(rows) // _LOOKS))
    rows, columns = rows[chosen], columns[chosen]
    rays = pixel_rays(camera)[rows, columns]
    points_world = view.cam_from_world.inverse() @ (rays * depth_z[rows, columns, None])
    behind = on = 0
    for other, theirs in others:
        uv_px, expected = project(other.cam_from_world @ points_world, theirs.camera)
        inside = in_picture(uv_px, theirs.camera)
        u, v = uv_px[inside].astype(int).T
        ratio = theirs.values[v, u] / expected[inside]
        sure = theirs.confidence[v, u] >= _SURE
        behind += int((sure & (ratio > 1 + _OWN)).sum())
        on += int((sure & (np.abs(ratio - 1) < _OWN)).sum())
    return behind > on


def _parallax_px(view: View, camera: PinholeCamera, others: Sequence[View]) -> float:
    """How far a point moves in a typical other view per unit of inverse depth."""
    apart = [np.linalg.norm(other.centre_world - view.centre_world) for other in others]
    return max(camera.fx_px * float(np.median(apart)), 1e-9) if apart else 1e-9


COMPLETE_PLAIN_REGIONS = Stage(
    name="planes",
    result="aligned",
    version=1,
    run=complete_plain_regions,
    read=read_predictions,
    libraries=("numpy", "opencv", "scipy"),
)
