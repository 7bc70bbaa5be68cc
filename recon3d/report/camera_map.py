"""The map: cameras, sparse points and the model from above, as coordinates for an SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from recon3d.core.scene import PosedPhotos, View
from recon3d.core.surface import Mesh
from recon3d.core.target_frame import TargetFrame
from recon3d.core.transform import Similarity
from recon3d.georef.upright import upright_from_world
from recon3d.report.pictures import png_uri

_WIDTH = 1000
_HEIGHTS = (420, 900)
_MARGIN = 0.07
_MOST_POINTS = 3000


@dataclass(frozen=True)
class Marker:
    """A camera: its corner, the far end of its field of view, and where its number goes."""

    number: int
    photo_id: str
    x: float
    y: float
    outline: str
    label_x: float
    label_y: float


@dataclass(frozen=True)
class Map:
    """Everything in units of the drawing, y down."""

    width: int
    height: int
    markers: tuple[Marker, ...]
    dots: str
    """Sparse points as one path."""
    footprint: str | None
    """The model from above as a picture of the whole drawing."""
    scale_length: float
    scale_label: str
    numbered: bool
    suggested: tuple[Marker, ...] = ()
    """Where further photos would help."""


def draw_map(
    posed: PosedPhotos,
    mesh: Mesh | None,
    frame: TargetFrame | None,
    suggested: Sequence[View] = (),
) -> Map:
    """Look straight down on everything; the way the photos look on average is up the page."""
    views, points = posed.scene.views, posed.scene.points.xyz_world
    surface = mesh.vertices if mesh is not None and len(mesh.vertices) else None
    seen = points if surface is None else surface
    level = upright_from_world(views, seen, frame.up_world if frame else None)
    upright = Similarity.from_rigid(level, frame.target_from_world.scale if frame else 1.0)
    drawn = [*views, *suggested]
    centres = np.stack([upright @ view.centre_world for view in drawn])[:, :2]
    ground = (upright @ seen)[:, :2]
    # Sparse points reach far into the background, a mesh hardly does.
    tail = 6 if surface is None else 1
    corners = np.percentile(ground, [tail, 100 - tail], axis=0) if len(ground) else centres[:1]
    low = np.minimum(corners.min(0), centres.min(0))
    high = np.maximum(corners.max(0), centres.max(0))
    pad = _MARGIN * max(float((high - low).max()), 1e-9)
    low, high = low - pad, high + pad
    scale = min(_WIDTH / (high[0] - low[0]), _HEIGHTS[1] / (high[1] - low[1]))
    height = int(np.clip((high[1] - low[1]) * scale, *_HEIGHTS))
    offset = np.array([_WIDTH, height]) / 2 - (low + high) / 2 * [scale, -scale]

    def on_page(xy: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        page: np.ndarray = xy * [scale, -scale] + offset
        return page

    sparse = (upright @ points)[:, :2]
    sparse = on_page(sparse[:: max(1, len(sparse) // _MOST_POINTS)])
    sparse = sparse[((sparse > 0) & (sparse < [_WIDTH, height])).all(1)]
    length, label = _scale_bar((high[0] - low[0]) / 4, frame.unit if frame else posed.scene.unit)
    return Map(
        _WIDTH,
        height,
        _markers(views, upright.rotation, on_page(centres[: len(views)])),
        "".join(f"M{x:.0f} {y:.0f}h0" for x, y in sparse.tolist()),
        None if mesh is None or surface is None else _footprint(on_page(ground), mesh, height),
        length * scale,
        label,
        numbered=len(views) <= 60,
        suggested=_markers(suggested, upright.rotation, on_page(centres[len(views) :])),
    )


def _markers(
    views: Sequence[View], upright_from_world: Float[np.ndarray, "3 3"], centres: np.ndarray
) -> tuple[Marker, ...]:
    size = float(np.clip(260 / np.sqrt(max(len(centres), 1)), 14, 46))
    markers = []
    for number, (view, centre) in enumerate(zip(views, centres, strict=True), 1):
        half = view.camera.width_px / 2 / view.camera.fx_px
        upright_from_cam = upright_from_world @ view.cam_from_world.rotation.T
        # Foreshortened, so that a camera that looks down is drawn short.
        ends = np.array([[-half, 0, 1], [half, 0, 1]]) @ upright_from_cam.T
        ends = centre + size * ends[:, :2] * [1, -1]
        (x0, y0), (x1, y1), (x, y) = np.vstack([ends, centre]).tolist()
        away = centre - ends.mean(0)
        away *= 11 / max(float(np.linalg.norm(away)), 1e-9)
        markers.append(
            Marker(
                number,
                view.photo_id,
                round(x, 1),
                round(y, 1),
                f"M{x:.1f} {y:.1f}L{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}Z",
                round(x + away[0], 1),
                round(y + away[1] + 4, 1),
            )
        )
    return tuple(markers)


def _footprint(page: Float[np.ndarray, "n 2"], mesh: Mesh, height: int) -> str:
    """Mean colour of the vertices in each cell, opaque where there are any."""
    import cv2

    # As fine as the vertices fill.
    columns = int(np.clip(np.sqrt(len(page)), 100, 500))
    cell = _WIDTH / columns
    rows = int(np.ceil(height / cell))
    column, row = (page // cell).astype(int).T
    inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    index = (row * columns + column)[inside]
    rgb = np.full((len(page), 3), 150, np.uint8) if mesh.rgb is None else mesh.rgb
    weights = [None, *rgb[inside].T]
    sums = [np.bincount(index, weight, minlength=rows * columns) for weight in weights]
    # Summed over 3 x 3 cells: vertices lie on a grid of their own, which would leave stripes.
    blurred = cv2.blur(np.stack(sums, -1).reshape(rows, columns, 4).astype(np.float32), (3, 3))
    count, total = blurred[..., :1], blurred[..., 1:]
    alpha = np.where(count * 9 > 2.5, 235, 0)
    return png_uri(np.concatenate([total / np.maximum(count, 1e-6), alpha], -1).astype(np.uint8))


def _scale_bar(longest: float, unit: str) -> tuple[float, str]:
    """The roundest length below `longest`: 1, 2 or 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(max(longest, 1e-12)))
    length = float(max(step * power for step in (1, 2, 5) if step * power <= longest * 1.0001))
    return length, f"{length:g} {'m' if unit == 'metre' else 'units'}"
