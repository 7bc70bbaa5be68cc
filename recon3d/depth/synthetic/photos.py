"""Photos that lend their texture to synthetic surfaces."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from recon3d.photos.pictures import read_upright

_FREE_SETS = ("chair", "banana", "mary_rose", "village_aerial")
"""CC BY and MIT; weights may not learn from the other sets."""
_LONGEST_PX = 1024
_PHOTOS_PER_SET = 6


def load_textures(folder: Path) -> list[Tensor]:
    """Photos (3, h, w) uint8 RGB of the freely licensed sets in a folder of photo sets.

    At most 1024 px large, a few spread over each set; empty where none of the sets is there.
    """
    photos = []
    for name in _FREE_SETS:
        files = sorted(
            file
            for file in (folder / name).rglob("*")
            if file.suffix.lower() in {".jpg", ".jpeg", ".png"} and "mask" not in str(file).lower()
        )
        step = max(1, len(files) // _PHOTOS_PER_SET)
        photos += [_load(file) for file in files[::step][:_PHOTOS_PER_SET]]
    return photos


def _load(file: Path) -> Tensor:
    import cv2

    rgb = read_upright(file)
    scale = min(1.0, _LONGEST_PX / max(rgb.shape[:2]))
    rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return torch.from_numpy(rgb).permute(2, 0, 1).contiguous()
