"""Which photos of two models show the same, where something says how the models lie."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from recon3d.core.transform import Similarity
from recon3d.sfm.feature_ties import Pair, project_points
from recon3d.sfm.pycolmap_library import pycolmap

_POINTS = 50
"""Of a photo, spread over those that it sees."""
_LEAST_SHARE = 0.1
# Features match up to about this angle between two looks at a place.
_MOST_APART_DEG = 70.0


def overlapping_pairs(
    target: pycolmap.Reconstruction,
    source: pycolmap.Reconstruction,
    target_from_source: Similarity,
    partners: int,
) -> list[Pair]:
    """COLMAP's numbers of photos of the target and of the source that show the same places.

    partners: the most photos of the target for one of the source.
    """
    theirs, of_theirs = _samples(source)
    mine, of_mine = _samples(target)
    target_ids, source_ids = sorted(target.reg_image_ids()), sorted(source.reg_image_ids())
    both = _seen(target, source, target_from_source, theirs, of_theirs)
    both += _seen(source, target, target_from_source.inverse(), mine, of_mine).T
    pairs = []
    for column, number in enumerate(source_ids):
        order = np.argsort(-both[:, column], kind="stable")[:partners]
        pairs += [
            (target_ids[row], number)
            for row in order.tolist()
            if both[row, column] >= _LEAST_SHARE and target_ids[row] != number
        ]
    return pairs


def _samples(
    model: pycolmap.Reconstruction,
) -> tuple[Float[np.ndarray, "n 3"], Int[np.ndarray, "n"]]:
    """Points that photos see, and which photo, as a rank among the numbers of all."""
    xyz, of = [np.empty((0, 3))], [np.empty(0, np.int64)]
    for rank, number in enumerate(sorted(model.reg_image_ids())):
        seen = [p.point3D_id for p in model.images[number].points2D if p.has_point3D()]
        chosen = seen[:: max(1, len(seen) // _POINTS)]
        xyz.append(np.array([model.points3D[i].xyz for i in chosen]).reshape(-1, 3))
        of.append(np.full(len(chosen), rank))
    return np.concatenate(xyz), np.concatenate(of)


def _seen(
    target: pycolmap.Reconstruction,
    source: pycolmap.Reconstruction,
    target_from_source: Similarity,
    xyz_source: Float[np.ndarray, "n 3"],
    photo: Int[np.ndarray, "n"],
) -> Float[np.ndarray, "t s"]:
    """The share of what each photo of the source sees that each of the target has in view."""
    xyz = target_from_source @ xyz_source
    numbers = sorted(source.reg_image_ids())
    centres = np.array([source.images[n].projection_center() for n in numbers])
    looks = xyz - (target_from_source @ centres)[photo]
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    counts = np.maximum(np.bincount(photo, minlength=len(numbers)), 1)
    shares = []
    for number in sorted(target.reg_image_ids()):
        image = target.images[number]
        camera = target.cameras[image.camera_id]
        uv_px = project_points(target, np.full(len(xyz), number), xyz)
        away = xyz - image.projection_center()
        cosine = (away * looks).sum(axis=1) / np.linalg.norm(away, axis=1)
        seen = ((uv_px >= 0) & (uv_px < [camera.width, camera.height])).all(axis=1)
        seen &= cosine >= np.cos(np.radians(_MOST_APART_DEG))
        shares.append(np.bincount(photo[seen], minlength=len(numbers)) / counts)
    return np.array(shares)
