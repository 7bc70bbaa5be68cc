"""Depth maps of monocular networks are brought to the scene's scale, and to agree.

A stage of its own, between prediction and refinement: the network's own words stay in the cache,
so that another alignment costs seconds and not another run of the network; and views can only be
made to agree when all of them are there. What comes out is of kind "scene", which is the only one
that `refine` takes. Depth that already is in scene units skips this stage.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from jaxtyping import Float

from recon3d.core.camera import backproject
from recon3d.core.depth import PredictedDepth
from recon3d.core.errors import AlignmentError, TooLittleDepthError
from recon3d.core.ranges import Range, check_ranges
from recon3d.core.scene import PosedPhotos, View
from recon3d.depth.alignment import Alignment, fit_alignment, sample
from recon3d.depth.anchors import Anchors, point_anchors, point_sigmas, seen_from
from recon3d.depth.cleanup import without_flying_pixels
from recon3d.depth.covisibility import rank_neighbours
from recon3d.depth.files import (
    depth_file_paths,
    in_one_sentence,
    read_prediction,
    read_warnings,
    write_prediction,
    write_warnings,
)
from recon3d.depth.spline import LEAST_NODES
from recon3d.run.files import FileMapping
from recon3d.run.stage import Stage
from recon3d.run.task import Task

_SURFACE_PX = 48
"""Longest side, in points, of the surface that a view shows its neighbours."""
_LEAST_SIGMA = 0.03
"""Neighbours' surfaces are never trusted more than this share of the depth."""
_HIDDEN = 0.15
"""A neighbour's point farther than this share from the view's own surface is another surface."""
_POOR = 0.2
_APART = "Neighbouring photos could not be made to agree with the depth"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class AlignConfig:
    """How the depth of monocular networks is brought to the scene's scale."""

    least_points: Annotated[int, Range(least=3)] = 30
    """A photo whose depth map is hit by fewer points of the scene is left out. Fewer than 30
    cannot tell a good fit from a lucky one."""

    columns: Annotated[int, Range(least=LEAST_NODES, besides=0)] = 12
    """Nodes, across the photo, of the field that takes out how a network bends the scene. More
    follow the points more closely; 0 fits scale and shift only."""

    neighbours: Annotated[int, Range(least=0)] = 8
    """Other photos whose depth each one is brought to agree with. 0 looks at the points only."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        check_ranges(self, "align")


def is_needed(predictions: Mapping[str, PredictedDepth]) -> bool:
    """Whether the estimator speaks of anything but scene units; it always speaks of the same."""
    first = next(iter(predictions.values()), None)
    return first is not None and first.kind != "scene"


def align_depth(
    posed: PosedPhotos,
    predictions: Mapping[str, PredictedDepth],
    config: AlignConfig,
    folder: Path,
    task: Task,
) -> None:
    """Write every prediction in scene units into `folder`; finished ones stay.

    Each is fitted to the sparse points that its view sees, and then once more to the points and
    the surfaces that its neighbours have found with them. One such round: in simulations a second
    one made views agree better with each other and worse with the truth. Last, the ramps that
    networks draw across depth edges are cut.

    Raises:
        TooLittleDepthError: no prediction fits its points; a single one is left out with a warning.
    """
    scene = posed.scene
    sigmas = point_sigmas(scene)
    fits: dict[int, Alignment] = {}
    surfaces: dict[int, _Surface] = {}
    chosen = [i for i, view in enumerate(scene.views) if view.photo_id in predictions]
    refused = []
    task.step(0, 2 * len(chosen))
    for done, index in enumerate(chosen):
        view = scene.views[index]
        prediction = predictions[view.photo_id]
        try:
            fit = _fit(prediction, point_anchors(scene, sigmas, index), config)
        except AlignmentError as error:
            refused.append(error)
            task.warn(f"No depth for {view.photo_id}: {error}.")
        else:
            fits[index], surfaces[index] = fit, _surface(view, prediction, fit)
        task.step(done + 1, 2 * len(chosen), view.photo_id)
    if not fits:
        raise TooLittleDepthError(
            f"No depth map could be brought to the scene's scale: {refused[0] if refused else ''}.",
            hint="Take more photos that overlap, or choose another --depth-model.",
        )
    typical = float(np.median([fit.error for fit in fits.values()]))
    paths = depth_file_paths(folder, [scene.views[index].photo_id for index in fits])
    ranked = rank_neighbours(scene, config.neighbours)
    noted = read_warnings(folder)
    for done, index in enumerate(fits):
        view = scene.views[index]
        if not paths[view.photo_id].exists():
            prediction = predictions[view.photo_id]
            around = [surfaces[other] for other in ranked[index] if other in surfaces]
            shown = _shown_by(around, view, prediction, fits[index])
            anchors = Anchors.joined([point_anchors(scene, sigmas, index), *shown])
            try:
                fits[index] = _fit(prediction, anchors, config)
            except AlignmentError as error:  # the first fit then stands
                noted[view.photo_id] = str(error)
                write_warnings(folder, noted)
            aligned = fits[index].apply(prediction)
            whole = replace(aligned, values=without_flying_pixels(aligned.values, aligned.camera))
            write_prediction(paths[view.photo_id], whole)
        task.step(len(chosen) + done + 1, len(chosen) + len(fits), view.photo_id)
    logger.info(
        "aligned %d of %d depth maps, off by %.1f %% of the depth at the scene's points",
        len(fits),
        len(chosen),
        100 * typical,
    )
    if typical > _POOR:
        task.warn(
            f"The depth network is off by {typical:.0%} at the points of the scene even after "
            "alignment. It may be the wrong network for such photos."
        )


def read_aligned(folder: Path) -> Mapping[str, PredictedDepth]:
    """Read what `align_depth` wrote, one file when asked."""
    return FileMapping(depth_file_paths(folder), read_prediction)


def warnings(folder: Path) -> list[str]:
    """What makes depth maps that `align_depth` wrote worse than they look."""
    noted = read_warnings(folder)
    return [in_one_sentence(noted, _APART)] if noted else []


@dataclass(frozen=True, eq=False)
class _Surface:
    """What a view has found, coarsely."""

    points_world: Float[np.ndarray, "n 3"]
    sigma: float


def _fit(prediction: PredictedDepth, anchors: Anchors, config: AlignConfig) -> Alignment:
    height, width = prediction.values.shape
    rows = max(LEAST_NODES, round(config.columns * height / width))
    nodes = (rows, config.columns) if config.columns else None
    values = sample(prediction.values, anchors.uv)
    return fit_alignment(prediction.kind, values, anchors, nodes, config.least_points)


def _surface(view: View, prediction: PredictedDepth, fit: Alignment) -> _Surface:
    camera = view.camera.fitted(_SURFACE_PX)
    row, column = np.indices((camera.height_px, camera.width_px)).reshape(2, -1)
    uv = np.stack([(column + 0.5) / camera.width_px, (row + 0.5) / camera.height_px], axis=1)
    depth_z = fit.depth_at(sample(prediction.values, uv), uv)
    points_cam = backproject(depth_z.reshape(camera.height_px, -1), camera)[row, column]
    points_world = view.cam_from_world.inverse() @ points_cam[depth_z > 0]
    return _Surface(points_world, max(_LEAST_SIGMA, fit.error))


def _shown_by(
    around: Sequence[_Surface], view: View, prediction: PredictedDepth, fit: Alignment
) -> Iterator[Anchors]:
    """The neighbours' points that the view sees too; what it does not see lies elsewhere."""
    for surface in around:
        sigma = np.full(len(surface.points_world), surface.sigma)
        shown = seen_from(view, surface.points_world, sigma)
        own_z = fit.depth_at(sample(prediction.values, shown.uv), shown.uv)
        yield shown.where(np.abs(own_z - shown.depth_z) < _HIDDEN * shown.depth_z)


ALIGN = Stage(
    name="align",
    result="aligned",
    version=2,
    run=align_depth,
    read=read_aligned,
    warnings=warnings,
)
