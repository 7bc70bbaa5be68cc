"""From a pixel of the user's photo to the point of the model that it shows."""

from __future__ import annotations

import difflib
from functools import cached_property

import numpy as np
from jaxtyping import Float

from recon3d.core.camera import project
from recon3d.core.errors import InputError
from recon3d.core.orientation import DescribedPixels, Size, turn_pixels, turned_size
from recon3d.core.scene import ImageSet, Photo, PosedScene, View
from recon3d.core.surface import Mesh
from recon3d.core.triangulation import LocatedPoint, ray_in_world, triangulate
from recon3d.georef.known_scale import PhotoPixel
from recon3d.sfm.undistortion import distort_pixels, intrinsics_of, undistort_pixels
from recon3d.surface.rays import MeshRays

# How well people click.
CLICK_PX = 1.0
# What a depth along the ray may be wrong by where no second view measures it.
_LONE_DEPTH = 0.05
_NEAR_SHARE = 0.05
_NEAREST = 8


class NoPlaceError(InputError):
    """A pixel cannot be brought into space; the message is the reason."""


def find_photo(image_set: ImageSet, pixel: PhotoPixel) -> Photo:
    """The photo that a user means, by its whole name or the end of it.

    Raises:
        InputError: no photo or several have the name, or the pixel lies outside.
    """
    names = [photo.id for photo in image_set.photos]
    found = [photo for photo in image_set.photos if photo.id == pixel.photo] or [
        photo
        for photo in image_set.photos
        if f"/{photo.id}".lower().endswith(f"/{pixel.photo}".lower())
    ]
    if not found:
        near = difflib.get_close_matches(pixel.photo, names, n=1, cutoff=0.0)
        raise InputError(
            f'--scale names the photo "{pixel.photo}", but there is none.',
            hint=f"Did you mean {near[0]}?" if near else "",
        )
    if len(found) > 1:
        raise InputError(
            f'--scale names the photo "{pixel.photo}", but {len(found)} are called so.',
            hint=f"Give its folder too: {found[0].id}.",
        )
    (photo,) = found
    if is_outside(upright_pixel(photo, pixel, image_set.orientation), _size(photo)):
        raise InputError(
            f"--scale names pixel {pixel.column:g},{pixel.row:g} of {photo.id}, which has only "
            f"{photo.width_px} x {photo.height_px}.",
            hint="Count columns, then rows, from the upper left corner of the upright photo.",
        )
    return photo


def is_outside(pixel: PhotoPixel, size: Size) -> bool:
    """Whether a picture of that size does not hold the pixel."""
    return not (0 <= pixel.column <= size[0] and 0 <= pixel.row <= size[1])


def upright_pixel(photo: Photo, pixel: PhotoPixel, described: DescribedPixels) -> PhotoPixel:
    """The pixel of the upright photo; what only the stored one holds is one of that."""
    orientation, size = photo.exif.orientation, _size(photo)
    stored = turned_size(size, orientation)
    if pixel.is_upright or described == "upright":
        return pixel
    if described == "auto" and not is_outside(pixel, size):
        return pixel
    if described == "auto" and is_outside(pixel, stored):
        return pixel
    # Viewers count pixels, turning is about the picture's corner.
    corner_px = np.array([pixel.column, pixel.row]) + 0.5
    column, row = (turn_pixels(corner_px, stored, orientation) - 0.5).tolist()
    return PhotoPixel(pixel.photo, column, row)


def _size(photo: Photo) -> Size:
    return photo.width_px, photo.height_px


def photo_pixel(
    scene: PosedScene, image_set: ImageSet, view: View, uv_px: Float[np.ndarray, "2"]
) -> PhotoPixel:
    """Where the user's own photo shows what its undistorted view shows at uv_px.

    Raises:
        InputError: the image set does not hold the photo, or it does not reach that far.
    """
    photo = find_photo(image_set, PhotoPixel(view.photo_id, 0.0, 0.0))
    taken_px = distort_pixels(uv_px[None], intrinsics_of(scene, photo, view), view.camera)[0]
    column, row = (taken_px - 0.5).tolist()
    pixel = PhotoPixel(view.photo_id, column, row)
    if is_outside(pixel, _size(photo)):
        raise InputError(f"{view.photo_id} does not reach as far as its undistorted picture there.")
    return pixel


def view_pixel(
    scene: PosedScene, image_set: ImageSet, pixel: PhotoPixel
) -> tuple[View, Float[np.ndarray, "2"]]:
    """The undistorted view of a photo, and where it shows what the photo shows at a pixel.

    Raises:
        NoPlaceError: the photo was not placed.
        InputError: there is no such photo, or the pixel lies outside.
    """
    photo = find_photo(image_set, pixel)
    try:
        view = scene.view(photo.id)
    except KeyError:
        raise NoPlaceError(f"{photo.id} was not placed") from None
    pixel = upright_pixel(photo, pixel, image_set.orientation)
    # Viewers count pixels, we measure from the picture's corner.
    uv_px = np.array([[pixel.column + 0.5, pixel.row + 0.5]])
    return view, undistort_pixels(uv_px, intrinsics_of(scene, photo, view), view.camera)[0]


