"""A calibration as the camera file that `--intrinsics` reads."""

from __future__ import annotations

import math
from pathlib import Path

from recon3d.io.intrinsics_files import CameraFormat, our_fields, write_camera_file
from recon3d.run.files import write_json
from recon3d_calib.calibrate import Calibration
from recon3d_calib.stereo import Stereo


def save_calibration(
    target: Path, calibration: Calibration, form: CameraFormat | None = None
) -> None:
    """Write the camera; recon3d's own JSON also says how sure every value is.

    Raises:
        OutputError: the place cannot be written, or the format has no such lens.
    """
    if form in (None, "recon3d") and target.suffix == ".json" and target.name != "transforms.json":
        write_json(
            target, {**our_fields(calibration.intrinsics), "calibration": describe(calibration)}
        )
    else:
        write_camera_file(target, calibration.intrinsics, form)


def save_stereo(target: Path, stereo: Stereo) -> None:
    """Write both cameras and how the second stands to the first.

    Raises:
        OutputError: the place cannot be written.
    """
    first, second = stereo.intrinsics
    write_json(
        target,
        {
            "first": our_fields(first),
            "second": our_fields(second),
            "second_from_first": stereo.second_from_first.matrix().tolist(),
            "unit": "metre" if stereo.metric else "square",
            "baseline": stereo.baseline,
            "baseline_standard_deviation": stereo.baseline_std,
            "rms_px": stereo.rms_px,
            "pairs_used": stereo.pairs_used,
            "pairs_given": stereo.pairs_given,
        },
    )


def describe(calibration: Calibration) -> dict[str, object]:
    """How sure the values are and what they rest on, for programs."""
    return {
        "lens": calibration.lens,
        "standard_deviations": {
            name: value if math.isfinite(value) else None for name, value in calibration.std.items()
        },
        "rms_px": calibration.rms_px,
        "board": {"kind": calibration.board.kind, "size": calibration.board.size},
        "photos_used": len(calibration.used),
        "photos_given": len(calibration.photos),
    }
