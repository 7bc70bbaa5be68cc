"""How good the placed photos are: numbers for the report, and words where they are weak."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from recon3d.core.scene import PosedScene, Verdict
from recon3d.sfm.structure_from_motion import Solution

# An angle below this gives a depth error of about 30 pixels' worth of footprint.
_NARROW_DEG = 2.0
_HIGH_ERROR_PX = 1.5
_WEAK_FOCAL = 0.02
_FEW_PLACED = 0.8


def describe(
    scene: PosedScene, verdicts: Sequence[Verdict], solution: Solution
) -> dict[str, object]:
    """The numbers of a finished placement, as JSON knows them."""
    points = scene.points
    count = len(points.xyz_world)
    placed = len(scene.views)
    gps = {} if solution.gps is None else {"gps": solution.gps}
    return {
        "given": len(verdicts),
        "placed": placed,
        "attempts": solution.attempts,
        "brought_by_second_look": [*solution.placement.brought],
        "components": [placed, *(len(other.cam_from_world) for other in solution.placement.others)],
        "fixed_background": solution.fixed_background,
        "joined": [*solution.placement.joined],
        "joined_coarsely": [*solution.placement.joined_coarsely],
        "apart": solution.placement.apart,
        "points": count,
        "mean_reprojection_error_px": _rounded(points.error_px.mean()) if count else None,
        "mean_track_length": _rounded(len(points.observations) / count) if count else None,
        "median_angle_deg": _rounded(median_angle_deg(scene)) if count else None,
        "median_features": int(np.median(list(solution.features.values()) or [0])),
        "focal": {
            key: {
                "px": _rounded(estimate.intrinsics.pinhole.fx_px),
                "std_px": estimate.focal_std_px and _rounded(estimate.focal_std_px),
                "source": estimate.source,
            }
            for key, estimate in scene.cameras.items()
        },
        **gps,
    }


def find_weaknesses(scene: PosedScene) -> list[str]:
    """What makes the result worse than it looks, in a photographer's words."""
    report: dict[str, Any] = dict(scene.report)
    found = []
    if report["placed"] < _FEW_PLACED * report["given"]:
        found.append(
            f"Only {report['placed']} of {report['given']} photos were placed; the report says "
            "why for each of the others."
        )
    found += [
        f"{joined} What both show may lie double there; photos that overlap both would join them "
        "exactly."
        for joined in report.get("joined_coarsely", ())
    ]
    if report["fixed_background"]:
        found.append(
            "The background stays where it is in the pictures while something turns before it, so "
            "the cameras were placed by what turns. Give --masks of it for a model without the "
            "background's remains."
        )
    if warning := report.get("gps", {}).get("warning"):
        found.append(warning)
    error_px, angle_deg = report["mean_reprojection_error_px"], report["median_angle_deg"]
    if error_px is not None and error_px > _HIGH_ERROR_PX:
        found.append(
            f"The cameras fit their points only within {error_px:.1f} px. Check the intrinsics "
            "and poses if you gave them; otherwise something moved, or the lens was zoomed."
        )
    if angle_deg is not None and angle_deg < _NARROW_DEG:
        found.append(
            f"The photos were taken from nearly the same spot ({angle_deg:.1f} degrees apart as "
            "seen from the object), so depth is uncertain. Move further between photos."
        )
    is_estimated = any(estimate.source != "given" for estimate in scene.cameras.values())
    if report["points"] == 0 and is_estimated and len(scene.views) > 1:
        found.append("No points could be triangulated.")
    for key, estimate in scene.cameras.items():
        focal_px, std_px = estimate.intrinsics.pinhole.fx_px, estimate.focal_std_px
        if std_px is not None and std_px > _WEAK_FOCAL * focal_px:
            found.append(
                f"The focal length of {key} is uncertain ({focal_px:.0f} ± {std_px:.0f} px), so "
                "the model may be bent or stretched. Give --intrinsics if you know them."
            )
    return found


def median_angle_deg(scene: PosedScene) -> float:
    """Median over the points of the widest angle between the first sighting's ray and another's.

    At least half the widest angle of all pairs, at a fraction of the work.
    """
    observations = scene.points.observations
    centres = np.stack([view.centre_world for view in scene.views])
    rays = centres[observations[:, 1]] - scene.points.xyz_world[observations[:, 0]]
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    order = np.argsort(observations[:, 0], kind="stable")
    point, rays = observations[order, 0], rays[order]
    first = np.searchsorted(point, point)
    cosine = np.clip((rays * rays[first]).sum(axis=1), -1, 1)
    widest = np.zeros(len(scene.points.xyz_world))
    np.maximum.at(widest, point, np.degrees(np.arccos(cosine)))
    return float(np.median(widest))


def _rounded(value: float) -> float:
    return round(float(value), 4)
