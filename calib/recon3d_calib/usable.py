"""Which looks at the board a calibration can rest on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from recon3d_calib.board import Board
from recon3d_calib.detection import Detection, Look
from recon3d_calib.errors import BoardError, CalibrationError

FEWEST_PHOTOS = 3
# Of the longer side, by the median corner; nobody holds a board so still between two poses.
_SAME_PLACE = 0.005


def usable_detections(
    looks: Sequence[Look], board: Board, verdicts: dict[str, str]
) -> list[Detection]:
    """The detections in photos of the most common size, each place of the board once.

    Why not the others goes to `verdicts`.

    Raises:
        BoardError: the photos show no board, or another one.
        CalibrationError: too few show it.
    """
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
    detections = [detection for detection in detections if detection.size == size]
    places = _without_repeats(detections, verdicts)
    if len(places) < FEWEST_PHOTOS:
        raise CalibrationError(
            f"The board was found in {len(detections)} of {len(looks)} photos of one size, but in "
            f"only {len(places)} place{'' if len(places) == 1 else 's'}; at least {FEWEST_PHOTOS} "
            "are needed, and 15 are good."
            if len(places) < len(detections)
            else f"The board was found in {len(detections)} of {len(looks)} photos of one size; at "
            f"least {FEWEST_PHOTOS} are needed, and 15 are good.",
            hint="Photograph the board from different sides: tilted left, right, up and down, "
            "near and far, in the middle and in every corner of the picture.",
        )
    return places


def _part_size(detection: Detection) -> tuple[int, ...]:
    extent = np.ptp(detection.points_board, axis=0) + 1
    return tuple(sorted(extent.astype(int).tolist(), reverse=True))


def _without_repeats(detections: Sequence[Detection], verdicts: dict[str, str]) -> list[Detection]:
    """One photo of those that show the board in the same place.

    They teach nothing new, but would make the error bars look smaller than they are and let a
    lens be tried on photos that it has seen.
    """
    kept: list[Detection] = []
    for detection in detections:
        twin = next((other for other in kept if _stands_where(detection, other)), None)
        if twin is None:
            kept.append(detection)
        else:
            verdicts[detection.photo_id] = f"it shows the board where {twin.photo_id} does"
    return kept


def _stands_where(one: Detection, other: Detection) -> bool:
    if one.numbers is None or other.numbers is None:
        mine, theirs = one.points_px, other.points_px
        if not np.array_equal(one.points_board, other.points_board):
            return False
    else:
        _, here, there = np.intersect1d(one.numbers, other.numbers, return_indices=True)
        mine, theirs = one.points_px[here], other.points_px[there]
    moved = np.linalg.norm(mine - theirs, axis=1)
    enough = min(len(one.points_px), len(other.points_px)) / 2
    return len(moved) > enough and bool(np.median(moved) < _SAME_PLACE * max(one.size))
