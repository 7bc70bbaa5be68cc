"""Detections of a board -> the camera's intrinsics, and how far to trust them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from recon3d.core.camera import Intrinsics
from recon3d.run.task import Task
from recon3d_calib.adjust import Fit, Sightings, adjust, covariance
from recon3d_calib.board import Board
from recon3d_calib.choice import CHOSEN_FROM, Trial, choose_lens
from recon3d_calib.detection import Detection, Look
from recon3d_calib.errors import BoardError, CalibrationError
from recon3d_calib.lens import FOCAL_AND_CENTRE, LENSES, Lens, LensName, intrinsics_of
from recon3d_calib.outliers import drop_outliers
from recon3d_calib.start import first_fit, free_values

_log = logging.getLogger(__name__)
_FEWEST_PHOTOS = 3


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
    photos: tuple[PhotoResult, ...]
    trials: tuple[Trial, ...] = ()
    """The lenses that were tried, by held-out error."""

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
    square_pixels: bool = False,
) -> Calibration:
    """Find the camera that explains the corners.

    lens: the model; None chooses the simplest one that predicts photos it was not fitted to as
        well as any other does (cross-validation).
    square_pixels: one focal length for both directions.

    Raises:
        BoardError: the photos show no board, or another one.
        CalibrationError: they show it, but in too few or too similar photos.
        Cancelled: the task was stopped.
    """
    verdicts = {look.photo_id: look.reason for look in looks}
    detections = _of_one_size(looks, board, verdicts)
    width_px, height_px = detections[0].size
    _check_count(detections, looks)
    start, sightings, ids = _start(detections, verdicts)
    names = (lens,) if lens else CHOSEN_FROM
    task.step(0, 3, "rejecting corners that do not fit")
    fits, sightings, ids = drop_outliers(
        start, sightings, ids, names, verdicts, square_pixels=square_pixels
    )
    if len(ids) < _FEWEST_PHOTOS:
        raise CalibrationError(
            f"Only {len(ids)} photos agree with each other; at least {_FEWEST_PHOTOS} are needed.",
            hint="Use a flat, stiff board and sharp photos of one camera, with one focal length "
            "(no zoom, no autofocus between them).",
        )
    task.step(1, 3, "choosing the lens model")
    fits = {name: fit for name, fit in fits.items() if name in names}
    if not fits:
        raise CalibrationError(
            f"The corners fit no lens of the model {lens}.",
            hint="Let recon3d choose the model, or check the kind and the size of the board.",
        )
    trials = choose_lens(fits, sightings, (width_px, height_px), task, square_pixels)
    chosen = next(trial.lens for trial in trials if trial.chosen)
    task.step(2, 3, f"adjusting ({chosen})")
    free = free_values(LENSES[chosen], square_pixels=square_pixels)
    fit = adjust(fits[chosen], sightings, free)
    calibration = _result(
        board, fit, sightings, ids, detections, covariance(fit, sightings, free), verdicts
    )
    calibration = replace(calibration, trials=trials)
    _log.info(
        "calibrated from %d of %d photos, %s lens, rms %.2f px, focal length %.1f px +- %.2g %%",
        len(calibration.used),
        len(looks),
        chosen,
        calibration.rms_px,
        calibration.intrinsics.pinhole.fx_px,
        100 * calibration.focal_error,
    )
    task.step(3, 3)
    return calibration


def _of_one_size(looks: Sequence[Look], board: Board, verdicts: dict[str, str]) -> list[Detection]:
    """The detections in photos of the most common size."""
    detections = [look.detection for look in looks if look.detection]
    others = Counter(
        tuple(sorted(look.other_size, reverse=True)) for look in looks if look.other_size
    )
    whole = sum(detection.is_whole for detection in detections)
    if not whole:
        # A part of the same size in most photos is the whole of another board.
        others.update(_part_size(detection) for detection in detections)
    for (columns, rows), count in others.most_common(1):
        if count > max(whole, len(detections) / 2):
            raise BoardError(
                f"The photos do not show {board.words}: {count} of {len(looks)} show one of "
                f"{columns}x{rows}.",
                hint=f"Give the size {columns}x{rows}, or let recon3d find it.",
            )
    if not detections:
        reasons = Counter(look.reason for look in looks)
        why = f" ({reasons.most_common(1)[0][0]})" if reasons else ""
        raise BoardError(
            f"None of the {len(looks)} photos shows {board.words}{why}.",
            hint="The board must be flat, sharp and evenly lit, with its white border, and its "
            "kind and size must be right. `recon3d board` prints one.",
        )
    (size, _), *_ = Counter(detection.size for detection in detections).most_common()
    for detection in detections:
        if detection.size != size:
            verdicts[detection.photo_id] = (
                f"it is {detection.width_px}x{detection.height_px}, the others are "
                f"{size[0]}x{size[1]}: another camera or mode, or cropped"
            )
    return [detection for detection in detections if detection.size == size]


def _part_size(detection: Detection) -> tuple[int, ...]:
    extent = np.ptp(detection.points_board, axis=0) + 1
    return tuple(sorted(extent.astype(int).tolist(), reverse=True))


def _check_count(detections: Sequence[Detection], looks: Sequence[Look]) -> None:
    if len(detections) >= _FEWEST_PHOTOS:
        return
    raise CalibrationError(
        f"The board was found in {len(detections)} of {len(looks)} photos of one size; at least "
        f"{_FEWEST_PHOTOS} are needed, and 15 are good.",
        hint="Photograph the board from different sides: tilted left, right, up and down, near "
        "and far, in the middle and in every corner of the picture.",
    )


def _start(
    detections: Sequence[Detection], verdicts: dict[str, str]
) -> tuple[dict[LensName, Fit], Sightings, list[str]]:
    """Lenses without coefficients, the photos that they are for, and these photos' ids."""
    everything = flattened(detections)
    starts = {
        name: found
        for name, lens in LENSES.items()
        if lens.starts_from is None and (found := first_fit(lens, everything, detections[0].size))
    }
    if not starts:
        raise CalibrationError(
            "The corners that were found fit no camera.",
            hint="Check the kind and the size of the board, and that it is flat.",
        )
    widest, good = max(starts.values(), key=lambda start: len(start[1]))
    for index, detection in enumerate(detections):
        if index not in good:
            verdicts[detection.photo_id] = "its corners fit no camera: they were counted wrongly"
    # A start that cannot place a board takes its place from the one that can place most.
    fits = {
        name: _with_poses_of(fit, photos, widest, good) for name, (fit, photos) in starts.items()
    }
    return fits, everything.of_photos(good), [detections[i].photo_id for i in good]


