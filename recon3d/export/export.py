"""Results leave the workspace: upright, in the target's axes, whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from recon3d.core.depth import SceneDepth
from recon3d.core.errors import OutputError, TooLittleDepthError
from recon3d.core.scene import PosedPhotos
from recon3d.core.surface import Mesh, PointCloud, TexturedMesh
from recon3d.core.target_frame import TargetFrame
from recon3d.export.folders import write_blender, write_colmap, write_depth_maps, write_nerfstudio
from recon3d.export.meshes import (
    LAS_SUFFIXES,
    PRINT_SUFFIXES,
    TEXTURE_SUFFIXES,
    WIDE_SUFFIXES,
    check_cloud_suffix,
    check_mesh_suffix,
    write_cloud,
    write_mesh,
)
from recon3d.export.share import write_page
from recon3d.export.textures import ExportConfig
from recon3d.export.transformed import (
    file_from_world,
    moved_cloud,
    moved_model,
    moved_scene,
    near_origin,
)
from recon3d.georef.georeference import NOWHERE, in_crs
from recon3d.run.files import explain_write_errors
from recon3d.run.task import Task
from recon3d.surface.topology import edge_uses

QUALITY_SUFFIXES = frozenset({".ply", ".glb"})
"""Of the formats that say how exact a mesh is: the first in itself, the second beside it."""
_FILES = ("cloud", "transforms", "page", "report")
_FOLDERS = ("depth_maps", "colmap", "blender")


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What the user wants written, and where."""

    meshes: tuple[Path, ...] = ()
    """.ply, .obj, .glb, .stl, .3mf or .usdz; the extension decides."""
    cloud: Path | None = None
    """.ply, .las or .laz point cloud; the last two in the coordinates of the earth, where known."""
    depth_maps: Path | None = None
    """Folder for depth maps: 16-bit PNG, float NPY, and an index that says what they mean."""
    colmap: Path | None = None
    """Folder for a COLMAP model of the undistorted cameras and points, with the pictures."""
    transforms: Path | None = None
    """nerfstudio transforms.json; its pictures are put in a folder beside it."""
    blender: Path | None = None
    """Folder for model, cameras, pictures, points and a script that opens them in Blender."""
    page: Path | None = None
    """.html that shows model, cameras and photos in any browser, offline."""
    report: Path | None = None
    """report.html; report.json is written beside it."""

    @property
    def hold_texture(self) -> bool:
        """Whether a texture is worth making: some of these would have it."""
        suffixes = {mesh.suffix.lower() for mesh in self.meshes}
        others = (self.blender, self.page)
        return any(others) or not suffixes.isdisjoint(TEXTURE_SUFFIXES)

    def numbered(self, number: int) -> Outputs:
        """The same for another scene of the photos: scene.glb becomes scene_2.glb beside it."""

        def renamed(path: Path | None, *, is_file: bool) -> Path | None:
            name = path and (path.stem if is_file else path.name)
            return path and path.with_name(f"{name}_{number}{path.suffix if is_file else ''}")

        files = {name: renamed(getattr(self, name), is_file=True) for name in _FILES}
        folders = {name: renamed(getattr(self, name), is_file=False) for name in _FOLDERS}
        meshes = tuple(mesh.with_stem(f"{mesh.stem}_{number}") for mesh in self.meshes)
        return replace(self, meshes=meshes, **files, **folders)


