"""How large saved files will be, told before they are saved.

The numbers are measured on two models of 300,000 triangles, of ruins and of a fountain; what is
written lies within a tenth of what is foretold there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from recon3d.export.textures import ExportConfig
from recon3d.run.files import FileMapping, FileSequence
from recon3d_gui.job.formats import Format

T = TypeVar("T")

_SPLIT = 1.26
"""Vertices of a textured model, which are split at seams, for each one before."""
_PAGE_SHARE = {"jpeg": 0.19, "webp": 0.115, "png": 0.8}
"""Bytes at quality 92, for each of a texture's page in the workspace."""
_QUALITIES = (1, 50, 75, 85, 92, 97, 100)
_QUALITY_SHARES = {
    "jpeg": (0.12, 0.37, 0.53, 0.72, 1.0, 1.7, 3.3),
    "webp": (0.1, 0.34, 0.45, 0.67, 1.0, 1.5, 1.7),
    "png": (1.0,) * 7,
}
_PICTURE_SHARE = 1.5
"""Bytes of an undistorted picture that goes out, for each in the workspace."""
_CLOUD_POINT, _COLMAP_POINT = 27, 200
_PAGE_PACKED, _LETTERS = 0.8, 4 / 3
"""Letters in a web page for each byte of a GLB's surface, which packs well, and of its pictures,
which do not."""
_PAGE_BYTES, _PAGE_PHOTOS, _PAGE_PHOTO = 280_000, 450_000, 60_000
"""Of a web page besides: its scripts, all photos at most, and one of a few."""


@dataclass(frozen=True)
class Content:
    """What a run has to be saved."""

    vertices: int = 0
    faces: int = 0
    page_bytes: int = 0
    """Of the texture as the workspace keeps it; 0 without one."""
    level_faces: tuple[int, ...] = ()
    """Of the coarser versions."""
    photos: int = 0
    photo_bytes: int = 0
    """Of the undistorted pictures as the workspace keeps them."""
    points: int = 0

    @property
    def has_texture(self) -> bool:
        """Whether there is one."""
        return self.page_bytes > 0


def content_of(workspace: Path, reached: Mapping[str, Path]) -> Content:
    """Look at the results of a run; takes a part of a second for a large one.

    Raises:
        InputError: a folder is gone or not whole.
        OSError: likewise.
    """
    from recon3d.finished import gather

    made = gather(workspace, reached)
    mesh = made.mesh.value if made.mesh else None
    posed = made.posed.value if made.posed else None
    return Content(
        vertices=len(mesh.vertices) if mesh else 0,
        faces=len(mesh.faces) if mesh else 0,
        page_bytes=_bytes(_files(made.textured.value.pages)) if made.textured else 0,
        level_faces=tuple(len(each.faces) for each in made.levels.value) if made.levels else (),
        photos=len(posed.scene.views) if posed else 0,
        photo_bytes=_bytes(_files(posed.rgb)) if posed else 0,
        points=len(posed.scene.points.xyz_world) if posed else 0,
    )


def expected_bytes(form: Format, content: Content, config: ExportConfig) -> int:
    """The size of what `form` writes, levels of detail included."""
    pictures = _PICTURE_SHARE * content.photo_bytes
    if form is Format.COLMAP:
        return round(pictures + _COLMAP_POINT * content.points)
    if form is Format.NERFSTUDIO:
        return round(pictures + _CLOUD_POINT * content.points)
    total = _model_bytes(form, content.faces, content.vertices, content.has_texture)
    levels = content.level_faces if form.takes_levels else ()
    for faces in levels:
        vertices = round(content.vertices * faces / max(1, content.faces))
        total += _model_bytes(form, faces, vertices, content.has_texture)
    if form.takes_texture and content.has_texture:
        # Each level's pages are half as wide as those of the one before.
        pages = sum(0.25**level for level in range(len(levels) + 1))
        total += pages * _texture_bytes(form, content.page_bytes, config)
    if form is Format.BLENDER:
        total += pictures + _CLOUD_POINT * content.points
    if form is Format.PAGE:
        photos = min(_PAGE_PHOTOS, _PAGE_PHOTO * content.photos)
        total += _PAGE_BYTES + config.page_photos * photos
    return round(total)


def _model_bytes(form: Format, faces: int, vertices: int, textured: bool) -> float:
    match form:
        case Format.PLY:
            return 27 * vertices + 13 * faces
        case Format.STL:
            return 84 + 50 * faces
        case Format.THREE_MF:
            return 27 * vertices + 12 * faces
        case Format.OBJ:
            return faces * (107 if textured else 87)
        case Format.USDZ:
            return faces * (29 if textured else 23.5)
    glb = 32 * vertices * (_SPLIT if textured else 1) + 12 * faces
    return _PAGE_PACKED * glb if form is Format.PAGE else glb


def _texture_bytes(form: Format, page_bytes: int, config: ExportConfig) -> float:
    kind = config.texture_format
    if form is Format.USDZ and kind == "webp":
        kind = "jpeg"
    quality = np.interp(config.texture_quality, _QUALITIES, _QUALITY_SHARES[kind])
    letters = _LETTERS if form is Format.PAGE else 1
    return page_bytes * _PAGE_SHARE[kind] * float(quality) * letters


def size_words(size_bytes: int) -> str:
    """A size as file managers say it, no finer than the guess."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if size_bytes >= factor:
            count = size_bytes / factor
            return f"about {count:.1f} {unit}" if count < 10 else f"about {count:.0f} {unit}"
    return f"about {max(1, round(size_bytes / 1e3))} kB"


def _files(read_when_asked: Sequence[T] | Mapping[str, T]) -> Iterable[Path]:
    match read_when_asked:
        case FileSequence(paths=paths):
            return paths
        case FileMapping(paths=paths):
            return paths.values()
    return ()


def _bytes(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths)
