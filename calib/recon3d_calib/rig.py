"""Cameras that see one board at the same moments: where each stands from the first."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from recon3d.core.camera import Intrinsics
from recon3d.core.lens import intrinsics_of
from recon3d.core.transform import Rigid, rotation_angle_deg
from recon3d.photos.moments import Moment, Moments
from recon3d.run.task import Task
from recon3d_calib.calibrate import Calibration, PhotoResult
from recon3d_calib.rig_adjust import RigFit, RigSightings, adjust_rig, free_lenses, rig_covariance
from recon3d_calib.rig_outliers import settle
from recon3d_calib.rig_start import BoardView, Placed, chained, place_board

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class RigCamera:
    """One camera of a rig."""

    name: str
    calibration: Calibration
    """Of the camera alone, where the adjustment began."""
    intrinsics: Intrinsics
    """Adjusted together with the places."""
    std: Mapping[str, float]
    """Standard deviation of their values by name."""
    cam_from_first: Rigid
    """Translation in the rig's unit."""
    covariance: Float[np.ndarray, "6 6"]
    """Of cam_from_first: a turn in its target frame in radians, then the translation. From
    leaving moments out or the noise of the corners, whichever is larger; infinite where the
    photos leave something open."""
    rms_px: float
    """Of the corners of all moments that count."""
    moments: int
    """In which it saw the board, of those that count."""

    @property
    def baseline(self) -> float:
        """Distance from the first camera, in the rig's unit."""
        return float(np.linalg.norm(self.cam_from_first.translation))

    @property
    def baseline_std(self) -> float:
        """One standard deviation."""
        if not np.isfinite(self.covariance).all():
            return np.inf
        along = self.cam_from_first.translation / (self.baseline or 1.0)
        return _root(along @ self.covariance[3:, 3:] @ along)

    @property
    def rotation_deg(self) -> float:
        """By how much it looks another way than the first camera, about any axis."""
        return float(rotation_angle_deg(self.cam_from_first.rotation[None])[0])

    @property
    def rotation_std_deg(self) -> float:
        """One standard deviation about the axis that is least sure."""
        if not np.isfinite(self.covariance).all():
            return np.inf
        return float(np.degrees(_root(np.linalg.eigvalsh(self.covariance[:3, :3])[-1])))


@dataclass(frozen=True, eq=False)
class MomentResult:
    """What became of one moment."""

    name: str
    used: bool
    reason: str = ""
    """Why it was left out, or why a photo of it was."""
    rms_px: Mapping[str, float] = field(default_factory=dict)
    """Of each camera whose photo counts."""


@dataclass(frozen=True, eq=False)
class Rig:
    """Cameras that keep their places to each other."""

    cameras: tuple[RigCamera, ...]
    """The first is where the others are measured from."""
    moments: tuple[MomentResult, ...]
    alone: Mapping[str, tuple[str, ...]]
    """By camera, photos that have no partner."""
    metric: bool
    """The unit is the metre; else the edge of a square."""
    rms_px: float
    """Of all corners of all moments that count."""

    @property
    def used(self) -> list[MomentResult]:
        """The moments that the result rests on."""
        return [moment for moment in self.moments if moment.used]


def calibrate_rig(cameras: Mapping[str, Calibration], moments: Moments, task: Task) -> Rig:
    """Find where the cameras stand from photos that were taken at the same moments.

    The cameras' and the board's places are adjusted together, in the end with the lenses: where
    a camera looks and where its principal point lies are hard to tell apart from its own photos,
    and what they have wrong the baseline would have to make up for. Cameras that never see the
    board together with the first are reached over others. Photos that
    contradict the others of their moment do not count.

    cameras: by the names that the moments have, the first one first; two or more, all calibrated
        with the same board.

    Raises:
        CalibrationError: a camera cannot be placed.
        Cancelled: the task was stopped.
    """
    names, board = [*cameras], next(iter(cameras.values())).board
    reasons: dict[int, str] = {}
    task.step(0, 2, "placing the cameras")
    views = _views(cameras, moments.together)
    cam_from_first = chained(names, views, board)
    placed: dict[int, Placed] = {}
    for index, moment in enumerate(moments.together):
        of_moment = [view for view in views if view.moment == index]
        if len(of_moment) < 2:
            reasons[index] = _too_few(moment, [names[view.camera] for view in of_moment])
            continue
        found = place_board(of_moment, cam_from_first, board)
        if found.strays:
            reasons[index] = _contradict(names, found)
        if len(found.views) > 1:
            placed[index] = found
    task.step(1, 2, "adjusting the rig")
    fit, placed = settle(cameras, cam_from_first, placed, reasons, task)
    alone = [*_alone(cameras, moments, placed, fit)]
    everything = RigSightings.of([*placed.values(), *alone])
    fit, spread = _with_lenses(fit.with_moments(alone), everything, cameras, task)
    sightings = everything.first(len(placed))
    squares = (fit.residuals_px(sightings) ** 2).sum(axis=1)
    rig = Rig(
        tuple(_cameras(cameras, fit, spread, sightings, squares)),
        tuple(_told(moments.together, names, sightings, squares, [*placed], reasons)),
        moments.alone,
        board.square_mm is not None,
        float(np.sqrt(squares.mean())),
    )
    _log.info(
        "placed %d cameras from %d of %d moments, rms %.2f px",
        len(names), len(rig.used), len(rig.moments), rig.rms_px,
    )  # fmt: skip
    task.step(2, 2)
    return rig


