"""Components without common features become one by printed markers or GPS, or say why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from marker_scene import CAMERA, around, marker_corners, photograph
from PIL import Image

from recon3d.core.camera import Intrinsics
from recon3d.core.scene import CameraEstimate, PosedScene, SparsePoints, Verdict, View
from recon3d.core.transform import Rigid, Similarity, fit_similarity, rotation_angle_deg
from recon3d.run.task import CancelToken, Task, silent
from recon3d.sfm.component_tie import Tie
from recon3d.sfm.gps_readings import GpsReadings
from recon3d.sfm.mapping import Placement
from recon3d.sfm.marker_ties import MarkersInPhotos
from recon3d.sfm.quality import describe, find_weaknesses
from recon3d.sfm.structure_from_motion import Solution
from recon3d.sfm.uniting import OtherEvidence, unite

TASK = Task("pose", silent, CancelToken())
VIEWS = around(8, 3.0, 2.0)
IDS = [view.photo_id for view in VIEWS]
SIDES = VIEWS[:4], VIEWS[4:]
EDGE = 0.4
PLACES = {3: ([-0.7, 0.2], 0), 7: ([0.6, -0.3], 35), 11: ([0.1, 0.8], 70)}
OTHER_FRAME = Similarity(
    2.5, cv2.Rodrigues(np.array([0.4, -0.9, 0.3]))[0], np.array([3.0, -1.0, 7.0])
)
"""What the second component's frame is: other_from_world."""
NO_GPS = GpsReadings()
Sheet = tuple[np.ndarray, int]


def sheets(*numbers: int) -> list[Sheet]:
    return [(marker_corners(np.array(PLACES[n][0]), EDGE, PLACES[n][1]), n) for n in numbers]


@dataclass(frozen=True)
class Scene:
    placement: Placement
    pictures: dict[str, Path]

    def united(self, readings: GpsReadings = NO_GPS, **masks: Path) -> Placement:
        chosen = {f"{key[1:]}.jpg": path for key, path in masks.items()}
        markers = MarkersInPhotos(self.pictures, chosen, TASK)
        return unite(self.placement, OtherEvidence(markers, readings), [*IDS])


def component(
    views: Sequence[View], moved: Similarity | None = None, source: str = "given"
) -> Placement:
    """Cameras of a table, with some points on it, in a frame of its own."""
    xyz = np.random.default_rng(1).uniform(-1, 1, (30, 3)) * [1, 1, 0]
    poses = {view.photo_id: view.cam_from_world for view in views}
    if moved:
        poses = {i: moved.move_camera(pose) for i, pose in poses.items()}
        xyz = moved @ xyz
    rows = [(point, photo) for point in range(30) for photo in range(len(views))]
    return Placement(
        poses,
        {"camera": CameraEstimate(Intrinsics(CAMERA), source)},
        dict.fromkeys(poses, "camera"),
        xyz,
        np.full(30, 0.4),
        np.array(rows, np.int64),
        np.zeros((len(rows), 2)),
    )


def scene(folder: Path, first: list[Sheet], second: list[Sheet]) -> Scene:
    """Each side of a table with its own sheets, which the other may show elsewhere."""
    rng = np.random.default_rng(0)
    pictures = {}
    for views, shown in zip(SIDES, (first, second), strict=True):
        for view in views:
            pictures[view.photo_id] = folder / f"{view.photo_id}.png"
            picture = photograph(view, shown, cv2.aruco.DICT_4X4_50, rng)
            Image.fromarray(picture).save(pictures[view.photo_id])
    other = replace(component(SIDES[1], OTHER_FRAME), apart="the two share no points")
    return Scene(replace(component(SIDES[0]), others=(other,)), pictures)


def furthest_off(placement: Placement, truth: Sequence[View]) -> float:
    """Of the cameras, in the table's units."""
    found = np.array([placement.cam_from_world[v.photo_id].inverse().translation for v in truth])
    return float(np.linalg.norm(found - [v.centre_world for v in truth], axis=1).max())


