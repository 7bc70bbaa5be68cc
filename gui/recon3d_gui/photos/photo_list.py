"""The photos of the project, kept up to date in the background; free of the window."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any, Literal

from platformdirs import user_cache_path

from recon3d_gui.photos.latest import Latest
from recon3d_gui.photos.rows import Filter, Found, Order, PhotoRow, arrange, make_rows
from recon3d_gui.photos.selection import PhotoSelection
from recon3d_gui.photos.sources import Listing, Sources, added, list_sources, removed
from recon3d_gui.photos.thumbnail_cache import ThumbnailCache
from recon3d_gui.photos.thumbnails import Thumbnails
from recon3d_gui.photos.verdicts import read_found
from recon3d_gui.project.project import Project

Change = Callable[..., Any]
"""(label, **fields of the project): one step that undo takes back."""
Tell = Callable[..., Any]
"""(text, kind, details): a short message to the user."""

MaskSource = Literal["drawn", "given", "found"]
"""Who made a mask: a person in the window, another program, or the run."""

_STAGES = ("ingest", "mask command", "pose", "masks")
"""Which decide what becomes of a photo, and what of it counts."""
_SUM_UP_SECONDS = 0.3
"""While photos are looked at, what depends on all of them is brought up to date that often."""


def default_thumbnails() -> Thumbnails:
    """Thumbnails that are kept in the user's cache folder."""
    cache = ThumbnailCache(user_cache_path("recon3d", appauthor=False) / "thumbnails")
    return Thumbnails(cache.look_at, cache.prune)


