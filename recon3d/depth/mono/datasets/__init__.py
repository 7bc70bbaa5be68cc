"""Folders of photos with depth in the layouts that the field's datasets come in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from recon3d.core.errors import InputError
from recon3d.depth.mono.datasets.kitti import find_kitti
from recon3d.depth.mono.datasets.nyu import find_nyu
from recon3d.depth.mono.datasets.plain import find_plain
from recon3d.depth.mono.datasets.scannet import find_scannet
from recon3d.depth.mono.datasets.synthetic import find_synthetic
from recon3d.depth.mono.datasets.tum import find_tum
from recon3d.depth.mono.frames import FrameSet, joined

Layout = Literal["auto", "nyu", "kitti", "tum", "scannet", "plain", "synthetic"]

# The most particular first: a ScanNet scene is a plain folder too.
_FINDERS: dict[str, Callable[[Path], FrameSet | None]] = {
    "nyu": find_nyu,
    "kitti": find_kitti,
    "tum": find_tum,
    "scannet": find_scannet,
    "plain": find_plain,
    "synthetic": find_synthetic,
}


def open_frames(data: Path, layout: Layout = "auto", split: str = "") -> FrameSet:
    """Find the frames of a folder, or of each of its folders where it is a folder of scenes.

    Args:
        data: The folder, or NYU's .mat file.
        layout: Of what dataset it is; "auto" looks.
        split: A part that the dataset names, or a text file that names a frame a line; empty: all.

    Raises:
        InputError: there is no such folder, it has no known layout, or its files are broken.
    """
    if not data.exists():
        raise InputError(f"{data} does not exist.", hint="Check the spelling of the path.")
    for name, find in _FINDERS.items():
        if layout in ("auto", name) and (frames := find(data) or _scenes(data, find)):
            return frames.part(split) if split else frames
    wanted = "photos with depth" if layout == "auto" else f"the layout {layout}"
    raise InputError(
        f"{data} holds no {wanted} that recon3d knows.",
        hint=f"Known layouts: {', '.join(get_args(Layout)[1:])}. The simplest: photos in rgb/, "
        "16-bit depth in millimetres in depth/, and K.json.",
    )


def _scenes(data: Path, find: Callable[[Path], FrameSet | None]) -> FrameSet | None:
    if not data.is_dir():
        return None
    folders = sorted(path for path in data.iterdir() if path.is_dir())
    found = [(folder.name, frames) for folder in folders if (frames := find(folder))]
    return joined(found) if found else None
