"""Keys, and whose they are: the text field's in which someone types, or the program's."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache

import dearpygui.dearpygui as dpg

# ImGui's own numbers of the Command keys: DearPyGui's mvKey_LWin is another library's, and asking
# whether that is down reads whatever lies in memory there.
_COMMAND = (530, 534)
KEY_PLUS = 602
"""The key of = and +; mvKey_Plus is of that other library too."""
_CONTROL = _COMMAND if sys.platform == "darwin" else (dpg.mvKey_LControl, dpg.mvKey_RControl)
_SHIFT = (dpg.mvKey_LShift, dpg.mvKey_RShift)
_EDITING = frozenset((dpg.mvKey_A, dpg.mvKey_C, dpg.mvKey_V, dpg.mvKey_X, dpg.mvKey_Y, dpg.mvKey_Z))
"""With Control: what text fields know by themselves."""
_FIELDS = ("mvInput", "mvSlider", "mvDrag")
"""Parts of the names of items that take text, sliders after Ctrl and a click."""


def is_control_down() -> bool:
    """Control, or Command on a Mac."""
    return any(map(dpg.is_key_down, _CONTROL))


def is_shift_down() -> bool:
    """Either of them."""
    return any(map(dpg.is_key_down, _SHIFT))


def add_key_handler(pressed: Callable[[int], None]) -> None:
    """Call `pressed` with each key that no text field takes; in the current handler registry."""

    def heard(sender: object, key: int) -> None:
        if not is_for_field(key):
            pressed(key)

    dpg.add_key_press_handler(callback=heard)


def is_for_field(key: int) -> bool:
    """Whether a key that was just pressed belongs to a field in which someone types."""
    if key == dpg.mvKey_F1 or not _is_typing():
        return False
    return key in _EDITING if is_control_down() else True


def _is_typing() -> bool:
    # Of nested items DearPyGui names only the outermost one as the one with the focus.
    return any(_is_in_use(item) for item in dpg.get_all_items() if _takes_text(item))


# Asking two thousand items takes 20 ms, and none ever becomes another kind.
@lru_cache(1 << 14)
def _takes_text(item: int) -> bool:
    kind = dpg.get_item_type(item)
    return any(part in kind for part in _FIELDS)


def _is_in_use(field: int) -> bool:
    state = dpg.get_item_state(field)
    # Enter and Esc have ended the typing before anyone hears of them.
    return bool(state.get("active") or state.get("deactivated"))
