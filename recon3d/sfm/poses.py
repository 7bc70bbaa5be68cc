"""Pose files of many programs -> cam_from_world, x right, y down, z forward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from recon3d.core.camera import Intrinsics
from recon3d.core.errors import PosesError
from recon3d.core.scene import Unit
from recon3d.core.transform import Rigid
from recon3d.photos.documents import Document, read_document, read_text
from recon3d.photos.intrinsics import Size, nerfstudio_camera
from recon3d.photos.naming import match_by_name, split_role
from recon3d.sfm.colmap_model import read_colmap_cameras

_FORMATS = (
    "Known formats: a COLMAP model's folder, nerfstudio transforms.json, recon3d's JSON "
    "(docs/POSES.md), a folder with one 4x4 text file per photo, or one text file with a 4x4 "
    "matrix per line. Text matrices are camera-to-world."
)
# OpenGL's camera looks along -z with y up.
_GL_FROM_CV = Rigid(np.diag([1.0, -1.0, -1.0]), np.zeros(3))


@dataclass(frozen=True, eq=False)
class PoseFile:
    """What a file or folder says of the photos' places."""

    cam_from_world: Mapping[str, Rigid] = field(default_factory=dict)
    """By name of the photo, as the file writes it."""
    in_order: tuple[Rigid, ...] = ()
    """cam_from_world of the photos in sorted order, from a file without names."""
    intrinsics: Mapping[str, Intrinsics] = field(default_factory=dict)
    """By the same names, where the format carries cameras."""
    unit: Unit | None = None
    """None where the file does not say."""
    sources: tuple[Path, ...] = ()
    """Every file that was read."""


def read_pose_file(path: Path, photo_ids: Sequence[str], usual_size: Size) -> PoseFile:
    """Read camera poses in any known format.

    Args:
        path: A file or a folder.
        photo_ids: Of a folder of text files only those named like them are read.
        usual_size: Width and height of photos for formats that may leave them out.

    Raises:
        PosesError: the file is unreadable, in no known format, or holds an impossible pose.
        IntrinsicsError: its cameras are impossible.
    """
    if not path.exists():
        raise PosesError(f"{path} does not exist.", hint="Check the spelling of the path.")
    try:
        if path.is_dir():
            return _read_folder(path, photo_ids, usual_size)
        if path.stem in ("images", "cameras") and path.suffix in (".txt", ".bin"):
            return _read_colmap(path.parent)
        if path.suffix.lower() == ".json":
            return _read_json(path, usual_size)
        return _read_lines(path)
    except ValueError as error:
        raise PosesError(f"{path}: {error}.", hint=_FORMATS) from error


def _read_folder(folder: Path, photo_ids: Sequence[str], usual_size: Size) -> PoseFile:
    if (folder / "transforms.json").is_file():
        return _read_json(folder / "transforms.json", usual_size)
    texts = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*.txt"))}
    poses = {name: path for name, path in texts.items() if split_role(name)[1] == "pose"}
    found = match_by_name(photo_ids, poses or texts)
    if not found:
        return _read_colmap(folder)
    read = {photo_id: _read_frame(texts[name]) for photo_id, name in found.items()}
    placed = {photo_id: pose for photo_id, pose in read.items() if pose}
    if not placed:
        raise ValueError("every pose in it is marked as lost")
    return PoseFile(placed, sources=tuple(texts[name] for name in found.values()))


def _read_frame(path: Path) -> Rigid | None:
    """cam_from_world of a camera-to-world text file; None for a lost frame (-inf or nan)."""
    numbers = _numbers(read_text(path, PosesError))
    if len(numbers) not in (12, 16):
        raise ValueError(f"{path.name} has {len(numbers)} numbers, not 16")
    if not np.isfinite(numbers).all():
        return None
    return _inverted(numbers, path.name)


def _read_lines(path: Path) -> PoseFile:
    lines = [line for line in map(_numbers, read_text(path, PosesError).splitlines()) if line]
    numbers = [number for line in lines for number in line]
    # KITTI writes 12 numbers a line, without the last row; others a 4x4 block of four lines.
    per_pose = 12 if lines and len(lines[0]) == 12 else 16
    if not numbers or len(numbers) % per_pose:
        raise ValueError(f"it has {len(numbers)} numbers; a 4x4 matrix per photo is expected")
    poses = (
        _inverted(list(row), f"number {index + 1}")
        for index, row in enumerate(np.reshape(numbers, (-1, per_pose)))
    )
    return PoseFile(in_order=tuple(poses), sources=(path,))


def _read_json(path: Path, usual_size: Size) -> PoseFile:
    content = read_document(path, PosesError)
    if isinstance(frames := content.get("frames"), list):
        return _read_transforms(content, frames, usual_size, path)
    unit = content.get("unit")
    if unit not in (None, "scene", "metre"):
        raise ValueError(f"unit is {unit}, not scene or metre")
    named = content.child("poses") if "poses" in content else content
    poses = {}
    for name in named:
        if isinstance(named[name], Mapping):
            fields = named.child(name)
            if "cam_from_world" in fields:
                poses[name] = _rigid(_field(fields, "cam_from_world", name), name)
            else:
                poses[name] = _inverted(_field(fields, "world_from_cam", name), name)
    return PoseFile(poses, unit=unit, sources=(path,))


def _read_transforms(
    content: Document, frames: Sequence[object], usual_size: Size, path: Path
) -> PoseFile:
    poses, cameras = {}, {}
    for number, frame in enumerate(frames):
        if not isinstance(frame, Mapping) or not isinstance(frame.get("file_path"), str):
            raise ValueError(f"frame {number + 1} has no file_path")
        name = frame["file_path"].replace("\\", "/").removeprefix("./")
        fields = Document({**content, **frame})
        world_from_gl = _rigid(_field(fields, "transform_matrix", name), name)
        poses[name] = (world_from_gl @ _GL_FROM_CV).inverse()
        if "fl_x" in fields or "camera_angle_x" in fields:
            cameras[name] = nerfstudio_camera(fields, usual_size)
    return PoseFile(poses, intrinsics=cameras, sources=(path,))


def _read_colmap(folder: Path) -> PoseFile:
    posed = read_colmap_cameras(folder)
    sources = sorted(
        path
        for stem in ("cameras", "images")
        for place in (folder, folder / "sparse", folder / "sparse" / "0")
        for path in place.glob(f"{stem}.*")
    )
    return PoseFile(
        {name: pose for name, (_, pose) in posed.items()},
        intrinsics={name: intrinsics for name, (intrinsics, _) in posed.items()},
        sources=tuple(sources),
    )


def _numbers(text: str) -> list[float]:
    lines = (line.partition("#")[0].replace(",", " ") for line in text.splitlines())
    return [float(word) for line in lines for word in line.split()]


def _field(fields: Document, key: str, name: str) -> list[float]:
    try:
        return fields.numbers(key)
    except ValueError as error:
        raise ValueError(f"the pose of {name}: {error}") from error


def _inverted(world_from_cam: Sequence[float], name: str) -> Rigid:
    return _rigid(world_from_cam, name).inverse()


def _rigid(numbers: Sequence[float], name: str) -> Rigid:
    if len(numbers) not in (12, 16):
        raise ValueError(f"the pose of {name} has {len(numbers)} numbers, not 16")
    try:
        return Rigid.from_matrix(np.reshape(numbers, (-1, 4)))
    except ValueError as error:
        raise ValueError(f"the pose of {name}: {error}") from error
