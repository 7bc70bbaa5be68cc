"""What surfaces look like: recipes drawn in numpy, painted as tileable textures in torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

PATTERNS = ("noise", "stripes", "checks", "bricks", "tiles", "wood", "spots", "scribble", "photo")


@dataclass(frozen=True)
class Material:
    """A recipe; colours are sRGB, 0 to 1."""

    pattern: str
    """"plain" or one of PATTERNS."""
    colours: tuple[tuple[float, float, float], tuple[float, float, float]]
    contrast: float
    """Of the pattern's noise, 0 to 1; 0.01 is 2 or 3 grey levels."""
    tile_size: float
    """Scene units until the texture repeats."""
    roughness_slope: float
    """Exponent of the noise's spectrum: 1 is grainy, 3 is cloudy."""
    divisions: int
    """Bricks, stripes or tiles per repeat."""
    gloss: float = 0.0
    """Strength of highlights, 0 to 1."""
    shininess: float = 20.0
    """Phong exponent."""
    stretch: float = 1.0
    """Makes the noise streaky."""
    relief: float = 0.0
    """How strongly the pattern is lit from one side, as if it were carved."""
    glow: float = 0.0
    """Light of its own, as a share of the scene's brightness: windows, lamps, screens."""


def draw_material(
    rng: np.random.Generator, size: float, *, plain_share: float = 0.3, light: float | None = None
) -> Material:
    """A random material for something about `size` large; light fixes its brightness (sRGB)."""
    plain = rng.random() < plain_share
    base = _colour(rng, light)
    second = _colour(rng, None if rng.random() < 0.5 else light)
    pattern = "plain" if plain else str(rng.choice(PATTERNS, p=_SHARES))
    # A photo or a cloudy noise that repeats every few pixels exists nowhere.
    repeats = pattern in {"stripes", "checks", "bricks", "tiles", "spots"}
    glossy = rng.random() < 0.3
    return Material(
        pattern,
        (base, second),
        rng.uniform(0.0, 0.015) if plain else rng.uniform(0.1, 1.0),
        size * 10 ** (rng.uniform(-0.5, 0.4) if repeats else rng.uniform(0.0, 0.7)),
        rng.uniform(0.8, 3.0),
        int(rng.integers(2, 12)),
        gloss=rng.uniform(0.03, 0.4) if glossy else 0.0,
        shininess=10 ** rng.uniform(0.8, 2.3),
        stretch=float(rng.choice([1.0, 1.0, 4.0, 12.0])),
        relief=rng.uniform(0.5, 3.0) if not plain and rng.random() < 0.4 else 0.0,
    )


_SHARES = (0.3, 0.05, 0.04, 0.1, 0.06, 0.1, 0.06, 0.07, 0.22)


