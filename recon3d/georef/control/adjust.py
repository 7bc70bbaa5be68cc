"""Surveyed points as observations in one more bundle adjustment.

A similarity brings a model onto the survey as it is, bent or not. Here lens, cameras, features
and surveyed points settle together, each weighed by its error bar: coordinates by their accuracy,
marks by theirs. Check points take part by their marks alone, as any feature does. Where the
photos' GPS was believed it holds them here too, in a system of its own. What is found is kept
only where control points that were left out, in turn, lie nearer to their coordinates than a
similarity through the others brings them, by more than chance, and check points no worse.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from recon3d.core.scene import GivenCameras, ImageSet, PosedPhotos
from recon3d.core.transform import (
    Similarity,
    fit_similarity,
    quaternion_wxyz,
    rotation_from_quaternion,
)
from recon3d.georef.back_projection import upright_pixel
from recon3d.georef.control.fit import SeenPoint, fit_survey
from recon3d.georef.control.gps import GpsBeside, GpsDatum, gps_beside
from recon3d.georef.control.points import GroundControl
from recon3d.georef.control.survey import ControlConfig, Survey, measure_control
from recon3d.georef.control.words import metres, root_mean_square
from recon3d.run.stage import Stage
from recon3d.run.task import Task
from recon3d.sfm.anchors import Anchors, soft
from recon3d.sfm.bundle import Tracks
from recon3d.sfm.component_tie import hang_together
from recon3d.sfm.joint_bundle import LEAST_NOISE_PX, MOST_PHOTOS, JointBundle, joint_bundle
from recon3d.sfm.posed_files import write_other_scenes, write_scene
from recon3d.sfm.register import read_posed_photos, write_placed

if TYPE_CHECKING:  # it imports pycolmap
    from recon3d.sfm.mapping import Placement

_log = logging.getLogger(__name__)

_FEWEST_POINTS = 4
_MOST_LEFT_OUT = 8
"""So often is the adjustment tried without some of the points."""
_POINTS_TO_DECIDE, _POINTS_TO_FIT = 60, 600
"""For each photo on the mean."""
# Where GPS has settled the photos before, fewer features blur what is compared.
_POINTS_TO_DECIDE_WITH_GPS = 300
_PARTS, _STEPS = 2, 4
# GPS has proved itself before, and few points sometimes fit better without it by chance.
_CONTRADICTS = 2.0


@dataclass(frozen=True)
class ControlOutcome:
    """What came of the adjustment, for the report; root mean squares in metres."""

    used: bool
    why: str = ""
    """Why the cameras stay; empty where they do not."""
    control_m: tuple[float, float] | None = None
    """Control points before and after."""
    left_out_m: tuple[float, float] | None = None
    """Control points as those see them that were adjusted, or fitted, without them."""
    points_left_out_m: Mapping[str, float] = field(default_factory=dict)
    """By name: how far each of these is off then, with the adjustment."""
    check_m: tuple[float, float] | None = None
    """Check points, where there are some."""
    moved_m: float = 0.0
    """The farthest that a photo moved against the others."""


def adjust_to_control(
    posed: PosedPhotos,
    image_set: ImageSet,
    control: GroundControl,
    given: GivenCameras,
    config: ControlConfig,
    folder: Path,
    task: Task,
) -> None:
    """Write the photos as ground control points place them into `folder`; as they are, if none do.

    given: poses of the user's own stay.

    Raises:
        ControlError: too few points are left in the placed photos.
    """
    survey = measure_control(posed.scene, image_set, control, config, task.part(0, _PARTS))
    placement = placement_of(posed)
    beside: GpsBeside | None = None
    if given.cam_from_world:
        outcome = ControlOutcome(False, "the poses are given")
    elif given.rigs:
        # The least squares here would take their cameras apart.
        outcome = ControlOutcome(False, "rigs and 360-degree photos keep their places")
    else:
        frame = survey.fit.enh_from_world
        gps = gps_beside(posed, placement, image_set, control.crs, frame)
        placement, outcome, beside = _adjusted(placement, survey, gps, image_set, config, task)
    about = (posed.scene.unit, posed.scene.origin)
    scene = write_placed(image_set, placement, given.rigs, *about, folder, task.part(1, _PARTS))
    scene = replace(scene, one_place=posed.scene.one_place)
    told = {**asdict(outcome), **({"gps": asdict(beside)} if beside else {})}
    report = {**posed.scene.report, "control": told}
    if outcome.used:
        report["mean_reprojection_error_px"] = round(float(scene.points.error_px.mean()), 4)
    write_other_scenes(folder, posed.others)
    write_scene(folder, replace(scene, report=report), posed.verdicts)


def placement_of(posed: PosedPhotos) -> Placement:
    """What structure from motion had before it was undistorted."""
    from recon3d.sfm.mapping import Placement

    scene = posed.scene
    points = scene.points
    seen = np.zeros((len(points.observations), 2))
    for index, view in enumerate(scene.views):
        if view.photo_id in posed.sightings_px:
            seen[points.observations[:, 1] == index] = posed.sightings_px[view.photo_id]
    return Placement(
        {view.photo_id: view.cam_from_world for view in scene.views},
        scene.cameras,
        scene.camera_of,
        points.xyz_world,
        points.error_px,
        points.observations,
        seen if len(posed.sightings_px) else np.empty((0, 2)),
        scale_sigma=scene.scale_sigma,
    )


def _adjusted(
    placement: Placement,
    survey: Survey,
    gps: GpsDatum | None,
    image_set: ImageSet,
    config: ControlConfig,
    task: Task,
) -> tuple[Placement, ControlOutcome, GpsBeside | None]:
    if len(survey.held) < _FEWEST_POINTS:
        why = f"{_FEWEST_POINTS} control points are needed, and {len(survey.held)} are measured"
        return placement, ControlOutcome(False, why), None
    if not len(placement.sightings_px):
        return placement, ControlOutcome(False, "the cameras share no features"), None
    if not hang_together(placement.observations):
        return placement, ControlOutcome(False, "parts of the scene share no points"), None
    if len(placement.cam_from_world) > MOST_PHOTOS:
        why = f"more than {MOST_PHOTOS} photos are too many"
        return placement, ControlOutcome(False, why), None
    marked = _Marked.of(placement, survey, image_set, config)
    try:
        return _settled(placement, survey, marked, gps, task)
    except np.linalg.LinAlgError:
        why = "some photos hang on the others by too little"
        return placement, ControlOutcome(False, why), None


@dataclass(frozen=True, eq=False)
class _Start:
    """A bundle with the points as its last ones, ready to be adjusted."""

    joint: JointBundle
    first: int
    """Of the points."""
    gps: GpsDatum | None
    factor: Float[np.ndarray, "n"]
    """How much less sure GPS's readings are than they say."""


