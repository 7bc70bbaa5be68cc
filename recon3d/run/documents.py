"""JSON and TOML of any origin: what is no document is one kind of error, however it fails."""

from __future__ import annotations

import json
import tomllib
from typing import Any

_MAX_DIGITS = 300
"""No float is larger, and arithmetic with such a number ends in errors of its own."""


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
    try:
        content = tomllib.loads(text)
        _check_numbers(content)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return content


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
