"""Cameras in Agisoft Metashape's XML: of a calibration, or of all sensors of a project.

The lens, as Metashape's manual (appendix on camera models) gives it, has its tangential terms the
other way round than OpenCV's, and counts the principal point from the photo's middle.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element

from recon3d.core.camera import Distortion, Intrinsics
from recon3d.photos.camera_values import brown_lens, camera_of
from recon3d.photos.documents import to_number

_FLAT, _FISHEYE = ("", "frame"), ("fisheye", "equidistant_fisheye")


def metashape_sensors(root: Element) -> Mapping[str, Intrinsics]:
    """The camera of each calibrated sensor of a project's XML, by its id.

    Raises:
        ValueError: a sensor's values are impossible, or it is no lens that is known here.
    """
    sensors = {}
    for sensor in root.iter("sensor"):
        # The adjusted one comes last.
        if calibrations := sensor.findall("calibration"):
            size = sensor.find("resolution")
            kind = sensor.get("type", "")
            sensors[sensor.get("id", "")] = metashape_camera(calibrations[-1], kind, size)
    return sensors


def metashape_camera(
    calibration: Element, kind: str = "", resolution: Element | None = None
) -> Intrinsics:
    """One calibration.

    Args:
        calibration: The element that holds f, cx, k1 and so on.
        kind: The sensor's type, where the calibration does not say its projection.
        resolution: Holds the size where the calibration does not.

    Raises:
        ValueError: a value is impossible, or it is no lens that is known here.
    """

    def value(name: str) -> float:
        text = calibration.findtext(name)
        return 0.0 if text is None else to_number(text, name)

    size = [
        value(side)
        or to_number((calibration if resolution is None else resolution).get(side), side)
        for side in ("width", "height")
    ]
    kind = calibration.findtext("projection") or kind
    focal_px = value("f") or value("fy")
    fx_px = value("fx") or focal_px + value("b1")
    centre = (size[0] / 2 + value("cx"), size[1] / 2 + value("cy"))
    if abs(value("b2")) > 1e-3 * focal_px:
        raise ValueError("its pixels are skewed (b2); export undistorted photos")
    k1, k2, k3, k4, p1, p2 = (value(name) for name in ("k1", "k2", "k3", "k4", "p1", "p2"))
    if any(value(name) for name in ("p3", "p4")) or (k4 and kind in _FLAT):
        raise ValueError("its lens has p3, p4 or k4; calibrate without, or undistort the photos")
    if kind in _FLAT:
        lens = brown_lens([k1, k2, p2, p1, k3])
    elif kind in _FISHEYE and not (p1 or p2):
        lens = Distortion("fisheye", (k1, k2, k3, k4))
    else:
        raise ValueError(f"its lens is {kind[:40]}, which is not known here; undistort the photos")
    return camera_of((size[0], size[1]), (fx_px, focal_px), centre, lens)
