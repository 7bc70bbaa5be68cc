"""Surveyed points as observations in one more bundle adjustment.

A similarity brings a model onto the survey as it is, bent or not. Here lens, cameras, features
and surveyed points settle together, each weighed by its error bar: coordinates by their accuracy,
marks by theirs. Check points take part by their marks alone, as any feature does. What is found
is kept only where control points that were left out, in turn, lie nearer to their coordinates
than a similarity through the others brings them, by more than chance, and check points no worse.
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
from recon3d.core.transform import Similarity, fit_similarity
from recon3d.georef.back_projection import upright_pixel
from recon3d.georef.control.fit import SeenPoint, fit_survey
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
_PARTS = 2


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
    if given.cam_from_world:
        outcome = ControlOutcome(False, "the poses are given")
    elif given.rigs:
        # The least squares here would take their cameras apart.
        outcome = ControlOutcome(False, "rigs and 360-degree photos keep their places")
    else:
        placement, outcome = _adjusted(placement, survey, image_set, config, task)
    about = (posed.scene.unit, posed.scene.origin)
    scene = write_placed(image_set, placement, given.rigs, *about, folder, task.part(1, _PARTS))
    scene = replace(scene, one_place=posed.scene.one_place)
    report = {**posed.scene.report, "control": asdict(outcome)}
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
    placement: Placement, survey: Survey, image_set: ImageSet, config: ControlConfig, task: Task
) -> tuple[Placement, ControlOutcome]:
    if len(survey.held) < _FEWEST_POINTS:
        why = f"{_FEWEST_POINTS} control points are needed, and {len(survey.held)} are measured"
        return placement, ControlOutcome(False, why)
    if not len(placement.sightings_px):
        return placement, ControlOutcome(False, "the cameras share no features")
    if not hang_together(placement.observations):
        return placement, ControlOutcome(False, "parts of the scene share no points")
    if len(placement.cam_from_world) > MOST_PHOTOS:
        return placement, ControlOutcome(False, f"more than {MOST_PHOTOS} photos are too many")
    try:
        return _settled(placement, survey, _Marked.of(placement, survey, image_set, config), task)
    except np.linalg.LinAlgError:
        return placement, ControlOutcome(False, "some photos hang on the others by too little")


@dataclass(frozen=True, eq=False)
class _Marked:
    """The points that hold the model, then those that check it, about their own middle."""

    points: Sequence[SeenPoint]
    enh_m: Float[np.ndarray, "g 3"]
    accuracy_m: Float[np.ndarray, "g"]
    is_held: Bool[np.ndarray, "g"]
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
            Similarity(fit.scale, fit.rotation, fit.translation - middle),
            Tracks(photo, point, np.array(seen_px), np.full(len(rows), config.mark_px)),
        )

    def joined_to(self, joint: JointBundle) -> JointBundle:
        """The same bundle with the points as further ones."""
        noise_px = max(joint.noise_px, LEAST_NOISE_PX)
        assert self.tracks.spread is not None
        tracks = replace(self.tracks, spread=self.tracks.spread / noise_px)
        places = np.stack([one.place.xyz_world for one in self.points])
        return joint.joined(self.frame_from_world @ places, tracks)

    def settled(
        self, joint: JointBundle, used: Int[np.ndarray, "u"], task: Task
    ) -> tuple[JointBundle, Float[np.ndarray, "g 3"]]:
        """Adjusted to some of the points, and how far each one is off its coordinates then."""
        first = len(joint.bundle.points_world)
        std = np.repeat(self.accuracy_m[used, None], 3, axis=1)
        anchors = Anchors(point=first + used, point_world=self.enh_m[used], point_std=std)
        found = self.joined_to(joint).adjusted(anchors, task)
        return found, found.bundle.points_world[first:] - self.enh_m


def _settled(
    placement: Placement, survey: Survey, marked: _Marked, task: Task
) -> tuple[Placement, ControlOutcome]:
    held = np.flatnonzero(marked.is_held)
    whole = joint_bundle(placement, placement.cameras, marked.frame_from_world)
    few = whole.thinned(_POINTS_TO_DECIDE)
    before, after = np.zeros((len(held), 3)), np.zeros((len(held), 3))
    folds = min(len(held), _MOST_LEFT_OUT)
    for fold in range(folds):
        task.step(fold, folds + 1, "asking whether control points straighten the cameras")
        out = held % folds == fold
        rest = [survey.held[i] for i in held[~out]]
        similarity = fit_survey(rest, [survey.accuracy_m[i] for i in held[~out]]).enh_from_world
        for i in held[out]:
            one = survey.held[i]
            before[i] = similarity @ one.place.xyz_world - np.array(one.point.enh_m)
        after[out] = marked.settled(few, held[~out], task)[1][held[out]]
    left_out_m = _rounded(before, after)
    off_m = np.linalg.norm(after, axis=1).round(5).tolist()
    names = [one.point.name for one in survey.held]
    tried = ControlOutcome(
        False, left_out_m=left_out_m, points_left_out_m=dict(zip(names, off_m, strict=True))
    )
    if not _is_surely_nearer(survey, before, after):
        why = f"points that were left out fit to {metres(left_out_m[1])} with it" + (
            f" and to {metres(left_out_m[0])} without"
        )
        return placement, replace(tried, why=why)
    task.step(folds, folds + 1, "adjusting to control points")
    start = whole.thinned(_POINTS_TO_FIT)
    found, gaps = marked.settled(start, held, task)
    check_m = None
    if survey.checks:
        stood = [_gap(survey, one) for one in survey.checks]
        check_m = _rounded(np.stack(stood), gaps[~marked.is_held])
        if check_m[1] > max(check_m[0], float(marked.accuracy_m[~marked.is_held].max())):
            why = f"check points fit to {metres(check_m[1])} with it, {metres(check_m[0])} without"
            return placement, replace(tried, why=why, check_m=check_m)
    moved = fit_similarity(start.centres, found.centres) @ start.centres - found.centres
    outcome = replace(
        tried,
        used=True,
        control_m=_rounded(survey.fit.residuals_m, gaps[held]),
        check_m=check_m,
        moved_m=round(float(np.linalg.norm(moved, axis=1).max()), 4),
    )
    _log.info("control points adjust the cameras by as much as %s", metres(outcome.moved_m))
    return whole.with_cameras_of(found).placed(placement), outcome


def _is_surely_nearer(
    survey: Survey, before: Float[np.ndarray, "h 3"], after: Float[np.ndarray, "h 3"]
) -> bool:
    """Whether points that were left out are nearer to their coordinates, by more than chance."""
    scale = survey.fit.enh_from_world.scale
    variance = np.array(
        [
            accuracy**2 + scale**2 * float(np.trace(one.place.covariance)) / 3
            for one, accuracy in zip(survey.held, survey.accuracy_m, strict=True)
        ]
    )
    gain = soft((before**2).sum(axis=1) / variance) - soft((after**2).sum(axis=1) / variance)
    return bool(gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)))


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
    version=1,
    run=adjust_to_control,
    read=read_posed_photos,
    libraries=("pycolmap",),
)
