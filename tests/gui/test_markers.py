"""Markers set by hand: kept in the project, foretold in other photos, and in the next run."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from recon3d_gui.job.adjusting import adjusted_runs, adjustment
from recon3d_gui.job.steps import MARKED
from recon3d_gui.markers.editor import MarkerEditor, read_table_of_markers
from recon3d_gui.markers.measuring import Measuring
from recon3d_gui.photos.rows import PhotoRow
from recon3d_gui.project import markers as kept
from recon3d_gui.project.file import read_project, save_project
from recon3d_gui.project.history import History
from recon3d_gui.project.project import Project, RunRecord
from recon3d_gui.project.runs import with_run
from recon3d_gui.studio import _without_later

from recon3d.config import Config
from recon3d.core.errors import ConfigError, ReconError
from recon3d.core.target_frame import TargetFrame
from recon3d.georef.control.markers import Marker, Markers, ScaleBar
from recon3d.georef.known_scale import PhotoPixel

sys.path.insert(0, str(Path(__file__).parents[1]))
from survey_scene import ENH_FROM_SCENE, ENH_FROM_WORLD, mark, placed_cameras, scattered

SIZE = (640, 480)


def at(photo: str, column: float = 10.0, row: float = 20.0) -> PhotoPixel:
    return PhotoPixel(photo, column, row, is_upright=True)


FULL = Markers(
    (
        Marker("corner 1", (at("a.jpg", 10.25, 11.5), at("b.jpg"))),
        Marker("P2", (at("a.jpg"), at("b.jpg")), (391390.25, 5817855.5, 40.0), 0.01, True),
        Marker("P3"),
    ),
    (ScaleBar("corner 1", "P2", 1.25, 0.002), ScaleBar("P2", "P3", 2.0, None, is_check=True)),
    "EPSG:25833",
    by_hand=True,
)


class Studio:
    """What the editor speaks to."""

    def __init__(self, rows: tuple[str, ...] = ("a.jpg", "b.jpg", "c.jpg")) -> None:
        self.history = History(Project(workspace=Path("x.recon3d")))
        self.reached: dict[str, Path] = {}
        self.elsewhere = ""
        self.toasts: list[str] = []
        made = [PhotoRow(name, Path(name), Path(name)) for name in rows]
        self.photos = SimpleNamespace(rows=made)

    @property
    def project(self) -> Project:
        return self.history.project

    def change(self, label: str, **fields: Any) -> None:
        self.history.change(label, **fields)

    def toast(self, text: str, kind: str = "", details: str = "") -> None:
        self.toasts.append(text)

    def in_background(self, work: Any) -> None:
        try:
            work()()
        except ReconError as error:
            self.toast(str(error))


def editor_of(studio: Studio, photo: str = "a.jpg") -> MarkerEditor:
    editor = MarkerEditor(studio)  # type: ignore[arg-type]
    editor.switch(on=True)
    show(editor, studio, photo)
    return editor


def show(editor: MarkerEditor, studio: Studio, photo: str) -> None:
    editor.tick(next(row for row in studio.photos.rows if row.id == photo))


def test_markers_come_back_from_a_project_file(tmp_path: Path) -> None:
    file = tmp_path / "a.r3d"
    run = RunRecord(
        name="Run 1", finished_at=datetime(2026, 1, 1).astimezone(), preset="draft", changes={},
        reached={}, markers=kept.stamp(FULL),
    )  # fmt: skip
    project = Project(workspace=tmp_path / "a.recon3d", markers=FULL, runs=(run,))
    save_project(project, file)
    opened = read_project(file)
    assert opened.project == project
    assert not opened.notes


@pytest.mark.parametrize(
    ("before", "after", "note", "left"),
    [
        ("length_m = 1.25", "length_m = -1.25", "one of scale_bars is damaged", 3),
        ("length_m = 1.25", "length_m = nan", "one of scale_bars is damaged", 3),
        ('name = "P3"', 'name = "P2"', "a second marker called P2", 2),
        ('name = "P3"', "name = 3", "one of markers is damaged", 2),
        ("accuracy_m = 0.01", "accuracy_m = 0", "one of markers is damaged", 2),
        ("10.25", '"left"', "one of markers is damaged", 2),
    ],
)
def test_damaged_markers_cost_only_themselves(
    tmp_path: Path, before: str, after: str, note: str, left: int
) -> None:
    file = tmp_path / "a.r3d"
    save_project(Project(workspace=tmp_path / "a.recon3d", markers=FULL), file)
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after, 1), encoding="utf-8")
    opened = read_project(file)
    assert any(note in each for each in opened.notes)
    assert len(opened.project.markers.points) == left
    known = {one.name for one in opened.project.markers.points}
    assert all({bar.start, bar.end} <= known for bar in opened.project.markers.bars)


def test_clicks_set_one_marker_in_several_photos_and_then_the_next_one() -> None:
    studio = Studio()
    editor = editor_of(studio)
    editor.click((100.5, 50.5), SIZE)
    show(editor, studio, "b.jpg")
    editor.click((200.0, 60.0), SIZE)
    editor.click((300.0, 60.0), SIZE)
    first, second = studio.project.markers.points
    assert (first.name, second.name) == ("Point 1", "Point 2")
    assert first.marks == (at("a.jpg", 100.0, 50.0), at("b.jpg", 199.5, 59.5))
    assert second.marks == (at("b.jpg", 299.5, 59.5),)
    assert studio.history.undo()
    assert len(studio.project.markers.points) == 1


def test_a_mark_is_dragged_no_further_than_the_photo_and_removed() -> None:
    studio = Studio()
    editor = editor_of(studio)
    editor.click((100.0, 50.0), SIZE)
    assert editor.grab((103.0, 52.0), 5.0)
    editor.drag((900.0, 60.0), SIZE)
    (shown,) = editor.shown()
    assert shown.places == ((640.0, 60.0),)
    editor.release()
    assert studio.project.markers.points[0].marks == (at("a.jpg", 639.5, 59.5),)
    assert not editor.grab((0.0, 0.0), 5.0)
    editor.remove_here((640.0, 60.0), 5.0)
    assert studio.project.markers.points[0].marks == ()


def test_a_click_outside_the_photo_and_another_window_change_nothing() -> None:
    studio = Studio()
    editor = editor_of(studio)
    editor.click((-1.0, 50.0), SIZE)
    assert studio.toasts == ["A marker must lie inside the photo."]
    studio.elsewhere = "Process 7 has this project."
    editor.click((10.0, 50.0), SIZE)
    editor.remove("Point 1")
    assert not studio.project.markers
    assert studio.toasts[-1] == "Process 7 has this project."


def test_names_are_taken_once_and_lengths_follow_them() -> None:
    studio = Studio()
    studio.change("", markers=FULL)
    editor = editor_of(studio)
    editor.select("P2")
    assert not editor.rename("P2", " P3 ")
    assert studio.toasts == ["There is a marker called P3 already."]
    assert editor.rename("P2", "well")
    assert editor.selected == "well"
    assert [bar.text for bar in studio.project.markers.bars] == [
        "corner 1 to well = 1.25 m", "well to P3 = 2 m",
    ]  # fmt: skip
    editor.remove("well")
    assert not studio.project.markers.bars


def test_coordinates_and_lengths_are_typed_as_people_write_them() -> None:
    studio = Studio()
    studio.change("", markers=FULL)
    editor = editor_of(studio)
    assert editor.survey("P3", ["391 390,25", "5817855.5", "40"], "0,02", is_check=False)
    marker = studio.project.markers.named("P3")
    assert marker
    assert (marker.enh_m, marker.accuracy_m) == ((391390.25, 5817855.5, 40.0), 0.02)
    assert not editor.survey("P3", ["1", "", "2"], "", is_check=False)
    assert not editor.survey("P3", ["1", "2", "3"], "0", is_check=False)
    assert editor.add_bar("P3", "corner 1", "1,5", "")
    assert studio.project.markers.bars[-1] == ScaleBar("P3", "corner 1", 1.5)
    assert editor.add_bar("corner 1", "P2", "1.3", "0.01")  # in place of the one before
    assert len(studio.project.markers.bars) == 3
    assert not editor.add_bar("P3", "P3", "1", "")
    assert not editor.add_bar("P3", "From", "1", "")
    assert not editor.add_bar("P3", "P2", "-1", "")


def test_exported_tables_are_imported_again_in_any_order(tmp_path: Path) -> None:
    studio = Studio()
    studio.change("", markers=FULL)
    editor_of(studio).write_files(tmp_path / "site.csv")
    names = ["site_lengths.csv", "site_marks.csv", "site_points.csv"]
    assert sorted(each.name for each in tmp_path.iterdir()) == names
    other = Studio()
    editor_of(other).take_files([tmp_path / name for name in names])
    found = other.project.markers
    # P3 is neither marked nor surveyed, so no table has it but that of lengths.
    assert {one.name: one for one in found.points} == {
        one.name: one for one in FULL.points if one.name != "P3"
    }
    assert found.bars == FULL.bars[:1]
    assert found.crs == FULL.crs
    assert other.toasts == ["The length from P2 to P3 was left out: there is no such marker yet."]


def test_imported_marks_find_photos_by_the_end_of_their_names(tmp_path: Path) -> None:
    file = tmp_path / "marks.csv"
    file.write_text("name,photo,x,y\nA,images/a.jpg,1,2\nA,gone.jpg,3,4\n")
    studio = Studio(("left/a.jpg", "b.jpg"))
    editor_of(studio, "b.jpg").take_files([file])
    assert studio.project.markers.points == (Marker("A", (at("left/a.jpg", 1.0, 2.0),)),)
    (told,) = studio.toasts
    assert told.startswith("1 of 2 marks were left out")


def test_a_table_of_something_else_is_told(tmp_path: Path) -> None:
    file = tmp_path / "notes.csv"
    file.write_text("colour,taste\nred,sweet\n")
    with pytest.raises(ReconError):
        read_table_of_markers(file)


def test_what_does_not_count_yet_asks_for_no_other_run() -> None:
    one_mark = Markers((Marker("A", (at("a.jpg"),)),), by_hand=True)
    assert kept.stamp(one_mark) == kept.stamp(kept.NONE) == ""
    two = kept.with_mark(one_mark, "A", at("b.jpg"))
    assert kept.stamp(two) == ""
    known = kept.with_coordinates(two, "A", (1.0, 2.0, 3.0), None, False)
    assert kept.stamp(known)
    assert kept.stamp(kept.with_mark(known, "A", at("b.jpg", 11.0))) != kept.stamp(known)
    with pytest.raises(ConfigError):
        kept.with_coordinates(two, "A", (1.0, 2.0, 3.0), -1.0, False)


def test_markers_act_at_once_on_the_run_that_is_shown() -> None:
    keys = {"ingest": "1" * 16, "pose": "2" * 16, "frame": "4" * 16}
    project = Project(sources=(Path("photos"),), workspace=Path("a.recon3d"))
    folders = {stage: project.workspace / stage / key for stage, key in keys.items()}
    runs = with_run(project, project, folders, datetime.now())
    project = replace(project, runs=runs)
    assert adjustment(project, folders) is None
    marked = replace(project, markers=FULL)
    request = adjustment(marked, folders)
    assert request
    assert request.markers == FULL
    reached = {**folders, "bars": project.workspace / "bars" / ("5" * 16)}
    after = replace(marked, runs=adjusted_runs(marked, marked, request, reached))
    assert adjustment(after, reached) is None
    gone = adjustment(replace(after, markers=kept.NONE), reached)
    assert gone
    assert gone.markers == kept.NONE
    # Points that move the cameras need another run.
    moving = replace(marked, changes={"control": {"adjust": True}})
    assert adjustment(moving, folders) is None


def test_the_model_stays_in_view_while_markers_act() -> None:
    whole = {stage: Path(stage) for stage in ("pose", "depth", "mesh", "texture", "frame")}
    for stage in MARKED:
        assert _without_later(whole, stage) == whole
    assert set(_without_later(whole, "depth")) == {"pose", "frame"}


def test_the_next_run_takes_the_markers() -> None:
    project = Project(workspace=Path("a.recon3d"), markers=FULL)
    assert project.inputs.markers == FULL
    assert replace(project, markers=kept.NONE).inputs.markers is None


def test_errors_coordinates_and_foretold_places_come_from_the_shown_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    posed, image_set = placed_cameras()
    frame = TargetFrame(ENH_FROM_WORLD, "metre", {})
    stages = {"pose": posed, "ingest": image_set, "frame": frame}
    monkeypatch.setattr(
        "recon3d_gui.photos.overlays.RunReader.read", lambda self, stage, reached: stages[stage]
    )
    ids = [view.photo_id for view in posed.scene.views]
    own = {f"mine/{each}": each for each in ids}
    places = scattered(5, np.random.default_rng(3))
    enh = ENH_FROM_SCENE @ places
    points = [
        Marker(
            f"P{n}",
            tuple(
                at(f"mine/{view.photo_id}", *mark(view, place).tolist())
                for view in posed.scene.views[:3]
            ),
            tuple((enh[n] + [0, 0, 0.02 * (n == 4)]).tolist()),
            is_check=n == 4,
        )
        for n, place in enumerate(places)
    ]
    length = float(np.linalg.norm(enh[0] - enh[1]))
    markers = Markers(tuple(points), (ScaleBar("P0", "P1", length + 0.004),), by_hand=True)
    measuring = Measuring()
    reached = {stage: Path(stage) for stage in stages}
    measuring.ask(markers, reached, own, f"mine/{ids[4]}", Config())
    until = time.monotonic() + 20
    while measuring.is_busy and time.monotonic() < until:
        measuring.tick()
        time.sleep(0.01)
    found = measuring.found
    assert not found.problem
    assert found.unit == "m"
    for n, place in enumerate(places):
        known = found.markers[f"P{n}"]
        assert set(known.errors_px) == {f"mine/{each}" for each in ids[:3]}
        assert known.rms_px == pytest.approx(0, abs=1e-3)
        ((photo, pixel),) = known.predicted.items()
        assert photo == f"mine/{ids[4]}"
        expected = mark(posed.scene.views[4], place)
        assert (pixel.column, pixel.row) == pytest.approx(tuple(expected), abs=1e-3)
        assert found.model[f"P{n}"] == pytest.approx(tuple(enh[n]), abs=1e-4)
    assert found.gaps_m["P0"] == pytest.approx((0, 0, 0), abs=1e-4)
    assert found.gaps_m["P4"] == pytest.approx((0, 0, -0.02), abs=1e-4)
    residual_m = found.residual_m(markers.bars[0])
    assert residual_m == pytest.approx(-0.004, abs=1e-4)


def test_a_foretold_place_is_accepted_by_a_click_and_moved_by_a_drag() -> None:
    studio = Studio()
    studio.change("", markers=FULL)
    editor = editor_of(studio, "c.jpg")
    from recon3d_gui.markers.measuring import Measured

    from recon3d.georef.control.measured import MeasuredMarker

    foretold = MeasuredMarker(predicted={"c.jpg": at("c.jpg", 99.5, 49.5)})
    editor.measuring.found = Measured({"P2": foretold})
    (shown,) = editor.shown()
    assert (shown.name, shown.is_set, shown.places) == ("P2", False, ((100.0, 50.0),))
    assert editor.grab((101.0, 50.0), 4.0)
    editor.drag((105.0, 50.0), SIZE)
    editor.release()
    marker = studio.project.markers.named("P2")
    assert marker
    assert marker.marks[-1] == at("c.jpg", 104.5, 49.5)
