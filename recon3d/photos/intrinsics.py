"""Camera files of many programs -> intrinsics in our pixel convention (docs/INTRINSICS.md)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recon3d.core.camera import Distortion, DistortionModel, Intrinsics, PinholeCamera
from recon3d.core.errors import IntrinsicsError
from recon3d.photos.colmap_cameras import read_colmap_intrinsics
from recon3d.photos.documents import Document, read_document, read_text, to_number

Size = tuple[int, int]

_FORMATS = (
    "Known formats: recon3d's JSON (docs/INTRINSICS.md), a 3x3 text matrix, OpenCV YAML or JSON, "
    "COLMAP cameras.txt or .bin, nerfstudio transforms.json, Open3D JSON, Kalibr YAML."
)
# OpenCV and Open3D put the centre of the first pixel at (0, 0), we at (0.5, 0.5).
_FROM_CORNER = 0.0
_FROM_CENTRE = 0.5
_MATRIX_KEYS = ("camera_matrix", "cameraMatrix", "Camera_Matrix", "K", "M")
_DISTORTION_KEYS = (
    "distortion_coefficients", "distCoeffs", "dist_coeffs", "Distortion_Coefficients",
    "distortion", "dist", "D",
)  # fmt: skip
_MODELS: Mapping[str, DistortionModel] = {
    "none": "none", "pinhole": "none", "perspective": "none",
    "radial": "radial",
    "brown": "brown", "opencv": "brown", "plumb_bob": "brown", "rational_polynomial": "brown",
    "thin_prism": "brown",
    "fisheye": "fisheye", "opencv_fisheye": "fisheye", "equidistant": "fisheye",
    "division": "division",
}  # fmt: skip

_KALIBR_MODELS = {"radtan": "brown", "equidistant": "fisheye", "None": "none"}


@dataclass(frozen=True)
class CameraFile:
    """What a file says of cameras; one of the two is empty."""

    shared: tuple[Intrinsics, ...] = ()
    """Cameras that belong to no photo by name."""
    by_name: Mapping[str, Intrinsics] = field(default_factory=dict)


def read_camera_file(path: Path, usual_size: Size) -> CameraFile:
    """Read intrinsics in any known format; the content decides, not the extension.

    Args:
        path: The file.
        usual_size: Width and height that a file without a size is taken to be for.

    Raises:
        IntrinsicsError: the file is unreadable, in no known format, or has impossible values.
    """
    if path.suffix.lower() == ".bin":
        return CameraFile(shared=tuple(read_colmap_intrinsics(path)))
    text = read_text(path, IntrinsicsError)
    try:
        if (values := _plain_numbers(text)) is not None:
            return CameraFile(shared=(_from_matrix(values, usual_size),))
        if path.suffix.lower() == ".txt" and not text.lstrip().startswith("{"):
            return CameraFile(shared=tuple(read_colmap_intrinsics(path)))
        return _from_document(read_document(path, IntrinsicsError), usual_size)
    except ValueError as error:
        raise IntrinsicsError(f"{path}: {error}.", hint=_FORMATS) from error


def nerfstudio_camera(fields: Document, usual_size: Size) -> Intrinsics:
    """The camera of a transforms.json or of one of its frames.

    Raises:
        ValueError: a value is missing or impossible.
    """
    width = fields.number("w", default=usual_size[0])
    height = fields.number("h", default=usual_size[1])
    if "fl_x" in fields:
        fx_px = fields.number("fl_x")
    else:
        fx_px = width / 2 / math.tan(fields.number("camera_angle_x") / 2)
    model = str(fields.get("camera_model", "OPENCV")).lower()
    if "fisheye" in model:
        k = [fields.number(key, default=0.0) for key in ("k1", "k2", "k3", "k4")]
        lens = Distortion("fisheye", tuple(k))
    elif model in ("opencv", "pinhole", "simple_pinhole", "radial", "simple_radial", "perspective"):
        k = [fields.number(key, default=0.0) for key in ("k1", "k2", "p1", "p2", "k3")]
        lens = _brown(k)
    else:
        raise ValueError(f"camera_model is {model}, which recon3d does not know")
    return _intrinsics(
        (width, height),
        (fx_px, fields.number("fl_y", default=fx_px)),
        (fields.number("cx", default=width / 2), fields.number("cy", default=height / 2)),
        lens,
    )


def _from_document(fields: Document, usual_size: Size) -> CameraFile:
    if isinstance(fields.get("cameras"), Mapping):
        named = fields.child("cameras")
        return CameraFile(
            by_name={name: _one_camera(named.child(name), usual_size, name) for name in named}
        )
    if "cam0" in fields:
        chain = [name for name in fields if name.startswith("cam")]
        return CameraFile(shared=tuple(_from_kalibr(fields.child(name)) for name in chain))
    if isinstance(frames := fields.get("frames"), list):
        if "fl_x" in fields or "camera_angle_x" in fields:
            return CameraFile(shared=(nerfstudio_camera(fields, usual_size),))
        merged = [Document({**fields, **frame}) for frame in frames if isinstance(frame, Mapping)]
        return CameraFile(
            by_name={str(f.get("file_path")): nerfstudio_camera(f, usual_size) for f in merged}
        )
    return CameraFile(shared=(_one_camera(fields, usual_size, "the camera"),))


def _one_camera(fields: Document, usual_size: Size, name: str) -> Intrinsics:
    readers: tuple[tuple[tuple[str, ...], Callable[[Document, Size], Intrinsics]], ...] = (
        (("fx",), _from_ours),
        (("intrinsic_matrix",), _from_open3d),
        (("intrinsic",), lambda outer, size: _from_open3d(outer.child("intrinsic"), size)),
        (_MATRIX_KEYS, _from_opencv),
        (("fl_x", "camera_angle_x"), nerfstudio_camera),
        (("pinhole",), _from_sections),
    )
    for keys, reader in readers:
        if any(key in fields for key in keys):
            return reader(fields, usual_size)
    raise ValueError(f"{name} has neither fx, fy, cx, cy nor a matrix")


def _from_ours(fields: Document, _: Size) -> Intrinsics:
    coefficients = fields.numbers("distortion", "distortion_coefficients")
    return _intrinsics(
        (fields.number("width", "w"), fields.number("height", "h")),
        (fields.number("fx"), fields.number("fy")),
        (fields.number("cx"), fields.number("cy")),
        _distortion(fields.get("distortion_model"), coefficients),
    )


def _from_open3d(fields: Document, usual_size: Size) -> Intrinsics:
    m = fields.numbers("intrinsic_matrix")
    if len(m) != 9:
        raise ValueError(f"intrinsic_matrix has {len(m)} values, not 9")
    # Column by column, which is the transpose.
    by_row = [*m[0::3], *m[1::3], *m[2::3]]
    return _from_k(by_row, _size(fields, usual_size), _FROM_CENTRE, Distortion())


def _from_opencv(fields: Document, usual_size: Size) -> Intrinsics:
    model = fields.first("distortion_model", "camera_model")
    if fields.first("fisheye_model", "fisheye") in (1, True, "1"):
        model = "fisheye"
    lens = _distortion(model, fields.numbers(*_DISTORTION_KEYS))
    return _from_k(fields.numbers(*_MATRIX_KEYS), _size(fields, usual_size), _FROM_CENTRE, lens)


def _from_kalibr(fields: Document) -> Intrinsics:
    if fields.get("camera_model") != "pinhole":
        raise ValueError(f"camera_model is {fields.get('camera_model')}, not pinhole")
    intrinsics, size = fields.numbers("intrinsics"), fields.numbers("resolution")
    if len(intrinsics) != 4 or len(size) != 2:
        raise ValueError("a camera of Kalibr needs 4 intrinsics and a resolution of 2")
    fx, fy, cx, cy = intrinsics
    model = fields.get("distortion_model")
    return _intrinsics(
        (size[0], size[1]),
        (fx, fy),
        (cx + _FROM_CENTRE, cy + _FROM_CENTRE),
        _distortion(_KALIBR_MODELS.get(str(model), model), fields.numbers("distortion_coeffs")),
    )


def _from_sections(fields: Document, usual_size: Size) -> Intrinsics:
    pinhole = fields.child("pinhole")
    coefficients: list[float] = []
    if "radial_tangential" in fields:
        lens = fields.child("radial_tangential")
        k = [*lens.numbers("radial"), 0.0, 0.0, 0.0][:3]
        coefficients = [*k[:2], lens.number("t1", default=0), lens.number("t2", default=0), k[2]]
    return _intrinsics(
        _size(pinhole, usual_size),
        (pinhole.number("fx"), pinhole.number("fy")),
        (pinhole.number("cx"), pinhole.number("cy")),
        _brown(coefficients),
    )


def _from_matrix(values: list[float], usual_size: Size) -> Intrinsics:
    """A bare 3x3 matrix is in our convention; it says nothing of the size, so the centre must."""
    width, height = usual_size
    intrinsics = _from_k(values, usual_size, _FROM_CORNER, Distortion())
    camera = intrinsics.pinhole
    if not (0.25 < camera.cx_px / width < 0.75 and 0.25 < camera.cy_px / height < 0.75):
        raise ValueError(
            f"its principal point ({camera.cx_px:g}, {camera.cy_px:g}) is far from the middle of "
            f"the {width}x{height} photos, so the matrix is probably for another size; write a "
            "JSON with width and height"
        )
    return intrinsics


def _from_k(
    values: list[float], size: tuple[float, float], first_pixel: float, lens: Distortion
) -> Intrinsics:
    """From a matrix row by row; first_pixel is what moves its first pixel's centre to 0.5."""
    if len(values) != 9:
        raise ValueError(f"the camera matrix has {len(values)} values, not 9")
    fx, skew, cx, below_fx, fy, cy, *last = (value / (values[8] or math.nan) for value in values)
    if below_fx or last[:2] != [0.0, 0.0] or abs(skew) > 1e-3 * abs(fx):
        raise ValueError("its matrix is not fx 0 cx, 0 fy cy, 0 0 1 (transposed, or with skew?)")
    return _intrinsics(size, (fx, fy), (cx + first_pixel, cy + first_pixel), lens)


