"""Rendered photos around a thing, before a turntable's fixed background, and inside a room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recon3d.core.camera import PinholeCamera, in_picture, pixel_rays, project
from recon3d.core.scene import Exif, ImageSet, Photo, PosedPhotos, PosedScene, SparsePoints, View
from recon3d.core.transform import Rigid

CAMERA = PinholeCamera.centred(240, 180, 230.0)
_BALLS = (
    # Centre and radii: a body, a head that leans out, and an arm, on the ground z = 0.
    ((0.0, 0.0, 0.42), (0.45, 0.35, 0.42)),
    ((0.15, 0.0, 0.95), (0.22, 0.22, 0.25)),
    ((-0.45, 0.1, 0.6), (0.25, 0.09, 0.09)),
)
_REDS = (120, 30, 20), (230, 120, 60)
_CELL = 0.06
_POINTS = 150


@dataclass(frozen=True, eq=False)
class Shot:
    """One photo and its truth."""

    rgb: np.ndarray
    points_world: np.ndarray
    """Of every pixel; NaN where nothing is."""
    is_thing: np.ndarray


def look_at(centre: np.ndarray, target: np.ndarray) -> Rigid:
    """A camera whose picture has z up."""
    forward = (target - centre) / np.linalg.norm(target - centre)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return Rigid(rotation, -rotation @ centre)


def around(count: int, vary: float = 0.0) -> list[Rigid]:
    """Cameras all around the thing, by a share of their distance nearer and farther."""
    turns = np.linspace(0, 2 * np.pi, count, endpoint=False)
    far = 3.2 * (1 + vary * np.sin(3 * turns))
    places = np.stack([far * np.cos(turns), far * np.sin(turns), np.full(count, 1.5)], 1)
    return [look_at(place, np.array([0.0, 0.0, 0.45])) for place in places]


def orbit(count: int = 16) -> tuple[PosedPhotos, dict[str, np.ndarray]]:
    """The thing on a carpet."""
    return _photographed(around(count, 0.1), lambda pose: _shoot(pose, _carpet))


def turntable(count: int = 16) -> tuple[PosedPhotos, dict[str, np.ndarray]]:
    """The thing on a disc that turns before a background as colourful as itself, which stays."""
    noise = _noise(np.stack(np.indices((180, 240)) * 0.013, -1).reshape(-1, 2), 5)
    backdrop = _painted(noise, *_REDS).astype(np.uint8).reshape(180, 240, 3)

    def shoot(pose: Rigid) -> Shot:
        shot = _shoot(pose, _disc)
        empty = np.isnan(shot.points_world[..., 0])
        return Shot(
            np.where(empty[..., None], backdrop, shot.rgb), shot.points_world, shot.is_thing
        )

    return _photographed(around(count), shoot)


def room(count: int = 16) -> PosedPhotos:
    """What a camera sees that turns in the middle of a room."""
    turns = np.linspace(0, 2 * np.pi, count, endpoint=False)
    out = np.stack([np.cos(turns), np.sin(turns), np.full(count, -0.1)], 1)
    places = 0.5 * out + [0, 0, 1.5]
    poses = [look_at(place, place + way) for place, way in zip(places, out, strict=True)]
    return _photographed(poses, lambda pose: _shoot(pose, _walls))[0]


def facade(count: int = 16) -> PosedPhotos:
    """A wall all over the photos, from a half circle before it."""
    turns = np.linspace(-0.9, 0.9, count)
    places = np.stack([3 * np.sin(turns), -3 * np.cos(turns), np.full(count, 1.0)], 1)
    poses = [look_at(place, np.array([0.0, 0.0, 1.0])) for place in places]
    return _photographed(poses, lambda pose: _shoot(pose, _wall))[0]


def image_set_of(posed: PosedPhotos) -> ImageSet:
    """The photos as they were taken: the same, with a lens that bends nothing."""
    photos = tuple(
        Photo(view.photo_id, view.photo_id, 240, 180, Exif(), view.photo_id, "camera")
        for view in posed.scene.views
    )
    return ImageSet(photos, (), False, {}, {}, {})


Ground = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(eye, rays) -> distance along each ray, inf = none, and the colours there."""


