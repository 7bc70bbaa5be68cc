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
        command, capture_output=True, text=True, timeout=900, check=False, env={**os.environ}
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
    # Photos in a line, and lines in sight with 3 beyond either edge, each with its tooltip.
    for view, most in (("list", 16), ("grid", 3 * 14), ("table", 32)):
        found = outcome[view]
        assert found["rows"] == 2000
        assert found["widgets"] <= 2 * most, view
        # CPU time, of which a frame at 60 Hz has 16 ms.
        assert found["median_ms"] < 8, view
        assert found["p99_ms"] < 16, view
    lines = {"list": 2000 * 72, "grid": 667 * 112, "table": 2000 * 26}
    for view, height in lines.items():
        # All of it can be reached.
        assert height - 720 < outcome[view]["end"] < height, view
