"""Which objects a folder holds, and clear words for what is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from image_sets import save, scene

from recon3d.batch.objects import PAGE, TABLE, BatchObject, find_objects
from recon3d.core.errors import InputError, OutputError

PICTURE = scene(size=(16, 12))


def photos(folder: Path, number: int = 2) -> Path:
    for index in range(number):
        save(folder / f"{index}.jpg", PICTURE)
    return folder


def find(parent: Path, **options: Path) -> tuple[dict[str, BatchObject], list[str]]:
    notes: list[str] = []
    settings = {"results": parent.with_name("out"), "intrinsics": None, **options}
    found = find_objects(parent, note=notes.append, **settings)
    return {each.name: each for each in found}, notes


def test_folders_and_videos_are_objects_in_the_order_that_people_count_in(tmp_path: Path) -> None:
    photos(tmp_path / "10", 3)
    photos(tmp_path / "2")
    (tmp_path / "walk.mp4").write_bytes(b"film")
    (tmp_path / "notes.txt").write_text("no object")
    found, notes = find(tmp_path)
    assert [(name, each.photos) for name, each in found.items()] == [
        ("2", 2), ("10", 3), ("walk", 0),
    ]  # fmt: skip
    assert found["walk"].inputs.photos == tmp_path / "walk.mp4"
    assert not notes


def test_an_object_brings_files_of_its_own_and_else_takes_the_camera_of_all(tmp_path: Path) -> None:
    own = photos(tmp_path / "own" / "images").parent
    (own / "K.json").write_text("{}")
    (own / "poses").mkdir()
    save(own / "masks" / "0.png", PICTURE)
    save(own / "masks" / "1.png", PICTURE)
    photos(tmp_path / "plain")
    shared = tmp_path / "shared.json"
    found, notes = find(tmp_path, intrinsics=shared)
    inputs = found["own"].inputs
    assert (inputs.intrinsics, inputs.poses) == (own / "K.json", own / "poses")
    assert inputs.masks == own / "masks"
    assert found["own"].photos == 2
    assert found["plain"].inputs.intrinsics == shared
    assert found["plain"].inputs.masks is None
    assert not notes


def test_what_is_wrong_with_one_object_is_kept_with_it(tmp_path: Path) -> None:
    photos(tmp_path / "good")
    (tmp_path / "empty").mkdir()
    (tmp_path / "lost").symlink_to("nowhere")
    (tmp_path / "circle").symlink_to("circle")
    wrong = photos(tmp_path / "wrong")
    save(wrong / "masks" / "other.png", PICTURE)
    found, _ = find(tmp_path)
    said = {name: str(each.problem) for name, each in found.items() if each.problem}
    assert set(said) == {"empty", "lost", "circle", "wrong"}
    assert "no photos" in said["empty"]
    assert "leads nowhere" in said["lost"]
    assert "masks" in said["wrong"]


def test_a_folder_of_photos_is_one_object(tmp_path: Path) -> None:
    photos(tmp_path)
    (tmp_path / "empty").mkdir()
    save(tmp_path / "masks" / "0.png", PICTURE)
    with pytest.raises(InputError, match="2 photos itself") as caught:
        find(tmp_path)
    assert "Did you mean `recon3d mesh" in caught.value.hint


def test_photos_beside_the_objects_are_told(tmp_path: Path) -> None:
    photos(tmp_path / "vase")
    save(tmp_path / "loose.jpg", PICTURE)
    found, (note,) = find(tmp_path)
    assert list(found) == ["vase"]
    assert "1 photo directly in" in note


@pytest.mark.parametrize("name", ["missing", "film.mp4", "done.recon3d", "nothing"])
def test_what_holds_no_objects_is_refused_with_a_way_out(tmp_path: Path, name: str) -> None:
    (tmp_path / "film.mp4").write_bytes(b"film")
    photos(tmp_path / "done.recon3d" / "vase")
    (tmp_path / "nothing" / ".hidden").mkdir(parents=True)
    with pytest.raises(InputError, match=name) as caught:
        find(tmp_path / name)
    assert caught.value.hint


def test_links_to_what_is_there_already_are_no_further_objects(tmp_path: Path) -> None:
    parent, elsewhere = tmp_path / "in", photos(tmp_path / "elsewhere")
    photos(parent / "vase")
    (parent / "a_twin").symlink_to("vase")
    (parent / "loop").symlink_to(tmp_path)
    (parent / "linked").symlink_to(elsewhere)
    (parent / "linked_again").symlink_to(elsewhere)
    found, notes = find(parent)
    assert list(found) == ["linked", "vase"]
    assert [note.split()[0] for note in notes] == ["a_twin", "linked_again", "loop"]


def test_results_are_no_objects_wherever_they_lie(tmp_path: Path) -> None:
    photos(tmp_path / "vase")
    photos(tmp_path / "models" / "vase")
    photos(tmp_path / "vase.recon3d")
    earlier = photos(tmp_path / "earlier" / "vase").parent
    (earlier / PAGE).touch()
    (earlier / TABLE).touch()
    found, _ = find(tmp_path, results=tmp_path / "models")
    assert list(found) == ["vase"]


@pytest.mark.parametrize("results", ["", "vase", "vase/models"])
def test_results_among_the_photos_are_refused(tmp_path: Path, results: str) -> None:
    photos(tmp_path / "vase")
    with pytest.raises(OutputError, match="among the photos"):
        find(tmp_path, results=tmp_path / results)


def test_objects_in_folders_of_folders_are_told(tmp_path: Path) -> None:
    photos(tmp_path / "monday" / "vase")
    photos(tmp_path / "monday" / "jug")
    found, (note,) = find(tmp_path)
    assert list(found) == ["monday"]
    assert f"recon3d batch {tmp_path / 'monday'}" in note


def test_no_two_objects_have_one_name_even_where_capitals_do_not_count(tmp_path: Path) -> None:
    for name in ("Vase", "vase"):
        photos(tmp_path / name)
    (tmp_path / "vase.mov").write_bytes(b"film")
    found, _ = find(tmp_path)
    assert len({name.casefold() for name in found}) == 3


def test_names_that_are_no_text_are_names(tmp_path: Path) -> None:
    for name in (b"\xff\xfe", b"two\nlines", b"-o"):
        photos(tmp_path / name.decode("utf-8", "surrogateescape"))
    found, _ = find(tmp_path)
    assert len(found) == 3
