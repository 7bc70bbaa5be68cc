"""Meshes of other programs, read for looking at: every format that trimesh knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from recon3d.core.errors import InputError, is_lack_of_memory, not_enough_memory

SUFFIXES = (".ply", ".obj", ".glb", ".gltf", ".stl", ".off", ".3mf")


@dataclass(frozen=True, eq=False)
class ForeignMesh:
    """All triangles of a file as one mesh; nothing about them can be relied on."""

    vertices: Float[np.ndarray, "v 3"]
    """May hold values that are not finite."""
    faces: Int[np.ndarray, "f 3"]
    uv: Float[np.ndarray, "v 2"]
    """NaN for vertices without a place in a picture."""
    page_of_face: Int[np.ndarray, "f"]
    """-1 for faces without a picture."""
    page_sizes_px: Sequence[tuple[int, int]]


def read_foreign_mesh(path: Path) -> ForeignMesh:
    """Read every triangle of a file, in the file's own axes and unit.

    Raises:
        InputError: unknown format, unreadable, damaged, without triangles, or too large for the
            memory.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f'{path}: "{path.suffix}" is not a mesh format known here.',
            hint=f"Known are {', '.join(SUFFIXES)}.",
        )
    if not path.is_file():
        raise InputError(f"{path} is not there, or is not a file.")
    parts = _load(path)
    if not parts:
        raise InputError(
            f"{path} holds no triangles.", hint="Point clouds and drawings are no meshes."
        )
    return _joined(path, parts)


def _load(path: Path) -> list[Any]:
    import trimesh

    try:
        # process=False: nothing may be mended before it is looked at.
        scene = trimesh.load_scene(path, process=False, maintain_order=True)
        parts = scene.dump() if scene.geometry else []
    except ModuleNotFoundError as error:
        raise InputError(
            f"{path} needs the Python package {error.name} to be read.",
            hint=f"Install it: pip install {error.name}",
        ) from error
    except Exception as error:  # a damaged file can end in any error of any library
        if is_lack_of_memory(error):
            raise not_enough_memory(f"read {path.name}") from error
        raise InputError(
            f"{path} cannot be read as {path.suffix}: {error or type(error).__name__}.",
            hint="It is damaged, cut short, or of another format than its name says.",
        ) from error
    return [part for part in parts if isinstance(part, trimesh.Trimesh) and len(part.faces)]


def _joined(path: Path, parts: list[Any]) -> ForeignMesh:
    vertices, faces, uvs, pages, sizes = [], [], [], [], list[tuple[int, int]]()
    first = 0
    for part in parts:
        corners = np.asarray(part.faces, np.int64)
        count = len(part.vertices)
        if corners.min() < 0 or corners.max() >= count:
            raise InputError(f"{path} is damaged: a face names a vertex that is not there.")
        texture = _texture(part)
        pages.append(np.full(len(corners), len(sizes) if texture else -1))
        uvs.append(texture[0] if texture else np.full((count, 2), np.nan))
        if texture:
            sizes.append(texture[1])
        vertices.append(np.asarray(part.vertices, np.float64))
        faces.append(corners + first)
        first += count
    return ForeignMesh(
        np.concatenate(vertices),
        np.concatenate(faces),
        np.concatenate(uvs).astype(np.float64),
        np.concatenate(pages),
        sizes,
    )


def _texture(part: Any) -> tuple[np.ndarray, tuple[int, int]] | None:
    """Where the vertices lie in their picture, and the picture's size."""
    uv = getattr(part.visual, "uv", None)
    material = getattr(part.visual, "material", None)
    picture = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    if uv is None or picture is None or len(uv) != len(part.vertices):
        return None
    return np.asarray(uv, np.float64), picture.size
