"""EXIF orientation: pixels as they are stored in the file -> the photo as viewers show it.

Orientation is EXIF's number 1 to 8; 1 stores photos as they are shown, 2, 4, 5 and 7 store their
mirror image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Shaped

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera
from recon3d.core.transform import Rigid

Size = tuple[int, int]
Pixels = Literal["stored", "upright"]
DescribedPixels = Literal["auto", "stored", "upright"]
"""auto: what size does not decide is taken for what such files usually are for."""

MIRRORED = frozenset({2, 4, 5, 7})
_ASPECT_TOLERANCE = 0.01
# The direction right, down in the upright photo of right, down in the stored one.
_UPRIGHT_FROM_STORED: Mapping[int, tuple[tuple[int, int], tuple[int, int]]] = {
    1: ((1, 0), (0, 1)),
    2: ((-1, 0), (0, 1)),
    3: ((-1, 0), (0, -1)),
    4: ((1, 0), (0, -1)),
    5: ((0, 1), (1, 0)),
    6: ((0, -1), (1, 0)),
    7: ((0, -1), (-1, 0)),
    8: ((0, 1), (-1, 0)),
}


def same_shape(a: Size, b: Size) -> bool:
    """Whether one may be the other resized."""
    return abs(a[0] * b[1] / (a[1] * b[0]) - 1) <= _ASPECT_TOLERANCE


def turned_size(size: Size, orientation: int) -> Size:
    """Upright from stored size, and the other way round."""
    return size[::-1] if orientation >= 5 else size


def size_tells(upright: Size, orientation: int) -> bool:
    """Whether the shape of what is given tells which pixels it is for, or both are the same."""
    return orientation == 1 or not same_shape(upright, turned_size(upright, orientation))


def described_pixels(given: Size | None, upright: Size, orientation: int) -> Pixels | None:
    """Which pixels something of the given size is for; None where the size does not decide.

    upright: of the photo as it is shown.
    """
    if given is None or not size_tells(upright, orientation):
        return None
    if same_shape(given, upright):
        return "upright"
    return "stored" if same_shape(given, turned_size(upright, orientation)) else None


def assumption_in_words(what: str, photo_ids: Sequence[str], pixels: Pixels) -> str:
    """What is taken to be so where the size of what is given does not decide."""
    several = f"{photo_ids[0]} and {len(photo_ids) - 1} more" if photo_ids[1:] else photo_ids[0]
    means = {"stored": "the pixels as stored", "upright": "the photo as viewers show it"}
    return (
        f"EXIF turns {several}, and nothing says which way up the {what} are: taken to be for "
        f"{means[pixels]}. If that is wrong, say --orientation "
        f"{'upright' if pixels == 'stored' else 'stored'}."
    )


def turn_pixels(
    stored_px: Float[np.ndarray, "*n 2"], stored: Size, orientation: int
) -> Float[np.ndarray, "*n 2"]:
    """Where the upright photo shows what the stored one, of that size, shows at stored_px."""
    matrix, offset = _matrix(orientation), _offset(stored, orientation)
    return stored_px @ matrix.T + offset


def turn_raster(
    stored: Shaped[np.ndarray, "h w *c"], orientation: int
) -> Shaped[np.ndarray, "i j *c"]:
    """A mask, a depth map or a picture as the upright photo shows it."""
    matrix = _matrix(orientation)
    turned = stored.swapaxes(0, 1) if matrix[0, 0] == 0 else stored
    right, down = matrix.sum(axis=1).astype(int)
    return turned[::down, ::right]


def as_shown(
    given: Shaped[np.ndarray, "h w"],
    upright: Size,
    orientation: int,
    described: DescribedPixels,
    usual: Pixels,
) -> Shaped[np.ndarray, "i j"]:
    """A mask or depth map, at any size, as the upright photo of that size shows it.

    Args:
        given: As it lies in its own file.
        upright: Width and height of the photo as it is shown.
        orientation: Of the photo.
        described: Which pixels it is for, by the user.
        usual: What counts where neither the user nor the shape decides.
    """
    height_px, width_px = given.shape
    pixels = described_pixels((width_px, height_px), upright, orientation) or usual
    chosen = pixels if described == "auto" else described
    return turn_raster(given, orientation) if chosen == "stored" else given


def turn_intrinsics(stored: Intrinsics, orientation: int) -> Intrinsics:
    """The camera of the upright photo."""
    c, lens = stored.pinhole, stored.distortion
    size = c.width_px, c.height_px
    fx_px, fy_px = np.abs(_matrix(orientation)) @ [c.fx_px, c.fy_px]
    cx_px, cy_px = turn_pixels(np.array([c.cx_px, c.cy_px]), size, orientation)
    pinhole = PinholeCamera(
        *turned_size(size, orientation), float(fx_px), float(fy_px), float(cx_px), float(cy_px)
    )
    if lens.model == "brown":
        lens = replace(lens, coefficients=_turned_brown(lens, _matrix(orientation)))
    return Intrinsics(pinhole, lens)


def turn_pose(cam_stored_from_world: Rigid, orientation: int) -> Rigid:
    """cam_from_world of the upright photo.

    Raises:
        ValueError: the photo is stored mirrored; no camera stands where it shows what it shows.
    """
    if orientation in MIRRORED:
        raise ValueError(f"orientation: got {orientation}, expected one that mirrors nothing")
    rotation = np.eye(3)
    rotation[:2, :2] = _matrix(orientation)
    return Rigid(rotation, np.zeros(3)) @ cam_stored_from_world


def _turned_brown(lens: Distortion, matrix: np.ndarray) -> tuple[float, ...]:
    """The tangential part turns like the vector (p2, p1), the prism like (s1, s3) and (s2, s4).

    The radial part does not change.
    """
    k1, k2, p1, p2, *more = lens.coefficients
    p2, p1 = (float(p) for p in matrix @ [p2, p1])
    if prism := more[4:]:
        (s1, s3), (s2, s4) = matrix @ prism[0::2], matrix @ prism[1::2]
        more[4:] = [float(s) for s in (s1, s2, s3, s4)]
    return (k1, k2, p1, p2, *more)


def _matrix(orientation: int) -> np.ndarray:
    return np.array(_UPRIGHT_FROM_STORED[orientation], np.float64)


def _offset(stored: Size, orientation: int) -> np.ndarray:
    """What is counted from the other side starts at the far edge."""
    backwards = _matrix(orientation).sum(axis=1) < 0
    return np.where(backwards, turned_size(stored, orientation), 0).astype(np.float64)
