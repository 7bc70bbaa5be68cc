"""Photos that come to an earlier run, or leave it, while the cameras of all others stay.

Where nothing moves, later stages keep what they have made of photos that see nothing new. Placing
all photos anew would move every camera by a fraction of a pixel, and with it every depth map.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from recon3d.core.scene import GivenCameras, ImageSet, PosedPhotos, SparsePoints
from recon3d.core.transform import Rigid
from recon3d.run.task import Task
from recon3d.sfm.evidence import Basis, Evidence, restore
from recon3d.sfm.structure_from_motion import (
    PoseConfig,
    Solution,
    camera_keys,
    make_database,
    match,
    missing_evidence,
)

if TYPE_CHECKING:  # it imports pycolmap
    from recon3d.sfm.mapping import Placement

_log = logging.getLogger(__name__)

_MOST_NEW = 0.5
"""New photos for each one that stays, beyond which all are placed anew: so many more are worth
more than what is spared."""
_FEWEST = 3
_WORST_ERROR_GROWTH = 1.5
"""Of the mean reprojection error, for points that new photos see."""


class DoesNotFitError(Exception):
    """New photos contradict the cameras of the earlier run, or change what they are."""


@dataclass(frozen=True, eq=False)
class Earlier:
    """A finished run of some of the same photos."""

    posed: PosedPhotos
    evidence: Evidence

    def known(self, basis: Basis) -> list[str]:
        """Those of today's photos that it has seen as they are."""
        before = self.evidence.basis.contents
        return [i for i, content in basis.contents.items() if before.get(i) == content]

    def staying(self, basis: Basis) -> dict[str, Rigid]:
        """cam_from_world of those that it has placed."""
        known = {*self.known(basis)}
        views = self.posed.scene.views
        return {view.photo_id: view.cam_from_world for view in views if view.photo_id in known}

    def is_worth_it(self, basis: Basis) -> bool:
        """Whether most of today's photos have their place already."""
        new, stay = len(basis.contents) - len(self.known(basis)), len(self.staying(basis))
        return stay >= _FEWEST and new <= _MOST_NEW * stay


def extend_run(
    image_set: ImageSet,
    basis: Basis,
    given: GivenCameras,
    earlier: Earlier,
    config: PoseConfig,
    folder: Path,
    task: Task,
) -> Solution:
    """Find the places of photos that are new, among those of the photos that stay.

    Raises:
        DoesNotFitError: all are better placed anew.
    """
    from recon3d.sfm.features import prepare
    from recon3d.sfm.mapping import grow

    scene, stay, known = earlier.posed.scene, earlier.staying(basis), earlier.known(basis)
    keys = camera_keys(image_set.photos, given)
    if any(keys[photo_id] != scene.camera_of[photo_id] for photo_id in stay):
        raise DoesNotFitError
    held = {key: scene.cameras[key] for key in dict.fromkeys(keys[photo_id] for photo_id in stay)}
    database = make_database(image_set, image_set.photos, given, folder, trust_exif=True)
    lenses = {key: replace(estimate, source="given") for key, estimate in held.items()}
    database = replace(database, cameras={**database.cameras, **lenses})
    prepare(database)
    restore(earlier.evidence, known, database)
    new = len(image_set.photos) - len(known)
    _log.info("going on from an earlier run: %d cameras stay, %d photos are new", len(stay), new)
    features, matches, _ = match(database, image_set, config, False, task, compared=known)
    grown = grow(database, stay, seed=config.seed, task=task)
    ids = [photo.id for photo in image_set.photos]
    left = {*ids} - grown.cam_from_world.keys() - {*known}
    if not all(missing_evidence(features[i], matches[ids.index(i)]) for i in left):
        raise DoesNotFitError
    placement = _with_earlier_points(grown, earlier.posed, [*stay])
    placement = replace(placement, cameras={**placement.cameras, **held})
    return Solution(placement, features, matches, 1, database=database)


