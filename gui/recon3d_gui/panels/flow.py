"""Where widgets stand that go on in the next row, as words do."""

from __future__ import annotations

from collections.abc import Sequence


def flowed(
    widths_px: Sequence[Sequence[float]], room_px: float, gap_px: int, break_px: int
) -> tuple[list[list[tuple[int, int]]], int]:
    """The left edge and row of each widget of each group, and how many rows there are.

    A group that has no room behind another one begins a row; in itself it is broken only where it
    is wider than a row. The gap is between widgets, the break between groups of one row.
    """
    places: list[list[tuple[int, int]]] = []
    left, row = 0.0, 0
    for group in widths_px:
        whole = sum(group) + gap_px * (len(group) - 1)
        if left and left + break_px + whole > room_px:
            left, row = 0.0, row + 1
        elif left:
            left += break_px
        places.append([])
        for index, width in enumerate(group):
            if index and left + width > room_px:
                left, row = 0.0, row + 1
            places[-1].append((round(left), row))
            left += width + gap_px
        left -= gap_px
    return places, row + 1
