"""Which photos see which faces, how well, and in what colour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float32, Int16, UInt8

from recon3d.core.camera import PinholeCamera, pixel_rays, project
from recon3d.core.scene import PosedPhotos, View
from recon3d.core.surface import Mesh
from recon3d.run.items import Arrays, compute_items
from recon3d.run.task import Task
from recon3d.surface.rays import ray_scene

MOST_PHOTOS = 8
"""Photos that are kept for each face; more cost memory and hardly ever win."""
_MIN_COSINE = 0.1
"""Of the angle under which a face is seen: 84 degrees."""
_BORDER_PX = 2.0
_RIM_DEPTH = 0.97
"""Beside something nearer or farther by more than this, a face may show that thing's colour:
camera and surface are not exact to the pixel."""
_RIM_PENALTY = 0.05
_RIM_SHARE = 1 / 400
"""How wide such rims are, as a share of the photo's longer side."""
_DEPTH_PX = 800
_CORNERS_UP_TO = 600_000
"""Faces; with more of them each is small enough for its middle to stand for it."""
_FACE_BYTES, _PIXEL_BYTES = 600, 40
"""That looking at one photo takes; measured, with a margin."""


@dataclass(eq=False)
class Candidates:
    """The best photos of every face, in no order; view -1 where there are fewer."""

    view: Int16[np.ndarray, "f k"]
    quality: Float32[np.ndarray, "f k"]
    """Pixels that the face covers, weighted by sharpness and angle; 0 where there is no view."""
    area_px: Float32[np.ndarray, "f k"]
    rgb: UInt8[np.ndarray, "f k 3"]
    """Mean colour of the face."""

    @staticmethod
    def none(faces: int) -> Candidates:
        """Before any photo was looked at."""
        return Candidates(
            np.full((faces, MOST_PHOTOS), -1, np.int16),
            np.zeros((faces, MOST_PHOTOS), np.float32),
            np.zeros((faces, MOST_PHOTOS), np.float32),
            np.zeros((faces, MOST_PHOTOS, 3), np.uint8),
        )

    def add(
        self,
        view: int,
        face: np.ndarray,
        quality: Float32[np.ndarray, "n"],
        area_px: Float32[np.ndarray, "n"],
        rgb: UInt8[np.ndarray, "n 3"],
    ) -> None:
        """Take a photo for some faces, in place of their worst one where it is better."""
        slot = self.quality[face].argmin(1)
        better = quality > self.quality[face, slot]
        face, slot = face[better], slot[better]
        self.view[face, slot] = view
        self.quality[face, slot] = quality[better]
        self.area_px[face, slot] = area_px[better]
        self.rgb[face, slot] = rgb[better]

    def reject(self, which: Bool[np.ndarray, "f k"]) -> None:
        """Forget some photos of some faces."""
        self.view[which] = -1
        self.quality[which] = 0


def look_at_photos(
    posed: PosedPhotos, mesh: Mesh, folder: Path, task: Task, step: Callable[[float], None]
) -> Candidates:
    """What all photos show of a mesh.

    Args:
        posed: The photos; one that cannot be read any more is warned of and left out.
        mesh: With a face at least.
        folder: Of the stage.
        task: Of the stage.
        step: Told the share that is done; may raise to stop.
    """
    views = {view.photo_id: view for view in posed.scene.views}
    sizes = [view.camera.width_px * view.camera.height_px for view in views.values()]
    item_bytes = _FACE_BYTES * len(mesh.faces) + _PIXEL_BYTES * max(sizes, default=0)
    looking = _Looking(mesh, views, posed.rgb, posed.masks)
    found = Candidates.none(len(mesh.faces))
    with closing(
        compute_items(
            looking, [*views], item_bytes, folder, task, lambda done: step(done / len(views))
        )
    ) as looks:
        for number, look in enumerate(looks):
            if look:
                found.add(number, *look)
    return found


