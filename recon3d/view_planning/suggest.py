"""Which of the places where photos could be taken are worth the way, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from recon3d.core.camera import PinholeCamera, in_picture, pixel_rays, project
from recon3d.core.scene import View
from recon3d.core.surface import Mesh
from recon3d.core.transform import Rigid
from recon3d.run.task import Task
from recon3d.view_planning.candidates import Stand, coarse, is_same, neighbours, stands, unit
from recon3d.view_planning.measure import Coverage, Sight, Weakness, squareness
from recon3d.view_planning.targets import Targets, missing, weak_places

MIN_OVERLAP = 0.6
"""Of what a suggested photo would show must be in a photo there is, so that it can be placed."""
_SAME_LOOK_DEG = 32.0
"""Seen from directions wider apart, a place does not look the same to feature matching."""
_JUDGES = 6
"""Photos that may have the overlap: those nearest to the suggestion."""
_MOST_BACKS = 0.2
"""Of a picture may be backs of faces: more is seen from behind, or from inside."""
_LEAST_SHOWN = 0.2
"""Of a picture must show the model."""
_MOST_STANDS = 200
_COARSE = 16
"""Every so manyth target decides which places are worth a closer look."""
_NEWS_DEG = 30.0
"""What photos have looked at and not measured gains in full from directions so far from theirs."""
_BEYOND = 0.35
"""How likely it is that one can stand beyond the last photo, where perhaps there is a wall, or the
photographer did not care to go; between two photos one can."""
_WORTHLESS = 0.005
"""Of what is needed in all: a suggestion that gains less is none."""


@dataclass(frozen=True, eq=False)
class Suggestion:
    """Photograph from here."""

    view: View
    pivot_world: Float[np.ndarray, "3"]
    """What the photo looked at that it was derived from."""
    overlap: float
    """Share of what it would show that one photo shows too, at nearly the same angle."""
    overlapping: str
    """The id of that photo."""
    gain: float
    """Share of all that is missing which it brings, after the suggestions before it."""
    weakness: Weakness
    """What is wrong with most of what it would mend."""
    centre_world: Float[np.ndarray, "3"]
    """The middle of that."""


@dataclass(frozen=True, eq=False)
class _Option:
    """A view that could be suggested, and what each target would get from it."""

    view: View
    stand: Stand
    rows: Int[np.ndarray, "k"]
    worth: Float[np.ndarray, "k"]
    likely: float = 1.0
    """How likely one can stand there."""

    def gain(self, targets: Targets, sights: Float[np.ndarray, "t"]) -> Float[np.ndarray, "k"]:
        """Area that it mends, by target."""
        before = sights[self.rows]
        mended = missing(before) - missing(before + self.worth)
        return targets.area[self.rows] * mended


def suggest_views(
    mesh: Mesh,
    coverage: Coverage,
    views: Sequence[View],
    upright_from_world: Rigid,
    count: int,
    task: Task,
) -> list[Suggestion]:
    """The views that mend most of what is weak, the best first; fewer than count where few help.

    Greedy: each is chosen for what the ones before it leave. Since a place needs only so many
    photos, what a set of views mends is submodular, and the greedy choice comes within 37 % of
    the best one (Nemhauser, Wolsey and Fisher 1978).

    mesh: with its holes closed, as `measure_coverage` was given it.
    """
    sight = Sight(mesh)
    targets = weak_places(mesh, coverage, views, sight, task)
    if targets.need == 0:
        return []
    options = _options(targets, stands(views, sight.rays, upright_from_world), views, sight, task)
    sights, chosen = targets.sights.copy(), list[Suggestion]()
    overlaps: dict[int, tuple[float, str]] = {}
    used: list[View] = []
    while len(chosen) < count and options:
        gains = [option.likely * float(option.gain(targets, sights).sum()) for option in options]
        for index in np.argsort(-np.array(gains), kind="stable").tolist():
            option = options[index]
            if gains[index] < _WORTHLESS * targets.need:
                return chosen
            if any(is_same(option.stand, other) for other in used):
                continue
            if id(option) not in overlaps:
                task.check()
                overlaps[id(option)] = overlap(option.view, views, sight)
            if overlaps[id(option)][0] >= MIN_OVERLAP:
                break
        else:
            return chosen
        by_target = option.gain(targets, sights)
        chosen.append(_suggestion(option, by_target, targets, overlaps[id(option)], len(chosen)))
        sights[option.rows] += option.worth
        used.append(option.view)
        task.step(len(chosen), count, f"suggested view {len(chosen)}")
    return chosen


def _suggestion(
    option: _Option,
    by_target: Float[np.ndarray, "k"],
    targets: Targets,
    shared: tuple[float, str],
    number: int,
) -> Suggestion:
    kinds = np.bincount(targets.weakness[option.rows], by_target, len(Weakness))
    weakness = Weakness(int(kinds.argmax()))
    share = by_target * (targets.weakness[option.rows] == weakness)
    return Suggestion(
        replace(option.view, photo_id=f"suggested_{number + 1}.jpg"),
        option.stand.pivot_world,
        *shared,
        float(by_target.sum()) / targets.need,
        weakness,
        share @ targets.points[option.rows] / max(float(share.sum()), 1e-30),
    )


def _options(
    targets: Targets, places: Sequence[Stand], views: Sequence[View], sight: Sight, task: Task
) -> list[_Option]:
    """Every way to look from the places that are worth a closer look."""
    if len(places) > _MOST_STANDS:
        few = np.arange(0, len(targets.points), _COARSE)
        mended = [_mended(targets, few, place, sight) for place in places]
        best = np.argsort(-np.array(mended), kind="stable")[:_MOST_STANDS]
        places = [places[index] for index in sorted(best.tolist())]
    options, centres = [], np.stack([view.centre_world for view in views])
    for place in task.each(places, len(places), lambda _: "places to stand"):
        rows, worth = _looks(targets, np.arange(len(targets.points)), place, sight)
        worth = worth * _news(targets, rows, place.view.centre_world, centres)
        _, second = neighbours(place.view.centre_world, place.pivot_world, views)
        likely = 1.0 if place.is_nearer or second is not None else _BEYOND
        for view in place.turned():
            uv_px, depth_z = project(view.cam_from_world @ targets.points[rows], view.camera)
            shown = (depth_z > 0) & in_picture(uv_px, view.camera)
            options.append(_Option(view, place, rows[shown], worth[shown], likely))
    return options


def _mended(targets: Targets, few: Int[np.ndarray, "k"], place: Stand, sight: Sight) -> float:
    rows, worth = _looks(targets, few, place, sight)
    option = _Option(place.view, place, rows, worth)
    return float(option.gain(targets, targets.sights).sum())


def _looks(
    targets: Targets, asked: Int[np.ndarray, "k"], place: Stand, sight: Sight
) -> tuple[Int[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    """What is seen from a place in the angle of view that all turns have together."""
    camera = place.view.camera
    wide = PinholeCamera(
        2 * camera.width_px,
        2 * camera.height_px,
        camera.fx_px,
        camera.fy_px,
        camera.cx_px + camera.width_px / 2,
        camera.cy_px + camera.height_px / 2,
    )
    view = replace(place.view, camera=wide)
    rows, toward, gsd = sight.look(view, targets.points[asked], targets.normals[asked])
    rows = asked[rows]
    cosine = np.einsum("ij,ij->i", targets.normals[rows], toward)
    worth = squareness(cosine) * np.minimum(1, targets.wanted_gsd / gsd) ** 2
    if place.is_nearer:
        worth *= targets.weakness[rows] == Weakness.FAR
    useful = worth > 0
    return rows[useful], worth[useful]


def _news(
    targets: Targets,
    rows: Int[np.ndarray, "k"],
    centre: Float[np.ndarray, "3"],
    centres: Float[np.ndarray, "n 3"],
) -> Float[np.ndarray, "k"]:
    """1 for what no photo has looked at; else by how far its direction is from the photos'."""
    points = targets.points[rows]
    cosine = np.full(len(rows), -1.0)
    toward = unit(centre - points)
    for index in _nearest(centre, centres):
        other = unit(centres[index] - points)
        cosine = np.maximum(cosine, np.einsum("ij,ij->i", toward, other))
    away_deg = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return np.where(targets.sights[rows] > 0, np.minimum(away_deg / _NEWS_DEG, 1), 1.0)


