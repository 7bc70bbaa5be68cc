"""Smaller copies of photos, as image pyramids (images, images_2, images_4) keep them.

They show nothing that the originals do not, cost time, and pull poses towards their coarse pixels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32

from recon3d.photos.pictures import read_preview

Size = tuple[int, int]
Look = Float32[np.ndarray, "h w"]

_LOOK_PX = 32
_SAME_SHAPE = 0.02
_SMALLER = 0.9
# Mean difference of grey levels at _LOOK_PX. Copies down to 80 pixels, resampled by any program
# and compressed anew, differ by up to 3.7 in ten real sets (median 0.5).
_SAME_LEVELS = 4.0
# The next best photo must look clearly less alike: neighbours in the densest of these sets differ
# by 2.9 only.
_CLEARLY = 0.6
# A level of a pyramid has copies only; in a set of several sizes a lone resemblance is chance.
_MOST = 0.5


@dataclass(frozen=True)
class Shown:
    """A picture on the disk, of the size that its photo had."""

    path: Path
    size: Size


def smaller_copies(pictures: Mapping[str, Shown]) -> dict[str, str]:
    """The id of the larger photo by that of each smaller copy.

    Copies are found by what they show, because pyramids name them anew (image000.png). In a set of
    one size nothing is read.
    """
    levels: dict[Size, list[str]] = defaultdict(list)
    for photo_id, shown in pictures.items():
        levels[shown.size].append(photo_id)
    looks: dict[str, Look] = {}

    def look(photo_id: str) -> Look:
        if photo_id not in looks:
            looks[photo_id] = _look(pictures[photo_id].path)
        return looks[photo_id]

    copies: dict[str, str] = {}
    for size in sorted(levels, key=lambda size: -size[0] * size[1]):
        # A copy of a copy is one of the original, which comes first.
        larger = [
            photo_id
            for other in levels
            if _is_smaller(size, other)
            for photo_id in levels[other]
            if photo_id not in copies
        ]
        if not larger:
            continue
        stack = np.stack([look(photo_id) for photo_id in larger])
        found = {
            photo_id: larger[best]
            for photo_id in levels[size]
            if (best := _same(look(photo_id), stack)) is not None
        }
        if len(found) >= _MOST * len(levels[size]):
            copies |= found
    return copies


def _is_smaller(size: Size, other: Size) -> bool:
    same_shape = abs(size[0] * other[1] / (size[1] * other[0]) - 1) < _SAME_SHAPE
    return same_shape and size[0] < _SMALLER * other[0]


def _same(look: Look, stack: Float32[np.ndarray, "n h w"]) -> int | None:
    """Which of the stack is the same picture."""
    levels = np.abs(stack - look).mean(axis=(1, 2))
    best = int(np.argmin(levels))
    next_best = np.delete(levels, best).min(initial=np.inf)
    same = levels[best] < min(_SAME_LEVELS, _CLEARLY * next_best)
    return best if same else None


def _look(path: Path) -> Look:
    rgb = read_preview(path, 4 * _LOOK_PX).rgb
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    square = cv2.resize(grey, (_LOOK_PX, _LOOK_PX), interpolation=cv2.INTER_AREA)
    return square.astype(np.float32)
