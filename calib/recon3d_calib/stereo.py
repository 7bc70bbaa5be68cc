"""Two cameras that see the same board at the same moments: where one stands from the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from recon3d.core.camera import Intrinsics
from recon3d.core.transform import Rigid
from recon3d.run.task import Task
from recon3d_calib.adjust import rotations_of
from recon3d_calib.board import Board
from recon3d_calib.calibrate import Calibration, PhotoResult
from recon3d_calib.detection import Detection, Look
from recon3d_calib.errors import CalibrationError
from recon3d_calib.lens import LENSES, intrinsics_of, project

_FEWEST_PAIRS = 3
_MOST_SIGMAS = 5.0
# Two places of the second camera are the same up to this share of the board's distance.
_SAME = 0.1


@dataclass(frozen=True, eq=False)
class Stereo:
    """The second camera from the first."""

    second_from_first: Rigid
    """Translation in metres where `metric`, else in squares of the board."""
    metric: bool
    baseline: float
    """Distance of the two cameras, in the same unit."""
    baseline_std: float
    """From leaving pairs out, and from how sure the two lenses are."""
    rotation_deg: float
    rms_px: float
    pairs_used: int
    pairs_given: int
    intrinsics: tuple[Intrinsics, Intrinsics]


@dataclass(frozen=True, eq=False)
class _Pair:
    first: Detection
    second: Detection
    first_from_board: Float[np.ndarray, "3 4"]
    second_from_board: Float[np.ndarray, "3 4"]


def calibrate_stereo(
    first: Calibration,
    second: Calibration,
    looks: Sequence[tuple[Look, Look]],
    board: Board,
    task: Task,
) -> Stereo:
    """Find the second camera's place from pairs of photos that were taken at the same moment.

    The lenses stay as they were calibrated; the board's places and the second camera's are
    adjusted together, with the error of both cameras' pixels (Cauchy loss).

    Raises:
        CalibrationError: too few pairs show the whole board.
        Cancelled: the task was stopped.
    """
    pairs = _pairs(first, second, looks)
    if len(pairs) < _FEWEST_PAIRS:
        raise CalibrationError(
            f"Both cameras see the whole board in {len(pairs)} of {len(looks)} pairs; at least "
            f"{_FEWEST_PAIRS} are needed.",
            hint="Pairs go by the order of the names; take both photos of a pair at one moment.",
        )
    task.step(0, 1, "placing the second camera")
    pairs, guess = _agreeing(pairs)
    pose, rms_px = _adjusted(first, second, pairs, guess)
    unit = board.square_m or 1.0
    without = []
    for index in range(len(pairs)):
        task.check()
        rest = [*pairs[:index], *pairs[index + 1 :]]
        without.append(_length(_adjusted(first, second, rest, pose)[0]))
    count = len(pairs)
    # The jackknife's factor: left-out results differ by far less than the result's error.
    variance = (count - 1) * float(np.var(without))
    variance += _variance_of_lenses(first, second, pairs, pose, task)
    task.step(1, 1)
    return Stereo(
        Rigid(rotations_of(pose[None, :3])[0], pose[3:] * unit),
        board.square_mm is not None,
        _length(pose) * unit,
        float(np.sqrt(variance)) * unit,
        float(np.degrees(np.linalg.norm(pose[:3]))),
        rms_px,
        len(pairs),
        len(looks),
        (first.intrinsics, second.intrinsics),
    )


def _variance_of_lenses(
    first: Calibration,
    second: Calibration,
    pairs: Sequence[_Pair],
    pose: Float[np.ndarray, "6"],
    task: Task,
) -> float:
    """Of the baseline, from the covariance of both lenses' values."""
    variance = 0.0
    for one in (first, second):
        if not np.isfinite(one.covariance).all():
            return np.inf
        # Along the axes of the covariance, where nothing is correlated.
        sizes, axes = np.linalg.eigh(one.covariance)
        for size, axis in zip(np.sqrt(np.maximum(sizes, 0)), axes.T, strict=True):
            task.check()
            moved = _moved(one, size * axis)
            cameras = (moved, second) if one is first else (first, moved)
            variance += (_length(_adjusted(*cameras, pairs, pose)[0]) - _length(pose)) ** 2
    return variance


def _moved(camera: Calibration, step: Float[np.ndarray, "p"]) -> Calibration:
    values = np.array([*camera.values.values()]) + step
    pinhole = camera.intrinsics.pinhole
    size = pinhole.width_px, pinhole.height_px
    return replace(camera, intrinsics=intrinsics_of(LENSES[camera.lens], values, *size))


def _length(pose: Float[np.ndarray, "6"]) -> float:
    return float(np.linalg.norm(pose[3:]))


def _pairs(
    first: Calibration, second: Calibration, looks: Sequence[tuple[Look, Look]]
) -> list[_Pair]:
    """Pairs in which both cameras' calibrations used the whole board."""
    ours = {photo.photo_id: photo for photo in first.used}
    theirs = {photo.photo_id: photo for photo in second.used}
    found = []
    for a, b in looks:
        one, other = ours.get(a.photo_id), theirs.get(b.photo_id)
        if one and other and a.detection and b.detection:
            found.append(_pair(a.detection, b.detection, one, other))
    return [pair for pair in found if pair]


