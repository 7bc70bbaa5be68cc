"""Detections of a board -> the camera's intrinsics, and how far to trust them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float

from recon3d.core.camera import Intrinsics
from recon3d.core.lens import FOCAL_AND_CENTRE, LENSES, LensName, intrinsics_of
from recon3d.run.task import Task
from recon3d_calib.board import Board
from recon3d_calib.choice import Trial
from recon3d_calib.detection import Detection, Look
from recon3d_calib.solution import Solution, solve
from recon3d_calib.start import Sharing
from recon3d_calib.usable import usable_detections

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class PhotoResult:
    """What became of one photo."""

    photo_id: str
    used: bool
    reason: str = ""
    """Why it was left out."""
    points_px: Float[np.ndarray, "n 2"] = field(default_factory=lambda: np.empty((0, 2)))
    residuals_px: Float[np.ndarray, "n 2"] = field(default_factory=lambda: np.empty((0, 2)))
    """Where the corners should be, minus where they were seen."""
    kept: Bool[np.ndarray, "n"] = field(default_factory=lambda: np.empty(0, bool))
    """Corners that the result rests on; the others lie too far off."""
    cam_from_board: Float[np.ndarray, "3 4"] | None = None
    """Rotation and translation, in squares."""
    points_board: Float[np.ndarray, "n 3"] = field(default_factory=lambda: np.empty((0, 3)))
    """The corners on the board, bent as it is, in squares."""
    is_whole: bool = False
    """Which corners these are is known; else the board's origin is somewhere on it."""

    @property
    def rms_px(self) -> float:
        """Root mean square distance of the kept corners."""
        squares = (self.residuals_px[self.kept] ** 2).sum(axis=1)
        return float(np.sqrt(squares.mean())) if len(squares) else 0.0

    @property
    def tilt_deg(self) -> float:
        """Between the board and the plane of the sensor."""
        if self.cam_from_board is None:
            return 0.0
        return float(np.degrees(np.arccos(np.clip(abs(self.cam_from_board[2, 2]), 0, 1))))


