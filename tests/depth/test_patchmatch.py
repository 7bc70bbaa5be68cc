"""Slanted-plane search, on a textured wall whose depth is known exactly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import plane_scene
import pytest

from recon3d.core.camera import pixel_rays
from recon3d.core.depth import PredictedDepth
from recon3d.core.errors import Cancelled
from recon3d.core.scene import PosedPhotos, PosedScene, SparsePoints, View
from recon3d.core.transform import Rigid
from recon3d.depth.consistency import RefineConfig
from recon3d.depth.estimate import read_predictions
from recon3d.depth.patchmatch import kernel
from recon3d.depth.patchmatch.kernel_types import Photos, Priors
from recon3d.depth.patchmatch.levels import (
    Picture,
    enlarged,
    inverse_of,
    nearest,
    side_by_side,
    with_slopes,
)
from recon3d.depth.patchmatch.search import _numbers
from recon3d.depth.patchmatch.stages import passes, search_unconfirmed
from recon3d.depth.patchmatch.triangles import triangulated
from recon3d.run.compiled import compiled
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Task, silent

CENTRES = ((0.0, 0.0, 0.0), (0.4, 0.0, 0.0), (-0.4, 0.0, 0.0), (0.0, 0.35, 0.0))
TURNS_DEG = (0.0, -4.0, 4.0, 0.0)
MIDDLE = (slice(40, 80), slice(50, 110))


def a_task(*, workers: int = 1, cancel: CancelToken | None = None) -> Task:
    runtime = Runtime(device="cpu", workers=workers)
    return Task("test", silent, cancel or CancelToken(), runtime)


def wall(*, faint: bool = False) -> tuple[PosedPhotos, dict[str, PredictedDepth], dict]:
    """Photos of a slanted wall, depth that is wrong by any share in the middle, and the truth."""
    views, rgb, predictions, truth = [], {}, {}, {}
    for number, (centre, turn_deg) in enumerate(zip(CENTRES, TURNS_DEG, strict=True)):
        frame = plane_scene.frame(f"{number}.jpg", centre, turn_deg)
        view = View(frame.view_id, frame.camera, frame.cam_from_world)
        depth_z = plane_scene.depth_of_plane(view.camera, view.cam_from_world)
        wild, confidence = depth_z.copy(), np.full(depth_z.shape, 0.5, np.float32)
        wild[MIDDLE] *= 0.8 - 0.05 * number
        confidence[MIDDLE] = 0.1
        photo = frame.rgb.copy()
        if faint:
            # Steps of 3 or 4 grey levels.
            photo = np.round(128 + 0.06 * (photo.astype(np.float64) - 128)).astype(np.uint8)
        views.append(view)
        rgb[view.photo_id], truth[view.photo_id] = photo, depth_z
        predictions[view.photo_id] = PredictedDepth(wild, "scene", confidence, view.camera)
    xy = np.random.default_rng(1).uniform(-0.8, 0.8, (60, 2))
    xyz = np.column_stack([xy, plane_scene.OFFSET - xy @ plane_scene.NORMAL[:2]])
    seen = np.array([(p, v) for p in range(60) for v in range(len(CENTRES))])
    points = SparsePoints(xyz, np.zeros((60, 3), np.uint8), np.zeros(60), seen)
    scene = PosedScene(tuple(views), points, "scene")
    return PosedPhotos(scene, rgb, {}, {}, ()), predictions, truth


def side_by_side_at_full_size(posed: PosedPhotos, *, inverse: dict | None = None) -> Photos:
    pictures = [
        Picture(
            view,
            view.camera,
            posed.rgb[view.photo_id][..., 0],
            inverse_of(inverse[view.photo_id]) if inverse else None,
        )
        for view in posed.scene.views
    ]
    return side_by_side(pictures[0], pictures[1:])


def window_of(photos: Photos, x: int, y: int) -> tuple[tuple, np.ndarray, np.ndarray]:
    weights, deviations = np.empty(36, np.float32), np.empty(36, np.float32)
    window = kernel._window(photos.reference, x, y, np.float32(2 * 12**2), weights, deviations)
    return window, weights, deviations


def unlike_in_numpy(photos: Photos, source: int, x: int, y: int, plane: np.ndarray) -> float:
    """1 - NCC of a window carried by the plane's homography, bilateral weights, 1 grey of noise."""
    offsets = np.arange(-5, 6, 2)
    dy, dx = (each.ravel() for each in np.meshgrid(offsets, offsets, indexing="ij"))
    own = photos.reference[y + dy, x + dx].astype(np.float64)
    weight = np.exp(-(dx**2 + dy**2) / 50 - (own - photos.reference[y, x]) ** 2 / (2 * 12**2))
    weight /= weight.sum()
    inverse = plane[0] + plane[1] * dx + plane[2] * dy
    at = photos.source_from_px[source].astype(np.float64) @ np.stack(
        [x + dx, y + dy, np.ones_like(dx), inverse]
    )
    u, v = at[:2] / at[2]
    i, j = np.floor(v).astype(int), np.floor(u).astype(int)
    picture = photos.sources[source].reshape(-1, photos.stride).astype(np.float64)
    right, down = u - j, v - i
    theirs = (
        picture[i, j] * (1 - right) * (1 - down)
        + picture[i, j + 1] * right * (1 - down)
        + picture[i + 1, j] * (1 - right) * down
        + picture[i + 1, j + 1] * right * down
    )
    own, theirs = own - weight @ own, theirs - weight @ theirs
    spread = np.sqrt((weight @ own**2 + 1) * (weight @ theirs**2 + 1))
    return float(1 - weight @ (own * theirs) / spread)


