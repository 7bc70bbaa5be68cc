"""Distances that a user gives between pixels or points, and what they make of a model's size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from tilted_table import (
    METRES_PER_UNIT,
    SPOTS,
    WORLD_FROM_TRUTH,
    frame_of,
    image_set_of,
    pixel,
    posed_of,
)

from recon3d.cli.commands import parse
from recon3d.cli.options import PhotoCommand
from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera, project
from recon3d.core.errors import InputError
from recon3d.core.scene import Exif, View
from recon3d.core.surface import Mesh
from recon3d.georef.back_projection import upright_pixel
from recon3d.georef.frame import FrameConfig, check_photos, warnings
from recon3d.georef.known_scale import PhotoPixel
from recon3d.georef.scale import given_cues
from recon3d.sfm.undistortion import undistorted_camera


@pytest.mark.parametrize("photos", [1, 2])
def test_a_distance_between_two_pixels_gives_metres(
    tmp_path: Path, views: list[View], table: Mesh, photos: int
) -> None:
    ends = [
        " + ".join(pixel(view, SPOTS[name]) for view in views[:photos])
        for name in ("corner", "other")
    ]
    frame = frame_of(
        tmp_path,
        posed_of(views),
        image_set_of(views),
        table,
        FrameConfig(scale=f"{' '.join(ends)} = 1 m"),
    )
    assert frame.unit == "metre"
    # Written to a hundredth of a pixel; the corner lies on the mesh's edge.
    assert frame.target_from_world.scale == pytest.approx(METRES_PER_UNIT, rel=2e-3)
    assert 0.05 < frame.report["scale"]["error_percent"] < 2
    assert warnings(frame) == []


def test_clicks_that_miss_by_a_pixel_are_covered_by_the_error_bar(
    views: list[View], table: Mesh
) -> None:
    hits = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        points, places = [], []
        # In front of the box, where every camera that is asked sees the table.
        for x, y in rng.uniform([-0.5, -0.7], [0.5, -0.2], (2, 2)):
            points.append(np.array([x, y, 0.0]))
            view = views[int(rng.integers(2))]
            shown = WORLD_FROM_TRUTH @ points[-1]
            ((u, v),) = project(view.cam_from_world @ shown[None], view.camera)[0]
            u, v = np.array([u, v]) + rng.normal(0, 0.7, 2) - 0.5
            places.append(f"{view.photo_id}:{u:.2f},{v:.2f}")
        text = f"{' '.join(places)} = {np.linalg.norm(points[0] - points[1])}"
        (cue,) = given_cues(text, posed_of(views), image_set_of(views), table, [])
        assert not cue.warning
        hits += abs(np.log(cue.metres_per_unit / METRES_PER_UNIT)) < 2 * cue.sigma
    assert hits >= 45


def test_pixels_of_a_distorted_photo_are_where_the_user_sees_them(
    tmp_path: Path, views: list[View]
) -> None:
    pinhole = PinholeCamera(640, 480, 500.0, 500.0, 320.0, 240.0)
    lens = Intrinsics(pinhole, Distortion("radial", (-0.2,)))
    straight = undistorted_camera(lens)
    views = [replace(view, camera=straight) for view in views]

    def place(point: np.ndarray, view: View) -> str:
        seen = view.cam_from_world @ (WORLD_FROM_TRUTH @ point)
        matrix = pinhole.matrix - [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]
        still, bend = np.zeros(3), np.array([-0.2, 0, 0, 0])
        xy, _ = cv2.projectPoints(seen[None], still, still, matrix, bend)
        return f"{view.photo_id}:{xy[0, 0, 0]:.3f},{xy[0, 0, 1]:.3f}"

    ends = [
        " + ".join(place(SPOTS[name], view) for view in (views[0], views[3]))
        for name in ("corner", "roof")
    ]
    metres = np.linalg.norm(SPOTS["corner"] - SPOTS["roof"])
    empty = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    frame = frame_of(
        tmp_path, posed_of(views, lens), image_set_of(views), empty,
        FrameConfig(scale=f"{' '.join(ends)} = {metres}"),
    )  # fmt: skip
    assert frame.target_from_world.scale == pytest.approx(METRES_PER_UNIT, rel=1e-4)


def test_points_of_the_model_mean_the_model_without_scale(
    tmp_path: Path, views: list[View], table: Mesh
) -> None:
    posed, image_set = posed_of(views), image_set_of(views)
    plain = frame_of(tmp_path / "a", posed, image_set, table)
    a, b = (plain.target_from_world @ (WORLD_FROM_TRUTH @ SPOTS[n]) for n in ("corner", "other"))
    text = f"{','.join(map(str, a))} {','.join(map(str, b))} = 100 cm"
    frame = frame_of(tmp_path / "b", posed, image_set, table, FrameConfig(scale=text))
    assert frame.target_from_world.scale == pytest.approx(METRES_PER_UNIT, rel=1e-3)


def test_a_distance_that_ends_in_a_hole_is_named_and_the_others_count(
    tmp_path: Path, views: list[View], table: Mesh
) -> None:
    text = f"{views[0].photo_id}:2,2 {views[0].photo_id}:300,300 = 1; 0.37"
    frame = frame_of(tmp_path, posed_of(views), image_set_of(views), table, FrameConfig(scale=text))
    assert frame.target_from_world.scale == pytest.approx(0.37)
    (warning,) = warnings(frame)
    assert "hole at 2,2 of 00.jpg" in warning
    assert "+" in warning


def test_a_distance_corrects_poses_that_call_themselves_metres_and_warns(
    tmp_path: Path, views: list[View], table: Mesh
) -> None:
    posed = posed_of(views)
    posed = replace(posed, scene=replace(posed.scene, unit="metre"))
    ends = f"{pixel(views[0], SPOTS['corner'])} {pixel(views[0], SPOTS['other'])}"
    frame = frame_of(tmp_path, posed, image_set_of(views), table, FrameConfig(scale=f"{ends} = 1"))
    assert frame.target_from_world.scale == pytest.approx(METRES_PER_UNIT, rel=5e-3)
    (warning,) = warnings(frame)
    assert "metric poses" in warning
    assert "contradicts" in warning


@pytest.mark.parametrize(
    ("place", "message"),
    [("02.jpeg:1,2", "mean 02.jpg"), ("02.jpg:641,2", "only 640 x 480"), ("06.JPG:1,2", "")],
)  # fmt: skip
def test_photos_and_pixels_that_are_not_there_are_told_at_once(
    views: list[View], place: str, message: str
) -> None:
    config = FrameConfig(scale=f"{place} 00.jpg:3,4 = 1")
    if not message:
        check_photos(config, image_set_of(views))
        return
    with pytest.raises(InputError) as caught:
        check_photos(config, image_set_of(views))
    assert message in f"{caught.value} {caught.value.hint}"


def test_a_name_that_two_folders_have_needs_its_folder(views: list[View]) -> None:
    views[0], views[1] = (
        replace(v, photo_id=f"{p}/a.jpg") for p, v in zip("xy", views, strict=False)
    )
    with pytest.raises(InputError, match="2 are called so"):
        check_photos(FrameConfig(scale="a.jpg:1,2 a.jpg:3,4 = 1"), image_set_of(views))
    check_photos(FrameConfig(scale="y/a.jpg:1,2 y/a.jpg:3,4 = 1"), image_set_of(views))


def test_the_command_line_takes_several_distances_and_short_options() -> None:
    line = ["mesh", "x", "--scale", "a.jpg:1,2 b.jpg:3,4 = 1", "--scale", "2", "--up=-y"]
    command = parse([*line, "--marker-size", "0.05", "--faces", "9"])
    assert isinstance(command, PhotoCommand)
    frame = FrameConfig(scale="a.jpg:1,2 b.jpg:3,4 = 1; 2", marker_size=0.05, up="-y")
    assert command.effective.frame == frame
    assert command.effective.mesh.faces == 9


@pytest.mark.parametrize("orientation", [3, 8])
def test_marks_in_stored_pixels_are_turned_as_the_photos_are(
    tmp_path: Path, views: list[View], table: Mesh, orientation: int
) -> None:
    def stored_pixel(view: View, point: np.ndarray) -> str:
        name, _, place = pixel(view, point).partition(":")
        across, down = (float(number) + 0.5 for number in place.split(","))
        x, y = (640 - across, 480 - down) if orientation == 3 else (480 - down, across)
        return f"{name}:{x - 0.5:.2f},{y - 0.5:.2f}"

    exif = [Exif(orientation=orientation) for _ in views]
    image_set = replace(image_set_of(views, exif), orientation="stored")
    ends = [
        " + ".join(stored_pixel(v, SPOTS[end]) for v in views[:2]) for end in ("corner", "other")
    ]
    config = FrameConfig(scale=f"{ends[0]} {ends[1]} = 1")
    frame = frame_of(tmp_path, posed_of(views), image_set, table, config)
    assert frame.target_from_world.scale == pytest.approx(METRES_PER_UNIT, rel=0.01)
    assert not any("--orientation" in note for note in warnings(frame))


def test_marks_that_only_the_stored_photo_holds_are_its_own_and_others_are_assumed(
    tmp_path: Path, views: list[View], table: Mesh
) -> None:
    exif = [Exif(orientation=8) for _ in views]
    image_set = image_set_of(views, exif)
    photo = image_set.photos[0]
    # Shown 640 x 480, stored 480 x 640.
    assert upright_pixel(photo, PhotoPixel(photo.id, 100.0, 600.0), "auto") == PhotoPixel(
        photo.id, 600.0, 379.0
    )
    inside = PhotoPixel(photo.id, 100.0, 200.0)
    assert upright_pixel(photo, inside, "auto") == inside
    config = FrameConfig(scale=f"{pixel(views[0], SPOTS['corner'])} {views[0].photo_id}:9,9 = 1")
    frame = frame_of(tmp_path, posed_of(views), image_set, table, config)
    assert any("marks" in n and "--orientation stored" in n for n in warnings(frame))
    with pytest.raises(InputError, match="640 x 480"):
        check_photos(FrameConfig(scale=f"{photo.id}:700,700 {photo.id}:1,1 = 1"), image_set)
