"""Flights of a simulated drone over hills: what its photos show, what it believes, what is true."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from recon3d.core.camera import Intrinsics, PinholeCamera
from recon3d.core.lens import LENSES, project
from recon3d.core.scene import CameraEstimate, Exif, Photo
from recon3d.core.transform import Rigid, fit_similarity
from recon3d.georef.known_scale import PhotoPixel
from recon3d.run.task import CancelToken, Task, silent
from recon3d.sfm.features import PhotoDatabase, PhotoToPlace, prepare
from recon3d.sfm.gps_readings import GpsReadings, read_gps
from recon3d.sfm.mapping import Placement, map_incrementally, to_placement
from recon3d.sfm.pycolmap_library import pycolmap

WIDTH, HEIGHT, FOCAL = 1200, 900, 1000.0
LENS = LENSES["brown"]
VALUES = np.array([FOCAL, FOCAL, 606, 446, -0.03, 0.008, 4e-4, -3e-4, 0])
"""Of the true lens."""
ABOVE_M = 100.0
HOME = np.array([52.5, 13.4, 120.0])


@dataclass(frozen=True, eq=False)
class Flight:
    """One flight, in metres east, north and up."""

    poses: dict[str, Rigid]
    """cam_from_world of every photo."""
    ground: np.ndarray
    photo: np.ndarray
    point: np.ndarray
    points_px: np.ndarray
    """With the detector's noise."""

    @property
    def centres(self) -> np.ndarray:
        return np.stack([pose.inverse().translation for pose in self.poses.values()])


def hills(east: np.ndarray, north: np.ndarray) -> np.ndarray:
    """Heights of the ground."""
    return 4 * np.sin(east / 37) * np.cos(north / 29) + 2 * np.sin(east / 11 + north / 17)


def fly(
    length_m: float = 500,
    strips: int = 1,
    step_m: float = 25,
    noise_px: float = 0.5,
    seed: int = 0,
    per_photo: int = 150,
) -> Flight:
    """Photos straight down along strips, each seen point in two photos or more."""
    rng = np.random.default_rng(seed)
    poses = {}
    for strip in range(strips):
        along = np.arange(0, length_m + 1, step_m)
        for east in along if strip % 2 == 0 else along[::-1]:
            centre = np.array([east, 45.0 * strip, ABOVE_M]) + rng.normal(0, 0.5, 3)
            # Drones turn around at the end of a strip.
            down = Rotation.from_euler("x", 180, degrees=True)
            wobble = Rotation.from_rotvec(rng.normal(0, np.radians(2), 3))
            rotation = wobble * Rotation.from_euler("z", 180 * (strip % 2), degrees=True) * down
            matrix = rotation.as_matrix()
            poses[f"{len(poses):04d}.jpg"] = Rigid(matrix, -matrix @ centre)
    area = (length_m + 120) * (45 * strips + 90)
    count = int(per_photo / (120 * 90) * area)
    east = rng.uniform(-60, length_m + 60, count)
    north = rng.uniform(-60, 45 * (strips - 1) + 60, count)
    ground = np.stack([east, north, hills(east, north)], 1)
    photo, point, seen = [], [], []
    for index, pose in enumerate(poses.values()):
        px = project(LENS, VALUES, pose @ ground)
        inside = np.isfinite(px).all(1) & (px > 0).all(1) & (px < [WIDTH, HEIGHT]).all(1)
        rows = np.flatnonzero(inside)
        photo.append(np.full(len(rows), index))
        point.append(rows)
        seen.append(px[rows] + rng.normal(0, noise_px, (len(rows), 2)))
    return Flight(poses, ground, np.concatenate(photo), np.concatenate(point), np.concatenate(seen))


def marks_in(
    flight: Flight, place: np.ndarray, rng: np.random.Generator, sigma_px: float
) -> tuple[PhotoPixel, ...]:
    """Where somebody marks a place in all photos that show it."""
    marks = []
    for photo_id, pose in flight.poses.items():
        (x, y) = project(LENS, VALUES, (pose @ place)[None])[0]
        if 0 < x < WIDTH and 0 < y < HEIGHT:
            column, row = np.array([x, y]) - 0.5 + rng.normal(0, sigma_px, 2)
            marks.append(PhotoPixel(photo_id, float(column), float(row)))
    return tuple(marks)


