"""Somebody who clicks, types and drops whatever comes to hand."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from driving import Program

pytestmark = pytest.mark.gui

EXAMPLE = Path(__file__).parents[2] / "examples" / "photos"
ACTIONS = 300
# What it may grow by: thumbnails (23 MB), a texture for the 3D page, caches of fonts and glyphs.
MOST_GROWTH_BYTES = 250 << 20
KEYS = (
    ("Escape",), ("Delete",), ("Return",), ("Tab",), ("F1",), ("f",), ("w",), ("g",), ("c",),
    ("b",), ("m",), ("1",), ("3",), ("5",), ("Left",), ("Right",), ("Down",), ("Control_L", "z"),
    ("Control_L", "y"), ("Control_L", "a"), ("Control_L", "n"), ("Control_L", "v"),
)  # fmt: skip


def test_nothing_breaks_and_nothing_leaks_in_300_random_actions(
    open_program: Callable[..., Program], tmp_path: Path
) -> None:
    chance = random.Random(5)
    drops = [tmp_path / name for name in ("ä.jpg", "写真.jpg", "broken.jpg", "K.json", "x.r3d")]
    for target in drops[:2]:
        shutil.copy(EXAMPLE / "ruin_00.jpg", target)
    drops[2].write_bytes(b"\xff\xd8\xff no photo")
    shutil.copy(EXAMPLE / "K.json", drops[3])
    drops[4].write_text("version = 99\nsources = 3\n")
    program = open_program()
    width, height = program.studio()["size"]
    program.drop([EXAMPLE])
    program.wait(lambda known: len(known["photos"]) == 24)
    before = 0
    for index in range(ACTIONS):
        if index == ACTIONS // 3:  # by then every page was seen
            before = program.processes[0].memory_info().rss
        act = chance.random()
        place = chance.uniform(1, width - 2), chance.uniform(1, height - 2)
        if act < 0.6:
            program.click_at(*place, button=chance.choice((1, 1, 1, 3)))
        elif act < 0.7:
            program.drag(place, (chance.uniform(1, width - 2), chance.uniform(1, height - 2)))
        elif act < 0.93:
            program.key(*chance.choice(KEYS))
        else:
            program.drop([chance.choice(drops)])
        if index % 10 == 0:
            known = program.studio()
            assert not known["failures"], known["failures"][0]
            assert program.process.poll() is None
    assert not program.studio()["failures"]
    assert program.processes[0].memory_info().rss - before < MOST_GROWTH_BYTES
