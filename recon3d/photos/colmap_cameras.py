"""COLMAP's camera files <-> core intrinsics, as text or binary.

The files are read here rather than by pycolmap because they come from users: a truncated binary
must end in a message, and its readers trust every count they meet.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera
from recon3d.core.errors import IntrinsicsError
from recon3d.photos.camera_values import check_size
from recon3d.photos.documents import read_text


@dataclass(frozen=True)
class _Model:
    code: int
    focals: int
    """1: one focal length for both axes."""
    coefficients: int


_MODELS = {
    "SIMPLE_PINHOLE": _Model(0, 1, 0),
    "PINHOLE": _Model(1, 2, 0),
    "SIMPLE_RADIAL": _Model(2, 1, 1),
    "RADIAL": _Model(3, 1, 2),
    "OPENCV": _Model(4, 2, 4),
    "OPENCV_FISHEYE": _Model(5, 2, 4),
    "FULL_OPENCV": _Model(6, 2, 8),
    "SIMPLE_DIVISION": _Model(12, 1, 1),
    "DIVISION": _Model(13, 2, 1),
}
_NAMES = {model.code: name for name, model in _MODELS.items()}
PINHOLE_CODE = _MODELS["PINHOLE"].code


def intrinsics_from_colmap(
    model: str, width_px: int, height_px: int, params: Sequence[float]
) -> Intrinsics:
    """A COLMAP camera as core intrinsics; both put the first pixel's centre at (0.5, 0.5).

    Raises:
        IntrinsicsError: a model we cannot undistort, or impossible values.
    """
    known = _MODELS.get(model)
    if known is None:
        raise IntrinsicsError(
            f"The COLMAP camera model {model} is not supported.",
            hint=f"Use one of {', '.join(_MODELS)}, or undistort the photos first.",
        )
    expected = known.focals + 2 + known.coefficients
    if len(params) != expected:
        raise IntrinsicsError(
            f"A {model} camera has {len(params)} parameters; {expected} are expected."
        )
    fx_px, fy_px = params[0], params[known.focals - 1]
    cx_px, cy_px = params[known.focals : known.focals + 2]
    coefficients = tuple(params[known.focals + 2 :])
    try:
        check_size(width_px, height_px)
        pinhole = PinholeCamera(width_px, height_px, fx_px, fy_px, cx_px, cy_px)
        if not coefficients:
            return Intrinsics(pinhole)
        if model == "OPENCV_FISHEYE":
            return Intrinsics(pinhole, Distortion("fisheye", coefficients))
        if model in ("SIMPLE_DIVISION", "DIVISION"):
            return Intrinsics(pinhole, Distortion("division", coefficients))
        if model in ("SIMPLE_RADIAL", "RADIAL"):
            return Intrinsics(pinhole, Distortion("radial", coefficients))
        return Intrinsics(pinhole, Distortion("brown", coefficients))
    except ValueError as error:
        raise IntrinsicsError(f"A {model} camera has impossible values: {error}.") from error


def looks_like_colmap(text: str) -> bool:
    """Whether a text is a cameras.txt: its first line that says something names a model."""
    lines = (line.split() for line in text.splitlines())
    first = next((words for words in lines if words and not words[0].startswith("#")), [])
    return len(first) > 4 and first[0].isdigit() and first[1].isupper() and first[2].isdigit()


def short(error: Exception) -> str:
    """What a reader complains of, without the digits of an absurd number."""
    return " ".join(str(error).split())[:200]


def colmap_from_intrinsics(intrinsics: Intrinsics) -> tuple[str, list[float]]:
    """The smallest COLMAP model that holds these intrinsics exactly, and its parameters.

    Raises:
        IntrinsicsError: the lens has thin-prism terms, which COLMAP knows for fisheyes only.
    """
    camera, distortion = intrinsics.pinhole, intrinsics.distortion
    k = list(distortion.coefficients)
    centre = [camera.cx_px, camera.cy_px]
    both = [camera.fx_px, camera.fy_px, *centre]
    if distortion.model == "none":
        return "PINHOLE", both
    if distortion.model == "fisheye":
        return "OPENCV_FISHEYE", both + k
    if distortion.model == "division":
        if camera.fx_px == camera.fy_px:
            return "SIMPLE_DIVISION", [camera.fx_px, *centre, *k]
        return "DIVISION", both + k
    if any(k[8:]):
        raise IntrinsicsError(
            "Structure from motion knows no lens with thin-prism terms.",
            hint="Undistort the photos first (`recon3d undistort`), and use the K.json that it "
            "writes; or calibrate with another lens model.",
        )
    k = k[:8]
    if distortion.model == "radial":
        if camera.fx_px == camera.fy_px:
            return ("SIMPLE_RADIAL", "RADIAL")[len(k) - 1], [camera.fx_px, *centre, *k]
        return "OPENCV", both + k + [0.0] * (4 - len(k))
    if len(k) == 4:
        return "OPENCV", both + k
    return "FULL_OPENCV", both + k + [0.0] * (8 - len(k))


def read_colmap_intrinsics(path: Path) -> list[Intrinsics]:
    """The cameras of a cameras.txt or cameras.bin, in the order of their numbers.

    Raises:
        IntrinsicsError: the file is missing, damaged, or holds a model we cannot undistort.
    """
    cameras = read_numbered_cameras(path)
    return [cameras[number] for number in sorted(cameras)]


def read_numbered_cameras(path: Path) -> Mapping[int, Intrinsics]:
    """The cameras of a cameras.txt or cameras.bin, by the numbers that images name them with.

    Raises:
        IntrinsicsError: the file is missing, damaged, or holds a model we cannot undistort.
    """
    rows = _camera_rows_binary(path) if path.suffix == ".bin" else _camera_rows_text(path)
    try:
        cameras = {
            number: intrinsics_from_colmap(model, width_px, height_px, params)
            for number, model, width_px, height_px, params in rows
        }
    except (ValueError, IndexError, struct.error, OSError) as error:
        raise IntrinsicsError(
            f"Cannot read the COLMAP cameras in {path}: {short(error)}."
        ) from error
    if not cameras:
        raise IntrinsicsError(f"{path} holds no camera.")
    return cameras


def read_count(content: bytes, at: int, *, least_bytes: int) -> int:
    """How many records follow, each of which takes that many bytes or more.

    Raises:
        ValueError: more than the file can hold.
    """
    (count,) = struct.unpack_from("<Q", content, at)
    if count * least_bytes > len(content) - at - 8:
        raise ValueError(f"it claims {count} records in {len(content)} bytes")
    return int(count)


def _camera_rows_text(path: Path) -> Iterator[tuple[int, str, int, int, list[float]]]:
    for line in read_text(path, IntrinsicsError).splitlines():
        words = line.split()
        if words and not words[0].startswith("#"):
            yield int(words[0]), words[1], int(words[2]), int(words[3]), [*map(float, words[4:])]


def _camera_rows_binary(path: Path) -> Iterator[tuple[int, str, int, int, list[float]]]:
    content = path.read_bytes()
    count = read_count(content, 0, least_bytes=32)
    at = 8
    for _ in range(count):
        number, code, width_px, height_px = struct.unpack_from("<iiQQ", content, at)
        at += 24
        if code not in _NAMES:
            raise IntrinsicsError(f"{path} holds a camera of model {code}, which is not supported.")
        model = _MODELS[_NAMES[code]]
        size = model.focals + 2 + model.coefficients
        params = struct.unpack_from(f"<{size}d", content, at)
        at += 8 * size
        yield number, _NAMES[code], width_px, height_px, list(params)
