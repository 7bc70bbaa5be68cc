"""The render process: what it is told, what it answers, and what happens when it dies."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from recon3d_gui.failure import Failure
from recon3d_gui.viewer.cameras import Eye
from recon3d_gui.viewer.client import ViewerClient
from recon3d_gui.viewer.outbox import Outbox
from recon3d_gui.viewer.protocol import (
    Frame,
    Loaded,
    Look,
    Picked,
    Reply,
    Saved,
    SavePicture,
    SaveTurntable,
    Saving,
    Style,
    Taken,
)
from recon3d_gui.viewer.shared import SharedPictures

from recon3d.core.transform import Rigid

LOOK = Eye(azimuth_deg=0.0, elevation_deg=0.0, distance=4.0)


def test_of_looks_only_the_newest_is_sent_and_every_order_is() -> None:
    source, sink = Pipe(duplex=False)
    filler = b"x" * 60_000
    sink.send_bytes(filler)  # the pipe is full, so that commands wait

    def look(number: int) -> Look:
        return Look(number, LOOK.lens.on_canvas(9, 9), Rigid.identity(), 1.0)

    outbox = Outbox(sink)
    for number in range(500):
        outbox.put(look(number))
        if number in (100, 200):
            outbox.put(Taken(number))
    outbox.put(Style(mode="clay"))
    assert source.recv_bytes() == filler
    outbox.close()
    received = []
    while True:
        try:
            received.append(source.recv())
        except EOFError:
            break
    assert [each.number for each in received if isinstance(each, Taken)] == [100, 200]
    assert received[-1] == Style(mode="clay")
    numbers = [each.number for each in received if isinstance(each, Look)]
    assert numbers[-1] == 499
    assert len(numbers) < 500


def test_pictures_that_do_not_fit_are_refused() -> None:
    pictures = SharedPictures.make(100)
    try:
        with pytest.raises(ValueError, match="expected"):
            pictures.picture(0, 1000, 1000)
    finally:
        pictures.close()


class Watcher:
    """A client with everything that it was told."""

    def __init__(self, **options: bool) -> None:
        self.client = ViewerClient(**options)
        self.told: list[Reply] = []
        self.frames: list[Frame] = []
        self.pixels = np.zeros((300, 400, 4), np.float32)
        self.client.listen(self.told.append)

    def until(self, done: Callable[[], object], seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, self.told
            self.client.poll()
            self.client.tick(time.monotonic())
            if frame := self.client.take_frame(self.pixels):
                self.frames.append(frame)
            time.sleep(0.002)

    def last(self, kind: type) -> Reply | None:
        return next((each for each in reversed(self.told) if isinstance(each, kind)), None)


@pytest.fixture(scope="module")
def box_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mesh") / "box für 山.ply"
    trimesh.creation.box((1.0, 1.0, 1.0)).export(path)
    return path


@pytest.fixture(scope="module")
def watcher(box_file: Path) -> Iterator[Watcher]:
    found = Watcher()
    found.client.navigator.resize(320, 240)
    found.client.resize(320, 240)
    found.client.start()
    found.client.open_mesh(box_file)
    found.until(lambda: found.frames and found.frames[-1].is_final and "a" in found.client.loaded)
    yield found
    found.client.close()


def test_a_mesh_file_is_shown(watcher: Watcher) -> None:
    loaded = watcher.client.loaded["a"]
    assert loaded.faces == 12
    assert loaded.layers == {"mesh"}
    np.testing.assert_allclose(loaded.bounds.high, [0.5, 0.5, 0.5], atol=1e-6)
    assert watcher.pixels[:240, :320, :3].std() > 0.02


def test_a_pick_hits_the_surface(watcher: Watcher) -> None:
    nav = watcher.client.navigator
    nav.from_side("front")
    watcher.until(lambda: not nav.is_moving)
    watcher.told.clear()
    number = watcher.client.pick((160.0, 120.0))
    watcher.until(lambda: watcher.last(Picked))
    picked = watcher.last(Picked)
    assert isinstance(picked, Picked)
    assert picked.number == number
    assert picked.point == pytest.approx((0.0, -0.5, 0.0), abs=1e-3)


def test_a_still_view_is_drawn_once_and_costs_nothing(watcher: Watcher) -> None:
    watcher.client.navigator.orbit(10, 0)
    watcher.until(lambda: not watcher.client.is_busy)
    count = len(watcher.frames)
    end = time.monotonic() + 0.5
    watcher.until(lambda: time.monotonic() > end)
    assert len(watcher.frames) == count


def test_a_moving_view_gets_quick_pictures_and_then_a_fine_one(watcher: Watcher) -> None:
    watcher.frames.clear()
    for _ in range(10):
        watcher.client.navigator.orbit(5, 0)
        end = time.monotonic() + 0.03
        watcher.until(lambda end=end: time.monotonic() > end)  # type: ignore[misc]
    watcher.until(lambda: watcher.frames and watcher.frames[-1].is_final)
    assert any(not frame.is_final for frame in watcher.frames)
    numbers = [frame.number for frame in watcher.frames]
    assert numbers == sorted(set(numbers))


def test_a_picture_without_background_is_saved(watcher: Watcher, tmp_path: Path) -> None:
    target = tmp_path / "shot ü.png"
    watcher.told.clear()
    watcher.client.save_picture(SavePicture(target, enlarge=2, transparent=True))
    watcher.until(lambda: watcher.last(Saved))
    saved = Image.open(target)
    assert saved.size == (640, 480)
    assert saved.getpixel((2, 2))[3] == 0  # type: ignore[index]
    assert saved.getpixel((320, 240))[3] == 255  # type: ignore[index]


def test_a_film_is_made_while_the_view_stays_alive(watcher: Watcher, tmp_path: Path) -> None:
    target = tmp_path / "turn.gif"
    watcher.told.clear()
    watcher.frames.clear()
    watcher.client.save_turntable(SaveTurntable(target, 1.0, 12, (64, 48)))
    watcher.until(lambda: watcher.last(Saving))
    watcher.client.navigator.orbit(30, 0)
    watcher.until(lambda: watcher.last(Saved))
    assert Image.open(target).n_frames == 12  # type: ignore[attr-defined]
    watcher.until(lambda: watcher.frames)


def test_a_film_can_be_cancelled(watcher: Watcher, tmp_path: Path) -> None:
    watcher.told.clear()
    watcher.client.save_turntable(SaveTurntable(tmp_path / "turn.mp4", 30.0, 30, (640, 480)))
    watcher.until(lambda: watcher.last(Saving))
    watcher.client.cancel_saving()
    watcher.until(lambda: watcher.last(Saved))
    assert watcher.last(Saved) == Saved(None)
    assert [*tmp_path.iterdir()] == []


def test_a_place_that_cannot_be_written_is_told(watcher: Watcher, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    watcher.told.clear()
    watcher.client.save_picture(SavePicture(tmp_path / "file" / "a.png"))
    watcher.until(lambda: watcher.last(Failure))


def test_a_damaged_file_is_told_and_the_view_stays(watcher: Watcher, tmp_path: Path) -> None:
    (tmp_path / "bad.ply").write_bytes(b"ply\nformat ascii 1.0\n")
    watcher.told.clear()
    watcher.client.open_mesh(tmp_path / "bad.ply")
    watcher.until(lambda: watcher.last(Failure))
    assert watcher.client.loaded["a"].faces == 12


def test_a_growing_window_gets_larger_pictures(watcher: Watcher) -> None:
    watcher.client.navigator.resize(400, 300)
    watcher.until(lambda: watcher.frames and watcher.frames[-1].width_px == 400)
    watcher.client.navigator.resize(320, 240)
    watcher.until(lambda: watcher.frames[-1].width_px == 320)


def test_a_killed_process_is_started_again_with_what_it_showed(
    watcher: Watcher, box_file: Path
) -> None:
    watcher.client.open_mesh(box_file)
    watcher.client.restyle(mode="clay")
    watcher.until(lambda: not watcher.client.is_busy)
    process = watcher.client._process
    assert process is not None
    watcher.told.clear()
    watcher.frames.clear()
    process.kill()
    watcher.until(lambda: watcher.last(Loaded) and watcher.frames and watcher.frames[-1].is_final)
    assert "started again" in str(watcher.last(Failure))
    assert not watcher.client.is_gone


def test_closing_ends_the_process_and_frees_the_memory() -> None:
    found = Watcher()
    found.client.resize(64, 48)
    pictures = found.client._pictures
    assert pictures is not None
    names = pictures.names
    found.client.start()
    process = found.client._process
    assert process is not None
    pid = process.pid
    assert pid
    found.client.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(FileNotFoundError):
        SharedPictures.attach(names)