def readings_of(views: Sequence[View], std_m: float, metres: float = 1.0) -> GpsReadings:
    rng = np.random.default_rng(4)
    enu = metres * np.array([v.centre_world for v in views]) + rng.normal(0, std_m, (len(views), 3))
    count = len(views)
    return GpsReadings(
        tuple(v.photo_id for v in views), enu, np.full((count, 3), std_m), np.ones(count, bool)
    )


@pytest.fixture(scope="module")
def two_markers(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return scene(tmp_path_factory.mktemp("two"), sheets(3, 7), sheets(3, 7))


def test_two_printed_markers_join_what_shares_no_features(two_markers: Scene) -> None:
    united = two_markers.united()
    assert [*united.cam_from_world] == IDS
    assert united.others == ()
    # Corners within a tenth of a pixel, 620 px of focal length at 3.6 away: .6 mm of 3 each.
    assert furthest_off(united, VIEWS) < 0.02
    turned = [
        view.cam_from_world.rotation @ united.cam_from_world[view.photo_id].rotation.T
        for view in VIEWS
    ]
    assert rotation_angle_deg(np.array(turned)).max() < 0.4
    (words,) = united.joined
    assert words.startswith(
        "4 photos (04.jpg, 05.jpg, 06.jpg and 1 more) were joined to the others"
        " by 2 printed markers (aruco_4x4_50 3, aruco_4x4_50 7, corners "
    )
    assert united.joined_coarsely == ()
    # The points go along, each seen by its own photos.
    assert len(united.xyz_world) == 60
    np.testing.assert_allclose(united.xyz_world[30:], united.xyz_world[:30], atol=0.02)
    assert set(united.observations[united.observations[:, 0] >= 30, 1].tolist()) == {4, 5, 6, 7}


def test_joining_by_markers_twice_gives_the_same_bytes(two_markers: Scene) -> None:
    first, second = two_markers.united(), two_markers.united()
    for photo_id in IDS:
        a, b = first.cam_from_world[photo_id], second.cam_from_world[photo_id]
        np.testing.assert_array_equal(a.matrix(), b.matrix())
    np.testing.assert_array_equal(first.xyz_world, second.xyz_world)
    assert first.joined == second.joined


def test_lenses_that_each_component_adjusted_stay_apart(two_markers: Scene) -> None:
    (other,) = two_markers.placement.others
    longer = Intrinsics(replace(CAMERA, fx_px=623.0, fy_px=623.0))
    other = replace(other, cameras={"camera": CameraEstimate(longer, "guessed, refined")})
    changed = replace(two_markers, placement=replace(two_markers.placement, others=(other,)))
    united = changed.united()
    assert set(united.cameras) == {"camera", "camera #2"}
    assert [united.camera_of[photo_id] for photo_id in IDS] == ["camera"] * 4 + ["camera #2"] * 4


def apart(placement: Placement) -> str:
    """Why nothing was joined."""
    assert [*placement.cam_from_world] == IDS[:4]
    assert placement.joined == ()
    assert placement.joined_coarsely == ()
    (other,) = placement.others
    return other.apart


def test_markers_that_were_moved_join_nothing(tmp_path: Path) -> None:
    (seven,) = sheets(7)
    moved = [*sheets(3), (seven[0] + [0.0, 0.15, 0.0], 7)]
    assert "lie otherwise to each other" in apart(scene(tmp_path, sheets(3, 7), moved).united())


def test_the_same_numbers_on_other_sheets_elsewhere_join_nothing(tmp_path: Path) -> None:
    swapped = [(corners, {3: 7, 7: 3}[number]) for corners, number in sheets(3, 7)]
    assert "lie otherwise to each other" in apart(scene(tmp_path, sheets(3, 7), swapped).united())


def test_two_of_three_markers_outvote_the_one_that_was_moved(tmp_path: Path) -> None:
    moved = [*sheets(3, 7), (marker_corners(np.array([0.1, -0.9]), EDGE, 10), 11)]
    united = scene(tmp_path, sheets(3, 7, 11), moved).united()
    assert furthest_off(united, VIEWS) < 0.02
    assert "by 2 printed markers" in united.joined[0]


def test_one_marker_is_not_enough_and_none_says_nothing(tmp_path: Path) -> None:
    alone = apart(scene(tmp_path, sheets(3, 7), sheets(3, 11)).united())
    assert alone == (
        "the two share no points, and beside that only one printed marker, aruco_4x4_50 3, is "
        "shown by both, and two are needed: one may have been printed twice"
    )
    none = apart(scene(tmp_path, sheets(3), sheets(11)).united())
    assert none == "the two share no points"


def test_one_marker_or_coarse_gps_only_says_where_to_look(tmp_path: Path) -> None:
    made = scene(tmp_path, sheets(3, 7), sheets(3, 11))
    (other,) = made.placement.others
    true = OTHER_FRAME.inverse()
    centres = np.array([pose.inverse().translation for pose in other.cam_from_world.values()])

    def started(readings: GpsReadings) -> Tie:
        markers = MarkersInPhotos(made.pictures, {}, TASK)
        tie = OtherEvidence(markers, readings).start(made.placement, other)
        assert tie
        assert tie.is_coarse
        off = np.linalg.norm(tie.target_from_source @ centres - true @ centres, axis=1)
        assert np.median(off) < 3 * tie.off
        return tie

    assert started(NO_GPS).by == "a printed marker (aruco_4x4_50 3)"
    assert started(readings_of(VIEWS, 0.02)).by.startswith("a printed marker")
    # Another print of it hangs elsewhere: then GPS contradicts it, and is the start itself.
    elsewhere = [(marker_corners(np.array([0.9, 0.9]), EDGE, 120), 3)]
    scene(tmp_path, sheets(3), elsewhere)
    assert started(readings_of(VIEWS, 0.02)).by.startswith("GPS of 8 photos")


def test_a_marker_that_hangs_at_two_places_does_not_count(tmp_path: Path) -> None:
    twice = [*sheets(3, 7), (marker_corners(np.array([-0.5, -0.8]), EDGE, 10), 3)]
    reason = apart(scene(tmp_path, twice, sheets(3, 7)).united())
    assert reason.endswith("are at two places (aruco_4x4_50 3)")


def test_what_masks_hide_does_not_count(tmp_path: Path) -> None:
    """The table that a thing was turned over on is none of the thing."""
    made = scene(tmp_path, sheets(3, 7), sheets(3, 7))
    hidden = tmp_path / "mask.png"
    Image.fromarray(np.zeros((CAMERA.height_px, CAMERA.width_px), np.uint8)).save(hidden)
    reason = apart(made.united(NO_GPS, _04=hidden, _05=hidden, _06=hidden, _07=hidden))
    assert reason == "the two share no points"


def test_markers_that_gps_contradicts_join_nothing(two_markers: Scene) -> None:
    # The same sheet, carried into the other room: there it lies the same way.
    right = readings_of(VIEWS, 0.02)
    assert furthest_off(two_markers.united(right), VIEWS) < 0.02
    elsewhere = replace(right, enu_m=right.enu_m + np.repeat([[0, 0, 0], [9.0, 0, 0]], 4, axis=0))
    assert "m from where their GPS, good to about" in apart(two_markers.united(elsewhere))


def test_rigs_whose_metres_contradict_markers_keep_scenes_apart(two_markers: Scene) -> None:
    first = replace(two_markers.placement, scale_sigma=0.01)
    (other,) = first.others
    both = replace(first, others=(replace(other, scale_sigma=0.01),))
    reason = apart(replace(two_markers, placement=both).united())
    assert "0.40 times as large as its rig says" in reason


def test_metres_that_only_the_other_knows_count_for_all(two_markers: Scene) -> None:
    (other,) = two_markers.placement.others
    metric = replace(two_markers.placement, others=(replace(other, scale_sigma=0.01),))
    united = replace(two_markers, placement=metric).united()
    assert united.scale_sigma == pytest.approx(0.01, abs=0.005)
    found = np.array([united.cam_from_world[i].inverse().translation for i in IDS])
    true = np.array([view.centre_world for view in VIEWS])
    assert fit_similarity(true, found).scale == pytest.approx(OTHER_FRAME.scale, rel=0.01)


def walls(metres: float) -> tuple[list[View], list[View]]:
    """Eight cameras around each of two houses whose middles are 3 apart."""
    ring = around(8, 1.0, 0.6, 360 * 7 / 8)

    def at(x: float, name: str) -> list[View]:
        places = []
        for n, view in enumerate(ring):
            centre = (view.centre_world + np.array([x, 0, 0.3 * (n % 2)])) * metres
            rotation = view.cam_from_world.rotation
            places.append(View(f"{name}{n}.jpg", CAMERA, Rigid(rotation, -rotation @ centre)))
        return places

    return at(0, "a"), at(3, "b")


def by_gps(readings: GpsReadings, first: list[View], second: list[View]) -> Placement:
    other = replace(component(second, OTHER_FRAME), apart="the two share no points")
    placement = replace(component(first), others=(other,))
    blank = MarkersInPhotos({}, {}, TASK)
    blank._found |= {view.photo_id: [] for view in (*first, *second)}
    return unite(placement, OtherEvidence(blank, readings), [v.photo_id for v in (*first, *second)])


def test_gps_of_rtk_joins_two_houses_and_says_how_exactly() -> None:
    first, second = walls(20.0)
    united = by_gps(readings_of([*first, *second], 0.03), first, second)
    assert united.others == ()
    assert united.joined == ()
    (words,) = united.joined_coarsely
    assert words.startswith(
        "8 photos (b0.jpg, b1.jpg, b2.jpg and 5 more) were joined to the others"
        " by GPS of 16 photos (good to about 0."
    )
    said_m = float(words.rpartition("about ")[2].partition(" m")[0])
    # Two shifts of .03 horizontally and .06 in height, and half a degree of turn over 60.
    assert 0.1 < said_m < 0.3
    assert furthest_off(united, [*first, *second]) < 3 * said_m


def test_a_join_by_gps_is_a_weakness_of_the_result() -> None:
    first, second = walls(20.0)
    united = by_gps(readings_of([*first, *second], 0.03), first, second)
    solution = Solution(united, dict.fromkeys(united.cam_from_world, 900), np.zeros((0, 0)), 1)
    views = tuple(View(i, CAMERA, pose) for i, pose in united.cam_from_world.items())
    rgb = np.zeros(united.xyz_world.shape, np.uint8)
    points = SparsePoints(united.xyz_world, rgb, united.error_px, united.observations)
    scene = PosedScene(views, points, "scene", united.cameras)
    verdicts = [Verdict(view.photo_id, True) for view in views]
    (told,) = find_weaknesses(replace(scene, report=describe(scene, verdicts, solution)))
    assert told.startswith(united.joined_coarsely[0] + " What both show may lie double there;")
    assert not solution.can_be_extended


def test_gps_that_is_too_coarse_joins_nothing_and_says_so() -> None:
    first, second = walls(20.0)
    readings = readings_of([*first, *second], 2.0)
    united = by_gps(readings, first, second)
    assert [*united.cam_from_world] == [view.photo_id for view in first]
    assert "too coarse for" in united.others[0].apart


def test_gps_that_does_not_fit_the_cameras_joins_nothing() -> None:
    first, second = walls(20.0)
    readings = readings_of([*first, *second], 0.03)
    shuffled = np.concatenate([np.arange(8), 8 + np.random.default_rng(2).permutation(8)])
    united = by_gps(replace(readings, enu_m=readings.enu_m[shuffled]), first, second)
    assert "GPS readings fit the way the cameras stand" in united.others[0].apart


def test_cameras_in_a_row_leave_open_how_they_are_turned() -> None:
    first, second = walls(20.0)
    row = [
        replace(view, cam_from_world=Rigid(np.eye(3), -np.array([60.0 + 9 * n, 0, 0])))
        for n, view in enumerate(second)
    ]
    united = by_gps(readings_of([*first, *row], 0.03), first, row)
    assert "nearly in a row" in united.others[0].apart


def test_few_readings_join_nothing_by_themselves() -> None:
    first, second = walls(20.0)
    few = readings_of([*first, *second[:4]], 0.03)
    united = by_gps(few, first, second)
    assert united.others[0].apart.endswith("but there are only 8 and 4")
    none = by_gps(readings_of([*first, *second[:2]], 0.03), first, second)
    assert none.others[0].apart == "the two share no points"
