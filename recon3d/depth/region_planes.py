"""Planes for the plain regions of a photo, through what is known of their surroundings.

On a plain wall nothing can be matched, but its borders can. The plane through these says where
the wall is. Where the borders disagree, occlusion tells which are the wall's own: nothing visible
lies behind an opaque surface, so a point behind a plane speaks against it only weakly (it may be a
mirror image on a glossy cupboard), a point in front of it, which the wall would have to be seen
through, strongly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

Map = Float32[np.ndarray, "h w"]

_WORKING_SHARE, _WORKING_PX = 0.5, 480
"""Regions are sought at half the size of the depth map, and at most this many pixels: noise and
fine grain do not divide a wall."""
_PLAIN_STEPS = 8
"""Change of Lab (8 bit) between neighbours that ends a region; at 18 walls leak into each other."""
_LEAST_AREA = 0.002
"""Of the photo that a region covers."""
_BAND_PX = 3
"""How far around a region its surroundings are asked, in pixels of the size regions are sought at.
They end about two short of an edge; farther beyond it other things begin."""
_MOST_PLANES = 3
"""Of one region: the first may be that of the things that stand before it."""
_MOST_POINTS = 1500
_LEAST_POINTS = 40
_TRIES = 300
_TOLERANCE = 0.015
"""Share of the depth that a point may be from the plane that it is on, at most."""
_BEHIND = 0.1
"""What a point behind a plane counts against it, where one on it counts 1 and one in front -1."""
_LEAST_SHARE, _LEAST_SUPPORT = 0.6, 0.2
"""Of the points on a plane or in front of it, and of all, that must be on it."""
_LEAST_APART, _LEAST_TRIANGLE = 0.2, 0.02
"""Sides of the triangle that a plane is tried through, in shares of the region's extent, and twice
its area, in shares of the extent squared."""
_LEAST_SPREAD = 0.08
"""Standard deviation of the points on a plane across their narrower direction, in shares of the
region's side: points along a line leave the plane free to turn about it."""

_FARTHEST = 2.0
"""A plane is followed up to this many times the depth of its farthest point."""


@dataclass(frozen=True, eq=False)
class RegionPlane:
    """The depth of a plain region.

    depth_z: the plane's over the region; 0 elsewhere, and far from all that is known of it.
    support: share of the known points in and around the region that lie on the plane. About as
        many planes of that support are right within 2 to 5 %.
    """

    depth_z: Map
    support: float


