"""Poses that photogrammetry programs export: COLMAP, Metashape, RealityCapture, Bundler."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from recon3d.core.camera import Distortion, Intrinsics
from recon3d.core.errors import PosesError
from recon3d.core.transform import Rigid, Similarity
from recon3d.photos.camera_values import brown_lens, camera_of
from recon3d.photos.documents import parse_xml, read_text, to_number
from recon3d.photos.metashape_cameras import metashape_sensors
from recon3d.sfm.colmap_model import read_colmap_cameras
from recon3d.sfm.pose_formats.pose_file import (
    PoseFile,
    PoseFormat,
    PoseSource,
    from_opengl,
    numbers_of,
    rigid,
    to_opencv,
)

_CSV_ANGLES = (("heading", "yaw"), ("pitch",), ("roll",))
_CSV_LENS = (("f", "f_35mm"), ("px", "px_norm"), ("py", "py_norm"))
# RealityCapture counts focal lengths as on film of this width.
_FILM_MM = 36.0


def _is_colmap(source: PoseSource) -> bool:
    path = source.path
    if path.is_file():
        return path.stem in ("images", "cameras") and path.suffix in (".txt", ".bin")
    names = ("images.txt", "images.bin")
    return any((place / name).is_file() for place in _places(path) for name in names)


def _places(folder: Path) -> tuple[Path, ...]:
    return (folder, folder / "sparse", folder / "sparse" / "0")


def _read_colmap(source: PoseSource) -> PoseFile:
    folder = source.path if source.path.is_dir() else source.path.parent
    posed = read_colmap_cameras(folder)
    files = (
        p for stem in ("cameras", "images") for d in _places(folder) for p in d.glob(f"{stem}.*")
    )
    return PoseFile(
        {name: pose for name, (_, pose) in posed.items()},
        intrinsics={name: intrinsics for name, (intrinsics, _) in posed.items()},
        sources=tuple(sorted(files)),
    )


def _is_metashape(source: PoseSource) -> bool:
    return source.path.is_file() and source.text.lstrip().startswith("<")


def _read_metashape(source: PoseSource) -> PoseFile:
    """Camera to chunk, axes as ours, and from the chunk to metres where its scale is known."""
    root = parse_xml(source.text)
    sensors = metashape_sensors(root)
    moves = {element.get("id"): _chunk_move(element) for element in root.iter("component")}
    whole = next(root.iter("chunk"), root)
    default = _chunk_move(whole)
    poses: dict[str, Rigid] = {}
    cameras: dict[str, Intrinsics] = {}
    metric = True
    for camera in root.iter("camera"):
        name, text = camera.get("label", ""), camera.findtext("transform")
        if text is None:  # it was not aligned
            continue
        numbers = [to_number(word, f"the pose of {name}") for word in text.split()]
        move = moves.get(camera.get("component_id")) or default
        metric &= move is not None
        cam_from_chunk = rigid(numbers, name).inverse()
        poses[name] = move.move_camera(cam_from_chunk) if move else cam_from_chunk
        if camera.get("sensor_id", "") in sensors:
            cameras[name] = sensors[camera.get("sensor_id", "")]
    if not poses:
        raise ValueError("no camera in it is aligned, or it is not Metashape's")
    return PoseFile(
        poses, intrinsics=cameras, unit="metre" if metric else None, sources=(source.path,)
    )


def _chunk_move(element: Element) -> Similarity | None:
    """None where nothing told the program how large its chunk is."""
    move = element.find("transform")
    if move is None or move.find("scale") is None:
        return None
    rotation, translation, scale = (
        [to_number(word, name) for word in (move.findtext(name) or "").split()]
        for name in ("rotation", "translation", "scale")
    )
    if (len(rotation), len(translation), len(scale)) != (9, 3, 1) or scale[0] <= 0:
        raise ValueError("the transform of its chunk is damaged")
    matrix = np.column_stack([np.reshape(rotation, (3, 3)), translation])
    turned = rigid(matrix.ravel().tolist(), "its chunk")
    return Similarity(scale[0], turned.rotation, turned.translation)


def _is_reality_capture(source: PoseSource) -> bool:
    head = source.text.partition("\n")[0] if source.path.is_file() else ""
    names = {name.strip().lstrip("#") for name in head.split(",")}
    return {"name", "x", "y", "alt", "pitch", "roll"} <= names


def _read_reality_capture(source: PoseSource) -> PoseFile:
    """Internal/External camera parameters: position, heading, pitch and roll, OpenGL's axes."""
    poses, cameras = {}, {}
    for row in csv.DictReader(io.StringIO(source.text), skipinitialspace=True):
        fields = {str(key).strip().lstrip("#"): value for key, value in row.items()}
        name = str(fields["name"])
        heading, pitch, roll = (np.radians(_column(fields, *names)) for names in _CSV_ANGLES)
        turn = _about("z", -heading) @ _about("x", pitch) @ _about("y", roll)
        centre = np.array([_column(fields, axis) for axis in ("x", "y", "alt")])
        poses[name] = from_opengl(Rigid(turn, centre))
        if not fields.keys().isdisjoint(_CSV_LENS[0]):
            cameras[name] = _film_camera(fields, source)
    return PoseFile(poses, intrinsics=cameras, sources=(source.path,))


