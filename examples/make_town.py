"""Fly a drone over the town of town/: photos with GPS, K.json, true cameras and the true mesh.

python examples/make_town.py OUT [--photos N] [--size-px W H] [--seed S] [--threads T]

Two passes of parallel lines cross each other, 75 % overlap along and 60 % across them, the camera
tilted ahead. N photos cover a corner of the same town, so fewer photos are some of the many. Goes
on where it was stopped; the same libraries give the same files.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

import numpy as np
from make_example import developed
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from PIL.TiffImagePlugin import IFDRational
from scipy.spatial.transform import Rotation
from town.stretch import Daylight, Stretch

from recon3d.run.files import atomic_path

WIDTHS_OF_FOCAL = 0.8
"""Focal length in widths of a photo."""
SENSOR_MM = 13.2
FLYING_M = 80.0
"""Above the mean of the ground, which is 0."""
TILT_DEG = 27.0
FORWARD, SIDE = 0.75, 0.6
PLACE_M, ANGLE_DEG = 0.7, 1.2
GPS_M, GPS_UP_M = 2.0, 4.0
HOME_DEG_M = (48.137, 11.575, 520.0)
"""Latitude, longitude and altitude of 0, 0, 0."""
REACH_M = 190.0
"""What is farther from a camera than this, level, is not in its photo, nor is its shadow."""
CELL_M = 160.0
"""Photos that are taken from one square share the stretch of the town that they see."""
EXPOSURE = 0.62


@dataclass(frozen=True)
class Lens:
    """A pinhole in the middle of the photo."""

    width_px: int = 1200
    height_px: int = 900

    @property
    def focal_px(self) -> float:
        """Focal length."""
        return WIDTHS_OF_FOCAL * self.width_px

    def rays_cam(self, x_px: np.ndarray, y_px: np.ndarray) -> np.ndarray:
        """Directions (n, 3) of depth_z 1 through a grid, row after row."""
        x, y = np.meshgrid(x_px - self.width_px / 2, y_px - self.height_px / 2)
        return np.stack([x, y, np.full_like(x, self.focal_px)], -1).reshape(-1, 3) / self.focal_px

    def intrinsics(self) -> dict[str, object]:
        """As K.json has them."""
        size = {"width": self.width_px, "height": self.height_px}
        middle = {"cx": self.width_px / 2, "cy": self.height_px / 2}
        return size | middle | {"fx": self.focal_px, "fy": self.focal_px, "distortion": []}


@dataclass(frozen=True)
class Shot:
    """A photo to take; what it shows depends on nothing else but the seed."""

    along: int
    """0 for lines to the east and back, 1 for lines to the north and back."""
    line: int
    number: int
    place_m: tuple[float, float]
    """Where it is planned."""

    @property
    def name(self) -> str:
        """Of its file; sorted, they are in the order of the flight."""
        return f"town_{'en'[self.along]}{self.line:02d}_{self.number:03d}.jpg"

    @property
    def cell(self) -> tuple[int, int]:
        """The square that it is taken from."""
        x, y = self.place_m
        return int(x // CELL_M), int(y // CELL_M)

    def rng(self, seed: int, what: int) -> np.random.Generator:
        """Its own, for one of its matters."""
        return np.random.default_rng([seed, self.along, self.line, self.number, what])

    def cam_from_world(self, seed: int) -> np.ndarray:
        """4x4; the drone is not quite where it should be, and not quite level."""
        rng = self.rng(seed, 0)
        centre = np.array([*self.place_m, FLYING_M]) + rng.normal(0, PLACE_M, 3)
        ahead = np.eye(3)[self.along] * (-1) ** self.line
        tilt = np.radians(TILT_DEG)
        forward = np.sin(tilt) * ahead - np.cos(tilt) * np.eye(3)[2]
        right = np.cross(ahead, [0, 0, 1])
        held = np.stack([right, np.cross(forward, right), forward])
        wobble = Rotation.from_rotvec(rng.normal(0, np.radians(ANGLE_DEG), 3)).as_matrix()
        matrix = np.eye(4)
        matrix[:3, :3] = wobble @ held
        matrix[:3, 3] = -matrix[:3, :3] @ centre
        return matrix

    def centre(self, seed: int) -> np.ndarray:
        """Where it stands, east, north and up in metres."""
        matrix = self.cam_from_world(seed)
        return -matrix[:3, :3].T @ matrix[:3, 3]


def flight(count: int, lens: Lens) -> list[Shot]:
    """The `count` photos nearest to the town's corner, as the drone takes them."""
    across = FLYING_M / WIDTHS_OF_FOCAL
    side = across * (1 - SIDE)
    step = across * lens.height_px / lens.width_px * (1 - FORWARD)
    # The square that they fill, and two lines more.
    extent = np.sqrt(count * side * step / 2) + 2 * side
    shots = []
    for along in (0, 1):
        for line in range(int(extent / side)):
            for number in range(int(extent / step)):
                # The second pass begins between the first one's lines.
                ahead, beside = (number + along / 2) * step, (line + along / 2) * side
                place = (ahead, beside) if along == 0 else (beside, ahead)
                shots.append(Shot(along, line, number, place))
    shots.sort(key=lambda shot: (max(shot.place_m), shot.name))
    return sorted(shots[:count], key=lambda shot: shot.name)


