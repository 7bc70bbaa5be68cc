"""Everything that is written can be read, in both themes."""

from __future__ import annotations

import pytest
from recon3d_gui.contrast import READABLE, Colour, contrast, ink_on, shaded
from recon3d_gui.panels.primary import SHADES
from recon3d_gui.theme import COLOURS

BOTH = pytest.mark.parametrize("theme", [0, 1], ids=["dark", "light"])


def test_contrast_is_that_of_the_standard() -> None:
    black, white, grey = (0, 0, 0, 255), (255, 255, 255, 255), (119, 119, 119, 255)
    assert contrast(black, white) == contrast(white, black) == pytest.approx(21)
    assert contrast(grey, white) == pytest.approx(4.48, abs=0.01)  # WCAG's well-known near miss
    assert contrast(grey, grey) == 1


@BOTH
@pytest.mark.parametrize("light", SHADES)
def test_the_bright_button_can_be_read(theme: int, light: float) -> None:
    accent = COLOURS["accent"][theme]
    assert contrast(ink_on(accent), shaded(accent, light)) >= READABLE


@BOTH
@pytest.mark.parametrize("ground", ["surface", "raised"])
@pytest.mark.parametrize("name", ["text", "muted", "good", "warning", "bad"])
def test_words_can_be_read_on_every_ground(theme: int, ground: str, name: str) -> None:
    def colour(each: str) -> Colour:
        return COLOURS[each][theme]

    assert contrast(colour(name), colour(ground)) >= READABLE
