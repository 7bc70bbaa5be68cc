"""The report of a rig."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from recon3d_calib.report.board import write_report
from recon3d_calib.report.paper import BADGES, write_page
from recon3d_calib.rig import Rig
from recon3d_calib.rig_plan import draw_plans
from recon3d_calib.rig_words import HEADS, advice, remarks, rig_grade, rows, summary


def write_rig_report(target: Path, rig: Rig, paths: Mapping[str, Mapping[str, Path]]) -> None:
    """Write the page, and beside it one of each camera's lens.

    paths: the photos by id, by camera.

    Raises:
        OutputError: the place cannot be written.
    """
    own = {
        camera.name: target.with_name(f"{target.stem}.{camera.name}{target.suffix}")
        for camera in rig.cameras
    }
    for camera in rig.cameras:
        write_report(own[camera.name], camera.calibration, paths[camera.name])
    write_page(
        target,
        "rig.html.j2",
        {
            "grade": rig_grade(rig),
            "badge": BADGES[rig_grade(rig)],
            "summary": summary(rig),
            "advice": advice(rig),
            "board": rig.cameras[0].calibration.board,
            "heads": HEADS,
            "rows": [(row, own[row.camera].name) for row in rows(rig)],
            "plans": draw_plans(rig),
            "remarks": remarks(rig),
            "names": [camera.name for camera in rig.cameras],
            "moments": sorted(rig.used, key=lambda moment: -max(moment.rms_px.values())),
        },
    )
