"""Grids of AprilTags, our own and Kalibr's: they may be cut off or half covered."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, UInt8

from recon3d.photos.markers import marker_dictionary, sharpened_square
from recon3d_calib.board import Board
from recon3d_calib.markers import MIRRORED
from recon3d_calib.seen import Points, Seen, enlarged, sharpened, shrunk

_FEWEST_TAGS = 2
# Grey levels below the mean around a pixel that are black, as a share of the picture's contrast.
# OpenCV's own 7 runs a tag together with the squares that touch it at its corners.
_BLACK, _LEAST_BLACK = 0.08, 3.0
# OpenCV's step of 10 misses tags that lie between two widths of its window.
_WINDOW_STEP = 4
# Around a saddle point nothing else may lie, and the code begins two tenths of an edge away.
_FREE = 0.6

Tags = Mapping[int, Float[np.ndarray, "4 2"]]
"""Corners by number, clockwise from the one that the pattern calls first, in OpenCV's pixels."""


def find_apriltags(grey: UInt8[np.ndarray, "h w"], board: Board) -> Seen:
    """The corners of the tags: saddle points where squares touch them, or the meeting of edges."""
    small, factor = shrunk(grey)
    tags = _known(small, board)
    if len(tags) < _FEWEST_TAGS:
        if len(_known(np.ascontiguousarray(small[:, ::-1]), board)) >= _FEWEST_TAGS:
            return Seen(reason=MIRRORED)
        return Seen(reason=f"no grid of tags of the family {board.family} was found in it")
    if board.tags.touching:
        tags = sharp_tags(grey, {n: enlarged(square, factor) for n, square in tags.items()}, True)
    else:
        tags = sharp_tags(small, tags, False)
        tags = {number: enlarged(square, factor) for number, square in tags.items()}
    if len(tags) < _FEWEST_TAGS:
        return Seen(reason="its tags are too small or too blurred to be measured")
    numbers = corner_numbers(tags)
    return Seen(Points(np.concatenate([*tags.values()]), board.points[numbers], numbers, True))


def read_tags(small: UInt8[np.ndarray, "h w"], family: str, border_bits: int) -> Tags:
    """Every tag of a family; a number that is seen twice is misread in one place, so in none."""
    import cv2

    parameters = cv2.aruco.DetectorParameters()
    parameters.markerBorderBits = border_bits
    parameters.adaptiveThreshWinSizeStep = _WINDOW_STEP
    dark, bright = np.percentile(small[::4, ::4], [2, 98])
    parameters.adaptiveThreshConstant = max(_LEAST_BLACK, _BLACK * float(bright - dark))
    detector = cv2.aruco.ArucoDetector(marker_dictionary(family), parameters)
    squares, found, _ = detector.detectMarkers(small)
    numbers = [] if found is None else [int(number) for number in np.ravel(found)]
    return {
        number: np.asarray(square, np.float64).reshape(4, 2)
        for number, square in zip(numbers, squares, strict=True)
        if numbers.count(number) == 1
    }


def sharp_tags(grey: UInt8[np.ndarray, "h w"], tags: Tags, touching: bool) -> Tags:
    """The corners to a fraction of a pixel, as saddle points or as the meeting of edges.

    Tags that cannot be measured are left out.
    """
    sharpen = _saddles if touching else sharpened_square
    sharp = {number: sharpen(grey, square) for number, square in tags.items()}
    return {number: square for number, square in sharp.items() if square is not None}


def corner_numbers(tags: Tags) -> np.ndarray:
    """The places of the tags' corners in Board.points."""
    return np.concatenate([4 * number + np.arange(4) for number in tags])


def _known(small: UInt8[np.ndarray, "h w"], board: Board) -> Tags:
    read = read_tags(small, board.family, board.tags.border_bits)
    count = board.columns * board.rows
    return {number: square for number, square in read.items() if number < count}


def _saddles(
    grey: UInt8[np.ndarray, "h w"], square: Float[np.ndarray, "4 2"]
) -> Float[np.ndarray, "4 2"]:
    shortest = np.linalg.norm(square - np.roll(square, 1, axis=0), axis=1).min()
    return sharpened(grey, square, _FREE * float(shortest))
