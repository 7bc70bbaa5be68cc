"""What there is to see, from finished stages or a mesh file; arrays in world coordinates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int32, UInt8

from recon3d.core.camera import project
from recon3d.core.depth import SceneDepth
from recon3d.core.errors import InputError
from recon3d.core.scene import ImageSet, PosedPhotos, Unit, View
from recon3d.core.surface import Mesh, PointCloud, TexturedMesh, normals_of
from recon3d.core.target_frame import TargetFrame
from recon3d.core.transform import Similarity
from recon3d.finished import read_stage
from recon3d.georef.upright import upright_from_world
from recon3d_gui.viewer.cameras import Bounds

MOST_POINTS = 4_000_000
_AGREES = 0.02
"""A depth map supports a vertex whose depth it knows within this share."""
_FROM_Y_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
_Y_UP = (".glb", ".gltf")


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles with everything that they can be coloured by."""

    vertices: Float32[np.ndarray, "v 3"]
    faces: Int32[np.ndarray, "f 3"]
    normals: Float32[np.ndarray, "v 3"]
    rgba: UInt8[np.ndarray, "v 4"]
    """The last one is how many photos' depth agrees; 0 until it is asked for."""


@dataclass(frozen=True, eq=False)
class Content:
    """One model, as far as it has come; None for what is not there yet."""

    model_from_world: Similarity = field(
        default_factory=lambda: Similarity(1.0, np.eye(3), np.zeros(3))
    )
    upright_from_model: Float[np.ndarray, "3 3"] = field(default_factory=lambda: np.eye(3))
    unit: Unit = "scene"
    has_frame: bool = False
    views: tuple[View, ...] = ()
    """In the world frame."""
    posed: PosedPhotos | None = None
    image_set: ImageSet | None = None
    sparse: PointCloud | None = None
    cloud: PointCloud | None = None
    growing: PointCloud | None = None
    """What is known of the cloud before there is one: while depth is computed."""
    surface: Surface | None = None
    textured: TexturedMesh | None = None
    """The same triangles with their pages, which are read when they are shown."""
    scene_key: str = ""
    depth_folder: tuple[str, Path] | None = None
    """Stage and folder of the depth maps that tell how sure the surface is."""
    mesh_folder: tuple[str, Path] | None = None
    """Stage and folder of the mesh that the surface is made of."""
    suggested: tuple[View, ...] = ()
    """Where the next photos would help, where the surface shows how well it is covered; in the
    world frame."""

    @property
    def shown_cloud(self) -> PointCloud | None:
        """The cloud, or as much of it as has grown."""
        return self.growing if self.cloud is None else self.cloud

    @property
    def can_grow(self) -> bool:
        """Cameras are all there is: the cloud is still to come."""
        return self.posed is not None and self.cloud is None and self.surface is None

    @property
    def anchor(self) -> Float[np.ndarray, "n 3"]:
        """The points that matter most, in the world frame."""
        if self.surface is not None and len(self.surface.vertices):
            return self.surface.vertices
        for cloud in (self.cloud, self.sparse):
            if cloud is not None and len(cloud.points):
                return cloud.points
        return np.array([view.centre_world for view in self.views]).reshape(-1, 3)

    @property
    def frame(self) -> TargetFrame:
        """How the model stands."""
        up_world = self.model_from_world.rotation.T @ self.upright_from_model[2]
        return TargetFrame(self.model_from_world, self.unit, up_world=up_world)

    @property
    def bounds(self) -> Bounds:
        """Of what matters most, in the model frame."""
        return Bounds.around(self.model_from_world @ _finite(self.anchor))

    @property
    def ground(self) -> float:
        """Where the grid lies along the upright z: 0 in an export frame."""
        if self.has_frame and np.allclose(self.upright_from_model, np.eye(3)):
            return 0.0
        upright = self.model_from_world @ _finite(self.anchor) @ self.upright_from_model.T
        return float(np.percentile(upright[:, 2], 1)) if len(upright) else 0.0


def read_content(
    reached: Mapping[str, Path], before: Content | None, old: Mapping[str, Path]
) -> Content:
    """Read what stages have made; what has not changed since `before` is taken over.

    old: the folders that `before` was read from.

    Raises:
        InputError: a folder is gone or damaged.
    """
    content = before if before is not None and old.get("pose") == reached.get("pose") else Content()
    same = {stage for stage, folder in reached.items() if before and old.get(stage) == folder}
    if content is not before:
        same = set()
    if "ingest" in reached and "ingest" not in same:
        content = replace(content, image_set=_read("ingest", reached))
    if "pose" in reached and "pose" not in same:
        posed: PosedPhotos = _read("pose", reached)
        points = posed.scene.points
        cloud = PointCloud(
            points.xyz_world.astype(np.float32),
            points.rgb,
            np.zeros((len(points.xyz_world), 3), np.float32),
        )
        content = replace(
            content,
            posed=posed,
            views=posed.scene.views,
            unit=posed.scene.unit,
            sparse=cloud,
            scene_key=str(reached["pose"]),
        )
    content = _with_surfaces(content, reached, old if same else {})
    depth = next((stage for stage in ("refine", "scale") if stage in reached), None)
    mesh = _latest_mesh(reached)
    content = replace(
        content,
        depth_folder=(depth, reached[depth]) if depth else None,
        mesh_folder=(mesh, reached[mesh]) if mesh else None,
    )
    return _with_frame(content, reached)


def _latest_mesh(reached: Mapping[str, Path]) -> str | None:
    """The last stage that has made a mesh."""
    return next((stage for stage in ("solid", "crop", "light", "mesh") if stage in reached), None)


