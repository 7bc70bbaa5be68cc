"""The picture of the 3D page: the part of the texture that is drawn belongs to what it shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import dearpygui.dearpygui as dpg
import numpy as np
import pytest
from recon3d_gui.panels.model_picture import ModelPicture

CANVAS = (200, 100)


@dataclass
class Frame:
    width_px: int
    height_px: int


class Viewer:
    """Has pictures of the sizes that a test gives it."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def resize(self, width_px: int, height_px: int) -> tuple[int, int]:
        return width_px, height_px

    def take_frame(self, target: np.ndarray) -> Frame | None:
        return Frame(*self.sizes.pop(0)) if self.sizes else None


@pytest.fixture
def viewer() -> Iterator[Viewer]:
    dpg.create_context()
    dpg.add_window(tag="window")
    dpg.add_drawlist(*CANVAS, tag="layer", parent="window")
    yield Viewer()
    dpg.destroy_context()


def drawn_px() -> tuple[int, int]:
    """How much of the texture (250 x 125 pixels) is stretched over the canvas."""
    image = dpg.get_item_configuration("model.image")
    assert tuple(image["pmax"][:2]) == CANVAS
    low, high = np.array(image["uv_min"]), np.array(image["uv_max"])
    return tuple(np.round((low + high) * (250, 125)).astype(int).tolist())


def test_the_part_that_is_drawn_follows_a_frame_after_the_pixels(viewer: Viewer) -> None:
    picture = ModelPicture(viewer, "layer")
    picture.resize(*CANVAS)
    viewer.sizes = [CANVAS]
    picture.update()
    assert picture.is_busy
    assert not dpg.does_item_exist("model.image")
    picture.update()
    assert drawn_px() == CANVAS
    assert not picture.is_busy
    viewer.sizes = [(100, 50), CANVAS]
    picture.update()
    assert drawn_px() == CANVAS
    picture.update()
    assert drawn_px() == (100, 50)
    picture.update()
    assert drawn_px() == CANVAS


def test_after_the_canvas_has_grown_nothing_of_the_texture_before_is_drawn(viewer: Viewer) -> None:
    picture = ModelPicture(viewer, "layer")
    picture.resize(100, 50)
    viewer.sizes = [(100, 50), (100, 50)]
    picture.update()
    picture.update()
    picture.resize(*CANVAS)
    assert not picture.is_busy
    assert not dpg.does_item_exist("model.image")
