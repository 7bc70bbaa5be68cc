"""A run's results -> one row of numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from recon3d.bench.depth_scores import (
    ConfidenceBin,
    DepthErrors,
    confidence_bins,
    depth_errors,
)
from recon3d.bench.metrics import CameraErrors, align_cameras, camera_errors, confirmations
from recon3d.bench.reference import (
    DepthSight,
    fuse_sensor,
    observed,
    read_peer,
    within_reach,
)
from recon3d.bench.rows import BenchRow
from recon3d.bench.sets import BenchSet
from recon3d.bench.shape import ShapeScores, shape_scores
from recon3d.bench.surface import Reference, SurfaceErrors, depth_renderer, surface_errors
from recon3d.bench.texture import TextureScores, TrueTexture, colour_error, texture_scores
from recon3d.bench.truth import CamerasByPhoto, at_camera
from recon3d.core.camera import PinholeCamera
from recon3d.core.depth import PredictedDepth
from recon3d.core.scene import PosedPhotos, View
from recon3d.core.surface import Mesh
from recon3d.core.transform import Rigid, Similarity
from recon3d.depth.covisibility import rank_neighbours
from recon3d.export.meshes import read_mesh
from recon3d.photos.depth_images import read_depth_m
from recon3d.photos.naming import match_by_name
from recon3d.results import Results
from recon3d.sfm.given_cameras import read_given_cameras
from recon3d.texture.texture import read_photo_of_face

_JUDGES = 10
"""Most covisible views that a depth map is compared with for the agreement."""
_Depth = tuple[Float[np.ndarray, "h w"], PinholeCamera]
_TrueDepth = Callable[[str, PinholeCamera], Float[np.ndarray, "h w"]]


def measure(name: str, bench_set: BenchSet, folder: Path, results: Results) -> BenchRow:
    """Compare whatever the run has made with whatever is known of the set."""
    posed = results.posed.value if results.posed else None
    truth = bench_set.true_cameras(folder) if bench_set.true_cameras else {}
    true_depth = _true_depth(results, bench_set, folder, truth)
    photos = results.image_set.value.photos if results.image_set else ()
    unread = results.image_set.value.verdicts if results.image_set else ()
    return BenchRow(
        name=name,
        what=bench_set.what,
        unit=bench_set.unit,
        photos=len(photos) + len(unread),
        placed=len(posed.scene.views) if posed else 0,
        cameras=_camera_errors(posed, truth) if posed else None,
        raw_depth=_depth_errors(results, _find_raw(results), true_depth),
        confidence_bins=_confidence_bins(results, true_depth),
        depth=_depth_errors(results, _find_fused(results), true_depth),
        agreement=_agreement(results),
        surface=_surface_errors(results, bench_set, folder, truth, true_depth),
        shape=_shape_scores(results),
        texture=texture_of(results, bench_set, folder, truth),
        faces=len(results.mesh.value.faces) if results.mesh else 0,
        stages={made.stage: made.cost for made in results.stages},
        notes=(*_left_out(results), *results.warnings),
    )


def _left_out(results: Results) -> list[str]:
    judged = (results.image_set, results.posed)
    verdicts = [verdict for made in judged if made for verdict in made.value.verdicts]
    return [f"left out {v.photo_id}: {v.reason}" for v in verdicts if not v.used]


def _poses(posed: PosedPhotos) -> dict[str, Rigid]:
    return {view.photo_id: view.cam_from_world for view in posed.scene.views}


def _camera_errors(posed: PosedPhotos, truth: CamerasByPhoto) -> CameraErrors | None:
    poses = _poses(posed)
    return camera_errors(poses, truth) if len(poses.keys() & truth.keys()) >= 3 else None


def _depth_errors(
    results: Results, find: Callable[[str], _Depth | None], truth: _TrueDepth | None
) -> DepthErrors | None:
    """Over all pixels of all placed photos together."""
    if not (results.posed and truth):
        return None

    def maps(views: Sequence[View], truth: _TrueDepth) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for view in views:
            # A photo without depth is all holes.
            empty = np.zeros((view.camera.height_px, view.camera.width_px))
            depth_z, camera = find(view.photo_id) or (empty, view.camera)
            yield depth_z.astype(np.float32), truth(view.photo_id, camera).astype(np.float32)

    views = results.posed.value.scene.views
    return depth_errors(maps(views, truth)) if views else None


def _confidence_bins(results: Results, truth: _TrueDepth | None) -> tuple[ConfidenceBin, ...]:
    if not (truth and results.aligned and results.posed):
        return ()
    if results.posed.value.sensor_depth:
        return ()
    return confidence_bins(
        (found.values, truth(photo_id, found.camera).astype(np.float32), found.confidence)
        for photo_id, found in results.aligned.value.items()
    )


def _find_raw(results: Results) -> Callable[[str], _Depth | None]:
    predictions = results.aligned.value if results.aligned else {}

    def find(photo_id: str) -> _Depth | None:
        found = predictions.get(photo_id)
        return (found.values, found.camera) if found else None

    return find


def _find_fused(results: Results) -> Callable[[str], _Depth | None]:
    maps = results.depth.value if results.depth else {}

    def find(photo_id: str) -> _Depth | None:
        found = maps.get(photo_id)
        return (found.depth_z, found.camera) if found else None

    return find


def _true_depth(
    results: Results, bench_set: BenchSet, folder: Path, truth: CamerasByPhoto
) -> _TrueDepth | None:
    """True depth_z by photo and camera, in the scene's unit; None where nobody knows it."""
    if not (results.image_set and results.posed and results.aligned):
        return None
    if bench_set.true_mesh:
        true_z = depth_renderer(read_mesh(folder / bench_set.true_mesh))
        scale = align_cameras(_poses(results.posed.value), truth).scale

        def rendered(photo_id: str, camera: PinholeCamera) -> np.ndarray:
            return true_z(View(photo_id, camera, truth[photo_id])) / scale

        return rendered
    if bench_set.true_depth:
        intrinsics = bench_set.inputs(folder).intrinsics
        given = read_given_cameras(results.image_set.value, intrinsics, None).intrinsics
        files = {path.name: path for path in (folder / bench_set.true_depth).iterdir()}
        names = match_by_name(given, files)

        # The poses are given in metres, so the scene's unit is the sensor's.
        def sensed(photo_id: str, camera: PinholeCamera) -> np.ndarray:
            truth_z = read_depth_m(files[names[photo_id]], 0.001)
            return at_camera(truth_z, given[photo_id].pinhole, camera)

        return sensed
    return None


