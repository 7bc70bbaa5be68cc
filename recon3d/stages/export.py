"""Results leave the workspace: upright, in the target's axes, whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float32

from recon3d.core.depth import SceneDepth
from recon3d.core.errors import OutputError, TooLittleDepthError
from recon3d.core.frame import TargetFrame
from recon3d.core.scene import PosedPhotos, PosedScene
from recon3d.core.surface import Mesh, PointCloud
from recon3d.core.transform import Similarity
from recon3d.io.colmap import write_colmap_model
from recon3d.io.depth_maps import png_step, write_depth_map
from recon3d.io.meshes import check_cloud_suffix, check_mesh_suffix, write_cloud, write_mesh
from recon3d.io.nerfstudio import write_transforms
from recon3d.run.files import atomic_path, explain_write_errors, write_json
from recon3d.run.task import Task

_GLTF_FROM_TARGET = Similarity(1.0, np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]), np.zeros(3))


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What the user wants written, and where."""

    meshes: tuple[Path, ...] = ()
    """.ply, .obj, .glb or .stl; the extension decides."""
    cloud: Path | None = None
    """.ply point cloud."""
    depth_maps: Path | None = None
    """Folder for depth maps: 16-bit PNG, float NPY, and an index that says what they mean."""
    colmap: Path | None = None
    """Folder for a COLMAP model of the undistorted cameras and points, with the pictures."""
    transforms: Path | None = None
    """nerfstudio transforms.json; its pictures are put in a folder beside it."""
    report: Path | None = None
    """report.html; report.json is written beside it."""


def check_outputs(outputs: Outputs) -> None:
    """Fail in the first second, not after an hour: unknown extension, unwritable place.

    Missing folders are made.

    Raises:
        OutputError: a target cannot be written, with what to do.
    """
    for mesh in outputs.meshes:
        check_mesh_suffix(mesh)
    if outputs.cloud:
        check_cloud_suffix(outputs.cloud)
    for target, suffix in ((outputs.transforms, ".json"), (outputs.report, ".html")):
        if target and target.suffix.lower() != suffix:
            raise OutputError(
                f"Cannot write {target}: its name must end in {suffix}.",
                hint=f"For example {target.stem or 'out'}{suffix}.",
            )
    files = [*outputs.meshes, outputs.cloud, outputs.transforms, outputs.report]
    folders = [outputs.depth_maps, outputs.colmap]
    taken: set[Path] = set()
    for target in filter(None, [*files, *folders]):
        if target.resolve() in taken:
            raise OutputError(
                f"Two outputs have the same name, {target}.", hint="Give each its own name."
            )
        taken.add(target.resolve())
    for target in filter(None, files):
        if target.is_dir():
            raise OutputError(
                f"Cannot write {target}: it is a folder.",
                hint=f"Name a file in it, for example {target / 'scene.ply'}.",
            )
        _try_folder(target.parent)
    for target in filter(None, folders):
        _try_folder(target)


def _try_folder(folder: Path) -> None:
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise OutputError(
                f"Cannot write into {folder}: {place} is a file.", hint="Choose another place."
            )
    try:
        with explain_write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
    except OSError as error:
        raise OutputError(
            f"Cannot write into {folder}: {error.strerror}.", hint="Choose another place."
        ) from error


def export(
    posed: PosedPhotos,
    mesh: Mesh,
    cloud: PointCloud,
    depth: Mapping[str, SceneDepth],
    frame: TargetFrame,
    outputs: Outputs,
    task: Task,
) -> tuple[Path, ...]:
    """Write every output, all in one frame (turned y-up for GLB), and return their paths.

    Raises:
        TooLittleDepthError: the mesh is empty.
        OutputError: a place cannot be written.
    """
    if outputs.meshes and len(mesh.faces) == 0:
        raise TooLittleDepthError(
            "No surface is left to write.",
            hint="The report shows how much depth each photo got and what to try.",
        )
    target_from_world = frame.target_from_world
    scene = _moved_scene(posed.scene, frame)
    views = len(scene.views)
    folders = (outputs.depth_maps, outputs.colmap, outputs.transforms)
    singles = len(outputs.meshes) + bool(outputs.cloud)
    steps = _Steps(task, singles + views * sum(map(bool, folders)))
    in_gltf_frame = _GLTF_FROM_TARGET @ target_from_world
    for target in outputs.meshes:
        steps.next(target.name)
        in_gltf = target.suffix.lower() == ".glb"
        write_mesh(target, _moved_mesh(mesh, in_gltf_frame if in_gltf else target_from_world))
    if outputs.cloud:
        steps.next(outputs.cloud.name)
        write_cloud(outputs.cloud, _moved_cloud(cloud, target_from_world))
    if outputs.depth_maps:
        _write_depth_maps(outputs.depth_maps, scene, depth, target_from_world.scale, steps)
    if outputs.colmap:
        with _whole_folder(outputs.colmap) as folder:
            names = _write_pictures(folder / "images", posed, steps)
            write_colmap_model(folder / "sparse" / "0", _renamed_scene(scene, names))
    if outputs.transforms:
        pictures = outputs.transforms.with_name(f"{outputs.transforms.stem}_images")
        with _whole_folder(pictures) as folder:
            names = _write_pictures(folder, posed, steps)
        file_paths = {photo_id: f"{pictures.name}/{name}" for photo_id, name in names.items()}
        write_transforms(outputs.transforms, scene, file_paths)
    steps.finish()
    single = (outputs.cloud, outputs.depth_maps, outputs.colmap, outputs.transforms)
    return (*outputs.meshes, *filter(None, single))


