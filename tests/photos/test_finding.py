"""What lies in a folder, how it is called, and which files belong together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from recon3d.core.errors import InputError
from recon3d.photos.companions import drawn_mask_path
from recon3d.photos.finding import FoundFiles, find_files, list_photos
from recon3d.photos.naming import as_id, match_by_name, named, split_role
from recon3d.run.files import atomic_path
from recon3d.run.task import CancelToken, Event, Task, silent


def photo(path: Path, level: int = 9) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # The format does not follow the suffix, which may be odd here.
    with path.open("wb") as stream:
        Image.new("L", (70, 70), level).save(stream, "PNG")
    return path


def find(photos: Path, masks: Path | None = None, depth: Path | None = None) -> FoundFiles:
    return find_files(photos, masks, depth, Task("ingest", silent, CancelToken()))


def warnings_of(photos: Path, depth: Path) -> list[str]:
    events: list[Event] = []
    find_files(photos, None, depth, Task("ingest", events.append, CancelToken()))
    return [event.note for event in events if event.kind == "warning"]


# Order


def test_photos_are_listed_as_people_count(tmp_path: Path) -> None:
    for number in range(12):
        photo(tmp_path / f"{number}.png")
    assert list(list_photos(tmp_path)) == [f"{number}.png" for number in range(12)]


def test_depth_images_taken_in_order_are_taken_as_people_count(tmp_path: Path) -> None:
    for number in range(12):
        photo(tmp_path / "photos" / f"{number:04d}.png")
        photo(tmp_path / "depth" / f"d{number}.png")
    found = find(tmp_path / "photos", depth=tmp_path / "depth").sensor_depth
    assert {name: path.name for name, path in found.items()} == {
        f"{number:04d}.png": f"d{number}.png" for number in range(12)
    }
    (warning,) = warnings_of(tmp_path / "photos", tmp_path / "depth")
    assert "taken in order, counting numbers: d0.png, d1.png, d2.png" in warning


def test_an_order_that_everyone_agrees_on_needs_no_warning(tmp_path: Path) -> None:
    for number in range(12):
        photo(tmp_path / "photos" / f"{number:04d}.png")
        photo(tmp_path / "depth" / f"d{number:02d}.png")
    assert warnings_of(tmp_path / "photos", tmp_path / "depth") == []


# What lies beside photos


@pytest.mark.parametrize(
    "beside",
    [("V1.SRT",), ("V1.LRV", "V1.THM"), ("V1.LRF",), ("read me.pdf", "V1.wav"), ("x.CR2",)],
)
def test_a_video_with_what_its_camera_wrote_beside_it_is_used(
    tmp_path: Path, beside: tuple[str, ...]
) -> None:
    (tmp_path / "V1.MP4").write_bytes(b"a film")
    for name in beside:
        photo(tmp_path / name) if name.endswith("THM") else (tmp_path / name).write_text("1\n00:00")
    assert find(tmp_path).video == tmp_path / "V1.MP4"


@pytest.mark.parametrize("beside", ["notes.pdf", "IMG_1.mov", "IMG_1.CR2", "IMG_1.psd"])
def test_one_photo_with_something_else_is_one_photo(tmp_path: Path, beside: str) -> None:
    photo(tmp_path / "IMG_1.png")
    (tmp_path / beside).write_text("x")
    assert find(tmp_path).is_one_photo


def test_a_photo_is_known_by_its_first_bytes_where_its_name_says_nothing(tmp_path: Path) -> None:
    for name in ("IMG_1", "IMG_2.jpg_large", "IMG_3.png"):
        photo(tmp_path / name)
    (tmp_path / "notes").write_text("BMW, P5 of the list")
    (tmp_path / "MM").write_text("MM")
    assert list(list_photos(tmp_path)) == ["IMG_1", "IMG_2.jpg_large", "IMG_3.png"]
    assert list(list_photos(tmp_path / "IMG_1")) == ["IMG_1"]


def test_a_pipe_among_photos_is_listed_and_never_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")
    assert find(tmp_path).sha256 == {"pipe.jpg": ""}


def test_linked_folders_are_followed_once_and_never_upwards(tmp_path: Path) -> None:
    photo(tmp_path / "outside" / "1.png")
    photo(tmp_path / "photos" / "z" / "2.png")
    photo(tmp_path / "beside.png")
    (tmp_path / "photos" / "a").symlink_to(tmp_path / "photos" / "z")
    (tmp_path / "photos" / "linked").symlink_to(tmp_path / "outside")
    (tmp_path / "photos" / "up").symlink_to("..")
    (tmp_path / "photos" / "root").symlink_to("/")
    (tmp_path / "outside" / "round").symlink_to(tmp_path / "photos")
    assert list(list_photos(tmp_path / "photos")) == ["linked/1.png", "z/2.png"]


# Names


def test_names_that_are_no_utf_8_or_no_text_are_shown_with_replacement_signs(
    tmp_path: Path,
) -> None:
    for name in (b"Fa\xe7ade.png", b"Fa\xe8ade.png", b"\x1b[2J.png", b"a\nb.png"):
        photo(Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)))
    found = list_photos(tmp_path)
    assert list(found) == [
        "Fa\ufffdade (2).png",
        "Fa\ufffdade.png",
        "a\ufffdb.png",
        "\ufffd[2J.png",
    ]
    assert len(set(found.values())) == 4
    assert all(path.exists() for path in found.values())
    assert named(found, ["Fa\udce7ade.png"]) == {"Fa\udce7ade.png": ["Fa\ufffdade.png"]}


def test_masks_of_photos_whose_names_are_no_utf_8_are_found(tmp_path: Path) -> None:
    name = os.fsdecode(b"K\xfcche")
    photo(tmp_path / "photos" / f"{name}.png")
    photo(tmp_path / "masks" / f"{name}_mask.png")
    assert list(find(tmp_path / "photos", tmp_path / "masks").masks) == ["K\ufffdche.png"]


@pytest.mark.parametrize(
    "name", ["x" * 251 + ".jpg", "ü" * 120 + ".JPG", "x" * 240 + "_color.png", "/".join("y" * 120)]
)
@pytest.mark.parametrize("folder", ["", "f" * 250 + "/", "d/" * 100])
def test_every_file_that_is_called_after_a_photo_fits_on_the_disk(
    tmp_path: Path, name: str, folder: str
) -> None:
    photo_id = as_id(folder + name)
    assert as_id(photo_id) == photo_id
    for made in (f"{photo_id}.png", photo_id.replace("/", "%2F") + ".npz"):
        with atomic_path(tmp_path / made) as part:
            part.write_text("it fits")
    assert match_by_name([photo_id], [f"masks/{name}.png"]) == {photo_id: f"masks/{name}.png"}


def test_long_names_that_begin_alike_stay_apart() -> None:
    assert as_id("x" * 250 + "1.jpg") != as_id("x" * 250 + "2.jpg")


def test_short_names_stay_as_they_are() -> None:
    assert as_id("Fotos für 東京/Tür 1 👩‍👩‍👧.jpg") == "Fotos für 東京/Tür 1 👩‍👩‍👧.jpg"


# Companions


@pytest.mark.parametrize(
    "mask",
    ["a.png", "a.jpg.png", "a_mask.png", "mask_a.png", "a_seg.png", "a.jpg_mask.PNG", "A.PNG",
     "A_Mask.png", "a-segmentation.png", "a.mask.png", "MASK-A.jpg", "deep/a_matte.png"],
)  # fmt: skip
def test_masks_are_found_however_they_are_called(mask: str) -> None:
    assert match_by_name(["a.jpg"], [mask]) == {"a.jpg": mask}


def test_capitals_count_where_they_tell_two_photos_apart() -> None:
    assert match_by_name(["a.jpg", "A.jpg"], ["a.png"]) == {"a.jpg": "a.png"}
    assert match_by_name(["a.jpg", "A.jpg"], ["A.png", "a.png"]) == {
        "a.jpg": "a.png",
        "A.jpg": "A.png",
    }


def test_capitals_and_longer_paths_do_not_hide_each_other() -> None:
    photos = ["left/1.JPG", "right/1.JPG"]
    names = ["Masks/Left/1_mask.png", "Masks/Right/1_mask.png"]
    assert match_by_name(photos, names) == dict(zip(photos, names, strict=True))
    # What is left for the one photo may as well be of the other.
    assert match_by_name(["a/1.jpg", "b/1.jpg"], ["a/1.png", "x/1.png"]) == {"a/1.jpg": "a/1.png"}


@pytest.mark.parametrize(
    ("path", "bare", "role"),
    [
        ("s/rgb_1.png", "s/1", "photo"),
        ("s/1.color.jpg", "s/1", "photo"),
        ("mask.png", "mask", ""),
        ("._mask.png", ".", "mask"),
        ("a_mask_b.png", "a_mask_b", ""),
        ("a_mask_b_mask.png", "a_mask_b", "mask"),
        ("unmask.png", "unmask", ""),
    ],
)
def test_roles_stand_at_the_end_or_at_the_start(path: str, bare: str, role: str) -> None:
    assert split_role(path) == (bare, role)


def test_masks_that_fit_nothing_are_told_what_they_should_be_called(tmp_path: Path) -> None:
    photo(tmp_path / "photos" / "IMG 7.png")
    photo(tmp_path / "masks" / "first.png")
    with pytest.raises(InputError, match=r"named like IMG 7\.png, these like first\.png") as caught:
        find(tmp_path / "photos", tmp_path / "masks")
    assert "IMG 7.png.png or, for a mask, IMG 7_mask.png" in caught.value.hint


def test_drawn_masks_are_found_by_the_whole_name_and_count_by_their_content(
    tmp_path: Path,
) -> None:
    """Photos that differ in suffix only have masks of their own; other files are no one's."""
    for name in ("1.jpg", "1.png", "b/2.jpg"):
        photo(tmp_path / "in" / name)
    drawn = tmp_path / "in" / "drawn_masks"  # even among the photos
    for name in ("1.jpg.png", "b/2.jpg.png", "3.jpg.png"):
        photo(drawn / name)

    def found(folder: Path | None) -> FoundFiles:
        task = Task("ingest", silent, CancelToken())
        return find_files(tmp_path / "in", None, None, task, drawn_masks=folder)

    files = found(drawn)
    assert set(files.paths) == {"1.jpg", "1.png", "b/2.jpg"}
    assert dict(files.drawn) == {
        name: drawn_mask_path(drawn, name) for name in ("1.jpg", "b/2.jpg")
    }
    photo(drawn / "1.jpg.png", 7)
    changed = found(drawn)
    assert changed.digest != files.digest
    (drawn / "3.jpg.png").write_bytes(b"of a photo that is gone")
    assert found(drawn).digest == changed.digest
    assert not found(tmp_path / "gone").drawn


@pytest.mark.parametrize("photo_id", ["../a.jpg", "/a.jpg", "b/../../a.jpg", ""])
def test_no_photo_s_name_leads_out_of_the_folder_of_masks(tmp_path: Path, photo_id: str) -> None:
    with pytest.raises(ValueError, match="expected a path below"):
        drawn_mask_path(tmp_path, photo_id)
