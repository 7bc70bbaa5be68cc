"""What the multi-view network is trained on; free of torch, because the command line shows it."""

from __future__ import annotations

from dataclasses import dataclass

from recon3d.core.errors import require

_FIRST_HELD_OUT = 9_000_000
"""Scenes numbered from here on are never trained on."""

FEWEST_SCENES = 3
"""Every third is upright, and a part holds scenes of one kind only."""


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
    scene_px: int = 640
    """Longer side of the rendered photos, from which those parts are cut; as large as the photos
    that the network is asked about, so that edges are as sharp as there. Smaller ones are rendered
    sooner."""
    at_edges: float = 0.5
    """Share of the parts that are cut around a jump in depth; 0 = anywhere."""
    validation_scenes: int = 16
    """Scenes that training never sees."""
    seed: int = 0
    """Another one gives other samples in another order."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        require(self.scenes >= FEWEST_SCENES, "scenes", self.scenes, f"{FEWEST_SCENES} or more")
        require(self.batch >= 1, "batch", self.batch, "1 or more")
        require(self.scene_px >= 64, "scene_px", self.scene_px, "64 or more")
        require(0 <= self.at_edges <= 1, "at_edges", self.at_edges, "between 0 and 1")

    @property
    def scene_size_px(self) -> tuple[int, int]:
        """Width and height of the rendered photos, about 4 to 3."""
        return self.scene_px, 32 * round(self.scene_px * 0.75 / 32)

    @property
    def numbers(self) -> list[int]:
        """Of all scenes that are needed."""
        return [*range(self.scenes), *self.held_out]

    @property
    def held_out(self) -> range:
        """Of the scenes for validation."""
        return range(_FIRST_HELD_OUT, _FIRST_HELD_OUT + self.validation_scenes)
