"""Masks of every making keep what their makers meant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recon3d.core.errors import InputError
from recon3d.photos.masks import read_mask

SHAPE = np.zeros((60, 80), bool)
SHAPE[10:40, 20:70] = True


def labels(ids: np.ndarray, colours: list[tuple[int, int, int]]) -> Image.Image:
    image = Image.fromarray(ids.astype(np.uint8), "P")
    image.putpalette([level for colour in colours for level in colour])
    return image


def cut_out(shown: tuple[int, int, int], hidden: tuple[int, int, int] = (0, 0, 0)) -> Image.Image:
    rgba = np.zeros((*SHAPE.shape, 4), np.uint8)
    rgba[...] = (*hidden, 0)
    rgba[SHAPE] = (*shown, 255)
    return Image.fromarray(rgba)


MASKS = {
    "0 and 255": Image.fromarray(SHAPE.astype(np.uint8) * 255),
    "0 and 1": Image.fromarray(SHAPE.astype(np.uint8)),
    "0 and 1 in colour": Image.fromarray(np.repeat(SHAPE.astype(np.uint8)[..., None], 3, 2)),
    "0 and 100": Image.fromarray(SHAPE.astype(np.uint8) * 100),
    "bits": Image.fromarray(SHAPE),
    "16 bits": Image.fromarray(SHAPE.astype(np.uint16) * 65535),
    "0 and 1 in 16 bits": Image.fromarray(SHAPE.astype(np.uint16)),
    "coloured labels": labels(SHAPE, [(0, 0, 0), (64, 0, 0)]),
    "dark cut-out": cut_out((4, 3, 2)),
    "black on nothing": cut_out((0, 0, 0)),
    "cut-out with white beneath": cut_out((30, 20, 10), (255, 255, 255)),
}


@pytest.mark.parametrize("making", MASKS)
def test_a_mask_keeps_what_its_maker_meant(tmp_path: Path, making: str) -> None:
    MASKS[making].save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", (80, 60)), SHAPE)


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (np.zeros((60, 80), np.uint8), "hides all of the photo"),
        (np.arange(60 * 80).reshape(60, 80) % 7, r"7 levels from 0 to 6, none of them white"),
    ],
)
def test_what_nobody_can_know_is_told_with_what_is_expected(
    tmp_path: Path, mask: np.ndarray, reason: str
) -> None:
    Image.fromarray(mask.astype(np.uint8)).save(tmp_path / "m.png")
    with pytest.raises(InputError, match=f"its mask m.png: it (has )?{reason}") as caught:
        read_mask(tmp_path / "m.png", (80, 60))
    assert "white (255) keeps" in caught.value.hint
