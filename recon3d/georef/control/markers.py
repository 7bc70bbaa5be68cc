"""Markers: named places that photos show, with or without coordinates, and lengths between them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass, replace
from functools import cached_property

from recon3d.core.errors import ReconError
from recon3d.core.scene import ImageSet, Point
from recon3d.georef.back_projection import is_outside, upright_pixel
from recon3d.georef.control.points import (
    ControlError,
    ControlPoint,
    GroundControl,
    check_control,
    in_words,
)
from recon3d.georef.known_scale import PhotoPixel
from recon3d.photos.naming import match_by_name

BAR_ACCURACY_M = 0.001
"""Of a scale bar whose accuracy nobody says: a good tape or a printed bar."""
_FEWEST_MARKS = 2


@dataclass(frozen=True)
class Marker:
    """A place by name."""

    name: str
    marks: tuple[PhotoPixel, ...] = ()
    """Where photos show it; at most one in each."""
    enh_m: Point | None = None
    """East, north and height in metres, where they are known."""
    accuracy_m: float | None = None
    """One standard deviation of each coordinate; None where nobody says."""
    is_check: bool = False
    """Its coordinates are only compared, never used."""


@dataclass(frozen=True)
class ScaleBar:
    """A measured length between two markers."""

    start: str
    end: str
    length_m: float
    accuracy_m: float | None = None
    """One standard deviation; None is `BAR_ACCURACY_M`."""
    is_check: bool = False

    @property
    def text(self) -> str:
        """As people write it."""
        return f"{self.start} to {self.end} = {self.length_m:g} m"

    @property
    def sigma_m(self) -> float:
        """One standard deviation."""
        return BAR_ACCURACY_M if self.accuracy_m is None else self.accuracy_m


@dataclass(frozen=True)
class Markers:
    """All markers of a project, or of the files of a run."""

    points: tuple[Marker, ...] = ()
    bars: tuple[ScaleBar, ...] = ()
    crs: str = ""
    """Of the coordinates, as pyproj reads it; empty where nobody said."""
    by_hand: bool = False
    """Set in the window, where work in progress is usual: what is not enough yet is a warning."""

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.points or self.bars)

    @cached_property
    def digest(self) -> str:
        """Of all that counts."""
        return hashlib.sha256(repr(astuple(self)).encode("utf-8", "replace")).hexdigest()

    @property
    def control(self) -> GroundControl | None:
        """The markers with coordinates; None without any."""
        known = [one for one in self.points if one.enh_m is not None]
        if not known:
            return None
        in_bars = {name for bar in self.bars for name in (bar.start, bar.end)}
        strangers = sorted(
            one.name
            for one in self.points
            if one.enh_m is None and one.marks and one.name not in in_bars
        )
        # In the window such a marker is what one sees of it, and nothing to be warned of.
        notes = (
            (f"Marks of {in_words(strangers)} do not count: they have no coordinates.",)
            if strangers and not self.by_hand
            else ()
        )
        points = tuple(
            ControlPoint(one.name, one.enh_m, one.accuracy_m, one.is_check, one.marks)
            for one in known
            if one.enh_m is not None
        )
        content = repr((self.crs, [astuple(point) for point in points], notes))
        digest = hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()
        return GroundControl(points, self.crs, digest, notes)

    @property
    def for_bars(self) -> Markers:
        """The scale bars with the marks of their ends, and nothing else."""
        ends = {name for bar in self.bars for name in (bar.start, bar.end)}
        points = tuple(
            Marker(one.name, one.marks)
            for one in sorted(self.points, key=lambda one: one.name)
            if one.name in ends
        )
        return Markers(points, self.bars)

    def in_photos(self, photo_ids: Sequence[str]) -> Markers:
        """With the marks in some photos only, each under the id of its photo."""
        names = {mark.photo for one in self.points for mark in one.marks}
        ids = {name: photo_id for photo_id, name in match_by_name(photo_ids, names).items()}
        return replace(
            self,
            points=tuple(
                replace(
                    one,
                    marks=tuple(
                        replace(mark, photo=ids[mark.photo])
                        for mark in one.marks
                        if mark.photo in ids
                    ),
                )
                for one in self.points
            ),
        )

    def named(self, name: str) -> Marker | None:
        """The marker of that name."""
        return next((one for one in self.points if one.name == name), None)


def usable_markers(
    markers: Markers, checks: Sequence[str], image_set: ImageSet
) -> tuple[GroundControl | None, Markers | None, tuple[str, ...]]:
    """What of the markers a run can use: control points, scale bars, and what is missing, in words.

    checks: names of more check points.

    Raises:
        ControlError: they come from files and are not enough; set by hand that is only told.
    """
    control, notes = markers.control, list[str]()
    bars = markers.for_bars if markers.bars else None
    try:
        if control:
            check_control(control, checks, image_set)
    except ReconError as error:
        if not markers.by_hand:
            raise
        notes.append(f"The markers' coordinates do not count: {error}")
        control = None
    if bars:
        problems = bar_problems(bars, image_set)
        if problems and not markers.by_hand:
            raise ControlError(
                next(iter(problems.values())),
                hint="Every end of a scale bar needs a name, and marks in two photos or more "
                "(name,photo,x,y in the file of --gcp-marks).",
            )
        notes += [f"The scale bar {bar.text} does not count: {problems[bar]}" for bar in problems]
        bars = replace(bars, bars=tuple(bar for bar in bars.bars if bar not in problems)).for_bars
    return control, bars if bars and bars.bars else None, tuple(notes)


def bar_problems(markers: Markers, image_set: ImageSet) -> dict[ScaleBar, str]:
    """Why scale bars cannot be measured, whatever is placed: a sentence for each such bar."""
    photos = {photo.id: photo for photo in image_set.photos}
    here = {one.name: one for one in markers.in_photos([*photos]).points}
    found: dict[ScaleBar, str] = {}
    for bar in markers.bars:
        for name in (bar.start, bar.end):
            problem = _problem(name, here.get(name), here)
            for mark in here[name].marks if name in here else ():
                photo = photos[mark.photo]
                size = photo.width_px, photo.height_px
                if is_outside(upright_pixel(photo, mark, image_set.orientation), size):
                    problem = outside_words(name, mark, size)
            if problem:
                found.setdefault(bar, problem)
    return found


def outside_words(name: str, mark: PhotoPixel, size: tuple[int, int]) -> str:
    """Where a mark is not in its photo."""
    return (
        f"{name} is marked at {mark.column:g},{mark.row:g} of {mark.photo}, which has only "
        f"{size[0]} x {size[1]} pixels."
    )


def _problem(name: str, marker: Marker | None, known: Collection[str]) -> str:
    if marker is None:
        there = f" There are {in_words(sorted(known))}." if known else ""
        return f"No marker is called {name}.{there}"
    if len(marker.marks) < _FEWEST_MARKS:
        return (
            f"{name} is marked in {'one photo' if marker.marks else 'no photo'} only, and two are "
            "needed."
        )
    return ""
