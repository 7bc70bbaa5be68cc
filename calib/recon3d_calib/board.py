"""Printed calibration boards: what is on them, and where their corners lie."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from recon3d.core.errors import ConfigError, require

BoardKind = Literal["chessboard", "circles", "asymmetric-circles", "charuco", "apriltags"]

_SIZE = re.compile(r"\s*(\d{1,2})\s*[x×,* ]\s*(\d{1,2})\s*", re.IGNORECASE)
_LEAST = {"charuco": 3, "apriltags": 1}
# Around a tag, clockwise as OpenCV counts them.
_CORNERS = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)


@dataclass(frozen=True, kw_only=True)
class TagStyle:
    """How a grid of tags is drawn."""

    border_bits: int = 1
    """Cells across the black border of a tag."""
    upwards: bool = False
    """The numbers rise from the bottom row to the top one, not downwards."""
    quarter_turns: int = 0
    """By how much each tag is turned, clockwise, from how OpenCV draws it."""
    touching: bool = False
    """Black squares fill the corners between the tags: their corners are saddle points."""


KALIBR = TagStyle(border_bits=2, upwards=True, quarter_turns=2, touching=True)
"""Kalibr's AprilGrid as its kalibr_create_target_pdf draws it; its tagSpacing is marker_share."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """A flat, printed pattern whose geometry is known.

    Board coordinates: x along the columns, y along the rows, z = 0, in squares.
    """

    kind: BoardKind = "chessboard"
    columns: int = 9
    """Inner corners (chessboard), circles, squares (charuco) or tags along a row."""
    rows: int = 6
    """The same along a column; of asymmetric circles the number of staggered rows."""
    square_mm: float | None = None
    """Edge of a square, distance of neighbouring circles (half the distance within a row of
    asymmetric ones) or edge of a tag, in millimetres; None where nobody knows. Only distances
    (a stereo baseline) need it, the intrinsics do not."""
    family: str = "aruco_4x4_50"
    """Of the markers on charuco and apriltags boards."""
    marker_share: float = 0.75
    """charuco: edge of a marker / edge of its square. apriltags: gap / edge of a tag."""
    legacy: bool = False
    """charuco: the first square is white, as OpenCV drew boards with even rows before 4.6."""
    tags: TagStyle = TagStyle()
    """Of apriltags boards."""

    def __post_init__(self) -> None:
        """Hold the numbers to what can be printed."""
        require(self.kind in get_args(BoardKind), "board.kind", self.kind, "a known kind of board")
        least = _LEAST.get(self.kind, 2)
        for name, count in (("columns", self.columns), ("rows", self.rows)):
            require(least <= count <= 99, f"board.{name}", count, f"between {least} and 99")
        require(len(self.points) >= 4, "board", self.size, "large enough for 4 points")
        if self.square_mm is not None:
            require(
                0.1 <= self.square_mm <= 10_000,
                "board.square_mm",
                self.square_mm,
                "between 0.1 and 10000 millimetres",
            )
        require(
            0.05 < self.marker_share < 1,
            "board.marker_share",
            self.marker_share,
            "between 0.05 and 1",
        )

    @property
    def size(self) -> str:
        """As people write it: 9x6."""
        return f"{self.columns}x{self.rows}"

    @property
    def words(self) -> str:
        """The board in words: a chessboard of 9x6 inner corners."""
        what = {
            "chessboard": "a chessboard of {} inner corners",
            "circles": "a grid of {} circles",
            "asymmetric-circles": "a staggered grid of {} circles",
            "charuco": "a ChArUco board of {} squares",
            "apriltags": "a grid of {} AprilTags",
        }
        return what[self.kind].format(self.size)

    @property
    def points(self) -> Float[np.ndarray, "n 2"]:
        """Every point of the board in squares; a point's number is its place in this list."""
        if self.kind == "apriltags":
            places = _grid(self.columns, self.rows)
            if self.tags.upwards:
                places[:, 1] = self.rows - 1 - places[:, 1]
            around = np.roll(_CORNERS, -self.tags.quarter_turns, axis=0)
            return (places[:, None] * (1 + self.marker_share) + around).reshape(-1, 2)
        if self.kind == "charuco":
            return _grid(self.columns - 1, self.rows - 1) + 1
        points = _grid(self.columns, self.rows)
        if self.kind == "asymmetric-circles":
            points[:, 0] = 2 * points[:, 0] + points[:, 1] % 2
        return points

    @property
    def square_m(self) -> float | None:
        """The edge of a square in metres."""
        return None if self.square_mm is None else self.square_mm / 1000


def parse_size(text: str) -> tuple[int, int]:
    """Columns and rows of "9x6".

    Raises:
        ConfigError: the text is no size.
    """
    if not (match := _SIZE.fullmatch(text)):
        raise ConfigError(
            f'"{text}" is no size of a board.',
            hint="Write columns x rows, for example 9x6. A chessboard's are its inner corners: one "
            "less than its squares.",
        )
    return int(match[1]), int(match[2])


def _grid(columns: int, rows: int) -> Float[np.ndarray, "n 2"]:
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)
