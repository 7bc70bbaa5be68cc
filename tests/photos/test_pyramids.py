"""Smaller copies of photos are left out, other photos of other sizes are not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from image_sets import make_image_set, reasons, save, scene

from recon3d.photos.image_set_files import read_image_set

SIZE = (640, 480)


def shrunk(pixels: np.ndarray, factor: int) -> np.ndarray:
    size = pixels.shape[1] // factor, pixels.shape[0] // factor
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize(
    ("name", "suffix"), [("{}", "jpg"), ("image{:03d}", "png")], ids=["same names", "named anew"]
)
def test_the_levels_of_a_pyramid_are_copies_of_its_photos(
    tmp_path: Path, name: str, suffix: str
) -> None:
    for number in range(5):
        photo = scene(number, SIZE)
        save(tmp_path / "set" / "images" / f"{number}.jpg", photo, quality=95)
        for factor in (2, 4):
            target = tmp_path / "set" / f"images_{factor}" / f"{name.format(number)}.{suffix}"
            save(target, shrunk(photo, factor), **({"quality": 75} if suffix == "jpg" else {}))
    image_set = make_image_set(tmp_path / "set", tmp_path / "out")
    assert [photo.id for photo in image_set.photos] == [f"images/{n}.jpg" for n in range(5)]
    why = reasons(image_set)
    assert len(why) == 10
    for factor in (2, 4):
        for number in range(5):
            copy = f"images_{factor}/{name.format(number)}.{suffix}"
            assert why[copy] == f"it is a smaller copy of images/{number}.jpg"
    assert all("largest" in verdict.advice for verdict in image_set.verdicts)


def test_a_copy_serves_where_its_original_is_left_out_on_purpose(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / "set" / f"{number}.png", scene(number, SIZE))
        save(tmp_path / "set" / "small" / f"{number}.png", shrunk(scene(number, SIZE), 2))
    make_image_set(tmp_path / "set", tmp_path / "out")
    left = read_image_set(tmp_path / "out", ["1.png"]).photos
    assert [photo.id for photo in left] == ["0.png", "2.png", "small/1.png"]


def test_photos_of_several_sizes_and_shapes_are_no_copies(tmp_path: Path) -> None:
    for number in range(6):
        photo = scene(number, SIZE)
        save(tmp_path / "set" / f"{number}.png", shrunk(photo, 1 + number % 2))
    save(tmp_path / "set" / "crop.png", scene(0, SIZE)[:, :480])
    assert len(make_image_set(tmp_path / "set", tmp_path / "out").photos) == 7


def test_a_lone_resemblance_in_a_set_of_two_sizes_is_chance(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / "set" / f"{number}.png", scene(number, SIZE))
        save(tmp_path / "set" / f"small {number}.png", shrunk(scene(10 + number, SIZE), 2))
    # A neighbour of photo 0, taken at the smaller size.
    beside = np.roll(scene(0, SIZE), 4, axis=1)
    save(tmp_path / "set" / "beside.png", shrunk(beside, 2))
    assert len(make_image_set(tmp_path / "set", tmp_path / "out").photos) == 9


def test_neighbours_on_a_turntable_are_no_copies(real_photos: Path, tmp_path: Path) -> None:
    files = sorted((real_photos / "mary_rose").rglob("IMG_*.*"))
    photos = [file for file in files if "mask" not in file.name.lower()][:12]
    for number, file in enumerate(photos):
        pixels = cv2.imread(str(file))[..., ::-1]
        save(tmp_path / "set" / file.name, shrunk(pixels, 1 + number % 2))
    assert len(make_image_set(tmp_path / "set", tmp_path / "out").photos) == len(photos) == 12
