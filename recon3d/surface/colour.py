"""The colour of points on a surface, from its vertices or its texture."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

from recon3d.core.surface import TexturedMesh


class SurfaceColour(Protocol):
    """Answers what colour a surface has."""

    def at(
        self, face: Int[np.ndarray, "n"], weights: Float32[np.ndarray, "n 3"]
    ) -> Float32[np.ndarray, "n 3"]:
        """sRGB, 0 to 255, of points given by a face and weights of its corners that sum to 1."""


class VertexColour:
    """Between the colours of a face's corners."""

    def __init__(self, rgb: UInt8[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> None:
        self._rgb = rgb
        self._faces = faces

    def at(
        self, face: Int[np.ndarray, "n"], weights: Float32[np.ndarray, "n 3"]
    ) -> Float32[np.ndarray, "n 3"]:
        """See SurfaceColour."""
        return interpolated(self._rgb, self._faces[face], weights)


class TextureColour:
    """Between the four nearest texels; holds one page at a time."""

    def __init__(self, textured: TexturedMesh) -> None:
        self._textured = textured
        self._held = -1
        self._page = np.zeros((1, 1, 3), np.uint8)

    def at(
        self, face: Int[np.ndarray, "n"], weights: Float32[np.ndarray, "n 3"]
    ) -> Float32[np.ndarray, "n 3"]:
        """See SurfaceColour."""
        uv = np.einsum("nck,nc->nk", self._textured.uv[face], weights)
        page = self._textured.page_of_face[face]
        colour = np.empty((len(face), 3), np.float32)
        # The page that is held comes first: reading one takes longer than looking up its texels.
        for index in sorted(np.unique(page).tolist(), key=lambda index: index != self._held):
            if index != self._held:
                self._page = self._textured.pages[index]
                self._held = index
            chosen = page == index
            colour[chosen] = bilinear(self._page, uv[chosen])
        return colour


def interpolated(
    values: Float[np.ndarray, "v k"] | UInt8[np.ndarray, "v k"],
    corners: Int[np.ndarray, "n 3"],
    weights: Float32[np.ndarray, "n 3"],
) -> Float32[np.ndarray, "n k"]:
    """Values of vertices in between: weights of each point's three corners."""
    mixed: np.ndarray = values[corners[:, 0]] * weights[:, :1]
    mixed += values[corners[:, 1]] * weights[:, 1:2]
    mixed += values[corners[:, 2]] * weights[:, 2:]
    return mixed


def bilinear(
    page: UInt8[np.ndarray, "h w 3"], uv: Float[np.ndarray, "n 2"]
) -> Float32[np.ndarray, "n 3"]:
    """Texels at uv, 0 to 1 from the lower left; outside of the page its rim goes on."""
    height, width = page.shape[:2]
    x = np.clip(uv[:, 0] * width - 0.5, 0, width - 1)
    y = np.clip((1 - uv[:, 1]) * height - 0.5, 0, height - 1)
    left, top = x.astype(np.int64), y.astype(np.int64)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across = (x - left).astype(np.float32)[:, None]
    down = (y - top).astype(np.float32)[:, None]
    above = page[top, left] * (1 - across) + page[top, right] * across
    below = page[bottom, left] * (1 - across) + page[bottom, right] * across
    return above * (1 - down) + below * down