def test_unlikeness_is_that_of_plain_numpy() -> None:
    posed, _, truth = wall()
    photos = side_by_side_at_full_size(posed)
    planes = with_slopes(inverse_of(truth["0.jpg"]))
    rng = np.random.default_rng(0)
    for _ in range(200):
        x, y, source = rng.integers(50, 110), rng.integers(45, 75), rng.integers(3)
        plane = planes[y, x] * rng.uniform(0.9, 1.1)
        plane[1:] += rng.normal(0, 0.2 * plane[0] / 150, 2)
        window, weights, deviations = window_of(photos, x, y)
        found = kernel._unlike(photos, source, x, y, *plane, np.float32(1), window, weights,
                               deviations)  # fmt: skip
        # The homography's derivative stands in for it: some hundredths of a pixel at the rim.
        assert found == pytest.approx(unlike_in_numpy(photos, source, x, y, plane), abs=0.01)


def test_the_true_plane_looks_alike_and_a_steep_one_does_not() -> None:
    posed, _, truth = wall()
    photos = side_by_side_at_full_size(posed)
    x, y = 80, 60
    window, weights, deviations = window_of(photos, x, y)
    true = with_slopes(inverse_of(truth["0.jpg"]))[y, x]
    steep = true + true[0] / np.float32(150) * np.array([0, 3, 0], np.float32)
    alike, tilted = (
        kernel._unlike(photos, 0, x, y, *plane, np.float32(1), window, weights, deviations)
        for plane in (true, steep)
    )
    assert alike < 0.02
    assert tilted > 10 * alike
    # Outside of the source, and behind it.
    outside = np.float32(5), np.float32(0), np.float32(0)
    assert kernel._unlike(photos, 0, 2, y, *outside, np.float32(1), window, weights,
                          deviations) == kernel.WORST  # fmt: skip


def test_depth_that_another_view_agrees_with_leads_back_to_the_pixel() -> None:
    posed, _, truth = wall()
    photos = side_by_side_at_full_size(posed, inverse=truth)
    right = np.float32(1) / truth["0.jpg"][60, 80]
    # Looked up at the nearest pixel of a slanted wall.
    assert kernel._apart_px(photos, 0, 80, 60, right) < 0.2
    assert 1 < kernel._apart_px(photos, 0, 80, 60, right * np.float32(1.15)) <= 3
    unknown = photos._replace(inverse_z=np.zeros_like(photos.inverse_z))
    assert kernel._apart_px(unknown, 0, 80, 60, right) == 3


def test_a_plane_survives_a_change_of_resolution() -> None:
    y, x = np.mgrid[:120, :160].astype(np.float32)
    fine = (0.2 + 0.0005 * x + 0.0003 * y).astype(np.float32)
    coarse = with_slopes(nearest(fine, (30, 40)))
    inner = coarse[8:22, 8:32]
    np.testing.assert_allclose(inner[..., 1], 4 * 0.0005, rtol=1e-3)
    np.testing.assert_allclose(inner[..., 2], 4 * 0.0003, rtol=1e-3)
    back = enlarged(coarse, (120, 160))[32:88, 32:128]
    # The middle of four pixels is that of none: half a fine pixel to the right and down.
    np.testing.assert_allclose(back[..., 0], fine[32:88, 32:128] + 0.0004, rtol=1e-3)
    np.testing.assert_allclose(back[..., 1], 0.0005, rtol=1e-3)