@dataclass(frozen=True, eq=False)
class _Found:
    """What came of it."""

    joint: JointBundle
    survey_from_frame: Similarity
    gaps_m: Float[np.ndarray, "g 3"]
    """How far each point is off its coordinates."""


@dataclass(frozen=True, eq=False)
class _Marked:
    """The points that hold the model, then those that check it, about their own middle."""

    points: Sequence[SeenPoint]
    enh_m: Float[np.ndarray, "g 3"]
    accuracy_m: Float[np.ndarray, "g"]
    is_held: Bool[np.ndarray, "g"]
    middle_m: Float[np.ndarray, "3"]
    frame_from_world: Similarity
    tracks: Tracks

    @staticmethod
    def of(
        placement: Placement, survey: Survey, image_set: ImageSet, config: ControlConfig
    ) -> _Marked:
        points = [*survey.held, *survey.checks]
        enh_m = np.array([one.point.enh_m for one in points], np.float64)
        middle = enh_m[: len(survey.held)].mean(axis=0)
        fit = survey.fit.enh_from_world
        photos = {photo.id: photo for photo in image_set.photos}
        order = {photo_id: index for index, photo_id in enumerate(placement.cam_from_world)}
        rows, seen_px = [], []
        for index, one in enumerate(points):
            for mark in one.point.marks:
                # Those that disagree with the others are left out.
                if mark.photo in one.errors_px:
                    pixel = upright_pixel(photos[mark.photo], mark, image_set.orientation)
                    rows.append((order[mark.photo], index))
                    # Viewers count pixels, we measure from the picture's corner.
                    seen_px.append((pixel.column + 0.5, pixel.row + 0.5))
        photo, point = np.array(rows, np.int64).T
        return _Marked(
            points,
            enh_m - middle,
            np.array([one.point.accuracy_m or config.accuracy for one in points]),
            np.arange(len(points)) < len(survey.held),
            middle,
            Similarity(fit.scale, fit.rotation, fit.translation - middle),
            Tracks(photo, point, np.array(seen_px), np.full(len(rows), config.mark_px)),
        )

    def start(self, placement: Placement, gps: GpsDatum | None) -> JointBundle:
        """All of a placement in the frame of GPS, or of the survey where there is none."""
        frame_from_world = gps.gps_from_world if gps else self.frame_from_world
        return joint_bundle(placement, placement.cameras, frame_from_world)

    def joined_to(self, joint: JointBundle, gps: GpsDatum | None) -> _Start:
        """The same bundle with the points as further ones, and GPS, if any, as sure as it is."""
        noise_px = max(joint.noise_px, LEAST_NOISE_PX)
        assert self.tracks.spread is not None
        tracks = replace(self.tracks, spread=self.tracks.spread / noise_px)
        places = np.stack([one.place.xyz_world for one in self.points])
        both = joint.joined(joint.frame_from_world @ places, tracks)
        # The photos have settled to GPS before.
        factor = gps.anchors.factor(joint) if gps else np.empty(0)
        return _Start(both, len(joint.bundle.points_world), gps, factor)

    def settled(self, start: _Start, used: Int[np.ndarray, "u"], task: Task) -> _Found:
        """Adjusted to some of the points, and to GPS where there is some."""
        point, enh_m = start.first + used, self.enh_m[used]
        std = np.repeat(self.accuracy_m[used, None], 3, axis=1)
        if start.gps:
            found, survey_from_frame = start.gps.settled(
                start.joint, start.factor, point, enh_m, std, task
            )
        else:
            anchors = Anchors(point=point, point_world=enh_m, point_std=std)
            found = start.joint.adjusted(anchors, task)
            survey_from_frame = Similarity(1.0, np.eye(3), np.zeros(3))
        places = survey_from_frame @ found.bundle.points_world[start.first :]
        return _Found(found, survey_from_frame, places - self.enh_m)

    def left_out(self, start: _Start, task: Task) -> Float[np.ndarray, "h 3"]:
        """How far points that hold the model are off where the others alone hold it."""
        held = np.flatnonzero(self.is_held)
        gaps = np.zeros((len(held), 3))
        folds = min(len(held), _MOST_LEFT_OUT)
        for fold in range(folds):
            task.step(fold, folds, "asking whether control points straighten the cameras")
            out = held % folds == fold
            gaps[out] = self.settled(start, held[~out], task).gaps_m[held[out]]
        return gaps


