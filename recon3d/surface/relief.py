"""One photo alone: the depth that a network sees in it becomes a relief, open where it ends."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from jaxtyping import Bool, Float

from recon3d.core.camera import PinholeCamera, backproject
from recon3d.core.depth import DepthEstimator, PredictedDepth, SceneDepth
from recon3d.core.errors import EstimatorError, TooLittleDepthError
from recon3d.core.ranges import Range, check_ranges
from recon3d.core.scene import PosedPhotos
from recon3d.core.surface import Mesh, PointCloud, vertex_normals
from recon3d.depth import files as depth_files
from recon3d.run.files import FileMapping
from recon3d.run.stage import Stage
from recon3d.run.task import Task
from recon3d.surface import files as surface_files
from recon3d.surface.cleaning.pieces import keep_faces, piece_of_face
from recon3d.surface.relief_mesh import depth_of_relative, relief_faces, without_horizon

_MESH, _CLOUD = "mesh.npz", "cloud.npz"

_LENS = {
    "exif": "The focal length ({lens}) is what EXIF says, true unless the photo was cropped.",
    "depth network": "The focal length ({lens}) is what the depth network believes.",
    "guessed": "The photo does not say its focal length, so it was guessed ({lens}).",
}
"""By where it comes from; what the user gave needs no word."""
_WRONG_LENS = (
    "If the real lens was wider the model is too deep, if longer too flat: give --intrinsics if "
    "you know them."
)
_SCALE = {
    "relative": "This depth has no scale, and far parts are a guess: lengths are in units of the "
    "median distance.",
    "metric": "Depth comes from one photo: its metres, and far parts most of all, are what the "
    "network believes and no measurement.",
}
"""By kind of depth."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ReliefConfig:
    """How the depth of a single photo becomes a surface."""

    steepest_deg: Annotated[float, Range(above=0, below=90)] = 80.0
    """Angle between the line of sight and the surface's normal from which a jump of depth is cut
    open. Lower it where objects still drag skirts behind them; higher keeps steeper floors."""

    jump: Annotated[float, Range(least=0)] = 0.05
    """Change of depth within a few pixels, as a share of it, from which a steep surface is cut."""

    farthest: Annotated[float, Range(above=1)] = 50.0
    """What is this many times farther away than the nearest things is taken for the sky and left
    out."""

    reach: Annotated[float, Range(above=1)] = 10.0
    """For networks whose depth knows neither scale nor shift: how many times farther than the
    nearest things the farthest ones are at most. A guess; higher makes the model deeper."""

    min_island: Annotated[float, Range(least=0, below=1)] = 0.002
    """Drop pieces that cover less than this share of the photo."""

    raw_faces: Annotated[int, Range(least=0)] = 1_600_000
    """At most this many triangles before decimation, which takes about 5 seconds a million. Larger
    depth maps give a vertex for every second or third pixel only; 0 takes every pixel."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        check_ranges(self, "relief")


def check_estimator(estimator: DepthEstimator) -> None:
    """Refuse one that needs other photos.

    Raises:
        EstimatorError: it does.
    """
    if estimator.source_views:
        raise EstimatorError(
            f"{estimator.name} finds depth by comparing photos, and there is only one.",
            hint="Take more photos, or leave --depth-model to auto, which takes a network that "
            "needs one photo only; `recon3d models` lists others.",
        )


def settle_depth(
    posed: PosedPhotos,
    predictions: Mapping[str, PredictedDepth],
    config: ReliefConfig,
    folder: Path,
    task: Task,
) -> None:
    """Write the only photo's SceneDepth into `folder`, without the sky.

    Metres stay metres; relative depth gets a median of 1. A depth camera's map passes as it is.
    The ramps that networks draw across edges stay in it, for `build_relief` to cut.

    Raises:
        TooLittleDepthError: nothing is left.
    """
    ((photo_id, prediction),) = predictions.items()
    task.step(0, 1)
    mask = _mask(posed, prediction, photo_id)
    depth_z = np.where(mask, prediction.values, 0).astype(np.float32)
    if prediction.kind == "relative":
        depth_z = depth_of_relative(depth_z, config.farthest, config.reach)
    elif prediction.kind == "metric":
        depth_z = without_horizon(depth_z, config.farthest)
    if not (depth_z > 0).any():
        raise _nothing_left(photo_id)
    agreeing_views = (depth_z > 0).astype(np.float32)
    path = depth_files.depth_file_paths(folder, [photo_id])[photo_id]
    depth_files.write_scene_depth(
        path, SceneDepth(depth_z, agreeing_views, prediction.camera, photo_id)
    )
    task.step(1, 1, photo_id)


def read_depth(folder: Path) -> Mapping[str, SceneDepth]:
    """Read what `settle_depth` wrote, when asked."""
    return FileMapping(depth_files.depth_file_paths(folder), depth_files.read_scene_depth)


def build_relief(
    posed: PosedPhotos,
    depth: Mapping[str, SceneDepth],
    config: ReliefConfig,
    folder: Path,
    task: Task,
) -> None:
    """Write the mesh whose vertices are pixels of the depth map, and them as a cloud.

    Raises:
        TooLittleDepthError: no piece is large enough.
    """
    import cv2

    ((photo_id, found),) = depth.items()
    depth_z, camera = _thinned(found, config.raw_faces)
    task.step(0, 3)
    faces = relief_faces(depth_z, camera, steepest_deg=config.steepest_deg, jump=config.jump)
    task.step(1, 3, f"{len(faces):,} faces")
    points_cam = backproject(depth_z, camera).reshape(-1, 3)
    world_from_cam = posed.scene.view(photo_id).cam_from_world.inverse()
    size = (camera.width_px, camera.height_px)
    rgb = cv2.resize(posed.rgb[photo_id], size, interpolation=cv2.INTER_AREA)
    every = Mesh((world_from_cam @ points_cam).astype(np.float32), faces, rgb=rgb.reshape(-1, 3))
    mesh = _without_islands(every, config.min_island * depth_z.size)
    if len(mesh.faces) == 0:
        raise _nothing_left(photo_id)
    task.step(2, 3, f"{len(mesh.faces):,} faces without islands")
    assert mesh.rgb is not None, "every vertex is a pixel of the photo"
    normals = vertex_normals(mesh)
    surface_files.save_cloud(folder / _CLOUD, PointCloud(mesh.vertices, mesh.rgb, normals))
    surface_files.save_mesh(folder / _MESH, replace(mesh, normals=normals))
    task.step(3, 3)
    logger.info("relief of %d faces from %s", len(mesh.faces), photo_id)


def read_relief(folder: Path) -> tuple[Mesh, PointCloud]:
    """Read what `build_relief` wrote."""
    return surface_files.load_mesh(folder / _MESH), surface_files.load_cloud(folder / _CLOUD)


def in_unit_of_depth(posed: PosedPhotos, predictions: Mapping[str, PredictedDepth]) -> PosedPhotos:
    """The scene in metres where its depth is."""
    if any(prediction.kind == "metric" for prediction in predictions.values()):
        return replace(posed, scene=replace(posed.scene, unit="metre"))
    return posed


def assumptions(posed: PosedPhotos, predictions: Mapping[str, PredictedDepth]) -> list[str]:
    """What the model stands on that nobody has measured, in a photographer's words."""
    ((photo_id, prediction),) = predictions.items()
    (estimate,) = posed.scene.cameras.values()
    camera = posed.scene.view(photo_id).camera
    angle_deg = 2 * np.degrees(np.arctan(camera.width_px / 2 / camera.fx_px))
    lens = f"{camera.fx_px:.0f} px, the photo is {angle_deg:.0f} degrees wide"
    found = []
    if estimate.source in _LENS:
        found.append(f"{_LENS[estimate.source].format(lens=lens)} {_WRONG_LENS}")
    if prediction.kind in _SCALE:
        found.append(_SCALE[prediction.kind])
    return found


