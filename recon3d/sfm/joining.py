"""A second look at what the mapper left apart: photos without a pose, and models of their own.

The mapper takes in a photo where that photo alone shows enough of the model. Here all that two
models share counts together: matches between their photos tie points of the one to points of the
other, which gives the similarity between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from recon3d.run.task import Task
from recon3d.sfm.features import PhotoDatabase, read_descriptors
from recon3d.sfm.mapping import bound_photos, extend, rebuild
from recon3d.sfm.matching import compare_loosely, count_putative
from recon3d.sfm.pycolmap_library import pycolmap
from recon3d.sfm.retrieval import look_similarity

Pair = tuple[int, int]

# With how many of the most similar placed photos a photo without a pose is compared again.
_PARTNERS = 8
_FEWEST_TIES = 15
# One photo on each side may be of a look-alike; then so many must agree.
_FEWEST_TIES_OF_ONE_PHOTO = 40
_FEWEST_AGREEING = 0.25
# Both models were adjusted without each other, and each is bent a little in its own way.
_MOST_OFF_PX = 8.0
# Of the distance from the camera: what triangulation leaves in depth at the usual angles.
_MOST_OFF_DEPTH = 0.03
_WORST_ERROR_GROWTH = 1.5
_FAR_PX = 1e4


@dataclass(frozen=True, eq=False)
class Joined:
    """The models after the second look."""

    models: tuple[pycolmap.Reconstruction, ...]
    """The largest first."""
    reasons: tuple[str, ...]
    """Of each model: why it stays apart from the largest; empty where that was not tried."""
    brought: tuple[str, ...] = ()
    """Photos that the largest model owes to it, in the order of the image set."""


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


@dataclass(frozen=True, eq=False)
class Similarity:
    """target_from_source: x -> scale * rotation @ x + translation."""

    scale: float
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]
    agreeing: Int[np.ndarray, "k"] = field(default_factory=lambda: np.empty(0, np.int64))
    """The ties that it fits."""

    def points(self, xyz_source: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """In the target's frame."""
        moved: np.ndarray = self.scale * xyz_source @ self.rotation.T + self.translation
        return moved

    def inverse_points(self, xyz_target: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """In the source's frame."""
        moved: np.ndarray = (xyz_target - self.translation) @ self.rotation / self.scale
        return moved

    def pose(self, cam_from_source: pycolmap.Rigid3d) -> pycolmap.Rigid3d:
        """cam_from_target; distances in the camera's frame grow with the scale."""
        matrix = cam_from_source.matrix()
        rotation = matrix[:, :3] @ self.rotation.T
        translation = self.scale * matrix[:, 3] - rotation @ self.translation
        return pycolmap.Rigid3d(np.column_stack([rotation, translation]))


def join(
    database: PhotoDatabase,
    models: Sequence[pycolmap.Reconstruction],
    *,
    compare: bool,
    seed: int,
    task: Task,
    moving_only: bool = False,
) -> Joined:
    """Bring photos and models that were left apart into the largest model, where evidence holds.

    Args:
        database: Of the photos; gets what comparing again finds.
        models: The largest first; none is changed.
        compare: Compare the photos again, loosely; without it they have been.
        seed: Of all that is random.
        task: To step.
        moving_only: As for `match_pairs`.
    """
    unchanged = Joined(tuple(models), ("",) * len(models))
    if not models or models[0].num_reg_images() == len(database.photos):
        return unchanged
    if compare:
        pairs = _pairs_to_compare(database, models, seed)
        compare_loosely(
            database,
            pairs,
            seed=seed,
            threads=task.runtime.threads,
            task=task,
            moving_only=moving_only,
        )
    # Models that the second look has built anew may hold more than those from before.
    every = [*_extended(database, models[0], seed, task), *models[1:]]
    largest, *waiting = sorted(every, key=lambda model: -model.num_reg_images())
    apart: list[pycolmap.Reconstruction] = []
    reasons: list[str] = []
    while waiting:
        model = waiting.pop(0)
        known = _registered(largest).union(*map(_registered, apart))
        if _registered(model) <= known:
            continue
        try:
            largest = _merged(database, largest, model, seed, task)
        except _ApartError as reason:
            apart.append(model)
            reasons.append(str(reason))
        else:
            # What stayed apart from a part of it may fit the whole.
            waiting, apart, reasons = [*apart, *waiting], [], []
    before, after = _registered(models[0]), _registered(largest)
    brought = tuple(database.photos[number - 1].id for number in sorted(after - before))
    return Joined((largest, *apart), ("", *reasons), brought)


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
) -> Similarity | None:
    """The similarity that puts a model into the frame of another; None where too little agrees.

    By RANSAC over the ties (Umeyama 1991), then by the pixels in which the photos of each model
    see the points of the other.
    """
    if len(ties) < _FEWEST_TIES:
        return None
    numbers, places = np.unique(ties.target_image, return_inverse=True)
    centres = np.array([target.images[n].projection_center() for n in numbers.tolist()])[places]
    distance = float(np.median(np.linalg.norm(ties.target_xyz - centres, axis=1)))
    options = pycolmap.RANSACOptions()
    options.random_seed = seed
    options.max_error = _MOST_OFF_DEPTH * distance
    options.max_num_trials = 10_000
    found: Any = pycolmap.estimate_sim3d_robust(ties.source_xyz, ties.target_xyz, options)
    if found is None:
        return None
    matrix = found["tgt_from_src"].matrix()
    scale = float(np.cbrt(np.linalg.det(matrix[:, :3])))
    start = Similarity(scale, matrix[:, :3] / scale, matrix[:, 3])
    near = np.linalg.norm(start.points(ties.source_xyz) - ties.target_xyz, axis=1)
    near_rows = np.flatnonzero(near <= 2 * options.max_error)
    if len(near_rows) < _FEWEST_TIES:
        return None
    misses_px = _Misses(ties, target, source)
    refined = _refined(start, misses_px, near_rows)
    agreeing = np.flatnonzero(misses_px(refined).max(axis=1) <= _MOST_OFF_PX)
    several = all(
        len(np.unique(images[agreeing])) > 1 for images in (ties.target_image, ties.source_image)
    )
    fewest = _FEWEST_TIES if several else _FEWEST_TIES_OF_ONE_PHOTO
    if len(agreeing) < max(fewest, _FEWEST_AGREEING * len(ties)):
        return None
    return Similarity(refined.scale, refined.rotation, refined.translation, agreeing)


