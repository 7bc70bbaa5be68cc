"""From sparse points to the hull: cut all photos, carve what they agree on, and cut again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float64, UInt8

from recon3d.run.task import Task
from recon3d.segmentation.cutting import (
    MAYBE_REST,
    SURE_OBJECT,
    SURE_REST,
    Colours,
    Samples,
    cut_out,
    learn,
)
from recon3d.segmentation.hull import Allowed, Hull
from recon3d.segmentation.orbit import NoObjectError, Orbit, shared
from recon3d.segmentation.seeds import COMMON, MARGIN
from recon3d.segmentation.small_photos import SmallPhoto, SmallPhotos

_ROOM = 0.6
"""Around the sparse points of the object, in their longest extent: plain parts have none."""
_FARTHEST = 0.8
"""From the centre, in distances of the cameras."""
_COARSE, _FINE = 80, 128
"""Voxels along the longest side."""
_FINE_ROUNDS = 2
_PASSES = 3 + 2 * _FINE_ROUNDS
"""Through all photos."""
_MOST_CUT_OFF = 0.02
"""Of a hull's surface. Objects that stand by themselves have none; what belongs to a wall does."""
_SAMPLES = 3000
"""Pixels of each kind in a photo that colours are learned from."""
# In shares of the root of a silhouette's area, which is about the object's width.
_BAND = 0.03
"""Around the outline of a hull that is still coarse, where colours decide."""
_EDGE = 0.015
"""Around the last one's; less of a shadow fits into it."""
_CLEAR = 0.02
"""From the outline on, where pixels serve as samples."""
_AROUND = 0.5
"""Around the outline, where nothing may look like the object that stands apart from it."""


@dataclass(frozen=True, eq=False)
class Carved:
    """What all photos agree on."""

    hull: Hull
    colours: Colours
    agreement: Float64[np.ndarray, "v"]
    """Of each photo's colours with the hull: intersection over union."""

    def cut(self, photo: SmallPhoto) -> Bool[np.ndarray, "h w"]:
        """The mask of a photo: by its colours near the hull's outline, by the hull elsewhere."""
        outline = self.hull.silhouette(photo.view, photo.camera)
        labels = _labels(outline, _EDGE)
        labels[_shrunk(outline, _width(outline, 2 * _EDGE))] = SURE_OBJECT
        return _cut(photo, labels, self.colours)


def carve(photos: SmallPhotos, orbit: Orbit, task: Task) -> Carved:
    """Find the hull, and the colours of what is in it.

    Raises:
        NoObjectError: the photos agree on nothing, or on more than their frames hold.
    """
    parts = (task.part(number, _PASSES) for number in range(_PASSES))
    allowed = _allowed(photos, orbit)
    hull = _first_block(photos.object_world, orbit, allowed)
    colours = learn(photos.each(partial(_sample_seeds, hull), next(parts)))
    _carve(hull, hull, colours, photos, next(parts))
    for _ in range(_FINE_ROUNDS):
        colours = learn(photos.each(partial(_sample_around, hull), next(parts)))
        prior, hull = hull, hull.refined(_FINE, allowed)
        _carve(prior, hull, colours, photos, next(parts))
    if _cut_off(hull, photos, orbit) > _MOST_CUT_OFF:
        raise NoObjectError("what stands there goes on beyond the frame of most photos")
    agreement = [*photos.each(partial(_agreement, hull, colours), next(parts))]
    return Carved(hull, colours, np.array(agreement))


def _cut_off(hull: Hull, photos: SmallPhotos, orbit: Orbit) -> float:
    """The share of the hull's surface, but for its base, that ends where the photos do."""
    beside, ground = hull.places_around(), photos.seeds.ground
    if ground:
        beside = beside[ground.height(beside) > MARGIN * orbit.distance]
    return float((shared(photos.views, beside) < COMMON).mean()) if len(beside) else 0.0


def _sample_seeds(hull: Hull, photo: SmallPhoto) -> Samples:
    """Around sparse points, and outside of where the object may be at all."""
    outside = ~_grown(hull.silhouette(photo.view, photo.camera), 1)
    near, far = _grown(photo.object_spots, 1), _grown(photo.rest_spots, 1)
    return _samples(photo, near & ~far, (far | outside) & ~near)


