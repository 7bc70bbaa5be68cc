"""What the stages of a run know of a photo, as pictures to lay over it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from jaxtyping import Bool, Float, UInt8

from recon3d.core.camera import project
from recon3d.core.errors import InputError
from recon3d.core.scene import PosedPhotos
from recon3d.run.files import FileMapping

Overlay = Literal["features", "depth", "confidence", "agreement", "mask", "undistorted"]
OVERLAYS: Mapping[Overlay, tuple[str, ...]] = {
    "features": ("pose",),
    "depth": ("refine", "scale", "depth"),
    "confidence": ("depth",),
    "agreement": ("refine",),
    "mask": (),
    "undistorted": ("pose",),
}
"""The stages that each can come from; the first that was reached counts. Masks are files."""

_UNKNOWN_GREY = 64
_LARGEST_ERROR_PX = 2.0


@dataclass(frozen=True, eq=False)
class Legend:
    """What the colours mean."""

    title: str
    low: str = ""
    high: str = ""
    colours: UInt8[np.ndarray, "n 3"] | None = None
    """From low to high; None where there is nothing to measure."""


@dataclass(frozen=True, eq=False)
class Layers:
    """A photo and what lies over it; the two show the same, at sizes of their own."""

    photo: UInt8[np.ndarray, "h w 3"]
    overlay: UInt8[np.ndarray, "h2 w2 3"] | None = None
    legend: Legend | None = None
    note: str = ""
    """Why there is no overlay."""


class RunReader:
    """Results of the stages that were reached, each opened once; for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: dict[str, tuple[Path, Any]] = {}

    def read(self, stage: str, reached: Mapping[str, Path]) -> Any:
        """What a stage has made; None where it was not reached.

        Raises:
            OSError: its folder is gone.
        """
        from recon3d.finished import read_stage

        folder = reached.get(stage)
        if folder is None:
            return None
        with self._lock:
            known = self._opened.get(stage)
            if known is None or known[0] != folder:
                known = self._opened[stage] = (folder, read_stage(stage, folder))
            return known[1]


def available(reached: Mapping[str, Path], has_mask: bool) -> list[Overlay]:
    """Which overlays the run has come to; a single photo may lack one all the same."""
    return [
        overlay
        for overlay, stages in OVERLAYS.items()
        if any(stage in reached for stage in stages) or (overlay == "mask" and has_mask)
    ]


def load_layers(
    reader: RunReader,
    reached: Mapping[str, Path],
    photo: tuple[str, Path],
    mask: Path | None,
    overlay: Overlay | None,
    longest_px: int,
) -> Layers:
    """Decode a photo and draw an overlay, at most `longest_px` long.

    photo: id and the file that shows it.
    mask: its own, white = keep.

    Raises:
        InputError: the photo cannot be decoded.
    """
    photo_id, file = photo
    if overlay is None:
        return Layers(_preview(file, longest_px))
    if overlay == "mask":
        return _masked(file, mask, longest_px)
    posed = cast(PosedPhotos | None, reader.read("pose", reached))
    if posed is None or photo_id not in posed.rgb:
        return Layers(_preview(file, longest_px), note="This photo was not placed in space.")
    undistorted = _preview(cast(FileMapping[Any], posed.rgb).paths[photo_id], longest_px)
    if overlay == "undistorted":
        legend = Legend("The photo without the distortion of its lens")
        return Layers(_preview(file, longest_px), undistorted, legend)
    if overlay == "features":
        return Layers(undistorted, *_features(posed, photo_id, undistorted))
    draw = {"depth": _depth, "confidence": _confidence, "agreement": _agreement}[overlay]
    drawn = draw(reader, reached, photo_id)
    if drawn is None:
        return Layers(undistorted, note=f"There is no {overlay} of this photo.")
    return Layers(undistorted, *drawn)


def _preview(file: Path, longest_px: int) -> UInt8[np.ndarray, "h w 3"]:
    from recon3d.photos.pictures import read_preview

    return read_preview(file, longest_px).rgb


def _features(
    posed: PosedPhotos, photo_id: str, rgb: UInt8[np.ndarray, "h w 3"]
) -> tuple[UInt8[np.ndarray, "h w 3"], Legend]:
    """The points that the photo sees, coloured by how far they lie from where it sees them."""
    import cv2

    scene = posed.scene
    index = next(i for i, view in enumerate(scene.views) if view.photo_id == photo_id)
    view, seen = scene.views[index], scene.points.seen_by(index)
    uv_px, _ = project(view.cam_from_world @ scene.points.xyz_world[seen], view.camera)
    error_px = scene.points.error_px[seen]
    factor = rgb.shape[1] / view.camera.width_px
    drawn = (rgb * np.float32(0.45)).astype(np.uint8)
    radius = max(3, round(max(rgb.shape) / 320))
    ramp = _ramp("turbo")
    levels = np.clip(error_px / _LARGEST_ERROR_PX, 0, 1) * 255
    # The worst last, so that they are not hidden.
    for point in np.argsort(error_px):
        if np.isfinite(uv_px[point]).all():
            centre = (int(uv_px[point, 0] * factor), int(uv_px[point, 1] * factor))
            colour = ramp[int(levels[point])].tolist()
            # A dark edge tells a point from the photo, and from its neighbours.
            cv2.circle(drawn, centre, radius + 1, (0, 0, 0), -1, cv2.LINE_AA)
            cv2.circle(drawn, centre, radius, colour, -1, cv2.LINE_AA)
    title = f"{len(seen):,} points, how far off their place in the photo"
    return drawn, Legend(title, "0 px", f"{_LARGEST_ERROR_PX:.0f} px or more", ramp)


