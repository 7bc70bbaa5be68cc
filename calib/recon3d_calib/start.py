"""First guesses: the focal length, and where the board was in each photo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from recon3d.core.lens import Lens
from recon3d.run.task import Task
from recon3d_calib.adjust import Fit, Freedom, Sightings, adjust

# From fisheyes to telephoto lenses, as shares of the photo's longer side.
_FOCALS = np.geomspace(0.2, 8.0, 22)
# Beyond, a flat picture of the directions grows without bounds.
_WIDEST_DEG = 80.0
# A board whose typical corner misses by so many times what is usual; by this share of the photo
# it may always miss, because the lens still has no distortion.
_MOST_WORSE = 8.0
_ALWAYS_FINE = 0.01


def first_fit(
    lens: Lens, sightings: Sightings, size: tuple[int, int], task: Task
) -> tuple[Fit, Int[np.ndarray, "k"]] | None:
    """A lens without distortion whose focal length is right within a few percent.

    Every focal length of a coarse ladder places all boards; the one that fits best wins and is
    then adjusted alone, with square pixels and the centre in the middle of the photo.

    Returns:
        The fit, and the photos that it is for: boards that it cannot place, or places much worse
        than the others, were probably counted wrongly. None where nothing fits.
    """
    guesses = []
    for share in _FOCALS:
        fit = _placed(_plain(lens, share * max(size), size), sightings)
        misses = np.linalg.norm(fit.residuals_px(sightings), axis=1)
        guesses.append((float(np.median(np.nan_to_num(misses, nan=np.inf))), fit, misses))
    median, best, misses = min(guesses, key=lambda guess: guess[0])
    if not np.isfinite(median):
        return None
    worst = np.array([np.median(misses[rows]) for rows in sightings.photos])
    good = np.flatnonzero(worst <= max(_MOST_WORSE * np.median(worst), _ALWAYS_FINE * max(size)))
    chosen = sightings.of_photos(good)
    focal_only = Freedom(free_values(lens, Sharing(square_pixels=True)).values[:, :1])
    return adjust(best.of_photos(good), chosen, focal_only, task), good


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """What one focal length is for, and what one board."""

    square_pixels: bool = False
    """The focal length is for both directions."""
    zoom: bool = False
    """It is for one photo only: the lens was zoomed between them."""
    bent_board: bool | None = None
    """The board may bend, and how is found, too; None if it bends so much that it matters."""


def free_values(lens: Lens, sharing: Sharing) -> Freedom:
    """What `adjust` may change of a lens."""
    free = np.eye(4 + len(lens.coefficients))
    if sharing.square_pixels:
        free[:, 0] += free[:, 1]
        free = np.delete(free, 1, axis=1)
    if sharing.zoom:
        # The photos' zooms say how long it is; fy says how much longer down than across.
        free = free[:, 1:]
    return Freedom(free, sharing.zoom, bool(sharing.bent_board))


def _plain(lens: Lens, focal_px: float, size: tuple[int, int]) -> Fit:
    values = np.zeros(4 + len(lens.coefficients))
    values[:4] = focal_px, focal_px, size[0] / 2, size[1] / 2
    return Fit(lens, values, np.empty((0, 3, 3)), np.empty((0, 3)), np.empty(0))


def _placed(fit: Fit, sightings: Sightings) -> Fit:
    """Where each board was; NaN where one cannot be placed."""
    flat = (sightings.points_px - fit.values[2:4]) / fit.values[:2]
    seen = np.ones(len(flat), bool)
    if fit.lens.distortion == "fisheye":
        flat, seen = _flattened(flat)
    poses = [
        _board_pose(sightings.points_board[rows][seen[rows]], flat[rows][seen[rows]])
        for rows in sightings.photos
    ]
    return Fit(
        fit.lens,
        fit.values,
        np.stack([rotation for rotation, _ in poses]),
        np.stack([translation for _, translation in poses]),
        np.ones(len(poses)),
    )


def _board_pose(
    board: Float[np.ndarray, "n 3"], flat: Float[np.ndarray, "n 2"]
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
    import cv2

    unknown = np.full((3, 3), np.nan), np.full(3, np.nan)
    if len(board) < 4:
        return unknown
    middle = board.mean(axis=0)
    try:
        found, turn, shift = cv2.solvePnP(
            np.ascontiguousarray(board - middle),
            np.ascontiguousarray(flat),
            np.eye(3),
            None,
            flags=cv2.SOLVEPNP_IPPE,
        )
    except cv2.error:
        return unknown
    if not found or not np.isfinite(turn).all() or shift[2] <= 0:
        return unknown
    rotation = np.asarray(cv2.Rodrigues(turn)[0])
    return rotation, np.asarray(shift).ravel() - rotation @ middle


def _flattened(bent: Float[np.ndarray, "n 2"]) -> tuple[np.ndarray, np.ndarray]:
    """Undo an ideal fisheye; and which directions are narrow enough."""
    angle = np.linalg.norm(bent, axis=1)
    narrow = angle < np.radians(_WIDEST_DEG)
    safe = np.where(narrow, angle, 0.5)
    return bent * (np.tan(safe) / np.maximum(safe, 1e-12))[:, None], narrow
