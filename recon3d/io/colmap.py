"""COLMAP model files <-> core types: cameras, images and points, as text or binary.

The files are read here rather than by pycolmap because they come from users: a truncated binary
must end in a message, and its readers trust every count they meet.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera, project
from recon3d.core.errors import IntrinsicsError, PosesError
from recon3d.core.scene import PosedScene
from recon3d.core.transform import Rigid
from recon3d.run.files import atomic_path


@dataclass(frozen=True)
class _Model:
    code: int
    focals: int
    """1: one focal length for both axes."""
    coefficients: int


_MODELS = {
    "SIMPLE_PINHOLE": _Model(0, 1, 0),
    "PINHOLE": _Model(1, 2, 0),
    "SIMPLE_RADIAL": _Model(2, 1, 1),
    "RADIAL": _Model(3, 1, 2),
    "OPENCV": _Model(4, 2, 4),
    "OPENCV_FISHEYE": _Model(5, 2, 4),
    "FULL_OPENCV": _Model(6, 2, 8),
    "SIMPLE_DIVISION": _Model(12, 1, 1),
    "DIVISION": _Model(13, 2, 1),
}
_NAMES = {model.code: name for name, model in _MODELS.items()}


def intrinsics_from_colmap(
    model: str, width_px: int, height_px: int, params: Sequence[float]
) -> Intrinsics:
    """A COLMAP camera as core intrinsics; both put the first pixel's centre at (0.5, 0.5).

    Raises:
        IntrinsicsError: a model we cannot undistort, or impossible values.
    """
    known = _MODELS.get(model)
    if known is None:
        raise IntrinsicsError(
            f"The COLMAP camera model {model} is not supported.",
            hint=f"Use one of {', '.join(_MODELS)}, or undistort the photos first.",
        )
    expected = known.focals + 2 + known.coefficients
    if len(params) != expected:
        raise IntrinsicsError(
            f"A {model} camera has {len(params)} parameters; {expected} are expected."
        )
    fx_px, fy_px = params[0], params[known.focals - 1]
    cx_px, cy_px = params[known.focals : known.focals + 2]
    coefficients = tuple(params[known.focals + 2 :])
    try:
        pinhole = PinholeCamera(width_px, height_px, fx_px, fy_px, cx_px, cy_px)
        if not coefficients:
            return Intrinsics(pinhole)
        if model == "OPENCV_FISHEYE":
            return Intrinsics(pinhole, Distortion("fisheye", coefficients))
        if model in ("SIMPLE_DIVISION", "DIVISION"):
            return Intrinsics(pinhole, Distortion("division", coefficients))
        if model in ("SIMPLE_RADIAL", "RADIAL"):
            return Intrinsics(pinhole, Distortion("radial", coefficients))
        return Intrinsics(pinhole, Distortion("brown", coefficients))
    except ValueError as error:
        raise IntrinsicsError(f"A {model} camera has impossible values: {error}.") from error


def colmap_from_intrinsics(intrinsics: Intrinsics) -> tuple[str, list[float]]:
    """The smallest COLMAP model that holds these intrinsics exactly, and its parameters.

    Raises:
        IntrinsicsError: the lens has thin-prism terms, which COLMAP knows for fisheyes only.
    """
    camera, distortion = intrinsics.pinhole, intrinsics.distortion
    k = list(distortion.coefficients)
    centre = [camera.cx_px, camera.cy_px]
    both = [camera.fx_px, camera.fy_px, *centre]
    if distortion.model == "none":
        return "PINHOLE", both
    if distortion.model == "fisheye":
        return "OPENCV_FISHEYE", both + k
    if distortion.model == "division":
        if camera.fx_px == camera.fy_px:
            return "SIMPLE_DIVISION", [camera.fx_px, *centre, *k]
        return "DIVISION", both + k
    if any(k[8:]):
        raise IntrinsicsError(
            "Structure from motion knows no lens with thin-prism terms.",
            hint="Undistort the photos first (`recon3d undistort`), and use the K.json that it "
            "writes; or calibrate with another lens model.",
        )
    k = k[:8]
    if distortion.model == "radial":
        if camera.fx_px == camera.fy_px:
            return ("SIMPLE_RADIAL", "RADIAL")[len(k) - 1], [camera.fx_px, *centre, *k]
        return "OPENCV", both + k + [0.0] * (4 - len(k))
    if len(k) == 4:
        return "OPENCV", both + k
    return "FULL_OPENCV", both + k + [0.0] * (8 - len(k))


def read_colmap_intrinsics(path: Path) -> list[Intrinsics]:
    """The cameras of a cameras.txt or cameras.bin, in the order of their numbers.

    Raises:
        IntrinsicsError: the file is missing, damaged, or holds a model we cannot undistort.
    """
    cameras = _read_cameras(path)
    return [cameras[number] for number in sorted(cameras)]


def read_colmap_cameras(path: Path) -> dict[str, tuple[Intrinsics, Rigid]]:
    """Intrinsics and cam_from_world of every image of a COLMAP model, by image name.

    path is a model's folder, text or binary, or the project above it (`sparse/0`).

    Raises:
        PosesError: there is no model, or its images are damaged.
        IntrinsicsError: its cameras are damaged or of a model we cannot undistort.
    """
    folder, suffix = _find_model(path)
    cameras = _read_cameras(folder / f"cameras{suffix}")
    images = folder / f"images{suffix}"
    rows = _image_rows_binary(images) if suffix == ".bin" else _image_rows_text(images)
    posed: dict[str, tuple[Intrinsics, Rigid]] = {}
    try:
        for name, camera_number, quaternion, translation in rows:
            if camera_number not in cameras:
                raise ValueError(f"image {name} names camera {camera_number}, which is not there")
            pose = Rigid(_rotation(quaternion), np.array(translation, np.float64))
            if not np.isfinite(pose.translation).all():
                raise ValueError(f"image {name} has a position that is not finite")
            posed[name] = cameras[camera_number], pose
    except (ValueError, IndexError, struct.error, OSError) as error:
        raise PosesError(f"Cannot read the COLMAP images in {images}: {error}.") from error
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
            "<iiQQ4d", n + 1, _MODELS["PINHOLE"].code, c.width_px, c.height_px,
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


def _read_cameras(path: Path) -> Mapping[int, Intrinsics]:
    rows = _camera_rows_binary(path) if path.suffix == ".bin" else _camera_rows_text(path)
    try:
        cameras = {
            number: intrinsics_from_colmap(model, width_px, height_px, params)
            for number, model, width_px, height_px, params in rows
        }
    except (ValueError, IndexError, struct.error, OSError) as error:
        raise IntrinsicsError(f"Cannot read the COLMAP cameras in {path}: {error}.") from error
    if not cameras:
        raise IntrinsicsError(f"{path} holds no camera.")
    return cameras


def _camera_rows_text(path: Path) -> Iterator[tuple[int, str, int, int, list[float]]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words and not words[0].startswith("#"):
            yield int(words[0]), words[1], int(words[2]), int(words[3]), [*map(float, words[4:])]


def _camera_rows_binary(path: Path) -> Iterator[tuple[int, str, int, int, list[float]]]:
    content = path.read_bytes()
    (count,) = struct.unpack_from("<Q", content)
    at = 8
    for _ in range(count):
        number, code, width_px, height_px = struct.unpack_from("<iiQQ", content, at)
        at += 24
        if code not in _NAMES:
            raise IntrinsicsError(f"{path} holds a camera of model {code}, which is not supported.")
        model = _MODELS[_NAMES[code]]
        size = model.focals + 2 + model.coefficients
        params = struct.unpack_from(f"<{size}d", content, at)
        at += 8 * size
        yield number, _NAMES[code], width_px, height_px, list(params)


_ImageRow = tuple[str, int, Sequence[float], Sequence[float]]


def _image_rows_text(path: Path) -> Iterator[_ImageRow]:
    lines = iter(path.read_text(encoding="utf-8").splitlines())
    for line in lines:
        words = line.split(maxsplit=9)
        if not words or words[0].startswith("#"):
            continue
        numbers = [float(word) for word in words[1:8]]
        yield words[9].strip(), int(words[8]), numbers[:4], numbers[4:]
        next(lines, None)  # the image's 2D points, an empty line where it has none


def _image_rows_binary(path: Path) -> Iterator[_ImageRow]:
    content = path.read_bytes()
    (count,) = struct.unpack_from("<Q", content)
    at = 8
    for _ in range(count):
        _, *numbers, camera = struct.unpack_from("<I7dI", content, at)
        at += 64
        end = content.index(b"\0", at)
        name = content[at:end].decode("utf-8")
        (points,) = struct.unpack_from("<Q", content, end + 1)
        at = end + 9 + 24 * points
        yield name, camera, numbers[:4], numbers[4:]


def _rotation(wxyz: Sequence[float]) -> np.ndarray:
    norm = float(np.linalg.norm(wxyz))
    if not np.isfinite(norm) or norm < 1e-9:
        raise ValueError(f"the quaternion {tuple(wxyz)} is not a rotation")
    w, x, y, z = (value / norm for value in wxyz)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion_wxyz(rotation: np.ndarray) -> list[float]:
    """(w, x, y, z), w >= 0, from the largest of the four components (Shepperd 1978)."""
    r = rotation
    trace = np.trace(r)
    squares = np.array([trace, r[0, 0], r[1, 1], r[2, 2]])
    largest = int(np.argmax(squares))
    if largest == 0:
        q = np.array([1 + trace, r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]])
    else:
        i = largest - 1
        j, k = (i + 1) % 3, (i + 2) % 3
        q = np.empty(4)
        q[0] = r[k, j] - r[j, k]
        q[1 + i] = 1 + 2 * r[i, i] - trace
        q[1 + j] = r[j, i] + r[i, j]
        q[1 + k] = r[k, i] + r[i, k]
    q /= np.linalg.norm(q)
    return [float(value) for value in (q if q[0] >= 0 else -q)]
