"""360-degree photos are recognised, refused with a reason, and become exact views."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from films import film
from panorama_scene import XMP
from PIL import Image

from recon3d.core.camera import pixel_rays
from recon3d.core.equirectangular import VIEWS, directions_of_pixels, uv_of_directions, view_camera
from recon3d.core.errors import InputError
from recon3d.core.rig import by_moment
from recon3d.core.scene import ImageSet
from recon3d.photos.finding import FoundFiles, find_files
from recon3d.photos.ingest import IngestConfig, ingest, read_image_set
from recon3d.photos.panorama_views import (
    PanoramaConfig,
    PanoramaViews,
    read_panorama_views,
    rectilinear,
    split_panoramas,
    with_border,
)
from recon3d.photos.panoramas import PanoramaKind, film_says_so, find_panoramas
from recon3d.run.task import CancelToken, Event, Task, silent

WIDTH = 640


def smooth(directions: np.ndarray) -> np.ndarray:
    """A colour for every direction, with detail of a few degrees, and none at the poles' own."""
    x, y, z = np.moveaxis(directions / np.linalg.norm(directions, axis=-1, keepdims=True), -1, 0)
    waves = np.stack([np.sin(9 * x + 3 * y), np.sin(8 * y - 5 * z), np.cos(7 * z + 4 * x)], -1)
    return np.rint(127.5 + 110 * waves).astype(np.uint8)


def save(path: Path, rgb: np.ndarray, xmp: bytes = XMP, exif: Image.Exif | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgb).save(path, quality=95, xmp=xmp, exif=exif or Image.Exif())


