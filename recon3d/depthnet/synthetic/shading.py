"""Light on surfaces: shadow maps, highlights, ambient light; all in linear light."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from recon3d.depthnet.synthetic.cameras import look_at
from recon3d.depthnet.synthetic.materials import Paint
from recon3d.depthnet.synthetic.rasteriser import (
    Hits,
    hits_at,
    nearest,
    sample_grid,
    screen_triangles,
)
from recon3d.depthnet.synthetic.scene import Light, Scene

_SHADOW_PX = 320


@dataclass(frozen=True, eq=False)
class LitScene:
    """A scene on the device that renders it."""

    corners: Tensor
    """(m, 3, 3) float64, world frame."""
    normals: Tensor
    uv: Tensor
    material: Tensor
    paint: Paint
    lamps: tuple[Lamp, ...]
    sky: Tensor
    """(2, 3): light from above and from below."""


@dataclass(frozen=True, eq=False)
class Lamp:
    """A light with the map of what it sees first."""

    position: Tensor
    colour: Tensor
    reach: float
    map_from_world: Tensor
    """(3, 4): homogeneous pixel of the shadow map; the last is the depth along its axis."""
    depth_z: Tensor
    """(s, s), inf where light goes on for ever."""
    texel: float
    """A pixel's width at depth 1."""

    def share(self, points: Tensor, normals: Tensor) -> Tensor:
        """How much of the lamp each point sees, 0 to 1."""
        away = (points - self.position).norm(dim=-1, keepdim=True)
        lifted = points + normals * (1.5 * self.texel * away)
        mapped = lifted @ self.map_from_world[:, :3].T + self.map_from_world[:, 3]
        depth_z = mapped[:, 2]
        spot = mapped[:, :2] / depth_z[:, None].clamp_min(1e-6) - 0.5
        low = spot.floor()
        side = self.depth_z.shape[-1]
        x, y = (spot - low).unbind(-1)
        column, row = low.long().clamp(0, side - 2).unbind(-1)
        first = row * side + column
        limit = depth_z * (1 - 1e-4)
        flat = self.depth_z.view(-1)
        lit = [(flat[first + step] > limit).float() for step in (0, 1, side, side + 1)]
        return torch.lerp(torch.lerp(lit[0], lit[1], x), torch.lerp(lit[2], lit[3], x), y)


def place_lamp(light: Light, casters: Tensor) -> Lamp:
    """Draw the light's shadow map of the casters (k, 3, 3), world frame."""
    device = casters.device
    points = casters.reshape(-1, 3)
    low, high = points.amin(0), points.amax(0)
    middle = (low + high) / 2
    radius = float((high - low).norm()) / 2
    position = torch.tensor(light.position, dtype=torch.float64, device=device)
    distance = float((position - middle).norm())
    half_angle = radius / max(distance, radius * 1.01)
    tangent = min(half_angle / max(1e-9, 1 - half_angle**2) ** 0.5, 2.5)
    focal_px = _SHADOW_PX / 2 / tangent
    half = _SHADOW_PX / 2
    matrix = torch.tensor(
        [[focal_px, 0, half], [0, focal_px, half], [0, 0, 1]], dtype=torch.float64, device=device
    )
    pose = torch.from_numpy(look_at(position.cpu().numpy(), middle.cpu().numpy(), 0.0)).to(device)
    seen = screen_triangles(casters @ pose[:3, :3].T + pose[:3, 3], matrix, _SHADOW_PX, _SHADOW_PX)
    grid = sample_grid(_SHADOW_PX, _SHADOW_PX, 0.5, device)
    depth_z = hits_at(seen, nearest(seen), grid).depth_z
    return Lamp(
        position.float(),
        torch.tensor(light.colour, device=device),
        light.reach,
        (matrix @ pose[:3]).float(),
        torch.where(depth_z > 0, depth_z, torch.inf),
        1.0 / focal_px,
    )


def light_scene(scene: Scene, paint: Paint, device: torch.device) -> LitScene:
    """Bring a scene to the device and cast its shadows."""
    corners = torch.from_numpy(scene.shape.corners).to(device)
    casters = corners[torch.from_numpy(scene.casts_shadow).to(device)]
    return LitScene(
        corners,
        torch.from_numpy(scene.shape.normals).float().to(device),
        torch.from_numpy(scene.shape.uv).float().to(device),
        torch.from_numpy(scene.material).to(device),
        paint,
        tuple(place_lamp(light, casters) for light in scene.lights),
        torch.stack([torch.from_numpy(colour) for colour in scene.sky]).float().to(device),
    )


def shade(scene: LitScene, hits: Hits, rays: Tensor, eye: Tensor, focal_px: float) -> Tensor:
    """Linear colours (n, 3) of a list of samples; rays (n, 3) have depth_z 1, world frame."""
    triangle = hits.triangle.clamp_min(0)
    weights = hits.weights[:, None]
    normals = F.normalize((weights @ scene.normals[triangle])[:, 0], dim=-1)
    uv = (weights @ scene.uv[triangle])[:, 0]
    material = scene.material[triangle]
    to_eye = -F.normalize(rays, dim=-1)
    facing = (normals * to_eye).sum(-1, keepdim=True)
    normals = torch.where(facing < 0, -normals, normals)
    points = eye + rays * hits.depth_z[:, None]
    footprint = hits.depth_z / focal_px / facing[:, 0].abs().clamp_min(0.1).sqrt()
    albedo = scene.paint.look_up(material, uv, footprint)
    strength, shininess = scene.paint.gloss[material].unbind(-1)
    light = torch.lerp(scene.sky[1], scene.sky[0], 0.5 + 0.5 * normals[:, 2:])
    highlight = torch.zeros_like(albedo)
    for lamp in scene.lamps:
        towards = lamp.position - points
        distance = towards.norm(dim=-1, keepdim=True)
        towards = towards / distance
        incoming = lamp.share(points, normals)[:, None] * (lamp.reach / distance) ** 2
        light = light + lamp.colour * incoming * (normals * towards).sum(-1, True).clamp_min(0)
        half = (normals * F.normalize(towards + to_eye, dim=-1)).sum(-1).clamp_min(0)
        glint = strength * half**shininess * (1 + shininess / 20)
        highlight = highlight + lamp.colour * incoming * glint[:, None]
    colour = albedo * light + highlight
    sky = scene.sky[0] * (1.1 + 0.6 * rays[:, 2:].clamp(-1, 1))
    return torch.where((hits.triangle >= 0)[:, None], colour, sky)
