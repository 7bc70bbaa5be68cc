"""The numbers of a run, as they stand in report.json."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from recon3d.core.depth import SceneDepth, confirmed_shares
from recon3d.core.errors import ReconError
from recon3d.core.scene import ImageSet, PosedPhotos
from recon3d.core.surface import Mesh, TexturedMesh, face_areas, inferred_share
from recon3d.core.target_frame import TargetFrame
from recon3d.core.version import program_version
from recon3d.run.cost import Cost
from recon3d.view_planning.advice import Advice

SCHEMA = 1

Facts = dict[str, Any]
"""The content of report.json."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """Whatever a run has made; None for the stages it did not reach."""

    image_set: ImageSet | None = None
    panoramas: Mapping[str, str] = field(default_factory=dict)
    """By photo id, of views of 360-degree photos: which one."""
    masks: Mapping[str, Path] = field(default_factory=dict)
    """By photo id, of the photos as they were taken."""
    found_masks: str = ""
    """Folder below the workspace that holds the masks which the program has made; else empty."""
    posed: PosedPhotos | None = None
    depth: Mapping[str, SceneDepth] | None = None
    mesh: Mesh | None = None
    cleaning: Mapping[str, Any] | None = None
    """What each link of the clean-up did."""
    textured: TexturedMesh | None = None
    texturing: Mapping[str, Any] | None = None
    """Numbers of making the texture: size, charts, what each photo gave."""
    frame: TargetFrame | None = None
    control: Mapping[str, Any] | None = None
    """How every ground control point fits."""
    advice: Advice | None = None
    """How well the photos cover the mesh, and which to take next."""
    costs: Mapping[str, tuple[Cost, bool]] = field(default_factory=dict)
    """By stage name: what computing it took, and whether it came from the cache."""
    warnings: Sequence[str] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    written: Sequence[Path] = ()
    failure: ReconError | None = None


def collect_facts(run: Run) -> Facts:
    """Everything numbers can say, ready for JSON: no NaN, no paths, no arrays."""
    coverage = confirmed_shares(run.depth or {}, run.posed.masks if run.posed else {})
    facts = {
        "schema": SCHEMA,
        "recon3d": program_version(),
        "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "status": "failed" if run.failure else "finished" if run.mesh else "stopped early",
        "failure": run.failure
        and {
            "kind": type(run.failure).__name__,
            "message": str(run.failure),
            "hint": run.failure.hint,
        },
        "photos": _photos(run, coverage),
        "masks": {"photos": len(run.masks), "found_in": run.found_masks} if run.masks else None,
        "cameras": run.posed and {k: asdict(v) for k, v in run.posed.scene.cameras.items()},
        "poses": run.posed and _poses(run.posed),
        "depth": _depth(coverage) if run.depth is not None else None,
        "mesh": run.mesh and _mesh(run.mesh, run.frame),
        "cleaning": run.cleaning,
        "solid": run.cleaning and _solid(run.cleaning.get("solid"), run.frame),
        "frame": run.frame and {**run.frame.report, "unit": run.frame.unit},
        "control": run.control,
        "texture": run.textured and {**(run.texturing or {}), **_texture(run.textured)},
        "coverage": run.advice and run.advice.plain(run.frame),
        "stages": {
            stage: {**asdict(cost), "cached": cached} for stage, (cost, cached) in run.costs.items()
        },
        "warnings": run.warnings,
        "settings": run.settings,
        "written": run.written,
    }
    return {key: plain(value) for key, value in facts.items()}


def plain(value: object) -> object:
    """Anything as JSON values; what is not finite becomes None."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return float(value) if math.isfinite(value) else None
        case str():
            # File names may hold bytes that are no text.
            return value.encode("utf-8", "replace").decode("utf-8")
        case np.generic() | np.ndarray():
            return plain(value.tolist())
        case Mapping():
            return {str(plain(str(key))): plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(item) for item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return plain(asdict(value))
        case _:
            return plain(str(value))


def _photos(run: Run, coverage: Mapping[str, float]) -> list[dict[str, object]]:
    photos: dict[str, dict[str, object]] = {}
    for photo in run.image_set.photos if run.image_set else ():
        photos[photo.id] = {
            "id": photo.id,
            "verdict": "read",
            "reason": "",
            "advice": "",
            "width_px": photo.width_px,
            "height_px": photo.height_px,
            "camera": photo.camera_group,
        }
    for verdict in (
        *(run.image_set.verdicts if run.image_set else ()),
        *(run.posed.verdicts if run.posed else ()),
    ):
        photos.setdefault(verdict.photo_id, {"id": verdict.photo_id})
        photos[verdict.photo_id] |= {
            "verdict": "used" if verdict.used else "left out",
            "reason": verdict.reason,
            "advice": verdict.advice,
        }
    if run.posed:
        scene = run.posed.scene
        points = np.bincount(scene.points.observations[:, 1], minlength=len(scene.views))
        for view, seen in zip(scene.views, points.tolist(), strict=True):
            photos[view.photo_id] |= {
                "sparse_points": seen,
                "depth_coverage": coverage.get(view.photo_id),
            }
    return _whole_panoramas(photos, run.panoramas)


def _whole_panoramas(
    photos: Mapping[str, dict[str, object]], panoramas: Mapping[str, str]
) -> list[dict[str, object]]:
    """One row for all views of a panorama: people took it as one photo."""
    rows: dict[str, dict[str, object]] = {}
    for photo_id, photo in photos.items():
        if photo_id not in panoramas:
            rows[photo_id] = photo
            continue
        panorama = panoramas[photo_id]
        row = rows.setdefault(panorama, {**photo, "id": panorama, "views": []})
        views = row["views"]
        assert isinstance(views, list)
        views.append(photo)
        # All views are placed together, and one that shows nothing costs no panorama.
        told = next((view for view in views if view["verdict"] != "left out"), views[0])
        row |= {name: told[name] for name in ("verdict", "reason", "advice")}
        seen = [view["sparse_points"] for view in views if "sparse_points" in view]
        deep = [cover for view in views if (cover := view.get("depth_coverage")) is not None]
        if seen:
            row |= {"sparse_points": sum(seen), "depth_coverage": np.mean(deep) if deep else None}
    return list(rows.values())


def _poses(posed: PosedPhotos) -> dict[str, object]:
    errors = posed.scene.points.error_px
    return {
        **posed.scene.report,
        "placed": len(posed.scene.views),
        "sparse_points": len(posed.scene.points.xyz_world),
        "mean_error_px": float(errors.mean()) if len(errors) else None,
        "unit": posed.scene.unit,
    }


def _depth(coverage: Mapping[str, float]) -> dict[str, object]:
    values = list(coverage.values()) or [0.0]
    return {"maps": len(coverage), "median_coverage": float(np.median(values))}


def _mesh(mesh: Mesh, frame: TargetFrame | None) -> dict[str, object]:
    """As it is exported."""
    scale = frame.target_from_world.scale if frame else 1.0
    vertices = frame.target_from_world @ mesh.vertices if frame else mesh.vertices
    empty = len(vertices) == 0
    low, high = np.zeros((2, 3)) if empty else np.percentile(vertices, [0.5, 99.5], axis=0)
    return {
        "vertices": len(mesh.vertices),
        "faces": len(mesh.faces),
        "area": float(face_areas(mesh).sum()) * scale**2,
        "size": (high - low).tolist(),
        "unit": frame.unit if frame else "scene",
        # Of the area: guessed, because no depth was confirmed there.
        "inferred": inferred_share(mesh),
    }


def _solid(solid: Mapping[str, float] | None, frame: TargetFrame | None) -> dict[str, float] | None:
    """As it is exported; None where the mesh was not made one."""
    if solid is None:
        return None
    scale = frame.target_from_world.scale if frame else 1.0
    return {
        "volume": solid["volume"] * scale**3,
        "wall": solid["wall"] * scale,
        "wall_share": solid["wall_share"],
    }


def _texture(textured: TexturedMesh) -> dict[str, object]:
    areas = face_areas(textured.mesh)
    whole = float(areas.sum())
    return {
        "pages": len(textured.pages),
        # Of the surface's area: no photo saw it, its neighbours lent their colour.
        "made_up": float(areas[~textured.seen].sum()) / whole if whole > 0 else 0.0,
    }
