"""The report is written after every run, whatever became of it, and harms nobody."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

from recon3d.core.camera import Intrinsics, PinholeCamera
from recon3d.core.depth import SceneDepth
from recon3d.core.errors import TooFewPhotosPlacedError
from recon3d.core.scene import (
    CameraEstimate,
    Exif,
    ImageSet,
    LensStep,
    Photo,
    PosedPhotos,
    PosedScene,
    SparsePoints,
    Verdict,
    View,
)
from recon3d.core.surface import Mesh, TexturedMesh, face_areas
from recon3d.core.transform import Rigid
from recon3d.report import Run, write_report
from recon3d.run.cost import Cost
from recon3d.surface.stills import BACKGROUND, StillRenderer, turntable

STEPS = (
    LensStep("principal point", True),
    LensStep("second radial term", False, "not sure <enough>"),
)
CAMERA = PinholeCamera(64, 48, 60.0, 60.0, 32.0, 24.0)
IDS = ("a.jpg", "<script>alert(1)</script>.jpg", "山/ü \" onload='x' b.png", "bytes\udcff.jpg")


@pytest.fixture(scope="module")
def ball() -> Mesh:
    sphere = trimesh.creation.icosphere(subdivisions=3, radius=1.0)
    vertices = np.asarray(sphere.vertices, np.float32)
    rgb = np.zeros((len(vertices), 3), np.uint8)
    rgb[:, 0] = 255
    return Mesh(vertices, np.asarray(sphere.faces, np.int32), None, rgb)


@pytest.fixture
def image_set(tmp_path: Path) -> ImageSet:
    pictures = {}
    for number, photo_id in enumerate(IDS):
        pictures[photo_id] = tmp_path / f"{number}.jpg"
        Image.new("RGB", (640, 480), (60 * number, 90, 120)).save(pictures[photo_id])
    pictures[IDS[0]].write_bytes(b"broken since")
    photos = tuple(Photo(i, i, 640, 480, Exif(), "", "one") for i in IDS)
    left_out = Verdict("leer.jpg", False, "The file is empty.", "Copy it again.")
    return ImageSet(photos, (left_out,), False, pictures, {}, {})


@pytest.fixture
def posed() -> PosedPhotos:
    views = []
    for number, photo_id in enumerate(IDS):
        angle = number * np.pi / 2
        forward = np.array([-np.sin(angle), 0, -np.cos(angle)])
        rotation = np.stack([np.cross([0, 1, 0], forward), [0, 1, 0], forward])
        views.append(View(photo_id, CAMERA, Rigid(rotation, np.array([0, 0, 4.0]))))
    points = SparsePoints(
        np.eye(3), np.zeros((3, 3), np.uint8), np.array([0.4, 0.5, 0.6]), np.array([[0, 1], [1, 1]])
    )
    cameras = {"one": CameraEstimate(Intrinsics(CAMERA), "exif, refined", 0.3, (0.4, 0.7), STEPS)}
    joined = "2 photos (a) were joined to the others by 17 points that both show."
    report = {
        "attempts": np.int64(2), "brought_by_second_look": [IDS[1]], "joined": [joined]
    }  # fmt: skip
    scene = PosedScene(tuple(views), points, "metre", cameras, report)
    rgb = {i: np.full((48, 64, 3), 99, np.uint8) for i in IDS}
    return PosedPhotos(scene, rgb, {}, {}, tuple(Verdict(i, True) for i in IDS))


@pytest.fixture
def depth() -> dict[str, SceneDepth]:
    half = np.repeat(np.float32([[0, 2.5]]), 48, axis=0).repeat(32, axis=1)
    return {i: SceneDepth(half, np.ones_like(half), CAMERA, i) for i in IDS}


def write(target: Path, copy_to: Path | None = None, **parts: Any) -> tuple[str, Mapping[str, Any]]:
    write_report(target, Run(**parts), copy_to)
    facts = json.loads(target.with_suffix(".json").read_text(encoding="utf-8"))
    return target.read_text(encoding="utf-8"), facts


class Tags(HTMLParser):
    """Collects what a browser would see as tags and where they point."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def test_a_whole_run_is_told_in_numbers(
    tmp_path: Path,
    image_set: ImageSet,
    posed: PosedPhotos,
    depth: dict[str, SceneDepth],
    ball: Mesh,
) -> None:
    page, facts = write(
        tmp_path / "out/report.html",
        image_set=image_set,
        posed=posed,
        depth=depth,
        mesh=ball,
        costs={"pose": (Cost(3.0, 5.5, 2**30), False), "mesh": (Cost(1.0, 1.0, 2**29), True)},
        settings={"mesh": {"faces": 300_000, "ratio": float("nan")}},
        written=[Path("scene.ply")],
        copy_to=tmp_path / "copy.html",
    )
    assert facts["schema"] == 1
    assert facts["status"] == "finished"
    verdicts = {photo["id"]: photo["verdict"] for photo in facts["photos"]}
    assert verdicts["a.jpg"] == "used"
    assert verdicts["leer.jpg"] == "left out"
    assert facts["photos"][1]["sparse_points"] == 2
    assert facts["photos"][1]["depth_coverage"] == 0.5
    assert facts["poses"]["mean_error_px"] == pytest.approx(0.5)
    assert facts["poses"]["attempts"] == 2
    assert facts["cameras"]["one"]["focal_std_px"] == 0.3
    assert facts["cameras"]["one"]["centre_std_px"] == [0.4, 0.7]
    assert "± 0.4, 24.0 ± 0.7 px" in page
    assert "second radial term: not sure &lt;enough&gt;" in page
    assert facts["mesh"]["faces"] == len(ball.faces)
    assert facts["mesh"]["size"] == pytest.approx([2, 2, 2], abs=0.05)
    assert facts["mesh"]["area"] == pytest.approx(4 * np.pi, rel=0.02)
    assert facts["stages"]["mesh"]["cached"]
    assert facts["settings"]["mesh"]["ratio"] is None
    assert "4 of 5 photos" in page
    assert f"A second look at what had been left out placed {escape(IDS[1])}." in page
    assert "were joined to the others by 17 points that both show." in page
    assert (tmp_path / "copy.html").read_text(encoding="utf-8") == page
    assert (tmp_path / "copy.json").exists()


