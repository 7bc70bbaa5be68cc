"""What is known of the scene's scale: from the user, markers, metric poses and GPS."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from recon3d.core.geodesy import GpsFit, enu_from_geodetic, fit_gps
from recon3d.core.scene import ImageSet, PosedPhotos, View
from recon3d.core.squares import measure_square
from recon3d.core.surface import Mesh
from recon3d.core.triangulation import LocatedPoint
from recon3d.georef.back_projection import BackProjector, NoPlaceError
from recon3d.georef.control.stage import FittedControl
from recon3d.georef.known_scale import KnownFactor, KnownLength, ModelPoint, Place, parse_scale
from recon3d.georef.scale_cues import ScaleCue, fuse_scales
from recon3d.photos.markers import find_markers
from recon3d.run.task import Task

# Depth cameras and surveyed poses are good to about this.
_METRIC_SIGMA = 0.01
# Of networks that see one photo, where the lens is known.
_GUESSED_SIGMA = 0.15
_WORST_GPS_SIGMA = 0.2
# The cameras must have moved this many times further than GPS errs.
_GPS_REACH = 3.0
_MOST_GPS_OUTLIERS = 0.4
_WORST_LENGTH_SIGMA = 0.25


def measured_cues(
    posed: PosedPhotos, gps: GpsFit | None, marker_size: float, family: str, task: Task
) -> list[ScaleCue]:
    """What instruments and markers say.

    gps: how the cameras fit their readings; None where there are too few of them.
    marker_size: the edge of the printed markers in metres; 0 looks for none.
    """
    cues = []
    if posed.scene.unit == "metre":
        cues.append(_metric_cue(posed))
    if marker_size:
        cues.append(_marker_cue(posed, marker_size, family, task))
    if gps is not None:
        cues.append(_gps_cue(gps, is_metric=_is_in_metres(posed)))
    return cues


def control_cue(control: FittedControl) -> ScaleCue:
    """What ground control points say."""
    scale, summary = control.enh_from_world.scale, control.report["summary"]
    return ScaleCue("control points", summary, scale, control.scale_sigma)


def given_cues(
    text: str, posed: PosedPhotos, image_set: ImageSet, mesh: Mesh, measured: Sequence[ScaleCue]
) -> list[ScaleCue]:
    """What the user says with --scale.

    measured: gives the model without --scale its size, in which the user may have read points.
    """
    back_projector = BackProjector(posed.scene, image_set, mesh)
    plain = fuse_scales(measured)
    world_per_model = 1 / plain.metres_per_unit if plain else 1.0
    return [
        ScaleCue("factor", known.text, known.metres_per_unit, 0.0)
        if isinstance(known, KnownFactor)
        else _distance_cue(known, back_projector, world_per_model)
        for known in parse_scale(text)
    ]


def fit_cameras_to_gps(views: Sequence[View], image_set: ImageSet) -> GpsFit | None:
    """How the placed cameras fit what their photos say of where they were taken."""
    exif = {photo.id: photo.exif for photo in image_set.photos}
    found = [(view, place) for view in views if (place := exif[view.photo_id].gps_deg_m)]
    if len(found) < 3:
        return None
    centres = np.stack([view.centre_world for view, _ in found])
    places = np.array([place for _, place in found], np.float64)
    about = np.median(places, axis=0)
    fit = fit_gps(centres, enu_from_geodetic(places, about), np.random.default_rng(0))
    return fit and replace(fit, about_deg_m=about)


def gps_warning(gps: GpsFit) -> str:
    """Why the cameras' readings must not be believed; empty where they may."""
    count, used = len(gps.used), int(gps.used.sum())
    if used < 3 or used < (1 - _MOST_GPS_OUTLIERS) * count:
        return f"only {used} of {count} readings fit the way the cameras stand"
    if gps.spread_m < _GPS_REACH * gps.sigma_m:
        return (
            f"the cameras were only {gps.spread_m:.0f} m apart, GPS is good to {gps.sigma_m:.0f} m"
        )
    return f"its error bar is {100 * gps.sigma:.0f} %" if gps.sigma > _WORST_GPS_SIGMA else ""


