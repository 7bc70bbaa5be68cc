"""Small favours of the desktop; where it does not grant one, the caller can say so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
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


def open_file(file: Path, failed: Callable[[], None]) -> None:
    """Open a file with the program that the desktop has for it.

    failed: called, from any thread, where there is none.
    """
    target = os.fspath(file.absolute())
    if sys.platform == "win32":
        try:
            os.startfile(target)
        except OSError:
            failed()
    elif sys.platform == "darwin":
        _try_each([["open", target]], failed)
    else:
        _try_each([["xdg-open", target], ["gio", "open", target]], failed)


def show_in_folder(path: Path, failed: Callable[[], None]) -> None:
    """Open the file manager where a file or folder lies.

    failed: called, from any thread, where there is none.
    """
    path = path.absolute()
    if sys.platform == "win32":
        # Its exit code says nothing.
        _run_quietly(["explorer", "/select,", os.fspath(path)])
    elif sys.platform == "darwin":
        _try_each([["open", "-R", os.fspath(path)]], failed)
    else:
        open_file(path if path.is_dir() else path.parent, failed)


def nothing_opens(path: Path) -> str:
    """What to say where the desktop has opened nothing."""
    return f"This desktop has no program that opens it. It lies here: {path}"


def _try_each(commands: Sequence[Sequence[str]], failed: Callable[[], None]) -> None:
    """The first command that succeeds is enough."""

    def run() -> None:
        if not any(_run(command) for command in commands):
            failed()

    threading.Thread(target=run, daemon=True).start()


def _run_quietly(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    threading.Thread(target=_run, args=(command, environment), daemon=True).start()


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> bool:
    """Whether a program is installed and has done what it was asked."""
    program = shutil.which(command[0])
    if program is None:
        return False
    try:
        done = subprocess.run(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
            check=False,
            creationflags=_NO_CONSOLE,
        )
    except OSError:
        return False
    return done.returncode == 0
