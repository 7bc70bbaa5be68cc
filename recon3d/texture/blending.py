"""Where photos show texels, and what they add to them; every texel is touched once for a photo.

Compiled by numba: with whole arrays, each step on the way would be written for millions of texels.
"""

from __future__ import annotations

import numpy as np

from recon3d.run.compiled import compiled

_SHARPEN = 4
"""Power of the weights that detail is blended with: it changes photo within a quarter of the
strip that colour fades over."""


@compiled
def find_places(vertices, faces, face, weights, texels, rotation, translation, pinhole, uv_px):
    """Where a photo shows some texels, NaN behind it.

    Args:
        vertices: float32 (v, 3), world.
        faces: int32 (f, 3).
        face: int (n), of every texel.
        weights: float32 (n, 3), barycentric, of every texel.
        texels: int64 (k), which of them.
        rotation: float64 (3, 3), from the world to the camera.
        translation: float64 (3), likewise.
        pinhole: float64 (4): fx, fy, cx, cy in pixels.
        uv_px: float64 (k, 2), written.
    """
    for i in range(len(texels)):
        texel = texels[i]
        a, b, c = faces[face[texel]]
        one, two, three = weights[texel]
        x = vertices[a, 0] * one + vertices[b, 0] * two + vertices[c, 0] * three
        y = vertices[a, 1] * one + vertices[b, 1] * two + vertices[c, 1] * three
        z = vertices[a, 2] * one + vertices[b, 2] * two + vertices[c, 2] * three
        depth_z = rotation[2, 0] * x + rotation[2, 1] * y + rotation[2, 2] * z + translation[2]
        if depth_z <= 0:
            uv_px[i, 0], uv_px[i, 1] = np.nan, np.nan
            continue
        right = rotation[0, 0] * x + rotation[0, 1] * y + rotation[0, 2] * z + translation[0]
        down = rotation[1, 0] * x + rotation[1, 1] * y + rotation[1, 2] * z + translation[1]
        uv_px[i, 0] = right / depth_z * pinhole[0] + pinhole[2]
        uv_px[i, 1] = down / depth_z * pinhole[1] + pinhole[3]


@compiled
def show_alone(fine, gain, offset, node, face, weights, texels, out):
    """The colours of texels that one photo colours: its own, with its gain and offsets.

    Args:
        fine: uint8 (k, 3), what the photo shows there.
        gain: float32 (3), of the photo.
        offset: float32 (m, 3), of every node.
        node: int32 (f, 3), the photo's at each corner, -1 = none.
        face: int (n), of every texel.
        weights: float32 (n, 3), barycentric, of every texel.
        texels: int64 (k), which of them.
        out: float32 (n, 3), written there.
    """
    for i in range(len(texels)):
        texel = texels[i]
        for channel in range(3):
            value = fine[i, channel] * gain[channel]
            for corner in range(3):
                at = node[face[texel], corner]
                if at >= 0:
                    value += offset[at, channel] * weights[texel, corner]
            out[texel, channel] = value


@compiled
def add_shown(
    fine, blurred, gain, offset, node, share, least, face, weights, texels, coarse, detail, sums
):
    """Add one photo's part to texels where several meet, in two bands.

    Args:
        fine: uint8 (k, 3), what the photo shows there.
        blurred: float32 (k, 3), the same without detail.
        gain: float32 (3), of the photo.
        offset: float32 (m, 3), of every node.
        node: int32 (f, 3), the photo's at each corner, -1 = none.
        share: float32 (m), of every node.
        least: float32, the smallest share of a texel.
        face: int (n), of every texel.
        weights: float32 (n, 3), barycentric, of every texel.
        texels: int64 (k), which of them.
        coarse: float32 (n, 3), weighted sum of colours; added to.
        detail: float32 (n, 3), likewise of detail.
        sums: float32 (n, 2), the sums of their weights; added to.
    """
    for i in range(len(texels)):
        texel = texels[i]
        mine = np.float32(0)
        shift = (np.float32(0), np.float32(0), np.float32(0))
        for corner in range(3):
            at = node[face[texel], corner]
            if at >= 0:
                part = weights[texel, corner]
                mine += share[at] * part
                shift = (
                    shift[0] + offset[at, 0] * part,
                    shift[1] + offset[at, 1] * part,
                    shift[2] + offset[at, 2] * part,
                )
        mine = max(mine, least)
        sharp = mine**_SHARPEN
        for channel in range(3):
            smooth = blurred[i, channel] * gain[channel]
            coarse[texel, channel] += mine * (smooth + shift[channel])
            detail[texel, channel] += sharp * (fine[i, channel] * gain[channel] - smooth)
        sums[texel, 0] += mine
        sums[texel, 1] += sharp
