"""Icons among the letters of the window's font."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import recon3d_gui
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.ttLib import TTFont
from matplotlib import get_data_path
from recon3d_gui import icons
from recon3d_gui.fonts import is_wide
from recon3d_gui.icons import ICONS, with_icons
from recon3d_gui.panels.flow import flowed

TTF = Path(get_data_path()) / "fonts" / "ttf"
LETTERS = Path(recon3d_gui.__file__).parent / "assets" / "Inter-Regular.otf"


def outline(glyph: Any) -> list[Any]:
    pen = DecomposingRecordingPen(glyph.glyphSet)
    glyph.draw(pen)
    return list(pen.value)


def test_one_font_has_all_letters_and_all_icons(tmp_path: Path) -> None:
    made = with_icons(LETTERS, tmp_path)
    assert made
    font = TTFont(made)
    known = font.getBestCmap()
    assert known.keys() >= TTFont(LETTERS).getBestCmap().keys()
    outlines, capital = font.getGlyphSet(), font["OS/2"].sCapHeight
    # Those of sorting are halves of one sign, above and below its middle.
    for letter in {ICONS[name] for name in ICONS.keys() - {"ascending", "descending"}}:
        name = known[ord(letter)]
        box = font["CFF "].cff.topDictIndex[0].CharStrings[name].calcBounds(outlines)
        assert box[2] > box[0]
        # An icon's own middle may lie a little off its box; letters are 1 capital high.
        assert (box[1] + box[3]) / 2 == pytest.approx(capital / 2, abs=0.25 * capital)


def test_it_takes_the_place_of_what_no_text_can_reach(tmp_path: Path) -> None:
    made = with_icons(LETTERS, tmp_path)
    assert made
    before, after = TTFont(LETTERS), TTFont(made)
    assert after["maxp"].numGlyphs == before["maxp"].numGlyphs
    old, new = before.getGlyphSet(), after.getGlyphSet()
    for letter in "aÄ9(":
        name = before.getBestCmap()[ord(letter)]
        assert after.getBestCmap()[ord(letter)] == name
        assert outline(new[name]) == outline(old[name])


def test_fonts_with_quadratic_outlines_get_them_too(tmp_path: Path) -> None:
    letters = TTF / "DejaVuSans.ttf"
    made = with_icons(letters, tmp_path)
    assert made
    before, after = TTFont(letters), TTFont(made)
    known = after.getBestCmap()
    # Made of two others, one of which may not be lost to an icon.
    assert outline(after.getGlyphSet()["Adieresis"]) == outline(before.getGlyphSet()["Adieresis"])
    for letter in set(ICONS.values()):
        glyph = after["glyf"][known[ord(letter)]]
        assert glyph.numberOfContours > 0
        assert after["hmtx"][known[ord(letter)]][0] > 0


def test_a_font_without_room_for_them_stays_as_it_is(tmp_path: Path) -> None:
    letters = TTF / "DejaVuSansMono.ttf"
    assert with_icons(letters, tmp_path) is None
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", ["font.otf", "font.ttc"])
@pytest.mark.parametrize("kept", [0, 100, 20_000])
def test_a_damaged_font_of_the_system_costs_the_icons_alone(
    name: str, kept: int, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(LETTERS.read_bytes()[:kept])
    assert with_icons(tmp_path / name, tmp_path / "made") is None


def test_it_is_made_once_and_again_where_the_kept_one_is_damaged(tmp_path: Path) -> None:
    made = with_icons(LETTERS, tmp_path)
    assert made
    whole, born = made.read_bytes(), made.stat().st_mtime_ns
    assert with_icons(LETTERS, tmp_path) == made
    assert made.stat().st_mtime_ns == born
    made.write_bytes(whole[:-100])
    assert with_icons(LETTERS, tmp_path) == made
    assert made.read_bytes() == whole


def test_without_the_package_or_a_place_for_it_there_are_words_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert with_icons(LETTERS, tmp_path / "file") is None
    monkeypatch.setattr(icons, "find_spec", lambda name: None)
    assert with_icons(LETTERS, tmp_path) is None


def test_icons_do_not_ask_for_a_font_with_chinese_letters() -> None:
    assert not any(map(is_wide, ICONS.values()))
    assert is_wide("写真")


def test_buttons_go_on_in_the_next_row_and_groups_stay_together() -> None:
    groups = [[40.0, 40.0], [30.0, 30.0]]
    assert flowed(groups, 200, 2, 10) == ([[(0, 0), (42, 0)], [(92, 0), (124, 0)]], 1)
    assert flowed(groups, 120, 2, 10) == ([[(0, 0), (42, 0)], [(0, 1), (32, 1)]], 2)
    # Narrower than a group: it is broken, and nothing is lost.
    assert flowed(groups, 50, 2, 10) == ([[(0, 0), (0, 1)], [(0, 2), (0, 3)]], 4)