@dataclass(frozen=True, eq=False)
class _Looking:
    """Work on any photo; can be pickled before it begins."""

    mesh: Mesh
    views: Mapping[str, View]
    rgb: Mapping[str, UInt8[np.ndarray, "h w 3"]]
    masks: Mapping[str, Bool[np.ndarray, "h w"]]

    @cached_property
    def _sight(self) -> Sight:
        return Sight(self.mesh)

    def __call__(self, photo_id: str, task: Task) -> Arrays:
        """As `Sight.look`; nothing where the picture is lost."""
        try:
            rgb, mask = self.rgb[photo_id], self.masks.get(photo_id)
        except OSError as error:
            task.warn(
                f"{photo_id} gives no colours, because its picture in the workspace cannot be "
                f"read any more ({error.strerror or 'it is broken'})."
            )
            return ()
        return self._sight.look(self.views[photo_id], rgb, mask)


class Sight:
    """A mesh ready to be asked what a camera sees of it."""

    def __init__(self, mesh: Mesh) -> None:
        self._scene, self._tensor = ray_scene(mesh.vertices, mesh.faces)
        corners = mesh.vertices[mesh.faces]
        self.centroid: Float32[np.ndarray, "f 3"] = corners.mean(1)
        self._corners = corners
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        self._normal = normal / np.maximum(np.linalg.norm(normal, axis=1), 1e-30)[:, None]

    def look(
        self,
        view: View,
        rgb: UInt8[np.ndarray, "h w 3"],
        mask: Bool[np.ndarray, "h w"] | None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What one photo shows: (faces, quality, area in pixels, mean colour), a row per face.

        A face is seen when its middle, and with few faces its corners too, are inside the photo
        and its mask, in front, and not hidden.
        """
        camera = view.camera
        centre = view.centre_world.astype(np.float32)
        toward = centre - self.centroid
        cosine = np.einsum("ij,ij->i", self._normal, toward) / np.linalg.norm(toward, axis=1)
        face = np.flatnonzero(cosine > _MIN_COSINE)
        corners_px, corners_z = project(
            view.cam_from_world @ self._corners[face].astype(np.float64), camera
        )
        inside = (corners_z > 0).all(1) & _inside(corners_px, camera).all(1)
        face, corners_px = face[inside], corners_px[inside]
        middle_px = corners_px.mean(1)
        if mask is not None:
            kept = _at(mask, middle_px)
            for corner in range(3):
                kept &= _at(mask, corners_px[:, corner])
            face, corners_px, middle_px = face[kept], corners_px[kept], middle_px[kept]
        visible = self._unhidden(face, centre)
        face, corners_px, middle_px = face[visible], corners_px[visible], middle_px[visible]
        (ax, ay), (bx, by) = ((corners_px[:, corner] - corners_px[:, 0]).T for corner in (1, 2))
        area_px = (np.abs(ax * by - ay * bx) / 2).astype(np.float32)
        grain_px = float(np.sqrt(np.median(area_px))) if len(area_px) else 1.0
        colour, sharpness = _small_pictures(rgb, grain_px)
        # An error of the surface shifts colours by its size times the tangent of this angle, so
        # the angle counts for more than the pixels that it costs.
        quality = area_px * _sample(sharpness, middle_px, camera) * cosine[face] ** 2
        quality[self._on_rim(face, view, mask)] *= _RIM_PENALTY
        mean_rgb = np.rint(_sample(colour, middle_px, camera)).astype(np.uint8)
        return face, np.maximum(quality, 1e-6), area_px, mean_rgb

    def _unhidden(
        self, face: np.ndarray, centre: Float32[np.ndarray, "3"]
    ) -> Bool[np.ndarray, "n"]:
        visible = np.ones(len(face), bool)
        # Corners are drawn in a little: exactly on an edge a ray may hit the neighbour.
        samples = [(1 / 3, 1 / 3, 1 / 3)]
        if len(self.centroid) <= _CORNERS_UP_TO:
            samples += [(0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8)]
        for weights in samples:
            todo = np.flatnonzero(visible)
            target = np.einsum(
                "c,ncd->nd", np.array(weights, np.float32), self._corners[face[todo]]
            )
            rays = np.empty((len(todo), 6), np.float32)
            rays[:, :3], rays[:, 3:] = centre, target - centre
            hit = self._scene.cast_rays(self._tensor(rays))
            same = hit["primitive_ids"].numpy() == face[todo]
            visible[todo] = same | (hit["t_hit"].numpy() > 1 - 1e-3)
        return visible

    def _on_rim(
        self, face: np.ndarray, view: View, mask: Bool[np.ndarray, "h w"] | None
    ) -> Bool[np.ndarray, "n"]:
        """Whether a step in depth or the mask's border lies a few pixels beside each face."""
        import cv2

        camera = view.camera.fitted(_DEPTH_PX)
        world_from_cam = view.cam_from_world.inverse()
        rays = np.empty((camera.height_px, camera.width_px, 6), np.float32)
        rays[..., :3] = world_from_cam.translation
        rays[..., 3:] = pixel_rays(camera) @ world_from_cam.rotation.T
        # Directions have z = 1 in the camera, so the distance is depth_z; inf where nothing is.
        depth_z = self._scene.cast_rays(self._tensor(rays))["t_hit"].numpy()
        reach = max(1, round(_RIM_SHARE * max(depth_z.shape)))
        around = np.ones((2 * reach + 1,) * 2, np.uint8)
        points_cam = view.cam_from_world @ self.centroid[face].astype(np.float64)
        uv_px, own_z = project(points_cam, camera)
        rim = _at(cv2.erode(depth_z, around), uv_px) < _RIM_DEPTH * own_z
        rim |= _at(cv2.dilate(depth_z, around), uv_px) > own_z / _RIM_DEPTH
        if mask is not None:
            size = (camera.width_px, camera.height_px)
            kept = cv2.resize(mask.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
            rim |= _at(cv2.erode(kept, around), uv_px) == 0
        return np.asarray(rim)


def _small_pictures(
    rgb: UInt8[np.ndarray, "h w 3"], grain_px: float
) -> tuple[Float32[np.ndarray, "h2 w2 3"], Float32[np.ndarray, "h2 w2"]]:
    """The photo with a pixel for about every face, and how much detail lies around each pixel.

    Detail is the mean gradient over brightness, so that a short exposure is not a blurred one.
    """
    import cv2

    height, width = rgb.shape[:2]
    shrink = max(1.0, grain_px)
    size = (max(8, round(width / shrink)), max(8, round(height / shrink)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    slope = np.abs(cv2.Scharr(grey, cv2.CV_32F, 1, 0)) + np.abs(cv2.Scharr(grey, cv2.CV_32F, 0, 1))
    detail = cv2.resize(slope, size, interpolation=cv2.INTER_AREA)
    reach = (9, 9)
    brightness = cv2.blur(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), reach)
    sharpness = cv2.blur(detail, reach) / (brightness + 16)
    return small, np.sqrt(sharpness)


def _inside(uv_px: Float[np.ndarray, "*n 2"], camera: PinholeCamera) -> Bool[np.ndarray, "*n"]:
    u, v = uv_px[..., 0], uv_px[..., 1]
    wide, high = camera.width_px - _BORDER_PX, camera.height_px - _BORDER_PX
    return (u > _BORDER_PX) & (u < wide) & (v > _BORDER_PX) & (v < high)


def _at(picture: np.ndarray, uv_px: Float[np.ndarray, "n 2"]) -> np.ndarray:
    """The pixel that each position lies in."""
    height, width = picture.shape[:2]
    column = np.clip(uv_px[:, 0].astype(np.int64), 0, width - 1)
    row = np.clip(uv_px[:, 1].astype(np.int64), 0, height - 1)
    return np.asarray(picture[row, column])


def _sample(
    picture: np.ndarray, uv_px: Float[np.ndarray, "n 2"], camera: PinholeCamera
) -> np.ndarray:
    """Bilinear samples of a picture of any size at positions in pixels of the camera."""
    height, width = picture.shape[:2]
    scale = np.array([width / camera.width_px, height / camera.height_px])
    return sample(picture, uv_px * scale)


def sample(
    picture: np.ndarray, uv_px: Float[np.ndarray, "n 2"], *, cubic: bool = False
) -> np.ndarray:
    """Samples between pixels, whose first centre is (0.5, 0.5); the border goes on for ever."""
    import cv2

    count = len(uv_px)
    if count == 0:
        return np.zeros((0, *picture.shape[2:]), picture.dtype)
    # OpenCV's pictures have fewer than 32768 columns and rows, and start at (0, 0).
    wide = 1 << 14
    rows = -(-count // wide)
    maps = np.zeros((2, rows * wide), np.float32)
    maps[:, :count] = uv_px.T - 0.5
    found = cv2.remap(
        picture,
        maps[0].reshape(rows, wide),
        maps[1].reshape(rows, wide),
        cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(found).reshape(rows * wide, *picture.shape[2:])[:count]
