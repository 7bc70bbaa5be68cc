"""What a surveyor knows: points with coordinates, and where photos show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recon3d.core.errors import InputError
from recon3d.core.scene import ImageSet, Point
from recon3d.georef.back_projection import is_outside, upright_pixel
from recon3d.georef.known_scale import PhotoPixel
from recon3d.photos.naming import match_by_name

FEWEST_POINTS = 3
_FEWEST_MARKS = 2
# Of the length of the line: points nearer to it leave open how the model turns around it.
_NARROWEST = 0.02
_NAMES_TOLD = 8


class ControlError(InputError):
    """Ground control points cannot hold the model; names them and says what is missing."""


@dataclass(frozen=True)
class ControlPoint:
    """A surveyed point."""

    name: str
    enh_m: Point
    """East, north and height in metres."""
    accuracy_m: float | None
    """One standard deviation of each coordinate; None where the file does not say."""
    is_check: bool
    """Only measured, never used."""
    marks: tuple[PhotoPixel, ...] = ()
    """Where photos show it, in pixels as `PhotoPixel` counts them."""


@dataclass(frozen=True)
class GroundControl:
    """All that was given."""

    points: tuple[ControlPoint, ...]
    crs: str
    """Of the coordinates, as pyproj reads it; empty where nobody said."""
    digest: str
    """Of the files."""
    notes: tuple[str, ...] = ()
    """What in the files was not used, in sentences."""

    def in_photos(self, photo_ids: Sequence[str]) -> GroundControl:
        """With the marks in some photos only, each under the id of its photo."""
        names = {mark.photo for point in self.points for mark in point.marks}
        ids = {name: photo_id for photo_id, name in match_by_name(photo_ids, names).items()}
        points = tuple(
            replace(
                point,
                marks=tuple(
                    replace(mark, photo=ids[mark.photo])
                    for mark in point.marks
                    if mark.photo in ids
                ),
            )
            for point in self.points
        )
        return replace(self, points=points)

    def with_checks(self, names: Sequence[str]) -> GroundControl:
        """The same with more points as check points.

        Raises:
            ControlError: there is no point of that name.
        """
        known = [point.name for point in self.points]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ControlError(
                f'--check names "{unknown[0]}", but no ground control point is called so.',
                hint=f"There are {in_words(known)}.",
            )
        points = tuple(
            replace(point, is_check=point.is_check or point.name in names) for point in self.points
        )
        return replace(self, points=points)

    def photos_left_out(self, photo_ids: Sequence[str]) -> list[str]:
        """Photos with marks that are not among the given ones."""
        names = {mark.photo for point in self.points for mark in point.marks}
        return sorted(names - {*match_by_name(photo_ids, names).values()})


def check_control(control: GroundControl, checks: Sequence[str], image_set: ImageSet) -> None:
    """Fail in the first minute where points and marks cannot be enough, whatever is placed.

    checks: names of more check points.

    Raises:
        ControlError: too few points, all on a line, no photo of that name, or a mark outside.
    """
    ids = [photo.id for photo in image_set.photos]
    here = control.with_checks(checks).in_photos(ids)
    if not any(point.marks for point in here.points):
        left_out = control.photos_left_out(ids)
        raise ControlError(
            f"The marks of the ground control points are in {in_words(left_out)}, and none of "
            "these is among the photos."
            if left_out
            else "No photo has a mark of a ground control point.",
            hint=f"Photos are named like {ids[0]}."
            if left_out
            else "Add where photos show them (name,photo,x,y), in the same file or by --gcp-marks.",
        )
    _check_marks(here, image_set)
    require_enough(here.points, "the photos")


def require_enough(points: Sequence[ControlPoint], where: str) -> None:
    """Raise unless three control points off a line have two marks each.

    where: the photos whose marks the points have, in words.

    Raises:
        ControlError: names the points.
    """
    control = [point for point in points if not point.is_check]
    good = [point for point in control if len(point.marks) >= _FEWEST_MARKS]
    if len(good) < FEWEST_POINTS:
        told = [f"{point.name} ({_marks(point)})" for point in control] or ["there are none"]
        raise ControlError(
            f"Ground control needs {FEWEST_POINTS} points that two or more of {where} show; here "
            f"{len(good)} of {len(control)} are: {in_words(told)}.",
            hint="Mark more points, or the same points in more photos. Check points do not count.",
        )
    places = np.array([point.enh_m for point in good])
    spread = np.linalg.svd(places - places.mean(0), compute_uv=False)
    if spread[1] < _NARROWEST * spread[0] or spread[0] == 0:
        names = in_words([point.name for point in good])
        raise ControlError(
            f"The ground control points {names} lie on a line, so the model could turn around it.",
            hint="Add a point well beside the line.",
        )


def in_words(names: Sequence[str]) -> str:
    """The first few of them, and how many more."""
    more = len(names) - _NAMES_TOLD
    return ", ".join(names[:_NAMES_TOLD]) + (f" and {more} more" if more > 0 else "")


def pixels_of(control: GroundControl) -> Iterator[PhotoPixel]:
    """Every mark."""
    for point in control.points:
        yield from point.marks


def _marks(point: ControlPoint) -> str:
    count = len(point.marks)
    return "not marked" if count == 0 else f"{count} photo{'s' if count > 1 else ''}"


def _check_marks(control: GroundControl, image_set: ImageSet) -> None:
    by_id = {photo.id: photo for photo in image_set.photos}
    for point in control.points:
        for mark in point.marks:
            photo = by_id[mark.photo]
            size = photo.width_px, photo.height_px
            if is_outside(upright_pixel(photo, mark, image_set.orientation), size):
                raise ControlError(
                    f"{point.name} is marked at {mark.column:g},{mark.row:g} of {photo.id}, which "
                    f"has only {photo.width_px} x {photo.height_px} pixels.",
                    hint="Marks are columns and rows from the upper left corner, in photos of the "
                    "size that is given here.",
                )