def readings(flight: Flight, sigma_m: float, outliers: float, seed: int = 1) -> dict[str, Exif]:
    """What GPS says of the photos, good to so many metres (twice that in height)."""
    rng = np.random.default_rng(seed)
    enu = flight.centres + rng.normal(0, 1, (len(flight.poses), 3)) * sigma_m * [1, 1, 2]
    wrong = rng.random(len(enu)) < outliers
    enu[wrong] += rng.normal(0, 40, (int(wrong.sum()), 3))
    latitude = HOME[0] + np.degrees(enu[:, 1] / 6_364_900.0)
    longitude = HOME[1] + np.degrees(enu[:, 0] / (6_378_137.0 * 1.00213 * np.cos(np.radians(52.5))))
    return {
        photo_id: Exif(gps_deg_m=(float(lat), float(lon), float(HOME[2] + up)))
        for photo_id, lat, lon, up in zip(flight.poses, latitude, longitude, enu[:, 2], strict=True)
    }


def photos_with(exif: dict[str, Exif]) -> tuple[Photo, ...]:
    """Photos of which nothing else counts."""
    return tuple(Photo(key, "", WIDTH, HEIGHT, one, key, "drone") for key, one in exif.items())


def gps_of(flight: Flight, sigma_m: float, outliers: float = 0.0, seed: int = 1) -> GpsReadings:
    """Readings as the program takes them."""
    return read_gps(photos_with(readings(flight, sigma_m, outliers, seed)))


def bending_m(flight: Flight, placement: Placement) -> float:
    """Root mean square of what is left of the cameras' errors after the best similarity."""
    found = np.stack([pose.inverse().translation for pose in placement.cam_from_world.values()])
    true = np.stack([flight.poses[key].inverse().translation for key in placement.cam_from_world])
    gaps = fit_similarity(found, true) @ found - true
    return float(np.sqrt((gaps**2).sum(axis=1).mean()))


@cache
def bent_strip() -> tuple[Flight, Placement]:
    """One strip of 1.5 km, and how the mapper bends it."""
    flight = fly(1500, 1, 30, 0.5, 0, 150)
    with tempfile.TemporaryDirectory() as folder:
        placement = mapped(flight, Path(folder) / "sfm")
    assert placement
    return flight, placement


def mapped(flight: Flight, folder: Path, seed: int = 0) -> Placement | None:
    """The flight as the mapper places it, from its features alone."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / "blank.jpg"
    Image.new("RGB", (WIDTH, HEIGHT)).save(picture)
    photos = tuple(PhotoToPlace(photo_id, picture, None, "drone") for photo_id in flight.poses)
    guessed = Intrinsics(PinholeCamera.centred(WIDTH, HEIGHT, 1.02 * FOCAL))
    database = PhotoDatabase(folder, photos, {"drone": CameraEstimate(guessed, "exif, refined")})
    prepare(database)
    rows = [np.flatnonzero(flight.photo == n) for n in range(len(photos))]
    with database.open() as stored:
        for n, mine in enumerate(rows):
            stored.write_keypoints(n + 1, flight.points_px[mine].astype(np.float32))
        for a in range(len(photos)):
            for b in range(a + 1, len(photos)):
                _, i, j = np.intersect1d(
                    flight.point[rows[a]], flight.point[rows[b]], return_indices=True
                )
                if len(i) < 15:
                    continue
                matches = np.stack([i, j], 1).astype(np.uint32)
                stored.write_matches(a + 1, b + 1, matches)
                geometry = pycolmap.TwoViewGeometry()
                geometry.config = 3
                geometry.inlier_matches = matches
                stored.write_two_view_geometry(a + 1, b + 1, geometry)
    task = Task("pose", silent, CancelToken())
    models = map_incrementally(database, relaxed=False, seed=seed, task=task)
    return to_placement(database, models, [""] * len(models), (), task)