def _with_poses_of(
    fit: Fit, photos: Int[np.ndarray, "k"], widest: Fit, good: Int[np.ndarray, "m"]
) -> Fit:
    own = np.isin(photos, good)
    places = np.searchsorted(good, photos[own])
    rotations, translations = widest.rotations.copy(), widest.translations.copy()
    rotations[places], translations[places] = fit.rotations[own], fit.translations[own]
    return replace(fit, rotations=rotations, translations=translations)


def flattened(detections: Sequence[Detection]) -> Sightings:
    """All corners in one table."""
    counts = [len(detection.points_px) for detection in detections]
    board = np.concatenate([detection.points_board for detection in detections])
    return Sightings(
        np.repeat(np.arange(len(detections)), counts),
        np.concatenate([board, np.zeros((len(board), 1))], axis=1),
        np.concatenate([detection.points_px for detection in detections]),
        np.ones(len(board)),
    )


def _result(
    board: Board,
    fit: Fit,
    sightings: Sightings,
    ids: Sequence[str],
    detections: Sequence[Detection],
    spread: Float[np.ndarray, "p p"],
    verdicts: Mapping[str, str],
) -> Calibration:
    lens: Lens = fit.lens
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
            )
        )  # fmt: skip
    names = (*FOCAL_AND_CENTRE, *lens.coefficients)
    with np.errstate(invalid="ignore"):
        std = np.sqrt(np.diag(spread))
    return Calibration(
        board,
        intrinsics_of(lens, fit.values, *detections[0].size),
        lens.name,
        {n: float(s) if np.isfinite(s) else np.inf for n, s in zip(names, std, strict=True)},
        spread,
        tuple(photos),
    )
