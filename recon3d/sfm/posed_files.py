"""The folder of posed photos: scene.json, points.npz, pictures, masks, depth, COLMAP model."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Float32
from PIL import Image

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera, project
from recon3d.core.scene import (
    CameraEstimate,
    ImageSet,
    LensStep,
    OtherScene,
    PosedPhotos,
    PosedScene,
    SparsePoints,
    Verdict,
    View,
)
from recon3d.core.transform import Rigid
from recon3d.photos.pictures import read_grey, read_size, read_upright
from recon3d.run.digests import file_digest, json_digest
from recon3d.run.files import FileMapping, atomic_path, write_json
from recon3d.run.reuse import take_over
from recon3d.run.task import Task
from recon3d.sfm.colmap_model import write_colmap_model
from recon3d.sfm.undistortion import Undistorter, fit_nearest

T = TypeVar("T")
U = TypeVar("U")

_SCENE = "scene.json"
_POINTS = "points.npz"
_LENSES = "lenses.json"
_OTHER = "scene_"
_JPEG_QUALITY = 97
_BYTES_PER_PIXEL = 24
"""Of a photo that is decoded, with what is made of it and its mask."""


def write_pictures(
    folder: Path,
    image_set: ImageSet,
    views: tuple[View, ...],
    intrinsics: Mapping[str, Intrinsics],
    task: Task,
) -> None:
    """Write every view's undistorted picture, mask and depth; finished ones are kept.

    So are those that an earlier run has made of the same.

    intrinsics: by photo id, of the distorted photo.
    """
    take_over(folder, _made_from(folder, image_set, views, intrinsics), task)
    undistorters: dict[Intrinsics, Undistorter | None] = {}
    for view in views:
        source = intrinsics[view.photo_id]
        if source not in undistorters:
            task.check()
            same = source.pinhole == view.camera
            undistorters[source] = None if same else Undistorter(source, view.camera)

    def write_one(view: View) -> View:
        _write_view(folder, image_set, view, undistorters[intrinsics[view.photo_id]])
        return view

    done = _several(write_one, views, views, task)
    for _ in task.each(done, len(views), lambda view: f"undistorting {view.photo_id}"):
        pass


def _made_from(
    folder: Path,
    image_set: ImageSet,
    views: tuple[View, ...],
    intrinsics: Mapping[str, Intrinsics],
) -> dict[str, str]:
    """What each undistorted picture and mask depends on, by its path below the folder."""
    digests = {}
    for view in views:
        picture, mask = image_set.pictures[view.photo_id], image_set.masks.get(view.photo_id)
        lenses = [asdict(intrinsics[view.photo_id]), asdict(view.camera)]
        targets = {_picture_path(folder, view.photo_id): picture}
        if mask:
            targets[_mask_path(folder, view.photo_id)] = mask
        for target, source in targets.items():
            name = target.relative_to(folder).as_posix()
            digests[name] = json_digest([name, file_digest(source), *lenses])
    return digests


def sample_colours(folder: Path, scene: PosedScene, task: Task) -> SparsePoints:
    """The points with their mean colours over the views that see them."""
    xyz_world = scene.points.xyz_world
    sums, counts = np.zeros((len(xyz_world), 3)), np.zeros(len(xyz_world))

    def seen(index: int) -> tuple[np.ndarray, np.ndarray]:
        """Points and their colours in one view."""
        view, points = scene.views[index], scene.points.seen_by(index)
        if not len(points):
            return points, np.zeros((0, 3), np.uint8)
        rgb = read_upright(_picture_path(folder, view.photo_id))
        uv_px, _ = project(view.cam_from_world @ xyz_world[points], view.camera)
        inside = np.isfinite(uv_px).all(axis=1)
        inside[inside] &= ((uv_px[inside] >= 0) & (uv_px[inside] < rgb.shape[1::-1])).all(axis=1)
        column, row = uv_px[inside].astype(np.int64).T
        return points[inside], rgb[row, column]

    for points, rgb in _several(seen, range(len(scene.views)), scene.views, task):
        sums[points] += rgb
        counts[points] += 1
    mean = np.rint(sums / np.maximum(counts, 1)[:, None]).astype(np.uint8)
    return replace(scene.points, rgb=mean)


def _several(
    work: Callable[[T], U], items: Iterable[T], views: Sequence[View], task: Task
) -> Iterator[U]:
    """What work makes of every item, in order; as many at once as views have room in memory.

    Decoders, encoders and OpenCV release Python's lock for whole pictures.
    """

    def checked(item: T) -> U:
        task.check()
        return work(item)

    pixels = max((view.camera.width_px * view.camera.height_px for view in views), default=1)
    pool = ThreadPoolExecutor(task.runtime.threads_within(_BYTES_PER_PIXEL * pixels))
    try:
        yield from pool.map(checked, items)
    finally:
        pool.shutdown(cancel_futures=True)


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
            **({} if scene.scale_sigma is None else {"scale_sigma": scene.scale_sigma}),
            **({"one_place": dict(scene.one_place)} if scene.one_place else {}),
            "camera_of": dict(scene.camera_of),
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


def write_sightings(
    folder: Path, scene: PosedScene, sightings_px: Float[np.ndarray, "m 2"]
) -> None:
    """Write where photos show the points, a file for each photo.

    sightings_px: one for each of the scene's observations, or none at all.
    """
    if not len(sightings_px):
        return
    for index in range(len(scene.views)):
        mine = scene.points.observations[:, 1] == index
        with atomic_path(_sightings_path(folder, index)) as part:
            np.save(part, sightings_px[mine].astype(np.float32))


def write_other_scenes(folder: Path, scenes: Sequence[OtherScene]) -> None:
    """Write scenes that stay apart, numbered from 2, each into a folder of its own."""
    for number, other in enumerate(scenes, start=2):
        place = folder / f"{_OTHER}{number}"
        lenses = {photo_id: asdict(lens) for photo_id, lens in other.intrinsics.items()}
        write_json(place / _LENSES, lenses)
        write_scene(place, other.scene, ())


def read_scene(folder: Path) -> PosedPhotos:
    """Read what the functions above wrote, pixels one file when asked."""
    scene, verdicts = _read_scene(folder)
    ids = [view.photo_id for view in scene.views]
    masks = {photo_id: _mask_path(folder, photo_id) for photo_id in ids}
    depth = {photo_id: _depth_path(folder, photo_id) for photo_id in ids}
    seen = {photo_id: _sightings_path(folder, index) for index, photo_id in enumerate(ids)}
    return PosedPhotos(
        scene,
        FileMapping({photo_id: _picture_path(folder, photo_id) for photo_id in ids}, read_upright),
        FileMapping({key: path for key, path in masks.items() if path.exists()}, read_mask),
        FileMapping({key: path for key, path in depth.items() if path.exists()}, _read_depth),
        verdicts,
        tuple(_read_other_scenes(folder)),
        FileMapping({key: path for key, path in seen.items() if path.exists()}, np.load),
    )


def _read_scene(folder: Path) -> tuple[PosedScene, tuple[Verdict, ...]]:
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
        one_place=stored.get("one_place", {}),
        scale_sigma=stored.get("scale_sigma"),
        camera_of=stored["camera_of"],
    )
    return scene, tuple(Verdict(**row) for row in stored["verdicts"])


def _read_other_scenes(folder: Path) -> Iterator[OtherScene]:
    for number in itertools.count(2):
        place = folder / f"{_OTHER}{number}"
        if not place.exists():
            return
        lenses = json.loads((place / _LENSES).read_text(encoding="utf-8"))
        yield OtherScene(
            _read_scene(place)[0],
            {photo_id: _intrinsics(row) for photo_id, row in lenses.items()},
        )


def read_mask(path: Path) -> Bool[np.ndarray, "h w"]:
    """A mask of our own, True = keep."""
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
        keep = read_mask(mask).astype(np.uint8) * 255
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


def _sightings_path(folder: Path, index: int) -> Path:
    return folder / "sightings" / f"{index:06d}.npy"


def _rigid(rows: list[list[float]]) -> Rigid:
    matrix = np.array(rows, np.float64)
    return Rigid(matrix[:, :3], matrix[:, 3])


def _camera_estimate(row: Mapping[str, Any]) -> CameraEstimate:
    centre_std_px = row["centre_std_px"]
    return CameraEstimate(
        _intrinsics(row["intrinsics"]),
        row["source"],
        row["focal_std_px"],
        centre_std_px and (centre_std_px[0], centre_std_px[1]),
        tuple(LensStep(**step) for step in row["steps"]),
    )


def _intrinsics(row: Mapping[str, Any]) -> Intrinsics:
    distortion = row["distortion"]
    return Intrinsics(
        PinholeCamera(**row["pinhole"]),
        Distortion(distortion["model"], tuple(distortion["coefficients"])),
    )
