"""Small favours of the desktop; where it does not grant one, the caller can say so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_NO_CONSOLE: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)

# The texts come by the environment: nothing of them is ever read as a command.
_TOAST = """
$null = [Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, ContentType=WindowsRuntime]
$toast = [Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent(1)
$lines = $toast.GetElementsByTagName("text")
$null = $lines.Item(0).AppendChild($toast.CreateTextNode($env:RECON3D_TITLE))
$null = $lines.Item(1).AppendChild($toast.CreateTextNode($env:RECON3D_TEXT))
$app = "{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\\WindowsPowerShell\\v1.0\\powershell.exe"
[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier($app).Show($toast)
"""  # noqa: E501


def notify(title: str, text: str) -> None:
    """Show a notification of the desktop."""
    environment: dict[str, str] = {}
    if sys.platform == "darwin":
        show = "display notification (item 2 of argv) with title (item 1 of argv)"
        command = ["osascript", "-e", "on run argv", "-e", show, "-e", "end run", title, text]
    elif sys.platform == "win32":
        command = ["powershell", "-NoProfile", "-NonInteractive", "-Command", _TOAST]
        environment = {"RECON3D_TITLE": title, "RECON3D_TEXT": text}
    else:
        command = ["notify-send", "--app-name=recon3d", "--", title, text]
    _run_quietly(command, environment)


def open_file(file: Path) -> bool:
    """Open a file with the program that the desktop has for it; False: there is none to ask."""
    if sys.platform == "win32":
        try:
            os.startfile(file.absolute())
        except OSError:
            return False
        return True
    if sys.platform == "darwin":
        return _run_quietly(["open", os.fspath(file.absolute())])
    return _open_on_linux(file.absolute())


def show_in_folder(path: Path) -> bool:
    """Open the file manager where a file or folder lies; False: there is none to ask."""
    path = path.absolute()
    if sys.platform == "win32":
        return _run_quietly(["explorer", "/select,", os.fspath(path)])
    if sys.platform == "darwin":
        return _run_quietly(["open", "-R", os.fspath(path)])
    return _open_on_linux(path if path.is_dir() else path.parent)


def nothing_opens(path: Path) -> str:
    """What to say where the desktop could not be asked."""
    return f"This desktop has no program that opens files (xdg-open). It lies here: {path}"


def _open_on_linux(path: Path) -> bool:
    target = os.fspath(path)
    return _run_quietly(["xdg-open", target]) or _run_quietly(["gio", "open", target])


def _run_quietly(command: Sequence[str], environment: Mapping[str, str] | None = None) -> bool:
    """Start a program; False: it is not installed."""
    program = shutil.which(command[0])
    if program is None:
        return False

    def run() -> None:
        with suppress(OSError):
            subprocess.run(
                [program, *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **(environment or {})},
                check=False,
                creationflags=_NO_CONSOLE,
            )

    threading.Thread(target=run, daemon=True).start()
    return True
