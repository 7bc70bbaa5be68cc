"""Where the placed photos show markers, how well their marks agree, and where others show them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from recon3d.core.camera import project
from recon3d.core.errors import InputError
from recon3d.core.scene import ImageSet, PosedScene, View
from recon3d.core.triangulation import LocatedPoint, ray_in_world
from recon3d.georef.back_projection import photo_pixel, view_pixel
from recon3d.georef.control.fit import LocatedMarks, locate_marks
from recon3d.georef.control.markers import Marker, Markers, ScaleBar
from recon3d.georef.known_scale import PhotoPixel

WORST_SIGMA = 0.25
"""A length known to less is no scale."""
_LINE_POINTS = 40
_NEAREST, _FARTHEST = 0.1, 10.0
"""Of the scene's middle depth: how far the line is drawn on which a second photo shows a marker."""


@dataclass(frozen=True, eq=False)
class MeasuredMarker:
    """What the placed photos know of a marker."""

    located: LocatedMarks | None = None
    """None where two marks or more do not give a place."""
    problem: str = ""
    """What is missing or wrong, in a sentence; empty where all is well."""
    predicted: Mapping[str, PhotoPixel] = field(default_factory=dict)
    """By photo without a mark: where it should be."""
    lines: Mapping[str, tuple[PhotoPixel, ...]] = field(default_factory=dict)
    """The same while one photo shows it: the epipolar line."""

    @property
    def errors_px(self) -> dict[str, float]:
        """By photo: from each mark to where the photo shows the place."""
        return {**self.located.errors_px, **self.located.wrong_px} if self.located else {}

    @property
    def rms_px(self) -> float | None:
        """Of the marks that count."""
        if self.located is None:
            return None
        return float(np.sqrt(np.mean(np.square([*self.located.errors_px.values()]))))


@dataclass(frozen=True)
class MeasuredBar:
    """A scale bar in the scene."""

    bar: ScaleBar
    length: float = 0.0
    """In scene units; 0 where it is not known."""
    sigma: float = 0.0
    """One standard deviation as a share: of the marks and of the bar's own accuracy."""
    problem: str = ""
    """Why it does not count."""


def measure_marker(
    marker: Marker,
    scene: PosedScene,
    image_set: ImageSet,
    mark_px: float,
    foretold: Collection[str] | None = None,
) -> MeasuredMarker:
    """Triangulate a marker and say where other photos should show it.

    marker: with marks under the ids of photos of the image set.
    foretold: the photos that are asked for that; None: all.
    """
    placed = {view.photo_id for view in scene.views}
    marks = [mark for mark in marker.marks if mark.photo in placed]
    lost = [mark.photo for mark in marker.marks if mark.photo not in placed]
    not_placed = (
        f"{lost[0]} is not placed, so the mark of {marker.name} there does not count."
        if lost
        else ""
    )
    if not marks:
        return MeasuredMarker(problem=not_placed or f"{marker.name} is not marked in any photo.")
    try:
        if len(marks) == 1:
            lines = _epipolar_lines(marks[0], scene, image_set, foretold)
            problem = f"{marker.name} is marked in one placed photo only; mark it in a second one."
            return MeasuredMarker(problem=not_placed or problem, lines=lines)
        located = locate_marks(marks, scene, image_set, mark_px)
    except InputError as error:
        return MeasuredMarker(problem=str(error))
    if located is None:
        return MeasuredMarker(problem=f"The marks of {marker.name} do not meet in one place.")
    marked = {mark.photo for mark in marker.marks}
    predicted = {
        view.photo_id: pixel
        for view in scene.views
        if view.photo_id not in marked
        and (foretold is None or view.photo_id in foretold)
        and (pixel := _shown_at(located.place.xyz_world, view, scene, image_set))
    }
    problem = marks_problem(marker.name, located) or not_placed
    return MeasuredMarker(located, problem, predicted)


