"""The multi-view network: its geometry against analytic truth, its estimator against bad input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import plane_scene
import pytest
import torch

from recon3d.core.camera import PinholeCamera, pixel_rays, project
from recon3d.core.depth import DepthRequest
from recon3d.core.errors import Cancelled, EstimatorError
from recon3d.core.transform import Rigid
from recon3d.depth.checkpoint import write_checkpoint
from recon3d.depth.matching import Matcher
from recon3d.depth.multiview.estimator import KIND, MultiView
from recon3d.depth.multiview.losses import losses
from recon3d.depth.multiview.matching import (
    Ncc,
    correlation,
    inside,
    projection,
    sample,
    source_grid,
)
from recon3d.depth.multiview.network import MultiViewNet, Views, _convex_upsampled, _search_range
from recon3d.depth.multiview.samples import Sample, collate, make_sample
from recon3d.depth.registry import make_estimator
from recon3d.depth.synthetic import RenderedScene, render_scene
from recon3d.depth.warp import grey_tensor, source_view
from recon3d.run.device import Runtime

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def scene() -> RenderedScene:
    return render_scene(3, width_px=128, height_px=96, views=4)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "small.json"
    write_checkpoint(path, KIND, MultiViewNet(), {}, {"licence": "MIT"})
    return path


def predict(request: DepthRequest, checkpoint: Path, threads: int = 1):
    settings = {"checkpoint": str(checkpoint)}
    estimator = MultiView(settings, Runtime(device="cpu", workers=threads))
    (prediction,) = estimator.predict([request], lambda: None)
    return prediction


def test_points_fall_on_the_source_where_the_cameras_say() -> None:
    rng = np.random.default_rng(0)
    here = PinholeCamera(64, 48, 70.0, 72.0, 30.0, 25.0)
    there = PinholeCamera(100, 80, 90.0, 95.0, 52.0, 38.0)
    turn = np.array([[1, -0.1, 0.05], [0.1, 1, -0.02], [-0.05, 0.02, 1]])
    rotation, _ = np.linalg.qr(turn)
    rotation *= np.sign(np.diag(rotation))[:, None]
    motion = Rigid(rotation, np.array([0.3, -0.1, 0.2]))
    depth_z = rng.uniform(2, 5, (48, 64))
    xy_px, _ = project(motion @ (pixel_rays(here) * depth_z[..., None]), there)
    matrix = projection(
        here.matrix, (64, 48), there.matrix, (100, 80),
        np.column_stack([motion.rotation, motion.translation]),
    )  # fmt: skip
    inverse = torch.tensor(1 / depth_z, dtype=torch.float32)[None, None]
    grid = source_grid(torch.tensor(matrix[None], dtype=torch.float32), inverse, (48, 64))
    found_px = (grid[0, 0].numpy() + 1) * [50, 40]
    # float32 over a hundred pixels.
    np.testing.assert_allclose(found_px, xy_px, atol=1e-3)


def test_half_precision_looks_up_the_very_pixels() -> None:
    stripes = (torch.arange(160) % 2).float().expand(1, 1, 4, -1)
    x = (torch.arange(160) + 0.5) / 80 - 1
    grid = torch.stack([x, torch.zeros(160)], -1)[None, None, None]
    for kind in (torch.float32, torch.float16, torch.bfloat16):
        found = sample(stripes.to(kind), grid)
        assert found.dtype == kind
        # Float32 knows the places to 1e-5 of a pixel; bfloat16 alone would be off by 0.3.
        torch.testing.assert_close(found[0, 0, 0, 0].float(), stripes[0, 0, 0], rtol=0, atol=1e-3)


def test_mixed_precision_does_not_move_the_places_that_are_looked_up() -> None:
    matrix = torch.tensor([[[0.99, 0.01, 0.03, 0.2], [0.0, 1.01, -0.02, 0.1], [0.0, 0.01, 1, 0.0]]])
    inverse_depth = torch.linspace(0.1, 1, 8).view(1, 8, 1, 1)
    exact = source_grid(matrix, inverse_depth, (48, 64))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(source_grid(matrix, inverse_depth, (48, 64)), exact)


def test_matching_scores_are_those_of_the_classical_method() -> None:
    request = plane_scene.request()
    camera = request.reference.camera
    grey = grey_tensor(request.reference.rgb, camera.width_px, camera.height_px, CPU)
    source = source_view(request.reference, camera, request.sources[0], CPU)
    inverse = torch.full((1, 1), 0.25)
    cost = Matcher(grey, [source], radius=2, noise_grey=2.0).cost(inverse)
    alike = Ncc(grey + 128, radius=2)(source.sample(inverse)[None, None] + 128)
    torch.testing.assert_close(1 - 2 * cost, alike[0, 0], rtol=1e-3, atol=2e-3)


def test_group_wise_correlation_is_the_mean_product_within_each_group() -> None:
    generator = torch.Generator().manual_seed(0)
    reference = torch.rand(1, 4, 2, 3, generator=generator)
    found = torch.rand(1, 4, 5, 2, 3, generator=generator)
    result = correlation(reference, found, groups=2)
    expected = (reference[0, 2] * found[0, 2, 4] + reference[0, 3] * found[0, 3, 4]) / 2
    torch.testing.assert_close(result[0, 1, 4], expected)


def test_upsampling_never_leaves_the_range_of_the_nine_around() -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(1, 6, 8, generator=generator)
    weights = 5 * torch.randn(1, 36, 6, 8, generator=generator)
    fine = _convex_upsampled(values, weights)
    assert fine.shape == (1, 12, 16)
    highest = torch.nn.functional.max_pool2d(values[None], 3, 1, 1)[0]
    assert (fine <= highest.repeat_interleave(2, 1).repeat_interleave(2, 2) + 1e-6).all()


def test_upsampling_puts_each_new_pixel_where_its_parent_is() -> None:
    values = torch.arange(12.0).view(1, 3, 4)
    only_centre = torch.full((1, 9, 4, 3, 4), -50.0)
    only_centre[:, 4] = 50
    fine = _convex_upsampled(values, only_centre.view(1, 36, 3, 4))
    torch.testing.assert_close(fine, values.repeat_interleave(2, 1).repeat_interleave(2, 2))


def test_on_both_sides_of_a_deep_edge_the_search_goes_on_around_what_is_there() -> None:
    coarse = torch.full((1, 6, 8), 0.1)
    coarse[..., 4:] = 0.9
    centre, reach = _search_range(coarse, torch.full_like(coarse, 1e-3), 64)
    own = coarse.repeat_interleave(2, 1).repeat_interleave(2, 2)
    assert ((centre - own).abs() <= reach).all()
    # Eight planes, not a look at everything.
    assert reach.max() <= 8 / 63 + 1e-6


def test_across_a_shallow_edge_the_search_spans_both_sides() -> None:
    coarse = torch.full((1, 6, 8), 0.5)
    coarse[..., 4:] = 0.56
    centre, reach = _search_range(coarse, torch.full_like(coarse, 1e-3), 64)
    edge = slice(7, 9)
    assert (centre[..., edge] - reach[..., edge] <= 0.515).all()
    assert (centre[..., edge] + reach[..., edge] >= 0.545).all()


def draw(scene: RenderedScene, seed: int) -> Sample:
    generator = torch.Generator().manual_seed(seed)
    return make_sample(scene, generator, size=(96, 64), sources=3, planes=16)


def textured_likeness(sample_: Sample) -> float:
    """Median NCC between the reference and what sources show at the true depth."""
    views = sample_.views
    grey = views.reference.mean(1, keepdim=True) * 255
    known = sample_.depth_z > 0
    inverse = 1 / sample_.depth_z.clamp_min(1e-6)
    ncc, scores = Ncc(grey), []
    for photo, matrix in zip(views.sources, views.projections, strict=True):
        grid = source_grid(matrix, inverse[:, None], grey.shape[-2:])
        alike = ncc(sample(photo.mean(1, keepdim=True) * 255, grid)[:, 0])
        scores.append(alike[(inside(grid) > 0) & known[:, None]])
    return torch.cat(scores).quantile(0.75).item()


def test_true_depth_lays_the_sources_over_the_reference(scene: RenderedScene) -> None:
    # Blur, noise and wrong poses are part of the samples; a wrong projection gives about 0.
    likeness = np.median([textured_likeness(draw(scene, seed)) for seed in range(8)])
    assert likeness > 0.5
    wrong = [
        textured_likeness(replace(one, depth_z=one.depth_z * 1.3))
        for one in (draw(scene, seed) for seed in range(8))
    ]
    assert np.median(wrong) < likeness - 0.2


def test_sparse_points_of_a_sample_lie_near_its_true_depth(scene: RenderedScene) -> None:
    errors = []
    for seed in range(12):
        one = draw(scene, seed)
        place = one.views.sparse
        # Points come from anywhere in their cell of 4 x 4 pixels.
        cells = one.depth_z.unfold(1, 4, 4).unfold(2, 4, 4).flatten(3)
        depth_z = 1 / one.views.inverse_depth(place)
        nearest = ((cells - depth_z[..., None]).abs() / depth_z[..., None]).amin(-1)
        errors.append(nearest[place >= 0])
    # 0.4 % noise, 3 % outliers.
    assert torch.cat(errors).numel() > 50
    assert torch.cat(errors).quantile(0.85) < 0.012


def test_samples_depend_on_the_generator_alone(scene: RenderedScene) -> None:
    one, other = draw(scene, 5), draw(scene, 5)
    assert torch.equal(one.views.reference, other.views.reference)
    assert torch.equal(one.views.sparse, other.views.sparse)
    assert not torch.equal(one.views.reference, draw(scene, 6).views.reference)


def test_truth_itself_has_the_lowest_loss(scene: RenderedScene) -> None:
    batch = collate([draw(scene, 1), draw(scene, 2)])
    network = MultiViewNet()
    estimate = network(batch.views)
    inverse = batch.views.inverse_range[:, :, None, None]
    truth = (1 / batch.depth_z.clamp_min(1e-6) - inverse[:, 0]) / (inverse[:, 1] - inverse[:, 0])
    truth = truth.clamp(0, 1)
    perfect = replace(estimate, full=truth, fine=truth[:, ::2, ::2], coarse=truth[:, 1::4, 1::4])
    now, best = (losses(e, batch.views, batch.depth_z) for e in (estimate, perfect))
    for name in ("full", "fine", "coarse", "slope"):
        assert best[name] < 0.1 * now[name]


@pytest.mark.slow
def test_the_network_learns_one_sample_by_heart() -> None:
    torch.manual_seed(0)
    scene = render_scene(4, width_px=128, height_px=96, views=4)
    batch = collate([draw(scene, 1), draw(scene, 2)])
    network = MultiViewNet()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    first = None
    for _ in range(80):
        optimizer.zero_grad()
        parts = losses(network(batch.views), batch.views, batch.depth_z)
        loss = torch.stack(list(parts.values())).sum()
        loss.backward()
        optimizer.step()
        first = first or parts["full"].item()
    assert parts["full"].item() < 0.35 * first


def test_depth_comes_at_the_size_of_the_photo_and_within_the_range(checkpoint: Path) -> None:
    request = plane_scene.request()
    mask = np.zeros((120, 160), bool)
    mask[30:90, 40:120] = True
    prediction = predict(plane_scene.request(mask), checkpoint)
    near, far = request.depth_range
    assert prediction.kind == "scene"
    assert prediction.values.shape == prediction.confidence.shape == (120, 160)
    assert (prediction.values[~mask] == 0).all()
    inside_mask = prediction.values[mask]
    assert (inside_mask >= near * 0.999).all()
    assert (inside_mask <= far * 1.001).all()
    assert 0 <= prediction.confidence.min() <= prediction.confidence.max() <= 1


def test_photos_that_cannot_be_compared_get_no_depth_and_do_not_end_the_run(
    checkpoint: Path,
) -> None:
    request = plane_scene.request()
    black = replace(request.reference, rgb=np.zeros_like(request.reference.rgb))
    same_place = replace(request.sources[0], cam_from_world=request.reference.cam_from_world)
    for hopeless in (
        replace(request, reference=black),
        replace(request, sources=(same_place,)),
        replace(request, sources=()),
        replace(request, depth_range=(-1.0, 4.0)),
        replace(request, depth_range=(0.0, np.inf)),
    ):
        assert not predict(hopeless, checkpoint).values.any()


def test_black_sources_lower_the_trust_but_break_nothing(checkpoint: Path) -> None:
    request = plane_scene.request()
    sources = tuple(replace(s, rgb=np.zeros_like(s.rgb)) for s in request.sources)
    prediction = predict(replace(request, sources=sources), checkpoint)
    assert np.isfinite(prediction.values).all()


def test_a_cancel_is_heard_between_photos(checkpoint: Path) -> None:
    def cancelled() -> None:
        raise Cancelled

    settings = {"checkpoint": str(checkpoint)}
    estimator = MultiView(settings, Runtime(device="cpu"))
    with pytest.raises(Cancelled):
        list(estimator.predict([plane_scene.request()], cancelled))


def test_when_memory_runs_out_the_photo_is_done_on_the_cpu_at_the_same_resolution(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = []
    real = MultiViewNet.forward

    def forward(network: MultiViewNet, views: Views):
        tried.append(views.reference.shape[-1])
        if len(tried) == 1:
            raise torch.OutOfMemoryError("not enough")
        return real(network, views)

    request = plane_scene.request()
    settings = {"checkpoint": str(checkpoint), "network_px": 320}
    estimator = MultiView(settings, Runtime(device="cpu", workers=1))
    (expected,) = estimator.predict([request], lambda: None)
    monkeypatch.setattr(MultiViewNet, "forward", forward)
    (prediction,) = estimator.predict([request], lambda: None)
    np.testing.assert_array_equal(prediction.values, expected.values)
    np.testing.assert_array_equal(prediction.confidence, expected.confidence)
    assert tried[0] == tried[1]
    assert "network_px" in caplog.text


def test_damaged_weights_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    description = tmp_path / "net.json"
    description.write_bytes(checkpoint.read_bytes())
    weights = checkpoint.with_suffix(".safetensors")
    with pytest.raises(EstimatorError, match="cannot be read"):
        predict(plane_scene.request(), description)
    (tmp_path / weights.name).write_bytes(weights.read_bytes()[:-8] + bytes(8))
    with pytest.raises(EstimatorError, match="damaged"):
        predict(plane_scene.request(), description)


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    write_checkpoint(path, KIND, torch.nn.Linear(2, 2), {}, {})
    with pytest.raises(EstimatorError, match="do not fit"):
        predict(plane_scene.request(), path)


def test_the_shipped_weights_load_and_find_a_plane() -> None:
    request = plane_scene.request()
    (prediction,) = make_estimator("multiview", {}, Runtime(device="cpu")).predict(
        [request], lambda: None
    )
    truth = plane_scene.depth_of_plane(plane_scene.CAMERA, request.reference.cam_from_world)
    error = np.abs(prediction.values / truth - 1)[8:-8, 8:-8]
    assert np.mean(error < 0.03) > 0.9


@pytest.mark.gpu
def test_cpu_and_gpu_agree() -> None:
    request = plane_scene.request()
    on_cpu, on_gpu = (
        next(iter(make_estimator("multiview", {}, Runtime(device=device)).predict(
            [request], lambda: None
        )))
        for device in ("cpu", "cuda")
    )  # fmt: skip
    difference = np.abs(on_gpu.values / on_cpu.values - 1)
    assert np.quantile(difference, 0.99) < 1e-3


def test_views_turn_places_into_inverse_depth() -> None:
    empty = torch.empty(0)
    views = Views(empty, [], [], empty, torch.tensor([[0.1, 0.5], [0.2, 1.0]]))
    places = torch.tensor([[[0.0, 1.0]], [[0.5, 0.25]]])
    expected = torch.tensor([[[0.1, 0.5]], [[0.6, 0.4]]])
    torch.testing.assert_close(views.inverse_depth(places), expected)
