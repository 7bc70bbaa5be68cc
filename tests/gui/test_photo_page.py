"""What the page of one photo shows, without the window."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from recon3d_gui.photos.large import FIRST_PX, LargePhoto
from recon3d_gui.photos.overlays import RunReader, available, load_layers
from recon3d_gui.photos.rows import PhotoRow
from recon3d_gui.photos.tiles import TILE_PX, Pyramid
from recon3d_gui.photos.zoom import Zoom

from recon3d.core.camera import PinholeCamera, project
from recon3d.core.depth import PredictedDepth, SceneDepth
from recon3d.core.scene import PosedScene, SparsePoints, View
from recon3d.core.transform import Rigid
from recon3d.depth.files import depth_file_paths, write_prediction, write_scene_depth
from recon3d.sfm.posed_files import write_scene

ROOM = (800.0, 600.0)
sizes = st.tuples(st.floats(10, 8000), st.floats(10, 8000))


def picture(seed: int, width: int, height: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


# Zoom


@given(sizes, st.lists(st.tuples(st.floats(0.2, 5), st.floats(0, 800), st.floats(0, 600))))
def test_a_photo_never_leaves_its_room(
    photo_px: tuple[float, float], steps: list[tuple[float, float, float]]
) -> None:
    zoom = Zoom()
    for by, x, y in steps:
        zoom = zoom.zoomed(by, (x, y), ROOM, photo_px).moved((x - 400, y - 300), ROOM, photo_px)
    left, top, right, bottom = zoom.picture(ROOM, photo_px)
    tolerance = 1e-6 * max(right - left, bottom - top)
    for low, high, room in ((left, right, ROOM[0]), (top, bottom, ROOM[1])):
        if high - low <= room + tolerance:
            assert (low + high) / 2 == pytest.approx(room / 2, abs=1e-3)
        else:
            assert low <= tolerance
            assert high >= room - tolerance


def test_the_place_under_the_pointer_stays_while_zooming() -> None:
    photo_px, at = (1600.0, 1200.0), (500.0, 200.0)
    before = Zoom(4.0).picture(ROOM, photo_px)
    after = Zoom(4.0).zoomed(1.5, at, ROOM, photo_px).picture(ROOM, photo_px)

    def under(box: tuple[float, ...]) -> float:
        return (at[0] - box[0]) / (box[2] - box[0])

    assert under(after) == pytest.approx(under(before))


def test_full_size_is_one_screen_pixel_per_pixel() -> None:
    photo_px = (1600.0, 1200.0)
    left, _, right, _ = Zoom().at_full_size(ROOM, photo_px).picture(ROOM, photo_px)
    assert right - left == pytest.approx(1600)


# Tiles


@pytest.mark.parametrize("level", [0, 1])
def test_tiles_put_together_are_the_picture(level: int) -> None:
    pyramid = Pyramid(picture(0, 700, 530))
    height, width = pyramid.levels[level].shape[:2]
    shown = np.zeros((height, width, 3), np.uint8)
    box = (0.0, 0.0, float(width), float(height))
    for part in pyramid.place(level, box, box):
        rgb = pyramid.cut(part.tile)
        assert rgb.shape == (TILE_PX, TILE_PX, 3)
        x0, y0, x1, y1 = (round(value) for value in part.screen)
        u0, v0, u1, v1 = (round(value * TILE_PX) for value in part.uv)
        shown[y0:y1, x0:x1] = rgb[v0:v1, u0:u1]
    np.testing.assert_array_equal(shown, pyramid.levels[level])


def test_only_what_is_seen_is_cut() -> None:
    pyramid = Pyramid(picture(0, 4000, 3000))
    zoomed = (-8000.0, -6000.0, 8000.0, 6000.0)
    parts = list(pyramid.place(0, zoomed, (0.0, 0.0, *ROOM)))
    assert len(parts) <= 4  # 200 x 150 pixels, wherever tiles of 254 meet
    assert all(0 <= value <= 1 for part in parts for value in part.uv)
    assert not list(pyramid.place(0, zoomed, (9000.0, 0.0, 9100.0, 10.0)))


def test_the_level_is_as_fine_as_the_screen() -> None:
    pyramid = Pyramid(picture(0, 4000, 3000))
    assert [pyramid.level_for(px) for px in (9000, 4000, 2000, 1000, 10)] == [0, 0, 1, 2, 4]


# Overlays


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of a tiny run: one photo placed, with a slanted plane before it."""
    root = tmp_path_factory.mktemp("run")
    camera = PinholeCamera(320, 240, 300.0, 300.0, 160.0, 120.0)
    pose = Rigid(np.eye(3), np.zeros(3))
    points = np.array([[0.0, 0.0, 4.0], [0.5, 0.2, 5.0]])
    sparse = SparsePoints(
        points, np.zeros((2, 3), np.uint8), np.array([0.1, 3.0]), np.array([[0, 0], [1, 0]])
    )
    scene = PosedScene((View("a.jpg", camera, pose),), sparse, "metre")
    write_scene(root / "pose", scene, ())
    (root / "pose" / "images").mkdir()
    Image.fromarray(picture(1, 320, 240)).save(root / "pose" / "images" / "a.jpg")
    depth_z = np.tile(np.linspace(2, 8, 160, dtype=np.float32), (120, 1))
    depth_z[:10] = 0
    half = PinholeCamera(160, 120, 150.0, 150.0, 80.0, 60.0)
    for name in ("depth", "refine"):
        (root / name).mkdir()
    (file,) = depth_file_paths(root / "depth", ["a.jpg"]).values()
    write_prediction(file, PredictedDepth(depth_z, "scene", np.full_like(depth_z, 0.5), half))
    (file,) = depth_file_paths(root / "refine", ["a.jpg"]).values()
    write_scene_depth(file, SceneDepth(depth_z, np.full_like(depth_z, 3), half, "a.jpg"))
    return {name: root / name for name in ("pose", "depth", "refine")}