def _views(cameras: Mapping[str, Calibration], moments: Sequence[Moment]) -> list[BoardView]:
    """Photos whose corners are known by number and that the camera's calibration rests on."""
    views = []
    for number, (name, calibration) in enumerate(cameras.items()):
        photos = {photo.photo_id: photo for photo in calibration.used}
        for index, moment in enumerate(moments):
            photo = photos.get(moment.photos.get(name, ""))
            if photo is None or not photo.is_whole or photo.cam_from_board is None:
                continue
            views.append(_view(number, index, photo, photo.cam_from_board))
    return views


def _view(
    camera: int, moment: int, photo: PhotoResult, cam_from_board: Float[np.ndarray, "3 4"]
) -> BoardView:
    board, seen = photo.points_board[photo.kept], photo.points_px[photo.kept]
    return BoardView(camera, moment, board, seen, Rigid.from_matrix(cam_from_board))


def _alone(
    cameras: Mapping[str, Calibration], moments: Moments, placed: Mapping[int, Placed], fit: RigFit
) -> Iterator[Placed]:
    """The other photos of each camera, which speak of its lens only."""
    names = [*cameras]
    tied = {
        (view.camera, moments.together[index].photos[names[view.camera]])
        for index, each in placed.items()
        for view in each.views
    }
    for camera, (calibration, place) in enumerate(
        zip(cameras.values(), fit.cam_from_first, strict=True)
    ):
        for photo in calibration.used:
            if (camera, photo.photo_id) in tied or photo.cam_from_board is None:
                continue
            view = _view(camera, -1, photo, photo.cam_from_board)
            yield Placed(place.inverse() @ view.cam_from_board, (view,), ())


def _with_lenses(
    fit: RigFit, sightings: RigSightings, cameras: Mapping[str, Calibration], task: Task
) -> tuple[RigFit, tuple[Float[np.ndarray, "q q"], Float[np.ndarray, "s s"]]]:
    """Adjusted with the lenses, and the covariance of places and lenses."""
    all_cameras = [*cameras.values()]
    free = free_lenses(all_cameras)
    if not all(np.isfinite(each.covariance).all() for each in all_cameras):
        # A lens that is left open would run away.
        return fit, (np.full((fit.places,) * 2, np.inf), np.full((len(free),) * 2, np.inf))
    fit = adjust_rig(fit, sightings, task, free)
    overlooked = np.concatenate([each.overlooked for each in all_cameras])
    return fit, rig_covariance(fit, sightings, free, overlooked)


def _too_few(moment: Moment, names: Sequence[str]) -> str:
    photos = ", ".join(moment.photos)
    if not names:
        return f"no camera shows the whole board well, of {photos}"
    camera_name = names[0]
    return f"only {camera_name} shows the whole board well, of {photos}"


def _contradict(names: Sequence[str], placed: Placed) -> str:
    stray_name = ", ".join(names[view.camera] for view in placed.strays)
    if len(placed.views) > 1:
        return f"{stray_name} saw the board elsewhere: not taken at the same moment as the others"
    # Of two nobody knows which one is right.
    name = names[placed.views[0].camera]
    return (
        f"{name} and {stray_name} saw the board in different places: not taken at the same moment"
    )


def _cameras(
    cameras: Mapping[str, Calibration],
    fit: RigFit,
    spread: tuple[Float[np.ndarray, "q q"], Float[np.ndarray, "s s"]],
    sightings: RigSightings,
    squares: Float[np.ndarray, "n"],
) -> Iterator[RigCamera]:
    unit = next(iter(cameras.values())).board.square_m or 1.0
    scale = np.array([1.0, 1.0, 1.0, unit, unit, unit])
    of_places, of_lenses = spread
    variances = np.split(np.diag(of_lenses), np.cumsum([*map(len, fit.values)])[:-1])
    for index, (name, calibration) in enumerate(cameras.items()):
        camera = calibration.intrinsics.pinhole
        rows = sightings.camera == index
        own = slice(6 * index - 6, 6 * index)
        covariance = of_places[own, own] * np.outer(scale, scale) if index else np.zeros((6, 6))
        place = fit.cam_from_first[index]
        yield RigCamera(
            name,
            calibration,
            intrinsics_of(fit.lenses[index], fit.values[index], camera.width_px, camera.height_px),
            {
                name: _root(var)
                for name, var in zip(calibration.values, variances[index], strict=True)
            },
            Rigid(place.rotation, place.translation * unit),
            covariance,
            float(np.sqrt(squares[rows].mean())),
            len(np.unique(sightings.moment[rows])),
        )


def _told(
    moments: Sequence[Moment],
    names: Sequence[str],
    sightings: RigSightings,
    squares: Float[np.ndarray, "n"],
    used: Sequence[int],
    reasons: Mapping[int, str],
) -> Iterator[MomentResult]:
    rows_of = dict(zip(used, sightings.moments, strict=True))
    for index, moment in enumerate(moments):
        if index not in rows_of:
            yield MomentResult(moment.name, False, reasons[index])
            continue
        rows = rows_of[index]
        cameras = sightings.camera[rows]
        rms_px = {
            names[camera]: float(np.sqrt(squares[rows][cameras == camera].mean()))
            for camera in np.unique(cameras).tolist()
        }
        yield MomentResult(moment.name, True, reasons.get(index, ""), rms_px)


def _root(variance: float) -> float:
    return float(np.sqrt(max(variance, 0.0)))
