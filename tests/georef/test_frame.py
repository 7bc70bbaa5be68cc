"""The stage that decides how a model stands and how large it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh
from marker_scene import CAMERA, around, marker_corners, photograph
from scipy.spatial.transform import Rotation

from recon3d.cli.commands import parse
from recon3d.cli.options import PhotoCommand
from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera, project
from recon3d.core.errors import Cancelled, ConfigError, InputError
from recon3d.core.scene import (
    CameraEstimate,
    Exif,
    ImageSet,
    Photo,
    PosedPhotos,
    PosedScene,
    SparsePoints,
    View,
)
from recon3d.core.surface import Mesh
from recon3d.core.target_frame import TargetFrame
from recon3d.core.transform import Rigid, Similarity
from recon3d.georef.back_projection import upright_pixel
from recon3d.georef.control.bars import SceneBars
from recon3d.georef.control.stage import NoControl
from recon3d.georef.frame import FrameConfig, check_photos, find_frame, read_frame, warnings
from recon3d.georef.known_scale import PhotoPixel
from recon3d.georef.scale import given_cues
from recon3d.report import Run, write_report
from recon3d.run.task import CancelToken, Task, silent
from recon3d.sfm.undistortion import undistorted_camera

# SfM's world: tilted, elsewhere, and of any size.
METRES_PER_UNIT = 0.37
WORLD_FROM_TRUTH = Similarity(
    1 / METRES_PER_UNIT,
    Rotation.from_euler("xyz", [40, -25, 70], degrees=True).as_matrix(),
    np.array([3.0, 1, -2]),
)
SPOTS = {"corner": np.array([-0.5, -0.5, 0.0]), "other": np.array([0.5, -0.5, 0]),
         "roof": np.array([0.15, 0.15, 0.4])}  # fmt: skip


def in_world(view: View) -> View:
    return replace(view, cam_from_world=WORLD_FROM_TRUTH.move_camera(view.cam_from_world))


def posed_of(views: list[View], intrinsics: Intrinsics | None = None) -> PosedPhotos:
    estimate = CameraEstimate(intrinsics or Intrinsics(CAMERA), "given")
    scene = PosedScene(tuple(views), SparsePoints.empty(), "scene", {"one": estimate})
    return PosedPhotos(scene, {}, {}, {}, ())


def image_set_of(views: list[View], exif: list[Exif] | None = None) -> ImageSet:
    photos = tuple(
        Photo(view.photo_id, "", 640, 480, exif[n] if exif else Exif(), "", "one")
        for n, view in enumerate(views)
    )
    return ImageSet(photos, (), False, {}, {}, {})


@pytest.fixture
def views() -> list[View]:
    return [in_world(view) for view in around(7, 2.2, 1.3)]


@pytest.fixture(scope="module")
def table() -> Mesh:
    """A table of 2 x 2 m at z = 0 with a box of 0.3 x 0.3 x 0.4 m on it."""
    top = trimesh.creation.box((2, 2, 0.02))
    top.apply_translation([0, 0, -0.01])
    box = trimesh.creation.box((0.3, 0.3, 0.4))
    box.apply_translation([0, 0, 0.2])
    whole = trimesh.util.concatenate([top, box])
    for _ in range(3):
        whole = whole.subdivide()
    vertices = (WORLD_FROM_TRUTH @ whole.vertices).astype(np.float32)
    return Mesh(vertices, np.asarray(whole.faces, np.int32))


def pixel(view: View, point: np.ndarray) -> str:
    """As a viewer shows it."""
    ((u, v),) = project(view.cam_from_world @ (WORLD_FROM_TRUTH @ point)[None], view.camera)[0]
    return f"{view.photo_id}:{u - 0.5:.2f},{v - 0.5:.2f}"


def frame_of(
    folder: Path,
    posed: PosedPhotos,
    image_set: ImageSet,
    mesh: Mesh,
    config: FrameConfig | None = None,
) -> TargetFrame:
    find_frame(
        posed,
        image_set,
        mesh,
        NoControl(),
        SceneBars(),
        config or FrameConfig(),
        folder,
        Task("frame", silent, CancelToken()),
    )
    return read_frame(folder)


def test_without_any_cue_the_model_stands_upright_in_its_own_unit(
    tmp_path: Path, views: list[View], table: Mesh
) -> None:
    frame = frame_of(tmp_path, posed_of(views), image_set_of(views), table)
    assert frame.unit == "scene"
    assert frame.target_from_world.scale == 1
    stands = (frame.target_from_world @ WORLD_FROM_TRUTH).rotation[2]
    assert np.degrees(np.arccos(stands @ [0, 0, 1])) < 0.5
    assert warnings(frame) == []


def test_the_origin_lies_on_the_ground_plane_not_at_its_lowest_bump(
    tmp_path: Path, views: list[View], table: Mesh
) -> None:
    pit = table.vertices.copy()
    hole = np.linalg.norm((WORLD_FROM_TRUTH.inverse() @ pit)[:, :2] - [0.7, 0.7], axis=1) < 0.25
    pit[hole] -= (WORLD_FROM_TRUTH.rotation @ [0, 0, 0.5]).astype(np.float32)
    frame = frame_of(tmp_path, posed_of(views), image_set_of(views), replace(table, vertices=pit))
    ground = frame.target_from_world @ WORLD_FROM_TRUTH @ np.zeros(3)
    assert frame.report["ground"] == "plane"
    assert abs(ground[2]) < 0.01 / METRES_PER_UNIT


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


def test_the_metres_of_one_photo_are_a_guess(
    tmp_path: Path, views: list[View], table: Mesh
) -> None:
    posed = posed_of(views[:1])
    posed = replace(posed, scene=replace(posed.scene, unit="metre"))
    frame = frame_of(tmp_path, posed, image_set_of(views[:1]), table)
    assert frame.target_from_world.scale == 1
    assert frame.report["scale"]["error_percent"] > 10


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


@pytest.mark.parametrize("size_m", [0.2, 0.4])
def test_markers_give_metres(tmp_path: Path, size_m: float) -> None:
    rng = np.random.default_rng(0)
    true_views = around(4, 2.0, 1.2)
    sheet = [(marker_corners(np.array([x, 0.1]), 0.2, 40 * x), n) for n, x in ((3, -0.4), (9, 0.4))]
    rgb = {v.photo_id: photograph(v, sheet, cv2.aruco.DICT_4X4_50, rng) for v in true_views}
    views = [in_world(view) for view in true_views]
    posed = replace(posed_of(views), rgb=rgb)
    empty = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    config = FrameConfig(marker_size=size_m, markers="aruco_4x4_50")
    frame = frame_of(tmp_path, posed, image_set_of(views), empty, config)
    true_scale = METRES_PER_UNIT * size_m / 0.2
    assert frame.target_from_world.scale == pytest.approx(true_scale, rel=2e-3)
    assert frame.report["scale"]["cues"][0]["detail"] == (
        f"2 of 2 aruco_4x4_50 agree, {1000 * size_m:g} mm"
    )


def test_markers_that_nobody_sees_are_a_warning(tmp_path: Path, views: list[View]) -> None:
    blank = np.full((480, 640, 3), 128, np.uint8)
    posed = replace(posed_of(views), rgb={view.photo_id: blank for view in views})
    empty = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    frame = frame_of(
        tmp_path,
        posed,
        image_set_of(views),
        empty,
        FrameConfig(marker_size=0.1, markers="aruco_4x4_50"),
    )
    assert frame.unit == "scene"
    assert "none was found" in warnings(frame)[0]


def geotagged(count: int, reach_m: float) -> tuple[list[View], list[Exif]]:
    """Level cameras on a field whose y is 30 degrees east of north."""
    rng = np.random.default_rng(0)
    views, exif = [], []
    for number in range(count):
        place = np.append(rng.uniform(-reach_m, reach_m, 2), rng.uniform(20, 20 + reach_m / 5))
        view = around(1, 2.2, 1.3)[0]
        centre = Rigid(view.cam_from_world.rotation, -view.cam_from_world.rotation @ place)
        views.append(in_world(replace(view, photo_id=f"{number}.jpg", cam_from_world=centre)))
        turn = np.radians(30)
        east = place[0] * np.cos(turn) + place[1] * np.sin(turn) + rng.normal(0, 1)
        north = -place[0] * np.sin(turn) + place[1] * np.cos(turn) + rng.normal(0, 1)
        exif.append(Exif(gps_deg_m=(north / 110_574, east / 111_320, place[2] + rng.normal(0, 2))))
    return views, exif


def test_gps_gives_metres_and_north_where_the_cameras_moved_far(
    tmp_path: Path, table: Mesh
) -> None:
    views, exif = geotagged(20, 60)
    config = FrameConfig(front="north")
    frame = frame_of(tmp_path, posed_of(views), image_set_of(views, exif), table, config)
    assert frame.unit == "metre"
    assert frame.target_from_world.scale == pytest.approx(METRES_PER_UNIT, rel=0.02)
    turned = frame.target_from_world.rotation @ WORLD_FROM_TRUTH.rotation
    # The truth's y points 30 degrees east of north.
    assert np.degrees(np.arctan2(turned[0, 1], turned[1, 1])) == pytest.approx(30, abs=2)
    assert frame.report["north_deg"] in (0.0, 360.0)
    # The field lies where Greenwich meets the equator.
    assert frame.georeference
    assert (frame.georeference.source, frame.georeference.crs) == ("gps", "EPSG:32631")
    middle = frame.georeference.crs_from_target @ frame.target_from_world @ WORLD_FROM_TRUTH
    np.testing.assert_allclose((middle @ np.zeros(3))[:2], [166021.4, 0], atol=5)


def test_gps_of_a_small_scene_is_rejected_with_the_reason(tmp_path: Path, table: Mesh) -> None:
    views, exif = geotagged(20, 2)
    frame = frame_of(
        tmp_path, posed_of(views), image_set_of(views, exif), table, FrameConfig(front="north")
    )
    assert frame.unit == "scene"
    (cue,) = frame.report["scale"]["cues"]
    assert "m apart, GPS is good to" in cue["reason"]
    assert frame.report["north_deg"] is None
    assert any("North is not known" in warning for warning in warnings(frame))


def test_none_keeps_the_frame_of_the_cameras_but_takes_the_scale(
    tmp_path: Path, views: list[View], table: Mesh
) -> None:
    config = FrameConfig(up="none", scale="0.37")
    frame = frame_of(tmp_path, posed_of(views), image_set_of(views), table, config)
    np.testing.assert_array_equal(frame.target_from_world.rotation, np.eye(3))
    np.testing.assert_array_equal(frame.target_from_world.translation, np.zeros(3))
    assert frame.target_from_world.scale == pytest.approx(0.37)
    # Nothing is told of a ground or a north that the model does not stand by.
    assert frame.report["ground"] is None
    assert frame.report["north_deg"] is None
    # Pictures of it still stand upright.
    up = WORLD_FROM_TRUTH.rotation @ [0, 0, 1]
    assert frame.up_world @ up > 0.999


@pytest.mark.parametrize(
    ("text", "direction"),
    [("+z", (0, 0, 1)), ("-y", (0, -1, 0)), ("X", (1, 0, 0)), ("0,3,4", (0, 0.6, 0.8))],
)  # fmt: skip
def test_an_axis_can_be_told(
    tmp_path: Path, views: list[View], table: Mesh, text: str, direction: tuple
) -> None:
    frame = frame_of(tmp_path, posed_of(views), image_set_of(views), table, FrameConfig(up=text))
    np.testing.assert_allclose(frame.target_from_world.rotation[2], direction, atol=1e-3)


@pytest.mark.parametrize(
    "wrong",
    [{"up": "up"}, {"up": "0,0,0"}, {"up": "1,2"}, {"up": "nan,0,1"}, {"up": ""}, {"scale": "x"},
     {"marker_size": -1.0}, {"marker_size": float("nan")}, {"markers": "qr"}],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        FrameConfig(**wrong)


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


def test_the_report_shows_what_told_scale_and_up(
    tmp_path: Path, views: list[View], table: Mesh
) -> None:
    text = f"{pixel(views[0], SPOTS['corner'])} {pixel(views[0], SPOTS['other'])} = 1; 9"
    posed, image_set = posed_of(views), image_set_of(views)
    frame = frame_of(tmp_path, posed, image_set, table, FrameConfig(scale=text))
    run = Run(image_set=image_set, posed=posed, mesh=table, frame=frame)
    write_report(tmp_path / "report.html", run)
    page = (tmp_path / "report.html").read_text()
    assert "Scale and up" in page
    assert "on the ground plane" in page
    rejected = [cue for cue in frame.report["scale"]["cues"] if not cue["used"]]
    assert len(rejected) == 1
    assert rejected[0]["reason"] in page
    facts = json.loads((tmp_path / "report.json").read_text())
    assert facts["mesh"]["unit"] == "metre"
    # Box and table; half a degree of lean lifts an edge of the table by 1 cm.
    grown = frame.target_from_world.scale / METRES_PER_UNIT
    assert facts["mesh"]["size"][2] == pytest.approx(0.42 * grown, rel=0.03)
    assert facts["frame"]["up"]["cues"]


def test_the_command_line_takes_several_distances_and_short_options() -> None:
    line = ["mesh", "x", "--scale", "a.jpg:1,2 b.jpg:3,4 = 1", "--scale", "2", "--up=-y"]
    command = parse([*line, "--marker-size", "0.05", "--faces", "9"])
    assert isinstance(command, PhotoCommand)
    frame = FrameConfig(scale="a.jpg:1,2 b.jpg:3,4 = 1; 2", marker_size=0.05, up="-y")
    assert command.effective.frame == frame
    assert command.effective.mesh.faces == 9


def test_the_same_input_gives_the_same_file(tmp_path: Path, views: list[View], table: Mesh) -> None:
    for name in "ab":
        frame_of(tmp_path / name, posed_of(views), image_set_of(views), table)
    first, second = ((tmp_path / name / "frame.json").read_text() for name in "ab")
    assert first == second
    assert json.loads(first)["report"]["up"]["cues"]


def test_a_cancelled_search_leaves_nothing(tmp_path: Path, views: list[View], table: Mesh) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        find_frame(
            posed_of(views),
            image_set_of(views),
            table,
            NoControl(),
            SceneBars(),
            FrameConfig(),
            tmp_path,
            Task("frame", silent, token),
        )
    assert list(tmp_path.iterdir()) == []


FAR = (431200.0, 5432100.0, 300.0)


def far_away(views: list[View]) -> PosedPhotos:
    """Poses whose world is a local one of theirs."""
    posed = posed_of(views)
    return replace(posed, scene=replace(posed.scene, origin=FAR))


def test_the_report_tells_where_the_origin_lies_in_the_frame_of_the_poses(
    tmp_path: Path, views: list[View], table: Mesh
) -> None:
    frame = frame_of(tmp_path, far_away(views), image_set_of(views), table)
    origin = frame.target_from_world.inverse() @ np.zeros(3)
    np.testing.assert_allclose(frame.report["origin"], origin + FAR, rtol=1e-12)
    corner = frame.target_from_world @ np.array([1.0, 2, 3])
    back = np.array(frame.report["poses_from_model"]) @ [*corner, 1]
    np.testing.assert_allclose(back[:3], np.add(FAR, (1, 2, 3)), rtol=1e-12)


@pytest.mark.parametrize(
    ("origin", "shift"),
    [("auto", (0, 0, 0)), ("poses", FAR), ("431200,5432100,290", (0, 0, 10))],
)
def test_the_origin_can_be_chosen_where_the_model_keeps_the_axes_of_its_poses(
    tmp_path: Path,
    views: list[View],
    table: Mesh,
    origin: str,
    shift: tuple[float, float, float],
) -> None:
    config = FrameConfig(up="none", origin=origin)
    frame = frame_of(tmp_path, far_away(views), image_set_of(views), table, config)
    np.testing.assert_allclose(frame.target_from_world.translation, shift)
    np.testing.assert_allclose(frame.target_from_world.rotation, np.eye(3))
    # Only what was not asked for is told.
    assert any("--frame.origin poses" in note for note in warnings(frame)) == (origin == "auto")


def test_a_chosen_origin_is_where_an_upright_model_has_zero(
    tmp_path: Path, views: list[View], table: Mesh
) -> None:
    place = WORLD_FROM_TRUTH @ np.array([0.5, -0.5, 0.0]) + FAR
    config = FrameConfig(origin=",".join(map(repr, place.tolist())), scale="0.5")
    frame = frame_of(tmp_path, far_away(views), image_set_of(views), table, config)
    np.testing.assert_allclose(frame.target_from_world @ (place - FAR), 0, atol=1e-6)
    with pytest.raises(ConfigError, match=r"frame\.origin"):
        FrameConfig(origin="somewhere")


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
