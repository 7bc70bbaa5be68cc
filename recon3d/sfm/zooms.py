"""Photos of one camera at several zooms, or of two phones, told apart by the photos alone.

Without EXIF, photos of one size share a lens. Where it is that of some of them only, the mapper
places the others all the same, but at wrong distances. So after mapping every photo gets a focal
length of its own for once, from which zooms show as gaps between them. Lenses of their own stay
where observations that they were not fitted to are predicted better, photo for photo, by more
than chance, as on the ladder of lenses.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from copy import copy
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from recon3d.run.task import Task
from recon3d.sfm.bundle import Tracks
from recon3d.sfm.colmap_bundle import adjust
from recon3d.sfm.feature_ties import project_points
from recon3d.sfm.features import PhotoDatabase, copy_evidence, prepare
from recon3d.sfm.lens_ladder import FEWEST_PHOTOS, gains_surely, to_hold_out
from recon3d.sfm.mapping import build_model, rebuild
from recon3d.sfm.pycolmap_library import pycolmap

_log = logging.getLogger(__name__)

# One photo that gains alone is no more than chance.
_FEWEST_OF_A_ZOOM = 2
# Nearer ones are one lens, focused differently.
_LEAST_ZOOM = 1.05
_LEAST_SIGMAS = 4.0

Lenses = Mapping[int, str]
"""The key of each photo's camera, by index."""


def tell_zooms_apart(
    database: PhotoDatabase, models: list[pycolmap.Reconstruction], *, seed: int, task: Task
) -> tuple[PhotoDatabase, list[pycolmap.Reconstruction]]:
    """Adjust the largest model with a lens for each zoom, where its photos show several.

    Args:
        database: Of the photos; where a lens is split, one more is made in a folder of its own.
        models: The largest first; none is changed.
        seed: Of all that is random.
        task: To step.

    Returns the database that the models belong to, and these; the given ones where one lens does.
    """
    task.step(0, 1, "looking for zooms")
    zooms = _find_zooms(database, models[0]) if models else {}
    if not zooms or not _predict_better(database, models[0], zooms):
        return database, models
    split = _with_lenses(database, zooms)
    prepare(split)
    copy_evidence(database, split)
    start = _adjusted(split, models[0])[0]
    poses = {number: start.images[number].cam_from_world() for number in start.reg_image_ids()}
    model = rebuild(split, poses, dict(start.cameras), seed=seed, task=task)
    for number, key in enumerate(split.cameras, start=1):
        ids = [database.photos[index].id for index, own in zooms.items() if own == key]
        if ids:
            focal_px = model.cameras[number].mean_focal_length()
            _log.info("%d photos at another zoom, %.0f px: %s", len(ids), focal_px, ", ".join(ids))
    return split, [model, *models[1:]]


def _find_zooms(database: PhotoDatabase, model: pycolmap.Reconstruction) -> Lenses:
    """New keys for photos of unknown cameras whose focal lengths lie apart from most others."""
    indices = [number - 1 for number in sorted(model.reg_image_ids())]
    unknown = [
        index
        for index in indices
        if database.cameras[database.photos[index].camera].source == "guessed, refined"
    ]
    if len(unknown) < FEWEST_PHOTOS:
        return {}
    own = _with_lenses(database, {index: f"photo {index}" for index in unknown})
    adjusted, deviations_px = _adjusted(own, model)
    numbers = {key: number for number, key in enumerate(own.cameras, start=1)}
    zooms: dict[int, str] = {}
    for key in database.cameras:
        members = [index for index in unknown if database.photos[index].camera == key]
        lenses = [numbers[f"photo {index}"] for index in members]
        focals_px = np.array([adjusted.cameras[n].mean_focal_length() for n in lenses])
        stds_px = np.array([deviations_px.get(n, np.inf) for n in lenses])
        groups = focal_groups(focals_px, stds_px)
        usual = np.bincount(groups, minlength=1).argmax()
        camera = key.partition(" #")[0]
        taken = sum(other.partition(" #")[0] == camera for other in database.cameras)
        for index, group in zip(members, groups.tolist(), strict=True):
            if group != usual:
                zooms[index] = f"{camera} #{1 + taken + group - (group > usual)}"
    return zooms


