"""Planes in plain regions, on a slanted wall whose middle is bare."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import plane_scene
import pytest

from recon3d.core.camera import pixel_rays
from recon3d.core.depth import PredictedDepth, SceneDepth
from recon3d.core.errors import Cancelled
from recon3d.core.scene import PosedPhotos, PosedScene, SparsePoints, View
from recon3d.core.transform import Rigid
from recon3d.depth.consistency import RefineConfig, read_scene_depth, refine_depth
from recon3d.depth.estimate import read_predictions
from recon3d.depth.plain_regions import complete_plain_regions, is_needed, with_planes
from recon3d.depth.region_planes import RegionPlane, fit_planes, plain_regions
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Task, silent

CENTRES = ((0.0, 0.0, 0.0), (0.4, 0.0, 0.0), (-0.4, 0.0, 0.0), (0.0, 0.35, 0.0))
MIDDLE = (slice(40, 80), slice(50, 110))
"""Of the bare part, in the first photo."""


def a_task(*, workers: int = 1, cancel: CancelToken | None = None) -> Task:
    runtime = Runtime(device="cpu", workers=workers)
    return Task("test", silent, cancel or CancelToken(), runtime)


def bare_wall() -> tuple[PosedPhotos, dict[str, PredictedDepth], dict[str, np.ndarray]]:
    """Photos of a wall bare in the middle, depth too near there by any share, and the truth."""
    views, rgb, predictions, truth = [], {}, {}, {}
    for number, centre in enumerate(CENTRES):
        frame = plane_scene.frame(f"{number}.jpg", centre)
        view = View(frame.view_id, frame.camera, frame.cam_from_world)
        depth_z = plane_scene.depth_of_plane(view.camera, view.cam_from_world)
        points_cam = pixel_rays(view.camera) * depth_z[..., None].astype(np.float64)
        x, y, _ = np.moveaxis(view.cam_from_world.inverse() @ points_cam, -1, 0)
        bare = (np.abs(x) < 0.9) & (np.abs(y) < 0.6)
        photo = frame.rgb.copy()
        photo[bare] = 180
        wild = depth_z * np.where(bare, 0.85 - 0.05 * number, 1)
        confidence = np.where(bare, 0.1, 0.5).astype(np.float32)
        views.append(view)
        rgb[view.photo_id], truth[view.photo_id] = photo, depth_z
        predictions[view.photo_id] = PredictedDepth(
            wild.astype(np.float32), "scene", confidence, view.camera
        )
    xy = np.random.default_rng(1).uniform(-0.8, 0.8, (60, 2))
    xyz = np.column_stack([xy, plane_scene.OFFSET - xy @ plane_scene.NORMAL[:2]])
    seen = np.array([(p, v) for p in range(60) for v in range(len(CENTRES))])
    points = SparsePoints(xyz, np.zeros((60, 3), np.uint8), np.zeros(60), seen)
    scene = PosedScene(tuple(views), points, "scene")
    return PosedPhotos(scene, rgb, {}, {}, ()), predictions, truth


def slanted(shape: tuple[int, int] = (120, 160)) -> np.ndarray:
    """Depth of a plane whose inverse is affine in the photo."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (1 / (0.2 + 0.0005 * x + 0.0003 * y)).astype(np.float32)


def ring(region: np.ndarray, depth_z: np.ndarray, *, width_px: int = 2) -> np.ndarray:
    """The depth around a rectangular region, 0 inside."""
    rows, columns = np.nonzero(region.any(1))[0], np.nonzero(region.any(0))[0]
    grown = np.zeros_like(region)
    grown[
        rows[0] - width_px : rows[-1] + 1 + width_px,
        columns[0] - width_px : columns[-1] + 1 + width_px,
    ] = True
    return np.where(grown & ~region, depth_z, 0).astype(np.float32)


def first_plane(region: np.ndarray, known: np.ndarray, **settings: float) -> RegionPlane | None:
    return next(fit_planes(region, known, **settings), None)


@pytest.fixture
def region() -> np.ndarray:
    found = np.zeros((120, 160), bool)
    found[MIDDLE] = True
    return found


