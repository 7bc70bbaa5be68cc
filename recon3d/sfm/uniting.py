"""Components of the photos become one scene by what ties them beside the matches of features.

Printed markers first, as they are exact; then GPS, where it is exact enough for what the components
show. Components that share no points are not adjusted together: nothing but the tie holds them to
each other there, and the adjustment would only let them drift.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from recon3d.core.scene import CameraEstimate
from recon3d.core.transform import Rigid, Similarity
from recon3d.sfm.component_tie import ApartError, Tie, joined_words, reach
from recon3d.sfm.gps_readings import GpsReadings
from recon3d.sfm.gps_ties import check_against_gps, tie_by_gps
from recon3d.sfm.marker_ties import MarkersInPhotos, tie_by_markers
from recon3d.sfm.other_scenes import worth_a_model

if TYPE_CHECKING:  # it imports pycolmap
    from recon3d.sfm.mapping import Placement

_log = logging.getLogger(__name__)

_MOST_SIGMAS = 4.0


@dataclass(frozen=True, eq=False)
class OtherEvidence:
    """What may tie components beside features."""

    markers: MarkersInPhotos
    readings: GpsReadings

    def start(self, target: Placement, source: Placement) -> Tie | None:
        """Where to look for matches that show it exactly; None where nothing says it."""
        for find in (self._by_markers, self._by_one_marker, self._roughly_by_gps):
            try:
                if tie := find(target, source):
                    return tie
            except ApartError as reason:
                _log.debug("no start for two components: %s", reason)
        return None

    def tie(self, target: Placement, source: Placement) -> Tie | None:
        """What is exact enough by itself; None where there is nothing of the kind.

        Raises:
            ApartError: there is something, but not enough.
        """
        reasons = []
        for find in (self._by_markers, self._by_gps):
            try:
                if tie := find(target, source):
                    return tie
            except ApartError as reason:
                reasons.append(reason)
        if reasons:
            raise reasons[0]
        return None

    def _by_markers(self, target: Placement, source: Placement) -> Tie | None:
        return self._checked(target, source, tie_by_markers(target, source, self.markers))

    def _by_one_marker(self, target: Placement, source: Placement) -> Tie | None:
        found = tie_by_markers(target, source, self.markers, fewest=1)
        return self._checked(target, source, found)

    def _by_gps(self, target: Placement, source: Placement) -> Tie | None:
        found = tie_by_gps(target, source, self.readings, alone=True)
        _check_rigs(target, source, found)
        return found

    def _roughly_by_gps(self, target: Placement, source: Placement) -> Tie | None:
        return tie_by_gps(target, source, self.readings, alone=False)

    def _checked(self, target: Placement, source: Placement, tie: Tie | None) -> Tie | None:
        if tie:
            check_against_gps(target, source, tie, self.readings)
        _check_rigs(target, source, tie)
        return tie


def unite(placement: Placement, evidence: OtherEvidence, photo_ids: Sequence[str]) -> Placement:
    """A placement with those of its others that something ties to it, each with a sentence.

    The others that stay get the reason. Cameras, lenses and points of each stay as they are among
    each other.

    photo_ids: all, in the image set's order.
    """
    waiting = [*worth_a_model(placement)]
    kept = [other for other in placement.others if other not in waiting]
    apart: list[Placement] = []
    while waiting:
        other = waiting.pop(0)
        try:
            tie = evidence.tie(placement, other)
        except ApartError as reason:
            apart.append(replace(other, apart=_apart_words(other.apart, str(reason))))
            continue
        if tie is None:
            apart.append(other)
            continue
        new = [i for i in other.cam_from_world if i not in placement.cam_from_world]
        words = joined_words(new, tie.by)
        _log.info("%s", words)
        placement = _united(placement, other, tie, photo_ids)
        if tie.is_coarse:
            coarse = (*placement.joined_coarsely, words)
            placement = replace(placement, joined_coarsely=coarse)
        else:
            placement = replace(placement, joined=(*placement.joined, words))
        # What stayed apart from a part of it may fit the whole.
        waiting, apart = [*apart, *waiting], []
    others = sorted([*apart, *kept], key=lambda other: -len(other.cam_from_world))
    return replace(placement, others=tuple(others))


def _apart_words(reason: str, more: str) -> str:
    return f"{reason}, and beside that {more}" if reason else more


def _check_rigs(target: Placement, source: Placement, tie: Tie | None) -> None:
    """Refuse a tie that contradicts the metres that rigs give both.

    Raises:
        ApartError: it does.
    """
    if not tie or target.scale_sigma is None or source.scale_sigma is None:
        return
    scale = tie.target_from_source.scale
    sigma = np.linalg.norm([target.scale_sigma, source.scale_sigma, _relative_error(source, tie)])
    if abs(np.log(scale)) > _MOST_SIGMAS * sigma:
        raise ApartError(
            f"the one would be {scale:.2f} times as large as its rig says it is if they were "
            f"joined by {tie.by}"
        )


def _relative_error(source: Placement, tie: Tie) -> float:
    """Of the tie's scale, as a share."""
    centres = np.array([pose.inverse().translation for pose in source.cam_from_world.values()])
    size = tie.target_from_source.scale * reach(np.concatenate([centres, source.xyz_world]))
    return tie.off / size if size > 0 else 1.0