@dataclass(frozen=True, eq=False)
class Exportable:
    """What a run has made, in the world's frame."""

    posed: PosedPhotos
    mesh: Mesh
    """Without faces where the run has not come to a surface."""
    cloud: PointCloud
    depth: Mapping[str, SceneDepth]
    frame: TargetFrame
    textured: TexturedMesh | None = None
    levels: Sequence[Mesh] = ()
    """Coarser versions of the mesh, written beside it."""
    textured_levels: Sequence[TexturedMesh] = ()
    """The same with textures, where the mesh has one."""
    exact: Mesh | None = None
    """The mesh in the colours of its exactness, written beside each .glb."""


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
    for target, suffix in (
        (outputs.transforms, ".json"),
        (outputs.page, ".html"),
        (outputs.report, ".html"),
    ):
        if target and target.suffix.lower() != suffix:
            raise OutputError(
                f"Cannot write {target}: its name must end in {suffix}.",
                hint=f"For example {target.stem or 'out'}{suffix}.",
            )
    files = [*outputs.meshes, outputs.cloud, outputs.transforms, outputs.page, outputs.report]
    folders = [outputs.depth_maps, outputs.colmap, outputs.blender]
    taken: set[Path] = set()
    for target in filter(None, [*files, *folders]):
        with explain_write_errors(target):
            target.exists()  # raises for a name that no disk takes
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
    made: Exportable, outputs: Outputs, config: ExportConfig, task: Task
) -> tuple[Path, ...]:
    """Write every output, all in one frame (turned y-up for some), and return their paths.

    Raises:
        TooLittleDepthError: the mesh is empty.
        OutputError: a place cannot be written.
    """
    if (outputs.meshes or outputs.page) and len(made.mesh.faces) == 0:
        raise TooLittleDepthError(
            "No surface is left to write.",
            hint="The report shows how much depth each photo got and what to try.",
        )
    scene, moved = moved_scene(made.posed.scene, made.frame), made.frame.target_from_world
    near, origin = near_origin(moved, made.cloud.points)
    narrow = [path for path in outputs.meshes if path.suffix.lower() not in WIDE_SUFFIXES]
    narrow += filter(None, [outputs.blender, outputs.page])
    if origin.any() and narrow:
        names = ", ".join(path.name for path in narrow)
        place = ", ".join(f"{value:.0f}" for value in origin)
        task.warn(
            f"{names} cannot hold coordinates so large: 0,0,0 in there is at {place} of the other "
            f"files. {' and '.join(sorted(WIDE_SUFFIXES))} hold them."
        )

    for path in outputs.meshes:
        if path.suffix.lower() in PRINT_SUFFIXES:
            _warn_of_prints(path.name, made, task)

    def write_model(target: Path, level: int = 0) -> None:
        suffix = target.suffix.lower()
        model: Mesh | TexturedMesh = made.levels[level - 1] if level else made.mesh
        if suffix in TEXTURE_SUFFIXES and made.textured:
            model = made.textured_levels[level - 1] if level else made.textured
        there = file_from_world(suffix, made.frame, near)
        write_mesh(target, moved_model(model, there), config)

    folders = (outputs.depth_maps, outputs.colmap, outputs.transforms, outputs.blender)
    coarser = [
        (target.with_stem(f"{target.stem}_lod{number}"), number)
        for target in outputs.meshes
        for number in range(1, len(made.levels) + 1)
    ]
    coloured = [
        target.with_stem(f"{target.stem}_quality")
        for target in outputs.meshes
        if made.exact and target.suffix.lower() == ".glb"
    ]
    singles = len(outputs.meshes) + len(coarser) + len(coloured) + bool(outputs.cloud)
    with_pictures = sum(map(bool, (*folders, outputs.page)))
    steps = _Steps(task, singles + len(scene.views) * with_pictures)
    for target in outputs.meshes:
        steps.next(target.name)
        write_model(target)
    for target, number in coarser:
        steps.next(target.name)
        write_model(target, number)
    for target in coloured:
        assert made.exact
        steps.next(target.name)
        as_file = file_from_world(target.suffix.lower(), made.frame, near)
        write_mesh(target, moved_model(made.exact, as_file), config)
    if outputs.cloud:
        steps.next(outputs.cloud.name)
        _write_cloud(outputs.cloud, made, config.crs, task)
    if outputs.depth_maps:
        write_depth_maps(outputs.depth_maps, scene, made.depth, moved.scale, steps.next)
    if outputs.colmap:
        write_colmap(outputs.colmap, scene, made.posed, steps.next)
    if outputs.transforms:
        write_nerfstudio(outputs.transforms, scene, made.posed, steps.next)
    near_frame = replace(made.frame, target_from_world=near)
    if outputs.blender:
        writer = write_model if len(made.mesh.faces) else None
        there = moved_scene(made.posed.scene, near_frame)
        write_blender(outputs.blender, there, made.posed, writer, steps.next)
    if outputs.page:
        there = moved_scene(made.posed.scene, near_frame, y_up=True)
        pictures = made.posed.rgb if config.page_photos else {}
        write_page(outputs.page, there, pictures, write_model, steps.next, task.check)
    steps.finish()
    written = (*outputs.meshes, *(target for target, _ in coarser), *coloured)
    return (*written, *filter(None, (outputs.cloud, *folders, outputs.page)))


def _write_cloud(target: Path, made: Exportable, crs: str, task: Task) -> None:
    """In the model's frame; LAS and LAZ in the coordinates of the earth, where they are known."""
    moved, is_metric = made.frame.target_from_world, made.frame.unit == "metre"
    known = made.frame.georeference
    if target.suffix.lower() not in LAS_SUFFIXES or not known:
        if target.suffix.lower() in LAS_SUFFIXES:
            task.warn(f"{target.name} has the model's own coordinates: {NOWHERE}")
        write_cloud(target, moved_cloud(made.cloud, moved), is_metric=is_metric)
        return
    known = in_crs(known, crs, moved @ made.cloud.points)
    if not known.crs:
        task.warn(f"{target.name} does not say what its coordinates are of: --crs names it.")
    write_cloud(target, moved_cloud(made.cloud, known.crs_from_target @ moved), known.crs)


def _warn_of_prints(name: str, made: Exportable, task: Task) -> None:
    """Say what keeps a file for printing programs from being printed as it is."""
    if not (edge_uses(made.mesh.faces).counts == 2).all():
        task.warn(f"{name} is not closed, which printing needs; --watertight closes it.")
    if made.frame.unit != "metre":
        task.warn(
            f"Nobody knows how large the model is: printing programs will take a unit of {name} "
            "for a millimetre. --scale gives it its size."
        )


class _Steps:
    def __init__(self, task: Task, total: int) -> None:
        self._task, self._total, self._done = task, total, 0

    def next(self, note: str) -> None:
        self._task.step(self._done, self._total, note)
        self._done += 1

    def finish(self) -> None:
        self._task.step(self._total, self._total)