def _pair(a: Detection, b: Detection, one: PhotoResult, other: PhotoResult) -> _Pair | None:
    if a.numbers is None or b.numbers is None:
        return None
    if one.cam_from_board is None or other.cam_from_board is None:
        return None
    return _Pair(a, b, one.cam_from_board, other.cam_from_board)


def _agreeing(pairs: Sequence[_Pair]) -> tuple[list[_Pair], Float[np.ndarray, "6"]]:
    """Pairs that place the second camera alike, and where that is.

    A chessboard looks the same upside down, and each camera may have counted it from another
    end: both ways are tried.
    """
    choices = [[pair, _turned(pair)] for pair in pairs]
    options = [[_relative(way) for way in ways] for ways in choices]
    best, most = options[0][0], -1
    for candidate in (way for ways in options for way in ways):
        agreeing = sum(any(_alike(way, candidate, pair) for way in ways)
                       for ways, pair in zip(options, pairs, strict=True))  # fmt: skip
        if agreeing > most:
            best, most = candidate, agreeing
    kept = [
        ways[index]
        for ways, placed in zip(choices, options, strict=True)
        for index in range(2)
        if _alike(placed[index], best, ways[index])
    ]
    return kept, best


def _turned(pair: _Pair) -> _Pair:
    """The second camera counted the board from its other end."""
    extent = pair.second.points_board.max(axis=0) + pair.second.points_board.min(axis=0)
    detection = Detection(
        pair.second.photo_id,
        *pair.second.size,
        pair.second.points_px,
        extent - pair.second.points_board,
        pair.second.numbers,
    )
    rotation, translation = pair.second_from_board[:, :3], pair.second_from_board[:, 3]
    turned = rotation @ np.diag([-1.0, -1.0, 1.0])
    moved = translation + rotation @ np.append(extent, 0.0)
    return _Pair(
        pair.first,
        detection,
        pair.first_from_board,
        np.concatenate([turned, moved[:, None]], axis=1),
    )


def _relative(pair: _Pair) -> Float[np.ndarray, "6"]:
    """second_from_first as rotation vector and translation."""
    from scipy.spatial.transform import Rotation

    rotation = pair.second_from_board[:, :3] @ pair.first_from_board[:, :3].T
    translation = pair.second_from_board[:, 3] - rotation @ pair.first_from_board[:, 3]
    return np.concatenate([Rotation.from_matrix(rotation).as_rotvec(), translation])


def _alike(a: Float[np.ndarray, "6"], b: Float[np.ndarray, "6"], pair: _Pair) -> bool:
    turn = np.linalg.norm(a[:3] - b[:3])
    shift = np.linalg.norm(a[3:] - b[3:]) / np.linalg.norm(pair.first_from_board[:, 3])
    return bool(turn < _SAME and shift < _SAME)


def _adjusted(
    first: Calibration,
    second: Calibration,
    pairs: Sequence[_Pair],
    guess: Float[np.ndarray, "6"],
) -> tuple[Float[np.ndarray, "6"], float]:
    """second_from_first, and the root mean square distance of the corners of both cameras."""
    from scipy.optimize import least_squares
    from scipy.sparse import lil_matrix
    from scipy.spatial.transform import Rotation

    boards = [
        np.concatenate([Rotation.from_matrix(p.first_from_board[:, :3]).as_rotvec(),
                        p.first_from_board[:, 3]])
        for p in pairs
    ]  # fmt: skip

    def residuals(unknowns: np.ndarray) -> np.ndarray:
        poses = unknowns.reshape(-1, 6)
        second_turn = rotations_of(poses[:1, :3])[0]
        turns = rotations_of(poses[1:, :3])
        misses = []
        for pair, turn, shift in zip(pairs, turns, poses[1:, 3:], strict=True):
            for camera, detection in ((first, pair.first), (second, pair.second)):
                flat = np.pad(detection.points_board, ((0, 0), (0, 1)))
                points = flat @ turn.T + shift
                if camera is second:
                    points = points @ second_turn.T + poses[0, 3:]
                values = np.array([*camera.values.values()])
                shown = project(LENSES[camera.lens], values, points)
                misses.append((shown - detection.points_px).ravel())
        return np.concatenate(misses)

    counts = [2 * (len(p.first.points_px) + len(p.second.points_px)) for p in pairs]
    pattern = lil_matrix((sum(counts), 6 + 6 * len(pairs)), dtype=np.int8)
    pattern[:, :6] = 1
    start = 0
    for index, count in enumerate(counts):
        pattern[start : start + count, 6 + 6 * index : 12 + 6 * index] = 1
        start += count
    solved = least_squares(
        residuals,
        np.concatenate([guess, *boards]),
        jac_sparsity=pattern,
        loss="cauchy",
        f_scale=_MOST_SIGMAS * max(first.rms_px, second.rms_px),
        x_scale="jac",
    )
    misses = residuals(solved.x).reshape(-1, 2)
    return solved.x[:6], float(np.sqrt((misses**2).sum(axis=1).mean()))
