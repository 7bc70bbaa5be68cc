"""Ground control points measured in a scene: where it has them, and how they fit it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from recon3d.core.ranges import Range, check_ranges
from recon3d.core.scene import ImageSet, PosedScene
from recon3d.core.transform import Similarity
from recon3d.georef.control.fit import SeenPoint, SurveyFit, fit_survey, locate
from recon3d.georef.control.points import GroundControl, require_enough
from recon3d.georef.control.words import root_mean_square
from recon3d.run.task import Task


@dataclass(frozen=True, kw_only=True)
class ControlConfig:
    """How ground control points (--gcp) are weighed, and which only check."""

    check: str = ""
    """Names of points that are not used but measured, separated by commas: what they are off by is
    how true the model is elsewhere. Points whose role column says check, or whose name begins with
    check, are check points without this."""

    accuracy: Annotated[float, Range(above=0, most=100)] = 0.02
    """Metres that the coordinates of a point may be wrong by (one standard deviation), where its
    file does not say. Larger ones weigh less."""

    adjust: bool = False
    """Let the points move the cameras: one more bundle adjustment, in which lens, cameras, features
    and surveyed points settle together, so that a model that bends is straightened. Four control
    points or more, spread over the scene, are needed. GPS of the photos takes part where it
    straightened them before, whatever its height datum. It is kept only where points that were left
    out of it fit better, or, with GPS, where held-back GPS does and points no worse. Correct wrong
    marks first: all after the cameras is computed again."""

    mark_px: Annotated[float, Range(above=0, most=100)] = 1.0
    """Pixels that a mark in a photo may be wrong by (one standard deviation). Marks of one point
    that disagree by much more are left out and named."""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        check_ranges(self, "control")

    @property
    def check_names(self) -> list[str]:
        """Of the points that `check` names."""
        return [name.strip() for name in self.check.split(",") if name.strip()]


@dataclass(frozen=True, eq=False)
class Survey:
    """What the photos show of the points, and the similarity onto those that hold the model."""

    control: GroundControl
    """With the marks in placed photos."""
    seen: Sequence[SeenPoint]
    held: Sequence[SeenPoint]
    checks: Sequence[SeenPoint]
    accuracy_m: Sequence[float]
    """Of the points that hold the model."""
    fit: SurveyFit

    def in_frame(self, enh_from_world: Similarity) -> Survey:
        """The same where another evidence than the points alone says how the model lies."""
        world = np.stack([one.place.xyz_world for one in self.held])
        gaps = enh_from_world @ world - np.array([one.point.enh_m for one in self.held])
        return replace(self, fit=replace(self.fit, enh_from_world=enh_from_world, residuals_m=gaps))

    def gaps_m(self, accuracy_m: float) -> dict[str, np.ndarray]:
        """By name: model minus survey, of points that hold the model and of those that check it.

        accuracy_m: of points that do not say.
        """
        held = zip(self.held, self.fit.residuals_m, strict=True)
        gaps: dict[str, np.ndarray] = {one.point.name: gap for one, gap in held}
        for one in self.checks:
            difference, _ = self.fit.difference(one, one.point.accuracy_m or accuracy_m)
            gaps[one.point.name] = difference
        return gaps


def measure_control(
    scene: PosedScene,
    image_set: ImageSet,
    control: GroundControl,
    config: ControlConfig,
    task: Task,
) -> Survey:
    """Triangulate the points from their marks, and fit a similarity.

    Raises:
        ControlError: too few points are left in the placed photos.
    """
    here = control.with_checks(config.check_names).in_photos([v.photo_id for v in scene.views])
    require_enough(here.points, "the placed photos")
    marked = [point for point in here.points if len(point.marks) >= 2]
    seen = [
        found
        for point in task.each(marked, len(marked), lambda point: point.name)
        if (found := locate(point, scene, image_set, config.mark_px))
    ]
    require_enough([one.point for one in seen], "the placed photos")
    held = [one for one in seen if not one.point.is_check]
    checks = [one for one in seen if one.point.is_check]
    accuracy_m = [one.point.accuracy_m or config.accuracy for one in held]
    return Survey(here, seen, held, checks, accuracy_m, fit_survey(held, accuracy_m))


def rmse_of(gaps: Sequence[np.ndarray]) -> dict[str, float]:
    """Root mean square of each coordinate and of the distance."""
    east, north, height = np.sqrt((np.stack(gaps) ** 2).mean(axis=0)).tolist()
    return {
        "east": east, "north": north, "height": height,
        "total": root_mean_square(np.stack(gaps)), "points": len(gaps),
    }  # fmt: skip
