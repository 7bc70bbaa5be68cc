"""Two estimators as one: what is sure stays, what is not comes from the aligned other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import plane_scene
import pytest

from recon3d.core.camera import backproject
from recon3d.core.depth import DepthEstimator, DepthRequest, PredictedDepth
from recon3d.core.errors import EstimatorError
from recon3d.depth.align import ALIGN
from recon3d.depth.completion import DepthCompletion, fill
from recon3d.depth.estimate import ESTIMATE
from recon3d.depth.files import write_warnings
from recon3d.depth.registry import make_estimator
from recon3d.run.device import Runtime

CAMERA = plane_scene.CAMERA
HOLE = (slice(40, 80), slice(50, 110))


@pytest.fixture
def request_() -> DepthRequest:
    request = plane_scene.request()
    depth_z = truth(request)
    chosen = np.random.default_rng(0).choice(depth_z.size, 50, replace=False)
    lifted = backproject(depth_z, CAMERA).reshape(-1, 3)[chosen]
    points_world = request.reference.cam_from_world.inverse() @ lifted
    return replace(request, points_world=points_world)


def truth(request: DepthRequest) -> np.ndarray:
    return plane_scene.depth_of_plane(CAMERA, request.reference.cam_from_world)


def measured(request: DepthRequest) -> PredictedDepth:
    """Exact and sure, but for a hole full of nonsense that knows that it is."""
    depth_z, confidence = truth(request).copy(), np.full((120, 160), 0.9, np.float32)
    depth_z[HOLE] *= np.random.default_rng(1).uniform(0.5, 2, depth_z[HOLE].shape)
    confidence[HOLE] = 0.05
    return PredictedDepth(depth_z.astype(np.float32), "scene", confidence, CAMERA)


def guessed(request: DepthRequest) -> PredictedDepth:
    """Relative, with a bend of 10 % over the picture."""
    bend = 1 + 0.1 * np.sin(np.arange(160) / 50)
    values = (7 * bend / truth(request) + 0.2).astype(np.float32)
    return PredictedDepth(values, "relative", np.full((120, 160), 0.5, np.float32), CAMERA)


class Says:
    """An estimator that always says the same of a photo."""

    source_views = 4

    def __init__(self, name: str, say: Callable[[DepthRequest], PredictedDepth]) -> None:
        self.name = self.digest = name
        self._say = say

    def predict(
        self, requests: Iterable[DepthRequest], check_cancelled: Callable[[], None]
    ) -> Iterator[PredictedDepth]:
        return map(self._say, requests)


def test_holes_are_filled_within_a_percent_and_less_believed(request_: DepthRequest) -> None:
    filled = fill(request_, measured(request_), guessed(request_))
    error = np.abs(filled.values / truth(request_) - 1)
    assert filled.kind == "scene"
    assert np.median(error[HOLE]) < 0.01
    assert error[HOLE].max() < 0.03
    sure = np.ones((120, 160), bool)
    sure[HOLE] = False
    np.testing.assert_allclose(filled.values[sure], truth(request_)[sure], rtol=1e-5)
    # Below what stands in for a confirming photo, and below every pixel that was measured.
    assert 0.1 < filled.confidence[HOLE].max() < 0.5 < filled.confidence[sure].min()


def test_there_is_no_step_at_the_border_of_a_hole(request_: DepthRequest) -> None:
    values = fill(request_, measured(request_), guessed(request_)).values / truth(request_)
    step = np.abs(np.diff(values, axis=1))
    # A guess that is only aligned as a whole would be off by up to 5 % here.
    assert step[60, [49, 109]].max() < 0.005


def test_two_surfaces_are_never_averaged(request_: DepthRequest) -> None:
    plain = measured(request_)
    values, confidence = plain.values.copy(), np.full((120, 160), 0.9, np.float32)
    values[:, 80:] *= 2
    confidence[:, 75:85] = 0.35
    two = PredictedDepth(values, "scene", confidence, CAMERA)
    guess = (3 / values).astype(np.float32)
    shifted = PredictedDepth(np.roll(guess, 3, axis=1), "relative", confidence, CAMERA)
    both = truth(request_)
    ratio = fill(replace(request_, points_world=np.zeros((0, 3))), two, shifted).values / both
    seam = ratio[5:35, 70:95]
    known = seam > 0
    assert np.minimum(np.abs(seam - 1), np.abs(seam / 2 - 1))[known].max() < 0.2


def test_without_anything_to_align_to_the_first_estimator_is_left_alone(
    request_: DepthRequest,
) -> None:
    lost = replace(measured(request_), confidence=np.zeros((120, 160), np.float32))
    blind = replace(request_, points_world=np.zeros((0, 3)))
    kept = fill(blind, lost, guessed(request_))
    assert kept.values is lost.values
    assert "points" in kept.warning


def test_the_pair_keeps_the_protocol_and_reads_lazily(request_: DepthRequest) -> None:
    pair = DepthCompletion(Says("a", measured), Says("b", guessed))
    assert isinstance(pair, DepthEstimator)
    assert (pair.name, pair.source_views) == ("a+b", 4)
    assert pair.digest != DepthCompletion(Says("a", measured), Says("c", guessed)).digest
    read = 0

    def requests() -> Iterator[DepthRequest]:
        nonlocal read
        for _ in range(5):
            read += 1
            yield request_

    predictions = pair.predict(requests(), lambda: None)
    next(predictions)
    assert read <= 2
    assert len(list(predictions)) == 4


def test_only_what_speaks_in_scene_units_can_be_filled(request_: DepthRequest) -> None:
    wrong = DepthCompletion(Says("mono", guessed), Says("sweep", measured))
    with pytest.raises(EstimatorError, match="cannot be filled") as caught:
        list(wrong.predict([request_], lambda: None))
    assert "sweep+mono" in caught.value.hint


def test_a_plus_names_a_pair() -> None:
    pair = make_estimator("planesweep+sensor", {}, Runtime())
    assert isinstance(pair, DepthCompletion)
    assert pair.name == "planesweep+sensor"
    with pytest.raises(EstimatorError, match="crystal"):
        make_estimator("planesweep+crystal", {}, Runtime())


def test_what_could_not_be_filled_is_told_on_every_run(tmp_path: Path) -> None:
    assert ESTIMATE.warnings(tmp_path) == []
    assert ALIGN.warnings(tmp_path) == []
    reasons = {f"{n}.jpg": "only 3 points" for n in range(5)}
    write_warnings(tmp_path, reasons)
    for stage in (ESTIMATE, ALIGN):
        (told,) = stage.warnings(tmp_path)
        assert "5 photos (0.jpg, 1.jpg, 2.jpg, ...): only 3 points." in told
