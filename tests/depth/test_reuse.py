"""Which depth maps stay when a run begins with other photos than the one before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from recon3d.core.camera import PinholeCamera
from recon3d.core.scene import PosedPhotos, PosedScene, SparsePoints, View
from recon3d.core.transform import Rigid
from recon3d.depth.reuse import keep_depth
from recon3d.run.cost import Cost
from recon3d.run.files import FileMapping
from recon3d.run.manifest import claim, complete
from recon3d.run.stage import Stage
from recon3d.run.task import CancelToken, Task, silent

STAGE: Stage[None] = Stage(
    name="depth", result="predictions", version=1, run=print, read=lambda folder: None
)
NAMES = ("a", "b", "c")


@dataclass(frozen=True, kw_only=True)
class Knob:
    value: float = 1.0


@dataclass(frozen=True)
class Run:
    """Three photos in a row, each compared with the next; one run of them is finished."""

    root: Path

    @property
    def posed(self) -> PosedPhotos:
        camera = PinholeCamera.centred(8, 6, 8.0)
        views = tuple(
            View(name, camera, Rigid(np.eye(3), np.array([float(x), 0.0, 0.0])))
            for x, name in enumerate(NAMES)
        )
        scene = PosedScene(views, SparsePoints.empty(), "scene")
        return PosedPhotos(scene, self.files("images"), self.files("masks"), {}, ())

    def files(self, kind: str) -> FileMapping[np.ndarray]:
        paths = {name: self.root / kind / name for name in NAMES}
        return FileMapping({k: path for k, path in paths.items() if path.exists()}, np.load)

    def kept(
        self,
        posed: PosedPhotos,
        stage: Stage[None] = STAGE,
        config: Knob = Knob(),
        rest: object = None,
        key: str = "b" * 16,
    ) -> set[str]:
        """The photos whose map a new run takes over."""
        folder = self.root / "depth" / key
        folder.mkdir(parents=True)
        paths = {name: folder / f"{name}.npz" for name in NAMES}
        views = posed.scene.views
        made_from = {name: (views[index + 1 : index + 2], rest) for index, name in enumerate(NAMES)}
        predictions = self.files("predictions")
        task = Task("depth", silent, CancelToken())
        return {*keep_depth(stage, config, posed, predictions, paths, made_from, task)}


def save(path: Path, grey: int, dtype: type = np.uint8) -> None:
    with path.open("wb") as stream:
        np.save(stream, np.full((6, 8) if dtype is bool else (6, 8, 3), grey, dtype))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(tmp_path)
    for kind in ("images", "predictions"):
        (tmp_path / kind).mkdir()
        for name in NAMES:
            save(tmp_path / kind / name, len(name))
    assert run.kept(run.posed, key="a" * 16) == set()
    folder = tmp_path / "depth" / ("a" * 16)
    claim(folder, "depth", folder.name)
    for name in NAMES:
        (folder / f"{name}.npz").write_text(name)
    complete(folder, "depth", folder.name, Cost(0, 0, 0))
    return run


def test_all_stay_where_nothing_has_changed(run: Run) -> None:
    assert run.kept(run.posed) == {*NAMES}


@pytest.mark.parametrize("kind", ["images", "predictions"])
def test_another_picture_or_prediction_costs_its_own_map_and_those_compared_with_it(
    run: Run, kind: str
) -> None:
    save(run.root / kind / "b", 200)
    assert run.kept(run.posed) == {"c"}


def test_a_mask_that_comes_costs_the_maps_that_see_it(run: Run) -> None:
    (run.root / "masks").mkdir()
    save(run.root / "masks" / "c", 1, bool)
    assert run.kept(run.posed) == {"a"}


def test_a_camera_that_moves_by_the_last_bit_costs_the_maps_that_see_it(run: Run) -> None:
    posed = run.posed
    a, b, c = posed.scene.views
    moved = replace(c, cam_from_world=Rigid(np.eye(3), np.array([np.nextafter(2, 3), 0, 0])))
    scene = replace(posed.scene, views=(a, b, moved))
    assert run.kept(replace(posed, scene=scene)) == {"a"}


def test_another_method_keeps_nothing(run: Run) -> None:
    assert run.kept(run.posed, stage=replace(STAGE, version=2)) == set()
    assert run.kept(run.posed, config=Knob(value=2.0), key="c" * 16) == set()
    assert run.kept(run.posed, rest=[0.5, 2.0], key="d" * 16) == set()


def test_what_is_not_in_files_is_never_told_apart(run: Run) -> None:
    pictures = dict.fromkeys(NAMES, np.zeros((6, 8, 3), np.uint8))
    assert run.kept(replace(run.posed, rgb=pictures)) == set()
