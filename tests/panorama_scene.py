"""Panoramas of a room with a table and a column in it, rendered exactly."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from recon3d.core.camera import PinholeCamera, pixel_rays
from recon3d.core.equirectangular import directions_of_pixels
from recon3d.core.transform import Rigid, rotations_from_axis_angle

# Low and high corner, in metres, z up: the room itself is seen from inside.
ROOM = (np.array([-3.0, -2.2, 0.0]), np.array([3.0, 2.2, 2.8]))
BOXES = (
    (np.array([-1.0, -0.5, 0.0]), np.array([0.2, 0.4, 0.75])),
    (np.array([1.7, 0.9, 0.0]), np.array([2.1, 1.3, 2.8])),
    (np.array([-2.9, 1.5, 0.0]), np.array([-1.6, 2.1, 1.1])),
)
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" '
    b'GPano:ProjectionType="equirectangular"/></rdf:RDF></x:xmpmeta>'
)
_TEXTURE_PX_PER_M = 200


def stands(count: int, seed: int = 0) -> list[Rigid]:
    """pano_from_world of panoramas on a walk around the table, each turned and tilted anyhow."""
    rng = np.random.default_rng(seed)
    out = []
    for number in range(count):
        turn = 2 * np.pi * number / count
        centre = np.array([1.5 * np.cos(turn) - 0.3, 1.2 * np.sin(turn), 1.3 + 0.3 * (number % 2)])
        centre += rng.uniform(-0.1, 0.1, 3)
        yaw = rng.uniform(0, 2 * np.pi)
        ahead = np.array([np.cos(yaw), np.sin(yaw), 0.0])
        right = np.cross(ahead, [0.0, 0.0, 1.0])
        level = np.stack([right, np.cross(ahead, right), ahead])
        tilt = rotations_from_axis_angle(np.radians(rng.normal(0, 2, (1, 3))))[0]
        rotation = tilt @ level
        out.append(Rigid(rotation, -rotation @ centre))
    return out


def panorama(pano_from_world: Rigid, width_px: int) -> np.ndarray:
    """RGB, twice as wide as high; four samples a pixel."""
    world_from_pano = pano_from_world.inverse()
    rays = directions_of_pixels(2 * width_px) @ world_from_pano.rotation.T
    rgb = shade(world_from_pano.translation, rays.reshape(-1, 3)).reshape(rays.shape)
    return np.asarray(cv2.resize(rgb, (width_px, width_px // 2), interpolation=cv2.INTER_AREA))


def write_panoramas(folder: Path, poses: list[Rigid], width_px: int) -> dict[str, Rigid]:
    """JPEGs that say what they are; the truth by their names."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = {f"pano_{number:02d}.jpg": pose for number, pose in enumerate(poses)}
    for name, pose in truth.items():
        picture = Image.fromarray(panorama(pose, width_px))
        picture.save(folder / name, quality=95, xmp=XMP)
    return truth


def shade(eye: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """8-bit RGB of every ray from one point."""
    nearest = np.full(len(rays), np.inf)
    rgb = np.zeros((len(rays), 3), np.uint8)
    for number, (low, high) in enumerate((ROOM, *BOXES)):
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = np.stack([(low - eye) / rays, (high - eye) / rays])
        first, last = ends.min(axis=0), ends.max(axis=0)
        enters, leaves = first.max(axis=1), last.min(axis=1)
        distance = leaves if number == 0 else np.where(enters < leaves, enters, np.inf)
        axis = last.argmin(axis=1) if number == 0 else first.argmax(axis=1)
        hit = (distance > 1e-6) & (distance < nearest)
        nearest[hit] = distance[hit]
        points = eye + distance[hit, None] * rays[hit]
        rgb[hit] = _painted(points, axis[hit], rays[hit], number)
    return rgb


def _painted(points: np.ndarray, axis: np.ndarray, rays: np.ndarray, box: int) -> np.ndarray:
    out = np.zeros((len(points), 3), np.uint8)
    for number in range(3):
        for side in (0, 1):
            face = (axis == number) & (
                (np.take_along_axis(rays, axis[:, None], 1)[:, 0] > 0) == side
            )
            if face.any():
                flat = np.delete(points[face], number, axis=1)
                texture = _texture(2 * number + side + 6 * box)
                uv = (flat * _TEXTURE_PX_PER_M).astype(np.int64) % texture.shape[0]
                out[face] = texture[uv[:, 0], uv[:, 1]]
    return out


_textures: dict[int, np.ndarray] = {}


def _texture(seed: int) -> np.ndarray:
    """Coloured noise of several sizes, like plaster and wood and posters."""
    if seed not in _textures:
        rng, side = np.random.default_rng(seed), 1400
        grey = np.zeros((side, side), np.float32)
        for cells, share in ((28, 0.35), (100, 0.35), (350, 0.3)):
            coarse = rng.random((cells, cells)).astype(np.float32)
            grey += share * cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
        tint = rng.uniform(0.5, 1.0, 3)
        contrast = np.clip((grey - 0.5) * 2.2 + 0.5, 0.03, 0.97)
        _textures[seed] = (255 * contrast[..., None] * tint).astype(np.uint8)
    return _textures[seed]


def photo(cam_from_world: Rigid, camera: PinholeCamera) -> np.ndarray:
    """RGB of an ordinary camera; four samples a pixel."""
    fine = camera.resized(2 * camera.width_px, 2 * camera.height_px)
    world_from_cam = cam_from_world.inverse()
    rays = pixel_rays(fine) @ world_from_cam.rotation.T
    rgb = shade(world_from_cam.translation, rays.reshape(-1, 3)).reshape(rays.shape)
    size = camera.width_px, camera.height_px
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))


def walk_around(count: int) -> list[Rigid]:
    """cam_from_world of a camera that looks at the table from most sides."""
    rng = np.random.default_rng(3)
    out = []
    for number in range(count):
        turn = 1.6 * np.pi * number / count
        centre = np.array([1.9 * np.cos(turn) - 0.3, 1.5 * np.sin(turn), 1.4 + 0.2 * (number % 2)])
        centre += rng.uniform(-0.1, 0.1, 3)
        ahead = np.array([-0.3, 0, 0.7]) + rng.uniform(-0.3, 0.3, 3) - centre
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(ahead, right), ahead])
        out.append(Rigid(rotation, -rotation @ centre))
    return out