class _Steps:
    def __init__(self, task: Task, total: int) -> None:
        self._task, self._total, self._done = task, total, 0

    def next(self, note: str) -> None:
        self._task.step(self._done, self._total, note)
        self._done += 1

    def finish(self) -> None:
        self._task.step(self._total, self._total)


def _moved_scene(scene: PosedScene, frame: TargetFrame) -> PosedScene:
    moved = frame.target_from_world
    views = tuple(
        replace(view, cam_from_world=moved.move_camera(view.cam_from_world)) for view in scene.views
    )
    points = replace(scene.points, xyz_world=moved @ scene.points.xyz_world)
    return replace(scene, views=views, points=points, unit=frame.unit)


def _moved_mesh(mesh: Mesh, target_from_world: Similarity) -> Mesh:
    normals = None if mesh.normals is None else _turned(mesh.normals, target_from_world)
    return replace(mesh, vertices=_moved(mesh.vertices, target_from_world), normals=normals)


def _moved_cloud(cloud: PointCloud, target_from_world: Similarity) -> PointCloud:
    return replace(
        cloud,
        points=_moved(cloud.points, target_from_world),
        normals=_turned(cloud.normals, target_from_world),
    )


def _moved(
    points: Float32[np.ndarray, "n 3"], target_from_world: Similarity
) -> Float32[np.ndarray, "n 3"]:
    return (target_from_world @ points).astype(np.float32)


def _turned(
    normals: Float32[np.ndarray, "n 3"], target_from_world: Similarity
) -> Float32[np.ndarray, "n 3"]:
    turned: np.ndarray = normals @ target_from_world.rotation.T
    return turned.astype(np.float32)


def _renamed_scene(scene: PosedScene, names: Mapping[str, str]) -> PosedScene:
    views = (replace(view, photo_id=names[view.photo_id]) for view in scene.views)
    return replace(scene, views=tuple(views))


def _write_depth_maps(
    target: Path,
    scene: PosedScene,
    depth: Mapping[str, SceneDepth],
    target_per_world: float,
    steps: _Steps,
) -> None:
    with _whole_folder(target) as folder:
        # One step for all maps, so that they can be compared; metres need no look at them.
        farthest = 0.0
        if scene.unit != "metre":
            farthest = max((float(found.depth_z.max()) for found in depth.values()), default=0.0)
        step = png_step(scene.unit, target_per_world * farthest)
        index = []
        for view in scene.views:
            steps.next(f"depth of {view.photo_id}")
            if (found := depth.get(view.photo_id)) is None:
                continue
            stem = folder / _inside(view.photo_id)
            write_depth_map(stem, np.float32(target_per_world) * found.depth_z, step)
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
            {"unit": scene.unit, "png_step": step, "unknown": 0, "maps": index},
        )


def _write_pictures(folder: Path, posed: PosedPhotos, steps: _Steps) -> dict[str, str]:
    """Copy the undistorted pictures; returns their names in the folder by photo id."""
    from PIL import Image

    names = {}
    for view in posed.scene.views:
        steps.next(f"picture of {view.photo_id}")
        name = _inside(view.photo_id)
        if name.suffix.lower() not in (".jpg", ".jpeg", ".png"):
            name = name.with_name(f"{name.name}.png")
        names[view.photo_id] = name.as_posix()
        with atomic_path(folder / name) as part:
            Image.fromarray(posed.rgb[view.photo_id]).save(part, quality=95, subsampling=0)
    return names


def _inside(photo_id: str) -> PurePosixPath:
    """The id as a path that cannot leave the folder it is put in."""
    parts = [part for part in PurePosixPath(photo_id).parts if part not in ("/", "..")]
    return PurePosixPath(*(part.replace("\\", "_").replace(":", "_") for part in parts))


@contextmanager
def _whole_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder whose files move into target when all are written.

    Whatever else lies in target stays: it may be the user's.
    """
    target = target.resolve()
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with explain_write_errors(target):
            part.mkdir(parents=True)
            yield part
            for file in sorted(path for path in part.rglob("*") if path.is_file()):
                place = target / file.relative_to(part)
                place.parent.mkdir(parents=True, exist_ok=True)
                file.replace(place)
    finally:
        shutil.rmtree(part, ignore_errors=True)