class BackProjector:
    """Holds the model ready for rays."""

    def __init__(self, scene: PosedScene, image_set: ImageSet, mesh: Mesh) -> None:
        """Mesh: of the surface, or the sparse points without faces before there is one."""
        self._scene, self._image_set, self._mesh = scene, image_set, mesh

    def back_project(self, pixels: tuple[PhotoPixel, ...]) -> LocatedPoint:
        """Triangulate a point that several photos show; one photo's ray ends on the surface.

        Raises:
            NoPlaceError: a photo was not placed, or there is nothing where the ray goes.
        """
        sightings = [view_pixel(self._scene, self._image_set, pixel) for pixel in pixels]
        if len(sightings) == 1:
            return self._on_surface(*sightings[0], pixels[0])
        views = [view for view, _ in sightings]
        uv_px = np.stack([uv for _, uv in sightings])
        point = triangulate(views, uv_px, CLICK_PX)
        if point is None:
            names = " and ".join(pixel.photo for pixel in pixels)
            raise NoPlaceError(f"the pixels in {names} do not show the same point")
        return point

    def _on_surface(self, view: View, uv_px: np.ndarray, pixel: PhotoPixel) -> LocatedPoint:
        if len(self._mesh.faces) == 0:
            point, spread = self._among_points(view, uv_px, pixel)
        else:
            point, spread = self._on_mesh(view, uv_px, pixel)
        ray = ray_in_world(view, uv_px)
        along = self._depth_sigma(view, point) ** 2 * np.outer(ray, ray)
        return LocatedPoint(point, spread + along)

    def _on_mesh(
        self, view: View, uv_px: np.ndarray, pixel: PhotoPixel
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where the ray meets the mesh, and how far a click beside it would have landed."""
        offsets = np.array([[0, 0], *((u, v) for u in (-1, 0, 1) for v in (-1, 0, 1))])
        directions = np.stack([ray_in_world(view, uv_px + CLICK_PX * step) for step in offsets])
        distance = self._rays.distances(view.centre_world, directions)
        if not np.isfinite(distance[0]):
            raise NoPlaceError(
                f"the model has a hole at {pixel.column:g},{pixel.row:g} of {pixel.photo}; name "
                "the same point in a second photo, joined by +"
            )
        met = np.isfinite(distance)
        points = view.centre_world + directions[met] * distance[met, None].astype(np.float64)
        away = points[1:] - points[0]
        # The nine clicks have two thirds of the variance of one pixel in each direction.
        spread = away.T @ away / max(1, len(away)) * 1.5
        return points[0], spread

    @cached_property
    def _rays(self) -> MeshRays:
        return MeshRays(self._mesh)

    def _among_points(
        self, view: View, uv_px: np.ndarray, pixel: PhotoPixel
    ) -> tuple[np.ndarray, np.ndarray]:
        """At the depth of the nearest sparse points that the view sees."""
        points = self._scene.points
        seen = points.seen_by(self._scene.views.index(view))
        shown_px, depth_z = project(
            view.cam_from_world @ points.xyz_world[seen].astype(np.float64), view.camera
        )
        away_px = np.linalg.norm(shown_px - uv_px, axis=1)
        nearest = np.argsort(away_px, kind="stable")[:_NEAREST]
        nearest = nearest[away_px[nearest] < _NEAR_SHARE * view.camera.width_px]
        if len(nearest) < 3:
            raise NoPlaceError(
                f"there is no surface yet at {pixel.column:g},{pixel.row:g} of {pixel.photo}; "
                "name the same point in a second photo, joined by +"
            )
        middle = float(np.median(depth_z[nearest]))
        ray = ray_in_world(view, uv_px)
        reach = middle / float(view.cam_from_world.rotation[2] @ ray)
        sigma = float(np.std(depth_z[nearest])) + CLICK_PX * middle / view.camera.fx_px
        return view.centre_world + reach * ray, sigma**2 * np.eye(3)

    def _depth_sigma(self, view: View, point: np.ndarray) -> float:
        """A pixel's worth of depth, as seen by the two views that look from furthest apart."""
        towards = np.stack([other.centre_world for other in self._scene.views]) - point
        distances = np.linalg.norm(towards, axis=1)
        own = view.centre_world - point
        reach = float(np.linalg.norm(own))
        cosines = towards @ own / np.maximum(distances * reach, 1e-300)
        # Matching across more than this fails, however far around the other camera stands.
        widest = min(np.radians(40), float(np.arccos(np.clip(cosines, -1, 1)).max()))
        return min(
            _LONE_DEPTH * reach,
            CLICK_PX * reach / view.camera.fx_px / max(float(np.sin(widest)), 1e-6),
        )
