"""Features -> verified matches between pairs of photos."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Int

from recon3d.run.task import Task
from recon3d.sfm.features import PhotoDatabase
from recon3d.sfm.pycolmap_library import pycolmap, run_cancellable

Pair = tuple[int, int]

# A block is what an interruption loses and the grain of the progress.
_BLOCK_PAIRS = 50


def match_pairs(
    database: PhotoDatabase,
    pairs: Sequence[Pair],
    *,
    loose: bool,
    seed: int,
    threads: int,
    task: Task,
) -> None:
    """Match and verify pairs of photos, given as indices; finished pairs are skipped.

    loose accepts less distinct matches.
    """
    if not pairs:
        return
    matching = pycolmap.FeatureMatchingOptions()
    matching.use_gpu = False
    matching.num_threads = threads
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = seed
    if loose:
        matching.sift.max_ratio = 0.87
    pairing = pycolmap.ImportedPairingOptions()
    pairing.block_size = _BLOCK_PAIRS
    pairing.match_list_path = database.folder / "pairs.txt"
    pairing.match_list_path.write_text(
        "".join(f"{database.name(a)} {database.name(b)}\n" for a, b in pairs), encoding="utf-8"
    )
    with database.open() as watched:
        before = watched.num_matched_image_pairs()
        run_cancellable(
            task,
            database.folder,
            lambda: (
                watched.num_matched_image_pairs() - before,
                len(pairs),
                "comparing pairs of photos",
            ),
            lambda token: pycolmap.match_image_pairs(
                database.path,
                matching,
                pairing,
                verification,
                device=pycolmap.Device.cpu,
                cancellation_token=token,
            ),
        )


def count_matches(database: PhotoDatabase) -> Int[np.ndarray, "n n"]:
    """Verified matches between every two photos, symmetric."""
    matches = np.zeros((len(database.photos),) * 2, np.int64)
    with database.open() as stored:
        pair_ids, inliers = stored.read_two_view_geometry_num_inliers()
    for pair_id, count in zip(pair_ids, inliers, strict=True):
        a, b = pycolmap.pair_id_to_image_pair(pair_id)
        matches[a - 1, b - 1] = matches[b - 1, a - 1] = count
    return matches


def forget_pairs(database: PhotoDatabase, pairs: Iterable[Pair]) -> None:
    """Drop what was matched between pairs, so that they are matched anew."""
    with database.open() as stored:
        for a, b in pairs:
            stored.delete_matches(a + 1, b + 1)
            stored.delete_two_view_geometry(a + 1, b + 1)
