"""Structure from motion: features, matches, cameras, and why a photo could not be placed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from recon3d.core.camera import GUESSED_FOCAL, Intrinsics, PinholeCamera
from recon3d.core.errors import IntrinsicsError, PosesError, TooFewPhotosPlacedError
from recon3d.core.ranges import Range, check_ranges
from recon3d.core.rig import RigPhoto, by_moment
from recon3d.core.scene import CameraEstimate, GivenCameras, ImageSet, Photo, SparsePoints, Verdict
from recon3d.run.task import Task
from recon3d.sfm.depth_check import check_depth
from recon3d.sfm.gps_readings import read_gps
from recon3d.sfm.pose_check import check_poses
from recon3d.sfm.retrieval import (
    Pair,
    all_pairs,
    look_similarity,
    most_similar,
    place_similarity,
    sequential_pairs,
)

if TYPE_CHECKING:  # importing pycolmap takes a second and has side effects
    from recon3d.sfm.features import PhotoDatabase
    from recon3d.sfm.mapping import Placement
    from recon3d.sfm.uniting import OtherEvidence

_EXHAUSTIVE_BELOW = 80
_FEW_FEATURES = 50
_FEW_MATCHES = 30
# Placing fewer than this share of the photos is worth another, harder try.
_ENOUGH = 0.6


@dataclass(frozen=True, kw_only=True)
class PoseConfig:
    """How photos are placed in space."""

    feature_px: Annotated[int, Range(least=200)] = 1600
    """Longest side, in pixels, at which features are found. Higher finds more in sharp
    photos and costs time with its square."""

    features: Annotated[int, Range(least=100)] = 8000
    """About this many features per photo at most. More help weakly overlapping photos."""

    matching: Literal["auto", "exhaustive", "sequential", "retrieval"] = "auto"
    """Which pairs of photos are compared. auto: every pair below about 80 photos, neighbours
    for a video, similar photos otherwise."""

    neighbours: Annotated[int, Range(least=2)] = 20
    """Photos that each one is compared with when not all pairs are. More is slower and safer."""

    attempts: Annotated[int, Range(least=1)] = 2
    """How often placing is tried, each time with looser thresholds, before giving up."""

    seed: Annotated[int, Range(least=0)] = 0
    """Same photos and same seed give the same cameras."""

    keep_cameras: bool = True
    """Whether photos that are added to a finished run of the same workspace, or left out of it,
    leave the cameras of all others where they are; most of their depth is then kept too. Without
    it all are placed anew, each a fraction of a pixel elsewhere."""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        check_ranges(self, "pose")


@dataclass(frozen=True, eq=False)
class Solution:
    """The best placement of all attempts and what the evidence for it was."""

    placement: Placement
    features: Mapping[str, int]
    """Found in each photo."""
    matches: np.ndarray
    """Verified between every two photos, in the image set's order."""
    attempts: int
    fixed_background: bool = False
    """What stays in its place in the pictures was left out."""
    rigs: Mapping[str, RigPhoto] = field(default_factory=dict)
    """By photo id: the places that were held."""
    database: PhotoDatabase | None = None
    """With what was found, where a later run may go on from it."""
    gps: Mapping[str, object] | None = None
    """What became of the photos' GPS; None where they have none, or too coarse a one."""

    @property
    def can_be_extended(self) -> bool:
        """Whether a later run may go on from it: one scene, found as most are."""
        usual = self.attempts == 1 and not self.fixed_background and not self.rigs
        found = self.placement
        parts = found.others or found.joined or found.joined_coarsely
        return bool(self.database and usual and self.gps is None and not parts)


