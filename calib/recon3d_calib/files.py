"""A calibration as the camera file that `--intrinsics` reads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from recon3d.core.camera import Intrinsics
from recon3d.core.errors import OutputError
from recon3d.photos.intrinsics_files import CameraFormat, our_fields, write_camera_file
from recon3d.photos.rig_files import RigFile, RigMember, rig_fields
from recon3d.run.files import write_json
from recon3d_calib.calibrate import Calibration
from recon3d_calib.from_photos import SelfCalibration, SelfCalibrations
from recon3d_calib.photo_warnings import verdict, warnings
from recon3d_calib.rig import Rig
from recon3d_calib.rig_words import remarks


def save_calibration(
    target: Path, calibration: Calibration, form: CameraFormat | None = None
) -> None:
    """Write the camera; recon3d's own JSON also says how sure every value is.

    Of a lens that was zoomed, every photo's own camera.

    Raises:
        OutputError: the place cannot be written, or the format has no such lens.
    """
    cameras = {photo_id: zoom.intrinsics for photo_id, zoom in calibration.zooms.items()}
    if form not in (None, "recon3d"):
        write_camera_file(target, calibration.intrinsics, form)
    else:
        _write(target, calibration.intrinsics, describe(calibration), cameras)


def save_rig(target: Path, rig: Rig) -> None:
    """Write all cameras, where each stands from the first, and how sure that is.

    Raises:
        OutputError: the place cannot be written.
    """
    write_json(target, describe_rig(rig))


def describe_rig(rig: Rig) -> dict[str, object]:
    """The fields of the rig's file, and what they rest on."""
    members = {
        camera.name: RigMember(camera.intrinsics, camera.cam_from_first) for camera in rig.cameras
    }
    details = {
        camera.name: {
            "baseline": camera.baseline,
            "rotation_deg": camera.rotation_deg,
            "standard_deviations": _finite(
                {
                    **camera.std,
                    "baseline": camera.baseline_std,
                    "rotation_deg": camera.rotation_std_deg,
                }
            ),
            "rms_px": camera.rms_px,
            "moments": camera.moments,
        }
        for camera in rig.cameras
    }
    return {
        **rig_fields(RigFile(members, rig.metric), details),
        "rms_px": rig.rms_px,
        "moments_used": {moment.name: dict(moment.rms_px) for moment in rig.used},
        "left_out": dict(remarks(rig)),
    }


def save_self_calibrations(target: Path, found: SelfCalibrations) -> None:
    """Write the camera; of several each photo's own, which recon3d's JSON alone can hold.

    Raises:
        OutputError: the place cannot be written, or the format has no such lens.
    """
    first = found.cameras[0]
    several = found.cameras if len(found.cameras) > 1 else ()
    cameras = {photo_id: each.intrinsics for each in several for photo_id in each.photos}
    content = {"cameras": [describe_self(each) for each in several]} if several else {}
    _write(target, first.intrinsics, content or describe_self(first), cameras)


def describe_self(found: SelfCalibration) -> dict[str, object]:
    """How sure the values are and what they rest on, for programs."""
    return {
        "lens": found.lens,
        "standard_deviations": _finite(found.std),
        "rms_px": found.rms_px,
        "photos_used": len(found.photos),
        "points": found.points,
        "summary": verdict(found),
        "doubts": list(warnings(found)),
    }


def describe(calibration: Calibration) -> dict[str, object]:
    """How sure the values are and what they rest on, for programs."""
    focals = {
        photo_id: {
            "px": zoom.intrinsics.pinhole.fx_px,
            "standard_deviation": zoom.std_px if math.isfinite(zoom.std_px) else None,
        }
        for photo_id, zoom in calibration.zooms.items()
    }
    return {
        "lens": calibration.lens,
        "standard_deviations": _finite(calibration.std),
        **({"focal_lengths": focals} if focals else {}),
        "rms_px": calibration.rms_px,
        "board": {
            "kind": calibration.board.kind,
            "size": calibration.board.size,
            "bend_squares": calibration.bend,
        },
        "photos_used": len(calibration.used),
        "photos_given": len(calibration.photos),
    }


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _write(
    target: Path,
    intrinsics: Intrinsics,
    content: Mapping[str, object],
    cameras: Mapping[str, Intrinsics],
) -> None:
    """In the format of the target's name; `cameras` are of single photos, where they differ."""
    ours = target.suffix == ".json" and target.name != "transforms.json"
    if cameras and not ours:
        raise OutputError(
            f"Not all photos have the same camera or focal length; {target.name} can hold one.",
            hint="Write a .json, or give the photos of one camera and one zoom.",
        )
    if not ours:
        write_camera_file(target, intrinsics, None)
    elif cameras:
        named = {photo_id: our_fields(each) for photo_id, each in cameras.items()}
        write_json(target, {"cameras": named, "calibration": content})
    else:
        write_json(target, {**our_fields(intrinsics), "calibration": content})
