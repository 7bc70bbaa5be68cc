"""Listing and matching the user's files."""

from __future__ import annotations

import unicodedata
from functools import partial
from pathlib import Path

import numpy as np
import photo_files
import pytest
from PIL import Image

from recon3d.core.errors import InputError
from recon3d.photos.depth_images import read_depth_m
from recon3d.photos.finding import FoundFiles, find_files, list_photos
from recon3d.photos.naming import match_by_name, named
from recon3d.run.task import CancelToken, Event, Task, silent

photo = partial(photo_files.photo, size=(128, 96))


def find(
    photos: Path | list[Path], masks: Path | None = None, depth: Path | None = None
) -> FoundFiles:
    return find_files(photos, masks, depth, Task("ingest", silent, CancelToken()))


def depth_image(path: Path, size: tuple[int, int] = (128, 96)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size[::-1], 1500, np.uint16)).save(path)
    return path


def test_a_folder_is_searched_below_sorted_and_without_hidden_files_and_workspaces(
    tmp_path: Path,
) -> None:
    for name in ("b.jpg", "a/ä ö/窓.png", ".hidden.jpg", ".cache/x.jpg", "run.recon3d/p.jpg"):
        photo(tmp_path / name)
    (tmp_path / "scene.ply").touch()
    (tmp_path / "pose.txt").touch()
    assert list(find(tmp_path).paths) == ["a/ä ö/窓.png", "b.jpg"]


def test_a_list_of_files_is_named_below_its_common_parent(tmp_path: Path) -> None:
    files = [photo(tmp_path / name) for name in ("x/b/1.jpg", "x/a/1.jpg")]
    assert list(find([*files, files[0]]).paths) == ["a/1.jpg", "b/1.jpg"]


def test_the_digest_follows_contents_and_names_but_not_the_place(tmp_path: Path) -> None:
    for folder in ("one", "two", "renamed", "changed"):
        name = "other.jpg" if folder == "renamed" else "a.jpg"
        photo(tmp_path / folder / name, seed=int(folder == "changed"))
    one, two, renamed, changed = (
        find(tmp_path / folder).digest for folder in ("one", "two", "renamed", "changed")
    )
    assert one == two
    assert len({one, renamed, changed}) == 3


def test_an_empty_folder_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no photos") as caught:
        find(tmp_path)
    assert "JPEG" in caught.value.hint


@pytest.mark.parametrize("name", ["missing", "missing.jpg", "missing.mp4"])
def test_a_missing_path_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=name):
        find(tmp_path / name)


def test_a_text_file_alone_is_neither_photo_nor_video(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match="neither a photo nor a video"):
        find(tmp_path / "notes.txt")


@pytest.mark.parametrize("mask", ["a.png", "a.jpg.png", "a_mask.png", "deep/a_mask.png"])
def test_masks_are_found_by_the_photos_name(tmp_path: Path, mask: str) -> None:
    photo(tmp_path / "photos" / "a.jpg")
    photo(tmp_path / "masks" / mask)
    assert find(tmp_path / "photos", tmp_path / "masks").masks == {
        "a.jpg": tmp_path / "masks" / mask
    }


def test_masks_that_belong_to_no_photo_are_an_error(tmp_path: Path) -> None:
    photo(tmp_path / "photos" / "a.jpg")
    photo(tmp_path / "masks" / "b.png")
    with pytest.raises(InputError, match=r"named like a\.jpg"):
        find(tmp_path / "photos", tmp_path / "masks")


def test_a_missing_mask_is_a_warning(tmp_path: Path) -> None:
    for name in ("photos/a.jpg", "photos/b.jpg", "masks/a.png"):
        photo(tmp_path / name)
    events: list[Event] = []
    task = Task("ingest", events.append, CancelToken())
    find_files(tmp_path / "photos", tmp_path / "masks", None, task)
    assert [e.note for e in events if e.kind == "warning"] == ["1 of 2 photos have no mask"]


def test_depth_images_beside_the_photos_do_not_become_photos(tmp_path: Path) -> None:
    for number in (1, 2):
        photo(tmp_path / f"frame-{number}.color.jpg")
        depth_image(tmp_path / f"frame-{number}.depth.png")
    found = find(tmp_path, depth=tmp_path)
    assert list(found.paths) == ["frame-1.color.jpg", "frame-2.color.jpg"]
    assert found.sensor_depth["frame-2.color.jpg"].name == "frame-2.depth.png"


def test_depth_images_with_other_names_are_taken_in_order_when_their_number_agrees(
    tmp_path: Path,
) -> None:
    for number in (1, 2):
        photo(tmp_path / "rgb" / f"IMG{number}.jpg")
        depth_image(tmp_path / "depth" / f"{number * 1000}.png")
    found = find(tmp_path / "rgb", depth=tmp_path / "depth")
    assert found.sensor_depth["IMG2.jpg"].name == "2000.png"
    depth_image(tmp_path / "depth" / "3000.png")
    with pytest.raises(InputError, match="belongs to a photo"):
        find(tmp_path / "rgb", depth=tmp_path / "depth")