def plain_regions(rgb: UInt8[np.ndarray, "h w 3"]) -> Iterator[Bool[np.ndarray, "h w"]]:
    """The even parts of a photo that are large enough, from the top down."""
    import cv2
    from scipy import ndimage

    height, width = rgb.shape[:2]
    scale = _working_scale(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(cv2.bilateralFilter(small, 7, 12, 3), cv2.COLOR_RGB2LAB)
    kernel = np.ones((3, 3), np.uint8)
    change = cv2.morphologyEx(lab, cv2.MORPH_GRADIENT, kernel).max(-1)
    plain = cv2.erode((change < _PLAIN_STEPS).astype(np.uint8), kernel)
    # SciPy's numbers do not depend on threads.
    labels, count = ndimage.label(plain)
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    for number in range(1, count + 1):
        if areas[number] > _LEAST_AREA * labels.size:
            region = (labels == number).astype(np.uint8)
            grown = cv2.resize(region, (width, height), interpolation=cv2.INTER_NEAREST)
            yield np.asarray(grown > 0)


def _working_scale(height: int, width: int) -> float:
    return min(_WORKING_SHARE, _WORKING_PX / max(height, width))


def fit_planes(
    region: Bool[np.ndarray, "h w"], depth_z: Map, tolerance: float = np.inf
) -> Iterator[RegionPlane]:
    """Planes of a region through the known (> 0) depths in it and around it, likeliest first.

    Each does without the points of those before. tolerance: of inverse depth, where it is known
    to less than 1.5 % anyway.

    RANSAC (Fischler and Bolles 1981) with a fixed seed, in inverse depth, which of a plane is
    affine in the photo.
    """
    import cv2

    band_px = round(_BAND_PX / _working_scale(*depth_z.shape))
    kernel = np.ones((2 * band_px + 1,) * 2, np.uint8)
    around = cv2.dilate(region.astype(np.uint8), kernel) > 0
    y, x = np.nonzero(around & (depth_z > 0))
    if len(x) < _LEAST_POINTS:
        return
    rng = np.random.default_rng(0)
    if len(x) > _MOST_POINTS:
        chosen = rng.choice(len(x), _MOST_POINTS, replace=False)
        y, x = y[chosen], x[chosen]
    places = np.stack([x, y, np.ones(len(x))]).astype(np.float64)
    inverse = 1 / depth_z[y, x].astype(np.float64)
    all_points = len(x)
    for _ in range(_MOST_PLANES):
        on = _best_plane(region, places, inverse, tolerance, rng)
        if on.sum() < max(_LEAST_POINTS, _LEAST_SUPPORT * all_points):
            return
        plane = _least_squares(places[:, on], inverse[on])
        farthest = float(inverse[on].min()) / _FARTHEST
        yield RegionPlane(_depth_of(plane, region, farthest), float(on.sum()) / all_points)
        places, inverse = places[:, ~on], inverse[~on]


def _best_plane(
    region: Bool[np.ndarray, "h w"],
    places: Float64[np.ndarray, "3 n"],
    inverse: Float64[np.ndarray, "n"],
    tolerance: float,
    rng: np.random.Generator,
) -> Bool[np.ndarray, "n"]:
    """Which points are on the best plane of all tried; none where it is no good."""
    none = np.zeros(len(inverse), bool)
    rows, columns = np.nonzero(region.any(1))[0], np.nonzero(region.any(0))[0]
    extent = float(max(np.ptp(rows), np.ptp(columns)))
    tried = _through_triples(places, inverse, extent, rng) if len(inverse) else none[:, None]
    if len(tried) == 0:
        return none
    ahead = np.stack([_ahead(plane, places, inverse) for plane in tried])
    near = np.minimum(_TOLERANCE, tolerance / inverse)
    on = np.abs(ahead) < near
    behind, before = ahead > 2 * near, ahead < -2 * near
    best = int((on.sum(1) - before.sum(1) - _BEHIND * behind.sum(1)).argmax())
    if on[best].sum() < _LEAST_SHARE * (on[best].sum() + before[best].sum()):
        return none
    if _narrowness(places[:2, on[best]]) < _LEAST_SPREAD * np.sqrt(region.sum()):
        return none
    return np.asarray(on[best])


def _through_triples(
    places: Float64[np.ndarray, "3 n"],
    inverse: Float64[np.ndarray, "n"],
    extent: float,
    rng: np.random.Generator,
) -> Float64[np.ndarray, "k 3"]:
    """Planes through three points each that are far enough apart to say how it slants."""
    triples = rng.integers(places.shape[1], size=(_TRIES, 3))
    a, b, c = (places[:2, triples[:, corner]] for corner in range(3))
    ia, ib, ic = (inverse[triples[:, corner]] for corner in range(3))
    (ux, uy), (vx, vy) = b - a, c - a
    twice_area = ux * vy - vx * uy
    shortest = np.minimum.reduce([np.hypot(*(p - q)) for p, q in ((a, b), (b, c), (c, a))])
    good = (shortest >= _LEAST_APART * extent) & (np.abs(twice_area) >= _LEAST_TRIANGLE * extent**2)
    good &= twice_area != 0
    area = np.where(good, twice_area, 1)
    along_x = ((ib - ia) * vy - (ic - ia) * uy) / area
    along_y = ((ic - ia) * ux - (ib - ia) * vx) / area
    planes = np.stack([along_x, along_y, ia - along_x * a[0] - along_y * a[1]], 1)
    return np.asarray(planes[good])


def _ahead(
    plane: Float64[np.ndarray, "3"],
    places: Float64[np.ndarray, "3 n"],
    inverse: Float64[np.ndarray, "n"],
) -> Float64[np.ndarray, "n"]:
    """How much nearer the plane is than each point, as a share; below 0 the point is nearer."""
    return np.asarray((plane[0] * places[0] + plane[1] * places[1] + plane[2]) / inverse - 1)


def _least_squares(
    places: Float64[np.ndarray, "3 n"], inverse: Float64[np.ndarray, "n"]
) -> Float64[np.ndarray, "3"]:
    """The plane of least squared relative error. Sums, as BLAS rounds by the number of threads."""
    scaled = places / inverse
    matrix = (scaled[:, None] * scaled[None]).sum(-1)
    return np.asarray(np.linalg.solve(matrix, scaled.sum(-1)))


def _narrowness(xy: Float64[np.ndarray, "2 n"]) -> float:
    """Standard deviation of points across their narrower direction."""
    across, down = xy - xy.mean(1, keepdims=True)
    mean = ((across**2).mean() + (down**2).mean()) / 2
    half = np.hypot(((across**2).mean() - (down**2).mean()) / 2, (across * down).mean())
    return float(max(0.0, mean - half) ** 0.5)


def _depth_of(
    plane: Float64[np.ndarray, "3"], region: Bool[np.ndarray, "h w"], least_inverse: float
) -> Map:
    y, x = np.nonzero(region)
    inverse = plane[0] * x + plane[1] * y + plane[2]
    depth_z = np.zeros(region.shape, np.float32)
    depth_z[y, x] = np.divide(1, inverse, out=np.zeros_like(inverse), where=inverse > least_inverse)
    return depth_z
