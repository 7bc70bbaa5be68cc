"""The system's own file dialogs, each in a program of its own so that the window stays alive."""

from __future__ import annotations

import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["file", "files", "folder", "save"]
Accept = Callable[[list[Path]], None]


@dataclass(frozen=True)
class Question:
    """Which paths a person is asked for."""

    kind: Kind
    title: str
    accept: Accept
    """Called with what was chosen, at least one path; not called after Cancel."""
    start: Path | None = None
    """Folder to begin in; for "save" the file that is suggested."""


class Dialogs:
    """Asks one question at a time; answers arrive in `poll`, on the main thread."""

    def __init__(
        self, *, command: Callable[[Question], Sequence[str] | None] | None = None
    ) -> None:
        self.typed: Question | None = None
        """To be asked in the window itself: this system has no dialog that could be called."""
        self._command = command or native_command
        self._running: subprocess.Popen[bytes] | None = None
        self._answers: queue.Queue[tuple[Question, list[Path]]] = queue.Queue()

    @property
    def is_asking(self) -> bool:
        """Whether a dialog of the system is open."""
        return self._running is not None and self._running.poll() is None

    def ask(self, question: Question) -> None:
        """Show a dialog; a second one is not opened beside the first."""
        if self.is_asking:
            return
        command = self._command(question)
        if command is None:
            self.typed = question
            return
        try:
            self._running = process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
            )
        except OSError:
            self.typed = question
            return
        threading.Thread(target=self._wait, args=(question, process), daemon=True).start()

    def answer_typed(self, paths: list[Path]) -> None:
        """What was typed in the window; nothing: cancelled."""
        question, self.typed = self.typed, None
        if question and paths:
            self._answers.put((question, paths))

    def poll(self) -> None:
        """Deliver the answers."""
        while not self._answers.empty():
            question, paths = self._answers.get()
            question.accept(paths)

    def close(self) -> None:
        """Take an open dialog away."""
        if self._running and self.is_asking:
            self._running.terminate()

    def _wait(self, question: Question, process: subprocess.Popen[bytes]) -> None:
        output, _ = process.communicate()
        # File names are bytes elsewhere than on Windows, and may hold anything but a new line.
        lines = output.decode(sys.getfilesystemencoding(), "surrogateescape").splitlines()
        paths = [Path(line) for line in lines if line.strip()]
        if process.returncode == 0 and paths:
            self._answers.put((question, paths))


def native_command(question: Question) -> list[str] | None:
    """The program that asks, and prints a path on each line; None: there is none."""
    if sys.platform == "win32":
        return _powershell(question)
    if sys.platform == "darwin":
        return _osascript(question)
    start = str(question.start) if question.start else ""
    if zenity := shutil.which("zenity"):
        command = [zenity, "--file-selection", f"--title={question.title}", "--separator=\n"]
        command += {"files": ["--multiple"], "folder": ["--directory"], "save": ["--save"]}.get(
            question.kind, []
        )
        # Zenity takes a path that ends in a slash for a folder to start in.
        end = "" if question.kind == "save" or not start else "/"
        return [*command, f"--filename={start}{end}"] if start else command
    if kdialog := shutil.which("kdialog"):
        modes = {"folder": "--getexistingdirectory", "save": "--getsavefilename"}
        mode = modes.get(question.kind, "--getopenfilename")
        many = ["--multiple", "--separate-output"] if question.kind == "files" else []
        return [kdialog, "--title", question.title, *many, mode, start or "."]
    return None


def _osascript(question: Question) -> list[str]:
    calls = {
        "file": "choose file with prompt (item 1 of argv)",
        "files": "choose file with prompt (item 1 of argv) with multiple selections allowed",
        "folder": "choose folder with prompt (item 1 of argv)",
        "save": "choose file name with prompt (item 1 of argv) default name (item 2 of argv)",
    }
    script = (
        "on run argv",
        f"set chosen to {calls[question.kind]}",
        "if class of chosen is not list then set chosen to {chosen}",
        'set told to ""',
        "repeat with each in chosen",
        "set told to told & POSIX path of each & linefeed",
        "end repeat",
        "return told",
        "end run",
    )
    lines = [word for line in script for word in ("-e", line)]
    return ["osascript", *lines, question.title, question.start.name if question.start else ""]


def _powershell(question: Question) -> list[str]:
    # The texts come as arguments, so that none of them is ever read as a command.
    ask = {
        "folder": "$d=New-Object System.Windows.Forms.FolderBrowserDialog;"
        "$d.Description=$args[0];if($args[1]){$d.SelectedPath=$args[1]};"
        "if($d.ShowDialog() -eq 'OK'){$d.SelectedPath}else{exit 1}",
        "save": "$d=New-Object System.Windows.Forms.SaveFileDialog;$d.Title=$args[0];"
        "if($args[1]){$d.FileName=[IO.Path]::GetFileName($args[1]);"
        "$d.InitialDirectory=[IO.Path]::GetDirectoryName($args[1])};"
        "if($d.ShowDialog() -eq 'OK'){$d.FileName}else{exit 1}",
    }
    many = "$true" if question.kind == "files" else "$false"
    script = ask.get(
        question.kind,
        "$d=New-Object System.Windows.Forms.OpenFileDialog;$d.Title=$args[0];"
        f"$d.Multiselect={many};if($args[1]){{$d.InitialDirectory=$args[1]}};"
        "if($d.ShowDialog() -eq 'OK'){$d.FileNames}else{exit 1}",
    )
    setup = (
        "Add-Type -AssemblyName System.Windows.Forms;"
        "[Console]::OutputEncoding=[Text.Encoding]::UTF8;"
    )
    start = str(question.start) if question.start else ""
    return [
        "powershell", "-NoProfile", "-STA", "-Command", f"& {{{setup}{script}}}",
        f"'{_quoted(question.title)}'", f"'{_quoted(start)}'",
    ]  # fmt: skip


def _quoted(text: str) -> str:
    return text.replace("'", "''")
