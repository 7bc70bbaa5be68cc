"""Meshes of other programs, read for looking at: every format that trimesh knows."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Bool, Float, Float32, Int, Int32
from PIL import Image
from trimesh.resolvers import FilePathResolver
from typing_extensions import override

from recon3d.core.errors import InputError, is_lack_of_memory, not_enough_memory
from recon3d.photos.decoding import readable_formats
from recon3d.run.device import Runtime, limited_address_space
from recon3d.surface.mesh_file_sizes import check_fits
from recon3d.surface.obj_polygons import with_triangles

_TEXTURE_FORMATS = ("TGA", "DDS")
"""Beside those of photos."""
_SIZE = "size of the file's picture"
SUFFIXES = (".ply", ".obj", ".glb", ".gltf", ".stl", ".off", ".3mf")


@dataclass(frozen=True, eq=False)
class ForeignMesh:
    """All triangles of a file as one mesh; nothing about them can be relied on."""

    vertices: Float[np.ndarray, "v 3"]
    """May hold values that are not finite."""
    faces: Int[np.ndarray, "f 3"]
    normals: Float[np.ndarray, "v 3"]
    """NaN where the file has none."""
    uv: Float[np.ndarray, "v 2"]
    """NaN for vertices without a place in a picture; the origin is at the lower left."""
    page_of_face: Int[np.ndarray, "f"]
    """-1 for faces without a picture."""
    material_of_face: Int[np.ndarray, "f"]
    """Faces of materials with one name have one number; 0 where the file names none."""
    page_sizes_px: Sequence[tuple[int, int]]
    inferred: Bool[np.ndarray, "f"] | None
    """Which faces were guessed; None where the file does not say."""


def read_foreign_mesh(path: Path, runtime: Runtime = Runtime()) -> ForeignMesh:  # noqa: B008
    """Read every triangle of a file, in the file's own axes and unit.

    runtime: Whose memory may be taken.

    Raises:
        InputError: unknown format, unreadable, damaged, or without triangles.
        NotEnoughMemoryError: it is too large.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f'{path}: "{path.suffix}" is not a mesh format known here.',
            hint=f"Known are {', '.join(SUFFIXES)}.",
        )
    if not path.is_file():
        raise InputError(f"{path} is not there, or is not a file.")
    check_fits(path, runtime.room_bytes)
    parts = _load(path, runtime.room_bytes)
    if not parts:
        raise InputError(
            f"{path} holds no triangles.", hint="Point clouds and drawings are no meshes."
        )
    return _joined(path, parts)


def read_usable_mesh(path: Path, runtime: Runtime = Runtime()) -> ForeignMesh:  # noqa: B008
    """Read a mesh to work on it: `read_foreign_mesh`, and what it lacks is refused.

    Raises:
        InputError: also where a vertex is not finite, or no face has an area.
        NotEnoughMemoryError: it is too large.
    """
    found = read_foreign_mesh(path, runtime)
    corners = found.vertices[found.faces]
    if not np.isfinite(corners).all():
        raise InputError(
            f"{path} is damaged: some of its vertices are not at any place.",
            hint="`recon3d mesh-info` says how many faces that concerns.",
        )
    if not np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).any():
        raise InputError(f"{path} holds no triangle that has an area.")
    return found


def _load(path: Path, room_bytes: int) -> list[Any]:
    try:
        with limited_address_space(room_bytes), _pictures_unread():
            # process=False: nothing may be mended before it is looked at. Keeping the order of an
            # OBJ's vertices would cost its layout where some of them have no face.
            scene = trimesh.load_scene(
                _content(path),
                file_type=path.suffix[1:].lower(),
                process=False,
                maintain_order=path.suffix.lower() != ".obj",
                resolver=_FilesBeside(str(path)),
            )
            parts = scene.dump() if scene.geometry else []
    except ModuleNotFoundError as error:
        package = error.name or str(error).rpartition(" ")[2].strip("'")
        raise InputError(
            f"{path} needs the Python package {package} to be read.",
            hint=f"Install it: pip install {package}",
        ) from error
    except Exception as error:  # a damaged file can end in any error of any library
        if is_lack_of_memory(error):
            raise not_enough_memory(f"read {path.name}") from error
        raise InputError(
            f"{path} cannot be read as {path.suffix}: {error or type(error).__name__}.",
            hint="It is damaged, cut short, or of another format than its name says.",
        ) from error
    return [part for part in parts if isinstance(part, trimesh.Trimesh) and len(part.faces)]


def _content(path: Path) -> Any:
    if path.suffix.lower() != ".obj":
        return path
    # trimesh cuts all polygons as if they had no notches.
    return io.BytesIO(with_triangles(path.read_text("utf-8", "replace")).encode())