def _intrinsics(
    size: tuple[float, float],
    focal: tuple[float, float],
    centre: tuple[float, float],
    lens: Distortion,
) -> Intrinsics:
    (width, height), (fx, fy), (cx, cy) = size, focal, centre
    if any(side != int(side) or not 1 <= side <= 200_000 for side in size):
        raise ValueError(f"the photo size {width:g}x{height:g} is impossible")
    if not all(0.05 < f / max(size) < 200 for f in focal) or not 0.2 < fx / fy < 5:
        raise ValueError(
            f"the focal lengths {fx:g} and {fy:g} are impossible for {width:g}x{height:g} pixels"
        )
    if not (-0.5 < cx / width < 1.5 and -0.5 < cy / height < 1.5):
        raise ValueError(f"the principal point ({cx:g}, {cy:g}) is far outside the photo")
    return Intrinsics(PinholeCamera(int(width), int(height), fx, fy, cx, cy), lens)


def _distortion(model: object, coefficients: list[float]) -> Distortion:
    """Without a model their number decides: 1 or 2 are radial, more are OpenCV's."""
    chosen = None if model is None else _MODELS.get(str(model).lower())
    if model is not None and chosen is None:
        known = ", ".join(sorted(set(_MODELS.values())))
        raise ValueError(f"distortion_model is {model}, not one of {known}")
    if chosen in (None, "brown") and len(coefficients) not in (1, 2):
        return _brown(coefficients)
    if chosen in (None, "radial") and len(coefficients) <= 2:
        return Distortion("radial", tuple(coefficients))
    return Distortion(chosen or "brown", tuple(coefficients))


