"""The stages of a run, gathered into the six steps that a person is shown, and what each costs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from recon3d.results import Until


class Step(Enum):
    """As `Until`, each with its title."""

    PHOTOS = "Photos"
    CAMERAS = "Cameras"
    DEPTH = "Depth"
    SURFACE = "Surface"
    MESH = "Mesh"
    TEXTURE = "Texture"


Unit = Literal["megapixel", "pair of photos", "megapixel of depth", "look at a megapixel of depth"]
"""What the time of a stage goes with, over all photos."""


@dataclass(frozen=True)
class Cost:
    """What is known about a stage before it is computed."""

    step: Step | None
    """None: it takes no time and is not shown."""
    seconds: float
    """Per unit, at the usual settings. Measured with 2 cores without a GPU, balanced, on 24 photos
    of 0.6 megapixels and 11 of 1.6; the two agree within a third, but for depth (3.2 and 2.1)."""
    unit: Unit = "megapixel of depth"
    is_even: bool = False
    """Its items take about the same time each; other stages work in unlike parts."""
    is_usual: bool = False
    """Nearly every run has it: for guesses before anything is known."""


COSTS: Mapping[str, Cost] = {
    "panoramas": Cost(Step.PHOTOS, 0.2, "megapixel", is_even=True),
    "ingest": Cost(Step.PHOTOS, 0.05, "megapixel", is_even=True, is_usual=True),
    "mask command": Cost(Step.PHOTOS, 2.0, "megapixel", is_even=True),
    "pose": Cost(Step.CAMERAS, 0.09, "pair of photos", is_usual=True),
    "scene": Cost(Step.CAMERAS, 0.01, "pair of photos"),
    "control": Cost(None, 0.0),
    "bars": Cost(None, 0.0),
    "masks": Cost(Step.CAMERAS, 0.6, "megapixel", is_even=True),
    "depth": Cost(Step.DEPTH, 2.4, "look at a megapixel of depth", is_even=True, is_usual=True),
    "align": Cost(Step.DEPTH, 0.3, is_even=True),
    "planes": Cost(Step.DEPTH, 0.4, is_even=True, is_usual=True),
    "patchmatch": Cost(Step.DEPTH, 1.9, is_usual=True),
    "geometric": Cost(Step.DEPTH, 1.2, is_usual=True),
    "refine": Cost(Step.DEPTH, 0.3, is_even=True, is_usual=True),
    "scale": Cost(Step.DEPTH, 0.3),
    "fuse": Cost(Step.SURFACE, 0.6, is_even=True, is_usual=True),
    "relief": Cost(Step.SURFACE, 0.5),
    "detail": Cost(Step.MESH, 2.0),
    "mesh": Cost(Step.MESH, 2.0, is_usual=True),
    "light": Cost(Step.MESH, 0.3),
    "crop": Cost(Step.MESH, 1.0),
    "solid": Cost(Step.MESH, 2.0),
    "levels": Cost(Step.TEXTURE, 0.3),
    "own mesh": Cost(Step.TEXTURE, 2.5, "megapixel", is_even=True),
    "texture": Cost(Step.TEXTURE, 2.5, "megapixel", is_even=True, is_usual=True),
    "bake": Cost(Step.TEXTURE, 1.0, "megapixel"),
    "level textures": Cost(Step.TEXTURE, 1.0, "megapixel", is_even=True),
    "frame": Cost(None, 0.1),
}
"""By stage, in the order of `recon3d.stage.STAGES`."""


ADJUSTED = frozenset({"crop", "solid", "levels", "texture", "bake", "level textures", "frame"})
"""The stages that another scale, up or crop makes anew, as `recon3d.api.ADJUSTED`, which takes a
second to import."""


MARKED = frozenset({"control", "bars"})
"""The stages that other markers make anew as well. None but the frame follows from them."""


def step_of(stage: str) -> Step | None:
    """The step of a stage; None for one that is not shown."""
    return COSTS[stage].step if stage in COSTS else None


def steps_until(last: Until) -> list[Step]:
    """The steps of a run that ends with a stage."""
    return list(Step)[:last]


def usual_stages(steps: Collection[Step]) -> list[str]:
    """The stages that nearly every run of these steps has."""
    return [stage for stage, cost in COSTS.items() if cost.is_usual and cost.step in steps]
