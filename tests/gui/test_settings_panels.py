"""The panels "Settings" and "Camera" without a screen: what they show and what they change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dearpygui.dearpygui as dpg
import pytest
from recon3d_gui.panels.camera import CameraPanel
from recon3d_gui.panels.settings import SettingsPanel
from recon3d_gui.photos.facts import PhotoFacts
from recon3d_gui.photos.rows import PhotoRow
from recon3d_gui.project.history import History
from recon3d_gui.project.project import Project
from recon3d_gui.theme import Ui


class PlainUi:
    """The window's measures and colours, without a window."""

    scale = 1.0
    explain, explain_anew, offer, tip_theme = Ui.explain, Ui.explain_anew, Ui.offer, 0

    def px(self, n: float) -> int:
        return round(n)

    def colour(self, name: str) -> tuple[int, int, int, int]:
        return (1, 2, 3, 255)

    def font(self, name: str, text: str = "") -> int:
        return 0

    def on_theme(self, callback: Callable[[], None]) -> None:
        pass


class PlainStudio:
    """A project and what panels ask of the rest of the program."""

    def __init__(self) -> None:
        self.history = History(Project(workspace=Path("/a.recon3d")))
        self.revision = 0
        self.reached: dict[str, Path] = {}
        self.page = "model"
        self.jobs = SimpleNamespace(outlook=None)
        self.preferences = SimpleNamespace(language=None)
        facts = PhotoFacts(width_px=600, height_px=400, camera="Nikon D3200", focal_mm=35.0)
        self.photos = SimpleNamespace(
            revision=0, rows=(), thumbnails=SimpleNamespace(facts=lambda picture: facts)
        )
        self.told: list[str] = []

    @property
    def project(self) -> Project:
        return self.history.project

    def change(self, label: str, **changed: Any) -> None:
        self.revision += self.history.change(label, **changed)

    def undo(self) -> None:
        self.history.undo()
        self.revision += 1

    def toast(self, text: str, kind: str = "info", details: str = "") -> None:
        self.told.append(text)


@pytest.fixture
def studio() -> Iterator[PlainStudio]:
    dpg.create_context()
    with dpg.window(tag="window"):
        pass
    yield PlainStudio()
    dpg.destroy_context()


def built(kind: type, studio: PlainStudio) -> Any:
    panel = kind(studio, PlainUi())
    panel.build("window")
    panel.update()
    return panel


def enter(tag: str, text: str) -> None:
    """Type into a field and leave it."""
    dpg.set_value(tag, text)
    dpg.get_item_user_data(tag).commit()


def choose(tag: str, value: object) -> None:
    """Take a choice of a combo, or switch a box."""
    dpg.set_value(tag, value)
    _call(tag, value)


def press(tag: str) -> None:
    """Press a button."""
    _call(tag, None)


def _call(tag: str, value: object) -> None:
    dpg.run_callbacks([(dpg.get_item_callback(tag), tag, value, dpg.get_item_user_data(tag))])


def until_told(panel: Any, tag: str, word: str) -> None:
    """Wait for what another thread finds out."""
    ends = time.monotonic() + 20
    while word not in dpg.get_value(tag):
        assert time.monotonic() < ends, dpg.get_value(tag)
        time.sleep(0.005)
        panel.update()


def test_what_is_typed_becomes_a_setting_and_is_shown_tidily(studio: PlainStudio) -> None:
    built(SettingsPanel, studio)
    enter("settings.mesh.faces", "20 000")
    assert studio.project.changes == {"mesh": {"faces": 20_000}}
    assert dpg.get_value("settings.mesh.faces") == "20,000"
    assert dpg.get_item_label("settings.mesh.faces.dot") == "•"
    press("settings.mesh.faces.reset")
    assert studio.project.changes == {}
    assert dpg.get_value("settings.mesh.faces") == "300,000"
    assert dpg.get_item_label("settings.mesh.faces.dot") == ""


def test_what_is_impossible_is_told_below_the_field_and_changes_nothing(
    studio: PlainStudio,
) -> None:
    panel = built(SettingsPanel, studio)
    for wrong in ("-5", "many"):
        enter("settings.mesh.faces", wrong)
        assert dpg.get_item_configuration("settings.mesh.faces.error")["show"]
        assert "It stays 300,000." in dpg.get_value("settings.mesh.faces.error")
    assert studio.project.changes == {}
    enter("settings.mesh.faces", "7")
    assert not dpg.get_item_configuration("settings.mesh.faces.error")["show"]
    studio.undo()
    panel.update()
    assert dpg.get_value("settings.mesh.faces") == "300,000"


