"""Exports of phone apps that stand on ARKit: Polycam, 3D Scanner App, Record3D.

ARKit's poses are camera-to-world with OpenGL's axes, in metres, for the photos as stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from recon3d.core.camera import Distortion, Intrinsics
from recon3d.core.errors import PosesError
from recon3d.core.orientation import Size
from recon3d.core.transform import Rigid
from recon3d.photos.camera_values import (
    FROM_CORNER,
    camera_of,
    camera_of_matrix,
    unsized_size,
)
from recon3d.photos.documents import Document, read_document
from recon3d.photos.naming import match_by_name
from recon3d.sfm.pose_formats.pose_file import (
    PoseFile,
    PoseFormat,
    PoseSource,
    by_number,
    field_of,
    from_opengl,
    rigid,
)
from recon3d.sfm.pose_formats.trajectories import pose_along

_POLYCAM_KEYS = tuple(f"t_{row}{column}" for row in range(3) for column in range(4))
_ARKIT_KEY = "cameraPoseARFrame"


def _is_folder_of_frames(source: PoseSource) -> bool:
    return source.path.is_dir() and bool(_frame_files(source))


def _frame_files(source: PoseSource) -> dict[str, Path]:
    """The JSON of each photo that has one; Polycam's corrected ones outrank those of ARKit."""
    files = {p.relative_to(source.path).as_posix(): p for p in sorted(source.path.rglob("*.json"))}
    corrected = {name: path for name, path in files.items() if "corrected_cameras" in path.parts}
    names = match_by_name(source.photo_ids, corrected or files)
    return {photo_id: files[name] for photo_id, name in names.items()}


def _read_frames(source: PoseSource) -> PoseFile:
    poses, cameras, files = {}, {}, _frame_files(source)
    for photo_id, path in files.items():
        fields = read_document(path, PosesError)
        if _ARKIT_KEY in fields:
            matrix = field_of(fields, _ARKIT_KEY, photo_id)
            cameras[photo_id] = _arkit_camera(fields, source.usual_size)
        elif all(key in fields for key in _POLYCAM_KEYS):
            matrix = [fields.number(key) for key in _POLYCAM_KEYS]
            cameras[photo_id] = _polycam_camera(fields)
        else:
            raise ValueError(
                f"{path.name} has neither t_00 to t_23 (Polycam) nor {_ARKIT_KEY} (3D Scanner App)"
            )
        poses[photo_id] = from_opengl(rigid(matrix, photo_id))
    return PoseFile(poses, intrinsics=cameras, unit="metre", sources=tuple(files.values()))


def _polycam_camera(fields: Document) -> Intrinsics:
    return camera_of(
        (fields.number("width"), fields.number("height")),
        (fields.number("fx"), fields.number("fy")),
        (fields.number("cx"), fields.number("cy")),
        Distortion(),
    )


def _arkit_camera(fields: Document, usual_size: Size) -> Intrinsics:
    matrix = fields.numbers("intrinsics")
    return camera_of_matrix(matrix, unsized_size(matrix, usual_size), FROM_CORNER, Distortion())


def _is_record3d(source: PoseSource) -> bool:
    if source.path.is_dir():
        return source.named("metadata.json")
    return source.is_json and {"poses", "K"} <= set(source.fields)


def _read_record3d(source: PoseSource) -> PoseFile:
    """Quaternions and positions by the number of the frame, and one camera."""
    source = source.within("metadata.json")
    rows = source.fields.get("poses")
    if not isinstance(rows, list) or not rows:
        raise ValueError("it has no list of poses")
    poses: dict[int, Rigid] = {}
    for number, row in enumerate(rows):
        values = field_of(Document({"pose": row}), "pose", f"frame {number}")
        if len(values) != 7:
            raise ValueError(f"the pose of frame {number} has {len(values)} numbers, not 7")
        poses[number] = from_opengl(pose_along(values[4:], values[:4], f"frame {number}"))
    named = by_number(source.photo_ids, poses)
    camera = _record3d_camera(source.fields)
    cameras: Mapping[str, Intrinsics] = dict.fromkeys(named, camera) if camera else {}
    return PoseFile(
        named,
        tuple(poses.values()),
        cameras,
        (camera,) * len(poses) if camera else (),
        unit="metre",
        sources=(source.path,),
    )


def _record3d_camera(fields: Document) -> Intrinsics | None:
    m = fields.numbers("K")
    if len(m) != 9 or "w" not in fields:
        return None
    # Column by column.
    by_row = [*m[0::3], *m[1::3], *m[2::3]]
    return camera_of_matrix(
        by_row, (fields.number("w"), fields.number("h")), FROM_CORNER, Distortion()
    )


FRAMES = PoseFormat(
    "Polycam's or 3D Scanner App's JSON per photo", _is_folder_of_frames, _read_frames
)
RECORD3D = PoseFormat("Record3D's metadata.json", _is_record3d, _read_record3d)
