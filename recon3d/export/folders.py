"""Exports that are folders: depth maps, a COLMAP model, nerfstudio's, Blender's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath

import numpy as np

from recon3d.core.depth import SceneDepth
from recon3d.core.scene import PosedPhotos, PosedScene
from recon3d.core.surface import sparse_surface
from recon3d.export.blender import write_blender_files
from recon3d.export.depth_maps import png_step, write_depth_map
from recon3d.export.meshes import write_cloud
from recon3d.export.nerfstudio import write_transforms
from recon3d.photos.intrinsics_files import our_fields
from recon3d.run.files import atomic_files, atomic_path, write_json
from recon3d.sfm.colmap_model import write_colmap_model
from recon3d.sfm.undistortion import undistorted_camera

# What Windows refuses in names, though other systems allow it.
_UNSAFE = {ord(letter): "_" for letter in '\\:*?"<>|'} | dict.fromkeys(range(32), "_")

Step = Callable[[str], None]
"""Told what comes next; raises Cancelled when the user wants to stop."""


def write_depth_maps(
    target: Path,
    scene: PosedScene,
    depth: Mapping[str, SceneDepth],
    target_per_world: float,
    step: Step,
) -> None:
    """Write every map as PNG and NPY, and depth.json, which says what they mean.

    The scene is in the target frame already, depth still in the world's unit.

    Raises:
        OutputError: the folder cannot be written.
    """
    with atomic_files(target) as folder:
        # One step for all maps, so that they can be compared; metres need no look at them.
        farthest = 0.0
        if scene.unit != "metre":
            farthest = max((float(found.depth_z.max()) for found in depth.values()), default=0.0)
        png_unit = png_step(scene.unit, target_per_world * farthest)
        index = []
        names = _safe_names(scene)
        for view in scene.views:
            step(f"depth of {view.photo_id}")
            if (found := depth.get(view.photo_id)) is None:
                continue
            stem = folder / names[view.photo_id]
            write_depth_map(stem, np.float32(target_per_world) * found.depth_z, png_unit)
            name = stem.relative_to(folder).as_posix()
            index.append(
                {
                    "photo": view.photo_id,
                    "png": f"{name}.png",
                    "npy": f"{name}.npy",
                    "camera": asdict(found.camera),
                    "cam_from_world": view.cam_from_world.matrix().tolist(),
                }
            )
        write_json(
            folder / "depth.json",
            {"unit": scene.unit, "png_step": png_unit, "unknown": 0, "maps": index},
        )


def write_colmap(target: Path, scene: PosedScene, posed: PosedPhotos, step: Step) -> None:
    """Write a COLMAP model of the undistorted cameras and points, and the pictures.

    lenses.json holds the lens of every photo as it was taken, with its errors.

    Raises:
        OutputError: the folder cannot be written.
    """
    with atomic_files(target) as folder:
        names = _write_pictures(folder / "images", posed, step)
        views = tuple(replace(view, photo_id=names[view.photo_id]) for view in scene.views)
        write_colmap_model(folder / "sparse" / "0", replace(scene, views=views))
        if scene.cameras:
            write_json(folder / "lenses.json", _lenses(scene))


def _lenses(scene: PosedScene) -> dict[str, object]:
    """As `--intrinsics` reads them; of several cameras by photo."""
    told = {
        undistorted_camera(estimate.intrinsics): {
            **our_fields(estimate.intrinsics),
            "source": estimate.source,
            "focal_std_px": estimate.focal_std_px,
            "principal_point_std_px": estimate.centre_std_px,
        }
        for estimate in scene.cameras.values()
    }
    if len(told) == 1:
        return next(iter(told.values()))
    return {
        "cameras": {view.photo_id: told[view.camera] for view in scene.views if view.camera in told}
    }


def write_nerfstudio(target: Path, scene: PosedScene, posed: PosedPhotos, step: Step) -> None:
    """Write transforms.json; its pictures and points lie beside it, under its name.

    Raises:
        OutputError: the folder cannot be written.
    """
    pictures = target.with_name(f"{target.stem}_images")
    points = target.with_name(f"{target.stem}_points.ply")
    with atomic_files(pictures) as folder:
        names = _write_pictures(folder, posed, step)
    has_points = _write_points(points, scene)
    file_paths = {photo_id: f"{pictures.name}/{name}" for photo_id, name in names.items()}
    write_transforms(target, scene, file_paths, points.name if has_points else None)


def write_blender(
    target: Path,
    scene: PosedScene,
    posed: PosedPhotos,
    write_model: Callable[[Path], None] | None,
    step: Step,
) -> None:
    """Write what import_into_blender.py, which is put there too, opens as one scene.

    write_model: writes the model to a .glb; None where there is no surface yet.

    Raises:
        OutputError: the folder cannot be written.
    """
    with atomic_files(target) as folder:
        names = _write_pictures(folder / "images", posed, step)
        pictures = {photo_id: f"images/{name}" for photo_id, name in names.items()}
        model, points = folder / "scene.glb", folder / "points.ply"
        if write_model:
            write_model(model)
        has_points = _write_points(points, scene)
        write_blender_files(
            folder,
            scene,
            pictures,
            model=model.name if write_model else None,
            points=points.name if has_points else None,
        )


def _write_points(target: Path, scene: PosedScene) -> bool:
    """Write the sparse points, unless there are none."""
    _, cloud = sparse_surface(scene.points)
    if len(cloud.points):
        write_cloud(target, cloud)
    return len(cloud.points) > 0


def _write_pictures(folder: Path, posed: PosedPhotos, step: Step) -> dict[str, str]:
    """Copy the undistorted pictures; returns their names in the folder by photo id."""
    from PIL import Image

    names = {}
    for photo_id, name in _safe_names(posed.scene).items():
        step(f"picture of {photo_id}")
        if name.suffix.lower() not in (".jpg", ".jpeg", ".png"):
            name = name.with_name(f"{name.name}.png")
        names[photo_id] = name.as_posix()
        with atomic_path(folder / name) as part:
            Image.fromarray(posed.rgb[photo_id]).save(part, quality=95, subsampling=0)
    return names


def _safe_names(scene: PosedScene) -> dict[str, PurePosixPath]:
    """Each photo's id as a path of its own that cannot leave the folder it is put in."""
    names: dict[str, PurePosixPath] = {}
    taken = set[str]()
    for view in scene.views:
        parts = [part for part in PurePosixPath(view.photo_id).parts if part not in ("/", "..")]
        name = plain = PurePosixPath(*(part.translate(_UNSAFE) for part in parts))
        number = 1
        # Many disks do not tell A.jpg from a.jpg.
        while name.as_posix().casefold() in taken:
            number += 1
            name = plain.with_name(f"{plain.stem}_{number}{plain.suffix}")
        taken.add(name.as_posix().casefold())
        names[view.photo_id] = name
    return names
