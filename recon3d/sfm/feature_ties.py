"""Points that two models share, by the matches between their photos, and how these then lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from recon3d.core.transform import Similarity
from recon3d.sfm.features import PhotoDatabase
from recon3d.sfm.pycolmap_library import pycolmap

Pair = tuple[int, int]

FEWEST_TIES = 15
# One photo on each side may be of a look-alike; then so many must agree.
_FEWEST_TIES_OF_ONE_PHOTO = 40
_FEWEST_AGREEING = 0.25
# Both models were adjusted without each other, and each is bent a little in its own way.
_MOST_OFF_PX = 8.0
# Of the distance from the camera: what triangulation leaves in depth at the usual angles.
_MOST_OFF_DEPTH = 0.03
_FAR_PX = 1e4


@dataclass(frozen=True, eq=False)
class Ties:
    """Points of two models that are the same by the matches between their photos.

    Each row is a match of a feature in a photo of the target with one in a photo of the source.
    """

    target_xyz: Float[np.ndarray, "n 3"]
    source_xyz: Float[np.ndarray, "n 3"]
    target_image: Int[np.ndarray, "n"]
    """COLMAP's numbers."""
    source_image: Int[np.ndarray, "n"]
    target_px: Float[np.ndarray, "n 2"]
    source_px: Float[np.ndarray, "n 2"]

    def __len__(self) -> int:
        return len(self.target_xyz)

    def where(self, keep: Bool[np.ndarray, "n"]) -> Ties:
        """Only some of them."""
        return Ties(
            self.target_xyz[keep],
            self.source_xyz[keep],
            self.target_image[keep],
            self.source_image[keep],
            self.target_px[keep],
            self.source_px[keep],
        )


@dataclass(frozen=True, eq=False)
class Alignment:
    """How one model lies in the frame of another."""

    target_from_source: Similarity
    agreeing: Int[np.ndarray, "k"]
    """The ties that it fits."""


def find_ties(
    database: PhotoDatabase, target: pycolmap.Reconstruction, source: pycolmap.Reconstruction
) -> Ties:
    """All points of two models that a verified match says are the same."""
    in_target, in_source = _points_by_feature(target), _points_by_feature(source)
    # By both points: what several matches name is one tie only.
    found: dict[Pair, tuple[int, int, int, int]] = {}
    for number in sorted(in_target.keys() & in_source.keys()):
        both = (in_target[number] >= 0) & (in_source[number] >= 0)
        for feature in np.flatnonzero(both).tolist():
            pair = (int(in_target[number][feature]), int(in_source[number][feature]))
            found.setdefault(pair, (number, feature, number, feature))
    with database.open() as stored:
        pair_ids, _ = stored.read_two_view_geometry_num_inliers()
        for pair_id in sorted(pair_ids):
            first, second = pycolmap.pair_id_to_image_pair(pair_id)
            for a, b, columns in ((first, second, (0, 1)), (second, first, (1, 0))):
                if a not in in_target or b not in in_source:
                    continue
                matches = np.asarray(stored.read_two_view_geometry(first, second).inlier_matches)
                for of_a, of_b in matches[:, list(columns)].tolist():
                    pair = (int(in_target[a][of_a]), int(in_source[b][of_b]))
                    if min(pair) >= 0:
                        found.setdefault(pair, (a, of_a, b, of_b))
    return _as_ties(found, target, source)


def align(
    ties: Ties,
    target: pycolmap.Reconstruction,
    source: pycolmap.Reconstruction,
    *,
    seed: int,
) -> Alignment | None:
    """The similarity that puts a model into the frame of another; None where too little agrees.

    By RANSAC over the ties (Umeyama 1991), then by the pixels in which the photos of each model
    see the points of the other.
    """
    if len(ties) < FEWEST_TIES:
        return None
    options = pycolmap.RANSACOptions()
    options.random_seed = seed
    options.max_error = usual_error(ties, target)
    options.max_num_trials = 10_000
    found: Any = pycolmap.estimate_sim3d_robust(ties.source_xyz, ties.target_xyz, options)
    if found is None:
        return None
    matrix = found["tgt_from_src"].matrix()
    scale = float(np.cbrt(np.linalg.det(matrix[:, :3])))
    start = Similarity(scale, matrix[:, :3] / scale, matrix[:, 3])
    near = np.linalg.norm(start @ ties.source_xyz - ties.target_xyz, axis=1)
    near_rows = np.flatnonzero(near <= 2 * options.max_error)
    if len(near_rows) < FEWEST_TIES:
        return None
    misses_px = _Misses(ties, target, source)
    refined = _refined(start, misses_px, near_rows)
    agreeing = np.flatnonzero(misses_px(refined).max(axis=1) <= _MOST_OFF_PX)
    several = all(
        len(np.unique(images[agreeing])) > 1 for images in (ties.target_image, ties.source_image)
    )
    fewest = FEWEST_TIES if several else _FEWEST_TIES_OF_ONE_PHOTO
    if len(agreeing) < max(fewest, _FEWEST_AGREEING * len(ties)):
        return None
    return Alignment(refined, agreeing)


