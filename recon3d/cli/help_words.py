"""Help and messages about wrong usage in the language of the reader.

tyro writes them, with words of its own around our docstrings, and has no place for translations.
All that it prints passes through its class of styled text, so that is where they are put in.
"""

from __future__ import annotations

import contextlib
import sys
import unicodedata
from collections.abc import Iterator
from typing import Any, TextIO

import tyro

from recon3d.language import current, translate, word

# Where tyro counts one column for a letter that takes two, a second one stands that is not printed.
_SECOND_COLUMN = "\ue000"
_TYRO = word((
    "show this help message and exit", "positional arguments", "options", "subcommands",
    "optional subcommands", "default subcommand options", "usage:", "(required)", "(repeatable)",
    "(optional)", "(default: {name})", "(repeatable, appends to: {name})", "{name} options",
    "what is shown", "what is shown (mutually exclusive)", "mutually exclusive",
    "At most one argument can be overridden.", "At most one argument can be passed in.",
    "Exactly one argument must be passed in.",
    "Parsing error", "Unrecognized options", "Required options", "Invalid choice",
    "Missing from", "Missing value", "Missing subcommand", "Invalid value",
    "Mutually exclusive arguments",
    "Unrecognized or misplaced options:",
    "Available subcommands: {name}",
    "Required options were not provided:", "Argument helptext:", "For full helptext, run",
    "For full helptext, run:", "For full helptext, see",
    "invalid choice", "for argument", ". Expected one of", "Unrecognized options:",
    "Perhaps you meant:", "Similar arguments:", "in {name}",
    "Missing value for argument '{name}'. Expected {number} values.",
    "Missing value for argument '{name}'. Expected 1 value.",
))  # fmt: skip
"""What tyro says itself; the places are names and values."""


@contextlib.contextmanager
def translated_help() -> Iterator[None]:
    """Within, tyro speaks the reader's language."""
    if current() == "en":
        yield
        return
    styled: Any = tyro._fmtlib._Text  # no public door leads to it
    plain = styled.__init__

    def translated(self: Any, *segments: Any, delimiter: str | None = None) -> None:
        plain(
            self,
            *(_shown(each) if isinstance(each, str) else each for each in segments),
            delimiter=delimiter,
        )

    styled.__init__ = translated
    outputs = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_Printed, outputs)
    try:
        yield
    finally:
        styled.__init__ = plain
        sys.stdout, sys.stderr = outputs


def _shown(text: str) -> str:
    """A piece of help; single words may be names of options and stay, except tyro's own."""
    told = translate(text) if " " in text.strip() or text.strip() in _TYRO else text
    return "".join(
        letter + _SECOND_COLUMN if unicodedata.east_asian_width(letter) in "WF" else letter
        for letter in told
    )


class _Printed:
    """A stream that gets what tyro prints, without the second columns."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write it."""
        return self._stream.write(text.replace(_SECOND_COLUMN, ""))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
