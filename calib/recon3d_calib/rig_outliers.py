"""Photos that were not taken at the moment that their name says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from recon3d.core.transform import Rigid
from recon3d.run.task import Task
from recon3d_calib.calibrate import Calibration
from recon3d_calib.noise import soft_weights, stands_out
from recon3d_calib.rig_adjust import RigFit, RigSightings, adjust_rig
from recon3d_calib.rig_start import Placed, require_linked


def settle(
    cameras: Mapping[str, Calibration],
    cam_from_first: Sequence[Rigid],
    placed: Mapping[int, Placed],
    reasons: dict[int, str],
    task: Task,
) -> tuple[RigFit, dict[int, Placed]]:
    """Adjust the rig without the photos that do not fit, as long as there are any.

    Of three cameras or more the one that is farthest off goes; two that contradict each other
    both go, for nobody knows which is right.

    placed: by the moment's number.
    reasons: why a moment or a photo of it was left out is added here.

    Raises:
        CalibrationError: too few moments are left.
        Cancelled: the task was stopped.
    """
    names, placed, begin = [*cameras], dict(placed), cam_from_first
    while True:
        task.check()
        views = [view for each in placed.values() for view in each.views]
        require_linked(names, views)
        boards = [each.first_from_board for each in placed.values()]
        sightings = RigSightings.of([*placed.values()])
        fit = adjust_rig(RigFit.of([*cameras.values()], begin, boards), sightings, task)
        begin = fit.cam_from_first
        misses = np.linalg.norm(fit.residuals_px(sightings), axis=1)
        # What is far off must not draw the rest along before it is judged.
        soft = replace(sightings, weight=soft_weights(misses))
        misses = np.linalg.norm(adjust_rig(fit, soft, task).residuals_px(sightings), axis=1)
        bad = _bad_views([*placed], misses, sightings)
        if not bad:
            return fit, placed
        for index, (camera, typical_px) in bad.items():
            few = len(placed[index].views) < 3
            name = names[camera]
            reasons[index] = (
                f"its photos contradict each other by {typical_px:.1f} px: not taken at the same "
                "moment, or blurred"
                if few
                else f"{name} contradicts by {typical_px:.1f} px: not taken at the same moment, or "
                "blurred"
            )
            rest = tuple(view for view in placed[index].views if view.camera != camera)
            if few:
                del placed[index]
            else:
                placed[index] = replace(placed[index], views=rest)


def _bad_views(
    indices: Sequence[int], misses: Float[np.ndarray, "n"], sightings: RigSightings
) -> dict[int, tuple[int, float]]:
    """The worst camera of each moment that does not fit, and how far it is off."""
    typical = {
        (camera, moment): float(np.median(misses[rows & (sightings.camera == camera)]))
        for moment in range(len(indices))
        for rows in [sightings.moment == moment]
        for camera in np.unique(sightings.camera[rows]).tolist()
    }
    usual = {
        camera: float(np.median([px for (other, _), px in typical.items() if other == camera]))
        for camera, _ in typical
    }
    worst: dict[int, tuple[float, int, float]] = {}
    for (camera, moment), px in typical.items():
        if stands_out(px, usual[camera]):
            times = px / max(usual[camera], 1e-9)
            worst[moment] = max(worst.get(moment, (0.0, 0, 0.0)), (times, camera, px))
    return {indices[moment]: (camera, px) for moment, (_, camera, px) in worst.items()}
