"""Which way is up, where the ground is and how large the model is."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Float

from recon3d.core.errors import ConfigError
from recon3d.core.geodesy import GpsFit
from recon3d.core.ranges import Range, check_ranges
from recon3d.core.scene import ImageSet, PosedPhotos
from recon3d.core.surface import Mesh
from recon3d.core.target_frame import Georeference, TargetFrame
from recon3d.core.transform import Rigid, Similarity
from recon3d.georef.back_projection import find_photo
from recon3d.georef.control.bars import SceneBars, bar_cues, describe_bars
from recon3d.georef.control.stage import FittedControl, NoControl
from recon3d.georef.frame_words import (
    describe_scale,
    describe_up,
    mark_warnings,
    north_warnings,
    origin_warnings,
    scale_warnings,
    summary,
    up_unused_warnings,
    up_warnings,
)
from recon3d.georef.georeference import far_from_gps, find_georeference, in_survey, told
from recon3d.georef.gravity_alignment import GravityAlignment, find_gravity_alignment
from recon3d.georef.known_scale import parse_scale, pixels_in
from recon3d.georef.planes import Plane
from recon3d.georef.scale import (
    control_cue,
    fit_cameras_to_gps,
    given_cues,
    gps_warning,
    measured_cues,
)
from recon3d.georef.scale_cues import fuse_scales
from recon3d.georef.upright import upright_from_world
from recon3d.photos.markers import check_family
from recon3d.run.files import write_json
from recon3d.run.stage import Stage
from recon3d.run.task import Task

_FRAME = "frame.json"
_AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FrameConfig:
    """How the model stands and how large it is."""

    scale: str = ""
    """Known distances, separated by semicolons. Two pixels of your upright photos and the metres
    between them: "a.jpg:812,440 a.jpg:1210,455 = 0.42". A point that two photos show is joined by
    +, which is surer: "a.jpg:812,440 + b.jpg:77,310 a.jpg:1210,455 + b.jpg:490,322 = 42 cm". Two
    points of the model as it is written without this: "0.1,0,0.3 0.9,0.1,0.3 = 1.5". Or the metres
    of one unit of your poses: "1"."""

    marker_size: Annotated[float, Range(least=0, below=100)] = 0.0
    """Edge in metres of the ArUco or AprilTag markers that lie in the scene, measured across the
    black square; all must be of one size. 0 looks for none."""

    markers: str = "auto"
    """Their family, such as aruco_4x4_50, aruco_6x6_250 or apriltag_36h11; auto tries the usual
    ones."""

    up: str = "auto"
    """auto turns the model upright (from the sensors of phones and drones, how the cameras were
    held, the ground and walls) and puts the origin on the ground below it. An axis of your poses,
    such as +z or -y, or three numbers, say what is up. none keeps the frame of the cameras."""

    origin: str = "auto"
    """Where 0,0,0 of the model lies. auto is on the ground below it or, where the model keeps the
    frame of the cameras or of ground control points, where your poses or points have it, unless
    that is too far away for the seven digits of most mesh files. poses insists on the latter. Three
    numbers are a point in the frame of your poses or points, such as 431200,5432100,300. The
    report tells where it is."""

    front: Literal["cameras", "north"] = "cameras"
    """What +y points to: cameras is the way the photos look on average, so that Blender's front
    view shows what they show; north needs photos with GPS."""

    def __post_init__(self) -> None:
        """Refuse what cannot be understood."""
        parse_scale(self.scale)
        check_ranges(self, "frame")
        check_family(self.markers, "frame.markers")
        if self.up not in ("auto", "none"):
            _direction(self.up)
        if self.origin not in ("auto", "poses"):
            _origin(self.origin)


def check_photos(config: FrameConfig, image_set: ImageSet) -> None:
    """Fail in the first minute, not after an hour, where --scale names what is not there.

    Raises:
        InputError: no such photo, or the pixel lies outside it.
    """
    for pixel in pixels_in(config.scale):
        find_photo(image_set, pixel)


def find_frame(
    posed: PosedPhotos,
    image_set: ImageSet,
    mesh: Mesh,
    control: FittedControl | NoControl,
    bars: SceneBars,
    config: FrameConfig,
    folder: Path,
    task: Task,
) -> None:
    """Write the frame to export in into `folder`.

    mesh: of the surface, or the sparse points without faces before there is one.
    control: where ground control points put the model; nothing outweighs them.
    bars: known lengths between markers.
    """
    task.check()
    survey = control if isinstance(control, FittedControl) else None
    gps = fit_cameras_to_gps(posed.scene.views, image_set)
    measured = measured_cues(posed, gps, config.marker_size, config.markers, task)
    if survey:
        measured.insert(0, control_cue(survey))
    cues = given_cues(config.scale, posed, image_set, mesh, measured) + bar_cues(bars.bars)
    scale = fuse_scales([*cues, *measured])
    believed = gps if gps is not None and not gps_warning(gps) else None
    given = None if config.up in ("auto", "none") else _direction(config.up)
    given_by = "--up"
    if survey:
        given, given_by = survey.enh_from_world.rotation[2], "ground control points"
    is_alone = len(posed.scene.views) == 1
    # The walls and floors of one photo are as true as the guess of its lens and depth.
    is_measured = not is_alone or bool(posed.sensor_depth)
    alignment = find_gravity_alignment(
        posed.scene, image_set, mesh if is_measured else None, believed, given, given_by
    )
    if survey:
        target_from_world = in_survey(survey.enh_from_world, mesh, config.origin)
    else:
        upright = _upright(posed, mesh, alignment, config, believed)
        upright = _with_origin(upright, config.origin, np.array(posed.scene.origin))
        target_from_world = Similarity.from_rigid(upright, scale.metres_per_unit if scale else 1.0)
    poses_from_model = _shifted(target_from_world.inverse(), np.array(posed.scene.origin))
    stays, is_placed = config.up == "none", config.origin != "auto" or survey is not None
    georeference = find_georeference(posed, survey, believed, target_from_world, mesh)
    ground = "plane" if alignment.ground else "lowest points"
    frame = TargetFrame(
        target_from_world,
        "metre" if scale else posed.scene.unit,
        {
            "scale": describe_scale(scale, [*cues, *measured]),
            "scale_bars": describe_bars(bars.bars, scale.metres_per_unit if scale else None),
            "up": describe_up(alignment.up),
            "ground": None if stays or is_placed else ground,
            "origin": poses_from_model.translation.tolist(),
            "poses_from_model": poses_from_model.matrix().tolist(),
            "north_deg": None if stays else _bearing_deg(target_from_world, believed),
            "georeference": georeference and told(georeference),
            "warnings": [
                *scale_warnings(scale, cues, measured),
                *(() if given is not None or stays or is_alone else up_warnings(alignment.up)),
                *(north_warnings() if config.front == "north" and not (survey or believed) else ()),
                *(origin_warnings(posed.scene.origin) if stays and not is_placed else ()),
                *filter(None, [far_from_gps(survey, gps) if survey and gps else ""]),
                *(up_unused_warnings() if survey and config.up != "auto" else ()),
                *mark_warnings(pixels_in(config.scale), image_set),
            ],
        },
        alignment.up.up_world,
        georeference,
    )
    logger.info("%s", summary(scale, alignment.up))
    write_json(folder / _FRAME, _plain(frame))


def read_frame(folder: Path) -> TargetFrame:
    """Read what `find_frame` wrote."""
    stored: dict[str, Any] = json.loads((folder / _FRAME).read_text(encoding="utf-8"))
    up_world, on_earth = stored.get("up_world"), stored.get("georeference")
    return TargetFrame(
        Similarity.from_plain(stored["target_from_world"]),
        stored["unit"],
        stored["report"],
        None if up_world is None else np.array(up_world),
        on_earth
        and Georeference(
            on_earth["source"],
            on_earth["crs"],
            Similarity.from_plain(on_earth["crs_from_target"]),
        ),
    )


def warnings(frame: TargetFrame) -> list[str]:
    """What makes the frame worse than it looks, in a photographer's words."""
    found = frame.report.get("warnings")
    return [str(one) for one in found] if isinstance(found, list) else []


