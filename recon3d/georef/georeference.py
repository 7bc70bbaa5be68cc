"""Where the model lies on the earth: by ground control points, far poses, or GPS, in this order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from recon3d.core.errors import ConfigError
from recon3d.core.geodesy import GpsFit
from recon3d.core.scene import PosedPhotos
from recon3d.core.surface import Mesh, is_far
from recon3d.core.target_frame import Georeference
from recon3d.core.transform import Similarity, fit_similarity
from recon3d.georef.control.stage import FittedControl
from recon3d.georef.crs import check_metres, parse_crs, transform, utm_zone

NOWHERE = "nothing says where on the earth it lies; --gcp or photos with GPS would."

# GPS never errs by so much.
_ELSEWHERE_M = 1000.0


def in_survey(enh_from_world: Similarity, mesh: Mesh, origin: str) -> Similarity:
    """target_from_world with the survey's axes and metres.

    origin: FrameConfig's. auto keeps the survey's own 0,0,0 unless the model is too far from it for
    mesh files; then whole metres below the middle of the model.
    """
    if origin == "poses":
        return enh_from_world
    if origin == "auto":
        enh = enh_from_world @ mesh.vertices.astype(np.float64)
        if not is_far(enh):
            return enh_from_world
        place = np.round([*np.median(enh[:, :2], axis=0), np.percentile(enh[:, 2], 1)])
    else:
        place = np.array([float(part) for part in origin.split(",")])
    return Similarity(
        enh_from_world.scale, enh_from_world.rotation, enh_from_world.translation - place
    )


def find_georeference(
    posed: PosedPhotos,
    survey: FittedControl | None,
    gps: GpsFit | None,
    target_from_world: Similarity,
    mesh: Mesh,
) -> Georeference | None:
    """What ties the target frame to the earth best; None where nothing does.

    gps: how the cameras fit their readings, where they may be believed.
    """
    world_from_target = target_from_world.inverse()
    if survey:
        crs_from_target = survey.enh_from_world @ world_from_target
        # Only a shift is left of the two; nothing must remain of the rounding.
        plain = Similarity(1.0, np.eye(3), np.round(crs_from_target.translation, 6))
        return Georeference("control points", survey.crs, plain)
    if any(posed.scene.origin):
        shift = Similarity(1.0, np.eye(3), np.array(posed.scene.origin))
        return Georeference("poses", "", shift @ world_from_target)
    if gps is not None and gps.about_deg_m is not None:
        latitude, longitude, altitude = gps.about_deg_m.tolist()
        enu_from_target = gps.enu_from_world @ world_from_target
        # About GPS's own 0,0,0 the model keeps its size, which may be known better than by GPS.
        turn, middle = enu_from_target.rotation, enu_from_target.inverse().translation
        placed = Similarity(1.0, turn, np.array([0, 0, altitude]) - turn @ middle)
        found = Georeference("gps", _around(latitude, longitude), placed)
        model = target_from_world @ mesh.vertices.astype(np.float64)
        return in_crs(found, utm_zone(longitude, latitude), model)
    return None


def far_from_gps(survey: FittedControl, gps: GpsFit) -> str:
    """A warning where the photos' GPS is far from where the survey's system puts the model.

    A wrong zone or datum shows nowhere else; empty where all is well or nobody can tell.
    """
    if not survey.crs or gps.about_deg_m is None:
        return ""
    latitude, longitude, altitude = gps.about_deg_m.tolist()
    place = np.array([[longitude, latitude, altitude]])
    # GPS has its 0,0,0 among the cameras.
    middle = survey.enh_from_world @ gps.enu_from_world.inverse() @ np.zeros(3)
    try:
        away = (transform(place, "EPSG:4326", survey.crs)[0] - middle)[:2]
    except ConfigError:  # it does not reach there
        away = np.full(2, np.inf)
    distance = float(np.linalg.norm(away))
    if distance < _ELSEWHERE_M:
        return ""
    far = f"{distance / 1000:.3g} km" if np.isfinite(distance) else "far"
    return (
        f"The photos' GPS lies {far} from where {survey.crs} puts the ground control points: check "
        "the system of coordinates that their file names."
    )


def in_crs(found: Georeference, crs: str, points_target: Float[np.ndarray, "n 3"]) -> Georeference:
    """The same in another coordinate reference system; in its own where that is empty.

    The change is a similarity that fits around the points: within a few kilometres true to a
    centimetre in plan, and to 4 in a hundred metres of height, where one of the two enlarges plans
    as UTM does.

    Raises:
        ConfigError: the system is unknown, does not count metres, or does not reach there.
    """
    if crs:
        crs = parse_crs(crs, "--crs")
        check_metres(crs, "--crs")
    if not crs or crs == found.crs:
        return found
    if not found.crs:
        return replace(found, crs=crs)
    here = points_target if len(points_target) else np.zeros((1, 3))
    enh = found.crs_from_target @ here.astype(np.float64)
    low, high = enh.min(axis=0), enh.max(axis=0)
    corners = np.array([(x, y, 0.0) for x in (-0.5, 0.5) for y in (-0.5, 0.5)])
    around = (low + high) / 2 + corners * max(float((high - low).max()), 1.0)
    moved = fit_similarity(around, transform(around, found.crs, crs))
    return replace(found, crs=crs, crs_from_target=moved @ found.crs_from_target)


def told(found: Georeference) -> dict[str, object]:
    """For the report: where 0,0,0 of the model lies."""
    return {
        "source": found.source,
        "crs": found.crs,
        "origin": found.crs_from_target.translation.tolist(),
    }


def _around(latitude: float, longitude: float) -> str:
    """Metres east and north of a place: within kilometres the plane that touches the earth there.

    Heights are those of the photos' GPS.
    """
    return (
        f"+proj=tmerc +lat_0={latitude:.9f} +lon_0={longitude:.9f} +ellps=WGS84 +units=m +no_defs"
    )
