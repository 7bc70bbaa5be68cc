"""Charts onto square pages, close together but not touching."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32

from recon3d.core.errors import ReconError
from recon3d.texture.unwrap import Charts

_COLUMNS = 1024
"""A page is packed on a grid of this many columns."""
_SMALL_CELLS = 32
"""Charts up to this size go into the gaps that larger ones leave."""
_SLOTS = np.array([2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, _SMALL_CELLS])
_HOPELESS = 2
"""Pages' heights from where on a try is given up: its scale was far too large."""
_ANGLES_DEG = np.arange(0, 90, 7.5)
_TRIES = 12


class PageTooSmallError(ReconError):
    """So many charts that the empty texels around them alone fill the pages."""

    def __init__(self, charts: int, page_px: int, pages: int) -> None:
        super().__init__(
            f"{charts:,} pieces of surface do not fit on {pages} page(s) of {page_px} px.",
            hint="Raise --texture.size-px or --texture.pages, or lower --faces.",
        )


@dataclass(frozen=True, eq=False)
class Atlas:
    """Where every face lies."""

    uv: Float32[np.ndarray, "f 3 2"]
    """0 to 1, the origin at the lower left."""
    page_of_face: Int32[np.ndarray, "f"]
    pages: int
    page_px: int
    fill: float
    """Share of the pages' area that faces cover."""
    scale: float
    """By what the wanted sizes had to be multiplied to fit."""


def pack(
    charts: Charts,
    texels_per_unit: Float[np.ndarray, "c"],
    page_px: int,
    pages: int,
    check: Callable[[], None],
) -> Atlas:
    """Place charts at about the wanted size, all enlarged or reduced alike to fill the pages.

    "Tetris" packing (Levy et al. 2002, section 3): tall charts first, each where its lower outline
    leaves the least room above the outline of what lies there; small ones into the gaps.

    Raises:
        PageTooSmallError: there is no scale at which they fit.
    """
    xy = _turned(charts) * texels_per_unit[charts.chart_of_face, None, None]
    low, high = _bounds(xy, charts)
    xy = xy - low[charts.chart_of_face, None]
    page_of_chart = _share_out(charts, xy, pages)
    boxes = _Boxes(charts, xy, high - low, page_of_chart, page_px)
    if (2 * boxes.gutter_px) ** 2 * charts.count > pages * page_px**2:
        raise PageTooSmallError(charts.count, page_px, pages)
    area = float(_area(xy))
    scale = np.sqrt(0.6 * pages * page_px**2 / max(area, 1e-30))
    too_small, too_large, best = 0.0, np.inf, None
    for _ in range(_TRIES):
        check()
        heights, place = _place(boxes, scale, check)
        worst = max(heights) / _COLUMNS
        if worst <= 1:
            too_small, best = scale, (scale, place)
            if worst > 0.97 or too_large / scale < 1.015:
                break
        else:
            too_large = scale
        # The height of what is packed grows with about the square of the scale.
        scale *= np.sqrt(0.99 / worst)
        if not too_small < scale < too_large:
            scale = np.sqrt(max(too_small, too_large / 2) * too_large)
    if best is None:
        raise PageTooSmallError(charts.count, page_px, pages)
    scale, place = best
    corner = place[charts.chart_of_face, None] * boxes.cell_px + boxes.gutter_px
    uv = (xy * scale + corner) / page_px
    fill = area * scale**2 / (pages * page_px**2)
    page_of_face = page_of_chart[charts.chart_of_face]
    return Atlas(uv.astype(np.float32), page_of_face, pages, page_px, float(fill), float(scale))


def _turned(charts: Charts) -> Float[np.ndarray, "f 3 2"]:
    """Each chart in the angle at which the box around it is smallest, upright."""
    chart, xy = charts.chart_of_face, charts.xy.astype(np.float64)
    best_area = np.full(charts.count, np.inf)
    best_angle = np.zeros(charts.count)
    for angle in np.radians(_ANGLES_DEG):
        low, high = _bounds(_rotated(xy, np.full(len(xy), angle)), charts)
        area = (high - low).prod(1)
        better = area < best_area
        best_area[better], best_angle[better] = area[better], angle
    low, high = _bounds(_rotated(xy, best_angle[chart]), charts)
    lies = high[:, 0] - low[:, 0] > high[:, 1] - low[:, 1]
    best_angle[lies] += np.pi / 2
    return _rotated(xy, best_angle[chart])


