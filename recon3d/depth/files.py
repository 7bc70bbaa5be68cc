"""Depth maps in a stage's folder, one file a view, written whole."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from recon3d.core.camera import PinholeCamera
from recon3d.core.depth import PredictedDepth, SceneDepth
from recon3d.run.files import atomic_path, write_json

_SUFFIX = ".npz"
_WARNINGS = "warnings.json"
_NAMED = 3


def depth_file_paths(folder: Path, photo_ids: Sequence[str] | None = None) -> dict[str, Path]:
    """One file per photo id; without ids those that are in the folder.

    Ids may hold slashes, which are quoted; other letters stay, or long names would not fit.
    """
    if photo_ids is None:
        found = sorted(folder.glob(f"*{_SUFFIX}"))
        return {unquote(path.name.removesuffix(_SUFFIX)): path for path in found}
    return {photo_id: folder / f"{_quoted(photo_id)}{_SUFFIX}" for photo_id in photo_ids}


def write_warnings(folder: Path, warnings: Mapping[str, str]) -> None:
    """Keep, by photo id, what is not as good about a depth map as its numbers look."""
    if warnings:
        write_json(folder / _WARNINGS, warnings)


def read_warnings(folder: Path) -> dict[str, str]:
    """Read what `write_warnings` wrote; none where it wrote nothing."""
    path = folder / _WARNINGS
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def in_one_sentence(warnings: Mapping[str, str], what: str) -> str:
    """How many photos it is, which ones first, and the reason of the first."""
    names = ", ".join([*list(warnings)[:_NAMED], *(["..."] if len(warnings) > _NAMED else [])])
    reason = next(iter(warnings.values())).rstrip(".")
    number = f"{len(warnings)} photos" if len(warnings) > 1 else "1 photo"
    return f"{what} of {number} ({names}): {reason}."


def write_prediction(target: Path, depth: PredictedDepth) -> None:
    """Confidence keeps eight bits, the values all of float32."""
    confidence = np.clip(np.round(depth.confidence * 255), 0, 255).astype(np.uint8)
    values = depth.values.astype(np.float32)
    _write(target, depth.camera, values=values, confidence=confidence, kind=np.array(depth.kind))


def read_prediction(path: Path) -> PredictedDepth:
    """Read what `write_prediction` wrote."""
    with np.load(path, allow_pickle=False) as archive:
        kind = str(archive["kind"])
        if kind not in ("scene", "metric", "relative"):
            raise ValueError(f"kind: got {kind}, expected scene, metric or relative")
        confidence = archive["confidence"].astype(np.float32) / 255
        return PredictedDepth(archive["values"], kind, confidence, _camera(archive))  # type: ignore[arg-type]


def write_scene_depth(target: Path, depth: SceneDepth) -> None:
    """Numbers of views fit into eight bits."""
    agreeing_views = np.clip(np.round(depth.agreeing_views), 0, 255).astype(np.uint8)
    depth_z = depth.depth_z.astype(np.float32)
    _write(
        target,
        depth.camera,
        depth_z=depth_z,
        agreeing_views=agreeing_views,
        view_id=np.array(depth.view_id),
    )


def read_scene_depth(path: Path) -> SceneDepth:
    """Read what `write_scene_depth` wrote."""
    with np.load(path, allow_pickle=False) as archive:
        agreeing_views = archive["agreeing_views"].astype(np.float32)
        view_id = str(archive["view_id"])
        return SceneDepth(archive["depth_z"], agreeing_views, _camera(archive), view_id)


def _write(target: Path, camera: PinholeCamera, **arrays: np.ndarray) -> None:
    with atomic_path(target) as part, part.open("wb") as stream:
        np.savez(stream, allow_pickle=False, camera=np.array(astuple(camera), np.float64), **arrays)


def _camera(archive: Mapping[str, np.ndarray]) -> PinholeCamera:
    width_px, height_px, *rest = archive["camera"].tolist()
    return PinholeCamera(int(width_px), int(height_px), *rest)


def _quoted(photo_id: str) -> str:
    return photo_id.replace("%", "%25").replace("/", "%2F")
