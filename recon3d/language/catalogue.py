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
from recon3d.language.columns import padded
from recon3d.language.pieces import (
    A_WORD,
    BRACKETED,
    GROUPED,
    LABELLED,
    LISTS,
    PHRASE,
    UNSPACED,
    is_said,
    listed,
    sentences,
)  # fmt: skip
from recon3d.language.templates import Place, Template, parts_of

LOCALE = Path(__file__).parents[1] / "locale"
DOMAIN = "recon3d"
_LONGEST = 4000
"""Letters of a text that is looked at; longer ones are no sentences of ours."""
_DEEPEST = 5
_THOUSANDS: Mapping[Language, str] = {"de": "\N{NO-BREAK SPACE}"}
"""No point, as decimals keep theirs: options, fields and files want it."""
_GOES_ON = ("...", "…")
"""At the end of a label that leads on to a choice."""


def catalogue_file(language: Language) -> Path:
    """Where the compiled catalogue of a language lies."""
    return LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}.mo"


class Catalogue:
    """Every sentence of one language."""

    def __init__(
        self, messages: Mapping[str, str], *, spaced: bool = True, thousands: str = ","
    ) -> None:
        """Sort messages by what finds them.

        Args:
            messages: By English message; places in braces.
            spaced: Whether the language puts a space after a sentence.
            thousands: What it puts between thousands, where English has commas.
        """
        self._spaced, self._thousands = spaced, thousands
        self._gaps, self._full_stop = ({}, ".") if spaced else (UNSPACED, "。")
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
        found = self._found(text, 0, False)
        if found is None:
            if self.missed:
                self.missed(text)
            return text
        return found

    def _find(self, text: str, depth: int, strict: bool) -> str | None:
        """Strict: None too where a phrase within it is not known."""
        words = text.strip()
        if not words:
            return text
        # Not inside of a sentence, where it may be columns and rows.
        if depth == 0 and GROUPED.fullmatch(words):
            return text.replace(",", self._thousands)
        # A list of what is known is not a sentence with a comma in it.
        found = self._list(words, depth) or self._whole(words, depth, strict)
        if found is None and words.endswith(_GOES_ON):
            ending = next(each for each in _GOES_ON if words.endswith(each))
            stem = words.removesuffix(ending).rstrip()
            shown = self._whole(stem, depth, strict)
            found = shown and shown + words[len(stem) :]
        if found is None and words.endswith("."):
            shown = self._whole(words[:-1], depth, True)
            found = shown and shown + self._full_stop
        if found is None and depth < _DEEPEST:
            found = self._in_pieces(words, depth + 1, strict)
        if found is None:
            return None
        start = len(text) - len(text.lstrip())
        return text[:start] + found + text[start + len(words) :]

    def _list(self, words: str, depth: int) -> str | None:
        if words in self._exact or depth >= _DEEPEST:
            return None
        for separator in ("; ", ", "):
            if separator in words:
                found = [self._found(each, depth + 1, True) for each in listed(words, separator)]
                known = [each for each in found if each is not None]
                whole = len(known) == len(found)
                return self._gaps.get(separator, separator).join(known) if whole else None
        return None

    def _whole(self, words: str, depth: int, strict: bool) -> str | None:
        found = self._exact.get(words)
        if found is None and "\n" in words and "\n\n" not in words:
            found = self._exact.get(" ".join(words.split()))
        if found is None and words.endswith(".") and (shown := self._exact.get(words[:-1])):
            found = shown + self._full_stop
        return self._filled(words, depth, strict) if found is None else found

    def _filled(self, words: str, depth: int, strict: bool) -> str | None:
        """The sentence by the template that says most of it."""
        there = set(re.findall(r"[A-Za-z]{2,}", words))
        possible = [
            template
            for word in (*there, "")
            for template in self._by_word.get(word, ())
            if template.words <= there
        ]
        for template in sorted(possible, key=lambda template: -template.weight):
            values = template.values(words)
            filled = None if values is None else self._with(values, template, depth, strict)
            if filled is not None:
                return filled
        return None

    def _with(
        self, values: dict[str, str], template: Template, depth: int, strict: bool
    ) -> str | None:
        for place in template.places:
            value = values[place.name]
            if place.is_number:
                if place.is_grouped:
                    values[place.name] = value.replace(",", self._thousands)
                continue
            known = None
            if depth < _DEEPEST and not place.is_verbatim:
                all_of_it = strict or template.says_little or is_said(value)
                known = self._found(value, depth + 1, all_of_it)
            if known is None and not template.takes(place, value, strict=strict):
                return None
            values[place.name] = known or value
        return "".join(
            part if isinstance(part, str) else values[part.name] for part in template.translation
        )

    def _in_pieces(self, words: str, depth: int, strict: bool) -> str | None:
        """Several sentences or a list, of which something at least is known."""
        for separator in ("\n\n", "\n"):
            if separator in words:
                return self._joined(words.split(separator), separator, depth, strict)
        if labelled := LABELLED.fullmatch(words):
            label, gap, rest = labelled.groups()
            shown = padded(self._exact.get(label, label), len(label + gap))
            # One word alone is the name of a file.
            return shown + ((" " in rest and self._found(rest, depth, strict)) or rest)
        several = sentences(words)
        if len(several) > 1:
            # A name before a colon may be anybody's, a sentence is known or stays as it is.
            found = self._joined(several, " " if self._spaced else "", depth, strict)
            if found is not None:
                return found
        name, colon, rest = words.partition(": ")
        known = self._found(rest, depth, True) if colon else None
        if colon and known is None and not strict:
            stem = rest.removesuffix(".")
            whole = self._whole(stem, depth, False)
            known = whole and whole + self._full_stop * (len(rest) - len(stem))
        if known is not None:
            called = self._found(name, depth, strict)
            if called is not None or not (strict and PHRASE.search(name)):
                return (called or name) + self._gaps.get(colon, colon) + known
        for separator in LISTS:
            if separator in words:
                found = self._joined(listed(words, separator), separator, depth, strict)
                if found is not None:
                    return found
        if bracketed := BRACKETED.fullmatch(words):
            outer, opening, inner = bracketed.groups()
            known, named = (self._found(each, depth, strict) for each in (inner, outer))
            if known is not None and not (strict and named is None and A_WORD.search(outer)):
                shown = named or outer
                return f"{shown}{opening}{known})" if self._spaced else f"{shown}（{known}）"
        return None

    def _joined(self, pieces: list[str], gap: str, depth: int, strict: bool) -> str | None:
        found = [self._found(piece, depth, strict) for piece in pieces]
        if all(each is None for each in found):
            return None
        if (strict or gap in LISTS) and any(
            each is None and PHRASE.search(piece) for each, piece in zip(found, pieces, strict=True)
        ):
            return None
        gap = self._gaps.get(gap, gap)
        told = [piece if each is None else each for each, piece in zip(found, pieces, strict=True)]
        if gap:
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
        thousands = _THOUSANDS.get(language, ",")
        return Catalogue(messages, spaced=language != "zh", thousands=thousands)
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
