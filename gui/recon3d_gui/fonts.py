"""Fonts: the program's own, and the system's where names need letters that those lack."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import dearpygui.dearpygui as dpg

from recon3d.language import current
from recon3d_gui.icons import is_icon, with_icons

_LETTERS = "Inter-Regular.otf"
_OWN = {
    "small": (_LETTERS, 13),
    "normal": (_LETTERS, 15),
    "title": ("Inter-SemiBold.otf", 20),
    "mono": ("DejaVuSansMono.ttf", 13),
}
_WIDE = {
    "win32": (
        "C:/Windows/Fonts/msyh.ttc",
        "C:/Windows/Fonts/YuGothM.ttc",
        "C:/Windows/Fonts/malgun.ttf",
    ),
    "darwin": (
        "/System/Library/Fonts/PingFang.ttc",
        "/System/Library/Fonts/Hiragino Sans GB.ttc",
        "/Library/Fonts/Arial Unicode.ttf",
    ),
    "linux": (
        "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
        "/usr/share/fonts/wenquanyi/wqy-microhei/wqy-microhei.ttc",
        "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    ),
}
"""Fonts with Chinese, Japanese and Korean, by platform, best first."""
_CHINESE = " SC"
"""Ends the name of the font for simplified Chinese, in a file that has one for each country."""
_WIDE_SIZE = 1.15
"""Of such fonts where all text is set in them: they leave more room above their letters."""
# Latin, Greek, Cyrillic, punctuation, arrows and signs end here; Inter has those.
_FIRST_WIDE = 0x2E80


def is_wide(text: str) -> bool:
    """Whether a text needs letters that the program's own fonts lack."""
    return any(
        0x0530 <= ord(letter) < 0x1E00 or (ord(letter) >= _FIRST_WIDE and not is_icon(letter))
        for letter in text
    )


class Fonts:
    """Every font at the window's scale; glyphs are drawn when they are first needed."""

    def __init__(self, scale: float) -> None:
        self._tags: dict[tuple[str, bool], int | str] = {}
        letters, wide, wide_size = _own(_LETTERS), system_font(), 1.0
        self._always_wide = current() == "zh" and wide is not None
        if self._always_wide and wide:
            with_both = with_icons(wide, face=_CHINESE)
            wide, wide_size = with_both or wide, _WIDE_SIZE
        else:
            with_both = with_icons(letters)
            letters = with_both or letters
        self.has_icons = with_both is not None
        """Whether the fonts small and normal have those of `icons.ICONS`."""
        with dpg.font_registry():
            for name, (file, size) in _OWN.items():
                path = letters if file == _LETTERS else _own(file)
                self._tags[name, False] = dpg.add_font(str(path), round(size * scale))
                if wide:
                    self._tags[name, True] = dpg.add_font(
                        str(wide), round(size * wide_size * scale)
                    )
        dpg.bind_font(self.tag("normal", ""))

    def tag(self, name: str, text: str) -> int | str:
        """The font for a text."""
        needed = self._always_wide or is_wide(text)
        wide = self._tags.get((name, True)) if needed else None
        return wide or self._tags[name, False]


def system_font() -> Path | None:
    """The system's font with the most letters; None where it has none that is known."""
    paths = map(Path, _WIDE.get(sys.platform, ()))
    return next((path for path in paths if path.is_file()), None)


def _own(file: str) -> Path:
    path = Path(__file__).parent / "assets" / file
    if path.is_file():
        return path
    # Fixed-width letters come with matplotlib, which is not worth importing for its folder.
    plots = find_spec("matplotlib")
    assert plots
    assert plots.origin
    return Path(plots.origin).parent / "mpl-data" / "fonts" / "ttf" / file
