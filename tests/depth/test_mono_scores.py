"""The benchmarks' numbers against cases worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from recon3d.depth.mono.scores import benchmark_crop, depth_scores, scaled_to_truth


def test_scores_match_a_case_worked_out_by_hand() -> None:
    truth = np.array([[1.0, 2.0], [4.0, 0.0]])
    depth = np.array([[1.0, 3.0], [2.0, 5.0]])
    scores = depth_scores(depth, truth)
    # Errors 0, 1, -2; ratios 1, 1.5, 2.
    assert scores.abs_rel == pytest.approx((0 + 1 / 2 + 2 / 4) / 3)
    assert scores.sq_rel == pytest.approx((0 + 1 / 2 + 4 / 4) / 3)
    assert scores.rmse == pytest.approx(math.sqrt((0 + 1 + 4) / 3))
    logs = [0.0, math.log(1.5), -math.log(2)]
    assert scores.rmse_log == pytest.approx(math.sqrt(sum(x * x for x in logs) / 3))
    assert scores.log10 == pytest.approx((math.log10(1.5) + math.log10(2)) / 3)
    mean = sum(logs) / 3
    variance = sum(x * x for x in logs) / 3 - mean**2
    assert scores.silog == pytest.approx(100 * math.sqrt(variance))
    # 1.25^2 = 1.5625 and 1.25^3 = 1.953: the last ratio is beyond both.
    assert (scores.delta1, scores.delta2, scores.delta3) == pytest.approx((1 / 3, 2 / 3, 2 / 3))
    assert scores.coverage == 1.0


def test_a_hole_counts_against_coverage_only() -> None:
    scores = depth_scores(np.array([[2.0, 0.0]]), np.array([[2.0, 2.0]]))
    assert scores.abs_rel == 0
    assert scores.coverage == 0.5


def test_without_a_common_pixel_the_scores_are_nan() -> None:
    scores = depth_scores(np.zeros((2, 2)), np.ones((2, 2)))
    assert math.isnan(scores.abs_rel)
    assert scores.coverage == 0
    assert math.isnan(depth_scores(np.ones((2, 2)), np.zeros((2, 2))).coverage)


def test_silog_does_not_change_with_scale() -> None:
    rng = np.random.default_rng(0)
    truth, depth = rng.uniform(1, 5, (2, 8, 8))
    once, scaled = depth_scores(depth, truth), depth_scores(7 * depth, truth)
    assert scaled.silog == pytest.approx(once.silog)
    assert scaled.abs_rel > once.abs_rel


def test_crops_are_the_ones_of_the_benchmarks() -> None:
    nyu = benchmark_crop(480, 640, "eigen", kitti=False)
    rows, columns = np.nonzero(nyu)
    assert (rows.min(), rows.max() + 1) == (45, 471)
    assert (columns.min(), columns.max() + 1) == (41, 601)
    garg = benchmark_crop(375, 1242, "garg", kitti=True)
    rows, columns = np.nonzero(garg)
    # int(0.40810811 * 375), int(0.99189189 * 375), int(0.03594771 * 1242), int(0.96405229 * 1242)
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (153, 371, 44, 1197)
    assert benchmark_crop(4, 5, "none", kitti=True).all()


def test_median_scaling_finds_the_factor_and_keeps_holes() -> None:
    truth = np.array([[2.0, 4.0, 6.0]])
    depth = np.array([[1.0, 2.0, 0.0]])
    np.testing.assert_allclose(scaled_to_truth(depth, truth, "median"), [[2.0, 4.0, 0.0]])


def test_affine_scaling_finds_scale_and_shift_of_the_inverse_depth() -> None:
    truth = np.random.default_rng(1).uniform(1, 5, (6, 6))
    depth = 1 / (0.3 / truth + 0.2)
    np.testing.assert_allclose(scaled_to_truth(depth, truth, "affine"), truth, rtol=1e-9)
    assert not np.allclose(scaled_to_truth(depth, truth, "median"), truth, rtol=0.01)
