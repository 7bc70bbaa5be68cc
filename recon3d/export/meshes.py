"""Mesh and point cloud files; the extension decides the format, every write is whole or absent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recon3d.core.errors import InputError, OutputError
from recon3d.core.surface import Mesh, PointCloud, TexturedMesh, normals_of
from recon3d.export.gltf import write_glb
from recon3d.export.las import check_las, write_las
from recon3d.export.obj import write_obj
from recon3d.export.ply import write_ply
from recon3d.export.stl import write_stl
from recon3d.export.textures import ExportConfig
from recon3d.export.three_mf import write_3mf
from recon3d.export.usdz import check_usd, write_usdz
from recon3d.run.files import atomic_files, atomic_path

_READABLE = (".ply", ".obj", ".stl", ".off")


def write_mesh(
    target: Path,
    model: Mesh | TexturedMesh,
    config: ExportConfig = ExportConfig(),  # noqa: B008 - frozen
) -> None:
    """Write .ply, .obj, .glb, .stl, .3mf or .usdz, and what belongs beside it, or nothing at all.

    The vertices go out as they are; turning them to the format's up axis is the caller's. Missing
    normals are computed. PLY keeps the vertices' colours, which faces were inferred, and as
    `quality` how exact the vertices are, where that is known;
    3MF the colours and STL neither, even of a textured mesh.

    Raises:
        OutputError: unknown extension, the place cannot be written, or the format cannot hold
            something so large.
        ValueError: no faces, a face without its vertex, or a vertex or uv that is not finite.
    """
    check_mesh_suffix(target)
    _check_model(model)
    with atomic_files(target.parent) as folder:
        MESH_WRITERS[target.suffix.lower()](folder / target.name, model, config)


def check_mesh_suffix(target: Path) -> None:
    """Refuse a mesh format that nobody here writes.

    Raises:
        OutputError: names the formats that are known, or what to install.
    """
    if target.suffix.lower() not in MESH_WRITERS:
        raise OutputError(
            f'Cannot write {target}: "{target.suffix}" is not a mesh format known here.',
            hint=f"Let the name end in {', '.join(MESH_WRITERS)}, for example scene.ply.",
        )
    if target.suffix.lower() == ".usdz":
        check_usd()


def read_mesh(path: Path) -> Mesh:
    """Read a mesh of any program: PLY, OBJ, STL or OFF; polygons become triangles.

    Raises:
        InputError: unknown format, unreadable, damaged, or without faces.
    """
    import open3d as o3d

    if path.suffix.lower() not in _READABLE:
        raise InputError(
            f'{path}: "{path.suffix}" is not a mesh format known here.',
            hint=f"Known are {', '.join(_READABLE)}.",
        )
    _check_exists(path)
    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        loaded = o3d.io.read_triangle_mesh(path)
    faces = np.asarray(loaded.triangles, np.int32)
    if len(faces) == 0:
        raise InputError(f"{path} holds no faces, or is damaged.")
    vertices = np.asarray(loaded.vertices, np.float32)
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise InputError(f"{path} is damaged: a face names a vertex that is not there.")
    normals = np.asarray(loaded.vertex_normals, np.float32)
    rgb = _bytes_of(loaded.vertex_colors)
    return Mesh(vertices, faces, normals if len(normals) else None, rgb if len(rgb) else None)


def write_cloud(target: Path, cloud: PointCloud, crs: str = "", *, is_metric: bool = True) -> None:
    """Write .ply with points, normals and colours, or .las or .laz with points and colours.

    crs: of the coordinates, for .las and .laz; empty for local ones.

    Raises:
        OutputError: another extension, or the place cannot be written.
    """
    check_cloud_suffix(target)
    with atomic_path(target) as part:
        if target.suffix.lower() in LAS_SUFFIXES:
            write_las(part, cloud.points.astype(np.float64), cloud.rgb, crs, is_metric=is_metric)
        else:
            write_ply(part, cloud.points, cloud.normals, cloud.rgb, None)


def check_cloud_suffix(target: Path) -> None:
    """Refuse a point cloud format that nobody here writes.

    Raises:
        OutputError: the extension is not .ply, .las or .laz, or what to install.
    """
    if target.suffix.lower() in LAS_SUFFIXES:
        check_las()
    elif target.suffix.lower() != ".ply":
        raise OutputError(
            f"Cannot write {target}: point clouds are written as .ply, .las or .laz, not "
            f'"{target.suffix}".',
            hint="Let the name end in .ply, for example cloud.ply.",
        )


def read_cloud(path: Path) -> PointCloud:
    """Read the points of a PLY; absent colours and normals become zeros.

    Raises:
        InputError: unreadable, damaged, or without points.
    """
    import open3d as o3d

    _check_exists(path)
    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        loaded = o3d.io.read_point_cloud(path, format="ply")
    points = np.asarray(loaded.points, np.float32)
    if len(points) == 0:
        raise InputError(f"{path} holds no points, or is damaged.")
    normals, rgb = np.asarray(loaded.normals, np.float32), _bytes_of(loaded.colors)
    return PointCloud(
        points,
        rgb if len(rgb) else np.zeros(points.shape, np.uint8),
        normals if len(normals) else np.zeros_like(points),
    )


def _check_exists(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path} is not there, or is not a file.")


def _bytes_of(colours: object) -> NDArray[np.uint8]:
    values: NDArray[np.float64] = np.asarray(colours)
    return np.rint(values * 255).astype(np.uint8, copy=False)


def _check_model(model: Mesh | TexturedMesh) -> None:
    mesh = _bare(model)
    if len(mesh.faces) == 0:
        raise ValueError("mesh: got no faces, expected 1 or more")
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise ValueError(f"faces: got one beyond the {len(mesh.vertices)} vertices")
    uv = model.uv if isinstance(model, TexturedMesh) else np.zeros(0)
    if not (np.isfinite(mesh.vertices).all() and np.isfinite(uv).all()):
        raise ValueError("mesh: got a vertex or uv that is not finite")


def _write_ply_mesh(target: Path, model: Mesh | TexturedMesh, _: ExportConfig) -> None:
    mesh = _bare(model)
    write_ply(
        target, mesh.vertices, normals_of(mesh), mesh.rgb, mesh.faces, mesh.inferred, mesh.sigma
    )


def _bare(model: Mesh | TexturedMesh) -> Mesh:
    return model.mesh if isinstance(model, TexturedMesh) else model


MESH_WRITERS: Mapping[str, Callable[[Path, Mesh | TexturedMesh, ExportConfig], None]] = {
    ".ply": _write_ply_mesh,
    ".obj": write_obj,
    ".glb": write_glb,
    ".stl": lambda target, model, _: write_stl(target, _bare(model)),
    ".3mf": lambda target, model, _: write_3mf(target, _bare(model)),
    ".usdz": write_usdz,
}
"""By extension; also the list of formats for help texts and error messages."""

TEXTURE_SUFFIXES = frozenset({".obj", ".glb", ".usdz"})
"""Of the formats that hold a texture; the others get the colours of the vertices."""

Y_UP_SUFFIXES = frozenset({".glb", ".obj", ".usdz"})
"""Of the formats whose up axis is y, or whose readers (Blender among them) take it for that."""

LAS_SUFFIXES = frozenset({".las", ".laz"})
"""Of the formats of surveyors' point clouds."""

PRINT_SUFFIXES = frozenset({".stl", ".3mf"})
"""Of the formats for printing programs, whose lengths are millimetres."""

WIDE_SUFFIXES = frozenset({".ply", ".obj"})
"""Of the formats that hold more than seven digits of a coordinate."""
