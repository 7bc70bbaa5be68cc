"""Sentences with places for values, as catalogues and sources write them."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from recon3d.language.pieces import A_WORD, PHRASE, is_said

_NUMBER = r"[-+±]?(?:\d[\d,.   ]*(?:e[-+]?\d+)?|nan|inf)[  ]?%?"
# A sentence ends with its line.
_TEXT = r"[^\n]*?"
_VERBATIM = (
    "name", "path", "file", "folder", "id", "stem", "workspace", "photo", "stage",
    "setting", "text",
)  # fmt: skip
_COUNTS = ("count", "number", "minutes", "hours")
_LEAST_LETTERS, _FEW_LETTERS = 3, 8
_LETTER = re.compile("[A-Za-z]")
_FORMATTER = string.Formatter()


@dataclass(frozen=True)
class Place:
    """Where a value stands in a sentence."""

    name: str
    spec: str = ""
    """As Python's format strings write it; says whether the value is a number."""

    @property
    def is_number(self) -> bool:
        """Whether only a number can stand here."""
        counts = self.name.rstrip("0123456789_").split("_")[-1] in _COUNTS
        return counts or (bool(self.spec) and self.spec[-1] in "dfegn%,")

    @property
    def is_grouped(self) -> bool:
        """Whether its number has commas between thousands."""
        return "," in self.spec

    @property
    def is_verbatim(self) -> bool:
        """Whether what stands here is the user's own, which nobody may translate."""
        return self.name.rstrip("0123456789_").split("_")[-1] in _VERBATIM


Parts = Sequence[str | Place]


def parts_of(message: str) -> list[str | Place]:
    """The words and places of a message, in turn.

    Raises:
        ValueError: its braces do not match.
    """
    parts: list[str | Place] = []
    for words, name, spec, _conversion in _FORMATTER.parse(message):
        if words:
            parts.append(words)
        if name is not None:
            parts.append(Place(name, spec or ""))
    return parts


def message_of(parts: Parts) -> str:
    """The message of words and places; the other way round than parts_of."""
    return "".join(map(_written, parts))


def _written(part: str | Place) -> str:
    if isinstance(part, str):
        return part.replace("{", "{{").replace("}", "}}")
    return f"{{{part.name}:{part.spec}}}" if part.spec else f"{{{part.name}}}"


@dataclass(frozen=True)
class Template:
    """A sentence of the source with places, and what it is in another language."""

    parts: Parts
    translation: Parts

    @cached_property
    def weight(self) -> int:
        """Letters that are the same in every sentence made from it."""
        return sum(len(part) for part in self.parts if isinstance(part, str))

    def takes(self, place: Place, value: str, *, strict: bool) -> bool:
        """Whether a value of which nothing is known may stand in a place.

        "{names} and {others}" or "{count} photos" would fit many a sentence that is not ours.
        strict: No phrase may be unknown, however much else the sentence says.
        """
        if is_said(value) and (place == self.parts[-1] or not place.is_verbatim):
            return False
        if place.is_verbatim:
            return ": " not in value and not (self.says_little and PHRASE.search(value))
        if self.says_little:
            return not A_WORD.search(value)
        if strict or self._letters <= _FEW_LETTERS:
            return not (PHRASE.search(value) or ": " in value)
        return True

    @cached_property
    def says_little(self) -> bool:
        """Whether it has no more than a word such as "and" to be known by."""
        return self._letters <= _LEAST_LETTERS

    @cached_property
    def _letters(self) -> int:
        """To be known by; a number that must be there is worth many."""
        text = "".join(part for part in self.parts if isinstance(part, str))
        has_number = any(place.is_number for place in self.places)
        return len(_LETTER.findall(text)) + has_number * _FEW_LETTERS

    @cached_property
    def words(self) -> frozenset[str]:
        """Whole words that every sentence made from it has."""
        # A word that touches a place may be longer in the sentence.
        text = "".join(part if isinstance(part, str) else "\0" for part in self.parts)
        return frozenset(re.findall(r"(?<![\w\0])[A-Za-z]{2,}(?![\w\0])", text))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        groups = (
            re.escape(part) if isinstance(part, str)
            else f"({_NUMBER if part.is_number else _TEXT})"
            for part in self.parts
        )  # fmt: skip
        return re.compile("".join(groups))

    def values(self, sentence: str) -> dict[str, str] | None:
        """What stands in the places of a sentence; None where it is not made from this."""
        found = self._pattern.fullmatch(sentence)
        if not found:
            return None
        return dict(zip((place.name for place in self.places), found.groups(), strict=True))

    @property
    def places(self) -> Iterator[Place]:
        """Those of the source, in order."""
        return (part for part in self.parts if isinstance(part, Place))
