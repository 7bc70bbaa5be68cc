"""Textures of the window: only as many as are wanted live."""

from __future__ import annotations

from collections.abc import Iterator

import dearpygui.dearpygui as dpg
import numpy as np
import pytest
from recon3d_gui.photos.textures import Textures

PIXELS = np.zeros((2, 3, 3), np.uint8)


@pytest.fixture
def textures() -> Iterator[Textures]:
    dpg.create_context()
    yield Textures(3)
    dpg.destroy_context()


def alive() -> int:
    kinds = map(dpg.get_item_type, dpg.get_all_items())
    return sum(kind == "mvAppItemType::mvStaticTexture" for kind in kinds)


def test_the_one_that_was_shown_longest_ago_makes_room(textures: Textures) -> None:
    for key in "abc":
        textures.make(key, PIXELS)
    textures.find("a")
    textures.make("d", PIXELS)
    assert textures.find("b") is None
    assert textures.find("a")
    assert alive() == len(textures) == 3


def test_what_is_no_longer_wanted_leaves_the_memory(textures: Textures) -> None:
    for key in "abc":
        textures.make(key, PIXELS)
    textures.keep_only({"c", "e"})
    assert textures.find("c")
    assert alive() == len(textures) == 1
