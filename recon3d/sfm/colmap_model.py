"""COLMAP model files <-> core types: images and points with their cameras, as text or binary.

The files are read here rather than by pycolmap because they come from users: a truncated binary
must end in a message, and its readers trust every count they meet.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from recon3d.core.camera import Intrinsics, project
from recon3d.core.errors import PosesError
from recon3d.core.scene import PosedScene
from recon3d.core.transform import Rigid, quaternion_wxyz, rotation_from_quaternion
from recon3d.photos.colmap_cameras import (
    PINHOLE_CODE,
    read_count,
    read_numbered_cameras,
    short,
)
from recon3d.photos.documents import read_text
from recon3d.run.files import atomic_path


def read_colmap_cameras(path: Path) -> dict[str, tuple[Intrinsics, Rigid]]:
    """Intrinsics and cam_from_world of every image of a COLMAP model, by image name.

    path is a model's folder, text or binary, or the project above it (`sparse/0`).

    Raises:
        PosesError: there is no model, or its images are damaged.
        IntrinsicsError: its cameras are damaged or of a model we cannot undistort.
    """
    folder, suffix = _find_model(path)
    cameras = read_numbered_cameras(folder / f"cameras{suffix}")
    images = folder / f"images{suffix}"
    rows = _image_rows_binary(images) if suffix == ".bin" else _image_rows_text(images)
    posed: dict[str, tuple[Intrinsics, Rigid]] = {}
    try:
        for name, camera_number, quaternion, translation in rows:
            if camera_number not in cameras:
                raise ValueError(f"image {name} names camera {camera_number}, which is not there")
            pose = Rigid(rotation_from_quaternion(quaternion), np.array(translation, np.float64))
            if not np.isfinite(pose.translation).all():
                raise ValueError(f"image {name} has a position that is not finite")
            posed[name] = cameras[camera_number], pose
    except (ValueError, IndexError, struct.error, OSError) as error:
        raise PosesError(f"Cannot read the COLMAP images in {images}: {short(error)}.") from error
    if not posed:
        raise PosesError(f"The COLMAP model in {folder} holds no images.")
    return posed


def write_colmap_model(folder: Path, scene: PosedScene) -> None:
    """Write cameras.bin, images.bin and points3D.bin of the undistorted views.

    Binary, because COLMAP's text format has no names with spaces. Images carry their photo ids
    as names. Where exactly a view sees a point is not kept in a scene, so the point's projection
    stands in for it.

    Raises:
        OutputError: the folder cannot be written.
    """
    numbers = {camera: n for n, camera in enumerate(dict.fromkeys(v.camera for v in scene.views))}
    cameras = [
        struct.pack(
            "<iiQQ4d", n + 1, PINHOLE_CODE, c.width_px, c.height_px,
            c.fx_px, c.fy_px, c.cx_px, c.cy_px,
        )
        for c, n in numbers.items()
    ]  # fmt: skip
    tracks: list[list[int]] = [[] for _ in scene.points.xyz_world]
    images = []
    for index, view in enumerate(scene.views):
        sightings, indices = _sightings(scene, index)
        pose = view.cam_from_world
        head = struct.pack(
            "<I7dI", index + 1, *quaternion_wxyz(pose.rotation), *pose.translation,
            numbers[view.camera] + 1,
        )  # fmt: skip
        name = view.photo_id.encode() + b"\0"
        images.append(head + name + struct.pack("<Q", len(sightings)) + sightings.tobytes())
        for place, point in enumerate(indices.tolist()):
            tracks[point] += index + 1, place
    rows = zip(scene.points.xyz_world, scene.points.rgb, scene.points.error_px, tracks, strict=True)
    points = [
        struct.pack("<Q3d3BdQ", n + 1, *xyz, *rgb, error_px, len(track) // 2)
        + np.array(track, "<i4").tobytes()
        for n, (xyz, rgb, error_px, track) in enumerate(rows)
    ]
    for part_name, records in (("cameras", cameras), ("images", images), ("points3D", points)):
        with atomic_path(folder / f"{part_name}.bin") as part:
            part.write_bytes(struct.pack("<Q", len(records)) + b"".join(records))


def _sightings(scene: PosedScene, index: int) -> tuple[np.ndarray, np.ndarray]:
    """COLMAP's records of the points that a view sees, and the points' indices."""
    view, observations = scene.views[index], scene.points.observations
    indices = np.unique(observations[observations[:, 1] == index, 0])
    uv_px, _ = project(view.cam_from_world @ scene.points.xyz_world[indices], view.camera)
    # Behind the camera there is no projection.
    visible = np.isfinite(uv_px).all(axis=1)
    records = np.zeros(int(visible.sum()), [("uv_px", "<f8", 2), ("point", "<i8")])
    records["uv_px"], records["point"] = uv_px[visible], indices[visible] + 1
    return records, indices[visible]


def _find_model(path: Path) -> tuple[Path, str]:
    for folder in (path, path / "sparse" / "0", path / "sparse", path.parent):
        for suffix in (".bin", ".txt"):
            if all((folder / f"{name}{suffix}").is_file() for name in ("cameras", "images")):
                return folder, suffix
    raise PosesError(
        f"{path} is not a COLMAP model.",
        hint="Give the folder that holds cameras.txt and images.txt (or .bin).",
    )


_ImageRow = tuple[str, int, Sequence[float], Sequence[float]]


def _image_rows_text(path: Path) -> Iterator[_ImageRow]:
    for line in read_text(path, PosesError).splitlines():
        words = line.split(maxsplit=9)
        # Models made by hand often lack the line of 2D points, empty or not, after each image.
        if not words or words[0].startswith("#") or _are_points(line):
            continue
        if len(words) < 10:
            raise ValueError(f"a line has {len(words)} words, not 10: {line[:60]}")
        numbers = [float(word) for word in words[1:8]]
        yield words[9].strip(), int(words[8]), numbers[:4], numbers[4:]


def _are_points(line: str) -> bool:
    """Whether a line holds x, y and a point's number, again and again, and no name of an image."""
    words = line.split()
    try:
        [float(word) for word in words]
    except ValueError:
        return False
    return len(words) % 3 == 0


def _image_rows_binary(path: Path) -> Iterator[_ImageRow]:
    content = path.read_bytes()
    count = read_count(content, 0, least_bytes=73)
    at = 8
    for _ in range(count):
        _, *numbers, camera = struct.unpack_from("<I7dI", content, at)
        at += 64
        end = content.index(b"\0", at)
        name = content[at:end].decode("utf-8")
        at = end + 9 + 24 * read_count(content, end + 1, least_bytes=24)
        yield name, camera, numbers[:4], numbers[4:]