def test_choices_and_switches_are_steps_of_their_own(studio: PlainStudio) -> None:
    built(SettingsPanel, studio)
    choose("settings.fuse.surface", "are closed")
    choose("settings.texture.seams", False)
    choose("settings.device", "Processor")
    assert studio.project.config.fuse.surface == "poisson"
    assert studio.project.config.texture.seams is False
    assert studio.project.device == "cpu"
    assert [studio.history.undo() for _ in range(3)] == [
        "Compute on Processor", "Change “Blend seams”", "Change “Unseen parts”",
    ]  # fmt: skip


def test_a_preset_keeps_what_was_set_and_says_so(studio: PlainStudio) -> None:
    panel = built(SettingsPanel, studio)
    choose("settings.preset", "Draft")
    assert studio.told == []
    enter("settings.mesh.faces", "5000")
    choose("settings.preset", "Fine")
    panel.update()
    assert studio.project.config.mesh.faces == 5000
    assert studio.told == ["What you have set stays: Triangles (5,000)."]
    assert dpg.get_value("settings.depth.resolution_px") == "2,400 px"
    assert "million" in dpg.get_value("settings.preset.about")


def test_sections_and_everything_can_be_reset(studio: PlainStudio) -> None:
    panel = built(SettingsPanel, studio)
    assert not dpg.get_item_configuration("settings.reset")["show"]
    for key, text in (("mesh.faces", "5"), ("mesh.smoothing", "2"), ("frame.up", "+z")):
        enter(f"settings.{key}", text)
    panel.update()
    assert dpg.get_item_configuration("settings.Mesh.reset")["show"]
    press("settings.Mesh.reset")
    assert studio.project.changes == {"frame": {"up": "+z"}}
    press("settings.reset")
    assert studio.project.changes == {}


def test_the_search_leaves_what_it_finds_and_opens_the_expert_settings(
    studio: PlainStudio,
) -> None:
    built(SettingsPanel, studio)

    def shown(tag: str) -> bool:
        return bool(dpg.get_item_configuration(tag)["show"])

    choose("settings.search", "hub mirror")
    assert shown("settings.depth.flip.row")
    assert not shown("settings.depth.planes.row")
    assert not shown("settings.Mesh")
    assert dpg.get_value("settings.Depth.expert")
    choose("settings.search", "zzz")
    assert shown("settings.none")
    choose("settings.search", "")
    assert shown("settings.Mesh")
    assert not dpg.get_value("settings.Depth.expert")


def test_the_camera_panel_tells_photos_and_file(studio: PlainStudio, example: Path) -> None:
    panel = built(CameraPanel, studio)
    assert "add photos" in dpg.get_value("camera.photos")
    photo = example / "ruin_00.jpg"
    studio.photos.rows = (PhotoRow("ruin_00.jpg", photo, photo),)
    studio.photos.revision += 1
    until_told(panel, "camera.photos", "Nikon D3200, 35 mm: 1 photo")
    studio.change("Choose", intrinsics=example / "K.json")
    until_told(panel, "camera.file", "fx ")
    assert dpg.get_value("camera.plan") == "From K.json"
    assert dpg.get_item_label("camera.intrinsics") == "K.json"
    studio.change("Choose", intrinsics=photo)
    until_told(panel, "camera.trouble", "ruin_00.jpg")
    press("camera.intrinsics.clear")
    assert studio.project.intrinsics is None


def test_the_camera_panel_sets_scale_and_leads_to_the_calibration(studio: PlainStudio) -> None:
    built(CameraPanel, studio)
    enter("camera.frame.scale", "a.jpg:1,2 a.jpg:3,4 = 42 cm")
    assert studio.project.config.frame.scale.endswith("42 cm")
    enter("camera.frame.up", "sideways")
    assert "no direction" in dpg.get_value("camera.frame.up.error")
    press("camera.calibrate")
    assert studio.page == "calibration"


def test_the_cameras_of_a_run_are_shown_once_there_is_one(
    studio: PlainStudio, tmp_path: Path
) -> None:
    panel = built(CameraPanel, studio)
    assert not dpg.get_item_configuration("camera.found")["show"]
    studio.reached = {"pose": tmp_path}
    until_told(panel, "camera.run", "damaged")
    assert dpg.get_item_configuration("camera.found")["show"]
