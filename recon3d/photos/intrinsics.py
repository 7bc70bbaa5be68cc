"""Camera files of many programs -> intrinsics in our pixel convention (docs/INTRINSICS.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recon3d.core.camera import Distortion, Intrinsics
from recon3d.core.errors import IntrinsicsError
from recon3d.core.orientation import Size
from recon3d.photos.camera_values import (
    FROM_CENTRE,
    brown_lens,
    camera_of,
    camera_of_matrix,
    lens_of,
    unsized_size,
)
from recon3d.photos.colmap_cameras import looks_like_colmap, read_colmap_intrinsics
from recon3d.photos.documents import Document, parse_document, parse_xml, read_text, shown
from recon3d.photos.metashape_cameras import metashape_camera, metashape_sensors
from recon3d.photos.nerfstudio_cameras import has_camera, nerfstudio_camera, read_frames
from recon3d.photos.plain_cameras import read_plain_cameras

_FORMATS = (
    "Known formats: recon3d's JSON (docs/INTRINSICS.md); a 3x3, 3x4 or 4x4 matrix or fx fy cx cy "
    "as text; a table (CSV) with the columns fx, fy, cx, cy; OpenCV YAML, XML or JSON; COLMAP "
    "cameras.txt or .bin; transforms.json; Open3D JSON; Kalibr YAML; KITTI's calibration; "
    "Metashape XML."
)
_MATRIX_KEYS = (
    "camera_matrix", "cameraMatrix", "Camera_Matrix", "CameraMatrix", "K", "M",
)  # fmt: skip
_DISTORTION_KEYS = (
    "distortion_coefficients", "distCoeffs", "dist_coeffs", "Distortion_Coefficients",
    "distortion", "dist", "D",
)  # fmt: skip
_KALIBR_MODELS = {"radtan": "brown", "equidistant": "fisheye", "None": "none"}


@dataclass(frozen=True)
class CameraFile:
    """What a file says of cameras."""

    shared: tuple[Intrinsics, ...] = ()
    """Cameras that belong to no photo by name; of those that are named others count."""
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
        if text.lstrip().startswith("<"):
            return _from_xml(text, usual_size)
        if looks_like_colmap(text):
            return CameraFile(shared=tuple(read_colmap_intrinsics(path)))
        if (cameras := read_plain_cameras(text, usual_size)) is not None:
            return CameraFile(shared=cameras)
        return _from_document(parse_document(text), usual_size)
    except ValueError as error:
        raise IntrinsicsError(f"{path}: {error}.", hint=_FORMATS) from error


def _from_xml(text: str, usual_size: Size) -> CameraFile:
    """OpenCV's storage, or Metashape's calibration of one camera or of a project."""
    root = parse_xml(text)
    if root.tag == "calibration":
        return CameraFile(shared=(metashape_camera(root),))
    if root.tag == "opencv_storage":
        return _from_document(Document.from_xml(root), usual_size)
    sensors = metashape_sensors(root)
    if not sensors:
        raise ValueError(f"its outermost element is {root.tag[:40]}, and it holds no camera")
    named = {
        camera.get("label", ""): sensors[camera.get("sensor_id", "")]
        for camera in root.iter("camera")
        if camera.get("sensor_id", "") in sensors
    }
    return CameraFile(tuple(dict.fromkeys(sensors.values())), named)


def _from_document(fields: Document, usual_size: Size) -> CameraFile:
    if isinstance(fields.get("cameras"), Mapping):
        named = fields.child("cameras")
        return CameraFile(
            by_name={name: _one_camera(named.child(name), usual_size, name) for name in named}
        )
    if "cam0" in fields:
        chain = [name for name in fields if name.startswith("cam")]
        return CameraFile(shared=tuple(_from_kalibr(fields.child(name)) for name in chain))
    if isinstance(fields.get("frames"), list):
        shared = (nerfstudio_camera(fields, usual_size),) if has_camera(fields) else ()
        return CameraFile(
            shared,
            {
                name: nerfstudio_camera(frame, usual_size)
                for name, frame in read_frames(fields)
                if has_camera(frame)
            },
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
    camera = name
    raise ValueError(f"{camera} has neither fx, fy, cx, cy nor a matrix")


def _from_ours(fields: Document, _: Size) -> Intrinsics:
    coefficients = fields.numbers("distortion", "distortion_coefficients")
    return camera_of(
        (fields.number("width", "w"), fields.number("height", "h")),
        (fields.number("fx"), fields.number("fy")),
        (fields.number("cx"), fields.number("cy")),
        lens_of(fields.get("distortion_model"), coefficients),
    )


def _from_open3d(fields: Document, usual_size: Size) -> Intrinsics:
    m = fields.numbers("intrinsic_matrix")
    if len(m) != 9:
        raise ValueError(f"intrinsic_matrix has {len(m)} values, not 9")
    # Column by column, which is the transpose.
    by_row = [*m[0::3], *m[1::3], *m[2::3]]
    size = _size(fields) or unsized_size(by_row, usual_size)
    return camera_of_matrix(by_row, size, FROM_CENTRE, Distortion())


def _from_opencv(fields: Document, usual_size: Size) -> Intrinsics:
    model = fields.first("distortion_model", "camera_model")
    if fields.first("fisheye_model", "fisheye") in (1, True, "1"):
        model = "fisheye"
    lens = lens_of(model, fields.numbers(*_DISTORTION_KEYS))
    matrix = fields.numbers(*_MATRIX_KEYS)
    size = _size(fields) or unsized_size(matrix, usual_size)
    return camera_of_matrix(matrix, size, FROM_CENTRE, lens)


def _from_kalibr(fields: Document) -> Intrinsics:
    if fields.get("camera_model") != "pinhole":
        raise ValueError(f"camera_model is {shown(fields.get('camera_model'))}, not pinhole")
    intrinsics, size = fields.numbers("intrinsics"), fields.numbers("resolution")
    if len(intrinsics) != 4 or len(size) != 2:
        raise ValueError("a camera of Kalibr needs 4 intrinsics and a resolution of 2")
    fx, fy, cx, cy = intrinsics
    model = fields.get("distortion_model")
    return camera_of(
        (size[0], size[1]),
        (fx, fy),
        (cx + FROM_CENTRE, cy + FROM_CENTRE),
        lens_of(_KALIBR_MODELS.get(str(model), model), fields.numbers("distortion_coeffs")),
    )


def _from_sections(fields: Document, usual_size: Size) -> Intrinsics:
    pinhole = fields.child("pinhole")
    coefficients: list[float] = []
    if "radial_tangential" in fields:
        lens = fields.child("radial_tangential")
        k = [*lens.numbers("radial"), 0.0, 0.0, 0.0][:3]
        coefficients = [*k[:2], lens.number("t1", default=0), lens.number("t2", default=0), k[2]]
    return camera_of(
        _size(pinhole) or usual_size,
        (pinhole.number("fx"), pinhole.number("fy")),
        (pinhole.number("cx"), pinhole.number("cy")),
        brown_lens(coefficients),
    )


def _size(fields: Document) -> tuple[float, float] | None:
    """None where the file says none."""
    both = fields.numbers("image_size", "imageSize", "resolution")
    if len(both) == 2:
        return both[0], both[1]
    sides = (
        ("image_width", "image_Width", "width", "w"),
        ("image_height", "image_Height", "height", "h"),
    )
    if all(fields.first(*names) is None for names in sides):
        return None
    return fields.number(*sides[0]), fields.number(*sides[1])
