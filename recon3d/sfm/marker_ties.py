"""How components of the photos lie to each other by printed markers that both show.

A marker that two photos of each component show has four corners in the frame of each. Two markers
must agree with each other, since a number may have been printed twice, and may hang in two rooms.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from recon3d.core.scene import View
from recon3d.core.squares import measure_square
from recon3d.core.transform import Similarity, fit_similarity
from recon3d.photos.markers import Marker, find_markers
from recon3d.photos.pictures import read_upright
from recon3d.run.task import Task
from recon3d.sfm.component_tie import ApartError, Tie, expected_error, reach, spread
from recon3d.sfm.posed_files import read_mask
from recon3d.sfm.undistortion import undistort_pixels

if TYPE_CHECKING:  # it imports pycolmap
    from recon3d.sfm.mapping import Placement

Key = tuple[str, int]
"""Family and number of a marker."""

FEWEST = 2
"""Markers that tie components by themselves."""
_MOST_MARKERS = 40
# Standard deviations of a corner: of the edge, as ink and detector are no better; and of how far
# the markers lie apart, by which each component is bent.
_SUREST, _BENT = 0.005, 0.002
_MOST_SIGMAS = 4.0
# Of the edge: corners that are known worse contradict nothing.
_LEAST_SURE = 0.05
# Of the component: markers that lie closely together say little of what is far away.
_EXACT, _WORST = 0.01, 0.05
_NAMES_TOLD = 4


class MarkersInPhotos:
    """The printed markers of photos, found when a photo is first asked for."""

    def __init__(self, pictures: Mapping[str, Path], masks: Mapping[str, Path], task: Task) -> None:
        self._pictures, self._masks, self._task = pictures, masks, task
        self._found: dict[str, list[Marker]] = {}

    def of(self, photo_ids: Sequence[str]) -> dict[str, list[Marker]]:
        """By photo; pixels of the photo as it was taken. What a mask hides does not count."""
        new = [photo_id for photo_id in photo_ids if photo_id not in self._found]
        for photo_id in self._task.each(new, len(new), lambda one: f"printed markers in {one}"):
            found = find_markers(read_upright(self._pictures[photo_id]), "auto")
            if found and photo_id in self._masks:
                keep = read_mask(self._masks[photo_id])
                found = [marker for marker in found if _is_kept(marker, keep)]
            self._found[photo_id] = found
        return {photo_id: self._found[photo_id] for photo_id in photo_ids}


def _is_kept(marker: Marker, keep: Bool[np.ndarray, "h w"]) -> bool:
    column, row = np.clip(marker.corners_px.T, 0, np.array([keep.shape[::-1]]).T - 1).astype(int)
    return bool(keep[row, column].all())


Square = tuple[Float[np.ndarray, "4 3"], Float[np.ndarray, "4 3 3"]]
"""Corners and their covariances."""


@dataclass(frozen=True, eq=False)
class _Squares:
    """The markers that a component shows well enough."""

    corners: Mapping[Key, Square]
    doubled: frozenset[Key]
    """Those that are at two places."""


def tie_by_markers(
    target: Placement, source: Placement, markers: MarkersInPhotos, *, fewest: int = FEWEST
) -> Tie | None:
    """Where a component lies by printed markers; None where no marker is shown by both.

    fewest: Markers that must agree; one alone may be another print, so it is only a start.

    Raises:
        ApartError: there are too few, or they contradict each other.
    """
    theirs = _squares(source, markers)
    if not theirs.corners and not theirs.doubled:
        return None
    mine = _squares(target, markers)
    shared = sorted(mine.corners.keys() & theirs.corners.keys())[:_MOST_MARKERS]
    doubled = sorted(
        (mine.doubled & (theirs.doubled | theirs.corners.keys()))
        | (theirs.doubled & mine.corners.keys())
    )
    if not shared and not doubled:
        return None
    if len(shared) < fewest:
        if doubled:
            raise ApartError(f"printed markers that both show are at two places ({_told(doubled)})")
        raise ApartError(
            f"only one printed marker, {_told(shared)}, is shown by both, and two are needed: "
            "one may have been printed twice"
        )
    here, there = (_Corners.of([squares.corners[k] for k in shared]) for squares in (mine, theirs))
    found = _most_agreeing(here, there, fewest)
    if found is None or 2 * len(found[1]) <= len(shared):
        raise ApartError(
            f"the printed markers {_told(shared)} lie otherwise to each other in the one than in "
            "the other"
        )
    fit, agreeing = found
    points, targets = there.xyz[agreeing].reshape(-1, 3), here.xyz[agreeing].reshape(-1, 3)
    error = np.linalg.norm(fit @ points - targets, axis=1)
    edge = float(here.edges[agreeing].mean())
    sigma = float(np.sqrt((error**2).sum() / (3 * len(points) - 7)))
    centres = np.array([pose.inverse().translation for pose in source.cam_from_world.values()])
    every = np.concatenate([centres, source.xyz_world])
    off = expected_error(fit, points, max(sigma, _SUREST * edge), every)
    keys = [shared[n] for n in agreeing.tolist()]
    size = fit.scale * reach(every)
    if len(keys) >= FEWEST and off > _WORST * size:
        raise ApartError(
            f"the printed markers {_told(keys)} are too small or too close together to say how "
            "the two lie to each other"
        )
    share = 100 * float(error.max()) / edge
    return Tie(
        fit,
        off,
        f"{len(keys)} printed markers ({_told(keys)}, corners within {share:.1f} % of their edge)"
        if len(keys) > 1
        else f"a printed marker ({_told(keys)})",
        is_coarse=len(keys) < FEWEST or off > _EXACT * size,
    )


def _squares(placement: Placement, markers: MarkersInPhotos) -> _Squares:
    ids = [*placement.cam_from_world]
    seen: dict[Key, list[tuple[View, np.ndarray]]] = defaultdict(list)
    doubled: set[Key] = set()
    for photo_id, found in markers.of(ids).items():
        lens = placement.cameras[placement.camera_of[photo_id]].intrinsics
        view = View(photo_id, lens.pinhole, placement.cam_from_world[photo_id])
        here: set[Key] = set()
        for marker in found:
            key = marker.family, marker.number
            if key in here:
                doubled.add(key)
            here.add(key)
            flat_px = undistort_pixels(marker.corners_px, lens, lens.pinhole)
            seen[key].append((view, flat_px))
    corners: dict[Key, Square] = {}
    for key, sightings in sorted(seen.items(), key=lambda item: item[0]):
        views, corners_px = [view for view, _ in sightings], np.stack([uv for _, uv in sightings])
        if len(views) < 2 or (square := measure_square(views, corners_px)) is None:
            continue
        others = np.setdiff1d(np.arange(len(views)), square.sightings)
        if len(others) > 1 and measure_square([views[n] for n in others], corners_px[others]):
            doubled.add(key)
        covariances = np.stack([corner.covariance for corner in square.corners])
        sigma = float(np.sqrt(np.einsum("nii->n", covariances).max()))
        if sigma <= _LEAST_SURE * square.edge:
            corners[key] = np.stack([corner.xyz_world for corner in square.corners]), covariances
    return _Squares(
        {key: square for key, square in corners.items() if key not in doubled}, frozenset(doubled)
    )


@dataclass(frozen=True, eq=False)
class _Corners:
    """Of several markers in one component."""

    xyz: Float[np.ndarray, "k 4 3"]
    covariance: Float[np.ndarray, "k 4 3 3"]

    @staticmethod
    def of(squares: Sequence[Square]) -> _Corners:
        return _Corners(np.stack([xyz for xyz, _ in squares]), np.stack([c for _, c in squares]))

    def where(self, rows: Int[np.ndarray, "m"]) -> _Corners:
        return _Corners(self.xyz[rows], self.covariance[rows])

    @property
    def edges(self) -> Float[np.ndarray, "k"]:
        sides = self.xyz - np.roll(self.xyz, 1, axis=1)
        return np.asarray(np.linalg.norm(sides, axis=2).mean(axis=1))


def _most_agreeing(
    here: _Corners, there: _Corners, fewest: int
) -> tuple[Similarity, Int[np.ndarray, "m"]] | None:
    """The similarity that most markers agree with, by trying so many of them at a time."""
    best, least = None, (0, 0.0)
    for chosen in combinations(range(len(here.xyz)), fewest):
        rows = np.array(chosen)
        fit = _fitted(here.where(rows), there.where(rows))
        if not _agree(fit, here.where(rows), there.where(rows)).all():
            continue
        agreeing = np.flatnonzero(_agree(fit, here, there))
        off = np.linalg.norm(fit @ there.xyz[agreeing] - here.xyz[agreeing], axis=2)
        if (-len(agreeing), float(off.mean())) < least:
            best, least = agreeing, (-len(agreeing), float(off.mean()))
    if best is None:
        return None
    fit = _fitted(here.where(best), there.where(best))
    agreeing = np.flatnonzero(_agree(fit, here, there))
    return (fit, agreeing) if len(agreeing) >= fewest else None


def _fitted(here: _Corners, there: _Corners) -> Similarity:
    return fit_similarity(there.xyz.reshape(-1, 3), here.xyz.reshape(-1, 3))


def _agree(fit: Similarity, here: _Corners, there: _Corners) -> Bool[np.ndarray, "k"]:
    """Whether each marker lies, and is turned and as large, as a similarity says.

    Components bend over the distance between markers, but not within one.
    """
    apart = spread(here.xyz.mean(axis=1)) if len(here.xyz) > 1 else 0.0
    turn = fit.scale * fit.rotation
    floor = (_SUREST * here.edges)[:, None, None, None] ** 2 * np.eye(3)
    covariance = here.covariance + turn @ there.covariance @ turn.T + floor
    off = fit @ there.xyz - here.xyz
    middle = off.mean(axis=1)
    of_middle = covariance.mean(axis=1) / 4 + (_BENT * apart) ** 2 * np.eye(3)
    return np.asarray(
        (_squared(middle, of_middle) <= _MOST_SIGMAS**2)
        & (_squared(off - middle[:, None], covariance) <= _MOST_SIGMAS**2).all(axis=1)
    )


def _squared(
    off: Float[np.ndarray, "*n 3"], covariance: Float[np.ndarray, "*n 3 3"]
) -> Float[np.ndarray, "*n"]:
    """Mahalanobis' distances."""
    return np.asarray(np.einsum("...i,...ij,...j->...", off, np.linalg.inv(covariance), off))


def _told(keys: Sequence[Key]) -> str:
    names = ", ".join(f"{family} {number}" for family, number in keys[:_NAMES_TOLD])
    return names + (f" and {len(keys) - _NAMES_TOLD} more" if len(keys) > _NAMES_TOLD else "")
