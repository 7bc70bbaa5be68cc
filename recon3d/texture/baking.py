"""The texels of a page: which point each shows, and its colour from the photos of its face."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8

from recon3d.core.camera import PinholeCamera
from recon3d.core.scene import View
from recon3d.core.surface import Mesh
from recon3d.core.transform import Rigid
from recon3d.run.files import atomic_path
from recon3d.texture.packing import Atlas
from recon3d.texture.seams import Blend
from recon3d.texture.sight import sample

_BLOCK_PX = 2048
_FINE_SIGMA_PX = 5.0
"""Detail is what a blur of this many texels takes away."""
_STRIPE_PX = 512
_REDUCE_FROM = 1.4
"""Pixels a texel."""
_LEAST_SHARE = np.float32(1e-3)
"""Of a face's own photo, so that no texel has none."""


@dataclass(frozen=True, eq=False)
class Texels:
    """Which points of a mesh they show."""

    face: Int[np.ndarray, "n"]
    weights: Float32[np.ndarray, "n 3"]
    """Barycentric."""


@dataclass(frozen=True, eq=False)
class SourcePhoto:
    """A photo at about the resolution of the texture, before its gain."""

    camera: PinholeCamera
    cam_from_world: Rigid
    rgb: UInt8[np.ndarray, "h w 3"]
    coarse: Float32[np.ndarray, "h4 w4 3"]
    """Blurred, with a pixel for every four by four."""
    gain: Float32[np.ndarray, "3"]

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.rgb.nbytes + self.coarse.nbytes

    def fine(self, uv_px: Float[np.ndarray, "n 2"]) -> UInt8[np.ndarray, "n 3"]:
        """Its colours between pixels."""
        return sample(self.rgb, uv_px, cubic=True)

    def blurred(self, uv_px: Float[np.ndarray, "n 2"]) -> Float32[np.ndarray, "n 3"]:
        """The same without detail."""
        size = np.array([self.camera.width_px, self.camera.height_px])
        return sample(self.coarse, uv_px * (np.array(self.coarse.shape[1::-1]) / size))

    def uv_px(self, texels: Texels, which: np.ndarray, mesh: Mesh) -> Float[np.ndarray, "n 2"]:
        """Where it shows some texels."""
        from recon3d.texture.blending import find_places

        camera, pose = self.camera, self.cam_from_world
        pinhole = np.array([camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px])
        uv_px = np.empty((len(which), 2))
        find_places(
            mesh.vertices, mesh.faces, texels.face, texels.weights, which,
            pose.rotation, pose.translation, pinhole, uv_px,
        )  # fmt: skip
        return uv_px


