"""All that is said of a finished model's coverage, and what to photograph next."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import UInt8

from recon3d.core.scene import PosedPhotos
from recon3d.core.surface import Mesh
from recon3d.core.target_frame import TargetFrame
from recon3d.core.transform import Similarity
from recon3d.georef.upright import upright_from_world
from recon3d.run.task import Task
from recon3d.surface.cleaning.holes import fill_holes
from recon3d.view_planning.legend import COLOURS, exactness_rgb
from recon3d.view_planning.measure import Coverage, Weakness, measure_coverage
from recon3d.view_planning.suggest import Suggestion, suggest_views
from recon3d.view_planning.words import Surroundings

_HOLE_SIZE = 0.1
"""Of the model's diagonal: rims of larger radius may be where the subject ends."""


@dataclass(frozen=True, eq=False)
class Advice:
    """How well photos cover a model, and from where to take the next ones, the best first."""

    mesh: Mesh
    """The model with its holes closed by faces that are marked as inferred."""
    coverage: Coverage
    """Of the mesh's vertices."""
    suggestions: tuple[Suggestion, ...]
    sentences: tuple[str, ...]
    """One for each suggestion."""

    @cached_property
    def coloured(self) -> Mesh:
        """The mesh in the colours of its coverage."""
        table: UInt8[np.ndarray, "k 3"] = np.array([COLOURS[kind] for kind in Weakness], np.uint8)
        return replace(self.mesh, rgb=table[self.coverage.weakness])

    @cached_property
    def exact(self) -> Mesh:
        """The mesh in the colours of the error that can be expected."""
        return replace(self.mesh, rgb=exactness_rgb(self.coverage))

    def plain(self, frame: TargetFrame | None) -> dict[str, object]:
        """For JSON: lengths and cameras as the model is exported."""
        moved = frame.target_from_world if frame else Similarity(1.0, np.eye(3), np.zeros(3))
        return {
            "shares": {kind.name.lower(): share for kind, share in self.coverage.shares.items()},
            "photos": self.coverage.mean_photos,
            "gsd": self.coverage.usual_gsd * moved.scale,
            "sigma": self.coverage.usual_sigma * moved.scale,
            "unit": frame.unit if frame else "scene",
            "suggestions": [
                {
                    "id": suggestion.view.photo_id,
                    "told": told,
                    "gain": suggestion.gain,
                    "overlap": suggestion.overlap,
                    "overlapping": suggestion.overlapping,
                    "camera": asdict(suggestion.view.camera),
                    "cam_from_target": moved.move_camera(suggestion.view.cam_from_world)
                    .matrix()
                    .tolist(),
                }
                for suggestion, told in zip(self.suggestions, self.sentences, strict=True)
            ],
        }


def advise(
    mesh: Mesh,
    posed: PosedPhotos,
    frame: TargetFrame | None,
    count: int,
    task: Task,
    depth_px: int | None = None,
) -> Advice:
    """Measure the coverage of a mesh, which needs a face, and suggest up to so many views.

    depth_px: as `measure_coverage`.
    """
    views = posed.scene.views
    closed = fill_holes(mesh, _HOLE_SIZE)
    coverage = measure_coverage(closed, views, posed.masks, task, depth_px)
    upright = upright_from_world(views, closed.vertices, frame.up_world if frame else None)
    suggestions = suggest_views(closed, coverage, views, upright, count, task)
    low, high = np.percentile(upright @ closed.vertices, [1, 99], axis=0)
    is_metric = frame is not None and frame.unit == "metre"
    scale = frame.target_from_world.scale if frame and is_metric else None
    around = Surroundings(views, upright, low, high, scale)
    sentences = tuple(around.tell(suggestion) for suggestion in suggestions)
    return Advice(closed, coverage, tuple(suggestions), sentences)
