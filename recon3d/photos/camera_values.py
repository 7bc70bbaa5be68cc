"""Numbers of camera files -> intrinsics, where no camera has such numbers a ValueError."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from recon3d.core.camera import Distortion, DistortionModel, Intrinsics, PinholeCamera
from recon3d.core.orientation import Size

# OpenCV and Open3D put the centre of the first pixel at (0, 0), we at (0.5, 0.5).
FROM_CORNER = 0.0
FROM_CENTRE = 0.5
_LARGEST_PX = 200_000
_MODELS: Mapping[str, DistortionModel] = {
    "none": "none", "pinhole": "none", "perspective": "none",
    "radial": "radial",
    "brown": "brown", "opencv": "brown", "plumb_bob": "brown", "rational_polynomial": "brown",
    "thin_prism": "brown",
    "fisheye": "fisheye", "opencv_fisheye": "fisheye", "equidistant": "fisheye",
    "division": "division",
}  # fmt: skip


def camera_of(
    size: tuple[float, float],
    focal: tuple[float, float],
    centre: tuple[float, float],
    lens: Distortion,
) -> Intrinsics:
    """A camera whose numbers may be true.

    Raises:
        ValueError: the size, a focal length or the principal point is impossible.
    """
    (width, height), (fx, fy), (cx, cy) = size, focal, centre
    check_size(width, height)
    if not all(0.05 < f / max(size) < 200 for f in focal) or not 0.2 < fx / fy < 5:
        raise ValueError(
            f"the focal lengths {fx:g} and {fy:g} are impossible for {width:g}x{height:g} pixels"
        )
    if not (-0.5 < cx / width < 1.5 and -0.5 < cy / height < 1.5):
        raise ValueError(f"the principal point ({cx:g}, {cy:g}) is far outside the photo")
    return Intrinsics(PinholeCamera(int(width), int(height), fx, fy, cx, cy), lens)


def check_size(width: float, height: float) -> None:
    """Refuse what is no size of a photo.

    Raises:
        ValueError: a side is no whole number of pixels, or one that no photo has.
    """
    # Compared before anything else: a size of hundreds of digits has no float.
    if not all(1 <= side <= _LARGEST_PX and side == int(side) for side in (width, height)):
        shown = "x".join(f"{side}"[:20] for side in (width, height))
        raise ValueError(f"the photo size {shown} is impossible")


def camera_of_matrix(
    values: Sequence[float], size: tuple[float, float], first_pixel: float, lens: Distortion
) -> Intrinsics:
    """From a 3x3 matrix row by row; first_pixel is what moves its first pixel's centre to 0.5.

    Raises:
        ValueError: as `camera_of`, or it is no camera matrix.
    """
    fx, fy, cx, cy = _four(values)
    return camera_of(size, (fx, fy), (cx + first_pixel, cy + first_pixel), lens)


def unsized_size(values: Sequence[float], usual_size: Size) -> Size:
    """What size a 3x3 matrix without one is for: the photos', or the same turned by 90 degrees.

    Raises:
        ValueError: its principal point is far from the middle of both.
    """
    _, _, cx, cy = _four(values)
    check_size(*usual_size)
    fitting = {
        abs(cx / width - 0.5) + abs(cy / height - 0.5): (width, height)
        for width, height in (usual_size[::-1], usual_size)
        if 0.25 < cx / width < 0.75 and 0.25 < cy / height < 0.75
    }
    if not fitting:
        raise ValueError(
            f"its principal point ({cx:g}, {cy:g}) is far from the middle of "
            f"the {usual_size[0]}x{usual_size[1]} photos, so the matrix is probably for another "
            "size; write a JSON with width and height"
        )
    return fitting[min(fitting)]


def _four(values: Sequence[float]) -> tuple[float, float, float, float]:
    """Focal lengths and principal point of a 3x3 matrix, which may have any scale."""
    if len(values) != 9:
        raise ValueError(f"the camera matrix has {len(values)} values, not 9")
    fx, skew, cx, below_fx, fy, cy, *last = (value / (values[8] or math.nan) for value in values)
    if below_fx or last[:2] != [0.0, 0.0] or abs(skew) > 1e-3 * abs(fx):
        raise ValueError("its matrix is not fx 0 cx, 0 fy cy, 0 0 1 (transposed, or with skew?)")
    return fx, fy, cx, cy


def lens_of(model: object, coefficients: Sequence[float]) -> Distortion:
    """Without a model their number decides: 1 or 2 are radial, more are OpenCV's.

    Raises:
        ValueError: the model is unknown, or has another number of coefficients.
    """
    chosen = None if model is None else _MODELS.get(str(model).lower())
    if model is not None and chosen is None:
        known = ", ".join(sorted(set(_MODELS.values())))
        raise ValueError(f"distortion_model is {str(model)[:40]}, not one of {known}")
    if chosen in (None, "brown") and len(coefficients) not in (1, 2):
        return brown_lens(coefficients)
    if chosen in (None, "radial") and len(coefficients) <= 2:
        return Distortion("radial", tuple(coefficients))
    return Distortion(chosen or "brown", tuple(coefficients))


def brown_lens(coefficients: Sequence[float]) -> Distortion:
    """OpenCV's vector without the zeros at its end: 4, 5, 8 or 12 values, or none.

    Raises:
        ValueError: another number, or the sensor is tilted.
    """
    if len(coefficients) not in (0, 4, 5, 8, 12, 14):
        raise ValueError(f"{len(coefficients)} distortion coefficients fit no model")
    if any(coefficients[12:]):
        raise ValueError("the distortion of tilted sensors is not supported")
    used = list(coefficients[:12])
    while used and used[-1] == 0:
        used.pop()
    if not used:
        return Distortion()
    length = next(size for size in (4, 5, 8, 12) if size >= len(used))
    return Distortion("brown", (*used, *[0.0] * (length - len(used))))
