"""The bench: truth files, surfaces against truth, the table, and sets that fail."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recon3d.bench import SETS, BenchRow, load_rows, markdown, run_bench, save_rows
from recon3d.bench.depth_scores import DepthErrors
from recon3d.bench.page import write_page
from recon3d.bench.rows import kept_row
from recon3d.bench.shape import ShapeScores
from recon3d.bench.speed import SpeedCase, SpeedRow, bench_depth, default_cases, speed_table
from recon3d.bench.surface import (
    THRESHOLDS,
    Reference,
    depth_renderer,
    surface_errors,
    visible_count,
)
from recon3d.bench.truth import at_camera, read_llff_cameras, read_surveyed_cameras
from recon3d.config import Config
from recon3d.core.camera import PinholeCamera
from recon3d.core.errors import ConfigError
from recon3d.core.scene import View
from recon3d.core.surface import Mesh
from recon3d.core.transform import Rigid
from recon3d.run.cost import Cost
from recon3d.run.device import Runtime

CAMERA = PinholeCamera(100, 100, 100.0, 100.0, 50.0, 50.0)


def plate(z: float, half: float = 1.0) -> Mesh:
    """A square facing -z, towards a camera at the origin."""
    corners = np.array([[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]])
    return Mesh(corners.astype(np.float32), np.array([[0, 2, 1], [0, 3, 2]], np.int32))


def both(a: Mesh, b: Mesh) -> Mesh:
    vertices = np.concatenate([a.vertices, b.vertices])
    return Mesh(vertices, np.concatenate([a.faces, b.faces + len(a.vertices)]).astype(np.int32))


def views_from(*xs: float) -> list[View]:
    return [View(str(x), CAMERA, Rigid(np.eye(3), np.array([-x, 0.0, 0.0]))) for x in xs]


def test_a_plate_shifted_by_a_known_distance_is_that_far_from_the_truth() -> None:
    errors = surface_errors(plate(4.02), Reference(plate(4.0), views_from(-0.1, 0.1)))
    assert errors.diagonal == pytest.approx(np.sqrt(8), rel=1e-6)
    # float32 coordinates near 4
    assert errors.mean_accuracy == pytest.approx(0.02, abs=1e-5)
    assert errors.mean_completeness == pytest.approx(0.02, abs=1e-5)
    # 0.02 is 0.71 % of the diagonal: a miss at 0.5 %, a hit at 1 % and 2 %
    assert [score.f_score for score in errors.scores] == [0, 1, 1]
    assert [s.threshold / errors.diagonal for s in errors.scores] == pytest.approx(THRESHOLDS)


def test_half_a_surface_is_accurate_but_half_complete() -> None:
    whole, quarter = plate(4.0), plate(4.0, half=0.5)
    errors = surface_errors(quarter, Reference(whole, views_from(-0.1, 0.1)))
    assert errors.mean_accuracy == pytest.approx(0, abs=1e-5)
    # Of the square of side 2, the square of side 1 and a rim of 1 % of the diagonal around it.
    rim = 0.01 * np.sqrt(8)
    expected = (1 + 4 * rim + np.pi * rim**2) / 4
    assert errors.scores[1].accuracy == 1
    # 200 000 samples: standard deviation 0.001
    assert errors.scores[1].completeness == pytest.approx(expected, abs=0.005)


def test_truth_that_no_two_photos_see_is_not_asked_for() -> None:
    truth = both(plate(4.0), plate(6.0, half=1.2))
    errors = surface_errors(plate(4.0), Reference(truth, views_from(-0.01, 0.01)))
    # The hidden plate's visible rim is 1.2 ^ 2 - (1.5 ^ 2 -> all hidden): nothing is missing.
    assert errors.scores[1].completeness == pytest.approx(1, abs=1e-3)


def test_points_behind_a_surface_or_outside_the_picture_are_not_visible() -> None:
    points = np.array([[0.0, 0, 4], [0, 0, 6], [1.9, 0, 4], [0, 0, -4]])
    scene = both(plate(4.0, half=3.0), plate(6.0))
    assert visible_count(points, scene, views_from(0.0, 0.05)).tolist() == [2, 0, 2, 0]
    assert visible_count(points[2:3], scene, views_from(-1.0)).tolist() == [0]


def test_rendered_depth_lies_along_the_optical_axis_not_along_the_ray() -> None:
    (view,) = views_from(0.5)
    depth_z = depth_renderer(plate(4.0, half=1.0))(view)
    # The plate's edges at x = -1 and 1 project to 12.5 and 62.5, its y to 25 and 75.
    expected = np.zeros((100, 100))
    expected[25:75, 13:62] = 4.0
    inner = (slice(None), np.r_[0:12, 13:62, 63:100])
    assert depth_z[inner] == pytest.approx(expected[inner], abs=1e-5)


def test_true_depth_is_read_at_the_pixels_of_a_resized_and_shifted_camera() -> None:
    truth = np.arange(1.0, 17.0).reshape(4, 4)
    true_camera = PinholeCamera(4, 4, 4.0, 4.0, 2.0, 2.0)
    assert (at_camera(truth, true_camera, true_camera) == truth).all()
    half = true_camera.resized(2, 2)
    assert at_camera(truth, true_camera, half).tolist() == [[6, 8], [14, 16]]
    wide = PinholeCamera(6, 4, 4.0, 4.0, 3.0, 2.0)
    assert at_camera(truth, true_camera, wide)[0].tolist() == [0, 1, 2, 3, 4, 0]


def test_surveyed_cameras_keep_their_centre(tmp_path: Path) -> None:
    turn = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    fields = {"cam_from_world_rotation": turn, "camera_centre_m": [1, 2, 3]}
    (tmp_path / "true.json").write_text(json.dumps({"a.jpg": fields}))
    camera = read_surveyed_cameras(tmp_path, "true.json")["a.jpg"]
    assert camera.inverse().translation == pytest.approx([1, 2, 3])
    assert camera.rotation.tolist() == turn


def test_llff_cameras_turn_from_down_right_back(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").touch()
    # A camera at (1, 2, 3) that looks along +z with x right and y down.
    down, right, back, centre = [0, 1, 0], [1, 0, 0], [0, 0, -1], [1, 2, 3]
    matrix = np.column_stack([down, right, back, centre, [480, 640, 500]])
    np.save(tmp_path / "poses.npy", np.concatenate([matrix.ravel(), [1.0, 9.0]])[None])
    camera = read_llff_cameras(tmp_path, "poses.npy", "images")["a.jpg"]
    assert camera.rotation == pytest.approx(np.eye(3))
    assert camera.translation == pytest.approx([-1, -2, -3])


ROW = BenchRow(
    name="example",
    what="stones",
    photos=24,
    placed=23,
    raw_depth=DepthErrors(float("nan"), 0.9, 0.95, 0.8, 0.75),
    agreement=0.7,
    surface=surface_errors(plate(4.0), Reference(plate(4.0), views_from(-0.1, 0.1))),
    shape=ShapeScores(0.875, 3, 120.0, 4.25),
    faces=12_345,
    stages={"pose": Cost(12.5, 20.25, 300 << 20)},
    notes=("pose: one photo is blurred",),
)


def test_rows_survive_their_file_even_with_nan(tmp_path: Path) -> None:
    save_rows(tmp_path / "bench.json", [ROW])
    (read,) = load_rows(tmp_path / "bench.json")
    assert read.raw_depth is not None
    assert np.isnan(read.raw_depth.abs_rel)
    assert replace(read, raw_depth=None) == replace(ROW, raw_depth=None)
    assert load_rows(tmp_path / "none.json") == []


def test_the_table_shows_quality_costs_and_warnings() -> None:
    text = markdown([ROW])
    for expected in (
        "23 of 24",
        "12,345",
        "**1.000**",
        "20.2 / 12.5 / 300",
        "photo is blurred",
        "87.5%",
        "3 / 120%",
    ):
        assert expected in text


def test_costs_of_kept_results_are_left_out_of_the_table() -> None:
    stages = {"pose": Cost(12.5, 20.25, 300 << 20), "depth": Cost(1.5, 3.0, 700 << 20)}
    fresh = replace(ROW, stages=stages)
    assert (fresh.cpu_seconds, fresh.peak_memory_bytes) == (23.25, 700 << 20)
    half = replace(fresh, kept=("pose",))
    assert (half.cpu_seconds, half.peak_memory_bytes) == (None, None)
    assert "| example | kept | 3.0 / 1.5 / 700 |  |" in markdown([half])
    assert kept_row(fresh).kept == ("pose", "depth")


def test_costs_of_a_photo_are_told_of_sets_that_come_in_sizes() -> None:
    few = replace(ROW, name="town_50", photos=50, stages={"pose": Cost(9.0, 100.0, 1 << 20)})
    many = replace(ROW, name="town_500", photos=500, stages={"pose": Cost(9.0, 1234.0, 1 << 20)})
    alone = replace(few, name="walk_25")
    text = markdown([ROW, few, many, alone])
    assert "| town_50 | 2.00 |\n| town_500 | 2.47 |" in text
    assert "| walk_25 | 2.00 |" not in text
    assert "a photo" not in markdown([ROW, few, alone])
    assert "| town_50 |  |\n| town_500 | 2.47 |" in markdown([kept_row(few), many])


def test_rows_of_sets_that_are_not_run_again_are_marked_as_kept(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    out = tmp_path / "out"
    out.mkdir()
    save_rows(out / "bench.json", [ROW])
    run_bench(["chair"], tmp_path / "data", out, Config(), Runtime())
    example, chair = load_rows(out / "bench.json")
    assert (example.kept, chair.kept) == (("pose",), ())


def test_a_page_keeps_what_a_person_wrote_around_the_table(tmp_path: Path) -> None:
    stills = tmp_path / "stills"
    stills.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (500, 500, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stills / "example.jpg", quality=95)
    page = tmp_path / "RESULTS.md"
    page.write_text("Before.\n<!-- bench -->stale<!-- /bench -->\nAfter.\n")
    write_page(page, [ROW], stills)
    text = page.read_text()
    assert text.startswith("Before.\n")
    assert text.endswith("\nAfter.\n")
    assert "stale" not in text
    assert "(results/example.jpg)" in text
    assert f"Photos: {SETS['example'].credit}." in text
    assert (stills / "example.jpg").stat().st_size > 200_000
    assert (tmp_path / "results" / "example.jpg").stat().st_size <= 150_000


def test_an_unknown_set_is_refused_with_the_known_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fontain") as caught:
        run_bench(["fontain"], None, tmp_path, Config(), Runtime())
    assert "fountain" in caught.value.hint


def test_sets_that_fail_become_rows_that_say_why(tmp_path: Path) -> None:
    (tmp_path / "data" / "banana" / "images").mkdir(parents=True)
    rows = run_bench(["chair", "banana"], tmp_path / "data", tmp_path / "out", Config(), Runtime())
    assert "chair is not in" in rows[0].failure
    assert "There are no photos" in rows[1].failure
    saved = load_rows(tmp_path / "out" / "bench.json")
    assert [row.name for row in saved] == ["banana", "chair"]
    assert "no photos" in (tmp_path / "out" / "bench.md").read_text()


def test_every_set_of_real_photos_is_there(real_photos: Path) -> None:
    for name, bench_set in SETS.items():
        if name == "example" or bench_set.rendered:
            continue
        folder = real_photos / {"office_posed": "office_rgbd"}.get(name, name)
        if name.startswith("memory_"):
            folder = real_photos / "kitchen_rgbd"
        given = bench_set.inputs(folder)
        paths = [given.intrinsics, given.poses, given.masks, given.sensor_depth]
        assert all(path.exists() for path in paths if path), name
        if bench_set.true_cameras:
            assert len(bench_set.true_cameras(folder)) >= 11


def test_speed_is_told_in_milliseconds_and_photos_a_second() -> None:
    case = SpeedCase("multiview", 640, 5, "half")
    row = SpeedRow(case, "cuda", seconds=0.25, cpu_seconds=0.125, memory_mib=900, gpu_memory_mib=0)
    cells = [cell.strip() for cell in speed_table([row]).splitlines()[-1].split("|")[1:-1]]
    assert cells == ["multiview", "640", "5", "half", "cuda", "250", "4.00", "125", "900", "0"]


def test_only_a_gpu_is_asked_for_half_precision() -> None:
    assert not [case for case in default_cases("cpu") if case.variant]
    on_gpu = default_cases("cuda")
    assert {case.variant for case in on_gpu} == {"", "half", "compiled", "half compiled"}
    assert on_gpu[: len(default_cases("cpu"))] == default_cases("cpu")
    assert len(set(on_gpu)) == len(on_gpu)


@pytest.mark.slow
def test_depth_is_timed_in_a_process_of_its_own_and_written_down(tmp_path: Path) -> None:
    cases = [SpeedCase("planesweep", 160, 2), SpeedCase("planesweep", 320, 2)]
    small, large = bench_depth(tmp_path, Runtime(device="cpu"), cases=cases)
    assert (small.case, large.case) == tuple(cases)
    # Four times the pixels; a good part of the time is spent per photo.
    assert large.cpu_seconds > 1.2 * small.cpu_seconds > 0
    # Python and torch alone hold more than this.
    assert small.memory_mib > 100
    kept = json.loads((tmp_path / "depth_speed.json").read_text(encoding="utf-8"))
    assert [row["case"]["resolution_px"] for row in kept] == [160, 320]
    written = (tmp_path / "depth_speed.md").read_text(encoding="utf-8")
    assert written == speed_table([small, large]) + "\n"
