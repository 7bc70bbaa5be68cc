"""Small pictures of the photos with what was found in them."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from recon3d.core.errors import InputError
from recon3d.photos.pictures import read_grey
from recon3d_calib.calibrate import PhotoResult

_LONGEST_PX = 360
_KEPT, _DROPPED = (40, 190, 120), (240, 70, 60)
# More would hide the photo.
_MOST_DOTS = 250


def thumbnail(path: Path, photo: PhotoResult) -> str:
    """A data URI; empty where the photo cannot be read."""
    try:
        rgb, factor = shrunk_rgb(read_grey(path), _LONGEST_PX)
    except InputError:
        return ""
    return data_uri(rgb, photo, factor)


def data_uri(rgb: UInt8[np.ndarray, "h w 3"], photo: PhotoResult | None, factor: float) -> str:
    """A small picture for a page, with a photo's points painted on.

    factor: its pixels per pixel of the photo.
    """
    import cv2

    painted = rgb.copy()
    if photo:
        some = np.arange(len(photo.kept))[:: -(-len(photo.kept) // _MOST_DOTS) or 1]
        kept = photo.kept[some]
        paint_corners(painted, photo.points_px[some[kept]] * factor, _KEPT)
        paint_corners(painted, photo.points_px[some[~kept]] * factor, _DROPPED)
    _, stream = cv2.imencode(".jpg", painted[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
    return "data:image/jpeg;base64," + base64.b64encode(stream.tobytes()).decode()


def shrunk_rgb(
    grey: UInt8[np.ndarray, "h w"], longest_px: int
) -> tuple[UInt8[np.ndarray, "i j 3"], float]:
    """A small picture to paint on, and its pixels per pixel of the photo."""
    import cv2

    factor = longest_px / max(grey.shape)
    width, height = (max(1, round(side * factor)) for side in grey.shape[::-1])
    small = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    return np.repeat(np.asarray(small, np.uint8)[..., None], 3, axis=2), factor


def paint_corners(
    rgb: UInt8[np.ndarray, "h w 3"],
    points_px: Float[np.ndarray, "n 2"],
    colour: tuple[int, int, int],
) -> None:
    """Paint dots in place; the centre of the first pixel is (0.5, 0.5)."""
    import cv2

    # OpenCV counts from the first pixel's centre, here in sixteenths of a pixel.
    for x, y in np.round((points_px - 0.5) * 16).astype(int).tolist():
        cv2.circle(rgb, (x, y), 28, colour, -1, cv2.LINE_AA, 4)
