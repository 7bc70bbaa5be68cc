"""What a renderer is asked to draw, whether it uses a graphics card or not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from jaxtyping import Float, Float32, Int32, UInt8

from recon3d.core.camera import PinholeCamera
from recon3d.core.surface import PointCloud, TexturedMesh
from recon3d.core.transform import Rigid, Similarity
from recon3d_gui.viewer.content import Content, Surface
from recon3d_gui.viewer.geometry import Lines
from recon3d_gui.viewer.protocol import Layer, Mode, Palette
from recon3d_gui.viewer.proxy import coarser

PROXY_FACES = (300_000, 80_000)
_MOST_PAGE_PX = 64_000_000
_LARGEST_PAGE_PX = 8192


@dataclass(frozen=True, eq=False)
class Skin:
    """A textured mesh as a graphics card takes it: three corners a face, faces in order of page."""

    corners: Float32[np.ndarray, "c 3"]
    normals: Float32[np.ndarray, "c 3"]
    uv: Float32[np.ndarray, "c 2"]
    """From the upper left of the page."""
    page_ends: Int32[np.ndarray, "p"]
    """Up to which corner each page reaches."""
    pages: Sequence[UInt8[np.ndarray, "h w 3"]]


@dataclass(frozen=True, eq=False)
class Model:
    """A content made ready: coarser versions for moving, the texture's corners and pages."""

    content: Content
    levels: tuple[Surface, ...] = ()
    """Finest first; the first is the content's own surface."""
    skin: Skin | None = None

    def layer(self, mode: Mode) -> Layer:
        """What a mode shows of what there is: the next best, where it is not there yet."""
        has: dict[Layer, bool] = {
            "mesh": bool(self.levels),
            "cloud": self.content.shown_cloud is not None,
            "points": self.content.sparse is not None,
        }
        orders: dict[Mode, tuple[Layer, ...]] = {
            "points": ("points", "cloud", "mesh"),
            "cloud": ("cloud", "points", "mesh"),
        }
        order = orders.get(mode, ("mesh", "cloud", "points"))
        return next((layer for layer in order if has[layer]), "points")

    def cloud(self, layer: Layer) -> PointCloud | None:
        """The points of a layer."""
        return self.content.shown_cloud if layer == "cloud" else self.content.sparse


def prepare(content: Content, before: Model | None, wait: Callable[[], None]) -> Model:
    """Make a content ready for drawing; parts that have not changed are taken over.

    wait: called between steps; may raise to stop.
    """
    surface, levels, skin = content.surface, tuple[Surface, ...](), None
    if surface is not None:
        if before is not None and before.content.surface is surface:
            levels = before.levels
        else:
            found = [surface]
            for most in PROXY_FACES:
                wait()
                if len(found[-1].faces) > 1.3 * most:
                    found.append(coarser(surface, most))
            levels = tuple(found)
    if content.textured is not None and surface is not None:
        if before is not None and before.content.textured is content.textured:
            skin = before.skin
        else:
            wait()
            skin = make_skin(content.textured, surface, wait)
    return Model(content, levels, skin)


def make_skin(textured: TexturedMesh, surface: Surface, wait: Callable[[], None]) -> Skin:
    """Corners in order of page, and pages reduced to what a graphics card surely holds."""
    order = np.argsort(textured.page_of_face, kind="stable")
    corners = surface.faces[order].reshape(-1)
    uv = textured.uv[order].reshape(-1, 2).astype(np.float32)
    uv[:, 1] = 1 - uv[:, 1]
    count = len(textured.pages)
    ends = 3 * np.cumsum(np.bincount(textured.page_of_face, minlength=count))
    pages = []
    for page in textured.pages:
        wait()
        pages.append(_reduced(page, _MOST_PAGE_PX // max(1, count)))
    return Skin(
        surface.vertices[corners], surface.normals[corners], uv, ends.astype(np.int32), pages
    )


def _reduced(page: UInt8[np.ndarray, "h w 3"], most_px: int) -> UInt8[np.ndarray, "h w 3"]:
    factor = 1
    while (
        page.shape[0] * page.shape[1] > most_px * factor**2
        or max(page.shape[:2]) > _LARGEST_PAGE_PX * factor
    ):
        factor *= 2
    if factor == 1:
        return page
    from PIL import Image

    return np.asarray(Image.fromarray(page).reduce(factor))


@dataclass(frozen=True, eq=False)
class Stroke:
    """Lines of one width."""

    lines: Lines
    width_px: float = 1.2
    hidden: float = 0.0
    """Opacity of what lies behind the model."""


@dataclass(frozen=True, eq=False)
class Backdrop:
    """A photo in its camera's picture plane."""

    photo_id: str
    rgb: UInt8[np.ndarray, "h w 3"]
    corners: Float[np.ndarray, "4 3"]
    """In the model frame: upper left, upper right, lower left, lower right."""
    opacity: float
    is_over: bool
    """Over everything, because one looks from its camera; else it stands in space."""


@dataclass(frozen=True, eq=False)
class Part:
    """A model on a part of the picture."""

    model: Model
    shown_from_world: Similarity
    """Into the frame that the camera of the shot is in."""
    left: float = 0.0
    right: float = 1.0
    """Shares of the picture's width."""


@dataclass(frozen=True, eq=False)
class Shot:
    """One picture."""

    camera: PinholeCamera
    cam_from_model: Rigid
    near_far: tuple[float, float]
    parts: tuple[Part, ...]
    mode: Mode = "colour"
    wireframe: bool = False
    up_model: tuple[float, float, float] = (0.0, 0.0, 1.0)
    point_px: float = 2.0
    strokes: tuple[Stroke, ...] = ()
    backdrop: Backdrop | None = None
    palette: Palette = field(default_factory=Palette)
    level: int = 0
    """Of the models' coarser versions; 0 is the finest, with its texture."""
    is_smooth: bool = True
    """Smooth edges, which takes several times as long without a graphics card."""
    is_transparent: bool = False
    """Nothing behind the model."""

    focus_distance: float = 1.0

    @property
    def pixels_per_unit(self) -> float:
        """Of the model, where one looks."""
        return self.camera.fx_px / self.focus_distance

    def resized(self, width_px: int, height_px: int) -> Shot:
        """The same picture with other pixels."""
        return replace(self, camera=self.camera.resized(width_px, height_px))


Interrupted = Callable[[], bool]


class Renderer(Protocol):
    """Draws shots; used by one thread only."""

    name: str
    is_software: bool

    def hold(self, models: Collection[Model]) -> None:
        """Keep what these models need, and let go of all others."""

    def draw(self, shot: Shot, out: Float32[np.ndarray, "h w 4"], interrupted: Interrupted) -> bool:
        """Fill the picture, rows from the top; False: interrupted, and `out` was not touched."""

    def depth(self, shot: Shot, uv_px: tuple[float, float]) -> float | None:
        """Distance along the optical axis to what the models show at a point; None: nothing."""

    def close(self) -> None:
        """Let go of everything."""
