"""Holes are closed where no camera looked through, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mirror_scene import HALF_MIRROR, IMAGE_Z, WALL_Z, mirror_photos
from pretended_cluster import THERE, pretend_cluster
from solids import sheet
from sphere_scene import sphere_photos

from recon3d.core.camera import PinholeCamera
from recon3d.core.depth import SceneDepth
from recon3d.core.scene import PosedPhotos, View
from recon3d.core.surface import Mesh, PointCloud, face_areas
from recon3d.core.transform import Rigid
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Task, silent
from recon3d.surface.cleaning.holes import count_holes
from recon3d.surface.cleaning.repair import make_manifold
from recon3d.surface.closing.blocks import blocks
from recon3d.surface.closing.bridging import bridged
from recon3d.surface.closing.choosing import closing_faces
from recon3d.surface.closing.closing import close_surface, shown
from recon3d.surface.closing.cut import free_cells
from recon3d.surface.closing.tetrahedra import Votes, surface_of, tetrahedra, vote
from recon3d.surface.mesh import CLEAN, MeshConfig, close_seams
from recon3d.surface.topology import edge_uses, half_edges


def task() -> Task:
    return Task("mesh", silent, CancelToken(), Runtime(device="cpu"))


def close(posed: PosedPhotos, depth: dict[str, SceneDepth], mesh: Mesh, reach: float) -> Mesh:
    return close_surface(posed, depth, mesh, reach, Path("nothing is written"), task())


def unit_sphere(cap: float) -> Mesh:
    """An icosphere without the faces whose height is above `cap`."""
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=4)
    heights = ball.vertices[ball.faces].mean(axis=1)[:, 2]
    faces = np.asarray(ball.faces, np.int32)[heights < cap]
    used, numbers = np.unique(faces, return_inverse=True)
    return Mesh(
        np.asarray(ball.vertices, np.float32)[used],
        numbers.reshape(faces.shape).astype(np.int32),
        rgb=np.full((len(used), 3), 90, np.uint8),
    )


def open_length(mesh: Mesh) -> float:
    ends = mesh.vertices[half_edges(mesh.faces)[edge_uses(mesh.faces).borders]]
    return float(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).sum())


def blind_above(
    maps: dict[str, SceneDepth], posed: PosedPhotos, height: float
) -> dict[str, SceneDepth]:
    """Depth maps that know nothing of the sphere's top."""
    found = {}
    for photo_id, there in maps.items():
        view = posed.scene.view(photo_id)
        v, u = np.indices(there.depth_z.shape) + 0.5
        camera: PinholeCamera = there.camera
        z = there.depth_z
        xyz_cam = np.stack(
            [(u - camera.cx_px) / camera.fx_px * z, (v - camera.cy_px) / camera.fy_px * z, z], -1
        )
        xyz = view.cam_from_world.inverse() @ xyz_cam.reshape(-1, 3)
        top = (xyz[:, 2] > height).reshape(z.shape)
        found[photo_id] = replace(there, depth_z=np.where(top, 0, z).astype(np.float32))
    return found


def test_a_cap_that_nobody_measured_is_closed_and_marked() -> None:
    posed, maps = sphere_photos()
    open_ball = unit_sphere(0.8)
    closed = close(posed, blind_above(maps, posed, 0.8), open_ball, 1.0)
    assert closed.inferred is not None
    tops = closed.vertices[closed.faces[closed.inferred]].mean(axis=1)
    # A flat lid over the cap, whose rim lies at 0.8 within a face; nothing else is made up.
    assert len(tops)
    assert tops[:, 2].min() > 0.7
    assert closed.rgb is not None
    assert (closed.rgb == 90).all()
    # What was measured stays to the last face.
    assert np.count_nonzero(~closed.inferred) == len(open_ball.faces)
    # Where the cut took other triangles than the mesh has, slits of single triangles may stay.
    whole = close_seams(make_manifold(closed))
    assert open_length(whole) < 0.2 * open_length(open_ball), (
        open_length(whole),
        open_length(open_ball),
    )


def test_what_reaches_too_far_stays_open() -> None:
    posed, maps = sphere_photos()
    open_ball = unit_sphere(0.8)
    kept = close(posed, blind_above(maps, posed, 0.8), open_ball, 0.02)
    assert kept.inferred is not None
    assert kept.inferred.mean() < 0.02
    uses = edge_uses(kept.faces)
    assert np.diff(np.r_[uses.starts, 3 * len(kept.faces)]).min() == 1


