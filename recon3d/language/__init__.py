"""The languages of the program: which one it is, and every text in it.

English is what the pipeline says and stores; the doors (window, command line, pages) translate
what they show with `translate`. Words that only stand in a table of the source, and would not be
seen as words there, are marked with `word`. docs/LANGUAGES.md says more.
"""

from __future__ import annotations

import os
from typing import TypeVar

from recon3d.language.catalogue import catalogue
from recon3d.language.choice import LANGUAGES, VARIABLE, Language, language_of, wished_language

__all__ = [
    "LANGUAGES", "VARIABLE", "Language", "current", "language_of", "speak", "translate",
    "wished_language", "word",
]  # fmt: skip

_spoken: Language | None = None


def speak(language: Language) -> None:
    """Show everything in a language from now on, in processes that start from here too."""
    global _spoken
    _spoken = language
    os.environ[VARIABLE] = language


def current() -> Language:
    """The language in which everything is shown."""
    return _spoken or wished_language()


def translate(text: str) -> str:
    """A text of the program in the language that people read; values and names in it stay.

    Never fails: what the language has no words for stays English.
    """
    words = catalogue(current())
    return words.translate(text) if words else text


Words = TypeVar("Words")


def word(text: Words) -> Words:
    """Mark a text, or all in a table, that is translated where it is shown; returns it."""
    return text
