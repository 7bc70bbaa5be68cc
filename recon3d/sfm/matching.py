"""Features -> verified matches between pairs of photos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Int, UInt8, UInt32

from recon3d.run.task import Task
from recon3d.sfm.descriptor_matching import match_descriptors, matching_pool
from recon3d.sfm.features import PhotoDatabase, descriptors_of
from recon3d.sfm.pose_check import MatchedPair
from recon3d.sfm.pycolmap_library import pycolmap
from recon3d.sfm.rigs import taken_together
from recon3d.sfm.undistortion import undistort_pixels
from recon3d.sfm.verification import verify_pairs

Pair = tuple[int, int]
Descriptors = UInt8[np.ndarray, "n 128"]
Matches = UInt32[np.ndarray, "k 2"]

_MOST_RATIO, _MOST_RATIO_LOOSE = 0.8, 0.87
# What an interruption loses, and how many pairs' descriptors are in memory at once.
_BLOCK_PAIRS = 50
# What given poses are checked with.
_MOST_PAIRS, _MOST_MATCHES = 200, 100
_FEWEST_IN_PAIR = 30
# Of the longer side: poses of phones are off by some pixels, those of another convention by
# hundreds.
_TOLERANCE = 0.01


def match_pairs(
    database: PhotoDatabase,
    pairs: Sequence[Pair],
    *,
    loose: bool,
    seed: int,
    threads: int,
    task: Task,
    moving_only: bool = False,
) -> None:
    """Match and verify pairs of photos, given as indices; finished pairs are skipped.

    The result is the same with any number of threads.

    Args:
        database: Of the photos.
        pairs: To be compared.
        loose: Accept less distinct matches.
        seed: Of the verification.
        threads: To work with.
        task: To step.
        moving_only: Leave out what stays in its place in the pictures.
    """
    most_ratio = _MOST_RATIO_LOOSE if loose else _MOST_RATIO
    with matching_pool(threads) as pool:
        for start in range(0, len(pairs), _BLOCK_PAIRS):
            block = pairs[start : start + _BLOCK_PAIRS]
            with database.open() as stored:
                waiting = [(a, b) for a, b in block if not stored.exists_matches(a + 1, b + 1)]
                photos = {photo for pair in waiting for photo in pair}
                descriptors = {photo: descriptors_of(stored, photo) for photo in photos}

                def compare(pair: Pair, known: Mapping[int, Descriptors] = descriptors) -> Matches:
                    task.check()
                    first, second = pair
                    return match_descriptors(known[first], known[second], most_ratio)

                done = start + len(block) - len(waiting)
                for (a, b), matches in zip(waiting, pool.map(compare, waiting), strict=True):
                    stored.write_matches(a + 1, b + 1, matches)
                    done += 1
                    task.step(done, len(pairs), "comparing pairs of photos")
    verify_pairs(database, pairs, seed=seed, threads=threads, task=task, moving_only=moving_only)


def count_matches(database: PhotoDatabase) -> Int[np.ndarray, "n n"]:
    """Verified matches between every two photos, symmetric."""
    with database.open() as stored:
        return _symmetric(database, *stored.read_two_view_geometry_num_inliers())


def _symmetric(
    database: PhotoDatabase, pair_ids: Sequence[int], counts: Sequence[int]
) -> Int[np.ndarray, "n n"]:
    matches = np.zeros((len(database.photos),) * 2, np.int64)
    for pair_id, count in zip(pair_ids, counts, strict=True):
        a, b = pycolmap.pair_id_to_image_pair(pair_id)
        matches[a - 1, b - 1] = matches[b - 1, a - 1] = count
    return matches


def count_putative(database: PhotoDatabase) -> Int[np.ndarray, "n n"]:
    """Matches between every two photos before they are verified, symmetric."""
    with database.open() as stored:
        return _symmetric(database, *stored.read_num_matches())


def compare_loosely(
    database: PhotoDatabase,
    pairs: Sequence[Pair],
    *,
    seed: int,
    threads: int,
    task: Task,
    moving_only: bool = False,
) -> None:
    """Compare pairs again, accepting less distinct matches; whichever found more stays."""
    kept = {}
    with database.open() as stored:
        for a, b in pairs:
            if stored.exists_two_view_geometry(a + 1, b + 1):
                matches = stored.read_matches(a + 1, b + 1)
                kept[a, b] = matches, stored.read_two_view_geometry(a + 1, b + 1)
    forget_pairs(database, pairs)
    match_pairs(
        database,
        pairs,
        loose=True,
        seed=seed,
        threads=threads,
        task=task,
        moving_only=moving_only,
    )
    now = count_matches(database)
    worse = [pair for pair, (_, before) in kept.items() if len(before.inlier_matches) > now[pair]]
    forget_pairs(database, worse)
    with database.open() as stored:
        for a, b in worse:
            matches, before = kept[a, b]
            stored.write_matches(a + 1, b + 1, matches)
            stored.write_two_view_geometry(a + 1, b + 1, before)


def read_matched_pairs(database: PhotoDatabase) -> list[MatchedPair]:
    """Verified matches of pairs from all over the photos; a sample where there are many."""
    return _read_sample(database, count_matches(database) >= _FEWEST_IN_PAIR)


def read_pairs_of_moments(database: PhotoDatabase) -> list[MatchedPair]:
    """The same of photos that were taken together by the cameras of a rig."""
    together = taken_together([photo.place for photo in database.photos])
    return _read_sample(database, together & (count_matches(database) >= _FEWEST_IN_PAIR))


def _read_sample(database: PhotoDatabase, chosen: Bool[np.ndarray, "n n"]) -> list[MatchedPair]:
    pairs = _sample(np.argwhere(np.triu(chosen)), _MOST_PAIRS)
    with database.open() as stored:
        return [_matched_pair(database, stored, a, b) for a, b in pairs.tolist()]


def _matched_pair(
    database: PhotoDatabase, stored: pycolmap.Database, first: int, second: int
) -> MatchedPair:
    geometry = stored.read_two_view_geometry(first + 1, second + 1)
    matches = _sample(np.asarray(geometry.inlier_matches, np.int64), _MOST_MATCHES)
    rays, focals = [], []
    for index, column in ((first, 0), (second, 1)):
        spots = np.asarray(stored.read_keypoints(index + 1), np.float64)
        lens = database.cameras[database.photos[index].camera].intrinsics
        camera = lens.pinhole
        flat_px = undistort_pixels(spots[matches[:, column], :2], lens, camera)
        middle, focal_px = [camera.cx_px, camera.cy_px], np.array([camera.fx_px, camera.fy_px])
        rays.append(np.column_stack([(flat_px - middle) / focal_px, np.ones(len(flat_px))]))
        focals.append(_TOLERANCE * max(camera.width_px, camera.height_px) / float(focal_px.min()))
    photos = database.photos
    return MatchedPair(photos[first].id, photos[second].id, rays[0], rays[1], max(focals))


def _sample(rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many, evenly spread."""
    return rows[np.linspace(0, len(rows) - 1, most).astype(int)] if len(rows) > most else rows


def forget_pairs(database: PhotoDatabase, pairs: Iterable[Pair]) -> None:
    """Drop what was matched between pairs, so that they are matched anew."""
    with database.open() as stored:
        for a, b in pairs:
            stored.delete_matches(a + 1, b + 1)
            stored.delete_two_view_geometry(a + 1, b + 1)
