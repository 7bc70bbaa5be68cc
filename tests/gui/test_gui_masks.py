"""A mask drawn with the real program's mouse and keys."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from driving import Program
from PIL import Image

EXAMPLE = Path(__file__).parents[2] / "examples" / "photos"

pytestmark = pytest.mark.gui


def test_a_mask_is_drawn_undone_and_saved_beside_the_photos(
    open_program: Callable[..., Program], tmp_path: Path
) -> None:
    photos = tmp_path / "ruin"
    photos.mkdir()
    for number in range(3):
        shutil.copy(EXAMPLE / f"ruin_{number:02d}.jpg", photos)
    program = open_program()
    program.wait_for("model.begin_example")
    program.drop([photos])
    program.wait(lambda known: len(known["photos"]) == 3)
    x, y = program.middle("photos.row.1")
    while program.studio()["page"] != "photo":  # a busy machine takes two clicks for two
        program.click_at(x, y)
        program.click_at(x, y)
        time.sleep(1)
    program.click("photo.mask")
    program.wait_for("photo.mask_size")
    time.sleep(1)
    widget = program.wait_for("photo.canvas")
    (left, top), (width, height) = widget["min"], widget["size"]

    def place(across: float, down: float) -> tuple[float, float]:
        return left + across * width, top + down * height

    target = tmp_path / "ruin_masks" / "ruin_01.jpg.png"
    program.drag(place(0.45, 0.5), place(0.55, 0.5))
    first = hidden(target)
    program.drag(place(0.45, 0.3), place(0.55, 0.3))
    second = hidden(target, other_than=first)
    assert second > 1.5 * first
    program.key("Control_L", "z")
    assert hidden(target, other_than=second) == first
    program.drag(place(0.45, 0.5), place(0.55, 0.5), button=3)
    # The pointer is seen at other places of its way each time.
    assert hidden(target, other_than=first) < 0.02 * first
    program.click("photo.mask")
    program.click("photo.back")
    program.wait(lambda known: known["page"] == "model")
    assert not program.studio()["toasts"]


def hidden(target: Path, other_than: int = -1) -> int:
    """How many pixels the mask hides, once that is another number."""
    end, count = time.monotonic() + 30, other_than
    while time.monotonic() < end:
        if target.exists():
            with Image.open(target) as mask:
                count = int((np.asarray(mask) == 0).sum())
            if count != other_than:
                return count
        time.sleep(0.1)
    raise AssertionError(f"{target}: still {count}")