def _is_in_metres(posed: PosedPhotos) -> bool:
    """Whether poses in metres were given; a rig's metres may be less sure than GPS."""
    return posed.scene.unit == "metre" and posed.scene.scale_sigma is None


def _metric_cue(posed: PosedPhotos) -> ScaleCue:
    if (sigma := posed.scene.scale_sigma) is not None:
        warning = "" if sigma < _WORST_LENGTH_SIGMA else _too_vague(sigma)
        return ScaleCue("rig", "by its baseline", 1.0, sigma, warning)
    if posed.sensor_depth:
        return ScaleCue("metric poses", "a depth camera", 1.0, _METRIC_SIGMA)
    if len(posed.scene.views) == 1:
        # No pose gives a photo that stands alone a size; its metres are those of its depth.
        return ScaleCue("depth network", "its metres are a guess", 1.0, _GUESSED_SIGMA)
    return ScaleCue("metric poses", "the poses' own unit", 1.0, _METRIC_SIGMA)


def _gps_cue(gps: GpsFit, *, is_metric: bool) -> ScaleCue:
    warning = gps_warning(gps)
    if is_metric:
        warning = "the poses are in metres already, which are surer"
    detail = f"{int(gps.used.sum()):d} of {len(gps.used)} readings, good to {gps.sigma_m:.1f} m"
    return ScaleCue("gps", detail, gps.enu_from_world.scale, gps.sigma, warning)


def _marker_cue(posed: PosedPhotos, size_m: float, family: str, task: Task) -> ScaleCue:
    sightings: dict[tuple[str, int], list[tuple[View, np.ndarray]]] = defaultdict(list)
    views = posed.scene.views
    for view in task.each(views, len(views), lambda view: f"markers in {view.photo_id}"):
        for marker in find_markers(posed.rgb[view.photo_id], family):
            sightings[marker.family, marker.number].append((view, marker.corners_px))
    cues: dict[str, list[ScaleCue]] = defaultdict(list)
    for (name, number), seen in sorted(sightings.items(), key=lambda item: item[0]):
        task.check()
        square = measure_square([view for view, _ in seen], np.stack([uv for _, uv in seen]))
        if square:
            cue = ScaleCue("markers", f"{number}", size_m / square.edge, square.sigma / square.edge)
            cues[name].append(cue)
    if not cues:
        seen_count = Counter(len(seen) for seen in sightings.values()).total()
        warning = (
            f"{seen_count} were seen, but none well enough in two photos"
            if seen_count
            else "none was found in any photo"
        )
        return ScaleCue("markers", family, 0.0, 0.0, warning)
    # Of a wrong family only a stray pattern fits.
    name, best = max(cues.items(), key=lambda item: len(item[1]))
    fused = fuse_scales(best)
    assert fused
    used = sum(judged.used for judged in fused.cues)
    detail = f"{used:d} of {len(best)} {name} agree, {1000 * size_m:g} mm"
    return ScaleCue("markers", detail, fused.metres_per_unit, fused.sigma)


def _distance_cue(
    known: KnownLength, back_projector: BackProjector, world_per_model: float
) -> ScaleCue:
    try:
        start, end = (
            _located(place, back_projector, world_per_model) for place in (known.start, known.end)
        )
    except NoPlaceError as reason:
        return ScaleCue("distance", known.text, 0.0, 0.0, str(reason))
    between = end.xyz_world - start.xyz_world
    length = float(np.linalg.norm(between))
    if not length > 0:
        return ScaleCue("distance", known.text, 0.0, 0.0, "both places are the same point")
    direction = between / length
    sigma = float(np.sqrt(direction @ (start.covariance + end.covariance) @ direction)) / length
    warning = "" if sigma < _WORST_LENGTH_SIGMA else _too_vague(sigma)
    return ScaleCue("distance", known.text, known.metres / length, sigma, warning)


def _too_vague(sigma: float) -> str:
    return f"its error bar is {100 * sigma:.0f} %"


def _located(place: Place, back_projector: BackProjector, world_per_model: float) -> LocatedPoint:
    if isinstance(place, ModelPoint):
        # Only the distance of two such points counts, so the turn between the frames does not.
        return LocatedPoint(np.array(place.xyz) * world_per_model, np.zeros((3, 3)))
    return back_projector.back_project(place)
