"""From depth maps to a clean mesh: confirming, fusing and cleaning on known shapes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import plane_scene
import pytest
from solids import is_closed
from sphere_scene import sphere_photos

from recon3d.core.camera import backproject
from recon3d.core.depth import PredictedDepth, SceneDepth
from recon3d.core.errors import ConfigError, TooLittleDepthError
from recon3d.core.scene import PosedPhotos, PosedScene, SparsePoints, View
from recon3d.core.surface import vertex_normals
from recon3d.depth import files as depth_files
from recon3d.depth.consistency import RefineConfig, read_scene_depth, refine_depth
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Event, Task, silent
from recon3d.surface.cleaning.pieces import drop_small_pieces
from recon3d.surface.fuse import (
    FuseConfig,
    SurfaceKind,
    depth_noise,
    fuse_depth,
    read_surface,
    within_budget,
)
from recon3d.surface.mesh import MeshConfig, cleaning_of

CENTRES = ((0.0, 0.0, 0.0), (0.4, 0.0, 0.0), (-0.4, 0.0, 0.0), (0.0, 0.35, 0.0))


def task() -> Task:
    return Task("test", silent, CancelToken(), Runtime(device="cpu"))


def plane_image_set(count: int = 4) -> tuple[PosedPhotos, dict[str, PredictedDepth]]:
    """Photos of the slanted plane with perfect depth and enough sparse points to rank them."""
    frames = [plane_scene.frame(f"{i}.jpg", centre) for i, centre in enumerate(CENTRES[:count])]
    views = tuple(View(f.view_id, f.camera, f.cam_from_world) for f in frames)
    rng = np.random.default_rng(1)
    xy = rng.uniform(-0.8, 0.8, (60, 2))
    z = plane_scene.OFFSET - xy @ plane_scene.NORMAL[:2]
    seen = np.array([(p, v) for p in range(60) for v in range(count)])
    points = SparsePoints(np.column_stack([xy, z]), np.zeros((60, 3), np.uint8), np.zeros(60), seen)
    scene = PosedScene(views, points, "scene")
    posed = PosedPhotos(scene, {f.view_id: f.rgb for f in frames}, {}, {}, ())
    predictions = {}
    for view in views:
        depth_z = plane_scene.depth_of_plane(view.camera, view.cam_from_world)
        sure = np.full(depth_z.shape, 0.4, np.float32)
        predictions[view.photo_id] = PredictedDepth(depth_z, "scene", sure, view.camera)
    return posed, predictions


def test_depth_that_all_views_share_is_kept_and_unchanged(tmp_path: Path) -> None:
    posed, predictions = plane_image_set()
    refine_depth(posed, predictions, RefineConfig(), tmp_path, task())
    refined = read_scene_depth(tmp_path)["0.jpg"]
    inner = refined.depth_z[20:-20, 30:-30]
    assert (inner > 0).mean() > 0.99
    # Linear lookup of a slanted plane's depth: curvature of 1/z over a pixel is below 1e-4.
    np.testing.assert_allclose(
        inner[inner > 0], predictions["0.jpg"].values[20:-20, 30:-30][inner > 0], rtol=2e-4
    )
    assert refined.agreeing_views.max() == 4


def test_depth_that_no_other_view_confirms_is_cut(tmp_path: Path) -> None:
    posed, predictions = plane_image_set()
    wrong = predictions["0.jpg"].values.copy()
    wrong[40:80, 60:100] *= 1.1
    predictions["0.jpg"] = replace(predictions["0.jpg"], values=wrong)
    refine_depth(posed, predictions, RefineConfig(), tmp_path, task())
    refined = read_scene_depth(tmp_path)["0.jpg"].depth_z
    assert (refined[45:75, 65:95] == 0).all()
    # The others lose what only the wrong map could confirm, and nothing else.
    assert (read_scene_depth(tmp_path)["1.jpg"].depth_z[40:80, 60:100] > 0).mean() > 0.95


def test_noise_that_views_do_not_share_shrinks_by_averaging(tmp_path: Path) -> None:
    posed, predictions = plane_image_set()
    rng = np.random.default_rng(5)
    for photo_id, prediction in predictions.items():
        noisy = prediction.values * (1 + 0.002 * rng.standard_normal(prediction.values.shape))
        predictions[photo_id] = replace(prediction, values=noisy.astype(np.float32))
    refine_depth(posed, predictions, RefineConfig(), tmp_path, task())
    truth = plane_scene.depth_of_plane(plane_scene.CAMERA, posed.scene.views[0].cam_from_world)
    refined = read_scene_depth(tmp_path)["0.jpg"].depth_z[20:-20, 30:-30]
    error = (refined / truth[20:-20, 30:-30] - 1)[refined > 0]
    # Four views with 0.2 % each give 0.1 %; bilinear lookups average a little more.
    assert 0.0005 < error.std() < 0.0013


def test_two_photos_confirm_each_other(tmp_path: Path) -> None:
    posed, predictions = plane_image_set(count=2)
    refine_depth(posed, predictions, RefineConfig(), tmp_path, task())
    assert (read_scene_depth(tmp_path)["0.jpg"].depth_z > 0).mean() > 0.7


def test_maps_that_disagree_everywhere_are_an_error_with_advice(tmp_path: Path) -> None:
    posed, predictions = plane_image_set(count=2)
    first = predictions["0.jpg"]
    predictions["0.jpg"] = replace(first, values=first.values * np.float32(1.3))
    with pytest.raises(TooLittleDepthError) as caught:
        refine_depth(posed, predictions, RefineConfig(), tmp_path, task())
    assert "photos" in caught.value.hint


@pytest.mark.parametrize("masked", [True, False])
def test_what_masks_hide_is_not_blamed_for_having_no_depth(tmp_path: Path, masked: bool) -> None:
    posed, predictions = plane_image_set()
    size = predictions["0.jpg"].values.shape
    # The object fills a sixteenth of each photo.
    keep = np.zeros(size, bool)
    keep[50:80, 60:100] = True
    for photo_id, prediction in predictions.items():
        predictions[photo_id] = replace(prediction, values=np.where(keep, prediction.values, 0))
    masks = dict.fromkeys(predictions, keep) if masked else {}
    events: list[Event] = []
    asked = Task("test", events.append, CancelToken(), Runtime(device="cpu"))
    refine_depth(replace(posed, masks=masks), predictions, RefineConfig(), tmp_path, asked)
    warned = [event.note for event in events if "expect holes" in event.note]
    assert len(warned) == (0 if masked else 1)


def test_depth_files_survive_a_round_trip_under_any_name(tmp_path: Path) -> None:
    _, predictions = plane_image_set(count=1)
    names = ["a/b 1.jpg", "a%2Fb.jpg", "Überblick/写真.jpg"]
    paths = depth_files.depth_file_paths(tmp_path, names)
    for path in paths.values():
        depth_files.write_prediction(path, predictions["0.jpg"])
    assert sorted(depth_files.depth_file_paths(tmp_path)) == sorted(names)
    read = depth_files.read_prediction(paths[names[0]])
    np.testing.assert_array_equal(read.values, predictions["0.jpg"].values)
    assert np.abs(read.confidence - predictions["0.jpg"].confidence).max() <= 0.5 / 255 + 1e-6
    assert read.camera == plane_scene.CAMERA


def scene_depth(posed: PosedPhotos) -> dict[str, SceneDepth]:
    maps = {}
    for view in posed.scene.views:
        depth_z = plane_scene.depth_of_plane(view.camera, view.cam_from_world)
        maps[view.photo_id] = SceneDepth(depth_z, np.ones_like(depth_z), view.camera, view.photo_id)
    return maps


def test_the_fused_plane_lies_where_the_plane_is_even_though_it_slants(tmp_path: Path) -> None:
    posed, _ = plane_image_set()
    config = FuseConfig(voxel_size=0.03)
    fuse_depth(posed, scene_depth(posed), config, tmp_path, task())
    mesh, cloud = read_surface(tmp_path)
    unit = np.linalg.norm(plane_scene.NORMAL)
    distance = (mesh.vertices @ plane_scene.NORMAL - plane_scene.OFFSET) / unit
    # A tenth of a voxel; a half-pixel shift of the lookup would be 0.5 * 4 / 150 * 0.35 = 0.0047.
    assert abs(np.median(distance)) < 0.002
    assert np.percentile(np.abs(distance), 90) < 0.015
    towards_cameras = -plane_scene.NORMAL / unit
    assert np.mean(vertex_normals(mesh) @ towards_cameras > 0.8) > 0.95
    assert np.mean(cloud.normals @ towards_cameras > 0.8) > 0.95
    assert mesh.rgb is not None
    # Colours are those of the photos, neither black nor white.
    assert 60 < mesh.rgb.mean() < 200


def test_voxels_grow_when_memory_is_short_and_the_user_is_told(tmp_path: Path) -> None:
    posed, _ = plane_image_set()
    events: list[Event] = []
    teller = Task("fuse", events.append, CancelToken())
    config = FuseConfig(voxel_size=0.004, memory_gib=0.01)
    fuse_depth(posed, scene_depth(posed), config, tmp_path, teller)
    told = [event.note for event in events if event.kind == "warning"]
    assert len(told) == 1
    assert "0.004" in told[0]


def test_surfaces_far_beyond_the_rest_are_left_out(tmp_path: Path) -> None:
    posed, _ = plane_image_set()
    maps = scene_depth(posed)
    for photo_id, one in maps.items():
        depth_z = one.depth_z.copy()
        depth_z[:, -40:] = 30.0
        maps[photo_id] = replace(one, depth_z=depth_z)
    fuse_depth(posed, maps, FuseConfig(voxel_size=0.05), tmp_path, task())
    assert read_surface(tmp_path)[0].vertices[:, 2].max() < 10


def test_empty_depth_maps_are_an_error_not_a_crash(tmp_path: Path) -> None:
    posed, _ = plane_image_set()
    empty = {
        photo_id: replace(one, depth_z=np.zeros_like(one.depth_z))
        for photo_id, one in scene_depth(posed).items()
    }
    with pytest.raises(TooLittleDepthError):
        fuse_depth(posed, empty, FuseConfig(), tmp_path, task())


def test_poisson_closes_a_sphere_seen_from_all_sides(tmp_path: Path) -> None:
    posed, maps = sphere_photos()
    config = FuseConfig(surface="poisson", voxel_size=0.03, min_weight=1)
    fuse_depth(posed, maps, config, tmp_path, task())
    mesh, _ = read_surface(tmp_path)
    assert is_closed(drop_small_pieces(mesh, 0.1).faces)
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices, axis=1), 1.0, atol=0.05)
    # Every part was measured; nothing is inferred.
    assert mesh.inferred is not None
    assert mesh.inferred.mean() < 0.01


def test_poisson_marks_what_it_makes_up(tmp_path: Path) -> None:
    posed, maps = sphere_photos()
    config = FuseConfig(surface="poisson", voxel_size=0.03, min_weight=1)
    blind = {name: replace(one, depth_z=one.depth_z.copy()) for name, one in maps.items()}
    for view in posed.scene.views:
        there = blind[view.photo_id]
        points = view.cam_from_world.inverse() @ backproject(there.depth_z, there.camera)
        there.depth_z[points[..., 2] > 0.6] = 0
    fuse_depth(posed, blind, config, tmp_path, task())
    mesh, _ = read_surface(tmp_path)
    assert mesh.inferred is not None
    heights = mesh.vertices[mesh.faces].mean(axis=1)[:, 2]
    assert mesh.inferred[(heights > 0.75)].all()
    assert not mesh.inferred[heights < 0.5].any()


@pytest.mark.parametrize(
    ("surface", "reach", "hole_size", "unseen"),
    [
        ("auto", 0.1, 0.01, "auto"),
        ("tsdf", 0.0, 0.01, "auto"),
        ("seen", 0.0, 0.0, "auto"),
        ("poisson", 0.0, 0.01, "keep"),
    ],
)
def test_cleaning_infers_no_more_than_the_kind_of_surface_says(
    surface: SurfaceKind, reach: float, hole_size: float, unseen: str
) -> None:
    config = cleaning_of(surface, MeshConfig(faces=7))
    assert (config.reach, config.hole_size, config.unseen) == (reach, hole_size, unseen)
    assert config.faces == 7


def test_impossible_settings_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"mesh\.hole_size"):
        MeshConfig(hole_size=2.0)
    with pytest.raises(ConfigError, match=r"fuse\.voxel_pixels"):
        FuseConfig(voxel_pixels=0.0)
    with pytest.raises(ConfigError, match=r"refine\.min_views"):
        RefineConfig(min_views=0)


def test_the_noise_of_depth_maps_is_measured_as_large_as_it_is(tmp_path: Path) -> None:
    posed, _ = plane_image_set()
    rng = np.random.default_rng(11)
    maps = {
        photo_id: replace(
            one,
            depth_z=(one.depth_z + 0.02 * rng.standard_normal(one.depth_z.shape)).astype(
                np.float32
            ),
        )
        for photo_id, one in scene_depth(posed).items()
    }
    # The slant adds up to half a pixel's slope, 0.005, to the injected 0.02; 200 samples.
    assert 0.016 < depth_noise(posed, maps, task()) < 0.026
    assert depth_noise(posed, scene_depth(posed), task()) < 0.005


def test_a_small_budget_takes_a_smaller_grid_in_steps() -> None:
    plenty = FuseConfig()
    assert within_budget(plenty, 64 * 2**30) == within_budget(plenty, 8 * 2**30) == plenty
    assert within_budget(plenty, 3 * 2**30).memory_gib == 1
    # What another program takes for a moment changes nothing.
    assert within_budget(plenty, int(2.1 * 2**30)) == within_budget(plenty, int(3.9 * 2**30))
    assert within_budget(plenty, 0).memory_gib > 0
    assert within_budget(replace(plenty, memory_gib=0.5), 3 * 2**30).memory_gib == 0.5


def test_photos_of_different_exposure_give_one_colour(tmp_path: Path) -> None:
    posed, predictions = plane_image_set()
    maps = {
        name: SceneDepth(each.values, np.ones_like(each.values), each.camera, name)
        for name, each in predictions.items()
    }
    factors = dict(zip(maps, (0.75, 1.2, 0.9, 1.0), strict=True))
    rgb = {
        name: np.full_like(posed.rgb[name], round(140 * factor)) for name, factor in factors.items()
    }
    fuse_depth(replace(posed, rgb=rgb), maps, FuseConfig(), tmp_path, task())
    mesh, _ = read_surface(tmp_path)
    # They differ by 63 grey levels; the weight of "no gain" leaves a few. Open3D darkens the rim.
    assert mesh.rgb is not None
    assert np.ptp(np.percentile(mesh.rgb, (2, 98))) < 6
