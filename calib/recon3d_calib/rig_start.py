"""First guesses for a rig: where its cameras stand, and where the board was at each moment."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float

from recon3d.core.transform import Rigid, rotation_angle_deg
from recon3d_calib.board import Board
from recon3d_calib.errors import CalibrationError

FEWEST_MOMENTS = 3
# Two places are the same up to this angle and this share of the board's distance.
_SAME_DEG = 6.0
_SAME = 0.1


@dataclass(frozen=True, eq=False)
class BoardView:
    """The board as one camera of the rig saw it at one moment."""

    camera: int
    moment: int
    points_board: Float[np.ndarray, "n 3"]
    points_px: Float[np.ndarray, "n 2"]
    cam_from_board: Rigid
    """As the camera alone places the board, in squares."""

    @property
    def distance(self) -> float:
        """Of the board, in squares."""
        return float(np.linalg.norm(self.cam_from_board.translation))


def turned_views(view: BoardView, board: Board) -> list[BoardView]:
    """The view in every way in which a camera may have counted the board.

    A plain grid looks the same from its other end; a square one from all four sides.
    """
    if board.kind in ("charuco", "apriltags"):
        return [view]
    middle = np.append((board.points.min(axis=0) + board.points.max(axis=0)) / 2, 0.0)
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    ways = range(4) if board.columns == board.rows else (0, 2)
    return [_counted(view, np.linalg.matrix_power(quarter, way), middle) for way in ways]


def _counted(
    view: BoardView, turn: Float[np.ndarray, "3 3"], middle: Float[np.ndarray, "3"]
) -> BoardView:
    counted_from_board = Rigid(turn, middle - turn @ middle)
    return replace(
        view,
        points_board=counted_from_board @ view.points_board,
        cam_from_board=view.cam_from_board @ counted_from_board.inverse(),
    )


@dataclass(frozen=True, eq=False)
class _Link:
    """What two cameras say of each other."""

    shared: int
    """Moments in which both see the board."""
    agreeing: int
    """Those that place the second camera alike."""
    second_from_first: Rigid


def chained(names: Sequence[str], views: Sequence[BoardView], board: Board) -> tuple[Rigid, ...]:
    """cam_from_first of every camera, over the cameras that agree in most moments.

    Raises:
        CalibrationError: a camera cannot be reached.
    """
    links = _links(names, views, board)
    placed = {0: Rigid.identity()}
    while len(placed) < len(names):
        ways = [
            (link.agreeing, one, other)
            for (one, other), link in links.items()
            if one in placed and other not in placed and link.agreeing >= FEWEST_MOMENTS
        ]
        if not ways:
            raise _unreached(names, placed, links)
        _, one, other = max(ways)
        placed[other] = links[one, other].second_from_first @ placed[one]
    return tuple(placed[camera] for camera in range(len(names)))


def require_linked(names: Sequence[str], views: Sequence[BoardView]) -> None:
    """Check that the moments still hold the rig together.

    Raises:
        CalibrationError: a camera cannot be reached.
    """
    shared = _shared(names, views)
    reached = {0}
    while more := {
        other
        for (one, other), pairs in shared.items()
        if one in reached and other not in reached and len(pairs) >= FEWEST_MOMENTS
    }:
        reached |= more
    if len(reached) < len(names):
        links = {
            pair: _Link(len(seen), len(seen), Rigid.identity()) for pair, seen in shared.items()
        }
        raise _unreached(names, reached, links)


def _shared(
    names: Sequence[str], views: Sequence[BoardView]
) -> dict[tuple[int, int], list[tuple[BoardView, BoardView]]]:
    """Pairs of views of one moment, in both directions."""
    seen = {(view.camera, view.moment): view for view in views}
    shared: dict[tuple[int, int], list[tuple[BoardView, BoardView]]] = {}
    for one, other in combinations(range(len(names)), 2):
        pairs = [
            (view, seen[other, moment])
            for (camera, moment), view in seen.items()
            if camera == one and (other, moment) in seen
        ]
        shared[one, other] = pairs
        shared[other, one] = [(b, a) for a, b in pairs]
    return shared


def _links(
    names: Sequence[str], views: Sequence[BoardView], board: Board
) -> dict[tuple[int, int], _Link]:
    return {
        cameras: _link(pairs, board) for cameras, pairs in _shared(names, views).items() if pairs
    }


def _link(pairs: Sequence[tuple[BoardView, BoardView]], board: Board) -> _Link:
    places, moments, distances = [], [], []
    for index, (first, second) in enumerate(pairs):
        for way in turned_views(second, board):
            places.append(way.cam_from_board @ first.cam_from_board.inverse())
            moments.append(index)
            distances.append(first.distance)
    alike = _alike(places, places, np.array(distances))
    # Of one moment at most one way counts.
    supporters = np.zeros((len(places), len(pairs)), bool)
    for row, moment in enumerate(moments):
        supporters[:, moment] |= alike[row]
    counts = supporters.sum(axis=1)
    best = int(np.argmax(counts))
    return _Link(len(pairs), int(counts[best]), places[best])


def _alike(
    places: Sequence[Rigid], others: Sequence[Rigid], distances: Float[np.ndarray, "n"]
) -> Bool[np.ndarray, "n m"]:
    """Which of the others stand where the places do, seen from so far away."""
    ours, theirs = (np.stack([each.rotation for each in side]) for side in (places, others))
    between = np.einsum("nij,mkj->nmik", ours, theirs)
    here, there = (np.stack([each.translation for each in side]) for side in (places, others))
    apart = np.linalg.norm(here[:, None] - there, axis=2)
    return np.asarray(
        (rotation_angle_deg(between) < _SAME_DEG) & (apart < _SAME * distances[:, None])
    )


def _unreached(
    names: Sequence[str],
    reached: Collection[int],
    links: Mapping[tuple[int, int], _Link],
) -> CalibrationError:
    lost = [camera for camera in range(len(names)) if camera not in reached]
    found = [camera for camera in range(len(names)) if camera in reached]
    (one, other), link = max(
        (
            ((one, other), links.get((one, other)) or _Link(0, 0, Rigid.identity()))
            for one in found
            for other in lost
        ),
        key=lambda way: (way[1].agreeing, way[1].shared),
    )
    lost_name = ", ".join(names[camera] for camera in lost)
    found_name = ", ".join(names[camera] for camera in found)
    name, other_name = names[one], names[other]
    if link.shared >= FEWEST_MOMENTS:
        return CalibrationError(
            f"Where {lost_name} stands from {found_name} does not follow: {other_name} and {name} "
            f"both see the board in {link.shared} moments, but only {link.agreeing} of them "
            "agree.",
            hint="Check that the photos of a moment were really taken together, that they have "
            "the same name or number, and that no camera moved on the rig.",
        )
    return CalibrationError(
        f"Where {lost_name} stands from {found_name} does not follow: no two of them see the whole "
        f"board together in more than {link.shared} moments that can be used; {FEWEST_MOMENTS} are "
        "needed, and 10 are good.",
        hint=f"Take photos in which {names[lost[0]]} and {found_name} see the whole board at the "
        "same moment, with the board in different places.",
    )


@dataclass(frozen=True, eq=False)
class Placed:
    """A moment whose board stands somewhere."""

    first_from_board: Rigid
    """In squares."""
    views: tuple[BoardView, ...]
    """Counted alike by all cameras."""
    strays: tuple[BoardView, ...]
    """Views that contradict."""


def place_board(
    views: Sequence[BoardView], cam_from_first: Sequence[Rigid], board: Board
) -> Placed:
    """Where the board was at one moment, as most cameras have it."""
    return max(_agreements(views, cam_from_first, board), key=lambda placed: len(placed.views))


def _agreements(
    views: Sequence[BoardView], cam_from_first: Sequence[Rigid], board: Board
) -> Iterator[Placed]:
    for guide in views:
        place = cam_from_first[guide.camera].inverse() @ guide.cam_from_board
        kept, strays = [], []
        for view in views:
            ways = turned_views(view, board)
            places = [cam_from_first[w.camera].inverse() @ w.cam_from_board for w in ways]
            same = _alike([place], places, np.array([guide.distance]))[0]
            if same.any():
                kept.append(ways[int(np.argmax(same))])
            else:
                strays.append(view)
        yield Placed(place, tuple(kept), tuple(strays))
