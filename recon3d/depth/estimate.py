"""Every placed photo gets a dense depth map from an estimator."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np

from recon3d.core.depth import DepthEstimator, DepthFrame, DepthRequest, PredictedDepth
from recon3d.core.errors import TooLittleDepthError
from recon3d.core.ranges import Range, check_ranges
from recon3d.core.scene import PosedPhotos, View
from recon3d.depth.anchors import point_sigmas
from recon3d.depth.contrast import visible
from recon3d.depth.covisibility import depth_range, overlap_range, rank_neighbours
from recon3d.depth.files import (
    depth_file_paths,
    in_one_sentence,
    read_prediction,
    read_warnings,
    write_prediction,
    write_warnings,
)
from recon3d.depth.hub.catalog import best_on_this_computer
from recon3d.depth.reuse import keep_depth
from recon3d.run.files import FileMapping
from recon3d.run.items import run_items
from recon3d.run.stage import Stage
from recon3d.run.task import Task

_BYTES_PER_PIXEL = 1000
"""That predicting the depth of one photo takes on a machine of a cluster, as planesweep does."""


@dataclass(frozen=True, kw_only=True)
class DepthConfig:
    """How dense depth is predicted."""

    model: str = "auto"
    """Name of a depth estimator, a depth network on the hub (owner/name), or a folder with one;
    `recon3d models` lists them. A+B fills what A is not sure of from B. auto: the depth camera's
    own maps where there are some, resnet for a single photo, else planesweep. best: the best
    network from the hub that is on this computer, where planesweep is not sure."""

    resolution_px: Annotated[int, Range(least=64)] = 1600
    """Longest side of the depth maps in pixels. Halving it is about four times faster and
    loses fine detail."""

    source_views: Annotated[int, Range(least=1)] = 5
    """Other photos that each one is compared with. More help where things hide each other."""

    planes: Annotated[int, Range(least=8)] = 128
    """At most this many depths are tried per pixel in planesweep's first pass."""

    flip: bool = True
    """Whether networks from the hub look at each photo's mirror image too. Twice the time, steadier
    depth, and known doubt."""

    tiles: Annotated[int, Range(least=1, most=8)] = 1
    """Pieces that each side of the photo is cut into for networks from the hub. 2 shows them twice
    the detail in five times the time; 1 shows them the whole photo only."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        check_ranges(self, "depth")


def choose_model(config: DepthConfig, *, measured: bool, one_photo: bool) -> str:
    """The estimator's name, with "auto" and "best" decided.

    measured: A depth camera's maps are given.

    Raises:
        EstimatorError: "best", and no network is on this computer.
    """
    if config.model not in ("auto", "best"):
        return config.model
    if measured:
        return "sensor"
    if config.model == "auto":
        return "resnet" if one_photo else "planesweep"
    found = best_on_this_computer()
    return found if one_photo else f"planesweep+{found}"


def estimate_depth(
    posed: PosedPhotos, estimator: DepthEstimator, config: DepthConfig, folder: Path, task: Task
) -> None:
    """Predict a depth map for every view into `folder`, one file each; finished ones stay.

    Raises:
        TooLittleDepthError: no view shares enough with others to be compared.
    """
    views = posed.scene.views
    wanted = min(config.source_views, estimator.source_views)
    plans = _plans(posed, wanted)
    if not plans:
        raise TooLittleDepthError(
            "No two photos see enough of the same points to compare them.",
            hint="Take photos that overlap by 60 % or more, a step apart each.",
        )
    for index, view in enumerate(views):
        if index not in plans:
            task.warn(f"{view.photo_id} shares too little with other photos: no depth for it.")
    paths = depth_file_paths(folder, [view.photo_id for view in views])
    noted = read_warnings(folder)
    made_from = _made_from(posed, plans, estimator)
    kept = keep_depth(ESTIMATE, config, posed, {}, paths, made_from, task)
    for photo_id, source in kept.items():
        if warning := read_warnings(source).get(photo_id):
            noted[photo_id] = warning
            write_warnings(folder, noted)
    todo = {i: plan for i, plan in plans.items() if not paths[views[i].photo_id].exists()}

    def tell(index: int, estimate: _Estimate) -> None:
        photo_id = views[index].photo_id
        if estimate.is_empty:
            blank = _frame(posed, index, config.resolution_px).is_blank
            reason = "the photo shows nothing" if blank else f"{estimator.name} found none"
            task.warn(f"No depth for {photo_id}: {reason}.")
        if estimate.warning:
            noted[photo_id] = estimate.warning
            write_warnings(folder, noted)

    predict = _Prediction(posed, todo, estimator, config.resolution_px, wanted)
    done = len(plans) - len(todo)
    task.step(done, len(plans))
    with closing(
        (_elsewhere if task.runtime.cluster else _here)(predict, paths, tell, task)
    ) as ids:
        for photo_id in ids:
            done += 1
            task.step(done, len(plans), photo_id)


def read_predictions(folder: Path) -> Mapping[str, PredictedDepth]:
    """Read what `estimate_depth` wrote, one file when asked."""
    return FileMapping(depth_file_paths(folder), read_prediction)


def warnings(folder: Path) -> list[str]:
    """What makes depth maps that `estimate_depth` wrote worse than they look."""
    noted = read_warnings(folder)
    return [in_one_sentence(noted, "Holes could not be filled in the depth")] if noted else []


def depth_requests(posed: PosedPhotos, resolution_px: int, sources: int) -> Iterator[DepthRequest]:
    """What estimators are asked for every view that can be compared with others."""
    return _requests(posed, _plans(posed, sources), resolution_px, sources)


@dataclass(frozen=True)
class _Plan:
    """What one view is compared with, and how far it looks."""

    sources: tuple[int, ...]
    depth_range: tuple[float, float]
    is_guess: bool = False
    """The range is all that the cameras could see, as no points tell it."""


@dataclass(frozen=True)
class _Estimate:
    """What is told of a depth map besides its file."""

    is_empty: bool
    warning: str

    @staticmethod
    def of(prediction: PredictedDepth) -> _Estimate:
        return _Estimate(not (prediction.values > 0).any(), prediction.warning)


@dataclass(frozen=True, eq=False)
class _Prediction:
    """What predicting the depth of some photos takes."""

    posed: PosedPhotos
    plans: Mapping[int, _Plan]
    """By view index, of the photos whose depth is wanted."""
    estimator: DepthEstimator
    resolution_px: int
    wanted: int

    def requests(self, plans: Mapping[int, _Plan]) -> Iterator[DepthRequest]:
        return _requests(self.posed, plans, self.resolution_px, self.wanted)

    def photo_id(self, index: int) -> str:
        return self.posed.scene.views[index].photo_id

    def __call__(self, photo_id: str, path: Path, task: Task) -> _Estimate:
        """Predict one, with an estimator of this process."""
        index = next(index for index in self.plans if self.photo_id(index) == photo_id)
        requests = self.requests({index: self.plans[index]})
        (prediction,) = map(_finite, self.estimator.predict(requests, task.check))
        write_prediction(path, prediction)
        return _Estimate.of(prediction)


_Tell = Callable[[int, _Estimate], None]


def _here(
    predict: _Prediction, paths: Mapping[str, Path], tell: _Tell, task: Task
) -> Generator[str, None, None]:
    """Predict all in one go: the estimator itself decides how many photos are at work at once."""
    requests = predict.requests(predict.plans)
    predictions = map(_finite, predict.estimator.predict(requests, task.check))
    for index, prediction in zip(predict.plans, predictions, strict=True):
        tell(index, _Estimate.of(prediction))
        write_prediction(paths[predict.photo_id(index)], prediction)
        yield predict.photo_id(index)


def _elsewhere(
    predict: _Prediction, paths: Mapping[str, Path], tell: _Tell, task: Task
) -> Generator[str, None, None]:
    """Predict each photo's depth on some machine of the cluster."""
    if not predict.plans:
        return
    views = predict.posed.scene.views
    index_of = {predict.photo_id(index): index for index in predict.plans}
    cameras = (views[index].camera.fitted(predict.resolution_px) for index in predict.plans)
    pixels = max(camera.width_px * camera.height_px for camera in cameras)
    todo = {photo_id: paths[photo_id] for photo_id in index_of}
    on_gpu = task.runtime.device == "cuda"
    with closing(
        run_items(predict, todo, _BYTES_PER_PIXEL * pixels, task, on_gpu=on_gpu)
    ) as estimates:
        for photo_id, estimate in estimates:
            tell(index_of[photo_id], estimate)
            yield photo_id