def usual_error(ties: Ties, target: pycolmap.Reconstruction) -> float:
    """How far two points lie apart that are the same, in the target's units."""
    numbers, places = np.unique(ties.target_image, return_inverse=True)
    centres = np.array([target.images[n].projection_center() for n in numbers.tolist()])[places]
    return _MOST_OFF_DEPTH * float(np.median(np.linalg.norm(ties.target_xyz - centres, axis=1)))


class _Misses:
    """How far, in pixels, photos of each model see the points of the other from their own."""

    def __init__(
        self, ties: Ties, target: pycolmap.Reconstruction, source: pycolmap.Reconstruction
    ) -> None:
        self._ties, self._target, self._source = ties, target, source

    def __call__(self, similarity: Similarity) -> Float[np.ndarray, "n 2"]:
        return np.column_stack([np.linalg.norm(each, axis=1) for each in self.vectors(similarity)])

    def vectors(
        self, similarity: Similarity
    ) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2"]]:
        ties = self._ties
        return (
            project_points(self._target, ties.target_image, similarity @ ties.source_xyz)
            - ties.target_px,
            project_points(self._source, ties.source_image, similarity.inverse() @ ties.target_xyz)
            - ties.source_px,
        )


def _refined(start: Similarity, misses: _Misses, rows: Int[np.ndarray, "k"]) -> Similarity:
    def similarity(x: Float[np.ndarray, "7"]) -> Similarity:
        turn = Rotation.from_rotvec(x[1:4]).as_matrix()
        return Similarity(
            start.scale * float(np.exp(x[0])), turn @ start.rotation, start.translation + x[4:]
        )

    def residuals(x: Float[np.ndarray, "7"]) -> Float[np.ndarray, "m"]:
        return np.concatenate([each[rows].ravel() for each in misses.vectors(similarity(x))])

    step = np.linalg.norm(start.translation) + 1.0
    solved = least_squares(
        residuals, np.zeros(7), loss="soft_l1", f_scale=2.0, x_scale=[1, 1, 1, 1, step, step, step]
    )
    return similarity(solved.x)


def project_points(
    model: pycolmap.Reconstruction,
    images: Int[np.ndarray, "n"],
    xyz_world: Float[np.ndarray, "n 3"],
) -> Float[np.ndarray, "n 2"]:
    """Pixels; far outside every picture where a point is behind the camera."""
    uv_px = np.full((len(images), 2), _FAR_PX)
    for number in np.unique(images).tolist():
        image = model.images[number]
        rows = np.flatnonzero(images == number)
        matrix = image.cam_from_world().matrix()
        xyz_cam = xyz_world[rows] @ matrix[:, :3].T + matrix[:, 3]
        seen = xyz_cam[:, 2] > 1e-9
        camera = model.cameras[image.camera_id]
        found_px = camera.img_from_cam(xyz_cam[seen], check_cheirality=False)
        uv_px[rows[seen]] = np.clip(np.asarray(found_px), -_FAR_PX, _FAR_PX)
    return uv_px


def _as_ties(
    found: Mapping[Pair, tuple[int, int, int, int]],
    target: pycolmap.Reconstruction,
    source: pycolmap.Reconstruction,
) -> Ties:
    rows = np.array([*found.values()], np.int64).reshape(-1, 4)

    def pixels(model: pycolmap.Reconstruction, image: int, feature: int) -> np.ndarray:
        return np.asarray(model.images[image].points2D[feature].xy)

    return Ties(
        np.array([target.points3D[a].xyz for a, _ in found], np.float64).reshape(-1, 3),
        np.array([source.points3D[b].xyz for _, b in found], np.float64).reshape(-1, 3),
        rows[:, 0],
        rows[:, 2],
        np.array([pixels(target, a, n) for a, n, _, _ in rows.tolist()]).reshape(-1, 2),
        np.array([pixels(source, b, n) for _, _, b, n in rows.tolist()]).reshape(-1, 2),
    )


def _points_by_feature(model: pycolmap.Reconstruction) -> dict[int, Int[np.ndarray, "f"]]:
    """By image: the number of each feature's point; -1 = none."""
    return {
        number: np.array(
            [
                feature.point3D_id if feature.has_point3D() else -1
                for feature in model.images[number].points2D
            ],
            np.int64,
        )
        for number in model.reg_image_ids()
    }
