"""Looking at a big photo in pieces: detail from the pieces, everything else from the whole.

After the idea of Miangoleh et al., "Boosting monocular depth estimation models to high-resolution",
CVPR 2021: a network sees either the whole scene or its detail. Each piece is fitted to the whole
photo's prediction by scale and shift, and pieces blend where they overlap.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from recon3d.core.errors import AlignmentError
from recon3d.depth.alignment import FINEST, fit_scale_and_shift

Map = Float32[np.ndarray, "h w"]
Box = tuple[slice, slice]

_OVERLAP = 1 / 3
"""Of a piece's side that it shares with the next one."""
_SAMPLES = 2000
_LEAST_WEIGHT = 1e-3


def tile_boxes(width_px: int, height_px: int, count: int) -> list[Box]:
    """Rows and columns of count x count overlapping pieces, all of one size."""
    return [
        (rows, columns) for rows in _spans(height_px, count) for columns in _spans(width_px, count)
    ]


def blended(whole: Map, boxes: Sequence[Box], pieces: Sequence[Map]) -> Map:
    """The whole's prediction with the detail of the pieces.

    All are inverse depth up to scale and shift; not positive = unknown. A piece that contradicts
    the whole is left out.
    """
    total = np.zeros_like(whole)
    weights = np.full_like(whole, _LEAST_WEIGHT)
    total += _LEAST_WEIGHT * whole
    for box, piece in zip(boxes, pieces, strict=True):
        fitted = _fitted(piece, whole[box])
        if fitted is None:
            continue
        rows, columns = (
            _window(span, length) for span, length in zip(box, whole.shape, strict=True)
        )
        window = rows[:, None] * columns
        window = np.where((piece > 0) & (whole[box] > 0), window, 0)
        total[box] += window * fitted
        weights[box] += window
    return total / weights


def _fitted(piece: Map, whole: Map) -> Map | None:
    known = np.flatnonzero((piece > 0) & (whole > 0))
    known = known[:: max(1, len(known) // _SAMPLES)]
    if len(known) < 2:
        return None
    said, target = (values.ravel()[known].astype(np.float64) for values in (piece, whole))
    try:
        scale, shift = fit_scale_and_shift(said, target, FINEST * target)
    except AlignmentError:
        return None
    return (scale * piece + shift).astype(np.float32) if scale > 0 else None


def _spans(length_px: int, count: int) -> list[slice]:
    size = int(np.ceil(length_px / (1 + (count - 1) * (1 - _OVERLAP))))
    starts = np.linspace(0, length_px - size, count).round().astype(int)
    return [slice(int(start), int(start) + size) for start in starts]


def _window(span: slice, length_px: int) -> Float32[np.ndarray, "n"]:
    """Fades over the overlap, not at the photo's border; the square of the sine has no kink."""
    size = span.stop - span.start
    before, after = np.arange(size) + 0.5, size - np.arange(size) - 0.5
    from_border = np.minimum(
        before if span.start > 0 else np.inf, after if span.stop < length_px else np.inf
    )
    fade = np.clip(from_border / (_OVERLAP * size), 0, 1)
    return (np.sin(0.5 * np.pi * fade) ** 2 * np.ones(size)).astype(np.float32)