def _with_surfaces(
    content: Content, reached: Mapping[str, Path], old: Mapping[str, Path]
) -> Content:
    raw = next((stage for stage in ("fuse", "relief") if stage in reached), None)
    if raw is None:
        content = replace(content, cloud=None)
    elif old.get(raw) != reached[raw] or content.cloud is None:
        _, cloud = _read(raw, reached)
        content = replace(content, cloud=subsampled(cloud, MOST_POINTS), growing=None)
    latest, before = _latest_mesh(reached), _latest_mesh(old)
    if latest is None:
        return replace(content, surface=None, textured=None)
    if "texture" in reached:
        if old.get("texture") != reached["texture"] or content.textured is None:
            textured: TexturedMesh = _read("texture", reached)
            content = replace(content, textured=textured, surface=surface_of(textured.mesh))
    elif (
        latest != before
        or old[latest] != reached[latest]
        or content.surface is None
        or content.textured is not None
    ):
        content = replace(content, textured=None, surface=surface_of(_read(latest, reached)))
    return content


def _with_frame(content: Content, reached: Mapping[str, Path]) -> Content:
    if "frame" in reached:
        frame: TargetFrame = _read("frame", reached)
        up_world = frame.up_world
        model_from_world, unit, has_frame = frame.target_from_world, frame.unit, True
    elif content.views:
        upright = upright_from_world(content.views, _finite(content.anchor))
        model_from_world, unit, has_frame = Similarity.from_rigid(upright), content.unit, False
        up_world = upright.rotation[2]
    else:
        return content
    up = np.array([0.0, 0, 1]) if up_world is None else model_from_world.rotation @ up_world
    return replace(
        content,
        model_from_world=model_from_world,
        unit=unit,
        has_frame=has_frame,
        upright_from_model=_rotation_to_z(up),
    )


def read_mesh_file(path: Path) -> Content:
    """A mesh of another program, z-up; the axes of glTF are turned.

    Raises:
        InputError: it cannot be read, or holds no triangles.
    """
    from recon3d.surface.foreign_meshes import read_foreign_mesh

    foreign = read_foreign_mesh(path)
    usable = np.isfinite(foreign.vertices).all(1)
    faces = foreign.faces[usable[foreign.faces].all(1)]
    if not len(faces):
        raise InputError(f"{path} holds no triangle whose corners are all numbers.")
    vertices = np.where(usable[:, None], foreign.vertices, 0)
    if path.suffix.lower() in _Y_UP:
        vertices = vertices @ _FROM_Y_UP.T
    # Far coordinates, as of surveys, would lose their digits in float32.
    origin = vertices[faces[0, 0]].copy() if np.abs(vertices).max() > 1e4 else np.zeros(3)
    mesh = Mesh((vertices - origin).astype(np.float32), faces.astype(np.int32))
    return Content(
        model_from_world=Similarity(1.0, np.eye(3), origin),
        surface=surface_of(mesh),
        has_frame=True,
        scene_key=str(path),
    )


def surface_of(mesh: Mesh) -> Surface:
    """With normals, and a clay colour where the mesh has none."""
    rgba = np.zeros((len(mesh.vertices), 4), np.uint8)
    rgba[:, :3] = (206, 201, 194) if mesh.rgb is None else mesh.rgb
    return Surface(mesh.vertices, mesh.faces, normals_of(mesh), rgba)


def subsampled(cloud: PointCloud, most: int) -> PointCloud:
    """At most so many points, evenly from all of them."""
    step = -(-len(cloud.points) // most) if len(cloud.points) > most else 1
    return PointCloud(cloud.points[::step], cloud.rgb[::step], cloud.normals[::step])


def support(
    points_world: Float32[np.ndarray, "n 3"],
    views: Sequence[View],
    depth: Mapping[str, SceneDepth],
    wait: Callable[[], None],
) -> UInt8[np.ndarray, "n"]:
    """How many photos' depth maps agree with each point, 255 at most.

    wait: called before each photo; may raise to stop.
    """
    count = np.zeros(len(points_world), np.uint8)
    for view in views:
        wait()
        found = depth.get(view.photo_id)
        if found is None:
            continue
        uv_px, z = project(view.cam_from_world @ points_world.astype(np.float64), found.camera)
        inside = (z > 0) & ((uv_px >= 0) & (uv_px < found.depth_z.shape[::-1])).all(1)
        column, row = uv_px[inside].astype(np.int64).T
        known = found.depth_z[row, column]
        agrees = np.zeros(len(count), bool)
        agrees[inside] = (known > 0) & (np.abs(known - z[inside]) < _AGREES * z[inside])
        count += agrees & (count < 255)
    return count


def _read(stage: str, reached: Mapping[str, Path]) -> Any:
    try:
        return read_stage(stage, reached[stage])
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(
            f"{reached[stage]} cannot be shown: it is gone or damaged.",
            hint="Start the run again; what is finished is not computed again.",
        ) from error


def _finite(points: np.ndarray) -> np.ndarray:
    sample = points[:: max(1, len(points) // 200_000)]
    finite: np.ndarray = sample[np.isfinite(sample).all(1)].astype(np.float64)
    return finite


def _rotation_to_z(up: np.ndarray) -> np.ndarray:
    """The smallest turn that brings a unit direction to +z; the identity where it is z already."""
    cosine = float(up[2])
    if cosine > 1 - 1e-9:
        return np.eye(3)
    if cosine < -1 + 1e-9:
        return np.diag([1.0, -1.0, -1.0])
    axis = np.cross(up, [0, 0, 1])
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + cross + cross @ cross / (1 + cosine)
