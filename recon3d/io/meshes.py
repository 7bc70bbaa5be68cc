"""Mesh and point cloud files; the extension decides the format, every write is whole or absent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from recon3d.core.errors import InputError, OutputError
from recon3d.core.surface import Mesh, PointCloud, vertex_normals
from recon3d.io.gltf import write_glb
from recon3d.run.files import atomic_path

# Records at a time: a mesh of millions of faces is never copied whole.
_CHUNK = 1 << 16
_Column = NDArray[np.generic]
_Layout = list[tuple[str, str, tuple[int, ...]]]
_READABLE = (".ply", ".obj", ".stl", ".off")


def write_mesh(target: Path, mesh: Mesh) -> None:
    """Write .ply, .obj, .glb or .stl; missing normals are computed, colours kept where they fit.

    The vertices go out as they are; turning them to the format's up axis is the caller's. STL
    holds neither colours nor shared vertices.

    Raises:
        OutputError: unknown extension, or the place cannot be written.
    """
    check_mesh_suffix(target)
    with atomic_path(target) as part, part.open("wb") as stream:
        MESH_WRITERS[target.suffix.lower()](stream, mesh)


def check_mesh_suffix(target: Path) -> None:
    """Refuse a mesh format that nobody here writes.

    Raises:
        OutputError: names the formats that are known.
    """
    if target.suffix.lower() not in MESH_WRITERS:
        raise OutputError(
            f'Cannot write {target}: "{target.suffix}" is not a mesh format known here.',
            hint=f"Let the name end in {', '.join(MESH_WRITERS)}, for example scene.ply.",
        )


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


def write_cloud(target: Path, cloud: PointCloud) -> None:
    """Write a binary .ply of points, normals and colours.

    Raises:
        OutputError: another extension, or the place cannot be written.
    """
    check_cloud_suffix(target)
    with atomic_path(target) as part, part.open("wb") as stream:
        _write_ply(stream, cloud.points, cloud.normals, cloud.rgb, None)


def check_cloud_suffix(target: Path) -> None:
    """Refuse a point cloud format that nobody here writes.

    Raises:
        OutputError: the extension is not .ply.
    """
    if target.suffix.lower() != ".ply":
        raise OutputError(
            f'Cannot write {target}: point clouds are written as .ply, not "{target.suffix}".',
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


def _normals(mesh: Mesh) -> NDArray[np.float32]:
    return vertex_normals(mesh) if mesh.normals is None else mesh.normals


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, start + _CHUNK) for start in range(0, count, _CHUNK))


def _write_ply_mesh(stream: BinaryIO, mesh: Mesh) -> None:
    _write_ply(stream, mesh.vertices, _normals(mesh), mesh.rgb, mesh.faces)


def _write_ply(
    stream: BinaryIO,
    positions: NDArray[np.float32],
    normals: NDArray[np.float32],
    rgb: NDArray[np.uint8] | None,
    faces: NDArray[np.int32] | None,
) -> None:
    columns: dict[str, _Column] = {"position": positions, "normal": normals}
    layout: _Layout = [("position", "<f4", (3,)), ("normal", "<f4", (3,))]
    header = ["ply", "format binary_little_endian 1.0", "comment recon3d"]
    header += [f"element vertex {len(positions)}"]
    header += [f"property float {name}" for name in ("x", "y", "z", "nx", "ny", "nz")]
    if rgb is not None:
        columns["rgb"] = rgb
        layout += [("rgb", "u1", (3,))]
        header += [f"property uchar {name}" for name in ("red", "green", "blue")]
    if faces is not None:
        header += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
    stream.write("\n".join([*header, "end_header", ""]).encode())
    for rows in _chunks(len(positions)):
        stream.write(_records(layout, {name: array[rows] for name, array in columns.items()}))
    if faces is None:
        return
    triangle: _Layout = [("corners", "u1", ()), ("vertex", "<i4", (3,))]
    for rows in _chunks(len(faces)):
        stream.write(_records(triangle, {"vertex": faces[rows]}, fill=3))


def _write_stl(stream: BinaryIO, mesh: Mesh) -> None:
    stream.write(b"recon3d".ljust(80) + np.uint32(len(mesh.faces)).tobytes())
    facet: _Layout = [("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("unused", "<u2", ())]
    for rows in _chunks(len(mesh.faces)):
        corners = mesh.vertices[mesh.faces[rows]]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        length = np.linalg.norm(normal, axis=1, keepdims=True)
        normal /= np.where(length > 0, length, 1)
        stream.write(_records(facet, {"corners": corners, "normal": normal}))


def _write_obj(stream: BinaryIO, mesh: Mesh) -> None:
    """Colours follow the position, "v x y z r g b", as Blender and MeshLab read them."""
    stream.write(b"# recon3d\n")
    # 9 digits bring every float32 back exactly.
    if mesh.rgb is None:
        _write_lines(stream, "v %.9g %.9g %.9g\n", mesh.vertices)
    else:
        _write_lines(stream, "v %.9g %.9g %.9g %.4f %.4f %.4f\n", mesh.vertices, mesh.rgb / 255)
    _write_lines(stream, "vn %.4f %.4f %.4f\n", _normals(mesh))
    corners = np.repeat(mesh.faces + 1, 2, axis=1)
    _write_lines(stream, "f %d//%d %d//%d %d//%d\n", corners)


def _write_lines(stream: BinaryIO, line: str, *columns: NDArray[np.generic]) -> None:
    # One %-format over a whole chunk runs in C, ten times faster than numpy.savetxt.
    for rows in _chunks(len(columns[0])):
        values = np.hstack([array[rows] for array in columns])
        stream.write((line * len(values) % tuple(values.ravel().tolist())).encode())


def _records(layout: _Layout, columns: Mapping[str, _Column], *, fill: int = 0) -> bytes:
    records = np.full(max(map(len, columns.values())), fill, np.dtype(layout))
    for name, array in columns.items():
        records[name] = array
    return records.tobytes()


MESH_WRITERS: Mapping[str, Callable[[BinaryIO, Mesh], None]] = {
    ".ply": _write_ply_mesh,
    ".obj": _write_obj,
    ".glb": lambda stream, mesh: write_glb(stream, mesh, _normals(mesh)),
    ".stl": _write_stl,
}
"""By extension; also the list of formats for help texts and error messages."""
