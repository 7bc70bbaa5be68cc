"""Pictures of a mesh by ray casting: no window, no GPU, no graphics driver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, UInt8

from recon3d.core.camera import PinholeCamera, pixel_rays
from recon3d.core.surface import Mesh, TexturedMesh, normals_of
from recon3d.core.transform import Rigid
from recon3d.run.files import atomic_path
from recon3d.surface.colour import SurfaceColour, TextureColour, VertexColour, interpolated
from recon3d.surface.rays import ray_scene

BACKGROUND = (236, 238, 241)
_CLAY = np.array([206, 201, 194], np.float32)
_BACK = np.array([112, 124, 148], np.float32)
_FIELD_OF_VIEW_DEG = 36.0
# Rays through each pixel, along each side. Texels are finer than triangles: too few would flicker.
_SAMPLES, _TEXTURE_SAMPLES = 2, 3
# Cast at a time, at about 200 bytes each.
_RAYS = 1_500_000
# A room seen from outside shows its inside after this many walls at most.
_MAX_WALLS = 4


@dataclass(frozen=True, eq=False)
class Still:
    """One view of a mesh, in its own colours and as clay under a headlight."""

    colour: UInt8[np.ndarray, "h w 3"]
    """The same as clay where the mesh has no colours."""
    clay: UInt8[np.ndarray, "h w 3"]
    """Backs of faces are bluish."""


@dataclass(frozen=True)
class Viewpoint:
    """Where to look from."""

    camera: PinholeCamera
    cam_from_world: Rigid


class StillRenderer:
    """Holds the mesh ready for rays; building it costs more than a picture."""

    def __init__(self, model: Mesh | TexturedMesh) -> None:
        """Needs at least one face."""
        mesh = model.mesh if isinstance(model, TexturedMesh) else model
        self._scene, self._tensor = ray_scene(mesh.vertices, mesh.faces)
        self._faces = mesh.faces
        self._normals = normals_of(mesh)
        self._samples = _SAMPLES
        self._colour: SurfaceColour | None = None
        if isinstance(model, TexturedMesh):
            self._samples = _TEXTURE_SAMPLES
            self._colour = TextureColour(model)
        elif mesh.rgb is not None:
            self._colour = VertexColour(mesh.rgb, mesh.faces)

    def render(self, view: Viewpoint, *, backs: bool = True) -> Still:
        """Cast several rays through each pixel.

        backs: False looks through faces seen from behind, so that a room shows its inside.
        """
        camera = view.camera
        rows = max(1, _RAYS // (camera.width_px * self._samples**2))
        bands = [
            self._band(replace(camera, height_px=height, cy_px=camera.cy_px - top), view, backs)
            for top in range(0, camera.height_px, rows)
            for height in [min(rows, camera.height_px - top)]
        ]
        colour, clay = zip(*bands, strict=True)
        return Still(np.vstack(colour), np.vstack(clay))

    def _band(
        self, camera: PinholeCamera, view: Viewpoint, backs: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Colour and clay of a few rows of the picture."""
        fine = camera.resized(camera.width_px * self._samples, camera.height_px * self._samples)
        world_from_cam = view.cam_from_world.inverse()
        directions = (pixel_rays(fine).reshape(-1, 3) @ world_from_cam.rotation.T).astype(
            np.float32
        )
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        face, uv, facing = self._cast(world_from_cam.translation, directions, backs=backs)
        hit = face >= 0
        face, uv, facing = face[hit], uv[hit], facing[hit]
        weights = np.column_stack([1 - uv.sum(1), uv]).astype(np.float32)
        normals = interpolated(self._normals, self._faces[face], weights)
        length = np.linalg.norm(normals, axis=1)
        cosine = np.abs(np.einsum("ij,ij->i", normals, directions[hit]))
        light = 0.25 + 0.75 * cosine / np.where(length > 0, length, 1)
        clay = np.where(facing[:, None], _CLAY, _BACK) * light[:, None]
        colour = self._colour.at(face, weights) if self._colour else clay
        return self._picture(colour, hit, camera), self._picture(clay, hit, camera)

    def _picture(
        self, values: np.ndarray, hit: np.ndarray, camera: PinholeCamera
    ) -> UInt8[np.ndarray, "h w 3"]:
        rays = np.full((len(hit), 3), BACKGROUND, np.float32)
        rays[hit] = values
        count = self._samples
        means = rays.reshape(camera.height_px, count, camera.width_px, count, 3).mean((1, 3))
        picture: np.ndarray = np.rint(means).astype(np.uint8)
        return picture

    def _cast(
        self,
        centre: Float[np.ndarray, "3"],
        directions: Float32[np.ndarray, "n 3"],
        *,
        backs: bool,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Per ray: index of the face (-1 = none), its barycentric uv, whether it faces us."""
        face = np.full(len(directions), -1, np.int64)
        uv = np.zeros((len(directions), 2), np.float32)
        facing = np.zeros(len(directions), bool)
        todo = np.arange(len(directions))
        start = np.broadcast_to(centre.astype(np.float32), directions.shape).copy()
        for _ in range(1 if backs else _MAX_WALLS):
            rays = np.hstack([start[todo], directions[todo]])
            answer = self._scene.cast_rays(self._tensor(rays))
            distance = answer["t_hit"].numpy()
            met = np.isfinite(distance)
            towards = (
                np.einsum("ij,ij->i", answer["primitive_normals"].numpy(), directions[todo]) < 0
            )
            keep = met & (towards | backs)
            kept = todo[keep]
            face[kept] = answer["primitive_ids"].numpy()[keep]
            uv[kept] = answer["primitive_uvs"].numpy()[keep]
            facing[kept] = towards[keep]
            through = met & ~keep
            todo = todo[through]
            # A little beyond the wall, else the ray meets it again.
            start[todo] += directions[todo] * (distance[through] * (1 + 1e-5))[:, None]
            if len(todo) == 0:
                break
        return face, uv, facing


def turntable(
    vertices_world: Float32[np.ndarray, "v 3"],
    upright_from_world: Rigid,
    count: int,
    *,
    arc_deg: float = 360.0,
    elevation_deg: float = 20.0,
    size_px: tuple[int, int] = (640, 480),
) -> list[Viewpoint]:
    """Viewpoints around a model that fill the picture with it.

    They are spread over arc_deg around the side that faces -y of the upright frame, where the
    photos were taken from; a full turn starts there.
    """
    upright = upright_from_world @ vertices_world[:: max(1, len(vertices_world) // 20_000)]
    # Without the outermost half percent a floater does not shrink the model to a dot.
    low, high = np.percentile(upright, [0.5, 99.5], axis=0)
    upright = upright[((upright >= low) & (upright <= high)).all(1)]
    middle = (low + high) / 2
    width_px, height_px = size_px
    focal_px = max(size_px) / 2 / np.tan(np.radians(_FIELD_OF_VIEW_DEG / 2))
    camera = PinholeCamera(width_px, height_px, focal_px, focal_px, width_px / 2, height_px / 2)
    if arc_deg >= 360:
        azimuths = np.arange(count) * 360 / count
    else:
        azimuths = np.linspace(-arc_deg / 2, arc_deg / 2, count) if count > 1 else np.zeros(1)
    return [
        Viewpoint(
            camera, _framed(upright, middle, azimuth, elevation_deg, camera) @ upright_from_world
        )
        for azimuth in azimuths
    ]


def contact_sheet(
    target: Path, pictures: Sequence[UInt8[np.ndarray, "h w 3"]], columns: int, gap_px: int = 6
) -> None:
    """Write pictures of one size as rows of a sheet, for documents; .jpg or .png.

    Raises:
        OutputError: the place cannot be written.
    """
    from PIL import Image

    height_px, width_px, _ = pictures[0].shape
    rows = -(-len(pictures) // columns)
    sheet = Image.new(
        "RGB",
        (columns * (width_px + gap_px) - gap_px, rows * (height_px + gap_px) - gap_px),
        (255, 255, 255),
    )
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        place = (column * (width_px + gap_px), row * (height_px + gap_px))
        sheet.paste(Image.fromarray(picture), place)
    with atomic_path(target) as part:
        sheet.save(part, quality=88)


def _framed(
    points: Float[np.ndarray, "n 3"],
    middle: Float[np.ndarray, "3"],
    azimuth_deg: float,
    elevation_deg: float,
    camera: PinholeCamera,
) -> Rigid:
    """cam_from_upright that sees all points from a direction, as near as they allow."""
    azimuth, elevation = np.radians(azimuth_deg), np.radians(elevation_deg)
    backward = np.array(
        [
            np.sin(azimuth) * np.cos(elevation),
            -np.cos(azimuth) * np.cos(elevation),
            np.sin(elevation),
        ]
    )
    right = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    rotation = np.stack([right, np.cross(-backward, right), -backward])
    seen = (points - middle) @ rotation.T
    half = np.array([camera.width_px / 2 / camera.fx_px, camera.height_px / 2 / camera.fy_px]) * 0.9
    # Slide sideways to the middle of what is seen, then back until the widest point fits.
    centre = (seen.min(0) + seen.max(0)) / 2
    seen = seen - centre * [1, 1, 0]
    distance = float((np.abs(seen[:, :2]) / half - seen[:, 2:]).max())
    translation = -rotation @ middle - centre * [1, 1, 0] + [0, 0, distance]
    return Rigid(rotation, translation)
