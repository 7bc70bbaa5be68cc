"""The mesh gets its colours from the photos, as pictures at the photos' own resolution."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from recon3d.core.errors import TooLittleDepthError
from recon3d.core.exposure import solve_gains
from recon3d.core.ranges import Range, check_ranges
from recon3d.core.scene import PosedPhotos
from recon3d.core.surface import Mesh, TexturedMesh, face_areas
from recon3d.photos.pictures import read_upright
from recon3d.run.files import FileSequence, atomic_path, write_json
from recon3d.run.stage import Stage
from recon3d.run.task import Task
from recon3d.surface.files import load_mesh, save_mesh
from recon3d.surface.topology import face_neighbours
from recon3d.texture.baking import Paint, page_path
from recon3d.texture.outliers import find_outliers
from recon3d.texture.packing import Atlas, PageTooSmallError, pack
from recon3d.texture.paint import choose_photos, node_colours, vertex_colours
from recon3d.texture.seams import level, soften
from recon3d.texture.sight import Candidates, look_at_photos
from recon3d.texture.unwrap import Charts, unwrap

logger = logging.getLogger(__name__)


_MESH, _ATLAS, _NUMBERS = "mesh.npz", "atlas.npz", "texture.json"
_AUTO_SIZES_PX = (1024, 1536, 2048, 3072, 4096, 6144, 8192)
_SMALLEST_PX, _LARGEST_PX = 256, 16384
_FILL = 0.48
"""Of a page, as packing usually gets."""
_TEXELS_PER_PIXEL = 1.3
"""Sampled once per pixel, the finest detail would be lost between the pixels."""
_DENSITY_RANGE = (0.25, 3.0)
"""Texels per unit of a chart, as multiples of the median chart's: a far wall needs few, a close-up
may have more."""
_PARTS = {
    "looking at the photos": 30,
    "choosing a photo for every face": 15,
    "unwrapping": 25,
    "levelling seams": 15,
    "painting": 15,
}
"""Percent of the time that each part takes, about."""
_ENOUGH_SCALE = 0.5
"""Texels per photo pixel, along a line."""


@dataclass(frozen=True, kw_only=True)
class TextureConfig:
    """How the photos are put onto the mesh."""

    size_px: Annotated[int, Range(least=_SMALLEST_PX, most=_LARGEST_PX, besides=0)] = 0
    """Side of a square page in texels, 256 to 16384; 0 takes what the photos' resolution is worth,
    8192 at most."""

    pages: Annotated[int, Range(least=1, most=64)] = 1
    """Spread the texture over this many pages, for more detail than one can hold. Each becomes a
    material of its own."""

    exposure: bool = True
    """Even out exposure and white balance between photos."""

    seams: bool = True
    """Level colours across seams and blend there; without, every face shows one photo as it is."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        check_ranges(self, "texture")


def texture_mesh(
    posed: PosedPhotos, mesh: Mesh, config: TextureConfig, folder: Path, task: Task
) -> None:
    """Write the textured mesh into `folder`: arrays, pages as PNG, and numbers for the report.

    Raises:
        TooLittleDepthError: the mesh has no faces, or no photo sees any of them.
    """
    _texture(posed, mesh, config, folder, task)


def warnings(folder: Path) -> list[str]:
    """What makes a texture that `texture_mesh` wrote worse than it could be."""
    scale = read_numbers(folder)["scale"]
    if scale >= _ENOUGH_SCALE:
        return []
    return [
        f"The texture has {scale:.0%} of the photos' resolution; "
        "raise --texture.size-px or --texture.pages for all of it."
    ]