def _mask(posed: PosedPhotos, like: PredictedDepth, photo_id: str) -> Bool[np.ndarray, "h w"]:
    import cv2

    size = (like.camera.width_px, like.camera.height_px)
    mask = posed.masks.get(photo_id)
    if mask is None:
        return np.ones(like.values.shape, bool)
    resized = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(resized).astype(bool)


def _thinned(found: SceneDepth, faces: int) -> tuple[Float[np.ndarray, "h w"], PinholeCamera]:
    """Every first, second, third ... pixel, exactly where it was, so that its faces are few."""
    rows, columns = found.depth_z.shape
    step = math.ceil(math.sqrt(2 * rows * columns / faces)) if faces else 1
    thin, camera = found.depth_z[::step, ::step], found.camera
    # The first pixel stays the first, so its centre stays at (0.5, 0.5).
    return thin, PinholeCamera(
        thin.shape[1],
        thin.shape[0],
        camera.fx_px / step,
        camera.fy_px / step,
        (camera.cx_px - 0.5) / step + 0.5,
        (camera.cy_px - 0.5) / step + 0.5,
    )


def _without_islands(mesh: Mesh, pixels: float) -> Mesh:
    """Keep what covers at least so many pixels: two faces each."""
    piece = piece_of_face(mesh)
    return keep_faces(mesh, np.bincount(piece)[piece] >= 2 * pixels)


def _nothing_left(photo_id: str) -> TooLittleDepthError:
    return TooLittleDepthError(
        f"No surface was found in {photo_id}.",
        hint="Look at the photo and its mask, choose another --depth-model, or take more photos.",
    )


SETTLE = Stage(name="scale", result="depth", version=2, run=settle_depth, read=read_depth)
RELIEF = Stage(name="relief", result="surface", version=1, run=build_relief, read=read_relief)
