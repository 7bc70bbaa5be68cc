"""The window's icons: Font Awesome's, put among the letters of the program's own font.

DearPyGui draws a text in one font only, so a label with an icon needs a font that has both. It is
made once and kept in the user's cache folder; without it labels are words alone.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from platformdirs import user_cache_path

from recon3d.core.errors import OutputError
from recon3d.run.files import atomic_path

ICONS: Mapping[str, str] = {
    "project": "\uf07c", "undo": "\uf2ea", "redo": "\uf2f9", "calibrate": "\uf05b",
    "theme": "\uf042", "keys": "\uf11c",
    "photos": "\uf302", "camera": "\uf030", "settings": "\uf1de", "export": "\uf56e",
    "points": "\uf2a1", "cloud": "\uf0c2", "colour": "\uf53f", "clay": "\uf1b2",
    "normals": "\uf124", "confidence": "\uf164", "coverage": "\uf279", "exactness": "\uf140",
    "crop": "\uf125", "measure": "\uf545", "upright": "\uf062",
    "show": "\uf06e", "view": "\uf1e5", "compare": "\uf0db", "save": "\uf0c7",
    "list": "\uf00b", "grid": "\uf58d", "table": "\uf0ce",
    "ascending": "\uf0de", "descending": "\uf0dd",
    "used": "\uf058", "left out": "\uf057", "excluded": "\uf070", "new": "\uf017",
    "plain": "\uf017", "running": "\uf144", "good": "\uf058", "bad": "\uf057",
}  # fmt: skip
"""By what they stand for: letters of Font Awesome 6 Free Solid."""

_FORM = "1"
"""Of the font that is made; another one is made anew."""
_SIZE = 0.95
"""Of an icon beside letters: as designed they look larger than these."""
_log = logging.getLogger(__name__)


def is_icon(letter: str) -> bool:
    """Whether it is from the range that no language uses."""
    return 0xE000 <= ord(letter) < 0xF900


def with_icons(letters: Path, folder: Path | None = None) -> Path | None:
    """A font file with the icons beside the letters of another one; None: it cannot be made.

    folder: where it is kept; by default the user's cache.
    """
    source = _source()
    if source is None:
        return None
    folder = folder or user_cache_path("recon3d", appauthor=False) / "fonts"
    contents = [_FORM.encode(), "".join(ICONS.values()).encode()]
    try:
        contents += [letters.read_bytes(), source.read_bytes()]
        key = _digest(b"".join(contents))
        # A damaged font ends the program without a word, so its name says what it holds.
        for kept in folder.glob(f"{key}-*.otf"):
            if kept.stem == f"{key}-{_digest(kept.read_bytes())}":
                return kept
        made = _merged(letters, source)
        target = folder / f"{key}-{_digest(made)}.otf"
        with atomic_path(target) as part:
            part.write_bytes(made)
    except (OSError, OutputError, KeyError, ValueError) as error:
        _log.warning("the window does without icons: %s", error)
        return None
    return target


def _source() -> Path | None:
    """The package is worth no import: it only brings the file."""
    found = find_spec("fonticon_fa6")
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / "fonts" / "Font Awesome 6 Free-Solid-900.otf"
    return path if path.is_file() else None


def _merged(letters: Path, source: Path) -> bytes:
    # Slow to import, and needed once.
    from io import BytesIO

    from fontTools.pens.t2CharStringPen import T2CharStringPen
    from fontTools.pens.transformPen import TransformPen
    from fontTools.ttLib import TTFont

    # The time in it would make each font another one.
    font, icons = TTFont(letters, recalcTimestamp=False), TTFont(source)
    scale = _SIZE * font["head"].unitsPerEm / icons["head"].unitsPerEm
    # The middle of an icon stands as high as the middle of a capital letter.
    middle = (icons["hhea"].ascent + icons["hhea"].descent) / 2
    up = font["OS/2"].sCapHeight / 2 - scale * middle
    outlines, names = icons.getGlyphSet(), icons.getBestCmap()
    program = font["CFF "].cff
    top = program.topDictIndex[0]
    order = list(font.getGlyphOrder())
    for letter in sorted(set(ICONS.values())):
        outline, name = outlines[names[ord(letter)]], f"icon{ord(letter):04x}"
        width = round(scale * outline.width)
        pen = T2CharStringPen(width, None)
        outline.draw(TransformPen(pen, (scale, 0, 0, scale, 0, up)))
        drawn = pen.getCharString(private=top.Private, globalSubrs=program.GlobalSubrs)
        top.CharStrings.charStringsIndex.append(drawn)
        top.CharStrings.charStrings[name] = len(top.CharStrings.charStringsIndex) - 1
        order.append(name)
        font["hmtx"][name] = (width, 0)
        for table in font["cmap"].tables:
            if table.isUnicode():
                table.cmap[ord(letter)] = name
    font.setGlyphOrder(order)
    top.charset = order
    for unused in ("GDEF", "GPOS", "GSUB"):  # the window sets letters without them
        if unused in font:
            del font[unused]
    made = BytesIO()
    font.save(made)
    return made.getvalue()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:24]