def _settled(
    placement: Placement,
    survey: Survey,
    marked: _Marked,
    gps: GpsDatum | None,
    task: Task,
) -> tuple[Placement, ControlOutcome, GpsBeside | None]:
    before = _fitted_left_out(survey)
    photo_points = _POINTS_TO_DECIDE_WITH_GPS if gps else _POINTS_TO_DECIDE
    few = marked.joined_to(marked.start(placement, None).thinned(photo_points), None)
    after = marked.left_out(few, task.part(0, _STEPS))
    beside: GpsBeside | None = None
    if gps:
        few = marked.joined_to(marked.start(placement, gps).thinned(photo_points), gps)
        both = marked.left_out(few, task.part(1, _STEPS))
        if _is_surely_nearer(survey, both, after, _CONTRADICTS):
            why = _left_out_words(_rounded(after, both))
            beside, gps = GpsBeside(len(gps.anchors.photo), False, why), None
        else:
            after = both
    left_out_m = _rounded(before, after)
    off_m = np.linalg.norm(after, axis=1).round(5).tolist()
    names = [one.point.name for one in survey.held]
    tried = ControlOutcome(
        False, left_out_m=left_out_m, points_left_out_m=dict(zip(names, off_m, strict=True))
    )
    is_better = _is_surely_nearer(survey, before, after)
    if gps and not is_better and not _is_surely_nearer(survey, after, before, _CONTRADICTS):
        # Points at one end say nothing of the other, where GPS does.
        is_better = _gps_holds_better(placement, marked, few, task.part(2, _STEPS))
    if not is_better:
        why = _left_out_words(left_out_m)
        return placement, replace(tried, why=why), beside
    task.step(_STEPS - 1, _STEPS, "adjusting to control points")
    whole = marked.start(placement, gps)
    start = whole.thinned(_POINTS_TO_FIT)
    ready = marked.joined_to(start, gps)
    found = marked.settled(ready, np.flatnonzero(marked.is_held), task)
    check_m = None
    if survey.checks:
        stood = [_gap(survey, one) for one in survey.checks]
        check_m = _rounded(np.stack(stood), found.gaps_m[~marked.is_held])
        if check_m[1] > max(check_m[0], float(marked.accuracy_m[~marked.is_held].max())):
            why = f"check points fit to {metres(check_m[1])} with it, {metres(check_m[0])} without"
            return placement, replace(tried, why=why, check_m=check_m), beside
    centres = found.joint.centres
    moved = fit_similarity(start.centres, centres) @ start.centres - centres
    outcome = replace(
        tried,
        used=True,
        control_m=_rounded(survey.fit.residuals_m, found.gaps_m[marked.is_held]),
        check_m=check_m,
        moved_m=round(float(np.linalg.norm(moved, axis=1).max()), 4),
    )
    _log.info("control points adjust the cameras by as much as %s", metres(outcome.moved_m))
    whole = whole.with_cameras_of(found.joint)
    if gps:
        beside = _beside(gps, ready, found, whole.in_world_of(placement), marked.middle_m)
    return whole.placed(placement), outcome, beside


