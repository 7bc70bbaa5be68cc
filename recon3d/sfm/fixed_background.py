"""A thing that turns before a camera on a tripod: the background stays where it is in the pictures.

Its features match best of all and say that the camera never moved, so nothing can be placed by
them.
"""

from __future__ import annotations

import numpy as np

from recon3d.sfm.features import PhotoDatabase
from recon3d.sfm.pycolmap_library import pycolmap

# A camera on a tripod shows the background at the same place within a fraction of a pixel. What a
# moving camera keeps in the middle of its pictures moves by anything up to many pixels.
_STILL_PX = 1.0
# COLMAP's own limit, of which its filter makes use.
_FILTERED_PX = 4.0
_FEWEST_MATCHES = 30
# Of the matches between two photos; between photos of a camera that moves it is next to none.
_LEAST_STILL = 0.2
# Of the pairs. Slow films have still matches too, but between neighbours only.
_LEAST_PAIRS = 0.6
# Two photos of a tripod say nothing about the others.
_FEWEST_PHOTOS = 3


def has_fixed_background(database: PhotoDatabase) -> bool:
    """Whether much of the pictures stays in its place while something else in them moves."""
    if len(database.photos) < _FEWEST_PHOTOS:
        return False
    with database.open() as stored:
        spots = [
            np.asarray(stored.read_keypoints(n + 1), np.float64)[:, :2]
            for n in range(len(database.photos))
        ]
        pair_ids, matches = stored.read_all_matches()
    compared = still = 0
    for pair_id, found in zip(pair_ids, matches, strict=True):
        if len(found) < _FEWEST_MATCHES:
            continue
        first, second = pycolmap.pair_id_to_image_pair(pair_id)
        moved_px = np.linalg.norm(
            spots[first - 1][found[:, 0]] - spots[second - 1][found[:, 1]], axis=1
        )
        stays, filtered = (int((moved_px <= most).sum()) for most in (_STILL_PX, _FILTERED_PX))
        compared += 1
        still += (
            stays >= _LEAST_STILL * len(found)
            and 2 * stays >= filtered
            # Photos that are the same all over show no background before which anything moves.
            and len(found) - filtered >= _FEWEST_MATCHES
        )
    return compared > 0 and still >= _LEAST_PAIRS * compared
