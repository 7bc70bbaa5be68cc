"""JSON and TOML of strangers: whatever is wrong with it is a ValueError."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from recon3d.run.documents import parse_json, parse_toml

DEEP, LONG = 100_000, "9" * 400


@pytest.mark.parametrize(
    "text",
    ["", "{", "[" * DEEP, "[" * DEEP + "]" * DEEP, '{"a":' * DEEP, LONG, f'{{"a": [-{LONG}]}}'],
)
def test_what_is_no_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


@pytest.mark.parametrize(
    "text",
    ["a", "a = " + "[" * DEEP + "]" * DEEP, f"a = {LONG}", f"[a]\nb = [1, {{c = -{LONG}}}]",
     "a." * DEEP + "b = 1", '"=".' * DEEP + "b = 1", f"[{'a.' * DEEP}b]", "a = {" + "b." * DEEP],
)  # fmt: skip
def test_what_is_no_toml_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_toml(text)


def test_dots_in_texts_are_no_parts_of_a_key() -> None:
    dots = "." * 200
    text = f'a = ["{dots}", \'{dots}\', """x\n{dots}"""] # {dots}\n'
    assert parse_toml(text) == {"a": [dots, dots, f"x\n{dots}"]}


@pytest.mark.parametrize(
    ("parse", "text"),
    [(parse_json, '{"a": [1, 2.5, true, "x", -9223372036854775808]}'),
     (parse_toml, 'a = [1, 2.5, true, "x", -9223372036854775808]')],
)  # fmt: skip
def test_what_is_right_is_read(parse: Callable[[str], Any], text: str) -> None:
    assert parse(text) == {"a": [1, 2.5, True, "x", -(2**63)]}
