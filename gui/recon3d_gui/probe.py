"""Where widgets are and what they show, for tests that drive the real window from outside."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import Client
from typing import TYPE_CHECKING, Any

import dearpygui.dearpygui as dpg

if TYPE_CHECKING:
    from recon3d_gui.studio import Studio

_FRAMES = 10_000


class Probe:
    """Answers one question a frame over a local socket; it can look, and do nothing."""

    def __init__(self, address: str) -> None:
        self._link = Client(address)
        self.failures: list[str] = []
        self._intervals_ms: deque[float] = deque(maxlen=_FRAMES)
        self._drawn_at = time.perf_counter()

    @property
    def is_asked(self) -> bool:
        """Whether a question waits."""
        return self._link.poll()

    def answer(self, studio: Studio, picks: Sequence[object]) -> None:
        """Answer the questions that have come; once a frame."""
        now = time.perf_counter()
        self._intervals_ms.append(1e3 * (now - self._drawn_at))
        self._drawn_at = now
        while self._link.poll():
            try:
                tag = self._link.recv()
            except (EOFError, OSError):
                return
            self._link.send(self._known(studio, picks) if tag is None else _widget(tag))

    def _known(self, studio: Studio, picks: Sequence[object]) -> dict[str, Any]:
        jobs = studio.jobs
        return {
            "page": studio.page,
            "frame_ms": self._take_intervals(),
            "picks": len(picks),
            "state": jobs.state,
            "saving": jobs.saving.state,
            "reached": {stage: str(folder) for stage, folder in studio.reached.items()},
            "computed": [
                line.text for line in jobs.log if line.level == "info" and "done in" in line.text
            ],
            "photos": [row.id for row in studio.photos.rows],
            "excluded": sorted(studio.project.excluded),
            "sources": [str(path) for path in studio.project.sources],
            "preset": studio.project.preset,
            "runs": len(studio.project.runs),
            "file": str(studio.file) if studio.file else None,
            "selected": studio.selected_photo,
            "toasts": [toast.text for toast in studio.notices.shown],
            "loaded": "a" in studio.viewer.loaded,
            "eye": dict(studio.viewer.navigator.eye.described()),
            "markers": {
                one.name: {mark.photo: (mark.column, mark.row) for mark in one.marks}
                for one in studio.project.markers.points
            },
            "lengths": [bar.text for bar in studio.project.markers.bars],
            "is_parallel": studio.viewer.navigator.eye.is_parallel,
            "canvas": studio.viewer.navigator.canvas_px,
            "shown_photos": [row.id for row in studio.photos.shown],
            "outlook": studio.jobs.outlook is not None,
            "failures": list(self.failures),
            "changes": {stage: dict(each) for stage, each in studio.project.changes.items()},
            "size": (dpg.get_viewport_client_width(), dpg.get_viewport_client_height()),
        }

    def _take_intervals(self) -> list[float]:
        """Between the frames since the last question."""
        taken = list(self._intervals_ms)
        self._intervals_ms.clear()
        return taken


def _widget(tag: str) -> dict[str, Any] | None:
    """A widget's rectangle on the window in pixels, and what it shows; None: there is none."""
    if not dpg.does_item_exist(tag):
        return None
    state = dpg.get_item_state(tag)
    configuration = dpg.get_item_configuration(tag)
    return {
        "min": state.get("rect_min") or dpg.get_item_pos(tag),
        "size": state.get("rect_size") or [0, 0],
        "visible": bool(state.get("visible", True)) and bool(configuration.get("show", True)),
        "label": configuration.get("label"),
        "value": dpg.get_value(tag),
        "enabled": configuration.get("enabled", True),
        "frame": dpg.get_frame_count(),
    }
