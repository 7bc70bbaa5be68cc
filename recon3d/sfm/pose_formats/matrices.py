"""Poses as bare matrices: a text per photo, a line or block per photo (KITTI), Open3D's .log."""

from __future__ import annotations

import numpy as np

from recon3d.core.errors import PosesError
from recon3d.core.transform import Rigid
from recon3d.photos.documents import read_array, read_text
from recon3d.photos.naming import match_by_name, split_role
from recon3d.sfm.pose_formats.pose_file import (
    PoseFile,
    PoseFormat,
    PoseSource,
    inverted,
    numbers_of,
)


def _is_folder_of_texts(source: PoseSource) -> bool:
    return source.path.is_dir() and bool(_texts(source))


def _texts(source: PoseSource) -> dict[str, str]:
    """The text file of each photo that has one."""
    texts = [p.relative_to(source.path).as_posix() for p in sorted(source.path.rglob("*.txt"))]
    poses = [name for name in texts if split_role(name)[1] == "pose"]
    return match_by_name(source.photo_ids, poses or texts)


def _read_folder(source: PoseSource) -> PoseFile:
    files = {photo_id: source.path / name for photo_id, name in _texts(source).items()}
    placed = {}
    for photo_id, path in files.items():
        numbers = numbers_of(read_text(path, PosesError))
        # Depth cameras mark frames that they lost with -inf or nan.
        if len(numbers) not in (12, 16) or np.isfinite(numbers).all():
            placed[photo_id] = inverted(numbers, path.name)
    if not placed:
        raise ValueError("every pose in it is marked as lost")
    return PoseFile(placed, sources=tuple(files.values()))


def _is_log(source: PoseSource) -> bool:
    """Open3D's and Tanks and Temples' trajectories: three whole numbers, then a 4x4 block."""
    return source.numbers_a_line[:5] == [3, 4, 4, 4, 4]


def _read_log(source: PoseSource) -> PoseFile:
    numbers = numbers_of(source.text)
    if len(numbers) % 19:
        raise ValueError(
            f"it has {len(numbers)} numbers; 3 and a 4x4 matrix per photo are expected"
        )
    blocks = np.reshape(numbers, (-1, 19))
    order = np.argsort(blocks[:, 0], kind="stable")
    return PoseFile(
        in_order=tuple(inverted(row[3:], f"number {row[0]:g}") for row in blocks[order].tolist()),
        sources=(source.path,),
    )


def _are_lines(source: PoseSource) -> bool:
    return set(source.numbers_a_line) in ({4}, {12}, {16})


def _read_lines(source: PoseSource) -> PoseFile:
    # KITTI writes 12 numbers a line, without the last row; others a 4x4 block of four lines.
    per_pose = 12 if source.numbers_a_line[0] == 12 else 16
    numbers = numbers_of(source.text)
    if len(numbers) % per_pose:
        raise ValueError(f"it has {len(numbers)} numbers; a 4x4 matrix per photo is expected")
    return PoseFile(
        in_order=_each_inverted(np.reshape(numbers, (-1, per_pose))), sources=(source.path,)
    )


def _is_array(source: PoseSource) -> bool:
    return source.path.suffix.lower() == ".npy" or source.named("poses_bounds.npy")


def _read_array(source: PoseSource) -> PoseFile:
    """LLFF's poses_bounds.npy, or plain camera-to-world matrices."""
    from recon3d.sfm.pose_formats.nerf import read_llff

    path = source.within("poses_bounds.npy").path
    poses = read_array(path)
    if poses.dtype.kind not in "fiu" or poses.ndim < 2 or not 0 < len(poses) < 1_000_000:
        raise ValueError(f"it is an array of {poses.dtype} with the shape {poses.shape}")
    found = poses.shape[1:]
    if found in ((17,), (3, 5)):
        return read_llff(np.array(poses, np.float64), path)
    if found in ((16,), (12,), (4, 4), (3, 4)):
        rows = np.array(poses, np.float64).reshape(len(poses), -1)
        return PoseFile(in_order=_each_inverted(rows), sources=(path,))
    raise ValueError(f"its shape is {poses.shape}, not N x 17 (LLFF) or N x 4 x 4")


def _each_inverted(rows: np.ndarray) -> tuple[Rigid | None, ...]:
    return tuple(
        inverted(row.tolist(), f"number {number}") if np.isfinite(row).all() else None
        for number, row in enumerate(rows, start=1)
    )


TEXT_PER_PHOTO = PoseFormat(
    "a folder with a 4x4 text per photo, named like it", _is_folder_of_texts, _read_folder
)
OPEN3D_LOG = PoseFormat("Open3D's trajectory .log", _is_log, _read_log)
LINES = PoseFormat("a text with a 4x4 or KITTI's 3x4 matrix a line", _are_lines, _read_lines)
ARRAY = PoseFormat("LLFF's poses_bounds.npy or another N x 4 x 4 .npy", _is_array, _read_array)
