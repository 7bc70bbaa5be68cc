"""Cameras that see one board at the same moments: where each stands from the first."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from recon3d.core.transform import Rigid, rotation_angle_deg
from recon3d.run.task import Task
from recon3d_calib.calibrate import Calibration
from recon3d_calib.moments import Moment, Moments
from recon3d_calib.rig_adjust import RigFit, RigSightings, rig_covariance
from recon3d_calib.rig_outliers import settle
from recon3d_calib.rig_start import Placed, View, chained, place_board

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class RigCamera:
    """One camera of a rig."""

    name: str
    calibration: Calibration
    cam_from_first: Rigid
    """Translation in the rig's unit."""
    covariance: Float[np.ndarray, "6 6"]
    """Of cam_from_first: a turn in its target frame in radians, then the translation. From
    leaving moments out or the noise of the corners, and from how sure the lenses are; infinite
    where these are open."""
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

    The lenses stay as they were calibrated; the cameras' and the board's places are adjusted
    together. Cameras that never see the board together with the first are reached over others.
    Photos that contradict the others of their moment do not count.

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
    sightings = RigSightings.of([*placed.values()])
    squares = (fit.residuals_px(sightings) ** 2).sum(axis=1)
    rig = Rig(
        tuple(_cameras(cameras, fit, sightings, squares)),
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


def _views(cameras: Mapping[str, Calibration], moments: Sequence[Moment]) -> list[View]:
    """Photos whose corners are known by number and that the camera's calibration rests on."""
    views = []
    for number, (name, calibration) in enumerate(cameras.items()):
        photos = {photo.photo_id: photo for photo in calibration.used}
        for index, moment in enumerate(moments):
            photo = photos.get(moment.photos.get(name, ""))
            if photo is None or photo.points_board is None or photo.cam_from_board is None:
                continue
            views.append(
                View(
                    number,
                    index,
                    photo.points_board[photo.kept],
                    photo.points_px[photo.kept],
                    Rigid.from_matrix(photo.cam_from_board),
                )
            )
    return views


def _too_few(moment: Moment, names: Sequence[str]) -> str:
    who = f"only {names[0]} shows" if names else "no camera shows"
    return f"{who} the whole board well, of {', '.join(moment.photos)}"


def _contradict(names: Sequence[str], placed: Placed) -> str:
    strays = " and ".join(names[view.camera] for view in placed.strays)
    if len(placed.views) > 1:
        return f"{strays} saw the board elsewhere: not taken at the same moment as the others"
    # Of two nobody knows which one is right.
    agreed = names[placed.views[0].camera]
    return f"{agreed} and {strays} saw the board in different places: not taken at the same moment"


def _cameras(
    cameras: Mapping[str, Calibration],
    fit: RigFit,
    sightings: RigSightings,
    squares: Float[np.ndarray, "n"],
) -> Iterator[RigCamera]:
    unit = next(iter(cameras.values())).board.square_m or 1.0
    scale = np.array([1.0, 1.0, 1.0, unit, unit, unit])
    spread = rig_covariance(fit, sightings)
    for index, (name, calibration) in enumerate(cameras.items()):
        rows = sightings.camera == index
        own = slice(6 * index - 6, 6 * index)
        covariance = spread[own, own] * np.outer(scale, scale) if index else np.zeros((6, 6))
        place = fit.cam_from_first[index]
        yield RigCamera(
            name,
            calibration,
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
