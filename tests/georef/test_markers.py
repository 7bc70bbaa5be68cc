"""Markers and scale bars: lengths within their error bars, wrong marks by name, one file format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from survey_scene import WORLD_FROM_SCENE, mark, placed_cameras, scattered

from recon3d.cli.run import bar_lines
from recon3d.core.errors import InputError
from recon3d.core.scene import ImageSet, PosedPhotos
from recon3d.core.surface import Mesh
from recon3d.georef.control.bars import SceneBars, find_bars, read_bars
from recon3d.georef.control.files import bars_table, marks_table, points_table, read_markers
from recon3d.georef.control.markers import Marker, Markers, ScaleBar, usable_markers
from recon3d.georef.control.measured import measure_bars, measure_marker
from recon3d.georef.control.points import ControlError
from recon3d.georef.control.stage import NoControl
from recon3d.georef.control.survey import ControlConfig
from recon3d.georef.control.tables import UnreadableTableError
from recon3d.georef.frame import FrameConfig, find_frame, read_frame, warnings
from recon3d.georef.known_scale import PhotoPixel
from recon3d.placing_markers import given_markers
from recon3d.results import Inputs
from recon3d.run.task import CancelToken, Task, silent

TASK = Task("bars", silent, CancelToken())
CLICK_PX = 0.3
METRES_PER_UNIT = 10 / WORLD_FROM_SCENE.scale
"""The scene is 20 m wide."""


@pytest.fixture(scope="module")
def cameras() -> tuple[PosedPhotos, ImageSet]:
    return placed_cameras()


def marked(
    posed: PosedPhotos,
    name: str,
    place_scene: np.ndarray,
    rng: np.random.Generator | None = None,
    photos: int = 5,
    sigma_px: float = CLICK_PX,
) -> Marker:
    pixels = []
    for view in posed.scene.views[:photos]:
        noise = rng.normal(0, sigma_px, 2) if rng else 0.0
        column, row = (mark(view, place_scene) + noise).tolist()
        pixels.append(PhotoPixel(view.photo_id, column, row, is_upright=True))
    return Marker(name, tuple(pixels))


def moved(marker: Marker, photo: int, by_px: float) -> Marker:
    marks = [*marker.marks]
    marks[photo] = replace(marks[photo], row=marks[photo].row + by_px)
    return replace(marker, marks=tuple(marks))


def test_marks_with_noise_give_the_length_within_the_stated_error_bar(
    cameras: tuple[PosedPhotos, ImageSet],
) -> None:
    posed, image_set = cameras
    rng, off = np.random.default_rng(5), []
    for _ in range(150):
        places = scattered(2, rng)
        ends = [marked(posed, name, at, rng) for name, at in zip("AB", places, strict=True)]
        truth = float(np.linalg.norm(WORLD_FROM_SCENE.scale * (places[1] - places[0])))
        bar = ScaleBar("A", "B", truth * METRES_PER_UNIT, accuracy_m=1e-6)
        (found,), _ = measure_bars(Markers(tuple(ends), (bar,)), posed.scene, image_set, CLICK_PX)
        assert not found.problem
        off.append((found.length / truth - 1) / found.sigma)
    # Of a normal distribution 68 % lie within one error bar, ± 4 % for 150 of them.
    within = np.mean(np.abs(off) < 1)
    assert 0.56 < within < 0.84
    assert np.mean(np.abs(off) < 2) > 0.9


def test_a_gross_mark_is_left_out_and_named_with_its_photo(
    cameras: tuple[PosedPhotos, ImageSet],
) -> None:
    posed, image_set = cameras
    rng = np.random.default_rng(1)
    place = scattered(1, rng)[0]
    marker = moved(marked(posed, "well", place, rng), 2, 50.0)
    found = measure_marker(marker, posed.scene, image_set, 1.0)
    photo = posed.scene.views[2].photo_id
    assert found.located
    assert [*found.located.wrong_px] == [photo]
    assert found.problem.startswith(f"The mark of well in {photo} does not count: it is 5")
    assert found.rms_px is not None
    assert found.rms_px < 3 * CLICK_PX
    size = np.linalg.norm(found.located.place.xyz_world - WORLD_FROM_SCENE @ place)
    assert size < 0.01 * WORLD_FROM_SCENE.scale


def test_two_marks_that_do_not_meet_are_told_with_both_photos(
    cameras: tuple[PosedPhotos, ImageSet],
) -> None:
    posed, image_set = cameras
    place = scattered(1, np.random.default_rng(2))[0]
    marker = moved(marked(posed, "well", place, photos=2), 0, 50.0)
    found = measure_marker(marker, posed.scene, image_set, 1.0)
    first, second = (view.photo_id for view in posed.scene.views[:2])
    assert "The two marks of well do not show one place" in found.problem
    assert f"in {first} and {second}" in found.problem


def test_other_photos_are_told_where_they_show_a_marker(
    cameras: tuple[PosedPhotos, ImageSet],
) -> None:
    posed, image_set = cameras
    place = scattered(1, np.random.default_rng(3))[0]
    found = measure_marker(marked(posed, "A", place, photos=2), posed.scene, image_set, 1.0)
    views = {view.photo_id: view for view in posed.scene.views[2:]}
    assert set(found.predicted) == set(views)
    for photo, pixel in found.predicted.items():
        assert np.allclose((pixel.column, pixel.row), mark(views[photo], place), atol=1e-3)


def test_one_mark_gives_the_line_on_which_other_photos_show_the_marker(
    cameras: tuple[PosedPhotos, ImageSet],
) -> None:
    posed, image_set = cameras
    place = scattered(1, np.random.default_rng(4))[0]
    found = measure_marker(marked(posed, "A", place, photos=1), posed.scene, image_set, 1.0)
    assert found.problem == "A is marked in one placed photo only; mark it in a second one."
    assert found.lines
    for view in posed.scene.views[1:]:
        line = np.array([(at.column, at.row) for at in found.lines[view.photo_id]])
        start, along = line[0], np.diff(line[[0, -1]], axis=0)[0]
        beside = mark(view, place) - start
        cross = along[0] * beside[1] - along[1] * beside[0]
        assert abs(cross) / np.linalg.norm(along) < 0.01


def test_a_photo_that_is_not_placed_is_told(cameras: tuple[PosedPhotos, ImageSet]) -> None:
    posed, image_set = cameras
    place = scattered(1, np.random.default_rng(6))[0]
    marker = marked(posed, "A", place, photos=3)
    scene = replace(posed.scene, views=posed.scene.views[1:])
    found = measure_marker(marker, scene, image_set, 1.0)
    gone = posed.scene.views[0].photo_id
    assert found.problem == f"{gone} is not placed, so the mark of A there does not count."
    assert found.located


def square(size: float) -> Mesh:
    corners = size * np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
    return Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]], np.int32))


def test_files_of_marks_and_lengths_give_the_model_its_size(
    tmp_path: Path, cameras: tuple[PosedPhotos, ImageSet]
) -> None:
    posed, image_set = cameras
    rng = np.random.default_rng(7)
    places = scattered(3, rng)
    ends = tuple(marked(posed, name, at, rng) for name, at in zip("ABC", places, strict=True))

    def metres(first: int, second: int) -> float:
        return 10 * float(np.linalg.norm(places[first] - places[second]))

    bars = (
        ScaleBar("A", "B", metres(0, 1), 0.002),
        ScaleBar("B", "C", metres(1, 2)),
        ScaleBar("A", "C", 1.02 * metres(0, 2), None, is_check=True),
    )
    markers = Markers(ends, bars)
    files = tmp_path / "marks.csv", tmp_path / "bars.csv"
    files[0].write_text(marks_table(markers))
    files[1].write_text(bars_table(markers))
    inputs = Inputs(photos=tmp_path, gcp_marks=files[0], scale_bars=files[1])
    given = given_markers(image_set, inputs, ControlConfig())
    assert given.control is None
    assert given.bars
    find_bars(posed, image_set, given.bars, ControlConfig(), tmp_path, TASK)
    found = read_bars(tmp_path)
    find_frame(
        posed, image_set, square(1), NoControl(), found, FrameConfig(), tmp_path, TASK
    )  # fmt: skip
    frame = read_frame(tmp_path)
    assert frame.unit == "metre"
    # 5 photos of .3 px each over half of the picture's width.
    assert frame.target_from_world.scale == pytest.approx(METRES_PER_UNIT, rel=3e-3)
    first, second, check = frame.report["scale_bars"]
    assert abs(first["residual_m"]) < 3 * first["error_m"] < 0.2
    assert abs(second["residual_m"]) < 3 * second["error_m"]
    assert check["residual_m"] == pytest.approx(-0.02 * metres(0, 2), rel=0.3)
    assert not warnings(frame)
    lines = bar_lines(frame.report["scale_bars"])
    assert lines[0].startswith("  A - B: ")
    assert lines[2].endswith("mm  check")


def test_a_length_that_contradicts_the_others_is_named(
    tmp_path: Path, cameras: tuple[PosedPhotos, ImageSet]
) -> None:
    posed, image_set = cameras
    places = scattered(3, np.random.default_rng(8))
    ends = tuple(marked(posed, name, at) for name, at in zip("ABC", places, strict=True))
    lengths = [10 * float(np.linalg.norm(places[a] - places[b])) for a, b in ((0, 1), (1, 2))]
    bars = (
        ScaleBar("A", "B", lengths[0]),
        ScaleBar("B", "C", lengths[1]),
        ScaleBar("A", "C", 14 * float(np.linalg.norm(places[0] - places[2]))),
    )
    found, _ = measure_bars(Markers(ends, bars), posed.scene, image_set, 1.0)
    scene = SceneBars(tuple(found))
    find_frame(
        posed, image_set, square(1), NoControl(), scene, FrameConfig(), tmp_path, TASK
    )  # fmt: skip
    (warning,) = warnings(read_frame(tmp_path))
    assert warning.startswith("The scale from scale bar (A to C = ")


def test_what_is_exported_is_read_again(tmp_path: Path) -> None:
    markers = Markers(
        (
            Marker(
                'corner "a", 1', (PhotoPixel("b/1.jpg", 12.125, 7.5),), (391390.25, 5817855.5, 40.0)
            ),
            Marker("P2", (), (1.0, 2.5, 3.0), 0.015, is_check=True),
            Marker("free", (PhotoPixel("b/1.jpg", 1.0, 2.0), PhotoPixel("c.jpg", 3.0, 4.0))),
        ),
        (ScaleBar("P2", "free", 1.25, 0.0005), ScaleBar("free", "x", 2.0, None, is_check=True)),
        "EPSG:25833",
    )
    files = [tmp_path / name for name in ("points.csv", "marks.csv", "bars.csv")]
    tables = points_table(markers), marks_table(markers), bars_table(markers)
    for file, table in zip(files, tables, strict=True):
        file.write_text(table, encoding="utf-8")
    assert read_markers(*files) == markers


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("from,to,length_m\nA,A,1\n", "two names that differ"),
        ("from,to,length_m\nA,B,0\n", "length is 0, not above 0"),
        ("from,to,length_m,accuracy_m\nA,B,1,-1\n", "accuracy is -1, not above 0"),
        ("from,to,length_m\nA,B,1\nB,A,1\n", "from B to A is given already"),
        ("from,length_m\nA,1\n", "no column for to"),
        ("from,to,length_m\nA,B,long\n", "line 2"),
    ],
)
def test_scale_bars_that_cannot_be_read_are_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "bars.csv"
    file.write_text(text)
    with pytest.raises((UnreadableTableError, ControlError), match=words):
        read_markers(None, None, file)


@pytest.mark.parametrize(
    ("markers", "words"),
    [
        (Markers((), (ScaleBar("A", "B", 1.0),)), "No marker is called A."),
        (
            Markers(
                (
                    Marker("A", (PhotoPixel("photo 0", 1.0, 1.0),)),
                    Marker("B", (PhotoPixel("photo 0", 1.0, 1.0), PhotoPixel("photo 1", 1.0, 1.0))),
                ),
                (ScaleBar("A", "B", 1.0),),
            ),
            "A is marked in one photo only, and two are needed.",
        ),
        (
            Markers(
                tuple(
                    Marker(n, (PhotoPixel("photo 0", 1.0, 1.0), PhotoPixel("photo 1", 9999.0, 1.0)))
                    for n in "AB"
                ),
                (ScaleBar("A", "B", 1.0),),
            ),
            "which has only 640 x 480 pixels.",
        ),
    ],
)
def test_bars_without_their_marks_are_errors_from_files_and_told_when_set_by_hand(
    cameras: tuple[PosedPhotos, ImageSet], markers: Markers, words: str
) -> None:
    _, image_set = cameras
    ids = [photo.id for photo in image_set.photos]
    names = {"photo 0": ids[0], "photo 1": ids[1]}
    markers = replace(
        markers,
        points=tuple(
            replace(
                one,
                marks=tuple(replace(mark, photo=names[mark.photo]) for mark in one.marks),
            )
            for one in markers.points
        ),
    )
    with pytest.raises(InputError, match=words):
        usable_markers(markers, [], image_set)
    control, bars, notes = usable_markers(replace(markers, by_hand=True), [], image_set)
    assert (control, bars) == (None, None)
    assert words in notes[0]


def test_too_few_coordinates_set_by_hand_are_told_and_stop_nothing(
    cameras: tuple[PosedPhotos, ImageSet],
) -> None:
    posed, image_set = cameras
    place = scattered(1, np.random.default_rng(9))[0]
    one = replace(marked(posed, "A", place), enh_m=(1.0, 2.0, 3.0))
    markers = Markers((one,), by_hand=True)
    control, bars, (note,) = usable_markers(markers, [], image_set)
    assert (control, bars) == (None, None)
    assert "Ground control needs 3 points" in note
