"""Depth maps are checked against each other; what no other view confirms is cut."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from recon3d.core.camera import PinholeCamera, pixel_rays
from recon3d.core.depth import PredictedDepth, SceneDepth, confirmed_shares
from recon3d.core.errors import TooLittleDepthError
from recon3d.core.ranges import Range, check_ranges
from recon3d.core.scene import PosedPhotos, View
from recon3d.core.transform import Rigid
from recon3d.depth import files as depth_files
from recon3d.depth.background import without_background
from recon3d.depth.covisibility import rank_neighbours
from recon3d.depth.reuse import keep_depth
from recon3d.run.files import FileMapping
from recon3d.run.items import write_items
from recon3d.run.stage import Stage
from recon3d.run.task import Task

_NEIGHBOURS = 8
"""Views that each depth map is checked against."""
_SURE = 0.6
"""Confidence that stands in for one confirming view."""
_FRINGE_JUMP = 0.05
"""Matching windows carry the depth of an object over its outline, onto whatever lies behind it by
more than this share of the depth ..."""
_FRINGE_PX, _UNSURE_FRINGE_SHARE = 3, 0.012
"""... this far; where nothing matches at full resolution, such as in the sky, by this share of
the photo's longer side, because there the windows of lower resolutions decide."""
_UNSURE = 0.3
_SPECKLE_SHARE = 2e-4
"""Islands of depth smaller than this share of the photo are mismatches, not objects."""


BYTES_PER_PIXEL = 250
"""That checking one photo takes; measured, with a margin."""


@dataclass(frozen=True, kw_only=True)
class RefineConfig:
    """When a depth is believed."""

    min_views: Annotated[int, Range(least=1)] = 2
    """Other views that must confirm a pixel, one less where the estimator itself is sure.
    1 keeps more surface and more noise; with three photos or fewer, 1 is all there can be."""

    max_error_px: Annotated[float, Range(above=0)] = 1.5
    """A confirming view brings the pixel back to within this distance, in pixels."""

    max_depth_error: Annotated[float, Range(above=0, below=1)] = 0.015
    """A confirming view agrees on the depth within this share of it."""

    plain_regions: bool = True
    """Whether plain walls, on which nothing can be matched, get the plane through what is
    confirmed around them. Other views must confirm it like any depth."""

    search_passes: Annotated[int, Range(least=0, most=2)] = 2
    """Searches for slanted planes where no other view confirms a depth: the first by what the
    photos look like, a second also by what the other views say by then. 0 leaves holes there and
    takes about half the time."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        check_ranges(self, "refine")


def refine_depth(
    posed: PosedPhotos,
    predictions: Mapping[str, PredictedDepth],
    config: RefineConfig,
    folder: Path,
    task: Task,
) -> None:
    """Write a SceneDepth for every predicted view into `folder`; finished ones stay.

    A pixel is confirmed by a view whose depth map, looked up where the pixel's point falls, gives
    the same depth and leads back to the same pixel (Schoenberger et al. 2016, geometric
    consistency). Its depth becomes the mean inverse depth of all that agree. The sky and backdrops
    get none. Sensor depth is already a measurement and passes with one agreeing view.

    Raises:
        TooLittleDepthError: no view confirms any pixel of another.
        ValueError: a prediction is not in scene units; `align` brings it there.
    """
    measured = bool(posed.sensor_depth)
    refine = _Refinement(**maps_of(posed, predictions), config=config, measured=measured)
    refine.write_all(CHECK_CONSISTENCY, posed, folder, task)
    known = list(confirmed_shares(read_scene_depth(folder), posed.masks).values())
    if not any(known):
        raise TooLittleDepthError(
            "No depth was confirmed by a second photo.",
            hint="Take more photos from closer together, or lower --refine.min-views.",
        )
    if not measured and np.mean(known) < 0.15:
        task.warn(
            f"Only {np.mean(known):.0%} of the photos' pixels were confirmed by other photos; "
            "expect holes. Plain, shiny or see-through surfaces and few overlaps cause this."
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class JudgedMaps(ABC):
    """Work on the depth map of any photo that other views' maps have a part in; can be pickled."""

    views: Mapping[str, View]
    """By photo id, of those that have a map, as all that follows."""
    judges: Mapping[str, Sequence[View]]
    rgb: Mapping[str, UInt8[np.ndarray, "H W 3"]]
    masks: Mapping[str, Bool[np.ndarray, "H W"]]
    predictions: Mapping[str, PredictedDepth]
    config: RefineConfig

    def write_all(self, stage: Stage[Any], posed: PosedPhotos, folder: Path, task: Task) -> None:
        """Do it for every photo whose file is not there, nor can be taken from an earlier run."""
        paths = depth_files.depth_file_paths(folder, list(self.views))
        made_from = {photo_id: (self.judges[photo_id], None) for photo_id in paths}
        keep_depth(stage, self.config, posed, self.predictions, paths, made_from, task)
        write_items(self, paths, BYTES_PER_PIXEL * most_pixels(self.views.values()), task)

    @abstractmethod
    def __call__(self, photo_id: str, path: Path, task: Task) -> None:
        """Write one photo's file."""