def test_hostile_file_names_stay_text_and_nothing_is_loaded_from_outside(
    tmp_path: Path,
    image_set: ImageSet,
    posed: PosedPhotos,
    depth: dict[str, SceneDepth],
    ball: Mesh,
) -> None:
    page, _ = write(
        tmp_path / "report.html", image_set=image_set, posed=posed, depth=depth, mesh=ball,
        warnings=["<img src=x onerror=alert(1)>"], settings={"<b>": {"<i>": "<u>"}},
        written=[Path("<a href=x>.ply")],
    )  # fmt: skip
    tags = Tags(page)
    assert not {"script", "a", "b i", "i", "u", "iframe", "link"} & set(tags.names)
    assert tags.handlers == []
    assert tags.links
    assert all(link.startswith("data:image/") for link in tags.links)
    assert "&lt;script&gt;" in page
    assert "山/ü" in page
    assert not re.search(r"https?://", page)


def test_a_failure_before_the_first_stage_has_a_report_with_advice(tmp_path: Path) -> None:
    failure = TooFewPhotosPlacedError("Only 1 of 11 photos.", hint="Overlap by 60 % & more.")
    page, facts = write(tmp_path / "report.html", failure=failure)
    assert facts["status"] == "failed"
    assert facts["failure"] == {
        "kind": "TooFewPhotosPlacedError",
        "message": "Only 1 of 11 photos.",
        "hint": "Overlap by 60 % & more.",
    }
    assert "Overlap by 60 % &amp; more." in page


