"""Which grid of tags is it? Its columns, its order, its gaps, from what the tags' numbers say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from jaxtyping import Float, UInt8

from recon3d.photos.markers import marker_dictionary
from recon3d.run.task import Task
from recon3d_calib.board import Board, TagStyle
from recon3d_calib.planes import plane_error
from recon3d_calib.tags import Tags, corner_numbers, read_tags, sharp_tags

_FEWEST_TAGS = 4
# Of the board's size in the picture; lenses bend planes by less, wrong sizes by more.
_MOST_OFF_PLANE = 0.02
# More tell nothing new about their order.
_MOST_TAGS = 60
_MOST_COLUMNS = 99
# Where a tag's neighbour is not seen nothing says how far away it is; most grids have this gap.
_USUAL_GAP = 0.3
# What is meant is printed: gaps so near to a round number are it.
_ROUND_GAP, _NEARLY = 0.05, 0.004
# From a corner to the middle of the square that touches it, in gaps.
_DIAGONAL = 0.5

Grey = UInt8[np.ndarray, "h w"]


@dataclass(frozen=True)
class _Trial:
    """An order of the tags, and how badly it explains where they are seen."""

    columns: int
    upwards: bool
    quarter_turns: int
    error: float


def find_tag_grid(greys: Sequence[Grey], family: str, border_bits: int, task: Task) -> Board | None:
    """The grid whose order and gaps explain where most tags of a few pictures are seen.

    Raises:
        Cancelled: the task was stopped.
    """
    views: list[tuple[Grey, Tags]] = []
    for grey in greys:
        task.check()
        tags = read_tags(grey, family, border_bits)
        if len(tags) >= _FEWEST_TAGS:
            views.append((grey, tags))
    if not views:
        return None
    grey, most = max(views, key=lambda view: len(view[1]))
    trial = min(_trials(most), key=lambda trial: trial.error)
    if trial.error > _MOST_OFF_PLANE:
        return None
    count = _count([tags for _, tags in views])
    board = Board(
        kind="apriltags",
        columns=trial.columns,
        rows=-(-count // trial.columns),
        family=family,
        marker_share=_gap([most], trial.columns, trial.quarter_turns),
        tags=TagStyle(
            border_bits=border_bits, upwards=trial.upwards, quarter_turns=trial.quarter_turns
        ),
    )
    touching = _is_touching(grey, most, board)
    measured = [sharp_tags(grey, tags, touching) for grey, tags in views]
    return replace(
        board,
        marker_share=_rounded(_gap(measured, trial.columns, trial.quarter_turns)),
        tags=replace(board.tags, touching=touching),
    )


def _trials(tags: Tags) -> list[_Trial]:
    """Every order; one that needs the board's mirror image explains no tag's own corners."""
    some = dict(list(tags.items())[:: -(-len(tags) // _MOST_TAGS)])
    numbers, seen = corner_numbers(some), np.concatenate([*some.values()])
    count = max(tags) + 1
    trials = []
    for columns, turns in product(range(1, min(count, _MOST_COLUMNS) + 1), range(4)):
        rows = -(-count // columns)
        if rows > _MOST_COLUMNS:
            continue
        gap = _gap([tags], columns, turns)
        for upwards in (False, True):
            style = TagStyle(upwards=upwards, quarter_turns=turns)
            board = Board(
                kind="apriltags", columns=columns, rows=rows, marker_share=gap, tags=style
            )
            trials.append(_Trial(columns, upwards, turns, plane_error(board.points[numbers], seen)))
    return trials


def _gap(views: Sequence[Tags], columns: int, quarter_turns: int) -> float:
    """Gap / edge, from the cross-ratios of the corners along neighbouring tags' edges.

    They stay the same from every side, and so near to each other lenses bend nothing.
    """
    # Below each other where there is one column: turned by 90 degrees, these lie along a row.
    turned = quarter_turns - 1 if columns == 1 else quarter_turns
    lines = [
        np.roll(np.stack([tags[number], tags[number + 1]]), turned, axis=1)
        for tags in views
        for number in tags
        if number + 1 in tags and (columns == 1 or (number + 1) % columns)
    ]
    if not lines:
        return _USUAL_GAP
    pairs = np.stack(lines)
    # Upper edges, then lower ones: left and right corner of one tag, then of the next.
    rows = np.concatenate([pairs[:, :, [0, 1]], pairs[:, :, [3, 2]]]).reshape(-1, 4, 2)
    along = rows[:, 3] - rows[:, 0]
    x = np.einsum("nij,nj->ni", rows - rows[:, :1], along)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (x[:, 2] * (x[:, 3] - x[:, 1])) / ((x[:, 2] - x[:, 1]) * x[:, 3])
        gaps = np.sqrt(1 + 1 / (ratio - 1)) - 1
    found = float(np.median(np.where(np.isfinite(gaps), gaps, 0)))
    return float(np.clip(found, 0.06, 0.99))


def _rounded(gap: float) -> float:
    near = round(round(gap / _ROUND_GAP) * _ROUND_GAP, 2)
    return near if abs(near - gap) < _NEARLY else gap


def _count(views: Sequence[Tags]) -> int:
    """The highest number that is not a misreading, plus one."""
    seen = Counter(number for tags in views for number in tags)
    often = [number for number, times in seen.items() if times > 1 or len(views) < 3]
    return max(often or seen) + 1


def _is_touching(grey: Grey, tags: Tags, board: Board) -> bool:
    """Whether it is as dark diagonally beside the tags' corners as on their borders."""
    import cv2

    numbers = corner_numbers(tags)
    places, seen = board.points[numbers], np.concatenate([*tags.values()])
    turn, _ = cv2.findHomography(places, seen)
    middles = np.repeat(places.reshape(-1, 4, 2).mean(axis=1), 4, axis=0)
    outwards = np.sign(places - middles)
    cell = 1 / (marker_dictionary(board.family).markerSize + 2 * board.tags.border_bits)
    beside = _levels(grey, turn, places + outwards * _DIAGONAL * board.marker_share)
    border = _levels(grey, turn, places - outwards * cell / 2)
    between = _levels(grey, turn, places + outwards * [_DIAGONAL * board.marker_share, -0.5])
    return bool(beside < (border + between) / 2)


def _levels(grey: Grey, turn: Float[np.ndarray, "3 3"], places: Float[np.ndarray, "n 2"]) -> float:
    """The usual grey level at places of the board."""
    import cv2

    shown = cv2.perspectiveTransform(places[:, None], turn)[:, 0].astype(np.float32)
    levels = cv2.remap(grey, shown[:, :1], shown[:, 1:], cv2.INTER_LINEAR)
    return float(np.median(levels))
