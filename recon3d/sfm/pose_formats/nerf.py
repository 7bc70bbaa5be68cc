"""Poses for radiance fields: transforms.json, LLFF's arrays, and our own JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from recon3d.core.camera import Distortion, Intrinsics
from recon3d.core.transform import Rigid
from recon3d.photos.camera_values import camera_of
from recon3d.photos.nerfstudio_cameras import has_camera, nerfstudio_camera, read_frames
from recon3d.sfm.pose_formats.pose_file import (
    PoseFile,
    PoseFormat,
    PoseSource,
    field_of,
    from_opengl,
    inverted,
    rigid,
)


def read_llff(rows: np.ndarray, path: Path) -> PoseFile:
    """Camera-to-world [down, right, backwards | centre | height, width, focal], then two depths."""
    poses, cameras = [], []
    for number, row in enumerate(rows, start=1):
        matrix = row[:15].reshape(3, 5) if row.ndim == 1 else row
        down, right, backwards, centre, (height, width, focal_px) = matrix.T
        world_from_cam = np.column_stack([right, down, -backwards, centre])
        poses.append(inverted(world_from_cam.ravel().tolist(), f"number {number}"))
        centre_px = (float(width) / 2, float(height) / 2)
        focal = (float(focal_px), float(focal_px))
        cameras.append(camera_of((float(width), float(height)), focal, centre_px, Distortion()))
    return PoseFile(in_order=tuple(poses), intrinsics_in_order=tuple(cameras), sources=(path,))


def _is_transforms(source: PoseSource) -> bool:
    if source.path.is_dir():
        return source.named("transforms.json")
    return source.is_json and isinstance(source.fields.get("frames"), list)


def _read_transforms(source: PoseSource) -> PoseFile:
    source = source.within("transforms.json")
    poses: dict[str, Rigid] = {}
    cameras: dict[str, Intrinsics] = {}
    if not isinstance(source.fields.get("frames"), list):
        raise ValueError("it has no list of frames")
    for name, fields in read_frames(source.fields):
        if name in poses:
            raise ValueError(f"{name} has two poses")
        poses[name] = from_opengl(rigid(field_of(fields, "transform_matrix", name), name))
        if has_camera(fields):
            cameras[name] = nerfstudio_camera(fields, source.usual_size)
    return PoseFile(poses, intrinsics=cameras, sources=(source.path,))


def _is_ours(source: PoseSource) -> bool:
    if not source.is_json:
        return False
    named = source.fields.get("poses", dict(source.fields))
    return isinstance(named, Mapping) and any(
        isinstance(one, Mapping) and ("cam_from_world" in one or "world_from_cam" in one)
        for one in named.values()
    )


def _read_ours(source: PoseSource) -> PoseFile:
    content = source.fields
    unit = content.get("unit")
    if unit not in (None, "scene", "metre"):
        raise ValueError(f"unit is {str(unit)[:40]}, not scene or metre")
    named = content.child("poses") if "poses" in content else content
    poses = {}
    for name in named:
        if isinstance(named[name], Mapping):
            fields = named.child(name)
            if "cam_from_world" in fields:
                poses[name] = rigid(field_of(fields, "cam_from_world", name), name)
            else:
                poses[name] = inverted(field_of(fields, "world_from_cam", name), name)
    return PoseFile(poses, unit=unit, sources=(source.path,))


TRANSFORMS = PoseFormat("transforms.json", _is_transforms, _read_transforms)
OURS = PoseFormat("recon3d's JSON (docs/POSES.md)", _is_ours, _read_ours)