def make_shot(
    rgb: UInt8[np.ndarray, "h w 3"],
    view: View,
    gain: Float32[np.ndarray, "3"],
    pixels_per_texel: float,
) -> SourcePhoto:
    """Reduce a photo that is finer than the texture, so that texels do not skip pixels."""
    import cv2

    camera = view.camera
    if pixels_per_texel > _REDUCE_FROM:
        camera = camera.resized(
            max(8, round(camera.width_px / pixels_per_texel)),
            max(8, round(camera.height_px / pixels_per_texel)),
        )
        size = (camera.width_px, camera.height_px)
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    quarter = (max(2, camera.width_px // 4), max(2, camera.height_px // 4))
    small = cv2.resize(rgb, quarter, interpolation=cv2.INTER_AREA).astype(np.float32)
    coarse = cv2.GaussianBlur(small, (0, 0), _FINE_SIGMA_PX / 4)
    return SourcePhoto(camera, view.cam_from_world, rgb, coarse, gain)


@dataclass(frozen=True, eq=False)
class Paint:
    """All that decides the colour of a point on a face."""

    mesh: Mesh
    atlas: Atlas
    blend: Blend
    offset: Float32[np.ndarray, "n 3"]
    """Of each node, in steps of 255."""
    vertex_rgb: Float32[np.ndarray, "v 3"]
    """For faces that no photo saw."""


def blocks(page_px: int) -> list[tuple[slice, slice]]:
    """The rows and columns of parts of a page that fit into memory."""
    starts = range(0, page_px, _BLOCK_PX)
    sides = [slice(start, min(start + _BLOCK_PX, page_px)) for start in starts]
    return [*product(sides, sides)]


def page_path(folder: Path, page: int) -> Path:
    """Where a page lies."""
    return folder / f"page_{page}.png"


def write_page(target: Path, rgb: UInt8[np.ndarray, "h w 3"]) -> None:
    """Write a page as PNG."""
    import cv2

    # Encoded apart from writing: imwrite knows neither umlauts on Windows nor full disks.
    _, encoded = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    with atomic_path(target) as part:
        part.write_bytes(encoded.tobytes())


def texel_colours(
    paint: Paint, texels: Texels, shot: Callable[[int], SourcePhoto]
) -> UInt8[np.ndarray, "n 3"]:
    """What each texel shows; shot gives a photo by its number."""
    view = paint.blend.view[texels.face]
    out = np.empty((len(texels.face), 3), np.float32)
    unseen = view[:, 0] < 0
    alone = ~unseen & (view[:, 1:] < 0).all(1)
    corner_rgb = paint.vertex_rgb[paint.mesh.faces[texels.face[unseen]]]
    out[unseen] = _mixed(corner_rgb, texels.weights[unseen])
    _paint_alone(paint, texels, view[:, 0], np.flatnonzero(alone), shot, out)
    _paint_blended(paint, texels, view, np.flatnonzero(~unseen & ~alone), shot, out)
    return np.rint(np.clip(out, 0, 255)).astype(np.uint8)


def _paint_alone(
    paint: Paint,
    texels: Texels,
    view: np.ndarray,
    which: np.ndarray,
    shot: Callable[[int], SourcePhoto],
    out: Float32[np.ndarray, "n 3"],
) -> None:
    """Texels of faces that one photo colours."""
    from recon3d.texture.blending import show_alone

    for number, some in _by_view(view[which], which):
        shown = shot(number)
        show_alone(
            shown.fine(shown.uv_px(texels, some, paint.mesh)), shown.gain,
            paint.offset, paint.blend.node[..., 0], texels.face, texels.weights, some, out,
        )  # fmt: skip


def _paint_blended(
    paint: Paint,
    texels: Texels,
    view: np.ndarray,
    which: np.ndarray,
    shot: Callable[[int], SourcePhoto],
    out: Float32[np.ndarray, "n 3"],
) -> None:
    """Texels where several photos meet, in two bands."""
    from recon3d.texture.blending import add_shown

    blend = paint.blend
    coarse, detail = np.zeros_like(out), np.zeros_like(out)
    sums = np.zeros((len(out), 2), np.float32)
    for slot in range(view.shape[1]):
        least = _LEAST_SHARE if slot == 0 else np.float32(0)
        for number, some in _by_view(view[which, slot], which):
            shown = shot(number)
            uv_px = shown.uv_px(texels, some, paint.mesh)
            add_shown(
                shown.fine(uv_px), shown.blurred(uv_px), shown.gain, paint.offset,
                blend.node[..., slot], blend.nodes.data, least,
                texels.face, texels.weights, some, coarse, detail, sums,
            )  # fmt: skip
    out[which] = coarse[which] / sums[which, :1] + detail[which] / sums[which, 1:]


def _mixed(
    corners: Float32[np.ndarray, "n 3 c"], weights: Float32[np.ndarray, "n 3"]
) -> Float32[np.ndarray, "n c"]:
    return np.asarray(np.einsum("ncd,nc->nd", corners, weights))


def _by_view(view: np.ndarray, texels: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """The texels of each photo; those without one (-1) are left out."""
    order = np.argsort(view, kind="stable")
    numbers, starts = np.unique(view[order], return_index=True)
    for number, rows in zip(numbers, np.split(order, starts)[1:], strict=True):
        if number >= 0:
            yield int(number), texels[rows]


def fill_uncovered(picture: UInt8[np.ndarray, "h w 3"], covered: Bool[np.ndarray, "h w"]) -> None:
    """Fill, in place, what no face covers, so that no filter or mipmap ever mixes in black.

    Pull and push over a pyramid (Gortler et al. 1996): near a chart its own border's colour,
    farther away smoother ones.
    """
    import cv2

    levels = [(picture, covered)]
    while max(levels[-1][0].shape[:2]) > 1:
        levels.append(_halved(*levels[-1]))
    for (fine, known), (coarse, _) in zip(levels[-2::-1], levels[:0:-1], strict=True):
        for rows in _stripes(len(fine)):
            size = (fine.shape[1], rows.stop - rows.start)
            below = coarse[rows.start // 2 : (rows.stop + 1) // 2]
            larger = cv2.resize(below, size, interpolation=cv2.INTER_NEAREST)
            gap = ~known[rows]
            fine[rows][gap] = larger.reshape(*size[::-1], 3)[gap]


def _halved(
    colour: UInt8[np.ndarray, "h w 3"], known: Bool[np.ndarray, "h w"]
) -> tuple[UInt8[np.ndarray, "h2 w2 3"], Bool[np.ndarray, "h2 w2"]]:
    """The mean of what is known in each two by two."""
    import cv2

    height, width = (max(1, side // 2) for side in known.shape)
    half, half_known = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), bool)
    for rows in _stripes(len(known)):
        weight = known[rows].astype(np.float32)
        target = slice(rows.start // 2, max(rows.start // 2 + 1, rows.stop // 2))
        size = (width, target.stop - target.start)
        total = cv2.resize(weight, size, interpolation=cv2.INTER_AREA).reshape(size[::-1])
        summed = cv2.resize(colour[rows] * weight[..., None], size, interpolation=cv2.INTER_AREA)
        mean = summed.reshape(*size[::-1], 3) / np.maximum(total, 1e-6)[..., None]
        half[target], half_known[target] = np.rint(mean), total > 0
    return half, half_known


def _stripes(height: int) -> Iterator[slice]:
    """Rows in pieces that take little memory, each of an even number."""
    return (slice(top, min(top + _STRIPE_PX, height)) for top in range(0, height, _STRIPE_PX))
