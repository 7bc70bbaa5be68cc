"""What the window and the render process say to each other: plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from recon3d.core.camera import PinholeCamera
from recon3d.core.scene import Unit, View
from recon3d.core.transform import Rigid, Similarity
from recon3d.georef.known_scale import PhotoPixel
from recon3d_gui.failure import Failure
from recon3d_gui.viewer.cameras import Bounds, Point

Layer = Literal["points", "cloud", "mesh"]
Mode = Literal[
    "points", "cloud", "colour", "clay", "normals", "confidence", "coverage", "exactness"
]
"""What is drawn; where a model does not have it yet, the next best that it has.

colour is the texture, or the vertices' colours before there is one.
"""
Side = Literal["a", "b"]
Colour = tuple[float, float, float]
"""sRGB, 0 to 1."""
Box = tuple[Point, Point]
"""Its smallest and largest corner in the model frame."""


@dataclass(frozen=True)
class Palette:
    """Colours of what is not the model."""

    top: Colour = (0.16, 0.18, 0.21)
    bottom: Colour = (0.09, 0.10, 0.12)
    line: Colour = (0.62, 0.66, 0.72)
    accent: Colour = (0.35, 0.66, 1.0)
    edge: Colour = (0.05, 0.06, 0.08)
    """Of the wireframe."""


# --- to the process: state, of which only the newest counts -----------------------------------


@dataclass(frozen=True)
class Canvas:
    """The shared memory that pictures go to, two slots of the same size."""

    names: tuple[str, str]


@dataclass(frozen=True, eq=False)
class Look:
    """Draw from here; the picture has the size of the camera's."""

    number: int
    camera: PinholeCamera
    cam_from_model: Rigid
    focus_distance: float
    is_moving: bool = False
    """A quick picture will do; a finer one follows when the camera rests."""


@dataclass(frozen=True)
class Style:
    """How it is drawn."""

    mode: Mode = "colour"
    wireframe: bool = False
    grid: bool = True
    cameras: bool = True
    selected: str | None = None
    """The photo whose camera is highlighted."""
    hovered: str | None = None
    backdrop: float = 0.0
    """Opacity of the selected photo in its camera's picture plane; 0 shows none."""
    crop: Box | None = None
    """A box whose edges are shown."""
    clip: Box | None = None
    """A box outside of which nothing of side a is shown."""
    split: float | None = None
    """Share of the width that shows model a; the rest shows b."""
    pixel_scale: float = 1.0
    """Pixels of the screen for one of the design."""
    palette: Palette = Palette()


@dataclass(frozen=True)
class Show:
    """What is to be seen on one side: finished stages, or a mesh file of another program."""

    side: Side
    reached: Mapping[str, Path] = field(default_factory=dict)
    """Stage name -> its finished folder."""
    mesh_file: Path | None = None


DepthFolders = tuple[tuple[str, Path], ...]
"""Stages with a depth map for each photo, in the order of the method, and where their maps are."""


@dataclass(frozen=True)
class Grow:
    """What to make the cloud of, that side a shows until the run has fused one."""

    folders: DepthFolders = ()
    is_at_work: bool = False
    """More maps will come."""


# --- to the process: orders, each of which counts ---------------------------------------------


@dataclass(frozen=True, eq=False)
class Pick:
    """What lies under a pixel?"""

    number: int
    look: Look
    uv_px: tuple[float, float]
    """In the picture of the look."""
    in_photos: bool = False
    """Also find the photos that show the point, which takes a moment."""


@dataclass(frozen=True)
class Taken:
    """The picture of this number and those before it have been copied."""

    number: int


@dataclass(frozen=True)
class SavePicture:
    """Write what is seen, without handles, as a PNG."""

    target: Path
    enlarge: int = 1
    transparent: bool = False


@dataclass(frozen=True)
class SaveTurntable:
    """Write a film of a full turn around the focus: .gif or .mp4."""

    target: Path
    seconds: float = 6.0
    frames_per_second: int = 20
    size_px: tuple[int, int] = (960, 720)


@dataclass(frozen=True)
class CancelSaving:
    """Stop the film; what was there before stays."""


@dataclass(frozen=True)
class Quit:
    """Leave."""


# --- from the process ------------------------------------------------------------------------


@dataclass(frozen=True)
class Ready:
    """The process has found a way to draw."""

    renderer: str
    is_software: bool
    """Drawn on the processor: slower, and coarser while moving."""


@dataclass(frozen=True)
class Frame:
    """A picture lies in the shared memory: rows from the top, float32 RGBA."""

    number: int
    canvas: tuple[str, str]
    """The names of the slots."""
    slot: int
    width_px: int
    height_px: int
    look: int
    seconds: float
    """That drawing and copying took."""
    is_final: bool
    """False for the quick picture of a moving camera."""
    styles: int = 0
    """How many styles the process had been told of when it was drawn."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """A side shows something new."""

    side: Side
    layers: frozenset[str]
    """Which of points, cloud, mesh, texture and confidence it has."""
    points: int
    faces: int
    bounds: Bounds
    model_from_world: Similarity
    upright: tuple[Point, Point, Point]
    """Rows of upright_from_model."""
    ground: float
    """Height of the grid along the upright z."""
    unit: Unit
    has_frame: bool
    """The model stands as it will be exported; before that it is only turned upright."""
    views: tuple[View, ...]
    """Of the placed photos, in the model frame."""
    scene_key: str
    """Of the placed cameras; another one is another world."""


@dataclass(frozen=True)
class Advised:
    """Where the next photos of what a side shows would help most."""

    side: Side
    views: tuple[View, ...]
    """In the model frame, the most useful first."""
    sentences: tuple[str, ...]
    """Where to stand for each, and why."""
    usual_sigma: float
    """The error that can be expected of a usual place, in the model's unit; infinite where nobody
    knows."""


@dataclass(frozen=True)
class Loading:
    """What is being read or computed; empty when done."""

    note: str


@dataclass(frozen=True)
class Picked:
    """The answer to a pick."""

    number: int
    point: Point | None
    """In the model frame; None beside the model."""
    photos: tuple[PhotoPixel, ...] = ()
    """In the user's own pictures; best first, and together they fix the point in space."""


@dataclass(frozen=True)
class Saving:
    """How far a film is."""

    done: int
    total: int


@dataclass(frozen=True)
class Saved:
    """A picture or film is on the disk; None: it was cancelled."""

    target: Path | None


@dataclass(frozen=True)
class Gone(Failure):
    """The process has ended and could not be started again."""


Command = (
    Canvas
    | Look
    | Style
    | Show
    | Grow
    | Pick
    | Taken
    | SavePicture
    | SaveTurntable
    | CancelSaving
    | Quit
)
Reply = Ready | Frame | Loaded | Advised | Loading | Picked | Saving | Saved | Failure | Gone