def _upright(
    posed: PosedPhotos,
    mesh: Mesh,
    alignment: GravityAlignment,
    config: FrameConfig,
    gps: GpsFit | None,
) -> Rigid:
    if config.up == "none":
        return Rigid.identity()
    upright = upright_from_world(posed.scene.views, mesh.vertices, alignment.up.up_world)
    if alignment.ground:
        upright = _on_ground(upright, alignment.ground)
    if config.front == "north" and gps is not None:
        east, north, _ = upright.rotation @ gps.enu_from_world.rotation.T @ np.array([0, 1.0, 0])
        length = np.hypot(east, north)
        cosine, sine = north / length, east / length
        upright = (
            Rigid(np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]]), np.zeros(3))
            @ upright
        )
    return upright


def _on_ground(upright: Rigid, ground: Plane) -> Rigid:
    """Raise or lower it until the plane passes through the origin."""
    below = upright.inverse().translation
    up_world = upright.rotation[2]
    rise = (ground.offset - ground.normal_world @ below) / (ground.normal_world @ up_world)
    return Rigid(upright.rotation, upright.translation - [0, 0, rise])


def _with_origin(upright: Rigid, origin: str, world_in_poses: Float[np.ndarray, "3"]) -> Rigid:
    """With 0,0,0 where the user wants it; world_in_poses: the world's own origin there."""
    if origin == "auto":
        return upright
    wanted = np.zeros(3) if origin == "poses" else _origin(origin)
    return Rigid(upright.rotation, -upright.rotation @ (wanted - world_in_poses))


