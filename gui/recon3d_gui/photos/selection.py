"""Which photos are selected, by the rules of file managers."""

from __future__ import annotations

from collections.abc import Sequence


class PhotoSelection:
    """Photo ids; the anchor is where a Shift range starts, the current one is shown large."""

    def __init__(self) -> None:
        self.ids: frozenset[str] = frozenset()
        self.current: str | None = None
        self._anchor: str | None = None

    def click(self, photo_id: str, shown: Sequence[str], *, shift: bool, ctrl: bool) -> None:
        """Select one; with Ctrl toggle it; with Shift all up to it, added to the rest with Ctrl.

        shown: the ids in the order of the list.
        """
        self.current = photo_id
        if shift and self._anchor in shown and photo_id in shown:
            ends = sorted((shown.index(self._anchor), shown.index(photo_id)))
            span = frozenset(shown[ends[0] : ends[1] + 1])
            self.ids = self.ids | span if ctrl else span
            return
        self.ids = self.ids ^ {photo_id} if ctrl else frozenset({photo_id})
        self._anchor = photo_id

    def step(self, by: int, shown: Sequence[str], *, shift: bool = False) -> None:
        """Go on to a neighbour in the list; to its start where nothing is selected."""
        if not shown:
            return
        index = shown.index(self.current) + by if self.current in shown else 0
        self.click(shown[min(max(index, 0), len(shown) - 1)], shown, shift=shift, ctrl=False)

    def select_all(self, shown: Sequence[str]) -> None:
        """Everything that is shown."""
        self.ids = frozenset(shown)

    def keep_only(self, existing: Sequence[str]) -> None:
        """Forget photos that are gone."""
        known = frozenset(existing)
        self.ids &= known
        self.current = self.current if self.current in known else None
        self._anchor = self._anchor if self._anchor in known else None