class _FilesBeside(FilePathResolver):
    """What a mesh names: files in its folder or below, no pipes or devices that never end."""

    @override
    def get(self, name: str) -> bytes:
        for wanted in (name.strip(), Path(name).name):
            with suppress(ValueError):  # elsewhere
                path = Path(self.absolute(wanted))
                if path.is_file():
                    return path.read_bytes()
        raise ValueError(f"it names {name}, which is no file beside it")


@contextmanager
def _pictures_unread() -> Iterator[None]:
    """Let trimesh open textures for their size alone, in formats whose decoders run no programs.

    Only the size is asked for, and a file of a kilobyte may hold a picture of gigabytes.
    """
    opened, reader = Image.open, threading.get_ident()

    def open_for_size(source: Any, mode: Any = "r", formats: Any = None) -> Image.Image:
        if threading.get_ident() != reader:
            return opened(source, mode, formats)
        with opened(source, mode, [*readable_formats(), *_TEXTURE_FORMATS]) as picture:
            stand_in = Image.new("RGB", (1, 1))
            stand_in.info[_SIZE] = picture.size
        return stand_in

    Image.open = open_for_size  # type: ignore[assignment]
    try:
        yield
    finally:
        Image.open = opened


def _joined(path: Path, parts: list[Any]) -> ForeignMesh:
    vertices, faces, normals, uvs, pages = [], [], [], [], []
    sizes = list[tuple[int, int]]()
    material_names = dict[str, int]()
    materials = []
    inferred = [_inferred(part) for part in parts]
    first = 0
    for part in parts:
        corners = np.asarray(part.faces, np.int64)
        count = len(part.vertices)
        if np.shape(part.vertices) != (count, 3):
            raise InputError(f"{path} is damaged: its points do not have three coordinates.")
        if corners.min() < 0 or corners.max() >= count:
            raise InputError(f"{path} is damaged: a face names a vertex that is not there.")
        uv, size_px = _texture(part)
        pages.append(np.full(len(corners), len(sizes) if size_px else -1))
        sizes += [size_px] if size_px else []
        name = getattr(getattr(part.visual, "material", None), "name", None) or ""
        number = material_names.setdefault(str(name), len(material_names))
        materials.append(np.full(len(corners), number))
        normals.append(_normals(part))
        uvs.append(np.full((count, 2), np.nan) if uv is None else uv)
        vertices.append(np.asarray(part.vertices, np.float64))
        faces.append(corners + first)
        first += count
    return ForeignMesh(
        np.concatenate(vertices),
        np.concatenate(faces),
        np.concatenate(normals),
        np.concatenate(uvs).astype(np.float64),
        np.concatenate(pages),
        np.concatenate(materials),
        sizes,
        np.concatenate([marks for marks in inferred if marks is not None])
        if all(marks is not None for marks in inferred)
        else None,
    )


def _inferred(part: Any) -> np.ndarray | None:
    """The property of a PLY's faces that our own files have."""
    try:
        # An array with names, or a dict of arrays.
        marks = np.asarray(part.metadata["_ply_raw"]["face"]["data"]["inferred"]).ravel()
    except (KeyError, ValueError, IndexError, TypeError):
        return None
    # Quads were cut in two.
    return marks != 0 if len(marks) == len(part.faces) else None


def _normals(part: Any) -> np.ndarray:
    # trimesh computes what it is asked for and does not have.
    if "vertex_normals" not in part._cache:
        return np.full((len(part.vertices), 3), np.nan)
    return np.asarray(part.vertex_normals, np.float64)


def _texture(part: Any) -> tuple[np.ndarray | None, tuple[int, int] | None]:
    """Where the vertices lie in a picture, and the picture's size; None for what the file lacks."""
    uv = getattr(part.visual, "uv", None)
    material = getattr(part.visual, "material", None)
    picture = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    if uv is None or np.shape(uv) != (len(part.vertices), 2):
        return None, None
    size_px = None if picture is None else picture.info.get(_SIZE, picture.size)
    return np.asarray(uv, np.float64), size_px


def same_places(
    points: Float32[np.ndarray, "n 3"],
) -> tuple[Int[np.ndarray, "p"], Int32[np.ndarray, "n"]]:
    """Points at one place are one: (which point stands for each place, the place of each point)."""
    # + 0: minus zero is the same place.
    rows = np.ascontiguousarray(points + np.float32(0)).view(np.uint32).astype(np.uint64)
    order = np.lexsort(rows.T)
    first = np.r_[True, (np.diff(points[order], axis=0) != 0).any(1)]
    index = np.empty(len(order), np.int32)
    index[order] = np.cumsum(first) - 1
    return order[first], index
