"""Lights and the maps of what they reach."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recon3d.depth.synthetic.cameras import look_at
from recon3d.depth.synthetic.rasteriser import nearness, screen_triangles
from recon3d.depth.synthetic.scene import Light

_SHADOW_PX = 768
_SKY_PX = 192
_SKY_PARTS = 7


@dataclass(frozen=True, eq=False)
class Lamp:
    """A light with the map of what it sees first."""

    position: Tensor
    direction: Tensor
    """(3,) unit vector towards it from the middle of the scene."""
    colour: Tensor
    reach: float
    map_from_world: Tensor
    """(3, 4): homogeneous pixel of the shadow map; the last is the depth along its axis."""
    nearness: Tensor
    """(s * s,) 1 / depth of what the lamp sees first, 0 where its light goes on for ever."""
    texel: float
    """A pixel's width at depth 1."""

    def share(self, points: Tensor, normals: Tensor) -> Tensor:
        """How much of the lamp each point sees, (n,) 0 to 1."""
        side = int(self.nearness.numel() ** 0.5)
        x, y, depth_z = (points @ self.map_from_world[:, :3].T + self.map_from_world[:, 3]).unbind(
            -1
        )
        # Points step off their surface by a texel, or it would shade itself.
        lift = 1.5 * self.texel * depth_z
        dx, dy, dz = (normals @ self.map_from_world[:, :3].T).unbind(-1)
        near = 1 / torch.addcmul(depth_z, lift, dz).clamp_min(1e-6)
        x = torch.addcmul(x, lift, dx).mul_(near).sub_(0.5).clamp_(0, side - 1.001)
        y = torch.addcmul(y, lift, dy).mul_(near).sub_(0.5).clamp_(0, side - 1.001)
        column, row = x.long(), y.long()
        first = row * side + column
        near = near * (1 + 1e-4)
        lit = [(self.nearness[first + step] < near).float() for step in (0, 1, side, side + 1)]
        x, y = x - column, y - row
        return torch.lerp(torch.lerp(lit[0], lit[1], x), torch.lerp(lit[2], lit[3], x), y)


def place_lamp(light: Light, casters: Tensor, side_px: int = _SHADOW_PX) -> Lamp:
    """Draw the light's shadow map of the casters (k, 3, 3), world frame."""
    device = casters.device
    points = casters.reshape(-1, 3)
    low, high = (end.cpu().numpy() for end in (points.amin(0), points.amax(0)))
    middle, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2
    position = np.array(light.position)
    distance = float(np.linalg.norm(position - middle))
    sine = min(radius / max(distance, 1e-9), 0.93)
    focal_px = side_px / 2 * np.sqrt(1 - sine**2) / sine
    matrix = np.array([[focal_px, 0, side_px / 2], [0, focal_px, side_px / 2], [0, 0, 1]])
    pose = look_at(position, middle, 0.0)
    map_from_world = torch.from_numpy(matrix @ pose[:3]).to(device)
    pose_there = torch.from_numpy(pose).to(device)
    corners_cam = casters @ pose_there[:3, :3].T + pose_there[:3, 3]
    seen = screen_triangles(corners_cam, torch.from_numpy(matrix).to(device), side_px, side_px)
    return Lamp(
        torch.tensor(position, dtype=torch.float32, device=device),
        torch.tensor((position - middle) / distance, dtype=torch.float32, device=device),
        torch.tensor(light.colour, dtype=torch.float32, device=device),
        light.reach,
        map_from_world.float(),
        nearness(seen).flatten(),
        1.0 / float(focal_px),
    )


def place_sky(casters: Tensor) -> tuple[Lamp, ...]:
    """Lamps all around the upper half of space, for ambient light and what keeps it off."""
    points = casters.reshape(-1, 3)
    low, high = (end.cpu().numpy() for end in (points.amin(0), points.amax(0)))
    middle, away = (low + high) / 2, 20.0 * float(np.linalg.norm(high - low))
    lamps = []
    for part in range(_SKY_PARTS):
        # A sunflower's seeds spread evenly.
        height = (part + 0.5) / _SKY_PARTS
        around = part * np.pi * (3 - np.sqrt(5))
        level = np.sqrt(1 - height**2)
        direction = np.array([level * np.cos(around), level * np.sin(around), height])
        x, y, z = (middle + away * direction).tolist()
        lamps.append(place_lamp(Light((x, y, z), (1, 1, 1), away), casters, _SKY_PX))
    return tuple(lamps)
