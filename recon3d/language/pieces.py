"""Where a text of several sentences, or a list, comes apart."""

from __future__ import annotations

import re

LISTS = ("   ", " · ", "; ", ": ", ", ")
UNSPACED = {"; ": "；", ": ": "：", ", ": "，"}
"""Of a language that puts no spaces between sentences."""
LABELLED = re.compile(r"([A-Z][a-z]+:)( {2,})(\S.*)")
"""A line of what a command found."""
BRACKETED = re.compile(r"(.+?)( ?\()([^()]+)\)")
GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+")
"""A number with commas between thousands."""
PHRASE = re.compile(r"[a-z]{2,} [a-z]{2,}")
A_WORD = re.compile(r"(?<![\w.])[A-Za-z]{2,}(?![\w.])")
"""That is no name of a file, and no ending of one."""
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=\S)")


def is_said(text: str) -> bool:
    """Whether a text is a sentence with its full stop, or several."""
    return (text.endswith(".") and not text.endswith("..")) or len(sentences(text)) > 1


def sentences(text: str) -> list[str]:
    """Each with its full stop."""
    return _SENTENCE.split(text)


def listed(text: str, separator: str) -> list[str]:
    """What a separator stands between; what is in brackets stays together."""
    if "(" not in text:
        return text.split(separator)
    return re.split(re.escape(separator) + r"(?![^()]*\))", text)
