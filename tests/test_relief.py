"""The relief of a photo: true where depth is, open where it jumps, and of the right size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from box_before_plane import BOX_Z, CAMERA, NAME, NORMAL, OFFSET, is_box, true_depth

from recon3d.core.camera import PinholeCamera, backproject, pixel_rays, project
from recon3d.core.depth import DepthKind, PredictedDepth
from recon3d.core.errors import TooLittleDepthError
from recon3d.core.scene import PosedPhotos, PosedScene, SparsePoints, View
from recon3d.core.surface import Mesh
from recon3d.core.transform import Rigid
from recon3d.run.task import CancelToken, Task, silent
from recon3d.surface.mesh import MeshConfig, clean_relief, read_mesh
from recon3d.surface.relief import ReliefConfig, build_relief, read_depth, read_relief, settle_depth
from recon3d.surface.relief_mesh import (
    as_seen,
    depth_of_relative,
    from_seen,
    relief_faces,
    without_horizon,
)


def task() -> Task:
    return Task("test", silent, CancelToken())


def distances(vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From the plane and from the box's front, as shares of depth."""
    x, y, z = vertices.astype(np.float64).T
    beside = np.maximum(np.maximum(np.abs(x) - 0.5, np.abs(y) - 0.4), 0)
    return np.abs(vertices @ NORMAL - OFFSET) / z, np.hypot(z - BOX_Z, beside) / z


def faces_of(depth_z: np.ndarray, camera: PinholeCamera = CAMERA) -> np.ndarray:
    return relief_faces(depth_z, camera, steepest_deg=80.0, jump=0.05)


def posed_photo(mask: np.ndarray | None = None, cam_from_world: Rigid | None = None) -> PosedPhotos:
    views = (View(NAME, CAMERA, cam_from_world or Rigid.identity()),)
    scene = PosedScene(views, SparsePoints.empty(), "scene")
    grey = np.where(is_box(CAMERA), 200, 90).astype(np.uint8)
    rgb = np.repeat(grey[..., None], 3, axis=2)
    return PosedPhotos(scene, {NAME: rgb}, {} if mask is None else {NAME: mask}, {}, ())


def prediction(values: np.ndarray, kind: DepthKind = "metric") -> dict[str, PredictedDepth]:
    values = values.astype(np.float32)
    return {NAME: PredictedDepth(values, kind, np.ones_like(values), CAMERA)}


def relief_of(
    folder: Path,
    predictions: dict[str, PredictedDepth],
    posed: PosedPhotos | None = None,
    config: ReliefConfig = ReliefConfig(),  # noqa: B008 - frozen
) -> tuple[np.ndarray, Mesh]:
    """Settled depth and raw mesh."""
    posed = posed or posed_photo()
    settle_depth(posed, predictions, config, folder, task())
    depth = read_depth(folder)
    built = folder / "relief"
    built.mkdir()
    build_relief(posed, depth, config, built, task())
    return depth[NAME].depth_z, read_relief(built)[0]


# The surface


def test_vertices_lie_on_the_truth_and_no_face_bridges_the_edge_of_the_box(tmp_path: Path) -> None:
    _, mesh = relief_of(tmp_path, prediction(true_depth()))
    plane, box = distances(mesh.vertices)
    # float32 in, float32 out.
    assert np.minimum(plane, box).max() < 1e-6
    on_box = box < 1e-6
    assert (on_box[mesh.faces].all(1) | ~on_box[mesh.faces].any(1)).all()
    # Two triangles a cell, but for the cells that the outline crosses.
    inside = is_box(CAMERA)
    height, width = inside.sum(0).max(), inside.sum(1).max()
    crossed = 2 * (height + width) + 2 * 2
    assert len(mesh.faces) >= 2 * 159 * 119 - 2 * crossed
    assert mesh.rgb is not None
    assert (mesh.rgb[on_box] == 200).all()
    assert (mesh.rgb[~on_box] == 90).all()