def test_regions_end_at_texture_and_at_faint_edges() -> None:
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 255, (240, 320, 3), np.uint8)
    photo[40:200, 40:160] = 150
    photo[40:200, 160:280] = 170
    photo[210:214, 300:304] = 90  # too small
    left, right = sorted(plain_regions(photo), key=lambda r: np.nonzero(r)[1].mean())
    for found, columns in ((left, slice(40, 160)), (right, slice(160, 280))):
        wall = np.zeros_like(found)
        wall[40:200, columns] = True
        assert not (found & ~wall).any()
        # Smoothing, the gradient and erosion take some three pixels of half the size per side.
        assert (found & wall).sum() > 0.75 * wall.sum()


def test_the_plane_is_that_of_the_surroundings(region: np.ndarray) -> None:
    truth = slanted()
    plane = first_plane(region, ring(region, truth))
    assert plane is not None
    # float32 depth; the fit is exact but for its rounding.
    np.testing.assert_allclose(plane.depth_z[region], truth[region], rtol=1e-5)
    assert (plane.depth_z[~region] == 0).all()
    assert plane.support == 1


def test_a_majority_behind_the_plane_is_taken_for_mirror_images(region: np.ndarray) -> None:
    truth = slanted()
    known = ring(region, truth)
    y, x = np.mgrid[:120, :160]
    mirrored = (x < 110) & (y < 81)
    known = np.where(mirrored, 1.6 * known, known).astype(np.float32)
    behind = (mirrored & (known > 0)).sum() / (known > 0).sum()
    assert behind > 0.5
    plane = first_plane(region, known)
    assert plane is not None
    np.testing.assert_allclose(plane.depth_z[region], truth[region], rtol=1e-5)
    assert plane.support == pytest.approx(1 - behind, abs=0.02)


def test_what_stands_before_a_plane_refutes_it(region: np.ndarray) -> None:
    known = ring(region, slanted())
    # The same share as above, but nearer: the rest may be the background seen past an object.
    y, x = np.mgrid[:120, :160]
    scattered = 0.5 * slanted() * np.random.default_rng(1).uniform(0.5, 1.5, known.shape)
    known = np.where((x < 110) & (y < 80) & (known > 0), scattered, known).astype(np.float32)
    assert first_plane(region, known) is None


def test_points_along_one_side_leave_the_plane_free_to_turn(region: np.ndarray) -> None:
    known = ring(region, slanted())
    known[:, 50:] = 0
    assert (known > 0).sum() >= 40
    assert first_plane(region, known) is None


def test_a_rounded_body_seen_from_afar_is_no_plane(region: np.ndarray) -> None:
    across = (np.arange(160) - 80) / 30.0
    body = np.broadcast_to(5 + 0.05 * across**2, (120, 160)).astype(np.float32)
    plane = first_plane(region, body)
    assert plane is not None
    assert plane.support > 0.9
    # Its relief is 1 % of the depth; where depth is known to a thousandth, that is no plane.
    fine = first_plane(region, body, tolerance=0.001 / 5)
    assert fine is None or fine.support < 0.5


def test_a_second_plane_does_without_the_points_of_the_first(region: np.ndarray) -> None:
    wall = slanted()
    y, x = np.mgrid[:120, :160]
    before = (y > 60) | (x < 55)
    known = ring(region, np.where(before, 0.6 * wall, wall))
    first, second = fit_planes(region, known)
    np.testing.assert_allclose(first.depth_z[region], 0.6 * wall[region], rtol=1e-5)
    np.testing.assert_allclose(second.depth_z[region], wall[region], rtol=1e-5)
    assert first.support + second.support == pytest.approx(1)


def test_nothing_known_gives_no_plane(region: np.ndarray) -> None:
    assert first_plane(region, np.zeros((120, 160), np.float32)) is None