def test_what_masks_call_background_stays_open() -> None:
    posed, maps = sphere_photos()
    maps = blind_above(maps, posed, 0.8)
    masks = {photo_id: there.depth_z > 0 for photo_id, there in maps.items()}
    masked = replace(posed, masks=masks)
    closed = close(masked, maps, unit_sphere(0.8), 1.0)
    assert closed.inferred is not None
    tops = closed.vertices[closed.faces[closed.inferred]].mean(axis=1)
    assert not (tops[:, 2] > 0.85).any()


def test_what_looks_like_the_sky_stays_open() -> None:
    posed, maps = sphere_photos()
    maps = blind_above(maps, posed, 0.8)
    rng = np.random.default_rng(0)
    grain = {photo_id: rng.integers(0, 255, (120, 120, 3), np.uint8) for photo_id in maps}
    for photo_id, there in maps.items():
        # The cap has the colour of what is behind it, as a hole in a roof does.
        grain[photo_id][there.depth_z == 0] = (120, 160, 210)
    closed = close(replace(posed, rgb=grain), maps, unit_sphere(0.8), 1.0)
    assert closed.inferred is not None
    tops = closed.vertices[closed.faces[closed.inferred]].mean(axis=1)
    assert not (tops[:, 2] > 0.85).any()


def test_only_what_is_even_unconfirmed_large_and_at_the_border_is_background() -> None:
    posed, maps = sphere_photos()
    view = posed.scene.views[0]
    rgb = np.random.default_rng(0).integers(0, 255, (120, 120, 3), np.uint8)
    known = np.full((120, 120), 2.0, np.float32)
    sky, wall, patch, chip = (np.zeros((120, 120), bool) for _ in range(4))
    sky[:30], wall[60:90, :40], patch[60:90, 60:100], chip[110:, 110:] = True, True, True, True
    for part in (sky, wall, patch, chip):
        rgb[part] = (120, 160, 210)
    known[sky | patch | chip] = 0
    depth = {view.photo_id: replace(maps[view.photo_id], depth_z=known)}
    things = shown(view, replace(posed, rgb={view.photo_id: rgb}), depth)
    assert things is not None
    assert not things[:25].any()
    assert things[40:].all()
    # A depth camera has holes in walls as well.
    measured = replace(posed, rgb={view.photo_id: rgb}, sensor_depth={view.photo_id: known})
    assert shown(view, measured, depth) is None
    masked = replace(posed, rgb={view.photo_id: rgb}, masks={view.photo_id: ~patch})
    things = shown(view, masked, depth)
    assert things is not None
    assert not things[patch].any()
    assert not things[:25].any()


def test_a_mesh_too_large_to_close_stays_open_with_a_warning_on_every_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    posed, maps = sphere_photos()
    none = np.zeros((0, 3), np.float32)
    surface = (unit_sphere(0.8), PointCloud(none, none.astype(np.uint8), none))
    config = MeshConfig(region="all", reach=1.0, hole_size=0.0)
    folders = [tmp_path / "closed", tmp_path / "open"]
    for folder in folders:
        folder.mkdir()
    CLEAN.run(posed, blind_above(maps, posed, 0.8), surface, config, folders[0], task())
    assert not list(CLEAN.warnings(folders[0]))
    monkeypatch.setattr("recon3d.surface.mesh._MOST_FACES_TO_CLOSE", 1000)
    CLEAN.run(posed, blind_above(maps, posed, 0.8), surface, config, folders[1], task())
    (warning,) = CLEAN.warnings(folders[1])
    assert "stay open" in warning
    assert count_holes(CLEAN.read(folders[1])) > count_holes(CLEAN.read(folders[0]))


