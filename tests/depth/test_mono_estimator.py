"""The `resnet` estimator and its checkpoints, whole and broken, and the evaluation of any."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from recon3d.core.camera import PinholeCamera
from recon3d.core.depth import DepthEstimator, DepthFrame, DepthKind, DepthRequest, PredictedDepth
from recon3d.core.errors import EstimatorError, InputError
from recon3d.core.transform import Rigid
from recon3d.depth.checkpoint import SHIPPED
from recon3d.depth.mono.checkpoint import read_mono_checkpoint, write_mono_checkpoint
from recon3d.depth.mono.datasets import open_frames
from recon3d.depth.mono.evaluation import (
    EvaluationRules,
    Extremes,
    evaluate,
    mean_scores,
    score,
    write_csv,
)
from recon3d.depth.mono.frames import Frame, FrameSet
from recon3d.depth.mono.inference import predict_depth
from recon3d.depth.mono.network import MonoNetwork
from recon3d.depth.mono.recipe import ModelConfig
from recon3d.depth.registry import make_estimator
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Event, Task, silent

CONFIG = ModelConfig(encoder="mobilenet_v3_large", decoder_width=4, size_px=64)
CAMERA = PinholeCamera(100, 70, 90.0, 90.0, 50.0, 35.0)
RGB = np.random.default_rng(0).integers(0, 255, (70, 100, 3)).astype(np.uint8)
ON_CPU = Runtime(device="cpu", workers=1)


def new_network() -> MonoNetwork:
    torch.manual_seed(0)
    return MonoNetwork(CONFIG).eval()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("metre")
    write_mono_checkpoint(folder, new_network(), "metre", {"data": "noise"})
    return folder


def request(rgb: np.ndarray = RGB, mask: np.ndarray | None = None) -> DepthRequest:
    frame = DepthFrame("a.jpg", rgb, CAMERA, Rigid.identity(), mask)
    return DepthRequest(frame, (), np.zeros((0, 3)), (0.0, np.inf))


def predict(estimator: DepthEstimator, *requests: DepthRequest) -> list[PredictedDepth]:
    return list(estimator.predict(requests, lambda: None))


def test_a_checkpoint_folder_is_an_estimator(checkpoint: Path) -> None:
    estimator = make_estimator(str(checkpoint), {"cleanup": "none"}, ON_CPU)
    assert (estimator.name, estimator.source_views) == ("resnet", 0)
    (found,) = predict(estimator, request())
    assert (found.kind, found.values.shape, found.camera) == ("metric", (70, 100), CAMERA)
    truth, confidence = predict_depth(new_network(), CONFIG, RGB, CAMERA)
    # Weights were rounded to half precision: 5e-4 in each of some twenty layers.
    np.testing.assert_allclose(found.values, truth, rtol=0.05)
    assert ((found.confidence > 0) & (found.confidence <= 1)).all()
    np.testing.assert_allclose(found.confidence, confidence, atol=0.3)


class OneMetre(torch.nn.Module):
    """Says 1 m at the canonical focal length of every pixel, and remembers where they look."""

    def __init__(self) -> None:
        super().__init__()
        self.any = torch.nn.Parameter(torch.zeros(1))

    def forward(self, rgb: torch.Tensor, rays: torch.Tensor) -> torch.Tensor:
        self.rays = rays
        return torch.zeros(len(rgb), 1, *rgb.shape[-2:])


def test_depth_grows_with_the_focal_length() -> None:
    model, tele = OneMetre(), dataclasses.replace(CAMERA, fx_px=180.0, fy_px=180.0)
    wide_z, _ = predict_depth(model, CONFIG, RGB, CAMERA)
    wide_rays = model.rays
    tele_z, _ = predict_depth(model, CONFIG, RGB, tele)
    # 90 px for 100x70 pixels is 68.8 px at the 64x64 pixels that the network looks at.
    np.testing.assert_allclose(wide_z, 90 * 64 / np.sqrt(7000) / 64, rtol=0.01)
    np.testing.assert_allclose(tele_z, 2 * wide_z, rtol=1e-6)
    torch.testing.assert_close(wide_rays, 2 * model.rays)


def test_the_mirror_image_looks_where_a_mirrored_camera_does() -> None:
    model, camera = OneMetre(), dataclasses.replace(CAMERA, cx_px=40.0)
    predict_depth(model, CONFIG, RGB, camera)
    mirrored = model.rays[1]
    predict_depth(model, CONFIG, RGB, dataclasses.replace(CAMERA, cx_px=60.0))
    torch.testing.assert_close(mirrored, model.rays[0])


def test_a_mirrored_photo_gets_the_mirrored_depth(checkpoint: Path) -> None:
    estimator = make_estimator(str(checkpoint), {"cleanup": "none"}, ON_CPU)
    one, other = predict(estimator, request(), request(np.ascontiguousarray(RGB[:, ::-1])))
    np.testing.assert_allclose(one.values, other.values[:, ::-1], rtol=1e-4)
    np.testing.assert_allclose(one.confidence, other.confidence[:, ::-1], atol=1e-4)


def test_a_network_without_scale_says_relative_inverse_depth(tmp_path: Path) -> None:
    write_mono_checkpoint(tmp_path, new_network(), "scene", {})
    (found,) = predict(make_estimator(str(tmp_path), {"cleanup": "none"}, ON_CPU), request())
    depth_z, _ = predict_depth(new_network(), CONFIG, RGB, CAMERA)
    assert found.kind == "relative"
    np.testing.assert_allclose(found.values, 1 / depth_z, rtol=0.05)


def test_masked_and_blank_pixels_have_no_depth(checkpoint: Path) -> None:
    estimator = make_estimator(str(checkpoint), {}, ON_CPU)
    mask = np.zeros((70, 100), bool)
    mask[20:50, 20:80] = True
    masked, black = predict(estimator, request(mask=mask), request(np.zeros_like(RGB)))
    assert not masked.values[~mask].any()
    assert not masked.confidence[~mask].any()
    assert not black.values.any()


def test_another_network_has_another_digest(checkpoint: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    write_mono_checkpoint(tmp_path, MonoNetwork(CONFIG), "metre", {})
    one, other = (make_estimator(str(path), {}, ON_CPU) for path in (checkpoint, tmp_path))
    again = make_estimator(str(checkpoint), {}, ON_CPU)
    assert one.digest == again.digest != other.digest


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def change(key: str, value: object) -> Callable[[Path], None]:
    def changed(path: Path) -> None:
        content = json.loads(path.read_text())
        content["settings"][key] = value
        path.write_text(json.dumps(content))

    return changed


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("recon3d.safetensors", cut_off),
        ("recon3d.safetensors", lambda path: path.unlink()),
        ("recon3d.json", cut_off),
        ("recon3d.json", change("unit", "mile")),
        ("recon3d.json", change("model", {"encoder": "vgg"})),
        ("recon3d.json", change("model", {"encoder": "resnet18", "size_px": -3})),
        ("recon3d.json", change("model", {"encoder": "resnet18"})),
    ],
    ids=["weights cut off", "no weights", "text cut off", "unit", "encoder", "size", "other shape"],
)
def test_a_damaged_checkpoint_is_named(
    checkpoint: Path, tmp_path: Path, name: str, harm: Callable[[Path], None]
) -> None:
    for path in checkpoint.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    harm(tmp_path / name)
    with pytest.raises(EstimatorError, match=tmp_path.name):
        predict(make_estimator(str(tmp_path), {}, ON_CPU), request())


@pytest.mark.gpu
def test_the_gpu_gives_the_depth_of_the_cpu(checkpoint: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    settings = {"cleanup": "none"}
    (here,) = predict(make_estimator(str(checkpoint), settings, ON_CPU), request())
    (there,) = predict(make_estimator(str(checkpoint), settings, Runtime(device="cuda")), request())
    assert np.median(np.abs(there.values / here.values - 1)) < 1e-3


TRUTH = np.linspace(1, 5, 7000, dtype=np.float32).reshape(70, 100)


class Oracle:
    """Knows the truth, distorted."""

    name = "oracle"
    digest = "oracle-1"

    def __init__(
        self, distort: Callable[[np.ndarray], np.ndarray], kind: DepthKind, source_views: int = 0
    ) -> None:
        self.source_views = source_views
        self._distort = distort
        self._kind = kind

    def predict(
        self, requests: Iterable[DepthRequest], check_cancelled: Callable[[], None]
    ) -> Iterator[PredictedDepth]:
        for asked in requests:
            values = self._distort(TRUTH).astype(np.float32)
            yield PredictedDepth(values, self._kind, np.ones_like(values), asked.reference.camera)


def frames(count: int = 3, broken: int = -1) -> FrameSet:
    def read(number: int) -> Frame:
        if number == broken:
            raise InputError(f"depth/{number}.png: the file is broken or cut off")
        return Frame(f"{number}.png", RGB, TRUTH, CAMERA)

    return FrameSet("plain", tuple(f"{i}.png" for i in range(count)), read)


def abs_rel(oracle: Oracle, rules: EvaluationRules) -> float:
    task = Task("evaluate", silent, CancelToken())
    return mean_scores([e.scores for e in evaluate(oracle, frames(), rules, task)]).abs_rel


def test_scales_forgive_what_they_say_and_no_more() -> None:
    doubled = Oracle(lambda truth: 2 * truth, "metric")
    assert abs_rel(doubled, EvaluationRules(scale="none")) == pytest.approx(1.0)
    assert abs_rel(doubled, EvaluationRules(scale="median")) == pytest.approx(0, abs=1e-6)
    shifted = Oracle(lambda truth: 3 / truth + 0.5, "relative")
    assert abs_rel(shifted, EvaluationRules(scale="median")) > 0.1
    assert abs_rel(shifted, EvaluationRules(scale="affine")) == pytest.approx(0, abs=1e-5)


def test_predictions_end_at_the_cap_and_truth_beyond_it_does_not_count() -> None:
    rules = EvaluationRules(scale="none", cap=3.0)
    # Below the cap the doubled depth is min(2 z, 3): the mean of that error over 1 to 3.
    z = TRUTH[TRUTH <= 3].astype(np.float64)
    expected = np.mean((np.minimum(2 * z, 3) - z) / z)
    doubled = Oracle(lambda truth: 2 * truth, "metric")
    assert abs_rel(doubled, rules) == pytest.approx(expected, rel=1e-5)


def test_a_crop_leaves_its_outside_out() -> None:
    def wrong_outside(truth: np.ndarray) -> np.ndarray:
        # Eigen's crop of 70 rows: int(70 * 45 / 480) = 6 to int(70 * 471 / 480) = 68.
        wrong = truth.copy()
        wrong[:6], wrong[68:] = 99, 99
        return wrong

    oracle = Oracle(wrong_outside, "metric")
    assert abs_rel(oracle, EvaluationRules(scale="none", crop="eigen")) == 0
    assert abs_rel(oracle, EvaluationRules(scale="none")) > 1


def test_relative_depth_without_scaling_and_estimators_of_many_views_are_refused() -> None:
    with pytest.raises(EstimatorError, match="no metres"):
        abs_rel(Oracle(lambda truth: 1 / truth, "relative"), EvaluationRules(scale="none"))
    with pytest.raises(EstimatorError, match="single photos"):
        abs_rel(Oracle(lambda truth: truth, "scene", source_views=4), EvaluationRules())


def test_a_broken_photo_is_warned_of_and_the_others_are_measured() -> None:
    warned: list[str] = []

    def listen(event: Event) -> None:
        if event.kind == "warning":
            warned.append(event.note)

    oracle = Oracle(lambda truth: truth, "metric")
    task = Task("evaluate", listen, CancelToken())
    found = list(evaluate(oracle, frames(3, broken=1), EvaluationRules(), task))
    assert [e.frame.name for e in found] == ["0.png", "2.png"]
    assert len(warned) == 1
    assert "depth/1.png" in warned[0]


def test_a_prediction_of_another_size_is_brought_to_the_truths() -> None:
    small = TRUTH[::2, ::2].copy()
    prediction = PredictedDepth(small, "metric", np.ones_like(small), CAMERA.resized(50, 35))
    evaluated = score(prediction, frames()[0], EvaluationRules(scale="none"), kitti=False)
    assert evaluated.depth_z.shape == TRUTH.shape
    assert evaluated.scores.abs_rel < 0.03  # two of seventy rows are 0.11 of 1 to 5 m apart


def test_scores_and_the_best_and_worst_pictures_are_written(tmp_path: Path) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    noise = iter([0.3, 0.0, 0.1, 0.2, 0.05])
    oracle = Oracle(lambda truth: truth * np.exp(rng.normal(0, next(noise), truth.shape)), "metric")
    extremes, rows = Extremes(2), []
    task = Task("evaluate", silent, CancelToken())
    for evaluated in evaluate(oracle, frames(5), EvaluationRules(scale="none"), task):
        extremes.add(evaluated)
        rows.append((evaluated.frame.name, evaluated.scores))
    written = extremes.write(tmp_path)
    assert [path.name for path in written] == [
        "best_1.png", "best_2.png", "worst_1.png", "worst_2.png",
    ]  # fmt: skip
    pictures = []
    for name in ("best_1.png", "worst_1.png"):
        with Image.open(tmp_path / name) as picture:
            pictures.append(np.asarray(picture))
    assert pictures[0].shape == (70, 4 * 100, 3)
    # The error's quarter has one colour throughout in the best, and many in the worst.
    best, worst = (picture[:, 300:].reshape(-1, 3).std(0).max() for picture in pictures)
    assert best == 0
    assert worst > 10
    write_csv(tmp_path / "scores.csv", rows)
    lines = (tmp_path / "scores.csv").read_text().splitlines()
    assert lines[0].startswith("photo,abs_rel,sq_rel")
    assert [line.split(",")[0] for line in lines[1:]] == [f"{i}.png" for i in range(5)]
    assert float(lines[2].split(",")[1]) == 0


def test_the_shipped_weights_are_small_whole_and_say_what_they_are() -> None:
    checkpoint = read_mono_checkpoint(SHIPPED / "mono.json")
    assert checkpoint.files.weights.stat().st_size < 12e6
    assert {"data", "step", "licence", "machine", "errors"} <= checkpoint.files.card.keys()
    (found,) = predict(make_estimator("resnet", {"cleanup": "none"}, ON_CPU), request())
    assert found.kind == "relative"
    assert np.isfinite(found.values).all()
    assert (found.values > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kitchen_posed", "office_rgbd"])
def test_the_shipped_weights_see_more_of_a_real_room_than_a_flat_wall(
    real_photos: Path, name: str
) -> None:
    photos = open_frames(real_photos / name)
    photos = photos.chosen(range(0, len(photos), 5))
    wall = Oracle(np.ones_like, "metric")  # of another size: it is enlarged
    network = make_estimator("resnet", {"cleanup": "none"}, ON_CPU)
    task = Task("evaluate", silent, CancelToken())
    silog = [
        mean_scores([e.scores for e in evaluate(e, photos, EvaluationRules(), task)]).silog
        for e in (network, wall)
    ]
    assert silog[0] < 0.95 * silog[1]