def _photographed(
    poses: list[Rigid], shoot: Callable[[Rigid], Shot]
) -> tuple[PosedPhotos, dict[str, np.ndarray]]:
    """Photos, and sparse points as structure from motion would have found them."""
    names = [f"{number:02d}.jpg" for number in range(len(poses))]
    shots = {name: shoot(pose) for name, pose in zip(names, poses, strict=True)}
    views = tuple(View(name, CAMERA, pose) for name, pose in zip(names, poses, strict=True))
    rng = np.random.default_rng(1)
    found = []
    for shot in shots.values():
        seen = shot.points_world[np.isfinite(shot.points_world[..., 0])]
        found.append(rng.choice(seen, _POINTS))
    points = np.concatenate(found)
    observations = []
    for number, (view, shot) in enumerate(zip(views, shots.values(), strict=True)):
        uv_px, _ = project(view.cam_from_world @ points, CAMERA)
        inside = np.flatnonzero(in_picture(uv_px, CAMERA))
        u, v = uv_px[inside].astype(int).T
        apart = np.linalg.norm(shot.points_world[v, u] - points[inside], axis=1)
        seen_here = inside[apart < 0.02]
        observations.append(np.stack([seen_here, np.full(len(seen_here), number)], 1))
    sparse = SparsePoints(
        points,
        np.zeros((len(points), 3), np.uint8),
        np.full(len(points), 0.5),
        np.concatenate(observations),
    )
    scene = PosedScene(views, sparse, "scene")
    posed = PosedPhotos(scene, {name: shot.rgb for name, shot in shots.items()}, {}, {}, ())
    return posed, {name: shot.is_thing for name, shot in shots.items()}


def _shoot(pose: Rigid, ground: Ground) -> Shot:
    world_from_cam = pose.inverse()
    eye, rays = world_from_cam.translation, pixel_rays(CAMERA) @ world_from_cam.rotation.T
    rays = rays.reshape(-1, 3)
    nearest, rgb = ground(eye, rays)
    is_thing = np.zeros(len(rays), bool)
    for number, (centre, radii) in enumerate(_BALLS if ground is not _walls else ()):
        if ground is _wall:
            break
        distance = _to_ball(eye, rays, np.array(centre), np.array(radii))
        hit = distance < nearest
        points = eye + distance[hit, None] * rays[hit]
        rgb[hit] = _painted(_noise(points, number), *_REDS)
        nearest[hit], is_thing[hit] = distance[hit], True
    points = np.where(np.isfinite(nearest)[:, None], eye + nearest[:, None] * rays, np.nan)
    grain = np.random.default_rng(0).normal(0, 2, rgb.shape)
    rgb = np.clip(rgb + grain, 0, 255).astype(np.uint8)
    return Shot(rgb.reshape(180, 240, 3), points.reshape(180, 240, 3), is_thing.reshape(180, 240))


def _carpet(eye: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    distance = _to_plane(eye, rays, np.array([0.0, 0.0, 1.0]), 0.0)
    points = eye + np.where(np.isfinite(distance), distance, 0)[:, None] * rays
    rgb = _painted(_noise(points[:, :2], 9), (90, 95, 100), (170, 170, 180))
    return distance, np.where(np.isfinite(distance)[:, None], rgb, (150, 170, 200)).astype(float)


def _disc(eye: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    distance, rgb = _carpet(eye, rays)
    points = eye + np.where(np.isfinite(distance), distance, 0)[:, None] * rays
    return np.where(np.hypot(points[:, 0], points[:, 1]) < 0.8, distance, np.inf), rgb


def _wall(eye: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    distance = _to_plane(eye, rays, np.array([0.0, 1.0, 0.0]), 0.3)
    points = eye + np.where(np.isfinite(distance), distance, 0)[:, None] * rays
    return distance, _painted(_noise(points[:, ::2], 9), (90, 80, 60), (190, 170, 140))


def _walls(eye: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    planes = [(axis, side) for axis in np.eye(3) for side in (-3.0, 3.0)]
    distances = np.stack([_to_plane(eye, rays, axis, side) for axis, side in planes])
    distance = distances.min(axis=0)
    points = eye + distance[:, None] * rays
    return distance, _painted(_noise(points, 9), (90, 80, 60), (190, 170, 140))


def _to_plane(eye: np.ndarray, rays: np.ndarray, normal: np.ndarray, at: float) -> np.ndarray:
    with np.errstate(divide="ignore"):
        distance = (at - normal @ eye) / (rays @ normal)
    return np.where(distance > 1e-6, distance, np.inf)


def _to_ball(
    eye: np.ndarray, rays: np.ndarray, centre: np.ndarray, radii: np.ndarray
) -> np.ndarray:
    start, way = (eye - centre) / radii, rays / radii
    a, b, c = (way**2).sum(1), way @ start, float(start @ start) - 1
    root = b**2 - a * c
    near = (-b - np.sqrt(np.maximum(root, 0))) / a
    return np.where((root > 0) & (near > 1e-6), near, np.inf)


def _noise(points: np.ndarray, seed: int) -> np.ndarray:
    """A value in 0..1 for every place, the same within cells."""
    cells = np.floor(points / _CELL).astype(np.int64)
    mixed = (cells * [73856093, 19349663, 83492791][: cells.shape[1]]).sum(1) + seed * 7919
    mixed = (mixed ^ (mixed >> 13)) * 1274126177
    return ((mixed ^ (mixed >> 16)) & 1023) / 1023


def _painted(
    noise: np.ndarray, dark: tuple[int, int, int], light: tuple[int, int, int]
) -> np.ndarray:
    share = noise[:, None]
    return (1 - share) * np.array(dark, float) + share * np.array(light, float)
