"""What photos cover is measured against geometry, and suggested photos mend what is weak."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from sphere_scene import sphere_photos

from recon3d.api import reconstruct
from recon3d.cli.coach import Coach
from recon3d.cli.display import Display, make_display
from recon3d.config import Config, updated
from recon3d.core.camera import PinholeCamera
from recon3d.core.errors import InputError
from recon3d.core.scene import PosedPhotos, PosedScene, SparsePoints, View
from recon3d.core.surface import Mesh
from recon3d.core.transform import Rigid
from recon3d.export.export import Outputs
from recon3d.export.meshes import read_mesh
from recon3d.finished import reopen
from recon3d.results import Inputs
from recon3d.run.task import CancelToken, Task, silent
from recon3d.sfm.pose_formats.registry import read_pose_file
from recon3d.surface.cleaning.pieces import keep_faces
from recon3d.view_planning.advice import Advice, advise
from recon3d.view_planning.legend import STEPS, UNKNOWN, exactness_rgb
from recon3d.view_planning.measure import (
    MATCHING_NOISE_PX,
    Weakness,
    matched_px,
    measure_coverage,
)
from recon3d.view_planning.suggest import MIN_OVERLAP

CAMERA = PinholeCamera.centred(300, 200, 300.0)
TASK = Task("coach", silent, CancelToken())
RADIUS, HEIGHT = 4.0, 1.0


def looking(name: str, centre: Sequence[float], at: Sequence[float] = (0, 0, 0)) -> View:
    """A level camera; z is up."""
    place = np.array(centre, float)
    forward = np.array(at, float) - place
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0, 0, 1] if abs(forward[2]) < 0.99 else [0, 1, 0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return View(name, CAMERA, Rigid(rotation, -rotation @ place))


def orbit(degrees: Sequence[float], height: float = HEIGHT) -> list[View]:
    angles = np.radians(degrees)
    return [
        looking(f"{d:g}.jpg", (RADIUS * np.cos(a), RADIUS * np.sin(a), height))
        for d, a in zip(degrees, angles, strict=True)
    ]


def azimuth_deg(view: View) -> float:
    x, y, _ = view.centre_world
    return float(np.degrees(np.arctan2(y, x)) % 360)


def plate(cells: int = 40, side: float = 2.0) -> Mesh:
    """Square about the origin in z = 0, seen from above."""
    x = np.linspace(-side / 2, side / 2, cells + 1)
    vertices = np.stack([*np.meshgrid(x, x), np.zeros((cells + 1,) * 2)], -1).reshape(-1, 3)
    first = (np.arange(cells)[:, None] * (cells + 1) + np.arange(cells)).ravel()
    a, b, c, d = first, first + 1, first + cells + 2, first + cells + 1
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return Mesh(vertices.astype(np.float32), faces.astype(np.int32))


@pytest.fixture(scope="module")
def ball() -> Mesh:
    made = trimesh.creation.icosphere(subdivisions=4, radius=1.0)
    return Mesh(np.asarray(made.vertices, np.float32), np.asarray(made.faces, np.int32))


def posed(views: Sequence[View]) -> PosedPhotos:
    scene = PosedScene(tuple(views), SparsePoints.empty(), "scene")
    return PosedPhotos(scene, {}, {}, {}, ())


def test_a_camera_straight_above_sees_a_plate_at_its_height_over_its_focal_length() -> None:
    sheet = plate()
    coverage = measure_coverage(sheet, [looking("a", (0, 0, 6))], {}, TASK)
    assert (coverage.photos == 1).all()
    # Depth along the axis is the same all over the plate; float32.
    np.testing.assert_allclose(coverage.gsd, 6 / CAMERA.fx_px, rtol=1e-5)
    slant = np.degrees(np.arctan(np.linalg.norm(sheet.vertices[:, :2], axis=1) / 6))
    np.testing.assert_allclose(coverage.angle_deg, slant, atol=0.05)
    assert (coverage.parallax_deg == 0).all()
    np.testing.assert_allclose(coverage.area.sum(), 4.0, rtol=1e-5)


def test_the_widest_angle_is_that_between_the_outermost_cameras() -> None:
    views = [looking(str(x), (x, 0, 6)) for x in (0, 1, -2, 3, -1)]
    coverage = measure_coverage(plate(), views, {}, TASK)
    middle = len(coverage.photos) // 2
    expected = np.degrees(np.arctan(3 / 6) + np.arctan(2 / 6))
    assert coverage.parallax_deg[middle] == pytest.approx(expected, abs=0.05)


def test_a_ball_hides_all_beyond_its_horizon(ball: Mesh) -> None:
    view = looking("a", (RADIUS, 0, 0))
    seen = measure_coverage(ball, [view], {}, TASK).photos > 0
    # A tangent from 4 radii away touches where x is a quarter; faces are 0.07 across.
    assert seen[ball.vertices[:, 0] > 0.25 + 0.07].all()
    assert not seen[ball.vertices[:, 0] < 0.25 - 0.07].any()


def test_what_a_mask_leaves_out_is_not_seen() -> None:
    sheet, view = plate(), looking("a", (0, 0, 6))
    mask = np.zeros((CAMERA.height_px, CAMERA.width_px), bool)
    mask[:, :150] = True
    seen = measure_coverage(sheet, [view], {"a": mask}, TASK).photos > 0
    right = view.cam_from_world.rotation[0]
    aside = sheet.vertices @ right
    assert seen[aside < -0.05].all()
    assert not seen[aside > 0.05].any()


def test_weak_places_are_named_by_what_is_worst() -> None:
    sheet = plate()
    above = [looking(str(x), (x, 0, 6)) for x in (-2, 0, 2)]
    kinds = {
        Weakness.UNSEEN: [looking("below", (0, 0, -6))],
        Weakness.ONE_PHOTO: above[:1],
        Weakness.TWO_PHOTOS: above[:2],
        Weakness.NARROW: [looking(str(x), (x / 50, 0, 6)) for x in range(3)],
        Weakness.OBLIQUE: [looking(str(y), (y, 12, 1.5)) for y in (-3, 0, 3)],
        Weakness.NONE: above,
    }
    for kind, views in kinds.items():
        found = measure_coverage(sheet, views, {}, TASK).weakness
        assert np.mean(found == kind) > 0.95, kind


@pytest.fixture(scope="module")
def gap(ball: Mesh) -> tuple[list[View], Advice]:
    """A ball photographed all around but for a sector from 60 to 160 degrees; the mesh ends where
    fewer than three photos look."""
    views = orbit([*range(160, 360, 20), *range(0, 61, 20)])
    seen = measure_coverage(ball, views, {}, TASK).photos >= 3
    mesh = keep_faces(ball, seen[ball.faces].all(1))
    return views, advise(mesh, posed(views), None, 5, TASK)


def test_suggested_photos_fill_a_gap(gap: tuple[list[View], Advice], ball: Mesh) -> None:
    views, advice = gap
    found = [each.view for each in advice.suggestions]
    assert 60 < azimuth_deg(found[0]) < 160
    middle = ball.vertices @ [np.cos(1.92), np.sin(1.92), 0]
    facing = middle > 0.8
    before = measure_coverage(ball, views, {}, TASK).sights[facing]
    after = measure_coverage(ball, [*views, *found], {}, TASK).sights[facing]
    assert (before >= 3).mean() < 0.2
    assert (after >= 3).mean() > 0.8


def test_suggested_photos_overlap_with_one_there_is(gap: tuple[list[View], Advice]) -> None:
    views, advice = gap
    by_name = {view.photo_id: view for view in views}
    for each in advice.suggestions:
        assert each.overlap >= MIN_OVERLAP
        other = by_name[each.overlapping]
        apart = abs(azimuth_deg(each.view) - azimuth_deg(other)) % 360
        assert min(apart, 360 - apart) < 45


def test_suggested_photos_are_taken_where_people_can_stand(
    gap: tuple[list[View], Advice],
) -> None:
    views, advice = gap
    heights = [view.centre_world[2] for view in views]
    for each in advice.suggestions:
        away = np.linalg.norm(each.view.centre_world)
        assert 1.5 < away < 1.3 * RADIUS
        # The ball's lowest point is the ground.
        assert -1 + 0.6 * (min(heights) + 1) - 0.1 < each.view.centre_world[2]
        assert each.view.centre_world[2] < 1.15 * (max(heights) + 1) - 1 + 0.1


def test_suggestions_together_gain_no_more_than_what_is_missing(
    gap: tuple[list[View], Advice],
) -> None:
    gains = [each.gain for each in gap[1].suggestions]
    assert min(gains) > 0
    assert sum(gains) <= 1


def test_what_is_covered_needs_no_further_photo() -> None:
    views = [looking(f"{x} {y}", (x, y, 6)) for x in (-2, 0, 2) for y in (-2, 0, 2)]
    advice = advise(plate(), posed(views), None, 5, TASK)
    assert advice.suggestions == ()


def test_sentences_name_the_photos_on_both_sides(gap: tuple[list[View], Advice]) -> None:
    between = 0
    for told, each in zip(gap[1].sentences, gap[1].suggestions, strict=True):
        here = azimuth_deg(each.view)
        if found := re.match(r"Between (\d+)\.jpg and (\d+)\.jpg[,:]", told):
            between += 1
            low, high = sorted(map(int, found.groups()))
            assert low < here < high, (told, here)
        else:
            found = re.match(r"Beside (\d+)\.jpg[,:]", told)
            assert found, told
            assert abs(int(found[1]) - here) < 20
    assert between


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, small_stills: None) -> Path:
    """A finished run on four depth maps of a ball; its back and its top are in none."""
    folder = tmp_path_factory.mktemp("kürbis")
    scene, maps = sphere_photos()
    (folder / "photos").mkdir()
    (folder / "depth").mkdir()
    rng = np.random.default_rng(0)
    cameras: dict[str, object] = {"unit": "metre"}
    for view in scene.scene.views[:4]:
        name = view.photo_id.replace(".jpg", ".png")
        noise = rng.integers(0, 255, (120, 120, 3), np.uint8)
        Image.fromarray(noise).save(folder / "photos" / name)
        depth_mm = np.rint(1000 * maps[view.photo_id].depth_z).astype(np.uint16)
        Image.fromarray(depth_mm).save(folder / "depth" / name)
        cameras[name] = {"cam_from_world": view.cam_from_world.matrix().tolist()}
    (folder / "cameras.json").write_text(json.dumps(cameras))
    camera = scene.scene.views[0].camera
    (folder / "K.txt").write_text("\n".join(" ".join(map(str, row)) for row in camera.matrix))
    inputs = Inputs(
        photos=folder / "photos",
        intrinsics=folder / "K.txt",
        poses=folder / "cameras.json",
        sensor_depth=folder / "depth",
    )
    coarse = updated(Config(), {"fuse": {"voxel_size": 0.15, "surface": "tsdf"}})
    outputs = Outputs(meshes=(folder / "ball.ply",))
    reconstruct(inputs, folder / "ball.recon3d", coarse, outputs=outputs)
    return folder / "ball.recon3d"


def coach(workspace: Path, folder: Path, display: Display) -> None:
    """`recon3d coach` without a process of its own."""
    Coach(
        workspace=workspace,
        output=folder / "ball_coverage.ply",
        cameras=folder / "suggested_views.json",
        views=2,
    ).run(display, CancelToken())


def test_the_command_writes_a_coloured_mesh_and_cameras_that_recon3d_reads(
    workspace: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with make_display("json") as display:
        coach(workspace, tmp_path, display)
    told = json.loads(capfd.readouterr().out.splitlines()[-1])
    mesh = read_mesh(tmp_path / "ball_coverage.ply")
    results = reopen(workspace)
    assert results.mesh is not None
    assert mesh.rgb is not None
    assert len(mesh.vertices) >= len(results.mesh.value.vertices) + 5 * len(told["suggestions"])
    read = read_pose_file(tmp_path / "suggested_views.json", (), (1, 1)).cam_from_world
    assert len(read) == len(told["suggestions"]) > 0
    for suggestion, stored in zip(told["suggestions"], read.values(), strict=True):
        np.testing.assert_allclose(stored.matrix(), suggestion["cam_from_target"], atol=1e-9)
        picture = tmp_path / "suggested_views_images" / suggestion["id"]
        with Image.open(picture) as image:
            assert image.size == (120, 120)


def test_the_report_shows_what_is_weak(workspace: Path) -> None:
    page = (workspace / "report.html").read_text(encoding="utf-8")
    facts = json.loads((workspace / "report.json").read_text(encoding="utf-8"))
    assert sum(facts["coverage"]["shares"].values()) == pytest.approx(1)
    assert "Where photos are missing" in page
    for suggestion in facts["coverage"]["suggestions"]:
        assert suggestion["told"] in page


def test_a_folder_that_is_no_workspace_is_an_error_in_words(tmp_path: Path) -> None:
    with make_display("quiet") as display, pytest.raises(InputError):
        coach(tmp_path, tmp_path, display)


def test_the_error_to_expect_is_that_of_points_found_again_from_noisy_sights() -> None:
    """Noise in, error out: the spread of triangulated points is what `sigma` says."""
    views = [looking(str(x), (x, -0.5, 6)) for x in (-1.2, 0.1, 1.5)]
    sheet = plate(cells=4)
    coverage = measure_coverage(sheet, views, {}, TASK)
    rng = np.random.default_rng(5)
    for vertex in (0, 12, 24):
        point = sheet.vertices[vertex].astype(np.float64)
        heights = [_found_again(point, views, rng)[2] for _ in range(3000)]
        # The spread of 3000 draws is known within 1.3 %; those of the far photo count in full.
        assert float(coverage.sigma[vertex]) == pytest.approx(np.std(heights), rel=0.06)


def _found_again(point: np.ndarray, views: Sequence[View], rng: np.random.Generator) -> np.ndarray:
    """By least squares over the sights of some photos, each off by the matching's noise."""
    rows, values = [], []
    for view in views:
        rotation, translation = view.cam_from_world.rotation, view.cam_from_world.translation
        x, y, z = rotation @ point + translation
        noise = MATCHING_NOISE_PX / CAMERA.fx_px * rng.standard_normal(2)
        for axis, seen in ((0, x / z + noise[0]), (1, y / z + noise[1])):
            rows.append(rotation[axis] - seen * rotation[2])
            values.append(seen * translation[2] - translation[axis])
    return np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0]


