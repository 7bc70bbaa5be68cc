"""Matches of two photos -> those that one geometry explains, found by COLMAP's RANSAC.

Most pairs of a set show different things, and what matches in them by chance costs most: COLMAP
draws thousands of samples before it gives a pair up. Two things that are known before the first
sample spare nearly all of them; pairs that hold get the geometry that they had without:

- a pair counts from so many matches on that agree; where there are hardly more in all, most of
  them must agree, and then few samples find them;
- matches that agree turn the picture alike, and SIFT has measured how each feature is turned (weak
  geometric consistency: Jegou, Douze and Schmid, "Hamming embedding and weak geometric
  consistency", ECCV 2008).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float, Int, UInt32

from recon3d.run.task import Task
from recon3d.sfm.features import PhotoDatabase
from recon3d.sfm.pycolmap_library import pycolmap

Pair = tuple[int, int]

# What an interruption loses, and how many pairs' features are in memory at once.
_BLOCK_PAIRS = 50
_TURN_WINDOW_DEG = 60.0
# Of the matches that a pair needs; perspective turns some features further.
_FEWEST_TURNED_ALIKE = 2 / 3


def verify_pairs(
    database: PhotoDatabase,
    pairs: Sequence[Pair],
    *,
    seed: int,
    threads: int,
    task: Task,
    moving_only: bool = False,
) -> None:
    """Find the geometry of matched pairs, given as indices; pairs that have one are skipped.

    Args:
        database: Of the photos.
        pairs: Whose matches are known.
        seed: Of the samples.
        threads: To work with; the result is the same with any number.
        task: To step.
        moving_only: Leave out what stays in its place in the pictures.

    Raises:
        Cancelled: the user asked to stop; finished pairs stay.
    """
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(pairs), _BLOCK_PAIRS):
            block = pairs[start : start + _BLOCK_PAIRS]
            with database.open() as stored:
                waiting = _Waiting(stored, block, seed, moving_only, task)
                found = pool.map(waiting.geometry, waiting.pairs)
                for (a, b), geometry in zip(waiting.pairs, found, strict=True):
                    stored.write_two_view_geometry(a + 1, b + 1, geometry)
            task.step(start + len(block), len(pairs), "verifying pairs of photos")


class _Waiting:
    """Pairs without a geometry, with all that is needed to find it."""

    def __init__(
        self,
        stored: pycolmap.Database,
        pairs: Sequence[Pair],
        seed: int,
        moving_only: bool,
        task: Task,
    ) -> None:
        self.pairs = [(a, b) for a, b in pairs if not stored.exists_two_view_geometry(a + 1, b + 1)]
        self._seed, self._moving_only, self._task = seed, moving_only, task
        self._matches = {(a, b): stored.read_matches(a + 1, b + 1) for a, b in self.pairs}
        photos = sorted({photo for pair in self.pairs for photo in pair})
        self._features = {n: np.asarray(stored.read_keypoints(n + 1), np.float64) for n in photos}
        self._cameras = {n: stored.read_camera(stored.read_image(n + 1).camera_id) for n in photos}

    def geometry(self, pair: Pair) -> pycolmap.TwoViewGeometry:
        """Of a pair; DEGENERATE where none explains enough matches."""
        self._task.check()
        matches = self._matches[pair]
        fewest = pycolmap.TwoViewGeometryOptions().min_num_inliers
        if len(matches) >= fewest:
            first, second = (self._features[photo] for photo in pair)
            turned_deg = _turns_deg(second[matches[:, 1]]) - _turns_deg(first[matches[:, 0]])
            alike = matches[turned_alike(turned_deg)]
            # Of what matches by chance about a third is turned alike, of a pair that holds most.
            if 2 * len(alike) < len(matches):
                looked = self._estimate(pair, alike, round(_FEWEST_TURNED_ALIKE * fewest))
                if not len(looked.inlier_matches):
                    return looked
        return self._estimate(pair, matches, fewest)

    def _estimate(
        self, pair: Pair, matches: UInt32[np.ndarray, "n 2"], fewest: int
    ) -> pycolmap.TwoViewGeometry:
        options = pycolmap.TwoViewGeometryOptions()
        options.filter_stationary_matches = self._moving_only
        options.min_num_inliers = fewest
        options.ransac.random_seed = self._seed
        # The share of the matches for which COLMAP goes on drawing samples.
        least_share = max(options.ransac.min_inlier_ratio, fewest / max(fewest, len(matches)))
        options.ransac.min_inlier_ratio = least_share
        first, second = pair
        return pycolmap.estimate_two_view_geometry(
            self._cameras[first],
            self._features[first][:, :2],
            self._cameras[second],
            self._features[second][:, :2],
            matches,
            options,
        )


def turned_alike(turned_deg: Float[np.ndarray, "n"]) -> Int[np.ndarray, "k"]:
    """Rows of the angles, at least one, of the window of 60 degrees that holds most of them."""
    order = np.argsort(turned_deg % 360.0, kind="stable")
    sorted_deg = turned_deg[order] % 360.0
    twice_round = np.concatenate([sorted_deg, sorted_deg + 360.0])
    ends = np.searchsorted(twice_round, sorted_deg + _TURN_WINDOW_DEG, side="right")
    start = int((ends - np.arange(len(order))).argmax())
    return np.sort(np.concatenate([order, order])[start : ends[start]])


def _turns_deg(features: Float[np.ndarray, "n 6"]) -> Float[np.ndarray, "n"]:
    """How each feature is turned in its picture, from x to y; its shape is columns 2 to 5."""
    angles: np.ndarray = np.degrees(np.arctan2(features[:, 4], features[:, 2]))
    return angles