def _depth(
    reader: RunReader, reached: Mapping[str, Path], photo_id: str
) -> tuple[UInt8[np.ndarray, "h w 3"], Legend] | None:
    """Near is red and far is blue, in inverse depth as in the report."""
    from recon3d.report.pictures import coloured_depth, depth_span

    depth_z, title = _depth_z(reader, reached, photo_id)
    if depth_z is None or not (depth_z > 0).any():
        return None
    near, far = depth_span(depth_z)
    factor, unit = _unit(reader, reached)
    drawn = coloured_depth(depth_z)
    low, high = f"{near * factor:.3g}{unit}", f"{far * factor:.3g}{unit}"
    return drawn, Legend(title, low, high, _ramp("turbo")[::-1])


def _depth_z(
    reader: RunReader, reached: Mapping[str, Path], photo_id: str
) -> tuple[Float[np.ndarray, "h w"] | None, str]:
    for stage in ("refine", "scale"):
        maps = reader.read(stage, reached)
        if maps and photo_id in maps:
            return maps[photo_id].depth_z, "Depth that other photos confirm"
    predictions = reader.read("depth", reached)
    if not predictions or photo_id not in predictions:
        return None, ""
    predicted = predictions[photo_id]
    if predicted.kind != "relative":
        return predicted.values, "Depth, not yet checked by other photos"
    # Inverse depth up to scale: good for a picture, and its legend says so.
    return np.where(predicted.values > 0, 1 / np.maximum(predicted.values, 1e-6), 0), (
        "Depth of the network, not yet fitted to the scene"
    )


def _confidence(
    reader: RunReader, reached: Mapping[str, Path], photo_id: str
) -> tuple[UInt8[np.ndarray, "h w 3"], Legend] | None:
    predictions = reader.read("depth", reached)
    if not predictions or photo_id not in predictions:
        return None
    predicted = predictions[photo_id]
    drawn = _coloured(predicted.confidence, predicted.values > 0)
    return drawn, Legend("How sure the depth is", "0 %", "100 %", _ramp("viridis"))


def _agreement(
    reader: RunReader, reached: Mapping[str, Path], photo_id: str
) -> tuple[UInt8[np.ndarray, "h w 3"], Legend] | None:
    maps = reader.read("refine", reached)
    if not maps or photo_id not in maps:
        return None
    agreeing, known = maps[photo_id].agreeing_views, maps[photo_id].depth_z > 0
    most = max(2.0, float(agreeing.max(initial=0)))
    drawn = _coloured((agreeing - 1) / (most - 1), known)
    title = "Photos that agree on the depth"
    return drawn, Legend(title, "1", f"{most:.0f}", _ramp("viridis"))


def _masked(file: Path, mask: Path | None, longest_px: int) -> Layers:
    from recon3d.photos.masks import hidden_in_red, read_mask
    from recon3d.photos.pictures import read_preview

    preview = read_preview(file, longest_px)
    rgb = preview.rgb
    if mask is None:
        return Layers(rgb, note="This photo has no mask.")
    try:
        size = rgb.shape[1], rgb.shape[0]
        keep = read_mask(mask, size, preview.exif.orientation)
    except InputError as error:
        return Layers(rgb, note=f"{error}. {error.hint}".strip())
    share = 100 * float(keep.mean())
    legend = Legend(f"What the mask hides is red; it keeps {share:.0f} % of the photo")
    return Layers(rgb, hidden_in_red(rgb, keep), legend)


def _unit(reader: RunReader, reached: Mapping[str, Path]) -> tuple[float, str]:
    """Scene units to what is shown, and its sign."""
    frame = reader.read("frame", reached)
    if frame and frame.unit == "metre":
        return float(frame.target_from_world.scale), " m"
    posed = reader.read("pose", reached)
    return 1.0, " m" if posed and posed.scene.unit == "metre" else " units"


def _coloured(
    share: Float[np.ndarray, "h w"], known: Bool[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w 3"]:
    drawn = _ramp("viridis")[(np.clip(share, 0, 1) * 255).astype(np.uint8)]
    drawn[~known] = _UNKNOWN_GREY
    return drawn


def _ramp(name: Literal["turbo", "viridis"]) -> UInt8[np.ndarray, "256 3"]:
    import cv2

    code = cv2.COLORMAP_TURBO if name == "turbo" else cv2.COLORMAP_VIRIDIS
    table = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], code)
    return np.ascontiguousarray(table[:, 0, ::-1])