def marks_problem(name: str, located: LocatedMarks) -> str:
    """Marks that contradict each other, by name and photo; empty where they agree."""
    if located.wrong_px:
        photo, off_px = max(located.wrong_px.items(), key=lambda item: item[1])
        return (
            f"The mark of {name} in {photo} does not count: it is {off_px:.0f} pixels from where "
            "the other photos show the point."
        )
    if located.contradicts:
        (first, off_px), (second, _) = located.errors_px.items()
        return (
            f"The two marks of {name} do not show one place: they are {off_px:.0f} pixels off in "
            f"{first} and {second}. Move one of them, or mark a third photo, which tells which."
        )
    return ""


def measure_bars(
    markers: Markers, scene: PosedScene, image_set: ImageSet, mark_px: float
) -> tuple[list[MeasuredBar], dict[str, MeasuredMarker]]:
    """Measure every scale bar; and the markers at their ends, by name.

    markers: with marks under the ids of photos of the image set.
    """
    ends = {
        one.name: measure_marker(one, scene, image_set, mark_px) for one in markers.for_bars.points
    }
    return [measured_bar(bar, ends) for bar in markers.bars], ends


def measured_bar(bar: ScaleBar, markers: Mapping[str, MeasuredMarker]) -> MeasuredBar:
    """A scale bar between markers that are measured already."""
    places: list[LocatedPoint] = []
    for name in (bar.start, bar.end):
        found = markers.get(name)
        if found is None or found.located is None:
            why = found.problem if found else f"No marker is called {name}."
            return MeasuredBar(bar, problem=why)
        places.append(found.located.place)
    between = places[1].xyz_world - places[0].xyz_world
    length = float(np.linalg.norm(between))
    if not length > 0:
        return MeasuredBar(bar, problem="Both its ends are the same place.")
    along = between / length
    variance = float(along @ (places[0].covariance + places[1].covariance) @ along)
    sigma = float(np.hypot(np.sqrt(variance) / length, bar.sigma_m / bar.length_m))
    problem = "" if sigma < WORST_SIGMA else f"Its error bar is {100 * sigma:.0f} %."
    return MeasuredBar(bar, length, sigma, problem)


def _shown_at(
    xyz_world: np.ndarray, view: View, scene: PosedScene, image_set: ImageSet
) -> PhotoPixel | None:
    """Where the user's photo shows a place; None where it does not."""
    uv_px, depth_z = project((view.cam_from_world @ xyz_world)[None], view.camera)
    width, height = view.camera.width_px, view.camera.height_px
    if not (depth_z[0] > 0 and 0 <= uv_px[0, 0] <= width and 0 <= uv_px[0, 1] <= height):
        return None
    try:
        return photo_pixel(scene, image_set, view, uv_px[0])
    except InputError:
        return None


def _epipolar_lines(
    mark: PhotoPixel,
    scene: PosedScene,
    image_set: ImageSet,
    foretold: Collection[str] | None,
) -> dict[str, tuple[PhotoPixel, ...]]:
    """By photo: where it may show what another one shows at a pixel; bent as its lens bends."""
    view, uv_px = view_pixel(scene, image_set, mark)
    ray = ray_in_world(view, uv_px)
    reach = _middle_reach(scene, view)
    places: Sequence[np.ndarray] = [
        view.centre_world + ray * (reach * share)
        for share in np.geomspace(_NEAREST, _FARTHEST, _LINE_POINTS)
    ]
    lines = {}
    for other in scene.views:
        is_asked = foretold is None or other.photo_id in foretold
        if other.photo_id == view.photo_id or not is_asked:
            continue
        shown = [_shown_at(place, other, scene, image_set) for place in places]
        line = tuple(pixel for pixel in shown if pixel)
        if len(line) > 1:
            lines[other.photo_id] = line
    return lines


def _middle_reach(scene: PosedScene, view: View) -> float:
    """How far from a view most of what is seen lies; by the cameras where nothing else tells."""
    points = scene.points.xyz_world
    if len(points):
        return float(np.median(np.linalg.norm(points - view.centre_world, axis=1)))
    centres = np.stack([each.centre_world for each in scene.views])
    return float(np.linalg.norm(centres - view.centre_world, axis=1).max())