def _united(target: Placement, source: Placement, tie: Tie, photo_ids: Sequence[str]) -> Placement:
    """Both in the target's frame; photos and lenses that both have are the target's.

    Where only the source's metres are known, all becomes as large as they say.
    """
    fit, scale_sigma = tie.target_from_source, target.scale_sigma
    if scale_sigma is None and source.scale_sigma is not None:
        grown = Similarity(1 / fit.scale, np.eye(3), np.zeros(3))
        scale_sigma = float(np.hypot(source.scale_sigma, _relative_error(source, tie)))
        target, fit = _moved(target, grown), grown @ fit
    moved = _moved(source, fit)
    names = _lens_names(target, source)
    new = {i: pose for i, pose in moved.cam_from_world.items() if i not in target.cam_from_world}
    found = {**target.cam_from_world, **new}
    poses = {i: found[i] for i in photo_ids if i in found}
    lenses = {i: names[source.camera_of[i]] for i in new}
    camera_of = {i: lenses[i] if i in new else target.camera_of[i] for i in poses}
    cameras = {**target.cameras, **{names[key]: source.cameras[key] for key in names}}
    rank = {photo_id: index for index, photo_id in enumerate(poses)}
    of_target = np.array([rank[i] for i in target.cam_from_world])
    of_source = np.array([rank[i] if i in new else -1 for i in source.cam_from_world])
    rows = np.column_stack([moved.observations[:, 0], of_source[moved.observations[:, 1]]])
    # A photo that both have sees what the target says.
    seen = rows[:, 1] >= 0
    enough = np.bincount(rows[seen, 0], minlength=len(moved.xyz_world)) >= 2
    seen &= enough[rows[:, 0]]
    number = len(target.xyz_world) + np.cumsum(enough) - 1
    rows = np.column_stack([number[rows[seen, 0]], rows[seen, 1]])
    mine = np.column_stack([target.observations[:, 0], of_target[target.observations[:, 1]]])
    every = np.concatenate([mine, rows])
    order = np.lexsort((every[:, 1], every[:, 0]))
    return replace(
        target,
        cam_from_world=poses,
        cameras=cameras,
        camera_of=camera_of,
        xyz_world=np.concatenate([target.xyz_world, moved.xyz_world[enough]]),
        error_px=np.concatenate([target.error_px, moved.error_px[enough]]),
        observations=every[order],
        sightings_px=np.concatenate([target.sightings_px, moved.sightings_px[seen]])[order],
        scale_sigma=scale_sigma,
    )


def _moved(placement: Placement, target_from_source: Similarity) -> Placement:
    poses: dict[str, Rigid] = {
        photo_id: target_from_source.move_camera(pose)
        for photo_id, pose in placement.cam_from_world.items()
    }
    return replace(
        placement, cam_from_world=poses, xyz_world=target_from_source @ placement.xyz_world
    )


def _lens_names(target: Placement, source: Placement) -> dict[str, str]:
    """What each lens of the source is called beside those of the target.

    Each component has adjusted the lens of a camera by itself; where both use it, the source's
    gets a number, as zooms do.
    """
    taken = {target.camera_of[photo_id] for photo_id in target.cam_from_world}
    names: dict[str, str] = {}
    every = {*target.cameras, *source.cameras}
    for key in dict.fromkeys(source.camera_of[photo_id] for photo_id in source.cam_from_world):
        mine, theirs = target.cameras.get(key), source.cameras[key]
        if key not in taken or _is_same(mine, theirs):
            names[key] = key
            continue
        base = key.partition(" #")[0]
        number = next(n for n in range(2, len(every) + 3) if f"{base} #{n}" not in every)
        names[key] = f"{base} #{number}"
        every.add(names[key])
    return names


def _is_same(mine: CameraEstimate | None, theirs: CameraEstimate) -> bool:
    return mine is not None and mine.intrinsics == theirs.intrinsics
