"""The network looks where the sweep is unsure about half of what most photos show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sphere_scene import sphere_photos

from recon3d.config import Config, preset
from recon3d.core.depth import PredictedDepth
from recon3d.core.scene import PosedPhotos
from recon3d.depth import estimate
from recon3d.depth.second_look import is_unsure
from recon3d.pipeline import predict_depth
from recon3d.results import Results
from recon3d.run.cost import Cost
from recon3d.run.device import Runtime
from recon3d.run.stage import Stage, StageResult
from recon3d.run.task import CancelToken, Task, silent


def predictions(posed: PosedPhotos, unsure: Sequence[float]) -> dict[str, PredictedDepth]:
    """Maps whose lower rows, so large a share of them, are unsure."""
    maps = {}
    for view, share in zip(posed.scene.views, unsure, strict=True):
        confidence = np.full((120, 120), 0.9, np.float32)
        confidence[120 - round(120 * share) :] = 0.1
        values = np.full((120, 120), 2.0, np.float32)
        maps[view.photo_id] = PredictedDepth(values, "scene", confidence, view.camera)
    return maps


@pytest.mark.parametrize(
    ("unsure", "looks_again"),
    [([0.3] * 6, False), ([0.6] * 6, True), ([0.9, 0.9, 0.4, 0.4, 0.4, 0.4], False)],
)
def test_the_photo_in_the_middle_decides(unsure: list[float], looks_again: bool) -> None:
    posed, _ = sphere_photos()
    assert is_unsure(posed, predictions(posed, unsure)) == looks_again


def test_what_masks_leave_out_does_not_count() -> None:
    posed, _ = sphere_photos()
    maps = predictions(posed, [0.6] * 6)
    keep = np.ones((120, 120), bool)
    keep[60:] = False
    assert not is_unsure(replace(posed, masks=dict.fromkeys(maps, keep)), maps)
    nothing = dict.fromkeys(maps, np.zeros((120, 120), bool))
    assert not is_unsure(replace(posed, masks=nothing), maps)
    assert not is_unsure(posed, {})


class Looks:
    """A workspace that only tells which estimators were asked."""

    def __init__(self, found: dict[str, PredictedDepth]) -> None:
        self.asked: list[str] = []
        self._found = found

    def run(self, stage: Stage[object], config: object, posed: object, estimator: object) -> object:
        assert stage is estimate.ESTIMATE
        self.asked.append(estimator.name)  # type: ignore[attr-defined]
        return StageResult("depth", "k", Path(), lambda: self._found, Cost(1, 2, 3), False)

    def task(self, stage: str) -> Task:
        return Task(stage, silent, CancelToken(), Runtime())


@pytest.mark.parametrize(
    ("config", "unsure", "asked"),
    [
        (Config(), 0.6, ["planesweep", "multiview"]),
        (Config(), 0.4, ["planesweep"]),
        (preset("draft"), 0.6, ["planesweep"]),
        (replace(Config(), depth=replace(Config().depth, model="planesweep")), 0.6, ["planesweep"]),
    ],
)
def test_auto_asks_the_network_and_counts_what_both_took(
    config: Config, unsure: float, asked: list[str]
) -> None:
    from recon3d.depth.registry import make_estimator

    posed, _ = sphere_photos()
    work = Looks(predictions(posed, [unsure] * 6))
    made = Results(Path())
    made.posed = StageResult("pose", "k", Path(), lambda: posed, Cost(0, 0, 0), False)
    predict_depth(work, config, made, make_estimator("planesweep", {}, Runtime()))  # type: ignore[arg-type]
    assert work.asked == asked
    assert made.predictions
    assert made.predictions.cost == Cost(len(asked), 2 * len(asked), 3)