def _rotated(
    xy: Float[np.ndarray, "f 3 2"], angle: Float[np.ndarray, "f"]
) -> Float[np.ndarray, "f 3 2"]:
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y = xy[..., 0], xy[..., 1]
    return np.stack([cosine * x - sine * y, sine * x + cosine * y], 2)


def _bounds(
    xy: Float[np.ndarray, "f 3 2"], charts: Charts
) -> tuple[Float[np.ndarray, "c 2"], Float[np.ndarray, "c 2"]]:
    low = np.full((charts.count, 2), np.inf)
    high = -low
    for axis in range(2):
        np.minimum.at(low[:, axis], charts.chart_of_face, xy[..., axis].min(1))
        np.maximum.at(high[:, axis], charts.chart_of_face, xy[..., axis].max(1))
    return low, high


def _area(xy: Float[np.ndarray, "f 3 2"]) -> float:
    one, two = xy[:, 1] - xy[:, 0], xy[:, 2] - xy[:, 0]
    return float(np.abs(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]).sum() / 2)


def _share_out(
    charts: Charts, xy: Float[np.ndarray, "f 3 2"], pages: int
) -> Int32[np.ndarray, "c"]:
    """Charts in equal shares of area to pages, neighbours in order on the same one."""
    one, two = xy[:, 1] - xy[:, 0], xy[:, 2] - xy[:, 0]
    area = np.abs(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]) / 2
    before = np.cumsum(np.bincount(charts.chart_of_face, area, charts.count))
    share = before / max(before[-1], 1e-30) * pages
    return np.clip(np.ceil(share) - 1, 0, pages - 1).astype(np.int32)


@dataclass(frozen=True, eq=False)
class _Boxes:
    """Charts before their size is settled, each with its lower left corner at (0, 0)."""

    charts: Charts
    xy: Float[np.ndarray, "f 3 2"]
    size: Float[np.ndarray, "c 2"]
    page_of_chart: Int32[np.ndarray, "c"]
    page_px: int

    @property
    def cell_px(self) -> float:
        return self.page_px / _COLUMNS

    @property
    def gutter_px(self) -> float:
        """Empty texels around every chart."""
        return max(2.0, self.page_px / 2048)


def _place(
    boxes: _Boxes, scale: float, check: Callable[[], None]
) -> tuple[list[int], Float[np.ndarray, "c 2"]]:
    """Pack at one scale: (height used on each page in cells, each chart's corner in cells)."""
    charts, gutter = boxes.charts, boxes.gutter_px / boxes.cell_px
    cells = np.ceil(boxes.size * scale / boxes.cell_px + 2 * gutter).astype(np.int64)
    widest = int(cells[:, 0].max())
    if widest > _COLUMNS:
        return [int(1.05 * widest**2 / _COLUMNS)], np.zeros((0, 2))
    start, bottom, top = _outlines(charts, boxes.xy * scale / boxes.cell_px, cells, gutter)
    place = np.zeros((charts.count, 2))
    heights = []
    for page in range(int(boxes.page_of_chart.max()) + 1):
        members = np.flatnonzero(boxes.page_of_chart == page)
        members = members[np.argsort(-cells[members, 1], kind="stable")]
        is_small = cells[members].max(1) <= _SMALL_CELLS
        floor = _Floor()

        def drop(chart: int, floor: _Floor = floor) -> None:
            check()
            columns = slice(start[chart], start[chart] + cells[chart, 0])
            place[chart] = floor.drop(bottom[columns], top[columns])

        for chart in members[~is_small]:
            drop(chart)
            if floor.height > _HOPELESS * _COLUMNS:
                return [floor.height], place
        small = members[is_small]
        place[small], filled = floor.fill_gaps(cells[small])
        for chart in small[~filled]:
            drop(chart)
            if floor.height > _HOPELESS * _COLUMNS:
                return [floor.height], place
        heights.append(floor.height)
    return heights, place


