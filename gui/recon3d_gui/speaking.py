"""The window's language: every text that Dear PyGui is given passes here.

Panels write English, and what runs say comes in English too. In another language the functions
that show a text are replaced by ones that translate it first, so that no panel can forget to. Names
of choices are given back in English to whoever reads them. What a person types is never touched.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import dearpygui.dearpygui as dpg

from recon3d.language import current, language_of, speak, translate, word
from recon3d_gui.fonts import system_font
from recon3d_gui.icons import ICONS

_ICONS = "".join(ICONS.values()) + " "
_TEXTS = ("label", "hint", "overlay")
_TYPED = ("add_input_text", "add_input_float", "add_input_int")
_CHOICES = ("add_combo", "add_radio_button", "add_listbox")
_CONTAINERS = (
    "window", "child_window", "collapsing_header", "tree_node", "group", "tab", "menu", "popup",
)  # fmt: skip
NO_FONT = (
    "Chinese needs a font that this computer lacks: install the package fonts-noto-cjk, then start "
    "the program again."
)


def speak_in_window(wish: str | None) -> str:
    """Let the window speak a language from now on; what to say of it, or empty.

    wish: What the person has chosen; None leaves it to the environment and the system.
    """
    language = (language_of(wish) if wish else None) or current()
    trouble = ""
    if language == "zh" and not system_font():
        language, trouble = "en", NO_FONT
    # For the processes of the window too, which write reports.
    speak(language)
    if language != "en":
        _Door().install()
    return trouble


word((
    "Draft", "Balanced", "Fine", "everything", "to do", "kept", "used", "excluded", "new", "mask",
    "depth", "Top", "Bottom", "Left", "Right", "metres", "units", "metre", "warning",
    "File", "Folder", "photos", "cameras", "surface", "mesh", "texture",
    "{count} left out", "{count} excluded",
    "3D view", "Undo / redo", "Previous / next", "Front / right / top", "Back / left / bottom",
    "Ctrl + these", "Wireframe / grid / cameras", "Crop / measure",
    "About {count} MB", "About {count} GB", "About {count} kB",
))  # fmt: skip
"""What panels make of names and values."""


class _Door:
    """Dear PyGui's functions, with every text translated on its way in."""

    _installed = False

    def __init__(self) -> None:
        self._typed: set[int | str] = set()
        self._english: dict[int | str, dict[str, str]] = {}

    def install(self) -> None:
        """Stand in the way of every function that shows a text."""
        if _Door._installed:
            return
        _Door._installed = True
        for name in dir(dpg):
            if name.startswith("add_") or name in _CONTAINERS:
                self._replace(name, functools.partial(self._added, name))
        self._replace("configure_item", self._configured)
        self._replace("set_value", self._set)
        self._replace("get_value", self._got)
        self._replace("draw_text", self._drawn)
        self._replace("get_text_size", self._measured)

    def _replace(self, name: str, function: Callable[..., Any]) -> None:
        plain = getattr(dpg, name)
        setattr(dpg, name, functools.wraps(plain)(functools.partial(function, plain)))

    def _added(self, name: str, plain: Callable[..., Any], *given: Any, **named: Any) -> Any:
        named = _translated(named)
        if name in _CHOICES:
            return self._add_choice(plain, *given, **named)
        if name in ("add_text", "add_button", "add_menu_item") and "default_value" in named:
            named["default_value"] = _shown(named["default_value"])
        if name == "add_text":
            given = tuple(map(_shown, given))
        item = plain(*given, **named)
        if name in _TYPED:
            self._typed.add(item)
        return item

    def _add_choice(self, plain: Callable[..., Any], *given: Any, **named: Any) -> Any:
        items = list(named.pop("items", given[0] if given else ()))
        english = {translate(each): each for each in items}
        if isinstance(named.get("default_value"), str):
            named["default_value"] = translate(named["default_value"])
        if callback := named.get("callback"):
            named["callback"] = _in_english(callback, english)
        item = plain(list(english), **named)
        self._english[item] = english
        return item

    def _configured(self, plain: Callable[..., Any], item: int | str, **named: Any) -> Any:
        named = _translated(named)
        if isinstance(named.get("items"), list | tuple):
            known = self._english.setdefault(item, {})
            shown = {translate(each): each for each in named["items"]}
            known |= shown
            named["items"] = list(shown)
        if isinstance(named.get("text"), str):
            named["text"] = translate(named["text"])
        return plain(item, **named)

    def _set(self, plain: Callable[..., Any], item: int | str, value: Any, **named: Any) -> Any:
        return plain(item, value if self._is_typed(item) else _shown(value), **named)

    def _got(self, plain: Callable[..., Any], item: int | str, **named: Any) -> Any:
        value = plain(item, **named)
        choices = self._english.get(item) or self._english.get(_alias(item))
        return choices.get(value, value) if choices and isinstance(value, str) else value

    def _is_typed(self, item: int | str) -> bool:
        return item in self._typed or _alias(item) in self._typed

    def _drawn(self, plain: Callable[..., Any], pos: Any, text: str, **named: Any) -> Any:
        return plain(pos, translate(text), **named)

    def _measured(self, plain: Callable[..., Any], text: str, **named: Any) -> Any:
        return plain(translate(text), **named)


def _translated(named: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _shown(each) if name in _TEXTS else each for name, each in named.items()}


def _shown(text: Any) -> Any:
    """A text with what Dear PyGui does not show of it, after ##, as it is."""
    if not isinstance(text, str):
        return text
    words, mark, identity = text.partition("##")
    named = words.lstrip(_ICONS)
    return words[: len(words) - len(named)] + translate(named) + mark + identity


def _alias(item: int | str) -> int | str:
    return dpg.get_item_alias(item) or item if isinstance(item, int) else item


def _in_english(callback: Callable[..., Any], english: Mapping[str, str]) -> Callable[..., Any]:
    """A callback that is told the choice as the panel called it."""

    @functools.wraps(callback)
    def heard(*given: Any) -> Any:
        sender, *rest = given
        if rest and isinstance(rest[0], str):
            rest[0] = english.get(rest[0], rest[0])
        return callback(sender, *rest)

    return heard
