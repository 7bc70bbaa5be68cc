"""Where a rig's cameras stand, drawn to scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from recon3d_calib.plots import WIDTH
from recon3d_calib.rig import Rig

_HEIGHT = 400
_MARGIN = 70
# Half the base and the height of a camera's triangle, in pixels of the drawing.
_HALF, _LONG = 13.0, 30.0


@dataclass(frozen=True)
class Mark:
    """One camera: a triangle whose tip is its centre and that opens where it looks."""

    name: str
    corners: str
    """As an SVG's polygon takes them."""
    x: float
    y: float
    """Where its name stands."""


@dataclass(frozen=True)
class Plan:
    """The rig from one side."""

    title: str
    marks: tuple[Mark, ...]
    width: int = WIDTH
    height: int = _HEIGHT


def draw_plans(rig: Rig) -> tuple[Plan, Plan]:
    """From above and from the right, at one scale."""
    # Rows: what points right and down in the drawing.
    above = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
    beside = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    centres = np.stack([each.cam_from_first.inverse().translation for each in rig.cameras])
    room = np.array([WIDTH, _HEIGHT]) - 2 * _MARGIN
    spreads = np.stack([np.ptp(centres @ onto.T, axis=0) for onto in (above, beside)])
    # Cameras in one place are drawn in one place.
    scale = float((room / np.maximum(spreads, 1e-9)).min())
    return (
        Plan("From above: the first camera looks up", _marks(rig, above, scale)),
        Plan("From the right: the first camera looks left", _marks(rig, beside, scale)),
    )


def _marks(rig: Rig, onto: Float[np.ndarray, "2 3"], scale: float) -> tuple[Mark, ...]:
    first_from_cam = [camera.cam_from_first.inverse() for camera in rig.cameras]
    centres = np.stack([place.translation for place in first_from_cam]) @ onto.T
    middle = (centres.min(axis=0) + centres.max(axis=0)) / 2
    marks = []
    for camera, place, centre in zip(rig.cameras, first_from_cam, centres, strict=True):
        tip = (centre - middle) * scale + np.array([WIDTH, _HEIGHT]) / 2
        # A camera that looks at the viewer is short.
        ahead = onto @ place.rotation[:, 2]
        length = float(np.linalg.norm(ahead))
        ahead = ahead / length if length > 1e-6 else np.array([0.0, -1.0])
        far = tip + ahead * _LONG * length
        across = np.array([-ahead[1], ahead[0]]) * _HALF
        corners = np.stack([tip, far + across, far - across])
        x, y = corners[:, 0].mean(), corners[:, 1].max() + 18
        text = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners.tolist())
        marks.append(Mark(camera.name, text, round(float(x), 1), round(float(y), 1)))
    return tuple(marks)
