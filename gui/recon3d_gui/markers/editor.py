"""Setting markers in the photo that is shown. Free of the window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from recon3d.core.errors import ReconError
from recon3d.georef.control.files import bars_table, marks_table, points_table, read_markers
from recon3d.georef.control.markers import Markers, ScaleBar
from recon3d.georef.known_scale import PhotoPixel
from recon3d.run.files import atomic_path
from recon3d_gui.markers.measuring import Measuring
from recon3d_gui.photos.rows import PhotoRow
from recon3d_gui.project import markers as kept
from recon3d_gui.project.measurements import usable_name
from recon3d_gui.project.numbers import read_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from recon3d_gui.studio import Studio

Place = tuple[float, float]
"""Column and row of the upright photo in all its pixels, from the corner of its first pixel."""


@dataclass(frozen=True)
class Shown:
    """One mark on the photo, or where a marker should be."""

    name: str
    places: tuple[Place, ...]
    """One; more are the line on which the marker must be."""
    is_set: bool
    is_selected: bool = False
    is_wrong: bool = False


class MarkerEditor:
    """Which marker is selected, what is dragged, and every change of the markers."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self.is_on = False
        self.selected: str | None = None
        """Name of the marker that the next click sets; None: a new one."""
        self.row: PhotoRow | None = None
        self.measuring = Measuring()
        self._dragged: PhotoPixel | None = None

    @property
    def markers(self) -> Markers:
        """Of the project."""
        return self._studio.project.markers

    @property
    def may_change(self) -> bool:
        """Another window's project is only looked at."""
        return not self._studio.elsewhere

    @property
    def is_busy(self) -> bool:
        """Whether something is about to change by itself."""
        return self.is_on and self.measuring.is_busy

    @property
    def is_dragging(self) -> bool:
        """Whether a mark follows the mouse."""
        return self._dragged is not None

    def switch(self, *, on: bool) -> None:
        """Begin or end setting markers."""
        self.is_on, self._dragged = on, None

    def tick(self, row: PhotoRow | None) -> None:
        """Follow the project; each frame while the page is open."""
        if row is None or self.row is None or row.id != self.row.id:
            self._dragged = None
        self.row = row
        if self.selected and not self.markers.named(self.selected):
            self.selected = None
        if self.is_on:
            studio = self._studio
            names = {each.id: each.run_name or each.id for each in studio.photos.rows}
            photo = row.id if row else None
            self.measuring.ask(self.markers, studio.reached, names, photo, studio.project.config)
        self.measuring.tick()

    def shown(self) -> tuple[Shown, ...]:
        """What lies on the photo, foretold places first."""
        if self.row is None:
            return ()
        photo, found = self.row.id, self.measuring.found.markers
        foretold, own = [], []
        for one in self.markers.points:
            chosen, known = one.name == self.selected, found.get(one.name)
            mark = next((each for each in one.marks if each.photo == photo), None)
            if chosen and self._dragged:
                mark = self._dragged
            if mark is not None:
                wrong = bool(known and known.located and photo in known.located.wrong_px)
                own.append(Shown(one.name, (_corner(mark),), True, chosen, wrong))
            elif known and (at := known.predicted.get(photo)):
                foretold.append(Shown(one.name, (_corner(at),), False, chosen))
            elif known and chosen and (line := known.lines.get(photo)):
                foretold.append(Shown(one.name, tuple(map(_corner, line)), False, chosen))
        return (*foretold, *own)

    # --- with the mouse -----------------------------------------------------------------------

    def grab(self, at: Place, reach_px: float) -> bool:
        """Take hold of the mark, or of the foretold place, that is nearest; False: none is near."""
        near = self._near(at, reach_px)
        if near is None or self.row is None:
            return False
        self.selected = near.name
        if self.may_change:
            self._dragged = self._pixel(near.places[0])
        return True

    def drag(self, to: Place, size: tuple[int, int]) -> None:
        """Move the mark that was grabbed, at most to the photo's edge."""
        if self._dragged is not None:
            column, row = (min(max(v, 0.0), float(most)) for v, most in zip(to, size, strict=True))
            self._dragged = replace(self._dragged, column=column - 0.5, row=row - 0.5)

    def release(self) -> None:
        """Leave it where it is, which is kept."""
        mark, self._dragged = self._dragged, None
        if mark is not None and self.selected:
            self._set(self.selected, mark)

    def click(self, at: Place, size: tuple[int, int]) -> None:
        """Set the selected marker here, or a new one where it is set in this photo already."""
        if self.row is None or not self.may_change:
            return
        if not (0 <= at[0] <= size[0] and 0 <= at[1] <= size[1]):
            self._studio.toast("A marker must lie inside the photo.")
            return
        marker = self.markers.named(self.selected) if self.selected else None
        if marker is None or any(mark.photo == self.row.id for mark in marker.marks):
            self.selected = kept.new_name(self.markers)
        assert self.selected
        self._set(self.selected, self._pixel(at))

    def remove_here(self, at: Place, reach_px: float) -> None:
        """Take a mark away from this photo."""
        near = self._near(at, reach_px)
        if near is not None and near.is_set and self.row is not None:
            self.remove_mark(near.name, self.row.id)

    # --- by the list --------------------------------------------------------------------------

    def select(self, name: str | None) -> None:
        """The marker that the next click sets; None: a new one."""
        self.selected = name

    def remove_mark(self, name: str, photo: str) -> None:
        """Take the mark in a photo away."""
        after = kept.without_mark(self.markers, name, photo)
        self._change(f"Mark of {name} removed", lambda: after)

    def remove(self, name: str) -> None:
        """Take a marker away."""
        self._change(f"Marker {name} removed", lambda: kept.without(self.markers, name))

    def rename(self, name: str, text: str) -> bool:
        """Give a marker another name; False where that is impossible, which is told."""
        if not self._change(
            f"Marker {name} renamed", lambda: kept.renamed(self.markers, name, text)
        ):
            return False
        if self.selected == name and not self.markers.named(name):
            self.selected = usable_name(text)
        return True

    def survey(self, name: str, texts: Sequence[str], accuracy: str, *, is_check: bool) -> bool:
        """Say where a marker is by its east, north and height; empty texts: nobody knows."""

        def after() -> Markers:
            empty = not any(text.strip() for text in texts)
            enh_m = None if empty else tuple(map(read_number, texts))
            accuracy_m = read_number(accuracy) if accuracy.strip() else None
            assert enh_m is None or len(enh_m) == 3
            return kept.with_coordinates(self.markers, name, enh_m, accuracy_m, is_check)

        return self._change(f"Coordinates of {name}", after)

    def add_bar(self, start: str, end: str, length: str, accuracy: str) -> bool:
        """Say how far two markers are from each other, in metres."""

        def after() -> Markers:
            accuracy_m = read_number(accuracy) if accuracy.strip() else None
            bar = ScaleBar(start, end, read_number(length), accuracy_m)
            return kept.with_bar(self.markers, bar)

        return self._change(f"Length from {start} to {end}", after)

    def check_bar(self, bar: ScaleBar, *, is_check: bool) -> None:
        """Whether a length is only compared."""
        after = replace(bar, is_check=is_check)
        self._change(
            f"Length from {bar.start} to {bar.end}", lambda: kept.with_bar(self.markers, after)
        )

    def remove_bar(self, bar: ScaleBar) -> None:
        """Take a length away."""
        self._change(
            f"Length from {bar.start} to {bar.end} removed",
            lambda: kept.without_bar(self.markers, bar),
        )

    # --- files --------------------------------------------------------------------------------

    def ask_import(self) -> None:
        """Ask for tables of coordinates, marks or lengths."""
        self._studio.ask.files("Import markers", self.take_files)

    def take_files(self, paths: Sequence[Path]) -> None:
        """Read tables, in any order; what they name replaces what is here."""

        def read() -> Callable[[], None]:
            found = kept.NONE
            for path in paths:
                found = kept.joined(found, read_table_of_markers(path))
            return partial(self._take, found)

        self._studio.in_background(read)

    def ask_export(self) -> None:
        """Ask where to write the tables that the command line reads."""
        self._studio.ask.save("Export markers", "markers.csv", self.write_files)

    def write_files(self, file: Path) -> None:
        """Write `NAME_points.csv`, `NAME_marks.csv` and `NAME_lengths.csv`; what is empty not."""
        markers = self.markers
        tables = {
            "points": points_table(markers),
            "marks": marks_table(markers),
            "lengths": bars_table(markers) if markers.bars else "",
        }
        written = []
        try:
            for what, text in tables.items():
                if text:
                    target = file.with_name(f"{file.stem}_{what}.csv")
                    with atomic_path(target) as part:
                        part.write_text(text, encoding="utf-8")
                    written.append(target.name)
        except (ReconError, OSError) as error:
            self._studio.toast(f"The markers could not be saved: {error}", "bad")
            return
        self._studio.toast(f"Saved: {', '.join(written)}.", "good")

    def _take(self, found: Markers) -> None:
        here = found.in_photos([row.id for row in self._studio.photos.rows])
        kept_marks, all_marks = (
            sum(len(one.marks) for one in each.points) for each in (here, found)
        )
        if kept_marks < all_marks:
            self._studio.toast(
                f"{all_marks - kept_marks} of {all_marks} marks were left out: no photo here has "
                "the name that they give.",
                "warning",
            )
        after = kept.joined(self.markers, here)
        known = {one.name for one in after.points}
        for bar in after.bars:
            if not {bar.start, bar.end} <= known:
                self._studio.toast(
                    f"The length from {bar.start} to {bar.end} was left out: there is no such "
                    "marker yet.",
                    "warning",
                )
        whole = kept.assembled(after.points, after.bars, after.crs)
        self._change("Markers imported", lambda: whole)

    def _near(self, at: Place, reach_px: float) -> Shown | None:
        def away(each: Shown) -> float:
            (x, y) = each.places[0]
            return (x - at[0]) ** 2 + (y - at[1]) ** 2

        near = [
            each for each in self.shown() if len(each.places) == 1 and away(each) <= reach_px**2
        ]
        return min(near, key=lambda each: (not each.is_set, away(each)), default=None)

    def _pixel(self, at: Place) -> PhotoPixel:
        assert self.row
        # Viewers count pixels, places are measured from the picture's corner.
        return PhotoPixel(self.row.id, at[0] - 0.5, at[1] - 0.5, is_upright=True)

    def _set(self, name: str, mark: PhotoPixel) -> None:
        label = f"Marker {name} in {mark.photo}"
        self._change(label, lambda: kept.with_mark(self.markers, name, mark))

    def _change(self, label: str, after: Callable[[], Markers]) -> bool:
        if not self.may_change:
            self._studio.toast(self._studio.elsewhere, "warning")
            return False
        try:
            self._studio.change(label, markers=after())
        except ReconError as error:
            self._studio.toast(str(error), "warning", error.hint)
            return False
        return True


def read_table_of_markers(path: Path) -> Markers:
    """A table of coordinates, marks or both, or one of lengths, told by its columns.

    Raises:
        ReconError: it is none of these; says which line.
    """
    try:
        return read_markers(path)
    except ReconError as error:
        try:
            return read_markers(None, None, path)
        except ReconError as other:
            raise (other if "scale bar" in str(other) else error) from None


def _corner(pixel: PhotoPixel) -> Place:
    return pixel.column + 0.5, pixel.row + 0.5