def _shifted(world_from_model: Similarity, shift: Float[np.ndarray, "3"]) -> Similarity:
    return Similarity(
        world_from_model.scale, world_from_model.rotation, world_from_model.translation + shift
    )


def _origin(text: str) -> Float[np.ndarray, "3"]:
    """The point of "x,y,z"."""
    try:
        point = np.array([float(part) for part in text.split(",")])
    except ValueError:
        point = np.zeros(0)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise ConfigError(
            f'frame.origin is "{text}", which is no point.',
            hint="Say auto, poses, or three numbers such as 431200,5432100,300.",
        )
    return point


def _bearing_deg(target_from_world: Similarity, gps: GpsFit | None) -> float | None:
    """Of the model's +y, clockwise from north."""
    if gps is None:
        return None
    east, north, _ = gps.enu_from_world.rotation @ target_from_world.rotation[1]
    return round(float(np.degrees(np.arctan2(east, north))) % 360, 1)


def _direction(text: str) -> Float[np.ndarray, "3"]:
    """The unit vector of +z, -y or "x,y,z"."""
    sign, axis = (-1.0 if text.startswith("-") else 1.0), text.lstrip("+-")
    if axis.lower() in _AXES and len(text) <= 2:
        return sign * np.array(_AXES[axis.lower()])
    try:
        direction = np.array([float(part) for part in text.split(",")])
        length = float(np.linalg.norm(direction))
    except ValueError:
        direction, length = np.zeros(0), 0.0
    if direction.shape != (3,) or not np.isfinite(length) or length <= 0:
        raise ConfigError(
            f'frame.up is "{text}", which is no direction.',
            hint="Say auto, none, an axis such as +z or -y, or three numbers such as 0,0.1,1.",
        )
    return direction / length


def _plain(frame: TargetFrame) -> dict[str, object]:
    on_earth = frame.georeference
    return {
        "target_from_world": frame.target_from_world.plain(),
        "unit": frame.unit,
        "report": dict(frame.report),
        "up_world": None if frame.up_world is None else frame.up_world.tolist(),
        "georeference": on_earth
        and {
            "source": on_earth.source,
            "crs": on_earth.crs,
            "crs_from_target": on_earth.crs_from_target.plain(),
        },
    }


FRAME = Stage(
    name="frame",
    result="frame",
    version=7,
    run=find_frame,
    read=read_frame,
    warnings=lambda folder: warnings(read_frame(folder)),
)
