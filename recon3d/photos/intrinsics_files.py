"""Intrinsics in our pixel convention -> camera files of many programs (docs/INTRINSICS.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from recon3d.core.camera import Intrinsics
from recon3d.core.errors import IntrinsicsError, OutputError
from recon3d.photos.colmap_cameras import colmap_from_intrinsics
from recon3d.run.files import atomic_path, write_json

CameraFormat = Literal["recon3d", "opencv", "colmap", "nerfstudio", "kalibr", "ros"]
# OpenCV, Kalibr and ROS put the centre of the first pixel at (0, 0), we at (0.5, 0.5).
_CENTRE = 0.5
_NO_EQUIVALENT = "Choose another format, or calibrate with a lens model that it knows."


def write_camera_file(target: Path, intrinsics: Intrinsics, form: CameraFormat | None) -> None:
    """Write one camera.

    form: None goes by the name: .json is recon3d's, transforms.json nerfstudio's, .yaml and .yml
        OpenCV's, .txt COLMAP's.

    Raises:
        OutputError: the place cannot be written, or the format has no such lens.
    """
    chosen = form or _form_of(target)
    if chosen == "recon3d":
        write_json(target, our_fields(intrinsics))
    elif chosen == "nerfstudio":
        write_json(target, _nerfstudio(intrinsics))
    else:
        text = _TEXTS[chosen](intrinsics)
        with atomic_path(target) as part:
            part.write_text(text, encoding="utf-8")


def our_fields(intrinsics: Intrinsics) -> dict[str, object]:
    """The fields of our JSON."""
    camera, lens = intrinsics.pinhole, intrinsics.distortion
    return {
        "width": camera.width_px,
        "height": camera.height_px,
        "fx": camera.fx_px,
        "fy": camera.fy_px,
        "cx": camera.cx_px,
        "cy": camera.cy_px,
        "distortion_model": lens.model,
        "distortion": list(lens.coefficients),
    }


def _form_of(target: Path) -> CameraFormat:
    if target.name == "transforms.json":
        return "nerfstudio"
    forms: Mapping[str, CameraFormat] = {
        ".json": "recon3d", ".yaml": "opencv", ".yml": "opencv", ".txt": "colmap",
    }  # fmt: skip
    if target.suffix.lower() not in forms:
        raise OutputError(
            f"{target.name} says no format of camera files.",
            hint=f"End the name in {', '.join(forms)}, or name one of the formats "
            f"{', '.join(get_args(CameraFormat))}.",
        )
    return forms[target.suffix.lower()]


def _opencv(intrinsics: Intrinsics) -> str:
    camera = intrinsics.pinhole
    fisheye = intrinsics.distortion.model == "fisheye"
    coefficients = _padded(intrinsics, 4 if fisheye else 5, "OpenCV")
    return (
        "%YAML:1.0\n---\n"
        f"image_width: {camera.width_px}\nimage_height: {camera.height_px}\n"
        + ("fisheye_model: 1\n" if fisheye else "")
        + _opencv_matrix("camera_matrix", 3, 3, _matrix(intrinsics))
        + _opencv_matrix("distortion_coefficients", 1, len(coefficients), coefficients)
    )


def _opencv_matrix(name: str, rows: int, columns: int, values: Sequence[float]) -> str:
    return (
        f"{name}: !!opencv-matrix\n   rows: {rows}\n   cols: {columns}\n   dt: d\n"
        f"   data: {_numbers(values)}\n"
    )


def _ros(intrinsics: Intrinsics) -> str:
    camera = intrinsics.pinhole
    if intrinsics.distortion.model == "fisheye":
        model, coefficients = "equidistant", _padded(intrinsics, 4, "ROS")
    else:
        coefficients = _padded(intrinsics, 5, "ROS")
        if any(coefficients[8:]):
            raise no_thin_prism("ROS")
        coefficients = coefficients[:8]
        model = "plumb_bob" if len(coefficients) == 5 else "rational_polynomial"
    k = _matrix(intrinsics)
    projection = [*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0]
    parts = (
        ("camera_matrix", 3, 3, k),
        ("distortion_coefficients", 1, len(coefficients), coefficients),
        ("rectification_matrix", 3, 3, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]),
        ("projection_matrix", 3, 4, projection),
    )
    return (
        f"image_width: {camera.width_px}\nimage_height: {camera.height_px}\n"
        f"camera_name: camera\ndistortion_model: {model}\n"
    ) + "".join(
        f"{name}:\n  rows: {rows}\n  cols: {columns}\n  data: {_numbers(values)}\n"
        for name, rows, columns, values in parts
    )


def _kalibr(intrinsics: Intrinsics) -> str:
    return "cam0:\n" + kalibr_camera(intrinsics)


def kalibr_camera(intrinsics: Intrinsics) -> str:
    """The indented lines of one camera in Kalibr's camchain.

    Raises:
        OutputError: Kalibr has no such lens.
    """
    camera, lens = intrinsics.pinhole, intrinsics.distortion
    if lens.model == "fisheye":
        model, coefficients = "equidistant", _padded(intrinsics, 4, "Kalibr")
    else:
        coefficients = _padded(intrinsics, 4, "Kalibr")
        if any(coefficients[4:]):
            raise OutputError(
                "Kalibr knows no lens with more than k1, k2, p1 and p2.", hint=_NO_EQUIVALENT
            )
        model, coefficients = "radtan", coefficients[:4]
    focal = [camera.fx_px, camera.fy_px, camera.cx_px - _CENTRE, camera.cy_px - _CENTRE]
    return (
        "  camera_model: pinhole\n"
        f"  distortion_coeffs: {_numbers(coefficients)}\n  distortion_model: {model}\n"
        f"  intrinsics: {_numbers(focal)}\n"
        f"  resolution: [{camera.width_px}, {camera.height_px}]\n"
    )


def _colmap(intrinsics: Intrinsics) -> str:
    camera = intrinsics.pinhole
    try:
        model, params = colmap_from_intrinsics(intrinsics)
    except IntrinsicsError as error:
        raise no_thin_prism("COLMAP") from error
    values = " ".join(repr(float(value)) for value in params)
    return (
        "# Camera list with one line of data per camera:\n"
        "#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n"
        f"1 {model} {camera.width_px} {camera.height_px} {values}\n"
    )


def _nerfstudio(intrinsics: Intrinsics) -> dict[str, object]:
    camera, lens = intrinsics.pinhole, intrinsics.distortion
    fisheye = lens.model == "fisheye"
    coefficients = _padded(intrinsics, 4 if fisheye else 5, "nerfstudio")
    if any(coefficients[5:]):
        raise OutputError(
            "nerfstudio knows no lens with more than k1, k2, k3, p1 and p2.", hint=_NO_EQUIVALENT
        )
    names = ("k1", "k2", "k3", "k4") if fisheye else ("k1", "k2", "p1", "p2", "k3")
    return {
        "camera_model": "OPENCV_FISHEYE" if fisheye else "OPENCV",
        "w": camera.width_px,
        "h": camera.height_px,
        "fl_x": camera.fx_px,
        "fl_y": camera.fy_px,
        "cx": camera.cx_px,
        "cy": camera.cy_px,
        **dict(zip(names, coefficients, strict=False)),
        "frames": [],
    }


_TEXTS: Mapping[CameraFormat, Callable[[Intrinsics], str]] = {
    "opencv": _opencv,
    "ros": _ros,
    "kalibr": _kalibr,
    "colmap": _colmap,
}


def _matrix(intrinsics: Intrinsics) -> list[float]:
    """K row by row, the centre of the first pixel at (0, 0)."""
    camera = intrinsics.pinhole
    cx, cy = camera.cx_px - _CENTRE, camera.cy_px - _CENTRE
    return [camera.fx_px, 0.0, cx, 0.0, camera.fy_px, cy, 0.0, 0.0, 1.0]


def _padded(intrinsics: Intrinsics, least: int, program: str) -> list[float]:
    """OpenCV's coefficients; a radial lens has no tangential part."""
    if intrinsics.distortion.model == "division":
        raise OutputError(
            f"{program} knows no lens of the division model.",
            hint="recon3d's JSON and COLMAP's cameras.txt do; or calibrate with another lens "
            "model.",
        )
    coefficients = list(intrinsics.distortion.coefficients)
    return [*coefficients, *[0.0] * (least - len(coefficients))]


def no_thin_prism(program: str) -> OutputError:
    """The error for a program without such lenses."""
    return OutputError(f"{program} knows no lens with thin-prism terms.", hint=_NO_EQUIVALENT)


def _numbers(values: Sequence[float]) -> str:
    return "[" + ", ".join(repr(float(value)) for value in values) + "]"
