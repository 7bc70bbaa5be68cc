"""From the raw surface to the clean mesh, link by link, on shapes that are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from solids import GREY, is_closed, joined, sheet, sphere

from recon3d.core.camera import PinholeCamera
from recon3d.core.errors import ConfigError, TooLittleDepthError
from recon3d.core.scene import PosedScene, SparsePoints, View
from recon3d.core.surface import Mesh, face_areas
from recon3d.core.transform import Rigid, Similarity
from recon3d.run.task import CancelToken, Event, Task, silent
from recon3d.surface.cleaning.crossings import count_crossing_faces
from recon3d.surface.cleaning.decimation import decimate
from recon3d.surface.cleaning.floaters import count_spikes, drop_unseen, flatten_spikes, seen_faces
from recon3d.surface.cleaning.holes import count_holes, fill_holes
from recon3d.surface.cleaning.pieces import count_pieces, drop_small_pieces, keep_faces
from recon3d.surface.cleaning.repair import count_faulty_edges, fans_too_many, make_manifold
from recon3d.surface.cleaning.smoothing import normal_noise_deg, smooth_keeping_edges
from recon3d.surface.levels import LevelsConfig, make_levels, read_levels
from recon3d.surface.mesh import MeshConfig, clean_mesh, read_effects, read_mesh
from recon3d.surface.region import Box, region_of_interest
from recon3d.surface.topology import border_loops, edge_uses, half_edges

CAMERA = PinholeCamera.centred(400, 400, 400.0)


def task() -> Task:
    return Task("test", silent, CancelToken())


def looking(centre: tuple[float, float, float], target: tuple[float, float, float]) -> View:
    """A camera at a place that looks at another."""
    forward = np.subtract(target, centre)
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0] if abs(forward[2]) < 0.9 else [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return View(f"{centre}.jpg", CAMERA, Rigid(rotation, -rotation @ np.array(centre)))


def orbit(radius: float, count: int = 12) -> tuple[View, ...]:
    """Cameras on a circle that look at the origin."""
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return tuple(
        looking((radius * np.cos(a), radius * np.sin(a), 0.3 * radius), (0.0, 0.0, 0.0))
        for a in angles
    )


def scene_of(views: tuple[View, ...], points: np.ndarray | None = None) -> PosedScene:
    """A scene whose points are seen by every view."""
    xyz = np.zeros((4, 3)) if points is None else points
    seen = np.array([(p, v) for p in range(len(xyz)) for v in range(len(views))])
    sparse = SparsePoints(xyz, np.zeros((len(xyz), 3), np.uint8), np.zeros(len(xyz)), seen)
    return PosedScene(views, sparse, "scene")


def without_cap(mesh: Mesh, height: float) -> Mesh:
    """A sphere open at the top."""
    middle = mesh.vertices[mesh.faces].mean(1)
    return keep_faces(mesh, middle[:, 2] < height)


def test_the_rim_of_a_hole_is_found_in_the_order_in_which_its_faces_run() -> None:
    mesh = without_cap(sphere(), 0.9)
    loops = border_loops(mesh.faces)
    assert len(loops.starts) == 1
    rim = loops.vertices
    directed = {
        tuple(edge) for edge in half_edges(mesh.faces)[edge_uses(mesh.faces).borders].tolist()
    }
    assert {(int(a), int(b)) for a, b in zip(rim, np.roll(rim, -1), strict=True)} == directed


def test_several_rims_are_told_apart_and_none_is_found_in_a_closed_surface() -> None:
    mesh = sphere()
    middle = mesh.vertices[mesh.faces].mean(1)
    pierced = keep_faces(mesh, (middle[:, 2] < 0.9) & (middle[:, 0] > -0.9))
    assert len(border_loops(pierced.faces).starts) == 2
    assert len(border_loops(mesh.faces).starts) == 0


def test_small_pieces_go_and_the_large_ones_stay() -> None:
    large, small = sheet(20), sheet(3, 9.0)
    both = joined(large, small)
    assert count_pieces(both) == 2
    kept = drop_small_pieces(both, 0.05)
    assert len(kept.faces) == len(large.faces)
    assert len(kept.vertices) == len(large.vertices)
    assert len(drop_small_pieces(both, 0.0).faces) == len(both.faces)


def test_what_another_surface_hides_from_all_cameras_goes() -> None:
    front, behind = sheet(30, 5.0), sheet(10, 0.0)
    behind = replace(behind, vertices=behind.vertices + np.float32([10, 10, 0]))
    both = joined(front, behind)
    above = (looking((15.0, 15.0, 60.0), (15.0, 15.0, 0.0)),)
    assert len(drop_unseen(both, above, task()).faces) == len(front.faces)
    # Without the front the same camera sees it.
    assert len(drop_unseen(behind, above, task()).faces) == len(behind.faces)


def test_a_face_that_only_turns_its_back_to_the_cameras_is_unseen() -> None:
    mesh = sheet(10)
    below = (looking((5.0, 5.0, -30.0), (5.0, 5.0, 0.0)),)
    assert not seen_faces(mesh, below, task()).any()
    with pytest.raises(TooLittleDepthError, match="no camera saw"):
        clean_mesh(scene_of(below), mesh, None, MeshConfig(), Path(), task())


def test_a_room_seen_from_inside_stays_whole() -> None:
    outside = sphere(4)
    room = replace(outside, faces=outside.faces[:, ::-1].copy())
    turns = [(0.3, 0, 0), (-0.3, 0, 0), (0, 0.3, 0), (0, -0.3, 0), (0, 0, 0.3), (0, 0, -0.3)]
    views = tuple(looking((x, y, z), (-3 * x, -3 * y, -3 * z)) for x, y, z in turns)
    wide = tuple(replace(v, camera=PinholeCamera.centred(400, 400, 100.0)) for v in views)
    assert len(drop_unseen(room, wide, task()).faces) == len(room.faces)
    # The cameras look across the middle, but what they see lies on the walls.
    assert region_of_interest(scene_of(wide, outside.vertices.astype(np.float64))) is None


def test_a_spike_is_laid_flat_and_an_honest_edge_is_not() -> None:
    heights = np.zeros((20, 20))
    heights[10, 10] = 8.0
    spiky = sheet(20, heights)
    assert count_spikes(spiky) == 1
    flat = flatten_spikes(spiky)
    assert count_spikes(flat) == 0
    assert flat.vertices[:, 2].max() < 0.1
    roof = sheet(20, np.broadcast_to(np.abs(np.arange(20) - 10.0), (20, 20)))
    np.testing.assert_array_equal(flatten_spikes(roof).vertices, roof.vertices)


def bowtie() -> Mesh:
    """Two fans that touch in vertex 0."""
    return Mesh(
        np.float32([[0, 0, 0], [1, 0, 0], [1, 1, 0], [-1, 0, 0], [-1, -1, 0]]),
        np.int32([[0, 1, 2], [0, 3, 4]]),
    )


def test_fans_that_touch_in_a_point_come_apart_without_moving() -> None:
    assert fans_too_many(bowtie().faces) == 1
    mended = make_manifold(bowtie())
    assert fans_too_many(mended.faces) == 0
    np.testing.assert_array_equal(mended.vertices[mended.faces], bowtie().vertices[bowtie().faces])


def test_an_edge_with_three_faces_is_left_with_two() -> None:
    wall = Mesh(np.float32([[5, 5, 0], [6, 5, 0], [5.5, 5, 1]]), np.int32([[0, 1, 2]]))
    ground = sheet(12)
    first, second = 5 * 12 + 5, 5 * 12 + 6
    faces = np.concatenate([ground.faces, np.int32([[first, second, len(ground.vertices)]])])
    vertices = np.concatenate([ground.vertices, wall.vertices[2:]])
    crowded = Mesh(vertices, faces)
    assert count_faulty_edges(crowded) == 1
    mended = make_manifold(crowded)
    assert count_faulty_edges(mended) == 0
    # Coming apart is enough: nothing is lost.
    assert len(mended.faces) == len(crowded.faces)


def test_doubled_and_empty_faces_go() -> None:
    ground = sheet(6)
    faces = np.concatenate([ground.faces, ground.faces[:3], np.int32([[0, 0, 1], [0, 1, 2]])])
    mended = make_manifold(Mesh(ground.vertices, faces))
    assert len(mended.faces) == len(ground.faces)
    assert count_faulty_edges(mended) == 0
    assert fans_too_many(mended.faces) == 0


def test_repair_leaves_a_good_mesh_as_it_is() -> None:
    good = sphere()
    mended = make_manifold(good)
    np.testing.assert_array_equal(mended.vertices, good.vertices)
    np.testing.assert_array_equal(mended.faces, good.faces)


@pytest.mark.parametrize("height", [0.75, 0.9, 0.97])
def test_a_hole_is_closed_as_round_as_what_surrounds_it_and_marked(height: float) -> None:
    mesh = without_cap(sphere(4), height)
    filled = fill_holes(mesh, 0.5)
    assert is_closed(filled.faces)
    assert filled.inferred is not None
    assert filled.inferred.sum() == len(filled.faces) - len(mesh.faces)
    assert not filled.inferred[: len(mesh.faces)].any()
    patch = filled.vertices[filled.faces[filled.inferred]]
    # A flat lid would lie 1 - height below the sphere.
    deepest = np.abs(np.linalg.norm(patch.reshape(-1, 3), axis=1) - 1).max()
    assert deepest < 0.6 * (1 - height)
    # Triangles about as large as their neighbours, no fan of splinters.
    largest = face_areas(filled)[filled.inferred].max()
    assert largest < 4 * np.median(face_areas(mesh))
    assert filled.rgb is not None
    assert (filled.rgb == GREY).all()
    # 0 closes nothing.
    assert len(fill_holes(mesh, 0.0).faces) == len(mesh.faces)


def test_a_narrow_slit_is_sewn_up_and_the_rim_of_a_sheet_left_alone() -> None:
    mesh = sheet(30)
    middle = mesh.vertices[mesh.faces].mean(1)
    slit = (np.abs(middle[:, 1] - 15.5) < 0.5) & (middle[:, 0] > 8) & (middle[:, 0] < 20)
    torn = keep_faces(mesh, ~slit)
    assert count_holes(torn) == 1
    sewn = fill_holes(torn, 0.99)
    assert count_holes(sewn) == 0
    assert count_faulty_edges(sewn) == 0
    assert len(sewn.vertices) == len(mesh.vertices)
    # Closed by folding over, the sheet would have more area than it had whole.
    assert face_areas(sewn).sum() == pytest.approx(29**2)
    # The four sides of the sheet are still open.
    assert len(border_loops(sewn.faces).starts) == 1


def test_a_marked_mesh_takes_a_patch_that_brings_no_vertex() -> None:
    mesh = sphere(2)
    once = replace(mesh, inferred=np.zeros(len(mesh.faces), bool))
    torn = keep_faces(once, np.arange(len(mesh.faces)) != 5)
    sewn = fill_holes(torn, 0.99)
    assert len(sewn.vertices) == len(torn.vertices)
    assert sewn.inferred is not None
    assert sewn.inferred.tolist() == [False] * len(torn.faces) + [True]


def test_decimation_keeps_the_shape_the_border_and_the_marks() -> None:
    bumps = np.sin(np.arange(60) / 9)[None] * np.cos(np.arange(60) / 7)[:, None]
    mesh = sheet(60, 5 * bumps)
    right = mesh.vertices[mesh.faces].mean(1)[:, 0] > 30
    small = decimate(replace(mesh, inferred=right), 1000)
    assert len(small.faces) <= 1000
    assert small.rgb is not None
    np.testing.assert_array_equal(np.unique(small.rgb), [GREY])
    spread = np.ptp(small.vertices, axis=0) / np.ptp(mesh.vertices, axis=0)
    np.testing.assert_allclose(spread, 1, atol=0.02)
    assert small.inferred is not None
    middle = small.vertices[small.faces].mean(1)[:, 0]
    clear = np.abs(middle - 30) > 3
    np.testing.assert_array_equal(small.inferred[clear], middle[clear] > 30)


def test_decimation_spends_its_triangles_on_edges_of_colour() -> None:
    mesh = sheet(100)
    x, y = mesh.vertices[:, 0] - 50, mesh.vertices[:, 1] - 50
    rgb = np.where((x**2 + y**2 < 30**2)[:, None], 220, 30).astype(np.uint8) * np.uint8([1, 1, 1])
    painted = replace(mesh, rgb=rgb)
    small = decimate(painted, 1000)
    # By shape alone 2 % of a plane's triangles happen to stand around the disc.
    middle = small.vertices[small.faces].mean(1)
    to_edge = np.abs(np.hypot(middle[:, 0] - 50, middle[:, 1] - 50) - 30)
    assert (to_edge < 5).mean() > 0.3
    assert np.abs(small.vertices[:, 2]).max() < 0.5


def test_colours_of_a_thin_dark_wall_do_not_swap_its_sides() -> None:
    front, back = sheet(60, 0.6), sheet(60)
    back = replace(back, faces=back.faces[:, ::-1].copy())
    stripes = (np.arange(3600) // 6 % 2 * 200).astype(np.uint8)
    wall = replace(joined(front, back), rgb=np.repeat(np.tile(stripes, 2)[:, None], 3, axis=1))
    small = decimate(wall, 4000)
    sides = small.vertices[small.faces].mean(1)[:, 2] > 0.3
    corners = small.vertices[small.faces]
    up = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] > 0
    assert (sides == up).mean() > 0.98


def test_smoothing_takes_the_noise_and_leaves_the_edge() -> None:
    side = 60
    rng = np.random.default_rng(2)
    step = np.where(np.arange(side) < side // 2, 0.0, np.arange(side) - side // 2)
    roof = np.broadcast_to(step, (side, side))
    noisy = sheet(side, roof + 0.1 * rng.standard_normal((side, side)))
    smooth = smooth_keeping_edges(noisy, 2)
    error_before = np.abs(noisy.vertices[:, 2] - roof.ravel())
    error_after = np.abs(smooth.vertices[:, 2] - roof.ravel())
    assert normal_noise_deg(smooth) < 0.4 * normal_noise_deg(noisy)
    assert error_after.mean() < 0.7 * error_before.mean()
    # A 45 degree crease that is rounded off by plain Laplacian smoothing stands 0.5 too high.
    crease = smooth.vertices[:, 2].reshape(side, side)[5:-5, side // 2]
    assert abs(crease.mean()) < 0.25


def test_crossing_faces_are_counted_as_open3d_counts_them() -> None:
    from recon3d.surface.open3d_mesh import to_open3d

    ball = sphere(2)
    moved = replace(ball, vertices=ball.vertices + np.float32([1.03, 0.02, 0.01]))
    both = joined(ball, moved)
    pairs = np.asarray(to_open3d(both).get_self_intersecting_triangles())
    assert count_crossing_faces(ball) == 0
    # An oracle that looks at every pair; ours counts a pair on the side whose edge goes through.
    assert 0.5 * len(np.unique(pairs)) < count_crossing_faces(both) <= len(np.unique(pairs))


def test_what_lies_far_beyond_the_circled_thing_is_left_out() -> None:
    views = orbit(3.0)
    ball = region_of_interest(scene_of(views))
    assert ball is not None
    np.testing.assert_allclose(ball.centre_world, 0, atol=1e-6)
    thing = sphere()
    horizon = replace(sheet(20), vertices=sheet(20).vertices + np.float32([60, 0, 0]))
    assert ball.holds(thing.vertices).all()
    assert not ball.holds(horizon.vertices).any()


def test_a_facade_and_photos_from_the_air_have_no_centre() -> None:
    facade = tuple(looking((x, -5.0, 1.5), (x, 0.0, 1.5)) for x in np.linspace(-10, 10, 12))
    assert region_of_interest(scene_of(facade)) is None
    air = tuple(
        looking((x, y, 50.0), (x + 0.1, y, 0.0))
        for x in np.linspace(-40, 40, 5)
        for y in np.linspace(-40, 40, 5)
    )
    assert region_of_interest(scene_of(air)) is None


def test_a_region_that_few_sightings_lie_in_is_not_believed() -> None:
    far = np.array([[100.0, 0, 0], [0, 100, 0], [0, 0, 100], [90, 90, 0]])
    assert region_of_interest(scene_of(orbit(3.0), far)) is None


def test_a_box_cuts_in_its_own_frame() -> None:
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    # Twice as large, turned and moved: the world's point (3, 0, 0) is (0, 6, 1) there.
    frame = Similarity(2.0, quarter, np.array([0.0, 0, 1]))
    box = Box(frame, np.array([-1.0, 5, 0]), np.array([1.0, 7, 2]))
    held = box.holds(np.array([[3.0, 0, 0], [0.0, 3, 0], [3.0, 0, 0.6]]))
    np.testing.assert_array_equal(held, [True, False, False])


def test_an_inside_out_box_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"mesh\.crop"):
        MeshConfig(crop=(0.0, 0.0, 0.0, 1.0, -1.0, 1.0))
    with pytest.raises(ConfigError, match=r"mesh\.crop"):
        MeshConfig(crop=(0.0, 0.0, 0.0, 1.0, float("nan"), 1.0))


def test_the_whole_chain_says_what_each_link_did(tmp_path: Path) -> None:
    events: list[Event] = []
    ball = without_cap(sphere(5), 0.995)
    speck = replace(sphere(1), vertices=0.02 * sphere(1).vertices + np.float32([1.5, 0, 0]))
    clean_mesh(
        scene_of(orbit(4.0)),
        joined(ball, speck),
        None,
        MeshConfig(faces=4000, hole_size=0.2, unseen="keep"),
        tmp_path,
        Task("mesh", events.append, CancelToken()),
    )
    cleaned = read_mesh(tmp_path)
    assert cleaned.normals is not None
    cosine = (cleaned.normals * cleaned.vertices).sum(1) / np.linalg.norm(cleaned.vertices, axis=1)
    assert cosine.min() > 0.95
    assert len(cleaned.faces) <= 4000
    assert is_closed(cleaned.faces)
    assert cleaned.inferred is not None
    assert 0 < cleaned.inferred.mean() < 0.05
    effects = read_effects(tmp_path)
    by_name = {link["name"]: link for link in effects["links"]}
    assert (by_name["drop small pieces"]["before"], by_name["drop small pieces"]["after"]) == (2, 1)
    assert (by_name["close holes"]["before"], by_name["close holes"]["after"]) == (1, 0)
    assert by_name["decimate"]["faces_after"] <= 4000
    assert effects["crossing_faces"] == 0
    assert effects["inferred_faces"] == cleaned.inferred.sum()
    assert [event.done for event in events] == list(range(1, len(events) + 1))
    assert "holes 1 to 0" in " ".join(event.note for event in events)


def test_the_same_surface_gives_the_same_mesh(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    rough = sheet(60, 0.2 * rng.standard_normal((60, 60)))
    above = (looking((30.0, 30.0, 90.0), (30.0, 30.0, 0.0)),)
    texts = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        clean_mesh(scene_of(above), rough, None, MeshConfig(faces=900), tmp_path / name, task())
        texts.append(
            (
                read_mesh(tmp_path / name).vertices.tobytes(),
                json.dumps(read_effects(tmp_path / name)),
            )
        )
    assert texts[0] == texts[1]


def test_each_level_of_detail_has_a_quarter_of_the_faces(tmp_path: Path) -> None:
    make_levels(sphere(5), LevelsConfig(count=3), tmp_path, task())
    levels = read_levels(tmp_path)
    full = len(sphere(5).faces)
    assert [len(level.faces) for level in levels] == [full // 4, full // 16]
    for level in levels:
        assert is_closed(level.faces)
        assert level.normals is not None
        np.testing.assert_allclose(np.linalg.norm(level.vertices, axis=1), 1, atol=0.03)


def test_levels_end_where_nothing_would_be_left_and_say_so(tmp_path: Path) -> None:
    events: list[Event] = []
    teller = Task("levels", events.append, CancelToken())
    make_levels(sphere(2), LevelsConfig(count=5), tmp_path, teller)
    assert len(read_levels(tmp_path)) == 1
    assert [event.kind for event in events].count("warning") == 1
    with pytest.raises(ConfigError, match=r"levels\.count"):
        LevelsConfig(count=0)


@pytest.mark.slow
def test_a_mesh_of_a_million_faces_stays_within_its_share_of_memory(tmp_path: Path) -> None:
    import resource

    rng = np.random.default_rng(1)
    big = sheet(750, 0.3 * rng.standard_normal((750, 750)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    above = (looking((375.0, 375.0, 1100.0), (375.0, 375.0, 0.0)),)
    clean_mesh(scene_of(above), big, None, MeshConfig(), tmp_path, task())
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    # 6 GiB for 5 million faces.
    assert grown < 1.2 * 2**30 * len(big.faces) / 1e6
    assert len(read_mesh(tmp_path).faces) <= 300_000
