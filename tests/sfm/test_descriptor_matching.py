"""Every descriptor is compared with every other, exactly, on any processor and by any threads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recon3d.core.camera import Intrinsics, PinholeCamera
from recon3d.core.errors import Cancelled
from recon3d.core.scene import CameraEstimate
from recon3d.run.task import CancelToken, Event, Task, silent
from recon3d.sfm.descriptor_matching import (
    Products,
    fastest_products,
    match_descriptors,
    nearest_two,
    products_of_bytes,
    products_of_floats,
)
from recon3d.sfm.features import PhotoDatabase, PhotoToPlace, prepare
from recon3d.sfm.matching import match_pairs
from recon3d.sfm.pycolmap_library import pycolmap

WAYS = pytest.mark.parametrize("multiply", [products_of_bytes, products_of_floats])


def descriptors(count: int, seed: int) -> np.ndarray:
    """As long as SIFT's, with roots of shares."""
    share = np.random.default_rng(seed).gamma(0.6, 1, (count, 128))
    share /= share.sum(axis=1, keepdims=True)
    return np.minimum(np.round(512 * np.sqrt(share)), 255).astype(np.uint8)


def all_products(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return first.astype(np.int64) @ second.T.astype(np.int64)


@WAYS
@pytest.mark.parametrize(
    "sizes", [(1, 1), (1, 2), (3, 1), (63, 64), (65, 129), (256, 1024), (257, 1025), (700, 2100)]
)
def test_the_two_largest_products_are_those_of_all(
    multiply: Products, sizes: tuple[int, int]
) -> None:
    first, second = descriptors(sizes[0], 1), descriptors(sizes[1], 2)
    products = all_products(first, second)
    for found, rows in zip(
        nearest_two(first, second, multiply), (products, products.T), strict=True
    ):
        ranked = np.sort(rows, axis=1)[:, ::-1]
        assert (found[:, 0] == ranked[:, 0]).all()
        assert (found[:, 1] == (ranked[:, 1] if rows.shape[1] > 1 else -1)).all()
        assert (rows[np.arange(len(rows)), found[:, 2]] == ranked[:, 0]).all()


@WAYS
def test_nothing_overflows_up_to_the_longest_that_are_taken(multiply: Products) -> None:
    # 32 bytes of 255 are twice as long as SIFT's.
    for bright in (slice(0, 32), slice(96, 128)):
        first = np.zeros((300, 128), np.uint8)
        first[::2, bright] = 255
        second = np.zeros((1100, 128), np.uint8)
        second[7, bright], second[1050, bright] = 255, 254
        of_first, of_second = nearest_two(first, second, multiply)
        assert (of_first[::2, 0] == 32 * 255**2).all()
        assert (of_first[::2, 1] == 32 * 255 * 254).all()
        assert (of_first[::2, 2] == 7).all()
        assert (of_first[1::2, :2] == 0).all()
        assert (of_second[7, :2] == 32 * 255**2).all()
    with pytest.raises(ValueError, match="longer"):
        nearest_two(np.full((2, 128), 255, np.uint8), first, multiply)


def test_matches_are_mutual_near_and_distinct() -> None:
    generator = np.random.default_rng(3)
    first = descriptors(500, 4)
    noise = generator.normal(0, 6, (300, 128))
    # The first 300 again, less clearly, in another order, among others.
    again = np.clip(np.round(first[:300] + noise), 0, 255).astype(np.uint8)
    order = generator.permutation(900)
    second = np.concatenate([again, descriptors(600, 5)])[order]
    place = np.argsort(order)
    found = match_descriptors(first, second, 0.8)
    truth = np.column_stack([np.arange(300), place[:300]])
    assert {tuple(row) for row in found.tolist()} >= {tuple(row) for row in truth[:290].tolist()}
    assert len(found) <= 305
    assert (np.diff(found[:, 0].astype(int)) > 0).all()
    turned = match_descriptors(second, first, 0.8)
    assert {tuple(row) for row in turned.tolist()} == {(b, a) for a, b in found.tolist()}
    # What is there twice tells nothing.
    twice = np.concatenate([second, second[place[:10]]])
    matched = set(match_descriptors(first, twice, 0.8)[:, 0].tolist())
    assert matched == set(found[:, 0].tolist()) - set(range(10))
    loose = match_descriptors(first, second, 0.87)
    assert {tuple(row) for row in loose.tolist()} >= {tuple(row) for row in found.tolist()}
    assert match_descriptors(first[:0], second, 0.8).shape == (0, 2)
    assert match_descriptors(first, second[:0], 0.8).shape == (0, 2)


def database_of(folder: Path, count: int) -> PhotoDatabase:
    """Photos of which neighbours share descriptors."""
    photos = []
    for number in range(count):
        picture = folder / f"{number}.png"
        Image.fromarray(np.zeros((8, 10), np.uint8)).save(picture)
        photos.append(PhotoToPlace(str(number), picture, None, "camera"))
    camera = PinholeCamera(1000, 800, 900.0, 900.0, 500.0, 400.0)
    cameras = {"camera": CameraEstimate(Intrinsics(camera), "given")}
    database = PhotoDatabase(folder / "sfm", tuple(photos), cameras)
    prepare(database)
    shared = descriptors(100 * (count + 1), 6)
    generator = np.random.default_rng(7)
    with database.open() as stored:
        for number in range(count):
            mine = shared[100 * number : 100 * (number + 2)]
            keypoints = generator.uniform(0, 800, (len(mine), 6)).astype(np.float32)
            stored.write_keypoints(number + 1, keypoints)
            described = pycolmap.FeatureDescriptors(
                type=pycolmap.FeatureExtractorType.SIFT, data=mine
            )
            stored.write_descriptors(number + 1, described)
    return database


def test_any_number_of_threads_finds_the_same_and_finished_pairs_stay(tmp_path: Path) -> None:
    pairs = [(a, b) for a in range(12) for b in range(a + 1, 12)]
    written = []
    for threads in (1, 3):
        folder = tmp_path / str(threads)
        folder.mkdir()
        database = database_of(folder, 12)
        told: list[Event] = []
        task = Task("pose", told.append, CancelToken())

        def match(task: Task, database: PhotoDatabase = database, threads: int = threads) -> None:
            match_pairs(database, pairs, loose=False, seed=0, threads=threads, task=task)

        stop = CancelToken()

        def cancel(event: Event, stop: CancelToken = stop) -> None:
            if event.note == "comparing pairs of photos" and event.done == 5:
                stop.cancel()

        with pytest.raises(Cancelled):
            match(Task("pose", cancel, stop))
        with database.open() as stored:
            assert 5 <= stored.num_matched_image_pairs() < len(pairs)
        match(task)
        compared = [event.done for event in told if event.note == "comparing pairs of photos"]
        assert compared == list(range(compared[0], len(pairs) + 1))
        assert compared[0] > 5
        with database.open() as stored:
            written.append(
                [np.asarray(stored.read_matches(a + 1, b + 1)).tolist() for a, b in pairs]
            )
    assert written[0] == written[1]
    for (a, b), matches in zip(pairs, written[0], strict=True):
        expected = [[100 + n, n] for n in range(100)] if b == a + 1 else []
        assert matches == expected
    match_pairs(database, [], loose=False, seed=0, threads=1, task=Task("", silent, CancelToken()))


def test_a_torch_that_cannot_tell_what_the_processor_has_is_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    monkeypatch.delattr(torch.cpu, "_is_vnni_supported", raising=False)
    assert fastest_products() is products_of_floats
