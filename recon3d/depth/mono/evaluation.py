"""How good a depth estimator is on photos with known depth, by the benchmarks' rules."""

from __future__ import annotations

import csv
import dataclasses
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from recon3d.core.depth import DepthEstimator, DepthFrame, DepthRequest, PredictedDepth
from recon3d.core.errors import EstimatorError, InputError, require
from recon3d.core.transform import Rigid
from recon3d.depth.mono.frames import Frame, FrameSet
from recon3d.depth.mono.scores import (
    NEAREST_M,
    Crop,
    DepthScores,
    Scaling,
    benchmark_crop,
    depth_scores,
    scaled_to_truth,
)
from recon3d.run.files import atomic_path
from recon3d.run.task import Task

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class EvaluationRules:
    """Which pixels count, and what a prediction may take from the truth."""

    crop: Crop = "none"
    """eigen: Eigen's crop for NYU or KITTI; garg: Garg's for KITTI."""
    cap: float = 0.0
    """Truth beyond this many metres does not count, and predictions end there; 0 = no cap. Papers
    use 10 for NYU and 80 for KITTI."""
    scale: Scaling = "median"
    """median: bring the medians together; affine: fit scale and shift of the inverse depth, as
    for MiDaS; none: the metres as they are."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        require(self.cap >= 0, "cap", self.cap, "0 or more")


@dataclass(frozen=True, eq=False)
class Evaluated:
    """One photo, what was predicted in the truth's unit, and its scores."""

    frame: Frame
    depth_z: Float32[np.ndarray, "h w"]
    scores: DepthScores


def evaluate(
    estimator: DepthEstimator, frames: FrameSet, rules: EvaluationRules, task: Task
) -> Iterator[Evaluated]:
    """Predict and score each frame; those whose files are broken are warned of and left out.

    Raises:
        EstimatorError: the estimator needs other views, or predicts no metres while the rules ask
            for them.
        Cancelled: the user asked to stop.
    """
    if estimator.source_views:
        raise EstimatorError(
            f'"{estimator.name}" compares photos with each other; this measures single photos.',
            hint="`recon3d bench` measures it.",
        )
    waiting: list[Frame] = []

    def requests() -> Iterator[DepthRequest]:
        for position in range(len(frames)):
            try:
                frame = frames[position]
            except InputError as error:
                task.warn(f"left out: {error}")
                continue
            waiting.append(frame)
            photo = DepthFrame(frame.name, frame.rgb, frame.camera, Rigid.identity())
            yield DepthRequest(photo, (), np.zeros((0, 3)), (0.0, np.inf))

    task.step(0, len(frames))
    for done, prediction in enumerate(estimator.predict(requests(), task.check), start=1):
        frame = waiting.pop(0)
        yield score(prediction, frame, rules, kitti=frames.layout == "kitti")
        task.step(done, len(frames), frame.name)


def score(
    prediction: PredictedDepth, frame: Frame, rules: EvaluationRules, *, kitti: bool
) -> Evaluated:
    """Bring a prediction to the frame's size and scale and compare the pixels that count.

    Raises:
        EstimatorError: it is relative and the rules let it take nothing from the truth.
    """
    import cv2

    height, width = frame.depth_z.shape
    values = prediction.values.astype(np.float32)
    if values.shape != (height, width):
        # Nearest: a mean with unknown pixels would be a depth that nobody predicted.
        values = np.asarray(cv2.resize(values, (width, height), interpolation=cv2.INTER_NEAREST))
    if prediction.kind == "relative":
        if rules.scale == "none":
            raise EstimatorError(
                "This model predicts relative depth: it knows no metres.",
                hint="Evaluate it with --scale median or --scale affine.",
            )
        values = np.divide(1, values, out=np.zeros_like(values), where=values > 0)
    far = rules.cap or np.inf
    counted = benchmark_crop(height, width, rules.crop, kitti=kitti)
    counted &= (frame.depth_z > NEAREST_M) & (frame.depth_z <= far)
    truth_z = np.where(counted, frame.depth_z, np.float32(0))
    depth_z = scaled_to_truth(values, truth_z, rules.scale)
    depth_z = np.where(depth_z > 0, depth_z.clip(NEAREST_M, far), np.float32(0)).astype(np.float32)
    return Evaluated(frame, depth_z, depth_scores(depth_z, truth_z))


def mean_scores(rows: Sequence[DepthScores]) -> DepthScores:
    """Mean over photos, as the benchmarks have it; photos without a number are left out of it."""
    table = np.array([dataclasses.astuple(row) for row in rows], np.float64)
    known = np.isfinite(table)
    totals = np.where(known, table, 0).sum(0)
    counts = known.sum(0)
    return DepthScores(*np.where(counts > 0, totals / np.maximum(counts, 1), np.nan).tolist())


def write_csv(path: Path, rows: Sequence[tuple[str, DepthScores]]) -> None:
    """One line a photo.

    Raises:
        OutputError: the place cannot be written.
    """
    names = [field.name for field in dataclasses.fields(DepthScores)]
    with atomic_path(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["photo", *names])
        for name, scores in rows:
            writer.writerow([name, *(f"{value:.6g}" for value in dataclasses.astuple(scores))])


class Extremes:
    """Keeps the best and the worst photos by AbsRel, as many of each as asked for."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: list[Evaluated] = []

    def add(self, evaluated: Evaluated) -> None:
        """Consider one; only those that are kept stay in memory."""
        if np.isfinite(evaluated.scores.abs_rel):
            self._kept.append(evaluated)
            self._kept.sort(key=lambda e: e.scores.abs_rel)
            if len(self._kept) > 2 * self._most:
                del self._kept[self._most]

    def write(self, folder: Path) -> list[Path]:
        """Pictures best_1, ... and worst_1, ...: photo, truth, prediction, error.

        Raises:
            OutputError: the place cannot be written.
        """
        from PIL import Image

        from recon3d.depth.mono.drawing import panel

        half = (len(self._kept) + 1) // 2
        named = [(f"best_{i}", kept) for i, kept in enumerate(self._kept[:half], 1)]
        named += [(f"worst_{i}", kept) for i, kept in enumerate(self._kept[: half - 1 : -1], 1)]
        written = []
        for name, kept in named:
            picture = (panel(kept.frame, kept.depth_z) * 255).byte().permute(1, 2, 0).numpy()
            with atomic_path(folder / f"{name}.png") as part:
                Image.fromarray(picture).save(part)
            written.append(folder / f"{name}.png")
        return written