def maps_of(posed: PosedPhotos, predictions: Mapping[str, PredictedDepth]) -> dict[str, Any]:
    """The fields of JudgedMaps that are the same for all work."""
    return {
        "views": {v.photo_id: v for v in posed.scene.views if v.photo_id in predictions},
        "judges": judges_of(posed, predictions),
        "rgb": posed.rgb,
        "masks": posed.masks,
        "predictions": predictions,
    }


@dataclass(frozen=True, eq=False, kw_only=True)
class _Refinement(JudgedMaps):
    """Cutting what no other view confirms."""

    measured: bool

    def __call__(self, photo_id: str, path: Path, task: Task) -> None:
        prediction = self.predictions[photo_id]
        if prediction.kind != "scene":
            raise ValueError(f"kind of {photo_id}: got {prediction.kind}, expected scene")
        if self.measured:
            refined = SceneDepth(
                prediction.values, prediction.confidence, prediction.camera, photo_id
            )
        else:
            view, judges = self.views[photo_id], self.judges[photo_id]
            refined = confirm(view, prediction, judges, self.predictions, self.config, task)
            mask = self.masks.get(photo_id)
            refined = without_background(self.rgb[photo_id], refined, mask)
        depth_files.write_scene_depth(path, refined)


def read_scene_depth(folder: Path) -> Mapping[str, SceneDepth]:
    """Read what `refine_depth` wrote, one file when asked."""
    return FileMapping(depth_files.depth_file_paths(folder), depth_files.read_scene_depth)


def judges_of(
    posed: PosedPhotos, predictions: Mapping[str, PredictedDepth]
) -> dict[str, list[View]]:
    """By photo id: the views with depth that a view's depth map is checked against, best first."""
    views = posed.scene.views
    return {
        views[index].photo_id: [
            views[other] for other in others if views[other].photo_id in predictions
        ]
        for index, others in enumerate(rank_neighbours(posed.scene, _NEIGHBOURS))
    }


def most_pixels(views: Iterable[View]) -> int:
    """Of any of the views, in its photo."""
    return max(view.camera.width_px * view.camera.height_px for view in views)


def confirm(
    view: View,
    prediction: PredictedDepth,
    judges: Sequence[View],
    predictions: Mapping[str, PredictedDepth],
    config: RefineConfig,
    task: Task,
) -> SceneDepth:
    """What of a view's depth map other views' maps confirm."""
    camera, depth_z = prediction.camera, prediction.values
    rays = pixel_rays(camera).astype(np.float32)
    agreeing = np.zeros(depth_z.shape, np.uint8)
    inverse_sum = np.divide(1.0, depth_z, out=np.zeros_like(depth_z), where=depth_z > 0)
    for judge in judges:
        task.check()
        judge_from_view = judge.cam_from_world @ view.cam_from_world.inverse()
        theirs = predictions[judge.photo_id]
        back_z = _seen_by(depth_z, rays, camera, theirs, judge_from_view, config)
        agrees = back_z > 0
        agreeing += agrees
        inverse_sum += np.divide(1.0, back_z, out=np.zeros_like(back_z), where=agrees)
    needed = config.min_views if len(judges) > 2 else min(config.min_views, 1)
    sure = prediction.confidence >= _SURE
    kept = (agreeing + sure >= needed) & (agreeing > 0) & (depth_z > 0) & ~_fringe(prediction)
    mean_z = np.divide(1.0 + agreeing, inverse_sum, out=np.zeros_like(depth_z), where=kept)
    mean_z = _without_specks(mean_z, round(mean_z.size * _SPECKLE_SHARE))
    agreeing_views = np.where(mean_z > 0, 1.0 + agreeing, 0.0).astype(np.float32)
    return SceneDepth(mean_z, agreeing_views, camera, view.photo_id)


