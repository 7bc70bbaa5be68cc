"""Every picture ends in sRGB, whatever its profile, and untagged ones stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from recon3d.photos.finding import find_files
from recon3d.photos.ingest import INGEST, IngestConfig, ingest, read_image_set
from recon3d.photos.masks import read_mask
from recon3d.photos.pictures import read_grey, read_picture, read_preview, read_upright
from recon3d.run.task import CancelToken, Task, silent

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# In pictures with this profile the numbers for red mean green, and the other way round.
SWAPPED = SRGB.replace(b"rXYZ", b"_XYZ").replace(b"gXYZ", b"rXYZ").replace(b"_XYZ", b"gXYZ")
STORED = np.random.default_rng(5).integers(0, 256, (80, 96, 3), np.uint8)
MEANT = STORED[..., [1, 0, 2]]


def save(path: Path, image: Image.Image, profile: bytes = SWAPPED, **options: object) -> Path:
    image.save(path, icc_profile=profile, **options)
    return path


def preview(path: Path) -> np.ndarray:
    return read_preview(path, 96).rgb


@pytest.mark.parametrize("read", [read_upright, preview])
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_a_profile_is_applied_by_every_reader(
    tmp_path: Path, name: str, read: Callable[[Path], np.ndarray]
) -> None:
    options = {"lossless": True} if name == "a.webp" else {}
    path = save(tmp_path / name, Image.fromarray(STORED), **options)
    # Profiles hold numbers of 16 bits, which cost a grey level here and there.
    assert np.abs(read(path).astype(int) - MEANT).max() <= 1


def test_grey_pixels_for_calibration_stay_as_the_camera_stored_them(tmp_path: Path) -> None:
    grey = read_grey(save(tmp_path / "a.png", Image.fromarray(STORED)))
    np.testing.assert_array_equal(grey, np.asarray(Image.fromarray(STORED).convert("L")))


@pytest.mark.parametrize("tag", [{0xA005: {1: "R03"}}, {0xA001: 2}], ids=["DCF", "own number"])
def test_a_pale_wide_gamut_pixel_gets_its_colour_back(
    tmp_path: Path, tag: dict[int, object]
) -> None:
    # Adobe RGB (1998), said in EXIF alone as Canon does: 200, 80, 60 by its definition.
    exif = Image.Exif()
    exif[0x10F] = "Canon"
    exif.get_ifd(0x8769).update(tag)
    Image.new("RGB", (80, 80), (200, 80, 60)).save(tmp_path / "a.png", exif=exif)
    assert read_upright(tmp_path / "a.png")[0, 0].tolist() == pytest.approx([230, 79, 56], abs=1)


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "LA"])
def test_pixels_of_every_kind_are_converted_and_keep_their_transparency(
    tmp_path: Path, mode: str
) -> None:
    colour = Image.new("RGBA", (80, 80), (200, 40, 90, 255))
    colour.paste((0, 0, 0, 0), (0, 0, 40, 80))
    image = colour.convert(mode)
    expected = np.asarray(image.convert("RGB"))[40, 60][[1, 0, 2]]
    picture = read_picture(save(tmp_path / "a.png", image))
    assert picture.rgb[40, 60] == pytest.approx(expected, abs=1)
    if mode != "L":
        assert picture.opaque is not None
        assert picture.opaque[:, 40:].all()
        assert not picture.opaque[:, :40].any()


def test_a_profile_that_is_srgb_itself_changes_no_byte(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", Image.fromarray(STORED), SRGB)
    with Image.open(path) as stored:
        np.testing.assert_array_equal(read_upright(path), np.asarray(stored))
    assert read_picture(path).is_plain_jpeg


@pytest.mark.parametrize("profile", [b"no profile", SRGB[:300]], ids=["nonsense", "cut off"])
def test_a_photo_with_a_damaged_profile_is_used_and_says_so(tmp_path: Path, profile: bytes) -> None:
    for number in range(3):
        pixels = np.roll(STORED, 7 * number, axis=1)
        save(tmp_path / f"{number}.png", Image.fromarray(pixels), profile)
    np.testing.assert_array_equal(read_upright(tmp_path / "0.png"), STORED)
    (tmp_path / "out").mkdir()
    task = Task("ingest", silent, CancelToken())
    found = find_files([tmp_path / f"{n}.png" for n in range(3)], None, None, task)
    ingest(found, IngestConfig(), tmp_path / "out", task)
    assert len(read_image_set(tmp_path / "out").photos) == 3
    (warning,) = INGEST.warnings(tmp_path / "out")
    assert warning.startswith("0.png and 2 more: its colour profile cannot be used")


def test_a_jpeg_in_another_space_is_not_copied_but_brought_to_srgb(tmp_path: Path) -> None:
    smooth = Image.fromarray(STORED[::20, ::20]).resize((96, 80), Image.Resampling.BICUBIC)
    path = save(tmp_path / "a.jpg", smooth, quality=97, subsampling=0)
    (tmp_path / "out").mkdir()
    task = Task("ingest", silent, CancelToken())
    ingest(find_files([path], None, None, task), IngestConfig(), tmp_path / "out", task)
    image_set = read_image_set(tmp_path / "out")
    stored = read_upright(image_set.pictures["a.jpg"]).astype(int)
    # Two JPEGs of quality 97, each off by a level or so.
    assert np.abs(stored - np.asarray(smooth)[..., [1, 0, 2]]).mean() < 3
    assert np.abs(stored - np.asarray(smooth)).mean() > 20


def test_the_levels_of_a_mask_are_no_colours(tmp_path: Path) -> None:
    stripes = np.repeat(np.array([[0, 255]], np.uint8), 40, axis=1).repeat(80, axis=0)
    path = save(tmp_path / "m.png", Image.fromarray(stripes))
    np.testing.assert_array_equal(read_mask(path, (80, 80)), stripes > 0)
