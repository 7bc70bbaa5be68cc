"""The plane sweep against analytic depth, and its fast parts against slow ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import plane_scene
import pytest
import torch

from recon3d.core.camera import backproject, project
from recon3d.core.depth import DepthEstimator, DepthRequest
from recon3d.core.errors import Cancelled, EstimatorError
from recon3d.core.transform import Rigid
from recon3d.depth.aggregation import Penalties, aggregate
from recon3d.depth.matching import Matcher, box_sum
from recon3d.depth.matching_cpu import CpuMatcher
from recon3d.depth.planesweep import PlaneSweep
from recon3d.depth.registry import estimator_names, make_estimator
from recon3d.depth.warp import grey_tensor, source_view
from recon3d.run.device import Runtime

CPU = torch.device("cpu")


def predict(request: DepthRequest, *, workers: int = 1) -> np.ndarray:
    estimator = PlaneSweep({}, Runtime(device="cpu", workers=workers))
    (prediction,) = estimator.predict([request], lambda: None)
    assert prediction.kind == "scene"
    return prediction.values


def test_a_slanted_textured_plane_comes_out_within_a_third_of_a_percent() -> None:
    request = plane_scene.request()
    truth = plane_scene.depth_of_plane(plane_scene.CAMERA, request.reference.cam_from_world)
    error = (predict(request) / truth - 1)[8:-8, 8:-8]
    # A tenth of a pixel of disparity at f = 150 px and a baseline of 0.4 is 0.7 % at depth 4.
    assert np.median(np.abs(error)) < 0.0035
    assert np.mean(np.abs(error) < 0.02) > 0.97
    # Half a pixel of a wrong convention would be 3 % here, growing across the slant.
    assert abs(np.median(error)) < 0.002


def test_pixels_outside_the_mask_have_no_depth() -> None:
    mask = np.zeros((120, 160), bool)
    mask[30:90, 40:120] = True
    depth_z = predict(plane_scene.request(mask))
    assert (depth_z[~mask] == 0).all()
    assert (depth_z[mask] > 0).all()


def test_the_result_does_not_depend_on_the_number_of_threads() -> None:
    requests = [plane_scene.request()] * 3
    several = PlaneSweep({}, Runtime(device="cpu", workers=3)).predict(requests, lambda: None)
    expected = predict(requests[0])
    for prediction in several:
        np.testing.assert_array_equal(prediction.values, expected)


def test_a_hidden_source_does_no_harm() -> None:
    request = plane_scene.request()
    hidden = request.sources[0]
    noise = np.random.default_rng(0).integers(0, 255, hidden.rgb.shape, np.uint8)
    broken = type(hidden)("broken", noise, hidden.camera, hidden.cam_from_world)
    worse = DepthRequest(
        request.reference, (broken, *request.sources[1:]), request.points_world, request.depth_range
    )
    truth = plane_scene.depth_of_plane(plane_scene.CAMERA, request.reference.cam_from_world)
    error = np.abs(predict(worse) / truth - 1)[8:-8, 8:-8]
    assert np.mean(error < 0.02) > 0.95


def test_cancelling_stops_in_the_middle_of_a_photo() -> None:
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls > 5:
            raise Cancelled

    with pytest.raises(Cancelled):
        list(PlaneSweep({}, Runtime(device="cpu")).predict([plane_scene.request()], check))


def test_a_request_without_a_depth_range_is_refused_by_name() -> None:
    request = plane_scene.request()
    endless = DepthRequest(
        request.reference, request.sources, request.points_world, (0.0, float("inf"))
    )
    with pytest.raises(EstimatorError, match="middle"):
        list(PlaneSweep({}, Runtime(device="cpu")).predict([endless], lambda: None))


def test_every_registered_estimator_keeps_the_protocol() -> None:
    for name in estimator_names():
        assert isinstance(make_estimator(name, {}, Runtime()), DepthEstimator)
    with pytest.raises(EstimatorError, match="no depth estimator"):
        make_estimator("crystal-ball", {}, Runtime())


def test_a_source_is_looked_up_where_the_point_projects() -> None:
    request = plane_scene.request()
    reference, source = request.reference, request.sources[0]
    depth_z = plane_scene.depth_of_plane(reference.camera, reference.cam_from_world)
    world = reference.cam_from_world.inverse() @ backproject(depth_z, reference.camera)
    uv_px, _ = project(source.cam_from_world @ world, source.camera)
    grid = source_view(reference, reference.camera, source, CPU).grid(torch.tensor(1 / depth_z))
    size = torch.tensor([160.0, 120.0])
    # float32 homogeneous coordinates of magnitude 160: a few 1e-5 px.
    np.testing.assert_allclose(((grid + 1) / 2 * size).numpy(), uv_px, atol=1e-3)


def test_a_source_looks_alike_at_the_true_depth() -> None:
    request = plane_scene.request()
    camera = request.reference.camera
    truth = torch.tensor(plane_scene.depth_of_plane(camera, request.reference.cam_from_world))
    sources = [source_view(request.reference, camera, source, CPU) for source in request.sources]
    grey = grey_tensor(request.reference.rgb, 160, 120, CPU)
    matcher = Matcher(grey, sources, radius=3, noise_grey=2.0)
    right, wrong = matcher.cost(1 / truth), matcher.cost(1 / (1.5 * truth))
    assert right[10:-10, 10:-10].median() < 0.02
    assert wrong[10:-10, 10:-10].median() > 0.15


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("radius", [1, 3])
def test_the_compiled_cost_is_that_of_torch(count: int, radius: int) -> None:
    request = plane_scene.request()
    frames = [*request.sources, *request.sources][:count]
    camera = request.reference.camera
    # Of other sizes, and one that looks elsewhere: much of it falls outside, or behind.
    elsewhere = replace(frames[0], cam_from_world=Rigid(np.diag([-1.0, 1, -1]), np.zeros(3)))
    sources = [source_view(request.reference, camera, f, CPU) for f in [*frames, elsewhere]]
    grey = grey_tensor(request.reference.rgb, 160, 120, CPU)
    plane = torch.tensor([[1 / 4.0]])
    y, x = torch.meshgrid(torch.arange(120.0), torch.arange(160.0), indexing="ij")
    waves = 0.25 + 0.1 * torch.sin(x / 9) * torch.cos(y / 7)
    for inverse_depth in (plane, waves, waves.T.contiguous().T):
        expected = Matcher(grey, sources, radius, 2.0).cost(inverse_depth)
        found = CpuMatcher(grey, sources, radius, 2.0).cost(inverse_depth)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("radius", [1, 2, 3, 4, 7])
def test_box_sums_equal_the_slow_ones(radius: int) -> None:
    values = torch.rand(20, 30)
    padded = torch.nn.functional.pad(values[None, None], (radius,) * 4, mode="replicate")
    slow = torch.nn.functional.avg_pool2d(padded, 2 * radius + 1, 1)[0, 0] * (2 * radius + 1) ** 2
    torch.testing.assert_close(box_sum(values, radius), slow, rtol=1e-5, atol=1e-4)


def test_aggregation_equals_a_slow_walk_along_every_path() -> None:
    rng = np.random.default_rng(3)
    cost = rng.random((6, 7, 9)).astype(np.float32)
    grey = rng.integers(0, 255, (7, 9)).astype(np.float32)
    penalties = Penalties(small=0.05, large=0.4, edge_grey=20.0)
    fast = aggregate(torch.tensor(cost), torch.tensor(grey), penalties, lambda: None).numpy()
    inner = (slice(None), slice(2, -2), slice(2, -2))
    # Away from the border, where sideways paths repeat the edge, both walk the same paths for
    # the four straight directions; the diagonals are compared through their sum.
    slow = sum(
        _path_costs(cost, grey, step, penalties)
        for step in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))
    )
    np.testing.assert_allclose(fast[inner], (slow / 8)[inner], atol=1e-5)


def _path_costs(
    cost: np.ndarray, grey: np.ndarray, step: tuple[int, int], penalties: Penalties
) -> np.ndarray:
    """Hirschmueller 2008, eq. 13, pixel by pixel; beyond the sides the edge repeats."""
    planes, height, width = cost.shape
    out = np.zeros_like(cost)
    rows = range(height) if step[0] >= 0 else range(height - 1, -1, -1)
    columns = range(width) if step[1] >= 0 else range(width - 1, -1, -1)
    for y in rows:
        for x in columns:
            before_y, before_x = y - step[0], x - step[1]
            if step[0] != 0:
                before_x = min(max(before_x, 0), width - 1)
            if not (0 <= before_y < height and 0 <= before_x < width):
                out[:, y, x] = cost[:, y, x]
                continue
            before = out[:, before_y, before_x]
            edge = abs(grey[y, x] - grey[before_y, before_x]) / penalties.edge_grey
            jump = max(penalties.large / (1 + edge), penalties.small)
            for d in range(planes):
                near = [before[n] + penalties.small for n in (d - 1, d + 1) if 0 <= n < planes]
                best = min(before[d], before.min() + jump, *near)
                out[d, y, x] = cost[d, y, x] + best - before.min()
    return out


@pytest.mark.gpu
def test_the_gpu_gives_the_depth_of_the_cpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    request = plane_scene.request()
    (on_gpu,) = PlaneSweep({}, Runtime(device="cuda")).predict([request], lambda: None)
    difference = np.abs(on_gpu.values / predict(request) - 1)
    # Ties between planes may fall the other way where rounding differs.
    assert np.mean(difference < 1e-3) > 0.99
