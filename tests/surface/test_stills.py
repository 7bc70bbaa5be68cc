"""Pictures of textured models: what a texel's place on the page and in the picture says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np
import pytest
from PIL import Image

from recon3d.core.camera import PinholeCamera
from recon3d.core.surface import Mesh, TexturedMesh
from recon3d.core.transform import Rigid
from recon3d.surface import stills
from recon3d.surface.colour import TextureColour, bilinear
from recon3d.surface.stills import BACKGROUND, StillRenderer, Viewpoint, contact_sheet

CAMERA = PinholeCamera(80, 60, 80.0, 80.0, 40.0, 30.0)
FRONT = Viewpoint(CAMERA, Rigid(np.eye(3), np.array([0, 0, 4.0])))


class Pages(Sequence[np.ndarray]):
    """Remembers which page was read, and when."""

    def __init__(self, *pages: np.ndarray) -> None:
        self._pages = pages
        self.read: list[int] = []

    def __len__(self) -> int:
        return len(self._pages)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[np.ndarray]: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | Sequence[np.ndarray]:
        assert isinstance(index, int)
        self.read.append(index)
        return self._pages[index]


def quarters() -> np.ndarray:
    """Red, green above blue, white; 64 texels wide."""
    colours = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
    return colours.repeat(32, 0).repeat(32, 1)


def board(pages: Sequence[np.ndarray], page_of_face: tuple[int, int] = (0, 0)) -> TexturedMesh:
    """A square of side 2 before FRONT, its upper left corner at the page's upper left one."""
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
    faces = np.array([[0, 2, 1], [0, 3, 2]], np.int32)
    # y points down in the world and up on the page.
    uv = np.column_stack([corners[:, 0] + 1, 1 - corners[:, 1]]) / 2
    mesh = Mesh(corners, faces)
    seen = np.ones(2, bool)
    return TexturedMesh(
        mesh, uv[faces].astype(np.float32), np.array(page_of_face, np.int32), pages, seen
    )


def test_a_texture_is_seen_the_right_way_round_and_the_right_way_up() -> None:
    still = StillRenderer(board(Pages(quarters()))).render(FRONT)
    # The square spans 40 pixels around the middle: columns 20 to 59, rows 10 to 49.
    assert still.colour[15, 25].tolist() == [255, 0, 0]
    assert still.colour[15, 54].tolist() == [0, 255, 0]
    assert still.colour[44, 25].tolist() == [0, 0, 255]
    assert still.colour[44, 54].tolist() == [255, 255, 255]
    assert tuple(still.colour[5, 40]) == BACKGROUND
    assert len(np.unique(still.clay[12:48, 22:58].reshape(-1, 3), axis=0)) > 1
    assert np.ptp(still.clay[12:48, 22:58].astype(int)) < 100


def test_a_photo_on_a_board_is_seen_again_by_the_camera_that_took_it() -> None:
    # As many texels as the square has pixels: every pixel shows the mean around one texel.
    page = np.zeros((40, 40, 3), np.uint8)
    page[..., 0] = np.arange(40)[None] * 6
    page[..., 1] = np.arange(40)[:, None] * 6
    still = StillRenderer(board(Pages(page))).render(FRONT)
    seen = still.colour[10:50, 20:60]
    # A ramp is what its samples' mean is; at the rim it stops, and one level is rounding.
    assert np.abs(seen[1:-1, 1:-1].astype(int) - page[1:-1, 1:-1]).max() <= 1


def test_each_page_is_read_once_and_the_one_at_hand_is_used_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = StillRenderer(board(Pages(quarters()))).render(FRONT)
    pages = Pages(quarters(), quarters())
    renderer = StillRenderer(board(pages, (0, 1)))
    pages.read.clear()  # the types' check at test time has looked at one
    assert np.array_equal(renderer.render(FRONT).colour, whole.colour)
    assert pages.read == [0, 1]
    renderer.render(FRONT)
    assert pages.read == [0, 1, 0]
    # In bands of a few rows: the same picture.
    monkeypatch.setattr(stills, "_RAYS", 80 * 16 * 7)
    assert np.array_equal(renderer.render(FRONT).colour, whole.colour)


def test_a_fine_pattern_far_away_is_even_grey() -> None:
    page = np.zeros((160, 160, 3), np.uint8)
    page[::2] = 255
    still = StillRenderer(board(Pages(page))).render(FRONT)
    # Four texels of one bit in a pixel: with a single sample they would be black or white.
    assert still.colour[15:45, 25:55].std() < 30


def test_texels_are_mixed_between_their_centres_and_go_on_beyond_the_rim() -> None:
    page = np.array([[[0, 0, 0], [100, 0, 0]], [[0, 200, 0], [100, 200, 0]]], np.uint8)
    uv = np.array([[0.25, 0.75], [0.75, 0.75], [0.5, 0.75], [0.25, 0.5], [-3, 9], [1, 0]])
    colours = bilinear(page, uv)
    expected = [[0, 0, 0], [100, 0, 0], [50, 0, 0], [0, 100, 0], [0, 0, 0], [100, 200, 0]]
    np.testing.assert_allclose(colours, expected, atol=1e-4)


def test_the_colour_of_no_points_is_no_colours() -> None:
    pages = Pages(quarters())
    colour = TextureColour(board(pages))
    pages.read.clear()
    found = colour.at(np.zeros(0, np.int64), np.zeros((0, 3), np.float32))
    assert found.shape == (0, 3)
    assert pages.read == []


def test_a_sheet_has_the_pictures_in_rows(tmp_path: Path) -> None:
    cells = [np.full((10, 20, 3), 40 * k, np.uint8) for k in range(5)]
    contact_sheet(tmp_path / "sheet.png", cells, 3, gap_px=2)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape == (22, 64, 3)
    assert [sheet[5, 10, 0], sheet[5, 32, 0], sheet[17, 32, 0], sheet[17, 60, 0]] == [
        0,
        40,
        160,
        255,
    ]
