"""KITTI: raw drives with the annotated depth of Uhrig et al., "Sparsity invariant CNNs", 2017.

Both downloads are unpacked anywhere below one folder:

    .../2011_09_26/calib_cam_to_cam.txt
    .../2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000005.png
    .../2011_09_26_drive_0001_sync/proj_depth/groundtruth/image_02/0000000005.png

Depth has 256 levels a metre. Frames are named drive/camera/number, such as
2011_09_26_drive_0001_sync/02/0000000005. Lists of Eigen's split are read as published by BTS and by
Monodepth; those in the top folder are parts by their names.
"""

from __future__ import annotations

import re
from pathlib import Path

from recon3d.core.camera import PinholeCamera
from recon3d.core.errors import InputError
from recon3d.depth.mono.datasets.files import frame_of, read_depth, read_rgb
from recon3d.depth.mono.frames import Frame, FrameSet
from recon3d.photos.documents import read_text

_LEVELS_PER_METRE = 256
_DEEPEST = 4
"""Folders between the one given and a drive's; a search through all files would take minutes."""
_PATH_IN_LIST = re.compile(r"(?P<drive>\w+_sync)/image_(?P<camera>0[23])/data/(?P<number>\d+)\.")
_WORDS_IN_LIST = re.compile(r"(?P<drive>\w+_sync)\s+(?P<number>\d+)(?:\s+(?P<side>[lr]))?")


def find_kitti(folder: Path) -> FrameSet | None:
    """All annotated frames whose photos are there; None where no depth lies in KITTI's folders.

    Raises:
        InputError: there is depth but no photo of it, or no calibration.
    """
    truths = _at_any_depth(folder, "*_sync/proj_depth/groundtruth/image_0[23]")
    if not truths:
        return None
    photos = {path.name: path for path in _at_any_depth(folder, "2011_*_*/2011_*_sync")}
    pairs: dict[str, tuple[Path, Path]] = {}
    for truth in truths:
        drive, camera = truth.parents[2].name, truth.name.removeprefix("image_")
        if drive not in photos:
            continue
        data = photos[drive] / truth.name / "data"
        there = {path.stem: path for path in data.glob("*.*")}
        for depth in truth.glob("*.png"):
            if depth.stem in there:
                pairs[f"{drive}/{camera}/{depth.stem}"] = (there[depth.stem], depth)
    if not pairs:
        raise InputError(
            f"{folder} holds KITTI's depth but not the photos that belong to it.",
            hint="Unpack the raw drives (2011_09_26_drive_..._sync.zip) below the same folder.",
        )
    names = tuple(sorted(pairs))
    cameras = {
        (day, camera): _read_calibration(day / "calib_cam_to_cam.txt", camera)
        for day, camera in {(p.parents[3], p.parents[1].name[-2:]) for p, _ in pairs.values()}
    }

    def read(position: int) -> Frame:
        photo, depth = pairs[names[position]]
        rgb = read_rgb(photo)
        intrinsics = cameras[photo.parents[3], photo.parents[1].name[-2:]]
        camera = PinholeCamera(rgb.shape[1], rgb.shape[0], *intrinsics)
        return frame_of(str(photo), rgb, read_depth(depth, _LEVELS_PER_METRE), camera)

    frames = FrameSet("kitti", names, read, name_in_list=name_in_list)
    return frames.with_lists(folder.glob("*.txt"))


def name_in_list(line: str) -> str:
    """The frame that a line of BTS's or Monodepth's lists names; empty if it names none."""
    if match := _PATH_IN_LIST.search(line):
        return f"{match['drive']}/{match['camera']}/{match['number']}"
    if match := _WORDS_IN_LIST.search(line):
        camera = "03" if match["side"] == "r" else "02"
        return f"{match['drive']}/{camera}/{int(match['number']):010d}"
    return ""


def _at_any_depth(folder: Path, pattern: str) -> list[Path]:
    return [
        path for level in range(_DEEPEST) for path in sorted(folder.glob("*/" * level + pattern))
    ]


def _read_calibration(path: Path, camera: str) -> tuple[float, float, float, float]:
    """fx, fy, cx, cy of a rectified camera."""
    for line in read_text(path, InputError).splitlines():
        key, _, values = line.partition(":")
        if key == f"P_rect_{camera}":
            try:
                p = [float(value) for value in values.split()]
            except ValueError:
                break
            if len(p) == 12 and p[0] > 0:
                # OpenCV puts the first pixel's centre at (0, 0).
                return p[0], p[5], p[2] + 0.5, p[6] + 0.5
    raise InputError(f"{path} does not hold the camera P_rect_{camera} of 12 numbers.")
