"""Where one looks from in the 3D view, and what is measured there: mathematics, no window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recon3d_gui.viewer.cameras import Bounds, Eye, Flight, as_rows
from recon3d_gui.viewer.geometry import frustum_depth, grid_step, picture_corners
from recon3d_gui.viewer.lens import Lens, clip_from_cam
from recon3d_gui.viewer.navigator import Navigator
from recon3d_gui.viewer.protocol import Loaded, Picked
from recon3d_gui.viewer.tools import (
    CropBox,
    Handle,
    ToolError,
    floor_normal,
    length_text,
    rough_length,
    scale_setting,
    up_setting,
)

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera, project
from recon3d.core.errors import ConfigError
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
from recon3d.core.transform import Rigid, Similarity
from recon3d.georef.back_projection import photo_pixel
from recon3d.georef.known_scale import PhotoPixel, parse_scale
from recon3d.georef.scale import given_cues
from recon3d.sfm.undistortion import distort_pixels, undistort_pixels, undistorted_camera
from recon3d.surface.mesh import MeshConfig

CAMERA = PinholeCamera(640, 480, 610.0, 590.0, 333.0, 228.0)
CANVAS = (1000, 700)
BOUNDS = Bounds((-1.0, -2.0, 0.0), (1.0, 2.0, 1.5))


def turned(axis: np.ndarray, angle: float) -> np.ndarray:
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def looking(centre: tuple[float, float, float], at: tuple[float, float, float]) -> Rigid:
    forward = np.array(at) - np.array(centre)
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return Rigid(rotation, -rotation @ np.array(centre))


VIEWS = tuple(
    View(f"{name}.jpg", CAMERA, looking(centre, (0, 0, 0.7)))
    for name, centre in {"a": (3.0, -4, 1), "b": (-1.0, -5, 2), "c": (0.1, -4, 4)}.items()
)


def loaded(
    views: tuple[View, ...] = VIEWS, moved: Similarity | None = None, key: str = "w"
) -> Loaded:
    identity = Similarity(1.0, np.eye(3), np.zeros(3))
    return Loaded(
        "a", frozenset({"mesh"}), 0, 12, BOUNDS, moved or identity, as_rows(np.eye(3)), 0.0,
        "scene", True, views, key,
    )  # fmt: skip


def navigator() -> Navigator:
    found = Navigator()
    found.resize(*CANVAS)
    found.adopt(loaded())
    found.advance(1.0)
    return found


def settle(nav: Navigator) -> None:
    for now_s in (10.0, 10.1, 11.0, 11.5):
        nav.advance(now_s)


@given(
    st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda axis: np.linalg.norm(axis) > 0.1),
    st.floats(0, 3),
)
def test_a_photos_view_shows_points_on_the_pixels_of_the_photo(
    axis: tuple[float, float, float], angle: float
) -> None:
    pose = Rigid(turned(np.array(axis), angle), np.array([0.3, -0.2, 2.0]))
    view = View("a.jpg", CAMERA, pose)
    upright = turned(np.array([1.0, 0.5, 0.2]), 0.8)
    eye = Eye(upright=as_rows(upright)).at_photo(view, 3.0)
    points = pose.inverse() @ np.array([[0.1, 0.2, 1.0], [-0.4, 0.3, 2.0], [0.5, -0.5, 4.0]])
    wanted_px, _ = project(pose @ points, CAMERA)
    left, top, width, _ = eye.lens.picture_px(*CANVAS)
    shown_px, _ = project(eye.cam_from_model @ points, eye.lens.on_canvas(*CANVAS))
    # Float64 all the way; a pixel would already show.
    np.testing.assert_allclose(shown_px, [left, top] + wanted_px * width / 640, atol=1e-6)


def test_a_photo_taken_straight_down_keeps_its_turn() -> None:
    rotation = np.stack([[0.6, 0.8, 0.0], [0.8, -0.6, 0.0], [0, 0, -1.0]])
    eye = Eye().at_photo(View("a.jpg", CAMERA, Rigid(rotation, np.array([0, 0, 5.0]))), 5.0)
    np.testing.assert_allclose(eye.cam_from_model.rotation, rotation, atol=1e-9)


def test_the_graphics_card_projects_as_the_camera_does() -> None:
    points = np.array([[0.3, -0.2, 2.0], [-1.0, 0.4, 5.0]])
    uv_px, z = project(points, CAMERA)
    clip = np.column_stack([points, np.ones(2)]) @ clip_from_cam(CAMERA, 0.5, 9.0).T
    np.testing.assert_allclose(clip[:, 3], z)
    on_screen = (clip[:, :2] / clip[:, 3:] + 1) / 2 * [640, 480]
    np.testing.assert_allclose(on_screen, uv_px)
    assert (np.abs(clip[:, 2]) < clip[:, 3]).all()


def test_turning_keeps_the_focus_in_the_middle_and_the_picture_level() -> None:
    eye = Eye(focus=(1.0, 2.0, 3.0), distance=4.0).orbited(400, 30)
    np.testing.assert_allclose(eye.cam_from_model @ np.array([1.0, 2, 3]), [0, 0, 4], atol=1e-12)
    assert eye.cam_from_model.rotation[0, 2] == pytest.approx(0)
    assert eye.cam_from_model.rotation[1, 2] < 0  # up stays up


def test_one_cannot_turn_over_the_top() -> None:
    assert Eye().orbited(0, 500).elevation_deg < 90


def test_the_roll_of_a_photo_fades_as_one_turns() -> None:
    eye = Eye(roll_deg=90.0)
    for _ in range(20):
        eye = eye.orbited(3, 0)
    assert abs(eye.roll_deg) < 1


@pytest.mark.parametrize("factor", [0.5, 1.7])
def test_what_is_under_the_mouse_stays_there_when_zooming(factor: float) -> None:
    eye = Eye(distance=5.0)
    camera = eye.lens.on_canvas(*CANVAS)
    ray = np.array([(200 - camera.cx_px) / camera.fx_px, (600 - camera.cy_px) / camera.fy_px, 1])
    point = eye.cam_from_model.inverse() @ (5.0 * ray)
    closer = eye.zoomed(factor, (200, 600), camera)
    uv_px, z = project(closer.cam_from_model @ point, camera)
    np.testing.assert_allclose(uv_px, [200, 600], atol=1e-6)
    assert z == pytest.approx(5.0 * factor)


def test_panning_moves_the_focus_with_the_mouse() -> None:
    eye = Eye(focus=(0.5, 0.5, 0.0))
    camera = eye.lens.on_canvas(*CANVAS)
    before, _ = project(eye.cam_from_model @ np.array(eye.focus), camera)
    moved = eye.panned(35, -20, camera)
    after, _ = project(moved.cam_from_model @ np.array(eye.focus), camera)
    np.testing.assert_allclose(after - before, [35, -20], atol=1e-6)


def test_looking_around_leaves_the_camera_where_it_is() -> None:
    eye = Eye(focus=(1.0, 0, 0))
    np.testing.assert_allclose(eye.looked(40, -10).centre, eye.centre, atol=1e-12)


def test_framing_shows_the_whole_box_and_fills_most_of_the_canvas() -> None:
    for aspect in (0.6, 1.0, 2.2):
        eye = Eye(azimuth_deg=47).framed(BOUNDS, aspect)
        width_px = round(1000 * aspect)
        low, high = np.array(BOUNDS.low), np.array(BOUNDS.high)
        corners = np.array([np.where([i & 1, i & 2, i & 4], high, low) for i in range(8)])
        camera = eye.lens.on_canvas(width_px, 1000)
        uv_px, _ = project(eye.cam_from_model @ corners, camera)
        share = uv_px / [width_px, 1000]
        assert share.min() > 0
        assert share.max() < 1
        # Perspective makes the near side larger, and the middle stays in the middle.
        assert np.ptp(share, axis=0).max() > 0.65


@pytest.mark.parametrize(
    ("side", "forward"),
    [("front", (0, 1, 0)), ("right", (-1, 0, 0)), ("top", (0, 0, -1)), ("left", (1, 0, 0))],
)
def test_sides_are_seen_as_blender_names_them(side, forward) -> None:  # type: ignore[no-untyped-def]
    rotation = Eye().from_side(side).cam_from_model.rotation
    # The top stops a tenth of a degree short of the pole.
    np.testing.assert_allclose(rotation[2], forward, atol=2e-3)


def test_a_flight_ends_exactly_where_it_should_and_turns_the_short_way() -> None:
    start = Eye(azimuth_deg=170)
    end = replace(start, azimuth_deg=-170, distance=0.3, lens=Lens.of(CAMERA))
    flight = Flight(start, end, 5.0)
    halfway, has_arrived = flight.at(5.125)
    assert not has_arrived
    assert abs(abs(halfway.azimuth_deg) - 180) < 1
    assert flight.at(5.3) == (end, True)


@given(st.floats(-180, 180), st.floats(-80, 80), st.floats(0.2, 5))
def test_a_change_of_the_models_frame_does_not_show(azimuth, elevation, scale) -> None:  # type: ignore[no-untyped-def]
    eye = Eye(focus=(0.3, 0.1, 0.2), azimuth_deg=azimuth, elevation_deg=elevation)
    moved = Similarity(scale, turned(np.array([0.3, 1, 0.2]), 1.1), np.array([3.0, -1, 2]))
    points = np.array([[0.2, 0.3, 0.4], [-0.5, 0.1, 0.0]])
    camera = eye.lens.on_canvas(*CANVAS)
    before, _ = project(eye.cam_from_model @ points, camera)
    after_eye = eye.moved(moved, np.eye(3))
    after, _ = project(after_eye.cam_from_model @ (moved @ points), camera)
    np.testing.assert_allclose(after, before, atol=1e-6)


def test_a_view_comes_back_from_its_numbers() -> None:
    eye = Eye(focus=(1.0, 2, 3), azimuth_deg=12, elevation_deg=-30, distance=7)
    assert Eye().restored(eye.described()) == eye


@pytest.mark.parametrize(
    "numbers",
    [{}, {"focus": 3}, {"focus": [1, 2], "azimuth_deg": 0, "elevation_deg": 0, "distance": 1},
     {"focus": [1, 2, 3], "azimuth_deg": "x", "elevation_deg": 0, "distance": 1},
     {"focus": [1, 2, 3], "azimuth_deg": 0, "elevation_deg": 0, "distance": -1},
     {"focus": [1, 2, float("nan")], "azimuth_deg": 0, "elevation_deg": 0, "distance": 1}],
)  # fmt: skip
def test_a_view_that_no_camera_has_is_passed_over(numbers: dict[str, object]) -> None:
    assert Eye().restored(numbers) == Eye()


def test_the_view_stays_when_the_same_model_is_refined() -> None:
    nav = navigator()
    nav.orbit(100, 20)
    before = nav.eye
    nav.adopt(replace(loaded(), faces=99))
    assert nav.eye == before


def test_a_model_of_other_cameras_is_framed_anew() -> None:
    nav = navigator()
    nav.zoom(20, (0, 0))
    nav.adopt(loaded(key="another"))
    assert nav.eye == Eye().framed(BOUNDS, CANVAS[0] / CANVAS[1])


def test_an_opened_project_is_seen_from_where_it_was_left() -> None:
    nav = navigator()
    nav.orbit(100, 20)
    left = nav.eye.described()
    nav.restore(left)
    nav.adopt(loaded())
    assert nav.eye.described() == left
    nav.restore({})
    nav.adopt(loaded())
    assert nav.eye == Eye().framed(BOUNDS, CANVAS[0] / CANVAS[1])


def test_a_scale_that_becomes_known_does_not_jump() -> None:
    nav = navigator()
    point = np.array([[0.2, -0.4, 0.3]])
    before, _ = nav.project(point)
    nav.adopt(loaded(moved=Similarity(2.5, np.eye(3), np.zeros(3))))
    after, _ = nav.project(2.5 * point)
    np.testing.assert_allclose(after, before, atol=1e-6)


def test_looking_through_a_photo_is_remembered_until_one_moves() -> None:
    nav = navigator()
    assert nav.to_photo("b.jpg")
    assert nav.photo_id is None  # on the way
    settle(nav)
    assert nav.photo_id == "b.jpg"
    nav.orbit(3, 0)
    assert nav.photo_id is None
    assert not nav.to_photo("unknown.jpg")


def test_a_camera_is_found_under_the_mouse_and_the_one_looked_through_is_not() -> None:
    nav = navigator()
    nav.frame_all()
    nav.zoom(-6, (500, 350))
    settle(nav)
    uv_px, _ = nav.project(VIEWS[1].centre_world[None])
    assert nav.camera_at((uv_px[0, 0] + 3, uv_px[0, 1])) == "b.jpg"
    assert nav.camera_at((uv_px[0, 0] + 60, uv_px[0, 1] + 60)) is None
    nav.to_photo("a.jpg")
    settle(nav)
    assert nav.camera_at((CANVAS[0] / 2, CANVAS[1] / 2)) != "a.jpg"


def test_the_drawn_picture_plane_covers_the_photo() -> None:
    corners = picture_corners(VIEWS[0], frustum_depth(VIEWS, BOUNDS))
    uv_px, _ = project(VIEWS[0].cam_from_world @ corners, CAMERA)
    np.testing.assert_allclose(uv_px, [[0, 0], [640, 0], [640, 480], [0, 480]], atol=1e-6)


@given(st.floats(1e-6, 1e6))
def test_the_grid_has_round_steps_that_fit_the_model(radius: float) -> None:
    step = grid_step(radius)
    assert 0.199 <= step / radius <= 0.51
    leading = step / 10 ** np.floor(np.log10(step) + 1e-9)
    assert min(abs(leading - each) for each in (1, 2, 5)) < 1e-6


@pytest.mark.parametrize(
    ("length", "text"),
    [(0.0042, "4.2 mm"), (0.421, "42.1 cm"), (3.07, "3.07 m"), (2500, "2.5 km")],
)
def test_lengths_are_told_in_a_handy_unit(length: float, text: str) -> None:
    assert length_text(length, "metre") == text
    assert length_text(1.0, "scene") == "1 unit"
    assert rough_length(0.0018649, "metre") == "1.9 mm"
    assert rough_length(0.0018649, "scene") == "0.0019"


# --- scale --------------------------------------------------------------------------------------

LENSES = [
    Intrinsics(CAMERA),
    Intrinsics(CAMERA, Distortion("brown", (-0.12, 0.03, 0.001, -0.002))),
    Intrinsics(CAMERA, Distortion("fisheye", (0.02, -0.01, 0.003, 0.0))),
]


@pytest.mark.parametrize("lens", LENSES, ids=["pinhole", "brown", "fisheye"])
def test_bending_pixels_is_the_inverse_of_straightening_them(lens: Intrinsics) -> None:
    camera = undistorted_camera(lens)
    uv_px = np.array([[100.0, 90.0], [320.5, 240.5], [500.0, 400.0]])
    taken_px = distort_pixels(uv_px, lens, camera)
    np.testing.assert_allclose(undistort_pixels(taken_px, lens, camera), uv_px, atol=1e-3)


@pytest.mark.parametrize("lens", LENSES, ids=["pinhole", "brown", "fisheye"])
def test_two_picked_points_set_the_scale_that_the_pipeline_finds(lens: Intrinsics) -> None:
    camera = undistorted_camera(lens)
    views = tuple(View(view.photo_id, camera, view.cam_from_world) for view in VIEWS[:2])
    scene = PosedScene(
        views, SparsePoints.empty(), "scene", {"phone": CameraEstimate(lens, "given")}
    )
    photos = tuple(Photo(v.photo_id, v.photo_id, 640, 480, Exif(), "", "phone") for v in views)
    image_set = ImageSet(photos, (), False, {}, {}, {})
    posed = PosedPhotos(scene, {}, {}, {}, ())
    model_from_world = Similarity(3.0, turned(np.array([1.0, 1, 0]), 0.4), np.array([1.0, 2, 3]))

    def pick(world: np.ndarray) -> Picked:
        pixels = [
            photo_pixel(scene, image_set, view, project(view.cam_from_world @ world, camera)[0])
            for view in views
        ]
        x, y, z = (model_from_world @ world).tolist()
        return Picked(1, (x, y, z), tuple(pixels))

    ends = [pick(np.array([0.2, -0.3, 0.5])), pick(np.array([-0.3, 0.1, 0.9]))]
    length = float(np.linalg.norm([0.5, 0.4, 0.4]))
    text = scale_setting(ends, "42 cm", model_from_world)
    assert "a.jpg:" in text
    assert " + b.jpg:" in text
    mesh = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    (cue,) = given_cues(text, posed, image_set, mesh, [])
    assert not cue.warning
    # Pixels of the text are rounded to six digits.
    assert cue.metres_per_unit == pytest.approx(0.42 / length, rel=1e-4)


def test_points_that_no_photo_shows_set_the_unit_of_the_cameras() -> None:
    ends = [Picked(1, (0.0, 0.0, 0.0)), Picked(2, (0.0, 3.0, 0.0))]
    model_from_world = Similarity(3.0, np.eye(3), np.zeros(3))
    assert float(scale_setting(ends, "2", model_from_world)) == pytest.approx(2.0)


def test_a_photo_whose_name_would_be_misread_is_not_named() -> None:
    pixels = (PhotoPixel("a;b.jpg", 10.0, 20.0),)
    ends = [Picked(1, (0.0, 0, 0), pixels), Picked(2, (0.0, 1, 0), pixels)]
    text = scale_setting(ends, "2", Similarity(1.0, np.eye(3), np.zeros(3)))
    assert len(parse_scale(text)) == 1
    assert ";" not in text


@pytest.mark.parametrize("length", ["", "0", "-1", "a", "1 = 2", "1;2", "3 yards"])
def test_a_length_that_is_none_is_refused(length: str) -> None:
    ends = [Picked(1, (0.0, 0, 0)), Picked(2, (0.0, 1, 0))]
    with pytest.raises(ConfigError):
        scale_setting(ends, length, Similarity(1.0, np.eye(3), np.zeros(3)))


def test_the_same_point_twice_sets_no_scale() -> None:
    ends = [Picked(1, (0.0, 0, 0)), Picked(2, (0.0, 0, 0))]
    with pytest.raises(ToolError):
        scale_setting(ends, "1", Similarity(1.0, np.eye(3), np.zeros(3)))


# --- up and crop --------------------------------------------------------------------------------


def test_the_floors_normal_points_to_where_one_looks_from() -> None:
    points = [(0.0, 0, 0), (1.0, 0, 0), (0.0, 1, 0)]
    np.testing.assert_allclose(floor_normal(points, np.array([0, 0, 5.0])), [0, 0, 1])
    np.testing.assert_allclose(floor_normal(points, np.array([0, 0, -5.0])), [0, 0, -1])
    with pytest.raises(ToolError, match="line"):
        floor_normal([(0.0, 0, 0), (1.0, 0, 0), (2.0, 0.001, 0)], np.array([0, 0, 5.0]))


def test_what_points_up_is_told_in_the_cameras_axes() -> None:
    rotation = turned(np.array([1.0, 0, 0]), np.pi / 2)  # model z is world -y... or +y
    text = up_setting(np.array([0, 0, 1.0]), Similarity(2.0, rotation, np.zeros(3)))
    up_world = np.array([float(each) for each in text.split(",")])
    np.testing.assert_allclose(rotation @ up_world, [0, 0, 1], atol=1e-5)


@pytest.mark.parametrize("handle", [Handle(0, "high"), Handle(1, "low"), Handle(2, "high")])
def test_a_face_of_the_box_follows_the_mouse_along_its_axis(handle: Handle) -> None:
    nav = navigator()
    box = CropBox.around(BOUNDS)
    grip = dict(box.grips)[handle]
    beyond = np.array(grip)
    beyond[handle.axis] += 0.2
    (start, end), _ = nav.project(np.array([grip, beyond]))
    moved = box.dragged(handle, (start[0], start[1]), (end[0], end[1]), nav)
    # Straight on screen, not in space: a small drag is off by what perspective bends.
    assert dict(moved.grips)[handle][handle.axis] == pytest.approx(beyond[handle.axis], abs=0.03)
    others = [each for each in range(3) if each != handle.axis]
    assert [moved.low[each] for each in others] == [box.low[each] for each in others]


def test_the_whole_box_moves_with_its_middle() -> None:
    nav = navigator()
    box = CropBox.around(BOUNDS)
    middle = Handle(0, "all")
    (start,), _ = nav.project(np.array([dict(box.grips)[middle]]))
    moved = box.dragged(middle, (start[0], start[1]), (start[0] + 50, start[1] - 30), nav)
    (end,), _ = nav.project(np.array([dict(moved.grips)[middle]]))
    np.testing.assert_allclose(end - start, [50, -30], atol=1e-6)
    np.testing.assert_allclose(
        np.subtract(moved.high, moved.low), np.subtract(box.high, box.low), atol=1e-9
    )


def test_a_box_cannot_be_turned_inside_out_and_is_always_a_setting() -> None:
    nav = navigator()
    box = CropBox.around(BOUNDS)
    thin = box.dragged(Handle(0, "high"), (500, 350), (-90_000, 350), nav)
    assert thin.low[0] < thin.high[0]
    kept = MeshConfig(crop=thin.setting)  # type: ignore[arg-type]
    assert kept.crop is not None
    assert CropBox.of_setting(kept.crop).setting == thin.setting


def test_a_handle_is_found_under_the_mouse() -> None:
    nav = navigator()
    box = CropBox.around(BOUNDS)
    for handle, point in box.grips:
        (uv,), _ = nav.project(np.array([point]))
        assert box.grip_at((uv[0] + 2, uv[1]), nav) == handle
    assert box.grip_at((3.0, 3.0), nav) is None
