"""Poses as positions and quaternions along a way: TUM's text, Stray Scanner's table."""

from __future__ import annotations

import csv
import io
import re
from bisect import bisect
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from recon3d.core.transform import Rigid, rotation_from_quaternion
from recon3d.photos.documents import to_number
from recon3d.sfm.pose_formats.pose_file import (
    PoseFile,
    PoseFormat,
    PoseSource,
    by_number,
    numbers_of,
)

# What TUM's own tools allow between the clocks of camera and poses.
_NEAREST_S = 0.02


def pose_along(position: Sequence[float], xyzw: Sequence[float], name: str) -> Rigid:
    """Camera-to-world of a position and a quaternion whose real part comes last.

    Raises:
        ValueError: the quaternion is no rotation.
    """
    try:
        rotation = rotation_from_quaternion([xyzw[3], *xyzw[:3]])
    except ValueError as error:
        raise ValueError(f"the pose of {name}: {error}") from error
    return Rigid(rotation, np.array(position, np.float64))


def _is_tum(source: PoseSource) -> bool:
    return set(source.numbers_a_line) == {8}


def _read_tum(source: PoseSource) -> PoseFile:
    """Time, position and quaternion, camera to world; photos are named by their times."""
    numbers = numbers_of(source.text)
    if len(numbers) % 8:
        raise ValueError(f"it has {len(numbers)} numbers; time tx ty tz qx qy qz qw are expected")
    rows = sorted(np.reshape(numbers, (-1, 8)).tolist())
    poses = [pose_along(row[1:4], row[4:], f"the time {row[0]:.6f}").inverse() for row in rows]
    named = _nearest_in_time(source.photo_ids, [row[0] for row in rows], poses)
    if named:
        return PoseFile(named, unit="metre", sources=(source.path,))
    return PoseFile(in_order=tuple(poses), unit="metre", sources=(source.path,))


def _nearest_in_time(
    photo_ids: Sequence[str], times: Sequence[float], poses: Sequence[Rigid]
) -> dict[str, Rigid]:
    """Empty where the photos are not named by times."""
    found = {}
    for photo_id in photo_ids:
        named = re.match(r"\d+(\.\d+)?", PurePosixPath(photo_id).name)
        if not named:
            continue
        time = float(named[0].rstrip("."))
        at = bisect(times, time)
        apart = {abs(times[near] - time): near for near in (at - 1, at) if 0 <= near < len(times)}
        if apart and min(apart) <= _NEAREST_S:
            found[photo_id] = poses[apart[min(apart)]]
    return found


def _is_stray(source: PoseSource) -> bool:
    if source.path.is_dir():
        return source.named("odometry.csv")
    head = source.text.partition("\n")[0] if source.path.is_file() else ""
    return {"timestamp", "frame", "x", "qw"} <= {name.strip() for name in head.split(",")}


def _read_stray(source: PoseSource) -> PoseFile:
    """Camera to world, axes as ours, by the number of the video's frame."""
    source = source.within("odometry.csv")
    poses = {}
    for row in csv.DictReader(io.StringIO(source.text), skipinitialspace=True):
        frame, *values = (
            to_number(row.get(name), name)
            for name in ("frame", "x", "y", "z", "qx", "qy", "qz", "qw")
        )
        poses[int(frame)] = pose_along(values[:3], values[3:], f"frame {frame:g}").inverse()
    return PoseFile(
        by_number(source.photo_ids, poses),
        tuple(poses[frame] for frame in sorted(poses)),
        unit="metre",
        sources=(source.path,),
    )


TUM = PoseFormat("TUM's trajectories (time tx ty tz qx qy qz qw)", _is_tum, _read_tum)
STRAY_SCANNER = PoseFormat("Stray Scanner's odometry.csv", _is_stray, _read_stray)
