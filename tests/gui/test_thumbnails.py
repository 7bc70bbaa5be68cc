"""Thumbnails: made beside the window, kept on the disk, within bounds."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
from photo_files import photo, wait_for
from PIL import Image
from recon3d_gui.photos.facts import PhotoFacts, Thumbnail, make_thumbnail
from recon3d_gui.photos.thumbnail_cache import ThumbnailCache
from recon3d_gui.photos.thumbnails import MOST_PICTURES, Thumbnails


def test_what_is_on_the_screen_comes_first_and_what_left_it_not_at_all() -> None:
    gate, started = threading.Semaphore(0), list[str]()

    def look_at(path: Path) -> Thumbnail:
        started.append(path.name)
        gate.acquire()
        return Thumbnail(PhotoFacts(width_px=1), np.zeros((1, 1, 3), np.uint8))

    thumbnails = Thumbnails(look_at)
    thumbnails.survey([Path(f"later {n}") for n in range(3)])
    threads = min(2, os.cpu_count() or 1)
    wait_for(lambda: len(started) == threads)
    thumbnails.want([Path("gone")])
    thumbnails.want([Path("screen 1"), Path("screen 2")])
    for _ in range(5):
        gate.release()
    wait_for(lambda: len(started) == 5)
    thumbnails.close()
    assert "gone" not in started
    assert set(started[threads : threads + 2]) == {"screen 1", "screen 2"}


def test_pictures_in_memory_stay_within_their_bound_and_facts_stay_all() -> None:
    thumbnails = Thumbnails(
        lambda path: Thumbnail(PhotoFacts(width_px=1), np.zeros((1, 1, 3), np.uint8))
    )
    files = [Path(str(n)) for n in range(MOST_PICTURES + 50)]
    thumbnails.survey(files)
    wait_for(lambda: thumbnails.collect() is not None and thumbnails.facts(files[-1]) is not None)
    assert sum(thumbnails.picture(file) is not None for file in files) == MOST_PICTURES
    thumbnails.want(files[-1:])
    wait_for(lambda: thumbnails.collect() is not None and thumbnails.picture(files[-1]) is not None)
    assert sum(thumbnails.picture(file) is not None for file in files) == MOST_PICTURES
    thumbnails.close()


def test_a_survey_rests_while_a_run_works_but_the_screen_does_not() -> None:
    thumbnails = Thumbnails(lambda path: Thumbnail(PhotoFacts(width_px=1), None))
    thumbnails.rest(True)
    thumbnails.survey([Path("later")])
    thumbnails.want([Path("now")])
    wait_for(lambda: thumbnails.collect() is not None and thumbnails.facts(Path("now")) is not None)
    assert thumbnails.facts(Path("later")) is None
    thumbnails.rest(False)
    wait_for(lambda: bool(thumbnails.collect()) or thumbnails.facts(Path("later")) is not None)
    thumbnails.close()


def test_a_thumbnail_is_upright_and_knows_the_file(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0110] = 6, "NIKON CORPORATION", "NIKON D3200"
    found = make_thumbnail(photo(tmp_path / "a.jpg", size=(640, 320), exif=exif))
    assert found.rgb is not None
    assert found.rgb.shape == (160, 80, 3)
    assert found.facts.line == "NIKON D3200 · 320 × 640"
    assert found.facts.sharpness > 0


def test_a_thumbnail_from_the_disk_is_the_same_until_the_photo_changes(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.jpg", 1)
    cache = ThumbnailCache(tmp_path / "cache")
    first, again = cache.look_at(path), cache.look_at(path)
    assert again.facts == first.facts
    assert len(list((tmp_path / "cache").rglob("*.jpg"))) == 1
    photo(path, 2, size=(200, 100))
    assert cache.look_at(path).facts.width_px == 200


def test_a_damaged_cache_is_made_anew(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.jpg")
    cache = ThumbnailCache(tmp_path / "cache")
    good = cache.look_at(path)
    (file,) = (tmp_path / "cache").rglob("*.jpg")
    Image.new("RGB", (10, 10)).save(file, comment=b'{"width_px": "many"}')
    assert cache.look_at(path).facts == good.facts
    file.write_bytes(b"torn")
    assert cache.look_at(path).facts == good.facts


def test_the_cache_forgets_the_oldest_beyond_its_bound(tmp_path: Path) -> None:
    cache = ThumbnailCache(tmp_path / "cache", most_bytes=1)
    cache.look_at(photo(tmp_path / "a.jpg"))
    cache.prune()
    assert not list((tmp_path / "cache").rglob("*.jpg"))
