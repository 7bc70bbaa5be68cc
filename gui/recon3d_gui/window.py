"""The window of the system: made, scaled to the screen, waited for, closed."""

from __future__ import annotations

import ctypes
import sys
import time
from pathlib import Path

import dearpygui.dearpygui as dpg

from recon3d_gui.drop import glfw
from recon3d_gui.project.preferences import SCALES, SMALLEST_WINDOW, Preferences

TITLE = "recon3d"
_DPI_OF_ONE = 96
_ICON = "icon.ico" if sys.platform == "win32" else "icon.png"
_EARLY = 0.95


class Window:
    """The one window of the program; all of it belongs to the main thread."""

    def __init__(self, preferences: Preferences) -> None:
        _take_real_pixels()
        self.close_asked = False
        dpg.create_context()
        # Callbacks then run on this thread, and not in the middle of a frame.
        dpg.configure_app(manual_callback_management=True)
        width, height = preferences.window_px
        icon = str(Path(__file__).parent / "assets" / _ICON)
        dpg.create_viewport(
            title=TITLE, width=width, height=height, min_width=SMALLEST_WINDOW[0] // 2,
            min_height=SMALLEST_WINDOW[1] // 2, disable_close=True, vsync=True,
            small_icon=icon, large_icon=icon,
        )  # fmt: skip
        dpg.set_exit_callback(self._ask_close)
        dpg.setup_dearpygui()
        dpg.show_viewport(maximized=preferences.maximised)
        self._glfw = glfw()
        if self._glfw:
            self._glfw.glfwWaitEventsTimeout.argtypes = [ctypes.c_double]
            self._glfw.glfwGetCurrentContext.restype = ctypes.c_void_p
            self._handle = self._glfw.glfwGetCurrentContext()
            self._centre(width, height)
        self.screen_scale = self._screen_scale()
        """What the screen asks for."""
        self.scale = preferences.scale or self.screen_scale

    @property
    def size_px(self) -> tuple[int, int]:
        """Of its content."""
        return dpg.get_viewport_client_width(), dpg.get_viewport_client_height()

    @property
    def is_focused(self) -> bool:
        """Whether it has the keyboard; True where that cannot be known."""
        if not self._glfw:
            return True
        focused = 0x00020001
        attribute = self._glfw.glfwGetWindowAttrib
        attribute.argtypes = [ctypes.c_void_p, ctypes.c_int]
        return bool(attribute(self._handle, focused))

    @property
    def clipboard(self) -> str:
        """The text that was copied; empty where there is none.

        DearPyGui's own function ends the whole program where the clipboard holds no text.
        """
        if self._glfw:
            ask = self._glfw.glfwGetClipboardString
            ask.argtypes, ask.restype = [ctypes.c_void_p], ctypes.c_char_p
            return (ask(self._handle) or b"").decode("utf-8", "replace")
        return _windows_clipboard()

    def wait(self, seconds: float) -> bool:
        """Sleep until the mouse or keyboard is touched, or the time is over; whether it was."""
        if sys.platform == "win32":
            every_input, also_what_came_before = 0x04FF, 0x0004
            milliseconds = round(1e3 * seconds)
            ask = ctypes.windll.user32.MsgWaitForMultipleObjectsEx
            return ask(0, None, milliseconds, every_input, also_what_came_before) == 0
        if not self._glfw:
            time.sleep(seconds)
            return False
        began = time.perf_counter()
        self._glfw.glfwWaitEventsTimeout(seconds)
        return time.perf_counter() - began < _EARLY * seconds

    def close(self) -> None:
        """Take it away."""
        dpg.destroy_context()

    def _centre(self, width: int, height: int) -> None:
        assert self._glfw
        self._glfw.glfwGetPrimaryMonitor.restype = ctypes.c_void_p
        area = [ctypes.c_int() for _ in range(4)]
        ask = self._glfw.glfwGetMonitorWorkarea
        ask.argtypes = [ctypes.c_void_p] * 5
        ask(self._glfw.glfwGetPrimaryMonitor(), *map(ctypes.byref, area))
        left, top, room_width, room_height = (each.value for each in area)
        place = left + max(0, room_width - width) // 2, top + max(0, room_height - height) // 2
        dpg.set_viewport_pos(place)

    def _ask_close(self) -> None:
        self.close_asked = True

    def _screen_scale(self) -> float:
        if sys.platform == "win32":
            dpi = ctypes.windll.user32.GetDpiForSystem()
            return _bounded(dpi / _DPI_OF_ONE)
        if not self._glfw or sys.platform == "darwin":  # macOS scales by itself
            return 1.0
        x, y = ctypes.c_float(1.0), ctypes.c_float(1.0)
        ask = self._glfw.glfwGetWindowContentScale
        ask.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
        ask(self._handle, ctypes.byref(x), ctypes.byref(y))
        return _bounded(x.value)


def _bounded(scale: float) -> float:
    return min(max(scale, SCALES[0]), SCALES[1])


def _take_real_pixels() -> None:
    """Windows stretches the picture of a program that does not say it knows of the screen's DPI."""
    if sys.platform == "win32":
        per_monitor_v2 = ctypes.c_void_p(-4)
        ctypes.windll.user32.SetProcessDpiAwarenessContext(per_monitor_v2)


def _windows_clipboard() -> str:
    if sys.platform != "win32":
        return ""
    unicode_text = 13
    user, kernel = ctypes.windll.user32, ctypes.windll.kernel32
    user.GetClipboardData.restype = kernel.GlobalLock.restype = ctypes.c_void_p
    kernel.GlobalLock.argtypes = kernel.GlobalUnlock.argtypes = [ctypes.c_void_p]
    if not user.OpenClipboard(None):
        return ""
    try:
        handle = user.GetClipboardData(unicode_text)
        text = kernel.GlobalLock(handle) if handle else None
        if not text:
            return ""
        try:
            return ctypes.wstring_at(text)
        finally:
            kernel.GlobalUnlock(handle)
    finally:
        user.CloseClipboard()