def noisy(seed: int, width_px: int = WIDTH, height_px: int | None = None) -> np.ndarray:
    size = (height_px or width_px // 2, width_px, 3)
    return np.random.default_rng(seed).integers(0, 255, size).astype(np.uint8)


def task(listener: Callable[[Event], None] = silent) -> Task:
    return Task("panoramas", listener, CancelToken())


def split(
    folder: Path, work: Path, kind: PanoramaKind = "auto", masks: Path | None = None
) -> tuple[FoundFiles, PanoramaViews]:
    files = find_files(folder, masks, None, task())
    found = find_panoramas(files, kind, task())
    assert found
    split_panoramas(found, PanoramaConfig(photos=kind), work, task())
    views = read_panorama_views(work)
    return views.in_place_of_panoramas(files), views


def taken_in(files: FoundFiles, folder: Path) -> ImageSet:
    ingest(files, IngestConfig(), folder, task())
    return read_image_set(folder)


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_shows_each_direction_where_its_camera_sees_it(name: str) -> None:
    camera = view_camera(WIDTH, 100.0)
    seen = rectilinear(with_border(smooth(directions_of_pixels(WIDTH))), name, camera)
    expected = smooth(pixel_rays(camera) @ VIEWS[name])
    # Rounding of the panorama and of the view, and what interpolation loses of these waves; half
    # a pixel off would be 4 grey levels in the mean.
    difference = np.abs(seen.astype(int) - expected)
    assert difference.mean() < 0.6
    assert difference.max() <= 4


def test_pixels_and_directions_are_each_other_s_inverse() -> None:
    uv = uv_of_directions(directions_of_pixels(64), 64)
    across, down = np.meshgrid(np.arange(64) + 0.5, np.arange(32) + 0.5)
    assert uv == pytest.approx(np.stack([across, down], -1), abs=1e-9)


def test_the_views_stand_upright_around_the_horizon() -> None:
    sides = {"front": (0, 0, 1), "right": (1, 0, 0), "back": (0, 0, -1), "left": (-1, 0, 0)}
    for name, ahead in {**sides, "up": (0, -1, 0), "down": (0, 1, 0)}.items():
        assert VIEWS[name] @ ahead == pytest.approx([0, 0, 1], abs=1e-12)
        assert np.linalg.det(VIEWS[name]) == pytest.approx(1)
        if name in sides:
            assert VIEWS[name] @ [0, 1, 0] == pytest.approx([0, 1, 0], abs=1e-12)


def test_panoramas_become_views_of_one_place_between_ordinary_photos(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for number in (1, 2):
        save(photos / f"räume/R{number}.jpg", noisy(number))
    save(photos / "detail.jpg", noisy(3, 300, 200), xmp=b"")
    files, views = split(photos, tmp_path / "work")
    image_set = taken_in(files, tmp_path / "ingest")
    ids = [photo.id for photo in image_set.photos]
    assert ids[0] == "detail.jpg"
    assert ids[1:4] == ["räume/R1_front.jpg", "räume/R1_right.jpg", "räume/R1_back.jpg"]
    assert len(ids) == 11
    assert not any("down" in name for name in ids)
    assert views.intrinsics.keys() == views.rigs.keys() == {*ids[1:]}
    assert [len(members) for members in by_moment(views.rigs).values()] == [5, 5]
    for photo in image_set.photos[1:]:
        camera = views.intrinsics[photo.id].pinhole
        assert (camera.width_px, camera.height_px) == (photo.width_px, photo.height_px)
        assert np.degrees(2 * np.arctan2(camera.cx_px, camera.fx_px)) == pytest.approx(100, abs=0.5)
        assert not views.rigs[photo.id].cam_from_rig.translation.any()


def test_photos_that_say_nothing_stay_as_they_are(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", noisy(1, 600, 400), xmp=b"")
    save(tmp_path / "b.jpg", noisy(2), xmp=b"")
    files = find_files(tmp_path, None, None, task())
    assert find_panoramas(files, "auto", task()) is None
    assert find_panoramas(files, "none", task()) is None


def test_a_hint_names_photos_of_this_shape_that_do_not_say_what_they_are(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", noisy(1, 2048), xmp=b"")
    save(tmp_path / "b.jpg", noisy(2, 600, 400), xmp=b"")
    heard: list[Event] = []
    files = find_files(tmp_path, None, None, task())
    assert find_panoramas(files, "auto", task(heard.append)) is None
    assert ["a.jpg" in event.note and "--panorama all" in event.note for event in heard] == [True]


@pytest.mark.parametrize(
    ("kind", "xmp", "words"),
    [("auto", XMP, "not one of all directions"), ("all", b"", "a full 360-degree photo is twice")],
)
def test_another_shape_is_refused_with_its_reason(
    kind: PanoramaKind, xmp: bytes, words: str, tmp_path: Path
) -> None:
    for number in (1, 2):
        save(tmp_path / "photos" / f"{number}.jpg", noisy(number), xmp=xmp or XMP)
    save(tmp_path / "photos" / "part.jpg", noisy(3, 700, 200), xmp=xmp)
    files, _ = split(tmp_path / "photos", tmp_path / "work", kind)
    image_set = taken_in(files, tmp_path / "ingest")
    (verdict,) = image_set.verdicts
    assert verdict.photo_id == "part.jpg"
    assert words in verdict.reason
    assert "--panorama" in verdict.advice


def test_a_panorama_alone_is_an_error(tmp_path: Path) -> None:
    save(tmp_path / "photos" / "a.jpg", noisy(1))
    save(tmp_path / "photos" / "copy.jpg", noisy(1))
    with pytest.raises(InputError, match="the only 360-degree photo"):
        split(tmp_path / "photos", tmp_path / "work")


def test_a_broken_panorama_gets_a_verdict(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        save(tmp_path / "photos" / f"{number}.jpg", noisy(number))
    whole = (tmp_path / "photos" / "2.jpg").read_bytes()
    (tmp_path / "photos" / "2.jpg").write_bytes(whole[: len(whole) // 2])
    files, _ = split(tmp_path / "photos", tmp_path / "work")
    (verdict,) = taken_in(files, tmp_path / "ingest").verdicts
    assert (verdict.photo_id, verdict.reason) == ("2.jpg", "the file is broken or cut off")


def test_an_empty_sky_is_neither_blurred_nor_a_copy(tmp_path: Path) -> None:
    for number in (1, 2):
        rgb = noisy(number)
        rgb[: WIDTH // 4] = 200
        save(tmp_path / "photos" / f"{number}.jpg", rgb)
    files, views = split(tmp_path / "photos", tmp_path / "work")
    image_set = taken_in(files, tmp_path / "ingest")
    assert image_set.verdicts == ()
    assert len(image_set.photos) == len(views.views) == 10


def test_masks_place_and_gravity_go_into_the_views(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (47.0, 0.0, 0.0), 3: "E", 4: (8.0, 0.0, 0.0), 6: 400.0}
    pitched = XMP.replace(b"/></rdf", b' GPano:PosePitchDegrees="0"/></rdf')
    for number in (1, 2):
        save(tmp_path / "photos" / f"{number}.jpg", noisy(number), xmp=pitched, exif=exif)
    keep = np.full((WIDTH // 2, WIDTH), 255, np.uint8)
    keep[:, : WIDTH // 2] = 0  # the left half: the view to the left sees nothing that counts
    (tmp_path / "masks").mkdir()
    Image.fromarray(keep).save(tmp_path / "masks" / "1.png")
    files, views = split(tmp_path / "photos", tmp_path / "work", masks=tmp_path / "masks")
    image_set = taken_in(files, tmp_path / "ingest")
    assert "1_left.jpg" not in views.views
    assert {*image_set.masks} == {f"1_{name}.jpg" for name in ("front", "right", "back", "up")}
    mask = np.asarray(Image.open(image_set.masks["1_front.jpg"]))
    side = mask.shape[1] // 2
    assert not mask[:, : side - 1].any()
    assert mask[:, side + 1 :].all()
    exifs = {photo.id: photo.exif for photo in image_set.photos}
    assert [name for name, found in exifs.items() if found.gps_deg_m] == [
        "1_front.jpg",
        "2_front.jpg",
    ]
    assert exifs["2_right.jpg"].down_cam == pytest.approx((0, 1, 0), abs=1e-9)
    assert exifs["2_up.jpg"].down_cam == pytest.approx((0, 0, -1), abs=1e-9)


def test_a_panorama_is_left_out_with_all_its_views(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        save(tmp_path / "photos" / f"{number}.jpg", noisy(number))
    _, views = split(tmp_path / "photos", tmp_path / "work")
    gone = views.with_views({"2.jpg", "3_up.jpg", "odd*"})
    assert gone == {*(name for name in views.views if name.startswith("2_")), "3_up.jpg", "odd*"}


def test_an_interrupted_split_goes_on(tmp_path: Path) -> None:
    for number in (1, 2):
        save(tmp_path / "photos" / f"{number}.jpg", noisy(number))
    files, views = split(tmp_path / "photos", tmp_path / "work")
    bytes_before = {name: path.read_bytes() for name, path in files.paths.items()}
    first, *_, second = views.views.values()
    stamp = (tmp_path / "work" / first.file).stat().st_mtime_ns
    (tmp_path / "work" / "items" / "000001.json").unlink()
    (tmp_path / "work" / second.file).unlink()
    files, _ = split(tmp_path / "photos", tmp_path / "work")
    assert (tmp_path / "work" / first.file).stat().st_mtime_ns == stamp
    assert {name: path.read_bytes() for name, path in files.paths.items()} == bytes_before


def test_frames_of_a_film_become_views(tmp_path: Path) -> None:
    base = noisy(4, WIDTH // 8)
    wide = np.asarray(Image.fromarray(base).resize((WIDTH, WIDTH // 2)))
    walk = [np.roll(wide[..., 0], 25 * number, axis=1) for number in range(12)]
    files = find_files(film(tmp_path / "walk.mp4", walk), None, None, task())
    assert find_panoramas(files, "auto", task()) is None
    found = find_panoramas(files, "all", task())
    assert found
    split_panoramas(found, PanoramaConfig(video_frames=3), tmp_path / "work", task())
    views = read_panorama_views(tmp_path / "work")
    image_set = taken_in(views.in_place_of_panoramas(files), tmp_path / "ingest")
    assert len(image_set.photos) == 5 * len(by_moment(views.rigs)) > 5
    assert image_set.photos[0].id.startswith("frame-0000")


def box(name: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + name + content


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (box(b"ftyp", b"isom") + box(b"mdat", b"x" * 99) + box(b"moov", b"..sv3d....equi.."), True),
        (box(b"moov", b"<GSpherical:ProjectionType>equirectangular</G>"), True),
        (box(b"moov", b"trak") + box(b"mdat", b"sv3d equi"), False),
        (b"\0\0\0\1moov" + b"\xff" * 8, False),
        (b"\0\0\0\0mdat", False),
        (b"", False),
    ],
)
def test_a_film_says_whether_it_is_a_panorama(
    content: bytes, expected: bool, tmp_path: Path
) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    assert film_says_so(tmp_path / "a.mp4") == expected