@pytest.mark.parametrize(
    "seeing",
    [("0.jpg",), ("0.jpg", "2.jpg"), ("0.jpg", "1.jpg")],
    ids=["one view", "views on a line", "a corner"],
)
def test_few_views_close_no_more_than_they_look_at(seeing: tuple[str, ...]) -> None:
    posed, maps = sphere_photos()
    views = tuple(view for view in posed.scene.views if view.photo_id in seeing)
    few = replace(posed, scene=replace(posed.scene, views=views))
    known = {name: maps[name] for name in seeing}
    kept = close(few, known, unit_sphere(0.8), 0.1)
    # The ball has no holes but its cap; what no view says is free or solid must not become surface.
    assert kept.inferred is not None
    invented = kept.vertices[kept.faces[kept.inferred]].mean(axis=1)
    assert np.linalg.norm(invented, axis=1).max(initial=1) < 1.01
    assert np.isfinite(kept.vertices).all()
    assert np.count_nonzero(~kept.inferred) == len(unit_sphere(0.8).faces)


def middles_of_inferred(mesh: Mesh) -> np.ndarray:
    assert mesh.inferred is not None
    return np.asarray(mesh.vertices[mesh.faces[mesh.inferred]].mean(axis=1))


def test_a_mirror_invents_no_room_behind_the_wall() -> None:
    posed, maps, surface = mirror_photos()
    inferred = middles_of_inferred(close(posed, maps, surface, 0.1))
    between = (inferred[:, 2] > WALL_Z + 0.1) & (inferred[:, 2] < IMAGE_Z - 0.1)
    assert not between.any()
    on_mirror = (np.abs(inferred[:, :2]) < 0.9 * HALF_MIRROR).all(axis=1)
    assert not (on_mirror & (np.abs(inferred[:, 2] - WALL_Z) < 0.1)).any()
    # Only how far faces may reach keeps the wall and its image apart.
    far = middles_of_inferred(close(posed, maps, surface, 3.0))
    assert ((far[:, 2] > WALL_Z + 0.1) & (far[:, 2] < IMAGE_Z - 0.1)).any()


def test_a_hole_in_the_outermost_wall_is_closed_flat() -> None:
    posed, maps, surface = mirror_photos()
    on_wall = surface.vertices[surface.faces][:, 0, 2] < IMAGE_Z - 0.1
    wall = Mesh(surface.vertices, surface.faces[on_wall])
    blind = {
        name: replace(there, depth_z=there.depth_z * (there.depth_z < IMAGE_Z - 0.1))
        for name, there in maps.items()
    }
    closed = close(posed, blind, wall, 1.0)
    np.testing.assert_allclose(middles_of_inferred(closed)[:, 2], WALL_Z, atol=1e-3)
    assert closed.inferred is not None
    area = face_areas(closed)[closed.inferred].sum()
    assert area == pytest.approx((2 * HALF_MIRROR) ** 2, rel=0.02)


def test_a_whole_surface_stays_as_it_is() -> None:
    posed, maps = sphere_photos()
    ball = unit_sphere(2.0)
    same = close(posed, maps, ball, 1.0)
    np.testing.assert_allclose(np.linalg.norm(same.vertices, axis=1), 1, atol=1e-3)
    assert len(same.faces) == pytest.approx(len(ball.faces), rel=0.01)


@pytest.mark.parametrize(
    ("case", "kept"), [("whole", False), ("rougher", True), ("hole", True), ("back", True)]
)
def test_no_lid_comes_over_what_the_mesh_shows_already(case: str, kept: bool) -> None:
    # Waves of 0.4 that a camera sees from above; the lid lies on their crests.
    x, y = np.meshgrid(np.arange(31.0), np.arange(31.0))
    waves = sheet(31, 0.4 * np.cos(2 * np.pi * x / 6) * np.cos(2 * np.pi * y / 6))
    faces = waves.faces
    if case == "hole":
        middle = waves.vertices[faces].mean(axis=1)[:, :2]
        faces = faces[np.linalg.norm(middle - (20, 10), axis=1) > 3]
    if case == "back":
        faces = faces[:, ::-1]
    corners = np.float64([[0.5, 0.5, 0.45], [29.5, 0.5, 0.45], [29.5, 29.5, 0.45]])
    vertices = np.concatenate([waves.vertices.astype(np.float64), corners])
    lid = np.arange(31 * 31, 31 * 31 + 3, dtype=np.int32)[None]
    turn = np.diag([1.0, -1.0, -1.0])
    above = View(
        "above.jpg",
        PinholeCamera(120, 120, 150.0, 150.0, 60.0, 60.0),
        Rigid(turn, -turn @ [15.0, 15.0, 60.0]),
    )
    noise = 0.3 if case == "rougher" else 0.9
    found = closing_faces(
        vertices, faces, lid, [above], lambda view: None, 100.0, 0.1, noise, task()
    )
    assert bool(len(found)) is kept


