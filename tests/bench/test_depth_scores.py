"""Depth maps against cases worked out by hand."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from recon3d.bench.depth_scores import confidence_bins, depth_errors


def test_depth_errors_match_a_case_worked_out_by_hand() -> None:
    truth = np.array([[2.0, 2.0, 2.0, 2.0], [4.0, 4.0, 0.0, 0.0]])
    depth = np.array([[2.0, 2.08, 2.4, 3.0], [0.0, 3.9, 5.0, 0.0]])
    errors = depth_errors([(depth, truth)])
    # Both known: errors 0, 0.04, 0.2, 0.5, 0.025; ratios 1, 1.04, 1.2, 1.5, 1.0256
    assert errors.abs_rel == pytest.approx((0 + 0.04 + 0.2 + 0.5 + 0.025) / 5)
    assert errors.within_105 == pytest.approx(3 / 5)
    assert errors.within_125 == pytest.approx(4 / 5)
    assert errors.coverage == pytest.approx(5 / 6)
    assert errors.all_within_5_percent == pytest.approx(3 / 6)


def test_depth_without_any_truth_is_nan_not_zero() -> None:
    errors = depth_errors([(np.ones((2, 2)), np.zeros((2, 2)))])
    assert np.isnan([errors.abs_rel, errors.within_105, errors.coverage]).all()
    assert np.isnan(errors.all_within_5_percent)


def test_an_empty_depth_map_covers_nothing() -> None:
    errors = depth_errors([(np.zeros((2, 2)), np.ones((2, 2)))])
    assert errors.coverage == 0
    assert errors.all_within_5_percent == 0
    assert np.isnan(errors.abs_rel)


def test_confidence_bins_count_how_often_each_confidence_is_right() -> None:
    truth = np.full(6, 2.0, np.float32)
    depth = np.array([2.0, 2.02, 2.08, 3.0, 0.0, 2.0], np.float32)
    confidence = np.array([0.9, 0.95, 0.1, 0.15, 0.9, 0.1], np.float32)
    low, high = confidence_bins([(depth, truth, confidence)])
    assert low.stated == pytest.approx(0.35 / 3)
    assert low.within_2_percent == pytest.approx(1 / 3)
    assert low.within_5_percent == pytest.approx(2 / 3)
    assert high.within_2_percent == 1
    # The pixel without depth counts nowhere.
    assert low.pixels == pytest.approx(3 / 5)


def test_there_are_no_confidence_bins_without_truth() -> None:
    nothing = np.zeros(3, np.float32)
    assert confidence_bins([(nothing + 1, nothing, nothing)]) == ()


def test_maps_one_after_the_other_count_as_one_large_map() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(1, 9, 1000)
    depth = truth * rng.normal(1, 0.05, 1000)
    confidence = rng.uniform(0, 1, 1000)
    truth[rng.random(1000) < 0.2] = 0
    depth[rng.random(1000) < 0.3] = 0
    parts = [slice(0, 10), slice(10, 700), slice(700, 1000)]
    errors = depth_errors((depth[part], truth[part]) for part in parts)
    # Sums in another order: the last digits differ.
    assert astuple(errors) == pytest.approx(astuple(depth_errors([(depth, truth)])), rel=1e-12)
    bins = confidence_bins((depth[part], truth[part], confidence[part]) for part in parts)
    together = confidence_bins([(depth, truth, confidence)])
    assert len(bins) == 5
    for one, other in zip(bins, together, strict=True):
        assert astuple(one) == pytest.approx(astuple(other), rel=1e-12)