@pytest.fixture
def photo(tmp_path: Path) -> tuple[str, Path]:
    Image.fromarray(picture(1, 320, 240)).save(tmp_path / "a.jpg")
    return "a.jpg", tmp_path / "a.jpg"


def test_overlays_are_offered_as_stages_finish(run: dict[str, Path]) -> None:
    assert available({}, has_mask=False) == []
    assert available({"pose": run["pose"]}, has_mask=False) == ["features", "undistorted"]
    assert "mask" in available({}, has_mask=True)
    assert len(available(run, has_mask=True)) == 6


def test_features_are_drawn_where_they_are_in_the_colour_of_their_error(
    run: dict[str, Path], photo: tuple[str, Path]
) -> None:
    layers = load_layers(RunReader(), run, photo, None, "features", 320)
    assert layers.overlay is not None
    assert layers.legend is not None
    assert layers.legend.colours is not None
    camera = PinholeCamera(320, 240, 300.0, 300.0, 160.0, 120.0)
    uv_px, _ = project(np.array([[0.0, 0.0, 4.0], [0.5, 0.2, 5.0]]), camera)
    for (x, y), colour in zip(uv_px.astype(int), (12, 255), strict=True):
        np.testing.assert_array_equal(layers.overlay[y, x], layers.legend.colours[colour])


def test_the_depth_legend_has_the_span_and_the_unit(
    run: dict[str, Path], photo: tuple[str, Path]
) -> None:
    layers = load_layers(RunReader(), run, photo, None, "depth", 320)
    assert layers.legend is not None
    assert layers.overlay is not None
    # The outermost 2 % on either side share the end colours: 3 of 160 columns.
    assert (layers.legend.low, layers.legend.high) == ("2.11 m", "7.89 m")
    assert layers.overlay[60, 0, 0] > layers.overlay[60, 0, 2]  # near is red
    assert len(np.unique(layers.overlay[:10].reshape(-1, 3), axis=0)) == 1  # unknown


@pytest.mark.parametrize(("overlay", "high"), [("confidence", "100 %"), ("agreement", "3")])
def test_confidence_and_agreement_say_what_their_colours_mean(
    run: dict[str, Path], photo: tuple[str, Path], overlay: str, high: str
) -> None:
    layers = load_layers(RunReader(), run, photo, None, overlay, 320)  # type: ignore[arg-type]
    assert layers.legend is not None
    assert layers.legend.high == high


def test_a_photo_that_was_not_placed_is_shown_with_a_note(
    run: dict[str, Path], photo: tuple[str, Path]
) -> None:
    layers = load_layers(RunReader(), run, ("b.jpg", photo[1]), None, "depth", 320)
    assert layers.overlay is None
    assert layers.note == "This photo was not placed in space."


def test_what_a_mask_hides_is_red(tmp_path: Path, photo: tuple[str, Path]) -> None:
    keep = np.zeros((240, 320), np.uint8)
    keep[:, :160] = 255
    Image.fromarray(keep).save(tmp_path / "mask.png")
    layers = load_layers(RunReader(), {}, photo, tmp_path / "mask.png", "mask", 320)
    assert layers.overlay is not None
    np.testing.assert_array_equal(layers.overlay[:, :150], layers.photo[:, :150])
    assert (layers.overlay[:, 170:, 0] >= 120).all()
    assert layers.legend is not None
    assert "50 %" in layers.legend.title


# Loading


@pytest.fixture
def large() -> LargePhoto:
    return LargePhoto()


def loaded(large: LargePhoto) -> None:
    ends = time.monotonic() + 10
    while large.is_loading:
        assert time.monotonic() < ends
        large.tick()
        time.sleep(0.005)


def test_a_photo_comes_coarse_first_and_whole_when_zoomed_in(
    large: LargePhoto, tmp_path: Path
) -> None:
    Image.fromarray(picture(0, 2400, 1600)).save(tmp_path / "a.jpg")
    row = PhotoRow("a.jpg", tmp_path / "a.jpg", tmp_path / "a.jpg")
    large.ask(row, None, {}, None)
    loaded(large)
    assert large.shown is not None
    assert large.shown.photo is not None
    assert large.shown.photo.width_px == FIRST_PX
    large.ask(row, None, {}, None, finer_than_px=1500)
    assert not large.is_loading
    large.ask(row, None, {}, None, finer_than_px=5000)
    loaded(large)
    assert large.shown.photo.width_px == 2400
    large.ask(row, None, {}, None, finer_than_px=9000)
    assert not large.is_loading
    large.ask(None, None, {}, None)
    assert large.shown is None


def test_a_broken_photo_and_a_deleted_run_are_told_in_words(
    large: LargePhoto, tmp_path: Path, photo: tuple[str, Path]
) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no photo")
    large.ask(PhotoRow("bad.jpg", tmp_path, tmp_path / "bad.jpg"), None, {}, None)
    loaded(large)
    assert large.shown is not None
    assert large.shown.note.startswith("It cannot be shown: it is not a photo.")
    row = PhotoRow(photo[0], photo[1], photo[1])
    large.ask(row, "depth", {"pose": tmp_path / "deleted"}, None)
    loaded(large)
    assert "Run again" in large.shown.note