def _agreement(results: Results) -> float | None:
    """Mean over the placed photos; one without depth counts as unconfirmed."""
    if not (results.aligned and results.posed and not results.posed.value.sensor_depth):
        return None
    predictions, scene = results.aligned.value, results.posed.value.scene
    shares = []
    for view, others in zip(scene.views, rank_neighbours(scene, _JUDGES), strict=True):
        reference = predictions.get(view.photo_id)
        if reference is None:
            shares.append(0.0)
            continue
        judges = _placed(predictions, [scene.views[other] for other in others])
        counts = confirmations(reference.values, reference.camera, view.cam_from_world, judges)
        mask = results.posed.value.masks.get(view.photo_id)
        wanted = 1.0 if mask is None else float(mask.mean())
        shares.append(float((counts >= 2).mean()) / max(wanted, 1e-6))
    return float(np.mean(shares))


def _placed(
    predictions: Mapping[str, PredictedDepth], views: Sequence[View]
) -> Iterator[tuple[np.ndarray, PinholeCamera, Rigid]]:
    for view in views:
        if prediction := predictions.get(view.photo_id):
            yield prediction.values, prediction.camera, view.cam_from_world


def texture_of(
    results: Results, bench_set: BenchSet, folder: Path, truth: CamerasByPhoto
) -> TextureScores | None:
    """How good the texture is, against true colours where they are known; None without one."""
    if not (results.textured and results.posed):
        return None
    textured = results.textured.value
    scores = texture_scores(textured, read_photo_of_face(results.textured.folder))
    if not bench_set.true_texture:
        return scores
    true_texture = TrueTexture.read(folder / bench_set.true_texture)
    truth_from_world = align_cameras(_poses(results.posed.value), truth)
    error, compared = colour_error(textured, true_texture, truth_from_world)
    return replace(scores, colour_error=error, compared=compared)


def _shape_scores(results: Results) -> ShapeScores | None:
    if not (results.mesh and results.posed):
        return None
    posed = results.posed.value
    return shape_scores(results.mesh.value, posed.scene.views, posed.masks)


def _surface_errors(
    results: Results,
    bench_set: BenchSet,
    folder: Path,
    truth: CamerasByPhoto,
    true_depth: _TrueDepth | None,
) -> SurfaceErrors | None:
    if not (results.mesh and results.posed and results.image_set):
        return None
    inputs = bench_set.inputs(folder)
    given = read_given_cameras(results.image_set.value, inputs.intrinsics, inputs.poses)
    # Sets without other true cameras are given theirs.
    cameras = truth or given.cam_from_world
    views = [
        View(photo_id, given.intrinsics[photo_id].pinhole, cam_from_truth)
        for photo_id, cam_from_truth in cameras.items()
        if photo_id in given.intrinsics
    ]
    reference = _reference(bench_set, folder, views, true_depth)
    if reference is None:
        return None
    truth_from_world = _truth_from_world(_poses(results.posed.value), cameras)
    found = results.mesh.value
    moved = (truth_from_world @ found.vertices.astype(np.float64)).astype(np.float32)
    return surface_errors(Mesh(moved, found.faces), reference)


def _reference(
    bench_set: BenchSet, folder: Path, views: Sequence[View], true_depth: _TrueDepth | None
) -> Reference | None:
    """The set's true mesh, a peer's, or the sensor's own surface; None where there is none."""
    lengths = bench_set.thresholds_m
    reach = bench_set.reach
    near = partial(within_reach, views=views, reach=reach) if reach else None
    if bench_set.true_mesh:
        name = f"the true mesh up to {reach:g} m from a camera" if reach else "the true mesh"
        true_mesh = read_mesh(folder / bench_set.true_mesh)
        return Reference(true_mesh, views, name, lengths, near, near)
    if bench_set.peer_mesh:
        peer = read_peer(folder / bench_set.peer_mesh)
        return Reference(peer, views, bench_set.peer_name, lengths, near, near)
    if lengths and true_depth:
        maps = [DepthSight(true_depth(view.photo_id, view.camera), view) for view in views]
        # A surface that lies too deep by less than the largest threshold is still to be blamed.
        judged = partial(observed, maps=maps, behind=max(lengths))
        name = "the depth camera's own surface, where it saw any"
        return Reference(fuse_sensor(maps), views, name, lengths, judged)
    return None


def _truth_from_world(poses: CamerasByPhoto, truth: CamerasByPhoto) -> Similarity:
    """Exactly nothing where the run kept the given frame: a fit would add its own small error."""
    common = poses.keys() & truth.keys()
    ends = [(poses[name].inverse(), truth[name].inverse()) for name in common]
    if all(np.allclose(a.matrix(), b.matrix(), atol=1e-6) for a, b in ends):
        return Similarity.from_rigid(Rigid.identity())
    return align_cameras(poses, truth)
