"""Orthophotos and elevation models: a model seen straight from above, or straight at a wall."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Float32, UInt8

from recon3d.core.camera import project
from recon3d.core.errors import InputError, OutputError
from recon3d.core.scene import View
from recon3d.core.surface import Mesh, TexturedMesh
from recon3d.core.transform import Similarity
from recon3d.georef.crs import wkt_of
from recon3d.run.files import atomic_path
from recon3d.run.task import Task
from recon3d.surface.colour import SurfaceColour, TextureColour, VertexColour
from recon3d.surface.rays import MeshRays

if TYPE_CHECKING:
    from rasterio import Affine
    from rasterio.windows import Window

NODATA_M = -9999.0
"""Of elevation models where there is nothing."""
_TILE_PX = 512
# Rays through each pixel along each side: a texture is often finer than the pixels.
_SAMPLES = 2
_MOST_PIXELS = 1 << 32
_MOST_POINTS = 2000
_GREY = 150
_BANDS = ("red", "green", "blue", "alpha")


@dataclass(frozen=True, eq=False)
class Sheet:
    """A rectangle with x to the right and y up, which is looked at against its z."""

    sheet_from_world: Similarity
    crs: str
    """Of the sheet's coordinates, as pyproj reads it; empty for local ones."""
    left: float
    top: float
    gsd: float
    """Length of a pixel's side (ground sampling distance)."""
    width_px: int
    height_px: int

    @property
    def affine(self) -> Affine:
        """From column and row to the sheet's x and y."""
        from rasterio import Affine

        return Affine(self.gsd, 0.0, self.left, 0.0, -self.gsd, self.top)


def check_geotiff(targets: Sequence[Path]) -> None:
    """Look whether GeoTIFFs can be written at all.

    Raises:
        OutputError: rasterio is not installed, a name has another ending, or two are the same.
    """
    if len({target.resolve() for target in targets}) < len(targets):
        raise OutputError("Two outputs have the same name.", hint="Give each its own name.")
    for target in targets:
        if target.suffix.lower() not in (".tif", ".tiff"):
            raise OutputError(
                f'Cannot write {target}: orthophotos are GeoTIFFs, not "{target.suffix}".',
                hint=f"Let the name end in .tif, for example {target.stem}.tif.",
            )
    try:
        import rasterio  # noqa: F401
    except ImportError as error:
        raise OutputError(
            "Orthophotos need the package rasterio, which is not installed.",
            hint='Run: pip install ".[survey]".',
        ) from error


def lay_sheet(
    corners: Float[np.ndarray, "n 3"], sheet_from_world: Similarity, crs: str, gsd: float
) -> Sheet:
    """A sheet that holds some points, given in its coordinates, its edges at whole pixels.

    Raises:
        InputError: it would have too many pixels.
    """
    low, high = corners[:, :2].min(axis=0), corners[:, :2].max(axis=0)
    left, bottom = np.floor(low / gsd).tolist()
    right, top = np.ceil(high / gsd).tolist()
    width_px, height_px = int(max(1, right - left)), int(max(1, top - bottom))
    if width_px * height_px > _MOST_PIXELS:
        raise InputError(
            f"With pixels of {gsd:.3g} the orthophoto would have {width_px} x {height_px}.",
            hint="Give a larger --gsd.",
        )
    return Sheet(sheet_from_world, crs, left * gsd, top * gsd, gsd, width_px, height_px)


def wall_from_target(points: Float[np.ndarray, "3 3"]) -> Similarity:
    """A frame for a wall: x from its lower left point to its lower right one, y towards the third.

    Raises:
        InputError: the points lie on a line.
    """
    along, up = points[1] - points[0], points[2] - points[0]
    normal = np.cross(along, up)
    if (
        np.linalg.norm(normal) < 1e-6 * np.linalg.norm(along) * np.linalg.norm(up)
        or not along.any()
    ):
        raise InputError(
            "The three points of --plane lie on a line.",
            hint="Give the wall's lower left corner, its lower right one, and one above.",
        )
    x, z = along / np.linalg.norm(along), normal / np.linalg.norm(normal)
    rotation = np.stack([x, np.cross(z, x), z])
    return Similarity(1.0, rotation, -rotation @ points[0])