def test_triangles_lie_between_confirmed_points_but_not_across_jumps() -> None:
    y, x = np.mgrid[:120, :160].astype(np.float32)
    inverse = (0.2 + 0.0005 * x + 0.0003 * y).astype(np.float32)
    known = np.zeros_like(inverse)
    known[5::20, 5::20] = 1 / inverse[5::20, 5::20]
    wanted = np.zeros((120, 160), bool)
    wanted[20:100, 20:140] = True
    votes = np.full(known.shape, 3, np.float32)
    planes = triangulated(known, votes, wanted)
    np.testing.assert_allclose(planes[wanted, 0], inverse[wanted], rtol=1e-4)
    np.testing.assert_allclose(planes[wanted, 1], 0.0005, rtol=1e-2)
    assert (planes[~wanted] == 0).all()
    known[:, 80:] *= 2
    planes = triangulated(known, votes, wanted)
    between = planes[20:100, 66:85, 0]
    assert (between == 0).all()
    assert (planes[20:100, 20:60, 0] > 0).all()


def test_two_points_make_no_triangle() -> None:
    known = np.zeros((40, 40), np.float32)
    known[10, 10] = known[30, 30] = 2
    assert (triangulated(known, known, np.ones((40, 40), bool)) == 0).all()


@pytest.mark.parametrize("faint", [False, True])
def test_what_no_view_confirms_is_found(tmp_path: Path, faint: bool) -> None:
    posed, predictions, truth = wall(faint=faint)
    search_unconfirmed(posed, predictions, RefineConfig(), tmp_path, a_task(), geometric=False)
    found = read_predictions(tmp_path)["0.jpg"]
    error = np.abs(found.values / truth["0.jpg"] - 1)
    assert (error[MIDDLE] < 0.01).mean() > 0.95
    assert found.confidence[MIDDLE].mean() > 0.6
    # What was confirmed already is not touched.
    corner = slice(10, 30), slice(60, 100)
    np.testing.assert_array_equal(found.values[corner], predictions["0.jpg"].values[corner])


def test_what_looks_alike_nowhere_stays(tmp_path: Path) -> None:
    """Views that all carry on the same plane over a bare part would confirm each other."""
    posed, predictions, _ = wall()
    rgb = {photo_id: photo.copy() for photo_id, photo in posed.rgb.items()}
    for photo in rgb.values():
        photo[MIDDLE] = 180
    posed = replace(posed, rgb=rgb)
    search_unconfirmed(posed, predictions, RefineConfig(), tmp_path, a_task(), geometric=False)
    found = read_predictions(tmp_path)["0.jpg"]
    inner = slice(52, 68), slice(66, 94)
    np.testing.assert_array_equal(found.values[inner], predictions["0.jpg"].values[inner])
    assert (found.confidence[inner] < 0.2).all()


def test_which_repeat_of_a_pattern_it_is_the_depth_of_other_views_tells() -> None:
    posed, _, truth = wall()
    repeat = CENTRES[1][0]
    striped = {}
    for view in posed.scene.views:
        points_cam = pixel_rays(view.camera) * truth[view.photo_id][..., None].astype(np.float64)
        x_world = (view.cam_from_world.inverse() @ points_cam)[..., 0]
        grey = 128 + 60 * np.cos(2 * np.pi * x_world / repeat)
        striped[view.photo_id] = np.repeat(grey[..., None], 3, -1).astype(np.uint8)
    photos = side_by_side_at_full_size(replace(posed, rgb=striped), inverse=truth)
    x, y = 80, 60
    window, weights, deviations = window_of(photos, x, y)
    nothing = np.zeros((1, 120, 160, 3), np.float32)
    priors = Priors(nothing, nothing[..., 0], np.zeros(1, bool))
    price = np.array([1, 0, 0], np.float32)

    def cost(plane: np.ndarray, disagree: float) -> float:
        numbers = _numbers(150.0, 0.01, 9.0, disagree)
        return kernel._priced(
            photos, priors, x, y, plane, numbers, np.float32(0), price, window, weights,
            deviations, np.float32(np.inf),
        )[0]  # fmt: skip

    true = with_slopes(inverse_of(truth["0.jpg"]))[y, x]
    # At about half the distance the next photo shows the next stripe.
    nearer = [true * np.float32(factor) for factor in np.linspace(1.8, 2.2, 41)]
    repeated = min(nearer, key=lambda plane: cost(plane, 0.0))
    assert cost(true, 0.0) < 0.05
    assert cost(repeated, 0.0) < 0.05
    assert cost(true, 0.2) < 0.1
    # Three pixels and more count as three.
    assert cost(repeated, 0.2) == pytest.approx(cost(repeated, 0.0) + 0.6, abs=1e-5)


