"""What surfaces look like: recipes of materials."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_PATTERNS = (
    "noise",
    "stripes",
    "checks",
    "bricks",
    "tiles",
    "wood",
    "spots",
    "scribble",
    "blotches",
    "waves",
)
_SHARES = (0.3, 0.06, 0.05, 0.12, 0.08, 0.12, 0.05, 0.08, 0.08, 0.06)


@dataclass(frozen=True)
class Material:
    """A recipe; colours are sRGB, 0 to 1."""

    pattern: str
    """One of _PATTERNS, "plain" or "photo"."""
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
    grain: float = 0.0
    """Contrast of fine structure, weave or plaster, that shows from nearby."""
    grain_kind: int = 0
    """0 is even, 1 coarse, 2 streaky."""
    glow: float = 0.0
    """Light of its own, as a share of the scene's brightness: windows, lamps, screens."""


def draw_material(
    rng: np.random.Generator,
    size: float,
    *,
    plain_share: float = 0.3,
    photo_share: float = 0.25,
    light: float | None = None,
    shiny: float = 0.4,
) -> Material:
    """A random material for something about `size` large.

    light fixes its brightness (sRGB); shiny is the strongest gloss there may be.
    """
    plain, photo = rng.random() < plain_share, rng.random() < photo_share
    base = _colour(rng, light)
    second = _colour(rng, None if rng.random() < 0.5 else light)
    drawn = str(rng.choice(_PATTERNS, p=_SHARES))
    pattern = "plain" if plain else "photo" if photo else drawn
    # A photo or a cloudy noise that repeats every few pixels exists nowhere.
    repeats = pattern in {"stripes", "checks", "bricks", "tiles", "spots"}
    glossy = rng.random() < 0.3
    return Material(
        pattern,
        (base, second),
        rng.uniform(0.0, 0.015) if plain else rng.uniform(0.1, 1.0),
        size * 10 ** (rng.uniform(-0.5, 0.4) if repeats else rng.uniform(0.1, 0.8)),
        rng.uniform(0.2, 2.5),
        int(rng.integers(2, 12)),
        gloss=rng.uniform(0.03, shiny) if glossy else 0.0,
        shininess=10 ** rng.uniform(0.8, 2.3),
        stretch=float(rng.choice([1.0, 1.0, 4.0, 12.0])),
        grain=rng.uniform(0.0, 0.012) if plain else 10 ** rng.uniform(-2.0, -0.4),
        grain_kind=int(rng.integers(3)),
        relief=rng.uniform(0.5, 3.0) if not plain and rng.random() < 0.4 else 0.0,
    )


def blurred_material(rng: np.random.Generator, size: float) -> Material:
    """What is out of focus behind the things in a photo, seen about `size` large."""
    return Material(
        "photo" if rng.random() < 0.4 else "noise",
        (_colour(rng, None), _colour(rng, None)),
        rng.uniform(0.3, 1.0),
        # So large that a photo's pixels run into each other.
        size * rng.uniform(3.0, 10.0),
        rng.uniform(2.0, 3.5),
        1,
    )


def _colour(rng: np.random.Generator, light: float | None) -> tuple[float, float, float]:
    value = rng.uniform(0.12, 0.92) if light is None else light
    # Most of what people build and grow is grey, white, or the colour of wood, stone and leaves.
    saturation = rng.choice([0.0, 1.0], p=[0.15, 0.85]) * rng.beta(1.1, 4.5)
    hue = rng.random() if rng.random() < 0.25 else rng.normal(0.09, 0.05)
    wheel = np.clip(np.abs((hue * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    rgb = value * (1 - saturation * (1 - wheel))
    return float(rgb[0]), float(rgb[1]), float(rgb[2])
