"""Networks of the hub: real classes with random weights, saved and loaded as users' ones are."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import plane_scene
import pytest
import tiny_networks
import torch
from hub_photo import photo, predict

from recon3d.core.depth import DepthRequest, PredictedDepth
from recon3d.core.errors import Cancelled, EstimatorError
from recon3d.depth.hub.estimator import HubDepth
from recon3d.depth.hub.families import family_of
from recon3d.depth.hub.network import HubNetwork
from recon3d.depth.registry import make_estimator
from recon3d.depth.spreading import spread
from recon3d.depth.tiles import blended, tile_boxes
from recon3d.run.device import Runtime


@pytest.mark.parametrize(("kind", "said"), tiny_networks.KINDS.items())
def test_every_family_gives_a_map_of_the_photos_size_and_the_right_kind(
    kind: str, said: str, networks: Callable[[str], Path]
) -> None:
    request = photo()
    prediction = predict(networks(kind), request)
    assert prediction.kind == said
    assert prediction.values.shape == prediction.confidence.shape == (80, 120)
    assert prediction.camera == request.reference.camera
    known = prediction.values[prediction.values > 0]
    assert len(known) > 0.1 * prediction.values.size
    assert np.isfinite(prediction.values).all()
    # Different photo, different depth: the network has really been asked.
    assert np.ptp(known) > 1e-4 * np.median(known)
    # One photo alone must never stand in for a second one (refine: 0.6).
    assert prediction.confidence.max() <= 0.5


def test_a_network_can_be_sent_to_another_machine(networks: Callable[[str], Path]) -> None:
    estimator = make_estimator(str(networks("anything")), {}, Runtime(device="cpu", workers=1))
    there = pickle.loads(pickle.dumps(estimator))
    assert there.digest == estimator.digest
    (here,) = estimator.predict([photo()], lambda: None)
    (elsewhere,) = there.predict([photo()], lambda: None)
    np.testing.assert_array_equal(here.values, elsewhere.values)


# Photos of exactly the input's size: what remains is what the library itself makes of them.
@pytest.mark.parametrize(
    ("kind", "width", "height"),
    [("anything", 84, 56), ("anything_metric", 84, 56), ("dpt", 64, 64),
     ("pro", 56, 56)],
)  # fmt: skip
def test_depth_is_what_the_library_itself_computes(
    kind: str, width: int, height: int, networks: Callable[[str], Path]
) -> None:
    from transformers import AutoImageProcessor, AutoModelForDepthEstimation

    request = photo(width, height)
    model = AutoModelForDepthEstimation.from_pretrained(networks(kind))
    processor = AutoImageProcessor.from_pretrained(networks(kind))
    with torch.inference_mode():
        answer = model(**processor(images=request.reference.rgb, return_tensors="pt"))
    if kind == "pro":
        # Of the library's two steps the first guesses the focal length, which is known here.
        said = torch.nn.functional.interpolate(
            answer.predicted_depth[None], (56, 56), mode="bilinear"
        )
        expected = 1 / np.maximum(said[0, 0].numpy() * 56 / request.reference.camera.fx_px, 1e-12)
    else:
        (post,) = processor.post_process_depth_estimation(answer, target_sizes=[(height, width)])
        expected = post["predicted_depth"].numpy()
    found = predict(networks(kind), request, flip=False).values
    known = found > 0
    # float32 sums end elsewhere with another number of threads, which shows where depth is near 0.
    rounding = 1e-4 * np.ptp(expected)
    np.testing.assert_allclose(found[known], expected[known], rtol=1e-3, atol=rounding)
    assert known.mean() > 0.1


def test_zoedepths_mirrored_border_is_cut_off_again(networks: Callable[[str], Path]) -> None:
    from transformers import AutoImageProcessor, AutoModelForDepthEstimation

    request = photo()
    processor = AutoImageProcessor.from_pretrained(networks("zoe"))
    model = AutoModelForDepthEstimation.from_pretrained(networks("zoe"))
    with torch.inference_mode():
        answer = model(**processor(images=request.reference.rgb, return_tensors="pt"))
    (post,) = processor.post_process_depth_estimation(answer, source_sizes=[(80, 120)])
    expected = post["predicted_depth"].numpy()
    found = predict(networks("zoe"), request, flip=False).values
    # Two ways to resample differ a little; a border left on would shift everything by 20 px.
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.95


def test_a_mirrored_photo_has_the_mirrored_depth(networks: Callable[[str], Path]) -> None:
    request = photo()
    frame = request.reference
    mirrored = replace(request, reference=replace(frame, rgb=frame.rgb[:, ::-1].copy()))
    plain = predict(networks("anything"), request).values
    np.testing.assert_allclose(
        predict(networks("anything"), mirrored).values[:, ::-1], plain, rtol=1e-3, atol=1e-5
    )
    once = predict(networks("anything"), request, flip=False).values
    assert not np.allclose(once, plain, rtol=1e-3)


def test_depth_pro_reckons_with_the_known_focal_length(networks: Callable[[str], Path]) -> None:
    request = photo()
    frame = request.reference
    tele = replace(frame.camera, fx_px=200.0, fy_px=200.0)
    near = predict(networks("pro"), request).values
    far = predict(networks("pro"), replace(request, reference=replace(frame, camera=tele))).values
    np.testing.assert_allclose(far, 2 * near, rtol=1e-4)


def test_depth_pro_alone_knows_the_field_of_view(networks: Callable[[str], Path]) -> None:
    rgb = photo().reference.rgb
    runtime = Runtime(device="cpu", workers=1)
    angle_deg = HubDepth(str(networks("pro")), {}, runtime).field_of_view_deg(rgb)
    assert angle_deg is not None
    assert np.isfinite(angle_deg)
    assert HubDepth(str(networks("anything")), {}, runtime).field_of_view_deg(rgb) is None


def test_prompted_depth_grows_with_the_scene(networks: Callable[[str], Path]) -> None:
    request = photo()
    small = predict(networks("prompted"), request).values
    grown = replace(request, points_world=1e-4 * request.points_world)
    np.testing.assert_allclose(predict(networks("prompted"), grown).values, 1e-4 * small, rtol=1e-3)
    blind = predict(networks("prompted"), photo(points=3))
    assert (blind.values == 0).all()


def test_tiles_add_detail_and_keep_the_whole(networks: Callable[[str], Path]) -> None:
    y, x = np.indices((120, 160), dtype=np.float32)
    coarse = 2 + x / 80 + y / 100
    fine = (coarse + 0.05 * np.sin(x) * np.sin(y)).astype(np.float32)
    boxes = tile_boxes(160, 120, 3)
    rng = np.random.default_rng(0)
    pieces = [fine[box] * rng.uniform(0.5, 3) + rng.uniform(0.1, 2) for box in boxes]
    np.testing.assert_allclose(blended(coarse, boxes, pieces), fine, atol=0.01)
    # The opposite of the whole is no detail of it.
    pieces[4] = 10 - pieces[4]
    np.testing.assert_allclose(blended(coarse, boxes, pieces), fine, atol=0.06)
    assert predict(networks("anything"), tiles=2).values.shape == (80, 120)


def test_tiles_cover_every_pixel_and_are_of_one_size() -> None:
    for width, height, count in ((160, 120, 2), (161, 119, 3), (50, 40, 4)):
        seen = np.zeros((height, width))
        shapes = set()
        for box in tile_boxes(width, height, count):
            seen[box] += 1
            shapes.add(seen[box].shape)
        assert seen.min() >= 1
        assert len(shapes) == 1


def test_spreading_keeps_what_is_known_and_fills_the_rest_from_around() -> None:
    values, weights = np.zeros((40, 60), np.float32), np.zeros((40, 60), np.float32)
    assert (spread(values, weights) == 0).all()
    values[5, 5], weights[5, 5] = 2.0, 1.0
    np.testing.assert_allclose(spread(values, weights), 2.0, rtol=1e-5)
    values[35, 55], weights[35, 55] = 4.0, 1.0
    filled = spread(values, weights)
    assert filled[5, 5] == 2.0
    assert filled[35, 55] == 4.0
    assert 2.0 <= filled.min() <= filled[0, 0] < 2.5
    assert 3.5 < filled[39, 59] <= filled.max() <= 4.0


def test_a_black_photo_has_no_depth(networks: Callable[[str], Path]) -> None:
    request = photo()
    black = replace(request.reference, rgb=np.zeros_like(request.reference.rgb))
    prediction = predict(networks("anything"), replace(request, reference=black))
    assert (prediction.values == 0).all()
    assert (prediction.confidence == 0).all()


def test_pixels_outside_the_mask_have_no_depth(networks: Callable[[str], Path]) -> None:
    request = photo()
    mask = np.zeros((80, 120), bool)
    mask[20:60, 30:90] = True
    masked = replace(request.reference, mask=mask)
    prediction = predict(networks("anything_metric"), replace(request, reference=masked))
    assert (prediction.values[~mask] == 0).all()
    assert (prediction.values[mask] > 0).all()


def test_a_full_gpu_gets_half_as_much_and_then_a_clear_error(
    networks: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = HubNetwork(
        networks("anything"), family_of({"model_type": "depth_anything"}), torch.device("cpu"), 1
    )
    pictures = [photo().reference.rgb, photo().reference.rgb[:, ::-1]] * 2
    expected = network.look(pictures, lambda: None, focal_px=100.0)
    one_pass, sizes, room = network._one_pass, [], 1

    def crowded(pixels: torch.Tensor, known: torch.Tensor | None) -> torch.Tensor:
        sizes.append(len(pixels))
        if len(pixels) > room:
            raise torch.cuda.OutOfMemoryError
        return one_pass(pixels, known)

    monkeypatch.setattr(network, "_one_pass", crowded)
    monkeypatch.setattr(network, "_at_once", 4)
    np.testing.assert_allclose(
        network.look(pictures, lambda: None, focal_px=100.0), expected, rtol=1e-4, atol=1e-5
    )
    assert sizes == [4, 2, 1, 1, 1, 1]
    room = 0
    with pytest.raises(EstimatorError, match="more memory than the GPU has"):
        network.look(pictures, lambda: None, focal_px=100.0)


def test_cancelling_stops_between_photos(networks: Callable[[str], Path]) -> None:
    estimator = make_estimator(str(networks("anything")), {}, Runtime(device="cpu", workers=1))
    asked: list[DepthRequest] = []
    stop = False

    def requests() -> Iterator[DepthRequest]:
        for _ in range(3):
            asked.append(photo())
            yield asked[-1]

    def check() -> None:
        if stop:
            raise Cancelled

    predictions = iter(estimator.predict(requests(), check))
    next(predictions)
    stop = True
    with pytest.raises(Cancelled):
        next(predictions)
    assert len(asked) <= 2


def test_a_map_of_nan_is_a_verdict_on_its_photo(tmp_path: Path) -> None:
    from recon3d.core.scene import PosedPhotos, PosedScene, SparsePoints, View
    from recon3d.depth.estimate import DepthConfig, estimate_depth, read_predictions
    from recon3d.run.task import CancelToken, Event, Task

    class Broken:
        name, digest, source_views = "broken", "1", 0

        def predict(self, requests: Any, check: Any) -> Iterator[PredictedDepth]:
            for request in requests:
                shape = request.reference.rgb.shape[:2]
                values = np.full(shape, 2.0, np.float32)
                if request.reference.view_id == "bad":
                    values[:] = np.nan
                yield PredictedDepth(values, "metric", values / 4, request.reference.camera)

    frame = plane_scene.request().reference
    views = tuple(
        View(name, frame.camera, frame.cam_from_world) for name in ("good", "bad", "dark")
    )
    rgb = {"good": frame.rgb, "bad": frame.rgb, "dark": np.zeros_like(frame.rgb)}
    posed = PosedPhotos(PosedScene(views, SparsePoints.empty(), "scene"), rgb, {}, {}, ())
    told: list[Event] = []
    task = Task("depth", told.append, CancelToken())
    estimate_depth(posed, Broken(), DepthConfig(), tmp_path, task)
    found = read_predictions(tmp_path)
    assert (found["good"].values == 2.0).all()
    assert (found["bad"].values == 0).all()
    warnings = [event.note for event in told if event.kind == "warning"]
    assert warnings == ["No depth for bad: broken found none."]


@pytest.mark.gpu
@pytest.mark.parametrize("kind", tiny_networks.KINDS)
def test_the_gpu_gives_the_depth_of_the_cpu(kind: str, networks: Callable[[str], Path]) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    estimator = make_estimator(str(networks(kind)), {}, Runtime(device="cuda"))
    (on_gpu,) = estimator.predict([photo()], lambda: None)
    on_cpu = predict(networks(kind)).values
    known = (on_gpu.values > 0) & (on_cpu > 0)
    assert known.mean() > 0.9 * (on_cpu > 0).mean()
    # Both in float32: 1e-7, which a network of tens of layers adds up; half precision is at 1e-3.
    assert np.median(np.abs(on_gpu.values / np.where(known, on_cpu, 1) - 1)[known]) < 1e-4


@pytest.mark.parametrize("kind", tiny_networks.KINDS)
def test_networks_reckon_in_full_precision(
    kind: str, networks: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    estimator = make_estimator(str(networks(kind)), {}, Runtime(device="cpu", workers=1))
    assert isinstance(estimator, HubDepth)
    network = estimator._network()
    monkeypatch.setattr(estimator, "_network", lambda: network)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    shortened, kinds = [], {parameter.dtype for parameter in network._model.parameters()}

    def look(*_: object) -> None:
        shortened.append(
            torch.backends.cudnn.allow_tf32
            or torch.backends.cuda.matmul.allow_tf32
            or torch.is_autocast_enabled("cuda")
        )

    network._model.register_forward_hook(look)
    list(estimator.predict([photo()], lambda: None))
    assert kinds == {torch.float32}
    assert shortened
    assert not any(shortened)
    assert torch.backends.cudnn.allow_tf32
