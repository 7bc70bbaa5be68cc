"""Which reader a file of poses belongs to; formats that nobody here reads are refused by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from recon3d.core.errors import PosesError
from recon3d.core.orientation import Size
from recon3d.sfm.pose_formats.matrices import ARRAY, LINES, OPEN3D_LOG, TEXT_PER_PHOTO
from recon3d.sfm.pose_formats.nerf import OURS, TRANSFORMS
from recon3d.sfm.pose_formats.phones import FRAMES, RECORD3D
from recon3d.sfm.pose_formats.photogrammetry import (
    BUNDLER,
    COLMAP,
    METASHAPE,
    REALITY_CAPTURE,
)
from recon3d.sfm.pose_formats.pose_file import PoseFile, PoseSource
from recon3d.sfm.pose_formats.trajectories import STRAY_SCANNER, TUM

FORMATS = (
    ARRAY, COLMAP, TRANSFORMS, STRAY_SCANNER, RECORD3D, BUNDLER, TEXT_PER_PHOTO, FRAMES, METASHAPE,
    OURS, REALITY_CAPTURE, OPEN3D_LOG, TUM, LINES,
)  # fmt: skip
"""The first that recognises a file reads it: the surest marks come first, binary before text."""

_HINT = (
    f"Known formats: {'; '.join(known.name for known in FORMATS)}. Text matrices are "
    "camera-to-world (docs/POSES.md)."
)
# The size of the solar system in metres; sums of squares of more lose their sense.
_FARTHEST = 1e12


@dataclass(frozen=True)
class _Foreign:
    """A format that is told, so that the message can name it and a way around."""

    name: str
    recognises: Callable[[PoseSource], bool]
    hint: str


_FOREIGN = (
    _Foreign(
        "EuRoC's table, whose poses are of the inertial sensor",
        lambda source: source.text.startswith("#timestamp") and "q_RS_w" in source.text[:400],
        "Write TUM's format, with the poses of the camera: evo_traj euroc FILE --save_as_tum.",
    ),
    _Foreign(
        "OpenMVG's sfm_data",
        lambda source: source.is_json and {"views", "extrinsics"} <= set(source.fields),
        "Export to COLMAP: openMVG_main_openMVG2Colmap.",
    ),
    _Foreign(
        "AliceVision's (Meshroom's)",
        lambda source: source.is_json and {"views", "intrinsics", "version"} <= set(source.fields),
        "Export with Meshroom's node ExportColmap.",
    ),
    _Foreign(
        "OpenSfM's",
        lambda source: source.text.lstrip().startswith("[") and '"shots"' in source.text,
        "Export to COLMAP: opensfm export_colmap, or give ODM's transforms.json.",
    ),
    _Foreign(
        "VisualSFM's .nvm",
        lambda source: source.text.startswith("NVM_V"),
        "Read it with COLMAP and give the folder of its model.",
    ),
    _Foreign(
        "ARKitScenes' .traj",
        lambda source: source.path.suffix == ".traj" or set(source.numbers_a_line) == {7},
        "Write TUM's format: time tx ty tz qx qy qz qw, camera to world.",
    ),
    _Foreign(
        "Pix4D's",
        lambda source: "calibrated_camera_parameters" in source.path.name
        or source.text.startswith("fileName imageWidth"),
        "Export cameras as Bundler or as transforms.json.",
    ),
    _Foreign(
        "MVSNet's",
        lambda source: source.text.lstrip().startswith("extrinsic"),
        "Give the COLMAP model that it was made from.",
    ),
    _Foreign(
        "ContextCapture's BlocksExchange",
        lambda source: "<BlocksExchange" in source.text[:400],
        "Export cameras from Metashape or RealityCapture as docs/POSES.md says.",
    ),
)  # fmt: skip

_FOREIGN_SUFFIXES = {
    ".r3d": ("an archive of Record3D", "It is a ZIP: unpack it and give its metadata.json."),
    ".npz": ("a bundle of numpy's arrays", "Save the N x 4 x 4 camera-to-world poses as .npy."),
    ".psx": ("a project of Metashape", "Export its cameras: File, Export, Export Cameras, XML."),
    ".psz": ("a project of Metashape", "Export its cameras: File, Export, Export Cameras, XML."),
    ".rcproj": (
        "a project of RealityCapture",
        "Export: Alignment, Export, Registration, Internal/External camera parameters.",
    ),
    ".bag": ("a recording of ROS", "Write its trajectory as TUM's: evo_traj bag --save_as_tum."),
    ".abc": ("Alembic", "Export cameras as transforms.json, Bundler or XML."),
    ".fbx": ("FBX", "Export cameras as transforms.json, Bundler or XML."),
}  # fmt: skip


def read_pose_file(path: Path, photo_ids: Sequence[str], usual_size: Size) -> PoseFile:
    """Read camera poses in any known format.

    Args:
        path: A file or a folder.
        photo_ids: Of a folder of files only those named like them are read; times and numbers in
            their names say which poses are theirs.
        usual_size: Width and height of photos for formats that may leave them out.

    Raises:
        PosesError: the file is unreadable, in no known format, or holds an impossible pose.
        IntrinsicsError: its cameras are impossible.
    """
    if not path.exists():
        raise PosesError(f"{path} does not exist.", hint="Check the spelling of the path.")
    source = PoseSource(path, photo_ids, usual_size)
    hint = _HINT
    try:
        _refuse_foreign(source)
        found = next((known for known in FORMATS if known.recognises(source)), None)
        if found is None:
            raise ValueError("it holds no poses in a known format")
        form = found.name
        hint = f"It was read as {form}; docs/POSES.md says how such poses are read."
        poses = found.read(source)
        _check(poses)
    except ValueError as error:
        raise PosesError(f"{path}: {error}.", hint=hint) from error
    return poses


def _refuse_foreign(source: PoseSource) -> None:
    suffix = source.path.suffix.lower()
    if source.path.is_dir() or suffix in (".npy", ".bin"):
        return
    if suffix in _FOREIGN_SUFFIXES:
        what, hint = _FOREIGN_SUFFIXES[suffix]
        raise PosesError(f"{source.path.name} is {what}, which recon3d does not read.", hint=hint)
    for foreign in _FOREIGN:
        if foreign.recognises(source):
            form = foreign.name
            raise PosesError(
                f"{source.path.name} is in a format that recon3d does not read: {form}.",
                hint=foreign.hint,
            )


def _check(poses: PoseFile) -> None:
    named = chain(poses.cam_from_world.items(), enumerate(poses.in_order, start=1))
    count = 0
    for name, pose in named:
        if pose is None:
            continue
        count += 1
        if not np.abs(pose.translation).max() < _FARTHEST:
            raise ValueError(f"the pose of {name} is at {pose.inverse().translation.tolist()}")
    if not count:
        raise ValueError("it holds no pose")
