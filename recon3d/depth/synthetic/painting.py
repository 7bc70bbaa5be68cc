"""From recipes of materials to textures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from recon3d.depth.synthetic.materials import Material
from recon3d.depth.synthetic.pyramid import Pyramid, build_pyramid

_GRAIN_PER_TILE = 6.3
"""Grain is that much finer than the pattern; not a whole number, so that they never line up."""
_GRAIN_KINDS = ((0.0, 1.0), (0.9, 1.0), (0.5, 8.0))
"""Slope of the spectrum and stretch."""
_NOISE_SPREAD = 0.22


@dataclass(frozen=True, eq=False)
class Paint:
    """All textures of a scene and what else tells its materials apart, (m,) each."""

    patterns: Pyramid
    """Linear light."""
    grains: Pyramid
    """One channel around 0 with a spread of 1."""
    tile_size: Tensor
    gloss: Tensor
    shininess: Tensor
    glow: Tensor
    grain: Tensor
    grain_kind: Tensor

    def albedo(self, material: Tensor, uv: Tensor, footprint: Tensor) -> Tensor:
        """Linear colours (n, 3); footprint is a pixel's size in the unit of uv."""
        per_tile = 1.0 / self.tile_size[material]
        place, footprint = uv * per_tile[:, None], footprint * per_tile
        colour = self.patterns.look_up(material, place, footprint)
        fine = self.grains.look_up(
            self.grain_kind[material], place * _GRAIN_PER_TILE, footprint * _GRAIN_PER_TILE
        )
        return colour * (1 + self.grain[material, None] * fine).clamp_min(0.1)


def paint(
    materials: Sequence[Material],
    textures: Sequence[Tensor],
    side_px: int,
    generator: torch.Generator,
    device: torch.device,
) -> Paint:
    """Paint every material on a tile of side_px (a power of 2); photos come from `textures`."""

    def column(values: Sequence[float | tuple[float, ...]]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=device)

    slopes = column([m.roughness_slope for m in materials])
    noise = _noise(
        (2, len(materials)), slopes, column([m.stretch for m in materials]), side_px, generator
    )
    albedo = torch.stack(
        [
            _painted(material, noise[:, index], textures, generator)
            for index, material in enumerate(materials)
        ]
    )
    slopes, stretches = column(_GRAIN_KINDS).unbind(1)
    grains = _noise((len(_GRAIN_KINDS),), slopes, stretches, side_px, generator)
    return Paint(
        build_pyramid(albedo.clamp(0.01, 0.97) ** 2.2),
        build_pyramid((grains[:, None] - 0.5) / _NOISE_SPREAD),
        column([m.tile_size for m in materials]),
        column([m.gloss for m in materials]),
        column([m.shininess for m in materials]),
        column([m.glow for m in materials]),
        column([m.grain for m in materials]),
        torch.tensor([m.grain_kind for m in materials], device=device),
    )


def _noise(
    shape: tuple[int, ...], slope: Tensor, stretch: Tensor, side_px: int, generator: torch.Generator
) -> Tensor:
    """Tileable noises (*shape, s, s), mean 0.5, nearly all within 0 to 1; slope, stretch (m,)."""
    device = slope.device
    white = torch.randn(*shape, side_px, side_px, generator=generator, device=device)
    fy = torch.fft.fftfreq(side_px, 1 / side_px, device=device)[:, None]
    fx = torch.fft.rfftfreq(side_px, 1 / side_px, device=device)[None]
    frequency = ((fx * stretch[:, None, None]) ** 2 + fy**2).sqrt()
    spectrum = torch.fft.rfft2(white) * (frequency + 1.0) ** (-slope[:, None, None] / 1.3)
    spectrum[..., 0, 0] = 0
    field = torch.fft.irfft2(spectrum, s=(side_px, side_px))
    return 0.5 + _NOISE_SPREAD * field / field.std((-2, -1), keepdim=True).clamp_min(1e-9)


def _painted(
    material: Material, noise: Tensor, textures: Sequence[Tensor], generator: torch.Generator
) -> Tensor:
    """(3, s, s) sRGB albedo."""
    first, second = torch.tensor(material.colours, dtype=noise.dtype, device=noise.device)[
        :, :, None, None
    ]
    blend = _pattern(material, noise, generator)
    if material.pattern == "photo" and textures:
        return _photo_tile(textures, noise.shape[-1], generator).to(noise.device)
    if material.relief:
        slope = (blend - blend.roll((2, 2), (0, 1))) + 0.5 * (
            noise[1] - noise[1].roll((1, 1), (0, 1))
        )
        noise = torch.stack([noise[0], noise[1] + material.relief * slope])
    colour = torch.lerp(first, second, (blend * min(1.0, material.contrast * 1.5)).clamp(0, 1))
    return colour * (1.0 + (noise[1] - 0.5) * min(0.5, material.contrast))


def _pattern(material: Material, noise: Tensor, generator: torch.Generator) -> Tensor:
    """How much of the second colour, (s, s), 0 to 1."""
    side = noise.shape[-1]
    step = torch.arange(side, device=noise.device) / side
    x, y = step[None, :], step[:, None]
    n = material.divisions
    match material.pattern:
        case "stripes":
            return ((x * n + 0.15 * noise[0]) % 1 < 0.4).float()
        case "checks":
            return (((x * n).floor() + (y * n).floor()) % 2).expand(side, side)
        case "bricks" | "tiles":
            shift = 0.5 if material.pattern == "bricks" else 0.0
            rows = 2 * n if material.pattern == "bricks" else n
            row = (y * rows).floor()
            u, v = x * n + shift * (row % 2), y * rows
            grout = ((u % 1) < 0.06) | ((v % 1) < 0.06 * rows / n)
            shades = torch.rand(64, generator=generator, device=noise.device)
            shade = shades[((u.floor() % n) * 7 + row * 13).long() % 64] * 0.5
            return torch.where(grout, 1.0, shade + 0.3 * (noise[0] - 0.5))
        case "wood":
            return 0.5 + 0.5 * torch.sin((x * n + noise[0] * 2.5) * 2 * torch.pi)
        case "spots":
            return (noise[0] > 0.62).float()
        case "blotches":
            return (noise[0] > 0.5).float()
        case "waves":
            return 0.5 + 0.5 * torch.sin(((x + y) * n + noise[0]) * 2 * torch.pi)
        case "scribble":
            lines = ((y * 3 * n) % 1 > 0.45) & (noise[0] > 0.45)
            letters = noise[1].roll(side // 3, 0) > 0.5
            return (lines & letters).float()
        case _:
            return noise[0]


def _photo_tile(textures: Sequence[Tensor], side: int, generator: torch.Generator) -> Tensor:
    """A crop, mirrored both ways so that it repeats without seams."""
    pick = torch.randint(0, 1 << 30, (3,), generator=generator, device=generator.device).tolist()
    photo = textures[pick[0] % len(textures)]
    # From the whole motif to the carpet it lies on.
    crop = max(48, min(photo.shape[-2:]) // (1 + pick[0] // 64 % 6))
    top = pick[1] % max(1, photo.shape[-2] - crop + 1)
    left = pick[2] % max(1, photo.shape[-1] - crop + 1)
    part = photo[None, :, top : top + crop, left : left + crop].float() / 255
    half = F.interpolate(part, (side // 2, side // 2), mode="bilinear", antialias=True)[0]
    half = torch.cat([half, half.flip(-1)], -1)
    return torch.cat([half, half.flip(-2)], -2)