def photograph(daylight: Daylight, shot: Shot, lens: Lens, seed: int) -> np.ndarray:
    """8-bit sRGB (h, w, 3): each pixel mixes its middle with its four corners."""
    columns, rows = np.arange(lens.width_px + 1.0), np.arange(lens.height_px + 1.0)
    image = _light(daylight, shot, lens, seed, columns[:-1] + 0.5, rows[:-1] + 0.5) / 2
    corners = _light(daylight, shot, lens, seed, columns, rows) / 8
    for part in (corners[:-1, :-1], corners[:-1, 1:], corners[1:, :-1], corners[1:, 1:]):
        image += part
    rng = shot.rng(seed, 1)
    # Clouds come and go, and the camera meters anew.
    drift = 0.07 * np.sin(shot.number / 6 + 2 * shot.line) + rng.normal(0, 0.015)
    x, y = np.meshgrid(np.linspace(-1, 1, lens.width_px), np.linspace(-1, 1, lens.height_px))
    image *= (1 - 0.06 * (x**2 + y**2))[..., None] * EXPOSURE * (1 + drift)
    noise = rng.normal(size=image.shape).astype(np.float32)
    return developed(np.clip(image + 0.008 * noise * np.sqrt(image + 0.01), 0, None))


def _light(
    daylight: Daylight, shot: Shot, lens: Lens, seed: int, x_px: np.ndarray, y_px: np.ndarray
) -> np.ndarray:
    """Linear RGB (rows, columns, 3) at a grid of places in the photo."""
    cam_from_world, centre = shot.cam_from_world(seed), shot.centre(seed)
    light = np.empty((len(y_px), len(x_px), 3), np.float32)
    # In bands, which bound the memory.
    for rows in np.array_split(np.arange(len(y_px)), max(1, light.size // 600_000)):
        toward = lens.rays_cam(x_px, y_px[rows]) @ cam_from_world[:3, :3]
        rays = np.concatenate([np.broadcast_to(centre, toward.shape), toward], 1)
        found = daylight.light(rays.astype(np.float32), lens.focal_px)
        light[rows] = found.reshape(len(rows), -1, 3)
    return light


def exif(shot: Shot, lens: Lens, seed: int) -> Image.Exif:
    """What a drone writes: its GPS is off, its focal length rounded."""
    off = shot.rng(seed, 2).normal(0, [GPS_M, GPS_M, GPS_UP_M])
    latitude, longitude, altitude = geodetic(shot.centre(seed) + off)
    content = Image.Exif()
    content[Base.Make], content[Base.Model] = "recon3d", "make_town"
    detail = content.get_ifd(IFD.Exif)
    # 2 s from photo to photo, an hour from pass to pass.
    seconds = 3600 * shot.along + 120 * shot.line + 2 * shot.number
    taken = datetime(2024, 6, 1, 11) + timedelta(seconds=seconds)
    detail[Base.DateTimeOriginal] = taken.strftime("%Y:%m:%d %H:%M:%S")
    detail[Base.FocalLength] = IFDRational(round(100 * WIDTHS_OF_FOCAL * SENSOR_MM), 100)
    diagonal = np.hypot(lens.width_px, lens.height_px)
    detail[Base.FocalLengthIn35mmFilm] = round(np.hypot(36, 24) * lens.focal_px / diagonal)
    detail[Base.ExifImageWidth], detail[Base.ExifImageHeight] = lens.width_px, lens.height_px
    place = content.get_ifd(IFD.GPSInfo)
    place[GPS.GPSLatitudeRef], place[GPS.GPSLongitudeRef] = "N", "E"
    place[GPS.GPSLatitude] = _sexagesimal(latitude)
    place[GPS.GPSLongitude] = _sexagesimal(longitude)
    place[GPS.GPSAltitudeRef] = b"\x00"
    place[GPS.GPSAltitude] = IFDRational(round(1000 * altitude), 1000)
    return content


def geodetic(enu_m: np.ndarray) -> tuple[float, float, float]:
    """Latitude, longitude and altitude near home, where a kilometre bends by 8 cm."""
    latitude, longitude, altitude = HOME_DEG_M
    # Radii of WGS 84's ellipsoid across a meridian and along it.
    squeeze = 1 - 6.69437999014e-3 * np.sin(np.radians(latitude)) ** 2
    across = 6378137.0 / np.sqrt(squeeze)
    along = across * (1 - 6.69437999014e-3) / squeeze
    east, north, up = enu_m
    turned = np.degrees(east / across / np.cos(np.radians(latitude)))
    return latitude + float(np.degrees(north / along)), longitude + float(turned), altitude + up


def _sexagesimal(degrees: float) -> tuple[IFDRational, ...]:
    whole = int(degrees)
    minutes = int(60 * (degrees - whole))
    seconds = 3600 * (degrees - whole) - 60 * minutes
    parts = ((whole, 1), (minutes, 1), (round(1e5 * seconds), 100_000))
    return tuple(IFDRational(*part) for part in parts)


def take(shots: Sequence[Shot], folder: Path, lens: Lens, seed: int, threads: int | None) -> None:
    """Photograph from one square after the other."""

    def one(shot: Shot) -> str:
        pixels = photograph(daylight, shot, lens, seed)
        with atomic_path(folder / shot.name) as part:
            tags = exif(shot, lens, seed)
            Image.fromarray(pixels).save(part, "JPEG", quality=92, exif=tags)
        return shot.name

    done = 0
    order = sorted(shots, key=lambda shot: (shot.cell, shot.name))
    for cell, group in groupby(order, key=lambda shot: shot.cell):
        low = np.array(cell) * CELL_M
        daylight = Daylight(Stretch.between(low - REACH_M, low + CELL_M + REACH_M, seed), seed)
        with ThreadPoolExecutor(threads) as pool:
            for name in pool.map(one, group):
                done += 1
                print(f"{done} of {len(shots)}: {name}", flush=True)


def true_mesh(shots: Sequence[Shot], seed: int) -> Stretch:
    """All that the photos see, and a little more."""
    places = np.array([shot.place_m for shot in shots])
    return Stretch.between(places.min(0) - REACH_M, places.max(0) + REACH_M, seed)


def make(out: Path, count: int, lens: Lens, seed: int, threads: int | None) -> None:
    """Everything, but for photos that are there.

    Raises:
        ValueError: the folder holds photos of another town, of another size, or more of them.
    """
    shots = flight(count, lens)
    images = out / "images"
    images.mkdir(parents=True, exist_ok=True)
    asked = {"seed": seed, **lens.intrinsics()}
    noted = out / "town.json"
    there = {path.name for path in images.glob("town_*.jpg")}
    same = not there or (noted.exists() and json.loads(noted.read_text()) == asked)
    if not same or not there <= {shot.name for shot in shots}:
        raise ValueError(f"{out} holds other photos: give another folder, or delete it")
    cameras = {shot.name: {"cam_from_world": shot.cam_from_world(seed).tolist()} for shot in shots}
    for path, content in (
        (noted, asked),
        (out / "K.json", lens.intrinsics()),
        (out / "cameras.json", {"unit": "metre", **cameras}),
    ):
        path.write_text(json.dumps(content, indent=1) + "\n")
    mesh = out / "mesh.ply"
    missing = [shot for shot in shots if shot.name not in there]
    if missing:
        # That of fewer photos is smaller.
        mesh.unlink(missing_ok=True)
    take(missing, images, lens, seed, threads)
    if not mesh.exists():
        with atomic_path(mesh) as part:
            part.write_bytes(true_mesh(shots, seed).mesh().export(file_type="ply"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--size-px", type=int, nargs=2, default=(1200, 900))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, help="one for each core when left out")
    options = parser.parse_args()
    try:
        lens = Lens(*options.size_px)
        make(options.out, options.photos, lens, options.seed, options.threads or os.cpu_count())
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