def _film_camera(fields: Mapping[str, str], source: PoseSource) -> Intrinsics:
    """It says no size: lengths are shares of the photo's longer side."""
    width, height = source.usual_size
    longest = max(width, height)
    focal, px, py = (_column(fields, *names) for names in _CSV_LENS)
    k1, k2, k3, k4, t1, t2 = (_column(fields, k) for k in ("k1", "k2", "k3", "k4", "t1", "t2"))
    if k4:
        raise ValueError("its lens has k4; align with Brown3, or export undistorted photos")
    focal_px = focal * longest / _FILM_MM
    centre = (px * longest + width / 2, py * longest + height / 2)
    # Its tangential terms come the other way round than OpenCV's.
    lens = brown_lens([k1, k2, t2, t1, k3])
    return camera_of((width, height), (focal_px, focal_px), centre, lens)


def _column(fields: Mapping[str, str], *names: str) -> float:
    return to_number(next((fields[n] for n in names if n in fields), None), names[0])


def _about(axis: str, angle: float) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    turn = np.eye(3)
    turn[first, first] = turn[second, second] = cosine
    turn[first, second], turn[second, first] = -sine, sine
    return turn


def _is_bundler(source: PoseSource) -> bool:
    if source.path.is_dir():
        return source.named("bundle.out")
    return source.text.startswith("# Bundle file")


def _read_bundler(source: PoseSource) -> PoseFile:
    """Focal length and two radial terms, rotation and translation to OpenGL's camera."""
    source = source.within("bundle.out")
    numbers = numbers_of(source.text)
    count = int(numbers[0]) if numbers and 0 < numbers[0] < 1e6 else 0
    if count == 0 or len(numbers) < 2 + 15 * count:
        raise ValueError("it is cut off, or holds no camera")
    names = _bundler_names(source.path, count)
    poses: list[Rigid | None] = []
    cameras = []
    for number, row in enumerate(np.reshape(numbers[2 : 2 + 15 * count], (-1, 15)).tolist()):
        focal_px, k1, k2, *motion = row
        matrix = np.column_stack([np.reshape(motion[:9], (3, 3)), motion[9:]])
        name = names[number] if names else f"number {number + 1}"
        # A focal length of 0 marks a photo that was not aligned.
        poses.append(to_opencv(rigid(matrix.ravel().tolist(), name)) if focal_px else None)
        lens = Distortion("radial", (k1, k2)) if k1 or k2 else Distortion()
        width, height = source.usual_size
        focal = (focal_px, focal_px) if focal_px else (float(width), float(width))
        cameras.append(camera_of((width, height), focal, (width / 2, height / 2), lens))
    if not names:
        return PoseFile(
            in_order=tuple(poses), intrinsics_in_order=tuple(cameras), sources=(source.path,)
        )
    return PoseFile(
        {name: pose for name, pose in zip(names, poses, strict=True) if pose},
        intrinsics=dict(zip(names, cameras, strict=True)),
        sources=(source.path, source.path.with_name("list.txt")),
    )


def _bundler_names(path: Path, count: int) -> list[str]:
    """From list.txt beside it, one photo a line; empty without."""
    listed = path.with_name("list.txt")
    if not listed.is_file():
        return []
    lines = read_text(listed, PosesError).splitlines()
    names = [line.split()[0] for line in lines if line.strip()]
    if len(names) != count:
        raise ValueError(f"list.txt names {len(names)} photos, and it holds {count} cameras")
    return names


COLMAP = PoseFormat("a COLMAP model's folder", _is_colmap, _read_colmap)
METASHAPE = PoseFormat("Metashape's cameras XML", _is_metashape, _read_metashape)
REALITY_CAPTURE = PoseFormat(
    "RealityCapture's Internal/External camera parameters (CSV)",
    _is_reality_capture,
    _read_reality_capture,
)
BUNDLER = PoseFormat("Bundler's bundle.out, with list.txt beside it", _is_bundler, _read_bundler)
