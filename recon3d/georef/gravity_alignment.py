"""What is known of which way is up, and where the ground is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from recon3d.core.geodesy import GpsFit
from recon3d.core.scene import ImageSet, PosedScene, View
from recon3d.core.surface import Mesh
from recon3d.georef.planes import Plane, find_ground, find_plumb, sample_surface
from recon3d.georef.up_cues import (
    FusedUp,
    cameras_up,
    fuse_ups,
    given_up,
    gps_up,
    gravity_up,
    ground_up,
    sigma_deg,
    walls_up,
)
from recon3d.georef.upright import of_one_pose

# Of the surface: below it a level plane is a step or a shelf.
_GROUND_SHARE = 0.06
# Planes within three error bars of level or plumb are asked, but never further off than this.
_GATE_DEG = (6.0, 25.0)
_SAMPLES = 20_000
_FEWEST = 50


@dataclass(frozen=True, eq=False)
class GravityAlignment:
    """Which way is up, and the ground plane where there is one."""

    up: FusedUp
    ground: Plane | None


def find_gravity_alignment(
    scene: PosedScene,
    image_set: ImageSet,
    mesh: Mesh | None,
    gps: GpsFit | None,
    given: Float[np.ndarray, "3"] | None,
    given_by: str = "--up",
) -> GravityAlignment:
    """Ask the user, the photos' sensors, the model's walls and ground, and the cameras.

    mesh: of the surface, or the sparse points without faces; None where it is bent by guesses.
    gps: how the cameras fit their readings, where they may be believed.
    given: the direction that the user says is up, in the world frame.
    given_by: by which option, or by what else.
    """
    sure = [] if given is None else [given_up(given, given_by)]
    cam_from_world = np.stack([view.cam_from_world.rotation for view in scene.views])
    standing = [
        view for view, yes in zip(scene.views, of_one_pose(cam_from_world), strict=True) if yes
    ]
    if len(felt := _felt_ups(standing, image_set)):
        sure.append(gravity_up(felt))
    if gps is not None:
        sure.append(gps_up(gps.enu_from_world.rotation[2], gps.turn_covariance_world))
    cameras = cameras_up(cam_from_world)
    rng = np.random.default_rng(0)
    samples = sample_surface(mesh, _SAMPLES, rng) if mesh else None
    if not samples or len(samples.points) < _FEWEST:
        return GravityAlignment(fuse_ups([*sure, cameras]), None)
    up = fuse_ups([*sure, cameras])
    ground = find_ground(samples, up.up_world, _gate_deg(up), rng)
    if ground and ground.share < _GROUND_SHARE:
        ground = None
    level = (
        [ground_up(ground.normal_world, f"{100 * ground.share:.0f} % of the model")]
        if ground
        else []
    )
    up = fuse_ups([*sure, *level, cameras])
    plumb = find_plumb(samples, up.up_world, _gate_deg(up))
    upright = [walls_up(plumb)] if plumb else []
    fused = fuse_ups([*sure, *upright, *level, cameras])
    is_level = any(judged.used for judged in fused.cues if judged.cue.source == "ground")
    return GravityAlignment(fused, ground if is_level else None)


def _gate_deg(up: FusedUp) -> float:
    """How far off a plane may be and still be meant to be level or plumb."""
    return float(np.clip(3 * sigma_deg(up.information), *_GATE_DEG))


def _felt_ups(views: Sequence[View], image_set: ImageSet) -> Float[np.ndarray, "n 3"]:
    """Against gravity, in the world, for each placed photo whose sensors tell."""
    exif = {photo.id: photo.exif for photo in image_set.photos}
    ups = [
        view.cam_from_world.rotation.T @ -np.array(down)
        for view in views
        if view.photo_id in exif and (down := exif[view.photo_id].down_cam)
    ]
    return np.array(ups).reshape(-1, 3)
