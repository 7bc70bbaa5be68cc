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
_DOUBTS = "doubts.json"
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
        write_json(folder / _DOUBTS, warnings)


def read_warnings(folder: Path) -> dict[str, str]:
    """Read what `write_doubts` wrote; none where it wrote nothing."""
    path = folder / _DOUBTS
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
    _write(target, depth.values, confidence, depth.camera, depth.kind)


def read_prediction(path: Path) -> PredictedDepth:
    """Read what `write_prediction` wrote."""
    values, confidence, camera, kind = _read(path)
    if kind not in ("scene", "metric", "relative"):
        raise ValueError(f"kind: got {kind}, expected scene, metric or relative")
    return PredictedDepth(values, kind, confidence.astype(np.float32) / 255, camera)  # type: ignore[arg-type]


def write_scene_depth(target: Path, depth: SceneDepth) -> None:
    """Weights are numbers of views and fit into eight bits."""
    weight = np.clip(np.round(depth.weight), 0, 255).astype(np.uint8)
    _write(target, depth.depth_z, weight, depth.camera, depth.view_id)


def read_scene_depth(path: Path) -> SceneDepth:
    """Read what `write_scene_depth` wrote."""
    depth_z, weight, camera, view_id = _read(path)
    return SceneDepth(depth_z, weight.astype(np.float32), camera, view_id)


def _write(
    target: Path, values: np.ndarray, weight: np.ndarray, camera: PinholeCamera, label: str
) -> None:
    with atomic_path(target) as part, part.open("wb") as stream:
        np.savez(
            stream,
            values=values.astype(np.float32),
            weight=weight,
            camera=np.array(astuple(camera), np.float64),
            label=np.array(label),
        )


def _read(path: Path) -> tuple[np.ndarray, np.ndarray, PinholeCamera, str]:
    with np.load(path, allow_pickle=False) as archive:
        width_px, height_px, *rest = archive["camera"].tolist()
        camera = PinholeCamera(int(width_px), int(height_px), *rest)
        return archive["values"], archive["weight"], camera, str(archive["label"])


def _quoted(photo_id: str) -> str:
    return photo_id.replace("%", "%25").replace("/", "%2F")
