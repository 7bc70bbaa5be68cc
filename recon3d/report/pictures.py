"""The report's pictures, small enough to travel inside the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from recon3d.core.depth import SceneDepth
from recon3d.core.errors import InputError
from recon3d.core.scene import PosedPhotos
from recon3d.core.surface import Mesh, TexturedMesh
from recon3d.core.target_frame import TargetFrame
from recon3d.georef.upright import upright_from_world
from recon3d.photos.masks import hidden_in_red
from recon3d.photos.pictures import read_preview
from recon3d.surface.stills import StillRenderer, Viewpoint, turntable
from recon3d.view_planning.advice import Advice
from recon3d.view_planning.previews import coverage_preview, preview, shaded

_DEPTH_PREVIEWS = 6
_STILLS = 4
_COVERAGE_SIDES = 2
_STILL_PX = (480, 360)


@dataclass(frozen=True)
class DepthPreview:
    """A photo and its depth side by side."""

    photo_id: str
    picture: str


@dataclass(frozen=True)
class StillPair:
    """The mesh from one side, as data URIs."""

    colour: str
    clay: str


def thumbnails(pictures: Mapping[str, Path], masks: Mapping[str, Path]) -> dict[str, str]:
    """Data URIs by photo id; smaller the more there are, and none for unreadable files.

    masks: by photo id, each of its photo's size; what they hide is red.
    """
    # Bytes grow with the area: this keeps 500 photos within about 6 MB.
    side_px = int(np.clip(420 * np.sqrt(40 / max(len(pictures), 1)), 96, 420))
    found = {}
    for photo_id, path in pictures.items():
        with suppress(InputError):
            rgb = read_preview(path, side_px).rgb
            if photo_id in masks:
                keep = read_preview(masks[photo_id], side_px).rgb[..., 0] > 127
                rgb = hidden_in_red(rgb, keep)
            found[photo_id] = jpeg_uri(rgb)
    return found


def depth_previews(posed: PosedPhotos, depth: Mapping[str, SceneDepth]) -> list[DepthPreview]:
    """A handful, spread over the photos; near is red, far is blue, grey is unknown."""
    ids = [view.photo_id for view in posed.scene.views if view.photo_id in depth]
    chosen = np.unique(np.linspace(0, len(ids) - 1, min(len(ids), _DEPTH_PREVIEWS)).astype(int))
    previews = []
    for photo_id in (ids[index] for index in chosen):
        photo = Image.fromarray(posed.rgb[photo_id])
        photo.thumbnail((320, 320))
        coloured = Image.fromarray(coloured_depth(depth[photo_id].depth_z)).resize(photo.size)
        pair = np.hstack([np.asarray(photo), np.asarray(coloured)])
        previews.append(DepthPreview(photo_id, jpeg_uri(pair)))
    return previews


def mesh_stills(
    model: Mesh | TexturedMesh, posed: PosedPhotos, frame: TargetFrame | None
) -> list[StillPair]:
    """The model from where the photos were taken: around, in front, or down into a room."""
    mesh = model.mesh if isinstance(model, TexturedMesh) else model
    if len(mesh.faces) == 0:
        return []
    viewpoints, inside = _sides(mesh, posed, frame, _STILLS)
    renderer = StillRenderer(model)
    stills = [renderer.render(viewpoint, backs=not inside) for viewpoint in viewpoints]
    return [StillPair(jpeg_uri(still.colour), jpeg_uri(still.clay)) for still in stills]


def _sides(
    mesh: Mesh, posed: PosedPhotos, frame: TargetFrame | None, count: int
) -> tuple[list[Viewpoint], bool]:
    """From where to draw a mesh, and whether its photos were taken inside of it."""
    views = posed.scene.views
    upright = upright_from_world(views, mesh.vertices, frame.up_world if frame else None)
    centres = np.stack([upright @ view.centre_world for view in views])
    low, high = np.percentile(upright @ mesh.vertices, [2, 98], axis=0)
    inside = float(((centres > low) & (centres < high)).all(1).mean()) > 0.6
    flat = (centres - (low + high) / 2)[:, :2]
    sides = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    around = inside or float(np.linalg.norm(sides.mean(0))) < 0.5
    arc_deg, elevation_deg = 360 if around else 100, 45 if inside else 20
    if len(views) == 1:  # seen from far aside, a relief is all gaps
        arc_deg, elevation_deg = 50, 8
    viewpoints = turntable(
        mesh.vertices,
        upright,
        count,
        arc_deg=arc_deg,
        elevation_deg=elevation_deg,
        size_px=_STILL_PX,
    )
    return viewpoints, inside


@dataclass(frozen=True)
class CoveragePictures:
    """As data URIs."""

    sides: tuple[str, ...]
    """The mesh in the colours of its coverage."""
    previews: tuple[tuple[str, str], ...]
    """Of each suggested photo: what it would show, and how that is covered so far."""


def coverage_pictures(
    advice: Advice, model: Mesh | TexturedMesh, posed: PosedPhotos, frame: TargetFrame | None
) -> CoveragePictures:
    """From two sides, and from each suggested place."""
    viewpoints, inside = _sides(advice.mesh, posed, frame, _COVERAGE_SIDES)
    colours, photos = StillRenderer(advice.coloured), StillRenderer(model)
    sides = [shaded(colours.render(viewpoint, backs=not inside)) for viewpoint in viewpoints]
    return CoveragePictures(
        tuple(jpeg_uri(side) for side in sides),
        tuple(
            (
                jpeg_uri(preview(photos, suggestion.view)),
                jpeg_uri(coverage_preview(colours, suggestion.view)),
            )
            for suggestion in advice.suggestions
        ),
    )


def jpeg_uri(rgb: UInt8[np.ndarray, "h w 3"]) -> str:
    """A picture as text for an img tag."""
    return _uri(Image.fromarray(rgb), "jpeg", quality=72)


def png_uri(rgba: UInt8[np.ndarray, "h w 4"]) -> str:
    """A picture with transparency as text for an img tag."""
    return _uri(Image.fromarray(rgba), "png", optimize=True)


def _uri(image: Image.Image, kind: str, **options: int) -> str:
    stream = io.BytesIO()
    image.save(stream, kind.upper(), **options)
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode()}"


def depth_span(depth_z: Float[np.ndarray, "h w"]) -> tuple[float, float]:
    """Nearest and farthest depth that gets a colour of its own; needs a known pixel."""
    near, far = np.percentile(depth_z[depth_z > 0], [2, 98])
    return float(near), float(far)


def coloured_depth(depth_z: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Near is red, far is blue, grey is unknown."""
    import cv2

    known = depth_z > 0
    picture = np.full((*depth_z.shape, 3), 128, np.uint8)
    if known.any():
        # In inverse depth, where what is near, and matters most, gets most of the colours.
        near, far = (1 / depth for depth in depth_span(depth_z))
        level = (1 / depth_z[known] - far) / max(near - far, 1e-12)
        table = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_TURBO)
        picture[known] = table[np.rint(np.clip(level, 0, 1) * 255).astype(int), 0, ::-1]
    return picture