def test_faces_are_counter_clockwise_seen_from_the_camera() -> None:
    depth_z = true_depth()
    corners = backproject(depth_z, CAMERA).reshape(-1, 3)[faces_of(depth_z)]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((normals * corners.mean(1)).sum(1) < 0).all()


def test_a_ramp_that_a_network_draws_over_the_edge_is_cut(tmp_path: Path) -> None:
    import cv2

    # As wide as a network at a quarter of the resolution blurs it.
    blurred = 1 / cv2.GaussianBlur(1 / true_depth(), (0, 0), 2.0)
    _, mesh = relief_of(tmp_path, prediction(blurred))
    plane, box = distances(mesh.vertices)
    # The jump is 25 % to 60 %; what is left of the ramp may deviate by the jump that is believed.
    assert np.mean(np.minimum(plane, box) > 0.1) < 0.002
    near_box = box < plane
    assert not (near_box[mesh.faces].any(1) & ~near_box[mesh.faces].all(1)).any()


def test_steps_of_a_depth_camera_do_not_tear_a_surface_apart() -> None:
    # 1 % steps over blocks of three pixels: each of them alone is steeper than 80 degrees at 1600
    # px, but a surface none the less.
    camera = PinholeCamera(320, 240, 1900.0, 1900.0, 160.0, 120.0)
    steps = np.random.default_rng(0).integers(0, 2, (80, 107)) * 0.01
    depth_z = (2.0 * (1 + np.kron(steps, np.ones((3, 3)))[:, :320])).astype(np.float32)
    assert len(faces_of(depth_z, camera)) == 2 * 319 * 239


def test_a_floor_is_whole_as_far_as_it_can_be_seen() -> None:
    camera = PinholeCamera.centred(160, 120, 150.0)
    down = pixel_rays(camera)[..., 1]
    depth_z = np.divide(1.5, down, out=np.zeros_like(down), where=down > 0).astype(np.float32)
    distance = depth_z * np.linalg.norm(pixel_rays(camera), axis=-1)
    # Seen at 80 degrees, the floor is 1.5 / cos(80) = 8.6 units away from the camera.
    seen = np.flatnonzero((distance > 0) & (distance < 8.4))
    assert len(seen) > 4000
    assert np.isin(seen, faces_of(depth_z, camera)).all()


def test_unknown_pixels_have_no_faces_and_their_neighbours_keep_theirs() -> None:
    depth_z = np.full((5, 6), 2.0, np.float32)
    depth_z[2, 3] = 0
    faces = relief_faces(depth_z, PinholeCamera.centred(6, 5, 5.0), steepest_deg=80.0, jump=0.05)
    # The four cells around it lose the triangle that has it for a corner, and no other.
    assert len(faces) == 2 * 5 * 4 - 4
    assert not (faces == 2 * 6 + 3).any()


def test_a_thinned_relief_has_every_third_pixel_exactly_where_it_was(tmp_path: Path) -> None:
    few = ReliefConfig(raw_faces=2 * 54 * 40)
    _, mesh = relief_of(tmp_path, prediction(true_depth()), config=few)
    plane, box = distances(mesh.vertices)
    assert np.minimum(plane, box).max() < 1e-6
    # Every third of 160 x 120 pixels.
    assert len(mesh.vertices) == 54 * 40
    uv_px, _ = project(mesh.vertices.astype(np.float64), CAMERA)
    assert np.abs((uv_px - 0.5 + 1.5) % 3 - 1.5).max() < 1e-3


def test_small_islands_are_dropped_and_large_ones_stay(tmp_path: Path) -> None:
    depth_z = np.zeros((120, 160), np.float32)
    depth_z[10:60, 10:60] = 2.0
    depth_z[90:94, 90:94] = 2.0
    depth_z[80:110, 10:40] = 9.0
    _, mesh = relief_of(tmp_path, prediction(depth_z))
    assert len(mesh.vertices) == 50 * 50 + 30 * 30