def _colour(rng: np.random.Generator, light: float | None) -> tuple[float, float, float]:
    value = rng.uniform(0.12, 0.92) if light is None else light
    saturation = rng.beta(1.2, 4.0)
    hue = rng.random() if rng.random() < 0.4 else rng.normal(0.08, 0.05)
    wheel = np.clip(np.abs((hue * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    rgb = value * (1 - saturation * (1 - wheel))
    return float(rgb[0]), float(rgb[1]), float(rgb[2])


@dataclass(frozen=True, eq=False)
class Paint:
    """All textures of a scene with their smaller versions, ready to be looked up."""

    texels: Tensor
    """(n, 3) linear light, level after level, material after material."""
    levels: int
    side_px: int
    tile_size: Tensor
    """(m,)"""
    gloss: Tensor
    """(m, 3): strength and exponent of highlights, and glow."""

    def look_up(self, material: Tensor, uv: Tensor, footprint: Tensor) -> Tensor:
        """Trilinear colours (n, 3); footprint is a pixel's size on the surface, scene units."""
        per_tile = 1.0 / self.tile_size[material]
        turns = uv * per_tile[:, None]
        turns = turns - turns.floor()
        level = (footprint * per_tile * self.side_px).clamp_min(1e-6).log2()
        level = level.clamp(0, self.levels - 1.001)
        below = level.floor()
        blend = (level - below)[:, None]
        below = below.long()
        fine = self._bilinear(material, turns, below)
        return torch.lerp(fine, self._bilinear(material, turns, below + 1), blend)

    def _bilinear(self, material: Tensor, turns: Tensor, level: Tensor) -> Tensor:
        count = self.tile_size.numel()
        side = torch.bitwise_right_shift(self.side_px, level)
        # Levels of all materials follow each other: 4^k texels fewer each.
        start = (self.side_px**2 - side**2) * 4 // 3 * count + material * side**2
        place = turns * side[:, None] - 0.5
        low = place.floor()
        share = place - low
        x0, y0 = (low.long() % side[:, None]).unbind(-1)
        x1, y1 = (x0 + 1) % side, (y0 + 1) % side
        row0, row1 = start + y0 * side, start + y1 * side
        x, y = share[:, :1], share[:, 1:]
        top = torch.lerp(self.texels[row0 + x0], self.texels[row0 + x1], x)
        bottom = torch.lerp(self.texels[row1 + x0], self.texels[row1 + x1], x)
        return torch.lerp(top, bottom, y)


def paint(
    materials: Sequence[Material],
    textures: Sequence[Tensor],
    side_px: int,
    generator: torch.Generator,
    device: torch.device,
) -> Paint:
    """Paint every material on a tile of side_px (a power of 2); photos come from `textures`."""
    noise = _noise(materials, side_px, generator, device)
    albedo = torch.stack(
        [
            _painted(material, noise[:, index], textures, generator)
            for index, material in enumerate(materials)
        ]
    )
    linear = albedo.clamp(0.01, 0.97) ** 2.2
    pyramid = [linear]
    while pyramid[-1].shape[-1] > 2:
        pyramid.append(F.avg_pool2d(pyramid[-1], 2))
    texels = torch.cat([level.permute(0, 2, 3, 1).reshape(-1, 3) for level in pyramid])
    tile_size = torch.tensor(
        [material.tile_size for material in materials], dtype=torch.float32, device=device
    )
    gloss = torch.tensor(
        [[m.gloss, m.shininess, m.glow] for m in materials], dtype=torch.float32, device=device
    )
    return Paint(texels, len(pyramid), side_px, tile_size, gloss)


def _noise(
    materials: Sequence[Material], side_px: int, generator: torch.Generator, device: torch.device
) -> Tensor:
    """Two tileable noises per material, (2, m, s, s), mean 0.5, nearly all within 0 to 1."""
    count = len(materials)
    white = torch.randn(2, count, side_px, side_px, generator=generator, device=device)
    fy = torch.fft.fftfreq(side_px, 1 / side_px, device=device)[:, None]
    fx = torch.fft.rfftfreq(side_px, 1 / side_px, device=device)[None]
    stretch = torch.tensor([m.stretch for m in materials], dtype=torch.float32, device=device)[
        :, None, None
    ]
    slope = torch.tensor(
        [m.roughness_slope for m in materials], dtype=torch.float32, device=device
    )[:, None, None]
    frequency = ((fx * stretch) ** 2 + fy**2).sqrt()
    spectrum = torch.fft.rfft2(white) * (frequency + 1.0) ** (-slope / 1.3)
    spectrum[..., 0, 0] = 0
    field = torch.fft.irfft2(spectrum, s=(side_px, side_px))
    return 0.5 + 0.22 * field / field.std((-2, -1), keepdim=True).clamp_min(1e-9)


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
    crop = min(photo.shape[-2:], default=1)
    crop = max(32, crop * (1 + pick[0] % 3) // 3)
    top = pick[1] % max(1, photo.shape[-2] - crop + 1)
    left = pick[2] % max(1, photo.shape[-1] - crop + 1)
    part = photo[None, :, top : top + crop, left : left + crop].float() / 255
    half = F.interpolate(part, (side // 2, side // 2), mode="bilinear", antialias=True)[0]
    half = torch.cat([half, half.flip(-1)], -1)
    return torch.cat([half, half.flip(-2)], -2)
