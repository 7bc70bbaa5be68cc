"""The photo panels under a display, with a real mouse and real keys."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.gui

SCRIPT = Path(__file__).parent / "photo_window.py"


def play(scenario: str, photos: Path, cache: Path) -> Any:
    if not (shutil.which("xvfb-run") and shutil.which("xdotool")):
        pytest.skip("needs xvfb-run and xdotool")
    screen = ["xvfb-run", "-a", "-s", "-screen 0 1280x720x24"]
    command = [*screen, sys.executable, str(SCRIPT), scenario, str(photos), str(cache)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def make_photos(folder: Path, count: int) -> Path:
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    for number in range(count):
        Image.fromarray(np.roll(noise, number)).save(folder / f"{number}.png", compress_level=1)
    return folder


def test_photos_are_selected_excluded_and_shown_as_in_a_file_manager(tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "Größe 写真", 8)
    assert play("use", photos, tmp_path / "cache") == {
        "selected": ["2.png", "3.png", "4.png"],
        "excluded by key": ["2.png", "3.png", "4.png"],
        "after the eye of one of them": [],
        "by eye": ["1.png"],
        "steps": ["Exclude 3 photos", "Include 3 photos", "Exclude photo"],
        "below": "1.png",
        "page": ["photo", "3.png"],
        "larger": True,
        "next": "4.png",
    }


def test_thousands_of_photos_scroll_with_few_widgets_and_little_work(tmp_path: Path) -> None:
    outcome = play("scroll", make_photos(tmp_path / "many", 2000), tmp_path / "cache")
    assert outcome["rows"] == 2000
    # 8 visible rows and 3 beyond either edge, each with its tooltip.
    assert outcome["widgets"] <= 2 * 16
    # CPU time, of which a frame at 60 Hz has 16 ms; measured 2 and 4 ms.
    assert outcome["median_ms"] < 8
    assert outcome["p99_ms"] < 16