def _nearest(centre: Float[np.ndarray, "3"], centres: Float[np.ndarray, "n 3"]) -> list[int]:
    away = np.linalg.norm(centres - centre, axis=1)
    return np.argsort(away, kind="stable")[:_JUDGES].tolist()


def overlap(view: View, views: Sequence[View], sight: Sight) -> tuple[float, str]:
    """The share of what a view would show that one photo shows too, and that photo's id.

    0 where the view shows too little, or much of it from behind.
    """
    camera = coarse(view.camera)
    world_from_cam = view.cam_from_world.inverse()
    directions = pixel_rays(camera).reshape(-1, 3) @ world_from_cam.rotation.T
    times, face, _ = sight.rays.first_hits(world_from_cam.translation, directions)
    met = face >= 0
    if met.mean() < _LEAST_SHOWN:
        return 0.0, ""
    fronts = sight.is_front(face[met], directions[met])
    if 1 - fronts.mean() > _MOST_BACKS:
        return 0.0, ""
    points = world_from_cam.translation + directions[met] * times[met, None]
    toward = unit(-directions[met])
    best = 0.0, ""
    centres = np.stack([other.centre_world for other in views])
    for index in _nearest(view.centre_world, centres):
        seen, looked, _ = sight.look(views[index], points)
        alike = np.einsum("ij,ij->i", toward[seen], looked) > np.cos(np.radians(_SAME_LOOK_DEG))
        share = float((alike & fronts[seen]).sum()) / len(points)
        if share > best[0]:
            best = share, views[index].photo_id
    return best
