"""Alignment against known scales, shifts, bends, outliers and noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import plane_scene
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recon3d.core.camera import PinholeCamera, backproject
from recon3d.core.depth import PredictedDepth
from recon3d.core.errors import AlignmentError, TooLittleDepthError
from recon3d.core.scene import PosedPhotos, PosedScene, SparsePoints, View
from recon3d.core.transform import Rigid
from recon3d.depth.align import AlignConfig, align_depth, is_needed, read_aligned
from recon3d.depth.alignment import fit_alignment, fit_scale_and_shift, sample
from recon3d.depth.anchors import Anchors, point_anchors, point_sigmas
from recon3d.depth.consistency import RefineConfig, refine_depth
from recon3d.depth.spline import field_at, field_map
from recon3d.run.task import CancelToken, Event, Task

CAMERA = PinholeCamera(160, 120, 150.0, 150.0, 80.0, 60.0)
POSITIVE = st.floats(0.01, 100)


def anchors(count: int, seed: int = 0, sigma: float = 1e-4) -> Anchors:
    rng = np.random.default_rng(seed)
    return Anchors(rng.random((count, 2)), rng.uniform(1, 8, count), np.full(count, sigma))


@settings(max_examples=20, deadline=None)
@given(POSITIVE, st.floats(-1, 0.1), POSITIVE)
def test_scale_and_shift_come_back_exactly(scale: float, shift: float, size: float) -> None:
    known = anchors(60)
    # The scene's own size must not matter.
    known = Anchors(known.uv, known.depth_z * size, known.sigma)
    values = (1 / known.depth_z - shift / size) / scale
    fit = fit_alignment("relative", values, known, None, 30)
    usable = values > 0
    aligned = fit.depth_at(values, known.uv)
    # The weak prior towards no shift costs a few parts in a million.
    np.testing.assert_allclose(aligned[usable], known.depth_z[usable], rtol=1e-4)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["relative", "metric"])
def test_four_of_ten_anchors_may_be_wrong(kind: str, seed: int) -> None:
    known = anchors(200, seed)
    rng = np.random.default_rng(seed + 100)
    values = 3.0 / known.depth_z + 0.7 if kind == "relative" else known.depth_z / 2.5
    values = values * (1 + rng.normal(0, 0.01, 200))
    wrong = rng.permutation(200) < 80
    # All on one side: the worst case for whatever averages.
    depth_z = np.where(wrong, known.depth_z * rng.uniform(1.3, 4, 200), known.depth_z)
    fit = fit_alignment(kind, values, Anchors(known.uv, depth_z, known.sigma), None, 30)  # type: ignore[arg-type]
    aligned = fit.depth_at(values, known.uv)[~wrong]
    ratio = aligned / known.depth_z[~wrong]
    # The values' own 1 % of noise is up to 3 % of depth where 0.7 of shift is most of the value;
    # least squares would be off by tens of percent.
    assert abs(np.median(ratio) - 1) < 0.025
    assert np.percentile(np.abs(ratio - 1), 90) < 0.1


def test_noise_of_the_anchors_gives_an_error_of_the_expected_size() -> None:
    said = np.random.default_rng(1).uniform(0.5, 4, 100)
    noise, scales, shifts = 0.02, [], []
    for seed in range(150):
        target = 0.3 * said + 0.2 + np.random.default_rng(seed).normal(0, noise, 100)
        scale, shift = fit_scale_and_shift(said, target, np.full(100, noise))
        scales.append(scale)
        shifts.append(shift)
    design = np.stack([said, np.ones(100)], axis=1)
    expected = noise * np.sqrt(np.diag(np.linalg.inv(design.T @ design)))
    # Cauchy weights are 95 % efficient, 150 trials know a deviation to 6 %.
    np.testing.assert_allclose([np.std(scales), np.std(shifts)], expected, rtol=0.2)
    assert abs(np.mean(scales) - 0.3) < 4 * expected[0] / np.sqrt(150)


def test_what_is_left_at_the_anchors_is_reported() -> None:
    known = anchors(2000)
    values = known.depth_z * np.exp(np.random.default_rng(2).normal(0, 0.05, 2000))
    fit = fit_alignment("metric", values, known, None, 30)
    assert fit.error == pytest.approx(0.05, rel=0.1)
    assert fit.scale == pytest.approx(1.0, abs=0.005)


def test_uncertain_anchors_count_less() -> None:
    known = anchors(200)
    near, far = np.full(100, 1e-4), np.full(100, 0.3)
    depth_z = np.concatenate([known.depth_z[:100], known.depth_z[100:] * 1.1])
    trusting = fit_alignment(
        "metric", known.depth_z, Anchors(known.uv, depth_z, np.concatenate([near, near])), None, 30
    )
    knowing = fit_alignment(
        "metric", known.depth_z, Anchors(known.uv, depth_z, np.concatenate([near, far])), None, 30
    )
    # inverse depth = scale * 1 / depth: anchors that lie too far pull the scale down.
    assert 1 - knowing.scale < 0.3 * (1 - trusting.scale)


def test_a_smooth_bend_is_taken_out_where_anchors_show_it() -> None:
    known = anchors(300)
    bend = np.exp(0.15 * np.sin(5 * known.uv[:, 0]) * np.cos(4 * known.uv[:, 1]))
    values = 2.0 / known.depth_z * bend + 0.4
    straight = fit_alignment("relative", values, known, None, 30)
    bent = fit_alignment("relative", values, known, (9, 12), 30)
    assert straight.error > 0.05
    assert bent.error < 0.02
    other = anchors(300, seed=9)
    bend = np.exp(0.15 * np.sin(5 * other.uv[:, 0]) * np.cos(4 * other.uv[:, 1]))
    elsewhere = bent.depth_at(2.0 / other.depth_z * bend + 0.4, other.uv)
    assert np.median(np.abs(elsewhere / other.depth_z - 1)) < 0.02


def test_the_field_stays_calm_far_from_all_anchors() -> None:
    known = anchors(200)
    left = known.where(known.uv[:, 0] < 0.5)
    values = left.depth_z * np.exp(0.3 * left.uv[:, 0])
    fit = fit_alignment("metric", values, left, (9, 12), 30)
    assert fit.field is not None
    # Continued as a slope it would reach 0.15 more at the far end.
    assert np.ptp(field_at(fit.field, np.array([[0.55, 0.5], [1.0, 0.5]]))) < 0.1


def test_a_whole_map_is_aligned_as_its_pixels_are() -> None:
    rng = np.random.default_rng(3)
    values = rng.uniform(1, 2, (120, 160)).astype(np.float32)
    values[:10] = 0
    known = anchors(100)
    fit = fit_alignment("relative", 1 / known.depth_z + 0.1, known, (9, 12), 30)
    prediction = PredictedDepth(values, "relative", np.full((120, 160), 0.5, np.float32), CAMERA)
    aligned = fit.apply(prediction)
    row, column = rng.integers(0, 120, 50), rng.integers(0, 160, 50)
    uv = np.stack([(column + 0.5) / 160, (row + 0.5) / 120], axis=1)
    assert aligned.kind == "scene"
    expected = fit.depth_at(values[row, column].astype(np.float64), uv)
    np.testing.assert_allclose(aligned.values[row, column], expected, rtol=1e-5)
    assert (aligned.values[:10] == 0).all()
    assert (aligned.confidence[:10] == 0).all()


def test_a_field_is_the_same_at_pixels_and_at_places() -> None:
    field = np.random.default_rng(4).normal(0, 1, (6, 8))
    drawn = field_map(field, 40, 30)
    row, column = np.indices((30, 40)).reshape(2, -1)
    uv = np.stack([(column + 0.5) / 40, (row + 0.5) / 30], axis=1)
    np.testing.assert_allclose(drawn.ravel(), field_at(field, uv), atol=1e-12)
    np.testing.assert_allclose(field_map(np.ones((6, 8)), 40, 30), 1, atol=1e-12)


def test_a_prediction_is_read_between_pixels_but_not_beside_unknown_ones() -> None:
    values = np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 0.0]])
    uv = np.array([[1 / 3, 0.5], [0.0, 0.0], [0.6, 0.5], [1 / 6, 0.25]])
    np.testing.assert_allclose(sample(values, uv), [2.5, 1.0, 0.0, 1.0])


def test_too_few_anchors_are_refused_with_their_number() -> None:
    known = anchors(29)
    with pytest.raises(AlignmentError, match="only 29 points"):
        fit_alignment("relative", 1 / known.depth_z, known, None, 30)


def test_a_prediction_that_says_nothing_is_refused() -> None:
    known = anchors(50)
    with pytest.raises(AlignmentError, match="same depth everywhere"):
        fit_alignment("relative", np.ones(50), known, None, 30)
    with pytest.raises(AlignmentError, match="near for far"):
        fit_alignment("relative", known.depth_z, known, None, 30)


def test_before_a_flat_wall_the_shift_stays_small() -> None:
    rng = np.random.default_rng(5)
    known = Anchors(rng.random((60, 2)), np.full(60, 2.0), np.full(60, 0.01))
    values = 5.0 + rng.normal(0, 0.001, 60)
    fit = fit_alignment("relative", values, known, None, 30)
    assert np.abs(fit.depth_at(values, known.uv) / 2.0 - 1).max() < 0.01


def test_point_uncertainty_is_that_of_triangulation() -> None:
    views = two_views(baseline=0.4)
    points = SparsePoints(
        np.array([[0.2, 0.0, 4.0]]),
        np.zeros((1, 3), np.uint8),
        np.array([0.5]),
        np.array([[0, 0], [0, 1]]),
    )
    (sigma,) = point_sigmas(PosedScene(views, points, "scene"))
    rng = np.random.default_rng(6)
    # Depth from disparity with half a pixel of noise in both photos, thousands of times.
    disparity_px = 150 * 0.4 / 4.0 + rng.normal(0, 0.5, (10000, 2)) @ [1, -1]
    assert sigma == pytest.approx(np.std(150 * 0.4 / disparity_px) / 4.0, rel=0.05)


def test_more_sightings_make_a_point_more_certain() -> None:
    xyz = np.array([[0.0, 0.0, 4.0], [0.1, 0.0, 4.0]])
    views = [View(str(i), CAMERA, at(x)) for i, x in enumerate((-0.4, -0.2, 0.2, 0.4))]
    sightings = np.array([[0, 0], [0, 1], [0, 2], [0, 3], [1, 1], [1, 2]])
    points = SparsePoints(xyz, np.zeros((2, 3), np.uint8), np.full(2, 0.5), sightings)
    often, seldom = point_sigmas(PosedScene(tuple(views), points, "scene"))
    assert often < 0.6 * seldom


def test_views_that_see_few_points_gain_from_their_neighbours(tmp_path: Path) -> None:
    posed, predictions = bent_plane(points=60)
    alone = errors_after(posed, predictions, AlignConfig(neighbours=0), tmp_path / "alone")
    together = errors_after(posed, predictions, AlignConfig(), tmp_path / "together")
    assert np.mean(together) < 0.8 * np.mean(alone)


def test_one_photo_without_enough_points_does_not_stop_the_others(tmp_path: Path) -> None:
    posed, predictions = bent_plane(points=60)
    blind = next(iter(predictions))
    kept = posed.scene.points.observations[posed.scene.points.observations[:, 1] != 0]
    points = posed.scene.points
    points = SparsePoints(points.xyz_world, points.rgb, points.error_px, kept)
    posed = PosedPhotos(PosedScene(posed.scene.views, points, "scene"), {}, {}, {}, ())
    told: list[Event] = []
    align_depth(posed, predictions, AlignConfig(), tmp_path, Task("align", told.append, no_stop()))
    assert set(read_aligned(tmp_path)) == set(predictions) - {blind}
    (warning,) = [event.note for event in told if event.kind == "warning"]
    assert blind in warning
    assert "only 0 points" in warning


def test_a_run_in_which_nothing_can_be_aligned_says_why(tmp_path: Path) -> None:
    posed, predictions = bent_plane(points=10)
    with pytest.raises(TooLittleDepthError, match="only 10 points"):
        align_depth(posed, predictions, AlignConfig(), tmp_path, Task("align", print, no_stop()))


def test_unaligned_depth_cannot_be_refined(tmp_path: Path) -> None:
    posed, predictions = bent_plane(points=60)
    assert is_needed(predictions)
    with pytest.raises(ValueError, match="relative"):
        refine_depth(
            posed, predictions, RefineConfig(), tmp_path, Task("refine", print, no_stop())
        )  # fmt: skip


def no_stop() -> CancelToken:
    return CancelToken()


def at(x: float) -> Rigid:
    return Rigid(np.eye(3), np.array([-x, 0.0, 0.0]))


def two_views(baseline: float) -> tuple[View, View]:
    return View("left", CAMERA, at(0.0)), View("right", CAMERA, at(baseline))


def bent_plane(points: int) -> tuple[PosedPhotos, dict[str, PredictedDepth]]:
    """Five photos of the plane, each predicted with a scale, a shift and a bend of its own."""
    request = plane_scene.request()
    frames = (request.reference, *request.sources)
    views = tuple(View(f.view_id, f.camera, f.cam_from_world) for f in frames)
    rng = np.random.default_rng(0)
    depth_z = plane_scene.depth_of_plane(CAMERA, views[0].cam_from_world)
    lifted = (views[0].cam_from_world.inverse() @ backproject(depth_z, CAMERA)).reshape(-1, 3)
    xyz = lifted[rng.choice(len(lifted), points, replace=False)]
    index, view_index = np.indices((points, len(views))).reshape(2, -1)
    sparse = SparsePoints(
        xyz,
        np.zeros((points, 3), np.uint8),
        np.full(points, 0.5),
        np.stack([index, view_index], axis=1),
    )
    predictions = {}
    for view in views:
        truth = plane_scene.depth_of_plane(CAMERA, view.cam_from_world)
        bend = np.exp(field_map(rng.normal(0, 0.15, (6, 7)), CAMERA.width_px, CAMERA.height_px))
        values = (rng.uniform(1, 5) * bend / truth + 0.3).astype(np.float32)
        predictions[view.photo_id] = PredictedDepth(
            values, "relative", np.full(values.shape, 0.5, np.float32), CAMERA
        )
    return PosedPhotos(PosedScene(views, sparse, "scene"), {}, {}, {}, ()), predictions


def errors_after(
    posed: PosedPhotos, predictions: dict[str, PredictedDepth], config: AlignConfig, folder: Path
) -> list[float]:
    folder.mkdir()
    align_depth(posed, predictions, config, folder, Task("align", lambda event: None, no_stop()))
    aligned = read_aligned(folder)
    return [
        float(
            np.mean(
                np.abs(
                    aligned[view.photo_id].values
                    / plane_scene.depth_of_plane(CAMERA, view.cam_from_world)
                    - 1
                )
            )
        )
        for view in posed.scene.views
    ]


def test_a_view_is_anchored_at_the_points_it_sees() -> None:
    posed, _ = bent_plane(points=60)
    known = point_anchors(posed.scene, point_sigmas(posed.scene), 0)
    truth = plane_scene.depth_of_plane(CAMERA, posed.scene.views[0].cam_from_world)
    assert len(known) == 60
    # The points are pixel centres of this view: looked up there, its depth is theirs.
    np.testing.assert_allclose(sample(truth, known.uv), known.depth_z, rtol=1e-4)
