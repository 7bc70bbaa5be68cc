"""Photos made so small that all of them fit into a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image

_SIDES_PX = (1600, 1200, 900, 680, 510, 380, 290, 215, 160, 120, 90)
_QUALITY = 75
_LEAST_BYTES = 1800
"""Less shows nothing: where there are too many photos, some go without."""


def small_photos(
    photo_ids: Sequence[str],
    pictures: Mapping[str, UInt8[np.ndarray, "h w 3"]],
    room_bytes: int,
    step: Callable[[str], None],
) -> dict[str, str]:
    """Data URIs by photo id, which together take no more than the room; one is read at a time.

    Each gets the same share of the room. Where that would be too little, photos that are spread
    evenly over all of them get it, and the others are absent.

    Raises:
        Cancelled: the user asked to stop.
    """
    kept = _spread(photo_ids, room_bytes // _LEAST_BYTES)
    found = dict[str, str]()
    size = 0
    for photo_id in kept:
        step(f"photo of {photo_id}")
        picture = Image.fromarray(pictures[photo_id])
        # The next photo will be about as small as this one.
        size = max(0, size - 1)
        uri = _uri(picture, _SIDES_PX[size])
        while len(uri) > room_bytes // len(kept) and size + 1 < len(_SIDES_PX):
            size += 1
            uri = _uri(picture, _SIDES_PX[size])
        if len(uri) <= room_bytes // len(kept):
            found[photo_id] = uri
    return found


def _spread(items: Sequence[str], count: int) -> list[str]:
    if count >= len(items):
        return list(items)
    return [items[index * len(items) // count] for index in range(count)]


def _uri(picture: Image.Image, side_px: int) -> str:
    small = picture.copy()
    small.thumbnail((side_px, side_px), Image.Resampling.LANCZOS, reducing_gap=2.0)
    stream = io.BytesIO()
    small.save(stream, "webp", quality=_QUALITY)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode()