def ground_sampling_distance(
    views: Sequence[View], vertices_world: Float[np.ndarray, "v 3"], scale: float
) -> float:
    """What a pixel of a typical photo covers of the model, where a world's unit is `scale`.

    Raises:
        InputError: no photo sees the model.
    """
    some = vertices_world[:: max(1, len(vertices_world) // _MOST_POINTS)]
    found = []
    for view in views:
        camera = view.camera
        uv_px, depth_z = project(view.cam_from_world @ some, camera)
        inside = (uv_px >= 0) & (uv_px <= [camera.width_px, camera.height_px])
        seen = depth_z[(depth_z > 0) & inside.all(axis=1)]
        if len(seen):
            found.append(float(np.median(seen)) / camera.fx_px)
    if not found:
        raise InputError("No photo sees the model.", hint="Give the size of a pixel by --gsd.")
    # Two digits: nobody wants pixels of 0.023748 m.
    return float(f"{scale * float(np.median(found)):.2g}")


def write_orthophoto(
    target: Path, dem: Path | None, model: Mesh | TexturedMesh, sheet: Sheet, task: Task
) -> None:
    """Write a GeoTIFF of the colours, transparent where nothing is, and one of the heights.

    Works in tiles, so that memory does not grow with the sheet. Heights are the sheet's z; where
    nothing is, they are `NODATA_M`.

    Raises:
        OutputError: a place cannot be written.
    """
    import rasterio
    from rasterio.enums import ColorInterp

    drawn = _Drawn(model, sheet)
    form: dict[str, Any] = {
        "driver": "GTiff", "width": sheet.width_px, "height": sheet.height_px,
        "crs": _crs(sheet.crs), "transform": sheet.affine, "tiled": True,
        "blockxsize": _TILE_PX, "blockysize": _TILE_PX, "compress": "deflate",
        "BIGTIFF": "IF_SAFER",
    }  # fmt: skip
    with ExitStack() as stack:
        colours = stack.enter_context(
            rasterio.open(
                stack.enter_context(atomic_path(target)), "w", count=4, dtype="uint8",
                photometric="RGB", **form,
            )
        )  # fmt: skip
        colours.colorinterp = [getattr(ColorInterp, band) for band in _BANDS]
        heights = dem and stack.enter_context(
            rasterio.open(
                stack.enter_context(atomic_path(dem)), "w", count=1, dtype="float32",
                nodata=NODATA_M, **form,
            )
        )  # fmt: skip
        windows = [*_windows(sheet)]
        for window in task.each(windows, len(windows), lambda _: ""):
            rgba, height = drawn.window(window)
            colours.write(np.moveaxis(rgba, 2, 0), window=window)
            if heights:
                heights.write(height, 1, window=window)
    if not sheet.crs:
        for path in filter(None, (target, dem)):
            _write_world_file(path, sheet)


class _Drawn:
    """Holds the model ready for parallel rays."""

    def __init__(self, model: Mesh | TexturedMesh, sheet: Sheet) -> None:
        mesh = model.mesh if isinstance(model, TexturedMesh) else model
        self._rays, self._sheet = MeshRays(mesh), sheet
        self._world_from_sheet = sheet.sheet_from_world.inverse()
        self._above = float((sheet.sheet_from_world @ mesh.vertices.astype(np.float64))[:, 2].max())
        self._above += sheet.gsd
        rgb = np.full(mesh.vertices.shape, _GREY, np.uint8) if mesh.rgb is None else mesh.rgb
        self._colour: SurfaceColour = (
            TextureColour(model)
            if isinstance(model, TexturedMesh)
            else VertexColour(rgb, mesh.faces)
        )

    def window(
        self, window: Window
    ) -> tuple[UInt8[np.ndarray, "h w 4"], Float32[np.ndarray, "h w"]]:
        """Colour with alpha, and height, of a part of the sheet."""
        sheet, fine = self._sheet, sheet_steps(window)
        x = sheet.left + fine[0] * sheet.gsd
        y = sheet.top - fine[1] * sheet.gsd
        xyz = np.stack([*np.meshgrid(x, y), np.full((len(y), len(x)), self._above)], axis=-1)
        starts = self._world_from_sheet @ xyz.reshape(-1, 3)
        # So long that a ray's parameter counts the sheet's units.
        down = -self._world_from_sheet.scale * self._world_from_sheet.rotation[:, 2]
        away, face, second_third = self._rays.first_hits(
            starts, np.broadcast_to(down, starts.shape)
        )
        met = face >= 0
        weights = np.column_stack([1 - second_third.sum(axis=1), second_third])
        samples = np.zeros((len(starts), 5), np.float32)
        samples[met, :3] = self._colour.at(face[met], weights[met].astype(np.float32))
        samples[met, 3], samples[met, 4] = 1, self._above - away[met]
        return _averaged(samples, window)


def sheet_steps(window: Window) -> tuple[Float[np.ndarray, "x"], Float[np.ndarray, "y"]]:
    """Columns and rows of the rays through a window, in pixels of the sheet."""
    steps = [
        offset + (np.arange(size * _SAMPLES) + 0.5) / _SAMPLES
        for offset, size in ((window.col_off, window.width), (window.row_off, window.height))
    ]
    return steps[0], steps[1]


def _averaged(
    samples: Float32[np.ndarray, "n 5"], window: Window
) -> tuple[UInt8[np.ndarray, "h w 4"], Float32[np.ndarray, "h w"]]:
    """Of the rays of each pixel that met something; nothing where most of them did not."""
    blocks = samples.reshape(window.height, _SAMPLES, window.width, _SAMPLES, 5).sum(axis=(1, 3))
    count = blocks[..., 3:4]
    means = blocks / np.maximum(count, 1)
    covered = count[..., 0] >= _SAMPLES**2 / 2
    rgba = np.zeros((*covered.shape, 4), np.uint8)
    rgba[covered, :3] = np.rint(means[covered, :3]).astype(np.uint8)
    rgba[covered, 3] = 255
    return rgba, np.where(covered, means[..., 4], np.float32(NODATA_M)).astype(np.float32)


def _windows(sheet: Sheet) -> Iterator[Window]:
    from rasterio.windows import Window

    for row in range(0, sheet.height_px, _TILE_PX):
        for column in range(0, sheet.width_px, _TILE_PX):
            yield Window(
                column,
                row,
                min(_TILE_PX, sheet.width_px - column),
                min(_TILE_PX, sheet.height_px - row),
            )


def _crs(crs: str) -> Any:
    from rasterio.crs import CRS

    return CRS.from_wkt(wkt_of(crs)) if crs else None


def _write_world_file(picture: Path, sheet: Sheet) -> None:
    """For programs that look for a text beside the picture: six numbers about a pixel's middle."""
    half = sheet.gsd / 2
    lines = (sheet.gsd, 0, 0, -sheet.gsd, sheet.left + half, sheet.top - half)
    with atomic_path(picture.with_suffix(".tfw")) as part:
        part.write_text("".join(f"{value!r}\n" for value in lines), encoding="ascii")