def test_decimation_keeps_gaps_edges_and_flat_parts_true(tmp_path: Path) -> None:
    turn = Rigid(np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]), np.array([1.0, 2, 3]))
    posed = posed_photo(cam_from_world=turn)
    _, raw = relief_of(tmp_path, prediction(true_depth()), posed)
    clean_relief(raw, turn, None, MeshConfig(faces=500), tmp_path, task())
    mesh = read_mesh(tmp_path)
    assert len(mesh.faces) <= 500
    vertices_cam = turn @ mesh.vertices
    plane, box = distances(vertices_cam)
    assert np.minimum(plane, box).max() < 1e-4
    near_box = box < plane
    assert (near_box[mesh.faces].all(1) | ~near_box[mesh.faces].any(1)).all()
    clean_relief(raw, turn, None, MeshConfig(faces=0), tmp_path, task())
    np.testing.assert_array_equal(read_mesh(tmp_path).vertices, raw.vertices)


def test_a_detail_in_front_outlives_bumps_far_away(tmp_path: Path) -> None:
    # Relief of 0.5 % of the depth everywhere: the left half is near, the right half far.
    rng = np.random.default_rng(3)
    depth_z = np.where(np.arange(160) < 80, 1.0, 10.0) * (1 + 0.005 * rng.random((120, 160)))
    _, raw = relief_of(tmp_path, prediction(depth_z))
    clean_relief(raw, Rigid.identity(), None, MeshConfig(faces=8000), tmp_path, task())
    z = read_mesh(tmp_path).vertices[:, 2]
    assert 0.3 < np.mean(z < 5) < 0.9


def test_seen_points_come_back_and_planes_stay_planes() -> None:
    points = backproject(true_depth(), CAMERA).reshape(-1, 3)[~is_box(CAMERA).ravel()]
    seen = as_seen(points, 3.0)
    np.testing.assert_allclose(from_seen(seen, 3.0), points, rtol=1e-6)
    centred = seen.astype(np.float64) - seen.mean(0)
    # float32 of numbers around one.
    assert np.linalg.svd(centred, compute_uv=False)[2] / np.sqrt(len(seen)) < 1e-7


# Scale


def test_relative_depth_gets_a_median_of_one_and_the_true_shape(tmp_path: Path) -> None:
    settled, _ = relief_of(tmp_path, prediction(7 / true_depth(), "relative"))
    assert np.median(settled) == pytest.approx(1, abs=1e-6)
    ratio = settled / true_depth()
    known = settled > 0
    assert np.ptp(ratio[known]) / ratio[known].mean() < 1e-5


def test_relative_depth_that_would_reach_too_far_is_shifted_to_its_reach() -> None:
    near_to_far = np.linspace(1.0, 0.03, 10_000, dtype=np.float32).reshape(100, 100)
    depth_z = depth_of_relative(near_to_far, farthest=50.0, reach=10.0)
    near, far = np.percentile(depth_z, [2, 98])
    assert far / near == pytest.approx(10, rel=0.01)
    assert np.median(depth_z) == pytest.approx(1, abs=1e-5)


def test_the_sky_is_left_out() -> None:
    metres = np.full((10, 10), 3.0, np.float32)
    metres[:4] = 5000.0
    assert (without_horizon(metres, 50.0)[:4] == 0).all()
    assert (without_horizon(metres, 50.0)[4:] == 3).all()
    assert (depth_of_relative(1 / metres, 50.0, 10.0)[:4] == 0).all()


def test_a_depth_cameras_map_passes_unchanged(tmp_path: Path) -> None:
    settled, _ = relief_of(tmp_path, prediction(true_depth(), "scene"))
    np.testing.assert_array_equal(settled, true_depth())


def test_what_the_mask_hides_is_not_in_the_model(tmp_path: Path) -> None:
    settled, mesh = relief_of(tmp_path, prediction(true_depth()), posed_photo(is_box(CAMERA)))
    assert (settled[~is_box(CAMERA)] == 0).all()
    assert distances(mesh.vertices)[1].max() < 1e-6


@pytest.mark.parametrize("values", [np.zeros((120, 160)), np.eye(120, 160)])
def test_depth_that_leaves_no_surface_says_so(values: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(TooLittleDepthError, match=r"photo\.jpg"):
        relief_of(tmp_path, prediction(values))
