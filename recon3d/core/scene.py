"""Photos, the cameras that took them, and the sparse points they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8

from recon3d.core.camera import Intrinsics, PinholeCamera
from recon3d.core.orientation import DescribedPixels
from recon3d.core.rig import Baseline, RigPhoto
from recon3d.core.transform import Rigid

Unit = Literal["scene", "metre"]
Point = tuple[float, float, float]


@dataclass(frozen=True)
class Exif:
    """What a photo says of itself; None where it says nothing."""

    make: str | None = None
    model: str | None = None
    focal_px: float | None = None
    """From the 35 mm equivalent or the sensor's pixel density, for the upright full photo."""
    gps_deg_m: tuple[float, float, float] | None = None
    """Latitude and longitude in degrees, altitude in metres."""
    gps_std_m: tuple[float, float] | None = None
    """One standard deviation of it in metres, horizontally and of the altitude."""
    taken_at: str | None = None
    down_cam: tuple[float, float, float] | None = None
    """Unit direction of gravity in the upright photo: right, down, forward."""
    orientation: int = 1
    """How the stored pixels are turned to be upright, EXIF's 1 to 8."""


@dataclass(frozen=True)
class Photo:
    """One photo of the image set, upright, named by its id everywhere.

    The id is the path below the input folder in posix form. `path` is the user's own file;
    width and height are those of the upright picture.
    """

    id: str
    path: str
    width_px: int
    height_px: int
    exif: Exif
    sha256: str
    camera_group: str
    """Photos of one group share their intrinsics."""


@dataclass(frozen=True)
class Verdict:
    """What became of one file the user gave, told at the stage that decided."""

    photo_id: str
    used: bool
    reason: str = ""
    advice: str = ""


@dataclass(frozen=True)
class View:
    """An undistorted photo with its place in space."""

    photo_id: str
    camera: PinholeCamera
    cam_from_world: Rigid

    @property
    def centre_world(self) -> Float[np.ndarray, "3"]:
        """Where the camera stood."""
        return self.cam_from_world.inverse().translation


@dataclass(frozen=True, eq=False)
class SparsePoints:
    """Triangulated points and which views see them.

    `observations` has one row per sighting: (index of the point, index of the view in
    PosedScene.views order).
    """

    xyz_world: Float[np.ndarray, "n 3"]
    rgb: UInt8[np.ndarray, "n 3"]
    error_px: Float[np.ndarray, "n"]
    observations: Int[np.ndarray, "m 2"]

    @staticmethod
    def empty() -> SparsePoints:
        """No points: poses came with sensor depth."""
        return SparsePoints(
            np.zeros((0, 3)), np.zeros((0, 3), np.uint8), np.zeros(0), np.zeros((0, 2), np.int64)
        )

    def seen_by(self, view_index: int) -> Int[np.ndarray, "k"]:
        """The indices of the points that one view sees."""
        return self.observations[self.observations[:, 1] == view_index, 0]


@dataclass(frozen=True)
class LensStep:
    """A richer lens that was tried for an unknown camera."""

    adds: str
    """What it has in addition."""
    kept: bool
    why: str = ""
    """Why it was not kept."""


@dataclass(frozen=True)
class CameraEstimate:
    """The intrinsics of one camera group and how they came about."""

    intrinsics: Intrinsics
    source: Literal[
        "given", "exif, refined", "guessed, refined", "exif", "depth network", "guessed"
    ]
    """The last three where a single photo leaves nothing to refine them by."""
    focal_std_px: float | None = None
    """One standard deviation from the bundle adjustment; None where the focal was given."""
    centre_std_px: tuple[float, float] | None = None
    """Of the principal point, likewise; None where it is given or taken to be in the middle."""
    steps: tuple[LensStep, ...] = ()
    """From the simplest lens on; empty where none was tried."""