class _ApartError(Exception):
    """Two models do not become one; the message says why."""


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
            project_points(self._target, ties.target_image, similarity.points(ties.source_xyz))
            - ties.target_px,
            project_points(
                self._source, ties.source_image, similarity.inverse_points(ties.target_xyz)
            )
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


def _merged(
    database: PhotoDatabase,
    target: pycolmap.Reconstruction,
    source: pycolmap.Reconstruction,
    seed: int,
    task: Task,
) -> pycolmap.Reconstruction:
    ties = find_ties(database, target, source)
    if len(ties) < _FEWEST_TIES:
        raise _ApartError(f"the two share {f'only {len(ties)}' if len(ties) else 'no'} points")
    similarity = align(ties, target, source, seed=seed)
    if similarity is None:
        raise _ApartError(
            f"{len(ties)} points of the two look alike, but too few of them lie alike"
        )
    mine, theirs = _registered(target), _registered(source)
    poses = {number: target.images[number].cam_from_world() for number in mine}
    for number in theirs - mine:
        poses[number] = similarity.pose(source.images[number].cam_from_world())
    cameras = {**_cameras(source), **_cameras(target)}
    merged = rebuild(database, poses, cameras, seed=seed, task=task)
    bridges = sum(
        bool(seen & mine) and bool(seen - mine)
        for seen in (
            {element.image_id for element in point.track.elements}
            for point in merged.points3D.values()
        )
    )
    before_px = max(model.compute_mean_reprojection_error() for model in (target, source))
    holds = merged.compute_mean_reprojection_error() <= _WORST_ERROR_GROWTH * before_px
    if not holds or bridges < _FEWEST_TIES:
        raise _ApartError(
            f"{len(ties)} points of the two look alike, but the photos do not fit together by them"
        )
    return merged


def _extended(
    database: PhotoDatabase, model: pycolmap.Reconstruction, seed: int, task: Task
) -> list[pycolmap.Reconstruction]:
    """The model with the photos that hold by themselves in it, and then models of the others.

    The first is the model itself where no photo holds.
    """
    extended, *others = extend(database, model, seed=seed, task=task)
    before = _registered(model)
    loose = _registered(extended) - bound_photos(extended, before)
    for frame_id in sorted({extended.images[number].frame_id for number in loose}):
        extended.deregister_frame(frame_id)
    # Without their frames too, which the covariance asks for poses.
    extended.tear_down()
    return [extended if _registered(extended) > before else model, *others]


def _pairs_to_compare(
    database: PhotoDatabase, models: Sequence[pycolmap.Reconstruction], seed: int
) -> list[Pair]:
    """Every photo outside the largest model with the likeliest photos of the models."""
    placed = [np.array(sorted(_registered(model))) - 1 for model in models]
    # Looks are at most 1, so they decide between pairs with as many matches, such as none.
    likely = count_putative(database) + look_similarity(read_descriptors(database), seed)
    pairs: set[Pair] = set()
    for index in sorted({*range(len(database.photos))} - {*placed[0].tolist()}):
        others = [members for members in placed if index not in members]
        partners = np.unique(np.concatenate(others))
        ranked = partners[np.argsort(-likely[index, partners], kind="stable")]
        ranked = ranked[np.isfinite(likely[index, ranked])]
        pairs |= {(min(index, n), max(index, n)) for n in ranked[:_PARTNERS].tolist()}
    return sorted(pairs)


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


def _registered(model: pycolmap.Reconstruction) -> set[int]:
    return set(model.reg_image_ids())


def _cameras(model: pycolmap.Reconstruction) -> dict[int, pycolmap.Camera]:
    """Those that placed a photo."""
    numbers = {model.images[number].camera_id for number in model.reg_image_ids()}
    return {number: model.cameras[number] for number in sorted(numbers)}
