"""JSON and TOML of any origin: what is no document is one kind of error, however it fails."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

_MAX_DIGITS = 300
"""No float is larger, and arithmetic with such a number ends in errors of its own."""
_MAX_KEY_PARTS = 100
_TOML_TEXTS = re.compile(
    r""""{3}(?:[^\\]|\\.)*?"{3}|'{3}.*?'{3}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\#[^\n]*""", re.DOTALL
)
"""Strings and comments."""


def parse_json(text: str) -> Any:
    """Read JSON.

    Raises:
        ValueError: it is no JSON, is nested deeper than anything we know, or has a number that
            nothing can hold.
    """
    try:
        return json.loads(text, parse_int=_whole_number)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def parse_toml(text: str) -> dict[str, Any]:
    """Read TOML.

    Raises:
        ValueError: it is no TOML, is nested deeper than anything we know, or has a number that
            nothing can hold.
    """
    if _deepest_key(text) > _MAX_KEY_PARTS:
        raise ValueError("it has a key of too many parts")
    try:
        content = tomllib.loads(text)
        _check_numbers(content)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return content


def _deepest_key(text: str) -> int:
    """Dots in the key that has the most: tomllib takes memory for the square of their number."""
    words = re.split(r"[=,{}\[\]\n]", _TOML_TEXTS.sub("", text))
    return max(word.count(".") for word in words)


def _whole_number(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"it has a number of {len(digits)} digits")
    return int(digits)


def _check_numbers(content: object) -> None:
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list):
        for value in content:
            _check_numbers(value)
    elif isinstance(content, int) and abs(content) >= 10**_MAX_DIGITS:
        raise ValueError(f"it has a number of more than {_MAX_DIGITS} digits")
