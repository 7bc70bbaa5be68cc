"""Files of markers: tables with a header, and OpenDroneMap's gcp_list.txt."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from recon3d.core.printable import printable
from recon3d.georef.control.markers import Marker, Markers, ScaleBar
from recon3d.georef.control.points import ControlError, GroundControl
from recon3d.georef.control.tables import Row, Table, UnreadableTableError, read_table
from recon3d.georef.crs import (
    check_metres,
    is_geographic,
    looks_like_crs,
    parse_crs,
    transform,
    utm_zone,
)
from recon3d.georef.known_scale import PhotoPixel
from recon3d.photos.documents import shown

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "name": ("name", "id", "point", "pointid", "pointname", "label", "gcp", "gcpname", "gcplabel",
             "marker", "target", "no", "nr", "number", "punkt", "punktnummer"),
    "east": ("e", "east", "easting", "x", "geox", "rechtswert", "rw", "ost"),
    "north": ("n", "north", "northing", "y", "geoy", "hochwert", "hw", "nord"),
    "height": ("h", "z", "height", "elevation", "altitude", "alt", "geoz", "hoehe", "höhe"),
    "longitude": ("lon", "long", "longitude", "lng"),
    "latitude": ("lat", "latitude"),
    "accuracy": ("accuracy", "accuracym", "acc", "sigma", "std", "stddev", "precision",
                 "genauigkeit"),
    "role": ("role", "use", "usage", "type", "kind", "check", "checkpoint"),
    "photo": ("photo", "image", "imagename", "file", "filename", "img", "picture", "shot", "foto",
              "bild"),
    "start": ("from", "start", "frommarker", "startmarker", "von"),
    "end": ("to", "end", "tomarker", "endmarker", "nach", "bis"),
    "length": ("length", "lengthm", "distance", "distancem", "dist", "metres", "meters", "laenge",
               "länge", "abstand"),
    "column": ("px", "u", "col", "column", "imx", "imagex", "pixelx", "xpx", "xpixel"),
    "row": ("py", "v", "row", "imy", "imagey", "pixely", "ypx", "ypixel"),
}  # fmt: skip
_KNOWN = {name: column for column, names in _COLUMNS.items() for name in names}
_ODM = ("east", "north", "height", "column", "row", "photo", "name")
_POINTS = ("name", "east", "north", "height", "accuracy")
_MARKS = ("name", "photo", "column", "row")
_IS_CHECK = frozenset({"check", "checkpoint", "check point", "cp", "1", "true", "yes", "x"})
_IS_CONTROL = frozenset({"", "control", "control point", "gcp", "0", "false", "no"})
_BARS = ("start", "end", "length", "accuracy")
_BAR_WORDS = {"start": "from", "end": "to", "length": "length_m"}
_BAR_HINT = "Write a table with the columns from,to,length_m,accuracy_m: two names and metres."
_WGS84 = "EPSG:4326"
_HINT = (
    "Name the columns in the first line: name,E,N,H,accuracy for points and name,photo,x,y for "
    "marks, in any order. OpenDroneMap's gcp_list.txt is read too."
)


@dataclass
class _Found:
    """What the files say, as far as they are read."""

    enh: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    accuracy: dict[str, float] = field(default_factory=dict)
    checks: set[str] = field(default_factory=set)
    marks: dict[str, dict[str, PhotoPixel]] = field(default_factory=dict)
    bars: dict[frozenset[str], ScaleBar] = field(default_factory=dict)
    crs: str = ""
    is_geographic: bool = False


def read_ground_control(points: Path, marks: Path | None = None) -> GroundControl:
    """Read surveyed points and their marks, from one file or from two.

    Coordinates are metres east, north and up; longitudes and latitudes become those of their UTM
    zone. The system of coordinates is what the first line says.

    Raises:
        ControlError: there are no coordinates, or points or marks contradict each other.
        UnreadableTableError: a file is unreadable; the message names the line.
        ConfigError: a system of coordinates is unknown or does not count metres.
    """
    control = read_markers(points, marks).control
    if control is None:
        raise ControlError(f"{points} has no coordinates of ground control points.", hint=_HINT)
    return control


def read_markers(
    points: Path | None, marks: Path | None = None, bars: Path | None = None
) -> Markers:
    """Read markers: coordinates, where photos show them, and lengths between them.

    Coordinates are as `read_ground_control` has them; any file may be missing.

    Raises:
        ControlError: what the files say contradicts itself.
        UnreadableTableError: a file is unreadable; the message names the line.
        ConfigError: a system of coordinates is unknown or does not count metres.
    """
    found = _Found()
    for path in filter(None, (points, marks)):
        _add(found, path)
    if bars:
        _add_bars(found, bars)
    names = [*found.enh, *sorted(found.marks.keys() - found.enh.keys())]
    markers = Markers(
        tuple(
            Marker(
                name,
                tuple(found.marks.get(name, {}).values()),
                found.enh.get(name),
                found.accuracy.get(name),
                name in found.checks or name.lower().startswith("check"),
            )
            for name in names
        ),
        tuple(found.bars.values()),
        found.crs,
    )
    return _in_metres(markers) if found.is_geographic else markers


def _add_bars(found: _Found, path: Path) -> None:
    table = read_table(path, _KNOWN)
    columns = {
        _KNOWN[name]: index for index, name in enumerate(table.header) if name in _KNOWN
    } or {column: index for index, column in enumerate(_BARS)}
    if missing := [column for column in _BARS[:3] if column not in columns]:
        raise UnreadableTableError(
            f"{path.name} has no column for {_BAR_WORDS[missing[0]]}.", hint=_BAR_HINT
        )
    for row in table.rows:

        def cell(column: str, row: Row = row) -> str:
            index = columns.get(column, len(row.cells))
            return row.cells[index] if index < len(row.cells) else ""

        start, end = printable(cell("start")), printable(cell("end"))
        if not (start and end) or start == end:
            raise UnreadableTableError(
                f"{row.place}: a scale bar needs two names that differ.", hint=_BAR_HINT
            )
        length_m = table.number(row, columns["length"], "length")
        accuracy_m = (
            table.number(row, columns["accuracy"], "accuracy") if cell("accuracy") else None
        )
        for what, value in (("length", length_m), ("accuracy", accuracy_m)):
            if value is not None and value <= 0:
                raise UnreadableTableError(f"{row.place}: {what} is {value:g}, not above 0.")
        key = frozenset((start, end))
        if key in found.bars:
            raise ControlError(
                f"{row.place}: the length from {start} to {end} is given already.",
                hint="Give each pair of markers one length; the mean, where you measured several.",
            )
        role = cell("role").lower()
        if role not in _IS_CHECK | _IS_CONTROL:
            raise UnreadableTableError(
                f"{row.place}: the role of {start} to {end} is {shown(role)}.",
                hint="Write control or check.",
            )
        found.bars[key] = ScaleBar(start, end, length_m, accuracy_m, role in _IS_CHECK)


def points_table(markers: Markers) -> str:
    """The coordinates of markers as `read_markers` reads them; empty where none has any."""
    known = [(one, one.enh_m) for one in markers.points if one.enh_m is not None]
    if not known:
        return ""
    rows = [
        (one.name, *map(repr, enh), _number(one.accuracy_m), _role(one.is_check))
        for one, enh in known
    ]
    return (f"{markers.crs}\n" if markers.crs else "") + _csv(
        ("name", "E", "N", "H", "accuracy", "role"), rows
    )


def marks_table(markers: Markers) -> str:
    """Where photos show markers, as `read_markers` reads it."""
    rows = [
        (one.name, mark.photo, f"{mark.column:.3f}", f"{mark.row:.3f}")
        for one in markers.points
        for mark in one.marks
    ]
    return _csv(("name", "photo", "x", "y"), rows)


def bars_table(markers: Markers) -> str:
    """Scale bars, as `read_markers` reads them."""
    rows = [
        (bar.start, bar.end, repr(bar.length_m), _number(bar.accuracy_m), _role(bar.is_check))
        for bar in markers.bars
    ]
    return _csv(("from", "to", "length_m", "accuracy_m", "role"), rows)


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)


def _role(is_check: bool) -> str:
    return "check" if is_check else "control"


def _add(found: _Found, path: Path) -> None:
    table = read_table(path, _KNOWN)
    columns = _columns(table, path)
    named = next(filter(looks_like_crs, (table.title, *table.comments)), "")
    if named:
        found.crs = parse_crs(named, path.name)
    elif not table.header and table.title:
        raise UnreadableTableError(
            f"{path.name} begins with {shown(table.title)}, which is neither a header nor a system "
            "of coordinates.",
            hint=_HINT,
        )
    if "longitude" in columns and not found.crs:
        found.crs = _WGS84
    if found.crs:
        found.is_geographic = is_geographic(found.crs)
        if not found.is_geographic:
            check_metres(found.crs, path.name)
    for row in table.rows:
        _add_row(found, table, row, columns)


def _add_row(found: _Found, table: Table, row: Row, columns: Mapping[str, int]) -> None:
    def cell(column: str) -> str:
        index = columns.get(column, len(row.cells))
        return row.cells[index] if index < len(row.cells) else ""

    def number(column: str) -> float:
        return table.number(row, columns[column], column)

    name, enh = printable(cell("name")), None
    east, north = ("longitude", "latitude") if "longitude" in columns else ("east", "north")
    if east in columns:
        enh = (number(east), number(north), number("height"))
    if not name and enh and "photo" in columns:
        # In gcp_list.txt names may be missing: the same place is the same point.
        known = [other for other, place in found.enh.items() if place == enh]
        name = known[0] if known else f"point {len(found.enh) + 1}"
    if not name:
        raise UnreadableTableError(f"{row.place}: the point has no name.", hint=_HINT)
    if enh:
        before = found.enh.get(name)
        if before and (before != enh or "photo" not in columns):
            raise ControlError(
                f"{row.place}: {name} has coordinates already"
                + (", and others." if before != enh else "."),
                hint="Every point needs a name of its own.",
            )
        found.enh[name] = enh
    if cell("accuracy"):
        accuracy = number("accuracy")
        if accuracy <= 0:
            raise UnreadableTableError(f"{row.place}: accuracy is {accuracy:g}, not above 0.")
        found.accuracy[name] = accuracy
    if (role := cell("role").lower()) in _IS_CHECK:
        found.checks.add(name)
    elif role not in _IS_CONTROL:
        raise UnreadableTableError(
            f"{row.place}: the role of {name} is {shown(role)}.", hint="Write control or check."
        )
    if photo := printable(cell("photo").replace("\\", "/")):
        marks = found.marks.setdefault(name, {})
        if photo in marks:
            raise ControlError(f"{row.place}: {name} is marked in {photo} already.")
        marks[photo] = PhotoPixel(photo, number("column"), number("row"))


def _columns(table: Table, path: Path) -> dict[str, int]:
    """Where each column is."""
    if not table.header:
        return _usual_columns(table, path)
    names = list(table.header)
    found = {
        _KNOWN[name]: index
        for index, name in reversed([*enumerate(names)])
        if name in _KNOWN and name not in ("x", "y")
    }
    # x and y are coordinates, or pixels where those are called otherwise.
    are_pixels = "photo" in found and ("east" in found or not {"height", "column"} & found.keys())
    for name, column in zip("xy", ("column", "row") if are_pixels else ("east", "north"),
                            strict=True):  # fmt: skip
        if name in names:
            found.setdefault(column, names.index(name))
    for group in (("east", "north", "height"), ("longitude", "latitude", "height"),
                  ("photo", "column", "row")):  # fmt: skip
        here = [column for column in group if column in found and column != "height"]
        if here and (missing := [column for column in group if column not in found]):
            raise UnreadableTableError(
                f"{path.name} has a column for {here[0]}, but none for {missing[0]}.", hint=_HINT
            )
    if "name" not in found and "photo" not in found:
        raise UnreadableTableError(f"{path.name} has no column for names.", hint=_HINT)
    return found


def _usual_columns(table: Table, path: Path) -> dict[str, int]:
    """Of a file without a header, told by where words are."""
    first = table.rows[0].cells

    def is_number(index: int) -> bool:
        return index < len(first) and first[index].replace(",", ".").lstrip("+-")[:1].isdigit()

    if len(first) >= 6 and all(map(is_number, range(5))):
        return {column: index for index, column in enumerate(_ODM)}
    if len(first) == 4 and not is_number(1) and all(map(is_number, (2, 3))):
        return {column: index for index, column in enumerate(_MARKS)}
    if len(first) in (4, 5) and all(map(is_number, (1, 2, 3))):
        return {column: index for index, column in enumerate(_POINTS)}
    raise UnreadableTableError(f"{path.name} does not say what its columns are.", hint=_HINT)


def _in_metres(markers: Markers) -> Markers:
    """Longitudes and latitudes in the UTM zone around them."""
    known = {one.name: one.enh_m for one in markers.points if one.enh_m is not None}
    places = np.array([*known.values()])
    longitude, latitude = np.median(places[:, :2], axis=0)
    zone = utm_zone(float(longitude), float(latitude))
    moved = dict(zip(known, transform(places, markers.crs, zone).tolist(), strict=True))
    points = tuple(
        replace(one, enh_m=tuple(moved[one.name])) if one.name in moved else one
        for one in markers.points
    )
    return replace(markers, points=points, crs=zone)