@pytest.mark.parametrize("reached", range(4))
def test_a_run_that_ends_anywhere_has_a_report(
    tmp_path: Path,
    image_set: ImageSet,
    posed: PosedPhotos,
    depth: dict[str, SceneDepth],
    reached: int,
) -> None:
    parts = dict(list({"image_set": image_set, "posed": posed, "depth": depth}.items())[:reached])
    page, facts = write(tmp_path / "report.html", **parts)
    assert facts["status"] == "stopped early"
    assert ("<svg" in page) == (reached >= 2)
    assert ("Depth <small>" in page) == (reached >= 3)


def test_no_view_and_an_empty_mesh_still_make_a_report(
    tmp_path: Path, image_set: ImageSet, posed: PosedPhotos
) -> None:
    nothing = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    scene = PosedScene((), SparsePoints.empty(), "scene")
    empty = PosedPhotos(scene, {}, {}, {}, ())
    _, facts = write(
        tmp_path / "report.html", image_set=image_set, posed=empty, depth={}, mesh=nothing
    )
    assert facts["mesh"]["faces"] == 0
    write(tmp_path / "report.html", image_set=image_set, posed=posed, depth={}, mesh=nothing)


def test_weak_depth_is_not_called_good(
    tmp_path: Path,
    image_set: ImageSet,
    posed: PosedPhotos,
    depth: dict[str, SceneDepth],
    ball: Mesh,
) -> None:
    for found in depth.values():
        found.depth_z[4:] = 0
    page, _ = write(
        tmp_path / "report.html", image_set=image_set, posed=posed, depth=depth, mesh=ball
    )
    assert "A good model" not in page
    assert "expect holes" in page


def test_a_texture_is_shown_and_what_no_photo_saw_is_told(
    tmp_path: Path,
    image_set: ImageSet,
    posed: PosedPhotos,
    depth: dict[str, SceneDepth],
    ball: Mesh,
) -> None:
    for found in depth.values():
        found.depth_z[:] = 2.5
    green = np.full((8, 8, 3), [0, 200, 0], np.uint8)
    corners = np.array([[0, 0], [1, 0], [0, 1]], np.float32)
    faces = len(ball.faces)
    textured = TexturedMesh(
        ball,
        np.broadcast_to(corners, (faces, 3, 2)).copy(),
        np.zeros(faces, np.int32),
        [green],
        np.arange(faces) >= faces // 4,
    )
    parts = {"image_set": image_set, "posed": posed, "depth": depth, "mesh": ball}
    page, facts = write(tmp_path / "report.html", **parts, textured=textured)
    assert facts["texture"]["pages"] == 1
    # The triangles of an icosphere differ a little in area.
    assert facts["texture"]["made_up"] == pytest.approx(0.25, abs=0.03)
    assert "of the surface has its colour from photos" in page
    assert "No photo saw 2" in page
    still = re.search(r'src="data:image/jpeg;base64,([^"]+)" alt="Mesh from side 1"', page)
    assert still
    with Image.open(io.BytesIO(base64.b64decode(still.group(1)))) as picture:
        # The ball's own colour is red; JPEG is off by a few levels.
        assert np.abs(np.asarray(picture)[180, 240] - np.array([0, 200, 0])).max() < 12
    plain, facts = write(tmp_path / "report.html", **parts)
    assert facts["texture"] is None
    assert "No photo saw" not in plain


