"""A recon3d command at work in a process of its own; knows nothing of Blender."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from typing import IO, Any

_LAST_LINES = 5


class BackgroundRun:
    """Starts a command with `--json` and follows what it says; `poll` it now and then."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start it.

        Raises:
            OSError: the program is not there, or cannot be run.
        """
        hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0) if sys.platform == "win32" else 0
        self._process = subprocess.Popen(
            [*command, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            creationflags=hidden,
        )
        self._said: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._noise: deque[str] = deque(maxlen=_LAST_LINES)
        self._readers = [
            threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._keep, args=(self._process.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self.state = "running"
        """running, done, failed or stopped."""
        self.line = "Starting"
        """What it does, or how it ended, for a person."""
        self.share = 0.0
        """Of the stage at work, 0 to 1."""
        self.warnings: list[str] = []

    def poll(self) -> None:
        """Take in what it has said since."""
        ended = self._process.poll() is not None
        if ended:
            # All that it said before it ended.
            for reader in self._readers:
                reader.join()
        while not self._said.empty():
            self._take(self._said.get())
        if ended and self.state == "running":
            last = " ".join(self._noise) or "It said nothing."
            self.state = "failed"
            self.line = f"recon3d ended with code {self._process.returncode}. {last}"

    def stop(self) -> None:
        """Ask it to end; what is finished is kept in its workspace."""
        self._process.terminate()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            try:
                content = json.loads(line)
            except ValueError:
                self._noise.append(line.strip())
                continue
            if isinstance(content, dict):
                self._said.put(content)

    def _keep(self, stream: IO[str]) -> None:
        for line in stream:
            self._noise.append(line.strip())

    def _take(self, said: dict[str, Any]) -> None:
        stage = str(said.get("stage", ""))
        match said.get("event"):
            case "stage_started":
                self.line, self.share = stage.capitalize(), 0.0
            case "progress":
                done, total = said.get("done", 0), said.get("total", 0)
                self.share = done / total if total else 0.0
                note = said.get("note") or ""
                self.line = f"{stage.capitalize()}: {done} of {total} {note}".rstrip()
            case "warning":
                self.warnings.append(str(said.get("note", "")))
            case "result":
                self.state, self.line, self.share = "done", _outcome(said), 1.0
            case "error":
                self.state = "failed"
                self.line = f"{said.get('message', '')} {said.get('hint', '')}".strip()
            case "cancelled":
                self.state = "stopped"
                self.line = "Stopped. Finished work is kept: Build goes on from there."


def _outcome(said: dict[str, Any]) -> str:
    parts = []
    if said.get("faces"):
        parts.append(f"{said['faces']:,} triangles")
    if said.get("given"):
        parts.append(f"{said.get('placed')} of {said['given']} photos placed")
    return ", ".join(parts) or "Done"