def _sample_around(hull: Hull, photo: SmallPhoto) -> Samples:
    outline = hull.silhouette(photo.view, photo.camera)
    clear_px = _width(outline, _CLEAR)
    return _samples(photo, _shrunk(outline, clear_px), ~_grown(outline, clear_px))


def _carve(prior: Hull, hull: Hull, colours: Colours, photos: SmallPhotos, task: Task) -> None:
    """Cut all photos within a hull, and carve another one, or itself, by that."""

    def vote(photo: SmallPhoto) -> None:
        outline = prior.silhouette(photo.view, photo.camera)
        mask = _cut(photo, _labels(outline, _BAND), colours)
        hull.vote(photo.view, photo.camera, mask)

    for _ in photos.each(vote, task):
        pass
    hull.carve()


def _agreement(hull: Hull, colours: Colours, photo: SmallPhoto) -> float:
    """Of the hull with what colours alone say of it and what is around it."""
    outline = hull.silhouette(photo.view, photo.camera)
    mask = _cut(photo, _labels(outline, _AROUND), colours)
    return float((outline & mask).sum() / max(1, (outline | mask).sum()))


def _allowed(photos: SmallPhotos, orbit: Orbit) -> Allowed:
    ground = photos.seeds.ground

    def allowed(places_world: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
        above = np.ones(len(places_world), bool)
        if ground:
            above = ground.height(places_world) > MARGIN / 2 * orbit.distance
        above[above] = shared(photos.views, places_world[above]) >= COMMON
        return above

    return allowed


def _first_block(points_world: Float[np.ndarray, "n 3"], orbit: Orbit, allowed: Allowed) -> Hull:
    low, high = np.percentile(points_world, [2, 98], axis=0)
    room, farthest = _ROOM * float((high - low).max()), _FARTHEST * orbit.distance
    low = np.maximum(low - room, orbit.centre_world - farthest)
    high = np.minimum(high + room, orbit.centre_world + farthest)
    if not (low < high).all():
        raise NoObjectError("what stands apart is not where the cameras look")
    return Hull(low, high, _COARSE, allowed)


def _cut(
    photo: SmallPhoto, labels: UInt8[np.ndarray, "h w"], colours: Colours
) -> Bool[np.ndarray, "h w"]:
    """The photo's own mask, where it has one."""
    if photo.given is not None:
        return photo.given
    # Dark stems of bright fruit have too few pixels for the colours that all photos share.
    sure = np.where(photo.object_spots & (labels != SURE_REST), SURE_OBJECT, labels)
    return cut_out(photo.rgb, sure.astype(np.uint8), colours)


def _labels(outline: Bool[np.ndarray, "h w"], band: float) -> UInt8[np.ndarray, "h w"]:
    """Colours decide in an outline and around it; band: how far, in shares of its width."""
    around = _grown(outline, _width(outline, band))
    return np.where(around, MAYBE_REST, SURE_REST).astype(np.uint8)


def _samples(
    photo: SmallPhoto, is_object: Bool[np.ndarray, "h w"], is_rest: Bool[np.ndarray, "h w"]
) -> Samples:
    if photo.given is not None:
        is_object, is_rest = photo.given, ~photo.given
    return Samples(*(_some(photo.rgb[where]) for where in (is_object, is_rest)))


def _some(colours: UInt8[np.ndarray, "n 3"]) -> UInt8[np.ndarray, "m 3"]:
    """Spread over the picture."""
    return colours[:: max(1, len(colours) // _SAMPLES)]


def _width(outline: Bool[np.ndarray, "h w"], share: float) -> int:
    return max(2, round(share * float(np.sqrt(outline.sum()))))


def _grown(mask: Bool[np.ndarray, "h w"], by_px: int) -> Bool[np.ndarray, "h w"]:
    away_px = cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(away_px <= by_px)


def _shrunk(mask: Bool[np.ndarray, "h w"], by_px: int) -> Bool[np.ndarray, "h w"]:
    return ~_grown(~mask, by_px)
