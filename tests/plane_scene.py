"""A textured, slanted plane whose photos and depth are known exactly."""

from __future__ import annotations

import numpy as np

from recon3d.core.camera import PinholeCamera, pixel_rays
from recon3d.core.depth import DepthFrame, DepthRequest
from recon3d.core.transform import Rigid

CAMERA = PinholeCamera(160, 120, 150.0, 150.0, 80.0, 60.0)
NORMAL = np.array([-0.35, 0.15, 1.0])
OFFSET = 4.0
"""The plane is NORMAL . x = OFFSET in the world frame, about 4 units in front."""


def depth_of_plane(camera: PinholeCamera, cam_from_world: Rigid) -> np.ndarray:
    """depth_z of every pixel, analytic."""
    world_from_cam = cam_from_world.inverse()
    slope = pixel_rays(camera) @ world_from_cam.rotation.T @ NORMAL
    return ((OFFSET - NORMAL @ world_from_cam.translation) / slope).astype(np.float32)


def frame(name: str, centre_world: tuple[float, float, float], turn_deg: float = 0.0) -> DepthFrame:
    """A photo of the plane; its texture is a sum of waves with seeded directions."""
    angle = np.radians(turn_deg)
    rotation = np.array(
        [[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]]
    )
    cam_from_world = Rigid(rotation, -rotation @ np.array(centre_world))
    points = cam_from_world.inverse() @ (
        pixel_rays(CAMERA) * depth_of_plane(CAMERA, cam_from_world)[..., None].astype(np.float64)
    )
    rng = np.random.default_rng(7)
    waves = rng.normal(0, 9, (40, 2))
    phases = rng.uniform(0, 2 * np.pi, 40)
    grey = np.cos(points[..., :2] @ waves.T + phases).sum(-1)
    rgb = np.clip(128 + 12 * grey, 0, 255).astype(np.uint8)
    return DepthFrame(name, np.repeat(rgb[..., None], 3, -1), CAMERA, cam_from_world)


def request(mask: np.ndarray | None = None) -> DepthRequest:
    """The plane from the middle, with four photos around it."""
    middle = frame("middle", (0, 0, 0))
    if mask is not None:
        middle = DepthFrame("middle", middle.rgb, CAMERA, middle.cam_from_world, mask)
    sources = (
        frame("right", (0.4, 0, 0), -4),
        frame("left", (-0.4, 0, 0), 4),
        frame("above", (0, -0.35, 0)),
        frame("below", (0, 0.35, 0)),
    )
    return DepthRequest(middle, sources, np.zeros((0, 3)), (2.0, 9.0))
