"""Files dropped from the file manager: DearPyGui has no such thing, the system below it has."""

from __future__ import annotations

import ctypes
import os
import queue
import sys
from pathlib import Path
from typing import Any


class DropTarget:
    """Takes files for the window; make it on the main thread once the window is there.

    The system calls back in the middle of a frame, where nothing of DearPyGui may be touched:
    paths only queue up until `take`.
    """

    def __init__(self, title: str) -> None:
        self._dropped: queue.SimpleQueue[list[Path]] = queue.SimpleQueue()
        # Kept for as long as the system may call it.
        self._callback: Any = None
        self.works: bool = self._with_glfw() or _on_windows(self, title)

    def take(self) -> list[Path]:
        """What was dropped since the last call."""
        paths: list[Path] = []
        while not self._dropped.empty():
            paths += self._dropped.get()
        return paths

    def put(self, paths: list[Path]) -> None:
        """What the system calls."""
        self._dropped.put(paths)

    def keep(self, callback: Any) -> None:
        """Keep a callback from being freed."""
        self._callback = callback

    def _with_glfw(self) -> bool:
        library = glfw()
        if library is None:
            return False
        library.glfwGetCurrentContext.restype = ctypes.c_void_p
        window = library.glfwGetCurrentContext()
        if not window:
            return False
        kind = ctypes.CFUNCTYPE(
            None, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)
        )

        def dropped(window: int, count: int, names: Any) -> None:
            self.put([Path(os.fsdecode(names[index])) for index in range(count)])

        self.keep(kind(dropped))
        library.glfwSetDropCallback.argtypes = [ctypes.c_void_p, kind]
        library.glfwSetDropCallback.restype = ctypes.c_void_p
        library.glfwSetDropCallback(window, self._callback)
        return True


def glfw() -> ctypes.CDLL | None:
    """The window library inside DearPyGui; None on Windows, where there is none."""
    import dearpygui._dearpygui as inside

    try:
        library = ctypes.CDLL(inside.__file__)
        for name in ("glfwGetCurrentContext", "glfwSetDropCallback", "glfwWaitEventsTimeout"):
            getattr(library, name)
    except (OSError, AttributeError):
        return None
    return library


def _on_windows(target: DropTarget, title: str) -> bool:
    """A window procedure that takes WM_DROPFILES and hands everything else on."""
    if sys.platform != "win32":
        return False
    user, shell = ctypes.windll.user32, ctypes.windll.shell32
    user.FindWindowW.restype = ctypes.c_void_p
    window = user.FindWindowW(None, title)
    if not window:
        return False
    shell.DragAcceptFiles.argtypes = [ctypes.c_void_p, ctypes.c_int]
    shell.DragQueryFileW.argtypes = [
        ctypes.c_void_p, ctypes.c_uint, ctypes.c_wchar_p, ctypes.c_uint,
    ]  # fmt: skip
    shell.DragFinish.argtypes = [ctypes.c_void_p]
    kind = ctypes.WINFUNCTYPE(
        ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_uint, ctypes.c_size_t, ctypes.c_ssize_t
    )
    user.SetWindowLongPtrW.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
    user.SetWindowLongPtrW.restype = ctypes.c_void_p
    user.CallWindowProcW.argtypes = [
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_size_t, ctypes.c_ssize_t,
    ]  # fmt: skip
    user.CallWindowProcW.restype = ctypes.c_ssize_t
    before: list[int] = []
    drop_files, procedure_index = 0x0233, -4

    def procedure(window: int, message: int, first: int, second: int) -> int:
        if message != drop_files:
            return int(user.CallWindowProcW(before[0], window, message, first, second))
        paths = []
        for index in range(shell.DragQueryFileW(first, 0xFFFFFFFF, None, 0)):
            length = shell.DragQueryFileW(first, index, None, 0) + 1
            text = ctypes.create_unicode_buffer(length)
            shell.DragQueryFileW(first, index, text, length)
            paths.append(Path(text.value))
        shell.DragFinish(first)
        target.put(paths)
        return 0

    callback = kind(procedure)
    target.keep(callback)
    before.append(user.SetWindowLongPtrW(window, procedure_index, callback))
    shell.DragAcceptFiles(window, 1)
    return True
