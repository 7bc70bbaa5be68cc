"""Which looks at the board a calibration can rest on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from recon3d_calib.board import Board
from recon3d_calib.detection import Detection, Look
from recon3d_calib.errors import BoardError, CalibrationError

FEWEST_PHOTOS = 3


def usable_detections(
    looks: Sequence[Look], board: Board, verdicts: dict[str, str]
) -> list[Detection]:
    """The detections in photos of the most common size; why not the others goes to `verdicts`.

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
    _check_count(detections, looks)
    return detections


def _part_size(detection: Detection) -> tuple[int, ...]:
    extent = np.ptp(detection.points_board, axis=0) + 1
    return tuple(sorted(extent.astype(int).tolist(), reverse=True))


def _check_count(detections: Sequence[Detection], looks: Sequence[Look]) -> None:
    if len(detections) >= FEWEST_PHOTOS:
        return
    raise CalibrationError(
        f"The board was found in {len(detections)} of {len(looks)} photos of one size; at least "
        f"{FEWEST_PHOTOS} are needed, and 15 are good.",
        hint="Photograph the board from different sides: tilted left, right, up and down, near "
        "and far, in the middle and in every corner of the picture.",
    )