def _with_earlier_points(grown: Placement, earlier: PosedPhotos, stay: list[str]) -> Placement:
    """The places with the earlier points, as they were, and what only new photos add to them.

    Raises:
        DoesNotFitError: new photos see the points elsewhere than their places say.
    """
    ranks = {photo_id: rank for rank, photo_id in enumerate(grown.cam_from_world)}
    numbers = np.full(len(earlier.scene.views), -1)
    for index, view in enumerate(earlier.scene.views):
        if view.photo_id in stay:
            numbers[index] = ranks[view.photo_id]
    points = earlier.scene.points
    sightings_px = np.zeros((len(points.observations), 2), np.float32)
    for index, view in enumerate(earlier.scene.views):
        mine = points.observations[:, 1] == index
        sightings_px[mine] = earlier.sightings_px[view.photo_id]
    seen, sightings_px, enough = _seen_often(points, numbers, sightings_px)
    is_new = ~np.isin(grown.observations[:, 1], numbers)
    touched = np.unique(grown.observations[is_new, 0])
    error_px = points.error_px[enough]
    if len(touched) and grown.error_px[touched].mean() > _WORST_ERROR_GROWTH * error_px.mean():
        raise DoesNotFitError
    owner = _owners(grown, seen, sightings_px)
    # The earlier point that a grown one is, by any of its sightings in photos that stay.
    same = np.full(len(grown.xyz_world), -1)
    found = owner >= 0
    same[grown.observations[found, 0]] = owner[found]
    fresh = np.setdiff1d(touched, np.nonzero(same >= 0)[0])
    target = same.copy()
    target[fresh] = int(enough.sum()) + np.arange(len(fresh))
    added = np.isin(grown.observations[:, 0], touched)
    added &= is_new | np.isin(grown.observations[:, 0], fresh)
    rows = np.column_stack([target[grown.observations[added, 0]], grown.observations[added, 1]])
    # Two grown points may be one earlier point, which a photo sees only once.
    rows, first = np.unique(rows, axis=0, return_index=True)
    every = np.concatenate([seen, rows])
    every_px = np.concatenate([sightings_px, grown.sightings_px[added][first]])
    order = np.lexsort((every[:, 1], every[:, 0]))
    return replace(
        grown,
        xyz_world=np.concatenate([points.xyz_world[enough], grown.xyz_world[fresh]]),
        error_px=np.concatenate([error_px, grown.error_px[fresh]]),
        observations=every[order],
        sightings_px=every_px[order],
    )


def _seen_often(
    points: SparsePoints,
    numbers: Int[np.ndarray, "v"],
    sightings_px: Float[np.ndarray, "m 2"],
) -> tuple[Int[np.ndarray, "k 2"], Float[np.ndarray, "k 2"], Bool[np.ndarray, "n"]]:
    """What photos that stay see of points that two of them see, and which points those are.

    numbers: Of each earlier view today; -1 where it has left.
    """
    observations = points.observations
    stays = numbers[observations[:, 1]] >= 0
    enough = np.bincount(observations[stays, 0], minlength=len(points.xyz_world)) >= 2
    stays &= enough[observations[:, 0]]
    kept = observations[stays]
    number = np.cumsum(enough) - 1
    return (
        np.column_stack([number[kept[:, 0]], numbers[kept[:, 1]]]),
        sightings_px[stays],
        enough,
    )


def _owners(
    grown: Placement, seen: Int[np.ndarray, "k 2"], sightings_px: Float[np.ndarray, "k 2"]
) -> Int[np.ndarray, "m"]:
    """The earlier point at the place of each sighting of the grown ones; -1 where there is none.

    A feature lies where it was found before, to the bit.
    """
    owner = np.full(len(grown.observations), -1)
    spots = _bits(grown.sightings_px)
    known = _bits(sightings_px)
    for rank in np.unique(seen[:, 1]):
        there, here = seen[:, 1] == rank, grown.observations[:, 1] == rank
        order = np.argsort(known[there], kind="stable")
        places, points = known[there][order], seen[there, 0][order]
        at = np.searchsorted(places, spots[here]).clip(max=len(places) - 1)
        owner[here] = np.where(places[at] == spots[here], points[at], -1)
    return owner


def _bits(xy_px: Float[np.ndarray, "n 2"]) -> np.ndarray:
    return np.ascontiguousarray(xy_px, np.float32).view(np.uint64)[:, 0]