def test_the_same_input_gives_the_same_bytes() -> None:
    posed, maps = sphere_photos()
    parts = [close(posed, maps, unit_sphere(0.8), 1.0) for _ in range(2)]
    assert parts[0].vertices.tobytes() == parts[1].vertices.tobytes()
    assert parts[0].faces.tobytes() == parts[1].faces.tobytes()


def test_blocks_close_what_the_whole_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    posed, maps = sphere_photos()
    maps, ball = blind_above(maps, posed, 0.96), unit_sphere(0.96)
    whole = close(posed, maps, ball, 0.3)
    monkeypatch.setattr("recon3d.surface.closing.blocks._MOST_POINTS", 1200)
    assert len(list(blocks(ball.vertices.astype(np.float64), 0.3))) >= 4
    parted = close(posed, maps, ball, 0.3)
    areas = []
    for mesh in (whole, parted):
        assert mesh.inferred is not None
        areas.append(face_areas(mesh)[mesh.inferred].sum())
        assert open_length(close_seams(make_manifold(mesh))) < 0.2 * open_length(ball), len(areas)
    assert areas[1] == pytest.approx(areas[0], rel=0.03)


def test_machines_of_a_cluster_cut_blocks_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = pretend_cluster(monkeypatch)
    monkeypatch.setattr("recon3d.surface.closing.blocks._MOST_POINTS", 1200)
    posed, maps = sphere_photos()
    maps, ball = blind_above(maps, posed, 0.96), unit_sphere(0.96)
    here = close(posed, maps, ball, 0.3)
    there = Task("mesh", silent, CancelToken(), THERE)
    parted = close_surface(posed, maps, ball, 0.3, tmp_path, there)
    assert len(made) >= 4
    assert parted.vertices.tobytes() == here.vertices.tobytes()
    assert parted.faces.tobytes() == here.faces.tobytes()
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("seed", range(3))
def test_blocks_share_all_places_and_see_all_points(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recon3d.surface.closing.blocks._MOST_POINTS", 400)
    rng = np.random.default_rng(seed)
    # Dense and sparse, in a plane too, and many at one height.
    points = rng.normal(0, 1, (5000, 3)) * rng.choice([0.01, 1.0], (5000, 1)) * [1, 1, seed]
    parts = list(blocks(points, 0.3))
    assert np.sum([part.holds(points) for part in parts], axis=0).tolist() == [1] * len(points)
    for part in parts:
        assert np.isin(np.flatnonzero(part.holds(points)), part.points).all()
        assert len(part.points) <= 1.25 * 400 + 1
        assert part.weight.sum() == pytest.approx(len(points), rel=0.02)


def test_cells_fill_the_hull_and_rays_pass_them_all() -> None:
    rng = np.random.default_rng(1)
    points = np.concatenate([rng.uniform(-1, 1, (200, 3)), [[0.0, 0.0, 5.0]]])
    cells = tetrahedra(points)
    a, b, c, d = (cells.points[cells.cells[:, i]] for i in range(4))
    volume = np.abs(np.einsum("ni,ni->n", np.cross(b - a, c - a), d - a)).sum() / 6
    from scipy.spatial import ConvexHull

    assert volume == pytest.approx(ConvexHull(points).volume, rel=1e-4)
    seen = np.arange(200, dtype=np.int32)
    votes = vote(cells, seen, np.full(200, 200, np.int32), np.ones(200), np.full(len(points), 1e-3))
    # Every ray arrives in a cell at the camera, whose votes are all of them.
    assert votes.free[(cells.cells == 200).any(axis=1)].sum() == pytest.approx(200)
    assert votes.free.sum() == pytest.approx(200)
    assert votes.solid.sum() == pytest.approx(200)


def test_the_cut_is_the_cheapest_of_all() -> None:
    rng = np.random.default_rng(2)
    cells = tetrahedra(rng.uniform(-1, 1, (7, 3)))
    count = len(cells.cells)
    assert count < 16
    votes = Votes(
        rng.integers(1, 9, (count, 4)).astype(float),
        rng.integers(0, 9, count).astype(float),
        rng.integers(0, 9, count).astype(float),
    )

    def cost(free: np.ndarray) -> float:
        across = (cells.neighbours >= 0) & free[:, None] & ~free[cells.neighbours]
        return float(votes.facets[across].sum() + votes.free[~free].sum() + votes.solid[free].sum())

    every = [np.array([(n >> i) & 1 for i in range(count)], bool) for n in range(2**count)]
    assert cost(free_cells(cells, votes)) == pytest.approx(min(map(cost, every)))


def strip(width: float) -> tuple[np.ndarray, np.ndarray]:
    """A row of four squares one unit long, each two faces; the vertices, the faces."""
    x, y = np.meshgrid(np.arange(5.0), [0.0, width])
    vertices = np.stack([x.ravel(), y.ravel(), np.zeros(10)], axis=1)
    squares = [([k, k + 1, k + 6], [k, k + 6, k + 5]) for k in range(4)]
    return vertices, np.array(squares, np.int32).reshape(-1, 3)


def test_what_no_camera_sees_bridges_narrow_gaps_of_what_they_see() -> None:
    # A gap one unit wide and five high: five of area against ten less two of border.
    vertices, faces = strip(5.0)
    own, choice = faces[4:], faces[:4]
    seen, none = np.array([1, 1, 0, 0], bool), np.zeros(4, bool)
    assert bridged(vertices, own, choice, seen, none, none, 0.7).all()
    assert (bridged(vertices, own, choice, seen, none, none, 0.5) == seen).all()
    barred = np.array([0, 0, 1, 0], bool)
    assert not bridged(vertices, own, choice, seen, barred, none, 0.7)[2]


def test_what_makes_the_border_shorter_is_kept_whatever_its_area() -> None:
    # The gap in a row is closed, its end does not grow.
    vertices, faces = strip(50.0)
    choice, none = faces[2:6], np.zeros(4, bool)
    enclosed = bridged(vertices, faces[[0, 1, 6, 7]], choice, none, none, ~none, 0.1)
    assert enclosed.all()
    at_the_end = bridged(vertices, faces[:2], choice, none, none, ~none, 0.1)
    assert not at_the_end.any()
    assert not bridged(vertices, faces[[0, 1, 6, 7]], choice, none, none, none, 0.1).any()


@pytest.mark.parametrize("weightless", [False, True])
def test_no_other_bridges_cost_less(weightless: bool) -> None:
    rng = np.random.default_rng(4)
    vertices, faces = strip(0.7)
    vertices += rng.normal(0, 0.2, vertices.shape)
    own, gap = faces[3:5], np.delete(faces, (3, 4), axis=0)
    seen, barred = np.zeros((2, len(gap)), bool)
    seen[[0, 5]] = True
    width = 0.35

    def cost(kept: np.ndarray) -> float:
        whole = np.concatenate([own, gap[kept]])
        a, b, c = np.moveaxis(vertices[gap[kept & ~seen]], 1, 0)
        area = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2 * (not weightless)
        ends = vertices[half_edges(whole)[edge_uses(whole).borders]]
        return float(area + width * np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).sum())

    every = [np.array([(n >> i) & 1 for i in range(len(gap))], bool) for n in range(2 ** len(gap))]
    every = [kept for kept in every if kept[seen].all()]
    found = bridged(vertices, own, gap, seen, barred, ~seen & ~barred & weightless, width)
    assert cost(found) == pytest.approx(min(map(cost, every)))


def test_facets_face_the_free_side() -> None:
    rng = np.random.default_rng(3)
    cells = tetrahedra(rng.uniform(-1, 1, (60, 3)))
    middle = cells.points[cells.cells].mean(axis=1)
    solid = (np.linalg.norm(middle, axis=1) < 0.5) & (cells.neighbours >= 0).all(axis=1)
    a, b, c, d = (cells.points[cells.cells[solid, i]] for i in range(4))
    volume = np.abs(np.einsum("ni,ni->n", np.cross(b - a, c - a), d - a)).sum() / 6
    corners = cells.points[surface_of(cells, ~solid)]
    # By the divergence theorem, which counts faces that are turned the wrong way as negative.
    enclosed = np.einsum("ni,ni->n", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    assert enclosed.sum() / 6 == pytest.approx(volume, rel=1e-9)
    assert volume > 0