def test_more_nearer_and_wider_photos_make_a_place_more_exact() -> None:
    def sigma(*centres: tuple[float, float, float]) -> float:
        views = [looking(str(index), centre) for index, centre in enumerate(centres)]
        coverage = measure_coverage(plate(cells=4), views, {}, TASK)
        return float(coverage.sigma[12])

    two = sigma((-1, 0, 6), (1, 0, 6))
    assert sigma((-1, 0, 6), (1, 0, 6), (0, 1, 6)) < two
    assert sigma((-0.5, 0, 3), (0.5, 0, 3)) == pytest.approx(two / 2, rel=1e-3)
    # A third of the angle is nearly three times the error.
    assert sigma((-1 / 3, 0, 6), (1 / 3, 0, 6)) == pytest.approx(3 * two, rel=0.05)
    assert np.isinf(sigma((0, 0, 6)))
    assert np.isinf(sigma((0, 0, 6), (0.001, 0, 6)))


def test_depth_of_half_the_size_is_half_as_exact() -> None:
    views = [looking(str(x), (x, 0, 6)) for x in (-1, 1)]
    fine, coarse = (
        measure_coverage(plate(cells=4), views, {}, TASK, pixels).sigma for pixels in (300, 150)
    )
    np.testing.assert_allclose(coarse, 2 * fine, rtol=1e-4)
    assert matched_px({}) is None


def test_colours_tell_exact_from_vague_and_both_from_unknown() -> None:
    views = [looking(str(x), (x, 0, 6)) for x in (-1, 1)]
    sheet = plate()
    sheet = replace(sheet, inferred=np.arange(len(sheet.faces)) % 1600 < 200)
    coverage = measure_coverage(sheet, views, {}, TASK)
    vague = replace(coverage, sigma=coverage.sigma * np.where(sheet.vertices[:, 1] > 0.5, 100, 1))
    rgb = exactness_rgb(vague).astype(int)
    assert (rgb[coverage.inferred] == UNKNOWN).all()
    assert coverage.inferred.any()
    above = (sheet.vertices[:, 1] > 0.5) & ~coverage.inferred
    below = (sheet.vertices[:, 1] <= 0.5) & ~coverage.inferred
    assert (rgb[above] == STEPS[-1][1]).all()
    assert (rgb[below, 1] > rgb[above, 1].max()).all()