def test_confirmed_relief_and_masks_stay_but_nothing_is_seen_through_a_wall() -> None:
    truth = slanted()
    camera = plane_scene.CAMERA
    photo = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    photo[MIDDLE] = 150
    known = truth.copy()
    known[MIDDLE] = 0
    relief, through = (slice(55, 60), slice(70, 75)), (slice(55, 60), slice(80, 85))
    known[relief] = 0.98 * truth[relief]
    known[through] = 1.5 * truth[through]
    guess = PredictedDepth(
        np.where(known > 0, known, 9).astype(np.float32),
        "scene",
        np.full(truth.shape, 0.2, np.float32),
        camera,
    )
    mask = np.ones((120, 160), bool)
    mask[:70] = False
    confirmed = SceneDepth(known, np.full(truth.shape, 3, np.float32), camera, "0.jpg")
    view = View("0.jpg", camera, Rigid.identity())
    completed = with_planes(view, guess, confirmed, photo, mask, [], a_task())
    inner = np.zeros(truth.shape, bool)
    inner[71:74, 60:100] = True
    np.testing.assert_allclose(completed.values[inner], truth[inner], rtol=1e-3)
    assert (completed.confidence[inner] > 0.8).all()
    assert (completed.values[:70] == 0).all()
    everything = with_planes(view, guess, confirmed, photo, None, [], a_task())
    np.testing.assert_array_equal(everything.values[relief], known[relief])
    np.testing.assert_allclose(everything.values[through], truth[through], rtol=1e-3)


@pytest.mark.parametrize("sure", [0.9, 0.2])
def test_a_plane_that_another_view_sees_through_is_none(sure: float) -> None:
    posed, predictions, truth = bare_wall()
    view, other = posed.scene.views[:2]
    # All that is known around the bare part stands before the wall; the other view sees the wall.
    known = np.where(predictions["0.jpg"].confidence > 0.3, 0.7 * truth["0.jpg"], 0)
    known = known.astype(np.float32)
    confirmed = SceneDepth(known, np.full(known.shape, 3, np.float32), view.camera, "0.jpg")
    wall = PredictedDepth(
        truth["1.jpg"], "scene", np.full(known.shape, sure, np.float32), other.camera
    )
    guess = replace(predictions["0.jpg"], values=truth["0.jpg"])
    rgb = posed.rgb["0.jpg"]
    completed = with_planes(view, guess, confirmed, rgb, None, [(other, wall)], a_task())
    kept = np.array_equal(completed.values, guess.values)
    assert kept == (sure > 0.5)


def test_a_bare_wall_is_confirmed_by_the_planes_of_other_views(tmp_path: Path) -> None:
    posed, predictions, truth = bare_wall()
    before, planes, after = (tmp_path / name for name in ("before", "planes", "after"))
    for folder in (before, planes, after):
        folder.mkdir()
    config = RefineConfig()
    refine_depth(posed, predictions, config, before, a_task())
    complete_plain_regions(posed, predictions, config, planes, a_task())
    completed = read_predictions(planes)
    refine_depth(posed, completed, config, after, a_task())
    left = read_scene_depth(before)["0.jpg"].depth_z[45:75, 55:105]
    found = read_scene_depth(after)["0.jpg"].depth_z[45:75, 55:105]
    assert (left > 0).mean() < 0.2
    assert (found > 0).mean() > 0.95
    error = (found / truth["0.jpg"][45:75, 55:105] - 1)[found > 0]
    assert np.abs(error).max() < 0.005
    assert (predictions["0.jpg"].values != completed["0.jpg"].values).any()


def test_threads_and_an_interruption_change_no_byte(tmp_path: Path) -> None:
    posed, predictions, _ = bare_wall()
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    whole.mkdir()
    halves.mkdir()
    complete_plain_regions(posed, predictions, RefineConfig(), whole, a_task(workers=3))
    complete_plain_regions(posed, predictions, RefineConfig(), halves, a_task())
    (halves / "2.jpg.npz").unlink()
    complete_plain_regions(posed, predictions, RefineConfig(), halves, a_task())
    names = sorted(path.name for path in whole.iterdir())
    assert names == sorted(path.name for path in halves.iterdir())
    assert all((whole / n).read_bytes() == (halves / n).read_bytes() for n in names)


def test_cancelling_stops_before_the_first_photo_is_written(tmp_path: Path) -> None:
    posed, predictions, _ = bare_wall()
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        complete_plain_regions(posed, predictions, RefineConfig(), tmp_path, a_task(cancel=cancel))
    assert not [*tmp_path.iterdir()]


def test_a_depth_camera_is_not_completed() -> None:
    posed, predictions, _ = bare_wall()
    assert is_needed(posed, RefineConfig())
    assert not is_needed(posed, RefineConfig(plain_regions=False))
    measured = {photo_id: each.values for photo_id, each in predictions.items()}
    assert not is_needed(replace(posed, sensor_depth=measured), RefineConfig())
