"""What the multi-view network is trained on; free of torch, because the command line shows it."""

from __future__ import annotations

from dataclasses import dataclass

from recon3d.core.errors import require

_FIRST_HELD_OUT = 9_000_000
"""Scenes numbered from here on are never trained on."""


@dataclass(frozen=True, kw_only=True)
class MultiViewData:
    """Which samples are drawn."""

    scenes: int = 1000
    """Different scenes; each is rendered once and seen from every side."""
    parts: int = 2
    """Of a step; on the CPU one a core, on a GPU as many as memory asks for."""
    batch: int = 2
    """Samples in a part."""
    width_px: int = 320
    """Of the part of a photo whose depth is learned at a time."""
    height_px: int = 224
    validation_scenes: int = 16
    """Scenes that training never sees."""
    seed: int = 0
    """Another one gives other samples in another order."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        require(self.scenes >= 3, "scenes", self.scenes, "3 or more")
        require(self.batch >= 1, "batch", self.batch, "1 or more")

    @property
    def numbers(self) -> list[int]:
        """Of all scenes that are needed."""
        return [*range(self.scenes), *self.held_out]

    @property
    def held_out(self) -> range:
        """Of the scenes for validation."""
        return range(_FIRST_HELD_OUT, _FIRST_HELD_OUT + self.validation_scenes)
