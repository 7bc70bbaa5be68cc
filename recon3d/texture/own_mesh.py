"""The photos on a mesh of the user's own: edited or built anew in another program."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int, Int32, UInt8

from recon3d.core.camera import in_picture, project
from recon3d.core.errors import InputError
from recon3d.core.scene import PosedPhotos
from recon3d.core.surface import Mesh, face_areas, vertex_normals
from recon3d.core.transform import Similarity
from recon3d.run.stage import Stage
from recon3d.run.task import Task
from recon3d.surface.foreign_meshes import ForeignMesh, same_places
from recon3d.surface.rays import ray_scene
from recon3d.surface.subdivision import Subdivided, subdivide
from recon3d.surface.topology import face_neighbours
from recon3d.texture.graph import patches
from recon3d.texture.packing import Atlas
from recon3d.texture.texture import (
    TextureConfig,
    pack_for_photos,
    page_size_px,
    paint_faces,
    read_texture,
    save_texture,
    warnings,
)
from recon3d.texture.unwrap import Charts, unwrap

_LONGEST_PX = 24.0
"""Edges of faces that one photo colours: people model walls with two triangles, of which no photo
shows all."""
_MOST_FACES = 1_500_000
_TILE_SLACK = 1e-4
"""Beyond a page's border; programs round."""
_SIZE_SAMPLES = 2000
_SAMPLES_PX = 1024
_OVERLAP_WARNS, _OVERLAP_REFUSED = 0.001, 0.01
"""Shares of what a layout covers; less is where charts touch."""


@dataclass(frozen=True, eq=False)
class OwnMesh:
    """A mesh to paint, in the world."""

    mesh: Mesh
    """Vertices are doubled only where their normals differ."""
    uv: Float32[np.ndarray, "f 3 2"] | None
    """A layout to keep, 0 to 1 with the origin at the lower left; None: one is to be made."""
    page_of_face: Int32[np.ndarray, "f"]
    """From 0 on, none left out; all 0 where a layout is to be made."""
    gains: Float32[np.ndarray, "n 3"] | None
    """Of each photo, as the run has found them; None: they are found from this mesh."""

    @cached_property
    def digest(self) -> str:
        """Same digest, same content."""
        content = hashlib.sha256()
        mesh = self.mesh
        for array in (
            mesh.vertices, mesh.faces, mesh.normals, mesh.inferred,
            self.uv, self.page_of_face, self.gains,
        ):  # fmt: skip
            content.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
        return content.hexdigest()


def own_mesh(
    name: str,
    found: ForeignMesh,
    world_from_file: Similarity,
    gains: Float32[np.ndarray, "n 3"] | None,
    task: Task,
    *,
    keep_uv: bool,
) -> OwnMesh:
    """Bring a mesh of a file into the world, its layout checked.

    Faces without an area are left out.

    Args:
        name: Of the file, for people.
        found: Every vertex finite.
        world_from_file: From the file's axes and unit.
        gains: As `OwnMesh.gains`.
        task: Told what is worse than it looks.
        keep_uv: Keep the mesh's own layout instead of making one.

    Raises:
        InputError: its layout is to be kept and cannot be.
    """
    vertices = (world_from_file @ found.vertices).astype(np.float32)
    first, place = same_places(vertices)
    flat = Mesh(vertices[first], place[found.faces].astype(np.int32))
    kept = face_areas(flat) > 0
    normals = _normals(found, world_from_file, flat, place)
    # Formats double vertices along the seams of a layout, and STL everywhere.
    one, index = same_places(np.hstack([vertices, normals]))
    used, faces = np.unique(index[found.faces[kept]], return_inverse=True)
    mesh = Mesh(
        vertices[one[used]],
        faces.reshape(-1, 3).astype(np.int32),
        normals[one[used]],
        inferred=None if found.inferred is None else found.inferred[kept],
    )
    if not keep_uv:
        return OwnMesh(mesh, None, np.zeros(len(mesh.faces), np.int32), gains)
    _, page = np.unique(found.material_of_face[kept], return_inverse=True)
    page_of_face = page.astype(np.int32)
    uv = _checked_layout(name, found.uv[found.faces[kept]], page_of_face, task)
    return OwnMesh(mesh, uv, page_of_face, gains)