def test_one_name_in_two_folders_does_not_share_a_companion() -> None:
    assert match_by_name(["a/1.jpg", "b/1.jpg"], ["1.png"]) == {}
    assert match_by_name(["a/1.jpg", "b/1.jpg"], ["b/1.png"]) == {"b/1.jpg": "b/1.png"}
    assert match_by_name(["a/1.jpg"], ["x/1.png", "y/1.png"]) == {}


def test_umlauts_match_however_a_system_writes_them() -> None:
    assert match_by_name(["Tür.jpg"], ["Tu\u0308r.png"]) == {"Tür.jpg": "Tu\u0308r.png"}


def test_a_video_among_photos_is_not_read(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    (tmp_path / "b.mov").write_bytes(b"gigabytes")
    found = find(tmp_path)
    assert found.video is None
    assert found.sha256["b.mov"] == ""


def test_the_real_rgbd_folders_are_understood(real_photos: Path) -> None:
    kitchen = find(real_photos / "kitchen_rgbd", depth=real_photos / "kitchen_rgbd")
    office = find(real_photos / "office_rgbd" / "images", depth=real_photos / "office_rgbd/depth")
    assert (len(kitchen.paths), len(kitchen.sensor_depth)) == (100, 100)
    assert (len(office.paths), len(office.sensor_depth)) == (75, 75)
    depth_z = read_depth_m(kitchen.sensor_depth["frame-000270.color.jpg"], 0.001)
    assert depth_z.dtype == np.float32
    assert 1 < np.median(depth_z[depth_z > 0]) < 4
    assert depth_z.max() < 20


# Several places at once, and photos left out


def test_folders_and_files_together_are_named_below_their_common_parent(tmp_path: Path) -> None:
    for name in ("trip/day 1/a.jpg", "trip/day 1/notes.txt", "trip/day 2/a.jpg", "trip/c.jpg"):
        photo(tmp_path / name) if name.endswith("jpg") else (tmp_path / name).touch()
    given = [tmp_path / "trip" / name for name in ("day 2", "day 1", "c.jpg", "day 1/a.jpg")]
    assert list_photos(given) == {
        name: tmp_path / "trip" / name for name in ("c.jpg", "day 1/a.jpg", "day 2/a.jpg")
    }
    assert list_photos(given) == list_photos(given[::-1])


def test_photos_from_elsewhere_take_no_names_away(tmp_path: Path) -> None:
    for name in ("trip/a.jpg", "trip/far/b.jpg", "far/b.jpg", "far/c.jpg"):
        photo(tmp_path / name)
    given = [tmp_path / "far" / "b.jpg", tmp_path / "trip", tmp_path / "far" / "c.jpg"]
    assert list_photos(given, tmp_path / "trip") == {
        "a.jpg": tmp_path / "trip" / "a.jpg",
        "far/b.jpg": tmp_path / "trip" / "far" / "b.jpg",
        "far/b (2).jpg": tmp_path / "far" / "b.jpg",
        "far/c.jpg": tmp_path / "far" / "c.jpg",
    }


def test_one_folder_in_a_list_names_its_photos_like_the_folder_alone(tmp_path: Path) -> None:
    photo(tmp_path / "a" / "b" / "1.jpg")
    assert list(list_photos([tmp_path / "a"])) == list(list_photos(tmp_path / "a")) == ["b/1.jpg"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("a[1].jpg", ["a[1].jpg"]),
        ("a[2].jpg", ["a2.jpg"]),
        ("blurred/*", ["blurred/a.jpg", "blurred/b/c.jpg"]),
        (unicodedata.normalize("NFD", "ü.jpg"), ["ü.jpg"]),
        ("nothing", []),
    ],
)
def test_a_name_means_that_photo_or_else_what_fits_it_as_a_pattern(
    name: str, meant: list[str]
) -> None:
    ids = ["a1.jpg", "a2.jpg", "a[1].jpg", "blurred/a.jpg", "blurred/b/c.jpg", "ü.jpg"]
    assert named(ids, [name]) == {name: meant}


def test_photos_left_out_change_neither_the_digest_nor_the_list(tmp_path: Path) -> None:
    for number in range(3):
        photo(tmp_path / f"{number}.jpg", seed=number)
    task = Task("ingest", silent, CancelToken())
    every, one = (find_files(tmp_path, None, None, task, out) for out in ((), ("0.jpg", "[2-9]*")))
    assert (one.digest, one.paths) == (every.digest, every.paths)
    assert one.excluded == {"0.jpg", "2.jpg"}
    assert one.is_one_photo
    assert not every.is_one_photo
