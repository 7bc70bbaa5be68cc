"""Asking a person for files and folders; each time from where the last one was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from recon3d_gui.dialogs import Accept, Dialogs, Kind, Question

Purpose = Literal["open", "save"]


class Questions:
    """The answers come later, or never."""

    def __init__(
        self,
        dialogs: Dialogs,
        usual: Callable[[Purpose], Path],
        remember: Callable[[Purpose, Path], None],
    ) -> None:
        """Ask through dialogs.

        usual: the folder to begin in.
        remember: told the folder of each answer.
        """
        self._dialogs, self._usual, self._remember = dialogs, usual, remember

    def files(self, title: str, accept: Accept) -> None:
        """Ask for files."""
        self._ask("files", title, accept)

    def file(self, title: str, accept: Callable[[Path], None]) -> None:
        """Ask for one file."""
        self._ask("file", title, lambda paths: accept(paths[0]))

    def folder(self, title: str, accept: Callable[[Path], None]) -> None:
        """Ask for a folder."""
        self._ask("folder", title, lambda paths: accept(paths[0]))

    def save(self, title: str, name: str, accept: Callable[[Path], None]) -> None:
        """Ask for a place to write to; name: what is suggested."""
        self._ask("save", title, lambda paths: accept(paths[0]), name)

    def _ask(self, kind: Kind, title: str, accept: Accept, name: str = "") -> None:
        purpose: Purpose = "save" if kind == "save" else "open"
        folder = self._usual(purpose)

        def take(paths: list[Path]) -> None:
            self._remember(purpose, paths[0].parent)
            accept(paths)

        start = folder / name if name else folder
        self._dialogs.ask(Question(kind, title, take, start))
