"""Masks that are drawn by hand, without the window."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from recon3d_gui.masks.drawing import Area, MaskDrawing
from recon3d_gui.masks.editor import MaskEditor
from recon3d_gui.masks.files import new_masks_folder, read_sheet, write_mask
from recon3d_gui.masks.painted import PaintedPhoto
from recon3d_gui.photos.rows import PhotoRow
from recon3d_gui.photos.tiles import Tile
from recon3d_gui.project.project import Project

from recon3d.core.orientation import turn_raster
from recon3d.photos.companions import drawn_mask_path
from recon3d.photos.masks import hidden_in_red

SIZE = (60, 80)


def blank() -> MaskDrawing:
    return MaskDrawing(np.ones(SIZE, bool))


def test_the_brush_hides_a_round_line_and_keeps_again() -> None:
    drawing = blank()
    area = drawing.paint((20.0, 30.0), (50.0, 30.0), 6.0, keep=False)
    drawing.finish()
    rows, columns = np.mgrid[:60, :80] + 0.5
    along = np.clip(columns, 20, 50)
    away = np.hypot(columns - along, rows - 30)
    assert not drawing.keep[away < 5].any()
    assert drawing.keep[away > 7.5].all()
    outside = np.ones(SIZE, bool)
    outside[area.top : area.bottom, area.left : area.right] = False
    assert drawing.keep[outside].all()
    drawing.paint((35.0, 30.0), (35.0, 30.0), 3.0, keep=True)
    assert drawing.keep[30, 35]
    assert not drawing.keep[30, 25]


def test_a_lasso_fills_what_it_goes_around_and_a_click_nothing() -> None:
    drawing = blank()
    drawing.fill([(10, 10), (40, 10), (40, 40), (10, 40)], keep=False)
    drawing.finish()
    assert not drawing.keep[12:38, 12:38].any()
    assert drawing.keep.sum() == pytest.approx(60 * 80 - 30 * 30, abs=130)  # its rim
    drawing.fill([(60, 50), (61, 50)], keep=False)
    assert not drawing.finish()


def test_undo_and_redo_go_through_every_step_and_name_what_has_changed() -> None:
    drawing, states = blank(), []
    for step in range(5):
        states.append(drawing.keep)
        drawing.paint((10.0 * step, 5.0), (10.0 * step, 50.0), 2.0, keep=False)
        assert drawing.finish()
    last = drawing.keep
    for state in reversed(states):
        before = drawing.keep
        area = drawing.undo()
        assert area is not None
        np.testing.assert_array_equal(drawing.keep, state)
        changed = np.zeros(SIZE, bool)
        changed[area.top : area.bottom, area.left : area.right] = True
        assert not (before ^ drawing.keep)[~changed].any()
    assert drawing.undo() is None
    while drawing.redo():
        pass
    np.testing.assert_array_equal(drawing.keep, last)
    drawing.undo()
    drawing.paint((70.0, 50.0), (70.0, 50.0), 3.0, keep=False)
    drawing.finish()
    assert drawing.redo() is None  # another way was taken


def test_a_stroke_that_changes_nothing_is_no_step() -> None:
    drawing = blank()
    drawing.paint((20.0, 20.0), (30.0, 20.0), 4.0, keep=True)
    assert not drawing.finish()
    assert drawing.undo() is None


def test_only_tiles_under_a_stroke_are_made_anew_and_all_levels_show_it() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (700, 1100, 3), np.uint8)
    drawing = MaskDrawing(np.ones((700, 1100), bool))
    painted = PaintedPhoto(rgb, drawing.grey)
    every = painted.take_stale()
    area = drawing.paint((100.0, 100.0), (120.0, 100.0), 10.0, keep=False)
    painted.update(drawing.grey, area)
    stale = painted.take_stale()
    assert stale < every
    assert Tile(0, 0, 0) in stale
    assert Tile(0, 3, 1) not in stale
    np.testing.assert_array_equal(painted.pyramid.levels[0], hidden_in_red(rgb, drawing.keep))
    coarsest = painted.pyramid.levels[-1]
    factor = coarsest.shape[1] / 1100
    place = (int(100 * factor), int(110 * factor))
    assert coarsest[place][0] > coarsest[place][1] + 40  # red
    revision = painted.revision
    painted.update(drawing.grey, Area(0, 0, 0, 0))
    assert painted.revision == revision


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_one_draws_on_the_upright_photo(tmp_path: Path, orientation: int) -> None:
    stored = np.zeros((40, 60, 3), np.uint8)
    stored[:20, :30] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    upright = turn_raster(stored, orientation)
    sheet = read_sheet(tmp_path / "a.png", None, "auto")
    assert sheet.keep.all()
    np.testing.assert_array_equal(sheet.rgb > 128, upright > 128)
    grey = np.ascontiguousarray(upright[..., 0])
    write_mask(tmp_path / "a.png.png", grey)
    again = read_sheet(tmp_path / "a.png", tmp_path / "a.png.png", "upright")
    np.testing.assert_array_equal(again.keep, grey > 0)


def test_a_mask_that_does_not_fit_is_told_and_nothing_is_hidden(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(np.full((40, 41), 255, np.uint8)).save(tmp_path / "m.png")
    sheet = read_sheet(tmp_path / "a.png", tmp_path / "m.png", "auto")
    assert "41x40" in sheet.problem
    assert sheet.keep.all()


def test_masks_never_go_into_a_folder_that_is_there_already(tmp_path: Path) -> None:
    assert new_masks_folder(tmp_path / "church.recon3d") == tmp_path / "church_masks"
    (tmp_path / "church_masks").mkdir()
    assert new_masks_folder(tmp_path / "church.recon3d") == tmp_path / "church_masks_2"


class FakeStudio:
    def __init__(self, folder: Path) -> None:
        self.project = Project(workspace=folder / "church.recon3d")
        self.known: dict[str, dict[str, Path]] = {}
        self.photos = SimpleNamespace(masks=lambda photo_id: self.known.get(photo_id, {}))
        self.toasts: list[str] = []
        self.looks = 0

    def change(self, label: str, **changed: Any) -> None:
        self.project = replace(self.project, **changed)

    def toast(self, text: str, kind: str = "info", details: str = "") -> None:
        self.toasts.append(text)

    def look_again(self) -> None:
        self.looks += 1


@pytest.fixture
def studio(tmp_path: Path) -> FakeStudio:
    return FakeStudio(tmp_path)


@pytest.fixture
def editor(studio: FakeStudio) -> Iterator[MaskEditor]:
    editor = MaskEditor(studio)  # type: ignore[arg-type]
    editor.switch(on=True)
    yield editor
    editor.close()


def row_of(folder: Path, name: str) -> PhotoRow:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.full((*SIZE, 3), 120, np.uint8)).save(path)
    return PhotoRow(name, path, path)


def until(editor: MaskEditor, what: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end
        editor.tick()
        time.sleep(0.005)


def opened(editor: MaskEditor, row: PhotoRow) -> None:
    editor.ask(row)
    until(editor, lambda: editor.drawing is not None)


def dot(editor: MaskEditor, x: float, y: float, *, opposite: bool = False) -> None:
    editor.press((x, y), opposite=opposite)
    editor.release()


def test_a_stroke_is_saved_by_itself_and_found_again(
    editor: MaskEditor, studio: FakeStudio, tmp_path: Path
) -> None:
    row, other = row_of(tmp_path / "in", "a.png"), row_of(tmp_path / "in", "b.png")
    opened(editor, row)
    assert not editor.has_own
    dot(editor, 40, 30)
    assert editor.has_own
    # At once to another photo and back: what was drawn is there, whether or not it is listed.
    opened(editor, other)
    opened(editor, row)
    assert editor.drawing is not None
    assert not editor.drawing.keep[30, 40]
    assert editor.drawing.keep[5, 5]
    until(editor, lambda: studio.looks > 0)
    assert studio.project.drawn_masks == tmp_path / "church_masks"
    with Image.open(drawn_mask_path(tmp_path / "church_masks", "a.png")) as saved:
        np.testing.assert_array_equal(np.asarray(saved) > 0, editor.drawing.keep)
    assert not drawn_mask_path(tmp_path / "church_masks", "b.png").exists()
    assert not studio.toasts


def test_the_right_button_keeps_where_the_left_one_hides(
    editor: MaskEditor, tmp_path: Path
) -> None:
    opened(editor, row_of(tmp_path / "in", "a.png"))
    assert editor.drawing is not None
    editor.size_percent = 25.0
    dot(editor, 40, 30)
    editor.size_percent = 4.0
    dot(editor, 40, 30, opposite=True)
    assert editor.drawing.keep[30, 40]
    assert not editor.drawing.keep[30, 46]
    editor.tool = "lasso"
    editor.hides = False
    editor.press((30, 20))
    for place in ((50, 20), (50, 40), (30, 40)):
        editor.move(place)
    editor.release()
    assert editor.drawing.keep.all()


def test_a_mask_begins_with_what_there_is_and_can_start_over(
    editor: MaskEditor, studio: FakeStudio, tmp_path: Path
) -> None:
    row = row_of(tmp_path / "in", "a.png")
    left, top = np.full(SIZE, 255, np.uint8), np.full(SIZE, 255, np.uint8)
    left[:, :40], top[:30] = 0, 0
    for name, grey in (("given", left), ("found", top)):
        write_mask(tmp_path / f"{name}.png", grey)
        studio.known.setdefault("a.png", {})[name] = tmp_path / f"{name}.png"
    opened(editor, row)
    assert editor.drawing is not None
    assert editor.beginnings == ["nothing", "given", "found"]
    np.testing.assert_array_equal(editor.drawing.grey, left)
    editor.start_over("found")
    until(editor, lambda: editor.drawing is not None and not editor.drawing.keep[0, 70])
    np.testing.assert_array_equal(editor.drawing.grey, top)
    assert editor.undo()
    np.testing.assert_array_equal(editor.drawing.grey, left)
    assert editor.redo()
    editor.start_over("nothing")
    assert editor.drawing.keep.all()
    assert editor.has_own
    editor.forget_own()
    until(editor, lambda: editor.drawing is not None and not editor.is_busy)
    np.testing.assert_array_equal(editor.drawing.grey, left)
    assert not editor.has_own
    assert not drawn_mask_path(tmp_path / "church_masks", "a.png").exists()


def test_a_photo_that_is_gone_and_a_full_place_are_told(
    editor: MaskEditor, studio: FakeStudio, tmp_path: Path
) -> None:
    editor.ask(PhotoRow("no.png", tmp_path / "no.png", tmp_path / "no.png"))
    until(editor, lambda: bool(studio.toasts))
    (tmp_path / "file").write_text("")
    studio.project = replace(studio.project, drawn_masks=tmp_path / "file" / "masks")
    opened(editor, row_of(tmp_path / "in", "a.png"))
    dot(editor, 40, 30)
    until(editor, lambda: len(studio.toasts) > 1)
    assert "not saved" in studio.toasts[-1]


def test_another_project_of_the_same_photos_begins_anew(
    editor: MaskEditor, studio: FakeStudio, tmp_path: Path
) -> None:
    row = row_of(tmp_path / "in", "a.png")
    opened(editor, row)
    dot(editor, 40, 30)
    studio.project = Project(workspace=tmp_path / "other.recon3d")
    editor.ask(row)
    assert editor.drawing is None
    until(editor, lambda: editor.drawing is not None)
    assert editor.drawing is not None
    assert editor.drawing.keep.all()
    assert not editor.has_own
    dot(editor, 10, 10)
    until(editor, lambda: not editor.is_busy)
    assert studio.project.drawn_masks == tmp_path / "other_masks"