def solve(
    image_set: ImageSet,
    given: GivenCameras,
    config: PoseConfig,
    folder: Path,
    task: Task,
) -> Solution:
    """Place as many photos as can be; each attempt tries harder than the one before.

    Raises:
        TooFewPhotosPlacedError: not even two photos could be placed; says why for each.
        PosesError: there is measured depth, whose metres need poses in metres.
    """
    from recon3d.sfm.joining import join
    from recon3d.sfm.mapping import map_incrementally, to_placement
    from recon3d.sfm.marker_ties import MarkersInPhotos
    from recon3d.sfm.matching import count_matches
    from recon3d.sfm.rig_evidence import believed, in_metres
    from recon3d.sfm.uniting import OtherEvidence
    from recon3d.sfm.zooms import tell_zooms_apart

    if image_set.sensor_depth:
        raise PosesError(
            "Measured depth was given without the poses of the photos.",
            hint="Give them with --poses, or leave out the depth to work from the photos alone.",
        )
    if len(image_set.photos) < 2:
        raise TooFewPhotosPlacedError(
            f"There is {len(image_set.photos)} photo to work with; at least 2 are needed.",
            hint="Walk around the object and take 20 or more, each overlapping the last by 60 %. "
            "`recon3d mesh` makes a relief of a photo that is given alone.",
        )
    markers = MarkersInPhotos(image_set.pictures, image_set.masks, task)
    other = OtherEvidence(markers, read_gps(image_set.photos))
    best: Solution | None = None
    evidence: tuple[Mapping[str, int], np.ndarray] = ({}, np.zeros((0, 0)))
    for attempt in range(1, config.attempts + 1):
        harder = attempt > 1
        database = make_database(
            image_set, image_set.photos, given, folder / f"attempt_{attempt}", trust_exif=not harder
        )
        features, matches, fixed = match(database, image_set, config, harder, task)
        database, given = believed(database, given, task)
        seed = config.seed + attempt - 1
        models = map_incrementally(database, relaxed=harder, seed=seed, task=task)
        database, models = tell_zooms_apart(database, models, seed=seed, task=task)
        joined = join(
            database, models, compare=not harder, seed=seed, task=task, moving_only=fixed,
            guide=other.start,
        )  # fmt: skip
        matches = count_matches(database)
        evidence = features, matches
        placement = to_placement(
            database, joined.models, joined.reasons, joined.brought, task, joined.joined
        )
        if placement and (
            not best or len(placement.cam_from_world) > len(best.placement.cam_from_world)
        ):
            placement = in_metres(placement, given)
            best = Solution(placement, features, matches, attempt, fixed, given.rigs, database)
        # By the mapper alone: finer features may find what a second look has to leave out.
        if models and models[0].num_reg_images() >= _ENOUGH * len(image_set.photos):
            break
    if best is None or len(best.placement.cam_from_world) < 2:
        raise _nothing_placed(image_set.photos, given.rigs, *evidence)
    return _finished(replace(best, attempts=attempt), image_set, other, task)


def _finished(
    solution: Solution, image_set: ImageSet, evidence: OtherEvidence, task: Task
) -> Solution:
    """The same, each scene adjusted to GPS where it helps, and those joined that something ties."""
    from recon3d.sfm.gps_adjustment import adjust_all_to_gps
    from recon3d.sfm.uniting import unite

    # The least squares would take the cameras of a rig apart; GPS says how they stand all the same.
    if not solution.rigs:
        placement, told = adjust_all_to_gps(solution.placement, evidence.readings, task)
        solution = replace(solution, placement=placement, gps=told or None)
    united = unite(solution.placement, evidence, [photo.id for photo in image_set.photos])
    return replace(solution, placement=united)