def _plans(posed: PosedPhotos, wanted: int) -> dict[int, _Plan]:
    """By view index; views that cannot be compared with any other are absent."""
    if wanted == 0:
        return {index: _Plan((), (0.0, np.inf)) for index in range(len(posed.scene.views))}
    plans = {}
    for index, others in enumerate(rank_neighbours(posed.scene, wanted)):
        if span := depth_range(posed.scene, index, others):
            plans[index] = _Plan(tuple(others), span)
        elif span := overlap_range(posed.scene, index, others):
            plans[index] = _Plan(tuple(others), span, is_guess=True)
    return plans


def _made_from(
    posed: PosedPhotos, plans: Mapping[int, _Plan], estimator: DepthEstimator
) -> dict[str, tuple[list[View], object]]:
    """What each view's request holds, but for the pixels."""
    views, points = posed.scene.views, posed.scene.points
    sigmas = point_sigmas(posed.scene)
    found: dict[str, tuple[list[View], object]] = {}
    for index, plan in plans.items():
        rest: list[object] = [estimator.digest, plan.depth_range, plan.is_guess]
        if getattr(estimator, "reads_points", True):
            seen = points.seen_by(index)
            rest += [points.xyz_world[seen].tolist(), sigmas[seen].tolist()]
        found[views[index].photo_id] = [views[other] for other in plan.sources], rest
    return found