def focal_groups(
    focals_px: Float[np.ndarray, "n"], stds_px: Float[np.ndarray, "n"]
) -> Int[np.ndarray, "n"]:
    """Which focal lengths are one: the number of each one's group, the shortest first.

    Groups lie 5 % apart at least and surely, by their standard deviations. A photo that would be
    alone counts to the next group.
    """
    order = np.argsort(focals_px, kind="stable")
    ranked_px, spread_px = focals_px[order], stds_px[order]
    gaps_px = np.diff(ranked_px)
    surely = gaps_px > _LEAST_SIGMAS * np.hypot(spread_px[1:], spread_px[:-1])
    starts = np.flatnonzero(surely & (ranked_px[1:] > _LEAST_ZOOM * ranked_px[:-1])) + 1
    kept: list[int] = []
    for start in starts.tolist():
        enough = start - (kept[-1] if kept else 0) >= _FEWEST_OF_A_ZOOM
        if enough and len(order) - start >= _FEWEST_OF_A_ZOOM:
            kept.append(start)
    groups = np.empty(len(order), np.int64)
    groups[order] = np.searchsorted(kept, np.arange(len(order)), side="right")
    return groups


def _predict_better(database: PhotoDatabase, model: pycolmap.Reconstruction, zooms: Lenses) -> bool:
    """Whether lenses for each zoom are nearer to observations that none was fitted to."""
    tracks, features = _observations(model)
    unseen = to_hold_out(tracks)
    left_out = {
        (photo + 1, feature)
        for photo, feature in zip(
            tracks.photo[unseen].tolist(), features[unseen].tolist(), strict=True
        )
    }
    squares = []
    for lenses in (database, _with_lenses(database, zooms)):
        adjusted, _ = _adjusted(lenses, model, left_out)
        points = np.array([adjusted.points3D[n].xyz for n in sorted(adjusted.point3D_ids())])
        seen = tracks.where(unseen)
        misses_px = project_points(adjusted, seen.photo + 1, points[seen.point]) - seen.points_px
        squares.append((misses_px**2).sum(axis=1))
    noise = np.median(squares[1])
    one, several = (np.log1p(square / noise) for square in squares)
    return gains_surely(one - several, tracks.photo[unseen])


def _observations(
    model: pycolmap.Reconstruction,
) -> tuple[Tracks, Int[np.ndarray, "n"]]:
    """Of all points, in the order of their numbers, with the numbers of the features."""
    rows = [
        (element.image_id - 1, point, element.point2D_idx)
        for point, number in enumerate(sorted(model.point3D_ids()))
        for element in model.points3D[number].track.elements
    ]
    photo, point, feature = np.array(rows, np.int64).reshape(-1, 3).T
    spots = {number: model.images[number].points2D for number in model.reg_image_ids()}
    points_px = np.array([spots[image + 1][spot].xy for image, _, spot in rows]).reshape(-1, 2)
    return Tracks(photo, point, points_px), feature


def _with_lenses(database: PhotoDatabase, lenses: Lenses) -> PhotoDatabase:
    """Some photos with cameras of other names, which start as the old ones."""
    cameras = dict(database.cameras)
    photos = list(database.photos)
    for index, key in lenses.items():
        cameras.setdefault(key, database.cameras[photos[index].camera])
        photos[index] = replace(photos[index], camera=key)
    return PhotoDatabase(database.folder / "zooms", tuple(photos), cameras)


def _adjusted(
    database: PhotoDatabase,
    model: pycolmap.Reconstruction,
    left_out: Collection[tuple[int, int]] = (),
) -> tuple[pycolmap.Reconstruction, dict[int, float]]:
    """A copy of the model with the database's cameras, and its focal lengths' deviations.

    left_out: observations that are not taken along, by the numbers of image and feature.
    """
    numbers = {key: number for number, key in enumerate(database.cameras, start=1)}
    cameras: dict[int, pycolmap.Camera] = {}
    images, poses = [], {}
    for number in sorted(model.reg_image_ids()):
        image = model.images[number]
        camera_id = numbers[database.photos[number - 1].camera]
        if camera_id not in cameras:
            cameras[camera_id] = copy(model.cameras[image.camera_id])
        spots = np.array([spot.xy for spot in image.points2D]).reshape(-1, 2)
        images.append(pycolmap.Image(image.name, spots, camera_id=camera_id, image_id=number))
        poses[number] = image.cam_from_world()
    built = build_model(database, cameras, images, poses)
    for number in sorted(model.point3D_ids()):
        point = model.points3D[number]
        track = pycolmap.Track()
        for element in point.track.elements:
            if (element.image_id, element.point2D_idx) not in left_out:
                track.add_element(element)
        built.add_point3D(point.xyz, track)
    return built, adjust(database, built)
