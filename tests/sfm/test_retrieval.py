"""Pairs of photos worth comparing."""

from __future__ import annotations

import numpy as np
import pytest

from recon3d.sfm.retrieval import (
    all_pairs,
    look_similarity,
    most_similar,
    place_similarity,
    sequential_pairs,
)


def test_all_pairs_are_each_once() -> None:
    assert all_pairs(4) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert all_pairs(1) == []


def test_frames_meet_near_ones_and_ever_further_ones() -> None:
    pairs = sequential_pairs(100, 10)
    assert [b for a, b in pairs if a == 0] == [1, 2, 3, 4, 5, 8, 16]
    assert all(a < b < 100 for a, b in pairs)


def test_photos_of_one_place_look_alike_and_empty_ones_like_nothing() -> None:
    generator = np.random.default_rng(0)
    places = [generator.integers(0, 256, (200, 128)) for _ in range(3)]
    photos = [
        np.clip(places[n % 3] + generator.normal(0, 5, (200, 128)), 0, 255).astype(np.uint8)
        for n in range(12)
    ]
    photos.append(np.zeros((0, 128), np.uint8))
    similarity = look_similarity(photos, seed=0)
    pairs = most_similar(similarity, 3)
    assert set(pairs) == {(a, b) for a, b in all_pairs(12) if a % 3 == b % 3}
    np.testing.assert_array_equal(similarity, look_similarity(photos, seed=0))


def test_distance_on_the_ground_is_in_metres() -> None:
    places = [np.array([3.0, 4.0, 100.0]), np.array([0.0, 0.0, 7.0]), None]
    similarity = place_similarity(places)
    assert -similarity[0, 1] == pytest.approx(5)
    assert most_similar(similarity, 2) == [(0, 1)]