def texture_levels(
    posed: PosedPhotos,
    levels: Sequence[Mesh],
    finest: TexturedMesh,
    config: TextureConfig,
    folder: Path,
    task: Task,
) -> None:
    """Texture coarser versions of a mesh, each on pages half as wide as those of the one before.

    Raises:
        TooLittleDepthError: as `texture_mesh`.
    """
    size_px = finest.pages[0].shape[0]
    for number, coarser in enumerate(levels):
        size_px = max(_SMALLEST_PX, size_px // 2)
        place = folder / str(number)
        place.mkdir(exist_ok=True)
        smaller = replace(config, size_px=size_px)
        _texture(posed, coarser, smaller, place, task.part(number, len(levels)))


def read_textured_levels(folder: Path) -> Sequence[TexturedMesh]:
    """Read what `texture_levels` wrote, finest first, each when asked."""
    return FileSequence(sorted(path.parent for path in folder.glob(f"*/{_ATLAS}")), read_texture)


def read_texture(folder: Path) -> TexturedMesh:
    """Read what `texture_mesh` wrote, pages one file when asked."""
    with np.load(folder / _ATLAS, allow_pickle=False) as arrays:
        pages = int(arrays["page_of_face"].max()) + 1
        return TexturedMesh(
            load_mesh(folder / _MESH),
            arrays["uv"],
            arrays["page_of_face"],
            FileSequence([page_path(folder, page) for page in range(pages)], _read_page),
            arrays["seen"],
        )


def read_photo_of_face(folder: Path) -> Int32[np.ndarray, "f"]:
    """Which view each face takes its colours from, by its place in the scene; -1 = none."""
    with np.load(folder / _ATLAS, allow_pickle=False) as arrays:
        photo: Int32[np.ndarray, "f"] = arrays["photo"]
    return photo


def read_gains(folder: Path, posed: PosedPhotos) -> Float32[np.ndarray, "n 3"]:
    """By what each photo was multiplied, by its place in the scene."""
    photos = read_numbers(folder)["photos"]
    gains = [photos[view.photo_id]["gain"] for view in posed.scene.views]
    return np.array(gains, np.float32)


def read_numbers(folder: Path) -> dict[str, Any]:
    """Numbers for people about what `texture_mesh` wrote."""
    numbers: dict[str, Any] = json.loads((folder / _NUMBERS).read_text(encoding="utf-8"))
    return numbers


@dataclass(frozen=True, eq=False)
class Painted:
    """A mesh whose pages are in their files, and what else was found."""

    atlas: Atlas
    photo_of_face: Int32[np.ndarray, "f"]
    """By its place in the scene; -1 = none."""
    vertex_rgb: Float32[np.ndarray, "v 3"]
    numbers: dict[str, Any]
    """For people."""


LayOut = Callable[[Int32[np.ndarray, "f"], Float32[np.ndarray, "f"]], tuple[Atlas, int]]
"""From the photo of each face and the pixels that it covers there to a place for every face, and
the number of charts."""


def _texture(
    posed: PosedPhotos, mesh: Mesh, config: TextureConfig, folder: Path, task: Task
) -> None:
    def lay_out(
        chosen: Int32[np.ndarray, "f"], area_px: Float32[np.ndarray, "f"]
    ) -> tuple[Atlas, int]:
        charts = unwrap(mesh, task.check)
        return pack_for_photos(charts, mesh, chosen, area_px, config, task), charts.count

    made = paint_faces(posed, mesh, lay_out, config, folder, task)
    save_texture(
        folder, mesh, made.atlas.uv, made.atlas.page_of_face, made.photo_of_face, made.numbers
    )


def paint_faces(
    posed: PosedPhotos,
    mesh: Mesh,
    lay_out: LayOut,
    config: TextureConfig,
    folder: Path,
    task: Task,
    gains: Float32[np.ndarray, "n 3"] | None = None,
) -> Painted:
    """Choose a photo for each face and write the pages into `folder`.

    gains: Of each photo; None: they are found from this mesh.

    Raises:
        TooLittleDepthError: the mesh has no faces, or no photo sees any of them.
    """
    # Late, because numba takes a second to import.
    from recon3d.texture.pages import paint_pages

    if len(mesh.faces) == 0:
        raise TooLittleDepthError("The mesh has no faces to put a texture on.")
    views = posed.scene.views
    found = look_at_photos(posed, mesh, folder, task, partial(_step, task, "looking at the photos"))
    if not config.exposure:
        gains = np.ones((len(views), 3), np.float32)
    elif gains is None:
        gains = solve_gains(found.view, found.rgb, len(views))
    outliers = find_outliers(found, gains, face_neighbours(mesh.faces))
    found.reject(outliers)
    if not (found.view >= 0).any():
        raise TooLittleDepthError(
            "No photo sees any part of the mesh.",
            hint="Check that the poses belong to these photos, and what the warnings say.",
        )
    _step(task, "choosing a photo for every face")
    chosen = choose_photos(mesh, found, task.check)
    _step(task, "unwrapping")
    area_px = _area_in_chosen(found, chosen)
    atlas, chart_count = lay_out(chosen, area_px)
    _step(task, "levelling seams")
    blend = soften(mesh.faces, chosen, found, len(mesh.vertices), spread=6 if config.seams else 0)
    texel_area = _doubled_area(atlas.uv) / 2 * atlas.page_px**2
    per_texel = _pixels_per_texel(chosen, area_px, texel_area, len(views))

    def picture(number: int) -> UInt8[np.ndarray, "h w 3"]:
        task.check()
        return posed.rgb[views[number].photo_id]

    used = {number: views[number] for number in np.unique(blend.nodes.indices).tolist()}
    rgb = node_colours(blend, mesh, used, picture, gains, dict(enumerate(2 * per_texel)))
    offset = level(blend, mesh.faces, rgb) if config.seams else np.zeros_like(rgb)
    vertex_rgb, _ = vertex_colours(blend, mesh, rgb + offset)
    paint = Paint(mesh, atlas, blend, offset, vertex_rgb)
    paint_pages(paint, posed, gains, per_texel, folder, task, partial(_step, task, "painting"))
    task.step(100, 100)
    numbers = _describe(mesh, atlas, chart_count, chosen, outliers, gains, posed)
    logger.info(
        "texture of %d x %d px on %d page(s), %d charts, %.0f %% of the area seen",
        atlas.page_px, atlas.page_px, atlas.pages, chart_count, 100 * numbers["seen"],
    )  # fmt: skip
    return Painted(atlas, chosen, vertex_rgb, numbers)


def save_texture(
    folder: Path,
    mesh: Mesh,
    uv: Float32[np.ndarray, "f 3 2"],
    page_of_face: Int32[np.ndarray, "f"],
    photo_of_face: Int32[np.ndarray, "f"],
    numbers: dict[str, Any],
) -> None:
    """Write what `read_texture` reads besides the pages."""
    save_mesh(folder / _MESH, mesh)
    with atomic_path(folder / _ATLAS) as part, part.open("wb") as stream:
        np.savez(
            stream,
            uv=uv,
            page_of_face=page_of_face,
            seen=photo_of_face >= 0,
            photo=photo_of_face,
        )
    write_json(folder / _NUMBERS, numbers)


def _read_page(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    return read_upright(path)


def _area_in_chosen(found: Candidates, chosen: Int32[np.ndarray, "f"]) -> Float32[np.ndarray, "f"]:
    return np.where((found.view == chosen[:, None]) & (chosen >= 0)[:, None], found.area_px, 0).max(
        1
    )


def pack_for_photos(
    charts: Charts,
    mesh: Mesh,
    chosen: Int32[np.ndarray, "f"],
    area_px: Float32[np.ndarray, "f"],
    config: TextureConfig,
    task: Task,
) -> Atlas:
    """Pack charts on pages, each as large as its photos' resolution is worth.

    area_px: what each face covers in its photo.
    """
    area = face_areas(mesh)
    seen = chosen >= 0
    chart, count = charts.chart_of_face[seen], charts.count
    pixels = np.bincount(chart, area_px[seen], count)
    surface = np.bincount(chart, area[seen], count)
    known = (surface > 0) & (pixels > 0)
    density = np.zeros(count)
    density[known] = np.sqrt(pixels[known] / surface[known])
    typical = float(np.sqrt(area_px[seen].sum() / area[seen].sum()))
    low, high = _DENSITY_RANGE
    density = np.clip(np.where(known, density, low * typical), low * typical, high * typical)
    size_px = page_size_px(config, area_px[seen], _FILL * config.pages)
    while True:
        try:
            return pack(charts, density, size_px, config.pages, task.check)
        except PageTooSmallError as error:
            size_px *= 2
            if size_px > _LARGEST_PX:
                raise
            task.warn(f"{error} Pages of {size_px} px are made instead.")


def page_size_px(
    config: TextureConfig, area_px: Float32[np.ndarray, "f"], pages_filled: float
) -> int:
    """The side of a page: what is wanted, or what faces that cover so many pixels are worth.

    pages_filled: how much of the area of one page these faces take.
    """
    if config.size_px:
        return config.size_px
    wanted = np.sqrt(_TEXELS_PER_PIXEL * float(area_px.sum()) / max(pages_filled, 1e-9))
    return next((size for size in _AUTO_SIZES_PX if size >= wanted), _AUTO_SIZES_PX[-1])


def _doubled_area(xy: Float32[np.ndarray, "f 3 2"]) -> np.ndarray:
    one, two = xy[:, 1] - xy[:, 0], xy[:, 2] - xy[:, 0]
    return np.abs(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0])


def _pixels_per_texel(
    chosen: Int32[np.ndarray, "f"], area_px: np.ndarray, area_texels: np.ndarray, views: int
) -> Float32[np.ndarray, "v"]:
    """By photo, over the faces it colours."""
    seen = chosen >= 0
    pixels = np.bincount(chosen[seen], area_px[seen], views)
    texels = np.bincount(chosen[seen], area_texels[seen], views)
    return np.sqrt(np.where(texels > 0, pixels / np.maximum(texels, 1e-9), 1)).astype(np.float32)


def _step(task: Task, part: str, done: float = 0.0) -> None:
    """Report progress in percent, counted over parts of different length; done is 0 to 1."""
    parts = list(_PARTS)
    before = sum(_PARTS[name] for name in parts[: parts.index(part)])
    task.step(round(before + _PARTS[part] * done), 100, part)


def _describe(
    mesh: Mesh,
    atlas: Atlas,
    chart_count: int,
    chosen: Int32[np.ndarray, "f"],
    outliers: np.ndarray,
    gains: Float32[np.ndarray, "v 3"],
    posed: PosedPhotos,
) -> dict[str, Any]:
    area = face_areas(mesh)
    texels = _doubled_area(atlas.uv) / 2 * atlas.page_px**2
    ids = [view.photo_id for view in posed.scene.views]
    use = np.bincount(chosen[chosen >= 0], area[chosen >= 0], len(ids)) / area.sum()
    return {
        "page_px": atlas.page_px,
        "page_count": atlas.pages,
        "charts": chart_count,
        "fill": atlas.fill,
        "scale": atlas.scale,
        "texels_per_scene_unit": float(np.sqrt(texels.sum() / max(area.sum(), 1e-30))),
        "seen": float(area[chosen >= 0].sum() / area.sum()),
        "rejected": float(outliers.any(1).mean()),
        "photos": {
            name: {"share": float(share), "gain": [float(g) for g in gain]}
            for name, share, gain in zip(ids, use, gains, strict=True)
        },
    }


TEXTURE = Stage(
    name="texture",
    result="textured",
    version=4,
    run=texture_mesh,
    read=read_texture,
    libraries=("open3d", "opencv", "scipy", "numba"),
    warnings=warnings,
)
TEXTURE_LEVELS = Stage(
    name="level textures",
    result="textured_levels",
    version=4,
    run=texture_levels,
    read=read_textured_levels,
    libraries=("open3d", "opencv", "scipy", "numba"),
)