class _Floor:
    """A page that is filled from below, cell by cell."""

    def __init__(self) -> None:
        self._skyline = np.zeros(_COLUMNS, np.int64)
        self._taken = np.zeros((_COLUMNS, _COLUMNS), bool)

    @property
    def height(self) -> int:
        """Cells that are used, gaps included."""
        return int(self._skyline.max())

    def drop(self, under: np.ndarray, over: np.ndarray) -> tuple[int, int]:
        """Put a chart where its top comes lowest; among equals where least is wasted below it.

        under, over: its lower outline and the first free cells above, by column.
        """
        width = len(under)
        windows = np.lib.stride_tricks.sliding_window_view(self._skyline, width)
        level = (windows - under).max(1)
        rise = level + over.max()
        low = np.flatnonzero(rise == rise.min())[:64]
        column = int(low[(level[low, None] + under - windows[low]).sum(1).argmin()])
        row = int(level[column])
        self._grow_to(row + int(over.max()))
        columns = slice(column, column + width)
        self._skyline[columns] = row + over
        rows = np.arange(over.max())[:, None]
        self._taken[row : row + len(rows), columns] |= (rows >= under) & (rows < over)
        return column, row

    def fill_gaps(self, sizes: np.ndarray) -> tuple[np.ndarray, Bool[np.ndarray, "n"]]:
        """Put boxes of (width, height) below the skyline, the largest first.

        Returns:
            The boxes' corners, and for which of them there was a place.
        """
        place = np.zeros((len(sizes), 2), np.int64)
        filled = np.zeros(len(sizes), bool)
        # Few different sizes, so that many boxes are placed at once.
        slot = _SLOTS[np.searchsorted(_SLOTS, sizes)]
        kinds, kind = np.unique(slot, axis=0, return_inverse=True)
        free = ~self._taken & (np.arange(len(self._taken))[:, None] < self._skyline)
        for index in np.argsort(-kinds.prod(1), kind="stable"):
            boxes = np.flatnonzero(kind.ravel() == index)
            corner = _claim(free, int(kinds[index, 0]), int(kinds[index, 1]), len(boxes))
            place[boxes[: len(corner)]] = corner
            filled[boxes[: len(corner)]] = True
        return place, filled

    def _grow_to(self, height: int) -> None:
        if height > len(self._taken):
            more = np.zeros((2 * height - len(self._taken), _COLUMNS), bool)
            self._taken = np.concatenate([self._taken, more])


def _claim(free: Bool[np.ndarray, "h w"], width: int, height: int, count: int) -> np.ndarray:
    """Corners (column, row) of up to count free rectangles on a lattice; marks them as taken."""
    rows, columns = free.shape[0] // height, free.shape[1] // width
    lattice = free[: rows * height, : columns * width].reshape(rows, height, columns, width)
    corner: np.ndarray = np.argwhere(lattice.all((1, 3)))[:count] * [height, width]
    for row, column in corner:
        free[row : row + height, column : column + width] = False
    return corner[:, ::-1]


def _outlines(
    charts: Charts,
    xy_cells: Float[np.ndarray, "f 3 2"],
    cells: np.ndarray,
    gutter: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The lowest and highest cell of every chart in each of its columns, gutter included.

    Returns:
        Where each chart's columns start in the other two arrays, the lowest cells, and the first
        free ones above.
    """
    start = np.concatenate([[0], np.cumsum(cells[:, 0])])
    bottom = np.full(start[-1], np.inf)
    top = np.zeros(start[-1])
    one = xy_cells.reshape(-1, 2)
    two = xy_cells[:, [1, 2, 0]].reshape(-1, 2)
    chart = np.repeat(charts.chart_of_face, 3)
    # Points along every edge, close enough to touch each column.
    steps = np.ceil(np.abs(two - one).max(1)).astype(np.int64) * 2 + 2
    edge = np.repeat(np.arange(len(one)), steps)
    along = (np.arange(len(edge)) - np.repeat(np.cumsum(steps) - steps, steps)) / (steps[edge] - 1)
    point = one[edge] + (two[edge] - one[edge]) * along[:, None]
    width = cells[chart[edge], 0]
    for shift in (0.0, gutter, 2 * gutter):
        column = np.minimum((point[:, 0] + shift).astype(np.int64), width - 1)
        where = start[chart[edge]] + column
        np.minimum.at(bottom, where, point[:, 1])
        np.maximum.at(top, where, point[:, 1] + 2 * gutter)
    empty = ~np.isfinite(bottom)
    bottom[empty] = 0
    return start[:-1], np.floor(bottom).astype(np.int64), np.ceil(top).astype(np.int64)
