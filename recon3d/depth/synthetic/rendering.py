"""From a seed to pictures with exact depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recon3d.depth.synthetic.cameras import PosedCamera, draw_path, draw_viewpoint
from recon3d.depth.synthetic.kinds import draw_scene
from recon3d.depth.synthetic.painting import paint
from recon3d.depth.synthetic.rasteriser import (
    Hits,
    ScreenTriangles,
    hits_at,
    nearest,
    sample_grid,
    screen_triangles,
)
from recon3d.depth.synthetic.scene import Scene
from recon3d.depth.synthetic.shading import LitScene, light_scene, shade

_PATHS_PER_SCENE = 8
_SCENES_PER_SEED = 60
_FEW_TRIANGLES = 10
"""Bare walls and ceilings happen, but most photos show things."""
_EVEN = 1.05
"""Ratio of neighbouring brightnesses below which no edge needs smoothing."""
_LOOK_PX = 64
"""Size of the quick looks that decide whether a path is any good."""


@dataclass(frozen=True, eq=False)
class RenderedScene:
    """Views of one scene; view 0 is in the middle of the path, later ones are farther away."""

    rgb: Tensor
    """(v, 3, h, w) uint8 sRGB, without any fault of a camera."""
    depth_z: Tensor
    """(v, h, w) float32 along the optical axis, scene units; 0 = nothing there (sky)."""
    matrices: Tensor
    """(v, 3, 3) float64 intrinsics; pixel centres at half-integers."""
    cam_from_world: Tensor
    """(v, 4, 4) float64."""
    kind: str
    """What it shows: "room", "table", "object", ..."""


def render_scene(
    seed: int,
    *,
    width_px: int = 320,
    height_px: int = 240,
    views: int = 6,
    textures: Sequence[Tensor] = (),
    device: torch.device | None = None,
) -> RenderedScene:
    """Draw a random scene and photograph it from a random path; device defaults to the CPU.

    The same seed gives the same scene on the same type of device. Scenes that show too little, or
    whose views hardly overlap, are drawn again.
    """
    device = device or torch.device("cpu")
    for attempt in range(_SCENES_PER_SEED):
        rng = np.random.default_rng([seed, attempt])
        scene = draw_scene(rng)
        corners = torch.from_numpy(scene.shape.corners).to(device)
        shots = _find_path(rng, scene, corners, (width_px, height_px), views)
        if shots is not None:
            break
    else:
        raise RuntimeError(f"seed {seed}: no usable scene in {_SCENES_PER_SEED} draws")
    generator = torch.Generator(device).manual_seed(int(rng.integers(1 << 62)))
    side_px = 256 if max(width_px, height_px) <= 400 else 512
    painted = paint(scene.materials, textures, side_px, generator, device)
    lit = light_scene(scene, painted, generator, device)
    photos = [_photograph(lit, shot, width_px, height_px) for shot in shots]
    linear = torch.stack([photo[0] for photo in photos])
    middle, bright = (
        linear[:, :, ::4, ::4].mean(1).flatten().quantile(torch.tensor([0.5, 0.96], device=device))
    )
    exposure = torch.minimum(rng.uniform(0.12, 0.32) / middle, rng.uniform(0.6, 1.3) / bright)
    srgb = _srgb((linear * exposure).clamp(0, 1))
    scale = 10.0 ** rng.uniform(-1, 1)
    poses = np.stack([shot.cam_from_world for shot in shots])
    poses[:, :3, 3] *= scale
    return RenderedScene(
        (srgb * 255).round().to(torch.uint8),
        torch.stack([photo[1] for photo in photos]) * scale,
        torch.from_numpy(np.stack([shot.matrix for shot in shots])).to(device),
        torch.from_numpy(poses).to(device),
        scene.kind,
    )


def _find_path(
    rng: np.random.Generator, scene: Scene, corners: Tensor, size_px: tuple[int, int], views: int
) -> list[PosedCamera] | None:
    """Cameras that see enough, stand in nothing, and see the same things; None after some tries."""
    for _ in range(_PATHS_PER_SCENE):
        start = draw_viewpoint(rng, scene.stage, *size_px)
        look = _look(corners, start.shot(), size_px)
        dull = len(torch.unique(look.triangle)) < _FEW_TRIANGLES and rng.random() < 0.8
        if dull or not _is_good(look.depth_z):
            continue
        median = float(look.depth_z[look.depth_z > 0].median())
        shots = draw_path(rng, start, scene.stage, views, median)
        looks = [_look(corners, shot, size_px).depth_z for shot in shots]
        if all(_is_good(look) for look in looks) and _overlap(shots, looks, size_px):
            return shots
    return None


def _look(corners: Tensor, shot: PosedCamera, size_px: tuple[int, int]) -> Hits:
    """A small picture of what is where."""
    scale = _LOOK_PX / max(size_px)
    width_px, height_px = (max(8, round(size * scale)) for size in size_px)
    shrink = np.diag([width_px / size_px[0], height_px / size_px[1], 1.0])
    small = PosedCamera(shrink @ shot.matrix, shot.cam_from_world)
    seen = _screen(corners, small, width_px, height_px)
    grid = sample_grid(height_px, width_px, 0.5, corners.device)
    return hits_at(seen, nearest(seen), grid)


def _is_good(depth_z: Tensor) -> bool:
    """At most half of it sky, and nothing right in front of the lens."""
    known = depth_z[depth_z > 0]
    if known.numel() < 0.5 * depth_z.numel():
        return False
    return bool(known.quantile(0.02) > 0.15 * known.median())


def _overlap(shots: list[PosedCamera], looks: list[Tensor], size_px: tuple[int, int]) -> bool:
    """Half of what view 0 sees shows in its two neighbours, and a quarter in all others."""
    rows, columns = looks[0].shape
    grid = sample_grid(rows, columns, 0.5, looks[0].device)
    scale = torch.tensor([size_px[0] / columns, size_px[1] / rows], device=grid.device)
    pixels = torch.cat([grid * scale, torch.ones_like(grid[..., :1])], -1)
    first = _tensors(shots[0], grid.device)
    rays = pixels @ torch.linalg.inv(first[0]).T
    known = looks[0] > 0
    points_cam = (rays * looks[0][..., None])[known]
    points = (points_cam - first[1][:3, 3]) @ first[1][:3, :3]
    shares = []
    for shot, look in zip(shots[1:], looks[1:], strict=True):
        matrix, pose = _tensors(shot, grid.device)
        moved = (points @ pose[:3, :3].T + pose[:3, 3]) @ matrix.T
        place = (moved[:, :2] / moved[:, 2:].clamp_min(1e-9) / scale).floor().long()
        inside = (moved[:, 2] > 0) & (place >= 0).all(-1)
        inside &= (place[:, 0] < columns) & (place[:, 1] < rows)
        x, y = (place[inside] + 0).unbind(-1)
        visible = moved[inside, 2] < look[y, x] * 1.08
        shares.append(float(visible.sum()) / len(points))
    return min(shares[:2], default=1.0) > 0.5 and min(shares, default=1.0) > 0.25


def _photograph(
    lit: LitScene, shot: PosedCamera, width_px: int, height_px: int
) -> tuple[Tensor, Tensor]:
    """Linear colours (3, h, w) and depth_z (h, w).

    Every pixel mixes its centre with its four corners (quincunx antialiasing). Corners are shaded
    only where the centres around them differ; elsewhere the mean of those is as good.
    """
    seen = _screen(lit.corners, shot, width_px, height_px)
    device = lit.corners.device
    grid = sample_grid(height_px, width_px, 0.5, device)
    hits = hits_at(seen, nearest(seen), grid)
    centres = _shade_samples(lit, shot, hits, grid).permute(2, 0, 1)
    padded = F.pad(centres[None], (1, 1, 1, 1), mode="replicate")
    corners = F.avg_pool2d(padded, 2, 1)[0]
    grey = padded.mean(1)
    highest, lowest = F.max_pool2d(grey, 2, 1)[0], -F.max_pool2d(-grey, 2, 1)[0]
    uneven = (highest > lowest * _EVEN).flatten().nonzero()[:, 0]
    places = sample_grid(height_px + 1, width_px + 1, 0.0, device).view(-1, 2)[uneven]
    corner_hits = hits_at(seen, nearest(seen, 0.0).flatten()[uneven], places)
    corners.flatten(1)[:, uneven] = _shade_samples(lit, shot, corner_hits, places).T
    return 0.5 * centres + 0.5 * F.avg_pool2d(corners, 2, 1), hits.depth_z


def _shade_samples(lit: LitScene, shot: PosedCamera, hits: Hits, xy_px: Tensor) -> Tensor:
    """Colours (..., 3) at sample positions (..., 2)."""
    matrix, pose = _tensors(shot, xy_px.device)
    world_from_px = pose[:3, :3].T @ torch.linalg.inv(matrix)
    flat = xy_px.reshape(-1, 2)
    rays = (flat @ world_from_px[:, :2].T + world_from_px[:, 2]).float()
    eye = (-pose[:3, :3].T @ pose[:3, 3]).float()
    samples = Hits(hits.triangle.flatten(), hits.weights.view(-1, 3), hits.depth_z.flatten())
    return shade(lit, samples, rays, eye, float(shot.matrix[0, 0])).view(*xy_px.shape[:-1], 3)


def _screen(corners: Tensor, shot: PosedCamera, width_px: int, height_px: int) -> ScreenTriangles:
    matrix, pose = _tensors(shot, corners.device)
    corners_cam = corners @ pose[:3, :3].T + pose[:3, 3]
    return screen_triangles(corners_cam, matrix, width_px, height_px)


def _tensors(shot: PosedCamera, device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(shot.matrix).to(device), torch.from_numpy(shot.cam_from_world).to(
        device
    )


def _srgb(linear: Tensor) -> Tensor:
    return torch.where(
        linear <= 0.0031308,
        12.92 * linear,
        1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055,
    )
