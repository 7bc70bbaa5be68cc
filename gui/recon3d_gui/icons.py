"""The window's icons: Font Awesome's, put among the letters of another font.

DearPyGui draws a text in one font only, so a label with an icon needs a font that has both. It is
made once and kept in the user's cache folder; without it labels are words alone.

An icon takes the place of a letter that no text can reach: alternatives, which the window does not
choose from. So it fits into fonts that have as many as a font can have, as those for Chinese do.
"""

from __future__ import annotations

import hashlib
import logging
import struct
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

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

_FORM = "2"
"""Of the font that is made; another one is made anew."""
_SIZE = 0.95
"""Of an icon beside letters: as designed they look larger than these."""
_CAPITAL = 0.7
"""Height of a capital letter, in ems, where a font does not tell."""
_Affine = tuple[float, float, float, float, float, float]
_log = logging.getLogger(__name__)


def is_icon(letter: str) -> bool:
    """Whether it is from the range that no language uses."""
    return 0xE000 <= ord(letter) < 0xF900


def with_icons(letters: Path, folder: Path | None = None, face: str = "") -> Path | None:
    """A font file with the icons beside the letters of another one; None: it cannot be made.

    folder: where it is kept; by default the user's cache.
    face: what the name of the right font ends with, in a file that has several; else the first.
    """
    source = _source()
    if source is None:
        return None
    folder = folder or user_cache_path("recon3d", appauthor=False) / "fonts"
    contents = [_FORM.encode(), face.encode(), "".join(ICONS.values()).encode()]
    try:
        contents += [letters.read_bytes(), source.read_bytes()]
        key = _digest(b"".join(contents))
        # A damaged font ends the program without a word, so its name says what it holds.
        for kept in folder.glob(f"{key}-*.otf"):
            if kept.stem == f"{key}-{_digest(kept.read_bytes())}":
                return kept
        made = _merged(letters, source, face)
        target = folder / f"{key}-{_digest(made)}.otf"
        with atomic_path(target) as part:
            part.write_bytes(made)
    except (OSError, OutputError, KeyError, ValueError, AttributeError) as error:
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


def _merged(letters: Path, source: Path, face: str) -> bytes:
    # Slow to import, and needed once.
    from fontTools.ttLib import TTLibError

    try:
        return _drawn(letters, source, face)
    except (TTLibError, struct.error) as error:
        raise ValueError(f"{letters.name} is damaged: {error}") from error


def _drawn(letters: Path, source: Path, face: str) -> bytes:
    from io import BytesIO

    from fontTools.ttLib import TTFont

    font, icons = _opened(letters, face), TTFont(source)
    scale = _SIZE * font["head"].unitsPerEm / icons["head"].unitsPerEm
    # The middle of an icon stands as high as the middle of a capital letter.
    middle = (icons["hhea"].ascent + icons["hhea"].descent) / 2
    capital = getattr(font["OS/2"], "sCapHeight", 0) or _CAPITAL * font["head"].unitsPerEm
    placed = (scale, 0, 0, scale, 0, capital / 2 - scale * middle)
    outlines, names = icons.getGlyphSet(), icons.getBestCmap()
    wanted = sorted(set(ICONS.values()))
    draw = _draw_cubic if "CFF " in font else _draw_quadratic
    for letter, name in zip(wanted, _unreachable(font, len(wanted)), strict=True):
        outline = outlines[names[ord(letter)]]
        draw(font, name, outline, placed)
        font["hmtx"][name] = (round(scale * outline.width), 0)
        for table in font["cmap"].tables:
            if table.isUnicode():
                table.cmap[ord(letter)] = name
    for unused in ("GDEF", "GPOS", "GSUB", "VORG", "vhea", "vmtx"):  # the window does without them
        if unused in font:
            del font[unused]
    made = BytesIO()
    font.save(made)
    return made.getvalue()


def _opened(letters: Path, face: str) -> Any:
    from fontTools.ttLib import TTCollection, TTFont

    number = -1
    if letters.suffix == ".ttc":
        faces = [each["name"].getDebugName(4) or "" for each in TTCollection(letters).fonts]
        number = next((i for i, name in enumerate(faces) if name.endswith(face)), 0)
    # The time in it would make each font another one, and to measure all letters takes a minute.
    return TTFont(letters, fontNumber=number, recalcTimestamp=False, recalcBBoxes=False)


def _unreachable(font: Any, count: int) -> list[str]:
    """The last letters that stand for no character, nor are parts of others."""
    reached = {name for table in font["cmap"].tables for name in table.cmap.values()}
    order = font.getGlyphOrder()
    reached.add(order[0])
    if "glyf" in font:
        for name in order:
            reached.update(font["glyf"][name].getComponentNames(font["glyf"]))
    found = [name for name in reversed(order) if name not in reached][:count]
    if len(found) < count:
        raise ValueError("all letters of the font stand for characters")
    return found


def _draw_cubic(font: Any, name: str, outline: Any, placed: _Affine) -> None:
    from fontTools.pens.t2CharStringPen import T2CharStringPen
    from fontTools.pens.transformPen import TransformPen

    top, number = font["CFF "].cff.topDictIndex[0], font.getGlyphID(name)
    part = top.FDArray[top.FDSelect[number]] if hasattr(top, "FDSelect") else top
    pen = T2CharStringPen(None, None)
    outline.draw(TransformPen(pen, placed))
    top.CharStrings.charStringsIndex[number] = pen.getCharString(part.Private, top.GlobalSubrs)


def _draw_quadratic(font: Any, name: str, outline: Any, placed: _Affine) -> None:
    from fontTools.pens.cu2quPen import Cu2QuPen
    from fontTools.pens.transformPen import TransformPen
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    outline.draw(TransformPen(Cu2QuPen(pen, max_err=1.0, reverse_direction=True), placed))
    font["glyf"][name] = pen.glyph()
    font["glyf"][name].recalcBounds(font["glyf"])


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:24]
