"""The folder of posed photos: scene.json, points.npz, pictures, masks, depth, COLMAP model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8
from PIL import Image

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera, project
from recon3d.core.scene import (
    CameraEstimate,
    ImageSet,
    LensStep,
    PosedPhotos,
    PosedScene,
    SparsePoints,
    Verdict,
    View,
)
from recon3d.core.transform import Rigid
from recon3d.photos.pictures import read_grey, read_size, read_upright
from recon3d.run.files import FileMapping, atomic_path, write_json
from recon3d.run.task import Task
from recon3d.sfm.colmap_model import write_colmap_model
from recon3d.sfm.undistortion import Undistorter, fit_nearest

_SCENE = "scene.json"
_POINTS = "points.npz"
_JPEG_QUALITY = 97


def write_pictures(
    folder: Path,
    image_set: ImageSet,
    views: tuple[View, ...],
    intrinsics: Mapping[str, Intrinsics],
    task: Task,
) -> None:
    """Write every view's undistorted picture, mask and depth; finished ones are kept.

    intrinsics: by photo id, of the distorted photo.
    """
    undistorters: dict[Intrinsics, Undistorter | None] = {}
    for view in task.each(views, len(views), lambda view: f"undistorting {view.photo_id}"):
        source = intrinsics[view.photo_id]
        if source not in undistorters:
            same = source.pinhole == view.camera
            undistorters[source] = None if same else Undistorter(source, view.camera)
        _write_view(folder, image_set, view, undistorters[source])


def sample_colours(
    folder: Path,
    views: tuple[View, ...],
    xyz_world: Float[np.ndarray, "n 3"],
    observations: np.ndarray,
    task: Task,
) -> UInt8[np.ndarray, "n 3"]:
    """The mean colour of each point over the views that see it."""
    sums, counts = np.zeros((len(xyz_world), 3)), np.zeros(len(xyz_world))
    for index, view in enumerate(views):
        task.check()
        points = observations[observations[:, 1] == index, 0]
        if not len(points):
            continue
        rgb = read_upright(_picture_path(folder, view.photo_id))
        uv_px, _ = project(view.cam_from_world @ xyz_world[points], view.camera)
        inside = np.isfinite(uv_px).all(axis=1)
        inside[inside] &= ((uv_px[inside] >= 0) & (uv_px[inside] < rgb.shape[1::-1])).all(axis=1)
        column, row = uv_px[inside].astype(np.int64).T
        sums[points[inside]] += rgb[row, column]
        counts[points[inside]] += 1
    return np.rint(sums / np.maximum(counts, 1)[:, None]).astype(np.uint8)


def write_scene(folder: Path, scene: PosedScene, verdicts: tuple[Verdict, ...]) -> None:
    """Write the cameras, points, numbers and verdicts."""
    write_colmap_model(folder / "colmap", scene)
    with atomic_path(folder / _POINTS) as part:
        np.savez(
            part,
            xyz_world=scene.points.xyz_world,
            rgb=scene.points.rgb,
            error_px=scene.points.error_px,
            observations=scene.points.observations,
        )
    write_json(
        folder / _SCENE,
        {
            "unit": scene.unit,
            "origin": scene.origin,
            "views": [
                {
                    "photo_id": view.photo_id,
                    "camera": asdict(view.camera),
                    "cam_from_world": view.cam_from_world.matrix()[:3].tolist(),
                }
                for view in scene.views
            ],
            "cameras": {key: asdict(estimate) for key, estimate in scene.cameras.items()},
            "report": scene.report,
            "verdicts": [asdict(verdict) for verdict in verdicts],
        },
    )


def read_scene(folder: Path) -> PosedPhotos:
    """Read what `write_scene` and `write_pictures` wrote, pixels one file when asked."""
    stored: dict[str, Any] = json.loads((folder / _SCENE).read_text(encoding="utf-8"))
    with np.load(folder / _POINTS) as arrays:
        points = SparsePoints(**arrays)
    views = tuple(
        View(
            row["photo_id"],
            PinholeCamera(**row["camera"]),
            _rigid(row["cam_from_world"]),
        )
        for row in stored["views"]
    )
    scene = PosedScene(
        views,
        points,
        stored["unit"],
        {key: _camera_estimate(row) for key, row in stored["cameras"].items()},
        stored["report"],
        tuple(stored["origin"]),
    )
    ids = [view.photo_id for view in views]
    masks = {photo_id: _mask_path(folder, photo_id) for photo_id in ids}
    depth = {photo_id: _depth_path(folder, photo_id) for photo_id in ids}
    return PosedPhotos(
        scene,
        FileMapping({photo_id: _picture_path(folder, photo_id) for photo_id in ids}, read_upright),
        FileMapping({key: path for key, path in masks.items() if path.exists()}, _read_mask),
        FileMapping({key: path for key, path in depth.items() if path.exists()}, _read_depth),
        tuple(Verdict(**row) for row in stored["verdicts"]),
    )


def _read_mask(path: Path) -> Bool[np.ndarray, "h w"]:
    return read_grey(path) > 127


def _read_depth(path: Path) -> Float32[np.ndarray, "h w"]:
    depth_z: Float32[np.ndarray, "h w"] = np.load(path)
    return depth_z


def _write_view(
    folder: Path, image_set: ImageSet, view: View, undistorter: Undistorter | None
) -> None:
    picture = image_set.pictures[view.photo_id]
    target = _picture_path(folder, view.photo_id)
    mask_target = _mask_path(folder, view.photo_id)
    depth_target = _depth_path(folder, view.photo_id)
    mask = image_set.masks.get(view.photo_id)
    if mask and not mask_target.exists():
        keep = _read_mask(mask).astype(np.uint8) * 255
        with atomic_path(mask_target) as part:
            Image.fromarray(undistorter.nearest(keep) if undistorter else keep).save(part)
    if view.photo_id in image_set.sensor_depth and not depth_target.exists():
        depth_z = fit_nearest(image_set.sensor_depth[view.photo_id], read_size(picture))
        with atomic_path(depth_target) as part:
            np.save(part, undistorter.nearest(depth_z) if undistorter else depth_z)
    if target.exists():
        return
    with atomic_path(target) as part:
        if undistorter is None and picture.suffix.lower() in (".jpg", ".jpeg"):
            shutil.copyfile(picture, part)
        else:
            rgb = read_upright(picture)
            Image.fromarray(undistorter.smooth(rgb) if undistorter else rgb).save(
                part, quality=_JPEG_QUALITY, subsampling=0
            )


def _picture_path(folder: Path, photo_id: str) -> Path:
    """Always a JPEG whose name holds the whole id, so that a.png and a.heic stay apart."""
    plain = photo_id.lower().endswith((".jpg", ".jpeg"))
    return folder / "images" / (photo_id if plain else f"{photo_id}.jpg")


def _mask_path(folder: Path, photo_id: str) -> Path:
    return folder / "masks" / f"{photo_id}.png"


def _depth_path(folder: Path, photo_id: str) -> Path:
    return folder / "sensor_depth" / f"{photo_id}.npy"


def _rigid(rows: list[list[float]]) -> Rigid:
    matrix = np.array(rows, np.float64)
    return Rigid(matrix[:, :3], matrix[:, 3])


def _camera_estimate(row: Mapping[str, Any]) -> CameraEstimate:
    intrinsics = row["intrinsics"]
    distortion = intrinsics["distortion"]
    return CameraEstimate(
        Intrinsics(
            PinholeCamera(**intrinsics["pinhole"]),
            Distortion(distortion["model"], tuple(distortion["coefficients"])),
        ),
        row["source"],
        row["focal_std_px"],
        row["centre_std_px"] and (row["centre_std_px"][0], row["centre_std_px"][1]),
        tuple(LensStep(**step) for step in row["steps"]),
    )
