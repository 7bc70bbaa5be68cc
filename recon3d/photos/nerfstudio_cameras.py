"""Cameras of transforms.json, as nerfstudio, instant-ngp and their many exporters write them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from recon3d.core.camera import Distortion, Intrinsics
from recon3d.core.orientation import Size
from recon3d.photos.camera_values import brown_lens, camera_of
from recon3d.photos.documents import Document, shown

_FLAT = frozenset({
    "opencv", "full_opencv", "pinhole", "simple_pinhole", "radial", "simple_radial", "perspective",
})  # fmt: skip
_FISHEYES = frozenset({
    "fisheye", "opencv_fisheye", "radial_fisheye", "simple_radial_fisheye", "simple_fisheye",
})  # fmt: skip
_FOCALS = ("fl_x", "fl_y", "camera_angle_x", "camera_angle_y")
# Terms that no lens of ours has, beside those that each of the two kinds knows.
_TERMS = (
    "k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2", "sx1", "sx2", "sy1", "sy2", "s1", "s2", "s3",
    "s4", "ftheta_p0", "ftheta_p1", "ftheta_p2", "ftheta_p3", "ftheta_p4",
)  # fmt: skip


def has_camera(fields: Mapping[str, object]) -> bool:
    """Whether the file or the frame says a focal length."""
    return any(key in fields for key in _FOCALS)


def read_frames(content: Document) -> Iterator[tuple[str, Document]]:
    """Each frame's photo, as a plain path, and its fields over those that are said for all.

    Raises:
        ValueError: a frame names no photo.
    """
    for number, frame in enumerate(content["frames"]):
        if not isinstance(frame, Mapping) or not isinstance(frame.get("file_path"), str):
            raise ValueError(f"frame {number + 1} has no file_path")
        # A focal length for x alone outranks one that is said for all, in whichever form.
        shared = {k: v for k, v in content.items() if not (has_camera(frame) and k in _FOCALS)}
        yield _plain(frame["file_path"]), Document({**shared, **frame})


def nerfstudio_camera(fields: Document, usual_size: Size) -> Intrinsics:
    """The camera of a transforms.json or of one of its frames.

    Raises:
        ValueError: a value is missing or impossible, or nobody here knows such a lens.
    """
    width = fields.number("w", "width", default=usual_size[0])
    height = fields.number("h", "height", default=usual_size[1])
    fx_px, fy_px = _focal_px(fields, "fl_x", "x", width), _focal_px(fields, "fl_y", "y", height)
    if fx_px is None and fy_px is None:
        raise ValueError("it says neither fl_x nor camera_angle_x")
    first = fx_px or fy_px or math.nan
    return camera_of(
        (width, height),
        (fx_px or first, fy_px or first),
        (fields.number("cx", default=width / 2), fields.number("cy", default=height / 2)),
        _lens(fields),
    )


def _focal_px(fields: Document, key: str, axis: str, side: float) -> float | None:
    if key in fields:
        return fields.number(key)
    if (angle := f"camera_angle_{axis}") not in fields:
        return None
    half = fields.number(angle) / 2
    if not 0 < half < math.pi / 2:
        raise ValueError(f"{angle} is {2 * half:g}, not an angle of view in radians")
    return side / 2 / math.tan(half)


def _lens(fields: Document) -> Distortion:
    named = fields.get("camera_model")
    is_fisheye = fields.get("is_fisheye") in (True, 1)
    model = str(named or ("OPENCV_FISHEYE" if is_fisheye else "OPENCV")).lower()
    if model in _FISHEYES or (is_fisheye and model in _FLAT):
        return Distortion("fisheye", tuple(_terms(fields, model, ("k1", "k2", "k3", "k4"))))
    if model == "full_opencv":
        keys = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
        return brown_lens(_terms(fields, model, keys))
    if model in _FLAT:
        return brown_lens(_terms(fields, model, ("k1", "k2", "p1", "p2", "k3")))
    raise ValueError(
        f"camera_model is {shown(named)}, which recon3d does not know; undistort the photos first, "
        f"or use one of {', '.join(sorted(m.upper() for m in _FLAT | _FISHEYES))}"
    )


def _terms(fields: Document, model: str, keys: tuple[str, ...]) -> list[float]:
    beyond = [k for k in _TERMS if k not in keys and fields.number(k, default=0.0)]
    if beyond or "distortion_params" in fields:
        raise ValueError(
            f"its lens has {beyond[0] if beyond else 'distortion_params'}, which "
            f"{model.upper()} does not have here; undistort the photos first"
        )
    return [fields.number(key, default=0.0) for key in keys]


def _plain(path: str) -> str:
    """Without drive and leading dots, with / between folders, wherever it was written."""
    parts = path.replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", ".", "..") and part[-1] != ":")