@dataclass(frozen=True, eq=False)
class PosedScene:
    """Every placed photo, undistorted, and the sparse points, in one world frame."""

    views: tuple[View, ...]
    points: SparsePoints
    unit: Unit
    cameras: Mapping[str, CameraEstimate] = field(default_factory=dict)
    """By camera group."""
    report: Mapping[str, object] = field(default_factory=dict)
    """Numbers for people: reprojection error, tracks, attempts, components."""
    origin: Point = (0.0, 0.0, 0.0)
    """Where the world's origin lies in the frame of the poses that were given."""
    one_place: Mapping[str, str] = field(default_factory=dict)
    """By photo id: photos with the same word here look from one place, as views of a panorama."""
    scale_sigma: float | None = None
    """One standard deviation of a metre that a rig's baseline says, as a share; None where the
    unit has another source."""
    camera_of: Mapping[str, str] = field(default_factory=dict)
    """By photo id: the key in `cameras`; empty in scenes that no stage has placed."""

    def view(self, photo_id: str) -> View:
        """The view of one photo.

        Raises:
            KeyError: the photo was not placed.
        """
        for view in self.views:
            if view.photo_id == photo_id:
                return view
        raise KeyError(photo_id)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """What ingest made of the user's files: upright photos ready to be placed.

    The mappings read one file when asked, so memory does not grow with the number of photos.
    """

    photos: tuple[Photo, ...]
    verdicts: tuple[Verdict, ...]
    """On every file that was left out, and why; files that the user leaves out among them."""
    sequential: bool
    """True for the frames of a video: neighbours in order overlap."""
    pictures: Mapping[str, Path]
    """By photo id: an upright 8-bit RGB or grey JPEG or PNG that every library can read."""
    masks: Mapping[str, Path]
    """By photo id: a PNG of the picture's size, 255 = keep; photos without a mask are absent."""
    sensor_depth: Mapping[str, Float32[np.ndarray, "h w"]]
    """By photo id: metres, 0 = unknown; empty without a depth camera."""
    excluded: tuple[str, ...] = ()
    """Ids of good photos that the user leaves out."""
    depth_unit: float = 0.001
    """Metres that one grey level of the depth camera's files was taken for."""
    orientation: DescribedPixels = "auto"
    """Which pixels of turned photos the user's cameras and marks are for."""

    @property
    def typical_megapixels(self) -> float:
        """Of the photo in the middle; 0 without photos."""
        sizes = sorted(photo.width_px * photo.height_px / 1e6 for photo in self.photos)
        return sizes[len(sizes) // 2] if sizes else 0.0


@dataclass(frozen=True, eq=False)
class GivenCameras:
    """What the user already knows of the cameras; empty mappings where nothing is known."""

    intrinsics: Mapping[str, Intrinsics] = field(default_factory=dict)
    """By photo id, scaled to each photo's size; all photos or none, but for views of panoramas,
    whose intrinsics are always known."""
    cam_from_world: Mapping[str, Rigid] = field(default_factory=dict)
    """By photo id; photos without a pose are left out when this is not empty."""
    unit: Unit = "scene"
    """Of the given poses."""
    digest: str = ""
    """Of the contents of the files this was read from."""
    origin: Point = (0.0, 0.0, 0.0)
    """Where the world's origin lies in the frame of the files, which may be far from theirs."""
    rigs: Mapping[str, RigPhoto] = field(default_factory=dict)
    """By photo id: its place in a rig, of photos that were taken together."""
    baseline: Baseline | None = None
    """Of that rig, where it is in metres."""


@dataclass(frozen=True, eq=False)
class OtherScene:
    """Photos that were placed among each other, but not with those of the largest scene.

    Its points have no colours, since its pictures are not undistorted yet.
    """

    scene: PosedScene
    intrinsics: Mapping[str, Intrinsics]
    """By photo id, of the photo as it was taken."""


@dataclass(frozen=True, eq=False)
class PosedPhotos:
    """A posed scene with its undistorted pixels, each read when asked."""

    scene: PosedScene
    rgb: Mapping[str, UInt8[np.ndarray, "h w 3"]]
    masks: Mapping[str, Bool[np.ndarray, "h w"]]
    """True = keep; photos without a mask are absent."""
    sensor_depth: Mapping[str, Float32[np.ndarray, "h w"]]
    """Scene units, at the views' size; empty without a depth camera."""
    verdicts: tuple[Verdict, ...]
    """On every photo of the image set."""
    others: tuple[OtherScene, ...] = ()
    """Scenes that the same photos show besides this one, the largest; the larger first."""
    sightings_px: Mapping[str, Float32[np.ndarray, "k 2"]] = field(default_factory=dict)
    """By photo id: where the photo as it was taken shows the points that its view sees, in the
    order of `SparsePoints.seen_by`; empty where its features did not place it."""