def _requests(
    posed: PosedPhotos, plans: Mapping[int, _Plan], resolution_px: int, wanted: int
) -> Iterator[DepthRequest]:
    # Neighbouring requests share sources; a few more than one request's worth bounds memory.
    frame = lru_cache(maxsize=2 * wanted + 2)(lambda i: _frame(posed, i, resolution_px))
    points, sigmas = posed.scene.points, point_sigmas(posed.scene)
    for index, plan in plans.items():
        sources = tuple(frame(other) for other in plan.sources)
        seen = points.seen_by(index)
        request = DepthRequest(
            frame(index), sources, points.xyz_world[seen], plan.depth_range, sigmas[seen]
        )
        yield _narrowed(request) if plan.is_guess else request


def _narrowed(request: DepthRequest) -> DepthRequest:
    """The same with a depth range that the photos themselves tell."""
    # torch takes seconds to import and is not needed when every depth map is in the cache.
    from recon3d.depth.sweep import look_around

    return replace(request, depth_range=look_around(request))


def _finite(prediction: PredictedDepth) -> PredictedDepth:
    """Networks that overflow say NaN; that is as good as unknown."""
    known = np.isfinite(prediction.values) & (prediction.values > 0)
    values = np.where(known, prediction.values, np.float32(0))
    confidence = np.where(known, np.nan_to_num(prediction.confidence), np.float32(0))
    return replace(prediction, values=values, confidence=confidence)


def _frame(posed: PosedPhotos, index: int, resolution_px: int) -> DepthFrame:
    import cv2

    view = posed.scene.views[index]
    camera = view.camera.fitted(resolution_px)
    size = (camera.width_px, camera.height_px)
    rgb = visible(posed.rgb[view.photo_id])
    mask = posed.masks.get(view.photo_id)
    depth_z = posed.sensor_depth.get(view.photo_id)
    if camera != view.camera:
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
    if mask is not None:
        resized = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        mask = np.asarray(resized).astype(bool)
    if depth_z is not None:
        # Nearest: a mean of near and far would hang in the air between them.
        depth_z = np.asarray(cv2.resize(depth_z, size, interpolation=cv2.INTER_NEAREST))
    return DepthFrame(view.photo_id, rgb, camera, view.cam_from_world, mask, depth_z)


ESTIMATE = Stage(
    name="depth",
    result="predictions",
    version=3,
    run=estimate_depth,
    read=read_predictions,
    warnings=warnings,
)