def _brown(coefficients: list[float]) -> Distortion:
    """OpenCV's vector without the zeros at its end: 4, 5, 8 or 12 values, or none."""
    if len(coefficients) not in (0, 4, 5, 8, 12, 14):
        raise ValueError(f"{len(coefficients)} distortion coefficients fit no model")
    if any(coefficients[12:]):
        raise ValueError("the distortion of tilted sensors is not supported")
    used = coefficients[:12]
    while used and used[-1] == 0:
        used.pop()
    if not used:
        return Distortion()
    length = next(size for size in (4, 5, 8, 12) if size >= len(used))
    return Distortion("brown", (*used, *[0.0] * (length - len(used))))


def _size(fields: Document, usual_size: Size) -> tuple[float, float]:
    both = fields.numbers("image_size", "imageSize", "resolution")
    if len(both) == 2:
        return both[0], both[1]
    width = fields.number("image_width", "image_Width", "width", "w", default=usual_size[0])
    height = fields.number("image_height", "image_Height", "height", "h", default=usual_size[1])
    return width, height


def _plain_numbers(text: str) -> list[float] | None:
    """The nine numbers of a text matrix; None for any other text."""
    words = text.replace(",", " ").replace(";", " ").translate(str.maketrans("[]", "  ")).split()
    if len(words) != 9:
        return None
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        return None
    return [to_number(number, "a value of the matrix") for number in numbers]