class PhotoList:
    """Rows of photos with what became of them; `tick` keeps them up to date.

    revision grows with every change of rows, filter, order or selection.
    """

    def __init__(self, change: Change, tell: Tell, thumbnails: Thumbnails | None = None) -> None:
        self.thumbnails = thumbnails or default_thumbnails()
        self.selection = PhotoSelection()
        self.revision = 0
        self.listings = 0
        """How often the files were listed; what they hold may have changed each time."""
        self.rows: tuple[PhotoRow, ...] = ()
        """Every photo, by name."""
        self.shown: tuple[PhotoRow, ...] = ()
        """Those that the filter lets through, in the chosen order."""
        self.problem = ""
        """Why there are no photos although there are sources."""
        self.hint = ""
        self.broken = 0
        """How many photos cannot be used, of those that were looked at and not left out."""
        self.usual_sharpness = 0.0
        """The median of all photos that were looked at; 0 before."""
        self._change = change
        self._tell = tell
        self._filter: Filter = "all"
        self._order: Order = "name"
        self._is_reversed = False
        self._project: Project | None = None
        self._reached: Mapping[str, Path] = {}
        self._listing = Listing({}, {})
        self._found = Found({}, {})
        self._listings: Latest[Listing] = Latest("list photos")
        self._findings: Latest[Found] = Latest("read verdicts")
        self._by_id: dict[str, PhotoRow] = {}
        self._learned: list[Path] = []
        self._summed_up_at = 0.0

    @property
    def is_listing(self) -> bool:
        """Whether photos are still being looked for."""
        return self._listings.is_waiting

    @property
    def is_busy(self) -> bool:
        """Whether rows are about to change, so that the window should be drawn often."""
        waiting = self.is_listing or self._findings.is_waiting or bool(self._learned)
        return waiting or self.thumbnails.is_busy

    def mask(self, photo_id: str) -> Path | None:
        """A photo's mask, white = keep: drawn, given, or found by the run, the first there is."""
        return next(iter(self.masks(photo_id).values()), None)

    def masks(self, photo_id: str) -> dict[MaskSource, Path]:
        """All masks of a photo, by who made them."""
        sources: tuple[tuple[MaskSource, Mapping[str, Path]], ...] = (
            ("drawn", self._listing.drawn),
            ("given", self._listing.masks),
            ("found", self._found.masks),
        )
        return {source: found[photo_id] for source, found in sources if photo_id in found}

    @property
    def filter(self) -> Filter:
        """Which photos are shown."""
        return self._filter

    @filter.setter
    def filter(self, shown: Filter) -> None:
        self._filter = shown
        self._arrange()

    @property
    def order(self) -> Order:
        """In which order they are shown."""
        return self._order

    @order.setter
    def order(self, order: Order) -> None:
        self._order, self._is_reversed = order, False
        self._arrange()

    @property
    def is_reversed(self) -> bool:
        """Whether the order is turned around."""
        return self._is_reversed

    def sort_by(self, order: Order) -> None:
        """As a click on the head of a table does: in this order, or in it turned around."""
        is_again = order == self._order
        self._order, self._is_reversed = order, is_again and not self._is_reversed
        self._arrange()

    def row(self, photo_id: str) -> PhotoRow | None:
        """The row of a photo; None if there is none of that id."""
        return self._by_id.get(photo_id)

    def of_run(self, name: str) -> str:
        """The id of the photo that the shown run knows by a name."""
        return next((row.id for row in self.rows if row.run_name == name), name)

    def tick(self, project: Project, reached: Mapping[str, Path], *, busy: bool = False) -> None:
        """Take over what has changed or been found since the last call; cheap when nothing has.

        reached: by stage, the finished folders of the run that is shown.
        busy: a run is at work, so photos that nobody looks at must wait.
        """
        before = self._project
        if project is not before:
            self._project = project
            if before is None or _files(before) != _files(project):
                self.refresh()
            elif before.excluded != project.excluded:
                self._rebuild()
        if any(reached.get(stage) != self._reached.get(stage) for stage in _STAGES):
            self._reached = {stage: reached[stage] for stage in _STAGES if stage in reached}
            self._find()
        if (listing := self._listings.answer()) is not None:
            self._take(listing)
        if (found := self._findings.answer()) is not None:
            self._found = found
            self._rebuild()
        self.thumbnails.rest(busy)
        arrived = self.thumbnails.arrived
        self._learned += self.thumbnails.collect()
        if self.thumbnails.arrived > arrived:
            self.revision += 1
        if self._learned and time.monotonic() - self._summed_up_at > _SUM_UP_SECONDS:
            self._sum_up()

    def refresh(self) -> None:
        """List the files again."""
        assert self._project
        files = _files(self._project)
        if files[0]:
            self._listings.ask(lambda: list_sources(*files))
        else:
            self._listings.drop()
            self._take(Listing({}, {}))
        self.revision += 1

    def add(self, paths: Iterable[Path]) -> None:
        """Take files and folders into the project; tells of those that are no photos."""
        assert self._project
        result = added(self._project, paths)
        self._change("Add photos", **_changed(result))
        self._tell_refused(result.refused, "could not be added")

    def remove(self, photo_ids: Collection[str]) -> None:
        """Take photos out of the project; the files stay where they are."""
        assert self._project
        result = removed(self._project, self._listing.files, photo_ids)
        self._change("Remove photos", **_changed(result))
        self._tell_refused(result.refused, "cannot be removed alone; exclude them instead")

    def exclude(self, photo_ids: Collection[str]) -> None:
        """Leave photos out of the next run."""
        assert self._project
        label = "Exclude photo" if len(photo_ids) == 1 else f"Exclude {len(photo_ids)} photos"
        self._change(label, excluded=self._project.excluded | frozenset(photo_ids))

    def include(self, photo_ids: Collection[str]) -> None:
        """Use photos again in the next run."""
        assert self._project
        label = "Include photo" if len(photo_ids) == 1 else f"Include {len(photo_ids)} photos"
        self._change(label, excluded=self._project.excluded - frozenset(photo_ids))

    def toggle(self, photo_ids: Collection[str]) -> None:
        """Exclude them, or include them where all are excluded already."""
        assert self._project
        if frozenset(photo_ids) <= self._project.excluded:
            self.include(photo_ids)
        else:
            self.exclude(photo_ids)

    def select(self, photo_id: str, *, shift: bool = False, ctrl: bool = False) -> None:
        """As a click does (`PhotoSelection.click`)."""
        self.selection.click(photo_id, self._shown_ids, shift=shift, ctrl=ctrl)
        self.revision += 1

    def step(self, by: int, *, shift: bool = False) -> None:
        """As an arrow key does (`PhotoSelection.step`)."""
        self.selection.step(by, self._shown_ids, shift=shift)
        self.revision += 1

    def select_all(self) -> None:
        """Everything that is shown."""
        self.selection.select_all(self._shown_ids)
        self.revision += 1

    def close(self) -> None:
        """Stop the threads."""
        self.thumbnails.close()

    def _take(self, listing: Listing) -> None:
        self._listing = listing
        self.listings += 1
        self.problem, self.hint = ("", "") if listing.files else (listing.problem, listing.hint)
        if listing.problem and listing.files:  # without any it stands where they would be
            self._tell(listing.problem, "warning", listing.hint)
        self.thumbnails.forget()
        self._rebuild()
        self._find()
        self.thumbnails.survey([row.picture for row in self.rows])

    def _find(self) -> None:
        reached = dict(self._reached)
        if reached:
            files = self._listing.files
            self._findings.ask(lambda: read_found(reached, files))
        else:
            self._findings.drop()
            self._found = Found({}, {})
            self._rebuild()

    @property
    def _shown_ids(self) -> list[str]:
        return [row.id for row in self.shown]

    def _sum_up(self) -> None:
        """Follow what was learned of the files."""
        known = [self.thumbnails.facts(file) for file in self._learned]
        if self._order != "name" or any(facts and facts.reason for facts in known):
            self._rebuild()
        else:
            self._compare()

    def _compare(self) -> None:
        self._learned, self._summed_up_at = [], time.monotonic()
        included = [row.picture for row in self.rows if row.state != "excluded"]
        self.broken = sum(bool(f and f.reason) for f in map(self.thumbnails.facts, included))
        known = (self.thumbnails.facts(row.picture) for row in self.rows)
        self.usual_sharpness = median([f.sharpness for f in known if f and f.sharpness] or [0.0])
        self.revision += 1

    def _rebuild(self) -> None:
        excluded = self._project.excluded if self._project else frozenset()
        pictures = [row.picture for row in self.rows]
        self.rows = tuple(
            make_rows(self._listing.files, excluded, self._found, self.thumbnails.facts)
        )
        self._by_id = {row.id: row for row in self.rows}
        self.selection.keep_only([row.id for row in self.rows])
        if pictures != (now := [row.picture for row in self.rows]):
            self.thumbnails.survey(now)
        self._compare()
        self._arrange()

    def _arrange(self) -> None:
        facts, turned = self.thumbnails.facts, self._is_reversed
        self.shown = tuple(arrange(self.rows, self._filter, self._order, facts, is_reversed=turned))
        self.revision += 1

    def _tell_refused(self, refused: Mapping[Path, str], what: str) -> None:
        if not refused:
            return
        (path, reason), *others = refused.items()
        subject = path.name if not others else f"{path.name} and {len(others)} more"
        details = "\n".join(f"{path}: {why}" for path, why in refused.items())
        self._tell(f"{subject} {what}: {reason}.", "warning", details)


def _changed(result: Sources) -> dict[str, Any]:
    return {
        "sources": result.sources, "named_below": result.named_below, "excluded": result.excluded,
    }  # fmt: skip


def _files(
    project: Project,
) -> tuple[tuple[Path, ...], Path | None, Path | None, Path | None, Path | None]:
    return (
        project.sources, project.masks, project.sensor_depth, project.named_below,
        project.drawn_masks,
    )  # fmt: skip