def use_given_poses(
    image_set: ImageSet,
    given: GivenCameras,
    config: PoseConfig,
    folder: Path,
    task: Task,
) -> Solution:
    """Triangulate points from poses that stay as they are; none where depth was measured.

    Raises:
        TooFewPhotosPlacedError: fewer than two photos have a pose.
        IntrinsicsError: the intrinsics are not known.
        PosesError: the poses cannot be those of these photos.
    """
    from recon3d.sfm.mapping import Placement, triangulate
    from recon3d.sfm.matching import read_matched_pairs

    photos = _posed_photos(image_set, given)
    if image_set.sensor_depth:
        if warning := check_depth(photos, image_set, given):
            task.warn(warning)
        keys = camera_keys(photos, given)
        poses = {photo.id: given.cam_from_world[photo.id] for photo in photos}
        cameras = _guess_cameras(photos, given, trust_exif=False)
        none = SparsePoints.empty()
        placement = Placement(
            poses, cameras, keys, none.xyz_world, none.error_px, none.observations
        )
        return Solution(placement, {}, np.zeros((0, 0), np.int64), 0)
    # Poses are kept as they are, and rigs would move them.
    alone = replace(given, rigs={})
    database = make_database(image_set, photos, alone, folder / "given", trust_exif=False)
    features, matches, fixed = match(database, image_set, config, False, task)
    if warning := check_poses(photos, given.cam_from_world, read_matched_pairs(database)):
        task.warn(warning)
    placement = triangulate(database, given.cam_from_world, seed=config.seed, task=task)
    return Solution(placement, features, matches, 1, fixed)


def _posed_photos(image_set: ImageSet, given: GivenCameras) -> tuple[Photo, ...]:
    """The photos whose pose the user gave.

    Raises:
        TooFewPhotosPlacedError: there are fewer than two.
        IntrinsicsError: their intrinsics are not known.
    """
    photos = tuple(photo for photo in image_set.photos if photo.id in given.cam_from_world)
    if len(photos) < 2:
        raise TooFewPhotosPlacedError(
            f"Poses are given for {len(photos)} of {len(image_set.photos)} photos; "
            "at least 2 are needed.",
            hint="The names in the file of poses must be those of the photos.",
        )
    if not all(photo.id in given.intrinsics for photo in photos):
        raise IntrinsicsError(
            "The poses are given, but not the camera's intrinsics.",
            hint="Give them with --intrinsics, or leave out the poses to have both estimated.",
        )
    return photos


def _guess_cameras(
    photos: Sequence[Photo], given: GivenCameras, *, trust_exif: bool
) -> dict[str, CameraEstimate]:
    """The cameras to start from, by the key that `camera_keys` gives each photo."""
    cameras: dict[str, CameraEstimate] = {}
    keys = camera_keys(photos, given)
    for key in dict.fromkeys(keys.values()):
        members = [photo for photo in photos if keys[photo.id] == key]
        known = given.intrinsics.get(members[0].id)
        if known:
            cameras[key] = CameraEstimate(known, "given")
            continue
        width_px, height_px = members[0].width_px, members[0].height_px
        focals = [photo.exif.focal_px for photo in members if photo.exif.focal_px]
        use_exif = trust_exif and bool(focals)
        guess_px = GUESSED_FOCAL * max(width_px, height_px)
        focal_px = float(np.median(focals)) if use_exif else guess_px
        pinhole = PinholeCamera.centred(width_px, height_px, focal_px)
        cameras[key] = CameraEstimate(
            Intrinsics(pinhole), "exif, refined" if use_exif else "guessed, refined"
        )
    return cameras


def camera_keys(photos: Sequence[Photo], given: GivenCameras) -> dict[str, str]:
    """The camera of each photo: its group, split where the given intrinsics differ within it.

    The cameras of a rig are told apart in any case.
    """
    keys: dict[str, str] = {}
    seen: dict[str, list[tuple[Intrinsics | None, str]]] = {}
    for photo in photos:
        place = given.rigs.get(photo.id)
        group = f"{photo.camera_group} {place.sensor}" if place else photo.camera_group
        kinds = seen.setdefault(group, [])
        known = given.intrinsics.get(photo.id), place.rig if place else ""
        if known not in kinds:
            kinds.append(known)
        number = kinds.index(known)
        keys[photo.id] = f"{group} #{number + 1}" if number else group
    return keys


