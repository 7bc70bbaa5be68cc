"""The words of one language: sentences of the program looked up, with their values kept.

The pipeline makes its sentences in English, and they are stored so: in workspaces, reports and
JSON. Whoever shows one translates it here. Most are found as they are; a sentence with values in
it is matched with the catalogue's templates, and its values are put into the translated one.
"""

from __future__ import annotations

import gettext
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from recon3d.language.choice import Language
from recon3d.language.templates import Place, Template, parts_of

LOCALE = Path(__file__).parents[1] / "locale"
DOMAIN = "recon3d"
_LONGEST = 4000
"""Letters of a text that is looked at; longer ones are no sentences of ours."""
_DEEPEST = 5
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=\S)")
_LISTS = ("   ", " · ", "; ", ": ", ", ")
_GOES_ON = ("...", "…")
"""At the end of a label that leads on to a choice."""
_A_PHRASE = re.compile(r"[a-z]{2,} [a-z]{2,}")


def catalogue_file(language: Language) -> Path:
    """Where the compiled catalogue of a language lies."""
    return LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}.mo"


class Catalogue:
    """Every sentence of one language."""

    def __init__(self, messages: Mapping[str, str], *, spaced: bool = True) -> None:
        """Sort messages by what finds them.

        Args:
            messages: By English message; places in braces.
            spaced: Whether the language puts a space after a sentence.
        """
        self._spaced = spaced
        self._exact: dict[str, str] = {}
        templates = []
        for english, translation in messages.items():
            parts, translated = parts_of(english), parts_of(translation)
            if any(isinstance(part, Place) for part in parts):
                templates.append(Template(parts, translated))
            else:
                self._exact["".join(map(str, parts))] = "".join(map(str, translated))
        self._by_word = _indexed(templates)
        self.missed: Callable[[str], None] | None = None
        """Told every text that nothing is known of; tests count with it."""
        self._found = lru_cache(maxsize=4096)(self._find)

    def translate(self, text: str) -> str:
        """The text in this language; as it is where nothing is known of it."""
        if not text or len(text) > _LONGEST:
            return text
        found = self._found(text, 0)
        if found is None:
            if self.missed:
                self.missed(text)
            return text
        return found

    def _find(self, text: str, depth: int) -> str | None:
        words = text.strip()
        if not words:
            return text
        found = self._whole(words, depth)
        if found is None and words.endswith(_GOES_ON):
            ending = next(each for each in _GOES_ON if words.endswith(each))
            stem = self._whole(words.removesuffix(ending), depth)
            found = stem and stem + ending
        if found is None and depth < _DEEPEST:
            found = self._in_pieces(words, depth + 1)
        if found is None:
            return None
        start = len(text) - len(text.lstrip())
        return text[:start] + found + text[start + len(words) :]

    def _whole(self, words: str, depth: int) -> str | None:
        found = self._exact.get(words)
        if found is None and "\n" in words and "\n\n" not in words:
            found = self._exact.get(" ".join(words.split()))
        return self._filled(words, depth) if found is None else found

    def _filled(self, words: str, depth: int) -> str | None:
        """The sentence by the template that says most of it."""
        there = set(re.findall(r"[A-Za-z]{2,}", words))
        heaviest = 0
        filled = None
        for word in (*there, ""):
            for template in self._by_word.get(word, ()):
                if template.weight <= heaviest or not template.words <= there:
                    continue
                values = template.values(words)
                if values is not None:
                    heaviest = template.weight
                    filled = template, values
        if filled is None:
            return None
        template, values = filled
        for place in template.places:
            if depth < _DEEPEST and not (place.is_number or place.is_verbatim):
                value = values[place.name]
                values[place.name] = self._found(value, depth + 1) or value
        return "".join(
            part if isinstance(part, str) else values[part.name] for part in template.translation
        )

    def _in_pieces(self, words: str, depth: int) -> str | None:
        """Several sentences or a list, of which something at least is known."""
        for separator in ("\n\n", "\n"):
            if separator in words:
                return self._joined(words.split(separator), separator, depth, all_known=False)
        sentences = _SENTENCE.split(words)
        if len(sentences) > 1:
            gap = " " if self._spaced else ""
            # A name before a colon may be anybody's, a sentence is known or stays as it is.
            found = self._joined(sentences, gap, depth, all_known=False, between=words)
            if found is not None:
                return found
        for separator in _LISTS:
            if separator in words:
                pieces = words.split(separator)
                found = self._joined(pieces, separator, depth, all_known=True)
                if found is not None:
                    return found
        return None

    def _joined(
        self, pieces: list[str], gap: str, depth: int, *, all_known: bool, between: str = ""
    ) -> str | None:
        found = [self._found(piece, depth) for piece in pieces]
        if all(each is None for each in found):
            return None
        if all_known and any(
            each is None and _A_PHRASE.search(piece)
            for each, piece in zip(found, pieces, strict=True)
        ):
            return None
        told = [piece if each is None else each for each, piece in zip(found, pieces, strict=True)]
        if not between or self._spaced:
            return gap.join(told)
        # Without spaces only where a translated sentence ends.
        text = told[0]
        for before, after in pairwise(told):
            text += after if before[-1:] in "。！？：；" else f" {after}"
        return text


@lru_cache
def catalogue(language: Language) -> Catalogue | None:
    """The catalogue of a language; None for English, and where its file is missing or damaged."""
    if language == "en":
        return None
    try:
        with catalogue_file(language).open("rb") as stream:
            # The one attribute with all of it; looking up one by one would need the templates.
            read: Mapping[object, str] = vars(gettext.GNUTranslations(stream))["_catalog"]
        messages = {key: text for key, text in read.items() if isinstance(key, str) and key}
        return Catalogue(messages, spaced=language != "zh")
    except (OSError, ValueError, KeyError, EOFError):
        return None


def _indexed(templates: Iterable[Template]) -> dict[str, list[Template]]:
    """By the rarest word of each, so that few are tried; "" for those without a whole word."""
    templates = list(templates)
    common: dict[str, int] = defaultdict(int)
    for template in templates:
        for word in template.words:
            common[word] += 1
    by_word: dict[str, list[Template]] = defaultdict(list)
    for template in templates:
        rarest = min(template.words, key=lambda word: (common[word], word), default="")
        by_word[rarest].append(template)
    return dict(by_word)
