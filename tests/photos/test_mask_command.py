"""A program of the user's own makes the masks, and what it does wrong is told with the photo."""

from __future__ import annotations

import shlex
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from recon3d.api import reconstruct
from recon3d.core.errors import Cancelled, ConfigError, InputError
from recon3d.core.scene import Exif, ImageSet, Photo
from recon3d.photos.ingest import IngestConfig
from recon3d.photos.mask_command import MaskCommand, read_command_masks, run_mask_command
from recon3d.results import Inputs, Until
from recon3d.run.task import CancelToken, Task, silent

SIZE = (320, 240)
GOOD = """
import sys
from PIL import Image
photo = Image.open(sys.argv[1])
open("calls.txt", "a").write(sys.argv[1] + "\\n")
photo.convert("L").point(lambda level: 255 * (level > 128)).save(sys.argv[2])
"""


def image_set(folder: Path, count: int = 2, masks: dict[str, Path] | None = None) -> ImageSet:
    folder.mkdir(exist_ok=True)
    pictures = {}
    for number in range(count):
        pixels = np.zeros((240, 320, 3), np.uint8)
        pixels[40:160, 80 : 160 + number] = 255
        pictures[f"ä {number}.jpg"] = folder / f"{number:06d}.jpg"
        Image.fromarray(pixels).save(folder / f"{number:06d}.jpg", quality=97)
    photos = tuple(Photo(name, name, *SIZE, Exif(), name, "camera") for name in pictures)
    return ImageSet(photos, (), False, pictures, masks or {}, {})


def command(folder: Path, program: str, timeout_s: float = 20.0) -> MaskCommand:
    """A tool that lives in a folder with a space in its name."""
    place = folder / "my tools"
    place.mkdir(exist_ok=True)
    (place / "tool.py").write_text(program.replace('"calls.txt"', repr(str(folder / "calls"))))
    words = shlex.join([sys.executable, str(place / "tool.py")])
    return MaskCommand(command=f"{words} {{photo}} {{mask}}", timeout_s=timeout_s)