def test_what_masks_hide_is_red(tmp_path: Path, image_set: ImageSet) -> None:
    keep = np.zeros((480, 640), np.uint8)
    keep[:, 320:] = 255
    Image.fromarray(keep).save(tmp_path / "mask.png")
    masks = {IDS[1]: tmp_path / "mask.png"}
    page, facts = write(
        tmp_path / "report.html", image_set=image_set, masks=masks, found_masks="masks/key/photos"
    )
    assert facts["masks"] == {"photos": 1, "found_in": "masks/key/photos"}
    assert "hide is red" in page
    shown = re.findall(r'<img src="data:image/jpeg;base64,([^"]+)" alt="">', page)
    with Image.open(io.BytesIO(base64.b64decode(shown[0]))) as picture:
        hidden, kept = (picture.getpixel((picture.width * n // 4, 100)) for n in (1, 3))
    # JPEG is off by a few levels.
    assert np.abs(np.subtract(kept, (60, 90, 120))).max() < 8
    assert np.abs(np.subtract(hidden, (144, 60, 72))).max() < 8


def test_five_hundred_photos_stay_below_fifteen_megabytes(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    Image.fromarray(noise).resize((800, 600)).save(tmp_path / "noise.jpg")
    ids = [f"{number}.jpg" for number in range(500)]
    photos = tuple(Photo(i, i, 800, 600, Exif(), "", "one") for i in ids)
    image_set = ImageSet(photos, (), False, dict.fromkeys(ids, tmp_path / "noise.jpg"), {}, {})
    write(tmp_path / "report.html", image_set=image_set)
    assert (tmp_path / "report.html").stat().st_size < 15e6


def test_a_still_shows_the_model_in_the_middle_and_fills_the_picture(ball: Mesh) -> None:
    renderer = StillRenderer(ball)
    for viewpoint in turntable(ball.vertices, Rigid.identity(), 3, size_px=(80, 60)):
        still = renderer.render(viewpoint)
        model = (still.colour != BACKGROUND).any(-1)
        rows, columns = np.nonzero(model)
        assert rows.max() - rows.min() >= 52
        assert columns.mean() == pytest.approx(39.5, abs=1)
        assert still.colour[30, 40].tolist() == [255, 0, 0]
        # Clay under a headlight is brightest where it faces the camera.
        assert still.clay[30, 40].sum() > still.clay[rows.min() + 2, 40].sum()


def test_a_turned_camera_sees_what_a_projection_says(ball: Mesh) -> None:
    viewpoint = turntable(ball.vertices, Rigid.identity(), 4, size_px=(80, 60))[1]
    # The second of four stands at +x and looks to -x.
    assert viewpoint.cam_from_world.inverse().translation[0] > 2
    top = viewpoint.cam_from_world @ np.array([0, 0, 1.0])
    assert top[1] < 0


def test_a_room_shows_its_inside_when_backs_are_looked_through(ball: Mesh) -> None:
    room = Mesh(ball.vertices, ball.faces[:, ::-1].copy(), None, ball.rgb)
    viewpoint = turntable(room.vertices, Rigid.identity(), 1, size_px=(80, 60))[0]
    renderer = StillRenderer(room)
    outside, inside = renderer.render(viewpoint), renderer.render(viewpoint, backs=False)
    # Bluish outside, clay inside.
    assert outside.clay[30, 40, 2] > outside.clay[30, 40, 0]
    assert inside.clay[30, 40, 2] < inside.clay[30, 40, 0]


def test_the_share_that_was_inferred_is_told(
    tmp_path: Path,
    image_set: ImageSet,
    posed: PosedPhotos,
    depth: dict[str, SceneDepth],
    ball: Mesh,
) -> None:
    parts = {"image_set": image_set, "posed": posed, "depth": depth}
    marked = np.zeros(len(ball.faces), bool)
    marked[: len(marked) // 4] = True
    page, facts = write(tmp_path / "a.html", **parts, mesh=replace(ball, inferred=marked))
    expected = face_areas(ball)[marked].sum() / face_areas(ball).sum()
    assert facts["mesh"]["inferred"] == pytest.approx(expected)
    assert "of the surface was measured" in page
    page, facts = write(tmp_path / "b.html", **parts, mesh=ball)
    assert facts["mesh"]["inferred"] is None
    assert "of the surface was measured" not in page


def test_the_clean_up_is_told_step_by_step(tmp_path: Path) -> None:
    link = {
        "name": "close holes", "faces_before": 1000, "faces_after": 1234, "counted": "holes",
        "before": 7, "after": None,
    }  # fmt: skip
    cleaning = {"links": [link], "inferred_faces": 234, "crossing_faces": 5}
    page, facts = write(tmp_path / "report.html", cleaning=cleaning)
    assert facts["cleaning"] == cleaning
    assert "close holes" in page
    assert "1\u202f234" in page
    assert "234 triangles close holes; 5 are crossed" in page
