"""Pictures as textures of the window; never more of them alive than a bound. Main thread only."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Hashable
from dataclasses import dataclass

import dearpygui.dearpygui as dpg
import numpy as np
from jaxtyping import UInt8


@dataclass(frozen=True)
class Texture:
    """A picture that widgets can show."""

    tag: int | str
    width_px: int
    height_px: int


class Textures:
    """Static textures by key; the least recently shown make room for new ones.

    A texture holds its pixels as floats in main memory, 16 bytes each, and 4 on the GPU.
    most: more than can be on the screen at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._alive: OrderedDict[Hashable, Texture] = OrderedDict()
        self._registry = dpg.add_texture_registry()

    def __len__(self) -> int:
        return len(self._alive)

    def find(self, key: Hashable) -> Texture | None:
        """The texture, if it is alive."""
        if key in self._alive:
            self._alive.move_to_end(key)
        return self._alive.get(key)

    def make(self, key: Hashable, rgb: UInt8[np.ndarray, "h w 3"]) -> Texture:
        """Make a texture, in place of the one that was shown longest ago if there are many."""
        self.drop(key)
        while len(self._alive) >= self._most:
            self.drop(next(iter(self._alive)))
        height_px, width_px = rgb.shape[:2]
        rgba = np.ones((height_px, width_px, 4), np.float32)
        np.multiply(rgb, np.float32(1 / 255), out=rgba[..., :3])
        tag = dpg.add_static_texture(width_px, height_px, rgba.ravel(), parent=self._registry)
        self._alive[key] = Texture(tag, width_px, height_px)
        return self._alive[key]

    def drop(self, key: Hashable) -> None:
        """Forget a texture; what still draws it must be told before the next frame."""
        if (texture := self._alive.pop(key, None)) is not None:
            dpg.delete_item(texture.tag)

    def keep_only(self, keys: Collection[Hashable]) -> None:
        """Forget all others."""
        for key in [key for key in self._alive if key not in keys]:
            self.drop(key)

    def clear(self) -> None:
        """Forget all."""
        self.keep_only(())