def _normals(
    found: ForeignMesh, world_from_file: Similarity, flat: Mesh, place: Int[np.ndarray, "v"]
) -> Float32[np.ndarray, "v 3"]:
    """The file's, which say where edges are hard; smooth ones where it has none."""
    smooth = vertex_normals(flat)[place]
    known = np.isfinite(found.normals).all(1, keepdims=True)
    turned = np.where(known, found.normals, 0) @ world_from_file.rotation.T
    return np.where(known, turned.astype(np.float32), smooth)


def _checked_layout(
    name: str, uv: Float[np.ndarray, "f 3 2"], page_of_face: Int32[np.ndarray, "f"], task: Task
) -> Float32[np.ndarray, "f 3 2"]:
    unwrap_hint = "Unwrap it in your program, or leave out --keep-uv: then a layout is made."
    missing = ~np.isfinite(uv).all((1, 2))
    if missing.any():
        told = "no UV layout" if missing.all() else f"no UV layout for {missing.mean():.0%} of it"
        raise InputError(
            f"{name} has {told} that could be kept.",
            hint=f"{unwrap_hint} A GLB keeps its layout only where the mesh has a material.",
        )
    low, high = uv.min((0, 1)), uv.max((0, 1))
    if low.min() < -_TILE_SLACK or high.max() > 1 + _TILE_SLACK:
        raise InputError(
            f"The UV layout of {name} leaves its picture: u goes from {low[0]:.3g} to "
            f"{high[0]:.3g} and v from {low[1]:.3g} to {high[1]:.3g}, where 0 to 1 can be kept.",
            hint="Pack its islands into one tile (in Blender: UV > Pack Islands); tiles (UDIM) and "
            "pictures that repeat cannot be painted.",
        )
    inside: Float32[np.ndarray, "f 3 2"] = np.clip(uv, 0, 1).astype(np.float32)
    overlap = _overlap(inside, page_of_face)
    if overlap > _OVERLAP_REFUSED:
        raise InputError(
            f"{overlap:.0%} of the UV layout of {name} lies on top of other parts of it, so one "
            "place of the texture would have to show several places of the mesh.",
            hint=unwrap_hint,
        )
    if overlap > _OVERLAP_WARNS:
        task.warn(
            f"{overlap:.1%} of the UV layout of {name} lies on top of other parts of it; there the "
            "texture shows one of them."
        )
    return inside


def _overlap(uv: Float32[np.ndarray, "f 3 2"], page_of_face: Int32[np.ndarray, "f"]) -> float:
    """The share of what is covered that is covered more than once.

    A layout without any area overlaps altogether.
    """
    covered = twice = 0
    # Beside the middles of texels, which edges of tidy layouts run through.
    steps = (np.arange(_SAMPLES_PX, dtype=np.float32) + 0.437) / _SAMPLES_PX
    for page in range(int(page_of_face.max(initial=0)) + 1):
        on_page = uv[page_of_face == page]
        corners = np.zeros((3 * len(on_page), 3), np.float32)
        corners[:, :2] = on_page.reshape(-1, 2)
        # One below the other: hits in one place would count once.
        corners[:, 2] = -np.repeat(np.arange(len(on_page)), 3)
        scene, tensor = ray_scene(corners, np.arange(len(corners)).reshape(-1, 3))
        rays = np.zeros((_SAMPLES_PX, 6), np.float32)
        rays[:, 0], rays[:, 2], rays[:, 5] = steps, 1, -1
        for v in steps:
            rays[:, 1] = v
            count = scene.count_intersections(tensor(rays)).numpy()
            covered += int((count > 0).sum())
            twice += int((count > 1).sum())
    return twice / covered if covered else 1.0