def _seen_by(
    depth_z: Float[np.ndarray, "h w"],
    rays: Float[np.ndarray, "h w 3"],
    camera: PinholeCamera,
    theirs: PredictedDepth,
    other_from_view: Rigid,
    config: RefineConfig,
) -> Float[np.ndarray, "h w"]:
    """Depth in the view that another view gives for each pixel; 0 where it does not agree."""
    import cv2

    matrix = (theirs.camera.matrix @ other_from_view.rotation).astype(np.float32)
    shift = (theirs.camera.matrix @ other_from_view.translation).astype(np.float32)
    other_z = (rays @ matrix[2]) * depth_z + shift[2]
    ahead = other_z > 0
    inverse_z = np.divide(1.0, other_z, out=np.zeros_like(other_z), where=ahead)
    # OpenCV's first pixel centre is (0, 0).
    u = ((rays @ matrix[0]) * depth_z + shift[0]) * inverse_z - 0.5
    v = ((rays @ matrix[1]) * depth_z + shift[1]) * inverse_z - 0.5
    found_z = cv2.remap(theirs.values, u, v, cv2.INTER_LINEAR, borderValue=0)
    ratio = found_z * inverse_z
    # Along the other camera's ray a point moves away from that camera's centre by the ratio.
    centre = other_from_view.inverse().translation.astype(np.float32)
    back_z = centre[2] + ratio * (depth_z - centre[2])
    inverse_back = np.divide(1.0, back_z, out=np.zeros_like(back_z), where=back_z > 0)
    error_x = (centre[0] + ratio * (rays[..., 0] * depth_z - centre[0])) * inverse_back
    error_y = (centre[1] + ratio * (rays[..., 1] * depth_z - centre[1])) * inverse_back
    error_px = np.hypot(
        (error_x - rays[..., 0]) * camera.fx_px, (error_y - rays[..., 1]) * camera.fy_px
    )
    agrees = (
        ahead
        & (depth_z > 0)
        & (back_z > 0)
        & (np.abs(ratio - 1) < config.max_depth_error)
        & (error_px < config.max_error_px)
    )
    return np.where(agrees, back_z, 0).astype(np.float32)


def _fringe(prediction: PredictedDepth) -> Bool[np.ndarray, "h w"]:
    """Pixels close to something much farther away, more so where the estimator is unsure."""
    import cv2

    def farthest_within(radius_px: int) -> Float[np.ndarray, "h w"]:
        kernel = np.ones((2 * radius_px + 1,) * 2, np.uint8)
        return np.asarray(cv2.dilate(prediction.values, kernel))

    limit = (1 + _FRINGE_JUMP) * prediction.values
    unsure_px = max(_FRINGE_PX, round(_UNSURE_FRINGE_SHARE * max(prediction.values.shape)))
    unsure = prediction.confidence < _UNSURE
    return (farthest_within(_FRINGE_PX) > limit) | (unsure & (farthest_within(unsure_px) > limit))


def _without_specks(depth_z: Float[np.ndarray, "h w"], pixels: int) -> Float[np.ndarray, "h w"]:
    """Cut islands of fewer pixels; neighbours of one island differ by less than 2 % in depth."""
    import cv2

    if not (depth_z > 0).any():
        return depth_z
    # 1 % steps of log depth; cv2.filterSpeckles wants int16.
    steps = np.zeros(depth_z.shape, np.float32)
    known = depth_z > 0
    steps[known] = 100 * np.log(depth_z[known] / np.median(depth_z[known]))
    levels = np.where(known, np.clip(steps, -16000, 16000), -32000).astype(np.int16)
    cv2.filterSpeckles(levels, -32000, pixels, 2)
    return np.where(levels == -32000, 0, depth_z).astype(np.float32)


CHECK_CONSISTENCY = Stage(
    name="refine",
    result="depth",
    version=4,
    run=refine_depth,
    read=read_scene_depth,
    libraries=("numpy", "opencv", "scipy"),
)
