"""Videos -> the few frames worth keeping: sharp ones, evenly spaced in what they see."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from recon3d.core.errors import InputError
from recon3d.photos.sharpness import fine_detail
from recon3d.photos.video_colour import hdr_curve, to_srgb

_SMALL_PX = 320
# Neighbours then share nine tenths of their view: enough for any matcher, few enough to be fast.
_STEP = 0.1
_FEWEST_TRACKS = 12
_ORIENTATIONS = {90: 6, 180: 3, 270: 8}


def pick_frames(path: Path, most: int, tell: Callable[[int, int], None]) -> list[int]:
    """Choose frame numbers: at most `most`, the sharpest of each stretch of equal motion.

    Motion is the median shift of tracked corners between neighbouring frames in units of the
    longer side, summed up; a new stretch starts whenever a tenth of the view is new, or less
    often when that would give too many. A cut counts as one whole stretch.

    Args:
        path: The video.
        most: Upper bound of the number of frames.
        tell: Called after each frame with (frames read, frames in all or 0 when unknown).

    Raises:
        InputError: the video cannot be decoded.
    """
    travelled, sharp = [0.0], []
    previous: UInt8[np.ndarray, "h w"] | None = None
    with _opened(path) as capture:
        total = max(0, round(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        for index, frame in enumerate(_frames(capture)):
            grey = _small_grey(frame)
            if previous is not None:
                travelled.append(travelled[-1] + _shift(previous, grey))
            sharp.append(fine_detail(grey))
            previous = grey
            tell(index + 1, max(total, index + 1) if total else 0)
    if not sharp:
        raise _undecodable(path)
    return _sharpest_by_stretch(np.array(travelled), np.array(sharp), most)


def film_amount(path: Path, most: int, check: Callable[[], None]) -> tuple[int, int, int]:
    """How many frames a video has, counted to `most`, and their width and height in pixels.

    Counted by decoding, since headers often know no number or a wrong one.

    check: called for each frame; raises to stop.

    Raises:
        InputError: the video cannot be decoded.
    """
    with _opened(path) as capture:
        width_px = round(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height_px = round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        count = 0
        while count < most and capture.grab():
            count += 1
            check()
    return count, width_px, height_px


def film_orientation(path: Path) -> int:
    """How a video's frames are turned to be upright, as EXIF's number: 1, 3, 6 or 8.

    Raises:
        InputError: the video cannot be decoded.
    """
    with _opened(path) as capture:
        clockwise_deg = round(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360
    return _ORIENTATIONS.get(clockwise_deg, 1)


def read_frames(
    path: Path, wanted: Sequence[int], *, upright: bool = True
) -> Iterator[tuple[int, UInt8[np.ndarray, "h w 3"]]]:
    """Decode the wanted frames in sRGB, in ascending order; only one is in memory.

    upright: turned as players show them, or else as they are stored.

    Raises:
        InputError: the video cannot be decoded.
    """
    left, curve = set(wanted), hdr_curve(path)
    with _opened(path, upright=upright) as capture:
        for index, frame in enumerate(_frames(capture, left)):
            if index in left:
                left.remove(index)
                yield index, to_srgb(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), curve)
            if not left:
                return


@contextmanager
def _opened(path: Path, *, upright: bool = True) -> Iterator[cv2.VideoCapture]:
    """OpenCV's reader of videos, whose wheel holds no GPL codecs; it turns frames upright."""
    # Opening a pipe would wait for ever.
    if not path.is_file():
        raise _undecodable(path)
    # FFmpeg only: other readers take names with numbers for the pattern of a sequence of pictures.
    capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise _undecodable(path)
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, int(upright))
        yield capture
    finally:
        capture.release()


def _frames(
    capture: cv2.VideoCapture, wanted: Container[int] | None = None
) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """All frames as BGR; of those that are not wanted, only the place: an empty picture.

    A cut-off or scratched video still shows what FFmpeg can decode of it.
    """
    index = 0
    while capture.grab():
        decoded, frame = False, None
        if wanted is None or index in wanted:
            decoded, frame = capture.retrieve()
        yield frame if decoded and frame is not None else np.zeros((0, 0, 3), np.uint8)
        index += 1


def _small_grey(frame: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w"]:
    height, width = frame.shape[:2]
    factor = min(1.0, _SMALL_PX / max(height, width))
    size = max(2, round(width * factor)), max(2, round(height * factor))
    return cv2.cvtColor(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)


def _shift(before: UInt8[np.ndarray, "h w"], after: UInt8[np.ndarray, "h w"]) -> float:
    """Median motion in units of the longer side; _STEP where nothing can be tracked."""
    if before.shape != after.shape:
        return _STEP
    corners = cv2.goodFeaturesToTrack(before, 200, 0.01, 7)
    if corners is None or len(corners) < _FEWEST_TRACKS:
        # Blank frames: a difference in brightness is the only motion to be seen.
        return _STEP if np.abs(before.astype(np.int16) - after).mean() > 8 else 0.0
    start = np.zeros_like(corners)
    moved, status, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, start)
    tracked = np.asarray(status).ravel() > 0
    if tracked.sum() < max(_FEWEST_TRACKS, 0.3 * len(corners)):
        return _STEP
    lengths = np.linalg.norm((np.asarray(moved) - corners).reshape(-1, 2)[tracked], axis=1)
    return min(_STEP, float(np.median(lengths) / max(before.shape)))


def _sharpest_by_stretch(
    travelled: Float[np.ndarray, n], sharp: Float[np.ndarray, n], most: int
) -> list[int]:
    stretches = int(np.clip(np.ceil(travelled[-1] / _STEP), 1, max(1, most)))
    length = max(travelled[-1] / stretches, 1e-9)
    stretch_of = np.minimum(travelled // length, stretches - 1)
    return [
        int(members[np.argmax(sharp[members])])
        for stretch in range(stretches)
        if len(members := np.flatnonzero(stretch_of == stretch))
    ]


def _undecodable(path: Path) -> InputError:
    return InputError(
        f"The video {path.name} cannot be decoded.",
        hint="Check that it plays; converting it to MP4 (H.264) usually helps.",
    )
