"""The left tab "Camera": which intrinsics are used, what else is known, and scale and upright."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui.panels.file_row import FileRow
from recon3d_gui.panels.looks import Looks
from recon3d_gui.panels.setting_row import SettingRow, handle_texts
from recon3d_gui.photos.latest import Latest
from recon3d_gui.project.cameras import (
    KnownPhoto,
    Told,
    tell_file,
    tell_photos,
    tell_plan,
    tell_run,
)
from recon3d_gui.project.form import setting

if TYPE_CHECKING:
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_EDGE_PX = 6
_INDENT_PX = 12
_SETTINGS = (
    "frame.scale",
    "frame.marker_size",
    "frame.markers",
    "frame.up",
    "frame.origin",
    "frame.front",
)
_CALIBRATE = (
    "Photos of a printed board make the camera known, once for all photos that it takes with "
    "this lens and focus."
)
# While thumbnails arrive, photos change many times a second.
_SECONDS_BETWEEN = 0.5


class CameraPanel:
    """Says what a run will take for granted, and lets a person say what is known better."""

    def __init__(self, studio: Studio, ui: Ui) -> None:
        self._studio = studio
        self._ui = ui
        self._rows = [SettingRow(setting(key), studio, ui, "camera") for key in _SETTINGS]
        self._files = [
            FileRow("intrinsics", "Camera file", ("file",), studio, ui),
            FileRow("poses", "Known positions", ("file", "folder"), studio, ui),
            FileRow("masks", "Masks", ("folder",), studio, ui),
            FileRow("sensor_depth", "Depth camera", ("folder",), studio, ui),
        ]
        self._file_told: Latest[Told] = Latest("read the camera file")
        self._run_told: Latest[Told] = Latest("read the run's cameras")
        self._seen = -1
        self._seen_photos: tuple[int, Path | None] | None = None
        self._seen_pose: Path | None = None
        self._asked_at = 0.0

    def build(self, parent: int | str) -> None:
        """Make the widgets, once."""
        looks = Looks(self._ui)
        intrinsics, *others = self._files
        with dpg.child_window(parent=parent, tag="camera", border=False):
            with self._part("Lens"):
                dpg.add_text(tag="camera.plan", wrap=0)
                intrinsics.build(looks)
                self._add_text("camera.file", looks.muted)
                self._add_text("camera.trouble", looks.bad)
                dpg.add_button(
                    label="Calibrate now",
                    tag="camera.calibrate",
                    width=-self._ui.px(_EDGE_PX),
                    callback=self._calibrate,
                )
                self._ui.explain("camera.calibrate", _CALIBRATE)
            with self._part("What the photos say"):
                self._add_text("camera.photos", looks.muted)
            with self._part("What the run has found", tag="camera.found"):
                self._add_text("camera.run", looks.muted)
            with dpg.collapsing_header(label="Scale and upright", default_open=True):
                edited = handle_texts()
                for row in self._rows:
                    row.build(looks, edited)
            with self._part("What else is known"):
                for file in others:
                    file.build(looks)
        dpg.configure_item("camera.found", show=False)

    @contextmanager
    def _part(self, title: str, tag: int | str = 0) -> Iterator[None]:
        with (
            dpg.collapsing_header(label=title, tag=tag, default_open=True),
            dpg.group(indent=self._ui.px(_INDENT_PX)),
        ):
            yield

    def update(self) -> None:
        """Show what has changed since the last frame."""
        if self._studio.revision != self._seen:
            self._seen = self._studio.revision
            for row in self._rows:
                row.show(self._studio.project)
            for file in self._files:
                file.show(self._studio.project)
        self._look_at_photos()
        self._look_at_run()

    def _look_at_photos(self) -> None:
        file = self._studio.project.intrinsics
        seen = (self._studio.photos.revision, file)
        if seen != self._seen_photos and time.monotonic() - self._asked_at > _SECONDS_BETWEEN:
            self._seen_photos, self._asked_at = seen, time.monotonic()
            shots = self._shots()
            self._show_lines("camera.plan", (tell_plan(file, shots),))
            self._show_lines("camera.photos", tell_photos(shots).lines)
            self._file_told.ask(partial(tell_file, file, shots) if file else Told)
        if (told := self._file_told.answer()) is not None:
            self._show_lines("camera.file", told.lines)
            self._show_lines("camera.trouble", (told.trouble,) if told.trouble else ())

    def _look_at_run(self) -> None:
        folder = self._studio.reached.get("pose")
        if folder != self._seen_pose:
            self._seen_pose = folder
            self._run_told.ask(partial(tell_run, folder) if folder else Told)
        if (told := self._run_told.answer()) is not None:
            self._show_lines(
                "camera.run", (*told.lines, told.trouble) if told.trouble else told.lines
            )
            dpg.configure_item("camera.found", show=told != Told())

    def _shots(self) -> list[KnownPhoto]:
        photos = self._studio.photos
        known = ((row, photos.thumbnails.facts(row.picture)) for row in photos.rows)
        return [
            KnownPhoto(
                row.id,
                row.path,
                facts.width_px,
                facts.height_px,
                facts.camera,
                facts.focal_mm,
                facts.orientation,
            )
            for row, facts in known
            if facts and facts.width_px and row.state != "excluded"
        ]

    def _calibrate(self) -> None:
        self._studio.page = "calibration"

    def _add_text(self, tag: str, theme: int | str) -> None:
        dpg.add_text(tag=tag, wrap=0)
        dpg.bind_item_theme(tag, theme)

    def _show_lines(self, tag: str, lines: tuple[str, ...]) -> None:
        text = "\n".join(lines)
        dpg.set_value(tag, text)
        dpg.configure_item(tag, show=bool(lines))
        dpg.bind_item_font(tag, self._ui.font("normal", text))
