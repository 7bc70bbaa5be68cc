"""Rigs as they are typed, from photos to files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from boards import chessboard_leaning
from films import film
from PIL import Image

from recon3d.cli.board_photos import rig_photos
from recon3d.cli.commands import parse
from recon3d.cli.perform import perform
from recon3d.core.errors import InputError
from recon3d.photos.rig_files import read_rig_file
from recon3d.run.task import CancelToken, Task, silent

LEANS = [(0.5, 0.0), (-0.5, 0.0), (0.0, 0.5), (0.0, -0.5), (0.3, 0.4), (-0.4, 0.2), (0.2, -0.4)]
# The page is 60 pixels a square, 15 squares away; the second camera stands one square to the left.
APART_PX = 60


def run(*arguments: str | Path) -> int:
    return perform(parse([str(argument) for argument in arguments]), CancelToken())


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cameras side by side; the second one has a photo more."""
    folder = tmp_path_factory.mktemp("größe & rig")
    for side, shift in (("left", -APART_PX // 2), ("right", APART_PX // 2)):
        (folder / side).mkdir()
        for index, (x, y) in enumerate(LEANS):
            photo = chessboard_leaning((y, x, 0.05 * index), (shift, 0))
            Image.fromarray(photo).save(folder / side / f"{side}_{index:02}.png")
    Image.fromarray(chessboard_leaning((0.1, 0.3, 0.2))).save(folder / "right" / "right_77.png")
    return folder


def test_a_rig_is_found_written_and_told(
    folders: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = run("calibrate", folders / "left", "--rig", folders / "right", "--square-mm", "25",
               "--board", "6x4", "--type", "chessboard", "--lens", "pinhole", "-o",
               tmp_path / "K.json", "--json")  # fmt: skip
    assert code == 0
    said = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert said["written"] == [str(tmp_path / "K.json"), str(tmp_path / "K.rig.json")]
    assert list(said["left_out"]) == ["right_77.png"]
    assert len(said["moments_used"]) == 7
    rig = read_rig_file(tmp_path / "K.rig.json", (1, 1))
    assert rig is not None
    assert rig.metric
    assert list(rig.cameras) == ["left", "right"]
    # A square is 25 mm; what the second camera sees further right stands further left.
    shift = rig.cameras["right"].cam_from_first.translation
    error = said["cameras"]["right"]["standard_deviations"]["baseline"]
    assert abs(shift[0] - 0.025) < 3 * error + 1e-4
    assert said["cameras"]["right"]["baseline"] == pytest.approx(0.025, rel=0.02)
    for page in ("K.html", "K.left.html", "K.right.html"):
        assert (tmp_path / page).read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert "right_77.png" in (tmp_path / "K.html").read_text(encoding="utf-8")


def test_cameras_in_one_folder_are_told_apart_by_a_pattern(
    folders: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    both = tmp_path / "both"
    both.mkdir()
    for photo in [*folders.glob("left/*"), *folders.glob("right/right_0*")]:
        (both / photo.name).symlink_to(photo)
    first = sorted(both.glob("left*"))
    code = run("calibrate", *first, "--rig", both / "right*.png", "--board", "6x4", "--type",
               "chessboard", "--lens", "pinhole", "-o", tmp_path / "K.json")  # fmt: skip
    assert code == 0
    printed = capfd.readouterr().out
    assert "7 of 7 moments" in printed
    assert "squares" in printed
    assert read_rig_file(tmp_path / "K.rig.json", (1, 1)).cameras.keys() == {"left", "right"}  # type: ignore[union-attr]


def test_videos_of_a_rig_give_the_same_frames(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    walls = [rng.integers(0, 255, (15, 20)).astype(np.uint8) for _ in range(2)]
    videos = []
    for name, wall in zip(("left", "right"), walls, strict=True):
        # The second one is shorter, and moves where the first one stands still.
        shifts = [0, 0, 0, 4, 8, 12, 12, 16] if name == "left" else [4, 8, 12, 12]
        frames = [np.kron(np.roll(wall, n, 1), np.ones((8, 8))).astype(np.uint8) for n in shifts]
        videos.append(film(tmp_path / f"{name}.mp4", frames))
    scratch = tmp_path / "scratch"
    task = Task("rig", silent, CancelToken())
    photos = rig_photos((videos[0],), (videos[1],), scratch, task)
    assert list(photos) == ["left", "right"]
    assert len(photos["left"]) > len(photos["right"]) > 0
    assert set(photos["right"]) < set(photos["left"])
    with pytest.raises(InputError, match="Some cameras have a video"):
        rig_photos((videos[0],), (scratch / "1",), tmp_path / "other", task)


@pytest.mark.parametrize(
    ("rig", "words"),
    [
        ("right/right_00.png", "is one photo"),
        ("nothing*.png", "No file fits the pattern"),
        ("missing", "does not exist"),
    ],
)
def test_what_is_no_camera_is_an_error(
    folders: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], rig: str, words: str
) -> None:
    target = tmp_path / "K.json"
    assert run("calibrate", folders / "left", "--rig", folders / rig, "-o", target) == 1
    assert words in " ".join(capfd.readouterr().err.split())
    assert not target.exists()