def _gps_holds_better(placement: Placement, marked: _Marked, start: _Start, task: Task) -> bool:
    assert start.gps
    poses = placement.cam_from_world.values()
    centres = np.stack([pose.inverse().translation for pose in poses])
    held = np.flatnonzero(marked.is_held)
    return start.gps.holds_better(
        marked.frame_from_world @ centres,
        lambda gps, factor: (
            marked.settled(replace(start, gps=gps, factor=factor), held, task).joint
        ),
        start.factor,
        task,
    )


def _beside(
    gps: GpsDatum,
    start: _Start,
    found: _Found,
    whole: JointBundle,
    middle_m: Float[np.ndarray, "3"],
) -> GpsBeside:
    datum = found.survey_from_frame
    frame = datum @ whole.frame_from_world
    # The order of sums, which follows from the number of threads, must not show.
    turn = [round(value, 12) for value in quaternion_wxyz(frame.rotation)]
    shift = np.round(frame.translation + middle_m, 6)
    enh_from_world = Similarity(round(frame.scale, 12), rotation_from_quaternion(turn), shift)
    readings = gps.anchors.readings
    return GpsBeside(
        len(readings.photo_ids),
        True,
        error_m=round(float(np.median(readings.std_m[:, 0] * start.factor)), 4),
        off_m=round(float(np.median(gps.anchors.distances(found.joint))), 4),
        shift_m=gps.shift_m(datum, middle_m),
        turn_deg=round(
            float(np.degrees(np.arctan2(datum.rotation[1, 0], datum.rotation[0, 0]))), 5
        ),
        scale=round(datum.scale, 8),
        enh_from_world=enh_from_world.plain(),
    )


def _fitted_left_out(survey: Survey) -> Float[np.ndarray, "h 3"]:
    """How far points that hold the model are off where a similarity through the others has them."""
    held = np.arange(len(survey.held))
    gaps = np.zeros((len(held), 3))
    folds = min(len(held), _MOST_LEFT_OUT)
    for fold in range(folds):
        out = held % folds == fold
        rest = [survey.held[i] for i in held[~out]]
        similarity = fit_survey(rest, [survey.accuracy_m[i] for i in held[~out]]).enh_from_world
        for i in held[out]:
            one = survey.held[i]
            gaps[i] = similarity @ one.place.xyz_world - np.array(one.point.enh_m)
    return gaps


def _left_out_words(left_out_m: tuple[float, float]) -> str:
    return f"points that were left out fit to {metres(left_out_m[1])} with it" + (
        f" and to {metres(left_out_m[0])} without"
    )


def _is_surely_nearer(
    survey: Survey,
    before: Float[np.ndarray, "h 3"],
    after: Float[np.ndarray, "h 3"],
    sigmas: float = 1.0,
) -> bool:
    """Whether points that were left out are nearer to their coordinates, by more than chance.

    sigmas: what is more than chance, in standard errors of the mean.
    """
    scale = survey.fit.enh_from_world.scale
    variance = np.array(
        [
            accuracy**2 + scale**2 * float(np.trace(one.place.covariance)) / 3
            for one, accuracy in zip(survey.held, survey.accuracy_m, strict=True)
        ]
    )
    gain = soft((before**2).sum(axis=1) / variance) - soft((after**2).sum(axis=1) / variance)
    return bool(gain.mean() > sigmas * gain.std(ddof=1) / np.sqrt(len(gain)))


def _gap(survey: Survey, one: SeenPoint) -> Float[np.ndarray, "3"]:
    return survey.fit.enh_from_world @ one.place.xyz_world - np.array(one.point.enh_m)


def _rounded(
    before: Float[np.ndarray, "h 3"], after: Float[np.ndarray, "h 3"]
) -> tuple[float, float]:
    return round(root_mean_square(before), 5), round(root_mean_square(after), 5)


ADJUST = Stage(
    # The photos' place once more: whoever asks for it gets the one that counts.
    name="pose",
    result="posed",
    version=2,
    run=adjust_to_control,
    read=read_posed_photos,
    libraries=("pycolmap",),
)
