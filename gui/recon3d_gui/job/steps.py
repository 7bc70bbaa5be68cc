"""The stages of a run, gathered into the six steps that a person is shown."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

from recon3d.results import Until


class Step(Enum):
    """In order; value: title and the pipeline's stages in it, in order."""

    PHOTOS = "Photos", ("ingest",)
    CAMERAS = "Cameras", ("pose",)
    DEPTH = "Depth", ("depth", "align", "refine", "scale")
    SURFACE = "Surface", ("fuse", "relief")
    MESH = "Mesh", ("mesh", "crop")
    TEXTURE = "Texture", ("texture", "levels", "level textures")

    @property
    def title(self) -> str:
        """What it is called."""
        return self.value[0]

    @property
    def stages(self) -> tuple[str, ...]:
        """The pipeline's stages in it."""
        return self.value[1]


_LAST = {
    Until.INGEST: Step.PHOTOS,
    Until.POSE: Step.CAMERAS,
    Until.DEPTH: Step.DEPTH,
    Until.FUSE: Step.SURFACE,
    Until.MESH: Step.MESH,
    Until.TEXTURE: Step.TEXTURE,
}


def step_of(stage: str) -> Step | None:
    """The step of a stage; None for what takes no time and is not shown, such as "frame"."""
    return next((step for step in Step if stage in step.stages), None)


def steps_until(last: Until) -> list[Step]:
    """The steps of a run that ends with a stage."""
    steps = list(Step)
    return steps[: steps.index(_LAST[last]) + 1]


def usual_stages(steps: Collection[Step]) -> list[str]:
    """The stages that nearly every run has, for guesses before anything is known."""
    usual = ("ingest", "pose", "depth", "refine", "fuse", "mesh", "texture")
    return [stage for stage in usual if step_of(stage) in steps]