def explain(image_set: ImageSet, solution: Solution) -> tuple[Verdict, ...]:
    """A verdict on every photo that structure from motion was given."""
    ids = [photo.id for photo in image_set.photos]
    speaker = _speakers(ids, solution.rigs, solution.matches)
    return tuple(
        Verdict(photo_id, True)
        if photo_id in solution.placement.cam_from_world
        else Verdict(
            photo_id, False, *_why_not(ids.index(speaker[photo_id]), speaker[photo_id], solution)
        )
        for photo_id in ids
    )


def _speakers(
    ids: Sequence[str], rigs: Mapping[str, RigPhoto], matches: np.ndarray
) -> dict[str, str]:
    """Whose evidence decides on each photo: its own, or that of the best photo of its moment."""
    speaker = {photo_id: photo_id for photo_id in ids}
    best = dict(zip(ids, matches.max(axis=1, initial=0).tolist(), strict=True))
    for members in by_moment(rigs).values():
        heard = max(members, key=lambda photo_id: best[photo_id])
        speaker |= dict.fromkeys(members, heard)
    return speaker


def explain_given(image_set: ImageSet, given: GivenCameras) -> tuple[Verdict, ...]:
    """A verdict on every photo where the user gave the poses."""
    return tuple(
        Verdict(photo.id, True)
        if photo.id in given.cam_from_world
        else Verdict(
            photo.id, False, "no pose was given for it", "Add it to the poses, or leave them out."
        )
        for photo in image_set.photos
    )


def _why_not(index: int, photo_id: str, solution: Solution) -> tuple[str, str]:
    reason = missing_evidence(solution.features[photo_id], solution.matches[index])
    if reason:
        return reason
    for other in solution.placement.others:
        mates = len(other.cam_from_world) - 1
        if photo_id in other.cam_from_world:
            return (
                f"it fits {mates} other photos, but none of the placed ones",
                "Add photos that bridge the two groups, each overlapping both.",
            )
    return (
        "it looks like other photos, but no position fits its matches",
        "Repeated patterns, moving things or a zoomed lens do this; take it again nearby.",
    )


def missing_evidence(features: int, matches: np.ndarray) -> tuple[str, str] | None:
    """Why a photo with so many features and matches cannot be placed, and advice; None if it can.

    matches: Verified, with each other photo.
    """
    if features < _FEW_FEATURES:
        return (
            f"only {features} distinct spots were found in it",
            "It is blurred, dark, blank or masked; take it again, sharp and with some texture.",
        )
    if matches.max(initial=0) < _FEW_MATCHES:
        return (
            "it shares too little with any other photo",
            "Take photos in between that overlap their neighbours by 60 % or more.",
        )
    return None


def _nothing_placed(
    photos: Sequence[Photo],
    rigs: Mapping[str, RigPhoto],
    features: Mapping[str, int],
    matches: np.ndarray,
) -> TooFewPhotosPlacedError:
    ids = [photo.id for photo in photos]
    speakers = _speakers(ids, rigs, matches)
    reasons: dict[str, list[str]] = {}
    for index, photo_id in enumerate(ids):
        if speakers[photo_id] != photo_id:
            continue
        found = missing_evidence(features[photo_id], matches[index])
        reason = found[0] if found else "it was taken from nearly the same spot as the others"
        reasons.setdefault(reason, []).append(photo_id)
    told = "; ".join(
        f"{', '.join(ids[:3])}{f' and {len(ids) - 3} more' if len(ids) > 3 else ''}: {reason}"
        for reason, ids in reasons.items()
    )
    return TooFewPhotosPlacedError(
        f"None of the {len(photos)} photos could be placed in space ({told}).",
        hint="Walk around the object: every photo from another spot, overlapping its neighbours "
        "by 60 % or more, sharp, of things that do not move.",
    )