def paint_own_mesh(
    posed: PosedPhotos, own: OwnMesh, config: TextureConfig, folder: Path, task: Task
) -> None:
    """Write the textured mesh into `folder`, as `texture.texture_mesh` does.

    Large faces are painted in parts. The mesh leaves with the colours of its vertices, too.

    Raises:
        TooLittleDepthError: no photo sees any face.
    """
    first, place = same_places(own.mesh.vertices)
    # As one sheet: where its normals part a mesh still hangs together.
    sheet = Mesh(own.mesh.vertices[first], place[own.mesh.faces].astype(np.int32))
    fine = subdivide(sheet, _LONGEST_PX * _pixel_size(posed, sheet), _MOST_FACES)

    def lay_out(
        chosen: Int32[np.ndarray, "f"], area_px: Float32[np.ndarray, "f"]
    ) -> tuple[Atlas, int]:
        if own.uv is not None:
            return _kept(own.uv, own.page_of_face, fine, area_px, config), _islands(own)
        coarse = unwrap(sheet, task.check)
        xy = fine.spread(coarse.xy)
        charts = Charts(coarse.chart_of_face[fine.parent], xy, coarse.count)
        return pack_for_photos(charts, fine.mesh, chosen, area_px, config, task), charts.count

    made = paint_faces(posed, fine.mesh, lay_out, config, folder, task, own.gains)
    rgb: UInt8[np.ndarray, "v 3"] = np.rint(made.vertex_rgb[place]).astype(np.uint8)
    photo = _of_parents(made.photo_of_face, fine)
    if own.uv is None:
        uv = fine.gather(made.atlas.uv)
        page_of_face = np.zeros(len(sheet.faces), np.int32)
        page_of_face[fine.parent] = made.atlas.page_of_face
    else:
        uv, page_of_face = own.uv, own.page_of_face
    save_texture(folder, replace(own.mesh, rgb=rgb), uv, page_of_face, photo, made.numbers)


def _pixel_size(posed: PosedPhotos, mesh: Mesh) -> float:
    """What a pixel covers of the mesh, in scene units; infinite where no photo looks there."""
    middle = mesh.vertices[mesh.faces].mean(1, dtype=np.float64)
    middle = middle[:: max(1, len(middle) // _SIZE_SAMPLES)]
    found = [np.full(1, np.inf)]
    for view in posed.scene.views:
        camera = view.camera
        uv_px, depth_z = project(view.cam_from_world @ middle, camera)
        found.append(depth_z[in_picture(uv_px, camera)] / camera.fx_px)
    return float(np.median(np.concatenate(found)))


def _kept(
    uv: Float32[np.ndarray, "p 3 2"],
    page_of_face: Int32[np.ndarray, "p"],
    fine: Subdivided,
    area_px: Float32[np.ndarray, "f"],
    config: TextureConfig,
) -> Atlas:
    """The user's own layout, on pages as large as the photos' resolution is worth."""
    spread = fine.spread(uv)
    one, two = spread[:, 1] - spread[:, 0], spread[:, 2] - spread[:, 0]
    area = np.abs(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]) / 2
    seen = area_px > 0
    filled = float(area[seen].sum())
    page_px = page_size_px(config, area_px[seen], filled)
    pages = int(page_of_face.max(initial=0)) + 1
    scale = page_px * np.sqrt(filled / max(float(area_px.sum()), 1e-30))
    return Atlas(
        spread,
        page_of_face[fine.parent],
        pages,
        page_px,
        float(area.sum()) / pages,
        float(scale),
    )


def _islands(own: OwnMesh) -> int:
    """Pieces of the layout that hang together."""
    assert own.uv is not None
    where = np.dstack([own.uv, np.repeat(own.page_of_face[:, None, None], 3, 1)])
    _, corner = same_places(where.reshape(-1, 3).astype(np.float32))
    return patches(face_neighbours(corner.reshape(-1, 3)), np.zeros(len(own.uv), np.int32))[0]


def _of_parents(photo: Int32[np.ndarray, "f"], fine: Subdivided) -> Int32[np.ndarray, "p"]:
    """For every whole face the photo of its largest part that a photo shows; -1 = none."""
    area = np.where(photo >= 0, face_areas(fine.mesh), 0)
    order = np.argsort(area, kind="stable")
    out = np.full(int(fine.parent.max()) + 1, -1, np.int32)
    out[fine.parent[order]] = photo[order]
    return out


PAINT = Stage(
    name="own mesh",
    result="textured",
    version=3,
    run=paint_own_mesh,
    read=read_texture,
    libraries=("open3d", "opencv", "scipy", "numba"),
    warnings=warnings,
)
