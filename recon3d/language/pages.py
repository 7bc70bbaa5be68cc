"""HTML pages in the reader's language: every text of a finished page is translated.

What stands in an element with `translate="no"`, as names of files do, stays as it is.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable

_PARTS = re.compile(r"(<style.*?</style>|<script.*?</script>|<!.*?>|<[^>]*>)", re.DOTALL)
_TAG = re.compile(r"<(/?)([a-z0-9]+)", re.IGNORECASE)
_SPOKEN = re.compile(r'(\s(?:alt|aria-label|title|placeholder)=")([^"]+)(")')
_GAPS = re.compile(r"[ \t\r\n]+")
_VOID = ("img", "br", "meta", "input", "link", "path", "circle", "rect", "image", "use")


def translated_page(page: str, language: str, translate: Callable[[str], str]) -> str:
    """The page with its texts translated, and marked as what language it is in."""
    told: list[str] = []
    kept = ""
    """The element that stays as it is, while inside of it."""
    depth = 0
    for part in _PARTS.split(page):
        tag = _TAG.match(part)
        if tag is None or part.startswith(("<style", "<script")):
            is_text = not part.startswith("<")
            told.append(_text(part, translate) if is_text and not kept else part)
            continue
        name = tag[2].lower()
        if kept:
            if name == kept and not part.endswith("/>"):
                depth += -1 if tag[1] else 1
            if depth == 0:
                kept = ""
        elif 'translate="no"' in part and name not in _VOID:
            kept, depth = name, 1
        if name == "html" and not tag[1]:
            part = re.sub(r'lang="[a-z]*"', f'lang="{language}"', part)
        told.append(_SPOKEN.sub(lambda found: _attribute(found, translate), part))
    return "".join(told)


def _text(text: str, translate: Callable[[str], str]) -> str:
    words = text.strip(" \t\r\n")
    if not words:
        return text
    said = html.escape(translate(html.unescape(_GAPS.sub(" ", words))), quote=False)
    start = text.index(words)
    return text[:start] + said + text[start + len(words) :]


def _attribute(found: re.Match[str], translate: Callable[[str], str]) -> str:
    return found[1] + html.escape(translate(html.unescape(found[2]))) + found[3]