def make_database(
    image_set: ImageSet,
    photos: Sequence[Photo],
    given: GivenCameras,
    folder: Path,
    *,
    trust_exif: bool,
) -> PhotoDatabase:
    """The database of some of an image set's photos in a folder, to be filled.

    trust_exif: Begin with the focal lengths that photos tell of.
    """
    from recon3d.sfm.features import PhotoDatabase, PhotoToPlace

    keys = camera_keys(photos, given)
    to_place = tuple(
        PhotoToPlace(
            photo.id,
            image_set.pictures[photo.id],
            image_set.masks.get(photo.id),
            keys[photo.id],
            given.rigs.get(photo.id),
        )
        for photo in photos
    )
    return PhotoDatabase(folder, to_place, _guess_cameras(photos, given, trust_exif=trust_exif))


def match(
    database: PhotoDatabase,
    image_set: ImageSet,
    config: PoseConfig,
    harder: bool,
    task: Task,
    compared: Collection[str] = (),
) -> tuple[dict[str, int], np.ndarray, bool]:
    """Find and match features; photos that match too little are compared again, loosely.

    compared: Ids of photos that have been compared with each other already, before a background
        that is not fixed.

    Returns the features by photo, the matches by pair, and whether the background is fixed and
    its matches are left out.
    """
    from recon3d.sfm.features import FeatureEffort, find_features
    from recon3d.sfm.fixed_background import has_fixed_background
    from recon3d.sfm.matching import count_matches, forget_pairs, match_pairs

    effort = FeatureEffort(config.feature_px, config.features, fine=harder)
    features = find_features(database, effort, task.runtime.threads, task)
    known = [photo.id in compared for photo in database.photos]
    pairs = [
        (a, b) for a, b in _choose_pairs(database, image_set, config) if not (known[a] and known[b])
    ]

    def compare(chosen: Sequence[Pair], loose: bool, moving_only: bool) -> None:
        match_pairs(
            database,
            chosen,
            loose=loose,
            seed=config.seed,
            threads=task.runtime.threads,
            task=task,
            moving_only=moving_only,
        )

    compare(pairs, harder, moving_only=False)
    fixed = not compared and has_fixed_background(database)
    if fixed:
        forget_pairs(database, pairs)
        compare(pairs, harder, moving_only=True)
    matches = count_matches(database)
    weak = matches.max(axis=1, initial=0) < _FEW_MATCHES
    again = [(a, b) for a, b in pairs if weak[a] or weak[b]]
    if again and not harder:
        forget_pairs(database, again)
        compare(again, True, moving_only=fixed)
        matches = count_matches(database)
    ids = [photo.id for photo in database.photos]
    return dict(zip(ids, features.tolist(), strict=True)), matches, fixed


def _choose_pairs(database: PhotoDatabase, image_set: ImageSet, config: PoseConfig) -> list[Pair]:
    from recon3d.sfm.features import read_descriptors
    from recon3d.sfm.rigs import in_one_place, taken_together

    count = len(database.photos)
    method = config.matching
    if method == "auto":
        exhaustive = count < _EXHAUSTIVE_BELOW
        method = (
            "exhaustive" if exhaustive else "sequential" if image_set.sequential else "retrieval"
        )
    places = [photo.place for photo in database.photos]
    in_vain = in_one_place(places)
    if method == "exhaustive":
        return [pair for pair in all_pairs(count) if not in_vain[pair]]
    looks = look_similarity(read_descriptors(database), config.seed)
    looks[in_vain] = -np.inf
    together = np.argwhere(np.triu(taken_together(places) & ~in_vain))
    tied = [(a, b) for a, b in together.tolist()]
    if method == "sequential":
        # A few look-alikes close the loops of a walk that comes back.
        neighbours = sequential_pairs(count, config.neighbours)
        return sorted({*neighbours, *most_similar(looks, 5), *tied})
    readings = read_gps(image_set.photos)
    found = dict(zip(readings.photo_ids, readings.enu_m, strict=True))
    there = place_similarity([found.get(photo.id) for photo in database.photos])
    near = most_similar(there, config.neighbours // 2)
    return sorted({*most_similar(looks, config.neighbours), *near, *tied})