@dataclass(frozen=True)
class Zoom:
    """A photo's own focal length."""

    intrinsics: Intrinsics
    std_px: float
    """One standard deviation of the focal length."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """A calibrated camera with everything needed to judge it."""

    board: Board
    intrinsics: Intrinsics
    lens: LensName
    std: Mapping[str, float]
    """Standard deviation of every value by name (fx, cx, k1, ...), from the noise of the corners
    or from leaving photos out, whichever is larger; infinite where the photos leave it open."""
    covariance: Float[np.ndarray, "p p"]
    """Of the values, in the order of `values`; `std` is the root of its diagonal."""
    overlooked: Float[np.ndarray, "p"]
    """What a bend of the board that was left aside would change of them; `covariance` allows for
    it."""
    photos: tuple[PhotoResult, ...]
    trials: tuple[Trial, ...] = ()
    """The lenses that were tried, by held-out error."""
    zooms: Mapping[str, Zoom] = field(default_factory=dict)
    """Of each photo that was used, where the lens was zoomed; `intrinsics` are then those of the
    photo in the middle."""
    sharing: Sharing = field(default_factory=Sharing)
    """What one focal length and one board were for."""
    bend: float = 0.0
    """By how much the board bends, in squares between its lowest and its highest corner, where
    that was taken into account."""

    @property
    def used(self) -> list[PhotoResult]:
        """The photos that the result rests on."""
        return [photo for photo in self.photos if photo.used]

    @property
    def values(self) -> Mapping[str, float]:
        """fx, fy, cx, cy and the coefficients by name."""
        camera = self.intrinsics.pinhole
        names = (*FOCAL_AND_CENTRE, *LENSES[self.lens].coefficients)
        plain = (camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px)
        values = (*plain, *self.intrinsics.distortion.coefficients)
        return dict(zip(names, values, strict=True))

    @property
    def rms_px(self) -> float:
        """Root mean square reprojection error of the kept corners of all photos."""
        squares = np.concatenate([(p.residuals_px[p.kept] ** 2).sum(axis=1) for p in self.used])
        return float(np.sqrt(squares.mean()))

    @property
    def focal_error(self) -> float:
        """Twice the standard deviation of the focal length, as a share of it."""
        camera = self.intrinsics.pinhole
        return 2 * max(self.std["fx"] / camera.fx_px, self.std["fy"] / camera.fy_px)


def calibrate(
    looks: Sequence[Look],
    board: Board,
    task: Task,
    *,
    lens: LensName | None = None,
    sharing: Sharing = Sharing(),  # noqa: B008 - frozen
) -> Calibration:
    """Find the camera that explains the corners.

    lens: the model; None chooses the simplest one that predicts photos it was not fitted to as
        well as any other does (cross-validation).
    sharing: what one focal length and one board are for.

    Raises:
        BoardError: the photos show no board, or another one.
        CalibrationError: they show it, but in too few or too similar photos.
        Cancelled: the task was stopped.
    """
    verdicts = {look.photo_id: look.reason for look in looks}
    detections = usable_detections(looks, board, verdicts)
    solution = solve(detections, board, lens, sharing, task)
    verdicts |= solution.verdicts
    spread = solution.covariance()
    calibration = _result(board, solution, detections, spread, verdicts)
    if sharing.zoom:
        calibration = _zoomed(calibration, solution.fit.zooms, solution.zoom_std(spread))
    _log.info(
        "calibrated from %d of %d photos, %s lens, rms %.2f px, focal length %.1f px +- %.2g %%",
        len(calibration.used),
        len(looks),
        calibration.lens,
        calibration.rms_px,
        calibration.intrinsics.pinhole.fx_px,
        100 * calibration.focal_error,
    )
    task.step(3, 3)
    return calibration


def _zoomed(
    calibration: Calibration, factors: Float[np.ndarray, "m"], std: Float[np.ndarray, "m"]
) -> Calibration:
    """With the focal length of every photo, and of the one in the middle as its own."""
    camera = calibration.intrinsics.pinhole

    def at(factor: float) -> Intrinsics:
        longer = replace(camera, fx_px=camera.fx_px * factor, fy_px=camera.fy_px * factor)
        return replace(calibration.intrinsics, pinhole=longer)

    middle = at(float(np.median(factors)))
    error = float(np.median(std))
    focal = {"fx": error * middle.pinhole.fx_px, "fy": error * middle.pinhole.fy_px}
    return replace(
        calibration,
        intrinsics=middle,
        std={**calibration.std, **focal},
        zooms={
            photo.photo_id: Zoom(at(factor), share * camera.fx_px * factor)
            for photo, factor, share in zip(
                calibration.used, factors.tolist(), std.tolist(), strict=True
            )
        },
    )


def _result(
    board: Board,
    solution: Solution,
    detections: Sequence[Detection],
    spread: Float[np.ndarray, "p p"],
    verdicts: Mapping[str, str],
) -> Calibration:
    fit, sightings, ids = solution.fit, solution.sightings, solution.ids
    residuals = fit.residuals_px(sightings)
    rows_of = dict(zip(ids, sightings.photos, strict=True))
    place_of = {photo_id: index for index, photo_id in enumerate(ids)}
    seen = {detection.photo_id: detection for detection in detections}
    photos = []
    for photo_id, reason in verdicts.items():
        if photo_id not in rows_of:
            points = seen[photo_id].points_px if photo_id in seen else np.empty((0, 2))
            photos.append(
                PhotoResult(
                    photo_id,
                    False,
                    reason,
                    points,
                    np.zeros_like(points),
                    np.zeros(len(points), bool),
                )
            )
            continue
        rows, place = rows_of[photo_id], place_of[photo_id]
        pose = np.concatenate([fit.rotations[place], fit.translations[place][:, None]], axis=1)
        photos.append(
            PhotoResult(
                photo_id, True, "", sightings.points_px[rows], residuals[rows],
                sightings.weight[rows] > 0, pose,
                fit.points_board(sightings)[rows], seen[photo_id].is_whole,
            )
        )  # fmt: skip
    names = (*FOCAL_AND_CENTRE, *fit.lens.coefficients)
    with np.errstate(invalid="ignore"):
        std = np.sqrt(np.diag(spread))
    return Calibration(
        board,
        intrinsics_of(fit.lens, fit.values, *detections[0].size),
        fit.lens.name,
        {n: float(s) if np.isfinite(s) else np.inf for n, s in zip(names, std, strict=True)},
        spread,
        solution.overlooked,
        tuple(photos),
        solution.trials,
        sharing=solution.sharing,
        bend=solution.bend.height if solution.free.bow else 0.0,
    )
