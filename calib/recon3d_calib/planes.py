"""Whether points lie as those of a flat board do in its picture."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def is_mirrored(places: Float[np.ndarray, "n 2"], seen_px: Float[np.ndarray, "n 2"]) -> bool:
    """Whether the board is seen from behind, which nobody does: it was counted the other way."""
    centred = places - places.mean(axis=0)
    turn = np.linalg.lstsq(centred, seen_px - seen_px.mean(axis=0), rcond=None)[0]
    return bool(np.linalg.det(turn) <= 0)


def plane_error(places: Float[np.ndarray, "n 2"], seen_px: Float[np.ndarray, "n 2"]) -> float:
    """How far the points usually miss a plane's picture, as a share of their extent."""
    import cv2

    turn, _ = cv2.findHomography(places.astype(np.float32), seen_px.astype(np.float32))
    if turn is None:
        return np.inf
    shown = np.concatenate([places, np.ones((len(places), 1))], axis=1) @ turn.T
    with np.errstate(divide="ignore", invalid="ignore"):
        misses = np.linalg.norm(shown[:, :2] / shown[:, 2:] - seen_px, axis=1)
    return float(np.median(misses) / np.ptp(seen_px, axis=0).max())