def test_what_a_mask_hides_stays_unknown(tmp_path: Path) -> None:
    posed, predictions, _ = wall()
    mask = np.ones((120, 160), bool)
    mask[:60] = False
    hidden = replace(
        predictions["0.jpg"], values=np.where(mask, predictions["0.jpg"].values, np.float32(0))
    )
    posed = replace(posed, masks={"0.jpg": mask})
    predictions["0.jpg"] = hidden
    search_unconfirmed(posed, predictions, RefineConfig(), tmp_path, a_task(), geometric=False)
    values = read_predictions(tmp_path)["0.jpg"].values
    assert (values[:60] == 0).all()
    assert (values[62:78, 52:108] != hidden.values[62:78, 52:108]).any()


def test_threads_and_an_interruption_change_no_byte(tmp_path: Path) -> None:
    posed, predictions, _ = wall()
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    whole.mkdir()
    halves.mkdir()
    config = RefineConfig()
    search_unconfirmed(posed, predictions, config, whole, a_task(workers=3), geometric=True)
    search_unconfirmed(posed, predictions, config, halves, a_task(), geometric=True)
    (halves / "2.jpg.npz").unlink()
    search_unconfirmed(posed, predictions, config, halves, a_task(), geometric=True)
    names = sorted(path.name for path in whole.iterdir())
    assert names == sorted(path.name for path in halves.iterdir())
    assert all((whole / n).read_bytes() == (halves / n).read_bytes() for n in names)


def test_cancelling_stops_before_the_first_photo_is_written(tmp_path: Path) -> None:
    posed, predictions, _ = wall()
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        search_unconfirmed(posed, predictions, RefineConfig(), tmp_path, a_task(cancel=cancel),
                           geometric=False)  # fmt: skip
    assert not [*tmp_path.iterdir()]


def test_a_lone_view_and_one_without_depth_stay_what_they_are(tmp_path: Path) -> None:
    posed, predictions, _ = wall()
    far = Rigid(np.eye(3), np.array([1e4, 0, 0]))
    lone = replace(posed.scene.views[3], cam_from_world=far)
    seen = posed.scene.points.observations
    points = replace(posed.scene.points, observations=seen[seen[:, 1] != 3])
    scene = replace(posed.scene, views=(*posed.scene.views[:3], lone), points=points)
    nothing = np.zeros((120, 160), np.float32)
    predictions["1.jpg"] = replace(predictions["1.jpg"], values=nothing, confidence=nothing)
    search_unconfirmed(replace(posed, scene=scene), predictions, RefineConfig(), tmp_path,
                       a_task(), geometric=True)  # fmt: skip
    written = read_predictions(tmp_path)
    for photo_id in ("1.jpg", "3.jpg"):
        np.testing.assert_array_equal(written[photo_id].values, predictions[photo_id].values)


def test_a_photo_from_the_same_place_has_no_say(tmp_path: Path) -> None:
    """Every depth looks the same from there."""
    posed, predictions, truth = wall()
    first = posed.scene.views[0]
    twin = View("twin.jpg", first.camera, first.cam_from_world)
    points = posed.scene.points
    seen = np.concatenate([points.observations, [(p, len(CENTRES)) for p in range(60)]])
    scene = replace(
        posed.scene,
        views=(*posed.scene.views, twin),
        points=replace(points, observations=seen),
    )
    posed = replace(posed, scene=scene, rgb={**posed.rgb, "twin.jpg": posed.rgb["0.jpg"]})
    predictions["twin.jpg"] = predictions["0.jpg"]
    # The two would confirm each other's mistake.
    config = RefineConfig(min_views=3)
    search_unconfirmed(posed, predictions, config, tmp_path, a_task(), geometric=True)
    found = read_predictions(tmp_path)["0.jpg"].values
    assert (np.abs(found / truth["0.jpg"] - 1)[MIDDLE] < 0.01).mean() > 0.9


def test_there_are_as_many_passes_as_asked_for_and_none_for_a_depth_camera() -> None:
    posed, predictions, _ = wall()
    names = [[stage.name for stage in passes(posed, RefineConfig(search_passes=n))] for n in (0, 1)]
    assert names == [[], ["patchmatch"]]
    assert [stage.name for stage in passes(posed, RefineConfig())] == ["patchmatch", "geometric"]
    measured = {photo_id: each.values for photo_id, each in predictions.items()}
    assert not passes(replace(posed, sensor_depth=measured), RefineConfig())


def test_code_without_a_file_that_could_be_cached_is_compiled_all_the_same() -> None:
    names: dict = {}
    exec("def twice(x):\n    return 2 * x", names)
    assert compiled(names["twice"])(21) == 42
