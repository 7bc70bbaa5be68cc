"""The stage that decides how a model stands and how large it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from marker_scene import around, marker_corners, photograph
from tilted_table import (
    METRES_PER_UNIT,
    SPOTS,
    WORLD_FROM_TRUTH,
    frame_of,
    image_set_of,
    in_world,
    pixel,
    posed_of,
)

from recon3d.core.errors import Cancelled, ConfigError
from recon3d.core.scene import Exif, PosedPhotos, View
from recon3d.core.surface import Mesh
from recon3d.core.transform import Rigid
from recon3d.georef.control.bars import SceneBars
from recon3d.georef.control.stage import NoControl
from recon3d.georef.frame import FrameConfig, find_frame, warnings
from recon3d.report import Run, write_report
from recon3d.run.task import CancelToken, Task, silent


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


def test_the_metres_of_one_photo_are_a_guess(
    tmp_path: Path, views: list[View], table: Mesh
) -> None:
    posed = posed_of(views[:1])
    posed = replace(posed, scene=replace(posed.scene, unit="metre"))
    frame = frame_of(tmp_path, posed, image_set_of(views[:1]), table)
    assert frame.target_from_world.scale == 1
    assert frame.report["scale"]["error_percent"] > 10


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