def make(photos: ImageSet, tool: MaskCommand, folder: Path) -> Mapping[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    task = Task("mask command", silent, CancelToken())
    run_mask_command(photos, tool, IngestConfig(), folder, task)
    return read_command_masks(folder)


def test_every_photo_gets_the_mask_that_the_program_writes(tmp_path: Path) -> None:
    photos = image_set(tmp_path / "photos")
    masks = make(photos, command(tmp_path, GOOD), tmp_path / "stage" / "a")
    assert list(masks) == ["ä 0.jpg", "ä 1.jpg"]
    for number, mask in enumerate(masks.values()):
        keep = np.asarray(Image.open(mask)) > 0
        assert keep.sum() == 120 * (80 + number)
    left = {path.name for path in (tmp_path / "stage" / "a").iterdir()}
    assert left == {"masks.json", *(path.name for path in masks.values())}


def test_photos_that_have_a_mask_are_left_to_it(tmp_path: Path) -> None:
    photos = image_set(tmp_path / "photos", masks={"ä 0.jpg": tmp_path / "own.png"})
    assert list(make(photos, command(tmp_path, GOOD), tmp_path / "a")) == ["ä 1.jpg"]


def test_only_photos_that_are_new_to_the_workspace_cost_a_call(tmp_path: Path) -> None:
    tool = command(tmp_path, GOOD)
    make(image_set(tmp_path / "photos", 2), tool, tmp_path / "stage" / "a")
    make(image_set(tmp_path / "others", 3), tool, tmp_path / "stage" / "b.part")
    called = (tmp_path / "calls").read_text().splitlines()
    assert [Path(path).name for path in called] == ["000000.jpg", "000001.jpg", "000002.jpg"]


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("print('loading'); raise SystemExit('no\\x1b such model')", r"ended with 1 at ä 0.jpg"),
        ("print('all done')", r"no mask for ä 0.jpg; it said: all done"),
        ("pass", r"no mask for ä 0.jpg; it said nothing"),
        (
            "import sys; from PIL import Image; Image.new('L', (9, 9), 255).save(sys.argv[2])",
            r"mask for ä 0.jpg is no use: its mask .* is 9x9, the photo 320x240",
        ),
        (
            "import sys; from PIL import Image; Image.new('L', (320, 240)).save(sys.argv[2])",
            r"mask for ä 0.jpg is no use: its mask .*: it hides all of the photo",
        ),
        ("import sys; open(sys.argv[2], 'w').write('oh')", r"mask for ä 0.jpg is no use"),
    ],
)
def test_what_goes_wrong_is_told_with_the_photo(tmp_path: Path, program: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        make(image_set(tmp_path / "photos"), command(tmp_path, program), tmp_path / "a")
    assert "\x1b" not in str(caught.value)
    assert list((tmp_path / "a").iterdir()) == []


def test_the_last_words_of_a_program_that_fails_are_told(tmp_path: Path) -> None:
    program = "for n in range(9999): print('step', n)\nraise ValueError('no such model')"
    with pytest.raises(InputError, match="ValueError: no such model"):
        make(image_set(tmp_path / "photos"), command(tmp_path, program), tmp_path / "a")


HANGING = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open("calls.txt", "w").write(str(child.pid))
time.sleep(60)
"""


def test_a_program_that_hangs_is_stopped_with_its_children(tmp_path: Path) -> None:
    tool = command(tmp_path, HANGING, timeout_s=0.4)
    with pytest.raises(InputError, match=r"longer than 0.4 s for ä 0.jpg") as caught:
        make(image_set(tmp_path / "photos"), tool, tmp_path / "a")
    assert "--mask-timeout" in caught.value.hint
    assert_gone(int((tmp_path / "calls").read_text()))


def test_cancelling_stops_the_program_at_once(tmp_path: Path) -> None:
    token = CancelToken()
    (tmp_path / "a").mkdir()
    threading.Timer(0.5, token.cancel).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        run_mask_command(
            image_set(tmp_path / "photos"),
            command(tmp_path, HANGING),
            IngestConfig(),
            tmp_path / "a",
            Task("mask command", silent, token),
        )
    assert time.monotonic() - started < 2
    assert_gone(int((tmp_path / "calls").read_text()))


def assert_gone(pid: int) -> None:
    deadline = time.monotonic() + 2
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.02)
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rembg {photo}", r"lacks \{mask\}"),
        ("rembg", r"lacks \{mask\} and \{photo\}"),
        ("no-such-program-at-all {photo} {mask}", "no program no-such-program-at-all"),
        ("tool '{photo} {mask}", "cannot be read"),
    ],
)
def test_a_command_that_cannot_run_is_refused_before_any_work(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        MaskCommand(command=text)


def test_a_time_that_no_program_can_keep_is_refused() -> None:
    with pytest.raises(ConfigError, match="--mask-timeout is 0"):
        MaskCommand(command=f"{shlex.quote(sys.executable)} {{photo}} {{mask}}", timeout_s=0)


def test_no_shell_sees_the_command(tmp_path: Path) -> None:
    tool = command(tmp_path, GOOD)
    text = f"{tool.command} ; touch {shlex.quote(str(tmp_path / 'touched'))}"
    make(image_set(tmp_path / "photos"), MaskCommand(command=text), tmp_path / "a")
    assert not (tmp_path / "touched").exists()


def test_masks_of_a_program_act_as_given_ones_do(tmp_path: Path) -> None:
    photos = image_set(tmp_path / "photos")
    tool = command(tmp_path, GOOD)
    inputs = Inputs(photos=tmp_path / "photos", mask_command=tool)
    assert photos.photos
    first = reconstruct(inputs, tmp_path / "work", until=Until.INGEST)
    assert first.image_set
    masks = first.image_set.value.masks
    assert sorted(masks) == ["000000.jpg", "000001.jpg"]
    again = reconstruct(inputs, tmp_path / "work", until=Until.INGEST)
    assert again.command_masks
    assert again.command_masks.cached
    plain = reconstruct(tmp_path / "photos", tmp_path / "work", until=Until.INGEST)
    assert plain.image_set
    assert plain.image_set.key != first.image_set.key
    assert plain.image_set.folder == first.image_set.folder
