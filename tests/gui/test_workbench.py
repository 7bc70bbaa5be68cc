"""What one does with the model in the 3D view becomes settings; without window or process."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from recon3d_gui.failure import Failure
from recon3d_gui.project.project import Project, RunRecord
from recon3d_gui.viewer.cameras import Bounds, as_rows
from recon3d_gui.viewer.navigator import Navigator
from recon3d_gui.viewer.protocol import Grow, Loaded, Picked, Reply, Saved, Saving, Style
from recon3d_gui.viewer.workbench import Workbench

from recon3d.core.camera import PinholeCamera
from recon3d.core.errors import ConfigError
from recon3d.core.scene import View
from recon3d.core.transform import Rigid, Similarity
from recon3d.georef.known_scale import PhotoPixel, parse_scale

CAMERA = PinholeCamera.centred(640, 480, 600.0)
LOADED = Loaded(
    "a", frozenset({"mesh"}), 0, 12, Bounds((-1.0, -1.0, 0.0), (1.0, 1.0, 1.0)),
    Similarity(2.0, np.eye(3), np.zeros(3)), as_rows(np.eye(3)), 0.0, "scene", True,
    (View("a.jpg", CAMERA, Rigid(np.diag([1.0, -1, -1]), np.array([0.0, 0, 6]))),), "world",
)  # fmt: skip


class FakeViewer:
    """Remembers what it was told; answers picks when the test says so."""

    def __init__(self) -> None:
        self.navigator = Navigator()
        self.style = Style()
        self.loaded: dict[str, Loaded] = {}
        self.shown: list[tuple[str, dict[str, Path]]] = []
        self.picked: list[bool] = []
        self.is_running = self.is_gone = False
        self.grows = Grow()
        self.note = ""

    def listen(self, listener: Any) -> None:
        self.tell = listener

    def start(self) -> None:
        self.is_running = True

    def poll(self) -> None: ...

    def tick(self, now_s: float) -> None:
        self.navigator.advance(now_s)

    def show(self, reached: dict[str, Path], side: str = "a") -> None:
        self.shown.append((side, dict(reached)))

    def grow(self, grow: Grow) -> None:
        self.grows = grow

    def restyle(self, **changes: Any) -> None:
        self.style = replace(self.style, **changes)

    def pick(self, uv_px: tuple[float, float], *, in_photos: bool = False) -> int:
        self.picked.append(in_photos)
        return len(self.picked)


class FakeStudio:
    def __init__(self, tmp_path: Path) -> None:
        self.viewer = FakeViewer()
        self.project = Project(workspace=tmp_path / "scene.recon3d")
        self.reached: dict[str, Path] = {}
        self.reached_revision = 0
        self.selected_photo: str | None = None
        self.toasts: list[str] = []
        self.begun: tuple[str, Path] | None = None
        self.jobs = SimpleNamespace(busy=False, run=SimpleNamespace(busy=False))
        self.labels: list[str] = []

    @property
    def selected_view(self) -> str | None:
        return self.selected_photo

    def change(self, label: str, **changed: Any) -> None:
        self.labels.append(label)
        self.project = replace(self.project, **changed)

    def amend(self, **changed: Any) -> None:
        self.project = replace(self.project, **changed)

    def show_photo_in_model(self, photo_id: str) -> None:
        self.selected_photo = photo_id
        self.viewer.navigator.to_photo(photo_id)
        self.viewer.restyle(selected=photo_id, backdrop=0.5)

    def toast(self, text: str, kind: str = "info", details: str = "") -> None:
        self.toasts.append(text)


@pytest.fixture
def studio(tmp_path: Path) -> FakeStudio:
    return FakeStudio(tmp_path)


@pytest.fixture
def bench(studio: FakeStudio) -> Workbench:
    found = Workbench(studio)
    studio.viewer.navigator.resize(800, 600)
    found.tick(1.0)
    studio.viewer.loaded["a"] = LOADED
    studio.viewer.navigator.adopt(LOADED)
    return found


def answer(studio: FakeStudio, *points: tuple[float, float, float]) -> None:
    """Every pick so far hits these points, seen by two photos."""
    for point in points:
        number = len(studio.viewer.picked)
        u = 100.0 + 50 * point[1]
        photos = (PhotoPixel("a.jpg", u, 20.0), PhotoPixel("b.jpg", u, 40.0))
        reply: Reply = Picked(number, point, photos)
        studio.viewer.tell(reply)


def click(bench: Workbench, studio: FakeStudio, *points: tuple[float, float, float]) -> None:
    for point in points:
        bench.click((400.0, 300.0))
        answer(studio, point)


def test_stages_are_shown_as_they_finish(bench: Workbench, studio: FakeStudio) -> None:
    studio.reached, studio.reached_revision = {"pose": Path("/w/pose/1")}, 1
    bench.tick(2.0)
    bench.tick(2.1)
    assert studio.viewer.shown[-1] == ("a", {"pose": Path("/w/pose/1")})
    assert studio.viewer.shown.count(("a", {"pose": Path("/w/pose/1")})) == 1


def test_a_project_without_results_clears_the_view(bench: Workbench, studio: FakeStudio) -> None:
    bench.take("measure")
    studio.reached_revision = 1
    bench.tick(2.0)
    assert bench.tool == "look"
    assert studio.viewer.shown[-2:] == [("a", {}), ("b", {})]


def test_a_run_shows_the_model_before_it_until_the_photos_are_placed(
    bench: Workbench, studio: FakeStudio
) -> None:
    count = len(studio.viewer.shown)
    studio.jobs.busy = True
    for reached in ({}, {"ingest": Path("/w/ingest/1")}):
        studio.reached, studio.reached_revision = reached, studio.reached_revision + 1
        bench.tick(2.0)
    assert len(studio.viewer.shown) == count
    studio.reached = {**studio.reached, "pose": Path("/w/pose/1")}
    studio.reached_revision += 1
    bench.tick(2.1)
    assert studio.viewer.shown[-1] == ("a", studio.reached)


def test_two_clicks_measure_and_a_third_begins_anew(bench: Workbench, studio: FakeStudio) -> None:
    bench.take("measure")
    click(bench, studio, (0.0, 0.0, 0.0), (0.3, 0.4, 0.0))
    assert bench.length == "0.5 units"
    assert studio.viewer.picked == [True, True]
    click(bench, studio, (1.0, 0.0, 0.0))
    assert bench.length == ""
    assert len(bench.picks) == 1


def test_a_click_beside_the_model_picks_nothing(bench: Workbench, studio: FakeStudio) -> None:
    bench.take("measure")
    bench.click((1.0, 1.0))
    studio.viewer.tell(Picked(1, None))
    assert bench.picks == []


def test_a_true_length_becomes_the_scale_and_carries_the_crop_along(
    bench: Workbench, studio: FakeStudio
) -> None:
    crop = (-1.0, -1.0, 0.0, 1.0, 1.0, 1.0)
    studio.project = replace(studio.project, changes=studio.project.changes_with("mesh", crop=crop))
    bench.take("measure")
    click(bench, studio, (0.0, 0.0, 0.0), (0.0, 2.0, 0.0))
    with pytest.raises(ConfigError):
        bench.set_scale("two")
    assert studio.labels == ["Measure"]
    bench.set_scale("50 cm")
    config = studio.project.config
    (known,) = parse_scale(config.frame.scale)
    assert "a.jpg:100,20 + b.jpg:100,40" in known.text
    # A unit of the model is a quarter of a metre now.
    assert config.mesh.crop == pytest.approx(tuple(0.25 * each for each in crop))
    assert studio.labels == ["Measure", "Set scale"]  # one step of undo
    assert bench.tool == "look"


def test_the_crop_box_becomes_a_setting_and_back(bench: Workbench, studio: FakeStudio) -> None:
    bench.take("crop")
    assert studio.viewer.style.crop is not None
    bench.apply_crop()
    crop = studio.project.config.mesh.crop
    assert crop is not None
    assert crop[0] < -1
    assert crop[5] > 1
    assert studio.viewer.style.crop is None
    bench.reset_crop()
    assert studio.project.config.mesh.crop is None
    assert "mesh" not in studio.project.changes


def test_a_crop_goes_on_from_the_one_that_is_set(bench: Workbench, studio: FakeStudio) -> None:
    crop = (-0.5, -0.5, 0.1, 0.5, 0.5, 0.6)
    studio.project = replace(studio.project, changes=studio.project.changes_with("mesh", crop=crop))
    bench.take("crop")
    assert bench.box is not None
    assert bench.box.setting == crop


def test_a_handle_is_dragged_and_let_go(bench: Workbench, studio: FakeStudio) -> None:
    bench.take("crop")
    assert bench.box is not None
    before = bench.box
    (uv,), _ = bench.navigator.project(np.array([dict(before.grips)[before.grips[1][0]]]))
    assert bench.press((uv[0], uv[1]))
    bench.drag((uv[0] + 30, uv[1] + 10))
    assert bench.box != before
    bench.release()
    kept = bench.box
    bench.drag((uv[0] + 90, uv[1]))
    assert bench.box == kept
    assert not bench.press((2.0, 2.0))


def test_three_clicks_on_the_floor_turn_the_model(bench: Workbench, studio: FakeStudio) -> None:
    bench.take("upright")
    click(bench, studio, (0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    up = [float(each) for each in studio.project.config.frame.up.split(",")]
    assert up == pytest.approx([0, 0, 1])
    assert bench.tool == "look"


def test_a_floor_on_a_line_is_asked_for_again(bench: Workbench, studio: FakeStudio) -> None:
    bench.take("upright")
    click(bench, studio, (0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (2.0, 0.0, 0.0))
    assert studio.project.config.frame.up == "auto"
    assert bench.picks == []
    assert "line" in studio.toasts[-1]


def test_turning_the_model_drops_a_crop_of_the_old_frame(
    bench: Workbench, studio: FakeStudio
) -> None:
    bench.take("crop")
    bench.apply_crop()
    bench.set_up("-z")
    assert studio.project.config.mesh.crop is None
    assert studio.project.config.frame.up != "auto"
    bench.reset_up()
    assert studio.project.config.frame.up == "auto"


def test_tools_that_change_settings_need_a_model_that_stands(
    bench: Workbench, studio: FakeStudio
) -> None:
    studio.viewer.loaded["a"] = replace(LOADED, has_frame=False)
    bench.take("crop")
    assert bench.box is None
    assert studio.toasts
    bench.take("measure")
    assert bench.tool == "measure"


def test_a_click_on_a_camera_looks_through_it(bench: Workbench, studio: FakeStudio) -> None:
    bench.navigator.orbit(0, 200)
    bench.navigator.zoom(-8, (400, 300))
    (uv,), _ = bench.navigator.project(np.array([LOADED.views[0].centre_world]))
    bench.hover((uv[0], uv[1]))
    studio.viewer.tell(Picked(1, None))
    assert studio.viewer.style.hovered == "a.jpg"
    bench.click((uv[0], uv[1]))
    studio.viewer.tell(Picked(2, None))
    assert studio.selected_photo == "a.jpg"
    assert studio.viewer.style.backdrop > 0
    bench.leave_photo()
    assert studio.viewer.style.backdrop == 0


def test_a_camera_behind_the_model_is_not_hit(bench: Workbench, studio: FakeStudio) -> None:
    bench.navigator.orbit(0, 200)
    bench.navigator.zoom(-8, (400, 300))
    (uv,), _ = bench.navigator.project(np.array([LOADED.views[0].centre_world]))
    eye, camera = bench.navigator.eye.centre, LOADED.views[0].centre_world
    in_front, behind = (tuple((eye + share * (camera - eye)).tolist()) for share in (0.5, 1.5))
    bench.click((uv[0], uv[1]))
    answer(studio, in_front)
    assert studio.selected_photo is None
    bench.click((uv[0], uv[1]))
    answer(studio, behind)
    assert studio.selected_photo == "a.jpg"


def test_a_double_click_moves_the_focus(bench: Workbench, studio: FakeStudio) -> None:
    bench.double_click((400.0, 300.0))
    answer(studio, (0.2, 0.1, 0.3))
    for now_s in (5.0, 6.0):
        bench.tick(now_s)
    assert bench.navigator.eye.focus == pytest.approx((0.2, 0.1, 0.3))


def test_another_run_is_compared_from_its_own_folders(bench: Workbench, studio: FakeStudio) -> None:
    run = RunRecord(
        name="Draft", finished_at=datetime(2026, 1, 1), preset="draft", changes={},
        reached={"mesh": "0123456789abcdef"},
    )  # fmt: skip
    bench.compare(run)
    assert bench.compared is None  # it has been cleaned away
    folder = studio.project.workspace / "mesh" / "0123456789abcdef"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    bench.compare(run)
    assert studio.viewer.shown[-1] == ("b", {"mesh": folder})
    bench.split(3.0)
    assert studio.viewer.style.split == pytest.approx(0.98)
    bench.compare(None)
    assert studio.viewer.style.split is None
    assert studio.viewer.shown[-1] == ("b", {})


def test_the_view_is_kept_in_the_project_when_it_rests(
    bench: Workbench, studio: FakeStudio
) -> None:
    bench.tick(3.0)
    bench.navigator.orbit(40, 0)
    bench.tick(3.05)
    moved = bench.navigator.eye.described()
    assert studio.project.view != moved
    bench.tick(9.0)
    assert studio.project.view == moved


def test_what_the_process_cannot_do_is_told(bench: Workbench, studio: FakeStudio) -> None:
    studio.viewer.tell(Saving(3, 12))
    assert bench.film_share == pytest.approx(0.25)
    studio.viewer.tell(Failure("The disk is full.", "Free some space."))
    assert bench.film_share is None
    assert studio.toasts[-1] == "The disk is full. Free some space."
    studio.viewer.tell(Saved(Path("a.png")))
    assert "a.png" in studio.toasts[-1]


def test_measured_lengths_are_kept_named_and_deleted(bench: Workbench, studio: FakeStudio) -> None:
    bench.take("measure")
    click(bench, studio, (0.0, 0.0, 0.0), (0.0, 0.0, 2.0))
    click(bench, studio, (0.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    assert [each.length for each in bench.lengths] == [2.0, 1.0]
    assert [each.measurement.name for each in bench.lengths] == ["Length 1", "Length 2"]
    bench.rename_length(1, "  Step ")
    bench.rename_length(0, " ")
    assert [each.measurement.name for each in bench.lengths] == ["Length 1", "Step"]
    assert bench.length_table().count("\n") == 3
    bench.delete_length(0)
    assert [each.measurement.name for each in bench.lengths] == ["Step"]
    assert studio.labels == ["Measure", "Measure", "Rename length", "Delete length"]
    focus = bench.navigator.eye.focus
    bench.show_length(0)
    bench.navigator.advance(99.0)
    bench.navigator.advance(199.0)
    assert bench.navigator.eye.focus != focus


def test_a_length_without_extent_is_not_kept(bench: Workbench, studio: FakeStudio) -> None:
    bench.take("measure")
    click(bench, studio, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    assert not bench.lengths
