"""Markers and scale bars as the project keeps them, and how a person changes them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from recon3d.core.errors import ConfigError
from recon3d.georef.control.markers import Marker, Markers, ScaleBar
from recon3d.georef.known_scale import PhotoPixel
from recon3d_gui.project.measurements import usable_name

MOST = 2000
"""Markers, marks of one, and scale bars of a project."""
NONE = Markers(by_hand=True)
_FEWEST_MARKS = 2


def new_name(markers: Markers) -> str:
    """The first of Point 1, Point 2, ... that is free."""
    taken, number = {one.name for one in markers.points}, 1
    while f"Point {number}" in taken:
        number += 1
    return f"Point {number}"


def with_mark(markers: Markers, name: str, mark: PhotoPixel) -> Markers:
    """The marker, made where there is none, marked in one more photo or elsewhere in it."""
    before = markers.named(name) or Marker(name)
    others = tuple(each for each in before.marks if each.photo != mark.photo)
    return _with(markers, name, replace(before, marks=(*others, mark)))


def without_mark(markers: Markers, name: str, photo: str) -> Markers:
    """The marker, no longer marked in a photo."""
    before = markers.named(name)
    if before is None:
        return markers
    left = tuple(each for each in before.marks if each.photo != photo)
    return _with(markers, name, replace(before, marks=left))


def without(markers: Markers, name: str) -> Markers:
    """Without a marker, and without the lengths that end there."""
    return replace(
        markers,
        points=tuple(one for one in markers.points if one.name != name),
        bars=tuple(bar for bar in markers.bars if name not in (bar.start, bar.end)),
    )


def renamed(markers: Markers, name: str, text: str) -> Markers:
    """With another name, also at the ends of lengths.

    Raises:
        ConfigError: the name is empty or taken.
    """
    new, before = usable_name(text), markers.named(name)
    if before is None or new == name:
        return markers
    if not new:
        raise ConfigError("A marker needs a name.")
    if markers.named(new):
        raise ConfigError(
            f"There is a marker called {new} already.", hint="Every marker needs its own name."
        )
    bars = tuple(
        replace(bar, start=_swapped(bar.start, name, new), end=_swapped(bar.end, name, new))
        for bar in markers.bars
    )
    return replace(_with(markers, name, replace(before, name=new)), bars=bars)


def with_coordinates(
    markers: Markers,
    name: str,
    enh_m: tuple[float, float, float] | None,
    accuracy_m: float | None,
    is_check: bool,
) -> Markers:
    """With what a survey says of a marker; None: nothing.

    Raises:
        ConfigError: the accuracy is not above 0.
    """
    before = markers.named(name)
    if before is None:
        return markers
    if accuracy_m is not None and accuracy_m <= 0:
        raise ConfigError(f"The accuracy is {accuracy_m:g} m, and must be above 0.")
    after = replace(before, enh_m=enh_m, accuracy_m=accuracy_m, is_check=is_check)
    return _with(markers, name, after)


def with_bar(markers: Markers, bar: ScaleBar) -> Markers:
    """With a known length, which takes the place of one between the same two markers.

    Raises:
        ConfigError: its ends are no two markers, or it is not above 0.
    """
    if bar.start == bar.end or not (markers.named(bar.start) and markers.named(bar.end)):
        raise ConfigError("A known length needs two different markers.")
    if not (bar.length_m > 0 and (bar.accuracy_m is None or bar.accuracy_m > 0)):
        raise ConfigError("A known length and its accuracy must be above 0.")
    ends = {bar.start, bar.end}
    others = tuple(each for each in markers.bars if {each.start, each.end} != ends)
    return replace(markers, bars=(*others, bar))


def without_bar(markers: Markers, bar: ScaleBar) -> Markers:
    """Without a known length."""
    return replace(markers, bars=tuple(each for each in markers.bars if each != bar))


def joined(markers: Markers, read: Markers) -> Markers:
    """With those of files: coordinates, marks and lengths there replace what they name here."""
    found = {one.name: one for one in markers.points}
    for one in read.points:
        upright = tuple(replace(mark, is_upright=True) for mark in one.marks)
        before = found.get(one.name, Marker(one.name))
        marks = {mark.photo: mark for mark in (*before.marks, *upright)}
        known = one if one.enh_m is not None else before
        found[one.name] = Marker(
            one.name, tuple(marks.values()), known.enh_m, known.accuracy_m, known.is_check
        )
    ends = [{bar.start, bar.end} for bar in read.bars]
    bars = tuple(bar for bar in markers.bars if {bar.start, bar.end} not in ends)
    return replace(
        markers, points=tuple(found.values()), bars=bars + read.bars, crs=read.crs or markers.crs
    )


def stamp(markers: Markers) -> str:
    """Of what a run can use of them: another one where a run would come to something else."""
    ready = {one.name for one in markers.points if len(one.marks) >= _FEWEST_MARKS}
    bars = tuple(bar for bar in markers.bars if {bar.start, bar.end} <= ready)
    ends = {name for bar in bars for name in (bar.start, bar.end)}
    points = tuple(
        one
        for one in markers.points
        if one.name in ready and (one.enh_m is not None or one.name in ends)
    )
    counting = replace(markers, points=points, bars=bars)
    return counting.digest[:16] if counting else ""


def plain_points(markers: Markers) -> list[dict[str, Any]]:
    """The markers for a project file."""
    return [
        {
            "name": one.name,
            "marks": [{"photo": m.photo, "at": [m.column, m.row]} for m in one.marks],
            **({} if one.enh_m is None else {"enh_m": [*one.enh_m]}),
            **({} if one.accuracy_m is None else {"accuracy_m": one.accuracy_m}),
            **({"check": True} if one.is_check else {}),
        }
        for one in markers.points
    ]


def plain_bars(markers: Markers) -> list[dict[str, Any]]:
    """The known lengths for a project file."""
    return [
        {
            "from": bar.start,
            "to": bar.end,
            "length_m": bar.length_m,
            **({} if bar.accuracy_m is None else {"accuracy_m": bar.accuracy_m}),
            **({"check": True} if bar.is_check else {}),
        }
        for bar in markers.bars
    ]


def read_point(fields: Mapping[str, Any]) -> Marker:
    """What `plain_points` made.

    Raises:
        ValueError: it is damaged; or KeyError, TypeError or AttributeError.
    """
    marks = {}
    for each in fields["marks"][:MOST]:
        column, row = map(_finite, each["at"])
        marks[_name(each["photo"])] = PhotoPixel(each["photo"], column, row, is_upright=True)
    enh_m = None
    if "enh_m" in fields:
        east, north, height = map(_finite, fields["enh_m"])
        enh_m = (east, north, height)
    name, accuracy_m = usable_name(_name(fields["name"])), _accuracy(fields)
    return Marker(_name(name), tuple(marks.values()), enh_m, accuracy_m, _flag(fields))


def read_bar(fields: Mapping[str, Any]) -> ScaleBar:
    """What `plain_bars` made; raises as `read_point`."""
    length_m = _finite(fields["length_m"])
    start, end = _name(fields["from"]), _name(fields["to"])
    if length_m <= 0 or start == end:
        raise ValueError(fields)
    return ScaleBar(start, end, length_m, _accuracy(fields), _flag(fields))


def assembled(points: Iterable[Marker], bars: Iterable[ScaleBar], crs: str) -> Markers:
    """Of what a project file says: a name once, and lengths between markers that are there."""
    named: dict[str, Marker] = {}
    for one in points:
        named.setdefault(one.name, one)
    lengths: dict[frozenset[str], ScaleBar] = {}
    for bar in bars:
        if bar.start in named and bar.end in named:
            lengths.setdefault(frozenset((bar.start, bar.end)), bar)
    return Markers(tuple(named.values())[:MOST], tuple(lengths.values())[:MOST], crs, by_hand=True)


def _with(markers: Markers, name: str, marker: Marker) -> Markers:
    if markers.named(name) is None:
        return replace(markers, points=(*markers.points, marker))
    points = tuple(marker if one.name == name else one for one in markers.points)
    return replace(markers, points=points)


def _swapped(name: str, old: str, new: str) -> str:
    return new if name == old else name


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(value)
    return value


def _accuracy(fields: Mapping[str, Any]) -> float | None:
    if "accuracy_m" not in fields:
        return None
    if (value := _finite(fields["accuracy_m"])) <= 0:
        raise ValueError(value)
    return value


def _flag(fields: Mapping[str, Any]) -> bool:
    value = fields.get("check", False)
    if not isinstance(value, bool):
        raise ValueError(value)
    return value


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(value)
    return float(value)
