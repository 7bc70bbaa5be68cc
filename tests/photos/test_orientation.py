"""What is for the stored pixels of a photo is turned as EXIF turns the photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera, project
from recon3d.core.orientation import (
    MIRRORED,
    DescribedPixels,
    described_pixels,
    turn_intrinsics,
    turn_pixels,
    turn_pose,
    turn_raster,
    turned_size,
)
from recon3d.core.transform import Rigid
from recon3d.photos.finding import find_files
from recon3d.photos.ingest import IngestConfig, ingest, read_image_set
from recon3d.photos.masks import read_mask
from recon3d.run.task import CancelToken, Event, Task

ALL = range(1, 9)
STORED = (96, 64)
CAMERA = PinholeCamera(*STORED, 90.0, 92.0, 50.0, 30.0)


def stored_picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (STORED[1], STORED[0], 3)).astype(np.uint8)


def save(path: Path, pixels: np.ndarray, orientation: int = 1) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, exif=exif)
    return path


@pytest.mark.parametrize("orientation", ALL)
def test_rasters_turn_as_pillow_turns_photos(tmp_path: Path, orientation: int) -> None:
    stored = stored_picture()
    with Image.open(save(tmp_path / "a.png", stored, orientation)) as image:
        shown = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(turn_raster(stored, orientation), shown)
    assert turned_size(STORED, orientation) == shown.shape[1::-1]


@pytest.mark.parametrize("orientation", ALL)
def test_pixels_turn_as_rasters_do(orientation: int) -> None:
    stored = np.zeros((STORED[1], STORED[0]), np.uint8)
    stored[10, 70] = 1
    ((row, column),) = np.argwhere(turn_raster(stored, orientation))
    centre = turn_pixels(np.array([70.5, 10.5]), STORED, orientation)
    np.testing.assert_array_equal(centre, [column + 0.5, row + 0.5])


@pytest.mark.parametrize("orientation", sorted(set(ALL) - MIRRORED))
def test_a_turned_camera_shows_points_where_the_turned_photo_does(orientation: int) -> None:
    pose = Rigid(np.eye(3), np.array([0.1, -0.2, 0.3]))
    points = np.random.default_rng(1).uniform([-1, -1, 3], [1, 1, 5], (20, 3))
    before, _ = project(pose @ points, CAMERA)
    turned = turn_intrinsics(Intrinsics(CAMERA), orientation).pinhole
    after, _ = project(turn_pose(pose, orientation) @ points, turned)
    np.testing.assert_allclose(after, turn_pixels(before, STORED, orientation), atol=1e-12)


@pytest.mark.parametrize("orientation", ALL)
def test_tangential_terms_turn_with_the_photo(orientation: int) -> None:
    import cv2

    lens = Distortion("brown", (0.1, 0.05, 0.01, -0.02, *[0.0] * 4, 0.01, 0.02, -0.03, 0.04))
    stored = Intrinsics(CAMERA, lens)
    upright = turn_intrinsics(stored, orientation)

    def shown(ray: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
        c, k = intrinsics.pinhole, np.array(intrinsics.distortion.coefficients)
        return cv2.projectPoints(ray[None], np.zeros(3), np.zeros(3), c.matrix, k)[0].reshape(2)

    ray = np.array([0.2, -0.1, 1.0])
    # A ray turns like pixels about the middle of a picture of no size.
    turned = np.array([*turn_pixels(ray[:2], (0, 0), orientation), 1.0])
    expected = turn_pixels(shown(ray, stored), STORED, orientation)
    np.testing.assert_allclose(shown(turned, upright), expected, atol=1e-9)


def test_no_pose_is_made_for_mirrored_pixels() -> None:
    with pytest.raises(ValueError, match="got 2"):
        turn_pose(Rigid.identity(), 2)


@pytest.mark.parametrize(
    ("given", "upright", "orientation", "expected"),
    [
        ((300, 200), (400, 600), 6, "stored"),
        ((200, 300), (400, 600), 6, "upright"),
        ((300, 200), (600, 400), 3, None),
        ((500, 500), (500, 500), 6, None),
        ((300, 200), (600, 400), 1, "upright"),
        ((300, 300), (400, 600), 6, None),
        (None, (400, 600), 6, None),
    ],
)
def test_the_shape_tells_which_pixels_are_meant_where_it_can(
    given: tuple[int, int] | None, upright: tuple[int, int], orientation: int, expected: str | None
) -> None:
    assert described_pixels(given, upright, orientation) == expected


def half_mask() -> np.ndarray:
    keep = np.zeros((STORED[1], STORED[0]), np.uint8)
    keep[:, :30] = 255
    return keep


@pytest.mark.parametrize(
    ("orientation", "described", "turned"),
    [(6, "auto", True), (8, "auto", True), (3, "auto", False), (3, "stored", True)],
)
def test_a_mask_of_the_stored_pixels_is_turned_along(
    tmp_path: Path, orientation: int, described: DescribedPixels, turned: bool
) -> None:
    path = save(tmp_path / "m.png", half_mask())
    keep = read_mask(path, turned_size(STORED, orientation), orientation, described)
    expected = turn_raster(half_mask(), orientation) if turned else half_mask()
    np.testing.assert_array_equal(keep, expected > 0)


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("described", ["auto", "stored"])
def test_depth_of_the_stored_pixels_is_turned_along_and_what_is_assumed_is_told(
    tmp_path: Path, orientation: int, described: DescribedPixels
) -> None:
    levels = (np.arange(STORED[0] * STORED[1]).reshape(STORED[1], STORED[0]) + 1).astype(np.uint16)
    save(tmp_path / "in" / "a.png", stored_picture(), orientation)
    (tmp_path / "depth").mkdir()
    Image.fromarray(levels).save(tmp_path / "depth" / "a.png")
    events: list[Event] = []
    task = Task("ingest", events.append, CancelToken())
    files = find_files(tmp_path / "in", None, tmp_path / "depth", task)
    ingest(files, IngestConfig(orientation=described, depth_unit=0.0002), tmp_path / "out", task)
    image_set = read_image_set(tmp_path / "out")
    assert image_set.photos[0].exif.orientation == orientation
    assert (image_set.orientation, image_set.depth_unit) == (described, 0.0002)
    expected = turn_raster(levels, orientation) * 0.0002
    np.testing.assert_allclose(image_set.sensor_depth["a.png"], expected, rtol=1e-6)
    warned = [event.note for event in events if event.kind == "warning"]
    # Upside down it has the same shape.
    assert len(warned) == (orientation == 3 and described == "auto")
    assert all("--orientation upright" in note for note in warned)


def test_a_cut_out_photo_says_itself_what_it_hides(tmp_path: Path) -> None:
    keep = half_mask()
    save(tmp_path / "in" / "a.png", np.dstack([stored_picture(), keep]), 3)
    events: list[Event] = []
    task = Task("ingest", events.append, CancelToken())
    files = find_files(tmp_path / "in", None, None, task)
    ingest(files, IngestConfig(), tmp_path / "out", task)
    with Image.open(read_image_set(tmp_path / "out").masks["a.png"]) as mask:
        np.testing.assert_array_equal(np.asarray(mask), turn_raster(keep, 3))
    assert not [event for event in events if event.kind == "warning"]


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("described", ["auto", "stored"])
def test_a_mask_that_was_drawn_is_for_the_upright_photo(
    tmp_path: Path, orientation: int, described: DescribedPixels
) -> None:
    """It outranks a given one, and nothing about it is a guess."""
    save(tmp_path / "in" / "a.png", stored_picture(), orientation)
    drawn = turn_raster(half_mask(), orientation)
    save(tmp_path / "drawn" / "a.png.png", drawn)
    save(tmp_path / "given" / "a.png", 255 - half_mask())
    events: list[Event] = []
    task = Task("ingest", events.append, CancelToken())
    files = find_files(
        tmp_path / "in", tmp_path / "given", None, task, drawn_masks=tmp_path / "drawn"
    )
    ingest(files, IngestConfig(orientation=described), tmp_path / "out", task)
    with Image.open(read_image_set(tmp_path / "out").masks["a.png"]) as mask:
        np.testing.assert_array_equal(np.asarray(mask), drawn)
    assert not [event for event in events if event.kind == "warning"]
